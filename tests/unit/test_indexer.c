/* Which batches get index entries: the vectors, Kafka's own files byte for
 * byte, and the same bytes however batches are grouped. */
#include "file/scan.h"
#include "fixture.h"
#include "log/indexer.h"
#include "vectors.h"

enum { ROWS = 14 };

static void
expect_bytes(const char *what, const struct stream_buf *got, const char *hex)
{
	size_t size;
	uint8_t *want = vectors_bytes(hex, &size);

	if (got->size != size ||
	    (size > 0 && memcmp(got->data, want, size) != 0))
		fail_msg("%s: %zu bytes, not %zu", what, got->size, size);
	free(want);
}

static void
entries_are_those_of_the_vectors(void **state)
{
	struct vectors *rows = vectors_open("index.txt");

	(void)state;
	while (vectors_take(rows, 7)) {
		struct stream_indexer indexer;
		uint64_t position = 0;
		char *rest = rows->words[4];
		char *more;

		stream_indexer_init(&indexer, strtoll(rows->words[2], NULL, 10),
		    strtoll(rows->words[3], NULL, 10));
		for (char *one = strtok_r(rest, ";", &more);
		     one != NULL && strcmp(one, "-") != 0;
		     one = strtok_r(NULL, ";", &more)) {
			struct stream_batch_info info = {.position = position};
			unsigned size;
			long long last, time_ms;

			assert_int_equal(
			    sscanf(one, "%u,%lld,%lld", &size, &last, &time_ms),
			    3);
			info.last_offset = last;
			info.max_timestamp_ms = time_ms;
			position += size;
			assert_int_equal(
			    stream_indexer_add(&indexer, &info, NULL),
			    STREAM_OK);
		}
		stream_indexer_finish(&indexer, NULL);
		expect_bytes(rows->words[0], &indexer.offsets, rows->words[5]);
		expect_bytes(rows->words[0], &indexer.times, rows->words[6]);
		stream_indexer_release(&indexer);
	}
	vectors_close(rows, ROWS);
}

/* A segment of a golden directory. */
struct segment {
	int64_t base;
	struct stream_batch_info *infos;
	size_t count;
	struct stream_buf index;
	struct stream_buf times;
};

static struct segment
load_segment(const struct temp_dir *dir, int64_t base)
{
	struct segment segment = {.base = base};
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	char name[STREAM_NAME_SIZE];
	int fd;

	stream_name_put_plain(base, STREAM_NAME_INDEX, name);
	fx_get(dir, name, &segment.index);
	stream_name_put_plain(base, STREAM_NAME_TIMEINDEX, name);
	fx_get(dir, name, &segment.times);
	fd = openat(dir->fd, fx_log_name(base, name), O_RDONLY);
	stream_scan_init(
	    &scan, fd, 0, STREAM_SCAN_WHOLE, STREAM_BATCH_CAP_DEFAULT, 1 << 16);
	while (stream_scan_next(&scan, &batch, &bytes, NULL) == STREAM_OK) {
		segment.infos = realloc(segment.infos,
		    (segment.count + 1) * sizeof(*segment.infos));
		segment.infos[segment.count++] = batch.info;
	}
	stream_scan_release(&scan);
	close(fd);
	return segment;
}

static void
drop_segment(struct segment *segment)
{
	free(segment->infos);
	stream_buf_release(&segment->index);
	stream_buf_release(&segment->times);
}

/*
 * The interval that the directory was made with lies between what did not make
 * an entry and what did: narrow least and most (both possible) down to that.
 */
static void
narrow(const struct segment *segment, int64_t *least, int64_t *most)
{
	uint64_t indexed = 0;
	size_t entry = 0;

	for (size_t i = 0; i < segment->count; i++) {
		uint64_t at = segment->infos[i].position;
		int64_t since = (int64_t)(at - indexed);
		bool has =
		    entry * 8 < segment->index.size &&
		    stream_load32(segment->index.data + entry * 8 + 4) == at &&
		    i > 0;

		if (!has && since > *least)
			*least = since;
		if (has && since - 1 < *most)
			*most = since - 1;
		if (has) {
			indexed = at;
			entry++;
		}
	}
	assert_int_equal(entry * 8, segment->index.size);
}

