/* Writes that fail part of the way, state writes that fail, cuts that fail,
 * epochs, and topics that go away. */
#include "faults.h"
#include "file/checkpoint.h"
#include "file/lock.h"
#include "file/scan.h"
#include "fixture.h"
#include "log/indexer.h"
#include "log/partition_private.h"

static int
set_up(void **state)
{
	fault_clear();
	return temp_dir_set_up(state);
}

/* Both indexes of the first segment are what its batches give. */
static void
expect_sound_indexes(const struct temp_dir *dir, int64_t interval)
{
	struct stream_indexer indexer;
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	struct stream_buf file;
	int fd = openat(dir->fd, LOG_0, O_RDONLY);

	stream_indexer_init(&indexer, 0, interval);
	stream_scan_init(
	    &scan, fd, 0, STREAM_SCAN_WHOLE, STREAM_BATCH_CAP_DEFAULT, 1 << 16);
	while (stream_scan_next(&scan, &batch, &bytes, NULL) == STREAM_OK)
		stream_indexer_add(&indexer, &batch.info, NULL);
	stream_scan_release(&scan);
	close(fd);
	fx_get(dir, INDEX_0, &file);
	assert_int_equal(file.size, indexer.offsets.size);
	if (file.size > 0)
		assert_memory_equal(file.data, indexer.offsets.data, file.size);
	stream_buf_release(&file);
	fx_get(dir, TIMEINDEX_0, &file);
	assert_int_equal(file.size, indexer.times.size);
	if (file.size > 0)
		assert_memory_equal(file.data, indexer.times.data, file.size);
	stream_buf_release(&file);
	stream_indexer_release(&indexer);
}

/* A group of five batches, of which the disk takes so many bytes: what is
 * whole stays and is told, the rest is cut, and the handle goes on. */
static void
a_short_append_keeps_whole_batches(void **state)
{
	static const int errors[] = {ENOSPC, EIO, EDQUOT, EFBIG};

	(void)state;
	for (int quarter = 0; quarter < 20; quarter++) {
		struct temp_dir *dir = fx_dir();
		struct stream_log_config config = fx_config();
		struct stream_partition *partition;
		struct stream_error err;
		struct stream_buf log;
		size_t one, done = 99, before;

		config.index_interval_bytes = 0;
		partition = fx_open(dir, &config);
		fx_append(partition, 4, 3, 40, 'a');
		before = (size_t)fx_size(dir, LOG_0);
		stream_buf_init(&log);
		fx_add_many(&log, 12, 5, 3, 40, 'a');
		one = log.size / 5;
		fault_plan(
		    FAULT_PWRITE, (struct fault){.suffix = ".log",
				      .times = 1,
				      .error = errors[quarter % 4],
				      .most = one * (size_t)quarter / 4});
		assert_int_equal(stream_partition_append(partition, log.data,
				     log.size, &done, &err),
		    STREAM_EIO);
		assert_int_equal(err.sys, errors[quarter % 4]);
		fault_clear();
		assert_int_equal(done, one * (size_t)(quarter / 4));
		assert_int_equal(fx_size(dir, LOG_0), before + done);
		fx_append(partition, 3, 3, 40, 'a');
		fx_expect_dense(dir, 12 + 3 * (quarter / 4) + 9);
		expect_sound_indexes(dir, 0);
		fx_sync(partition);
		stream_buf_release(&log);
		stream_partition_close(partition);
		fx_drop(dir);
	}
}

/* When the cut fails too, this handle stops and the next one cuts. */
static void
a_cut_that_fails_poisons_the_handle_only(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL), *other;

	fx_append(partition, 2, 3, 40, 'a');
	fault_plan(FAULT_PWRITE,
	    (struct fault){
		.suffix = ".log", .times = 1, .error = ENOSPC, .most = 30});
	fault_plan(FAULT_FTRUNCATE,
	    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
	assert_int_equal(
	    fx_try_append(partition, (struct fx_batch){.base = 6}, NULL),
	    STREAM_EIO);
	assert_int_equal(
	    fx_try_append(partition, (struct fx_batch){.base = 6}, NULL),
	    STREAM_EIO);
	assert_int_equal(stream_partition_sync(partition, NULL), STREAM_EIO);
	other = fx_open(dir, NULL);
	fx_append(other, 1, 1, 10, 'a');
	fx_sync(other);
	fx_expect_dense(dir, 7);
	stream_partition_close(partition);
	stream_partition_close(other);
}

/* Whichever write of the state fails, offsets are given out once and indexes
 * stay sound. */
