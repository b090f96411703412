/* What people write, and what it means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <stream/parse.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { DAY_MS = 24 * 60 * 60 * 1000 };

struct row {
	const char *text;
	int64_t value;
};

typedef int parse_function(
    const char *text, int64_t *value, struct stream_error *err);

/* Each row gives its value. */
static void
check_good(parse_function *parse, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct stream_error err = {0};
		int64_t value = -77;

		if (parse(rows[i].text, &value, &err) != STREAM_OK)
			fail_msg("%s: %s", rows[i].text, err.text);
		if (value != rows[i].value)
			fail_msg("%s: %lld, not %lld", rows[i].text,
			    (long long)value, (long long)rows[i].value);
	}
}

/* Each text is refused, is quoted in the message, and changes nothing. */
static void
check_bad(parse_function *parse, const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct stream_error err = {0};
		int64_t value = -77;

		if (parse(texts[i], &value, &err) != STREAM_EUSAGE)
			fail_msg("%s was taken", texts[i]);
		assert_int_equal(value, -77);
		assert_int_equal(err.status, STREAM_EUSAGE);
		assert_true(err.pos == STREAM_POS_NONE);
		if (strstr(err.text, texts[i]) == NULL)
			fail_msg("\"%s\" is not in: %s", texts[i], err.text);
		assert_int_equal(parse(texts[i], &value, NULL), STREAM_EUSAGE);
	}
}

static int
parse_any_int(const char *text, int64_t *value, struct stream_error *err)
{
	return stream_parse_int(text, INT64_MIN, INT64_MAX, value, err);
}

static int
parse_port(const char *text, int64_t *value, struct stream_error *err)
{
	return stream_parse_int(text, 1, 65535, value, err);
}

static void
whole_numbers_are_taken(void **state)
{
	static const struct row rows[] = {
	    {"0", 0},
	    {"-0", 0},
	    {"1", 1},
	    {"-1", -1},
	    {"007", 7},
	    {"2147483648", 2147483648},
	    {"9223372036854775807", INT64_MAX},
	    {"-9223372036854775808", INT64_MIN},
	    {"0000000000000000000000000000009", 9},
	};

	(void)state;
	check_good(parse_any_int, rows, COUNT(rows));
}

static void
other_numbers_are_refused(void **state)
{
	static const char *const texts[] = {"", "-", "+1", " 1", "1 ", "1a",
	    "a", "0x10", "1.0", "1e3", "--1", "1-", "\n1", "1\n",
	    "9223372036854775808", "-9223372036854775809",
	    "18446744073709551616", "99999999999999999999999999",
	    "-99999999999999999999999999", "١"};

	(void)state;
	check_bad(parse_any_int, texts, COUNT(texts));
}

static void
numbers_stay_between_their_bounds(void **state)
{
	static const struct row rows[] = {{"1", 1}, {"65535", 65535}};
	static const char *const texts[] = {
	    "0", "65536", "-1", "99999999999999999999"};
	struct stream_error err;
	int64_t value;

	(void)state;
	check_good(parse_port, rows, COUNT(rows));
	check_bad(parse_port, texts, COUNT(texts));
	assert_int_equal(parse_port("70000", &value, &err), STREAM_EUSAGE);
	assert_string_equal(err.text, "70000 is not in 1 to 65535");
}

static void
sizes_are_taken(void **state)
{
	static const struct row rows[] = {
	    {"0", 0},
	    {"0T", 0},
	    {"1", 1},
	    {"1B", 1},
	    {"65536", 65536},
	    {"1K", 1024},
	    {"1KB", 1000},
	    {"1KiB", 1024},
	    {"2M", 2097152},
	    {"2MB", 2000000},
	    {"2MiB", 2097152},
	    {"3G", 3221225472},
	    {"3GB", 3000000000},
	    {"3GiB", 3221225472},
	    {"4T", 4398046511104},
	    {"4TB", 4000000000000},
	    {"4TiB", 4398046511104},
	    {"9223372036854775807", INT64_MAX},
	    {"9223372036854775807B", INT64_MAX},
	    {"8388607T", 8388607 * (INT64_C(1) << 40)},
	    {"9223372TB", 9223372000000000000},
	};

	(void)state;
	check_good(stream_parse_size, rows, COUNT(rows));
}

static void
other_sizes_are_refused(void **state)
{
	static const char *const texts[] = {"", "K", "-1", "-1K", "+1", "1k",
	    "1kB", "1Kb", "1 K", "1.5G", "1KK", "1KiBB", "1Ki", "1P", "1iB",
	    "0x1K", "9223372036854775808", "8388608T", "9007199254740992K",
	    "9223373TB", "99999999999999999999K"};

	(void)state;
	check_bad(stream_parse_size, texts, COUNT(texts));
}

