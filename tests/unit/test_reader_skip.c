/* A reader that skips damage: it shows all that is good, nothing that is not,
 * and tells of each offset that is missing, once. */
#include "codec/compress.h"
#include "fixture.h"

enum {
	SEGMENTS = 3,
	BATCHES = 12,
	EACH = 3, /* records of a batch */
	PER_SEGMENT = BATCHES * EACH,
	OFFSETS = SEGMENTS * PER_SEGMENT
};

/* What a reading showed and told. */
struct view {
	bool seen[OFFSETS];
	int told[OFFSETS];
	int holes;
	int64_t last;   /* of the last hole */
	int64_t hidden; /* first offset of records of a producer not shown */
	uint64_t from, to;
	bool inexact;
	char why[232];
	struct stream_error err;
	int status;
};

static void
take_hole(void *context, const struct stream_hole *hole)
{
	struct view *view = context;
	int64_t last = hole->last_offset;

	if (hole->producer_id >= 0) {
		view->hidden = hole->first_offset;
		return;
	}
	view->holes++;
	view->last = last;
	view->from = hole->from_byte;
	view->to = hole->to_byte;
	view->inexact = view->inexact || !hole->exact;
	snprintf(view->why, sizeof(view->why), "%s", hole->why);
	assert_true(hole->from_byte <= hole->to_byte);
	for (int64_t i = hole->first_offset; i < OFFSETS && i <= last; i++)
		view->told[i]++;
}

/* Values say which offset they are of, so a wrong offset shows. */
static void
take_record(struct view *view, const struct stream_record *record)
{
	char key[24];
	int n = snprintf(key, sizeof(key), "k%lld", (long long)record->offset);

	assert_true(record->offset < OFFSETS);
	if (record->key.size != (size_t)n ||
	    memcmp(record->key.data, key, (size_t)n) != 0)
		fail_msg("offset %lld has key %.*s", (long long)record->offset,
		    (int)record->key.size, (const char *)record->key.data);
	for (int64_t i = record->offset; i < OFFSETS; i++)
		if (view->seen[i])
			fail_msg("offset %lld after %lld",
			    (long long)record->offset, (long long)i);
	view->seen[record->offset] = true;
}

static struct view *
skip_read(const struct temp_dir *dir, struct fx_reading how)
{
	struct view *view = test_calloc(1, sizeof(*view));
	const struct stream_record *records;
	struct stream_reader *reader;
	size_t count;

	view->hidden = -1;
	how.options.flags |= STREAM_READER_SKIP_CORRUPT;
	how.options.hole = take_hole;
	how.options.hole_context = view;
	view->status = fx_try_reader(dir, &how, &reader, &view->err);
	if (view->status != STREAM_OK)
		return view;
	while ((view->status = stream_reader_read(
		    reader, &records, &count, &view->err)) == STREAM_OK)
		for (size_t i = 0; i < count; i++)
			take_record(view, &records[i]);
	stream_reader_close(reader);
	return view;
}

/* Of offsets from first on, each was seen or told, and none both or twice. */
static void
expect_all_told(const struct view *view, int64_t first, const char *what)
{
	expect(view->status, STREAM_END, view->err);
	for (int64_t i = first; i < OFFSETS; i++)
		if (view->told[i] + (view->seen[i] ? 1 : 0) != 1)
			fail_msg("%s: offset %lld: seen %d, told %d", what,
			    (long long)i, view->seen[i], view->told[i]);
}

/* The log: three segments. */
static void
put_segments(const struct temp_dir *dir, struct stream_buf *segments)
{
	fx_no_writer(dir);
	for (int i = 0; i < SEGMENTS; i++) {
		char name[STREAM_NAME_SIZE];

		stream_buf_init(&segments[i]);
		fx_add_many(
		    &segments[i], i * PER_SEGMENT, BATCHES, EACH, 40, 'a');
		fx_put(dir, fx_log_name(i * PER_SEGMENT, name),
		    segments[i].data, segments[i].size);
	}
}

static void
put_back(const struct temp_dir *dir, const struct stream_buf *segments)
{
	for (int i = 0; i < SEGMENTS; i++) {
		char name[STREAM_NAME_SIZE];

		fx_put(dir, fx_log_name(i * PER_SEGMENT, name),
		    segments[i].data, segments[i].size);
	}
}

static void
release(struct stream_buf *segments)
{
	for (int i = 0; i < SEGMENTS; i++)
		stream_buf_release(&segments[i]);
}

