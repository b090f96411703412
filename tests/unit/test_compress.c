/* The four codecs: what they write, what they take, what they refuse. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lz4frame.h>
#include <snappy-c.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "codec/compress.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	KIB = 1024,
	MIB = 1024 * 1024,
	LIMIT = 64 * MIB, /* the product's default for a batch */
};

static const enum stream_codec codecs[] = {
    STREAM_CODEC_GZIP,
    STREAM_CODEC_SNAPPY,
    STREAM_CODEC_LZ4,
    STREAM_CODEC_ZSTD,
};

static const size_t sizes[] = {
    0, 1, 7, 32767, 32768, 32769, 65535, 65536, 65537, MIB};

/* ------------------------------------------------------------- helpers */

static struct stream_bytes
bytes_of(const struct stream_buf *buf)
{
	return (struct stream_bytes){.data = buf->data, .size = buf->size};
}

static void
add(struct stream_buf *buf, const void *bytes, size_t n)
{
	assert_int_equal(stream_buf_add(buf, bytes, n, NULL), STREAM_OK);
}

static void
fill_random(struct stream_buf *buf, size_t size)
{
	uint64_t x = UINT64_C(88172645463325252);

	assert_int_equal(stream_buf_reserve(buf, size, NULL), STREAM_OK);
	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf->data[buf->size++] = (uint8_t)(x >> 24);
	}
}

static void
fill_text(struct stream_buf *buf, size_t size)
{
	char line[128];

	for (unsigned i = 0; buf->size < size; i++) {
		int n = snprintf(line, sizeof(line),
		    "{\"user\":\"u%u\",\"path\":\"/item/%u\",\"ms\":%u}\n",
		    i * 2654435761u % 1000, i * 40503u % 5000, i % 977);

		add(buf, line, (size_t)n);
	}
	buf->size = size;
}

static void
compress_at(enum stream_codec codec, int level, struct stream_bytes bytes,
    struct stream_buf *out)
{
	struct stream_compressor *compressor;
	struct stream_error err;

	if (stream_compressor_new(codec, level, &compressor, &err) !=
		STREAM_OK ||
	    stream_compress(compressor, bytes, out, &err) != STREAM_OK)
		fail_msg("%s: %s", stream_codec_name(codec), err.text);
	stream_compressor_free(compressor);
}

static void
compress(
    enum stream_codec codec, struct stream_bytes bytes, struct stream_buf *out)
{
	compress_at(codec, STREAM_LEVEL_DEFAULT, bytes, out);
}

static int
decompress(enum stream_codec codec, struct stream_bytes bytes, size_t limit,
    struct stream_buf *out, struct stream_error *err)
{
	struct stream_decompressor *decompressor;
	int status;

	assert_int_equal(stream_decompressor_new(&decompressor, err), 0);
	status = stream_decompress(decompressor, codec, bytes, limit, out, err);
	stream_decompressor_free(decompressor);
	return status;
}

/* These bytes come out. */
static void
check_gives(enum stream_codec codec, const struct stream_buf *stream,
    struct stream_bytes expected)
{
	struct stream_buf out = {0};
	struct stream_error err;

	if (decompress(codec, bytes_of(stream), LIMIT, &out, &err) != STREAM_OK)
		fail_msg("%s: %s", stream_codec_name(codec), err.text);
	assert_int_equal(out.size, expected.size);
	if (expected.size > 0)
		assert_memory_equal(out.data, expected.data, expected.size);
	stream_buf_release(&out);
}

/* It is refused so, with this in the message, and out stays as it was. */
static void
check_refused(enum stream_codec codec, const struct stream_buf *stream,
    size_t limit, int status, const char *words)
{
	struct stream_buf out = {0};
	struct stream_error err = {0};
	int got;

	add(&out, "before", 6);
	got = decompress(codec, bytes_of(stream), limit, &out, &err);
	if (got != status)
		fail_msg("%s: %d, not %d: %s", stream_codec_name(codec), got,
		    status, err.text);
	assert_int_equal(err.status, status);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, err.text);
	assert_int_equal(out.size, 6);
	assert_memory_equal(out.data, "before", 6);
	stream_buf_release(&out);
}

/* ---------------------------------------------------------- all codecs */

static void
round_trip(struct stream_compressor *compressor,
    struct stream_decompressor *decompressor, enum stream_codec codec,
    struct stream_bytes bytes)
{
	struct stream_buf stream = {0}, out = {0};
	struct stream_error err;

	add(&stream, "head", 4);
	add(&out, "front", 5);
	if (stream_compress(compressor, bytes, &stream, &err) != STREAM_OK)
		fail_msg("%s", err.text);
	assert_memory_equal(stream.data, "head", 4);
	if (stream_decompress(decompressor, codec,
		(struct stream_bytes){stream.data + 4, stream.size - 4},
		bytes.size, &out, &err) != STREAM_OK)
		fail_msg("%s %zu: %s", stream_codec_name(codec), bytes.size,
		    err.text);
	assert_int_equal(out.size, bytes.size + 5);
	assert_memory_equal(out.data, "front", 5);
	if (bytes.size > 0)
		assert_memory_equal(out.data + 5, bytes.data, bytes.size);
	stream_buf_release(&stream);
	stream_buf_release(&out);
}

