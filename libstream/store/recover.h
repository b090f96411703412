/*
 * recover.h - finish or undo what a process left when it died
 *
 * Layer store/.  SPEC section 8.  Each step can be cut off anywhere and done
 * again: the intent goes last.
 */
#ifndef STREAM_STORE_RECOVER_H
#define STREAM_STORE_RECOVER_H

#include "store/change.h"

/*
 * Do what can be done for all topics without waiting for anyone; what fails
 * is left for the next time.  Costs one look at a directory when there is
 * nothing to do.
 */
void stream_recover_idle(struct stream_store *store);

/*
 * Finish or undo what is unfinished under this name, waiting for whoever is
 * at work on it.  STREAM_OK also when there is nothing.
 *
 * STREAM_EBUSY    the structure lock, or a partition to delete, is in use
 * STREAM_ECORRUPT the intent is damaged
 * STREAM_EIO, STREAM_ENOMEM, STREAM_ENEWER
 */
int stream_recover_topic(
    struct stream_store *store, const char *name, struct stream_error *err);

/*
 * The same, under the structure lock, for a creation or a deletion; partition
 * locks are waited for only for a moment (see store.h on the order of locks).
 */
int stream_recover_in(const struct stream_change *change, const char *name,
    struct stream_error *err);

#endif
