/* Batches that threads decompress ahead: the same records in the same order,
 * and the same words where they end. */
#include "codec/compress.h"
#include "faults.h"
#include "fixture.h"

/* A batch of count records in this codec, each of 1000 equal bytes. */
static void
add_packed(struct stream_buf *log, int64_t base, int32_t count,
    enum stream_codec codec)
{
	struct stream_compressor *compressor;
	struct stream_batch_build build = {0};
	uint8_t *memory = malloc((size_t)count * 1100 + 100);
	static const uint8_t value[1000];
	struct stream_buf packed;

	stream_batch_build_start(&build, memory);
	for (int32_t i = 0; i < count; i++) {
		struct stream_record record = {
		    .timestamp_ms = T0 + base + i, .value = {value, 1000}};

		assert_true(stream_batch_build_add(&build, &record));
	}
	stream_buf_init(&packed);
	stream_buf_reserve(&packed, 61, NULL);
	packed.size = 61;
	stream_compressor_new(codec, STREAM_LEVEL_DEFAULT, &compressor, NULL);
	assert_int_equal(stream_compress(compressor,
			     (struct stream_bytes){memory + 61,
				 stream_batch_build_size(&build) - 61},
			     &packed, NULL),
	    STREAM_OK);
	stream_batch_build_header(&build, codec, packed.data, packed.size);
	stream_batch_seal(packed.data, packed.size);
	stream_batch_place(packed.data, base, 0);
	stream_buf_add(log, packed.data, packed.size, NULL);
	stream_compressor_free(compressor);
	stream_buf_release(&packed);
	free(memory);
}

/* With and without threads that decompress ahead. */
static void
compressed_batches_come_in_order_up_to_the_limit(void **state)
{
	const struct temp_dir *dir = *state;

	for (enum stream_codec codec = STREAM_CODEC_GZIP;
	     codec <= STREAM_CODEC_ZSTD; codec++) {
		struct stream_buf log;

		stream_buf_init(&log);
		for (int i = 0; i < 30; i++)
			add_packed(&log, i * 10, 10, codec);
		add_packed(&log, 300, 100, codec);
		add_packed(&log, 400, 10, codec);
		fx_put(dir, LOG_0, log.data, log.size);
		for (unsigned workers = 0; workers < 4; workers++) {
			struct fx_reading how = {.options.workers = workers};
			struct fx_seen seen = fx_read(dir, how);

			expect(seen.status, STREAM_END, seen.err);
			assert_int_equal(seen.count, 410);
			/* Threads ahead have a limit of their own, above
			 * this one. */
			how.options.max_batch_bytes = 50000;
			how.options.workers = 0;
			seen = fx_read(dir, how);
			expect(seen.status, STREAM_ETOOBIG, seen.err);
			assert_int_equal(seen.count, 300);
			how.options.workers = workers;
			how.options.max_batch_bytes = 0;
			how.options.range.from =
			    (struct stream_point){STREAM_POINT_OFFSET, 155};
			how.options.range.to =
			    (struct stream_point){STREAM_POINT_AFTER, 100};
			seen = fx_read(dir, how);
			assert_int_equal(seen.first, 155);
			assert_int_equal(seen.count, 100);
		}
		stream_buf_release(&log);
	}
}

/* n batches of ten records from base on, in this codec. */
static struct stream_buf
packed_batches(int64_t base, int n, enum stream_codec codec)
{
	struct stream_buf log;

	stream_buf_init(&log);
	for (int i = 0; i < n; i++)
		add_packed(&log, base + i * 10, 10, codec);
	return log;
}

#define NEXT_LOG "00000000000000000200.log"
#define LAST_LOG "00000000000000000400.log"

