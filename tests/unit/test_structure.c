/* A partition that is opened to change its segments. */
#include "names.h"

#include <fcntl.h>

#include "file/lock.h"
#include "file/state.h"
#include "log/structure.h"
#include "log/view.h"

#define INDEX_10 "00000000000000000010.index"

static struct stream_log_config
sparse(int lock_timeout_ms)
{
	struct stream_log_config config = fx_config();

	config.dense = false;
	config.lock_timeout_ms = lock_timeout_ms;
	return config;
}

static int
try_structure(const struct temp_dir *dir, int lock_timeout_ms,
    struct stream_partition **partition, struct stream_error *err)
{
	struct stream_log_config config = sparse(lock_timeout_ms);

	err->text[0] = '\0';
	return stream_partition_open_structure(
	    dir->fd, &config, partition, err);
}

static struct stream_partition *
open_structure(const struct temp_dir *dir)
{
	struct stream_partition *partition = NULL;
	struct stream_error err;

	expect(try_structure(dir, 2000, &partition, &err), STREAM_OK, err);
	return partition;
}

static void
one_at_a_time_and_writers_go_on(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *writer = fx_open(dir, NULL);
	struct stream_partition *holder = open_structure(dir);
	struct stream_partition *second = NULL;
	struct stream_error err;

	expect(try_structure(dir, 0, &second, &err), STREAM_EBUSY, err);
	expect(try_structure(dir, 30, &second, &err), STREAM_EBUSY, err);
	assert_null(second);
	fx_append(writer, 5, 1, 10, 'a');
	fx_sync(writer);
	fx_append(holder, 5, 1, 10, 'a');
	fx_expect_dense(dir, 10);
	stream_partition_close(holder);
	second = open_structure(dir);
	stream_partition_close(second);
	stream_partition_close(writer);
}

static void
what_it_was_opened_with_must_stay(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *holder = open_structure(dir);
	struct stream_error err = {.text = ""};
	bool rolled;

	/* Someone else's lock is on the file that takes its name. */
	fx_remove(dir, STREAM_STATE_NAME);
	expect(stream_partition_roll_used(holder, -1, &rolled, &err),
	    STREAM_EBUSY, err);
	expect(
	    stream_partition_check_structure(holder, &err), STREAM_EBUSY, err);
	/* Moved away it keeps a name, and is not what others lock. */
	fx_put(dir, STREAM_STATE_NAME, "", 0);
	expect(
	    stream_partition_check_structure(holder, &err), STREAM_EBUSY, err);
	stream_partition_close(holder);
}

static void
a_deleted_topic_is_not_opened(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = NULL;
	struct stream_error err;

	stream_partition_close(fx_open(dir, NULL));
	fx_mark(dir, STREAM_MARK_DELETED);
	expect(try_structure(dir, 0, &partition, &err), STREAM_ENOENT, err);
}

static void
a_torn_end_is_cut_first(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);

	fx_append(partition, 3, 2, 20, 'a');
	stream_partition_close(partition);
	fx_put_at(dir, LOG_0, (uint64_t)fx_size(dir, LOG_0), "\0\0\0\0", 4);
	partition = open_structure(dir);
	assert_int_equal(stream_partition_next_offset(partition), 6);
	stream_partition_close(partition);
	fx_expect_dense(dir, 6);
}

/* ---- leftovers ---------------------------------------------------------- */

/* "10.log.swap=20": the file of that name, with a batch of one record for each
 * offset from its base to before 20; without "=", one of "x". */
static void
put_listed(const struct temp_dir *dir, const char *list)
{
	char copy[1000], *more;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *one = strtok_r(copy, " ", &more); one != NULL;
	     one = strtok_r(NULL, " ", &more)) {
		char *end = strchr(one, '=');
		char name[64], *rest;
		long long base = strtoll(one, &rest, 10);
		struct stream_buf log;

		if (end != NULL)
			*end++ = '\0';
		snprintf(name, sizeof(name), "%020lld%s", base, rest);
		stream_buf_init(&log);
		if (end != NULL && atoll(end) > base)
			fx_add_many(&log, base, (int)(atoll(end) - base), 1, 3,
			    strstr(rest, "swap") != NULL ? 's' : 'a');
		if (end != NULL)
			fx_put(dir, name, log.data, log.size);
		else
			temp_dir_put(dir, name, "x");
		stream_buf_release(&log);
	}
}

