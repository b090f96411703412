/* A process died in its sync, or in what follows a failed one: nobody believes
 * what only the cache shows, and nobody is told that lost records are there. */
#include <signal.h>
#include <sys/wait.h>

#include "faults.h"
#include "fixture.h"

static int
set_up(void **state)
{
	fault_clear();
	return temp_dir_set_up(state);
}

static void
expect_sync(struct stream_partition *partition, int want)
{
	struct stream_error err = {.text = ""};

	expect(stream_partition_sync(partition, &err), want, err);
}

static void
expect_log(const struct temp_dir *dir, int64_t next, const char *letters)
{
	struct fx_seen seen = fx_read_all(dir);

	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.count, next);
	assert_string_equal(seen.letters, letters);
}

/* Six records that are durable, nine that are not, and the mark. */
static void
make_dead(const struct temp_dir *dir)
{
	struct stream_partition *a = fx_open(dir, NULL);

	fx_append(a, 2, 3, 40, 'a');
	fx_sync(a);
	fx_append(a, 3, 3, 40, 'b');
	stream_partition_close(a);
	fx_mark(dir, STREAM_MARK_SYNCING);
}

/* What the disk held all the time comes to light when the cache is dropped. */
struct disk {
	const struct temp_dir *dir;
	uint64_t at; /* from the durable end */
	size_t size;
	int byte; /* -1: as it was */
	int calls;
};

static struct disk disk;

static void
show_the_disk(void *context, int fd)
{
	uint8_t bytes[4096];
	uint64_t durable = fx_state(disk.dir).durable_end;

	(void)context;
	disk.calls++;
	memset(bytes, disk.byte, sizeof(bytes));
	if (disk.byte >= 0)
		syscall(SYS_pwrite64, fd, bytes, disk.size,
		    (off_t)(durable + disk.at));
}

static void
plan_disk(const struct temp_dir *dir, uint64_t at, size_t size, int byte)
{
	disk = (struct disk){dir, at, size, byte, 0};
	fault_plan(
	    FAULT_FADVISE, (struct fault){.times = 1, .hook = show_the_disk});
}

static void
whole_batches_are_written_again_and_synced(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a;
	uint64_t durable;

	make_dead(dir);
	durable = fx_state(dir).durable_end;
	a = fx_open(dir, NULL);
	plan_disk(dir, 0, 0, -1);
	fault_plan(FAULT_PWRITE, (struct fault){.suffix = ".log"});
	fault_plan(FAULT_FDATASYNC, (struct fault){.suffix = ".log"});
	expect_sync(a, STREAM_OK);
	assert_int_equal(disk.calls, 1);
	assert_int_equal(faults[FAULT_PWRITE].calls, 1);
	assert_int_equal(faults[FAULT_FDATASYNC].calls, 1);
	assert_true(fx_state(dir).durable_end > durable);
	assert_int_equal(fx_state(dir).durable_end, fx_size(dir, LOG_0));
	assert_int_equal(fx_state(dir).marks, 0);
	assert_int_equal(fx_state(dir).takebacks, 0);
	expect_log(dir, 15, "ab");
	stream_partition_close(a);
}

/* Also when the next thing that happens is an append, or a roll. */
static void
an_append_or_a_roll_does_not_hide_the_mark(void **state)
{
	(void)state;
	for (int rolls = 0; rolls < 2; rolls++) {
		struct temp_dir *dir = fx_dir();
		struct stream_log_config config = fx_config();
		struct stream_partition *a;

		make_dead(dir);
		if (rolls)
			config.segment_bytes = fx_size(dir, LOG_0) + 10;
		a = fx_open(dir, &config);
		plan_disk(dir, 0, 0, -1);
		fx_append(a, 2, 3, 40, 'c');
		assert_int_equal(disk.calls, rolls);
		fx_sync(a);
		assert_int_equal(disk.calls, 1);
		expect_log(dir, 21, "abc");
		stream_partition_close(a);
		fx_drop(dir);
	}
}

