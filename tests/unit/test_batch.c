/* Batch headers: the vectors, every flipped byte, placing and stamping. */
#include "codec/batch.h"
#include "codec/compress.h"
#include "codec/records.h"
#include "fixture.h"
#include "vectors.h"

enum { ROWS = 56 };

/* Measure and check as a scan does; *pos is where it failed. */
static int
check(const uint8_t *bytes, size_t size, struct stream_batch *batch,
    uint64_t *pos)
{
	struct stream_error err = {.pos = STREAM_POS_NONE};
	uint64_t whole;
	int status;

	*pos = STREAM_POS_NONE;
	if (size < STREAM_BATCH_MAGIC_AT + 1)
		return STREAM_ETORN;
	status = stream_batch_measure(
	    bytes, size, STREAM_BATCH_CAP_DEFAULT, &whole, &err);
	if (status == STREAM_OK && whole > size)
		return STREAM_ETORN;
	if (status == STREAM_OK)
		status = stream_batch_check(bytes, (size_t)whole, batch, &err);
	*pos = err.pos;
	return status;
}

/* The records of a good batch are sound too. */
static void
walk_records(const char *id, const uint8_t *bytes, size_t size,
    const struct stream_batch *batch)
{
	struct stream_bytes section = {
	    bytes + STREAM_BATCH_HEADER, size - STREAM_BATCH_HEADER};
	enum stream_codec codec = stream_batch_codec(&batch->info);
	struct stream_decompressor *decompressor;
	struct stream_records walk;
	struct stream_record record;
	struct stream_buf plain;
	size_t count = 1, records = 0;

	stream_buf_init(&plain);
	stream_decompressor_new(&decompressor, NULL);
	if (codec != STREAM_CODEC_NONE) {
		assert_int_equal(stream_decompress(decompressor, codec, section,
				     1 << 20, &plain, NULL),
		    STREAM_OK);
		section = (struct stream_bytes){plain.data, plain.size};
	}
	assert_int_equal(
	    stream_records_start(&walk, batch, section, NULL), STREAM_OK);
	for (; count > 0; records += count)
		if (stream_records_take(&walk, &record, 1, &count, NULL) !=
		    STREAM_OK)
			fail_msg("%s: records", id);
	assert_int_equal(records, batch->info.record_count);
	stream_decompressor_free(decompressor);
	stream_buf_release(&plain);
}

static void
batches_are_judged_as_the_vectors_say(void **state)
{
	struct vectors *rows = vectors_open("batch.txt");

	(void)state;
	while (vectors_take(rows, 4)) {
		struct stream_batch batch;
		char value[128] = "-";
		uint64_t pos;
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);
		int status = check(bytes, size, &batch, &pos);

		if (status != vectors_status(rows))
			fail_msg("%s: %d", rows->words[0], status);
		if (status == STREAM_OK) {
			sprintf(value, "%lld,%lld,%d,%lld",
			    (long long)batch.info.base_offset,
			    (long long)batch.info.last_offset,
			    batch.info.record_count,
			    (long long)batch.info.max_timestamp_ms);
			walk_records(rows->words[0], bytes, size, &batch);
		} else if (status != STREAM_ETORN) {
			sprintf(value, "%llu", (unsigned long long)pos);
		}
		if (strcmp(value, rows->words[3]) != 0)
			fail_msg("%s: %s", rows->words[0], value);
		free(bytes);
	}
	vectors_close(rows, ROWS);
}

/* The four fields outside of the CRC, and what their flips do. */
static void
every_flipped_byte_under_the_crc_is_seen(void **state)
{
	struct stream_buf log;
	struct stream_batch batch;
	uint64_t pos;

	(void)state;
	stream_buf_init(&log);
	fx_add(
	    &log, (struct fx_batch){
		      .base = 7, .count = 3, .value_size = 20, .time_ms = T0});
	assert_int_equal(check(log.data, log.size, &batch, &pos), STREAM_OK);
	for (size_t bit = 0; bit < 8 * log.size; bit++) {
		size_t at = bit / 8;
		int status;

		log.data[at] ^= (uint8_t)(1 << bit % 8);
		status = check(log.data, log.size, &batch, &pos);
		if (at >= 17 && status != STREAM_ECORRUPT)
			fail_msg("byte %zu: %d", at, status);
		if (at == 16 && status != STREAM_ENEWER)
			fail_msg("magic: %d", status);
		if (at >= 8 && at < 12 && status == STREAM_OK)
			fail_msg("length: %d", status);
		if (at >= 12 && at < 16 && status != STREAM_OK)
			fail_msg("epoch: %d", status);
		log.data[at] ^= (uint8_t)(1 << bit % 8);
	}
	stream_buf_release(&log);
}

