/*
 * failsys - make the Nth matching system call of a command fail
 *
 *	failsys [-d DIR] [-y CALL,...] [-o FILE] [-k] [-n N] [-e ERROR]
 *	    [-s BYTES] [-l] -- COMMAND...
 *
 * A call that is failed is not carried out (close is: it never leaves the
 * descriptor open) and returns ERROR, a name or a number; brk, which returns
 * no errors, leaves the break where it is.
 *	-d DIR	match from the first call that names a path under DIR on
 *	-y	match these calls only; default: all that failsys knows
 *	-n N	act at the Nth match; without it only count
 *	-k	keep failing: the Nth match and every later one
 *	-s	the Nth match that writes really writes BYTES bytes (negative:
 *		all but so many); with -e the next one that writes then fails
 *	-l	a failed fsync or fdatasync also loses what was written to that
 *		file since its last good sync: old bytes are back, new ones are
 *		zeros, the size stays, as after a lost write-back
 *	-o FILE	one line a match: its name, and "failed" or "short" where it was
 *
 * Messages (writes to descriptor 2) are left alone.  Exits as COMMAND did.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "trace.h"

enum kind { PLAIN, WRITES, WRITES_VECTOR, SYNCS, CLOSES, LOCKS, BREAKS };

struct call {
	const char *name;
	uint64_t nr;
	enum kind kind;
};

static const struct call calls[] = {
    {"open", SYS_open, PLAIN},
    {"openat", SYS_openat, PLAIN},
    {"openat2", SYS_openat2, PLAIN},
    {"close", SYS_close, CLOSES},
    {"read", SYS_read, PLAIN},
    {"readv", SYS_readv, PLAIN},
    {"pread64", SYS_pread64, PLAIN},
    {"preadv", SYS_preadv, PLAIN},
    {"write", SYS_write, WRITES},
    {"pwrite64", SYS_pwrite64, WRITES},
    {"writev", SYS_writev, WRITES_VECTOR},
    {"pwritev", SYS_pwritev, WRITES_VECTOR},
    {"pwritev2", SYS_pwritev2, WRITES_VECTOR},
    {"copy_file_range", SYS_copy_file_range, PLAIN},
    {"sendfile", SYS_sendfile, PLAIN},
    {"fsync", SYS_fsync, SYNCS},
    {"fdatasync", SYS_fdatasync, SYNCS},
    {"syncfs", SYS_syncfs, PLAIN},
    {"sync_file_range", SYS_sync_file_range, PLAIN},
    {"ftruncate", SYS_ftruncate, PLAIN},
    {"fallocate", SYS_fallocate, PLAIN},
    {"rename", SYS_rename, PLAIN},
    {"renameat", SYS_renameat, PLAIN},
    {"renameat2", SYS_renameat2, PLAIN},
    {"link", SYS_link, PLAIN},
    {"linkat", SYS_linkat, PLAIN},
    {"unlink", SYS_unlink, PLAIN},
    {"unlinkat", SYS_unlinkat, PLAIN},
    {"rmdir", SYS_rmdir, PLAIN},
    {"mkdir", SYS_mkdir, PLAIN},
    {"mkdirat", SYS_mkdirat, PLAIN},
    {"getdents64", SYS_getdents64, PLAIN},
    {"fstat", SYS_fstat, PLAIN},
    {"newfstatat", SYS_newfstatat, PLAIN},
    {"statx", SYS_statx, PLAIN},
    {"fstatfs", SYS_fstatfs, PLAIN},
    {"statfs", SYS_statfs, PLAIN},
    {"lseek", SYS_lseek, PLAIN},
    {"fchmod", SYS_fchmod, PLAIN},
    {"utimensat", SYS_utimensat, PLAIN},
    {"flock", SYS_flock, PLAIN},
    {"fcntl", SYS_fcntl, LOCKS},
    {"inotify_init1", SYS_inotify_init1, PLAIN},
    {"inotify_add_watch", SYS_inotify_add_watch, PLAIN},
    {"poll", SYS_poll, PLAIN},
    {"ppoll", SYS_ppoll, PLAIN},
    {"epoll_wait", SYS_epoll_wait, PLAIN},
    {"pipe2", SYS_pipe2, PLAIN},
    {"eventfd2", SYS_eventfd2, PLAIN},
    {"clone", SYS_clone, PLAIN},
    {"clone3", SYS_clone3, PLAIN},
    {"getrandom", SYS_getrandom, PLAIN},
    {"mmap", SYS_mmap, PLAIN},
    {"mremap", SYS_mremap, PLAIN},
    {"brk", SYS_brk, BREAKS},
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

/* What a file held at its last good sync. */
struct synced {
	dev_t dev;
	ino_t ino;
	size_t size;
	char *bytes;
	struct synced *next;
};

