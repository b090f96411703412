/*
 * stream/replica.h - make one store a copy of another, and keep it one
 *
 * Steps, of which some run where the replica lies and some where its source
 * lies; something else (rsync) moves the files between them:
 *
 *   lock     at the replica: no other run is at work; held to the end
 *   have     at the replica: say what it holds
 *   lock     at the source: the run is alive; held to the end
 *   prepare  at the source: read that, hold what is missing fast, and write a
 *            manifest of what the log is
 *   (files)  of the manifest, from the source to .strm/incoming/ID
 *   apply    at the replica: check all of it, and put it in place
 *   release  at the source: let go of what was held
 *
 * What a step prints is text, which the next one reads; it may come from
 * another machine and is believed in nothing.  SPEC section 15.
 *
 * At every instant, and after a crash at any instant, each partition of the
 * replica is the front part of a state that the source had.
 */
#ifndef STREAM_REPLICA_H
#define STREAM_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/address.h>
#include <stream/error.h>

/* Characters of the id of a run, without its NUL. */
enum { STREAM_REPLICA_ID = 16 };

struct stream_replica_arrival;
struct stream_replica_lock;

struct stream_replica_options {
	/* Partitions that are replicated: all when there are none in include,
	 * but for those in exclude.  Topics, no paths.  Borrowed. */
	const struct stream_address *include;
	size_t include_count;
	const struct stream_address *exclude;
	size_t exclude_count;
	const char *of; /* apply: what the replica says it is one of */
	/* Of the run, which holds its locks: have, prepare and apply refuse a
	 * store where these are not.  NULL: it gets one by have. */
	const char *id;
	/* apply: what have said.  What is other by now is sent again.  NULL:
	 * not asked. */
	const char *have;
	bool dry_run; /* prepare: hold nothing, write nothing */
	bool status;  /* prepare, dry: also where the source is an old leader */
	bool verify;  /* apply: check also what was there before */
	bool truncate; /* apply: set aside what the source does not hold */
	bool remove;   /* topics that are gone from the source */
	bool network;  /* also on NFS and the like */
	/* apply: what was seen while the files came; may be NULL.  It ended,
	 * and is used up. */
	struct stream_replica_arrival *arrival;
	int lock_timeout_ms;
	int64_t now_ms; /* the caller's clock */
	/* Told of bytes that were read; false stops.  May be NULL. */
	bool (*go_on)(void *context, uint64_t bytes);
	void *context;
};

/*
 * Take a lock for a run and hold it until stream_replica_unlock, or the death
 * of the process.  id NULL: at the replica, whose store is made when it is
 * missing: no other run is at work then.  Else at the source, for the run of
 * that id: what is held for it stays.  Gives *lock.
 *
 * STREAM_EBUSY   another run has it, for longer than lock_timeout_ms
 * STREAM_EUSAGE  that is no id
 * STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM
 */
int stream_replica_lock(const char *path, const char *id,
    const struct stream_replica_options *options,
    struct stream_replica_lock **lock, struct stream_error *err);

/* NULL is allowed.  A store that was made for it goes if nothing came of it. */
void stream_replica_unlock(struct stream_replica_lock *lock);

/*
 * What the store at path (borrowed) holds, to *text (given; free it).  begin:
 * also agree on the id of a run, and make .strm/incoming for it.
 *
 * STREAM_ENOENT  begin: it is not the store in which the run took its lock
 * STREAM_EBUSY, STREAM_ECORRUPT, STREAM_EIO, STREAM_ENOMEM
 */
int stream_replica_have(const char *path, bool begin,
    const struct stream_replica_options *options, char **text,
    struct stream_error *err);

/*
 * Is there a store at path (borrowed): a directory that holds .strm or at least
 * one partition?  STREAM_ENOENT: there is none; STREAM_EIO, STREAM_ENOMEM.
 */
int stream_replica_check_source(const char *path, struct stream_error *err);

/*
 * Hold what the replica that said have (borrowed) lacks, and describe the store
 * at path: *manifest is given; free it.  Takes no lock for longer than a sync.
 *
 * STREAM_ECORRUPT  the log is damaged, or have is no such text
 * STREAM_ENOENT    there is no store, as stream_replica_check_source says it;
 *                  or it is not the one in which the run took its lock; or it
 *                  holds no topics, and the replica does
 * STREAM_EUSAGE    it is the store that said have, under another name
 * STREAM_EFENCED   the replica must not follow it (SPEC 15.4)
 * STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM
 */
int stream_replica_prepare(const char *path, const char *have,
    const struct stream_replica_options *options, char **manifest,
    struct stream_error *err);

/*
 * At the replica, begin to check the files of manifest (borrowed) and to send
 * them to the disk, while they come: a thread does, up to the end.  It saves
 * time, and apply does all that it did not.  Only lock_timeout_ms of options
 * counts.  *arrival is given; free it after the apply.
 *
 * STREAM_ECORRUPT, STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM
 */
int stream_replica_arrive(const char *path, const char *manifest,
    const struct stream_replica_options *options,
    struct stream_replica_arrival **arrival, struct stream_error *err);

/* No more comes.  NULL is allowed, here and below. */
void stream_replica_arrival_end(struct stream_replica_arrival *arrival);
void stream_replica_arrival_free(struct stream_replica_arrival *arrival);