static void
a_state_that_cannot_be_written_costs_no_offset(void **state)
{
	(void)state;
	for (int after = 0; after < 3; after++) {
		struct temp_dir *dir = fx_dir();
		struct stream_log_config config = fx_config();
		struct stream_partition *partition;
		struct fx_seen seen;

		config.index_interval_bytes = 0;
		partition = fx_open(dir, &config);
		fx_append(partition, 2, 3, 40, 'a');
		fault_plan(
		    FAULT_PWRITE, (struct fault){.suffix = STREAM_STATE_NAME,
				      .after = after,
				      .times = 1,
				      .error = EIO});
		for (int i = 0; i < 3; i++)
			fx_try_append(partition,
			    (struct fx_batch){.count = 3, .time_ms = T0}, NULL);
		fault_clear();
		fx_append(partition, 2, 3, 40, 'a');
		seen = fx_read_all(dir);
		expect(seen.status, STREAM_END, seen.err);
		assert_int_equal(
		    seen.count, stream_partition_next_offset(partition));
		expect_sound_indexes(dir, 0);
		stream_partition_close(partition);
		fx_drop(dir);
	}
}

/* Indexes are hints: one that cannot be written lags, and no append fails. */
static void
an_index_that_cannot_be_written_lags(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;

	config.index_interval_bytes = 0;
	partition = fx_open(dir, &config);
	fault_plan(FAULT_PWRITE, (struct fault){.suffix = ".index",
				     .after = 3,
				     .times = 4,
				     .error = ENOSPC,
				     .most = 3});
	fx_append(partition, 20, 3, 40, 'a');
	assert_int_equal(fx_size(dir, INDEX_0) % 8, 0);
	fx_expect_dense(dir, 60);
	for (int64_t from = 0; from < 60; from += 7) {
		struct fx_seen seen = fx_read(dir,
		    (struct fx_reading){
			.options.range.from = {STREAM_POINT_OFFSET, from}});

		assert_int_equal(seen.first, from);
		assert_int_equal(seen.last, 59);
	}
	stream_partition_close(partition);
}

static void
expect_epochs(const struct temp_dir *dir, const char *want)
{
	temp_dir_expect(dir, STREAM_EPOCHS_FILE, want);
}

static void
the_first_epoch_is_there_before_its_batch(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	struct stream_buf log;

	config.index_interval_bytes = 0;
	partition = fx_open(dir, &config);
	stream_buf_init(&log);
	fx_add_many(&log, 0, 4, 3, 10, 'a');
	fault_plan(FAULT_FSYNC, (struct fault){.times = 1, .error = EIO});
	assert_int_equal(
	    stream_partition_append(partition, log.data, log.size, NULL, NULL),
	    STREAM_EIO);
	assert_int_equal(fx_size(dir, LOG_0), 0);
	fault_clear();
	fx_append(partition, 2, 3, 10, 'a');
	expect_epochs(dir, "0\n1\n0 0\n");
	fx_expect_dense(dir, 6);
	/* What was planned and not written left no entries. */
	expect_sound_indexes(dir, 0);
	stream_buf_release(&log);
	stream_partition_close(partition);
}

static void
a_roll_rebuilds_epochs_that_went(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;

	config.segment_bytes = 300;
	partition = fx_open(dir, &config);
	fx_append(partition, 1, 1, 100, 'a');
	fx_remove(dir, STREAM_EPOCHS_FILE);
	fx_append(partition, 3, 1, 100, 'a');
	expect_epochs(dir, "0\n1\n0 0\n");
	temp_dir_put(dir, STREAM_EPOCHS_FILE, "noise");
	fx_append(partition, 3, 1, 100, 'a');
	expect_epochs(dir, "0\n1\n0 0\n");
	stream_partition_close(partition);
}

static int32_t
epoch_of_last(const struct temp_dir *dir)
{
	struct stream_reader *reader =
	    fx_reader(dir, (struct fx_reading){.foreign = true,
			       .options.range.from = {STREAM_POINT_LAST, 1}});
	const struct stream_record *records;
	size_t count;
	int32_t epoch;

	assert_int_equal(
	    stream_reader_read(reader, &records, &count, NULL), STREAM_OK);
	epoch = records->batch->leader_epoch;
	stream_reader_close(reader);
	return epoch;
}

/* Foreign logs have later ones: batches carry the last that file or log
 * names, and the file is rebuilt when it is of no use. */