struct fail {
	bool match[CALLS];
	bool keep;
	bool lose;
	bool shorten;
	bool fail_next_write; /* the short write is done */
	int error;            /* 0: none */
	long short_to;
	unsigned long at; /* 0: never */
	unsigned long seen;
	struct synced *synced;
	FILE *output;
};

/* What to do at the exit of a thread's call; struct tracee's data. */
struct undo {
	bool set_result;
	bool set_count; /* the register that was made smaller, put back */
	bool set_break; /* the same for brk's */
	bool note_sync;
	uint64_t count;
	uint64_t iov_size;
};

static const char *
fd_path(pid_t tid, uint64_t fd, char path[64])
{
	snprintf(path, 64, "/proc/%d/fd/%d", (int)tid, (int)fd);
	return path;
}

/* Load the file open as fd in thread tid; false when it is no regular file. */
static bool
load(pid_t tid, uint64_t fd, struct synced *to)
{
	char path[64];
	struct stat st;
	int file = -1;

	if (stat(fd_path(tid, fd, path), &st) == 0 && S_ISREG(st.st_mode))
		file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	to->dev = st.st_dev;
	to->ino = st.st_ino;
	to->size = (size_t)st.st_size;
	to->bytes = malloc(to->size + 1);
	if (to->bytes == NULL ||
	    pread(file, to->bytes, to->size, 0) != (ssize_t)to->size)
		trace_die(path);
	close(file);
	return true;
}

static struct synced *
find_synced(struct fail *fail, const struct synced *like)
{
	for (struct synced *s = fail->synced; s != NULL; s = s->next)
		if (s->dev == like->dev && s->ino == like->ino)
			return s;
	return NULL;
}

/* Remember what is durable: always after a good sync, else only the first
 * time, which is before the first write. */
static void
note_synced(struct fail *fail, pid_t tid, uint64_t fd, bool synced)
{
	struct synced now = {0};
	struct synced *old;

	if (!load(tid, fd, &now))
		return;
	old = find_synced(fail, &now);
	if (old == NULL) {
		old = calloc(1, sizeof(*old));
		if (old == NULL)
			trace_die("calloc");
		now.next = fail->synced;
		*old = now;
		fail->synced = old;
	} else if (synced) {
		free(old->bytes);
		old->bytes = now.bytes;
		old->size = now.size;
	} else {
		free(now.bytes);
	}
}

static void
lose_unsynced(struct fail *fail, pid_t tid, uint64_t fd)
{
	char path[64];
	struct synced now = {0};
	const struct synced *old;
	size_t kept;
	int file;

	if (!load(tid, fd, &now))
		return;
	old = find_synced(fail, &now);
	if (old == NULL) {
		free(now.bytes);
		return; /* nothing was written since */
	}
	kept = old->size < now.size ? old->size : now.size;
	memcpy(now.bytes, old->bytes, kept);
	memset(now.bytes + kept, 0, now.size - kept);
	file = open(fd_path(tid, fd, path), O_WRONLY | O_CLOEXEC);
	if (file < 0 ||
	    pwrite(file, now.bytes, now.size, 0) != (ssize_t)now.size)
		trace_die(path);
	close(file);
	free(now.bytes);
}

static void
get_registers(pid_t tid, struct user_regs_struct *regs)
{
	if (ptrace(PTRACE_GETREGS, tid, NULL, regs) < 0)
		trace_die("PTRACE_GETREGS");
}

