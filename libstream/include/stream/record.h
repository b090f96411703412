/*
 * stream/record.h - a record, as it is read and written
 *
 * SPEC section 3.  A pointer of NULL in struct stream_bytes means null, which
 * Kafka keeps apart from empty (a pointer that is not NULL, with size 0).
 */
#ifndef STREAM_RECORD_H
#define STREAM_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

struct stream_bytes {
	const uint8_t *data; /* NULL: null */
	size_t size;         /* 0 when data is NULL */
};

/* The timestamp of a record that has none. */
#define STREAM_NO_TIMESTAMP (-1)

enum stream_codec {
	STREAM_CODEC_NONE = 0,
	STREAM_CODEC_GZIP = 1,
	STREAM_CODEC_SNAPPY = 2,
	STREAM_CODEC_LZ4 = 3,
	STREAM_CODEC_ZSTD = 4
};

/* Level to pass for "the codec's default" (product default: zstd 1). */
#define STREAM_LEVEL_DEFAULT INT32_MIN

/* What all records of one batch share.  SPEC section 2. */
struct stream_batch_info {
	int64_t base_offset;
	int64_t last_offset;
	int64_t max_timestamp_ms;
	int64_t producer_id; /* -1: none */
	uint64_t position;   /* first byte of the batch in its segment file */
	uint32_t size; /* bytes of the batch in the file, header included */
	int32_t leader_epoch;
	int32_t base_sequence; /* -1: none */
	int32_t record_count;
	int16_t producer_epoch; /* -1: none */
	uint16_t attributes;    /* as stored; SPEC section 2.2 */
};

struct stream_header {
	struct stream_bytes name;  /* never null; UTF-8 by convention only */
	struct stream_bytes value; /* may be null */
};

struct stream_record {
	int64_t offset;       /* ignored when written */
	int64_t timestamp_ms; /* since 1970 UTC, or STREAM_NO_TIMESTAMP */
	struct stream_bytes key;
	struct stream_bytes value;
	struct stream_bytes headers; /* header_count of them, encoded */
	uint32_t header_count;
	const struct stream_batch_info *batch; /* lent when read; not written */
};

/*
 * Take the next header off the front of *headers, which holds encoded
 * headers as a reader lends them.  *header borrows from the same bytes.
 * false when none is left.
 */
bool stream_header_take(
    struct stream_bytes *headers, struct stream_header *header);

/* Bytes that stream_header_put writes for this header. */
size_t stream_header_size(const struct stream_header *header);

/*
 * Encode header at to, which must have stream_header_size(header) bytes.
 * Returns the byte after the last one written.  Headers so written one after
 * another are what struct stream_record takes as headers.
 */
uint8_t *stream_header_put(uint8_t *to, const struct stream_header *header);

/* "none", "gzip", "snappy", "lz4" or "zstd"; NULL for another number. */
const char *stream_codec_name(enum stream_codec codec);

/* The codec of that name; false when there is none. */
bool stream_codec_find(const char *name, enum stream_codec *codec);

#endif
