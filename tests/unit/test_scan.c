/* Walking the batches of a log file, in both depths and every block size. */
#include "file/scan.h"
#include "fixture.h"

struct walk {
	int count;
	int status;
	uint64_t next;
	int64_t last;
	struct stream_error err;
};

static int
open_log(const struct temp_dir *dir)
{
	int fd = openat(dir->fd, LOG_0, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	return fd;
}

static struct walk
walk_from(int fd, uint64_t from, enum stream_scan_depth depth, size_t cap,
    size_t block)
{
	struct walk walk = {.last = -1, .err = {.pos = STREAM_POS_NONE}};
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;

	stream_scan_init(&scan, fd, from, depth, cap, block);
	while ((walk.status = stream_scan_next(
		    &scan, &batch, &bytes, &walk.err)) == STREAM_OK) {
		uint8_t *copy = malloc(batch.info.size);

		/* The lent bytes are really there. */
		memcpy(copy, bytes,
		    depth == STREAM_SCAN_WHOLE ? batch.info.size
					       : STREAM_BATCH_HEADER);
		assert_int_equal(
		    (int64_t)stream_load64(copy), batch.info.base_offset);
		free(copy);
		walk.count++;
		walk.last = batch.info.last_offset;
	}
	walk.next = scan.next;
	stream_scan_release(&scan);
	return walk;
}

static struct walk
walk_all(int fd, enum stream_scan_depth depth, size_t block)
{
	return walk_from(fd, 0, depth, STREAM_BATCH_CAP_DEFAULT, block);
}

static const size_t blocks[] = {1, 17, 61, 62, 100, 4096, 65536, 1 << 20};

static void
every_block_size_gives_the_same_batches(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log;
	int fd;

	stream_buf_init(&log);
	for (int i = 0; i < 40; i++)
		fx_add(&log, (struct fx_batch){.base = i * 3,
				 .count = 3,
				 .value_size = (size_t)(i * i)});
	fx_put(dir, LOG_0, log.data, log.size);
	fd = open_log(dir);
	for (size_t i = 0; i < COUNT(blocks); i++)
		for (int whole = 0; whole < 2; whole++) {
			struct walk walk = walk_all(fd,
			    whole ? STREAM_SCAN_WHOLE : STREAM_SCAN_HEADERS,
			    blocks[i]);

			assert_int_equal(walk.status, STREAM_END);
			assert_int_equal(walk.count, 40);
			assert_int_equal(walk.last, 119);
			assert_int_equal(walk.next, log.size);
		}
	close(fd);
	stream_buf_release(&log);
}

/* Wherever the file ends within the last batch: torn, and nothing moved.  A
 * header that is whole is enough for a scan of headers. */
static void
every_cut_of_the_last_batch_is_torn(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log;
	size_t first;
	int fd;

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.value_size = 30});
	first = log.size;
	fx_add(&log, (struct fx_batch){.base = 1, .value_size = 30});
	fx_put(dir, LOG_0, log.data, log.size);
	fd = open_log(dir);
	for (size_t size = log.size - 1; size >= first; size--) {
		struct walk walk;

		fx_cut(dir, LOG_0, (off_t)size);
		walk = walk_all(fd, STREAM_SCAN_WHOLE, 4096);
		assert_int_equal(walk.count, 1);
		assert_int_equal(walk.next, first);
		assert_int_equal(
		    walk.status, size == first ? STREAM_END : STREAM_ETORN);
		walk = walk_all(fd, STREAM_SCAN_HEADERS, 4096);
		assert_int_equal(
		    walk.count, size - first >= STREAM_BATCH_HEADER ? 2 : 1);
	}
	close(fd);
	stream_buf_release(&log);
}

static void
what_is_wrong_is_told_with_its_byte(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
		int want;
	} rows[] = {{16, 3, STREAM_ENEWER}, {16, 1, STREAM_ENEWER},
	    {22, 6, STREAM_ECORRUPT}, {70, 'x', STREAM_ECORRUPT},
	    {8, 0x80, STREAM_ECORRUPT}, {11, 3, STREAM_ECORRUPT}};
	const struct temp_dir *dir = *state;
	struct stream_buf log;
	size_t first;
	int fd;

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.value_size = 30});
	first = log.size;
	fx_add(&log, (struct fx_batch){.base = 1, .value_size = 30});
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t b = 0; b < COUNT(blocks); b++) {
			struct walk walk;

			fx_put(dir, LOG_0, log.data, log.size);
			fx_put_at(
			    dir, LOG_0, first + rows[i].at, &rows[i].byte, 1);
			fd = open_log(dir);
			walk = walk_all(fd, STREAM_SCAN_WHOLE, blocks[b]);
			if (walk.status != rows[i].want)
				fail_msg("row %zu: %d %s", i, walk.status,
				    walk.err.text);
			assert_int_equal(walk.next, first);
			assert_in_range(walk.err.pos, first, log.size);
			close(fd);
		}
	stream_buf_release(&log);
}

