/*
 * compress.h - the four codecs of Kafka's record batches
 *
 * Layer codec/.  SPEC section 2.3.  The whole records section of a batch is
 * one compressed stream.  zlib, snappy, lz4 and zstd have their one home in
 * compress.c and compress_*.c.  Contexts are made once and used for every
 * batch, since a fresh one costs 10 to 20 % (measured with zstd).  Not
 * thread-safe: one object a thread.
 */
#ifndef STREAM_CODEC_COMPRESS_H
#define STREAM_CODEC_COMPRESS_H

#include <stream/record.h>

#include "base/buf.h"

struct stream_compressor;
struct stream_decompressor;

/*
 * Check that level fits codec; STREAM_LEVEL_DEFAULT always does.
 * STREAM_EUSAGE names the range.
 */
int stream_compress_check_level(
    enum stream_codec codec, int level, struct stream_error *err);

/*
 * Make a compressor for codec (not NONE).  Gives *compressor; free it with
 * stream_compressor_free.  STREAM_EUSAGE (level), STREAM_ENOMEM.
 */
int stream_compressor_new(enum stream_codec codec, int level,
    struct stream_compressor **compressor, struct stream_error *err);

/* NULL is allowed. */
void stream_compressor_free(struct stream_compressor *compressor);

/*
 * Compress the borrowed bytes as one stream and add it to the end of out, in
 * the framing that Kafka's readers accept.  On failure out->size is as it
 * was.  STREAM_ENOMEM, STREAM_EUSAGE (the library refused).
 */
int stream_compress(struct stream_compressor *compressor,
    struct stream_bytes bytes, struct stream_buf *out,
    struct stream_error *err);

/*
 * Make a decompressor for every codec; what each needs is made when it is
 * first used.  Gives; free with stream_decompressor_free.  STREAM_ENOMEM.
 */
int stream_decompressor_new(
    struct stream_decompressor **decompressor, struct stream_error *err);

/* NULL is allowed. */
void stream_decompressor_free(struct stream_decompressor *decompressor);

/*
 * Decompress one stream, all of the borrowed bytes, to the end of out.
 * limit is the most bytes that may come out, whatever the stream claims;
 * memory grows with what really comes out.  On failure out->size is as it
 * was.
 *
 * STREAM_ECORRUPT  not a stream of this codec, cut short, or bytes after it
 * STREAM_ENEWER    codec is not one of enum stream_codec; or the stream is
 *                  whole but uses what Kafka's reader refuses (linked lz4
 *                  blocks, a window above 128 MiB, a dictionary)
 * STREAM_ETOOBIG   more than limit bytes; the message names the limit
 * STREAM_ENOMEM
 */
int stream_decompress(struct stream_decompressor *decompressor,
    enum stream_codec codec, struct stream_bytes bytes, size_t limit,
    struct stream_buf *out, struct stream_error *err);

#endif
