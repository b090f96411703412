/*
 * leftovers.h - finish or undo what an interrupted compaction left
 *
 * Layer log/.  SPEC section 4.4.  The steps bring the directory into the form
 * that the view rule gives it anyway; at each point between them, readers and
 * Kafka's loader see the same segments.
 */
#ifndef STREAM_LOG_LEFTOVERS_H
#define STREAM_LOG_LEFTOVERS_H

#include <stdbool.h>

#include "log/repair.h"

/*
 * Add the steps to repair; with carry_out do each, durably (all locks of the
 * partition held).  *stays: a damaged swap would replace logs that are there,
 * so a step says that it stays, and nothing is done.  STREAM_EIO,
 * STREAM_ENOMEM, STREAM_EBUSY.
 */
int stream_leftovers_settle(int dirfd, bool carry_out,
    struct stream_repair *repair, bool *stays, struct stream_error *err);

#endif
