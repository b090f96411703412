#!/usr/bin/env bats
# strm consume: records to lines, from any address.
# shellcheck disable=SC1003,SC2016  # what is quoted is for another shell
# shellcheck disable=SC2030,SC2031  # each test is a process, as it should be
# shellcheck disable=SC2154  # run sets variables

load helper
load records

# Topic t: partitions 0 to 2, with 0..4, 10..14 and 20..24; u: 100 and 101.
fill() {
    strm topic create t --partitions 3
    for p in 0 1 2; do
        seq $((10 * p)) $((10 * p + 4)) | strm produce t:$p
    done
    seq 100 101 | strm produce --create u
}

# prints "WORDS" ARGUMENT...: consume gives these lines, and exit 0.
prints() {
    local expected=$1

    shift
    run -0 --separate-stderr strm consume "$@"
    if [ "${output//$'\n'/ }" != "$expected" ] || [ -n "$stderr" ]; then
        printf 'consume %s\nexpected "%s"\ngot      "%s"\nstderr   "%s"\n' \
            "$*" "$expected" "${output//$'\n'/ }" "$stderr"
        return 1
    fi
}

# ---- addresses ----------------------------------------------------------

@test "topics and partitions come in the order that was asked for" {
    fill
    prints '0 1 2 3 4 10 11 12 13 14 20 21 22 23 24' t
    prints '10 11 12 13 14' t:1
    prints '0 1 2 3 4 20 21 22 23 24' t:0,2
    prints '10 11 12 13 14 20 21 22 23 24' t:1-2
    prints '0 1 2 3 4 10 11 12 13 14 20 21 22 23 24' t:2,0-1
    prints '100 101 10 11 12 13 14 100 101' u t:1 u:0
    prints '10 11 12 13 14' -p 1 t
    prints '0 1 2 3 4 20 21 22 23 24' --partition 0,2 t
}

@test "a range begins at its start and ends before its end" {
    fill
    prints '2 3 4 12 13 14 22 23 24' t@2
    prints '2 3 4' t:0@2..
    prints '1 2' t:0@1..3
    prints '0 1' t:0@..2
    prints '0 1 2 3 4' t:0@start
    prints '0 1 2 3 4' t:0@start..end
    prints '' t:0@end
    prints '' t:0@5
    prints '0 1 2 3 4' t:0@0..5
    prints '' t:0@2..2
    prints '' t:0@3..1
    prints '2 3 4 100 101' t:0@2 u@0
}

@test "-N counts the last records of each partition, +N those after the start" {
    fill
    prints '4 14 24' t@-1
    prints '3 4' t:0@-2
    prints '0 1 2 3 4' t:0@-99
    prints '3' t:0@-2..-1
    prints '0 1 2 3' t:0@..-1
    prints '' t:0@-0
    prints '1 2' t:0@1..+2
    prints '3 4' t:0@-2..+9
    prints '0' t:0@start..+1
    prints '0 10 20' t@..+1
    refuses 2 'can only end' strm consume t@+2
}

@test "-N counts records, not offsets" {
    python "$BATS_TEST_DIRNAME/transactions.py" txn-0
    prints 'open later' -i uncommitted ./txn-0@-2
    prints 'committed open later' -i uncommitted ./txn-0@-3
    prints 'aborted committed open later' -i uncommitted ./txn-0@-4
}

@test "-o is what stands after the @" {
    fill
    prints '4 14 24' -o -1 t
    prints '3 4' -o 3 t:0
    prints '1 2' --offset 1..3 -p 0 t
    refuses 2 '' strm consume -o 0 t@1
    refuses 2 '' strm consume -p 0 t:1
}

@test "times are points, and never out of range" {
    strm topic create t
    for n in 1 2 3 4; do
        echo $n | strm produce --timestamp "2026-03-0${n}T12:00:00Z" t
    done
    prints '2 3 4' t@2026-03-02
    prints '3 4' t@2026-03-02T12:00:00.001Z
    prints '2 3 4' t@2026-03-02T12:00:00Z
    prints '2 3' t@2026-03-02T12:00:00Z..2026-03-04T12:00:00Z
    prints '2' t@2026-03-02..+1
    prints '3 4' t@2026-03-03T13:00:00+01:00
    prints '1 2' t@..2026-03-03
    prints '2 3 4' t@@1772452800000
    prints '3 4' t@@1772452800001
    prints '1 2 3 4' t@1970-01-01
    prints '' t@2100-01-01
    prints '' t@..1970-01-01
    prints '4' t@2026-03-04
}

