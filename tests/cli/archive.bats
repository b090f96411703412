#!/usr/bin/env bats
# strm archive: closed segments to a file or a pipe, and what archives hold.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records
load upkeep

# A topic of two partitions with several closed segments each, and an active
# one with records.
make() {
    strm topic create orders --partitions 2 --set segment.bytes=64KiB
    seq 20000 | strm produce -q --batch-bytes 8KiB orders:0
    seq 9000 | strm produce -q --batch-bytes 8KiB orders:1
    strm roll -q orders
    seq 10 | strm produce -q orders:0
}

hostile() {
    XXH128=${STRM_BUILD:-$(dirname "$STRM")}/tests/tools/xxh128 \
        PYTHONDONTWRITEBYTECODE=1 \
        python "$BATS_TEST_DIRNAME/archive.py" "$@"
}

@test "help names every option and exits 0" {
    run -0 strm archive --help
    for option in --output --compression --jobs --all --retire --verify \
        --dry-run --json --max-batch-bytes --lock-timeout \
        --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
    run -0 strm help archive
    [[ $output == *"--retire"* ]]
    run -0 strm archive ls --help
    [[ $output == *"--long"*"--max-bytes"* ]]
    run -0 strm archive verify --help
    [[ $output == *"--json"* ]]
    run -0 strm help
    [[ $output == *$'\n  archive '* ]]
}

@test "a wrong line is exit 2" {
    make
    refuses 2 "give an address" strm archive -o x
    refuses 2 "give the archive" strm archive orders
    refuses 2 "addresses or --all" strm archive --all orders -o x
    refuses 2 "--nonsense" strm archive --nonsense
    refuses 2 "-z lz4" strm archive -z lz4 -o x orders
    refuses 2 "no such level" strm archive -z zstd:99 -o x orders
    refuses 2 "no such level" strm archive -z none:1 -o x orders
    refuses 2 "cannot be read again" strm archive --retire -o - orders
    refuses 2 "cannot be read again" strm archive --verify -o - orders
    refuses 2 "-J needs -o FILE" strm archive -J -o - orders
    refuses 2 "twice" strm archive -o x orders orders:1
    refuses 2 "not one file" strm archive -o x "$(log orders 0)"
    refuses 2 "too few arguments" strm archive ls
    refuses 2 "is a directory" strm archive ls .
    refuses 2 "is a directory" strm archive verify .
    [ ! -e x ]
}

@test "standard output that is a terminal gets no archive" {
    make
    command -v script >/dev/null || skip 'no script(1)'
    run script -qec 'strm archive orders -o -' /dev/null
    [ "$status" -eq 2 ]
    [[ $output == *"is a terminal"* ]]
}

@test "what is not there is exit 4" {
    refuses 4 "nothing" strm archive nothing -o x
    refuses 4 "nothing" strm archive ls nothing
    refuses 4 "nothing" strm archive verify nothing
    make
    refuses 4 "no/such" strm archive orders -o no/such/x
}

@test "an archive is never written over a file: exit 1" {
    make
    echo precious >x
    refuses 1 "exists already" strm archive orders -o x
    [ "$(cat x)" = precious ]
    [ -z "$(find . -name '.tmp-*')" ]
}

@test "only closed segments are archived; without one it says how to roll" {
    seq 5 | strm produce -q --create t
    run -4 --separate-stderr strm archive t -o x
    [[ ${stderr_lines[0]} == *"t-0: has only an active segment"*"strm roll"* ]]
    [[ ${stderr_lines[1]} == *"no closed segment to archive"* ]]
    [ ! -e x ]
    strm roll -q t
    run -0 strm archive t -o x
    [[ $output == "1 partition, 1 segment, "*" bytes in x, "*" bytes" ]]
}

