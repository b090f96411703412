/*
 * replicate_watch.c - learn that a side has something new
 *
 * Here the library waits.  On another machine `strm replicate-rsync --serve`
 * does, for as long as anyone listens, and writes a line for each change; ssh
 * finds out that the line is cut within a minute (ServerAliveInterval).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/signals.h"
#include "opening.h"
#include "replicate.h"

enum {
	/* Between two lines: who listens waits longer than that. */
	TELL_EVERY_MS = 50
};

static const char ready[] = "ready\n";
static const char changed[] = "changed\n";

/* ---- here --------------------------------------------------------------- */

static int
open_here(const char *path, const struct replicate_opts *opts,
    struct stream_replica_options *options, struct stream_replica_watch **watch,
    struct stream_error *err)
{
	int status = side_choose(opts, options, err);

	options->lock_timeout_ms = STREAM_LOCK_TIMEOUT_MS;
	options->now_ms = opening_now_ms();
	if (status == STREAM_OK)
		status = stream_replica_watch_open(path, options, watch, err);
	return status;
}

static enum cli_exit
wait_here(struct side_watch *watch, int timeout_ms)
{
	struct stream_error err;
	int status = stream_replica_watch_wait(
	    watch->here, timeout_ms, cli_signals_fd(), -1, &err);

	return status < 0 && status != STREAM_EINTR
		   ? cli_report(watch->side->word, &err)
		   : CLI_DONE;
}

/* ---- there -------------------------------------------------------------- */

/* Changes may have been told before it. */
static const char *
last_line(const char *said)
{
	const char *line = said;

	for (const char *c = said; *c != '\0'; c++)
		if (c[0] == '\n' && c[1] != '\0')
			line = c + 1;
	return line;
}

/* Nothing more comes: why? */
static enum cli_exit
end_there(struct side_watch *watch)
{
	struct stream_error err;
	enum cli_exit judged;
	int code = 0;
	int status = child_stop(&watch->there, false, &code, &err);

	if (status != STREAM_OK)
		return cli_report(NULL, &err);
	judged =
	    answer_judge(watch->side, SIDE_WATCH, code, last_line(watch->said));
	return judged != CLI_DONE ? judged
				  : cli_complain(CLI_REMOTE, watch->side->host,
					"stopped telling what is new");
}

/* *got is 0 at the end of the time, and at a stop. */
static enum cli_exit
read_there(struct side_watch *watch, int timeout_ms, char *bytes, size_t size,
    ssize_t *got)
{
	struct pollfd fd = {.fd = watch->there.output, .events = POLLIN};
	int n = cli_signals_poll(&fd, 1, timeout_ms);

	*got = 0;
	if (n == 0 || (n < 0 && errno == EINTR))
		return CLI_DONE;
	if (n > 0)
		*got = read(watch->there.output, bytes, size);
	if (n > 0 && *got > 0) {
		snprintf(
		    watch->said, sizeof(watch->said), "%.*s", (int)*got, bytes);
		return CLI_DONE;
	}
	*got = 0;
	return end_there(watch);
}

/* A line that came with the first one counts. */
static enum cli_exit
greet(struct side_watch *watch)
{
	char bytes[256];
	size_t size = 0;
	ssize_t got = 1;
	enum cli_exit code = CLI_DONE;

	/* Up to the word, or to the end of what is said instead. */
	while (code == CLI_DONE && got > 0 && size < sizeof(bytes) &&
	       (size < sizeof(ready) - 1 ||
		   strncmp(bytes, ready, sizeof(ready) - 1) != 0)) {
		code = read_there(
		    watch, -1, bytes + size, sizeof(bytes) - size, &got);
		size += (size_t)got;
	}
	if (code != CLI_DONE || cli_signals_pending() != 0)
		return code;
	watch->told = size > sizeof(ready) - 1;
	return strncmp(bytes, ready, sizeof(ready) - 1) == 0
		   ? CLI_DONE
		   : cli_complain(CLI_REMOTE, watch->side->host,
			 "what it says is not understood: is strm of the same "
			 "version there?");
}

