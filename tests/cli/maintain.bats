#!/usr/bin/env bats
# strm maintain: roll, delete and compact, each topic by its settings.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records
load upkeep

# keyed TOPIC TIME...: ten records of each time with the keys 1 to 5, a segment
# of each; the active one is empty then.
keyed() {
    local topic=$1 time

    shift
    for time; do
        for i in 1 2 3 4 5 1 2 3 4 5; do echo "$i $time"; done |
            strm produce -q -K ' ' --timestamp "$time" "$topic"
        strm roll -q "$topic"
    done
}

# metric NAME LABELS: the value in m.prom.
metric() {
    grep -F "$1{store=\"$STRM_DIR\"$2} " m.prom | sed 's/.* //'
}

@test "help names every option and exits 0" {
    run -0 strm maintain --help
    for option in --all --dry-run --json --textfile --memory --force-clock \
        --if-unlocked --lock-timeout --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
}

@test "a wrong line is exit 2" {
    refuses 2 "give an address, or --all" strm maintain
    refuses 2 "--nonsense" strm maintain --nonsense t
    strm topic create t
    refuses 2 "give addresses or --all" strm maintain --all t
    refuses 2 "without @" strm maintain t@5
    refuses 2 "--memory" strm maintain --memory 5 t
    refuses 2 "--textfile needs a name" strm maintain --textfile= t
    refuses 2 "not with --dry-run" strm maintain -N --textfile m.prom t
}

@test "what is not there is exit 4" {
    refuses 4 "nothing" strm maintain nothing
    refuses 4 "/nothing" strm maintain ./nothing
}