static void
epochs_go_on_where_the_log_is(void **state)
{
	static const struct {
		const char *file; /* NULL: none */
		const char *want;
		int32_t epoch;
		bool rolled; /* the newest segment is empty */
	} rows[] = {
	    {"0\n2\n0 0\n4 2\n", "0\n2\n0 0\n4 2\n", 4, false},
	    {"0\n3\n0 0\n4 2\n6 4\n", "0\n3\n0 0\n4 2\n6 4\n", 6, false},
	    {NULL, "0\n2\n0 0\n4 2\n", 4, false},
	    {"noise", "0\n2\n0 0\n4 2\n", 4, false},
	    {"0\n1\n0 0\n", "0\n2\n0 0\n4 2\n", 4, false},
	    {"0\n2\n0 0\n4 2\n", "0\n2\n0 0\n4 2\n", 4, true},
	    {NULL, "0\n2\n0 0\n4 2\n", 4, true},
	    {"noise", "0\n2\n0 0\n4 2\n", 4, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *partition;
		struct stream_buf log;
		char *got;

		stream_buf_init(&log);
		fx_add(&log, (struct fx_batch){.count = 2});
		fx_add(
		    &log, (struct fx_batch){.base = 2, .count = 2, .epoch = 4});
		fx_put(dir, LOG_0, log.data, log.size);
		if (rows[i].rolled)
			temp_dir_put(dir, "00000000000000000004.log", "");
		if (rows[i].file != NULL)
			temp_dir_put(dir, STREAM_EPOCHS_FILE, rows[i].file);
		partition = fx_open(dir, NULL);
		fx_append(partition, 1, 1, 5, 'a');
		got = temp_dir_get(dir, STREAM_EPOCHS_FILE);
		if (strcmp(got, rows[i].want) != 0 ||
		    epoch_of_last(dir) != rows[i].epoch)
			fail_msg("row %zu: epoch %d, %s", i, epoch_of_last(dir),
			    got);
		free(got);
		stream_partition_close(partition);
		stream_buf_release(&log);
		fx_drop(dir);
	}
}

/* ---- topics that go away ---- */

static void
expect_gone(struct stream_partition *partition)
{
	struct stream_error err = {.text = ""};

	expect(fx_try_append(partition, (struct fx_batch){.base = 2}, &err),
	    STREAM_ENOENT, err);
	expect(stream_partition_sync(partition, &err), STREAM_ENOENT, err);
}

static void
a_deleted_partition_takes_no_writer(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *open = fx_open(dir, NULL), *late;
	struct stream_log_config config = fx_config();
	struct stream_error err;

	fx_append(open, 2, 1, 5, 'a');
	expect(
	    stream_partition_mark_deleted(dir->fd, 100, &err), STREAM_OK, err);
	expect_gone(open);
	assert_int_equal(stream_partition_open(dir->fd, &config, &late, NULL),
	    STREAM_ENOENT);
	/* Its files go one by one, and the state may go first: no writer may
	 * take what is left for a new partition. */
	fx_remove(dir, STREAM_STATE_NAME);
	expect_gone(open);
	assert_false(temp_dir_has(dir, STREAM_STATE_NAME));
	stream_partition_close(open);
	assert_false(temp_dir_has(dir, STREAM_STATE_NAME));
}

static void
a_partition_whose_directory_went_takes_no_writer(void **state)
{
	struct temp_dir *dir = fx_dir();
	struct stream_partition *partition = fx_open(dir, NULL);

	(void)state;
	fx_append(partition, 2, 1, 5, 'a');
	nftw(dir->path, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	expect_gone(partition);
	stream_partition_close(partition);
	close(dir->fd);
	free(dir);
}

/* Someone who deletes the state or puts another in its place while writers
 * have it open: all of them end up with the same one. */
static void
writers_find_a_state_that_was_replaced(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_partition *b = fx_open(dir, NULL);

	for (int i = 0; i < 6; i++) {
		fx_append(a, 1, 2, 30, 'a');
		if (i % 3 == 0)
			fx_remove(dir, STREAM_STATE_NAME);
		else
			fx_fill(dir, "noise", 600, -1, (uint32_t)i);
		if (i % 3 == 1)
			renameat(dir->fd, "noise", dir->fd, STREAM_STATE_NAME);
		fx_sync(b);
		fx_append(b, 1, 2, 30, 'a');
		if (i % 2 == 0)
			fx_sync(a);
		fx_sync(b);
	}
	fx_sync(a);
	fx_expect_dense(dir, 24);
	stream_partition_close(a);
	stream_partition_close(b);
}

/* A sync lock that was taken on the old file is taken on the new one too, and
 * before the append lock. */
static void
both_locks_move_to_a_state_that_was_replaced(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	int fd;

	assert_int_equal(stream_partition_lock_sync(a, NULL), STREAM_OK);
	fx_remove(dir, STREAM_STATE_NAME);
	assert_int_equal(stream_partition_lock(a, NULL), STREAM_OK);
	fd = openat(dir->fd, STREAM_STATE_NAME, O_RDWR);
	assert_true(stream_lock_is_held(fd, STREAM_LOCK_APPEND, 1));
	assert_true(stream_lock_is_held(fd, STREAM_LOCK_SYNC, 1));
	stream_partition_unlock(a);
	stream_partition_unlock_sync(a);
	assert_false(stream_lock_is_held(fd, 0, 3));
	close(fd);
	stream_partition_close(a);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_short_append_keeps_whole_batches),
	    TEST(a_cut_that_fails_poisons_the_handle_only),
	    TEST(a_state_that_cannot_be_written_costs_no_offset),
	    TEST(an_index_that_cannot_be_written_lags),
	    TEST(the_first_epoch_is_there_before_its_batch),
	    TEST(a_roll_rebuilds_epochs_that_went),
	    TEST(epochs_go_on_where_the_log_is),
	    TEST(a_deleted_partition_takes_no_writer),
	    TEST(a_partition_whose_directory_went_takes_no_writer),
	    TEST(writers_find_a_state_that_was_replaced),
	    TEST(both_locks_move_to_a_state_that_was_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
