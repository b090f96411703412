#!/usr/bin/env bats
# strm trim: where a log starts.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records
load upkeep

# Segments of 1, 2 and 3 December, at noon, and an active one with 5 records.
make() {
    fill t 2025-12-0{1,2,3}T12:00:00Z
    seq 5 | strm produce t --timestamp 2025-12-04T12:00:00Z
    size=$(stat -c %s "$(log t 0)")
}

starts() {
    strm consume -f '%o\n' "$1" | head -n 1
}

@test "help names every option and exits 0" {
    run -0 strm trim --help
    for option in --force --dry-run --json --lock-timeout \
        --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
    [[ $output != *"--all "* ]]
}

@test "a wrong line is exit 2" {
    refuses 2 "too few arguments" strm trim
    refuses 2 "--nonsense" strm trim --nonsense t
    strm topic create t
    refuses 2 "give the point" strm trim t
    refuses 2 "give the point" strm trim t@1..2
    refuses 2 "give the point" strm trim t@..2
    refuses 2 "\"x\"" strm trim t@x
    refuses 2 "+7" strm trim t@+7
    echo | strm produce t
    refuses 2 "not one file" strm trim "$(log t 0)@0"
}

@test "what is not there is exit 4" {
    refuses 4 "nothing" strm trim nothing@1
    refuses 4 "/nothing" strm trim ./nothing@1
    strm topic create t
    refuses 4 "no partition 3" strm trim t:3@1
}

@test "the log start rises, durably, and readers honour it" {
    make
    run -0 --separate-stderr strm trim t:0@25
    [ "$output" = "t-0: starts at offset 25, not at 0; strm retain frees 2 segments, $((2 * size)) bytes" ]
    [ -z "$stderr" ]
    [ "$(cat "$STRM_DIR/log-start-offset-checkpoint")" = $'0\n1\nt 0 25' ]
    [ "$(starts t)" = 25 ]
    [ "$(strm consume t | wc -l)" -eq 10 ]
    refuses 4 "holds 25 to 34" strm consume t@24
    [ "$(strm consume --clamp t@24 | wc -l)" -eq 10 ]
    [ "$(cat "$STRM_DIR/t-0/leader-epoch-checkpoint")" = $'0\n1\n0 25' ]
    run -0 strm verify -q t
    [ -z "$output" ]
    run -0 strm repair t
    [ "$output" = "nothing to do" ]
    # What it said.
    strm topic alter t --set retention.ms=-1
    run -0 strm retain t
    [[ $output == "t-0: 2 segments, 20 records, "* ]]
    [ "$(segments t) $(starts t)" = "20 30 25" ]
    run -0 strm verify -q t
    [ -z "$output" ]
    run -0 strm repair t
    [ "$output" = "nothing to do" ]
    [ "$(echo | strm produce --ack t)" = "0 35" ] || strm consume t
}

@test "a log start within a batch is sound, and no repair moves it" {
    strm topic create t
    seq 1 40 | strm produce t --batch-bytes 1
    seq 1 40 | strm produce t
    for point in 25 60; do
        strm trim -q "t:0@$point"
        run -0 strm verify -q t
        [ -z "$output" ]
        run -0 strm repair t
        [ "$output" = "nothing to do" ]
        [ "$(cat "$STRM_DIR/t-0/leader-epoch-checkpoint")" = \
            "0"$'\n'"1"$'\n'"0 $point" ]
    done
    [ "$(starts t)" = 60 ]
}

@test "it never lowers, says so, and exits 0" {
    make
    strm trim -q t:0@25
    for point in 0 start 10 24 25 2025-12-01; do
        run -0 strm trim "t:0@$point"
        [ "$output" = "t-0: starts at offset 25 already, nothing to do" ]
    done
    [ "$(starts t)" = 25 ]
}

@test "above the log end is exit 4, the end itself is not" {
    make
    refuses 4 "t-0: no offset 36: the log ends at 35" strm trim t:0@36
    refuses 4 "no offset 36" strm trim -N t:0@36
    [ "$(starts t)" = 0 ]
    run -0 strm trim t:0@35
    [ -z "$(strm consume t)" ]
    run -0 strm verify -q t
    [ -z "$output" ]
    echo next | strm produce t
    [ "$(starts t)" = 35 ]
    run -0 strm verify -q t
    [ -z "$output" ]
}

@test "points are those of every address" {
    for case in "@end 35" "@-3 32" "@-99 0" \
        "@2025-12-02T12:00:00Z 10" "@2025-12-02T12:00:01Z 20" \
        "@2030-01-01 35" "@25.. 25"; do
        rm -rf "$STRM_DIR"
        mkdir "$STRM_DIR"
        make
        run -0 strm trim "t${case% *}"
        [ "$(starts t)" = "${case#* }" ] || [ "${case#* }" = 35 ]
        [ "${case#* }" -eq 0 ] || [[ $output == \
            "t-0: starts at offset ${case#* }, not at 0; "* ]]
    done
}