@test "every tar program reads it, and the logs are there byte for byte" {
    make
    strm archive -q orders -o a.tar.zst
    strm archive -q orders -z gzip -o a.tar.gz
    strm archive -q orders -z none -o a.tar
    zstd -dq <a.tar.zst >b.tar
    gzip -d <a.tar.gz >c.tar
    cmp <(tar tf a.tar) <(tar tf b.tar)
    cmp <(tar tf a.tar) <(tar tf c.tar)
    tar --zstd -tf a.tar.zst >list
    [ "$(head -n 1 list)" = strm-archive.txt ]
    [ "$(tail -n 1 list)" = strm-manifest.txt ]
    grep -qx '.strm/topics/orders.json' list
    # The active segment is not in it.
    for archive in a.tar b.tar c.tar; do
        mkdir out
        tar xf $archive -C out
        for file in out/orders-*/*; do
            cmp "$file" "$STRM_DIR/${file#out/}"
        done
        rm -r out
    done
    [ "$(grep -c '^orders-0/.*\.log$' list)" -eq \
        $(($(find "$STRM_DIR/orders-0" -name '*.log' | wc -l) - 1)) ]
}

@test "each codec, level and number of threads gives a good archive" {
    make
    for codec in none gzip gzip:1 gzip:9 zstd zstd:-5 zstd:19; do
        strm archive -q orders -z $codec -o "x-$codec"
        run -0 strm archive verify "x-$codec"
        [[ $output == *"29000 records"*", good" ]]
    done
    strm archive -q orders -j 1 -o one
    strm archive -q orders -j 5 -o five
    # But for the time at which it was made.
    cmp <(tar --zstd -xOf one --exclude='strm-*') \
        <(tar --zstd -xOf five --exclude='strm-*')
}

@test "-o - is a pipe, and - is one to read from" {
    make
    run -0 bash -o pipefail -c \
        'strm archive orders -o - | cat >piped && strm archive verify -q piped'
    [ -z "$output" ]
    run -0 bash -o pipefail -c 'cat piped | strm archive ls -'
    [[ ${lines[1]} == "orders-0 "*" 20000 "* ]]
    run -0 bash -o pipefail -c \
        'strm archive orders -z none -o - | strm archive verify -'
    [[ $output == "standard input: 2 partitions, "*"good" ]]
}

@test "ls lists partitions, segments and JSON" {
    make
    strm archive -q orders -o a
    run -0 strm archive ls a
    [ "${#lines[@]}" -eq 3 ]
    [[ ${lines[0]} == "PARTITION "*"LARGEST TIME" ]]
    [[ ${lines[1]} == "orders-0 "*" 0 "*" 20000 "*" 20000 "* ]]
    run -0 strm archive ls -l a
    [ "${#lines[@]}" -gt 3 ]
    run -0 strm archive ls -J a
    [[ ${lines[0]} == '{"type":"archive","foreign":false,"created_ms":'*',"partitions":2}' ]]
    [[ ${lines[1]} == *'"type":"segment","topic":"orders","partition":0,"base_offset":0,'*'"xxh128":"'* ]]
    [[ ${lines[-1]} == *'"type":"partition","topic":"orders","partition":1,"first_offset":0,"next_offset":9000,'*'"records":9000,'* ]]
}

@test "a range means the closed segments that hold any of it" {
    make
    mapfile -t bases < <(segments orders | tr ' ' '\n')
    strm archive -q "orders:0@${bases[1]}..${bases[2]}" -o a
    run -0 strm archive ls -l a
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[1]} == "orders-0 "*"${bases[1]} "*"${bases[2]} "* ]]
    strm archive -q "orders:0@..1" -o b
    run -0 strm archive ls -l b
    [ "${#lines[@]}" -eq 2 ]
    strm archive -q "orders:0@2020-01-01.." -o c
    run -0 strm archive ls -J c
    [[ ${lines[-1]} == *'"records":20000'* ]]
}

@test "--dry-run and -J say what would be done, and do nothing" {
    make
    before=$(sums)
    run -0 strm archive orders -N
    [[ ${lines[1]} == "orders-0 "*" 20000 "* ]]
    [[ ${lines[-1]} == "2 partitions, "*" would be archived" ]]
    run -0 strm archive --all -N -J
    [[ ${lines[0]} == '{"type":"partition","topic":"orders","partition":0,"first_offset":0,"next_offset":20000,"segments":'* ]]
    [[ ${lines[-1]} == '{"type":"summary","dry_run":true,"partitions":2,'* ]]
    [ "$(sums)" = "$before" ]
    run -0 strm archive orders -J -o a
    [[ ${lines[-1]} == *'"file":"a","archive_bytes":'"$(stat -c %s a)}" ]]
}

@test "a damaged log is not archived: exit 3, and nothing is left" {
    make
    printf x | dd of="$(log orders 0)" bs=1 seek=5000 conv=notrunc 2>/dev/null
    byte=$(strm verify -J orders:0 |
        sed -n 's/.*"position":\([0-9]*\).*"kind":"crc".*/\1/p')
    refuses 3 ".log: damaged at byte $byte (strm repair says what can be done): bad CRC" \
        strm archive orders -o a
    [ -z "$(find . -maxdepth 1 -name 'a' -o -maxdepth 1 -name '.tmp-*')" ]
    strm archive -q orders:1 -o a
}

