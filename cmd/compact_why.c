/*
 * compact_why.c - what becomes of the records of one key
 */
#include <string.h>

#include "compact.h"

struct asking {
	struct compact_job job; /* first: the library knows it by this */
	struct columns columns;
	uint64_t found;
};

static void
add_heads(struct columns *columns)
{
	static const char *const heads[] = {
	    "PARTITION", "OFFSET", "TIME", "VALUE", "FATE", "WHY"};

	columns_init(columns, "lrllll");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		columns_add(columns, "%s", heads[i]);
}

/* ---- records, under the lock -------------------------------------------- */

static void
print_json(struct compact_run *run, const struct stream_compact_fate *fate)
{
	struct json_line json;

	upkeep_json(&run->upkeep, "record", &json);
	line_int(&json, "offset", fate->offset);
	line_known(&json, "timestamp", fate->timestamp_ms);
	line_bool(&json, "tombstone", fate->is_tombstone);
	line_bool(&json, "stays", fate->stays);
	line_text(&json, "reason", stream_compact_reason_name(fate->reason));
	line_known(&json, "by_offset", fate->by_offset);
	line_known(&json, "until", fate->until_ms);
	line_text(&json, "why", fate->why);
	line_end(&json);
}

static void
add_row(struct asking *asking, const struct stream_compact_fate *fate)
{
	struct columns *columns = &asking->columns;
	char when[STREAM_TIME_SIZE];

	topic_put_time(fate->timestamp_ms, when);
	columns_add(columns, "%s", upkeep_name(asking->job.place));
	columns_add(columns, "%lld", (long long)fate->offset);
	columns_add(columns, "%s", when);
	columns_add(columns, "%s", fate->is_tombstone ? "none" : "yes");
	columns_add(columns, "%s", fate->stays ? "stays" : "goes");
	columns_add(columns, "%s", fate->why);
}

static void
found(void *context, const struct stream_compact_fate *fate)
{
	struct asking *asking = context;
	struct compact_run *run = asking->job.run;

	asking->found++;
	jobs_lock(&run->jobs);
	run->found++;
	run->upkeep.place = asking->job.place;
	cli_progress_clear(&run->progress);
	if (run->upkeep.opts->json)
		print_json(run, fate);
	else
		add_row(asking, fate);
	jobs_unlock(&run->jobs);
}

/* ---- a partition -------------------------------------------------------- */

static void
print_summary_json(struct compact_run *run, const struct asking *asking,
    const struct stream_compacted *sum)
{
	struct json_line json;

	upkeep_json(&run->upkeep, "summary", &json);
	line_uint(&json, "records", asking->found);
	compact_put_json_verdict(&json, sum);
	line_end(&json);
}

/* Only where there is something that it would happen to. */
static void
print_text(struct compact_run *run, const struct asking *asking,
    const struct stream_compacted *sum)
{
	char text[COMPACT_VERDICT_SIZE];

	if (asking->found == 0)
		return;
	if (!columns_print(&asking->columns, &run->upkeep.out))
		run->upkeep.code =
		    cli_complain(CLI_SYSTEM, NULL, "out of memory");
	if (run->upkeep.context->quiet)
		return;
	compact_put_verdict(sum, text);
	cli_out_format(&run->upkeep.out, "%s: %s: %s\n",
	    upkeep_name(asking->job.place),
	    stream_compact_verdict_cleans(sum->verdict)
		? "strm compact would run now"
		: "strm compact would not run now",
	    text);
}

void
compact_why(struct compact_job *job)
{
	struct compact_run *run = job->run;
	const char *key = run->opts->why;
	struct asking asking = {.job = *job};
	struct stream_compact_options how = run->options;
	struct stream_compacted sum;
	struct stream_error err;
	int status;

	how.context = &asking;
	add_heads(&asking.columns);
	status = stream_compact_why(job->place, &how,
	    (struct stream_bytes){(const uint8_t *)key, strlen(key)}, found,
	    &sum, &err);
	jobs_lock(&run->jobs);
	cli_progress_clear(&run->progress);
	run->upkeep.place = job->place;
	if (status != STREAM_OK) {
		upkeep_fail(&run->upkeep, &err);
	} else {
		run->upkeep.done++;
		if (run->upkeep.opts->json)
			print_summary_json(run, &asking, &sum);
		else
			print_text(run, &asking, &sum);
	}
	jobs_unlock(&run->jobs);
	columns_release(&asking.columns);
}

void
compact_why_sum(struct upkeep *upkeep)
{
	struct compact_run *run = (struct compact_run *)upkeep;

	if (run->found == 0 && upkeep->code == CLI_DONE)
		upkeep->code = cli_complain(CLI_NO, NULL,
		    "no record has the key \"%s\"", run->opts->why);
}
