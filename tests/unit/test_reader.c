/* Reading ranges: from and to every kind of point, in logs with and without
 * gaps, with indexes and without. */
#include "fixture.h"
#include "noise.h"

/* 60 records in 20 batches, 12 a segment; times 10 ms apart, from T0. */
static void
make_dense(const struct temp_dir *dir)
{
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;

	config.index_interval_bytes = 150;
	config.segment_bytes = 900;
	partition = fx_open(dir, &config);
	for (int i = 0; i < 20; i++)
		assert_int_equal(fx_try_append(partition,
				     (struct fx_batch){.count = 3,
					 .time_ms = T0 + i * 30,
					 .step_ms = 10,
					 .value_size = 30},
				     NULL),
		    STREAM_OK);
	fx_sync(partition);
	stream_partition_close(partition);
	assert_true(fx_state(dir).active_base > 12);
}

/* 0, 2, 4, then a gap to 20, 22, 24, 40, 41, 42, and in the next segment
 * 100, 103, 106, 200; a millisecond for each offset. */
static void
make_gapped(const struct temp_dir *dir)
{
	struct stream_buf log;

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.count = 3,
			 .stride = 2,
			 .time_ms = T0,
			 .step_ms = 2,
			 .value_size = 5});
	fx_add(&log, (struct fx_batch){.base = 20,
			 .count = 3,
			 .stride = 2,
			 .time_ms = T0 + 20,
			 .step_ms = 2,
			 .value_size = 5});
	fx_add(&log, (struct fx_batch){.base = 40,
			 .count = 3,
			 .time_ms = T0 + 40,
			 .step_ms = 1,
			 .value_size = 5});
	fx_put(dir, LOG_0, log.data, log.size);
	log.size = 0;
	fx_add(&log, (struct fx_batch){.base = 100,
			 .count = 3,
			 .stride = 3,
			 .time_ms = T0 + 100,
			 .step_ms = 3,
			 .value_size = 5});
	fx_add(&log, (struct fx_batch){
			 .base = 200, .time_ms = T0 + 200, .value_size = 5});
	fx_put(dir, "00000000000000000090.log", log.data, log.size);
	stream_buf_release(&log);
}

struct range_row {
	struct stream_point from, to;
	unsigned flags;
	int64_t first, last; /* -1: nothing */
	size_t count;
	int status; /* 0: STREAM_END */
};

#define OFFSET(n) \
	{ \
		STREAM_POINT_OFFSET, n \
	}
#define LAST(n) \
	{ \
		STREAM_POINT_LAST, n \
	}
#define AFTER(n) \
	{ \
		STREAM_POINT_AFTER, n \
	}
#define TIME(n) \
	{ \
		STREAM_POINT_TIME, T0 + (n) \
	}
#define ALL \
	{ \
		STREAM_POINT_NONE, 0 \
	}
#define START \
	{ \
		STREAM_POINT_START, 0 \
	}
#define END \
	{ \
		STREAM_POINT_END, 0 \
	}

static void
check_ranges(const struct temp_dir *dir, struct fx_reading how,
    const struct range_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int want = rows[i].status != 0 ? rows[i].status : STREAM_END;
		struct fx_seen seen;

		how.options.range =
		    (struct stream_range){rows[i].from, rows[i].to};
		how.options.flags = rows[i].flags;
		seen = fx_read(dir, how);
		if (seen.status != want || seen.count != rows[i].count ||
		    seen.first != rows[i].first || seen.last != rows[i].last)
			fail_msg("row %zu: status %d, %zu records, %lld to "
				 "%lld: %s",
			    i, seen.status, seen.count, (long long)seen.first,
			    (long long)seen.last,
			    seen.status < 0 ? seen.err.text : "");
	}
}

