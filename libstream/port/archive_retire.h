/*
 * archive_retire.h - archived segments leave the log
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.7.  To be called
 * when the archive is complete, durable, verified and has its name.
 */
#ifndef STREAM_PORT_ARCHIVE_RETIRE_H
#define STREAM_PORT_ARCHIVE_RETIRE_H

#include <stream/retain.h>

#include "port/archive_write.h"

/*
 * Can the part be retired?  To be asked before it is archived.  STREAM_EUSAGE
 * when the topic's cleanup.policy has no "delete"; STREAM_EBUSY when a broker
 * holds the store; STREAM_ENOENT, STREAM_EIO...
 */
int stream_archive_may_retire(const struct stream_archive_part *part,
    const struct stream_retain_options *options, struct stream_error *err);

/*
 * Take the part's segments, which were written to an archive, from its log.
 * options is borrowed: lock_timeout_ms, network, note and context count.  *sum
 * is what went.
 *
 * STREAM_EBUSY   the structure lock was not free in time; or the segments are
 *                not those that were archived any more: nothing went
 * STREAM_EUSAGE  older ones are there, which are not in the archive
 * STREAM_EIO, STREAM_ENOENT, STREAM_ECORRUPT, STREAM_ENOMEM
 */
int stream_archive_retire(const struct stream_archive_part *part,
    const struct stream_retain_options *options, struct stream_retained *sum,
    struct stream_error *err);

#endif
