/*
 * scan.h - the batches of one log file, in order
 *
 * Layer file/.  SPEC section 4.  Reads with pread into one buffer; never maps
 * the file, since another process may cut it.  A scan does not decide what
 * bytes that are not a whole batch mean: that is tail.h.
 */
#ifndef STREAM_FILE_SCAN_H
#define STREAM_FILE_SCAN_H

#include "base/buf.h"
#include "codec/batch.h"

enum stream_scan_depth {
	STREAM_SCAN_HEADERS, /* headers only; bodies are stepped over */
	STREAM_SCAN_WHOLE    /* whole batches, CRC checked */
};

struct stream_scan {
	int fd; /* borrowed; the caller closes it */
	enum stream_scan_depth depth;
	size_t cap;     /* largest batch, as in stream_batch_measure */
	uint64_t limit; /* do not read at or past this byte */
	uint64_t next;  /* position of the next batch */
	uint64_t base;  /* file position of buf.data[0] */
	size_t block;   /* bytes to ask for at once */
	struct stream_buf buf;
	uint64_t last_size; /* of the batch that was taken last */
	size_t short_of;    /* what a torn batch lacks at least */
	bool saw_end;       /* the last read came to the end of the file */
};

/* Blocks that are read at once.  Whole batches: enough to make the calls cheap,
 * little enough to stay in the second-level cache.  Headers: little, since what
 * lies between two headers is read for nothing. */
enum { STREAM_SCAN_BLOCK = 512 * 1024, STREAM_SCAN_SMALL_BLOCK = 8 * 1024 };

/* Begin at byte position of the open file.  Nothing is read yet. */
void stream_scan_init(struct stream_scan *scan, int fd, uint64_t position,
    enum stream_scan_depth depth, size_t cap, size_t block);

/* Free the buffer; the descriptor stays open. */
void stream_scan_release(struct stream_scan *scan);

/* Go to another file or position and forget what was read. */
void stream_scan_move(struct stream_scan *scan, int fd, uint64_t position);

/* Are bytes of the next batch in memory? */
bool stream_scan_has_buffered(const struct stream_scan *scan);

/*
 * Take the next batch.  batch->info.position is set; with
 * STREAM_SCAN_WHOLE *bytes is the whole batch, with HEADERS its header; lent
 * until the next call.  A failure does not move the scan, so that the same
 * call can be made again when the file has changed; bytes at the place of the
 * failure are read afresh then.
 *
 * STREAM_END      the file (or the limit) ends exactly here
 * STREAM_ETORN    it ends within the batch
 * STREAM_ECORRUPT, STREAM_ENEWER as stream_batch_measure and
 *                 stream_batch_check; err->pos is a byte of the file
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_scan_next(struct stream_scan *scan, struct stream_batch *batch,
    const uint8_t **bytes, struct stream_error *err);

#endif
