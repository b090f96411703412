#!/usr/bin/env bats
# strm repair: the plan, carrying it out, and salvaging around damage.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load records

# A topic of 100 records in segments of some 30 lines, one batch a line.
fill() {
    strm topic create t --set segment.bytes=3000 --set index.interval.bytes=200
    seq 100 | sed 's/^/value-/' |
        strm produce t --batch-bytes 1 --timestamp 2026-01-01T00:00:00Z
    cd "$STRM_DIR/t-0" || return
    mapfile -t logs < <(ls -- *.log)
}

# flip FILE BYTE: change one byte.
flip() {
    python - "$@" <<'EOS'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 0xff]))
EOS
}

# hold FILE [BYTE]: lock all of it as a broker does, or one byte as a writer
# does, until the test ends.
hold() {
    rm -f held
    start "${PYTHON:-/usr/bin/python3}" -c 'import fcntl, os, struct, sys, time
f = open(sys.argv[1], "r+b")
if len(sys.argv) > 2:
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET,
                       int(sys.argv[2]), 1, 0)
    fcntl.fcntl(f, 37, lock)  # F_OFD_SETLK
else:
    fcntl.lockf(f, fcntl.LOCK_EX)
open("held", "w").close()
time.sleep(60)' "$@"
    eventually test -e held
}

# sums: one line for all files that count.
sums() {
    find . -type f ! -name '.strm*' -exec sha256sum {} + | sort
}

@test "help names every option and exits 0" {
    run -0 strm repair --help
    for option in --yes --salvage --json --max-batch-bytes --index-interval \
        --lock-timeout --allow-network-fs; do
        [[ $output == *"$option"* ]]
    done
}

@test "a wrong line is exit 2" {
    refuses 2 "too few arguments" strm repair
    refuses 2 "--nonsense" strm repair --nonsense t
    refuses 2 "give one" strm repair -y --salvage d t
    refuses 2 "--max-batch-bytes" strm repair --max-batch-bytes x t
    strm topic create t --partitions 2
    refuses 2 "not ranges" strm repair t@5
    refuses 2 "takes one partition, not 2" strm repair --salvage d t
    refuses 2 "not one file" strm repair "$(log t 0)"
}

@test "what is not there is exit 4" {
    refuses 4 "nothing" strm repair nothing
    refuses 4 "/nothing" strm repair ./nothing
    refuses 4 "no partition 3" strm -C "$STRM_DIR" repair \
        "$(strm topic create t && echo t):3"
}

@test "a sound topic, partition, store and path need nothing" {
    fill
    before=$(sums)
    for what in t t:0 "$STRM_DIR/t-0" "$STRM_DIR/" ./; do
        run -0 --separate-stderr strm repair "$what"
        [ "$output$stderr" = "nothing to do" ]
        run -0 --separate-stderr strm repair -y "$what"
        [ "$output$stderr" = "nothing to do" ]
        run -0 strm repair -J "$what"
        [ -z "$output" ]
    done
    [ "$(sums)" = "$before" ]
}

@test "without -y the plan is printed, nothing changes, and the exit is 0" {
    fill
    rm "${logs[0]%.log}.index"
    printf 'half a batch' >>"${logs[-1]}"
    before=$(sums)
    run -0 --separate-stderr strm repair t
    [ -z "$stderr" ]
    [[ ${lines[0]} == "PARTITION  STEP "*"WHAT" ]]
    [[ ${lines[1]} == "t-0        cut      ${logs[-1]}  "*" an append that did not finish" ]]
    [[ ${lines[2]} == "t-0        rebuild  ${logs[0]%.log}.index "*" is missing" ]]
    [ "${lines[3]}" = "would cut: an unknown number of records in 12 bytes" ]
    [ "$(sums)" = "$before" ]
}

@test "a plan needs no right to write" {
    [ "$(id -u)" -ne 0 ] || command -v setpriv >/dev/null || skip "no setpriv"
    fill
    rm "${logs[0]%.log}.index"
    chmod -R a+rX,a-w "$STRM_DIR"
    run -0 setpriv --reuid=65534 "$STRM" repair "$STRM_DIR/t-0" ||
        skip "the directory is out of reach"
    [[ $output == *"is missing" ]]
    chmod -R u+w "$STRM_DIR"
}

