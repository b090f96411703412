/*
 * batch.h - the header of a record batch: read, check, patch
 *
 * Layer codec/.  SPEC section 2.  The CRC starts at the attributes: base
 * offset, length, leader epoch and magic lie outside it, so a finished batch
 * can be given its place in the log without touching the CRC, and those four
 * fields need checks of their own.
 */
#ifndef STREAM_CODEC_BATCH_H
#define STREAM_CODEC_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/record.h>

enum {
	STREAM_BATCH_PREFIX = 12, /* base offset and length */
	STREAM_BATCH_HEADER = 61,
	STREAM_BATCH_CRC_AT = 17,
	STREAM_BATCH_CRC_FROM = 21, /* first byte that the CRC covers */
	STREAM_BATCH_MAGIC_AT = 16,
	/* Smallest record: length, attributes, two deltas, two lengths of -1
	 * and a header count, one byte each. */
	STREAM_RECORD_LEAST = 7
};

/* Bits of the attributes.  SPEC section 2.2. */
enum {
	STREAM_BATCH_CODEC = 0x07,
	STREAM_BATCH_APPEND_TIME = 1 << 3,
	STREAM_BATCH_TRANSACTIONAL = 1 << 4,
	STREAM_BATCH_CONTROL = 1 << 5,
	STREAM_BATCH_HORIZON = 1 << 6
};

/*
 * The largest batch that is read unless the caller says otherwise.  A length
 * field is a claim; this bounds what it can make us allocate.
 */
#define STREAM_BATCH_CAP_DEFAULT ((size_t)64 << 20)

/* The largest batch that there can be: whoever cuts logs must know it for one,
 * whatever readers take.  For memory the size of the file is the bound then. */
#define STREAM_BATCH_CAP_MOST ((size_t)INT32_MAX + STREAM_BATCH_PREFIX)

struct stream_batch {
	struct stream_batch_info info;
	int64_t base_timestamp_ms; /* the delete horizon if that bit is set */
	int32_t last_offset_delta;
	uint32_t crc;
};

/*
 * How long is the batch that begins with these n borrowed bytes?  n is at
 * least STREAM_BATCH_PREFIX; 17 bytes tell the magic too.
 *
 * STREAM_ECORRUPT  a length below the least, or more than cap
 * STREAM_ENEWER    magic 0 or 1: an old format, with lengths of its own
 */
int stream_batch_measure(const uint8_t *bytes, size_t n, size_t cap,
    uint64_t *size, struct stream_error *err);

/*
 * Read the header at the front of a whole batch, without its CRC.  Bytes are
 * borrowed; size is what stream_batch_measure said.  info.position is 0.
 *
 * STREAM_ENEWER    magic is not 2, or an unknown codec
 * STREAM_ECORRUPT  a field out of its range
 */
int stream_batch_parse(const uint8_t *bytes, size_t size,
    struct stream_batch *batch, struct stream_error *err);

/* Both: what every reader asks before it believes a batch.  A magic other
 * than 2 is STREAM_ENEWER, a bad CRC STREAM_ECORRUPT. */
int stream_batch_check(const uint8_t *bytes, size_t size,
    struct stream_batch *batch, struct stream_error *err);

/* Compute and set the CRC of a batch that is otherwise finished. */
void stream_batch_seal(uint8_t *bytes, size_t size);

/* Give a finished batch its place: the first offset and the leader epoch. */
void stream_batch_place(
    uint8_t *bytes, int64_t base_offset, int32_t leader_epoch);

/* Make a finished batch LogAppendTime: its records' time is now_ms. */
void stream_batch_stamp(uint8_t *bytes, size_t size, int64_t now_ms);

/*
 * Change what compaction changes of a header, whose batch now has size bytes,
 * and seal it: attributes, both times and the count are those of *batch.  The
 * rest stays.  batch's size and CRC are set.
 */
void stream_batch_alter(
    uint8_t *bytes, size_t size, struct stream_batch *batch);

static inline enum stream_codec
stream_batch_codec(const struct stream_batch_info *info)
{
	return (enum stream_codec)(info->attributes & STREAM_BATCH_CODEC);
}

static inline bool
stream_batch_is_control(const struct stream_batch_info *info)
{
	return (info->attributes & STREAM_BATCH_CONTROL) != 0;
}

static inline bool
stream_batch_is_transactional(const struct stream_batch_info *info)
{
	return (info->attributes & STREAM_BATCH_TRANSACTIONAL) != 0;
}

#endif
