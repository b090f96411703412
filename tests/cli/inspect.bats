#!/usr/bin/env bats
# strm inspect: everything that is in a directory, damage included.
# shellcheck disable=SC2154  # run sets variables
# shellcheck disable=SC2030,SC2031  # each test is a process, as it should be

load helper
load records

NAME=00000000000000000000

# Topic t with two batches: offsets 0 to 2 and 3.
fill() {
    strm topic create t
    printf '%s\n' a:1 b:2 a: | strm produce t -K : -Z \
        --timestamp 2026-03-01T10:30:00Z
    echo c:4 | strm produce t -K : --timestamp 2026-03-01T10:30:05Z
}

# A foreign partition with transactions; see transactions.py.
foreign() {
    python "$BATS_TEST_DIRNAME/transactions.py" x/t-0
}

coordinators() {
    python "$BATS_TEST_DIRNAME/coordinator.py" "$STRM_DIR"
}

# field NAME: that member of each JSON line; jq is not there everywhere.
field() {
    python -c '
import json, sys
for line in sys.stdin:
    print(json.dumps(json.loads(line).get(sys.argv[1])))' "$1"
}

# only TYPE: the JSON lines of that type.
only() {
    grep "^{\"type\":\"$1\"," || :
}

# change FILE POSITION BYTE: write one byte, in octal.
change() {
    printf '%b' "\\0$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# ---- the command line ----------------------------------------------------

@test "help goes to standard output" {
    run -0 --separate-stderr strm inspect --help
    [[ ${lines[0]} == 'usage: strm inspect '* ]]
    [ -z "$stderr" ]
}

@test "a wrong command line is exit 2" {
    refuses 2 'too few arguments: ADDRESS|PATH is missing' strm inspect
    refuses 2 'no such option' strm inspect --frobnicate t ||
        refuses 2 '' strm inspect --frobnicate t
    fill
    refuses 2 'shows nothing else' strm inspect --hand-over --records t
    refuses 2 '' strm inspect t@x
    refuses 2 '' strm inspect --max-batch-bytes=lots t
}

@test "what is not there is exit 4" {
    refuses 4 'no such topic' strm inspect none
    refuses 4 'cannot find' strm inspect ./none
    fill
    refuses 4 'no partition 7' strm inspect t:7
    refuses 4 'no offset 99' strm inspect t@99
}

@test "--clamp takes the nearest offset, as the error says" {
    fill
    refuses 4 '(--clamp takes the nearest)' strm inspect --records t@99..
    run -0 --separate-stderr strm inspect --clamp --records t@99..
    [ "$(grep -c '^ *[0-9]' <<<"$output")" -eq 0 ]
    run -0 --separate-stderr strm inspect --clamp --records t@2..99
    [ "$(grep -c '^ *[23] ' <<<"$output")" -eq 2 ]
}

@test "a file that is nothing of Kafka's is told as such" {
    echo text >some.txt
    run -0 strm inspect ./some.txt
    [ "$output" = 'note some.txt: other-file: size 5' ]
}

# ---- text ----------------------------------------------------------------

@test "the overview has a row for each segment, in columns" {
    fill
    run -0 --separate-stderr strm inspect t
    [ "${lines[0]}" = "partition t-0 in $STRM_DIR/t-0" ]
    [[ ${lines[1]} == 'SEGMENT '*' BYTES  BATCHES  RECORDS  FIRST  LAST  FROM '* ]]
    [[ ${lines[2]} == "$NAME "*'        2        4      0     3  2026-03-01T10:30:00.000Z  2026-03-01T10:30:05.000Z '* ]]
    [[ $output == *'.strm-state slot '*'next offset 4'* ]]
    [[ $output == *'leader epoch 0 from offset 0'* ]]
    [[ $output == *'partition.metadata: topic_id '* ]]
    [ -z "$stderr" ]
}

@test "batches and records are lines of their own" {
    fill
    run -0 strm inspect --batches t
    [ ${#lines[@]} -eq 4 ]
    [[ ${lines[2]} =~ ^\ +0\ +[0-9]+\ +0\ +2\ +3\ none ]]
    [[ ${lines[3]} =~ ^\ +[0-9]+\ +[0-9]+\ +3\ +3\ +1\ none ]]
    run -0 strm inspect --records t
    [ ${#lines[@]} -eq 5 ]
    [[ ${lines[1]} =~ ^\ +0\ 2026-03-01T10:30:00.000Z\ \{\"key\":\"a\",\"value\":\"1\"\}$ ]]
    [[ ${lines[3]} == *'{"key":"a","value":null}' ]]
}

@test "-n stops after so many records, or batches" {
    fill
    [ "$(strm inspect -J --records -n 2 t | wc -l)" -eq 2 ]
    [ "$(strm inspect -J --records -n 0 t | wc -l)" -eq 0 ]
    [ "$(strm inspect -J --batches -n 1 t | wc -l)" -eq 1 ]
}

@test "a range alone shows what lies in it" {
    fill
    run -0 strm inspect -J t@1..3
    [ "$(only record <<<"$output" | field offset | xargs)" = '1 2' ]
    [ "$(only batch <<<"$output" | wc -l)" -eq 1 ]
    run -0 strm inspect -J --records t@-1
    [ "$(field offset <<<"$output")" = 3 ]
    run -0 strm inspect -J --records t@1..+2
    [ "$(field offset <<<"$output" | xargs)" = '1 2' ]
    run -0 strm inspect -J --records t@2026-03-01T10:30:01Z
    [ "$(field offset <<<"$output")" = 3 ]
    run -0 strm inspect -J --records "$STRM_DIR/t-0@3"
    [ "$(field offset <<<"$output")" = 3 ]
}

@test "control bytes never reach a terminal" {
    printf 'k:\033[31mred\n' | strm produce --create -K : esc
    run -0 script -qec 'strm inspect --records esc' /dev/null
    [[ $output == *'\u001b[31mred'* ]]
    [[ $output != *$'\033'* ]]
}

# ---- JSON ----------------------------------------------------------------

@test "-J alone is all there is, a line each" {
    fill
    run -0 --separate-stderr strm inspect -J t
    [ "$(field type <<<"$output" | sort | uniq -c | xargs)" = \
        "2 batch 1 leader_epoch 1 offset_index 1 partition_metadata 4 record 1 segment 2 strm_state 1 summary 1 time_index$(
            only time_index_entry <<<"$output" | sed 's/.*/ 1 time_index_entry/')" ]
    [ "$(only summary <<<"$output" | field records)" = 4 ]
    [ "$(only record <<<"$output" | field value | xargs)" = '1 2 null 4' ]
    [ "$(only batch <<<"$output" | field valid | xargs)" = 'true true' ]
    [ "$(only strm_state <<<"$output" | field next_offset | sort -n | tail -n 1)" = 4 ]
    [ -z "$stderr" ]
}

@test "records of -J are those of consume" {
    fill
    printf 'k\xff:\xfe\n' | strm produce t -K :
    strm inspect -J --records t | python -c '
import json, sys
for line in map(json.loads, sys.stdin):
    print(json.dumps([line["offset"], line["timestamp"], line.get("key"),
        line.get("key_b64"), line.get("value"), line.get("value_b64"),
        line["headers"]]))' >ours
    strm consume -J t | python -c '
import json, sys
for line in map(json.loads, sys.stdin):
    print(json.dumps([line["offset"], line["ts"], line.get("key"),
        line.get("key_b64"), line.get("value"), line.get("value_b64"),
        line["headers"]]))' >theirs
    diff ours theirs
    grep -q '/w==\|a/8=' ours
}

@test "one file alone can be shown" {
    fill
    printf 'version: 0\ntopic_id: abc' >partition.metadata
    printf '#\ncluster.id=C\nnode.id=1\nversion=1\n' >meta.properties
    printf '{"version":0,"brokerEpoch":7}' >.kafka_cleanshutdown
    printf '0\n1\nt 0 5\n' >recovery-point-offset-checkpoint
    run -0 strm inspect -J "$STRM_DIR/t-0/$NAME.log"

    [ "$(only record <<<"$output" | wc -l)" -eq 4 ]
    [ "$(only time_index <<<"$output" | wc -l)" -eq 0 ]
    run -0 strm inspect -J "$STRM_DIR/t-0/$NAME.timeindex"
    [ "$(only time_index <<<"$output" | wc -l)" -eq 1 ]
    run -0 strm inspect -J "$STRM_DIR/t-0/.strm-state"
    [ "$(only strm_state <<<"$output" | wc -l)" -eq 2 ]
    run -0 strm inspect -J ./meta.properties ./partition.metadata \
        ./.kafka_cleanshutdown ./recovery-point-offset-checkpoint
    [ "${lines[0]}" = '{"type":"meta_properties","cluster.id":"C","node.id":"1","version":1}' ]
    [[ ${lines[1]} == '{"type":"partition_metadata","version":0,"topic_id":"abc",'* ]]
    [ "${lines[2]}" = '{"type":"clean_shutdown","broker_epoch":7}' ]
    [ "${lines[3]}" = '{"type":"checkpoint","file":"recovery-point-offset-checkpoint","topic_partition":"t-0","offset":5}' ]
}

@test "a store is its partitions and then what is its own" {
    fill
    strm produce --create u <<<x
    printf '#\ncluster.id=C\nnode.id=1\nversion=1\n' >"$STRM_DIR/meta.properties"
    printf '0\n2\nt 0 2\ngone 3 9\n' >"$STRM_DIR/replication-offset-checkpoint"
    mkdir "$STRM_DIR/t-0.0123456789abcdef0123456789abcdef-delete"
    run -0 strm inspect -J "$STRM_DIR"
    [ "$(only segment <<<"$output" | field partition | xargs)" = 't-0 u-0' ]
    [ "$(only checkpoint <<<"$output" | field topic_partition | xargs)" = 't-0 gone-3' ]
    [ "$(only meta_properties <<<"$output" | field cluster.id)" = '"C"' ]
    [ "$(only note <<<"$output" | field kind)" = '"leftover-directory"' ]
}

# ---- damage --------------------------------------------------------------

@test "a bad batch is shown where it stands, and what follows it" {
    fill
    change "$(log t 0)" 70 377
    run -3 --separate-stderr strm inspect -J t
    [ "$(only batch <<<"$output" | field valid | xargs)" = 'false true' ]
    [ "$(only record <<<"$output" | field offset)" = 3 ]
    [ "$(only problem <<<"$output" | field kind)" = '"invalid-batch"' ]
    [ "$(only problem <<<"$output" | field damage)" = true ]
    run -3 strm inspect t
    [[ $output == *"damage  $NAME.log  invalid-batch  position 0: Record is corrupt (stored crc = "* ]]
}

# The base offset lies outside of the CRC.
@test "an offset that is missing is damage in a log of ours" {
    local size

    fill
    size=$(batches "$(log t 0)" | sed -n '1s/.* //p')
    change "$(log t 0)" $((size + 7)) 011
    run -3 strm inspect -J t
    [ "$(only problem <<<"$output" | field kind)" = '"offset-gap"' ]
    [ "$(only problem <<<"$output" | field message)" = "\"position $size: offsets 3 to 8 are missing\"" ]
    mkdir foreign
    cp -r "$STRM_DIR/t-0" foreign/
    run -0 strm inspect -J foreign/t-0
}

@test "bytes that are no batch are a hole" {
    fill
    change "$(log t 0)" 11 001
    run -3 strm inspect -J t
    [ "$(only problem <<<"$output" | field kind)" = '"invalid-bytes"' ]
    [ "$(only record <<<"$output" | field offset)" = 3 ]
}

@test "a torn end is a problem and no failure" {
    fill
    truncate -s -1 "$(log t 0)"
    run -0 --separate-stderr strm inspect -J t
    [ "$(only problem <<<"$output" | field kind)" = '"trailing-bytes"' ]
    [ "$(only problem <<<"$output" | field damage)" = false ]
    [ "$(only record <<<"$output" | field offset | xargs)" = '0 1 2' ]
}

@test "an index that is missing or wrong is a problem and no failure" {
    fill
    rm "$STRM_DIR/t-0/$NAME.index"
    printf 12345 >"$STRM_DIR/t-0/$NAME.timeindex"
    run -0 strm inspect -J t
    [ "$(only problem <<<"$output" | field kind | xargs)" = 'missing-index timeindex-sanity' ]
}

@test "entries that lead to no batch are told" {
    fill
    printf '\0\0\0\2\0\0\0\7' >"$STRM_DIR/t-0/$NAME.index"
    run -0 strm inspect --index t
    [[ $output == *"problem $NAME.index: index-position: entry 0: no batch begins at 7"* ]]
}

@test "leftovers and what was set aside are notes" {
    fill
    echo x >"$STRM_DIR/t-0/.strm-cut-9"
    : >"$STRM_DIR/t-0/$NAME.log.deleted"
    run -0 strm inspect -J t
    [ "$(only note <<<"$output" | field kind | xargs)" = 'set-aside other-file' ]
}

@test "malformed small files are told and are no failure" {
    fill
    echo nonsense >"$STRM_DIR/t-0/leader-epoch-checkpoint"
    echo nonsense >"$STRM_DIR/replication-offset-checkpoint"
    echo nonsense >"$STRM_DIR/t-0/00000000000000000004.snapshot"
    run -0 strm inspect -J t
    [ "$(only problem <<<"$output" | field kind | xargs)" = 'malformed malformed malformed' ]
}

# ---- what Kafka keeps in records -----------------------------------------

@test "groups: the newest commit wins, aborted ones do not count" {
    coordinators
    run -0 --separate-stderr strm inspect --groups __consumer_offsets
    [ "${lines[1]}" = 'group "g" protocol_type "consumer" generation 4 protocol "range" leader "m-1" current_state_timestamp 1772361000000 members' ]
    [ "${lines[2]}" = '  member "m-1" client_id "client" client_host "/10.0.0.1" topics "t" assigned_partitions topic "t" partitions 0 1' ]
    [ "${lines[3]}" = 'GROUP  TOPIC  PARTITION  COMMITTED  EPOCH  TIME                      METADATA' ]
    [ "${lines[4]}" = 'g      t              0         42      2  2026-03-01T10:30:00.000Z  note' ]
    [ "${lines[5]}" = 'g      t              2          6      2  2026-03-01T10:30:00.000Z  -' ]
    [ "${lines[6]}" = 'g      t              3          ?      -  -                         -' ]
    [ "${lines[7]}" = '1 records of other types (--records shows them)' ]
    [ -z "$stderr" ]
}

@test "groups of another topic are a note" {
    fill
    run -0 --separate-stderr strm inspect --groups t
    [ -z "$output" ]
    [ "$stderr" = 'strm: t-0: no groups here: they lie in __consumer_offsets' ]
    run -0 --separate-stderr strm inspect -q --groups t
    [ -z "$stderr" ]
}

@test "groups as JSON have every field" {
    coordinators
    run -0 strm inspect -J --groups __consumer_offsets
    [ "${lines[1]}" = '{"type":"group_offset","group":"g","topic":"t","partition":0,"offset":42,"leader_epoch":2,"metadata":"note","commit_timestamp":1772361000000,"record_offset":3,"topic_partition":"__consumer_offsets-0"}' ]
    [[ ${lines[0]} == *'"subscription":{"topics":["t"],"user_data":null},"assignment":{"assigned_partitions":[{"topic":"t","partitions":[0,1]}],"user_data":null}}]'* ]]
}

@test "a type or version that is not known is shown with its bytes" {
    coordinators
    run -0 strm inspect --records __consumer_offsets@9
    [[ $output == *'"type":"unknown","key_version":3,"key_problem":"a key of type 3 is not known","raw_key":"\u0000\u0003\u0000\u0001g"'* ]]
    [[ $output == *'"value_version":9,"value_problem":"offset_commit, version 9: is not known","raw_value":"\u0000\t"'* ]]
}

@test "a value whose key is null is shown, in text and as JSON" {
    strm topic create t
    echo text | strm produce t
    mv "$STRM_DIR/t-0" "$STRM_DIR/__consumer_offsets-0"
    run -0 strm inspect --records __consumer_offsets
    [[ $output == *'"key":null,"value_problem":"the key, '*' is null","raw_value":"text"}}' ]]
    run -0 strm inspect -J --records __consumer_offsets
    [[ $output == *'"value":"text",'*'"raw_value":"text"}'* ]]
}

@test "transactions of the coordinator are decoded, tagged fields too" {
    coordinators
    run -0 strm inspect -J --records __transaction_state
    [[ $output == *'"key":{"transactional_id":"tx"}'* ]]
    [[ $output == *'"transaction_status":1,"transaction_status_name":"ongoing"'* ]]
    [[ $output == *'"client_transaction_version":2}'* ]]
}

@test "transactional ids that are in a transaction" {
    coordinators
    run -0 strm inspect -J --open-txns __transaction_state
    [ "$(field transactional_id <<<"$output")" = '"tx"' ]
    run -0 strm inspect --open-txns __transaction_state
    [[ ${lines[1]} == 'open transaction of id "tx" {"producer_id":1000,'*'"transaction_status_name":"ongoing"'* ]]
}

@test "control records are decoded" {
    coordinators
    foreign
    run -0 strm inspect -J --records x/t-0
    [ "$(field control_type <<<"$output" | xargs)" = \
        'null null null ABORT null COMMIT null null' ]
    run -0 strm inspect --records "$STRM_DIR/__cluster_metadata-0"
    [[ $output == *'{"control_type":"LEADER_CHANGE","decoded":{"value_version":0,"value":{"leader_id":1,"voters":[{"voter_id":1}],"granting_voters":[]}}}' ]]
}

@test "producers and open transactions" {
    foreign
    run -0 strm inspect -J --producers x/t-0
    [ "$(only producer <<<"$output" | field producer_id | sort | xargs)" = '1 2 3' ]
    run -0 strm inspect --open-txns x/t-0
    [ "${lines[1]}" = 'open transaction of producer 3, epoch 0, from offset 6, last written 2026-03-01T10:30:00.000Z' ]
    python "$BATS_TEST_DIRNAME/transactions.py" x/t-0 commit
    run -0 strm inspect --open-txns x/t-0
    [ "${lines[1]}" = 'no open transaction in this partition' ]
}

# ---- numbers -------------------------------------------------------------

@test "stats count keys, sizes, gaps and times" {
    fill
    run -0 --separate-stderr strm inspect -J --stats t
    python - "$output" <<'EOS'
import json, sys
line = json.loads(sys.argv[1])
assert line["type"] == "stats" and line["records"] == 4
assert line["batches"] == 2 and line["control_batches"] == 0
assert line["keys"]["distinct"] == 3 and not line["keys"]["is_estimate"]
assert line["keys"]["tombstones"] == 1 and line["keys"]["null"] == 0
assert line["keys"]["top"][0] == {"key": "a", "key_size": 1, "count": 2}
assert line["value_bytes"]["values"] == 3 and line["value_bytes"]["sum"] == 3
assert line["records_per_batch"]["max"] == 3
assert line["offsets"] == {"first": 0, "next": 4, "gaps": 0, "missing": 0,
                           "largest_gap": 0}
assert line["timestamps"]["max"] - line["timestamps"]["min"] == 5000
assert sum(step["records"] for step in line["rate"]) == 4
assert [c["codec"] for c in line["codecs"]] == ["none"]
assert line["codecs"][0]["ratio"] == 1
EOS
}

@test "stats draw bars in ASCII, whatever the locale" {
    fill
    LC_ALL=C strm inspect --stats t >one
    LC_ALL=C.UTF-8 strm inspect --stats t >two
    diff one two
    grep -q ' ####' one
    run -1 env LC_ALL=C grep '[^ -~]' one
}

@test "stats tell how well a codec did, and find gaps" {
    yes same | head -n 1000 | strm produce --create -z zstd z
    run -0 strm inspect -J --stats z
    python - "$output" <<'EOS'
import json, sys
line = json.loads(sys.argv[1])
assert line["codecs"][0]["codec"] == "zstd"
assert line["codecs"][0]["ratio"] > 10
assert line["keys"]["null"] == 1000
EOS
}

@test "more keys than are counted are estimated, and that is said" {
    seq -f '%.0f:' 1600000 | strm produce --create --sync never -K : many
    run -0 strm inspect -J --stats many
    python - "$output" <<'EOS'
import json, sys
keys = json.loads(sys.argv[1])["keys"]
assert keys["is_estimate"] and 1560000 < keys["distinct"] < 1640000, keys
EOS
}

# ---- to a broker ---------------------------------------------------------

@test "a directory of ours needs .strm/ out of the way" {
    fill
    run -1 --separate-stderr strm inspect --hand-over t
    [[ $output == *'missing  no .strm/ in the store'* ]]
    [ "${lines[-1]}" = 'not ready' ]
    mkdir broker
    cp -r "$STRM_DIR/t-0" broker/
    run -0 strm inspect --hand-over broker/t-0
    [ "${lines[-1]}" = ready ]
    [[ $output == *'ok       partition.metadata   topic id '* ]]
    [[ $output == *'ok       leader epochs '* ]]
    [[ $output == *'advice   files of strm '* ]]
}

@test "what a broker would trip over is missing" {
    fill
    mkdir broker
    cp -r "$STRM_DIR/t-0" broker/wrong
    rm broker/wrong/partition.metadata
    change "broker/wrong/$NAME.log" 70 377
    touch broker/.kafka_cleanshutdown
    rm "broker/wrong/$NAME.index"
    run -1 strm inspect -J --hand-over broker/wrong
    [ "$(grep '"verdict":"missing"' <<<"$output" | field item | xargs -d '\n')" = \
        '"directory name" "partition.metadata" "log files" "indexes"' ]
    [ "$(only hand_over_summary <<<"$output" | field ready)" = false ]
}

@test "an epoch file that is malformed is better none" {
    fill
    mkdir broker
    cp -r "$STRM_DIR/t-0" broker/
    printf '0\n2\n1 0\n0 5\n' >broker/t-0/leader-epoch-checkpoint
    run -1 strm inspect --hand-over broker/t-0
    [[ $output == *'missing  epoch file           malformed: remove'* ]]
    rm broker/t-0/leader-epoch-checkpoint
    run -0 strm inspect --hand-over broker/t-0
}

@test "after a clean shutdown nothing is made from the batches" {
    foreign
    printf 'version: 0\ntopic_id: Zm9vYmFyYmF6cXV4MTIzNA' >x/t-0/partition.metadata
    run -0 strm inspect --hand-over x/t-0
    [[ $output == *'ok       producer state       no .snapshot: the broker makes it'* ]]
    [[ $output == *'ok       epoch file           none: the broker makes it'* ]]
    touch x/.kafka_cleanshutdown
    printf '0\n1\nt 0 8\n' >x/recovery-point-offset-checkpoint
    run -1 strm inspect --hand-over x/t-0
    [[ $output == *'missing  epoch file           none, and '* ]]
    [[ $output == *'missing  producer state       no .snapshot, and '*'have neither .kafka_cleanshutdown nor '*' strm repair -y'* ]]
    [[ $output == *'ok       recovery point       the end of the log'* ]]
    # Either way out.
    cp -r x y
    strm repair -q -y x/t-0
    run -0 strm inspect --hand-over x/t-0
    [[ $output == *'ok       producer state       in snapshots and the batches'* ]]
    rm y/.kafka_cleanshutdown y/recovery-point-offset-checkpoint
    run -0 strm inspect --hand-over y/t-0
    # Not of the last epoch.
    printf '0\n0\n' >x/t-0/leader-epoch-checkpoint
    run -1 strm inspect --hand-over x/t-0
    [[ $output == *'missing  epoch file           lacks the last epoch, and '* ]]
}

@test "without a clean shutdown epochs come from the recovery point on" {
    strm topic create t --set segment.bytes=1048576
    head -c 3000000 /dev/zero | tr '\0' x | fold -w 1000 |
        strm produce t --batch-bytes 10000
    mkdir y
    mv "$STRM_DIR/t-0" y/
    rm y/t-0/leader-epoch-checkpoint
    printf '0\n1\nt 0 10\n' >y/recovery-point-offset-checkpoint
    run -0 strm inspect --hand-over y/t-0
    [[ $output == *'ok       epoch file           none: the broker makes it'* ]]
    printf '0\n1\nt 0 2900\n' >y/recovery-point-offset-checkpoint
    run -1 strm inspect --hand-over y/t-0
    [[ $output == *'missing  epoch file           none, and '* ]]
}

@test "a recovery point that is not the end is not of a clean shutdown" {
    fill
    mkdir y
    mv "$STRM_DIR/t-0" y/
    touch y/.kafka_cleanshutdown
    run strm inspect --hand-over y/t-0
    [[ $output == *'advice   recovery point       none, so .kafka_cleanshutdown '* ]]
    for point in 3 5; do
        printf '0\n1\nt 0 %s\n' $point >y/recovery-point-offset-checkpoint
        run -1 strm inspect --hand-over y/t-0
        [[ $output == *"missing  recovery point       $point, but the log ends at 4: "* ]]
    done
    printf '0\n1\nt 0 4\n' >y/recovery-point-offset-checkpoint
    run strm inspect --hand-over y/t-0
    [[ $output == *'ok       recovery point       the end of the log'* ]]
    [[ $output == *'ok       producer state       no batch of an idempotent'* ]]
}

@test "a broker that runs is seen" {
    fill
    broker_lock
    run -1 strm inspect --hand-over t
    [[ $output == *'missing  broker stopped       a broker has this store open'* ]]
}

# ---- the rest ------------------------------------------------------------

@test "a lost output is exit 6, a closed pipe is silent" {
    fill
    run -6 --separate-stderr bash -c 'strm inspect -J t >/dev/full'
    [[ $stderr == 'strm: standard output: '* ]]
    seq 200000 | strm produce --create --sync never big
    run -0 --separate-stderr bash -c 'strm inspect -J big | head -n 1 >/dev/null'
    [ -z "$stderr" ]
    run --separate-stderr bash -c 'set -o pipefail
        strm inspect -J big | head -n 1 >/dev/null'
    [ "$status" -eq 141 ]
}

@test "a directory that may not be read is exit 6" {
    fill
    chmod 755 "$STRM_DIR"
    chmod 000 "$STRM_DIR/t-0"
    let_nobody_in
    run -6 --separate-stderr nobody strm inspect "$STRM_DIR/t-0"
    chmod 755 "$STRM_DIR/t-0"
}

@test "nothing is written" {
    fill
    find "$STRM_DIR" -printf '%p %s %T@\n' | sort >before
    strm inspect --all t >/dev/null
    strm inspect --stats --producers --open-txns --groups t >/dev/null
    strm inspect --hand-over t >/dev/null || :
    find "$STRM_DIR" -printf '%p %s %T@\n' | sort >after
    diff before after
}

@test "a log that grows meanwhile is no damage" {
    strm topic create live
    seq 1000000 | strm produce live --sync never &
    for _ in 1 2 3 4 5 6 7 8; do
        run -0 --separate-stderr strm inspect --batches live
        [[ $output != *damage* ]]
    done
    wait
}
