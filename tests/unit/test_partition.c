/* Appending: offsets, groups, rolls, many handles, and writes that fail. */
#include <sys/wait.h>

#include "faults.h"
#include "file/checkpoint.h"
#include "file/lock.h"
#include "fixture.h"
#include "log/summary.h"

static int
set_up(void **state)
{
	fault_clear();
	return temp_dir_set_up(state);
}

/* The bases of the segments, in order; returns how many. */
static int
list_bases(const struct temp_dir *dir, int64_t *bases, int most)
{
	int count = 0;

	for (int64_t base = 0; count < most && base < 100000; base++) {
		char name[STREAM_NAME_SIZE];

		if (temp_dir_has(dir, fx_log_name(base, name)))
			bases[count++] = base;
	}
	return count;
}

static void
records_come_back_as_they_were_appended(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);
	struct stream_buf log;
	struct fx_seen seen;
	size_t done = 0;

	assert_false(stream_partition_is_dirty(partition));
	stream_buf_init(&log);
	/* Whatever base offsets they came with. */
	fx_add_many(&log, 0, 5, 20, 100, 'a');
	for (size_t at = 0; at < log.size;
	     at += stream_load32(log.data + at + 8) + 12)
		stream_batch_place(log.data + at, 7777, 55);
	assert_int_equal(
	    stream_partition_append(partition, log.data, log.size, &done, NULL),
	    STREAM_OK);
	assert_int_equal(done, log.size);
	assert_true(stream_partition_is_dirty(partition));
	assert_int_equal(stream_partition_next_offset(partition), 100);
	fx_sync(partition);
	assert_false(stream_partition_is_dirty(partition));
	seen = fx_read_all(dir);
	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.count, 100);
	assert_int_equal(fx_state(dir).durable_end, log.size);
	stream_buf_release(&log);
	stream_partition_close(partition);
}

/* All three files of all segments. */
static void
expect_same_files(const struct temp_dir *a, const struct temp_dir *b)
{
	int64_t bases[64], other[64];
	int count = list_bases(a, bases, 64);

	assert_int_equal(count, list_bases(b, other, 64));
	for (int i = 0; i < count; i++) {
		char name[STREAM_NAME_SIZE];

		fx_expect_same(a, b, fx_log_name(bases[i], name));
		stream_name_put_plain(bases[i], STREAM_NAME_INDEX, name);
		fx_expect_same(a, b, name);
		stream_name_put_plain(bases[i], STREAM_NAME_TIMEINDEX, name);
		fx_expect_same(a, b, name);
	}
	fx_expect_same(a, b, STREAM_EPOCHS_FILE);
}

/* Counters live in the files: handles that take turns leave the same bytes as
 * one does. */
static void
thirty_handles_leave_the_same_files_as_one(void **state)
{
	enum { HANDLES = 30, APPENDS = 400 };
	struct temp_dir *many = fx_dir();
	struct stream_partition *handles[HANDLES];
	struct stream_log_config config = fx_config();
	struct stream_partition *one;
	uint32_t seed = 3;

	config.segment_bytes = 20000;
	config.index_interval_bytes = 700;
	one = fx_open(*state, &config);
	for (int i = 0; i < HANDLES; i++)
		handles[i] = fx_open(many, &config);
	for (int i = 0; i < APPENDS; i++) {
		struct fx_batch make = {
		    .base = stream_partition_next_offset(one),
		    .count = 1 + i % 3,
		    .time_ms = T0 + i,
		    .value_size = fx_random(&seed) % 500};

		assert_int_equal(fx_try_append(one, make, NULL), STREAM_OK);
		assert_int_equal(
		    fx_try_append(
			handles[fx_random(&seed) % HANDLES], make, NULL),
		    STREAM_OK);
	}
	fx_expect_dense(*state, stream_partition_next_offset(one));
	for (int i = 0; i < HANDLES; i++)
		stream_partition_close(handles[i]);
	stream_partition_close(one);
	expect_same_files(*state, many);
	fx_drop(many);
}

static void
a_segment_rolls_before_it_is_too_large(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	struct stream_buf one;
	int64_t bases[16];

	stream_buf_init(&one);
	fx_add(&one, (struct fx_batch){.value_size = 20, .time_ms = T0});
	config.segment_bytes = (int64_t)(3 * one.size);
	partition = fx_open(dir, &config);
	fx_append(partition, 7, 1, 20, 'a');
	assert_int_equal(list_bases(dir, bases, 16), 3);
	assert_int_equal(bases[1], 3);
	assert_int_equal(bases[2], 6);
	assert_int_equal(fx_size(dir, LOG_0), 3 * one.size);
	/* The closed ones are durable, and have their final time entry. */
	assert_int_equal(fx_size(dir, TIMEINDEX_0), 12);
	fx_expect_dense(dir, 7);
	stream_partition_close(partition);
	stream_buf_release(&one);
}

