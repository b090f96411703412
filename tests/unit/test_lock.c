/* Open-file-description locks: who waits for whom, how long, and what ends
 * a wait. */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "file/lock.h"
#include "fixture.h"

static int
open_file(const struct temp_dir *dir, int flags)
{
	int fd = openat(dir->fd, "locks", flags | O_CREAT | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	return fd;
}

static int
take(int fd, enum stream_lock_kind kind, uint64_t start, uint64_t length)
{
	return stream_lock_take(fd, kind, start, length, 0, NULL);
}

/* Two opens are two owners, also within one process. */
static void
ranges_conflict_as_readers_and_writers(void **state)
{
#define S STREAM_LOCK_SHARED
#define X STREAM_LOCK_EXCLUSIVE
	static const struct {
		enum stream_lock_kind held, wanted;
		uint64_t held_at, held_length, at, length;
		int want;
	} rows[] = {
	    {X, X, 0, 1, 0, 1, STREAM_EBUSY},
	    {X, S, 0, 1, 0, 1, STREAM_EBUSY},
	    {S, X, 0, 1, 0, 1, STREAM_EBUSY},
	    {S, S, 0, 1, 0, 1, STREAM_OK},
	    {X, X, 0, 1, 1, 1, STREAM_OK},
	    {X, X, 1, 1, 0, 1, STREAM_OK},
	    {X, X, 2, 1, 0, 0, STREAM_EBUSY},
	    {S, X, 0, 0, 5, 1, STREAM_EBUSY},
	    {X, X, UINT32_MAX, 1, 0, 0, STREAM_EBUSY},
	};
	const struct temp_dir *dir = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		int a = open_file(dir, O_RDWR);
		int b = open_file(dir, O_RDWR);

		assert_int_equal(
		    take(a, rows[i].held, rows[i].held_at, rows[i].held_length),
		    STREAM_OK);
		if (take(b, rows[i].wanted, rows[i].at, rows[i].length) !=
		    rows[i].want)
			fail_msg("row %zu", i);
		/* What waits for nobody but itself goes through. */
		assert_int_equal(
		    take(a, rows[i].held, rows[i].held_at, rows[i].held_length),
		    STREAM_OK);
		close(a);
		close(b);
	}
}

static void
a_lock_ends_with_drop_and_with_close(void **state)
{
	const struct temp_dir *dir = *state;
	int a = open_file(dir, O_RDWR);
	int b = open_file(dir, O_RDWR);

	take(a, STREAM_LOCK_EXCLUSIVE, 0, 2);
	assert_true(stream_lock_is_held(b, 0, 1));
	assert_true(stream_lock_is_held(b, 1, 1));
	assert_false(stream_lock_is_held(b, 2, 1));
	stream_lock_drop(a, 0, 1);
	assert_false(stream_lock_is_held(b, 0, 1));
	assert_true(stream_lock_is_held(b, 1, 1));
	close(a);
	assert_false(stream_lock_is_held(b, 1, 1));
	close(b);
}

/* A reader that may not write can ask all the same. */
static void
asking_needs_no_write_permission(void **state)
{
	const struct temp_dir *dir = *state;
	int a = open_file(dir, O_RDWR);
	int b = open_file(dir, O_RDONLY);

	assert_false(stream_lock_is_held(b, 0, 1));
	take(a, STREAM_LOCK_EXCLUSIVE, 0, 1);
	assert_true(stream_lock_is_held(b, 0, 1));
	assert_int_equal(take(b, STREAM_LOCK_SHARED, 1, 1), STREAM_OK);
	assert_int_equal(take(b, STREAM_LOCK_EXCLUSIVE, 2, 1), STREAM_EIO);
	close(a);
	close(b);
}

