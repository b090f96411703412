/*
 * read_ahead.h - decompress the next batches on threads
 *
 * Layer log/.  Batches that the reader has found are copied, compressed, into
 * a ring and given back in order with their records decompressed.
 */
#ifndef STREAM_LOG_READ_AHEAD_H
#define STREAM_LOG_READ_AHEAD_H

#include "codec/batch.h"

struct stream_read_ahead;

/* At most workers threads; no batch is decompressed to more than
 * max_batch_bytes.  Gives *ahead; free it with stream_read_ahead_free.
 * STREAM_ENOMEM. */
int stream_read_ahead_new(unsigned workers, size_t max_batch_bytes,
    struct stream_read_ahead **ahead, struct stream_error *err);

/* NULL is allowed. */
void stream_read_ahead_free(struct stream_read_ahead *ahead);

bool stream_read_ahead_is_full(const struct stream_read_ahead *ahead);
bool stream_read_ahead_is_empty(const struct stream_read_ahead *ahead);

/* Copy a whole compressed batch (borrowed) and its parsed header.  It is not
 * full.  STREAM_ENOMEM. */
int stream_read_ahead_put(struct stream_read_ahead *ahead,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_error *err);

/*
 * Take the oldest batch.  *records are its records, decompressed, lent until
 * the next call; or, with data NULL, they are too large to be kept several at
 * once: *packed then is the whole batch, to be decompressed by the caller.
 * Failures as stream_decompress; *batch is set then too.
 */
int stream_read_ahead_take(struct stream_read_ahead *ahead,
    struct stream_batch *batch, struct stream_bytes *records,
    struct stream_bytes *packed, struct stream_error *err);

#endif
