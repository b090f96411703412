/*
 * epochs_rebuild.h - leader-epoch-checkpoint, from the batches
 *
 * Layer log/.  SPEC section 6.2.  The file is a hint (I5): when it is missing
 * or contradicts the log, the leader epochs of the batches say what belongs
 * in it.
 */
#ifndef STREAM_LOG_EPOCHS_REBUILD_H
#define STREAM_LOG_EPOCHS_REBUILD_H

#include <stdint.h>

#include <stream/error.h>

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
