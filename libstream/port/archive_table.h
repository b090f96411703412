/*
 * archive_table.h - the seek table: how large each piece is, packed and not
 *
 * Layer port/, linked into strm-archive only.  SPEC sections 14.2 and 14.2.1.
 */
#ifndef STREAM_PORT_ARCHIVE_TABLE_H
#define STREAM_PORT_ARCHIVE_TABLE_H

#include <stdbool.h>

#include <stream/record.h>

#include "base/buf.h"

struct stream_table_entry {
	uint64_t packed_at; /* in the file */
	uint64_t at;        /* in the tar stream */
	uint32_t packed;
	uint32_t size;
};

/* The largest piece. */
#define STREAM_PIECE_MOST ((size_t)1 << 30)

struct stream_table {
	struct stream_table_entry *entries; /* owned */
	size_t count;
	size_t capacity;
};

void stream_table_release(struct stream_table *table);

/* Add a piece after the others.  STREAM_ENOMEM. */
int stream_table_add(struct stream_table *table, uint32_t packed, uint32_t size,
    struct stream_error *err);

/* Where the piece after the last one begins: in the file and in the stream. */
uint64_t stream_table_packed_end(const struct stream_table *table);
uint64_t stream_table_end(const struct stream_table *table);

/* Which piece holds byte `at` of the stream; count when none does. */
size_t stream_table_find(const struct stream_table *table, uint64_t at);

/* Add the table's bytes, as they stand in a file after pieces of codec (ZSTD
 * or GZIP), to the end of out.  STREAM_ENOMEM. */
int stream_table_put(const struct stream_table *table, enum stream_codec codec,
    struct stream_buf *out, struct stream_error *err);

/*
 * Read the table at the end of the file, which has size bytes.  *codec says
 * what its pieces are.  Gives what *table points to.  STREAM_ENOENT when there
 * is none that fits the file; STREAM_EIO, STREAM_ENOMEM.
 */
int stream_table_load(int fd, uint64_t size, struct stream_table *table,
    enum stream_codec *codec, struct stream_error *err);

#endif
