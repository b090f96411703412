/*
 * index_walk.c - the entries of an index file, one after another
 *
 * SPEC section 5.  Nothing is believed here: what stands in the file is given
 * out, and a live segment's zeros at the end are told from entries.
 */
#include <stream/inspect.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fail.h"
#include "file/io.h"

/* Slots that are read at once. */
enum { BLOCK = 2048, SLOT_MOST = 34 };

struct stream_index_walk {
	int fd;
	enum stream_file_kind kind;
	size_t slot_size;
	int64_t base_offset;
	struct stream_index_summary summary;
	uint64_t next;  /* slot to give out */
	uint64_t first; /* slot at block[0] */
	size_t loaded;  /* slots in block */
	uint8_t block[BLOCK * SLOT_MOST];
};

static size_t
slot_size(enum stream_file_kind kind)
{
	switch (kind) {
	case STREAM_FILE_INDEX:
		return 8;
	case STREAM_FILE_TIMEINDEX:
		return 12;
	case STREAM_FILE_TXNINDEX:
		return 34;
	default:
		return 0;
	}
}

static int
load(struct stream_index_walk *walk, uint64_t from, size_t count,
    struct stream_error *err)
{
	size_t got;
	int status = stream_io_read_at(walk->fd, walk->block,
	    count * walk->slot_size, from * walk->slot_size, &got, err);

	if (status != STREAM_OK)
		return status;
	walk->first = from;
	walk->loaded = got / walk->slot_size;
	return STREAM_OK;
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

/* Slots without the zeros at the end, by blocks from there. */
static int
count_entries(struct stream_index_walk *walk, struct stream_error *err)
{
	uint64_t left = walk->summary.slots;

	while (left > 0) {
		size_t n = left < BLOCK ? (size_t)left : BLOCK;
		int status = load(walk, left - n, n, err);

		if (status != STREAM_OK)
			return status;
		for (; n > 0; n--, left--)
			if (n <= walk->loaded &&
			    !is_zero(walk->block + (n - 1) * walk->slot_size,
				walk->slot_size)) {
				walk->summary.entries = left;
				return STREAM_OK;
			}
	}
	return STREAM_OK;
}

static void
decode(const struct stream_index_walk *walk, const uint8_t *p,
    struct stream_index_entry *entry)
{
	*entry = (struct stream_index_entry){.number = walk->next};
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

static int
load_one(struct stream_index_walk *walk, uint64_t slot,
    struct stream_index_entry *entry, struct stream_error *err)
{
	int status = load(walk, slot, 1, err);

	if (status == STREAM_OK && walk->loaded == 0)
		return STREAM_END;
	if (status == STREAM_OK)
		decode(walk, walk->block, entry);
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
	status = load_one(walk, 0, &first, err);
	if (status == STREAM_OK)
		status = load_one(walk, summary->slots - 1, &last, err);
	if (status != STREAM_OK)
		return status == STREAM_END ? STREAM_OK : status;
	if (last.offset < walk->base_offset ||
	    last.timestamp_ms < first.timestamp_ms || last.version != 0)
		summary->is_sane = false;
	return STREAM_OK;
}

static int
prepare(struct stream_index_walk *walk, struct stream_error *err)
{
	struct stream_index_summary *summary = &walk->summary;
	int status = stream_io_size(walk->fd, &summary->size, err);

	if (status != STREAM_OK)
		return status;
	summary->slots = summary->size / walk->slot_size;
	summary->odd = (uint32_t)(summary->size % walk->slot_size);
	status = count_entries(walk, err);
	if (status == STREAM_OK)
		status = check_sanity(walk, err);
	walk->loaded = 0;
	return status;
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
	new->slot_size = slot_size(kind);
	new->base_offset = base_offset;
	status = stream_io_open(AT_FDCWD, path, O_RDONLY, &new->fd, err);
	if (status != STREAM_OK)
		new->fd = -1;
	if (status == STREAM_OK)
		status = prepare(new, err);
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
	if (walk->fd >= 0)
		close(walk->fd);
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
	if (walk->next >= walk->summary.entries)
		return STREAM_END;
	if (walk->loaded == 0 || walk->next >= walk->first + walk->loaded) {
		uint64_t left = walk->summary.entries - walk->next;
		int status = load(
		    walk, walk->next, left < BLOCK ? (size_t)left : BLOCK, err);

		if (status != STREAM_OK)
			return status;
		/* Cut meanwhile: what is gone needs no word. */
		if (walk->loaded == 0)
			return STREAM_END;
	}
	decode(walk,
	    walk->block + (size_t)(walk->next - walk->first) * walk->slot_size,
	    entry);
	walk->next++;
	return STREAM_OK;
}