@test "-y rebuilds indexes and epochs byte for byte" {
    fill
    before=$(sums)
    rm "${logs[0]%.log}.index" leader-epoch-checkpoint
    head -c 100 /dev/urandom >"${logs[1]%.log}.index"
    head -c 96 /dev/urandom >"${logs[1]%.log}.timeindex"
    run -0 strm repair -y t
    [ "${#lines[@]}" -eq 5 ]
    [ "$(sums)" = "$before" ]
    # What was there is set aside.
    [ -f ".strm-old-${logs[1]%.log}.index" ]
    [ -f ".strm-old-${logs[1]%.log}.timeindex" ]
    run -0 strm repair -y t
    [ "$output" = "nothing to do" ]
}

@test "-y keeps the bytes of what it cuts" {
    fill
    printf 'half a batch' >>"${logs[-1]}"
    run -0 strm repair -y t
    [ "${lines[-1]}" = "set aside: an unknown number of records in 12 bytes" ]
    [ "$(<.strm-cut-100)" = "half a batch" ]
    run -0 strm consume t
    [ "${#lines[@]}" -eq 100 ]
    run -0 strm produce t --ack --timestamp 2026-01-01T00:00:00Z <<<more
    [ "$output" = "0 100" ]
    # The same again does not take the first one's place.
    printf 'half of it' >>"${logs[-1]}"
    strm repair -y t
    printf 'half of it' >>"${logs[-1]}"
    strm repair -y t
    [ "$(<.strm-cut-101)" = "half of it" ]
    [ "$(<.strm-cut-101.1)" = "half of it" ]
}

@test "zeros at the end are cut, and not kept" {
    fill
    truncate -s +500 "${logs[-1]}"
    run -0 strm repair t
    [[ ${lines[1]} == *"zeros after the last batch" ]]
    run -0 strm repair -y t
    run ! compgen -G '.strm-cut-*'
    run -0 strm repair t
    [ "$output" = "nothing to do" ]
}

@test "a bad last batch of a copied log is set aside" {
    fill
    cp -r "$STRM_DIR" "$BATS_TEST_TMPDIR/copy" # no durable end is believed
    cd "$BATS_TEST_TMPDIR/copy/t-0"
    flip "${logs[-1]}" $(($(stat -c %s "${logs[-1]}") - 3))
    run -3 strm consume "$PWD/"
    run -0 strm repair -y "$PWD"
    [[ ${lines[1]} == *" 99..99 "*" 1  bad CRC" ]]
    [ "${lines[-1]}" = "set aside: at most 1 record in 77 bytes" ]
    [ "$(stat -c %s .strm-cut-99)" -eq 77 ]
    run -0 strm consume "$PWD/"
    [ "${#lines[@]}" -eq 99 ]
}

@test "damage stays: -y exits 3, cuts nothing, and names --salvage" {
    fill
    flip "${logs[1]}" 200
    rm "${logs[0]%.log}.index"
    before=$(sha256sum -- *.log)
    run -0 --separate-stderr strm repair t
    [[ ${lines[1]} == *" stays    ${logs[1]} "*" bad CRC" ]]
    [[ $stderr == *"strm repair --salvage DIR"* ]]
    run -3 --separate-stderr strm repair -y t
    [[ $stderr == *"strm repair --salvage DIR"* ]]
    [ "$(sha256sum -- *.log)" = "$before" ]
    # What can be rebuilt is.
    [ -s "${logs[0]%.log}.index" ]
    run -3 strm repair -y t
    [ "${#lines[@]}" -eq 3 ]
}

