/*
 * cli/signals.h - stop when told to, after the work at hand
 *
 * SIGINT, SIGTERM and SIGHUP set a flag; a second one, 100 ms later or more,
 * kills at once.  System calls are interrupted (no SA_RESTART).  A signal
 * that was ignored when the tool started (nohup, a background job) stays
 * ignored.  SIGXFSZ is ignored, so that a file that may not grow is an error
 * (EFBIG) and not a death.  SIGPIPE stays as it was.
 *
 * Waiting without a race: the handler also writes a byte to a pipe that every
 * wait polls along.  A mask that ppoll(2) lifts would do without the pipe, but
 * costs two system calls more for each wait, which a line on its way from one
 * tool to the next feels.  A thread that a tool or libstream starts must have
 * these signals blocked for all its life.
 *
 * A read(2) that waits has no pipe along.  There a timer interrupts it when the
 * time has passed, and once more 10 ms later, and so on, as long as it is
 * waited: so a signal that comes just before the read is no more lost than one
 * that comes during it.  A stop starts the same timer.  It uses SIGRTMIN.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

/* Install the handlers.  Once, before any thread is started. */
void cli_signals_init(void);

/* From now on the first stop kills: for work that may be cut off anywhere,
 * since it is made so that whoever comes next finishes or undoes it. */
void cli_signals_default(void);

/* The signal that asked to stop, or 0. */
int cli_signals_pending(void);

/* When a stop was asked for, die by that signal, so that the shell sees
 * 128+n.  Clean up first.  Returns when no stop was asked for. */
void cli_signals_raise(void);

/* Die by signal, whatever its disposition was.  For SIGPIPE, when a tool
 * ignored it to clean up first. */
_Noreturn void cli_signals_die(int signal);

/* From now on a write to a closed pipe is an error, EPIPE. */
void cli_signals_ignore_pipe(void);

/* A descriptor that is readable from the first stop on, to poll along with
 * others or to give to a function of libstream that waits. */
int cli_signals_fd(void);

/*
 * poll(2) that a stop always ends: returns what poll returns, and -1 with
 * EINTR only when a stop was asked for, before or during the wait.
 * timeout_ms -1 is forever; count is CLI_SIGNALS_POLL_MOST at most.
 */
enum { CLI_SIGNALS_POLL_MOST = 3 };

int cli_signals_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

/*
 * read(2) that waits, for one descriptor that is not O_NONBLOCK: what a line
 * that comes costs less than poll(2) and read(2) do.  As read(2), and -1 with
 * EINTR only when a stop was asked for, with ETIME when timeout_ms have passed
 * (-1 is forever), with ENOSYS when there is no timer to be had: then poll.
 * For the thread that gets the signals.
 */
ssize_t cli_signals_read(int fd, void *to, size_t size, int timeout_ms);

#endif
