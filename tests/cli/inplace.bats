#!/usr/bin/env bats
# Archives that are read in place: consume, tail, table, get, inspect, verify
# and diff on ./FILE.tar.zst.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records

setup() {
    strm_setup
    local built
    built=$(dirname "$STRM")
    [ -x "$built/strm-archive" ]
    export TMPDIR=$BATS_TEST_TMPDIR/tmp
    mkdir "$TMPDIR"
}

teardown() {
    # Nothing is ever left behind.
    [ -z "$(ls -A "$TMPDIR")" ] || [ -n "$MAY_LEAVE" ]
}

# hours TOPIC: twelve hours of records, a batch of ten a minute.
hours() {
    strm topic create "$1" --set segment.bytes=20000
    "${PYTHON:-/usr/bin/python3}" -c '
import json
for n in range(7200):
    print(json.dumps({"key": "k%d" % (n % 50), "value": "value %05d" % n,
        "ts": 1772323200000 + n * 6000}))' |
        strm produce -q -J --batch-bytes 300 "$1"
    strm roll -q "$1"
}

archive() {
    hours t
    strm archive -q t -o "F.tar${1:-.zst}" ${2:+-z "$2"}
}

# same RANGE: the archive F.tar.zst gives what the topic gives.
same() {
    strm consume -J "t$1" >wanted
    strm consume -J "./F.tar.zst$1" >given
    cmp wanted given
}

@test "ranges by offset, count and time give what the topic gives" {
    archive
    for range in '' @0 @start @end @7199 @7200 @3333..3334 @..5 @5..5 @-1 \
        @-3000 @-20..-10 @100..+250 @2026-03-01T05:00:00Z..2026-03-01T06:00:00Z \
        @2026-03-01T11:59:54Z @..2026-03-01T00:00:06Z @1999-01-01 \
        @2040-01-01 @2026-03-01T03:00:00Z..+7 @6000..2026-03-01T11:00:00Z \
        @start..-7000; do
        same "$range"
    done
}

@test "random ranges too, where records are hidden or missing" {
    ranges() {
        strm roll -q t
        rm -f F.tar.zst
        strm archive -q t -o F.tar.zst
        "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/inplace.py" \
            t ./F.tar.zst "$@"
    }
    lines() {
        "${PYTHON:-/usr/bin/python3}" -c '
import json, sys
for n in range(int(sys.argv[1])):
    print(json.dumps({"key": "k%d" % (n * 7919 % int(sys.argv[2])),
        "value": "value %05d" % n + "x" * 400,
        "ts": 1772323200000 + n * 6000}))' "$@"
    }
    strm topic create t --set segment.bytes=3MB
    lines 20000 50 | strm produce -q -J --batch-bytes 3000 t
    ranges 20000 25 1
    strm trim -q t@9000
    ranges 20000 25 2
    strm topic rm -q -y t
    strm topic create t --set segment.bytes=3MB --set cleanup.policy=compact
    lines 20000 6000 | strm produce -q -J --batch-bytes 1000 t
    strm roll -q t
    strm compact -q --force t
    # Times go back here.
    lines 3000 2000 | strm produce -q -J --batch-bytes 1000 t
    ranges 23000 25 3
}

# big TOPIC: 600 records of 64 KiB, one in ten minutes, that no codec makes
# small, in one segment.
big() {
    "${PYTHON:-/usr/bin/python3}" -c '
import base64, json, random
random.seed(1)
for n in range(600):
    print(json.dumps({"value": base64.b64encode(random.randbytes(49152))
        .decode(), "ts": 1772323200000 + n * 600000}))' |
        strm produce -q -J --create "$1"
    strm roll -q "$1"
}

# reads FILE COMMAND...: $bytes of FILE are read by it; what it prints is given.
reads() {
    local file=$1 code=0

    shift
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -y -e trace=read,pread64 \
        -o trace "$@" >given || code=$?
    bytes=$(sed -n "s/.*$file>.* = \([0-9]*\)\$/\1/p" trace | paste -sd+ | bc)
    [ "$bytes" -gt 0 ]
    return "$code"
}