static void
make_segments(const struct temp_dir *dir)
{
	static const char *const names[] = {LOG_0, NEXT_LOG, LAST_LOG};
	static const enum stream_codec codecs[] = {
	    STREAM_CODEC_ZSTD, STREAM_CODEC_LZ4, STREAM_CODEC_SNAPPY};

	fx_no_writer(dir);
	for (int i = 0; i < 3; i++) {
		struct stream_buf log = packed_batches(i * 200, 20, codecs[i]);

		fx_put(dir, names[i], log.data, log.size);
		stream_buf_release(&log);
	}
}

/* Make calls of the reader, of one batch each. */
static void
read_some(struct stream_reader *reader, int calls, struct fx_seen *seen)
{
	for (int i = 0; i < calls; i++) {
		const struct stream_record *records;
		size_t count;

		assert_int_equal(
		    stream_reader_read(reader, &records, &count, NULL),
		    STREAM_OK);
		for (size_t n = 0; n < count; n++)
			fx_see(seen, &records[n]);
	}
}

static void
damage_is_told_after_all_that_is_before_it(void **state)
{
	const struct temp_dir *dir = *state;

	for (unsigned workers = 0; workers < 4; workers++)
		for (int64_t batch = 0; batch < 20; batch += 3) {
			struct fx_reading how = {.options.workers = workers};
			struct fx_seen seen;
			struct stream_buf log;
			size_t at = 0;

			make_segments(dir);
			fx_get(dir, NEXT_LOG, &log);
			while ((int64_t)stream_load64(log.data + at) <
			       200 + batch * 10)
				at += 12 + stream_load32(log.data + at + 8);
			fx_put_at(dir, NEXT_LOG, at + 70, "x", 1);
			seen = fx_read(dir, how);
			expect(seen.status, STREAM_ECORRUPT, seen.err);
			assert_int_equal(seen.count, 200 + batch * 10);
			/* A good CRC over bytes that do not decompress. */
			log.data[at + 61] ^= 0xff;
			stream_batch_seal(log.data + at,
			    12 + stream_load32(log.data + at + 8));
			fx_put(dir, NEXT_LOG, log.data, log.size);
			seen = fx_read(dir, how);
			expect(seen.status, STREAM_ECORRUPT, seen.err);
			assert_int_equal(seen.count, 200 + batch * 10);
			stream_buf_release(&log);
		}
}

/* While batches wait to be given out, segments before and after the reader's
 * place become one.  Nothing is lost by it, only moved. */
static void
a_compaction_meanwhile_doubles_and_skips_nothing(void **state)
{
	for (int given = 0; given < 40; given++) {
		struct temp_dir *dir = fx_dir();
		struct fx_reading how = {.gaps = true, .options.workers = 2};
		struct fx_seen seen = {.last = -1};
		struct stream_reader *reader;
		struct stream_buf log, more;

		make_segments(dir);
		reader = fx_reader(dir, how);
		read_some(reader, given, &seen);
		fx_get(dir, LOG_0, &log);
		fx_get(dir, NEXT_LOG, &more);
		stream_buf_add(&log, more.data, more.size, NULL);
		fx_put(dir, LOG_0 ".swap", log.data, log.size);
		fx_remove(dir, NEXT_LOG);
		renameat(dir->fd, LOG_0 ".swap", dir->fd, LOG_0);
		stream_buf_release(&log);
		stream_buf_release(&more);
		fx_drain(reader, &seen);
		expect(seen.status, STREAM_END, seen.err);
		if (seen.count != 600)
			fail_msg("%d: %zu records", given, seen.count);
		stream_reader_close(reader);
		fx_drop(dir);
	}
	(void)state;
}

/* With retention, what waits is given out before it is told. */
static void
a_removal_meanwhile_is_told_after_what_was_read(void **state)
{
	for (int given = 1; given < 20; given += 2) {
		struct temp_dir *dir = fx_dir();
		struct fx_reading how = {.gaps = true, .options.workers = 2};
		struct fx_seen seen = {.last = -1};
		struct stream_reader *reader;

		make_segments(dir);
		reader = fx_reader(dir, how);
		read_some(reader, given, &seen);
		fx_remove(dir, LOG_0);
		fx_remove(dir, NEXT_LOG);
		fx_drain(reader, &seen);
		/* Reading ahead may have opened the next one already. */
		expect(seen.status,
		    seen.count < 400 ? STREAM_EOFFSET : STREAM_END, seen.err);
		assert_true(seen.count == 200 || seen.count == 600);
		assert_int_equal(seen.last, (int64_t)seen.count - 1);
		stream_reader_close(reader);
		fx_drop(dir);
	}
	(void)state;
}

