/* Which records of transactions a reader of committed ones sees: against a view
 * that is computed here from the batches alone. */
#include "faults.h"
#include "fixture.h"
#include "noise.h"

enum { MOST = 512 };

/* What the log says of each offset. */
struct view {
	bool data[MOST];      /* a data record stands there */
	bool committed[MOST]; /* and a reader of committed ones sees it */
	int64_t end;
};

/* One transaction that is under way while batches are passed in order. */
struct open {
	int64_t producer_id;
	int64_t first;
	bool offsets[MOST];
};

static struct open *
find_open(struct open *open, size_t *count, int64_t producer_id, bool make)
{
	for (size_t i = 0; i < *count; i++)
		if (open[i].producer_id == producer_id)
			return &open[i];
	if (!make)
		return NULL;
	open[*count] = (struct open){.producer_id = producer_id, .first = -1};
	return &open[(*count)++];
}

static void
pass_batch(
    struct view *view, struct open *open, size_t *count, const uint8_t *p)
{
	int64_t base = (int64_t)stream_load64(p);
	int64_t last = base + (int32_t)stream_load32(p + 23);
	int64_t producer_id = (int64_t)stream_load64(p + 43);
	uint16_t attributes = stream_load16(p + 21);
	struct open *one;

	view->end = last + 1;
	if (attributes & STREAM_BATCH_CONTROL) {
		bool commit = p[61 + 8] == 1;

		one = find_open(open, count, producer_id, false);
		if (one == NULL)
			return;
		for (int64_t i = 0; i < base; i++)
			if (one->offsets[i])
				view->committed[i] = commit;
		*one = open[--*count];
		return;
	}
	one = attributes & STREAM_BATCH_TRANSACTIONAL
		  ? find_open(open, count, producer_id, true)
		  : NULL;
	if (one != NULL && one->first < 0)
		one->first = base;
	for (int64_t i = base; i <= last; i++) {
		view->data[i] = true;
		if (one != NULL)
			one->offsets[i] = true;
		else
			view->committed[i] = true;
	}
}

/* Kafka's rule: up to the first offset of the earliest transaction that is
 * open, without the aborted ones. */
static struct view
compute(const struct temp_dir *dir)
{
	struct view view = {.end = 0};
	struct open *open = calloc(16, sizeof(*open));
	size_t count = 0;

	for (int64_t base = 0; base < MOST; base++) {
		char name[STREAM_NAME_SIZE];
		struct stream_buf log;

		if (fx_get(dir, fx_log_name(base, name), &log) < 0)
			continue;
		for (size_t at = 0; at < log.size;
		     at += 12 + stream_load32(log.data + at + 8))
			pass_batch(&view, open, &count, log.data + at);
		stream_buf_release(&log);
	}
	for (size_t i = 0; i < count; i++)
		for (int64_t n = open[i].first; n < MOST; n++)
			view.committed[n] = false;
	free(open);
	return view;
}

/* Read from an offset, in either isolation, and compare. */
static void
check_from(const struct temp_dir *dir, const struct view *view, int64_t from,
    bool uncommitted)
{
	const bool *want = uncommitted ? view->data : view->committed;
	struct fx_reading how = {.foreign = true,
	    .options.range.from = {STREAM_POINT_OFFSET, from},
	    .options.flags = uncommitted ? STREAM_READER_UNCOMMITTED : 0};
	struct stream_reader *reader = fx_reader(dir, how);
	const struct stream_record *records;
	bool got[MOST] = {false};
	struct stream_error err;
	size_t count;
	int status;

	while ((status = stream_reader_read(reader, &records, &count, &err)) ==
	       STREAM_OK)
		for (size_t i = 0; i < count; i++)
			got[records[i].offset] = true;
	expect(status, STREAM_END, err);
	for (int64_t i = 0; i < view->end; i++)
		if (got[i] != (i >= from && want[i]))
			fail_msg("from %lld: offset %lld is %s",
			    (long long)from, (long long)i,
			    got[i] ? "shown" : "missing");
	stream_reader_close(reader);
}

static void
check_all(const struct temp_dir *dir, int64_t step)
{
	struct view view = compute(dir);

	for (int64_t from = 0; from <= view.end; from += step) {
		check_from(dir, &view, from, false);
		check_from(dir, &view, from, true);
	}
}

static bool
put_golden(const struct temp_dir *dir)
{
	return fx_golden("transactions", dir);
}

