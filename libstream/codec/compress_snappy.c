/*
 * compress_snappy.c - snappy in the framing of snappy-java ("xerial"), which
 * is what Kafka's own client writes.  SPEC section 2.3.
 *
 * A header of 16 bytes, then blocks: an int32 with the compressed size, and
 * that many bytes of raw snappy.  libsnappy keeps no state between calls.  It
 * is C++ that allocates its table inside each call, so when memory runs out
 * there the process ends: its C interface has no way to say so.
 */
#include <string.h>

#include <snappy-c.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "codec/compress_class.h"

enum {
	MAGIC_SIZE = 8,
	HEADER_SIZE = 16, /* magic, version, least version that reads it */
	SIZE_SIZE = 4,
	BLOCK_SIZE = 32 * 1024, /* what Kafka's client writes */
	VERSION = 1,

	/* The densest element copies 64 bytes and takes 3. */
	EXPANSION = 64 / 3 + 1,
};

static const uint8_t header[HEADER_SIZE] = {
    0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, VERSION, 0, 0, 0, VERSION};

static int
corrupt(struct stream_error *err, const char *what)
{
	return stream_fail(
	    err, STREAM_ECORRUPT, STREAM_POS_NONE, "snappy: %s", what);
}

/* Add one block.  The room for it is there. */
static int
put_block(struct stream_buf *out, const uint8_t *data, size_t size,
    struct stream_error *err)
{
	uint8_t *to = out->data + out->size;
	size_t length = snappy_max_compressed_length(size);

	if (snappy_compress((const char *)data, size, (char *)to + SIZE_SIZE,
		&length) != SNAPPY_OK)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "snappy does not compress this");
	stream_store32(to, (uint32_t)length);
	out->size += SIZE_SIZE + length;
	return STREAM_OK;
}

static int
compress_snappy(void *state, struct stream_bytes bytes, struct stream_buf *out,
    struct stream_error *err)
{
	size_t blocks = (bytes.size + BLOCK_SIZE - 1) / BLOCK_SIZE;
	size_t bound = SIZE_SIZE + snappy_max_compressed_length(BLOCK_SIZE);
	int status = stream_buf_reserve(out, HEADER_SIZE + blocks * bound, err);

	(void)state;
	if (status != STREAM_OK)
		return status;
	memcpy(out->data + out->size, header, HEADER_SIZE);
	out->size += HEADER_SIZE;
	for (size_t at = 0; at < bytes.size; at += BLOCK_SIZE) {
		size_t rest = bytes.size - at;

		status = put_block(out, bytes.data + at,
		    rest < BLOCK_SIZE ? rest : BLOCK_SIZE, err);
		if (status != STREAM_OK)
			return status;
	}
	return STREAM_OK;
}

static bool
has_magic(struct stream_bytes bytes)
{
	return bytes.size >= MAGIC_SIZE &&
	       memcmp(bytes.data, header, MAGIC_SIZE) == 0;
}

static int
take_header(struct stream_bytes *bytes, struct stream_error *err)
{
	if (bytes->size < HEADER_SIZE)
		return corrupt(err, "stream is cut short in its header");
	/* A later version is read as this one, as snappy-java does. */
	if ((int32_t)stream_load32(bytes->data + MAGIC_SIZE) < VERSION)
		return corrupt(err, "framing has a version below 1");
	stream_bytes_skip(bytes, HEADER_SIZE);
	return STREAM_OK;
}

/*
 * Decompress one raw block.  The size that it claims is believed only as far
 * as its bytes could make it true, so that memory follows the input and not
 * its words.
 */
static int
take_raw(const uint8_t *bytes, size_t size, struct stream_sink *sink,
    struct stream_error *err)
{
	const char *block = (const char *)bytes;
	size_t claimed;
	int status;

	if (snappy_uncompressed_length(block, size, &claimed) != SNAPPY_OK ||
	    claimed > size * EXPANSION)
		return corrupt(err, "block with an impossible size");
	if (claimed > sink->limit - stream_sink_count(sink))
		return stream_sink_overflow(sink, err);
	status = stream_buf_reserve(sink->out, claimed, err);
	if (status != STREAM_OK)
		return status;
	if (snappy_uncompress(block, size,
		(char *)sink->out->data + sink->out->size,
		&claimed) != SNAPPY_OK)
		return corrupt(err, "block is damaged");
	return stream_sink_took(sink, claimed, err);
}

static int
take_block(struct stream_bytes *bytes, struct stream_sink *sink,
    struct stream_error *err)
{
	size_t size;
	int status;

	if (bytes->size < SIZE_SIZE)
		return corrupt(err, "stream is cut short");
	size = stream_load32(bytes->data);
	if (size > bytes->size - SIZE_SIZE)
		return corrupt(err, "stream is cut short in a block");
	status = take_raw(bytes->data + SIZE_SIZE, size, sink, err);
	if (status == STREAM_OK)
		stream_bytes_skip(bytes, SIZE_SIZE + size);
	return status;
}

static int
decompress_snappy(void *state, struct stream_bytes bytes,
    struct stream_sink *sink, struct stream_error *err)
{
	int status;

	(void)state;
	/* librdkafka writes one raw block, and snappy-java reads it too. */
	if (!has_magic(bytes))
		return take_raw(bytes.data, bytes.size, sink, err);
	do {
		/* Streams one after another are one, as in snappy-java. */
		status = has_magic(bytes) ? take_header(&bytes, err)
					  : take_block(&bytes, sink, err);
	} while (status == STREAM_OK && bytes.size > 0);
	return status;
}

const struct stream_codec_class stream_class_snappy = {
    .least = 1,
    .most = 0,
    .compress = compress_snappy,
    .decompress = decompress_snappy,
};
