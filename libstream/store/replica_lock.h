/*
 * replica_lock.h - take away what runs that died have left at a source
 *
 * Layer store/.  SPEC section 15.2.  stream/replica.h has the locks.
 */
#ifndef STREAM_STORE_REPLICA_LOCK_H
#define STREAM_STORE_REPLICA_LOCK_H

#include "store/store.h"

/* Remove what is held for runs that are not at work, but for the one whose id
 * is but (NULL: for all).  STREAM_EIO, STREAM_ENOMEM. */
int stream_replica_sweep(const struct stream_store *store, const char *but,
    struct stream_error *err);

#endif
