# What every test of a tool starts with.  `load helper` gives each test a
# store of its own in $STRM_DIR, and the strm that was built, or that $STRM
# names, as the first one on the PATH.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0

# For a setup() of a file's own.
strm_setup() {
    local built=${STRM:-$BATS_TEST_DIRNAME/../../build/strm}

    [ -x "$built" ] || {
        echo "no strm at $built: run make" >&2
        return 1
    }
    STRM=$(realpath "$built")
    STRM_DIR=$BATS_TEST_TMPDIR/store
    mkdir -p "$STRM_DIR" "$BATS_TEST_TMPDIR/bin"
    ln -sf "$STRM" "$BATS_TEST_TMPDIR/bin/strm"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
    export STRM STRM_DIR PATH
    cd "$BATS_TEST_TMPDIR" || return
}

setup() {
    strm_setup
}

# closed_pipe COMMAND...: a pipe that nobody reads any more ends it by SIGPIPE,
# in silence.
closed_pipe() {
    run -0 "${PYTHON:-/usr/bin/python3}" -c 'import os, subprocess, sys
r, w = os.pipe()
os.close(r)
done = subprocess.run(sys.argv[1:], stdout=w, stderr=subprocess.PIPE)
print(done.returncode, done.stderr)' "$@"
    # shellcheck disable=SC2154  # run sets output
    [ "$output" = "-13 b''" ]
}

# Skips a test of what Kafka's own code wrote where it is not there.
needs_golden() {
    [ -d "${STRM_GOLDEN:=/nonexistent}" ] || skip "no golden directories"
}

# refuses CODE TEXT COMMAND...: exits with CODE, prints nothing but messages,
# and the first begins with "strm: " and has TEXT in it.
refuses() {
    local code=$1 text=$2

    shift 2
    run --separate-stderr "$@"
    # shellcheck disable=SC2154  # run sets stderr
    if [ "$status" -ne "$code" ] || [ -n "$output" ] ||
        [[ ${stderr_lines[0]} != "strm: "*"$text"* ]]; then
        printf 'status %s, output "%s", stderr "%s"\n' \
            "$status" "$output" "$stderr"
        return 1
    fi
}
