# What tests of records share: `load records` after `load helper`.
# shellcheck shell=bash

python() {
    "${PYTHON:-/usr/bin/python3}" "$@"
}

# batches FILE...: "first-offset records codec bytes" of each batch.
batches() {
    python - "$@" <<'EOS'
import struct, sys
codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
for name in sys.argv[1:]:
    data = open(name, "rb").read()
    at = 0
    while at < len(data):
        base, size = struct.unpack_from(">qi", data, at)
        attributes, = struct.unpack_from(">h", data, at + 21)
        count, = struct.unpack_from(">i", data, at + 57)
        print(base, count, codecs[attributes & 7], size + 12)
        at += size + 12
EOS
}

# log TOPIC PARTITION: the path of its first segment.
log() {
    echo "$STRM_DIR/$1-$2/00000000000000000000.log"
}

# Wait until a command succeeds, for five seconds at most.
eventually() {
    local try

    for ((try = 0; try < 500; try++)); do
        "$@" && return
        sleep 0.01
    done
    echo "never: $*"
    return 1
}

# holds FILE TEXT: the file is TEXT and a newline, as a test of eventually.
holds() {
    [ "$(<"$1")" = "$2" ]
}

# start COMMAND...: run a program (a function would be a shell of its own) in the
# background, $! is its id.  It ends with the test at the latest.
start() {
    "$@" 3>&- &
    started+=("$!")
}

# ends CODE ID: wait for what was started, which ends with that status.
ends() {
    local code=0

    wait "$2" || code=$?
    [ "$code" -eq "$1" ] || {
        echo "status $code, not $1"
        return 1
    }
}

# feed COMMAND...: start it with a pipe as its standard input, which is written
# to with >&5 and ended with exec 5>&-.
feed() {
    mkfifo pipe
    # shellcheck disable=SC2016  # for the inner shell
    start bash -c 'exec "$@" <pipe' bash "$@"
    exec 5>pipe
}

teardown() {
    local id

    # The shell tells of what was killed.
    exec 2>/dev/null
    for id in "${started[@]}"; do
        kill -KILL "$id" 2>/dev/null && wait "$id"
    done
    :
}

# Hold the store's lock as a Kafka broker does, until the test ends.
broker_lock() {
    start "${PYTHON:-/usr/bin/python3}" -c '
import fcntl, sys, time
file = open(sys.argv[1], "a+")
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
time.sleep(60)' "$STRM_DIR/.lock" >broker
    eventually holds broker held
}

# append_lock TOPIC PARTITION, sync_lock: hold a lock of writers, byte 0 or 1 of
# the state file, until the test ends or $holder is killed.
append_lock() {
    state_lock 0 "$@"
}

sync_lock() {
    state_lock 1 "$@"
}

state_lock() {
    file_lock "$1" "$STRM_DIR/$2-$3/.strm-state"
}

# file_lock BYTE FILE: the same of any file.
file_lock() {
    start "${PYTHON:-/usr/bin/python3}" -c '
import fcntl, struct, sys, time
file = open(sys.argv[2], "r+b")
lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, int(sys.argv[1]), 1, 0)
fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)
print("held", flush=True)
time.sleep(60)' "$1" "$2" >holder
    # shellcheck disable=SC2034  # for the caller
    holder=$!
    eventually holds holder held
}

# signalled SIGNAL INPUT COMMAND...: start it with INPUT in its standard input,
# a pipe that stays open, send the signal after 0.3 s, and print how it ended
# ("signal 15", "exit 0") after its output.
signalled() {
    python - "$@" <<'EOS'
import signal, subprocess, sys, time
number = getattr(signal, sys.argv[1])
child = subprocess.Popen(sys.argv[3:], stdin=subprocess.PIPE)
child.stdin.write(sys.argv[2].encode())
child.stdin.flush()
time.sleep(0.3)
child.send_signal(number)
code = child.wait(10)
print("signal %d" % -code if code < 0 else "exit %d" % code)
EOS
}

# count_syncs COMMAND...: run it, and set syncs to how often it synced a file's
# data.  Skips the test where that cannot be seen.
count_syncs() {
    strace -o /dev/null true 2>/dev/null || skip 'strace does not work here'
    # The leak checker of a build with sanitizers cannot be traced.
    ASAN_OPTIONS=detect_leaks=0 \
        strace -f -qq -o trace -e trace=fdatasync "$@" || return
    # shellcheck disable=SC2034  # for the caller
    syncs=$(grep -c fdatasync trace) || :
}

# nobody COMMAND...: run it as a user who owns nothing.
nobody() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}

# Open the way to the test's directory and to strm for nobody().
let_nobody_in() {
    chmod 755 "$BATS_RUN_TMPDIR"
    rm -f "$BATS_TEST_TMPDIR/bin/strm"
    cp "$STRM" "$BATS_TEST_TMPDIR/bin/strm"
}
