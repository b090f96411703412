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

# differs FROM TO: a run of a to b says so, and one that truncates needs no
# second guess; after it both are the same.
differs() {
    run -1 --separate-stderr strm replicate-rsync a b
    [[ $stderr == *"t-0: diverged: from offset $1 to $2 "* ]]
    run -1 --separate-stderr strm replicate-rsync -J a b
    [[ ${lines[0]} == *'"result":"diverged"'*'"offset":'"$1,"* ]]
    replicate --truncate a b
    [ "${lines[0]}" = "t-0: offsets $1 to $(($2 - 1)) set aside, which the source does not hold" ]
    [[ ${lines[1]} == "t-0: up to offset "*", from $1" ]]
    [ "${#lines[@]}" -eq 3 ]
    same
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

@test "an empty segment that the source deleted since is no sign of another log" {
    create --set segment.bytes=2000
    put a 1 10
    replicate a b
    strm -C a roll -q t
    fail_over
    strm -C b roll -q t
    replicate b a
    put b 11 1000
    strm -C b trim -q t@1000
    strm -C b retain -q t
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

# A compacted topic with gaps, in an archive of it.
compacted() {
    create --set cleanup.policy=compact --set segment.bytes=300
    keyed a x:1 y:1 z:1 x:2 y:2
    strm -C a roll -q t
    keyed a x:3
    strm -C a roll -q t
    strm -C a compact -q t
}

@test "other records at the same offsets of a compacted topic are not copied over" {
    compacted
    strm -C a archive -q t -o t.tar
    keyed a z:acked
    replicate a b
    strm -C a topic rm -y t
    strm -C a restore -q t.tar
    keyed a y:other
    run -1 --separate-stderr strm replicate-rsync a b
    [[ $stderr == *"diverged: from offset 6 to 7"* ]]
    strm -C b consume t -f '%o %k %s\n' | grep '^6 z acked$'
    replicate --truncate a b
    same
    grep -q acked b/t-0/.strm-cut-6
}

@test "nor those of a source that was put back from a copy" {
    compacted
    replicate a b
    cp -a a back
    keyed a z:acked w:1
    replicate a b
    rm -r a
    mv back a
    keyed a z:other w:1 w:2
    run -1 --separate-stderr strm replicate-rsync a b
    [[ $stderr == *"diverged: from offset 6 to 8"* ]]
    strm -C b consume t -f '%s\n' | grep '^acked$'
}

@test "nor those of one of two leaders" {
    compacted
    replicate a b
    replicate a c
    strm promote -q b
    strm promote -q c
    # The epoch is the same, and so are offsets and sizes.
    keyed b z:other
    keyed c z:acked
    strm fence -q c --reason test
    run -1 --separate-stderr strm replicate-rsync b c
    [[ $stderr == *"diverged: from offset 6 to 7"* ]]
    strm -C c consume t -f '%s\n' | grep '^acked$'
}

@test "a log that lacks what compaction did not take is another one" {
    compacted
    replicate a b
    cp -a a back
    keyed a v:acked
    replicate a b
    rm -r a
    mv back a
    # One batch where the replica has two.
    printf '%s\n' v:1 w:1 | strm -C a produce t -K :
    keyed a w:2
    run -1 --separate-stderr strm replicate-rsync a b
    [[ $stderr == *"diverged: from offset 6 to 7"* ]]
}

@test "compaction at the source is followed whatever it makes of a batch" {
    for codec in none zstd; do
        rm -rf a b
        create --set cleanup.policy=compact --set segment.bytes=2000 \
            --set delete.retention.ms=1
        for i in 1 2 3 4 5 6; do
            printf '%s\n' "x:$i" y: "z$i:$i" w:1 "v:$i" |
                strm -C a produce t -K : -Z -z $codec --batch-bytes 10000
        done
        strm -C a roll -q t
        replicate a b
        # Records go and horizons are set; then tombstones go.
        for round in 1 2 3; do
            strm -C a compact -q --all --force 2>/dev/null ||
                strm -C a compact -q t
            keyed a "r:$round"
            strm -C a roll -q t
            replicate a b
            same
        done
    done
}

@test "an old leader that was compacted further fails back" {
    create --set cleanup.policy=compact --set segment.bytes=300
    for i in 1 2 3 4; do keyed a "x:$i" "y:$i" "z$i:$i"; done
    replicate a b
    strm -C a roll -q t
    keyed a x:5
    strm -C a roll -q t
    strm -C a compact -q t
    fail_over
    keyed b y:9
    run -1 --separate-stderr strm replicate-rsync b a
    [[ $stderr == *"diverged: from offset 12 to 13"* ]]
    replicate --truncate b a
    [[ $output != *"offsets 0 "* ]]
    same
}

@test "where the source ends is not where the two part, if they do before" {
    create
    put a 1 10
    cp -a a other
    replicate other b
    put other 111 115
    replicate other b
    put a 211 213
    differs 10 15
    grep -q 115 b/t-0/.strm-cut-10
}

@test "nor where several segments differ" {
    create
    put a 1 10
    cp -a a other
    for i in 1 2 3; do
        put other "${i}01" "${i}05"
        strm -C other roll -q t
    done
    replicate other b
    put a 911 913
    strm -C a roll -q t
    put a 914 914
    differs 10 25
    [ "$(find b/t-0 -name '.strm-old-*.log*' | wc -l)" -gt 0 ]
}

@test "nor where both were promoted" {
    create
    put a 1 10
    replicate a b
    replicate a c
    rm -r a
    mv c a
    strm promote -q a
    strm promote -q b
    put a 11 13
    put b 21 25
    strm fence -q b --reason test
    differs 10 15
}

@test "nor where offsets are missing" {
    compacted
    cp -a a other
    keyed other v:1 w:1 v:2
    replicate other b
    keyed a z:1
    differs 6 9
}

@test "two logs that were rolled at other offsets part at the first of these" {
    local at=(--timestamp 2026-01-01T00:00:00Z)

    create
    put a 1 10
    cp -a a other
    strm -C other roll -q t
    for store in a other; do
        seq 11 12 | strm -C $store produce t "${at[@]}"
    done
    put other 113 115
    replicate other b
    put a 213 213
    differs 10 15
}

@test "an old leader that deleted after the last run gets back what the new one has" {
    create --set segment.bytes=2000
    put a 1 1000
    replicate a b
    strm -C a retain -q t --keep-bytes 2000
    [ ! -e a/t-0/00000000000000000000.log ]
    put a 1 3
    fail_over
    put b 1001 1005
    replicate --truncate b a
    [ "${lines[0]}" = "t-0: offsets 1000 to 1002 set aside, which the source does not hold" ]
    [[ ${lines[1]} == "t-0: up to offset 1005, from "* ]]
    [ "$(strm -C a consume t | wc -l)" -eq 1005 ]
    same
    replicate b a
    [ "$output" = "1 partition is as at the replica, 0 bytes moved" ]
}

@test "so does one that diverged below its first segment" {
    create --set segment.bytes=2000
    put a 1 100
    replicate a b
    put a 101 1000
    strm -C a retain -q t --keep-bytes 2000
    fail_over
    put b 1001 1005
    run -1 --separate-stderr strm replicate-rsync b a
    [[ $stderr == *"diverged: from offset 100 to 1000"* ]]
    replicate --truncate b a
    [ "$(strm -C a consume t | wc -l)" -eq 105 ]
    same
}

@test "so does one that trimmed" {
    create
    put a 1 10
    replicate a b
    put a 11 50
    strm -C a trim -q t@40
    fail_over
    put b 51 55
    replicate --truncate b a
    [ "$(strm -C a consume t | wc -l)" -eq 15 ]
    same
}

@test "so does one that deleted all, and rolled" {
    create --set segment.bytes=2000
    put a 1 1000
    replicate a b
    strm -C a trim -q t@1000
    strm -C a roll -q t
    strm -C a retain -q t
    [ "$(find a/t-0 -name '*.log' | wc -l)" -eq 1 ]
    fail_over
    put b 1001 1100
    replicate b a
    same
    put b 1101 1200
    replicate b a
    same
}

@test "so does one that is compacted" {
    create --set segment.bytes=300 --set cleanup.policy=compact,delete
    for i in 1 2 3 4 5 6; do keyed a "x:$i" "y:$i" "z:$i"; done
    replicate a b
    strm -C a trim -q t@10
    strm -C a retain -q t
    strm -C a roll -q t
    keyed a x:7
    strm -C a compact -q t
    fail_over
    keyed b y:8
    strm -C b roll -q t
    strm -C b compact -q t
    keyed b z:9
    replicate --truncate b a
    same
}

@test "so does one of which no record of an epoch that both know is left" {
    create --set cleanup.policy=compact,delete
    keyed a x:1 x:2
    replicate a b
    fail_over
    keyed b x:3 x:4
    replicate b a
    strm fence -q --lift a
    strm promote -q a
    strm fence -q b --reason test
    keyed a x:5 x:6
    replicate a b
    strm fence -q --lift b
    # All of it but the last is compacted away, and then cut off: it ends at 0,
    # in an epoch that began later.
    strm -C a roll -q t
    keyed a x:7
    strm -C a roll -q t
    strm -C a compact -q t
    strm -C a trim -q t@6
    fail_over
    keyed b x:8
    replicate --truncate b a
    same
}

@test "a new leader that deleted is followed by the old one" {
    create --set segment.bytes=2000
    put a 1 1000
    replicate a b
    put a 1001 1010
    fail_over
    put b 1001 2000
    strm -C b retain -q t --keep-bytes 2000
    replicate --truncate b a
    same
}

@test "what is cut again and again is not told as done" {
    create
    put a 1 10
    replicate a b
    put a 11 20
    fail_over
    put b 21 25
    # Each time rsync has done its work, the old leader has one record more.
    mkdir bin2
    real=$(command -v rsync)
    cat >bin2/rsync <<END
#!/bin/sh
[ "\$1" = -s ] || exec $real "\$@"
$real "\$@" >/dev/null
code=\$?
STRM_DIR= strm -C a fence -q --lift a
rm -f a/.strm/replica.json
echo x | strm -C a produce -q t
exit \$code
END
    chmod +x bin2/rsync
    PATH=$PWD/bin2:$PATH run -7 --separate-stderr \
        strm replicate-rsync --truncate b a
    [[ $stderr == *"run it again"* || $stderr == *"again and again"* ]]
}

# An rsync that does its work, says nothing, for it is over when it says so, and
# waits until there is a file "go".
slow_rsync() {
    mkdir -p slow
    cat >slow/rsync <<END
#!/bin/sh
[ "\$1" = -s ] || exec $(command -v rsync) "\$@"
$(command -v rsync) "\$@" >/dev/null
code=\$?
: >arrived
until [ -e go ]; do sleep 0.02; done
exit \$code
END
    chmod +x slow/rsync
}

@test "one run at a time replicates to a store" {
    create
    put a 1 12
    slow_rsync
    PATH=$PWD/slow:$PATH start strm replicate-rsync --truncate a b
    run=$!
    eventually test -e arrived
    put a 13 20
    refuses 5 "another run replicates to it" \
        strm replicate-rsync --lock-timeout 0 a b
    run -0 --separate-stderr strm replicate-rsync --if-unlocked a b
    [ -z "$output" ]
    [[ $stderr == *"another run replicates to it: nothing is done"* ]]
    # It waits, and then brings all.
    start strm replicate-rsync a b
    second=$!
    : >go
    ends 0 "$run"
    ends 0 "$second"
    same
    [ "$(strm -C b consume t | wc -l)" -eq 20 ]
    [ -z "$(ls b/.strm/incoming)" ]
}

@test "a run that was killed holds nobody up" {
    create
    put a 1 12
    slow_rsync
    PATH=$PWD/slow:$PATH start strm replicate-rsync a b
    run=$!
    eventually test -e arrived
    kill -9 "$run"
    ends 137 "$run"
    replicate --lock-timeout 0 a b
    : >go
    same
}

# serve STEP STORE [BODY [LINE...]]: a step, as ssh has it done.
serve() {
    printf 'strm-request 1\nstep %s\ntimeout 10000\nstore %s\nof a\n' "$1" "$2"
    [ $# -le 3 ] || printf '%s\n' "${@:4}"
    printf '\n'
    [ $# -le 2 ] || cat "${3}"
}

@test "what was chosen for an older state of the replica is sent again" {
    create
    put a 1 12
    replicate a b
    put a 13 14
    serve 0 b | strm replicate-rsync --serve >have
    serve 2 a have | strm replicate-rsync --serve >manifest
    put a 15 20
    replicate a b
    mkdir -p "b/.strm/incoming/$(sed -n 's/^id //p' manifest)"
    cat have manifest >both
    serve 4 b both "have $(wc -c <have)" truncate |
        strm replicate-rsync --serve >report
    grep '^resend t 0 ' report
    [ "$(strm -C b consume t | wc -l)" -eq 20 ]
    same
}

# An ssh that runs the command here.
fake_ssh() {
    mkdir -p fake
    cat >fake/ssh <<'END'
#!/bin/sh
while :; do
    case $1 in
    -o | -F) shift 2 ;;
    --) shift ;;
    -*) shift ;;
    *) break ;;
    esac
done
shift
exec sh -c "$*"
END
    chmod +x fake/ssh
}

