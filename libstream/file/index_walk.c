/*
 * index_walk.c - the entries of an index file, one after another
 *
 * SPEC section 5.  Nothing is believed here: what stands in the file is given
 * out, and a live segment's zeros at the end are told from entries.
 */
#include <stream/inspect.h>

#include <fcntl.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "file/index.h"
#include "file/index_entries.h"
#include "file/index_txn.h"

struct stream_index_walk {
	enum stream_file_kind kind;
	int64_t base_offset;
	struct stream_index_summary summary;
	struct stream_entries entries;
};

static size_t
slot_size(enum stream_file_kind kind)
{
	switch (kind) {
	case STREAM_FILE_INDEX:
		return STREAM_INDEX_ENTRY;
	case STREAM_FILE_TIMEINDEX:
		return STREAM_TIMEINDEX_ENTRY;
	case STREAM_FILE_TXNINDEX:
		return STREAM_TXNINDEX_ENTRY;
	default:
		return 0;
	}
}

static void
decode(const struct stream_index_walk *walk, const uint8_t *p,
    struct stream_index_entry *entry)
{
	*entry = (struct stream_index_entry){.number = walk->entries.next};
	if (walk->kind == STREAM_FILE_TXNINDEX) {
		entry->version = (int16_t)stream_load16(p);
		entry->producer_id = (int64_t)stream_load64(p + 2);
		entry->first_offset = (int64_t)stream_load64(p + 10);
		entry->last_offset = (int64_t)stream_load64(p + 18);
		entry->last_stable_offset = (int64_t)stream_load64(p + 26);
		entry->offset = entry->last_offset;
		return;
	}
	if (walk->kind == STREAM_FILE_TIMEINDEX) {
		entry->timestamp_ms = (int64_t)stream_load64(p);
		p += 8;
	} else {
		entry->position = (int32_t)stream_load32(p + 4);
	}
	entry->relative_offset = (int32_t)stream_load32(p);
	if (__builtin_add_overflow(
		walk->base_offset, entry->relative_offset, &entry->offset))
		entry->offset = INT64_MAX;
}

/* A slot by its number; one behind those in use is all zeros. */
static int
look_at(struct stream_index_walk *walk, uint64_t slot,
    struct stream_index_entry *entry, struct stream_error *err)
{
	static const uint8_t zeros[STREAM_TXNINDEX_ENTRY];
	const uint8_t *bytes = zeros;
	int status = STREAM_OK;

	walk->entries.next = slot;
	if (slot < walk->entries.count)
		status = stream_entries_peek(&walk->entries, &bytes, err);
	if (status == STREAM_OK)
		decode(walk, bytes, entry);
	walk->entries.next = 0;
	return status;
}

/* The last slot, zeros included, against the base and the first one. */
static int
check_sanity(struct stream_index_walk *walk, struct stream_error *err)
{
	struct stream_index_summary *summary = &walk->summary;
	struct stream_index_entry first, last;
	int status;

	summary->is_sane = summary->odd == 0;
	if (summary->slots == 0)
		return STREAM_OK;
	status = look_at(walk, 0, &first, err);
	if (status == STREAM_OK)
		status = look_at(walk, summary->slots - 1, &last, err);
	if (status != STREAM_OK)
		return status == STREAM_END ? STREAM_OK : status;
	if (last.offset < walk->base_offset ||
	    last.timestamp_ms < first.timestamp_ms || last.version != 0)
		summary->is_sane = false;
	return STREAM_OK;
}

static int
sum_up(struct stream_index_walk *walk, struct stream_error *err)
{
	const struct stream_entries *entries = &walk->entries;

	walk->summary = (struct stream_index_summary){
	    .size = entries->size,
	    .slots = entries->count + stream_entries_zero_slots(entries),
	    .entries = entries->count,
	    .odd = (uint32_t)stream_entries_rest(entries),
	};
	return check_sanity(walk, err);
}

int
stream_index_walk_open(const char *path, enum stream_file_kind kind,
    int64_t base_offset, struct stream_index_walk **walk,
    struct stream_error *err)
{
	struct stream_index_walk *new;
	int status;

	if (slot_size(kind) == 0)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: not an index file", path);
	new = calloc(1, sizeof(*new));
	if (new == NULL)
		return stream_fail_memory(err);
	new->kind = kind;
	new->base_offset = base_offset;
	stream_entries_init(&new->entries);
	status = stream_entries_open(
	    &new->entries, AT_FDCWD, path, slot_size(kind), err);
	if (status == STREAM_OK)
		status = sum_up(new, err);
	if (status == STREAM_OK)
		*walk = new;
	else
		stream_index_walk_close(new);
	return status;
}

void
stream_index_walk_close(struct stream_index_walk *walk)
{
	if (walk == NULL)
		return;
	stream_entries_close(&walk->entries);
	free(walk);
}

void
stream_index_walk_summary(
    const struct stream_index_walk *walk, struct stream_index_summary *summary)
{
	*summary = walk->summary;
}

int
stream_index_walk_next(struct stream_index_walk *walk,
    struct stream_index_entry *entry, struct stream_error *err)
{
	const uint8_t *bytes;
	int status = stream_entries_peek(&walk->entries, &bytes, err);

	if (status != STREAM_OK)
		return status;
	decode(walk, bytes, entry);
	walk->entries.next++;
	return STREAM_OK;
}
