/* What a signal does to a tool; each in a process of its own. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/clock.h"
#include "cli/signals.h"

/* Exit codes of the children; none is what a signal looks like. */
enum { AS_WANTED = 0, NOT_AS_WANTED = 1 };

static void
sleep_ms(int ms)
{
	struct timespec left = {.tv_nsec = ms * 1000000L};

	while (nanosleep(&left, &left) != 0)
		;
}

/* The wait status of a process that does work. */
static int
status_of(int (*work)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		alarm(10); /* a wait that never ends is a failure */
		_exit(work());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void
assert_as_wanted(int (*work)(void))
{
	int status = status_of(work);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), AS_WANTED);
}

static void
assert_killed(int (*work)(void), int signo)
{
	int status = status_of(work);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signo);
}

static int
stop_and_raise(void)
{
	cli_signals_init();
	cli_signals_raise(); /* nothing yet */
	raise(SIGTERM);
	if (cli_signals_pending() != SIGTERM)
		return NOT_AS_WANTED;
	cli_signals_raise();
	return NOT_AS_WANTED;
}

static void
a_stop_is_a_flag_until_it_is_raised(void **state)
{
	(void)state;
	assert_killed(stop_and_raise, SIGTERM);
}

static int
stop_twice_at_once(void)
{
	cli_signals_init();
	raise(SIGTERM);
	raise(SIGTERM);
	raise(SIGHUP);
	return cli_signals_pending() == SIGTERM ? AS_WANTED : NOT_AS_WANTED;
}

static void
a_signal_sent_twice_at_once_is_one(void **state)
{
	(void)state;
	assert_as_wanted(stop_twice_at_once);
}

static int
stop_twice(void)
{
	cli_signals_init();
	raise(SIGTERM);
	sleep_ms(150);
	raise(SIGINT);
	return NOT_AS_WANTED;
}

static void
the_second_signal_kills(void **state)
{
	(void)state;
	assert_killed(stop_twice, SIGINT);
}

static int
ignored_before(void)
{
	signal(SIGHUP, SIG_IGN);
	cli_signals_init();
	raise(SIGHUP);
	return cli_signals_pending() == 0 ? AS_WANTED : NOT_AS_WANTED;
}

static void
what_was_ignored_stays_ignored(void **state)
{
	(void)state;
	assert_as_wanted(ignored_before);
}

static int
stop_before_wait(void)
{
	cli_signals_init();
	raise(SIGINT);
	return cli_signals_poll(NULL, 0, -1) == -1 && errno == EINTR
		   ? AS_WANTED
		   : NOT_AS_WANTED;
}

static int
stop_while_waiting(void)
{
	pid_t parent = getpid(), child;

	cli_signals_init();
	child = fork();
	if (child == 0) {
		sleep_ms(50);
		kill(parent, SIGTERM);
		_exit(0);
	}
	return cli_signals_poll(NULL, 0, -1) == -1 && errno == EINTR
		   ? AS_WANTED
		   : NOT_AS_WANTED;
}

/* The gap between the look at the flag and the sleep. */
static int
stop_in_the_gap(void)
{
	struct pollfd fd;

	cli_signals_init();
	raise(SIGTERM);
	fd = (struct pollfd){.fd = cli_signals_fd(), .events = POLLIN};
	if (poll(&fd, 1, -1) != 1)
		return NOT_AS_WANTED;
	return cli_signals_pending() == SIGTERM ? AS_WANTED : NOT_AS_WANTED;
}

static void
a_stop_always_ends_a_wait(void **state)
{
	(void)state;
	assert_as_wanted(stop_before_wait);
	assert_as_wanted(stop_while_waiting);
	assert_as_wanted(stop_in_the_gap);
}

static int
wait_for_nothing(void)
{
	cli_signals_init();
	return cli_signals_poll(NULL, 0, 20) == 0 ? AS_WANTED : NOT_AS_WANTED;
}

static void
a_wait_ends_at_its_timeout(void **state)
{
	(void)state;
	assert_as_wanted(wait_for_nothing);
}

/* ---- reads that wait ---------------------------------------------------- */

/* What happens just before the kernel begins the next read, when a signal would
 * no more interrupt it. */
static void (*in_the_gap)(void);

ssize_t
read(int fd, void *to, size_t size)
{
	void (*happens)(void) = in_the_gap;

	in_the_gap = NULL;
	if (happens != NULL)
		happens();
	return syscall(SYS_read, fd, to, size);
}

/* Reads from an empty pipe. */
static bool
read_ends_by(int error, int timeout_ms)
{
	char byte;
	int ends[2];
	int64_t start_ms = cli_clock_ms();

	if (pipe(ends) != 0)
		return false;
	return cli_signals_read(ends[0], &byte, 1, timeout_ms) == -1 &&
	       errno == error &&
	       (error != ETIME || cli_clock_ms() - start_ms >= timeout_ms);
}

