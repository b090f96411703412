/* What a reader says where the log ends, is torn, bad or damaged. */
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "file/lock.h"
#include "fixture.h"

/* Batches of three records at dir's first log; the sizes up to each end. */
static struct stream_buf
put_log(const struct temp_dir *dir, int n, size_t *ends)
{
	struct stream_buf log;

	stream_buf_init(&log);
	for (int i = 0; i < n; i++) {
		fx_add_many(&log, i * 3, 1, 3, 20, 'a');
		ends[i] = log.size;
	}
	fx_put(dir, LOG_0, log.data, log.size);
	return log;
}

static struct fx_seen
read_noted(
    const struct temp_dir *dir, struct fx_reading how, struct fx_notes *notes)
{
	*notes = (struct fx_notes){.count = 0};
	how.options.note = fx_note;
	how.options.note_context = notes;
	return fx_read(dir, how);
}

/* Every length that a log of three batches can be cut to, with nothing, zeros
 * or garbage behind it: what is whole is read, and the rest is told. */
static void
every_cut_gives_the_whole_batches_and_says_so(void **state)
{
	const struct temp_dir *dir = *state;
	size_t ends[3];
	struct stream_buf log = put_log(dir, 3, ends);

	fx_no_writer(dir);
	for (size_t size = 0; size < log.size; size++)
		for (int fill = 0; fill < 3; fill++) {
			uint8_t bytes[1024] = {0};
			struct fx_notes notes;
			struct fx_seen seen;
			size_t whole = (size_t)(size >= ends[0]) +
				       (size_t)(size >= ends[1]);
			bool at_edge =
			    size == 0 || size == ends[0] || size == ends[1];

			memcpy(bytes, log.data, size);
			if (fill == 2)
				memset(bytes + size, 0x5a, 80);
			/* A byte that is filled can be what it was. */
			while (whole < 3 &&
			       ends[whole] <= size + (fill > 0 ? 80 : 0) &&
			       memcmp(bytes, log.data, ends[whole]) == 0)
				whole++;
			fx_put(dir, LOG_0, bytes, fill == 0 ? size : size + 80);
			seen = read_noted(
			    dir, (struct fx_reading){.foreign = true}, &notes);
			if (seen.count != 3 * whole)
				fail_msg("%zu, fill %d: %zu records", size,
				    fill, seen.count);
			if (seen.status != STREAM_END &&
			    seen.status != STREAM_ECORRUPT)
				fail_msg("%zu, fill %d: %d", size, fill,
				    seen.status);
			if (seen.status == STREAM_END)
				assert_int_equal(
				    notes.count, fill == 0 && at_edge ? 0 : 1);
			else
				assert_int_not_equal(fill, 0);
			/* Zeros behind a whole batch are torn; garbage is a
			 * batch that is all there, or none. */
			if (at_edge)
				assert_int_equal(seen.status,
				    fill == 2 ? STREAM_ECORRUPT : STREAM_END);
		}
	stream_buf_release(&log);
}

/* Each byte of the log and of nothing else: an error, or what was written.  The
 * leader epoch alone can change unseen, and changes no record. */
static void
every_flipped_byte_is_told_or_changes_nothing(void **state)
{
	static const uint8_t flips[] = {0xff, 1, 0x80};
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);
	struct stream_buf log;
	struct fx_seen sound;

	fx_append(partition, 3, 2, 20, 'a');
	fx_sync(partition);
	stream_partition_close(partition);
	sound = fx_read_all(dir);
	fx_get(dir, LOG_0, &log);
	for (size_t i = 0; i < log.size * COUNT(flips); i++) {
		size_t at = i / COUNT(flips);
		uint8_t byte = log.data[at] ^ flips[i % COUNT(flips)];
		struct fx_seen seen;

		fx_put_at(dir, LOG_0, at, &byte, 1);
		seen = fx_read_all(dir);
		if (seen.status == STREAM_END &&
		    (seen.sum != sound.sum || seen.count != 6))
			fail_msg("byte %zu: silent", at);
		if (seen.status != STREAM_END && seen.count % 2 != 0)
			fail_msg("byte %zu: half a batch", at);
		if (seen.status != STREAM_END &&
		    seen.status != STREAM_ECORRUPT &&
		    seen.status != STREAM_ENEWER)
			fail_msg("byte %zu: %d", at, seen.status);
		fx_put_at(dir, LOG_0, at, &log.data[at], 1);
	}
	stream_buf_release(&log);
}

