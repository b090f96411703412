#define XXH_INLINE_ALL /* no library to link for one hash */
#include <xxhash.h>

#include "keymap.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/message.h"

/* Fewer entries than this save no memory worth having; memory that is touched
 * and not used costs time as well. */
enum { LEAST = 16, FIRST = 1 << 12 };

struct keymap {
	/* Open addressing; a power of two.  There is room for the most from
	 * the start on, and the system gives memory for what is touched. */
	struct keymap_entry *entries;
	size_t mask;
	size_t count;
	size_t most;    /* three quarters are full */
	size_t largest; /* that mask may become */
	uint64_t from;  /* the round: high of its keys, included; */
	uint64_t to;    /* included too */
	bool begun;
	/* New in each map: whoever writes the keys could make many that meet
	 * in one place, and a search of all of them each time. */
	uint64_t seed;
};

static bool
is_used(const struct keymap_entry *entry)
{
	return entry->sides[0].offset >= 0 || entry->sides[1].offset >= 0;
}

static void
clear(struct keymap_entry *entry)
{
	entry->sides[0] = (struct keymap_state){.offset = -1};
	entry->sides[1] = (struct keymap_state){.offset = -1};
}

struct keymap_key
keymap_hash(const struct keymap *map, struct stream_bytes key)
{
	XXH128_hash_t hash =
	    XXH3_128bits_withSeed(key.data, key.size, map->seed);

	return (struct keymap_key){hash.high64, hash.low64};
}

int
keymap_new(size_t bytes, struct keymap **map, struct stream_error *err)
{
	struct keymap *new = calloc(1, sizeof(*new));
	size_t largest = LEAST;
	size_t size;

	while (largest * 2 <= bytes / sizeof(*new->entries))
		largest *= 2;
	size = largest < FIRST ? largest : FIRST;
	if (new != NULL)
		new->entries = malloc(largest * sizeof(*new->entries));
	if (new == NULL || new->entries == NULL) {
		free(new);
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	}
	if (getentropy(&new->seed, sizeof(new->seed)) != 0) {
		keymap_free(new);
		return cli_fail(err, STREAM_EIO, "no random numbers");
	}
	new->mask = size - 1;
	new->most = size - size / 4;
	new->largest = largest - 1;
	*map = new;
	return STREAM_OK;
}

void
keymap_free(struct keymap *map)
{
	if (map == NULL)
		return;
	free(map->entries);
	free(map);
}

void
keymap_restart(struct keymap *map)
{
	map->begun = false;
}

bool
keymap_next_round(struct keymap *map)
{
	if (map->begun && map->to == UINT64_MAX)
		return false;
	map->from = map->begun ? map->to + 1 : 0;
	map->to = UINT64_MAX;
	map->begun = true;
	map->count = 0;
	for (size_t i = 0; i <= map->mask; i++)
		clear(&map->entries[i]);
	return true;
}

bool
keymap_has_round(const struct keymap *map, struct keymap_key key)
{
	return key.high >= map->from && key.high <= map->to;
}

/* The entry of the key, or the free one where it would be. */
static struct keymap_entry *
locate(const struct keymap *map, struct keymap_key key)
{
	size_t i = key.low & map->mask;

	while (is_used(&map->entries[i]) &&
	       (map->entries[i].key.high != key.high ||
		   map->entries[i].key.low != key.low))
		i = (i + 1) & map->mask;
	return &map->entries[i];
}

/* Some entries became free: move those behind them to where they are looked
 * for.  Each move is to a place nearer to the first choice, so this ends. */
static void
settle(struct keymap *map)
{
	bool moved;

	do {
		moved = false;
		for (size_t i = 0; i <= map->mask; i++) {
			struct keymap_entry *entry = &map->entries[i];
			struct keymap_entry copy = *entry;
			struct keymap_entry *place;

			if (!is_used(entry))
				continue;
			clear(entry);
			place = locate(map, copy.key);
			*place = copy;
			moved = moved || place != entry;
		}
	} while (moved);
}

/* Twice the room, in place. */
static bool
grow(struct keymap *map)
{
	size_t count = map->mask + 1;

	if (map->mask == map->largest)
		return false;
	map->mask = 2 * count - 1;
	map->most = 2 * map->most;
	for (size_t i = count; i <= map->mask; i++)
		clear(&map->entries[i]);
	settle(map);
	return true;
}

/* The upper half of the round is left to the next one. */
static void
halve(struct keymap *map)
{
	while (map->count >= map->most && map->to > map->from) {
		map->to = map->from + (map->to - map->from) / 2;
		for (size_t i = 0; i <= map->mask; i++) {
			struct keymap_entry *entry = &map->entries[i];

			if (!is_used(entry) || entry->key.high <= map->to)
				continue;
			clear(entry);
			map->count--;
		}
	}
	settle(map);
}

void
keymap_prefetch(const struct keymap *map, struct keymap_key key)
{
	__builtin_prefetch(&map->entries[key.low & map->mask]);
}

void
keymap_put(struct keymap *map, struct keymap_key key, int side,
    struct keymap_state state)
{
	struct keymap_entry *entry = locate(map, key);

	if (!is_used(entry)) {
		if (map->count >= map->most) {
			if (!grow(map))
				halve(map);
			if (!keymap_has_round(map, key))
				return;
			entry = locate(map, key);
		}
		map->count++;
		entry->key = key;
	}
	entry->sides[side] = state;
}

const struct keymap_entry *
keymap_find(const struct keymap *map, struct keymap_key key)
{
	const struct keymap_entry *entry = locate(map, key);

	return is_used(entry) ? entry : NULL;
}

const struct keymap_entry *
keymap_each(const struct keymap *map, const struct keymap_entry *last)
{
	const struct keymap_entry *end = map->entries + map->mask + 1;
	const struct keymap_entry *entry =
	    last == NULL ? map->entries : last + 1;

	while (entry < end && !is_used(entry))
		entry++;
	return entry < end ? entry : NULL;
}