static const struct range_row dense_rows[] = {
    {ALL, ALL, 0, 0, 59, 60, 0},
    {START, END, 0, 0, 59, 60, 0},
    {END, ALL, 0, -1, -1, 0, 0},
    {OFFSET(0), ALL, 0, 0, 59, 60, 0},
    {OFFSET(59), ALL, 0, 59, 59, 1, 0},
    {OFFSET(60), ALL, 0, -1, -1, 0, 0},
    {OFFSET(61), ALL, 0, -1, -1, 0, STREAM_EOFFSET},
    {OFFSET(61), ALL, STREAM_READER_CLAMP, -1, -1, 0, 0},
    {OFFSET(17), OFFSET(31), 0, 17, 30, 14, 0},
    {OFFSET(17), OFFSET(17), 0, -1, -1, 0, 0},
    {OFFSET(31), OFFSET(17), 0, -1, -1, 0, 0},
    {ALL, OFFSET(1), 0, 0, 0, 1, 0},
    {ALL, OFFSET(61), 0, -1, -1, 0, STREAM_EOFFSET},
    {ALL, OFFSET(61), STREAM_READER_CLAMP, 0, 59, 60, 0},
    {OFFSET(7), AFTER(5), 0, 7, 11, 5, 0},
    {OFFSET(57), AFTER(50), 0, 57, 59, 3, 0},
    {ALL, AFTER(0), 0, -1, -1, 0, 0},
    {AFTER(10), ALL, 0, 10, 59, 50, 0},
    {AFTER(10), AFTER(4), 0, 10, 13, 4, 0},
    {AFTER(60), ALL, 0, -1, -1, 0, 0},
    {AFTER(600), ALL, 0, -1, -1, 0, 0},
    {LAST(1), ALL, 0, 59, 59, 1, 0},
    {LAST(25), ALL, 0, 35, 59, 25, 0},
    {LAST(60), ALL, 0, 0, 59, 60, 0},
    {LAST(600), ALL, 0, 0, 59, 60, 0},
    {LAST(0), ALL, 0, -1, -1, 0, 0},
    {LAST(25), LAST(5), 0, 35, 54, 20, 0},
    {LAST(25), AFTER(2), 0, 35, 36, 2, 0},
    {ALL, LAST(1), 0, 0, 58, 59, 0},
    {TIME(0), ALL, 0, 0, 59, 60, 0},
    {TIME(-1000), ALL, 0, 0, 59, 60, 0},
    {TIME(1), ALL, 0, 1, 59, 59, 0},
    {TIME(255), ALL, 0, 26, 59, 34, 0},
    {TIME(590), ALL, 0, 59, 59, 1, 0},
    {TIME(591), ALL, 0, -1, -1, 0, 0},
    {TIME(100), TIME(200), 0, 10, 19, 10, 0},
    {TIME(100), TIME(101), 0, 10, 10, 1, 0},
    {TIME(200), TIME(100), 0, -1, -1, 0, 0},
    {ALL, TIME(9999), 0, 0, 59, 60, 0},
    {TIME(300), AFTER(3), 0, 30, 32, 3, 0},
};

static void
ranges_of_a_dense_log(void **state)
{
	make_dense(*state);
	check_ranges(*state, (struct fx_reading){.log_start = 0}, dense_rows,
	    COUNT(dense_rows));
}

