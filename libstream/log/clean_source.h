/*
 * clean_source.h - the batches of one segment that a compaction reads
 *
 * Layer log/.  SPEC section 4.2.  In order, and nothing that breaks the rules
 * of a log passes.  Failures name the file and the byte.
 */
#ifndef STREAM_LOG_CLEAN_SOURCE_H
#define STREAM_LOG_CLEAN_SOURCE_H

#include "file/name.h"
#include "file/scan.h"

struct stream_clean_source {
	struct stream_scan scan; /* its fd is owned */
	struct stream_scan one;  /* batches that are read whole */
	int64_t next_offset;     /* what comes next has at least this */
	int64_t bound;           /* and less than this */
	char name[STREAM_NAME_SIZE];
};

/*
 * Open the log of the segment base_offset in the partition dirfd; next_base is
 * that of the next one, -1 if there is none.  Close it with
 * stream_clean_source_close.  STREAM_ENOENT, STREAM_EIO.
 */
int stream_clean_source_open(struct stream_clean_source *source, int dirfd,
    int64_t base_offset, int64_t next_base, enum stream_scan_depth depth,
    size_t cap, struct stream_error *err);

void stream_clean_source_close(struct stream_clean_source *source);

/* The next batch, as stream_scan_next; also STREAM_ECORRUPT when its offsets
 * are not where they should be. */
int stream_clean_source_next(struct stream_clean_source *source,
    struct stream_batch *batch, const uint8_t **bytes,
    struct stream_error *err);

/* Read a batch whole of which only the header was; its bytes are lent until the
 * next call.  Fails as stream_clean_source_next. */
int stream_clean_source_read(struct stream_clean_source *source,
    const struct stream_batch *batch, const uint8_t **bytes,
    struct stream_error *err);

/* Put the file's name and the byte in front of a failure to read a batch. */
int stream_clean_source_fail_at(const struct stream_clean_source *source,
    uint64_t position, int status, struct stream_error *err);

/* Put the file's name, and the batch's place, in front of a failure that its
 * records caused. */
int stream_clean_source_fail(const struct stream_clean_source *source,
    const struct stream_batch *batch, int status, struct stream_error *err);

#endif
