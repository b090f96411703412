/* Which segments go and why, and how old a segment is whatever lies about it.
 */
#include <sys/time.h>

#include "codec/batch.h"
#include "file/index.h"
#include "fixture.h"
#include "log/retain.h"
#include "log/structure.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define NOW (T0 + 100 * DAY)

/* ---- the rules ---------------------------------------------------------- */

enum { MOST = 6 };

/* Ages of the largest times are in days, the last segment's too.  A limit of
 * 0 in bytes, records or age is none: -1 is 0. */
struct rule_case {
	const char *name;
	size_t count;
	uint64_t bytes[MOST];
	int64_t age[MOST];
	int64_t log_start; /* each segment has 10 offsets */
	int64_t keep_bytes;
	int64_t keep_records;
	int64_t older;
	int64_t segment_days; /* 0: 7 */
	int64_t spare_from;
	bool force;
	/* How many go in all, and by log start, size, records. */
	size_t going, start, size, records;
	size_t spared;
	bool refused;
};

static const struct rule_case rules[] = {
    {.name = "no-limit", .count = 3, .bytes = {9, 9, 9}},
    {.name = "no-segment", .older = 1, .keep_bytes = 1},
    {.name = "one-segment-is-active",
	.count = 1,
	.bytes = {9},
	.age = {50},
	.older = 1,
	.keep_bytes = -1,
	.log_start = 10},
    {.name = "log-start-at-next-base",
	.count = 3,
	.bytes = {9, 9, 9},
	.log_start = 10,
	.going = 1,
	.start = 1},
    {.name = "log-start-below-next-base",
	.count = 3,
	.bytes = {9, 9, 9},
	.log_start = 9},
    {.name = "log-start-at-the-end",
	.count = 3,
	.bytes = {9, 9, 9},
	.log_start = 30,
	.going = 2,
	.start = 2},
    {.name = "size-reached-exactly",
	.count = 3,
	.bytes = {10, 10, 10},
	.keep_bytes = 20,
	.going = 1,
	.size = 1},
    {.name = "size-one-short",
	.count = 3,
	.bytes = {10, 10, 10},
	.keep_bytes = 21},
    {.name = "size-larger-than-all",
	.count = 3,
	.bytes = {10, 10, 10},
	.keep_bytes = 1000},
    {.name = "size-zero",
	.count = 3,
	.bytes = {10, 10, 10},
	.keep_bytes = -1,
	.going = 2,
	.size = 2},
    {.name = "size-stops-at-a-large-one",
	.count = 4,
	.bytes = {5, 100, 5, 5},
	.keep_bytes = 20,
	.going = 1,
	.size = 1},
    {.name = "size-of-what-log-start-left",
	.count = 4,
	.bytes = {10, 10, 10, 10},
	.log_start = 10,
	.keep_bytes = 20,
	.going = 2,
	.start = 1,
	.size = 1},
    {.name = "size-active-counts",
	.count = 2,
	.bytes = {10, 30},
	.keep_bytes = 30,
	.going = 1,
	.size = 1},
    {.name = "empty-segments-go-by-size",
	.count = 3,
	.bytes = {0, 0, 10},
	.keep_bytes = 10,
	.going = 2,
	.size = 2},
    {.name = "records-reached-exactly",
	.count = 4,
	.bytes = {1, 1, 1, 1},
	.keep_records = 20,
	.going = 2,
	.records = 2},
    {.name = "records-one-more",
	.count = 4,
	.bytes = {1, 1, 1, 1},
	.keep_records = 21,
	.going = 1,
	.records = 1},
    {.name = "records-more-than-all",
	.count = 4,
	.bytes = {1, 1, 1, 1},
	.keep_records = 41},
    {.name = "records-all",
	.count = 4,
	.bytes = {1, 1, 1, 1},
	.keep_records = 40},
    {.name = "records-zero",
	.count = 3,
	.bytes = {1, 1, 1},
	.keep_records = -1,
	.going = 2,
	.records = 2},
    {.name = "records-after-size",
	.count = 4,
	.bytes = {5, 5, 5, 5},
	.keep_bytes = 15,
	.keep_records = 20,
	.going = 2,
	.size = 1,
	.records = 1},
    {.name = "records-do-not-bring-back",
	.count = 4,
	.bytes = {5, 5, 5, 5},
	.keep_bytes = 5,
	.keep_records = 30,
	.going = 3,
	.size = 3},
    {.name = "time-older",
	.count = 4,
	.bytes = {1, 1, 1, 1},
	.age = {9, 8, 6, 1},
	.older = 7,
	.going = 2},
    {.name = "time-exactly-stays",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {7, 7, 1},
	.older = 7},
    {.name = "time-stops-at-a-young-one",
	.count = 4,
	.bytes = {1, 1, 1, 1},
	.age = {9, 1, 9, 1},
	.older = 7,
	.going = 1},
    {.name = "time-future-stays",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {-50, 9, 1},
	.older = 7},
    {.name = "time-zero",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {3, 2, 1},
	.older = -1,
	.going = 2},
    {.name = "time-after-size",
	.count = 4,
	.bytes = {5, 5, 5, 5},
	.age = {1, 9, 2, 1},
	.keep_bytes = 15,
	.older = 7,
	.going = 2,
	.size = 1},
    {.name = "all-rules",
	.count = 6,
	.bytes = {5, 5, 5, 5, 5, 5},
	.age = {1, 1, 1, 9, 1, 0},
	.log_start = 10,
	.keep_bytes = 20,
	.keep_records = 30,
	.older = 7,
	.going = 4,
	.start = 1,
	.size = 1,
	.records = 1},
    {.name = "all-closed-are-old",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {13, 9, 8},
	.older = 7,
	.going = 2},
    {.name = "clock-jumped",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {40, 30, 15},
	.older = 7,
	.refused = true},
    {.name = "clock-jumped-by-force",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {40, 30, 15},
	.older = 7,
	.force = true,
	.going = 2},
    {.name = "clock-at-the-bound",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {40, 30, 14},
	.older = 7,
	.going = 2},
    {.name = "clock-long-retention",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {40, 36, 35},
	.older = 30,
	.going = 2},
    {.name = "clock-longer-than-that",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {40, 39, 38},
	.older = 30,
	.refused = true},
    {.name = "clock-leaves-other-rules",
	.count = 4,
	.bytes = {5, 5, 5, 5},
	.age = {40, 40, 30, 30},
	.keep_bytes = 15,
	.older = 7,
	.going = 1,
	.size = 1,
	.refused = true},
    {.name = "clock-empty-active",
	.count = 3,
	.bytes = {1, 1, 0},
	.age = {20, 8, 99},
	.older = 7,
	.going = 2},
    {.name = "clock-empty-active-jumped",
	.count = 3,
	.bytes = {1, 1, 0},
	.age = {40, 30, 0},
	.older = 7,
	.refused = true},
    {.name = "clock-newest-is-not-the-last",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {8, 40, 40},
	.older = 7,
	.going = 2},
    {.name = "clock-short-segments",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {9, 9, 9},
	.older = 7,
	.segment_days = 1,
	.refused = true},
    {.name = "clock-some-stay",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {40, 6, 40},
	.older = 7,
	.going = 1},
    {.name = "spared-by-age",
	.count = 4,
	.bytes = {1, 1, 1, 0},
	.age = {13, 9, 8, 0},
	.older = 7,
	.spare_from = 20,
	.going = 2,
	.spared = 1},
    {.name = "spared-from-the-first-on",
	.count = 3,
	.bytes = {1, 1, 1},
	.age = {13, 9, 8},
	.older = 7,
	.spare_from = -1,
	.spared = 2},
    {.name = "spared-is-young",
	.count = 4,
	.bytes = {1, 1, 1, 0},
	.age = {13, 9, 3, 0},
	.older = 7,
	.spare_from = 20,
	.going = 2},
    {.name = "spared-counts-for-the-clock",
	.count = 4,
	.bytes = {1, 1, 1, 0},
	.age = {40, 30, 20, 0},
	.older = 7,
	.spare_from = 20,
	.refused = true},
    {.name = "spared-is-for-age-alone",
	.count = 4,
	.bytes = {1, 1, 1, 1},
	.age = {13, 9, 8, 0},
	.log_start = 10,
	.keep_bytes = 2,
	.keep_records = 10,
	.older = 7,
	.spare_from = -1,
	.going = 3,
	.start = 1,
	.size = 1,
	.records = 1},
};

