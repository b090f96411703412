/* Command lines, and what a table makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { WORDS = 24 };

struct range {
	uint64_t count;
};

struct opts {
	bool dry;
	const char *format;
	int64_t partition;
	int64_t bytes;
	int64_t linger_ms;
	struct cli_list headers;
	int isolation;
	struct stream_bytes delimiter;
	struct range range;
};

static const struct cli_option range_options[] = {
    {'n', "count", "N", CLI_COUNT, offsetof(struct range, count),
	"stop after N"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {range_options, offsetof(struct opts, range)},
    {NULL, 0},
};

static const struct cli_option options[] = {
    {'N', "dry-run", NULL, CLI_FLAG, offsetof(struct opts, dry),
	"change nothing"},
    {'f', "format", "FMT", CLI_TEXT, offsetof(struct opts, format), "how"},
    {'p', "partition", "P", CLI_INT, offsetof(struct opts, partition), "which"},
    {0, "batch-bytes", "SIZE", CLI_SIZE, offsetof(struct opts, bytes),
	"how large"},
    {0, "linger", "TIME", CLI_DURATION, offsetof(struct opts, linger_ms),
	"how long"},
    {'H', "header", "N=V", CLI_LIST, offsetof(struct opts, headers), "add"},
    {'i', "isolation", "committed|uncommitted", CLI_CHOICE,
	offsetof(struct opts, isolation), "what"},
    {'D', "delimiter", "DELIM", CLI_DELIMITER, offsetof(struct opts, delimiter),
	"where"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static enum cli_exit
run(struct cli_context *context, int argc, char *argv[])
{
	(void)context;
	(void)argv;
	return argc > 0 ? CLI_DONE : CLI_NO;
}

static const struct cli_command command = {
    .name = "topic test",
    .args = "ADDRESS [FILE]",
    .summary = "Test.",
    .least = 1,
    .most = 2,
    .options = options,
    .groups = groups,
    .run = run,
};

static const struct cli_command *const subs[] = {&command, NULL};

static const struct cli_command parent = {
    .name = "topic",
    .args = "COMMAND",
    .summary = "Test.",
    .commands = subs,
};

/* A parsed line; cut() has made its words. */
struct parsed {
	char text[256];
	char *argv[WORDS + 1];
	int argc;
	int first;
	struct cli_context context;
	struct opts opts;
	struct stream_error err;
	enum cli_found found;
};

