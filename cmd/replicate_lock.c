/*
 * replicate_lock.c - hold a lock of a side for a whole run
 *
 * Here the process holds it.  On another machine `strm replicate-rsync --serve`
 * does, until its standard input ends: as it does when who asked dies, or ssh.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static enum cli_exit
lock_there(const struct side *side, const char *id,
    const struct replicate_opts *opts, struct side_lock *lock)
{
	struct side_request request = {
	    .step = SIDE_LOCK, .id = id, .input = ""};
	char *argv[SIDE_SSH_WORDS] = {NULL};
	char answer[8] = "", *text = NULL;
	struct stream_error err;
	size_t n = side_ssh(opts, argv), size = 0;
	enum cli_exit judged;
	int code = 0;
	int status =
	    side_put_request(side->path, &request, opts, &text, &size, &err);

	argv[n++] = (char *)"--";
	argv[n++] = side->host;
	argv[n++] = (char *)"strm replicate-rsync --serve";
	if (status == STREAM_OK)
		status = child_hold(argv,
		    (struct stream_bytes){(const uint8_t *)text, size},
		    &lock->pid, &lock->pipe, answer, sizeof(answer), &err);
	free(text);
	if (status == STREAM_ENOENT)
		return cli_complain(CLI_REMOTE, NULL, "%s", err.text);
	if (status != STREAM_OK)
		return cli_report(NULL, &err);
	if (strcmp(answer, held) == 0)
		return CLI_DONE;
	child_let_go(lock->pid, lock->pipe, &code);
	lock->pid = 0;
	if (strcmp(answer, busy) == 0)
		return CLI_BUSY;
	judged = side_judge(side, code);
	return judged != CLI_DONE
		   ? judged
		   : cli_complain(CLI_REMOTE, side->host,
			 "what it says is not understood: is strm of the same "
			 "version there?");
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
	if (lock->pid > 0)
		child_let_go(lock->pid, lock->pipe, &code);
	*lock = (struct side_lock){.here = NULL};
}

/* ---- the other end ------------------------------------------------------ */

static int
say(const char *word, struct stream_error *err)
{
	struct cli_out out;
	int status = cli_out_open(&out, STDOUT_FILENO, true, err);

	if (status != STREAM_OK)
		return status;
	cli_out_format(&out, "%s\n", word);
	return cli_out_close(&out, err);
}

static void
wait_for_end(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) == 1)
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
