/*
 * replica_gone.h - topics that the replica has and its source has not
 *
 * Layer store/.  SPEC section 15.5.
 */
#ifndef STREAM_STORE_REPLICA_GONE_H
#define STREAM_STORE_REPLICA_GONE_H

#include "store/replica_apply.h"

/* Are these ids ("": none) of two topics that share a name? */
bool stream_replica_is_another_id(const char *a, const char *b);

/* Are these partitions of two topics that share a name? */
bool stream_replica_is_another(
    const struct stream_manifest_part *a, const struct stream_manifest_part *b);

/*
 * Refuse when the source holds no topic at all, whatever is chosen, and have
 * (of the replica) does: most likely its disk is not there.  STREAM_ENOENT,
 * STREAM_EIO, STREAM_ENOMEM.
 */
int stream_replica_check_any(struct stream_store *source,
    const struct stream_manifest *have, struct stream_error *err);

/*
 * Remove topics of mine, which is what the replica holds, that are gone from
 * the source, and those in whose name there is another one now, if that is
 * asked for.  The report has a line for each, and for each single partition
 * that is gone, which is kept.  A topic that cannot be removed is told there;
 * STREAM_ENOMEM and STREAM_EINTR end the run.
 */
int stream_apply_gone(struct stream_applying *all,
    const struct stream_manifest *mine, struct stream_error *err);

#endif
