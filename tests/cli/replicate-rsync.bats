#!/usr/bin/env bats
# strm replicate-rsync: a store becomes, and stays, a replica of another.  Over
# ssh: replicate-ssh.bats.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records
load replicated

setup() {
    strm_setup
    unset STRM_DIR
}

replicate() {
    run -0 --separate-stderr strm replicate-rsync "$@"
    [ -z "$stderr" ]
}

# Keyed records of which compaction takes most.
keyed() {
    awk -v n="$1" -v from="$2" 'BEGIN { for (i = 0; i < n; i++)
        printf "k%d\tv%d\n", i % 97, from + i }'
}

@test "help names every option and exits 0" {
    run -0 strm replicate-rsync --help
    for option in --include --exclude --bwlimit --verify --truncate --follow \
        --status --ssh-config --dry-run --json --lock-timeout \
        --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
    [[ $output != *--serve* ]]
}

@test "a wrong line is exit 2" {
    refuses 2 "SOURCE and DEST" strm replicate-rsync
    refuses 2 "SOURCE and DEST" strm replicate-rsync a
    refuses 2 "unexpected argument" strm replicate-rsync a b c
    refuses 2 "--nonsense" strm replicate-rsync --nonsense a b
    refuses 2 "this machine" strm replicate-rsync one:/a two:/b
    refuses 2 "begins with /" strm replicate-rsync one:a b
    fill a t 1
    refuses 2 "TOPIC" strm replicate-rsync --include ./t a b
    refuses 2 "TOPIC" strm replicate-rsync --include t@5 a b
}

@test "what cannot be the name of a host is exit 2" {
    # shellcheck disable=SC2016 # a dollar sign is a dollar sign
    for host in '-oProxyCommand=x' 'a b' 'a;b' "a'b" '$(x)' '@x' 'x@' 'x@-y' \
        $'a\nb'; do
        run -2 strm replicate-rsync -- "$host:/x" b
    done
}

@test "a source that is not there is exit 4" {
    refuses 4 "nowhere" strm replicate-rsync nowhere b
}

@test "a replica has the same logs, and follows what is appended" {
    fill a t 9000
    replicate a b
    [[ ${lines[0]} == "t-0: up to offset 9000, from 0" ]]
    same a b
    fill a t 3000
    replicate a b
    [[ ${lines[0]} == "t-0: up to offset 12000, from 9000" ]]
    same a b
    replicate a b
    [ "$output" = "1 partition is as at the replica, 0 bytes moved" ]
    run -0 strm -C b verify t
    [ -z "$(ls b/.strm/incoming)" ]
    diff a/.strm/topics/t.json b/.strm/topics/t.json
    diff a/t-0/leader-epoch-checkpoint b/t-0/leader-epoch-checkpoint
}

@test "nothing else writes to a replica" {
    fill a t 10
    replicate a b
    refuses 5 "is a replica of a" strm -C b produce t </dev/null
    [ "$(strm -C b consume t | wc -l)" -eq 10 ]
}

@test "retention and trimming are followed" {
    fill a t 9000
    replicate a b
    strm -C a trim t@5000
    strm -C a retain -q t
    fill a t 500
    replicate a b
    same a b
    diff a/log-start-offset-checkpoint b/log-start-offset-checkpoint
    diff a/t-0/leader-epoch-checkpoint b/t-0/leader-epoch-checkpoint
    run -0 strm -C b verify t
}

@test "a replica that is wholly behind the log start goes on there" {
    fill a t 3000
    replicate a b
    fill a t 9000
    strm -C a trim t@9000
    strm -C a retain -q t
    replicate a b
    same a b
    run -0 strm -C b verify t
    [ "$(strm -C b consume t | wc -l)" -eq 3000 ]
}

@test "compaction is followed, also with more than one round between" {
    strm -C a topic create t --set segment.bytes=20000 \
        --set cleanup.policy=compact
    keyed 5000 0 | strm -C a produce t -K '\t' --batch-bytes 2000
    replicate a b
    strm -C a compact -q t
    replicate a b
    same a b
    for from in 5000 9000; do
        keyed 4000 $from | strm -C a produce t -K '\t' --batch-bytes 2000
        strm -C a compact -q t
    done
    replicate a b
    same a b
    run -0 strm -C b verify t
    diff a/cleaner-offset-checkpoint b/cleaner-offset-checkpoint
    [ -z "$(find b -name '*.swap' -o -name '*.cleaned' -o -name '*.deleted')" ]
}

