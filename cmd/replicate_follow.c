/*
 * replicate_follow.c - a round whenever the source has something new
 *
 * Nobody looks every now and then: the source is watched from before the first
 * round, so what comes while one is under way makes another.  Between a change
 * and its round there is a pause, as long as the last round took: what is
 * written meanwhile goes along, and under load no more than half the time is
 * spent on rounds.  It has a least length, so that a burst of appends, each of
 * which would be a round of some processes and syncs, is one; and a most, so
 * that a long first copy does not delay what comes after it.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/clock.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "json_line.h"
#include "replicate.h"

enum {
	LEAST_PAUSE_MS = 100,
	MOST_PAUSE_MS = 1000,
	/* A partition that failed is tried again, also if nothing changes. */
	RETRY_MS = 10000
};

struct following {
	struct side_watch watch;
	struct lag lag;  /* when the round began */
	struct lag left; /* of that, when it had ended */
	bool has_lag;
	bool drawn; /* the line stands on the terminal */
	int64_t begin_ms;
	int64_t took_ms;
};

/* ---- the line ----------------------------------------------------------- */

/* A failure is not told: where? */
static void
draw(const char *text)
{
	ssize_t took = write(STDERR_FILENO, text, strlen(text));

	(void)took;
}

static void
clear(struct following *f)
{
	if (f->drawn)
		draw("\r\033[K");
	f->drawn = false;
}

/* "1.250", or "?" where that is not known. */
static void
put_seconds(const struct lag *lag, char *text, size_t size)
{
	snprintf(text, size, "?");
	if (lag->ms >= 0)
		snprintf(text, size, "%lld.%03d", (long long)(lag->ms / 1000),
		    (int)(lag->ms % 1000));
}

/* It stands there until the next round begins: while nothing else is written.
 */
static void
draw_lag(const struct run *run)
{
	struct following *f = run->following;
	char text[192], at[16] = "", is[32], was[32];
	time_t now = time(NULL);
	struct tm tm;

	if (!cli_progress_is_seen(run->context))
		return;
	put_seconds(&f->left, is, sizeof(is));
	put_seconds(&f->lag, was, sizeof(was));
	if (localtime_r(&now, &tm) != NULL)
		strftime(at, sizeof(at), "%H:%M:%S", &tm);
	snprintf(text, sizeof(text),
	    "\r%s lag %lld records, %llu bytes, %s s (was %lld, %llu, "
	    "%s)\033[K",
	    at, (long long)f->left.records, (unsigned long long)f->left.bytes,
	    is, (long long)f->lag.records, (unsigned long long)f->lag.bytes,
	    was);
	draw(text);
	f->drawn = true;
}

/* Of a round that is done again the first look counts. */
static void
take_lag(struct run *run, const struct stream_manifest *mine)
{
	struct following *f = run->following;

	if (!f->has_lag)
		f->lag = lag_sum(mine, run->manifest);
	f->has_lag = true;
}

/* ---- a round ------------------------------------------------------------ */

static void
find_left(struct run *run)
{
	struct following *f = run->following;
	struct stream_manifest *mine = NULL;

	f->left = (struct lag){.records = 0};
	if (run->sum.failed + run->sum.diverged == 0)
		return;
	if (run->have != NULL && run->manifest != NULL &&
	    stream_manifest_parse(run->have, &mine, NULL) == STREAM_OK)
		f->left = lag_left(mine, run->manifest, run->report);
	stream_manifest_free(mine);
}

static void
print_json(struct run *run)
{
	const struct following *f = run->following;
	struct json_line json = {.out = &run->out};

	line_begin(&json, "round");
	replicate_print_sum(&json, &run->sum);
	line_int(&json, "lag", f->lag.records);
	line_uint(&json, "lag_bytes", f->lag.bytes);
	line_known(&json, "lag_ms", f->lag.ms);
	line_int(&json, "left", f->left.records);
	line_uint(&json, "left_bytes", f->left.bytes);
	line_known(&json, "left_ms", f->left.ms);
	line_int(&json, "elapsed_ms", f->took_ms);
	line_end(&json);
}

static enum cli_exit
do_round(struct run *run)
{
	struct following *f = run->following;
	enum cli_exit code;

	f->has_lag = false;
	f->begin_ms = cli_clock_ms();
	run->sum.bytes = 0;
	clear(f);
	code = replicate_run(run);
	f->took_ms = cli_clock_ms() - f->begin_ms;
	if (run->report == NULL)
		return code;
	find_left(run);
	if (run->opts->json)
		print_json(run);
	else if (run->sum.bytes > 0)
		replicate_summarize(run);
	/* cli_out keeps the failure for the end. */
	if (cli_out_flush(&run->out, NULL) != STREAM_OK)
		return CLI_SYSTEM;
	draw_lag(run);
	return code;
}

/* ---- between rounds ----------------------------------------------------- */

static int64_t
pause_of(const struct following *f)
{
	if (f->took_ms < LEAST_PAUSE_MS)
		return LEAST_PAUSE_MS;
	return f->took_ms < MOST_PAUSE_MS ? f->took_ms : MOST_PAUSE_MS;
}

/* Until there is something new, and a little longer. */
static enum cli_exit
wait_for_more(struct run *run, bool retry)
{
	struct following *f = run->following;
	enum cli_exit code = side_watch_wait(&f->watch, retry ? RETRY_MS : -1);

	if (code != CLI_DONE || cli_signals_pending() != 0)
		return code;
	cli_signals_poll(NULL, 0, (int)pause_of(f));
	/* What came in the pause goes along with the round. */
	return side_watch_wait(&f->watch, 0);
}

/* What failed in one partition may be gone in a while; what else fails is for
 * whoever started this to see. */
static enum cli_exit
follow(struct run *run)
{
	enum cli_exit code = CLI_DONE;

	while (code == CLI_DONE && cli_signals_pending() == 0) {
		code = do_round(run);
		if (cli_signals_pending() != 0 ||
		    (code != CLI_DONE && code != CLI_PARTLY))
			break;
		code = wait_for_more(run, code == CLI_PARTLY);
	}
	return code;
}

enum cli_exit
replicate_follow(struct run *run)
{
	struct following f = {.took_ms = 0};
	enum cli_exit code = side_watch_open(&run->source, run->opts, &f.watch);

	run->following = &f;
	run->tell_lag = take_lag;
	if (code == CLI_DONE)
		code = follow(run);
	clear(&f);
	side_watch_close(&f.watch);
	return code;
}
