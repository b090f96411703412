/*
 * replicate_apart.c - source and destination are two stores, side by side
 *
 * Told before anything is made.  Names of another machine say nothing here:
 * there the library finds out (stream_replica_prepare).
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "replicate.h"

static bool
is_one(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Open path, or what it is to be made in: *steps is how far above that is. */
static int
open_what_is_there(const char *path, int *steps)
{
	char *left = strdup(path);
	const char *at = left;
	int fd = -1;

	for (*steps = 0; at != NULL; ++*steps) {
		fd = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT || strcmp(at, ".") == 0 ||
		    strcmp(at, "/") == 0)
			break;
		at = dirname(left);
	}
	free(left);
	return fd;
}

/* How far path lies below the directory place, in steps; -1: it does not, or
 * nobody can tell. */
static int
depth_below(const char *path, const struct stat *place)
{
	struct stat st, above;
	int steps;
	int fd = open_what_is_there(path, &steps);

	while (fd >= 0 && fstat(fd, &st) == 0) {
		int up;

		if (is_one(&st, place)) {
			close(fd);
			return steps;
		}
		up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = up;
		if (fd >= 0 && fstat(fd, &above) == 0 && is_one(&above, &st))
			break; /* the root */
		steps++;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The same for a place that may not be there. */
static int
depth(const struct side *side, const struct side *place)
{
	struct stat st;

	return stat(place->path, &st) == 0 ? depth_below(side->path, &st) : -1;
}

enum cli_exit
side_check_apart(const struct side *source, const struct side *dest)
{
	int below;

	if (source->host != NULL || dest->host != NULL)
		return CLI_DONE;
	below = depth(dest, source);
	if (below == 0)
		return cli_usage(&replicate_rsync_command,
		    "SOURCE and DEST are the same directory");
	if (below > 0)
		return cli_usage(&replicate_rsync_command,
		    "DEST lies within SOURCE: a store holds no other");
	if (depth(source, dest) > 0)
		return cli_usage(&replicate_rsync_command,
		    "SOURCE lies within DEST: a store holds no other");
	return CLI_DONE;
}
