/*
 * compact_result.h - what a round of compaction makes of segments
 *
 * Layer log/.  Counts for the report, and neighbours of which nothing is left:
 * those are to become one.
 */
#ifndef STREAM_LOG_COMPACT_RESULT_H
#define STREAM_LOG_COMPACT_RESULT_H

#include "log/compact_private.h"

/* Of one round; begin with all zero but the first two. */
struct stream_compact_result {
	struct stream_compacting *c; /* borrowed */
	bool writes;
	bool has_empty;    /* there are neighbours that are empty */
	bool is_empty;     /* the last result is, */
	size_t empty_from; /* and those before it from this segment on */
	int64_t groups;    /* of a plan: so many numbers are taken */
	uint32_t segments_in;
	uint32_t segments_out;
};

/* The next count segments, from first on, are one of so many bytes, if that is
 * written; else they stay.  A plan joins what is empty. */
void stream_compact_result_add(struct stream_compact_result *result,
    size_t first, size_t count, bool is_written, uint64_t bytes);

/* Empty ones, count of them from first on, are one after all. */
void stream_compact_result_join(
    struct stream_compact_result *result, size_t first, size_t count);

/* Add the segments of a round that has ended to the sum of c. */
void stream_compact_result_sum(struct stream_compact_result *result);

#endif
