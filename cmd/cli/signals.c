#include "cli/signals.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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
