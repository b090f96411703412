/* The -f language, and the formats that have a name. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stream/format.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(literal) \
	{ \
		(const uint8_t *)(literal), sizeof(literal) - 1 \
	}
#define NULL_BYTES \
	{ \
		NULL, 0 \
	}

static const struct stream_batch_info batch = {
    .leader_epoch = 5, .producer_id = 4000, .producer_epoch = 2};

/* Header src=web, header n with null, header e with nothing. */
#define HEADERS \
	"\x06src\x06web\x02n\x01\x02" \
	"e\x00"

static const struct stream_record full = {
    .offset = 42,
    .timestamp_ms = 1767225600123,
    .key = BYTES("u1"),
    .value = BYTES("{\"a\":1}\n"),
    .headers = BYTES(HEADERS),
    .header_count = 3,
    .batch = &batch,
};
static const struct stream_record nothing = {
    .offset = 7,
    .timestamp_ms = STREAM_NO_TIMESTAMP,
    .key = NULL_BYTES,
    .value = NULL_BYTES,
};
static const struct stream_record empty = {
    .timestamp_ms = 0,
    .key = BYTES(""),
    .value = BYTES(""),
};
static const struct stream_record binary = {
    .timestamp_ms = -1001,
    .key = BYTES("a\tb\\\r\n\xff"),
    .value = BYTES("say \"x\", y"),
};

static struct stream_format *
compile(const char *text)
{
	struct stream_format *format = NULL;
	struct stream_error err = {0};

	if (stream_format_new(text, &format, &err) != STREAM_OK)
		fail_msg("%s: %s", text, err.text);
	return format;
}

/* In memory of exactly the bound, which is given; free it. */
static uint8_t *
run(const char *text, const struct stream_record *record, uint64_t number,
    size_t *size)
{
	struct stream_format *format = compile(text);
	struct stream_error err = {0};
	struct stream_origin origin;
	uint8_t *memory, *to;
	size_t bound;

	assert_int_equal(
	    stream_origin_init(&origin, "orders", 3, NULL), STREAM_OK);
	bound = stream_format_bound(format, &origin, record);
	memory = malloc(bound);
	assert_non_null(memory);
	to = memory;
	if (stream_format_put(format, &origin, record, number, &to, &err) !=
	    STREAM_OK)
		fail_msg("%s: %s", text, err.text);
	*size = (size_t)(to - memory);
	assert_true(*size <= bound);
	stream_format_free(format);
	return memory;
}

struct row {
	const char *text;
	const struct stream_record *record;
	struct stream_bytes wanted;
};

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		size_t size;
		uint8_t *got = run(row->text, row->record, 9, &size);

		if (size != row->wanted.size ||
		    memcmp(got, row->wanted.data, size) != 0)
			fail_msg("%s: %.*s, not %s", row->text, (int)size, got,
			    (const char *)row->wanted.data);
		free(got);
	}
}

