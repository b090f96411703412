#!/usr/bin/env bats
# strm replicate-rsync between stores that went different ways: nothing that a
# run reported goes, and the end is the source's log, byte for byte.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records

setup() {
    strm_setup
    unset STRM_DIR
}

create() {
    strm -C a topic create t "$@"
}

# put STORE FIRST LAST: a record for each number.
put() {
    seq "$2" "$3" | strm -C "$1" produce t --batch-bytes 200
}

# keyed STORE TEXT...: records of the keyed topic t, each its own batch.
keyed() {
    local store=$1

    shift
    printf '%s\n' "$@" | strm -C "$store" produce t -K : --batch-bytes 1
}

replicate() {
    run -0 --separate-stderr strm replicate-rsync "$@"
    [ -z "$stderr" ]
}

# b leads, and a does not any more.
fail_over() {
    strm promote -q b
    strm fence -q a --reason test
}

# Both hold the same logs, in name and bytes, and both are sound.
same() {
    (cd a && sha256sum ./*-[0-9]*/*.log) >one
    (cd b && sha256sum ./*-[0-9]*/*.log) >two
    diff one two
    strm -C a verify -q t
    strm -C b verify -q t
    strm -C a consume t -f '%o %k %s\n' >one
    strm -C b consume t -f '%o %k %s\n' >two
    diff one two
    diff a/t-0/leader-epoch-checkpoint b/t-0/leader-epoch-checkpoint
}

@test "a roll after the last run does not stand in the way of failback" {
    create
    put a 1 10
    replicate a b
    strm -C a roll -q t
    fail_over
    replicate b a
    same
    put b 11 20
    replicate b a
    same
    # The empty segment had nothing to keep.
    [ -z "$(find a/t-0 -name '.strm-old-*')" ]
}

@test "nor when the new leader went on in the segment before" {
    create
    put a 1 10
    replicate a b
    strm -C a roll -q t
    fail_over
    put b 11 20
    strm -C b roll -q t
    put b 21 30
    replicate b a
    same
    replicate b a
    [ "$output" = "1 partition is as at the replica, 0 bytes moved" ]
}

@test "nor in a compacted topic" {
    create --set cleanup.policy=compact --set segment.bytes=300
    for i in 1 2 3; do keyed a "x:$i" "y:$i" "z:$i"; done
    replicate a b
    strm -C a roll -q t
    fail_over
    strm -C b compact -q t
    keyed b x:4
    strm -C b compact -q t
    replicate b a
    same
}

@test "a segment that the old leader rolled and wrote to is cut off" {
    create
    put a 1 10
    replicate a b
    strm -C a roll -q t
    put a 11 15
    fail_over
    put b 21 30
    run -1 --separate-stderr strm replicate-rsync b a
    [[ $stderr == *"from offset 10 to 15"* ]]
    replicate --truncate b a
    [[ $output == *"offsets 10 to 14 set aside"* ]]
    same
    # What it wrote is kept.
    [ -n "$(find a/t-0 -name '.strm-*' -size +0 -exec grep -l 15 {} +)" ]
}