struct asked {
	const struct rule_case *row;
	int records;
};

static int
tell_records(
    void *context, size_t i, int64_t *records, struct stream_error *err)
{
	(void)i;
	(void)err;
	((struct asked *)context)->records++;
	*records = 10;
	return STREAM_OK;
}

static int
tell_time(void *context, size_t i, int64_t least_ms,
    struct stream_segment_time *time, struct stream_error *err)
{
	(void)least_ms;
	(void)err;
	*time = (struct stream_segment_time){
	    .ms = NOW - ((struct asked *)context)->row->age[i] * DAY,
	    .evidence = STREAM_RETAIN_BATCHES,
	};
	return STREAM_OK;
}

static int64_t
limit(int64_t value, int64_t unit)
{
	return value == 0 ? -1 : value < 0 ? 0 : value * unit;
}

static void
try_rule(const struct rule_case *row)
{
	struct stream_retain_fact facts[MOST];
	struct asked asked = {row, 0};
	struct stream_retain_ask ask = {tell_records, tell_time, &asked};
	struct stream_retain_rules how = {
	    .log_start_offset = row->log_start,
	    .keep_bytes = limit(row->keep_bytes, 1),
	    .keep_records = limit(row->keep_records, 1),
	    .older_ms = limit(row->older, DAY),
	    .spare_from = limit(row->spare_from, 1),
	    .now_ms = NOW,
	    .segment_ms = (row->segment_days ? row->segment_days : 7) * DAY,
	    .force_clock = row->force,
	};
	struct stream_retain_decision got;
	struct stream_error err = {.text = ""};

	for (size_t i = 0; i < row->count; i++)
		facts[i] = (struct stream_retain_fact){
		    (int64_t)i * 10, (int64_t)(i + 1) * 10, row->bytes[i]};
	expect(stream_retain_decide(facts, row->count, &how, &ask, &got, &err),
	    STREAM_OK, err);
	if (got.going != row->going ||
	    got.end[STREAM_RETAIN_LOG_START] != row->start ||
	    got.end[STREAM_RETAIN_SIZE] != row->start + row->size ||
	    got.end[STREAM_RETAIN_RECORDS] !=
		row->start + row->size + row->records ||
	    got.end[STREAM_RETAIN_TIME] != row->going ||
	    got.spared != row->spared || got.clock_refused != row->refused)
		fail_msg("%s: %zu go (%zu %zu %zu), %zu spared, refused %d",
		    row->name, got.going, got.end[1], got.end[2], got.end[3],
		    got.spared, got.clock_refused);
}