static void
round_trips(enum stream_codec codec, int level)
{
	struct stream_compressor *compressor;
	struct stream_decompressor *decompressor;
	struct stream_buf text = {0}, noise = {0};

	fill_text(&text, MIB);
	fill_random(&noise, MIB);
	assert_int_equal(
	    stream_compressor_new(codec, level, &compressor, NULL), 0);
	assert_int_equal(stream_decompressor_new(&decompressor, NULL), 0);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		round_trip(compressor, decompressor, codec,
		    (struct stream_bytes){text.data, sizes[i]});
		round_trip(compressor, decompressor, codec,
		    (struct stream_bytes){noise.data, sizes[i]});
	}
	round_trip(
	    compressor, decompressor, codec, (struct stream_bytes){NULL, 0});
	stream_compressor_free(compressor);
	stream_decompressor_free(decompressor);
	stream_buf_release(&text);
	stream_buf_release(&noise);
}

static void
every_size_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(codecs); i++)
		round_trips(codecs[i], STREAM_LEVEL_DEFAULT);
}

static void
every_level_comes_back(void **state)
{
	static const struct {
		enum stream_codec codec;
		int level;
	} rows[] = {
	    {STREAM_CODEC_GZIP, -1},
	    {STREAM_CODEC_GZIP, 1},
	    {STREAM_CODEC_GZIP, 9},
	    {STREAM_CODEC_LZ4, 0},
	    {STREAM_CODEC_LZ4, 1},
	    {STREAM_CODEC_LZ4, 3},
	    {STREAM_CODEC_LZ4, 12},
	    {STREAM_CODEC_ZSTD, -5},
	    {STREAM_CODEC_ZSTD, 3},
	    {STREAM_CODEC_ZSTD, 19},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		round_trips(rows[i].codec, rows[i].level);
}

static void
levels_outside_the_range_are_refused(void **state)
{
	static const struct {
		enum stream_codec codec;
		int level;
		const char *words;
	} rows[] = {
	    {STREAM_CODEC_GZIP, 0, "gzip level 0 is not in 1 to 9"},
	    {STREAM_CODEC_GZIP, 10, "gzip level 10 is not in 1 to 9"},
	    {STREAM_CODEC_GZIP, -2, "gzip level -2 is not in 1 to 9"},
	    {STREAM_CODEC_SNAPPY, 1, "codec snappy takes no level"},
	    {STREAM_CODEC_NONE, 1, "codec none takes no level"},
	    {STREAM_CODEC_LZ4, 13, "lz4 level 13 is not in 1 to 12"},
	    {STREAM_CODEC_LZ4, -1, "lz4 level -1 is not in 1 to 12"},
	    {STREAM_CODEC_ZSTD, 23, "zstd level 23 is not in"},
	    {STREAM_CODEC_ZSTD, -131073, "zstd level -131073 is not in"},
	    {(enum stream_codec)9, 1, "codec unknown takes no level"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_compressor *compressor = NULL;
		struct stream_error err = {0};

		assert_int_equal(stream_compress_check_level(
				     rows[i].codec, rows[i].level, &err),
		    STREAM_EUSAGE);
		assert_non_null(strstr(err.text, rows[i].words));
		assert_int_equal(stream_compressor_new(rows[i].codec,
				     rows[i].level, &compressor, NULL),
		    STREAM_EUSAGE);
		assert_null(compressor);
	}
	for (int codec = 0; codec < 5; codec++)
		assert_int_equal(
		    stream_compress_check_level(
			(enum stream_codec)codec, STREAM_LEVEL_DEFAULT, NULL),
		    STREAM_OK);
	assert_int_equal(ZSTD_minCLevel(), -131072);
	assert_int_equal(ZSTD_maxCLevel(), 22);
	assert_int_equal(LZ4F_compressionLevel_max(), 12);
}

static void
unknown_codecs_are_refused(void **state)
{
	struct stream_compressor *compressor;
	struct stream_buf stream = {0};

	(void)state;
	assert_int_equal(stream_compressor_new(STREAM_CODEC_NONE,
			     STREAM_LEVEL_DEFAULT, &compressor, NULL),
	    STREAM_EUSAGE);
	assert_int_equal(stream_compressor_new((enum stream_codec)5,
			     STREAM_LEVEL_DEFAULT, &compressor, NULL),
	    STREAM_EUSAGE);
	add(&stream, "x", 1);
	for (int codec = 5; codec < 8; codec++)
		check_refused((enum stream_codec)codec, &stream, LIMIT,
		    STREAM_ENEWER, "is not supported");
	check_refused(
	    (enum stream_codec) - 1, &stream, LIMIT, STREAM_ENEWER, "-1");
	stream_buf_release(&stream);
}

static void
codec_none_is_a_copy_within_the_limit(void **state)
{
	struct stream_buf stream = {0};

	(void)state;
	add(&stream, "plain", 5);
	check_gives(STREAM_CODEC_NONE, &stream, bytes_of(&stream));
	check_refused(
	    STREAM_CODEC_NONE, &stream, 4, STREAM_ETOOBIG, "limit of 4");
	stream_buf_release(&stream);
}

static void
codecs_have_names(void **state)
{
	static const char *const names[] = {
	    "none", "gzip", "snappy", "lz4", "zstd"};
	static const char *const others[] = {
	    "", "ZSTD", "zstd ", "zst", "producer", "uncompressed", "gzip:9"};
	enum stream_codec codec = STREAM_CODEC_LZ4;

	(void)state;
	for (int i = 0; i < (int)COUNT(names); i++) {
		assert_string_equal(
		    stream_codec_name((enum stream_codec)i), names[i]);
		assert_true(stream_codec_find(names[i], &codec));
		assert_int_equal(codec, i);
	}
	codec = STREAM_CODEC_LZ4;
	for (size_t i = 0; i < COUNT(others); i++)
		assert_false(stream_codec_find(others[i], &codec));
	assert_int_equal(codec, STREAM_CODEC_LZ4);
	assert_null(stream_codec_name((enum stream_codec)5));
	assert_null(stream_codec_name((enum stream_codec) - 1));
}

static void
empty_input_is_no_stream(void **state)
{
	struct stream_buf nothing = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(codecs); i++)
		check_refused(codecs[i], &nothing, LIMIT, STREAM_ECORRUPT, "");
}

static void
small_stream(enum stream_codec codec, struct stream_buf *stream)
{
	struct stream_buf text = {0};

	fill_text(&text, 300);
	compress(codec, bytes_of(&text), stream);
	stream_buf_release(&text);
}

static void
cut_stream_is_corrupt(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(codecs); i++) {
		struct stream_buf stream = {0};
		size_t whole;

		small_stream(codecs[i], &stream);
		whole = stream.size;
		for (size_t n = 0; n < whole; n++) {
			/* Snappy's framing has no end: its header alone is
			 * the stream of nothing. */
			if (codecs[i] == STREAM_CODEC_SNAPPY && n == 16)
				continue;
			stream.size = n;
			check_refused(
			    codecs[i], &stream, LIMIT, STREAM_ECORRUPT, "");
		}
		stream_buf_release(&stream);
	}
}