@test "durable bytes are not cut, and a log that lost some stays" {
    fill
    flip "${logs[-1]}" $(($(stat -c %s "${logs[-1]}") - 3))
    run -3 --separate-stderr strm repair -y t
    [[ ${lines[1]} == *" stays "*" bad CRC" ]]
    run -3 strm produce t <<<more
    [[ $output == *"run strm repair"* ]]
    truncate -s -77 "${logs[-1]}"
    run -3 strm produce t <<<more
    [[ $output == *"run strm repair"* ]]
    run -3 --separate-stderr strm repair -y t
    [[ ${lines[1]} == *" 99..99 "*" is shorter than what was made durable" ]]
    # What is salvaged does not give the offset out again.
    run -3 strm repair --salvage ../saved t
    run -0 strm produce --ack ../saved/ <<<more || run -0 true
    run -0 strm consume -f '%o\n' "$STRM_DIR/saved/"
    [ "${lines[-1]}" -ge 98 ]
}

@test "-J prints one step a line" {
    fill
    flip "${logs[1]}" 200
    rm "${logs[0]%.log}.index"
    printf 'half a batch' >>"${logs[-1]}"
    run -3 --separate-stderr strm repair -y -J t
    [ "${#lines[@]}" -eq 3 ]
    python - "${lines[@]}" <<'EOS'
import json, sys
stays, cut, rebuild = map(json.loads, sys.argv[1:])
names = ["topic", "partition", "step", "file", "position", "bytes",
         "first_offset", "last_offset", "records", "done", "text"]
for step in stays, cut, rebuild:
    assert list(step) == names, step
    assert (step["topic"], step["partition"]) == ("t", 0)
assert stays["step"] == "stays" and not stays["done"]
assert stays["position"] == 154 or stays["position"] % 77 < 77
assert stays["records"] == stays["last_offset"] - stays["first_offset"] + 1
assert cut["step"] == "cut" and cut["done"] and cut["bytes"] == 12
assert cut["first_offset"] == 100
assert cut["last_offset"] is None and cut["records"] is None
assert rebuild["step"] == "rebuild" and rebuild["position"] is None
assert rebuild["text"] == "is missing"
EOS
}

@test "salvage writes what can be read, and says what not" {
    fill
    flip "${logs[1]}" 200
    strm consume t -J --clamp >all.json || [ $? -eq 3 ]
    run -3 --separate-stderr strm repair --salvage "$BATS_TEST_TMPDIR/saved" t
    [[ ${lines[1]} == *" hole  ${logs[1]} "*" bad CRC" ]]
    [ "${lines[2]}" = "not read: at most 1 record in 76 bytes" ]
    [[ ${lines[3]} == "$BATS_TEST_TMPDIR/saved: 99 records, 99 batches, "* ]]
    run -0 strm consume "$BATS_TEST_TMPDIR/saved/" -f '%o %s\n'
    [ "${#lines[@]}" -eq 99 ]
    [ "${lines[0]}" = "0 value-1" ]
    [ "${lines[-1]}" = "99 value-100" ]
    run -0 strm repair "$BATS_TEST_TMPDIR/saved/"
    [ "$output" = "nothing to do" ]
    # The source is as it was.
    run -3 strm consume t
}

@test "salvage of a sound log copies it byte for byte and exits 0" {
    fill
    run -0 strm repair --salvage ../copy ./
    [[ $output == "../copy: 100 records, 100 batches, "* ]]
    for file in *; do
        cmp "$file" "../copy/$file"
    done
}

@test "salvage -J ends with what was written" {
    fill
    flip "${logs[0]}" 100
    run -3 --separate-stderr strm repair --salvage ../saved -J t
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[0]} == '{"topic":"t","partition":0,"step":"hole",'*'"first_offset":1,"last_offset":1,"records":1,'* ]]
    [[ ${lines[1]} == '{"topic":"t","partition":0,"step":"salvage","path":"../saved","batches":99,"records":99,"bytes":'* ]]
}