static void
each_rule_stops_where_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rules); i++)
		try_rule(&rules[i]);
	assert_int_equal(COUNT(rules), 45);
}

static void
ages_are_never_negative(void **state)
{
	(void)state;
	assert_int_equal(stream_retain_age(5, 3), 2);
	assert_int_equal(stream_retain_age(3, 5), 0);
	assert_int_equal(stream_retain_age(-5, -7), 2);
	assert_int_equal(stream_retain_age(INT64_MAX, -2), INT64_MAX);
	assert_int_equal(stream_retain_age(INT64_MIN, INT64_MAX), 0);
	assert_int_equal(stream_retain_age(INT64_MAX, INT64_MIN), INT64_MAX);
}

static void failures_of_questions_are_passed_on(void **state);

static int
fail_time(void *context, size_t i, int64_t least_ms,
    struct stream_segment_time *time, struct stream_error *err)
{
	(void)context;
	(void)i;
	(void)least_ms;
	(void)time;
	err->status = STREAM_EIO;
	return STREAM_EIO;
}

static void
failures_of_questions_are_passed_on(void **state)
{
	struct stream_retain_fact facts[2] = {{0, 10, 5}, {10, 20, 5}};
	struct stream_retain_rules how = {.keep_bytes = -1,
	    .keep_records = -1,
	    .older_ms = 1,
	    .spare_from = -1,
	    .now_ms = 9};
	struct stream_retain_ask ask = {NULL, fail_time, NULL};
	struct stream_retain_decision got = {.going = 77};
	struct stream_error err = {.text = ""};

	(void)state;
	assert_int_equal(
	    stream_retain_decide(facts, 2, &how, &ask, &got, &err), STREAM_EIO);
	assert_int_equal(got.going, 77);
}

static void
spans_are_short(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} spans[] = {{0, "0ms"}, {999, "999ms"}, {1000, "1s"},
	    {1500, "1s500ms"}, {60000, "1m"}, {61000, "1m1s"}, {3 * HOUR, "3h"},
	    {7 * DAY, "7d"}, {7 * DAY + 5 * HOUR + 1, "7d5h"},
	    {INT64_MAX, "106751991167d7h"}};
	char text[STREAM_SPAN_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(spans); i++) {
		stream_retain_put_span(spans[i].ms, text);
		assert_string_equal(text, spans[i].text);
	}
}

