#!/usr/bin/env bats
# strm replicate-rsync and strm fence with another machine, over ssh and a real
# sshd: box1 is this machine.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records
load replicated
load sshd

setup() {
    sshd_skip
    strm_setup
    unset STRM_DIR
    sshd_setup
    # So that no command needs --ssh-config.
    printf '#!/bin/sh\nexec %q -F %q "$@"\n' "$(command -v ssh)" \
        "$SSH_CONFIG" >bin/ssh
    chmod +x bin/ssh
}

teardown() {
    local id

    exec 2>/dev/null
    for id in "${started[@]}"; do
        kill -KILL "$id" && wait "$id"
    done
    sshd_teardown
    # What writes there may take a moment to end.
    if [ -d full ]; then umount -l full; fi
}

replicate() {
    run -0 --separate-stderr strm replicate-rsync "$@"
    [ -z "$stderr" ]
}

# As eventually, where connections are made meanwhile, on a busy machine.
patiently() {
    local try

    for ((try = 0; try < 6; try++)); do
        if eventually "$@" >/dev/null; then return; fi
    done
    echo "never: $*"
    return 1
}

# What stands in the place of strm at box1: the lines of a shell script.
strm_there() {
    rm there-bin/strm
    printf '#!/bin/sh\n%s\n' "$1" >there-bin/strm
    chmod +x there-bin/strm
}

# remote TEXT COMMAND...: exit 9, with a message that begins with the name of the
# host and has TEXT in it; ssh, rsync and shells may have theirs before it.
remote() {
    local text=$1

    shift
    run --separate-stderr "$@"
    if [ "$status" -ne 9 ] || [ -n "$output" ] ||
        [[ ${stderr_lines[-1]} != "strm: box1: "*"$text"* ]]; then
        printf 'status %s, output "%s", stderr "%s"\n' \
            "$status" "$output" "$stderr"
        return 1
    fi
}

@test "a store is pushed to another machine, and followed there" {
    fill a t 5000
    replicate a "box1:$PWD/b"
    [[ ${lines[0]} == "t-0: up to offset 5000, from 0" ]]
    same a b
    fill a t 500
    run -0 strm replicate-rsync --status -J a "box1:$PWD/b"
    [[ $output == *'"lag":500,'* ]]
    run -0 strm replicate-rsync -N a "box1:$PWD/b"
    [ "$(strm -C b consume t | wc -l)" -eq 5000 ]
    strm -C a trim t@3000
    strm -C a retain -q t
    replicate a "box1:$PWD/b"
    same a b
    [ -z "$(ls b/.strm/incoming)" ]
    run -0 strm -C b verify -q t
}

@test "a store is pulled from another machine, and followed here" {
    fill a t 5000
    replicate "box1:$PWD/a" b
    same a b
    fill a t 500
    run -0 strm replicate-rsync --status -J "box1:$PWD/a" b
    [[ $output == *'"lag":500,'* ]]
    replicate "box1:$PWD/a" b
    same a b
    [ "$(ls a/.strm/replicate)" = $'cache\nid' ]
    run -0 strm -C b verify -q t
}

@test "--verify finds a byte that changed at the other machine" {
    local log

    fill a t 3000
    replicate a "box1:$PWD/b"
    log=$(find b/t-0 -name '*.log' | sort | head -n 1)
    touch -r "$log" stamp
    printf '\377' | dd of="$log" bs=1 seek=3000 conv=notrunc status=none
    touch -r stamp "$log"
    replicate a "box1:$PWD/b"
    run -3 --separate-stderr strm replicate-rsync -q --verify a "box1:$PWD/b"
    [[ $stderr == "strm: t-0: "* ]]
}

@test "a replica over ssh says of which machine's store it is one" {
    fill a t 1
    replicate a "box1:$PWD/b"
    refuses 5 "b: is a replica of $(uname -n):$PWD/a; " \
        strm -C b produce t </dev/null
    replicate "box1:$PWD/a" c
    refuses 5 "c: is a replica of box1:$PWD/a; " \
        strm -C c produce t </dev/null
}

