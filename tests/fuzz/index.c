/*
 * index.c - an index of any bytes beside a log that is good
 *
 * Whatever stands in .index and .timeindex, walking from the answer finds the
 * batch that walking from the start finds.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "file/index.h"
#include "codec/batch_build.h"
#include "fuzz.h"

enum { BATCHES = 40, BASE = 100, SIZE_MOST = 200 };
#define NAME "00000000000000000100"

static struct stream_batch_info infos[BATCHES];
static uint64_t log_size;
static int log_fd = -1;

/* Batches of one to three records; times rise, fall and are absent. */
static size_t
make_batch(int i, int64_t base, uint8_t *memory)
{
	struct stream_batch_build build;
	struct stream_record record = {
	    .timestamp_ms = i % 7 == 0 ? -1 : 1000 + i * 10 - i % 5 * 25,
	    .value = {(const uint8_t *)"value", 5}};
	struct stream_batch batch;
	size_t size;

	stream_batch_build_start(&build, memory);
	for (int n = 0; n <= i % 3; n++)
		FUZZ_CHECK(stream_batch_build_add(&build, &record));
	size = stream_batch_build_size(&build);
	stream_batch_build_header(&build, STREAM_CODEC_NONE, memory, size);
	stream_batch_place(memory, base, 0);
	stream_batch_seal(memory, size);
	FUZZ_CHECK(stream_batch_check(memory, size, &batch, NULL) == STREAM_OK);
	infos[i] = batch.info;
	return size;
}

static void
make_log(void)
{
	uint8_t *bytes = NULL;
	struct stream_buf log;
	int64_t next = BASE;

	stream_buf_init(&log);
	for (int i = 0; i < BATCHES; i++) {
		FUZZ_CHECK(
		    stream_buf_reserve(&log, SIZE_MOST, NULL) == STREAM_OK);
		bytes = log.data + log.size;
		size_t size = make_batch(i, next, bytes);
		infos[i].position = log.size;
		log.size += size;
		next = infos[i].last_offset + 1 + (i % 4 == 3);
	}
	fuzz_put_file(NAME ".log", log.data, log.size);
	log_size = log.size;
	stream_buf_release(&log);
	log_fd = openat(fuzz_directory(), NAME ".log", O_RDONLY | O_CLOEXEC);
	FUZZ_CHECK(log_fd >= 0);
}

/* The number of the batch that starts here. */
static int
batch_at(uint64_t position)
{
	int i = 0;

	while (i < BATCHES && infos[i].position < position)
		i++;
	FUZZ_CHECK(
	    i < BATCHES ? infos[i].position == position : position == log_size);
	return i;
}

static void
check_offset(const struct stream_index_source *source, int64_t target)
{
	uint64_t position = 1;
	int want = 0;

	while (want < BATCHES && infos[want].last_offset < target)
		want++;
	stream_index_find(source, target, &position);
	FUZZ_CHECK(batch_at(position) <= want);
}

static void
check_time(const struct stream_index_source *source, int64_t timestamp_ms)
{
	uint64_t position = 1;
	int want = 0;

	while (want < BATCHES && infos[want].max_timestamp_ms < timestamp_ms)
		want++;
	stream_index_find_time(source, timestamp_ms, &position);
	FUZZ_CHECK(batch_at(position) <= want);
}

/* The first byte: how many of the bytes are the .index. */
static void
run(const uint8_t *data, size_t size)
{
	struct stream_index_source source;
	size_t first;

	if (size == 0)
		return;
	if (log_fd < 0)
		make_log();
	first = (size - 1) * data[0] / 255;
	fuzz_put_file(NAME ".index", data + 1, first);
	fuzz_put_file(NAME ".timeindex", data + 1 + first, size - 1 - first);
	source = (struct stream_index_source){fuzz_directory(), NAME ".log",
	    log_fd, BASE, STREAM_BATCH_CAP_DEFAULT};
	for (int i = 0; i < BATCHES; i += 5) {
		check_offset(&source, infos[i].base_offset);
		check_offset(&source, infos[i].last_offset + 1);
		check_time(&source, infos[i].max_timestamp_ms);
		check_time(&source, infos[i].max_timestamp_ms + 1);
	}
	check_offset(&source, INT64_MAX);
	check_offset(&source, 0);
	check_time(&source, INT64_MAX);
	check_time(&source, INT64_MIN);
	for (int i = 1; i < BATCHES; i += 7) {
		uint64_t position = 1;

		stream_index_find_before(
		    &source, infos[i].position, 100, &position);
		FUZZ_CHECK(position == 0 || position < infos[i].position);
		batch_at(position);
	}
}

const struct fuzz_target fuzz_target_index = {"index", run, NULL};
