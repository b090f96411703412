#!/usr/bin/env bats
# strm promote and strm fence: who may write to a store.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records

# replica: make the store one, as replication does.
replica() {
    mkdir -p "$STRM_DIR/.strm"
    echo '{"version":1,"of":"box1:/srv/log","since":1}' \
        >"$STRM_DIR/.strm/replica.json"
}

# A program in the place of ssh: notes its words, one a line, and gives the
# last, which is the other side's command line, to a shell.
fake_ssh() {
    cat >bin/ssh <<'SSH'
#!/bin/sh
printf '%s\n' "$@" >ssh-words
env >ssh-environment
for line; do :; done
[ -z "$FAKE_SSH" ] || exit "$FAKE_SSH"
exec sh -c "$line"
SSH
    chmod +x bin/ssh
}

# no_writer CODE TEXT: everything that writes is refused.
no_writer() {
    refuses "$1" "$2" strm produce t <<<x
    refuses "$1" "$2" strm produce --create u <<<x
    refuses "$1" "$2" strm topic create u
    refuses "$1" "$2" strm topic alter t --set retention.ms=1
    refuses "$1" "$2" strm topic rm -y t
    refuses "$1" "$2" strm retain t
    refuses "$1" "$2" strm retain "$STRM_DIR/t-0"
    refuses "$1" "$2" strm trim t@2
    refuses "$1" "$2" strm roll t
    refuses "$1" "$2" strm compact --force t
    refuses "$1" "$2" strm maintain -q --all
}

@test "help names every option and exits 0" {
    run -0 strm promote --help
    for option in --dry-run --json --lock-timeout --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
    run -0 strm fence --help
    for option in --reason --lift --json --ssh-config --lock-timeout \
        --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
}

@test "a wrong line is exit 2" {
    strm topic create t
    refuses 2 "argument" strm promote
    refuses 2 "argument" strm promote a b
    refuses 2 "argument" strm fence --reason x
    refuses 2 "give the --reason" strm fence "$STRM_DIR"
    refuses 2 "--lift takes no --reason" strm fence --lift --reason x .
    refuses 2 "reason is empty" strm fence --reason '' "$STRM_DIR"
    refuses 2 "not UTF-8" strm fence --reason $'\xff' "$STRM_DIR"
    refuses 2 "more than 4607 bytes" strm fence \
        --reason "$(printf '%4608s' x)" "$STRM_DIR"
    [ ! -e "$STRM_DIR/.strm/fenced.json" ]
}

@test "what is not there is exit 4, and a leader is not promoted" {
    refuses 4 "nothing" strm promote nothing
    refuses 4 "nothing" strm fence --reason x nothing
    refuses 2 "is no replica" strm promote "$STRM_DIR"
}

@test "a replica refuses all writers, and readers go on" {
    seq 5 | strm produce --create t
    replica
    no_writer 5 "is a replica of box1:/srv/log; strm promote makes it the leader"
    run -0 strm consume t
    [ "${#lines[@]}" -eq 5 ]
    run -0 strm verify -q t
    run -0 strm inspect "$STRM_DIR"
    run -0 strm retain -N t
    run -0 strm topic ls
}

@test "a fenced store refuses all writers with the reason" {
    seq 5 | strm produce --create t
    run -0 --separate-stderr strm fence --reason 'moved to box2' "$STRM_DIR"
    [ -z "$output" ]
    [ "$stderr" = "strm: $STRM_DIR: is fenced" ]
    no_writer 5 "is fenced: moved to box2; write to the store that leads now"
    run -0 strm consume t
    [ "${#lines[@]}" -eq 5 ]
    # Fenced again, for another reason.
    run -0 strm fence -J --reason 'a "new" one' "$STRM_DIR"
    [ "$output" = '{"type":"fence","store":"'"$STRM_DIR"'","fenced":true,"was_fenced":true,"reason":"a \"new\" one"}' ]
    refuses 5 'is fenced: a "new" one;' strm produce t <<<x
    run -0 --separate-stderr strm fence --lift "$STRM_DIR"
    [ "$stderr" = "strm: $STRM_DIR: is fenced no more" ]
    echo x | strm produce t
    run -0 --separate-stderr strm fence -q --lift "$STRM_DIR"
    [ -z "$stderr" ]
}

