#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "json_line.h"
#include "replicate.h"
#include "topic.h"

/* ---- what a run did ----------------------------------------------------- */

struct line {
	char word[16];
	char topic[STREAM_TOPIC_NAME_SIZE];
	int partition;
	int64_t from;
	int64_t end;
	int64_t value;
	int status;
	const char *text;
};

static bool
take(const char *text, struct line *line)
{
	int used = 0;

	if (sscanf(text,
		"%15s %249s %d %" SCNd64 " %" SCNd64 " %" SCNd64 " %d %n",
		line->word, line->topic, &line->partition, &line->from,
		&line->end, &line->value, &line->status, &used) < 7)
		return false;
	line->text = text + used;
	return true;
}

static bool
is(const struct line *line, const char *word)
{
	return strcmp(line->word, word) == 0;
}

static void
count(const struct line *line, struct replicate_sum *sum)
{
	enum cli_exit code = cli_status(line->status);

	if (is(line, "done"))
		sum->partitions++;
	else if (is(line, "diverged"))
		sum->diverged++;
	else if (is(line, "truncated"))
		sum->truncated++;
	else if (is(line, "resend"))
		sum->resend++;
	else
		sum->failed++;
	if (is(line, "failed") && code == CLI_DAMAGED)
		sum->damaged++;
	if (is(line, "failed") || is(line, "resend"))
		sum->code =
		    cli_first(sum->code, code == CLI_DONE ? CLI_SYSTEM : code);
}

static void
print_json(struct cli_out *out, const struct line *line)
{
	struct json_line json = {.out = out};

	line_begin(&json, "partition");
	line_text(&json, "topic", line->topic);
	line_int(&json, "partition", line->partition);
	line_text(&json, "result", line->word);
	line_int(&json, "from_offset", line->from);
	line_int(&json, "log_end_offset", line->end);
	line_known(&json, "offset", line->value);
	if (is(line, "failed") || is(line, "resend"))
		line_text(&json, "why", line->text);
	else
		line_null(&json, "why");
	line_end(&json);
}

static void
complain(const struct line *line)
{
	char name[sizeof(line->topic) + 12];

	snprintf(name, sizeof(name), "%s-%d", line->topic, line->partition);
	if (is(line, "diverged"))
		cli_complain(CLI_NO, name,
		    "diverged: from offset %lld to %lld the replica holds what "
		    "the source does not (--truncate sets it aside)",
		    (long long)line->value, (long long)line->from);
	else
		cli_complain(CLI_SYSTEM, name, "%s", line->text);
}

static void
print_text(struct cli_out *out, const struct line *line)
{
	if (is(line, "truncated"))
		cli_out_format(out,
		    "%s-%d: offsets %lld to %lld set aside, which the source "
		    "does not hold\n",
		    line->topic, line->partition, (long long)line->value,
		    (long long)line->from - 1);
	else if (is(line, "done") && line->end > line->from)
		cli_out_format(out, "%s-%d: up to offset %lld, from %lld\n",
		    line->topic, line->partition, (long long)line->end,
		    (long long)line->from);
}

static void
show_line(struct cli_out *out, const struct cli_context *context,
    const struct replicate_opts *opts, const char *text,
    struct replicate_sum *sum)
{
	struct line line;

	if (!take(text, &line)) {
		sum->failed++;
		sum->code = cli_first(sum->code,
		    cli_complain(CLI_REMOTE, NULL,
			"the report of the replica is not understood"));
		return;
	}
	count(&line, sum);
	if (is(&line, "resend"))
		return;
	if (opts->json)
		print_json(out, &line);
	else if (!context->quiet)
		print_text(out, &line);
	if (is(&line, "failed") || is(&line, "diverged"))
		complain(&line);
}

void
replicate_show(struct cli_out *out, const struct cli_context *context,
    const struct replicate_opts *opts, const char *report,
    struct replicate_sum *sum)
{
	while (*report != '\0') {
		const char *stop = strchrnul(report, '\n');
		char *line = strndup(report, (size_t)(stop - report));

		if (line != NULL)
			show_line(out, context, opts, line, sum);
		free(line);
		report = *stop == '\0' ? stop : stop + 1;
	}
}

/* ---- what a run would do, and how far behind it is ---------------------- */

