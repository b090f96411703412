/*
 * partition_private.h - what the files of the partition writer share
 *
 * Layer log/.  partition.c opens, locks and appends; recover.c makes the state
 * true again; sync.c makes bytes durable, or takes them back; roll.c begins
 * the next segment.
 */
#ifndef STREAM_LOG_PARTITION_PRIVATE_H
#define STREAM_LOG_PARTITION_PRIVATE_H

#include "file/bell.h"
#include "file/state.h"
#include "log/partition.h"
#include "log/segment.h"

/* What a sync covers, as it stood when it began. */
struct stream_cover {
	int64_t base; /* of the segment */
	uint64_t durable_end;
	uint64_t end;
};

struct stream_partition {
	int dirfd; /* borrowed */
	int statefd;
	struct stream_bell bell; /* of statefd */
	struct stream_log_config config;
	struct stream_state_identity identity;
	struct stream_state state; /* as last read or written */
	struct stream_state known; /* for which segment is true; sequence 0:
				    * none */
	uint64_t written;          /* sequence that this handle wrote last */
	bool company; /* others wrote since this handle last rang */
	struct stream_segment segment;
	int64_t last_stamp_ms; /* LogAppendTime that was given last */
	/* An append that is to be durable: its last write begins the sync. */
	bool syncs_next;
	struct stream_cover cover; /* of the sync that it began */
	/* Appended here and not known to be durable. */
	bool dirty;
	int64_t dirty_base;       /* segment of the last such bytes */
	uint64_t dirty_end;       /* where they end in it */
	uint64_t dirty_takebacks; /* state.takebacks when they were written */
	bool holds_sync;          /* between lock_sync and unlock_sync */
	bool refused;             /* another holds what was to be locked */
	bool holds_structure;     /* until it is closed (structure.h) */
	/* A cut that failed: nothing more is appended by this handle. */
	bool poisoned;
};

/* A handle with its state file open, and no lock taken.  As
 * stream_partition_open. */
int stream_partition_new(int dirfd, const struct stream_log_config *config,
    struct stream_partition **partition, struct stream_error *err);

/* Open the partition's state file, which is made when it is missing, in the
 * place of the one that is open.  STREAM_EIO. */
int stream_partition_open_state(
    struct stream_partition *partition, struct stream_error *err);

/* Lock one byte of the state file, waiting timeout_ms, and be sure that it is
 * the right file.  STREAM_ENOENT, STREAM_EBUSY, STREAM_EIO. */
int stream_partition_lock_byte(struct stream_partition *partition,
    enum stream_state_lock byte, int timeout_ms, struct stream_error *err);

/* Take the structure lock, which is held until the handle is closed. */
int stream_partition_lock_structure(
    struct stream_partition *partition, struct stream_error *err);

/*
 * Take the append lock, see that the state file is still the partition's and
 * the topic is not deleted, and bring handle and state up to date, recovering
 * if need be.  On failure the lock is not held.
 */
int stream_partition_lock(
    struct stream_partition *partition, struct stream_error *err);

/* The same for who appends nothing, but makes durable what this handle
 * appended, or takes it back: also when nobody may write any more. */
int stream_partition_lock_to_settle(
    struct stream_partition *partition, struct stream_error *err);

/*
 * Take the append lock and read the state, for one who holds the sync lock and
 * changes nothing of the log: it is not compared with the state.
 */
int stream_partition_lock_quickly(
    struct stream_partition *partition, struct stream_error *err);

void stream_partition_unlock(struct stream_partition *partition);

/* The same around the sync lock, which is taken before the append lock.
 * Takes only the sync lock. */
int stream_partition_lock_sync(
    struct stream_partition *partition, struct stream_error *err);

/* STREAM_EBUSY at once when another holds it. */
int stream_partition_try_lock_sync(
    struct stream_partition *partition, struct stream_error *err);

void stream_partition_unlock_sync(struct stream_partition *partition);

/*
 * Make the state true: find the newest segment, walk what is not known to be
 * good, cut or set aside what is not (SPEC section 10), bring the indexes up
 * to it and write the state.  Append lock held.
 */
int stream_partition_recover(
    struct stream_partition *partition, struct stream_error *err);

/* The base offset of the newest segment in the directory; -1: there is none. */
int stream_partition_find_newest(struct stream_partition *partition,
    int64_t *base, struct stream_error *err);

/* Does the batch that the state calls the last one stand in the open segment,
 * end where the state's end is, and lead to its next offset? */
int stream_partition_last_batch_agrees(
    struct stream_partition *partition, bool *agrees, struct stream_error *err);

/* Write the state under the append lock.  The segment is true for it. */
int stream_partition_publish(
    struct stream_partition *partition, struct stream_error *err);

/*
 * With the append lock and nothing but a new end to publish: if nobody syncs,
 * take the sync lock as well, set the mark in the state, which the caller
 * publishes, and note what the sync will cover.  Otherwise does nothing.
 */
void stream_partition_join_sync(struct stream_partition *partition);

/*
 * Become the one who syncs, unless another's sync covers what this handle
 * wrote: then *covered is true, and the lock is not held.
 */
int stream_partition_lock_or_wait(struct stream_partition *partition,
    bool *covered, struct stream_error *err);

/*
 * With both locks held: make the active segment's bytes up to state.end
 * durable.  On failure they are taken back to the durable end.
 */
int stream_partition_sync_locked(
    struct stream_partition *partition, struct stream_error *err);

/*
 * Set the marks (STREAM_MARK_SYNCING, for a roll with _ROLLING) and publish
 * them; if a dead process left the mark of a sync, deal with what it may have
 * lost first.  Both locks held.
 */
int stream_partition_begin_sync(struct stream_partition *partition,
    uint16_t marks, struct stream_error *err);

/*
 * Compare the take-back counter with the one noted when this handle's unsynced
 * bytes were written.  STREAM_ELOST when they are gone, or may be.
 */
int stream_partition_check_takeback(
    struct stream_partition *partition, struct stream_error *err);

/* Begin a new segment at the next offset.  Both locks held. */
int stream_partition_roll(
    struct stream_partition *partition, struct stream_error *err);

/*
 * Close the active segment as a roll does, have bring put the next one in
 * place, whole and durable, and make that the active one: measure says what it
 * holds.  Structure lock held, no other.
 */
struct stream_measure;
int stream_partition_adopt(struct stream_partition *partition,
    int64_t base_offset, const struct stream_measure *measure,
    int (*bring)(void *context, struct stream_error *err), void *context,
    struct stream_error *err);

/* Tell config.note what was done, with the number and a printf format of one
 * unsigned long long and one offset. */
void stream_partition_note(const struct stream_partition *partition,
    const char *what, uint64_t bytes, uint64_t position);

#endif
