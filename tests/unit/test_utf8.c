/* Text and its encodings: UTF-8, base64, hexadecimal, decimal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/decimal.h"
#include "base/utf8.h"

enum { UTF8_ROWS = 44, BASE64_ROWS = 31 };

/* One line of a vector file: id, verdict, and two columns. */
struct row {
	char id[64];
	char verdict[16];
	char third[256];
	char fourth[128];
};

static FILE *
open_vectors(const char *name)
{
	const char *root = getenv("STRM_SOURCE_DIR");
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/format/vectors/%s",
	    root != NULL ? root : ".", name);
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("%s is not to be had", path);
	return file;
}

static bool
take_row(FILE *file, struct row *row)
{
	char line[512];

	do {
		if (fgets(line, sizeof(line), file) == NULL)
			return false;
	} while (line[0] == '#');
	if (sscanf(line, "%63s %15s %255s %127s", row->id, row->verdict,
		row->third, row->fourth) != 4)
		fail_msg("not four columns: %s", line);
	if (strcmp(row->fourth, "-") == 0)
		row->fourth[0] = '\0';
	return true;
}

/* "-" is no bytes. */
static size_t
take_bytes(const char *hex, uint8_t *bytes)
{
	size_t size = 0;

	if (strcmp(hex, "-") != 0 &&
	    !stream_hex_take((const uint8_t *)hex, strlen(hex), bytes, &size))
		fail_msg("%s is not hexadecimal", hex);
	return size;
}

static void
utf8_ends_where_the_vectors_say(void **state)
{
	FILE *file = open_vectors("utf8.txt");
	uint8_t bytes[128];
	struct row row;
	int count = 0;

	(void)state;
	for (; take_row(file, &row); count++) {
		size_t size = take_bytes(row.third, bytes);
		size_t span = stream_utf8_span(bytes, size);

		if (span != strtoul(row.fourth, NULL, 10))
			fail_msg("%s: fault at %zu", row.id, span);
		if ((span == size) != (strcmp(row.verdict, "good") == 0))
			fail_msg("%s: verdict", row.id);
	}
	fclose(file);
	assert_int_equal(count, UTF8_ROWS);
}

static void
every_character_comes_back(void **state)
{
	uint8_t bytes[4];

	(void)state;
	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		size_t n;

		if (code == 0xd800)
			code = 0xe000;
		n = stream_utf8_put(code, bytes);
		assert_int_equal(stream_utf8_char(bytes, bytes + n), n);
		/* Cut short it is none. */
		for (size_t cut = 1; cut < n; cut++)
			assert_int_equal(
			    stream_utf8_char(bytes, bytes + cut), 0);
	}
}

/* The rule the other way round: decode as the bits say, then ask whether the
 * code may stand there in so many bytes. */
static size_t
plain_char(const uint8_t *p)
{
	uint32_t code = (uint32_t)(p[0] & 0x0f) << 12 |
			(uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
	uint32_t two = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);

	if ((p[0] & 0x80) == 0)
		return 1;
	if ((p[1] & 0xc0) != 0x80)
		return 0;
	if ((p[0] & 0xe0) == 0xc0)
		return two >= 0x80 ? 2 : 0;
	if ((p[0] & 0xf0) != 0xe0 || (p[2] & 0xc0) != 0x80)
		return 0;
	return code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 0 : 3;
}

static void
all_three_bytes_agree_with_the_plain_rule(void **state)
{
	uint8_t p[3];

	(void)state;
	for (uint32_t all = 0; all < 1 << 24; all++) {
		p[0] = (uint8_t)(all >> 16);
		p[1] = (uint8_t)(all >> 8);
		p[2] = (uint8_t)all;
		if (stream_utf8_char(p, p + 3) != plain_char(p))
			fail_msg("%06x", all);
	}
}

static void
a_fault_is_found_at_every_place(void **state)
{
	uint8_t bytes[40];

	(void)state;
	for (size_t size = 1; size <= sizeof(bytes); size++)
		for (size_t at = 0; at < size; at++) {
			memset(bytes, 'a', size);
			bytes[at] = 0xff;
			assert_int_equal(stream_utf8_span(bytes, size), at);
		}
}

