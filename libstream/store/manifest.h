/*
 * manifest.h - what a store holds, as text that two stores speak about
 *
 * Layer store/.  SPEC section 15.1.  It comes from another machine, so all of
 * it is checked: names are names, numbers are in range, segments rise.
 */
#ifndef STREAM_STORE_MANIFEST_H
#define STREAM_STORE_MANIFEST_H

#include <stdio.h>

#include <stream/files.h>
#include <stream/replica.h>

#include "log/measure.h"
#include "store/topic_config.h"

/* How a segment's bytes come to the replica. */
enum stream_manifest_how {
	STREAM_HOW_HAVE, /* they are there */
	STREAM_HOW_LINK, /* the whole log, held by a hard link */
	STREAM_HOW_LIVE, /* the whole log, from the partition itself */
	STREAM_HOW_TAIL  /* a file of the bytes from `from` on */
};

/* Files that come with a segment. */
enum { STREAM_WITH_SNAPSHOT = 1 << 0, STREAM_WITH_TXNINDEX = 1 << 1 };

struct stream_manifest_segment {
	int64_t base_offset;
	struct stream_measure measure;
	enum stream_manifest_how how;
	uint64_t from;
	unsigned with;
};

struct stream_manifest_part {
	const char *topic; /* lent by the list of topics */
	size_t topic_index;
	int32_t partition;
	int64_t log_start_offset;
	int64_t clean_point;           /* -1: none */
	char id[STREAM_TOPIC_ID_SIZE]; /* of partition.metadata; "": none */
	struct stream_epoch *epochs;   /* owned */
	size_t epoch_count;
	struct stream_manifest_segment *segments; /* owned; rising */
	size_t segment_count;
	int failed;     /* a status: nothing is known of it */
	char text[232]; /* why */
};

struct stream_manifest_topic {
	char name[STREAM_TOPIC_NAME_SIZE];
	bool is_ours;
	struct stream_topic_settings settings; /* of one of ours */
	char *json;                            /* owned: the same, as text */
};

/* A partition of which only this is known: it is not chosen, or could not be
 * read. */
struct stream_manifest_other {
	char topic[STREAM_TOPIC_NAME_SIZE];
	int32_t partition;
	int32_t epoch;                 /* the newest leader's */
	char id[STREAM_TOPIC_ID_SIZE]; /* as above */
};

struct stream_manifest {
	char id[STREAM_REPLICA_ID + 1];
	char store[STREAM_REPLICA_ID + 1]; /* the id of the store; "" none */
	int64_t time_ms;
	enum stream_manifest_role role;
	struct stream_manifest_topic *topics; /* owned */
	size_t topic_count;
	struct stream_manifest_part *parts; /* owned; of one topic together */
	size_t part_count;
	struct stream_manifest_other *others; /* owned; rising */
	size_t other_count;
	/* Owned: which of the addresses that were excluded name nothing. */
	size_t *idle;
	size_t idle_count;
};

/* Add one; its pointer is lent until the next is added. */
int stream_manifest_add_topic(struct stream_manifest *manifest,
    const char *name, struct stream_manifest_topic **topic,
    struct stream_error *err);
int stream_manifest_add_part(struct stream_manifest *manifest,
    int32_t partition, struct stream_manifest_part **part,
    struct stream_error *err);
int stream_manifest_add_segment(struct stream_manifest_part *part,
    const struct stream_manifest_segment *segment, struct stream_error *err);
int stream_manifest_add_other(struct stream_manifest *manifest,
    const struct stream_manifest_other *other, struct stream_error *err);
int stream_manifest_add_idle(
    struct stream_manifest *manifest, size_t i, struct stream_error *err);

/* Take the topic that was added last away again, with its partitions. */
void stream_manifest_drop_topic(struct stream_manifest *manifest);

/* Forget what is known of the partition's log, to look at it once more. */
void stream_manifest_clear_part(struct stream_manifest_part *part);

const struct stream_manifest_part *stream_manifest_find(
    const struct stream_manifest *manifest, const char *topic,
    int32_t partition);

/* NULL: it is none of the others. */
const struct stream_manifest_other *stream_manifest_find_other(
    const struct stream_manifest *manifest, const char *topic,
    int32_t partition);

/* The segment of that base offset, or NULL. */
const struct stream_manifest_segment *stream_manifest_find_segment(
    const struct stream_manifest_part *part, int64_t base_offset);

/* The offset after the last record. */
int64_t stream_manifest_end(const struct stream_manifest_part *part);
/* Of its last entry; -1: none. */
int32_t stream_manifest_epoch(const struct stream_manifest_part *part);

/* Given in *text; free it.  STREAM_ENOMEM. */
int stream_manifest_print(const struct stream_manifest *manifest, char **text,
    struct stream_error *err);

/* "NAME.log.from-POS", or "NAME.log", to text. */
enum { STREAM_PIECE_NAME_SIZE = 64 };
void stream_manifest_piece(
    const struct stream_manifest_segment *segment, char *text);

/* In the order of a manifest: by the bytes of the name, then by number. */
int stream_manifest_compare(const struct stream_manifest_other *other,
    const char *topic, int32_t partition);

/* Is it 16 hexadecimal digits? */
bool stream_replica_id_is(const char *text);

#endif
