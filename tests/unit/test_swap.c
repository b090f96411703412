/* A compaction's result takes the place of its sources, at one moment. */
#include <pthread.h>
#include <stdatomic.h>

#include "names.h"

#include "file/checkpoint.h"
#include "log/structure.h"
#include "log/swap.h"
#include "log/view.h"

#define TXNINDEX_0 "00000000000000000000.txnindex"

/* ---- a log of four segments, 0, 10, 20 and the active one, 30 -------------
 */

/* Each holds the letter of its log. */
static void
put_index_files(
    const struct temp_dir *dir, int64_t base, const char *suffix, char letter)
{
	static const char *const kinds[] = {"index", "timeindex"};

	for (size_t i = 0; i < COUNT(kinds); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%020lld.%s%s", (long long)base,
		    kinds[i], suffix);
		fx_put(dir, name, &letter, 1);
	}
}

static void
put_log(const struct temp_dir *dir, int64_t base, int n, char letter,
    const char *suffix)
{
	struct stream_buf log;
	char name[64];

	stream_buf_init(&log);
	if (n > 0)
		fx_add_many(&log, base, n, 1, 20, letter);
	snprintf(name, sizeof(name), "%020lld.log%s", (long long)base, suffix);
	fx_put(dir, name, log.data, log.size);
	stream_buf_release(&log);
	put_index_files(dir, base, suffix, letter);
}

/* Of the three closed segments count are compacted into one with so many
 * batches. */
static void
put_sources(const struct temp_dir *dir, int batches)
{
	for (int64_t base = 0; base < 40; base += 10) {
		char name[64];

		put_log(dir, base, 10, 'o', "");
		snprintf(
		    name, sizeof(name), "%020lld.snapshot", (long long)base);
		fx_put(dir, name, "snapshot", 8);
	}
	temp_dir_put(dir, TXNINDEX_0, "of the old log");
	put_log(dir, 0, batches, 'n', ".cleaned");
}

static const int64_t bases[] = {0, 10, 20};

/* With the log that is there, as its maker would. */
static int
commit(const struct temp_dir *dir, const int64_t *sources, size_t count,
    struct stream_error *err)
{
	int made = openat(dir->fd, LOG_0 ".cleaned", O_RDONLY);
	int status = stream_swap_commit(dir->fd, sources, count, made, err);

	if (made >= 0)
		close(made);
	return status;
}

static void
discard(const struct temp_dir *dir)
{
	int made = openat(dir->fd, LOG_0 ".cleaned", O_RDONLY);

	stream_swap_discard(dir->fd, 0, made);
	if (made >= 0)
		close(made);
}

static const struct {
	const char *what;
	size_t count; /* of sources */
	int batches;  /* in what they become */
} rows[] = {
    {"three into one", 3, 25},
    {"two into one", 2, 17},
    {"one alone", 1, 7},
    {"one that becomes empty", 1, 0},
};

static uint32_t
sum_of(const struct temp_dir *dir)
{
	struct fx_seen seen =
	    fx_read(dir, (struct fx_reading){.foreign = true});

	expect(seen.status, STREAM_END, seen.err);
	return seen.sum;
}

static void
open_and_close(const struct temp_dir *dir)
{
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	struct stream_error err = {.text = ""};

	config.dense = false;
	config.lock_timeout_ms = 0;
	expect(
	    stream_partition_open_structure(dir->fd, &config, &partition, &err),
	    STREAM_OK, err);
	stream_partition_close(partition);
}

