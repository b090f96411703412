/*
 * archive_in_place.c - a command of strm reads archives as if they were stores
 *
 * In a private directory each archive that the command line names has a link
 * under the name that was given.  The command runs there, in a child; when it
 * opens the address, a store takes the link's place, so that all messages name
 * the archive, and what the range needs is unpacked there as it is read.  The
 * parent waits, to remove the directory however the child ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <stream/parse.h>

#include "archive_commands.h"
#include "commands.h"
#include "opening.h"
#include "port/archive_unpack.h"

#define PREFIX "strm-in-place-"

/* One that was left by a parent that was killed is removed after this. */
enum { STALE_S = 60 };

struct place {
	const char *above; /* $TMPDIR */
	char *path;        /* owned; the directory */
	const char *name;  /* of it, in above */
	char *from;        /* owned; where the command line was written */
	int lock;
};

/* ---- opening an archive -------------------------------------------------- */

/* What looks at files and not at records wants them all. */
static bool with_files;

/* What the command takes for damage; 0: the default. */
static size_t max_batch_bytes;

static int
make_directory(const char *path, int *fd, struct stream_error *err)
{
	if (unlink(path) != 0 || mkdir(path, 0700) != 0)
		return cli_fail_sys(err, "%s: cannot make room", path);
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd >= 0 ? STREAM_OK : cli_fail_sys(err, "%s", path);
}

static void
note(void *context, const char *text)
{
	struct archive_input *input = context;

	cli_progress_clear(&input->progress);
	cli_note(input->context, NULL, "%s", text);
}

/* One that is read. */
struct opened {
	struct archive_input input;
	char *name; /* owned; of the address */
	struct stream_archive *archive;
	struct stream_unpacked *unpacked;
	struct opened *next;
};

/* Until the command ends. */
static struct opened *all_opened;

