/*
 * replica_leader.h - who leads a partition whose log is not looked at
 *
 * Layer store/.  SPEC section 15.4.  It is not chosen, or cannot be read; an
 * old leader is one all the same.
 */
#ifndef STREAM_STORE_REPLICA_LEADER_H
#define STREAM_STORE_REPLICA_LEADER_H

#include "store/manifest.h"
#include "store/store.h"

/*
 * Add the partition's newest leader epoch to the others of manifest, where it
 * can be found.  STREAM_ENOMEM, STREAM_EINTR.
 */
int stream_replica_add_leader(const struct stream_store *store,
    struct stream_manifest *manifest, const char *topic, int32_t partition,
    struct stream_error *err);

#endif
