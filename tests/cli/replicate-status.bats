#!/usr/bin/env bats
# strm replicate-rsync --status, and the rsync that is asked for.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load replicated

setup() {
    strm_setup
    unset STRM_DIR
}

# The row of t-0, with single blanks.
row() {
    strm replicate-rsync --status "$@" | sed -n 's/  */ /g; s/^t-0 //p'
}

@test "records, bytes and seconds are what was written since" {
    strm -C a topic create t
    seq 3 | strm -C a produce t --timestamp 2026-03-01T00:00:00Z
    mkdir b
    [ "$(row a b)" = "source 0 - 3 0 3 $(stat -c %s a/t-0/*.log) -" ]
    replicate a b
    [ "$(row a b)" = "source 0 0 3 3 0 0 0.000" ]
    before=$(stat -c %s a/t-0/*.log)
    seq 7 | strm -C a produce t --timestamp 2026-03-01T00:01:30.250Z
    bytes=$(($(stat -c %s a/t-0/*.log) - before))
    [ "$(row a b)" = "source 0 0 10 3 7 $bytes 90.250" ]
    run -0 strm replicate-rsync --status -J a b
    [ "$output" = '{"type":"status","topic":"t","partition":0,"leader":"source","leader_epoch":0,"replica_leader_epoch":0,"log_end_offset":10,"replica_log_end_offset":3,"lag":7,"bytes":'$bytes',"lag_ms":90250}' ]
    fake_ssh
    [ "$(row "there:$PWD/a" b)" = "source 0 0 10 3 7 $bytes 90.250" ]
    [ "$(row a "there:$PWD/b")" = "source 0 0 10 3 7 $bytes 90.250" ]
}

@test "what is gone at the source is no lag" {
    fill a t 3000
    replicate a b
    fill a t 9000
    [ "$(row a b | cut -d ' ' -f 4-6)" = "12000 3000 9000" ]
    # The replica ends below all that the source still has.
    strm -C a trim -q t@8000
    [ "$(row a b | cut -d ' ' -f 4-6)" = "12000 3000 4000" ]
    replicate -q a b
    [ "$(row a b)" = "source 0 0 12000 12000 0 0 0.000" ]
}

@test "a segment that compaction wrote counts as a whole" {
    strm -C a topic create t --set segment.bytes=20000 \
        --set cleanup.policy=compact
    awk 'BEGIN { for (i = 0; i < 5000; i++) print "k" i % 97 "\t" i }' |
        strm -C a produce t -K '\t' --batch-bytes 2000
    replicate a b
    strm -C a compact -q --force t
    [[ $(row a b) == "source 0 0 5000 5000 0 "*" 0.000" ]]
    (cd a/t-0 && sha256sum ./*.log | sort) >one
    (cd b/t-0 && sha256sum ./*.log | sort) >two
    bytes=$(comm -23 one two | cut -d ' ' -f 3 |
        (cd a/t-0 && xargs stat -c %s) | awk '{ n += $1 } END { print n }')
    [ "$bytes" -gt 0 ]
    [ "$(row a b)" = "source 0 0 5000 5000 0 $bytes 0.000" ]
}

@test "who leads is told, also of an old leader, which a run refuses" {
    strm -C a topic create t
    seq 10 | strm -C a produce t
    replicate a b
    strm fence -q a --reason x
    [[ $(row a b) == "none 0 0 10 10 0 0 "* ]]
    strm promote -q b >promoted
    seq 5 | strm -C b produce t
    [ "$(row a b)" = "replica 0 1 10 15 - - -" ]
    run -0 strm replicate-rsync --status -J a b
    [[ $output == *'"leader":"replica"'*'"lag":null,"bytes":null,"lag_ms":null}' ]]
    [[ $(row b a) == "source 1 0 15 10 5 "* ]]
    refuses 5 "old leader" strm replicate-rsync a b
    refuses 5 "old leader" strm replicate-rsync -N a b
    replicate -q b a
    [ "$(row b a)" = "source 1 1 15 15 0 0 0.000" ]
    # A replica of a replica.
    replicate -q a c
    [ "$(row a c)" = "none 1 1 15 15 0 0 0.000" ]
}

@test "two that both lead are told" {
    strm -C a topic create t
    seq 10 | strm -C a produce t
    cp -r a b
    [ "$(row a b)" = "both 0 0 10 10 0 0 0.000" ]
}

@test "--status and -N change nothing and need no rsync" {
    fill a t 100
    mkdir only
    ln -s "$STRM" only/strm
    mkdir empty
    for option in "--status a empty" "-N a empty" "-N a b"; do
        # shellcheck disable=SC2086 # several words
        run -0 env PATH="$PWD/only" strm replicate-rsync $option
        [ -z "$(ls -A empty)" ]
        [ ! -e b ]
        [ ! -e a/.strm/replicate ]
    done
}

# An rsync in $1 that says it is "$2".
fake_rsync() {
    mkdir -p "$1"
    # shellcheck disable=SC2016  # for the inner shell
    printf '#!/bin/sh
[ "$1" = --version ] && { echo "%s"; exit 0; }
PATH=/usr/bin:/bin
exec rsync "$@"\n' "$2" >"$1/rsync"
    chmod +x "$1/rsync"
}

@test "an rsync that is too old, or none of that name, is exit 9 and named" {
    fill a t 10
    fake_rsync old "rsync  version 3.0.9  protocol version 30"
    refuses 9 '"3.0.9", and 3.1.0 is the least' \
        env PATH="$PWD/old:$PATH" strm replicate-rsync a b
    fake_rsync old "openrsync: protocol version 29"
    refuses 9 '"openrsync: protocol version 29"' \
        env PATH="$PWD/old:$PATH" strm replicate-rsync a b
    [ ! -e b ]
    mkdir only
    ln -s "$STRM" only/strm
    refuses 9 "install rsync 3.1.0 or newer" \
        env PATH="$PWD/only" strm replicate-rsync a b
    refuses 9 "install rsync 3.1.0 or newer" \
        env PATH="$PWD/only" strm replicate-rsync --follow a b
    for version in "3.1.0" "v3.2.7" "3.4.1" "10.0"; do
        fake_rsync new "rsync  version $version  protocol version 31"
        PATH=$PWD/new:$PATH replicate a b
    done
}

@test "the other machine's rsync is asked too" {
    fake_ssh
    fill a t 10
    fake_rsync old "rsync  version 3.0.9  protocol version 30"
    export THERE=$PWD/old:$PATH
    refuses 9 'the rsync in the PATH is version "3.0.9"' \
        strm replicate-rsync a "there:$PWD/b"
    refuses 9 'the rsync in the PATH is version "3.0.9"' \
        strm replicate-rsync "there:$PWD/a" b
    mkdir only
    ln -s "$STRM" only/strm
    THERE=$PWD/only refuses 9 "there is no rsync in the PATH" \
        strm replicate-rsync a "there:$PWD/b"
    THERE=/nowhere run -9 strm replicate-rsync a "there:$PWD/b"
    [[ $output == *"there: cannot run strm there"* ]]
    unset THERE
    replicate a "there:$PWD/b"
    same a b
}

@test "progress is one line on a terminal, and nowhere else" {
    strm -C a topic create t
    seq 300000 | strm -C a produce t
    on_terminal() {
        script -qec "$*" /dev/null </dev/null
    }
    refuses 2 "is no rate" strm replicate-rsync --bwlimit= a b
    on_terminal strm replicate-rsync --bwlimit=1500 a b >shown
    grep -q $'\r *[0-9]*%  [0-9.]* [MK]iB of [0-9.]* MiB  [0-9.]* [MK]iB/s  [0-9:]* left' shown
    [[ $(tr -d '\n' <shown) != *"to-chk"* ]]
    on_terminal strm replicate-rsync -q --bwlimit=1500 a c >shown
    [ ! -s shown ]
    strm replicate-rsync --bwlimit=1500 a d >out 2>err
    [ ! -s err ]
    [ "$(wc -l <out)" -eq 2 ]
}

@test "an address that chooses nothing at either side is exit 4" {
    fill a t 10
    refuses 4 "--include nosuch" strm replicate-rsync --include nosuch a b
    refuses 4 "--include t:1" strm replicate-rsync --include t:1 a b
    refuses 4 "--include t: " \
        strm replicate-rsync --include t --include t:0 --exclude t:0 -N a b
    replicate -q --include t:0 --exclude nosuch a b
    run -1 grep "^idle" b/.strm/replica/manifest
    # What was deleted at the source is still at the replica.
    fill a u 10
    strm -C a topic rm -y t
    replicate --include t --include u a b
    [[ ${lines[0]} == "t: is gone from the source, was kept"* ]]
}

@test "an exclusion of nothing is told, and no failure" {
    fill a t 10
    fill a u 10
    for option in -N -v --truncate --status; do
        run -0 --separate-stderr strm replicate-rsync $option \
            --exclude nosuch --exclude t:1 --exclude u a b
        [ "${stderr_lines[0]}" = "strm: --exclude nosuch: leaves out nothing, at either side" ]
        [ "${stderr_lines[1]}" = "strm: --exclude t:1: leaves out nothing, at either side" ]
        [ ${#stderr_lines[@]} -eq 2 ]
    done
    # What is at one side alone is something.
    fill a gone 10
    replicate a b
    strm -C a topic rm -y gone
    replicate --delete --exclude gone a b
    strm -C b consume gone | grep -q .
    fake_ssh
    run -0 --separate-stderr strm replicate-rsync --exclude nosuch \
        --exclude u "there:$PWD/a" c
    [ "$stderr" = "strm: --exclude nosuch: leaves out nothing, at either side" ]
}

@test "lines that cannot be meant are exit 2" {
    fill a t 10
    ln -s a link
    refuses 2 "same directory" strm replicate-rsync --truncate a ./link/
    refuses 2 "--follow" strm replicate-rsync --follow --status a b
    refuses 2 "--follow" strm replicate-rsync --follow -N a b
    for rate in abc -3 1x; do
        run -2 --separate-stderr strm replicate-rsync --bwlimit=$rate a b
        [[ $stderr == *"strm: --bwlimit: \"$rate\""* ]]
    done
    [ ! -e b ]
    replicate -q --bwlimit=1.5m a b
}

@test "-v names also partitions in which nothing was new" {
    fill a t 10
    replicate -q a b
    replicate -v a b
    [ "${lines[0]}" = "t-0: at offset 10, as before" ]
}

@test "a path of any bytes is a path, here and there" {
    fake_ssh
    fill a t 100
    # shellcheck disable=SC2016  # a dollar sign is a dollar sign
    name=$'-x \'q"\n;*$(touch pwned)\\ %41 \xff'
    replicate -q a -- "$name"
    replicate -q -- "$name" -y
    same a ./-y
    replicate -q a "there:$PWD/$name/two"
    replicate -q "there:$PWD/$name/two" back
    same a back
    run -0 strm replicate-rsync --status "there:$PWD/$name/two" back
    [ ! -e pwned ]
}
