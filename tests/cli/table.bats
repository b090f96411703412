#!/usr/bin/env bats
# strm table: the newest record of each key.
# shellcheck disable=SC2016  # what is quoted is for another shell
# shellcheck disable=SC2154  # run sets variables

load helper
load records

# Topic t: three partitions; keys come again, c is deleted, d comes back.
fill() {
    strm topic create t --partitions 3
    printf '%s\n' a:1 b:1 c:1 d:1 a:2 b:2 c:2 e:1 a:3 |
        strm produce t -K : --timestamp 2026-03-06T09:00:00Z
    printf '{"key":"%s","value":null}\n' c d | strm produce -J t
    printf '%s\n' d:9 f:1 | strm produce t -K : --timestamp 2026-03-06T15:00:00Z
}

# shows "LINES" ARGUMENT...: these lines, in any order, exit 0 and no message.
shows() {
    local expected=$1

    shift
    run -0 --separate-stderr strm table "$@"
    if [ "$(sort <<<"$output" | tr '\n' ' ')" != "$expected " ] || [ -n "$stderr" ]; then
        printf 'table %s\nexpected "%s"\ngot      "%s"\nstderr   "%s"\n' \
            "$*" "$expected" "$output" "$stderr"
        return 1
    fi
}

@test "the newest record of each key; tombstones take keys out" {
    fill
    shows 'a:3 b:2 d:9 e:1 f:1' -K : t
    shows '1 1 2 3 9' t
    shows 'a:3 b:2 d:9 e:1 f:1' -K : "$STRM_DIR/"
    shows "$(strm consume -f '%p %o %k\n' t | sort -k 3,3 -k 2,2n |
        awk '{ n[$3] = $0 } END { for (k in n) if (k != "c") print n[k] }' |
        sort | tr '\n' ' ' | sed 's/ $//')" -f '%p %o %k\n' t
}

@test "a past point; a start leaves out what was only before it" {
    fill
    shows 'a:3 b:2 c:2 d:1 e:1' -K : t@..2026-03-06T12:00Z
    shows 'd:9 f:1' -K : t@2026-03-06T12:00Z..
    printf '%s\n' x:1 y:1 x:2 | strm produce -K : --create one
    shows 'x:1 y:1' -K : one@..2
    shows 'x:2 y:1' -K : one@1..
    shows 'x:2' -K : one@-1
    shows 'x:1' -K : one@..+1
}

@test "records without a key are in no table, an empty key is" {
    printf '%s\n' '{"key":null,"value":"n"}' '{"key":"","value":"e"}' \
        '{"key":"v","value":""}' | strm produce -J --create t
    run -0 strm table -K : t
    [ "$output" = $':e\nv:' ]
    strm produce --create u <<<'no key'
    run -0 strm table u
    [ -z "$output" ]
    strm topic create empty
    run -0 strm table empty
    [ -z "$output" ]
}

@test "every format of consume" {
    printf '%s\n' a:1 b:2 a:3 | strm produce -K : --create t \
        --timestamp 2026-03-06T09:00:00Z
    [ "$(strm table -f csv t)" = $'b,2\na,3' ]
    [ "$(strm table -f tsv t)" = $'b\t2\na\t3' ]
    [ "$(strm table -f '%i %o %k\n' t)" = $'1 1 b\n2 2 a' ]
    [ "$(strm table -0 -K = t | tr '\0' '|')" = 'b=2|a=3|' ]
    strm table -J t | strm produce -J --create u
    run -0 strm diff --by key t u
    run -2 strm table -J -f csv t
}

@test "-n counts keys over partitions" {
    fill
    [ "$(strm table -n 2 t | wc -l)" -eq 2 ]
    [ "$(strm table -n 0 t | wc -l)" -eq 0 ]
    [ "$(strm table --count 99 t | wc -l)" -eq 5 ]
}