/* Words end at spaces; "~" is an empty word. */
static void
cut(struct parsed *p, const char *line)
{
	char *save = NULL;

	*p = (struct parsed){0};
	snprintf(p->text, sizeof(p->text), "test %s", line);
	for (char *word = strtok_r(p->text, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		assert_true(p->argc < WORDS);
		if (strcmp(word, "~") == 0)
			word[0] = '\0';
		p->argv[p->argc++] = word;
	}
}

static void
parse_as(struct parsed *p, const struct cli_command *as, const char *line)
{
	cut(p, line);
	p->context.store = ".";
	p->opts.partition = -1;
	p->found = cli_options_take(
	    &p->context, as, &p->opts, p->argc, p->argv, &p->first, &p->err);
}

static void
parse(struct parsed *p, const char *line)
{
	parse_as(p, &command, line);
}

static void
done(struct parsed *p)
{
	cli_release(&command, &p->opts);
	cli_release(&command, &p->opts); /* twice is allowed */
}

static void
good(struct parsed *p, const char *line)
{
	parse(p, line);
	if (p->found != CLI_FOUND_OPTIONS)
		fail_msg("%s: %d, %s", line, p->found, p->err.text);
}

static void
every_kind_fills_its_member(void **state)
{
	struct parsed p;

	(void)state;
	good(&p, "-N -f %s -p 3 --batch-bytes 64KiB --linger 1m30s -H a=b "
		 "--header c=d -i uncommitted -D \\r\\n -n 7 orders");
	assert_true(p.opts.dry);
	assert_string_equal(p.opts.format, "%s");
	assert_true(p.opts.partition == 3);
	assert_true(p.opts.bytes == 65536);
	assert_true(p.opts.linger_ms == 90000);
	assert_true(p.opts.headers.count == 2);
	assert_string_equal(p.opts.headers.items[0], "a=b");
	assert_string_equal(p.opts.headers.items[1], "c=d");
	assert_int_equal(p.opts.isolation, 1);
	assert_true(p.opts.delimiter.size == 2);
	assert_memory_equal(p.opts.delimiter.data, "\r\n", 2);
	assert_true(p.opts.range.count == 7);
	assert_string_equal(p.argv[p.first], "orders");
	done(&p);
	assert_null(p.opts.headers.items);
	assert_null(p.opts.delimiter.data);
}

static void
what_is_not_given_keeps_its_default(void **state)
{
	struct parsed p;

	(void)state;
	good(&p, "orders");
	assert_false(p.opts.dry);
	assert_null(p.opts.format);
	assert_true(p.opts.partition == -1);
	assert_null(p.opts.delimiter.data);
	assert_string_equal(p.context.store, ".");
	assert_false(p.context.quiet);
	done(&p);
}

static void
common_options_fill_the_context(void **state)
{
	struct parsed p;

	(void)state;
	good(&p, "-C /store orders -q --verbose");
	assert_string_equal(p.context.store, "/store");
	assert_true(p.context.quiet);
	assert_true(p.context.verbose);
	done(&p);
}

static void
the_last_of_several_counts(void **state)
{
	struct parsed p;

	(void)state;
	good(&p, "-p 1 -D a -D bc -p 2 orders -D def");
	assert_true(p.opts.partition == 2);
	assert_true(p.opts.delimiter.size == 3);
	done(&p);
}

static void
options_stand_before_or_after_arguments(void **state)
{
	static const struct {
		const char *line;
		int arguments;
		const char *format;
	} rows[] = {
	    {"-f x orders", 1, "x"},
	    {"orders -f x", 1, "x"},
	    {"orders -fx file", 2, "x"},
	    {"orders --format=x file", 2, "x"},
	    {"orders --format x -- -N", 2, "x"},
	    {"-- -f x", 2, NULL},
	    {"orders@-10", 1, NULL},
	    {"orders -f -10", 1, "-10"},
	    {"orders -f ~", 1, ""},
	    {"orders -", 2, NULL},
	    {"-Nfx orders", 1, "x"},
	    {"--dry orders", 1, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct parsed p;

		good(&p, rows[i].line);
		if (p.argc - p.first != rows[i].arguments)
			fail_msg(
			    "%s: %d arguments", rows[i].line, p.argc - p.first);
		if (rows[i].format == NULL)
			assert_null(p.opts.format);
		else
			assert_string_equal(p.opts.format, rows[i].format);
		done(&p);
	}
}

static void
wrong_lines_say_what_is_wrong(void **state)
{
	static const struct {
		const char *line;
		const char *text;
	} rows[] = {
	    {"", "too few arguments: ADDRESS is missing"},
	    {"a b c", "unexpected argument \"c\""},
	    {"-x a", "unknown option -x"},
	    {"-Nx a", "unknown option -x"},
	    {"--fromat=1 a", "unknown option --fromat; did you mean --format?"},
	    {"--zzzzzzzz a", "unknown option --zzzzzzzz"},
	    {"--cli-dumb a", "unknown option --cli-dumb"}, /* hidden */
	    {"--ver a", "several options begin with --ver"},
	    {"a -f", "--format needs an argument, FMT"},
	    {"a --format", "--format needs an argument, FMT"},
	    {"a --dry-run=1", "--dry-run takes no argument"},
	    {"a -n x", "--count: "},
	    {"a -n -1", "--count: "},
	    {"a -n 99999999999999999999", "--count: "},
	    {"a -p 1.5", "--partition: "},
	    {"a --batch-bytes 1x", "--batch-bytes: "},
	    {"a --batch-bytes -1", "--batch-bytes: "},
	    {"a --linger 1y", "--linger: "},
	    {"a -i x", "--isolation: \"x\" is not one of committed|unc"},
	    {"a -i commit", "--isolation: \"commit\" is not one of"},
	    {"a -i ~", "--isolation: \"\" is not one of"},
	    {"a -D \\q", "--delimiter: "},
	    {"a -D ~", "--delimiter: may not be empty"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct parsed p;

		parse(&p, rows[i].line);
		if (p.found != CLI_FOUND_WRONG)
			fail_msg("%s was taken", rows[i].line);
		if (strstr(p.err.text, rows[i].text) != p.err.text)
			fail_msg("%s: %s", rows[i].line, p.err.text);
		assert_int_equal(p.err.status, STREAM_EUSAGE);
		done(&p);
	}
}

static void
help_comes_before_missing_arguments(void **state)
{
	static const struct {
		const char *line;
		enum cli_found found;
	} rows[] = {
	    {"-h", CLI_FOUND_HELP},
	    {"--help", CLI_FOUND_HELP},
	    {"a b c d --help", CLI_FOUND_HELP},
	    {"--help -x", CLI_FOUND_HELP},
	    {"--version", CLI_FOUND_VERSION},
	    {"--cli-dump", CLI_FOUND_DUMP},
	    {"-- --help", CLI_FOUND_OPTIONS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct parsed p;

		parse(&p, rows[i].line);
		if (p.found != rows[i].found)
			fail_msg("%s: %d", rows[i].line, p.found);
		done(&p);
	}
}

static void
options_after_a_sub_command_are_left_to_it(void **state)
{
	struct parsed p;

	(void)state;
	parse_as(&p, &parent, "-C /s test -C /t --help -q");
	assert_int_equal(p.found, CLI_FOUND_OPTIONS);
	assert_string_equal(p.context.store, "/s");
	assert_string_equal(p.argv[p.first], "test");
	assert_string_equal(p.argv[p.first + 1], "-C");
	parse_as(&p, &parent, "-q test");
	assert_int_equal(p.found, CLI_FOUND_WRONG);
}

static void
each_status_has_its_exit_code(void **state)
{
	static const struct {
		int status;
		enum cli_exit code;
	} rows[] = {
	    {STREAM_OK, CLI_DONE},
	    {STREAM_END, CLI_DONE},
	    {STREAM_ETORN, CLI_DONE},
	    {STREAM_EEXIST, CLI_NO},
	    {STREAM_EUSAGE, CLI_USAGE},
	    {STREAM_ETOOBIG, CLI_USAGE},
	    {STREAM_ECORRUPT, CLI_DAMAGED},
	    {STREAM_ENEWER, CLI_DAMAGED},
	    {STREAM_ENOENT, CLI_NOT_FOUND},
	    {STREAM_EOFFSET, CLI_NOT_FOUND},
	    {STREAM_EBUSY, CLI_BUSY},
	    {STREAM_EFENCED, CLI_BUSY},
	    {STREAM_EIO, CLI_SYSTEM},
	    {STREAM_ENOMEM, CLI_SYSTEM},
	    {STREAM_ELOST, CLI_SYSTEM},
	    {STREAM_EINTR, CLI_SYSTEM},
	    {-1000, CLI_SYSTEM},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(cli_status(rows[i].status), rows[i].code);
	assert_int_equal(cli_first(CLI_DONE, CLI_DAMAGED), CLI_DAMAGED);
	assert_int_equal(cli_first(CLI_SYSTEM, CLI_DAMAGED), CLI_SYSTEM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_fills_its_member),
	    cmocka_unit_test(what_is_not_given_keeps_its_default),
	    cmocka_unit_test(common_options_fill_the_context),
	    cmocka_unit_test(the_last_of_several_counts),
	    cmocka_unit_test(options_stand_before_or_after_arguments),
	    cmocka_unit_test(wrong_lines_say_what_is_wrong),
	    cmocka_unit_test(help_comes_before_missing_arguments),
	    cmocka_unit_test(options_after_a_sub_command_are_left_to_it),
	    cmocka_unit_test(each_status_has_its_exit_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
