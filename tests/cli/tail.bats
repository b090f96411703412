#!/usr/bin/env bats
# strm tail: the last records, and what comes after them.
# shellcheck disable=SC2016  # what is quoted is for another shell
# shellcheck disable=SC2030,SC2031  # each test is a process, as it should be
# shellcheck disable=SC2154  # run sets variables

load helper
load records

# Topic t: 20 records in each of two partitions, 0..19 and 100..119.
fill() {
    strm topic create t --partitions 2
    seq 0 19 | strm produce t:0
    seq 100 119 | strm produce t:1
}

# prints "WORDS" ARGUMENT...: tail gives these lines, and exit 0.
prints() {
    local expected=$1

    shift
    run -0 --separate-stderr strm tail "$@"
    if [ "${output//$'\n'/ }" != "$expected" ] || [ -n "$stderr" ]; then
        printf 'tail %s\nexpected "%s"\ngot      "%s"\nstderr   "%s"\n' \
            "$*" "$expected" "${output//$'\n'/ }" "$stderr"
        return 1
    fi
}

# ---- the end of a log ---------------------------------------------------

@test "the last ten records of each partition, or -n" {
    fill
    prints "$(echo {10..19} {110..119})" t
    prints '18 19 118 119' -n 2 t
    prints '119' --count 1 t:1
    prints '' -n 0 t
    prints "$(echo {0..19})" -n 99 t:0
    printf 'a\n\nb' | strm produce --create u
    run -0 strm tail u
    [ "$output" = $'a\n\nb' ]
}

@test "records are counted, not lines and not offsets" {
    printf 'a\nb\0c\n\nd\0' | strm produce -0 --create u
    [ "$(strm tail -n 1 -D . u)" = $'c\n\nd.' ]
    python "$BATS_TEST_DIRNAME/transactions.py" txn-0
    prints 'aborted committed open later' -n 4 -i uncommitted ./txn-0
    prints '4 6 7' -n 3 -i uncommitted -f '%o\n' ./txn-0
}

@test "an address that says where to begin goes before -n" {
    fill
    prints '17 18 19' t:0@17
    prints '17 18' t:0@17..19
    prints '19' t:0@-1
    prints '0 1' -n 5 t:0@..2
    prints '118 119' -n 2 "$STRM_DIR/t-1"
    prints '19 119' -n 1 "$STRM_DIR/"
}

@test "several addresses are printed in turn" {
    fill
    prints '119 19 119' -n 1 t:1 t:0 "$STRM_DIR/t-1"
}

@test "output in every way that consume has" {
    strm topic create t
    printf 'k\tv\n' | strm produce -K '\t' --timestamp @5 t
    prints 'k=v' -K = t
    prints 'k v 0' -f '%k %v %o\n' t
    prints '{"topic":"t","partition":0,"offset":0,"ts":5,"key":"k","value":"v","headers":[]}' -J t
    [ "$(strm tail -0 t | xxd -p)" = 7600 ]
    [ "$(strm tail -D ';' t)" = 'v;' ]
    refuses 2 '-J and -f' strm tail -J -f %s t
}

@test "help, and a wrong command line is exit 2" {
    run -0 strm tail --help
    [[ $output == 'usage: strm tail '*'--follow'* ]]
    fill
    refuses 2 'too few' strm tail
    for wrong in x -1 '' 1.5; do
        refuses 2 '' strm tail -n "$wrong" t
    done
    refuses 2 '' strm tail t@x
    refuses 2 '' strm tail t:x
    refuses 2 '' strm tail -i other t
    refuses 2 '' strm tail -f %q t
    refuses 2 '' strm tail --lock-timeout x t
    refuses 2 '' strm tail --max-batch-bytes x t
}

@test "what is not there is exit 4, also with -F" {
    fill
    for follow in '' -F; do
        # shellcheck disable=SC2086  # nothing is no word
        {
            refuses 4 'nope: no such topic' strm tail $follow nope
            refuses 4 '' strm tail $follow t:2
            refuses 4 '' strm tail $follow ./nope
            refuses 4 'no offset 21' strm tail $follow t:0@21
            refuses 4 '' strm tail $follow -C ./nope t
        }
    done
    prints '' --clamp t:0@21
}

@test "damage is exit 3, a format that is not supported too" {
    fill
    echo good | strm produce --create u
    echo bad | strm produce u
    echo more | strm produce u
    size=$(batches "$(log u 0)" | awk 'NR == 1 { print $4 }')
    printf X | dd of="$(log u 0)" bs=1 seek=$((size + 62)) conv=notrunc status=none
    run -3 --separate-stderr strm tail u@0
    [ "$output" = good ]
    [[ $stderr == 'strm: '*"byte $size"* ]]
    run -3 strm tail -F u@0
    printf '\x01' | dd of="$(log t 0)" bs=1 seek=16 conv=notrunc status=none
    refuses 3 'not supported' strm tail t:0
    refuses 3 'max-batch-bytes' strm tail --max-batch-bytes 100 t:1
}

