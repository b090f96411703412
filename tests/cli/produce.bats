#!/usr/bin/env bats
# strm produce: lines, or JSON lines, to records.
# shellcheck disable=SC2016  # what is quoted is for another shell
# shellcheck disable=SC2030,SC2031  # each test is a process, as it should be
# shellcheck disable=SC2154  # run and count_syncs set variables

load helper
load records

# produce LINE...: to the topic t.
produce() {
    printf '%s\n' "$@" | strm produce t --create
}

# ---- lines --------------------------------------------------------------

@test "lines become records, an empty line an empty one, the last needs no end" {
    printf 'a\n\nb' | strm produce t --create
    run -0 strm consume t
    [ "$output" = $'a\n\nb' ]
    [ "$(strm consume -f '%S ' t)" = '1 0 1 ' ]
    printf '' | strm produce t
    printf '\n' | strm produce t
    [ "$(strm consume -f '%S ' t)" = '1 0 1 0 ' ]
}

@test "nothing is printed when all went well" {
    run -0 strm produce t --create <<<line
    [ -z "$output" ]
}

@test "a record may hold any byte" {
    head -c 300000 /dev/urandom >random
    echo >>random
    printf 'cr\r\nnul\0nul\n\xff\xfe\n\e[31m\n' >>random
    strm produce t --create <random
    strm consume t | cmp - random
    [ "$(strm consume -f '%i\n' t | tail -n 1)" -eq "$(wc -l <random)" ]
}

@test "files are read in turn, - is standard input, and no line crosses a file" {
    printf 'a\nb' >one
    printf 'd\n' >two
    echo c | strm produce t --create one - ./two
    run -0 strm consume t
    [ "$output" = $'a\nb\nc\nd' ]
}

@test "a file that cannot be read ends it, and what came before is kept" {
    echo a >one
    echo b >two
    refuses 4 'none: No such file' strm produce t --create one none two
    refuses 6 'Is a directory' strm produce t one . two
    run -0 strm consume t
    [ "$output" = $'a\na' ]
}

@test "standard input that is closed or a directory is exit 6" {
    strm topic create t
    run -6 bash -c 'strm produce t <&-'
    run -6 bash -c 'strm produce t <.'
    [ -z "$(strm consume t)" ]
}

# ---- keys, headers, values ----------------------------------------------

@test "-K splits at its first occurrence" {
    printf 'k1\tv1\nno key\nk2\ta\tb\n\tempty key\nk3\t\n' |
        strm produce -K '\t' t --create
    run -0 strm consume -f '%K:%k|%S:%s\n' t
    [ "$output" = $'2:k1|2:v1\n-1:|6:no key\n2:k2|3:a\tb\n0:|9:empty key\n2:k3|0:' ]
}

@test "-K takes several bytes and escapes" {
    printf 'k => v => w\n' | strm produce --key-delimiter ' => ' t --create
    printf 'k\xff\x00v\n' | strm produce -K '\xff\0' t
    run -0 strm consume -f '%k|%s\n' t
    [ "$output" = $'k|v => w\nk|v' ]
}

@test "-k is the key of every record that brings none" {
    printf 'a\nb\n' | strm produce -k fixed t --create
    printf 'a\nk=b\n' | strm produce --key fixed -K = t
    printf 'a\n' | strm produce -k '' t
    run -0 strm consume -f '%K:%k|%s\n' t
    [ "$output" = $'5:fixed|a\n5:fixed|b\n5:fixed|a\n1:k|b\n0:|a' ]
}

@test "-H gives every record headers, in order, also twice, empty and null" {
    printf 'a\nb\n' | strm produce -H src=web -H n=1 -H n=2 --header eq=a=b \
        -H empty= -H null -H ö=ü t --create
    run -0 strm consume -f '%h{json}\n' t
    [ "${lines[0]}" = '[["src","web"],["n","1"],["n","2"],["eq","a=b"],["empty",""],["null",null],["ö","ü"]]' ]
    [ "${lines[1]}" = "${lines[0]}" ]
}

