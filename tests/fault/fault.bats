#!/usr/bin/env bats
# Faults: what must survive what.  Each name says which invariant (I, in
# libstream/README.md) or promise (P) it shows.
#
# STRM_FAULT=short (the default) samples; STRM_FAULT=long takes every point.

setup() {
    cd "$BATS_TEST_DIRNAME" || exit
    export TMPDIR=$BATS_TEST_TMPDIR PYTHONDONTWRITEBYTECODE=1
}

python() {
    "${PYTHON:-/usr/bin/python3}" "$@"
}

# A tmpfs in a mount namespace of its own; where that is not allowed, skip.
full() {
    unshare -m true 2>/dev/null || skip "no mount namespaces here (not root?)"
    unshare -m "${PYTHON:-/usr/bin/python3}" full.py "$@"
}

@test "T1 I2 I4 P2: kill -9 at any point of an append of one batch" {
    python kill.py append-one
}

@test "T1 I2 I4 P2: kill -9 at any point of an append of many batches" {
    python kill.py append-many
}

@test "T1 I2 I4 P2: kill -9 at any point of an append of zstd batches" {
    python kill.py append-zstd
}

@test "T1 I2 I4 P2: kill -9 at any point of appends that roll" {
    python kill.py roll
}

@test "T1 I2 I4 P2: kill -9 at any point of zstd appends that roll" {
    python kill.py roll-zstd
}

@test "T1 I2 I4 P2: kill -9 at any point of a last batch that fills its segment" {
    python kill.py roll-next
}

@test "T1 I2 I4 P2: kill -9 of two producers at any point" {
    python kill.py two
}

@test "T1 I4 I10: kill -9 at any point of topic create leaves all or nothing" {
    python kill.py create
}

@test "T1 I4 I10: kill -9 at any point of topic rm leaves all or nothing" {
    python kill.py rm
}

@test "T1 I3 I4 I10: kill -9 at any point of repair -y loses no record" {
    python kill.py repair
}

@test "T1 I4 I10: kill -9 at any point of repair --salvage leaves all or nothing" {
    python kill.py salvage
}

@test "T1 I8 I10: kill -9 at any point of promote leaves a leader or a replica" {
    python kill.py promote
}

@test "T1 I10: kill -9 at any point of fence leaves a fence or none" {
    python kill.py fence
    python kill.py lift
}

@test "T1 I1 I2 I4: kill -9 at any point of roll, with readers meanwhile" {
    python kill.py roll-now
}

@test "T1 I1 I4 I10: kill -9 at any point of trim, with readers meanwhile" {
    python kill.py trim
}

@test "T1 I1 I4 I10: kill -9 at any point of retain, with readers meanwhile" {
    python kill.py retain
    python kill.py retain-size
}

@test "T1 I1 I4 I10: kill -9 at any point of retain below a raised log start" {
    python kill.py retain-trimmed
}

@test "T1 I1 I4 I10: kill -9 at any point of retain without a log start" {
    python kill.py retain-unnamed
}

@test "T1 I1 I4 I6: kill -9 at any point of compact, with readers meanwhile" {
    python kill.py compact
}

@test "T1 I1 I4 I6: kill -9 at any point of compact of two partitions of zstd batches" {
    python kill.py compact-zstd
}

@test "T1 I1 I4 I6: kill -9 at any point of a compact that merges segments" {
    python kill.py compact-again
}

@test "T1 I1 I4 I6: kill -9 at any point of maintain, with readers meanwhile" {
    python kill.py maintain
}

@test "T1 I1 I4 I6: kill -9 at any point of a compact in rounds" {
    python kill.py compact-rounds
}

@test "T2 I1 I4 I10: kill -9 again while the next trim or retain finishes the job" {
    python kill.py trim twice
    python kill.py retain twice
}

@test "T2 I1 I4 I6: kill -9 again while the next compact finishes the job" {
    python kill.py compact twice
    python kill.py compact-again twice
}

