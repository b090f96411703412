/*
 * findings.h - what a walk over all of a partition's segments found
 *
 * Layer log/.  SPEC sections 4 to 6 and 10.  One walk checks the log and all
 * that is derived from it; what is wrong becomes a step of a repair, and
 * findings_rebuild.c makes new what is marked here.  A file that is odd but not
 * wrong is left alone.
 */
#ifndef STREAM_LOG_FINDINGS_H
#define STREAM_LOG_FINDINGS_H

#include "log/epochs_check.h"
#include "log/index_check.h"
#include "log/repair.h"

/* One segment. */
struct stream_finding {
	int64_t base_offset;
	enum stream_name_state state;
	bool closed;  /* there is a newer one */
	bool damaged; /* its log is: then what is derived from it stays */
	struct stream_index_verdict offsets;
	struct stream_index_verdict times;
	bool txnindex_wrong;
	bool snapshot_wrong; /* that of its base offset */
	bool snapshot_known; /* what it should say is; of the first: it is
			      * there and sound */
	char txnindex_why[80];
	char snapshot_why[80];
};

struct stream_findings {
	struct stream_finding *segments; /* owned; by base offset */
	size_t count;
	int64_t end_offset; /* of the log, after the cut; -1: not known */
	bool damaged;       /* any segment is, or something is missing */
	bool newest_damaged;
	/* What a writer cuts from the newest segment. */
	bool cut;
	bool cut_torn;  /* and does not set aside first */
	bool cut_zeros; /* there is nothing in it to set aside */
	uint64_t cut_position;
	bool end_snapshot_wrong; /* what it should say is known */
	char end_snapshot_why[80];
	/* leader-epoch-checkpoint, and what belongs in it. */
	struct stream_epochs_check epochs;
	int64_t index_interval_bytes; /* that indexes are rebuilt with */
};

/*
 * Walk the log.  Steps are added to repair, those that are to be done in the
 * order in which findings_rebuild.c does them.  Gives what *findings points to;
 * release in any case.  STREAM_ENOENT (the topic was deleted), STREAM_EBUSY,
 * STREAM_EIO, STREAM_ENOMEM.
 */
int stream_findings_collect(const struct stream_repair_source *source,
    struct stream_findings *findings, struct stream_repair *repair,
    struct stream_error *err);

void stream_findings_release(struct stream_findings *findings);

/*
 * Make new what the findings say is wrong.  All locks of the partition are
 * held, and it is as it was when the findings were collected, but for the cut.
 * STREAM_EIO, STREAM_ENOMEM.
 */
int stream_findings_rebuild(const struct stream_repair_source *source,
    const struct stream_findings *findings, struct stream_error *err);

#endif