static void
be_stopped(void)
{
	raise(SIGTERM);
}

static void
let_time_pass(void)
{
	sleep_ms(50);
}

static int
stop_before_read(void)
{
	cli_signals_init();
	be_stopped();
	return read_ends_by(EINTR, -1) ? AS_WANTED : NOT_AS_WANTED;
}

static int
stop_just_before_read(void)
{
	cli_signals_init();
	in_the_gap = be_stopped;
	return read_ends_by(EINTR, -1) ? AS_WANTED : NOT_AS_WANTED;
}

static int
stop_while_reading(void)
{
	pid_t parent = getpid();

	cli_signals_init();
	if (fork() == 0) {
		sleep_ms(50);
		kill(parent, SIGTERM);
		_exit(0);
	}
	return read_ends_by(EINTR, -1) ? AS_WANTED : NOT_AS_WANTED;
}

static void
a_stop_always_ends_a_read(void **state)
{
	(void)state;
	assert_as_wanted(stop_before_read);
	assert_as_wanted(stop_just_before_read);
	assert_as_wanted(stop_while_reading);
}

static int
read_nothing(void)
{
	sigset_t set;

	sigemptyset(&set); /* as one may be started */
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	cli_signals_init();
	for (int i = 0; i < 3; i++) {
		if (!read_ends_by(ETIME, 40) || !read_ends_by(ETIME, 5) ||
		    !read_ends_by(ETIME, 0))
			return NOT_AS_WANTED;
		in_the_gap = let_time_pass;
		if (!read_ends_by(ETIME, 20))
			return NOT_AS_WANTED;
	}
	return AS_WANTED;
}

/* The time of the first read comes during the second, which waits longer. */
static int
read_after_less(void)
{
	char got[2];
	int ends[2];

	cli_signals_init();
	if (pipe(ends) != 0 || write(ends[1], "ab", 2) != 2 ||
	    cli_signals_read(ends[0], got, 1, 30) != 1)
		return NOT_AS_WANTED;
	return read_ends_by(ETIME, 100) &&
		       cli_signals_read(ends[0], got + 1, 1, -1) == 1 &&
		       memcmp(got, "ab", 2) == 0
		   ? AS_WANTED
		   : NOT_AS_WANTED;
}

/* It does not go on to wake who waits for ever. */
static int
read_in_peace(void)
{
	struct rusage before, after;
	pid_t parent = getpid();

	cli_signals_init();
	if (!read_ends_by(ETIME, 10))
		return NOT_AS_WANTED;
	if (fork() == 0) {
		sleep_ms(200);
		kill(parent, SIGTERM);
		_exit(0);
	}
	getrusage(RUSAGE_SELF, &before);
	if (!read_ends_by(EINTR, -1))
		return NOT_AS_WANTED;
	getrusage(RUSAGE_SELF, &after);
	return after.ru_nvcsw - before.ru_nvcsw <= 3 ? AS_WANTED
						     : NOT_AS_WANTED;
}

static void
a_read_ends_at_its_timeout(void **state)
{
	(void)state;
	assert_as_wanted(read_nothing);
	assert_as_wanted(read_after_less);
	assert_as_wanted(read_in_peace);
}

static int
outgrow(void)
{
	struct rlimit limit = {.rlim_cur = 1, .rlim_max = 1};
	FILE *file = tmpfile();

	cli_signals_init();
	setrlimit(RLIMIT_FSIZE, &limit);
	if (file == NULL || write(fileno(file), "ab", 2) != 1)
		return NOT_AS_WANTED;
	return write(fileno(file), "c", 1) == -1 && errno == EFBIG
		   ? AS_WANTED
		   : NOT_AS_WANTED;
}

static void
a_file_that_may_not_grow_is_an_error(void **state)
{
	(void)state;
	assert_as_wanted(outgrow);
}

static int
die_of_a_pipe(void)
{
	cli_signals_ignore_pipe();
	raise(SIGPIPE);
	cli_signals_die(SIGPIPE);
}

static void
an_ignored_signal_can_still_be_died_of(void **state)
{
	(void)state;
	assert_killed(die_of_a_pipe, SIGPIPE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stop_is_a_flag_until_it_is_raised),
	    cmocka_unit_test(a_signal_sent_twice_at_once_is_one),
	    cmocka_unit_test(the_second_signal_kills),
	    cmocka_unit_test(what_was_ignored_stays_ignored),
	    cmocka_unit_test(a_stop_always_ends_a_wait),
	    cmocka_unit_test(a_wait_ends_at_its_timeout),
	    cmocka_unit_test(a_stop_always_ends_a_read),
	    cmocka_unit_test(a_read_ends_at_its_timeout),
	    cmocka_unit_test(a_file_that_may_not_grow_is_an_error),
	    cmocka_unit_test(an_ignored_signal_can_still_be_died_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
