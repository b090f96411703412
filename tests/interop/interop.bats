#!/usr/bin/env bats
# strm and code that is not strm's: python3-kafka reads what strm writes and
# the other way round, keys go where Java sends them, locks as a broker takes
# them.

setup() {
    cd "$BATS_TEST_DIRNAME" || exit
    export TMPDIR=$BATS_TEST_TMPDIR PYTHONDONTWRITEBYTECODE=1
}

python() {
    "${PYTHON:-/usr/bin/python3}" "$@"
}

@test "python3-kafka decodes what produce -z none writes" {
    python kafka_decodes.py strm_writes none
}

@test "python3-kafka decodes what produce -z gzip writes" {
    python kafka_decodes.py strm_writes gzip
}

@test "python3-kafka decodes what produce -z snappy writes" {
    python kafka_decodes.py strm_writes snappy
}

@test "python3-kafka decodes what produce -z lz4 writes" {
    python kafka_decodes.py strm_writes lz4
}

@test "python3-kafka decodes what produce -z zstd writes" {
    python kafka_decodes.py strm_writes zstd
}

@test "consume reads batches that python3-kafka made with none" {
    python kafka_decodes.py strm_reads none
}

@test "consume reads batches that python3-kafka made with gzip" {
    python kafka_decodes.py strm_reads gzip
}

@test "consume reads batches that python3-kafka made with snappy" {
    python kafka_decodes.py strm_reads snappy
}

@test "consume reads batches that python3-kafka made with lz4" {
    python kafka_decodes.py strm_reads lz4
}

@test "consume reads batches that python3-kafka made with zstd" {
    python kafka_decodes.py strm_reads zstd
}

@test "keys go to the partitions that Java would choose" {
    python murmur2.py
}

@test "a broker's lock keeps writers out and lets readers read" {
    python locks.py broker_keeps_writers_out
}

@test "a producer keeps a broker out" {
    python locks.py writers_keep_a_broker_out
}

@test "P6 readers take no lock, and a stopped one holds up nobody" {
    python locks.py readers_do_not_lock
}

@test "I4 tail -F follows a foreign writer and never shows half a batch" {
    python locks.py tail_follows_a_foreign_writer
}

@test "P6 a read-only copy is consumed and nothing is written to it" {
    python locks.py read_only_copy_is_read
}