/* Position of batch n of a segment. */
static size_t
batch_at(const struct stream_buf *log, int n)
{
	size_t at = 0;

	while (n-- > 0)
		at += 12 + stream_load32(log->data + at + 8);
	return at;
}

/* Any one byte of any batch: no more than that batch is missing, and where the
 * CRC covers the byte no less. */
static void
one_bad_byte_costs_its_batch_and_no_other(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf logs[SEGMENTS];

	put_segments(dir, logs);
	for (int s = 0; s < SEGMENTS; s++) {
		char name[STREAM_NAME_SIZE];

		fx_log_name(s * PER_SEGMENT, name);
		for (int b = 0; b < BATCHES; b++) {
			size_t at = batch_at(&logs[s], b);

			for (size_t i = 0; i < 75; i++) {
				uint8_t bad = (uint8_t)(logs[s].data[at + i] ^
							(i % 2 ? 0xff : 1));
				int64_t first = s * PER_SEGMENT + b * EACH;
				struct view *view;

				fx_put_at(dir, name, at + i, &bad, 1);
				view = skip_read(dir, (struct fx_reading){0});
				fx_put_at(dir, name, at + i,
				    &logs[s].data[at + i], 1);
				expect_all_told(view, 0, name);
				for (int64_t o = 0; o < OFFSETS; o++) {
					bool there =
					    o < first || o >= first + EACH;

					/* The epoch has no check. */
					if (i >= 12 && i < 16)
						there = true;
					if (view->seen[o] != there)
						fail_msg(
						    "segment %d batch %d byte "
						    "%zu: "
						    "offset %lld seen %d: %s",
						    s, b, i, (long long)o,
						    view->seen[o], view->why);
				}
				test_free(view);
			}
		}
	}
	release(logs);
}

