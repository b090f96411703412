/*
 * archive_unpack.h - a part of an archive becomes a store to read from
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.8.
 */
#ifndef STREAM_PORT_ARCHIVE_UNPACK_H
#define STREAM_PORT_ARCHIVE_UNPACK_H

#include <stream/address.h>

#include "port/archive_index.h"

struct stream_unpack_options {
	/* Whole segments instead of blocks, and what stands beside them. */
	bool with_files;
	/* Told of a block that cannot be unpacked.  May be NULL. */
	void (*note)(void *context, const char *text);
	void *context;
};

/*
 * Write what a reader of address (borrowed) needs to the empty directory dirfd:
 * the blocks of its range, of the partitions that it chooses.  Nothing is
 * synced.  What is damaged in a log is damaged in what is written, so that a
 * reader comes to it as in any log: a block that cannot be unpacked is one
 * batch with a bad CRC there.
 *
 * STREAM_ENOENT    no such partition is in the archive
 * STREAM_ECORRUPT  a damaged file beside the logs; settings
 * STREAM_ENEWER, STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR
 */
int stream_archive_unpack(struct stream_archive *archive,
    const struct stream_address *address,
    const struct stream_unpack_options *options, int dirfd,
    struct stream_error *err);

/* Remove the directory name, which lies in above, with all that is in it.  What
 * cannot be removed stays. */
void stream_archive_unpacked_remove(int above, const char *name);

#endif
