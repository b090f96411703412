#!/usr/bin/env bats
# strm compact: what goes and what stays, when it is worth it, and who may be
# there meanwhile.
# shellcheck disable=SC2030,SC2031  # each test is a process, as it should be
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records
load upkeep

# topic NAME [SETTING...]: one that is compacted.
topic() {
    local name=$1 settings=(--set cleanup.policy=compact) setting

    shift
    for setting; do
        settings+=(--set "$setting")
    done
    strm topic create "$name" "${settings[@]}"
}

# put TOPIC KEY=VALUE...: a record each; KEY= is a tombstone.
put() {
    local topic=$1

    shift
    printf '%s\n' "$@" |
        strm produce -q -Z -K = --timestamp 2026-03-01T10:30:00Z "$topic"
}

# what TOPIC: its records, "offset key=value", in one line.
what() {
    strm consume -f '%o %k=%v\n' "$@" | paste -s -d ,
}

# table TOPIC: what a reader from the start knows in the end.
table() {
    strm consume -K = "$1" | awk -F = '
        $2 == "" { delete value[$1]; next }
        { value[$1] = $0 }
        END { for (key in value) print value[key] }' | sort
}

# noise TOPIC RECORDS KEYS: skewed, a tombstone now and then.
noise() {
    awk -v n="$2" -v keys="$3" 'BEGIN {
        srand(7)
        for (i = 0; i < n; i++) {
            key = int(rand() * rand() * keys)
            print "key" key "=" (rand() < 0.1 ? "" : "value" i)
        }
    }' | strm produce -q -Z -K = --batch-bytes 1000 "$1"
}

# json FIELD...: those of each line of standard input, between blanks.
json() {
    python -c '
import json, sys
for line in map(json.loads, sys.stdin):
    print(*(line.get(name, "-") for name in sys.argv[1:]))' "$@"
}

# The clean point of partition 0 of a topic.
clean_point() {
    awk -v topic="$1" '$1 == topic && $2 == 0 { print $3 }' \
        "$STRM_DIR/cleaner-offset-checkpoint"
}

# log_sums: one line for all files of logs, and that of the clean points.
log_sums() {
    sums | grep -v '/\.strm/'
}

@test "upkeep makes no log in a directory that has none" {
    mkdir -p other/dir-3 other/more-0
    echo mine >other/more-0/notes
    for command in "compact --force" retain maintain roll "trim"; do
        for dir in dir-3 more-0; do
            [ "$command" = trim ] && point=@0 || point=
            # shellcheck disable=SC2086  # words
            run -0 --separate-stderr strm $command "./other/$dir$point"
            [ "$stderr" = "strm: $dir: holds no segment, so there is nothing to do" ]
        done
        # shellcheck disable=SC2086  # words
        [ "$command" = trim ] || run -0 strm -C other ${command% *} -q --all
    done
    [ "$(cd other && find . | sort | paste -s -d ' ')" = \
        ". ./dir-3 ./more-0 ./more-0/notes" ]
}

@test "help names every option and exits 0" {
    run -0 strm compact --help
    for option in --force --why --jobs --memory --if-unlocked --all \
        --dry-run --json --lock-timeout --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
}

@test "a wrong line is exit 2" {
    refuses 2 "give an address, or --all" strm compact
    refuses 2 "--nonsense" strm compact --nonsense t
    refuses 2 "--memory" strm compact --memory x t
    refuses 2 "--memory must be" strm compact --memory 4095 t
    refuses 2 "--jobs cannot be 0" strm compact -j 0 t
    topic t
    refuses 2 "give addresses or --all" strm compact --all t
    refuses 2 "without @" strm compact t@5
    put t a=1
    refuses 2 "not one file" strm compact "$(log t 0)"
}

@test "what is not there is exit 4" {
    refuses 4 "nothing" strm compact nothing
    refuses 4 "/nothing" strm compact ./nothing
    refuses 4 "nothing" strm -C ./nothing compact --all
    topic t
    refuses 4 "partition 3" strm compact t:3
}

