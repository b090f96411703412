/*
 * inspect_stats.c - --stats: a partition in numbers and histograms
 *
 * Memory does not depend on the log: keys are counted by their hashes, exactly
 * as long as those fit a table, and by an estimate (HyperLogLog) after that.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inspect_stats.h"

struct inspect_stats *
inspect_stats_new(struct inspect *in)
{
	struct inspect_stats *stats = calloc(1, sizeof(*stats));

	if (stats != NULL)
		stats->slots = calloc(SLOTS, sizeof(*stats->slots));
	if (stats == NULL || stats->slots == NULL) {
		free(stats);
		in->code = cli_first(
		    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
		return NULL;
	}
	stats->next_offset = -1;
	return stats;
}

void
inspect_stats_free(struct inspect_stats *stats)
{
	if (stats == NULL)
		return;
	free(stats->slots);
	free(stats);
}

/* ---- counting ----------------------------------------------------------- */

static int
bucket_of(uint64_t value)
{
	int bucket = value == 0 ? 0 : 64 - __builtin_clzll(value);

	return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static void
add_value(struct histogram *histogram, uint64_t value)
{
	histogram->count[bucket_of(value)]++;
	if (histogram->values == 0 || value < histogram->least)
		histogram->least = value;
	if (value > histogram->most)
		histogram->most = value;
	histogram->values++;
	histogram->sum += value;
}

/* FNV-1a and a finish that spreads it over all bits (splitmix64); never 0. */
static uint64_t
hash_of(struct stream_bytes key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.size; i++)
		hash = (hash ^ key.data[i]) * UINT64_C(0x100000001b3);
	hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
	hash ^= hash >> 31;
	return hash == 0 ? 1 : hash;
}

static void
add_register(struct inspect_stats *stats, uint64_t hash)
{
	size_t which = (size_t)(hash >> (64 - REGISTER_BITS));
	uint64_t rest = hash << REGISTER_BITS;
	uint8_t rank = (uint8_t)(rest == 0 ? 64 - REGISTER_BITS + 1
					   : __builtin_clzll(rest) + 1);

	if (rank > stats->registers[which])
		stats->registers[which] = rank;
}

static double
estimate(const struct inspect_stats *stats)
{
	double sum = 0;
	int zeros = 0;
	double m = REGISTERS;
	double raw;

	for (int i = 0; i < REGISTERS; i++) {
		sum += ldexp(1, -stats->registers[i]);
		zeros += stats->registers[i] == 0;
	}
	raw = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (raw <= 2.5 * m && zeros > 0)
		return m * log(m / zeros);
	return raw;
}

/* How often the key was seen by now; 0 when the table is full. */
static uint64_t
count_key(struct inspect_stats *stats, uint64_t hash)
{
	size_t at = (size_t)hash & (SLOTS - 1);

	while (stats->slots[at].hash != 0 && stats->slots[at].hash != hash)
		at = (at + 1) & (SLOTS - 1);
	if (stats->slots[at].hash == 0) {
		if (stats->distinct == SLOTS_MOST) {
			stats->is_estimate = true;
			return 0;
		}
		stats->slots[at].hash = hash;
		stats->distinct++;
	}
	return ++stats->slots[at].count;
}

/* Counts grow by one, so whoever belongs to the top passes its least. */
static void
rank_key(struct inspect_stats *stats, struct stream_bytes key, uint64_t hash,
    uint64_t count)
{
	struct top_key *least = NULL;

	for (size_t i = 0; i < stats->top_count; i++) {
		if (stats->top[i].hash == hash) {
			stats->top[i].count = count;
			return;
		}
		if (least == NULL || stats->top[i].count < least->count)
			least = &stats->top[i];
	}
	if (stats->top_count < TOP)
		least = &stats->top[stats->top_count++];
	else if (count <= least->count)
		return;
	least->hash = hash;
	least->count = count;
	least->size = key.size;
	memcpy(least->bytes, key.data,
	    key.size < TOP_BYTES ? key.size : TOP_BYTES);
}

