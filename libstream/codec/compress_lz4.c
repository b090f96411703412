/*
 * compress_lz4.c - lz4 frames as Kafka writes and reads them.  SPEC section
 * 2.3.
 *
 * The frame is read here and not by liblz4's frame reader, because Kafka's
 * differs: it refuses linked blocks, skips the content size and ignores the
 * content checksum (its own writer never makes one).  And so each block goes
 * straight to where it belongs.
 */
#include <stdlib.h>

#include <lz4.h>
#include <lz4frame.h>
#define XXH_INLINE_ALL /* no library to link for one checksum */
#include <xxhash.h>

#include "base/fail.h"
#include "codec/compress_class.h"

enum {
	MAGIC_SIZE = 4,
	WORD_SIZE = 4, /* a block's size, and either checksum */
	CONTENT_SIZE_SIZE = 8,
	DICTIONARY_SIZE = 4,

	/* Bits of the flags byte; version 1 is 01 in the upper two. */
	FLAG_DICTIONARY = 1 << 0,
	FLAG_RESERVED = 1 << 1,
	FLAG_CONTENT_CHECKSUM = 1 << 2,
	FLAG_CONTENT_SIZE = 1 << 3,
	FLAG_BLOCK_CHECKSUM = 1 << 4,
	FLAG_INDEPENDENT = 1 << 5,
	VERSION_SHIFT = 6,
	VERSION = 1,

	/* A byte of a match's length adds 255; no element gives more. */
	EXPANSION = 255,
	SLACK = 64, /* liblz4 copies faster with some bytes to spare */
};

static const uint32_t frame_magic = 0x184d2204;
static const uint32_t stored_bit = 0x80000000; /* block is not compressed */

static const LZ4F_preferences_t kafka_preferences = {
    .frameInfo =
	{
	    .blockSizeID = LZ4F_max64KB,
	    .blockMode = LZ4F_blockIndependent,
	    .contentChecksumFlag = LZ4F_noContentChecksum,
	    .blockChecksumFlag = LZ4F_noBlockChecksum,
	},
    .autoFlush = 1, /* no copy to a buffer inside */
};

struct lz4_writer {
	LZ4F_cctx *context;
	LZ4F_preferences_t preferences;
};

static int
writer_new(int level, void **state, struct stream_error *err)
{
	struct lz4_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return stream_fail_memory(err);
	writer->preferences = kafka_preferences;
	writer->preferences.compressionLevel = level;
	if (LZ4F_isError(LZ4F_createCompressionContext(
		&writer->context, LZ4F_VERSION))) {
		free(writer);
		return stream_fail_memory(err);
	}
	*state = writer;
	return STREAM_OK;
}

static void
writer_free(void *state)
{
	struct lz4_writer *writer = state;

	LZ4F_freeCompressionContext(writer->context);
	free(writer);
}

/* Add to size what a step wrote; false when it failed. */
static bool
add(size_t *size, size_t step)
{
	if (LZ4F_isError(step))
		return false;
	*size += step;
	return true;
}

static int
compress_lz4(void *state, struct stream_bytes bytes, struct stream_buf *out,
    struct stream_error *err)
{
	struct lz4_writer *writer = state;
	size_t bound = LZ4F_HEADER_SIZE_MAX +
		       LZ4F_compressBound(bytes.size, &writer->preferences);
	size_t size = 0;
	uint8_t *to;
	int status = stream_buf_reserve(out, bound, err);

	if (status != STREAM_OK)
		return status;
	to = out->data + out->size;
	if (!add(&size, LZ4F_compressBegin(writer->context, to, bound,
			    &writer->preferences)) ||
	    !add(&size, LZ4F_compressUpdate(writer->context, to + size,
			    bound - size, bytes.data, bytes.size, NULL)) ||
	    !add(&size, LZ4F_compressEnd(
			    writer->context, to + size, bound - size, NULL)))
		return stream_fail_memory(err); /* all that can go wrong */
	out->size += size;
	return STREAM_OK;
}

static int
corrupt(struct stream_error *err, const char *what)
{
	return stream_fail(
	    err, STREAM_ECORRUPT, STREAM_POS_NONE, "lz4: %s", what);
}

static int
unsupported(struct stream_error *err, const char *what)
{
	return stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
	    "lz4: %s are not supported, in Kafka neither", what);
}

struct frame {
	size_t block_most;
	bool has_block_checksums;
	bool has_content_checksum;
};

/* What flags and block-size byte mean, once their checksum is right. */
static int
read_descriptor(
    uint8_t flags, uint8_t sizes, struct frame *frame, struct stream_error *err)
{
	unsigned id = sizes >> 4;

	if (flags >> VERSION_SHIFT != VERSION)
		return unsupported(err, "frame versions other than 1");
	if (flags & FLAG_DICTIONARY)
		return unsupported(err, "dictionaries");
	if (!(flags & FLAG_INDEPENDENT))
		return unsupported(err, "linked blocks");
	/* 4 is 64 KiB, each next one four times as much, 7 is 4 MiB. */
	if (flags & FLAG_RESERVED || (sizes & 0x0f) != 0 || id < 4 || id > 7)
		return corrupt(err, "frame header with reserved bits set");
	frame->block_most = (size_t)1 << (8 + 2 * id);
	frame->has_block_checksums = (flags & FLAG_BLOCK_CHECKSUM) != 0;
	frame->has_content_checksum = (flags & FLAG_CONTENT_CHECKSUM) != 0;
	return STREAM_OK;
}

