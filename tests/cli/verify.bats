#!/usr/bin/env bats
# strm verify: what is wrong, where, and what it means.
# shellcheck disable=SC2016  # what is quoted is for another shell
# shellcheck disable=SC2030,SC2031  # each test is a process, as it should be
# shellcheck disable=SC2154  # run sets variables

load helper
load records

LOG=00000000000000000000.log
INDEX=00000000000000000000.index

# Topic t: 6 batches of one record, of 75 bytes each, in one segment.
fill() {
    strm topic create t --set index.interval.bytes=100
    for i in 1 2 3 4 5 6; do
        echo "line 0$i" | strm produce --timestamp "@$i" t
    done
}

# poke FILE BYTE TEXT: overwrite.
poke() {
    printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# json FIELD...: those of each finding of standard input, between blanks.
json() {
    python -c '
import json, sys
for line in map(json.loads, sys.stdin):
    if line["type"] == "finding":
        print(*(line[name] for name in sys.argv[1:]))' "$@"
}

@test "a sound topic is exit 0 and one line" {
    fill
    run -0 --separate-stderr strm verify t
    [ "$output" = '1 partition, 1 segment, 6 batches, 6 records, 450 bytes: sound' ]
    [ -z "$stderr" ]
    run -0 --separate-stderr strm verify -q t
    [ -z "$output$stderr" ]
}

@test "help, and a wrong command line is exit 2" {
    run -0 strm verify --help
    [[ $output == 'usage: strm verify '*'--jobs'* ]]
    refuses 2 'too few' strm verify
    refuses 2 'without @' strm verify t@5
    refuses 2 '--jobs' strm verify -j x t
    refuses 2 '--jobs cannot be 0' strm verify -j 0 t
    refuses 2 '--nothing' strm verify --nothing t
    refuses 2 'not a log file' strm verify /etc/hostname
}

@test "what is not there is exit 4" {
    fill
    refuses 4 'no' strm verify none
    refuses 4 'partition 3' strm verify t:3
    refuses 4 'cannot find' strm verify ./none
}

@test "what is not there keeps nothing from being checked" {
    fill
    run -4 --separate-stderr strm verify t none ./gone
    [[ $output == '1 partition, '*': sound' ]]
    [[ ${stderr_lines[0]} == *none* && ${stderr_lines[1]} == *./gone* ]]
    # A wrong command line is one as a whole.
    run -2 --separate-stderr strm verify t none t@5
    [ -z "$output" ]
    # The first failure decides.
    poke "$STRM_DIR/t-0/$LOG" 220 X
    run -4 --separate-stderr strm verify none t
    [[ ${lines[0]} == *'bad CRC'* ]]
}

@test "damage is exit 3, with file, byte, offsets and meaning" {
    fill
    poke "$STRM_DIR/t-0/$LOG" 220 X
    run -3 --separate-stderr strm verify t
    [ "${lines[0]}" = "$STRM_DIR/t-0/$LOG: byte 150: bad CRC; good batches go on at byte 225 (offset 2): readers stop before it; what is in it cannot be trusted" ]
    [ "${lines[1]}" = '1 partition, 1 segment, 5 batches, 5 records, 450 bytes: 1 finding of damage' ]
    [ ${#lines[@]} -eq 2 ]
    [ -z "$stderr" ]
    run -3 strm verify -q t
    [ ${#lines[@]} -eq 1 ]
}

@test "damage does not hide damage" {
    fill
    poke "$STRM_DIR/t-0/$LOG" 100 X
    poke "$STRM_DIR/t-0/$LOG" 250 X
    poke "$STRM_DIR/t-0/$LOG" 444 X
    poke "$STRM_DIR/t-0/$INDEX" 0 X
    poke "$STRM_DIR/t-0/partition.metadata" 40 "!"
    rm "$STRM_DIR/t-0/leader-epoch-checkpoint"
    strm verify -J t >out && false
    [ $? -eq 3 ]
    json kind file first_offset <out >found
    diff - found <<END
crc $LOG 1
index-entry $INDEX None
crc $LOG 3
crc $LOG 5
epochs leader-epoch-checkpoint None
metadata partition.metadata None
END
}

@test "JSON lines have all that there is" {
    fill
    poke "$STRM_DIR/t-0/$LOG" 220 X
    run -3 --separate-stderr strm verify -J t
    [ "${lines[0]}" = '{"type":"finding","severity":"damage","topic":"t","partition":0,"file":"'$LOG'","position":150,"first_offset":2,"last_offset":2,"kind":"crc","message":"bad CRC; good batches go on at byte 225","meaning":"readers stop before it; what is in it cannot be trusted"}' ]
    [ "${lines[1]}" = '{"type":"summary","topic":"t","partition":0,"segments":1,"batches":5,"records":5,"bytes":450,"log_start_offset":0,"log_end_offset":6,"damage":1,"notes":0}' ]
    [ ${#lines[@]} -eq 2 ]
}

@test "a name of any bytes is valid JSON" {
    fill
    touch "$STRM_DIR/t-0/"$'a"\xff\n.tmp'
    strm verify -J t | json kind severity file_b64 >found
    [ "$(cat found)" = "leftover note YSL/Ci50bXA=" ]
}

@test "several partitions, in order or in parallel, give the same" {
    strm topic create t --partitions 8
    seq 1000 | strm produce t
    for p in 2 5; do
        echo damaged | strm produce "t:$p"
        poke "$STRM_DIR/t-$p/$LOG" 70 X
    done
    strm verify -v t >one && false
    [ $? -eq 3 ]
    strm verify -v -j 4 t >four && false
    [ $? -eq 3 ]
    diff <(sort one) <(sort four)
    [ "$(tail -n 1 four)" = "$(tail -n 1 one)" ]
    [[ $(tail -n 1 one) == '8 partitions, 8 segments, '*': 2 findings of damage' ]]
    grep -c "^$STRM_DIR/t-[0-7]: " one | grep -qx 8
    strm verify -q t:0-1,3,6-7
    run -3 strm verify -q t:5
}

@test "a store, a partition and a file by path" {
    fill
    echo x | strm produce --create u
    run -0 strm verify "$STRM_DIR"/
    [[ $output == '2 partitions, '* ]]
    run -0 strm verify "$STRM_DIR/t-0" "$STRM_DIR/u-0/"
    [[ $output == '2 partitions, '* ]]
    run -0 strm verify "$STRM_DIR/t-0/$LOG"
    [[ $output == '1 partition, 1 segment, 6 batches'* ]]
    rm "$STRM_DIR/t-0/$INDEX"
    run -0 strm verify "$STRM_DIR/t-0/$LOG"
    run -3 strm verify "$STRM_DIR/t-0"
}

@test "torn and zero tails of a copy are findings, and readers only note" {
    fill
    cp -r "$STRM_DIR/t-0" .
    truncate -s 440 "t-0/$LOG"
    run -3 strm verify -J ./t-0
    [ "$(json kind position first_offset last_offset <<<"$output")" = \
        'torn-tail 375 5 None' ]
    truncate -s 375 "t-0/$LOG"
    strm verify -q ./t-0
    truncate -s 999 "t-0/$LOG"
    run -3 strm verify -J ./t-0
    [ "$(json kind position <<<"$output")" = 'zero-tail 375' ]
    strm consume ./t-0 | wc -l | grep -qx 5
}

@test "a log that is shorter than what was durable is damage" {
    fill
    truncate -s 375 "$STRM_DIR/t-0/$LOG"
    run -3 strm verify -J t
    [ "$(json kind position first_offset last_offset <<<"$output")" = \
        'lost-tail 375 5 5' ]
}

@test "notes are exit 0" {
    fill
    touch "$STRM_DIR/t-0/$LOG.deleted"
    run -0 strm verify t
    [[ ${lines[0]} == "$STRM_DIR/t-0/$LOG.deleted: note: about to be removed: "* ]]
    [[ ${lines[1]} == *': sound, 1 note' ]]
}

@test "the topic's id is held against settings and other partitions" {
    strm topic create t --partitions 2
    poke "$STRM_DIR/t-1/partition.metadata" 30 0
    poke "$STRM_DIR/t-1/partition.metadata" 31 0
    run -3 strm verify -J t
    [ "$(json kind partition file <<<"$output")" = \
        'metadata 1 partition.metadata' ]
    rm -r "$STRM_DIR/.strm"
    run -3 strm verify -J t
    [ "$(json kind partition <<<"$output")" = $'metadata 0\nmetadata 1' ]
}

@test "an offset index that lost its entries is short, by its time index" {
    local name=00000000000000000000
    strm topic create t --set index.interval.bytes=70 \
        --set segment.bytes=600
    for i in 1 2 3 4 5 6 7 8 9; do
        echo "line 0$i" | strm produce --timestamp "@$i" t
    done
    mkdir b
    cp -r "$STRM_DIR/t-0" b/
    rm b/t-0/.strm-state
    [ "$(stat -c %s "b/t-0/$name.timeindex")" -eq 84 ]
    [ "$(stat -c %s "b/t-0/$name.index")" -eq 56 ]
    # A broker was stopped twice, for all that is known.
    truncate -s 32 "b/t-0/$name.index"
    run -0 strm verify -q ./b/t-0
    truncate -s 24 "b/t-0/$name.index"
    run -3 strm verify -J ./b/t-0
    [ "$(json kind file position <<<"$output")" = "index-short $name.index 24" ]
    # It was, when another leader followed.  The CRC leaves epochs out.
    poke "b/t-0/$LOG" 540 '\x01'
    rm b/t-0/leader-epoch-checkpoint
    run -3 strm verify -J ./b/t-0
    [[ $(json kind <<<"$output") != *index-short* ]]
    : >"b/t-0/$name.index"
    run -3 strm verify -J ./b/t-0
    [[ $(json kind <<<"$output") == *index-short* ]]
}

@test "an emptied time index of a closed segment is short" {
    local name=00000000000000000000
    strm topic create t --set segment.bytes=150
    for i in 1 2 3; do
        echo "line 0$i" | strm produce --timestamp "@$i" t
    done
    mkdir b
    cp -r "$STRM_DIR/t-0" b/
    rm b/t-0/.strm-state
    : >"b/t-0/$name.timeindex"
    run -3 strm verify -J ./b/t-0
    [ "$(json kind file <<<"$output")" = "index-short $name.timeindex" ]
}

@test "an index with entries whose log is gone tells of a lost log" {
    local name=00000000000000000002
    strm topic create t --set index.interval.bytes=100 \
        --set segment.bytes=150
    for i in 1 2 3 4 5 6; do
        echo "line 0$i" | strm produce --timestamp "@$i" t
    done
    mkdir b
    cp -r "$STRM_DIR/t-0" b/
    rm b/t-0/.strm-state
    [ -s "b/t-0/$name.timeindex" ]
    run -0 strm verify ./b/t-0
    mv "b/t-0/$name.log" kept
    run -3 strm verify -J ./b/t-0
    [[ $(json kind severity file first_offset last_offset <<<"$output") == \
        *"missing-segment damage $name.log 2 3"* ]]
    # As somebody renames it who is about to remove it.
    cp kept "b/t-0/$name.log.deleted"
    run -0 strm verify -J ./b/t-0
    # Retention takes the first ones.
    rm "b/t-0/$name.log.deleted" b/t-0/0*0.*
    sed -i 's/^0 0$/0 4/' b/t-0/leader-epoch-checkpoint
    run -0 strm verify -J ./b/t-0
    # The newest.
    cp kept "b/t-0/$name.log"
    rm b/t-0/00000000000000000004.log
    echo 000000000000 >b/t-0/00000000000000000004.timeindex
    run -3 strm verify -J ./b/t-0
    [[ $(json kind file <<<"$output") == \
        *'missing-segment 00000000000000000004.log'* ]]
}

# broker OFFSET: topic t as a broker's store b, which closed it there.
broker() {
    fill
    mkdir b
    cp -r "$STRM_DIR/t-0" b/
    rm b/t-0/.strm-state
    printf '0\n1\nt 0 %s\n' "$1" >b/recovery-point-offset-checkpoint
    printf '0\n0\n' >b/log-start-offset-checkpoint
    touch b/.kafka_cleanshutdown
}

@test "a log ends where the broker closed it" {
    broker 6
    run -0 strm verify -q ./b/t-0
    poke "b/t-0/$LOG" 381 '\x01'
    run -3 strm verify -J ./b/t-0
    [ "$(json kind file first_offset <<<"$output")" = \
        'log-end ../recovery-point-offset-checkpoint 6' ]
    # It need not be the end while a broker is at work.
    rm b/.kafka_cleanshutdown
    run -0 strm verify -q ./b/t-0
    # What was flushed is there all the same.
    printf '0\n1\nt 0 9\n' >b/recovery-point-offset-checkpoint
    poke "b/t-0/$LOG" 381 '\x00'
    run -3 strm verify ./b/t-0
    [[ ${lines[0]} == *'the log ends at offset 6, but was flushed up to 9'* ]]
    # A repair that cut the log there explains it.
    touch b/t-0/.strm-cut-5
    run -3 strm verify ./b/t-0
    mv b/t-0/.strm-cut-5 b/t-0/.strm-cut-6
    run -0 strm verify ./b/t-0
    [[ $output == *'note: the log ends at offset 6, but was flushed up to 9'* ]]
    rm b/t-0/.strm-cut-6
    echo nonsense >b/recovery-point-offset-checkpoint
    run -3 strm verify -J ./b/t-0
    [ "$(json kind severity <<<"$output")" = 'checkpoint damage' ]
}

@test "a snapshot past the end of the log is damage" {
    broker 6
    rm b/recovery-point-offset-checkpoint
    printf '\0\1\x48\x67\x4b\xc7\0\0\0\0' \
        >b/t-0/00000000000000000006.snapshot
    run -0 strm verify -q ./b/t-0
    mv b/t-0/0000000000000000000{6,7}.snapshot
    run -3 strm verify -J ./b/t-0
    [ "$(json kind file first_offset <<<"$output")" = \
        'log-end 00000000000000000007.snapshot 6' ]
}

@test "a log start past the end of the log is damage" {
    broker 6
    printf '0\n1\nt 0 6\n' >b/log-start-offset-checkpoint
    run -0 strm verify -q ./b/t-0
    printf '0\n1\nt 0 7\n' >b/log-start-offset-checkpoint
    run -3 strm verify -J ./b/t-0
    [ "$(json kind severity file <<<"$output")" = \
        'checkpoint damage ../log-start-offset-checkpoint' ]
    printf '0\n7\nt 0 7\n' >b/log-start-offset-checkpoint
    run -3 strm verify -J ./b/t-0
    [ "$(json kind severity file <<<"$output")" = \
        'checkpoint damage ../log-start-offset-checkpoint' ]
}

@test "larger batches than asked for are damage" {
    fill
    run -3 strm verify --max-batch-bytes 70 t
    [[ $output == *'--max-batch-bytes'* ]]
}

@test "transactions that Kafka's client wrote are sound" {
    python "$BATS_TEST_DIRNAME/transactions.py" txn-0
    run strm verify -J ./txn-0
    # The script makes a log alone.
    [ "$(json kind <<<"$output" | sort -u)" = $'epochs\nmissing-index\ntxnindex' ]
}

@test "a partition that cannot be read is exit 6, with others 7" {
    strm topic create t --partitions 2
    seq 100 | strm produce t
    rm "$STRM_DIR/t-1/$LOG"
    mkdir "$STRM_DIR/t-1/$LOG"
    run -6 --separate-stderr strm verify t:1
    [[ $stderr == "strm: $STRM_DIR/t-1: $LOG: "* ]]
    run -7 --separate-stderr strm verify t
    [[ $output == '1 partition, '*': sound' ]]
}

@test "output that cannot be written is exit 6" {
    fill
    run -6 --separate-stderr bash -c 'strm verify t >/dev/full'
    [[ $stderr == 'strm: standard output: '* ]]
    run -6 bash -c 'strm verify t >&-'
}

@test "a closed pipe is a silent end" {
    fill
    closed_pipe strm verify t
}

@test "nothing is written, and a directory that cannot be written will do" {
    fill
    cp -r "$STRM_DIR/t-0" .
    rm t-0/.strm-state
    chmod -w t-0
    strm verify -q ./t-0
    chmod +w t-0
    [ ! -e t-0/.strm-state ]
    find "$STRM_DIR" -printf '%p %s %T@\n' | sort >before
    strm verify -q t
    find "$STRM_DIR" -printf '%p %s %T@\n' | sort | diff before -
}

@test "beside a writer nothing is found" {
    strm topic create t --set segment.bytes=20000 \
        --set index.interval.bytes=200
    (
        for i in $(seq 400); do
            seq "$i" $((i + 20)) | strm produce --sync never t
            [ -e stop ] && break
        done
    ) &
    for i in $(seq 40); do
        strm verify -q t || touch failed
    done
    touch stop
    wait
    [ ! -e failed ]
    strm verify -q t
}

@test "progress is for a terminal" {
    fill
    strm verify t 2>err
    [ ! -s err ]
}

# These logs have no indexes.  Epochs that fall are nothing that a reader minds.
@test "every bad log of the corpus is found, and no good one" {
    local corpus=${STRM_SOURCE_DIR:-$BATS_TEST_DIRNAME/../..}/format/corpus
    local file found count=0

    for file in "$corpus"/*.log; do
        mkdir -p c-0
        cp "$file" "c-0/$LOG"
        : >"c-0/$INDEX"
        found=$(strm verify -J ./c-0 | grep '"severity":"damage"' |
            grep -cvE '"kind":"(missing-index|leader-epoch|txnindex)"' || true)
        case $(basename "$file") in
        good-*) [ "$found" -eq 0 ] ;;
        *) [ "$found" -gt 0 ] ;;
        esac || {
            echo "$file: $found"
            return 1
        }
        rm -r c-0
        count=$((count + 1))
    done
    [ "$count" -gt 100 ]
}
