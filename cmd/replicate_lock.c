/*
 * replicate_lock.c - hold a lock of a side for a whole run
 *
 * Here the process holds it.  On another machine `strm replicate-rsync --serve`
 * does, until nobody listens to it: as when who asked dies, or ssh, or the line
 * is cut.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/signals.h"
#include "opening.h"
#include "replicate.h"

static const char held[] = "held";
static const char busy[] = "busy";

static int
take(const char *path, const char *id, const struct replicate_opts *opts,
    struct stream_replica_lock **lock, struct stream_error *err)
{
	int64_t wait_ms = opts->if_unlocked ? 0 : opts->lock_timeout_ms;
	struct stream_replica_options options = {
	    .network = opts->network,
	    .lock_timeout_ms = wait_ms > INT_MAX ? INT_MAX : (int)wait_ms,
	    .now_ms = opening_now_ms(),
	};

	return stream_replica_lock(path, id, &options, lock, err);
}

/* ---- there -------------------------------------------------------------- */

/* Is the word a line of what was said?  A login may have said more. */
static bool
is_said(const char *said, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = strstr(said, word); at != NULL;
	     at = strstr(at + 1, word))
		if ((at == said || at[-1] == '\n') && at[size] == '\n')
			return true;
	return false;
}

/* Up to a word that is understood, or to the end. */
static void
listen(struct child *child, char *said, size_t room)
{
	size_t size = 0;

	said[0] = '\0';
	while (
	    size + 1 < room && !is_said(said, held) && !is_said(said, busy)) {
		struct pollfd fd = {.fd = child->output, .events = POLLIN};
		int n = cli_signals_poll(&fd, 1, -1);
		ssize_t got =
		    n <= 0 ? -1
			   : read(child->output, said + size, room - 1 - size);

		if (got <= 0)
			break;
		size += (size_t)got;
		said[size] = '\0';
	}
}

static enum cli_exit
lock_there(const struct side *side, const char *id,
    const struct replicate_opts *opts, struct side_lock *lock)
{
	struct side_request request = {
	    .step = SIDE_LOCK, .id = id, .input = ""};
	/* A stop is for the run, which ends this one. */
	struct child_io io = {.lines = true, .finish = true};
	struct stream_error err;
	char said[512];
	int code = 0;
	int status = side_start(side, &request, opts, &io, &lock->there, &err);

	if (status != STREAM_OK)
		lock->there.pid = 0;
	if (status == STREAM_ENOENT)
		return cli_complain(CLI_REMOTE, NULL, "%s", err.text);
	if (status != STREAM_OK)
		return cli_report(NULL, &err);
	listen(&lock->there, said, sizeof(said));
	if (is_said(said, held))
		return CLI_DONE;
	child_stop(&lock->there, cli_signals_pending() != 0, &code, NULL);
	lock->there.pid = 0;
	if (cli_signals_pending() != 0)
		return CLI_SYSTEM;
	if (is_said(said, busy))
		return CLI_BUSY;
	return answer_judge(side, SIDE_LOCK, code, said);
}

/* ---- either ------------------------------------------------------------- */

enum cli_exit
side_lock(const struct side *side, const char *id,
    const struct replicate_opts *opts, struct side_lock *lock)
{
	struct stream_error err;
	int status;

	if (side->host != NULL)
		return lock_there(side, id, opts, lock);
	status = take(side->path, id, opts, &lock->here, &err);
	if (status == STREAM_EINTR)
		return CLI_SYSTEM;
	if (status == STREAM_EBUSY && opts->if_unlocked)
		return CLI_BUSY;
	return status == STREAM_OK ? CLI_DONE : cli_report(NULL, &err);
}

void
side_unlock(struct side_lock *lock)
{
	int code;

	stream_replica_unlock(lock->here);
	if (lock->there.pid > 0)
		child_stop(&lock->there, true, &code, NULL);
	*lock = (struct side_lock){.here = NULL};
}

/* ---- the other end ------------------------------------------------------ */

static int
say(const char *word, struct stream_error *err)
{
	size_t size = strlen(word);
	char line[16];

	snprintf(line, sizeof(line), "%s\n", word);
	return write(STDOUT_FILENO, line, size + 1) == (ssize_t)size + 1
		   ? STREAM_OK
		   : cli_fail_sys(err, "cannot write to standard output");
}

/* Who listens has gone, or wants this one to. */
static void
wait_for_end(void)
{
	struct pollfd listener = {.fd = STDOUT_FILENO};

	while (cli_signals_poll(&listener, 1, -1) == 0)
		;
}

int
side_lock_serve(const char *path, const char *id,
    const struct replicate_opts *opts, struct stream_error *err)
{
	struct stream_replica_lock *lock;
	int status = take(path, id, opts, &lock, err);

	if (status == STREAM_EBUSY && opts->if_unlocked)
		return say(busy, err);
	if (status != STREAM_OK)
		return status;
	status = say(held, err);
	if (status == STREAM_OK)
		wait_for_end();
	stream_replica_unlock(lock);
	return status;
}