@test "--retire: archived segments leave the log, and are all in the archive" {
    make
    (cd "$STRM_DIR" && find orders-? -name '*.log' -size +0 -exec sha256sum {} +) |
        grep -v "$(segments orders | awk '{ printf "%020d", $NF }')" |
        sort >before
    run -0 strm archive orders --retire -o a
    [[ $output == *"; deleted from the log" ]]
    [ "$(segments orders)" = 20000 ]
    [ "$(strm consume orders:0 | wc -l)" -eq 10 ]
    [ "$(strm consume orders:1 | wc -l)" -eq 0 ]
    run -0 strm verify -q orders
    [ "$(cat "$STRM_DIR/log-start-offset-checkpoint")" = $'0\n2\norders 0 20000\norders 1 9000' ]
    run -0 strm archive verify a
    mkdir out && tar --zstd -xf a -C out
    (cd out && find orders-? -name '*.log' -size +0 -exec sha256sum {} +) |
        sort | diff before -
    # Producers go on where they were.
    [ "$(echo | strm produce --ack orders:1 2>/dev/null)" = "1	9000" ] ||
        [ "$(strm consume -f '%o' orders:1)" = 9000 ]
}

@test "--retire takes nothing where it may not" {
    make
    strm topic create compacted --set cleanup.policy=compact
    seq 5 | strm produce -q -k a compacted
    strm roll -q compacted
    refuses 2 'has no "delete"' strm archive compacted --retire -o a
    [ ! -e a ]
    before=$(sums)
    mapfile -t bases < <(segments orders | tr ' ' '\n')
    # Segments leave oldest first, so what is older would have to go too.
    run -2 --separate-stderr strm archive --retire -o b \
        "orders:0@${bases[1]}..${bases[2]}"
    [[ $stderr == *"segment 0 is older than what was archived"* ]]
    [ "$(sums)" = "$before" ]
    strm archive verify -q b
}

@test "--retire waits for whoever works on the partition: exit 5, both have it" {
    make
    hold_structure orders 0
    before=$(sums)
    run -5 --separate-stderr strm archive orders:0 --retire --lock-timeout 100ms \
        -o a
    strm archive verify -q a
    [ "$(sums)" = "$before" ]
    run -7 --separate-stderr strm archive orders --retire --lock-timeout 100ms \
        -o b
    [ "$(cat "$STRM_DIR/log-start-offset-checkpoint")" = $'0\n1\norders 1 9000' ]
}

@test "a full disk is exit 6, and a closed pipe ends it" {
    make
    run -6 --separate-stderr bash -c 'strm archive orders -o - >/dev/full'
    [[ $stderr == *"cannot write the archive: No space left"* ]]
    strm archive -q orders -o a
    run -6 --separate-stderr bash -c 'strm archive ls a >/dev/full'
    run -6 --separate-stderr bash -c 'strm archive verify a >/dev/full'
    run bash -o pipefail -c 'strm archive orders -z none -o - | head -c 10 >/dev/null'
    [ "$status" -eq 141 ]
    run bash -c 'strm archive ls -J -l a | true'
    # A file that may not grow.
    run -6 --separate-stderr bash -c 'ulimit -f 10; strm archive -z none orders -o b'
    [[ $stderr == *"File too large"* ]]
    [ ! -e b ]
    [ -z "$(find . -maxdepth 1 -name '.tmp-*')" ]
}

@test "long work shows on a terminal how far it is, and nowhere else" {
    local command

    make
    strm archive -q orders -o a
    # slow COMMAND: half of an archive, and the rest a while later.
    slow() {
        # shellcheck disable=SC2016  # for the inner shell
        script -qec "{ head -c 9000 a; sleep 0.7; tail -c +9001 a; } | $*" \
            /dev/null
    }
    for command in 'archive verify -' 'archive ls -' 'restore - --as x'; do
        run -0 slow strm "$command"
        [[ $output == *"iB/s"* ]]
    done
    run -0 slow strm archive verify -q -
    [[ $output != *"/s"* ]]
    run -0 slow "strm archive verify - 2>&1 | cat"
    [[ $output != *"/s"* ]]
}

