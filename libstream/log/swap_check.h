/*
 * swap_check.h - is a compaction's result fit to replace what it was made of?
 *
 * Layer log/.  SPEC section 4.4.  The view rule believes what the batches of a
 * swap file say of the offsets that they cover, and no checksum covers that.
 * As long as the files that it replaces are there, a damaged one must not take
 * their place.
 */
#ifndef STREAM_LOG_SWAP_CHECK_H
#define STREAM_LOG_SWAP_CHECK_H

#include "log/view.h"

/*
 * Each swap of the view is whole, and covers nothing past the end of the newest
 * log that they replace, with this base offset.  STREAM_ECORRUPT, with *base
 * that of the swap that is not; STREAM_EIO, STREAM_ENOMEM.
 */
int stream_swap_check(int dirfd, const struct stream_view *view,
    int64_t replaced, int64_t *base, struct stream_error *err);

#endif
