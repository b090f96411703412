/*
 * compact.c - keep the newest record of each key
 *
 * Partitions are worked on by threads, one each; what there is to say goes out
 * under one lock.
 */
#include "compact.h"

#include <stdlib.h>

#include "cli/clock.h"
#include "cli/signals.h"
#include "commands.h"
#include "opening.h"

enum { MEMORY_LEAST = 4096 };

static const struct cli_option options[] = {
    {0, "force", NULL, CLI_FLAG, offsetof(struct compact_opts, force),
	"also if little is dirty, and topics of a broker"},
    {0, "why", "KEY", CLI_TEXT, offsetof(struct compact_opts, why),
	"only say what becomes of the records of KEY"},
    {'j', "jobs", "N", CLI_COUNT, offsetof(struct compact_opts, jobs),
	"work on N partitions at once (default 1)"},
    {0, "memory", "SIZE", CLI_SIZE, offsetof(struct compact_opts, memory),
	"for the keys, of all jobs together (default 128MiB)"},
    {0, "if-unlocked", NULL, CLI_FLAG,
	offsetof(struct compact_opts, if_unlocked),
	"leave out partitions that another run works on"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {upkeep_options, offsetof(struct compact_opts, upkeep)},
    {topic_write_options, offsetof(struct compact_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_compact(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command compact_command = {
    .name = "compact",
    .args = "[ADDRESS...]",
    .summary = "Keep the newest record of each key.",
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .text = "By the rules of Kafka: closed segments only (see strm roll), "
	    "when enough of the\nlog is dirty.  Tombstones stay for "
	    "delete.retention.ms.\n",
    .run = run_compact,
};

/* ---- for the library ---------------------------------------------------- */

static void
will_read(void *context, uint64_t bytes)
{
	struct compact_job *job = context;

	atomic_fetch_add_explicit(
	    &job->run->to_read, bytes, memory_order_relaxed);
}

static bool
go_on(void *context, uint64_t bytes)
{
	struct compact_job *job = context;

	atomic_fetch_add_explicit(&job->run->read, bytes, memory_order_relaxed);
	return cli_signals_pending() == 0;
}

static void
note(void *context, const char *text)
{
	struct compact_job *job = context;
	struct compact_run *run = job->run;

	jobs_lock(&run->jobs);
	cli_progress_clear(&run->progress);
	cli_note(run->upkeep.context, upkeep_name(job->place), "%s", text);
	jobs_unlock(&run->jobs);
}

/* ---- one partition ------------------------------------------------------ */

static void
compact(struct compact_job *job)
{
	struct compact_run *run = job->run;
	struct stream_compact_options how = run->options;
	int64_t start_ms = cli_clock_ms();
	struct stream_compact *compact;
	struct stream_error err;
	int status;

	how.context = job;
	status = run->upkeep.opts->dry_run
		     ? stream_compact_plan(job->place, &how, &compact, &err)
		     : stream_compact_run(job->place, &how, &compact, &err);
	jobs_lock(&run->jobs);
	cli_progress_clear(&run->progress);
	run->upkeep.place = job->place;
	if (status == STREAM_OK) {
		run->upkeep.done++;
		compact_show(run, compact, cli_clock_ms() - start_ms);
		stream_compact_free(compact);
	} else {
		upkeep_fail(&run->upkeep, &err);
	}
	jobs_unlock(&run->jobs);
}

static void
work(void *context, size_t i)
{
	struct compact_run *run = context;
	struct compact_job job = {run, &run->upkeep.places.items[i]};

	if (run->opts->why != NULL)
		compact_why(&job);
	else
		compact(&job);
}

static bool
is_wanted(void *context)
{
	return upkeep_goes_on(&((const struct compact_run *)context)->upkeep);
}

/* ---- all of them -------------------------------------------------------- */

/* How much there is to read turns out on the way. */
static void
tick(void *context)
{
	struct compact_run *run = context;
	struct stream_error ignored;

	/* A failure is kept, and told at the end. */
	cli_out_flush(&run->upkeep.out, &ignored);
	run->progress.total = atomic_load(&run->to_read);
	cli_progress_update(&run->progress, atomic_load(&run->read));
}

static void
run_all(struct compact_run *run)
{
	struct jobs *jobs = &run->jobs;
	size_t threads;

	jobs->count = run->upkeep.places.count;
	jobs->context = run;
	jobs->work = work;
	jobs->go_on = is_wanted;
	jobs->tick = tick;
	threads = jobs_threads(jobs, run->opts->jobs);
	run->options.memory = (size_t)run->opts->memory / threads;
	/* One thread reads and writes; several jobs keep the rest busy. */
	run->options.workers = threads == 1 ? opening_workers() - 1 : 0;
	run->start_ms = cli_clock_ms();
	cli_progress_begin(&run->progress, run->upkeep.context, 0);
	jobs_run(jobs, threads);
	cli_progress_clear(&run->progress);
}

static enum cli_exit
check_line(const struct compact_opts *opts)
{
	if (opts->jobs == 0)
		return cli_usage(&compact_command, "--jobs cannot be 0");
	if (opts->memory < MEMORY_LEAST)
		return cli_usage(&compact_command,
		    "--memory must be %d bytes or more", MEMORY_LEAST);
	return CLI_DONE;
}

static void
set_options(struct compact_run *run)
{
	const struct compact_opts *opts = run->opts;
	struct stream_retain_options common =
	    upkeep_retain_options(&run->upkeep, &opts->write);

	run->options = (struct stream_compact_options){
	    .now_ms = common.now_ms,
	    .force = opts->force,
	    .lenient = opts->upkeep.all,
	    .if_unlocked = opts->if_unlocked,
	    .network = common.network,
	    .lock_timeout_ms = common.lock_timeout_ms,
	    .will_read = will_read,
	    .go_on = go_on,
	    .note = note,
	};
}

static void
find_and_run(struct compact_run *run, int count, char *words[])
{
	struct upkeep *upkeep = &run->upkeep;

	if (!upkeep_find(upkeep, count, words) || !upkeep_begin(upkeep))
		return;
	run_all(run);
	upkeep_finish(upkeep,
	    run->opts->why != NULL ? compact_why_sum : compact_show_sum);
}

static enum cli_exit
run_compact(struct cli_context *context, int argc, char *argv[])
{
	struct compact_opts opts = {.jobs = 1,
	    .memory = (int64_t)STREAM_COMPACT_MEMORY,
	    .write = TOPIC_WRITE_DEFAULTS};
	struct compact_run run = {.upkeep = {.context = context,
				      .opts = &opts.upkeep,
				      .command = &compact_command},
	    .opts = &opts,
	    .jobs = JOBS_DEFAULTS};
	int first = cli_parse(context, &compact_command, &opts, argc, argv);

	run.upkeep.code = check_line(&opts);
	set_options(&run);
	run.upkeep.only_asks = opts.why != NULL;
	if (run.upkeep.code == CLI_DONE)
		find_and_run(&run, argc - first, argv + first);
	jobs_release(&run.jobs);
	return upkeep_end(&run.upkeep);
}
