/*
 * archive_unpack.h - a part of an archive becomes a store to read from
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.8.
 */
#ifndef STREAM_PORT_ARCHIVE_UNPACK_H
#define STREAM_PORT_ARCHIVE_UNPACK_H

#include <stream/address.h>

#include "port/archive_index.h"

/*
 * Write what a reader of address (borrowed) needs to the empty directory dirfd:
 * the blocks of its range, of the partitions that it chooses.  with_files:
 * whole segments instead, and all that stands beside them.  Nothing is synced.
 *
 * STREAM_ENOENT    no such partition is in the archive
 * STREAM_ECORRUPT, STREAM_ENEWER, STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR
 */
int stream_archive_unpack(struct stream_archive *archive,
    const struct stream_address *address, bool with_files, int dirfd,
    struct stream_error *err);

/* Remove the directory name, which lies in above, with all that is in it.  What
 * cannot be removed stays. */
void stream_archive_unpacked_remove(int above, const char *name);

#endif