@test "repair -y works on a replica, not on a fenced store" {
    seq 5 | strm produce --create t
    rm "$STRM_DIR"/t-0/*.timeindex
    printf torn >>"$(log t 0)"
    replica
    run -0 strm repair -y t
    run -0 strm verify -q t
    rm "$STRM_DIR"/t-0/*.timeindex
    strm fence -q --reason x "$STRM_DIR"
    run strm repair -y t
    [ "$status" -eq 5 ]
    [[ $output == *"is fenced: x"* ]]
    [ ! -e "$STRM_DIR/t-0/00000000000000000000.timeindex" ]
}

@test "a role that cannot be read refuses writers with exit 3" {
    seq 5 | strm produce --create t
    echo '{' >"$STRM_DIR/.strm/replica.json"
    no_writer 3 ".strm/replica.json: line 2"
    run -0 strm consume t
}

@test "producers that run stop at their next append, and what they had acknowledged stays" {
    strm topic create t
    mkfifo lines
    strm produce --ack t <lines >acks 2>said &
    exec 7>lines
    echo one >&7
    for ((i = 0; i < 100; i++)); do
        [ -s acks ] && break
        sleep 0.05
    done
    strm fence -q --reason moved "$STRM_DIR"
    echo two >&7
    exec 7>&-
    code=0
    wait $! || code=$?
    [ "$code" -eq 5 ]
    [ "$(cat acks)" = "0 0" ]
    grep -q '^strm: t-0: is fenced: moved;' said
    run -0 strm consume t
    [ "$output" = one ]
}

@test "under load no record is appended once fence has returned" {
    strm topic create t --partitions 2
    for i in 1 2 3 4; do
        (while echo "$i"; do :; done 2>/dev/null) |
            strm produce --sync always t:$((i % 2)) >/dev/null 2>&1 &
    done
    sleep 0.5
    strm fence -q --reason moved "$STRM_DIR"
    before=$(cat "$STRM_DIR"/t-*/*.log | sha256sum)
    sleep 0.2
    [ "$(cat "$STRM_DIR"/t-*/*.log | sha256sum)" = "$before" ]
    wait
    [ "$(cat "$STRM_DIR"/t-*/*.log | sha256sum)" = "$before" ]
    run -0 strm verify -q t
}

@test "promote begins an epoch in each partition" {
    seq 6 | strm produce --create t
    strm topic create empty
    replica
    run -0 strm promote -N "$STRM_DIR"
    [ "${lines[0]}" = "empty-0: would begin leader epoch 1 at offset 0" ]
    [ "${lines[1]}" = "t-0: would begin leader epoch 1 at offset 6" ]
    [ -e "$STRM_DIR/.strm/replica.json" ]
    run -0 strm promote "$STRM_DIR"
    [ "${lines[0]}" = "empty-0: leader epoch 1 begins at offset 0" ]
    [ "${lines[1]}" = "t-0: leader epoch 1 begins at offset 6" ]
    [ "${lines[2]}" = "$STRM_DIR: is the leader now" ]
    [ ! -e "$STRM_DIR/.strm/replica.json" ]
    echo seven | strm produce t
    run -0 strm consume t@5 -f '%o %e %s\n'
    [ "${lines[0]}" = "5 0 6" ]
    [ "${lines[1]}" = "6 1 seven" ]
    run -0 strm verify -q t
    [ "$output" = "" ]
    run -0 strm repair t
    [[ $output == *"nothing to do"* ]]
    # Once more: nothing was written to the topic empty.
    replica
    run -0 strm promote -J "$STRM_DIR"
    [ "${lines[0]}" = '{"type":"epoch","topic":"empty","partition":0,"leader_epoch":2,"start_offset":0,"log_end_offset":0}' ]
    [ "${lines[2]}" = '{"type":"promote","store":"'"$STRM_DIR"'","promoted":true}' ]
    [ "$(cat "$STRM_DIR/empty-0/leader-epoch-checkpoint")" = $'0\n1\n2 0' ]
    [ "$(cat "$STRM_DIR/t-0/leader-epoch-checkpoint")" = $'0\n3\n0 0\n1 6\n2 7' ]
    replica
    run -0 strm promote -q "$STRM_DIR"
    [ -z "$output" ]
}