/* What is told of an archive, is told once. */
static bool
is_open_already(const struct opened *opened)
{
	struct stat st, other;

	if (fstat(opened->input.fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	for (const struct opened *at = opened->next; at != NULL; at = at->next)
		if (fstat(at->input.fd, &other) == 0 &&
		    st.st_dev == other.st_dev && st.st_ino == other.st_ino)
			return true;
	return false;
}

static int
unpack(struct opened *opened, const struct stream_address *address,
    struct stream_error *err)
{
	struct archive_input *input = &opened->input;
	struct stream_unpack_options how = {
	    .with_files = with_files, .note = note, .context = input};
	int fd = -1;
	int status = STREAM_OK;

	input->options.max_batch_bytes = max_batch_bytes;
	if (is_open_already(opened))
		input->options.note = NULL;
	if (lseek(input->fd, 0, SEEK_CUR) < 0)
		status = archive_input_spool(input, err);
	if (status == STREAM_OK)
		status = stream_archive_open(input->fd, input->name,
		    &input->options, &opened->archive, err);
	if (status == STREAM_OK)
		status = make_directory(address->name, &fd, err);
	if (status == STREAM_OK)
		status = stream_archive_unpack(
		    opened->archive, address, &how, fd, &opened->unpacked, err);
	/* From now on it is the records that show how far it is. */
	cli_progress_clear(&input->progress);
	input->is_quiet = true;
	return status;
}

static const char *
find_above(void)
{
	const char *above = getenv("TMPDIR");

	return above != NULL && above[0] == '/' ? above : "/tmp";
}

/* Where there is no room, nobody can tell by the names of what is unpacked. */
static int
say_where(const char *name, struct stream_error *err)
{
	struct stream_error why = *err;

	if (why.status == STREAM_EIO &&
	    (why.sys == ENOSPC || why.sys == EDQUOT || why.sys == EFBIG))
		return cli_fail(err, STREAM_EIO,
		    "%s: no room to unpack it in %.100s (TMPDIR): %.60s", name,
		    find_above(), strerrordesc_np(why.sys));
	if (why.status == STREAM_EINTR || strstr(why.text, name) != NULL)
		return why.status;
	return cli_fail(err, why.status, "%s: %.150s", name, why.text);
}

static int
fetch(void *context, const char *directory, int64_t base_offset,
    struct stream_error *err)
{
	const struct opened *opened = context;
	struct stream_error why;
	int status = STREAM_OK;

	if (opened->unpacked != NULL)
		status = stream_unpacked_fetch(
		    opened->unpacked, directory, base_offset, &why);
	if (status == STREAM_OK)
		return status;
	status = say_where(opened->name, &why);
	if (err != NULL)
		*err = why;
	return status;
}

/* Nothing more is to come of it. */
static void
close_archive(struct opened *opened)
{
	stream_unpacked_free(opened->unpacked);
	opened->unpacked = NULL;
	stream_archive_close(opened->archive);
	opened->archive = NULL;
	archive_input_close(&opened->input);
}

static void
close_all(void)
{
	while (all_opened != NULL) {
		struct opened *opened = all_opened;

		all_opened = opened->next;
		close_archive(opened);
		free(opened->name);
		free(opened);
	}
}

static int
open_archive(const struct cli_context *context,
    const struct stream_address *address, struct stream_supply *supply,
    struct stream_error *err)
{
	struct opened *opened;
	int status;

	if (!opening_names_archive(address->name))
		return STREAM_OK;
	opened = calloc(1, sizeof(*opened));
	if (opened == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	opened->input.fd = -1;
	opened->next = all_opened;
	all_opened = opened;
	opened->name = strdup(address->name);
	if (opened->name == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	status =
	    archive_input_open(&opened->input, context, opened->name, 0, err);
	if (status == STREAM_OK)
		status = unpack(opened, address, err);
	if (status != STREAM_OK)
		return say_where(address->name, err);
	if (with_files)
		close_archive(opened);
	*supply = (struct stream_supply){fetch, opened};
	return STREAM_OK;
}

/* ---- the command line ---------------------------------------------------- */

/* No ".." and no root: it can be a name in the directory. */
static bool
stays_below(const char *path)
{
	const char *at = path;

	if (path[0] == '/')
		return false;
	while ((at = strstr(at, "..")) != NULL) {
		bool begins = at == path || at[-1] == '/';

		at += 2;
		if (begins && (*at == '/' || *at == '\0'))
			return false;
	}
	return true;
}

static bool
make_parents(const struct place *place, char *relative)
{
	int root = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool made = root >= 0;

	for (char *slash = strchr(relative, '/'); made && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (relative[0] != '\0' && strcmp(relative, ".") != 0 &&
		    mkdirat(root, relative, 0700) != 0 && errno != EEXIST)
			made = false;
		*slash = '/';
	}
	if (root >= 0)
		close(root);
	return made;
}

/* Link to the archive at path from the name in the directory; gives the name
 * (owned by the caller), NULL after a failure. */
static char *
link_archive(const struct place *place, const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	char *name = NULL, *target = NULL, *at = NULL;
	int made = -1;

	if (asprintf(&target, "%s%s%s", path[0] == '/' ? "" : place->from,
		path[0] == '/' ? "" : "/", path) < 0)
		return NULL;
	for (int i = 0; made != 0 && i < 1000; i++) {
		int n;

		free(name);
		if (i == 0 && stays_below(path))
			n = asprintf(&name, "%s", path);
		else if (i <= 1)
			n = asprintf(&name, "./%s", base);
		else
			n = asprintf(&name, "./%d/%s", i, base);
		if (n < 0 || !make_parents(place, name) ||
		    asprintf(&at, "%s/%s", place->path, name) < 0)
			break;
		made = symlink(target, at);
		free(at);
		if (made != 0 && errno != EEXIST)
			break;
	}
	free(target);
	if (made == 0)
		return name;
	free(name);
	return NULL;
}

static char *
make_absolute(const struct place *place, const char *path)
{
	char *whole = NULL;

	if (path[0] == '/')
		return strdup(path);
	return asprintf(&whole, "%s/%s", place->from, path) < 0 ? NULL : whole;
}

/* Where the path of an address ends. */
static size_t
path_size(const char *word)
{
	const char *slash = strrchr(word, '/');

	return (size_t)(slash - word) + 1 + strcspn(slash + 1, ":@");
}

static char *
rewrite_word(const struct place *place, char *word)
{
	char *path, *name, *whole = NULL;
	struct stat st;
	size_t size;

	if (strchr(word, '/') == NULL)
		return word;
	size = path_size(word);
	path = strndup(word, size);
	if (path == NULL)
		return NULL;
	if (stat(path, &st) != 0) {
		free(path);
		return word;
	}
	name = opening_is_archive(path) ? link_archive(place, path)
					: make_absolute(place, path);
	free(path);
	if (name == NULL)
		return NULL;
	if (asprintf(&whole, "%s%s", name, word + size) < 0)
		whole = NULL;
	free(name);
	return whole;
}

/* -C STORE, in each of its forms: the store's path as it was meant. */
static char *
rewrite_store(const struct place *place, const char *option, size_t size)
{
	char *path = make_absolute(place, option + size);
	char *whole = NULL;

	if (path != NULL &&
	    asprintf(&whole, "%.*s%s", (int)size, option, path) < 0)
		whole = NULL;
	free(path);
	return whole;
}

static bool
rewrite(const struct place *place, int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		const char *before = argv[i - 1];

		if (i > 1 && (strcmp(before, "-C") == 0 ||
				 strcmp(before, "--store") == 0))
			argv[i] = make_absolute(place, argv[i]);
		else if (strncmp(argv[i], "-C", 2) == 0 && argv[i][2] != '\0')
			argv[i] = rewrite_store(place, argv[i], 2);
		else if (strncmp(argv[i], "--store=", 8) == 0)
			argv[i] = rewrite_store(place, argv[i], 8);
		else if (argv[i][0] != '-')
			argv[i] = rewrite_word(place, argv[i]);
		if (argv[i] == NULL)
			return false;
	}
	return true;
}

/* --max-batch-bytes SIZE, as the command will understand it; what it will not,
 * it complains of itself. */
static size_t
find_max_batch_bytes(int argc, char *argv[])
{
	static const char name[] = "--max-batch-bytes";
	int64_t bytes = 0;

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		size_t n = strcspn(argv[i], "=");
		const char *text =
		    argv[i][n] == '=' ? argv[i] + n + 1 : argv[i + 1];

		/* Any begin of it will do that no other option has. */
		if (n > strlen("--max-") && strncmp(argv[i], name, n) == 0 &&
		    text != NULL &&
		    stream_parse_size(text, &bytes, NULL) != STREAM_OK)
			bytes = 0;
	}
	return (size_t)bytes;
}

/* ---- the directory ------------------------------------------------------- */

static void
sweep_one(int above, const char *name)
{
	struct stat st;
	int fd = openat(
	    above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    time(NULL) - st.st_ctime > STALE_S &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0)
		stream_archive_unpacked_remove(above, name);
	close(fd);
}

/* Those of parents that were killed, which nobody holds. */
static void
sweep(const char *above)
{
	DIR *directory = opendir(above);
	const struct dirent *entry;

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL)
		if (strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) == 0)
			sweep_one(dirfd(directory), entry->d_name);
	closedir(directory);
}