static void
ends_are_told_apart(void **state)
{
	static const struct {
		const char *what;
		size_t at; /* in the last batch */
		uint8_t flip;
		size_t cut; /* from the end */
		int want;
		const char *text;
	} rows[] = {
	    {"nothing", 12, 0, 0, STREAM_END, NULL},
	    {"torn", 12, 0, 5, STREAM_END, "torn"},
	    {"bad CRC", 17, 1, 0, STREAM_ECORRUPT, "last batch is bad"},
	    {"bad record", 70, 1, 0, STREAM_ECORRUPT, "last batch is bad"},
	    {"lying length", 11, 1, 0, STREAM_ECORRUPT, "length"},
	    {"other magic", 16, 1, 0, STREAM_ENEWER, "magic"},
	    {"old magic", 16, 3, 0, STREAM_ENEWER, "magic"},
	    {"torn magic", 16, 1, 5, STREAM_END, "torn"},
	};
	const struct temp_dir *dir = *state;
	size_t ends[3];
	struct stream_buf log = put_log(dir, 3, ends);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fx_notes notes;
		struct fx_seen seen;

		log.data[ends[1] + rows[i].at] ^= rows[i].flip;
		fx_put(dir, LOG_0, log.data, log.size - rows[i].cut);
		log.data[ends[1] + rows[i].at] ^= rows[i].flip;
		seen = read_noted(
		    dir, (struct fx_reading){.foreign = true}, &notes);
		if (seen.status != rows[i].want ||
		    (rows[i].text != NULL &&
			strstr(seen.status == STREAM_END ? notes.last
							 : seen.err.text,
			    rows[i].text) == NULL))
			fail_msg("%s: %d %s %s", rows[i].what, seen.status,
			    seen.err.text, notes.last);
		assert_int_equal(seen.count,
		    seen.status == STREAM_END && rows[i].text == NULL ? 9 : 6);
	}
	stream_buf_release(&log);
}

/* Where it is told: file, byte and offset. */
static void
damage_names_its_place(void **state)
{
	const struct temp_dir *dir = *state;
	size_t ends[3];
	struct stream_buf log = put_log(dir, 3, ends);
	char byte[32];
	struct fx_seen seen;

	log.data[ends[0] + 65] ^= 1;
	fx_put(dir, LOG_0, log.data, log.size);
	seen = fx_read_all(dir);
	expect(seen.status, STREAM_ECORRUPT, seen.err);
	assert_int_equal(seen.count, 3);
	snprintf(byte, sizeof(byte), "byte %zu", ends[0]);
	assert_non_null(strstr(seen.err.text, "t-0/" LOG_0));
	assert_non_null(strstr(seen.err.text, byte));
	stream_buf_release(&log);
}

/* A magic that is not ours is another format only if nothing good follows and
 * the CRC is right: SPEC 10, rules 2, 7 and 8. */