static void
bytes_after_the_stream_are_corrupt(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(codecs); i++) {
		struct stream_buf stream = {0};

		small_stream(codecs[i], &stream);
		add(&stream, "\1\2\3", 3);
		check_refused(codecs[i], &stream, LIMIT, STREAM_ECORRUPT, "");
		stream_buf_release(&stream);
	}
}

static bool
may_answer(int status)
{
	return status == STREAM_OK || status == STREAM_ECORRUPT ||
	       status == STREAM_ENEWER || status == STREAM_ETOOBIG;
}

/* In memory of exactly its size, so that a sanitizer sees each byte past. */
static void
flip_each_byte(enum stream_codec codec, const struct stream_buf *stream)
{
	static const uint8_t flips[] = {0xff, 0x01, 0x80, 0x10};
	uint8_t *exact = malloc(stream->size);
	struct stream_buf out = {0};

	assert_non_null(exact);
	memcpy(exact, stream->data, stream->size);
	for (size_t i = 0; i < stream->size * COUNT(flips); i++) {
		uint8_t flip = flips[i % COUNT(flips)];
		uint8_t *at = exact + i / COUNT(flips);

		*at ^= flip;
		out.size = 0;
		assert_true(may_answer(decompress(codec,
		    (struct stream_bytes){exact, stream->size}, MIB, &out,
		    NULL)));
		*at ^= flip;
	}
	free(exact);
	stream_buf_release(&out);
}

static void
flipped_bytes_never_crash(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(codecs); i++) {
		struct stream_buf stream = {0};

		small_stream(codecs[i], &stream);
		flip_each_byte(codecs[i], &stream);
		stream_buf_release(&stream);
	}
}

static void
random_bytes_are_refused(void **state)
{
	struct stream_buf noise = {0};

	(void)state;
	fill_random(&noise, 4096);
	for (size_t i = 0; i < COUNT(codecs); i++)
		check_refused(codecs[i], &noise, LIMIT, STREAM_ECORRUPT, "");
	stream_buf_release(&noise);
}

static void
limit_is_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(codecs); i++) {
		struct stream_buf text = {0}, stream = {0}, out = {0};

		fill_text(&text, 100000);
		compress(codecs[i], bytes_of(&text), &stream);
		assert_int_equal(decompress(codecs[i], bytes_of(&stream),
				     100000, &out, NULL),
		    STREAM_OK);
		out.size = 0;
		assert_int_equal(decompress(codecs[i], bytes_of(&stream),
				     SIZE_MAX, &out, NULL),
		    STREAM_OK);
		check_refused(codecs[i], &stream, 99999, STREAM_ETOOBIG,
		    "limit of 99999 bytes");
		check_refused(codecs[i], &stream, 1, STREAM_ETOOBIG, "");
		check_refused(codecs[i], &stream, 0, STREAM_ETOOBIG, "");
		stream_buf_release(&text);
		stream_buf_release(&stream);
		stream_buf_release(&out);
	}
}

static void
nothing_fits_a_limit_of_zero(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(codecs); i++) {
		struct stream_buf stream = {0}, out = {0};

		compress(codecs[i], (struct stream_bytes){NULL, 0}, &stream);
		assert_int_equal(
		    decompress(codecs[i], bytes_of(&stream), 0, &out, NULL),
		    STREAM_OK);
		assert_int_equal(out.size, 0);
		stream_buf_release(&stream);
		stream_buf_release(&out);
	}
}

/* Its bytes are never looked at. */
static void
more_than_a_batch_is_refused(void **state)
{
	const struct stream_bytes huge = {
	    (const uint8_t *)"", (size_t)INT32_MAX + 1};
	struct stream_buf out = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(codecs); i++) {
		struct stream_compressor *compressor;

		assert_int_equal(stream_compressor_new(codecs[i],
				     STREAM_LEVEL_DEFAULT, &compressor, NULL),
		    STREAM_OK);
		assert_int_equal(stream_compress(compressor, huge, &out, NULL),
		    STREAM_EUSAGE);
		assert_int_equal(
		    decompress(codecs[i], huge, SIZE_MAX, &out, NULL),
		    STREAM_ECORRUPT);
		assert_int_equal(out.size, 0);
		stream_compressor_free(compressor);
	}
	stream_compressor_free(NULL);
	stream_decompressor_free(NULL);
}

