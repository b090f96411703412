/* Waking readers: by what happens to their files, and where the kernel does not
 * tell, by looking. */
#include <errno.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "base/clock.h"
#include "fixture.h"

static bool no_inotify;
static bool no_watches;

int
inotify_init1(int flags)
{
	if (no_inotify) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_inotify_init1, flags);
}

int
inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	if (no_watches) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

static int
set_up(void **state)
{
	no_inotify = false;
	no_watches = false;
	return temp_dir_set_up(state);
}

static int
wait_for(struct stream_watch *watch, int timeout_ms)
{
	return stream_watch_wait(watch, timeout_ms, -1, -1, NULL);
}

/* A partition with a writer, and a reader that follows it and is at its end. */
struct side {
	struct temp_dir *dir;
	struct stream_partition *writer;
	struct stream_reader *reader;
	struct fx_seen seen;
};

static struct side
open_side(struct stream_watch *watch, unsigned flags)
{
	struct side side = {.dir = fx_dir(), .seen = {.last = -1}};
	struct fx_reading how = {.options.flags = STREAM_READER_FOLLOW | flags};
	struct stream_log_config config = fx_config();

	config.segment_bytes = 1000;
	side.writer = fx_open(side.dir, &config);
	fx_append(side.writer, 1, 3, 40, 'a');
	fx_sync(side.writer);
	side.reader = fx_reader(side.dir, how);
	assert_int_equal(stream_watch_add(watch, side.reader, NULL), STREAM_OK);
	fx_drain(side.reader, &side.seen);
	assert_int_equal(side.seen.count, 3);
	return side;
}

static void
close_side(struct side *side)
{
	stream_reader_close(side->reader);
	stream_partition_close(side->writer);
	fx_drop(side->dir);
}

/* Take all that has happened before. */
static void
settle(struct stream_watch *watch, struct side *sides, size_t count)
{
	while (wait_for(watch, 0) == STREAM_OK)
		for (size_t i = 0; i < count; i++)
			fx_drain(sides[i].reader, &sides[i].seen);
}

static void
only_those_are_woken_to_whom_something_happened(void **state)
{
	struct stream_watch *watch;
	struct side sides[3];

	(void)state;
	stream_watch_new(&watch, NULL);
	for (int i = 0; i < 3; i++)
		sides[i] = open_side(watch, 0);
	settle(watch, sides, 3);
	assert_int_equal(wait_for(watch, 20), STREAM_END);
	for (int i = 0; i < 3; i++)
		assert_false(stream_reader_is_woken(sides[i].reader));
	fx_append(sides[1].writer, 1, 3, 40, 'a');
	assert_int_equal(wait_for(watch, 5000), STREAM_OK);
	assert_false(stream_reader_is_woken(sides[0].reader));
	assert_true(stream_reader_is_woken(sides[1].reader));
	assert_false(stream_reader_is_woken(sides[2].reader));
	fx_drain(sides[1].reader, &sides[1].seen);
	assert_int_equal(sides[1].seen.count, 6);
	for (int i = 0; i < 3; i++)
		close_side(&sides[i]);
	stream_watch_free(watch);
}

static void
raise_log_start(const struct temp_dir *store, int64_t offset)
{
	char text[64];

	snprintf(text, sizeof(text), "0\n1\nt 0 %lld\n", (long long)offset);
	temp_dir_put(store, "new", text);
	assert_int_equal(renameat(store->fd, "new", store->fd,
			     "log-start-offset-checkpoint"),
	    0);
}

