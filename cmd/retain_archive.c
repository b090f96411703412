#include "retain_archive.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "cli/message.h"
#include "cli/signals.h"
#include "program.h"

extern char **environ;

/* The offset below which all goes. */
static int64_t
find_end(const struct stream_retain *retain)
{
	return stream_retain_segment(
	    retain, stream_retain_sum(retain)->segments - 1)
	    ->next_offset;
}

/* "20261124T223920.123Z": the same segments have another name in the next run,
 * should this one die before they go. */
static bool
put_time(char *text, size_t size)
{
	struct timespec now;
	struct tm utc;
	char when[32];

	clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &utc) == NULL ||
	    strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &utc) == 0)
		return false;
	snprintf(text, size, "%s.%03ldZ", when, now.tv_nsec / 1000000);
	return true;
}

/*
 * DIR/orders-0.0-1200.20261124T223920.123Z.tar.zst.  Of a topic whose name is
 * too long for that there is what fits, and a "~", which no topic has in its
 * name: the archive tells the rest.
 */
static char *
make_name(const char *directory, const struct stream_place *place,
    const struct stream_retain *retain)
{
	char when[48], rest[160], *name;
	size_t size = strlen(place->topic), most;

	if (!put_time(when, sizeof(when)))
		return NULL;
	snprintf(rest, sizeof(rest), "-%d.%lld-%lld.%s.tar.zst",
	    (int)place->partition,
	    (long long)stream_retain_segment(retain, 0)->base_offset,
	    (long long)find_end(retain), when);
	most = NAME_MAX - strlen(rest);
	if (asprintf(&name, "%s/%.*s%s%s", directory,
		(int)(size <= most ? size : most - 1), place->topic,
		size <= most ? "" : "~", rest) < 0)
		return NULL;
	return name;
}

/* A word without a slash would be a topic. */
static char *
make_address(
    const struct stream_place *place, const struct stream_retain *retain)
{
	const char *path = place->path;
	char *address;

	if (asprintf(&address, "%s%s@..%lld",
		strchr(path, '/') == NULL ? "./" : "", path,
		(long long)find_end(retain)) < 0)
		return NULL;
	return address;
}

/* A child that is started has the signals as they were by default, and its
 * output where messages go. */
static int
start(char *argv[], pid_t *child, struct stream_error *err)
{
	char path[4096];
	posix_spawn_file_actions_t actions;
	int error;

	program_find(argv[0], path, sizeof(path));
	if (posix_spawn_file_actions_init(&actions) != 0)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	error = posix_spawn_file_actions_adddup2(&actions, 2, 1);
	if (error == 0)
		error =
		    posix_spawnp(child, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	errno = error;
	return error == 0 ? STREAM_OK
			  : cli_fail_sys(err, "%s: cannot start", path);
}

/* A stop goes to the child too: then it leaves nothing behind. */
static int
wait_for(pid_t child, int *result, struct stream_error *err)
{
	bool told = false;

	while (waitpid(child, result, 0) < 0) {
		if (errno != EINTR)
			return cli_fail_sys(err, "cannot wait for a program");
		if (cli_signals_pending() != 0 && !told) {
			kill(child, SIGTERM);
			told = true;
		}
	}
	if (cli_signals_pending() != 0)
		return cli_fail(err, STREAM_EINTR, "interrupted");
	return STREAM_OK;
}

static int
run(char *argv[], struct stream_error *err)
{
	pid_t child;
	int result;
	int status = start(argv, &child, err);

	if (status == STREAM_OK)
		status = wait_for(child, &result, err);
	if (status != STREAM_OK)
		return status;
	if (WIFEXITED(result) && WEXITSTATUS(result) == CLI_DONE)
		return STREAM_OK;
	return cli_fail(err, STREAM_EIO,
	    "its segments could not be archived, so none was deleted");
}

int
retain_archive(const char *directory, const struct stream_place *place,
    const struct stream_retain *retain, struct stream_error *err)
{
	char *name = make_name(directory, place, retain);
	char *address = make_address(place, retain);
	char *argv[] = {(char[]){"strm-archive"}, (char[]){"--verify"},
	    (char[]){"-o"}, name, (char[]){"-q"}, (char[]){"--"}, address,
	    NULL};
	int status;

	status = name != NULL && address != NULL
		     ? run(argv, err)
		     : cli_fail(err, STREAM_ENOMEM, "out of memory");
	free(name);
	free(address);
	return status;
}
