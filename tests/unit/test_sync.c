/* What a sync makes durable, and what a sync that failed takes back. */
#include <sys/wait.h>

#include "faults.h"
#include "file/checkpoint.h"
#include "fixture.h"

static int
set_up(void **state)
{
	fault_clear();
	return temp_dir_set_up(state);
}

/* The next sync of a log fails. */
static void
plan_failure(void)
{
	fault_plan(FAULT_FDATASYNC,
	    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
}

static void
expect_sync(struct stream_partition *partition, int want)
{
	struct stream_error err = {.text = ""};

	expect(stream_partition_sync(partition, &err), want, err);
}

static void
expect_append(struct stream_partition *partition, int want)
{
	struct stream_error err = {.text = ""};

	expect(
	    fx_try_append(partition,
		(struct fx_batch){.count = 3, .time_ms = T0, .value_size = 40},
		&err),
	    want, err);
}

/* Offsets 0 to next - 1, of these writers in this order. */
static void
expect_log(const struct temp_dir *dir, int64_t next, const char *letters)
{
	struct fx_seen seen = fx_read_all(dir);

	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.count, next);
	assert_string_equal(seen.letters, letters);
}

static void
a_sync_makes_all_that_was_appended_durable(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);

	fx_append(partition, 2, 3, 40, 'a');
	assert_int_equal(fx_state(dir).durable_end, 0);
	expect_sync(partition, STREAM_OK);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	assert_int_equal(fx_state(dir).marks, 0);
	stream_partition_close(partition);
}

static void
one_sync_serves_all_whose_bytes_it_covers(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_partition *b = fx_open(dir, NULL);

	fault_plan(FAULT_FDATASYNC, (struct fault){.suffix = ".log"});
	fx_append(a, 1, 3, 40, 'a');
	expect_append(b, STREAM_OK);
	expect_sync(a, STREAM_OK);
	assert_int_equal(faults[FAULT_FDATASYNC].calls, 1);
	expect_sync(b, STREAM_OK);
	expect_sync(b, STREAM_OK);
	assert_int_equal(faults[FAULT_FDATASYNC].calls, 1);
	assert_false(stream_partition_is_dirty(b));
	stream_partition_close(a);
	stream_partition_close(b);
}

/* Called within a sync: another writer appends. */
static void
append_meanwhile(void *context, int fd)
{
	(void)fd;
	expect_append(context, STREAM_OK);
}

static void
what_comes_during_a_sync_is_not_covered(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_partition *b = fx_open(dir, NULL);
	off_t before;

	fx_append(a, 1, 3, 40, 'a');
	before = fx_size(dir, LOG_0);
	fault_plan(FAULT_FDATASYNC, (struct fault){.suffix = ".log",
					.times = 1,
					.hook = append_meanwhile,
					.context = b});
	expect_sync(a, STREAM_OK);
	assert_int_equal(fx_state(dir).durable_end, before);
	assert_true(fx_size(dir, LOG_0) > before);
	expect_sync(b, STREAM_OK);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	assert_int_equal(faults[FAULT_FDATASYNC].calls, 2);
	stream_partition_close(a);
	stream_partition_close(b);
}

static void
an_interrupted_sync_is_made_again(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);

	fx_append(a, 1, 3, 40, 'a');
	fault_plan(FAULT_FDATASYNC,
	    (struct fault){.suffix = ".log", .times = 3, .error = EINTR});
	expect_sync(a, STREAM_OK);
	assert_int_equal(faults[FAULT_FDATASYNC].calls, 4);
	expect_log(dir, 3, "a");
	stream_partition_close(a);
}

