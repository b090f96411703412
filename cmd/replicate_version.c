/*
 * replicate_version.c - which rsync is it?
 *
 * 3.1.0 (2013) is the first that takes --chmod=D0777,F0666, numbers for modes,
 * and --info.  -s, which keeps paths from a shell, is in 3.0.0 and later; -s,
 * --chmod and --files-from are understood at both ends, so both are asked.
 * 3.2.0 (2020) surely takes --checksum-choice=none, which 3.1.3 brought.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replicate.h"

enum {
	MAJOR = 3,
	LEAST_MINOR = 1,
	BARE_MINOR = 2,
	VERSION_SIZE = 32,
	RSYNC_SYNTAX = 1
};

static const char least[] = "3.1.0";

/* "rsync  version 3.2.7  protocol version 31", "v3.2.7" in some.  version is
 * what it names, or its first line. */
static bool
is_at_least(const char *text, int least_minor, char *version)
{
	int major = 0, minor = 0;

	snprintf(
	    version, VERSION_SIZE, "%.*s", (int)strcspn(text, "\r\n"), text);
	if (sscanf(text, "rsync version %*[v]%31[0-9.]", version) != 1 &&
	    sscanf(text, "rsync version %31[0-9.]", version) != 1)
		return false;
	return sscanf(version, "%d.%d", &major, &minor) == 2 &&
	       (major > MAJOR || (major == MAJOR && minor >= least_minor));
}

static int
refuse_limit(const char *bwlimit, struct stream_error *err)
{
	return cli_fail(err, STREAM_EUSAGE,
	    "--bwlimit: \"%s\" is no rate that rsync takes", bwlimit);
}

static int
start(const char *bwlimit, struct rsync_question *question,
    struct stream_error *err)
{
	char *argv[] = {(char *)"rsync", (char *)"--version", NULL, NULL};
	char limit[64];
	struct child_io io = {.lines = true};
	int status;

	if (bwlimit != NULL) {
		if (bwlimit[0] == '\0' ||
		    snprintf(limit, sizeof(limit), "--bwlimit=%s", bwlimit) >=
			(int)sizeof(limit))
			return refuse_limit(bwlimit, err);
		argv[1] = limit;
		argv[2] = (char *)"--version";
	}
	status = child_start(argv, &io, &question->child, err);
	if (status == STREAM_ENOENT)
		return cli_fail(err, STREAM_EIO,
		    "there is no rsync in the PATH: install rsync %s or newer "
		    "(the package is named rsync)",
		    least);
	return status;
}

int
rsync_ask(const char *bwlimit, struct rsync_question *question,
    struct stream_error *err)
{
	int status;

	*question = (struct rsync_question){.bwlimit = bwlimit};
	status = start(bwlimit, question, err);
	question->is_open = status == STREAM_OK;
	return status;
}

static int
take_answer(
    struct rsync_question *question, char **text, struct stream_error *err)
{
	struct child_io io = {.output = text};
	int code = 0;
	int status = child_finish(&question->child, &io, &code, err);

	if (status != STREAM_OK || code == 0)
		return status;
	if (code == RSYNC_SYNTAX && question->bwlimit != NULL)
		return refuse_limit(question->bwlimit, err);
	return cli_fail(err, STREAM_EIO,
	    "rsync --version failed (exit %d): rsync %s or newer is needed",
	    code, least);
}

int
rsync_answer(
    struct rsync_question *question, bool *bare, struct stream_error *err)
{
	char version[VERSION_SIZE];
	char *text = NULL;
	int status;

	if (!question->is_open)
		return STREAM_OK;
	question->is_open = false;
	status = take_answer(question, &text, err);
	if (status == STREAM_OK && !is_at_least(text, LEAST_MINOR, version))
		status = cli_fail(err, STREAM_EIO,
		    "the rsync in the PATH is version \"%s\", and %s is the "
		    "least that will do",
		    version, least);
	if (status == STREAM_OK)
		*bare = is_at_least(text, BARE_MINOR, version);
	free(text);
	return status;
}