/* The names as put_listed takes them, without contents. */
static void
expect_listed(const struct temp_dir *dir, const char *what, const char *want)
{
	char list[4000], shorter[4000] = "";
	char *more;

	names_list(dir, list);
	for (char *one = strtok_r(list, " ", &more); one != NULL;
	     one = strtok_r(NULL, " ", &more)) {
		char *rest;
		long long base = strtoll(one, &rest, 10);

		sprintf(shorter + strlen(shorter), "%s%lld%s",
		    shorter[0] != '\0' ? " " : "", base, rest);
	}
	if (strcmp(shorter, want) != 0)
		fail_msg("%s: %s", what, shorter);
}

static const struct {
	const char *what, *files, *want, *letters;
} leftovers[] = {
    {"nothing", "0.log=10 0.index 10.log=20",
	"0.index 0.log 10.index 10.log 10.timeindex", "a"},
    {"deleted files go",
	"0.log.deleted=5 0.index.deleted 4.snapshot.deleted "
	"10.log=20",
	"10.index 10.log 10.timeindex", "a"},
    {"what was cleaned and not swapped is undone",
	"0.log=10 0.log.cleaned=8 0.index.cleaned 10.log=20",
	"0.log 10.index 10.log 10.timeindex", "a"},
    {"half of it swapped too",
	"0.log=10 0.index 0.log.swap=8 0.index.cleaned 10.log=20",
	"0.index 0.log 10.index 10.log 10.timeindex", "a"},
    {"all swapped is finished",
	"0.log=10 0.index 10.log=20 10.index 10.timeindex 10.snapshot "
	"0.log.swap=18 0.timeindex.swap 20.log=22",
	"0.log 0.timeindex 20.index 20.log 20.timeindex", "sa"},
    {"of several swaps each log in its turn",
	"0.log=10 10.log=20 20.log=30 0.log.swap=8 10.log.swap=18 "
	"20.log.swap=28 30.log=32",
	"0.log 10.log 20.log 30.index 30.log 30.timeindex", "sa"},
    {"with some old files gone",
	"0.log=10 10.log.deleted=20 10.index.deleted 0.log.swap=18 "
	"0.index.swap 20.log=22",
	"0.index 0.log 20.index 20.log 20.timeindex", "sa"},
    {"a log in place and its index not",
	"0.log=18 0.index.swap 0.index 20.log=22",
	"0.index 0.log 20.index 20.log 20.timeindex", "a"},
    {"an empty result", "0.log=10 0.log.swap=0 0.index.swap=0 10.log=20",
	"0.index 0.log 10.index 10.log 10.timeindex", "a"},
    {"indexes without a log go", "0.index 0.timeindex 5.txnindex 10.log=20",
	"10.index 10.log 10.timeindex", "a"},
};

static void
leftovers_are_finished_or_undone(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(leftovers); i++) {
		struct temp_dir *dir = fx_dir();
		struct fx_seen before, after;
		struct fx_reading how = {.foreign = true};

		put_listed(dir, leftovers[i].files);
		before = fx_read(dir, how);
		stream_partition_close(open_structure(dir));
		expect_listed(dir, leftovers[i].what, leftovers[i].want);
		after = fx_read(dir, how);
		expect(after.status, STREAM_END, after.err);
		assert_int_equal(before.sum, after.sum);
		assert_string_equal(after.letters, leftovers[i].letters);
		fx_drop(dir);
	}
}

/* Reading it, at this moment and after it was settled. */
struct moments {
	uint32_t sum;
};

static void
settles_to_the_same(const struct temp_dir *dir, void *context)
{
	const struct moments *want = context;
	struct fx_seen seen = fx_read(dir, (struct fx_reading){.foreign = 1});

	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.sum, want->sum);
	stream_partition_close(open_structure(dir));
	seen = fx_read(dir, (struct fx_reading){.foreign = true});
	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.sum, want->sum);
}

