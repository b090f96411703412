/* The oldest segments are taken away. */
#include "names.h"

#include "file/checkpoint.h"
#include "log/repair.h"
#include "log/retire.h"
#include "log/verify.h"

/* Segments 0, 10, 20, 30 and the active one, 40, of ten records each. */
static void
put_segments(const struct temp_dir *dir)
{
	struct stream_partition *partition = fx_open(dir, NULL);

	for (int i = 0; i < 5; i++) {
		struct stream_error err = {.text = ""};
		bool rolled;

		fx_append(partition, 5, 2, 20, 'a');
		if (i < 4)
			expect(stream_partition_roll_used(
				   partition, -1, &rolled, &err),
			    STREAM_OK, err);
	}
	fx_sync(partition);
	stream_partition_close(partition);
}

/* With a snapshot at each base, and one that Kafka left. */
static void
put_log(const struct temp_dir *dir)
{
	static const int offsets[] = {0, 10, 15, 20, 30, 40};

	put_segments(dir);
	for (size_t i = 0; i < COUNT(offsets); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%020d.snapshot", offsets[i]);
		fx_put(dir, name, "snapshot", 8);
	}
}

static struct stream_partition *
open_structure(const struct temp_dir *dir)
{
	struct stream_log_config config = fx_config();
	struct stream_partition *partition = NULL;
	struct stream_error err = {.text = ""};

	config.lock_timeout_ms = 0;
	expect(
	    stream_partition_open_structure(dir->fd, &config, &partition, &err),
	    STREAM_OK, err);
	return partition;
}

static size_t
retire(const struct temp_dir *dir, int64_t below, bool careful)
{
	struct stream_partition *partition = open_structure(dir);
	struct stream_error err = {.text = ""};
	uint64_t bytes = 0;
	size_t segments = 0;

	expect(stream_partition_retire(
		   partition, below, careful, &segments, &bytes, &err),
	    STREAM_OK, err);
	assert_int_equal(bytes > 0, segments > 0);
	stream_partition_close(partition);
	return segments;
}

/* ---- which ----------------------------------------------------------------
 */

/* The base offsets of logs, and those of snapshots. */
static void
expect_left(const struct temp_dir *dir, const char *logs, const char *snapshots)
{
	char list[4000], got[2][200] = {"", ""};
	char *more;

	names_list(dir, list);
	for (char *one = strtok_r(list, " ", &more); one != NULL;
	     one = strtok_r(NULL, " ", &more)) {
		struct stream_name name;
		char *to;

		assert_true(stream_name_parse(one, &name));
		assert_int_equal(name.state, STREAM_NAME_PLAIN);
		if (name.kind != STREAM_NAME_LOG &&
		    name.kind != STREAM_NAME_SNAPSHOT)
			continue;
		to = got[name.kind == STREAM_NAME_SNAPSHOT];
		sprintf(to + strlen(to), "%s%lld", *to != '\0' ? " " : "",
		    (long long)name.base_offset);
	}
	assert_string_equal(got[0], logs);
	assert_string_equal(got[1], snapshots);
}

static void
closed_segments_wholly_below_go(void **state)
{
	static const struct {
		int64_t below;
		size_t count;
		const char *logs, *snapshots, *epochs;
	} rows[] = {
	    {0, 0, "0 10 20 30 40", "0 10 15 20 30 40", "0\n1\n0 0\n"},
	    {9, 0, "0 10 20 30 40", "0 10 15 20 30 40", "0\n1\n0 9\n"},
	    {10, 1, "10 20 30 40", "10 15 20 30 40", "0\n1\n0 10\n"},
	    {29, 2, "20 30 40", "20 30 40", "0\n1\n0 29\n"},
	    {40, 4, "40", "40", "0\n1\n0 40\n"},
	    {45, 4, "40", "40", "0\n1\n0 45\n"},
	    {50, 4, "40", "40", "0\n1\n0 50\n"},
	    {1000, 4, "40", "40", "0\n1\n0 50\n"},
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		size_t row = i / 2;
		struct fx_seen seen;

		put_log(dir);
		assert_int_equal(
		    retire(dir, rows[row].below, i % 2), rows[row].count);
		expect_left(dir, rows[row].logs, rows[row].snapshots);
		temp_dir_expect(dir, STREAM_EPOCHS_FILE, rows[row].epochs);
		seen = fx_read_all(dir);
		expect(seen.status, STREAM_END, seen.err);
		assert_int_equal(seen.first, rows[row].count * 10);
		assert_int_equal(seen.count, 50 - rows[row].count * 10);
		assert_int_equal(retire(dir, rows[row].below, i % 2), 0);
		fx_drop(dir);
	}
}

static void
bytes_are_those_of_logs(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition;
	struct stream_error err = {.text = ""};
	off_t size;
	size_t segments;
	uint64_t bytes;

	put_log(dir);
	assert_true(fx_size(dir, TIMEINDEX_0) > 0);
	size = fx_size(dir, LOG_0);
	partition = open_structure(dir);
	expect(stream_partition_retire(
		   partition, 15, false, &segments, &bytes, &err),
	    STREAM_OK, err);
	assert_int_equal(segments, 1);
	assert_int_equal(bytes, size);
	stream_partition_close(partition);
}

