/*
 * structure.h - a partition, open to change which segments it has
 *
 * Layer log/.  SPEC sections 4.6, 7.2 and 10.  For compaction, retention and
 * trimming: whoever holds the structure lock (byte 2 of .strm-state) is the
 * only one under whom names of closed segments change.  Producers and readers
 * go on meanwhile and wait for nothing.
 */
#ifndef STREAM_LOG_STRUCTURE_H
#define STREAM_LOG_STRUCTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/error.h>

#include "log/partition.h"

/*
 * Open the partition directory dirfd (borrowed for the life of the handle) and
 * hold its structure lock until the handle is closed.  Waits for the lock at
 * most config->lock_timeout_ms, or with structure_at_once not at all.  The
 * partition is
 * recovered as any writer does it; then what an interrupted compaction or
 * retention left is finished or undone as Kafka's loader does: files that
 * do not count are removed, swap files that count take their plain names.
 * config is borrowed and copied.  Gives *partition; free it with
 * stream_partition_close.  It is NULL when another holds the structure lock and
 * structure_at_once was set: then nothing was done, and that is no error.  All
 * calls of partition.h may be made on it.
 *
 * STREAM_EBUSY     another holds the structure lock
 * STREAM_ECORRUPT  damage that a writer must not touch, or a damaged swap file
 *                  that would replace logs that are there: for a repair
 * otherwise as stream_partition_open
 */
int stream_partition_open_structure(int dirfd,
    const struct stream_log_config *config, struct stream_partition **partition,
    struct stream_error *err);

/*
 * Is the structure lock still what others would take?  It went with the state
 * file if someone replaced that: nothing more may be changed then.
 * STREAM_EBUSY.
 */
int stream_partition_check_structure(
    const struct stream_partition *partition, struct stream_error *err);

/*
 * Begin a new segment if the active one holds a batch and has the base offset
 * expected, if that is not -1; *rolled tells.  The log up to here is durable
 * then.  Needs no structure lock: any open handle will
 * do.  Errors as stream_partition_sync and stream_partition_open.
 */
int stream_partition_roll_used(struct stream_partition *partition,
    int64_t expected, bool *rolled, struct stream_error *err);

/*
 * Base offset of the active segment, as of the last call on this handle that
 * took the append lock.  All segments below it are closed for good, so under
 * the structure lock it is enough to ask once.
 */
int64_t stream_partition_active_base(const struct stream_partition *partition);

#endif
