/*
 * cli/signals.h - stop when told to, after the work at hand
 *
 * SIGINT, SIGTERM and SIGHUP set a flag; a second one, 100 ms later or more,
 * kills at once.  System calls are interrupted (no SA_RESTART).  A signal
 * that was ignored when the tool started (nohup, a background job) stays
 * ignored.  SIGXFSZ is ignored, so that a file that may not grow is an error
 * (EFBIG) and not a death.  SIGPIPE stays as it was.
 *
 * Waiting without a race: the signals are blocked only from the look at the
 * flag until ppoll(2), which lets them in again and sleeps in one step.
 * They cannot be blocked all the time, since then neither a write to a full
 * pipe nor a second signal would end; a self-pipe needs another descriptor
 * in every wait, also in libstream's.  A thread that a tool or libstream
 * starts must have these signals blocked for all its life; else it could take
 * one just before the main thread goes to sleep.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>

/* Install the handlers.  Once, before any thread is started. */
void cli_signals_init(void);

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

/*
 * Begin a wait: block the signals and give the mask to wait with (for
 * ppoll(2) or a function of libstream that takes one).  Each
 * cli_signals_hold() is followed by one cli_signals_let_go() with the same
 * mask.  Returns false when a stop has been asked for already: do not wait.
 */
bool cli_signals_hold(sigset_t *wait_mask);

/* End a wait. */
void cli_signals_let_go(const sigset_t *wait_mask);

/*
 * poll(2) that a stop always ends: returns what poll returns, and -1 with
 * EINTR only when a stop was asked for, before or during the wait.
 * timeout_ms -1 is forever.
 */
int cli_signals_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

#endif
