/* codecs.c - the compressed streams of SPEC section 2.3 */
#include <stdlib.h>
#include <string.h>
#include <lz4.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "refdec.h"

/* Have want bytes free; refdec_decompress looks at the limit. */
static void
room(struct refdec_buf *b, size_t want)
{
	if (b->cap - b->n >= want)
		return;
	b->cap = 2 * b->cap + want + 4096;
	b->p = realloc(b->p, b->cap);
	if (!b->p)
		abort();
}

static int
gzip(const uint8_t *p, const uint8_t *end, struct refdec_buf *b)
{
	int s;
	do {
		z_stream z = {.next_in = (uint8_t *)(uintptr_t)p,
		    .avail_in = (uInt)(end - p)};
		s = inflateInit2(&z, 15 + 16);
		while (s == Z_OK && b->n <= b->limit) {
			room(b, 1);
			z.next_out = b->p + b->n;
			z.avail_out = (uInt)(b->cap - b->n);
			s = inflate(&z, Z_NO_FLUSH);
			b->n = b->cap - z.avail_out;
		}
		p = z.next_in;
		inflateEnd(&z);
	} while (s == Z_STREAM_END && p < end);
	return s == Z_STREAM_END ? REFDEC_GOOD : REFDEC_CORRUPT;
}

static int
snappy_block(const uint8_t *p, size_t n, struct refdec_buf *b)
{
	size_t out;
	if (snappy_uncompressed_length((const char *)p, n, &out) ||
	    out > b->limit)
		return REFDEC_CORRUPT;
	room(b, out);
	if (snappy_uncompress((const char *)p, n, (char *)b->p + b->n, &out))
		return REFDEC_CORRUPT;
	b->n += out;
	return REFDEC_GOOD;
}

static int
snappy(const uint8_t *p, const uint8_t *end, struct refdec_buf *b)
{
	static const uint8_t magic[] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
	int verdict = REFDEC_GOOD;
	if (end - p < 8 || memcmp(p, magic, 8) != 0)
		return snappy_block(p, (size_t)(end - p), b);
	while (p < end && !verdict && b->n <= b->limit) {
		size_t left = (size_t)(end - p);
		if (left >= 16 && !memcmp(p, magic, 8) &&
		    (int32_t)refdec_be(p + 8, 4) >= 1) {
			p += 16;
			continue;
		}
		size_t n = left < 4 ? 0 : refdec_be(p, 4);
		if (left < 4 || n > left - 4)
			return REFDEC_CORRUPT;
		verdict = snappy_block(p + 4, n, b);
		p += 4 + n;
	}
	return verdict;
}

static uint32_t
little32(const uint8_t *p)
{
	return __builtin_bswap32((uint32_t)refdec_be(p, 4));
}

static int
lz4(const uint8_t *p, const uint8_t *end, struct refdec_buf *b)
{
	if (end - p < 7 || little32(p) != 0x184d2204)
		return REFDEC_CORRUPT;
	int flags = p[4];
	long head = 6 + (flags & 8) + (flags & 1) * 4;
	size_t most = (size_t)1 << (8 + 2 * (p[5] >> 4 & 7));
	if (end - p <= head ||
	    (XXH32(p + 4, (size_t)head - 4, 0) >> 8 & 255) != p[head] ||
	    flags >> 6 != 1 || flags & 2 || p[5] & 0x8f || p[5] < 0x40)
		return REFDEC_CORRUPT;
	if (flags & 1 || !(flags & 0x20))
		return REFDEC_NEWER;
	for (p += head + 1; end - p >= 4;) {
		uint32_t word = little32(p);
		size_t n = word & 0x7fffffff;
		p += 4;
		if (n == 0 && end - p == (flags & 4))
			return REFDEC_GOOD;
		size_t check = flags & 16 ? 4 : 0;
		if (n == 0 || n > most || n + check > (size_t)(end - p) ||
		    (check && XXH32(p, n, 0) != little32(p + n)))
			return REFDEC_CORRUPT;
		int out = (int)n;
		room(b, most);
		if (word >> 31)
			memcpy(b->p + b->n, p, n);
		else
			out = LZ4_decompress_safe((const char *)p,
			    (char *)b->p + b->n, (int)n, (int)most);
		if (out < 0 || b->n > b->limit)
			return REFDEC_CORRUPT;
		b->n += (size_t)out;
		p += n + check;
	}
	return REFDEC_CORRUPT;
}

/* One frame, of n bytes; windows are 128 MiB at most. */
static int
zstd_frame(ZSTD_DCtx *z, const uint8_t *p, size_t n, struct refdec_buf *b)
{
	size_t out, want = 4096;
	if (!(p[4] & 32) && p[5] > 17 << 3)
		return REFDEC_NEWER;
	do {
		want *= 4;
		room(b, want);
		out = ZSTD_decompressDCtx(z, b->p + b->n, b->cap - b->n, p, n);
	} while (ZSTD_getErrorCode(out) == ZSTD_error_dstSize_tooSmall &&
		 want <= b->limit);
	if (ZSTD_getErrorCode(out) == ZSTD_error_dictionary_wrong)
		return REFDEC_NEWER;
	b->n += ZSTD_isError(out) ? 0 : out;
	return ZSTD_isError(out) ? REFDEC_CORRUPT : REFDEC_GOOD;
}

static int
zstd(const uint8_t *p, const uint8_t *end, struct refdec_buf *b)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	int verdict = p < end ? REFDEC_GOOD : REFDEC_CORRUPT;
	while (p < end && !verdict && b->n <= b->limit) {
		size_t left = (size_t)(end - p);
		size_t n = ZSTD_findFrameCompressedSize(p, left);
		uint32_t magic = left < 4 ? 0 : little32(p);
		int skip = magic >> 4 == 0x184d2a5;
		/* Only the frames of RFC 8878: zstd can read older ones. */
		if (ZSTD_isError(n) || (magic != 0xfd2fb528 && !skip))
			verdict = REFDEC_CORRUPT;
		else if (!skip)
			verdict = zstd_frame(z, p, n, b);
		p += ZSTD_isError(n) ? left : n;
	}
	ZSTD_freeDCtx(z);
	return verdict;
}

int
refdec_decompress(int codec, const uint8_t *p, size_t n, struct refdec_buf *b)
{
	static int (*const codecs[])(const uint8_t *, const uint8_t *,
	    struct refdec_buf *) = {gzip, snappy, lz4, zstd};
	room(b, 1); /* p is not NULL */
	int verdict = codecs[codec - 1](p, p + n, b);
	return b->n > b->limit ? REFDEC_CORRUPT : verdict;
}