@test "a duration ago is a time" {
    strm topic create t
    echo old | strm produce --timestamp "$(date -u -d '1 hour ago' +%FT%TZ)" t
    echo new | strm produce t
    prints 'new' t@-90s
    prints 'old new' t@-2h
    prints 'old' t@..-30m
    prints 'old new' t@-7d
    prints 'old' t@-1w..-1m
}

@test "a path is a partition, a store or a log file" {
    fill
    cd "$STRM_DIR"
    unset STRM_DIR
    prints '10 11 12 13 14' ./t-1
    prints '10 11 12 13 14' t-1/
    prints '13 14' "$PWD/t-1@3"
    prints '14' t-1/00000000000000000000.log@-1
    prints '0 1 2 3 4 10 11 12 13 14 20 21 22 23 24 100 101' ./
    prints '4 14 24 101' ./@-1
    prints '0 1 2 3 4 100 101' ./:0
    prints '0 1 2 3 4' ./t-0 -C /nonexistent
    [ "$(strm consume -f '%t %p\n' ./t-2 | sort -u)" = 't 2' ]
}

@test "a copy of a partition under any name is read" {
    fill
    mkdir -p 'copy of/disk:1'
    cp -r "$STRM_DIR/t-1" 'copy of/disk:1/orders-7'
    prints '10 11 12 13 14' "copy of/disk:1/orders-7"
    [ "$(strm consume -f '%t %p\n' 'copy of/disk:1/orders-7' | sort -u)" = 'orders 7' ]
    cp "$STRM_DIR/t-1/00000000000000000000.log" .
    prints '10 11 12 13 14' ./00000000000000000000.log
}

