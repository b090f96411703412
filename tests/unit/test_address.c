/* Addresses and ranges: what each form means, and which are refused. */
#include <stream/address.h>
#include <stream/topic.h>

#include "temp_dir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* 2026-03-01T10:30:00Z */
static const int64_t now_ms = 1772361000000;

struct row {
	const char *text;
	struct stream_range range;
};

static const struct row ranges[] = {
    {"start", {{STREAM_POINT_START, 0}, {STREAM_POINT_NONE, 0}}},
    {"end", {{STREAM_POINT_END, 0}, {STREAM_POINT_NONE, 0}}},
    {"0", {{STREAM_POINT_OFFSET, 0}, {STREAM_POINT_NONE, 0}}},
    {"42..", {{STREAM_POINT_OFFSET, 42}, {STREAM_POINT_NONE, 0}}},
    {"42..50", {{STREAM_POINT_OFFSET, 42}, {STREAM_POINT_OFFSET, 50}}},
    {"..50", {{STREAM_POINT_START, 0}, {STREAM_POINT_OFFSET, 50}}},
    {"42..+5", {{STREAM_POINT_OFFSET, 42}, {STREAM_POINT_AFTER, 5}}},
    {"..+5", {{STREAM_POINT_START, 0}, {STREAM_POINT_AFTER, 5}}},
    {"-7", {{STREAM_POINT_LAST, 7}, {STREAM_POINT_NONE, 0}}},
    {"-7..end", {{STREAM_POINT_LAST, 7}, {STREAM_POINT_END, 0}}},
    {"-9..-7", {{STREAM_POINT_LAST, 9}, {STREAM_POINT_LAST, 7}}},
    {"-0", {{STREAM_POINT_LAST, 0}, {STREAM_POINT_NONE, 0}}},
    {"start..-1", {{STREAM_POINT_START, 0}, {STREAM_POINT_LAST, 1}}},
    {"9223372036854775807",
	{{STREAM_POINT_OFFSET, INT64_MAX}, {STREAM_POINT_NONE, 0}}},
    {"-90s", {{STREAM_POINT_TIME, 1772360910000}, {STREAM_POINT_NONE, 0}}},
    {"-7d..-1d", {{STREAM_POINT_TIME, 1771756200000},
		     {STREAM_POINT_TIME, 1772274600000}}},
    {"-1h30m", {{STREAM_POINT_TIME, 1772355600000}, {STREAM_POINT_NONE, 0}}},
    {"2026-03-01T10:30:00Z",
	{{STREAM_POINT_TIME, 1772361000000}, {STREAM_POINT_NONE, 0}}},
    {"2026-03-01T10:30:00.250Z..2026-03-02",
	{{STREAM_POINT_TIME, 1772361000250},
	    {STREAM_POINT_TIME, 1772409600000}}},
    {"@1700000000000..@1700000000001", {{STREAM_POINT_TIME, 1700000000000},
					   {STREAM_POINT_TIME, 1700000000001}}},
};

static const char *const bad_ranges[] = {"", "..", "...", "0...", "0..1..2",
    ".", "x", "0x10", "1.5", "+5", "+5..10", "+", "-", "--5", "+-5", "-x",
    "-5x", "5s", "Start", "START", " 5", "5 ", "9223372036854775808",
    "-9223372036854775808", "g:cron", "..g:cron", "@", "@x", "2026-13-01",
    "0..+", "0..@"};

static void
expect_point(
    const char *text, struct stream_point got, struct stream_point want)
{
	if (got.kind != want.kind || got.value != want.value)
		fail_msg("%s: kind %d value %lld, not kind %d value %lld", text,
		    got.kind, (long long)got.value, want.kind,
		    (long long)want.value);
}

static void
ranges_mean_what_the_manual_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ranges); i++) {
		struct stream_range range;
		struct stream_error err;

		if (stream_range_parse(ranges[i].text, now_ms, &range, &err) !=
		    STREAM_OK)
			fail_msg("%s", err.text);
		expect_point(ranges[i].text, range.from, ranges[i].range.from);
		expect_point(ranges[i].text, range.to, ranges[i].range.to);
	}
}