static void
damage_some(
    const struct temp_dir *dir, const struct stream_buf *logs, uint32_t *seed)
{
	int s = (int)(fx_random(seed) % SEGMENTS);
	size_t size = logs[s].size;
	size_t at = fx_random(seed) % size;
	size_t n = 1 + fx_random(seed) % 600;
	uint8_t noise[600];
	char name[STREAM_NAME_SIZE];

	fx_log_name(s * PER_SEGMENT, name);
	if (fx_size(dir, name) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		noise[i] = (uint8_t)fx_random(seed);
	if (at + n > size)
		n = size - at;
	switch (fx_random(seed) % 6) {
	case 0:
		fx_put_at(dir, name, at, noise, n);
		break;
	case 1:
		memset(noise, 0, n);
		fx_put_at(dir, name, at, noise, n);
		break;
	case 2: /* the same bytes from elsewhere: batches twice or misplaced */
		fx_put_at(dir, name, at, logs[s].data + (at / 2), n);
		break;
	case 3:
		fx_cut(dir, name, (off_t)at);
		break;
	case 4:
		if (s > 0)
			fx_remove(dir, name);
		break;
	default:
		fx_put_at(dir, name, at, noise, 1);
	}
}

/* However the log is damaged, nothing wrong is shown and nothing is missing
 * without a word; but at the end, where nobody knows how much there was. */
static void
any_damage_is_told_and_nothing_wrong_is_shown(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf logs[SEGMENTS];
	uint32_t seed = 7;

	put_segments(dir, logs);
	for (int round = 0; round < 3000; round++) {
		int times = 1 + round % 3;
		int64_t first = 0;
		struct fx_reading how = {.gaps = round % 5 == 4};
		struct view *view;
		char what[32];

		put_back(dir, logs);
		for (int i = 0; i < times; i++)
			damage_some(dir, logs, &seed);
		if (round % 4 == 3) {
			first = fx_random(&seed) % PER_SEGMENT;
			how.options.range.from =
			    (struct stream_point){STREAM_POINT_OFFSET, first};
			how.options.flags = STREAM_READER_CLAMP;
		}
		view = skip_read(dir, how);
		snprintf(what, sizeof(what), "round %d", round);
		/* A cut at the very end leaves no trace, a gap neither. */
		for (int64_t i = OFFSETS;
		     i > first && !view->seen[i - 1] && view->told[i - 1] == 0;
		     i--)
			view->told[i - 1] = 1;
		for (int64_t i = 0; how.gaps && i < OFFSETS; i++)
			if (!view->seen[i] && view->told[i] == 0)
				view->told[i] = 1;
		expect_all_told(view, first, what);
		for (int64_t i = 0; i < first; i++)
			assert_false(view->seen[i]);
		test_free(view);
	}
	release(logs);
}

/* A batch as fx_add makes it, its records compressed. */
static void
add_packed(struct stream_buf *log, struct fx_batch make)
{
	struct stream_compressor *compressor;
	struct stream_buf plain, packed;
	uint8_t *batch;

	stream_buf_init(&plain);
	stream_buf_init(&packed);
	fx_add(&plain, make);
	assert_int_equal(stream_compressor_new(STREAM_CODEC_ZSTD,
			     STREAM_LEVEL_DEFAULT, &compressor, NULL),
	    STREAM_OK);
	assert_int_equal(
	    stream_compress(compressor,
		(struct stream_bytes){plain.data + 61, plain.size - 61},
		&packed, NULL),
	    STREAM_OK);
	stream_compressor_free(compressor);
	assert_int_equal(stream_buf_add(log, plain.data, 61, NULL), STREAM_OK);
	assert_int_equal(
	    stream_buf_add(log, packed.data, packed.size, NULL), STREAM_OK);
	batch = log->data + log->size - packed.size - 61;
	stream_store32(batch + 8, (uint32_t)(packed.size + 49));
	batch[22] |= STREAM_CODEC_ZSTD;
	fx_fix_crc(batch, packed.size + 61);
	stream_buf_release(&plain);
	stream_buf_release(&packed);
}

/* What lies on the way to a time may have held it, so it is told too.  The
 * reading of each range meets the damage, or passes it, as the range says.
 */
static void
holes_are_told_as_far_as_they_lie_in_the_range(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf logs[SEGMENTS];
	char name[STREAM_NAME_SIZE];
	static const struct {
		struct stream_range range;
		int seen, told;
	} rows[] = {
	    {{{STREAM_POINT_OFFSET, 0}, {0}}, OFFSETS - 6, 6},
	    {{{STREAM_POINT_OFFSET, 40}, {0}}, OFFSETS - 43, 3},
	    {{{STREAM_POINT_OFFSET, 43}, {0}}, OFFSETS - 45, 2},
	    {{{STREAM_POINT_OFFSET, 45}, {0}}, OFFSETS - 45, 0},
	    {{{STREAM_POINT_OFFSET, 40}, {STREAM_POINT_OFFSET, 43}}, 2, 1},
	    {{{STREAM_POINT_OFFSET, 0}, {STREAM_POINT_OFFSET, 6}}, 3, 3},
	    {{{STREAM_POINT_OFFSET, 43}, {STREAM_POINT_OFFSET, 44}}, 0, 1},
	    {{{STREAM_POINT_LAST, 5}, {0}}, 5, 0},
	    {{{STREAM_POINT_LAST, OFFSETS - 6 - 2}, {0}}, OFFSETS - 8, 6},
	    {{{STREAM_POINT_LAST, OFFSETS}, {0}}, OFFSETS - 6, 6},
	    {{{STREAM_POINT_START, 0}, {STREAM_POINT_AFTER, 4}}, 4, 3},
	    {{{STREAM_POINT_TIME, T0 + 42}, {0}}, OFFSETS - 45, 6},
	    {{{STREAM_POINT_TIME, T0 + 50}, {0}}, OFFSETS - 50, 6},
	    {{{STREAM_POINT_TIME, T0}, {STREAM_POINT_TIME, T0 + 46}}, 40, 6},
	};

	put_segments(dir, logs);
	/* Batch 1 of the first segment, 3 to 5; batch 2 of the second, 42 to
	 * 44. */
	logs[0].data[batch_at(&logs[0], 1) + 70] ^= 1;
	logs[1].data[batch_at(&logs[1], 2) + 70] ^= 1;
	fx_put(dir, fx_log_name(0, name), logs[0].data, logs[0].size);
	fx_put(dir, fx_log_name(PER_SEGMENT, name), logs[1].data, logs[1].size);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct view *view = skip_read(
		    dir, (struct fx_reading){.options.range = rows[i].range});
		int seen = 0, told = 0;

		expect(view->status, STREAM_END, view->err);
		for (int o = 0; o < OFFSETS; o++) {
			seen += view->seen[o];
			told += view->told[o];
		}
		if (seen != rows[i].seen || told != rows[i].told)
			fail_msg("row %zu: %d seen, %d told", i, seen, told);
		test_free(view);
	}
	release(logs);
}

/* Where a range ends behind damage it is not cut short in silence: the newest
 * segment has a bad batch in its middle, or at its end, or cannot be opened. */