@test "-D ends records with other bytes, -0 with NUL" {
    printf 'a\nb;c;;d' | strm produce -D ';' t --create
    printf 'eENDfENgENDh' | strm produce --delimiter END t
    printf 'i\nj\0k\0' | strm produce -0 t
    printf 'l\0m\0' | strm produce --null t
    run -0 strm consume -D '|' t
    [ "$output" = $'a\nb|c||d|e|fENg|h|i\nj|k|l|m|' ]
}

@test "a delimiter is found across reads" {
    start_slow() { printf 'oneEN'; sleep 0.1; printf 'DtwoE'; sleep 0.1; printf 'ND'; }
    start_slow | strm produce -D END t --create
    run -0 strm consume t
    [ "$output" = $'one\ntwo' ]
}

@test "-Z makes an empty value null" {
    printf 'k\t\nk\tv\n\n' | strm produce -Z -K '\t' t --create
    printf 'k\t\n' | strm produce -K '\t' t
    printf 'k\t\n' | strm produce --empty-is-null -K '\t' t
    [ "$(strm consume -f '%S ' t)" = '-1 1 -1 0 -1 ' ]
}

# ---- partitions ---------------------------------------------------------

@test "-p and TOPIC:P name the partition" {
    strm topic create t --partitions 3
    echo a | strm produce -p 1 t
    echo b | strm produce t:2
    echo c | strm produce --partition 0 -k key t
    run -0 strm consume -f '%p%s ' t
    [ "$output" = '0c 1a 2b ' ]
}

@test "a partition that is not there is exit 4, a wrong one 2" {
    strm topic create t --partitions 3
    refuses 4 'no partition 3' strm produce -p 3 t
    refuses 4 'no partition 3' strm produce t:3
    for wrong in x 1.5 '' 2147483648 4294967296 -2; do
        refuses 2 '' strm produce -p "$wrong" t
    done
    for wrong in t: t:x t:0-1 t:0,1 t@0 t:0@0 ./t a/t:0; do
        refuses 2 '' strm produce "$wrong"
    done
    refuses 2 '' strm produce -p 1 t:2
    [ -z "$(strm consume t)" ]
}

# The hashes are those in Kafka's own UtilsTest.
@test "keys go to partitions by murmur2 as Java's client sends them" {
    strm topic create t --partitions 8
    while read -r key hash; do
        echo "$key $(((hash & 0x7fffffff) % 8))"
    done >expected <<'EOS'
21 -973932308
foobar -790332482
a-little-bit-long-string -985981536
a-little-bit-longer-string -1486304829
lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8 -58897971
abc 479470107
EOS
    cut -d ' ' -f 1 expected | while read -r key; do
        echo "$key=x"
    done | strm produce -K = t
    strm consume -f '%k %p\n' t | sort | diff - <(sort expected)
}

@test "records without a key stay together batch by batch" {
    strm topic create t --partitions 4
    seq 1000 | strm produce t
    [ "$(strm consume -f '%p\n' t | uniq | wc -l)" -eq 1 ]
    strm topic create u --partitions 4
    seq 10000 | strm produce --batch-bytes 1K u
    [ "$(strm consume -f '%p\n' u | uniq | wc -l)" -eq 4 ]
    [ "$(strm consume u | sort -n | cksum)" = "$(seq 10000 | cksum)" ]
}

# ---- topics and stores --------------------------------------------------

@test "--create makes the topic and the store, and nothing without input fails" {
    printf '' | strm -C new produce t --create
    run -0 strm -C new topic ls
    [ "$output" = t ]
    echo a | strm -C new produce --create t
    [ "$(strm -C new consume t)" = a ]
}

