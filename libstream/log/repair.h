/*
 * repair.h - plan and repair one partition directory
 *
 * Layer log/.  SPEC sections 4.4, 7.5 and 10.  Invariants I1, I3 and I4 hold
 * at every step; see stream/repair.h for what repairing means.
 */
#ifndef STREAM_LOG_REPAIR_H
#define STREAM_LOG_REPAIR_H

#include <stream/repair.h>

#include "log/facts.h"
#include "log/log_config.h"

struct stream_repair_source {
	int dirfd; /* of the partition; borrowed */
	struct stream_log_config config;
	struct stream_facts facts; /* to ask whether it is dense still */
	bool is_ours;              /* its topic has a settings file */
	size_t cap;                /* largest batch */
	int64_t index_guess; /* of options.index_interval_bytes; 0: none */
};

/* An empty list.  Gives *repair; stream_repair_free.  STREAM_ENOMEM. */
int stream_repair_new(struct stream_repair **repair, struct stream_error *err);

/* Forget all steps. */
void stream_repair_clear(struct stream_repair *repair);

/* Add a step (borrowed) to the end.  STREAM_ENOMEM. */
int stream_repair_add(struct stream_repair *repair,
    const struct stream_repair_step *step, struct stream_error *err);

/* Is there a step that changes something? */
bool stream_repair_has_work(const struct stream_repair *repair);

/*
 * As stream_repair_plan and stream_repair_run.  What repair holds is replaced.
 * The second takes the locks of the partition, whatever there is to do.
 */
int stream_log_repair_plan(const struct stream_repair_source *source,
    struct stream_repair *repair, struct stream_error *err);
int stream_log_repair_run(const struct stream_repair_source *source,
    struct stream_repair *repair, struct stream_error *err);

/*
 * Fill the empty directory to with all good batches of source and what is
 * derived from them, durably.  Holes are added to repair.  *gaps: offsets are
 * missing between batches.
 */
int stream_log_salvage(const struct stream_repair_source *source, int to,
    struct stream_repair *repair, struct stream_salvaged *salvaged, bool *gaps,
    struct stream_error *err);

#endif
