/* Bytes from a pipe or from files, and the records that they are cut into. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/input.h"
#include "cli/signals.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MIB = 1024 * 1024 };

static struct stream_bytes
bytes(const char *text)
{
	return (struct stream_bytes){(const uint8_t *)text, strlen(text)};
}

/* A pipe in the place of standard input; returns its writing end. */
static int
pipe_in(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	return ends[1];
}

static void
feed(int fd, const void *data, size_t size)
{
	assert_int_equal(write(fd, data, size), size);
}

static void
open_input(struct cli_input *in, const char *delimiter, size_t limit)
{
	assert_int_equal(
	    cli_input_open(in, NULL, 0, bytes(delimiter), limit, NULL),
	    STREAM_OK);
}

/* Append what comes next to text: "<record>", "!" too big, "." idle. */
static bool
note_next(struct cli_input *in, char *text, size_t size)
{
	struct stream_bytes record;
	struct stream_error err;
	size_t used = strlen(text);

	switch (cli_input_next(in, &record, &err)) {
	case CLI_INPUT_RECORD:
		snprintf(text + used, size - used, "<%.*s>", (int)record.size,
		    (const char *)record.data);
		return true;
	case CLI_INPUT_TOO_BIG:
		assert_int_equal(err.status, STREAM_ETOOBIG);
		snprintf(text + used, size - used, "!");
		return true;
	case CLI_INPUT_IDLE:
		snprintf(text + used, size - used, ".");
		return false;
	case CLI_INPUT_END:
		return false;
	default:
		fail_msg("%s", err.text);
		return false;
	}
}

struct cut_row {
	const char *delimiter;
	size_t limit;
	const char *input;
	const char *want;
};

static const struct cut_row cuts[] = {
    {"\n", 100, "", ""},
    {"\n", 100, "\n", "<>"},
    {"\n", 100, "a", "<a>"},
    {"\n", 100, "a\n", "<a>"},
    {"\n", 100, "a\n\nb", "<a><><b>"},
    {"\n", 100, "\n\n\n", "<><><>"},
    {"\n", 3, "abc\nde\n", "<abc><de>"},
    {"\n", 3, "abcd\nde\n", "!<de>"},
    {"\n", 3, "abcdefghij\nde\nabcd\n\n", "!<de>!<>"},
    {"\n", 3, "a\nabcd", "<a>!"},
    {"\n", 0, "\na\n\n", "<>!<>"},
    {"\r\n", 100, "a\r\nb\rc\nd\r\n", "<a><b\rc\nd>"},
    {"\r\n", 100, "a\r\n\r\r\n\r", "<a><\r><\r>"},
    {"\r\n", 3, "abc\r\nabcd\r\nab\r\n", "<abc>!<ab>"},
    {"\r\n", 3, "abc\r", "!"},
    {"--", 3, "ab---c--d", "<ab><-c><d>"},
    {"end", 2, "aenenendbbendccc", "!<bb>!"},
};

/* The same bytes in pieces of any size give the same records. */
static void
check_cut(const struct cut_row *row, size_t piece)
{
	size_t size = strlen(row->input);
	char got[256] = "";
	struct cli_input in;
	int fd = pipe_in();

	open_input(&in, row->delimiter, row->limit);
	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		feed(fd, row->input + at, n);
		if (in.fd >= 0) /* opened by the first look */
			assert_int_equal(
			    cli_input_wait(&in, -1), CLI_INPUT_READY);
		while (note_next(&in, got, sizeof(got)))
			;
		assert_int_equal(got[strlen(got) - 1], '.');
		got[strlen(got) - 1] = '\0';
	}
	close(fd);
	if (in.fd >= 0)
		assert_int_equal(cli_input_wait(&in, -1), CLI_INPUT_READY);
	while (note_next(&in, got, sizeof(got)))
		;
	if (strcmp(got, row->want) != 0)
		fail_msg(
		    "%s by %zu: %s, not %s", row->input, piece, got, row->want);
	cli_input_close(&in);
}

