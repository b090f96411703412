/*
 * stream/files.h - the small files of a partition and of a store
 *
 * For tools that look at a directory from outside: what is in it, and what
 * each file says, as it stands there.  Nothing is locked, written or believed.
 * Paths are borrowed.  STREAM_ENOENT, STREAM_EIO and STREAM_ENOMEM can come
 * from each call that reads.
 */
#ifndef STREAM_FILES_H
#define STREAM_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

enum stream_file_kind {
	STREAM_FILE_LOG,
	STREAM_FILE_INDEX,
	STREAM_FILE_TIMEINDEX,
	STREAM_FILE_TXNINDEX,
	STREAM_FILE_SNAPSHOT,
	STREAM_FILE_EPOCHS,     /* leader-epoch-checkpoint */
	STREAM_FILE_METADATA,   /* partition.metadata */
	STREAM_FILE_STATE,      /* .strm-state */
	STREAM_FILE_CUT,        /* .strm-cut-OFFSET: set aside by a writer */
	STREAM_FILE_CHECKPOINT, /* offsets by partition, of a store */
	STREAM_FILE_PROPERTIES, /* meta.properties */
	STREAM_FILE_SHUTDOWN,   /* .kafka_cleanshutdown */
	STREAM_FILE_LOCK,       /* .lock */
	STREAM_FILE_DIRECTORY,
	STREAM_FILE_OTHER
};

/* An operation that a crash cut off leaves such files. */
enum stream_file_state {
	STREAM_FILE_PLAIN,
	STREAM_FILE_CLEANED,
	STREAM_FILE_SWAP,
	STREAM_FILE_DELETED
};

struct stream_file {
	const char *name; /* lent by the list */
	enum stream_file_kind kind;
	enum stream_file_state state;
	int64_t base_offset; /* from the name; -1: it has none */
	uint64_t size;
	int64_t modified_ms;
};

struct stream_files {
	struct stream_file *items; /* owned; by name */
	size_t count;
	char *names; /* owned */
};

/* What a file of this name is; the file itself is not looked at.  name is
 * lent to *file; size and modified_ms are 0. */
void stream_file_name(const char *name, struct stream_file *file);

/* List the directory path.  Free with stream_files_release. */
int stream_files_list(
    const char *path, struct stream_files *files, struct stream_error *err);
void stream_files_release(struct stream_files *files);

/* "TOPIC PARTITION OFFSET" lines: the checkpoints of a store. */
struct stream_checkpoint_entry {
	const char *topic; /* lent */
	int32_t partition;
	int64_t offset;
};

struct stream_checkpoint {
	struct stream_checkpoint_entry *items; /* owned; in file order */
	size_t count;
	char *names; /* owned */
};

/* STREAM_ECORRUPT, with no entry given.  Free with
 * stream_checkpoint_release. */
int stream_checkpoint_read(const char *path,
    struct stream_checkpoint *checkpoint, struct stream_error *err);
void stream_checkpoint_release(struct stream_checkpoint *checkpoint);

struct stream_epoch {
	int32_t epoch;
	int64_t start_offset; /* of the first record written in that epoch */
};

/* leader-epoch-checkpoint, oldest first.  Gives *epochs; free().
 * STREAM_ECORRUPT. */
int stream_epochs_read(const char *path, struct stream_epoch **epochs,
    size_t *count, struct stream_error *err);

/* One producer in a snapshot.  SPEC section 6.4. */
struct stream_snapshot_entry {
	int64_t producer_id;
	int64_t last_offset;
	int64_t timestamp_ms;
	int64_t transaction_first_offset; /* -1: no open transaction */
	int32_t last_sequence;
	int32_t offset_delta;
	int32_t coordinator_epoch;
	int16_t producer_epoch;
};

/* A .snapshot file.  Gives *entries; free().  STREAM_ECORRUPT,
 * STREAM_ENEWER. */
int stream_snapshot_read(const char *path,
    struct stream_snapshot_entry **entries, size_t *count,
    struct stream_error *err);

/* meta.properties and partition.metadata: names and values.  SPEC 13.5. */
struct stream_property {
	const char *name; /* lent; both end with NUL */
	const char *value;
};

struct stream_properties {
	struct stream_property *items; /* owned; in file order */
	size_t count;
	char *text; /* owned */
};

/* STREAM_ECORRUPT: a NUL, or a line without a name.  Free with
 * stream_properties_release. */
int stream_properties_read(const char *path,
    struct stream_properties *properties, struct stream_error *err);
void stream_properties_release(struct stream_properties *properties);

/* The value of name (the last one counts), or NULL.  Lent. */
const char *stream_properties_find(
    const struct stream_properties *properties, const char *name);

/* .kafka_cleanshutdown: the broker's epoch, or -1 when it says none. */
int stream_shutdown_read(
    const char *path, int64_t *broker_epoch, struct stream_error *err);

/* One slot of .strm-state.  SPEC section 7.1. */
struct stream_state_view {
	bool is_whole;   /* its checksum is right; else all is 0 */
	bool is_own;     /* written to this very file, not copied with it */
	bool is_current; /* written since the system booted */
	uint64_t sequence;
	uint8_t boot_id[16];
	uint64_t device;
	uint64_t inode;
	bool is_rolling;
	bool is_syncing;
	bool is_deleted;
	bool is_replicating; /* or was, when the run was killed */
	int32_t leader_epoch;
	int64_t active_base;
	uint64_t end;
	int64_t last_position;
	int64_t next_offset;
	uint64_t durable_end;
	int64_t max_timestamp_ms;
	int64_t max_timestamp_offset;
	uint64_t takebacks;
	int64_t takeback_base;
	uint64_t takeback_end;
	uint64_t structure;
};

/* Both slots as they stand in the file. */
int stream_state_view(const char *path, struct stream_state_view slots[2],
    struct stream_error *err);

/*
 * Who has the store at path open?  *broker: a Kafka broker, by its lock on
 * .lock.  No file is no lock.  STREAM_EIO.
 */
int stream_store_probe(
    const char *path, bool *broker, struct stream_error *err);

#endif
