/* Readers beside a stand-in for compaction and retention, which replaces and
 * removes segments in Kafka's order all the time, a moment between any two
 * steps.  STRM_SWAPS is how many; make check-fault asks for more. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "file/index.h"
#include "file/scan.h"
#include "fixture.h"
#include "log/view.h"

/* Two records a batch; of these batches the records are never taken away. */
enum { COUNT_EACH = 2, SURVIVES = 5 };

static bool
survives(int64_t offset)
{
	return offset / COUNT_EACH % SURVIVES == 0;
}

struct storm {
	struct temp_dir *top;
	struct temp_dir dir; /* "t-0" in it */
	struct stream_partition *writer;
	pthread_t thread;
	uint32_t seed;
	int swaps;
	bool retains;
	uint16_t attributes;  /* of batches */
	_Atomic bool is_over; /* this many swaps were made */
	_Atomic int64_t next; /* offset of the writer */
};

/* What the settings say; there is one storm at a time. */
static _Atomic bool gaps;

static int
ask_gaps(int storefd, const char *topic, bool *answer, struct stream_error *err)
{
	(void)storefd;
	(void)err;
	assert_string_equal(topic, "t");
	*answer = gaps;
	return STREAM_OK;
}

/* ---- the storm ---------------------------------------------------------- */

static void
breathe(struct storm *storm)
{
	struct timespec pause = {.tv_nsec = fx_random(&storm->seed) % 60000};

	if (fx_random(&storm->seed) % 3 == 0)
		nanosleep(&pause, NULL);
}

static const char *const kinds[] = {"log", "index", "timeindex"};

static void
name_file(
    char name[static 64], int64_t base, const char *kind, const char *state)
{
	snprintf(name, 64, "%020lld.%s%s", (long long)base, kind, state);
}

static void
rename_all(struct storm *storm, int64_t base, const char *from, const char *to)
{
	char old[64], new[64];

	for (size_t i = 0; i < COUNT(kinds); i++) {
		name_file(old, base, kinds[i], from);
		name_file(new, base, kinds[i], to);
		renameat(storm->dir.fd, old, storm->dir.fd, new);
		breathe(storm);
	}
}

static void
remove_all(struct storm *storm, int64_t base, const char *state)
{
	char name[64];

	for (size_t i = 0; i < COUNT(kinds); i++) {
		name_file(name, base, kinds[i], state);
		unlinkat(storm->dir.fd, name, 0);
	}
}

struct made {
	int64_t base;
	struct stream_buf log, index, timeindex;
};

static void
add_entries(struct made *made, const struct stream_batch_info *info)
{
	uint8_t entry[STREAM_TIMEINDEX_ENTRY];
	uint32_t delta = (uint32_t)(info->last_offset - made->base);

	stream_store32(entry, delta);
	stream_store32(entry + 4, (uint32_t)made->log.size);
	if (made->log.size > 0)
		stream_buf_add(&made->index, entry, STREAM_INDEX_ENTRY, NULL);
	stream_store64(entry, (uint64_t)info->max_timestamp_ms);
	stream_store32(entry + 8, delta);
	stream_buf_add(&made->timeindex, entry, sizeof(entry), NULL);
}

/* What is left of one segment: batches that survive and, by chance, others. */
static void
filter(struct storm *storm, const struct stream_view *view, size_t i,
    struct made *made)
{
	uint32_t keep = fx_random(&storm->seed) % 5;
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int fd;

	if (stream_view_open(view, i, storm->dir.fd, &fd, NULL) != STREAM_OK)
		abort();
	stream_scan_init(&scan, fd, 0, STREAM_SCAN_WHOLE,
	    STREAM_BATCH_CAP_DEFAULT, STREAM_SCAN_BLOCK);
	while (stream_scan_next(&scan, &batch, &bytes, NULL) == STREAM_OK) {
		if (!survives(batch.info.base_offset) &&
		    fx_random(&storm->seed) % 5 >= keep)
			continue;
		add_entries(made, &batch.info);
		stream_buf_add(&made->log, bytes, batch.info.size, NULL);
	}
	stream_scan_release(&scan);
	close(fd);
}

