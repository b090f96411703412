#include "cli/signals.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/clock.h"

/*
 * The second signal kills only when it comes so much later than the first:
 * timeout(1) sends each signal twice, to the process and to its group, and
 * would else always kill before the work at hand is done.
 */
enum { SECOND_AFTER_MS = 100 };

static const int stops[] = {SIGINT, SIGTERM, SIGHUP};

enum { STOPS = sizeof(stops) / sizeof(stops[0]) };

/* The one flag of the tools.  The time is used by the handler alone. */
static volatile sig_atomic_t stop_signal;
static int wake[2] = {-1, -1}; /* a pipe, see the header */
static int64_t stop_time_ms;

/* Of cli_signals_read. */
enum { AGAIN_MS = 10 };

static enum { TIMER_UNKNOWN, TIMER_NONE, TIMER_MADE } has_timer;
static timer_t timer;
static int64_t due_ms = INT64_MAX;       /* when it goes off */
static volatile sig_atomic_t is_reading; /* then it is to go off again */
static volatile sig_atomic_t went_off;   /* and was not set since */

/* 0: not at all. */
static void
set_timer(int64_t ms)
{
	struct itimerspec when = {
	    .it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};

	timer_settime(timer, 0, &when, NULL);
}

static void
on_time(int signo)
{
	int saved = errno;

	(void)signo;
	went_off = 1;
	if (is_reading)
		set_timer(AGAIN_MS);
	errno = saved;
}

static void
on_stop(int signo)
{
	int saved = errno;

	if (stop_signal == 0) {
		stop_time_ms = cli_clock_ms();
		stop_signal = signo;
		/* One byte into an empty pipe cannot fail. */
		if (write(wake[1], "", 1) < 0)
			errno = saved;
		if (is_reading)
			set_timer(AGAIN_MS);
	} else if (cli_clock_ms() - stop_time_ms >= SECOND_AFTER_MS) {
		signal(signo, SIG_DFL);
		raise(signo); /* comes when this handler returns */
	}
	errno = saved;
}

static void
stop_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < STOPS; i++)
		sigaddset(set, stops[i]);
}

void
cli_signals_init(void)
{
	struct sigaction action = {.sa_handler = on_stop}, before;

	/* Without descriptors to spare a wait is still interrupted, but for
	 * a signal that comes just before it. */
	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0)
		wake[0] = wake[1] = -1;
	stop_set(&action.sa_mask);
	for (size_t i = 0; i < STOPS; i++) {
		if (sigaction(stops[i], NULL, &before) == 0 &&
		    before.sa_handler != SIG_IGN)
			sigaction(stops[i], &action, NULL);
	}
	signal(SIGXFSZ, SIG_IGN);
}

void
cli_signals_default(void)
{
	for (size_t i = 0; i < STOPS; i++) {
		struct sigaction now;

		if (sigaction(stops[i], NULL, &now) == 0 &&
		    now.sa_handler == on_stop)
			signal(stops[i], SIG_DFL);
	}
	cli_signals_raise(); /* one that came before */
}

int
cli_signals_pending(void)
{
	return stop_signal;
}

void
cli_signals_raise(void)
{
	if (stop_signal != 0)
		cli_signals_die(stop_signal);
}

_Noreturn void
cli_signals_die(int signo)
{
	sigset_t set;

	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(signo);
	_Exit(128 + signo); /* not reached for the signals we know */
}

void
cli_signals_ignore_pipe(void)
{
	signal(SIGPIPE, SIG_IGN);
}

int
cli_signals_fd(void)
{
	return wake[0];
}

int
cli_signals_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct pollfd all[CLI_SIGNALS_POLL_MOST + 1];
	int n;

	assert(count <= CLI_SIGNALS_POLL_MOST);
	for (nfds_t i = 0; i < count; i++)
		all[i] = fds[i];
	all[count] = (struct pollfd){.fd = wake[0], .events = POLLIN};
	do
		n = poll(all, count + 1, timeout_ms);
	while (n < 0 && errno == EINTR && stop_signal == 0);
	for (nfds_t i = 0; i < count; i++)
		fds[i].revents = all[i].revents;
	if (stop_signal == 0)
		return n;
	errno = EINTR;
	return -1;
}

/* Its signal may come blocked from whoever started us. */
static bool
make_timer(void)
{
	struct sigaction action = {.sa_handler = on_time};
	struct sigevent event = {
	    .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	stop_set(&action.sa_mask);
	return sigaction(SIGRTMIN, &action, NULL) == 0 &&
	       sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 &&
	       timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
}

/* See that the timer goes off at until_ms, or before.  Most often it is set
 * already, for the first of many lines. */
static void
wake_at(int64_t until_ms, int64_t now_ms)
{
	if (went_off) {
		set_timer(0);
		went_off = 0;
		due_ms = INT64_MAX;
	}
	if (until_ms >= due_ms)
		return;
	due_ms = until_ms;
	set_timer(until_ms - now_ms);
}

static ssize_t
read_until(int fd, void *to, size_t size, int64_t until_ms)
{
	ssize_t n;

	do {
		int64_t now_ms = cli_clock_ms();

		errno = stop_signal != 0 ? EINTR : ETIME;
		if (stop_signal != 0 || now_ms >= until_ms)
			return -1;
		wake_at(until_ms, now_ms);
		n = read(fd, to, size);
	} while (n < 0 && errno == EINTR);
	return n;
}

ssize_t
cli_signals_read(int fd, void *to, size_t size, int timeout_ms)
{
	int64_t until_ms =
	    timeout_ms < 0 ? INT64_MAX : cli_clock_ms() + timeout_ms;
	ssize_t n;

	if (has_timer == TIMER_UNKNOWN)
		has_timer = make_timer() ? TIMER_MADE : TIMER_NONE;
	if (has_timer == TIMER_NONE) {
		errno = ENOSYS;
		return -1;
	}
	is_reading = 1;
	n = read_until(fd, to, size, until_ms);
	is_reading = 0;
	return n;
}
