/*
 * replicate_lag.c - how far a replica is behind its source, and who leads
 */
#include <stdio.h>
#include <string.h>

#include "columns.h"
#include "json_line.h"
#include "replicate.h"

/* ---- pairs of partitions ------------------------------------------------ */

/* Both sides name topics and partitions in one order. */
struct walk {
	const struct stream_manifest *mine;
	const struct stream_manifest *plan;
	size_t i; /* of the plan */
	size_t k; /* of mine */
	struct stream_manifest_partition theirs;
	struct stream_manifest_partition there;
	bool has; /* the replica has it, and it is of the same topic */
	bool is_known;
	struct lag lag;
};

static int
compare(const struct stream_manifest_partition *a,
    const struct stream_manifest_partition *b)
{
	int order = strcmp(a->topic, b->topic);

	return order != 0 ? order : a->partition - b->partition;
}

static struct lag
lag_of(const struct walk *walk)
{
	const struct stream_manifest_partition *theirs = &walk->theirs;
	const struct stream_manifest_partition *mine = &walk->there;
	int64_t from =
	    walk->has ? mine->log_end_offset : theirs->log_start_offset;
	struct lag lag = {
	    .records = theirs->log_end_offset - from,
	    .bytes = theirs->new_bytes,
	    .ms = -1,
	};

	/* What it holds may be below all that the source still has. */
	if (from < theirs->log_start_offset)
		lag.records = theirs->log_end_offset - theirs->log_start_offset;
	if (lag.records <= 0)
		lag.ms = 0;
	else if (walk->has && mine->last_timestamp_ms >= 0 &&
		 theirs->last_timestamp_ms >= mine->last_timestamp_ms)
		lag.ms = theirs->last_timestamp_ms - mine->last_timestamp_ms;
	return lag;
}

static bool
next(struct walk *walk)
{
	int order = -1;

	if (walk->i == stream_manifest_count(walk->plan))
		return false;
	stream_manifest_get(walk->plan, walk->i++, &walk->theirs);
	while (walk->k < stream_manifest_count(walk->mine)) {
		stream_manifest_get(walk->mine, walk->k, &walk->there);
		order = compare(&walk->theirs, &walk->there);
		if (order <= 0)
			break;
		walk->k++;
		order = -1;
	}
	walk->has = order == 0 && walk->there.failed == STREAM_OK &&
		    stream_replica_fate(walk->plan, walk->mine,
			walk->theirs.topic) == STREAM_FATE_THERE;
	if (!walk->has)
		walk->there = (struct stream_manifest_partition){
		    .leader_epoch = -1, .last_timestamp_ms = -1};
	walk->lag = lag_of(walk);
	walk->is_known =
	    walk->theirs.failed == STREAM_OK && walk->lag.records >= 0;
	return true;
}

static void
add(struct lag *sum, const struct walk *walk)
{
	if (!walk->is_known)
		return;
	sum->records += walk->lag.records;
	sum->bytes += walk->lag.bytes;
	if (walk->lag.ms < 0)
		sum->ms = -1;
	else if (sum->ms >= 0 && walk->lag.ms > sum->ms)
		sum->ms = walk->lag.ms;
}

struct lag
lag_sum(const struct stream_manifest *mine, const struct stream_manifest *plan)
{
	struct walk walk = {.mine = mine, .plan = plan};
	struct lag sum = {.records = 0};

	while (next(&walk))
		add(&sum, &walk);
	return sum;
}

static bool
is_done(const char *report, const char *topic, int32_t partition)
{
	char line[300];
	size_t size = (size_t)snprintf(
	    line, sizeof(line), "done %s %d ", topic, (int)partition);

	for (const char *at = report; at != NULL && *at != '\0';) {
		if (strncmp(at, line, size) == 0)
			return true;
		at = strchr(at, '\n');
		if (at != NULL)
			at++;
	}
	return false;
}

struct lag
lag_left(const struct stream_manifest *mine, const struct stream_manifest *plan,
    const char *report)
{
	struct walk walk = {.mine = mine, .plan = plan};
	struct lag sum = {.records = 0};

	while (next(&walk))
		if (!is_done(report, walk.theirs.topic, walk.theirs.partition))
			add(&sum, &walk);
	return sum;
}

