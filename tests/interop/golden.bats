#!/usr/bin/env bats
# Partition directories that Kafka wrote, in $STRM_GOLDEN: what consume prints
# is what Kafka's own reader found.  Skipped where they are not present.

setup() {
    root=${STRM_SOURCE_DIR:-$BATS_TEST_DIRNAME/../..}
    golden=${STRM_GOLDEN:-$root/../shared/golden}
    [ -d "$golden" ] || skip "no golden directories in $golden"
    export PYTHONDONTWRITEBYTECODE=1
}

check() {
    "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/golden.py" "$golden/$1"
}

@test "golden bad-crc stops at the bad batch with exit 3" {
    check bad-crc
}

@test "golden big" {
    check big
}

@test "golden compacted" {
    check compacted
}

@test "golden corrupt-index" {
    check corrupt-index
}

@test "golden crash-swap is what recovery makes of it" {
    check crash-swap
}

@test "golden delete-horizon" {
    check delete-horizon
}

@test "golden edge" {
    check edge
}

@test "golden empty" {
    check empty
}

@test "golden gzip" {
    check gzip
}

@test "golden idempotent" {
    check idempotent
}

@test "golden logappendtime" {
    check logappendtime
}

@test "golden lz4" {
    check lz4
}

@test "golden missing-index" {
    check missing-index
}

@test "golden multi-batch-append" {
    check multi-batch-append
}

@test "golden no-timestamp" {
    check no-timestamp
}

@test "golden ooo-timestamps" {
    check ooo-timestamps
}

@test "golden plain" {
    check plain
}

@test "golden time-roll" {
    check time-roll
}

@test "golden torn-tail ends with a note" {
    check torn-tail
}

@test "golden transactions" {
    check transactions
}

@test "golden unclean" {
    check unclean
}

@test "golden zstd" {
    check zstd
}

# 0 where Kafka is content, where only its entries for appends of several
# batches are odd, and where there are only leftovers.
@test "verify of the golden directories finds what is wrong, and only that" {
    "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/golden_verify.py" \
        "$golden"
}

@test "every golden directory has its test" {
    for directory in "$golden"/*/; do
        grep -q "check $(basename "$directory")\$" "$BATS_TEST_FILENAME"
    done
}

# The rule by which the other tests judge our indexes must be Kafka's.
@test "the index rule of check_partition rebuilds Kafka's own files" {
    cd "$golden"
    for case in plain:4096 gzip:1024 lz4:1024 zstd:1024 idempotent:512 \
        logappendtime:512 time-roll:256 ooo-timestamps:256 \
        transactions:256 no-timestamp:1024; do
        "${PYTHON:-/usr/bin/python3}" \
            "$BATS_TEST_DIRNAME/check_partition.py" \
            -c -i "${case#*:}" "${case%:*}/topic-0"
    done
}

# The specification says how .txnindex and .snapshot follow from a log.
@test "the rules of SPEC 5.5 and 6.4 rebuild Kafka's own files" {
    local case found

    cd "$golden"
    for case in transactions:8 idempotent:5 plain:3 multi-batch-append:2 \
        time-roll:6 unclean:2; do
        found=$("${PYTHON:-/usr/bin/python3}" \
            "$BATS_TEST_DIRNAME/producers.py" "${case%:*}/topic-0")
        [ "$found" = "${case%:*}/topic-0 ${case#*:}" ]
    done
}
