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

/* The entries that batches give, in the order of the log. */
struct stream_epochs_noter {
	struct stream_buf entries; /* of struct stream_epoch */
	struct stream_epoch held;  /* of the last batch that had an epoch */
	bool holds;
};

void stream_epochs_noter_init(struct stream_epochs_noter *noter);
void stream_epochs_noter_release(struct stream_epochs_noter *noter);

/*
 * The next batch of the log.  Each that begins a later epoch than all before it
 * gives an entry, once the one after it is known: no checksum covers an epoch,
 * and one that is higher than that of the batch right after it is wrong.
 * STREAM_ENOMEM.
 */
int stream_epochs_note(struct stream_epochs_noter *noter,
    const struct stream_batch_info *info, struct stream_error *err);

/* There are no more: now the entries are all there.  STREAM_ENOMEM. */
int stream_epochs_noted(
    struct stream_epochs_noter *noter, struct stream_error *err);

/* The entries that all batches of the partition dirfd give.  *noter was
 * initialised, and is to be released.  STREAM_EIO, STREAM_ENOMEM. */
int stream_epochs_walk(
    int dirfd, struct stream_epochs_noter *noter, struct stream_error *err);

/*
 * The newest epoch that batches of the partition dirfd give; -1: none.  Only
 * the newest segment that holds any is read.  STREAM_EIO, STREAM_ENOMEM.
 */
int stream_epochs_newest(int dirfd, int32_t *epoch, struct stream_error *err);

/*
 * Walk the headers of all segments of the partition dirfd and write the
 * entries that they give.  A log without batches gets no file.
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

/*
 * The next batch, at begun.start_offset, has begun.epoch: entries that begin
 * there or later, of which there is no record, go, and it gets one if the last
 * that stays is older.  Durable; a missing file is made.  STREAM_EIO,
 * STREAM_ENOMEM, STREAM_ECORRUPT.
 */
int stream_epochs_begin(
    int dirfd, struct stream_epoch begun, struct stream_error *err);

/*
 * The log start is about to go down: batches before the first entry get
 * entries.  A file that is missing, malformed or empty stays as it is. Durable.
 * STREAM_EIO, STREAM_ENOMEM.
 */
int stream_epochs_add_front(int dirfd, struct stream_error *err);

/*
 * The log begins at start now: entries of epochs that ended before go, and the
 * one in which it begins, begins there.  As Kafka does it.  Errors as above;
 * STREAM_ENOENT when there is no file.
 */
int stream_epochs_cut_front(int dirfd, int64_t start, struct stream_error *err);

#endif
