/*
 * retain_rules.h - which segments go
 *
 * Layer log/.  Kafka's rules, in Kafka's order: log start, size, time; and,
 * before time, a number of records.  Each walks from the oldest segment that
 * the one before it left and stops at the first that does not qualify.  Pure:
 * it reads no file and no clock.  What costs time to find out, it asks for
 * when it needs it.
 */
#ifndef STREAM_LOG_RETAIN_RULES_H
#define STREAM_LOG_RETAIN_RULES_H

#include "log/segment_time.h"

/* What is known of every segment without reading it. */
struct stream_retain_fact {
	int64_t base_offset;
	int64_t next_offset; /* the next one's base, or the log end */
	uint64_t bytes;      /* of its log */
};

/* -1 in a limit: none. */
struct stream_retain_rules {
	int64_t log_start_offset;
	int64_t keep_bytes;
	int64_t keep_records;
	int64_t older_ms;
	int64_t now_ms;
	int64_t segment_ms; /* for the guard against wrong clocks */
	int64_t spare_from; /* as in struct stream_retain_options */
	bool force_clock;
};

/* Questions about segment i.  Each may be NULL if no limit needs it. */
struct stream_retain_ask {
	int (*records)(void *context, size_t i, int64_t *records,
	    struct stream_error *err);
	int (*time)(void *context, size_t i, int64_t least_ms,
	    struct stream_segment_time *time, struct stream_error *err);
	void *context;
};

struct stream_retain_decision {
	size_t going; /* the first so many segments go */
	/* Of these, the first so many by the log start, then by size, ...;
	 * end[STREAM_RETAIN_TIME] is going. */
	size_t end[STREAM_RETAIN_TIME + 1];
	/* The segment at which the rule by time stopped, if that is a closed
	 * one: its age is known. */
	bool stopped_by_time;
	size_t spared; /* as in struct stream_retained */
	bool clock_refused;
	int64_t newest_ms;
};

/*
 * Decide about count segments, oldest first; the last one is the active one
 * and never goes.  All is borrowed.  Fails as what it asks does.
 */
int stream_retain_decide(const struct stream_retain_fact *facts, size_t count,
    const struct stream_retain_rules *rules,
    const struct stream_retain_ask *ask,
    struct stream_retain_decision *decision, struct stream_error *err);

/* How long ago: never negative, and INT64_MAX when it is more than that. */
int64_t stream_retain_age(int64_t now_ms, int64_t then_ms);

#endif
