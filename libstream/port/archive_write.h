/*
 * archive_write.h - closed segments become an archive
 *
 * Layer port/, linked into strm-archive only.  SPEC sections 14.1 to 14.3.
 */
#ifndef STREAM_PORT_ARCHIVE_WRITE_H
#define STREAM_PORT_ARCHIVE_WRITE_H

#include <stream/record.h>

#include "port/archive_source.h"

/* A partition, and what of it. */
struct stream_archive_part {
	const struct stream_place *place; /* kept */
	int64_t from; /* closed segments that hold offsets from here */
	int64_t to;   /* to below here */
	/* What there is, as it was looked at last. */
	size_t segments;
	uint64_t bytes; /* of their logs */
	int64_t first_offset;
	int64_t next_offset; /* of the first segment that is not in it */
	int64_t records;     /* once it was written */
	bool active_is_used; /* an active segment holds records */
	struct stream_source_identity *identities; /* owned; of segments */
};

void stream_archive_part_release(struct stream_archive_part *part);

/*
 * Turn a range into the offsets of part->from and part->to, whose place is set.
 * range is borrowed.  As stream_reader_open.
 */
int stream_archive_part_range(struct stream_archive_part *part,
    const struct stream_range *range, struct stream_error *err);

/* Take what source (borrowed) shows into part.  STREAM_ENOMEM. */
int stream_archive_part_update(struct stream_archive_part *part,
    const struct stream_source *source, struct stream_error *err);

/* See what there is.  As stream_source_open. */
int stream_archive_part_look(
    struct stream_archive_part *part, struct stream_error *err);

struct stream_archive_write_options {
	enum stream_codec codec; /* NONE, GZIP or ZSTD */
	int level;               /* or STREAM_LEVEL_DEFAULT */
	unsigned threads;
	size_t max_batch_bytes; /* 0: 64 MiB */
	int64_t now_ms;
	/* Told how many bytes of logs were read since the last call; false
	 * stops with STREAM_EINTR.  May be NULL. */
	bool (*go_on)(void *context, uint64_t bytes);
	void *context;
};

/*
 * Write all parts (borrowed; no partition twice), which are put in order, to
 * fd, which may be a pipe; not synced.  *bytes is the archive's size.
 *
 * STREAM_ECORRUPT, STREAM_ENEWER  a log is damaged: it is not archived
 * STREAM_EUSAGE                   a partition twice; level
 * STREAM_EINTR, STREAM_EIO, STREAM_ENOMEM; and as stream_source_open
 */
int stream_archive_write(struct stream_archive_part *parts, size_t count,
    const struct stream_archive_write_options *options, int fd, uint64_t *bytes,
    struct stream_error *err);

#endif