/* ---- what is chosen ----------------------------------------------------- */

static bool
names(const struct stream_address *address, int32_t partition)
{
	for (size_t i = 0; i < address->span_count; i++)
		if (partition >= address->spans[i].first &&
		    partition <= address->spans[i].last)
			return true;
	return address->span_count == 0;
}

static bool
has(const struct stream_manifest *manifest,
    const struct stream_address *address)
{
	for (size_t i = 0; i < stream_manifest_count(manifest); i++) {
		struct stream_manifest_partition part;

		stream_manifest_get(manifest, i, &part);
		if (strcmp(part.topic, address->name) == 0 &&
		    names(address, part.partition))
			return true;
	}
	return false;
}

enum cli_exit
replicate_check_chosen(const struct replicate_opts *opts,
    const struct stream_manifest *mine, const struct stream_manifest *plan)
{
	struct stream_replica_options options = {.of = NULL};
	enum cli_exit code = CLI_DONE;
	struct stream_error err;
	int status = side_choose(opts, &options, &err);

	for (size_t i = 0; i < options.include_count && status == STREAM_OK;
	     i++)
		if (!has(plan, &options.include[i]) &&
		    !has(mine, &options.include[i]))
			code = cli_complain(CLI_NOT_FOUND, NULL,
			    "--include %s: chooses nothing that is at either "
			    "side",
			    opts->include.items[i]);
	for (size_t i = 0; i < options.exclude_count && code == CLI_DONE; i++)
		if (stream_manifest_is_idle(plan, i) &&
		    stream_manifest_is_idle(mine, i))
			cli_note(opts->context, NULL,
			    "--exclude %s: leaves out nothing, at either side",
			    opts->exclude.items[i]);
	side_unchoose(&options);
	return status == STREAM_OK ? code : cli_report(NULL, &err);
}

/* ---- who leads ---------------------------------------------------------- */

/* The newest epoch does, if that side may be written to. */
static const char *
leader_of(const struct walk *walk)
{
	bool source = stream_manifest_role(walk->plan) == STREAM_IS_LEADER;
	bool replica =
	    walk->has && stream_manifest_role(walk->mine) == STREAM_IS_LEADER;

	if (walk->has && walk->there.leader_epoch > walk->theirs.leader_epoch)
		source = false;
	if (walk->there.leader_epoch < walk->theirs.leader_epoch)
		replica = false;
	if (source && replica)
		return "both";
	return source ? "source" : replica ? "replica" : "none";
}

/* ---- lines -------------------------------------------------------------- */

static void
print_json(struct cli_out *out, const char *type, const struct walk *walk)
{
	const struct stream_manifest_partition *theirs = &walk->theirs;
	struct json_line json = {.out = out};

	line_begin(&json, type);
	line_text(&json, "topic", theirs->topic);
	line_int(&json, "partition", theirs->partition);
	line_text(&json, "leader", leader_of(walk));
	line_known(&json, "leader_epoch", theirs->leader_epoch);
	line_known(&json, "replica_leader_epoch", walk->there.leader_epoch);
	line_int(&json, "log_end_offset", theirs->log_end_offset);
	line_int(&json, "replica_log_end_offset", walk->there.log_end_offset);
	line_known(&json, "lag", walk->is_known ? walk->lag.records : -1);
	line_known(
	    &json, "bytes", walk->is_known ? (int64_t)walk->lag.bytes : -1);
	line_known(&json, "lag_ms", walk->is_known ? walk->lag.ms : -1);
	line_end(&json);
}

static void
add_epoch(struct columns *columns, int32_t epoch)
{
	if (epoch < 0)
		columns_add(columns, "-");
	else
		columns_add(columns, "%d", (int)epoch);
}

