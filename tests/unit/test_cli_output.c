/* Bytes on their way out: escaped for terminals, exact elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/escape.h"
#include "cli/output.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MIB = 1024 * 1024 };

static const struct {
	const char *bytes;
	const char *shown;
} escapes[] = {
    {"", ""}, {"plain text ~", "plain text ~"}, {"back\\slash", "back\\slash"},
    {"a\nb\tc", "a\nb\tc"}, {"\r", "\\x0d"}, {"\x1b[31m", "\\x1b[31m"},
    {"\x07\x08\x7f", "\\x07\\x08\\x7f"},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"\xc2\x9b", "\\xc2\\x9b"},          /* C1: CSI */
    {"\x9b", "\\x9b"},                   /* the same, alone */
    {"\xff\xfe", "\\xff\\xfe"},          /* never in UTF-8 */
    {"\xc3", "\\xc3"},                   /* cut short */
    {"\xc3(", "\\xc3("},                 /* wrong second byte */
    {"\xe2\x82(", "\\xe2\\x82("},        /* wrong third byte */
    {"\xc0\x8a", "\\xc0\\x8a"},          /* over-long newline */
    {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"}, /* over-long */
    {"\xf0\x80\x80\x8a", "\\xf0\\x80\\x80\\x8a"},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* too high */
    {"\xc2\xad", "\\xc2\\xad"},                   /* soft hyphen */
    {"\xd8\x9c", "\\xd8\\x9c"},                   /* Arabic letter mark */
    {"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},          /* zero-width space */
    {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},          /* line separator */
    {"\xe2\x80\xae", "\\xe2\\x80\\xae"},          /* right to left */
    {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},          /* isolate */
    {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},          /* byte order mark */
    {"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"}, /* tag */
    {"\xe2\x80\xa6", "\xe2\x80\xa6"},             /* an ellipsis stays */
};

static void
what_a_terminal_could_obey_is_escaped(void **state)
{
	uint8_t to[256];

	(void)state;
	for (size_t i = 0; i < COUNT(escapes); i++) {
		size_t size = strlen(escapes[i].bytes);
		size_t n = cli_escape(
		    to, (const uint8_t *)escapes[i].bytes, size, true);

		assert_true(n <= size * CLI_ESCAPE_GROWTH);
		to[n] = '\0';
		if (strcmp((char *)to, escapes[i].shown) != 0)
			fail_msg("row %zu: %s, not %s", i, (char *)to,
			    escapes[i].shown);
	}
}

static void
in_a_message_lines_are_escaped_too(void **state)
{
	uint8_t to[64];
	size_t n = cli_escape(to, (const uint8_t *)"a\nb\tc\0d", 7, false);

	(void)state;
	assert_int_equal(n, 12);
	assert_memory_equal(to, "a\\nb\\tc\\x00d", 12);
}

static void
a_character_cut_at_the_end_is_seen(void **state)
{
	static const struct {
		const char *bytes;
		size_t unfinished;
	} rows[] = {
	    {"", 0},
	    {"a", 0},
	    {"a\xc3", 1},
	    {"a\xc3\xa9", 0},
	    {"a\xe2", 1},
	    {"a\xe2\x82", 2},
	    {"a\xe2\x82\xac", 0},
	    {"\xf0\x9f\x98", 3},
	    {"\xf0\x9f\x98\x80", 0},
	    {"\xe0\x80", 0}, /* over-long: wrong already */
	    {"\x80", 0},
	    {"\xff", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    cli_escape_unfinished(
			(const uint8_t *)rows[i].bytes, strlen(rows[i].bytes)),
		    rows[i].unfinished);
}

/* A file with no name, and what is in it. */
static int
temporary(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0) {
		FILE *file = tmpfile();

		assert_non_null(file);
		fd = fileno(file);
	}
	return fd;
}

static void
assert_holds(int fd, const void *want, size_t size)
{
	uint8_t *got = malloc(size + 1);

	assert_int_equal(pread(fd, got, size + 1, 0), size);
	assert_memory_equal(got, want, size);
	free(got);
}

static void
bytes_are_written_as_they_were_appended(void **state)
{
	static const size_t sizes[] = {
	    0, 1, 100, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 * MIB, 7};
	size_t total = 0;
	uint8_t *data = malloc(5 * MIB);
	struct cli_out out;
	int fd = temporary();

	(void)state;
	for (size_t i = 0; i < 5 * MIB; i++)
		data[i] = (uint8_t)(i * 2654435761U >> 13);
	assert_int_equal(cli_out_open(&out, fd, false, NULL), STREAM_OK);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		cli_out_bytes(&out, data + total, sizes[i]);
		total += sizes[i];
		assert_int_equal(cli_out_position(&out), total);
	}
	assert_int_equal(cli_out_flush(&out, NULL), STREAM_OK);
	assert_int_equal(out.written, total);
	assert_int_equal(cli_out_close(&out, NULL), STREAM_OK);
	assert_holds(fd, data, total);
	close(fd);
	free(data);
}

static void
a_reserve_of_any_size_is_given(void **state)
{
	static const size_t sizes[] = {1, CLI_OUT_RESERVE, 2 * MIB, 5, 3 * MIB};
	uint8_t *want = malloc(6 * MIB);
	size_t total = 0;
	struct cli_out out;
	int fd = temporary();

	(void)state;
	assert_int_equal(cli_out_open(&out, fd, false, NULL), STREAM_OK);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		uint8_t *to = cli_out_reserve(&out, sizes[i]);

		assert_non_null(to);
		memset(to, 'a' + (int)i, sizes[i]);
		memset(want + total, 'a' + (int)i, sizes[i]);
		cli_out_commit(&out, sizes[i]);
		total += sizes[i];
	}
	assert_int_equal(cli_out_close(&out, NULL), STREAM_OK);
	assert_holds(fd, want, total);
	close(fd);
	free(want);
}