@test "topics and partitions are chosen by address" {
    fill a one 10
    fill a two 10
    strm -C a topic create three --partitions 3
    seq 300 | strm -C a produce three
    replicate --include one --include three:1 a b
    [ "$(strm -C b topic ls | wc -l)" -eq 2 ]
    [ "$(strm -C b consume one | wc -l)" -eq 10 ]
    strm -C a consume three:1 >x
    strm -C b consume three >y
    diff x y
    replicate --exclude three a c
    [ "$(strm -C c topic ls | sort | tr '\n' ' ')" = "one two " ]
}

@test "-N changes nothing" {
    fill a t 1000
    run -0 strm replicate-rsync -N a b
    [[ $output == *"t-0 "*" 1000 "* ]]
    [ ! -e b ]
    [ ! -e a/.strm/replicate ]
}

@test "--status tells how far the replica is behind" {
    fill a t 1000
    replicate a b
    fill a t 50
    run -0 strm replicate-rsync --status -J a b
    [[ $output == *'"lag":50,'* ]]
    [[ $output == *'"log_end_offset":1050,"replica_log_end_offset":1000,'* ]]
    run -0 strm replicate-rsync --status a b
    [ "${#lines[@]}" -eq 2 ]
}

@test "-J prints a line for each partition and one for all" {
    fill a t 1000
    run -0 strm replicate-rsync -J a b
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[0]} == '{"type":"partition","topic":"t","partition":0,"result":"done","from_offset":0,"log_end_offset":1000,'* ]]
    [[ ${lines[1]} == '{"type":"summary","partitions":1,"failed":0,"diverged":0,"bytes":'* ]]
}

@test "--verify finds a byte that changed at the replica" {
    fill a t 9000
    replicate a b
    log=$(find b/t-0 -name '*.log' | sort | head -n 1)
    # The time of modification stays, so that nobody looks without being asked.
    touch -r "$log" stamp
    printf '\377' | dd of="$log" bs=1 seek=3000 conv=notrunc status=none
    touch -r stamp "$log"
    run -0 strm replicate-rsync -q a b
    run -3 strm replicate-rsync -q --verify a b
    [[ $output == "strm: t-0: replica: ${log##*/}: damaged at byte "*"bad CRC; nothing is sent for it: move the directory t-0 out of the replica, "* ]]
}

@test "a source that is damaged gives none of that partition, and all others" {
    fill a bad 9000
    fill a good 100
    log=$(find a/bad-0 -name '*.log' | sort | head -n 1)
    printf '\377' | dd of="$log" bs=1 seek=3000 conv=notrunc status=none
    run -7 --separate-stderr strm replicate-rsync a b
    # The byte is the one that verify and repair name.
    at=$(strm -C a verify bad | sed -n 's/.*log: byte \([0-9]*\): bad CRC.*/\1/p')
    [[ $stderr == "strm: bad-0: source: ${log##*/}: damaged at byte $at (strm repair says what can be done, --exclude leaves it out): bad CRC" ]]
    [ "$(strm -C b consume good | wc -l)" -eq 100 ]
    for option in -N --status; do
        run -7 --separate-stderr strm replicate-rsync $option a b
        [[ $stderr == "strm: bad-0: ${log##*/}: damaged at byte "*" (strm repair "* ]]
    done
    # Both do what they are said to.
    run --separate-stderr strm -C a repair bad
    [[ $stderr == *"strm repair --salvage DIR"* ]]
    replicate --exclude bad a b
    # A closed segment that goes on behind its last batch.
    fill a long 9000
    log=$(find a/long-0 -name '*.log' | sort | head -n 1)
    size=$(stat -c %s "$log")
    for more in 5 100; do
        head -c $more /dev/zero >>"$log"
        run -7 --separate-stderr strm replicate-rsync --exclude bad a b
        [[ $stderr == "strm: long-0: source: ${log##*/}: damaged at byte $size (strm repair "* ]]
    done
}

