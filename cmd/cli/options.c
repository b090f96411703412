#include "cli/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stream/parse.h>

#include "cli/help.h"
#include "cli/table.h"

/* getopt_long() gives a long option as this and its row. */
enum { LONG = 256 };

/* A command line on its way through getopt_long(). */
struct line {
	struct cli_row rows[CLI_ROWS];
	size_t count;
	struct option longs[CLI_ROWS + 1];
	char letters[2 * CLI_ROWS + 3];
	struct cli_asked asked;
};

/* "+" stops at the first argument: the rest is the sub-command's.  ":" lets
 * a missing argument be told from an unknown option. */
static void
line_init(struct line *line, struct cli_context *context,
    const struct cli_command *command, void *opts)
{
	char *letter = line->letters;

	memset(line, 0, sizeof(*line));
	line->count =
	    cli_table_rows(command, opts, context, &line->asked, line->rows);
	if (command->commands != NULL)
		*letter++ = '+';
	*letter++ = ':';
	for (size_t i = 0; i < line->count; i++) {
		const struct cli_option *option = line->rows[i].option;
		bool takes = option->kind != CLI_FLAG;

		line->longs[i] = (struct option){option->name,
		    takes ? required_argument : no_argument, NULL,
		    LONG + (int)i};
		if (option->letter == 0)
			continue;
		*letter++ = option->letter;
		if (takes)
			*letter++ = ':';
	}
}

static const struct cli_row *
find_row(const struct line *line, int value)
{
	if (value >= LONG)
		return &line->rows[value - LONG];
	for (size_t i = 0; i < line->count; i++)
		if (line->rows[i].option->letter == value)
			return &line->rows[i];
	return NULL;
}

