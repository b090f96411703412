/*
 * roll.c - close active segments that hold records
 */
#include "commands.h"
#include "upkeep.h"

struct roll_opts {
	struct upkeep_opts upkeep;
	struct topic_write_opts write;
};

static const struct cli_group groups[] = {
    {upkeep_options, offsetof(struct roll_opts, upkeep)},
    {topic_write_options, offsetof(struct roll_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_roll(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command roll_command = {
    .name = "roll",
    .args = "[ADDRESS...]",
    .summary = "Close the active segments of partitions.",
    .most = CLI_MANY,
    .groups = groups,
    .text = "Retention and compaction work on closed segments.  An active one "
	    "without records\nstays.  Producers go on meanwhile.\n",
    .run = run_roll,
};

struct run {
	struct upkeep upkeep;
	struct stream_retain_options options;
	size_t rolled;
};

static void
print_json(struct upkeep *upkeep, const struct stream_rolled *rolled)
{
	struct json_line json;

	upkeep_json(upkeep, "roll", &json);
	line_bool(&json, "rolled", rolled->rolled && !upkeep->opts->dry_run);
	line_bool(&json, "would_roll", rolled->rolled);
	line_int(&json, "base_offset", rolled->base_offset);
	line_int(&json, "next_offset", rolled->next_offset);
	line_uint(&json, "bytes", rolled->bytes);
	line_end(&json);
}

static void
print_text(struct upkeep *upkeep, const struct stream_rolled *rolled)
{
	const char *name = upkeep_name(upkeep->place);

	if (!upkeep_tells(upkeep))
		return;
	if (!rolled->rolled) {
		if (upkeep->context->verbose || upkeep->opts->dry_run)
			cli_out_format(&upkeep->out,
			    "%s: the active segment holds nothing, it stays\n",
			    name);
		return;
	}
	cli_out_format(&upkeep->out,
	    "%s: %s segment %lld, offsets %lld to %lld, %llu bytes\n", name,
	    upkeep->opts->dry_run ? "would close" : "closed",
	    (long long)rolled->base_offset, (long long)rolled->base_offset,
	    (long long)rolled->next_offset - 1,
	    (unsigned long long)rolled->bytes);
}

static void
roll_one(struct upkeep *upkeep, size_t i)
{
	struct run *run = (struct run *)upkeep;
	struct stream_rolled rolled;
	struct stream_error err;

	(void)i;
	if (stream_roll(upkeep->place, &run->options, upkeep->opts->dry_run,
		&rolled, &err) != STREAM_OK) {
		upkeep_fail(upkeep, &err);
		return;
	}
	upkeep->done++;
	run->rolled += rolled.rolled;
	if (upkeep->opts->json)
		print_json(upkeep, &rolled);
	else
		print_text(upkeep, &rolled);
}

static void
print_sum(struct upkeep *upkeep)
{
	const struct run *run = (const struct run *)upkeep;

	/* One that had its line is all there is. */
	if (!upkeep_tells(upkeep) || upkeep->done == 0 ||
	    (upkeep->done == 1 && run->rolled == 1))
		return;
	upkeep_count(upkeep, upkeep->done, "partition, ", "partitions, ");
	upkeep_count(upkeep, run->rolled, "segment ", "segments ");
	cli_out_text(&upkeep->out,
	    upkeep->opts->dry_run ? "would be closed\n" : "closed\n");
}

static enum cli_exit
run_roll(struct cli_context *context, int argc, char *argv[])
{
	struct roll_opts opts = {.write = TOPIC_WRITE_DEFAULTS};
	struct run run = {.upkeep = {.context = context,
			      .opts = &opts.upkeep,
			      .command = &roll_command}};
	int first = cli_parse(context, &roll_command, &opts, argc, argv);

	run.options = upkeep_retain_options(&run.upkeep, &opts.write);
	if (upkeep_find(&run.upkeep, argc - first, argv + first))
		upkeep_run(&run.upkeep, roll_one, print_sum);
	return upkeep_end(&run.upkeep);
}
