/*
 * consume.c - print the records of topics, partitions and log files
 */
#include "commands.h"
#include "reading.h"

struct consume_opts {
	struct reading_opts reading;
	uint64_t count;
	const char *partitions;
	const char *offset;
};

/* "No limit" for -n, which a user cannot write. */
static const uint64_t NO_COUNT = UINT64_MAX;

static const struct cli_option options[] = {
    {'n', "count", "N", CLI_COUNT, offsetof(struct consume_opts, count),
	"stop after N records in all"},
    {'p', "partition", "LIST", CLI_TEXT,
	offsetof(struct consume_opts, partitions),
	"partitions, as in TOPIC:LIST"},
    {'o', "offset", "RANGE", CLI_TEXT, offsetof(struct consume_opts, offset),
	"where to begin and end, as in TOPIC@RANGE"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {printing_options, offsetof(struct consume_opts, reading.printing)},
    {reading_options, offsetof(struct consume_opts, reading)},
    {reader_options, offsetof(struct consume_opts, reading.reader)},
    {NULL, 0},
};

static enum cli_exit run_consume(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command consume_command = {
    .name = "consume",
    .args = "ADDRESS...",
    .summary = "Print the records of topics, partitions or log files.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .text = "ADDRESS is TOPIC[:PARTITIONS][@RANGE], or a path with a \"/\"; "
	    "see strm(7).\n",
    .run = run_consume,
};

static enum cli_exit
run_consume(struct cli_context *context, int argc, char *argv[])
{
	struct consume_opts opts = {.count = NO_COUNT};
	struct reading reading = {.opts = &opts.reading, .last = -1};
	enum cli_exit code;
	int first = cli_parse(context, &consume_command, &opts, argc, argv);

	reading.limit = opts.count == NO_COUNT ? -1 : (int64_t)opts.count;
	reading.partitions = opts.partitions;
	reading.offset = opts.offset;
	code = reading_run(context, &reading, argv + first, argc - first);
	cli_release(&consume_command, &opts);
	return code;
}
