/*
 * partition.h - one partition, as its writers see it
 *
 * Layer log/.  SPEC sections 4 to 7 and 10.  Invariants I1 to I5.
 *
 * Any number of processes, and of handles in one process, may have the same
 * partition open; .strm-state carries their locks.  A handle is used by one
 * thread at a time.  What one writer must know of what another did, it reads
 * from the state under the append lock; a handle remembers only what it can
 * check.
 *
 * After a crash: appended batches are whole or absent, what was synced is
 * there, and the next writer's first call cuts what is torn.
 */
#ifndef STREAM_LOG_PARTITION_H
#define STREAM_LOG_PARTITION_H

#include <stddef.h>

#include <stream/error.h>
#include <stream/files.h>

#include "log/log_config.h"

struct stream_partition;

/*
 * Open the partition directory dirfd (borrowed for the life of the handle)
 * for writing, and recover it if the last writer died.  Gives *partition;
 * free it with stream_partition_close.  config is borrowed and copied.
 *
 * STREAM_ECORRUPT  damage that a writer must not touch
 * STREAM_ENEWER    the last batch has a format that is not supported
 * STREAM_ENOENT    the topic was deleted
 * STREAM_EBUSY     the lock could not be had in time
 * STREAM_EFENCED   config->ask says that nobody may write
 * STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR
 */
int stream_partition_open(int dirfd, const struct stream_log_config *config,
    struct stream_partition **partition, struct stream_error *err);

/*
 * Open it and hold all its locks (structure, sync, append) until the handle is
 * closed, without recovering it: for whoever repairs what a writer refuses.
 * STREAM_ENOENT, STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM.
 */
int stream_partition_open_locked(int dirfd,
    const struct stream_log_config *config, struct stream_partition **partition,
    struct stream_error *err);

/*
 * Cut what does not count from the end of the log, as any writer does that
 * opens it, and make its state true.  The handle is of the function above.
 * Where indexes are made new, it is with this interval.  Errors as
 * stream_partition_open.
 */
int stream_partition_settle(struct stream_partition *partition,
    int64_t index_interval_bytes, struct stream_error *err);

/*
 * Have every writer that has the newest segment open look for its files again,
 * after some were replaced.  The handle is of stream_partition_open_locked.
 * STREAM_EIO.
 */
int stream_partition_tell_replaced(
    struct stream_partition *partition, struct stream_error *err);

/* Close.  Syncs nothing: stream_partition_sync first.  NULL is allowed. */
void stream_partition_close(struct stream_partition *partition);

/*
 * Append finished batches, which stand one after another in size borrowed
 * bytes; their base offsets, leader epochs and, for LogAppendTime, timestamps
 * are filled in here.  *done, if not NULL, is set even on failure: the bytes
 * of whole batches that are in the log, which stay there.
 *
 * Besides the errors of opening:
 * STREAM_ETOOBIG  a batch is larger than segment.bytes
 * STREAM_ELOST    a sync failed elsewhere and took records of this handle's
 *                 back that were not yet synced
 */
int stream_partition_append(struct stream_partition *partition,
    uint8_t *batches, size_t size, size_t *done, struct stream_error *err);

/*
 * Append as stream_partition_append and make it durable, as
 * stream_partition_sync does, with fewer steps than both.  *done is none when
 * the sync failed.
 */
int stream_partition_append_durably(struct stream_partition *partition,
    uint8_t *batches, size_t size, size_t *done, struct stream_error *err);

/*
 * Make everything that this handle appended durable.  One sync serves all
 * writers that wait for it.
 *
 * STREAM_EIO    the sync failed: what was not durable is taken back
 * STREAM_ELOST  it was taken back before
 */
int stream_partition_sync(
    struct stream_partition *partition, struct stream_error *err);

/* Has this handle appended what it has not synced? */
bool stream_partition_is_dirty(const struct stream_partition *partition);

/*
 * Sync what anyone appended, and tell how much of which segment is durable by
 * now.  *fd is a descriptor of its log; the caller closes it.  As
 * stream_partition_sync.
 */
int stream_partition_find_durable(struct stream_partition *partition,
    int64_t *base_offset, uint64_t *bytes, int *fd, struct stream_error *err);

/* The offset after the last record, as of the last call on this handle. */
int64_t stream_partition_next_offset(const struct stream_partition *partition);

/*
 * Mark the partition of a topic that is being deleted, under all its locks,
 * so that writers that have it open stop (STREAM_ENOENT).  Waits for a sync or
 * an append that is under way.  STREAM_EBUSY, STREAM_EIO.
 */
int stream_partition_mark_deleted(
    int dirfd, int lock_timeout_ms, struct stream_error *err);

/*
 * Mark the partition as closed to writers, or take the mark away: as
 * config->ask (log_config.h) says, which must be there.  So writers that have
 * it open ask too before they append again.  STREAM_EBUSY, STREAM_EIO.
 */
int stream_partition_mark_closed(int dirfd,
    const struct stream_log_config *config, struct stream_error *err);

/*
 * Begin a leader epoch one above the last, durably: what is appended from now
 * on gets it.  An epoch in which nothing was written gives way to it.
 *
 * STREAM_ECORRUPT  there is no number above the last; or as opening
 * STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM
 */
int stream_partition_begin_epoch(struct stream_partition *partition,
    struct stream_epoch *begun, struct stream_error *err);

/* Which one that would begin, and where.  The entries are read, and rebuilt
 * where they cannot be; nothing else is written.  Errors as above. */
int stream_partition_next_epoch(struct stream_partition *partition,
    struct stream_epoch *next, struct stream_error *err);

#endif
