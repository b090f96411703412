/*
 * inspect_stats.c - --stats: a partition in numbers and histograms
 *
 * Memory does not depend on the log: keys are counted by their hashes, exactly
 * as long as those fit a table, and by an estimate (HyperLogLog) after that.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

enum {
	CODEC = 0x07,
	CONTROL = 1 << 5,
	CODECS = 5,
	/* Powers of two: 0, 1, 2-3, 4-7 ... */
	BUCKETS = 34,
	/* 32 MiB of slots, three quarters of which are used. */
	SLOTS = 1 << 21,
	SLOTS_MOST = SLOTS / 4 * 3,
	TOP = 10,
	TOP_BYTES = 64,     /* of a key that are kept */
	REGISTER_BITS = 14, /* an error of 0.8 % */
	REGISTERS = 1 << REGISTER_BITS,
	TIMES = 32, /* steps of the rate over time */
	BAR = 40    /* characters of the longest bar */
};

struct histogram {
	uint64_t count[BUCKETS];
	uint64_t values;
	uint64_t sum;
	uint64_t least;
	uint64_t most;
};

struct codec_stats {
	uint64_t batches;
	uint64_t stored; /* bytes of the records sections */
	uint64_t plain;  /* the same, decompressed */
};

struct key_slot {
	uint64_t hash; /* 0: free */
	uint64_t count;
};

struct top_key {
	uint64_t hash;
	uint64_t count;
	size_t size; /* of the whole key */
	uint8_t bytes[TOP_BYTES];
};

/* Records by time: steps of one width, which doubles when they do not reach;
 * start may be anything that a file claims. */
struct rate {
	__int128 start;
	__int128 width; /* 0: nothing yet */
	uint64_t count[TIMES];
};

struct inspect_stats {
	uint64_t batches;
	uint64_t control_batches;
	uint64_t records;
	uint64_t bytes;
	struct codec_stats codecs[CODECS];
	struct histogram batch_bytes;
	struct histogram batch_records;
	struct histogram key_bytes;
	struct histogram value_bytes;

	uint64_t null_keys;
	uint64_t null_values;
	uint64_t tombstones; /* a key and a null value */
	uint64_t with_headers;
	struct key_slot *slots;
	uint64_t distinct; /* in slots */
	bool is_estimate;
	uint8_t registers[REGISTERS];
	struct top_key top[TOP];
	size_t top_count;

	int64_t first_offset;
	int64_t next_offset; /* -1: none yet */
	uint64_t gaps;
	uint64_t missing;
	uint64_t largest_gap;

	int64_t least_time;
	int64_t most_time;
	int64_t last_time;
	bool has_time;
	uint64_t no_time;
	uint64_t out_of_order;
	struct rate rate;
};

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

/* ---- JSON --------------------------------------------------------------- */

static uint64_t
bucket_least(int bucket)
{
	return bucket == 0 ? 0 : (uint64_t)1 << (bucket - 1);
}

static double
ratio(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (double)part / (double)whole;
}

static void
put_histogram_json(
    struct json_line *json, const char *name, const struct histogram *histogram)
{
	line_open(json, name, '{');
	line_uint(json, "values", histogram->values);
	line_uint(json, "sum", histogram->sum);
	line_uint(json, "min", histogram->least);
	line_uint(json, "max", histogram->most);
	line_real(json, "mean", ratio(histogram->sum, histogram->values));
	line_open(json, "buckets", '[');
	for (int i = 0; i < BUCKETS; i++) {
		if (histogram->count[i] == 0)
			continue;
		line_open(json, NULL, '{');
		line_uint(json, "from", bucket_least(i));
		line_uint(json, "count", histogram->count[i]);
		line_close(json, '}');
	}
	line_close(json, ']');
	line_close(json, '}');
}

static void
put_codecs_json(struct json_line *json, const struct inspect_stats *stats)
{
	line_open(json, "codecs", '[');
	for (int i = 0; i < CODECS; i++) {
		const struct codec_stats *codec = &stats->codecs[i];

		if (codec->batches == 0)
			continue;
		line_open(json, NULL, '{');
		line_text(
		    json, "codec", stream_codec_name((enum stream_codec)i));
		line_uint(json, "batches", codec->batches);
		line_uint(json, "stored_bytes", codec->stored);
		line_uint(json, "plain_bytes", codec->plain);
		line_real(json, "ratio", ratio(codec->plain, codec->stored));
		line_close(json, '}');
	}
	line_close(json, ']');
}

