/*
 * replicate_version.c - which rsync is it?
 *
 * 3.1.0 (2013) is the first that takes --chmod=D0777,F0666, numbers for modes,
 * and --info.  -s, which keeps paths from a shell, is in 3.0.0 and later; -s,
 * --chmod and --files-from are understood at both ends, so both are asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replicate.h"

enum { LEAST_MAJOR = 3, LEAST_MINOR = 1, RSYNC_SYNTAX = 1 };

static const char least[] = "3.1.0";

/* "rsync  version 3.2.7  protocol version 31", "v3.2.7" in some. */
bool
rsync_is_new(const char *text, char *version)
{
	int major = 0, minor = 0;

	snprintf(version, RSYNC_VERSION_SIZE, "%.*s",
	    (int)strcspn(text, "\r\n"), text);
	if (sscanf(text, "rsync version %*[v]%31[0-9.]", version) != 1 &&
	    sscanf(text, "rsync version %31[0-9.]", version) != 1)
		return false;
	return sscanf(version, "%d.%d", &major, &minor) == 2 &&
	       (major > LEAST_MAJOR ||
		   (major == LEAST_MAJOR && minor >= LEAST_MINOR));
}

static int
refuse_limit(const char *bwlimit, struct stream_error *err)
{
	return cli_fail(err, STREAM_EUSAGE,
	    "--bwlimit: \"%s\" is no rate that rsync takes", bwlimit);
}

static int
run(const char *bwlimit, char **text, struct stream_error *err)
{
	char *argv[] = {(char *)"rsync", (char *)"--version", NULL, NULL};
	char limit[64];
	struct child_io io = {.output = text};
	int code = 0;
	int status;

	if (bwlimit != NULL) {
		if (snprintf(limit, sizeof(limit), "--bwlimit=%s", bwlimit) >=
		    (int)sizeof(limit))
			return refuse_limit(bwlimit, err);
		argv[1] = limit;
		argv[2] = (char *)"--version";
	}
	status = child_run(argv, &io, &code, err);
	if (status == STREAM_ENOENT)
		return cli_fail(err, STREAM_EIO,
		    "there is no rsync in the PATH: install rsync %s or newer "
		    "(the package is named rsync)",
		    least);
	if (status != STREAM_OK || code == 0)
		return status;
	free(*text);
	*text = NULL;
	if (code == RSYNC_SYNTAX && bwlimit != NULL)
		return refuse_limit(bwlimit, err);
	return cli_fail(err, STREAM_EIO,
	    "rsync --version failed (exit %d): rsync %s or newer is needed",
	    code, least);
}

int
rsync_check(const char *bwlimit, struct stream_error *err)
{
	char version[RSYNC_VERSION_SIZE];
	char *text = NULL;
	int status = run(bwlimit, &text, err);

	if (status == STREAM_OK && !rsync_is_new(text, version))
		status = cli_fail(err, STREAM_EIO,
		    "the rsync in the PATH is version \"%s\", and %s is the "
		    "least that will do",
		    version, least);
	free(text);
	return status;
}
