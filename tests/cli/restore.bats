#!/usr/bin/env bats
# strm restore: topics from an archive, all of it or nothing.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records
load upkeep

make() {
    strm topic create orders --partitions 2 --set segment.bytes=64KiB
    seq 20000 | strm produce -q --batch-bytes 8KiB orders:0
    seq 9000 | strm produce -q --batch-bytes 8KiB orders:1
    strm roll -q orders
}

# Digests of all files of the topics, without what is of this machine.
files() {
    (cd "${1:-$STRM_DIR}" && find . -path './*-[0-9]*/*' ! -name .strm-state \
        -type f -exec sha256sum {} + | sort -k 2)
}

@test "help names every option and exits 0" {
    run -0 strm restore --help
    for option in --as --json --max-bytes --max-batch-bytes --lock-timeout \
        --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
    run -0 strm help restore
    [[ $output == *"--as"* ]]
}

@test "a wrong line is exit 2" {
    make
    strm archive -q orders -o a
    refuses 2 "too few arguments" strm restore
    refuses 2 "--nonsense" strm restore --nonsense a
    refuses 2 "not a path" strm restore a ./orders-0
    refuses 2 "orders@x" strm restore a orders@x
    refuses 2 "Kafka's own" strm restore a --as __orders
    refuses 2 "or/ders" strm restore a --as or/ders
    strm topic create other
    seq 5 | strm produce -q other
    strm roll -q other
    strm archive -q orders other -o b
    refuses 2 "--as x: for one topic" strm restore b --as x
    refuses 2 "is a directory" strm restore .
    for words in 'orders@3 orders@5' 'orders orders:1' 'orders:0-1 orders:1@5'; do
        # shellcheck disable=SC2086  # words
        refuses 2 "name a partition once" strm restore a $words --as x
    done
    run -0 strm restore -q a orders:0@3..9 orders:1@5..10 --as x
}

@test "what is not there is exit 4, and what is there already exit 1" {
    refuses 4 "nothing" strm restore nothing
    make
    strm archive -q orders -o a
    before=$(sums)
    refuses 1 "exists already" strm restore a
    [ "$stderr" = "strm: orders: this topic exists already" ]
    refuses 4 "clicks: no such topic" strm restore a clicks
    refuses 4 "orders: no such partition" strm restore a orders:2
    for range in 20000 3..2 300..300 7000..200 300..+0; do
        refuses 4 "no record in that range" strm restore a "orders@$range" --as x
        refuses 4 "no record in that range" bash -c \
            "cat a | strm restore - orders@$range --as x"
    done
    [ "$(sums)" = "$before" ]
    [ -z "$(ls "$STRM_DIR/.strm/restore")" ]
}

@test "what is refused leaves no store that was not there" {
    make
    strm archive -q orders -o a
    head -c 20000 /dev/urandom >junk
    head -c 20000 a >short
    for words in "junk" "short" "a nosuch" "a orders:7"; do
        # shellcheck disable=SC2086  # words
        run ! strm -C new restore $words
        [ ! -e new ]
    done
    run ! strm -C new restore --max-bytes 10 a
    [ ! -e new ]
    # A directory that was there stays, and all that is in it.
    mkdir new
    touch new/file
    run ! strm -C new restore short
    [ "$(ls -A new)" = $'.lock\nfile' ]
    strm -C new restore -q a
    strm -C new verify -q orders
    # One that is not even looked into is not touched.
    mkdir open
    chmod 777 open
    refuses 6 "chmod o-w" strm -C open restore a
    [ -z "$(ls -A open)" ]
}

@test "no store is made where a partition of another is" {
    make
    strm archive -q orders -o a
    find "$STRM_DIR" | sort >before
    for dest in orders-0 orders-0/ new-7 ./orders-0/../orders-0; do
        refuses 2 "has the name of a partition of the store $(realpath "$STRM_DIR")" \
            strm -C "$STRM_DIR/$dest" restore a
        refuses 2 "a store holds no other" \
            strm -C "$STRM_DIR/$dest" topic create t
    done
    (
        cd "$STRM_DIR/orders-0" || exit
        refuses 2 "a store holds no other" strm -C . topic create t
        refuses 2 "a store holds no other" \
            strm -C ../new-7 produce --create t </dev/null
    )
    find "$STRM_DIR" | sort | diff before -
    # Such a name elsewhere is one like any other.
    strm -C orders-0 restore -q a
    strm -C "orders-0/../orders-0" topic create t
}