static void
letters_print_what_they_stand_for(void **state)
{
	static const struct row rows[] = {
	    {"", &full, BYTES("")},
	    {"plain", &full, BYTES("plain")},
	    {"a text of more than sixteen bytes", &full,
		BYTES("a text of more than sixteen bytes")},
	    {"%k", &full, BYTES("u1")},
	    {"%s%v", &full, BYTES("{\"a\":1}\n{\"a\":1}\n")},
	    {"%K %S", &full, BYTES("2 8")},
	    {"%t %p %o", &full, BYTES("orders 3 42")},
	    {"%T", &full, BYTES("1767225600123")},
	    {"%h", &full, BYTES("src=web,n,e=")},
	    {"%e %x %y", &full, BYTES("5 4000 2")},
	    {"%i", &full, BYTES("9")},
	    {"100%%", &full, BYTES("100%")},
	    {"%%k", &full, BYTES("%k")},
	    {"[%k|%s|%h]", &nothing, BYTES("[||]")},
	    {"%K %S %T %d", &nothing, BYTES("-1 -1 -1 -1")},
	    {"%e %x %y", &nothing, BYTES("-1 -1 -1")},
	    {"[%k|%s] %K", &empty, BYTES("[|] 0")},
	    {"%k\\t%s\\n", &binary, BYTES("a\tb\\\r\n\xff\tsay \"x\", y\n")},
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void
escapes_are_bytes(void **state)
{
	static const struct row rows[] = {
	    {"\\n\\t\\r\\\\", &full, BYTES("\n\t\r\\")},
	    {"a\\0b", &full, BYTES("a\0b")},
	    {"\\012", &full,
		BYTES("\0"
		      "12")},
	    {"\\x41\\xfF\\x00", &full, BYTES("A\xff\0")},
	    {"%k\\x7bhex}", &full, BYTES("u1{hex}")},
	    {"\\x25k", &full, BYTES("%k")},
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void
modifiers_change_the_form(void **state)
{
	static const struct row rows[] = {
	    {"%k{hex}", &full, BYTES("7531")},
	    {"%k{base64}", &full, BYTES("dTE=")},
	    {"%t{base64}", &full, BYTES("b3JkZXJz")},
	    {"%s{json}", &full, BYTES("\"{\\\"a\\\":1}\\n\"")},
	    {"%k{json}", &binary, BYTES("{\"b64\":\"YQliXA0K/w==\"}")},
	    {"[%k{hex}%k{base64}] %k{json}", &nothing, BYTES("[] null")},
	    {"[%k{hex}%k{base64}] %k{json}", &empty, BYTES("[] \"\"")},
	    {"%h{json}", &full,
		BYTES("[[\"src\",\"web\"],[\"n\",null],[\"e\",\"\"]]")},
	    {"%h{json}", &nothing, BYTES("[]")},
	    {"{\"k\":%k{json}}", &full, BYTES("{\"k\":\"u1\"}")},
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void
numbers_have_binary_forms(void **state)
{
	static const struct row rows[] = {
	    {"%o{big8}", &full, BYTES("\x2a")},
	    {"%o{big16}", &full, BYTES("\x00\x2a")},
	    {"%S{big32}%s", &full, BYTES("\0\0\0\x08{\"a\":1}\n")},
	    {"%T{big64}", &full, BYTES("\x00\x00\x01\x9b\x76\xda\xa8\x7b")},
	    {"%o{little8}", &full, BYTES("\x2a")},
	    {"%x{little16}", &full, BYTES("\xa0\x0f")},
	    {"%x{little32}", &full, BYTES("\xa0\x0f\x00\x00")},
	    {"%T{little64}", &full, BYTES("\x7b\xa8\xda\x76\x9b\x01\x00\x00")},
	    {"%K{big32}", &nothing, BYTES("\xff\xff\xff\xff")},
	    {"%K{little16}", &nothing, BYTES("\xff\xff")},
	    {"%K{varint}", &nothing, BYTES("\x01")},
	    {"%o{varint}", &full, BYTES("\x54")},
	    {"%x{varint}", &full, BYTES("\xc0\x3e")},
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void
times_are_utc_in_any_locale(void **state)
{
	static const struct row rows[] = {
	    {"%d", &full, BYTES("2026-01-01T00:00:00.123Z")},
	    {"%d{iso}", &full, BYTES("2026-01-01T00:00:00.123Z")},
	    {"%d{strftime %F %T}", &full, BYTES("2026-01-01 00:00:00")},
	    {"%d{strftime %a %d %b %Y}.", &full, BYTES("Thu 01 Jan 2026.")},
	    {"%d{strftime %H:%M:%S}", &binary, BYTES("23:59:58")},
	    {"%d{strftime 100%%}", &empty, BYTES("100%")},
	    {"%d{strftime %Y}", &nothing, BYTES("-1")},
	    {"%d{strftime %Z%z}", &full, BYTES("GMT+0000")},
	};

	(void)state;
	setlocale(LC_ALL, "de_DE.UTF-8");
	setenv("TZ", "Asia/Tokyo", 1);
	check_rows(rows, COUNT(rows));
	unsetenv("TZ");
	setlocale(LC_ALL, "C");
}

/* All of strftime, at both ends of time: the bound holds (run checks it). */
static void
the_longest_times_fit(void **state)
{
	static const char each[] = "aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ";
	struct stream_record record = {.timestamp_ms = INT64_MAX};
	char text[32];
	size_t size;

	(void)state;
	for (int end = 0; end < 2; end++) {
		for (size_t i = 0; i < sizeof(each) - 1; i++) {
			snprintf(
			    text, sizeof(text), "%%d{strftime %%%c}", each[i]);
			free(run(text, &record, 1, &size));
			assert_int_not_equal(size, 0);
		}
		free(run("%d%d{iso}", &record, 1, &size));
		record.timestamp_ms = INT64_MIN;
	}
}

static void
words_name_formats(void **state)
{
	static const struct row rows[] = {
	    {"raw", &full, BYTES("{\"a\":1}\n")},
	    {"raw", &nothing, BYTES("")},
	    {"tsv", &full, BYTES("u1\t{\"a\":1}\\n\n")},
	    {"tsv", &nothing, BYTES("\\N\t\\N\n")},
	    {"tsv", &empty, BYTES("\t\n")},
	    {"tsv", &binary, BYTES("a\\tb\\\\\\r\\n\xff\tsay \"x\", y\n")},
	    {"csv", &full, BYTES("u1,\"{\"\"a\"\":1}\n\"\n")},
	    {"csv", &nothing, BYTES(",\n")},
	    {"csv", &empty, BYTES("\"\",\"\"\n")},
	    {"csv", &binary,
		BYTES("\"a\tb\\\r\n\xff\",\"say \"\"x\"\", y\"\n")},
	    {"hex", &full, BYTES("42: key=7531 value=7b2261223a317d0a\n")},
	    {"hex", &nothing, BYTES("7: key=- value=-\n")},
	    {"hex", &empty, BYTES("0: key= value=\n")},
	    {"json", &nothing,
		BYTES("{\"topic\":\"orders\",\"partition\":3,\"offset\":7,"
		      "\"ts\":-1,\"key\":null,\"value\":null,"
		      "\"headers\":[]}\n")},
	    /* Only as the whole text. */
	    {"raw\\n", &full, BYTES("raw\n")},
	    {"JSON", &full, BYTES("JSON")},
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void
a_json_word_is_a_json_line(void **state)
{
	struct stream_origin origin;
	uint8_t line[1024];
	uint8_t *got;
	size_t size;

	(void)state;
	assert_int_equal(
	    stream_origin_init(&origin, "orders", 3, NULL), STREAM_OK);
	assert_true(stream_jsonl_bound(&origin, &full) <= sizeof(line));
	got = run("json", &full, 1, &size);
	assert_ptr_equal(stream_jsonl_put(&origin, &full, line), line + size);
	assert_memory_equal(got, line, size);
	free(got);
}

static const struct refusal {
	const char *text;
	uint64_t pos;
	const char *says;
} refusals[] = {
    {"%", 0, "a % at the end"},
    {"%k%", 2, "a % at the end"},
    {"%q", 0, "unknown letter %q"},
    {"%k %\x80", 3, "unknown letter %?"},
    {"a\\", 1, "a \\ at the end"},
    {"\\q", 0, "unknown escape \\q"},
    {"\\x4", 0, "two hexadecimal digits"},
    {"\\xzz", 0, "two hexadecimal digits"},
    {"\\x", 0, "two hexadecimal digits"},
    {"%k{", 2, "{ without }"},
    {"%k{hex", 2, "{ without }"},
    {"%k{}", 3, "unknown modifier {}"},
    {"%k{Hex}", 3, "unknown modifier {Hex}"},
    {"%k{hex }", 6, "} should be here"},
    {"%k{hexx}", 3, "unknown modifier {hexx}"},
    {"%k{big32}", 3, "%k does not take {big32}"},
    {"%o{hex}", 3, "%o does not take {hex}"},
    {"%h{hex}", 3, "%h does not take {hex}"},
    {"%o{iso}", 3, "%o does not take {iso}"},
    {"%s{8}", 3, "a length, {8}, is for reading only"},
    {"%T{13}", 3, "a length, {13}, is for reading only"},
    {"%d{strftime}", 11, "strftime needs a text"},
    {"%d{strftime }", 12, "strftime needs a text"},
    {"%d{strftime %Q}", 12, "no such conversion"},
    {"%d{strftime %9Y}", 12, "no such conversion"},
    {"%d{strftime a%}", 13, "no such conversion"},
    {"%d{strftime %s}", 12, "local time"},
    {"frame", 0, "not available yet"},
    {"batch", 0, "not available yet"},
};

static void
what_is_unknown_is_refused_by_column(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		const struct refusal *row = &refusals[i];
		struct stream_format *format = NULL;
		struct stream_error err = {0};

		if (stream_format_new(row->text, &format, &err) !=
		    STREAM_EUSAGE)
			fail_msg("%s was taken", row->text);
		if (err.pos != row->pos || strstr(err.text, row->says) == NULL)
			fail_msg("%s: %s", row->text, err.text);
		assert_null(format);
		assert_int_equal(
		    stream_format_new(row->text, &format, NULL), STREAM_EUSAGE);
	}
}

static void
a_number_too_wide_is_refused_and_not_cut(void **state)
{
	static const struct {
		const char *text;
		int64_t fits;
		int64_t not ;
	} rows[] = {
	    {"%o{big8}", INT8_MAX, INT8_MAX + 1},
	    {"%o{little8}", INT8_MIN, INT8_MIN - 1},
	    {"%o{big16}", INT16_MAX, INT16_MAX + 1},
	    {"%o{big32}", INT32_MIN, (int64_t)INT32_MIN - 1},
	    {"%o{little32}", INT32_MAX, (int64_t)INT32_MAX + 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_format *format = compile(rows[i].text);
		struct stream_record record = {.offset = rows[i].fits};
		struct stream_origin origin;
		struct stream_error err;
		uint8_t memory[64];
		uint8_t *to = memory;

		stream_origin_init(&origin, "t", 0, NULL);
		assert_true(stream_format_bound(format, &origin, &record) <=
			    sizeof(memory));
		assert_int_equal(
		    stream_format_put(format, &origin, &record, 1, &to, NULL),
		    STREAM_OK);
		record.offset = rows[i].not ;
		to = memory;
		assert_int_equal(
		    stream_format_put(format, &origin, &record, 1, &to, &err),
		    STREAM_EUSAGE);
		assert_ptr_equal(to, memory);
		assert_non_null(strstr(err.text, "format: %o is "));
		stream_format_free(format);
	}
}

/* Every form of every size up to a few hundred bytes (run checks). */
static void
bounds_hold_for_all_forms(void **state)
{
	static const char *const texts[] = {"%k%s", "%k{hex}%s{base64}",
	    "%k{json}%s{json}%t{json}", "%h%h{json}%k", "tsv", "csv", "hex",
	    "json", "raw", "%K%S%T%o{varint}%x{big64}%k%d%d{strftime %c}"};
	uint8_t bytes[700];

	(void)state;
	for (unsigned fill = 0; fill < 256; fill += 17)
		for (size_t size = 0; size < sizeof(bytes); size += 23) {
			struct stream_record record = full;
			size_t got;

			memset(bytes, (int)fill, sizeof(bytes));
			record.key = (struct stream_bytes){bytes, size};
			record.value = (struct stream_bytes){bytes, size / 2};
			for (size_t i = 0; i < COUNT(texts); i++)
				free(run(texts[i], &record, 1, &got));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(letters_print_what_they_stand_for),
	    cmocka_unit_test(escapes_are_bytes),
	    cmocka_unit_test(modifiers_change_the_form),
	    cmocka_unit_test(numbers_have_binary_forms),
	    cmocka_unit_test(times_are_utc_in_any_locale),
	    cmocka_unit_test(the_longest_times_fit),
	    cmocka_unit_test(words_name_formats),
	    cmocka_unit_test(a_json_word_is_a_json_line),
	    cmocka_unit_test(what_is_unknown_is_refused_by_column),
	    cmocka_unit_test(a_number_too_wide_is_refused_and_not_cut),
	    cmocka_unit_test(bounds_hold_for_all_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
