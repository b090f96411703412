/*
 * replica_hold.h - hold a partition of the source as it is at one moment
 *
 * Layer store/.  SPEC section 15.2.
 */
#ifndef STREAM_STORE_REPLICA_HOLD_H
#define STREAM_STORE_REPLICA_HOLD_H

#include "store/replica_look.h"

/*
 * Measure the log of the partition dirfd, which ends where it is durable, add
 * its segments to part, and hold what the replica lacks.  settings NULL:
 * foreign.  Errors as stream_replica_look_part.
 */
int stream_replica_hold(struct stream_replica_look *look, int dirfd,
    const struct stream_topic_settings *settings,
    struct stream_manifest_part *part, struct stream_error *err);

#endif