static void
numbers_and_formats_are_text(void **state)
{
	static const char want[] =
	    "0 -1 9223372036854775807 -9223372036854775808 x=7\n";
	struct cli_out out;
	int fd = temporary();

	(void)state;
	assert_int_equal(cli_out_open(&out, fd, false, NULL), STREAM_OK);
	cli_out_int(&out, 0);
	cli_out_byte(&out, ' ');
	cli_out_int(&out, -1);
	cli_out_byte(&out, ' ');
	cli_out_int(&out, INT64_MAX);
	cli_out_byte(&out, ' ');
	cli_out_int(&out, INT64_MIN);
	cli_out_text(&out, " x=");
	cli_out_format(&out, "%d\n", 7);
	assert_int_equal(cli_out_close(&out, NULL), STREAM_OK);
	assert_holds(fd, want, sizeof(want) - 1);
	close(fd);
}

static void
a_failed_write_is_kept_and_told(void **state)
{
	struct stream_error err;
	struct cli_out out;
	int fd = open("/dev/full", O_WRONLY);

	(void)state;
	assert_int_equal(cli_out_open(&out, fd, false, NULL), STREAM_OK);
	for (int i = 0; i < 100000; i++)
		cli_out_text(&out, "more than the buffer");
	assert_true(cli_out_failed(&out));
	assert_int_equal(out.written, 0);
	assert_int_equal(cli_out_flush(&out, &err), STREAM_EIO);
	assert_int_equal(err.sys, ENOSPC);
	assert_int_equal(cli_out_close(&out, &err), STREAM_EIO);
	close(fd);
}

static void
a_reader_that_went_is_epipe(void **state)
{
	struct stream_error err;
	struct cli_out out;
	int ends[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(cli_out_open(&out, ends[1], false, NULL), STREAM_OK);
	cli_out_byte(&out, 'x');
	assert_int_equal(cli_out_flush(&out, &err), STREAM_EIO);
	assert_int_equal(err.sys, EPIPE);
	cli_out_close(&out, NULL);
	close(ends[1]);
}

static void
a_pipe_is_made_larger(void **state)
{
	struct cli_out out;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(cli_out_open(&out, ends[1], false, NULL), STREAM_OK);
	if (fcntl(ends[1], F_GETPIPE_SZ) >= MIB)
		assert_int_equal(out.end - out.data, 256 * 1024);
	else
		assert_int_equal(out.end - out.data, 64 * 1024);
	cli_out_close(&out, NULL);
	close(ends[0]);
	close(ends[1]);
}

/* A terminal that changes nothing itself; returns our end of it. */
static int
terminal(int *other)
{
	struct termios raw;
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0)
		skip();
	*other = open(ptsname(fd), O_RDWR | O_NOCTTY);
	assert_true(*other >= 0);
	assert_int_equal(tcgetattr(*other, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(*other, TCSANOW, &raw), 0);
	return fd;
}

static void
assert_shows(int fd, const char *want)
{
	char got[256];
	ssize_t n = read(fd, got, sizeof(got) - 1);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void
only_a_terminal_escapes_and_raw_does_not(void **state)
{
	int other, fd = terminal(&other);
	struct cli_out out;

	(void)state;
	assert_int_equal(cli_out_open(&out, other, false, NULL), STREAM_OK);
	cli_out_bytes(&out, "\x1b[m\xc3\xa9\n", 6);
	assert_int_equal(cli_out_close(&out, NULL), STREAM_OK);
	assert_shows(fd, "\\x1b[m\xc3\xa9\n");
	assert_int_equal(cli_out_open(&out, other, true, NULL), STREAM_OK);
	cli_out_bytes(&out, "\x1b[m\n", 4);
	assert_int_equal(cli_out_close(&out, NULL), STREAM_OK);
	assert_shows(fd, "\x1b[m\n");
	close(other);
	close(fd);
}

static void
a_character_across_two_writes_stays_whole(void **state)
{
	int other, fd = terminal(&other);
	struct cli_out out;

	(void)state;
	assert_int_equal(cli_out_open(&out, other, false, NULL), STREAM_OK);
	cli_out_bytes(&out, "a\xe2\x82", 3);
	cli_out_drain(&out);
	assert_shows(fd, "a");
	assert_int_equal(out.written, 1);
	assert_int_equal(cli_out_position(&out), 3);
	cli_out_bytes(&out, "\xac\n", 2);
	assert_int_equal(cli_out_flush(&out, NULL), STREAM_OK);
	assert_shows(fd, "\xe2\x82\xac\n");
	assert_int_equal(out.written, 5);
	cli_out_close(&out, NULL);
	close(other);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_terminal_could_obey_is_escaped),
	    cmocka_unit_test(in_a_message_lines_are_escaped_too),
	    cmocka_unit_test(a_character_cut_at_the_end_is_seen),
	    cmocka_unit_test(bytes_are_written_as_they_were_appended),
	    cmocka_unit_test(a_reserve_of_any_size_is_given),
	    cmocka_unit_test(numbers_and_formats_are_text),
	    cmocka_unit_test(a_failed_write_is_kept_and_told),
	    cmocka_unit_test(a_reader_that_went_is_epipe),
	    cmocka_unit_test(a_pipe_is_made_larger),
	    cmocka_unit_test(only_a_terminal_escapes_and_raw_does_not),
	    cmocka_unit_test(a_character_across_two_writes_stays_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
