/*
 * compact_private.h - what the files of compaction share
 *
 * Layer log/.  compact_look.c learns what there is, compact_plan.c decides,
 * compact_map.c makes the first pass, compact_keys.c reads for it;
 * compact_round.c goes through rounds and groups, compact_result.c counts them,
 * compact.c puts it together,
 * compact_tell.c says in words what comes out, compact_why.c asks for one key.
 */
#ifndef STREAM_LOG_COMPACT_PRIVATE_H
#define STREAM_LOG_COMPACT_PRIVATE_H

#include "log/compact.h"
#include "log/compact_look.h"

struct stream_compact {
	struct stream_compact_segment *segments; /* owned */
	size_t count;
	struct stream_compacted sum;
};

/* A compaction under way, of either kind. */
struct stream_compacting {
	const struct stream_compact_source *source;
	struct stream_compact *compact;
	struct stream_compact_limits limits;
	struct stream_compact_look look;
	size_t cap;
	bool *replaced; /* owned; of compact->segments: a round did */
};

/*
 * Learn what there is, decide, and act (borrowed, with context).  Without
 * writes no lock is held: when something fails because the segments changed
 * meanwhile, it is done again, for as long as one would wait for a lock.
 */
typedef int stream_compacting_act(
    struct stream_compacting *c, void *context, struct stream_error *err);
int stream_compacting_do(const struct stream_compact_source *source,
    bool writes, stream_compacting_act *act, void *context,
    struct stream_compact *compact, struct stream_error *err);

/* How many segments, from the first on, hold an offset below end? */
size_t stream_compacting_reach(const struct stream_compacting *c, int64_t end);

/* Make compact->segments of what there is now, without groups. */
int stream_compacting_list(
    struct stream_compacting *c, struct stream_error *err);

/* All rounds, until what may be cleaned is; or, without writes, what the first
 * one would do. */
int stream_compacting_run(
    struct stream_compacting *c, bool writes, struct stream_error *err);

/* Say in words why a segment is, or is not, cleaned, and what goes. */
void stream_compact_tell(
    const struct stream_compacted *sum, struct stream_compact_segment *segment);

/* The same of the bound, for a record above it: "in the active segment". */
const char *stream_compact_tell_bound(enum stream_compact_bound bound);

#endif