static void
golden_transactions_are_seen_as_computed(void **state)
{
	if (!put_golden(*state))
		skip();
	check_all(*state, 1);
}

/* The last n of what is seen, counted as records. */
static void
the_last_records_are_of_those_that_are_seen(void **state)
{
	struct view view;

	if (!put_golden(*state))
		skip();
	view = compute(*state);
	for (size_t n = 1; n < 60; n += 7) {
		struct fx_seen seen = fx_read(*state,
		    (struct fx_reading){.foreign = true,
			.options.range.from = {STREAM_POINT_LAST, (int64_t)n}});
		size_t count = 0;
		int64_t first = view.end;

		while (first > 0 && count < n)
			count += view.committed[--first];
		assert_int_equal(seen.count, n);
		assert_int_equal(seen.first, first);
	}
}

/* Snapshots have a CRC, and nothing else but the log is asked. */
static void
noise_in_what_is_not_the_log_changes_nothing(void **state)
{
	const struct temp_dir *dir = *state;

	if (!put_golden(dir))
		skip();
	for (size_t i = 0; i < 3 * COUNT(noises) + 2; i++) {
		uint32_t seed = (uint32_t)i;
		DIR *list;

		put_golden(dir);
		list = opendir(dir->path);
		for (struct dirent *e = readdir(list); e != NULL;
		     e = readdir(list)) {
			struct stream_name name;

			if (!stream_name_parse(e->d_name, &name) ||
			    name.kind == STREAM_NAME_LOG)
				continue;
			if (i < 3 * COUNT(noises))
				disturb(dir, e->d_name, 4, i % COUNT(noises),
				    &seed);
			else
				fx_remove(dir, e->d_name);
		}
		closedir(list);
		check_all(dir, 17);
	}
}

/* ---- made here ---- */

/* "d1" and so on: two records of transactional producer 1; "c1", "a1" its
 * markers; "d0" records of no transaction; "|" a new segment. */
static int64_t
put_story(const struct temp_dir *dir, const char *story)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf log;
	int64_t next = 0, base = 0;

	stream_buf_init(&log);
	for (const char *p = story; *p != '\0'; p++) {
		int64_t producer_id = p[1] - '0';

		if (*p == ' ')
			continue;
		if (*p == '|') {
			fx_put(
			    dir, fx_log_name(base, name), log.data, log.size);
			log.size = 0;
			base = next;
			continue;
		}
		if (*p == 'd') {
			fx_add(&log,
			    (struct fx_batch){.base = next,
				.count = 2,
				.producer_id = producer_id,
				.attributes = producer_id > 0
						  ? STREAM_BATCH_TRANSACTIONAL
						  : 0,
				.value_size = 9,
				.time_ms = T0 + next});
			next += 2;
		} else {
			fx_add_marker(
			    &log, next, producer_id, *p == 'c', T0 + next);
			next++;
		}
		p++;
	}
	fx_put(dir, fx_log_name(base, name), log.data, log.size);
	stream_buf_release(&log);
	return next;
}

static void
stories_are_seen_as_computed(void **state)
{
	static const char *const stories[] = {
	    "d0 d0",
	    "d1 c1",
	    "d1 a1",
	    "d1",
	    "d0 d1 d0",
	    "d0 d1 d0 c1 d0",
	    "d0 d1 d0 a1 d0",
	    "d1 d2 c1 d2 a2 d1 d0 a1 d3 c3",
	    "d1 d2 a2 d2 c2 d0",
	    "d1 a1 d1 c1 d1 a1 d1",
	    "d1 | c1 d0",
	    "d1 | d0 | d0 | a1 d0",
	    "d1 d2 | d1 c2 | d2 a1 | c2",
	    "d1 | | d0 a1 | d0",
	    "c1 a2 d0 c3",
	    "d1 c1 c1 d0 a1 d1 c1",
	    "d0 | d1 | d2 | c2 | d0",
	    "a1 d1 d2 c2",
	};

	for (size_t i = 0; i < COUNT(stories); i++) {
		struct temp_dir *dir = fx_dir();

		put_story(dir, stories[i]);
		check_all(dir, 1);
		fx_drop(dir);
	}
	(void)state;
}

