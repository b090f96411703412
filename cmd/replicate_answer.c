/*
 * replicate_answer.c - whether the other machine answered, and what
 *
 * Between that strm and this one stand ssh, a login shell with its files, and
 * whatever program is called strm there.  So what comes is looked at before it
 * is used, and what failed is told with the name of the host.
 *
 * A step that failed there says so on its standard output, in one line: the
 * word below, a status of libstream and a text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stream/parse.h>

#include "replicate.h"

enum {
	NOT_RUN = 126, /* of a shell: found and cannot be run; 127: not found */
	KILLED = 128,
	SSH_FAILED = 255,
	SHOWN = 60 /* characters of what is no answer */
};

static const char failed_word[] = "strm-failed ";

/* ---- that side ---------------------------------------------------------- */

int
answer_failed(const struct stream_error *err, struct stream_error *lost)
{
	struct cli_out out;
	int status = cli_out_open(&out, STDOUT_FILENO, true, lost);

	if (status != STREAM_OK)
		return status;
	cli_out_format(
	    &out, "%s%d %s\n", failed_word, (int)err->status, err->text);
	return cli_out_close(&out, lost);
}

/* ---- this side ---------------------------------------------------------- */

static bool
begins_with(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

/* A manifest must stand by itself.  A store is to be fenced also where a login
 * greets: in an emergency nobody has time for that. */
static bool
is_answer(enum side_step step, const char *text)
{
	switch (step) {
	case SIDE_HAVE:
	case SIDE_LOOK:
	case SIDE_PREPARE:
	case SIDE_PLAN:
		return begins_with(text, "strm-manifest 1\n");
	case SIDE_LOCK: /* what is was taken before */
		return false;
	case SIDE_FENCE:
	case SIDE_LIFT:
		return strstr(text, FENCE_WAS) != NULL;
	default:
		return true;
	}
}

/* What the system there refused is no failure of this one. */
static enum cli_exit
tell_failure(const struct side *side, const char *text)
{
	char *copy = strdup(text + strlen(failed_word));
	char *why = copy == NULL ? NULL : strchr(copy, ' ');
	enum cli_exit code = CLI_REMOTE;
	int64_t status;

	if (why == NULL) {
		free(copy);
		return cli_complain(CLI_REMOTE, side->host, "failed");
	}
	*why++ = '\0';
	why[strcspn(why, "\n")] = '\0';
	if (stream_parse_int(copy, STREAM_EEXIST - 100, -1, &status, NULL) ==
	    STREAM_OK)
		code = cli_status((int)status);
	if (code == CLI_SYSTEM)
		code = CLI_REMOTE;
	cli_complain(code, side->host, "%s", why);
	free(copy);
	return code;
}

static enum cli_exit
tell_other(const struct side *side, const char *text)
{
	int size = (int)strcspn(text, "\n");

	return cli_complain(CLI_REMOTE, side->host,
	    "\"%.*s%s\" is no answer of this version of strm: is another one "
	    "there, or does a login there print something?",
	    size < SHOWN ? size : SHOWN, text, size < SHOWN ? "" : "...");
}

enum cli_exit
answer_judge(
    const struct side *side, enum side_step step, int code, const char *text)
{
	if (code == NOT_RUN || code == NOT_RUN + 1)
		return cli_complain(CLI_REMOTE, side->host,
		    "cannot run strm there: is it in the PATH of a login "
		    "without a terminal?");
	if (code >= KILLED)
		return cli_complain(CLI_REMOTE, side->host,
		    "cannot be reached, or the connection broke: ssh failed "
		    "(exit %d); \"ssh -o BatchMode=yes %s true\" must work",
		    code, side->host);
	if (begins_with(text, failed_word))
		return tell_failure(side, text);
	if (code != 0)
		return cli_complain(CLI_REMOTE, side->host,
		    "strm failed there (exit %d): is it of the same version?",
		    code);
	if (!is_answer(step, text))
		return tell_other(side, text);
	return CLI_DONE;
}
