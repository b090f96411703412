/*
 * archive_fill.h - the bytes of a part come out of the archive
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.8.
 */
#ifndef STREAM_PORT_ARCHIVE_FILL_H
#define STREAM_PORT_ARCHIVE_FILL_H

#include "port/archive_parts.h"

struct stream_fill {
	struct stream_archive *archive; /* borrowed */
	/* Told of a block that cannot be unpacked.  May be NULL. */
	void (*note)(void *context, const char *text);
	void *context;
	struct stream_buf block; /* to be released by the owner */
};

/*
 * Write the blocks of part (borrowed) to the empty file log, one batch with a
 * bad CRC for each that cannot be unpacked.
 * STREAM_ECORRUPT, STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR
 */
int stream_fill_part(struct stream_fill *fill, const struct stream_part *part,
    int log, struct stream_error *err);

#endif
