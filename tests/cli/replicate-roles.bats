#!/usr/bin/env bats
# strm replicate-rsync and strm promote: who may become the replica of whom.
# shellcheck disable=SC2154  # run sets stderr and stderr_lines

load helper
load replicated

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

# ---- stores that are one ----------------------------------------------------

@test "a store is no replica of itself, under any name" {
    fill a t 5
    ln -s a link
    mkdir empty
    names . >../before
    for pair in "a a" "a ./link" "link a/." "empty empty"; do
        # shellcheck disable=SC2086 # two words
        refuses 2 "same directory" strm replicate-rsync --truncate $pair
    done
    names . | diff ../before -
    echo x | strm -C a produce t
}

@test "neither store lies in the other" {
    fill a t 5
    mkdir a/below
    fill a/below u 5
    names . >../before
    for dest in a/t-0 a/.strm a/new a/new/deep a/below "$PWD/a/x"; do
        refuses 2 "lies within" strm replicate-rsync --truncate a "$dest"
    done
    refuses 2 "lies within" strm replicate-rsync --truncate a/below a
    names . | diff ../before -
    # A name that only begins as the other's is another.
    replicate -q a ab
    echo x | strm -C a produce t
}

@test "over ssh a store is known to be the other by what the run left in it" {
    # shellcheck disable=SC2016  # it is the other shell's
    printf '%s\n' '#!/bin/sh' 'for line; do :; done' 'exec sh -c "$line"' \
        >bin/ssh
    chmod +x bin/ssh
    fill a t 5
    for option in --truncate -q; do
        refuses 2 "same store" strm replicate-rsync $option a "there:$PWD/a"
        refuses 2 "same store" strm replicate-rsync $option "there:$PWD/a" a
    done
    echo x | strm -C a produce t
    # A copy of a replica, made while a run of it is unfinished, is another.
    mkdir -p b/.strm/incoming/0123456789abcdef
    replicate -q a b
    mkdir -p b/.strm/incoming/0123456789abcdef
    cp -a b c
    replicate -q b c
    [ "$(strm -C c consume t | wc -l)" -eq 6 ]
}

# ---- what is no store -------------------------------------------------------

@test "a directory that holds no store is no source" {
    mkdir -p plain/sub plain/notes-x
    echo text >plain/file
    names . >../before
    for option in -q -N --status; do
        refuses 4 "plain: is no store: it holds neither .strm nor a partition" \
            strm replicate-rsync $option plain d
    done
    refuses 4 "nowhere" strm replicate-rsync nowhere d
    names . | diff ../before -
}

# An rsync that has a version, and else does $1.
failing_rsync() {
    # shellcheck disable=SC2016  # it is the other shell's
    printf '#!/bin/sh\n[ "$1" = --version ] && exec %s "$@"\n%s\n' \
        "$(PATH=/usr/bin:/bin command -v rsync)" "$1" >bin/rsync
    chmod +x bin/rsync
}

@test "nor is it fenced, or a fence lifted from it" {
    mkdir -p srv
    fill srv/log t 5
    names srv >before
    for what in --reason=x --lift; do
        refuses 4 "srv: is no store" strm fence "$what" srv
        refuses 4 "is no store" strm fence "$what" srv/log/t-0
    done
    names srv | diff before -
    echo 6 | strm -C srv/log produce t
}

@test "a run that is refused leaves no store that was not there" {
    fill a t 5
    fake_ssh
    mkdir there
    strm -C none topic create t
    strm -C none topic rm -y t
    names . | grep -v replicate >../before
    for dest in b b/ there "here:$PWD/b"; do
        refuses 4 "--include nosuch" \
            strm replicate-rsync --include nosuch a "$dest"
        rm -f there/.lock # of a directory that was there
        names . | grep -v replicate | diff ../before -
    done
    # What came is kept for the next run, and so is what another has put there.
    failing_rsync 'exit 12'
    run -9 strm replicate-rsync a b
    [ ! -e b ]
    failing_rsync 'cd b/.strm/incoming/* && touch came; exit 12'
    run -9 strm replicate-rsync a b
    [ -n "$(find b -name came)" ]
    [ -e b/.strm/replica.run ]
    rm -r b
    failing_rsync 'strm -C b topic create other; exit 12'
    run -9 strm replicate-rsync a b
    [ "$(strm -C b topic ls)" = other ]
}

@test "a partition of a store becomes no replica" {
    fill a t 5
    fill b u 5
    fake_ssh
    for dest in b/u-0 b/v-3 "there:$PWD/b/u-0"; do
        refuses 2 "has the name of a partition of the store $PWD/b" \
            strm replicate-rsync a "$dest"
    done
    [ ! -e b/v-3 ]
    [ ! -e b/u-0/.strm ]
}

@test "a store without topics is a source, and so are a broker's directories" {
    fill a t 5
    mkdir broker
    cp -r a/t-0 broker/
    strm -C a topic rm -y t
    replicate -q a b
    [ -e b/.strm/replica.json ]
    replicate -q broker c
    [ "$(strm -C c consume t | wc -l)" -eq 5 ]
}

@test "a replica that is not there has no status" {
    fill a t 5
    refuses 4 "nowhere" strm replicate-rsync --status a nowhere
    run -0 strm replicate-rsync -N a nowhere
    [ ! -e nowhere ]
}

