/*
 * replica_role.h - may these two stores be source and replica?
 *
 * Layer store/.  SPEC sections 8.6 and 15.4.  What leader epochs say of
 * it is replica_diverge.h.
 */
#ifndef STREAM_STORE_REPLICA_ROLE_H
#define STREAM_STORE_REPLICA_ROLE_H

#include "store/manifest.h"
#include "store/store.h"

/*
 * What the store is, whatever is chosen of it: a leader that holds no topic at
 * all is a new store.  Errors as stream_role_load, and of listing its topics.
 */
int stream_replica_find_role(struct stream_store *store,
    enum stream_manifest_role *found, struct stream_error *err);

#endif
