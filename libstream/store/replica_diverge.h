/*
 * replica_diverge.h - do a replica and its source tell the same story?
 *
 * Layer store/.  SPEC section 15.4.  By leader epochs, as Kafka's followers
 * do it; what digests tell is seen where the files are (replica_plan.h).
 */
#ifndef STREAM_STORE_REPLICA_DIVERGE_H
#define STREAM_STORE_REPLICA_DIVERGE_H

#include "store/manifest.h"

/*
 * The offset from which mine holds what source never held, or no longer holds;
 * -1: there is none.
 */
int64_t stream_replica_divergence(const struct stream_manifest_part *source,
    const struct stream_manifest_part *mine);

/*
 * May have follow source?  STREAM_EFENCED: a partition of the replica, chosen
 * or not, has a newer leader epoch, so the source is an old leader; its
 * promotion is not finished; or it leads topics, chosen or not, and nothing
 * says that source leads.  force: that it does is for the caller to know.
 */
int stream_replica_check_leader(const struct stream_manifest *source,
    const struct stream_manifest *have, bool force, struct stream_error *err);

#endif