static void
put_made(struct storm *storm, struct made *made)
{
	struct stream_buf *all[] = {&made->log, &made->index, &made->timeindex};
	char name[64];

	for (size_t i = 0; i < COUNT(kinds); i++) {
		name_file(name, made->base, kinds[i], ".cleaned");
		fx_put(&storm->dir, name, all[i]->data, all[i]->size);
		stream_buf_release(all[i]);
		breathe(storm);
	}
}

/* n closed segments from i on become one. */
static void
swap(struct storm *storm, const struct stream_view *view, size_t i, size_t n)
{
	struct made made = {.base = view->segments[i].base_offset};

	for (size_t k = i; k < i + n; k++)
		filter(storm, view, k, &made);
	put_made(storm, &made);
	gaps = true;
	rename_all(storm, made.base, ".cleaned", ".swap");
	for (size_t k = i; k < i + n; k++)
		rename_all(
		    storm, view->segments[k].base_offset, "", ".deleted");
	rename_all(storm, made.base, ".swap", "");
	for (size_t k = i; k < i + n; k++)
		remove_all(storm, view->segments[k].base_offset, ".deleted");
}

static void
retire(struct storm *storm, const struct stream_view *view)
{
	rename_all(storm, view->segments[0].base_offset, "", ".deleted");
	remove_all(storm, view->segments[0].base_offset, ".deleted");
}

static void
append_some(struct storm *storm)
{
	for (uint32_t n = fx_random(&storm->seed) % 8; n > 0; n--) {
		int64_t base = stream_partition_next_offset(storm->writer);

		if (fx_try_append(storm->writer,
			(struct fx_batch){.base = base,
			    .count = COUNT_EACH,
			    .time_ms = T0 + base,
			    .step_ms = 1,
			    .value_size = 60},
			NULL) != STREAM_OK)
			abort();
		storm->next = base + COUNT_EACH;
	}
}

static void *
blow(void *context)
{
	struct storm *storm = context;

	for (int done = 0; done < storm->swaps;) {
		struct stream_view view;
		size_t closed, i, n;

		append_some(storm);
		if (stream_view_load(storm->dir.fd, &view, NULL) != STREAM_OK)
			abort();
		closed = view.count - 1;
		if (closed > 0) {
			i = fx_random(&storm->seed) % closed;
			n = 1 + fx_random(&storm->seed) % 4;
			swap(storm, &view, i, n < closed - i ? n : closed - i);
			done++;
		}
		stream_view_release(&view);
		if (storm->retains && fx_random(&storm->seed) % 16 == 0 &&
		    stream_view_load(storm->dir.fd, &view, NULL) == STREAM_OK) {
			if (view.count > 1)
				retire(storm, &view);
			stream_view_release(&view);
		}
	}
	storm->is_over = true;
	return NULL;
}

static int
swaps_wanted(void)
{
	const char *text = getenv("STRM_SWAPS");

	return text != NULL ? atoi(text) : 120;
}

static void
begin(struct storm *storm, struct temp_dir *top, uint32_t seed, bool retains)
{
	struct stream_log_config config = fx_config();

	*storm = (struct storm){.top = top,
	    .seed = seed,
	    .swaps = swaps_wanted(),
	    .retains = retains};
	gaps = false;
	assert_int_equal(mkdirat(top->fd, "t-0", 0777), 0);
	storm->dir.fd = openat(top->fd, "t-0", O_RDONLY | O_DIRECTORY);
	assert_true(storm->dir.fd >= 0);
	config.segment_bytes = 1200;
	storm->writer = fx_open(&storm->dir, &config);
	for (int i = 0; i < 20; i++)
		append_some(storm);
	pthread_create(&storm->thread, NULL, blow, storm);
}

static void
finish(struct storm *storm)
{
	pthread_join(storm->thread, NULL);
	stream_partition_close(storm->writer);
	close(storm->dir.fd);
}

/* ---- readers ------------------------------------------------------------ */

