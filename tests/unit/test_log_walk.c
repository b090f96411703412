/* A log file piece by piece: good batches, bad ones, holes and torn ends. */
#include <stream/inspect.h>

#include "fixture.h"

/* What a walk saw, a letter a piece: b batch, c batch that breaks the chain,
 * x bad, h hole, t torn, n newer. */
struct seen {
	char pieces[128];
	uint64_t sizes; /* all together */
	uint64_t records;
	struct stream_piece last_wrong;
	int status;
};

static char *
path_of(const struct temp_dir *dir, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir->path, name);
	return path;
}

static void
count_records(struct stream_log_walk *walk, struct seen *seen)
{
	const struct stream_record *records;
	size_t count;

	while (
	    stream_log_walk_records(walk, &records, &count, NULL) == STREAM_OK)
		seen->records += count;
}

static char
letter_of(const struct stream_piece *piece)
{
	static const char letters[] = "bxhtn";

	return piece->breaks_chain ? 'c' : letters[piece->kind];
}

static struct seen
walk_with(
    const struct temp_dir *dir, const struct stream_log_walk_options *options)
{
	struct seen seen = {.status = STREAM_OK};
	struct stream_log_walk *walk;
	struct stream_piece piece;
	struct stream_error err;
	size_t n = 0;

	expect(stream_log_walk_open(path_of(dir, LOG_0), options, &walk, &err),
	    STREAM_OK, err);
	while ((seen.status = stream_log_walk_next(walk, &piece, &err)) ==
	       STREAM_OK) {
		assert_true(n + 1 < sizeof(seen.pieces));
		assert_int_equal(
		    piece.info.position, options->position + seen.sizes);
		seen.pieces[n++] = letter_of(&piece);
		seen.sizes += piece.size;
		if (piece.kind != STREAM_PIECE_BATCH || piece.breaks_chain)
			seen.last_wrong = piece;
		if (piece.kind == STREAM_PIECE_BATCH)
			count_records(walk, &seen);
	}
	assert_int_equal(
	    stream_log_walk_size(walk), options->position + seen.sizes);
	stream_log_walk_close(walk);
	return seen;
}

static struct seen
walk_log(const struct temp_dir *dir)
{
	return walk_with(dir, &(struct stream_log_walk_options){.position = 0});
}

/* Five batches of two records: at 0, 2, 4, 6 and 8. */
static size_t
put_five(const struct temp_dir *dir)
{
	struct stream_buf log;
	size_t one;

	stream_buf_init(&log);
	for (int i = 0; i < 5; i++)
		fx_add(&log, (struct fx_batch){.base = 2 * i,
				 .count = 2,
				 .time_ms = T0,
				 .value_size = 20});
	one = log.size / 5;
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	return one;
}

static void
good_batches_follow_one_another(void **state)
{
	struct temp_dir *dir = *state;
	size_t one = put_five(dir);
	struct seen seen = walk_log(dir);

	assert_string_equal(seen.pieces, "bbbbb");
	assert_int_equal(seen.status, STREAM_END);
	assert_int_equal(seen.records, 10);
	assert_int_equal(seen.sizes, 5 * one);
}

static void
an_empty_file_has_no_pieces(void **state)
{
	struct temp_dir *dir = *state;

	fx_put(dir, LOG_0, "", 0);
	assert_string_equal(walk_log(dir).pieces, "");
}

static void
a_walk_can_begin_at_a_batch(void **state)
{
	struct temp_dir *dir = *state;
	size_t one = put_five(dir);
	struct stream_log_walk_options options = {.position = 2 * one};

	assert_string_equal(walk_with(dir, &options).pieces, "bbb");
}

static void
a_bad_crc_is_one_bad_batch(void **state)
{
	struct temp_dir *dir = *state;
	size_t one = put_five(dir);
	struct seen seen;

	fx_put_at(dir, LOG_0, one + 70, "\xff\xff", 2);
	seen = walk_log(dir);
	assert_string_equal(seen.pieces, "bxbbb");
	assert_int_equal(seen.records, 8);
	assert_true(seen.last_wrong.has_header);
	assert_int_equal(seen.last_wrong.size, one);
	assert_int_equal(seen.last_wrong.info.base_offset, 2);
	assert_int_equal(seen.last_wrong.info.last_offset, 3);
	assert_true(seen.last_wrong.crc != seen.last_wrong.computed_crc);
	assert_int_equal(seen.last_wrong.why.status, STREAM_ECORRUPT);
}

/* Its length leads nowhere, so what lies before the next good one is lost. */
static void
a_lying_length_makes_a_hole(void **state)
{
	struct temp_dir *dir = *state;
	static const uint8_t length[] = {0, 0, 0, 100};
	size_t one = put_five(dir);
	struct seen seen;

	fx_put_at(dir, LOG_0, one + 8, length, sizeof(length));
	seen = walk_log(dir);
	assert_string_equal(seen.pieces, "bhbbb");
	assert_int_equal(seen.last_wrong.size, one);
}

/* A log whose records hold a log: those are no batches of this one. */
static void
a_batch_in_a_value_is_no_piece(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_buf inner, log;
	size_t at;

	stream_buf_init(&inner);
	stream_buf_init(&log);
	fx_add_many(&inner, 6, 4, 3, 20, 'x');
	fx_add_many(&log, 0, 1, 3, 20, 'a');
	at = log.size;
	fx_add_value(&log, 3, &inner);
	fx_add_many(&log, 4, 3, 3, 20, 'a');
	for (size_t i = 0; i < STREAM_BATCH_HEADER; i++)
		log.data[at + i] = (uint8_t)(0x80 + i);
	fx_put(dir, LOG_0, log.data, log.size);
	assert_string_equal(walk_log(dir).pieces, "bhbbb");
	stream_buf_release(&inner);
	stream_buf_release(&log);
}