@test "a lock at another machine goes with the run" {
    create
    put a 1 12
    fake_ssh
    slow_rsync
    PATH=$PWD/slow:$PWD/fake:$PATH start strm replicate-rsync a "host:$PWD/b"
    run=$!
    eventually test -e arrived
    refuses 5 "another run replicates to it" \
        strm replicate-rsync --lock-timeout 0 a b
    PATH=$PWD/fake:$PATH refuses 5 "another run replicates to it" \
        strm replicate-rsync --lock-timeout 0 a "host:$PWD/b"
    PATH=$PWD/fake:$PATH run -0 --separate-stderr \
        strm replicate-rsync --if-unlocked a "host:$PWD/b"
    [[ $stderr == *"another run replicates to it: nothing is done"* ]]
    kill -9 "$run"
    ends 137 "$run"
    : >go
    eventually strm replicate-rsync --lock-timeout 0 a b
    same
    PATH=$PWD/fake:$PATH replicate "host:$PWD/a" c
    PATH=$PWD/fake:$PATH replicate a "host:$PWD/b"
    [ "$(ls a/.strm/replicate)" = $'cache\nid' ]
}

# An rsync that does its work, as silently, and kills its parent.
deadly_rsync() {
    mkdir -p deadly
    cat >deadly/rsync <<END
#!/bin/sh
[ "\$1" = -s ] || exec $(command -v rsync) "\$@"
$(command -v rsync) "\$@" >/dev/null
kill -9 \$PPID
END
    chmod +x deadly/rsync
}

