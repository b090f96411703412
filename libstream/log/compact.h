/*
 * compact.h - plan and carry out the compaction of one partition directory
 *
 * Layer log/.  SPEC sections 3.5, 4.6 and 6.5.  Invariants I1, I4 and I6 hold
 * at every step; see stream/compact.h for what compacting means.
 */
#ifndef STREAM_LOG_COMPACT_H
#define STREAM_LOG_COMPACT_H

#include <stream/compact.h>

#include "log/log_config.h"
#include "log/partition.h"

struct stream_compact_source {
	int dirfd; /* of the partition; borrowed */
	/* Its handle with the structure lock; NULL for what writes nothing. */
	const struct stream_partition *partition;
	struct stream_log_config config;
	double min_ratio;
	int64_t min_lag_ms;
	int64_t max_lag_ms;
	int64_t delete_retention_ms;
	const struct stream_compact_options *options;
	/* What the store knows; asked for under the partition's lock, if one
	 * is taken. */
	void *store;
	/* *offset is -1 when none was written down. */
	int (*clean_point)(
	    void *store, int64_t *offset, struct stream_error *err);
	int (*set_clean_point)(
	    void *store, int64_t offset, struct stream_error *err);
	/* Called before the first segment is replaced: from now on offsets may
	 * be missing. */
	int (*declare_gaps)(void *store, struct stream_error *err);
};

/* No segments, and a verdict.  Gives *compact; stream_compact_free.
 * STREAM_ENOMEM. */
int stream_compact_new(enum stream_compact_verdict verdict,
    struct stream_compact **compact, struct stream_error *err);

/*
 * As stream_compact_plan, stream_compact_run and stream_compact_why.  compact
 * is of stream_compact_new, and useless after a failure.  For the second the
 * structure lock of the partition is held (structure.h).
 */
int stream_log_compact_plan(const struct stream_compact_source *source,
    struct stream_compact *compact, struct stream_error *err);
int stream_log_compact_run(const struct stream_compact_source *source,
    struct stream_compact *compact, struct stream_error *err);
int stream_log_compact_why(const struct stream_compact_source *source,
    struct stream_bytes key,
    void (*found)(void *context, const struct stream_compact_fate *fate),
    struct stream_compacted *compacted, struct stream_error *err);

#endif