static void
add_key(struct inspect_stats *stats, struct stream_bytes key)
{
	uint64_t hash, count;

	if (key.data == NULL) {
		stats->null_keys++;
		return;
	}
	add_value(&stats->key_bytes, key.size);
	hash = hash_of(key);
	add_register(stats, hash);
	count = count_key(stats, hash);
	if (count > 0)
		rank_key(stats, key, hash, count);
}

/* ---- time --------------------------------------------------------------- */

/* Two steps become one; the new half is free, behind or before. */
static void
widen(struct rate *rate, bool before)
{
	uint64_t count[TIMES] = {0};
	int shift = before ? TIMES / 2 : 0;

	for (int i = 0; i < TIMES; i++)
		count[shift + i / 2] += rate->count[i];
	memcpy(rate->count, count, sizeof(count));
	if (before)
		rate->start -= rate->width * TIMES;
	rate->width *= 2;
}

static void
add_to_rate(struct rate *rate, int64_t timestamp_ms)
{
	if (rate->width == 0) {
		rate->start = timestamp_ms;
		rate->width = 1;
	}
	while (timestamp_ms < rate->start)
		widen(rate, true);
	while (timestamp_ms >= rate->start + rate->width * TIMES)
		widen(rate, false);
	rate->count[(timestamp_ms - rate->start) / rate->width]++;
}

static void
add_time(struct inspect_stats *stats, int64_t timestamp_ms)
{
	if (timestamp_ms == STREAM_NO_TIMESTAMP) {
		stats->no_time++;
		return;
	}
	if (!stats->has_time || timestamp_ms < stats->least_time)
		stats->least_time = timestamp_ms;
	if (!stats->has_time || timestamp_ms > stats->most_time)
		stats->most_time = timestamp_ms;
	if (stats->has_time && timestamp_ms < stats->last_time)
		stats->out_of_order++;
	stats->last_time = timestamp_ms;
	stats->has_time = true;
	add_to_rate(&stats->rate, timestamp_ms);
}

/* ---- batches and records ------------------------------------------------ */

static void
add_offset(struct inspect_stats *stats, int64_t offset)
{
	uint64_t gap;

	if (stats->next_offset < 0)
		stats->first_offset = stats->next_offset = offset;
	if (offset > stats->next_offset) {
		gap = (uint64_t)(offset - stats->next_offset);
		stats->gaps++;
		stats->missing += gap;
		if (gap > stats->largest_gap)
			stats->largest_gap = gap;
	}
	if (offset >= stats->next_offset)
		stats->next_offset = offset + 1;
}

void
inspect_stats_batch(struct inspect_stats *stats,
    const struct stream_piece *piece, uint64_t plain_size)
{
	int codec = piece->info.attributes & CODEC;

	stats->batches++;
	stats->bytes += piece->size;
	if (piece->info.attributes & CONTROL)
		stats->control_batches++;
	add_value(&stats->batch_bytes, piece->size);
	add_value(&stats->batch_records, (uint64_t)piece->info.record_count);
	if (codec >= CODECS || piece->info.record_count == 0)
		return;
	stats->codecs[codec].batches++;
	stats->codecs[codec].stored += piece->size - 61; /* the header */
	stats->codecs[codec].plain += plain_size;
}

void
inspect_stats_records(struct inspect_stats *stats,
    const struct stream_piece *piece, const struct stream_record *records,
    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct stream_record *record = &records[i];

		add_offset(stats, record->offset);
		if (piece->info.attributes & CONTROL)
			continue;
		stats->records++;
		add_key(stats, record->key);
		add_time(stats, record->timestamp_ms);
		if (record->value.data != NULL)
			add_value(&stats->value_bytes, record->value.size);
		else
			stats->null_values++;
		stats->tombstones +=
		    record->key.data != NULL && record->value.data == NULL;
		stats->with_headers += record->header_count > 0;
	}
}

uint64_t
inspect_stats_distinct(const struct inspect_stats *stats)
{
	return stats->is_estimate ? (uint64_t)(estimate(stats) + 0.5)
				  : stats->distinct;
}