static void
set_registers(pid_t tid, struct user_regs_struct *regs)
{
	if (ptrace(PTRACE_SETREGS, tid, NULL, regs) < 0)
		trace_die("PTRACE_SETREGS");
}

static void
fail_call(struct tracee *t, const struct call *call)
{
	struct user_regs_struct regs;
	struct undo *undo = t->data;

	undo->set_break = call->kind == BREAKS;
	undo->set_result = call->kind != BREAKS;
	if (call->kind == CLOSES)
		return;
	get_registers(t->tid, &regs);
	if (call->kind == BREAKS)
		regs.rdi = 0; /* asks where it is */
	else
		regs.orig_rax = (unsigned long long)-1;
	set_registers(t->tid, &regs);
}

static uint64_t
shorter(uint64_t count, long to)
{
	long size = (long)count;

	if (to < 0)
		to += size;
	if (to >= size)
		to = size - 1;
	return to < 1 ? count : (uint64_t)to;
}

static void
set_iov_size(struct tracee *t, uint64_t size)
{
	struct iovec here = {&size, sizeof(size)};
	struct iovec there = {(void *)(uintptr_t)(t->args[1] + 8), 8};

	if (process_vm_writev(t->tid, &here, 1, &there, 1, 0) != 8)
		trace_die("process_vm_writev");
}

/* Make the count in the third argument smaller; of a vector, keep the first
 * piece and shorten that. */
static void
shorten_call(struct fail *fail, struct tracee *t, const struct call *call)
{
	struct user_regs_struct regs;
	struct undo *undo = t->data;

	undo->set_count = true;
	undo->count = t->args[2];
	get_registers(t->tid, &regs);
	regs.rdx = shorter(t->args[2], fail->short_to);
	if (call->kind == WRITES_VECTOR) {
		regs.rdx = 1;
		if (!trace_read(t->tid, t->args[1] + 8, &undo->iov_size, 8))
			trace_die("process_vm_readv");
		set_iov_size(t, shorter(undo->iov_size, fail->short_to));
	}
	set_registers(t->tid, &regs);
}

static bool
is_lock(uint64_t command)
{
	return command == F_SETLK || command == F_SETLKW ||
	       command == F_OFD_SETLK || command == F_OFD_SETLKW ||
	       command == F_GETLK || command == F_OFD_GETLK;
}

static bool
is_write(const struct call *call)
{
	return call->kind == WRITES || call->kind == WRITES_VECTOR;
}

static const struct call *
find_call(const struct fail *fail, const struct tracee *t)
{
	for (size_t i = 0; i < CALLS; i++) {
		if (calls[i].nr != t->nr)
			continue;
		if (calls[i].kind == LOCKS && !is_lock(t->args[1]))
			return NULL;
		if (is_write(&calls[i]) && t->args[0] == STDERR_FILENO)
			return NULL;
		return fail->match[i] ? &calls[i] : NULL;
	}
	return NULL;
}

/* The file's durable content must be known before the first write to it. */
static void
watch_file(struct fail *fail, struct tracee *t)
{
	struct undo *undo = t->data;

	for (size_t i = 0; fail->lose && i < CALLS; i++) {
		if (calls[i].nr != t->nr)
			continue;
		if (is_write(&calls[i]) || t->nr == SYS_ftruncate)
			note_synced(fail, t->tid, t->args[0], false);
		undo->note_sync = calls[i].kind == SYNCS;
	}
}

/* Decide about one match: NULL for nothing, else the word for the output. */
static const char *
act(struct fail *fail, struct tracee *t, const struct call *call)
{
	bool now = ++fail->seen == fail->at;

	if (fail->shorten) {
		if (now && is_write(call)) {
			shorten_call(fail, t, call);
			fail->fail_next_write = fail->error != 0;
			return "short";
		}
		if (!fail->fail_next_write || !is_write(call))
			return NULL;
		fail->fail_next_write = fail->keep;
	} else if (fail->at == 0 ||
		   !(now || (fail->keep && fail->seen > fail->at))) {
		return NULL;
	}
	fail_call(t, call);
	if (fail->lose && call->kind == SYNCS)
		lose_unsynced(fail, t->tid, t->args[0]);
	return "failed";
}