@test "a log file that is not the first begins at its own offset" {
    strm topic create t --set segment.bytes=16384
    seq 20000 | strm produce --batch-bytes 1K t
    segments=("$STRM_DIR"/t-0/*.log)
    first=$((10#$(basename "${segments[1]}" .log)))
    end=$((10#$(basename "${segments[2]}" .log)))
    strm consume "${segments[1]}" | cmp - <(seq $((first + 1)) $end)
    [ "$(strm consume -n 1 -f %o "${segments[1]}")" -eq "$first" ]
    refuses 4 'no offset 0' strm consume "${segments[1]}@0"
    # And in the middle of many, found by offset.
    prints '12345' t@12344..12345
}

@test "a wrong address is exit 2" {
    fill
    for wrong in t: t:x t:2-1 't:0,' t@ t@x t@.. t@1..2..3 t@1. t@-x t@@ \
        t@@x t@2026-13-01 '' @3 :0 'a b' t@g:group; do
        refuses 2 '' strm consume "$wrong"
    done
    refuses 2 'not a log file' strm consume /etc/passwd
    refuses 2 'not a log file' strm consume "$STRM_DIR/t-0/00000000000000000000.index"
}

@test "what is not there is exit 4, and says what is" {
    fill
    refuses 4 'nope: no such topic' strm consume nope
    refuses 4 'it has 3, from 0 to 2' strm consume t:3
    refuses 4 '' strm consume t:0,7
    refuses 4 'No such file' strm consume ./nope
    refuses 4 '' strm consume nope/nope
    refuses 4 '' strm consume "$STRM_DIR/.strm"
    refuses 4 '' strm consume -C ./nope t
    # Nothing is printed before all of it was found.
    refuses 4 'nope' strm consume t nope
}

@test "an offset that the log does not hold is exit 4, with --clamp the nearest" {
    fill
    refuses 4 'no offset 6: the log holds 0 to 4' strm consume t:0@6
    refuses 4 'no offset 99' strm consume t:0@0..99
    refuses 4 '' strm consume t:0@9223372036854775807
    prints '' --clamp t:0@99
    prints '3 4' --clamp t:0@3..99
    prints '100 101' --clamp t:0@99 u
}

# ---- how much -----------------------------------------------------------

@test "-n stops after so many records in all, across partitions" {
    fill
    prints '0 1' -n 2 t
    prints '0 1 2 3 4 10 11' --count 7 t
    prints '' -n 0 t
    prints '3 4 13' -n 3 t@3
    prints '0 1 2 3 4 10 11 12 13 14 20 21 22 23 24' -n 99 t
    prints '0 1 2 3 4 100' -n 6 t:0 u
    for wrong in x -1 '' 1.5; do
        refuses 2 '' strm consume -n "$wrong" t
    done
}

@test "it ends at the end that it saw at its start" {
    seq 300000 | strm produce --sync never --create t
    mkfifo out
    start bash -c 'exec strm consume t >out'
    exec 6<out
    read -r first <&6
    echo late | strm produce t
    cat <&6 >rest
    exec 6<&-
    [ "$first" = 1 ]
    [ "$(tail -n 1 rest)" = 300000 ]
    [ "$(strm consume t@-1)" = late ]
}

@test "a large log and the middle of it" {
    seq 1000000 >numbers
    strm produce --sync never --create t <numbers
    strm consume t | cmp - numbers
    prints '500001' t@500000..500001
    prints '1000000' t@-1
}

# ---- output -------------------------------------------------------------

# Topic f: one record with all that a record has, one with little.
one_record() {
    strm topic create f --partitions 2
    printf 'k"\t{"a":1}' | strm produce -K '\t' -H src=web -H n \
        --timestamp 2026-03-01T10:30:05.250Z f:1
    printf 'nots' | strm produce --timestamp none f:1
}

@test "-f: every letter" {
    one_record
    prints 'k"|{"a":1}|{"a":1}|2|7|f|1|0|1772361005250|0|-1|-1|1|%| |nots|nots|-1|4|f|1|1|-1|0|-1|-1|2|%|' \
        -f '%k|%s|%v|%K|%S|%t|%p|%o|%T|%e|%x|%y|%i|%%|\n' f
    prints '2026-03-01T10:30:05.250Z 2026-03-01T10:30:05.250Z 01/03/26 060 -1 -1 -1' \
        --format '%d %d{iso} %d{strftime %d/%m/%y %j}\n' f
    prints 'src=web,n [["src","web"],["n",null]]  []' -f '%h %h{json}\n' f
}

@test "-f: producer id and epoch, leader epoch" {
    python "$BATS_TEST_DIRNAME/transactions.py" txn-0
    prints '0 -1 -1 0 2 0' -f '%e %x %y\n' ./txn-0
}

@test "-f: modifiers" {
    one_record
    prints '6b22 eyJhIjoxfQ== "{\"a\":1}" "k\"" "f" 66  bm90cw== "nots" null "f" 66' \
        -f '%k{hex} %s{base64} %s{json} %k{json} %t{json} %t{hex}\n' f
    format='%S{big8}%S{big16}%S{big32}%S{big64}%K{little8}%K{little16}%K{little32}%K{little64}%S{varint}%T{varint}%K{varint}'
    [ "$(strm consume -n 1 -f "$format" f | xxd -p -c 99)" = \
        070007000000070000000000000007020200020000000200000000000000"0e84e3958f956704" ]
    [ "$(strm consume -f '%K{big16}' f:1@1 | xxd -p)" = ffff ]
    # Framing in binary: length and value.
    [ "$(strm consume -f '%S{big32}%s' f | xxd -p)" = 000000077b2261223a317d000000046e6f7473 ]
    refuses 2 'do not hold' strm consume -f '%T{big8}' f
}

@test "-f: escapes, and bytes as they are" {
    one_record
    [ "$(strm consume -n 1 -f 'a\tb\rc\0d\\e\x41\xff\n%%\x25' f | xxd -p)" = \
        6109620d6300645c6541ff0a2525 ]
    [ "$(strm consume -n 1 -f 'ü%S' f)" = ü7 ]
}

@test "-f: formats by name" {
    one_record
    printf '\xff,"x"\ttab\\\n\t\n' | strm produce -K '\t' --timestamp @1 f:0
    [ "$(strm consume -f raw f:1)" = '{"a":1}nots' ]
    prints "$(strm consume -J f | tr '\n' ' ' | sed 's/ $//')" -f json f
    [ "$(strm consume -f tsv f | xxd -p -c 99)" = "$(printf '\xff,"x"\ttab\\\\\n\t\nk"\t{"a":1}\n\\N\tnots\n' | xxd -p -c 99)" ]
    [ "$(strm consume -f csv f | xxd -p -c 99)" = "$(printf '"\xff,""x""",tab\\\n"",""\n"k""","{""a"":1}"\n,nots\n' | xxd -p -c 99)" ]
    prints '0: key=ff2c227822 value=7461625c 1: key= value= 0: key=6b22 value=7b2261223a317d 1: key=- value=6e6f7473' -f hex f
}

@test "-f: a wrong format is exit 2, with its column" {
    one_record
    for wrong in % %Z '%s{' '%s{hex' '\' '\x' '\q' '%d{foo}' '%d{strftime}' \
        '%o{hex}' '%s{big32}' '%s{}'; do
        refuses 2 'format: column ' strm consume -f "$wrong" f
    done
    # Not yet, and never as text.
    refuses 2 'frame' strm consume -f frame f
    refuses 2 'batch' strm consume -f batch f
}

@test "-J prints every field, and is what -f json prints" {
    one_record
    run -0 strm consume --json f
    [ "${lines[0]}" = '{"topic":"f","partition":1,"offset":0,"ts":1772361005250,"key":"k\"","value":"{\"a\":1}","headers":[["src","web"],["n",null]]}' ]
    [ "${lines[1]}" = '{"topic":"f","partition":1,"offset":1,"ts":-1,"key":null,"value":"nots","headers":[]}' ]
    # Control characters and bytes that are not UTF-8.
    printf '\x01\x7f"\\/\xe2\x80\xa8\t\xff\xfe' | strm produce -K '\t' --create g
    run -0 strm consume -J g
    [[ $output == *'"key":"\u0001'*'","value_b64":"//4="'* ]]
    strm consume -J g | python -c 'import json, sys
for line in sys.stdin: assert json.loads(line)["key"] == "\x01\x7f\"\\/\u2028"'
}

@test "-K prints the key and a delimiter, -D and -0 what ends a record" {
    one_record
    prints 'k"={"a":1} =nots' -K = f
    [ "$(strm consume --key-delimiter ' \x3e ' f:1@1)" = ' > nots' ]
    [ "$(strm consume -D '\n--\n' f)" = $'{"a":1}\n--\nnots\n--' ]
    [ "$(strm consume --delimiter , f)" = '{"a":1},nots,' ]
    [ "$(strm consume -0 f | xxd -p)" = 7b2261223a317d006e6f747300 ]
    [ "$(strm consume --null -K '\t' f:1@1 | xxd -p)" = 096e6f747300 ]
}

@test "ways of output that exclude each other are exit 2" {
    one_record
    refuses 2 '-J and -f' strm consume -J -f %s f
    refuses 2 '' strm consume -J -K = f
    refuses 2 '' strm consume -f %s -0 f
    refuses 2 '' strm consume -J -D x f
    refuses 2 '-D and -0' strm consume -D x -0 f
    refuses 2 '' strm consume -K '' f
}

on_terminal() {
    script -qec "$*" /dev/null </dev/null | tr -d '\r'
}

@test "control characters are escaped on a terminal, and exact elsewhere" {
    command -v script >/dev/null || skip 'no script(1)'
    printf '\e[31m\xff\tüa\x07\n' >text
    strm produce --create t <text
    [ "$(on_terminal strm consume t)" = '\x1b[31m\xff'$'\t''üa\x07' ]
    [ "$(on_terminal strm consume -f '%s%s\\n' t)" = '\x1b[31m\xff'$'\t''üa\x07\x1b[31m\xff'$'\t''üa\x07' ]
    [ "$(on_terminal strm consume --raw t)" = "$(cat text)" ]
    [ "$(on_terminal strm tail --raw t)" = "$(cat text)" ]
    strm consume t | cmp - text
    strm consume t >file
    cmp file text
    NO_COLOR=1 strm consume t | cmp - text
}

@test "output does not depend on the locale" {
    printf 'ü\xff\n' | strm produce --create t
    for locale in C C.UTF-8 de_DE.UTF-8 tr_TR.ISO-8859-9; do
        LC_ALL=$locale strm consume -f '%s %S %d{strftime %A %p} %T\n' t
        LC_ALL=$locale strm consume -J t
    done | sort -u >all
    [ "$(wc -l <all)" -eq 2 ]
}

# ---- following ----------------------------------------------------------

@test "-F follows several partitions, in order of arrival" {
    fill
    start strm consume -F t:0@3 t:2@end u >out
    eventually holds out $'3\n4\n100\n101'
    echo a | strm produce t:2
    eventually holds out $'3\n4\n100\n101\na'
    echo b | strm produce u
    eventually holds out $'3\n4\n100\n101\na\nb'
    echo not followed | strm produce t:1
    echo c | strm produce t:0
    eventually holds out $'3\n4\n100\n101\na\nb\nc'
}

@test "-F ends where the range ends, or after -n records" {
    fill
    start strm consume --follow t:0@3..7 >out
    id=$!
    printf '5\n6\n7\n8\n' | strm produce t:0
    wait "$id"
    holds out $'3\n4\n5\n6'
    start strm consume -F -n 3 u >out
    id=$!
    eventually holds out $'100\n101'
    printf '102\n103\n' | strm produce u
    wait "$id"
    holds out $'100\n101\n102'
}

@test "SIGTERM, SIGINT and SIGHUP end a follower by the signal, silently" {
    fill
    for pair in SIGTERM:15 SIGINT:2 SIGHUP:1; do
        run -0 --separate-stderr signalled "${pair%:*}" '' strm consume -F u
        [ "$output" = $'100\n101\nsignal '"${pair#*:}" ]
        [ -z "$stderr" ]
    done
}

@test "SIGTERM ends a reader whose output is full" {
    seq 1000000 | strm produce --sync never --create t
    mkfifo out
    start bash -c 'exec strm consume t >out'
    exec 6<out
    sleep 0.2
    kill -TERM "$!"
    ends 143 "$!"
    exec 6<&-
}

@test "--durable waits for the sync, and makes it when nobody else does" {
    strm topic create t
    echo a | strm produce t
    count_syncs strm consume --durable t
    [ "$syncs" -eq 0 ]
    echo b | strm produce --sync never t
    count_syncs strm consume t
    [ "$syncs" -eq 0 ]
    count_syncs strm consume --durable t
    [ "$syncs" -eq 1 ]
    count_syncs strm consume --durable t
    [ "$syncs" -eq 0 ]
    prints 'a b' --durable t
}

@test "--durable: a sync that does not end is exit 5 after --lock-timeout" {
    strm topic create t
    echo a | strm produce --sync never t
    sync_lock t 0
    refuses 5 '' strm consume --durable --lock-timeout 200ms t
    prints a t
}

# ---- transactions -------------------------------------------------------

@test "-i: committed hides what was aborted and what comes after the last stable offset" {
    python "$BATS_TEST_DIRNAME/transactions.py" txn-0
    prints 'plain committed' ./txn-0
    prints 'plain committed' -i committed ./txn-0
    prints 'plain aborted aborted committed open later' -i uncommitted ./txn-0
    prints '0 1 2 4 6 7' --isolation uncommitted -f '%o\n' ./txn-0
    prints 'committed' ./txn-0@1
    prints 'committed' ./txn-0@2..6
    refuses 2 '' strm consume -i serializable ./txn-0
}

# tear FILE: add the first 40 bytes of its first batch.
tear() {
    head -c 40 "$1" >part
    cat part >>"$1"
}

# ---- damage and failures ------------------------------------------------

@test "damage is exit 3, after what was good before it, with its byte" {
    for n in 1 2 3; do
        echo "record $n" | strm produce --create t
    done
    size=$(batches "$(log t 0)" | awk 'NR == 1 { print $4 }')
    printf X | dd of="$(log t 0)" bs=1 seek=$((size + 65)) conv=notrunc status=none
    run -3 --separate-stderr strm consume t
    [ "$output" = 'record 1' ]
    [[ $stderr == "strm: "*"t-0/00000000000000000000.log"*"byte $size"* ]]
    # Who stops before it does not meet it.
    prints 'record 1' -n 1 t
    run -3 strm consume -F t
}

@test "a flipped bit anywhere is damage, in a copy a bad last batch" {
    printf 'some value\n' | strm produce -k key --create t
    printf 'some value\n' | strm produce -k key t
    file=$(log t 0)
    size=$(batches "$file" | awk 'NR == 1 { print $4 }')
    cp "$file" good
    # Length, CRC, attributes, counts, a record.
    for byte in 9 17 22 26 57 60 66 $((size - 1)); do
        cp good "$file"
        printf '\x55' | dd of="$file" bs=1 seek="$byte" conv=notrunc status=none
        run -3 --separate-stderr strm consume t
        [ -z "$output" ]
    done
    cp -r "$STRM_DIR/t-0" copy-0
    cp good copy-0/00000000000000000000.log
    printf X | dd of=copy-0/00000000000000000000.log bs=1 seek=$((2 * size - 1)) \
        conv=notrunc status=none
    run -3 --separate-stderr strm consume ./copy-0
    [ "$output" = 'some value' ]
}

# hurt FILE BYTE...: flip bits of these bytes.
hurt() {
    python - "$@" <<'EOS'
import sys
with open(sys.argv[1], "r+b") as file:
    for at in map(int, sys.argv[2:]):
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x41]))
EOS
}

@test "--skip-corrupt goes on behind damage and tells of each hole, exit 3" {
    strm topic create t
    for n in 1 2 3 4 5 6; do
        printf '%d\n%d\n' $((2 * n)) $((2 * n + 1)) | strm produce t
    done
    # Each batch has two records.
    mapfile -t sizes < <(batches "$(log t 0)" | cut -d ' ' -f 4)
    hurt "$(log t 0)" $((sizes[0] + 63)) $((sizes[0] * 4 + 63))
    run -3 --separate-stderr strm consume t
    [ "$output" = $'2\n3' ]
    [[ $stderr == *"byte ${sizes[0]}"*"bad CRC" ]]
    run -3 --separate-stderr strm consume --skip-corrupt t
    [ "${output//$'\n'/ }" = '2 3 6 7 8 9 12 13' ]
    [ "${#stderr_lines[@]}" -eq 3 ]
    [[ ${stderr_lines[0]} == "strm: t-0/00000000000000000000.log: bytes ${sizes[0]} to $((2 * sizes[0])) skipped: offsets 2 to 3 are missing: bad CRC" ]]
    [[ ${stderr_lines[1]} == *"offsets 8 to 9 are missing"* ]]
    [ "${stderr_lines[2]}" = 'strm: 2 holes skipped, 4 offsets missing' ]
    # What the range leaves out is no hole; nor is what -n leaves out.
    prints '12 13' --skip-corrupt t@10
    prints '2 3' --skip-corrupt -n 2 t
    run -3 --separate-stderr strm consume --skip-corrupt t@-4
    [ "${output//$'\n'/ }" = '8 9 12 13' ]
    run -3 --separate-stderr strm tail --skip-corrupt -n 3 t
    [ "${output//$'\n'/ }" = '9 12 13' ]
    # A pipeline notices, and -q keeps errors.
    run -3 --separate-stderr strm consume -q --skip-corrupt t
    [ "${#stderr_lines[@]}" -eq 3 ]
}

@test "--skip-corrupt: a bad last batch, a missing and an unreadable segment" {
    strm topic create t --set segment.bytes=400
    seq 1 40 | strm produce t --batch-bytes 60
    mapfile -t logs < <(printf '%s\n' "$STRM_DIR"/t-0/*.log)
    [ "${#logs[@]}" -gt 5 ]
    first=$(basename "${logs[2]}" .log) next=$(basename "${logs[3]}" .log)
    rm "${logs[2]}"
    run -3 strm consume t
    run -3 --separate-stderr strm consume --skip-corrupt t
    [ "$output" = "$(seq 1 40 | sed "$((10#$first + 1)),$((10#$next))d")" ]
    [[ ${stderr_lines[0]} == *"offsets $((10#$first)) to $((10#$next - 1)) are missing"* ]]
    mkdir "${logs[2]}"
    run -6 strm consume t
    run -3 --separate-stderr strm consume --skip-corrupt t
    [ "$output" = "$(seq 1 40 | sed "$((10#$first + 1)),$((10#$next))d")" ]
    [[ ${stderr_lines[0]} == *"not a regular file"* ]]
    rmdir "${logs[2]}"
    strm topic create u
    seq 1 3 | strm produce u
    seq 4 6 | strm produce u
    cp -r "$STRM_DIR/u-0" copy-0
    mapfile -t sizes < <(batches "$(log u 0)" | cut -d ' ' -f 4)
    hurt copy-0/00000000000000000000.log $((sizes[0] + 63))
    run -3 --separate-stderr strm consume --skip-corrupt ./copy-0
    [ "${output//$'\n'/ }" = '1 2 3' ]
    [[ ${stderr_lines[0]} == *"offsets from 3 on are missing"* ]]
    [[ ${stderr_lines[1]} == *"1 hole skipped, 0 offsets missing or more" ]]
}

@test "formats of the past and the future are exit 3, as not supported" {
    echo a | strm produce --create t
    for magic in 0 1 3; do
        printf '%b' "\\x0$magic" | dd of="$(log t 0)" bs=1 seek=16 conv=notrunc status=none
        refuses 3 'not supported' strm consume t
    done
}

@test "a torn tail is a note and exit 0, with -q no note" {
    echo a | strm produce --create t
    tear "$(log t 0)"
    run -0 --separate-stderr strm consume t
    [ "$output" = a ]
    [[ $stderr == 'strm: t-0/'*'torn'* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
    prints a -q t
    prints a --quiet t
}

@test "--lock-timeout bounds the wait for an append that does not end" {
    echo a | strm produce --create t
    tear "$(log t 0)"
    append_lock t 0
    start=${EPOCHREALTIME/[.,]/}
    run -0 --separate-stderr strm consume --lock-timeout 300ms t
    took=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
    [ "$output" = a ]
    [[ $stderr == *'torn'* ]]
    [ "$took" -ge 300 ]
    [ "$took" -lt 3000 ]
}

@test "--max-batch-bytes refuses what is larger, compressed or not" {
    head -c 100000 /dev/zero | tr '\0' a | strm produce --create t
    head -c 100000 /dev/zero | tr '\0' a | strm produce -z zstd --create z
    refuses 3 'max-batch-bytes' strm consume --max-batch-bytes 50K t
    refuses 3 'the limit of 51200' strm consume --max-batch-bytes 50K z
    [ "$(strm consume --max-batch-bytes 1M t | wc -c)" -eq 100001 ]
    [ "$(strm consume --max-batch-bytes 1M z | wc -c)" -eq 100001 ]
    refuses 2 '' strm consume --max-batch-bytes x t
}

@test "output that cannot be written is exit 6" {
    seq 1000000 | strm produce --sync never --create t
    echo a | strm produce --create u
    for topic in t u; do
        for options in '' -J '-f %o' -0; do
            # shellcheck disable=SC2086  # words
            run -6 bash -c 'strm consume "$@" >/dev/full' bash $options $topic
            [[ $output == 'strm: standard output: '*'No space left on device' ]]
        done
    done
    run -6 bash -c 'strm consume u >&-'
}

@test "a closed pipe is a silent death by SIGPIPE" {
    seq 1000000 | strm produce --sync never --create t
    run -0 bash -c 'strm consume t | head -n 1; echo "${PIPESTATUS[0]}"'
    [ "$output" = $'1\n141' ]
    run -0 bash -c 'strm consume -J t | head -n 1 >/dev/null; echo "${PIPESTATUS[0]}"'
    [ "$output" = 141 ]
}

@test "what may not be read is exit 6" {
    echo a | strm produce --create t
    chmod 000 "$(log t 0)"
    let_nobody_in
    refuses 6 'Permission denied' nobody strm consume t
    chmod 644 "$(log t 0)"
    chmod 000 "$STRM_DIR"
    refuses 6 'Permission denied' nobody strm consume t
    chmod 755 "$STRM_DIR"
}

@test "a FIFO in place of a log is an error and no wait" {
    mkdir fake-0
    mkfifo fake-0/00000000000000000000.log
    run timeout 5 strm consume ./fake-0
    [ "$status" -ne 0 ]
    [ "$status" -lt 10 ]
}

# ---- nothing is written -------------------------------------------------

@test "reading changes nothing, not even in a directory that it may write to" {
    fill
    rm "$STRM_DIR/t-1/.strm-state"
    find "$STRM_DIR" -printf '%p %s %T@ %C@\n' | sort >before
    strm consume t u >/dev/null
    strm consume "$STRM_DIR/t-1" >/dev/null
    strm consume "$STRM_DIR/" >/dev/null
    start strm consume -F t
    sleep 0.1
    find "$STRM_DIR" -printf '%p %s %T@ %C@\n' | sort | diff before -
}

@test "a read-only copy is read by who may only read" {
    fill
    cp -r "$STRM_DIR/t-1" copy-1
    rm copy-1/.strm-state copy-1/*index copy-1/leader* copy-1/partition*
    chmod 444 copy-1/*
    chmod 555 copy-1
    let_nobody_in
    run -0 --separate-stderr nobody strm consume ./copy-1
    [ "${output//$'\n'/ }" = '10 11 12 13 14' ]
    [ -z "$stderr" ]
    [ "$(nobody strm consume ./copy-1@-2..+1)" = 13 ]
    chmod 755 copy-1
}

@test "a broker's lock and a writer's lock keep no reader out" {
    fill
    broker_lock
    append_lock t 1
    prints '10 11 12 13 14' t:1
}
