/*
 * archive_tar.h - headers of a tar stream, written
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.1.  Written
 * here, since where each member begins must be known to the byte; reading is
 * libarchive's.
 */
#ifndef STREAM_PORT_ARCHIVE_TAR_H
#define STREAM_PORT_ARCHIVE_TAR_H

#include <stdint.h>

#include "base/buf.h"

enum {
	STREAM_TAR_BLOCK = 512,
	STREAM_TAR_END = 2 * STREAM_TAR_BLOCK /* zeros after the last member */
};

/* Zeros that fill up size bytes of content to whole blocks. */
uint64_t stream_tar_padding(uint64_t size);

/*
 * Add the header of a regular file to the end of out: a pax header with the
 * path before it where ustar has no room.  path is borrowed; size is below
 * 8 GiB.  STREAM_ENOMEM.
 */
int stream_tar_header(struct stream_buf *out, const char *path, uint64_t size,
    int64_t time_s, struct stream_error *err);

/* Add n zeros. */
int stream_tar_zeros(
    struct stream_buf *out, size_t n, struct stream_error *err);

#endif
