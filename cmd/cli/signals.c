#include "cli/signals.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

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
static int64_t stop_time_ms;

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
on_stop(int signo)
{
	int saved = errno;

	if (stop_signal == 0) {
		stop_time_ms = now_ms();
		stop_signal = signo;
	} else if (now_ms() - stop_time_ms >= SECOND_AFTER_MS) {
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

	stop_set(&action.sa_mask);
	for (size_t i = 0; i < STOPS; i++) {
		if (sigaction(stops[i], NULL, &before) == 0 &&
		    before.sa_handler != SIG_IGN)
			sigaction(stops[i], &action, NULL);
	}
	signal(SIGXFSZ, SIG_IGN);
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

bool
cli_signals_hold(sigset_t *wait_mask)
{
	sigset_t set;

	stop_set(&set);
	sigprocmask(SIG_BLOCK, &set, wait_mask);
	return stop_signal == 0;
}

void
cli_signals_let_go(const sigset_t *wait_mask)
{
	sigprocmask(SIG_SETMASK, wait_mask, NULL);
}

int
cli_signals_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
	    .tv_nsec = timeout_ms % 1000 * 1000000L};
	int n = -1, sys = EINTR;

	do {
		sigset_t mask;

		if (cli_signals_hold(&mask)) {
			n = ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout,
			    &mask);
			sys = errno;
		}
		cli_signals_let_go(&mask);
	} while (n < 0 && sys == EINTR && stop_signal == 0);
	errno = sys;
	return n;
}
