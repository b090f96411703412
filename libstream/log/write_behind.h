/*
 * write_behind.h - append one group while the next is encoded
 *
 * Layer log/.  Encoding and the kernel's copy each take about half of the time
 * from a file to a log; a thread for the second makes both run at once
 * (measured: 0.39 s to 0.24 s for 5 million lines).  The thread starts with
 * the first full group, so that one line costs none, and blocks all signals.
 * One group is under way at most; callbacks come from the caller's thread.
 */
#ifndef STREAM_LOG_WRITE_BEHIND_H
#define STREAM_LOG_WRITE_BEHIND_H

#include "log/lane.h"

struct stream_write_behind;

/* Gives *behind; free it with stream_write_behind_free.  STREAM_ENOMEM. */
int stream_write_behind_new(
    struct stream_write_behind **behind, struct stream_error *err);

/* Waits for the group under way.  NULL is allowed. */
void stream_write_behind_free(struct stream_write_behind *behind);

/*
 * Append the finished batches of lane, which gets other memory.  Waits for the
 * group before and tells its failure, in which case this one is not written.
 */
int stream_write_behind_submit(struct stream_write_behind *behind,
    struct stream_lane *lane, struct stream_error *err);

/* Wait for the group under way and tell its failure. */
int stream_write_behind_finish(
    struct stream_write_behind *behind, struct stream_error *err);

#endif
