#include "log/compact_plan.h"

/* ---- how far ------------------------------------------------------------ */

/* The segment in which offset is: the last whose base is not above it, else the
 * first. */
static size_t
find(const struct stream_compact_facts *segments, size_t count, int64_t offset)
{
	size_t i = count - 1;

	while (i > 0 && segments[i].base_offset > offset)
		i--;
	return i;
}

/*
 * What was written down, unless it is of another log, one that a backup took
 * the place of: then all is dirty.  A run ends where a segment begins.  Within
 * one stands only what a run that was stopped between two rounds wrote down:
 * not told apart from that, it costs a look at the whole log.
 */
static int64_t
first_dirty(const struct stream_compact_facts *segments, size_t count,
    const struct stream_compact_limits *limits, int64_t start, int64_t end)
{
	int64_t clean = limits->clean_point;

	if (clean < start || clean > end)
		return start;
	if (clean < end &&
	    segments[find(segments, count, clean)].base_offset != clean)
		return start;
	return clean;
}

/* The first closed segment from the one at dirty on that holds something too
 * young; count when none does. */
static size_t
find_young(const struct stream_compact_facts *segments, size_t count,
    int64_t dirty, const struct stream_compact_limits *limits)
{
	size_t i = find(segments, count, dirty);

	if (limits->min_lag_ms <= 0)
		return count;
	while (i + 1 < count &&
	       segments[i].largest_ms <= limits->now_ms - limits->min_lag_ms)
		i++;
	return i + 1 < count ? i : count;
}

/* The base of the segment that holds the lowest of the bounds. */
static void
set_bound(const struct stream_compact_facts *segments, size_t count,
    int64_t stable_offset, const struct stream_compact_limits *limits,
    struct stream_compacted *sum)
{
	size_t bound = count - 1;
	size_t stable = find(segments, count, stable_offset);
	size_t young = find_young(segments, count, sum->from_offset, limits);

	sum->bound = STREAM_COMPACT_BOUND_ACTIVE;
	if (stable < bound) {
		bound = stable;
		sum->bound = STREAM_COMPACT_BOUND_TRANSACTION;
	}
	if (young < bound) {
		bound = young;
		sum->bound = STREAM_COMPACT_BOUND_YOUNG;
	}
	sum->uncleanable_offset = segments[bound].base_offset;
}

/* ---- is it worth it ----------------------------------------------------- */

/* A segment that the log start divides counts on both sides. */
static void
add_bytes(const struct stream_compact_facts *segments, size_t count,
    struct stream_compacted *sum)
{
	int64_t from = sum->from_offset, to = sum->uncleanable_offset;
	size_t first = find(segments, count, from < to ? from : to);

	for (size_t i = 0; i < count; i++) {
		if (segments[i].base_offset < from)
			sum->clean_bytes += segments[i].bytes;
		if (i >= first && segments[i].base_offset < to)
			sum->dirty_bytes += segments[i].bytes;
	}
	if (sum->clean_bytes + sum->dirty_bytes > 0)
		sum->ratio = (double)sum->dirty_bytes /
			     (double)(sum->clean_bytes + sum->dirty_bytes);
}

/* Has a closed segment waited for longer than max.compaction.lag.ms? */
static bool
is_overdue(const struct stream_compact_facts *segments, size_t count,
    int64_t dirty, const struct stream_compact_limits *limits)
{
	int64_t lag = limits->max_lag_ms > 0 ? limits->max_lag_ms : 0;

	for (size_t i = find(segments, count, dirty); i + 1 < count; i++)
		if (segments[i].first_ms > 0 &&
		    segments[i].first_ms < limits->now_ms &&
		    limits->now_ms - segments[i].first_ms > lag)
			return true;
	return false;
}

static enum stream_compact_verdict
judge(const struct stream_compact_facts *segments, size_t count,
    const struct stream_compact_limits *limits,
    const struct stream_compacted *sum)
{
	bool dirty =
	    sum->dirty_bytes > 0 && sum->uncleanable_offset > sum->from_offset;

	if (count == 1)
		return STREAM_COMPACT_ACTIVE;
	if (dirty && sum->ratio > limits->min_ratio)
		return STREAM_COMPACT_RATIO;
	if (dirty && is_overdue(segments, count, sum->from_offset, limits))
		return STREAM_COMPACT_LAG;
	if (limits->force)
		return STREAM_COMPACT_FORCED;
	return dirty ? STREAM_COMPACT_BELOW : STREAM_COMPACT_CLEAN;
}

void
stream_compact_decide(const struct stream_compact_facts *segments, size_t count,
    int64_t stable_offset, const struct stream_compact_limits *limits,
    struct stream_compacted *sum)
{
	const struct stream_compact_facts *active = &segments[count - 1];
	int64_t start = segments[0].base_offset;

	if (limits->log_start_offset > start)
		start = limits->log_start_offset;
	sum->log_start_offset = start;
	sum->log_end_offset =
	    active->end_offset > start ? active->end_offset : start;
	sum->min_ratio = limits->min_ratio;
	sum->active_is_used = active->bytes > 0;
	sum->from_offset =
	    first_dirty(segments, count, limits, start, sum->log_end_offset);
	sum->clean_offset = sum->from_offset;
	/* What is open from below the log start counts as open from there on,
	 * as in Kafka. */
	set_bound(segments, count,
	    stable_offset > start ? stable_offset : start, limits, sum);
	add_bytes(segments, count, sum);
	sum->verdict = judge(segments, count, limits, sum);
}

/* ---- groups ------------------------------------------------------------- */

/* As Kafka estimates it, who does not look into the segment either. */
static int64_t
last_offset(const struct stream_compact_facts *segments, size_t count, size_t i,
    int64_t bound)
{
	return (i + 1 < count ? segments[i + 1].base_offset : bound) - 1;
}

size_t
stream_compact_group(const struct stream_compact_facts *segments, size_t count,
    int64_t bound, const struct stream_compact_limits *limits)
{
	uint64_t bytes = segments[0].bytes;
	uint64_t index_bytes = segments[0].index_bytes;
	uint64_t timeindex_bytes = segments[0].timeindex_bytes;
	size_t n;

	for (n = 1; n < count; n++) {
		const struct stream_compact_facts *next = &segments[n];

		bytes += next->bytes;
		index_bytes += next->index_bytes;
		timeindex_bytes += next->timeindex_bytes;
		if (bytes > (uint64_t)limits->segment_bytes ||
		    index_bytes > (uint64_t)limits->segment_index_bytes ||
		    timeindex_bytes > (uint64_t)limits->segment_index_bytes)
			break;
		/* Else a log that stays empty were left every 2^31 offsets. */
		if (next->bytes > 0 && last_offset(segments, count, n, bound) -
					       segments[0].base_offset >
					   INT32_MAX)
			break;
	}
	return n;
}