static void
waiting_ends_in_time(void **state)
{
	const struct temp_dir *dir = *state;
	int a = open_file(dir, O_RDWR);
	int b = open_file(dir, O_RDWR);
	struct stream_error err;
	int64_t from_ms = stream_clock_steady_ms();

	take(a, STREAM_LOCK_EXCLUSIVE, 0, 1);
	assert_int_equal(
	    stream_lock_take(b, STREAM_LOCK_EXCLUSIVE, 0, 1, 60, &err),
	    STREAM_EBUSY);
	assert_in_range(stream_clock_steady_ms() - from_ms, 59, 1000);
	assert_non_null(strstr(err.text, "lock"));
	close(a);
	close(b);
}

/* A child that takes the lock, says so, and holds it for some time. */
static pid_t
start_holder(const struct temp_dir *dir, unsigned hold_us)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open_file(dir, O_RDWR);

		take(fd, STREAM_LOCK_EXCLUSIVE, 0, 1);
		if (write(ready[1], "x", 1) == 1)
			usleep(hold_us);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void
a_lock_that_comes_free_is_got_soon(void **state)
{
	const struct temp_dir *dir = *state;
	pid_t pid = start_holder(dir, 20000);
	int fd = open_file(dir, O_RDWR);
	int64_t from_ms = stream_clock_steady_ms();

	assert_int_equal(
	    stream_lock_take(fd, STREAM_LOCK_EXCLUSIVE, 0, 1, 5000, NULL),
	    STREAM_OK);
	assert_in_range(stream_clock_steady_ms() - from_ms, 0, 1000);
	close(fd);
	waitpid(pid, NULL, 0);
}

static void
the_lock_of_a_killed_process_is_free(void **state)
{
	const struct temp_dir *dir = *state;
	pid_t pid = start_holder(dir, 10000000);
	int fd = open_file(dir, O_RDWR);

	assert_int_equal(take(fd, STREAM_LOCK_EXCLUSIVE, 0, 1), STREAM_EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(take(fd, STREAM_LOCK_EXCLUSIVE, 0, 1), STREAM_OK);
	close(fd);
}

static void
do_nothing(int signal)
{
	(void)signal;
}

static void
a_signal_with_a_handler_ends_the_wait(void **state)
{
	const struct temp_dir *dir = *state;
	struct sigaction action = {.sa_handler = do_nothing};
	/* Again and again: one that comes between two sleeps is not seen. */
	struct itimerval soon = {
	    .it_value.tv_usec = 20000, .it_interval.tv_usec = 7000};
	int a = open_file(dir, O_RDWR);
	int b = open_file(dir, O_RDWR);
	int64_t from_ms = stream_clock_steady_ms();

	sigaction(SIGALRM, &action, NULL);
	take(a, STREAM_LOCK_EXCLUSIVE, 0, 1);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(
	    stream_lock_take(b, STREAM_LOCK_EXCLUSIVE, 0, 1, 5000, NULL),
	    STREAM_EINTR);
	assert_in_range(stream_clock_steady_ms() - from_ms, 10, 2000);
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
	close(a);
	close(b);
}

/* A broker's Java takes a POSIX lock: both ways they see each other. */
static void
posix_locks_of_another_process_conflict(void **state)
{
	const struct temp_dir *dir = *state;
	int fd = open_file(dir, O_RDWR);
	int status;
	pid_t pid;

	take(fd, STREAM_LOCK_SHARED, 0, 0);
	pid = fork();
	if (pid == 0) {
		int other = open_file(dir, O_RDWR);
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

		close(fd);
		_exit(fcntl(other, F_SETLK, &lock) != 0 &&
			      (errno == EAGAIN || errno == EACCES)
			  ? 0
			  : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	close(fd);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(ranges_conflict_as_readers_and_writers),
	    TEST(a_lock_ends_with_drop_and_with_close),
	    TEST(asking_needs_no_write_permission),
	    TEST(waiting_ends_in_time),
	    TEST(a_lock_that_comes_free_is_got_soon),
	    TEST(the_lock_of_a_killed_process_is_free),
	    TEST(a_signal_with_a_handler_ends_the_wait),
	    TEST(posix_locks_of_another_process_conflict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