@test "the newest record of each key stays, as it was" {
    topic t
    put t a=1 b=1 a=2 c= b=2
    strm roll -q t
    put t a=3
    strm consume -J t >before
    run -0 --separate-stderr strm compact t
    [[ $output == "t-0: 2 of 5 records went (2 superseded), "*" bytes; 1 tombstone stays; "*" s, "*" records/s, "*" MB/s" ]]
    [ -z "$stderr" ]
    [ "$(what t)" = "2 a=2,3 c=,4 b=2,5 a=3" ]
    strm consume -J t | while read -r line; do
        grep -qxF "$line" before
    done
    [ "$(clean_point t)" -eq 5 ]
    run -0 strm verify -q t
    [ -z "$output" ]
    [ -z "$(find "$STRM_DIR" -name '*.cleaned' -o -name '*.swap' -o -name '*.deleted')" ]
}

@test "a consumer from the start builds the same table before and after" {
    for codec in none gzip snappy lz4 zstd; do
        topic "$codec" compression.type="${codec/none/uncompressed}" \
            segment.bytes=20000
        noise "$codec" 3000 500
        strm roll -q "$codec"
        noise "$codec" 200 500
        table "$codec" >before
        records=$(strm consume "$codec" | wc -l)
        strm compact -q "$codec"
        table "$codec" | cmp - before
        [ "$(strm consume "$codec" | wc -l)" -lt "$records" ]
        # One record of a key below the clean point, and all above it.
        [ -z "$(strm consume -f '%k\n' "$codec@..3000" | sort | uniq -d)" ]
        [ "$(strm consume "$codec@3000" | wc -l)" -eq 200 ]
        run -0 strm verify -q "$codec"
    done
}

@test "a second run changes no byte, forced or not" {
    topic t segment.bytes=20000
    noise t 3000 500
    strm roll -q t
    strm compact -q t
    log_sums >before
    run -0 --separate-stderr strm compact t
    [ "$output" = "t-0: not compacted: nothing to clean between the clean point 3000 and offset 3000" ]
    log_sums | cmp - before
    run -0 --separate-stderr strm compact --force t
    [[ $output == "t-0: 0 of "*" records went, 0 of "*" bytes; "* ]]
    log_sums | cmp - before
    run -0 strm compact -N --force t
    log_sums | cmp - before
}

@test "segments of which nothing is left become one, once" {
    topic t segment.bytes=600
    for i in $(seq 12); do
        put t "a=$i$(printf '%0500d' "$i")"
        [ "$i" -ne 6 ] || put t "b=1$(printf '%0500d' 1)"
    done
    strm roll -q t
    strm compact -J -N t >plan
    strm compact -J t >result
    # Six empty ones, b, six empty ones but for the last.
    [ "$(find "$STRM_DIR/t-0" -name '*.log' -size 0 -printf '%f\n' | sort)" = \
        $'00000000000000000000.log\n00000000000000000007.log\n00000000000000000013.log' ]
    for file in plan result; do
        [ "$(tail -n 1 "$file" | json segments_in segments_out segments_same)" = "13 4 2" ]
    done
    [ "$(head -n 13 plan | json group | paste -s -d ' ')" = \
        "0 0 0 0 0 0 None 6 6 6 6 6 None" ]
    [ "$(strm consume -f '%o %k\n' t | paste -s -d ,)" = "6 b,12 a" ]
    run -0 strm verify -q t
    log_sums >before
    strm compact -q --force t
    log_sums | cmp - before
}

@test "below the dirty ratio it says so, with the numbers" {
    topic t
    put t a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1
    strm roll -q t
    strm compact -q t
    put t a=2
    strm roll -q t
    sums >before
    run -0 --separate-stderr strm compact t
    [[ $output == "t-0: not compacted: dirty ratio 0."*" ("*" of "*" bytes), not above 0.50" ]]
    sums | cmp - before
    run -0 --separate-stderr strm compact -q t
    [ -z "$output$stderr" ]
    run -0 strm compact -v --force t
    [[ $output == "t-0: 1 of 9 records went (1 superseded), "*" (forced; dirty ratio 0."* ]]
    [ "$(what t)" = "1 b=1,2 c=1,3 d=1,4 e=1,5 f=1,6 g=1,7 h=1,8 a=2" ]
    put t a=3
    strm roll -q t
    strm topic alter t --set min.cleanable.dirty.ratio=0.01
    run -0 strm compact t
    [[ $output == "t-0: 1 of "* ]]
}