static void
records_end_at_the_delimiter_however_they_arrive(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cuts); i++)
		for (size_t piece = 1; piece <= strlen(cuts[i].input) + 1;
		     piece++)
			check_cut(&cuts[i], piece);
}

static void
a_record_may_hold_any_byte(void **state)
{
	uint8_t all[257];
	struct stream_bytes record;
	struct cli_input in;
	int fd = pipe_in();

	(void)state;
	for (size_t i = 0; i < 256; i++)
		all[i] = (uint8_t)(i == '\n' ? '\r' : i);
	all[256] = '\n';
	feed(fd, all, sizeof(all));
	close(fd);
	open_input(&in, "\n", MIB);
	assert_int_equal(cli_input_next(&in, &record, NULL), CLI_INPUT_RECORD);
	assert_int_equal(record.size, 256);
	assert_memory_equal(record.data, all, 256);
	cli_input_close(&in);
}

static char *
temporary(const void *data, size_t size)
{
	char *path = strdup("/tmp/strm-test-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	feed(fd, data, size);
	close(fd);
	return path;
}

static void
discard(char *path)
{
	unlink(path);
	free(path);
}

/* Lengths around the buffer's size, and one larger than two of them. */
static void
records_larger_than_the_buffer_come_whole(void **state)
{
	static const size_t sizes[] = {
	    10, MIB - 12, 0, MIB, MIB + 1, 5 * MIB / 2, 3};
	size_t total = 0;
	uint8_t *data, *at;
	struct cli_input in;
	char *path;

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++)
		total += sizes[i] + 1;
	data = at = malloc(total);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		memset(at, 'a' + (int)i, sizes[i]);
		at[sizes[i]] = '\n';
		at += sizes[i] + 1;
	}
	path = temporary(data, total);
	assert_int_equal(
	    cli_input_open(&in, &path, 1, bytes("\n"), 3 * MIB, NULL),
	    STREAM_OK);
	at = data;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct stream_bytes record;

		assert_int_equal(
		    cli_input_next(&in, &record, NULL), CLI_INPUT_RECORD);
		assert_int_equal(record.size, sizes[i]);
		assert_memory_equal(record.data, at, sizes[i]);
		assert_int_equal(cli_input_number(&in), i + 1);
		assert_int_equal(cli_input_position(&in), at - data);
		at += sizes[i] + 1;
	}
	cli_input_close(&in);
	discard(path);
	free(data);
}

static void
a_record_too_big_is_named_and_skipped_in_bounded_memory(void **state)
{
	char *data = malloc(9 * MIB);
	struct stream_bytes record;
	struct stream_error err;
	struct cli_input in;
	char *path;

	(void)state;
	memset(data, 'x', 9 * MIB);
	memcpy(data, "ab\n", 3);
	memcpy(data + 9 * MIB - 4, "\ncd\n", 4);
	path = temporary(data, 9 * MIB);
	assert_int_equal(
	    cli_input_open(&in, &path, 1, bytes("\n"), 100, NULL), STREAM_OK);
	assert_int_equal(cli_input_next(&in, &record, &err), CLI_INPUT_RECORD);
	assert_int_equal(cli_input_next(&in, &record, &err), CLI_INPUT_TOO_BIG);
	assert_int_equal(err.status, STREAM_ETOOBIG);
	assert_non_null(strstr(err.text, "line 2 is larger than 100 bytes"));
	assert_int_equal(cli_input_position(&in), 3);
	assert_int_equal(cli_input_next(&in, &record, &err), CLI_INPUT_RECORD);
	assert_memory_equal(record.data, "cd", 2);
	assert_int_equal(cli_input_number(&in), 3);
	assert_int_equal(cli_input_position(&in), 9 * MIB - 3);
	assert_true(in.capacity <= 2 * MIB);
	assert_int_equal(cli_input_next(&in, &record, &err), CLI_INPUT_END);
	cli_input_close(&in);
	discard(path);
	free(data);
}