@test "without --create a missing topic or store is exit 4" {
    refuses 4 'nope: no such topic' strm produce nope <<<a
    refuses 4 '' strm -C missing produce t <<<a
    [ ! -e missing ]
    [ ! -e "$STRM_DIR/nope-0" ]
    strm topic create orders
    refuses 4 'orders' strm produce order <<<a
}

@test "a name that is not allowed is exit 2" {
    for wrong in '' 'a b' __own . .. a/b "$(head -c 250 /dev/zero | tr '\0' a)"; do
        refuses 2 '' strm produce --create -- "$wrong" <<<a
    done
    echo a | strm produce --create -- -dash
    [ "$(strm consume -- -dash)" = a ]
}

# ---- codecs -------------------------------------------------------------

@test "-z writes each codec, and all come back" {
    yes 'some words that compress well' | head -n 2000 >text
    plain=$(wc -c <text)
    for codec in none gzip snappy lz4 zstd; do
        strm produce --create -z $codec "in-$codec" <text
        run -0 batches "$(log "in-$codec" 0)"
        [[ ${lines[0]} == "0 "*" $codec "* ]]
        strm consume "in-$codec" | cmp - text
        [ "$codec" = none ] ||
            [ "$(wc -c <"$(log "in-$codec" 0)")" -lt $((plain / 3)) ]
    done
}

@test "a level is used" {
    seq 20000 | awk '{ print ($1 * 7919) % 10007, "and", $1 % 97, "words" }' >text
    for pair in gzip:1:9 lz4:1:12 zstd:1:19 zstd:-5:3; do
        IFS=: read -r codec low high <<<"$pair"
        strm produce --create -z "$codec:$low" "$codec.$low" <text
        strm produce --create --compression "$codec:$high" "$codec.$high" <text
        strm consume "$codec.$high" | cmp - text
        [ "$(wc -c <"$(log "$codec.$high" 0)")" -lt \
            "$(wc -c <"$(log "$codec.$low" 0)")" ]
    done
}

@test "the topic's compression.type is what -z overrides" {
    strm topic create t --set compression.type=zstd
    echo a | strm produce t
    echo b | strm produce -z lz4 t
    echo c | strm produce -z none t
    run -0 batches "$(log t 0)"
    [[ $output == *' zstd '*$'\n'*' lz4 '*$'\n'*' none '* ]]
}

@test "a wrong codec or level is exit 2" {
    strm topic create t
    for wrong in foo '' zstd: zstd:x zstd:99 gzip:0 gzip:10 lz4:-1 lz4:13 \
        snappy:1 none:1 zstd:1:1 ZSTD; do
        refuses 2 '' strm produce -z "$wrong" t <<<a
    done
    [ -z "$(strm consume t)" ]
}

# ---- batches, writing and syncing ---------------------------------------

@test "--batch-bytes limits what is in a batch" {
    seq 1000 1999 >numbers
    strm produce --create t <numbers
    run -0 batches "$(log t 0)"
    [ "${#lines[@]}" -eq 1 ]
    strm produce --create --batch-bytes 1KiB u <numbers
    run -0 batches "$(log u 0)"
    [ "${#lines[@]}" -gt 8 ]
    while read -r _ _ _ bytes; do
        [ "$bytes" -le $((1024 + 61)) ]
    done <<<"$output"
    strm consume u | cmp - numbers
    # One that is larger than a batch has one to itself.
    (seq 3; printf '%2000s\n' x; seq 3) | strm produce --create --batch-bytes 100 w
    run -0 batches "$(log w 0)"
    [[ $output == *$'\n3 1 none '* ]]
    [ "$(strm consume -f '%S ' w)" = '1 1 1 2000 1 1 1 ' ]
}

