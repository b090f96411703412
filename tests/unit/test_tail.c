/* What bytes after the last good batch mean: torn, bad, damage or newer. */
#include "base/clock.h"
#include "file/tail.h"
#include "fixture.h"

/* The next offset at the place that is judged. */
enum { NEXT = 10 };

static enum stream_tail
judge_at(const struct temp_dir *dir, const struct stream_buf *log,
    uint64_t position, size_t cap)
{
	enum stream_tail tail;
	int fd;

	fx_put(dir, LOG_0, log->data, log->size);
	fd = openat(dir->fd, LOG_0, O_RDONLY);
	assert_int_equal(
	    stream_tail_judge(fd, position, NEXT, cap, &tail, NULL), STREAM_OK);
	close(fd);
	return tail;
}

static enum stream_tail
judge(const struct temp_dir *dir, const struct stream_buf *log)
{
	return judge_at(dir, log, 0, STREAM_BATCH_CAP_DEFAULT);
}

static struct stream_buf
one_batch(void)
{
	struct stream_buf log;

	stream_buf_init(&log);
	fx_add(&log,
	    (struct fx_batch){.base = NEXT, .count = 4, .value_size = 50});
	return log;
}

static void
add_bytes(struct stream_buf *log, int byte, size_t n)
{
	assert_int_equal(stream_buf_reserve(log, n, NULL), STREAM_OK);
	memset(log->data + log->size, byte, n);
	log->size += n;
}

static void
nothing_behind_the_last_batch_is_none(void **state)
{
	struct stream_buf log = one_batch();

	assert_int_equal(
	    judge_at(*state, &log, log.size, 1 << 20), STREAM_TAIL_NONE);
	assert_int_equal(
	    judge_at(*state, &log, log.size + 5, 1 << 20), STREAM_TAIL_NONE);
	stream_buf_release(&log);
}

/* Rule 1, around the size of a window. */
static void
zeros_to_the_end_are_torn(void **state)
{
	static const size_t sizes[] = {1, 7, 12, 17, 60, 61, 4096,
	    (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20};
	struct stream_buf log;

	stream_buf_init(&log);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		log.size = 0;
		add_bytes(&log, 0, sizes[i]);
		assert_int_equal(judge(*state, &log), STREAM_TAIL_TORN);
		/* A single other byte at the end is seen. */
		log.data[log.size - 1] = 1;
		if (sizes[i] > 16)
			assert_int_equal(judge(*state, &log), STREAM_TAIL_BAD);
	}
	stream_buf_release(&log);
}

/* Rule 4: every cut of a batch. */
static void
a_batch_that_stops_early_is_torn(void **state)
{
	struct stream_buf log = one_batch();

	for (log.size--; log.size > 0; log.size--)
		if (judge(*state, &log) != STREAM_TAIL_TORN)
			fail_msg("%zu bytes", log.size);
	stream_buf_release(&log);
}

/* Rule 2: a good batch behind it, wherever that lies in the windows. */
static void
a_good_batch_behind_makes_it_damage(void **state)
{
	static const size_t gaps[] = {1, 5, 61, 4095, (1 << 20) - 62,
	    (1 << 20) - 61, (1 << 20) - 60, (1 << 20) - 1, 1 << 20,
	    (2 << 20) - 100, 5 << 20};

	for (size_t i = 0; i < COUNT(gaps); i++) {
		struct stream_buf log;

		stream_buf_init(&log);
		add_bytes(&log, 0x77, gaps[i]);
		fx_add(&log, (struct fx_batch){.base = NEXT, .value_size = 9});
		if (judge(*state, &log) != STREAM_TAIL_DAMAGE)
			fail_msg("gap %zu", gaps[i]);
		/* Zeros in front change nothing: the hole of a lost page. */
		memset(log.data, 0, gaps[i]);
		if (judge(*state, &log) != STREAM_TAIL_DAMAGE)
			fail_msg("zero gap %zu", gaps[i]);
		stream_buf_release(&log);
	}
}

static void
only_a_batch_at_or_after_the_expected_offset_is_proof(void **state)
{
	static const struct {
		int64_t base;
		enum stream_tail want;
	} rows[] = {{NEXT - 1, STREAM_TAIL_BAD}, {0, STREAM_TAIL_BAD},
	    {NEXT, STREAM_TAIL_DAMAGE}, {INT64_C(1) << 50, STREAM_TAIL_DAMAGE}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_buf log = one_batch();

		log.data[30] ^= 1; /* its CRC is bad */
		fx_add(&log,
		    (struct fx_batch){.base = rows[i].base, .value_size = 20});
		if (judge(*state, &log) != rows[i].want)
			fail_msg("row %zu", i);
		stream_buf_release(&log);
	}
}

