/*
 * record - write down all that a command does to the files under a directory
 *
 *	record -d DIR -o FILE -- COMMAND...
 *
 * FILE gets a line for each thing that changed or made something durable, in
 * the order in which the calls returned.  Files and directories are inodes,
 * names stand in a directory:
 *	create DIR NAME INO	a new empty file
 *	mkdir DIR NAME INO
 *	rename DIR NAME DIR NAME INO
 *	link DIR NAME INO	one more name of a file
 *	unlink DIR NAME		a file's name, or a directory's
 *	write INO AT HEX
 *	truncate INO SIZE
 *	times INO NANOSECONDS
 *	begin THREAD INO	an fsync or fdatasync begins: what was done so
 *				far will be durable
 *	synced THREAD INO	when it has returned this
 *	out HEX			written to descriptor 1
 * Calls that fail change nothing and are not there.  A call that changes files
 * in a way that this tool does not know ends it: nothing escapes.  Exits as
 * COMMAND did.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "trace.h"

struct record {
	dev_t dev;
	FILE *output;
};

/* A name and the directory that it stands in. */
struct place {
	ino_t dir; /* 0: none, or on another file system */
	char name[NAME_MAX + 1];
};

/* What was found out at a call's entry; struct tracee's data. */
struct call {
	struct place from, to;
	ino_t ino; /* of what stood at from; 0: nothing */
};

static void
unknown(const char *what, uint64_t nr)
{
	fprintf(
	    stderr, "record: %s (call %llu)\n", what, (unsigned long long)nr);
	exit(TRACE_FAILED);
}

/* ---- what the arguments mean -------------------------------------------- */

static void
read_path(pid_t tid, uint64_t from, char path[PATH_MAX])
{
	for (size_t i = 0; i < PATH_MAX; i++) {
		if (!trace_read(tid, from + i, &path[i], 1))
			path[i] = '\0';
		if (path[i] == '\0')
			return;
	}
	path[0] = '\0';
}

/* A path of our own to what thread tid calls path from dirfd on. */
static void
our_path(pid_t tid, uint64_t dirfd, const char *path, char ours[2 * PATH_MAX])
{
	if (path[0] == '/')
		snprintf(ours, 2 * PATH_MAX, "%s", path);
	else if ((int)dirfd == AT_FDCWD)
		snprintf(ours, 2 * PATH_MAX, "/proc/%d/cwd/%s", (int)tid, path);
	else
		snprintf(ours, 2 * PATH_MAX, "/proc/%d/fd/%d/%s", (int)tid,
		    (int)dirfd, path);
}

static ino_t
path_inode(const struct record *record, const char *path, bool follow)
{
	struct stat st;
	int flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;

	if (fstatat(AT_FDCWD, path, &st, flags) != 0 ||
	    st.st_dev != record->dev)
		return 0;
	return st.st_ino;
}

/* Find the place that a path means; gives the inode that is there. */
static ino_t
find_place(const struct record *record, pid_t tid, uint64_t dirfd,
    uint64_t address, struct place *place)
{
	char path[PATH_MAX], ours[2 * PATH_MAX];
	char *slash;
	ino_t ino;

	read_path(tid, address, path);
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
	our_path(tid, dirfd, path, ours);
	ino = path_inode(record, ours, false);
	slash = strrchr(ours, '/');
	if (slash == NULL)
		unknown("a path without a directory", 0);
	snprintf(place->name, sizeof(place->name), "%.*s", NAME_MAX, slash + 1);
	slash[slash == ours ? 1 : 0] = '\0';
	place->dir = path_inode(record, ours, true);
	return ino;
}

/* The inode behind a descriptor, if it is a file or directory of ours. */
static ino_t
fd_inode(const struct record *record, pid_t tid, uint64_t fd)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, (int)fd);
	if (stat(path, &st) != 0 || st.st_dev != record->dev ||
	    !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return 0;
	return st.st_ino;
}

/* The position of a descriptor, as the kernel tells it. */
static uint64_t
fd_position(pid_t tid, uint64_t fd)
{
	char path[64];
	unsigned long long at = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)tid, (int)fd);
	info = fopen(path, "re");
	if (info == NULL || fscanf(info, "pos: %llu", &at) != 1)
		trace_die(path);
	fclose(info);
	return at;
}

/* ---- lines -------------------------------------------------------------- */

static void
put_place(const struct record *record, const struct place *place)
{
	fprintf(record->output, " %llu %s", (unsigned long long)place->dir,
	    place->name);
}

static void
put_number(const struct record *record, const char *word, uint64_t number)
{
	fprintf(record->output, "%s %llu", word, (unsigned long long)number);
}

static void
put_hex(const struct record *record, pid_t tid, uint64_t from, uint64_t size)
{
	unsigned char bytes[4096];

	for (uint64_t done = 0; done < size;) {
		size_t n = size - done < sizeof(bytes) ? (size_t)(size - done)
						       : sizeof(bytes);

		if (!trace_read(tid, from + done, bytes, n))
			trace_die("process_vm_readv");
		for (size_t i = 0; i < n; i++)
			fprintf(record->output, "%02x", bytes[i]);
		done += n;
	}
}

