/*
 * compact_show.c - what compaction does, or would do
 */
#include <stdio.h>

#include <stream/parse.h>

#include "cli/clock.h"
#include "compact.h"

/* ---- the verdict -------------------------------------------------------- */

/* "dirty ratio 0.62 (1200 of 1935 bytes), above 0.50" */
static void
put_ratio(const struct stream_compacted *sum, const char *than, char *text)
{
	snprintf(text, COMPACT_VERDICT_SIZE,
	    "dirty ratio %.2f (%llu of %llu bytes), %s %.2f", sum->ratio,
	    (unsigned long long)sum->dirty_bytes,
	    (unsigned long long)(sum->clean_bytes + sum->dirty_bytes), than,
	    sum->min_ratio);
}

/* What would have to be done first. */
static const char *
bound_hint(const struct stream_compacted *sum)
{
	if (sum->bound == STREAM_COMPACT_BOUND_TRANSACTION)
		return "; a transaction is open";
	if (sum->bound == STREAM_COMPACT_BOUND_YOUNG)
		return "; the rest is younger than min.compaction.lag.ms";
	return sum->active_is_used ? "; strm roll closes the active segment"
				   : "";
}

void
compact_put_verdict(const struct stream_compacted *sum, char *text)
{
	const size_t size = COMPACT_VERDICT_SIZE;

	switch (sum->verdict) {
	case STREAM_COMPACT_RATIO:
		put_ratio(sum, "above", text);
		break;
	case STREAM_COMPACT_BELOW:
		put_ratio(sum, "not above", text);
		break;
	case STREAM_COMPACT_LAG:
		snprintf(text, size,
		    "something has waited longer than max.compaction.lag.ms");
		break;
	case STREAM_COMPACT_FORCED:
		snprintf(text, size, "forced; dirty ratio %.2f", sum->ratio);
		break;
	case STREAM_COMPACT_CLEAN:
		snprintf(text, size,
		    "nothing to clean between the clean point %lld and offset "
		    "%lld%s",
		    (long long)sum->from_offset,
		    (long long)sum->uncleanable_offset, bound_hint(sum));
		break;
	case STREAM_COMPACT_ACTIVE:
		snprintf(text, size,
		    "only an active segment, which is never cleaned%s",
		    sum->active_is_used ? ": strm roll closes it" : "");
		break;
	case STREAM_COMPACT_POLICY:
		snprintf(text, size, "cleanup.policy has no \"compact\"");
		break;
	case STREAM_COMPACT_FOREIGN:
		snprintf(text, size, "a topic that strm did not make");
		break;
	case STREAM_COMPACT_LOCKED:
		snprintf(text, size, "left out, another run works on it");
		break;
	}
}

void
compact_put_json_verdict(
    struct json_line *json, const struct stream_compacted *sum)
{
	char text[COMPACT_VERDICT_SIZE];

	compact_put_verdict(sum, text);
	line_bool(json, "cleans", stream_compact_verdict_cleans(sum->verdict));
	line_text(json, "verdict", stream_compact_verdict_name(sum->verdict));
	line_text(json, "why", text);
	line_text(json, "bound", stream_compact_bound_name(sum->bound));
	line_int(json, "log_start_offset", sum->log_start_offset);
	line_int(json, "log_end_offset", sum->log_end_offset);
	line_int(json, "from_offset", sum->from_offset);
	line_int(json, "uncleanable_offset", sum->uncleanable_offset);
	line_uint(json, "clean_bytes", sum->clean_bytes);
	line_uint(json, "dirty_bytes", sum->dirty_bytes);
	line_real(json, "dirty_ratio", sum->ratio);
	line_real(json, "min_dirty_ratio", sum->min_ratio);
}

/* ---- segments of a plan ------------------------------------------------- */

static void
add_heads(struct columns *columns)
{
	static const char *const heads[] = {"PARTITION", "SEGMENT", "PART",
	    "RECORDS", "BYTES", "GO", "FREES", "INTO", "WHY"};

	columns_init(columns, "lrlrrrrrl");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		columns_add(columns, "%s", heads[i]);
}

static void
add_count(struct columns *columns, bool is_known, uint64_t count)
{
	if (is_known)
		columns_add(columns, "%llu", (unsigned long long)count);
	else
		columns_add(columns, "-");
}

/* The segment that it becomes a part of: the first of its group. */
static void
add_target(struct columns *columns, const struct stream_compact *compact,
    const struct stream_compact_segment *segment)
{
	size_t i = 0;

	while (segment->group >= 0 &&
	       stream_compact_segment(compact, i)->group != segment->group)
		i++;
	if (segment->group < 0)
		columns_add(columns, "-");
	else
		columns_add(columns, "%lld",
		    (long long)stream_compact_segment(compact, i)->base_offset);
}

