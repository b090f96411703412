/*
 * write_behind.h - append one group while the next is encoded
 *
 * Layer log/.  Encoding and the kernel's copy each take about half of the time
 * from a file to a log; a thread for the second makes both run at once.  It
 * starts with the first full group, so that one line costs none.  A few groups
 * are under way at most, and after one that failed none is written; callbacks
 * come from the caller's thread.
 */
#ifndef STREAM_LOG_WRITE_BEHIND_H
#define STREAM_LOG_WRITE_BEHIND_H

#include "log/lane.h"

struct stream_write_behind;

/* Gives *behind; free it with stream_write_behind_free.  STREAM_ENOMEM. */
int stream_write_behind_new(
    struct stream_write_behind **behind, struct stream_error *err);

/* Waits for the group that is being written; drops what waits behind it.  NULL
 * is allowed. */
void stream_write_behind_free(struct stream_write_behind *behind);

/*
 * Append the finished batches of lane, which gets other memory.  When too many
 * groups are under way it waits for the oldest and tells its failure; then
 * this one is not written.
 */
int stream_write_behind_submit(struct stream_write_behind *behind,
    struct stream_lane *lane, struct stream_error *err);

/* Wait for all groups under way and tell the first failure. */
int stream_write_behind_finish(
    struct stream_write_behind *behind, struct stream_error *err);

#endif
