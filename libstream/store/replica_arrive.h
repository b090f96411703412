/*
 * replica_arrive.h - what was seen of the logs of a run while they came
 *
 * Layer store/.  SPEC section 15.3.  stream/replica.h has the rest.
 */
#ifndef STREAM_STORE_REPLICA_ARRIVE_H
#define STREAM_STORE_REPLICA_ARRIVE_H

#include "log/arriving.h"
#include "store/manifest.h"

/*
 * What was seen of a log of a partition; lent by arrival, which may be NULL.
 * NULL: nothing.  Only after it ended.
 */
struct stream_arriving *stream_replica_arrived(
    const struct stream_replica_arrival *arrival, const char *topic,
    int32_t partition, int64_t base_offset);

#endif
