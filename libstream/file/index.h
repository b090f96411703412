/*
 * index.h - find a place in a segment by its .index and .timeindex
 *
 * Layer file/.  SPEC section 5.  Indexes are hints (I5): an entry is believed
 * only after the log was seen to agree with it, and every doubt leads to the
 * start of the segment, which is slower and never wrong.  Files are read with
 * pread; a search reads some twenty entries.
 */
#ifndef STREAM_FILE_INDEX_H
#define STREAM_FILE_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

/* Bytes of an entry. */
enum { STREAM_INDEX_ENTRY = 8, STREAM_TIMEINDEX_ENTRY = 12 };

/* One segment, open for reading. */
struct stream_index_source {
	int dirfd;            /* of the partition */
	const char *log_name; /* "0...0.log" or "0...0.log.swap" */
	int log;              /* its descriptor */
	int64_t base_offset;
	size_t cap; /* largest batch */
};

/*
 * Find the byte at which to begin to walk for the first batch whose last
 * offset is target or more: the start of a whole batch at or before it.
 * Never fails: in doubt *position is 0.
 */
void stream_index_find(const struct stream_index_source *source, int64_t target,
    uint64_t *position);

/*
 * Find the byte at which to begin to walk for the first batch whose largest
 * timestamp is timestamp_ms or more: no batch before it reaches that.  In
 * doubt *position is 0.
 */
void stream_index_find_time(const struct stream_index_source *source,
    int64_t timestamp_ms, uint64_t *position);

/*
 * The start of a whole batch at about this many bytes before the position
 * before, or 0.  For reading a log from its end.
 */
void stream_index_find_before(const struct stream_index_source *source,
    uint64_t before, uint64_t bytes, uint64_t *position);

#endif
