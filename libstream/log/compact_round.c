/*
 * compact_round.c - rounds of two passes, group by group
 *
 * A round maps the keys of the dirty part, as far as memory goes, and writes
 * all segments up to there anew.  What it did is durable before the clean point
 * is written down, so a crash leads to work that is done again, and to nothing
 * else.
 *
 * Unlike Kafka, a group from which nothing goes is left as it is, unless it has
 * several segments and some of them are dirty.  So a log that has grown by many
 * small segments gets fewer, and a run without anything new changes no byte.
 * Neighbours of which nothing is left would stay for that reason: at the end of
 * a run they become one.
 */
#include <unistd.h>

#include "base/fail.h"
#include "log/clean.h"
#include "log/compact_map.h"
#include "log/compact_private.h"
#include "log/compact_result.h"
#include "log/segment_names.h"
#include "log/structure.h"
#include "log/swap.h"

/* ---- the map ------------------------------------------------------------ */

struct round {
	struct stream_compacting *c;
	struct stream_keymap *map;
	struct stream_clean_rules rules;
	bool writes;
	bool *declared; /* gaps were, in an earlier round or group */
	int64_t dirty;  /* the clean point as it was */
	bool synced;    /* the segments whose keys were mapped */
	int made;       /* descriptor of the group's new log */
	struct stream_clean_stats stats; /* of all groups */
	struct stream_compact_result result;
};

static void
will_read(const struct round *r, uint64_t bytes)
{
	const struct stream_compact_options *options = r->c->source->options;

	if (options->will_read != NULL)
		options->will_read(options->context, bytes);
}

static uint64_t
sum_bytes(const struct stream_compacting *c, size_t from, size_t to)
{
	uint64_t bytes = 0;

	for (size_t i = from; i < to; i++)
		bytes += c->look.segments[i].bytes;
	return bytes;
}

/* The first segment that holds an offset of the dirty part. */
static size_t
first_dirty(const struct stream_compacting *c, int64_t dirty)
{
	size_t n = stream_compacting_reach(c, dirty);

	return n > 0 && c->look.segments[n].base_offset > dirty ? n - 1 : n;
}

/* So many segments, from the first on, are cleaned when all keys below end are
 * known.  The clean point can be above the bound, after a trim. */
static size_t
count_to_clean(const struct round *r, int64_t end)
{
	int64_t bound = r->c->compact->sum.uncleanable_offset;

	return stream_compacting_reach(r->c, end < bound ? end : bound);
}

static int
fill_map(struct round *r, struct stream_error *err)
{
	struct stream_compacting *c = r->c;
	int64_t to = c->compact->sum.uncleanable_offset;
	size_t first = first_dirty(c, r->dirty);
	size_t end = stream_compacting_reach(c, to);
	struct stream_compact_span span = {
	    .dirfd = c->source->dirfd,
	    .bases = c->look.bases + first,
	    .count = end > first ? end - first : 0,
	    .from = r->dirty,
	    .to = to > r->dirty ? to : r->dirty,
	    .cap = c->cap,
	    .txn = c->look.txn,
	    .workers = c->source->options->workers,
	    .go_on = c->source->options->go_on,
	    .go_on_context = c->source->options->context,
	};

	if (span.from == span.to)
		span.count = 0;
	will_read(r, sum_bytes(c, first, first + span.count) +
			 sum_bytes(c, 0, count_to_clean(r, span.to)));
	return stream_compact_map_fill(
	    &span, r->map, &r->rules.mapped_end, err);
}

static void
set_rules(struct round *r)
{
	struct stream_compacting *c = r->c;
	const struct stream_compact_options *options = c->source->options;

	r->rules = (struct stream_clean_rules){
	    .map = r->map,
	    .round_end = c->compact->sum.uncleanable_offset,
	    .now_ms = options->now_ms,
	    .delete_retention_ms = c->source->delete_retention_ms,
	    .index_interval_bytes = c->source->config.index_interval_bytes,
	    .cap = c->cap,
	    .dry_run = !r->writes,
	    .made = &r->made,
	    .workers = options->workers,
	    .is_last = stream_compact_look_is_last,
	    .is_last_context = &c->look,
	    .txn = c->look.txn,
	    .go_on = options->go_on,
	    .go_on_context = options->context,
	};
}

