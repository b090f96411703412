/*
 * archive_manifest.h - strm-manifest.txt, written and read
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.3.
 */
#ifndef STREAM_PORT_ARCHIVE_MANIFEST_H
#define STREAM_PORT_ARCHIVE_MANIFEST_H

#include <stream/record.h>

#include "port/archive_list.h"

#define STREAM_MANIFEST_FILE "strm-manifest.txt"
#define STREAM_MANIFEST_MARK "strm-archive.txt" /* the first member */

/* Bytes of the last line: "end SIZE DIGEST". */
enum { STREAM_MANIFEST_LAST = 4 + 20 + 1 + 32 + 1 };

#define STREAM_MANIFEST_MOST ((size_t)1 << 30)

/* It is not larger than so much for what has no file, and for each file, log
 * and block a line. */
enum { STREAM_MANIFEST_EMPTY = 64 << 20, STREAM_MANIFEST_LINE = 1024 };

/* Add lines to the end of text.  STREAM_ENOMEM. */
int stream_archive_manifest_begin(
    struct stream_buf *text, int64_t created_ms, struct stream_error *err);
int stream_archive_manifest_topic(
    struct stream_buf *text, const char *topic, struct stream_error *err);
int stream_archive_manifest_partition(struct stream_buf *text,
    const struct stream_list_partition *partition, struct stream_error *err);
int stream_archive_manifest_file(struct stream_buf *text,
    const struct stream_archive_file *file, struct stream_error *err);
int stream_archive_manifest_segment(struct stream_buf *text,
    const struct stream_archive_segment *segment, struct stream_error *err);
int stream_archive_manifest_block(struct stream_buf *text,
    const struct stream_archive_block *block, struct stream_error *err);
/* The last line, with the digest of all before it. */
int stream_archive_manifest_end(
    struct stream_buf *text, struct stream_error *err);

/* The bytes of the manifest whose last line this is; 0: it is none. */
uint64_t stream_archive_manifest_size(const char *last_line);

/*
 * Read the manifest (borrowed) into the list, which is empty; it is not sealed
 * yet.  STREAM_ECORRUPT, when a byte of it is not as it was written before all
 * else; STREAM_ENEWER, STREAM_ENOMEM.
 */
int stream_archive_manifest_parse(struct stream_bytes text,
    struct stream_archive_list *list, struct stream_error *err);

/* Put before a message of damage what it is that is damaged, and where stands
 * what to do then.  Returns status. */
int stream_archive_manifest_damaged(struct stream_error *err, int status);

/* A file does not stand where the manifest says.  STREAM_ECORRUPT. */
int stream_archive_manifest_misfit(
    const struct stream_archive_file *file, struct stream_error *err);

#endif
