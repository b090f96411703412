/*
 * compact_plan.h - is a log worth cleaning, how far, and in which groups
 *
 * Layer log/.  SPEC section 4.6.  Kafka's rules (LogCleanerManager, and
 * groupSegmentsBySize of Cleaner), on facts that were gathered before: opens
 * nothing.
 */
#ifndef STREAM_LOG_COMPACT_PLAN_H
#define STREAM_LOG_COMPACT_PLAN_H

#include <stream/compact.h>

/* What is known of a segment.  The last one of a log is the active one. */
struct stream_compact_facts {
	int64_t base_offset;
	int64_t end_offset; /* after its last batch; or its base */
	uint64_t bytes;     /* of its log */
	uint64_t index_bytes;
	uint64_t timeindex_bytes;
	uint64_t records;   /* no more than that */
	int64_t first_ms;   /* largest time in its first batch; -1: none */
	int64_t largest_ms; /* in all of it; of the file when it has none */
};

struct stream_compact_limits {
	int64_t now_ms;
	int64_t log_start_offset;
	int64_t clean_point; /* as it was written down; -1: never */
	double min_ratio;
	int64_t min_lag_ms;
	int64_t max_lag_ms;
	bool force;
	/* Of a group. */
	int64_t segment_bytes;
	int64_t segment_index_bytes;
};

/*
 * Decide on the log of these segments (borrowed; count is not 0), of which
 * everything below stable_offset is decided by the end of its transaction.
 * Sets what sum says of verdict, bounds, offsets, bytes and ratio.
 */
void stream_compact_decide(const struct stream_compact_facts *segments,
    size_t count, int64_t stable_offset,
    const struct stream_compact_limits *limits, struct stream_compacted *sum);

/*
 * How many segments, from the first of these on, go into one group?  All of
 * them (count, not 0) are to be cleaned; bound is the first offset that is not.
 */
size_t stream_compact_group(const struct stream_compact_facts *segments,
    size_t count, int64_t bound, const struct stream_compact_limits *limits);

#endif