static void
a_batch_larger_than_a_segment_is_refused_and_those_before_it_stay(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	struct stream_error err;
	struct stream_buf log;
	size_t two, done;

	config.segment_bytes = 400;
	partition = fx_open(dir, &config);
	stream_buf_init(&log);
	fx_add_many(&log, 0, 2, 1, 100, 'a');
	two = log.size;
	fx_add(&log, (struct fx_batch){.base = 2, .value_size = 500});
	assert_int_equal(
	    stream_partition_append(partition, log.data, log.size, &done, &err),
	    STREAM_ETOOBIG);
	assert_int_equal(done, two);
	fx_append(partition, 1, 1, 20, 'a');
	fx_expect_dense(dir, 3);
	stream_buf_release(&log);
	stream_partition_close(partition);
}

/* By message time since the first batch, as Kafka does. */
static void
a_segment_rolls_by_message_time(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	static const int64_t times[] = {0, 500, 1000, 1001, 900, 2001, 2002};
	int64_t bases[16];

	config.segment_ms = 1000;
	partition = fx_open(dir, &config);
	for (size_t i = 0; i < COUNT(times); i++)
		assert_int_equal(
		    fx_try_append(partition,
			(struct fx_batch){.time_ms = T0 + times[i]}, NULL),
		    STREAM_OK);
	assert_int_equal(list_bases(dir, bases, 16), 3);
	assert_int_equal(bases[1], 3);
	assert_int_equal(bases[2], 6);
	stream_partition_close(partition);
}

/* Without a timestamp in the first batch, by the clock since it was made. */
static void
a_segment_without_timestamps_rolls_by_the_clock(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	struct fx_batch none = {.time_ms = STREAM_NO_TIMESTAMP};
	int64_t bases[16];

	config.segment_ms = 60000;
	partition = fx_open(dir, &config);
	assert_int_equal(fx_try_append(partition, none, NULL), STREAM_OK);
	assert_int_equal(fx_try_append(partition, none, NULL), STREAM_OK);
	fault_clock_ms = 50000;
	assert_int_equal(fx_try_append(partition, none, NULL), STREAM_OK);
	assert_int_equal(list_bases(dir, bases, 16), 1);
	fault_clock_ms = 70000;
	assert_int_equal(fx_try_append(partition, none, NULL), STREAM_OK);
	assert_int_equal(list_bases(dir, bases, 16), 2);
	/* A clock that went back rolls nothing. */
	fault_clock_ms = -INT64_C(86400000) * 365;
	assert_int_equal(fx_try_append(partition, none, NULL), STREAM_OK);
	assert_int_equal(list_bases(dir, bases, 16), 2);
	stream_partition_close(partition);
}

static void
a_segment_rolls_when_an_index_is_full(void **state)
{
	static const struct {
		int64_t index_bytes;
		bool same_time;
		int64_t entries; /* of .index in the first segment */
	} rows[] = {{80, true, 10}, {80, false, 5}, {24, false, 1}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_log_config config = fx_config();
		struct stream_partition *partition;

		config.index_interval_bytes = 0;
		config.segment_index_bytes = rows[i].index_bytes;
		partition = fx_open(dir, &config);
		for (int n = 0; n < 40; n++)
			assert_int_equal(
			    fx_try_append(partition,
				(struct fx_batch){
				    .time_ms = rows[i].same_time ? T0 : T0 + n},
				NULL),
			    STREAM_OK);
		if (fx_size(dir, INDEX_0) != 8 * rows[i].entries)
			fail_msg("row %zu: %lld", i,
			    (long long)fx_size(dir, INDEX_0));
		fx_expect_dense(dir, 40);
		stream_partition_close(partition);
		fx_drop(dir);
	}
}

static int64_t
append_stamped(struct stream_partition *partition, const struct temp_dir *dir)
{
	struct fx_reading how = {.options.range.from = {STREAM_POINT_LAST, 1}};
	struct stream_reader *reader;
	const struct stream_record *records;
	size_t count;
	int64_t time_ms;

	assert_int_equal(
	    fx_try_append(partition, (struct fx_batch){.time_ms = 5}, NULL),
	    STREAM_OK);
	reader = fx_reader(dir, how);
	assert_int_equal(
	    stream_reader_read(reader, &records, &count, NULL), STREAM_OK);
	assert_true(records->batch->attributes & STREAM_BATCH_APPEND_TIME);
	time_ms = records->timestamp_ms;
	stream_reader_close(reader);
	return time_ms;
}