static void
the_result_is_there_and_nothing_else(void **state)
{
	static const char *const lists[] = {
	    "00000000000000000000.index 00000000000000000000.log "
	    "00000000000000000000.snapshot 00000000000000000000.timeindex "
	    "00000000000000000030.index 00000000000000000030.log "
	    "00000000000000000030.snapshot 00000000000000000030.timeindex",
	    "00000000000000000000.index 00000000000000000000.log "
	    "00000000000000000000.snapshot 00000000000000000000.timeindex "
	    "00000000000000000020.index 00000000000000000020.log "
	    "00000000000000000020.snapshot 00000000000000000020.timeindex "
	    "00000000000000000030.index 00000000000000000030.log "
	    "00000000000000000030.snapshot 00000000000000000030.timeindex",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_error err = {.text = ""};
		struct stream_buf want, got;
		char list[4000];

		put_sources(dir, rows[i].batches);
		fx_get(dir, LOG_0 ".cleaned", &want);
		expect(commit(dir, bases, rows[i].count, &err), STREAM_OK, err);
		names_list(dir, list);
		assert_string_equal(list, lists[i]);
		fx_get(dir, LOG_0, &got);
		assert_int_equal(got.size, want.size);
		assert_memory_equal(got.data, want.data, want.size);
		stream_buf_release(&want);
		stream_buf_release(&got);
		fx_drop(dir);
	}
}

static void
without_a_result_nothing_changes(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_error err = {.text = ""};
	char before[4000], after[4000];

	put_sources(dir, 5);
	discard(dir);
	names_list(dir, before);
	assert_null(strstr(before, "cleaned"));
	expect(commit(dir, bases, 3, &err), STREAM_EBUSY, err);
	names_list(dir, after);
	assert_string_equal(before, after);
}

/* What was cleaned must not become a commit by throwing the rest away. */
static void
half_a_swap_is_not_discarded(void **state)
{
	const struct temp_dir *dir = *state;
	uint32_t before;

	put_sources(dir, 5);
	before = sum_of(dir);
	renameat(dir->fd, LOG_0 ".cleaned", dir->fd, LOG_0 ".swap");
	discard(dir);
	assert_int_equal(sum_of(dir), before);
}

/* ---- every state in between ---------------------------------------------- */

/* Kafka's loader (4.6), on a copy: what it would make of the directory. */
static int64_t
end_of_swaps(const struct temp_dir *dir, int64_t cleaned, int64_t *from)
{
	struct dirent **names;
	int n = scandir(dir->path, &names, NULL, alphasort);
	int64_t end = -1;

	for (int i = 0; i < n; i++) {
		struct stream_name name;
		int fd;

		if (stream_name_parse(names[i]->d_name, &name) &&
		    name.state == STREAM_NAME_SWAP &&
		    name.kind == STREAM_NAME_LOG &&
		    name.base_offset < cleaned) {
			if (name.base_offset < *from)
				*from = name.base_offset;
			if (name.base_offset > end)
				end = name.base_offset;
			fd = openat(dir->fd, names[i]->d_name, O_RDONLY);
			stream_view_raise_end(fd, &end, NULL);
			close(fd);
		}
		free(names[i]);
	}
	free(names);
	return end;
}

static void
kafka_loads(const struct temp_dir *dir)
{
	struct dirent **names;
	int64_t cleaned = INT64_MAX, from = INT64_MAX, end;
	int n = scandir(dir->path, &names, NULL, alphasort);
	struct stream_name name;

	for (int i = 0; i < n; i++)
		if (stream_name_parse(names[i]->d_name, &name) &&
		    name.state == STREAM_NAME_CLEANED &&
		    name.base_offset < cleaned)
			cleaned = name.base_offset;
	end = end_of_swaps(dir, cleaned, &from);
	for (int i = 0; i < n; i++) {
		if (stream_name_parse(names[i]->d_name, &name) &&
		    (name.state == STREAM_NAME_CLEANED ||
			name.state == STREAM_NAME_DELETED ||
			(name.state == STREAM_NAME_SWAP &&
			    name.base_offset >= cleaned) ||
			(name.state == STREAM_NAME_PLAIN &&
			    name.base_offset >= from &&
			    name.base_offset < end)))
			fx_remove(dir, names[i]->d_name);
	}
	for (int i = 0; i < n; i++) {
		char plain[STREAM_NAME_SIZE];

		if (stream_name_parse(names[i]->d_name, &name) &&
		    name.state == STREAM_NAME_SWAP &&
		    name.base_offset < cleaned) {
			stream_name_put_plain(
			    name.base_offset, name.kind, plain);
			assert_int_equal(
			    renameat(dir->fd, names[i]->d_name, dir->fd, plain),
			    0);
		}
		free(names[i]);
	}
	free(names);
}

