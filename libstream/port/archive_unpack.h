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

/* An archive that is a store by now, as far as it was read. */
struct stream_unpacked;

/*
 * Make a store in the empty directory dirfd (kept and closed, on failure too)
 * for a reader of address (borrowed): of the partitions that it chooses, the
 * names of logs with the blocks of its range, which are empty until they are
 * fetched.  With files, and where a log is damaged, all is there at once.
 * archive is borrowed until *unpacked, which is given, is freed with
 * stream_unpacked_free.  Nothing is synced.
 *
 * STREAM_ENOENT    no such partition is in the archive
 * STREAM_ECORRUPT  a damaged file beside the logs; settings
 * STREAM_ENEWER, STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR
 */
int stream_archive_unpack(struct stream_archive *archive,
    const struct stream_address *address,
    const struct stream_unpack_options *options, int dirfd,
    struct stream_unpacked **unpacked, struct stream_error *err);

/*
 * See that the log of this base offset in a partition's directory ("orders-0",
 * borrowed) has its bytes.  What is damaged in a log is damaged there, so that
 * a reader comes to it as in any log: a block that cannot be unpacked is one
 * batch with a bad CRC.  STREAM_ECORRUPT when not even that can be;
 * STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR.
 */
int stream_unpacked_fetch(struct stream_unpacked *unpacked,
    const char *directory, int64_t base_offset, struct stream_error *err);

/* NULL is allowed. */
void stream_unpacked_free(struct stream_unpacked *unpacked);

/* Remove the directory name, which lies in above, with all that is in it.  What
 * cannot be removed stays. */
void stream_archive_unpacked_remove(int above, const char *name);

#endif
