/* Readers that follow: what comes, what rolls, what is removed under them, and
 * what a failed sync takes back. */
#include "faults.h"
#include "file/lock.h"
#include "fixture.h"

static int
set_up(void **state)
{
	fault_clear();
	return temp_dir_set_up(state);
}

/* A reader that follows, with a watch or without. */
struct follower {
	struct stream_watch *watch;
	struct stream_reader *reader;
	struct fx_seen seen;
};

static struct follower
follow(const struct temp_dir *dir, struct fx_reading how, bool watched)
{
	struct follower follower = {.seen = {.first = -1, .last = -1}};

	how.options.flags |= STREAM_READER_FOLLOW;
	if (watched)
		stream_watch_new(&follower.watch, NULL);
	follower.reader = fx_reader(dir, how);
	if (watched)
		stream_watch_add(follower.watch, follower.reader, NULL);
	return follower;
}

/* Take what has happened, then read to the end; the status. */
static int
look(struct follower *follower)
{
	if (follower->watch != NULL)
		stream_watch_wait(follower->watch, 0, -1, -1, NULL);
	fx_drain(follower->reader, &follower->seen);
	return follower->seen.status;
}

static void
expect_seen(struct follower *follower, size_t count, int64_t last)
{
	expect(look(follower), STREAM_END, follower->seen.err);
	assert_int_equal(follower->seen.count, count);
	assert_int_equal(follower->seen.last, last);
}

static void
end_follow(struct follower *follower)
{
	stream_reader_close(follower->reader);
	stream_watch_free(follower->watch);
}

