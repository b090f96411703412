/*
 * latency - how long a line takes from one command to another
 *
 *	latency [-n LINES] [-r RATE] WRITER READER [WRITER READER]
 *
 * All are run by sh: lines go to WRITER's standard input, RATE a second, and
 * are awaited on READER's standard output before the next is written.  Prints
 * the median, the quartiles and the 99th percentile in microseconds, in the
 * order median, 1st, 3rd, 99th.
 *
 * With a second pair both run at once and lines go to them in turn, so that
 * what else the machine does meets both alike; which comes first changes from
 * line to line, as a line finds the processor as the one before it left it.
 * Then a third row tells of the differences, first less second, line by line.
 */
#include <errno.h>
#include <fcntl.h>
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
 * end, which no other command gets: it would keep the pipe open. */
static int
start(const char *command, int target, pid_t *pid)
{
	int ends[2];
	int theirs = target == STDIN_FILENO ? 0 : 1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe");
	*pid = fork();
	if (*pid < 0)
		die("fork");
	if (*pid == 0) {
		dup2(ends[theirs], target);
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

/* A line on its way through one pair of commands. */
struct pipeline {
	pid_t writer, reader;
	int to, from;
	int64_t *took; /* nanoseconds, by line */
};

static void
open_pipeline(struct pipeline *p, char *const commands[2], int lines)
{
	p->took = calloc((size_t)lines, sizeof(*p->took));
	if (p->took == NULL)
		die("calloc");
	p->from = start(commands[1], STDOUT_FILENO, &p->reader);
	usleep(100000);
	p->to = start(commands[0], STDIN_FILENO, &p->writer);
}

static void
close_pipeline(struct pipeline *p)
{
	close(p->to);
	waitpid(p->writer, NULL, 0);
	kill(p->reader, SIGTERM);
	waitpid(p->reader, NULL, 0);
	close(p->from);
	free(p->took);
}

/* Both programs are there when a line comes through. */
static void
await_start(const struct pipeline *p)
{
	char line[LINE_SIZE];
	int tries = 0;

	do
		send_line(p->to, line, -++tries);
	while (!await_line(p->from, line, 200) && tries < 50);
}

static int64_t
time_line(const struct pipeline *p, int number)
{
	char line[LINE_SIZE];
	int64_t start_ns = now_ns();

	send_line(p->to, line, number);
	await_line(p->from, line, -1);
	return now_ns() - start_ns;
}

/* Every pipeline gets a line in each period. */
static void
measure(struct pipeline *pipelines, int count, int lines, int64_t period_ns)
{
	int64_t next = now_ns();

	for (int i = -WARM_UP; i < lines; i++) {
		for (int turn = 0; turn < count; turn++) {
			struct pipeline *p =
			    &pipelines[(turn + i + WARM_UP) % count];
			int64_t took;

			next += period_ns / count;
			sleep_until(next);
			took = time_line(p, i);
			if (i >= 0)
				p->took[i] = took;
		}
	}
}

/* The values are sorted. */
static void
print_row(int64_t *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), compare);
	printf("%.1f %.1f %.1f %.1f\n", (double)values[count / 2] / 1000,
	    (double)values[count / 4] / 1000,
	    (double)values[count - 1 - count / 4] / 1000,
	    (double)values[count - 1 - count / 100] / 1000);
}

static void
print_rows(struct pipeline *pipelines, int count, int lines)
{
	int64_t *differ = calloc((size_t)lines, sizeof(*differ));

	if (differ == NULL)
		die("calloc");
	for (int i = 0; count == 2 && i < lines; i++)
		differ[i] = pipelines[0].took[i] - pipelines[1].took[i];
	for (int i = 0; i < count; i++)
		print_row(pipelines[i].took, lines);
	if (count == 2)
		print_row(differ, lines);
	free(differ);
}

int
main(int argc, char *argv[])
{
	struct pipeline pipelines[2];
	int lines = 5000, rate = 1000, count;

	for (int c; (c = getopt(argc, argv, "n:r:")) != -1;) {
		if (c == 'n')
			lines = atoi(optarg);
		else if (c == 'r')
			rate = atoi(optarg);
	}
	count = (argc - optind) / 2;
	if ((argc - optind != 2 && argc - optind != 4) || lines < 1 ||
	    rate < 1) {
		fputs("usage: latency [-n LINES] [-r RATE] WRITER READER "
		      "[WRITER READER]\n",
		    stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < count; i++)
		open_pipeline(&pipelines[i], argv + optind + 2 * i, lines);
	for (int i = 0; i < count; i++)
		await_start(&pipelines[i]);
	measure(pipelines, count, lines, 1000000000 / rate);
	print_rows(pipelines, count, lines);
	for (int i = 0; i < count; i++)
		close_pipeline(&pipelines[i]);
	return 0;
}
