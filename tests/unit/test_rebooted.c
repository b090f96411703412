/* What a loss of power left of appends that were not durable: what is cut, what
 * stays damage, and what readers show until a writer comes. */
#include "faults.h"
#include "log/reader_private.h"
#include "log/verify.h"
#include "recovery.h"

/* A log of batches of three records and more than two sectors each. */
enum { BATCHES = 40, SYNCED = 10, VALUE = 450 };

/* What stands in the place of a batch. */
enum hole {
	LOST,       /* zeros */
	HALF_LOST,  /* zeros from the second sector that it begins on */
	FRONT_LOST, /* zeros up to the next sector */
	FLIPPED     /* no zeros: a bit is wrong */
};

/* Where batch n begins, by the lengths of those before it. */
static uint64_t
batch_at(const struct temp_dir *dir, int n)
{
	struct stream_buf log;
	uint64_t at = 0;

	fx_get(dir, LOG_0, &log);
	for (int i = 0; i < n; i++)
		at += stream_load32(log.data + at + 8) + STREAM_BATCH_PREFIX;
	stream_buf_release(&log);
	return at;
}

static void
make_hole(const struct temp_dir *dir, int n, enum hole hole)
{
	static const uint8_t zeros[4096];
	uint64_t from = batch_at(dir, n), to = batch_at(dir, n + 1);
	struct stream_buf log;

	fx_get(dir, LOG_0, &log);
	if (hole == HALF_LOST)
		from += 1024 - from % 512;
	if (hole == FRONT_LOST)
		to = from + 512 - from % 512;
	if (hole == FLIPPED) {
		uint8_t byte = log.data[from + 200] ^ 4;

		fx_put_at(dir, LOG_0, from + 200, &byte, 1);
	} else {
		assert_true(to > from && to - from <= sizeof(zeros));
		fx_put_at(dir, LOG_0, from, zeros, to - from);
	}
	stream_buf_release(&log);
}

static void
make_log(const struct temp_dir *dir)
{
	struct stream_partition *partition = fx_open(dir, NULL);

	fx_append(partition, SYNCED, 3, VALUE, 'a');
	fx_sync(partition);
	fx_append(partition, BATCHES - SYNCED, 3, VALUE, 'a');
	stream_partition_close(partition);
	assert_int_equal(fx_state(dir).durable_end, batch_at(dir, SYNCED));
}

/* Batch n did not reach the disk before the system was booted again. */
static void
lose(const struct temp_dir *dir, int n)
{
	make_log(dir);
	make_hole(dir, n, LOST);
	fx_reboot(dir, false);
}

/* ---- writers ------------------------------------------------------------- */

static void
expect_set_aside(const struct temp_dir *dir, int n)
{
	uint64_t at = batch_at(dir, n);
	struct stream_buf log, kept;
	char name[64];

	fx_get(dir, LOG_0, &log);
	expect_opens(dir, n * 3, "loss of power");
	snprintf(name, sizeof(name), ".strm-cut-%d", n * 3);
	assert_int_equal(fx_get(dir, name, &kept), log.size - at);
	assert_memory_equal(kept.data, log.data + at, kept.size);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	assert_int_equal(fx_state(dir).marks, 0);
	stream_buf_release(&kept);
	stream_buf_release(&log);
}

static void
what_was_lost_with_power_is_set_aside(void **state)
{
	static const enum hole holes[] = {LOST, HALF_LOST, FRONT_LOST};
	static const int places[] = {SYNCED, SYNCED + 1, 25, BATCHES - 2};

	(void)state;
	for (size_t i = 0; i < COUNT(holes) * COUNT(places); i++) {
		struct temp_dir *dir = fx_dir();
		int n = places[i / COUNT(holes)];

		make_log(dir);
		make_hole(dir, n, holes[i % COUNT(holes)]);
		fx_reboot(dir, false);
		expect_set_aside(dir, n);
		fx_drop(dir);
	}
}

/* Nothing of a segment was durable, and the state says so. */
/* A last batch that begins so many bytes before a sector ends, and of which the
 * rest is there, but not these: at 12 its length is zero, which its CRC does
 * not cover. */
static void
lose_front(const struct temp_dir *dir, uint64_t bytes)
{
	static const uint8_t zeros[16];
	struct stream_partition *partition = fx_open(dir, NULL);
	uint64_t at;

	fx_append(partition, 1, 1, 400, 'a');
	at = (uint64_t)fx_size(dir, LOG_0);
	fx_append(
	    partition, 1, 1, 400 + (2 * 512 - bytes - 2 * at % 512) % 512, 'a');
	at = (uint64_t)fx_size(dir, LOG_0);
	assert_int_equal(512 - at % 512, bytes);
	fx_sync(partition);
	fx_append(partition, 1, 1, 400, 'a');
	stream_partition_close(partition);
	fx_put_at(dir, LOG_0, at, zeros, bytes);
	fx_reboot(dir, false);
}

