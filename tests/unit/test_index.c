/* Lookups by index: right when the index is, and never wrong when it is not. */
#include "file/index.h"
#include "file/scan.h"
#include "fixture.h"
#include "log/indexer.h"
#include "noise.h"
#include "vectors.h"

enum { ROWS = 18, TIME_ROWS = 20 };

/* The batches of a segment, by plain walking. */
struct plain {
	struct stream_batch_info *infos;
	size_t count;
	int64_t base;
	char log[STREAM_NAME_SIZE];
	char index[STREAM_NAME_SIZE];
	char timeindex[STREAM_NAME_SIZE];
	int fd;
	int dirfd;
};

static struct plain
walk(const struct temp_dir *dir, int64_t base)
{
	struct plain plain = {.base = base, .dirfd = dir->fd};
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;

	stream_name_put_plain(base, STREAM_NAME_LOG, plain.log);
	stream_name_put_plain(base, STREAM_NAME_INDEX, plain.index);
	stream_name_put_plain(base, STREAM_NAME_TIMEINDEX, plain.timeindex);
	plain.fd = openat(dir->fd, plain.log, O_RDONLY);
	stream_scan_init(&scan, plain.fd, 0, STREAM_SCAN_WHOLE,
	    STREAM_BATCH_CAP_DEFAULT, 1 << 16);
	while (stream_scan_next(&scan, &batch, &bytes, NULL) == STREAM_OK) {
		plain.infos = realloc(
		    plain.infos, (plain.count + 1) * sizeof(*plain.infos));
		plain.infos[plain.count++] = batch.info;
	}
	stream_scan_release(&scan);
	return plain;
}

static void
drop(struct plain *plain)
{
	free(plain->infos);
	close(plain->fd);
}

static struct stream_index_source
source_of(const struct plain *plain)
{
	return (struct stream_index_source){plain->dirfd, plain->log, plain->fd,
	    plain->base, STREAM_BATCH_CAP_DEFAULT};
}

/* The number of the batch that starts at this byte. */
static size_t
batch_at(const struct plain *plain, uint64_t position)
{
	size_t i = 0;

	while (i < plain->count && plain->infos[i].position < position)
		i++;
	if (i < plain->count && plain->infos[i].position != position)
		fail_msg("byte %llu is within a batch",
		    (unsigned long long)position);
	return i;
}

/* Walking from the answer finds the same batch as walking from the start. */
static void
check_offset(const struct plain *plain, int64_t target)
{
	struct stream_index_source source = source_of(plain);
	uint64_t position = 1;
	size_t want = 0;

	while (want < plain->count && plain->infos[want].last_offset < target)
		want++;
	stream_index_find(&source, target, &position);
	if (batch_at(plain, position) > want)
		fail_msg("offset %lld: byte %llu is too far", (long long)target,
		    (unsigned long long)position);
}

static void
check_time(const struct plain *plain, int64_t timestamp_ms)
{
	struct stream_index_source source = source_of(plain);
	uint64_t position = 1;
	size_t want = 0;

	while (want < plain->count &&
	       plain->infos[want].max_timestamp_ms < timestamp_ms)
		want++;
	stream_index_find_time(&source, timestamp_ms, &position);
	if (batch_at(plain, position) > want)
		fail_msg("time %lld: byte %llu is too far",
		    (long long)timestamp_ms, (unsigned long long)position);
}

static void
check_before(const struct plain *plain, uint64_t before, uint64_t bytes)
{
	struct stream_index_source source = source_of(plain);
	uint64_t position = 1;

	stream_index_find_before(&source, before, bytes, &position);
	assert_true(position == 0 || position < before);
	batch_at(plain, position);
}

/* Every step-th batch's edges, and what lies outside of them all. */
static void
check_all(const struct plain *plain, size_t step)
{
	uint64_t end = plain->count == 0
			   ? 0
			   : plain->infos[plain->count - 1].position + 61;

	check_offset(plain, 0);
	check_offset(plain, plain->base);
	check_offset(plain, INT64_MAX);
	check_time(plain, INT64_MIN);
	check_time(plain, INT64_MAX);
	for (size_t i = 0; i < plain->count; i += step) {
		const struct stream_batch_info *info = &plain->infos[i];

		for (int d = -1; d <= 1; d++) {
			check_offset(plain, info->base_offset + d);
			check_offset(plain, info->last_offset + d);
			check_time(plain, info->max_timestamp_ms + d);
		}
		check_before(plain, end, end - info->position);
	}
}

/* A log of n batches with holes in its offsets, and its indexes.  So many
 * batches have the same time, which then grows; 0: times go back. */
