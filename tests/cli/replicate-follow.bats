#!/usr/bin/env bats
# strm replicate-rsync --follow: a round for each change, and none else.
# shellcheck disable=SC2030,SC2031,SC2154  # each test has a $pid of its own, run sets stderr

load helper
load replicated

setup() {
    strm_setup
    unset STRM_DIR
}

teardown() {
    if [ -n "${pid:-}" ]; then kill -KILL "$pid" 2>/dev/null || true; fi
}

follow() {
    strm replicate-rsync --follow "$@" >out 2>err 3>&- &
    pid=$!
}

rounds() {
    grep -c '"type":"round"' out || true
}

# at N: that many rounds are done.
at() {
    [ "$(rounds)" -ge "$1" ]
}

# ends STATUS: by SIGTERM.
ends() {
    status=0
    kill -TERM $pid
    wait $pid || status=$?
    pid=
    [ "$status" -eq "$1" ]
}

# What changes the source makes a round, and one is enough for all that is new:
# so it is looked at once, a second later.
makes_a_round() {
    local before

    before=$(rounds)
    "$@"
    until_true at $((before + 1))
    sleep 0.7
    same a b
}

@test "appends, rolls, new topics, trims, retention and compaction each wake it" {
    fill a t 10
    follow -J a b
    until_true at 1
    makes_a_round fill a t 90
    makes_a_round strm -C a topic create new --partitions 2
    makes_a_round fill a new 50
    makes_a_round fill a t 9000
    makes_a_round strm -C a trim t@5000
    diff a/log-start-offset-checkpoint b/log-start-offset-checkpoint
    makes_a_round strm -C a retain -q t
    makes_a_round strm -C a topic alter new --set cleanup.policy=compact
    diff a/.strm/topics/new.json b/.strm/topics/new.json
    makes_a_round bash -c 'yes x | head -n 3000 | strm -C a produce new -k k'
    strm -C a roll -q new
    makes_a_round strm -C a compact -q --force new
    before=$(rounds)
    strm -C a topic rm -y new
    until_true at $((before + 1))
    [[ $(tail -n 1 out) == *'"topics_kept":1,"topics_removed":0,'* ]]
    run -0 strm -C b verify t
    [ ! -s err ]
    ends 143
}

@test "while nothing changes it sleeps" {
    fill a t 10
    follow -J a b
    until_true at 1
    sleep 1
    before=$(grep ctxt "/proc/$pid/status")
    count=$(rounds)
    sleep 2
    [ "$(grep ctxt "/proc/$pid/status")" = "$before" ]
    [ "$(rounds)" -eq "$count" ]
    # Reading, and what is not chosen, changes nothing that is replicated.
    strm -C a consume t >records
    strm -C a verify t >verified
    sleep 0.5
    [ "$(rounds)" -eq "$count" ]
    ends 143
}

@test "appends that come close together are one round" {
    fill a t 10
    follow -J a b
    until_true at 1
    sleep 0.5
    before=$(rounds)
    seq 40 | while read -r line; do
        echo "$line"
        sleep 0.001
    done | strm -C a produce t --sync never
    until_true at $((before + 1))
    sleep 1
    same a b
    # Forty appends in a tenth of a second, or some more on a busy machine.
    [ $(($(rounds) - before)) -le 4 ]
    grep -q '"lag":[1-9][0-9]*,"lag_bytes":[1-9][0-9]*,"lag_ms":' out
    ends 143
}

@test "under load rounds take half of the time at most" {
    fill a t 10
    follow -J a b
    until_true at 1
    timeout 3 bash -c 'while :; do echo x; sleep 0.001; done' |
        strm -C a produce t --sync never
    # With a pause of a tenth of a second at least.
    [ "$(rounds)" -le 32 ]
    until_true same a b
    ends 143
}

