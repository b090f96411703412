/* What a directory means: Kafka's loading rule, applied without writing. */
#include <pthread.h>

#include "fixture.h"
#include "log/view.h"

/* A log file with one batch for each offset from base to before end. */
static void
put_log(const struct temp_dir *dir, const char *name, int64_t end)
{
	struct stream_name parsed;
	struct stream_buf log;

	assert_true(stream_name_parse(name, &parsed));
	stream_buf_init(&log);
	if (end > parsed.base_offset)
		fx_add_many(&log, parsed.base_offset,
		    (int)(end - parsed.base_offset), 1, 3, 'a');
	fx_put(dir, name, log.data, log.size);
	stream_buf_release(&log);
}

/* "0 100s" and so on: bases, "s" for a swap. */
static void
expect_view(const struct temp_dir *dir, const char *what, const char *want)
{
	struct stream_view view;
	struct stream_error err = {.text = ""};
	char text[256] = "";

	expect(stream_view_load(dir->fd, &view, &err), STREAM_OK, err);
	for (size_t i = 0; i < view.count; i++)
		sprintf(text + strlen(text), "%s%lld%s", i > 0 ? " " : "",
		    (long long)view.segments[i].base_offset,
		    view.segments[i].swap ? "s" : "");
	if (strcmp(text, want) != 0)
		fail_msg("%s: %s", what, text);
	stream_view_release(&view);
}

/* "100.log.swap" for the full name; "=110" gives it records up to there. */
static void
put_listed(const struct temp_dir *dir, const char *list)
{
	char copy[512], *more;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *one = strtok_r(copy, " ", &more); one != NULL;
	     one = strtok_r(NULL, " ", &more)) {
		struct stream_name parsed;
		char name[64];
		char *end = strchr(one, '=');
		char *rest;
		long long base = strtoll(one, &rest, 10);

		if (end != NULL)
			*end = '\0';
		snprintf(name, sizeof(name), "%020lld%s", base, rest);
		if (stream_name_parse(name, &parsed) &&
		    parsed.kind == STREAM_NAME_LOG)
			put_log(dir, name,
			    end != NULL ? strtoll(end + 1, NULL, 10) : 0);
		else
			temp_dir_put(dir, name, "x");
	}
}

static void
swaps_and_leftovers_count_as_for_kafkas_loader(void **state)
{
	static const struct {
		const char *what, *files, *want;
	} rows[] = {
	    {"nothing", "", ""},
	    {"plain, unsorted", "200.log 0.log 100.log", "0 100 200"},
	    {"other files", "0.log 0.index 5.snapshot 7.timeindex", "0"},
	    {"cleaned and deleted are no logs",
		"0.log 10.log.cleaned 20.log.deleted 30.log", "0 30"},
	    {"a swap replaces its own", "0.log=10 0.log.swap=8 10.log=20",
		"0s 10"},
	    {"and all in its range",
		"0.log=10 10.log=20 20.log=30 0.log.swap=20", "0s 20"},
	    {"up to its last record, not its length",
		"0.log=10 10.log=20 20.log=30 0.log.swap=11", "0s 20"},
	    {"what begins at its end stays", "0.log=10 10.log=20 0.log.swap=10",
		"0s 10"},
	    {"what is before it stays",
		"0.log=10 10.log=20 20.log=30 10.log.swap=19", "0 10s 20"},
	    {"an empty swap replaces its own alone",
		"0.log=10 10.log=20 0.log.swap", "0s 10"},
	    {"an empty swap where none is", "0.log=10 10.log.swap", "0 10s"},
	    {"two swaps cover what is between them",
		"0.log=10 10.log=20 20.log=30 30.log=40 0.log.swap=5 "
		"20.log.swap=25",
		"0s 20s 30"},
	    {"a cleaned file undoes swaps from it on",
		"0.log=10 10.log=20 0.log.cleaned 10.log.swap=18", "0 10"},
	    {"and not those before it",
		"0.log=10 10.log=20 0.log.swap=9 10.log.cleaned", "0s 10"},
	    {"a cleaned index does too",
		"0.log=10 0.log.swap=9 0.index.cleaned", "0"},
	    {"one at the same base", "0.log=10 0.log.swap=9 0.log.cleaned",
		"0"},
	    {"a deleted original", "0.log.deleted 0.log.swap=9 10.log=20",
		"0s 10"},
	    {"names that are none", "0.log 1.logs 2.log.tmp 3.log.swap.swap",
		"0"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();

		put_listed(dir, rows[i].files);
		expect_view(dir, rows[i].what, rows[i].want);
		fx_drop(dir);
	}
}

static void
the_golden_swap_is_what_kafka_makes_of_it(void **state)
{
	const struct temp_dir *dir = *state;

	if (!fx_golden("crash-swap", dir))
		skip();
	expect_view(dir, "crash-swap", "0s 82s 162s 240");
}

static void
an_offset_is_in_the_last_segment_not_above_it(void **state)
{
	static const struct {
		int64_t offset;
		size_t want;
	} rows[] = {{0, 0}, {99, 0}, {100, 0}, {199, 0}, {200, 1}, {299, 1},
	    {300, 2}, {INT64_MAX, 2}, {-5, 0}};
	struct stream_view view;

	put_listed(*state, "100.log 200.log 300.log");
	assert_int_equal(
	    stream_view_load(((struct temp_dir *)*state)->fd, &view, NULL),
	    STREAM_OK);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    stream_view_find(&view, rows[i].offset), rows[i].want);
	stream_view_release(&view);
}