/* ---- how old a segment is ----------------------------------------------- */

/* A segment of 40 batches, a minute apart from T0 on, with indexes; the next
 * segment follows at offset 40. */
static void
make_segment(struct temp_dir *dir, int64_t first_ms)
{
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	struct stream_error err = {.text = ""};
	bool rolled;

	config.index_interval_bytes = 200;
	partition = fx_open(dir, &config);
	for (int i = 0; i < 40; i++)
		expect(fx_try_append(partition,
			   (struct fx_batch){.time_ms = first_ms + i * 60000,
			       .value_size = 50},
			   &err),
		    STREAM_OK, err);
	expect(stream_partition_roll_used(partition, -1, &rolled, &err),
	    STREAM_OK, err);
	assert_true(rolled);
	stream_partition_close(partition);
}

static void
set_file_time(const struct temp_dir *dir, int64_t ms)
{
	struct timespec times[2] = {
	    {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000},
	    {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}};

	assert_int_equal(utimensat(dir->fd, LOG_0, times, 0), 0);
}

/* Bytes that go_on was told of: how much was read to the end. */
static bool
count_bytes(void *context, uint64_t bytes)
{
	*(uint64_t *)context += bytes;
	return true;
}

static struct stream_segment_time
find(const struct temp_dir *dir, int64_t least_ms, uint64_t *read)
{
	struct stream_segment_time_source source = {
	    .dirfd = dir->fd,
	    .next_base = 40,
	    .dense = true,
	    .cap = 1 << 20,
	    .now_ms = NOW,
	    .go_on = count_bytes,
	    .context = read,
	};
	struct stream_segment_time time;
	struct stream_error err = {.text = ""};

	*read = 0;
	source.log = openat(dir->fd, LOG_0, O_RDONLY);
	assert_true(source.log >= 0);
	expect(stream_segment_time_find(&source, least_ms, &time, &err),
	    STREAM_OK, err);
	close(source.log);
	return time;
}

#define LAST (T0 + 39 * 60000)

static void
one_batch_proves_that_a_segment_is_young(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_segment_time time;
	uint64_t read;

	make_segment(dir, T0);
	time = find(dir, T0 + 60000, &read);
	assert_int_equal(time.ms, LAST);
	assert_int_equal(time.evidence, STREAM_RETAIN_BATCHES);
	assert_false(time.is_whole);
	assert_int_equal(read, 0);
	time = find(dir, LAST, &read);
	assert_int_equal(time.ms, LAST);
	assert_int_equal(read, 0);
}

static void
that_it_is_old_takes_all_of_it(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_segment_time time;
	uint64_t read;

	make_segment(dir, T0);
	time = find(dir, LAST + 1, &read);
	assert_int_equal(time.ms, LAST);
	assert_true(time.is_whole);
	assert_int_equal(time.records, 40);
	assert_int_equal(read, fx_size(dir, LOG_0));
}

/* I5: whatever the time index says. */
static void
no_index_makes_a_segment_old_or_young(void **state)
{
	struct temp_dir *dir = *state;
	uint8_t entry[STREAM_TIMEINDEX_ENTRY] = {0};
	struct stream_segment_time time;
	uint64_t read;
	static const int64_t lies[] = {0, 1, T0 - DAY, T0 + 5 * 60000,
	    T0 + 99 * DAY, NOW + DAY, INT64_MAX, -1, INT64_MIN};

	make_segment(dir, T0);
	for (size_t i = 0; i < COUNT(lies); i++) {
		stream_store64(entry, (uint64_t)lies[i]);
		stream_store32(entry + 8, (uint32_t)i * 7);
		fx_put(dir, TIMEINDEX_0, entry, sizeof(entry));
		time = find(dir, T0 + 20 * 60000, &read);
		assert_true(time.ms >= T0 + 20 * 60000 && time.ms <= LAST);
		time = find(dir, LAST + 1, &read);
		assert_int_equal(time.ms, LAST);
		assert_true(time.is_whole);
	}
	fx_remove(dir, TIMEINDEX_0);
	fx_remove(dir, INDEX_0);
	assert_int_equal(find(dir, LAST + 1, &read).ms, LAST);
	assert_true(find(dir, T0, &read).ms >= T0);
	fx_fill(dir, TIMEINDEX_0, 1200, -1, 7);
	fx_fill(dir, INDEX_0, 800, -1, 8);
	assert_int_equal(find(dir, LAST + 1, &read).ms, LAST);
	assert_int_equal(find(dir, LAST, &read).ms, LAST);
}

