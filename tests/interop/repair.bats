#!/usr/bin/env bats
# Repairing copies of partition directories that Kafka wrote, in $STRM_GOLDEN.
# Skipped where they are not present.

setup() {
    root=${STRM_SOURCE_DIR:-$BATS_TEST_DIRNAME/../..}
    golden=${STRM_GOLDEN:-$root/../shared/golden}
    [ -d "$golden" ] || skip "no golden directories in $golden"
    export PYTHONDONTWRITEBYTECODE=1 TMPDIR=$BATS_TEST_TMPDIR
}

repair() {
    "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/repair.py" \
        "$1" "$golden/$2" "${@:3}"
}

@test "after a repair all records that Kafka reads are there, and nothing is left to do" {
    for directory in "$golden"/*/; do
        repair readable "$(basename "$directory")"
    done
}

@test "a salvage has all good batches, also those behind damage" {
    for directory in "$golden"/*/; do
        repair salvage "$(basename "$directory")"
    done
}

@test "derived files that are gone or noise come back as Kafka wrote them" {
    for case in plain:4096 gzip:1024 lz4:1024 zstd:1024 idempotent:512 \
        logappendtime:512 time-roll:256 ooo-timestamps:256 \
        transactions:256 no-timestamp:1024; do
        repair rebuild "${case%:*}" "${case#*:}"
    done
}
