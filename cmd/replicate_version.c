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

enum { LEAST_MAJOR = 3, LEAST_MINOR = 1 };

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

enum cli_exit
rsync_check(const char *host)
{
	char *argv[] = {(char *)"rsync", (char *)"--version", NULL};
	char version[RSYNC_VERSION_SIZE];
	char *text = NULL;
	struct child_io io = {.output = &text};
	struct stream_error err;
	int code = 0;
	int status = child_run(argv, &io, &code, &err);
	bool is_new =
	    status == STREAM_OK && code == 0 && rsync_is_new(text, version);

	if (status == STREAM_OK)
		free(text);
	if (is_new)
		return CLI_DONE;
	if (status == STREAM_ENOENT)
		return cli_complain(CLI_REMOTE, host,
		    "there is no rsync in the PATH: install rsync %s or newer "
		    "(the package is named rsync)",
		    least);
	if (status != STREAM_OK)
		return cli_report(host, &err);
	if (code != 0)
		return cli_complain(CLI_REMOTE, host,
		    "rsync --version failed (exit %d): rsync %s or newer is "
		    "needed",
		    code, least);
	return cli_complain(CLI_REMOTE, host,
	    "the rsync in the PATH is version \"%s\", and %s is the least that "
	    "will do",
	    version, least);
}
