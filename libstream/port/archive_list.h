/*
 * archive_list.h - what an archive holds, gathered and put in order
 *
 * Layer port/, linked into strm-archive only.  SPEC sections 14.3 and 14.4.
 * Filled from a manifest, or from a walk over all of an archive; sealing sorts
 * it, and decides by the view rule (4.4) which logs count.
 */
#ifndef STREAM_PORT_ARCHIVE_LIST_H
#define STREAM_PORT_ARCHIVE_LIST_H

#include <stream/record.h>
#include <stream/topic.h>

#include "file/name.h"
#include "port/archive_index.h"

/* A log, as it stands in the archive. */
struct stream_list_log {
	char topic[STREAM_TOPIC_NAME_SIZE];
	int32_t partition;
	enum stream_name_state state;
	size_t first_block;
	/* Where good batches end; bytes of the file when all are. */
	uint64_t good_bytes;
	int status; /* why they end there: STREAM_OK, ETORN, ECORRUPT... */
	char why[128];
	/* The offset after the last ones that are missing between batches; 0:
	 * none are.  By a walk only. */
	int64_t hole_end;
	bool counts;  /* by the view rule; set by sealing */
	bool is_last; /* of those that count */
	struct stream_archive_segment segment; /* without blocks */
};

struct stream_list_topic {
	char name[STREAM_TOPIC_NAME_SIZE];
	char *settings; /* owned; NULL: none */
	size_t settings_size;
};

/* A partition that is named, with or without logs. */
struct stream_list_partition {
	char topic[STREAM_TOPIC_NAME_SIZE];
	int32_t partition;
	int64_t log_start_offset;
	int64_t next_offset;  /* -1: the logs tell */
	int64_t cleaned_base; /* the lowest of a .cleaned file; -1: none */
};

/* One list of each; owned. */
struct stream_archive_list {
	int64_t created_ms;
	struct stream_archive_file *files;
	struct stream_archive_block *blocks;
	struct stream_list_log *logs;
	struct stream_list_topic *topics;
	struct stream_list_partition *named;
	size_t file_count, file_room, block_count, block_room;
	size_t log_count, log_room, topic_count, topic_room;
	size_t named_count, named_room;
	uint64_t settings_bytes; /* of all topics */
	/* Until sealing, a hash table: the place in named plus one; 0: free. */
	size_t *slots;
	size_t slot_room;
	uint64_t seed;
	/* Made by sealing: */
	struct stream_archive_segment *segments;
	struct stream_archive_partition *partitions;
	size_t segment_count, partition_count;
};

void stream_list_init(struct stream_archive_list *list);
void stream_list_release(struct stream_archive_list *list);

/* Each adds a copy of what is borrowed.  STREAM_ENOMEM; STREAM_ECORRUPT when
 * settings are larger, all together, than SPEC 14.5 allows. */
int stream_list_add_file(struct stream_archive_list *list,
    const struct stream_archive_file *file, struct stream_error *err);
int stream_list_add_log(struct stream_archive_list *list,
    const struct stream_list_log *log, struct stream_error *err);
/* Of the log that was added last. */
int stream_list_add_block(struct stream_archive_list *list,
    const struct stream_archive_block *block, struct stream_error *err);
int stream_list_add_settings(struct stream_archive_list *list,
    const char *topic, struct stream_bytes settings, struct stream_error *err);

/* The entry of a partition, made when it is not there; lent until the next
 * one is made.  Not in a sealed list.  STREAM_ENOMEM, STREAM_EIO. */
int stream_list_name(struct stream_archive_list *list, const char *topic,
    int32_t partition, struct stream_list_partition **named,
    struct stream_error *err);

/* The same, but NULL when it is not there. */
struct stream_list_partition *stream_list_find(
    const struct stream_archive_list *list, struct stream_bytes topic,
    int32_t partition);

/*
 * Fill partitions and segments.  A partition without an entry gets one.
 * STREAM_ENOMEM; STREAM_ECORRUPT when two logs that count have one name or
 * overlap.
 */
int stream_list_seal(
    struct stream_archive_list *list, struct stream_error *err);

/*
 * Is a log of a sealed list damaged?  The newest one of a partition may end in
 * an append that did not finish, if the archive is foreign.  STREAM_ECORRUPT or
 * STREAM_ENEWER names the first.
 */
int stream_list_check(const struct stream_archive_list *list, bool foreign,
    struct stream_error *err);

/* Is it that of the file?  STREAM_ECORRUPT. */
int stream_list_check_digest(const struct stream_archive_file *file,
    const char *digest, struct stream_error *err);

/* Have both segments the same records and blocks?  All are borrowed; where a
 * segment points to its blocks does not count. */
bool stream_list_is_same(const struct stream_archive_segment *one,
    const struct stream_archive_block *blocks,
    const struct stream_archive_segment *other,
    const struct stream_archive_block *other_blocks);

/* Do both, not sealed yet, list the same files with the same digests and the
 * same blocks?  STREAM_ECORRUPT says what differs; files of `found` come first
 * in the message. */
int stream_list_compare(const struct stream_archive_list *found,
    const struct stream_archive_list *expected, struct stream_error *err);

#endif