static void
check_good_base64(const struct row *row)
{
	uint8_t bytes[128], text[256];
	size_t size = take_bytes(row->third, bytes);
	size_t letters = strlen(row->fourth);
	size_t done = 0;

	if (stream_base64_size(size) != letters ||
	    stream_base64_put(bytes, size, text) != text + letters ||
	    memcmp(text, row->fourth, letters) != 0)
		fail_msg("%s: not what was written", row->id);
	/* In place. */
	if (!stream_base64_take(text, letters, text, &done) || done != size ||
	    memcmp(text, bytes, size) != 0)
		fail_msg("%s: not what was read", row->id);
}

static void
base64_is_what_the_vectors_say(void **state)
{
	FILE *file = open_vectors("base64.txt");
	struct row row;
	int count = 0;

	(void)state;
	for (; take_row(file, &row); count++) {
		uint8_t bytes[128];
		size_t done = 77;

		if (strcmp(row.verdict, "good") == 0) {
			check_good_base64(&row);
			continue;
		}
		if (stream_base64_take((const uint8_t *)row.fourth,
			strlen(row.fourth), bytes, &done))
			fail_msg("%s was taken", row.id);
		if (done != strtoul(row.third, NULL, 10))
			fail_msg("%s: fault at letter %zu", row.id, done);
	}
	fclose(file);
	assert_int_equal(count, BASE64_ROWS);
}

/* So two texts never mean the same bytes. */
static void
base64_that_is_taken_is_what_would_be_written(void **state)
{
	uint8_t text[4], bytes[3], again[4];
	size_t done;
	int taken = 0;

	(void)state;
	for (uint32_t all = 0; all < 1 << 24; all++) {
		/* The fourth letter is A or padding. */
		text[0] = (uint8_t)(all >> 16);
		text[1] = (uint8_t)(all >> 8);
		text[2] = (uint8_t)all;
		text[3] = (all & 1) != 0 ? '=' : 'A';
		if (!stream_base64_take(text, 4, bytes, &done))
			continue;
		taken++;
		stream_base64_put(bytes, done, again);
		assert_memory_equal(text, again, 4);
	}
	assert_true(taken > 64 * 64);
}

static void
hexadecimal_comes_back(void **state)
{
	uint8_t bytes[256], text[512];
	size_t done;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_ptr_equal(stream_hex_put(bytes, 256, text), text + 512);
	assert_memory_equal(text + 2 * 0xa5, "a5a6", 4);
	assert_true(stream_hex_take(text, 512, text, &done));
	assert_int_equal(done, 256);
	assert_memory_equal(text, bytes, 256);
	assert_false(stream_hex_take((const uint8_t *)"0fF", 3, text, &done));
	assert_int_equal(done, 3);
	assert_false(stream_hex_take((const uint8_t *)"0fg0", 4, text, &done));
	assert_int_equal(done, 2);
}

static void
check_decimal(int64_t value)
{
	uint8_t text[STREAM_DECIMAL_SIZE];
	char wanted[32];
	int size = snprintf(wanted, sizeof(wanted), "%lld", (long long)value);

	assert_ptr_equal(stream_decimal_put(value, text), text + size);
	assert_memory_equal(text, wanted, (size_t)size);
}

static void
numbers_are_what_printf_writes(void **state)
{
	uint8_t text[STREAM_DECIMAL_SIZE];

	(void)state;
	for (int64_t power = 1; power <= INT64_MAX / 10; power *= 10)
		for (int64_t near = -2; near <= 2; near++) {
			check_decimal(power + near);
			check_decimal(-power - near);
			check_decimal(power * 7 + near);
		}
	for (int64_t value = -11000; value <= 11000; value++)
		check_decimal(value);
	check_decimal(INT64_MAX);
	check_decimal(INT64_MIN);
	assert_ptr_equal(
	    stream_decimal_put_unsigned(UINT64_MAX, text), text + 20);
	assert_memory_equal(text, "18446744073709551615", 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(utf8_ends_where_the_vectors_say),
	    cmocka_unit_test(every_character_comes_back),
	    cmocka_unit_test(all_three_bytes_agree_with_the_plain_rule),
	    cmocka_unit_test(a_fault_is_found_at_every_place),
	    cmocka_unit_test(base64_is_what_the_vectors_say),
	    cmocka_unit_test(base64_that_is_taken_is_what_would_be_written),
	    cmocka_unit_test(hexadecimal_comes_back),
	    cmocka_unit_test(numbers_are_what_printf_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
