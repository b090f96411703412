/* What a writer finds after another died, or after someone was at the files:
 * what is kept, cut, set aside, and never touched. */
#include "faults.h"
#include "recovery.h"

/* A writer dies within its write: at every byte of a group of two batches. */
static void
an_unfinished_append_is_cut(void **state)
{
	struct stream_buf log;
	size_t one;

	(void)state;
	stream_buf_init(&log);
	fx_add_many(&log, 12, 1, 3, 40, 'x');
	one = log.size;
	fx_add_many(&log, 15, 1, 3, 40, 'x');
	for (size_t size = 1; size < log.size; size += 7) {
		struct temp_dir *dir = fx_dir();

		make(dir, 4, 2);
		add_to_log(dir, log.data, size);
		expect_opens(dir, size < one ? 12 : 15,
		    size == one ? NULL : "unfinished");
		fx_drop(dir);
	}
	stream_buf_release(&log);
}

/* The same for a handle that is open, which no other has told of it. */
static void
an_open_handle_sees_what_a_dead_writer_left(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);
	struct stream_buf log;

	stream_buf_init(&log);
	fx_append(partition, 4, 3, 40, 'a');
	fx_add_many(&log, 12, 2, 3, 40, 'x');
	add_to_log(dir, log.data, log.size - 5);
	fx_append(partition, 1, 3, 40, 'b');
	fx_sync(partition);
	fx_expect_dense(dir, 18);
	add_to_log(dir, "abc", 3);
	fx_append(partition, 1, 3, 40, 'b');
	fx_expect_dense(dir, 21);
	stream_buf_release(&log);
	stream_partition_close(partition);
}

static void
zeros_behind_the_end_are_cut(void **state)
{
	static const uint8_t zeros[70000];
	static const size_t sizes[] = {1, 61, 4096, 70000};

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct temp_dir *dir = fx_dir();

		make(dir, 4, 4);
		add_to_log(dir, zeros, sizes[i]);
		expect_opens(dir, 12, "unfinished");
		fx_drop(dir);
	}
}

/* A whole batch that does not begin where the one before ends: in a log that
 * was never compacted that is damage, and stays. */
static void
a_gap_in_a_dense_log_is_damage(void **state)
{
	static const int64_t bases[] = {13, 11, 0};

	(void)state;
	for (size_t i = 0; i < COUNT(bases); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_error err;
		struct stream_buf log;
		struct fx_notes notes;
		off_t size;

		make(dir, 4, 4);
		stream_buf_init(&log);
		fx_add_many(&log, bases[i], 1, 3, 40, 'x');
		add_to_log(dir, log.data, log.size);
		size = fx_size(dir, LOG_0);
		expect(try_open(dir, &notes, &err), STREAM_ECORRUPT, err);
		assert_non_null(strstr(err.text, "where 12 was expected"));
		assert_int_equal(fx_size(dir, LOG_0), size);
		stream_buf_release(&log);
		fx_drop(dir);
	}
}

/* Its bytes are kept under another name, twice if need be. */
static void
a_bad_last_batch_is_set_aside(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log, kept;

	stream_buf_init(&log);
	fx_add_many(&log, 12, 1, 3, 40, 'x');
	log.data[80] ^= 1;
	make(dir, 4, 2);
	add_to_log(dir, log.data, log.size);
	expect_opens(dir, 12, "aside");
	assert_int_equal(fx_get(dir, ".strm-cut-12", &kept), log.size);
	assert_memory_equal(kept.data, log.data, log.size);
	stream_buf_release(&kept);
	stream_buf_release(&log);

	stream_buf_init(&log);
	fx_add_many(&log, 18, 1, 3, 200000, 'x');
	log.data[80] ^= 1;
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {
		    ".strm-cut-18", ".strm-cut-18.1", ".strm-cut-18.2"};
		struct fx_notes notes;
		struct stream_error err;

		add_to_log(dir, log.data, log.size);
		expect(try_open(dir, &notes, &err), STREAM_OK, err);
		assert_int_equal(fx_get(dir, names[i], &kept), log.size);
		assert_memory_equal(kept.data, log.data, log.size);
		stream_buf_release(&kept);
	}
	stream_buf_release(&log);
}

/* When they cannot be kept they are not cut, and no pieces stay. */
static void
a_bad_last_batch_that_cannot_be_set_aside_stays(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log;
	struct fx_notes notes;
	struct stream_error err;

	stream_buf_init(&log);
	fx_add_many(&log, 12, 1, 3, 40, 'x');
	log.data[80] ^= 1;
	make(dir, 4, 2);
	add_to_log(dir, log.data, log.size);
	for (int i = 0; i < 3; i++) {
		off_t size = fx_size(dir, LOG_0);

		fault_plan(FAULT_PWRITE, (struct fault){.suffix = "-12",
					     .times = 1,
					     .error = ENOSPC,
					     .most = 9});
		expect(try_open(dir, &notes, &err), STREAM_EIO, err);
		assert_int_equal(err.sys, ENOSPC);
		assert_int_equal(fx_size(dir, LOG_0), size);
		assert_false(temp_dir_has(dir, ".strm-cut-12"));
	}
	fault_clear();
	expect_opens(dir, 12, "aside");
	assert_true(temp_dir_has(dir, ".strm-cut-12"));
	stream_buf_release(&log);
}