static void
a_failed_sync_takes_back_what_is_not_durable(void **state)
{
	static const int errors[] = {EIO, ENOSPC, EDQUOT, EROFS};
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);

	fx_append(a, 2, 3, 40, 'a');
	expect_sync(a, STREAM_OK);
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct stream_error err;

		fx_append(a, 3, 3, 40, 'b');
		fault_plan(FAULT_FDATASYNC,
		    (struct fault){
			.suffix = ".log", .times = 1, .error = errors[i]});
		expect(stream_partition_sync(a, &err), STREAM_EIO, err);
		assert_int_equal(err.sys, errors[i]);
		assert_non_null(strstr(err.text, "offset 6"));
		assert_int_equal(fx_state(dir).takebacks, i + 1);
		assert_int_equal(fx_state(dir).marks, 0);
		assert_false(stream_partition_is_dirty(a));
		expect_log(dir, 6, "a");
	}
	/* The handle goes on. */
	fx_append(a, 1, 3, 40, 'c');
	expect_sync(a, STREAM_OK);
	expect_log(dir, 9, "ac");
	stream_partition_close(a);
}

static void
the_other_writer_is_told_once(void **state)
{
	for (int by_append = 0; by_append < 2; by_append++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a = fx_open(dir, NULL);
		struct stream_partition *b = fx_open(dir, NULL);

		fx_append(a, 2, 3, 40, 'a');
		expect_sync(a, STREAM_OK);
		expect_append(b, STREAM_OK);
		fx_append(a, 1, 3, 40, 'a');
		plan_failure();
		expect_sync(a, STREAM_EIO);
		/* Others may have filled the place again. */
		fx_append(a, 4, 3, 40, 'c');
		expect_sync(a, STREAM_OK);
		if (by_append)
			expect_append(b, STREAM_ELOST);
		else
			expect_sync(b, STREAM_ELOST);
		assert_false(stream_partition_is_dirty(b));
		expect_append(b, STREAM_OK);
		expect_sync(b, STREAM_OK);
		expect_log(dir, 21, "aca");
		stream_partition_close(a);
		stream_partition_close(b);
		fx_drop(dir);
	}
	(void)state;
}

static void
bytes_below_the_cut_survive(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_partition *b = fx_open(dir, NULL);

	expect_append(b, STREAM_OK);
	fx_append(a, 1, 3, 40, 'a');
	expect_sync(a, STREAM_OK);
	fx_append(a, 1, 3, 40, 'a');
	plan_failure();
	expect_sync(a, STREAM_EIO);
	assert_true(stream_partition_is_dirty(b));
	expect_sync(b, STREAM_OK);
	expect_log(dir, 6, "a");
	stream_partition_close(a);
	stream_partition_close(b);
}

/* A segment is closed after a sync, so what a later one takes back in the next
 * segment is none of its bytes. */
static void
bytes_in_a_closed_segment_survive(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *a, *b;

	config.segment_bytes = 900;
	a = fx_open(dir, &config);
	b = fx_open(dir, &config);
	expect_append(b, STREAM_OK);
	fx_append(a, 4, 3, 40, 'a');
	assert_int_not_equal(fx_state(dir).active_base, 0);
	plan_failure();
	expect_sync(a, STREAM_EIO);
	expect_sync(b, STREAM_OK);
	expect_log(dir, fx_state(dir).next_offset, "a");
	stream_partition_close(a);
	stream_partition_close(b);
}

/* Only the last take-back is known: with two, nobody can tell. */
static void
after_two_take_backs_nothing_is_believed(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_partition *b = fx_open(dir, NULL);

	expect_append(b, STREAM_OK);
	for (int i = 0; i < 2; i++) {
		plan_failure();
		fx_append(a, 2, 3, 40, 'a');
		expect_sync(a, STREAM_EIO);
	}
	fx_append(a, 3, 3, 40, 'a');
	expect_sync(a, STREAM_OK);
	expect_sync(b, STREAM_ELOST);
	expect_log(dir, 9, "a");
	stream_partition_close(a);
	stream_partition_close(b);
}

static void
what_comes_during_a_sync_that_fails_is_lost(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_partition *b = fx_open(dir, NULL);

	fx_append(a, 1, 3, 40, 'a');
	expect_sync(a, STREAM_OK);
	fx_append(a, 1, 3, 40, 'a');
	fault_plan(FAULT_FDATASYNC, (struct fault){.suffix = ".log",
					.times = 1,
					.error = EIO,
					.hook = append_meanwhile,
					.context = b});
	expect_sync(a, STREAM_EIO);
	expect_sync(b, STREAM_ELOST);
	expect_append(b, STREAM_OK);
	expect_sync(b, STREAM_OK);
	expect_log(dir, 6, "a");
	stream_partition_close(a);
	stream_partition_close(b);
}

