/*
 * stream/topic.h - find, make, change and delete topics
 *
 * A topic is a set of partition directories NAME-P in the store and, when it
 * is one of ours, a settings file.  Topics that Kafka made have none; they
 * are read and written with Kafka's default settings.
 *
 * A topic is made and deleted as a whole: after a crash at any point readers
 * see all of it or nothing, and the next writer clears up.
 */
#ifndef STREAM_TOPIC_H
#define STREAM_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>
#include <stream/store.h>
#include <stream/topic_config.h>

/* Longest name in bytes (Kafka's limit), and with its NUL. */
enum { STREAM_TOPIC_NAME_MAX = 249, STREAM_TOPIC_NAME_SIZE = 250 };

/* A topic id as Kafka writes it: base64url of 16 bytes, and a NUL. */
enum { STREAM_TOPIC_ID_SIZE = 23 };

/* Kafka's rule: 1 to 249 of [a-zA-Z0-9._-], not "." or "..".
 * STREAM_EUSAGE says what is wrong with it. */
int stream_topic_check_name(const char *name, struct stream_error *err);

/*
 * What is known of one topic, as it was when it was opened.
 */
struct stream_topic;

/*
 * Find a topic.  Gives *topic; free it with stream_topic_free.  In a store
 * that was opened for writing it first waits for, finishes or undoes what is
 * unfinished under that name.
 *
 * STREAM_ENOENT   no such topic; the message names the nearest
 * STREAM_EUSAGE   not a topic name
 * STREAM_ECORRUPT the settings file is damaged
 * STREAM_ENEWER   a newer version wrote the settings file
 * STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM
 */
int stream_topic_open(struct stream_store *store, const char *name,
    struct stream_topic **topic, struct stream_error *err);

/* NULL is allowed. */
void stream_topic_free(struct stream_topic *topic);

/* Lent until the topic is freed.  The id is "" when none is known. */
const char *stream_topic_name(const struct stream_topic *topic);
const char *stream_topic_id(const struct stream_topic *topic);
const struct stream_topic_config *stream_topic_config(
    const struct stream_topic *topic);

/* It has a settings file: strm made it. */
bool stream_topic_is_ours(const struct stream_topic *topic);

/* Offsets may be missing between records.  Always true for topics that are
 * not ours. */
bool stream_topic_has_gaps(const struct stream_topic *topic);

/*
 * The partitions, by rising number.  A topic of ours has 0 to count - 1; of
 * another, any may be missing.
 */
size_t stream_topic_partition_count(const struct stream_topic *topic);
int32_t stream_topic_partition(const struct stream_topic *topic, size_t i);
bool stream_topic_has_partition(
    const struct stream_topic *topic, int32_t partition);

/* All topics of a store, by name, as one listing found them. */
struct stream_topic_list;

/* Gives *list; free it with stream_topic_list_free.  STREAM_EIO,
 * STREAM_ENOMEM. */
int stream_topic_list_new(struct stream_store *store,
    struct stream_topic_list **list, struct stream_error *err);
void stream_topic_list_free(struct stream_topic_list *list);

size_t stream_topic_list_count(const struct stream_topic_list *list);
const char *stream_topic_list_name(
    const struct stream_topic_list *list, size_t i);

/* As stream_topic_open, without another look at the store's directory. */
int stream_topic_list_open(const struct stream_topic_list *list, size_t i,
    struct stream_topic **topic, struct stream_error *err);

/* How large a partition is.  Timestamps are STREAM_NO_TIMESTAMP when it has
 * none. */
struct stream_partition_summary {
	uint32_t segments;
	uint64_t bytes; /* of all .log files */
	int64_t log_start_offset;
	int64_t log_end_offset;
	int64_t first_timestamp_ms;
	int64_t last_timestamp_ms;
};

/* STREAM_ENOENT, STREAM_ECORRUPT, STREAM_EIO, STREAM_ENOMEM. */
int stream_partition_describe(struct stream_store *store, const char *topic,
    int32_t partition, struct stream_partition_summary *summary,
    struct stream_error *err);

/* Four files each, made and synced one by one: more is a slip of the hand. */
enum { STREAM_TOPIC_PARTITIONS_MAX = 10000 };

/*
 * Make a topic with partitions 0 to partitions - 1.  config is borrowed; NULL
 * is all defaults.  The store must be open for writing.
 *
 * STREAM_EEXIST  it exists, ours or not; nothing was changed
 * STREAM_EUSAGE  the name, partitions or config are not allowed; names that
 *                start with "__" are Kafka's own
 * STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM  nothing was made
 */
int stream_topic_create(struct stream_store *store, const char *name,
    int32_t partitions, const struct stream_topic_config *config,
    struct stream_error *err);

/*
 * Another topic whose name differs from this one in '.' and '_' only, or
 * NULL.  Kafka's metrics mix the two up, so a creator may want to warn.  Lent
 * until list is freed.
 */
const char *stream_topic_find_collision(
    const struct stream_topic_list *list, const char *name);

/* value NULL: back to the default. */
struct stream_setting_change {
	const char *name;
	const char *value;
};

/*
 * Change settings of a topic of ours, all of them or, on failure, none.
 *
 * STREAM_ENOENT  no such topic
 * STREAM_EUSAGE  a change is not allowed, or the topic is not ours
 * STREAM_EBUSY, STREAM_EIO, STREAM_ECORRUPT, STREAM_ENOMEM
 */
int stream_topic_alter(struct stream_store *store, const char *name,
    const struct stream_setting_change *changes, size_t count,
    struct stream_error *err);

/*
 * Delete a topic and its records, ours or not.  From the first durable step
 * on the topic is gone for everyone: a failure after that is finished by the
 * next writer.  A writer that has it open gets STREAM_ENOENT.
 *
 * STREAM_ENOENT  no such topic
 * STREAM_EBUSY   a lock was not free in time
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_topic_delete(
    struct stream_store *store, const char *name, struct stream_error *err);

#endif