@test "without --batch-bytes a batch is 64 KiB, with a codec 512 KiB" {
    seq 100000 199999 >numbers
    strm produce --create t <numbers
    strm produce --create -z zstd u <numbers
    run -0 batches "$(log t 0)"
    plain=${#lines[@]}
    run -0 batches "$(log u 0)"
    [ "$plain" -ge $((1300000 / 65536)) ]
    [ "$plain" -le 30 ]
    [ "${#lines[@]}" -ge $((1300000 / 524288)) ]
    [ "${#lines[@]}" -le 4 ]
}

slow() {
    echo one
    sleep 0.25
    echo two
    sleep 0.25
    echo three
}

@test "--sync decides when data is synced" {
    strm topic create t
    count_syncs strm produce t < <(slow)
    [ "$syncs" -eq 1 ]
    count_syncs strm produce --sync exit t < <(slow)
    [ "$syncs" -eq 1 ]
    count_syncs strm produce --sync never t < <(slow)
    [ "$syncs" -eq 0 ]
    count_syncs strm produce --sync batch t < <(slow)
    [ "$syncs" -eq 3 ]
    count_syncs strm produce --sync 50ms t < <(slow)
    [ "$syncs" -eq 3 ]
    [ "$(strm consume t | wc -l)" -eq 15 ]
}

@test "--sync always syncs each record, before the next is read" {
    strm topic create t
    count_syncs strm produce --sync always t < <(seq 20)
    [ "$syncs" -eq 20 ]
    run -0 batches "$(log t 0)"
    [ "${#lines[@]}" -eq 20 ]
    count_syncs strm produce --sync batch t < <(seq 20)
    [ "$syncs" -eq 1 ]
}

@test "the default syncs a second after a write, when more comes later" {
    strm topic create t
    count_syncs strm produce t < <(echo one; sleep 1.3; echo two)
    [ "$syncs" -eq 2 ]
}

@test "nothing to write is nothing to sync" {
    strm topic create t
    count_syncs strm produce t </dev/null
    [ "$syncs" -eq 0 ]
}

@test "a line on a slow pipe is visible at once" {
    strm topic create t
    feed strm produce t
    echo one >&5
    eventually holds_topic one
    echo two >&5
    eventually holds_topic $'one\ntwo'
    # Half a line is no record yet.
    printf 'thr' >&5
    sleep 0.1
    holds_topic $'one\ntwo'
    echo ee >&5
    eventually holds_topic $'one\ntwo\nthree'
    exec 5>&-
    wait "$!"
}

holds_topic() {
    [ "$(strm consume t)" = "$1" ]
}

@test "--linger keeps records back for that long, to fill batches" {
    strm topic create t
    feed strm produce --linger 600ms t
    echo one >&5
    sleep 0.2
    [ -z "$(strm consume t)" ]
    echo two >&5
    sleep 0.1
    [ -z "$(strm consume t)" ]
    eventually holds_topic $'one\ntwo'
    run -0 batches "$(log t 0)"
    [ "${#lines[@]}" -eq 1 ]
    # The end of the input waits for nothing.
    echo three >&5
    exec 5>&-
    wait "$!"
    holds_topic $'one\ntwo\nthree'
}

@test "a wrong size, duration or --sync is exit 2" {
    strm topic create t
    refuses 2 '' strm produce --batch-bytes x t
    refuses 2 '' strm produce --batch-bytes 0 t
    refuses 2 '' strm produce --linger -1 t
    refuses 2 '' strm produce --linger 1x t
    refuses 2 '' strm produce --sync sometimes t
    refuses 2 '' strm produce --sync -1 t
    refuses 2 '' strm produce --lock-timeout x t
    refuses 2 '' strm produce --too-large maybe t
    refuses 2 '' strm produce -K '' t
    refuses 2 '' strm produce -K '\q' t
    refuses 2 '' strm produce -D '' t
    refuses 2 '' strm produce -D x -0 t
}

# ---- acknowledgements ---------------------------------------------------

@test "--ack prints partition and offset of each record, in the input's order" {
    strm topic create t --partitions 8
    seq 500 | awk '{ print "k" $1 % 37 "=" $1 }' >lines
    run -0 bash -c 'strm produce -K = --ack t <lines'
    [ "${#lines[@]}" -eq 500 ]
    # What is at each acknowledged place is that line.
    paste -d ' ' <(echo "$output") <(cut -d = -f 2 lines) | sort >acked
    strm consume -f '%p %o %s\n' t | sort | diff - acked
    strm produce --ack -k k37 t <<<more
    [ "$(strm produce --ack t:3 <<<a)" != "$(strm produce --ack t:3 <<<a)" ]
}

@test "--ack comes at once, when the record is durable" {
    strm topic create t
    feed strm produce --ack t >acks
    echo one >&5
    eventually holds acks '0 0'
    echo two >&5
    eventually holds acks $'0 0\n0 1'
    exec 5>&-
    wait "$!"
    count_syncs strm produce --ack t < <(slow) >acks
    [ "$syncs" -eq 3 ]
    grep -vq 'sync' acks
}

@test "--ack tells what is durable: --sync never cannot go with it" {
    strm topic create t
    refuses 2 '--sync never' strm produce --ack --sync never t
}

@test "acknowledgements that cannot be written are exit 6, the records stay" {
    strm topic create t
    run -6 bash -c 'echo a | strm produce --ack t >/dev/full'
    [[ $output == 'strm: '*'No space left on device' ]]
    [ "$(strm consume t)" = a ]
    run -6 bash -c 'echo b | strm produce --ack t >&-'
    holds_topic $'a\nb'
}

@test "acknowledgements into a closed pipe are a silent death by SIGPIPE" {
    strm topic create t
    run -0 bash -c 'seq 1000000 | strm produce --ack t | head -n 1
        echo "${PIPESTATUS[1]}"'
    [ "$output" = $'0 0\n141' ]
    # What was written is whole and dense.
    n=$(strm consume t | wc -l)
    [ "$n" -gt 0 ]
    strm consume t | cmp - <(seq "$n")
}

# ---- timestamps ---------------------------------------------------------

@test "--timestamp is a time, milliseconds, or none; else it is now" {
    strm topic create t
    echo a | strm produce --timestamp 2026-03-01T10:30:00.250Z t
    echo b | strm produce --timestamp @1234 t
    echo c | strm produce --timestamp none t
    echo d | strm produce --timestamp 2026-03-01T10:30:00+01:00 t
    before=$(date +%s%3N)
    echo e | strm produce t
    after=$(date +%s%3N)
    run -0 strm consume -f '%T\n' t
    [ "${lines[0]}" = 1772361000250 ]
    [ "${lines[1]}" = 1234 ]
    [ "${lines[2]}" = -1 ]
    [ "${lines[3]}" = 1772357400000 ]
    [ "${lines[4]}" -ge "$before" ]
    [ "${lines[4]}" -le "$after" ]
    for wrong in yesterday '' @x 2026-13-01 2026-03-01T25:00; do
        refuses 2 '' strm produce --timestamp "$wrong" t
    done
}

@test "each line of a slow pipe has its own time" {
    strm topic create t
    (echo a; sleep 0.2; echo b) | strm produce t
    run -0 strm consume -f '%T\n' t
    apart=$((lines[1] - lines[0]))
    [ "$apart" -ge 150 ]
    [ "$apart" -le 1000 ]
}

@test "with LogAppendTime the log has its own time" {
    strm topic create t --set message.timestamp.type=LogAppendTime
    echo a | strm produce --timestamp @1234 t
    [ "$(strm consume -f '%T' t)" -gt 1700000000000 ]
}

# ---- records that are too large -----------------------------------------

too_large_input() {
    printf 'a\n%4000s\nb\n%5000s\nc\n' x y
}

@test "a record that is too large stops it with exit 2 and its line" {
    strm topic create t --set max.message.bytes=1000
    too_large_input >input
    refuses 2 'standard input: line 2: ' strm produce t <input
    [ "$(strm consume t)" = a ]
    refuses 2 'input: line 2: ' strm produce --too-large stop t input
    [ "$(strm consume t)" = $'a\na' ]
}

@test "--too-large skip goes on, names each line, and exits 7" {
    strm topic create t --set max.message.bytes=1000
    too_large_input >input
    run -7 --separate-stderr strm produce --too-large skip t <input
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 2 ]
    [[ ${stderr_lines[0]} == 'strm: standard input: line 2: '* ]]
    [[ ${stderr_lines[1]} == 'strm: standard input: line 4: '* ]]
    [ "$(strm consume t)" = $'a\nb\nc' ]
    # Nothing was skipped: exit 0.
    strm produce --too-large skip t <<<d
}

