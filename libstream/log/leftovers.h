/*
 * leftovers.h - finish or undo what an interrupted compaction left
 *
 * Layer log/.  SPEC sections 4.4, 4.6 and 10.  The steps bring the directory
 * into the form that the view rule gives it anyway; at each point between them,
 * readers and Kafka's loader see the same segments.
 */
#ifndef STREAM_LOG_LEFTOVERS_H
#define STREAM_LOG_LEFTOVERS_H

#include <stdbool.h>

#include "log/repair.h"

enum stream_leftovers {
	STREAM_LEFTOVERS_LOOK, /* only list the steps */
	/* Carry them out and set aside what goes: a repair, which holds all
	 * locks of the partition. */
	STREAM_LEFTOVERS_KEEP,
	/* Remove what goes, as Kafka's loader does: for whoever holds the
	 * structure lock.  Others may write and roll meanwhile. */
	STREAM_LEFTOVERS_REMOVE
};

/*
 * Add the steps to repair; unless only looking, do each, durably.  *stays: a
 * damaged swap would replace logs that are there, so the last step says that it
 * stays, and nothing is done.  STREAM_EIO, STREAM_ENOMEM, STREAM_EBUSY.
 */
int stream_leftovers_settle(int dirfd, enum stream_leftovers how,
    struct stream_repair *repair, bool *stays, struct stream_error *err);

#endif
