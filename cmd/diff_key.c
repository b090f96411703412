/*
 * diff_key.c - two partitions as tables: the newest record of each key
 *
 * Both are read to fill a map of fingerprints, and read again for what differs,
 * to have the keys themselves.  What does not fit the memory is done in further
 * rounds, each over a part of the hashes.
 */
#define XXH_INLINE_ALL /* no library to link for a hash */
#include <xxhash.h>

#include "diff.h"
#include "keymap.h"

/* What counts beside the value.  Headers are hashed as they are decoded. */
static uint64_t
hash_rest(const struct stream_record *record, unsigned fields)
{
	struct stream_bytes rest = record->headers;
	struct stream_header header;
	uint64_t hash = 0;

	while ((fields & DIFF_HEADERS) != 0 &&
	       stream_header_take(&rest, &header)) {
		uint64_t parts[] = {hash,
		    XXH3_64bits(header.name.data, header.name.size),
		    header.value.data == NULL
			? 1
			: XXH3_64bits(header.value.data, header.value.size)};

		hash = XXH3_64bits(parts, sizeof(parts));
	}
	if ((fields & DIFF_TIMESTAMP) != 0)
		hash = XXH3_64bits_withSeed(
		    &record->timestamp_ms, sizeof(record->timestamp_ms), hash);
	if ((fields & DIFF_OFFSET) != 0)
		hash = XXH3_64bits_withSeed(
		    &record->offset, sizeof(record->offset), hash);
	return hash;
}

static struct keymap_state
state_of(const struct stream_record *record, unsigned fields)
{
	struct keymap_state state = {.offset = record->offset};

	if (record->value.data == NULL)
		return state;
	state.value = XXH3_64bits(record->value.data, record->value.size) | 1;
	state.rest = hash_rest(record, fields);
	return state;
}

static bool
is_there(struct keymap_state state)
{
	return state.value != 0;
}

static unsigned
compare(const struct keymap_entry *entry, unsigned fields)
{
	unsigned differ = 0;

	if (entry->sides[DIFF_A].value != entry->sides[DIFF_B].value)
		differ |= DIFF_VALUE;
	if (entry->sides[DIFF_A].rest != entry->sides[DIFF_B].rest)
		differ |= fields & (unsigned)~DIFF_VALUE;
	return differ;
}

/* A place for each side and the map of the round. */
struct tables {
	struct diff *diff;
	const struct stream_place *places[2];
	struct keymap *map;
	bool is_first; /* round */
};

/* Called for each record with a key of this round. */
typedef int (*visit_fn)(struct tables *tables, enum diff_side side,
    const struct stream_record *record, struct keymap_key key,
    struct stream_error *err);

static int
visit_all(struct tables *tables, enum diff_side side, visit_fn visit,
    struct stream_error *err)
{
	struct diff_cursor cursor = {0};
	int status = diff_cursor_open(
	    &cursor, tables->diff, side, tables->places[side], err);

	while (status == STREAM_OK && !diff_is_done(tables->diff)) {
		const struct stream_record *record;
		struct keymap_key key = {0};

		status = diff_cursor_peek(&cursor, &record, err);
		if (status != STREAM_OK || record == NULL)
			break;
		if (record->key.data != NULL)
			key = keymap_hash(tables->map, record->key);
		if (record->key.data == NULL ||
		    keymap_has_round(tables->map, key))
			status = visit(tables, side, record, key, err);
		diff_cursor_next(&cursor);
	}
	diff_cursor_close(&cursor);
	return status;
}

static int
fill(struct tables *tables, enum diff_side side,
    const struct stream_record *record, struct keymap_key key,
    struct stream_error *err)
{
	(void)err;
	if (record->key.data != NULL)
		keymap_put(tables->map, key, (int)side,
		    state_of(record, tables->diff->fields));
	else if (tables->is_first)
		tables->diff->counts.keyless++;
	return STREAM_OK;
}

/* Tell of the key if this is its newest record on this side, and it differs;
 * of one that is on both sides, when A is read. */
static int
tell(struct tables *tables, enum diff_side side,
    const struct stream_record *record, struct keymap_key key,
    struct stream_error *err)
{
	const struct keymap_entry *entry;
	unsigned fields;

	if (record->key.data == NULL)
		return STREAM_OK;
	entry = keymap_find(tables->map, key);
	if (entry == NULL || entry->sides[side].offset != record->offset ||
	    !is_there(entry->sides[side]))
		return STREAM_OK;
	if (!is_there(entry->sides[1 - side]))
		return diff_tell_only(tables->diff, side, record, err);
	fields = compare(entry, tables->diff->fields);
	if (side == DIFF_B || fields == 0)
		return STREAM_OK;
	return diff_tell_changed(
	    tables->diff, record, entry->sides[DIFF_B].offset, fields, err);
}

/* Count the keys that are equal; *differ if not all are. */
static void
count_equal(struct tables *tables, bool *differ)
{
	const struct keymap_entry *entry = NULL;

	*differ = false;
	while ((entry = keymap_each(tables->map, entry)) != NULL)
		if (compare(entry, tables->diff->fields) != 0)
			*differ = true;
		else if (is_there(entry->sides[DIFF_A]))
			tables->diff->counts.equal++;
}

static int
compare_round(struct tables *tables, struct stream_error *err)
{
	bool differ;
	int status = visit_all(tables, DIFF_A, fill, err);

	if (status == STREAM_OK)
		status = visit_all(tables, DIFF_B, fill, err);
	if (status != STREAM_OK)
		return status;
	count_equal(tables, &differ);
	if (differ)
		status = visit_all(tables, DIFF_A, tell, err);
	if (differ && status == STREAM_OK)
		status = visit_all(tables, DIFF_B, tell, err);
	tables->is_first = false;
	return status;
}

int
diff_by_key(struct diff *diff, const struct stream_place *a,
    const struct stream_place *b, struct stream_error *err)
{
	struct tables tables = {
	    .diff = diff, .places = {a, b}, .is_first = true};
	int status = keymap_new(diff->memory, &tables.map, err);

	while (status == STREAM_OK && !diff_is_done(diff) &&
	       keymap_next_round(tables.map))
		status = compare_round(&tables, err);
	keymap_free(tables.map);
	return status;
}
