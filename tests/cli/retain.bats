#!/usr/bin/env bats
# strm retain: which segments go, why, and what keeps them.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records
load upkeep

# Segments of 1, 2, 3 and 4 December, at noon.
december() {
    fill "$1" 2025-12-0{1,2,3,4}T12:00:00Z
}

# The same, which no age takes.
forever() {
    december "$1"
    strm topic alter "$1" --set retention.ms=-1
}

@test "help names every option and exits 0" {
    run -0 strm retain --help
    for option in --older --keep-bytes --keep-records --force-clock \
        --if-unlocked --all --dry-run --json --lock-timeout \
        --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
}

@test "a wrong line is exit 2" {
    refuses 2 "give an address, or --all" strm retain
    refuses 2 "--nonsense" strm retain --nonsense t
    refuses 2 "--older" strm retain --older x t
    refuses 2 "--keep-bytes" strm retain --keep-bytes x t
    refuses 2 "--keep-records" strm retain --keep-records -1 t
    strm topic create t
    refuses 2 "give addresses or --all" strm retain --all t
    refuses 2 "without @" strm retain t@5
    refuses 2 "not one file" strm retain "$(log t 0)"
}

@test "what is not there is exit 4" {
    refuses 4 "nothing" strm retain nothing
    refuses 4 "/nothing" strm retain ./nothing
    refuses 4 "nothing" strm -C ./nothing retain --all
}

@test "a partition that is gone is named once, by who opens it and who writes" {
    strm topic create t
    mv "$STRM_DIR/t-0" away
    ln -s "$PWD/away" "$STRM_DIR/t-0"
    for command in retain trim maintain roll; do
        [ $command = trim ] && point=:0@0 || point=
        run -4 --separate-stderr strm $command -q "t$point"
        [ "$stderr" = "strm: t-0: the partition was deleted" ]
    done
    run -4 --separate-stderr strm repair t
    [ "$stderr" = "strm: t-0: the partition was deleted" ]
    run -4 --separate-stderr bash -c 'echo x | strm produce t'
    [[ $stderr == "strm: t-0: cannot open directory: "* ]]
}

@test "retention.ms takes the oldest segments, up to the first young one" {
    december t
    # The run gives back the bytes that the plan says.
    planned=$(at '2025-12-10 18:00:00' strm retain -N t |
        sed -n 's/.* \([0-9]*\) bytes would be deleted/\1/p')
    [ "$planned" -gt 0 ]
    run -0 --separate-stderr at '2025-12-10 18:00:00' strm retain t
    [ "$output" = "t-0: 3 segments, 30 records, $planned bytes deleted; it starts at offset 30" ]
    [ -z "$stderr" ]
    [ "$(segments t)" = "30 40" ]
    run -0 strm verify -q t
    [ -z "$output" ]
    [ "$(strm consume t | wc -l)" -eq 10 ]
    refuses 4 "30 to 39" strm consume t@29
    [ "$(strm consume --clamp t@29 | wc -l)" -eq 10 ]
    [ "$(cat "$STRM_DIR/t-0/leader-epoch-checkpoint")" = $'0\n1\n0 30' ]
    [ -z "$(find "$STRM_DIR" -name '*.deleted')" ]
    # Nothing is left to do.
    run -0 at '2025-12-10 18:00:00' strm retain t
    [ "$output" = "1 partition: 0 segments, 0 records, 0 bytes deleted" ]
}

@test "the age of a segment is that of its newest record" {
    fill t 2025-12-01T12:00:00Z
    echo | strm produce t --timestamp 2025-12-06T12:00:00Z
    echo | strm produce t --timestamp 2025-12-02T12:00:00Z
    strm roll t
    fill t 2025-12-01T12:00:00Z
    run -0 at '2025-12-10 18:00:00' strm retain t
    [ "$(segments t)" = "10 12 22" ]
}