/* A follower that decompresses ahead is told of a take-back as any other, and
 * shows nothing of what came in its place. */
static void
a_take_back_is_not_passed_over(void **state)
{
	for (int again = 0; again < 2; again++) {
		struct temp_dir *dir = fx_dir();
		struct fx_reading how = {.options.workers = 2,
		    .options.flags = STREAM_READER_FOLLOW};
		struct stream_buf log =
		    packed_batches(0, 30, STREAM_CODEC_ZSTD);
		struct stream_buf other =
		    packed_batches(0, 30, STREAM_CODEC_LZ4);
		struct stream_partition *a = fx_open(dir, NULL);
		struct fx_seen seen = {.last = -1};
		struct stream_watch *watch;
		struct stream_reader *reader;

		fx_append(a, 1, 1, 5, 'a');
		fx_sync(a);
		stream_watch_new(&watch, NULL);
		reader = fx_reader(dir, how);
		stream_watch_add(watch, reader, NULL);
		assert_int_equal(
		    stream_partition_append(a, log.data, log.size, NULL, NULL),
		    STREAM_OK);
		fx_drain(reader, &seen);
		assert_int_equal(seen.count, 301);
		fault_plan(FAULT_FDATASYNC,
		    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
		assert_int_equal(stream_partition_sync(a, NULL), STREAM_EIO);
		for (int i = 0; i <= again; i++)
			assert_int_equal(stream_partition_append(a, other.data,
					     other.size, NULL, NULL),
			    STREAM_OK);
		stream_watch_wait(watch, 0, -1, -1, NULL);
		for (int i = 0; i < 3; i++) {
			fx_drain(reader, &seen);
			assert_int_equal(seen.status, STREAM_ELOST);
			assert_int_equal(seen.count, 301);
		}
		stream_buf_release(&log);
		stream_buf_release(&other);
		stream_reader_close(reader);
		stream_watch_free(watch);
		stream_partition_close(a);
		fx_drop(dir);
	}
	(void)state;
}

/* Plain and compressed batches in turns, and ranges that begin and end in the
 * middle of what waits. */
static void
every_range_of_a_mixed_log_is_read(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log;

	stream_buf_init(&log);
	for (int i = 0; i < 40; i++) {
		if (i % 11 < 8)
			add_packed(&log, i * 10, 10, STREAM_CODEC_LZ4);
		else
			fx_add(&log,
			    (struct fx_batch){.base = i * 10, .count = 10});
	}
	fx_put(dir, LOG_0, log.data, log.size);
	for (int64_t from = 0; from < 400; from += 31)
		for (int64_t to = from; to <= 400; to += 57) {
			struct fx_reading how = {.options.workers = 3,
			    .options.range = {{STREAM_POINT_OFFSET, from},
				{STREAM_POINT_OFFSET, to}}};
			struct fx_seen seen = fx_read(dir, how);

			expect(seen.status, STREAM_END, seen.err);
			assert_int_equal(seen.count, to - from);
			how.options.range.to = (struct stream_point){
			    STREAM_POINT_AFTER, to - from};
			assert_int_equal(fx_read(dir, how).count, to - from);
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
	    TEST(compressed_batches_come_in_order_up_to_the_limit),
	    TEST(damage_is_told_after_all_that_is_before_it),
	    TEST(a_compaction_meanwhile_doubles_and_skips_nothing),
	    TEST(a_removal_meanwhile_is_told_after_what_was_read),
	    TEST(a_take_back_is_not_passed_over),
	    TEST(every_range_of_a_mixed_log_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
