/*
 * epochs_check.h - does leader-epoch-checkpoint agree with the batches?
 *
 * Layer log/.  SPEC section 6.2.  No checksum covers a batch's epoch, so one
 * batch alone does not prove a well-formed checkpoint wrong; and what would be
 * rebuilt must agree with more batches than what is there.
 */
#ifndef STREAM_LOG_EPOCHS_CHECK_H
#define STREAM_LOG_EPOCHS_CHECK_H

#include "log/epochs_rebuild.h"

/* Batches in a row that have the same epoch. */
struct stream_epochs_run {
	int32_t epoch;
	int32_t expected; /* what the list says, once it is chosen */
	int64_t first_offset;
	int64_t last_offset;
	uint64_t batches;
	size_t segment; /* where the first one is */
	uint64_t position;
};

struct stream_epochs_check {
	struct stream_epoch *there; /* owned: what the file says */
	size_t count;
	size_t next; /* entry that no batch has come to */
	int loaded;  /* STREAM_OK, STREAM_ENOENT or STREAM_ECORRUPT */
	int64_t log_start_offset; /* the list begins there, if it is cut */
	struct stream_epochs_noter noter;
	struct stream_buf runs; /* of struct stream_epochs_run */
	/* After stream_epochs_check_end: */
	bool wrong; /* noter.entries are what belongs there */
	char why[80];
};

/* Load the checkpoint of the partition dirfd (borrowed), whose log starts at
 * log_start_offset.  Release in any case.  STREAM_EIO, STREAM_ENOMEM. */
int stream_epochs_check_init(struct stream_epochs_check *check, int dirfd,
    int64_t log_start_offset, struct stream_error *err);
void stream_epochs_check_release(struct stream_epochs_check *check);

/* The next batch, in segment (a number of the caller's).  STREAM_ENOMEM. */
int stream_epochs_check_add(struct stream_epochs_check *check,
    const struct stream_batch_info *info, size_t segment,
    struct stream_error *err);

/*
 * The log ends at end_offset (INT64_MAX: not known).  doubtful: it is damaged,
 * so that a well-formed checkpoint stays.  Of the runs those are left that the
 * list contradicts, whichever it is.  STREAM_ENOMEM.
 */
int stream_epochs_check_end(struct stream_epochs_check *check,
    int64_t end_offset, bool doubtful, struct stream_error *err);

/* The list that belongs into the file, lent by the check. */
const struct stream_epoch *stream_epochs_check_list(
    const struct stream_epochs_check *check, size_t *count);

#endif
