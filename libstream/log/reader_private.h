/*
 * reader_private.h - what the files of the reader share
 *
 * Layer log/.  reader.c gives out records; reader_batch.c finds the next
 * batch; reader_move.c walks from segment to segment; reader_end.c decides what
 * an end or bad bytes mean; reader_skip.c goes on behind damage; reader_seek.c
 * turns points into offsets.
 */
#ifndef STREAM_LOG_READER_PRIVATE_H
#define STREAM_LOG_READER_PRIVATE_H

#include <stream/reader.h>

#include "codec/compress.h"
#include "codec/records.h"
#include "file/index.h"
#include "file/name.h"
#include "file/scan.h"
#include "file/state.h"
#include "file/tail.h"
#include "log/facts.h"
#include "log/isolation.h"
#include "log/read_ahead.h"
#include "log/view.h"

/* Records that one call gives out: few enough to stay in the first-level
 * cache, many enough to make the call cheap. */
enum { STREAM_READER_RECORDS = 128 };

/* The least base offset that a limit can be set for is 0, so this is none. */
#define STREAM_NO_LIMIT INT64_MAX

struct stream_reader {
	/* What is read. */
	int dirfd;
	char *name; /* of the directory, for messages */
	char *only; /* the one log file, or NULL */
	int64_t log_start_offset;
	bool is_ours;
	bool has_transactions; /* or may have */
	bool dense;  /* ours, never compacted: no gap is legal; asked again when
			one is met */
	char *topic; /* for facts, or NULL */
	struct stream_facts facts;
	struct stream_supply supply;
	struct stream_reader_options options;
	int statefd; /* -1: there is no state file */
	struct stream_state_identity identity;
	uint64_t takebacks; /* as last looked at */
	int64_t safe_base;  /* and what was durable then, which no later */
	uint64_t safe_end;  /* take-back reaches: bytes of this segment */

	/* Where it is. */
	struct stream_view view;
	bool relisted; /* the view is newer than the file that is open */
	int64_t base; /* base offset of the segment that is read, in the view or
			 removed from it since */
	int fd;       /* its log, -1: none open */
	char log_name[STREAM_NAME_SIZE];
	struct stream_scan scan;
	/* The batch before scan.next, if it was read from this segment. */
	bool has_last;
	uint64_t last_position;
	uint8_t last_header[STREAM_BATCH_HEADER];
	int64_t next;     /* offset of the next record to give out */
	int64_t expected; /* base offset of the next batch; -1: any */
	bool closed_once; /* a newer segment exists; this one was read again */

	/* Where it ends. */
	int64_t end;        /* offset, excluded */
	int64_t limit_base; /* do not read past limit_bytes of this segment */
	uint64_t limit_bytes;
	int limit_fd;     /* the file that they are counted in, -1: none */
	int64_t skip;     /* records to leave out first, for START +N */
	int64_t left;     /* records to give out, -1: any number */
	bool is_past_end; /* a batch at or past end was seen */
	bool is_done;
	bool torn_is_noted;

	/* Skipping damage.  The hole at the end of the log is told once. */
	uint64_t skipped_to; /* byte of the open segment; UINT64_MAX: none */
	bool is_end_told;
	int64_t told_base;
	uint64_t told_at;
	int64_t settled_base;   /* segment that had so many bytes when they */
	uint64_t settled_bytes; /* were waited for; -1: none */
	bool is_end_unknown;    /* damage leaves open where the range ends */
	bool is_quiet;          /* the end of the range is looked for */
	bool is_unreadable;     /* the segment cannot be opened, fd is empty */
	struct stream_error unreadable_why;

	/* The batch that is being given out. */
	struct stream_batch batch;
	struct stream_records walk;
	struct stream_buf plain; /* its records, decompressed */
	struct stream_decompressor *decompressor;
	struct stream_isolation *isolation; /* NULL: show everything */
	struct stream_record records[STREAM_READER_RECORDS];

	/* Decompressing ahead: batches after this one wait in the ring, and
	 * what stopped looking for more is told when they are given out. */
	struct stream_read_ahead *ahead; /* NULL: not worth it so far */
	unsigned packed_seen;            /* compressed batches so far */

