/*
 * isolation.h - which transactional batches a reader of committed records sees
 *
 * Layer log/.  SPEC section 4.5.  A transaction's fate stands in the log: an
 * ABORT or COMMIT marker of its producer, later than its records.  So the
 * first batch of a transaction sends a walk over the headers ahead, to its
 * marker, and what that passes is remembered.  The walk trusts only the log
 * and snapshots, which have a CRC; .txnindex has none and is not read, so
 * noise in it changes no answer (I5).
 */
#ifndef STREAM_LOG_ISOLATION_H
#define STREAM_LOG_ISOLATION_H

#include "codec/batch.h"

struct stream_isolation;

enum stream_verdict {
	STREAM_SHOW, /* committed, or of no transaction */
	STREAM_HIDE, /* aborted */
	STREAM_WAIT  /* its transaction is open: nothing from here on is stable
		      */
};

/*
 * Begin for a reader of the partition dirfd (borrowed for the life of the
 * object) that starts at offset.  Looks for transactions that were open
 * there, from the newest sound snapshot at or below it.  Gives *isolation.
 * STREAM_EIO, STREAM_ENOMEM.
 */
int stream_isolation_new(int dirfd, int64_t offset, size_t cap,
    struct stream_isolation **isolation, struct stream_error *err);

/* NULL is allowed. */
void stream_isolation_free(struct stream_isolation *isolation);

/*
 * May this batch, which is not a control batch, be shown?  Batches are asked
 * for in log order.  STREAM_WAIT may change when the log has grown; ask again.
 */
int stream_isolation_judge(struct stream_isolation *isolation,
    const struct stream_batch_info *info, enum stream_verdict *verdict,
    struct stream_error *err);

#endif
