#include "log/compact_result.h"

/* Of those that were there before the first round. */
static void
note_replaced(struct stream_compact_result *result, size_t first, size_t count)
{
	const struct stream_compact *compact = result->c->compact;
	const int64_t *bases = result->c->look.bases + first;

	for (size_t i = 0; i < compact->count; i++)
		if (compact->segments[i].base_offset >= bases[0] &&
		    compact->segments[i].base_offset < bases[count])
			result->c->replaced[i] = true;
}

void
stream_compact_result_join(
    struct stream_compact_result *result, size_t first, size_t count)
{
	note_replaced(result, first, count);
	result->segments_out -= (uint32_t)count - 1;
}

/* The last two, of which the first may stand for several, become one. */
static void
plan_join(struct stream_compact_result *result, size_t end)
{
	struct stream_compact *compact = result->c->compact;
	size_t from = result->empty_from;
	int64_t group = compact->segments[from].group;

	if (group < 0)
		group = result->groups++;
	for (size_t i = from; i < end; i++) {
		compact->segments[i].group = group;
		stream_compact_tell(&compact->sum, &compact->segments[i]);
	}
	note_replaced(result, from, end - from);
	result->segments_out--;
}

/* A segment that comes of those from first up to end. */
static void
add_one(struct stream_compact_result *result, size_t first, size_t end,
    bool is_empty)
{
	if (is_empty && !result->is_empty)
		result->empty_from = first;
	if (is_empty && result->is_empty) {
		result->has_empty = true;
		if (!result->writes)
			plan_join(result, end);
	}
	result->is_empty = is_empty;
}

void
stream_compact_result_add(struct stream_compact_result *result, size_t first,
    size_t count, bool is_written, uint64_t bytes)
{
	const struct stream_compact_facts *facts = result->c->look.segments;

	result->segments_in += (uint32_t)count;
	result->segments_out += is_written ? 1 : (uint32_t)count;
	if (is_written) {
		note_replaced(result, first, count);
		add_one(result, first, first + count, bytes == 0);
		return;
	}
	for (size_t i = first; i < first + count; i++)
		add_one(result, i, i + 1, facts[i].bytes == 0);
}

/* What a round gave out, the next one takes in. */
void
stream_compact_result_sum(struct stream_compact_result *result)
{
	struct stream_compacted *sum = &result->c->compact->sum;

	sum->segments_in += result->segments_in - sum->segments_out;
	sum->segments_out = result->segments_out;
	sum->segments_same = sum->segments_in;
	for (size_t i = 0; i < result->c->compact->count; i++)
		sum->segments_same -= result->c->replaced[i];
}