@test "output that cannot be written is exit 6" {
    fill
    for follow in '' -F; do
        run -6 bash -c "timeout 5 strm tail $follow t >/dev/full"
        [[ $output == 'strm: standard output: '*'No space left on device' ]]
    done
    run -6 bash -c 'strm tail t >&-'
}

@test "what may not be read is exit 6" {
    fill
    chmod 000 "$(log t 0)"
    let_nobody_in
    refuses 6 'Permission denied' nobody strm tail t
}

@test "a closed pipe is a silent death by SIGPIPE" {
    seq 1000000 | strm produce --sync never --create t
    run -0 bash -c 'strm tail -n 1000000 t | head -n 1; echo "${PIPESTATUS[0]}"'
    [ "$output" = $'1\n141' ]
}

@test "a torn tail is a note and exit 0, with -q no note" {
    echo a | strm produce --create t
    head -c 40 "$(log t 0)" >part
    cat part >>"$(log t 0)"
    run -0 --separate-stderr strm tail t
    [ "$output" = a ]
    [[ $stderr == 'strm: t-0/'*'torn'* ]]
    prints a -q t
}

# ---- following ----------------------------------------------------------

@test "-F prints each record at once, in order of arrival" {
    fill
    start strm tail -n 1 -F t >out
    eventually holds out $'19\n119'
    echo a | strm produce t:1
    eventually holds out $'19\n119\na'
    echo b | strm produce t:0
    eventually holds out $'19\n119\na\nb'
    printf 'c\nd\n' | strm produce t:1
    eventually holds out $'19\n119\na\nb\nc\nd'
}

@test "-F sees the lines of a slow pipe one by one" {
    strm topic create t
    start strm tail --follow t >out
    feed strm produce t
    for n in 1 2 3; do
        seq "$n" "$n" >&5
        eventually holds out "$(seq "$n")"
    done
    exec 5>&-
}

@test "-F prints what is there before it waits, and waits in silence" {
    fill
    start strm tail -F -n 3 t:0 >out 2>errors
    eventually holds out $'17\n18\n19'
    sleep 0.2
    [ ! -s errors ]
    kill -0 "$!"
}