/* After a failure the same call can be made again, and sees what the file
 * holds by then. */
static void
a_scan_goes_on_when_the_file_has_grown(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	struct stream_buf log;
	int fd = open_log(dir);

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.value_size = 100});
	stream_scan_init(
	    &scan, fd, 0, STREAM_SCAN_WHOLE, STREAM_BATCH_CAP_DEFAULT, 4096);
	for (size_t size = 0; size < log.size; size++) {
		assert_int_equal(stream_scan_next(&scan, &batch, &bytes, NULL),
		    size == 0 ? STREAM_END : STREAM_ETORN);
		fx_put_at(dir, LOG_0, size, log.data + size, 1);
	}
	assert_int_equal(
	    stream_scan_next(&scan, &batch, &bytes, NULL), STREAM_OK);
	assert_int_equal(
	    stream_scan_next(&scan, &batch, &bytes, NULL), STREAM_END);
	/* Bytes that were bad are read afresh. */
	fx_add(&log, (struct fx_batch){.base = 1, .value_size = 100});
	log.data[log.size - 1] ^= 1;
	fx_put(dir, LOG_0, log.data, log.size);
	assert_int_equal(
	    stream_scan_next(&scan, &batch, &bytes, NULL), STREAM_ECORRUPT);
	log.data[log.size - 1] ^= 1;
	fx_put(dir, LOG_0, log.data, log.size);
	assert_int_equal(
	    stream_scan_next(&scan, &batch, &bytes, NULL), STREAM_OK);
	assert_int_equal(batch.info.base_offset, 1);
	stream_scan_release(&scan);
	close(fd);
	stream_buf_release(&log);
}

static void
nothing_is_read_past_the_limit(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log;
	size_t first;
	int fd;

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.value_size = 30});
	first = log.size;
	fx_add(&log, (struct fx_batch){.base = 1, .value_size = 30});
	fx_put(dir, LOG_0, log.data, log.size);
	fd = open_log(dir);
	for (size_t limit = 0; limit <= log.size; limit++) {
		struct stream_scan scan;
		struct stream_batch batch;
		const uint8_t *bytes;
		int count = 0, status;

		stream_scan_init(&scan, fd, 0, STREAM_SCAN_WHOLE,
		    STREAM_BATCH_CAP_DEFAULT, 4096);
		scan.limit = limit;
		while ((status = stream_scan_next(
			    &scan, &batch, &bytes, NULL)) == STREAM_OK)
			count++;
		assert_int_equal(count, (limit >= first) + (limit == log.size));
		assert_int_equal(
		    status, limit == 0 || limit == first || limit == log.size
				? STREAM_END
				: STREAM_ETORN);
		stream_scan_release(&scan);
	}
	close(fd);
	stream_buf_release(&log);
}

/* The length field is a claim: what is asked for is bounded by the cap, and
 * above it nothing is read. */
static void
a_length_above_the_cap_is_refused(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log;
	struct walk walk;
	int fd;

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.value_size = 3000});
	fx_put(dir, LOG_0, log.data, log.size);
	fd = open_log(dir);
	walk = walk_from(fd, 0, STREAM_SCAN_WHOLE, log.size, 512);
	assert_int_equal(walk.count, 1);
	walk = walk_from(fd, 0, STREAM_SCAN_WHOLE, log.size - 1, 512);
	assert_int_equal(walk.status, STREAM_ECORRUPT);
	assert_int_equal(walk.err.pos, 8);
	close(fd);
	stream_buf_release(&log);
}

static void
a_read_that_fails_is_no_end(void **state)
{
	const struct temp_dir *dir = *state;
	struct walk walk = walk_all(dir->fd, STREAM_SCAN_WHOLE, 4096);

	assert_int_equal(walk.status, STREAM_EIO);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(every_block_size_gives_the_same_batches),
	    TEST(every_cut_of_the_last_batch_is_torn),
	    TEST(what_is_wrong_is_told_with_its_byte),
	    TEST(a_scan_goes_on_when_the_file_has_grown),
	    TEST(nothing_is_read_past_the_limit),
	    TEST(a_length_above_the_cap_is_refused),
	    TEST(a_read_that_fails_is_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
