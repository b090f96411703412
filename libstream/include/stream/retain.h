/*
 * stream/retain.h - take old segments away, raise the log start, roll
 *
 * SPEC sections 4.6 and 6.3.  What goes is decided as Kafka decides it: from
 * the oldest segment on, first those below the log start offset, then by size,
 * then by time; each rule stops at the first segment that does not qualify.
 * The active segment never goes: roll it first.
 *
 * Every call takes one partition, opens and closes its store, and may run
 * beside producers and readers.  Those that change something hold the
 * partition's structure lock meanwhile, except a roll.
 */
#ifndef STREAM_RETAIN_H
#define STREAM_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/address.h>
#include <stream/record.h>

/* Why a segment goes, or why the walk stopped before it. */
enum stream_retain_rule {
	STREAM_RETAIN_STAYS,     /* no rule takes it */
	STREAM_RETAIN_LOG_START, /* all of it is below the log start offset */
	STREAM_RETAIN_SIZE,      /* retention.bytes, or keep_bytes */
	STREAM_RETAIN_RECORDS,   /* keep_records */
	STREAM_RETAIN_TIME       /* retention.ms, or older_ms */
};

/* Where the largest time of a segment is from. */
enum stream_retain_evidence {
	STREAM_RETAIN_NO_TIME, /* nobody asked */
	STREAM_RETAIN_BATCHES, /* of its batches */
	STREAM_RETAIN_FILE,    /* it has none: when the file was written to */
	STREAM_RETAIN_DAMAGED  /* the latest of what can be read, of the time
				  index and of the file */
};

struct stream_retain;

struct stream_retain_options {
	int64_t now_ms; /* the clock */
	/* -1: by the topic's settings.  Else in place of retention.ms and
	 * retention.bytes; keep_records has no setting. */
	int64_t older_ms;
	int64_t keep_bytes;
	int64_t keep_records;
	bool force_clock; /* also if the clock looks wrong */
	bool force;       /* trim: also a topic that is compacted only */
	bool network;     /* write to NFS, SMB and 9p as well */
	/* One of many: limits that cannot be for this topic are left out, not
	 * refused, and Kafka's defaults are not taken for the settings of a
	 * topic that has none. */
	bool lenient;
	/* When another holds the structure lock, do nothing, at once. */
	bool if_unlocked;
	int lock_timeout_ms;
	size_t max_batch_bytes; /* 0: 64 MiB */
	/* Called as bytes are read and segments go; false stops with
	 * STREAM_EINTR, and what went by then is gone.  May be NULL. */
	bool (*go_on)(void *context, uint64_t bytes);
	/* Called with the plan (lent) of a run that will take segments, under
	 * the partition's structure lock, before the first goes: to archive
	 * them.  What it fails with ends the run, and all stay.  May be NULL.
	 */
	int (*before)(void *context, const struct stream_place *place,
	    const struct stream_retain *retain, struct stream_error *err);
	/* Told what is worth a word but no failure.  May be NULL. */
	void (*note)(void *context, const char *text);
	void *context;
};

/* One segment of the plan.  Those that go come first, oldest first; the last
 * one listed is the first that stays. */
struct stream_retain_segment {
	int64_t base_offset;
	int64_t next_offset; /* the next segment's base, or the log end */
	int64_t records;     /* that can be read, without markers */
	uint64_t bytes;      /* of its log */
	int64_t largest_ms;  /* STREAM_NO_TIMESTAMP: not known */
	enum stream_retain_evidence evidence;
	enum stream_retain_rule rule;
	bool is_active;
	char why[160]; /* for people, no newline */
};

struct stream_retained {
	size_t segments; /* that went, or would */
	int64_t records; /* in them */
	uint64_t bytes;  /* of all their files, when they went; else of logs */
	int64_t log_start_offset; /* now */
	int64_t log_end_offset;
	bool locked; /* another holds the structure lock: nothing was done */
	bool limits_left_out; /* those of options, being lenient */
	bool only_active;     /* there was no closed segment */
	bool active_is_used;  /* the active one holds records: strm roll */
	/* By age all closed segments would have gone, and the clock is far
	 * ahead of the newest record: the rule by age was left out. */
	bool clock_refused;
	int64_t newest_ms; /* the newest record's time, when that is so */
	/* The log start offset could not be written: the disk is full.  The
	 * segments went all the same, one by one. */
	bool careful;
};

