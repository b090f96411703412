/*
 * checkpoint.h - Kafka's checkpoint files
 *
 * Layer file/.  SPEC section 6.  Text: a version line "0", the number of
 * entries, then one entry a line.  A file that does not keep to this is
 * STREAM_ECORRUPT; Kafka's loader goes on as if there were none, and so may
 * the caller.  A file that is not there is STREAM_ENOENT, except where a
 * function says otherwise.
 *
 * Changes read the file, change it and replace it as one (stream_io_replace),
 * so two at once would lose one: the caller holds the lock named with each.
 */
#ifndef STREAM_FILE_CHECKPOINT_H
#define STREAM_FILE_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include <stream/files.h>
#include <stream/record.h>

/* In the store: "TOPIC PARTITION OFFSET", the log start offsets. */
#define STREAM_LOG_START_FILE "log-start-offset-checkpoint"
/* The same, up to where the logs were cleaned. */
#define STREAM_CLEANER_FILE "cleaner-offset-checkpoint"
/* In a partition: "EPOCH START_OFFSET", both growing from line to line. */
#define STREAM_EPOCHS_FILE "leader-epoch-checkpoint"

/*
 * Look one partition up in the file name of the directory dirfd.  When it
 * stands there twice the last counts, as in Kafka.
 *
 * STREAM_ENOENT   no such file, or no entry for the partition
 * STREAM_ECORRUPT malformed
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_checkpoint_find(int dirfd, const char *name, const char *topic,
    int32_t partition, int64_t *offset, struct stream_error *err);

/*
 * Set one partition's offset and keep all other entries.  The file is made
 * when it is missing; a malformed one is STREAM_ECORRUPT and stays as it is.
 * Under the store's lock.
 */
int stream_checkpoint_set(int dirfd, const char *name, const char *topic,
    int32_t partition, int64_t offset, struct stream_error *err);

/*
 * Drop all entries of a topic.  A file that is missing, or has none, is left
 * alone.  Under the store's lock.
 */
int stream_checkpoint_drop_topic(
    int dirfd, const char *name, const char *topic, struct stream_error *err);

/* All entries of such a file's bytes (borrowed).  STREAM_ECORRUPT. */
int stream_checkpoint_parse(struct stream_bytes text,
    struct stream_checkpoint *checkpoint, struct stream_error *err);

/* Call take (NULL: none) for each entry, in order; the topic is lent.  Without
 * room for them all.  STREAM_ECORRUPT, after those before the damage. */
int stream_checkpoint_walk(struct stream_bytes text,
    void (*take)(void *context, struct stream_bytes topic, int32_t partition,
	int64_t offset),
    void *context, struct stream_error *err);

/* As stream_checkpoint_find, on bytes (borrowed) that were read from such a
 * file. */
int stream_checkpoint_find_in(struct stream_bytes text, const char *topic,
    int32_t partition, int64_t *offset, struct stream_error *err);

/*
 * Read the leader epochs of the partition dirfd, oldest first.  *entries is
 * given; free it with free().  An empty list is *count 0 and *entries NULL.
 */
int stream_epochs_load(int dirfd, struct stream_epoch **entries, size_t *count,
    struct stream_error *err);

/* The same on bytes (borrowed) that were read from such a file. */
int stream_epochs_parse(struct stream_bytes text, struct stream_epoch **entries,
    size_t *count, struct stream_error *err);

/* The newest entry.  STREAM_ENOENT also when the file lists none. */
int stream_epochs_last(
    int dirfd, struct stream_epoch *last, struct stream_error *err);

/*
 * Add an entry, durably.  A missing file is made; a malformed one is
 * STREAM_ECORRUPT and stays (rebuild the list, then stream_epochs_save).  An
 * entry that does not come after the last one in both numbers is
 * STREAM_EUSAGE.  Under the partition's append lock.
 */
int stream_epochs_append(
    int dirfd, struct stream_epoch entry, struct stream_error *err);

/* Write the whole list (borrowed), durably.  Under the same lock. */
int stream_epochs_save(int dirfd, const struct stream_epoch *entries,
    size_t count, struct stream_error *err);

#endif
