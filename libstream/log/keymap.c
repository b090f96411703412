/*
 * Open addressing, one slot after the other.  At nine tenths full, where
 * Kafka stops as well, a key that is not there takes some fifty slots of
 * looking, but they lie side by side.
 */
#include "log/keymap.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "file/pages.h"
#include "file/random.h"

enum {
	FULL_TENTHS = 9,
	MIN_SLOTS = 2,      /* one of them stays free: it ends every search */
	FIRST_SLOTS = 1024, /* or more, up to GROWTH times as many */
	GROWTH = 4
};

/* An empty slot is all zeros, as memory comes from the kernel: hence one more
 * than the offset. */
struct slot {
	struct stream_key key;
	uint64_t next_offset;
};

_Static_assert(sizeof(struct slot) == STREAM_KEYMAP_SLOT, "no padding");

struct stream_keymap {
	struct slot
	    *slots; /* slot_most of them, of which slot_count are used */
	size_t slot_count;
	size_t slot_most;
	size_t count;
	size_t room; /* in slot_count */
	uint64_t seed;
	/* A bit for each offset from index_from on, index_count of them. */
	uint64_t *index; /* owned; NULL: none */
	int64_t index_from;
	uint64_t index_count;
};

/* A slot is found from 32 bits of a hash. */
#define MAX_SLOTS ((uint64_t)UINT32_MAX)

static size_t
room_of(size_t slots)
{
	size_t room = slots * FULL_TENTHS / 10;

	return room ? room : 1;
}

size_t
stream_keymap_size(uint64_t keys)
{
	uint64_t slots = keys >= MAX_SLOTS * FULL_TENTHS / 10
			     ? MAX_SLOTS
			     : (keys * 10 + FULL_TENTHS - 1) / FULL_TENTHS;

	if (slots < MIN_SLOTS)
		slots = MIN_SLOTS;
	return (size_t)slots * sizeof(struct slot);
}

/* So that GROWTH leads from it to the most without a remainder that counts. */
static size_t
first_count(size_t most)
{
	while (most / GROWTH >= FIRST_SLOTS)
		most /= GROWTH;
	return most;
}

int
stream_keymap_new(
    size_t bytes, struct stream_keymap **map, struct stream_error *err)
{
	struct stream_keymap *made = calloc(1, sizeof(*made));
	size_t slots = bytes / sizeof(struct slot);
	void *pages;
	int status;

	if (!made)
		return stream_fail_memory(err);
	if (slots < MIN_SLOTS)
		slots = MIN_SLOTS;
	if (slots > MAX_SLOTS)
		slots = MAX_SLOTS;
	status = stream_random((uint8_t *)&made->seed, sizeof(made->seed), err);
	if (status == STREAM_OK)
		status =
		    stream_pages_new(slots * sizeof(struct slot), &pages, err);
	if (status != STREAM_OK) {
		free(made);
		return status;
	}
	made->slots = pages;
	made->slot_most = slots;
	made->slot_count = first_count(slots);
	made->room = room_of(made->slot_count);
	*map = made;
	return STREAM_OK;
}

void
stream_keymap_free(struct stream_keymap *map)
{
	if (!map)
		return;
	free(map->index);
	stream_pages_free(map->slots, map->slot_most * sizeof(struct slot));
	free(map);
}

void
stream_keymap_clear(struct stream_keymap *map)
{
	if (map->count)
		memset(map->slots, 0, map->slot_count * sizeof(struct slot));
	map->count = 0;
	free(map->index);
	map->index = NULL;
	map->index_count = 0;
}

struct stream_key
stream_keymap_hash(const struct stream_keymap *map, struct stream_bytes key)
{
	struct stream_hash_wide hash =
	    stream_hash_wide(key.data, key.size, map->seed);

	return (struct stream_key){hash.high, hash.low};
}

static size_t
first_slot(const struct stream_keymap *map, struct stream_key key)
{
	return (size_t)(((key.high >> 32) * map->slot_count) >> 32);
}

void
stream_keymap_prefetch(const struct stream_keymap *map, struct stream_key key)
{
	const struct slot *slot = &map->slots[first_slot(map, key)];

	/* A quarter of them lie on two lines. */
	__builtin_prefetch(slot);
	__builtin_prefetch(&slot->next_offset);
}

