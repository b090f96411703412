#include "port/json_scan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/fail.h"
#include "base/utf8.h"
#include "base/word.h"

int
stream_json_fail(const struct stream_json_scan *scan, const uint8_t *at,
    const char *format, ...)
{
	uint64_t pos = (uint64_t)(at - scan->start);
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return stream_fail(scan->err, STREAM_EUSAGE, pos,
	    "column %" PRIu64 ": %s", pos + 1, text);
}

void
stream_json_skip_space(struct stream_json_scan *scan)
{
	const uint8_t *p = scan->at;

	while (p < scan->end &&
	       (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	scan->at = p;
}

bool
stream_json_try(struct stream_json_scan *scan, char mark)
{
	stream_json_skip_space(scan);
	if (scan->at == scan->end || *scan->at != (uint8_t)mark)
		return false;
	scan->at++;
	return true;
}

bool
stream_json_try_null(struct stream_json_scan *scan)
{
	stream_json_skip_space(scan);
	if (scan->end - scan->at < 4 || memcmp(scan->at, "null", 4) != 0)
		return false;
	scan->at += 4;
	return true;
}

int
stream_json_expect(struct stream_json_scan *scan, char mark)
{
	if (stream_json_try(scan, mark))
		return STREAM_OK;
	if (scan->at == scan->end)
		return stream_json_fail(
		    scan, scan->at, "the line ends where %c should be", mark);
	return stream_json_fail(scan, scan->at, "%c should be here", mark);
}

int
stream_json_expect_end(struct stream_json_scan *scan)
{
	stream_json_skip_space(scan);
	if (scan->at == scan->end)
		return STREAM_OK;
	return stream_json_fail(scan, scan->at, "the object ends before this");
}

/* The four digits after \u, at p; -1 when they are none. */
static int32_t
take_unit(const struct stream_json_scan *scan, const uint8_t *p)
{
	int32_t unit = 0;

	if (scan->end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = stream_hex_digit(p[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* \uXXXX at scan->at, or two of them for a character past U+FFFF. */
static int
take_unicode(struct stream_json_scan *scan, uint8_t **to)
{
	const uint8_t *p = scan->at;
	int32_t code = take_unit(scan, p + 2);
	int32_t low = -1;

	if (code < 0)
		return stream_json_fail(
		    scan, p, "\\u needs four hexadecimal digits");
	scan->at += 6;
	if (code >= 0xd800 && code <= 0xdbff && scan->end - p >= 12 &&
	    p[6] == '\\' && p[7] == 'u')
		low = take_unit(scan, p + 8);
	if (low >= 0xdc00 && low <= 0xdfff) {
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		scan->at += 6;
	} else if (code >= 0xd800 && code <= 0xdfff)
		return stream_json_fail(
		    scan, p, "half of a surrogate pair is not a character");
	*to += stream_utf8_put((uint32_t)code, *to);
	return STREAM_OK;
}

/* What the letter after a backslash stands for; 0 for none. */
static const uint8_t escapes[256] = {
    ['"'] = '"',
    ['\\'] = '\\',
    ['/'] = '/',
    ['b'] = '\b',
    ['f'] = '\f',
    ['n'] = '\n',
    ['r'] = '\r',
    ['t'] = '\t',
};

/* A backslash stands at scan->at. */
static int
take_escape(struct stream_json_scan *scan, uint8_t **to)
{
	uint8_t byte;

	if (scan->end - scan->at < 2)
		return stream_json_fail(
		    scan, scan->end, "the line ends inside a string");
	if (scan->at[1] == 'u')
		return take_unicode(scan, to);
	byte = escapes[scan->at[1]];
	if (byte == 0)
		return stream_json_fail(
		    scan, scan->at, "JSON has no such escape");
	*(*to)++ = byte;
	scan->at += 2;
	return STREAM_OK;
}

/* One character that is not the end of the string. */
static int
take_character(struct stream_json_scan *scan, uint8_t **to)
{
	size_t n;

	if (*scan->at == '\\')
		return take_escape(scan, to);
	if (*scan->at < 0x20)
		return stream_json_fail(
		    scan, scan->at, "a control character in a string");
	n = stream_utf8_char(scan->at, scan->end);
	if (n == 0)
		return stream_json_fail(scan, scan->at, "not UTF-8");
	for (size_t i = 0; i < n; i++)
		*(*to)++ = *scan->at++;
	return STREAM_OK;
}

/*
 * Copy eight bytes at a time, and decode the short escapes that JSON within a
 * string is full of, up to what needs a closer look.  There is room for eight
 * bytes where eight are left: decoding makes nothing longer.
 */
static void
take_run(struct stream_json_scan *scan, uint8_t **to)
{
	const uint8_t *p = scan->at;
	uint8_t *out = *to;

	while (scan->end - p >= 8) {
		uint64_t word = stream_word_load(p);
		uint64_t high = stream_word_high(word);
		uint64_t mask = stream_word_json(word ^ high) | high;
		size_t n = mask == 0 ? 8 : stream_word_first(mask);

		stream_word_store(word, out);
		p += n;
		out += n;
		if (mask == 0)
			continue;
		if (*p != '\\' || scan->end - p < 2 || escapes[p[1]] == 0)
			break;
		*out++ = escapes[p[1]];
		p += 2;
	}
	scan->at = p;
	*to = out;
}

int
stream_json_take_string(
    struct stream_json_scan *scan, uint8_t **data, size_t *size)
{
	uint8_t *to = scan->spare;
	int status = STREAM_OK;

	if (!stream_json_try(scan, '"'))
		return stream_json_fail(
		    scan, scan->at, "a string should be here");
	while (status == STREAM_OK) {
		take_run(scan, &to);
		if (scan->at == scan->end)
			return stream_json_fail(
			    scan, scan->at, "the line ends inside a string");
		if (*scan->at == '"')
			break;
		status = take_character(scan, &to);
	}
	if (status != STREAM_OK)
		return status;
	scan->at++;
	*data = scan->spare;
	*size = (size_t)(to - scan->spare);
	scan->spare = to;
	return STREAM_OK;
}

static bool
is_digit(const struct stream_json_scan *scan, const uint8_t *p)
{
	return p < scan->end && *p >= '0' && *p <= '9';
}

/* Digits from p on, as a number below zero, which reaches one further.  false
 * when 64 bits do not hold it. */
static bool
take_digits(struct stream_json_scan *scan, int64_t *below)
{
	bool fits = true;

	*below = 0;
	for (; is_digit(scan, scan->at); scan->at++)
		fits = fits && !__builtin_mul_overflow(*below, 10, below) &&
		       !__builtin_sub_overflow(*below, *scan->at - '0', below);
	return fits;
}

/* Are there digits from first to scan->at, without a needless 0 in front, and
 * no fraction or exponent after them? */
static bool
is_whole(const struct stream_json_scan *scan, const uint8_t *first)
{
	if (scan->at == first || (*first == '0' && scan->at - first > 1))
		return false;
	return scan->at == scan->end || memchr(".eE", *scan->at, 3) == NULL;
}

int
stream_json_take_number(
    struct stream_json_scan *scan, int64_t least, int64_t most, int64_t *number)
{
	const uint8_t *first, *digits;
	bool minus, fits;
	int64_t value;

	stream_json_skip_space(scan);
	first = scan->at;
	minus = stream_json_try(scan, '-');
	digits = scan->at;
	fits = take_digits(scan, &value);
	if (!is_whole(scan, digits))
		return stream_json_fail(
		    scan, first, "a whole number should be here");
	if (!minus)
		fits = fits && !__builtin_mul_overflow(value, -1, &value);
	if (!fits || value < least || value > most)
		return stream_json_fail(scan, first,
		    "the number is not from %" PRId64 " to %" PRId64, least,
		    most);
	*number = value;
	return STREAM_OK;
}
