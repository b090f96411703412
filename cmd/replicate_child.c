#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/signals.h"
#include "replicate.h"

enum { READ = 1 << 16 };

/* ---- the environment ---------------------------------------------------- */

/* What would make ssh or rsync, or the loader, do something else. */
static bool
is_harmless(const char *entry)
{
	static const char *const prefixes[] = {
	    "RSYNC_", "LD_", "GCONV_PATH=", "SSH_ASKPASS"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (strncmp(entry, prefixes[i], strlen(prefixes[i])) == 0)
			return false;
	return true;
}

static char **
clean_environment(void)
{
	size_t count = 0, kept = 0;
	char **clean;

	while (environ[count] != NULL)
		count++;
	clean = calloc(count + 1, sizeof(*clean));
	for (size_t i = 0; clean != NULL && i < count; i++)
		if (is_harmless(environ[i]))
			clean[kept++] = environ[i];
	return clean;
}

/* ---- its input and output ----------------------------------------------- */

/* A file in memory: a pipe would have to be filled while the output is read. */
static int
make_input(const struct child_io *io, int *fd, struct stream_error *err)
{
	const char *at = io->input;
	size_t left = io->input_size;

	*fd = memfd_create("strm", MFD_CLOEXEC);
	if (*fd < 0)
		return cli_fail_sys(err, "cannot make a file in memory");
	while (left > 0) {
		ssize_t n = write(*fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cli_fail_sys(err, "cannot write to memory");
		at += n;
		left -= (size_t)n;
	}
	if (lseek(*fd, 0, SEEK_SET) != 0)
		return cli_fail_sys(err, "cannot go back");
	return STREAM_OK;
}

/* All that the child writes; the end is a NUL. */
static int
read_output(int fd, char **output, struct stream_error *err)
{
	size_t size = 0, room = READ;
	char *text = malloc(room + 1);

	while (text != NULL) {
		ssize_t n = read(fd, text + size, room - size);

		if (n < 0 && errno == EINTR && cli_signals_pending() == 0)
			continue;
		if (n < 0) {
			free(text);
			return cli_fail_sys(err, "cannot read from a child");
		}
		if (n == 0)
			break;
		size += (size_t)n;
		if (size == room) {
			char *bigger = realloc(text, room * 2 + 1);

			if (bigger == NULL)
				free(text);
			text = bigger;
			room *= 2;
		}
	}
	if (text == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	text[size] = '\0';
	*output = text;
	return STREAM_OK;
}

/* ---- the child ---------------------------------------------------------- */

static int
spawn(char *const argv[], int input, int output, bool shown, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char **clean = clean_environment();
	sigset_t all;
	int r = clean == NULL ? ENOMEM : 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (output >= 0)
		posix_spawn_file_actions_adddup2(
		    &actions, output, STDOUT_FILENO);
	else if (shown)
		posix_spawn_file_actions_adddup2(
		    &actions, STDERR_FILENO, STDOUT_FILENO);
	else
		posix_spawn_file_actions_addopen(
		    &actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	/* What this process ignores (SIGXFSZ) a child does not. */
	sigfillset(&all);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	if (r == 0)
		r = posix_spawnp(
		    pid, argv[0], &actions, &attributes, argv, clean);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(clean);
	return r;
}

/* A stop is passed on once; then the child's end is waited for, so that nothing
 * of it is at work any more. */
static int
wait_for(pid_t pid, int *code, struct stream_error *err)
{
	bool told = false;
	int status;

	for (;;) {
		if (cli_signals_pending() != 0 && !told) {
			kill(pid, SIGTERM);
			told = true;
		}
		if (waitpid(pid, &status, 0) == pid)
			break;
		if (errno != EINTR)
			return cli_fail_sys(err, "cannot wait for a child");
	}
	if (cli_signals_pending() != 0)
		return cli_fail(err, STREAM_EINTR, "stopped on request");
	*code =
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return STREAM_OK;
}

static int
run(char *const argv[], const struct child_io *io, int input, int *code,
    struct stream_error *err)
{
	int ends[2] = {-1, -1};
	char *text = NULL;
	pid_t pid;
	int r;
	int status = STREAM_OK;

	if (io->output != NULL && pipe2(ends, O_CLOEXEC) != 0)
		return cli_fail_sys(err, "cannot make a pipe");
	r = spawn(argv, input, ends[1], io->shown, &pid);
	if (ends[1] >= 0)
		close(ends[1]);
	if (r != 0) {
		if (ends[0] >= 0)
			close(ends[0]);
		errno = r;
		return cli_fail_sys(err, "%s: cannot run", argv[0]);
	}
	if (io->output != NULL) {
		status = read_output(ends[0], &text, err);
		close(ends[0]);
		if (status != STREAM_OK)
			kill(pid, SIGTERM);
	}
	r = wait_for(pid, code, status == STREAM_OK ? err : NULL);
	if (status == STREAM_OK)
		status = r;
	if (status == STREAM_OK && io->output != NULL)
		*io->output = text;
	else
		free(text);
	return status;
}

int
child_run(char *const argv[], const struct child_io *io, int *code,
    struct stream_error *err)
{
	int input = -1;
	int status = make_input(io, &input, err);

	if (status == STREAM_OK)
		status = run(argv, io, input, code, err);
	if (input >= 0)
		close(input);
	return status;
}

/* ---- one that holds a lock ---------------------------------------------- */

static int
write_all(int fd, struct stream_bytes bytes, struct stream_error *err)
{
	while (bytes.size > 0) {
		ssize_t n = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR && cli_signals_pending() == 0)
			continue;
		if (n < 0)
			return cli_fail_sys(err, "cannot write to a child");
		bytes.data += n;
		bytes.size -= (size_t)n;
	}
	return STREAM_OK;
}

static int
read_line(int fd, char *line, size_t size, struct stream_error *err)
{
	size_t at = 0;
	ssize_t n = 1;

	line[0] = '\0';
	while (at + 1 < size && n != 0) {
		n = read(fd, line + at, 1);
		if (n < 0 && (errno != EINTR || cli_signals_pending() != 0))
			return cli_fail_sys(err, "cannot read from a child");
		if (n == 1 && line[at] == '\n')
			break;
		at += n > 0 ? 1 : 0;
		line[at] = '\0';
	}
	line[at] = '\0';
	return STREAM_OK;
}

int
child_hold(char *const argv[], struct stream_bytes input, pid_t *pid, int *pipe,
    char *answer, size_t size, struct stream_error *err)
{
	int to[2], from[2];
	int r, code;
	int status = STREAM_OK;

	/* No pipe: one that is broken must not end this process. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to) != 0)
		return cli_fail_sys(err, "cannot make a pipe");
	if (pipe2(from, O_CLOEXEC) != 0) {
		status = cli_fail_sys(err, "cannot make a pipe");
		close(to[0]);
		close(to[1]);
		return status;
	}
	r = spawn(argv, to[0], from[1], false, pid);
	close(to[0]);
	close(from[1]);
	if (r != 0) {
		errno = r;
		status = cli_fail_sys(err, "%s: cannot run", argv[0]);
		close(to[1]);
	} else {
		status = write_all(to[1], input, err);
		if (status == STREAM_OK)
			status = read_line(from[0], answer, size, err);
		if (status == STREAM_OK)
			*pipe = to[1];
		else
			child_let_go(*pid, to[1], &code);
	}
	close(from[0]);
	return status;
}

void
child_let_go(pid_t pid, int pipe, int *code)
{
	close(pipe);
	if (wait_for(pid, code, NULL) != STREAM_OK)
		*code = 0;
}
