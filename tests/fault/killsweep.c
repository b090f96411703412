/*
 * killsweep - kill a command and its children at its Nth system-call stop
 *
 *	killsweep [-d DIR] [-o FILE] [-x SCRIPT] N -- COMMAND...
 *	killsweep [-d DIR] [-o FILE] -c -- COMMAND...
 *
 * Stops are the entry and the exit of each call, in the order in which the
 * kernel reports them for all threads together, from the first call that
 * names a path under DIR on.  -c only counts.  The number of stops seen is
 * written to FILE.  With -x the shell runs SCRIPT while COMMAND stands still,
 * before it is killed: what others see then.  Exits as COMMAND did: 137 means
 *killed, anything else that it ended by itself, so that a sweep over N is
 *complete.
 */
#include "trace.h"

struct sweep {
	unsigned long kill_at; /* 0: never */
	unsigned long stops;
	const char *script; /* NULL: none */
};

static enum trace_next
at_stop(void *tool, struct tracee *t, const struct __ptrace_syscall_info *info)
{
	struct sweep *sweep = tool;

	(void)t;
	(void)info;
	if (++sweep->stops != sweep->kill_at)
		return TRACE_GO_ON;
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
	fputs("usage: killsweep [-d DIR] [-o FILE] [-x SCRIPT] {N | -c}"
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

	for (int c; (c = getopt(argc, argv, "+cd:o:x:")) != -1;) {
		if (c == 'c')
			only_count = true;
		else if (c == 'd')
			trace.dir = optarg;
		else if (c == 'o')
			output = optarg;
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