/* One object for a stream that fails, then for one that does not. */
static void
failure_leaves_the_decompressor_whole(void **state)
{
	struct stream_decompressor *decompressor;
	struct stream_buf out = {0};

	(void)state;
	assert_int_equal(stream_decompressor_new(&decompressor, NULL), 0);
	for (size_t i = 0; i < COUNT(codecs); i++) {
		struct stream_buf stream = {0};
		struct stream_bytes cut;

		small_stream(codecs[i], &stream);
		cut = bytes_of(&stream);
		cut.size -= 3;
		out.size = 0;
		assert_int_equal(stream_decompress(decompressor, codecs[i], cut,
				     LIMIT, &out, NULL),
		    STREAM_ECORRUPT);
		assert_int_equal(stream_decompress(decompressor, codecs[i],
				     bytes_of(&stream), 299, &out, NULL),
		    STREAM_ETOOBIG);
		assert_int_equal(stream_decompress(decompressor, codecs[i],
				     bytes_of(&stream), LIMIT, &out, NULL),
		    STREAM_OK);
		assert_int_equal(out.size, 300);
		stream_buf_release(&stream);
	}
	stream_decompressor_free(decompressor);
	stream_buf_release(&out);
}

/* ---------------------------------------------------------------- gzip */

static void
gzip_header_is_javas(void **state)
{
	static const uint8_t header[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};
	struct stream_buf stream = {0};

	(void)state;
	small_stream(STREAM_CODEC_GZIP, &stream);
	assert_memory_equal(stream.data, header, sizeof(header));
	stream_buf_release(&stream);
}

static void
gzip_members_are_one_stream(void **state)
{
	struct stream_buf stream = {0}, text = {0};

	(void)state;
	small_stream(STREAM_CODEC_GZIP, &stream);
	compress(STREAM_CODEC_GZIP, (struct stream_bytes){NULL, 0}, &stream);
	small_stream(STREAM_CODEC_GZIP, &stream);
	fill_text(&text, 300);
	add(&text, text.data, 0);
	assert_int_equal(stream_buf_reserve(&text, 300, NULL), 0);
	memcpy(text.data + 300, text.data, 300);
	text.size = 600;
	check_gives(STREAM_CODEC_GZIP, &stream, bytes_of(&text));
	stream.size--;
	check_refused(
	    STREAM_CODEC_GZIP, &stream, LIMIT, STREAM_ECORRUPT, "cut short");
	stream_buf_release(&stream);
	stream_buf_release(&text);
}

static void
gzip_checksum_is_verified(void **state)
{
	struct stream_buf stream = {0};

	(void)state;
	small_stream(STREAM_CODEC_GZIP, &stream);
	stream.data[stream.size - 8] ^= 1;
	check_refused(STREAM_CODEC_GZIP, &stream, LIMIT, STREAM_ECORRUPT,
	    "incorrect data check");
	stream_buf_release(&stream);
}

/* -------------------------------------------------------------- snappy */

static const uint8_t xerial[16] = {
    0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};

static void
snappy_framing_has_blocks_of_32_kib(void **state)
{
	struct stream_buf text = {0}, stream = {0};
	size_t at = sizeof(xerial), blocks = 0;

	(void)state;
	fill_text(&text, 100000);
	compress(STREAM_CODEC_SNAPPY, bytes_of(&text), &stream);
	assert_memory_equal(stream.data, xerial, sizeof(xerial));
	while (at < stream.size) {
		size_t size = stream_load32(stream.data + at);
		size_t raw;

		assert_int_equal(
		    snappy_uncompressed_length(
			(const char *)stream.data + at + 4, size, &raw),
		    SNAPPY_OK);
		assert_int_equal(raw, ++blocks < 4 ? 32768 : 100000 % 32768);
		at += 4 + size;
	}
	assert_int_equal(blocks, 4);
	assert_int_equal(at, stream.size);
	stream_buf_release(&text);
	stream_buf_release(&stream);
}

static void
snappy_streams_are_one_stream(void **state)
{
	struct stream_buf stream = {0};

	(void)state;
	compress(STREAM_CODEC_SNAPPY,
	    (struct stream_bytes){(const uint8_t *)"ab", 2}, &stream);
	compress(STREAM_CODEC_SNAPPY,
	    (struct stream_bytes){(const uint8_t *)"cd", 2}, &stream);
	check_gives(STREAM_CODEC_SNAPPY, &stream,
	    (struct stream_bytes){(const uint8_t *)"abcd", 4});
	stream_buf_release(&stream);
}

/* librdkafka writes one raw block; a topic that keeps its producers' codec
 * holds it. */