static bool
is_same(const struct stream_buf *a, const struct stream_buf *b)
{
	return a->size == b->size &&
	       (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static void
expect_rebuilt(
    const char *name, const struct segment *segment, int64_t interval)
{
	struct stream_indexer indexer;

	stream_indexer_init(&indexer, segment->base, interval);
	for (size_t i = 0; i < segment->count; i++)
		stream_indexer_add(&indexer, &segment->infos[i], NULL);
	stream_indexer_finish(&indexer, NULL);
	if (!is_same(&indexer.offsets, &segment->index))
		fail_msg("%s/%lld.index, interval %lld", name,
		    (long long)segment->base, (long long)interval);
	if (!is_same(&indexer.times, &segment->times))
		fail_msg("%s/%lld.timeindex, interval %lld", name,
		    (long long)segment->base, (long long)interval);
	stream_indexer_release(&indexer);
}

static int
by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The bases of the segments, sorted. */
static size_t
list_segments(const struct temp_dir *dir, int64_t *bases, size_t most)
{
	DIR *list = opendir(dir->path);
	size_t count = 0;

	for (struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
		struct stream_name name;

		if (stream_name_parse(e->d_name, &name) &&
		    name.kind == STREAM_NAME_LOG && count < most)
			bases[count++] = name.base_offset;
	}
	closedir(list);
	qsort(bases, count, sizeof(*bases), by_number);
	return count;
}

static void
rebuild_golden(const char *name, bool with_last, const struct temp_dir *dir)
{
	int64_t bases[32], least = 0, most = INT32_MAX;
	size_t count = list_segments(dir, bases, COUNT(bases));
	struct segment segments[32];

	if (!with_last)
		count--;
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		segments[i] = load_segment(dir, bases[i]);
		narrow(&segments[i], &least, &most);
	}
	if (least > most)
		fail_msg("%s: no interval fits", name);
	for (size_t i = 0; i < count; i++) {
		expect_rebuilt(name, &segments[i], least);
		expect_rebuilt(name, &segments[i], most);
		drop_segment(&segments[i]);
	}
}

static void
kafkas_files_are_rebuilt_byte_for_byte(void **state)
{
	/* Those of a broker that did not stop have a last segment whose
	 * indexes are not yet cut to what is used. */
	static const struct {
		const char *name;
		bool with_last;
	} rows[] = {{"plain", true}, {"zstd", true}, {"gzip", true},
	    {"lz4", true}, {"idempotent", true}, {"logappendtime", true},
	    {"ooo-timestamps", true}, {"no-timestamp", true},
	    {"time-roll", true}, {"transactions", true}, {"edge", true},
	    {"big", true}, {"unclean", false}, {"torn-tail", false}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		bool is_here = fx_golden(rows[i].name, dir);

		if (is_here)
			rebuild_golden(rows[i].name, rows[i].with_last, dir);
		fx_drop(dir);
		if (!is_here)
			skip();
	}
}

/* n batches in appends of group batches each, into segments that roll. */
static void
fill(const struct temp_dir *dir, int n, int group, size_t value_size)
{
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	struct stream_buf log;
	int64_t base = 0;

	config.index_interval_bytes = 300;
	config.segment_bytes = 4000;
	partition = fx_open(dir, &config);
	stream_buf_init(&log);
	for (int i = 0; i < n; i += group) {
		struct stream_error err = {.text = ""};

		log.size = 0;
		fx_add_many(&log, base, group, 1, value_size, 'a');
		base += group;
		expect(stream_partition_append(
			   partition, log.data, log.size, NULL, &err),
		    STREAM_OK, err);
	}
	stream_buf_release(&log);
	stream_partition_close(partition);
}

static void
thirty_appends_index_as_one_append_of_thirty(void **state)
{
	static const size_t sizes[] = {0, 40, 130, 700};
	static const int groups[] = {2, 5, 15, 30};

	(void)state;
	for (size_t i = 0; i < COUNT(sizes) * COUNT(groups); i++) {
		struct temp_dir *one = fx_dir(), *many = fx_dir();
		int64_t bases[32];
		size_t count;

		fill(one, 30, 1, sizes[i / COUNT(groups)]);
		fill(many, 30, groups[i % COUNT(groups)],
		    sizes[i / COUNT(groups)]);
		count = list_segments(one, bases, COUNT(bases));
		for (size_t s = 0; s < count; s++) {
			char name[STREAM_NAME_SIZE];

			fx_expect_same(one, many, fx_log_name(bases[s], name));
			stream_name_put_plain(
			    bases[s], STREAM_NAME_INDEX, name);
			fx_expect_same(one, many, name);
			stream_name_put_plain(
			    bases[s], STREAM_NAME_TIMEINDEX, name);
			fx_expect_same(one, many, name);
		}
		fx_drop(one);
		fx_drop(many);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_are_those_of_the_vectors),
	    cmocka_unit_test(kafkas_files_are_rebuilt_byte_for_byte),
	    cmocka_unit_test(thirty_appends_index_as_one_append_of_thirty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
