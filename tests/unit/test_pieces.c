/* Text in pieces is the same text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stream/format.h>

#include "base/buf.h"

/* More than a piece has, and no multiple of it. */
enum { LONG = 20000 };

static uint8_t letters[LONG], escapes[LONG], wide[LONG], noise[LONG],
    almost[LONG];

static int
fill(void **state)
{
	(void)state;
	for (size_t i = 0; i < LONG; i++) {
		letters[i] = (uint8_t)('a' + i % 26);
		escapes[i] = (uint8_t) "\x01\"\\\t\n\r,z"[i % 8];
		/* Three bytes each, so that pieces end within one. */
		wide[i] = (uint8_t) "x\xe2\x82\xac"[i % 4];
		noise[i] = (uint8_t)(i * 7919 >> 3);
		almost[i] = (uint8_t)(i == LONG - 1 ? 0xff : 'a');
	}
	return 0;
}

static void
add(void *context, const uint8_t *bytes, size_t size)
{
	assert_true(size <= 64 << 10);
	assert_int_equal(stream_buf_add(context, bytes, size, NULL), 0);
}

static void
expect_same(const char *text, const struct stream_record *record)
{
	struct stream_format *format;
	struct stream_origin origin;
	struct stream_buf pieces;
	struct stream_sink sink = {add, &pieces};
	uint8_t *whole, *to;

	stream_buf_init(&pieces);
	assert_int_equal(stream_origin_init(&origin, "t\"", 3, NULL), 0);
	assert_int_equal(stream_format_new(text, &format, NULL), 0);
	to = whole = malloc(stream_format_bound(format, &origin, record));
	assert_int_equal(
	    stream_format_put(format, &origin, record, 9, &to, NULL), 0);
	assert_int_equal(
	    stream_format_put_large(format, &origin, record, 9, &sink, NULL),
	    0);
	if (pieces.size != (size_t)(to - whole) ||
	    memcmp(pieces.data, whole, pieces.size) != 0)
		fail_msg("%s: %.60s", text, (const char *)pieces.data);
	stream_format_free(format);
	stream_buf_release(&pieces);
	free(whole);
}

static void
every_form_is_the_same_in_pieces(void **state)
{
	static const char *const formats[] = {"json", "raw", "tsv", "csv",
	    "hex", "%k{base64} %s{base64}\\n", "%k{json},%s{json}",
	    "%h|%h{json}|%d{iso}%d{strftime %F}", "%t %p %o %T %i %K %S %x",
	    "%t{json}%o{big32}%o{varint}%%"};
	const struct stream_bytes values[] = {{NULL, 0}, {letters, 0},
	    {letters, 1}, {letters, LONG}, {escapes, LONG}, {wide, LONG},
	    {wide, LONG - 1}, {noise, LONG}, {almost, LONG}, {letters, 3072},
	    {letters, 3073}};
	enum { VALUES = sizeof(values) / sizeof(values[0]) };

	(void)state;
	for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++)
		for (size_t i = 0; i < VALUES * VALUES; i++) {
			struct stream_header header = {
			    values[1 + i % (VALUES - 1)], values[i / VALUES]};
			uint8_t *headers =
			    malloc(2 * stream_header_size(&header));
			uint8_t *end = stream_header_put(
			    stream_header_put(headers, &header), &header);
			struct stream_record record = {
			    .offset = 42,
			    .timestamp_ms = 1767225600000,
			    .key = values[i % VALUES],
			    .value = values[i / VALUES],
			    .headers = {headers, (size_t)(end - headers)},
			    .header_count = 2,
			};

			expect_same(formats[f], &record);
			record.headers.size = 0;
			record.header_count = 0;
			expect_same(formats[f], &record);
			free(headers);
		}
}

static void
a_number_that_does_not_fit_is_told(void **state)
{
	struct stream_record record = {
	    .offset = 70000, .value = {letters, LONG}};
	struct stream_format *format;
	struct stream_origin origin;
	struct stream_buf pieces;
	struct stream_sink sink = {add, &pieces};

	(void)state;
	stream_buf_init(&pieces);
	assert_int_equal(stream_origin_init(&origin, "t", 0, NULL), 0);
	assert_int_equal(stream_format_new("%s%o{big16}", &format, NULL), 0);
	assert_int_equal(
	    stream_format_put_large(format, &origin, &record, 1, &sink, NULL),
	    STREAM_EUSAGE);
	stream_format_free(format);
	stream_buf_release(&pieces);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_form_is_the_same_in_pieces),
	    cmocka_unit_test(a_number_that_does_not_fit_is_told),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
