/*
 * utf8.h - is this UTF-8
 *
 * As RFC 3629 has it: no overlong forms, no surrogates (U+D800 to U+DFFF),
 * nothing past U+10FFFF.  U+0000 and the non-characters are valid.
 */
#ifndef STREAM_BASE_UTF8_H
#define STREAM_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bytes, 1 to 4, of the character at p (borrowed, before end); 0 when what
 * stands there is not UTF-8 or stops early.
 */
static inline size_t
stream_utf8_char(const uint8_t *p, const uint8_t *end)
{
	size_t left = (size_t)(end - p);
	uint8_t least = 0x80, most = 0xbf;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < 2)
		return 0;
	/* The second byte rules out overlong forms, surrogates and what lies
	 * past U+10FFFF. */
	if (p[0] == 0xe0)
		least = 0xa0;
	else if (p[0] == 0xf0)
		least = 0x90;
	else if (p[0] == 0xed)
		most = 0x9f;
	else if (p[0] == 0xf4)
		most = 0x8f;
	if (p[1] < least || p[1] > most)
		return 0;
	if (p[0] < 0xe0)
		return 2;
	if (left < 3 || (p[2] & 0xc0) != 0x80)
		return 0;
	if (p[0] < 0xf0)
		return 3;
	return left >= 4 && (p[3] & 0xc0) == 0x80 ? 4 : 0;
}

/* How many of the size borrowed bytes at data are whole, valid characters
 * before the first fault; size when there is none. */
size_t stream_utf8_span(const uint8_t *data, size_t size);

/* Bytes that the character takes, and write it at to; code is at most
 * 0x10ffff and no surrogate. */
size_t stream_utf8_put(uint32_t code, uint8_t *to);

#endif