static void
log_append_time_never_goes_back_within_a_segment(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	int64_t first, second;

	config.append_time = true;
	partition = fx_open(dir, &config);
	first = append_stamped(partition, dir);
	fault_clock_ms = -100000;
	second = append_stamped(partition, dir);
	assert_int_equal(second, first);
	fault_clock_ms = 100000;
	assert_in_range(
	    append_stamped(partition, dir), first + 99000, first + 110000);
	stream_partition_close(partition);
}

static void
log_append_time_never_goes_back_at_a_roll(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	int64_t first;

	config.append_time = true;
	config.segment_bytes = 200;
	partition = fx_open(dir, &config);
	first = append_stamped(partition, dir);
	append_stamped(partition, dir);
	fault_clock_ms = -100000;
	for (int i = 0; i < 5; i++)
		assert_in_range(
		    append_stamped(partition, dir), first, first + 10000);
	assert_true(fx_state(dir).active_base > 0);
	stream_partition_close(partition);
}

/* Eight processes at once: nothing is lost or doubled, and the records of each
 * stand in its order. */
static void
processes_append_side_by_side(void **state)
{
	enum { PROCESSES = 8, APPENDS = 60 };
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_reader *reader;
	const struct stream_record *records;
	int64_t last[PROCESSES] = {0};
	size_t count;

	config.segment_bytes = 15000;
	config.lock_timeout_ms = 20000;
	for (int p = 0; p < PROCESSES; p++)
		if (fork() == 0) {
			struct stream_partition *own = fx_open(dir, &config);

			/* The time says who wrote it, and when. */
			for (int i = 1; i <= APPENDS; i++)
				if (fx_try_append(own,
					(struct fx_batch){
					    .time_ms = i * PROCESSES + p,
					    .value_size = (size_t)i},
					NULL) != STREAM_OK)
					_exit(1);
			if (stream_partition_sync(own, NULL) != STREAM_OK)
				_exit(2);
			stream_partition_close(own);
			_exit(0);
		}
	for (int p = 0; p < PROCESSES; p++) {
		int how;

		assert_true(wait(&how) > 0);
		assert_int_equal(how, 0);
	}
	fx_expect_dense(dir, PROCESSES * APPENDS);
	reader = fx_reader(dir, (struct fx_reading){.log_start = 0});
	while (stream_reader_read(reader, &records, &count, NULL) == STREAM_OK)
		for (size_t i = 0; i < count; i++) {
			int64_t *mine =
			    &last[records[i].timestamp_ms % PROCESSES];

			assert_int_equal(
			    records[i].timestamp_ms / PROCESSES, *mine + 1);
			++*mine;
		}
	for (int p = 0; p < PROCESSES; p++)
		assert_int_equal(last[p], APPENDS);
	stream_reader_close(reader);
}

static void
a_lock_that_is_not_free_in_time_is_busy(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition, *other;
	int fd;

	config.lock_timeout_ms = 30;
	partition = fx_open(dir, &config);
	fx_append(partition, 1, 1, 5, 'a');
	fd = openat(dir->fd, STREAM_STATE_NAME, O_RDWR);
	stream_lock_take(
	    fd, STREAM_LOCK_EXCLUSIVE, STREAM_LOCK_APPEND, 1, 0, NULL);
	assert_int_equal(
	    fx_try_append(partition, (struct fx_batch){.base = 1}, NULL),
	    STREAM_EBUSY);
	assert_int_equal(stream_partition_open(dir->fd, &config, &other, NULL),
	    STREAM_EBUSY);
	stream_lock_drop(fd, STREAM_LOCK_APPEND, 1);
	stream_lock_take(
	    fd, STREAM_LOCK_EXCLUSIVE, STREAM_LOCK_SYNC, 1, 0, NULL);
	assert_int_equal(stream_partition_sync(partition, NULL), STREAM_EBUSY);
	/* A sync that is under way stops no append. */
	fx_append(partition, 1, 1, 5, 'a');
	close(fd);
	assert_true(stream_partition_is_dirty(partition));
	fx_sync(partition);
	fx_expect_dense(dir, 2);
	stream_partition_close(partition);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(records_come_back_as_they_were_appended),
	    TEST(thirty_handles_leave_the_same_files_as_one),
	    TEST(a_segment_rolls_before_it_is_too_large),
	    TEST(
		a_batch_larger_than_a_segment_is_refused_and_those_before_it_stay),
	    TEST(a_segment_rolls_by_message_time),
	    TEST(a_segment_without_timestamps_rolls_by_the_clock),
	    TEST(a_segment_rolls_when_an_index_is_full),
	    TEST(log_append_time_never_goes_back_within_a_segment),
	    TEST(log_append_time_never_goes_back_at_a_roll),
	    TEST(processes_append_side_by_side),
	    TEST(a_lock_that_is_not_free_in_time_is_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
