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

#include <stream/address.h>

#include "codec/batch.h"

struct stream_isolation;

enum stream_verdict {
	STREAM_SHOW, /* committed, or of no transaction */
	STREAM_HIDE, /* aborted */
	STREAM_WAIT, /* its transaction is open: nothing from here on is stable
		      */
	STREAM_LOST  /* the marker may lie in damage; not shown.  Said once for
			each transaction, and STREAM_HIDE after that. */
};

/* The partition of a reader. */
struct stream_isolation_log {
	int dirfd;
	const char *name; /* of its directory; borrowed */
	struct stream_supply supply;
	size_t cap; /* larger batches are damage */
	bool skips; /* damage is passed */
};

/*
 * Begin for a reader of log (borrowed, and its members for the life of the
 * object) that starts at offset.  Looks for transactions that were open
 * there, from the newest sound snapshot at or below it.  What is damaged below
 * offset is passed.  With skips, damage above it is passed too: a transaction
 * that is open there may have ended in it.  Gives *isolation.
 * STREAM_EIO, STREAM_ENOMEM.
 */
int stream_isolation_new(const struct stream_isolation_log *log, int64_t offset,
    struct stream_isolation **isolation, struct stream_error *err);

/* NULL is allowed. */
void stream_isolation_free(struct stream_isolation *isolation);

/*
 * May this batch, which is not a control batch, be shown?  Batches are asked
 * for in log order.  STREAM_WAIT may change when the log has grown; ask again.
 * With STREAM_LOST *last is the last offset before the damage.
 *
 * STREAM_ECORRUPT  damage before the marker that is looked for
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_isolation_judge(struct stream_isolation *isolation,
    const struct stream_batch_info *info, enum stream_verdict *verdict,
    int64_t *last, struct stream_error *err);

#endif
