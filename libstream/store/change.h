/*
 * change.h - the store while its topics are being changed
 *
 * Layer store/.  SPEC section 8.  Holds the structure lock and the
 * directories in .strm, which are made when they are missing and durable by
 * the time it is begun.
 */
#ifndef STREAM_STORE_CHANGE_H
#define STREAM_STORE_CHANGE_H

#include "store/topic_config.h"

struct stream_change {
	struct stream_store *store; /* kept */
	int lock;
	int topics;
	int intents;
	int build;
};

/*
 * Take the structure lock, waiting timeout_ms.  End it with
 * stream_change_end.  STREAM_EUSAGE (the store is open for reading),
 * STREAM_EBUSY, STREAM_EIO.
 */
int stream_change_begin(struct stream_store *store, int timeout_ms,
    struct stream_change *change, struct stream_error *err);
void stream_change_end(struct stream_change *change);

/* Remove the topic's settings or intent, durably.  STREAM_EIO. */
int stream_change_drop_settings(const struct stream_change *change,
    const char *topic, struct stream_error *err);
int stream_change_drop_intent(const struct stream_change *change,
    const char *topic, struct stream_error *err);

/*
 * Remove temporary files that a process left when it died while it replaced
 * one, and partitions that were never moved into the store.  Only what was
 * made under the structure lock is removed.  What cannot be removed stays:
 * it does no harm.
 */
void stream_change_sweep(const struct stream_change *change);

/*
 * Remove the temporary files in the directory dirfd that are older than age_s
 * seconds; 0: all, where the caller holds the lock under which files are
 * replaced there.
 */
void stream_change_sweep_temporary(int dirfd, int64_t age_s);

#endif
