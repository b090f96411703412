/*
 * inspect_stats_show.c - the numbers of --stats, as JSON and as histograms
 */
#include <stdlib.h>

#include "inspect_stats.h"

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

static void
put_keys_json(struct json_line *json, const struct inspect_stats *stats)
{
	line_open(json, "keys", '{');
	line_uint(json, "distinct", inspect_stats_distinct(stats));
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
	    (unsigned long long)inspect_stats_distinct(stats),
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
