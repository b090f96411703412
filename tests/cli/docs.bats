#!/usr/bin/env bats
# What the documents say is so: examples run and print what stands there,
# options are those that there are, and the specification names its vectors.

load helper

setup() {
    strm_setup
    SOURCE=${STRM_SOURCE_DIR:-$(realpath "$BATS_TEST_DIRNAME/../..")}
    BUILD=${STRM_BUILD:-$SOURCE/build}
    MAN=$SOURCE/man
}

docs() {
    "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/docs.py" "$@"
}

@test "the examples of README.md run and give what they say" {
    docs examples "$SOURCE/README.md"
}

@test "the examples of strm(1) run and give what they say" {
    docs examples "$MAN/strm.1"
}

@test "the examples of strm(7) run and give what they say" {
    docs examples "$MAN/strm.7"
}

@test "the examples of strm-produce(1) run and give what they say" {
    docs examples "$MAN/strm-produce.1"
}

@test "the examples of strm-consume(1) run and give what they say" {
    docs examples "$MAN/strm-consume.1"
}

@test "the examples of strm-inspect(1) run and give what they say" {
    docs examples "$MAN/strm-inspect.1"
}

@test "the examples of strm-tail(1) run and give what they say" {
    docs examples "$MAN/strm-tail.1"
}

@test "the examples of strm-table(1) run and give what they say" {
    docs examples "$MAN/strm-table.1"
}

@test "the examples of strm-get(1) run and give what they say" {
    docs examples "$MAN/strm-get.1"
}

@test "the examples of strm-repair(1) run and give what they say" {
    docs examples "$MAN/strm-repair.1"
}

@test "the examples of strm-retain(1) run and give what they say" {
    docs examples "$MAN/strm-retain.1"
}

@test "the examples of strm-roll(1) run and give what they say" {
    docs examples "$MAN/strm-roll.1"
}

@test "the examples of strm-archive(1) run and give what they say" {
    docs examples "$MAN/strm-archive.1"
}

@test "the examples of strm-restore(1) run and give what they say" {
    docs examples "$MAN/strm-restore.1"
}

@test "the examples of strm-trim(1) run and give what they say" {
    docs examples "$MAN/strm-trim.1"
}

@test "the examples of strm-maintain(1) run and give what they say" {
    docs examples "$MAN/strm-maintain.1"
}

@test "the examples of strm-topic(1) run and give what they say" {
    docs examples "$MAN/strm-topic.1"
}

@test "the examples of strm-compact(1) run and give what they say" {
    docs examples "$MAN/strm-compact.1"
}

@test "the examples of strm-replicate-rsync(1) run and give what they say" {
    docs examples "$MAN/strm-replicate-rsync.1"
}

@test "the examples of strm-fence(1) run and give what they say" {
    docs examples "$MAN/strm-fence.1"
}

@test "the examples of strm-verify(1) run and give what they say" {
    docs examples "$MAN/strm-verify.1"
}

@test "the program of libstream(3) compiles against the library and runs" {
    local libraries flags

    docs program "$MAN/libstream.3" >example.c
    libraries=$(sed -n 's/^Libs.private: //p' "$BUILD/libstream.pc")
    # The flags are those of the library: a sanitized one needs them too.
    flags="-std=c17 -Wall -Wextra -Wconversion -Wshadow -Werror ${CFLAGS-}"
    # shellcheck disable=SC2086  # words
    "${CC:-cc}" $flags -I"$SOURCE/libstream/include" -o example example.c \
        "$BUILD/libstream.a" $libraries
    run -0 ./example new-store
    [ "$output" = $'0 en hello\n1 fr bonjour' ]
    run -0 ./example new-store
    [ "$output" = $'2 en hello\n3 fr bonjour' ]
    run -1 ./example example.c
    [[ $output == "example: "* ]]
}

@test "strm(1) lists every command and the options of strm" {
    docs commands "$MAN/strm.1"
    docs options "$MAN/strm.1"
}

@test "each command has a page with exactly its options" {
    for command in produce consume tail fence inspect maintain promote repair \
        restore \
        retain roll trim verify; do
        docs options "$MAN/strm-$command.1" "$command"
    done
}

@test "strm-archive(1) has exactly the options of each sub-command" {
    docs options "$MAN/strm-archive.1" archive
    docs options "$MAN/strm-archive.1" archive ls
    docs options "$MAN/strm-archive.1" archive verify
}

@test "strm-topic(1) has exactly the options of each sub-command" {
    for command in create ls describe alter rm; do
        docs options "$MAN/strm-topic.1" topic "$command"
    done
}

@test "the specification lists each vector, and no other" {
    local -a files

    # These two are about JSON lines, not about files of the store.
    mapfile -t files < <(find "$SOURCE/format/vectors" -name '*.txt' \
        ! -name base64.txt ! -name utf8.txt)
    docs ids "$SOURCE/format/SPEC.md" "${files[@]}"
}

@test "the specification names files of the corpus that are there" {
    local name count=0

    while read -r name; do
        [ -e "$SOURCE/format/corpus/$name" ] ||
            [ -e "$SOURCE/format/corpus/$name.log" ]
        count=$((count + 1))
    done < <(sed -n '/^- corpus:/,/^$/p' "$SOURCE/format/SPEC.md" |
        grep -oE '\b(torn|corrupt|newer)(-[a-z0-9]+)+')
    [ "$count" -ge 20 ]
}

@test "the other dumps of the specification are vectors" {
    local heading file id

    while read -r file id heading; do
        docs dump "$SOURCE/format/SPEC.md" "$heading" >expected
        docs row "$SOURCE/format/vectors/$file.txt" "$id" >found
        diff expected found
    done <<'EOS'
control commit ### 3.6
txnindex one Example: producer 1001
snapshot one-producer Example: producer 1000
EOS
}

@test "the batch of the specification is what strm writes" {
    docs dump "$SOURCE/format/SPEC.md" '### 3.4' >expected
    strm topic create orders
    printf 'u1\t{"n":1}\nu2\t\n' |
        strm produce -K '\t' -Z -H src=web --timestamp 2026-01-01T00:00:00Z \
            orders
    od -An -v -tx1 "$STRM_DIR/orders-0/00000000000000000000.log" |
        sed 's/^ //' >found
    diff expected found
}

@test "the index entries of the specification are what strm writes" {
    local base=$STRM_DIR/orders-0/00000000000000000000

    strm topic create orders --set segment.bytes=400 \
        --set index.interval.bytes=100
    printf 'u1\t{"n":1}\nu2\t\n' |
        strm produce -K '\t' -Z -H src=web --timestamp 2026-01-01T00:00:00Z \
            orders
    for i in 1 2 3 4 5; do
        echo "line $i" |
            strm produce --timestamp "2026-01-01T00:00:0${i}Z" orders
    done
    docs dump "$SOURCE/format/SPEC.md" 'Example: two entries' >expected
    docs dump "$SOURCE/format/SPEC.md" 'And the first of its' >>expected
    {
        od -An -v -tx1 "$base.index"
        od -An -v -tx1 -N 12 "$base.timeindex"
    } | sed 's/^ //' >found
    diff expected found
}

@test "the map of libstream names each of its files" {
    docs map "$SOURCE/libstream/README.md" \
        "$SOURCE"/libstream/{base,codec,file,log,store,port}
}