@test "salvage takes a new name or an empty directory, and all or nothing" {
    fill
    mkdir ../empty ../full
    touch ../full/file
    run -0 strm repair --salvage ../empty/ t
    [ -f "../empty/${logs[0]}" ]
    refuses 1 "has something in it" strm repair --salvage ../full t
    [ "$(ls ../full)" = file ]
    refuses 4 "cannot" strm repair --salvage ../none/saved t
    refuses 2 "not the name" strm repair --salvage .. t
    # What a run left that died is used up by the next.
    mkdir ../.new.strm-new
    touch ../.new.strm-new/left
    run -0 strm repair --salvage ../new t
    [ ! -e ../.new.strm-new ]
    [ ! -e ../new/left ]
}

@test "a salvaged partition of a topic of ours declares its gaps" {
    fill
    flip "${logs[1]}" 200
    cd "$STRM_DIR"
    mv t-0 damaged
    run -3 strm repair --salvage t-0 ./damaged/
    grep -q '"gaps": true' .strm/topics/t.json
    run -0 strm consume t
    [ "${#lines[@]}" -eq 99 ]
    run -0 strm produce t --ack <<<more
    [ "$output" = "0 100" ]
}

@test "a broker that has the store, and a writer at work, are exit 5" {
    fill
    rm "${logs[0]%.log}.index"
    hold .strm-state 0
    refuses 5 "lock" strm repair -y --lock-timeout 50ms t
    [ ! -e "${logs[0]%.log}.index" ]
    run -0 strm repair t # a plan takes no lock
    touch ../.lock
    hold ../.lock
    refuses 5 "a Kafka broker holds" strm repair -y t
}

@test "some partitions repaired and some not is exit 7" {
    strm topic create t --partitions 2
    for p in 0 1; do
        echo x | strm produce "t:$p"
        rm "$STRM_DIR/t-$p/leader-epoch-checkpoint"
    done
    hold "$STRM_DIR/t-1/.strm-state" 1
    run -7 --separate-stderr strm repair -y --lock-timeout 50ms t
    [ -f "$STRM_DIR/t-0/leader-epoch-checkpoint" ]
    [ ! -e "$STRM_DIR/t-1/leader-epoch-checkpoint" ]
    [[ $stderr == "strm: t-1: "* ]]
}

@test "a write that fails is exit 6" {
    fill
    refuses 6 "standard output" bash -c 'strm repair t >/dev/full'
    [ "$(id -u)" -eq 0 ] || {
        rm "${logs[0]%.log}.index"
        chmod a-w .
        run -6 strm repair -y t
        chmod u+w .
    }
}

@test "a closed pipe ends it by SIGPIPE, in silence" {
    fill
    rm "${logs[0]%.log}.index"
    closed_pipe strm repair t
}

@test "an interrupted compaction is finished, or undone, and kept" {
    fill
    cat "${logs[0]}" "${logs[1]}" >"${logs[0]}.swap"
    touch "${logs[2]%.log}.log.cleaned" "${logs[2]}.swap"
    run -0 strm repair t
    [[ $output == *"set-aside  ${logs[2]}.swap "* ]]
    [[ $output == *"set-aside  ${logs[2]}.cleaned "* ]]
    [[ $output == *"set-aside  ${logs[1]} "* ]]
    [[ $output == *"finish     ${logs[0]}.swap "* ]]
    run -0 strm repair -y t
    run -0 strm repair t
    [ "$output" = "nothing to do" ]
    run -0 strm consume t
    [ "${#lines[@]}" -eq 100 ]
    [ -f ".strm-old-${logs[0]}" ]
    [ -f ".strm-old-${logs[1]}" ]
    [ -f ".strm-old-${logs[2]}.swap" ]
    [ -f "${logs[2]}" ]
}

@test "indexes of a log that was being removed go before it" {
    # Were the log to go first, they would look as if it had been lost.
    fill
    mv "${logs[0]}" "${logs[0]}.deleted"
    run -0 strm repair t
    [[ ${lines[1]} == *"set-aside  ${logs[0]%.log}.index "* ]]
    [[ ${lines[2]} == *"set-aside  ${logs[0]%.log}.timeindex "* ]]
    [[ ${lines[3]} == *"set-aside  ${logs[0]}.deleted "* ]]
}

