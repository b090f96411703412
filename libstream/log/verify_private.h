/*
 * verify_private.h - what the files of the verifier share
 *
 * Layer log/.  verify.c goes from segment to segment; verify_segment.c walks
 * the batches of one; verify_tail.c says what bytes that are none mean;
 * verify_index.c, verify_txn.c and verify_epochs.c hold what is derived
 * against the batches as they pass; verify_files.c and verify_orphan.c look at
 * the directory; verify_found.c gives out findings, the doubtful ones only when
 * they were seen twice.
 */
#ifndef STREAM_LOG_VERIFY_PRIVATE_H
#define STREAM_LOG_VERIFY_PRIVATE_H

#include <sys/types.h>

#include "codec/records_check.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/index_entries.h"
#include "file/name.h"
#include "file/scan.h"
#include "file/state.h"
#include "log/producers.h"
#include "log/verify.h"
#include "log/view.h"

/* What is known of the place in the chain of offsets. */
struct stream_verify_chain {
	int64_t expected; /* base offset of the next batch; -1: any */
	int64_t end;      /* expected, as the last batch left it; -1: none */
	/* After a batch whose base offset is not the one expected: where the
	 * chain goes on if that batch is right and not the one before; -1. */
	int64_t other;
	bool gapless; /* no offset was missing so far */
	bool broken;  /* damage was passed in this segment */
};

/* One entry of an index, of either kind. */
struct stream_verify_entry {
	uint64_t number;
	int64_t key;    /* position, or timestamp */
	int64_t offset; /* absolute */
	uint64_t at;    /* its byte in the file */
};

/* An index file that is held against the log as that passes. */
struct stream_verify_index {
	struct stream_entries walk;
	char name[STREAM_NAME_SIZE];
	bool is_open;
	bool is_time;
	bool has_entry; /* entry was taken and not settled */
	bool started;   /* its batch came, and ended before its offset */
	bool has_last;
	struct stream_verify_entry entry;
	struct stream_verify_entry last; /* the one before, settled */
	uint64_t wrong;                  /* entries found wrong */
};

struct stream_verify_epochs {
	struct stream_epoch *entries; /* owned */
	size_t count;
	size_t next; /* the first entry that starts after the last batch */
	bool is_there;
	bool told_start;
	int32_t last;      /* of the last batch, -1 */
	int32_t told;      /* what was told last: this epoch of batches, */
	size_t told_entry; /* against this entry */
};

struct stream_verify_txns {
	struct stream_producers *producers; /* NULL: not followed any more */
	bool exact; /* all batches since the producers' state were seen */
	struct stream_entries walk;
	char name[STREAM_NAME_SIZE];
	bool is_open;
	bool told_missing;
};

enum stream_verify_mode {
	STREAM_VERIFY_GIVE,    /* what is found is given out at once */
	STREAM_VERIFY_COLLECT, /* kept: it may be an append under way */
	STREAM_VERIFY_CONFIRM  /* found again? */
};

/* A finding that waits to be confirmed. */
struct stream_verify_kept {
	enum stream_severity severity;
	enum stream_verify_kind kind;
	bool again;
	char file[STREAM_NAME_SIZE];
	uint64_t position;
	int64_t first_offset;
	int64_t last_offset;
	char message[232];
};

struct stream_verify {
	const struct stream_verify_source *source;
	struct stream_facts facts; /* of source, as they are asked by now */
	int64_t log_start;         /* likewise */
	struct stream_verify_options options;
	struct stream_verify_summary *sum;
	int statefd; /* -1: none */
	struct stream_state_identity identity;
	struct stream_state state; /* as it was at the start */
	bool dense;                /* as far as is known by now */
	struct stream_view view;

	/* The segment. */
	int64_t base;
	bool newest;
	bool gone; /* replaced or removed meanwhile: list again */
	int fd;
	dev_t device;
	ino_t inode;
	char log_name[STREAM_NAME_SIZE];
	uint64_t size;          /* of its log, when it was opened */
	int64_t bound;          /* base of the next segment, or INT64_MAX */
	int64_t largest_ms;     /* timestamp so far, -1 */
	int32_t last_epoch;     /* of the batch before, -1 */
	uint64_t epoch_changes; /* between two batches */
	struct stream_verify_index index;
	struct stream_verify_index timeindex;

	struct stream_verify_chain chain;
	struct stream_verify_epochs epochs;
	struct stream_verify_txns txns;
	struct stream_scan scan;
	struct stream_unpacker unpacker;
	int64_t lost_base; /* of the missing log that was told last, -1 */
	uint64_t told;     /* bytes, to options.go_on */

