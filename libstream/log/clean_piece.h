/*
 * clean_piece.h - batches that are read and judged together, perhaps on a
 * thread
 *
 * Layer log/.  SPEC section 3.5.  What depends on the order of the log, such as
 * transactions, is decided when a batch is added, by its header; what becomes
 * of its records depends on the map alone, so several pieces can be judged at
 * once.
 */
#ifndef STREAM_LOG_CLEAN_PIECE_H
#define STREAM_LOG_CLEAN_PIECE_H

#include "base/buf.h"
#include "codec/batch_filter.h"
#include "log/clean.h"

struct stream_clean_item {
	/* Before: */
	struct stream_batch batch;
	struct stream_clean_txn_fate fate;
	bool must_stay; /* its place, if need be empty */
	/* After: */
	enum stream_batch_filtered what;
	struct stream_batch made; /* header of what it became */
	size_t made_at;           /* of its bytes, in after, unless it is
				     the same */
	bool has_horizon_set;
};

struct stream_clean_piece {
	int fd;        /* of the log (borrowed) in which the batches are */
	uint64_t from; /* of the first; the others follow */
	uint64_t size; /* of all */
	struct stream_buf before;
	struct stream_buf after;
	struct stream_clean_item *items; /* owned */
	size_t count;
	size_t capacity;
	struct stream_clean_stats stats; /* records that went, tombstones */
	int status;                      /* of the judgement */
	size_t failed;                   /* item of that failure */
	bool in_records;                 /* it is in what the batch holds */
	struct stream_error err;
};

void stream_clean_piece_init(struct stream_clean_piece *piece);
void stream_clean_piece_release(struct stream_clean_piece *piece);

/* Forget all. */
void stream_clean_piece_clear(struct stream_clean_piece *piece);

/* Are there enough batches to be worth the while? */
bool stream_clean_piece_is_full(const struct stream_clean_piece *piece);

/* Add the next batch of the open log fd (borrowed until cleared), known by its
 * header.  STREAM_ENOMEM. */
int stream_clean_piece_add(struct stream_clean_piece *piece, int fd,
    const struct stream_batch *batch, const struct stream_clean_txn_fate *fate,
    bool must_stay, struct stream_error *err);

/* Read, check and judge all, and set status; filter (borrowed) is one that no
 * other thread uses. */
void stream_clean_piece_judge(struct stream_clean_piece *piece,
    const struct stream_clean_rules *rules, struct stream_batch_filter *filter);

static inline const uint8_t *
stream_clean_piece_before(const struct stream_clean_piece *piece,
    const struct stream_clean_item *item)
{
	return piece->before.data + (item->batch.info.position - piece->from);
}

/* The bytes of what an item became. */
static inline const uint8_t *
stream_clean_piece_bytes(const struct stream_clean_piece *piece,
    const struct stream_clean_item *item)
{
	return item->what == STREAM_BATCH_SAME
		   ? stream_clean_piece_before(piece, item)
		   : piece->after.data + item->made_at;
}

#endif