static void
a_flipped_magic_before_good_batches_is_damage(void **state)
{
	const struct temp_dir *dir = *state;
	size_t ends[3];
	struct stream_buf log = put_log(dir, 3, ends);

	for (uint8_t flip = 1; flip < 4; flip++) {
		struct fx_seen seen;

		log.data[ends[0] + 16] ^= flip;
		fx_put(dir, LOG_0, log.data, log.size);
		log.data[ends[0] + 16] ^= flip;
		seen = fx_read_all(dir);
		expect(seen.status, STREAM_ECORRUPT, seen.err);
		assert_int_equal(seen.count, 3);
		assert_non_null(strstr(seen.err.text, "damaged"));
	}
	log.data[ends[1] + 16] ^= 1;
	log.data[ends[1] + 17] ^= 1; /* no CRC that would make it a batch */
	fx_put(dir, LOG_0, log.data, log.size);
	expect(fx_read_all(dir).status, STREAM_ECORRUPT,
	    (struct stream_error){.text = "a bad CRC"});
	stream_buf_release(&log);
}

/* Torn bytes, zeros and a bad batch at the end of a segment that is closed, or
 * below the durable end, are damage. */
static void
a_closed_or_durable_end_is_never_torn(void **state)
{
	for (int i = 0; i < 6; i++) {
		struct temp_dir *dir = fx_dir();
		size_t ends[3];
		struct stream_buf log = put_log(dir, 3, ends);
		struct fx_seen seen;
		struct fx_notes notes;

		if (i % 3 == 0)
			log.size -= 5;
		else if (i % 3 == 1)
			memset(log.data + ends[1], 0, ends[2] - ends[1]);
		else
			log.data[ends[1] + 70] ^= 1;
		if (i < 3) {
			fx_put(dir, LOG_0, log.data, log.size);
			temp_dir_put(dir, "00000000000000000009.log", "");
		} else {
			struct stream_partition *a = fx_open(dir, NULL);

			stream_partition_close(a);
			fx_put(dir, LOG_0, log.data, log.size);
			assert_int_equal(fx_state(dir).durable_end, ends[2]);
		}
		seen = read_noted(
		    dir, (struct fx_reading){.log_start = 0}, &notes);
		expect(seen.status, STREAM_ECORRUPT, seen.err);
		assert_int_equal(seen.count, 6);
		assert_int_equal(notes.count, 0);
		stream_buf_release(&log);
		fx_drop(dir);
	}
	(void)state;
}

static void
a_log_shorter_than_what_was_durable_is_damage(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct fx_seen seen;

	fx_append(a, 3, 3, 20, 'a');
	fx_sync(a);
	fx_cut(dir, LOG_0, (off_t)fx_state(dir).last_position);
	seen = fx_read_all(dir);
	expect(seen.status, STREAM_ECORRUPT, seen.err);
	assert_int_equal(seen.count, 6);
	assert_non_null(strstr(seen.err.text, "durable"));
	stream_partition_close(a);
}

/* In a log of ours that was never compacted, every offset is there. */
static void
holes_in_a_dense_log_are_told_before_they_are_passed(void **state)
{
	static const struct {
		const char *what;
		struct fx_batch second;
		int64_t next_base;  /* of the second segment */
		size_t dense, gaps; /* records before the hole, or in all */
	} rows[] = {
	    {"none", {.base = 3, .count = 3}, 6, 8, 8},
	    {"between batches", {.base = 5, .count = 3}, 8, 3, 8},
	    {"backwards", {.base = 2, .count = 3}, 6, 3, 3},
	    {"between segments", {.base = 3, .count = 3}, 7, 6, 8},
	    {"in a batch", {.base = 3, .count = 3, .stride = 2}, 8, 3, 8},
	};

	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct fx_seen seen;
		struct stream_buf log;
		char name[STREAM_NAME_SIZE];
		size_t want = i % 2 ? rows[i / 2].gaps : rows[i / 2].dense;

		stream_buf_init(&log);
		fx_add(&log, (struct fx_batch){.count = 3});
		fx_add(&log, rows[i / 2].second);
		fx_put(dir, LOG_0, log.data, log.size);
		log.size = 0;
		fx_add(&log, (struct fx_batch){
				 .base = rows[i / 2].next_base, .count = 2});
		fx_put(dir, fx_log_name(rows[i / 2].next_base, name), log.data,
		    log.size);
		seen = fx_read(dir, (struct fx_reading){.gaps = i % 2 != 0});
		if (seen.count != want ||
		    seen.status != (want == 8 ? STREAM_END : STREAM_ECORRUPT))
			fail_msg("%s: %d after %zu: %s", rows[i / 2].what,
			    seen.status, seen.count, seen.err.text);
		stream_buf_release(&log);
		fx_drop(dir);
	}
	(void)state;
}

