#!/usr/bin/env bats
# format/corpus: what its README.md says of each file is what strm does with it,
# within two seconds and 128 MiB.

setup() {
    root=${STRM_SOURCE_DIR:-$(realpath "$BATS_TEST_DIRNAME/../..")}
    export STRM=${STRM:-$root/build/strm} PYTHONDONTWRITEBYTECODE=1
}

corpus() {
    "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/corpus.py" "$1" \
        "$root/format/corpus"
}

@test "the page of the corpus names exactly the files that are there" {
    corpus list
}

@test "the corpus is what its maker makes" {
    "${PYTHON:-/usr/bin/python3}" "$root/format/corpus/make" --check
}

@test "each file of the corpus is read as its name says" {
    corpus read
}

@test "in a closed segment what was torn is damage" {
    corpus closed
}

@test "a writer cuts, sets aside or refuses as the corpus says" {
    corpus write
}

@test "no damage of the corpus is passed over by a repair" {
    corpus repair
}
