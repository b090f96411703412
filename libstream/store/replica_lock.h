/*
 * replica_lock.h - which runs are at work, and what dead ones left at a source
 *
 * Layer store/.  SPEC sections 15.2 and 15.3.  stream/replica.h has the locks.
 */
#ifndef STREAM_STORE_REPLICA_LOCK_H
#define STREAM_STORE_REPLICA_LOCK_H

#include "store/store.h"

/*
 * Is the store at path (borrowed) the one in which the run took its lock (id as
 * in stream_replica_lock)?  One that was moved away, or whose disk is no longer
 * mounted, may have left its name to another, or to none.  Nothing is made.
 * STREAM_ENOENT: it is not; STREAM_EIO, STREAM_ENOMEM.
 */
int stream_replica_check_locked(
    const char *path, const char *id, struct stream_error *err);

/* Remove what is held for runs that are not at work, but for the one whose id
 * is but (NULL: for all).  STREAM_EIO, STREAM_ENOMEM. */
int stream_replica_sweep(const struct stream_store *store, const char *but,
    struct stream_error *err);

#endif