/*
 * Put in place what manifest (borrowed) says and what lies in .strm/incoming.
 * *report is given, also after some partitions failed: each has a line there.
 *
 * STREAM_EFENCED   the store has a newer leader epoch than its source
 * STREAM_ENOENT    it is not the one in which the run took its lock
 * STREAM_ECORRUPT, STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM
 */
int stream_replica_apply(const char *path, const char *manifest,
    const struct stream_replica_options *options, char **report,
    struct stream_error *err);

/*
 * Be woken when the store at path (borrowed) has something that replication is
 * about: appended bytes, segments, topics, partitions, settings, log starts.
 * options are kept.  Gives *watch; what changes from now on is noticed.  Where
 * the system cannot tell of all of it (no inotify, or a file system that other
 * machines change too), waking is once a second.
 *
 * STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM
 */
struct stream_replica_watch;

int stream_replica_watch_open(const char *path,
    const struct stream_replica_options *options,
    struct stream_replica_watch **watch, struct stream_error *err);
void stream_replica_watch_close(struct stream_replica_watch *watch);

/*
 * Wait for a change since the watch was opened, or since the last return.
 * timeout_ms -1 is forever; descriptors are borrowed, -1: none.
 *
 * STREAM_OK     there may be something new
 * STREAM_END    the time is over
 * STREAM_EINTR  a signal came, or stop_fd is readable
 * STREAM_EIO    also when nobody reads other_fd any more (sys is EPIPE)
 */
int stream_replica_watch_wait(struct stream_replica_watch *watch,
    int timeout_ms, int stop_fd, int other_fd, struct stream_error *err);

/* Let go of what was held for the run id, and for runs that died.
 * STREAM_EUSAGE, STREAM_EIO. */
int stream_replica_release(
    const char *path, const char *id, struct stream_error *err);

/*
 * The text of have or prepare, taken apart.
 */
struct stream_manifest;

/* STREAM_ECORRUPT, STREAM_ENOMEM.  Gives *manifest. */
int stream_manifest_parse(const char *text, struct stream_manifest **manifest,
    struct stream_error *err);
void stream_manifest_free(struct stream_manifest *manifest);

/* What the store was when it was looked at. */
enum stream_manifest_role {
	STREAM_IS_LEADER,
	STREAM_IS_REPLICA,
	STREAM_IS_FENCED,
	STREAM_IS_NEW,      /* a leader of no topic */
	STREAM_IS_PROMOTING /* a replica whose promotion was begun */
};

enum stream_manifest_role stream_manifest_role(
    const struct stream_manifest *manifest);

/* The id of the run, lent until the manifest is freed. */
const char *stream_manifest_id(const struct stream_manifest *manifest);
/* Does the ith of options->exclude name nothing there? */
bool stream_manifest_is_idle(const struct stream_manifest *manifest, size_t i);
/* When the store was looked at: milliseconds since 1970, by its side's clock.
 */
int64_t stream_manifest_time(const struct stream_manifest *manifest);

/* Topics, also those of which no partition is there.  A name is lent until the
 * manifest is freed. */
size_t stream_manifest_topic_count(const struct stream_manifest *manifest);
const char *stream_manifest_topic(
    const struct stream_manifest *manifest, size_t i);

/* What became of a topic of the replica at its source. */
enum stream_replica_fate {
	STREAM_FATE_THERE,  /* it is there, or the replica has none */
	STREAM_FATE_GONE,   /* it was deleted */
	STREAM_FATE_ANOTHER /* it was deleted, and its name given to another */
};

enum stream_replica_fate stream_replica_fate(
    const struct stream_manifest *source, const struct stream_manifest *have,
    const char *topic);

/*
 * Is the ith partition of have gone from a topic that is still at the source?
 * Only of one that strm did not make can that be told: others have a number of
 * partitions.
 */
bool stream_replica_is_part_gone(const struct stream_manifest *source,
    const struct stream_manifest *have, size_t i);

/* Is the topic chosen as a whole, with no partition named?  Only then it is
 * removed. */
bool stream_replica_is_whole(
    const struct stream_replica_options *options, const char *topic);

/*
 * The files to move, as names in the source's store, each with a NUL behind it:
 * *names is given; free it.  *size is the bytes of the names, *bytes those of
 * the files.  STREAM_ENOMEM.
 */
int stream_manifest_files(const struct stream_manifest *manifest, char **names,
    size_t *size, uint64_t *bytes, struct stream_error *err);

struct stream_manifest_partition {
	const char *topic;
	int32_t partition;
	int32_t leader_epoch; /* -1: none */
	int64_t log_start_offset;
	int64_t log_end_offset;
	int64_t last_timestamp_ms; /* largest of the last segment with one */
	uint64_t bytes;            /* of all its logs */
	uint64_t new_bytes;        /* that are to be moved */
	int failed;                /* a status: it could not be read */
	const char *why;           /* lent, as topic is */
};

size_t stream_manifest_count(const struct stream_manifest *manifest);
/* Lent until the manifest is freed. */
void stream_manifest_get(const struct stream_manifest *manifest, size_t i,
    struct stream_manifest_partition *partition);

#endif