static void
other_ranges_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_ranges); i++) {
		struct stream_range range;

		if (stream_range_parse(bad_ranges[i], now_ms, &range, NULL) !=
		    STREAM_EUSAGE)
			fail_msg("\"%s\" is taken", bad_ranges[i]);
	}
}

static void
groups_are_said_to_come_later(void **state)
{
	struct stream_range range;
	struct stream_error err;

	(void)state;
	assert_int_equal(
	    stream_range_parse("g:cron", 0, &range, &err), STREAM_EUSAGE);
	assert_non_null(
	    strstr(err.text, "consumer groups are not available yet"));
}

static const struct {
	const char *text;
	const char *name;
	bool is_path;
	const char *spans; /* "first-last,..." as merged */
	enum stream_point_kind from;
} addresses[] = {
    {"orders", "orders", false, "", STREAM_POINT_NONE},
    {"orders:0", "orders", false, "0-0,", STREAM_POINT_NONE},
    {"orders:2,0", "orders", false, "0-0,2-2,", STREAM_POINT_NONE},
    {"orders:0-3", "orders", false, "0-3,", STREAM_POINT_NONE},
    {"orders:5,0-3,2-4,9-9,7", "orders", false, "0-4,5-5,7-7,9-9,",
	STREAM_POINT_NONE},
    {"orders:3,3,3", "orders", false, "3-3,", STREAM_POINT_NONE},
    {"orders:1-9,2-3,4", "orders", false, "1-9,", STREAM_POINT_NONE},
    {"orders:2147483647", "orders", false, "2147483647-2147483647,",
	STREAM_POINT_NONE},
    {"orders@5", "orders", false, "", STREAM_POINT_OFFSET},
    {"orders:1@5", "orders", false, "1-1,", STREAM_POINT_OFFSET},
    {"orders@@5", "orders", false, "", STREAM_POINT_TIME},
    {"orders@2026-03-01T10:30:00Z", "orders", false, "", STREAM_POINT_TIME},
    {"orders-0", "orders-0", false, "", STREAM_POINT_NONE},
    {"-x", "-x", false, "", STREAM_POINT_NONE},
    {"a.b_c-D", "a.b_c-D", false, "", STREAM_POINT_NONE},
    {"__consumer_offsets", "__consumer_offsets", false, "", STREAM_POINT_NONE},
    {"./orders-0", "./orders-0", true, "", STREAM_POINT_NONE},
    {"./orders-0@5", "./orders-0", true, "", STREAM_POINT_OFFSET},
    {"/a@b/c:d/orders-0@5", "/a@b/c:d/orders-0", true, "", STREAM_POINT_OFFSET},
    {"/a:b/", "/a:b/", true, "", STREAM_POINT_NONE},
    {"/a:b/@5", "/a:b/", true, "", STREAM_POINT_OFFSET},
    {"./store:0-1@start", "./store", true, "0-1,", STREAM_POINT_START},
    {"./o-0@2026-03-01T10:30:00Z", "./o-0", true, "", STREAM_POINT_TIME},
    {"/", "/", true, "", STREAM_POINT_NONE},
};

static void
expect_spans(const struct stream_address *address, const char *want)
{
	char got[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < address->span_count; i++)
		used += (size_t)snprintf(got + used, sizeof(got) - used,
		    "%d-%d,", address->spans[i].first, address->spans[i].last);
	assert_string_equal(got, want);
	assert_int_equal(address->spans == NULL, *want == '\0');
}

static void
addresses_come_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct stream_address address;
		struct stream_error err;

		if (stream_address_parse(
			addresses[i].text, now_ms, &address, &err) != STREAM_OK)
			fail_msg("%s", err.text);
		assert_string_equal(address.name, addresses[i].name);
		assert_int_equal(address.is_path, addresses[i].is_path);
		assert_int_equal(address.range.from.kind, addresses[i].from);
		expect_spans(&address, addresses[i].spans);
		stream_address_release(&address);
	}
}

static void
other_addresses_are_refused(void **state)
{
	static const char *const bad[] = {"", ":0", "@5", ".", "..", "a b",
	    "a\xc3\xa9", "orders:", "orders:,", "orders:0,", "orders:,0",
	    "orders:-", "orders:0-", "orders:-1", "orders:3-1", "orders:0-1-2",
	    "orders:0:1", "orders:x", "orders: 0", "orders:2147483648",
	    "orders:0,,1", "orders@", "orders@x", "./x@", "./x:y", "./x:"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct stream_address address;

		if (stream_address_parse(bad[i], now_ms, &address, NULL) !=
		    STREAM_EUSAGE)
			fail_msg("\"%s\" is taken", bad[i]);
	}
}