static void
at_entry(struct fail *fail, struct tracee *t)
{
	const struct call *call = find_call(fail, t);
	struct undo *undo = t->data;
	const char *word;

	*undo = (struct undo){0};
	watch_file(fail, t);
	if (call == NULL)
		return;
	word = act(fail, t, call);
	if (fail->output != NULL)
		fprintf(fail->output, "%s%s%s\n", call->name,
		    word != NULL ? " " : "", word != NULL ? word : "");
}

static void
at_exit(struct fail *fail, struct tracee *t, int64_t result)
{
	struct undo *undo = t->data;
	struct user_regs_struct regs;

	if (undo->note_sync && !undo->set_result && result == 0)
		note_synced(fail, t->tid, t->args[0], true);
	if (!undo->set_result && !undo->set_count && !undo->set_break)
		return;
	get_registers(t->tid, &regs);
	if (undo->set_result)
		regs.rax = (unsigned long long)-(long long)fail->error;
	if (undo->set_count)
		regs.rdx = undo->count;
	if (undo->set_break)
		regs.rdi = t->args[0];
	if (undo->iov_size != 0)
		set_iov_size(t, undo->iov_size);
	set_registers(t->tid, &regs);
}

static enum trace_next
at_stop(void *tool, struct tracee *t, const struct __ptrace_syscall_info *info)
{
	if (t->data == NULL)
		t->data = calloc(1, sizeof(struct undo));
	if (t->data == NULL)
		trace_die("calloc");
	if (info->op == PTRACE_SYSCALL_INFO_ENTRY)
		at_entry(tool, t);
	else
		at_exit(tool, t, info->exit.rval);
	return TRACE_GO_ON;
}

static void
usage(void)
{
	fputs("usage: failsys [-kl] [-d DIR] [-y CALL,...] [-o FILE] [-n N]"
	      " [-e ERROR] [-s BYTES] -- COMMAND...\n",
	    stderr);
	exit(TRACE_FAILED);
}

static int
parse_error(const char *text)
{
	for (int e = 1; e < 134; e++)
		if (strerrorname_np(e) != NULL &&
		    strcmp(strerrorname_np(e), text) == 0)
			return e;
	if (atoi(text) <= 0)
		usage();
	return atoi(text);
}

static void
parse_calls(struct fail *fail, char *list)
{
	memset(fail->match, 0, sizeof(fail->match));
	for (char *name; (name = strsep(&list, ",")) != NULL;) {
		size_t i = 0;

		while (i < CALLS && strcmp(calls[i].name, name) != 0)
			i++;
		if (i == CALLS)
			usage();
		fail->match[i] = true;
	}
}

static void
parse_option(struct fail *fail, struct trace *trace, int option)
{
	switch (option) {
	case 'd':
		trace->dir = optarg;
		break;
	case 'e':
		fail->error = parse_error(optarg);
		break;
	case 'k':
		fail->keep = true;
		break;
	case 'l':
		fail->lose = true;
		break;
	case 'n':
		fail->at = strtoul(optarg, NULL, 10);
		break;
	case 'o':
		fail->output = fopen(optarg, "we");
		if (fail->output == NULL)
			trace_die(optarg);
		break;
	case 's':
		fail->shorten = true;
		fail->short_to = strtol(optarg, NULL, 10);
		break;
	case 'y':
		parse_calls(fail, optarg);
		break;
	default:
		usage();
	}
}

int
main(int argc, char *argv[])
{
	static struct trace trace;
	static struct fail fail;

	memset(fail.match, true, sizeof(fail.match));
	for (int c; (c = getopt(argc, argv, "+d:e:kln:o:s:y:")) != -1;)
		parse_option(&fail, &trace, c);
	if (optind >= argc || (fail.at != 0 && !fail.error && !fail.shorten))
		usage();
	trace_run(&trace, argv + optind, at_stop, &fail);
	if (fail.output != NULL && fclose(fail.output) != 0)
		trace_die("output");
	return trace_exit_code(&trace);
}
