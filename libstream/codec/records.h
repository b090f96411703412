/*
 * records.h - the records inside a batch: walk them, check them
 *
 * Layer codec/.  SPEC section 3.  Works on the records section after it was
 * decompressed.  Pure; allocates nothing.
 */
#ifndef STREAM_CODEC_RECORDS_H
#define STREAM_CODEC_RECORDS_H

#include "codec/batch.h"

struct stream_records {
	const uint8_t *at;
	const uint8_t *end;
	const uint8_t *start;
	const struct stream_batch *batch;
	int32_t left;       /* records still to come */
	int32_t last_delta; /* offset delta of the last one, -1 before */
};

/* The time of a record of batch with this timestamp delta: a sum that stays at
 * the end of the range instead of going round. */
static inline int64_t
stream_record_time(const struct stream_batch *batch, int64_t delta)
{
	int64_t sum;

	if (batch->info.attributes & STREAM_BATCH_APPEND_TIME)
		return batch->info.max_timestamp_ms;
	if (__builtin_add_overflow(batch->base_timestamp_ms, delta, &sum))
		return delta < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/*
 * Begin to walk.  Keeps batch and the bytes until the walk is over.
 * STREAM_ECORRUPT when the batch claims more records than bytes can hold.
 */
int stream_records_start(struct stream_records *walk,
    const struct stream_batch *batch, struct stream_bytes bytes,
    struct stream_error *err);

/*
 * Decode the next records, most of them at once at most.  *count is how many;
 * 0 when there are no more, and then every byte was used.  What the records
 * point to is lent by the bytes of the walk.
 *
 * STREAM_ECORRUPT  err->pos is the byte in the records section; nothing of
 *                  this call is given out
 */
int stream_records_take(struct stream_records *walk,
    struct stream_record *records, size_t most, size_t *count,
    struct stream_error *err);

#endif
