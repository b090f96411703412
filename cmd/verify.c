/*
 * verify.c - look for damage in partition directories
 *
 * Partitions are checked by threads, one each; what they find goes out under
 * one lock, line by line.  The main thread waits, draws the progress and
 * flushes.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stream.h>

#include "cli/output.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "commands.h"
#include "jobs.h"
#include "json_line.h"
#include "opening.h"

struct verify_opts {
	bool json;
	uint64_t jobs;
	int64_t max_batch_bytes;
	int64_t lock_timeout_ms;
};

static const struct cli_option options[] = {
    {'J', "json", NULL, CLI_FLAG, offsetof(struct verify_opts, json),
	"print JSON lines"},
    {'j', "jobs", "N", CLI_COUNT, offsetof(struct verify_opts, jobs),
	"check N partitions at once (default 1)"},
    {0, "max-batch-bytes", "SIZE", CLI_SIZE,
	offsetof(struct verify_opts, max_batch_bytes),
	"take larger batches for damage (default 64MiB)"},
    {0, "lock-timeout", "DURATION", CLI_DURATION,
	offsetof(struct verify_opts, lock_timeout_ms),
	"wait this long for an append that does not end (default 10s)"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static enum cli_exit run_verify(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command verify_command = {
    .name = "verify",
    .args = "ADDRESS...",
    .summary = "Look for damage in topics, partitions or log files.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .text = "ADDRESS is TOPIC[:PARTITIONS], or a path with a \"/\" to a "
	    "partition, a store\nor a log file, of strm or of Kafka; see "
	    "strm(7).  Exit 0 is sound, 3 damaged.\n",
    .run = run_verify,
};

struct run {
	struct cli_context *context;
	const struct verify_opts *opts;
	struct stream_place *places; /* owned, borrowing from lists */
	size_t count;
	struct stream_places *lists; /* owned */
	size_t list_count;
	struct stream_store *store; /* NULL: only paths so far */
	_Atomic uint64_t bytes;     /* checked */

	struct jobs
	    jobs; /* one for each place; its lock is that of all below */
	struct cli_out out;
	struct cli_progress progress;
	struct stream_verify_summary total;
	size_t checked;     /* partitions */
	enum cli_exit code; /* of the first that could not be read */
};

/* What a thread works on. */
struct job {
	struct run *run;
	const struct stream_place *place;
};

/* ---- printing, under the lock ------------------------------------------- */

static void
put_place(struct json_line *json, const struct stream_place *place)
{
	line_text(json, "topic", place->topic);
	line_int(json, "partition", place->partition);
}

static const char *
severity_name(const struct stream_verify_finding *finding)
{
	return finding->severity == STREAM_SEVERITY_DAMAGE ? "damage" : "note";
}

static void
print_json(struct cli_out *out, const struct stream_place *place,
    const struct stream_verify_finding *finding)
{
	struct json_line json = {.out = out};

	line_begin(&json, "finding");
	line_text(&json, "severity", severity_name(finding));
	put_place(&json, place);
	if (finding->file != NULL)
		line_text(&json, "file", finding->file);
	else
		line_null(&json, "file");
	line_known(&json, "position",
	    finding->position == STREAM_POS_NONE ? -1
						 : (int64_t)finding->position);
	line_known(&json, "first_offset", finding->first_offset);
	line_known(&json, "last_offset", finding->last_offset);
	line_text(&json, "kind", stream_verify_kind_name(finding->kind));
	line_text(&json, "message", finding->message);
	line_text(&json, "meaning", finding->meaning);
	line_end(&json);
}

static void
print_offsets(struct cli_out *out, const struct stream_verify_finding *finding)
{
	long long first = finding->first_offset, last = finding->last_offset;

	if (first < 0)
		return;
	if (last < 0)
		cli_out_format(out, " (from offset %lld)", first);
	else if (first == last)
		cli_out_format(out, " (offset %lld)", first);
	else
		cli_out_format(out, " (offsets %lld to %lld)", first, last);
}

static void
print_text(struct cli_out *out, const struct stream_place *place,
    const struct stream_verify_finding *finding)
{
	cli_out_text(out, place->path);
	if (finding->file != NULL) {
		cli_out_byte(out, '/');
		cli_out_text(out, finding->file);
	}
	cli_out_text(out, ": ");
	if (finding->position != STREAM_POS_NONE)
		cli_out_format(
		    out, "byte %llu: ", (unsigned long long)finding->position);
	if (finding->severity == STREAM_SEVERITY_NOTE)
		cli_out_text(out, "note: ");
	cli_out_text(out, finding->message);
	print_offsets(out, finding);
	cli_out_format(out, ": %s\n", finding->meaning);
}

