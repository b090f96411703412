# What tests of retention, trimming and rolling share: `load upkeep` after
# `load records`.
# shellcheck shell=bash

# Ten records of each time, a segment of each; the active one is empty then.
# fill TOPIC TIME...
fill() {
    local topic=$1 time

    shift
    for time; do
        seq 10 | strm produce -q --create "$topic" --timestamp "$time"
        strm roll -q "$topic"
    done
}

# at TIME COMMAND...: run it with the clock at that time, UTC, which goes on
# from there.  Files keep their times.
at() {
    local time=$1

    shift
    command -v faketime >/dev/null || skip 'no faketime'
    TZ=UTC NO_FAKE_STAT=1 ASAN_OPTIONS=verify_asan_link_order=0 \
        faketime "$time" "$@"
}

# segments TOPIC: the base offsets of partition 0, in one line.
segments() {
    local name

    for name in "$STRM_DIR/$1-0"/*.log; do
        name=${name##*/}
        echo "$((10#${name%.log}))"
    done | paste -s -d ' '
}

# sums: one line for all files of the store but the state of partitions.
sums() {
    find "$STRM_DIR" -type f ! -name .strm-state -exec sha256sum {} + | sort
}

# hold_structure TOPIC PARTITION: as another run of retention or compaction
# does, until the test ends.
hold_structure() {
    state_lock 2 "$@"
}

# on_disk KIB COMMAND...: run it with the store on a disk of that size.  What
# the test prepared is moved there and back.
on_disk() {
    local kib=$1

    shift
    unshare -m true 2>/dev/null || skip 'no mount namespaces here'
    # shellcheck disable=SC2016  # for the inner shell
    unshare -m bash -c '
        set -e
        kib=$1 was=$STRM_DIR.was
        shift
        mv "$STRM_DIR" "$was"
        mkdir "$STRM_DIR"
        mount -t tmpfs -o "size=${kib}k" strm-test "$STRM_DIR"
        cp -a "$was/." "$STRM_DIR"
        code=0
        "$@" || code=$?
        rm -f "$STRM_DIR/ballast"
        rm -rf "$was"
        cp -a "$STRM_DIR" "$was"
        umount "$STRM_DIR"
        rmdir "$STRM_DIR"
        mv "$was" "$STRM_DIR"
        exit "$code"' bash "$kib" "$@"
}
