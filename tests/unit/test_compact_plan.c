/* Is a log worth cleaning, how far, and in which groups: Kafka's rules. */
#include "fixture.h"
#include "log/compact_plan.h"

enum { HOUR = 3600000 };

/* Segments of 10 offsets and 100 bytes unless a row says otherwise; the last
 * is active. */
static void
make(struct stream_compact_facts *facts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		facts[i] = (struct stream_compact_facts){
		    .base_offset = (int64_t)i * 10,
		    .end_offset = (int64_t)i * 10 + 10,
		    .bytes = 100,
		    .index_bytes = 8,
		    .timeindex_bytes = 12,
		    .first_ms = T0 + (int64_t)i * HOUR,
		    .largest_ms = T0 + (int64_t)i * HOUR + 1,
		};
}

static void
decisions_are_those_of_kafka(void **state)
{
	enum {
		RATIO = STREAM_COMPACT_RATIO,
		LAG = STREAM_COMPACT_LAG,
		FORCED = STREAM_COMPACT_FORCED,
		BELOW = STREAM_COMPACT_BELOW,
		CLEAN = STREAM_COMPACT_CLEAN,
		NONE = STREAM_COMPACT_ACTIVE,
		ACTIVE = STREAM_COMPACT_BOUND_ACTIVE,
		OPEN = STREAM_COMPACT_BOUND_TRANSACTION,
		YOUNG = STREAM_COMPACT_BOUND_YOUNG,
	};
	static const struct {
		const char *name;
		size_t count;
		int64_t clean, start, stable;
		int64_t min_lag, max_lag, now; /* now: hours after the first */
		bool force;
		/* what comes out */
		int verdict, bound;
		int64_t from, to;
		uint64_t clean_bytes, dirty_bytes;
	} rows[] = {
	    {"never cleaned", 4, -1, 0, 99, 0, -1, 9, false, RATIO, ACTIVE, 0,
		30, 0, 300},
	    {"half is not above half", 5, 20, 0, 99, 0, -1, 9, false, BELOW,
		ACTIVE, 20, 40, 200, 200},
	    {"the same, forced", 5, 20, 0, 99, 0, -1, 9, true, FORCED, ACTIVE,
		20, 40, 200, 200},
	    {"a segment more", 6, 20, 0, 99, 0, -1, 9, false, RATIO, ACTIVE, 20,
		50, 200, 300},
	    {"a clean point that divides a segment is another log's", 4, 15, 0,
		99, 0, -1, 9, false, RATIO, ACTIVE, 0, 30, 0, 300},
	    {"only an active segment", 1, -1, 0, 99, 0, -1, 9, true, NONE,
		ACTIVE, 0, 0, 0, 0},
	    {"all is clean", 3, 20, 0, 99, 0, -1, 9, false, CLEAN, ACTIVE, 20,
		20, 200, 0},
	    {"all is clean, forced", 3, 20, 0, 99, 0, -1, 9, true, FORCED,
		ACTIVE, 20, 20, 200, 0},
	    {"a clean point below the log start counts for none", 4, 5, 12, 99,
		0, -1, 9, false, BELOW, ACTIVE, 12, 30, 200, 200},
	    {"and so does one past the end", 4, 41, 0, 99, 0, -1, 9, false,
		RATIO, ACTIVE, 0, 30, 0, 300},
	    {"the end itself is fine", 4, 40, 0, 99, 0, -1, 9, false, CLEAN,
		ACTIVE, 40, 30, 400, 0},
	    {"a transaction is open in the second", 4, -1, 0, 15, 0, -1, 9,
		false, RATIO, OPEN, 0, 10, 0, 100},
	    {"at the start of the third", 4, -1, 0, 20, 0, -1, 9, false, RATIO,
		OPEN, 0, 20, 0, 200},
	    {"in the first", 4, -1, 0, 3, 0, -1, 9, false, CLEAN, OPEN, 0, 0, 0,
		0},
	    {"in the active one", 4, -1, 0, 35, 0, -1, 9, false, RATIO, ACTIVE,
		0, 30, 0, 300},
	    {"the third is too young", 4, -1, 0, 99, 2 * HOUR + 1, -1, 4, false,
		RATIO, YOUNG, 0, 20, 0, 200},
	    {"exactly old enough", 4, -1, 0, 99, 2 * HOUR, -1, 4, false, RATIO,
		ACTIVE, 0, 30, 0, 300},
	    {"all are too young", 4, -1, 0, 99, 9 * HOUR, -1, 4, false, CLEAN,
		YOUNG, 0, 0, 0, 0},
	    {"young before the open one", 5, -1, 0, 35, HOUR + 1, -1, 3, false,
		RATIO, YOUNG, 0, 20, 0, 200},
	    {"waited too long", 5, 20, 0, 99, 0, 3 * HOUR, 6, false, LAG,
		ACTIVE, 20, 40, 200, 200},
	    {"not long enough", 5, 20, 0, 99, 0, 4 * HOUR + 1, 6, false, BELOW,
		ACTIVE, 20, 40, 200, 200},
	    {"enough is dirty as well", 6, 20, 0, 99, 0, HOUR, 9, false, RATIO,
		ACTIVE, 20, 50, 200, 300},
	    {"nothing dirty has waited", 3, 20, 0, 99, 0, 0, 9, false, CLEAN,
		ACTIVE, 20, 20, 200, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_compact_facts facts[8];
		struct stream_compacted sum = {0};
		struct stream_compact_limits limits = {
		    .now_ms = T0 + rows[i].now * HOUR + 1,
		    .log_start_offset = rows[i].start,
		    .clean_point = rows[i].clean,
		    .min_ratio = 0.5,
		    .min_lag_ms = rows[i].min_lag,
		    .max_lag_ms =
			rows[i].max_lag < 0 ? INT64_MAX : rows[i].max_lag,
		    .force = rows[i].force,
		};

		make(facts, rows[i].count);
		stream_compact_decide(
		    facts, rows[i].count, rows[i].stable, &limits, &sum);
		if ((int)sum.verdict != rows[i].verdict ||
		    (int)sum.bound != rows[i].bound ||
		    sum.from_offset != rows[i].from ||
		    sum.uncleanable_offset != rows[i].to ||
		    sum.clean_bytes != rows[i].clean_bytes ||
		    sum.dirty_bytes != rows[i].dirty_bytes)
			fail_msg("%s: %s, %s, %lld to %lld, %llu and %llu",
			    rows[i].name,
			    stream_compact_verdict_name(sum.verdict),
			    stream_compact_bound_name(sum.bound),
			    (long long)sum.from_offset,
			    (long long)sum.uncleanable_offset,
			    (unsigned long long)sum.clean_bytes,
			    (unsigned long long)sum.dirty_bytes);
	}
}

/* A log is as old as time: no first timestamp, or one of the future, makes
 * nothing overdue. */
static void
times_that_say_nothing_make_nothing_overdue(void **state)
{
	static const int64_t firsts[] = {
	    -1, 0, T0 + 99 * HOUR, INT64_MAX, INT64_MIN};

	(void)state;
	for (size_t i = 0; i < COUNT(firsts); i++) {
		struct stream_compact_facts facts[3];
		struct stream_compacted sum = {0};
		struct stream_compact_limits limits = {.now_ms = T0 + 9 * HOUR,
		    .clean_point = -1,
		    .min_ratio = 1.0,
		    .max_lag_ms = HOUR};

		make(facts, 3);
		facts[0].first_ms = facts[1].first_ms = firsts[i];
		stream_compact_decide(facts, 3, 99, &limits, &sum);
		assert_int_equal(sum.verdict, STREAM_COMPACT_BELOW);
	}
}

static void
groups_are_those_of_kafka(void **state)
{
	static const struct {
		const char *name;
		size_t count;
		int64_t segment_bytes, index_bytes;
		uint64_t bytes[5]; /* 0: a log without batches */
		int64_t bases[5];
		int64_t bound;
		size_t want;
	} rows[] = {
	    {"all fit", 3, 300, 1000, {100, 100, 100}, {0, 1, 2}, 9, 3},
	    {"one byte too many", 3, 299, 1000, {100, 100, 100}, {0, 1, 2}, 9,
		2},
	    {"the first alone is too large", 2, 50, 1000, {100, 100}, {0, 1}, 9,
		1},
	    {"index entries", 3, 1000, 25, {100, 100, 100}, {0, 1, 2}, 9, 2},
	    {"time index entries", 4, 1000, 47, {1, 1, 1, 1}, {0, 1, 2, 3}, 9,
		3},
	    {"offsets just fit", 3, 1000, 1000, {1, 1, 1}, {0, 10, 20},
		(int64_t)INT32_MAX + 1, 3},
	    {"one offset too many", 3, 1000, 1000, {1, 1, 1}, {0, 10, 20},
		(int64_t)INT32_MAX + 2, 2},
	    {"the next one's base says how far", 3, 1000, 1000, {1, 1, 1},
		{0, 10, (int64_t)INT32_MAX + 2}, INT64_MAX, 1},
	    {"an empty log may lie anywhere", 3, 1000, 1000, {1, 0, 1},
		{0, 10, (int64_t)INT32_MAX + 2}, INT64_MAX, 2},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_compact_facts facts[5];
		struct stream_compact_limits limits = {
		    .segment_bytes = rows[i].segment_bytes,
		    .segment_index_bytes = rows[i].index_bytes};
		size_t got;

		make(facts, 5);
		for (size_t j = 0; j < rows[i].count; j++) {
			facts[j].bytes = rows[i].bytes[j];
			facts[j].base_offset = rows[i].bases[j];
		}
		got = stream_compact_group(
		    facts, rows[i].count, rows[i].bound, &limits);
		if (got != rows[i].want)
			fail_msg("%s: %zu", rows[i].name, got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decisions_are_those_of_kafka),
	    cmocka_unit_test(times_that_say_nothing_make_nothing_overdue),
	    cmocka_unit_test(groups_are_those_of_kafka),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
