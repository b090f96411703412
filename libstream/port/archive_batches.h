/*
 * archive_batches.h - bytes of a log, as they come, become blocks of batches
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.2: a block is as
 * many whole batches as fit 1 MiB, and one at least.  Each batch is checked:
 * its CRC, and that offsets rise.
 */
#ifndef STREAM_PORT_ARCHIVE_BATCHES_H
#define STREAM_PORT_ARCHIVE_BATCHES_H

#include "codec/batch.h"
#include "port/archive_list.h"

enum { STREAM_BLOCK_BYTES = 1 << 20 };

/* A block that grows batch by batch. */
struct stream_block_cut {
	struct stream_archive_block block; /* bytes 0: none yet */
};

/* Does the batch begin a new block?  Then *done is the one before (if its bytes
 * are not 0). */
bool stream_block_add(struct stream_block_cut *cut,
    const struct stream_batch_info *info, struct stream_archive_block *done);

/* The log that was added to list last, fed with its bytes. */
struct stream_batches {
	struct stream_archive_list *list; /* kept */
	size_t cap;
	struct stream_buf buf; /* what is not a whole batch yet */
	uint64_t position;     /* in the file, of buf.data[0] */
	int64_t next_offset;   /* the least that may follow */
	struct stream_block_cut cut;
	bool ended; /* no good batch follows */
	bool zeros; /* and nothing but zeros did */
};

void stream_batches_init(struct stream_batches *batches,
    struct stream_archive_list *list, size_t cap);
void stream_batches_release(struct stream_batches *batches);

/* Begin with the log that was added last. */
void stream_batches_begin(struct stream_batches *batches);

/* STREAM_ENOMEM alone: what is wrong with batches goes into the log's entry. */
int stream_batches_feed(struct stream_batches *batches, const void *bytes,
    size_t n, struct stream_error *err);
int stream_batches_end(
    struct stream_batches *batches, struct stream_error *err);

#endif
