/*
 * producers.h - what Kafka's broker knows of a partition's producers
 *
 * Layer log/.  SPEC sections 5.5 and 6.4.  Fed the batches of a log in order,
 * it keeps what Kafka's ProducerStateManager keeps: for each producer its last
 * batch, its epoch and its open transaction.  From that come .snapshot files
 * and .txnindex entries, with the bytes and in the order that Kafka writes.
 * Nothing expires: what comes out depends on the log alone.
 */
#ifndef STREAM_LOG_PRODUCERS_H
#define STREAM_LOG_PRODUCERS_H

#include <stdbool.h>

#include "base/buf.h"
#include "codec/batch.h"
#include "file/index_txn.h"
#include "file/snapshot.h"

struct stream_producers;

/* A transaction that the batch ended. */
struct stream_producers_abort {
	bool ended;       /* by whatever marker */
	bool happened;    /* by an ABORT: the members below are set */
	bool has_records; /* compaction has left some of its records */
	struct stream_aborted entry; /* for .txnindex */
};

/* Know nobody.  Gives *producers; free it with stream_producers_free.
 * STREAM_ENOMEM. */
int stream_producers_new(
    struct stream_producers **producers, struct stream_error *err);

/* NULL is allowed. */
void stream_producers_free(struct stream_producers *producers);

/*
 * Forget all and begin with the entries (borrowed) of a snapshot.  One of two
 * entries of the same producer counts.  STREAM_ENOMEM.
 */
int stream_producers_load(struct stream_producers *producers,
    const struct stream_snapshot_entry *entries, size_t count,
    struct stream_error *err);

/*
 * Take the next batch of the log: info, and for a control batch its bytes
 * (borrowed; NULL will do for another).  *abort says whether it ended a
 * transaction, and how.
 *
 * STREAM_ECORRUPT, STREAM_ENEWER  a control batch that cannot be read
 * STREAM_ENOMEM
 */
int stream_producers_add(struct stream_producers *producers,
    const struct stream_batch_info *info, const uint8_t *bytes,
    struct stream_producers_abort *abort, struct stream_error *err);

/* Where the first transaction that is open begins; -1 when none is. */
int64_t stream_producers_first_open(const struct stream_producers *producers);

/* How many producers are known. */
size_t stream_producers_count(const struct stream_producers *producers);

/* What is known of the producer with this id.  Lent until the next call that
 * takes something; NULL when it is not known. */
const struct stream_snapshot_entry *stream_producers_find(
    const struct stream_producers *producers, int64_t producer_id);

/* The whole snapshot file as of the last batch, added to the end of out.
 * STREAM_ENOMEM. */
int stream_producers_snapshot(const struct stream_producers *producers,
    struct stream_buf *out, struct stream_error *err);

#endif
