/*
 * store_new.h - a store's directory is made, and unmade if nothing came of it
 *
 * Layer store/.  SPEC sections 8.1 and 8.8.
 */
#ifndef STREAM_STORE_STORE_NEW_H
#define STREAM_STORE_STORE_NEW_H

#include "store/store.h"

/*
 * Would a store at path be a partition directory of the one that it lies in?
 * STREAM_EUSAGE; what cannot be told is none.
 */
int stream_store_check_place(const char *path, struct stream_error *err);

/* Make the last component of path, durably.  *made: it was not there.
 * STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM. */
int stream_store_make_directory(
    const char *path, bool *made, struct stream_error *err);

/* Is there nothing of ours in the directory yet? */
bool stream_store_is_new(int dirfd);

/* Is the store's path still that of the directory that is open? */
bool stream_store_is_at(const struct stream_store *store);

/*
 * Close the store.  If it was new, take away what its making left: directories
 * without a file in them, locks that nobody holds, and the directory if it was
 * made.  Where anything else is, or anyone else writes, all stays that is left.
 * run (borrowed) is the name of one more lock in .strm that the caller holds;
 * NULL: none.
 */
void stream_store_unmake(struct stream_store *store, const char *run);

#endif