@test "T4 I2 I4 P2: power lost at any point of an append of one batch" {
    python power.py append-one
}

@test "T4 I2 I4 P2: power lost at any point of an append of many batches" {
    python power.py append-many
}

@test "T4 I2 I4 P2: power lost at any point of an append of several writes" {
    python power.py append-long
    python power.py append-zstd
}

@test "T4 I2 I4 P2: power lost at any point of three appends" {
    python power.py thrice
}

@test "T4 I2 I4 I5 P2: power lost at any point of appends that roll" {
    python power.py roll
}

@test "T4 I2 I4 I5 P2: power lost at any point of zstd appends that roll" {
    python power.py roll-zstd
}

@test "T4 I2 I4 P2: power lost at any point of a last batch that fills its segment" {
    python power.py roll-next
}

@test "T4 I4 I10: power lost at any point of topic create leaves all or nothing" {
    python power.py create
}

@test "T4 I4 I10: power lost at any point of topic rm leaves all or nothing" {
    python power.py rm
}

@test "T4 I1 I2 I4 I5: power lost at any point of roll" {
    python power.py roll-now
}

@test "T4 I1 I4 I10: power lost at any point of trim" {
    python power.py trim
}

@test "T4 I1 I4 I10: power lost at any point of retain" {
    python power.py retain
    python power.py retain-size
}

@test "T4 I1 I4 I10: power lost at any point of retain below a raised log start" {
    python power.py retain-trimmed
}

@test "T4 I1 I4 I10: power lost at any point of retain without a log start" {
    python power.py retain-unnamed
}

@test "T4 I1 I4 I6: power lost at any point of compact" {
    python power.py compact
}

@test "T4 I1 I4 I6: power lost at any point of maintain" {
    python power.py maintain
}

@test "T4 I1 I4 I6: power lost at any point of compact of two partitions of zstd batches" {
    python power.py compact-zstd
}

@test "T4 I1 I4 I6: power lost at any point of a compact in rounds" {
    python power.py compact-rounds
}

@test "T4 I1 I4 I6: power lost at any point of a compact that merges segments" {
    python power.py compact-again
}

@test "T6 I2 I10 P7: any failing call in an append of one batch" {
    python fail.py append-one errors
}

@test "T6 I2 I10 P7: any failing call in an append of many batches" {
    python fail.py append-many errors
}

@test "T6 I2 I10 P7: any failing call in an append of zstd batches" {
    python fail.py append-zstd errors
}

@test "T6 I2 I10 P7: any failing call in appends that roll" {
    python fail.py roll errors
}

@test "T6 I3 I10 P7: any failing call in repair -y loses no record" {
    python fail.py repair errors
}

@test "T6 I4 I10 P7: any failing call in repair --salvage leaves all or nothing" {
    python fail.py salvage errors
}

@test "T6 I10 P7: any failing call in topic create leaves all or nothing" {
    python fail.py create errors
}

@test "T6 I10 P7: any failing call in topic rm leaves all or nothing" {
    python fail.py rm errors
}

@test "T6 P3 P7: any failing call in consume" {
    python fail.py consume errors
}

@test "T6 P3 P7: any failing call in consume --skip-corrupt" {
    python fail.py consume-skip errors
}

@test "T6 I1 I10 P7: any failing call in roll" {
    python fail.py roll-now errors
}

@test "T6 I1 I10 P7: any failing call in trim" {
    python fail.py trim errors
}

@test "T6 I1 I10 P7: any failing call in retain" {
    python fail.py retain errors
}

@test "T6 I6 I10 P7: any failing call in compact" {
    python fail.py compact errors
}

@test "T6 I6 I10 P7: any failing call in maintain" {
    python fail.py maintain errors
}

@test "T6 I6 I10 P7: any failing call in compact of two partitions of zstd batches" {
    python fail.py compact-zstd errors
}

