/*
 * stream/verify.h - look for damage in a partition directory
 *
 * SPEC sections 2 to 6 and 10.  Everything is checked that a broker or a reader
 * relies on: checksums, records, the chain of offsets, indexes against the log,
 * transactions, leader epochs, snapshots, the store's checkpoints.  Writes
 * nothing and takes no lock; safe beside writers: an append, a roll or a
 * compaction that is under way is no finding.  Damage does not stop it.
 */
#ifndef STREAM_VERIFY_H
#define STREAM_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/address.h>
#include <stream/error.h>

enum stream_severity {
	STREAM_SEVERITY_NOTE,  /* worth a word; nothing is wrong */
	STREAM_SEVERITY_DAMAGE /* contradicts the format, or the log */
};

/* What is wrong.  strm-verify(1) says more about each. */
enum stream_verify_kind {
	/* in a log */
	STREAM_FINDING_CRC,
	STREAM_FINDING_BATCH,
	STREAM_FINDING_UNSUPPORTED,
	STREAM_FINDING_RECORDS,
	STREAM_FINDING_OFFSET_ORDER,
	STREAM_FINDING_OFFSET_GAP,
	STREAM_FINDING_OFFSET_RANGE,
	STREAM_FINDING_LEADER_EPOCH,
	STREAM_FINDING_TORN_TAIL,
	STREAM_FINDING_ZERO_TAIL,
	STREAM_FINDING_BAD_LAST_BATCH,
	STREAM_FINDING_LOST_TAIL,
	STREAM_FINDING_MISSING_SEGMENT,
	STREAM_FINDING_LOG_END,
	STREAM_FINDING_SIZE,
	/* in what is derived from it */
	STREAM_FINDING_MISSING_INDEX,
	STREAM_FINDING_INDEX_SIZE,
	STREAM_FINDING_INDEX_ORDER,
	STREAM_FINDING_INDEX_ENTRY,
	STREAM_FINDING_INDEX_SHORT,
	STREAM_FINDING_ZERO_SLOTS,
	STREAM_FINDING_TXNINDEX,
	STREAM_FINDING_SNAPSHOT,
	STREAM_FINDING_EPOCHS,
	STREAM_FINDING_METADATA,
	STREAM_FINDING_CHECKPOINT,
	/* in the directory */
	STREAM_FINDING_LEFTOVER,
	STREAM_FINDING_SWAP,
	STREAM_FINDING_ORPHAN,
	STREAM_FINDING_NAME,
	STREAM_FINDING_KINDS /* how many there are */
};

/* "crc", "offset-gap" and so on. */
const char *stream_verify_kind_name(enum stream_verify_kind kind);

/* What it means for whoever reads; one clause without a full stop. */
const char *stream_verify_kind_meaning(enum stream_verify_kind kind);

struct stream_verify_finding {
	enum stream_severity severity;
	enum stream_verify_kind kind;
	const char *file;     /* its path from the directory; NULL: that */
	uint64_t position;    /* byte in it, or STREAM_POS_NONE */
	int64_t first_offset; /* records that are concerned; -1: none, or not
				 known */
	int64_t last_offset;  /* of them; -1: not known */
	const char *message;  /* what is wrong */
	const char *meaning;  /* what that means for whoever reads */
};

struct stream_verify_options {
	/* Told each finding, which is lent for the call.  May be NULL. */
	void (*found)(
	    void *context, const struct stream_verify_finding *finding);
	/* Told now and then how many bytes of logs were checked since the
	 * last call; false stops with STREAM_EINTR.  May be NULL. */
	bool (*go_on)(void *context, uint64_t bytes);
	void *context;          /* kept for the call and passed on */
	size_t max_batch_bytes; /* 0: 64 MiB; a larger batch is damage */
	int lock_timeout_ms;    /* longest wait for a writer; 0: 10 s */
};

struct stream_verify_summary {
	uint32_t segments;
	uint64_t batches; /* good ones */
	uint64_t records; /* in them */
	uint64_t bytes;   /* of logs */
	uint64_t damage;  /* findings */
	uint64_t notes;
	int64_t log_start_offset;
	int64_t log_end_offset;
};

/*
 * Check the partition, or the one log file, that place names (borrowed).
 * options is borrowed; NULL is all defaults.  The log is checked as far as it
 * goes now.  Of a single log file the indexes that lie beside it are checked
 * too.  Uses some megabytes and, besides, memory for the largest batch.
 *
 * STREAM_OK      all was looked at; *summary says what was found
 * STREAM_ENOENT  no such partition
 * STREAM_EINTR   options->go_on said so
 * STREAM_EBUSY   the directory does not come to rest
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_verify(const struct stream_place *place,
    const struct stream_verify_options *options,
    struct stream_verify_summary *summary, struct stream_error *err);

/*
 * How many bytes of logs are there to check?  For a progress display; 0 when
 * that cannot be known.
 */
uint64_t stream_verify_size(const struct stream_place *place);

#endif