/* A kill or a loss of power while leftovers are settled. */
static void
settling_can_be_cut_off_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(leftovers); i++) {
		struct temp_dir *dir = fx_dir();
		struct temp_dir *copy;
		struct names_trace trace = {.count = 0};
		struct moments want;

		put_listed(dir, leftovers[i].files);
		want.sum =
		    fx_read(dir, (struct fx_reading){.foreign = true}).sum;
		copy = names_copy(dir);
		names_record = &trace;
		stream_partition_close(open_structure(copy));
		names_record = NULL;
		names_each_moment(dir, &trace, settles_to_the_same, &want);
		names_each_loss(dir, &trace, settles_to_the_same, &want);
		fx_drop(copy);
		fx_drop(dir);
	}
}

/* A writer that made an index anew would write to one that is replaced. */
static void
indexes_of_the_newest_are_settled_before_it_is_opened(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition;
	off_t size;

	put_listed(dir, "0.log=10 10.log=20");
	partition = open_structure(dir);
	fx_append(partition, 5, 1, 2000, 'a');
	stream_partition_close(partition);
	assert_int_equal(
	    renameat(dir->fd, INDEX_10, dir->fd, INDEX_10 ".swap"), 0);
	partition = open_structure(dir);
	size = fx_size(dir, INDEX_10);
	assert_true(size > 0);
	fx_append(partition, 5, 1, 4000, 'a');
	stream_partition_close(partition);
	assert_true(fx_size(dir, INDEX_10) > size);
}