@test "archive, delete, restore: every file is as it was" {
    make
    strm topic describe orders >before
    files >files-before
    for codec in zstd gzip none; do
        strm archive -q orders -z $codec -o a-$codec
        strm topic rm -y orders >/dev/null
        run -0 strm restore a-$codec
        [ "${lines[0]}" = "orders-0: 20000 records, offsets 0 to below 20000" ]
        files | diff files-before -
        strm topic describe orders | diff before -
        run -0 strm verify -q orders
    done
    # Offsets go on.
    echo new | strm produce -q orders:1
    [ "$(strm consume -f '%o %v' orders:1@9000)" = "9000 new" ]
}

@test "from a pipe it is the same" {
    make
    files >before
    strm archive -q orders -o a
    strm topic rm -y orders >/dev/null
    run -0 bash -o pipefail -c 'cat a | strm restore -J -'
    [[ ${lines[0]} == '{"type":"partition","topic":"orders","partition":0,"in_archive":true,"segments":'*',"records":20000,'*'"log_end_offset":20000}' ]]
    files | diff before -
}

@test "--as gives another name, and another id" {
    make
    strm archive -q orders -o a
    run -0 strm restore a --as copy
    [ "${lines[1]}" = "copy-1: 9000 records, offsets 0 to below 9000" ]
    run -0 strm diff orders copy
    run -0 strm verify -q copy
    [ "$(strm topic describe -J orders | grep -o '"topic_id":"[^"]*"')" != \
        "$(strm topic describe -J copy | grep -o '"topic_id":"[^"]*"')" ]
    # Settings came with it.
    strm topic describe copy | grep -q '^segment.bytes  *65536  *topic'
}

@test "one partition: the others are made, empty" {
    make
    strm archive -q orders -o a
    run -0 strm restore a orders:1 --as one
    [ "$output" = "one-1: 9000 records, offsets 0 to below 9000" ]
    [ "$(strm consume one:0 | wc -l)" -eq 0 ]
    run -0 strm diff orders:1 one:1
    run -0 strm verify -q one
}

@test "a range, by offset and by time, to the batch" {
    strm topic create t --set segment.bytes=64KiB
    for hour in 01 02 03 04; do
        seq 1000 | strm produce -q --batch-bytes 1KiB t \
            --timestamp 2025-11-02T$hour:00:00Z
        strm roll -q t
    done
    strm archive -q t -o a
    run -0 strm restore a t@2025-11-02T02:00:00Z..2025-11-02T04:00:00Z --as u
    [ "$output" = "u-0: 2000 records, offsets 1000 to below 3000" ]
    run -0 strm diff t@1000..3000 u
    run -0 strm verify -q u
    run -0 strm restore a t@1500..1501 --as v
    first=$(strm consume -f '%o\n' v | head -n 1)
    [ "$first" -le 1500 ]
    [ "$first" -gt 1300 ]
    [ -e "$STRM_DIR/v-0/$(printf %020d "$first").log" ]
    run -0 strm verify -q v
    run -0 strm restore a t@3999.. --as w
    # The end is known, so offsets go on behind it.
    echo | strm produce -q w
    [ "$(strm consume -f '%o\n' w | tail -n 1)" = 4000 ]
    run -0 strm restore a t@..1 --as x
    run -0 strm verify -q w x
}

# lines N KEYS: N records of 400 bytes and more, 6 s apart.
lines() {
    "${PYTHON:-/usr/bin/python3}" -c '
import json, sys
for n in range(int(sys.argv[1])):
    print(json.dumps({"key": "k%d" % (n * 7919 % int(sys.argv[2])),
        "value": "value %05d" % n + "x" * 400,
        "ts": 1772323200000 + n * 6000}))' "$@"
}

same() {
    "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/restoring.py" "$@"
}

@test "a range is the same files by the index as from a pipe" {
    strm topic create t --set segment.bytes=300KB
    lines 10000 50 | strm produce -q -J --batch-bytes 3000 t
    strm roll -q t
    strm trim -q t@4500
    strm archive -q t -o hidden.tar.zst
    same t hidden.tar.zst 10000 15 1
    strm topic rm -q -y t
    strm topic create t --set segment.bytes=300KB --set cleanup.policy=compact
    lines 10000 3000 | strm produce -q -J --batch-bytes 1000 t
    strm roll -q t
    strm compact -q --force t
    lines 1000 900 | strm produce -q -J --batch-bytes 1000 t
    strm roll -q t
    strm archive -q -z none t -o gaps.tar
    same t gaps.tar 11000 15 2
}