	/* Waking. */
	struct stream_watch *watch; /* NULL: none */
	int watch_file;             /* inotify descriptors, -1: none */
	int watch_dir;
	int watch_state;
	int watch_store;
	bool woken;
	bool names_changed; /* in the directory, since it was last listed */
	bool start_changed; /* the log start may have, since it was last asked
			       for */
	struct stream_reader *watch_next;
};

/* ---- reader_move.c ---- */

/* "orders-0/00000000000000000000.log: byte 123: " in front of err. */
int stream_reader_fail_at(const struct stream_reader *reader, int status,
    uint64_t position, struct stream_error *err);

/* Load the view: the one file, or the directory. */
int stream_reader_load_view(
    struct stream_reader *reader, struct stream_error *err);

/* Open segment index of the view at byte position. */
int stream_reader_open_segment(struct stream_reader *reader, size_t index,
    uint64_t position, struct stream_error *err);

/* Load it again: STREAM_ENOENT when no segment is left. */
int stream_reader_list_again(
    struct stream_reader *reader, struct stream_error *err);

/* Open the segment that holds offset, or would, at its start.  Lists again when
 * it went meanwhile. */
int stream_reader_open_at(
    struct stream_reader *reader, int64_t offset, struct stream_error *err);

/* The directory was listed since, and another file has the name of the open
 * one, or none has it. */
bool stream_reader_is_replaced(const struct stream_reader *reader);

/* May offsets be missing by now?  Then the reader is not dense any more. */
int stream_reader_ask_gaps(
    struct stream_reader *reader, struct stream_error *err);

/* See that the log start was not raised past offset, which comes next; one who
 * clamps goes on there.  STREAM_END when records are to be given out before. */
int stream_reader_obey_log_start(
    struct stream_reader *reader, int64_t offset, struct stream_error *err);

/* Go to what follows the segment, which was read to its end. */
int stream_reader_advance(
    struct stream_reader *reader, struct stream_error *err);

/* Take-backs up to now concern nothing that the reader can meet. */
int stream_reader_forget_takebacks(
    struct stream_reader *reader, struct stream_error *err);

/* Go to the first batch that may hold offset, which becomes next. */
int stream_reader_go_to(
    struct stream_reader *reader, int64_t offset, struct stream_error *err);

/* Base offset of the segment that is open. */
static inline int64_t
stream_reader_base(const struct stream_reader *reader)
{
	return reader->base;
}

static inline bool
stream_reader_in_newest(const struct stream_reader *reader)
{
	const struct stream_view *view = &reader->view;

	return view->segments[view->count - 1].base_offset <= reader->base;
}

/*
 * Take the next batch that follows the last one, its chain checked.  *bytes is
 * lent until the next call.  Goes over to the next segment by itself.
 * STREAM_END and failures as stream_reader_read.
 */
int stream_reader_next_batch(struct stream_reader *reader,
    struct stream_batch *batch, const uint8_t **bytes,
    struct stream_error *err);

/*
 * The scan stopped at the end of the file (status STREAM_END) or at bytes that
 * are no whole batch.  STREAM_OK: look again, or go on in the next segment if
 * *advance; STREAM_END: nothing more now; else the failure to give.
 */
int stream_reader_stopped(struct stream_reader *reader, int status,
    bool *advance, struct stream_error *err);

/*
 * Does the batch that the scan just gave follow the last one?  The CRC does not
 * cover the base offset; in a dense log the chain does.  Elsewhere offsets must
 * at least grow, and fit between the names of this segment and the next.
 * STREAM_ECORRUPT, and the scan is at the batch again.
 */
int stream_reader_check_chain(struct stream_reader *reader,
    const struct stream_batch *batch, struct stream_error *err);

/* Open the segment after the one that is read, wherever it is by now.  There is
 * one in the view. */
int stream_reader_open_next(
    struct stream_reader *reader, struct stream_error *err);

/* The base offset of the segment after the one that is open, -1: none. */
int64_t stream_reader_next_base(const struct stream_reader *reader);

static inline bool
stream_reader_skips(const struct stream_reader *reader)
{
	return (reader->options.flags & STREAM_READER_SKIP_CORRUPT) != 0;
}