/* A record can hold a batch.  When the append that writes it is cut behind it,
 * nobody can tell it from a log whose front is damaged, and nothing is cut. */
static void
a_good_batch_within_a_torn_one_is_damage(void **state)
{
	struct stream_buf inner = one_batch(), outer;
	struct stream_batch_build build;
	struct stream_record record = {.value = {inner.data, inner.size}};
	uint8_t memory[1024];
	size_t size;

	stream_batch_build_start(&build, memory);
	assert_true(stream_batch_build_add(&build, &record));
	size = stream_batch_build_size(&build);
	stream_batch_build_header(&build, STREAM_CODEC_NONE, memory, size);
	stream_batch_seal(memory, size);
	stream_batch_place(memory, NEXT, 0);
	outer = (struct stream_buf){memory, size - 1, sizeof(memory)};
	assert_int_equal(judge(*state, &outer), STREAM_TAIL_DAMAGE);
	/* Cut within the inner one there is no proof. */
	outer.size = size - 20;
	assert_int_equal(judge(*state, &outer), STREAM_TAIL_TORN);
	stream_buf_release(&inner);
}

/* Rule 3. */
static void
a_length_that_lies_is_damage(void **state)
{
	static const int32_t lies[] = {
	    0, 48, 49, 100, -1, INT32_MIN, INT32_MAX, 70 << 20, 1 << 20};

	for (size_t i = 0; i < COUNT(lies); i++) {
		struct stream_buf log = one_batch();

		stream_store32(log.data + 8, (uint32_t)lies[i]);
		if (judge(*state, &log) != STREAM_TAIL_DAMAGE)
			fail_msg("length %d", lies[i]);
		stream_buf_release(&log);
	}
}

/* Rule 5. */
static void
a_last_batch_that_is_all_there_and_wrong_is_bad(void **state)
{
	static const struct {
		size_t at;
		int flip;
	} rows[] = {{17, 1}, {20, 0x80}, {21, 1}, {26, 1}, {30, 4}, {57, 1},
	    {61, 1}, {120, 0xff}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_buf log = one_batch();

		log.data[rows[i].at] ^= (uint8_t)rows[i].flip;
		if (judge(*state, &log) != STREAM_TAIL_BAD)
			fail_msg("row %zu", i);
		/* With a torn piece of another behind it too. */
		add_bytes(&log, 0, 9);
		if (judge(*state, &log) != STREAM_TAIL_BAD)
			fail_msg("row %zu, with more", i);
		stream_buf_release(&log);
	}
}

/* The CRC is good and what it covers makes no sense. */
static void
a_batch_that_contradicts_itself_is_bad(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} rows[] = {{57, 0}, {57, 5}, {57, UINT32_MAX}, {23, UINT32_MAX}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_buf log = one_batch();

		stream_store32(log.data + rows[i].at, rows[i].value);
		fx_fix_crc(log.data, log.size);
		if (judge(*state, &log) != STREAM_TAIL_BAD)
			fail_msg("row %zu", i);
		stream_buf_release(&log);
	}
}

static void
lengths_out_of_range_are_bad(void **state)
{
	static const int32_t lengths[] = {
	    0, 1, 48, -1, INT32_MIN, INT32_MAX, (64 << 20) - 11};

	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct stream_buf log = one_batch();

		log.data[40] ^= 1;
		stream_store32(log.data + 8, (uint32_t)lengths[i]);
		if (judge(*state, &log) != STREAM_TAIL_BAD)
			fail_msg("length %d", lengths[i]);
		/* At the cap it is a batch that stops early. */
		stream_store32(log.data + 8, (64 << 20) - 12);
		assert_int_equal(judge(*state, &log), STREAM_TAIL_TORN);
		stream_buf_release(&log);
	}
}

static void
another_magic_is_newer_when_the_batch_is_whole(void **state)
{
	static const uint8_t magics[] = {0, 1, 3, 0x7f, 0xff};

	for (size_t i = 0; i < COUNT(magics); i++) {
		struct stream_buf log = one_batch();

		log.data[16] = magics[i];
		if (judge(*state, &log) != STREAM_TAIL_NEWER)
			fail_msg("magic %d", magics[i]);
		log.size--;
		if (judge(*state, &log) != STREAM_TAIL_TORN)
			fail_msg("torn magic %d", magics[i]);
		log.size++;
		log.data[80] ^= 1;
		if (magics[i] > 2 && judge(*state, &log) != STREAM_TAIL_BAD)
			fail_msg("bad magic %d", magics[i]);
		stream_buf_release(&log);
	}
}