static void
the_cap_is_the_largest_batch(void **state)
{
	uint8_t bytes[17] = {[8] = 0, [10] = 1, [16] = 2};
	uint64_t size;

	(void)state;
	assert_int_equal(
	    stream_batch_measure(bytes, 17, 268, &size, NULL), STREAM_OK);
	assert_int_equal(size, 268);
	assert_int_equal(
	    stream_batch_measure(bytes, 17, 267, &size, NULL), STREAM_ECORRUPT);
	/* The length alone says so too, before the magic is there. */
	assert_int_equal(
	    stream_batch_measure(bytes, 12, 267, &size, NULL), STREAM_ECORRUPT);
}

static void
placing_leaves_the_crc_good(void **state)
{
	struct stream_buf log;
	struct stream_batch batch;
	uint64_t pos;

	(void)state;
	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.count = 3, .value_size = 9});
	stream_batch_place(log.data, INT64_C(1) << 40, 17);
	assert_int_equal(check(log.data, log.size, &batch, &pos), STREAM_OK);
	assert_int_equal(batch.info.base_offset, INT64_C(1) << 40);
	assert_int_equal(batch.info.last_offset, (INT64_C(1) << 40) + 2);
	assert_int_equal(batch.info.leader_epoch, 17);
	stream_buf_release(&log);
}

static void
stamping_sets_type_time_and_crc_and_nothing_else(void **state)
{
	struct stream_buf log;
	struct stream_batch before, after;
	uint64_t pos;

	(void)state;
	stream_buf_init(&log);
	fx_add(&log,
	    (struct fx_batch){
		.count = 3, .value_size = 9, .time_ms = T0, .step_ms = 5});
	assert_int_equal(check(log.data, log.size, &before, &pos), STREAM_OK);
	stream_batch_stamp(log.data, log.size, T0 - 1000);
	assert_int_equal(check(log.data, log.size, &after, &pos), STREAM_OK);
	assert_int_equal(after.info.max_timestamp_ms, T0 - 1000);
	assert_int_equal(after.info.attributes, STREAM_BATCH_APPEND_TIME);
	assert_int_equal(after.base_timestamp_ms, before.base_timestamp_ms);
	assert_int_not_equal(after.crc, before.crc);
	stream_buf_release(&log);
}

/* What does not fit one batch's arithmetic starts the next one. */
static void
a_timestamp_too_far_away_does_not_fit_the_batch(void **state)
{
	static const struct {
		int64_t first, second;
		bool fits;
	} rows[] = {{0, INT64_MAX, true}, {-1, INT64_MAX, false},
	    {-1, INT64_MAX - 1, true}, {0, INT64_MIN, true},
	    {1, INT64_MIN, false}, {INT64_MIN, -1, true}, {INT64_MIN, 0, false},
	    {INT64_MAX, -1, true}, {INT64_MAX, -2, false}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t memory[256];
		struct stream_batch_build build = {0};
		struct stream_record record = {.timestamp_ms = rows[i].first};
		size_t size;

		stream_batch_build_start(&build, memory);
		assert_true(stream_batch_build_add(&build, &record));
		size = stream_batch_build_size(&build);
		record.timestamp_ms = rows[i].second;
		if (stream_batch_build_add(&build, &record) != rows[i].fits)
			fail_msg("row %zu", i);
		if (!rows[i].fits)
			assert_int_equal(stream_batch_build_size(&build), size);
	}
}

static void
the_bound_of_a_record_is_never_passed(void **state)
{
	static const uint8_t bytes[300];
	static const size_t sizes[] = {0, 1, 63, 64, 127, 128, 299};
	uint8_t memory[2048];

	(void)state;
	for (size_t i = 0; i < COUNT(sizes) * COUNT(sizes); i++) {
		struct stream_record record = {
		    .timestamp_ms = i % 2 ? INT64_MIN : INT64_MAX,
		    .key = {bytes, sizes[i % COUNT(sizes)]},
		    .value = {i % 3 ? bytes : NULL,
			i % 3 ? sizes[i / COUNT(sizes)] : 0},
		};
		struct stream_record zero = {.timestamp_ms = 0};
		struct stream_batch_build build = {0};
		size_t before;

		stream_batch_build_start(&build, memory);
		assert_true(stream_batch_build_add(&build, &zero));
		before = stream_batch_build_size(&build);
		assert_true(stream_batch_build_add(&build, &record));
		assert_true(stream_batch_build_size(&build) - before <=
			    stream_record_bound(&record));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(batches_are_judged_as_the_vectors_say),
	    cmocka_unit_test(every_flipped_byte_under_the_crc_is_seen),
	    cmocka_unit_test(the_cap_is_the_largest_batch),
	    cmocka_unit_test(placing_leaves_the_crc_good),
	    cmocka_unit_test(stamping_sets_type_time_and_crc_and_nothing_else),
	    cmocka_unit_test(a_timestamp_too_far_away_does_not_fit_the_batch),
	    cmocka_unit_test(the_bound_of_a_record_is_never_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