static enum cli_exit
make_place(struct place *place)
{
	*place = (struct place){
	    .above = find_above(),
	    .lock = -1,
	};
	place->from = getcwd(NULL, 0);
	sweep(place->above);
	if (place->from == NULL ||
	    asprintf(&place->path, "%s/" PREFIX "XXXXXX", place->above) < 0) {
		place->path = NULL;
		return cli_complain(
		    CLI_SYSTEM, NULL, "cannot tell the current directory");
	}
	if (mkdtemp(place->path) == NULL) {
		free(place->path);
		place->path = NULL;
		return cli_complain(CLI_SYSTEM, place->above,
		    "no directory can be made there: %s",
		    strerrordesc_np(errno));
	}
	place->name = place->path + strlen(place->above) + 1;
	place->lock = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->lock >= 0)
		flock(place->lock, LOCK_EX);
	return CLI_DONE;
}

/* Remove the directory, where it was made. */
static void
end_place(struct place *place)
{
	int above =
	    place->path == NULL
		? -1
		: open(place->above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (above >= 0) {
		stream_archive_unpacked_remove(above, place->name);
		close(above);
	}
	if (place->lock >= 0)
		close(place->lock);
	free(place->path);
	free(place->from);
}

/* ---- two processes ------------------------------------------------------- */

static const int stops[] = {SIGINT, SIGTERM, SIGHUP};

enum { STOPS = sizeof(stops) / sizeof(stops[0]) };

static volatile pid_t child;

/* What comes from a terminal, the child gets by itself. */
static void
pass_on(int signo, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code <= 0 && child > 0)
		kill(child, signo);
}