static void
put_vector(const struct record *record, pid_t tid, uint64_t from, uint64_t size)
{
	struct iovec piece;

	for (; size > 0; from += sizeof(piece)) {
		uint64_t n;

		if (!trace_read(tid, from, &piece, sizeof(piece)))
			trace_die("process_vm_readv");
		n = piece.iov_len < size ? piece.iov_len : size;
		put_hex(record, tid, (uint64_t)(uintptr_t)piece.iov_base, n);
		size -= n;
	}
}

/* ---- one call ----------------------------------------------------------- */

static bool
is_vector(uint64_t nr)
{
	return nr == SYS_writev || nr == SYS_pwritev || nr == SYS_pwritev2;
}

static void
wrote(const struct record *record, const struct tracee *t, uint64_t size)
{
	bool at_position = t->nr == SYS_write || t->nr == SYS_writev;
	ino_t ino = fd_inode(record, t->tid, t->args[0]);

	if (t->args[0] == STDOUT_FILENO) {
		fputs("out ", record->output);
	} else if (ino != 0) {
		put_number(record, "write", ino);
		put_number(record, "",
		    at_position ? fd_position(t->tid, t->args[0]) - size
				: t->args[3]);
		fputc(' ', record->output);
	} else {
		return;
	}
	if (is_vector(t->nr))
		put_vector(record, t->tid, t->args[1], size);
	else
		put_hex(record, t->tid, t->args[1], size);
	fputc('\n', record->output);
}

static void
opened(const struct record *record, const struct tracee *t, uint64_t flags,
    uint64_t fd)
{
	const struct call *call = t->data;
	ino_t ino = fd_inode(record, t->tid, fd);

	if (ino == 0)
		return;
	if ((flags & O_CREAT) != 0 && call->ino == 0) {
		fputs("create", record->output);
		put_place(record, &call->from);
		put_number(record, "", ino);
		fputc('\n', record->output);
	} else if ((flags & O_TRUNC) != 0) {
		put_number(record, "truncate", ino);
		fputs(" 0\n", record->output);
	}
}

static void
made_dir(const struct record *record, const struct tracee *t)
{
	const struct call *call = t->data;
	struct place again;
	bool at = t->nr == SYS_mkdirat;

	fputs("mkdir", record->output);
	put_place(record, &call->from);
	put_number(record, "",
	    find_place(record, t->tid, at ? t->args[0] : (uint64_t)AT_FDCWD,
		t->args[at ? 1 : 0], &again));
	fputc('\n', record->output);
}

static void
renamed(const struct record *record, const struct tracee *t)
{
	const struct call *call = t->data;

	if (call->from.dir == 0 && call->to.dir == 0)
		return;
	fputs("rename", record->output);
	put_place(record, &call->from);
	put_place(record, &call->to);
	put_number(record, "", call->ino);
	fputc('\n', record->output);
}

static void
linked(const struct record *record, const struct tracee *t)
{
	const struct call *call = t->data;

	if (call->from.dir == 0 && call->to.dir == 0)
		return;
	fputs("link", record->output);
	put_place(record, &call->to);
	put_number(record, "", call->ino);
	fputc('\n', record->output);
}

static void
unlinked(const struct record *record, const struct tracee *t)
{
	const struct call *call = t->data;

	if (call->from.dir == 0)
		return;
	fputs("unlink", record->output);
	put_place(record, &call->from);
	fputc('\n', record->output);
}

static void
truncated(const struct record *record, const struct tracee *t)
{
	ino_t ino = fd_inode(record, t->tid, t->args[0]);

	if (ino == 0)
		return;
	put_number(record, "truncate", ino);
	put_number(record, "", t->args[1]);
	fputc('\n', record->output);
}

static void
sync_line(const struct record *record, const struct tracee *t, const char *word)
{
	ino_t ino = fd_inode(record, t->tid, t->args[0]);

	if (ino == 0)
		return;
	put_number(record, word, (uint64_t)t->tid);
	put_number(record, "", ino);
	fputc('\n', record->output);
}

/* Only of an open file (NULL path), and both times. */
static void
set_times(const struct record *record, const struct tracee *t)
{
	ino_t ino = fd_inode(record, t->tid, t->args[0]);
	struct timespec times[2];

	if (ino == 0)
		return;
	if (t->args[1] != 0 || t->args[2] == 0)
		unknown("utimensat of a name, or to now", t->nr);
	if (!trace_read(t->tid, t->args[2], times, sizeof(times)))
		trace_die("process_vm_readv");
	put_number(record, "times", ino);
	put_number(record, "",
	    (uint64_t)times[1].tv_sec * 1000000000 +
		(uint64_t)times[1].tv_nsec);
	fputc('\n', record->output);
}

static uint64_t
open_flags(const struct tracee *t)
{
	uint64_t flags = 0;

	if (t->nr == SYS_open)
		return t->args[1];
	if (t->nr == SYS_openat)
		return t->args[2];
	if (!trace_read(t->tid, t->args[2], &flags, sizeof(flags)))
		trace_die("process_vm_readv");
	return flags; /* the first field of struct open_how */
}

