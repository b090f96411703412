/*
 * archive_pieces.h - a tar stream, written in pieces that can be found
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.2.  Pieces are
 * compressed on threads and written in order; the seek table comes last.
 */
#ifndef STREAM_PORT_ARCHIVE_PIECES_H
#define STREAM_PORT_ARCHIVE_PIECES_H

#include <stdbool.h>

#include <stream/record.h>

#include "base/buf.h"

struct stream_pieces;

struct stream_pieces_options {
	enum stream_codec codec; /* NONE, GZIP or ZSTD */
	int level;               /* or STREAM_LEVEL_DEFAULT */
	unsigned threads;
	int fd; /* what is written to: may be a pipe; kept */
	/* Asked when a write is interrupted; false stops with STREAM_EINTR.
	 * May be NULL. */
	bool (*go_on)(void *context, uint64_t bytes);
	void *context;
};

/* options is borrowed.  Gives *pieces; free it with stream_pieces_free.
 * STREAM_EUSAGE (level), STREAM_ENOMEM. */
int stream_pieces_new(const struct stream_pieces_options *options,
    struct stream_pieces **pieces, struct stream_error *err);

/* NULL is allowed. */
void stream_pieces_free(struct stream_pieces *pieces);

/*
 * Add the bytes of piece as the next one; takes them, and leaves it empty.
 * Nothing is added for no bytes.  STREAM_EIO (err->sys EPIPE: the reader
 * closed), STREAM_ENOMEM.
 */
int stream_pieces_add(struct stream_pieces *pieces, struct stream_buf *piece,
    struct stream_error *err);

/* Write what is left and the seek table.  Errors as above. */
int stream_pieces_end(struct stream_pieces *pieces, struct stream_error *err);

/* Bytes that were written. */
uint64_t stream_pieces_written(const struct stream_pieces *pieces);

#endif
