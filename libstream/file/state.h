/*
 * state.h - .strm-state: the locks of a partition and what writers know of it
 *
 * Layer file/.  SPEC section 7.  The file is never renamed or replaced, since
 * its bytes carry the locks.  Its content is a hint: two slots, written in
 * turn with a checksum, so that a reader without a lock always finds one that
 * is whole.  Every write is made under the append lock.
 */
#ifndef STREAM_FILE_STATE_H
#define STREAM_FILE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

#define STREAM_STATE_NAME ".strm-state"

/* The two slots begin at byte 0 and at this one. */
enum { STREAM_STATE_STRIDE = 256 };

/* Bytes of the file that are locked.  Who needs several takes structure
 * first, then sync, then append. */
enum stream_state_lock {
	STREAM_LOCK_APPEND = 0,
	STREAM_LOCK_SYNC = 1,
	STREAM_LOCK_STRUCTURE = 2
};

enum stream_state_mark {
	STREAM_MARK_ROLLING = 1 << 0,    /* there may be a newer segment */
	STREAM_MARK_SYNCING = 1 << 1,    /* a sync began and has not ended */
	STREAM_MARK_DELETED = 1 << 2,    /* the topic is gone: do not write */
	STREAM_MARK_CLOSED = 1 << 3,     /* ask the store before you write */
	STREAM_MARK_REPLICATING = 1 << 4 /* a run appends, or died */
};

struct stream_state {
	uint64_t sequence; /* of this slot; 0: there is no state */
	uint8_t boot_id[16];
	uint64_t device; /* of the state file itself, so that a copy is */
	uint64_t inode;  /* known for one */
	uint16_t marks;
	int32_t leader_epoch;
	int64_t active_base;      /* base offset of the segment written to */
	uint64_t end;             /* its bytes that hold whole batches */
	int64_t last_position;    /* of its last batch, -1: none */
	int64_t next_offset;      /* of the next record */
	uint64_t durable_end;     /* bytes of the active segment known synced */
	int64_t max_timestamp_ms; /* in the active segment, -1: none */
	int64_t max_timestamp_offset;
	uint64_t takebacks;    /* how often a failed sync took records back */
	int64_t takeback_base; /* segment that the last one cut */
	uint64_t takeback_end; /* and the size it cut it to */
	uint64_t structure;    /* two more when its indexes were replaced */
};

/* What identifies the running system and the open state file. */
struct stream_state_identity {
	uint8_t boot_id[16]; /* zero when it cannot be read */
	uint64_t device;
	uint64_t inode;
};

/* Identify the open state file fd.  STREAM_EIO. */
int stream_state_identify(
    int fd, struct stream_state_identity *identity, struct stream_error *err);

/*
 * Read the newer whole slot.  Takes no lock.  When neither is whole, or the
 * file is another's copy (device or inode differ), or its version is another,
 * *state is all zero, sequence included: that is not an error.  STREAM_EIO.
 */
int stream_state_read(int fd, const struct stream_state_identity *identity,
    struct stream_state *state, struct stream_error *err);

/* Open the state file of the partition dirfd, read it and close it again.
 * Without one *state is all zero as well.  STREAM_EIO. */
int stream_state_load(
    int dirfd, struct stream_state *state, struct stream_error *err);

/* Read one slot of the file's bytes (borrowed), whoever's it is.  false when
 * it is not whole or of another version. */
bool stream_state_take_slot(
    const uint8_t *slot, size_t size, struct stream_state *state);

/* Was the state written since the system booted?  If not, only its durable
 * end can be trusted. */
bool stream_state_is_current(const struct stream_state *state,
    const struct stream_state_identity *identity);

/* Was it written before the system booted?  Not known (no) when either of the
 * two boots is not. */
bool stream_state_is_of_before(const struct stream_state *state,
    const struct stream_state_identity *identity);

/* What the bell (bell.h) says while *state is the newest: another number after
 * each sync, the same after an append. */
uint32_t stream_state_bell(const struct stream_state *state);

/* Write *state to the older slot with the next sequence, which is set in
 * *state on success.  The caller holds the append lock.  STREAM_EIO. */
int stream_state_write(int fd, const struct stream_state_identity *identity,
    struct stream_state *state, struct stream_error *err);

#endif
