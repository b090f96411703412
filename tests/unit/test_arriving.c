/*
 * test_arriving - a log that was checked while it came is as one that is read
 * afterwards
 */
#include "fixture.h"
#include "log/install.h"

#define TEMPORARY "." LOG_0 ".AbCdEf"

static void
make_log(struct stream_buf *log, char letter)
{
	stream_buf_init(log);
	for (int64_t i = 0; i < 400; i += 2)
		fx_add(log, (struct fx_batch){.base = i,
				.count = 2,
				.time_ms = T0 + i,
				.value_size = 100 + (size_t)i % 7,
				.letter = letter});
}

static struct stream_measure
measure(const struct temp_dir *dir, const char *name)
{
	struct stream_measure found;
	struct stream_measuring how = {
	    .limit = UINT64_MAX, .mark_at = UINT64_MAX};

	stream_measure_init(&found, 0);
	assert_int_equal(
	    stream_io_open(dir->fd, name, O_RDONLY, &how.fd, NULL), STREAM_OK);
	assert_int_equal(stream_measure_log(&how, &found, NULL), STREAM_OK);
	close(how.fd);
	return found;
}

static void
see(struct stream_arriving *seen, const struct temp_dir *dir, const char *name)
{
	struct stream_measuring how = {.mark_at = UINT64_MAX};

	assert_int_equal(
	    stream_io_open(dir->fd, name, O_RDONLY, &how.fd, NULL), STREAM_OK);
	assert_int_equal(stream_io_size(how.fd, &how.limit, NULL), STREAM_OK);
	assert_int_equal(stream_arriving_go_on(seen, &how, NULL), STREAM_OK);
	close(how.fd);
}

static int
make_ready(const struct temp_dir *dir, const struct stream_measure *measure,
    struct stream_arriving *seen)
{
	struct stream_install_check check = {
	    .measure = measure,
	    .closed = true,
	    .interval_bytes = 500,
	    .mark_at = UINT64_MAX,
	    .arriving = seen,
	};

	return stream_install_ready(dir->fd, &check, NULL);
}

/* The bytes that come, step by step, and a look at each. */
static void
bring(const struct temp_dir *dir, const struct stream_buf *log, size_t step,
    struct stream_arriving *seen)
{
	fx_put(dir, TEMPORARY, "", 0);
	for (size_t at = 0; at < log->size; at += step) {
		size_t n = log->size - at < step ? log->size - at : step;

		fx_put_at(dir, TEMPORARY, at, log->data + at, n);
		see(seen, dir, TEMPORARY);
	}
}

static void
any_steps_give_what_one_look_gives(void **state)
{
	static const size_t steps[] = {7, 61, 500, 4096, 1 << 20};
	struct stream_buf log;

	(void)state;
	make_log(&log, 'a');
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct temp_dir *a = fx_dir(), *b = fx_dir();
		struct stream_arriving seen;
		struct stream_measure whole;

		fx_put(a, LOG_0, log.data, log.size);
		whole = measure(a, LOG_0);
		assert_int_equal(make_ready(a, &whole, NULL), STREAM_OK);
		stream_arriving_init(&seen, 0, 500);
		bring(b, &log, steps[i], &seen);
		assert_true(stream_measure_is_same(&seen.measure, &whole));
		assert_int_equal(renameat(b->fd, TEMPORARY, b->fd, LOG_0), 0);
		assert_int_equal(make_ready(b, &whole, &seen), STREAM_OK);
		fx_expect_same(a, b, LOG_0 ".cleaned");
		fx_expect_same(a, b, INDEX_0);
		fx_expect_same(a, b, TIMEINDEX_0);
		stream_arriving_release(&seen);
		fx_drop(a);
		fx_drop(b);
	}
	stream_buf_release(&log);
}

/* What was seen has the digest that is wanted, but the file that is there in
 * the end is another one of the same size. */
static void
what_was_seen_of_another_file_counts_for_nothing(void **state)
{
	struct temp_dir *dir = fx_dir();
	struct stream_arriving seen;
	struct stream_measure want;
	struct stream_buf log, other;

	(void)state;
	make_log(&log, 'a');
	make_log(&other, 'b');
	assert_int_equal(log.size, other.size);
	stream_arriving_init(&seen, 0, 500);
	bring(dir, &log, 4096, &seen);
	want = measure(dir, TEMPORARY);
	fx_remove(dir, TEMPORARY);
	fx_put(dir, LOG_0, other.data, other.size);
	assert_int_equal(make_ready(dir, &want, &seen), STREAM_ECORRUPT);
	fx_put(dir, LOG_0, log.data, log.size);
	assert_int_equal(make_ready(dir, &want, &seen), STREAM_OK);
	stream_arriving_release(&seen);
	stream_buf_release(&log);
	stream_buf_release(&other);
	fx_drop(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_steps_give_what_one_look_gives),
	    cmocka_unit_test(what_was_seen_of_another_file_counts_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
