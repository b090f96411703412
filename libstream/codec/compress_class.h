/*
 * compress_class.h - what compress.c asks of each codec
 *
 * Private to compress*.c.  Each of the four has one file and one const table
 * of functions; compress.c keeps their states and guards out->size and the
 * limit, so that a codec's file knows its framing and nothing else.
 */
#ifndef STREAM_CODEC_COMPRESS_CLASS_H
#define STREAM_CODEC_COMPRESS_CLASS_H

#include <stream/record.h>

#include "base/buf.h"

/*
 * Where decompressed bytes go: the end of out, at most limit of them.  A
 * codec asks for room, writes there, and says how much it wrote.
 */
struct stream_sink {
	struct stream_buf *out;
	size_t start; /* out->size before the first byte */
	size_t limit;
};

/* Bytes that have come out so far. */
static inline size_t
stream_sink_count(const struct stream_sink *sink)
{
	return sink->out->size - sink->start;
}

/*
 * Make room for want bytes or more at the end of out; *room is how many there
 * are.  It is never more than one past the limit: that one tells
 * an end at the limit from a stream that goes on.  STREAM_ENOMEM.
 */
int stream_sink_room(struct stream_sink *sink, size_t want, size_t *room,
    struct stream_error *err);

/* n bytes were written at the end.  STREAM_ETOOBIG when past the limit. */
int stream_sink_took(
    struct stream_sink *sink, size_t n, struct stream_error *err);

/* The one message for more than limit bytes; returns STREAM_ETOOBIG. */
int stream_sink_overflow(
    const struct stream_sink *sink, struct stream_error *err);

/* lz4 and zstd are little-endian, as nothing else here is. */
static inline uint32_t
stream_load32_little(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[1] << 8 | (uint32_t)p[0];
}

/* Go on behind the first n bytes; there are as many. */
static inline void
stream_bytes_skip(struct stream_bytes *bytes, size_t n)
{
	bytes->data += n;
	bytes->size -= n;
}

struct stream_codec_class {
	/* Levels; least > most: none to choose.  usual is always allowed. */
	int least;
	int most;
	int usual;

	/* A state is given to compress.c, which frees it.  A codec without
	 * one has NULL functions and sees a NULL state. */
	int (*compressor_new)(
	    int level, void **state, struct stream_error *err);
	void (*compressor_free)(void *state);
	int (*decompressor_new)(void **state, struct stream_error *err);
	void (*decompressor_free)(void *state);

	/* As stream_compress and stream_decompress, but out->size may be
	 * left anywhere on failure.  bytes.size is at most INT32_MAX. */
	int (*compress)(void *state, struct stream_bytes bytes,
	    struct stream_buf *out, struct stream_error *err);
	int (*decompress)(void *state, struct stream_bytes bytes,
	    struct stream_sink *sink, struct stream_error *err);
};

extern const struct stream_codec_class stream_class_gzip;
extern const struct stream_codec_class stream_class_snappy;
extern const struct stream_codec_class stream_class_lz4;
extern const struct stream_codec_class stream_class_zstd;

#endif
