/*
 * archive_parts.h - the log files that a partition is unpacked to
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.8.  A part is
 * what is unpacked at one time, when its file is about to be read: so what is
 * unpacked follows what is read, and never by much.
 */
#ifndef STREAM_PORT_ARCHIVE_PARTS_H
#define STREAM_PORT_ARCHIVE_PARTS_H

#include "port/archive_choose.h"

struct stream_part {
	const struct stream_archive_segment *segment; /* lent by the archive */
	size_t first;                                 /* blocks of it */
	size_t end;
	int64_t base_offset; /* which its file is named by */
	bool filled;
};

struct stream_parts {
	struct stream_part *items; /* owned, rising */
	size_t count;
	size_t capacity;
};

/*
 * Add the parts that the choice (borrowed) needs of the partition: whole
 * segments, or as many blocks as are worth it at one time.  STREAM_ENOMEM;
 * stream_parts_release must follow in any case.
 */
int stream_parts_plan(struct stream_parts *parts,
    const struct stream_archive_partition *partition,
    const struct stream_archive_choice *choice, bool whole,
    struct stream_error *err);
void stream_parts_release(struct stream_parts *parts);

/* The part whose file has this base offset, lent; NULL: none. */
struct stream_part *stream_parts_find(
    const struct stream_parts *parts, int64_t base_offset);

#endif