@test "a stop leaves nothing behind" {
    make
    strm archive -q orders -o a
    mkfifo in
    start strm restore in --as x
    id=$!
    exec 4>in
    head -c 10000 a >&4
    # shellcheck disable=SC2016  # for the inner shell
    eventually bash -c 'test -n "$(ls -A "$STRM_DIR/.strm/restore")"'
    kill "$id"
    ends 143 "$id"
    exec 4>&-
    [ -z "$(ls "$STRM_DIR/.strm/restore")" ]
    [ -z "$(find "$STRM_DIR" -name 'x-*')" ]
}

@test "a broker's disk, packed with tar, is listed and verified" {
    needs_golden
    for name in plain zstd transactions compacted crash-swap torn-tail unclean; do
        tar czf f.tar.gz -C "$STRM_GOLDEN" "$name"
        run -0 strm archive verify f.tar.gz
        [[ $output == *"1 partition, "*"no manifest"* ]]
        run -0 --separate-stderr bash -c "zcat f.tar.gz | strm archive ls -J -"
        [[ ${lines[0]} == *'"foreign":true,"created_ms":null,"partitions":1}' ]]
        [[ ${lines[-1]} == *'"topic":"topic","partition":0,'* ]]
    done
    tar cf f.tar -C "$STRM_GOLDEN/bad-crc" topic-0
    refuses 3 "bad CRC" strm archive verify f.tar
    refuses 3 "bad CRC" strm archive ls f.tar
}

