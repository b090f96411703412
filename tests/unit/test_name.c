/* Names of segment files: the good ones both ways, and all kinds of bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "file/name.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *text;
	struct stream_name name;
} good[] = {
    {"00000000000000000000.log", {0, STREAM_NAME_LOG, STREAM_NAME_PLAIN}},
    {"00000000000000000042.index", {42, STREAM_NAME_INDEX, STREAM_NAME_PLAIN}},
    {"00000000000000000042.timeindex",
	{42, STREAM_NAME_TIMEINDEX, STREAM_NAME_PLAIN}},
    {"00000000000000000042.txnindex",
	{42, STREAM_NAME_TXNINDEX, STREAM_NAME_PLAIN}},
    {"00000000000000000042.snapshot",
	{42, STREAM_NAME_SNAPSHOT, STREAM_NAME_PLAIN}},
    {"00000000000000000007.log.cleaned",
	{7, STREAM_NAME_LOG, STREAM_NAME_CLEANED}},
    {"00000000000000000007.index.swap",
	{7, STREAM_NAME_INDEX, STREAM_NAME_SWAP}},
    {"00000000000000000007.timeindex.cleaned",
	{7, STREAM_NAME_TIMEINDEX, STREAM_NAME_CLEANED}},
    {"00000000000000000007.snapshot.deleted",
	{7, STREAM_NAME_SNAPSHOT, STREAM_NAME_DELETED}},
    {"09223372036854775807.log",
	{INT64_MAX, STREAM_NAME_LOG, STREAM_NAME_PLAIN}},
};

static const char *const bad[] = {
    "",
    ".log",
    "0.log",
    "0000000000000000000.log",
    "000000000000000000000.log",
    "00000000000000000000",
    "00000000000000000000.",
    "00000000000000000000.LOG",
    "00000000000000000000.log.",
    "00000000000000000000.log.swp",
    "00000000000000000000.log.swap.swap",
    "00000000000000000000.log.tmp",
    "00000000000000000000.logs",
    "00000000000000000000.checkpoint",
    "0000000000000000000x.log",
    "-0000000000000000001.log",
    "+0000000000000000001.log",
    " 0000000000000000001.log",
    "09223372036854775808.log",
    "18446744073709551616.log",
    "99999999999999999999.log",
    "leader-epoch-checkpoint",
    ".strm-state",
};

static void
good_names_are_parsed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct stream_name name = {.base_offset = -1};

		if (!stream_name_parse(good[i].text, &name))
			fail_msg("%s is refused", good[i].text);
		assert_int_equal(name.base_offset, good[i].name.base_offset);
		assert_int_equal(name.kind, good[i].name.kind);
		assert_int_equal(name.state, good[i].name.state);
	}
}

static void
names_are_written_as_they_were_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		char text[STREAM_NAME_SIZE];

		stream_name_put(&good[i].name, text);
		assert_string_equal(text, good[i].text);
	}
}

static void
other_names_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct stream_name name = {.base_offset = -7};

		if (stream_name_parse(bad[i], &name))
			fail_msg("%s is taken", bad[i]);
		assert_int_equal(name.base_offset, -7);
	}
}

static void
a_plain_name_has_no_state(void **state)
{
	char text[STREAM_NAME_SIZE];

	(void)state;
	stream_name_put_plain(1234567, STREAM_NAME_TIMEINDEX, text);
	assert_string_equal(text, "00000000000001234567.timeindex");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_names_are_parsed),
	    cmocka_unit_test(names_are_written_as_they_were_read),
	    cmocka_unit_test(other_names_are_refused),
	    cmocka_unit_test(a_plain_name_has_no_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