static void
a_range_that_ends_behind_damage_comes_to_it(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf logs[SEGMENTS];
	char name[STREAM_NAME_SIZE];
	static const struct stream_point ends[] = {{STREAM_POINT_END, 0},
	    {STREAM_POINT_LAST, 2}, {STREAM_POINT_TIME, T0 + OFFSETS - 2},
	    {STREAM_POINT_OFFSET, OFFSETS - 1}, {STREAM_POINT_NONE, 0}};

	put_segments(dir, logs);
	fx_log_name(2 * PER_SEGMENT, name);
	for (int way = 0; way < 3; way++) {
		size_t at = batch_at(&logs[2], way == 0 ? 4 : BATCHES - 1);

		logs[2].data[at + 70] ^= 1;
		fx_put(dir, name, logs[2].data, logs[2].size);
		logs[2].data[at + 70] ^= 1;
		if (way == 2) {
			fx_remove(dir, name);
			assert_int_equal(mkdirat(dir->fd, name, 0700), 0);
		}
		for (size_t i = 0; i < COUNT(ends); i++) {
			struct fx_reading how = {
			    .options.range = {
				{STREAM_POINT_START, 0}, ends[i]}};
			struct fx_seen seen = fx_read(dir, how);
			struct view *view = skip_read(dir, how);

			if (seen.status !=
			    (way == 2 ? STREAM_EIO : STREAM_ECORRUPT))
				fail_msg("way %d end %zu: %d, %zu records", way,
				    i, seen.status, seen.count);
			expect(view->status, STREAM_END, view->err);
			if (view->holes != 1)
				fail_msg("way %d end %zu: %d holes", way, i,
				    view->holes);
			test_free(view);
		}
		if (way == 2)
			unlinkat(dir->fd, name, AT_REMOVEDIR);
	}
	release(logs);
}

/* A log whose records hold a log: what is in a value is no batch of ours. */
static void
a_batch_in_a_value_is_not_taken_for_one(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf inner, log;

	fx_no_writer(dir);
	for (int way = 0; way < 3; way++) {
		struct view *view;
		size_t size;

		stream_buf_init(&inner);
		stream_buf_init(&log);
		fx_add_many(&inner, 6, 4, 3, 20, 'x');
		fx_add_many(&log, 0, 1, 3, 20, 'a');
		size = log.size;
		fx_add_value(&log, 3, &inner);
		fx_add_many(&log, 4, 3, 3, 20, 'a');
		if (way == 0) /* the CRC */
			log.data[size + 20] ^= 1;
		else /* all of the header, or to the middle of it */
			for (size_t i = 0; i < (way == 1 ? 61 : 30); i++)
				log.data[size + i] = (uint8_t)(0x80 + i);
		fx_put(dir, LOG_0, log.data, log.size);
		view = skip_read(dir, (struct fx_reading){0});
		expect(view->status, STREAM_END, view->err);
		for (int o = 0; o < 13; o++)
			if (view->seen[o] != (o != 3))
				fail_msg("way %d: offset %d", way, o);
		assert_int_equal(view->told[3], 1);
		test_free(view);
		stream_buf_release(&inner);
		stream_buf_release(&log);
	}
}

/* The kinds of damage that are not a bad CRC. */
static void
what_cannot_be_read_is_skipped_whatever_it_is(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf logs[SEGMENTS];
	static const char *const whys[] = {"codec 7", "magic", "record 1",
	    "cannot be decompressed", "not a regular file", "next segment"};
	char name[STREAM_NAME_SIZE];

	put_segments(dir, logs);
	fx_log_name(PER_SEGMENT, name);
	for (size_t way = 0; way < COUNT(whys); way++) {
		size_t at = batch_at(&logs[1], 4);
		size_t size = batch_at(&logs[1], 5) - at;
		struct stream_buf copy;
		uint8_t *batch;
		struct view *view;
		int lost = 0;

		put_back(dir, logs);
		assert_true(fx_get(dir, name, &copy) > 0);
		batch = copy.data + at;
		if (way == 0)
			batch[22] = 7;
		if (way == 1)
			batch[16] = 3;
		if (way == 2) /* the length of the second record */
			batch[61 + batch[61] / 2 + 1]++;
		if (way == 3)
			batch[22] = STREAM_CODEC_ZSTD;
		fx_fix_crc(batch, size);
		fx_put(dir, name, copy.data, copy.size);
		if (way >= 4)
			fx_remove(dir, name);
		if (way == 4)
			assert_int_equal(mkdirat(dir->fd, name, 0700), 0);
		view = skip_read(dir, (struct fx_reading){0});
		expect_all_told(view, 0, whys[way]);
		if (way == 4)
			unlinkat(dir->fd, name, AT_REMOVEDIR);
		for (int o = 0; o < OFFSETS; o++)
			lost += view->told[o];
		if (lost != (way >= 4 ? PER_SEGMENT : EACH))
			fail_msg("%s: %d lost", whys[way], lost);
		if (way != 3 && strstr(view->why, whys[way]) == NULL)
			fail_msg("%s: said %s", whys[way], view->why);
		test_free(view);
		stream_buf_release(&copy);
	}
	release(logs);
}

