/*
 * role_change.h - change a store's role, for the files of store/
 *
 * Layer store/.  SPEC sections 8.6 and 8.7.
 */
#ifndef STREAM_STORE_ROLE_CHANGE_H
#define STREAM_STORE_ROLE_CHANGE_H

#include <stream/role.h>

#include "store/store.h"

struct stream_role_change {
	int lock;
	int own; /* the directory .strm */
	struct stream_role role;
};

/* Take the structure lock and read the role.  End it with stream_role_end.
 * Errors as stream_role_load, and STREAM_EBUSY, STREAM_EFENCED. */
int stream_role_begin(struct stream_store *store,
    struct stream_role_change *change, struct stream_error *err);
void stream_role_end(struct stream_role_change *change);

/* Remove one of the two files from .strm, durably.  STREAM_EIO. */
int stream_role_drop(int own, const char *file, struct stream_error *err);

/*
 * Make the mark in each partition's state true, for writers that have it open.
 * The structure lock is not held.  Goes on after a failure and returns the
 * first one: STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM.
 */
int stream_role_mark_all(struct stream_store *store, struct stream_error *err);

#endif