/* ---- its groups --------------------------------------------------------- */

/* What goes, goes for newer records.  Those of segments that strm closed are
 * durable; a broker's may not be. */
static int
sync_mapped(struct round *r, struct stream_error *err)
{
	const struct stream_compacting *c = r->c;
	size_t end = stream_compacting_reach(c, r->rules.mapped_end);
	int status = STREAM_OK;

	for (size_t i = first_dirty(c, r->dirty);
	     i < end && !r->synced && status == STREAM_OK; i++)
		status = stream_segment_sync_log(
		    c->source->dirfd, c->look.bases[i], err);
	r->synced = status == STREAM_OK;
	return status;
}

/* Before the first swap, so that a reader who sees it knows of gaps. */
static int
swap(struct round *r, size_t first, size_t count, struct stream_error *err)
{
	const struct stream_compact_source *source = r->c->source;
	int status = STREAM_OK;

	if (!*r->declared)
		status = source->declare_gaps(source->store, err);
	if (status == STREAM_OK)
		status = sync_mapped(r, err);
	if (status == STREAM_OK)
		status =
		    stream_partition_check_structure(source->partition, err);
	if (status != STREAM_OK) {
		stream_swap_discard(
		    source->dirfd, r->c->look.bases[first], r->made);
		return status;
	}
	*r->declared = true;
	return stream_swap_commit(
	    source->dirfd, r->c->look.bases + first, count, r->made, err);
}

/* Is it worth one file in place of several, though nothing goes?  Only where
 * some of it is new. */
static bool
is_due(const struct round *r, size_t first, size_t count)
{
	const struct stream_compact_facts *after =
	    &r->c->look.segments[first + count];

	return count > 1 && after->base_offset > r->dirty;
}

/*
 * Sources that do not fit into one segment are fewer the next time.  One alone
 * can grow by horizons, which make deltas of times long; without them it does
 * not, and its tombstones stay.
 */
static int
filter(struct round *r, size_t first, size_t *count,
    enum stream_clean_outcome *outcome, struct stream_clean_stats *stats,
    struct stream_error *err)
{
	const int64_t *bases = r->c->look.bases + first;
	int status;

	for (r->rules.no_horizons = false;;) {
		*stats = (struct stream_clean_stats){0};
		r->rules.next_base = bases[*count];
		r->rules.always = is_due(r, first, *count);
		status = stream_clean_group(r->c->source->dirfd, bases, *count,
		    &r->rules, outcome, stats, err);
		if (status != STREAM_OK || *outcome != STREAM_CLEAN_TOO_LARGE)
			return status;
		if (*count == 1 && r->rules.no_horizons)
			break;
		r->rules.no_horizons = *count == 1;
		*count = (*count + 1) / 2;
	}
	return stream_fail(err, STREAM_ETOOBIG, STREAM_POS_NONE,
	    "the segment at offset %lld is too large to be written anew",
	    (long long)bases[0]);
}

static int
clean_group(
    struct round *r, size_t first, size_t *count, struct stream_error *err)
{
	enum stream_clean_outcome outcome;
	struct stream_clean_stats stats;
	int status = filter(r, first, count, &outcome, &stats, err);

	if (status != STREAM_OK)
		return status;
	stream_clean_stats_add(&r->stats, &stats);
	stream_compact_result_add(&r->result, first, *count,
	    outcome == STREAM_CLEAN_WRITTEN, stats.out.bytes);
	if (outcome != STREAM_CLEAN_WRITTEN)
		return STREAM_OK;
	status = swap(r, first, *count, err);
	close(r->made);
	return status;
}

/* ---- a group of a plan -------------------------------------------------- */

