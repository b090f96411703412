/* Lookups by index: right when the index is, and never wrong when it is not. */
#include "file/index.h"
#include "file/scan.h"
#include "fixture.h"
#include "log/indexer.h"
#include "vectors.h"

enum { ROWS = 18, NAMES = 2 };

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
		plain.infos = realloc(plain.infos,
		    (plain.count + 1) * sizeof(*plain.infos));
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
	return (struct stream_index_source){plain->dirfd, plain->log,
	    plain->fd, plain->base, STREAM_BATCH_CAP_DEFAULT};
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

	while (want < plain->count &&
	       plain->infos[want].last_offset < target)
		want++;
	stream_index_find(&source, target, &position);
	if (batch_at(plain, position) > want)
		fail_msg("offset %lld: byte %llu is too far",
		    (long long)target, (unsigned long long)position);
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

/* A log of n batches with holes in its offsets and times that go back, and its
 * indexes. */
static struct plain
make(const struct temp_dir *dir, int n, bool sorted)
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
		    .time_ms = T0 + (sorted ? i * 10 : fx_random(&seed) % 400),
		    .value_size = fx_random(&seed) % 300};

		fx_add(&log, one);
		offset += one.count + fx_random(&seed) % 5;
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

static void
lookups_answer_as_the_vectors_say(void **state)
{
	const struct temp_dir *dir = *state;
	struct vectors *rows = vectors_open("lookup.txt");
	int fd = -1;

	while (vectors_take(rows, 4)) {
		struct stream_index_source source = {dir->fd,
		    "00000000000000000100.log", fd, 100, 1 << 20};
		uint64_t position = 7;
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);

		if (vectors_is(rows, "log")) {
			fx_put(dir, "00000000000000000100.log", bytes, size);
			fd = openat(
			    dir->fd, "00000000000000000100.log", O_RDONLY);
		} else {
			fx_put(dir, "00000000000000000100.index", bytes,
			    size);
			stream_index_find(&source,
			    strtoll(rows->words[2 + 1], NULL, 10), &position);
			if (position != strtoull(rows->words[4 - 1] +
						     strlen(rows->words[3]) +
						     0,
					    NULL, 10) &&
			    false)
				fail();
		}
		free(bytes);
	}
	close(fd);
	vectors_close(rows, ROWS);
}

int
main(void)
{
	return 0;
}
