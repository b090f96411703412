#include "codec/batch.h"

#include "base/bytes.h"
#include "base/fail.h"
#include "codec/crc32c.h"

/* Where each field starts.  SPEC section 2.1. */
enum {
	AT_LENGTH = 8,
	AT_EPOCH = 12,
	AT_ATTRIBUTES = 21,
	AT_LAST_DELTA = 23,
	AT_BASE_TIME = 27,
	AT_MAX_TIME = 35,
	AT_PRODUCER = 43,
	AT_PRODUCER_EPOCH = 51,
	AT_SEQUENCE = 53,
	AT_COUNT = 57,
	LENGTH_LEAST = STREAM_BATCH_HEADER - STREAM_BATCH_PREFIX,
	OLD_LENGTH_LEAST = 14 /* a message of magic 0 with nothing in it */
};

int
stream_batch_measure(const uint8_t *bytes, size_t n, size_t cap, uint64_t *size,
    struct stream_error *err)
{
	int32_t length = (int32_t)stream_load32(bytes + AT_LENGTH);

	if (n > STREAM_BATCH_MAGIC_AT && bytes[STREAM_BATCH_MAGIC_AT] < 2 &&
	    length >= OLD_LENGTH_LEAST)
		return stream_fail(err, STREAM_ENEWER, STREAM_BATCH_MAGIC_AT,
		    "message format %d (magic) is not supported, only 2",
		    bytes[STREAM_BATCH_MAGIC_AT]);
	if (length < LENGTH_LEAST)
		return stream_fail(err, STREAM_ECORRUPT, AT_LENGTH,
		    "batch length %d is below the least, %d", length,
		    LENGTH_LEAST);
	if ((size_t)length + STREAM_BATCH_PREFIX > cap)
		return stream_fail(err, STREAM_ECORRUPT, AT_LENGTH,
		    "a batch length of %zu bytes is damage, or more than the "
		    "limit of %zu (--max-batch-bytes)",
		    (size_t)length + STREAM_BATCH_PREFIX, cap);
	*size = (uint64_t)length + STREAM_BATCH_PREFIX;
	return STREAM_OK;
}

static void
load(const uint8_t *p, size_t size, struct stream_batch *batch)
{
	batch->info = (struct stream_batch_info){
	    .base_offset = (int64_t)stream_load64(p),
	    .max_timestamp_ms = (int64_t)stream_load64(p + AT_MAX_TIME),
	    .producer_id = (int64_t)stream_load64(p + AT_PRODUCER),
	    .size = (uint32_t)size,
	    .leader_epoch = (int32_t)stream_load32(p + AT_EPOCH),
	    .base_sequence = (int32_t)stream_load32(p + AT_SEQUENCE),
	    .record_count = (int32_t)stream_load32(p + AT_COUNT),
	    .producer_epoch = (int16_t)stream_load16(p + AT_PRODUCER_EPOCH),
	    .attributes = stream_load16(p + AT_ATTRIBUTES),
	};
	batch->base_timestamp_ms = (int64_t)stream_load64(p + AT_BASE_TIME);
	batch->last_offset_delta = (int32_t)stream_load32(p + AT_LAST_DELTA);
	batch->crc = stream_load32(p + STREAM_BATCH_CRC_AT);
}

static int
check_offsets(struct stream_batch *batch, struct stream_error *err)
{
	struct stream_batch_info *info = &batch->info;

	if (info->base_offset < 0)
		return stream_fail(err, STREAM_ECORRUPT, 0,
		    "base offset %lld is negative",
		    (long long)info->base_offset);
	if (batch->last_offset_delta < 0 ||
	    __builtin_add_overflow(info->base_offset, batch->last_offset_delta,
		&info->last_offset) ||
	    info->last_offset == INT64_MAX)
		return stream_fail(err, STREAM_ECORRUPT, AT_LAST_DELTA,
		    "last offset delta %d is out of range",
		    batch->last_offset_delta);
	return STREAM_OK;
}

/*
 * Each record takes a slot of its own, so there are at most as many as slots;
 * of what is not compressed, also no more than fit the bytes.  A batch of no
 * records (only compaction makes one) is a bare header.
 */