links() {
    find "$1" -type f -links +1 | wc -l
}

@test "a run that died does not keep an old leader from failing back" {
    create --set segment.bytes=2000
    put a 1 1000
    replicate a b
    put a 1001 2000
    deadly_rsync
    PATH=$PWD/deadly:$PATH run strm replicate-rsync a c
    [ "$(links a)" -gt 4 ]
    fail_over
    put b 1001 1100
    replicate --truncate b a
    same
    [ "$(links a)" -eq 0 ]
    strm fence -q --lift a
    strm promote -q a
    put a 1 10
}

@test "nor does one that is at work, and it moves what it said" {
    create --set segment.bytes=2000
    put a 1 1000
    replicate a b
    put a 1001 2000
    mkdir wait
    cat >wait/rsync <<END
#!/bin/sh
[ "\$1" = --version ] || { : >arrived; until [ -e go ]; do sleep 0.02; done; }
exec $(command -v rsync) "\$@"
END
    chmod +x wait/rsync
    PATH=$PWD/wait:$PATH start strm replicate-rsync a c
    run=$!
    eventually test -e arrived
    (cd a/.strm/replicate/*/t-0 && sha256sum ./*.log) >held
    fail_over
    put b 1001 1100
    replicate --truncate b a
    same
    # What is held was not cut with the log.
    (cd a/.strm/replicate/*/t-0 && sha256sum ./*.log) >two
    diff held two
    : >go
    code=0
    wait "$run" || code=$?
    [ "$code" -ne 0 ] || strm -C c verify -q t
    [ "$(links a)" -eq 0 ]
}

@test "what a run that died held goes with the next run, and with a promotion" {
    create --set segment.bytes=2000
    put a 1 1000
    deadly_rsync
    for to in b c; do
        PATH=$PWD/deadly:$PATH run strm replicate-rsync a $to
    done
    [ "$(links a)" -gt 0 ]
    replicate a d
    [ "$(links a)" -eq 0 ]
    [ "$(ls a/.strm/replicate)" = $'cache\nid' ]
    PATH=$PWD/deadly:$PATH run strm replicate-rsync d e
    [ "$(links d)" -gt 0 ]
    strm promote -q d
    [ "$(links d)" -eq 0 ]
}

# in_second_segment STORE SEEK: a byte of it is another one.
in_second_segment() {
    local log

    log=$(find "$1/t-0" -name '0*.log' | sort | sed -n 2p)
    printf '\377' | dd of="$log" bs=1 seek="$2" conv=notrunc status=none
}

@test "for a replica with a damaged closed segment nothing is sent in vain" {
    strm -C a topic create t --set segment.bytes=20000
    strm -C a topic create u
    seq 9000 | strm -C a produce t --batch-bytes 2000
    seq 10 | strm -C a produce u
    replicate a b
    in_second_segment b 3000
    find b/t-0 -name '0*.log' | sort | xargs sha256sum >logs
    seq 10 | strm -C a produce u
    # Files that came when nobody knew of the damage.
    mkdir -p b/.strm/incoming/0123456789abcdef/t-0
    cp a/t-0/*.log b/.strm/incoming/0123456789abcdef/t-0/
    for moved in "$(($(stat -c %s a/u-0/*.log) - $(stat -c %s b/u-0/*.log)))" 0; do
        run -7 --separate-stderr strm replicate-rsync a b
        [[ ${lines[-1]} == "1 partition is as at the replica, $moved bytes moved" ]]
        # shellcheck disable=SC2154  # run sets stderr
        [[ $stderr == "strm: t-0: replica: "*".log: damaged"*"; nothing is sent for it: move the directory t-0 out of the replica, and the next run brings all of it" ]]
        run -0 find b/.strm/incoming -type f
        [ -z "$output" ]
    done
    sha256sum -c logs
    # It is what it says: that helps, and what stands elsewhere stays.
    mv b/t-0 damaged
    replicate a b
    same
    replicate --verify a b
    run -0 strm replicate-rsync a b
    [ "$output" = "2 partitions are as at the replica, 0 bytes moved" ]
}

@test "a replica that is damaged alone is exit 3, and --follow heals it when it may" {
    strm -C a topic create t --set segment.bytes=20000
    seq 9000 | strm -C a produce t --batch-bytes 2000
    replicate a b
    in_second_segment b 3000
    run -3 --separate-stderr strm replicate-rsync a b
    [ "$output" = "0 partitions are as at the replica, 0 bytes moved" ]
    strm replicate-rsync --follow -J a b >out 2>err 3>&- &
    run=$!
    eventually grep -q '"failed":1,' out
    mv b/t-0 damaged
    seq 10 | strm -C a produce t
    eventually grep -q '"partitions":1,"failed":0,' out
    kill "$run"
    ends 143 "$run"
    same
}
