#include "port/archive_choose.h"

const struct stream_archive_block *
stream_archive_block_at(const struct stream_archive_partition *partition,
    size_t i, const struct stream_archive_segment **segment)
{
	const struct stream_archive_segment *at = partition->segments;

	while (i >= at->block_count)
		i -= (at++)->block_count;
	if (segment != NULL)
		*segment = at;
	return &at->blocks[i];
}

static size_t
count_blocks(const struct stream_archive_partition *partition)
{
	size_t count = 0;

	for (size_t i = 0; i < partition->segment_count; i++)
		count += partition->segments[i].block_count;
	return count;
}

struct seek {
	const struct stream_archive_partition *partition;
	size_t count;
	bool dense;
};

static const struct stream_archive_block *
at(const struct seek *seek, size_t i)
{
	return stream_archive_block_at(seek->partition, i, NULL);
}

/* The first block with a time of at_ms or later; count: there is none. */
static size_t
find_time(const struct seek *seek, int64_t at_ms)
{
	size_t i = 0;

	while (i < seek->count && at(seek, i)->largest_ms < at_ms)
		i++;
	return i;
}

static uint64_t
offsets_in(const struct stream_archive_block *block)
{
	return (uint64_t)(block->last_offset - block->base_offset) + 1;
}

/* Where offsets are missing, only of a whole segment is it known how many
 * records it has. */
static size_t
find_last(const struct seek *seek, uint64_t records)
{
	const struct stream_archive_segment *segments =
	    seek->partition->segments;
	size_t i = seek->count;
	uint64_t sum = 0;

	if (seek->dense) {
		while (i > 0 && sum < records)
			sum += offsets_in(at(seek, --i));
		return i;
	}
	for (size_t s = seek->partition->segment_count; s > 0 && sum < records;
	     s--) {
		sum += (uint64_t)segments[s - 1].records;
		i -= segments[s - 1].block_count;
	}
	return i;
}

/* An offset that the archive does not hold: *is_held is false then. */
static size_t
find_offset(const struct seek *seek, int64_t offset, bool *is_held)
{
	size_t i = 0;

	*is_held = seek->count > 0 && offset >= at(seek, 0)->base_offset &&
		   offset <= seek->partition->next_offset;
	while (i < seek->count && at(seek, i)->last_offset < offset)
		i++;
	return i;
}

static size_t
find_first(
    const struct seek *seek, const struct stream_point *from, bool *is_held)
{
	switch (from->kind) {
	case STREAM_POINT_END:
		return seek->count;
	case STREAM_POINT_OFFSET:
		return find_offset(seek, from->value, is_held);
	case STREAM_POINT_LAST:
		return find_last(seek, (uint64_t)from->value);
	case STREAM_POINT_TIME:
		return find_time(seek, from->value);
	default:
		return 0;
	}
}

/* Behind a gap the end of what is read would lie before the offset, so there
 * one block more is. */
static size_t
end_at_offset(const struct seek *seek, int64_t offset)
{
	size_t i = 0;

	while (i < seek->count && at(seek, i)->base_offset < offset)
		i++;
	return seek->dense || i == seek->count ? i : i + 1;
}

/* The block where it begins may be read from its last record on only. */
static size_t
end_after(const struct seek *seek, size_t first, uint64_t records)
{
	uint64_t sum = 0;
	size_t i = first + 1;

	if (!seek->dense)
		return seek->count;
	while (i < seek->count && sum < records)
		sum += offsets_in(at(seek, i++));
	return i < seek->count ? i : seek->count;
}

static size_t
find_end(const struct seek *seek, size_t first, const struct stream_point *to)
{
	size_t i;

	switch (to->kind) {
	case STREAM_POINT_OFFSET:
		return end_at_offset(seek, to->value);
	case STREAM_POINT_TIME:
		i = find_time(seek, to->value);
		return i < seek->count ? i + 1 : i;
	case STREAM_POINT_AFTER:
		return end_after(seek, first, (uint64_t)to->value);
	case STREAM_POINT_START:
		return first;
	default:
		return seek->count;
	}
}

struct stream_archive_choice
stream_archive_choose(const struct stream_archive_partition *partition,
    const struct stream_range *range, bool cuts, bool dense)
{
	struct seek seek = {partition, count_blocks(partition), dense};
	struct stream_archive_choice choice = {0, seek.count, seek.count};
	bool is_held = true;

	if (!cuts || seek.count == 0)
		return choice;
	choice.first = find_first(&seek, &range->from, &is_held);
	/* The reader says what is held instead: so it must see all of it. */
	if (!is_held) {
		choice.first = 0;
		return choice;
	}
	choice.end = find_end(&seek, choice.first, &range->to);
	if (choice.end < choice.first)
		choice.end = choice.first;
	return choice;
}