@test "T6 I6 I10 P7: any failing call in a compact that merges segments" {
    python fail.py compact-again errors
}

@test "T6 I3 I4: short writes and a full disk in an append of one batch" {
    python fail.py append-one short
}

@test "T6 I3 I4: short writes and a full disk in an append of many batches" {
    python fail.py append-many short
}

@test "T6 I3 I4: short writes and a full disk in appends that roll" {
    python fail.py roll short
}

@test "T6 I1 I4: short writes and a full disk in roll, trim and retain" {
    python fail.py roll-now short
    python fail.py trim short
    python fail.py retain short
}

@test "T6 I4 I6: short writes and a full disk in compact" {
    python fail.py compact short
    python fail.py compact-again short
}

@test "T6 I2 I10 P7: any failing allocation in append, create, rm and consume" {
    python fail.py roll memory
    python fail.py create memory
    python fail.py rm memory
    python fail.py consume memory
}

@test "T6 I3 I10 P7: any failing allocation in repair and salvage" {
    python fail.py repair memory
    python fail.py salvage memory
}

@test "T6 I4 I6 I10 P7: any failing allocation in roll, trim, retain, compact and maintain" {
    python fail.py roll-now memory
    python fail.py trim memory
    python fail.py retain memory
    python fail.py compact memory
    python fail.py maintain memory
}

@test "T7 I2 P1 P4: a failed sync in an append of one batch" {
    python fail.py append-one sync
}

@test "T7 I2 P1 P4: a failed sync in an append of many batches" {
    python fail.py append-many sync
}

@test "T7 I2 P1 P4: a failed sync in an append of several writes" {
    python fail.py append-long sync
    python fail.py append-zstd sync
}

@test "T7 I2 P1 P4: a failed sync in appends that roll" {
    python fail.py roll sync
}

@test "T7 I2 P1 P4: a failed sync under two producers" {
    python fail.py two sync
}

@test "T7 I10: a failed sync in topic create leaves all or nothing" {
    python fail.py create sync
}

@test "T7 I1 I2 I10: a failed sync in roll, trim and retain" {
    python fail.py roll-now sync
    python fail.py trim sync
    python fail.py retain sync
}

@test "T7 I4 I6 I10: a failed sync in compact" {
    python fail.py compact sync
    python fail.py compact-again sync
}

@test "T8 P3: verify finds every flipped bit of a dense topic" {
    python flip.py none
}

@test "T8 P3: verify finds every flipped bit of a dense zstd topic" {
    python flip.py zstd
}

@test "T8 I5 P3 P7: any flipped byte of a plain log, where it was written" {
    python flips.py none place
}

@test "T8 I5 P3 P7: any flipped byte of a zstd log, where it was written" {
    python flips.py zstd place
}

@test "T8 I5 P3 P7: any flipped byte of a plain log, in a copy" {
    python flips.py none copy
}

@test "T8 I5 P3 P7: any flipped byte of a zstd log, in a copy" {
    python flips.py zstd copy
}

@test "T8 P3 P7: any changed byte of a plain archive's index" {
    python flip_index.py none
}

@test "T8 P3 P7: any changed byte of a gzip archive's index" {
    python flip_index.py gzip
}

@test "T8 P3 P7: any changed byte of a zstd archive's index" {
    python flip_index.py zstd
}

@test "T9 I3 P3 P4: a log cut anywhere is a torn tail" {
    python truncate.py copy-cut
}

@test "T9 I3 P3 P4: a log with zeros from anywhere on" {
    python truncate.py copy-zero
}

@test "T9 I3 P3 P4: a log cut anywhere and 4 KiB of zeros" {
    python truncate.py copy-zeros
}

@test "T9 I3 P3 P4: a log cut anywhere and garbage" {
    python truncate.py copy-garbage
}

@test "T9 P4: a cut below the durable end is damage that nobody touches" {
    python truncate.py in-place
}

@test "T10 I2 I4: a full disk in append" {
    full append 256
}