static void
without_timestamps_the_file_has_one(void **state)
{
	static const int64_t none[] = {-1, -2, -60000 * 50};
	struct temp_dir *dir = *state;
	struct stream_segment_time time;
	struct stream_buf log;
	uint64_t read;

	for (size_t i = 0; i < COUNT(none); i++) {
		stream_buf_init(&log);
		for (int64_t base = 0; base < 40; base++)
			fx_add(&log, (struct fx_batch){
					 .base = base, .time_ms = none[i]});
		fx_put(dir, LOG_0, log.data, log.size);
		stream_buf_release(&log);
		set_file_time(dir, T0 + 3 * DAY + 7);
		time = find(dir, NOW - DAY, &read);
		assert_int_equal(time.ms, T0 + 3 * DAY + 7);
		assert_int_equal(time.evidence, STREAM_RETAIN_FILE);
	}
	fx_put(dir, LOG_0, "", 0);
	set_file_time(dir, T0);
	/* Dense, so its records are missing. */
	assert_int_equal(find(dir, NOW, &read).evidence, STREAM_RETAIN_DAMAGED);
}

static void
time_zero_is_a_time(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_segment_time time;
	struct stream_buf log;
	uint64_t read;

	stream_buf_init(&log);
	for (int64_t base = 0; base < 40; base++)
		fx_add(&log, (struct fx_batch){.base = base});
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	time = find(dir, T0, &read);
	assert_int_equal(time.ms, 0);
	assert_int_equal(time.evidence, STREAM_RETAIN_BATCHES);
}

/* What cannot be read may have been younger than what can be. */
static void
damage_neither_deletes_early_nor_blocks_for_ever(void **state)
{
	static const struct {
		int64_t file;
		int64_t index;
		int64_t want;
	} cases[] = {
	    {T0 - DAY, T0 - DAY, LAST - 60000},
	    {T0 + 9 * DAY, T0, T0 + 9 * DAY},
	    {T0, T0 + 9 * DAY, T0 + 9 * DAY},
	    {T0, NOW, NOW},
	    {T0, NOW + 1, LAST - 60000},   /* an index is no proof of */
	    {T0, INT64_MAX, LAST - 60000}, /* the future */
	    {NOW + DAY, T0, NOW + DAY},
	};
	struct temp_dir *dir = *state;
	uint8_t entry[STREAM_TIMEINDEX_ENTRY] = {0};
	struct stream_segment_time time;
	uint64_t read;

	make_segment(dir, T0);
	/* The last batch, which had the latest time, is hit. */
	fx_put_at(dir, LOG_0, (uint64_t)fx_size(dir, LOG_0) - 10, "?", 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		stream_store64(entry, (uint64_t)cases[i].index);
		fx_put(dir, TIMEINDEX_0, entry, sizeof(entry));
		set_file_time(dir, cases[i].file);
		time = find(dir, NOW + 9 * DAY, &read);
		if (time.ms != cases[i].want)
			fail_msg("case %zu: %lld", i, (long long)time.ms);
		assert_int_equal(time.evidence, STREAM_RETAIN_DAMAGED);
		assert_int_equal(time.records, 39);
	}
}

static void
damage_hides_no_young_batch(void **state)
{
	struct temp_dir *dir = *state;
	uint64_t read;

	make_segment(dir, T0);
	fx_remove(dir, TIMEINDEX_0);
	fx_remove(dir, INDEX_0);
	fx_put_at(dir, LOG_0, 70, "?", 1);
	set_file_time(dir, T0 - DAY);
	assert_int_equal(find(dir, LAST, &read).ms, LAST);
}

/* ---- a plan ------------------------------------------------------------- */

static struct stream_retain_source
source_of(const struct temp_dir *dir)
{
	return (struct stream_retain_source){
	    .dirfd = dir->fd,
	    .dense = true,
	    .cap = 1 << 20,
	    .log_end_offset = -1,
	    .rules = {.keep_bytes = -1,
		.keep_records = -1,
		.older_ms = -1,
		.spare_from = -1,
		.now_ms = NOW,
		.segment_ms = 1000 * DAY},
	};
}