/* Whether the store is watched or has to be asked each time. */
static void
a_raised_log_start_is_seen_before_what_is_below_it(void **state)
{
	struct temp_dir *store = *state;
	struct temp_dir dir;

	temp_dir_make(store, "t-0");
	dir.fd = openat(store->fd, "t-0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int round = 0; round < 2; round++) {
		struct fx_reading how = {.topic = "t",
		    .options.flags =
			STREAM_READER_FOLLOW | STREAM_READER_CLAMP};
		struct stream_log_config config = fx_config();
		struct stream_partition *writer = fx_open(&dir, &config);
		int64_t next = stream_partition_next_offset(writer);
		struct fx_seen seen = {.first = -1, .last = -1};
		struct stream_watch *watch;
		struct stream_reader *reader;

		no_watches = round == 1;
		stream_watch_new(&watch, NULL);
		reader = fx_reader(&dir, how);
		stream_watch_add(watch, reader, NULL);
		fx_append(writer, 1, 3, 40, 'a');
		fx_drain(reader, &seen);
		assert_int_equal(seen.last, next + 2);
		for (int i = 1; i <= 2; i++) {
			fx_append(writer, 2, 3, 40, 'a');
			raise_log_start(store, next + i * 6);
			assert_int_equal(wait_for(watch, 5000), STREAM_OK);
			seen = (struct fx_seen){.first = -1, .last = -1};
			fx_drain(reader, &seen);
			assert_int_equal(seen.first, next + i * 6);
			assert_int_equal(seen.last, next + i * 6 + 2);
		}
		stream_reader_close(reader);
		stream_watch_free(watch);
		stream_partition_close(writer);
	}
	close(dir.fd);
}

/* Each append is followed by a wait that ends at once, over rolls. */
static void
no_append_is_missed_over_rolls(void **state)
{
	struct stream_watch *watch;
	struct side side;

	(void)state;
	stream_watch_new(&watch, NULL);
	side = open_side(watch, 0);
	for (int i = 2; i < 40; i++) {
		int64_t from_ms = stream_clock_steady_ms();

		fx_append(side.writer, 1, 3, 40, 'a');
		assert_int_equal(wait_for(watch, 5000), STREAM_OK);
		assert_in_range(stream_clock_steady_ms() - from_ms, 0, 1000);
		assert_true(stream_reader_is_woken(side.reader));
		fx_drain(side.reader, &side.seen);
		assert_int_equal(side.seen.count, 3 * i);
	}
	assert_true(fx_state(side.dir).active_base > 50);
	close_side(&side);
	stream_watch_free(watch);
}

/* Records that are there and not synced are shown when they are. */
static void
a_sync_wakes_one_who_waits_for_durable_records(void **state)
{
	struct stream_watch *watch;
	struct side side;

	(void)state;
	stream_watch_new(&watch, NULL);
	side = open_side(watch, STREAM_READER_DURABLE);
	settle(watch, &side, 1);
	fx_append(side.writer, 1, 3, 40, 'a');
	fx_sync(side.writer);
	assert_int_equal(wait_for(watch, 5000), STREAM_OK);
	fx_drain(side.reader, &side.seen);
	assert_int_equal(side.seen.count, 6);
	close_side(&side);
	stream_watch_free(watch);
}

static void
two_readers_of_one_file_are_both_woken(void **state)
{
	struct stream_watch *watch;
	struct stream_reader *other;
	struct fx_seen seen = {.last = -1};
	struct side side;

	(void)state;
	stream_watch_new(&watch, NULL);
	side = open_side(watch, 0);
	other = fx_reader(side.dir,
	    (struct fx_reading){.options.flags = STREAM_READER_FOLLOW});
	stream_watch_add(watch, other, NULL);
	fx_drain(other, &seen);
	settle(watch, &side, 1);
	fx_drain(other, &seen);
	fx_append(side.writer, 1, 3, 40, 'a');
	assert_int_equal(wait_for(watch, 5000), STREAM_OK);
	assert_true(stream_reader_is_woken(side.reader));
	assert_true(stream_reader_is_woken(other));
	fx_drain(side.reader, &side.seen);
	fx_drain(other, &seen);
	settle(watch, &side, 1);
	/* One that is closed takes no watch from the other. */
	stream_reader_close(other);
	fx_append(side.writer, 1, 3, 40, 'a');
	assert_int_equal(wait_for(watch, 5000), STREAM_OK);
	fx_drain(side.reader, &side.seen);
	assert_int_equal(side.seen.count, 9);
	close_side(&side);
	stream_watch_free(watch);
}

