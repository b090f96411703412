/* The progress line: what it says, and who sees it. */
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/progress.h"

#define GIB (UINT64_C(1) << 30)

static void
a_line_says_how_much_how_fast_and_how_long(void **state)
{
	static const struct {
		uint64_t done, total;
		int64_t elapsed_ms;
		const char *want;
	} rows[] = {
	    {0, 100, 1000, "  0%  0 B of 100 B  0 B/s  0:00 left"},
	    {50, 100, 1000, " 50%  50 B of 100 B  50 B/s  0:01 left"},
	    {GIB, 4 * GIB, 500,
		" 25%  1.0 GiB of 4.0 GiB  2.0 GiB/s  0:02 left"},
	    {GIB, 100 * GIB, 8000,
		"  1%  1.0 GiB of 100 GiB  128 MiB/s  13:12 left"},
	    {GIB, 1000 * GIB, 8000,
		"  0%  1.0 GiB of 1.0 TiB  128 MiB/s  2:13:12 left"},
	    {200, 100, 1000, "100%  100 B of 100 B  200 B/s  0:00 left"},
	    {2048, 0, 2000, "2.0 KiB  1.0 KiB/s"},
	    {5, 10, 0, " 50%  5 B of 10 B  4.9 KiB/s  0:00 left"},
	    {UINT64_MAX, UINT64_MAX, 1,
		"100%  16 EiB of 16 EiB  16000 EiB/s  0:00 left"},
	};
	char text[CLI_PROGRESS_LINE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cli_progress_line(
		    rows[i].done, rows[i].total, rows[i].elapsed_ms, text);
		assert_string_equal(text, rows[i].want);
	}
}

/* What an update and a clearing after half a second write to file descriptor
 * 2 while that is fd.  The times are moved, so that it makes no difference how
 * long anything takes. */
static void
run_on(int fd, bool quiet)
{
	struct cli_context context = {.quiet = quiet};
	struct cli_progress progress;
	int saved = dup(STDERR_FILENO);

	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	cli_progress_begin(&progress, &context, 100);
	progress.start_ms += 60000;
	cli_progress_update(&progress, 1); /* too soon */
	progress.start_ms -= 60500;
	cli_progress_update(&progress, 50);
	progress.drawn_ms += 60000;
	cli_progress_update(&progress, 60); /* too soon */
	cli_progress_clear(&progress);
	cli_progress_clear(&progress);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

/* What has come until it ends with end, or nothing more does for a while: a
 * terminal hands on what was written when it comes to it. */
static size_t
read_all(int fd, const char *end, char *text, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int wait_ms = *end != '\0' ? 10000 : 50;
	size_t got = 0;

	text[0] = '\0';
	while ((*end == '\0' || got < strlen(end) ||
		   strcmp(text + got - strlen(end), end) != 0) &&
	       poll(&p, 1, wait_ms) > 0) {
		ssize_t n = read(fd, text + got, size - 1 - got);

		if (n <= 0)
			break;
		got += (size_t)n;
		text[got] = '\0';
	}
	return got;
}

static void
a_terminal_sees_one_line_and_then_none(void **state)
{
	char text[512];
	int mine, terminal;

	(void)state;
	assert_int_equal(openpty(&mine, &terminal, NULL, NULL, NULL), 0);
	run_on(terminal, false);
	read_all(mine, "left\033[K\r\033[K", text, sizeof(text));
	assert_non_null(strstr(text, "\r 50%  50 B of 100 B"));
	assert_null(strstr(text, "60 B"));
	assert_string_equal(text + strlen(text) - 4, "\r\033[K");
	run_on(terminal, true);
	assert_int_equal(read_all(mine, "", text, sizeof(text)), 0);
	close(mine);
	close(terminal);
}

static void
a_pipe_sees_nothing(void **state)
{
	char text[512];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	run_on(fds[1], false);
	assert_int_equal(read_all(fds[0], "", text, sizeof(text)), 0);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_says_how_much_how_fast_and_how_long),
	    cmocka_unit_test(a_terminal_sees_one_line_and_then_none),
	    cmocka_unit_test(a_pipe_sees_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