@test "a fenced replica, and one that is being written, is exit 5" {
    seq 6 | strm produce --create t
    replica
    strm fence -q --reason x "$STRM_DIR"
    refuses 5 "is fenced: x; lift that first" strm promote -N "$STRM_DIR"
    refuses 5 "is fenced: x" strm promote "$STRM_DIR"
    strm fence -q --lift "$STRM_DIR"
    "${PYTHON:-/usr/bin/python3}" -c '
import fcntl, struct, sys
file = open(sys.argv[1], "w")
lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
fcntl.fcntl(file, 37, lock)
print("held", flush=True)
sys.stdin.read()' "$STRM_DIR/.strm/replica.lock" < <(sleep 30) >held 3>&- &
    holder=$!
    for ((i = 0; i < 100; i++)); do
        [ -s held ] && break
        sleep 0.05
    done
    refuses 5 "replication or promotion is at work" \
        strm promote --lock-timeout 100ms "$STRM_DIR"
    kill "$holder"
    wait "$holder" || true
    run -0 strm promote "$STRM_DIR"
}

@test "a closed or full standard output is told" {
    seq 6 | strm produce --create t
    replica
    # shellcheck disable=SC2016  # for the inner shell
    run -6 bash -c 'strm promote -N "$STRM_DIR" >/dev/full'
    # shellcheck disable=SC2016
    run -6 bash -c 'strm fence -J --reason x "$STRM_DIR" >/dev/full'
    run -6 bash -c 'strm promote --help >/dev/full'
}

@test "another host's store is fenced through ssh, whatever its name" {
    fake_ssh
    seq 6 | strm produce --create t
    odd=$BATS_TEST_TMPDIR/"a 'b' \"c\" \$(touch oops) ;"$'\n''-d'
    mv "$STRM_DIR" "$odd"
    LD_TEST=1 RSYNC_RSH=x run -0 --separate-stderr strm fence \
        --reason "it's \$HOME; \`id\`" "me@box-1.lan:$odd"
    grep -q "it's \$HOME; \`id\`" "$odd/.strm/fenced.json"
    [[ $stderr == *"is fenced"* ]]
    [ ! -e oops ]
    [ "$(grep -c -- -- ssh-words)" -ge 1 ]
    grep -qx 'me@box-1.lan' ssh-words
    grep -qx 'BatchMode=yes' ssh-words
    run ! grep -q '^LD_TEST=\|^RSYNC_' ssh-environment
    run -0 strm fence -J --lift --ssh-config my.conf "box:$odd"
    [[ $output == '{"type":"fence",'*'"fenced":false,"was_fenced":true}' ]]
    grep -qx my.conf ssh-words
}

@test "a host that cannot be reached, or fails, is exit 9" {
    fake_ssh
    export FAKE_SSH=255
    refuses 9 "box: cannot be reached, or the connection broke: ssh failed (exit 255)" \
        strm fence --reason x box:/srv/log
    FAKE_SSH=127 refuses 9 "box: cannot run strm there" \
        strm fence --reason x box:/srv/log
    FAKE_SSH=''
    refuses 4 "box: $PWD/nothing: no such directory" strm fence --reason x \
        "box:$PWD/nothing"
    rm bin/ssh
    # The path of ssh alone is missing.
    refuses 9 "ssh: cannot run" env PATH="$PWD/bin" strm fence --reason x \
        box:/srv
}

@test "hosts and directories that are none are exit 2, and nothing is run" {
    fake_ssh
    for host in -oProxyCommand=touch\ oops 'a b' 'a;b' '@b' 'a@' 'a@-b' \
        'a@b@c' '' '.a' $'a\nb'; do
        refuses 2 "no name of a host" strm fence --reason x -- \
            "$host:/srv/log"
    done
    refuses 2 "begins with /" strm fence --reason x box:srv/log
    refuses 2 "begins with /" strm fence --reason x box:
    [ ! -e ssh-words ]
    # A slash before the colon, and it is a path.
    refuses 4 "./box:/srv" strm fence --reason x ./box:/srv
}

@test "a signal ends ssh too" {
    cat >bin/ssh <<'SSH'
#!/bin/sh
echo $$ >ssh-pid
exec sleep 60
SSH
    chmod +x bin/ssh
    strm fence --reason x box:/srv/log &
    for ((i = 0; i < 100; i++)); do
        [ -s ssh-pid ] && break
        sleep 0.05
    done
    kill -TERM $!
    code=0
    wait $! || code=$?
    [ "$code" -eq 143 ]
    run ! kill -0 "$(cat ssh-pid)"
}