static void
print_summary_json(struct cli_out *out, const struct stream_place *place,
    const struct stream_verify_summary *sum)
{
	struct json_line json = {.out = out};

	line_begin(&json, "summary");
	put_place(&json, place);
	line_int(&json, "segments", sum->segments);
	line_uint(&json, "batches", sum->batches);
	line_uint(&json, "records", sum->records);
	line_uint(&json, "bytes", sum->bytes);
	line_int(&json, "log_start_offset", sum->log_start_offset);
	line_int(&json, "log_end_offset", sum->log_end_offset);
	line_uint(&json, "damage", sum->damage);
	line_uint(&json, "notes", sum->notes);
	line_end(&json);
}

static void
print_count(
    struct cli_out *out, uint64_t count, const char *one, const char *many)
{
	cli_out_format(
	    out, "%llu %s", (unsigned long long)count, count == 1 ? one : many);
}

/* "3 segments, 492 batches, 10000 records, 572094 bytes: sound" */
static void
print_sums(struct cli_out *out, const struct stream_verify_summary *sum)
{
	print_count(out, sum->segments, "segment, ", "segments, ");
	print_count(out, sum->batches, "batch, ", "batches, ");
	print_count(out, sum->records, "record, ", "records, ");
	print_count(out, sum->bytes, "byte: ", "bytes: ");
	if (sum->damage == 0)
		cli_out_text(out, "sound");
	else
		print_count(out, sum->damage, "finding of damage",
		    "findings of damage");
	if (sum->notes > 0) {
		cli_out_text(out, ", ");
		print_count(out, sum->notes, "note", "notes");
	}
	cli_out_byte(out, '\n');
}

static void
print_summary(struct run *run, const struct stream_place *place,
    const struct stream_verify_summary *sum)
{
	if (!run->opts->json && !run->context->verbose)
		return;
	cli_progress_clear(&run->progress);
	if (run->opts->json) {
		print_summary_json(&run->out, place, sum);
		return;
	}
	cli_out_format(&run->out, "%s: ", place->path);
	print_sums(&run->out, sum);
}

/* Without -q the last line says that there is nothing more to say. */
static void
print_total(struct run *run)
{
	if (run->opts->json || run->context->quiet || run->checked == 0 ||
	    cli_signals_pending() != 0)
		return;
	print_count(&run->out, run->checked, "partition, ", "partitions, ");
	print_sums(&run->out, &run->total);
}

/* ---- the threads -------------------------------------------------------- */

static void
found(void *context, const struct stream_verify_finding *finding)
{
	const struct job *job = context;
	struct run *run = job->run;

	jobs_lock(&run->jobs);
	cli_progress_clear(&run->progress);
	if (run->opts->json)
		print_json(&run->out, job->place, finding);
	else
		print_text(&run->out, job->place, finding);
	jobs_unlock(&run->jobs);
}

/* Nobody reads on, or a signal came: then this is the end. */
static bool
go_on(void *context, uint64_t bytes)
{
	struct run *run = ((const struct job *)context)->run;
	bool failed;

	atomic_fetch_add_explicit(&run->bytes, bytes, memory_order_relaxed);
	jobs_lock(&run->jobs);
	failed = cli_out_failed(&run->out);
	jobs_unlock(&run->jobs);
	return !failed && cli_signals_pending() == 0;
}

static void
add_up(struct run *run, const struct stream_verify_summary *sum)
{
	run->total.segments += sum->segments;
	run->total.batches += sum->batches;
	run->total.records += sum->records;
	run->total.bytes += sum->bytes;
	run->total.damage += sum->damage;
	run->total.notes += sum->notes;
	run->checked++;
}

static void
check(void *context, size_t i)
{
	struct run *run = context;
	const struct stream_place *place = &run->places[i];
	struct job job = {run, place};
	struct stream_verify_options how = {
	    .found = found,
	    .go_on = go_on,
	    .context = &job,
	    .max_batch_bytes = (size_t)run->opts->max_batch_bytes,
	    .lock_timeout_ms = (int)run->opts->lock_timeout_ms,
	};
	struct stream_verify_summary sum;
	struct stream_error err;
	int status = stream_verify(place, &how, &sum, &err);

	jobs_lock(&run->jobs);
	if (status == STREAM_OK) {
		add_up(run, &sum);
		print_summary(run, place, &sum);
	} else {
		cli_progress_clear(&run->progress);
		run->code = cli_first(run->code, cli_report(NULL, &err));
	}
	jobs_unlock(&run->jobs);
}

static bool
is_wanted(void *context)
{
	const struct run *run = context;

	return cli_signals_pending() == 0 && !cli_out_failed(&run->out);
}

/* Draw, and let out what was found. */
static void
tick(void *context)
{
	struct run *run = context;
	struct stream_error ignored;

	/* A failure is kept, and told at the end. */
	cli_out_flush(&run->out, &ignored);
	cli_progress_update(&run->progress, atomic_load(&run->bytes));
}