static void
set_counts(
    const struct stream_clean_stats *stats, struct stream_compact_counts *to)
{
	*to = (struct stream_compact_counts){
	    .batches_in = stats->in.batches,
	    .batches_out = stats->out.batches,
	    .batches_rewritten = stats->remade + stats->emptied,
	    .records_in = stats->in.records,
	    .records_out = stats->out.records,
	    .bytes_in = stats->in.bytes,
	    .bytes_out = stats->out.bytes,
	    .superseded = stats->superseded,
	    .expired = stats->expired,
	    .keyless = stats->no_key,
	    .aborted = stats->aborted,
	    .markers = stats->in.markers - stats->out.markers,
	    .tombstones_out = stats->out.tombstones,
	};
}

/* One segment at a time, so that it is known what goes from each. */
static int
judge_segment(
    struct round *r, size_t i, bool *changed, struct stream_error *err)
{
	struct stream_compact_segment *segment = &r->c->compact->segments[i];
	enum stream_clean_outcome outcome;
	struct stream_clean_stats stats;
	size_t count = 1;
	int status = filter(r, i, &count, &outcome, &stats, err);

	if (status != STREAM_OK)
		return status;
	stream_clean_stats_add(&r->stats, &stats);
	set_counts(&stats, &segment->counts);
	segment->is_judged = true;
	*changed |= outcome == STREAM_CLEAN_WRITTEN;
	return STREAM_OK;
}

static int
judge_group(
    struct round *r, size_t first, size_t *count, struct stream_error *err)
{
	struct stream_compact *compact = r->c->compact;
	bool changed = is_due(r, first, *count);
	uint64_t bytes = r->stats.out.bytes;
	int status = STREAM_OK;

	for (size_t i = 0; i < *count && status == STREAM_OK; i++)
		status = judge_segment(r, first + i, &changed, err);
	if (status != STREAM_OK)
		return status;
	for (size_t i = first; i < first + *count; i++) {
		if (changed)
			compact->segments[i].group = r->result.groups;
		stream_compact_tell(&compact->sum, &compact->segments[i]);
	}
	r->result.groups += changed;
	stream_compact_result_add(
	    &r->result, first, *count, changed, r->stats.out.bytes - bytes);
	return STREAM_OK;
}

/* ---- a whole round ------------------------------------------------------ */

static int
clean_all_groups(struct round *r, struct stream_error *err)
{
	struct stream_compacting *c = r->c;
	int64_t bound = c->compact->sum.uncleanable_offset;
	size_t reach = count_to_clean(r, r->rules.mapped_end);
	int status;

	status = stream_clean_txn_begin(c->look.txn, err);
	for (size_t i = 0; i < reach && status == STREAM_OK;) {
		size_t count = stream_compact_group(
		    &c->look.segments[i], reach - i, bound, &c->limits);

		status = r->writes ? clean_group(r, i, &count, err)
				   : judge_group(r, i, &count, err);
		i += count;
	}
	return status;
}

static int
run_round(struct round *r, struct stream_error *err)
{
	struct stream_compacted *sum = &r->c->compact->sum;
	int status;

	set_rules(r);
	stream_keymap_clear(r->map);
	status = fill_map(r, err);
	if (status != STREAM_OK)
		return status;
	stream_keymap_index(r->map, r->dirty, r->rules.mapped_end);
	status = clean_all_groups(r, err);
	if (status != STREAM_OK)
		return status;
	sum->rounds++;
	sum->keys += stream_keymap_count(r->map);
	sum->clean_offset = r->rules.mapped_end;
	return STREAM_OK;
}

/* ---- what nothing is left of -------------------------------------------- */

static size_t
count_empty(const struct stream_compacting *c, size_t first, size_t reach)
{
	size_t n = 0;

	while (first + n < reach && c->look.segments[first + n].bytes == 0)
		n++;
	return n;
}

static int
merge(struct round *r, size_t first, size_t count, struct stream_error *err)
{
	struct stream_clean_stats none = {0};
	enum stream_clean_outcome outcome;
	int status;

	r->rules.next_base = r->c->look.bases[first + count];
	r->rules.always = true;
	status = stream_clean_group(r->c->source->dirfd,
	    r->c->look.bases + first, count, &r->rules, &outcome, &none, err);
	if (status != STREAM_OK)
		return status;
	stream_compact_result_join(&r->result, first, count);
	status = swap(r, first, count, err);
	close(r->made);
	return status;
}