static void
what_the_disk_does_not_hold_is_cut(void **state)
{
	static const struct {
		uint64_t at; /* from the durable end, where a batch is ~200 */
		size_t size;
		int byte;
		int64_t next;
	} rows[] = {
	    {0, 4000, 0, 6}, /* nothing came through */
	    {100, 50, 0, 6}, /* a hole, good batches behind it */
	    {100, 1, 1, 6}, {240, 10, 7, 9}, /* in the second of the three */
	    {450, 10, 0, 12},                /* in the last */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *a, *b;
		off_t size;

		make_dead(dir);
		size = fx_size(dir, LOG_0) - (off_t)fx_state(dir).durable_end;
		a = fx_open(dir, NULL);
		b = fx_open(dir, NULL);
		fx_append(b, 1, 3, 40, 'c');
		plan_disk(dir, rows[i].at,
		    rows[i].size < (size_t)size ? rows[i].size : (size_t)size,
		    rows[i].byte);
		expect_sync(a, STREAM_OK);
		assert_int_equal(disk.calls, 1);
		assert_int_equal(fx_state(dir).takebacks, 1);
		assert_int_equal(fx_state(dir).marks, 0);
		expect_log(dir, rows[i].next, rows[i].next > 6 ? "ab" : "a");
		expect_sync(b, STREAM_ELOST);
		fx_append(a, 4, 3, 40, 'd');
		fx_sync(a);
		expect_log(
		    dir, rows[i].next + 12, rows[i].next > 6 ? "abd" : "ad");
		stream_partition_close(a);
		stream_partition_close(b);
		fx_drop(dir);
	}
}

static void
what_was_durable_and_is_gone_is_damage(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a;
	struct stream_buf before, after;

	make_dead(dir);
	a = fx_open(dir, NULL);
	/* The batch before the durable end. */
	plan_disk(dir, (uint64_t)-50, 10, 0);
	expect_sync(a, STREAM_ECORRUPT);
	fx_get(dir, LOG_0, &before);
	expect_sync(a, STREAM_ECORRUPT);
	fx_get(dir, LOG_0, &after);
	assert_int_equal(after.size, before.size);
	stream_buf_release(&before);
	stream_buf_release(&after);
	stream_partition_close(a);
}

/* The kernel drops whole pages only: the one in which the durable end lies must
 * be one of them. */
static void
the_page_of_the_durable_end_is_dropped_too(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);

	fx_append(a, 50, 3, 400, 'a');
	fx_sync(a);
	fx_append(a, 1, 3, 40, 'b');
	fx_mark(dir, STREAM_MARK_SYNCING);
	assert_true(fx_state(dir).durable_end % 4096 != 0);
	fault_advised_from = -1;
	fx_sync(a);
	assert_int_equal(fault_advised_from % 4096, 0);
	assert_in_range(fault_advised_from, 0, fx_state(dir).durable_end - 1);
	stream_partition_close(a);
}

/* ---- deaths at each step of a take-back ---- */

static void
die(void *context, int fd)
{
	(void)context;
	(void)fd;
	kill(getpid(), SIGKILL);
}

static void
truncate_and_die(void *context, int fd)
{
	(void)context;
	if (ftruncate(fd, (off_t)fx_state(disk.dir).durable_end) == 0)
		kill(getpid(), SIGKILL);
}

struct death {
	enum fault_call call;
	const char *suffix;
	int after;
	void (*how)(void *, int);
};

