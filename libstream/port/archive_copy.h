/*
 * archive_copy.h - files of an archive as they are, for who looks at files
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.8.  Of another
 * program's archive a partition's files come under their own names, those that
 * do not count too: what their names mean is said by who reads the directory,
 * as it is of any.
 */
#ifndef STREAM_PORT_ARCHIVE_COPY_H
#define STREAM_PORT_ARCHIVE_COPY_H

#include "file/name.h"
#include "port/archive_choose.h"
#include "port/archive_parts.h"

/* Base offsets of the segments whose files are copied. */
struct stream_copy_range {
	int64_t first;
	int64_t last; /* below first: none */
};

/* Those of the parts (borrowed) that choice made, and where it reaches an end
 * of the log, all that is there. */
struct stream_copy_range stream_copy_range(const struct stream_parts *parts,
    const struct stream_archive_choice *choice);

/* Is a segment's file of this name (borrowed) copied?  One that a compaction
 * was writing says of others whether they count. */
bool stream_copy_range_has(
    const struct stream_copy_range *range, const struct stream_name *name);

/*
 * Copy file i of the archive to the new file name in the directory dirfd (both
 * borrowed).  chunk is used, and left to be released.
 *
 * STREAM_ECORRUPT  larger than such a file can be; a damaged piece
 * STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR
 */
int stream_copy_file(struct stream_archive *archive, size_t i, int dirfd,
    const char *name, struct stream_buf *chunk, struct stream_error *err);

#endif
