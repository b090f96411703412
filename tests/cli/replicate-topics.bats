#!/usr/bin/env bats
# strm replicate-rsync: topics that were deleted at the source, or made anew.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load replicated

setup() {
    strm_setup
    unset STRM_DIR
}

topics() {
    strm -C "$1" topic ls | sort | tr '\n' ' '
}

# A replica b of a, in which the topic "gone" was deleted since.
gone() {
    fill a stays 10
    fill a gone 3000
    replicate a b
    strm -C a topic rm -y gone
}

@test "a topic that is gone is kept, and a line names it and the option" {
    gone
    replicate a b
    [ "${lines[0]}" = "gone: is gone from the source, was kept (--delete removes it)" ]
    [ "${lines[1]}" = "1 partition is as at the replica, 0 bytes moved" ]
    [ "$(strm -C b consume gone | wc -l)" -eq 3000 ]
    replicate -q a b
    [ -z "$output" ]
    replicate -J a b
    [ "${lines[0]}" = '{"type":"topic","topic":"gone","partition":null,"result":"kept","dry_run":false}' ]
    [[ ${lines[2]} == *'"topics_kept":1,"topics_removed":0}' ]]
}

@test "--status names it" {
    gone
    replicate --status a b
    [ "${lines[-1]}" = "gone: is gone from the source, still at the replica (--delete removes it)" ]
    [ ${#lines[@]} -eq 3 ]
    replicate --status -J a b
    [ "${lines[-1]}" = '{"type":"topic","topic":"gone","partition":null,"result":"gone","dry_run":true}' ]
    # Of those that are chosen.
    replicate --status --exclude gone a b
    [ ${#lines[@]} -eq 2 ]
    replicate -q --delete a b
    replicate --status a b
    [ ${#lines[@]} -eq 2 ]
}

@test "--delete removes it, and -N only says so" {
    gone
    replicate -N --delete a b
    [[ $output == *"gone: is gone from the source, would be removed (--delete)" ]]
    [ "$(topics b)" = "gone stays " ]
    replicate -N a b
    [[ $output == *"gone: is gone from the source, would be kept (--delete removes it)" ]]
    replicate -J --delete a b
    [ "${lines[0]}" = '{"type":"topic","topic":"gone","partition":null,"result":"deleted","dry_run":false}' ]
    [[ ${lines[2]} == *'"topics_kept":0,"topics_removed":1}' ]]
    [ "$(topics b)" = "stays " ]
    [ ! -e b/gone-0 ]
    replicate --delete a b
    [ "$output" = "1 partition is as at the replica, 0 bytes moved" ]
}

@test "only what is chosen, and as a whole, is removed" {
    strm -C a topic create other
    strm -C a topic create many --partitions 3
    fill a stays 10
    replicate a b
    strm -C a topic rm -y other
    strm -C a topic rm -y many
    replicate --delete --include stays a b
    [ "$(topics b)" = "many other stays " ]
    replicate --delete --exclude other --exclude many a b
    [ "$(topics b)" = "many other stays " ]
    replicate --delete --include many:0-1 --exclude other a b
    [[ ${lines[0]} == "many: is gone from the source, was kept (--delete removes topics that are chosen as a whole)" ]]
    replicate --delete --exclude many:2 --exclude other a b
    [ "$(topics b)" = "many other stays " ]
    replicate --delete --include many a b
    [ "$(topics b)" = "other stays " ]
}

@test "one that was made anew is refused, and neither sent nor given its settings" {
    fill a t 10
    replicate a b
    cp b/.strm/topics/t.json before
    strm -C a topic rm -y t
    strm -C a topic create t --set cleanup.policy=compact --partitions 2
    seq 5000 | strm -C a produce t -k k
    for _ in 1 2; do
        run -7 --separate-stderr strm replicate-rsync a b
        [[ $stderr == *"t-0: "*"another topic"*"--delete"* ]]
        [[ $output == *" 0 bytes moved" ]]
        diff before b/.strm/topics/t.json
    done
    [ "$(strm -C b consume t | wc -l)" -eq 10 ]
    run -7 --separate-stderr strm replicate-rsync -N a b
    [[ $stderr == *"t-0: "*"another topic"* ]]
}

@test "--delete takes it anew, whatever the old one held" {
    strm -C a topic create t
    seq 1000 | strm -C a produce t --timestamp 2026-03-01
    strm -C a topic create u
    replicate a b
    strm -C a topic rm -y t
    strm -C a topic rm -y u
    # The same bytes, in another topic; and in one more than the other had.
    strm -C a topic create t
    seq 1000 | strm -C a produce t --timestamp 2026-03-01
    strm -C a topic create u --partitions 2
    seq 20 | strm -C a produce u
    replicate -N --delete a b
    [[ $output == *"t: is another topic at the source, the old one would be removed (--delete)"* ]]
    [[ $output == *"t-0 "*" 1000 "* ]]
    replicate --delete a b
    [ "${lines[0]}" = "t: is another topic at the source, the old one was removed (--delete)" ]
    same a b
    for topic in t u; do
        run -0 strm -C b verify $topic
        diff a/.strm/topics/$topic.json b/.strm/topics/$topic.json
        diff a/$topic-0/partition.metadata b/$topic-0/partition.metadata
    done
    replicate --delete a b
    [ "$output" = "3 partitions are as at the replica, 0 bytes moved" ]
}

@test "a topic made anew that cannot be read does not take the old one's place" {
    fill a t 10
    replicate a b
    strm -C a topic rm -y t
    fill a t 9000
    log=$(find a/t-0 -name '*.log' | sort | head -n 1)
    printf '\377' | dd of="$log" bs=1 seek=3000 conv=notrunc status=none
    run -3 --separate-stderr strm replicate-rsync --delete a b
    [ "$(strm -C b consume t | wc -l)" -eq 10 ]
}

@test "a source without topics, or without a store, deletes nothing" {
    fill a t 10
    replicate a b
    mkdir -p empty/.strm bare
    for option in --delete -q --status; do
        refuses 4 "holds no topics" strm replicate-rsync $option empty b
        refuses 4 "is no store" strm replicate-rsync $option bare b
        refuses 4 "nowhere" strm replicate-rsync $option nowhere b
    done
    strm -C a topic rm -y t
    refuses 4 "mounted" strm replicate-rsync --delete a b
    [ "$(strm -C b consume t | wc -l)" -eq 10 ]
    # Where there is nothing to lose, there is nothing to refuse.
    replicate empty c
}

@test "a partition that is gone from a broker's topic is kept, and named" {
    strm -C a topic create t --partitions 3
    seq 30 | strm -C a produce t
    mkdir broker
    mv a/t-0 a/t-1 a/t-2 broker/
    rm broker/*/.strm-state
    replicate broker b
    end=$(strm -C b consume t:1 | wc -l)
    rm -r broker/t-1
    for option in -v --delete --truncate; do
        replicate $option broker b
        [ "${lines[0]}" = "t-1: is gone from the source, was kept (--delete removes only whole topics)" ]
    done
    [[ ${lines[1]} == "2 partitions are as at the replica, 0 bytes moved" ]]
    replicate -q broker b
    [ -z "$output" ]
    replicate -N broker b
    [ "${lines[-1]}" = "t-1: is gone from the source, would be kept (--delete removes only whole topics)" ]
    replicate --status broker b
    [ "${lines[-1]}" = "t-1: is gone from the source, still at the replica (--delete removes only whole topics)" ]
    [ ${#lines[@]} -eq 4 ]
    replicate --status -J broker b
    [ "${lines[-1]}" = '{"type":"topic","topic":"t","partition":1,"result":"gone","dry_run":true}' ]
    replicate -N -J broker b
    [ "${lines[-1]}" = '{"type":"topic","topic":"t","partition":1,"result":"kept","dry_run":true}' ]
    replicate -J broker b
    [ "${lines[0]}" = '{"type":"topic","topic":"t","partition":1,"result":"kept","dry_run":false}' ]
    [[ ${lines[-1]} == *'"topics_kept":0,"topics_removed":0}' ]]
    [ "$(strm -C b consume t:1 | wc -l)" -eq "$end" ]
    # Not one that is not chosen, nor each one of a topic that is gone.
    replicate --include t:0 broker b
    [[ $output != *gone* ]]
    mv broker/t-0 x-0
    mv broker/t-2 x-2
    mkdir broker/other-0
    cp x-0/* broker/other-0
    rm broker/other-0/partition.metadata
    replicate -N broker b
    [[ $output == *$'\nt: is gone from the source, would be kept'* ]]
    [[ $output != *"t-1: is gone"* ]]
}

@test "topics of a broker are removed and taken anew, too" {
    fill a t 3000
    fill a u 10
    mkdir broker
    mv a/t-0 a/u-0 broker/
    rm broker/*/.strm-state
    replicate broker b
    rm -r broker/u-0
    fill a2 t 700
    rm -r broker/t-0
    mv a2/t-0 broker/
    rm broker/*/.strm-state
    run -7 --separate-stderr strm replicate-rsync broker b
    [[ $stderr == *"t-0: "*"another topic"* ]]
    replicate --delete broker b
    [ ! -e b/u-0 ]
    same broker b
}

@test "killed at any moment, --delete removes all of a topic or none, and ends" {
    strm -C a topic create stays
    seq 10 | strm -C a produce stays
    for _ in 1 2 3; do
        strm -C a topic create gone --partitions 8
        seq 1000 | strm -C a produce gone
        replicate a b
        strm -C a topic rm -y gone
        for ms in 005 015 025 035 045 060 080; do
            timeout -s KILL "0.$ms" strm replicate-rsync -q --delete a b ||
                true
            if strm -C b topic ls | grep -q gone; then
                [ "$(strm -C b consume gone | wc -l)" -eq 1000 ]
            fi
            [ "$(strm -C b consume stays | wc -l)" -eq 10 ]
        done
        replicate --delete a b
        [ "$(topics b)" = "stays " ]
        [ -z "$(find b -maxdepth 1 -name 'gone*')" ]
    done
}

# A topic of two partitions at a, and a replica b of it.
two() {
    strm -C a topic create t --partitions 2
    seq 10 | strm -C a produce t:0
    seq 20 | strm -C a produce t:1
    replicate -q a b
}

@test "a partition that is missing from the source is told, and stays at the replica" {
    two
    strm -C b consume t:1 >before
    mv a/t-1 away
    seq 5 | strm -C a produce t:0
    missing="its directory is missing: leave it out with --exclude, or put it back into a"
    refuses 7 "t-1: source: $missing" strm replicate-rsync -q a b
    [ "$(strm -C b consume t:0 | wc -l)" -eq 15 ]
    strm -C b consume t:1 | diff before -
    for option in -N --status "-N -J" "--status -J"; do
        # shellcheck disable=SC2086  # two words
        run -7 --separate-stderr strm replicate-rsync $option a b
        [ "$stderr" = "strm: t-1: $missing" ]
        [[ $output == *t*0*source* ]]
    done
    run -7 --separate-stderr strm replicate-rsync -J a b
    [[ $output == *'"partition":0,"result":"done"'* ]]
    [[ $output == *'"partition":1,"result":"failed"'*"\"why\":\"source: $missing\""* ]]
    [[ $output == *'"partitions":1,"failed":1,'* ]]
    # What is not chosen is not looked for.
    replicate -q --include t:0 a b
    replicate -q --exclude t:1 a b
    # Back again.
    mv away a/t-1
    seq 5 | strm -C a produce t:1
    replicate -q a b
    same a b
}

@test "all of a topic that is missing is told, and no reason to delete it" {
    two
    rm -r a/t-0 a/t-1
    for option in "" --delete; do
        refuses 7 "t-0: source: its directory is missing" \
            strm replicate-rsync -q $option a b
        [[ $stderr == *"t-1: source: its directory is missing"* ]]
    done
    [ "$(strm -C b consume t | wc -l)" -eq 30 ]
}

@test "a new replica gets no empty partition in the place of a missing one" {
    two
    rm -r a/t-1
    refuses 7 "t-1: source: its directory is missing" \
        strm replicate-rsync -q a c
    [[ $stderr == *"t-0: the topic appears when all of it has come"* ]]
    [ ! -e c/t-0 ]
    [ ! -e c/t-1 ]
    # Of a topic that is there, too: the replica lacks it as well.
    mv b/t-1 away
    refuses 7 "t-1: source: its directory is missing" \
        strm replicate-rsync -q a b
    [ ! -e b/t-1 ]
    # It is asked for.
    replicate -q --exclude t:1 a c
    [ "$(strm -C c consume t:0 | wc -l)" -eq 10 ]
    [ -z "$(strm -C c consume t:1)" ]
}

@test "what is no directory is no partition, at either side" {
    two
    seq 5 | strm -C a produce t:1
    mv b/t-1 away
    ln -s ../away b/t-1
    refuses 7 "t-1: replica: is a symbolic link, which is not followed" \
        strm replicate-rsync -q a b
    mv a/t-1 a-1
    ln -s ../a-1 a/t-1
    refuses 7 "t-1: source: is a symbolic link, which is not followed" \
        strm replicate-rsync -q a b
    rm a/t-1
    echo >a/t-1
    refuses 7 "t-1: source: is no directory" strm replicate-rsync -q a c
    [ ! -e c/t-0 ]
    rm a/t-1 b/t-1
    mv a-1 a/t-1
    replicate -q a b
    same a b
}

@test "killed at any moment, a topic made anew comes whole in the end" {
    for _ in 1 2 3 4; do
        strm -C a topic create t --if-missing --partitions 4
        seq 20000 | strm -C a produce t
        replicate -q --delete a b
        # Logs of the same shape, in what may be the same inodes.
        strm -C a topic rm -y t
        strm -C a topic create t --partitions 4
        seq 30000 | strm -C a produce t
        for ms in 060 090 110 130 150; do
            timeout -s KILL "0.$ms" strm replicate-rsync -q --delete a b ||
                true
        done
        replicate -q --delete a b
        same a b
        run -0 strm -C b verify t
        strm -C a topic rm -y t
    done
}

@test "another log in the same file, of the same shape, is not taken for it" {
    fill a t 1000
    replicate a b
    sleep 0.01
    mkdir other
    fill other t 1000
    log=t-0/00000000000000000000.log
    [ "$(stat -c %s a/$log)" -eq "$(stat -c %s other/$log)" ]
    cat other/$log >a/$log
    run -1 --separate-stderr strm replicate-rsync a b
    [[ $stderr == *"t-0: diverged: from offset 0 "* ]]
}

@test "--delete works on another machine" {
    fake_ssh
    gone
    replicate --delete a "there:$PWD/b"
    [ "${lines[0]}" = "gone: is gone from the source, was removed (--delete)" ]
    [ "$(topics b)" = "stays " ]
}