static void
records_are_seen_as_they_come(void **state)
{
	for (int watched = 0; watched < 2; watched++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a = fx_open(dir, NULL);
		struct follower f =
		    follow(dir, (struct fx_reading){.log_start = 0}, watched);

		expect_seen(&f, 0, -1);
		for (int i = 1; i <= 20; i++) {
			fx_append(a, 1 + i % 2, 3, (size_t)(i * i * 40), 'a');
			expect_seen(&f, (size_t)stream_partition_next_offset(a),
			    stream_partition_next_offset(a) - 1);
			expect_seen(&f, f.seen.count, f.seen.last);
		}
		end_follow(&f);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

/* Durable ones too: what is not yet synced when the segment closes is synced by
 * the roll. */
static void
nothing_is_skipped_at_rolls(void **state)
{
	static const unsigned flags[] = {0, STREAM_READER_DURABLE};

	for (size_t i = 0; i < 2 * COUNT(flags); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_log_config config = fx_config();
		struct stream_partition *a;
		struct follower f;

		config.segment_bytes = 1000;
		a = fx_open(dir, &config);
		f = follow(dir,
		    (struct fx_reading){.options.flags = flags[i / 2]},
		    i % 2 != 0);
		for (int n = 1; n <= 12; n++) {
			fx_append(a, n % 4, 3, 40, 'a');
			if (n % 3 == 0)
				fx_sync(a);
			expect_seen(&f, (size_t)stream_partition_next_offset(a),
			    stream_partition_next_offset(a) - 1);
		}
		assert_true(fx_state(dir).active_base > 20);
		end_follow(&f);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

/* A broker appends and rolls after the reader came to the end of its segment,
 * and before it lists the directory. */
static void
append_and_roll(void *context)
{
	const struct temp_dir *dir = context;
	struct stream_buf log;

	stream_buf_init(&log);
	fx_add_many(&log, 3, 1, 3, 20, 'a');
	fx_put_at(
	    dir, LOG_0, (uint64_t)fx_size(dir, LOG_0), log.data, log.size);
	log.size = 0;
	fx_add_many(&log, 6, 1, 3, 20, 'b');
	fx_put(dir, "00000000000000000006.log", log.data, log.size);
	stream_buf_release(&log);
}

static void
the_last_bytes_of_a_segment_are_read_before_the_next(void **state)
{
	for (int i = 0; i < 8; i++) {
		struct temp_dir *dir = fx_dir();
		struct fx_reading how = {.gaps = i % 2, .foreign = i / 4};
		struct stream_buf log;
		struct follower f;

		stream_buf_init(&log);
		fx_add_many(&log, 0, 1, 3, 20, 'a');
		fx_put(dir, LOG_0, log.data, log.size);
		stream_buf_release(&log);
		f = follow(dir, how, i / 2 % 2);
		fault_before_list = append_and_roll;
		fault_list_context = dir;
		look(&f);
		expect_seen(&f, 9, 8);
		assert_null(fault_before_list);
		end_follow(&f);
		fx_drop(dir);
	}
	(void)state;
}

static void
a_log_that_has_no_segment_yet_is_followed(void **state)
{
	for (int i = 0; i < 4; i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a;
		struct follower f = follow(
		    dir, (struct fx_reading){.foreign = i / 2}, i % 2 != 0);

		expect_seen(&f, 0, -1);
		a = fx_open(dir, NULL);
		expect_seen(&f, 0, -1);
		fx_append(a, 2, 3, 10, 'a');
		expect_seen(&f, 6, 5);
		end_follow(&f);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

static void
the_end_of_the_range_ends_it(void **state)
{
	static const struct {
		struct stream_point to;
		size_t count;
	} rows[] = {{{STREAM_POINT_OFFSET, 7}, 7}, {{STREAM_POINT_AFTER, 4}, 4},
	    {{STREAM_POINT_OFFSET, 6}, 6}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a = fx_open(dir, NULL);
		struct follower f = follow(dir,
		    (struct fx_reading){.options.range.to = rows[i].to}, true);

		fx_append(a, 1, 3, 10, 'a');
		expect_seen(&f, 3, 2);
		assert_false(stream_reader_is_done(f.reader));
		fx_append(a, 3, 3, 10, 'a');
		expect_seen(&f, rows[i].count, (int64_t)rows[i].count - 1);
		assert_true(stream_reader_is_done(f.reader));
		fx_append(a, 1, 3, 10, 'a');
		expect_seen(&f, rows[i].count, (int64_t)rows[i].count - 1);
		end_follow(&f);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

/* A batch that stands there in part is waited for, without a word. */
static void
a_batch_is_seen_when_it_is_whole(void **state)
{
	const struct temp_dir *dir = *state;
	struct fx_notes notes = {.count = 0};
	struct fx_reading how = {
	    .options.note = fx_note, .options.note_context = &notes};
	struct stream_buf log;
	struct follower f;

	stream_partition_close(fx_open(dir, NULL));
	f = follow(dir, how, true);
	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.count = 3, .value_size = 100});
	for (size_t at = 0; at < log.size; at += 50) {
		size_t n = log.size - at < 50 ? log.size - at : 50;

		fx_put_at(dir, LOG_0, at, log.data + at, n);
		expect_seen(&f, at + n == log.size ? 3 : 0,
		    at + n == log.size ? 2 : -1);
	}
	assert_int_equal(notes.count, 0);
	stream_buf_release(&log);
	end_follow(&f);
}

/* ---- taken back ---- */

static void
take_back(struct stream_partition *partition)
{
	struct stream_error err;

	fault_plan(FAULT_FDATASYNC,
	    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
	expect(stream_partition_sync(partition, &err), STREAM_EIO, err);
}

static void
one_who_passed_what_was_taken_back_is_told(void **state)
{
	/* What stands there when the follower looks again. */
	static const struct {
		const char *what;
		int batches;
		size_t value_size;
		int again; /* further times that it is taken back */
	} rows[] = {{"nothing", 0, 0, 0}, {"less", 1, 40, 0},
	    {"the same lengths", 2, 40, 0}, {"more", 9, 40, 0},
	    {"other lengths", 3, 77, 0}, {"twice", 9, 40, 1},
	    {"twice, other lengths", 3, 99, 1}};

	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a = fx_open(dir, NULL);
		struct follower f = follow(
		    dir, (struct fx_reading){.log_start = 0}, i % 2 != 0);

		fx_append(a, 2, 3, 40, 'a');
		fx_sync(a);
		fx_append(a, 2, 3, 40, 'b');
		expect_seen(&f, 12, 11);
		take_back(a);
		fx_append(
		    a, rows[i / 2].batches, 3, rows[i / 2].value_size, 'c');
		for (int n = 0; n < rows[i / 2].again; n++) {
			fx_sync(a);
			fx_append(a, 1, 3, 40, 'd');
			take_back(a);
		}
		/* It says so as often as it is asked. */
		for (int n = 0; n < 3; n++)
			if (look(&f) != STREAM_ELOST)
				fail_msg("%s: %d, %zu records",
				    rows[i / 2].what, f.seen.status,
				    f.seen.count);
		assert_int_equal(f.seen.count, 12);
		end_follow(&f);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

/* One who does not follow, in the middle of a log larger than is read at once:
 * what comes after is of another history. */
static void
one_who_is_on_the_way_is_told_too(void **state)
{
	static const int batches[] = {0, 1, 40, 100, 300};

	for (size_t i = 0; i < COUNT(batches); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a = fx_open(dir, NULL);
		struct stream_reader *reader;
		const struct stream_record *records;
		struct fx_seen seen = {.last = -1};
		size_t count;

		fx_append(a, 10, 3, 3000, 'a');
		fx_sync(a);
		fx_append(a, 90, 3, 3000, 'b');
		reader = fx_reader(dir, (struct fx_reading){.log_start = 0});
		assert_int_equal(
		    stream_reader_read(reader, &records, &count, NULL),
		    STREAM_OK);
		take_back(a);
		fx_append(a, batches[i], 3, 3000, 'c');
		fx_drain(reader, &seen);
		if (seen.status != STREAM_ELOST)
			fail_msg("%d batches: %d after %zu records, %s",
			    batches[i], seen.status, seen.count, seen.err.text);
		assert_null(strchr(seen.letters, 'c'));
		stream_reader_close(reader);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

static void
one_who_had_not_passed_it_goes_on(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct follower f =
	    follow(dir, (struct fx_reading){.log_start = 0}, true);

	fx_append(a, 2, 3, 40, 'a');
	fx_sync(a);
	expect_seen(&f, 6, 5);
	for (int i = 0; i < 3; i++) {
		fx_append(a, 2, 3, 40, 'b');
		take_back(a);
		expect_seen(&f, 6, 5);
	}
	fx_append(a, 1, 3, 40, 'c');
	expect_seen(&f, 9, 8);
	assert_string_equal(f.seen.letters, "ac");
	end_follow(&f);
	stream_partition_close(a);
}

static void
durable_readers_never_see_what_is_taken_back(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct follower f = follow(dir,
	    (struct fx_reading){.options.flags = STREAM_READER_DURABLE}, true);

	fx_append(a, 2, 3, 40, 'a');
	fx_sync(a);
	expect_seen(&f, 6, 5);
	fx_append(a, 2, 3, 40, 'b');
	/* The reader's own sync is the one that fails. */
	fault_plan(FAULT_FDATASYNC,
	    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
	assert_int_equal(look(&f), STREAM_EIO);
	assert_int_equal(f.seen.count, 6);
	assert_int_equal(fx_size(dir, LOG_0), fx_state(dir).durable_end);
	assert_int_equal(stream_partition_sync(a, NULL), STREAM_ELOST);
	end_follow(&f);
	stream_partition_close(a);
}

/* A late reader's sync is that of a writer, and says what it finds. */
static void
a_durable_reader_syncs_as_a_writer_would(void **state)
{
	const struct temp_dir *dir = *state;
	struct fx_notes notes = {.count = 0};
	struct fx_reading how = {.options.flags = STREAM_READER_DURABLE,
	    .options.lock_timeout_ms = 30,
	    .options.note = fx_note,
	    .options.note_context = &notes};
	struct stream_partition *a = fx_open(dir, NULL);
	struct fx_seen seen;
	int fd;

	fx_append(a, 2, 3, 40, 'a');
	fd = openat(dir->fd, STREAM_STATE_NAME, O_RDWR);
	stream_lock_take(
	    fd, STREAM_LOCK_EXCLUSIVE, STREAM_LOCK_SYNC, 1, 0, NULL);
	seen = fx_read(dir, how);
	expect(seen.status, STREAM_EBUSY, seen.err);
	assert_int_equal(seen.count, 0);
	close(fd);
	/* What a writer left that died is cut by it, and told. */
	fx_put_at(dir, LOG_0, (uint64_t)fx_size(dir, LOG_0), "torn", 4);
	seen = fx_read(dir, how);
	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.count, 6);
	assert_int_equal(notes.count, 1);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	stream_partition_close(a);
}

/* The state goes while a reader has it open, and a writer makes another. */
static void
a_durable_reader_finds_a_state_that_was_replaced(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct follower f = follow(dir,
	    (struct fx_reading){.options.flags = STREAM_READER_DURABLE}, true);

	fx_append(a, 2, 3, 40, 'a');
	fx_sync(a);
	expect_seen(&f, 6, 5);
	for (int i = 1; i < 4; i++) {
		fx_remove(dir, STREAM_STATE_NAME);
		fx_append(a, 2, 3, 40, 'a');
		if (i % 2 == 0)
			fx_sync(a);
		expect_seen(&f, (size_t)(6 + 6 * i), 5 + 6 * i);
	}
	end_follow(&f);
	stream_partition_close(a);
}

/* The counter of take-backs stands in the new file then. */
static void
a_take_back_after_the_state_was_replaced_is_told(void **state)
{
	for (int before = 0; before < 2; before++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a = fx_open(dir, NULL);
		struct follower f =
		    follow(dir, (struct fx_reading){.log_start = 0}, true);

		fx_append(a, 2, 3, 40, 'a');
		expect_seen(&f, 6, 5);
		/* With one that was before as well. */
		if (before) {
			take_back(a);
			fx_append(a, 2, 3, 40, 'a');
			end_follow(&f);
			f = follow(
			    dir, (struct fx_reading){.log_start = 0}, true);
			expect_seen(&f, 6, 5);
		}
		fx_remove(dir, STREAM_STATE_NAME);
		fx_append(a, 2, 3, 40, 'b');
		expect_seen(&f, 12, 11);
		take_back(a);
		fx_append(a, 2, 3, 40, 'c');
		assert_int_equal(look(&f), STREAM_ELOST);
		end_follow(&f);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

/* ---- removed and replaced ---- */

/* Six segments of four records, of 15 ms a batch. */
static struct stream_partition *
make_segments(const struct temp_dir *dir)
{
	struct stream_log_config config = fx_config();
	struct stream_partition *a;

	config.segment_bytes = 450;
	a = fx_open(dir, &config);
	fx_append(a, 12, 2, 60, 'a');
	assert_int_equal(fx_state(dir).active_base, 20);
	return a;
}

static void
remove_segment(const struct temp_dir *dir, int64_t base)
{
	static const char *const kinds[] = {"log", "index", "timeindex"};

	for (size_t i = 0; i < COUNT(kinds); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%020lld.%s", (long long)base,
		    kinds[i]);
		unlinkat(dir->fd, name, 0);
	}
}

/* Retention takes segments away while the reader is in the first of them: what
 * it has open it reads to the end. */
static void
one_whom_retention_overtakes_is_told(void **state)
{
	static const struct {
		int64_t removed; /* all segments below this */
		unsigned flags;
		size_t count;
		int64_t last;
		int status;
	} rows[] = {
	    {4, 0, 24, 23, STREAM_END},
	    {8, 0, 4, 3, STREAM_EOFFSET},
	    {8, STREAM_READER_CLAMP, 20, 23, STREAM_END},
	    {20, 0, 4, 3, STREAM_EOFFSET},
	    {20, STREAM_READER_CLAMP, 8, 23, STREAM_END},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a = make_segments(dir);
		struct follower f = follow(dir,
		    (struct fx_reading){
			.gaps = true, .options.flags = rows[i].flags},
		    true);
		const struct stream_record *records;
		size_t count;

		assert_int_equal(
		    stream_reader_read(f.reader, &records, &count, NULL),
		    STREAM_OK);
		f.seen = (struct fx_seen){.count = count,
		    .first = 0,
		    .last = records[count - 1].offset};
		for (int64_t base = 0; base < rows[i].removed; base += 4)
			remove_segment(dir, base);
		look(&f);
		if (f.seen.status != rows[i].status ||
		    f.seen.count != rows[i].count ||
		    f.seen.last != rows[i].last)
			fail_msg("row %zu: status %d, %zu records to %lld: %s",
			    i, f.seen.status, f.seen.count,
			    (long long)f.seen.last, f.seen.err.text);
		end_follow(&f);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

/* The reader has read all of the segment that was the newest; then the log
 * rolls, and retention removes everything but what came since. */
static void
one_whose_segment_goes_at_its_end_finds_the_next(void **state)
{
	for (int watched = 0; watched < 2; watched++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a = make_segments(dir);
		struct follower f = follow(
		    dir, (struct fx_reading){.gaps = true}, watched != 0);

		expect_seen(&f, 24, 23);
		fx_append(a, 1, 2, 60, 'b');
		assert_int_equal(fx_state(dir).active_base, 24);
		for (int64_t base = 0; base < 24; base += 4)
			remove_segment(dir, base);
		expect_seen(&f, 26, 25);
		fx_append(a, 1, 2, 60, 'b');
		expect_seen(&f, 28, 27);
		end_follow(&f);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

/* The same, with records in between that it never saw. */
static void
one_whose_next_records_went_is_told(void **state)
{
	for (int clamp = 0; clamp < 2; clamp++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a = make_segments(dir);
		struct follower f = follow(dir,
		    (struct fx_reading){.gaps = true,
			.options.flags = clamp ? STREAM_READER_CLAMP : 0},
		    true);

		expect_seen(&f, 24, 23);
		fx_append(a, 4, 2, 60, 'b');
		assert_int_equal(fx_state(dir).active_base, 28);
		for (int64_t base = 0; base < 28; base += 4)
			remove_segment(dir, base);
		if (clamp)
			expect_seen(&f, 28, 31);
		else
			assert_int_equal(look(&f), STREAM_EOFFSET);
		end_follow(&f);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

/* Segments 0 to 12 become one, as a compaction leaves them: offsets 1, 6 and
 * 13 are left of them. */
static void
compact(const struct temp_dir *dir)
{
	static const int64_t kept[] = {1, 6, 13};
	struct stream_buf log;

	stream_buf_init(&log);
	for (size_t i = 0; i < COUNT(kept); i++)
		fx_add(&log, (struct fx_batch){.base = kept[i],
				 .time_ms = T0 + kept[i],
				 .value_size = 60,
				 .letter = 'z'});
	fx_put(dir, LOG_0 ".swap", log.data, log.size);
	for (int64_t base = 0; base < 16; base += 4)
		remove_segment(dir, base);
	renameat(dir->fd, LOG_0 ".swap", dir->fd, LOG_0);
	stream_buf_release(&log);
}

/* Wherever the reader is: it sees no error, nothing twice, and what it had not
 * passed as the compaction left it. */
static void
one_whom_compaction_overtakes_sees_no_error(void **state)
{
	for (int calls = 0; calls <= 12; calls++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a = make_segments(dir);
		struct follower f =
		    follow(dir, (struct fx_reading){.gaps = true}, calls % 2);

		for (int i = 0; i < calls; i++) {
			const struct stream_record *records;
			size_t count;

			assert_int_equal(stream_reader_read(
					     f.reader, &records, &count, NULL),
			    STREAM_OK);
			for (size_t n = 0; n < count; n++)
				fx_see(&f.seen, &records[n]);
		}
		compact(dir);
		expect(look(&f), STREAM_END, f.seen.err);
		assert_int_equal(f.seen.last, 23);
		assert_in_range(f.seen.count, 3 + 8, 24);
		fx_append(a, 1, 2, 60, 'b');
		expect_seen(&f, f.seen.count + 2, 25);
		end_follow(&f);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(records_are_seen_as_they_come),
	    TEST(nothing_is_skipped_at_rolls),
	    TEST(the_last_bytes_of_a_segment_are_read_before_the_next),
	    TEST(a_log_that_has_no_segment_yet_is_followed),
	    TEST(the_end_of_the_range_ends_it),
	    TEST(a_batch_is_seen_when_it_is_whole),
	    TEST(one_who_passed_what_was_taken_back_is_told),
	    TEST(one_who_is_on_the_way_is_told_too),
	    TEST(one_who_had_not_passed_it_goes_on),
	    TEST(durable_readers_never_see_what_is_taken_back),
	    TEST(a_durable_reader_syncs_as_a_writer_would),
	    TEST(a_durable_reader_finds_a_state_that_was_replaced),
	    TEST(a_take_back_after_the_state_was_replaced_is_told),
	    TEST(one_whom_retention_overtakes_is_told),
	    TEST(one_whose_segment_goes_at_its_end_finds_the_next),
	    TEST(one_whose_next_records_went_is_told),
	    TEST(one_whom_compaction_overtakes_sees_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