@test "memory is kept to, also while it grows" {
    strm topic create t
    seq 300000 | awk '{ print "key" $1 "\tx" }' |
        strm produce -q --sync never -K '\t' t
    run -0 python - <<'EOS'
import os
import subprocess


def peak(*line):
    """KiB that it had at most."""
    child = subprocess.Popen(['strm', *line], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    assert status == 0, line
    return usage.ru_maxrss


most = peak('table', '--memory', '32MiB', 't') - peak('consume', 't')
assert 16 << 10 < most < 34 << 10, most
EOS
}

@test "keys that do not fit the memory take more rounds, and say the same" {
    seq 6000 | awk '{ print "k" $1 % 2500 "\t" $1 }' |
        strm produce --create t -K '\t'
    strm table -K '\t' t | sort >whole
    [ "$(wc -l <whole)" -eq 2500 ]
    strm table -v --memory 64KiB -K '\t' t 2>said | sort | cmp - whole
    grep -q 't:0: [0-9]* rounds' said
    grep -q '2500 keys printed' said
    refuses 2 64KiB strm table --memory 1KiB t
}

@test "a log that is compacted gives the same table" {
    strm topic create t --set cleanup.policy=compact --set segment.bytes=3000 \
        --set min.cleanable.dirty.ratio=0
    seq 1000 | awk '{ print "k" $1 % 37 "\t" $1 }' | strm produce t -K '\t'
    strm table -K '\t' t | sort >before
    strm roll -q t
    strm compact -q --force t
    [ "$(strm consume t | wc -l)" -lt 100 ]
    strm table -K '\t' t | sort | cmp - before
    [ "$(wc -l <before)" -eq 37 ]
}

@test "transactions: what was aborted or is open is in no table" {
    python "$BATS_TEST_DIRNAME/transactions.py" txn-0
    run -0 strm consume -f '%k %s\n' ./txn-0
    strm table -i uncommitted -f '%s\n' ./txn-0 >all
    strm table -f '%s\n' ./txn-0 >committed
    run ! grep -q aborted committed
}

@test "damage is exit 3, or passed and told" {
    printf '%s\n' a:1 b:1 | strm produce --create t -K : --batch-bytes 1
    printf '%s\n' c:1 | strm produce t -K :
    printf X | dd of="$(log t 0)" bs=1 seek=66 conv=notrunc status=none
    run -3 --separate-stderr strm table t
    run -3 --separate-stderr strm table --skip-corrupt -K : t
    [ "$output" = c:1 ] || [ "$output" = $'b:1\nc:1' ]
    [[ $stderr == *skipped* ]]
}

@test "a signal ends it in silence, wherever it is" {
    seq 400000 | sed 's/.*/& &/' | strm produce -q -K ' ' --create big
    # A topic without a log start is asked for one first: that is no failure.
    for command in "table big" "table big --memory 64KiB" "get big --all-partitions -k 400000" \
        "get big -k 400000" "consume big"; do
        for after in 0.01 0.03 0.05; do
            # shellcheck disable=SC2086  # words
            timeout -s TERM "$after" strm $command >/dev/null 2>said || true
            [ ! -s said ]
        done
    done
}

@test "usage, what is not there, and output that cannot be written" {
    run -0 strm table --help
    [[ $output == 'usage: strm table'* ]]
    run -2 strm table
    run -2 strm table --nonsense t
    refuses 4 'no such topic' strm table t
    printf '%s\n' a:1 | strm produce --create t -K :
    refuses 4 'no offset 9' strm table t@9
    run -0 strm table --clamp t@9
    run -6 --separate-stderr bash -c 'strm table t >/dev/full'
    seq 20000 | awk '{ print "k" $1 ":" $1 }' | strm produce --create u -K :
    run bash -c 'strm table u | head -n 1; exit ${PIPESTATUS[0]}'
    [ "$status" -eq 141 ] || [ "$status" -eq 0 ]
}