static void
size_that_does_not_fit_is_told_apart(void **state)
{
	struct stream_error err;
	int64_t value;

	(void)state;
	stream_parse_size("8388608T", &value, &err);
	assert_string_equal(err.text, "size \"8388608T\" is too large");
	stream_parse_size("99999999999999999999x", &value, &err);
	assert_non_null(strstr(err.text, "is not a size"));
}

static void
durations_are_taken(void **state)
{
	static const struct row rows[] = {
	    {"0", 0},
	    {"500", 500},
	    {"500ms", 500},
	    {"1s", 1000},
	    {"90s", 90000},
	    {"1m", 60000},
	    {"1h", 3600000},
	    {"1d", 86400000},
	    {"1w", 604800000},
	    {"1h30m", 5400000},
	    {"1m500ms", 60500},
	    {"1w2d3h4m5s6ms", 788645006},
	    {"1s1h", 3601000},
	    {"0d0h", 0},
	    {"9223372036854775807", INT64_MAX},
	    {"9223372036854775807ms", INT64_MAX},
	    {"9223372036854775s807ms", INT64_MAX},
	    {"15250284452w", 15250284452 * 604800000},
	};

	(void)state;
	check_good(stream_parse_duration, rows, COUNT(rows));
}

static void
other_durations_are_refused(void **state)
{
	static const char *const texts[] = {"", "s", "ms", "-1", "-1s", "+1s",
	    "1.5h", "1 s", "1h 30m", "1h30", "30 ", "1x", "1hm", "1sec", "1S",
	    "1H", "1M", "1y", "9223372036854775808", "9223372036854776s",
	    "9223372036854775s808ms", "15250284453w", "99999999999999999999ms"};

	(void)state;
	check_bad(stream_parse_duration, texts, COUNT(texts));
}

static void
times_are_taken(void **state)
{
	static const struct row rows[] = {
	    {"1970-01-01", 0},
	    {"1970-01-01T00:00", 0},
	    {"1970-01-01T00:00:00Z", 0},
	    {"1970-01-01T00:00:00.001Z", 1},
	    {"1969-12-31T23:59:59.999", -1},
	    {"2026-03-01", 1772323200000},
	    {"2026-03-01Z", 1772323200000},
	    {"2026-03-01+01:00", 1772319600000},
	    {"2026-03-01-0130", 1772328600000},
	    {"2026-03-01T10:30", 1772361000000},
	    {"2026-03-01T10:30Z", 1772361000000},
	    {"2026-03-01T10:30:00Z", 1772361000000},
	    {"2026-03-01T10:30:05", 1772361005000},
	    {"2026-03-01T10:30:05.2", 1772361005200},
	    {"2026-03-01T10:30:05.25", 1772361005250},
	    {"2026-03-01T10:30:05.250", 1772361005250},
	    {"2026-03-01T10:30:05.250Z", 1772361005250},
	    {"2026-03-01T10:30:05.250+01:00", 1772357405250},
	    {"2026-03-01T10:30:05.250-0130", 1772366405250},
	    {"2026-03-01T10:30+0000", 1772361000000},
	    {"2026-03-01T10:30-00:00", 1772361000000},
	    {"2026-03-01T10:30+23:59", 1772274660000},
	    {"2024-02-29", 1709164800000},
	    {"2000-02-29", 951782400000},
	    {"2000-03-01", 951868800000},
	    {"1900-02-28", -2203977600000},
	    {"1900-03-01", -2203891200000},
	    {"2038-01-19T03:14:08Z", 2147483648000},
	    {"2106-02-07T06:28:16Z", 4294967296000},
	    {"1582-10-10", -12219724800000},
	    {"0000-01-01", -62167219200000},
	    {"0000-02-29", -62162121600000},
	    {"0000-03-01", -62162035200000},
	    {"0001-01-01", -62135596800000},
	    {"9999-12-31T23:59:59.999Z", 253402300799999},
	    {"0000-01-01T00:00+23:59", -62167305540000},
	    {"9999-12-31T23:59:59.999-23:59", 253402387139999},
	    {"@0", 0},
	    {"@-1", -1},
	    {"@1767225600000", 1767225600000},
	    {"@9223372036854775807", INT64_MAX},
	    {"@-9223372036854775808", INT64_MIN},
	};

	(void)state;
	check_good(stream_parse_time, rows, COUNT(rows));
}