@test "an append that did not finish, at the end of a tar's log, is told" {
    needs_golden
    torn="topic-0/00000000000000001129.log: byte 21972: an append that did not \
finish follows (torn); a restore leaves it out"
    tar cf f.tar -C "$STRM_GOLDEN/torn-tail" topic-0
    for command in verify ls; do
        run -0 --separate-stderr strm archive $command f.tar
        [ "$stderr" = "strm: f.tar: $torn" ]
        run -0 --separate-stderr strm archive $command - <f.tar
        [ "$stderr" = "strm: standard input: $torn" ]
        run -0 --separate-stderr strm archive $command -q f.tar
        [ -z "$stderr" ]
        tar cf whole.tar -C "$STRM_GOLDEN/plain" topic-0
        run -0 --separate-stderr strm archive $command whole.tar
        [ -z "$stderr" ]
    done
    # Of many, ten are named.
    for p in $(seq 0 12); do
        mkdir -p "many/t-$p"
        cp "$STRM_GOLDEN"/torn-tail/topic-0/*1129.log "many/t-$p"
    done
    tar cf many.tar -C many --sort=name .
    run -0 --separate-stderr strm archive verify many.tar
    # shellcheck disable=SC2154  # run sets it
    [ "${#stderr_lines[@]}" -eq 11 ]
    [[ ${stderr_lines[9]} == *": t-9/"*"(torn)"* ]]
    [ "${stderr_lines[10]}" = "strm: many.tar: 3 more logs end so" ]
}

@test "one that was packed anew is as good as before, but cannot be sought" {
    make
    strm archive -q orders -o a.tar.zst
    zstd -dqc a.tar.zst | gzip >b.tar.gz
    run -0 strm archive verify -J a.tar.zst
    [[ $output == *'"foreign":false,'*'"seekable":true}' ]]
    run -0 strm archive verify -J b.tar.gz
    [[ $output == *'"foreign":false,'*'"seekable":false}' ]]
    zstd -dq a.tar.zst -o c.tar
    run -0 strm archive verify -J c.tar
    [[ $output == *'"seekable":true}' ]]
    run -0 strm archive ls b.tar.gz
    [[ ${lines[1]} == "orders-0 "* ]]
}

@test "one that is cut short or damaged anywhere is refused: exit 3" {
    strm topic create t --set segment.bytes=64KiB
    seq 3000 | strm produce -q t
    strm roll -q t
    for codec in none gzip zstd; do
        strm archive -q t -z $codec -o a
        size=$(stat -c %s a)
        for part in 1 3 10 50 90; do
            head -c $((size * part / 100)) a >b
            run -3 strm archive verify b
            run -3 strm archive verify - <b
            cp a b
            printf '\377\0\377\0' |
                dd of=b bs=1 seek=$((size * part / 100)) conv=notrunc \
                    2>/dev/null
            run strm archive verify b
            # What fills up blocks says nothing.
            [ "$status" -eq 3 ] || {
                [ $codec = none ]
                cmp <(tar xOf a) <(tar xOf b)
            }
        done
        rm a
    done
}

@test "hostile archives are refused, fast, and leave nothing behind" {
    local name text

    seq 3000 | strm produce -q --create orders
    strm roll -q orders
    mkdir cases
    hostile "$STRM_DIR/orders-0" cases >list
    [ "$(wc -l <list)" -gt 20 ]
    rm -r "$STRM_DIR" && mkdir "$STRM_DIR"
    mkdir tmp
    export TMPDIR=$PWD/tmp
    # refused NAME TEXT COMMAND...: with the case as standard input too.
    refused() {
        local file=cases/$1 text=$2
        shift 2
        run timeout 10 "$@" <"$file"
        case $status in
        2 | 3 | 4) ;;
        *) echo "$file: $* $status $output" && return 1 ;;
        esac
        [[ $output == *"$text"* ]] || {
            echo "$file: $*: \"$output\" has no \"$text\""
            return 1
        }
        [ -z "$(ls tmp)" ]
    }
    while read -r name text; do
        refused "$name" "$text" strm restore "cases/$name"
        refused "$name" "$text" strm restore "cases/$name" orders@5..7
        refused "$name" "$text" strm restore -
        refused "$name" "$text" strm archive verify "cases/$name"
        refused "$name" "$text" strm archive verify -
        # So many partitions can be read, and are not made.
        if [[ $text != *" partitions" ]]; then
            refused "$name" "$text" strm consume /dev/stdin
            refused "$name" "$text" bash -c 'cat | strm consume /dev/stdin'
            [[ $name == bad-settings ]] || refused "$name" "$text" strm archive ls -
        fi
        [ -z "$(find "$STRM_DIR" -name 'orders*' -o -name '*.log')" ]
        [ -z "$(ls "$STRM_DIR/.strm/restore")" ]
    done <list
}

# modest EXIT COMMAND...: with at most 160 MiB of memory.
modest() {
    local code=$1

    shift
    "${PYTHON:-/usr/bin/python3}" -c '
import os, subprocess, sys
child = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
assert os.waitstatus_to_exitcode(status) == int(sys.argv[1]), status
assert usage.ru_maxrss < 160 << 10 or "/sanitize/" in sys.argv[2], (
    usage.ru_maxrss)' "$code" "$STRM" "$@"
}

@test "a bomb among the pieces of an archive costs no memory" {
    seq 3000 | strm produce -q --create orders
    strm roll -q orders
    strm archive -q orders -o a
    mkdir cases new
    hostile bombs a cases
    modest 3 archive verify cases/index
    modest 3 archive ls cases/index
    for name in index block; do
        modest 3 -C new restore cases/$name
        modest 3 -C new restore cases/$name orders@5..7
        modest 3 consume ./cases/$name
        modest 3 verify ./cases/$name
        [ -z "$(ls new/.strm/restore)" ]
    done
    [ -z "$(find new -name 'orders*')" ]
}

@test "an archive of many topics takes no longer than its size asks" {
    seq 3 | strm produce -q --create orders
    hostile topics "$STRM_DIR/orders-0" a.tar
    run -0 timeout 8 strm archive verify a.tar
    [[ $output == *"30000 partitions, 30000 segments, 90000 records"* ]]
    run -0 timeout 8 strm archive ls -J a.tar
    [ "$(grep -c '"log_start_offset":1,' <<<"$output")" -eq 30000 ]
}

@test "many small files that are large cost no memory" {
    local code name

    seq 3000 | strm produce -q --create orders
    mkdir cases
    hostile small "$STRM_DIR/orders-0" cases >list
    while read -r code name; do
        modest "$code" archive verify "cases/$name"
        modest "$code" archive ls "cases/$name"
        modest "$code" -C new restore "cases/$name"
        modest "$code" consume -n 1 "./cases/$name"
        rm -rf new
    done <list
}

@test "an index that lies is found out" {
    local name range

    seq 3000 | strm produce -q --create orders
    strm roll -q orders
    strm archive -q orders -z none -o a
    mkdir cases new
    hostile manifest a cases >list
    [ "$(wc -l <list)" -ge 12 ]
    while read -r name; do
        run -3 strm archive verify "cases/$name"
        run -3 strm -C new restore "cases/$name"
        [ "$name" = far ] && range=@2000.. || range=@0..2999
        run -3 strm -C new restore "cases/$name" "orders$range"
    done <list
    [ -z "$(find new -name 'orders*')" ]
}

@test "verify finds each file that is not where the index says" {
    local name path

    seq 3000 | strm produce -q --create orders
    strm roll -q orders
    strm archive -q orders -z none -o a
    strm consume orders >all
    mkdir cases new
    hostile misplaced a cases >list
    [ "$(wc -l <list)" -ge 5 ]
    grep '\.log$' list
    grep '\.json$' list
    grep '\.index$' list
    while read -r name path; do
        refuses 3 "cases/$name: strm-manifest.txt: $path is not where it says" \
            strm archive verify "cases/$name"
        refuses 3 "$path is not where it says" \
            bash -c "cat cases/$name | strm archive verify -"
        # What is read by the index is right all the same, or nothing.
        run --separate-stderr strm consume "./cases/$name"
        if [ "$status" -eq 0 ]; then
            diff <(echo "$output") all
        else
            [ "$status" -eq 3 ] && [[ $stderr == "strm: "*"$path: "* ]]
            [ -z "$output" ]
        fi
        # Who reads from its begin does not need it.
        strm -C new restore -q "cases/$name"
        strm -C new consume orders | cmp - all
        rm -r new && mkdir new
    done <list
}

@test "verify reads files by the seek table, too" {
    seq 3000 | strm produce -q --create orders
    strm roll -q orders
    strm archive -q orders -o a
    hostile shifted a b
    cmp <(zstd -dqc a) <(zstd -dqc b)
    # A pipe has no use for a seek table.
    run -0 bash -c 'cat b | strm archive verify -'
    refuses 3 "b: orders-0/00000000000000000000.timeindex: piece at byte" \
        strm archive verify b
}

@test "settings in a plain archive that changed are found by who seeks, too" {
    seq 3000 | strm produce -q --create orders
    strm roll -q orders
    strm archive -q orders -z none -o a
    sed '0,/"gaps":/s/"gaps":\( *\)false/"gaps":\1true /' a >b
    [ "$(cmp -l a b | wc -l)" -gt 2 ]
    mkdir new
    refuses 3 ".strm/topics/orders.json: its digest" strm consume ./b
    refuses 3 ".strm/topics/orders.json: its digest" \
        strm -C new restore b orders@5..7
    refuses 3 ".strm/topics/orders.json: its digest" strm archive verify b
}

@test "an index that changed is told, and the logs are to be had without it" {
    local codec at words

    make
    strm consume -J orders >all
    mkdir new
    for codec in none gzip zstd; do
        strm archive -q orders -z $codec -o orders.tar
        case $codec in
        none) at=$(grep -abo '^created ' orders.tar | tail -n 1 |
            sed 's/:.*/+10/') ;;
        gzip) at=$(tail -c 26 orders.tar | od -An -tu8 -N 8)-100 ;;
        zstd) at=$(tail -c 9 orders.tar | od -An -tu4 -N 4)
            at="$(stat -c %s orders.tar)-17-8*$at-100" ;;
        esac
        printf '\377' | dd of=orders.tar bs=1 seek=$((at)) conv=notrunc \
            2>/dev/null
        for words in 'consume ./orders.tar@..5' 'archive ls orders.tar' \
            'verify ./orders.tar' '-C new restore orders.tar orders@..5'; do
            # shellcheck disable=SC2086  # words
            refuses 3 "orders.tar: strm-manifest.txt is damaged, see DIAG" \
                strm $words
        done
        refuses 3 "orders.tar: " strm archive verify orders.tar
        refuses 3 "orders.tar: " strm -C new restore orders.tar
        refuses 3 "standard input: " \
            bash -c 'cat orders.tar | strm -C new restore -'
        # As strm-archive(1) says.
        mkdir d
        tar -C d -xf orders.tar || [ $codec != none ]
        rm -f d/strm-*.txt
        tar -C d -cf rescued.tar .
        strm archive verify rescued.tar
        strm -C new restore -q rescued.tar
        strm -C new consume -J orders | cmp - <(
            strm consume -J orders | grep -v '"offset":2000[0-9],')
        rm -r d new orders.tar && mkdir new
    done
}

