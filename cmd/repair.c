/*
 * repair.c - say what is wrong with partitions, and put it right
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <stream/address.h>
#include <stream/repair.h>

#include "cli/signals.h"
#include "columns.h"
#include "commands.h"
#include "json_line.h"
#include "opening.h"
#include "topic.h"

struct repair_opts {
	bool yes;
	bool json;
	const char *salvage;
	int64_t max_batch_bytes;
	int64_t index_interval;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {'y', "yes", NULL, CLI_FLAG, offsetof(struct repair_opts, yes),
	"carry it out; without it only say what would be done"},
    {0, "salvage", "DIR", CLI_TEXT, offsetof(struct repair_opts, salvage),
	"write all that can be read to the new partition DIR"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct repair_opts, json),
	"print JSON lines, one a step"},
    {0, "max-batch-bytes", "SIZE", CLI_SIZE,
	offsetof(struct repair_opts, max_batch_bytes),
	"leave larger batches alone (default 64MiB)"},
    {0, "index-interval", "SIZE", CLI_SIZE,
	offsetof(struct repair_opts, index_interval),
	"rebuild indexes with this index.interval.bytes"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {topic_write_options, offsetof(struct repair_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_repair(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command repair_command = {
    .name = "repair",
    .args = "ADDRESS|PATH...",
    .summary = "Repair partitions, or salvage what can be read of one.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .text = "Without -y and --salvage the plan is printed and nothing is "
	    "changed.\n",
    .run = run_repair,
};

struct run {
	const struct cli_context *context;
	const struct repair_opts *opts;
	struct stream_repair_options options;
	struct stream_store *store; /* NULL: only paths so far */
	struct stream_places places;
	struct cli_out out;
	struct columns columns;
	uint64_t cut_bytes;
	int64_t cut_records; /* -1: not known */
	size_t steps;
	size_t failed;
	size_t stay;
	size_t holes;
	struct stream_salvaged salvaged;
};

/* ---- which partitions --------------------------------------------------- */

static int
take_places(
    struct run *run, struct stream_places *found, struct stream_error *err)
{
	size_t count = run->places.count + found->count;
	void *bigger = reallocarray(
	    run->places.items, count + 1, sizeof(*run->places.items));

