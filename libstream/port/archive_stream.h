/*
 * archive_stream.h - the members of a tar, one after another, from anywhere
 *
 * Layer port/, linked into strm-archive only, and the home of libarchive.  SPEC
 * sections 14.4, 14.5 and 11.  Only tar, and only gzip and zstd around it.
 * Whatever is not honest is refused here; nothing is ever written by
 * libarchive.
 */
#ifndef STREAM_PORT_ARCHIVE_STREAM_H
#define STREAM_PORT_ARCHIVE_STREAM_H

#include "port/archive_index.h"
#include "port/archive_path.h"

struct stream_archive_entry {
	const char *path; /* lent */
	struct stream_path parsed;
	uint64_t position; /* of its content in the tar stream */
	uint64_t size;
	int64_t time_s;
	bool is_directory; /* of kind OTHER then, whatever its name */
};

struct stream_archive_stream;

/*
 * Begin to read fd (borrowed until closed; may be a pipe) where it is.  options
 * is borrowed for the call.  Gives *stream; free it with
 * stream_archive_stream_close.  STREAM_ENOMEM.
 */
int stream_archive_stream_open(int fd,
    const struct stream_archive_options *options,
    struct stream_archive_stream **stream, struct stream_error *err);

/* NULL is allowed. */
void stream_archive_stream_close(struct stream_archive_stream *stream);

/*
 * Go to the next regular file or directory; what is left of the one before is
 * passed over. *entry is lent until the next call.
 *
 * STREAM_END       all was read, also what a pipe holds after the tar
 * STREAM_ECORRUPT  not a tar, cut short, damaged, or hostile
 * STREAM_EINTR, STREAM_EIO, STREAM_ENOMEM
 */
int stream_archive_stream_next(struct stream_archive_stream *stream,
    const struct stream_archive_entry **entry, struct stream_error *err);

/* Read up to n bytes of the file; *got is 0 at its end.  Errors as above. */
int stream_archive_stream_read(struct stream_archive_stream *stream, void *to,
    size_t n, size_t *got, struct stream_error *err);

#endif
