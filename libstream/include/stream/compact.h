/*
 * stream/compact.h - keep the newest record of each key
 *
 * SPEC sections 3.5, 4.6 and 6.5, by the rules of Kafka's cleaner.  A log has
 * a clean part, up to the clean point, and a dirty one.  Compaction notes the
 * newest offset of each key of the dirty part, as far as that may be cleaned,
 * and writes all segments up to there anew without the records that this
 * makes superfluous.  What is left keeps offset, timestamp, key and headers.
 *
 * Only closed segments are cleaned: roll first what is to be.  Nor is anything
 * cleaned at or above the first transaction that is open, or from the first
 * segment on that holds something younger than min.compaction.lag.ms.
 *
 * A tombstone, a record without a value, stays delete.retention.ms from the
 * first time on that it was cleaned.  Records without a key and those of
 * aborted transactions go.
 *
 * Every call takes one partition, opens and closes its store, and may run
 * beside producers and readers.
 */
#ifndef STREAM_COMPACT_H
#define STREAM_COMPACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/address.h>
#include <stream/record.h>

/* For the newest offset of each key, 24 bytes for each of nine keys in ten. */
#define STREAM_COMPACT_MEMORY ((size_t)128 << 20)

struct stream_compact_options {
	int64_t now_ms;   /* the clock */
	size_t memory;    /* 0: STREAM_COMPACT_MEMORY */
	unsigned workers; /* threads that help with this; 0: none */
	bool force; /* below the dirty ratio too, and a topic of a broker */
	/* A topic that is not to be compacted, or not one of ours, is a verdict
	 * and no failure, whatever force says. */
	bool lenient;
	bool network;     /* write to NFS, SMB and 9p as well */
	bool if_unlocked; /* do not wait for another that is at work there */
	int lock_timeout_ms;
	size_t max_batch_bytes; /* 0: 64 MiB */
	/* Told how many bytes of logs will be read, each time that more of it
	 * is known.  May be NULL. */
	void (*will_read)(void *context, uint64_t bytes);
	/* Told how many were, since the last call; false stops with
	 * STREAM_EINTR.  May be NULL. */
	bool (*go_on)(void *context, uint64_t bytes);
	/* Told what is worth a word but no failure.  May be NULL. */
	void (*note)(void *context, const char *text);
	void *context;
};

/* Is the log cleaned, and why? */
enum stream_compact_verdict {
	STREAM_COMPACT_RATIO,  /* yes: enough of it is dirty */
	STREAM_COMPACT_LAG,    /* yes: max.compaction.lag.ms has passed */
	STREAM_COMPACT_FORCED, /* yes: that was asked for */
	STREAM_COMPACT_BELOW,  /* no: too little of it is dirty */
	STREAM_COMPACT_CLEAN,  /* no: nothing dirty that may be cleaned */
	STREAM_COMPACT_ACTIVE, /* no, whatever is asked for: there is no closed
				  segment */
	/* No, and nothing else was found out: */
	STREAM_COMPACT_POLICY,  /* its cleanup.policy has no "compact" */
	STREAM_COMPACT_FOREIGN, /* it is not a topic of ours */
	STREAM_COMPACT_LOCKED   /* another is at work there; if_unlocked */
};

/* What keeps the rest of the log from being cleaned. */
enum stream_compact_bound {
	STREAM_COMPACT_BOUND_ACTIVE,      /* the active segment */
	STREAM_COMPACT_BOUND_TRANSACTION, /* one that is open */
	STREAM_COMPACT_BOUND_YOUNG        /* min.compaction.lag.ms */
};

/* Where a segment lies. */
enum stream_compact_part {
	STREAM_COMPACT_PART_CLEAN, /* below the clean point, all of it */
	STREAM_COMPACT_PART_DIRTY, /* may be cleaned */
	STREAM_COMPACT_PART_HELD,  /* may not: at or above the bound */
	STREAM_COMPACT_PART_ACTIVE
};

/* What cleaning makes of records.  What goes has one reason. */
struct stream_compact_counts {
	uint64_t batches_in;
	uint64_t batches_out;
	uint64_t batches_rewritten; /* of those; the others were copied */
	uint64_t records_in;        /* without transaction markers */
	uint64_t records_out;
	uint64_t bytes_in; /* of logs */
	uint64_t bytes_out;
	uint64_t superseded;     /* records that go: a newer one has the key */
	uint64_t expired;        /* tombstones whose time has come */
	uint64_t keyless;        /* records without a key */
	uint64_t aborted;        /* records of aborted transactions */
	uint64_t markers;        /* of transactions, which go */
	uint64_t tombstones_out; /* tombstones that stay */
};

struct stream_compact_segment {
	int64_t base_offset;
	int64_t next_offset; /* the next segment's base, or the log end */
	uint64_t bytes;      /* of its log */
	enum stream_compact_part part;
	int64_t group;  /* those of one number become one segment; -1: none */
	bool is_judged; /* counts is set: a plan, and it is to be cleaned */
	struct stream_compact_counts counts;
	char why[160]; /* for people, no newline */
};

