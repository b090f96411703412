/*
 * cli/progress.h - how far long work has come, on a terminal's stderr
 *
 * One line that is drawn over and over: percent, bytes, rate, time left.
 * Nothing is shown when standard error is not a terminal, or with -q.  One
 * thread.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/context.h"

/* Bytes of the longest line, with a NUL. */
enum { CLI_PROGRESS_LINE = 96 };

struct cli_progress {
	bool shown;
	bool drawn;     /* a line stands on the terminal */
	uint64_t total; /* bytes; 0: not known */
	int64_t start_ms;
	int64_t drawn_ms; /* when it was drawn last */
};

/* Does anyone see it?  Then finding out the total is worth its time. */
bool cli_progress_is_seen(const struct cli_context *context);

/* Begin now, with total bytes to do; 0 when that is not known. */
void cli_progress_begin(struct cli_progress *progress,
    const struct cli_context *context, uint64_t total);

/* So many bytes are done.  Draws at most ten times a second, and not before
 * the work has taken half a second. */
void cli_progress_update(struct cli_progress *progress, uint64_t done);

/* Take the line away: before something else is written to the terminal, and
 * at the end. */
void cli_progress_clear(struct cli_progress *progress);

/* The line itself, to text of CLI_PROGRESS_LINE bytes: for the tests. */
void cli_progress_line(
    uint64_t done, uint64_t total, int64_t elapsed_ms, char *text);

#endif
