#include "log/indexer.h"

#include "base/bytes.h"

void
stream_indexer_init(
    struct stream_indexer *indexer, int64_t base_offset, int64_t interval_bytes)
{
	*indexer = (struct stream_indexer){
	    .base_offset = base_offset,
	    .interval_bytes = interval_bytes,
	    .time_last_ms = STREAM_NO_TIMESTAMP,
	    .max_timestamp_ms = STREAM_NO_TIMESTAMP,
	    .max_timestamp_offset = -1,
	};
	stream_buf_init(&indexer->offsets);
	stream_buf_init(&indexer->times);
}

void
stream_indexer_release(struct stream_indexer *indexer)
{
	stream_buf_release(&indexer->offsets);
	stream_buf_release(&indexer->times);
}

/* Only a later time than the last entry's is worth an entry; that also leaves
 * out segments without timestamps. */
static int
add_time(struct stream_indexer *indexer, struct stream_error *err)
{
	uint8_t entry[STREAM_TIMEINDEX_ENTRY];
	int status;

	if (indexer->max_timestamp_ms <= indexer->time_last_ms)
		return STREAM_OK;
	stream_store64(entry, (uint64_t)indexer->max_timestamp_ms);
	stream_store32(entry + 8,
	    (uint32_t)(indexer->max_timestamp_offset - indexer->base_offset));
	status = stream_buf_add(&indexer->times, entry, sizeof(entry), err);
	if (status != STREAM_OK)
		return status;
	indexer->time_last_ms = indexer->max_timestamp_ms;
	indexer->time_entries++;
	return STREAM_OK;
}

static int
add_offset(struct stream_indexer *indexer, const struct stream_batch_info *info,
    struct stream_error *err)
{
	uint8_t entry[STREAM_INDEX_ENTRY];
	int status;

	stream_store32(
	    entry, (uint32_t)(info->last_offset - indexer->base_offset));
	stream_store32(entry + 4, (uint32_t)info->position);
	status = stream_buf_add(&indexer->offsets, entry, sizeof(entry), err);
	if (status != STREAM_OK)
		return status;
	indexer->indexed_position = info->position;
	indexer->entries++;
	return add_time(indexer, err);
}

int
stream_indexer_add(struct stream_indexer *indexer,
    const struct stream_batch_info *info, struct stream_error *err)
{
	uint64_t since = info->position - indexer->indexed_position;

	if (info->max_timestamp_ms > indexer->max_timestamp_ms) {
		indexer->max_timestamp_ms = info->max_timestamp_ms;
		indexer->max_timestamp_offset = info->last_offset;
	}
	if (since <= (uint64_t)indexer->interval_bytes)
		return STREAM_OK;
	return add_offset(indexer, info, err);
}

int
stream_indexer_finish(struct stream_indexer *indexer, struct stream_error *err)
{
	return add_time(indexer, err);
}
