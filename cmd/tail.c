/*
 * tail.c - print the last records, and follow
 */
#include "commands.h"
#include "reading.h"

/* As many as tail(1) prints. */
enum { LAST = 10 };

struct tail_opts {
	struct reading_opts reading;
	uint64_t count;
};

static const struct cli_option options[] = {
    {'n', "count", "N", CLI_COUNT, offsetof(struct tail_opts, count),
	"begin with the last N records of each partition (default 10)"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {printing_options, offsetof(struct tail_opts, reading.printing)},
    {reading_options, offsetof(struct tail_opts, reading)},
    {reader_options, offsetof(struct tail_opts, reading.reader)},
    {NULL, 0},
};

static enum cli_exit run_tail(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command tail_command = {
    .name = "tail",
    .args = "ADDRESS...",
    .summary = "Print the last records of each partition; -F follows.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .run = run_tail,
};

static enum cli_exit
run_tail(struct cli_context *context, int argc, char *argv[])
{
	struct tail_opts opts = {.count = LAST};
	struct reading reading = {.opts = &opts.reading, .limit = -1};
	enum cli_exit code;
	int first = cli_parse(context, &tail_command, &opts, argc, argv);

	reading.last = (int64_t)opts.count;
	code = reading_run(context, &reading, argv + first, argc - first);
	cli_release(&tail_command, &opts);
	return code;
}
