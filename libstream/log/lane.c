#include "log/lane.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "log/compress_pool.h"
#include "log/write_behind.h"

void
stream_lane_init(struct stream_lane *lane,
    const struct stream_lane_rules *rules, int32_t number)
{
	*lane = (struct stream_lane){
	    .rules = rules,
	    .number = number,
	    .dirfd = -1,
	};
}

void
stream_lane_release(struct stream_lane *lane)
{
	stream_partition_close(lane->partition);
	if (lane->dirfd >= 0)
		close(lane->dirfd);
	free(lane->memory);
	stream_lane_init(lane, lane->rules, lane->number);
}

static uint64_t
batch_size(const uint8_t *batch)
{
	return (uint64_t)stream_load32(batch + 8) + STREAM_BATCH_PREFIX;
}

void
stream_lane_tell(
    const struct stream_lane *lane, const uint8_t *batches, size_t size)
{
	for (size_t at = 0; lane->rules->appended != NULL && at < size;) {
		const uint8_t *batch = batches + at;

		lane->rules->appended(lane->rules->context, lane->number,
		    (int32_t)stream_load32(batch + 57),
		    (int64_t)stream_load64(batch));
		at += batch_size(batch);
	}
}

/* The CRCs, just before the bytes are written: with a thread that writes
 * behind, this is its share of the work.  The pool seals what it packs. */
static void
seal(const struct stream_lane *lane, uint8_t *batches, size_t size)
{
	if (lane->rules->pool != NULL)
		return;
	for (size_t at = 0; at < size; at += batch_size(batches + at))
		stream_batch_seal(batches + at, batch_size(batches + at));
}

int
stream_lane_append(struct stream_lane *lane, uint8_t *batches, size_t size,
    size_t *put, struct stream_error *err)
{
	seal(lane, batches, size);
	if (!lane->rules->sync_each_write)
		return stream_partition_append(
		    lane->partition, batches, size, put, err);
	return stream_partition_append_durably(
	    lane->partition, batches, size, put, err);
}

int
stream_lane_write(struct stream_lane *lane, uint8_t *batches, size_t size,
    struct stream_error *err)
{
	size_t put;
	int status = stream_lane_append(lane, batches, size, &put, err);

	stream_lane_tell(lane, batches, put);
	return status;
}

static int
write_finished(struct stream_lane *lane, struct stream_error *err)
{
	size_t size = lane->finished;

	lane->finished = 0;
	return size == 0 ? STREAM_OK
			 : stream_lane_write(lane, lane->memory, size, err);
}

/* Room for n bytes after the finished batches; no batch is open. */
static int
reserve(struct stream_lane *lane, size_t n, struct stream_error *err)
{
	size_t need = lane->finished + n;
	uint8_t *memory;

	if (need <= lane->capacity)
		return STREAM_OK;
	/* At once what a group takes: growing bit by bit would copy it.  But
	 * not for one batch, which may be all there is. */
	if (need < lane->rules->group_bytes + n && lane->finished > 0)
		need = lane->rules->group_bytes + n;
	memory = realloc(lane->memory, need);
	if (memory == NULL)
		return stream_fail_memory(err);
	lane->memory = memory;
	lane->capacity = need;
	return STREAM_OK;
}

static int
finish_batch(struct stream_lane *lane, struct stream_error *err)
{
	struct stream_batch_build *build = &lane->build;
	size_t size = stream_batch_build_size(build);

	if (build->count == 0)
		return STREAM_OK;
	if (lane->rules->pool != NULL)
		return stream_compress_pool_submit(
		    lane->rules->pool, lane, err);
	stream_batch_build_header(build, STREAM_CODEC_NONE, build->start, size);
	lane->finished += size;
	build->count = 0;
	if (lane->finished < lane->rules->group_bytes)
		return STREAM_OK;
	if (lane->rules->behind != NULL)
		return stream_write_behind_submit(
		    lane->rules->behind, lane, err);
	return write_finished(lane, err);
}

int
stream_lane_flush(struct stream_lane *lane, struct stream_error *err)
{
	int status = finish_batch(lane, err);

	if (status == STREAM_OK && lane->rules->behind != NULL)
		status = stream_write_behind_finish(lane->rules->behind, err);
	return status == STREAM_OK ? write_finished(lane, err) : status;
}

static int
refuse(const struct stream_lane *lane, size_t size, struct stream_error *err)
{
	return stream_fail(err, STREAM_ETOOBIG, STREAM_POS_NONE,
	    "a record that makes a batch of %zu bytes is larger than the "
	    "topic allows (%zu: max.message.bytes, segment.bytes)",
	    size, lane->rules->max_batch);
}

/* The size of a batch with this record alone. */
static size_t
alone(const struct stream_record *record)
{
	size_t fields = 1 + 1 + 1 + stream_record_bytes_size(record->key) +
			stream_record_bytes_size(record->value) +
			stream_varint_size(record->header_count) +
			record->headers.size;

	return STREAM_BATCH_HEADER + stream_varint_size((int64_t)fields) +
	       fields;
}

/* A batch with room for bound bytes of records, and for as many as the rules
 * allow if that is more. */
static int
open_batch(struct stream_lane *lane, size_t bound, struct stream_error *err)
{
	size_t room = STREAM_BATCH_HEADER + bound;
	int status;

	if (room < lane->rules->batch_bytes)
		room = lane->rules->batch_bytes;
	status = reserve(lane, room, err);
	if (status != STREAM_OK)
		return status;
	stream_batch_build_start(&lane->build, lane->memory + lane->finished);
	lane->limit = lane->build.start + room;
	return STREAM_OK;
}

int
stream_lane_add_slow(struct stream_lane *lane,
    const struct stream_record *record, bool *full, struct stream_error *err)
{
	size_t bound = stream_record_bound(record);
	int status;

	if (bound + STREAM_BATCH_HEADER > lane->rules->max_batch &&
	    alone(record) > lane->rules->max_batch)
		return refuse(lane, alone(record), err);
	/* The batch is full, or the record's timestamp too far from its
	 * first one. */
	*full = lane->build.count > 0;
	status = finish_batch(lane, err);
	if (status == STREAM_OK)
		status = open_batch(lane, bound, err);
	if (status == STREAM_OK)
		stream_batch_build_add(&lane->build, record);
	return status;
}