static void
a_plan_says_why_it_spares(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_retain_source source = source_of(dir);
	struct stream_retain *retain;
	struct stream_error err = {.text = ""};

	make_segment(dir, T0);
	source.rules.older_ms = 7 * DAY;
	source.rules.spare_from = 0;
	expect(stream_log_retain_plan(&source, &retain, &err), STREAM_OK, err);
	assert_int_equal(stream_retain_count(retain), 1);
	assert_string_equal(stream_retain_segment(retain, 0)->why,
	    "newest record is 99d23h old, limit 7d; active until now");
	assert_int_equal(stream_retain_sum(retain)->segments, 0);
	assert_int_equal(stream_retain_sum(retain)->spared, 1);
	stream_retain_free(retain);
}

static void
a_plan_lists_what_goes_and_the_first_that_stays(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_retain_source source = source_of(dir);
	struct stream_retain *retain;
	struct stream_error err = {.text = ""};

	make_segment(dir, T0);
	source.rules.older_ms = 7 * DAY;
	expect(stream_log_retain_plan(&source, &retain, &err), STREAM_OK, err);
	assert_int_equal(stream_retain_count(retain), 2);
	assert_int_equal(
	    stream_retain_segment(retain, 0)->rule, STREAM_RETAIN_TIME);
	assert_int_equal(stream_retain_segment(retain, 0)->records, 40);
	assert_string_equal(stream_retain_segment(retain, 0)->why,
	    "newest record is 99d23h old, limit 7d");
	assert_true(stream_retain_segment(retain, 1)->is_active);
	assert_string_equal(stream_retain_segment(retain, 1)->why,
	    "the active segment never goes");
	assert_int_equal(stream_retain_sum(retain)->segments, 1);
	assert_int_equal(stream_retain_sum(retain)->records, 40);
	assert_int_equal(stream_retain_sum(retain)->bytes, fx_size(dir, LOG_0));
	assert_int_equal(stream_retain_sum(retain)->log_start_offset, 40);
	stream_retain_free(retain);
}

static void
the_future_is_named(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_retain_source source = source_of(dir);
	struct fx_notes notes = {0};
	struct stream_retain *retain;
	struct stream_error err = {.text = ""};

	make_segment(dir, NOW + DAY);
	source.rules.older_ms = 7 * DAY;
	source.note = fx_note;
	source.context = &notes;
	expect(stream_log_retain_plan(&source, &retain, &err), STREAM_OK, err);
	assert_int_equal(stream_retain_sum(retain)->segments, 0);
	assert_int_equal(notes.count, 1);
	assert_string_equal(notes.last,
	    LOG_0 ": is kept for a record of 2026-04-12T00:39:00.000Z, which "
		  "is in the future");
	stream_retain_free(retain);
}

static void
an_empty_directory_has_nothing_to_lose(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_retain_source source = source_of(dir);
	struct stream_retain *retain;
	struct stream_error err = {.text = ""};

	source.rules.older_ms = 0;
	expect(stream_log_retain_plan(&source, &retain, &err), STREAM_OK, err);
	assert_int_equal(stream_retain_count(retain), 0);
	assert_true(stream_retain_sum(retain)->only_active);
	stream_retain_free(retain);
}

/* In a log with gaps the records are counted, and markers are none. */
static void
records_are_counted_without_markers(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_retain_source source = source_of(dir);
	struct stream_retain *retain;
	struct stream_buf log;
	struct stream_error err = {.text = ""};

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.count = 3, .stride = 4, .time_ms = T0});
	fx_add_marker(&log, 20, 7, true, T0);
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	fx_put(dir, "00000000000000000040.log", "", 0);
	source.dense = false;
	source.rules.keep_records = 0;
	expect(stream_log_retain_plan(&source, &retain, &err), STREAM_OK, err);
	assert_int_equal(stream_retain_sum(retain)->segments, 1);
	assert_int_equal(stream_retain_sum(retain)->records, 3);
	stream_retain_free(retain);
}

#define test(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_rule_stops_where_it_should),
	    cmocka_unit_test(ages_are_never_negative),
	    cmocka_unit_test(failures_of_questions_are_passed_on),
	    cmocka_unit_test(spans_are_short),
	    test(one_batch_proves_that_a_segment_is_young),
	    test(that_it_is_old_takes_all_of_it),
	    test(no_index_makes_a_segment_old_or_young),
	    test(without_timestamps_the_file_has_one),
	    test(time_zero_is_a_time),
	    test(damage_neither_deletes_early_nor_blocks_for_ever),
	    test(damage_hides_no_young_batch),
	    test(a_plan_says_why_it_spares),
	    test(a_plan_lists_what_goes_and_the_first_that_stays),
	    test(the_future_is_named),
	    test(an_empty_directory_has_nothing_to_lose),
	    test(records_are_counted_without_markers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