struct stream_compacted {
	enum stream_compact_verdict verdict;
	enum stream_compact_bound bound;
	int64_t log_start_offset;
	int64_t log_end_offset;
	int64_t from_offset;        /* the clean point, before */
	int64_t clean_offset;       /* and after */
	int64_t uncleanable_offset; /* from here on nothing may be cleaned */
	uint64_t clean_bytes;       /* of logs, below the clean point */
	uint64_t dirty_bytes;       /* from there to the bound */
	double ratio;               /* of the dirty bytes to both */
	double min_ratio;           /* that makes it worth it */
	bool active_is_used; /* the active segment holds records: strm roll */
	/* What was done, or would be. */
	uint32_t rounds; /* more than one when memory is short */
	uint32_t segments_in;
	uint32_t segments_out;
	uint32_t segments_same; /* of both: not touched, nothing would change */
	uint64_t keys;          /* different ones in the dirty part; if there
				   are several rounds, the sum over these */
	struct stream_compact_counts counts; /* all rounds together; what goes
						in and out, once */
};

struct stream_compact;

/*
 * Look at the partition of place (borrowed) and find out what
 * stream_compact_run would do, record by record, without writing anything.
 * Takes no lock: if segments are replaced or deleted meanwhile, it is begun
 * again, for options->lock_timeout_ms.  What an interrupted compaction left
 * counts as put in place, with a note.  Gives *compact; free it with
 * stream_compact_free.
 *
 * STREAM_EUSAGE   the place is a single file; or the topic's cleanup.policy
 *                 has no "compact"; or the topic is not one of ours, and
 *                 options->force is not set
 * STREAM_ECORRUPT, STREAM_ENEWER  damage, or a format that is not supported,
 *                 in what would be cleaned
 * STREAM_ENOENT   the topic was deleted
 * STREAM_EBUSY    the directory did not come to rest in time
 * STREAM_EINTR    options->go_on said so
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_compact_plan(const struct stream_place *place,
    const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err);

/*
 * The same, and do it, under the partition's structure lock.  Killed at any
 * point, the log has lost no record that should be there; what is done stays
 * done, and the next run does the rest.  The segments of *compact are those
 * that were there before.
 *
 * Besides the errors of a plan:
 * STREAM_EBUSY     a lock was not free in time, or a broker holds the store
 */
int stream_compact_run(const struct stream_place *place,
    const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err);

/* NULL is allowed. */
void stream_compact_free(struct stream_compact *compact);

/* The segments, oldest first, and the sum.  Lent until freed. */
size_t stream_compact_count(const struct stream_compact *compact);
const struct stream_compact_segment *stream_compact_segment(
    const struct stream_compact *compact, size_t i);
const struct stream_compacted *stream_compact_sum(
    const struct stream_compact *compact);

/* "ratio", "lag", "forced", "below", "clean", "active", "policy", "foreign" or
 * "locked". */
const char *stream_compact_verdict_name(enum stream_compact_verdict verdict);
/* Is it one of those that clean? */
bool stream_compact_verdict_cleans(enum stream_compact_verdict verdict);
/* "active", "transaction" or "young". */
const char *stream_compact_bound_name(enum stream_compact_bound bound);
/* "clean", "dirty", "held" or "active". */
const char *stream_compact_part_name(enum stream_compact_part part);

/* Why a record stays or goes. */
enum stream_compact_reason {
	STREAM_COMPACT_NEWEST,     /* stays: no newer one in what is cleaned */
	STREAM_COMPACT_TOMBSTONE,  /* stays, for now: see until_ms */
	STREAM_COMPACT_ABOVE,      /* stays: at or above the bound */
	STREAM_COMPACT_SUPERSEDED, /* goes: by offset is newer */
	STREAM_COMPACT_EXPIRED,    /* goes: a tombstone whose time has come */
	STREAM_COMPACT_ABORTED     /* goes, of an aborted transaction */
};

struct stream_compact_fate {
	int64_t offset;
	int64_t timestamp_ms;
	bool is_tombstone;
	bool stays;
	enum stream_compact_reason reason;
	int64_t by_offset; /* SUPERSEDED: of the newest record; else -1 */
	/* TOMBSTONE: when it may go; -1: as long after it is first cleaned as
	 * delete.retention.ms says. */
	int64_t until_ms;
	char why[160]; /* for people, no newline */
};

/*
 * What becomes of each record of key (borrowed) when the log is cleaned?
 * Tells found each, once and in order; the fate is lent for the call.
 * *compacted says, as that of a plan, whether it would be cleaned now; it has
 * no counts and rounds.  Reads the log twice.  Errors as stream_compact_plan.
 */
int stream_compact_why(const struct stream_place *place,
    const struct stream_compact_options *options, struct stream_bytes key,
    void (*found)(void *context, const struct stream_compact_fate *fate),
    struct stream_compacted *compacted, struct stream_error *err);

/* "newest", "tombstone", "above", "superseded", "expired" or "aborted". */
const char *stream_compact_reason_name(enum stream_compact_reason reason);

#endif