/* Without inotify, or with no watch left to set, waiting is looking. */
static void
without_inotify_it_looks_every_ten_milliseconds(void **state)
{
	(void)state;
	for (int way = 0; way < 2; way++) {
		struct stream_watch *watch;
		struct side side;
		int64_t from_ms;

		no_inotify = way == 0;
		no_watches = way == 1;
		stream_watch_new(&watch, NULL);
		side = open_side(watch, 0);
		fx_append(side.writer, 1, 3, 40, 'a');
		from_ms = stream_clock_steady_ms();
		for (int i = 0; i < 5; i++) {
			assert_int_equal(wait_for(watch, 5000), STREAM_OK);
			assert_true(stream_reader_is_woken(side.reader));
			fx_drain(side.reader, &side.seen);
		}
		assert_in_range(stream_clock_steady_ms() - from_ms, 40, 1000);
		assert_int_equal(side.seen.count, 6);
		/* A shorter time than that is kept. */
		assert_int_equal(wait_for(watch, 3), STREAM_END);
		close_side(&side);
		stream_watch_free(watch);
	}
}

/* More events than the queue holds: then anything may have changed. */
static void
an_overflow_wakes_all(void **state)
{
	struct stream_watch *watch;
	struct side sides[3];
	long most = 16384;
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");

	(void)state;
	if (file != NULL) {
		if (fscanf(file, "%ld", &most) != 1)
			most = 16384;
		fclose(file);
	}
	if (most > 100000)
		skip();
	stream_watch_new(&watch, NULL);
	for (int i = 0; i < 3; i++)
		sides[i] = open_side(watch, 0);
	settle(watch, sides, 3);
	/* Equal events in a row are one, so take turns. */
	for (long i = 0; i < most + 100; i++) {
		const struct temp_dir *dir = sides[i % 2].dir;
		static int fds[2];

		if (i < 2)
			fds[i] = openat(dir->fd, LOG_0, O_WRONLY);
		assert_int_equal(pwrite(fds[i % 2], "", 0, 0), 0);
		assert_int_equal(pwrite(fds[i % 2], "\0", 1, 0), 1);
		if (i >= most + 98)
			close(fds[i % 2]);
	}
	assert_int_equal(wait_for(watch, 5000), STREAM_OK);
	while (wait_for(watch, 0) == STREAM_OK)
		;
	for (int i = 0; i < 3; i++) {
		assert_true(stream_reader_is_woken(sides[i].reader));
		close_side(&sides[i]);
	}
	stream_watch_free(watch);
}

static void
do_nothing(int signal)
{
	(void)signal;
}

static void
a_signal_or_a_pipe_ends_the_wait(void **state)
{
	struct sigaction action = {.sa_handler = do_nothing};
	struct itimerval soon = {.it_value.tv_usec = 20000};
	struct stream_watch *watch;
	struct stream_error err;
	int ends[2];

	(void)state;
	stream_watch_new(&watch, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(
	    stream_watch_wait(watch, 5000, -1, -1, &err), STREAM_EINTR);
	/* A byte in the pipe that a handler writes to. */
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(
	    stream_watch_wait(watch, 10, ends[0], -1, &err), STREAM_END);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(
	    stream_watch_wait(watch, 5000, ends[0], -1, &err), STREAM_EINTR);
	/* The far end of the output goes. */
	assert_int_equal(
	    stream_watch_wait(watch, 10, -1, ends[1], &err), STREAM_END);
	close(ends[0]);
	assert_int_equal(
	    stream_watch_wait(watch, 5000, -1, ends[1], &err), STREAM_EIO);
	assert_int_equal(err.sys, EPIPE);
	close(ends[1]);
	stream_watch_free(watch);
}

static void
a_watch_may_be_freed_before_its_readers(void **state)
{
	struct stream_watch *watch;
	struct side side;

	(void)state;
	stream_watch_new(&watch, NULL);
	side = open_side(watch, 0);
	stream_watch_free(watch);
	stream_watch_free(NULL);
	fx_append(side.writer, 6, 3, 40, 'a');
	fx_drain(side.reader, &side.seen);
	assert_int_equal(side.seen.count, 21);
	close_side(&side);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(only_those_are_woken_to_whom_something_happened),
	    TEST(a_raised_log_start_is_seen_before_what_is_below_it),
	    TEST(no_append_is_missed_over_rolls),
	    TEST(a_sync_wakes_one_who_waits_for_durable_records),
	    TEST(two_readers_of_one_file_are_both_woken),
	    TEST(without_inotify_it_looks_every_ten_milliseconds),
	    TEST(an_overflow_wakes_all),
	    TEST(a_signal_or_a_pipe_ends_the_wait),
	    TEST(a_watch_may_be_freed_before_its_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