@test "random ranges where transactions were aborted" {
    needs_golden
    strm -C of restore <(tar c -C "$STRM_GOLDEN/transactions" .)
    strm -C of roll -q topic
    strm -C of archive -q -z gzip topic -o aborted.tar.gz
    same topic aborted.tar.gz 140 15 3
}

@test "a range, or one of several topics, reads only what it needs" {
    local range codec bytes

    strm topic create t --set segment.bytes=1MB
    # Bytes that no codec makes small.
    "${PYTHON:-/usr/bin/python3}" -c '
import base64, json, random
random.seed(1)
for n in range(600):
    print(json.dumps({"value": base64.b64encode(random.randbytes(49152))
        .decode(), "ts": 1772323200000 + n * 600000}))' |
        strm produce -q -J t
    seq 5 | strm produce -q --create other
    strm roll -q t other
    for codec in none gzip zstd; do
        strm archive -q --all -z $codec -o $codec
        for range in t@300..310 t@-2 t@2026-03-02..2026-03-02T01:00:00Z \
            other; do
            ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=read,pread64 -P "$PWD/$codec" -o trace \
                "$STRM" restore -q $codec "$range" --as "new$codec"
            bytes=$(sed -n 's/.* = \([0-9]*\)$/\1/p' trace | paste -sd+ | bc)
            [ "$bytes" -lt $(($(stat -c %s $codec) / 10)) ]
            run -0 strm diff "$range" "new$codec"
            run -0 strm verify -q "new$codec"
            strm topic rm -q -y "new$codec"
        done
    done
}

@test "damage is refused in what a range needs, and not seen elsewhere" {
    make
    strm archive -q orders -o a
    printf '\377\0\377\0' |
        dd of=a bs=1 seek=$(($(stat -c %s a) / 4)) conv=notrunc 2>/dev/null
    refuses 3 "orders-0/" strm restore a orders:0@0.. --as b
    refuses 3 "a: " strm restore a --as b
    [ -z "$(find "$STRM_DIR" -name 'b-*')" ]
    [ -z "$(ls "$STRM_DIR/.strm/restore")" ]
    run -0 strm restore a orders:1@8000.. --as b
    run -0 strm verify -q b
}

@test "the log start is restored: what was hidden stays hidden" {
    make
    strm trim -q orders:0@5000 >/dev/null
    strm archive -q orders -o a
    strm restore -q a --as copy
    [ "$(strm consume -f '%o\n' copy:0 | head -n 1)" = 5000 ]
    run -0 strm diff orders copy
    run -0 strm verify -q copy
    # A topic of that name that is made later does not begin there.
    strm topic rm -y copy >/dev/null
    strm topic create copy --partitions 2
    echo | strm produce -q copy:0
    [ "$(strm consume -f '%o' copy:0)" = 0 ]
}

