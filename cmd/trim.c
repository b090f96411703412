/*
 * trim.c - raise the log start offsets of partitions
 */
#include "commands.h"
#include "upkeep.h"

struct trim_opts {
	bool force;
	struct upkeep_opts upkeep;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {0, "force", NULL, CLI_FLAG, offsetof(struct trim_opts, force),
	"also a topic whose cleanup.policy has no \"delete\""},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {upkeep_options + 1, offsetof(struct trim_opts, upkeep)},
    {topic_write_options, offsetof(struct trim_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_trim(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command trim_command = {
    .name = "trim",
    .args = "ADDRESS@POINT...",
    .summary = "Raise the offset at which partitions start.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .text = "Records below POINT are hidden from all readers at once; strm "
	    "retain frees the\nspace of the segments that hold nothing else.  "
	    "A log start is never lowered.\n",
    .run = run_trim,
};

struct run {
	struct upkeep upkeep;
	struct stream_retain_options options;
};

static bool
is_raised(const struct stream_trimmed *trimmed)
{
	return trimmed->log_start_offset > trimmed->from_offset;
}

static void
print_json(struct upkeep *upkeep, const struct stream_trimmed *trimmed)
{
	struct json_line json;

	upkeep_json(upkeep, "trim", &json);
	line_bool(
	    &json, "trimmed", is_raised(trimmed) && !upkeep->opts->dry_run);
	line_int(&json, "from_offset", trimmed->from_offset);
	line_int(&json, "log_start_offset", trimmed->log_start_offset);
	line_int(&json, "log_end_offset", trimmed->log_end_offset);
	line_uint(&json, "segments", trimmed->segments);
	line_uint(&json, "bytes", trimmed->bytes);
	line_end(&json);
}

static void
print_text(struct upkeep *upkeep, const struct stream_trimmed *trimmed)
{
	const char *name = upkeep_name(upkeep->place);
	struct cli_out *out = &upkeep->out;

	if (!upkeep_tells(upkeep))
		return;
	if (!is_raised(trimmed)) {
		cli_out_format(out,
		    "%s: starts at offset %lld already, nothing to do\n", name,
		    (long long)trimmed->log_start_offset);
		return;
	}
	cli_out_format(out, "%s: %s at offset %lld, not at %lld; strm retain ",
	    name, upkeep->opts->dry_run ? "would start" : "starts",
	    (long long)trimmed->log_start_offset,
	    (long long)trimmed->from_offset);
	if (trimmed->segments == 0) {
		cli_out_text(out, "frees no segment by that\n");
		return;
	}
	cli_out_text(out, "frees ");
	upkeep_count(upkeep, trimmed->segments, "segment, ", "segments, ");
	upkeep_count(upkeep, trimmed->bytes, "byte\n", "bytes\n");
}

static void
trim_one(struct upkeep *upkeep, size_t i)
{
	struct run *run = (struct run *)upkeep;
	struct stream_trimmed trimmed;
	struct stream_error err;

	if (stream_trim(upkeep->place, &upkeep->points[i], &run->options,
		upkeep->opts->dry_run, &trimmed, &err) != STREAM_OK) {
		upkeep_fail(upkeep, &err);
		return;
	}
	upkeep->done++;
	if (upkeep->opts->json)
		print_json(upkeep, &trimmed);
	else
		print_text(upkeep, &trimmed);
}

static enum cli_exit
run_trim(struct cli_context *context, int argc, char *argv[])
{
	struct trim_opts opts = {.write = TOPIC_WRITE_DEFAULTS};
	struct run run = {.upkeep = {.context = context,
			      .opts = &opts.upkeep,
			      .command = &trim_command,
			      .takes_points = true}};
	int first = cli_parse(context, &trim_command, &opts, argc, argv);

	run.options = upkeep_retain_options(&run.upkeep, &opts.write);
	run.options.force = opts.force;
	if (upkeep_find(&run.upkeep, argc - first, argv + first))
		upkeep_run(&run.upkeep, trim_one, NULL);
	return upkeep_end(&run.upkeep);
}