@test "verify refuses what restore refuses: offsets that are missing" {
    local name

    strm topic create t --set segment.bytes=3000
    seq 1000 | strm produce -q --batch-bytes 200 t
    strm roll -q t
    mkdir -p new
    # sound CODE: verify and restore agree on the store, packed by tar.
    sound() {
        tar cf f.tar -C "$STRM_DIR" .
        run "-$1" strm archive verify f.tar
        run "-$1" strm -C new restore f.tar
        rm -rf new
    }
    sound 0
    # The second batch of a segment is gone; then the segment is.
    log=$(find "$STRM_DIR"/t-0 -name '*.log' | sort | sed -n 3p)
    cp "$log" kept
    "${PYTHON:-/usr/bin/python3}" -c '
import sys
log = open(sys.argv[1], "rb").read()
at = 12 + int.from_bytes(log[8:12], "big")
end = at + 12 + int.from_bytes(log[at + 8:at + 12], "big")
open(sys.argv[1], "wb").write(log[:at] + log[end:])' "$log"
    sound 3
    cp kept "$log"
    mv "$log" away
    sound 3
    strm trim -q t@900
    sound 0
}

@test "--max-batch-bytes: larger batches are no damage to who is told so" {
    strm topic create t --set max.message.bytes=200000000
    "${PYTHON:-/usr/bin/python3}" -c 'import random
random.seed(1)
for n in range(70):
    print(random.randbytes(500000).hex()[1:])' >lines
    strm produce -q --batch-bytes 80MB t <lines
    strm roll -q t
    strm archive -q --verify --max-batch-bytes 80MB t -o a
    tar cf f.tar -C "$STRM_DIR" t-0
    for file in a f.tar; do
        refuses 3 "" strm archive verify $file
        run -0 strm archive verify --max-batch-bytes 80MB $file
        run -0 strm archive ls --max-batch-bytes 80MB $file
        run -3 strm consume ./$file
        for option in '--max-batch-bytes 80MB' --max-batch-bytes=80MB; do
            # shellcheck disable=SC2086  # words
            [ "$(strm consume $option ./$file | wc -c)" -eq 70000000 ]
        done
        run -0 strm restore --max-batch-bytes 80MB $file --as copy
        strm topic rm -q -y copy
    done
    refuses 3 "" strm archive ls f.tar
    refuses 2 "--max-batch-bytes" strm archive ls --max-batch-bytes x a
    refuses 2 "--max-batch-bytes" strm archive verify --max-batch-bytes x a
}

