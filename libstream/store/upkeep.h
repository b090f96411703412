/*
 * upkeep.h - a partition of a store, open to be looked after
 *
 * Layer store/.  What retention, trimming and rolling need of a place: its
 * store, its directory and the topic's settings.
 */
#ifndef STREAM_STORE_UPKEEP_H
#define STREAM_STORE_UPKEEP_H

#include <stream/address.h>
#include <stream/retain.h>
#include <stream/topic_config.h>

#include "log/log_config.h"
#include "log/partition.h"
#include "store/store.h"

struct stream_upkeep {
	const struct stream_place *place; /* kept */
	struct stream_store *store;
	int dirfd;
	struct stream_partition *partition; /* NULL: not open to be changed */
	/* Kafka's defaults for a topic that has no settings. */
	struct stream_topic_config topic;
	struct stream_log_config log;
	/* Its directory is named TOPIC-P, as the store's files know it. */
	bool is_named;
	/* For Kafka's own topics, also when the settings are not known. */
	bool deletes; /* cleanup.policy has "delete" */
};

/*
 * Open the store of place (kept) with flags of enum stream_store_flags, load
 * the topic's settings and the log start offset as they are now, and open the
 * directory.  Whatever it returns, stream_upkeep_close must follow.
 *
 * STREAM_EUSAGE  the place is a single file
 * STREAM_ENOENT  the topic was deleted
 * STREAM_EBUSY, STREAM_ECORRUPT, STREAM_ENEWER, STREAM_EIO, STREAM_ENOMEM
 */
int stream_upkeep_open(const struct stream_place *place, unsigned flags,
    int lock_timeout_ms, struct stream_upkeep *upkeep,
    struct stream_error *err);

/*
 * Is there no segment in the directory of place (borrowed)?  Who opens it to
 * change it would make one, which is for writers to do: for upkeep there is
 * nothing to do, and a plan says all.  What cannot be looked at is not empty.
 * note (NULL: nobody) is told of it.
 */
bool stream_upkeep_is_empty(const struct stream_place *place,
    void (*note)(void *context, const char *text), void *context);

/*
 * Open the partition: with its structure lock, or as any writer does.  What was
 * loaded is loaded again under that lock: only then does it hold.
 * STREAM_EBUSY when another holds it; with log.structure_at_once partition is
 * NULL then, and that is no error.  Otherwise as stream_partition_open.
 */
int stream_upkeep_lock(struct stream_upkeep *upkeep, struct stream_error *err);
int stream_upkeep_write(struct stream_upkeep *upkeep, struct stream_error *err);

void stream_upkeep_close(struct stream_upkeep *upkeep);

/* As stream_roll, if the active segment has the base offset expected, or that
 * is -1. */
int stream_roll_expected(const struct stream_place *place,
    const struct stream_retain_options *options, int64_t expected,
    bool plan_only, struct stream_rolled *rolled, struct stream_error *err);

/*
 * Take away the segments below sum->log_start_offset, raising the log start
 * first; the structure lock is held.  *sum is what went.  options is borrowed.
 * STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM.
 */
int stream_upkeep_retire(struct stream_upkeep *upkeep,
    const struct stream_retain_options *options, struct stream_retained *sum,
    struct stream_error *err);

/* "TOPIC-P: " in front of err. */
int stream_upkeep_fail(
    const struct stream_place *place, int status, struct stream_error *err);

#endif
