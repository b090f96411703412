#include "port/archive_batches.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"

bool
stream_block_add(struct stream_block_cut *cut,
    const struct stream_batch_info *info, struct stream_archive_block *done)
{
	struct stream_archive_block *block = &cut->block;
	bool begins =
	    block->bytes == 0 || block->bytes + info->size > STREAM_BLOCK_BYTES;

	if (begins) {
		*done = *block;
		*block = (struct stream_archive_block){
		    .position = block->position + block->bytes,
		    .base_offset = info->base_offset,
		    .largest_ms = -1,
		};
	}
	block->bytes += info->size;
	block->last_offset = info->last_offset;
	if (info->max_timestamp_ms > block->largest_ms)
		block->largest_ms = info->max_timestamp_ms;
	return begins;
}

void
stream_batches_init(struct stream_batches *batches,
    struct stream_archive_list *list, size_t cap)
{
	*batches = (struct stream_batches){
	    .list = list,
	    .cap = cap != 0 ? cap : STREAM_BATCH_CAP_DEFAULT,
	};
	stream_buf_init(&batches->buf);
}

void
stream_batches_release(struct stream_batches *batches)
{
	stream_buf_release(&batches->buf);
}

static struct stream_list_log *
log_of(struct stream_batches *batches)
{
	return &batches->list->logs[batches->list->log_count - 1];
}

void
stream_batches_begin(struct stream_batches *batches)
{
	struct stream_list_log *log = log_of(batches);

	batches->buf.size = 0;
	batches->position = 0;
	batches->next_offset = log->segment.base_offset;
	batches->cut = (struct stream_block_cut){.block = {.bytes = 0}};
	batches->ended = batches->zeros = false;
	log->segment.largest_ms = -1;
	log->segment.next_offset = -1;
}

static bool
is_zeros(const uint8_t *bytes, size_t n)
{
	return n == 0 ||
	       (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

static void
stop(struct stream_batches *batches, const struct stream_error *why)
{
	struct stream_list_log *log = log_of(batches);

	batches->ended = true;
	log->status = why->status;
	snprintf(log->why, sizeof(log->why), "%.120s", why->text);
}

static int
take(struct stream_batches *batches, const struct stream_batch_info *info,
    struct stream_error *err)
{
	struct stream_list_log *log = log_of(batches);
	struct stream_archive_block done;

	log->segment.records += info->record_count;
	if (info->max_timestamp_ms > log->segment.largest_ms)
		log->segment.largest_ms = info->max_timestamp_ms;
	log->good_bytes = batches->position + info->size;
	if (info->base_offset != batches->next_offset)
		log->hole_end = info->base_offset;
	batches->next_offset = info->last_offset + 1;
	if (stream_block_add(&batches->cut, info, &done) && done.bytes > 0)
		return stream_list_add_block(batches->list, &done, err);
	return STREAM_OK;
}

/* The next batch in the n bytes at at: STREAM_END when it is not whole. */
static int
next(struct stream_batches *batches, const uint8_t *at, size_t n,
    struct stream_batch *batch, struct stream_error *why)
{
	int64_t base = log_of(batches)->segment.base_offset;
	uint64_t size;
	int status;

	if (n < STREAM_BATCH_MAGIC_AT + 1)
		return STREAM_END;
	status = stream_batch_measure(at, n, batches->cap, &size, why);
	if (status == STREAM_OK && size > n)
		return STREAM_END;
	if (status == STREAM_OK)
		status = stream_batch_check(at, (size_t)size, batch, why);
	if (status == STREAM_OK &&
	    (batch->info.base_offset < batches->next_offset ||
		batch->info.last_offset - base > INT32_MAX))
		status = stream_fail(why, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "offset %lld does not follow",
		    (long long)batch->info.base_offset);
	return status;
}

int
stream_batches_feed(struct stream_batches *batches, const void *bytes, size_t n,
    struct stream_error *err)
{
	size_t used = 0;
	struct stream_batch batch;
	struct stream_error why;
	int status;

	if (n == 0)
		return STREAM_OK;
	if (batches->ended) {
		batches->zeros = batches->zeros && is_zeros(bytes, n);
		return STREAM_OK;
	}
	status = stream_buf_add(&batches->buf, bytes, n, err);
	while (status == STREAM_OK) {
		status = next(batches, batches->buf.data + used,
		    batches->buf.size - used, &batch, &why);
		if (status == STREAM_END)
			break;
		if (status != STREAM_OK) {
			stream_fail_in(&why, status, "at byte %llu",
			    (unsigned long long)batches->position);
			stop(batches, &why);
			batches->zeros = is_zeros(
			    batches->buf.data + used, batches->buf.size - used);
			return STREAM_OK;
		}
		status = take(batches, &batch.info, err);
		used += batch.info.size;
		batches->position += batch.info.size;
	}
	if (status != STREAM_END)
		return status;
	memmove(batches->buf.data, batches->buf.data + used,
	    batches->buf.size - used);
	batches->buf.size -= used;
	return STREAM_OK;
}

int
stream_batches_end(struct stream_batches *batches, struct stream_error *err)
{
	struct stream_error why;

	if (!batches->ended && batches->buf.size > 0) {
		stream_fail(&why, STREAM_ETORN, STREAM_POS_NONE,
		    "ends within a batch, at byte %llu",
		    (unsigned long long)batches->position);
		stop(batches, &why);
	}
	/* What preallocation leaves, as SPEC section 10 says. */
	if (batches->ended && batches->zeros)
		log_of(batches)->status = STREAM_ETORN;
	if (batches->cut.block.bytes > 0)
		return stream_list_add_block(
		    batches->list, &batches->cut.block, err);
	return STREAM_OK;
}