/* Stories of chance, long enough for several segments. */
static void
any_story_is_seen_as_computed(void **state)
{
	uint32_t seed = 99;

	for (int i = 0; i < 40; i++) {
		struct temp_dir *dir = fx_dir();
		char story[300];
		size_t n = 0;

		story[0] = '\0';
		while (n < 200) {
			static const char kinds[] = "dddddca|";
			char kind = kinds[fx_random(&seed) % 8];

			if (kind == '|')
				n += (size_t)sprintf(story + n, "| ");
			else
				n += (size_t)sprintf(story + n, "%c%u ", kind,
				    (kind == 'd' ? 0 : 1) +
					fx_random(&seed) % 3);
		}
		put_story(dir, story);
		check_all(dir, 13);
		fx_drop(dir);
	}
	(void)state;
}

/* What began before the log's start is decided by what is left of it. */
static void
a_transaction_whose_front_is_gone_is_decided_by_its_marker(void **state)
{
	static const char *const stories[] = {
	    "d1 d0 | d1 a1 d0", "d1 d0 | d1 c1 d0", "d1 | d0 d1 d0"};

	for (size_t i = 0; i < COUNT(stories); i++) {
		struct temp_dir *dir = fx_dir();
		struct view view;

		put_story(dir, stories[i]);
		fx_remove(dir, LOG_0);
		view = compute(dir);
		for (int64_t from = i < 2 ? 4 : 2; from < view.end; from++)
			check_from(dir, &view, from, false);
		fx_drop(dir);
	}
	(void)state;
}

/* A follower waits where a transaction is open, and goes on when its marker
 * comes, be it in the same segment or a later one. */
static void
a_follower_waits_for_the_marker(void **state)
{
	static const struct {
		const char *before, *after;
		size_t seen, then;
	} rows[] = {
	    {"d0 d1 d0", "d0 d1 d0 c1", 2, 6},
	    {"d0 d1 d0", "d0 d1 d0 a1", 2, 4},
	    {"d0 d1 d0", "d0 d1 d0 | d0 | c1 d0", 2, 10},
	    {"d0 d1 d0", "d0 d1 d0 | d0 a1 | d0", 2, 8},
	    {"d1 d2 c1", "d1 d2 c1 d0 | c2", 2, 6},
	    {"d1 d2 c2", "d1 d2 c2 d0 | | a1 d0", 0, 6},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_reader *reader;
		struct fx_seen seen = {.last = -1};

		put_story(dir, rows[i].before);
		reader =
		    fx_reader(dir, (struct fx_reading){.foreign = true,
				       .options.flags = STREAM_READER_FOLLOW});
		for (int n = 0; n < 2; n++) {
			fx_drain(reader, &seen);
			expect(seen.status, STREAM_END, seen.err);
			assert_int_equal(seen.count, rows[i].seen);
		}
		put_story(dir, rows[i].after);
		fx_drain(reader, &seen);
		expect(seen.status, STREAM_END, seen.err);
		if (seen.count != rows[i].then)
			fail_msg("row %zu: %zu", i, seen.count);
		stream_reader_close(reader);
		fx_drop(dir);
	}
	(void)state;
}

/* The segment that is open was closed, and compacted with the one that has the
 * marker. */
static void
a_marker_that_moved_to_the_front_is_found(void **state)
{
	const struct temp_dir *dir = *state;
	struct temp_dir *after = fx_dir();
	struct stream_reader *reader;
	struct fx_seen seen = {.last = -1};
	struct stream_buf log;

	put_story(dir, "d0 d1 d0");
	reader = fx_reader(dir, (struct fx_reading){.foreign = true,
				    .options.flags = STREAM_READER_FOLLOW});
	fx_drain(reader, &seen);
	assert_int_equal(seen.count, 2);
	put_story(after, "d0 d1 d0 d0 c1 | d0");
	fx_get(after, LOG_0, &log);
	fx_put(dir, "new", log.data, log.size);
	stream_buf_release(&log);
	fx_get(after, "00000000000000000009.log", &log);
	fx_put(dir, "00000000000000000009.log", log.data, log.size);
	stream_buf_release(&log);
	assert_int_equal(renameat(dir->fd, "new", dir->fd, LOG_0), 0);
	fx_drain(reader, &seen);
	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.count, 10);
	stream_reader_close(reader);
	fx_drop(after);
}

