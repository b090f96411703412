/* Producer snapshots: Kafka's own, and what does not count as one. */
#include "file/snapshot.h"
#include "fixture.h"

enum { HEADER = 10, ENTRY = 46 };

/* A snapshot of n producers, 1000 on, with transactions open at 7, 8 ... */
static struct stream_buf
make(uint32_t n)
{
	struct stream_buf file;
	size_t size = HEADER + n * ENTRY;

	stream_buf_init(&file);
	assert_int_equal(stream_buf_reserve(&file, size, NULL), STREAM_OK);
	memset(file.data, 0, size);
	file.size = size;
	stream_store16(file.data, 1);
	stream_store32(file.data + 6, n);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *p = file.data + HEADER + i * ENTRY;

		stream_store64(p, 1000 + i);
		stream_store16(p + 8, (uint16_t)(3 + i));
		stream_store32(p + 10, 40 + i);
		stream_store64(p + 14, 50 + i);
		stream_store32(p + 22, 2);
		stream_store64(p + 26, (uint64_t)T0);
		stream_store32(p + 34, 9);
		stream_store64(p + 38, 7 + i);
	}
	stream_store32(file.data + 2, stream_crc32c(file.data + 6, size - 6));
	return file;
}

static int
parse(const struct stream_buf *file, struct stream_snapshot_entry **entries,
    size_t *count)
{
	uint8_t *exact = malloc(file->size + 1);
	int status;

	memcpy(exact, file->data, file->size);
	status = stream_snapshot_parse(
	    (struct stream_bytes){exact, file->size}, entries, count, NULL);
	free(exact);
	return status;
}

static void
every_field_is_read(void **state)
{
	struct stream_snapshot_entry *entries = NULL;
	struct stream_buf file = make(3);
	size_t count = 0;

	(void)state;
	assert_int_equal(parse(&file, &entries, &count), STREAM_OK);
	assert_int_equal(count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(entries[i].producer_id, 1000 + i);
		assert_int_equal(entries[i].producer_epoch, 3 + i);
		assert_int_equal(entries[i].last_sequence, 40 + i);
		assert_int_equal(entries[i].last_offset, 50 + i);
		assert_int_equal(entries[i].offset_delta, 2);
		assert_int_equal(entries[i].timestamp_ms, T0);
		assert_int_equal(entries[i].coordinator_epoch, 9);
		assert_int_equal(entries[i].transaction_first_offset, 7 + i);
	}
	free(entries);
	stream_buf_release(&file);
	file = make(0);
	assert_int_equal(parse(&file, &entries, &count), STREAM_OK);
	assert_int_equal(count, 0);
	free(entries);
	stream_buf_release(&file);
}