@test "a round has an object, with the lag that it found" {
    strm -C a topic create t
    seq 3 | strm -C a produce t --timestamp 2026-03-01T00:00:00Z
    follow -J a b
    until_true at 1
    seq 7 | strm -C a produce t --timestamp 2026-03-01T00:01:30.250Z
    until_true at 2
    run -0 tail -n 1 out
    bytes=$(($(stat -c %s a/t-0/*.log) - 85))
    [[ $output == '{"type":"round","partitions":1,"failed":0,"diverged":0,"bytes":'$bytes',"topics_kept":0,"topics_removed":0,"lag":7,"lag_bytes":'$bytes',"lag_ms":90250,"left":0,"left_bytes":0,"left_ms":0,"elapsed_ms":'* ]]
    ends 143
}

@test "a partition that fails is told once, tried again, and no other waits" {
    fill a bad 9000
    fill a good 10
    log=$(find a/bad-0 -name '*.log' | sort | head -n 1)
    dd if="$log" of=byte bs=1 skip=3000 count=1 status=none
    printf '\377' | dd of="$log" bs=1 seek=3000 conv=notrunc status=none
    follow -J a b
    until_true at 1
    fill a good 10
    until_true at 2
    fill a good 10
    until_true at 3
    [ "$(grep -c bad-0 err)" -eq 1 ]
    grep -q '"failed":1,' out
    [ "$(strm -C b consume good | wc -l)" -eq 30 ]
    dd if=byte of="$log" bs=1 seek=3000 conv=notrunc status=none
    until_true grep -q '"partitions":2,"failed":0,' out
    same a b
    ends 143
}

@test "while it lasts, another run to its destination waits, or does nothing" {
    fill a t 10
    follow -J a b
    until_true at 1
    refuses 5 "b: another run replicates to it (.strm/replica.run)" \
        strm replicate-rsync --lock-timeout 0 a b
    run -0 --separate-stderr strm replicate-rsync --if-unlocked a b
    [ "$stderr" = "strm: b: another run replicates to it: nothing is done" ]
    strm replicate-rsync -q --lock-timeout 60s a b >second 2>&1 3>&- &
    second=$!
    ends 143
    wait $second
    [ ! -s second ]
}

@test "--delete removes a topic as soon as it is gone" {
    fill a t 10
    fill a gone 10
    follow --delete a b
    until_true test -e b/gone-0
    strm -C a topic rm -y gone
    until_true test ! -e b/gone-0
    until_true grep -q '^gone: is gone from the source, was removed' out
    ends 143
}

@test "a topic that is kept is named once" {
    fill a t 10
    fill a gone 10
    replicate -q a b
    strm -C a topic rm -y gone
    follow a b
    until_true grep -q kept out
    for _ in 1 2 3; do
        fill a t 10
        sleep 0.4
    done
    until_true same_t
    [ "$(grep -c kept out)" -eq 1 ]
    ends 143
}

same_t() {
    diff -q a/t-0/00000000000000000000.log b/t-0/00000000000000000000.log
}

# None is at work for the replica $1.
no_rsync() {
    ! pgrep -f "^rsync .*$PWD/$1" >found
}

@test "a stop lets the round end; a second one does not, and leaves nothing" {
    strm -C a topic create t
    seq 300000 | strm -C a produce t
    follow --bwlimit=2000 a b
    sleep 0.7
    ends 143
    same a b
    follow --bwlimit=500 a c
    sleep 0.7
    kill -TERM $pid
    sleep 0.2
    ends 143
    until_true no_rsync c
    replicate -q a c
    same a c
}

@test "who is killed leaves no rsync behind" {
    strm -C a topic create t
    seq 300000 | strm -C a produce t
    strm replicate-rsync --bwlimit=500 a b 2>err 3>&- &
    pid=$!
    sleep 0.7
    run -1 no_rsync b
    kill -KILL $pid
    until_true no_rsync b
}

@test "it ends when the source is gone, and when the replica leads" {
    fill a t 10
    follow -J a b
    until_true at 1
    mv a away
    status=0
    wait $pid || status=$?
    [ "$status" -eq 4 ]
    mv away a
    follow -J a b
    until_true at 1
    strm promote -q b >promoted
    fill a t 10
    status=0
    wait $pid || status=$?
    [ "$status" -eq 5 ]
    pid=
}

@test "another machine tells what is new, and stops when nobody listens" {
    fake_ssh
    fill a t 10
    follow -J "there:$PWD/a" b
    until_true at 1
    sleep 0.5
    before=$(grep ctxt "/proc/$pid/status")
    sleep 1
    [ "$(grep ctxt "/proc/$pid/status")" = "$before" ]
    makes_a_round fill a t 90
    makes_a_round strm -C a topic create new
    makes_a_round fill a new 5
    serving=$(pgrep -P "$pid")
    [ -n "$serving" ]
    ends 143
    until_true test ! -e "/proc/$serving"
    # When it is the other end that goes, that is exit 9.
    follow -J "there:$PWD/a" b
    until_true at 1
    sleep 0.3
    pkill -KILL -P "$pid"
    status=0
    wait $pid || status=$?
    pid=
    [ "$status" -eq 9 ]
    # A source that is not there.
    run -4 strm replicate-rsync --follow "there:$PWD/nowhere" b
}

@test "on a terminal a line is renewed; elsewhere standard error gets nothing" {
    fill a t 10
    follow a b
    until_true grep -q moved out
    ends 143
    [ ! -s err ]
    fill a t 10
    timeout 20 script -qec 'timeout -s TERM 2 strm replicate-rsync --follow a b' \
        /dev/null </dev/null >shown || true
    grep -q $'\r[0-9:]* lag 0 records, 0 bytes, 0.000 s (was 10, [0-9]*, [0-9.]*)' shown
    timeout 20 script -qec 'timeout -s TERM 1 strm replicate-rsync -q --follow a b' \
        /dev/null </dev/null >shown || true
    [ ! -s shown ]
}

# What it began with was moved away: it ends, with exit 4, and makes nothing.
ends_at_another_store() {
    status=0
    wait $pid || status=$?
    pid=
    [ "$status" -eq 4 ]
    grep -q "is not the store any more with which this run began" err
}

@test "it ends when the replica is not there any more, or another has its name" {
    fill a t 10
    mkdir mnt
    follow -J a mnt/b
    until_true at 1
    mv mnt/b away
    fill a t 10
    ends_at_another_store
    [ ! -e mnt/b ]
    # As where a disk was mounted.
    mv away mnt/b
    follow -J a mnt/b
    until_true at 1
    mv mnt/b away
    mkdir mnt/b
    fill a t 10
    ends_at_another_store
    run -0 find mnt/b -mindepth 1
    [ -z "$output" ]
    rmdir mnt/b
    # Another replica.
    mv away mnt/b
    cp -a mnt/b other
    (cd other && sha256sum t-0/*.log) >before
    follow -J a mnt/b
    until_true at 1
    mv mnt/b away
    mv other mnt/b
    fill a t 10
    ends_at_another_store
    (cd mnt/b && sha256sum -c ../../before)
}

@test "it ends when another store has the name of the source" {
    mkdir mnt
    fill mnt/a t 10
    cp -a mnt other
    follow -J mnt/a b
    until_true at 1
    sha256sum b/t-0/*.log >before
    mv mnt away
    fill other/a t 20
    mv other mnt
    fill away/a t 10
    ends_at_another_store
    sha256sum -c before
}

@test "on another machine it ends too when the replica has gone" {
    fake_ssh
    fill a t 10
    follow -J a "there:$PWD/b"
    until_true at 1
    mv b away
    fill a t 10
    ends_at_another_store
    [ ! -e b ]
}
