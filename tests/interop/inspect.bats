#!/usr/bin/env bats
# Partition directories that Kafka wrote, in $STRM_GOLDEN: inspect -J finds in
# them what Kafka's own code found.  Skipped where they are not present.

setup() {
    root=${STRM_SOURCE_DIR:-$BATS_TEST_DIRNAME/../..}
    golden=${STRM_GOLDEN:-$root/../shared/golden}
    [ -d "$golden" ] || skip "no golden directories in $golden"
    strm=${STRM:-${STRM_BUILD:-$root/build}/strm}
    export PYTHONDONTWRITEBYTECODE=1
}

@test "inspect -J agrees with Kafka, line by line and field by field" {
    for directory in "$golden"/*/; do
        "${PYTHON:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/inspect_golden.py" \
            "$directory"
    done
}

@test "a second account of a log's producers agrees with each snapshot" {
    seen=
    for directory in "$golden"/*/topic-0; do
        copy=$BATS_TEST_TMPDIR/${directory//\//_}
        mkdir -p "$copy"
        cp -r "$directory" "$copy/"
        chmod -R u+w "$copy"
        with=$("$strm" inspect -J --producers "$copy/topic-0" |
            grep '^{"type":"producer",' || :)
        rm -f "$copy"/topic-0/*.snapshot
        without=$("$strm" inspect -J --producers "$copy/topic-0" |
            grep '^{"type":"producer",' || :)
        case $directory in
        */bad-crc/* | */compacted/* | */crash-swap/* | */delete-horizon/*)
            continue # the log does not hold all that happened
            ;;
        esac
        [ "$with" = "$without" ]
        seen+=$with
    done
    [ -n "$seen" ]
}

@test "what a broker left is fit for one, but not without its snapshots" {
    for directory in "$golden"/{plain,idempotent,transactions,compacted}; do
        copy=$BATS_TEST_TMPDIR/$(basename "$directory")
        cp -r "$directory" "$copy"
        chmod -R u+w "$copy"
        "$strm" inspect --hand-over "$copy/topic-0" >"$copy/said"
        grep '^ok       producer state ' "$copy/said"
        grep '^ok       recovery point       the end of the log' "$copy/said"
        rm "$copy"/topic-0/*.snapshot "$copy/topic-0/leader-epoch-checkpoint"
        run "$strm" inspect --hand-over "$copy/topic-0"
        [ "$status" -eq 1 ]
        [[ $output == *'missing  epoch file '* ]]
        case $directory in
        */idempotent | */transactions)
            [[ $output == *'missing  producer state '* ]]
            ;;
        esac
        rm "$copy/.kafka_cleanshutdown" \
            "$copy/recovery-point-offset-checkpoint"
        "$strm" inspect --hand-over "$copy/topic-0"
    done
}