	if (bigger == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	run->places.items = bigger;
	if (found->count > 0)
		memcpy(run->places.items + run->places.count, found->items,
		    found->count * sizeof(*found->items));
	run->places.count = count;
	found->count = 0;
	return STREAM_OK;
}

static int
add_address(struct run *run, const char *word, struct stream_error *err)
{
	struct stream_address address;
	struct stream_places found = {.items = NULL};
	int status =
	    stream_address_parse(word, opening_now_ms(), &address, err);

	if (status != STREAM_OK)
		return status;
	if (address.range.from.kind != STREAM_POINT_NONE)
		status = cli_fail(err, STREAM_EUSAGE,
		    "\"%s\": whole partitions are repaired, not ranges", word);
	if (status == STREAM_OK)
		status = opening_find(
		    run->context, &run->store, &address, &found, err);
	if (status == STREAM_OK)
		status = take_places(run, &found, err);
	stream_places_release(&found);
	stream_address_release(&address);
	return status;
}

/* The partition's directory, as messages name it. */
static const char *
name_of(const struct stream_place *place)
{
	const char *slash = strrchr(place->path, '/');

	return slash == NULL || slash[1] == '\0' ? place->path : slash + 1;
}

/* ---- printing ----------------------------------------------------------- */

static void
begin_json(struct json_line *json, struct run *run,
    const struct stream_place *place, const char *step)
{
	*json = (struct json_line){.out = &run->out};
	line_open(json, NULL, '{');
	line_text(json, "topic", place->topic);
	line_int(json, "partition", place->partition);
	line_text(json, "step", step);
}

static void
print_json(struct run *run, const struct stream_place *place,
    const struct stream_repair_step *step)
{
	struct json_line json;

	begin_json(&json, run, place, stream_repair_action_name(step->action));
	line_text(&json, "file", step->file);
	line_known(&json, "position",
	    step->position == STREAM_POS_NONE ? -1 : (int64_t)step->position);
	line_known(&json, "bytes", (int64_t)step->bytes);
	line_known(&json, "first_offset", step->first_offset);
	line_known(&json, "last_offset", step->last_offset);
	line_known(&json, "records", step->records);
	line_bool(&json, "done",
	    run->opts->yes && step->action != STREAM_REPAIR_STAYS);
	line_text(&json, "text", step->text);
	line_end(&json);
}

static bool
holds_records(const struct stream_repair_step *step)
{
	return step->action == STREAM_REPAIR_CUT ||
	       step->action == STREAM_REPAIR_STAYS ||
	       step->action == STREAM_REPAIR_HOLE;
}

/* "12..19", "12.." when the last is not known, "-" for none. */
static void
add_offsets(struct columns *columns, const struct stream_repair_step *step)
{
	if (!holds_records(step) || step->first_offset < 0 ||
	    step->records == 0)
		columns_add(columns, "-");
	else if (step->last_offset < 0)
		columns_add(columns, "%lld..", (long long)step->first_offset);
	else
		columns_add(columns, "%lld..%lld",
		    (long long)step->first_offset,
		    (long long)step->last_offset);
}

static void
add_row(struct run *run, const struct stream_place *place,
    const struct stream_repair_step *step)
{
	struct columns *columns = &run->columns;

	columns_add(columns, "%s", name_of(place));
	columns_add(columns, "%s", stream_repair_action_name(step->action));
	columns_add(columns, "%s", step->file);
	if (step->position == STREAM_POS_NONE)
		columns_add(columns, "-");
	else
		columns_add(
		    columns, "%llu", (unsigned long long)step->position);
	columns_add(columns, "%llu", (unsigned long long)step->bytes);
	add_offsets(columns, step);
	if (holds_records(step) && step->records >= 0)
		columns_add(columns, "%lld", (long long)step->records);
	else
		columns_add(columns, holds_records(step) ? "?" : "-");
	columns_add(columns, "%s", step->text);
}

static void
add_heads(struct columns *columns)
{
	static const char *const heads[] = {"PARTITION", "STEP", "FILE", "BYTE",
	    "BYTES", "OFFSETS", "RECORDS", "WHAT"};

	columns_init(columns, "lllrrlrl");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		columns_add(columns, "%s", heads[i]);
}

/* ---- adding up ---------------------------------------------------------- */

static void
add_up(struct run *run, const struct stream_repair_step *step)
{
	run->steps++;
	if (step->action == STREAM_REPAIR_STAYS)
		run->stay++;
	if (step->action == STREAM_REPAIR_HOLE)
		run->holes++;
	if (step->action != STREAM_REPAIR_CUT &&
	    step->action != STREAM_REPAIR_HOLE)
		return;
	run->cut_bytes += step->bytes;
	if (step->records < 0)
		run->cut_records = -1;
	else if (run->cut_records >= 0)
		run->cut_records += step->records;
}

static const char *
plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/* What the records are, nobody can say for sure: a header that was never
 * finished may claim any number. */
static void
print_loss(struct run *run, const char *verb)
{
	if (run->cut_records < 0)
		cli_out_format(
		    &run->out, "%s an unknown number of records", verb);
	else
		cli_out_format(&run->out, "%s at most %lld record%s", verb,
		    (long long)run->cut_records,
		    plural((uint64_t)run->cut_records));
	cli_out_format(&run->out, " in %llu byte%s\n",
	    (unsigned long long)run->cut_bytes, plural(run->cut_bytes));
}

static void
print_repair_sum(struct run *run)
{
	if (run->steps == 0)
		cli_out_text(
		    &run->out, run->failed == 0 ? "nothing to do\n" : "");
	else if (run->cut_bytes > 0)
		print_loss(run, run->opts->yes ? "set aside:" : "would cut:");
}

static void
print_salvaged(struct run *run)
{
	const struct stream_salvaged *sum = &run->salvaged;

	if (run->steps > 0)
		print_loss(run, "not read:");
	cli_out_format(&run->out,
	    "%s: %llu record%s, %llu batch%s, %llu byte%s\n",
	    run->opts->salvage, (unsigned long long)sum->records,
	    plural(sum->records), (unsigned long long)sum->batches,
	    sum->batches == 1 ? "" : "es", (unsigned long long)sum->bytes,
	    plural(sum->bytes));
}

static void
print_salvaged_json(struct run *run, const struct stream_place *place)
{
	const struct stream_salvaged *sum = &run->salvaged;
	struct json_line json;

	begin_json(&json, run, place, "salvage");
	line_text(&json, "path", run->opts->salvage);
	line_uint(&json, "batches", sum->batches);
	line_uint(&json, "records", sum->records);
	line_uint(&json, "bytes", sum->bytes);
	line_end(&json);
}

static enum cli_exit
finish_text(struct run *run)
{
	if (run->opts->json)
		return CLI_DONE;
	if (run->steps > 0 && !columns_print(&run->columns, &run->out))
		return cli_complain(CLI_SYSTEM, NULL, "out of memory");
	if (run->opts->salvage == NULL)
		print_repair_sum(run);
	else if (run->failed == 0)
		print_salvaged(run);
	return CLI_DONE;
}

/* ---- working ------------------------------------------------------------ */

static void
show(struct run *run, const struct stream_place *place,
    const struct stream_repair *repair)
{
	for (size_t i = 0; i < stream_repair_count(repair); i++) {
		const struct stream_repair_step *step =
		    stream_repair_step(repair, i);

		add_up(run, step);
		if (run->opts->json)
			print_json(run, place, step);
		else
			add_row(run, place, step);
	}
}

static void
advise(const struct run *run, const struct stream_place *place)
{
	cli_note(run->context, name_of(place),
	    "what is damaged stays; strm repair --salvage DIR %s copies what "
	    "can be read to a new partition",
	    place->path);
}

static enum cli_exit
repair_one(struct run *run, const struct stream_place *place)
{
	size_t stay = run->stay;
	struct stream_repair *repair;
	struct stream_error err;
	int status =
	    run->opts->yes
		? stream_repair_run(place, &run->options, &repair, &err)
		: stream_repair_plan(place, &run->options, &repair, &err);

	if (status != STREAM_OK) {
		run->failed++;
		return topic_report(&err);
	}
	show(run, place, repair);
	stream_repair_free(repair);
	if (run->stay > stay)
		advise(run, place);
	return CLI_DONE;
}

/* With several partitions, some that failed do not hide that others did not. */
static enum cli_exit
repair_all(struct run *run)
{
	enum cli_exit code = CLI_DONE;
	size_t i;

	for (i = 0; i < run->places.count && cli_signals_pending() == 0; i++)
		code = cli_first(code, repair_one(run, &run->places.items[i]));
	if (run->failed > 0)
		return run->failed < i ? CLI_PARTLY : code;
	return run->opts->yes && run->stay > 0 ? CLI_DAMAGED : CLI_DONE;
}

static enum cli_exit
salvage(struct run *run)
{
	const struct stream_place *place = run->places.items;
	struct stream_repair *repair;
	struct stream_error err;

	if (stream_repair_salvage(place, &run->options, run->opts->salvage,
		&repair, &run->salvaged, &err) != STREAM_OK) {
		run->failed++;
		return topic_report(&err);
	}
	show(run, place, repair);
	stream_repair_free(repair);
	if (run->opts->json)
		print_salvaged_json(run, place);
	return run->holes > 0 ? CLI_DAMAGED : CLI_DONE;
}

/* What is asked for cannot be done with what was found. */
static enum cli_exit
check_places(const struct run *run)
{
	if (run->opts->salvage == NULL || run->places.count == 1)
		return CLI_DONE;
	return cli_complain(CLI_USAGE, "--salvage",
	    "takes one partition, not %zu", run->places.count);
}

static enum cli_exit
work(struct run *run)
{
	struct stream_error err;
	enum cli_exit code;

	if (cli_out_open(&run->out, 1, false, &err) != STREAM_OK)
		return topic_report(&err);
	add_heads(&run->columns);
	code = run->opts->salvage != NULL ? salvage(run) : repair_all(run);
	code = cli_first(code, finish_text(run));
	columns_release(&run->columns);
	return topic_close_out(&run->out, code);
}

static void
set_options(struct run *run)
{
	const struct repair_opts *opts = run->opts;
	int64_t wait_ms = opts->write.lock_timeout_ms;

	run->options = (struct stream_repair_options){
	    .max_batch_bytes = (size_t)opts->max_batch_bytes,
	    .lock_timeout_ms = wait_ms > INT_MAX ? INT_MAX : (int)wait_ms,
	    .index_interval_bytes = opts->index_interval,
	    .network = opts->write.network,
	};
}

static enum cli_exit
check_line(const struct repair_opts *opts)
{
	if (opts->yes && opts->salvage != NULL)
		return cli_usage(&repair_command,
		    "-y repairs in place and --salvage elsewhere: give one");
	return CLI_DONE;
}

static enum cli_exit
run_repair(struct cli_context *context, int argc, char *argv[])
{
	struct repair_opts opts = {.write = TOPIC_WRITE_DEFAULTS};
	struct run run = {.context = context, .opts = &opts};
	int first = cli_parse(context, &repair_command, &opts, argc, argv);
	enum cli_exit code = check_line(&opts);
	struct stream_error err;

	set_options(&run);
	for (int i = first; i < argc && code == CLI_DONE; i++)
		if (add_address(&run, argv[i], &err) != STREAM_OK)
			code = topic_report(&err);
	if (code == CLI_DONE)
		code = check_places(&run);
	if (code == CLI_DONE)
		code = work(&run);
	stream_places_release(&run.places);
	return topic_end(run.store, code);
}
