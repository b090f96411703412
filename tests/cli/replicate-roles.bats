#!/usr/bin/env bats
# strm replicate-rsync and strm promote: who may become the replica of whom.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper

setup() {
    strm_setup
    unset STRM_DIR
}

# The topic $2 of the store $1, with $3 lines.
fill() {
    strm -C "$1" topic create "$2" --if-missing
    seq "$3" | strm -C "$1" produce "$2"
}

replicate() {
    run -0 --separate-stderr strm replicate-rsync "$@"
    [ -z "$stderr" ]
}

# All names below a directory but those of locks, which whoever looks makes.
names() {
    find "$1" ! -name '*lock' ! -name '.strm-state' \
        ! -name 'separate-stderr-*' | sort
}

log_of() {
    find "$1" -name '*.log' | sort | head -n 1
}

# The first batch of several becomes another: no writer may cut that.
damage() {
    printf '\377\377' |
        dd of="$(log_of "$1")" bs=1 seek=17 conv=notrunc status=none
}

# ---- which topics a destination leads ---------------------------------------

@test "a leader of other topics than those chosen stays one" {
    fill a other 3
    fill b orders 5
    for option in -q -N; do
        refuses 5 "holds topics and is no replica" \
            strm replicate-rsync $option --include other a b
    done
    refuses 5 "holds topics and is no replica" \
        strm replicate-rsync --exclude orders a b
    [ ! -e b/.strm/replica.json ]
    [ ! -e b/other-0 ]
    echo more | strm -C b produce orders
    # Whoever knows better says so.
    replicate -q --truncate --include other a b
    refuses 5 "is a replica" strm -C b produce orders <<<x
}

# ---- promotion --------------------------------------------------------------

@test "a partition that cannot be promoted keeps all others from it" {
    for topic in a b; do
        fill one $topic 5
        fill one $topic 5
    done
    replicate -q one two
    cp two/a-0/leader-epoch-checkpoint epochs
    damage two/b-0
    cp -a two before
    run --separate-stderr strm promote two
    [ "$status" -eq 3 ]
    [ -z "$output" ]
    [[ $stderr == *b-0* ]]
    cmp two/a-0/leader-epoch-checkpoint epochs
    cmp two/.strm/replica.json before/.strm/replica.json
    # It is what it was: its source is not refused.
    run -7 --separate-stderr strm replicate-rsync one two
    [[ $output == *"1 partition is as at the replica"* ]]
}

@test "a promotion that was stopped must be finished before anything is copied" {
    for topic in a b; do
        fill one $topic 5
    done
    replicate -q one two
    # As one that was killed after its first epoch leaves it.
    sed -i 's/"version": 1,/&\n  "promoting": true,/' two/.strm/replica.json
    printf '0\n2\n0 0\n1 5\n' >two/a-0/leader-epoch-checkpoint
    rm -f two/a-0/.strm-state
    names two >before
    seq 3 | strm -C one produce a
    for option in -q --truncate -N; do
        refuses 5 "promotion" strm replicate-rsync $option one two
        [[ $stderr == *"not finished"*"strm promote"* ]]
    done
    refuses 5 "strm promote" strm -C two produce a <<<x
    names two | grep -v incoming | diff <(grep -v incoming before) -
    strm promote two
    [ ! -e two/.strm/replica.json ]
    seq 3 | strm -C two produce a
    seq 3 | strm -C two produce b
    run -0 strm verify -q ./two
    refuses 5 "the source is an old leader" strm replicate-rsync -q one two
}