struct contents {
	uint32_t old, new;
};

/* An index belongs to its log: of the new one it may be missing, which costs
 * time. */
static void
expect_indexes_of(const struct temp_dir *dir, char letter)
{
	static const char *const names[] = {INDEX_0, TIMEINDEX_0};

	for (size_t i = 0; i < COUNT(names); i++) {
		char *text;

		if (letter == 'n' && !temp_dir_has(dir, names[i]))
			continue;
		text = temp_dir_get(dir, names[i]);
		assert_int_equal(text[0], letter);
		free(text);
	}
	assert_int_equal(temp_dir_has(dir, TXNINDEX_0), letter == 'o');
}

/* Old or new; and the same for readers now, for our next run, and for Kafka. */
static void
is_old_or_new(const struct temp_dir *dir, void *context)
{
	const struct contents *contents = context;
	struct temp_dir *ours = names_copy(dir);
	struct temp_dir *theirs = names_copy(dir);
	uint32_t sum = sum_of(dir);
	char list[4000];

	assert_true(sum == contents->old || sum == contents->new);
	open_and_close(ours);
	assert_int_equal(sum_of(ours), sum);
	expect_indexes_of(ours, sum == contents->old ? 'o' : 'n');
	names_list(ours, list);
	assert_null(strstr(list, ".cleaned"));
	assert_null(strstr(list, ".swap"));
	assert_null(strstr(list, ".deleted"));
	kafka_loads(theirs);
	/* An empty swap covers nothing for Kafka, and its own name for us. */
	if (temp_dir_has(theirs, LOG_0))
		assert_int_equal(sum_of(theirs), sum);
	fx_drop(ours);
	fx_drop(theirs);
}

/* Commit on a copy, written down. */
static void
record(const struct temp_dir *dir, size_t row, struct names_trace *trace,
    struct contents *contents)
{
	struct temp_dir *copy = names_copy(dir);
	struct stream_error err = {.text = ""};

	contents->old = sum_of(dir);
	names_record = trace;
	expect(commit(copy, bases, rows[row].count, &err), STREAM_OK, err);
	names_record = NULL;
	contents->new = sum_of(copy);
	assert_int_not_equal(contents->old, contents->new);
	fx_drop(copy);
}

static void
every_moment_is_old_or_new(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct names_trace trace = {.count = 0};
		struct contents contents;

		put_sources(dir, rows[i].batches);
		record(dir, i, &trace, &contents);
		names_each_moment(dir, &trace, is_old_or_new, &contents);
		fx_drop(dir);
	}
}

static void
power_can_go_at_any_moment(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct names_trace trace = {.count = 0};
		struct contents contents;

		put_sources(dir, rows[i].batches);
		record(dir, i, &trace, &contents);
		names_each_loss(dir, &trace, is_old_or_new, &contents);
		fx_drop(dir);
	}
}

/* The old log's name is never free: a listing that is not of one moment would
 * miss it, and show a hole. */
static void
there_is_always_a_log_of_that_name(const struct temp_dir *dir, void *context)
{
	(void)context;
	assert_true(temp_dir_has(dir, LOG_0));
}

static void
the_first_name_is_never_free(void **state)
{
	const struct temp_dir *dir = *state;
	struct names_trace trace = {.count = 0};
	struct contents contents;

	put_sources(dir, rows[0].batches);
	record(dir, 0, &trace, &contents);
	names_each_moment(
	    dir, &trace, there_is_always_a_log_of_that_name, NULL);
}

