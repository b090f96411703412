/*
 * batch_filter.h - make a batch anew from some of its records
 *
 * Layer codec/.  SPEC section 3.5.  What stays has the offset, the time, the
 * key, the value and the headers that it had; the new batch has the base
 * offset, last offset delta, leader epoch, producer and codec of the old one.
 * Which records stay is the caller's choice.  Reads and writes no file.  Not
 * thread-safe: one object a thread.
 */
#ifndef STREAM_CODEC_BATCH_FILTER_H
#define STREAM_CODEC_BATCH_FILTER_H

#include "codec/batch.h"

struct stream_batch_filter;

/* The most records that are chosen from at once. */
enum { STREAM_BATCH_FILTER_MOST = 128 };

struct stream_batch_filter_rules {
	/*
	 * Set keep for each of the records (borrowed), which are neighbours
	 * in one batch: count of them, at most STREAM_BATCH_FILTER_MOST.
	 * NULL: all of them stay.
	 */
	void (*choose)(void *context, const struct stream_record *records,
	    size_t count, bool *keep);
	void *context;
	/* The delete horizon for a batch that has none and needs one: it keeps
	 * a record without a value, or marks is set.  Below 0: none. */
	int64_t horizon_ms;
	bool marks;
	bool keep_empty; /* if no record stays, its place is to stay */
};

enum stream_batch_filtered {
	STREAM_BATCH_SAME,    /* nothing changes: the bytes as they were */
	STREAM_BATCH_REMADE,  /* a new batch */
	STREAM_BATCH_EMPTIED, /* a new batch of no records */
	STREAM_BATCH_GONE     /* no bytes */
};

struct stream_batch_filter_result {
	enum stream_batch_filtered what;
	struct stream_bytes bytes; /* lent; for SAME the caller's own */
	struct stream_batch batch; /* the header of bytes; position kept */
	int32_t kept;              /* records */
	bool has_horizon_set;      /* which it did not have before */
};

/* cap is the most bytes that records may have when decompressed.  Gives
 * *filter; free it with stream_batch_filter_free.  STREAM_ENOMEM. */
int stream_batch_filter_new(
    size_t cap, struct stream_batch_filter **filter, struct stream_error *err);

/* NULL is allowed. */
void stream_batch_filter_free(struct stream_batch_filter *filter);

/*
 * Filter one whole batch (borrowed), whose header batch is and whose CRC is
 * good.  All records are looked at, whatever is chosen.  The new batch's
 * records are encoded as they were unless the base timestamp changes: it
 * becomes the horizon if one is set, else the time of the first record that
 * stays.  A batch whose times cannot be told relative to the new base keeps
 * the old one, and gets no horizon.
 *
 * STREAM_ECORRUPT  records that cannot be read; err->pos is the byte in the
 *                  records section, decompressed
 * STREAM_ENEWER, STREAM_ETOOBIG  as stream_decompress; STREAM_ETOOBIG also
 *                  when the new batch is larger than any batch can be
 * STREAM_ENOMEM
 */
int stream_batch_filter_run(struct stream_batch_filter *filter,
    const struct stream_batch *batch, const uint8_t *bytes,
    const struct stream_batch_filter_rules *rules,
    struct stream_batch_filter_result *result, struct stream_error *err);

/*
 * Make of a whole batch (borrowed) what keep_empty makes of one of which no
 * record stays, without reading them.  It is EMPTIED, or SAME if it had none.
 * STREAM_ENOMEM.
 */
int stream_batch_filter_empty(struct stream_batch_filter *filter,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_batch_filter_result *result, struct stream_error *err);

#endif
