#!/usr/bin/env bats
# strm topic: create, ls, describe, alter, rm.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper

# json TEXT EXPRESSION: the value of a Python expression on the JSON line j.
json() {
    "${PYTHON:-/usr/bin/python3}" -c 'import json, sys
j = json.loads(sys.argv[1])
print(eval(sys.argv[2]))' "$1" "$2"
}

# hold FILE: lock the whole of it as a Kafka broker does, until it is killed.
hold() {
    "${PYTHON:-/usr/bin/python3}" -c 'import fcntl, sys, time
f = open(sys.argv[1], "a")
fcntl.lockf(f, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)' "$1" >held 3>&- &
    holder=$!
    until grep -qs held held; do
        sleep 0.01
    done
}

teardown() {
    [ -z "${holder-}" ] || kill "$holder"
}

@test "create makes one partition of Kafka's files, and says nothing" {
    run -0 --separate-stderr strm topic create orders
    [ -z "$output$stderr" ]
    run -0 strm topic ls
    [ "$output" = orders ]
    cd "$STRM_DIR/orders-0"
    [ "$(ls)" = "00000000000000000000.index
00000000000000000000.log
00000000000000000000.timeindex
partition.metadata" ]
    [ ! -e ../orders-1 ]
    [[ $(cat partition.metadata) =~ ^version:\ 0.topic_id:\ [A-Za-z0-9_-]{22}$ ]]
}

@test "create makes the store when it is missing, but not its parents" {
    run -0 strm -C new topic create orders
    [ -f new/orders-0/partition.metadata ]
    refuses 4 "a/b" strm -C a/b topic create orders
    [ ! -e a ]
}

@test "a wrong line makes no store" {
    refuses 2 "--partitions" strm -C new topic create orders --partitions 0
    refuses 2 "--partitions" strm -C new topic create orders --partitions -1
    refuses 2 "--partitions" strm -C new topic create orders --partitions 1x
    refuses 2 "KEY=VALUE" strm -C new topic create orders --set retention.ms
    refuses 2 "retention.ms" strm -C new topic create orders --set retention.ms=x
    refuses 2 "did you mean retention.ms?" \
        strm -C new topic create orders --set retention.m=1
    refuses 2 "a/b" strm -C new topic create a/b
    refuses 2 "topic name" strm -C new topic create 'a b'
    refuses 2 "empty" strm -C new topic create ''
    refuses 2 "unexpected argument" strm -C new topic create a b
    [ ! -e new ]
}

@test "Kafka's limits on names and settings hold" {
    local long
    long=$(printf 'n%.0s' {1..249})

    refuses 2 "Kafka's own" strm topic create __offsets
    refuses 2 "more than 249" strm topic create "n$long"
    run -0 strm topic create "$long" --partitions 2
    run -0 strm topic describe "$long"
    run -0 strm topic rm -y "$long"
    refuses 2 "max.compaction.lag.ms" strm topic create t \
        --set min.compaction.lag.ms=2d --set max.compaction.lag.ms=1d
    run -0 strm topic ls
    [ -z "$output" ]
}

@test "an existing topic is exit 1, with --if-missing 0" {
    strm topic create orders --partitions 2
    refuses 1 "exists already" strm topic create orders
    run -0 --separate-stderr strm topic create orders --if-missing
    [ -z "$output$stderr" ]
    run -0 --separate-stderr strm topic create orders --if-missing --partitions 3
    [[ $stderr == "strm: orders: note: exists already, with 2 partitions" ]]
    run -0 --separate-stderr strm topic create new --if-missing
    run -0 strm topic ls
    [ "$output" = $'new\norders' ]
}

@test "names that Kafka's metrics mix up get a note" {
    strm topic create a.b
    run -0 --separate-stderr strm topic create a_b
    [[ $stderr == "strm: a_b: note: differs from topic a.b "* ]]
    run -0 --separate-stderr strm topic create -q a.b_ --if-missing
    [ -z "$stderr" ]
}

@test "ls -l shows partitions, sizes, offsets, timestamps and settings" {
    strm topic create orders --partitions 2 --set retention.ms=1d
    printf 'a\nb\nc\n' | strm produce orders -p 1 --timestamp 2026-03-01T10:30:00Z
    run -0 strm topic ls -l
    [[ ${lines[0]} == TOPIC*PARTITIONS*SEGMENTS*BYTES*START*END*FIRST*LAST*SETTINGS ]]
    read -ra row <<<"${lines[1]}"
    [ "${row[0]} ${row[1]} ${row[2]}" = "orders 2 2" ]
    [ "${row[3]}" -eq "$(stat -c %s "$STRM_DIR/orders-1/00000000000000000000.log")" ]
    [ "${row[4]} ${row[5]}" = "0 3" ]
    [[ ${row[6]} == 2026-03-01T10:30:00* ]]
    [ "${row[6]}" = "${row[7]}" ]
    [ "${row[8]}" = retention.ms=86400000 ]
}

@test "ls of an empty store prints nothing" {
    run -0 --separate-stderr strm topic ls
    [ -z "$output$stderr" ]
    run -0 strm topic ls -l
    [ -z "$output" ]
    run -0 strm topic ls -J
    [ -z "$output" ]
}

@test "ls -J and ls -lJ are JSON lines" {
    strm topic create orders --partitions 2
    strm topic create clicks
    run -0 strm topic ls -J
    [ "${#lines[@]}" -eq 2 ]
    [ "$(json "${lines[1]}" 'j["topic"], j["partition_count"], j["foreign"]')" = \
        "('orders', 2, False)" ]
    run -0 strm topic ls -l -J
    [ "$(json "${lines[1]}" 'len(j["partitions"])')" = 2 ]
    [ "${lines[1]}" = "$(strm topic describe -J orders)" ]
}

@test "describe tells where each setting comes from" {
    strm topic create orders --set segment.bytes=1MiB --set cleanup.policy=compact,delete
    run -0 strm topic describe orders
    [[ ${lines[0]} == "topic orders, id "*", 1 partition" ]]
    grep -Eq '^segment\.bytes +1048576 +topic$' <<<"$output"
    grep -Eq '^cleanup\.policy +compact,delete +topic$' <<<"$output"
    grep -Eq '^retention\.ms +604800000 +default$' <<<"$output"
    run -0 strm topic describe -J orders
    [ "$(json "$output" 'j["config"]["segment.bytes"]')" = \
        "{'value': 1048576, 'source': 'topic'}" ]
    [ "$(json "$output" 'j["config"]["cleanup.policy"]["value"]')" = compact,delete ]
    [ "$(json "$output" 'j["config"]["retention.ms"]["source"]')" = default ]
    [ "$(json "$output" 'sorted(j["partitions"][0])')" = \
        "['first_timestamp', 'last_timestamp', 'log_end_offset', 'log_start_offset', 'partition', 'segments', 'size']" ]
}

@test "describe of several topics goes on after one that is missing" {
    strm topic create orders
    strm topic create clicks
    run -4 --separate-stderr strm topic describe -J nope orders order clicks
    [ "${#lines[@]}" -eq 2 ]
    [[ ${stderr_lines[0]} == "strm: nope: no such topic in "*", which holds 2 topics" ]]
    [[ ${stderr_lines[1]} == *"did you mean orders?" ]]
}

@test "a broker's topics are listed and described as they are" {
    local golden=$STRM_GOLDEN/plain

    needs_golden
    run -0 strm -C "$golden" topic ls -J
    [ "$(json "$output" 'j["topic"], j["foreign"], j["topic_id"]')" = \
        "('topic', True, 'Zm9vYmFyYmF6cXV4MTIzNA')" ]
    run -0 strm -C "$golden" topic describe topic
    [[ ${lines[0]} == *", not made by strm" ]]
    run -0 strm -C "$golden" topic describe -J topic
    [ "$(json "$output" '[j["partitions"][0][k] for k in ("segments", "log_start_offset", "log_end_offset")]')" = \
        "[3, 0, 10000]" ]
}

@test "alter changes what is asked for and nothing else" {
    strm topic create orders --set retention.ms=1d --set segment.ms=1h
    run -0 --separate-stderr strm topic alter orders \
        --set retention.bytes=1GiB --unset segment.ms
    [ -z "$output$stderr" ]
    run -0 strm topic ls -l
    [[ ${lines[1]} == *" retention.bytes=1073741824 retention.ms=86400000" ]]
}

@test "alter changes all or nothing" {
    strm topic create orders --set retention.ms=1d
    cp "$STRM_DIR/.strm/topics/orders.json" before
    refuses 2 "segment.bytes" strm topic alter orders \
        --set retention.ms=2d --set segment.bytes=1
    refuses 2 "no setting is called" strm topic alter orders \
        --set retention.ms=2d --unset nope
    refuses 2 "nothing to change" strm topic alter orders
    refuses 4 "no such topic" strm topic alter nope --set retention.ms=2d
    cmp "$STRM_DIR/.strm/topics/orders.json" before
    mkdir "$STRM_DIR/foreign-0"
    refuses 2 "not made by strm" strm topic alter foreign --set retention.ms=2d
}

@test "rm prints the plan and changes nothing, exit 0" {
    strm topic create orders --partitions 2
    printf 'a\nb\nc\n' | strm produce orders -p 1
    run -0 --separate-stderr strm topic rm orders
    size=$(stat -c %s "$STRM_DIR/orders-1/00000000000000000000.log")
    [ "$output" = "orders: would delete 2 partitions, 2 segments, 3 records, $size bytes" ]
    [ -z "$stderr" ]
    run -0 strm topic rm -J orders
    [ "$(json "$output" 'j["records"], j["deleted"]')" = "(3, False)" ]
    run -0 strm topic ls
    [ "$output" = orders ]
}

@test "rm -y deletes all the topics, or none when one is not there" {
    strm topic create a
    strm topic create b --partitions 3
    strm topic create c
    run -4 --separate-stderr strm topic rm -y a nope b
    [ -z "$output" ]
    [[ $stderr == "strm: nope: no such topic"* ]]
    [ "$(strm topic ls | wc -l)" -eq 3 ]
    strm topic rm -y a b
    run -0 strm topic ls
    [ "$output" = c ]
    [ "$(ls "$STRM_DIR")" = c-0 ]
    run -0 strm topic rm -yJ c
    [ "$(json "$output" 'j["topic"], j["deleted"]')" = "('c', True)" ]
    run -0 strm topic create a
}

@test "a stop ends create at once, and leaves nothing" {
    run timeout -s INT 0.3 "$STRM" topic create many --partitions 9000
    [ "$status" -eq 124 ]
    run -0 strm topic ls
    [ -z "$output" ]
    strm topic create one
    [ -z "$(ls "$STRM_DIR/.strm/build")" ]
}

@test "a new topic of the same name starts at 0" {
    strm topic create orders
    printf 'a\nb\nc\n' | strm produce orders
    printf '0\n1\norders 0 2\n' >"$STRM_DIR/log-start-offset-checkpoint"
    strm topic rm -y orders
    strm topic create orders
    echo new | strm produce orders
    run -0 strm consume orders
    [ "$output" = new ]
}

@test "a producer that has the topic open exits 4 after rm" {
    strm topic create orders
    mkfifo lines
    strm produce orders <lines 2>messages 3>&- &
    local producer=$!
    exec 4>lines
    echo one >&4
    until [ -s "$STRM_DIR/orders-0/00000000000000000000.log" ]; do
        sleep 0.01
    done
    strm topic rm -y orders
    echo two >&4
    exec 4>&-
    code=0
    wait "$producer" || code=$?
    [ "$code" -eq 4 ]
    grep -q '^strm: ' messages
    [ ! -e "$STRM_DIR/orders-0" ]
}

@test "a broker that holds the store is exit 5 for changes, not for reading" {
    strm topic create orders
    hold "$STRM_DIR/.lock"
    refuses 5 "a Kafka broker holds $STRM_DIR/.lock" strm topic create new
    refuses 5 "a Kafka broker holds" strm topic alter orders --set retention.ms=1
    refuses 5 "a Kafka broker holds" strm topic rm -y orders
    run -0 strm topic ls
    [ "$output" = orders ]
    run -0 strm topic rm orders
    [[ $output == "orders: would delete"* ]]
}

@test "a busy store is exit 5 after the lock timeout" {
    strm topic create orders
    hold "$STRM_DIR/.strm/lock"
    refuses 5 "another process holds the lock" \
        strm topic create new --lock-timeout 10ms
    run -0 strm topic describe orders
}

@test "damaged settings are exit 3, and other topics are listed" {
    strm topic create a
    strm topic create b
    echo '{' >"$STRM_DIR/.strm/topics/a.json"
    refuses 3 ".strm/topics/a.json" strm topic describe a
    run -0 strm topic ls
    [ "$output" = $'a\nb' ]
    run -3 --separate-stderr strm topic ls -J
    [ "${#lines[@]}" -eq 1 ]
    echo '{"version":2}' >"$STRM_DIR/.strm/topics/a.json"
    refuses 3 "version 2 is not supported" strm topic describe a
    run -0 strm topic rm -y a
}

@test "a directory that everyone may write to is exit 6" {
    chmod 777 "$STRM_DIR"
    refuses 6 "everyone may write" strm topic create orders
    chmod 1777 "$STRM_DIR"
    run -0 strm topic create orders
}

@test "output that is lost is exit 6" {
    strm topic create orders
    for words in ls "ls -l" "ls -J" "describe orders" "rm orders"; do
        # shellcheck disable=SC2086  # several words
        run bash -c 'strm topic "$@" >/dev/full' bash $words
        [ "$status" -eq 6 ]
        [[ $output == "strm: standard output: "* ]]
    done
}

@test "a closed pipe ends a listing silently, by SIGPIPE" {
    strm topic create orders
    closed_pipe strm topic describe orders
}

@test "-v says what was done, on standard error" {
    run -0 --separate-stderr strm topic create -v orders --partitions 2
    [ "$stderr" = "strm: orders: made, with 2 partitions" ]
    run -0 --separate-stderr strm topic alter -v orders --set segment.ms=1d
    [ "$stderr" = "strm: orders: changed" ]
    run -0 --separate-stderr strm topic rm -v -y orders
    [ "$stderr" = "strm: orders: deleted" ]
    [ -z "$output" ]
}

@test "of many that create one topic at once, one does" {
    local i
    local -a pids=()

    for i in 1 2 3 4 5 6 7 8; do
        strm topic create orders --partitions "$i" 2>/dev/null 3>&- &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        code=0
        wait "$i" || code=$?
        echo "$code"
    done >codes
    [ "$(sort codes | tr '\n' ' ')" = "0 1 1 1 1 1 1 1 " ]
    run -0 strm topic ls -J
    partitions=$(json "$output" 'j["partition_count"]')
    [ "$(find "$STRM_DIR" -maxdepth 1 -name 'orders-*' | wc -l)" -eq "$partitions" ]
}

@test "those that are refused take no store away from who makes it, nor keep him out" {
    local i
    local -a pids

    echo junk >junk
    for _ in $(seq 30); do
        for i in 1 2 3; do
            strm -C new restore junk 2>/dev/null 3>&- &
        done
        pids=()
        for i in 1 2; do
            strm -C new topic create "t$i" 3>&- &
            pids+=($!)
        done
        for i in "${pids[@]}"; do
            wait "$i"
        done
        wait
        [ "$(strm -C new topic ls | sort | tr '\n' ' ')" = "t1 t2 " ]
        [ -e new/.lock ]
        rm -r new
    done
}

@test "a name that begins with a dash is a name after --" {
    run -0 strm topic create -- -x
    run -0 strm topic describe -- -x
    run -0 strm topic rm -y -- -x
    refuses 2 "unknown option" strm topic create -x
}
