#include "cli/escape.h"

#include <string.h>

/* Bytes that a first byte of UTF-8 announces; 0 for no first byte. */
static size_t
announced(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Whether second may follow first: no over-long form, no surrogate, nothing
 * above U+10FFFF. */
static bool
may_follow(uint8_t first, uint8_t second)
{
	if (first == 0xe0)
		return second >= 0xa0 && second <= 0xbf;
	if (first == 0xed)
		return second >= 0x80 && second <= 0x9f;
	if (first == 0xf0)
		return second >= 0x90 && second <= 0xbf;
	if (first == 0xf4)
		return second >= 0x80 && second <= 0x8f;
	return (second & 0xc0) == 0x80;
}

/* How many of the announced bytes are there and right. */
static size_t
present(const uint8_t *bytes, size_t size, size_t want)
{
	size_t n = 1;

	if (size > 1 && want > 1 && !may_follow(bytes[0], bytes[1]))
		return 1;
	while (n < want && n < size && (bytes[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static uint32_t
decode(const uint8_t *bytes, size_t size)
{
	static const uint8_t mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = bytes[0] & mask[size];

	for (size_t i = 1; i < size; i++)
		c = c << 6 | (bytes[i] & 0x3f);
	return c;
}

/*
 * Characters that change what the others look like, or are not seen: what
 * Unicode calls Cc, Zl, Zp and nearly all of Cf.  Variation selectors stay;
 * emoji use them.
 */
static bool
is_unsafe(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
	    {0x0000, 0x001f},   /* C0 */
	    {0x007f, 0x009f},   /* DEL, C1 */
	    {0x00ad, 0x00ad},   /* soft hyphen */
	    {0x061c, 0x061c},   /* Arabic letter mark */
	    {0x180e, 0x180e},   /* Mongolian vowel separator */
	    {0x200b, 0x200f},   /* zero-width, direction marks */
	    {0x2028, 0x202e},   /* separators, embeddings, overrides */
	    {0x2060, 0x206f},   /* word joiner, isolates */
	    {0xfeff, 0xfeff},   /* zero-width no-break space */
	    {0xfff9, 0xfffb},   /* interlinear annotation */
	    {0xe0000, 0xe007f}, /* tags */
	};

	if (c >= 0x20 && c < 0x7f)
		return false;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

static uint8_t *
put_hex(uint8_t *to, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";

	*to++ = '\\';
	*to++ = 'x';
	*to++ = (uint8_t)digits[byte >> 4];
	*to++ = (uint8_t)digits[byte & 15];
	return to;
}

static uint8_t *
put_control(uint8_t *to, uint8_t byte, bool lines)
{
	if (byte != '\n' && byte != '\t')
		return put_hex(to, byte);
	if (lines) {
		*to++ = byte;
		return to;
	}
	*to++ = '\\';
	*to++ = byte == '\n' ? 'n' : 't';
	return to;
}

size_t
cli_escape(uint8_t *to, const uint8_t *bytes, size_t size, bool lines)
{
	uint8_t *start = to;

	while (size > 0) {
		size_t want = announced(bytes[0]);
		size_t n = present(bytes, size, want);

		if (n == 1 && bytes[0] < 0x20) {
			to = put_control(to, bytes[0], lines);
		} else if (n == want && !is_unsafe(decode(bytes, n))) {
			memcpy(to, bytes, n);
			to += n;
		} else {
			for (size_t i = 0; i < n; i++)
				to = put_hex(to, bytes[i]);
		}
		bytes += n;
		size -= n;
	}
	return (size_t)(to - start);
}

size_t
cli_escape_unfinished(const uint8_t *bytes, size_t size)
{
	for (size_t back = 1; back <= 3 && back <= size; back++) {
		const uint8_t *at = bytes + size - back;
		size_t want = announced(*at);

		if (want > back && present(at, back, want) == back)
			return back;
	}
	return 0;
}