static void
add_row(struct columns *columns, const struct walk *walk)
{
	columns_add(
	    columns, "%s-%d", walk->theirs.topic, (int)walk->theirs.partition);
	columns_add(columns, "%s", leader_of(walk));
	add_epoch(columns, walk->theirs.leader_epoch);
	add_epoch(columns, walk->there.leader_epoch);
	columns_add(columns, "%lld", (long long)walk->theirs.log_end_offset);
	columns_add(columns, "%lld", (long long)walk->there.log_end_offset);
	if (walk->is_known) {
		columns_add(columns, "%lld", (long long)walk->lag.records);
		columns_add(
		    columns, "%llu", (unsigned long long)walk->lag.bytes);
	} else {
		columns_add(columns, "-");
		columns_add(columns, "-");
	}
	if (!walk->is_known || walk->lag.ms < 0)
		columns_add(columns, "-");
	else
		columns_add(columns, "%lld.%03d",
		    (long long)(walk->lag.ms / 1000),
		    (int)(walk->lag.ms % 1000));
}

static enum cli_exit
complain(const struct walk *walk)
{
	char name[300];

	snprintf(name, sizeof(name), "%s-%d", walk->theirs.topic,
	    (int)walk->theirs.partition);
	return cli_complain(CLI_PARTLY, name, "%s", walk->theirs.why);
}

static enum cli_exit
show(struct cli_out *out, const struct replicate_opts *opts, const char *type,
    const struct stream_manifest *mine, const struct stream_manifest *plan)
{
	static const char *const heads[] = {"PARTITION", "LEADER", "EPOCH",
	    "REPLICA'S", "END", "REPLICA'S", "RECORDS", "BYTES", "SECONDS"};
	struct walk walk = {.mine = mine, .plan = plan};
	enum cli_exit code = CLI_DONE;
	struct columns columns;

	columns_init(&columns, "llrrrrrrr");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		columns_add(&columns, "%s", heads[i]);
	while (next(&walk)) {
		if (walk.theirs.failed != STREAM_OK)
			code = cli_first(code, complain(&walk));
		else if (opts->json)
			print_json(out, type, &walk);
		else
			add_row(&columns, &walk);
	}
	if (!opts->json && !columns_print(&columns, out))
		code = cli_complain(CLI_SYSTEM, NULL, "out of memory");
	columns_release(&columns);
	return code;
}

/* What is not as at the source, and how a run would deal with it. */
static void
show_topics(struct cli_out *out, const struct replicate_opts *opts,
    const struct stream_manifest *mine, const struct stream_manifest *plan)
{
	for (size_t i = 0; i < stream_manifest_topic_count(mine); i++) {
		const char *name = stream_manifest_topic(mine, i);
		enum stream_replica_fate fate =
		    stream_replica_fate(plan, mine, name);
		bool goes = opts->remove && side_is_whole(opts, name);

		if (fate == STREAM_FATE_GONE && opts->status)
			replicate_show_topic(out, opts, name, "gone");
		else if (fate == STREAM_FATE_GONE)
			replicate_show_topic(
			    out, opts, name, goes ? "deleted" : "kept");
		else if (fate == STREAM_FATE_ANOTHER && goes && !opts->status)
			replicate_show_topic(out, opts, name, "recreated");
	}
}

static void
show_parts(struct cli_out *out, const struct replicate_opts *opts,
    const struct stream_manifest *mine, const struct stream_manifest *plan)
{
	for (size_t i = 0; i < stream_manifest_count(mine); i++) {
		struct stream_manifest_partition part;

		stream_manifest_get(mine, i, &part);
		if (stream_replica_is_part_gone(plan, mine, i))
			replicate_show_part(out, opts, part.topic,
			    part.partition, opts->status ? "gone" : "kept");
	}
}

/* Lines of the type, and what else is to be said of the two. */
static enum cli_exit
show_all(struct cli_out *out, const struct replicate_opts *opts,
    const char *type, const struct stream_manifest *mine,
    const struct stream_manifest *plan)
{
	enum cli_exit code = show(out, opts, type, mine, plan);

	show_topics(out, opts, mine, plan);
	show_parts(out, opts, mine, plan);
	return code;
}

enum cli_exit
replicate_show_status(struct cli_out *out, const struct replicate_opts *opts,
    const struct stream_manifest *mine, const struct stream_manifest *plan)
{
	return show_all(out, opts, "status", mine, plan);
}

/* ---- what a run would do ------------------------------------------------ */

enum cli_exit
replicate_show_plan(struct cli_out *out, const struct replicate_opts *opts,
    const struct stream_manifest *mine, const struct stream_manifest *plan)
{
	return show_all(out, opts, "plan", mine, plan);
}