@test "what retention left half done is archived, and restored without it" {
    make
    # As it is when power is lost in the middle: see SPEC 4.6.
    printf '0\n1\norders 0 19999\n' >"$STRM_DIR/log-start-offset-checkpoint"
    mapfile -t logs < <(printf '%s\n' "$STRM_DIR"/orders-0/*.log)
    [ ${#logs[@]} -ge 3 ]
    rm "${logs[0]%.log}.timeindex" "${logs[1]%.log}".*
    strm archive -q --verify orders -o a
    run -0 strm restore a --as copy
    [[ $output == *"copy-1: 9000 records"* ]]
    run -0 strm verify -q copy
    run -0 strm diff orders copy
    run -0 strm restore -q a orders:1@100.. --as part
    run -0 strm verify -q part
}

@test "after --retire the archive and the log together are all there was" {
    make
    strm consume orders:0 >before
    strm archive -q orders --retire -o a
    seq 5 | strm produce -q orders:0
    strm restore -q a --as old
    { strm consume old:0 && strm consume orders:0; } |
        diff - <(cat before <(seq 5))
}

@test "a compacted topic with gaps comes back as it was" {
    strm topic create t --set cleanup.policy=compact \
        --set segment.bytes=64KiB
    for round in 1 2 3; do
        seq 3000 | sed "s/.*/key-&=$round/" | strm produce -q -K = t
        strm roll -q t
    done
    strm compact -q t >/dev/null
    files >before
    strm archive -q t -o a
    strm topic rm -y t >/dev/null
    strm restore -q a
    files | diff before -
    run -0 strm verify -q t
    [ "$(strm consume t | wc -l)" -eq 3000 ]
}

@test "a broker's disk, packed with tar, becomes a topic" {
    needs_golden
    for name in plain lz4 zstd edge big no-timestamp transactions compacted \
        delete-horizon crash-swap torn-tail unclean corrupt-index \
        missing-index multi-batch-append; do
        tar cf f.tar -C "$STRM_GOLDEN/$name" .
        mkdir store-$name
        run -0 --separate-stderr strm -C store-$name restore f.tar
        [[ $output == "topic-0: "* ]]
        [[ $name == torn-tail || -z $stderr ]]
        run -0 strm -C store-$name verify -q topic
        # Aborted transactions stay hidden.
        cmp <(strm -C store-$name consume topic -f '%o %k %v %h\n') \
            <(strm consume -q "$STRM_GOLDEN/$name/topic-0" -f '%o %k %v %h\n')
        # Nothing is known of its settings, so nothing is deleted by a guess.
        strm -C store-$name topic describe topic |
            grep -q '^retention.ms  *-1 '
        rm -r f.tar
    done
}

@test "what is cut off the end of a tar's log is told" {
    needs_golden
    cp -r "$STRM_GOLDEN/plain/topic-0" other-0
    tar cf f.tar other-0 -C "$STRM_GOLDEN/torn-tail" topic-0
    torn="topic-0/00000000000000001129.log: byte 21972: an append that did not \
finish follows (torn); left out"
    for wanted in "" topic:0 topic@100..; do
        for from in f.tar -; do
            run -0 --separate-stderr strm -C new restore $from $wanted <f.tar
            [ "$stderr" = "strm: ${from/-/standard input}: $torn" ]
            rm -r new
        done
    done
    run -0 --separate-stderr strm -C new restore f.tar other
    [ -z "$stderr" ]
    rm -r new
    run -0 --separate-stderr strm -C new restore -q f.tar
    [ -z "$stderr" ]
}

@test "what has not the name of a partition or a log is told, and left out" {
    needs_golden
    mkdir -p d/more
    cp -r "$STRM_GOLDEN/plain/topic-0" d
    chmod -R u+w d
    # Nobody misses these.
    touch d/README d/.lock d/server.log d/topic-0/README d/topic-0/.x.log
    mkdir -p d/.strm/restore/x-00 d/topic-1 d/more/x
    cp -r d/topic-0 d/topic-0.0123456789abcdef0123456789abcdef-delete
    tar cf f.tar -C d .
    mkdir "over it-0"
    mv d "over it-0"
    tar cf above.tar "over it-0"
    mv "over it-0/d" .
    for file in f.tar above.tar; do
        run -0 --separate-stderr strm -C new restore $file
        [ -z "$stderr" ]
        rm -r new
    done

    cp -r d/topic-0 "d/bad name-0"
    mkdir d/x-99999999999 d/more/y
    cp d/topic-0/00000000000000000000.log d/more/y
    cp d/topic-0/00000000000000000000.log d/topic-0/99999999999999999999.log
    cp d/topic-0/00000000000000000000.index d/topic-0/0.index
    tar cf f.tar --sort=name -C d .
    cat >wanted <<'END'
strm: f.tar: bad name-0: left out: there are logs in it, but its name is not TOPIC-PARTITION
strm: f.tar: more/y: left out: there are logs in it, but its name is not TOPIC-PARTITION
strm: f.tar: topic-0/0.index: left out: not the name of a log's file: an offset in 20 digits and what it holds
strm: f.tar: topic-0/99999999999999999999.log: left out: not the name of a log's file: an offset in 20 digits and what it holds
strm: f.tar: x-99999999999: left out: not the name of a partition: TOPIC-PARTITION
END
    for command in "-C new restore" "archive ls" "archive verify"; do
        # shellcheck disable=SC2086  # several words
        run -0 --separate-stderr strm $command f.tar
        diff wanted - <<<"$stderr"
        # shellcheck disable=SC2086
        run -0 bash -c "zstd -c f.tar | strm ${command/new/piped} -"
        [[ $output == *"strm: standard input: bad name-0: left out"* ]]
    done
    [ "$(ls new)" = topic-0 ]
    rm -r new
    run -0 --separate-stderr strm -C new restore -q f.tar
    [ -z "$stderr" ]
    # In place, once for one archive.
    run -0 --separate-stderr strm diff ./f.tar ./f.tar
    sed 's/f.tar/.\/&/' wanted | diff - <(grep -v equal <<<"$stderr")

    # Of many, ten.  Where there is nothing else, it is why.
    for n in $(seq 13); do
        mkdir -p "many/no $n-0"
        cp d/topic-0/0*.log "many/no $n-0"
    done
    tar cf many.tar --sort=name many
    run -4 --separate-stderr strm archive verify many.tar
    # shellcheck disable=SC2154  # run sets it
    [ "${#stderr_lines[@]}" -eq 12 ]
    [[ ${stderr_lines[9]} == *": many/no 6-0: left out"* ]]
    [[ ${stderr_lines[10]} == *" more members are left out for their names" ]]
    [[ ${stderr_lines[11]} == *"holds no partition"* ]]
    # Packed inside of the partition.
    tar cf inside.tar -C d/topic-0 .
    run -4 --separate-stderr strm archive verify inside.tar
    [[ ${stderr_lines[0]} == "strm: inside.tar: .: left out: there are logs in it"* ]]
}

@test "a part of another program's tar is restored, from a file and a pipe" {
    needs_golden
    tar cf f.tar -C "$STRM_GOLDEN/plain" .
    for file in f.tar - /dev/stdin; do
        run -0 strm -C "store${file//\//}" restore $file topic@100..200 <f.tar
        run -0 strm -C "store${file//\//}" verify -q topic
        [ "$(strm -C "store${file//\//}" consume topic@100..200)" = \
            "$(strm consume "$STRM_GOLDEN/plain/topic-0@100..200")" ]
        run -0 strm -C "store${file//\//}" restore $file topic:0 --as all <f.tar
        run -0 strm diff -q "$STRM_GOLDEN/plain/topic-0" "store${file//\//}/all-0"
    done
}

@test "damaged logs of a tar are refused, and nothing appears" {
    needs_golden
    tar cf f.tar -C "$STRM_GOLDEN/bad-crc" topic-0
    refuses 3 "bad CRC" strm restore f.tar
    [ -z "$(find "$STRM_DIR" -name 'topic*')" ]
    [ -z "$(ls "$STRM_DIR/.strm/restore")" ]
}

@test "indexes of a tar that lie are made anew" {
    make
    strm topic describe orders >/dev/null
    files >before
    cp -r "$STRM_DIR" packed
    for file in packed/orders-0/*.index packed/orders-0/*.timeindex; do
        [ ! -s "$file" ] ||
            printf '\377' | dd of="$file" bs=1 seek=2 conv=notrunc 2>/dev/null
    done
    printf '0\n1\n7 3\n' >packed/orders-1/leader-epoch-checkpoint
    tar cf f.tar -C packed .
    mkdir new
    run -0 strm -C new restore f.tar
    run -0 strm -C new verify -q orders
    files new | diff before -
}

@test "a whole store of ours, packed with tar, comes back, settings and all" {
    make
    seq 5 | strm produce -q --create other
    tar czf f.tar.gz -C "$STRM_DIR" .
    mkdir new
    run -0 strm -C new restore f.tar.gz
    run -0 strm diff "$STRM_DIR/orders-0" new/orders-0
    run -0 strm diff "$STRM_DIR/other-0" new/other-0
    strm -C new topic describe orders | grep -q '^segment.bytes  *65536  *topic'
    # Its active segment is one again.
    echo | strm -C new produce -q other
    [ "$(strm -C new consume -f '%o\n' other | tail -n 1)" = 5 ]
}

@test "where a broker holds the store it is exit 5" {
    make
    strm archive -q orders -o a
    broker_lock
    refuses 5 "broker" strm restore a --as copy
}

@test "what a killed restore left is removed by the next one" {
    make
    strm archive -q orders -o a
    mkfifo in
    start strm restore in --as x
    id=$!
    exec 4>in
    head -c 10000 a >&4
    # shellcheck disable=SC2016  # for the inner shell
    eventually bash -c 'test -n "$(find "$STRM_DIR/.strm" -name .lock)"'
    kill -9 "$id"
    ends 137 "$id"
    exec 4>&-
    [ -n "$(ls "$STRM_DIR/.strm/restore")" ]
    # Power may take the lock of one with it.
    mkdir -p "$STRM_DIR/.strm/restore/0123456789abcdef/x-0"
    strm restore -q a --as y
    [ -z "$(ls "$STRM_DIR/.strm/restore")" ]
}

@test "a full disk is exit 6, and nothing appears" {
    make
    strm archive -q orders -o a
    run -6 --separate-stderr bash -c 'ulimit -f 20; strm restore a --as x'
    [ -z "$(find "$STRM_DIR" -name 'x-*')" ]
    run -6 --separate-stderr bash -c 'strm restore a --as y >/dev/full'
    # It is there all the same: only the message was lost.
    run -0 strm diff orders y
}
