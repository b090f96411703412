/*
 * archive_index.h - what an archive holds, and reading parts of it
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.  An archive of
 * ours that can be sought in is read by its index: opening costs a few reads at
 * the end, a block one read.  A foreign one is read once from begin to end when
 * it is opened, and again, forward, for its blocks: ask for those in rising
 * order (of partition, segment and block as they are listed by file position,
 * stream_archive_read_block says which way is cheap).
 *
 * Nothing in the index is believed beyond what it takes to find bytes: what
 * comes out must still be checked as batches.
 */
#ifndef STREAM_PORT_ARCHIVE_INDEX_H
#define STREAM_PORT_ARCHIVE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

#include "base/buf.h"

struct stream_archive;

/* Whole batches that follow one another in a log. */
struct stream_archive_block {
	uint64_t position; /* in the .log file */
	uint64_t bytes;    /* of batches */
	int64_t base_offset;
	int64_t last_offset;
	int64_t largest_ms; /* of its max timestamps; -1: none */
};

/* A segment that counts by the view rule. */
struct stream_archive_segment {
	int64_t base_offset;
	int64_t next_offset; /* of the next segment; after its last batch, when
				it is the newest of a foreign archive */
	int64_t records;
	int64_t largest_ms;
	uint64_t bytes;      /* of its log */
	uint64_t good_bytes; /* of those, what whole batches are at its begin */
	/* Why not all are: STREAM_OK, ETORN, ECORRUPT, ENEWER; OK in an archive
	 * that has an index, where nobody has looked yet. */
	int status;
	size_t log; /* which file: stream_archive_file */
	const struct stream_archive_block *blocks; /* lent, rising */
	size_t block_count;
};

struct stream_archive_partition {
	const char *topic; /* lent */
	int32_t partition;
	int64_t log_start_offset; /* 0 when nothing says so */
	int64_t next_offset;      /* after the last record that is in it */
	const struct stream_archive_segment *segments; /* lent, rising */
	size_t segment_count;
	const char *settings; /* lent: the topic's JSON, or NULL */
	size_t settings_size;
};

struct stream_archive_file {
	const char *path;  /* lent: "orders-0/00000000000000000000.log" */
	uint64_t position; /* of its content in the tar stream */
	uint64_t bytes;
	char digest[33]; /* XXH128, or "" in a foreign archive */
};

#define STREAM_ARCHIVE_BYTES_MOST ((uint64_t)1 << 40)

enum {
	/* Up to here nobody looks at the ratio: a small archive of zeros is
	 * no bomb. */
	STREAM_ARCHIVE_RATIO_FROM = 64 << 20,
	STREAM_ARCHIVE_RATIO_MOST = 5000
};

struct stream_archive_options {
	uint64_t max_bytes;     /* unpacked; 0: STREAM_ARCHIVE_BYTES_MOST */
	size_t max_batch_bytes; /* 0: 64 MiB */
	/* Told how many bytes of the archive were read since the last call;
	 * false stops with STREAM_EINTR.  May be NULL. */
	bool (*go_on)(void *context, uint64_t bytes);
	/* Told what is left out, and no failure.  May be NULL. */
	void (*note)(void *context, const char *text);
	void *context;
};

/*
 * Is it worth calling stream_archive_open for this file?  Looks at its first
 * bytes: zstd, gzip or a tar header.  Never fails.
 */
bool stream_archive_is_one(int fd);

/*
 * Open the archive that fd (borrowed until closed) reads: a regular file, or a
 * pipe, of which nothing but the lists can be had then.
 * name (borrowed) is for messages.  options is borrowed; NULL is all defaults.
 * Gives *archive; free it with stream_archive_close.
 *
 * A log in it that is damaged is no failure: see stream_archive_check_logs.
 *
 * STREAM_ECORRUPT  cut short, damaged, or hostile: SPEC 14.5
 * STREAM_ENEWER    a newer strm made it
 * STREAM_ENOENT    a tar without a partition directory
 * STREAM_EINTR     go_on said so
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_archive_open(int fd, const char *name,
    const struct stream_archive_options *options,
    struct stream_archive **archive, struct stream_error *err);

/* The same, but only by an index that can be sought: STREAM_ENOENT when there
 * is none. */
int stream_archive_open_index(int fd, const char *name,
    const struct stream_archive_options *options,
    struct stream_archive **archive, struct stream_error *err);

/* Is a log damaged, as far as opening has looked?  That is, in a foreign
 * archive; the newest log of a partition may be torn there.  STREAM_ECORRUPT or
 * STREAM_ENEWER names the first. */
int stream_archive_check_logs(
    const struct stream_archive *archive, struct stream_error *err);

/* NULL is allowed. */
void stream_archive_close(struct stream_archive *archive);

/* Made by another program, or packed anew: read from begin to end. */
bool stream_archive_is_foreign(const struct stream_archive *archive);

/* When it was made, in milliseconds; -1: not known. */
int64_t stream_archive_created_ms(const struct stream_archive *archive);

/* Partitions by topic and number. */
size_t stream_archive_partition_count(const struct stream_archive *archive);
const struct stream_archive_partition *stream_archive_partition(
    const struct stream_archive *archive, size_t i);

/* Files in the order in which they stand in the archive, all but the index. */
size_t stream_archive_file_count(const struct stream_archive *archive);
const struct stream_archive_file *stream_archive_file(
    const struct stream_archive *archive, size_t i);

/*
 * When file i was modified, in seconds since 1970: its tar header says so.  Not
 * of a foreign archive.  Errors as stream_archive_read_block.
 */
int stream_archive_read_time(struct stream_archive *archive, size_t i,
    int64_t *time_s, struct stream_error *err);

/*
 * Add the bytes of a block of segment (both lent by the archive) to the end of
 * out.  In a foreign archive the same or a later block of a later file is a
 * read forward, an earlier one begins again at its start.
 *
 * STREAM_ECORRUPT  the piece is damaged, or not of the size that the index says
 * STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR
 */
int stream_archive_read_block(struct stream_archive *archive,
    const struct stream_archive_segment *segment,
    const struct stream_archive_block *block, struct stream_buf *out,
    struct stream_error *err);

/* Add n bytes of file i, from byte `at` on; else as above. */
int stream_archive_read_at(struct stream_archive *archive, size_t i,
    uint64_t at, size_t n, struct stream_buf *out, struct stream_error *err);

/*
 * Add a whole small file (not a log), of at most limit bytes, to the end of
 * out: leader-epoch-checkpoint, partition.metadata, a snapshot.  It has its
 * digest.
 * STREAM_ENOENT when the archive has none of that path; STREAM_ETOOBIG; and
 * as above.
 */
int stream_archive_read_file(struct stream_archive *archive, const char *path,
    size_t limit, struct stream_buf *out, struct stream_error *err);

#endif
