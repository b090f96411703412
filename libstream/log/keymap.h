/*
 * keymap.h - the newest offset of each key, in memory that is bounded
 *
 * Layer log/.  What compaction must know: whether a record is the newest of
 * its key.  Keys themselves are not kept, 16 bytes of a hash stand for them;
 * it is seeded anew for each map, so that nobody can prepare two keys that
 * look the same.  A slot takes 24 bytes.
 *
 * A lookup costs a cache miss.  Who has several keys at hand hashes all,
 * prefetches all, and only then looks.
 *
 * One thread writes; any number may look up after that.
 */
#ifndef STREAM_LOG_KEYMAP_H
#define STREAM_LOG_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/record.h>

struct stream_keymap;

struct stream_key {
	uint64_t high;
	uint64_t low;
};

enum {
	STREAM_KEYMAP_SLOT = 24 /* bytes that a slot takes */
};

/* Bytes of memory that a map for that many keys takes. */
size_t stream_keymap_size(uint64_t keys);

/*
 * Make an empty map that takes at most so many bytes; a sixteenth more while it
 * grows.  It begins small, since memory that was never used costs more than the
 * keys that are put there.  At least one key fits.
 * Gives *map, for stream_keymap_free.
 *
 * STREAM_ENOMEM, STREAM_EIO   (no randomness)
 */
int stream_keymap_new(
    size_t bytes, struct stream_keymap **map, struct stream_error *err);

/* map may be NULL. */
void stream_keymap_free(struct stream_keymap *map);

/* Forget all keys. */
void stream_keymap_clear(struct stream_keymap *map);

/* What stands for the borrowed key in this map, and in no other. */
struct stream_key stream_keymap_hash(
    const struct stream_keymap *map, struct stream_bytes key);

/* Say that this key will soon be looked for. */
void stream_keymap_prefetch(
    const struct stream_keymap *map, struct stream_key key);

/*
 * The newest record of key is at offset, unless a newer one is known.  false
 * when the map is full (nine of ten slots are taken) and does not know key:
 * then it is unchanged.
 */
bool stream_keymap_put(
    struct stream_keymap *map, struct stream_key key, int64_t offset);

/* The newest offset of key; -1 when it was never put. */
int64_t stream_keymap_find(
    const struct stream_keymap *map, struct stream_key key);

/*
 * Make ready to be asked by offset instead of by key, which costs no cache
 * miss: a bit for each offset from from up to, and without, to, where all that
 * was put lies.  Nothing may be put after it, until clear.  If that is more
 * bits than the map's size justifies, or there is no memory, nothing happens.
 */
void stream_keymap_index(struct stream_keymap *map, int64_t from, int64_t to);

/* Can it be asked for this offset? */
bool stream_keymap_has_index(const struct stream_keymap *map, int64_t offset);

/* Is this the newest offset of some key?  It can be asked for it. */
bool stream_keymap_is_newest(const struct stream_keymap *map, int64_t offset);

/* Keys that are in it, and that fit at all. */
size_t stream_keymap_count(const struct stream_keymap *map);
size_t stream_keymap_room(const struct stream_keymap *map);

#endif
