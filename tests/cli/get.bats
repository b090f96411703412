#!/usr/bin/env bats
# strm get: the newest record of a key.
# shellcheck disable=SC2016  # what is quoted is for another shell
# shellcheck disable=SC2154  # run sets variables

load helper
load records

# Topic t: four partitions; a and b come again, c was deleted.
fill() {
    strm topic create t --partitions 4
    printf '%s\n' a:1 b:1 c:1 a:2 b:2 a:3 | strm produce t -K : \
        --timestamp 2026-03-06T09:00:00Z
    echo '{"key":"c","value":null}' | strm produce -J t
}

# gives "LINES" ARGUMENT...: exit 0, these lines and no message.
gives() {
    local expected=$1

    shift
    run -0 --separate-stderr strm get "$@"
    if [ "$output" != "$expected" ] || [ -n "$stderr" ]; then
        printf 'get %s\nexpected "%s"\ngot      "%s"\nstderr   "%s"\n' \
            "$*" "$expected" "$output" "$stderr"
        return 1
    fi
}

@test "the newest value of a key, from the partition of its hash" {
    fill
    gives 3 t -k a
    gives $'b=2\na=3' t -K = -k b -k a
    gives a,3 -f csv t --key=a
    # The other partitions are not even opened.
    p=$(strm get -f '%p\n' t -k a)
    for i in 0 1 2 3; do
        [ "$i" -eq "$p" ] || rm "$(log t "$i")"
    done
    gives 3 t -k a
}

@test "a key that is missing or deleted is exit 1, the others are printed" {
    fill
    run -1 --separate-stderr strm get t -k zz -k a -k c
    [ "$output" = 3 ]
    [[ ${stderr_lines[0]} == *'key "zz": no such key in its partition'*--all-partitions* ]]
    [[ ${stderr_lines[1]} == *'key "c": was deleted at offset '* ]]
    [ "${#stderr_lines[@]}" -eq 2 ]
    refuses 1 'no such key' strm get t:0-3 -k zz
    echo '{"key":"c","value":"again"}' | strm produce -J t
    gives again t -k c
}

@test "partitions that were chosen otherwise are named, or all are read" {
    strm topic create t --partitions 4
    for p in 0 1 2 3; do
        echo "a:$p" | strm produce "t:$p" -K :
    done
    gives $'0\n1\n2\n3' t --all-partitions -k a
    gives 2 t:2 -k a
    gives $'1\n3' t:1,3 -k a
    gives 3 "$STRM_DIR/t-3/" -k a
    [ "$(strm get t -k a | wc -l)" -eq 1 ]
}

@test "a range, an empty key, a null and an empty value, headers" {
    printf '%s\n' x:1 x:2 y:1 | strm produce --create u -K :
    gives 1 u@..1 -k x
    refuses 1 'no such key' strm get u@2 -k x
    printf '%s\n' '{"key":"","value":"e"}' '{"key":null,"value":"n"}' \
        '{"key":"v","value":"","headers":[["h","1"],["h",null]]}' |
        strm produce -J u
    gives e u -k ''
    gives '' u -k v
    run -0 strm get -J u -k v
    [[ $output == *'"key":"v","value":"","headers":[["h","1"],["h",null]]}' ]]
}

@test "batches of codecs, and large values" {
    head -c 3000000 /dev/zero | tr '\0' x >large
    strm topic create t --set max.message.bytes=8000000
    { printf 'k:' && cat large && echo; } | strm produce t -K : -z zstd
    seq 2000 | awk '{ print "k" $1 ":" $1 }' | strm produce t -K : -z lz4
    strm get t -k k | head -c 3000000 | cmp - large
    gives 1999 t -k k1999
}

@test "usage, what is not there, damage, and output that cannot be written" {
    run -0 strm get --help
    [[ $output == 'usage: strm get'* ]]
    fill
    refuses 2 'which key' strm get t
    run -2 strm get -k a
    run -2 strm get t u -k a
    refuses 4 'no such topic' strm get nope -k a
    run -6 --separate-stderr bash -c 'strm get t -k a >/dev/full'
    p=$(strm get -f '%p\n' t -k a)
    printf X | dd of="$(log t "$p")" bs=1 seek=70 conv=notrunc status=none
    run -3 --separate-stderr strm get t -k a
}

# newer_while COMMAND...: COMMAND prints a line that ends in "new" or "old",
# though it stands still, each time anew when it is about to open a log, while
# the newest record of k is appended and a compaction takes the old one away.
newer_while() {
    local opens at

    compacted
    strace -qq -o trace -e trace=openat "$@" >/dev/null
    opens=$(awk '/\.log"/ { print NR }' trace)
    [ "$(wc -w <<<"$opens")" -ge 2 ]
    for at in $opens; do
        rm -r s
        compacted
        strace -qq -o trace -e trace=openat \
            -e "inject=openat:delay_enter=700000:when=$at" "$@" >out &
        sleep 0.3
        printf 'k\tnew\n' | strm produce -K '\t' t
        strm roll -q t
        strm compact -q t
        wait "$!"
        grep -E '(new|old)$' out
    done
}

compacted() {
    export STRM_DIR=s
    strm topic create t --set cleanup.policy=compact \
        --set min.cleanable.dirty.ratio=0
    printf 'k\told\n' | strm produce -K '\t' t
    strm roll -q t
    printf 'a\t1\n' | strm produce -K '\t' t
    strm roll -q t
    printf 'b\t1\n' | strm produce -K '\t' t
}

@test "I6 a key that is compacted meanwhile is found where it is now" {
    strace -o /dev/null true 2>/dev/null || skip 'strace does not work here'
    newer_while strm get t -k k
    rm -r s
    newer_while strm table -f '%k=%s\n' t
}