/* The same partition of the other side; false: it has none. */
static bool
find(const struct stream_manifest *manifest, const char *topic,
    int32_t partition, struct stream_manifest_partition *found)
{
	for (size_t i = 0; i < stream_manifest_count(manifest); i++) {
		stream_manifest_get(manifest, i, found);
		if (found->partition == partition &&
		    strcmp(found->topic, topic) == 0)
			return true;
	}
	*found = (struct stream_manifest_partition){
	    .leader_epoch = -1, .last_timestamp_ms = -1};
	return false;
}

struct lag {
	int64_t records;
	uint64_t bytes;
	int64_t ms; /* between the last timestamps; -1: not known */
};

static struct lag
lag_of(const struct stream_manifest_partition *theirs,
    const struct stream_manifest_partition *mine, bool has)
{
	int64_t from = has ? mine->log_end_offset : theirs->log_start_offset;
	struct lag lag = {
	    .records = theirs->log_end_offset - from,
	    .bytes = theirs->new_bytes,
	    .ms = -1,
	};

	if (lag.records <= 0)
		lag.ms = 0;
	else if (has && mine->last_timestamp_ms >= 0 &&
		 theirs->last_timestamp_ms >= mine->last_timestamp_ms)
		lag.ms = theirs->last_timestamp_ms - mine->last_timestamp_ms;
	return lag;
}

static void
print_lag_json(struct cli_out *out, const char *type,
    const struct stream_manifest_partition *theirs,
    const struct stream_manifest_partition *mine, const struct lag *lag)
{
	struct json_line json = {.out = out};

	line_begin(&json, type);
	line_text(&json, "topic", theirs->topic);
	line_int(&json, "partition", theirs->partition);
	line_known(&json, "leader_epoch", theirs->leader_epoch);
	line_known(&json, "replica_leader_epoch", mine->leader_epoch);
	line_int(&json, "log_end_offset", theirs->log_end_offset);
	line_int(&json, "replica_log_end_offset", mine->log_end_offset);
	line_int(&json, "lag", lag->records);
	line_uint(&json, "bytes", lag->bytes);
	line_known(&json, "lag_ms", lag->ms);
	line_end(&json);
}

static void
add_lag_row(struct columns *columns,
    const struct stream_manifest_partition *theirs,
    const struct stream_manifest_partition *mine, const struct lag *lag)
{
	columns_add(columns, "%s-%d", theirs->topic, theirs->partition);
	columns_add(columns, "%d", theirs->leader_epoch);
	columns_add(columns, "%d", mine->leader_epoch);
	columns_add(columns, "%lld", (long long)theirs->log_end_offset);
	columns_add(columns, "%lld", (long long)mine->log_end_offset);
	columns_add(columns, "%lld", (long long)lag->records);
	columns_add(columns, "%llu", (unsigned long long)lag->bytes);
	if (lag->ms < 0)
		columns_add(columns, "-");
	else
		columns_add(columns, "%lld.%03d", (long long)(lag->ms / 1000),
		    (int)(lag->ms % 1000));
}

static void
show_lag(struct cli_out *out, const struct replicate_opts *opts,
    const char *type, const struct stream_manifest *mine,
    const struct stream_manifest *plan)
{
	static const char *const heads[] = {"PARTITION", "EPOCH", "REPLICA'S",
	    "END", "REPLICA'S", "RECORDS", "BYTES", "SECONDS"};
	struct columns columns;

	columns_init(&columns, "lrrrrrrr");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		columns_add(&columns, "%s", heads[i]);
	for (size_t i = 0; i < stream_manifest_count(plan); i++) {
		struct stream_manifest_partition theirs, there;
		struct lag lag;
		bool has;

		stream_manifest_get(plan, i, &theirs);
		has = find(mine, theirs.topic, theirs.partition, &there);
		lag = lag_of(&theirs, &there, has);
		if (opts->json)
			print_lag_json(out, type, &theirs, &there, &lag);
		else
			add_lag_row(&columns, &theirs, &there, &lag);
	}
	if (!opts->json && !columns_print(&columns, out))
		cli_complain(CLI_SYSTEM, NULL, "out of memory");
	columns_release(&columns);
}

void
replicate_show_plan(struct cli_out *out, const struct replicate_opts *opts,
    const struct stream_manifest *mine, const struct stream_manifest *plan)
{
	show_lag(out, opts, "plan", mine, plan);
}

void
replicate_show_status(struct cli_out *out, const struct replicate_opts *opts,
    const struct stream_manifest *mine, const struct stream_manifest *plan)
{
	show_lag(out, opts, "status", mine, plan);
}