static void
raw_snappy_is_read(void **state)
{
	struct stream_decompressor *decompressor;
	struct stream_buf out = {0};
	uint8_t raw[64];
	size_t size = sizeof(raw);

	(void)state;
	assert_int_equal(
	    snappy_compress("hello", 5, (char *)raw, &size), SNAPPY_OK);
	assert_int_equal(
	    stream_decompressor_new(&decompressor, NULL), STREAM_OK);
	assert_int_equal(
	    stream_decompress(decompressor, STREAM_CODEC_SNAPPY,
		(struct stream_bytes){raw, size}, LIMIT, &out, NULL),
	    STREAM_OK);
	assert_int_equal(out.size, 5);
	assert_memory_equal(out.data, "hello", 5);
	raw[0] = 0xff;
	assert_int_equal(
	    stream_decompress(decompressor, STREAM_CODEC_SNAPPY,
		(struct stream_bytes){raw, size}, LIMIT, &out, NULL),
	    STREAM_ECORRUPT);
	assert_int_equal(out.size, 5);
	stream_buf_release(&out);
	stream_decompressor_free(decompressor);
}

static void
snappy_claims_are_not_believed(void **state)
{
	static const struct {
		const char *words;
		uint8_t block[12];
		size_t size;
	} rows[] = {
	    {"impossible size", {0, 0, 0, 6, 0xff, 0xff, 0xff, 0xff, 0x0f, 0},
		10},
	    {"impossible size", {0, 0, 0, 0}, 4},
	    {"damaged", {0, 0, 0, 2, 5, 0}, 6},
	    {"cut short in a block", {0xff, 0xff, 0xff, 0xff, 0}, 5},
	    {"cut short in a block", {0, 0, 0, 2, 1}, 5},
	    {"cut short", {0, 0, 0}, 3},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_buf stream = {0};

		add(&stream, xerial, sizeof(xerial));
		add(&stream, rows[i].block, rows[i].size);
		check_refused(STREAM_CODEC_SNAPPY, &stream, SIZE_MAX,
		    STREAM_ECORRUPT, rows[i].words);
		stream_buf_release(&stream);
	}
}

static void
snappy_version_zero_is_corrupt(void **state)
{
	struct stream_buf stream = {0};

	(void)state;
	small_stream(STREAM_CODEC_SNAPPY, &stream);
	stream.data[11] = 0;
	check_refused(STREAM_CODEC_SNAPPY, &stream, LIMIT, STREAM_ECORRUPT,
	    "version below 1");
	stream_buf_release(&stream);
}

/* ----------------------------------------------------------------- lz4 */

static void
lz4_header_is_kafkas(void **state)
{
	static const uint8_t header[] = {
	    0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82};
	static const uint8_t empty[] = {
	    0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 0, 0, 0, 0};
	struct stream_buf stream = {0};

	(void)state;
	small_stream(STREAM_CODEC_LZ4, &stream);
	assert_memory_equal(stream.data, header, sizeof(header));
	assert_memory_equal(stream.data + stream.size - 4, "\0\0\0\0", 4);
	stream.size = 0;
	compress(STREAM_CODEC_LZ4, (struct stream_bytes){NULL, 0}, &stream);
	assert_int_equal(stream.size, sizeof(empty));
	assert_memory_equal(stream.data, empty, sizeof(empty));
	stream_buf_release(&stream);
}

/* What liblz4 makes of the text, by these settings. */
static void
lz4_frame(const LZ4F_frameInfo_t *info, const struct stream_buf *text,
    struct stream_buf *stream)
{
	LZ4F_preferences_t preferences = {.frameInfo = *info};
	size_t bound = LZ4F_compressFrameBound(text->size, &preferences);
	size_t n;

	assert_int_equal(stream_buf_reserve(stream, bound, NULL), 0);
	n = LZ4F_compressFrame(
	    stream->data, bound, text->data, text->size, &preferences);
	assert_false(LZ4F_isError(n));
	stream->size = n;
}

static void
lz4_frames_that_kafka_reads_are_read(void **state)
{
	struct stream_buf text = {0}, stream = {0};

	(void)state;
	fill_text(&text, MIB);
	for (int flags = 0; flags < 32; flags++) {
		LZ4F_frameInfo_t info = {
		    .blockMode = LZ4F_blockIndependent,
		    .blockSizeID = (LZ4F_blockSizeID_t)(4 + flags / 8),
		    .contentSize = flags & 1 ? MIB : 0,
		    .contentChecksumFlag =
			(LZ4F_contentChecksum_t)(flags >> 1 & 1),
		    .blockChecksumFlag = (LZ4F_blockChecksum_t)(flags >> 2 & 1),
		};

		lz4_frame(&info, &text, &stream);
		check_gives(STREAM_CODEC_LZ4, &stream, bytes_of(&text));
	}
	stream_buf_release(&text);
	stream_buf_release(&stream);
}

static void
lz4_linked_blocks_are_refused(void **state)
{
	const LZ4F_frameInfo_t info = {
	    .blockMode = LZ4F_blockLinked, .blockSizeID = LZ4F_max64KB};
	struct stream_buf text = {0}, stream = {0};

	(void)state;
	fill_text(&text, MIB);
	lz4_frame(&info, &text, &stream);
	check_refused(STREAM_CODEC_LZ4, &stream, LIMIT, STREAM_ENEWER,
	    "linked blocks are not supported");
	stream_buf_release(&text);
	stream_buf_release(&stream);
}

static void
lz4_content_checksum_is_ignored_as_in_kafka(void **state)
{
	const LZ4F_frameInfo_t info = {.blockMode = LZ4F_blockIndependent,
	    .contentChecksumFlag = LZ4F_contentChecksumEnabled};
	struct stream_buf text = {0}, stream = {0};

	(void)state;
	fill_text(&text, 300);
	lz4_frame(&info, &text, &stream);
	stream.data[stream.size - 1] ^= 1;
	check_gives(STREAM_CODEC_LZ4, &stream, bytes_of(&text));
	stream.size--;
	check_refused(
	    STREAM_CODEC_LZ4, &stream, LIMIT, STREAM_ECORRUPT, "cut short");
	stream_buf_release(&text);
	stream_buf_release(&stream);
}

