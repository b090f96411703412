/*
 * swap.h - put a compaction's result in place of what it was made from
 *
 * Layer log/.  SPEC section 4.6.  Invariants I1, I4 and I6.  The structure
 * lock is held (structure.h).  At every instant, and after a crash at any
 * instant, readers, our writers and Kafka's loader see either all sources or
 * the result.
 */
#ifndef STREAM_LOG_SWAP_H
#define STREAM_LOG_SWAP_H

#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

/*
 * Put the finished segment whose files end in ".cleaned" in place of its
 * sources: count (not 0) base offsets, rising, of closed segments that are
 * neighbours; the new one has the base offset of the first.  All its files are
 * written and synced; their names need not be durable yet.  The sources'
 * indexes go with them, and so do the producer snapshots at the base offsets
 * of all sources but the first, as Kafka has it.  made (borrowed) is the
 * descriptor that wrote the log: another file of its name is another run's.
 *
 * After a failure the log is the old one or the new one, whole, and the next
 * stream_partition_open_structure settles which.  STREAM_EBUSY when another is
 * at work on the files, though it should not be, and nothing that is its was
 * touched; STREAM_EIO.
 */
int stream_swap_commit(int dirfd, const int64_t *sources, size_t count,
    int made, struct stream_error *err);

/*
 * Remove the ".cleaned" files of a base offset, after a failure before
 * stream_swap_commit was called; made is as there.  What cannot be removed is
 * left for the next stream_partition_open_structure.
 */
void stream_swap_discard(int dirfd, int64_t base_offset, int made);

#endif