static int
add_to_list(struct cli_list *list, const char *text, struct stream_error *err)
{
	const char **items =
	    realloc(list->items, (list->count + 1) * sizeof(*items));

	if (items == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	items[list->count] = text;
	*list = (struct cli_list){items, list->count + 1};
	return STREAM_OK;
}

/* words is "one|two|three"; *index counts from 0. */
static int
choose(
    const char *words, const char *text, int *index, struct stream_error *err)
{
	size_t size = strlen(text);
	int at = 0;

	for (const char *word = words;; word++, at++) {
		size_t n = strcspn(word, "|");

		if (n == size && memcmp(word, text, n) == 0) {
			*index = at;
			return STREAM_OK;
		}
		word += n;
		if (*word == '\0')
			return cli_fail(err, STREAM_EUSAGE,
			    "\"%s\" is not one of %s", text, words);
	}
}

static int
set_delimiter(
    struct stream_bytes *delimiter, const char *text, struct stream_error *err)
{
	uint8_t *bytes;
	size_t size;
	int status = stream_parse_escapes(text, &bytes, &size, err);

	if (status != STREAM_OK)
		return status;
	if (size == 0) {
		free(bytes);
		return cli_fail(err, STREAM_EUSAGE, "may not be empty");
	}
	free((void *)(uintptr_t)delimiter->data); /* of an earlier one */
	*delimiter = (struct stream_bytes){bytes, size};
	return STREAM_OK;
}

static int
set_member(
    const struct cli_row *row, const char *text, struct stream_error *err)
{
	void *member = row->member;
	int64_t count;
	int status = STREAM_OK;

	switch (row->option->kind) {
	case CLI_FLAG:
		*(bool *)member = true;
		return STREAM_OK;
	case CLI_TEXT:
		*(const char **)member = text;
		return STREAM_OK;
	case CLI_COUNT:
		status = stream_parse_int(text, 0, INT64_MAX, &count, err);
		if (status == STREAM_OK)
			*(uint64_t *)member = (uint64_t)count;
		return status;
	case CLI_INT:
		return stream_parse_int(
		    text, INT64_MIN, INT64_MAX, member, err);
	case CLI_SIZE:
		return stream_parse_size(text, member, err);
	case CLI_DURATION:
		return stream_parse_duration(text, member, err);
	case CLI_LIST:
		return add_to_list(member, text, err);
	case CLI_CHOICE:
		return choose(row->option->arg, text, member, err);
	case CLI_DELIMITER:
		return set_delimiter(member, text, err);
	}
	return status;
}

static enum cli_found
set_row(const struct cli_row *row, const char *text, struct stream_error *err)
{
	struct stream_error why;
	int status = set_member(row, text, &why);

	if (status == STREAM_OK)
		return CLI_FOUND_OPTIONS;
	cli_fail(err, (enum stream_status)status, "--%s: %s", row->option->name,
	    why.text);
	return CLI_FOUND_WRONG;
}

/* word is "--name" or "--name=value" and names no option, or several. */
static void
unknown_long(
    const struct line *line, const char *word, struct stream_error *err)
{
	const char *names[CLI_ROWS], *near;
	char name[64];
	size_t count = 0, alike = 0;
	int n = (int)strcspn(word, "=");

	snprintf(name, sizeof(name), "%.*s", n > 2 ? n - 2 : 0, word + 2);
	for (size_t i = 0; i < line->count; i++) {
		const struct cli_option *option = line->rows[i].option;

		if (option->help == NULL)
			continue;
		names[count++] = option->name;
		alike += strncmp(option->name, name, strlen(name)) == 0;
	}
	near = stream_parse_nearest(name, names, count);
	if (alike > 1)
		cli_fail(err, STREAM_EUSAGE, "several options begin with %.*s",
		    n, word);
	else if (near != NULL)
		cli_fail(err, STREAM_EUSAGE,
		    "unknown option %.*s; did you mean --%s?", n, word, near);
	else
		cli_fail(err, STREAM_EUSAGE, "unknown option %.*s", n, word);
}

/* What getopt_long() answered with '?' or ':'. */
static enum cli_found
wrong(const struct line *line, int answer, const char *word,
    struct stream_error *err)
{
	const struct cli_row *row = optopt != 0 ? find_row(line, optopt) : NULL;

	if (answer == ':')
		cli_fail(err, STREAM_EUSAGE, "--%s needs an argument, %s",
		    row->option->name, row->option->arg);
	else if (row != NULL)
		cli_fail(err, STREAM_EUSAGE, "--%s takes no argument",
		    row->option->name);
	else if (optopt != 0)
		cli_fail(err, STREAM_EUSAGE, "unknown option -%c", optopt);
	else
		unknown_long(line, word, err);
	return CLI_FOUND_WRONG;
}

/* "A B" with one argument lacks B; dots say that more may follow. */
static enum cli_found
too_few(const char *names, int count, struct stream_error *err)
{
	size_t size;

	for (; count > 0; count--)
		names += strcspn(names, " ") + 1;
	size = strcspn(names, " ");
	if (size > 3 && strncmp(names + size - 3, "...", 3) == 0)
		size -= 3;
	cli_fail(err, STREAM_EUSAGE, "too few arguments: %.*s is missing",
	    (int)size, names);
	return CLI_FOUND_WRONG;
}

static enum cli_found
check_arguments(const struct cli_command *command, int count, char **arguments,
    struct stream_error *err)
{
	if (command->commands != NULL)
		return CLI_FOUND_OPTIONS;
	if (count < command->least)
		return too_few(command->args, count, err);
	if (count > command->most)
		cli_fail(err, STREAM_EUSAGE, "unexpected argument \"%s\"",
		    arguments[command->most]);
	else
		return CLI_FOUND_OPTIONS;
	return CLI_FOUND_WRONG;
}

static enum cli_found
found(const struct cli_asked *asked)
{
	if (asked->help)
		return CLI_FOUND_HELP;
	if (asked->version)
		return CLI_FOUND_VERSION;
	return asked->dump ? CLI_FOUND_DUMP : CLI_FOUND_OPTIONS;
}

enum cli_found
cli_options_take(struct cli_context *context, const struct cli_command *command,
    void *opts, int argc, char *argv[], int *first, struct stream_error *err)
{
	enum cli_found result = CLI_FOUND_OPTIONS;
	const struct cli_row *row;
	struct line line;
	int answer;

	line_init(&line, context, command, opts);
	optind = 0; /* glibc: begin anew */
	opterr = 0;
	while (result == CLI_FOUND_OPTIONS) {
		answer =
		    getopt_long(argc, argv, line.letters, line.longs, NULL);
		if (answer == -1)
			break;
		if (answer == '?' || answer == ':')
			return wrong(&line, answer, argv[optind - 1], err);
		row = find_row(&line, answer);
		assert(row != NULL); /* getopt_long() knows no others */
		result = set_row(row, optarg, err);
		if (result == CLI_FOUND_OPTIONS)
			result = found(&line.asked);
	}
	*first = optind;
	if (result != CLI_FOUND_OPTIONS)
		return result;
	return check_arguments(command, argc - optind, argv + optind, err);
}

int
cli_parse(struct cli_context *context, const struct cli_command *command,
    void *opts, int argc, char *argv[])
{
	struct stream_error err;
	int first = argc;

	switch (cli_options_take(
	    context, command, opts, argc, argv, &first, &err)) {
	case CLI_FOUND_OPTIONS:
		return first;
	case CLI_FOUND_HELP:
		cli_help(command);
		break;
	case CLI_FOUND_VERSION:
		cli_help_version();
		break;
	case CLI_FOUND_DUMP:
		cli_help_dump(command);
		break;
	case CLI_FOUND_WRONG:
		if (err.status == STREAM_EUSAGE)
			exit((int)cli_usage(command, "%s", err.text));
		exit((int)cli_report(command->name, &err));
	}
	exit((int)cli_finish(CLI_DONE));
}

static void
release_row(const struct cli_row *row)
{
	if (row->option->kind == CLI_LIST) {
		struct cli_list *list = row->member;

		free(list->items);
		*list = (struct cli_list){0};
	} else if (row->option->kind == CLI_DELIMITER) {
		struct stream_bytes *bytes = row->member;

		free((void *)(uintptr_t)bytes->data);
		*bytes = (struct stream_bytes){0};
	}
}

void
cli_release(const struct cli_command *command, void *opts)
{
	struct cli_row rows[CLI_ROWS];
	size_t count = cli_table_rows(command, opts, NULL, NULL, rows);

	for (size_t i = 0; i < count; i++)
		if (rows[i].member != NULL)
			release_row(&rows[i]);
}

enum cli_exit
cli_usage(const struct cli_command *command, const char *format, ...)
{
	char text[sizeof(((struct stream_error *)0)->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cli_complain(CLI_USAGE, command->name, "%s", text);
	cli_help_synopsis(command, stderr);
	return CLI_USAGE;
}