@test "acknowledgements leave a skipped record out" {
    strm topic create t --set max.message.bytes=1000
    run -7 --separate-stderr strm produce --ack --too-large skip t < <(too_large_input)
    [ "$output" = $'0 0\n0 1\n0 2' ]
}

@test "a line without end is not read into memory" {
    strm topic create t
    # Sanitizers reserve more than any limit.
    run -2 bash -c 'nm "$STRM" | grep -q __asan_init || ulimit -v 2000000
        head -c 300M /dev/zero | strm produce t'
    [[ $output == 'strm: standard input: line 1 '* ]]
    run -7 bash -c '(head -c 70M /dev/zero; printf "\nb\n") |
        strm produce --too-large skip t'
    [ "$(strm consume t)" = b ]
}

@test "a null key in a compacted topic is exit 2 with its line" {
    strm topic create t --set cleanup.policy=compact
    printf 'k=a\nb\nk=c\n' >input
    refuses 2 'line 2: ' strm produce -K = t <input
    [ "$(strm consume t)" = a ]
}

# ---- JSON lines ---------------------------------------------------------

@test "-J takes what consume -J prints, byte for byte" {
    printf 'k\tv\n\t\nno key\n\xff\xfe\t\x00\x01\n"q"\t\\\e\n' |
        strm produce -K '\t' -H a=b -H $'\xff=\xfe' -H null t --create
    printf 'k\t\n' | strm produce -Z -K '\t' --timestamp none t
    strm consume -J t >first
    strm produce -J --create u <first
    strm consume -J u >second
    sed 's/"topic":"t"/"topic":"u"/' first | diff - second
    grep -q '"key_b64":"//4="' first
    grep -q '"value":null' first
    grep -q '"ts":-1' first
    grep -q '"key":"","value":""' first
    grep -q '"key":null' first
    grep -qF '\u0000' first || grep -q '"value_b64"' first
}