/* Wherever the file ends within the marker, or within a batch before it. */
static void
what_is_not_yet_whole_is_waited_for(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log;

	put_story(dir, "d0 d1 d0 c1 d0");
	fx_get(dir, LOG_0, &log);
	for (size_t size = 0; size < log.size; size += 11) {
		struct fx_seen seen = {.last = -1};
		struct stream_reader *reader;

		fx_no_writer(dir);
		fx_put(dir, LOG_0, log.data, size);
		reader =
		    fx_reader(dir, (struct fx_reading){.foreign = true,
				       .options.flags = STREAM_READER_FOLLOW});
		fx_drain(reader, &seen);
		expect(seen.status, STREAM_END, seen.err);
		fx_put_at(dir, LOG_0, 0, log.data, log.size);
		fx_drain(reader, &seen);
		expect(seen.status, STREAM_END, seen.err);
		if (seen.count != 8)
			fail_msg("%zu bytes: %zu", size, seen.count);
		stream_reader_close(reader);
	}
	stream_buf_release(&log);
}

/* The marker comes, and a new segment, after the walk came to the end of the
 * old one and before it lists the directory. */
static void
put_marker_and_roll(void *context)
{
	put_story(context, "d0 d1 d0 c1 | d1 a1 d0");
}

static void
a_marker_at_the_very_end_of_a_segment_is_not_missed(void **state)
{
	const struct temp_dir *dir = *state;
	struct fx_seen seen = {.last = -1};
	struct stream_reader *reader;

	put_story(dir, "d0 d1 d0");
	reader = fx_reader(dir, (struct fx_reading){.foreign = true,
				    .options.flags = STREAM_READER_FOLLOW});
	/* The next listing is the walk's: the reader waits before d1. */
	fault_before_list = put_marker_and_roll;
	fault_list_context = *state;
	for (int i = 0; i < 2; i++) {
		fx_drain(reader, &seen);
		expect(seen.status, STREAM_END, seen.err);
	}
	assert_null(fault_before_list);
	assert_int_equal(seen.count, 8);
	stream_reader_close(reader);
}

/* The marker may be what is damaged: nobody knows how it ended, and nothing may
 * be guessed from the next one. */
static void
damage_before_the_marker_is_told(void **state)
{
	static const struct {
		const char *story;
		size_t at; /* of the damage in the first segment */
		size_t seen;
	} rows[] = {
	    /* producer 1 commits 2 records; that marker is hit */
	    {"d0 d1 c1 d0 | d1 a1 d0", 2, 2},
	    {"d0 d1 a1 d0 | d1 c1 d0", 2, 2},
	    {"d0 d1 d0 c1 | d0", 2, 2},
	    /* what is decided before it is shown */
	    {"d0 d1 c1 d0 | d1 a1 d0", 3, 4},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_buf log;
		struct fx_seen seen;
		size_t at = 0;

		put_story(dir, rows[i].story);
		fx_get(dir, LOG_0, &log);
		for (size_t n = 0; n < rows[i].at; n++)
			at += 12 + stream_load32(log.data + at + 8);
		fx_put_at(dir, LOG_0, at + 10, "\xff", 1);
		seen = fx_read(dir, (struct fx_reading){.foreign = true});
		expect(seen.status, STREAM_ECORRUPT, seen.err);
		if (seen.count != rows[i].seen)
			fail_msg("row %zu: %zu", i, seen.count);
		stream_buf_release(&log);
		fx_drop(dir);
	}
	(void)state;
}

/* Behind damage one can begin all the same. */
static void
reading_can_begin_behind_damage(void **state)
{
	const struct temp_dir *dir = *state;
	struct fx_seen seen;

	put_story(dir, "d1 d2 c2 | d1 a1 d0");
	fx_put_at(dir, LOG_0, 10, "\xff", 1);
	seen =
	    fx_read(dir, (struct fx_reading){.foreign = true,
			     .options.range.from = {STREAM_POINT_OFFSET, 5}});
	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.first, 8);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(golden_transactions_are_seen_as_computed),
	    TEST(the_last_records_are_of_those_that_are_seen),
	    TEST(noise_in_what_is_not_the_log_changes_nothing),
	    TEST(stories_are_seen_as_computed),
	    TEST(any_story_is_seen_as_computed),
	    TEST(a_transaction_whose_front_is_gone_is_decided_by_its_marker),
	    TEST(a_follower_waits_for_the_marker),
	    TEST(a_marker_that_moved_to_the_front_is_found),
	    TEST(what_is_not_yet_whole_is_waited_for),
	    TEST(a_marker_at_the_very_end_of_a_segment_is_not_missed),
	    TEST(damage_before_the_marker_is_told),
	    TEST(reading_can_begin_behind_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