static void
a_batch_without_its_length_is_set_aside(void **state)
{
	(void)state;
	for (uint64_t bytes = 12; bytes <= 16; bytes++) {
		struct temp_dir *dir = fx_dir();

		lose_front(dir, bytes);
		expect_opens(dir, 2, "loss of power");
		fx_drop(dir);
	}
}

static void
a_durable_end_of_zero_counts(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);

	fx_append(partition, BATCHES, 3, VALUE, 'a');
	stream_partition_close(partition);
	assert_int_equal(fx_state(dir).durable_end, 0);
	make_hole(dir, 0, LOST);
	fx_reboot(dir, false);
	expect_set_aside(dir, 0);
}

/* What the state does not prove to be lost with power is damage. */
static void
everything_else_stays_damage(void **state)
{
	static const struct {
		int n;
		enum hole hole;
		enum { SAME_BOOT, UNKNOWN_BOOT, OTHER_BOOT, COPY, NONE } now;
	} rows[] = {
	    {25, LOST, SAME_BOOT},
	    {25, LOST, UNKNOWN_BOOT},
	    {25, LOST, COPY},
	    {25, LOST, NONE},
	    {SYNCED, LOST, SAME_BOOT},
	    {SYNCED - 1, LOST, OTHER_BOOT},
	    {0, HALF_LOST, OTHER_BOOT},
	    {25, FLIPPED, OTHER_BOOT},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_state known;
		struct stream_buf file;

		make_log(dir);
		make_hole(dir, rows[i].n, rows[i].hole);
		/* In this boot all of the log is looked at if it is short. */
		known = fx_state(dir);
		known.end++;
		fx_put_state(dir, known);
		if (rows[i].now != SAME_BOOT)
			fx_reboot(dir, rows[i].now == UNKNOWN_BOOT);
		fx_get(dir, STREAM_STATE_NAME, &file);
		if (rows[i].now == COPY || rows[i].now == NONE) {
			fx_remove(dir, STREAM_STATE_NAME);
			/* Or the new file has the inode of the old. */
			temp_dir_put(dir, "taken", "");
		}
		if (rows[i].now == COPY)
			fx_put(dir, STREAM_STATE_NAME, file.data, file.size);
		expect_refused(dir, STREAM_ECORRUPT, "damaged");
		assert_false(temp_dir_has(dir, ".strm-cut-75"));
		stream_buf_release(&file);
		fx_drop(dir);
	}
}

/* The state is older than the last roll: nothing is known of the newest
 * segment. */
static void
a_state_that_names_another_segment_proves_nothing(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_state known;

	lose(dir, 25);
	known = fx_state(dir);
	known.active_base = -1;
	known.durable_end = 0;
	fx_put_state(dir, known);
	fx_reboot(dir, false);
	expect_refused(dir, STREAM_ECORRUPT, "damaged");
}

/* A recovery that does not end leaves the next one all that it needs, whatever
 * call it came to. */
static void
a_recovery_that_fails_can_be_done_again(void **state)
{
	static const enum fault_call calls[] = {
	    FAULT_PWRITE, FAULT_FTRUNCATE, FAULT_FDATASYNC, FAULT_FSYNC};
	int failed = 0;

	(void)state;
	for (int i = 0; i < (int)COUNT(calls) * 6; i++) {
		struct temp_dir *dir = fx_dir();
		struct fx_notes notes;
		struct stream_error err;

		lose(dir, 25);
		fault_plan(calls[i / 6],
		    (struct fault){.after = i % 6, .times = 1, .error = EIO});
		failed += try_open(dir, &notes, &err) != STREAM_OK;
		fault_clear();
		expect(try_open(dir, &notes, &err), STREAM_OK, err);
		assert_true(temp_dir_has(dir, ".strm-cut-75"));
		expect_opens(dir, 75, NULL);
		fx_drop(dir);
	}
	assert_true(failed >= 5);
}

/* ---- readers ------------------------------------------------------------- */

