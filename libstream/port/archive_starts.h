/*
 * archive_starts.h - log starts that an archive tells of, directory by
 * directory
 *
 * Layer port/, linked into strm-archive only.  SPEC sections 6.3 and 14.4.
 * Which directory counts is known when a partition was met, and a tar may have
 * the files of many before it.
 */
#ifndef STREAM_PORT_ARCHIVE_STARTS_H
#define STREAM_PORT_ARCHIVE_STARTS_H

#include <stream/record.h>

#include "base/buf.h"

struct stream_starts_file {
	char *directory; /* owned */
	struct stream_buf text;
};

struct stream_starts {
	struct stream_starts_file *files; /* owned */
	size_t count, room;
	uint64_t bytes; /* of all, and what it takes to keep them */
};

/*
 * Make room for the file of a directory (borrowed) that has so many bytes.
 * *text (lent until the next one) is to be filled.
 *
 * STREAM_ECORRUPT  all together have more than one such file may have
 * STREAM_ENOMEM
 */
int stream_starts_add(struct stream_starts *starts, const char *directory,
    uint64_t bytes, struct stream_buf **text, struct stream_error *err);

/* The file of directory (borrowed); empty when there is none.  Lent. */
struct stream_bytes stream_starts_find(
    const struct stream_starts *starts, const char *directory);

void stream_starts_release(struct stream_starts *starts);

#endif