# follow FROM TO: begin to follow, and see that what is written goes on.
follow() {
    start strm replicate-rsync --follow "$1" "$2"
    follower=${started[-1]}
    patiently has 10
    fill a t 90
    patiently has 100
}

has() {
    [ "$(strm -C b consume t 2>/dev/null | wc -l)" -eq "$1" ]
}

@test "--follow pushes and pulls until a signal" {
    local pair

    fill a t 10
    for pair in "a box1:$PWD/b" "box1:$PWD/a b"; do
        # shellcheck disable=SC2086  # words
        follow $pair
        kill -TERM "$follower"
        ends 143 "$follower"
        run -0 strm -C b verify -q t
        rm -r a b
        fill a t 10
    done
}

@test "--follow over a connection that breaks is exit 9, and the next one goes on" {
    local pair

    fill a t 10
    for pair in "a box1:$PWD/b" "box1:$PWD/a b"; do
        # shellcheck disable=SC2086  # words
        follow $pair 2>said
        sshd_stop
        # A push has nothing to say while the source has nothing new.
        fill a t 5
        ends 9 "$follower"
        grep -q '^strm: box1: ' said
        run -0 strm -C b verify -q t
        sshd_start
        # shellcheck disable=SC2086
        replicate $pair
        same a b
        rm -r a b
        fill a t 10
    done
}

# arrived N: more than N bytes are on the way to b.
arrived() {
    local size=0

    size=$(find b/.strm/incoming -name '*.log*' -printf '%s\n' | sort -n |
        tail -n 1)
    [ "${size:-0}" -gt "$1" ]
}

# A run from $1 to $2 that is cut when more than $3 bytes of the file came.
cut_at() {
    start strm replicate-rsync -q --bwlimit 1000 "$1" "$2" 2>said
    patiently arrived "$3"
    sshd_cut
    ends 9 "${started[-1]}"
    tail -n 1 said | grep -q '^strm: box1: .*the next run goes on with what came'
    run -0 strm -C b verify -q t
    [ "$(strm -C b consume t | wc -l)" -eq 1000 ]
}

@test "a connection that is cut within a file is exit 9, and the next run goes on within it" {
    local pair kept

    for pair in "a box1:$PWD/b" "box1:$PWD/a b"; do
        fill a t 1000
        strm -C a topic alter t --set segment.bytes=1000000000
        # shellcheck disable=SC2086  # words
        replicate $pair
        seq 900000 | strm -C a produce t --batch-bytes 20000
        # shellcheck disable=SC2086
        cut_at $pair 300000
        kept=$(find b/.strm/incoming -type f -printf '%s\n' | sort -n | tail -n 1)
        [ "$kept" -ge 300000 ]
        # What had come is not sent again: the file gets longer.
        # shellcheck disable=SC2086
        cut_at $pair $((kept + 200000))
        # shellcheck disable=SC2086
        replicate $pair
        same a b
        [ -z "$(ls b/.strm/incoming)" ]
        run -0 strm -C b verify -q t
        rm -r a b
    done
}

@test "a machine that cannot be reached is exit 9, and told by name" {
    fill a t 1
    sed 's/Port .*/Port 1/' "$SSH_CONFIG" >closed
    remote "cannot be reached" \
        strm replicate-rsync --ssh-config closed a "box1:$PWD/b"
    remote "cannot be reached" \
        strm replicate-rsync --ssh-config closed "box1:$PWD/a" b
    remote "cannot be reached" strm fence --reason x --ssh-config closed \
        "box1:$PWD/a"
    # Whose key is another one.
    sed 's/known$/none/' "$SSH_CONFIG" >unknown
    remote '"ssh -o BatchMode=yes box1 true" must work' \
        strm replicate-rsync --ssh-config unknown a "box1:$PWD/b"
    run -9 --separate-stderr strm replicate-rsync a nowhere.invalid:/b
    [[ ${stderr_lines[-1]} == "strm: nowhere.invalid: cannot be reached"* ]]
}