/* However one comes to the end: by an index, by a time, from behind. */
static void
a_reader_shows_nothing_behind_the_hole(void **state)
{
	static const struct {
		struct stream_point from;
		int64_t first; /* -1: nothing is read */
	} rows[] = {
	    {{STREAM_POINT_START, 0}, 0},
	    {{STREAM_POINT_OFFSET, 60}, 60},
	    {{STREAM_POINT_OFFSET, 110}, -1},
	    {{STREAM_POINT_END, 0}, -1},
	    {{STREAM_POINT_LAST, 3}, 72},
	    {{STREAM_POINT_TIME, T0 + 70}, 70},
	    {{STREAM_POINT_TIME, T0 + 110}, -1},
	};
	static const unsigned flags[] = {0, STREAM_READER_SKIP_CORRUPT};
	const struct temp_dir *dir = *state;

	lose(dir, 25);
	for (size_t i = 0; i < COUNT(rows) * COUNT(flags); i++) {
		size_t row = i / COUNT(flags);
		struct fx_notes notes = {.count = 0};
		struct fx_seen seen = fx_read(dir,
		    (struct fx_reading){.options = {
					    .range.from = rows[row].from,
					    .flags = STREAM_READER_CLAMP |
						     flags[i % COUNT(flags)],
					    .note = fx_note,
					    .note_context = &notes,
					}});

		expect(seen.status, STREAM_END, seen.err);
		if (seen.first != rows[row].first)
			fail_msg("row %zu: %lld", row, (long long)seen.first);
		assert_int_equal(seen.last, rows[row].first < 0 ? -1 : 74);
		assert_non_null(strstr(notes.last, "power"));
	}
}

static void
the_log_ends_before_the_hole(void **state)
{
	static const unsigned flags[] = {0, STREAM_READER_SKIP_CORRUPT};
	const struct temp_dir *dir = *state;

	lose(dir, 25);
	for (size_t i = 0; i < COUNT(flags); i++) {
		struct stream_reader *reader = fx_reader(
		    dir, (struct fx_reading){.options.flags = flags[i]});
		struct stream_error err = {.text = ""};
		int64_t end;

		expect(
		    stream_reader_log_end(reader, &end, &err), STREAM_OK, err);
		assert_int_equal(end, 75);
		stream_reader_close(reader);
	}
}

static void
a_follower_waits_and_sees_what_comes_there(void **state)
{
	const struct temp_dir *dir = *state;
	struct fx_seen seen = {.first = -1, .last = -1};
	struct stream_partition *partition;
	struct stream_reader *reader;

	lose(dir, 25);
	reader = fx_reader(
	    dir, (struct fx_reading){.options.flags = STREAM_READER_FOLLOW});
	fx_drain(reader, &seen);
	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.last, 74);
	fx_drain(reader, &seen);
	assert_int_equal(seen.last, 74);
	partition = fx_open(dir, NULL);
	fx_append(partition, 30, 3, VALUE, 'b');
	fx_drain(reader, &seen);
	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.last, 74 + 90);
	assert_int_equal(seen.count, 75 + 90);
	stream_reader_close(reader);
	stream_partition_close(partition);
}

/* In this boot, or below what was durable. */
static void
a_reader_fails_at_what_is_damage(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		struct temp_dir *dir = fx_dir();
		struct fx_seen seen;

		make_log(dir);
		make_hole(
		    dir, way == 1 ? SYNCED - 1 : 25, way == 2 ? FLIPPED : LOST);
		if (way > 0)
			fx_reboot(dir, false);
		seen = fx_read_all(dir);
		assert_int_equal(seen.status, STREAM_ECORRUPT);
		assert_int_equal(seen.count, way == 1 ? 27 : 75);
		fx_drop(dir);
	}
}

static void
see_torn(void *context, const struct stream_verify_finding *finding)
{
	int *count = context;

	(*count)++;
	assert_int_equal(finding->kind, STREAM_FINDING_TORN_TAIL);
	assert_int_equal(finding->first_offset, 75);
	assert_non_null(strstr(finding->message, "power"));
}

/* One finding, though indexes name batches behind it. */
static void
verify_calls_it_a_torn_end(void **state)
{
	const struct temp_dir *dir = *state;
	int count = 0;
	struct stream_verify_source source = {
	    .dirfd = dir->fd, .is_ours = true, .dense = true};
	struct stream_verify_options options = {
	    .found = see_torn, .context = &count, .lock_timeout_ms = 500};
	struct stream_verify_summary sum;
	struct stream_error err = {.text = ""};

	lose(dir, 25);
	assert_true(fx_size(dir, INDEX_0) > 40);
	expect(stream_verify_source_check(&source, &options, &sum, &err),
	    STREAM_OK, err);
	assert_int_equal(count, 1);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(what_was_lost_with_power_is_set_aside),
	    TEST(a_batch_without_its_length_is_set_aside),
	    TEST(a_durable_end_of_zero_counts),
	    TEST(everything_else_stays_damage),
	    TEST(a_state_that_names_another_segment_proves_nothing),
	    TEST(a_recovery_that_fails_can_be_done_again),
	    TEST(a_reader_shows_nothing_behind_the_hole),
	    TEST(the_log_ends_before_the_hole),
	    TEST(a_follower_waits_and_sees_what_comes_there),
	    TEST(a_reader_fails_at_what_is_damage),
	    TEST(verify_calls_it_a_torn_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
