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
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <poll.h>
#include <signal.h>

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

#endif
