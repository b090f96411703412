/*
 * resync.h - the batch at which reading can go on after damage
 *
 * Layer file/.  SPEC section 10.1.  The first good batch behind the damage,
 * but never one that is only the bytes of a record's value.
 */
#ifndef STREAM_FILE_RESYNC_H
#define STREAM_FILE_RESYNC_H

#include "codec/batch.h"

struct stream_resync {
	int fd;           /* borrowed */
	uint64_t from;    /* where the damage begins */
	uint64_t end;     /* do not look at or past this byte */
	int64_t expected; /* the least base offset that will do */
	int64_t bound;    /* every offset lies below; INT64_MAX: any */
	size_t cap;       /* largest batch */
	bool dense;       /* offsets have no gaps */
};

/* Every offset of the segment base_offset lies below: up to 2^31 - 1 past it,
 * and before the next segment's base (0 or less: there is none). */
static inline int64_t
stream_segment_bound(int64_t base_offset, int64_t next_base)
{
	int64_t bound;

	if (__builtin_add_overflow(base_offset, (int64_t)1 << 31, &bound))
		bound = INT64_MAX;
	return next_base > 0 && next_base < bound ? next_base : bound;
}

/*
 * *position and *base_offset are those of the batch.  STREAM_END when there
 * is none before where->end; STREAM_EIO, STREAM_ENOMEM.
 */
int stream_resync(const struct stream_resync *where, uint64_t *position,
    int64_t *base_offset, struct stream_error *err);

/*
 * A good batch stands at where->from, but its base offset is not the one that
 * was expected, and no checksum covers that.  Do the batches after it say
 * that it is right?  next_base is the base offset of the next segment, or -1.
 * *base_offset is that of the batch when it is.  STREAM_EIO, STREAM_ENOMEM.
 */
int stream_resync_confirms(const struct stream_resync *where, int64_t next_base,
    int64_t *base_offset, bool *right, struct stream_error *err);

#endif
