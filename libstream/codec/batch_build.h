/*
 * batch_build.h - make a record batch
 *
 * Layer codec/.  SPEC sections 2 and 3.  Records are encoded straight into
 * memory of the caller's, behind room for the header; nothing is copied
 * twice and nothing is allocated.  Inline where it runs for each record.
 */
#ifndef STREAM_CODEC_BATCH_BUILD_H
#define STREAM_CODEC_BATCH_BUILD_H

#include <string.h>

#include "codec/batch.h"
#include "codec/varint.h"

struct stream_batch_build {
	uint8_t *start; /* of the header; NULL while there is no batch */
	uint8_t *at;    /* where the next record goes */
	int64_t base_timestamp_ms;
	int64_t max_timestamp_ms;
	int32_t count;
};

/* Bytes of the batch so far. */
static inline size_t
stream_batch_build_size(const struct stream_batch_build *build)
{
	return (size_t)(build->at - build->start);
}

/* Begin a batch at memory (kept until it is finished). */
static inline void
stream_batch_build_start(struct stream_batch_build *build, uint8_t *memory)
{
	build->start = memory;
	build->at = memory + STREAM_BATCH_HEADER;
	build->count = 0;
}

/*
 * The most that any record of these sizes can take, length prefix and all:
 * two varlongs and five varints, and the attributes byte.
 */
static inline size_t
stream_record_bound(const struct stream_record *record)
{
	return record->key.size + record->value.size + record->headers.size +
	       STREAM_VARLONG_MAX + 5 * STREAM_VARINT_MAX + 1;
}

static inline size_t
stream_record_bytes_size(struct stream_bytes bytes)
{
	return bytes.data == NULL
		   ? 1
		   : bytes.size + stream_varint_size((int64_t)bytes.size);
}

/* Encode any record at a place with enough room; returns the byte after. */
uint8_t *stream_record_put(uint8_t *at, const struct stream_record *record,
    int64_t time_delta, int32_t offset_delta);

/*
 * Most records have no headers, and no number in them takes more than two
 * bytes: then no loop is needed, which makes encoding twice as fast.
 */
enum { STREAM_SMALL = 1 << 13 };

static inline bool
stream_record_is_small(const struct stream_record *record, int64_t time_delta,
    int32_t offset_delta)
{
	return (record->key.size | record->value.size | (uint64_t)time_delta |
		   (uint64_t)offset_delta) < STREAM_SMALL / 4 &&
	       record->header_count == 0;
}

/* A varint of 0 to STREAM_SMALL - 1. */
static inline uint8_t *
stream_varint_put_small(uint8_t *at, size_t value)
{
	size_t zigzag = value << 1;

	if (zigzag < 0x80) {
		*at = (uint8_t)zigzag;
		return at + 1;
	}
	at[0] = (uint8_t)(zigzag | 0x80);
	at[1] = (uint8_t)(zigzag >> 7);
	return at + 2;
}

static inline size_t
stream_varint_size_small(size_t value)
{
	return 1 + (size_t)(value >= 64);
}

static inline uint8_t *
stream_record_put_bytes_small(uint8_t *at, struct stream_bytes bytes)
{
	if (bytes.data == NULL) {
		*at = 1; /* zig-zag of -1 */
		return at + 1;
	}
	at = stream_varint_put_small(at, bytes.size);
	memcpy(at, bytes.data, bytes.size);
	return at + bytes.size;
}

static inline uint8_t *
stream_record_put_small(uint8_t *at, const struct stream_record *record,
    int64_t time_delta, int32_t offset_delta)
{
	/* Attributes and header count are one byte each. */
	size_t size =
	    2 + stream_varint_size_small((size_t)time_delta) +
	    stream_varint_size_small((size_t)offset_delta) +
	    stream_varint_size_small(record->key.size) + record->key.size +
	    stream_varint_size_small(record->value.size) + record->value.size;

	at = stream_varint_put_small(at, size);
	*at++ = 0; /* attributes of a record: none are defined */
	at = stream_varint_put_small(at, (size_t)time_delta);
	at = stream_varint_put_small(at, (size_t)offset_delta);
	at = stream_record_put_bytes_small(at, record->key);
	at = stream_record_put_bytes_small(at, record->value);
	*at++ = 0; /* no headers */
	return at;
}

/*
 * Add a record (borrowed).  There must be stream_record_bound(record) bytes
 * of room.  false when it does not fit this batch's arithmetic, its timestamp
 * being 2^63 or more away from the first one: finish the batch and start the
 * next with it, where it always fits.
 */
static inline bool
stream_batch_build_add(
    struct stream_batch_build *build, const struct stream_record *record)
{
	int64_t time_delta;

	if (build->count == 0) {
		build->base_timestamp_ms = record->timestamp_ms;
		build->max_timestamp_ms = record->timestamp_ms;
	}
	if (__builtin_sub_overflow(
		record->timestamp_ms, build->base_timestamp_ms, &time_delta) ||
	    build->count == INT32_MAX)
		return false;
	if (stream_record_is_small(record, time_delta, build->count))
		build->at = stream_record_put_small(
		    build->at, record, time_delta, build->count);
	else
		build->at = stream_record_put(
		    build->at, record, time_delta, build->count);
	if (record->timestamp_ms > build->max_timestamp_ms)
		build->max_timestamp_ms = record->timestamp_ms;
	build->count++;
	return true;
}

/*
 * Write the header of a batch of which size bytes (header included) stand at
 * bytes, compressed with codec if that is not NONE.  Base offset is 0 and
 * leader epoch -1 until stream_batch_place; the CRC is not set until
 * stream_batch_seal.  No producer id.
 */
void stream_batch_build_header(const struct stream_batch_build *build,
    enum stream_codec codec, uint8_t *bytes, size_t size);

#endif
