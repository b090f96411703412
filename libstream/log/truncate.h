/*
 * truncate.h - a log ends earlier, as a follower's does under another leader
 *
 * Layer log/.  SPEC section 15.4.  Nothing is deleted: what goes is set aside
 * (set_aside.h).
 */
#ifndef STREAM_LOG_TRUNCATE_H
#define STREAM_LOG_TRUNCATE_H

#include <stdint.h>

#include <stream/error.h>

#include "log/log_config.h"

/*
 * Set aside the batches from the one on that holds offset, or the first that is
 * later.  *end is where the log ends now; its first segment stays, if empty.
 * Takes all locks of the partition dirfd (borrowed).
 *
 * STREAM_ECORRUPT, STREAM_EBUSY, STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM
 */
int stream_log_truncate(int dirfd, const struct stream_log_config *config,
    int64_t offset, int64_t *end, struct stream_error *err);

/*
 * The segment with this base offset becomes the newest: those after it are set
 * aside, and one that is empty is removed.  Errors as above.
 */
int stream_log_end_with(int dirfd, const struct stream_log_config *config,
    int64_t base_offset, struct stream_error *err);

#endif
