/*
 * measure.h - what stands in a log: how much, up to where, and its digest
 *
 * Layer log/.  SPEC section 15.1.  Two logs whose measures are the same hold
 * the same bytes.  A measure can go on where it stopped, so what was measured
 * once need not be read again.
 */
#ifndef STREAM_LOG_MEASURE_H
#define STREAM_LOG_MEASURE_H

#include <stdbool.h>

#include <stream/error.h>

#include "base/hash.h"
#include "log/indexer.h"

struct stream_measure {
	uint64_t bytes; /* of whole batches */
	struct stream_chain digest;
	int64_t next_offset; /* after the last of them */
	int64_t records;
	int64_t max_timestamp_ms;     /* -1: none */
	int64_t max_timestamp_offset; /* -1: none */
	int64_t last_position;        /* of the last batch; -1: none */
	int32_t leader_epoch;         /* the largest; -1: none */
};

/* Of a segment with this base offset that holds nothing yet. */
void stream_measure_init(struct stream_measure *measure, int64_t base_offset);

/* Do both hold the same bytes? */
bool stream_measure_is_same(
    const struct stream_measure *a, const struct stream_measure *b);

/* Is what was found all that was said?  Offsets may have been taken away behind
 * the last batch, so the next offset that was said may be larger. */
bool stream_measure_bears_out(
    const struct stream_measure *found, const struct stream_measure *said);

struct stream_measuring {
	int fd;         /* borrowed */
	uint64_t shift; /* byte of the log that is the file's first */
	uint64_t limit; /* byte of the log to stop at */
	/* Told of each batch; may be NULL.  A failure ends it. */
	int (*batch)(void *context, const struct stream_batch *batch,
	    const uint8_t *bytes, struct stream_error *err);
	void *context;
	/* If the measure passes this byte, what it was there. */
	uint64_t mark_at;
	struct stream_chain mark;
	bool marked;
	bool (*go_on)(void *context, uint64_t bytes); /* may be NULL */
	void *go_on_context;
};

/*
 * Go on with *measure, batch after batch, up to the limit.  What ends before
 * it, as a torn batch does, is no failure: the measure says how far it came.
 *
 * STREAM_ECORRUPT  a batch is bad, or does not follow
 * STREAM_ENEWER, STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR
 */
int stream_measure_log(struct stream_measuring *how,
    struct stream_measure *measure, struct stream_error *err);

/* Does what looks like the last batch that was measured stand in the open log
 * still? */
bool stream_measure_stands(int fd, const struct stream_measure *measure);

#endif