static void
check_all(struct run *run)
{
	struct jobs *jobs = &run->jobs;
	uint64_t bytes = 0;

	jobs->count = run->count;
	jobs->context = run;
	jobs->work = check;
	jobs->go_on = is_wanted;
	jobs->tick = tick;
	if (cli_progress_is_seen(run->context))
		for (size_t i = 0; i < run->count; i++)
			bytes += stream_verify_size(&run->places[i]);
	cli_progress_begin(&run->progress, run->context, bytes);
	jobs_run(jobs, jobs_threads(jobs, run->opts->jobs));
	cli_progress_clear(&run->progress);
}

/* ---- what to check ------------------------------------------------------ */

/* The places of an address; what they point to stays with the list. */
static int
keep_places(
    struct run *run, struct stream_places *places, struct stream_error *err)
{
	struct stream_places *lists =
	    realloc(run->lists, (run->list_count + 1) * sizeof(*run->lists));
	struct stream_place *more;

	if (lists != NULL)
		run->lists = lists;
	more = realloc(
	    run->places, (run->count + places->count) * sizeof(*run->places));
	if (more != NULL)
		run->places = more;
	if (lists == NULL || more == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	memcpy(run->places + run->count, places->items,
	    places->count * sizeof(*places->items));
	run->count += places->count;
	run->lists[run->list_count++] = *places;
	return STREAM_OK;
}

static int
resolve(struct run *run, struct stream_address *address,
    struct stream_places *places, struct stream_error *err)
{
	if (address->range.from.kind != STREAM_POINT_NONE ||
	    address->range.to.kind != STREAM_POINT_NONE)
		return cli_fail(err, STREAM_EUSAGE,
		    "%s: a partition is checked as a whole, without @",
		    address->name);
	return opening_find(run->context, &run->store, address, places, err);
}

static int
add_address(struct run *run, const char *word, struct stream_error *err)
{
	struct stream_address address;
	struct stream_places places = {.items = NULL};
	int status =
	    stream_address_parse(word, opening_now_ms(), &address, err);

	if (status != STREAM_OK)
		return status;
	status = resolve(run, &address, &places, err);
	stream_address_release(&address);
	if (status == STREAM_OK)
		status = keep_places(run, &places, err);
	if (status != STREAM_OK)
		stream_places_release(&places);
	return status;
}

/* ---- the tool ----------------------------------------------------------- */

static void
release(struct run *run)
{
	for (size_t i = 0; i < run->list_count; i++)
		stream_places_release(&run->lists[i]);
	free(run->lists);
	free(run->places);
	stream_store_close(run->store);
	jobs_release(&run->jobs);
}

/* Damage is worth more than what could not be looked at. */
static enum cli_exit
judge(const struct run *run)
{
	if (run->total.damage > 0)
		return CLI_DAMAGED;
	if (run->code != CLI_DONE && run->checked > 0)
		return CLI_PARTLY;
	return run->code;
}

static enum cli_exit
check_and_close(struct run *run)
{
	struct stream_error err;
	enum cli_exit code;

	if (cli_out_open(&run->out, STDOUT_FILENO, false, &err) != STREAM_OK)
		return cli_report(NULL, &err);
	check_all(run);
	print_total(run);
	code = judge(run);
	if (cli_out_close(&run->out, &err) != STREAM_OK) {
		if (err.status == STREAM_EIO && err.sys == EPIPE)
			cli_signals_die(SIGPIPE);
		code = cli_report("standard output", &err);
	}
	return code;
}

/* What is not there keeps nothing else from being checked; a wrong command line
 * does: false. */
static bool
add_addresses(struct run *run, char *words[], int count, enum cli_exit *code)
{
	struct stream_error err;

	for (int i = 0; i < count; i++) {
		if (add_address(run, words[i], &err) == STREAM_OK)
			continue;
		*code = cli_first(*code, cli_report(NULL, &err));
		if (err.status == STREAM_EUSAGE) {
			*code = CLI_USAGE;
			return false;
		}
	}
	return true;
}

static enum cli_exit
check_jobs(const struct verify_opts *opts)
{
	struct stream_error err;

	if (opts->jobs > 0)
		return CLI_DONE;
	cli_fail(&err, STREAM_EUSAGE, "--jobs cannot be 0");
	return cli_report(NULL, &err);
}

static enum cli_exit
run_verify(struct cli_context *context, int argc, char *argv[])
{
	struct verify_opts opts = {.jobs = 1};
	struct run run = {
	    .context = context,
	    .opts = &opts,
	    .jobs = JOBS_DEFAULTS,
	};
	int first = cli_parse(context, &verify_command, &opts, argc, argv);
	enum cli_exit code = check_jobs(&opts);

	if (code == CLI_DONE &&
	    add_addresses(&run, argv + first, argc - first, &code))
		code = cli_first(code, check_and_close(&run));
	release(&run);
	cli_signals_raise();
	return code;
}