@test "-J keeps offsets out, partitions in, and defaults the rest" {
    strm topic create t --partitions 3
    strm produce -J t <<'EOS'
{"topic":"other","partition":2,"offset":99,"value":"a"}
{"value":"b","key":"k","partition":1,"ts":5,"headers":[["h",null]]}
 {"headers" : [ ], "partition": 0 }
EOS
    run -0 strm consume -f '%p %o %K %S %s %h\n' t
    [ "${lines[0]}" = '0 0 -1 -1  ' ]
    [ "${lines[1]}" = '1 0 1 1 b h' ]
    [ "${lines[2]}" = '2 0 -1 1 a ' ]
    [ "$(strm consume -f '%T' t:1)" = 5 ]
    [ "$(strm consume -f '%T' t:2)" -gt 1700000000000 ]
}

@test "-J: what the command line says goes first" {
    strm topic create t --partitions 3
    echo '{"partition":2,"ts":5,"key":"k","value":"","headers":[["a","b"]]}' >line
    strm produce -J -p 1 t line
    strm produce -J -k x --timestamp @7 t:0 line
    strm produce -J -Z t line
    strm produce -J -H c=d t line
    run -0 strm consume -f '%p %T %k %S %h\n' t
    [ "${lines[0]}" = '0 7 x 0 a=b' ]
    [ "${lines[1]}" = '1 5 k 0 a=b' ]
    [ "${lines[2]}" = '2 5 k -1 a=b' ]
    [ "${lines[3]}" = '2 5 k 0 a=b,c=d' ]
}

