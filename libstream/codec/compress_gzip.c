/*
 * compress_gzip.c - gzip, RFC 1952.  SPEC section 2.3.
 *
 * Written as one member with the header that Java writes: no time, system
 * "unknown" (JDK 16 and later), so that equal records make equal bytes on
 * every host.  Read as Java's GZIPInputStream reads: members one after another
 * are one stream.
 */
#define ZLIB_CONST /* zlib.h: next_in points to const */
#include <stdlib.h>
#include <zlib.h>

#include "base/fail.h"
#include "codec/compress_class.h"

enum {
	WINDOW = 15 + 16, /* zlib.h: the largest window, gzip framing only */
	MEMORY = 8,       /* zlib's default, and Java's */
	SYSTEM_UNKNOWN = 0xff,
	LEAST_GROWTH = 4096,
};

struct gzip_writer {
	z_stream z;
	gz_header header; /* borrowed by z */
};

static int
writer_new(int level, void **state, struct stream_error *err)
{
	struct gzip_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return stream_fail_memory(err);
	writer->header.os = SYSTEM_UNKNOWN;
	/* The arguments are constants or checked: only memory can fail. */
	if (deflateInit2(&writer->z, level, Z_DEFLATED, WINDOW, MEMORY,
		Z_DEFAULT_STRATEGY) != Z_OK) {
		free(writer);
		return stream_fail_memory(err);
	}
	*state = writer;
	return STREAM_OK;
}

static void
writer_free(void *state)
{
	struct gzip_writer *writer = state;

	deflateEnd(&writer->z);
	free(writer);
}

static int
compress_gzip(void *state, struct stream_bytes bytes, struct stream_buf *out,
    struct stream_error *err)
{
	struct gzip_writer *writer = state;
	z_stream *z = &writer->z;
	size_t bound;
	int status;

	deflateReset(z);
	deflateSetHeader(z, &writer->header);
	bound = deflateBound(z, bytes.size);
	status = stream_buf_reserve(out, bound, err);
	if (status != STREAM_OK)
		return status;
	z->next_in = bytes.data;
	z->avail_in = (uInt)bytes.size;
	z->next_out = out->data + out->size;
	z->avail_out = (uInt)bound;
	if (deflate(z, Z_FINISH) != Z_STREAM_END)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "gzip does not compress this");
	out->size += bound - z->avail_out;
	return STREAM_OK;
}

static int
reader_new(void **state, struct stream_error *err)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return stream_fail_memory(err);
	if (inflateInit2(z, WINDOW) != Z_OK) {
		free(z);
		return stream_fail_memory(err);
	}
	*state = z;
	return STREAM_OK;
}

static void
reader_free(void *state)
{
	inflateEnd(state);
	free(state);
}

/* One call of inflate into room that is ours.  *result is what it said. */
static int
inflate_some(z_stream *z, struct stream_sink *sink, int *result,
    struct stream_error *err)
{
	size_t room;
	int status = stream_sink_room(sink, LEAST_GROWTH, &room, err);

	if (status != STREAM_OK)
		return status;
	if (room > UINT32_MAX)
		room = UINT32_MAX;
	z->next_out = sink->out->data + sink->out->size;
	z->avail_out = (uInt)room;
	*result = inflate(z, Z_NO_FLUSH);
	return stream_sink_took(sink, room - z->avail_out, err);
}

static int
judge(const z_stream *z, int result, struct stream_error *err)
{
	if (result == Z_MEM_ERROR)
		return stream_fail_memory(err);
	if (result == Z_BUF_ERROR || (result == Z_OK && z->avail_out != 0))
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "gzip stream is cut short");
	if (result != Z_OK)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "gzip: %s", z->msg != NULL ? z->msg : "not a gzip stream");
	return STREAM_OK;
}

static int
decompress_gzip(void *state, struct stream_bytes bytes,
    struct stream_sink *sink, struct stream_error *err)
{
	z_stream *z = state;
	int result, status;

	inflateReset(z);
	z->next_in = bytes.data;
	z->avail_in = (uInt)bytes.size;
	for (;;) {
		status = inflate_some(z, sink, &result, err);
		if (status != STREAM_OK)
			return status;
		if (result == Z_STREAM_END) {
			if (z->avail_in == 0)
				return STREAM_OK;
			inflateReset(z); /* the next member */
			continue;
		}
		status = judge(z, result, err);
		if (status != STREAM_OK)
			return status;
	}
}

const struct stream_codec_class stream_class_gzip = {
    .least = Z_BEST_SPEED, /* Kafka has no level 0 either */
    .most = Z_BEST_COMPRESSION,
    .usual = Z_DEFAULT_COMPRESSION,
    .compressor_new = writer_new,
    .compressor_free = writer_free,
    .decompressor_new = reader_new,
    .decompressor_free = reader_free,
    .compress = compress_gzip,
    .decompress = decompress_gzip,
};