static void
a_segment_that_went_is_enoent(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_view view;
	int fd;

	put_listed(dir, "0.log 10.log.swap");
	assert_int_equal(stream_view_load(dir->fd, &view, NULL), STREAM_OK);
	assert_int_equal(
	    stream_view_open(&view, 1, dir->fd, &fd, NULL), STREAM_OK);
	close(fd);
	renameat(dir->fd, "00000000000000000010.log.swap", dir->fd,
	    "00000000000000000010.log");
	assert_int_equal(
	    stream_view_open(&view, 1, dir->fd, &fd, NULL), STREAM_ENOENT);
	stream_view_release(&view);
}

static void
many_segments_are_listed(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_view view;

	for (int i = 0; i < 257; i++) {
		char name[STREAM_NAME_SIZE];

		fx_put(dir, fx_log_name(i * 7, name), "", 0);
	}
	assert_int_equal(stream_view_load(dir->fd, &view, NULL), STREAM_OK);
	assert_int_equal(view.count, 257);
	for (int i = 0; i < 257; i++)
		assert_int_equal(view.segments[i].base_offset, i * 7);
	stream_view_release(&view);
}

/* A compaction of two segments into one, there and back, in Kafka's order. */
struct swapper {
	const struct temp_dir *dir;
	_Atomic bool stop;
};

static void
rename_to(const struct swapper *swapper, const char *from, const char *to)
{
	if (renameat(swapper->dir->fd, from, swapper->dir->fd, to) != 0)
		abort();
}

#define A "00000000000000000000.log"
#define B "00000000000000000010.log"

static void *
swap_all_the_time(void *argument)
{
	struct swapper *swapper = argument;

	while (!swapper->stop) {
		rename_to(swapper, "new", A ".cleaned");
		rename_to(swapper, A ".cleaned", A ".swap");
		rename_to(swapper, A, "a");
		rename_to(swapper, B, "b");
		rename_to(swapper, A ".swap", A);
		/* And undone, which no compaction does: the swap first, so
		 * that each listing is of one of the two. */
		rename_to(swapper, A, A ".swap");
		rename_to(swapper, "b", B);
		rename_to(swapper, "a", A);
		rename_to(swapper, A ".swap", "new");
	}
	return NULL;
}

static void
a_listing_beside_renames_is_of_one_moment(void **state)
{
	const struct temp_dir *dir = *state;
	struct swapper swapper = {.dir = dir};
	pthread_t thread;
	int seen[2] = {0};

	put_listed(dir, "0.log=10 10.log=20 20.log=30 0.log.swap=20");
	rename_to(&swapper, A ".swap", "new");
	pthread_create(&thread, NULL, swap_all_the_time, &swapper);
	for (int i = 0; i < 300; i++) {
		struct stream_view view;
		int status = stream_view_load(dir->fd, &view, NULL);

		if (status == STREAM_EBUSY)
			continue;
		assert_int_equal(status, STREAM_OK);
		assert_in_range(view.count, 2, 3);
		assert_int_equal(view.segments[0].base_offset, 0);
		assert_int_equal(
		    view.segments[1].base_offset, view.count == 3 ? 10 : 20);
		seen[view.count - 2]++;
		stream_view_release(&view);
	}
	swapper.stop = true;
	pthread_join(thread, NULL);
	assert_true(seen[0] + seen[1] > 0);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(swaps_and_leftovers_count_as_for_kafkas_loader),
	    TEST(the_golden_swap_is_what_kafka_makes_of_it),
	    TEST(an_offset_is_in_the_last_segment_not_above_it),
	    TEST(a_segment_that_went_is_enoent),
	    TEST(many_segments_are_listed),
	    TEST(a_listing_beside_renames_is_of_one_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