static enum cli_exit
open_there(const struct replicate_opts *opts, struct side_watch *watch)
{
	struct side_request request = {.step = SIDE_WATCH, .input = ""};
	struct child_io io = {.lines = true, .finish = true};
	struct stream_error err;
	int status =
	    side_start(watch->side, &request, opts, &io, &watch->there, &err);

	if (status == STREAM_ENOENT)
		return cli_complain(CLI_REMOTE, NULL, "%s", err.text);
	return status == STREAM_OK ? greet(watch) : cli_report(NULL, &err);
}

static enum cli_exit
wait_there(struct side_watch *watch, int timeout_ms)
{
	char bytes[4096];
	ssize_t got = 0;
	enum cli_exit code = CLI_DONE;

	if (!watch->told)
		code =
		    read_there(watch, timeout_ms, bytes, sizeof(bytes), &got);
	/* As many lines as there are mean no more than one. */
	while (code == CLI_DONE && (got > 0 || watch->told)) {
		watch->told = false;
		code = read_there(watch, 0, bytes, sizeof(bytes), &got);
	}
	return code;
}

/* ---- either ------------------------------------------------------------- */

enum cli_exit
side_watch_open(const struct side *side, const struct replicate_opts *opts,
    struct side_watch *watch)
{
	struct stream_error err;
	int status;

	*watch = (struct side_watch){
	    .side = side,
	    .there = {.pid = -1, .output = -1},
	};
	if (side->host != NULL)
		return open_there(opts, watch);
	watch->options = calloc(1, sizeof(*watch->options));
	if (watch->options == NULL)
		return cli_complain(CLI_SYSTEM, NULL, "out of memory");
	status =
	    open_here(side->path, opts, watch->options, &watch->here, &err);
	return status == STREAM_OK ? CLI_DONE : cli_report(NULL, &err);
}

void
side_watch_close(struct side_watch *watch)
{
	int code;

	stream_replica_watch_close(watch->here);
	if (watch->options != NULL)
		side_unchoose(watch->options);
	free(watch->options);
	if (watch->there.pid > 0)
		child_stop(&watch->there, true, &code, NULL);
}

enum cli_exit
side_watch_wait(struct side_watch *watch, int timeout_ms)
{
	return watch->here != NULL ? wait_here(watch, timeout_ms)
				   : wait_there(watch, timeout_ms);
}

/* ---- the other end ------------------------------------------------------ */

static int
tell(const char *line, struct stream_error *err)
{
	ssize_t n = write(STDOUT_FILENO, line, strlen(line));

	return n == (ssize_t)strlen(line)
		   ? STREAM_OK
		   : cli_fail_sys(err, "cannot write to standard output");
}

static int
tell_changes(struct stream_replica_watch *watch, struct stream_error *err)
{
	int status = tell(ready, err);

	while (status == STREAM_OK) {
		struct pollfd reader = {.fd = STDOUT_FILENO};

		status = stream_replica_watch_wait(
		    watch, -1, cli_signals_fd(), STDOUT_FILENO, err);
		if (status == STREAM_OK)
			status = tell(changed, err);
		if (status == STREAM_OK)
			cli_signals_poll(&reader, 1, TELL_EVERY_MS);
	}
	return status;
}

int
side_watch_serve(const char *path, const struct replicate_opts *opts,
    struct stream_error *err)
{
	struct stream_replica_options options = {.of = NULL};
	struct stream_replica_watch *watch = NULL;
	struct stream_error why = {.sys = 0};
	int status = open_here(path, opts, &options, &watch, &why);

	if (status == STREAM_OK)
		status = tell_changes(watch, &why);
	stream_replica_watch_close(watch);
	side_unchoose(&options);
	/* Whoever listened has gone: so it is done. */
	if (status == STREAM_EIO && why.sys == EPIPE)
		return STREAM_OK;
	*err = why;
	return status;
}