@test "only an active segment: strm roll closes it" {
    topic t
    put t a=1 a=2
    run -0 --separate-stderr strm compact t
    [ "$output" = "t-0: not compacted: only an active segment, which is never cleaned: strm roll closes it" ]
    run -0 strm compact --force t
    [[ $output == *"strm roll closes it" ]]
    [ "$(what t)" = "0 a=1,1 a=2" ]
    # Nothing in it: there is nothing to roll.
    topic empty
    run -0 strm compact empty
    [ "$output" = "empty-0: not compacted: only an active segment, which is never cleaned" ]
}

@test "a topic that is not to be compacted is exit 2, and skipped by --all" {
    topic t
    put t a=1 a=2
    strm roll -q t
    strm topic create d
    echo x | strm produce d
    strm roll -q d
    refuses 2 'd-0: cleanup.policy has no "compact" (strm topic alter d --set cleanup.policy=compact)' \
        strm compact d
    run -0 --separate-stderr strm compact --all
    [[ ${lines[0]} == "t-0: 1 of 2 records went"* ]]
    [ "${#lines[@]}" -eq 1 ]
    run -0 --separate-stderr strm compact --all -v
    [ "${lines[0]}" = 'd-0: not compacted: cleanup.policy has no "compact"' ]
    [ "$(strm consume d)" = x ]
    # Both policies at once will do.
    strm topic alter d --set cleanup.policy=compact,delete
    run -0 strm compact d
}