/* A child appends, fails to sync and dies so. */
static bool
child_dies(const struct temp_dir *dir, const struct death *death)
{
	pid_t pid = fork();
	int how;

	if (pid == 0) {
		struct stream_partition *own = fx_open(dir, NULL);

		fx_append(own, 2, 3, 40, 'x');
		disk.dir = dir;
		fault_plan(FAULT_FDATASYNC,
		    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
		if (death->call == FAULT_FDATASYNC)
			faults[FAULT_FDATASYNC].hook = death->how;
		else
			fault_plan(
			    death->call, (struct fault){.suffix = death->suffix,
					     .after = death->after,
					     .times = 1,
					     .hook = death->how});
		stream_partition_sync(own, NULL);
		_exit(0);
	}
	waitpid(pid, &how, 0);
	return WIFSIGNALED(how);
}

/*
 * Another writer has records in the log that are not durable.  Whenever the
 * child died: when this one's sync says that they are durable they are there,
 * and else it says that they are lost.
 */
static void
a_death_in_a_take_back_loses_nothing_silently(void **state)
{
	struct death deaths[16] = {
	    {FAULT_FDATASYNC, ".log", 0, die},
	    {FAULT_FTRUNCATE, ".log", 0, die},
	    {FAULT_FTRUNCATE, ".log", 0, truncate_and_die},
	};
	int count = 3;

	(void)state;
	/* Each write of the state, before and after the cut. */
	for (int after = 0; after < 5; after++)
		deaths[count++] =
		    (struct death){FAULT_PWRITE, STREAM_STATE_NAME, after, die};
	for (int i = 0; i < count; i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *b = fx_open(dir, NULL), *c;
		struct fx_seen seen;
		int status;

		fx_append(b, 2, 3, 40, 'a');
		fx_sync(b);
		fx_append(b, 2, 3, 40, 'b');
		child_dies(dir, &deaths[i]);
		/* Someone else fills the place. */
		c = fx_open(dir, NULL);
		if (i % 2 == 0)
			fx_append(c, 1, 3, 40, 'c');
		status = stream_partition_sync(b, NULL);
		seen = fx_read_all(dir);
		expect(seen.status, STREAM_END, seen.err);
		assert_int_equal(seen.letters[0], 'a');
		if (status == STREAM_OK && seen.letters[1] != 'b')
			fail_msg("death %d: lost, and nobody knows", i);
		if (status != STREAM_OK && status != STREAM_ELOST)
			fail_msg("death %d: %d", i, status);
		fx_append(c, 1, 3, 40, 'd');
		fx_sync(c);
		seen = fx_read_all(dir);
		expect(seen.status, STREAM_END, seen.err);
		stream_partition_close(b);
		stream_partition_close(c);
		fx_drop(dir);
	}
}

/* The cut after a failed sync fails as well. */
static void
a_take_back_that_fails_is_made_by_the_next(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct stream_partition *b = fx_open(dir, NULL);
	struct stream_error err;

	fx_append(a, 2, 3, 40, 'a');
	fx_sync(a);
	fx_append(a, 2, 3, 40, 'b');
	fault_plan(FAULT_FDATASYNC,
	    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
	fault_plan(FAULT_FTRUNCATE,
	    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
	expect_sync(a, STREAM_EIO);
	expect(fx_try_append(a, (struct fx_batch){.base = 6}, &err), STREAM_EIO,
	    err);
	expect_sync(a, STREAM_EIO);
	plan_disk(dir, 0, 400, 0);
	fx_append(b, 1, 3, 40, 'c');
	expect_sync(b, STREAM_ELOST);
	fx_append(b, 1, 3, 40, 'd');
	fx_sync(b);
	expect_log(dir, 9, "ad");
	stream_partition_close(a);
	stream_partition_close(b);
}

/* Recovery syncs what it cut.  When that fails, bytes of the dead writer's that
 * were kept are looked at again before they count. */
static void
a_sync_that_fails_in_recovery_leaves_the_mark(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *a = fx_open(dir, NULL);
	int64_t size;

	fx_append(a, 2, 3, 40, 'a');
	fx_sync(a);
	fx_append(a, 2, 3, 40, 'b');
	stream_partition_close(a);
	size = fx_size(dir, LOG_0);
	fx_put_at(dir, LOG_0, (uint64_t)size, "torn", 4);
	fault_plan(FAULT_FDATASYNC,
	    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
	assert_int_equal(
	    stream_partition_open(dir->fd, &config, &a, NULL), STREAM_EIO);
	assert_int_equal(
	    fx_state(dir).marks & STREAM_MARK_SYNCING, STREAM_MARK_SYNCING);
	plan_disk(dir, 0, 100, 0);
	a = fx_open(dir, NULL);
	fx_append(a, 1, 3, 40, 'c');
	expect_sync(a, STREAM_ELOST);
	fx_append(a, 1, 3, 40, 'd');
	fx_sync(a);
	expect_log(dir, 9, "ad");
	stream_partition_close(a);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(whole_batches_are_written_again_and_synced),
	    TEST(an_append_or_a_roll_does_not_hide_the_mark),
	    TEST(what_the_disk_does_not_hold_is_cut),
	    TEST(what_was_durable_and_is_gone_is_damage),
	    TEST(the_page_of_the_durable_end_is_dropped_too),
	    TEST(a_death_in_a_take_back_loses_nothing_silently),
	    TEST(a_take_back_that_fails_is_made_by_the_next),
	    TEST(a_sync_that_fails_in_recovery_leaves_the_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