/* Each change fails in turn; the next run settles it. */
static void
fails_at_each_change(int error)
{
	for (int at = 0;; at++) {
		struct temp_dir *dir = fx_dir();
		struct contents contents;
		struct names_trace trace = {.count = 0};
		struct stream_error err = {.text = ""};
		int status;

		put_sources(dir, rows[0].batches);
		record(dir, 0, &trace, &contents);
		names_fail_at = at;
		names_fail_times = 1;
		names_fail_error = error;
		status = commit(dir, bases, 3, &err);
		if (names_fail_at >= 0) {
			names_fail_at = -1;
			assert_int_equal(status, STREAM_OK);
			assert_true(at > 15);
			fx_drop(dir);
			return;
		}
		/* A name that is too long for the disk is only removed. */
		if (status != STREAM_OK)
			expect(status, STREAM_EIO, err);
		else
			assert_int_equal(error, ENOSPC);
		is_old_or_new(dir, &contents);
		open_and_close(dir);
		is_old_or_new(dir, &contents);
		fx_drop(dir);
	}
}

static void
failures_are_settled_by_the_next_run(void **state)
{
	(void)state;
	fails_at_each_change(EIO);
	fails_at_each_change(ENOSPC);
}

/* A failure before the commit leaves nothing behind. */
static void
what_cannot_be_committed_is_undone(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_error err = {.text = ""};
	char list[4000];

	put_sources(dir, 5);
	names_fail_at = 2;
	names_fail_times = 1;
	names_fail_error = ENOSPC;
	expect(commit(dir, bases, 3, &err), STREAM_EIO, err);
	assert_int_equal(err.sys, ENOSPC);
	names_list(dir, list);
	assert_null(strstr(list, ".cleaned"));
	assert_null(strstr(list, ".swap"));
}

/* After the state file was replaced another run may have taken the directory:
 * it removes what was cleaned, and may clean anew. */
static void
what_another_run_takes_is_missed(void **state)
{
	static const char *const files[] = {
	    "00000000000000000000.index.cleaned",
	    "00000000000000000000.timeindex.cleaned"};

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_error err = {.text = ""};
		char before[4000], after[4000];

		put_sources(dir, 5);
		discard(dir);
		names_list(dir, before);
		put_log(dir, 0, 5, 'n', ".cleaned");
		fx_remove(dir, files[i]);
		expect(commit(dir, bases, 3, &err), STREAM_EBUSY, err);
		names_list(dir, after);
		assert_string_equal(before, after);
		fx_drop(dir);
	}
}

static void
what_another_run_made_is_left_alone(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_error err = {.text = ""};
	char before[4000], after[4000];
	int made;

	put_sources(dir, 5);
	made = openat(dir->fd, LOG_0 ".cleaned", O_RDONLY);
	fx_remove(dir, LOG_0 ".cleaned");
	put_log(dir, 0, 5, 'x', ".cleaned");
	names_list(dir, before);
	expect(stream_swap_commit(dir->fd, bases, 3, made, &err), STREAM_EBUSY,
	    err);
	stream_swap_discard(dir->fd, 0, made);
	names_list(dir, after);
	assert_string_equal(before, after);
	close(made);
}

/* ---- beside writers and readers ------------------------------------------ */

/* Writes, rolls, and compacts all that is closed into one segment, without end;
 * no record goes. */
static struct compactor {
	const struct temp_dir *dir;
	atomic_bool stop;
	atomic_llong next; /* so many records are there */
	atomic_int swaps;
	int status;
	struct stream_error err;
} compactor;

static int
write_and_roll(struct stream_partition *partition)
{
	bool rolled;
	int status = STREAM_OK;

	for (int i = 0; i < 3 && status == STREAM_OK; i++)
		status = fx_try_append(partition,
		    (struct fx_batch){.count = 2, .value_size = 20},
		    &compactor.err);
	compactor.next = stream_partition_next_offset(partition);
	if (status == STREAM_OK)
		status = stream_partition_roll_used(
		    partition, -1, &rolled, &compactor.err);
	return status;
}

static int
add_log(int64_t base, int to)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf log;
	int status = STREAM_OK;

	fx_log_name(base, name);
	stream_buf_init(&log);
	status = stream_io_load(
	    compactor.dir->fd, name, 1 << 30, &log, &compactor.err);
	if (status == STREAM_OK &&
	    write(to, log.data, log.size) != (ssize_t)log.size)
		status = STREAM_EIO;
	stream_buf_release(&log);
	return status;
}