	enum stream_verify_mode mode;
	struct stream_verify_kept *kept; /* owned */
	size_t kept_count;
};

/* ---- findings, verify_found.c ---- */

/* Where in which file, and which records are concerned. */
struct stream_verify_where {
	const char *file; /* NULL: the directory */
	uint64_t position;
	int64_t first_offset; /* -1: none */
	int64_t last_offset;  /* -1: not known */
};

/* Something is wrong there. */
__attribute__((format(printf, 4, 5))) void stream_verify_damage(
    struct stream_verify *verify, enum stream_verify_kind kind,
    struct stream_verify_where where, const char *format, ...);

/* Something is worth a word. */
__attribute__((format(printf, 4, 5))) void stream_verify_note(
    struct stream_verify *verify, enum stream_verify_kind kind,
    struct stream_verify_where where, const char *format, ...);

/* From now on findings are kept, compared with those that were kept, or given
 * out at once; the last also gives out the kept ones that were seen twice. */
int stream_verify_collect(
    struct stream_verify *verify, struct stream_error *err);
void stream_verify_confirm(struct stream_verify *verify);
void stream_verify_settle(struct stream_verify *verify);

/*
 * Is this mark set, or was it when all began?  Who sets one does so before what
 * it says of the log is true, and takes it away after: so it was there at some
 * moment since what was found came to be, if that was found twice.  *now is the
 * state by now, all zero where there is none.
 */
bool stream_verify_has_mark(const struct stream_verify *verify,
    enum stream_state_mark mark, struct stream_state *now);

/* A place in the open log. */
static inline struct stream_verify_where
stream_verify_in_log(const struct stream_verify *verify, uint64_t position,
    int64_t first_offset, int64_t last_offset)
{
	return (struct stream_verify_where){
	    verify->log_name, position, first_offset, last_offset};
}

/* ---- one segment ---- */

/* Is the open log still the file of its name?  Sets verify->gone if not. */
bool stream_verify_is_there(struct stream_verify *verify);

/* Check all of the open segment. */
int stream_verify_segment(
    struct stream_verify *verify, struct stream_error *err);

/*
 * The scan came to bytes that are no whole batch; why says so.  Tells it, and
 * moves the scan to where the walk can go on.  STREAM_END when it cannot.
 */
int stream_verify_stopped(struct stream_verify *verify, int status,
    const struct stream_error *why, struct stream_error *err);

/* Bytes from one place on were no batch: what is derived is not held against
 * them.  Offsets up to before end_offset may have been there. */
void stream_verify_pass_hole(struct stream_verify *verify, uint64_t from,
    uint64_t end, int64_t end_offset);

/* The same for a batch whose offsets are in doubt: info, or what lies before
 * end_offset. */
void stream_verify_pass_doubtful(struct stream_verify *verify,
    const struct stream_batch_info *info, int64_t end_offset);

/* ---- what is derived from the log ---- */

/* Open both indexes of the segment, before its log is looked at. */
int stream_verify_indexes_open(
    struct stream_verify *verify, struct stream_error *err);
/* The next batch passes. */
int stream_verify_indexes_batch(struct stream_verify *verify,
    const struct stream_batch_info *info, struct stream_error *err);
/* The log ended. */
int stream_verify_indexes_finish(
    struct stream_verify *verify, struct stream_error *err);

int stream_verify_txns_start(
    struct stream_verify *verify, struct stream_error *err);
int stream_verify_txns_open(
    struct stream_verify *verify, struct stream_error *err);
int stream_verify_txns_batch(struct stream_verify *verify,
    const struct stream_batch_info *info, const uint8_t *bytes,
    struct stream_error *err);
int stream_verify_txns_finish(
    struct stream_verify *verify, struct stream_error *err);
/* Hold the snapshot of this offset, if there is one, against what the log up
 * to there says of producers. */
int stream_verify_txns_snapshot(
    struct stream_verify *verify, int64_t offset, struct stream_error *err);
void stream_verify_txns_release(struct stream_verify *verify);

int stream_verify_epochs_load(
    struct stream_verify *verify, struct stream_error *err);
void stream_verify_epochs_batch(
    struct stream_verify *verify, const struct stream_batch_info *info);
void stream_verify_epochs_finish(struct stream_verify *verify);

/* ---- the directory ---- */

/* Tell of what lies in the directory beside the segments: names holds the
 * listing from the start. */
int stream_verify_files(struct stream_verify *verify,
    const struct stream_buf *names, struct stream_error *err);

/* Tell of an index, name, that no segment of the view belongs to. */
int stream_verify_orphan(struct stream_verify *verify, const char *name,
    const struct stream_name *parsed, struct stream_error *err);

#endif