static void
a_topic_name_is_not_longer_than_kafkas(void **state)
{
	char text[STREAM_TOPIC_NAME_MAX + 2];
	struct stream_address address;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[STREAM_TOPIC_NAME_MAX + 1] = '\0';
	assert_int_equal(
	    stream_address_parse(text, 0, &address, NULL), STREAM_EUSAGE);
	text[STREAM_TOPIC_NAME_MAX] = '\0';
	assert_int_equal(
	    stream_address_parse(text, 0, &address, NULL), STREAM_OK);
	stream_address_release(&address);
}

/* --- resolving ----------------------------------------------------------- */

/* A store as a broker leaves it: topic "a" with partitions 0 to 2, "b" with 1
 * and 3, and what is no partition. */
static struct stream_store *
make_store(const struct temp_dir *dir)
{
	static const char *const dirs[] = {"a-0", "a-1", "a-2", "b-1", "b-3",
	    "a-7.0123456789abcdef0123456789abcdef-delete",
	    "a-8.0123456789abcdef0123456789abcdef-future", "c-01", "d",
	    ".strm"};
	struct stream_store *store;

	for (size_t i = 0; i < COUNT(dirs); i++)
		temp_dir_make(dir, dirs[i]);
	temp_dir_put(dir, "a-0/00000000000000000000.log", "");
	temp_dir_put(dir, "a-0/00000000000000000009.log", "");
	temp_dir_put(dir, "a-9", "a file");
	assert_int_equal(symlinkat("a-0", dir->fd, "a-5"), 0);
	temp_dir_put(dir, "log-start-offset-checkpoint", "0\n1\na 0 4\n");
	assert_int_equal(
	    stream_store_open(dir->path, 0, 0, &store, NULL), STREAM_OK);
	return store;
}

/* What text resolves to, as "topic-partition@start " for each place. */
static int
resolve(struct stream_store *store, const char *text, char got[static 256],
    struct stream_error *err)
{
	struct stream_address address;
	struct stream_places places;
	size_t used = 0;
	int status;

	assert_int_equal(
	    stream_address_parse(text, 0, &address, err), STREAM_OK);
	status = stream_address_resolve(&address, store, &places, err);
	stream_address_release(&address);
	got[0] = '\0';
	if (status != STREAM_OK)
		return status;
	for (size_t i = 0; i < places.count; i++)
		used += (size_t)snprintf(got + used, 256 - used, "%s-%d@%lld ",
		    places.items[i].topic, places.items[i].partition,
		    (long long)places.items[i].log_start_offset);
	stream_places_release(&places);
	return STREAM_OK;
}

static void
a_topic_resolves_to_its_partitions(void **state)
{
	struct stream_store *store = make_store(*state);
	struct stream_error err;
	char got[256];

	assert_int_equal(resolve(store, "a", got, &err), STREAM_OK);
	assert_string_equal(got, "a-0@4 a-1@0 a-2@0 ");
	assert_int_equal(resolve(store, "a:2,0", got, &err), STREAM_OK);
	assert_string_equal(got, "a-0@4 a-2@0 ");
	assert_int_equal(resolve(store, "b", got, &err), STREAM_OK);
	assert_string_equal(got, "b-1@0 b-3@0 ");
	stream_store_close(store);
}

static void
what_is_missing_is_named_with_what_is_there(void **state)
{
	struct stream_store *store = make_store(*state);
	struct stream_error err;
	char got[256];

	assert_int_equal(resolve(store, "a:3", got, &err), STREAM_ENOENT);
	assert_string_equal(
	    err.text, "a: no partition 3; it has 3, from 0 to 2");
	assert_int_equal(
	    resolve(store, "a:0-2147483647", got, &err), STREAM_ENOENT);
	assert_int_equal(resolve(store, "b:1-3", got, &err), STREAM_ENOENT);
	assert_string_equal(
	    err.text, "b: no partition 2; it has 2, from 1 to 3");
	assert_int_equal(resolve(store, "nope", got, &err), STREAM_ENOENT);
	assert_non_null(strstr(err.text, "nope: no such topic in "));
	stream_store_close(store);
}