/* At the end nobody knows how much there was, unless the state says so. */
static void
damage_at_the_end_is_open(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);
	struct view *view;
	struct stream_buf log;
	off_t end;

	fx_append(partition, 4, 3, 20, 'a');
	fx_sync(partition);
	end = fx_size(dir, LOG_0);
	stream_partition_close(partition);
	assert_true(fx_get(dir, LOG_0, &log) > 0);
	log.data[end - 4] ^= 1;
	fx_put_at(dir, LOG_0, 0, log.data, log.size);
	view = skip_read(dir, (struct fx_reading){0});
	expect(view->status, STREAM_END, view->err);
	assert_int_equal(view->holes, 1);
	assert_int_equal(view->last, 11);
	assert_int_equal(view->to, end);
	test_free(view);

	fx_no_writer(dir); /* the state is gone */
	view = skip_read(dir, (struct fx_reading){0});
	expect(view->status, STREAM_END, view->err);
	assert_int_equal(view->holes, 1);
	assert_true(view->last == STREAM_HOLE_UNKNOWN);
	assert_true(view->seen[8] && !view->seen[9]);
	test_free(view);
	stream_buf_release(&log);
}

/* One who follows tells of a bad end once, and reads what is put in its place.
 */
static void
a_follower_goes_on_where_the_bad_end_is_replaced(void **state)
{
	const struct temp_dir *dir = *state;
	struct view view = {.hidden = -1};
	struct fx_reading how = {
	    .options = {
		.flags = STREAM_READER_FOLLOW | STREAM_READER_SKIP_CORRUPT,
		.hole = take_hole,
		.hole_context = &view}};
	const struct stream_record *records;
	struct stream_reader *reader;
	struct stream_buf log;
	size_t count, end;

	fx_no_writer(dir);
	stream_buf_init(&log);
	fx_add_many(&log, 0, 4, 3, 20, 'a');
	end = batch_at(&log, 3);
	log.data[end + 70] ^= 1;
	fx_put(dir, LOG_0, log.data, log.size);
	reader = fx_reader(dir, how);
	for (int i = 0; i < 3; i++) {
		struct stream_error err;

		while ((view.status = stream_reader_read(
			    reader, &records, &count, &err)) == STREAM_OK)
			for (size_t r = 0; r < count; r++)
				take_record(&view, &records[r]);
		expect(view.status, STREAM_END, err);
		assert_int_equal(view.holes, 1);
		if (i == 1) {
			log.data[end + 70] ^= 1;
			fx_put_at(
			    dir, LOG_0, end, log.data + end, log.size - end);
		}
	}
	assert_true(view.seen[11]);
	stream_reader_close(reader);
	stream_buf_release(&log);
}

/* Batches decompressed ahead come before the hole behind them. */
static void
threads_that_read_ahead_change_nothing(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log;
	size_t ends[OFFSETS / EACH];

	fx_no_writer(dir);
	stream_buf_init(&log);
	for (int i = 0; i < OFFSETS / EACH; i++) {
		add_packed(&log,
		    (struct fx_batch){
			.base = i * EACH, .count = EACH, .value_size = 60});
		ends[i] = log.size;
	}
	for (int i = 3; i < OFFSETS / EACH; i += 5)
		log.data[ends[i] - 10 - (size_t)i % 3] ^= 0x21;
	for (int i = 6; i < OFFSETS / EACH; i += 9) { /* inside */
		size_t at = ends[i - 1], size = ends[i] - at;

		log.data[at + size - 9] ^= 0x55;
		fx_fix_crc(log.data + at, size);
	}
	fx_put(dir, LOG_0, log.data, log.size);
	for (unsigned workers = 0; workers < 4; workers++) {
		struct view *view = skip_read(
		    dir, (struct fx_reading){.options.workers = workers});

		for (int i = 0; i < OFFSETS / EACH; i++)
			if (i % 5 == 3)
				assert_true(view->told[i * EACH] == 1);
			else if (i < 6 || i % 9 != 6)
				assert_true(view->seen[i * EACH]);
		expect_all_told(view, 0, "ahead");
		test_free(view);
	}
	stream_buf_release(&log);
}