@test "T10 I2 I4: a full disk in roll" {
    full roll 256
}

@test "T10 I10: topic create on a full disk leaves all or nothing" {
    full create 1024
}

@test "T10 I10: topic rm on a full disk leaves all or nothing" {
    full rm 1024
}

@test "T10 P10 I1: retain on a full disk does all of its job" {
    full retain 1024
    full retain-size 1024
}

@test "T10 I6 I10: compact on a full disk changes nothing and leaves nothing" {
    full compact-large 1024
}

@test "T10 I4 I10: a full disk for an archive, also before its segments go" {
    full archive 1024
    full retire 1024
    full retain-archive 1024
}

@test "T10 I10: restore on a full disk leaves all or nothing" {
    full restore 1024
}

@test "T10 I2: a file size limit is an error, not a signal" {
    python full.py limit
}

@test "T11 I1 I2 P2 P3: kill -9 of producers beside followers, 1 partition" {
    python storm.py 1
}

@test "T11 I1 I2 P2 P3: kill -9 of producers beside followers, 3 partitions" {
    python storm.py 3
}

@test "T11 I4 I6 P3: followers and readers beside compaction see all that survives" {
    python beside.py compact
}

@test "T11 I4 P3: followers and readers beside retention and compaction" {
    python beside.py retain
}

@test "T1 I4 I10: kill -9 at any point of archive --retire: never neither" {
    python kill.py retire
    python kill.py retain-archive
}

@test "T1 I10: kill -9 at any point of archive leaves all or nothing" {
    python kill.py archive
}

@test "T4 I4 I10: power lost at any point of archive, --retire and retain --archive" {
    python power.py archive
    python power.py retire
    python power.py retain-archive
}

@test "T4 I10: power lost at any point of restore leaves all or nothing" {
    python power.py restore
}

@test "T6 I10: every failing call in archive" {
    python fail.py archive errors
    python fail.py archive short
    python fail.py archive sync
    python fail.py archive memory
}

@test "T1 I10: kill -9 at any point of restore leaves all or nothing" {
    python kill.py restore
}

@test "T6 I4 I10: every failing call in archive --retire" {
    python fail.py retire errors
    python fail.py retire short
    python fail.py retire sync
}

@test "T6 I10: every failing call in restore" {
    python fail.py restore errors
    python fail.py restore short
    python fail.py restore sync
}

@test "T1 I8: kill -9 at any point of a replica's first copy" {
    python kill.py apply-first
}

@test "T1 I8: kill -9 at any point of a replica that takes over appends and rolls" {
    python kill.py apply-tail
}

@test "T1 I8: kill -9 at any point of a replica that takes over a compaction" {
    python kill.py apply-compact
}

@test "T1 I8: kill -9 at any point of a replica that is behind a compaction" {
    python kill.py apply-far
}

@test "T1 I8: kill -9 at any point of a compaction that leaves a segment between as it was" {
    python kill.py apply-between
}

@test "T1 I8: kill -9 at any point of such a compaction and retention at once" {
    python kill.py apply-between-cut
}

@test "T1 I8: kill -9 at any point of the run after one that was killed within a swap" {
    python kill.py apply-settle
}

@test "T1 I8: kill -9 at any point of a replica that takes over retention" {
    python kill.py apply-retain
}

@test "T1 I8: kill -9 at any point of a replica that retention overtook" {
    python kill.py apply-overtaken
    python kill.py apply-overtaken-trimmed
    python kill.py apply-overtaken-led
}

@test "T1 I8: kill -9 at any point of a replica that takes over a leader epoch" {
    python kill.py apply-epochs
}

@test "T1 I8: kill -9 at any point of a replica that takes over what was trimmed meanwhile" {
    python kill.py apply-untold
}

@test "T1 I8: kill -9 at any point of a replica whose own records are set aside" {
    python kill.py apply-truncate
    python kill.py apply-truncate-trimmed
}