static void
every_cut_and_every_flipped_bit_is_seen(void **state)
{
	struct stream_snapshot_entry *entries;
	struct stream_buf file = make(2);
	size_t count, size = file.size;

	(void)state;
	for (file.size = 0; file.size < size; file.size++)
		assert_int_not_equal(parse(&file, &entries, &count), STREAM_OK);
	for (size_t bit = 0; bit < 8 * size; bit++) {
		int status;

		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		status = parse(&file, &entries, &count);
		if (status != (bit / 8 < 2 ? STREAM_ENEWER : STREAM_ECORRUPT))
			fail_msg("byte %zu: %d", bit / 8, status);
		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	stream_buf_release(&file);
}

/* The count is a claim, with a good CRC too. */
static void
a_count_that_does_not_fit_is_corrupt(void **state)
{
	static const uint32_t counts[] = {0, 1, 3, 0x7fffffff, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		struct stream_snapshot_entry *entries;
		struct stream_buf file = make(2);
		size_t count;

		stream_store32(file.data + 6, counts[i]);
		stream_store32(
		    file.data + 2, stream_crc32c(file.data + 6, file.size - 6));
		assert_int_equal(
		    parse(&file, &entries, &count), STREAM_ECORRUPT);
		stream_buf_release(&file);
	}
}

static void
put_snapshot(const struct temp_dir *dir, int64_t at, uint32_t producers)
{
	struct stream_buf file = make(producers);
	char name[STREAM_NAME_SIZE];

	stream_name_put_plain(at, STREAM_NAME_SNAPSHOT, name);
	fx_put(dir, name, file.data, file.size);
	stream_buf_release(&file);
}

/* The offset of the snapshot found, -1 for none. */
static int64_t
find(const struct temp_dir *dir, int64_t offset)
{
	struct stream_snapshot_entry *entries = NULL;
	struct stream_error err = {.text = ""};
	size_t count;
	int64_t at = -5;
	int status =
	    stream_snapshot_find(dir->fd, offset, &at, &entries, &count, &err);

	if (status == STREAM_ENOENT)
		return -1;
	expect(status, STREAM_OK, err);
	free(entries);
	return at;
}

static void
the_newest_sound_one_is_found(void **state)
{
	const struct temp_dir *dir = *state;

	assert_int_equal(find(dir, 1000), -1);
	put_snapshot(dir, 100, 1);
	put_snapshot(dir, 200, 2);
	put_snapshot(dir, 300, 0);
	temp_dir_put(dir, "00000000000000000150.snapshot.deleted", "x");
	temp_dir_put(dir, "00000000000000000160.log", "x");
	assert_int_equal(find(dir, 99), -1);
	assert_int_equal(find(dir, 100), 100);
	assert_int_equal(find(dir, 199), 100);
	assert_int_equal(find(dir, INT64_MAX), 300);
	fx_put_at(dir, "00000000000000000300.snapshot", 3, "x", 1);
	assert_int_equal(find(dir, INT64_MAX), 200);
	fx_cut(dir, "00000000000000000200.snapshot", 40);
	assert_int_equal(find(dir, INT64_MAX), 100);
	fx_cut(dir, "00000000000000000100.snapshot", 0);
	assert_int_equal(find(dir, INT64_MAX), -1);
}

/* A hint that cannot be read is as good as none (I5). */
static void
what_is_no_file_does_not_count(void **state)
{
	const struct temp_dir *dir = *state;

	put_snapshot(dir, 100, 1);
	temp_dir_make(dir, "00000000000000000200.snapshot");
	assert_int_equal(find(dir, 900), 100);
	assert_int_equal(
	    symlinkat("nowhere", dir->fd, "00000000000000000300.snapshot"), 0);
	assert_int_equal(find(dir, 900), 100);
	assert_int_equal(
	    mkfifoat(dir->fd, "00000000000000000400.snapshot", 0600), 0);
	assert_int_equal(find(dir, 900), 100);
}

static void
golden_snapshots_are_read(void **state)
{
	static const struct {
		const char *name;
		int64_t at;
		size_t count;
	} rows[] = {{"transactions", 131, 4}, {"idempotent", 547, 5},
	    {"plain", 10000, 0}, {"compacted", 403, 4}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_snapshot_entry *entries = NULL;
		struct temp_dir *dir = fx_dir();
		size_t count = 99;
		int64_t at = -1;

		if (!fx_golden(rows[i].name, dir)) {
			fx_drop(dir);
			skip();
		}
		assert_int_equal(stream_snapshot_find(dir->fd, INT64_MAX, &at,
				     &entries, &count, NULL),
		    STREAM_OK);
		assert_int_equal(at, rows[i].at);
		assert_int_equal(count, rows[i].count);
		free(entries);
		fx_drop(dir);
	}
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(every_field_is_read),
	    TEST(every_cut_and_every_flipped_bit_is_seen),
	    TEST(a_count_that_does_not_fit_is_corrupt),
	    TEST(the_newest_sound_one_is_found),
	    TEST(what_is_no_file_does_not_count),
	    TEST(golden_snapshots_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
