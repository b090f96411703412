#!/usr/bin/env bats
# strm compact against a reference cleaner that shares no code with it
# (cleaner.py), on what Kafka wrote, on random logs, and on logs made by hand.
# `make check-compact` does the same with many more random logs.

setup() {
    root=${STRM_SOURCE_DIR:-$BATS_TEST_DIRNAME/../..}
    golden=${STRM_GOLDEN:-$root/../shared/golden}
    cd "$BATS_TEST_DIRNAME" || exit
    export TMPDIR=$BATS_TEST_TMPDIR PYTHONDONTWRITEBYTECODE=1
}

compact() {
    "${PYTHON:-/usr/bin/python3}" compact.py "$@"
}

cases() {
    "${PYTHON:-/usr/bin/python3}" compact_cases.py "$@"
}

need_golden() {
    [ -d "$golden" ] || skip "no golden directories in $golden"
}

@test "the reference cleaner makes the bytes that Kafka's made" {
    need_golden
    compact judge "$golden"
}

@test "golden directories are compacted as by Kafka, before and after horizons" {
    need_golden
    compact golden "$golden" compacted delete-horizon transactions crash-swap
}

@test "golden directories of every kind are compacted as by Kafka" {
    need_golden
    compact golden "$golden" idempotent edge gzip lz4 zstd logappendtime \
        no-timestamp ooo-timestamps multi-batch-append empty
}

@test "a swap that a broker did not finish is finished first" {
    need_golden
    compact unfinished "$golden"
}

@test "I6 random logs are compacted as by Kafka, and tables stay the same" {
    compact random 0 6
}

@test "the marker of a transaction goes in the third pass" {
    cases markers
}

@test "a snapshot does not keep a transaction open of which nothing is left" {
    cases snapshot
}

@test "a producer's last batch stays as long as the producer is known" {
    cases producers
}

@test "odd batches are kept as they are" {
    cases oddities
}

@test "with little memory there are more rounds and the same records" {
    compact rounds 0 3
}

@test "verify takes an epoch that began where compaction left nothing" {
    cases epochs
}

@test "verify takes an empty newest segment for the end of the log" {
    cases log_end
}
