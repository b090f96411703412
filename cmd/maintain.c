/*
 * maintain.c - all that a store needs from time to time, in one run
 *
 * For each partition: close the active segment if its time has come, finish
 * what an interrupted run left (which retention does when it opens the
 * partition), retain, compact.  What fails is told, and the next step and the
 * next partition have their turn all the same: on a full disk nothing can be
 * rolled or compacted, and retention is what helps.
 */
#include "maintain.h"

#include <stdlib.h>
#include <string.h>

#include "cli/clock.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "commands.h"
#include "upkeep.h"

enum { MEMORY_LEAST = 4096 };

struct maintain_opts {
	bool if_unlocked;
	bool force_clock;
	int64_t memory;
	const char *textfile; /* NULL: none */
	struct upkeep_opts upkeep;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {0, "textfile", "FILE", CLI_TEXT, offsetof(struct maintain_opts, textfile),
	"write metrics for Prometheus to FILE"},
    {0, "memory", "SIZE", CLI_SIZE, offsetof(struct maintain_opts, memory),
	"for the keys of a compaction (default 128MiB)"},
    {0, "force-clock", NULL, CLI_FLAG,
	offsetof(struct maintain_opts, force_clock),
	"delete by age also if the clock looks wrong"},
    {0, "if-unlocked", NULL, CLI_FLAG,
	offsetof(struct maintain_opts, if_unlocked),
	"leave out partitions that another run works on"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {upkeep_options, offsetof(struct maintain_opts, upkeep)},
    {topic_write_options, offsetof(struct maintain_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_maintain(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command maintain_command = {
    .name = "maintain",
    .args = "[ADDRESS...]",
    .summary = "Roll, delete and compact, each topic by its settings.",
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .text = "For a crontab: strm maintain -q --all.  The same as strm roll "
	    "where its time has\ncome, strm retain and strm compact.\n",
    .run = run_maintain,
};

struct run {
	struct upkeep upkeep;
	const struct maintain_opts *opts;
	struct stream_retain_options options;
	struct stream_compact_options compact;
	struct maintain_part *parts; /* owned; one for each place */
	struct maintain_part *part;  /* that is worked on */
	struct maintain_sum sum;
	struct cli_progress progress;
	uint64_t read;
	int64_t start_ms;
	bool is_locked;           /* another works on the partition */
	struct stream_error told; /* of the partition, last */
};

/* What was done with one partition, or would be. */
struct done {
	struct stream_roll_due due;
	struct stream_retained retained;
	bool is_compacted; /* compacted says something */
	struct stream_compacted compacted;
};

/* ---- steps --------------------------------------------------------------- */

/* What keeps one step from its work keeps the next one too, and is told once.
 */
static void
fail(struct run *run, const struct stream_error *err)
{
	if (err->status == STREAM_EINTR ||
	    (run->part->failed && strcmp(err->text, run->told.text) == 0))
		return;
	cli_progress_clear(&run->progress);
	if (run->part->failed)
		run->upkeep.failed--; /* partitions are counted */
	upkeep_fail(&run->upkeep, err);
	run->part->failed = true;
	run->told = *err;
}

static void
roll(struct run *run, struct done *done)
{
	struct stream_error err;

	if (stream_roll_if_due(run->upkeep.place, &run->options,
		run->upkeep.opts->dry_run, &done->due, &err) == STREAM_OK)
		run->sum.rolled += done->due.rolled.rolled;
	else
		fail(run, &err);
}

/*
 * Were what was active at the beginning taken by age as well, a clock that
 * jumped would empty a topic in one run.
 */
static void
retain(struct run *run, struct done *done)
{
	struct stream_retain *retain;
	struct stream_error err;
	int status;

	run->options.spare_from = done->due.active_base;
	status = run->upkeep.opts->dry_run
		     ? stream_retain_plan(
			   run->upkeep.place, &run->options, &retain, &err)
		     : stream_retain_run(
			   run->upkeep.place, &run->options, &retain, &err);
	if (status != STREAM_OK) {
		fail(run, &err);
		return;
	}
	done->retained = *stream_retain_sum(retain);
	stream_retain_free(retain);
	run->is_locked = done->retained.locked;
	run->sum.segments += done->retained.segments;
	run->sum.records += done->retained.records;
	run->sum.bytes += done->retained.bytes;
	cli_progress_clear(&run->progress);
	upkeep_complain_clock(&run->upkeep, &done->retained);
}

/* How much is dirty now. */
static void
note_dirty(struct run *run, const struct stream_compacted *sum)
{
	bool cleaned = stream_compact_verdict_cleans(sum->verdict) &&
		       !run->upkeep.opts->dry_run &&
		       sum->clean_offset >= sum->uncleanable_offset;

	run->part->is_compacted = sum->verdict != STREAM_COMPACT_POLICY &&
				  sum->verdict != STREAM_COMPACT_FOREIGN &&
				  sum->verdict != STREAM_COMPACT_LOCKED;
	run->part->dirty_bytes = cleaned ? 0 : sum->dirty_bytes;
	run->part->dirty_ratio = cleaned ? 0 : sum->ratio;
}

static void
compact(struct run *run, struct done *done)
{
	struct stream_compact *compact;
	struct stream_error err;
	const struct stream_compacted *sum = &done->compacted;
	int status = run->upkeep.opts->dry_run
			 ? stream_compact_plan(
			       run->upkeep.place, &run->compact, &compact, &err)
			 : stream_compact_run(run->upkeep.place, &run->compact,
			       &compact, &err);

	if (status != STREAM_OK) {
		fail(run, &err);
		return;
	}
	done->compacted = *stream_compact_sum(compact);
	stream_compact_free(compact);
	run->is_locked =
	    run->is_locked || sum->verdict == STREAM_COMPACT_LOCKED;
	note_dirty(run, sum);
	done->is_compacted = stream_compact_verdict_cleans(sum->verdict);
	if (!done->is_compacted)
		return;
	run->sum.compacted++;
	run->sum.records_in += sum->counts.records_in;
	run->sum.records_out += sum->counts.records_out;
	run->sum.compacted_bytes += upkeep_freed(&sum->counts);
}

static void
measure(struct run *run)
{
	struct stream_error err;

	if (run->opts->textfile == NULL)
		return;
	run->options.spare_from = -1;
	if (stream_measure(run->upkeep.place, &run->options,
		&run->part->measures, &err) == STREAM_OK)
		run->part->is_measured = true;
	else
		fail(run, &err);
}

/* ---- telling ------------------------------------------------------------- */

static void
print_json(struct run *run, const struct done *done)
{
	struct upkeep *upkeep = &run->upkeep;
	const struct stream_compact_counts *counts = &done->compacted.counts;
	struct json_line json;

	upkeep_json(upkeep, "partition", &json);
	line_bool(&json, "dry_run", upkeep->opts->dry_run);
	line_bool(&json, "failed", run->part->failed);
	line_bool(&json, "locked", run->is_locked);
	line_bool(&json, "rolled", done->due.rolled.rolled);
	line_text(
	    &json, "roll_reason", stream_roll_reason_name(done->due.reason));
	line_uint(&json, "deleted_segments", done->retained.segments);
	line_int(&json, "deleted_records", done->retained.records);
	line_uint(&json, "deleted_bytes", done->retained.bytes);
	line_uint(&json, "spared_segments", done->retained.spared);
	line_bool(&json, "clock_refused", done->retained.clock_refused);
	line_bool(&json, "compacted", done->is_compacted);
	line_uint(&json, "compacted_records_in", counts->records_in);
	line_uint(&json, "compacted_records_out", counts->records_out);
	line_uint(&json, "compacted_bytes_in", counts->bytes_in);
	line_uint(&json, "compacted_bytes_out", counts->bytes_out);
	line_end(&json);
}

static void
print_deleted(
    struct upkeep *upkeep, size_t segments, int64_t records, uint64_t bytes)
{
	upkeep_count(upkeep, segments, "segment, ", "segments, ");
	upkeep_count(upkeep, (uint64_t)records, "record, ", "records, ");
	upkeep_count(upkeep, bytes, "byte ", "bytes ");
	cli_out_text(&upkeep->out,
	    upkeep->opts->dry_run ? "would be deleted" : "deleted");
}

static void
print_compacted(struct upkeep *upkeep, uint64_t in, uint64_t out)
{
	cli_out_format(&upkeep->out, "%llu of %llu record%s %s compaction",
	    (unsigned long long)(in - out), (unsigned long long)in,
	    in == 1 ? "" : "s",
	    upkeep->opts->dry_run ? "would go by" : "went by");
}

/* A line for each thing that was done: the name stands in front of each. */
static void
print_text(struct run *run, const struct done *done)
{
	struct upkeep *upkeep = &run->upkeep;
	const char *name = upkeep_name(upkeep->place);
	const struct stream_compact_counts *counts = &done->compacted.counts;

	if (!upkeep_tells(upkeep))
		return;
	if (done->due.rolled.rolled)
		cli_out_format(&upkeep->out, "%s: %s segment %lld: %s%s\n",
		    name, upkeep->opts->dry_run ? "would close" : "closed",
		    (long long)done->due.rolled.base_offset, done->due.why,
		    done->retained.spared > 0 ? "; the next run will take it"
					      : "");
	if (done->retained.segments > 0) {
		cli_out_format(&upkeep->out, "%s: ", name);
		print_deleted(upkeep, done->retained.segments,
		    done->retained.records, done->retained.bytes);
		cli_out_byte(&upkeep->out, '\n');
	}
	if (done->is_compacted) {
		cli_out_format(&upkeep->out, "%s: ", name);
		print_compacted(
		    upkeep, counts->records_in, counts->records_out);
		cli_out_byte(&upkeep->out, '\n');
	}
}

static void
maintain_one(struct upkeep *upkeep, size_t i)
{
	struct run *run = (struct run *)upkeep;
	struct done done = {.due = {.active_base = -1}};

	run->part = &run->parts[i];
	run->part->place = upkeep->place;
	run->is_locked = false;
	roll(run, &done);
	if (cli_signals_pending() == 0)
		retain(run, &done);
	if (cli_signals_pending() == 0 && !run->is_locked)
		compact(run, &done);
	if (cli_signals_pending() == 0)
		measure(run);
	cli_progress_clear(&run->progress);
	if (run->is_locked) {
		run->sum.locked++;
		upkeep_note(upkeep, "left out, another run works on it");
	}
	upkeep->done += !run->part->failed;
	if (upkeep->opts->json)
		print_json(run, &done);
	else
		print_text(run, &done);
}

/* ---- all of them --------------------------------------------------------- */

static void
print_sum(struct run *run)
{
	struct upkeep *upkeep = &run->upkeep;
	const struct maintain_sum *sum = &run->sum;

	if (!upkeep_tells(upkeep) || upkeep->places.count == 0)
		return;
	upkeep_count(
	    upkeep, upkeep->places.count, "partition: ", "partitions: ");
	upkeep_count(upkeep, sum->rolled, "segment ", "segments ");
	cli_out_text(&upkeep->out,
	    upkeep->opts->dry_run ? "would be closed; " : "closed; ");
	print_deleted(upkeep, sum->segments, sum->records, sum->bytes);
	if (sum->compacted > 0) {
		cli_out_text(&upkeep->out, "; ");
		print_compacted(upkeep, sum->records_in, sum->records_out);
	}
	cli_out_byte(&upkeep->out, '\n');
}

static void
print_sum_json(struct run *run)
{
	const struct maintain_sum *sum = &run->sum;
	struct json_line json = {.out = &run->upkeep.out};

	line_begin(&json, "summary");
	line_bool(&json, "dry_run", run->upkeep.opts->dry_run);
	line_uint(&json, "partitions", run->upkeep.places.count);
	line_uint(&json, "errors", sum->errors);
	line_uint(&json, "locked", sum->locked);
	line_uint(&json, "rolled_segments", sum->rolled);
	line_uint(&json, "deleted_segments", sum->segments);
	line_int(&json, "deleted_records", sum->records);
	line_uint(&json, "deleted_bytes", sum->bytes);
	line_uint(&json, "compacted_partitions", sum->compacted);
	line_uint(&json, "compacted_records_in", sum->records_in);
	line_uint(&json, "compacted_records_out", sum->records_out);
	line_uint(&json, "compacted_bytes", sum->compacted_bytes);
	line_int(&json, "elapsed_ms", sum->elapsed_ms);
	line_end(&json);
}

/* After a stop the last run's file stays. */
static void
finish(struct upkeep *upkeep)
{
	struct run *run = (struct run *)upkeep;
	struct stream_error err;

	run->sum.errors = upkeep->failed;
	run->sum.elapsed_ms = cli_clock_ms() - run->start_ms;
	if (run->opts->textfile != NULL &&
	    maintain_write_metrics(run->opts->textfile, &run->sum, run->parts,
		upkeep->places.count, &err) != STREAM_OK)
		upkeep->code = cli_report(NULL, &err);
	if (upkeep->opts->json)
		print_sum_json(run);
	else
		print_sum(run);
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

static void
set_options(struct run *run)
{
	const struct maintain_opts *opts = run->opts;
	struct stream_retain_options *how = &run->options;

	*how = upkeep_retain_options(&run->upkeep, &opts->write);
	how->force_clock = opts->force_clock;
	how->if_unlocked = opts->if_unlocked;
	how->go_on = go_on;
	how->note = note;
	how->context = run;
	run->compact = (struct stream_compact_options){
	    .now_ms = how->now_ms,
	    .memory = (size_t)opts->memory,
	    .lenient = true,
	    .network = how->network,
	    .if_unlocked = opts->if_unlocked,
	    .lock_timeout_ms = how->lock_timeout_ms,
	    .go_on = go_on,
	    .note = note,
	    .context = run,
	};
	run->sum.now_ms = how->now_ms;
}

static enum cli_exit
check_line(const struct maintain_opts *opts)
{
	if (opts->memory < MEMORY_LEAST)
		return cli_usage(&maintain_command,
		    "--memory must be %d bytes or more", MEMORY_LEAST);
	if (opts->textfile != NULL && opts->textfile[0] == '\0')
		return cli_usage(&maintain_command, "--textfile needs a name");
	if (opts->textfile != NULL && opts->upkeep.dry_run)
		return cli_usage(&maintain_command,
		    "--textfile tells of what was done: not with --dry-run");
	return CLI_DONE;
}

/* Nothing is done before the line is known to be right. */
static enum cli_exit
check_textfile(const struct maintain_opts *opts)
{
	struct stream_error err;

	if (opts->textfile == NULL ||
	    maintain_check_metrics(opts->textfile, &err) == STREAM_OK)
		return CLI_DONE;
	return cli_report(NULL, &err);
}

static void
find_and_run(struct run *run, int count, char *words[])
{
	struct upkeep *upkeep = &run->upkeep;

	if (!upkeep_find(upkeep, count, words))
		return;
	run->parts = calloc(upkeep->places.count + 1, sizeof(*run->parts));
	if (run->parts == NULL) {
		upkeep->code = cli_complain(CLI_SYSTEM, NULL, "out of memory");
		return;
	}
	run->sum.store =
	    upkeep->places.count > 0 ? upkeep->places.items[0].store_path : "";
	cli_progress_begin(&run->progress, upkeep->context, 0);
	upkeep_run(upkeep, maintain_one, finish);
}

static enum cli_exit
run_maintain(struct cli_context *context, int argc, char *argv[])
{
	struct maintain_opts opts = {.memory = (int64_t)STREAM_COMPACT_MEMORY,
	    .write = TOPIC_WRITE_DEFAULTS};
	struct run run = {.upkeep = {.context = context,
			      .opts = &opts.upkeep,
			      .command = &maintain_command},
	    .opts = &opts,
	    .start_ms = cli_clock_ms()};
	int first = cli_parse(context, &maintain_command, &opts, argc, argv);

	run.upkeep.code = check_line(&opts);
	if (run.upkeep.code == CLI_DONE)
		run.upkeep.code = check_textfile(&opts);
	set_options(&run);
	if (run.upkeep.code == CLI_DONE)
		find_and_run(&run, argc - first, argv + first);
	free(run.parts);
	return upkeep_end(&run.upkeep);
}