static void
a_path_leads_to_a_partition(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store = make_store(dir);
	struct stream_error err;
	char got[256], path[512];

	snprintf(path, sizeof(path), "%s/a-0", dir->path);
	assert_int_equal(resolve(NULL, path, got, &err), STREAM_OK);
	assert_string_equal(got, "a-0@4 ");
	snprintf(path, sizeof(path), "%s/a-0/", dir->path);
	assert_int_equal(resolve(NULL, path, got, &err), STREAM_OK);
	assert_string_equal(got, "a-0@4 ");
	snprintf(path, sizeof(path), "%s/a-0:0", dir->path);
	assert_int_equal(resolve(NULL, path, got, &err), STREAM_EUSAGE);
	snprintf(path, sizeof(path), "%s/nope", dir->path);
	assert_int_equal(resolve(NULL, path, got, &err), STREAM_ENOENT);
	stream_store_close(store);
}

static void
a_renamed_partition_is_a_topic_of_its_own(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_error err;
	char got[256], path[512];

	temp_dir_make(dir, "copy of it");
	temp_dir_put(dir, "copy of it/partition.metadata", "");
	snprintf(path, sizeof(path), "%s/copy of it", dir->path);
	assert_int_equal(resolve(NULL, path, got, &err), STREAM_OK);
	assert_string_equal(got, "copy of it-0@0 ");
}

static void
a_path_leads_to_one_segment(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store = make_store(dir);
	struct stream_address address;
	struct stream_places places;
	char path[512];

	snprintf(
	    path, sizeof(path), "%s/a-0/00000000000000000009.log", dir->path);
	assert_int_equal(
	    stream_address_parse(path, 0, &address, NULL), STREAM_OK);
	assert_int_equal(
	    stream_address_resolve(&address, NULL, &places, NULL), STREAM_OK);
	assert_int_equal(places.count, 1);
	assert_string_equal(places.items[0].topic, "a");
	assert_string_equal(
	    places.items[0].segment, "00000000000000000009.log");
	path[strlen(dir->path) + 4] = '\0';
	assert_string_equal(places.items[0].path, path);
	assert_int_equal(places.items[0].log_start_offset, 0);
	stream_places_release(&places);
	stream_address_release(&address);
	stream_store_close(store);
}

static void
a_path_to_a_store_is_all_of_it(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store = make_store(dir);
	struct stream_error err;
	char got[256], path[512];

	snprintf(path, sizeof(path), "%s/", dir->path);
	assert_int_equal(resolve(NULL, path, got, &err), STREAM_OK);
	assert_string_equal(got, "a-0@4 a-1@0 a-2@0 b-1@0 b-3@0 ");
	snprintf(path, sizeof(path), "%s:1", dir->path);
	assert_int_equal(resolve(NULL, path, got, &err), STREAM_OK);
	assert_string_equal(got, "a-1@0 b-1@0 ");
	snprintf(path, sizeof(path), "%s:9", dir->path);
	assert_int_equal(resolve(NULL, path, got, &err), STREAM_ENOENT);
	snprintf(path, sizeof(path), "%s/d", dir->path);
	assert_int_equal(resolve(NULL, path, got, &err), STREAM_ENOENT);
	snprintf(path, sizeof(path), "%s/a-9", dir->path);
	assert_int_equal(resolve(NULL, path, got, &err), STREAM_EUSAGE);
	stream_store_close(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges_mean_what_the_manual_says),
	    cmocka_unit_test(other_ranges_are_refused),
	    cmocka_unit_test(groups_are_said_to_come_later),
	    cmocka_unit_test(addresses_come_apart),
	    cmocka_unit_test(other_addresses_are_refused),
	    cmocka_unit_test(a_topic_name_is_not_longer_than_kafkas),
	    cmocka_unit_test_setup_teardown(a_topic_resolves_to_its_partitions,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		what_is_missing_is_named_with_what_is_there, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(a_path_leads_to_a_partition,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		a_renamed_partition_is_a_topic_of_its_own, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(a_path_leads_to_one_segment,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(a_path_to_a_store_is_all_of_it,
		temp_dir_set_up, temp_dir_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
