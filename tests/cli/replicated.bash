# What tests of stores and their replicas share: loaded after helper.
# shellcheck shell=bash

# The topic $2 of the store $1, with $3 lines.
fill() {
    strm -C "$1" topic create "$2" --if-missing --set segment.bytes=20000
    seq "$3" | strm -C "$1" produce "$2" --batch-bytes 2000
}

# Logs of all partitions are the same, in name and bytes.
same() {
    (cd "$1" && sha256sum ./*-[0-9]*/*.log) >one
    (cd "$2" && sha256sum ./*-[0-9]*/*.log) >two
    diff one two
}

replicate() {
    run -0 --separate-stderr strm replicate-rsync "$@"
    # shellcheck disable=SC2154  # run sets stderr
    [ -z "$stderr" ]
}

# A machine "there" that is this one: an ssh that only runs what it is told,
# with the PATH in $THERE.
fake_ssh() {
    cat >bin/ssh <<'END'
#!/bin/bash
while [[ $1 == -* ]]; do
    case $1 in
    --) shift; break ;;
    -o | -F | -l) shift 2 ;;
    *) shift ;;
    esac
done
shift
PATH=${THERE:-$PATH}
exec /bin/sh -c "exec $*"
END
    chmod +x bin/ssh
}

# until_true COMMAND...: ten seconds at most.
until_true() {
    for _ in $(seq 100); do
        "$@" && return
        sleep 0.1
    done
    return 1
}