# ---- leader epochs ----------------------------------------------------------

@test "a leader that lost its leader epochs does not follow an older one" {
    fill a t 5
    replicate -q a b
    strm promote -q b
    seq 3 | strm -C b produce t
    for lost in "rm" "truncate -s 0"; do
        $lost b/t-0/leader-epoch-checkpoint
        refuses 5 "the source is an old leader" strm replicate-rsync -q a b
        refuses 5 "the source is an old leader" \
            strm replicate-rsync -q --truncate a b
        [ ! -e b/.strm/replica.json ]
        touch b/t-0/leader-epoch-checkpoint
    done
    rm b/t-0/leader-epoch-checkpoint
    echo more | strm -C b produce t
    # As a source it gives what its batches say.
    rm -f b/t-0/leader-epoch-checkpoint
    replicate -q b a
    [ "$(cat a/t-0/leader-epoch-checkpoint)" = "0
2
0 0
1 5" ]
}

# follows_not SOURCE DEST OPTION...: DEST leads, and goes on to.
follows_not() {
    local source=$1 dest=$2

    shift 2
    refuses 5 "a-0: the replica has leader epoch 1, the source only 0" \
        strm replicate-rsync -q "$@" "$source" "$dest"
    [ ! -e "$dest/.strm/replica.json" ]
    echo more | strm -C "$dest" produce a
}

@test "an old leader is one whichever topics are chosen" {
    fill m a 5
    replicate -q m c
    strm promote -q c
    fill m n 3
    for choice in --include=n --exclude=a; do
        follows_not m c --truncate $choice
        follows_not m c --truncate -N $choice
        follows_not m c $choice
    done
    [ ! -e c/n-0 ]
    # What tells may be lost at one of the two, or at both.
    for lost in c m; do
        rm $lost/a-0/leader-epoch-checkpoint
        refuses 5 "the source is an old leader" \
            strm replicate-rsync -q --truncate --include n m c
    done
    : >c/a-0/leader-epoch-checkpoint
    refuses 5 "the source is an old leader" \
        strm replicate-rsync -q --truncate --include n m c
    # The other way round nobody need say that the old one leads no more.
    replicate -q --exclude a c m
    [ -e m/.strm/replica.json ]
    run -1 grep '^other' m/.strm/replica/manifest
}

@test "nor do partitions that are not chosen, or cannot be read, hide it" {
    strm -C m topic create a --partitions 2
    for batch in 1 2 3; do
        for i in 0 1; do
            seq $batch | strm -C m produce a:$i
        done
    done
    strm -C m roll -q a
    replicate -q m c
    strm promote -q c
    for i in 0 1; do
        echo more | strm -C c produce a:$i
    done
    # That of partition 1 would be as the source's.
    cp m/a-1/leader-epoch-checkpoint c/a-1/
    follows_not m c --truncate --include a:1
    follows_not m c --truncate --exclude a:0
    damage m/a-0
    follows_not m c --truncate
    follows_not m c --truncate --include a:0
    cp -a c d
    damage d/a-0
    refuses 5 "the source is an old leader" \
        strm replicate-rsync -q --truncate m d
    [ ! -e d/.strm/replica.json ]
}

@test "leader epochs of two topics of one name tell nothing" {
    fill m a 5
    fill m n 3
    replicate -q --include a m c
    strm promote -q c
    echo more | strm -C c produce a
    strm -C m topic rm -y a
    fill m a 5
    replicate -q --truncate --include n m c
    [ "$(strm -C c consume n | wc -l)" -eq 3 ]
    [ "$(strm -C c consume a | wc -l)" -eq 6 ]
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
    # What it says of the log is not believed then, but looked at.
    rm -f two/b-0/.strm-state
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

# ---- what is said, and left -------------------------------------------------

@test "when nothing gets through, the exit status says why" {
    for topic in a b; do
        fill one $topic 5
        strm -C one roll $topic
        echo x | strm -C one produce $topic
        damage one/$topic-0
    done
    run --separate-stderr strm replicate-rsync one two
    [ "$status" -eq 3 ]
    strm -C one topic create c
    run -7 --separate-stderr strm replicate-rsync one two
}

@test "what a killed run left half written goes with the next" {
    fill a t 5
    replicate -q a b
    for place in b/.strm/replica a/.strm/replicate; do
        mkdir -p $place
        echo half >$place/.tmp-0123456789abcdef
        touch -d '2 days ago' $place/.tmp-0123456789abcdef
    done
    replicate -q a b
    [ -z "$(find a b -name '.tmp-*')" ]
}

@test "what cannot be made is told with the store's name" {
    fill a t 5
    mkdir -p b/.strm
    touch b/.strm/incoming
    refuses 4 "b: .strm: incoming" strm replicate-rsync -q a b
    rm b/.strm/incoming
    rm -r a/.strm/replicate 2>/dev/null || true
    touch a/.strm/replicate
    refuses 4 "a: .strm: replicate" strm replicate-rsync -q a b
    # Root writes everywhere.
    rm a/.strm/replicate
    [ "$(id -u)" -eq 0 ] && return
    mkdir -p b/.strm/incoming
    chmod a-w b/.strm/incoming
    refuses 6 "b/.strm/incoming: " strm replicate-rsync -q a b
}