@test "several partitions and topics at once, each by its own time" {
    strm topic create u --partitions 2
    seq 4 | strm produce u -p 0 --timestamp 2025-12-01
    seq 4 | strm produce u -p 0 --timestamp 2025-12-03
    seq 7 | strm produce u -p 1 --timestamp 2025-12-01
    make
    run -0 strm trim u@2025-12-02 t@2025-12-02
    [ "${lines[0]}" = "u-0: starts at offset 4, not at 0; strm retain frees no segment by that" ]
    [ "${lines[1]}" = "u-1: starts at offset 7, not at 0; strm retain frees no segment by that" ]
    [[ ${lines[2]} == "t-0: starts at offset 10, "* ]]
    [ "$(cat "$STRM_DIR/log-start-offset-checkpoint")" = \
        $'0\n3\nu 0 4\nu 1 7\nt 0 10' ]
    # One that fails does not stop the others.
    run -7 --separate-stderr strm trim u@8
    [[ $stderr == "strm: u-1: no offset 8: the log ends at 7" ]]
    [ "${lines[0]}" = "u-0: starts at offset 8, not at 4; strm retain frees no segment by that" ]
}

@test "-N says what would be, and changes nothing" {
    make
    before=$(sums)
    run -0 strm trim -N t:0@25
    [ "$output" = "t-0: would start at offset 25, not at 0; strm retain frees 2 segments, $((2 * size)) bytes" ]
    run -0 strm trim -N -J t:0@25
    [ "$output" = '{"type":"trim","topic":"t","partition":0,"trimmed":false,"from_offset":0,"log_start_offset":25,"log_end_offset":35,"segments":2,"bytes":'$((2 * size))'}' ]
    [ "$(sums)" = "$before" ]
}

@test "-J and -q" {
    make
    run -0 --separate-stderr strm trim -J t:0@10
    [[ $output == *'"trimmed":true,"from_offset":0,"log_start_offset":10,'* ]]
    [ -z "$stderr" ]
    run -0 strm trim -J t:0@10
    [[ $output == *'"trimmed":false,"from_offset":10,"log_start_offset":10,'* ]]
    run -0 --separate-stderr strm trim -q t:0@20
    [ -z "$output$stderr" ]
    [ "$(starts t)" = 20 ]
}

@test "a topic that is only compacted is refused, but for --force" {
    make
    strm topic alter t --set cleanup.policy=compact
    refuses 2 "no \"delete\"" strm trim t@10
    refuses 2 "no \"delete\"" strm trim -N t@10
    [ ! -e "$STRM_DIR/log-start-offset-checkpoint" ]
    run -0 strm trim --force t@10
    [ "$(starts t)" = 10 ]
    strm topic alter t --set cleanup.policy=compact,delete
    run -0 strm trim t@20
}

@test "a directory that the store does not know by name is refused" {
    make
    mv "$STRM_DIR/t-0" copy
    refuses 2 "not named TOPIC-PARTITION" strm trim ./copy@10
}

@test "what was appended is durable before the log starts behind it" {
    strm topic create t
    seq 10 | strm produce --sync never t
    count_syncs strm trim -q t@10
    # The log, the checkpoint and the epochs.
    [ "$syncs" -ge 1 ]
    grep -q '^.*fdatasync' trace
}

@test "locks: another run's, and a broker's, are exit 5" {
    make
    hold_structure t 0
    run -5 strm trim --lock-timeout 50ms t@10
    run -0 strm trim -N t@10
    kill -KILL "$holder"
    wait "$holder" || :
    broker_lock
    run -5 strm trim --lock-timeout 50ms t@10
    [ "$(starts t)" = 0 ]
}

@test "a full disk and a checkpoint that is none leave the log start" {
    make
    cat >full <<'EOS'
head -c 16M /dev/zero >"$STRM_DIR/ballast" 2>/dev/null
strm trim t@10
EOS
    run -6 --separate-stderr on_disk 512 bash full
    [[ $stderr == *"No space left on device"* ]]
    [ -z "$output" ]
    [ "$(starts t)" = 0 ]
    echo nonsense >"$STRM_DIR/log-start-offset-checkpoint"
    refuses 3 "log-start-offset-checkpoint" strm trim t@10
    [ "$(cat "$STRM_DIR/log-start-offset-checkpoint")" = nonsense ]
}

@test "a follower at the end goes on" {
    make
    start strm consume -F t@end >seen 2>said
    follower=$!
    sleep 0.2
    strm trim -q t@end
    echo next | strm produce t
    eventually grep -qx next seen
    [ ! -s said ]
    kill "$follower"
}

@test "a write that fails is exit 6" {
    make
    refuses 6 "standard output" bash -c 'strm trim t@10 >/dev/full'
}

@test "a closed pipe ends it by SIGPIPE, in silence" {
    make
    closed_pipe strm trim t@10
}
