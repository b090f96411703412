/*
 * epochs_rebuild.h - leader-epoch-checkpoint, from the batches
 *
 * Layer log/.  SPEC section 6.2.  The file is a hint (I5): when it is missing
 * or contradicts the log, the leader epochs of the batches say what belongs
 * in it.
 */
#ifndef STREAM_LOG_EPOCHS_REBUILD_H
#define STREAM_LOG_EPOCHS_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/error.h>

#include "base/buf.h"
#include "codec/batch.h"
#include "file/checkpoint.h"

/*
 * Add an entry (struct stream_epoch) to the end of epochs when this batch, the
 * next of the log, begins a later epoch than all before it.  STREAM_ENOMEM.
 */
int stream_epochs_note(struct stream_buf *epochs,
    const struct stream_batch_info *info, struct stream_error *err);

/*
 * Does a checkpoint of count entries (borrowed) say of a log the same as the
 * entries that were noted from its batches?  It may know more: epochs in which
 * nothing was written, or that begin before the first batch that is left.  But
 * none begins past end_offset, where the log ends.
 */
bool stream_epochs_agree(const struct stream_epoch *entries, size_t count,
    const struct stream_buf *noted, int64_t end_offset);

/*
 * Walk the headers of all segments of the partition dirfd and write an entry
 * for each epoch at its first offset.  A log without batches gets no file.
 * Append lock held.  STREAM_EIO, STREAM_ENOMEM.
 */
int stream_epochs_rebuild(int dirfd, struct stream_error *err);

/*
 * The log was cut to next_offset: the newest epoch, if it began after that,
 * begins there now, and those in between never were.  STREAM_EIO,
 * STREAM_ENOMEM, STREAM_ECORRUPT.
 */
int stream_epochs_pull_back(
    int dirfd, int64_t next_offset, struct stream_error *err);

#endif