/* As Kafka's truncateFromStart. */
static void
leader_epochs_are_cut_at_the_front(void **state)
{
	static const struct {
		const char *before;
		int64_t below;
		const char *after;
	} rows[] = {
	    {"0\n2\n3 0\n5 30\n", 30, "0\n1\n5 30\n"},
	    {"0\n3\n3 0\n5 12\n6 28\n", 20, "0\n2\n5 20\n6 28\n"},
	    {"0\n2\n3 25\n5 30\n", 20, "0\n2\n3 25\n5 30\n"},
	    {"0\n1\n3 20\n", 20, "0\n1\n3 20\n"},
	    {"0\n0\n", 20, "0\n0\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *partition;
		size_t segments;
		uint64_t bytes;

		put_log(dir);
		partition = open_structure(dir);
		temp_dir_put(dir, STREAM_EPOCHS_FILE, rows[i].before);
		assert_int_equal(
		    stream_partition_retire(partition, rows[i].below, false,
			&segments, &bytes, NULL),
		    STREAM_OK);
		stream_partition_close(partition);
		temp_dir_expect(dir, STREAM_EPOCHS_FILE, rows[i].after);
		fx_drop(dir);
	}
}

/* Whoever needs it makes it anew. */
static void
leader_epochs_that_are_no_use_stay(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition;
	size_t segments;
	uint64_t bytes;

	put_log(dir);
	partition = open_structure(dir);
	temp_dir_put(dir, STREAM_EPOCHS_FILE, "noise\n");
	assert_int_equal(stream_partition_retire(
			     partition, 10, false, &segments, &bytes, NULL),
	    STREAM_OK);
	temp_dir_expect(dir, STREAM_EPOCHS_FILE, "noise\n");
	fx_remove(dir, STREAM_EPOCHS_FILE);
	assert_int_equal(stream_partition_retire(
			     partition, 20, false, &segments, &bytes, NULL),
	    STREAM_OK);
	assert_int_equal(segments, 1);
	assert_false(temp_dir_has(dir, STREAM_EPOCHS_FILE));
	stream_partition_close(partition);
}

/* Also when the log start is within a batch, as it is at 45. */
static void
what_is_left_is_sound(void **state)
{
	static const int64_t starts[] = {9, 10, 29, 44, 45, 46, 50};

	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_verify_source source = {
		    .log_start_offset = starts[i],
		    .is_ours = true,
		    .dense = true,
		};
		struct stream_repair_source broken = {
		    .config = fx_config(), .is_ours = true, .cap = 1 << 20};
		struct stream_verify_options options = {.lock_timeout_ms = 500};
		struct stream_verify_summary sum = {0};
		struct stream_error err = {.text = ""};
		struct stream_repair *steps;

		put_segments(dir);
		retire(dir, starts[i], false);
		source.dirfd = dir->fd;
		expect(
		    stream_verify_source_check(&source, &options, &sum, &err),
		    STREAM_OK, err);
		assert_int_equal(sum.damage + sum.notes, 0);
		broken.dirfd = dir->fd;
		broken.config.log_start_offset = starts[i];
		assert_int_equal(stream_repair_new(&steps, NULL), STREAM_OK);
		expect(stream_log_repair_plan(&broken, steps, &err), STREAM_OK,
		    err);
		assert_int_equal(stream_repair_count(steps), 0);
		stream_repair_free(steps);
		fx_drop(dir);
	}
}

/* ---- every state in between ---------------------------------------------- */

/* What is there is the end of the log: from the first base offset that is left,
 * or, with the log start known, from there.  Our next run leaves it so. */
static void
is_the_end_of_the_log(const struct temp_dir *dir, void *context)
{
	const int64_t *log_start = context;
	struct fx_reading how = {.log_start = *log_start};

	for (int i = 0; i < 2; i++) {
		struct fx_seen seen = fx_read(dir, how);
		char list[4000];

		expect(seen.status, STREAM_END, seen.err);
		assert_int_equal(seen.last, 49);
		assert_int_equal(seen.count, 50 - seen.first);
		assert_true(seen.first <= 20);
		if (*log_start > 0)
			assert_int_equal(seen.first, *log_start);
		stream_partition_close(open_structure(dir));
		names_list(dir, list);
		assert_null(strstr(list, ".deleted"));
	}
}

static void
record(const struct temp_dir *dir, bool careful, struct names_trace *trace)
{
	struct temp_dir *copy = names_copy(dir);
	struct stream_partition *partition = open_structure(copy);
	size_t segments;
	uint64_t bytes;

	names_record = trace;
	assert_int_equal(stream_partition_retire(
			     partition, 20, careful, &segments, &bytes, NULL),
	    STREAM_OK);
	names_record = NULL;
	stream_partition_close(partition);
	fx_drop(copy);
}