@test "-J: wrong lines are exit 2, with line and column, and end it" {
    strm topic create t
    for wrong in 'x' '{' '[]' '{"value":1}' '{"unknown":1}' '' \
        '{"value":"a","value":"b"}' '{"value_b64":"!"}' '{"value":"a"} x' \
        '{"ts":1.5}' '{"key":"\ud800"}' '{"headers":[["a"]]}'; do
        printf '{"value":"good"}\n%s\n{"value":"late"}\n' "$wrong" >input
        refuses 2 'standard input: line 2: column ' strm produce -J t <input
    done
    [ "$(strm consume t | sort -u)" = good ]
}

@test "-J: a partition that the topic lacks is exit 2" {
    strm topic create t
    refuses 2 'line 1: ' strm produce -J t <<<'{"partition":1,"value":"a"}'
    refuses 2 'line 1: ' strm produce -J t <<<'{"partition":-2,"value":"a"}'
    refuses 4 '' strm produce -J -p 1 t <<<'{"value":"a"}'
    [ -z "$(strm consume t)" ]
}

@test "-J cannot go with what is for text" {
    strm topic create t
    refuses 2 '' strm produce -J -K = t <<<'{}'
    refuses 2 '' strm produce -J -D x t <<<'{}'
    refuses 2 '' strm produce -J -0 t <<<'{}'
}

# ---- signals, locks, failures -------------------------------------------

