/* When a segment that nothing is appended to is closed all the same. */
#include <time.h>

#include "fixture.h"
#include "log/roll_due.h"

#define HOUR INT64_C(3600000)

static int
look(const struct temp_dir *dir, struct stream_roll_rules rules,
    struct stream_roll_due *due, struct stream_error *err)
{
	struct stream_roll_source source = {
	    .dirfd = dir->fd, .dense = true, .cap = 1 << 20, .rules = rules};

	err->text[0] = '\0';
	return stream_log_roll_due(&source, due, err);
}

/* No limit at all; an hour after the first record. */
static struct stream_roll_rules
no_rules(void)
{
	return (struct stream_roll_rules){.now_ms = T0 + HOUR,
	    .age_ms = -1,
	    .lag_ms = -1,
	    .retention_ms = -1,
	    .retention_bytes = -1};
}

static void
expect_reason(const char *what, const struct temp_dir *dir,
    struct stream_roll_rules rules, enum stream_roll_reason want)
{
	struct stream_roll_due due;
	struct stream_error err;

	expect(look(dir, rules, &due, &err), STREAM_OK, err);
	if (due.reason != want)
		fail_msg("%s: %s (%s)", what,
		    stream_roll_reason_name(due.reason), due.why);
	assert_int_equal(due.why[0] == '\0', want == STREAM_ROLL_STAYS);
}

/* Ten batches, a minute between them: the last one is 54 minutes old. */
static void
put_log(const struct temp_dir *dir, int64_t base)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf log;

	stream_buf_init(&log);
	for (int i = 0; i < 10; i++)
		fx_add(&log, (struct fx_batch){.base = base + i,
				 .time_ms = T0 + i * 40000,
				 .value_size = 10});
	fx_put(dir, fx_log_name(base, name), log.data, log.size);
	stream_buf_release(&log);
}

static void
its_time_has_come(void **state)
{
	static const struct {
		const char *what;
		struct stream_roll_rules rules; /* 0: no limit */
		enum stream_roll_reason want;
	} rows[] = {
	    {"no limit", {.now_ms = 0}, STREAM_ROLL_STAYS},
	    {"segment.ms to the millisecond", {.age_ms = HOUR},
		STREAM_ROLL_STAYS},
	    {"and one less", {.age_ms = HOUR - 1}, STREAM_ROLL_AGE},
	    {"max.compaction.lag.ms", {.age_ms = 2 * HOUR, .lag_ms = HOUR - 1},
		STREAM_ROLL_LAG},
	    {"not yet", {.age_ms = 2 * HOUR, .lag_ms = HOUR},
		STREAM_ROLL_STAYS},
	    {"segment.ms comes first", {.age_ms = 1, .lag_ms = 1},
		STREAM_ROLL_AGE},
	    {"the first record is old, the last is not",
		{.retention_ms = HOUR - 360000}, STREAM_ROLL_STAYS},
	    {"the last is", {.retention_ms = HOUR - 360001},
		STREAM_ROLL_RETENTION},
	    {"a limit of size keeps the active one", {.retention_bytes = 1},
		STREAM_ROLL_STAYS},
	    {"the log start is in it", {.log_start_offset = 109},
		STREAM_ROLL_STAYS},
	    {"and at its end", {.log_start_offset = 110},
		STREAM_ROLL_LOG_START},
	};
	const struct temp_dir *dir = *state;

	put_log(dir, 0);
	put_log(dir, 100);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_roll_rules rules = no_rules();
		const struct stream_roll_rules *given = &rows[i].rules;

		if (given->age_ms != 0)
			rules.age_ms = given->age_ms;
		if (given->lag_ms != 0)
			rules.lag_ms = given->lag_ms;
		if (given->retention_ms != 0)
			rules.retention_ms = given->retention_ms;
		if (given->retention_bytes != 0)
			rules.retention_bytes = given->retention_bytes;
		rules.log_start_offset = given->log_start_offset;
		expect_reason(rows[i].what, dir, rules, rows[i].want);
	}
}

static void
retention_to_nothing_takes_all(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_roll_rules rules = no_rules();

	put_log(dir, 0);
	rules.retention_bytes = 0;
	expect_reason("retention.bytes=0", dir, rules, STREAM_ROLL_RETENTION);
	rules.retention_bytes = -1;
	rules.retention_ms = 0;
	expect_reason("retention.ms=0", dir, rules, STREAM_ROLL_RETENTION);
}

static void
one_without_records_stays(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_roll_rules rules = no_rules();
	char name[STREAM_NAME_SIZE];

	rules.age_ms = rules.retention_ms = 0;
	rules.retention_bytes = 0;
	rules.log_start_offset = 100;
	expect_reason("no segment", dir, rules, STREAM_ROLL_STAYS);
	put_log(dir, 0);
	fx_put(dir, fx_log_name(10, name), "", 0);
	expect_reason("an empty one", dir, rules, STREAM_ROLL_STAYS);
	fx_put(dir, fx_log_name(10, name), "\0\0\0\0\0\0\0\0\0\0", 10);
	expect_reason("a torn one", dir, rules, STREAM_ROLL_STAYS);
}

/* The file was made now, as far as the file system can tell. */
static void
without_timestamps_the_file_tells(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_roll_rules rules = no_rules();
	struct stream_buf log;
	struct timespec now;

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.time_ms = -1, .value_size = 10});
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	clock_gettime(CLOCK_REALTIME, &now);
	rules.now_ms = now.tv_sec * INT64_C(1000) + 10000;
	rules.age_ms = 60000;
	expect_reason("young", dir, rules, STREAM_ROLL_STAYS);
	rules.now_ms += 120000;
	expect_reason("old", dir, rules, STREAM_ROLL_AGE);
}

/* A clock that went backwards, or a record of the future, hurries nothing. */
static void
no_age_is_negative(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_roll_rules rules = no_rules();

	put_log(dir, 0);
	rules.now_ms = T0 - HOUR;
	rules.age_ms = rules.lag_ms = 1;
	rules.retention_ms = 1;
	expect_reason("before the first record", dir, rules, STREAM_ROLL_STAYS);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(its_time_has_come),
	    TEST(retention_to_nothing_takes_all),
	    TEST(one_without_records_stays),
	    TEST(without_timestamps_the_file_tells),
	    TEST(no_age_is_negative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
