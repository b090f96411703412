/*
 * retain.c - take old segments away, and say why
 */
#include <stdlib.h>

#include "cli/progress.h"
#include "cli/signals.h"
#include "commands.h"
#include "retain_archive.h"
#include "upkeep.h"

struct retain_opts {
	int64_t older_ms;
	int64_t keep_bytes;
	uint64_t keep_records;
	bool force_clock;
	bool if_unlocked;
	const char *archive;
	struct upkeep_opts upkeep;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {0, "older", "DURATION", CLI_DURATION,
	offsetof(struct retain_opts, older_ms),
	"segments older than that go, whatever retention.ms says"},
    {0, "keep-bytes", "SIZE", CLI_SIZE,
	offsetof(struct retain_opts, keep_bytes),
	"keep so much of each partition, whatever retention.bytes says"},
    {0, "keep-records", "N", CLI_COUNT,
	offsetof(struct retain_opts, keep_records),
	"keep the newest N records of each partition"},
    {0, "force-clock", NULL, CLI_FLAG,
	offsetof(struct retain_opts, force_clock),
	"delete by age also if the clock looks wrong"},
    {0, "if-unlocked", NULL, CLI_FLAG,
	offsetof(struct retain_opts, if_unlocked),
	"leave out partitions that another run works on"},
    {0, "archive", "DIR", CLI_TEXT, offsetof(struct retain_opts, archive),
	"before segments go, archive them in this directory"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {upkeep_options, offsetof(struct retain_opts, upkeep)},
    {topic_write_options, offsetof(struct retain_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_retain(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command retain_command = {
    .name = "retain",
    .args = "[ADDRESS...]",
    .summary = "Delete old segments, by the rules of Kafka.",
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .text = "A segment goes if all of it is below the log start offset, by "
	    "retention.bytes,\nor by retention.ms.  The active segment never "
	    "goes; see strm roll.\n",
    .run = run_retain,
};

struct run {
	struct upkeep upkeep;
	struct stream_retain_options options;
	struct columns columns;
	struct cli_progress progress;
	const char *archive; /* a directory, or NULL */
	uint64_t read;
	struct stream_retained sum; /* of all partitions */
	size_t only_active;         /* partitions with nothing else */
	size_t rows;
};

/* ---- the segments ------------------------------------------------------- */

static const char *
evidence_name(enum stream_retain_evidence evidence)
{
	static const char *const names[] = {
	    [STREAM_RETAIN_NO_TIME] = "none",
	    [STREAM_RETAIN_BATCHES] = "batches",
	    [STREAM_RETAIN_FILE] = "file",
	    [STREAM_RETAIN_DAMAGED] = "damaged",
	};

	return names[evidence];
}

static bool
goes(const struct stream_retain_segment *segment)
{
	return segment->rule != STREAM_RETAIN_STAYS;
}

static void
print_segment_json(
    struct upkeep *upkeep, const struct stream_retain_segment *segment)
{
	struct json_line json;

	upkeep_json(upkeep, "segment", &json);
	line_int(&json, "base_offset", segment->base_offset);
	line_int(&json, "next_offset", segment->next_offset);
	line_int(&json, "records", segment->records);
	line_uint(&json, "bytes", segment->bytes);
	line_known(&json, "largest_timestamp", segment->largest_ms);
	line_text(&json, "evidence", evidence_name(segment->evidence));
	line_bool(&json, "active", segment->is_active);
	line_text(&json, "rule", stream_retain_rule_name(segment->rule));
	line_bool(&json, "deleted", goes(segment) && !upkeep->opts->dry_run);
	line_text(&json, "why", segment->why);
	line_end(&json);
}

static void
add_heads(struct columns *columns)
{
	static const char *const heads[] = {"PARTITION", "SEGMENT", "RECORDS",
	    "BYTES", "LARGEST TIME", "RULE", "WHY"};

	columns_init(columns, "lrrrlll");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		columns_add(columns, "%s", heads[i]);
}

static void
add_row(struct run *run, const struct stream_retain_segment *segment)
{
	struct columns *columns = &run->columns;
	char when[STREAM_TIME_SIZE];

	topic_put_time(segment->largest_ms, when);
	columns_add(columns, "%s", upkeep_name(run->upkeep.place));
	columns_add(columns, "%lld", (long long)segment->base_offset);
	columns_add(columns, "%lld", (long long)segment->records);
	columns_add(columns, "%llu", (unsigned long long)segment->bytes);
	columns_add(columns, "%s", when);
	columns_add(columns, "%s", stream_retain_rule_name(segment->rule));
	columns_add(columns, "%s", segment->why);
	run->rows++;
}

static void
show_segments(struct run *run, const struct stream_retain *retain)
{
	struct upkeep *upkeep = &run->upkeep;

	for (size_t i = 0; i < stream_retain_count(retain); i++) {
		const struct stream_retain_segment *segment =
		    stream_retain_segment(retain, i);

		if (upkeep->opts->json)
			print_segment_json(upkeep, segment);
		else if (upkeep->opts->dry_run || upkeep->context->verbose)
			add_row(run, segment);
	}
}

/* ---- a partition -------------------------------------------------------- */

static void
print_summary_json(struct upkeep *upkeep, const struct stream_retained *sum)
{
	struct json_line json;

	upkeep_json(upkeep, "summary", &json);
	line_bool(&json, "dry_run", upkeep->opts->dry_run);
	line_uint(&json, "segments", sum->segments);
	line_int(&json, "records", sum->records);
	line_uint(&json, "bytes", sum->bytes);
	line_int(&json, "log_start_offset", sum->log_start_offset);
	line_int(&json, "log_end_offset", sum->log_end_offset);
	line_bool(&json, "only_active", sum->only_active);
	line_bool(&json, "clock_refused", sum->clock_refused);
	line_bool(&json, "locked", sum->locked);
	line_bool(&json, "careful", sum->careful);
	line_end(&json);
}

/* "3 segments, 3000 records, 123456 bytes" */
static void
print_amount(struct upkeep *upkeep, const struct stream_retained *sum)
{
	upkeep_count(upkeep, sum->segments, "segment, ", "segments, ");
	upkeep_count(upkeep, (uint64_t)sum->records, "record, ", "records, ");
	upkeep_count(upkeep, sum->bytes, "byte", "bytes");
}

static void
print_summary(struct upkeep *upkeep, const struct stream_retained *sum)
{
	if (!upkeep_tells(upkeep) || upkeep->opts->dry_run ||
	    sum->segments == 0)
		return;
	cli_out_format(&upkeep->out, "%s: ", upkeep_name(upkeep->place));
	print_amount(upkeep, sum);
	cli_out_format(&upkeep->out, " deleted; it starts at offset %lld\n",
	    (long long)sum->log_start_offset);
}

static void
note_settings(struct upkeep *upkeep, const struct stream_retained *sum)
{
	if (sum->locked)
		upkeep_note(upkeep, "left out, another run works on it");
	if (sum->limits_left_out)
		upkeep_note(upkeep,
		    "its cleanup.policy has no \"delete\", so no limit is for "
		    "it");
}

/* With --all there may be hundreds, of which one line tells in the end. */
static void
note_only_active(struct run *run, const struct stream_retained *sum)
{
	if (sum->locked || !sum->only_active || !sum->active_is_used)
		return;
	run->only_active++;
	if (!run->upkeep.opts->all)
		upkeep_note(&run->upkeep,
		    "has only an active segment, which never goes: strm roll "
		    "closes it");
}

static void
add_up(struct run *run, const struct stream_retained *sum)
{
	run->upkeep.done++;
	run->sum.segments += sum->segments;
	run->sum.records += sum->records;
	run->sum.bytes += sum->bytes;
}

static void
tell(struct run *run, const struct stream_retain *retain)
{
	const struct stream_retained *sum = stream_retain_sum(retain);
	struct upkeep *upkeep = &run->upkeep;

	add_up(run, sum);
	show_segments(run, retain);
	if (upkeep->opts->json)
		print_summary_json(upkeep, sum);
	else
		print_summary(upkeep, sum);
	note_settings(upkeep, sum);
	note_only_active(run, sum);
	upkeep_complain_clock(upkeep, sum);
}

static void
retain_one(struct upkeep *upkeep, size_t i)
{
	struct run *run = (struct run *)upkeep;
	struct stream_retain *retain;
	struct stream_error err;
	int status;

	(void)i;
	status = upkeep->opts->dry_run ? stream_retain_plan(upkeep->place,
					     &run->options, &retain, &err)
				       : stream_retain_run(upkeep->place,
					     &run->options, &retain, &err);
	cli_progress_clear(&run->progress);
	if (status != STREAM_OK) {
		upkeep_fail(upkeep, &err);
		return;
	}
	tell(run, retain);
	stream_retain_free(retain);
}

/* ---- all of them -------------------------------------------------------- */

static void
finish(struct upkeep *upkeep)
{
	struct run *run = (struct run *)upkeep;

	if (run->only_active > 0 && upkeep->opts->all)
		cli_note(upkeep->context, NULL,
		    "%zu partition%s only an active segment, which never "
		    "goes: strm roll closes it",
		    run->only_active,
		    run->only_active == 1 ? " has" : "s have");
	if (!upkeep_tells(upkeep) || upkeep->done == 0)
		return;
	/* One that had its line is all there is. */
	if (upkeep->done == 1 && run->sum.segments > 0 &&
	    !upkeep->opts->dry_run && run->rows == 0)
		return;
	if (run->rows > 0 && !columns_print(&run->columns, &upkeep->out))
		upkeep->code = cli_complain(CLI_SYSTEM, NULL, "out of memory");
	upkeep_count(upkeep, upkeep->done, "partition: ", "partitions: ");
	print_amount(upkeep, &run->sum);
	cli_out_text(&upkeep->out,
	    upkeep->opts->dry_run ? " would be deleted\n" : " deleted\n");
}

static bool
go_on(void *context, uint64_t bytes)
{
	struct run *run = context;

	run->read += bytes;
	cli_progress_update(&run->progress, run->read);
	return cli_signals_pending() == 0;
}

static void
note(void *context, const char *text)
{
	struct run *run = context;

	cli_progress_clear(&run->progress);
	upkeep_note(&run->upkeep, text);
}

static int
archive(void *context, const struct stream_place *place,
    const struct stream_retain *retain, struct stream_error *err)
{
	struct run *run = context;

	cli_progress_clear(&run->progress);
	return retain_archive(run->archive, place, retain, err);
}

static void
set_options(struct run *run, const struct retain_opts *opts)
{
	struct stream_retain_options *how = &run->options;

	*how = upkeep_retain_options(&run->upkeep, &opts->write);
	how->older_ms = opts->older_ms;
	how->keep_bytes = opts->keep_bytes;
	how->keep_records = (int64_t)opts->keep_records;
	how->force_clock = opts->force_clock;
	how->if_unlocked = opts->if_unlocked;
	how->go_on = go_on;
	how->note = note;
	if (run->archive != NULL)
		how->before = archive;
	how->context = run;
}

static enum cli_exit
run_retain(struct cli_context *context, int argc, char *argv[])
{
	struct retain_opts opts = {.older_ms = -1,
	    .keep_bytes = -1,
	    .keep_records = UINT64_MAX, /* none */
	    .write = TOPIC_WRITE_DEFAULTS};
	struct run run = {.upkeep = {.context = context,
			      .opts = &opts.upkeep,
			      .command = &retain_command}};
	int first = cli_parse(context, &retain_command, &opts, argc, argv);

	run.archive = opts.archive;
	set_options(&run, &opts);
	add_heads(&run.columns);
	if (upkeep_find(&run.upkeep, argc - first, argv + first)) {
		cli_progress_begin(&run.progress, context, 0);
		upkeep_run(&run.upkeep, retain_one, finish);
	}
	columns_release(&run.columns);
	return upkeep_end(&run.upkeep);
}
