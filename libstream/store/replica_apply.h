/*
 * replica_apply.h - what the steps of an apply share
 *
 * Layer store/.  SPEC section 15.3.
 */
#ifndef STREAM_STORE_REPLICA_APPLY_H
#define STREAM_STORE_REPLICA_APPLY_H

#include "log/install.h"
#include "store/change.h"
#include "store/replica_look.h"

struct stream_applying {
	struct stream_store *store;
	const struct stream_replica_options *options;
	struct stream_manifest *source;
	struct stream_manifest *have;    /* what was said; NULL: not asked */
	struct stream_manifest *mine;    /* what the replica held before */
	struct stream_replica_look look; /* of the replica */
	int incoming;                    /* .strm/incoming/ID */
	FILE *report;
};

/* One partition. */
struct stream_apply_part {
	struct stream_applying *all;
	const struct stream_manifest_part *source;
	const struct stream_topic_settings *settings; /* NULL: foreign */
	struct stream_manifest_part mine;             /* what is there */
	char name[STREAM_PARTITION_NAME_SIZE];
	int dirfd;    /* of the partition */
	int incoming; /* of what came for it; -1: nothing */
	struct stream_partition *partition;
	struct stream_install install;
	int64_t diverged; /* offset; -1: it did not */
	bool resend;      /* what came is not what was sent */
	bool damaged;     /* what is there cannot be read */
};

/* What becomes of a segment of the source. */
enum stream_apply_kind {
	STREAM_APPLY_SAME,
	STREAM_APPLY_GROW,
	STREAM_APPLY_NEW,
	STREAM_APPLY_CHANGED
};

/*
 * Check what came for the partition, make it ready, and decide what becomes of
 * each segment, to kinds (of as many as the source has).  *first and *last are
 * the first and last that changed, or the count when none did.  part->diverged,
 * which is what stream_replica_divergence says, becomes lower where batches
 * differ before that.  Nothing in the partition is touched.
 */
int stream_apply_plan(struct stream_apply_part *part,
    enum stream_apply_kind *kinds, size_t *first, size_t *last,
    struct stream_error *err);

/* Open what came for a segment: *fd, whose first byte is byte *shift of the
 * log.  STREAM_ENOENT, STREAM_EIO. */
int stream_apply_open(const struct stream_apply_part *part,
    const struct stream_manifest_segment *segment, int *fd, uint64_t *shift,
    struct stream_error *err);

/*
 * Build a partition that is not there, in .strm/build, of all that came for it;
 * part->name is its name there.  Nothing shows yet.  The lock of change is
 * held.
 */
int stream_apply_build(const struct stream_change *change,
    struct stream_apply_part *part, struct stream_error *err);

/*
 * Have a topic, none of which is there, appear with the partitions that were
 * built, and empty ones for those that are not replicated.
 */
int stream_apply_show_topic(const struct stream_change *change,
    struct stream_applying *all, const struct stream_manifest_topic *topic,
    struct stream_error *err);

/* Have one more partition of a topic that is there appear. */
int stream_apply_show_part(const struct stream_change *change, const char *name,
    struct stream_error *err);

/* Have the settings of a topic of ours be those of the source; but that the
 * replica's log may have gaps stays, and is noted in those of topic. */
int stream_apply_settings(struct stream_applying *all,
    struct stream_manifest_topic *topic, struct stream_error *err);

/* Set aside what the partition holds from offset on. */
int stream_apply_truncate(
    struct stream_apply_part *part, int64_t offset, struct stream_error *err);

/* All topics; report is written.  Only what ends the run is returned. */
int stream_apply_topics(struct stream_applying *all, struct stream_error *err);

#endif