@test "a damaged swap does not replace the logs that are there" {
    fill
    cp "${logs[0]}" "${logs[0]}.swap"
    truncate -s -1 "${logs[0]}.swap"
    run -3 --separate-stderr strm repair -y t
    [[ ${lines[1]} == *" stays  ${logs[0]}.swap "*"move it away"* ]]
    [ "${#lines[@]}" -eq 2 ]
    [ -f "${logs[0]}" ]
    refuses 3 "${logs[0]}.swap: " strm repair --salvage ../saved t
    # Its last batch has an offset far past the log's end.
    cp "${logs[0]}" "${logs[0]}.swap"
    flip "${logs[0]}.swap" "$(("$(stat -c %s "${logs[0]}")" - 76 + 5))"
    run -3 --separate-stderr strm repair -y t
    [[ ${lines[1]} == *" stays  ${logs[0]}.swap "*"it ends at offset"* ]]
    [ -f "${logs[0]}" ]
    [ -f "${logs[1]}" ]
    [ -f "${logs[2]}" ]
    rm "${logs[0]}.swap"
    run -0 strm repair t
    [ "$output" = "nothing to do" ]
}

@test "an index that cannot be read keeps nobody from the log" {
    fill
    ln -sf /dev/null "${logs[0]%.log}.index"
    run -0 strm repair --salvage ../saved t
    [[ $output == *": 100 records, "* ]]
}

