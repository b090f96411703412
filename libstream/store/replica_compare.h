/*
 * replica_compare.h - is what came what compaction makes of what is there?
 *
 * Layer store/.  SPEC section 15.4.
 */
#ifndef STREAM_STORE_REPLICA_COMPARE_H
#define STREAM_STORE_REPLICA_COMPARE_H

#include "store/replica_apply.h"

/*
 * Compare the source's segments with the replica's, from where both begin to
 * where the first of both ends; what is the same by kinds is not read.
 * part->diverged is set to the first offset that tells them apart.  dense: no
 * offset is missing in either.
 *
 * STREAM_ECORRUPT  a batch of the replica cannot be read
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_apply_compare(struct stream_apply_part *part,
    const enum stream_apply_kind *kinds, bool dense, struct stream_error *err);

#endif
