/*
 * clean_txn.h - what compaction must know of transactions
 *
 * Layer log/.  SPEC sections 3.5 and 4.5.  Records of aborted transactions go;
 * a marker may go once its transaction has no batch left.  Which transactions
 * were aborted is learnt from the markers in the log, never from .txnindex,
 * which has no checksum.  The marker of a transaction can lie far above the
 * offsets that are compacted, so the log is walked to its end.
 */
#ifndef STREAM_LOG_CLEAN_TXN_H
#define STREAM_LOG_CLEAN_TXN_H

#include <stdbool.h>

#include "codec/batch.h"
#include "file/index_txn.h"

struct stream_clean_txn;

/* Know of none.  Gives *txn; free it with stream_clean_txn_free.
 * STREAM_ENOMEM. */
int stream_clean_txn_new(
    struct stream_clean_txn **txn, struct stream_error *err);

/* NULL is allowed. */
void stream_clean_txn_free(struct stream_clean_txn *txn);

/* Ask go_on about every megabyte that is learnt from whether to go on, with 0
 * bytes; if not, learning fails with STREAM_EINTR.  context is kept. */
void stream_clean_txn_watch(struct stream_clean_txn *txn,
    bool (*go_on)(void *context, uint64_t bytes), void *context);

/*
 * Forget all and learn from the logs of the partition dirfd: segments
 * (borrowed) are the base offsets of all count of them, rising, the active one
 * last.  Every batch is read and checked; in the active segment what is no good
 * batch is the end.  Without transactions there is nothing to learn:
 * stream_clean_txn_learn_none.
 *
 * STREAM_ECORRUPT, STREAM_ENEWER, STREAM_ETORN  a closed segment is damaged;
 *                                               err names file and byte
 * STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM
 */
int stream_clean_txn_learn(struct stream_clean_txn *txn, int dirfd,
    const int64_t *segments, size_t count, size_t cap,
    struct stream_error *err);

/* Forget all; there is no transaction in the log, which ends at end. */
void stream_clean_txn_learn_none(struct stream_clean_txn *txn, int64_t end);

/* The last stable offset of what was learnt: below it each transaction has
 * ended.  Without transactions the end of the log. */
int64_t stream_clean_txn_stable(const struct stream_clean_txn *txn);

/* Is this a batch of an aborted transaction?  Never true of control batches.
 * For batches below the last stable offset, in any order. */
bool stream_clean_txn_is_aborted(
    const struct stream_clean_txn *txn, const struct stream_batch_info *info);

/* ---- the second pass ---------------------------------------------------- */

/*
 * Begin the second pass of a round.  Its batches must then be shown in order,
 * from the first of the log on, across all groups of segments: a marker is
 * judged by the batches of its transaction that were seen before it.
 * STREAM_ENOMEM.
 */
int stream_clean_txn_begin(
    struct stream_clean_txn *txn, struct stream_error *err);

/* A group begins; it can be undone until the next one does.  STREAM_ENOMEM. */
int stream_clean_txn_begin_group(
    struct stream_clean_txn *txn, struct stream_error *err);
int stream_clean_txn_undo_group(
    struct stream_clean_txn *txn, struct stream_error *err);

/* What is to become of a batch, as far as transactions go. */
struct stream_clean_txn_fate {
	bool discard;  /* it is of an aborted transaction, or a marker of one
			  that has no batch left */
	bool is_abort; /* an ABORT marker that stays, with this entry for
			  .txnindex */
	struct stream_aborted entry;
};

/*
 * Show the next batch of the round: info, and for a control batch its bytes
 * (borrowed; NULL will do for another).
 *
 * STREAM_ECORRUPT, STREAM_ENEWER  a control batch that cannot be read
 * STREAM_ENOMEM
 */
int stream_clean_txn_show(struct stream_clean_txn *txn,
    const struct stream_batch_info *info, const uint8_t *bytes,
    struct stream_clean_txn_fate *fate, struct stream_error *err);

#endif