@test "a machine without strm is exit 9" {
    fill a t 1
    rm there-bin/strm
    remote "cannot run strm there: is it in the PATH" \
        strm replicate-rsync a "box1:$PWD/b"
    remote "cannot run strm there: is it in the PATH" \
        strm replicate-rsync "box1:$PWD/a" b
    remote "cannot run strm there" strm fence --reason x "box1:$PWD/a"
}

@test "a machine without rsync is exit 9, and the next run goes on" {
    local pair

    # A login there that finds strm and a shell, and nothing else.
    ln -s /bin/sh there-bin/sh
    printf '#!/bin/sh\nPATH=%q exec sh "$@"\n' "$PWD/there-bin" >there-shell
    for pair in "a box1:$PWD/b" "box1:$PWD/a b"; do
        fill a t 10
        chmod +x there-shell
        # shellcheck disable=SC2086  # words
        remote "in the PATH" \
            strm replicate-rsync $pair
        chmod -x there-shell
        # shellcheck disable=SC2086
        replicate $pair
        same a b
        rm -r a b
    done
}

@test "another version of strm, or what is none, is exit 9" {
    fill a t 1
    strm_there 'echo "strm: replicate-rsync: no such command" >&2; exit 2'
    remote "exit 2): is it of the same version" \
        strm replicate-rsync a "box1:$PWD/b"
    remote "exit 2): is it of the same version" \
        strm fence --reason x "box1:$PWD/a"
    strm_there 'cat >/dev/null; echo strm-manifest 2'
    remote '"strm-manifest 2" is no answer of this version' \
        strm replicate-rsync a "box1:$PWD/b"
    remote '"strm-manifest 2" is no answer of this version' \
        strm replicate-rsync "box1:$PWD/a" b
    # One that does not know the step, or the form of the request.
    strm_there "sed 's/^step [0-9]*/step 77/' | $(printf %q "$STRM") \"\$@\""
    remote 'the request is of another version' strm fence --lift "box1:$PWD/a"
    strm_there "sed 's/^strm-request 1/strm-request 0/' | $(printf %q "$STRM") \"\$@\""
    remote 'no request of this version' strm replicate-rsync a "box1:$PWD/b"
    # A shell there that talks.
    strm_there "exec $(printf %q "$STRM") \"\$@\""
    printf '#!/bin/sh\necho Welcome\nexec sh "$@"\n' >there-shell
    chmod +x there-shell
    remote '"Welcome" is no answer' strm replicate-rsync a "box1:$PWD/b"
    # Writers are stopped all the same.
    run -0 --separate-stderr strm fence --reason x "box1:$PWD/a"
    [ "$stderr" = "strm: box1:$PWD/a: is fenced" ]
    run -0 --separate-stderr strm fence --reason y "box1:$PWD/a"
    [ "$stderr" = "strm: box1:$PWD/a: is fenced, as it was before" ]
    strm_there 'exit 0'
    remote '"Welcome" is no answer' strm fence --lift "box1:$PWD/a"
}

# A disk of 300 KiB at full/.
mount_small() {
    [ "$(id -u)" -eq 0 ] || skip "only root can mount a small disk"
    mkdir full
    mount -t tmpfs -o size=300k tmpfs full || {
        rmdir full
        skip "no tmpfs can be mounted here"
    }
}

@test "a full disk there is exit 9, and the next run goes on" {
    mount_small
    fill a t 3000
    replicate a "box1:$PWD/full/b"
    fill a t 60000
    remote "is the disk of the replica full" \
        strm replicate-rsync a "box1:$PWD/full/b"
    run -0 strm -C full/b verify -q t
    [ "$(strm -C full/b consume t | wc -l)" -eq 3000 ]
    mount -o remount,size=20m full
    replicate a "box1:$PWD/full/b"
    same a full/b
}