static void
other_times_are_refused(void **state)
{
	static const char *const texts[] = {"", "now", "T", "Z", "2026",
	    "2026-03", "2026-3-1", "26-03-01", "02026-03-01", "2026-03-1",
	    "2026/03/01", "20260301", " 2026-03-01", "2026-03-01 ",
	    "-2026-03-01", "+2026-03-01", "2026-00-01", "2026-13-01",
	    "2026-01-00", "2026-01-32", "2026-04-31", "2026-06-31",
	    "2026-09-31", "2026-11-31", "2026-02-29", "1900-02-29",
	    "2100-02-29", "2024-02-30", "2026-03-011", "2026-03-01T",
	    "2026-03-01T1", "2026-03-01T10",
	    "2026-03-01T10:", "2026-03-01T10:3", "2026-03-01T1:30",
	    "2026-03-01T10:30:", "2026-03-01T10:30:5", "2026-03-01T10:30:055",
	    "2026-03-01T10:30.5", "2026-03-01T10:30:05.",
	    "2026-03-01T10:30:05.Z", "2026-03-01T10:30:05.1234",
	    "2026-03-01T10:30:05,250", "2026-03-01T24:00", "2026-03-01T25:00",
	    "2026-03-01T10:60", "2016-12-31T23:59:60Z", "2026-03-01T10:30:61",
	    "2026-03-01 10:30", "2026-03-01t10:30", "2026-03-01T10:30z",
	    "2026-03-01T10:30ZZ", "2026-03-01T10:30Z+01:00",
	    "2026-03-01T10:30+", "2026-03-01T10:30+01", "2026-03-01T10:30+1:00",
	    "2026-03-01T10:30+01:0", "2026-03-01T10:30+24:00",
	    "2026-03-01T10:30+01:60", "2026-03-01T10:30+01:00:00",
	    "2026-03-01T10:30 +01:00", "2026-03-01T10:30 UTC",
	    "2026-03-01T-1:30", "@", "@ 1", "@+1", "@1.5", "@1ms", "@@1",
	    "@9223372036854775808", "@-9223372036854775809"};

	(void)state;
	check_bad(stream_parse_time, texts, COUNT(texts));
}

static void
leap_second_is_refused_by_name(void **state)
{
	struct stream_error err;
	int64_t value;

	(void)state;
	stream_parse_time("2016-12-31T23:59:60Z", &value, &err);
	assert_non_null(strstr(err.text, "leap second"));
}

static void
times_are_formatted(void **state)
{
	static const struct row rows[] = {
	    {"1970-01-01T00:00:00.000Z", 0},
	    {"1970-01-01T00:00:00.001Z", 1},
	    {"1969-12-31T23:59:59.999Z", -1},
	    {"2026-03-01T10:30:05.250Z", 1772361005250},
	    {"2024-02-29T00:00:00.000Z", 1709164800000},
	    {"2024-12-31T23:59:59.099Z", 1735689599099},
	    {"0000-01-01T00:00:00.000Z", -62167219200000},
	    {"9999-12-31T23:59:59.999Z", 253402300799999},
	    {"@-62167219200001", -62167219200001},
	    {"@253402300800000", 253402300800000},
	    {"@9223372036854775807", INT64_MAX},
	    {"@-9223372036854775808", INT64_MIN},
	};
	char text[STREAM_TIME_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(text, 'x', sizeof(text));
		stream_format_time(rows[i].value, text);
		assert_string_equal(text, rows[i].text);
	}
}