/* ---- rolls ---- */

static void
a_roll_whose_sync_fails_takes_back_too(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *a, *b;

	config.segment_bytes = 1000;
	a = fx_open(dir, &config);
	b = fx_open(dir, &config);
	fx_append(a, 1, 3, 40, 'a');
	expect_sync(a, STREAM_OK);
	fx_append(a, 1, 3, 40, 'a');
	expect_append(b, STREAM_OK);
	plan_failure();
	for (int i = 0; i < 10 && faults[FAULT_FDATASYNC].times > 0; i++)
		expect_append(a, i < 1 ? STREAM_OK : STREAM_EIO);
	assert_int_equal(faults[FAULT_FDATASYNC].times, 0);
	assert_int_equal(fx_state(dir).active_base, 0);
	assert_int_equal(fx_state(dir).marks, 0);
	expect_log(dir, 3, "a");
	expect_append(b, STREAM_ELOST);
	fx_append(a, 8, 3, 40, 'c');
	expect_sync(a, STREAM_OK);
	expect_log(dir, 27, "ac");
	stream_partition_close(a);
	stream_partition_close(b);
}

/* The name of the new segment must be durable before anything is in it. */
static void
a_roll_whose_directory_sync_fails_is_finished_later(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *a;
	int64_t next;

	config.segment_bytes = 1000;
	a = fx_open(dir, &config);
	fx_append(a, 1, 3, 40, 'a');
	fault_plan(FAULT_FSYNC, (struct fault){.times = 2, .error = EIO});
	for (int i = 0; i < 20 && faults[FAULT_FSYNC].times == 2; i++)
		fx_try_append(a,
		    (struct fx_batch){
			.count = 3, .time_ms = T0, .value_size = 40},
		    NULL);
	assert_int_equal(faults[FAULT_FSYNC].times, 1);
	next = stream_partition_next_offset(a);
	/* The next one syncs the directory again before it goes on. */
	expect_append(a, STREAM_EIO);
	fault_clear();
	fault_plan(FAULT_FSYNC, (struct fault){.suffix = NULL});
	expect_append(a, STREAM_OK);
	assert_true(faults[FAULT_FSYNC].calls > 0);
	assert_int_equal(fx_state(dir).active_base, next);
	expect_sync(a, STREAM_OK);
	expect_log(dir, next + 3, "a");
	stream_partition_close(a);
}

/* ---- what is known of what is durable ---- */

/* The state went, and with it the durable end: records that were acknowledged
 * before are not what a failed sync may take back. */
static void
a_lost_state_does_not_make_durable_records_doubtful(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);

	fx_append(a, 5, 3, 40, 'a');
	expect_sync(a, STREAM_OK);
	stream_partition_close(a);
	fx_remove(dir, STREAM_STATE_NAME);
	/* What is taken for durable from now on is made so first. */
	fault_plan(FAULT_FDATASYNC, (struct fault){.suffix = ".log"});
	a = fx_open(dir, NULL);
	assert_int_equal(faults[FAULT_FDATASYNC].calls, 1);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	fx_append(a, 2, 3, 40, 'b');
	plan_failure();
	expect_sync(a, STREAM_EIO);
	expect_log(dir, 15, "a");
	stream_partition_close(a);
}

static void
a_brokers_records_are_never_taken_back(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct fx_reading how = {.foreign = true};
	struct stream_partition *a = NULL;
	struct fx_seen before, after;

	if (!fx_golden("plain", dir))
		skip();
	config.dense = false;
	before = fx_read(dir, how);
	a = fx_open(dir, &config);
	fx_append(a, 2, 3, 40, 'b');
	plan_failure();
	expect_sync(a, STREAM_EIO);
	after = fx_read(dir, how);
	assert_int_equal(after.count, before.count);
	assert_int_equal(after.sum, before.sum);
	stream_partition_close(a);
}

static void
remove_state(void *context, int fd)
{
	(void)fd;
	fx_remove(context, STREAM_STATE_NAME);
}