/* Is this a failure of the log's bytes, which one who skips passes? */
static inline bool
stream_reader_may_skip(const struct stream_reader *reader, int status)
{
	return stream_reader_skips(reader) &&
	       (status == STREAM_ECORRUPT || status == STREAM_ENEWER ||
		   status == STREAM_ETOOBIG);
}

/*
 * The scan stands at damage (why): go to the next good batch, in this segment
 * or in one of the next, and tell of the hole.  STREAM_END when the rest of the
 * log is damaged; STREAM_EIO, STREAM_ENOMEM.
 */
int stream_reader_skip(struct stream_reader *reader,
    const struct stream_error *why, struct stream_error *err);

/* The first good batch of the open segment behind damage at byte from, with a
 * base offset of expected or more.  STREAM_END when there is none. */
int stream_reader_resync(struct stream_reader *reader, uint64_t from,
    int64_t expected, uint64_t *position, int64_t *base_offset,
    struct stream_error *err);

/* Do the batches behind a good one say that its base offset, which no checksum
 * covers, is right? */
bool stream_reader_believes(struct stream_reader *reader, uint64_t position);

/* Pass a batch whose records are damaged. */
void stream_reader_skip_batch(struct stream_reader *reader,
    const struct stream_batch_info *info, const struct stream_error *why);

/* Tell that records of a producer from offset first to last are not shown. */
void stream_reader_tell_hidden(struct stream_reader *reader,
    const struct stream_batch_info *info, int64_t last);

/* STREAM_ELOST when a failed sync took back what this reader has passed. */
int stream_reader_check_takeback(
    struct stream_reader *reader, uint64_t at, struct stream_error *err);

/* The newest segment must not be shorter than what was made durable. */
int stream_reader_check_durable(
    struct stream_reader *reader, struct stream_error *err);

/* Read the state; all zero when there is none. */
int stream_reader_read_state(struct stream_reader *reader,
    struct stream_state *state, struct stream_error *err);

/* What bytes of the open segment from at on are that are no batch; next is the
 * offset that is due there. */
int stream_reader_judge_tail(struct stream_reader *reader, uint64_t at,
    int64_t next, enum stream_tail *tail, struct stream_error *err);

/* The place where an index says to begin in the open segment, or its start when
 * what is there may have to go. */
uint64_t stream_reader_begin(struct stream_reader *reader, uint64_t position);

/* Is the state what the newest segment's file, size bytes long, shows? */
bool stream_reader_trusts(const struct stream_reader *reader,
    const struct stream_state *state, uint64_t size);

/* Set the limit to what is synced; sync first when that lags.  For readers of
 * durable records. */
int stream_reader_update_durable(
    struct stream_reader *reader, struct stream_error *err);

/* Resolve the range in options and go there.  The view is loaded. */
int stream_reader_seek(struct stream_reader *reader, struct stream_error *err);

/* The offset after the last whole batch. */
int stream_reader_log_end(
    struct stream_reader *reader, int64_t *offset, struct stream_error *err);

/* The offset of the first record at or after a time; the log end if none. */
int stream_reader_find_time(struct stream_reader *reader, int64_t timestamp_ms,
    int64_t *offset, struct stream_error *err);

/* Begin to give out a batch (its whole bytes borrowed until the walk is over):
 * decompress it, start the walk. */
int stream_reader_enter(struct stream_reader *reader, const uint8_t *bytes,
    struct stream_error *err);

/* The first offset that the directory can hold. */
int64_t stream_reader_log_start(const struct stream_reader *reader);

/* Follow the reader to another segment, if it is watched. */
void stream_watch_moved(struct stream_reader *reader);

/* Will whatever happens to this reader's partition wake it? */
bool stream_watch_is_set(const struct stream_reader *reader);

/* Is the directory watched, and did no name in it change since this was asked
 * last? */
bool stream_watch_may_skip_listing(struct stream_reader *reader);

/* The same of the store and its file of log starts. */
bool stream_watch_may_skip_log_start(struct stream_reader *reader);

/* Open the state file, if there is one by now. */
void stream_reader_open_state(struct stream_reader *reader);

/* Take the reader off its watch. */
void stream_watch_remove(struct stream_reader *reader);

#endif
