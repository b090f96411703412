/*
 * killsweep - kill a command and its children at its Nth system-call stop
 *
 *	killsweep [-d DIR] [-o FILE] [-x SCRIPT] [-w] N -- COMMAND...
 *	killsweep [-d DIR] [-o FILE] -c -- COMMAND...
 *
 * Stops are the entry and the exit of each call, in the order in which the
 * kernel reports them for all threads together, from the first call that
 * names a path under DIR on.  -c only counts.  The number of stops seen is
 * written to FILE.  With -x the shell runs SCRIPT while COMMAND stands still,
 * before it is killed: what others see then.  With -w a pwrite of more than a
 * page, at whose entry that would be, writes half of its pages first, as one
 * that is killed does.  Exits as COMMAND did: 137 means killed, anything else
 * that it ended by itself, so that a sweep over N is complete.
 */
#include "trace.h"

enum { PAGE = 4096 };

struct sweep {
	unsigned long kill_at; /* 0: never */
	unsigned long stops;
	const char *script; /* NULL: none */
	bool cuts;
	const struct tracee *writing; /* half, and dies then; NULL: nobody */
};

static bool
cut_write(const struct tracee *t)
{
	struct user_regs_struct regs;

	if (t->nr != SYS_pwrite64 || t->args[2] <= PAGE)
		return false;
	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &regs) < 0)
		trace_die("PTRACE_GETREGS");
	regs.rdx = (t->args[2] / PAGE + 1) / 2 * PAGE;
	if (ptrace(PTRACE_SETREGS, t->tid, NULL, &regs) < 0)
		trace_die("PTRACE_SETREGS");
	return true;
}

static enum trace_next
at_stop(void *tool, struct tracee *t, const struct __ptrace_syscall_info *info)
{
	struct sweep *sweep = tool;

	if (sweep->writing != t) {
		if (sweep->writing != NULL || ++sweep->stops != sweep->kill_at)
			return TRACE_GO_ON;
		if (sweep->cuts && info->op == PTRACE_SYSCALL_INFO_ENTRY &&
		    cut_write(t)) {
			sweep->writing = t;
			return TRACE_GO_ON;
		}
	}
	if (sweep->script != NULL && system(sweep->script) != 0) {
		fprintf(stderr, "killsweep: failed: %s\n", sweep->script);
		exit(TRACE_FAILED);
	}
	return TRACE_KILL;
}

static void
report(const char *path, unsigned long stops)
{
	FILE *file = fopen(path, "w");

	if (file == NULL || fprintf(file, "%lu\n", stops) < 0 ||
	    fclose(file) != 0)
		trace_die(path);
}

static void
usage(void)
{
	fputs("usage: killsweep [-d DIR] [-o FILE] [-x SCRIPT] [-w] {N | -c}"
	      " -- COMMAND...\n",
	    stderr);
	exit(TRACE_FAILED);
}

int
main(int argc, char *argv[])
{
	static struct trace trace;
	struct sweep sweep = {0};
	const char *output = NULL;
	bool only_count = false;

	for (int c; (c = getopt(argc, argv, "+cd:o:wx:")) != -1;) {
		if (c == 'c')
			only_count = true;
		else if (c == 'd')
			trace.dir = optarg;
		else if (c == 'o')
			output = optarg;
		else if (c == 'w')
			sweep.cuts = true;
		else if (c == 'x')
			sweep.script = optarg;
		else
			usage();
	}
	if (!only_count && optind < argc)
		sweep.kill_at = strtoul(argv[optind++], NULL, 10);
	if (optind < argc && strcmp(argv[optind], "--") == 0)
		optind++;
	if (optind >= argc || (!only_count && sweep.kill_at == 0))
		usage();
	trace_run(&trace, argv + optind, at_stop, &sweep);
	if (output != NULL)
		report(output, sweep.stops);
	return trace_exit_code(&trace);
}
