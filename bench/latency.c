/*
 * latency - how long a line takes from one command to another
 *
 *	latency [-n LINES] [-r RATE] WRITER READER
 *
 * Both are run by sh: lines go to WRITER's standard input, RATE a second, and
 * are awaited on READER's standard output before the next is written.  Prints
 * the median and the 99th percentile in microseconds.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 64, WARM_UP = 200 };

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Run command with one end of a pipe as its descriptor target; give the other
 * end. */
static int
start(const char *command, int target, pid_t *pid)
{
	int ends[2];
	int theirs = target == STDIN_FILENO ? 0 : 1;

	if (pipe(ends) < 0)
		die("pipe");
	*pid = fork();
	if (*pid < 0)
		die("fork");
	if (*pid == 0) {
		dup2(ends[theirs], target);
		close(ends[0]);
		close(ends[1]);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(ends[theirs]);
	return ends[1 - theirs];
}

static void
send_line(int fd, char line[LINE_SIZE], int number)
{
	int size = snprintf(
	    line, LINE_SIZE, "{\"event\":\"latency\",\"number\":%d}\n", number);

	if (write(fd, line, (size_t)size) != size)
		die("write");
}

/* Read until line has come; 0 when it did not within the time. */
static int
await_line(int fd, const char *line, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char got[65536];
	size_t size = strlen(line);

	while (timeout_ms < 0 || poll(&p, 1, timeout_ms) > 0) {
		ssize_t n = read(fd, got, sizeof(got));

		if (n <= 0)
			die("the reader ended");
		if ((size_t)n >= size &&
		    memcmp(got + n - size, line, size) == 0)
			return 1;
	}
	return 0;
}

static void
sleep_until(int64_t when_ns)
{
	struct timespec t = {when_ns / 1000000000, when_ns % 1000000000};

	while (
	    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		continue;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
measure(int to, int from, int lines, int64_t pause_ns)
{
	int64_t *took = calloc((size_t)lines, sizeof(*took));
	int64_t next = now_ns();
	char line[LINE_SIZE];
	int tries = 0;

	if (took == NULL)
		die("calloc");
	do
		send_line(to, line, -++tries);
	while (!await_line(from, line, 200) && tries < 50);
	for (int i = -WARM_UP; i < lines; i++) {
		int64_t start_ns;

		next += pause_ns;
		sleep_until(next);
		start_ns = now_ns();
		send_line(to, line, i);
		await_line(from, line, -1);
		if (i >= 0)
			took[i] = now_ns() - start_ns;
	}
	qsort(took, (size_t)lines, sizeof(*took), compare);
	printf("%.1f %.1f\n", (double)took[lines / 2] / 1000,
	    (double)took[lines - 1 - lines / 100] / 1000);
	free(took);
}

int
main(int argc, char *argv[])
{
	int lines = 5000, rate = 1000;
	pid_t writer, reader;
	int to, from;

	for (int c; (c = getopt(argc, argv, "n:r:")) != -1;) {
		if (c == 'n')
			lines = atoi(optarg);
		else if (c == 'r')
			rate = atoi(optarg);
	}
	if (argc - optind != 2 || lines < 1 || rate < 1) {
		fputs("usage: latency [-n LINES] [-r RATE] WRITER READER\n",
		    stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	from = start(argv[optind + 1], STDOUT_FILENO, &reader);
	usleep(100000);
	to = start(argv[optind], STDIN_FILENO, &writer);
	measure(to, from, lines, 1000000000 / rate);
	close(to);
	waitpid(writer, NULL, 0);
	kill(reader, SIGTERM);
	waitpid(reader, NULL, 0);
	return 0;
}