static void
noise_between_batches_is_a_hole(void **state)
{
	struct temp_dir *dir = *state;
	uint8_t noise[300];
	uint32_t seed = 3;
	size_t one = put_five(dir);
	struct seen seen;

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)fx_random(&seed);
	fx_put_at(dir, LOG_0, one, noise, one + 20);
	seen = walk_log(dir);
	assert_string_equal(seen.pieces, "bhbb");
	assert_int_equal(seen.last_wrong.size, 2 * one);
}

static void
a_cut_end_is_torn_unless_a_newer_segment_exists(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_log_walk_options closed = {.is_closed = true};
	size_t one = put_five(dir);

	for (size_t cut = 1; cut < one; cut += 13) {
		struct seen seen;

		put_five(dir);
		fx_cut(dir, LOG_0, (off_t)(5 * one - cut));
		seen = walk_log(dir);
		assert_string_equal(seen.pieces, "bbbbt");
		assert_int_equal(seen.last_wrong.size, one - cut);
		assert_string_equal(walk_with(dir, &closed).pieces, "bbbbh");
	}
}

static void
zeros_at_the_end_are_torn(void **state)
{
	struct temp_dir *dir = *state;
	size_t one = put_five(dir);
	struct seen seen;

	fx_cut(dir, LOG_0, (off_t)(5 * one + 1000));
	seen = walk_log(dir);
	assert_string_equal(seen.pieces, "bbbbbt");
	assert_int_equal(seen.last_wrong.size, 1000);
}

static void
an_offset_below_the_one_due_breaks_the_chain(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_log_walk_options later = {.base_offset = 5};
	static const uint8_t base[8] = {0, 0, 0, 0, 0, 0, 0, 1};
	size_t one = put_five(dir);

	assert_string_equal(walk_with(dir, &later).pieces, "cccbb");
	fx_put_at(dir, LOG_0, 2 * one, base, sizeof(base));
	assert_string_equal(walk_log(dir).pieces, "bbcbb");
}

static void
an_offset_past_the_segment_breaks_the_chain(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_log_walk_options next = {.next_base = 7};
	static const uint8_t far[8] = {0, 0, 0, 0, 0x80};
	size_t one = put_five(dir);

	assert_string_equal(walk_with(dir, &next).pieces, "bbbcc");
	fx_put_at(dir, LOG_0, 4 * one, far, sizeof(far));
	assert_string_equal(walk_log(dir).pieces, "bbbbc");
}

static void
another_format_is_not_supported(void **state)
{
	struct temp_dir *dir = *state;
	size_t one = put_five(dir);

	fx_put_at(dir, LOG_0, one + 16, "\x03", 1);
	assert_string_equal(walk_log(dir).pieces, "bnbbb");
}

/* The CRC is right, the records are not. */
static void
records_that_do_not_fit_are_told(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_log_walk_options options = {.position = 0};
	const struct stream_record *records;
	struct stream_log_walk *walk;
	struct stream_piece piece;
	struct stream_error err;
	struct stream_buf log;
	size_t count;

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.count = 2, .time_ms = T0});
	log.data[STREAM_BATCH_HEADER] = 0x7e; /* a length past the end */
	fx_fix_crc(log.data, log.size);
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	expect(stream_log_walk_open(path_of(dir, LOG_0), &options, &walk, &err),
	    STREAM_OK, err);
	expect(stream_log_walk_next(walk, &piece, &err), STREAM_OK, err);
	assert_int_equal(piece.kind, STREAM_PIECE_BATCH);
	assert_int_equal(stream_log_walk_records(walk, &records, &count, &err),
	    STREAM_ECORRUPT);
	assert_int_equal(
	    stream_log_walk_records(walk, &records, &count, &err), STREAM_END);
	stream_log_walk_close(walk);
}

/* Whatever one byte is changed to, the pieces cover the file and hold all
 * records but those of the batch that was hit. */
static void
one_changed_byte_costs_one_batch_at_most(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_log_walk_options closed = {.is_closed = true};
	size_t one = put_five(dir);

	for (size_t at = 0; at < 5 * one; at += 3) {
		struct seen seen;

		put_five(dir);
		fx_put_at(dir, LOG_0, at, "\xa5", 1);
		seen = walk_with(dir, &closed);
		assert_int_equal(seen.status, STREAM_END);
		if (seen.records < 8)
			fail_msg("byte %zu: %llu records, %s", at,
			    (unsigned long long)seen.records, seen.pieces);
	}
}

static void
a_file_that_is_not_there_is_an_error(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_log_walk_options options = {.position = 0};
	struct stream_log_walk *walk;

	assert_int_equal(
	    stream_log_walk_open(path_of(dir, LOG_0), &options, &walk, NULL),
	    STREAM_ENOENT);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(good_batches_follow_one_another),
	    TEST(an_empty_file_has_no_pieces),
	    TEST(a_walk_can_begin_at_a_batch),
	    TEST(a_bad_crc_is_one_bad_batch),
	    TEST(a_lying_length_makes_a_hole),
	    TEST(a_batch_in_a_value_is_no_piece),
	    TEST(noise_between_batches_is_a_hole),
	    TEST(a_cut_end_is_torn_unless_a_newer_segment_exists),
	    TEST(zeros_at_the_end_are_torn),
	    TEST(an_offset_below_the_one_due_breaks_the_chain),
	    TEST(an_offset_past_the_segment_breaks_the_chain),
	    TEST(another_format_is_not_supported),
	    TEST(records_that_do_not_fit_are_told),
	    TEST(one_changed_byte_costs_one_batch_at_most),
	    TEST(a_file_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
