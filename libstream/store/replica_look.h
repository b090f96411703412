/*
 * replica_look.h - what a store holds, for replication
 *
 * Layer store/.  The same look serves both sides.  At the source it also holds
 * what the replica lacks: closed segments by hard links, so that retention and
 * compaction cannot take them away, and the end of a log by a copy of it.
 * There it is made sure that all segments were there at one moment.
 */
#ifndef STREAM_STORE_REPLICA_LOOK_H
#define STREAM_STORE_REPLICA_LOOK_H

#include "log/log_config.h"
#include "store/manifest.h"
#include "store/measures.h"

struct stream_replica_look {
	struct stream_store *store; /* borrowed, as all here */
	const struct stream_replica_options *options;
	bool is_source;
	bool may_write; /* source: open for writing, so sync as a writer */
	const struct stream_manifest *have; /* source: what the replica holds */
	int hold; /* source: where links are made; -1: nowhere */
	struct stream_measures known;
	struct stream_measures fresh; /* what was found now */
};

/* Load what the store remembers.  STREAM_ENOMEM. */
int stream_replica_look_begin(
    struct stream_replica_look *look, struct stream_error *err);

/* Write what was found, where that can be done, and free it. */
void stream_replica_look_end(struct stream_replica_look *look, bool save);

/* Is the partition one that is replicated? */
bool stream_replica_is_chosen(const struct stream_replica_options *options,
    const char *topic, int32_t partition);

/*
 * Add all partitions that are chosen to manifest.  One that cannot be read is
 * there with its failure.  STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR.
 */
int stream_replica_look_all(struct stream_replica_look *look,
    struct stream_manifest *manifest, struct stream_error *err);

/*
 * Look at the partition dirfd again: part names it and its topic is in
 * settings (NULL: foreign).  STREAM_ECORRUPT, STREAM_ENEWER, STREAM_EBUSY,
 * STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR.
 */
int stream_replica_look_part(struct stream_replica_look *look, int dirfd,
    const struct stream_topic_settings *settings,
    struct stream_manifest_part *part, struct stream_error *err);

/* The settings that the log of a partition obeys; settings NULL: foreign. */
void stream_replica_log_config(const struct stream_replica_look *look,
    const struct stream_topic_settings *settings,
    struct stream_log_config *config);

#endif
