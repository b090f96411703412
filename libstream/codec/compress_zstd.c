/*
 * compress_zstd.c - zstd, RFC 8878.  SPEC section 2.3.
 *
 * Written as one frame without content size and checksum, as Kafka does: the
 * batch's CRC covers the bytes.  Read as Kafka reads: several frames are one
 * stream, skippable ones hold nothing.
 *
 * Frames are decompressed whole, straight to where the bytes belong, and not
 * by the streaming calls, which copy everything through a window of their
 * own.  When the room is too small it is doubled and the frame begun again;
 * since the first guess is what the last batch gave, that is rare.
 */
#include <zstd.h>
#include <zstd_errors.h>

#include "base/fail.h"
#include "codec/compress_class.h"

enum {
	LEVEL = 1,             /* product default: half the time of 3 */
	LEAST_LEVEL = -131072, /* ZSTD_minCLevel(), since 1.4 */
	MOST_LEVEL = 22,       /* ZSTD_maxCLevel() */

	HEADER_SIZE_LEAST = 6, /* magic, descriptor, window or content size */
	DESCRIPTOR_AT = 4,
	WINDOW_AT = 5,
	SINGLE_SEGMENT = 1 << 5, /* of the descriptor: no window byte */
	WINDOW_LOG_MOST = 27,    /* what Kafka's reader allows: 128 MiB */
};

static int
fail_code(size_t code, struct stream_error *err)
{
	switch (ZSTD_getErrorCode(code)) {
	case ZSTD_error_memory_allocation:
		return stream_fail_memory(err);
	case ZSTD_error_srcSize_wrong:
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "zstd: frame is cut short");
	case ZSTD_error_dictionary_wrong:
		return stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
		    "zstd: dictionaries are not supported");
	default:
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "zstd: %s", ZSTD_getErrorName(code));
	}
}

static int
writer_new(int level, void **state, struct stream_error *err)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();

	if (context == NULL)
		return stream_fail_memory(err);
	/* The level is checked and the flags exist: these cannot fail. */
	ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0);
	*state = context;
	return STREAM_OK;
}

static void
writer_free(void *state)
{
	ZSTD_freeCCtx(state);
}

static int
compress_zstd(void *state, struct stream_bytes bytes, struct stream_buf *out,
    struct stream_error *err)
{
	size_t bound = ZSTD_compressBound(bytes.size);
	size_t n;
	int status = stream_buf_reserve(out, bound, err);

	if (status != STREAM_OK)
		return status;
	n = ZSTD_compress2(
	    state, out->data + out->size, bound, bytes.data, bytes.size);
	if (ZSTD_isError(n))
		return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation
			   ? stream_fail_memory(err)
			   : stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
				 "zstd: %s", ZSTD_getErrorName(n));
	out->size += n;
	return STREAM_OK;
}

static int
reader_new(void **state, struct stream_error *err)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();

	if (context == NULL)
		return stream_fail_memory(err);
	*state = context;
	return STREAM_OK;
}

static void
reader_free(void *state)
{
	ZSTD_freeDCtx(state);
}

/*
 * Whether a frame asks for a larger window than Kafka's reader has.  Whole
 * frames need no window here, but a log that we take and Kafka refuses would
 * be a trap.  RFC 8878, 3.1.1.1.2.
 */
static bool
window_is_too_large(const uint8_t *frame)
{
	unsigned exponent = frame[WINDOW_AT] >> 3;
	unsigned mantissa = frame[WINDOW_AT] & 7;

	if (frame[DESCRIPTOR_AT] & SINGLE_SEGMENT)
		return false;
	exponent += 10;
	return exponent > WINDOW_LOG_MOST ||
	       (exponent == WINDOW_LOG_MOST && mantissa > 0);
}

static int
check_header(struct stream_bytes bytes, struct stream_error *err)
{
	/* libzstd alone would also take formats from before 1.0. */
	if (bytes.size < 4 ||
	    stream_load32_little(bytes.data) != ZSTD_MAGICNUMBER)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "zstd: not a zstd frame");
	if (bytes.size < HEADER_SIZE_LEAST)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "zstd: frame is cut short");
	if (window_is_too_large(bytes.data))
		return stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
		    "zstd: windows above %d MiB are not supported, in Kafka "
		    "neither",
		    1 << (WINDOW_LOG_MOST - 20));
	return STREAM_OK;
}

/*
 * libzstd says that the room is too small only after it has filled it but for
 * one block at most, so that doubling follows what really comes out.
 */
static int
take_frame(ZSTD_DCtx *context, struct stream_bytes frame,
    struct stream_sink *sink, struct stream_error *err)
{
	size_t left = sink->limit - stream_sink_count(sink);
	size_t want = frame.size;
	size_t room, n;

	for (;; want = room * 2) {
		int status = stream_sink_room(sink, want, &room, err);

		if (status != STREAM_OK)
			return status;
		n = ZSTD_decompressDCtx(context,
		    sink->out->data + sink->out->size, room, frame.data,
		    frame.size);
		if (!ZSTD_isError(n))
			return stream_sink_took(sink, n, err);
		if (ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall)
			return fail_code(n, err);
		if (room > left)
			return stream_sink_overflow(sink, err);
	}
}

static bool
is_skippable(struct stream_bytes bytes)
{
	return bytes.size >= 4 &&
	       (stream_load32_little(bytes.data) & ZSTD_MAGIC_SKIPPABLE_MASK) ==
		   ZSTD_MAGIC_SKIPPABLE_START;
}

static int
decompress_zstd(void *state, struct stream_bytes bytes,
    struct stream_sink *sink, struct stream_error *err)
{
	do {
		struct stream_bytes frame = bytes;
		bool skip = is_skippable(bytes);
		int status = skip ? STREAM_OK : check_header(bytes, err);

		if (status != STREAM_OK)
			return status;
		frame.size =
		    ZSTD_findFrameCompressedSize(bytes.data, bytes.size);
		if (ZSTD_isError(frame.size))
			return fail_code(frame.size, err);
		if (!skip)
			status = take_frame(state, frame, sink, err);
		if (status != STREAM_OK)
			return status;
		stream_bytes_skip(&bytes, frame.size);
	} while (bytes.size > 0);
	return STREAM_OK;
}

const struct stream_codec_class stream_class_zstd = {
    .least = LEAST_LEVEL,
    .most = MOST_LEVEL,
    .usual = LEVEL,
    .compressor_new = writer_new,
    .compressor_free = writer_free,
    .decompressor_new = reader_new,
    .decompressor_free = reader_free,
    .compress = compress_zstd,
    .decompress = decompress_zstd,
};