static void
what_was_done_is_told(void **state)
{
	static const struct {
		const char *files, *want;
	} rows[] = {
	    {"0.log=10 10.log=20", NULL},
	    {"0.log.deleted=10 10.log=20", NULL},
	    {"0.log=10 0.log.cleaned=9 10.log=20",
		"00000000000000000000.log.cleaned: of a compaction that did "
		"not get to its end, removed"},
	    {"0.log=10 0.log.swap=9 10.log=20",
		"00000000000000000000.log.swap: compacted, takes its plain "
		"name"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_log_config config = sparse(0);
		struct fx_notes notes = {.last = ""};
		struct stream_partition *partition;

		put_listed(dir, rows[i].files);
		config.note = fx_note;
		config.note_context = &notes;
		assert_int_equal(stream_partition_open_structure(
				     dir->fd, &config, &partition, NULL),
		    STREAM_OK);
		stream_partition_close(partition);
		assert_string_equal(
		    notes.last, rows[i].want != NULL ? rows[i].want : "");
		fx_drop(dir);
	}
}

static void
a_damaged_swap_does_not_replace_good_logs(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = NULL;
	struct stream_error err;

	put_listed(dir, "0.log=10 0.index 10.log=20 20.log=22 0.log.swap=18");
	fx_put_at(dir, "00000000000000000000.log.swap", 100, "damage", 6);
	expect(try_structure(dir, 0, &partition, &err), STREAM_ECORRUPT, err);
	if (strstr(err.text, "00000000000000000000.log.swap: damaged") ==
		NULL ||
	    strstr(err.text, "strm repair") == NULL)
		fail_msg("%s", err.text);
	expect_listed(dir, "all stays",
	    "0.index 0.log 0.log.swap 10.log 20.index 20.log 20.timeindex");
	/* With nothing else to go by, it is taken as it is. */
	fx_remove(dir, LOG_0);
	fx_remove(dir, "00000000000000000010.log");
	partition = open_structure(dir);
	stream_partition_close(partition);
	expect_listed(dir, "no other", "0.log 20.index 20.log 20.timeindex");
}

/* A temporary file may be another writer's, who is just at it. */
static void
temporary_files_go_but_a_writers(void **state)
{
	const struct temp_dir *dir = *state;
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	struct stream_error err = {.text = ""};
	int fd;

	put_listed(dir, "0.log=10");
	temp_dir_put(dir, ".tmp-0123456789abcdef", "new");
	temp_dir_put(dir, ".tmp-fedcba9876543210", "old");
	temp_dir_put(dir, ".tmp-not-ours", "old");
	utimensat(dir->fd, ".tmp-fedcba9876543210", old, 0);
	utimensat(dir->fd, ".tmp-not-ours", old, 0);
	stream_partition_close(open_structure(dir));
	assert_false(temp_dir_has(dir, ".tmp-fedcba9876543210"));
	assert_false(temp_dir_has(dir, ".tmp-0123456789abcdef"));
	assert_true(temp_dir_has(dir, ".tmp-not-ours"));
	/* Another holds one of the other locks. */
	fd = openat(dir->fd, STREAM_STATE_NAME, O_RDWR);
	expect(stream_lock_take(
		   fd, STREAM_LOCK_EXCLUSIVE, STREAM_LOCK_SYNC, 1, 0, &err),
	    STREAM_OK, err);
	temp_dir_put(dir, ".tmp-0123456789abcdef", "new");
	temp_dir_put(dir, ".tmp-fedcba9876543210", "old");
	utimensat(dir->fd, ".tmp-fedcba9876543210", old, 0);
	stream_partition_close(open_structure(dir));
	assert_true(temp_dir_has(dir, ".tmp-0123456789abcdef"));
	assert_false(temp_dir_has(dir, ".tmp-fedcba9876543210"));
	close(fd);
}

static void
a_failure_is_told_and_the_next_run_goes_on(void **state)
{
	const char *files = "0.log=10 0.index 10.log=20 10.index "
			    "0.log.swap=18 0.index.swap 20.log=22";
	struct fx_reading how = {.foreign = true};

	(void)state;
	for (int at = 0;; at++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *partition = NULL;
		struct stream_error err;
		uint32_t sum;
		int status;

		put_listed(dir, files);
		stream_partition_close(fx_open(
		    dir, &(struct stream_log_config){.segment_bytes = 1 << 20,
			     .lock_timeout_ms = 2000}));
		sum = fx_read(dir, how).sum;
		names_fail_at = at;
		names_fail_times = 1;
		names_fail_error = EIO;
		status = try_structure(dir, 0, &partition, &err);
		if (names_fail_at >= 0 || status == STREAM_OK) {
			assert_int_equal(status, STREAM_OK);
			stream_partition_close(partition);
			names_fail_at = -1;
			fx_drop(dir);
			assert_true(at > 4);
			return;
		}
		expect(status, STREAM_EIO, err);
		assert_int_equal(fx_read(dir, how).sum, sum);
		stream_partition_close(open_structure(dir));
		assert_int_equal(fx_read(dir, how).sum, sum);
		expect_listed(dir, "at last",
		    "0.index 0.log 20.index 20.log 20.timeindex");
		fx_drop(dir);
	}
}

/* ---- rolling ------------------------------------------------------------ */

static void
only_a_used_segment_is_rolled(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);
	struct stream_partition *other = fx_open(dir, NULL);
	struct stream_error err = {.text = ""};
	bool rolled = true;

	expect(stream_partition_roll_used(partition, -1, &rolled, &err),
	    STREAM_OK, err);
	assert_false(rolled);
	fx_append(other, 4, 2, 30, 'a');
	expect(stream_partition_roll_used(partition, -1, &rolled, &err),
	    STREAM_OK, err);
	assert_true(rolled);
	assert_int_equal(stream_partition_active_base(partition), 8);
	assert_int_equal(fx_size(dir, "00000000000000000008.log"), 0);
	assert_int_equal(fx_size(dir, TIMEINDEX_0), 12);
	expect(stream_partition_roll_used(partition, -1, &rolled, &err),
	    STREAM_OK, err);
	assert_false(rolled);
	fx_append(other, 1, 2, 30, 'a');
	fx_sync(other);
	/* Who looked at the one before has nothing to roll here. */
	expect(stream_partition_roll_used(other, 0, &rolled, &err), STREAM_OK,
	    err);
	assert_false(rolled);
	expect(stream_partition_roll_used(other, 8, &rolled, &err), STREAM_OK,
	    err);
	assert_true(rolled);
	fx_expect_dense(dir, 10);
	stream_partition_close(other);
	stream_partition_close(partition);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(one_at_a_time_and_writers_go_on),
	    TEST(what_it_was_opened_with_must_stay),
	    TEST(a_deleted_topic_is_not_opened),
	    TEST(a_torn_end_is_cut_first),
	    TEST(leftovers_are_finished_or_undone),
	    TEST(settling_can_be_cut_off_anywhere),
	    TEST(indexes_of_the_newest_are_settled_before_it_is_opened),
	    TEST(what_was_done_is_told),
	    TEST(a_damaged_swap_does_not_replace_good_logs),
	    TEST(temporary_files_go_but_a_writers),
	    TEST(a_failure_is_told_and_the_next_run_goes_on),
	    TEST(only_a_used_segment_is_rolled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