/* Neighbours that are empty become one. */
static int
merge_empty(struct round *r, struct stream_error *err)
{
	struct stream_compacting *c = r->c;
	size_t reach, count;
	int status =
	    stream_compact_look_again(c->source->dirfd, c->cap, &c->look, err);

	if (status == STREAM_OK)
		status = stream_clean_txn_begin(c->look.txn, err);
	if (status != STREAM_OK)
		return status;
	reach = count_to_clean(r, r->rules.mapped_end);
	for (size_t i = 0; i < reach && status == STREAM_OK; i += count + 1) {
		count = count_empty(c, i, reach);
		if (count > 1)
			status = merge(r, i, count, err);
	}
	return status;
}

/* ---- all rounds --------------------------------------------------------- */

/* No larger than the records could fill: what is not touched costs nothing, but
 * keys are spread over all of it. */
static int
make_map(const struct stream_compacting *c, struct stream_keymap **map,
    struct stream_error *err)
{
	size_t memory = c->source->options->memory;
	uint64_t records = 0;
	size_t need;

	for (size_t i = first_dirty(c, c->compact->sum.from_offset);
	     i < c->look.count; i++)
		if (c->look.segments[i].base_offset <
		    c->compact->sum.uncleanable_offset)
			records += c->look.segments[i].records;
	need = stream_keymap_size(records);
	if (memory == 0)
		memory = STREAM_COMPACT_MEMORY;
	return stream_keymap_new(need < memory ? need : memory, map, err);
}

/* What a round gave out, the next one takes in. */
static void
add_round(struct stream_compact_counts *sum, const struct round *r)
{
	struct stream_compact_counts more;

	set_counts(&r->stats, &more);
	sum->batches_in += more.batches_in - sum->batches_out;
	sum->records_in += more.records_in - sum->records_out;
	sum->bytes_in += more.bytes_in - sum->bytes_out;
	sum->batches_out = more.batches_out;
	sum->records_out = more.records_out;
	sum->bytes_out = more.bytes_out;
	sum->batches_rewritten += more.batches_rewritten;
	sum->superseded += more.superseded;
	sum->expired += more.expired;
	sum->keyless += more.keyless;
	sum->aborted += more.aborted;
	sum->markers += more.markers;
	sum->tombstones_out = more.tombstones_out;
}

static int
finish_round(struct round *r, struct stream_error *err)
{
	const struct stream_compact_source *source = r->c->source;
	int64_t end = r->rules.mapped_end;

	stream_compact_result_sum(&r->result);
	add_round(&r->c->compact->sum.counts, r);
	if (!r->writes || end <= r->dirty)
		return STREAM_OK;
	return source->set_clean_point(source->store, end, err);
}

int
stream_compacting_run(
    struct stream_compacting *c, bool writes, struct stream_error *err)
{
	struct stream_compacted *sum = &c->compact->sum;
	struct stream_keymap *map;
	bool declared = false;
	bool more = true;
	int status = make_map(c, &map, err);

	if (status != STREAM_OK)
		return status;
	while (more && status == STREAM_OK) {
		struct round r = {
		    .c = c,
		    .map = map,
		    .writes = writes,
		    .declared = &declared,
		    .dirty = sum->clean_offset,
		    .result = {.c = c, .writes = writes},
		};

		status = run_round(&r, err);
		if (status == STREAM_OK && writes && r.result.has_empty)
			status = merge_empty(&r, err);
		if (status == STREAM_OK)
			status = finish_round(&r, err);
		more = writes && sum->clean_offset < sum->uncleanable_offset &&
		       sum->clean_offset > r.dirty;
		if (status == STREAM_OK && more)
			status = stream_compact_look_again(
			    c->source->dirfd, c->cap, &c->look, err);
	}
	stream_keymap_free(map);
	return status;
}