/* ---- sizes ---- */

static void
batches_over_the_callers_limit_are_refused(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *a = fx_open(dir, NULL);
	struct fx_reading how = {.options.max_batch_bytes = 3000};
	struct fx_seen seen;

	fx_append(a, 1, 1, 20, 'a');
	fx_append(a, 1, 1, 4000, 'a');
	fx_append(a, 1, 1, 20, 'a');
	seen = fx_read(dir, how);
	expect(seen.status, STREAM_ECORRUPT, seen.err);
	assert_int_equal(seen.count, 1);
	assert_non_null(strstr(seen.err.text, "max-batch-bytes"));
	how.options.max_batch_bytes = 5000;
	seen = fx_read(dir, how);
	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.count, 3);
	stream_partition_close(a);
}

/* ---- beside writers ---- */

/* A writer holds the append lock with half a batch written, and goes on after
 * some time: the reader waits for it, but no longer than it was told to. */
static void
an_append_under_way_is_waited_for(void **state)
{
	static const struct {
		int writer_ms, timeout_ms;
		size_t count;
	} rows[] = {{40, 5000, 6}, {3000, 60, 3}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct fx_reading how = {
		    .options.lock_timeout_ms = rows[i].timeout_ms};
		struct stream_partition *a = fx_open(dir, NULL);
		struct stream_buf log;
		struct fx_seen seen;
		int ready[2], status;
		char byte;
		pid_t pid;
		off_t at;

		fx_append(a, 1, 3, 20, 'a');
		stream_partition_close(a);
		at = fx_size(dir, LOG_0);
		stream_buf_init(&log);
		fx_add_many(&log, 3, 1, 3, 20, 'b');
		assert_int_equal(pipe(ready), 0);
		pid = fork();
		if (pid == 0) {
			int fd = openat(dir->fd, STREAM_STATE_NAME, O_RDWR);

			stream_lock_take(
			    fd, STREAM_LOCK_EXCLUSIVE, 0, 1, 0, NULL);
			fx_put_at(dir, LOG_0, (uint64_t)at, log.data, 70);
			if (write(ready[1], "x", 1) == 1)
				usleep((useconds_t)rows[i].writer_ms * 1000);
			fx_put_at(dir, LOG_0, (uint64_t)at, log.data, log.size);
			_exit(0);
		}
		assert_int_equal(read(ready[0], &byte, 1), 1);
		seen = fx_read(dir, how);
		expect(seen.status, STREAM_END, seen.err);
		assert_int_equal(seen.count, rows[i].count);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		close(ready[0]);
		close(ready[1]);
		stream_buf_release(&log);
		fx_drop(dir);
	}
	(void)state;
}

/* ---- times behind damage ---- */

/* Nobody can tell what stood where a closed segment is damaged, also when a
 * header is left that says so: a time that may lie there is looked for there,
 * and the damage is told. */