/* Also when it goes while the sync runs, and another writer makes a new one. */
static void
remove_state_and_append(void *context, int fd)
{
	struct stream_partition *other;
	struct temp_dir *dir = context;

	remove_state(dir, fd);
	other = fx_open(dir, NULL);
	expect_append(other, STREAM_OK);
	stream_partition_close(other);
}

static void
a_state_that_goes_during_a_sync_costs_nothing(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);

	fx_append(a, 2, 3, 40, 'a');
	fault_plan(FAULT_FDATASYNC, (struct fault){.suffix = ".log",
					.times = 1,
					.hook = remove_state,
					.context = *state});
	expect_sync(a, STREAM_OK);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	fx_append(a, 1, 3, 40, 'a');
	fault_plan(FAULT_FDATASYNC, (struct fault){.suffix = ".log",
					.times = 1,
					.hook = remove_state_and_append,
					.context = *state});
	expect_sync(a, STREAM_OK);
	fx_append(a, 1, 3, 40, 'a');
	expect_sync(a, STREAM_OK);
	expect_log(dir, 15, "a");
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	stream_partition_close(a);
}

/* One finished batch, as producers hand them over. */
static int
append_durably(
    struct stream_partition *partition, size_t *done, struct stream_error *err)
{
	struct stream_buf batch = {0};
	int status;

	fx_add(&batch,
	    (struct fx_batch){.count = 3, .time_ms = T0, .value_size = 40});
	status = stream_partition_append_durably(
	    partition, batch.data, batch.size, done, err);
	stream_buf_release(&batch);
	return status;
}

static void
a_durable_append_is_one_write_of_the_state_less(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_error err = {.text = ""};
	uint64_t before = fx_state(dir).sequence;
	size_t done = 0;

	fault_plan(FAULT_FDATASYNC, (struct fault){.suffix = ".log"});
	expect(append_durably(a, &done, &err), STREAM_OK, err);
	assert_int_equal(done, fx_size(dir, LOG_0));
	assert_int_equal(faults[FAULT_FDATASYNC].calls, 1);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	assert_int_equal(fx_state(dir).marks, 0);
	/* End and mark in one, then durable end and no mark. */
	assert_int_equal(fx_state(dir).sequence, before + 2);
	assert_false(stream_partition_is_dirty(a));
	stream_partition_close(a);
}

/* With company the append does not begin the sync itself. */
static void
a_durable_append_beside_another_writer_covers_both(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_partition *b = fx_open(dir, NULL);
	struct stream_error err = {.text = ""};
	size_t done = 0;

	expect_append(b, STREAM_OK);
	fault_plan(FAULT_FDATASYNC, (struct fault){.suffix = ".log"});
	expect(append_durably(a, &done, &err), STREAM_OK, err);
	expect_sync(b, STREAM_OK);
	assert_int_equal(faults[FAULT_FDATASYNC].calls, 1);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	assert_int_equal(fx_state(dir).marks, 0);
	stream_partition_close(a);
	stream_partition_close(b);
}

static void
a_durable_append_whose_sync_fails_is_taken_back(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_error err = {.text = ""};
	size_t done = 1;

	plan_failure();
	expect(append_durably(a, &done, &err), STREAM_EIO, err);
	assert_int_equal(done, 0);
	assert_int_equal(fx_size(dir, LOG_0), 0);
	assert_int_equal(fx_state(dir).takebacks, 1);
	assert_int_equal(fx_state(dir).marks, 0);
	/* Both locks are free again. */
	expect(append_durably(a, &done, &err), STREAM_OK, err);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	stream_partition_close(a);
}

/* A process that dies in the sync leaves the mark; whoever comes next does not
 * join a sync, but looks at the bytes again first. */
static void
a_durable_append_after_a_dead_sync_writes_again(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_error err = {.text = ""};
	size_t done = 0;

	fx_append(a, 1, 3, 40, 'a');
	fx_mark(dir, STREAM_MARK_SYNCING);
	fault_plan(FAULT_FADVISE, (struct fault){.suffix = ".log"});
	expect(append_durably(a, &done, &err), STREAM_OK, err);
	assert_int_equal(faults[FAULT_FADVISE].calls, 1);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	stream_partition_close(a);
}