static struct stream_reader *
open_reader(struct storm *storm, struct stream_reader_options options)
{
	struct stream_reader_source source = {
	    .dirfd = fcntl(storm->dir.fd, F_DUPFD_CLOEXEC, 0),
	    .name = "t-0",
	    .is_ours = true,
	    .dense = !gaps,
	    .facts = {.topic = "t", .ask_gaps = ask_gaps},
	};
	struct stream_reader *reader = NULL;
	struct stream_error err = {.text = ""};

	expect(stream_reader_open_source(&source, &options, &reader, &err),
	    STREAM_OK, err);
	return reader;
}

/* Nothing twice, and of what survives nothing left out. */
struct seen {
	int64_t next; /* after the last record */
	size_t count;
	unsigned flags; /* of the reader, for the message */
	int64_t from;
	int by;
};

static void
see(struct seen *seen, const struct stream_record *records, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int64_t offset = records[i].offset;

		if (offset < seen->next)
			fail_msg("offset %lld after %lld", (long long)offset,
			    (long long)seen->next - 1);
		for (; seen->next < offset; seen->next++)
			if (survives(seen->next))
				fail_msg("offset %lld was skipped (flags %u, "
					 "from %lld by %d, got %lld)",
				    (long long)seen->next, seen->flags,
				    (long long)seen->from, seen->by,
				    (long long)offset);
		seen->next++;
		seen->count++;
	}
}

/* To the end of what is there now. */
static void
drain(struct stream_reader *reader, struct seen *seen)
{
	const struct stream_record *records;
	struct stream_error err = {.text = ""};
	size_t count;
	int status;

	while ((status = stream_reader_read(reader, &records, &count, &err)) ==
	       STREAM_OK)
		see(seen, records, count);
	expect(status, STREAM_END, err);
}

static void
followers_see_what_survives(void **state)
{
	static const unsigned flags[] = {
	    0, STREAM_READER_SKIP_CORRUPT, STREAM_READER_DURABLE};
	struct stream_reader *readers[COUNT(flags)];
	struct seen seen[COUNT(flags)] = {{0}};
	struct stream_watch *watch = NULL;
	struct storm storm;
	bool over = false;

	begin(&storm, *state, 1, false);
	stream_watch_new(&watch, NULL);
	for (size_t i = 0; i < COUNT(flags); i++) {
		seen[i].flags = flags[i] | STREAM_READER_FOLLOW;
		readers[i] = open_reader(
		    &storm, (struct stream_reader_options){
				.flags = flags[i] | STREAM_READER_FOLLOW});
		/* One without a watch looks by itself. */
		if (i != 1)
			stream_watch_add(watch, readers[i], NULL);
	}
	while (!over) {
		over = storm.is_over;
		stream_watch_wait(watch, 1, -1, -1, NULL);
		for (size_t i = 0; i < COUNT(flags); i++)
			drain(readers[i], &seen[i]);
	}
	for (size_t i = 0; i < COUNT(flags); i++) {
		assert_true(seen[i].next == storm.next);
		stream_reader_close(readers[i]);
	}
	stream_watch_free(watch);
	finish(&storm);
}

/* One who begins anywhere and is slow on the way. */
static void
readers_to_the_end_see_what_survives(void **state)
{
	struct storm storm;
	uint32_t seed = 7;
	size_t most = 0;

	begin(&storm, *state, 2, false);
	while (!storm.is_over) {
		static const unsigned flags[] = {0, STREAM_READER_SKIP_CORRUPT,
		    STREAM_READER_DURABLE, STREAM_READER_UNCOMMITTED};
		int64_t end = storm.next;
		int64_t from =
		    (int64_t)(fx_random(&seed) % (uint32_t)(end + 1));
		bool by_time = fx_random(&seed) % 2 == 0;
		struct stream_reader_options options = {
		    .flags = flags[fx_random(&seed) % COUNT(flags)],
		    .range.from = {by_time ? STREAM_POINT_TIME
					   : STREAM_POINT_OFFSET,
			by_time ? T0 + from : from},
		};
		struct stream_reader *reader = open_reader(&storm, options);
		struct timespec pause = {.tv_nsec = fx_random(&seed) % 90000};
		const struct stream_record *records;
		struct stream_error err = {.text = ""};
		struct seen seen = {.next = from,
		    .flags = options.flags,
		    .from = from,
		    .by = by_time};
		int64_t later = storm.next + COUNT_EACH; /* being appended */
		size_t count;
		int status;

		while ((status = stream_reader_read(
			    reader, &records, &count, &err)) == STREAM_OK) {
			see(&seen, records, count);
			nanosleep(&pause, NULL);
		}
		expect(status, STREAM_END, err);
		if (seen.count > most)
			most = seen.count;
		/* It ends where the log ended when it was opened. */
		for (; seen.next < end; seen.next++)
			if (survives(seen.next))
				fail_msg("offset %lld of %lld was not read",
				    (long long)seen.next, (long long)end);
		if (seen.next > later)
			fail_msg("read to %lld, though the log ended at %lld "
				 "(flags %u, from %lld)",
			    (long long)seen.next, (long long)later,
			    options.flags, (long long)from);
		stream_reader_close(reader);
	}
	assert_true(most > 100);
	finish(&storm);
}

