/*
 * word.h - eight bytes of text at a time
 *
 * A word holds the bytes in memory order from its low end on any host, so
 * that the lowest set bit of a mask is the first byte that it names.
 */
#ifndef STREAM_BASE_WORD_H
#define STREAM_BASE_WORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The same byte in all eight places. */
#define STREAM_WORD_OF(byte) (UINT64_C(0x0101010101010101) * (uint64_t)(byte))

static inline uint64_t
stream_word_load(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

static inline void
stream_word_store(uint64_t word, uint8_t *p)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	memcpy(p, &word, sizeof(word));
}

/* The high bit of each byte that is not ASCII. */
static inline uint64_t
stream_word_high(uint64_t word)
{
	return word & STREAM_WORD_OF(0x80);
}

/*
 * The high bit of each byte that a JSON string cannot hold as it is: a quote,
 * a backslash, a control character.  The word must be ASCII: then no addition
 * carries into the next byte, and every bit is exact.
 */
static inline uint64_t
stream_word_json(uint64_t word)
{
	uint64_t quote = (word ^ STREAM_WORD_OF('"')) + STREAM_WORD_OF(0x7f);
	uint64_t slash = (word ^ STREAM_WORD_OF('\\')) + STREAM_WORD_OF(0x7f);
	uint64_t above = word + STREAM_WORD_OF(0x80 - 0x20);

	return stream_word_high(~(quote & slash & above));
}

/* Which byte, 0 to 7, the lowest set bit of a mask that is not 0 lies in. */
static inline size_t
stream_word_first(uint64_t mask)
{
	return (size_t)__builtin_ctzll(mask) / 8;
}

#endif