static void
a_time_is_not_looked_for_behind_damage(void **state)
{
	const struct temp_dir *dir = *state;
	size_t ends[3];
	struct stream_buf log = put_log(dir, 3, ends);
	struct stream_buf next;

	fx_no_writer(dir);
	stream_buf_init(&next);
	fx_add_many(&next, 9, 3, 3, 20, 'b');
	fx_put(dir, "00000000000000000009.log", next.data, next.size);
	for (int way = 0; way < 3; way++) {
		uint8_t *bad = log.data + ends[0] + (way == 0 ? 70 : 8);

		*bad ^= 0x41;
		fx_put(dir, LOG_0, log.data, way == 2 ? ends[1] - 3 : log.size);
		*bad ^= 0x41;
		for (int64_t time = 0; time < 20; time++) {
			struct fx_seen seen = fx_read(
			    dir, (struct fx_reading){
				     .options.range.from = {
					 STREAM_POINT_TIME, T0 + time}});
			int64_t first = time < 3 ? time : -1;

			if (seen.first != first)
				fail_msg("way %d, time %lld: %lld %s", way,
				    (long long)time, (long long)seen.first,
				    seen.err.text);
			if (first < 3 && time < 18)
				expect(seen.status, STREAM_ECORRUPT, seen.err);
		}
	}
	stream_buf_release(&log);
	stream_buf_release(&next);
}

/* An offset that the log would hold if it were sound is not "not there". */
static void
an_offset_behind_damage_is_damage(void **state)
{
	const struct temp_dir *dir = *state;
	size_t ends[3];
	struct stream_buf log = put_log(dir, 3, ends);

	fx_no_writer(dir);
	for (size_t i = 0; i < STREAM_BATCH_HEADER; i++) {
		struct fx_reading how = {
		    .options.range.from = {STREAM_POINT_OFFSET, 8}};
		struct fx_seen seen;

		if (i >= 12 && i < 16) /* the epoch */
			continue;
		for (int bit = 0; bit < 8; bit++) {
			log.data[ends[1] + i] ^= (uint8_t)(1 << bit);
			fx_put(dir, LOG_0, log.data, log.size);
			log.data[ends[1] + i] ^= (uint8_t)(1 << bit);
			seen = fx_read(dir, how);
			if (seen.status != STREAM_ECORRUPT &&
			    seen.status != STREAM_ENEWER)
				fail_msg("byte %zu bit %d: %d %s", i, bit,
				    seen.status, seen.err.text);
		}
	}
	stream_buf_release(&log);
}

static void
golden_ends_are_read_as_their_readme_says(void **state)
{
	static const struct {
		const char *name;
		size_t count;
		int status;
		int notes;
	} rows[] = {{"plain", 10000, STREAM_END, 0},
	    {"torn-tail", 1498, STREAM_END, 1},
	    {"bad-crc", 1673, STREAM_ECORRUPT, 0},
	    {"crash-swap", 26, STREAM_END, 0}, {"empty", 0, STREAM_END, 0},
	    {"unclean", 2500, STREAM_END, 0}, {"compacted", 26, STREAM_END, 0},
	    {"big", 7, STREAM_END, 0}, {"edge", 322, STREAM_END, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct fx_notes notes;
		struct fx_seen seen;

		if (!fx_golden(rows[i].name, dir)) {
			fx_drop(dir);
			skip();
		}
		seen = read_noted(
		    dir, (struct fx_reading){.foreign = true}, &notes);
		if (seen.status != rows[i].status ||
		    seen.count != rows[i].count || notes.count != rows[i].notes)
			fail_msg("%s: %d, %zu records, %d notes: %s",
			    rows[i].name, seen.status, seen.count, notes.count,
			    seen.err.text);
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
	    TEST(every_cut_gives_the_whole_batches_and_says_so),
	    TEST(every_flipped_byte_is_told_or_changes_nothing),
	    TEST(ends_are_told_apart),
	    TEST(damage_names_its_place),
	    TEST(a_flipped_magic_before_good_batches_is_damage),
	    TEST(a_closed_or_durable_end_is_never_torn),
	    TEST(a_log_shorter_than_what_was_durable_is_damage),
	    TEST(holes_in_a_dense_log_are_told_before_they_are_passed),
	    TEST(batches_over_the_callers_limit_are_refused),
	    TEST(an_append_under_way_is_waited_for),
	    TEST(a_time_is_not_looked_for_behind_damage),
	    TEST(an_offset_behind_damage_is_damage),
	    TEST(golden_ends_are_read_as_their_readme_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