static void
at_entry(struct record *record, struct tracee *t)
{
	const uint64_t cwd = (uint64_t)AT_FDCWD;
	struct call *call = t->data;

	*call = (struct call){0};
	switch (t->nr) {
	case SYS_open:
	case SYS_mkdir:
	case SYS_unlink:
	case SYS_rmdir:
		call->ino =
		    find_place(record, t->tid, cwd, t->args[0], &call->from);
		break;
	case SYS_openat:
	case SYS_openat2:
	case SYS_mkdirat:
	case SYS_unlinkat:
		call->ino = find_place(
		    record, t->tid, t->args[0], t->args[1], &call->from);
		break;
	case SYS_rename:
		call->ino =
		    find_place(record, t->tid, cwd, t->args[0], &call->from);
		find_place(record, t->tid, cwd, t->args[1], &call->to);
		break;
	case SYS_renameat2:
		if ((t->args[4] & 2) != 0)
			unknown("two names are exchanged", t->nr);
		/* fallthrough */
	case SYS_renameat:
	case SYS_linkat:
		call->ino = find_place(
		    record, t->tid, t->args[0], t->args[1], &call->from);
		find_place(record, t->tid, t->args[2], t->args[3], &call->to);
		break;
	case SYS_fsync:
	case SYS_fdatasync:
		sync_line(record, t, "begin");
		break;
	default:
		break;
	}
}

/* Calls that change files, and that nobody here makes. */
static void
refuse(const struct record *record, const struct tracee *t)
{
	switch (t->nr) {
	case SYS_creat:
	case SYS_truncate:
	case SYS_link:
	case SYS_symlink:
	case SYS_symlinkat:
	case SYS_mknod:
	case SYS_mknodat:
	case SYS_copy_file_range:
	case SYS_io_uring_setup:
	case SYS_io_setup:
	case SYS_syncfs:
		unknown("this tool does not know that call", t->nr);
		break;
	case SYS_sendfile:
	case SYS_splice:
		if (fd_inode(record, t->tid,
			t->args[t->nr == SYS_splice ? 2 : 0]) != 0)
			unknown("splices into a file", t->nr);
		break;
	case SYS_mmap:
		if ((t->args[2] & PROT_WRITE) != 0 &&
		    (t->args[3] & MAP_TYPE) != MAP_PRIVATE &&
		    (t->args[3] & MAP_ANONYMOUS) == 0 &&
		    fd_inode(record, t->tid, t->args[4]) != 0)
			unknown("maps a file to write it", t->nr);
		break;
	case SYS_fallocate:
		if ((t->args[1] & FALLOC_FL_KEEP_SIZE) == 0)
			unknown("fallocate changes a size", t->nr);
		break;
	default:
		break;
	}
}

static void
at_exit(struct record *record, struct tracee *t, int64_t result)
{
	switch (t->nr) {
	case SYS_open:
	case SYS_openat:
	case SYS_openat2:
		opened(record, t, open_flags(t), (uint64_t)result);
		break;
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
		if (result > 0)
			wrote(record, t, (uint64_t)result);
		break;
	case SYS_mkdir:
	case SYS_mkdirat:
		made_dir(record, t);
		break;
	case SYS_rename:
	case SYS_renameat:
	case SYS_renameat2:
		renamed(record, t);
		break;
	case SYS_linkat:
		linked(record, t);
		break;
	case SYS_unlink:
	case SYS_unlinkat:
	case SYS_rmdir:
		unlinked(record, t);
		break;
	case SYS_ftruncate:
		truncated(record, t);
		break;
	case SYS_fsync:
	case SYS_fdatasync:
		sync_line(record, t, "synced");
		break;
	case SYS_utimensat:
		set_times(record, t);
		break;
	default:
		refuse(record, t);
	}
}

static enum trace_next
at_stop(void *tool, struct tracee *t, const struct __ptrace_syscall_info *info)
{
	if (t->data == NULL)
		t->data = calloc(1, sizeof(struct call));
	if (t->data == NULL)
		trace_die("calloc");
	if (info->op == PTRACE_SYSCALL_INFO_ENTRY)
		at_entry(tool, t);
	else if (info->exit.rval >= 0)
		at_exit(tool, t, info->exit.rval);
	return TRACE_GO_ON;
}

static void
usage(void)
{
	fputs("usage: record -d DIR -o FILE -- COMMAND...\n", stderr);
	exit(TRACE_FAILED);
}

int
main(int argc, char *argv[])
{
	static struct trace trace;
	struct record record = {0};
	struct stat st;

	for (int c; (c = getopt(argc, argv, "+d:o:")) != -1;) {
		if (c == 'd')
			trace.dir = optarg;
		else if (c == 'o')
			record.output = fopen(optarg, "we");
		else
			usage();
	}
	if (optind >= argc || trace.dir == NULL || record.output == NULL)
		usage();
	if (stat(trace.dir, &st) != 0)
		trace_die(trace.dir);
	record.dev = st.st_dev;
	trace_run(&trace, argv + optind, at_stop, &record);
	if (fclose(record.output) != 0)
		trace_die("output");
	return trace_exit_code(&trace);
}
