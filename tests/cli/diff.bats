#!/usr/bin/env bats
# strm diff: equal or not, and in what.
# shellcheck disable=SC2016  # what is quoted is for another shell
# shellcheck disable=SC2154  # run sets variables

load helper
load records

# put TOPIC [OPTION...]: JSON lines of standard input.
put() {
    local topic=$1

    shift
    strm produce -J --create "$topic" "$@"
}

# lines KEY=VALUE...: a JSON line each, a second apart; KEY= is a tombstone.
lines() {
    local ts=1772361000000 pair value

    for pair in "$@"; do
        value=${pair#*=}
        [ -n "$value" ] && value="\"$value\"" || value=null
        echo "{\"key\":\"${pair%%=*}\",\"value\":$value,\"ts\":$((ts += 1000))}"
    done
}

# equal ARGUMENT...: exit 0, nothing on standard output.
equal() {
    run -0 --separate-stderr strm diff "$@"
    [ -z "$output" ]
}

# differ "LINES" ARGUMENT...: exit 1 and these lines.
differ() {
    local expected=$1

    shift
    run --separate-stderr strm diff "$@"
    if [ "$status" -ne 1 ] || [ "$output" != "$expected" ]; then
        printf 'diff %s\nexit %s\nexpected "%s"\ngot      "%s"\n%s\n' "$*" \
            "$status" "$expected" "$output" "$stderr"
        return 1
    fi
}

@test "batches and codecs do not matter, records do" {
    lines a=1 b=2 c=3 d=4 | put t
    lines a=1 b=2 c=3 d=4 | put u -z zstd --batch-bytes 60
    equal t u
    [ "$stderr" = 'strm: 4 equal, 0 changed, 0 only in A, 0 only in B' ]
    equal -q t u
    [ -z "$stderr" ]
    equal "$STRM_DIR/t-0/" "$STRM_DIR/u-0/"
    equal "$(log t 0)" u
    equal t:0@1..3 u:0@1..3
}

@test "what differs is named, with its offset, key and fields" {
    lines a=1 b=2 c=3 d=4 e=5 | put t
    {
        lines a=1 b=X
        echo '{"key":"z","value":"3","ts":1772361003000}'
        echo '{"key":"d","value":"4","ts":7,"headers":[["h","1"]]}'
    } | put u
    differ '~ t:0 1 "b" value
~ t:0 2 "c" key
~ t:0 3 "d" headers,timestamp
- t:0 4 "e"' t u
    [ "$stderr" = 'strm: 1 equal, 3 changed, 1 only in A, 0 only in B' ]
    differ '~ u:0 3 "d" headers
+ t:0 4 "e"' u@3 t@3 --ignore timestamp
    differ '- t:0 4 "e"' t@3 u@3 --ignore timestamp,headers
    differ '~ t:0 1 "b" value
~ t:0 2 "c" key' -n 2 t u
    differ '' -q t u
    [ -z "$stderr" ]
    # Ranges: what is outside is not there.
    differ '- t:0 0 "a"' t@..2 t@1..2
    equal t@0..1 u@0..1
    refuses 4 '(--clamp takes the nearest)' strm diff t@99 u@99
    equal --clamp t@99 u@99
    differ '- t:0 4 "e"' --clamp t@4..99 u@99
}

@test "null and empty differ, in keys, values and headers" {
    echo '{"key":null,"value":"","headers":[["h",null]],"ts":1}' | put t
    echo '{"key":"","value":null,"headers":[["h",""]],"ts":1}' | put u
    differ '~ t:0 0 null key,value,headers' t u
    printf '%s\n' '{"key_b64":"/w==","value":"1","ts":1}' | put v
    differ '~ v:0 0 {"b64":"/w=="} key,value,headers' v t
}

@test "-J prints an object a difference, and the counts" {
    lines a=1 b=2 c=3 | put t
    lines a=1 b=X c=3 d=4 | put u
    differ '{"difference":"changed","topic":"t","partition":0,"key":"b","offset_a":1,"offset_b":1,"fields":["value"]}
{"difference":"only_b","topic":"u","partition":0,"key":"d","offset_a":null,"offset_b":3,"fields":[]}
{"equal":2,"changed":1,"only_a":0,"only_b":1,"partitions_only_a":0,"partitions_only_b":0,"keyless":0}' -J t u
    [ -z "$stderr" ]
    strm topic create p --partitions 2
    strm topic create q --partitions 3
    differ '{"difference":"partition_only_b","topic":"q","partition":2,"key":null,"offset_a":null,"offset_b":null,"fields":[]}
{"equal":0,"changed":0,"only_a":0,"only_b":0,"partitions_only_a":0,"partitions_only_b":1,"keyless":0}' -J p q
}

@test "partitions pair by number, topics of stores by name" {
    strm topic create t --partitions 3
    for p in 0 1 2; do
        seq $p 5 | strm produce t:$p --timestamp 2026-03-01
    done
    equal t t
    differ '- t:2 the whole partition' t t:0-1
    # One on each side: these two, whatever their numbers.
    differ '~ t:1 0 null value
~ t:1 1 null value
~ t:1 2 null value
~ t:1 3 null value
- t:1 4 null' t:1 t:2
    cp -r "$STRM_DIR" copy
    equal "$STRM_DIR/" copy/
    echo new | strm -C copy produce t:1
    seq 3 | strm -C copy produce --create s
    differ '+ s:0 the whole partition
+ t:1 5 null' "$STRM_DIR/" copy/
    [ "${stderr_lines[0]}" = 'strm: partitions: 0 only in A, 1 only in B' ]
    equal t:1 copy/t-1@..5
}

@test "--by key compares the newest of each key" {
    lines a=1 b=2 a=3 c=4 d=5 d= e= | put t
    lines c=4 a=3 b=2 | put u
    equal --by key t u
    [ "$stderr" = 'strm: 3 equal, 0 changed, 0 only in A, 0 only in B' ]
    lines b=9 f=1 c= | put u
    differ '~ t:0 1/3 "b" value
- t:0 3 "c"
+ u:0 4 "f"' --by key t u
    differ '~ t:0 1/3 "b" value
- t:0 3 "c"' --by key -n 2 t u
    # Two ranges of one topic: what changed in between.
    differ '~ t:0 0/2 "a" value
- t:0 1 "b"
+ t:0 3 "c"
+ t:0 4 "d"' --by key t@0..2 t@2..5
    # Times and offsets count when they are asked for.
    lines a=1 b=2 | put v
    lines b=2 a=1 | put w
    equal --by key v w
    differ '~ v:0 0/1 "a" timestamp,offset
~ v:0 1/0 "b" timestamp,offset' --by key --ignore headers v w
    differ '~ v:0 0/1 "a" headers,timestamp,offset
~ v:0 1/0 "b" headers,timestamp,offset' --by key --ignore none v w
    differ '~ v:0 0/1 "a" timestamp
~ v:0 1/0 "b" timestamp' --by key --ignore headers,offset v w
    # What has no key has no state.
    echo x | strm produce v
    equal --by key v w
    [[ $stderr == *'1 records without a key are left out'* ]]
}

@test "--by key in little memory gives the same, in rounds" {
    for i in {0..3999}; do echo "k$i:v$i"; done >a
    sed -e '17d' -e 's/k123:.*/k123:other/' a | shuf --random-source=a >b
    echo 'k9999:new' >>b
    strm produce --create t -K : --timestamp 2026-03-01 <a
    strm produce --create u -K : --timestamp 2026-03-01 <b
    run -1 --separate-stderr strm diff --by key t u
    few=$(sort <<<"$output")
    [ "$(wc -l <<<"$few")" -eq 3 ]
    [[ $stderr == *'3998 equal, 1 changed, 1 only in A, 1 only in B' ]]
    run -1 --separate-stderr strm diff --by key --memory 64KiB t u
    [ "$(sort <<<"$output")" = "$few" ]
    [[ $stderr == *'3998 equal, 1 changed, 1 only in A, 1 only in B' ]]
}

@test "a wrong command line is exit 2" {
    strm topic create t
    refuses 2 'too few arguments: A is missing' strm diff
    refuses 2 'too few arguments: B is missing' strm diff t
    refuses 2 'unexpected argument "t"' strm diff t t t
    refuses 2 '--ignore "time"' strm diff --ignore time t t
    refuses 2 '--ignore "x"' strm diff --ignore timestamp,x t t
    refuses 2 'goes with --by key' strm diff --ignore offset t t
    refuses 2 '-n 0' strm diff -n 0 t t
    refuses 2 '--memory' strm diff --memory 100 t t
    refuses 2 '' strm diff --by value t t
    refuses 2 '' strm diff t@x t
    run -0 strm diff --help
    [[ $output == *'--ignore'* ]]
}

@test "what is not there is exit 4, damage exit 3, also after a difference" {
    lines a=1 | put t
    lines b=1 | put t
    refuses 4 'no such topic' strm diff t nowhere
    refuses 4 'offset 9' strm diff t@9 t
    cp -r "$STRM_DIR" copy
    printf X | dd bs=1 seek=100 conv=notrunc status=none \
        of=copy/t-0/00000000000000000000.log
    lines c=1 | put u
    lines c=1 | put u
    run -3 --separate-stderr strm diff t copy/t-0/
    [[ $stderr == *': byte '*': bad CRC' ]]
    [ -z "$output" ]
    run -3 --separate-stderr strm diff --by key t copy/t-0/
    run -3 --separate-stderr strm diff u copy/t-0/
    [ "$output" = '~ u:0 0 "c" key' ]
}

@test "output that cannot be written is exit 6, a closed pipe SIGPIPE" {
    lines a=1 | put t
    lines a=2 | put u
    run -6 --separate-stderr bash -c 'strm diff t u >/dev/full'
    [[ ${stderr_lines[-1]} == *'standard output'* ]]
    for i in {0..20000}; do echo "k$i:$i"; done | strm produce --create big -K :
    strm topic create none
    run bash -c 'strm diff -q none none; strm diff big none | head -n 1; echo ${PIPESTATUS[0]}'
    [ "${lines[0]}" = '- big:0 0 "k0"' ]
    [ "${lines[-1]}" -eq 141 ]
}

@test "-i uncommitted shows what was aborted" {
    python "$BATS_TEST_DIRNAME/transactions.py" a-0
    equal ./a-0/@..4 ./a-0/@0..1
    run -1 --separate-stderr strm diff -i uncommitted ./a-0/@..4 ./a-0/@0..1
    [[ ${lines[0]} == '- '*':0 1 '* && ${lines[1]} == '- '*':0 2 '* ]]
    [ "${#lines[@]}" -eq 2 ]
}
