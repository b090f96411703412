/*
 * retire.h - take the oldest segments away
 *
 * Layer log/.  SPEC sections 4.6, 6.2 and 7.2.  Invariants I1 and I4: at every
 * instant what is left is the end of the log, without a hole.
 */
#ifndef STREAM_LOG_RETIRE_H
#define STREAM_LOG_RETIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

#include "log/structure.h"

/*
 * Take away the closed segments all of whose offsets are below `below`, oldest
 * first, with their indexes and the producer snapshots below the first segment
 * that stays; then cut the leader epochs at the front: the log begins at
 * `below` from now on, or at the first segment that stays if that is higher.
 * The active segment never goes.  The handle is of
 * stream_partition_open_structure.
 *
 * Before the call the log start offset is durable, or, on a full disk, is
 * not: then careful says that each segment's going must be durable before
 * the next goes.  Only then a crash leaves the end of the log.  Nothing is
 * written for a segment to go, so a full disk is no hindrance; that leader
 * epochs could not be written is no failure, since they are only shorter than
 * they could be.
 *
 * *segments and *bytes (of logs) are what has gone, also after a
 * failure.  STREAM_EIO, STREAM_EBUSY, STREAM_ENOENT, STREAM_ENOMEM.
 */
int stream_partition_retire(struct stream_partition *partition, int64_t below,
    bool careful, size_t *segments, uint64_t *bytes, struct stream_error *err);

/*
 * Take away one closed segment, whichever it is, all of whose records stand in
 * another or are superseded; with its snapshot.  Durable.  Errors as above.
 */
int stream_partition_drop(struct stream_partition *partition,
    int64_t base_offset, struct stream_error *err);

/*
 * Cut the leader epochs at the front, as Kafka does: the log begins at start
 * from now on.  A file that is missing or malformed is left to those who need
 * it, and on a full disk it stays longer than it could be.  Errors as above.
 */
int stream_partition_cut_epochs(struct stream_partition *partition,
    int64_t start, struct stream_error *err);

#endif