/* Another writer rebuilds the indexes, so that this handle's files have no
 * names any more. */
static void
entries_go_to_the_indexes_that_have_names(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_partition *b;

	fx_append(a, 3, 10, 500, 'a');
	fx_remove(dir, ".strm-state");
	b = fx_open(dir, NULL);
	fx_append(a, 3, 10, 500, 'a');
	fx_append(b, 3, 10, 500, 'b');
	fx_append(a, 3, 10, 500, 'a');
	/* All but the first batch of 5 KB have one. */
	assert_int_equal(fx_size(dir, "00000000000000000000.index"), 11 * 8);
	stream_partition_close(a);
	stream_partition_close(b);
}

/* Noise over the state while a handle is open: no records are called lost, and
 * what was durable is not taken back by a sync that fails later. */
static void
noise_in_the_state_is_not_a_take_back(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_partition *b = fx_open(dir, NULL);
	off_t durable;

	plan_failure();
	fx_append(b, 1, 3, 40, 'b');
	expect_sync(b, STREAM_EIO);
	fault_clear();
	fx_append(a, 1, 3, 40, 'a');
	expect_sync(a, STREAM_OK);
	durable = fx_size(dir, LOG_0);
	fx_append(a, 1, 3, 40, 'a');
	fx_fill(dir, STREAM_STATE_NAME, 404, 0x5a, 404);
	fx_append(a, 1, 3, 40, 'a');
	plan_failure();
	expect_sync(a, STREAM_EIO);
	assert_int_equal(fx_size(dir, LOG_0), durable);
	expect_log(dir, 3, "a");
	stream_partition_close(a);
	stream_partition_close(b);
}

/* The newest epoch's first batch was cut: it begins where the log ends. */
static void
an_epoch_ahead_of_the_log_begins_at_its_end(void **state)
{
	const struct temp_dir *dir = *state;
	const struct stream_epoch epochs[] = {{0, 0}, {4, 100}, {7, 200}};
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_epoch *now;
	size_t count;

	fx_append(a, 1, 3, 40, 'a');
	stream_partition_close(a);
	assert_int_equal(
	    stream_epochs_save(dir->fd, epochs, 3, NULL), STREAM_OK);
	fx_remove(dir, STREAM_STATE_NAME);
	a = fx_open(dir, NULL);
	fx_append(a, 1, 3, 40, 'a');
	stream_partition_close(a);
	assert_int_equal(
	    stream_epochs_load(dir->fd, &now, &count, NULL), STREAM_OK);
	assert_int_equal(count, 2);
	assert_int_equal(now[1].epoch, 7);
	assert_int_equal(now[1].start_offset, 3);
	free(now);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_sync_makes_all_that_was_appended_durable),
	    TEST(one_sync_serves_all_whose_bytes_it_covers),
	    TEST(what_comes_during_a_sync_is_not_covered),
	    TEST(an_interrupted_sync_is_made_again),
	    TEST(a_failed_sync_takes_back_what_is_not_durable),
	    TEST(the_other_writer_is_told_once),
	    TEST(bytes_below_the_cut_survive),
	    TEST(bytes_in_a_closed_segment_survive),
	    TEST(after_two_take_backs_nothing_is_believed),
	    TEST(what_comes_during_a_sync_that_fails_is_lost),
	    TEST(a_roll_whose_sync_fails_takes_back_too),
	    TEST(a_roll_whose_directory_sync_fails_is_finished_later),
	    TEST(a_lost_state_does_not_make_durable_records_doubtful),
	    TEST(a_brokers_records_are_never_taken_back),
	    TEST(a_state_that_goes_during_a_sync_costs_nothing),
	    TEST(a_durable_append_is_one_write_of_the_state_less),
	    TEST(a_durable_append_beside_another_writer_covers_both),
	    TEST(a_durable_append_whose_sync_fails_is_taken_back),
	    TEST(a_durable_append_after_a_dead_sync_writes_again),
	    TEST(noise_in_the_state_is_not_a_take_back),
	    TEST(an_epoch_ahead_of_the_log_begins_at_its_end),
	    TEST(entries_go_to_the_indexes_that_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
