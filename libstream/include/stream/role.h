/*
 * stream/role.h - who may write to a store
 *
 * SPEC sections 8.6 and 8.7.  A store is a leader unless a file of its own says
 * otherwise: a replica follows another store and is written by replication
 * alone; a fenced store is written by nobody, since another one leads now.
 * Both can be read, inspected and replicated from.
 *
 * A writer that opens such a store, or has one open when it becomes one, is
 * refused with STREAM_EFENCED and a text that says why and what to do: at
 * stream_store_open, when a partition is opened, and at its next append.
 * What it had acknowledged stays.
 *
 * The flags STREAM_STORE_REPLICA and STREAM_STORE_FENCED open a store all the
 * same.  Who opens a replica in order to copy to it holds stream_role_hold
 * while it works, or a promotion could come in between.
 */
#ifndef STREAM_ROLE_H
#define STREAM_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>
#include <stream/store.h>

/* Longest text that a role may have, with its NUL: a path with a host's name
 * before it. */
enum { STREAM_ROLE_TEXT_SIZE = 4608 };

struct stream_role {
	bool is_replica;
	char of[STREAM_ROLE_TEXT_SIZE]; /* the source, for people */
	int64_t replica_since_ms;
	bool is_promoting; /* its promotion was begun and is not finished */
	bool is_fenced;    /* a replica may be fenced too */
	char reason[STREAM_ROLE_TEXT_SIZE];
	int64_t fenced_since_ms;
};

/*
 * Read the store's role.  Takes no lock.  A store without such files is a
 * leader: both flags are false.
 *
 * STREAM_ECORRUPT  one of the files is damaged; no writer may go on then
 * STREAM_ENEWER    a newer version wrote it
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_role_load(const struct stream_store *store, struct stream_role *role,
    struct stream_error *err);

/*
 * Make the store a replica of (borrowed) the source of that name, durably, and
 * stop the writers that have it open.  Of a replica already, the name is
 * changed where it is another, and nothing else.  Bytes of the name that are no
 * UTF-8 become '?'.  The store is open for writing with STREAM_STORE_REPLICA
 * and STREAM_STORE_FENCED.
 *
 * STREAM_EUSAGE  the name is empty or too long
 * STREAM_EBUSY   a lock was not free in time; the store is a replica all the
 *                same when it is one by stream_role_load
 * STREAM_EIO, STREAM_ECORRUPT, STREAM_ENEWER, STREAM_ENOMEM
 */
int stream_role_set_replica(
    struct stream_store *store, const char *of, struct stream_error *err);

/*
 * Fence the store for that reason (borrowed, UTF-8), or take the fence away.
 * Both are durable, may be done again, and a fence stops the writers that have
 * the store open by the time that it returns.  A fence that is there gets the
 * new reason.  *was: whether there was one.  The store is open for writing with
 * both flags.  Errors as above.
 */
int stream_role_fence(struct stream_store *store, const char *reason, bool *was,
    struct stream_error *err);
int stream_role_lift(
    struct stream_store *store, bool *was, struct stream_error *err);

/*
 * Be the only one to change what the replica holds, until *hold is given to
 * stream_role_release: for replication and promotion.  Waits as long as the
 * store's other locks.
 *
 * STREAM_EBUSY, STREAM_EIO
 */
int stream_role_hold(
    struct stream_store *store, int *hold, struct stream_error *err);
void stream_role_release(int hold);

/* The newest leader epoch of a partition, and where its log ends. */
struct stream_role_epoch {
	int32_t epoch;        /* -1: it has none yet */
	int64_t start_offset; /* of the epoch; -1 as well */
	int64_t end_offset;   /* of the log */
};

/*
 * Ask a partition for its newest leader epoch: the last entry of its
 * checkpoint, or, where there is no sound one, what its batches say.  Takes no
 * lock.  An old leader is known by it: its newest epoch is below the other
 * side's.
 *
 * STREAM_ENOENT, STREAM_ECORRUPT, STREAM_EIO, STREAM_ENOMEM
 */
int stream_role_newest_epoch(const struct stream_store *store,
    const char *topic, int32_t partition, struct stream_role_epoch *epoch,
    struct stream_error *err);

/*
 * Make a replica the leader: first each partition gets a new leader epoch, one
 * above its last, that begins at the end of its log, durably; then the store
 * stops being a replica.  Before the first epoch every partition is opened,
 * recovered and looked at: when one cannot be promoted, none is, and the store
 * is the replica that it was.  After a failure later on, or a crash, it is a
 * replica that says so (is_promoting): nothing is copied to it any more, and
 * promoting it again finishes it (some partitions then get one epoch more).
 * promoted (context is passed on) is told of each partition once its new epoch
 * is durable, or, in a plan, would be; topic is lent. With plan_only nothing is
 * changed and the store need not be open for writing; otherwise it is, with
 * STREAM_STORE_REPLICA.
 *
 * STREAM_EUSAGE   the store is no replica
 * STREAM_EFENCED  it is fenced
 * STREAM_EBUSY    replication is at work, or a lock was not free in time
 * STREAM_ECORRUPT, STREAM_ENEWER, STREAM_EIO, STREAM_ENOMEM
 */
int stream_role_promote(struct stream_store *store, bool plan_only,
    void (*promoted)(void *context, const char *topic, int32_t partition,
	const struct stream_role_epoch *epoch),
    void *context, struct stream_error *err);

#endif
