#!/usr/bin/env bats
# strm and the second decoder, format/refdec, read the same.

setup() {
    root=${STRM_SOURCE_DIR:-$BATS_TEST_DIRNAME/../..}
    refdec=${STRM_BUILD:-$root/build}/refdec
    export PYTHONDONTWRITEBYTECODE=1
}

compare() {
    "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/refdec.py" "$@"
}

@test "refdec and strm agree on every vector" {
    compare vectors
}

@test "refdec and strm agree on every log of the corpus" {
    [ -d "$root/format/corpus" ] || skip 'no format/corpus'
    compare corpus
}

@test "refdec and strm agree on what Kafka wrote" {
    golden=${STRM_GOLDEN:-$root/../shared/golden}
    [ -d "$golden" ] || skip "no golden directories in $golden"
    compare "$golden"/*/
}

@test "refdec reads the other files of a partition" {
    cd "$BATS_TEST_TMPDIR"
    printf '\0\0\0\2\0\0\0f\0\0\0\4\0\0\0\372' >0.index
    printf '\0\0\1\233\166\332\253\350\0\0\0\2' >0.timeindex
    printf '0\n2\n0 0\n3 17\n' >leader-epoch-checkpoint
    [ "$("$refdec" 0.index 0.timeindex leader-epoch-checkpoint)" = \
'[2,102]
[4,250]
[1767225601000,2]
[0,0]
[3,17]' ]
    printf '0\n2\n3 0\n3 17\n' >leader-epoch-checkpoint
    run "$refdec" leader-epoch-checkpoint
    [ "$status" -eq 3 ]
}

@test "the decoder of refdec has at most 400 lines, all counted" {
    cd "$root/format/refdec"
    [ "$(cat refdec.h refdec.c codecs.c | wc -l)" -le 400 ]
    run grep -n '#include.*\(stream\|base/\|codec/\|file/\)' ./*.[ch]
    [ "$status" -eq 1 ]
}

@test "refdec without a file prints its usage and exits 2" {
    run "$refdec"
    [ "$status" -eq 2 ]
    [[ $output == usage:* ]]
}