@test "a full disk here is exit 6" {
    mount_small
    fill a t 60000
    for source in a "box1:$PWD/a"; do
        run -6 strm replicate-rsync "$source" full/b
        [[ $output == *"is the disk of the replica full"* ]]
    done
}

@test "what a system or a lock there refuses is told with the host's name" {
    fill a t 10
    refuses 4 "box1: $PWD/nowhere: no such directory" \
        strm replicate-rsync "box1:$PWD/nowhere" b
    remote "/sys/b: " strm replicate-rsync a box1:/sys/b
    fill b other 1
    refuses 5 "the destination holds topics and is no replica" \
        strm replicate-rsync a "box1:$PWD/b"
    refuses 2 "TOPIC" strm replicate-rsync --include t@5 a "box1:$PWD/b"
}

# Names that mean something to shells, to rsync and to options.
ODD_NAMES=($'-e "b" \'c\' $(touch pwned) `touch pwned`\ntouch pwned;{d,e}*?[f]~!:@%41'
    "\\'; touch pwned; #\\")

@test "no directory or reason is a command, under any shell" {
    local name shell

    fill a t 10
    for name in "${ODD_NAMES[@]}"; do
        replicate a "box1:$PWD/$name"
        replicate "box1:$PWD/$name" back
        same "./$name" back
        rm -r back
        for shell in sh fish zsh; do
            command -v $shell >/dev/null || continue
            printf '#!/bin/sh\nexec %s "$@"\n' $shell >there-shell
            chmod +x there-shell
            strm fence -q --reason "$name" "box1:$PWD/$name"
            grep -q 'touch pwned' "./$name/.strm/fenced.json"
            strm fence -q --lift "box1:$PWD/$name"
        done
        rm there-shell
        [ -z "$(find . -name 'pwned*')" ]
    done
    # What would match a neighbour is itself.
    mkdir 'm[1]*' m1x
    replicate a "box1:$PWD/m[1]*"
    same a 'm[1]*'
    fill m1x t 20
    replicate "box1:$PWD/m[1]*" back
    same a back
}

@test "no host is an option or a command" {
    local host

    # shellcheck disable=SC2016  # for a shell that may never see it
    for host in '-oProxyCommand=touch pwned' '-F' 'a b' 'a;touch pwned' \
        '$(touch pwned)' "a'" 'me@-oProxyCommand=touch' $'box1\ntouch pwned'; do
        refuses 2 "no name of a host" strm replicate-rsync -- "$host:/a" b
        refuses 2 "no name of a host" strm replicate-rsync -- b "$host:/a"
        refuses 2 "no name of a host" strm fence --reason x -- "$host:/a"
    done
    [ -z "$(find . -name 'pwned*')" ]
}

@test "producers of a store that is fenced from elsewhere end with exit 5 and the reason" {
    strm -C a topic create t
    feed strm -C a produce --ack t >acks 2>said
    echo one >&5
    eventually holds acks "0 0"
    run -0 --separate-stderr strm fence --reason 'box2 leads' "box1:$PWD/a"
    [ "$stderr" = "strm: box1:$PWD/a: is fenced" ]
    echo two >&5
    exec 5>&-
    ends 5 "${started[-1]}"
    [ "$(cat acks)" = "0 0" ]
    grep -q '^strm: t-0: is fenced: box2 leads;' said
    run -0 strm fence -J --reason 'again' "box1:$PWD/a"
    [ "$output" = '{"type":"fence","store":"box1:'"$PWD"'/a","fenced":true,"was_fenced":true,"reason":"again"}' ]
    refuses 4 "box1: $PWD/nowhere: no such directory" \
        strm fence --reason x "box1:$PWD/nowhere"
    refuses 2 "reason is empty" strm fence --reason '' "box1:$PWD/a"
}