@test "a topic of a broker takes --force, and --all leaves it alone" {
    mkdir "$STRM_DIR/b-0"
    topic t
    put t a=1 a=2 b=1
    strm roll -q t
    cp "$STRM_DIR/t-0"/*[0-9].* "$STRM_DIR/b-0"
    refuses 2 "b-0: a topic that strm did not make" strm compact b
    refuses 2 "--force" strm compact -N b
    run -0 strm compact --all --force
    [[ $output == "t-0: "* && ${#lines[@]} -eq 1 ]]
    run -0 strm compact --force b
    [[ $output == "b-0: 1 of 3 records went (1 superseded)"* ]]
    [ "$(what b)" = "1 a=2,2 b=1" ]
    [ "$(clean_point b)" -eq 3 ]
    # A directory that is no partition by its name has no clean point.
    cp -r "$STRM_DIR/b-0" copy
    run -0 strm compact --force ./copy
    [ "$(strm consume ./copy | wc -l)" -eq 2 ]
}

@test "a store that a broker holds is exit 5" {
    topic t
    put t a=1 a=2
    strm roll -q t
    broker_lock
    refuses 5 "broker" strm compact t
    refuses 5 "broker" strm compact --if-unlocked t
    [ "$(what t)" = "0 a=1,1 a=2" ]
}

@test "only another run is left out by --if-unlocked, not a writer in the way" {
    topic t
    put t a=1 a=2
    strm roll -q t
    append_lock t 0
    run -5 --separate-stderr strm compact --if-unlocked --lock-timeout 50ms t
    [[ $stderr == "strm: t-0: "* && $stderr != *"left out"* ]]
}

@test "another run at work is waited for, or left out" {
    topic t
    put t a=1 a=2
    strm roll -q t
    hold_structure t 0
    refuses 5 "t-0" strm compact --lock-timeout 50ms t
    run -0 --separate-stderr strm compact --if-unlocked t
    [ -z "$output" ]
    [ "$stderr" = "strm: t-0: left out, another run works on it" ]
    run -0 --separate-stderr strm compact --if-unlocked -q t
    [ -z "$output$stderr" ]
    run -0 --separate-stderr strm compact --if-unlocked -J t
    [ "$(json verdict cleans <<<"$output")" = "locked False" ]
    # Looking needs no lock.
    run -0 strm compact -N t
    run -0 strm compact --why a t
    kill "$holder"
    run -0 strm compact t
    [ "$(what t)" = "1 a=2" ]
}

@test "tombstones go a day after they were compacted first" {
    topic t
    put t a=1 a= b=1
    strm roll -q t
    at '2026-03-02 12:00:00' strm compact -q t
    [ "$(what t)" = "1 a=,2 b=1" ]
    run -0 strm compact --why a t
    [[ ${lines[1]} == "t-0             1  "*"  none   "*"goes  "*"2026-03-03T12:00:0"* ]]
    at '2026-03-03 11:59:00' strm compact -q --force t
    [ "$(what t)" = "1 a=,2 b=1" ]
    run -0 at '2026-03-03 12:01:00' strm compact --force t
    [[ $output == "t-0: 1 of 2 records went (1 expired tombstone), "*"; 0 tombstones stay; "* ]]
    [ "$(what t)" = "2 b=1" ]
}

@test "delete.retention.ms is how long they stay" {
    topic t delete.retention.ms=0
    put t a=1 a= b=1
    strm roll -q t
    strm compact -q t
    [ "$(what t)" = "1 a=,2 b=1" ]
    strm compact -q --force t
    [ "$(what t)" = "2 b=1" ]
}

@test "min.compaction.lag.ms protects what is young" {
    topic t min.compaction.lag.ms=1d
    put t a=1 a=2
    strm roll -q t
    run -0 at '2026-03-02 10:00:00' strm compact t
    [[ $output == "t-0: not compacted: nothing to clean "*"; the rest is younger than min.compaction.lag.ms" ]]
    # The log says how old it is, whatever its index and file say.
    : >"$STRM_DIR/t-0/00000000000000000000.timeindex"
    touch -d 2020-01-01 "$(log t 0)"
    run -0 at '2026-03-02 10:00:00' strm compact --force t
    [ "$(what t)" = "0 a=1,1 a=2" ]
    run -0 at '2026-03-02 11:00:00' strm compact t
    [ "$(what t)" = "1 a=2" ]
}

@test "max.compaction.lag.ms makes it worth it" {
    topic t
    put t a=1 b=1 c=1 d=1 e=1 f=1
    strm roll -q t
    strm compact -q t
    put t a=2
    strm roll -q t
    run -0 at '2026-03-02 12:00:00' strm compact t
    [[ $output == *"not compacted: dirty ratio"* ]]
    strm topic alter t --set max.compaction.lag.ms=1d
    run -0 at '2026-03-02 12:00:00' strm compact -v t
    [[ $output == *"1 of 7 records went"*"(something has waited longer than max.compaction.lag.ms)" ]]
}

@test "nothing at or above an open transaction, and no aborted record" {
    python "$BATS_TEST_DIRNAME/transactions.py" "$STRM_DIR/x-0"
    # It has one segment and no keys: close it by hand, as a broker does.
    : >"$STRM_DIR/x-0/00000000000000000008.log"
    run -0 strm compact -J -N --force x
    [ "$(tail -n 1 <<<"$output" | json bound uncleanable_offset)" = "transaction 0" ]
    python "$BATS_TEST_DIRNAME/transactions.py" "$STRM_DIR/y-0"
    python "$BATS_TEST_DIRNAME/transactions.py" "$STRM_DIR/y-0" commit
    : >"$STRM_DIR/y-0/00000000000000000009.log"
    run -0 strm compact --force -J y
    [ "$(json bound uncleanable_offset aborted without_key <<<"$output")" = "active 9 2 4" ]
    run -0 strm verify -q y
}

@test "-N is a plan: what goes from each segment, and why" {
    topic t segment.bytes=300
    for i in 1 2 3 4; do
        put t a=$i "b$i=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        strm roll -q t
    done
    sums >before
    run -0 --separate-stderr strm compact -N t
    sums | cmp - before
    [ "${lines[0]}" = "PARTITION  SEGMENT  PART    RECORDS  BYTES  GO  FREES  INTO  WHY" ]
    [[ ${lines[1]} == "t-0              0  dirty         2 "*" 0  1 superseded" ]]
    [[ ${lines[3]} == "t-0              4  dirty         2 "*" 4  1 superseded" ]]
    [[ ${lines[4]} == "t-0              6  dirty         2 "*" 0  "*" -  nothing goes: left as it is" || ${lines[4]} == *"nothing goes" ]]
    [ "${lines[5]}" = "t-0              8  active        -      0   -      -     -  the active segment is never cleaned" ]
    [[ ${lines[6]} == "t-0: 3 of 8 records would go (3 superseded), "*" (dirty ratio 1.00 ("*"), above 0.50)" ]]
    strm compact -N -J t >plan
    [ "$(json type base_offset part records_in superseded <plan | head -n 2)" = \
        $'segment 0 dirty 2 1\nsegment 2 dirty 2 1' ]
    strm compact -J t >result
    for field in records_in records_out bytes_in bytes_out segments_out \
        superseded keys rounds clean_offset; do
        [ "$(tail -n 1 plan | json $field)" = "$(json $field <result)" ]
    done
    [ "$(json dry_run verdict <result)" = "False ratio" ]
}

@test "--why says what becomes of each record of a key" {
    topic t
    put t a=1 b=1 a=2
    strm roll -q t
    put t a=3
    sums >before
    run -0 --separate-stderr strm compact --why a t
    [ "${lines[1]}" = "t-0             0  2026-03-01T10:30:00.000Z  yes    goes   superseded by offset 2" ]
    [ "${lines[2]}" = "t-0             2  2026-03-01T10:30:00.000Z  yes    stays  the newest of its key that may be cleaned" ]
    [ "${lines[3]}" = "t-0             3  2026-03-01T10:30:00.000Z  yes    stays  in the active segment" ]
    [[ ${lines[4]} == "t-0: strm compact would run now: dirty ratio 1.00"* ]]
    sums | cmp - before
    run -0 strm compact --why a -q t
    [ "${#lines[@]}" -eq 4 ]
    strm compact --why a -J t >why
    [ "$(json offset stays reason by_offset <why | head -n 3)" = \
        $'0 False superseded 2\n2 True newest None\n3 True above None' ]
    refuses 1 'no record has the key "c"' strm compact --why c t
    strm compact -q t
    run -0 strm compact --why a t
    [[ ${lines[1]} == *"2  "*"below the clean point, and nothing newer above it" ]]
    [[ ${lines[3]} == "t-0: strm compact would not run now: nothing to clean "* ]]
}

@test "little memory makes rounds, with the same result" {
    topic one segment.bytes=100000
    topic many segment.bytes=100000
    noise one 6000 3000
    noise many 6000 3000
    strm roll -q one many
    run -0 strm compact -J one
    [ "$(json rounds <<<"$output")" -eq 1 ]
    run -0 strm compact -J -N --memory 4096 many
    [ "$(tail -n 1 <<<"$output" | json rounds)" -eq 1 ]
    run -0 strm compact --memory 4096 many
    [[ $output == *"; in "*" rounds" ]]
    strm consume -K = one >one.txt
    strm consume -K = many | cmp - one.txt
    [ "$(clean_point many)" = 6000 ]
    run -0 strm verify -q many
}

@test "segments are counted over all rounds" {
    topic t segment.bytes=3000
    noise t 3000 1500
    strm roll -q t
    before=$(find "$STRM_DIR/t-0" -name '*.log' | wc -l)
    strm topic alter t --set segment.bytes=20000
    run -0 strm compact -J --memory 4096 t
    [ "$(json rounds <<<"$output")" -gt 1 ]
    after=$(find "$STRM_DIR/t-0" -name '*.log' | wc -l)
    [ "$after" -lt "$before" ]
    # The active one is in neither.
    [ "$(json segments_in segments_out segments_same <<<"$output")" = \
        "$((before - 1)) $((after - 1)) 0" ]
}

@test "several partitions at once, and one that fails keeps none from its turn" {
    strm topic create t --partitions 4 --set cleanup.policy=compact
    noise t 4000 400
    strm roll -q t
    printf X | dd of="$(log t 2)" bs=1 seek=70 conv=notrunc status=none
    run -7 --separate-stderr strm compact -j 3 t
    [ "$(grep -c ' records went ' <<<"$output")" -eq 4 ]
    [[ $output == *"3 partitions: "* ]]
    [[ $stderr == "strm: t-2: 00000000000000000000.log: "*"CRC"* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
    # All of those that are asked for fail: their own status.
    refuses 3 "CRC" strm compact t:2
    [ ! -e "$STRM_DIR/t-2/00000000000000000000.log.cleaned" ]
}

@test "producers and readers go on meanwhile, and nothing is lost" {
    topic t segment.bytes=4000 min.cleanable.dirty.ratio=0.01
    cat >produce <<'EOS'
for i in $(seq 1 4000); do echo "key$((i % 50))=$i"; done |
    strm produce -K = --batch-bytes 200 t
EOS
    start strm consume -F -K = t >followed
    follower=$!
    start bash produce
    producer=$!
    rounds=0
    while kill -0 "$producer" 2>/dev/null || [ "$rounds" -lt 3 ]; do
        strm compact -q t
        strm verify -q t
        table t >/dev/null
        rounds=$((rounds + 1))
    done
    ends 0 "$producer"
    eventually grep -qx 'key0=4000' followed
    kill "$follower"
    strm roll -q t
    strm compact -q --force t
    [ "$(strm consume t | wc -l)" -eq 50 ]
    table t >after
    awk -F = '{ v[$1] = $0 } END { for (k in v) print v[k] }' followed |
        sort | cmp - after
    # In order, and none twice.
    awk -F = '$2 <= last { exit 1 } { last = $2 }' followed
}

@test "what an interrupted compaction left is finished or undone" {
    topic t
    put t a=1 a=2
    strm roll -q t
    cp "$(log t 0)" "$(log t 0).cleaned"
    echo x >"$STRM_DIR/t-0/00000000000000000000.index.cleaned"
    echo x >"$STRM_DIR/t-0/00000000000000000000.log.deleted"
    run -0 strm compact t
    [ "$(what t)" = "1 a=2" ]
    [ -z "$(find "$STRM_DIR" -name '*.cleaned' -o -name '*.deleted')" ]
    run -0 strm verify t
    [[ $output == *": sound" ]]
}

@test "a swap that is a second link to its own file is finished too" {
    # What a replica's swap leaves of segments in between that did not change.
    topic t
    put t a=1 b=2
    strm roll -q t
    for kind in log index timeindex; do
        ln "$STRM_DIR/t-0/00000000000000000000.$kind"{,.swap}
    done
    run -0 strm retain -q t
    [ -z "$(find "$STRM_DIR" -name '*.swap')" ]
    run -0 strm verify t
    [[ $output == *": sound" ]]
}

@test "a plan is of what the log is, settled or not, and needs no permission to write" {
    topic t
    put t a=1 a=2
    put t b=1 b=2
    # The swap is what counts, and the plain file of its name does not.
    cp "$(log t 0)" whole
    strm roll -q t
    put t c=1
    truncate -s "$(($(stat -c %s whole) / 2))" whole
    mv "$(log t 0)" "$(log t 0).swap"
    cp whole "$(log t 0)"
    log_sums >before
    run -0 --separate-stderr strm compact -N t
    [[ $output == *"t-0: 2 of 4 records would go (2 superseded)"* ]]
    note="strm: t-0: a compaction is under way, or was interrupted: what it left is put in place first"
    [ "$stderr" = "$note" ]
    run -0 --separate-stderr strm compact --why a t
    [ "${#lines[@]}" -eq 4 ]
    [ "$stderr" = "$note" ]
    run -0 --separate-stderr strm compact -q --why b t
    [[ ${lines[2]} == "t-0             3  "* && -z $stderr ]]
    log_sums | cmp - before
    mv "$(log t 0).swap" "$(log t 0)"
    let_nobody_in
    chmod -R a+rX,a-w "$STRM_DIR"
    run -0 nobody strm compact -N t
    [[ $output == *"t-0: 2 of 4 records would go"* ]]
    run -0 nobody strm compact --why a t
    chmod -R u+w "$STRM_DIR"
    # One that counts is put in place first.
    cp "$(log t 0)" "$(log t 0).swap"
    run -0 strm compact t
    [ "$(what t)" = "1 a=2,3 b=2,4 c=1" ]
}

@test "a plan beside compactions is a plan" {
    topic t segment.bytes=3000
    noise t 2000 50
    strm roll -q t
    cat >compactions <<'EOS'
while :; do
    noise t 300 50
    strm roll -q t
    strm compact -q --force t
done
EOS
    export -f noise
    start bash compactions
    compactions=$!
    for _ in $(seq 10); do
        strm compact -N t
        strm compact --why key1 t
        strm maintain -N t
    done >/dev/null
    kill "$compactions"
}

@test "a full disk fails, and leaves the log as it was" {
    topic t
    seq 20000 | awk '{ print "k" $1 "=" $1 }' | strm produce -q -K = t
    put t k1=x
    strm roll -q t
    cat >full <<'EOS'
head -c 16M /dev/zero >"$STRM_DIR/ballast" 2>/dev/null
strm compact t
EOS
    run -6 --separate-stderr on_disk 1024 bash full
    [[ $stderr == "strm: t-0: "*"No space left on device"* ]]
    [ "$(strm consume t | wc -l)" -eq 20001 ]
    [ -z "$(find "$STRM_DIR" -name '*.cleaned')" ]
    run -0 strm compact t
    [ "$(strm consume t | wc -l)" -eq 20000 ]
}

@test "a checkpoint file that is none is exit 3, and left alone" {
    topic t
    put t a=1 a=2
    strm roll -q t
    echo nonsense >"$STRM_DIR/cleaner-offset-checkpoint"
    for line in t "-N t" "--why a t"; do
        # shellcheck disable=SC2086  # words
        refuses 3 "t-0: $STRM_DIR/cleaner-offset-checkpoint: line 1: not a number (remove it: logs are then cleaned from their start)" \
            strm compact $line
    done
    [ "$(cat "$STRM_DIR/cleaner-offset-checkpoint")" = nonsense ]
    [ "$(what t)" = "0 a=1,1 a=2" ]
    rm "$STRM_DIR/cleaner-offset-checkpoint"
    run -0 strm compact t
    [ "$(what t)" = "1 a=2" ]
}

@test "a topic's clean point goes with the topic" {
    topic t
    topic u
    for name in t u; do
        put $name a=1 a=2
        strm roll -q $name
        strm compact -q $name
    done
    strm topic rm -y t
    [ -z "$(clean_point t)" ]
    [ "$(clean_point u)" -eq 2 ]
}

@test "a repair that cuts the log below the clean point lowers it" {
    topic t
    put t a=1
    put t a=2
    put t b=1
    strm roll -q t
    strm compact -q t
    [ "$(clean_point t)" -eq 3 ]
    rm "$STRM_DIR/t-0"/00000000000000000003.* "$STRM_DIR/t-0/.strm-state"
    truncate -s -1 "$(log t 0)"
    strm repair -q -y t >/dev/null
    [ "$(clean_point t)" -eq 2 ]
}

@test "a clean point of before a backup hides nothing" {
    topic t delete.retention.ms=0
    put t a=1 b=1
    cp -r "$STRM_DIR/t-0" was
    put t c=1 d=1 e=1 f=1
    strm roll -q t
    strm compact -q t
    [ "$(clean_point t)" -eq 6 ]
    rm -r "$STRM_DIR/t-0"
    cp -r was "$STRM_DIR/t-0"
    put t k=dead
    [ "$(clean_point t)" -eq 2 ]
    put t k=
    put t g=1 h=1 i=1
    strm roll -q t
    run -1 strm get t -k k
    strm compact -q t
    strm compact -q --force t
    run -1 strm get t -k k
    strm verify -q t
}

@test "a clean point that stands in a segment is not believed" {
    topic t
    put t a=1 b=1 k=dead
    put t k=
    put t c=1
    strm roll -q t
    printf '0\n1\nt 0 4\n' >"$STRM_DIR/cleaner-offset-checkpoint"
    strm compact -q --force t
    [ "$(what t)" = "0 a=1,1 b=1,3 k=,4 c=1" ]
}

@test "a stop ends it by its signal, with the log as it was" {
    topic t
    awk 'BEGIN { for (i = 0; i < 1500000; i++) print "k" i % 700001 "=" i }' |
        strm produce -q -K = --sync never t
    strm roll -q t
    sum=$(sha256sum <"$(log t 0)")
    strm compact t >out 2>&1 3>&- &
    child=$!
    eventually test -e "$(log t 0).cleaned"
    kill -TERM $child
    ends 143 $child
    [ ! -s out ]
    [ -z "$(find "$STRM_DIR" -name '*.cleaned' -o -name '*.swap')" ]
    [ "$(sha256sum <"$(log t 0)")" = "$sum" ]
}

@test "what cannot be printed is exit 6, and a closed pipe is quiet" {
    topic t
    put t a=1 a=2
    strm roll -q t
    refuses 6 "standard output" bash -c 'strm compact -N t >/dev/full'
    closed_pipe strm compact -N t
    refuses 6 "standard output" bash -c 'strm compact t >/dev/full'
    # It was done all the same.
    [ "$(what t)" = "1 a=2" ]
}