static void
add_row(struct columns *columns, const char *name,
    const struct stream_compact *compact,
    const struct stream_compact_segment *segment)
{
	const struct stream_compact_counts *counts = &segment->counts;
	bool judged = segment->is_judged;

	columns_add(columns, "%s", name);
	columns_add(columns, "%lld", (long long)segment->base_offset);
	columns_add(columns, "%s", stream_compact_part_name(segment->part));
	add_count(columns, judged, counts->records_in);
	columns_add(columns, "%llu", (unsigned long long)segment->bytes);
	add_count(columns, judged, counts->records_in - counts->records_out);
	add_count(columns, judged, upkeep_freed(counts));
	add_target(columns, compact, segment);
	columns_add(columns, "%s", segment->why);
}

static void
put_counts(struct json_line *json, const struct stream_compact_counts *counts)
{
	line_uint(json, "batches_in", counts->batches_in);
	line_uint(json, "batches_out", counts->batches_out);
	line_uint(json, "records_in", counts->records_in);
	line_uint(json, "records_out", counts->records_out);
	line_uint(json, "bytes_in", counts->bytes_in);
	line_uint(json, "bytes_out", counts->bytes_out);
	line_uint(json, "superseded", counts->superseded);
	line_uint(json, "expired_tombstones", counts->expired);
	line_uint(json, "aborted", counts->aborted);
	line_uint(json, "without_key", counts->keyless);
	line_uint(json, "markers", counts->markers);
	line_uint(json, "tombstones_out", counts->tombstones_out);
}

static void
print_segment_json(
    struct compact_run *run, const struct stream_compact_segment *segment)
{
	struct json_line json;

	upkeep_json(&run->upkeep, "segment", &json);
	line_int(&json, "base_offset", segment->base_offset);
	line_int(&json, "next_offset", segment->next_offset);
	line_uint(&json, "bytes", segment->bytes);
	line_text(&json, "part", stream_compact_part_name(segment->part));
	line_known(&json, "group", segment->group);
	if (segment->is_judged)
		put_counts(&json, &segment->counts);
	line_text(&json, "why", segment->why);
	line_end(&json);
}

static void
print_table(struct compact_run *run, const struct stream_compact *compact)
{
	const char *name = upkeep_name(run->upkeep.place);
	struct columns columns;

	add_heads(&columns);
	for (size_t i = 0; i < stream_compact_count(compact); i++)
		add_row(&columns, name, compact,
		    stream_compact_segment(compact, i));
	if (!columns_print(&columns, &run->upkeep.out))
		run->upkeep.code =
		    cli_complain(CLI_SYSTEM, NULL, "out of memory");
	columns_release(&columns);
}

static void
show_segments(struct compact_run *run, const struct stream_compact *compact)
{
	size_t count = stream_compact_count(compact);

	if (!run->upkeep.opts->json && count > 0)
		print_table(run, compact);
	for (size_t i = 0; i < count && run->upkeep.opts->json; i++)
		print_segment_json(run, stream_compact_segment(compact, i));
}

/* ---- a partition -------------------------------------------------------- */

static void
print_json(struct compact_run *run, const struct stream_compacted *sum,
    int64_t elapsed_ms)
{
	struct json_line json;

	upkeep_json(&run->upkeep, "summary", &json);
	line_bool(&json, "dry_run", run->upkeep.opts->dry_run);
	compact_put_json_verdict(&json, sum);
	line_int(&json, "clean_offset", sum->clean_offset);
	line_uint(&json, "rounds", sum->rounds);
	line_uint(&json, "keys", sum->keys);
	line_uint(&json, "segments_in", sum->segments_in);
	line_uint(&json, "segments_out", sum->segments_out);
	line_uint(&json, "segments_same", sum->segments_same);
	put_counts(&json, &sum->counts);
	line_int(&json, "elapsed_ms", elapsed_ms);
	line_end(&json);
}

static void
print_part(struct upkeep *upkeep, const char **before, uint64_t count,
    const char *what)
{
	if (count == 0)
		return;
	cli_out_format(&upkeep->out, "%s%llu %s", *before,
	    (unsigned long long)count, what);
	*before = ", ";
}

/* " (12 superseded, 3 expired tombstones)" */
static void
print_reasons(struct upkeep *upkeep, const struct stream_compact_counts *counts)
{
	const char *before = " (";

	print_part(upkeep, &before, counts->superseded, "superseded");
	print_part(upkeep, &before, counts->expired,
	    counts->expired == 1 ? "expired tombstone" : "expired tombstones");
	print_part(upkeep, &before, counts->aborted, "aborted");
	print_part(upkeep, &before, counts->keyless, "without a key");
	print_part(upkeep, &before, counts->markers,
	    counts->markers == 1 ? "transaction marker"
				 : "transaction markers");
	if (before[0] == ',')
		cli_out_byte(&upkeep->out, ')');
}

