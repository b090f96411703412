/*
 * compress_pool.h - compress batches on threads, append them in order
 *
 * Layer log/.  A batch that is full is handed over; threads compress several
 * at once; the thread of the producer appends each when all before it are
 * appended.  Threads start when there is a second batch to compress, so that
 * one line costs none.
 */
#ifndef STREAM_LOG_COMPRESS_POOL_H
#define STREAM_LOG_COMPRESS_POOL_H

#include "codec/compress.h"
#include "log/lane.h"

struct stream_compress_pool;

/* Gives *pool; free it with stream_compress_pool_free.  STREAM_EUSAGE
 * (level), STREAM_ENOMEM. */
int stream_compress_pool_new(enum stream_codec codec, int level,
    unsigned workers, struct stream_compress_pool **pool,
    struct stream_error *err);

/* Stop the threads; what was not appended is dropped.  NULL is allowed. */
void stream_compress_pool_free(struct stream_compress_pool *pool);

/*
 * Take over the open batch of lane, which gets other memory and no open batch.
 * Appends batches that are ready; waits when all places are taken.  Failures
 * as stream_lane_write, of whichever batch was appended.
 */
int stream_compress_pool_submit(struct stream_compress_pool *pool,
    struct stream_lane *lane, struct stream_error *err);

/* Wait for all batches and append them. */
int stream_compress_pool_finish(
    struct stream_compress_pool *pool, struct stream_error *err);

#endif