@test "retention.bytes never leaves less than it says" {
    december t
    size=$(stat -c %s "$(log t 0)")
    strm topic alter t --set retention.ms=-1 \
        --set retention.bytes=$((2 * size + 1))
    run -0 strm retain t
    [ "$(segments t)" = "10 20 30 40" ]
    strm topic alter t --set retention.bytes=$((2 * size))
    run -0 strm retain t
    [ "$(segments t)" = "20 30 40" ]
}

@test "options take the place of the setting of their kind" {
    december t
    size=$(stat -c %s "$(log t 0)")
    strm topic alter t --set retention.ms=1h \
        --set retention.bytes=$((3 * size))
    # The size rule is still the topic's.
    run -0 at '2025-12-05 00:00:00' strm retain --older 30d t
    [ "$(segments t)" = "10 20 30 40" ]
    run -0 at '2025-12-05 00:00:00' strm retain --older 60h t
    [ "$(segments t)" = "20 30 40" ]
    strm topic alter t --set retention.ms=-1 --set retention.bytes=1
    run -0 strm retain --keep-bytes 1GiB t
    [ "$(segments t)" = "20 30 40" ]
    run -0 strm retain --keep-bytes $((size + 1)) t
    [ "$(segments t)" = "20 30 40" ]
    run -0 strm retain --keep-bytes "$size" t
    [ "$(segments t)" = "30 40" ]
}

@test "--keep-records keeps the newest, by whole segments" {
    december t
    strm topic alter t --set retention.ms=-1
    run -0 strm retain --keep-records 41 t
    run -0 strm retain --keep-records 31 t
    [ "$(segments t)" = "0 10 20 30 40" ]
    run -0 strm retain --keep-records 30 t
    [ "$(segments t)" = "10 20 30 40" ]
    seq 5 | strm produce t
    run -0 strm retain --keep-records 15 t
    [ "$(segments t)" = "30 40" ]
    run -0 strm retain --keep-records 0 t
    [ "$(segments t)" = "40" ]
    [ "$(strm consume t | wc -l)" -eq 5 ]
}

@test "what is below the log start goes, whatever the limits" {
    december t
    strm topic alter t --set retention.ms=-1 --set cleanup.policy=compact
    strm trim -q --force t:0@25
    run -0 strm retain -v t
    [[ $output == *" log-start  below the log start offset 25"* ]]
    [[ $output == *" stays      not below the log start offset 25"* ]]
    [ "$(segments t)" = "20 30 40" ]
    [ "$(strm consume -f '%o\n' t | head -n 1)" = 25 ]
    run -0 strm verify -q t
}

@test "-N prints the plan with reasons and changes nothing" {
    december t
    size=$(stat -c %s "$(log t 0)")
    strm topic alter t --set retention.bytes=$((3 * size))
    before=$(sums)
    run -0 --separate-stderr at '2025-12-10 18:00:00' strm retain -N t
    [ -z "$stderr" ]
    [ "${#lines[@]}" -eq 6 ]
    [[ ${lines[0]} == "PARTITION  SEGMENT  RECORDS  BYTES  LARGEST TIME  "*"RULE   WHY" ]]
    [[ ${lines[1]} == "t-0              0       10    $size  2025-12-01T12:00:00.000Z  size   $((3 * size)) bytes without it, limit $((3 * size))" ]]
    [[ ${lines[2]} == *" 2025-12-02T12:00:00.000Z  time   newest record is 8d6h old, limit 7d" ]]
    [[ ${lines[3]} == *" time   newest record is 7d6h old, limit 7d" ]]
    [[ ${lines[4]} == *" stays  0 bytes without it, limit $((3 * size)); newest record is 6d6h old, limit 7d" ]]
    [ "${lines[5]}" = "1 partition: 3 segments, 30 records, $((3 * size)) bytes would be deleted" ]
    [ "$(sums)" = "$before" ]
    # Also for who may not write.
    let_nobody_in
    chmod -R a+rX "$STRM_DIR"
    run -0 nobody strm retain -N --force-clock t
}

