#!/usr/bin/env bats
# Hostile bytes cost bounded memory and time.

load helper

@test "logs that ask for more than they are cost little" {
    # Sanitizers have memory of their own.
    [[ $STRM != */sanitize/* ]] || skip 'not under a sanitizer'
    PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-/usr/bin/python3}" \
        "$BATS_TEST_DIRNAME/hostile.py" "$BATS_TEST_TMPDIR"
}
