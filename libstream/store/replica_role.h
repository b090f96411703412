/*
 * replica_role.h - may these two stores be source and replica?
 *
 * Layer store/.  SPEC sections 8.6, 15.2 and 15.3.  What leader epochs say of
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

/*
 * Note in run, the directory .strm/incoming/ID, when the replica said what it
 * has: by that its source knows whether the two are one store.
 */
void stream_replica_note_time(int run, int64_t time_ms);

/*
 * Is have, of a run that has begun, what source itself said?  Then the two are
 * one store, by whatever names it was reached: STREAM_EUSAGE, and what the run
 * left there is removed.
 */
int stream_replica_check_apart(const struct stream_store *source,
    const struct stream_manifest *have, struct stream_error *err);

#endif
