#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

/* Is a read to be done once more? */
static bool
is_again(const struct child *child, ssize_t n)
{
	return n < 0 && errno == EINTR &&
	       (child->finish || cli_signals_pending() == 0);
}

/* All that the child writes; the end is a NUL. */
static int
read_output(const struct child *child, char **output, struct stream_error *err)
{
	size_t size = 0, room = READ;
	char *text = malloc(room + 1);

	while (text != NULL) {
		ssize_t n = read(child->output, text + size, room - size);

		if (is_again(child, n))
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

/* Up to the end also of what it started and is writing to the same place. */
static int
tell_output(const struct child *child, const struct child_io *io, bool *ended,
    struct stream_error *err)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(child->output, bytes, sizeof(bytes))) > 0 ||
	       is_again(child, n))
		if (n > 0 && !*ended &&
		    io->told(io->context, bytes, (size_t)n)) {
			kill(child->pid, SIGKILL);
			*ended = true;
		}
	return n == 0 ? STREAM_OK
		      : cli_fail_sys(err, "cannot read from a child");
}

/* ---- the child ---------------------------------------------------------- */

enum { EXEC_FAILED = 127 };

/* In the child, where only what a signal handler may do may be done. */
static _Noreturn void
become(char *const argv[], char *const clean[], const int fds[2], int failed,
    bool apart, pid_t parent)
{
	int why;

	/* What this process handles or ignores (SIGXFSZ) a child does not. */
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	/* Whoever is killed leaves nothing behind that goes on writing. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == parent && (!apart || setpgid(0, 0) == 0) &&
	    dup2(fds[0], STDIN_FILENO) >= 0 && dup2(fds[1], STDOUT_FILENO) >= 0)
		execvpe(argv[0], argv, clean);
	why = errno;
	if (write(failed, &why, sizeof(why)) < 0)
		_exit(EXEC_FAILED);
	_exit(EXEC_FAILED);
}

/* fds: its input and output.  Gives errno of a program that cannot be run. */
static int
spawn(char *const argv[], const int fds[2], bool apart, pid_t *pid)
{
	char **clean = clean_environment();
	pid_t parent = getpid();
	int pipe[2], why = 0;

	if (clean == NULL || pipe2(pipe, O_CLOEXEC) != 0) {
		free(clean);
		return ENOMEM;
	}
	*pid = fork();
	if (*pid == 0)
		become(argv, clean, fds, pipe[1], apart, parent);
	if (*pid < 0)
		why = errno;
	close(pipe[1]);
	/* It ends with nothing when the program runs. */
	while (
	    *pid > 0 && read(pipe[0], &why, sizeof(why)) < 0 && errno == EINTR)
		;
	if (*pid > 0 && why != 0)
		while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
			;
	close(pipe[0]);
	free(clean);
	return why;
}

/*
 * A stop is passed on once; then the child's end is waited for, so that nothing
 * of it is at work any more.  One that may finish is not told.
 */
static int
wait_for(pid_t pid, bool finish, int *code, struct stream_error *err)
{
	bool told = false;
	int status;

	for (;;) {
		if (cli_signals_pending() != 0 && !told && !finish) {
			kill(pid, SIGTERM);
			told = true;
		}
		if (waitpid(pid, &status, 0) == pid)
			break;
		if (errno != EINTR)
			return cli_fail_sys(err, "cannot wait for a child");
	}
	if (cli_signals_pending() != 0 && !finish)
		return cli_fail(err, STREAM_EINTR, "stopped on request");
	*code =
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return STREAM_OK;
}

int
child_start(char *const argv[], const struct child_io *io, struct child *child,
    struct stream_error *err)
{
	bool piped = io->output != NULL || io->told != NULL || io->lines;
	int ends[2] = {-1, -1}, input = -1, r;
	int status = make_input(io, &input, err);

	*child = (struct child){.pid = -1, .output = -1, .finish = io->finish};
	if (status == STREAM_OK && piped && pipe2(ends, O_CLOEXEC) != 0)
		status = cli_fail_sys(err, "cannot make a pipe");
	if (status == STREAM_OK && !piped) {
		ends[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (ends[1] < 0)
			status = cli_fail_sys(err, "/dev/null");
	}
	if (status == STREAM_OK) {
		r = spawn(argv, (const int[]){input, ends[1]}, io->finish,
		    &child->pid);
		errno = r;
		if (r != 0)
			status = cli_fail_sys(err, "%s: cannot run", argv[0]);
	}
	if (input >= 0)
		close(input);
	if (ends[1] >= 0)
		close(ends[1]);
	if (status == STREAM_OK)
		child->output = ends[0];
	else if (ends[0] >= 0)
		close(ends[0]);
	return status;
}

int
child_stop(
    struct child *child, bool kill_it, int *code, struct stream_error *err)
{
	int status;

	if (child->output >= 0)
		close(child->output);
	if (kill_it)
		kill(child->pid, SIGTERM);
	status = wait_for(child->pid, child->finish, code, err);
	child->pid = -1;
	child->output = -1;
	return status;
}

int
child_finish(struct child *child, const struct child_io *io, int *code,
    struct stream_error *err)
{
	char *text = NULL;
	bool ended = false;
	int status = STREAM_OK, r;

	if (io->output != NULL)
		status = read_output(child, &text, err);
	else if (io->told != NULL)
		status = tell_output(child, io, &ended, err);
	r = child_stop(
	    child, status != STREAM_OK, code, status == STREAM_OK ? err : NULL);
	if (status == STREAM_OK)
		status = r;
	if (ended)
		*code = 0;
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
	struct child child;
	int status = child_start(argv, io, &child, err);

	return status == STREAM_OK ? child_finish(&child, io, code, err)
				   : status;
}