static void
an_unknown_codec_is_newer(void **state)
{
	for (uint16_t codec = 5; codec < 8; codec++) {
		struct stream_buf log = one_batch();

		stream_store16(log.data + 21, codec);
		assert_int_equal(judge(*state, &log), STREAM_TAIL_BAD);
		fx_fix_crc(log.data, log.size);
		assert_int_equal(judge(*state, &log), STREAM_TAIL_NEWER);
		stream_buf_release(&log);
	}
}

/* A header that could be a batch every 20 bytes, each as long as all the rest,
 * in 8 MiB: without a bound that is 1.7 TB of CRC. */
static void
hostile_candidates_take_linear_time(void **state)
{
	struct stream_buf log;
	int64_t from_ms;

	stream_buf_init(&log);
	add_bytes(&log, 2, 8 << 20);
	for (size_t at = 1; at + 61 < log.size; at += 61) {
		uint8_t *p = log.data + at;

		stream_store64(p, NEXT + at);
		stream_store32(p + 8, (uint32_t)(log.size - at - 12));
		stream_store32(p + 23, 1 << 20);
		stream_store32(p + 57, 1);
	}
	from_ms = stream_clock_steady_ms();
	assert_int_equal(judge(*state, &log), STREAM_TAIL_DAMAGE);
	assert_in_range(stream_clock_steady_ms() - from_ms, 0, 2000);
	stream_buf_release(&log);
}

/* Candidates that use up what may be computed do not hide the other rules. */
static void
hostile_candidates_do_not_hide_a_lying_length(void **state)
{
	struct stream_buf log;

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.base = NEXT, .value_size = 70 << 10});
	for (int i = 0; i < 5; i++) {
		uint8_t *p = log.data + 100 + 100 * i;

		stream_store64(p, NEXT);
		stream_store32(p + 8, (uint32_t)(log.size - 1000));
		p[16] = 2;
		stream_store32(p + 23, 1);
		stream_store32(p + 57, 1);
	}
	fx_fix_crc(log.data, log.size);
	stream_store32(log.data + 8, 50);
	assert_int_equal(
	    judge_at(*state, &log, 0, log.size), STREAM_TAIL_DAMAGE);
	stream_buf_release(&log);
}

/* SPEC 11: a log file has at most 2^31 - 1 bytes. */
static void
a_file_longer_than_any_log_is_damage_at_once(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log = one_batch();
	enum stream_tail tail;
	int64_t since_ms = stream_clock_steady_ms();
	int fd;

	fx_put(dir, LOG_0, log.data, log.size);
	fd = openat(dir->fd, LOG_0, O_RDWR);
	if (ftruncate(fd, (off_t)1 << 40) != 0) {
		close(fd);
		stream_buf_release(&log);
		skip(); /* this file system has no files of that size */
	}
	assert_int_equal(stream_tail_judge(fd, log.size, NEXT + 4,
			     STREAM_BATCH_CAP_DEFAULT, &tail, NULL),
	    STREAM_OK);
	assert_int_equal(tail, STREAM_TAIL_DAMAGE);
	assert_true(stream_clock_steady_ms() - since_ms < 5000);
	close(fd);
	stream_buf_release(&log);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(nothing_behind_the_last_batch_is_none),
	    TEST(zeros_to_the_end_are_torn),
	    TEST(a_batch_that_stops_early_is_torn),
	    TEST(a_good_batch_behind_makes_it_damage),
	    TEST(only_a_batch_at_or_after_the_expected_offset_is_proof),
	    TEST(a_good_batch_within_a_torn_one_is_damage),
	    TEST(a_length_that_lies_is_damage),
	    TEST(a_last_batch_that_is_all_there_and_wrong_is_bad),
	    TEST(a_batch_that_contradicts_itself_is_bad),
	    TEST(lengths_out_of_range_are_bad),
	    TEST(another_magic_is_newer_when_the_batch_is_whole),
	    TEST(an_unknown_codec_is_newer),
	    TEST(hostile_candidates_take_linear_time),
	    TEST(hostile_candidates_do_not_hide_a_lying_length),
	    TEST(a_file_longer_than_any_log_is_damage_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