static void
noise_in_the_hints_changes_no_range(void **state)
{
	const struct temp_dir *dir = *state;
	uint32_t seed = 11;

	for (size_t i = 0; i < COUNT(noises); i++) {
		DIR *list;

		make_dense(dir);
		list = opendir(dir->path);
		for (struct dirent *e = readdir(list); e != NULL;
		     e = readdir(list)) {
			struct stream_name name;

			if (stream_name_parse(e->d_name, &name) &&
			    name.kind != STREAM_NAME_LOG)
				disturb(dir, e->d_name,
				    name.kind == STREAM_NAME_INDEX ? 8 : 12, i,
				    &seed);
		}
		closedir(list);
		if (i % 3 == 0)
			disturb(dir, STREAM_STATE_NAME, 8, i, &seed);
		else if (i % 3 == 1)
			fx_remove(dir, STREAM_STATE_NAME);
		check_ranges(dir, (struct fx_reading){.log_start = 0},
		    dense_rows, COUNT(dense_rows));
		nftw(dir->path, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
		mkdir(dir->path, 0777);
		close(dir->fd);
		((struct temp_dir *)*state)->fd =
		    open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
}

static void
ranges_of_a_log_with_gaps(void **state)
{
	static const struct range_row rows[] = {
	    {ALL, ALL, 0, 0, 200, 13, 0},
	    {OFFSET(1), ALL, 0, 2, 200, 12, 0},
	    {OFFSET(5), ALL, 0, 20, 200, 10, 0},
	    {OFFSET(23), ALL, 0, 24, 200, 8, 0},
	    {OFFSET(43), ALL, 0, 100, 200, 4, 0},
	    {OFFSET(95), ALL, 0, 100, 200, 4, 0},
	    {OFFSET(150), ALL, 0, 200, 200, 1, 0},
	    {OFFSET(200), ALL, 0, 200, 200, 1, 0},
	    {OFFSET(201), ALL, 0, -1, -1, 0, 0},
	    {OFFSET(202), ALL, 0, -1, -1, 0, STREAM_EOFFSET},
	    {OFFSET(1), OFFSET(21), 0, 2, 20, 3, 0},
	    {OFFSET(5), OFFSET(20), 0, -1, -1, 0, 0},
	    {OFFSET(30), OFFSET(104), 0, 40, 103, 5, 0},
	    {OFFSET(3), AFTER(3), 0, 4, 22, 3, 0},
	    {AFTER(4), ALL, 0, 22, 200, 9, 0},
	    {AFTER(12), ALL, 0, 200, 200, 1, 0},
	    {AFTER(13), ALL, 0, -1, -1, 0, 0},
	    {LAST(1), ALL, 0, 200, 200, 1, 0},
	    {LAST(2), ALL, 0, 106, 200, 2, 0},
	    {LAST(4), ALL, 0, 100, 200, 4, 0},
	    {LAST(5), ALL, 0, 42, 200, 5, 0},
	    {LAST(9), ALL, 0, 22, 200, 9, 0},
	    {LAST(13), ALL, 0, 0, 200, 13, 0},
	    {LAST(99), ALL, 0, 0, 200, 13, 0},
	    {LAST(5), AFTER(2), 0, 42, 100, 2, 0},
	    {ALL, LAST(1), 0, 0, 106, 12, 0},
	    {LAST(6), LAST(4), 0, 41, 42, 2, 0},
	    {TIME(3), ALL, 0, 4, 200, 11, 0},
	    {TIME(21), TIME(104), 0, 22, 103, 7, 0},
	    {TIME(201), ALL, 0, -1, -1, 0, 0},
	};

	make_gapped(*state);
	check_ranges(
	    *state, (struct fx_reading){.foreign = true}, rows, COUNT(rows));
	check_ranges(
	    *state, (struct fx_reading){.gaps = true}, rows, COUNT(rows));
}

/* In a log whose times go back: the first record at or after the time. */
static void
a_time_is_the_first_record_that_reaches_it(void **state)
{
	static const int64_t times[] = {50, 10, 40, 60, 20, 60, 70};
	static const struct {
		int64_t time, want;
	} rows[] = {{0, 0}, {10, 0}, {50, 0}, {51, 3}, {60, 3}, {61, 6},
	    {70, 6}, {71, -1}};
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;

	config.index_interval_bytes = 0;
	partition = fx_open(dir, &config);
	for (size_t i = 0; i < COUNT(times); i++)
		assert_int_equal(
		    fx_try_append(partition,
			(struct fx_batch){.time_ms = T0 + times[i]}, NULL),
		    STREAM_OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fx_reading how = {
		    .options.range.from = TIME(rows[i].time)};

		assert_int_equal(fx_read(dir, how).first, rows[i].want);
	}
	/* Within what the log start leaves to see. */
	for (int64_t start = 0; start < 7; start++)
		for (int64_t time = 0; time < 75; time += 5) {
			struct fx_reading how = {.log_start = start,
			    .options.range.from = TIME(time)};
			int64_t want = start;

			while (want < 7 && times[want] < time)
				want++;
			assert_int_equal(
			    fx_read(dir, how).first, want < 7 ? want : -1);
		}
	stream_partition_close(partition);
}

static void
the_log_start_hides_what_is_before_it(void **state)
{
	static const struct range_row rows[] = {
	    {ALL, ALL, 0, 25, 59, 35, 0},
	    {OFFSET(25), ALL, 0, 25, 59, 35, 0},
	    {OFFSET(24), ALL, 0, -1, -1, 0, STREAM_EOFFSET},
	    {OFFSET(24), ALL, STREAM_READER_CLAMP, 25, 59, 35, 0},
	    {ALL, OFFSET(3), 0, -1, -1, 0, STREAM_EOFFSET},
	    {ALL, OFFSET(3), STREAM_READER_CLAMP, -1, -1, 0, 0},
	    {LAST(50), ALL, 0, 25, 59, 35, 0},
	    {AFTER(2), ALL, 0, 27, 59, 33, 0},
	    {TIME(0), ALL, 0, 25, 59, 35, 0},
	};

	make_dense(*state);
	check_ranges(
	    *state, (struct fx_reading){.log_start = 25}, rows, COUNT(rows));
	check_ranges(*state,
	    (struct fx_reading){.log_start = 25, .foreign = true}, rows,
	    COUNT(rows));
}

static void
an_empty_log_has_its_points_too(void **state)
{
	static const struct range_row rows[] = {
	    {ALL, ALL, 0, -1, -1, 0, 0},
	    {OFFSET(0), ALL, 0, -1, -1, 0, 0},
	    {OFFSET(1), ALL, 0, -1, -1, 0, STREAM_EOFFSET},
	    {OFFSET(1), ALL, STREAM_READER_CLAMP, -1, -1, 0, 0},
	    {LAST(5), ALL, 0, -1, -1, 0, 0},
	    {TIME(0), ALL, 0, -1, -1, 0, 0},
	    {AFTER(3), ALL, 0, -1, -1, 0, 0},
	    {ALL, ALL, STREAM_READER_DURABLE, -1, -1, 0, 0},
	};
	const struct temp_dir *dir = *state;

	/* No segment at all, an empty one, and one a writer opened. */
	for (int i = 0; i < 3; i++) {
		check_ranges(dir, (struct fx_reading){.foreign = i == 0}, rows,
		    COUNT(rows));
		check_ranges(dir, (struct fx_reading){.foreign = i != 0}, rows,
		    COUNT(rows));
		if (i == 0)
			temp_dir_put(dir, LOG_0, "");
		if (i == 1)
			stream_partition_close(fx_open(dir, NULL));
	}
}

/* What a group would commit: never past what was given out. */
static void
the_position_is_after_the_last_record_given_out(void **state)
{
	static const struct {
		struct stream_range range;
		int64_t position;
	} rows[] = {{{OFFSET(4), AFTER(3)}, 7}, {{OFFSET(4), OFFSET(8)}, 8},
	    {{OFFSET(4), TIME(70)}, 7}, {{OFFSET(50), ALL}, 60},
	    {{ALL, AFTER(1)}, 1}, {{LAST(5), AFTER(1)}, 56}};

	make_dense(*state);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_reader *reader = fx_reader(*state,
		    (struct fx_reading){.options.range = rows[i].range});
		struct fx_seen seen = {.last = -1};

		fx_drain(reader, &seen);
		expect(seen.status, STREAM_END, seen.err);
		assert_true(stream_reader_is_done(reader) || i == 3);
		if (stream_reader_position(reader) != rows[i].position)
			fail_msg("row %zu: %lld", i,
			    (long long)stream_reader_position(reader));
		stream_reader_close(reader);
	}
}

/* One log file, by whatever name it was given. */
static void
one_file_is_read_alone(void **state)
{
	const struct temp_dir *dir = *state;
	char name[STREAM_NAME_SIZE];
	struct fx_reading how = {.only = name, .foreign = true};
	struct fx_seen seen;
	int64_t base;

	make_dense(dir);
	for (base = 1; !temp_dir_has(dir, fx_log_name(base, name)); base++)
		;
	seen = fx_read(dir, how);
	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.first, base);
	assert_true(seen.last < 59);
	how.only = "none.log";
	assert_int_equal(fx_read(dir, how).status, STREAM_EUSAGE);
	how.only = "00000000000000000999.log";
	assert_int_equal(fx_read(dir, how).status, STREAM_ENOENT);
}

