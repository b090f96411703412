/*
 * archive_file.h - an archive comes into being as a whole, or not at all
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.7.
 */
#ifndef STREAM_PORT_ARCHIVE_FILE_H
#define STREAM_PORT_ARCHIVE_FILE_H

#include <stream/error.h>

enum { STREAM_ARCHIVE_NAME_SIZE = 256, STREAM_ARCHIVE_TEMPORARY_SIZE = 22 };

struct stream_archive_output {
	int dirfd;
	int fd; /* to write to, and to read from */
	char name[STREAM_ARCHIVE_NAME_SIZE];
	char temporary[STREAM_ARCHIVE_TEMPORARY_SIZE];
};

/*
 * Begin the file path (borrowed) under a temporary name beside it.  End it with
 * stream_archive_output_end, whatever this returns.  STREAM_EEXIST when there
 * is something of that name; STREAM_ENOENT: no such directory; STREAM_EIO.
 */
int stream_archive_output_begin(const char *path,
    struct stream_archive_output *output, struct stream_error *err);

/* fsync. */
int stream_archive_output_sync(
    const struct stream_archive_output *output, struct stream_error *err);

/* Give the synced file its name, durably.  STREAM_EEXIST, STREAM_EIO. */
int stream_archive_output_commit(
    struct stream_archive_output *output, struct stream_error *err);

/* Close it; without a commit it is removed. */
void stream_archive_output_end(struct stream_archive_output *output);

#endif
