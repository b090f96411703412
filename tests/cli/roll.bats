#!/usr/bin/env bats
# strm roll: active segments that hold records are closed.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records
load upkeep

@test "help names every option and exits 0" {
    run -0 strm roll --help
    for option in --all --dry-run --json --lock-timeout \
        --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
}

@test "a wrong line is exit 2" {
    refuses 2 "give an address, or --all" strm roll
    refuses 2 "--nonsense" strm roll --nonsense t
    strm topic create t
    refuses 2 "give addresses or --all" strm roll --all t
    refuses 2 "without @" strm roll t@5
    refuses 2 "not one file" strm roll "$(
        echo | strm produce t
        log t 0
    )"
}

@test "what is not there is exit 4" {
    refuses 4 "nothing" strm roll nothing
    refuses 4 "/nothing" strm roll ./nothing
}

@test "an active segment with records is closed, an empty one stays" {
    seq 10 | strm produce --create t
    size=$(stat -c %s "$(log t 0)")
    run -0 --separate-stderr strm roll t
    [ "$output" = "t-0: closed segment 0, offsets 0 to 9, $size bytes" ]
    [ -z "$stderr" ]
    [ "$(segments t)" = "0 10" ]
    run -0 --separate-stderr strm roll t
    [ "$output" = "1 partition, 0 segments closed" ]
    run -0 strm roll -v t
    [ "${lines[0]}" = "t-0: the active segment holds nothing, it stays" ]
    [ "$(segments t)" = "0 10" ]
    seq 5 | strm produce t
    run -0 strm roll -q t
    [ -z "$output" ]
    [ "$(segments t)" = "0 10 15" ]
    run -0 strm verify -q t
    [ -z "$output" ]
    # The closed one has the last entry of its time index.
    [ -s "$STRM_DIR/t-0/00000000000000000000.timeindex" ]
}

@test "a topic without a segment, and one without records, stay" {
    strm topic create t
    run -0 strm roll t
    [ "$output" = "1 partition, 0 segments closed" ]
    rm -f "$STRM_DIR"/t-0/*.log
    run -0 strm roll -N t
    run -0 --separate-stderr strm roll t
    [ "$output" = "1 partition, 0 segments closed" ]
    [ "$stderr" = "strm: t-0: holds no segment, so there is nothing to do" ]
    [ -z "$(find "$STRM_DIR/t-0" -name "*.log")" ]
}

@test "-N says what would be closed and changes nothing" {
    seq 10 | strm produce --create t
    size=$(stat -c %s "$(log t 0)")
    before=$(sums)
    run -0 strm roll -N t
    [ "${lines[0]}" = "t-0: would close segment 0, offsets 0 to 9, $size bytes" ]
    run -0 strm roll -N -J t
    [ "$output" = '{"type":"roll","topic":"t","partition":0,"rolled":false,"would_roll":true,"base_offset":0,"next_offset":10,"bytes":'"$size"'}' ]
    [ "$(sums)" = "$before" ]
    strm roll t
    run -0 strm roll -N t
    [ "${lines[0]}" = "t-0: the active segment holds nothing, it stays" ]
}

@test "-J prints a line for each partition" {
    strm topic create t --partitions 2
    seq 10 | sed 's/^/k\t/' | strm produce t -K '\t'
    run -0 --separate-stderr strm roll -J t
    [ -z "$stderr" ]
    [ "${#lines[@]}" -eq 2 ]
    [ "$(grep -c '"rolled":true,"would_roll":true' <<<"$output")" -eq 1 ]
    [ "$(grep -c '"rolled":false,"would_roll":false' <<<"$output")" -eq 1 ]
}

@test "--all takes every topic, and a foreign directory is rolled too" {
    seq 10 | strm produce --create t
    seq 10 | strm produce --create u
    rm -r "$STRM_DIR/.strm" "$STRM_DIR/t-0/.strm-state"
    run -0 strm roll --all
    [ "${#lines[@]}" -eq 3 ]
    [ "${lines[2]}" = "2 partitions, 2 segments closed" ]
    [ "$(segments t) $(segments u)" = "0 10 0 10" ]
    run -0 strm verify -q "$STRM_DIR/"
}

@test "producers go on, with the next offset" {
    strm topic create t
    feed strm produce t
    for i in 1 2 3; do
        echo "$i" >&5
        eventually sh -c "strm consume t | grep -qx $i"
        strm roll -q t
    done
    exec 5>&-
    ends 0 "$!"
    [ "$(segments t)" = "0 1 2 3" ]
    [ "$(strm consume -f '%o %s\n' t | paste -s -d ' ')" = "0 1 1 2 2 3" ]
    run -0 strm verify -q t
}

@test "the structure lock does not matter, a broker's does" {
    seq 10 | strm produce --create t
    hold_structure t 0
    run -0 strm roll t
    [ "$(segments t)" = "0 10" ]
    seq 10 | strm produce t
    broker_lock
    run -5 strm roll --lock-timeout 50ms t
    run -0 strm roll -N t
    [ "$(segments t)" = "0 10" ]
}

@test "one partition that fails does not stop the others: exit 7" {
    strm topic create t --partitions 2
    for p in 0 1; do seq 10 | strm produce t -p "$p"; done
    append_lock t 0
    run -7 --separate-stderr strm roll --lock-timeout 50ms t
    [[ $stderr == "strm: t-0: "* ]]
    [ -e "$STRM_DIR/t-1/00000000000000000010.log" ]
    run -5 strm roll --lock-timeout 50ms t:0
}

@test "damage that a writer must not touch is exit 3" {
    seq 10 | strm produce --create t
    seq 10 | strm produce t
    rm "$STRM_DIR/t-0/.strm-state"
    printf '?' | dd of="$(log t 0)" bs=1 seek=70 conv=notrunc status=none
    refuses 3 "t-0" strm roll t
    [ "$(segments t)" = 0 ]
}

@test "a write that fails is exit 6" {
    seq 10 | strm produce --create t
    refuses 6 "standard output" bash -c 'strm roll t >/dev/full'
}

@test "a closed pipe ends it by SIGPIPE, in silence" {
    seq 10 | strm produce --create t
    closed_pipe strm roll t
}