/* libc's calendar is an independent one. */
static void
check_day(int64_t day)
{
	int64_t ms = day * DAY_MS + (day * 7919 % DAY_MS + DAY_MS) % DAY_MS;
	int64_t seconds = ms / 1000 - (ms % 1000 < 0);
	char text[STREAM_TIME_SIZE], expected[64];
	struct stream_error err;
	int64_t back;
	struct tm tm;
	time_t t = (time_t)seconds;

	gmtime_r(&t, &tm);
	stream_format_time(ms, text);
	snprintf(expected, sizeof(expected),
	    "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (int)(ms - seconds * 1000));
	assert_string_equal(text, expected);
	assert_int_equal(stream_parse_time(text, &back, &err), STREAM_OK);
	assert_true(back == ms);
}

static void
every_day_of_the_calendar_is_right(void **state)
{
	(void)state;
	/* All days near the ends and of two eras' turns, others by sample. */
	for (int64_t day = -719528; day <= 2932896; day++) {
		char text[STREAM_TIME_SIZE];
		int64_t back;

		if (day % 37 == 0 || day < -718000 || day > 2932000 ||
		    (day > -26000 && day < 48000)) {
			check_day(day);
			continue;
		}
		stream_format_time(day * DAY_MS, text);
		assert_int_equal(
		    stream_parse_time(text, &back, NULL), STREAM_OK);
		assert_true(back == day * DAY_MS);
	}
}

static void
times_do_not_depend_on_tz(void **state)
{
	char text[STREAM_TIME_SIZE];
	int64_t value;

	(void)state;
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	assert_int_equal(
	    stream_parse_time("1970-01-01", &value, NULL), STREAM_OK);
	assert_int_equal(value, 0);
	stream_format_time(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	unsetenv("TZ");
}

static void
escapes_become_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *bytes;
	} rows[] = {
	    {"", 0, ""},
	    {"abc", 3, "abc"},
	    {"\\n", 1, "\n"},
	    {"\\t", 1, "\t"},
	    {"\\r\\n", 2, "\r\n"},
	    {"\\0", 1, "\0"},
	    {"a\\0b", 3, "a\0b"},
	    {"\\\\n", 2, "\\n"},
	    {"\\x00", 1, "\0"},
	    {"\\xff\\xFF\\xfF", 3, "\xff\xff\xff"},
	    {"\\x0a1", 2, "\n1"},
	    {"\\x7cx", 2, "|x"},
	    {"é", 2, "\xc3\xa9"},
	    {"\\01", 2, "\0001"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t *bytes = NULL;
		size_t size = 99;

		assert_int_equal(
		    stream_parse_escapes(rows[i].text, &bytes, &size, NULL),
		    STREAM_OK);
		assert_non_null(bytes);
		assert_int_equal(size, rows[i].size);
		assert_memory_equal(bytes, rows[i].bytes, size);
		free(bytes);
	}
}

static void
other_escapes_are_refused(void **state)
{
	static const char *const texts[] = {"\\", "a\\", "\\a", "\\N", "\\x",
	    "\\x1", "\\xg0", "\\x0g", "\\X41", "\\\"", "\\ ", "\\u0041",
	    "ok\\n\\q"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct stream_error err = {0};
		uint8_t *bytes = NULL;
		size_t size = 99;

		assert_int_equal(
		    stream_parse_escapes(texts[i], &bytes, &size, &err),
		    STREAM_EUSAGE);
		assert_null(bytes);
		assert_int_equal(size, 99);
		assert_non_null(strstr(err.text, texts[i]));
	}
}

static void
nearest_name_is_found(void **state)
{
	static const char *const names[] = {"produce", "consume", "tail",
	    "topic", "retain", "compact", "retention.ms", "retention.bytes",
	    "segment.bytes", "ls"};
	static const struct {
		const char *text;
		const char *name;
	} rows[] = {
	    {"produce", "produce"},
	    {"prodcue", "produce"},
	    {"prduce", "produce"},
	    {"producer", "produce"},
	    {"consumer", "consume"},
	    {"comsune", "consume"},
	    {"tali", "tail"},
	    {"topics", "topic"},
	    {"TOPIC", "topic"},
	    {"RETENTION.MS", "retention.ms"},
	    {"retention_ms", "retention.ms"},
	    {"retention", "retention.ms"},
	    {"segment.byte", "segment.bytes"},
	    {"retention.byts", "retention.bytes"},
	    {"lss", "ls"},
	    {"", NULL},
	    {"x", NULL},
	    {"l", NULL},
	    {"git", NULL},
	    {"frobnicate", NULL},
	    {"topicality", NULL},
	};
	char long_text[1000];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *found =
		    stream_parse_nearest(rows[i].text, names, COUNT(names));

		if (rows[i].name == NULL && found != NULL)
			fail_msg("%s: %s", rows[i].text, found);
		if (rows[i].name != NULL && found == NULL)
			fail_msg("%s: none", rows[i].text);
		if (rows[i].name != NULL)
			assert_string_equal(found, rows[i].name);
	}
	assert_null(stream_parse_nearest("tail", names, 0));
	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_null(stream_parse_nearest(long_text, names, COUNT(names)));
}

static void
long_text_is_cut_in_the_message(void **state)
{
	char text[1000];
	struct stream_error err;
	int64_t value;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(stream_parse_time(text, &value, &err), STREAM_EUSAGE);
	assert_non_null(strstr(err.text, "a date is YYYY-MM-DD"));
	assert_int_equal(
	    stream_parse_duration(text, &value, &err), STREAM_EUSAGE);
	assert_non_null(strstr(err.text, "is not a duration"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_numbers_are_taken),
	    cmocka_unit_test(other_numbers_are_refused),
	    cmocka_unit_test(numbers_stay_between_their_bounds),
	    cmocka_unit_test(sizes_are_taken),
	    cmocka_unit_test(other_sizes_are_refused),
	    cmocka_unit_test(size_that_does_not_fit_is_told_apart),
	    cmocka_unit_test(durations_are_taken),
	    cmocka_unit_test(other_durations_are_refused),
	    cmocka_unit_test(times_are_taken),
	    cmocka_unit_test(other_times_are_refused),
	    cmocka_unit_test(leap_second_is_refused_by_name),
	    cmocka_unit_test(times_are_formatted),
	    cmocka_unit_test(every_day_of_the_calendar_is_right),
	    cmocka_unit_test(times_do_not_depend_on_tz),
	    cmocka_unit_test(escapes_become_bytes),
	    cmocka_unit_test(other_escapes_are_refused),
	    cmocka_unit_test(nearest_name_is_found),
	    cmocka_unit_test(long_text_is_cut_in_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