/* One record a batch; offset 4 is damaged.  A transaction that is open there
 * may have ended in it: nobody can say how. */
static void
a_transaction_that_may_have_ended_in_damage_is_not_shown(void **state)
{
	enum { DATA = STREAM_BATCH_TRANSACTIONAL };
	static const bool skipped[] = {1, 1, 0, 0, 0, 0, 1, 0, 1};
	const struct temp_dir *dir = *state;
	struct fx_reading how = {.foreign = true};
	struct fx_seen seen;
	struct stream_buf log;
	struct view *view;

	fx_no_writer(dir);
	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.attributes = DATA, .producer_id = 7});
	fx_add(&log, (struct fx_batch){.base = 1});
	fx_add_marker(&log, 2, 7, true, T0);
	fx_add(&log,
	    (struct fx_batch){.base = 3, .attributes = DATA, .producer_id = 7});
	fx_add(&log, (struct fx_batch){.base = 4});
	log.data[log.size - 1] ^= 1;
	fx_add_marker(&log, 5, 7, true, T0);
	fx_add(&log,
	    (struct fx_batch){.base = 6, .attributes = DATA, .producer_id = 7});
	fx_add_marker(&log, 7, 7, true, T0);
	fx_add(&log, (struct fx_batch){.base = 8});
	fx_put(dir, LOG_0, log.data, log.size);

	view = skip_read(dir, how);
	expect(view->status, STREAM_END, view->err);
	for (int o = 0; o < 9; o++)
		if (view->seen[o] != skipped[o])
			fail_msg("offset %d: seen %d", o, view->seen[o]);
	assert_int_equal(view->hidden, 3);
	assert_int_equal(view->told[4], 1);
	test_free(view);

	/* One who does not skip stops where it cannot know, and is told. */
	seen = fx_read(dir, how);
	expect(seen.status, STREAM_ECORRUPT, seen.err);
	assert_int_equal(seen.last, 1);
	stream_buf_release(&log);
}

/* A bit that flips in the marker of a transaction must not hide what follows
 * without a word. */
static void
no_flipped_bit_hides_a_transaction_in_silence(void **state)
{
	const struct temp_dir *dir = *state;
	struct fx_reading how = {.foreign = true};
	struct stream_buf log;
	size_t marker;

	fx_no_writer(dir);
	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.attributes = STREAM_BATCH_TRANSACTIONAL,
			 .producer_id = 7});
	fx_add(&log, (struct fx_batch){.base = 1});
	marker = log.size;
	fx_add_marker(&log, 2, 7, true, T0);
	fx_add(&log, (struct fx_batch){.base = 3});
	for (size_t i = 8; i < log.size - marker - 20; i++) {
		struct fx_seen seen;

		if (i >= 12 && i < 16) /* the epoch */
			continue;
		for (int bit = 0; bit < 8; bit++) {
			log.data[marker + i] ^= (uint8_t)(1 << bit);
			fx_put(dir, LOG_0, log.data, log.size);
			log.data[marker + i] ^= (uint8_t)(1 << bit);
			seen = fx_read(dir, how);
			if (seen.status == STREAM_END && seen.count != 3)
				fail_msg("byte %zu bit %d: %zu records", i, bit,
				    seen.count);
		}
	}
	stream_buf_release(&log);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(one_bad_byte_costs_its_batch_and_no_other),
	    TEST(any_damage_is_told_and_nothing_wrong_is_shown),
	    TEST(holes_are_told_as_far_as_they_lie_in_the_range),
	    TEST(a_range_that_ends_behind_damage_comes_to_it),
	    TEST(a_batch_in_a_value_is_not_taken_for_one),
	    TEST(what_cannot_be_read_is_skipped_whatever_it_is),
	    TEST(damage_at_the_end_is_open),
	    TEST(a_follower_goes_on_where_the_bad_end_is_replaced),
	    TEST(a_transaction_that_may_have_ended_in_damage_is_not_shown),
	    TEST(no_flipped_bit_hides_a_transaction_in_silence),
	    TEST(threads_that_read_ahead_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