@test "a new topic of which a partition is damaged does not appear, and is told" {
    strm -C a topic create t --partitions 2
    seq 100 | strm -C a produce t:0
    seq 9000 | strm -C a produce t:1
    printf '\377' | dd of="a/t-1/00000000000000000000.log" bs=1 seek=3000 \
        conv=notrunc status=none
    run -3 --separate-stderr strm replicate-rsync -J a b
    [[ $stderr == *"t-1"*"byte"* ]]
    [[ $stderr == *"t-0: the topic appears when all of it has come"* ]]
    [[ $output != *'"result":"done"'* ]]
    [ ! -e b/t-0 ]
}

@test "failover: promoted, the old leader is refused, diverges and is cut" {
    fill a t 1000
    replicate a b
    strm promote -q b >promoted
    fill b t 100
    # Records that the old leader should not have taken.
    fill a t 30
    refuses 5 "old leader" strm replicate-rsync a b
    cp -r a kept
    run -1 --separate-stderr strm replicate-rsync b a
    [[ $stderr == *"from offset 1000 to 1030"* ]]
    (cd kept/t-0 && sha256sum ./*.log) >one
    (cd a/t-0 && sha256sum ./*.log) >two
    diff one two
    run -0 strm replicate-rsync --truncate b a
    [[ ${lines[0]} == "t-0: offsets 1000 to 1029 set aside"* ]]
    same a b
    [ -s a/t-0/.strm-cut-1000 ]
    [ "$(strm -C a consume t | wc -l)" -eq 1100 ]
    diff a/t-0/leader-epoch-checkpoint b/t-0/leader-epoch-checkpoint
    refuses 5 "is a replica of b" strm -C a produce t </dev/null
    fill b t 10
    replicate b a
    same a b
}

@test "the same offsets with other records are told, by the first that differs" {
    strm -C a topic create t --set segment.bytes=20000
    seq 3000 | strm -C a produce t --batch-bytes 2000 --timestamp 2026-03-01
    replicate a b
    # Another history in the same epoch, as a disk that lost writes has it.
    rm -r a/t-0/*.log a/t-0/*index a/t-0/.strm-state
    { seq 1000; seq 5000 7999; } |
        strm -C a produce t --batch-bytes 2000 --timestamp 2026-03-01
    run -1 --separate-stderr strm replicate-rsync a b
    [[ $stderr == *"diverged: from offset "[1-9]*" to 3000"* ]]
    run -0 strm replicate-rsync --truncate a b
    same a b
}

@test "a destination that leads is refused" {
    fill a t 10
    fill b other 10
    refuses 5 "no replica" strm replicate-rsync a b
    [ ! -e b/.strm/replica.json ]
}

@test "a topic of the same name that is another one is refused" {
    fill a t 10
    replicate a b
    strm -C a topic rm -y t
    fill a t 20
    run -7 --separate-stderr strm replicate-rsync a b
    [[ $stderr == *"another topic"* ]]
    [ "$(strm -C b consume t | wc -l)" -eq 10 ]
}

@test "directories of a broker are replicated too" {
    fill a t 3000
    mkdir broker
    mv a/t-0 broker/
    rm broker/t-0/.strm-state
    replicate broker copy
    same broker copy
    run -0 strm -C copy verify t
}

@test "names that mean something to a shell mean nothing here" {
    name=$' -x \'q"\n;*$(touch pwned)'
    mkdir "./$name"
    fill "./$name" t 100
    replicate "./$name" "./$name.copy"
    same "./$name" "./$name.copy"
    mkdir a:b
    fill ./a:b t 10
    replicate ./a:b ./c:d
    same ./a:b ./c:d
    [ ! -e pwned ]
    # Another store has a name that this one would match.
    mkdir 'm[1]*' m1x
    fill 'm[1]*' t 10
    fill m1x t 20
    replicate 'm[1]*' copy
    same 'm[1]*' copy
}

@test "rsync is over when it says that all has come" {
    fill a t 3000
    mkdir slow
    cat >slow/rsync <<END
#!/bin/sh
[ "\$1" = -s ] || exec $(command -v rsync) "\$@"
$(command -v rsync) "\$@"
sleep 300
END
    chmod +x slow/rsync
    PATH=$PWD/slow:$PATH run -0 --separate-stderr \
        timeout 60 strm replicate-rsync -q a b
    [ -z "$stderr" ]
    same a b
}

@test "an rsync that breaks off is not taken for one that is over" {
    fill a t 3000
    mkdir broken
    cat >broken/rsync <<END
#!/bin/sh
[ "\$1" = -s ] || exec $(command -v rsync) "\$@"
exit 12
END
    chmod +x broken/rsync
    PATH=$PWD/broken:$PATH run -9 strm replicate-rsync a b
    [[ $output == *"rsync failed (exit 12)"* ]]
    replicate a b
    same a b
}

@test "what came and is not what was sent is sent again" {
    fill a t 3000
    # Half a run: something else lies where files arrive.
    mkdir b
    printf 'strm-request 1\nstep 0\ntimeout 1000\nstore b\n\n' |
        strm replicate-rsync --serve >have
    id=$(sed -n 's/^id //p' have)
    mkdir "b/.strm/incoming/$id/t-0"
    log=$(cd a/t-0 && find . -name '*.log' | sort | head -n 1)
    head -c "$(stat -c %s "a/t-0/$log")" /dev/zero \
        >"b/.strm/incoming/$id/t-0/$log"
    touch -r "a/t-0/$log" "b/.strm/incoming/$id/t-0/$log"
    run -0 strm replicate-rsync -q a b
    same a b
}

@test "logs that are checked while they come are as they were sent" {
    strm -C a topic create -q t --set segment.bytes=8MiB
    seq -f 'value %.0f of some length' 400000 | strm -C a produce -q t
    run -0 strm replicate-rsync -q --bwlimit=20m a b
    same a b
    strm -C b verify t
}

# Bytes that the shell $1 and what it waited for have read.
bytes_read() {
    sed -n 's/^rchar: //p' "/proc/$1/io"
}

# Fails if a run reads more than a small part of 15 MB.
reads_little() {
    local me=$BASHPID before
    before=$(bytes_read "$me")
    strm replicate-rsync -q "$@"
    [ $(($(bytes_read "$me") - before)) -lt 4000000 ]
}

@test "what was read once is not read again, however far a replica is" {
    [ -r /proc/self/io ] || skip "no /proc/PID/io"
    strm -C a topic create -q t
    seq -f 'value %.0f of some length' 400000 | strm -C a produce -q t
    strm replicate-rsync -q a b
    strm replicate-rsync -q a c
    for _ in 1 2; do
        echo more | strm -C a produce -q t
        reads_little a b
    done
    reads_little a c
    same a b
    same a c
}

@test "--follow goes on until a signal" {
    fill a t 10
    strm replicate-rsync --follow a b >out 2>&1 3>&- &
    pid=$!
    for _ in $(seq 100); do
        [ -e b/.strm/replica/manifest ] && break
        sleep 0.1
    done
    fill a t 90
    for _ in $(seq 100); do
        [ "$(strm -C b consume t 2>/dev/null | wc -l)" -eq 100 ] && break
        sleep 0.1
    done
    [ "$(strm -C b consume t | wc -l)" -eq 100 ]
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq 143 ]
}

@test "no rsync is exit 9" {
    fill a t 10
    mkdir only
    ln -s "$STRM" only/strm
    PATH=$PWD/only run -9 strm replicate-rsync a b
    [[ $output == *rsync* ]]
    [ ! -e b ]
    replicate a b
    fill a t 10
    # One that is too old is also told where a replica is.
    printf '#!/bin/sh\necho rsync version 3.0.9 protocol version 30\n' \
        >only/rsync
    chmod +x only/rsync
    PATH=$PWD/only run -9 strm replicate-rsync a b
    [[ $output == *'"3.0.9"'* ]]
    # What failed half way does not keep the next run from its work.
    replicate a b
    same a b
}

@test "a failed write to standard output is exit 6" {
    fill a t 10
    run -6 bash -c 'strm replicate-rsync a b >/dev/full'
}
