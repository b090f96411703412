/*
 * create.h - the steps of a creation, for who brings partitions with them
 *
 * Layer store/.  SPEC section 8.4.  All are taken under the store's structure
 * lock, which *change holds.
 */
#ifndef STREAM_STORE_CREATE_H
#define STREAM_STORE_CREATE_H

#include "store/change.h"

/* STREAM_EEXIST when there is such a topic, ours or not. */
int stream_create_check_absent(const struct stream_change *change,
    const char *name, struct stream_error *err);

/* Write the intent, durably.  STREAM_EIO, STREAM_ENOMEM. */
int stream_create_save_intent(const struct stream_change *change,
    const struct stream_topic_settings *settings, struct stream_error *err);

/* Make the files of an empty segment.  Not yet durable.  STREAM_EIO. */
int stream_create_segment(
    int dirfd, int64_t base_offset, struct stream_error *err);

/* Move a partition's directory from the directory `from` into the store, over
 * nothing that is there.  Not yet durable.  STREAM_EIO. */
int stream_create_move_in(const struct stream_change *change, int from,
    const char *name, struct stream_error *err);

/* The topic, whose intent is there, is not to be made after all. */
void stream_create_undo(const struct stream_change *change, const char *name);

#endif
