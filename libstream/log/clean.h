/*
 * clean.h - compaction's second pass: segments to one ".cleaned" segment
 *
 * Layer log/.  SPEC sections 3.5 and 4.6.  Invariants I1 and I6.  The caller
 * has the map of the newest offset of each key, holds the structure lock, and
 * puts the result in place (swap.h).  Sources are only read.
 */
#ifndef STREAM_LOG_CLEAN_H
#define STREAM_LOG_CLEAN_H

#include "codec/batch.h"
#include "log/clean_txn.h"
#include "log/keymap.h"

/* All of it is borrowed during a call. */
struct stream_clean_rules {
	const struct stream_keymap *map;
	int64_t mapped_end; /* records at or above it stay */
	int64_t round_end;  /* a batch whose next offset this is leaves its
			       place, if need be empty */
	int64_t next_base;  /* of the segment behind the last source */
	int64_t now_ms;
	int64_t delete_retention_ms; /* 0 and up */
	int64_t index_interval_bytes;
	size_t cap;       /* largest batch, also when decompressed */
	bool dry_run;     /* decide and count, write nothing */
	unsigned workers; /* threads that judge; 0: none but the caller's */
	bool always;      /* write even if nothing goes or changes */
	bool no_horizons; /* set none: tombstones without one stay */
	int *made; /* NULL, or: given the descriptor of the log if one was
		      written */
	/* Is this the batch that keeps the state of its producer?  The last
	 * one with data of a producer that is still known; if that has none,
	 * a control batch of its epoch.  NULL: never. */
	bool (*is_last)(void *context, const struct stream_batch_info *info);
	void *is_last_context;
	/* Learnt, and the second pass begun (stream_clean_txn_begin). */
	struct stream_clean_txn *txn;
	/* Told about every megabyte how many more bytes of the sources were
	 * read; false ends the call with STREAM_EINTR.  May be NULL. */
	bool (*go_on)(void *context, uint64_t bytes);
	void *go_on_context;
};

struct stream_clean_amount {
	uint64_t bytes;
	uint64_t batches;
	uint64_t records;    /* data only */
	uint64_t tombstones; /* of those, without a value; none of aborted
				transactions, which are not read */
	uint64_t markers;    /* control records */
};

struct stream_clean_stats {
	struct stream_clean_amount in;
	struct stream_clean_amount out;
	/* Records that went, by why.  Each went for the first that holds. */
	uint64_t aborted;    /* of an aborted transaction */
	uint64_t no_key;     /* a record without a key has no place here */
	uint64_t superseded; /* a newer one has its key */
	uint64_t expired;    /* tombstones whose horizon has passed */
	/* Batches, by what became of them. */
	uint64_t copied;
	uint64_t remade;
	uint64_t emptied;
	uint64_t gone;
	uint64_t horizons; /* batches that were given a delete horizon */
};

/* Add of to to. */
void stream_clean_stats_add(
    struct stream_clean_stats *to, const struct stream_clean_stats *of);

enum stream_clean_outcome {
	STREAM_CLEAN_WRITTEN, /* a ".cleaned" segment is there */
	STREAM_CLEAN_SAME,    /* nothing goes or changes: nothing was written */
	STREAM_CLEAN_TOO_LARGE /* one segment cannot hold the result */
};

/*
 * Clean the logs of count (not 0) source segments of the partition dirfd,
 * whose base offsets rise, into the segment of the first base offset with
 * state ".cleaned": log, index, time index, and transaction index if markers
 * of aborts stay.  None of these files may be there.  Each is synced, with the
 * mode and owner of the last source's log and its time of modification, and the
 * log is read again and compared with what was meant.  The names are not
 * synced.  With dry_run the outcome is what it would be.
 *
 * STREAM_CLEAN_TOO_LARGE: offsets span more than 2^31-1, or there are more
 * bytes than that.  No file is left, *stats and txn are as they were: call
 * again with fewer sources.
 *
 * *stats is added to.  After a failure no file is left, and txn must be begun
 * again.
 *
 * STREAM_ECORRUPT  damage in a source; err names file and byte
 * STREAM_ETORN     a source ends within a batch
 * STREAM_ENEWER, STREAM_ETOOBIG  a batch that this version cannot take apart
 * STREAM_EEXIST    a ".cleaned" file is there
 * STREAM_EINTR     go_on said so
 * STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM
 */
int stream_clean_group(int dirfd, const int64_t *sources, size_t count,
    const struct stream_clean_rules *rules, enum stream_clean_outcome *outcome,
    struct stream_clean_stats *stats, struct stream_error *err);

#endif
