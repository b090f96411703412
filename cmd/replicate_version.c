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

static enum cli_exit
refuse_limit(const char *bwlimit)
{
	return cli_complain(CLI_USAGE, NULL,
	    "--bwlimit: \"%s\" is no rate that rsync takes", bwlimit);
}

static enum cli_exit
run(const char *host, const char *bwlimit, char **text)
{
	char *argv[] = {(char *)"rsync", (char *)"--version", NULL, NULL};
	char limit[64];
	struct child_io io = {.output = text};
	struct stream_error err;
	int code = 0;
	int status;

	if (bwlimit != NULL) {
		if (snprintf(limit, sizeof(limit), "--bwlimit=%s", bwlimit) >=
		    (int)sizeof(limit))
			return refuse_limit(bwlimit);
		argv[1] = limit;
		argv[2] = (char *)"--version";
	}
	status = child_run(argv, &io, &code, &err);
	if (status == STREAM_ENOENT)
		return cli_complain(CLI_REMOTE, host,
		    "there is no rsync in the PATH: install rsync %s or newer "
		    "(the package is named rsync)",
		    least);
	if (status != STREAM_OK)
		return cli_report(host, &err);
	if (code == 0)
		return CLI_DONE;
	free(*text);
	*text = NULL;
	if (code == RSYNC_SYNTAX && bwlimit != NULL)
		return refuse_limit(bwlimit);
	return cli_complain(CLI_REMOTE, host,
	    "rsync --version failed (exit %d): rsync %s or newer is needed",
	    code, least);
}

enum cli_exit
rsync_check(const char *host, const char *bwlimit)
{
	char version[RSYNC_VERSION_SIZE];
	char *text = NULL;
	enum cli_exit code = run(host, bwlimit, &text);

	if (code == CLI_DONE && !rsync_is_new(text, version))
		code = cli_complain(CLI_REMOTE, host,
		    "the rsync in the PATH is version \"%s\", and %s is the "
		    "least that will do",
		    version, least);
	free(text);
	return code;
}