static void
lz4_block_checksum_is_verified(void **state)
{
	const LZ4F_frameInfo_t info = {.blockMode = LZ4F_blockIndependent,
	    .blockChecksumFlag = LZ4F_blockChecksumEnabled};
	struct stream_buf text = {0}, stream = {0};

	(void)state;
	fill_text(&text, 300);
	lz4_frame(&info, &text, &stream);
	stream.data[stream.size - 5] ^= 1; /* before the end mark */
	check_refused(STREAM_CODEC_LZ4, &stream, LIMIT, STREAM_ECORRUPT,
	    "block with a bad checksum");
	stream_buf_release(&text);
	stream_buf_release(&stream);
}

/* A header with these bytes, its checksum right, and the end mark. */
static void
lz4_header_is_judged(void **state)
{
	static const struct {
		uint8_t header[7];
		int status;
		const char *words;
	} rows[] = {
	    {{4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82}, STREAM_OK, ""},
	    {{4, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73}, STREAM_OK, ""},
	    {{4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x83}, STREAM_ECORRUPT,
		"header with a bad checksum"},
	    {{4, 0x22, 0x4d, 0x18, 0x40, 0x40, 0xc0}, STREAM_ENEWER, "linked"},
	    {{4, 0x22, 0x4d, 0x19, 0x60, 0x40, 0x82}, STREAM_ECORRUPT,
		"not an lz4 frame"},
	    {{2, 0x21, 0x4c, 0x18, 0x60, 0x40, 0x82}, STREAM_ECORRUPT,
		"not an lz4 frame"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_buf stream = {0};
		struct stream_buf nothing = {0};

		add(&stream, rows[i].header, 7);
		add(&stream, "\0\0\0\0", 4);
		if (rows[i].status == STREAM_OK)
			check_gives(
			    STREAM_CODEC_LZ4, &stream, bytes_of(&nothing));
		else
			check_refused(STREAM_CODEC_LZ4, &stream, LIMIT,
			    rows[i].status, rows[i].words);
		stream_buf_release(&stream);
	}
}

static void
lz4_block_above_the_maximum_is_corrupt(void **state)
{
	static const uint8_t header[] = {4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82,
	    1, 0, 1, 0x80}; /* stored, 65537 bytes */
	struct stream_buf stream = {0};

	(void)state;
	add(&stream, header, sizeof(header));
	fill_random(&stream, 65537);
	add(&stream, "\0\0\0\0", 4);
	check_refused(STREAM_CODEC_LZ4, &stream, LIMIT, STREAM_ECORRUPT,
	    "larger than its frame allows");
	stream_buf_release(&stream);
}

/* ---------------------------------------------------------------- zstd */

static void
zstd_header_has_no_size_and_no_checksum(void **state)
{
	struct stream_buf stream = {0};

	(void)state;
	small_stream(STREAM_CODEC_ZSTD, &stream);
	assert_memory_equal(stream.data, "\x28\xb5\x2f\xfd", 4);
	/* Size flag, single segment, checksum, dictionary: all zero. */
	assert_int_equal(stream.data[4], 0);
	assert_true(ZSTD_getFrameContentSize(stream.data, stream.size) ==
		    ZSTD_CONTENTSIZE_UNKNOWN);
	stream_buf_release(&stream);
}

static void
zstd_frames_are_one_stream(void **state)
{
	static const uint8_t skippable[] = {
	    0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'};
	struct stream_buf stream = {0};
	const struct stream_bytes ab = {(const uint8_t *)"ab", 2};

	(void)state;
	add(&stream, skippable, sizeof(skippable));
	compress(STREAM_CODEC_ZSTD, ab, &stream);
	compress(STREAM_CODEC_ZSTD, (struct stream_bytes){NULL, 0}, &stream);
	add(&stream, skippable, sizeof(skippable));
	compress(STREAM_CODEC_ZSTD, ab, &stream);
	check_gives(STREAM_CODEC_ZSTD, &stream,
	    (struct stream_bytes){(const uint8_t *)"abab", 4});
	check_refused(STREAM_CODEC_ZSTD, &stream, 3, STREAM_ETOOBIG, "");
	add(&stream, skippable, sizeof(skippable) - 1);
	check_refused(
	    STREAM_CODEC_ZSTD, &stream, LIMIT, STREAM_ECORRUPT, "cut short");
	stream_buf_release(&stream);
}

static void
zstd_frames_with_size_and_checksum_are_read(void **state)
{
	struct stream_buf text = {0}, stream = {0};
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t n;

	(void)state;
	fill_text(&text, 5000);
	assert_int_equal(stream_buf_reserve(&stream, 10000, NULL), 0);
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(context, stream.data, 10000, text.data, text.size);
	assert_false(ZSTD_isError(n));
	stream.size = n;
	check_gives(STREAM_CODEC_ZSTD, &stream, bytes_of(&text));
	stream.data[n - 1] ^= 1;
	check_refused(
	    STREAM_CODEC_ZSTD, &stream, LIMIT, STREAM_ECORRUPT, "checksum");
	ZSTD_freeCCtx(context);
	stream_buf_release(&text);
	stream_buf_release(&stream);
}

/* A frame of count RLE blocks of 128 KiB zeros, of 4 bytes each. */
static void
zstd_zeros(uint8_t window, size_t count, struct stream_buf *stream)
{
	const uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0, window};

	add(stream, head, sizeof(head));
	for (size_t i = 1; i <= count; i++) {
		/* Bit 0 last, bits 1-2 RLE (1), from bit 3 the size. */
		uint32_t block = 131072u << 3 | 1u << 1 | (i == count);
		const uint8_t bytes[] = {(uint8_t)block, (uint8_t)(block >> 8),
		    (uint8_t)(block >> 16), 0};

		add(stream, bytes, sizeof(bytes));
	}
}

static void
zstd_windows_are_judged_as_in_kafka(void **state)
{
	static const struct {
		uint8_t window;
		int status;
	} rows[] = {
	    {7 << 3, STREAM_OK},          /* 128 KiB */
	    {17 << 3, STREAM_OK},         /* 128 MiB */
	    {17 << 3 | 1, STREAM_ENEWER}, /* and an eighth */
	    {18 << 3, STREAM_ENEWER},
	    {31 << 3 | 7, STREAM_ENEWER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_buf stream = {0}, out = {0};

		zstd_zeros(rows[i].window, 1, &stream);
		assert_int_equal(decompress(STREAM_CODEC_ZSTD,
				     bytes_of(&stream), LIMIT, &out, NULL),
		    rows[i].status);
		stream_buf_release(&stream);
		stream_buf_release(&out);
	}
}

static void
zstd_before_1_0_is_refused(void **state)
{
	struct stream_buf stream = {0};

	(void)state;
	small_stream(STREAM_CODEC_ZSTD, &stream);
	stream.data[0] = 0x27; /* v0.7 */
	check_refused(STREAM_CODEC_ZSTD, &stream, LIMIT, STREAM_ECORRUPT,
	    "not a zstd frame");
	stream_buf_release(&stream);
}

/* --------------------------------------------------------------- bombs */

/* Refused by the limit, with no more memory than a few times that. */
static void
check_bomb(enum stream_codec codec, const struct stream_buf *stream)
{
	struct stream_buf out = {0};
	struct stream_error err;

	assert_int_equal(
	    decompress(codec, bytes_of(stream), 8 * MIB, &out, &err),
	    STREAM_ETOOBIG);
	assert_true(out.capacity <= 2 * (8 * MIB + 4 * MIB));
	assert_int_equal(out.size, 0);
	stream_buf_release(&out);
}

static void
zstd_bomb_is_stopped_at_the_limit(void **state)
{
	struct stream_buf stream = {0};

	(void)state;
	zstd_zeros(7 << 3, 32768, &stream); /* 4 GiB */
	check_bomb(STREAM_CODEC_ZSTD, &stream);
	stream.size = 0;
	for (int i = 0; i < 4096; i++) /* the same in frames of 1 MiB */
		zstd_zeros(7 << 3, 8, &stream);
	check_bomb(STREAM_CODEC_ZSTD, &stream);
	stream_buf_release(&stream);
}

/* 4 GiB of zeros in gzip members of 1 MiB; in one member 64 MiB. */
static void
gzip_bomb_is_stopped_at_the_limit(void **state)
{
	uint8_t *zeros = calloc(1, 64 * MIB);
	struct stream_buf stream = {0};
	size_t member;

	(void)state;
	assert_non_null(zeros);
	compress_at(STREAM_CODEC_GZIP, 1,
	    (struct stream_bytes){zeros, 64 * MIB}, &stream);
	check_bomb(STREAM_CODEC_GZIP, &stream);
	stream.size = 0;
	compress(STREAM_CODEC_GZIP, (struct stream_bytes){zeros, MIB}, &stream);
	member = stream.size;
	assert_int_equal(stream_buf_reserve(&stream, member * 4096, NULL), 0);
	for (int i = 1; i < 4096; i++)
		add(&stream, stream.data, member);
	check_bomb(STREAM_CODEC_GZIP, &stream);
	stream_buf_release(&stream);
	free(zeros);
}

static void
lz4_and_snappy_bombs_are_stopped_at_the_limit(void **state)
{
	uint8_t *zeros = calloc(1, 256 * MIB);
	struct stream_buf stream = {0};

	(void)state;
	assert_non_null(zeros);
	compress(
	    STREAM_CODEC_LZ4, (struct stream_bytes){zeros, 256 * MIB}, &stream);
	check_bomb(STREAM_CODEC_LZ4, &stream);
	stream.size = 0;
	compress(STREAM_CODEC_SNAPPY, (struct stream_bytes){zeros, 256 * MIB},
	    &stream);
	check_bomb(STREAM_CODEC_SNAPPY, &stream);
	stream_buf_release(&stream);
	free(zeros);
}

/* -------------------------------------------------------- Kafka's files */

enum { BATCH_HEADER = 61 };

/* A zig-zag varint; the golden ones are whole. */
static int64_t
take_varint(const uint8_t **p)
{
	uint64_t v = 0;

	for (int shift = 0;; shift += 7) {
		uint8_t byte = *(*p)++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
	}
}

/* The records of one batch fill exactly what came out. */
static void
check_batch(struct stream_decompressor *decompressor, enum stream_codec codec,
    const uint8_t *batch, size_t size)
{
	struct stream_buf out = {0};
	struct stream_error err;
	uint32_t count = stream_load32(batch + 57);
	const uint8_t *p;

	assert_int_equal(stream_load16(batch + 21) & 7, codec);
	if (stream_decompress(decompressor, codec,
		(struct stream_bytes){
		    batch + BATCH_HEADER, size - BATCH_HEADER},
		LIMIT, &out, &err) != STREAM_OK)
		fail_msg("%s: %s", stream_codec_name(codec), err.text);
	p = out.data;
	for (uint32_t i = 0; i < count; i++) {
		int64_t length = take_varint(&p);

		assert_true(length > 0 && length <= out.data + out.size - p);
		p += length;
	}
	assert_true(p == out.data + out.size);
	stream_buf_release(&out);
}

/* All batches of a log file; returns how many. */
static unsigned
check_log(struct stream_decompressor *decompressor, enum stream_codec codec,
    const char *path)
{
	struct stream_buf log = {0};
	FILE *file = fopen(path, "rb");
	unsigned batches = 0;
	size_t size;

	assert_non_null(file);
	assert_int_equal(stream_buf_reserve(&log, MIB, NULL), STREAM_OK);
	log.size = fread(log.data, 1, MIB, file);
	fclose(file);
	for (size_t at = 0; at < log.size; at += size, batches++) {
		size = 12 + (size_t)stream_load32(log.data + at + 8);
		assert_true(size > BATCH_HEADER && size <= log.size - at);
		check_batch(decompressor, codec, log.data + at, size);
	}
	stream_buf_release(&log);
	return batches;
}

static unsigned
check_golden(const char *golden, enum stream_codec codec)
{
	struct stream_decompressor *decompressor;
	char directory[1024], path[2048];
	const struct dirent *entry;
	unsigned batches = 0;
	DIR *dir;

	snprintf(directory, sizeof(directory), "%s/%s/topic-0", golden,
	    stream_codec_name(codec));
	dir = opendir(directory);
	if (dir == NULL)
		return 0;
	assert_int_equal(stream_decompressor_new(&decompressor, NULL), 0);
	while ((entry = readdir(dir)) != NULL) {
		const char *end = strstr(entry->d_name, ".log");

		if (end == NULL || end[4] != '\0')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		batches += check_log(decompressor, codec, path);
	}
	closedir(dir);
	stream_decompressor_free(decompressor);
	return batches;
}

static void
batches_of_a_broker_are_read(void **state)
{
	static const enum stream_codec present[] = {
	    STREAM_CODEC_GZIP, STREAM_CODEC_LZ4, STREAM_CODEC_ZSTD};
	const char *golden = getenv("STRM_GOLDEN");
	unsigned batches = 0;

	(void)state;
	if (golden != NULL)
		for (size_t i = 0; i < COUNT(present); i++)
			batches += check_golden(golden, present[i]);
	if (batches == 0)
		skip();
	print_message("%u batches\n", batches);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_size_comes_back),
	    cmocka_unit_test(every_level_comes_back),
	    cmocka_unit_test(levels_outside_the_range_are_refused),
	    cmocka_unit_test(unknown_codecs_are_refused),
	    cmocka_unit_test(codec_none_is_a_copy_within_the_limit),
	    cmocka_unit_test(codecs_have_names),
	    cmocka_unit_test(empty_input_is_no_stream),
	    cmocka_unit_test(cut_stream_is_corrupt),
	    cmocka_unit_test(bytes_after_the_stream_are_corrupt),
	    cmocka_unit_test(flipped_bytes_never_crash),
	    cmocka_unit_test(random_bytes_are_refused),
	    cmocka_unit_test(limit_is_exact),
	    cmocka_unit_test(nothing_fits_a_limit_of_zero),
	    cmocka_unit_test(more_than_a_batch_is_refused),
	    cmocka_unit_test(failure_leaves_the_decompressor_whole),
	    cmocka_unit_test(gzip_header_is_javas),
	    cmocka_unit_test(gzip_members_are_one_stream),
	    cmocka_unit_test(gzip_checksum_is_verified),
	    cmocka_unit_test(snappy_framing_has_blocks_of_32_kib),
	    cmocka_unit_test(snappy_streams_are_one_stream),
	    cmocka_unit_test(raw_snappy_is_read),
	    cmocka_unit_test(snappy_claims_are_not_believed),
	    cmocka_unit_test(snappy_version_zero_is_corrupt),
	    cmocka_unit_test(lz4_header_is_kafkas),
	    cmocka_unit_test(lz4_frames_that_kafka_reads_are_read),
	    cmocka_unit_test(lz4_linked_blocks_are_refused),
	    cmocka_unit_test(lz4_content_checksum_is_ignored_as_in_kafka),
	    cmocka_unit_test(lz4_block_checksum_is_verified),
	    cmocka_unit_test(lz4_header_is_judged),
	    cmocka_unit_test(lz4_block_above_the_maximum_is_corrupt),
	    cmocka_unit_test(zstd_header_has_no_size_and_no_checksum),
	    cmocka_unit_test(zstd_frames_are_one_stream),
	    cmocka_unit_test(zstd_frames_with_size_and_checksum_are_read),
	    cmocka_unit_test(zstd_windows_are_judged_as_in_kafka),
	    cmocka_unit_test(zstd_before_1_0_is_refused),
	    cmocka_unit_test(zstd_bomb_is_stopped_at_the_limit),
	    cmocka_unit_test(gzip_bomb_is_stopped_at_the_limit),
	    cmocka_unit_test(lz4_and_snappy_bombs_are_stopped_at_the_limit),
	    cmocka_unit_test(batches_of_a_broker_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