/* Larger than the records that one call gives out. */
static void
batches_of_any_size_come_whole(void **state)
{
	static const int32_t counts[] = {1, 127, 128, 129, 256, 1000};
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);
	int64_t next = 0;

	for (size_t i = 0; i < COUNT(counts); i++) {
		fx_append(partition, 1, counts[i], 3, 'a');
		next += counts[i];
		fx_expect_dense(dir, next);
	}
	for (int64_t from = 0; from < next; from += 61) {
		struct fx_reading how = {
		    .options.range = {OFFSET(from), OFFSET(from + 1)}};
		struct fx_seen seen = fx_read(dir, how);

		assert_int_equal(seen.count, 1);
		assert_int_equal(seen.first, from);
	}
	stream_partition_close(partition);
}

static void
put_segment(const struct temp_dir *dir, int64_t base, int batches)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf log;

	stream_buf_init(&log);
	fx_add_many(&log, base, batches, 2, 10, 'a');
	fx_put(dir, fx_log_name(base, name), log.data, log.size);
	stream_buf_release(&log);
}

/* No index can say an offset that is 2^31 above the file's name, and no batch
 * reaches into the next segment. */
static void
offsets_lie_between_the_names_of_two_segments(void **state)
{
	const struct temp_dir *dir = *state;
	struct fx_reading foreign = {.foreign = true};
	struct stream_buf log;
	struct fx_seen seen;

	put_segment(dir, 0, 2);
	put_segment(dir, 3, 1);
	seen = fx_read(dir, foreign);
	expect(seen.status, STREAM_ECORRUPT, seen.err);
	assert_int_equal(seen.count, 2);
	fx_remove(dir, "00000000000000000003.log");
	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.base = INT32_MAX});
	fx_put(dir, LOG_0, log.data, log.size);
	seen = fx_read(dir, foreign);
	expect(seen.status, STREAM_END, seen.err);
	log.size = 0;
	fx_add(&log, (struct fx_batch){.base = INT64_C(1) << 31});
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	seen = fx_read(dir, foreign);
	expect(seen.status, STREAM_ECORRUPT, seen.err);
	assert_int_equal(seen.count, 0);
}

