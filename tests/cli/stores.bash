# What tests of replicas share: `load stores` after `load helper`.
# shellcheck shell=bash

# fill STORE TOPIC N: the topic, with N lines more.
fill() {
    strm -C "$1" topic create "$2" --if-missing --set segment.bytes=20000
    seq "$3" | strm -C "$1" produce "$2" --batch-bytes 2000
}

# same STORE STORE: logs of all partitions are the same, in name and bytes.
same() {
    (cd "$1" && sha256sum ./*-[0-9]*/*.log) >one
    (cd "$2" && sha256sum ./*-[0-9]*/*.log) >two
    diff one two
}
