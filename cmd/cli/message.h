/*
 * cli/message.h - what a tool says on standard error, and its exit status
 *
 * One line a message, "strm: subject: what is wrong", lower case, no full
 * stop, in one write(2), so that lines of several processes do not mix.
 * Control characters, invalid UTF-8 and invisible characters in it are
 * escaped, also when standard error is not a terminal: it often ends up on
 * one.  A subject of NULL is left out, with its colon.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include <stream/error.h>

#include "cli/context.h"

enum cli_exit {
	CLI_DONE = 0,    /* done, and standard output is known to be written */
	CLI_NO = 1,      /* the answer is no */
	CLI_USAGE = 2,   /* wrong command line or input */
	CLI_DAMAGED = 3, /* data damaged or not supported */
	CLI_NOT_FOUND = 4, /* no such thing, or out of range */
	CLI_BUSY = 5,      /* busy or fenced */
	CLI_SYSTEM = 6,    /* the system failed */
	CLI_PARTLY = 7,    /* partly done */
	CLI_TIMEOUT = 8,   /* a time limit passed first */
	CLI_REMOTE = 9     /* the remote side failed */
};

/*
 * The exit status for a status of libstream.  STREAM_OK, STREAM_END and
 * STREAM_ETORN (an unfinished append is a note) are CLI_DONE.  STREAM_EINTR
 * is CLI_SYSTEM, but a tool that gets it calls cli_signals_raise() instead.
 */
enum cli_exit cli_status(int status);

/* The first failure decides: so_far unless that is CLI_DONE, else next. */
enum cli_exit cli_first(enum cli_exit so_far, enum cli_exit next);

/*
 * Print *err (borrowed) and return cli_status(err->status).  STREAM_EINTR is
 * not printed: the shell tells of the signal.
 */
enum cli_exit cli_report(const char *subject, const struct stream_error *err);

/* Print a message of the tool's own and return code. */
__attribute__((format(printf, 3, 4))) enum cli_exit cli_complain(
    enum cli_exit code, const char *subject, const char *format, ...);

/* Print a message that is not a failure; with -q print nothing. */
__attribute__((format(printf, 3, 4))) void cli_note(
    const struct cli_context *context, const char *subject, const char *format,
    ...);

/*
 * Fill *err (may be NULL) for a failure in the tool itself and return
 * status, as libstream's functions do.  No position, no errno.
 */
__attribute__((format(printf, 3, 4))) int cli_fail(struct stream_error *err,
    enum stream_status status, const char *format, ...);

/*
 * The same for a system call that just failed: adds ": " and errno's text.
 * STREAM_ENOENT for ENOENT and ENOTDIR, STREAM_ENOMEM for ENOMEM, STREAM_EINTR
 * for EINTR, else STREAM_EIO with err->sys.
 */
__attribute__((format(printf, 2, 3))) int cli_fail_sys(
    struct stream_error *err, const char *format, ...);

/*
 * The last thing before a tool returns from main: flush and close standard
 * output (stdio's and the file) and return status, or CLI_SYSTEM with a
 * message when something written there was lost and status was CLI_DONE.
 */
enum cli_exit cli_finish(enum cli_exit status);

#endif