@test "-F goes on in the next segments" {
    strm topic create t --set segment.bytes=16384
    start strm tail -F t@start >out
    seq 1 10000 | strm produce --batch-bytes 1K t
    seq 10001 20000 | strm produce --batch-bytes 1K t
    eventually last_line 20000
    cmp out <(seq 20000)
    segments=("$STRM_DIR"/t-0/*.log)
    [ "${#segments[@]}" -gt 5 ]
}

last_line() {
    [ "$(tail -n 1 out)" = "$1" ]
}

@test "-F follows a foreign partition that another program appends to" {
    strm topic create t
    echo a | strm produce t
    cp -r "$STRM_DIR/t-0" foreign-0
    rm foreign-0/.strm-state
    size=$(wc -c <"$(log t 0)")
    seq 1000 | strm produce --batch-bytes 1K t
    tail -c "+$((size + 1))" "$(log t 0)" >rest
    start strm tail -F ./foreign-0 >out 2>errors
    eventually holds out a
    # First half a batch, which stays unseen, then the rest of all of them.
    head -c 100 rest >>foreign-0/00000000000000000000.log
    sleep 0.1
    holds out a
    tail -c +101 rest >>foreign-0/00000000000000000000.log
    eventually last_line 1000
    cmp out <(echo a; seq 1000)
    [ ! -s errors ]
}

@test "-F ends where its range ends" {
    fill
    start strm tail -F t:0@18..22 >out
    id=$!
    printf '20\n21\n22\n' | strm produce t:0
    ends 0 "$id"
    holds out $'18\n19\n20\n21'
}

@test "-F ends by SIGPIPE when its reader goes, also while nothing comes" {
    fill
    run -0 bash -c 'timeout 5 strm tail -F -n 1 t:0 | head -n 1
        echo "${PIPESTATUS[0]}"'
    [ "$output" = $'19\n141' ]
}

@test "-F ends by the signal that stops it, silently" {
    fill
    for pair in SIGTERM:15 SIGINT:2 SIGHUP:1; do
        run -0 --separate-stderr signalled "${pair%:*}" '' strm tail -F -n 1 t:0
        [ "$output" = $'19\nsignal '"${pair#*:}" ]
        [ -z "$stderr" ]
    done
}

@test "-F --durable shows a record only when it is synced" {
    strm topic create t
    echo a | strm produce t
    sync_lock t 0
    start strm tail -F --durable t >out
    start strm tail -F t >all
    eventually holds out a
    echo b | strm produce --sync never t
    eventually holds all $'a\nb'
    sleep 0.2
    holds out a
    kill -KILL "$holder"
    eventually holds out $'a\nb'
}

@test "--durable: a sync that does not end is exit 5 after --lock-timeout" {
    strm topic create t
    echo a | strm produce --sync never t
    sync_lock t 0
    refuses 5 '' strm tail --durable --lock-timeout 200ms t
}

@test "-F -i committed waits at an open transaction" {
    python "$BATS_TEST_DIRNAME/transactions.py" txn-0
    start strm tail -F ./txn-0 >out
    start strm tail -F -i uncommitted ./txn-0 >all
    eventually holds out $'plain\ncommitted'
    eventually last_of_all later
    # What ends it, as a broker would write it.
    python "$BATS_TEST_DIRNAME/transactions.py" txn-0 commit
    eventually holds out $'plain\ncommitted\nopen\nlater'
}

last_of_all() {
    [ "$(tail -n 1 all)" = "$1" ]
}

@test "-F of a topic that is deleted is exit 4" {
    fill
    start strm tail -F -n 1 t >out 2>errors
    id=$!
    eventually holds out $'19\n119'
    strm topic rm -y t
    ends 4 "$id"
    grep -q '^strm: t-[01]' errors
}

# The fields of /proc/PID/stat: 14 and 15 are user and system time in ticks.
ticks() {
    sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 12,13
}

@test "an idle follower uses no processor, and does not wake up" {
    fill
    start strm tail -F t >out
    id=$!
    eventually test -s out
    sleep 0.1
    before=$(ticks "$id")
    switches=$(grep ctxt "/proc/$id/status")
    sleep 0.5
    [ "$(ticks "$id")" = "$before" ]
    [ "$(grep ctxt "/proc/$id/status")" = "$switches" ]
}

@test "a stopped follower holds up nobody, and then prints what it missed" {
    fill
    start strm tail -F -n 1 t:0 >out
    id=$!
    eventually holds out 19
    kill -STOP "$id"
    start_time=${EPOCHREALTIME/[.,]/}
    seq 20 50000 | strm produce t:0
    [ $(((${EPOCHREALTIME/[.,]/} - start_time) / 1000)) -lt 3000 ]
    [ "$(strm tail -n 1 t:0)" = 50000 ]
    kill -CONT "$id"
    eventually last_line 50000
    cmp out <(seq 19 50000)
}

@test "a follower that a raised log start overtakes is told, or goes on there" {
    fill
    start strm tail -F -n 1 t:0 >out 2>errors
    told=$!
    start strm tail -F -n 1 --clamp t:0 >clamped
    clamps=$!
    eventually holds out 19
    eventually holds clamped 19
    strm trim -q t:0@15
    strm produce t:0 <<<20
    eventually holds out $'19\n20'
    eventually holds clamped $'19\n20'
    kill -STOP "$told" "$clamps"
    seq 21 29 | strm produce t:0
    strm trim -q t:0@25
    kill -CONT "$told" "$clamps"
    ends 4 "$told"
    [ "$(<out)" = $'19\n20' ]
    grep -q 'offsets 21 to 24 were removed' errors
    eventually holds clamped "$(printf '%s\n' 19 20 {25..29})"
}

@test "a follower whose reader is slow loses nothing" {
    strm topic create t
    mkfifo slow
    start bash -c 'exec strm tail -F t@start >slow'
    exec 6<slow
    seq 300000 | strm produce --sync never t
    head -n 1 <&6 >/dev/null
    exec 7<&6 6<&-
    timeout 5 sed '/^300000$/q' <&7 >rest || :
    [ "$(tail -n 1 rest)" = 300000 ]
    exec 7<&-
}

@test "control characters are escaped on a terminal" {
    command -v script >/dev/null || skip 'no script(1)'
    printf '\e[31m\n' | strm produce --create t
    [ "$(script -qec 'strm tail t' /dev/null </dev/null | tr -d '\r')" = '\x1b[31m' ]
    [ "$(strm tail t)" = $'\e[31m' ]
}

@test "a broker's lock and a writer's lock keep no follower out" {
    fill
    broker_lock
    append_lock t 0
    prints '19' -n 1 t:0
    start strm tail -F -n 1 t:0 >out
    eventually holds out 19
}

@test "following changes nothing, not even a file's time of access" {
    fill
    find "$STRM_DIR" -type f -exec touch -a -d @1 {} +
    find "$STRM_DIR" -printf '%p %s %T@ %C@\n' | sort >before
    start strm tail -F t >out
    eventually test -s out
    find "$STRM_DIR" -printf '%p %s %T@ %C@\n' | sort | diff before -
    [ "$(stat -c %X "$(log t 0)")" -eq 1 ]
    [ "$(stat -c %X "$STRM_DIR/t-0/.strm-state")" -eq 1 ]
}