/* The last N are those of some moment while the reader was opened: all that
 * survives of the last N offsets is among them. */
static void
the_last_records_are_counted(void **state)
{
	struct storm storm;
	uint32_t seed = 9;

	begin(&storm, *state, 3, false);
	while (!storm.is_over) {
		int64_t n = 1 + fx_random(&seed) % 90;
		int64_t end = storm.next;
		struct stream_reader *reader = open_reader(
		    &storm, (struct stream_reader_options){
				.range.from = {STREAM_POINT_LAST, n}});
		int64_t later = storm.next + COUNT_EACH; /* being appended */
		struct seen seen = {.next = later - n};
		const struct stream_record *records;
		struct stream_error err = {.text = ""};
		size_t count;
		int status;

		while ((status = stream_reader_read(
			    reader, &records, &count, &err)) == STREAM_OK) {
			for (; count > 0 && records->offset < seen.next;
			     count--)
				records++;
			see(&seen, records, count);
		}
		expect(status, STREAM_END, err);
		for (; seen.next < end; seen.next++)
			if (survives(seen.next))
				fail_msg("offset %lld of %lld was not read",
				    (long long)seen.next, (long long)end);
		stream_reader_close(reader);
	}
	finish(&storm);
}

/* Retention takes the oldest away: one who clamps goes on, another is told. */
static void
one_whom_retention_overtakes_is_told(void **state)
{
	struct storm storm;
	size_t overtaken = 0, whole = 0;

	begin(&storm, *state, 4, true);
	while (!storm.is_over) {
		bool clamps = (overtaken + whole) % 2 == 0;
		struct stream_reader *reader = open_reader(
		    &storm, (struct stream_reader_options){
				.flags = clamps ? STREAM_READER_CLAMP : 0});
		struct timespec pause = {.tv_nsec = 200000};
		const struct stream_record *records;
		struct stream_error err = {.text = ""};
		int64_t last = -1;
		size_t count;
		int status;

		while ((status = stream_reader_read(
			    reader, &records, &count, &err)) == STREAM_OK) {
			assert_true(records[0].offset > last);
			last = records[count - 1].offset;
			nanosleep(&pause, NULL);
		}
		if (status == STREAM_EOFFSET && !clamps) {
			assert_non_null(strstr(err.text, "the log now holds"));
			overtaken++;
		} else {
			expect(status, STREAM_END, err);
			whole++;
		}
		stream_reader_close(reader);
	}
	assert_true(whole > 0);
	finish(&storm);
}

/* ---- one thing at a time ------------------------------------------------ */

/* A partition of closed segments, ten offsets each, without a storm. */
static void
make_quiet(struct storm *storm, struct temp_dir *top, int batches)
{
	struct stream_log_config config = fx_config();

	*storm = (struct storm){.top = top, .seed = 5};
	gaps = false;
	assert_int_equal(mkdirat(top->fd, "t-0", 0777), 0);
	storm->dir.fd = openat(top->fd, "t-0", O_RDONLY | O_DIRECTORY);
	config.segment_bytes = 1200;
	storm->writer = fx_open(&storm->dir, &config);
	fx_append(storm->writer, batches, COUNT_EACH, 60, 'a');
	storm->next = stream_partition_next_offset(storm->writer);
}

