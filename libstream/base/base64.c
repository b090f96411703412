#include "base/base64.h"

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

uint8_t *
stream_base64_put(const uint8_t *data, size_t size, uint8_t *to)
{
	const uint8_t *p = data;
	uint32_t three;

	for (; size >= 3; size -= 3, p += 3, to += 4) {
		three = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		to[0] = (uint8_t)letters[three >> 18];
		to[1] = (uint8_t)letters[three >> 12 & 63];
		to[2] = (uint8_t)letters[three >> 6 & 63];
		to[3] = (uint8_t)letters[three & 63];
	}
	if (size == 0)
		return to;
	three = (uint32_t)p[0] << 16 | (size == 2 ? (uint32_t)p[1] << 8 : 0);
	to[0] = (uint8_t)letters[three >> 18];
	to[1] = (uint8_t)letters[three >> 12 & 63];
	to[2] = size == 2 ? (uint8_t)letters[three >> 6 & 63] : '=';
	to[3] = '=';
	return to + 4;
}

/* What each letter from '+' to 'z' stands for, and one more, so that 0 is
 * "no letter". */
static const uint8_t values[] = {63, 0, 0, 0, 64, 53, 54, 55, 56, 57, 58, 59,
    60, 61, 62, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
    14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0, 0, 0, 0, 0, 0, 27,
    28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46,
    47, 48, 49, 50, 51, 52};

static unsigned
value_of(uint8_t letter)
{
	return letter < '+' || letter > 'z' ? 0 : values[letter - '+'];
}

/* The six bits of n letters, 2 to 4, from the top of a 24-bit word.  false
 * and *bad when one is none. */
static bool
take_letters(const uint8_t *text, size_t n, uint32_t *word, size_t *bad)
{
	*word = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned value = value_of(text[i]);

		if (value == 0) {
			*bad = i;
			return false;
		}
		*word |= (value - 1) << (18 - 6 * i);
	}
	return true;
}

/* The last four, of which the padding is not a letter. */
static bool
take_last(const uint8_t *text, uint8_t *to, size_t *bytes, size_t *bad)
{
	size_t n = text[3] != '=' ? 4 : text[2] != '=' ? 3 : 2;
	uint32_t word;

	if (!take_letters(text, n, &word, bad))
		return false;
	*bytes = n - 1;
	if ((word & (0xffffffU >> 8 * *bytes)) != 0) {
		*bad = n - 1;
		return false;
	}
	for (size_t i = 0; i < *bytes; i++)
		to[i] = (uint8_t)(word >> (16 - 8 * i));
	return true;
}

bool
stream_base64_take(const uint8_t *text, size_t size, uint8_t *to, size_t *done)
{
	size_t at = 0, bad = 0, bytes = 0;
	uint8_t *out = to;
	uint32_t word;

	for (; size - at > 4; at += 4) {
		if (!take_letters(text + at, 4, &word, &bad)) {
			*done = at + bad;
			return false;
		}
		*out++ = (uint8_t)(word >> 16);
		*out++ = (uint8_t)(word >> 8);
		*out++ = (uint8_t)word;
	}
	if (size % 4 != 0) {
		*done = size;
		return false;
	}
	if (size != 0 && !take_last(text + at, out, &bytes, &bad)) {
		*done = at + bad;
		return false;
	}
	*done = (size_t)(out - to) + bytes;
	return true;
}

uint8_t *
stream_hex_put(const uint8_t *data, size_t size, uint8_t *to)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		*to++ = (uint8_t)digits[data[i] >> 4];
		*to++ = (uint8_t)digits[data[i] & 15];
	}
	return to;
}

int
stream_hex_digit(uint8_t letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	letter |= 0x20;
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

bool
stream_hex_take(const uint8_t *text, size_t size, uint8_t *to, size_t *done)
{
	for (size_t i = 0; i < size; i++) {
		int digit = stream_hex_digit(text[i]);

		if (digit < 0 || (i % 2 == 0 && i + 1 == size)) {
			*done = digit < 0 ? i : size;
			return false;
		}
		to[i / 2] =
		    (uint8_t)(i % 2 == 0 ? digit << 4 : to[i / 2] | digit);
	}
	*done = size / 2;
	return true;
}