# The old leader a, with records of its own from $1 to $2, and the new one b.
part_ways() {
    fill a t "$1"
    replicate a "box1:$PWD/b"
    strm promote -q b
    fill a t $(($2 - $1))
    fill b t 100
}

@test "an old leader that comes back is refused by its epoch, from either side" {
    part_ways 1000 1030
    refuses 5 "replica has leader epoch 1, the source only 0" \
        strm replicate-rsync a "box1:$PWD/b"
    refuses 5 "box1: t-0: the replica has leader epoch 1, the source only 0" \
        strm replicate-rsync "box1:$PWD/a" b
}

@test "divergence over ssh is told by its offset, and set aside when asked to" {
    part_ways 1000 1030
    cp -r a a.old
    run -1 --separate-stderr strm replicate-rsync "box1:$PWD/b" a
    [[ $stderr == "strm: t-0: diverged: from offset 1000 to 1030 "* ]]
    run -1 --separate-stderr strm replicate-rsync b "box1:$PWD/a"
    [[ $stderr == "strm: t-0: diverged: from offset 1000 to 1030 "* ]]
    same a a.old
    replicate --truncate b "box1:$PWD/a"
    [[ ${lines[0]} == "t-0: offsets 1000 to 1029 set aside"* ]]
    same a b
    # What was set aside is the end of what the log was.
    cat a/t-0/.strm-cut-1000 >end
    cat a.old/t-0/*.log | tail -c "$(stat -c %s end)" | cmp - end
    diff a/t-0/leader-epoch-checkpoint b/t-0/leader-epoch-checkpoint
    run -0 strm -C a verify -q t
}

@test "the same epochs and other records are told by the first batch that differs" {
    strm -C a topic create t --set segment.bytes=20000
    seq 3000 | strm -C a produce t --batch-bytes 2000 --timestamp 2026-03-01
    replicate a "box1:$PWD/b"
    # Another history in the same epoch, as a disk that lost writes has it.
    rm -r a/t-0/*.log a/t-0/*index a/t-0/.strm-state
    { seq 1000; seq 5000 7999; } |
        strm -C a produce t --batch-bytes 2000 --timestamp 2026-03-01
    run -1 --separate-stderr strm replicate-rsync a "box1:$PWD/b"
    [[ $stderr =~ ^"strm: t-0: diverged: from offset "([0-9]+)" to 3000 " ]]
    first=${BASH_REMATCH[1]}
    [ "$first" -gt 500 ]
    [ "$first" -le 1000 ]
    diff <(strm -C a consume "t@0..$first") <(strm -C b consume "t@0..$first")
    replicate --truncate a "box1:$PWD/b"
    same a b
    [ -n "$(find b/t-0 -name '.strm-old-*' -o -name ".strm-cut-$first")" ]
}

@test "a replica that diverged below the source's first segment is cut to nothing" {
    fill a t 3000
    replicate a "box1:$PWD/b"
    strm promote -q b
    # The old leader goes on, and the new one drops all that both had: whether
    # the other's records were once among that cannot be known.
    fill a t 4000
    fill b t 9000
    strm -C b trim t@9000
    strm -C b retain -q t
    run -1 --separate-stderr strm replicate-rsync b "box1:$PWD/a"
    [[ $stderr == "strm: t-0: diverged: from offset 0 to 7000 "* ]]
    replicate --truncate b "box1:$PWD/a"
    same a b
    diff a/t-0/leader-epoch-checkpoint b/t-0/leader-epoch-checkpoint
    [ "$(strm -C a consume t | wc -l)" -eq 3000 ]
    run -0 strm -C a verify -q t
    [ -n "$(find a/t-0 -name '.strm-old-*')" ]
}

@test "the drill of strm-promote(1) runs as it stands there, over ssh" {
    "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/docs.py" examples \
        "${STRM_SOURCE_DIR:-$BATS_TEST_DIRNAME/../..}/man/strm-promote.1"
}