@test "T2 I8: kill -9 again while the next run goes on with a replica" {
    python kill.py apply-tail twice
    python kill.py apply-between-cut twice
    python kill.py apply-truncate twice
}

@test "T4 I8: power lost at any point of a replica's first copy" {
    python power.py apply-first
}

@test "T4 I8: power lost at any point of a replica that takes over appends and rolls" {
    python power.py apply-tail
}

@test "T4 I8: power lost at any point of a replica that takes over a compaction" {
    python power.py apply-compact
}

@test "T4 I8: power lost at any point of a replica that is behind a compaction" {
    python power.py apply-far
}

@test "T4 I8: power lost at any point of a compaction that leaves a segment between as it was" {
    python power.py apply-between
}

@test "T4 I8: power lost at any point of such a compaction and retention at once" {
    python power.py apply-between-cut
}

@test "T4 I8: power lost at any point of the run after one that was killed within a swap" {
    python power.py apply-settle
}

@test "T4 I8: power lost at any point of a replica that takes over retention" {
    python power.py apply-retain
    python power.py apply-overtaken
}

@test "T4 I8: power lost at any point of a replica that takes over a leader epoch" {
    python power.py apply-epochs
}

@test "T4 I8: power lost at any point of a replica whose own records are set aside" {
    python power.py apply-truncate
}

@test "T4 I8 I10: power lost at any point of promote and fence" {
    python power.py promote
    python power.py fence
    python power.py lift
}

@test "T6 I8 I10: any failing call while a replica takes over a first copy" {
    python fail.py apply-first errors
}

@test "T6 I8 I10: any failing call while a replica takes over appends, rolls and a leader epoch" {
    python fail.py apply-tail errors
    python fail.py apply-epochs errors
}

@test "T6 I8 I10: any failing call while a replica takes over a compaction" {
    python fail.py apply-compact errors
    python fail.py apply-far errors
}

@test "T6 I8 I10: any failing call while a replica takes over a compaction with a segment between, and retention" {
    python fail.py apply-between errors
    python fail.py apply-between-cut errors
    python fail.py apply-retain errors
}

@test "T6 I8 I10: any failing call while a replica takes over what is set aside" {
    python fail.py apply-truncate errors
}

@test "T6 I8 I10: short writes and a full disk while a replica takes over" {
    python fail.py apply-first short
    python fail.py apply-tail short
    python fail.py apply-between-cut short
    python fail.py apply-truncate short
}

@test "T7 I8 I10: a failed sync while a replica takes over" {
    python fail.py apply-first sync
    python fail.py apply-tail sync
    python fail.py apply-between-cut sync
    python fail.py apply-truncate sync
}

@test "T6 I8 I10: any failing allocation while a replica takes over" {
    python fail.py apply-first memory
    python fail.py apply-tail memory
    python fail.py apply-between-cut memory
    python fail.py apply-truncate memory
}

@test "T10 I8 I10: a replica on a full disk loses nothing and is brought up to date later" {
    full apply-first 2048
    full apply-tail 2048
    full apply-between-cut 2048
    full apply-truncate 2048
}

@test "T1 I8: kill -9 at any point of an old leader that gets back what it deleted" {
    python kill.py apply-front
}

@test "T4 I8: power lost at any point of an old leader that gets back what it deleted" {
    python power.py apply-front
}

@test "T6 I8 I10: any failing call while an old leader gets back what it deleted" {
    python fail.py apply-front errors
}

@test "T11 I8: leaders fail and come back at random, and nothing that was reported is lost" {
    python failover.py
}

@test "T1 I8: a run killed within an append leaves no damage" {
    python replicate_between.py torn
}

@test "T1 I8: a run killed where retention overtook the replica leaves no damage" {
    python replicate_between.py overtaken
}

@test "T11 I8: a replica in a storm is sound, and promoted holds what was reported" {
    python replicate_storm.py
}
