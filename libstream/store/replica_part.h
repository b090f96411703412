/*
 * replica_part.h - bring one partition of the replica up to its source
 *
 * Layer store/.  SPEC section 15.3.
 */
#ifndef STREAM_STORE_REPLICA_PART_H
#define STREAM_STORE_REPLICA_PART_H

#include "store/replica_apply.h"

/*
 * The partition is there.  Errors are those of the log; part->diverged and
 * part->resend say more.
 */
int stream_apply_part(struct stream_apply_part *part, struct stream_error *err);

#endif