@test "SIGTERM, SIGINT and SIGHUP flush what was read and die by the signal" {
    for pair in SIGTERM:15 SIGINT:2 SIGHUP:1; do
        run -0 signalled "${pair%:*}" $'one\ntwo\nhalf' \
            strm produce --create --linger 1h "t.${pair#*:}"
        [ "$output" = "signal ${pair#*:}" ]
        [ "$(strm consume "t.${pair#*:}")" = $'one\ntwo' ]
    done
}

@test "a signal syncs what was written, and acknowledges it" {
    strace -o /dev/null true 2>/dev/null || skip 'strace does not work here'
    strm topic create t
    run -0 signalled SIGTERM $'one\n' strm produce --ack --linger 1h t
    [ "$output" = $'0 0\nsignal 15' ]
}

# Without waiting: a broker that runs does not let go.
@test "a broker's lock refuses writers with exit 5, and lets readers read" {
    produce a
    broker_lock
    refuses 5 'a Kafka broker holds' strm produce t <<<b
    refuses 5 'a Kafka broker holds' strm produce --create u <<<b
    [ "$(strm consume t)" = a ]
}

@test "an append lock is waited for, and exit 5 after --lock-timeout" {
    produce a
    append_lock t 0
    start=${EPOCHREALTIME/[.,]/}
    refuses 5 '' strm produce --lock-timeout 300ms t <<<b
    took=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
    [ "$took" -ge 300 ]
    [ "$took" -lt 3000 ]
    [ "$(strm consume t)" = a ]
    # One that is let go in time.
    (sleep 0.3; kill -KILL "$holder") &
    echo c | strm produce t
    holds_topic $'a\nc'
}

@test "a running producer refuses a broker, and only then" {
    strm topic create t
    feed strm produce t
    echo a >&5
    eventually holds_topic a
    try='import fcntl, sys
fcntl.lockf(open(sys.argv[1], "a+"), fcntl.LOCK_EX | fcntl.LOCK_NB)'
    run ! python -c "$try" "$STRM_DIR/.lock"
    exec 5>&-
    wait "$!"
    python -c "$try" "$STRM_DIR/.lock"
}

@test "what may not be written is exit 6, and nothing changes" {
    produce a
    let_nobody_in
    refuses 6 'Permission denied' nobody strm produce t <<<b
    refuses 6 'Permission denied' nobody strm produce --create u <<<b
    [ "$(nobody strm consume t)" = a ]
    [ ! -e "$STRM_DIR/u-0" ]
}

@test "a file that may not grow is exit 6, and what was whole stays" {
    strm topic create t
    run -6 bash -c 'ulimit -f 512; seq 1000000 | strm produce --sync never t'
    [[ $output == 'strm: '*'File too large' ]]
    n=$(strm consume t | wc -l)
    [ "$n" -gt 1000 ]
    strm consume t | cmp - <(seq "$n")
    echo more | strm produce t
    [ "$(strm consume t@-1)" = more ]
}

@test "a torn tail is cut with a note, -q without one" {
    produce a
    for quiet in '' -q; do
        printf 'torn' >>"$(log t 0)"
        run -0 --separate-stderr strm produce $quiet t <<<b
        [ -z "$output" ]
        if [ -z "$quiet" ]; then
            [[ $stderr == 'strm: '* ]]
        else
            [ -z "$stderr" ]
        fi
    done
    run -0 strm consume t
    [ "$output" = $'a\nb\nb' ]
}

@test "damage is exit 3, and nobody touches it" {
    produce a
    produce b
    printf X | dd of="$(log t 0)" bs=1 seek=30 conv=notrunc status=none
    rm "$STRM_DIR/t-0/.strm-state"
    sum=$(cksum <"$(log t 0)")
    refuses 3 'byte 0' strm produce t <<<c
    [ "$(cksum <"$(log t 0)")" = "$sum" ]
}

@test "a topic that is deleted meanwhile is exit 4" {
    strm topic create t
    feed strm produce t 2>errors
    echo a >&5
    eventually holds_topic a
    strm topic rm -y t
    echo b >&5
    ends 4 "$!"
    grep -q '^strm: .*t' errors
    exec 5>&-
}

@test "a log that ends below its start is exit 3, not acknowledged" {
    strm topic create t
    seq 2 | strm produce -q t
    cp -r "$STRM_DIR/t-0" was
    seq 3 5 | strm produce -q t
    strm trim -q t@4
    rm -r "$STRM_DIR/t-0"
    cp -r was "$STRM_DIR/t-0"
    echo 6 >one
    run -3 --separate-stderr strm produce --ack t one
    [ -z "$output" ]
    [[ $stderr == *"starts at offset 4, past its end at 2"* ]]
    rm "$STRM_DIR/log-start-offset-checkpoint"
    strm produce -q t one
    [ "$(strm consume t | paste -s -d ' ')" = "1 2 6" ]
}

@test "two producers at once lose and double nothing" {
    strm topic create t
    seq 1 2 19999 >odd
    start strm produce t odd
    seq 2 2 20000 | strm produce t
    wait "$!"
    [ "$(strm consume t | sort -n | cksum)" = "$(seq 20000 | cksum)" ]
    [ "$(strm consume -f '%o\n' t | cksum)" = "$(seq 0 19999 | cksum)" ]
    # Each in its own order.
    strm consume t | awk '$1 % 2' | sort -nc
    strm consume t | awk '$1 % 2 == 0' | sort -nc
}

@test "segments roll at segment.bytes, and consume as one log" {
    strm topic create t --set segment.bytes=16384
    seq 20000 | strm produce --batch-bytes 1K t
    segments=("$STRM_DIR"/t-0/*.log)
    [ "${#segments[@]}" -gt 5 ]
    for segment in "${segments[@]}"; do
        [ "$(wc -c <"$segment")" -le 16384 ]
        run -0 batches "$segment"
        [ "$((10#$(basename "$segment" .log)))" -eq "${lines[0]%% *}" ]
    done
    strm consume t | cmp - <(seq 20000)
}
