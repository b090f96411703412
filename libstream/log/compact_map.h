/*
 * compact_map.h - compaction's first pass: the newest offset of each key
 *
 * Layer log/.  Invariant I6.  Records of aborted transactions, markers and
 * records without a key do not count.  Every batch that counts has a good CRC
 * and sound records.
 */
#ifndef STREAM_LOG_COMPACT_MAP_H
#define STREAM_LOG_COMPACT_MAP_H

#include "log/clean_txn.h"
#include "log/keymap.h"

struct stream_compact_span {
	int dirfd;
	const int64_t *bases; /* of segments that hold the offsets, rising */
	size_t count;
	int64_t from;
	int64_t to; /* the base of the segment after them */
	size_t cap; /* largest batch, also when decompressed */
	const struct stream_clean_txn *txn;
	unsigned workers; /* threads that read; 0: none but the caller's */
	/* Told about every megabyte how many more bytes were read; false ends
	 * it with STREAM_EINTR.  May be NULL. */
	bool (*go_on)(void *context, uint64_t bytes);
	void *go_on_context;
};

/*
 * Put the keys of the span (borrowed) into map, which is empty.  *mapped_end is
 * the offset below which all of them are in it: span->to, or, when the map is
 * full, that of the first record that did not fit; from is below it in any
 * case, unless from is to.
 *
 * STREAM_ECORRUPT, STREAM_ETORN, STREAM_ENEWER, STREAM_ETOOBIG  err names file
 *                  and byte
 * STREAM_EINTR, STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM
 */
int stream_compact_map_fill(const struct stream_compact_span *span,
    struct stream_keymap *map, int64_t *mapped_end, struct stream_error *err);

#endif