static void
drop_quiet(struct storm *storm)
{
	stream_partition_close(storm->writer);
	close(storm->dir.fd);
}

/* The store's file raises the log start while a reader is below it. */
static void
a_raised_log_start_overtakes(void **state)
{
	for (int clamps = 0; clamps < 2; clamps++) {
		struct temp_dir *top = fx_dir();
		struct fx_notes notes = {0};
		struct storm storm;
		struct stream_reader *reader;
		const struct stream_record *records;
		struct stream_error err = {.text = ""};
		int64_t last = -1;
		size_t count;
		int status;

		make_quiet(&storm, top, 100);
		reader = open_reader(
		    &storm, (struct stream_reader_options){
				.flags = clamps ? STREAM_READER_CLAMP : 0,
				.note = fx_note,
				.note_context = &notes});
		assert_int_equal(
		    stream_reader_read(reader, &records, &count, &err),
		    STREAM_OK);
		temp_dir_put(
		    top, "log-start-offset-checkpoint", "0\n1\nt 0 101\n");
		while ((status = stream_reader_read(
			    reader, &records, &count, &err)) == STREAM_OK) {
			assert_true(
			    records[0].offset < 20 || records[0].offset >= 101);
			last = records[count - 1].offset;
		}
		expect(status, clamps ? STREAM_END : STREAM_EOFFSET, err);
		if (clamps) {
			assert_int_equal(last, 199);
			assert_int_equal(notes.count, 1);
			assert_non_null(strstr(notes.last, "going on at 101"));
		} else {
			assert_true(last < 20);
			assert_non_null(
			    strstr(err.text, "to 100 were removed"));
			assert_non_null(
			    strstr(err.text, "the log now holds 101 to 199"));
		}
		stream_reader_close(reader);
		drop_quiet(&storm);
		fx_drop(top);
	}
	(void)state;
}

/* One who had read up to the new log start has lost nothing. */
static void
a_log_start_that_was_passed_overtakes_nobody(void **state)
{
	struct storm storm;
	struct stream_watch *watch = NULL;
	struct stream_reader *reader;
	struct seen seen = {0};

	make_quiet(&storm, *state, 20);
	stream_watch_new(&watch, NULL);
	reader = open_reader(&storm,
	    (struct stream_reader_options){.flags = STREAM_READER_FOLLOW});
	stream_watch_add(watch, reader, NULL);
	drain(reader, &seen);
	assert_int_equal(seen.next, 40);
	temp_dir_put(*state, "log-start-offset-checkpoint", "0\n1\nt 0 40\n");
	fx_append(storm.writer, 2, COUNT_EACH, 60, 'a');
	stream_watch_wait(watch, 1000, -1, -1, NULL);
	drain(reader, &seen);
	assert_int_equal(seen.next, 44);
	stream_reader_close(reader);
	stream_watch_free(watch);
	drop_quiet(&storm);
}

/* A reader ends where the log ended when it began, also when that segment was
 * closed and merged into an earlier one meanwhile. */
static void
the_end_stays_where_it_was(void **state)
{
	struct storm storm;
	struct stream_reader *reader;
	struct stream_view view;
	struct seen seen = {0};

	make_quiet(&storm, *state, 18);
	reader =
	    open_reader(&storm, (struct stream_reader_options){.flags = 0});
	fx_append(storm.writer, 40, COUNT_EACH, 60, 'b');
	assert_int_equal(
	    stream_view_load(storm.dir.fd, &view, NULL), STREAM_OK);
	swap(&storm, &view, 0, view.count - 1);
	stream_view_release(&view);
	drain(reader, &seen);
	assert_in_range(seen.next, 31, 36);
	stream_reader_close(reader);
	drop_quiet(&storm);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_raised_log_start_overtakes),
	    TEST(a_log_start_that_was_passed_overtakes_nobody),
	    TEST(the_end_stays_where_it_was),
	    TEST(followers_see_what_survives),
	    TEST(readers_to_the_end_see_what_survives),
	    TEST(the_last_records_are_counted),
	    TEST(one_whom_retention_overtakes_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