static void
damage_is_left_alone(void **state)
{
	static const struct {
		size_t at; /* in the last but one batch */
		uint8_t flip;
		int synced; /* batches */
		int want;
	} rows[] = {
	    {30, 1, 2, STREAM_ECORRUPT}, /* a good batch follows */
	    {9, 1, 2, STREAM_ECORRUPT},  /* its length leads past the end */
	    {16, 1, 2, STREAM_ECORRUPT}, /* its magic */
	    {7, 1, 2, STREAM_ECORRUPT},  /* its base offset: no chain */
	    {4, 1, 2, STREAM_ECORRUPT},
	    {30, 1, 4, STREAM_ECORRUPT},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_buf log;
		size_t at;

		make(dir, 4, rows[i].synced);
		fx_get(dir, LOG_0, &log);
		at = log.size / 4 * 2 + 2;
		while (stream_load64(log.data + at) != 6)
			at--;
		log.data[at + rows[i].at] ^= rows[i].flip;
		fx_put_at(dir, LOG_0, 0, log.data, log.size);
		stream_buf_release(&log);
		/* Someone looks from the start, as after another boot. */
		fx_remove(dir, STREAM_STATE_NAME);
		expect_refused(dir, rows[i].want, "byte ");
		fx_drop(dir);
	}
}

/* Below the durable end nothing is torn, whatever it looks like. */
static void
below_the_durable_end_all_is_damage(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		struct temp_dir *dir = fx_dir();
		struct stream_state known;
		uint8_t zeros[2048] = {0};
		uint64_t last;

		make(dir, 4, 4);
		known = fx_state(dir);
		last = (uint64_t)known.last_position;
		if (way == 0) /* bad CRC */
			fx_put_at(dir, LOG_0, last + 90, "x", 1);
		else if (way == 1) /* all zero */
			fx_put_at(dir, LOG_0, last, zeros, known.end - last);
		else /* shorter than its length says */
			fx_put_at(dir, LOG_0, last + 11, "\xff", 1);
		/* Written before this boot: it is walked from the start. */
		known.marks |= STREAM_MARK_ROLLING;
		known.end += 5;
		fx_put_state(dir, known);
		expect_refused(dir, STREAM_ECORRUPT, "damage");
		fx_drop(dir);
	}
}

static void
a_log_shorter_than_its_durable_end_is_damage(void **state)
{
	const struct temp_dir *dir = *state;

	make(dir, 4, 2);
	/* Above the durable end: lost by power, and the log goes on there. */
	fx_cut(dir, LOG_0, (off_t)fx_state(dir).last_position);
	expect_opens(dir, 9, NULL);
	fx_cut(dir, LOG_0, (off_t)fx_state(dir).durable_end - 1);
	expect_refused(dir, STREAM_ECORRUPT, "durable");
}

static void
the_newest_segment_must_not_be_missing(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	struct fx_notes notes;
	struct stream_error err;

	config.segment_bytes = 1000;
	partition = fx_open(dir, &config);
	fx_append(partition, 9, 3, 40, 'a');
	assert_true(fx_state(dir).active_base > 0);
	renameat(dir->fd, fx_log_name(fx_state(dir).active_base, err.text),
	    dir->fd, "kept");
	expect(try_open(dir, &notes, &err), STREAM_ECORRUPT, err);
	assert_non_null(strstr(err.text, "gone"));
	/* A handle that has it open stops too. */
	fx_sync(partition);
	stream_partition_close(partition);
	partition = NULL;
	/* All are gone. */
	for (int64_t base = 0; base < fx_state(dir).active_base; base += 3) {
		char name[STREAM_NAME_SIZE];

		unlinkat(dir->fd, fx_log_name(base, name), 0);
	}
	expect(try_open(dir, &notes, &err), STREAM_ECORRUPT, err);
	assert_false(temp_dir_has(dir, LOG_0));
	/* Whoever takes the state away too begins again. */
	fx_remove(dir, STREAM_STATE_NAME);
	expect(try_open(dir, &notes, &err), STREAM_OK, err);
	assert_true(temp_dir_has(dir, LOG_0));
}

/* A roll that died: before the new file, and after it. */
static void
a_roll_that_died_is_finished_or_forgotten(void **state)
{
	const struct temp_dir *dir = *state;

	make(dir, 4, 2);
	fx_mark(dir, STREAM_MARK_ROLLING | STREAM_MARK_SYNCING);
	expect_opens(dir, 12, NULL);
	assert_int_equal(fx_state(dir).active_base, 0);
	fx_mark(dir, STREAM_MARK_ROLLING | STREAM_MARK_SYNCING);
	temp_dir_put(dir, "00000000000000000018.log", "");
	expect_opens(dir, 18, NULL);
	assert_int_equal(fx_state(dir).active_base, 18);
	assert_int_equal(fx_state(dir).marks, 0);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(an_unfinished_append_is_cut),
	    TEST(an_open_handle_sees_what_a_dead_writer_left),
	    TEST(zeros_behind_the_end_are_cut),
	    TEST(a_gap_in_a_dense_log_is_damage),
	    TEST(a_bad_last_batch_is_set_aside),
	    TEST(a_bad_last_batch_that_cannot_be_set_aside_stays),
	    TEST(damage_is_left_alone),
	    TEST(below_the_durable_end_all_is_damage),
	    TEST(a_log_shorter_than_its_durable_end_is_damage),
	    TEST(the_newest_segment_must_not_be_missing),
	    TEST(a_roll_that_died_is_finished_or_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