@test "of two salvages into one directory the later touches nothing" {
    fill
    start strace -f -o trace -e trace=flock \
        -e inject=flock:delay_enter=1000000 strm repair --salvage ../saved t
    eventually test -e ../.saved.strm-new
    run -0 strm repair --salvage ../saved t
    before=$(stat -c '%i %y' ../saved/*)
    ends 5 "$!"
    [ "$(stat -c '%i %y' ../saved/*)" = "$before" ]
}

@test "what a writer tells to repair, repair deals with" {
    fill
    # A chain that is broken in the newest segment, and no state to believe.
    cp -r "$STRM_DIR" "$BATS_TEST_TMPDIR/copy"
    cd "$BATS_TEST_TMPDIR/copy/t-0"
    flip "${logs[-1]}" 7 # its first base offset
    refuses 3 "run strm repair" strm -C .. produce t <<<more
    run -3 --separate-stderr strm -C .. repair -y t
    [[ ${lines[1]} == *" stays  ${logs[-1]} "*"was expected" ]]
    [[ $stderr == *"strm repair --salvage DIR"* ]]
    mv ../t-0 ../damaged
    run -3 strm -C .. repair --salvage ../t-0 ../damaged/
    run -0 strm -C .. produce t <<<more
}

@test "a writer learns of new indexes though the repair was killed" {
    fill
    mkfifo fifo
    start sh -c 'strm produce t --batch-bytes 1 --sync always \
        --timestamp 2026-01-01T00:00:00Z <fifo'
    exec 7>fifo
    echo first >&7
    eventually grep -q first "${logs[-1]}"
    flip "${logs[-1]%.log}.index" 7
    # Killed when the new file has its name and nothing else happened.
    run strace -f -o trace -e trace=fsync -e inject=fsync:signal=KILL:when=2 \
        strm repair -y t
    old=".strm-old-${logs[-1]%.log}.index"
    size=$(stat -c %s "$old")
    for ((i = 0; i < 12; i++)); do
        echo "more than one entry $i" >&7
    done
    exec 7>&-
    ends 0 "$!"
    [ "$(stat -c %s "$old")" = "$size" ]
    [ "$(stat -c %s "${old#.strm-old-}")" -gt "$size" ]
    run -0 strm repair t
    [ "$output" = "nothing to do" ]
}

@test "beside a writer at work there is nothing to do" {
    strm topic create t --set segment.bytes=20000 --set index.interval.bytes=100
    # shellcheck disable=SC2016  # for the inner shell
    start bash -c 'seq 1 300000 |
        strm produce t --sync never --batch-bytes 300'
    while kill -0 "$!" 2>/dev/null; do
        run -0 --separate-stderr strm repair -y t
        [ "$output" = "nothing to do" ]
    done
    ends 0 "$!"
    run -0 strm repair t
    [ "$output" = "nothing to do" ]
}

@test "a file that a dead writer never put in place is set aside" {
    local name=.tmp-0123456789abcdef
    fill
    echo half >"$name"
    echo other >.tmp-of-another
    # While a writer is at work it may be its file, unless it is old.
    hold .strm-state 0
    run -0 strm repair t
    [ "$output" = "nothing to do" ]
    touch -d '1 hour ago' "$name"
    run -0 strm repair t
    [[ ${lines[1]} == *"set-aside  $name "* ]]
    kill "$!"
    wait "$!" || true
    touch "$name"
    run -0 strm repair -y t
    [[ ${lines[1]} == *"set-aside  $name "*" was never put in place" ]]
    [ "${#lines[@]}" -eq 2 ]
    [ "$(<".strm-old-$name")" = half ]
    [ -e .tmp-of-another ]
    run -0 strm repair t
    [ "$output" = "nothing to do" ]
}

@test "a whole batch whose records cannot be read stays" {
    local corpus=${STRM_SOURCE_DIR:-$BATS_TEST_DIRNAME/../..}/format/corpus
    local name=00000000000000000000.log
    mkdir c-0
    cp "$corpus/corrupt-key-length-max.log" "c-0/$name"
    run -3 --separate-stderr strm repair -y -J ./c-0
    [[ $stderr == *"strm repair --salvage DIR"* ]]
    [[ ${lines[0]} == *'"step":"stays","file":"'"$name"'","position":'* ]]
    [[ ${lines[0]} == *'"first_offset":2,"last_offset":3,"records":2,'* ]]
    cmp "$corpus/corrupt-key-length-max.log" "c-0/$name"
    # What needs headers alone is rebuilt.
    [ -e "c-0/${name%.log}.index" ]
}

@test "a bad last batch is a hole in a salvage, a torn end is none" {
    fill
    cp -r . ../torn-0
    printf XXXX | dd of="${logs[-1]}" bs=1 conv=notrunc status=none \
        seek=$(($(stat -c %s "${logs[-1]}") - 5))
    run -3 --separate-stderr strm repair -J --salvage ../a ./
    [[ ${lines[0]} == *'"step":"hole","file":"'"${logs[-1]}"'",'* ]]
    [[ ${lines[0]} == *'"first_offset":99,"last_offset":99,"records":1,'* ]]
    [[ ${lines[1]} == *'"records":99,'* ]]
    # Its offset, which was durable, is not given out again.
    [ -e "../a/$(printf %020d 100).log" ]
    printf 'half a batch' >>"../torn-0/${logs[-1]}"
    run -0 --separate-stderr strm repair -J --salvage ../b ../torn-0/
    [[ ${lines[0]} == *'"step":"cut",'* ]]
    [[ ${lines[1]} == *'"records":100,'* ]]
}

@test "an index of zeros is rebuilt where nobody makes slots ahead" {
    fill
    before=$(sums)
    for file in "${logs[0]%.log}.index" "${logs[1]%.log}.timeindex" \
        "${logs[-1]%.log}.index"; do
        head -c "$(stat -c %s "$file")" /dev/zero >zeros
        mv zeros "$file"
        run -0 strm repair -y t
        [[ ${lines[1]} == *" rebuild  $file "* ]]
    done
    rm .strm-old-*
    [ "$(sums)" = "$before" ]
}

@test "a malformed partition.metadata stays" {
    fill
    echo noise >partition.metadata
    run -0 strm repair -q t
    [[ ${lines[1]} == *" stays  partition.metadata "*" form that Kafka writes" ]]
    rm "${logs[0]%.log}.index"
    run -3 strm repair -q -y t
    [ "${#lines[@]}" -eq 3 ]
    run -3 strm repair -q -y t
    [ "${#lines[@]}" -eq 2 ]
    [ "$(<partition.metadata)" = noise ]
}
