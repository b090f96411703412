/*
 * compact_keys.h - the keys of a stretch of a log, perhaps read on a thread
 *
 * Layer log/.  What compaction's first pass spends most of its time on: read,
 * check the checksums, decode, hash.  None of that depends on the order of the
 * log, so several stretches can be worked on at once; what is found goes into
 * the map in order.
 */
#ifndef STREAM_LOG_COMPACT_KEYS_H
#define STREAM_LOG_COMPACT_KEYS_H

#include "log/compact_map.h"

struct stream_compact_key {
	struct stream_key key;
	int64_t offset;
};

struct stream_compact_keys {
	/* Before: whole batches of an open log (borrowed). */
	int fd;
	uint64_t from;
	uint64_t to;
	uint64_t records; /* about so many */
	/* After: */
	struct stream_compact_key *found; /* owned; in the order of the log */
	size_t count;
	size_t capacity;
	int status;
	struct stream_error err;
};

/* What a thread needs to read. */
struct stream_compact_keys_reader;

/* cap is the most bytes that records may have when decompressed.  Gives
 * *reader; free it with stream_compact_keys_reader_free.  STREAM_ENOMEM. */
int stream_compact_keys_reader_new(size_t cap,
    struct stream_compact_keys_reader **reader, struct stream_error *err);

/* NULL is allowed. */
void stream_compact_keys_reader_free(struct stream_compact_keys_reader *reader);

/* An empty stretch from byte from of the open log fd (borrowed). */
void stream_compact_keys_start(
    struct stream_compact_keys *keys, int fd, uint64_t from);

void stream_compact_keys_release(struct stream_compact_keys *keys);

/* Is there enough to be worth the while? */
bool stream_compact_keys_is_full(const struct stream_compact_keys *keys);

/*
 * Find all keys that count in the span, as map (borrowed, not changed) hashes
 * them, and set status: STREAM_ECORRUPT, STREAM_ETORN, STREAM_ENEWER,
 * STREAM_ETOOBIG, STREAM_EIO, STREAM_ENOMEM.  No other thread uses reader.
 */
void stream_compact_keys_find(struct stream_compact_keys *keys,
    const struct stream_compact_span *span, const struct stream_keymap *map,
    struct stream_compact_keys_reader *reader);

#endif
