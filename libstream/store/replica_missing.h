/*
 * replica_missing.h - a partition that its topic has, and the store has not
 *
 * Layer store/.  SPEC sections 8.3, 15.2 and 15.3.  The settings of a topic of
 * ours say how many partitions it has: so one whose directory was lost, or
 * moved away behind a link, can be told from one that never was.
 */
#ifndef STREAM_STORE_REPLICA_MISSING_H
#define STREAM_STORE_REPLICA_MISSING_H

#include "store/store.h"
#include "store/topic_config.h"

/*
 * Has the topic that settings are of been deleted by now, also if there is
 * another one of its name?  STREAM_ECORRUPT, STREAM_EIO, STREAM_ENOMEM.
 */
int stream_replica_was_deleted(const struct stream_store *store,
    const struct stream_topic_settings *settings, bool *deleted,
    struct stream_error *err);

/*
 * Look at what is there under the name of a partition that cannot be opened.
 * STREAM_OK when it is a directory; else STREAM_ENOENT when it is nothing, and
 * STREAM_EEXIST when it is something else, with what can be done.  STREAM_EIO.
 */
int stream_replica_check_place(const struct stream_store *store,
    const char *topic, int32_t partition, struct stream_error *err);

#endif
