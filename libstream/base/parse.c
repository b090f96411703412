/*
 * parse.c - numbers, sizes, durations, escapes and near misses
 *
 * By hand and not by strtoll, which takes spaces and a plus sign, depends on
 * the locale and tells overflow by errno.
 */
#include <stream/parse.h>

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

static const char digits[] = "0123456789";

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"K", 1024},
    {"KB", 1000},
    {"KiB", 1024},
    {"M", INT64_C(1) << 20},
    {"MB", 1000000},
    {"MiB", INT64_C(1) << 20},
    {"G", INT64_C(1) << 30},
    {"GB", 1000000000},
    {"GiB", INT64_C(1) << 30},
    {"T", INT64_C(1) << 40},
    {"TB", 1000000000000},
    {"TiB", INT64_C(1) << 40},
};

static const struct unit duration_units[] = {
    {"ms", 1},
    {"s", 1000},
    {"m", 60 * 1000},
    {"h", 60 * 60 * 1000},
    {"d", 24 * 60 * 60 * 1000},
    {"w", 7 * 24 * 60 * 60 * 1000},
};

enum {
	SIZE_UNITS = sizeof(size_units) / sizeof(size_units[0]),
	DURATION_UNITS = sizeof(duration_units) / sizeof(duration_units[0]),
};

/*
 * Take all digits off the front of *text; false when there is none.  Negative
 * numbers are made by subtraction, so that INT64_MIN is one of them.  *fits is
 * false when the number is out of range, and then *value means nothing.
 */
static bool
take_number(const char **text, bool negative, int64_t *value, bool *fits)
{
	const char *p = *text;
	int64_t v = 0;

	*fits = true;
	for (; *p >= '0' && *p <= '9'; p++) {
		int digit = negative ? '0' - *p : *p - '0';

		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, digit, &v))
			*fits = false;
	}
	if (p == *text)
		return false;
	*text = p;
	*value = v;
	return true;
}

int
stream_parse_int(const char *text, int64_t least, int64_t most, int64_t *value,
    struct stream_error *err)
{
	const char *p = *text == '-' ? text + 1 : text;
	int64_t v;
	bool fits;

	if (!take_number(&p, *text == '-', &v, &fits) || *p != '\0')
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%.100s\" is not a whole number", text);
	if (!fits || v < least || v > most)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%.100s is not in %lld to %lld", text, (long long)least,
		    (long long)most);
	*value = v;
	return STREAM_OK;
}

/* The unit whose name is exactly these n bytes; NULL when there is none. */
static const struct unit *
find_unit(const struct unit *units, size_t count, const char *name, size_t n)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(units[i].name) == n &&
		    memcmp(units[i].name, name, n) == 0)
			return &units[i];
	return NULL;
}

int
stream_parse_size(const char *text, int64_t *bytes, struct stream_error *err)
{
	const struct unit *unit = NULL;
	const char *p = text;
	int64_t v;
	bool fits;

	if (take_number(&p, false, &v, &fits))
		unit = find_unit(size_units, SIZE_UNITS, p, strlen(p));
	if (unit == NULL)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%.100s\" is not a size, such as 65536, 64K, 1GiB or 1GB",
		    text);
	if (!fits || __builtin_mul_overflow(v, unit->factor, &v))
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "size \"%.100s\" is too large", text);
	*bytes = v;
	return STREAM_OK;
}

/*
 * Take a number and its unit, and add them to *sum.  A number without a unit
 * is milliseconds only when it is the whole text: in "1h30" it is a slip.
 */
static bool
take_duration(const char **text, bool first, int64_t *sum, bool *fits)
{
	const struct unit *unit;
	int64_t v;
	bool number_fits;
	size_t n;

	if (!take_number(text, false, &v, &number_fits))
		return false;
	n = strcspn(*text, digits);
	unit = n == 0 && first
		   ? &duration_units[0]
		   : find_unit(duration_units, DURATION_UNITS, *text, n);
	if (unit == NULL)
		return false;
	if (!number_fits || __builtin_mul_overflow(v, unit->factor, &v) ||
	    __builtin_add_overflow(*sum, v, sum))
		*fits = false;
	*text += n;
	return true;
}

int
stream_parse_duration(
    const char *text, int64_t *milliseconds, struct stream_error *err)
{
	const char *p = text;
	int64_t sum = 0;
	bool fits = true;

	do {
		if (!take_duration(&p, p == text, &sum, &fits))
			return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
			    "\"%.100s\" is not a duration, such as 500ms, 90s, "
			    "1h30m or 7d",
			    text);
	} while (*p != '\0');
	if (!fits)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "duration \"%.100s\" is too long", text);
	*milliseconds = sum;
	return STREAM_OK;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * The byte that an escape means, or -1.  *text is behind the backslash, and
 * is moved behind the escape.
 */
static int
take_escape(const char **text)
{
	static const char letters[] = "ntr0\\";
	static const char meanings[] = "\n\t\r\0\\";
	const char *p = *text;
	const char *letter;
	int high, low;

	if (*p == 'x') {
		high = hex_digit(p[1]);
		low = high < 0 ? -1 : hex_digit(p[2]);
		*text = p + 3;
		return low < 0 ? -1 : high << 4 | low;
	}
	letter = *p == '\0' ? NULL : strchr(letters, *p);
	*text = p + 1;
	return letter == NULL ? -1 : meanings[letter - letters];
}

int
stream_parse_escapes(
    const char *text, uint8_t **bytes, size_t *size, struct stream_error *err)
{
	/* Nothing gets longer; one more, so that empty text gives memory. */
	uint8_t *made = malloc(strlen(text) + 1);
	uint8_t *to = made;
	const char *p = text;

	if (made == NULL)
		return stream_fail_memory(err);
	while (*p != '\0') {
		int byte = (unsigned char)*p++;

		if (byte == '\\')
			byte = take_escape(&p);
		if (byte < 0) {
			free(made);
			return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
			    "bad escape in \"%.100s\": there are \\n \\t \\r "
			    "\\0 \\\\ and \\xHH",
			    text);
		}
		*to++ = (uint8_t)byte;
	}
	*bytes = made;
	*size = (size_t)(to - made);
	return STREAM_OK;
}