/* "5000 of 9000 records go (5000 superseded), 120000 of 250000 bytes" */
static void
print_gone(struct upkeep *upkeep, const struct stream_compact_counts *counts)
{
	cli_out_format(&upkeep->out, "%llu of %llu record%s %s",
	    (unsigned long long)(counts->records_in - counts->records_out),
	    (unsigned long long)counts->records_in,
	    counts->records_in == 1 ? "" : "s",
	    upkeep->opts->dry_run ? "would go" : "went");
	print_reasons(upkeep, counts);
	cli_out_format(&upkeep->out, ", %llu of %llu bytes",
	    (unsigned long long)upkeep_freed(counts),
	    (unsigned long long)counts->bytes_in);
}

static double
rate(uint64_t amount, int64_t elapsed_ms)
{
	return (double)amount * 1000 /
	       (double)(elapsed_ms > 0 ? elapsed_ms : 1);
}

/* "; 3 tombstones stay; 0.48 s, 10400000 records/s, 1200.0 MB/s" */
static void
print_rest(struct upkeep *upkeep, const struct stream_compact_counts *counts,
    int64_t elapsed_ms)
{
	cli_out_text(&upkeep->out, "; ");
	upkeep_count(upkeep, counts->tombstones_out, "tombstone stays",
	    "tombstones stay");
	if (!upkeep->opts->dry_run)
		cli_out_format(&upkeep->out,
		    "; %.2f s, %.0f records/s, %.1f MB/s",
		    (double)elapsed_ms / 1000,
		    rate(counts->records_in, elapsed_ms),
		    rate(counts->bytes_in, elapsed_ms) / 1e6);
}

static void
print_rounds(struct upkeep *upkeep, const struct stream_compacted *sum)
{
	if (sum->rounds > 1)
		cli_out_format(&upkeep->out, "; in %u rounds", sum->rounds);
	if (sum->clean_offset < sum->uncleanable_offset)
		cli_out_format(&upkeep->out,
		    "; there is not enough --memory for all of it, so this is "
		    "the first round, up to offset %lld",
		    (long long)sum->clean_offset);
}

static void
print_text(struct compact_run *run, const struct stream_compacted *sum,
    int64_t elapsed_ms)
{
	struct upkeep *upkeep = &run->upkeep;
	char text[COMPACT_VERDICT_SIZE];

	if (!upkeep_tells(upkeep))
		return;
	compact_put_verdict(sum, text);
	cli_out_format(&upkeep->out, "%s: ", upkeep_name(upkeep->place));
	if (!stream_compact_verdict_cleans(sum->verdict)) {
		cli_out_format(&upkeep->out, "not compacted: %s\n", text);
		return;
	}
	print_gone(upkeep, &sum->counts);
	print_rest(upkeep, &sum->counts, elapsed_ms);
	print_rounds(upkeep, sum);
	if (upkeep->context->verbose || upkeep->opts->dry_run)
		cli_out_format(&upkeep->out, " (%s)", text);
	cli_out_byte(&upkeep->out, '\n');
}

static void
add_up(struct compact_run *run, const struct stream_compact_counts *counts)
{
	struct stream_compact_counts *sum = &run->sum;

	run->compacted++;
	sum->records_in += counts->records_in;
	sum->records_out += counts->records_out;
	sum->bytes_in += counts->bytes_in;
	sum->bytes_out += counts->bytes_out;
	sum->superseded += counts->superseded;
	sum->expired += counts->expired;
	sum->keyless += counts->keyless;
	sum->aborted += counts->aborted;
	sum->markers += counts->markers;
	sum->tombstones_out += counts->tombstones_out;
}

/* With --all, what is not meant is not worth a line. */
static bool
is_skipped(const struct compact_run *run, const struct stream_compacted *sum)
{
	return !run->upkeep.context->verbose &&
	       (sum->verdict == STREAM_COMPACT_POLICY ||
		   sum->verdict == STREAM_COMPACT_FOREIGN);
}

void
compact_show(struct compact_run *run, const struct stream_compact *compact,
    int64_t elapsed_ms)
{
	const struct stream_compacted *sum = stream_compact_sum(compact);

	if (stream_compact_verdict_cleans(sum->verdict))
		add_up(run, &sum->counts);
	if (run->upkeep.opts->dry_run)
		show_segments(run, compact);
	if (sum->verdict == STREAM_COMPACT_LOCKED)
		cli_note(run->upkeep.context, upkeep_name(run->upkeep.place),
		    "left out, another run works on it");
	if (run->upkeep.opts->json)
		print_json(run, sum, elapsed_ms);
	else if (!is_skipped(run, sum) && sum->verdict != STREAM_COMPACT_LOCKED)
		print_text(run, sum, elapsed_ms);
}

/* ---- all of them -------------------------------------------------------- */

void
compact_show_sum(struct upkeep *upkeep)
{
	struct compact_run *run = (struct compact_run *)upkeep;

	if (!upkeep_tells(upkeep) || run->compacted < 2)
		return;
	cli_out_format(&upkeep->out, "%zu partitions: ", run->compacted);
	print_gone(upkeep, &run->sum);
	print_rest(upkeep, &run->sum, cli_clock_ms() - run->start_ms);
	cli_out_byte(&upkeep->out, '\n');
}
