/*
 * archive_source.h - the closed segments of a partition, held open
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.1.  All are
 * opened before the first is read, as one listing shows them: what compaction
 * or retention does later changes nothing of what is archived.
 */
#ifndef STREAM_PORT_ARCHIVE_SOURCE_H
#define STREAM_PORT_ARCHIVE_SOURCE_H

#include <stdbool.h>
#include <sys/types.h>

#include <stream/address.h>

enum { STREAM_SOURCE_KINDS = 5 }; /* as enum stream_name_kind */

struct stream_source_file {
	int fd; /* -1: there is none */
	uint64_t bytes;
	int64_t time_s;
};

/* Which file it was, to find out later whether it still is. */
struct stream_source_identity {
	int64_t base_offset;
	dev_t device;
	ino_t inode;
	uint64_t bytes;
};

struct stream_source_segment {
	int64_t base_offset;
	int64_t next_offset;
	struct stream_source_file files[STREAM_SOURCE_KINDS];
	struct stream_source_identity identity; /* of its log */
};

struct stream_source {
	const struct stream_place *place; /* kept */
	int dirfd;
	struct stream_source_segment *segments; /* owned; rising */
	size_t count;
	int64_t next_offset; /* of the first segment that is not in it */
	struct stream_source_file end_snapshot; /* of that offset */
	bool active_is_used; /* there is an active segment with records */
};

/*
 * Open the closed segments of place (kept) that hold offsets from `from` to
 * below `to`.  Close *source in any case.
 *
 * STREAM_EUSAGE  the place is a single file, or its directory is not named
 *                TOPIC-P
 * STREAM_EBUSY   the directory does not come to rest
 * STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM
 */
int stream_source_open(const struct stream_place *place, int64_t from,
    int64_t to, struct stream_source *source, struct stream_error *err);
void stream_source_close(struct stream_source *source);

/* Bytes of the logs. */
uint64_t stream_source_bytes(const struct stream_source *source);

#endif