/* The view says that 4 begins a segment; by now its batch is in that of 2. */
static void
a_segment_that_took_in_the_next_is_no_damage(void **state)
{
	const struct temp_dir *dir = *state;
	struct fx_seen seen = {.first = -1, .last = -1};
	const struct stream_record *records;
	struct stream_reader *reader;
	size_t count;

	for (int64_t base = 0; base < 6; base += 2)
		put_segment(dir, base, 1);
	reader = fx_reader(dir, (struct fx_reading){.foreign = true});
	assert_int_equal(
	    stream_reader_read(reader, &records, &count, NULL), STREAM_OK);
	assert_int_equal(records[count - 1].offset, 1);
	put_segment(dir, 2, 2);
	fx_remove(dir, "00000000000000000004.log");
	fx_drain(reader, &seen);
	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.count, 4);
	stream_reader_close(reader);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(ranges_of_a_dense_log),
	    TEST(noise_in_the_hints_changes_no_range),
	    TEST(ranges_of_a_log_with_gaps),
	    TEST(a_time_is_the_first_record_that_reaches_it),
	    TEST(the_log_start_hides_what_is_before_it),
	    TEST(an_empty_log_has_its_points_too),
	    TEST(the_position_is_after_the_last_record_given_out),
	    TEST(one_file_is_read_alone),
	    TEST(batches_of_any_size_come_whole),
	    TEST(offsets_lie_between_the_names_of_two_segments),
	    TEST(a_segment_that_took_in_the_next_is_no_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
