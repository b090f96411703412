#include "codec/compress.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/fail.h"
#include "codec/compress_class.h"

static const struct stream_codec_class *const classes[] = {
    [STREAM_CODEC_NONE] = NULL,
    [STREAM_CODEC_GZIP] = &stream_class_gzip,
    [STREAM_CODEC_SNAPPY] = &stream_class_snappy,
    [STREAM_CODEC_LZ4] = &stream_class_lz4,
    [STREAM_CODEC_ZSTD] = &stream_class_zstd,
};

enum { CODECS = sizeof(classes) / sizeof(classes[0]) };

struct stream_compressor {
	const struct stream_codec_class *class;
	void *state;
};

struct stream_decompressor {
	void *states[CODECS]; /* NULL until first used */
	size_t last;          /* bytes that came out last time */
};

/* NULL for NONE and for numbers that are no codec. */
static const struct stream_codec_class *
class_of(enum stream_codec codec)
{
	return (unsigned)codec < CODECS ? classes[codec] : NULL;
}

int
stream_compress_check_level(
    enum stream_codec codec, int level, struct stream_error *err)
{
	const struct stream_codec_class *class = class_of(codec);
	const char *name = stream_codec_name(codec);

	if (level == STREAM_LEVEL_DEFAULT)
		return STREAM_OK;
	if (class == NULL || class->least > class->most)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "codec %s takes no level", name != NULL ? name : "unknown");
	if (level != class->usual &&
	    (level < class->least || level > class->most))
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s level %d is not in %d to %d", name, level, class->least,
		    class->most);
	return STREAM_OK;
}

int
stream_compressor_new(enum stream_codec codec, int level,
    struct stream_compressor **compressor, struct stream_error *err)
{
	const struct stream_codec_class *class = class_of(codec);
	struct stream_compressor *made;
	int status = stream_compress_check_level(codec, level, err);

	if (status != STREAM_OK)
		return status;
	if (class == NULL)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "codec %d does not compress", (int)codec);
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return stream_fail_memory(err);
	made->class = class;
	if (level == STREAM_LEVEL_DEFAULT)
		level = class->usual;
	if (class->compressor_new != NULL)
		status = class->compressor_new(level, &made->state, err);
	if (status != STREAM_OK) {
		free(made);
		return status;
	}
	*compressor = made;
	return STREAM_OK;
}

void
stream_compressor_free(struct stream_compressor *compressor)
{
	if (compressor == NULL)
		return;
	if (compressor->state != NULL)
		compressor->class->compressor_free(compressor->state);
	free(compressor);
}

int
stream_compress(struct stream_compressor *compressor, struct stream_bytes bytes,
    struct stream_buf *out, struct stream_error *err)
{
	size_t start = out->size;
	int status;

	/* A batch's length field is an int32; zlib and lz4 count in ints. */
	if (bytes.size > INT32_MAX)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%zu bytes are more than a batch can hold", bytes.size);
	status =
	    compressor->class->compress(compressor->state, bytes, out, err);
	if (status != STREAM_OK)
		out->size = start;
	return status;
}

int
stream_decompressor_new(
    struct stream_decompressor **decompressor, struct stream_error *err)
{
	struct stream_decompressor *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return stream_fail_memory(err);
	*decompressor = made;
	return STREAM_OK;
}

void
stream_decompressor_free(struct stream_decompressor *decompressor)
{
	if (decompressor == NULL)
		return;
	for (int i = STREAM_CODEC_GZIP; i < CODECS; i++)
		if (decompressor->states[i] != NULL)
			classes[i]->decompressor_free(decompressor->states[i]);
	free(decompressor);
}

int
stream_sink_overflow(const struct stream_sink *sink, struct stream_error *err)
{
	return stream_fail(err, STREAM_ETOOBIG, STREAM_POS_NONE,
	    "decompresses to more than the limit of %zu bytes", sink->limit);
}

int
stream_sink_room(struct stream_sink *sink, size_t want, size_t *room,
    struct stream_error *err)
{
	size_t most = sink->limit - stream_sink_count(sink);
	int status;

	if (most < SIZE_MAX)
		most++;
	status = stream_buf_reserve(sink->out, want < most ? want : most, err);
	if (status != STREAM_OK)
		return status;
	*room = sink->out->capacity - sink->out->size;
	if (*room > most)
		*room = most;
	return STREAM_OK;
}

int
stream_sink_took(struct stream_sink *sink, size_t n, struct stream_error *err)
{
	sink->out->size += n;
	if (stream_sink_count(sink) > sink->limit)
		return stream_sink_overflow(sink, err);
	return STREAM_OK;
}

/* Codec NONE: so that a caller need not know which codecs change bytes. */
static int
copy(struct stream_bytes bytes, struct stream_sink *sink,
    struct stream_error *err)
{
	if (bytes.size > sink->limit)
		return stream_sink_overflow(sink, err);
	return stream_buf_add(sink->out, bytes.data, bytes.size, err);
}

/*
 * What came out last time is the first guess: the batches of a topic are much
 * alike, and a guess that fits saves every copy of growing.  An eighth more,
 * since they are not equal.  It is our own past, never what the bytes claim.
 */
static size_t
guess_size(size_t last, size_t compressed)
{
	size_t least = compressed < 2048 ? 4096 : compressed * 2;
	size_t again;

	if (__builtin_add_overflow(last, last / 8, &again))
		again = last;
	return again > least ? again : least;
}

static int
decompress(struct stream_decompressor *decompressor, enum stream_codec codec,
    struct stream_bytes bytes, struct stream_sink *sink,
    struct stream_error *err)
{
	const struct stream_codec_class *class = class_of(codec);
	void **state;
	size_t room;
	int status;

	if (codec == STREAM_CODEC_NONE)
		return copy(bytes, sink, err);
	if (class == NULL)
		return stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
		    "codec %d is not supported", (int)codec);
	if (bytes.size > INT32_MAX)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%zu bytes are more than a batch can hold", bytes.size);
	state = &decompressor->states[codec];
	if (*state == NULL && class->decompressor_new != NULL) {
		status = class->decompressor_new(state, err);
		if (status != STREAM_OK)
			return status;
	}
	status = stream_sink_room(
	    sink, guess_size(decompressor->last, bytes.size), &room, err);
	if (status != STREAM_OK)
		return status;
	return class->decompress(*state, bytes, sink, err);
}

int
stream_decompress(struct stream_decompressor *decompressor,
    enum stream_codec codec, struct stream_bytes bytes, size_t limit,
    struct stream_buf *out, struct stream_error *err)
{
	struct stream_sink sink = {
	    .out = out,
	    .start = out->size,
	    .limit = limit,
	};
	int status = decompress(decompressor, codec, bytes, &sink, err);

	if (status != STREAM_OK)
		out->size = sink.start;
	else
		decompressor->last = stream_sink_count(&sink);
	return status;
}