static void
each_file_ends_its_last_record(void **state)
{
	char *paths[] = {
	    temporary("a\nb", 3), temporary("", 0), temporary("c", 1)};
	char got[64] = "";
	struct cli_input in;

	(void)state;
	assert_int_equal(
	    cli_input_open(&in, paths, 3, bytes("\n"), 100, NULL), STREAM_OK);
	while (note_next(&in, got, sizeof(got)))
		;
	assert_string_equal(got, "<a><b><c>");
	assert_int_equal(cli_input_number(&in), 1); /* in its file */
	assert_string_equal(cli_input_name(&in), paths[2]);
	cli_input_close(&in);
	for (size_t i = 0; i < COUNT(paths); i++)
		discard(paths[i]);
}

static void
a_file_that_cannot_be_read_is_named(void **state)
{
	static const struct {
		const char *path;
		enum stream_status status;
	} rows[] = {
	    {"/nowhere/at/all", STREAM_ENOENT},
	    {"/", STREAM_EIO},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *path = strdup(rows[i].path);
		struct stream_bytes record;
		struct stream_error err;
		struct cli_input in;

		cli_input_open(&in, &path, 1, bytes("\n"), 100, NULL);
		assert_int_equal(
		    cli_input_next(&in, &record, &err), CLI_INPUT_FAILED);
		assert_int_equal(err.status, rows[i].status);
		assert_ptr_equal(strstr(err.text, path), err.text);
		cli_input_close(&in);
		free(path);
	}
}

static void
an_empty_pipe_is_idle_until_the_timeout(void **state)
{
	char got[64] = "";
	struct cli_input in;
	int fd = pipe_in();

	(void)state;
	open_input(&in, "\n", 100);
	assert_false(note_next(&in, got, sizeof(got)));
	assert_int_equal(cli_input_wait(&in, 10), CLI_INPUT_TIMEOUT);
	feed(fd, "a\nb", 3);
	if (in.fd >= 0)
		assert_int_equal(cli_input_wait(&in, -1), CLI_INPUT_READY);
	assert_true(note_next(&in, got, sizeof(got)));
	assert_false(note_next(&in, got, sizeof(got)));
	assert_string_equal(got, ".<a>.");
	close(fd);
	if (in.fd >= 0)
		assert_int_equal(cli_input_wait(&in, -1), CLI_INPUT_READY);
	assert_true(note_next(&in, got, sizeof(got)));
	assert_string_equal(got, ".<a>.<b>");
	cli_input_close(&in);
}

/* Last of all: a stop stays. */
static void
a_stop_comes_after_the_records_that_were_read(void **state)
{
	struct stream_bytes record;
	struct stream_error err;
	struct cli_input in;
	int fd = pipe_in();

	(void)state;
	cli_signals_init();
	open_input(&in, "\n", 100);
	feed(fd, "a\nb\nhalf", 8);
	assert_int_equal(cli_input_next(&in, &record, &err), CLI_INPUT_RECORD);
	raise(SIGTERM);
	assert_int_equal(cli_signals_pending(), SIGTERM);
	assert_int_equal(cli_input_next(&in, &record, &err), CLI_INPUT_RECORD);
	assert_int_equal(
	    cli_input_next(&in, &record, &err), CLI_INPUT_INTERRUPTED);
	assert_int_equal(cli_input_wait(&in, -1), CLI_INPUT_STOP);
	cli_input_close(&in);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_end_at_the_delimiter_however_they_arrive),
	    cmocka_unit_test(a_record_may_hold_any_byte),
	    cmocka_unit_test(records_larger_than_the_buffer_come_whole),
	    cmocka_unit_test(
		a_record_too_big_is_named_and_skipped_in_bounded_memory),
	    cmocka_unit_test(each_file_ends_its_last_record),
	    cmocka_unit_test(a_file_that_cannot_be_read_is_named),
	    cmocka_unit_test(an_empty_pipe_is_idle_until_the_timeout),
	    cmocka_unit_test(a_stop_comes_after_the_records_that_were_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
