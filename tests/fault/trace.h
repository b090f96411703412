/*
 * trace.h - run a command and stop at each system call of its whole tree
 *
 * One mechanism for the fault tools beside it, each of which is a single
 * source file: ptrace sees static programs, every thread and every child, and
 * needs nothing from the program under test.  x86-64 only.
 *
 * A stop is the entry or the exit of a system call.  Stops before the
 * interesting part (the dynamic loader, option parsing) are not shown:
 * showing begins with the first call that names a path under trace.dir.
 */
#ifndef TRACE_H
#define TRACE_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the fault tools know the registers of x86-64 only"
#endif

/* The tools' own failures, as env(1) and timeout(1) have it. */
enum { TRACE_FAILED = 125 };

/* One thread of the tree. */
struct tracee {
	pid_t tid; /* 0: free */
	bool inside;
	uint64_t nr;
	uint64_t args[6];
	void *data; /* the tool's, per thread; NULL at first */
};

enum { TRACE_THREADS = 256 };

struct trace {
	const char *dir; /* NULL: show everything after the exec */
	bool begun;
	pid_t root;
	int status; /* of root, as wait gives it */
	struct tracee thread[TRACE_THREADS];
};

enum trace_next { TRACE_GO_ON, TRACE_KILL };

/* Called at each stop.  At an exit, t->nr and t->args are those of the entry.
 */
typedef enum trace_next (*trace_stop)(
    void *tool, struct tracee *t, const struct __ptrace_syscall_info *info);

static void
trace_die(const char *what)
{
	perror(what);
	exit(TRACE_FAILED);
}

static struct tracee *
trace_find(struct trace *trace, pid_t tid)
{
	struct tracee *unused = NULL;

	for (size_t i = 0; i < TRACE_THREADS; i++) {
		if (trace->thread[i].tid == tid)
			return &trace->thread[i];
		if (unused == NULL && trace->thread[i].tid == 0)
			unused = &trace->thread[i];
	}
	if (unused == NULL) {
		fprintf(stderr, "trace: more than %d threads\n", TRACE_THREADS);
		exit(TRACE_FAILED);
	}
	*unused = (struct tracee){.tid = tid};
	return unused;
}

static bool
trace_read(pid_t tid, uint64_t from, void *to, size_t size)
{
	struct iovec here = {to, size};
	struct iovec there = {(void *)(uintptr_t)from, size};

	return process_vm_readv(tid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* Which argument of a call is a path: 0, 1, or -1 for none. */
static int
trace_path_arg(uint64_t nr)
{
	switch (nr) {
	case SYS_open:
	case SYS_stat:
	case SYS_lstat:
	case SYS_access:
	case SYS_mkdir:
	case SYS_chdir:
	case SYS_statfs:
		return 0;
	case SYS_openat:
	case SYS_openat2:
	case SYS_newfstatat:
	case SYS_statx:
	case SYS_faccessat:
	case SYS_faccessat2:
	case SYS_mkdirat:
		return 1;
	default:
		return -1;
	}
}

static bool
trace_names_dir(const struct trace *trace, pid_t tid,
    const struct __ptrace_syscall_info *info)
{
	int arg = trace_path_arg(info->entry.nr);
	size_t size;
	char path[4096];

	if (trace->dir == NULL)
		return true;
	size = strlen(trace->dir);
	return arg >= 0 && size <= sizeof(path) &&
	       trace_read(tid, info->entry.args[arg], path, size) &&
	       memcmp(path, trace->dir, size) == 0;
}

static enum trace_next
trace_syscall(struct trace *trace, pid_t tid, trace_stop stop, void *tool)
{
	struct tracee *t = trace_find(trace, tid);
	struct __ptrace_syscall_info info = {0};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) < 0)
		return TRACE_GO_ON; /* it died in between */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		t->inside = true;
		t->nr = info.entry.nr;
		memcpy(t->args, info.entry.args, sizeof(t->args));
		if (!trace->begun)
			trace->begun = trace_names_dir(trace, tid, &info);
	} else if (!t->inside) {
		return TRACE_GO_ON; /* the exit of a call never seen: a clone */
	} else {
		t->inside = false;
	}
	return trace->begun ? stop(tool, t, &info) : TRACE_GO_ON;
}

static void
trace_kill(struct trace *trace)
{
	int status;
	pid_t tid;

	for (size_t i = 0; i < TRACE_THREADS; i++)
		if (trace->thread[i].tid != 0)
			kill(trace->thread[i].tid, SIGKILL);
	kill(trace->root, SIGKILL);
	while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (tid > 0 && WIFSTOPPED(status))
			kill(tid, SIGKILL); /* born meanwhile */
		else if (tid == trace->root)
			trace->status = status;
	}
}

/* Fork, and exec argv once the tracer holds on to the child. */
static pid_t
trace_start(char *argv[])
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int gate[2];
	char byte;
	pid_t child;

	if (pipe(gate) < 0)
		trace_die("pipe");
	child = fork();
	if (child < 0)
		trace_die("fork");
	if (child == 0) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) == 0) {
			close(gate[0]);
			execvp(argv[0], argv);
		}
		perror(argv[0]);
		_exit(127);
	}
	close(gate[0]);
	if (ptrace(PTRACE_SEIZE, child, NULL, options) < 0)
		trace_die("PTRACE_SEIZE");
	ptrace(PTRACE_INTERRUPT, child, NULL, NULL);
	close(gate[1]);
	return child;
}

/* Let a stopped thread run to its next stop. */
static void
trace_resume(pid_t tid, int status, bool syscalls)
{
	int event = status >> 16;
	int sig = WSTOPSIG(status);
	bool stopping = sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN ||
			sig == SIGTTOU;

	if (event == PTRACE_EVENT_STOP && stopping) {
		ptrace(PTRACE_LISTEN, tid, NULL, NULL);
		return;
	}
	if (event != 0 || sig == (SIGTRAP | 0x80))
		sig = 0;
	ptrace(syscalls ? PTRACE_SYSCALL : PTRACE_CONT, tid, NULL, sig);
}

/* Run argv to its end, or until stop says to kill it with all its children. */
static void
trace_run(struct trace *trace, char *argv[], trace_stop stop, void *tool)
{
	bool execed = false;
	int status;
	pid_t tid;

	trace->root = trace_start(argv);
	while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (tid < 0)
			continue;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (tid == trace->root)
				trace->status = status;
			trace_find(trace, tid)->tid = 0;
			continue;
		}
		if (status >> 16 == PTRACE_EVENT_EXEC)
			execed = true;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) && execed &&
		    trace_syscall(trace, tid, stop, tool) == TRACE_KILL) {
			trace_kill(trace);
			return;
		}
		trace_resume(tid, status, execed);
	}
}

/* What the tool exits with: as the command did, 128 + n for signal n. */
static int
trace_exit_code(const struct trace *trace)
{
	if (WIFSIGNALED(trace->status))
		return 128 + WTERMSIG(trace->status);
	return WEXITSTATUS(trace->status);
}

#endif