@test "each topic is looked after by its settings" {
    strm topic create young
    strm topic create old --set retention.ms=1d --set segment.ms=1d
    strm topic create kept --set retention.ms=-1 --set segment.ms=1d
    strm topic create latest --set cleanup.policy=compact --set segment.ms=1d
    seq 10 | strm produce young
    seq 10 | strm produce old --timestamp 2026-03-01
    seq 10 | strm produce kept --timestamp 2026-03-01
    keyed latest 2026-03-01 2026-03-02
    at '2026-03-02 12:00' strm maintain --all >out
    [ "$(cat out)" = "kept-0: closed segment 0: it began at 2026-03-01T00:00:00.000Z, longer ago than segment.ms (1d)
latest-0: 15 of 20 records went by compaction
old-0: closed segment 0: it began at 2026-03-01T00:00:00.000Z, longer ago than segment.ms (1d); the next run will take it
4 partitions: 2 segments closed; 0 segments, 0 records, 0 bytes deleted; 15 of 20 records went by compaction" ]
    [ "$(strm consume young | wc -l) $(strm consume old | wc -l)" = "10 10" ]
    [ "$(strm consume kept | wc -l) $(strm consume latest | wc -l)" = "10 5" ]
    strm verify -q young old kept latest
    at '2026-03-02 12:15' strm maintain --all >out
    [ "$(cat out)" = "old-0: 1 segment, 10 records, $(grep -o '[0-9]* bytes deleted' out | head -1)
4 partitions: 0 segments closed; 1 segment, 10 records, $(grep -o '[0-9]* bytes deleted' out | head -1)" ]
    [ "$(strm consume old | wc -l)" = 0 ]
    at '2026-03-02 12:30' strm maintain --all >out
    [ "$(cat out)" = "4 partitions: 0 segments closed; 0 segments, 0 records, 0 bytes deleted" ]
}

@test "an active segment is closed when compaction has to come" {
    strm topic create t --set cleanup.policy=compact \
        --set max.compaction.lag.ms=1h --set min.cleanable.dirty.ratio=1
    for i in 1 2 1 2; do echo "$i x"; done |
        strm produce -q -K ' ' --timestamp 2026-03-01 t
    at '2026-03-01 00:30' strm maintain t >out
    [ "$(segments t)" = 0 ]
    at '2026-03-01 01:30' strm maintain t >out
    [ "$(sed -n 1p out)" = "t-0: closed segment 0: it began at 2026-03-01T00:00:00.000Z, longer ago than max.compaction.lag.ms (1h)" ]
    [ "$(sed -n 2p out)" = "t-0: 2 of 4 records went by compaction" ]
}

@test "a clock that jumped empties no topic in one run" {
    strm topic create j
    for i in 1 2 3 4; do
        [ "$i" -eq 1 ] || strm roll -q j
        seq 10 | strm produce j --timestamp "2026-11-0$i"
    done
    cp -a "$STRM_DIR" kept
    # Seven days of retention: the newest records are of ten days ago.
    at '2026-11-14' strm maintain --all >out
    [ "$(sed -n 1p out)" = "j-0: closed segment 30: it began at 2026-11-04T00:00:00.000Z, longer ago than segment.ms (7d); the next run will take it" ]
    [ "$(segments j)" = "30 40" ]
    [ "$(strm consume j | wc -l)" -eq 10 ]
    # The clock was set right: it stays.  It was not: it goes.
    at '2026-11-05' strm maintain -q --all
    [ "$(segments j)" = "30 40" ]
    at '2026-11-14 00:15' strm maintain -q --all
    [ "$(segments j)" = 40 ]
    # A jump past what the clock is asked for takes nothing at all.
    rm -r "$STRM_DIR"
    mv kept "$STRM_DIR"
    run -1 at '2026-11-30' strm maintain -q --all
    [ "$(segments j)" = "0 10 20 30 40" ]
}

@test "what the run closed is told as spared, and the next run takes it" {
    strm topic create j --set retention.ms=1d --set segment.ms=1000d
    fill j 2026-11-01
    seq 10 | strm produce j --timestamp 2026-11-01
    at '2026-11-03' strm maintain -J j >out
    grep -q '"rolled":true,"roll_reason":"retention",.*"deleted_records":10,.*"spared_segments":1,' out
    # What is reclaimable is what the next run takes.
    at '2026-11-03' strm maintain -q j --textfile m.prom --if-unlocked
    [ "$(segments j)" = 20 ]
    [ "$(metric strm_log_reclaimable_bytes ',topic="j",partition="0"')" = 0 ]
}

@test "what retention would take is closed first, and goes" {
    strm topic create t --set retention.ms=1h
    seq 10 | strm produce t --timestamp 2026-03-01
    at '2026-03-01 01:30' strm maintain t --textfile m.prom >out
    [[ $(sed -n 1p out) == "t-0: closed segment 0: its newest record is of 2026-03-01T00:00:00.000Z, longer ago than retention.ms (1h); the next run will take it" ]]
    [ "$(segments t)" = "0 10" ]
    [ "$(metric strm_log_reclaimable_bytes ',topic="t",partition="0"')" = \
        "$(stat -c %s "$(log t 0)")" ]
    at '2026-03-01 01:31' strm maintain t >out
    [ "$(segments t)" = 10 ]
    strm topic create u --set retention.ms=-1
    seq 10 | strm produce u
    strm trim -q u:0@end
    run -0 strm maintain u
    [ "${lines[0]}" = "u-0: closed segment 0: all of it is below the log start offset, 10" ]
    [ "$(segments u)" = 10 ]
}

@test "-N says what would be done and changes nothing" {
    strm topic create t --set retention.ms=1d --set segment.ms=1d
    fill t 2026-03-01
    seq 10 | strm produce t --timestamp 2026-03-02
    before=$(sums)
    at '2026-03-03 12:00' strm maintain -N t >out
    [[ $(sed -n 1p out) == "t-0: would close segment 10: "* ]]
    [[ $(sed -n 2p out) == "t-0: 1 segment, 10 records, "*" bytes would be deleted" ]]
    [[ $(sed -n 3p out) == "1 partition: 1 segment would be closed; 1 segment, 10 records, "*" bytes would be deleted" ]]
    [ "$(sums)" = "$before" ]
    at '2026-03-03 12:00' strm maintain -N -q t >quiet
    cmp out quiet
    run -0 strm maintain -q t --force-clock
    [ -z "$output" ]
}

@test "-J prints a line for each partition, and one for all" {
    strm topic create latest --set cleanup.policy=compact
    keyed latest 2026-03-01
    strm topic create t
    run -0 --separate-stderr strm maintain -J --all
    [ -z "$stderr" ]
    [ "${#lines[@]}" -eq 3 ]
    [[ ${lines[0]} == '{"type":"partition","topic":"latest","partition":0,"dry_run":false,"failed":false,"locked":false,"rolled":false,"roll_reason":"stays","deleted_segments":0,"deleted_records":0,"deleted_bytes":0,"spared_segments":0,"clock_refused":false,"compacted":true,"compacted_records_in":10,"compacted_records_out":5,"compacted_bytes_in":'*'}' ]]
    [[ ${lines[1]} == '{"type":"partition","topic":"t","partition":0,'*'"compacted":false,'*'}' ]]
    [[ ${lines[2]} == '{"type":"summary","dry_run":false,"partitions":2,"errors":0,"locked":0,"rolled_segments":0,"deleted_segments":0,"deleted_records":0,"deleted_bytes":0,"compacted_partitions":1,"compacted_records_in":10,"compacted_records_out":5,"compacted_bytes":'*',"elapsed_ms":'*'}' ]]
}

@test "tombstones that grow by their horizon free nothing" {
    strm topic create t --set cleanup.policy=compact \
        --set min.cleanable.dirty.ratio=0
    for i in {1..50}; do
        echo "{\"key\":\"k$i\",\"value\":null}"
    done | strm produce -J t
    strm roll -q t
    run -0 strm maintain -J t --textfile m.prom
    [[ ${lines[0]} == *'"compacted":true,'* ]]
    [[ ${lines[1]} == *'"compacted_bytes":0,'* ]]
    [ "$(metric strm_maintain_compacted_bytes '')" = 0 ]
}

@test "what an interrupted compaction left is finished or undone" {
    strm topic create t --set retention.ms=-1 --set segment.ms=1000d
    fill t 2026-11-01 2026-11-02
    cp "$(log t 0)" "$(log t 0).cleaned"
    run -0 --separate-stderr strm maintain t
    [ "$stderr" = "strm: t-0: 00000000000000000000.log.cleaned: of a compaction that did not get to its end, removed" ]
    [ ! -e "$(log t 0).cleaned" ]
    mv "$(log t 0)" "$(log t 0).swap"
    run -0 --separate-stderr strm maintain t
    [ "$stderr" = "strm: t-0: 00000000000000000000.log.swap: compacted, takes its plain name" ]
    [ "$(segments t)" = "0 10 20" ]
    [ "$(strm consume t | wc -l)" -eq 20 ]
}

@test "temporary files of killed runs go, but none that may be written" {
    local name=.tmp-0123456789abcdef

    strm topic create t --set retention.ms=-1
    fill t 2026-11-01
    for dir in . .strm .strm/topics .strm/intents t-0; do
        echo left >"$STRM_DIR/$dir/$name"
        echo other >"$STRM_DIR/$dir/.tmp-of-another"
    done
    file_lock 0 "$STRM_DIR/.strm/lock"
    strm maintain -q t
    [ "$(find "$STRM_DIR" -name "$name" | wc -l)" -eq 4 ]
    [ ! -e "$STRM_DIR/t-0/$name" ]
    kill "$holder"
    wait "$holder" || true
    strm maintain -q t
    [ -z "$(find "$STRM_DIR" -name "$name")" ]
    [ "$(find "$STRM_DIR" -name .tmp-of-another | wc -l)" -eq 5 ]
}

@test "the clock is asked: exit 1, and --force-clock" {
    strm topic create t --set retention.ms=1d --set segment.ms=1d
    fill t 2026-03-01 2026-03-02
    run -1 --separate-stderr strm maintain -q t
    [[ $stderr == "strm: t-0: by age all closed segments would go, "*"--force-clock" ]]
    [ "$(segments t)" = "0 10 20" ]
    run -0 strm maintain -q --force-clock t
    [ "$(segments t)" = 20 ]
}

@test "Kafka's topics are left alone by --all, and have defaults when named" {
    strm topic create t
    seq 10 | strm produce t --timestamp 2026-03-01
    rm -r "$STRM_DIR/.strm" "$STRM_DIR/t-0/.strm-state"
    run -0 strm maintain --all
    [ "$(segments t)" = 0 ]
    run -0 strm maintain --force-clock t
    [ "$(segments t)" = "0 10" ]
    run -0 strm maintain --force-clock t
    [ "$(segments t)" = 10 ]
}

@test "--textfile writes what Prometheus reads" {
    strm topic create latest --set cleanup.policy=compact --partitions 2
    for p in 0 1; do
        for i in 1 2 1 2; do echo "$i x"; done |
            strm produce -q -K ' ' --timestamp 2026-11-01T00:00:00.5Z "latest" -p "$p"
    done
    strm roll -q latest
    strm topic create t --set retention.bytes=1 \
        --set retention.ms=-1
    fill t 2026-11-03 2026-11-04
    umask 022
    run -0 strm maintain -q --all --textfile m.prom
    [ -z "$output" ]
    [ "$(stat -c %a m.prom)" = 644 ]
    [ "$(find . -maxdepth 1 -name 'm.prom*' | wc -l)" -eq 1 ]
    # Each line is a comment or a sample, and each series is told once.
    run ! grep -Evx '# (HELP|TYPE) strm_[a-z_]+ .+|strm_[a-z_]+\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\} -?[0-9]+(\.[0-9]+)?' m.prom
    [ -z "$(grep -v '^#' m.prom | sed 's/ [^ ]*$//' | sort | uniq -d)" ]
    # HELP and TYPE stand before the samples, once.
    # shellcheck disable=SC2016  # awk's
    run -0 awk '
        /^# HELP/ { if (seen[$3]++) exit 1; help = $3; next }
        /^# TYPE/ { if ($3 != help || $4 != "gauge") exit 1; next }
        { sub(/\{.*/, ""); if ($0 != help) exit 1 }' m.prom
    [ "$(metric strm_log_segments ',topic="latest",partition="1"')" = 2 ]
    [ "$(metric strm_log_end_offset ',topic="latest",partition="1"')" = 4 ]
    [ "$(metric strm_log_last_timestamp_seconds ',topic="latest",partition="0"')" = 1793491200.500 ]
    [ "$(metric strm_log_dirty_ratio ',topic="latest",partition="0"')" = 0.000000 ]
    [ "$(metric strm_log_start_offset ',topic="t",partition="0"')" -gt 0 ]
    [ -z "$(metric strm_log_dirty_ratio ',topic="t",partition="0"')" ]
    [ -z "$(metric strm_log_last_compaction_timestamp_seconds ',topic="t",partition="0"')" ]
    [ "$(metric strm_log_maintenance_failed ',topic="t",partition="0"')" = 0 ]
    [ "$(metric strm_maintain_partitions '')" = 3 ]
    [ "$(metric strm_maintain_errors '')" = 0 ]
    [ "$(metric strm_maintain_deleted_segments '')" -gt 0 ]
    now=$(date +%s)
    then=$(metric strm_log_last_compaction_timestamp_seconds ',topic="latest",partition="0"')
    [ $((now - ${then%.*})) -lt 60 ]
    # A second run knows when it was, and does nothing.
    sleep 0.01
    strm maintain -q --all --textfile m.prom
    [ "$(metric strm_log_last_compaction_timestamp_seconds ',topic="latest",partition="0"')" = "$then" ]
    [ "$(metric strm_maintain_compacted_bytes '')" = 0 ]
    # What was said of a topic goes with it.
    strm topic rm -y latest
    run ! grep latest "$STRM_DIR/.strm/last-compaction-checkpoint"
}

@test "what retention would take is measured" {
    strm topic create t --set retention.bytes=0 --set retention.ms=-1
    fill t 2026-11-03
    hold_structure t 0
    run -0 strm maintain -q t --if-unlocked --textfile m.prom
    [ "$(metric strm_log_reclaimable_bytes ',topic="t",partition="0"')" = \
        "$(stat -c %s "$(log t 0)")" ]
    [ "$(metric strm_maintain_locked_partitions '')" = 1 ]
}

@test "a partition named twice is told once" {
    strm topic create t
    strm maintain -q t t:0 --textfile m.prom
    [ "$(grep -c '^strm_log_segments{' m.prom)" -eq 1 ]
    ln -s "$STRM_DIR/t-0" t-0
    strm maintain -J t "$STRM_DIR/t-0" t:0 ./t-0 --textfile m.prom >out
    [ "$(wc -l <out)" -eq 2 ]
    [ "$(metric strm_maintain_partitions '')" = 1 ]
    [ "$(grep -c '^strm_log_segments{' m.prom)" -eq 1 ]
    # One file of it is not the partition; and points are things to do.
    refuses 7 "not one file" strm maintain -q t "$(log t 0)"
    seq 10 | strm produce t
    strm trim -q t:0@2 t:0@4
    [ "$(strm consume t | head -1)" = 5 ]
}

@test "a store's path that is no UTF-8 leaves the metrics what they are" {
    local name long

    long=$(printf '\xc3\xa9%.0s' {1..100})
    for name in $'caf\xe9 "a\\b"\n' "$long/x$long"; do
        mkdir -p "$name"
        strm -C "$name/store" topic create t
        strm -C "$name/store" maintain -q --all --textfile m.prom
        iconv -f UTF-8 -t UTF-8 m.prom >again
        cmp m.prom again
        run ! grep -Evx '# (HELP|TYPE) strm_[a-z_]+ .+|strm_[a-z_]+\{[a-z]+="([^"\\]|\\["\\])*"(,[a-z]+="[^"]*")*\} -?[0-9]+(\.[0-9]+)?' m.prom
    done
    grep -qF "$long/x$long" m.prom
}

@test "a textfile that cannot be written is exit 6, and the old one stays" {
    strm topic create t
    refuses 4 "nowhere/m.prom" strm maintain -q t --textfile nowhere/m.prom
    mkdir m.prom.tmp
    refuses 6 "m.prom.tmp" strm maintain -q t --textfile m.prom
    rmdir m.prom.tmp
    # The old one is not touched when the new one cannot be written.
    # shellcheck disable=SC2016  # for the inner shell
    on_disk 1024 bash -c '
        strm topic create t
        echo old >"$STRM_DIR/m.prom"
        head -c 2000000 /dev/zero >"$STRM_DIR/ballast" 2>/dev/null
        strm maintain -q t --textfile "$STRM_DIR/m.prom" && exit 9
        [ "$(cat "$STRM_DIR/m.prom")" = old ] && [ ! -e "$STRM_DIR/m.prom.tmp" ]'
}

@test "a textfile that is no regular file is exit 2, and nothing is done" {
    strm topic create t --set retention.bytes=1 --set retention.ms=-1
    fill t 2026-11-01
    mkdir d.prom
    mkfifo f.prom
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("s.prom")'
    for name in d f s; do
        ln -s "$name.prom" "l$name.prom"
        refuses 2 "no regular file" strm maintain -q t --textfile "$name.prom"
        refuses 2 "no regular file" strm maintain -q t --textfile "l$name.prom"
    done
    [ -d d.prom ]
    [ -p f.prom ]
    [ -S s.prom ]
    [ -L lf.prom ]
    [ "$(segments t)" = "0 10" ]
    # The null device's numbers, as a node of this directory, for who may.
    if mknod n.prom c 1 3 2>/dev/null; then
        refuses 2 "no regular file" strm maintain -q t --textfile n.prom
        [ -c n.prom ]
    fi
}

@test "a textfile that is a symbolic link stays one" {
    strm topic create t
    mkdir away
    echo old >away/m.prom
    ln -s away/m.prom m.prom
    strm maintain -q t --textfile m.prom
    [ "$(readlink m.prom)" = away/m.prom ]
    [ "$(metric strm_maintain_partitions '')" = 1 ]
    [ "$(ls away)" = m.prom ]
    ln -s nothing n.prom
    refuses 4 "n.prom" strm maintain -q t --textfile n.prom
    [ ! -e nothing ]
}

@test "what a killed run left of a textfile, the next one uses" {
    strm topic create t
    seq 100000 >m.prom.tmp
    strm maintain -q t --textfile m.prom
    [ "$(find . -maxdepth 1 -name 'm.prom*')" = ./m.prom ]
    run ! grep -x 100000 m.prom
    # A file that has another name too may be anybody's.
    echo x >m.prom.tmp
    ln m.prom.tmp m.link
    refuses 6 "m.prom.tmp" strm maintain -q t --textfile m.prom
    rm m.link
    for i in 1 2 3 4 5 6; do strm maintain -q t --textfile m.prom & done
    wait
    [ "$(find . -maxdepth 1 -name 'm.prom*')" = ./m.prom ]
    [ "$(metric strm_maintain_partitions '')" = 1 ]
}

@test "another run is waited for, or not: exit 5, and --if-unlocked" {
    strm topic create t --set retention.ms=-1
    fill t 2026-11-01
    hold_structure t 0
    run -5 strm maintain --lock-timeout 50ms t
    run -0 --separate-stderr strm maintain --if-unlocked t
    [ "$stderr" = "strm: t-0: left out, another run works on it" ]
}

@test "one partition that fails does not stop the others: exit 7" {
    strm topic create t --partitions 2 --set retention.ms=1d
    for i in 1 2; do
        for p in 0 1; do seq 10 | strm produce t -p "$p"; done
    done
    rm "$STRM_DIR/t-0/.strm-state"
    printf '?' | dd of="$(log t 0)" bs=1 seek=70 conv=notrunc status=none
    run -7 --separate-stderr strm maintain -q t --force-clock --textfile m.prom
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "strm: t-0: "* ]]
    [ "$(metric strm_maintain_errors '')" = 1 ]
    [ "$(metric strm_log_maintenance_failed ',topic="t",partition="0"')" = 1 ]
    [ "$(metric strm_log_maintenance_failed ',topic="t",partition="1"')" = 0 ]
    run -3 strm maintain t:0
}

@test "a broker's store is refused: exit 5" {
    seq 10 | strm produce --create t
    broker_lock
    run -5 strm maintain --lock-timeout 50ms t
}

@test "it helps on a full disk" {
    strm topic create t --set retention.bytes=1
    for i in 1 2 3; do
        head -c 100000 /dev/zero | tr '\0' x | strm produce -q t
        strm roll -q t
    done
    # shellcheck disable=SC2016  # for the inner shell
    run -0 on_disk 1024 bash -c '
        head -c 2000000 /dev/zero >"$STRM_DIR/ballast" 2>/dev/null || true
        strm maintain -q t || exit
        [ "$(ls "$STRM_DIR"/t-0/*.log | wc -l)" -le 2 ]'
}

@test "two runs at the same time do no harm" {
    strm topic create t --set cleanup.policy=compact --set segment.ms=1h
    keyed t 2026-11-01 2026-11-02 2026-11-03
    for i in 1 2 3 4; do strm maintain -q --all & done
    wait
    [ "$(strm consume t | wc -l)" -eq 5 ]
    strm verify -q t
}

@test "a write that fails is exit 6" {
    seq 10 | strm produce --create t
    refuses 6 "standard output" bash -c 'strm maintain t >/dev/full'
}

@test "a closed pipe ends it by SIGPIPE, in silence" {
    seq 10 | strm produce --create t
    closed_pipe strm maintain t
}
