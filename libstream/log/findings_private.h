/*
 * findings_private.h - what the files of the findings share
 *
 * Layer log/.  findings.c walks the logs; findings_files.c looks at snapshots,
 * .txnindex and leader epochs; findings_decide.c makes steps of what is wrong.
 */
#ifndef STREAM_LOG_FINDINGS_PRIVATE_H
#define STREAM_LOG_FINDINGS_PRIVATE_H

#include "codec/records_check.h"
#include "file/index_txn.h"
#include "file/state.h"
#include "log/findings.h"
#include "log/producers.h"
#include "log/view.h"

/* An abort of the segment that is being walked. */
struct stream_found_abort {
	struct stream_aborted entry;
	bool has_records;
};

struct stream_collecting {
	const struct stream_repair_source *source;
	bool dense; /* when the view was loaded */
	struct stream_findings *findings;
	struct stream_repair *repair;
	struct stream_view view;
	struct stream_state state; /* sequence 0: there is none */
	struct stream_producers *producers;
	bool producers_known; /* no damage since the last sound snapshot */
	bool gapped;          /* compaction or retention took records away */
	struct stream_unpacker unpacker;
	struct stream_buf aborts; /* of struct stream_found_abort */
};

/* Say why something is wrong, unless a reason is known already. */
__attribute__((format(printf, 3, 4))) void stream_finding_condemn(
    bool *wrong, char why[static 80], const char *format, ...);

/* A step about a whole file. */
struct stream_repair_step stream_finding_step(
    enum stream_repair_action action, const char *file, const char *why);

/* The name of one of the segment's files. */
void stream_finding_name(const struct stream_finding *segment,
    enum stream_name_kind kind, char text[static STREAM_NAME_SIZE]);

/* Add the step that sets a file aside. */
int stream_finding_add_aside(struct stream_collecting *c, const char *name,
    const char *why, struct stream_error *err);

/* Take what the snapshot of this offset says, or say what is wrong with it.
 * Missing is wrong where one is missed. */
int stream_finding_check_snapshot(struct stream_collecting *c, int64_t offset,
    bool *wrong, char *why, struct stream_error *err);

/* Take what the snapshot of the first segment says, if it is sound.  None is
 * missed: before it there is nothing. */
int stream_finding_load_first_snapshot(struct stream_collecting *c,
    struct stream_finding *segment, struct stream_error *err);

/* The .txnindex of a segment that was walked to end_offset without damage. */
int stream_finding_check_txnindex(struct stream_collecting *c,
    struct stream_finding *segment, int64_t end_offset,
    struct stream_error *err);

/* All that is not a segment's: the last snapshot, and others, and epochs. */
int stream_finding_check_end(
    struct stream_collecting *c, struct stream_error *err);

/* Choose the interval of the indexes, and add the steps that rebuild. */
int stream_finding_decide(
    struct stream_collecting *c, struct stream_error *err);

#endif