@test "more than --max-bytes is refused" {
    make
    strm archive -q orders -o a
    refuses 3 "--max-bytes" strm archive verify --max-bytes 100KiB a
    refuses 3 "--max-bytes" strm restore --max-bytes 100KiB a --as b
    strm archive verify -q --max-bytes 1GiB a
}

@test "retain --archive keeps what it takes" {
    make
    mkdir kept
    run -0 strm retain orders:0 --keep-bytes 0 --archive kept
    [ "$(segments orders)" = 20000 ]
    run -0 strm archive ls kept/orders-0.0-20000.*.tar.zst
    [[ ${lines[1]} == "orders-0 "*" 0 "*" 20000 "*" 20000 "* ]]
    # The longest names too, also two that begin alike.
    long=$(printf 'a%.0s' {1..248})
    for name in "${long}b" "${long}c"; do
        seq 1000 | strm produce -q --create "$name"
        strm roll -q "$name"
    done
    run -0 strm retain "${long}b" "${long}c" --keep-bytes 0 --archive kept
    [ "$(segments "${long}b") $(segments "${long}c")" = '1000 1000' ]
    for file in kept/aaaa*~-0.0-1000.*.tar.zst; do
        strm archive ls -J "$file" | grep -o '"topic":"[a-c]*"' | uniq
    done >names
    [ "$(sort names)" = "$(printf '"topic":"%s"\n' "$long"{b,c})" ]
    # What cannot be archived stays.
    before=$(sums)
    run -6 --separate-stderr strm retain orders:1 --keep-bytes 0 \
        --archive nowhere
    [[ $stderr == *"could not be archived, so none was deleted"* ]]
    [ "$(sums)" = "$before" ]
    run -0 strm retain orders:1 --keep-bytes 0 --archive nowhere -N
}