static int
compact(int64_t active)
{
	struct stream_view view;
	int64_t sources[16];
	size_t count = 0;
	int fd;
	int status = stream_view_load(compactor.dir->fd, &view, &compactor.err);

	if (status != STREAM_OK)
		return status;
	while (
	    count < view.count && view.segments[count].base_offset < active) {
		sources[count] = view.segments[count].base_offset;
		count++;
	}
	stream_view_release(&view);
	fd = openat(compactor.dir->fd, LOG_0 ".cleaned",
	    O_WRONLY | O_CREAT | O_TRUNC, 0666);
	for (size_t i = 0; i < count && status == STREAM_OK; i++)
		status = add_log(sources[i], fd);
	put_index_files(compactor.dir, 0, ".cleaned", 'i');
	if (status == STREAM_OK)
		status = stream_swap_commit(
		    compactor.dir->fd, sources, count, fd, &compactor.err);
	close(fd);
	return status;
}

static int
compact_once(void)
{
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	int status;

	config.dense = false;
	status = stream_partition_open_structure(
	    compactor.dir->fd, &config, &partition, &compactor.err);
	if (status != STREAM_OK)
		return status;
	for (int i = 0; i < 1 + compactor.swaps % 3 && status == STREAM_OK; i++)
		status = write_and_roll(partition);
	if (status == STREAM_OK)
		status = compact(stream_partition_active_base(partition));
	stream_partition_close(partition);
	compactor.swaps++;
	return status;
}

static void *
compact_all_the_time(void *argument)
{
	(void)argument;
	/* Nothing waits for a disk here, so names would change all the time;
	 * between two runs of a command there is a moment. */
	while (!compactor.stop && compactor.status == STREAM_OK) {
		compactor.status = compact_once();
		usleep(2000);
	}
	return NULL;
}

/* From the beginning, and one that follows: all records, once each. */
static void
readers_beside_it_miss_nothing(void **state)
{
	const struct temp_dir *dir = *state;
	struct fx_reading how = {.gaps = true};
	struct fx_seen followed = {.first = -1, .last = -1};
	struct stream_reader *follower;
	struct timespec begin, now;
	pthread_t thread;
	int looks = 0;

	compactor.dir = dir;
	stream_partition_close(fx_open(dir, NULL));
	how.options.flags = STREAM_READER_FOLLOW;
	follower = fx_reader(dir, how);
	how.options.flags = 0;
	pthread_create(&thread, NULL, compact_all_the_time, NULL);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		int64_t least = compactor.next;
		struct fx_seen seen = fx_read(dir, how);

		expect(seen.status, STREAM_END, seen.err);
		assert_int_equal(seen.count, seen.last + 1);
		assert_true((int64_t)seen.count >= least);
		looks++;
		fx_drain(follower, &followed);
		expect(followed.status, STREAM_END, followed.err);
		assert_true((int64_t)followed.count >= least);
		assert_int_equal(followed.count, followed.last + 1);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < 3);
	compactor.stop = true;
	pthread_join(thread, NULL);
	expect(compactor.status, STREAM_OK, compactor.err);
	fx_drain(follower, &followed);
	assert_int_equal(followed.count, compactor.next);
	stream_reader_close(follower);
	assert_true(compactor.swaps > 10 && looks > 10);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(the_result_is_there_and_nothing_else),
	    TEST(without_a_result_nothing_changes),
	    TEST(half_a_swap_is_not_discarded),
	    TEST(every_moment_is_old_or_new),
	    TEST(power_can_go_at_any_moment),
	    TEST(the_first_name_is_never_free),
	    TEST(failures_are_settled_by_the_next_run),
	    TEST(what_cannot_be_committed_is_undone),
	    TEST(what_another_run_takes_is_missed),
	    TEST(what_another_run_made_is_left_alone),
	    TEST(readers_beside_it_miss_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