static struct plain
make(const struct temp_dir *dir, int n, int same)
{
	struct stream_indexer indexer;
	struct stream_buf log;
	uint32_t seed = 7;
	struct plain plain;
	int64_t offset = 1000;

	stream_buf_init(&log);
	for (int i = 0; i < n; i++) {
		struct fx_batch one = {.base = offset,
		    .count = 1 + i % 3,
		    .time_ms =
			T0 + (same > 0 ? i / same * 10
				       : (int64_t)fx_random(&seed) % 400),
		    .value_size = fx_random(&seed) % 300};

		fx_add(&log, one);
		offset += one.count + (int64_t)fx_random(&seed) % 5;
	}
	fx_put(dir, "00000000000000001000.log", log.data, log.size);
	stream_buf_release(&log);
	plain = walk(dir, 1000);
	assert_int_equal(plain.count, n);
	stream_indexer_init(&indexer, 1000, 500);
	for (size_t i = 0; i < plain.count; i++)
		stream_indexer_add(&indexer, &plain.infos[i], NULL);
	stream_indexer_finish(&indexer, NULL);
	fx_put(dir, plain.index, indexer.offsets.data, indexer.offsets.size);
	fx_put(dir, plain.timeindex, indexer.times.data, indexer.times.size);
	stream_indexer_release(&indexer);
	return plain;
}

typedef void find_function(const struct stream_index_source *source,
    int64_t target, uint64_t *position);

/* The row "log" is the segment of the others, whose bytes are its index. */
static void
check_lookups(const struct temp_dir *dir, struct vectors *rows,
    const char *index, find_function *find)
{
	static const char name[] = "00000000000000000100.log";
	int fd = -1;

	while (vectors_take(rows, 5)) {
		struct stream_index_source source = {
		    dir->fd, name, fd, 100, 1 << 20};
		uint64_t position = 7;
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);

		if (vectors_is(rows, "log")) {
			fx_put(dir, name, bytes, size);
			fd = openat(dir->fd, name, O_RDONLY);
			free(bytes);
			continue;
		}
		fx_put(dir, index, bytes, size);
		find(&source, strtoll(rows->words[3], NULL, 10), &position);
		if (position != strtoull(rows->words[4], NULL, 10))
			fail_msg("%s: %llu", rows->words[0],
			    (unsigned long long)position);
		assert_true(vectors_is(rows, "good") ||
			    (vectors_is(rows, "noise") && position == 0));
		free(bytes);
	}
	close(fd);
}

static void
lookups_answer_as_the_vectors_say(void **state)
{
	struct vectors *rows = vectors_open("lookup.txt");

	check_lookups(
	    *state, rows, "00000000000000000100.index", stream_index_find);
	vectors_close(rows, ROWS);
	rows = vectors_open("timeindex.txt");
	check_lookups(*state, rows, "00000000000000000100.timeindex",
	    stream_index_find_time);
	vectors_close(rows, TIME_ROWS);
}

/* A sound index is used: no walk is longer than its interval and two batches.
 */
static void
a_sound_index_makes_walks_short(void **state)
{
	struct plain plain = make(*state, 300, 1);
	struct stream_index_source source = source_of(&plain);

	check_all(&plain, 1);
	for (size_t i = 0; i < plain.count; i++) {
		const struct stream_batch_info *info = &plain.infos[i];
		uint64_t position;

		stream_index_find(&source, info->last_offset, &position);
		assert_true(info->position - position < 500 + 2 * 1200);
		stream_index_find_time(
		    &source, info->max_timestamp_ms, &position);
		assert_true(info->position - position < 500 + 2 * 1200);
		stream_index_find_before(&source, info->position + info->size,
		    info->size, &position);
		assert_true(info->position - position < 500 + 2 * 1200);
	}
	drop(&plain);
}

/* Where many batches share a millisecond, reading for the next one begins close
 * to it. */
static void
equal_times_are_passed(void **state)
{
	struct plain plain = make(*state, 300, 60);
	struct stream_index_source source = source_of(&plain);

	check_all(&plain, 1);
	for (size_t i = 60; i < plain.count; i += 60) {
		const struct stream_batch_info *info = &plain.infos[i];
		uint64_t position;

		stream_index_find_time(
		    &source, info->max_timestamp_ms, &position);
		assert_true(info->position - position < 500 + 2 * 1200);
	}
	drop(&plain);
}

/* With sound indexes: the first record of a time is at or behind the answer,
 * whatever one header says of its own time. */
static void
a_damaged_header_hides_nothing(void **state)
{
	enum { MAX_TIMESTAMP_AT = 35 };
	static const int sames[] = {0, 1, 20};

	for (size_t k = 0; k < COUNT(sames); k++) {
		struct plain plain = make(*state, 100, sames[k]);
		int fd = openat(plain.dirfd, plain.log, O_WRONLY);

		for (size_t i = 0; i < plain.count; i++) {
			uint64_t at = plain.infos[i].position;
			uint8_t sound[8], low[8];

			stream_store64(
			    sound, (uint64_t)plain.infos[i].max_timestamp_ms);
			stream_store64(low, (uint64_t)T0 - 5);
			pwrite(fd, low, 8, (off_t)at + MAX_TIMESTAMP_AT);
			for (size_t j = 0; j < plain.count; j++)
				check_time(
				    &plain, plain.infos[j].max_timestamp_ms);
			pwrite(fd, sound, 8, (off_t)at + MAX_TIMESTAMP_AT);
		}
		close(fd);
		drop(&plain);
	}
}