/* The slot that holds key, or the empty one where it would go. */
static struct slot *
look(const struct stream_keymap *map, struct stream_key key)
{
	size_t at = first_slot(map, key);

	for (;;) {
		struct slot *slot = &map->slots[at];

		if (!slot->next_offset ||
		    (slot->key.high == key.high && slot->key.low == key.low))
			return slot;
		if (++at == map->slot_count)
			at = 0;
	}
}

/* ---- growing ------------------------------------------------------------ */

/* What division left out is made up for by the last step, not by one more. */
static size_t
next_count(const struct stream_keymap *map)
{
	size_t next = map->slot_count * GROWTH;

	return next > map->slot_most / 2 ? map->slot_most : next;
}

/*
 * A key's slot is its hash's place in the whole, so it grows with the table,
 * and most keys belong behind the slots that were used so far: those move at
 * once.  The others, one in GROWTH, are set aside until their slots are free.
 * false, and nothing has changed: no memory for those.
 */
static bool
grow(struct stream_keymap *map)
{
	size_t old = map->slot_count;
	struct slot *aside = malloc(map->count * sizeof(*aside));
	size_t count = 0;

	if (!aside)
		return false;
	map->slot_count = next_count(map);
	map->room = room_of(map->slot_count);
	for (size_t i = 0; i < old; i++) {
		const struct slot *slot = &map->slots[i];
		struct slot *to;

		if (!slot->next_offset)
			continue;
		/* A search can come round to the front. */
		to = first_slot(map, slot->key) < old ? map->slots
						      : look(map, slot->key);
		if (to < map->slots + old)
			aside[count++] = *slot;
		else
			*to = *slot;
	}
	memset(map->slots, 0, old * sizeof(*map->slots));
	for (size_t i = 0; i < count; i++)
		*look(map, aside[i].key) = aside[i];
	free(aside);
	return true;
}

/* ---- using it ----------------------------------------------------------- */

bool
stream_keymap_put(
    struct stream_keymap *map, struct stream_key key, int64_t offset)
{
	struct slot *slot = look(map, key);
	uint64_t next_offset = (uint64_t)offset + 1;

	if (!slot->next_offset) {
		if (map->count == map->room) {
			if (map->slot_count == map->slot_most || !grow(map))
				return false;
			slot = look(map, key);
		}
		map->count++;
		slot->key = key;
	}
	if (next_offset > slot->next_offset)
		slot->next_offset = next_offset;
	return true;
}

int64_t
stream_keymap_find(const struct stream_keymap *map, struct stream_key key)
{
	return (int64_t)look(map, key)->next_offset - 1;
}

/* ---- by offset ---------------------------------------------------------- */

/* A sixteenth of the slots' memory is not worth a word; more would be. */
static bool
is_worth_it(const struct stream_keymap *map, int64_t from, int64_t to)
{
	size_t most = map->slot_most * sizeof(struct slot) / 16 + 4096;

	return to > from && (uint64_t)(to - from) / 8 < most;
}

void
stream_keymap_index(struct stream_keymap *map, int64_t from, int64_t to)
{
	uint64_t count = (uint64_t)(to - from);

	free(map->index);
	map->index = NULL;
	map->index_count = 0;
	if (!is_worth_it(map, from, to))
		return;
	map->index = calloc(count / 64 + 1, sizeof(*map->index));
	if (!map->index)
		return;
	map->index_from = from;
	map->index_count = count;
	for (size_t i = 0; i < map->slot_count; i++) {
		uint64_t at = map->slots[i].next_offset - 1 - (uint64_t)from;

		if (map->slots[i].next_offset && at < count)
			map->index[at / 64] |= UINT64_C(1) << (at % 64);
	}
}

bool
stream_keymap_has_index(const struct stream_keymap *map, int64_t offset)
{
	return (uint64_t)offset - (uint64_t)map->index_from < map->index_count;
}

bool
stream_keymap_is_newest(const struct stream_keymap *map, int64_t offset)
{
	uint64_t at = (uint64_t)offset - (uint64_t)map->index_from;

	return map->index[at / 64] >> (at % 64) & 1;
}

size_t
stream_keymap_count(const struct stream_keymap *map)
{
	return map->count;
}

size_t
stream_keymap_room(const struct stream_keymap *map)
{
	return room_of(map->slot_most);
}