static int
compare_top(const void *a, const void *b)
{
	const struct top_key *x = a, *y = b;

	if (x->count != y->count)
		return (x->count < y->count) - (x->count > y->count);
	return (x->hash > y->hash) - (x->hash < y->hash);
}

static struct stream_bytes
shown_key(const struct top_key *top)
{
	return (struct stream_bytes){
	    top->bytes, top->size < TOP_BYTES ? top->size : TOP_BYTES};
}

static uint64_t
distinct_keys(const struct inspect_stats *stats)
{
	return stats->is_estimate ? (uint64_t)(estimate(stats) + 0.5)
				  : stats->distinct;
}

static void
put_keys_json(struct json_line *json, const struct inspect_stats *stats)
{
	line_open(json, "keys", '{');
	line_uint(json, "distinct", distinct_keys(stats));
	line_bool(json, "is_estimate", stats->is_estimate);
	line_uint(json, "null", stats->null_keys);
	line_uint(json, "tombstones", stats->tombstones);
	line_open(json, "top", '[');
	for (size_t i = 0; i < stats->top_count; i++) {
		line_open(json, NULL, '{');
		line_bytes(json, "key", shown_key(&stats->top[i]));
		line_uint(json, "key_size", stats->top[i].size);
		line_uint(json, "count", stats->top[i].count);
		line_close(json, '}');
	}
	line_close(json, ']');
	line_close(json, '}');
}

static void
put_time_json(struct json_line *json, const struct inspect_stats *stats)
{
	line_open(json, "timestamps", '{');
	line_int(json, "min",
	    stats->has_time ? stats->least_time : STREAM_NO_TIMESTAMP);
	line_int(json, "max",
	    stats->has_time ? stats->most_time : STREAM_NO_TIMESTAMP);
	line_uint(json, "none", stats->no_time);
	line_uint(json, "out_of_order", stats->out_of_order);
	line_close(json, '}');
	line_open(json, "rate", '[');
	for (int i = 0; i < TIMES; i++) {
		if (stats->rate.count[i] == 0)
			continue;
		line_open(json, NULL, '{');
		line_int(json, "from",
		    (int64_t)(stats->rate.start + i * stats->rate.width));
		line_int(json, "ms", (int64_t)stats->rate.width);
		line_uint(json, "records", stats->rate.count[i]);
		line_close(json, '}');
	}
	line_close(json, ']');
}

static void
put_json(struct inspect *in, const struct inspect_stats *stats)
{
	struct json_line *json = &in->json;

	inspect_begin(in, "stats");
	line_uint(json, "segments", in->count_segments);
	line_uint(json, "batches", stats->batches);
	line_uint(json, "control_batches", stats->control_batches);
	line_uint(json, "records", stats->records);
	line_uint(json, "bytes", stats->bytes);
	put_codecs_json(json, stats);
	put_histogram_json(json, "batch_bytes", &stats->batch_bytes);
	put_histogram_json(json, "records_per_batch", &stats->batch_records);
	put_histogram_json(json, "key_bytes", &stats->key_bytes);
	put_histogram_json(json, "value_bytes", &stats->value_bytes);
	put_keys_json(json, stats);
	line_uint(json, "null_values", stats->null_values);
	line_uint(json, "with_headers", stats->with_headers);
	line_open(json, "offsets", '{');
	line_int(
	    json, "first", stats->next_offset < 0 ? -1 : stats->first_offset);
	line_int(json, "next", stats->next_offset);
	line_uint(json, "gaps", stats->gaps);
	line_uint(json, "missing", stats->missing);
	line_uint(json, "largest_gap", stats->largest_gap);
	line_close(json, '}');
	put_time_json(json, stats);
	inspect_end(in);
}

/* ---- text --------------------------------------------------------------- */

/* ASCII, so that it does not depend on the locale. */
static void
put_bar(struct cli_out *out, uint64_t count, uint64_t most)
{
	int length = (int)(ratio(count, most) * BAR + 0.5);

	cli_out_format(out, "%10llu ", (unsigned long long)count);
	for (int i = 0; i < (count > 0 && length == 0 ? 1 : length); i++)
		cli_out_byte(out, '#');
	cli_out_byte(out, '\n');
}

static uint64_t
largest(const uint64_t *counts, int n)
{
	uint64_t most = 0;

	for (int i = 0; i < n; i++)
		if (counts[i] > most)
			most = counts[i];
	return most;
}

static void
put_histogram(
    struct cli_out *out, const char *name, const struct histogram *histogram)
{
	uint64_t most = largest(histogram->count, BUCKETS);

