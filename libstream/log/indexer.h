/*
 * indexer.h - which batches get an entry in .index and .timeindex
 *
 * Layer log/.  SPEC section 5.  One rule serves appending and rebuilding, so
 * that both give the same bytes: those that Kafka's recovery would write.
 * The counter of bytes since the last entry is the batch's position less the
 * position that the last entry names; it lives in the file, in no process.
 */
#ifndef STREAM_LOG_INDEXER_H
#define STREAM_LOG_INDEXER_H

#include "base/buf.h"
#include "codec/batch.h"
#include "file/index.h"

struct stream_indexer {
	int64_t base_offset;       /* of the segment */
	int64_t interval_bytes;    /* index.interval.bytes */
	uint64_t indexed_position; /* of the last .index entry, 0: none */
	uint64_t entries;          /* in .index, those below included */
	uint64_t time_entries;
	int64_t time_last_ms;     /* of the last .timeindex entry, -1 */
	int64_t max_timestamp_ms; /* of the segment so far, -1: none */
	int64_t max_timestamp_offset;
	struct stream_buf offsets; /* entries not yet in the files */
	struct stream_buf times;
};

/* Begin with empty indexes. */
void stream_indexer_init(struct stream_indexer *indexer, int64_t base_offset,
    int64_t interval_bytes);

void stream_indexer_release(struct stream_indexer *indexer);

/* Account for the batch at info->position.  STREAM_ENOMEM. */
int stream_indexer_add(struct stream_indexer *indexer,
    const struct stream_batch_info *info, struct stream_error *err);

/* The final entry of the time index, which a roll writes.  STREAM_ENOMEM. */
int stream_indexer_finish(
    struct stream_indexer *indexer, struct stream_error *err);

#endif