static int
take_header(
    struct stream_bytes *bytes, struct frame *frame, struct stream_error *err)
{
	const uint8_t *descriptor;
	size_t size = 2; /* flags, block size; then what the flags announce */

	if (bytes->size < MAGIC_SIZE ||
	    stream_load32_little(bytes->data) != frame_magic)
		return corrupt(err, "not an lz4 frame");
	if (bytes->size < MAGIC_SIZE + size)
		return corrupt(err, "frame is cut short in its header");
	descriptor = bytes->data + MAGIC_SIZE;
	if (descriptor[0] & FLAG_CONTENT_SIZE)
		size += CONTENT_SIZE_SIZE;
	if (descriptor[0] & FLAG_DICTIONARY)
		size += DICTIONARY_SIZE;
	if (bytes->size < MAGIC_SIZE + size + 1)
		return corrupt(err, "frame is cut short in its header");
	if ((uint8_t)(XXH32(descriptor, size, 0) >> 8) != descriptor[size])
		return corrupt(err, "frame header with a bad checksum");
	stream_bytes_skip(bytes, MAGIC_SIZE + size + 1);
	return read_descriptor(descriptor[0], descriptor[1], frame, err);
}

/*
 * Room for the most that a block of this size can give.  Not less near the
 * limit: liblz4 says the same of a block that is damaged and of one that
 * does not fit.
 */
static int
unpack(const struct frame *frame, const uint8_t *block, size_t size,
    struct stream_sink *sink, struct stream_error *err)
{
	size_t most = size * EXPANSION + SLACK;
	int status, n;

	if (most > frame->block_most)
		most = frame->block_most;
	status = stream_buf_reserve(sink->out, most, err);
	if (status != STREAM_OK)
		return status;
	n = LZ4_decompress_safe((const char *)block,
	    (char *)sink->out->data + sink->out->size, (int)size, (int)most);
	if (n < 0)
		return corrupt(err, "block is damaged");
	return stream_sink_took(sink, (size_t)n, err);
}

/* A block that was stored as it is. */
static int
copy(const uint8_t *block, size_t size, struct stream_sink *sink,
    struct stream_error *err)
{
	if (size > sink->limit - stream_sink_count(sink))
		return stream_sink_overflow(sink, err);
	return stream_buf_add(sink->out, block, size, err);
}

/* *more becomes false at the end mark. */
static int
take_block(const struct frame *frame, struct stream_bytes *bytes,
    struct stream_sink *sink, bool *more, struct stream_error *err)
{
	const uint8_t *block;
	size_t tail = frame->has_block_checksums ? WORD_SIZE : 0;
	uint32_t word;
	size_t size;

	if (bytes->size < WORD_SIZE)
		return corrupt(err, "frame is cut short");
	word = stream_load32_little(bytes->data);
	size = word & ~stored_bit;
	stream_bytes_skip(bytes, WORD_SIZE);
	block = bytes->data;
	*more = size > 0;
	if (!*more)
		return STREAM_OK;
	if (size > frame->block_most)
		return corrupt(err, "block larger than its frame allows");
	if (size + tail > bytes->size)
		return corrupt(err, "frame is cut short in a block");
	stream_bytes_skip(bytes, size + tail);
	if (tail > 0 &&
	    XXH32(block, size, 0) != stream_load32_little(block + size))
		return corrupt(err, "block with a bad checksum");
	if (word & stored_bit)
		return copy(block, size, sink, err);
	return unpack(frame, block, size, sink, err);
}

static int
decompress_lz4(void *state, struct stream_bytes bytes, struct stream_sink *sink,
    struct stream_error *err)
{
	struct frame frame = {0};
	size_t tail;
	bool more = true;
	int status = take_header(&bytes, &frame, err);

	(void)state;
	while (status == STREAM_OK && more)
		status = take_block(&frame, &bytes, sink, &more, err);
	if (status != STREAM_OK)
		return status;
	tail = frame.has_content_checksum ? WORD_SIZE : 0;
	if (bytes.size < tail)
		return corrupt(err, "frame is cut short");
	if (bytes.size > tail)
		return corrupt(err, "bytes after the end of the frame");
	return STREAM_OK;
}

const struct stream_codec_class stream_class_lz4 = {
    .least = 1,
    .most = 12, /* LZ4F_compressionLevel_max() */
    .usual = 0, /* the fast one, as in Kafka */
    .compressor_new = writer_new,
    .compressor_free = writer_free,
    .compress = compress_lz4,
    .decompress = decompress_lz4,
};
