#include "port/archive_parts.h"

#include <stdlib.h>

#include "base/fail.h"

/*
 * The first part is small, for one who wants a few records; each is twice the
 * one before, so that no more is unpacked than twice what is read, in few
 * files.  The largest are still in memory when they are read.
 */
enum { PART_FIRST = 4 << 20, PART_MOST = 64 << 20 };

/* What follows the last block belongs to it too. */
#define WHOLE UINT64_MAX

static int
add(struct stream_parts *parts, const struct stream_part *part,
    struct stream_error *err)
{
	if (parts->count == parts->capacity) {
		size_t capacity =
		    parts->capacity == 0 ? 4 : parts->capacity * 2;
		void *bigger =
		    realloc(parts->items, capacity * sizeof(*parts->items));

		if (bigger == NULL)
			return stream_fail_memory(err);
		parts->items = bigger;
		parts->capacity = capacity;
	}
	parts->items[parts->count++] = *part;
	return STREAM_OK;
}

/*
 * What begins in the middle of a segment is named by the offset after the block
 * before it: what is missing there is missing in the log too.
 */
static int64_t
name_part(const struct stream_archive_segment *segment, size_t first)
{
	if (first > 0)
		return segment->blocks[first - 1].last_offset + 1;
	return segment->base_offset;
}

/* The block after those from first on that make up so many bytes. */
static size_t
find_end(const struct stream_archive_segment *segment, size_t first, size_t end,
    uint64_t bytes)
{
	uint64_t sum = 0;
	size_t i = first;

	while (i < end && sum < bytes)
		sum += segment->blocks[i++].bytes;
	return i;
}

/* Blocks of one segment; one without any is a part all the same, of which
 * nothing is to come. */
static int
add_segment(struct stream_parts *parts,
    const struct stream_archive_segment *segment, size_t first, size_t end,
    uint64_t *bytes, struct stream_error *err)
{
	int status;

	do {
		struct stream_part part = {
		    .filled = first == end && *bytes != WHOLE,
		    .segment = segment,
		    .first = first,
		    .end = find_end(segment, first, end, *bytes),
		    .base_offset = name_part(segment, first),
		};

		status = add(parts, &part, err);
		first = part.end;
		if (*bytes < PART_MOST)
			*bytes *= 2;
	} while (status == STREAM_OK && first < end);
	return status;
}

int
stream_parts_plan(struct stream_parts *parts,
    const struct stream_archive_partition *partition,
    const struct stream_archive_choice *choice, bool whole,
    struct stream_error *err)
{
	uint64_t bytes = whole ? WHOLE : PART_FIRST;
	int status = STREAM_OK;
	size_t before = 0;

	for (size_t i = 0; i < partition->segment_count && status == STREAM_OK;
	     i++) {
		const struct stream_archive_segment *segment =
		    &partition->segments[i];
		size_t after = before + segment->block_count;
		size_t first = 0, end = segment->block_count;

		if (!whole && choice->first > before)
			first = choice->first - before;
		if (!whole && choice->end < after)
			end = choice->end - before;
		if (stream_archive_choice_has(choice, before, after))
			status = add_segment(
			    parts, segment, first, end, &bytes, err);
		before = after;
	}
	return status;
}

void
stream_parts_release(struct stream_parts *parts)
{
	free(parts->items);
	*parts = (struct stream_parts){0};
}

static int
by_base(const void *key, const void *item)
{
	const int64_t *base = key;
	const struct stream_part *part = item;

	if (*base == part->base_offset)
		return 0;
	return *base < part->base_offset ? -1 : 1;
}

struct stream_part *
stream_parts_find(const struct stream_parts *parts, int64_t base_offset)
{
	if (parts->count == 0)
		return NULL;
	return bsearch(&base_offset, parts->items, parts->count,
	    sizeof(*parts->items), by_base);
}