	cli_out_format(out, "%s: %llu to %llu, mean %.1f\n", name,
	    (unsigned long long)histogram->least,
	    (unsigned long long)histogram->most,
	    ratio(histogram->sum, histogram->values));
	for (int i = 0; i < BUCKETS; i++) {
		if (histogram->count[i] == 0)
			continue;
		cli_out_format(out, "  %10llu and up ",
		    (unsigned long long)bucket_least(i));
		put_bar(out, histogram->count[i], most);
	}
}

static void
put_codecs(struct cli_out *out, const struct inspect_stats *stats)
{
	for (int i = 0; i < CODECS; i++) {
		const struct codec_stats *codec = &stats->codecs[i];

		if (codec->batches > 0)
			cli_out_format(out,
			    "codec %s: %llu batches, %llu bytes stored, %llu "
			    "plain, ratio %.3f\n",
			    stream_codec_name((enum stream_codec)i),
			    (unsigned long long)codec->batches,
			    (unsigned long long)codec->stored,
			    (unsigned long long)codec->plain,
			    ratio(codec->plain, codec->stored));
	}
}

static void
put_keys(struct cli_out *out, const struct inspect_stats *stats)
{
	struct json_line json = {.out = out};

	cli_out_format(out,
	    "keys: %s%llu distinct, %llu null, %llu tombstones\n",
	    stats->is_estimate ? "about " : "",
	    (unsigned long long)distinct_keys(stats),
	    (unsigned long long)stats->null_keys,
	    (unsigned long long)stats->tombstones);
	for (size_t i = 0; i < stats->top_count; i++) {
		cli_out_format(
		    out, "  %10llu ", (unsigned long long)stats->top[i].count);
		json.comma = false;
		line_bytes(&json, NULL, shown_key(&stats->top[i]));
		cli_out_text(
		    out, stats->top[i].size > TOP_BYTES ? "...\n" : "\n");
	}
}

static void
put_times(struct cli_out *out, const struct inspect_stats *stats)
{
	const struct rate *rate = &stats->rate;
	uint64_t most = largest(rate->count, TIMES);
	char first[STREAM_TIME_SIZE], last[STREAM_TIME_SIZE];

	if (stats->has_time)
		cli_out_format(out, "timestamps: %s to %s, ",
		    inspect_time(stats->least_time, first),
		    inspect_time(stats->most_time, last));
	else
		cli_out_text(out, "timestamps: ");
	cli_out_format(out, "%llu out of order, %llu records without\n",
	    (unsigned long long)stats->out_of_order,
	    (unsigned long long)stats->no_time);
	for (int i = 0; i < TIMES; i++) {
		if (rate->count[i] == 0)
			continue;
		cli_out_format(out, "  %-24s ",
		    inspect_time(
			(int64_t)(rate->start + i * rate->width), first));
		put_bar(out, rate->count[i], most);
	}
}

static void
put_text(struct inspect *in, const struct inspect_stats *stats)
{
	struct cli_out *out = &in->out;

	cli_out_format(out,
	    "%llu segments, %llu batches (%llu of them control), %llu records, "
	    "%llu bytes\n",
	    (unsigned long long)in->count_segments,
	    (unsigned long long)stats->batches,
	    (unsigned long long)stats->control_batches,
	    (unsigned long long)stats->records,
	    (unsigned long long)stats->bytes);
	put_codecs(out, stats);
	put_histogram(out, "bytes of a batch", &stats->batch_bytes);
	put_histogram(out, "records of a batch", &stats->batch_records);
	put_histogram(out, "bytes of a key", &stats->key_bytes);
	put_histogram(out, "bytes of a value", &stats->value_bytes);
	put_keys(out, stats);
	cli_out_format(out, "null values: %llu, with headers: %llu\n",
	    (unsigned long long)stats->null_values,
	    (unsigned long long)stats->with_headers);
	cli_out_format(out,
	    "offsets: %lld to %lld, %llu gaps with %llu missing, the largest "
	    "%llu\n",
	    (long long)(stats->next_offset < 0 ? -1 : stats->first_offset),
	    (long long)stats->next_offset - 1, (unsigned long long)stats->gaps,
	    (unsigned long long)stats->missing,
	    (unsigned long long)stats->largest_gap);
	put_times(out, stats);
}

void
inspect_stats_show(struct inspect *in)
{
	struct inspect_stats *stats = in->stats;

	qsort(stats->top, stats->top_count, sizeof(*stats->top), compare_top);
	if (in->opts->json)
		put_json(in, stats);
	else
		put_text(in, stats);
}
