#include "port/archive_choose.h"

#include "base/fail.h"
#include "store/topic_config.h"

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

static int64_t
log_start(const struct stream_archive_partition *partition)
{
	int64_t base = partition->segments[0].base_offset;

	return partition->log_start_offset > base ? partition->log_start_offset
						  : base;
}

/* Offsets from the log start to the next one are held, also where compaction
 * has taken the records. */
static bool
is_held(const struct seek *seek, const struct stream_point *point)
{
	const struct stream_archive_partition *partition = seek->partition;

	return point->kind != STREAM_POINT_OFFSET ||
	       (point->value >= log_start(partition) &&
		   point->value <= partition->next_offset);
}

static size_t
find_offset(const struct seek *seek, int64_t offset)
{
	size_t i = 0;

	while (i < seek->count && at(seek, i)->last_offset < offset)
		i++;
	return i;
}

static size_t
find_first(const struct seek *seek, const struct stream_range *range)
{
	size_t start = find_offset(seek, log_start(seek->partition));
	size_t first = 0, end = seek->count;

	switch (range->from.kind) {
	case STREAM_POINT_END:
		first = seek->count;
		break;
	case STREAM_POINT_OFFSET:
		first = find_offset(seek, range->from.value);
		break;
	case STREAM_POINT_LAST:
		first = find_last(seek, (uint64_t)range->from.value);
		break;
	case STREAM_POINT_TIME:
		first = find_time(seek, range->from.value);
		break;
	default:
		break;
	}
	if (first < start)
		first = start;
	/* An end that lies before must be found there as well. */
	if (range->to.kind == STREAM_POINT_OFFSET)
		end = find_offset(seek, range->to.value);
	else if (range->to.kind == STREAM_POINT_TIME)
		end = find_time(seek, range->to.value);
	if (end < first)
		return end > start ? end : start;
	return first;
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

/* What is counted from the end needs it. */
static size_t
find_end(
    const struct seek *seek, size_t first, const struct stream_range *range)
{
	const struct stream_point *to = &range->to;
	size_t i;

	if (range->from.kind == STREAM_POINT_LAST ||
	    range->from.kind == STREAM_POINT_END)
		return seek->count;
	switch (to->kind) {
	case STREAM_POINT_OFFSET:
		i = end_at_offset(seek, to->value);
		break;
	case STREAM_POINT_TIME:
		i = find_time(seek, to->value) + 1;
		break;
	case STREAM_POINT_AFTER:
		i = end_after(seek, first, (uint64_t)to->value);
		break;
	default:
		return seek->count;
	}
	/* At least one, so that the log is none without an offset; and where it
	 * begins is to be held too, if that lies behind the end. */
	if (i <= first)
		i = first + 1;
	if (range->from.kind == STREAM_POINT_OFFSET &&
	    i <= find_offset(seek, range->from.value))
		i = find_offset(seek, range->from.value) + 1;
	return i < seek->count ? i : seek->count;
}

struct stream_archive_choice
stream_archive_choose(const struct stream_archive_partition *partition,
    const struct stream_range *range, bool cuts, bool dense)
{
	struct seek seek = {partition, count_blocks(partition), dense};
	struct stream_archive_choice choice = {0, seek.count, seek.count};

	/* Of an offset that is not held the reader says what is: so it must
	 * see all of it. */
	if (!cuts || seek.count == 0 || !is_held(&seek, &range->from) ||
	    !is_held(&seek, &range->to))
		return choice;
	choice.first = find_first(&seek, range);
	choice.end = find_end(&seek, choice.first, range);
	return choice;
}

int
stream_archive_choose_by_settings(
    const struct stream_archive_partition *partition,
    const struct stream_range *range, bool transacted,
    struct stream_archive_choice *choice, struct stream_error *err)
{
	struct stream_topic_settings settings = {
	    .has_transactions = true, .has_gaps = true};
	int status = STREAM_OK;

	if (partition->settings != NULL)
		status = stream_topic_settings_parse(
		    (struct stream_bytes){(const uint8_t *)partition->settings,
			partition->settings_size},
		    partition->topic, &settings, err);
	if (status != STREAM_OK)
		return stream_fail_in(
		    err, status, "settings of %s", partition->topic);
	*choice = stream_archive_choose(partition, range,
	    !transacted || !settings.has_transactions, !settings.has_gaps);
	return STREAM_OK;
}

bool
stream_archive_choice_has(
    const struct stream_archive_choice *choice, size_t first, size_t end)
{
	if (first == end)
		return first >= choice->first && first <= choice->end;
	return first < choice->end && end > choice->first;
}
