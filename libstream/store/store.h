/*
 * store.h - the inside of a store, for the files of store/
 *
 * Layer store/.  SPEC section 8.  The store's structure lock is .strm/lock,
 * held exclusively while topics are made, changed or deleted and while the
 * log start offsets are written.  Order of locks: a process that holds the
 * structure lock never waits for a lock of a partition, since retention
 * takes them the other way round.
 */
#ifndef STREAM_STORE_STORE_H
#define STREAM_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/store.h>

/* The file that a Kafka broker locks as long as it runs. */
#define STREAM_BROKER_LOCK ".lock"

struct stream_store {
	char *path;
	int dirfd;
	int broker_lock_fd; /* .lock, held shared; -1 for a reader */
	int lock_timeout_ms;
	unsigned flags;
	bool is_new; /* to be made: there was nothing of ours in it */
	bool made;   /* nor was it there */
};

/* Is it on a file system that other machines change too? */
bool stream_store_is_network(const struct stream_store *store);

/* Bytes of the longest name of a partition directory, with its NUL. */
enum { STREAM_PARTITION_NAME_SIZE = 256 };

/*
 * Split the name of a partition directory, "TOPIC-P".  topic must have
 * STREAM_TOPIC_NAME_SIZE bytes.  false for any other name, as those that end
 * in -delete, -future and -stray.
 */
bool stream_partition_name_parse(
    const char *name, char *topic, int32_t *partition);

/* Write "TOPIC-P" to name, which has STREAM_PARTITION_NAME_SIZE bytes.
 * STREAM_EUSAGE when it does not fit. */
int stream_partition_name_put(
    const char *topic, int32_t partition, char *name, struct stream_error *err);

/*
 * Open a partition's directory.  The caller closes *dirfd.  STREAM_ENOENT
 * when it is missing or not a directory, a symbolic link among those.
 */
int stream_store_open_partition(const struct stream_store *store,
    const char *topic, int32_t partition, int *dirfd, struct stream_error *err);

/*
 * Is dirfd still the directory of that partition?  A writer asks once it has
 * the partition's state open: a directory that is being removed by then could
 * otherwise get a new state, without the deleted mark, and a new log.
 * STREAM_ENOENT when it is not, STREAM_EIO.
 */
int stream_store_check_partition(const struct stream_store *store,
    const char *topic, int32_t partition, int dirfd, struct stream_error *err);

/*
 * Where the partition starts by the store's checkpoint file; 0 when that has
 * no entry for it or is malformed, as in Kafka's loader.  STREAM_EIO,
 * STREAM_ENOMEM.
 */
int stream_store_log_start(const struct stream_store *store, const char *topic,
    int32_t partition, int64_t *offset, struct stream_error *err);

/* Write it durably, under the structure lock, which it takes.  STREAM_EBUSY,
 * STREAM_EIO, STREAM_ECORRUPT, STREAM_ENOMEM. */
int stream_store_set_log_start(struct stream_store *store, const char *topic,
    int32_t partition, int64_t offset, struct stream_error *err);

/* Up to where the partition was compacted; -1 as above for 0. */
int stream_store_clean_point(const struct stream_store *store,
    const char *topic, int32_t partition, int64_t *offset,
    struct stream_error *err);

/* Write it, as stream_store_set_log_start. */
int stream_store_set_clean_point(struct stream_store *store, const char *topic,
    int32_t partition, int64_t offset, struct stream_error *err);

/*
 * When the partition was compacted last; -1 when that is not known, as when the
 * file is malformed.  STREAM_EIO, STREAM_ENOMEM.
 */
int stream_store_compaction_time(const struct stream_store *store,
    const char *topic, int32_t partition, int64_t *time_ms,
    struct stream_error *err);

/* Write it durably, under the structure lock, which it takes; a malformed file
 * is begun again.  STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM. */
int stream_store_set_compaction_time(struct stream_store *store,
    const char *topic, int32_t partition, int64_t time_ms,
    struct stream_error *err);

/*
 * Ask whether the store (context) may be written to, as the log asks
 * (log_config.h).  STREAM_EFENCED when it is a replica or fenced and was not
 * opened for that: then the text says what to do.  *closed: it is one of both,
 * and other writers are refused.  STREAM_ECORRUPT, STREAM_ENEWER, STREAM_EIO,
 * STREAM_ENOMEM.
 */
int stream_store_ask(void *context, bool *closed, struct stream_error *err);

/* The same, with the store's path in front of the failure. */
int stream_store_check_role(
    struct stream_store *store, struct stream_error *err);

/*
 * Take the structure lock; makes .strm when it is missing.  Waits timeout_ms.
 * Give it back with stream_store_unlock(lock_fd).  STREAM_EFENCED and others
 * when the store has become one that is not to be written to.
 */
int stream_store_lock(struct stream_store *store, int timeout_ms, int *lock_fd,
    struct stream_error *err);
void stream_store_unlock(int lock_fd);

#endif
