/*
 * keymap.h - the newest record of each key, on one side or two, by fingerprints
 *
 * A key is known by 128 bits of its hash, its record by 64 bits of the value's
 * and 64 of the rest's.  Memory is bounded: when it is full, the keys of the
 * upper half of the hashes are dropped, and left to another round.
 */
#ifndef KEYMAP_H
#define KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/record.h>

struct keymap_key {
	uint64_t high; /* rounds are ranges of this */
	uint64_t low;
};

/* What one side's newest record of a key is: a tombstone is as good as no
 * record, so both are all zero but for the offset. */
struct keymap_state {
	uint64_t value;
	uint64_t rest;
	int64_t offset; /* -1: no record */
};

struct keymap_entry {
	struct keymap_key key;
	struct keymap_state sides[2];
};

struct keymap;

/* For at most so many bytes of memory.  Gives *map; keymap_free.
 * STREAM_ENOMEM, STREAM_EIO (no random numbers). */
int keymap_new(size_t bytes, struct keymap **map, struct stream_error *err);
void keymap_free(struct keymap *map); /* NULL is allowed */

/* Begin again: the next round is the first. */
void keymap_restart(struct keymap *map);

/* Begin a round at the lowest hash that no round has had: true, or false when
 * all were. */
bool keymap_next_round(struct keymap *map);

/* Is the key one of this round's? */
bool keymap_has_round(const struct keymap *map, struct keymap_key key);

/* Say that this key will soon be looked for: each costs a cache miss. */
void keymap_prefetch(const struct keymap *map, struct keymap_key key);

/* Put the newest state of a key of this round.  What is dropped for want of
 * room is the next round's. */
void keymap_put(struct keymap *map, struct keymap_key key, int side,
    struct keymap_state state);

/* NULL when the key is not there. */
const struct keymap_entry *keymap_find(
    const struct keymap *map, struct keymap_key key);

/* What stands for a key (borrowed, not null) in this map. */
struct keymap_key keymap_hash(
    const struct keymap *map, struct stream_bytes key);

/* Entries one after another: NULL begins, NULL ends. */
const struct keymap_entry *keymap_each(
    const struct keymap *map, const struct keymap_entry *last);

#endif