/*
 * Look at the partition of place (borrowed) and list what stream_retain_run
 * would do.  Takes no lock and changes nothing.  Gives *retain; free it with
 * stream_retain_free.
 *
 * STREAM_EUSAGE   the place is a single file; or a limit of options is for a
 *                 topic whose cleanup.policy has no "delete"
 * STREAM_ENOENT   the topic was deleted
 * STREAM_EBUSY    the directory does not come to rest
 * STREAM_EINTR    go_on said so
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_retain_plan(const struct stream_place *place,
    const struct stream_retain_options *options, struct stream_retain **retain,
    struct stream_error *err);

/*
 * The same, and do it.  The log start offset is durable before the first
 * segment goes, except on a full disk.  Killed at any point, the log has lost
 * segments of the plan from its front, and no others.
 *
 * Besides the errors of a plan:
 * STREAM_EBUSY     a lock was not free in time, or a broker holds the store
 * STREAM_ECORRUPT, STREAM_ENEWER  a writer could not open the partition
 */
int stream_retain_run(const struct stream_place *place,
    const struct stream_retain_options *options, struct stream_retain **retain,
    struct stream_error *err);

/* NULL is allowed. */
void stream_retain_free(struct stream_retain *retain);

/* Lent until freed. */
size_t stream_retain_count(const struct stream_retain *retain);
const struct stream_retain_segment *stream_retain_segment(
    const struct stream_retain *retain, size_t i);
const struct stream_retained *stream_retain_sum(
    const struct stream_retain *retain);

/* "stays", "log-start", "size", "records" or "time". */
const char *stream_retain_rule_name(enum stream_retain_rule rule);

/* What a trim did, or would do. */
struct stream_trimmed {
	int64_t from_offset;      /* where the log started */
	int64_t log_start_offset; /* where it starts; the same: nothing done */
	int64_t log_end_offset;
	/* What stream_retain_run would take by the log start alone. */
	size_t segments;
	uint64_t bytes; /* of their logs */
};

/*
 * Raise the log start offset of place (borrowed) to point (borrowed); records
 * below it are hidden at once, and stream_retain_run takes their segments.  A
 * point at or below the log start changes nothing.  Durable when it returns;
 * the records from there on are made durable first.  With plan_only nothing
 * is locked or changed.
 *
 * STREAM_EOFFSET  the point is an offset past the log end
 * STREAM_EUSAGE   the place is a single file, or its directory is not named
 *                 TOPIC-P; the point is of kind NONE or AFTER; or the topic's
 *                 cleanup.policy has no "delete", and options->force is not set
 * STREAM_EBUSY, STREAM_ENOENT, STREAM_ECORRUPT, STREAM_ENEWER, STREAM_EIO,
 * STREAM_ENOMEM
 */
int stream_trim(const struct stream_place *place,
    const struct stream_point *point,
    const struct stream_retain_options *options, bool plan_only,
    struct stream_trimmed *trimmed, struct stream_error *err);

struct stream_rolled {
	bool rolled;         /* or would be */
	int64_t base_offset; /* of the segment that was active */
	uint64_t bytes;      /* of its log */
	int64_t next_offset; /* the log end; the new one's base, if rolled */
};

/*
 * Close the active segment of place (borrowed) if it holds a batch: it becomes
 * durable, and the next record goes to a new one.  Needs no structure lock,
 * and producers go on.  With plan_only nothing is locked or changed.  Errors
 * as stream_trim, but for STREAM_EOFFSET.
 */
int stream_roll(const struct stream_place *place,
    const struct stream_retain_options *options, bool plan_only,
    struct stream_rolled *rolled, struct stream_error *err);

#endif