static void
catch_stops(void)
{
	struct sigaction action = {
	    .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO};
	struct sigaction before;

	for (size_t i = 0; i < STOPS; i++)
		if (sigaction(stops[i], NULL, &before) == 0 &&
		    before.sa_handler != SIG_IGN)
			sigaction(stops[i], &action, NULL);
}

_Noreturn static void
run_child(const struct cli_command *command, const struct place *place,
    pid_t parent, int argc, char *argv[])
{
	int code;

	/* Nobody else would remove the directory. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || chdir(place->path) != 0)
		_exit(CLI_SYSTEM);
	with_files = command == &verify_command || command == &inspect_command;
	max_batch_bytes = find_max_batch_bytes(argc, argv);
	opening_set_archives(open_archive, place->from);
	code = cli_main(command, argc, argv);
	close_all();
	exit(code);
}

static int
wait_for_child(void)
{
	int result;

	while (waitpid(child, &result, 0) < 0)
		if (errno != EINTR)
			return CLI_SYSTEM << 8;
	return result;
}

/* As the child ended, by exit or by signal. */
static int
end_as(int result)
{
	if (WIFSIGNALED(result)) {
		signal(WTERMSIG(result), SIG_DFL);
		raise(WTERMSIG(result));
	}
	return WIFEXITED(result) ? WEXITSTATUS(result) : CLI_SYSTEM;
}

static int
run_apart(const struct cli_command *command, struct place *place,
    const sigset_t *usual, int argc, char *argv[])
{
	pid_t parent = getpid();
	int result;

	child = fork();
	if (child == 0) {
		sigprocmask(SIG_SETMASK, usual, NULL);
		run_child(command, place, parent, argc, argv);
	}
	if (child < 0) {
		end_place(place);
		return (int)cli_complain(CLI_SYSTEM, NULL, "cannot fork: %s",
		    strerrordesc_np(errno));
	}
	catch_stops();
	sigprocmask(SIG_SETMASK, usual, NULL);
	result = wait_for_child();
	end_place(place);
	return end_as(result);
}

static const struct cli_command *
find_command(const char *word)
{
	static const struct cli_command *const commands[] = {&consume_command,
	    &tail_command, &table_command, &get_command, &inspect_command,
	    &verify_command, &diff_command, NULL};
	const struct cli_command all = {.commands = commands};

	return cli_find(&all, word);
}

static bool
fix_store(const struct place *place)
{
	const char *store = getenv("STRM_DIR");
	char *path = make_absolute(
	    place, store != NULL && store[0] != '\0' ? store : ".");
	bool fixed = path != NULL && setenv("STRM_DIR", path, 1) == 0;

	free(path);
	return fixed;
}

int
archive_in_place(int argc, char *argv[])
{
	const struct cli_command *command = find_command(argv[0]);
	struct place place;
	sigset_t blocked, usual;
	int code;

	if (command == NULL)
		return (int)cli_complain(
		    CLI_USAGE, argv[0], "does not read archives");
	sigemptyset(&blocked);
	for (size_t i = 0; i < STOPS; i++)
		sigaddset(&blocked, stops[i]);
	sigprocmask(SIG_BLOCK, &blocked, &usual);
	code = (int)make_place(&place);
	if (code == CLI_DONE &&
	    (!fix_store(&place) || !rewrite(&place, argc, argv)))
		code = (int)cli_complain(CLI_SYSTEM, NULL,
		    "%s: cannot be prepared: %s", place.path,
		    strerrordesc_np(errno));
	if (code == CLI_DONE)
		return run_apart(command, &place, &usual, argc, argv);
	end_place(&place);
	sigprocmask(SIG_SETMASK, &usual, NULL);
	return code;
}