@test "-J prints a line for each segment and a summary" {
    december t
    run -0 --separate-stderr at '2025-12-10 18:00:00' strm retain -J t
    [ -z "$stderr" ]
    jq() { python -c '
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(*[row.get(name) for name in sys.argv[1:]])' "$@"; }
    [ "$(jq type base_offset next_offset records rule deleted active evidence <<<"$output")" = \
        $'segment 0 10 10 time True False batches
segment 10 20 10 time True False batches
segment 20 30 10 time True False batches
segment 30 40 10 stays False False batches
summary None None 30 None None None None' ]
    [ "$(jq largest_timestamp why <<<"${lines[0]}")" = \
        "1764590400000 newest record is 9d6h old, limit 7d" ]
    [ "$(jq topic partition dry_run segments log_start_offset log_end_offset \
        only_active clock_refused locked careful <<<"${lines[4]}")" = \
        "t 0 False 3 30 40 False False False False" ]
}

@test "-q prints nothing, -v the table" {
    december t
    run -0 at '2025-12-09 18:00:00' strm retain -v t
    [[ ${lines[0]} == "t-0: 2 segments, 20 records, "*" bytes deleted; it starts at offset 20" ]]
    [[ ${lines[1]} == PARTITION* ]]
    [ "${#lines[@]}" -eq 6 ]
    run -0 at '2025-12-10 18:00:00' strm retain -q t
    [ -z "$output" ]
    [ "$(segments t)" = "30 40" ]
}

@test "a partition with only an active segment says so" {
    seq 10 | strm produce --create t --timestamp 2025-12-01
    run -0 --separate-stderr strm retain --force-clock t
    [ "$stderr" = "strm: t-0: has only an active segment, which never goes: strm roll closes it" ]
    [ "$(segments t)" = 0 ]
    seq 10 | strm produce --create u
    run -0 --separate-stderr strm retain --all
    [ "$stderr" = "strm: 2 partitions have only an active segment, which never goes: strm roll closes it" ]
    run -0 --separate-stderr strm retain -q --all
    [ -z "$stderr$output" ]
    # One that is empty has nothing to roll.
    strm topic create empty
    run -0 --separate-stderr strm retain empty
    [ -z "$stderr" ]
}

@test "--all takes every topic of the store" {
    december t
    december u
    strm topic alter u --set retention.ms=-1
    run -0 --separate-stderr at '2025-12-10 18:00:00' strm retain --all
    [[ ${lines[0]} == "t-0: 3 segments, "* ]]
    [[ ${lines[1]} == "2 partitions: 3 segments, 30 records, "* ]]
    [ -z "$stderr" ]
    [ "$(segments t) $(segments u)" = "30 40 0 10 20 30 40" ]
    rm -r "${STRM_DIR:?}"
    mkdir "$STRM_DIR"
    run -0 --separate-stderr strm retain --all
    [ -z "$output$stderr" ]
}

@test "a topic that is only compacted keeps its records" {
    december t
    strm topic alter t --set cleanup.policy=compact
    run -0 --separate-stderr strm retain --force-clock t
    [ "$output" = "1 partition: 0 segments, 0 records, 0 bytes deleted" ]
    [ -z "$stderr" ]
    refuses 2 "no \"delete\"" strm retain --older 1d t
    refuses 2 "no \"delete\"" strm retain -N --keep-bytes 1 t
    run -0 --separate-stderr strm retain --all --keep-records 0
    [ "$stderr" = "strm: t-0: its cleanup.policy has no \"delete\", so no limit is for it" ]
    [ "$(segments t)" = "0 10 20 30 40" ]
    strm topic alter t --set cleanup.policy=compact,delete
    run -0 strm retain --keep-records 0 t
    [ "$(segments t)" = 40 ]
}

@test "a topic that has no settings has Kafka's defaults when it is named" {
    december t
    december u
    rm -r "$STRM_DIR/.strm" "$STRM_DIR"/*/.strm-state
    mv "$STRM_DIR/u-0" "$STRM_DIR/__consumer_offsets-0"
    # Its own settings are not known, and were perhaps others.
    run -0 --separate-stderr at '2025-12-10 18:00:00' strm retain --all
    [ "$(segments t)" = "0 10 20 30 40" ]
    run -0 at '2025-12-10 18:00:00' strm retain --all --older 8d
    [ "$(segments t)" = "20 30 40" ]
    run -0 at '2025-12-10 18:00:00' strm retain "$STRM_DIR/t-0"
    [ "$(segments t)" = "30 40" ]
    # Kafka's own topics are compacted.
    refuses 2 "no \"delete\"" strm retain --older 1d __consumer_offsets
    run -0 strm retain --force-clock __consumer_offsets
    [ "$(segments __consumer_offsets)" = "0 10 20 30 40" ]
}

@test "a directory of another name has no log start, and is retained" {
    december t
    mv "$STRM_DIR/t-0" copy
    run -0 strm retain --keep-records 0 ./copy
    [ "$(ls copy/*.log)" = copy/00000000000000000040.log ]
    [ ! -e log-start-offset-checkpoint ]
}

@test "a clock ten years behind deletes nothing" {
    december t
    run -0 --separate-stderr at '2015-12-10 00:00:00' strm retain t
    [ "$(segments t)" = "0 10 20 30 40" ]
    [ "$stderr" = "strm: t-0: 00000000000000000000.log: is kept for a record of 2025-12-01T12:00:00.000Z, which is in the future" ]
}

@test "a clock that jumped ahead empties no topic without --force-clock" {
    december t
    seq 10 | strm produce t --timestamp 2025-12-05T12:00:00Z
    for now in '2035-12-10 00:00:00' '2038-02-01 00:00:00' \
        '2025-12-19 13:00:00'; do
        run -1 --separate-stderr at "$now" strm retain t
        [ "$stderr" = "strm: t-0: by age all closed segments would go, and the newest record is of 2025-12-05T12:00:00.000Z: is the clock right?  Then give --force-clock" ]
        [ "$(segments t)" = "0 10 20 30 40" ]
        run -1 at "$now" strm retain -N t
    done
    # The other rules go on.
    run -1 --separate-stderr at "$now" strm retain --keep-records 35 t
    [ "$(segments t)" = "10 20 30 40" ]
    run -0 at "$now" strm retain --force-clock t
    [ "$(segments t)" = 40 ]
    # Within two times segment.ms it is a topic that is little used.
    december u
    run -0 at '2025-12-18 11:00:00' strm retain u
    [ "$(segments u)" = 40 ]
}

@test "times before 1970 and none have the age of their file" {
    fill t @-5000 @-1 2025-12-04T12:00:00Z
    touch -d 2025-12-01T12:00:00Z "$STRM_DIR"/t-0/*0.log
    touch -d 2025-12-05T12:00:00Z "$STRM_DIR"/t-0/*10.log
    run -0 at '2025-12-10 18:00:00' strm retain -v t
    [[ $output == *" time   no timestamps, its file is 9d6h old, limit 7d"* ]]
    [[ $output == *" stays  no timestamps, its file is 5d6h old, limit 7d"* ]]
    [ "$(segments t)" = "10 20 30" ]
}

@test "a lying index neither keeps a segment nor takes it" {
    december t
    cd "$STRM_DIR/t-0"
    # The first claims to be young, the last to be old.
    python -c '
import struct
for name, time in (("0" * 20, 1 << 50), ("0" * 18 + "30", 1000)):
    open(name + ".timeindex", "wb").write(struct.pack(">qi", time, 9))'
    run -0 at '2025-12-10 18:00:00' strm retain t
    [ "$(segments t)" = "30 40" ]
}

@test "a damaged segment is kept as long as what it lost may be young" {
    december t
    printf '?' | dd of="$(log t 0)" bs=1 seek=100 conv=notrunc status=none
    touch -d 2025-12-07T12:00:00Z "$(log t 0)"
    run -0 at '2025-12-10 18:00:00' strm retain -v t
    [[ $output == *" stays  damaged, its latest sign is 3d6h old, limit 7d"* ]]
    [ "$(segments t)" = "0 10 20 30 40" ]
    touch -d 2025-12-01T12:00:00Z "$(log t 0)"
    run -0 at '2025-12-10 18:00:00' strm retain -v t
    [[ $output == *" time   damaged, its latest sign is 9d6h old, limit 7d"* ]]
    [ "$(segments t)" = "30 40" ]
}

@test "only another run is left out by --if-unlocked, not a writer in the way" {
    december t
    append_lock t 0
    run -5 --separate-stderr strm retain --keep-records 0 --if-unlocked --lock-timeout 50ms t
    [[ $stderr == "strm: t-0: "* && $stderr != *"left out"* ]]
}

@test "another run's lock is exit 5, and 0 with --if-unlocked" {
    december t
    december u
    hold_structure t 0
    run -5 --separate-stderr strm retain --keep-records 0 \
        --lock-timeout 50ms t
    [[ $stderr == "strm: t-0: "* ]]
    run -0 --separate-stderr strm retain --keep-records 0 --if-unlocked t u
    [ "$stderr" = "strm: t-0: left out, another run works on it" ]
    [[ $output == "u-0: 4 segments, "* ]]
    [ "$(segments t) $(segments u)" = "0 10 20 30 40 40" ]
    run -0 strm retain --keep-records 0 --if-unlocked -q -J t
    [[ $output == *'"locked":true'* ]]
}

@test "the settings that hold are those under the lock" {
    december t
    december u
    hold_structure t 0
    first=$holder
    hold_structure u 0
    start strm retain --keep-records 0 --lock-timeout 20s t 2>refused
    waiting=$!
    start strm trim --lock-timeout 20s u@30 2>kept
    trimming=$!
    sleep 0.3
    strm topic alter t --set cleanup.policy=compact
    strm topic alter u --set cleanup.policy=compact
    kill "$first" "$holder"
    ends 2 "$waiting"
    ends 2 "$trimming"
    [[ $(<refused) == *'cleanup.policy has no "delete"'* ]]
    [[ $(<kept) == *'cleanup.policy has no "delete"'* ]]
    [ "$(segments t) $(segments u)" = "0 10 20 30 40 0 10 20 30 40" ]
}

@test "a broker's lock is exit 5, also with --if-unlocked" {
    december t
    broker_lock
    run -5 strm retain --keep-records 0 --lock-timeout 50ms t
    run -5 strm retain --keep-records 0 --lock-timeout 50ms --if-unlocked t
    run -0 strm retain -N --keep-records 0 t
    [ "$(segments t)" = "0 10 20 30 40" ]
}

@test "one partition that fails does not stop the others: exit 7" {
    december t
    december u
    december v
    hold_structure u 0
    run -7 --separate-stderr strm retain --keep-records 0 \
        --lock-timeout 50ms --all
    [[ $stderr == "strm: u-0: "* ]]
    [ "$(segments t) $(segments u) $(segments v)" = "40 0 10 20 30 40 40" ]
    run -7 strm retain nothing v
    echo '{' >"$STRM_DIR/.strm/topics/u.json"
    run -7 --separate-stderr strm retain --all
    [[ $stderr == *"u"* ]]
}

@test "a write that fails is exit 6" {
    december t
    refuses 6 "standard output" \
        bash -c 'strm retain --keep-records 0 t >/dev/full'
    [ "$(id -u)" -eq 0 ] || {
        december u
        chmod a-w "$STRM_DIR/u-0"
        run -6 strm retain --keep-records 0 u
        chmod u+w "$STRM_DIR/u-0"
    }
}

@test "a closed pipe ends it by SIGPIPE, in silence" {
    forever t
    closed_pipe strm retain -N t
}

@test "a full disk is no hindrance" {
    forever t
    cat >full <<'EOS'
head -c 16M /dev/zero >"$STRM_DIR/ballast" 2>/dev/null
strm retain --keep-records 10 t
EOS
    run -0 --separate-stderr on_disk 512 bash full
    [[ $output == "t-0: 3 segments, 30 records, "* ]]
    [[ $stderr == "strm: t-0: "*"No space left on device; segments go one by one without it" ]]
    [ "$(segments t)" = "30 40" ]
    run -0 strm verify -q t
    [ "$(strm consume t | wc -l)" -eq 10 ]
}

@test "a checkpoint that is none is left alone, and no hindrance" {
    forever t
    echo nonsense >"$STRM_DIR/log-start-offset-checkpoint"
    run -0 --separate-stderr strm retain --keep-records 10 t
    [[ $stderr == *"; segments go one by one without it" ]]
    [ "$(segments t)" = "30 40" ]
    [ "$(cat "$STRM_DIR/log-start-offset-checkpoint")" = nonsense ]
}

@test "producers go on meanwhile, and nothing is lost" {
    strm topic create t --set segment.bytes=2000
    cat >produce <<'EOS'
for i in $(seq 1 3000); do echo "$i"; done | strm produce t --batch-bytes 100
EOS
    start bash produce
    producer=$!
    while kill -0 "$producer" 2>/dev/null; do
        strm retain -q --keep-records 200 t
        strm verify -q t
    done
    ends 0 "$producer"
    strm roll -q t
    strm retain -q --keep-records 200 t
    strm consume t >kept
    [ "$(wc -l <kept)" -ge 200 ]
    [ "$(tail -n 1 kept)" = 3000 ]
    first=$(head -n 1 kept)
    [ "$first" -gt 1 ]
    cmp kept <(seq "$first" 3000)
    run -0 strm verify -q t
}

@test "a follower at the end sees no segment go" {
    december t
    start strm consume -F t@end >seen 2>said
    follower=$!
    sleep 0.2
    for i in 1 2 3; do
        echo "$i" | strm produce t
        eventually grep -qx "$i" seen
        strm roll -q t
        strm retain -q --keep-records 0 t
    done
    echo last | strm produce t
    eventually grep -q last seen
    [ "$(paste -s -d ' ' seen)" = "1 2 3 last" ]
    [ ! -s said ]
    kill "$follower"
}

@test "a follower that is overtaken exits 4 and names what there is" {
    fill t 2025-12-01
    start strm consume -F t >seen 2>said
    follower=$!
    eventually grep -qx 10 seen
    kill -STOP "$follower"
    fill t 2025-12-01 2025-12-01
    echo new | strm produce t
    strm retain -q --keep-records 1 t
    [ "$(segments t)" = 30 ]
    kill -CONT "$follower"
    ends 4 "$follower"
    [[ $(cat said) == "strm: "*"30"* ]]
    # It may have read the segment that it had open to its end before it
    # looked where the log starts now.
    [[ $(wc -l <seen) == @(10|20) ]]
}

@test "many at once, of all kinds, wait for each other" {
    strm topic create t --set segment.bytes=500 --set retention.ms=-1
    ids=()
    for i in 1 2 3; do
        for command in "retain -q --keep-records 60 t" "trim -q t@-90" \
            "roll -q t" "retain -q --if-unlocked --keep-records 80 t"; do
            # shellcheck disable=SC2016,SC2086  # for the inner shell; words
            start bash -c 'for i in 1 2 3 4 5; do
                    strm "$@" || exit
                done' bash $command
            ids+=("$!")
        done
        seq 300 | strm produce t --batch-bytes 50
    done
    for id in "${ids[@]}"; do
        ends 0 "$id"
    done
    strm consume -f '%o\n' t >kept
    [ "$(wc -l <kept)" -ge 60 ]
    cmp kept <(seq "$(head -n 1 kept)" 899)
    run -0 strm verify -q t
    [ -z "$output" ]
}
