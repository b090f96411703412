/*
 * stream/maintain.h - what a regular run over a store needs beside retention
 * and compaction
 *
 * SPEC sections 4.3 and 8.5.  A broker closes an active segment whose time has
 * come when the next record arrives, or when retention takes it; where nobody
 * runs, a regular run has to look.  And whoever watches a store wants a few
 * numbers of each partition.
 */
#ifndef STREAM_MAINTAIN_H
#define STREAM_MAINTAIN_H

#include <stream/compact.h>
#include <stream/retain.h>

/* Why an active segment is closed. */
enum stream_roll_reason {
	STREAM_ROLL_STAYS, /* it is not, or holds no record */
	STREAM_ROLL_AGE,   /* segment.ms has passed since its first record */
	STREAM_ROLL_LAG,   /* max.compaction.lag.ms has: it must be cleaned */
	STREAM_ROLL_RETENTION, /* retention would take it, were it closed */
	STREAM_ROLL_LOG_START  /* all its records are below the log start */
};

struct stream_roll_due {
	enum stream_roll_reason reason;
	struct stream_rolled rolled; /* as stream_roll says */
	int64_t active_base; /* of the active segment before; -1: none */
	char why[160];       /* for people, no newline */
};

/*
 * Close the active segment of place (borrowed) if it holds records and its time
 * has come, by the topic's settings and options->now_ms.  With plan_only
 * nothing is locked or changed.  Of a topic without settings the times are
 * Kafka's defaults, unless options->lenient: then it stays.  Errors as
 * stream_roll, and STREAM_EINTR.
 */
int stream_roll_if_due(const struct stream_place *place,
    const struct stream_retain_options *options, bool plan_only,
    struct stream_roll_due *due, struct stream_error *err);

/* "stays", "age", "lag", "retention" or "log-start". */
const char *stream_roll_reason_name(enum stream_roll_reason reason);

struct stream_measures {
	uint32_t segments;
	uint64_t bytes; /* of logs */
	int64_t log_start_offset;
	int64_t log_end_offset;
	int64_t last_timestamp_ms;  /* of the last batch; STREAM_NO_TIMESTAMP */
	int64_t last_compaction_ms; /* -1: none that is known */
	uint64_t reclaimable_bytes; /* that stream_retain_run would take now */
};

/*
 * Measure the partition of place (borrowed).  Takes no lock and changes
 * nothing. Errors as stream_retain_plan.
 */
int stream_measure(const struct stream_place *place,
    const struct stream_retain_options *options,
    struct stream_measures *measures, struct stream_error *err);

#endif