static void
check_under_noise(const struct temp_dir *dir, struct plain *plain, int rounds)
{
	struct stream_buf index, times;
	uint32_t seed = 1;

	fx_get(dir, plain->index, &index);
	fx_get(dir, plain->timeindex, &times);
	for (size_t i = 0; i < COUNT(noises) * (size_t)rounds; i++) {
		size_t which = i % COUNT(noises);

		disturb(dir, plain->index, 8, which, &seed);
		disturb(dir, plain->timeindex, 12, which, &seed);
		check_all(plain, 5);
		fx_put(dir, plain->index, index.data, index.size);
		fx_put(dir, plain->timeindex, times.data, times.size);
	}
	stream_buf_release(&index);
	stream_buf_release(&times);
}

static void
noise_changes_no_answer(void **state)
{
	for (int sorted = 0; sorted < 2; sorted++) {
		struct plain plain = make(*state, 150, sorted);

		check_under_noise(*state, &plain, 6);
		drop(&plain);
	}
}

/* In a log whose times go back, an entry may name a real batch with its real
 * time and still hide a later time before it. */
static void
an_entry_that_names_a_later_equal_time_is_not_believed(void **state)
{
	static const int64_t times[] = {100, 900, 100, 300, 200, 100};
	const struct temp_dir *dir = *state;
	struct plain plain;
	struct stream_buf log;

	stream_buf_init(&log);
	for (size_t i = 0; i < COUNT(times); i++)
		fx_add(&log,
		    (struct fx_batch){.base = (int64_t)i, .time_ms = times[i]});
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	plain = walk(dir, 0);
	for (uint32_t named = 0; named < COUNT(times); named++) {
		uint8_t entry[12];

		stream_store64(entry, (uint64_t)times[named]);
		stream_store32(entry + 8, named);
		fx_put(dir, TIMEINDEX_0, entry, sizeof(entry));
		for (int64_t t = 50; t < 1000; t += 50)
			check_time(&plain, t);
	}
	drop(&plain);
}

/* Names that are no files, and files that are not there. */
static void
what_is_no_index_file_is_none(void **state)
{
	const struct temp_dir *dir = *state;
	struct plain plain = make(dir, 40, 1);

	fx_remove(dir, plain.index);
	fx_remove(dir, plain.timeindex);
	check_all(&plain, 1);
	temp_dir_make(dir, plain.index);
	assert_int_equal(mkfifoat(dir->fd, plain.timeindex, 0600), 0);
	check_all(&plain, 1);
	drop(&plain);
}

/* "N.log.swap" goes with "N.index.swap". */
static void
the_index_of_a_swap_is_its_own(void **state)
{
	const struct temp_dir *dir = *state;
	struct plain plain = make(dir, 100, 1);
	struct stream_index_source source = source_of(&plain);
	uint64_t position;

	source.log_name = "00000000000000001000.log.swap";
	renameat(
	    dir->fd, plain.index, dir->fd, "00000000000000001000.index.swap");
	stream_index_find(&source, plain.infos[99].base_offset, &position);
	assert_int_equal(position, 0); /* the log of that name is another */
	renameat(dir->fd, plain.log, dir->fd, "00000000000000001000.log.swap");
	stream_index_find(&source, plain.infos[99].base_offset, &position);
	assert_true(position > 0);
	stream_index_find_time(
	    &source, plain.infos[99].max_timestamp_ms, &position);
	assert_int_equal(position, 0);
	drop(&plain);
}

/* Kafka's own indexes, of several batches an append too, and those with slots
 * that are not used. */
static void
golden_segments_are_found_in(void **state)
{
	static const char *const names[] = {"plain", "zstd", "gzip", "lz4",
	    "idempotent", "transactions", "logappendtime", "ooo-timestamps",
	    "no-timestamp", "time-roll", "multi-batch-append", "compacted",
	    "delete-horizon", "corrupt-index", "missing-index", "unclean",
	    "torn-tail", "bad-crc", "edge"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct temp_dir *dir = fx_dir();
		bool is_here = fx_golden(names[i], dir);
		DIR *list = opendir(dir->path);

		for (struct dirent *e = readdir(list); is_here && e != NULL;
		     e = readdir(list)) {
			struct stream_name name;
			struct plain plain;

			if (!stream_name_parse(e->d_name, &name) ||
			    name.kind != STREAM_NAME_LOG)
				continue;
			plain = walk(dir, name.base_offset);
			check_all(&plain, 1 + plain.count / 100);
			drop(&plain);
		}
		closedir(list);
		fx_drop(dir);
		if (!is_here)
			skip();
	}
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(lookups_answer_as_the_vectors_say),
	    TEST(a_sound_index_makes_walks_short),
	    TEST(equal_times_are_passed),
	    TEST(a_damaged_header_hides_nothing),
	    TEST(noise_changes_no_answer),
	    TEST(an_entry_that_names_a_later_equal_time_is_not_believed),
	    TEST(what_is_no_index_file_is_none),
	    TEST(the_index_of_a_swap_is_its_own),
	    TEST(golden_segments_are_found_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