/* With the log start durable, and, in its place, a sync after each segment. */
static void
every_moment_is_the_end_of_the_log(void **state)
{
	(void)state;
	for (int careful = 0; careful < 2; careful++) {
		struct temp_dir *dir = fx_dir();
		struct names_trace trace = {.count = 0};
		int64_t log_start = careful ? 0 : 20;
		int64_t none = 0;

		put_log(dir);
		record(dir, careful, &trace);
		assert_true(trace.count > 8);
		names_each_moment(dir, &trace, is_the_end_of_the_log, &none);
		names_each_loss(dir, &trace, is_the_end_of_the_log, &log_start);
		fx_drop(dir);
	}
}

static void
readers_beside_it_go_on_or_are_told(void **state)
{
	const struct temp_dir *dir = *state;
	struct fx_reading how = {.gaps = false};
	struct stream_reader *readers[2];
	struct fx_seen seen[2] = {{.first = -1}, {.first = -1}};
	const struct stream_record *records;
	size_t count;

	put_log(dir);
	for (int i = 0; i < 2; i++) {
		how.options.flags = i == 1 ? STREAM_READER_CLAMP : 0;
		readers[i] = fx_reader(dir, how);
		assert_int_equal(
		    stream_reader_read(readers[i], &records, &count, NULL),
		    STREAM_OK);
		assert_int_equal(records[0].offset, 0);
	}
	assert_int_equal(retire(dir, 30, false), 3);
	for (int i = 0; i < 2; i++) {
		fx_drain(readers[i], &seen[i]);
		stream_reader_close(readers[i]);
	}
	/* The file that was open is read to its end. */
	expect(seen[0].status, STREAM_EOFFSET, seen[0].err);
	assert_int_equal(seen[0].last, 9);
	assert_non_null(strstr(seen[0].err.text, "10 to 29 were removed"));
	expect(seen[1].status, STREAM_END, seen[1].err);
	assert_int_equal(seen[1].last, 49);
}

/* ---- failures -------------------------------------------------------------
 */

/* What has gone is counted; the rest is the end of the log; and again. */
static void
each_change_may_fail(int error, int times)
{
	for (int at = 0;; at++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *partition;
		struct stream_error err = {.text = ""};
		int64_t none = 0;
		size_t segments = 99;
		uint64_t bytes;
		int status;

		put_log(dir);
		partition = open_structure(dir);
		names_fail_at = at;
		names_fail_times = times;
		names_fail_error = error;
		status = stream_partition_retire(
		    partition, 20, true, &segments, &bytes, &err);
		stream_partition_close(partition);
		if (names_fail_at > 0) {
			names_fail_at = -1;
			fx_drop(dir);
			assert_true(at > 12);
			return;
		}
		names_fail_at = -1;
		if (status != STREAM_OK) {
			expect(status, STREAM_EIO, err);
			assert_int_equal(err.sys, error);
		}
		assert_in_range(segments, 0, 2);
		is_the_end_of_the_log(dir, &none);
		assert_int_equal(retire(dir, 20, true), 2 - segments);
		assert_int_equal(retire(dir, 30, true), 1);
		fx_drop(dir);
	}
}

static void
failures_are_settled_by_the_next_run(void **state)
{
	(void)state;
	each_change_may_fail(EIO, 1);
	each_change_may_fail(EIO, 3);
	each_change_may_fail(ENOSPC, 1);
}

/* No longer name, no new file: there is room for nothing. */
static bool disk_is_full;

int
openat(int dirfd, const char *name, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = va_arg(more, mode_t);
	va_end(more);
	if (disk_is_full && (flags & O_CREAT) != 0 &&
	    faccessat(dirfd, name, F_OK, 0) != 0) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_openat, dirfd, name, flags, mode);
}

static void
a_full_disk_is_no_hindrance(void **state)
{
	static const int errors[] = {ENOSPC, EDQUOT};

	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *partition;
		struct stream_error err = {.text = ""};
		struct names_trace trace = {.count = 0};
		size_t segments;
		uint64_t bytes;

		put_log(dir);
		partition = open_structure(dir);
		disk_is_full = true;
		names_rename_error = errors[i];
		names_record = &trace;
		expect(stream_partition_retire(
			   partition, 20, true, &segments, &bytes, &err),
		    STREAM_OK, err);
		names_record = NULL;
		names_rename_error = 0;
		disk_is_full = false;
		assert_int_equal(segments, 2);
		expect_left(dir, "20 30 40", "20 30 40");
		temp_dir_expect(dir, STREAM_EPOCHS_FILE, "0\n1\n0 0\n");
		stream_partition_close(partition);
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
	    TEST(closed_segments_wholly_below_go),
	    TEST(bytes_are_those_of_logs),
	    TEST(leader_epochs_are_cut_at_the_front),
	    TEST(leader_epochs_that_are_no_use_stay),
	    TEST(what_is_left_is_sound),
	    TEST(every_moment_is_the_end_of_the_log),
	    TEST(readers_beside_it_go_on_or_are_told),
	    TEST(failures_are_settled_by_the_next_run),
	    TEST(a_full_disk_is_no_hindrance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