static int
check_count(const struct stream_batch *batch, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;
	uint32_t room =
	    (info->size - STREAM_BATCH_HEADER) / STREAM_RECORD_LEAST;
	bool plain = stream_batch_codec(info) == STREAM_CODEC_NONE;

	if (info->record_count < 0 ||
	    info->record_count > (int64_t)batch->last_offset_delta + 1 ||
	    (plain && (uint32_t)info->record_count > room) ||
	    (info->record_count == 0 &&
		!(plain && info->size == STREAM_BATCH_HEADER)))
		return stream_fail(err, STREAM_ECORRUPT, AT_COUNT,
		    "record count %d does not fit the batch",
		    info->record_count);
	return STREAM_OK;
}

int
stream_batch_parse(const uint8_t *bytes, size_t size,
    struct stream_batch *batch, struct stream_error *err)
{
	int status;

	if (bytes[STREAM_BATCH_MAGIC_AT] != 2)
		return stream_fail(err, STREAM_ENEWER, STREAM_BATCH_MAGIC_AT,
		    "message format %d (magic) is not supported, only 2",
		    bytes[STREAM_BATCH_MAGIC_AT]);
	load(bytes, size, batch);
	/* Before the other fields, which may mean something else then. */
	if (stream_batch_codec(&batch->info) > STREAM_CODEC_ZSTD)
		return stream_fail(err, STREAM_ENEWER, AT_ATTRIBUTES,
		    "codec %d is not supported",
		    stream_batch_codec(&batch->info));
	status = check_offsets(batch, err);
	if (status == STREAM_OK)
		status = check_count(batch, err);
	return status;
}

static bool
crc_is_good(const uint8_t *bytes, size_t size)
{
	return stream_crc32c(bytes + STREAM_BATCH_CRC_FROM,
		   size - STREAM_BATCH_CRC_FROM) ==
	       stream_load32(bytes + STREAM_BATCH_CRC_AT);
}

int
stream_batch_check(const uint8_t *bytes, size_t size,
    struct stream_batch *batch, struct stream_error *err)
{
	if (bytes[STREAM_BATCH_MAGIC_AT] == 2 && !crc_is_good(bytes, size))
		return stream_fail(
		    err, STREAM_ECORRUPT, STREAM_BATCH_CRC_AT, "bad CRC");
	return stream_batch_parse(bytes, size, batch, err);
}

void
stream_batch_seal(uint8_t *bytes, size_t size)
{
	stream_store32(bytes + STREAM_BATCH_CRC_AT,
	    stream_crc32c(
		bytes + STREAM_BATCH_CRC_FROM, size - STREAM_BATCH_CRC_FROM));
}

void
stream_batch_place(uint8_t *bytes, int64_t base_offset, int32_t leader_epoch)
{
	stream_store64(bytes, (uint64_t)base_offset);
	stream_store32(bytes + AT_EPOCH, (uint32_t)leader_epoch);
}

void
stream_batch_stamp(uint8_t *bytes, size_t size, int64_t now_ms)
{
	uint16_t attributes = stream_load16(bytes + AT_ATTRIBUTES);

	stream_store16(bytes + AT_ATTRIBUTES,
	    (uint16_t)(attributes | STREAM_BATCH_APPEND_TIME));
	stream_store64(bytes + AT_MAX_TIME, (uint64_t)now_ms);
	stream_batch_seal(bytes, size);
}

void
stream_batch_alter(uint8_t *bytes, size_t size, struct stream_batch *batch)
{
	stream_store32(
	    bytes + AT_LENGTH, (uint32_t)(size - STREAM_BATCH_PREFIX));
	stream_store16(bytes + AT_ATTRIBUTES, batch->info.attributes);
	stream_store64(
	    bytes + AT_BASE_TIME, (uint64_t)batch->base_timestamp_ms);
	stream_store64(
	    bytes + AT_MAX_TIME, (uint64_t)batch->info.max_timestamp_ms);
	stream_store32(bytes + AT_COUNT, (uint32_t)batch->info.record_count);
	stream_batch_seal(bytes, size);
	batch->info.size = (uint32_t)size;
	batch->crc = stream_load32(bytes + STREAM_BATCH_CRC_AT);
}