@test "an hour reads a small part of the archive" {
    big big
    strm archive -q big -o F.tar.zst
    size=$(stat -c %s F.tar.zst)
    reads F.tar.zst strm consume -q -f '%o\n' \
        ./F.tar.zst@2026-03-02T00:00:00Z..2026-03-02T01:00:00Z
    [ "$(wc -l <given)" -eq 6 ]
    [ "$bytes" -lt $((size / 5)) ]
}

@test "the first records are there when their part of the archive is read" {
    local codec

    big big
    for codec in none gzip zstd; do
        strm archive -q big -z $codec -o $codec
        size=$(stat -c %s $codec)
        reads $codec strm consume -f '%o\n' -n 1 ./$codec
        [ "$(cat given)" = 0 ]
        [ "$bytes" -lt $((size / 5)) ]
        # From the middle on, and of an open end.
        reads $codec strm consume -f '%o\n' -n 3 ./$codec@400
        [ "$(cat given)" = $'400\n401\n402' ]
        [ "$bytes" -lt $((size / 5)) ]
        reads $codec strm tail -f '%o\n' -n 2 ./$codec
        [ "$(cat given)" = $'598\n599' ]
        [ "$bytes" -lt $((size / 5)) ]
        # One who is gone asks for no more: what is read follows what is
        # written.
        # shellcheck disable=SC2016  # for the inner shell
        reads $codec bash -c 'strm consume "./$0" | head -c 10 >/dev/null' $codec
        [ "$bytes" -lt $((size / 2)) ]
        strm consume ./$codec | cmp - <(strm consume big)
    done
    # What another program made is read once to know what is in it.
    tar cf other -C "$STRM_DIR" --sort=name big-0
    size=$(stat -c %s other)
    reads other strm consume -f '%o\n' -n 1 ./other
    [ "$(cat given)" = 0 ]
    [ "$bytes" -lt $((size * 5 / 4)) ]
    # And a second time, whatever the order is that its files are in.
    strm topic create many --partitions 3 --set segment.bytes=2MB
    for partition in 0 1 2; do
        seq -f "%g is what $partition has in this place" 100000 |
            strm produce -q many:$partition
    done
    (cd "$STRM_DIR" && printf '%s\n' many-*/*.log | sort -r) >files
    tar cf other -C "$STRM_DIR" -T files
    size=$(stat -c %s other)
    strm consume many >wanted
    reads other strm consume ./other
    cmp wanted given
    [ "$bytes" -lt $((size * 9 / 4)) ]
    # Partitions that are not come to cost nothing.
    strm roll -q many
    strm archive -q many -z none -o several
    reads several strm consume -n 1 ./several
    [ "$bytes" -lt $(($(stat -c %s several) / 3)) ]
}

@test "more partitions than files can be open" {
    local limit

    strm topic create t --partitions 100
    seq 1000 | strm produce -q t
    echo more | strm produce -q t:0
    strm roll -q t
    strm archive -q t -o F.tar.zst
    tar cf other.tar -C "$STRM_DIR" .
    strm consume t >wanted
    # Of both limits, and of the one that a program may raise by itself.
    for limit in '-n 40' '-S -n 40'; do
        for file in F.tar.zst other.tar; do
            bash -c "ulimit $limit; strm consume ./$file" >given
            cmp wanted given
            run -0 bash -c "ulimit $limit; strm tail -n 1 ./$file | wc -l"
            [ "$output" -eq "$(strm tail -n 1 t | wc -l)" ]
        done
    done
    # Archives that are unpacked whole are not held open.
    mkdir small
    strm archive -q t:0 -o small/1
    for file in {2..40}; do
        cp small/1 "small/$file"
    done
    bash -c 'ulimit -n 40; strm verify -q small/*'
    # An offset that one of them does not hold is told before all.
    run -4 --separate-stderr strm consume ./F.tar.zst@1
    [ -z "$output" ]
    [[ $stderr == *"no offset 1"* ]]
    # A log may grow, so its end is looked at before anything is printed.
    run -6 --separate-stderr bash -c 'ulimit -n 40; strm consume t'
    [ -z "$output" ]
    [[ $stderr == "strm: no more than "*" partitions can be open at once: the limit is 40 files (ulimit -Hn); raise it, or name fewer partitions, as in TOPIC:0-"* ]]
    last=${stderr##*-}
    bash -c "ulimit -n 40; strm consume t:0-$last" >/dev/null
}

@test "a segment that comes in several parts is as one" {
    "${PYTHON:-/usr/bin/python3}" -c '
import json
for n in range(40000):
    print(json.dumps({"key": "k%d" % (n % 50),
        "value": "value %05d" % n + "x" * 400, "ts": 1772323200000 + n * 6000}))' |
        strm produce -q -J --create --batch-bytes 3000 t
    strm roll -q t
    strm archive -q t -z none -o F.tar
    strm diff -q t ./F.tar
    "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/inplace.py" \
        t ./F.tar 40000 25 4
    # Damage is skipped as it is in the log itself, in whichever part it is.
    for percent in 1 30 70 99; do
        cp F.tar D.tar
        damage D.tar $percent
        run -3 --separate-stderr strm consume --skip-corrupt -f '%o\n' ./D.tar
        [[ $stderr == *"1 hole skipped"* ]]
        [ "${#lines[@]}" -gt 39990 ]
        [ "${lines[-1]}" -eq 39999 ]
        run -3 strm verify -q ./D.tar
    done
    # There is room for the first part only.
    run -6 --separate-stderr bash -c 'ulimit -f 7000; strm consume ./F.tar'
    [[ ${lines[0]} == "value 00000"* ]]
    [ "${#lines[@]}" -lt 20000 ]
    [[ $stderr == *"./F.tar: no room to unpack it in $TMPDIR (TMPDIR): "* ]]
}

@test "transactions that end in a later part are judged as in the log" {
    local range

    python "$BATS_TEST_DIRNAME/transactions.py" "$STRM_DIR/w-0" wide
    tar cf w.tar -C "$STRM_DIR" w-0
    strm restore -q w.tar --as v
    strm roll -q v
    strm archive -q v -o v.tar.zst
    for range in '' @0..1 @0..3 @1..+1 @2.. @100..102 @-3 @-250..-200; do
        strm consume "$STRM_DIR/w-0$range" >wanted
        for file in w.tar v.tar.zst; do
            strm consume "./$file$range" >given
            cmp wanted given
        done
        strm consume -i uncommitted "$STRM_DIR/w-0$range" >wanted
        strm consume -i uncommitted "./w.tar$range" >given
        cmp wanted given
    done
    # One that has no marker to wait for is shown at once.
    run -0 strm consume -n 2 ./v.tar.zst
    [ "$output" = $'plain\ncommitted' ]
}

@test "all commands that read records take an archive" {
    archive
    run -0 --separate-stderr strm tail -n 2 ./F.tar.zst
    [ "$output" = $'value 07198\nvalue 07199' ]
    run -0 strm consume -p 0 -o 5..7 ./F.tar.zst
    [ "$output" = $'value 00005\nvalue 00006' ]
    run -0 strm consume -n 1 ./F.tar.zst
    [ "$output" = 'value 00000' ]
    strm table -J ./F.tar.zst@..100 >given
    strm table -J t@..100 >wanted
    cmp wanted given
    run -0 strm get -k k7 ./F.tar.zst
    [ "$output" = 'value 07157' ]
    run -0 strm verify ./F.tar.zst
    [[ $output == *": sound" ]]
    run -0 strm inspect ./F.tar.zst
    [[ ${lines[0]} == "partition t-0 in ./F.tar.zst/t-0" ]]
    run -0 strm inspect -J ./F.tar.zst@3333..3334
    [[ $output == *'"offset":3333'* ]] || [[ $output == *3333* ]]
    run -0 strm diff -q ./F.tar.zst "$STRM_DIR"
    run -0 strm diff -q ./F.tar.zst@100..200 t@100..200
    echo '{"key":"k1","value":"other"}' | strm produce -J t
    run -1 strm diff ./F.tar.zst t
}

@test "two ranges, two archives of one name, links, odd names, other directories" {
    archive
    mkdir -p a/b 'c d' e
    cp F.tar.zst a/b/F.tar.zst
    cp F.tar.zst "c d/x 'y'"
    ln -s ../F.tar.zst e/link
    run -0 strm consume ./F.tar.zst@1..2 ./F.tar.zst@4..5 a/b/F.tar.zst@6..7 \
        "$PWD/a/b/F.tar.zst@8..9" "c d/x 'y'@9..10" e/link@10..11
    [ "$output" = "$(seq -f 'value %05.0f' 1 1; for n in 4 6 8 9 10; do
        printf 'value %05d\n' "$n"; done)" ]
    cd e
    run -0 strm consume ../F.tar.zst@3..4 "../c d/x 'y'@5..6"
    [ "$output" = $'value 00003\nvalue 00005' ]
    run -0 strm diff -q ../F.tar.zst "../c d/x 'y'"
    # A store that is named in any way is found from where the command was.
    run -0 strm -C ../store diff -q ../F.tar.zst t
    unset STRM_DIR
    cd "$BATS_TEST_TMPDIR"
    run -0 strm diff -q -C store ./F.tar.zst t
    run -0 strm diff -q -Cstore ./F.tar.zst t
    run -0 strm diff -q --store store ./F.tar.zst t
    run -0 strm diff -q --store=store ./F.tar.zst t
    STRM_DIR=store run -0 strm diff -q ./F.tar.zst t
    run -0 strm diff -q ./F.tar.zst ./store/t-0
}

@test "a word that is a file but no path is a topic, and told how to be one" {
    local word

    archive
    cp "$STRM_DIR/t-0/00000000000000000000.log" .
    cp -r "$STRM_DIR/t-0" u-0
    for word in F.tar.zst F.tar.zst@5 F.tar.zst:0@5..6 F.tar.zst:0; do
        refuses 4 "F.tar.zst: no such topic in $STRM_DIR, which holds 1 topic; if the file of that name is meant, write ./F.tar.zst" \
            strm consume "$word"
        strm consume -n 1 "./$word"
    done
    for command in tail table 'get -k k7' inspect verify 'diff t'; do
        # shellcheck disable=SC2086  # words
        refuses 4 "write ./F.tar.zst" strm $command F.tar.zst
    done
    refuses 4 "; if the file of that name is meant, write ./00000000000000000000.log" \
        strm consume 00000000000000000000.log
    refuses 4 "; if the directory of that name is meant, write ./u-0" \
        strm consume u-0@3
    refuses 4 "; if the directory of that name is meant, write ./store" \
        strm verify store
    # Beside an archive that is read the command runs elsewhere.
    refuses 4 "write ./u-0" strm diff ./F.tar.zst u-0
    # What there is to say nothing of: other files, and topics that exist.
    echo words >plain
    mkdir empty t
    for word in plain empty nothing; do
        refuses 4 "$word: no such topic" strm consume "$word"
        [[ $stderr != *"write ./"* ]]
    done
    cp -r u-0/. t
    refuses 4 "t: no partition 7" strm consume t:7
    [[ $stderr != *"write ./"* ]]
    cp F.tar.zst v
    strm topic create v
    run -0 strm consume v
    [ -z "$output" ]
}

@test "an archive of some partitions has these, and no others" {
    strm topic create t --partitions 4 --set segment.bytes=2000
    strm topic create u --partitions 2
    for partition in 0 1 2 3; do
        seq 300 | sed "s/.*/k&\t$partition &/" |
            strm produce -q -K '\t' --batch-bytes 200 t:$partition
    done
    seq 5 | strm produce -q u:1
    strm roll -q t u
    strm archive -q t:1,3 u:1 -o F.tar.zst
    zstd -qdc F.tar.zst | gzip >again.tar.gz
    mkdir kept
    strm consume t:2 >two
    strm retain -q t:2 --keep-bytes 0 --archive kept
    mv kept/* G.tar.zst
    for file in ./F.tar.zst ./again.tar.gz; do
        strm consume $file | sort >given
        strm consume t:1,3 u:1 | sort >wanted
        cmp wanted given
        strm consume $file:3 >given
        strm consume t:3 >wanted
        cmp wanted given
        run -0 strm tail -n 1 $file
        [ "${#lines[@]}" -eq 3 ]
        run -0 strm get $file -k k7
        [ "$output" = $'1 7\n3 7' ]
        run -0 strm table $file:1
        [ "${#lines[@]}" -eq 300 ]
        run -0 strm verify $file
        [[ $output == "3 partitions, "*": sound" ]]
        run -0 strm inspect $file
        [[ $output != *"t-0"* ]]
        refuses 4 "no such partition" strm consume $file:2
        run -0 strm diff -q $file:1,3 "$STRM_DIR/:1,3"
    done
    for command in consume table; do
        strm $command ./G.tar.zst | grep -o '2 [0-9]*$' >given
        cmp two given
    done
    for command in verify inspect "tail -n 1" "get -k k7"; do
        # shellcheck disable=SC2086  # words
        run -0 --separate-stderr strm $command ./G.tar.zst
        [ -z "$stderr" ]
    done
}

@test "gzip and plain archives are read in place too" {
    archive .gz gzip
    strm archive -q t -o F.tar -z none
    strm consume t@5000..5010 >wanted
    strm consume ./F.tar.gz@5000..5010 >given
    cmp wanted given
    strm consume ./F.tar@5000..5010 >given
    cmp wanted given
    run -0 strm verify -q ./F.tar.gz ./F.tar
}

@test "tars that another program made are read" {
    hours t
    strm consume -J t@5000..5100 >wanted
    for how in --no-auto-compress --gzip --zstd; do
        tar -C "$STRM_DIR" "$how" -cf other.tar t-0
        strm consume -J ./other.tar@5000..5100 >given
        cmp wanted given
    done
    strm consume -J ./other.tar@2026-03-01T05:00:00Z..2026-03-01T06:00:00Z >given
    [ "$(wc -l <given)" -eq 600 ]
    run -0 strm tail -n 1 ./other.tar
    [ "$output" = 'value 07199' ]
    run -0 strm verify -q ./other.tar
    tar -cf whole.tar -C "$STRM_DIR/.." store
    run -0 strm tail -n 1 ./whole.tar:0
    [[ $output == *'value 07199'* ]]
}

@test "a pipe is read as a file is: ours, and what tar makes" {
    hours t
    strm consume -J t@5000..5100 >wanted
    # shellcheck disable=SC2016  # for the inner shell
    for make in 'tar c -C "$STRM_DIR" t-0' 'tar cz -C "$STRM_DIR" t-0' \
        'strm archive t -o -' 'strm archive t -z none -o -'; do
        run -0 bash -o pipefail -c "$make | strm consume -J /dev/stdin@5000..5100"
        [ "$output" = "$(cat wanted)" ]
        strm consume -J <(eval "$make")@5000..5100 >given
        cmp wanted given
        run -0 bash -o pipefail -c "$make | strm verify /dev/stdin"
        run -0 bash -o pipefail -c "$make | strm inspect /dev/stdin"
        run -0 bash -o pipefail -c "$make | strm diff -q t /dev/stdin"
        run -0 bash -o pipefail -c "$make | strm archive ls -"
        [[ $output == *" 7200 "* ]]
        run -0 bash -o pipefail -c "$make | strm archive verify -"
        run -0 bash -o pipefail -c "$make | strm -C new restore - --as new"
        run -0 strm diff -q t new/new-0
        rm -r new
        [ -z "$(ls -A "$TMPDIR")" ]
    done
    tar c -C "$STRM_DIR" t-0 >other.tar
    run -0 strm tail -n 1 /dev/stdin <other.tar
    [ "$output" = 'value 07199' ]
    run -3 strm consume /dev/stdin < <(echo nothing)
    run -3 strm consume /dev/stdin < <(head -c 10000 other.tar)
    run -3 strm consume /dev/stdin < <(:)
    run -6 bash -c "ulimit -f 10; cat other.tar | strm consume /dev/stdin"
    # One that is slow is not waited for when it is to stop.
    mkfifo pipe
    start strm consume ./pipe
    id=$!
    exec 7>pipe
    head -c 1000 other.tar >&7
    sleep 0.2
    kill "$id"
    ends 143 "$id"
    exec 7>&-
}

# damage FILE PERCENT: four bytes of it become others.
damage() {
    printf '\377\0\377\0' | dd of="$1" bs=1 conv=notrunc \
        seek=$(($(stat -c %s "$1") * $2 / 100)) 2>/dev/null
}

@test "damage is met where it is: what is before it was printed" {
    local codec command last

    strm topic create t --set segment.bytes=3MB
    seq -f 'value number %09.0f, with some text to make it larger' 60000 |
        strm produce -q t
    strm roll -q t
    strm consume t >all
    for codec in none gzip zstd; do
        strm archive -q t -z $codec -o $codec
        damage $codec 60
        run -3 --separate-stderr strm consume ./$codec
        [ "${#lines[@]}" -gt 10000 ]
        [ "${#lines[@]}" -lt 50000 ]
        [[ $stderr == *"bad CRC"* ]]
        # The frames of zstd have no checksum of their own.
        [ $codec != gzip ] ||
            [[ $stderr == *" cannot be unpacked"* ]]
        [ "$output" = "$(head -n ${#lines[@]} all)" ]
        # The same of a range that ends behind it; nothing of one before.
        last=${#lines[@]}
        run -3 --separate-stderr strm consume ./$codec@$((last - 5))..$((last + 1))
        [ "$output" = "$(head -n "$last" all | tail -n 5)" ]
        run -0 --separate-stderr strm consume ./$codec@..$((last - 20000 / 3))
        run -0 strm consume ./$codec@-100
        [ "$output" = "$(tail -n 100 all)" ]
        run -3 --separate-stderr strm consume --skip-corrupt ./$codec
        [ "${lines[-1]}" = "$(tail -n 1 all)" ]
        [[ $stderr == *"1 hole skipped"* ]]
        for command in table diff\ t verify; do
            # shellcheck disable=SC2086  # words
            run -3 strm $command ./$codec
            [[ $output == *"bad CRC"* ]]
        done
    done
}

@test "a damaged log in a tar of another program's is as it is in its directory" {
    needs_golden
    local name

    for name in bad-crc torn-tail; do
        tar cf f.tar -C "$STRM_GOLDEN/$name" topic-0
        for range in '' @1400.. @1490..1500 @1673..1674 @1900..1903 @-3; do
            run strm consume -q "$STRM_GOLDEN/$name/topic-0$range"
            want=$status:${output//"$STRM_GOLDEN/$name/"/}
            run strm consume -q "./f.tar$range"
            [ "$status:${output//.\/f.tar\//}" = "$want" ]
        done
        run strm verify "$STRM_GOLDEN/$name/topic-0"
        want=$status:${output//"$STRM_GOLDEN/$name"/.\/f.tar}
        run strm verify ./f.tar
        [ "$status:$output" = "$want" ]
    done
}

# says_the_same DIRECTORY: verify and inspect, of topic-0 in it and of a tar.
says_the_same() {
    local command

    tar cf f.tar -C "$1" topic-0
    for command in verify "verify -J" "inspect --all"; do
        # shellcheck disable=SC2086  # several words
        strm $command "./$1/topic-0" >wanted 2>&1 || echo "exit $?" >>wanted
        # shellcheck disable=SC2086
        strm $command ./f.tar >given 2>&1 || echo "exit $?" >>given
        sed "s,\./$1/,./f.tar/," wanted | cmp - given
    done
}

# broker_copy NAME: topic-0 of it is in d, alone.
broker_copy() {
    rm -rf d
    mkdir d
    cp -r "$STRM_GOLDEN/$1/topic-0" d
    chmod -R u+w d
}

@test "verify and inspect of a tar say what they say of the directory" {
    needs_golden
    local name

    for name in crash-swap compacted plain transactions unclean missing-index \
        corrupt-index torn-tail bad-crc; do
        broker_copy $name
        says_the_same d
    done
    # Swaps that do not count, since a compaction had not made all of them.
    broker_copy crash-swap
    for name in log index timeindex; do
        cp d/topic-0/00000000000000000162.$name.swap \
            d/topic-0/00000000000000000240.$name.cleaned
        mv d/topic-0/00000000000000000162.$name.swap \
            d/topic-0/00000000000000000240.$name.swap
    done
    says_the_same d
    mv d/topic-0/00000000000000000240.log.cleaned \
        d/topic-0/00000000000000000050.log.cleaned
    says_the_same d
    # One that is damaged.
    rm d/topic-0/*.cleaned
    damage d/topic-0/00000000000000000240.log.swap 60
    says_the_same d
}

@test "an append that did not finish is told of a tar as of a log" {
    needs_golden
    tar cf f.tar -C "$STRM_GOLDEN/torn-tail" topic-0
    for range in '' @100.. @100..200; do
        run -0 --separate-stderr strm consume "$STRM_GOLDEN/torn-tail/topic-0$range"
        want=$stderr
        run -0 --separate-stderr strm consume "./f.tar$range"
        [ "$stderr" = "$want" ]
    done
    run -0 --separate-stderr strm consume -q ./f.tar
    [ -z "$stderr" ]
}

@test "compacted topics: no record is missed where offsets are" {
    strm topic create t --set cleanup.policy=compact \
        --set segment.bytes=3000 --set min.cleanable.dirty.ratio=0
    for n in $(seq 1 40); do
        seq 1 20 | sed "s/.*/k&\tround $n &/" | strm produce -q t -K '\t' \
            --timestamp "@$((1772323200000 + n * 1000))"
        seq 1 2 | sed "s/.*/only $n &\tx/" | strm produce -q t -K '\t' \
            --timestamp "@$((1772323200000 + n * 1000))"
    done
    strm roll -q t
    strm compact -q --force t
    strm archive -q t -o F.tar.zst
    for range in '' @-1 @-5 @-60 @-60..-30 @100 @100..400 @..300 @200..+10 \
        @2026-03-01T00:00:20Z..2026-03-01T00:00:30Z; do
        same "$range"
    done
    run -0 strm verify -q ./F.tar.zst
}

@test "what is wrong is told with the archive's name and the right exit" {
    archive
    refuses 2 "-F has no use" strm consume -F ./F.tar.zst
    refuses 2 "-F has no use" strm tail -F ./F.tar.zst@5
    refuses 4 "the log holds 0 to 7199" strm consume ./F.tar.zst@7201
    run -0 strm consume --clamp ./F.tar.zst@7201
    refuses 4 "./F.tar.zst: no such partition" strm consume ./F.tar.zst:7
    refuses 2 "without @" strm verify ./F.tar.zst@5
    refuses 2 "F.tar.zst@nonsense" strm consume ./F.tar.zst@nonsense
    head -c 20000 F.tar.zst >short.tar.zst
    refuses 3 "./short.tar.zst: " strm consume ./short.tar.zst
    refuses 3 "./short.tar.zst: " strm verify ./short.tar.zst
    for name in a.tar b.tar.zst c.tar.gz d.tgz; do
        echo garbage >$name
        : >"empty.$name"
        for command in consume verify inspect table; do
            refuses 3 "./$name: " strm $command ./$name
            refuses 3 "./empty.$name: " strm $command ./empty.$name
        done
    done
    gzip <"$STRM" | head -c 100000 >noise.gz
    run strm consume ./noise.gz
    [ "$status" -eq 3 ] || [ "$status" -eq 4 ]
    [[ $output == *"./noise.gz: "* ]]
    run -6 bash -c 'TMPDIR=/nothing strm consume ./F.tar.zst'
    [[ $output == *"/nothing"* ]]
    # Where there is no room is said: while it is unpacked, and of a pipe.
    for words in 'strm consume -n 1 ./F.tar.zst' \
        'cat F.tar.zst | strm consume /dev/stdin'; do
        run -6 --separate-stderr bash -c "ulimit -f 10; $words"
        [ -z "$output" ]
        [[ $stderr == "strm: "*": no room to unpack it in $TMPDIR (TMPDIR): "* ]]
        [ -z "$(ls -A "$TMPDIR")" ]
    done
    # shellcheck disable=SC2016
    run -6 bash -c 'strm consume ./F.tar.zst >/dev/full'
    run -0 bash -c 'strm consume ./F.tar.zst | head -n 1'
    # A command that does not read archives.
    refuses 2 "not a log file" strm roll ./F.tar.zst
}

@test "hostile tars leave nothing behind" {
    hours t
    "${PYTHON:-/usr/bin/python3}" -c '
import io, sys, tarfile
log = open(sys.argv[1], "rb").read()
def make(name, *members):
    with tarfile.open(name, "w") as tar:
        for path, kind, link, data in members:
            info = tarfile.TarInfo(path)
            info.type, info.linkname, info.size = kind, link, len(data)
            tar.addfile(info, io.BytesIO(data))
good = ("t-0/00000000000000000000.log", tarfile.REGTYPE, "", log)
make("up.tar", good, ("../oops", tarfile.REGTYPE, "", b"x"))
make("root.tar", good, ("/tmp/strm-oops", tarfile.REGTYPE, "", b"x"))
make("link.tar", good, ("t-1", tarfile.SYMTYPE, "/etc", b""))
make("hard.tar", good, ("t-1/00000000000000000000.log", tarfile.LNKTYPE,
    "t-0/00000000000000000000.log", b""))
make("device.tar", good, ("t-0/fifo", tarfile.FIFOTYPE, "", b""))
make("twice.tar", good, good)' "$STRM_DIR"/t-0/00000000000000000000.log
    for bad in up root link hard device twice; do
        refuses 3 "./$bad.tar: " strm consume "./$bad.tar"
        refuses 3 "./$bad.tar: " strm verify "./$bad.tar"
        [ -z "$(ls -A "$TMPDIR")" ]
    done
    [ ! -e oops ]
    [ ! -e ../oops ]
    [ ! -e /tmp/strm-oops ]
}

@test "the directory is private, and goes on signals and closed pipes" {
    archive
    mkfifo pipe
    for signal in INT TERM HUP; do
        bash -c 'trap - INT; exec env --default-signal strm consume -J ./F.tar.zst ./F.tar.zst ./F.tar.zst >pipe' &
        pid=$!
        exec 7<pipe
        for ((i = 0; i < 200; i++)); do
            directory=$(find "$TMPDIR" -mindepth 1 -maxdepth 1)
            [ -n "$directory" ] && break
            sleep 0.02
        done
        [ "$(stat -c %a "$directory")" = 700 ]
        sleep 0.2
        kill "-$signal" "$pid"
        code=0
        wait "$pid" || code=$?
        exec 7<&-
        [ "$code" -eq $((128 + $(kill -l "$signal"))) ]
        [ -z "$(ls -A "$TMPDIR")" ]
    done
    # The far end of the output goes away.
    # shellcheck disable=SC2016  # for the inner shell
    run -141 bash -c 'strm consume ./F.tar.zst ./F.tar.zst | :; exit "${PIPESTATUS[0]}"'
}

@test "what a process that was killed left is removed by the next" {
    archive
    mkfifo pipe
    strm consume -J ./F.tar.zst ./F.tar.zst ./F.tar.zst >pipe &
    pid=$!
    exec 7<pipe
    for ((i = 0; i < 200; i++)); do
        [ -n "$(ls -A "$TMPDIR")" ] && break
        sleep 0.02
    done
    kill -KILL "$pid"
    wait "$pid" || true
    exec 7<&-
    sleep 0.3
    [ -n "$(ls -A "$TMPDIR")" ]
    strm consume -n 1 ./F.tar.zst
    [ -n "$(ls -A "$TMPDIR")" ] # it is too young: its parent may live
    # Two libraries that both want to be the first do not go together.
    if [[ $STRM == */sanitize/* ]] || ! command -v faketime >/dev/null; then
        MAY_LEAVE=1
        skip 'no faketime, or sanitizers'
    fi
    NO_FAKE_STAT=1 faketime -f +10m strm consume -n 1 ./F.tar.zst
    [ -z "$(ls -A "$TMPDIR")" ]
}
