#include "base/utf8.h"

#include <assert.h>

#include "base/word.h"

size_t
stream_utf8_span(const uint8_t *data, size_t size)
{
	const uint8_t *p = data;
	const uint8_t *end = data + size;

	while (p < end) {
		size_t n;

		/* Most text is ASCII: eight bytes for one test. */
		if (end - p >= 8 &&
		    stream_word_high(stream_word_load(p)) == 0) {
			p += 8;
			continue;
		}
		n = stream_utf8_char(p, end);
		if (n == 0)
			break;
		p += n;
	}
	return (size_t)(p - data);
}

static uint8_t
six_bits(uint32_t code, unsigned shift)
{
	return (uint8_t)(0x80 | (code >> shift & 0x3f));
}

size_t
stream_utf8_put(uint32_t code, uint8_t *to)
{
	assert(code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
	if (code < 0x80) {
		to[0] = (uint8_t)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (uint8_t)(0xc0 | code >> 6);
		to[1] = six_bits(code, 0);
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (uint8_t)(0xe0 | code >> 12);
		to[1] = six_bits(code, 6);
		to[2] = six_bits(code, 0);
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | code >> 18);
	to[1] = six_bits(code, 12);
	to[2] = six_bits(code, 6);
	to[3] = six_bits(code, 0);
	return 4;
}
