#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/message.h"
#include "cli/signals.h"

extern char **environ;

/* What ssh says when it fails itself, and a shell that knows no such command.
 */
enum { SSH_FAILED = 255, SHELL_NOT_FOUND = 127 };

static const char host_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* One part of [USER@]HOST. */
static bool
is_name(const char *text, size_t size)
{
	return size > 0 && text[0] != '-' && text[0] != '.' &&
	       strspn(text, host_letters) >= size;
}

static bool
is_host(const char *host)
{
	const char *at = strchr(host, '@');

	if (at == NULL)
		return is_name(host, strlen(host));
	return is_name(host, (size_t)(at - host)) &&
	       is_name(at + 1, strlen(at + 1));
}

int
remote_parse(
    const char *word, struct remote_place *place, struct stream_error *err)
{
	size_t before = strcspn(word, ":/");
	struct remote_place found = {.path = word};

	if (word[0] == '\0')
		return cli_fail(
		    err, STREAM_EUSAGE, "a store has no empty name");
	if (word[before] != ':') {
		*place = found;
		return STREAM_OK;
	}
	found.is_remote = true;
	found.path = word + before + 1;
	if (before >= sizeof(found.host))
		return cli_fail(
		    err, STREAM_EUSAGE, "the host's name is too long");
	memcpy(found.host, word, before);
	if (!is_host(found.host))
		return cli_fail(err, STREAM_EUSAGE,
		    "%s: no host has such a name (./ in front makes it a path)",
		    word);
	if (found.path[0] != '/')
		return cli_fail(err, STREAM_EUSAGE,
		    "%s: give the whole path of a directory on another host",
		    word);
	*place = found;
	return STREAM_OK;
}

char *
remote_quote(const char *word)
{
	char *quoted = malloc(strlen(word) * 4 + 3);
	char *to = quoted;

	if (quoted == NULL)
		return NULL;
	*to++ = '\'';
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			to = stpcpy(to, "'\\'");
		*to++ = *word;
	}
	strcpy(to, "'");
	return quoted;
}

char **
remote_ssh_words(const struct remote_ssh *ssh, const char *host)
{
	/* A host that does not answer ends it, and nothing is ever asked. */
	static const char *const fixed[] = {"-o", "BatchMode=yes", "-o",
	    "ConnectTimeout=10", "-o", "ServerAliveInterval=15", "-o",
	    "ServerAliveCountMax=4", "-T"};
	/* ssh, -F FILE, --, the host, a command and NULL. */
	enum { FIXED = sizeof(fixed) / sizeof(fixed[0]), MORE = 7 };
	const char **words = calloc(FIXED + MORE, sizeof(*words));
	size_t n = 0;

	if (words == NULL)
		return NULL;
	words[n++] = "ssh";
	if (ssh->config != NULL) {
		words[n++] = "-F";
		words[n++] = ssh->config;
	}
	for (size_t i = 0; i < FIXED; i++)
		words[n++] = fixed[i];
	words[n++] = "--";
	words[n] = host;
	return (char **)words;
}

static bool
is_cleared(const char *variable)
{
	return strncmp(variable, "RSYNC_", 6) == 0 ||
	       strncmp(variable, "LD_", 3) == 0 ||
	       strncmp(variable, "GCONV_PATH=", 11) == 0;
}

/* What could load foreign code into ssh, or tell rsync to run something. */
static char **
clean_environment(void)
{
	size_t count = 0, kept = 0;
	char **clean;

	while (environ[count] != NULL)
		count++;
	clean = calloc(count + 1, sizeof(*clean));
	for (size_t i = 0; clean != NULL && i < count; i++)
		if (!is_cleared(environ[i]))
			clean[kept++] = environ[i];
	return clean;
}

/* The other side's command line, as one word. */
static char *
join(const struct remote_ssh *ssh, const char *const *words)
{
	char *line = remote_quote(ssh->program != NULL ? ssh->program : "strm");

	for (; line != NULL && *words != NULL; words++) {
		char *quoted = remote_quote(*words);
		char *longer = NULL;

		if (quoted != NULL &&
		    asprintf(&longer, "%s %s", line, quoted) < 0)
			longer = NULL;
		free(quoted);
		free(line);
		line = longer;
	}
	return line;
}

static int
spawn(char **words, pid_t *pid, struct stream_error *err)
{
	posix_spawn_file_actions_t actions;
	char **environment = clean_environment();
	int error = ENOMEM;

	if (environment != NULL &&
	    posix_spawn_file_actions_init(&actions) == 0) {
		error = posix_spawn_file_actions_addopen(
		    &actions, 0, "/dev/null", O_RDONLY, 0);
		if (error == 0)
			error = posix_spawnp(
			    pid, words[0], &actions, NULL, words, environment);
		posix_spawn_file_actions_destroy(&actions);
	}
	free(environment);
	if (error == 0)
		return STREAM_OK;
	errno = error;
	return cli_fail_sys(err, "cannot run %s", words[0]);
}

static int
wait_for(pid_t pid, int *result, struct stream_error *err)
{
	bool told = false;

	while (waitpid(pid, result, 0) < 0) {
		if (errno != EINTR)
			return cli_fail_sys(err, "cannot wait for ssh");
		if (cli_signals_pending() != 0 && !told)
			kill(pid, SIGTERM);
		told = cli_signals_pending() != 0;
	}
	return STREAM_OK;
}

static int
judge(const char *host, int result, int *code, struct stream_error *err)
{
	if (cli_signals_pending() != 0)
		return cli_fail(err, STREAM_EINTR, "stopped");
	if (!WIFEXITED(result))
		return cli_fail(err, STREAM_EIO, "%s: signal %d ended ssh",
		    host, WTERMSIG(result));
	if (WEXITSTATUS(result) == SSH_FAILED)
		return cli_fail(err, STREAM_EIO, "%s: cannot be reached", host);
	if (WEXITSTATUS(result) == SHELL_NOT_FOUND)
		return cli_fail(err, STREAM_EIO, "%s: strm is not there", host);
	*code = WEXITSTATUS(result);
	return STREAM_OK;
}

int
remote_run(const struct remote_ssh *ssh, const char *host,
    const char *const *words, int *code, struct stream_error *err)
{
	char **argv = remote_ssh_words(ssh, host);
	char *line = join(ssh, words);
	int status = STREAM_OK;
	int result = 0;
	size_t count = 0;
	pid_t pid;

	if (argv == NULL || line == NULL) {
		status = cli_fail(err, STREAM_ENOMEM, "out of memory");
	} else {
		while (argv[count] != NULL)
			count++;
		argv[count] = line;
		status = spawn(argv, &pid, err);
	}
	if (status == STREAM_OK)
		status = wait_for(pid, &result, err);
	if (status == STREAM_OK)
		status = judge(host, result, code, err);
	free(line);
	free(argv);
	return status;
}
