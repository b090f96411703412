/* Which blocks of an archived partition a range needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "port/archive_choose.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Offsets 0 to 39, none missing; times do not rise with them. */
static const struct stream_archive_block dense_blocks[] = {
    {.bytes = 9, .base_offset = 0, .last_offset = 9, .largest_ms = 100},
    {.bytes = 9, .base_offset = 10, .last_offset = 19, .largest_ms = 200},
    {.bytes = 9, .base_offset = 20, .last_offset = 29, .largest_ms = 150},
    {.bytes = 9, .base_offset = 30, .last_offset = 39, .largest_ms = 400},
};
static const struct stream_archive_segment dense_segments[] = {
    {.base_offset = 0,
	.next_offset = 20,
	.records = 20,
	.blocks = dense_blocks,
	.block_count = 2},
    {.base_offset = 20,
	.next_offset = 40,
	.records = 20,
	.blocks = dense_blocks + 2,
	.block_count = 2},
};
static const struct stream_archive_partition dense = {
    .topic = "t",
    .next_offset = 40,
    .segments = dense_segments,
    .segment_count = 2,
};

/* As compaction leaves it: 12 records, an empty segment, gaps at both ends. */
static const struct stream_archive_block sparse_blocks[] = {
    {.bytes = 9, .base_offset = 3, .last_offset = 9, .largest_ms = 100},
    {.bytes = 9, .base_offset = 30, .last_offset = 34, .largest_ms = 200},
    {.bytes = 9, .base_offset = 40, .last_offset = 49, .largest_ms = 300},
};
static const struct stream_archive_segment sparse_segments[] = {
    {.base_offset = 0,
	.next_offset = 20,
	.records = 4,
	.blocks = sparse_blocks,
	.block_count = 1},
    {.base_offset = 20, .next_offset = 25},
    {.base_offset = 25,
	.next_offset = 60,
	.records = 8,
	.blocks = sparse_blocks + 1,
	.block_count = 2},
};
static const struct stream_archive_partition sparse = {
    .topic = "t",
    .next_offset = 60,
    .segments = sparse_segments,
    .segment_count = 3,
};

struct row {
	struct stream_point from, to;
	size_t first, end;
};

#define NONE \
	{ \
		STREAM_POINT_NONE, 0 \
	}
#define START \
	{ \
		STREAM_POINT_START, 0 \
	}
#define END \
	{ \
		STREAM_POINT_END, 0 \
	}
#define AT(offset) \
	{ \
		STREAM_POINT_OFFSET, offset \
	}
#define LAST(n) \
	{ \
		STREAM_POINT_LAST, n \
	}
#define AFTER(n) \
	{ \
		STREAM_POINT_AFTER, n \
	}
#define TIME(ms) \
	{ \
		STREAM_POINT_TIME, ms \
	}

static void
check(const struct stream_archive_partition *partition, bool is_dense,
    const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct stream_range range = {rows[i].from, rows[i].to};
		struct stream_archive_choice choice =
		    stream_archive_choose(partition, &range, true, is_dense);

		print_message(
		    "row %zu: %zu to %zu\n", i, choice.first, choice.end);
		assert_int_equal(choice.first, rows[i].first);
		assert_int_equal(choice.end, rows[i].end);
	}
}

static void
offsets_are_found_in_their_blocks(void **state)
{
	static const struct row rows[] = {
	    {NONE, NONE, 0, 4},
	    {START, END, 0, 4},
	    {AT(0), AT(5), 0, 1},
	    {AT(9), AT(10), 0, 1},
	    {AT(10), AT(11), 1, 2},
	    {AT(5), AT(20), 0, 2},
	    {AT(19), AT(21), 1, 3},
	    {AT(35), NONE, 3, 4},
	    {NONE, AT(10), 0, 1},
	    /* At the end of the log nothing follows. */
	    {AT(40), NONE, 4, 4},
	    {END, NONE, 4, 4},
	    /* An end before the begin must be found as well. */
	    {AT(35), AT(5), 0, 4},
	};

	(void)state;
	check(&dense, true, rows, COUNT(rows));
}

static void
an_offset_that_is_not_held_needs_all_to_say_so(void **state)
{
	static const struct row rows[] = {
	    {AT(41), NONE, 0, 4},
	    {AT(5), AT(41), 0, 4},
	};

	(void)state;
	check(&dense, true, rows, COUNT(rows));
}

static void
what_is_counted_from_the_end_reaches_the_end(void **state)
{
	static const struct row rows[] = {
	    {LAST(0), NONE, 4, 4},
	    {LAST(1), NONE, 3, 4},
	    {LAST(10), NONE, 3, 4},
	    {LAST(11), NONE, 2, 4},
	    {LAST(1000), NONE, 0, 4},
	    {LAST(11), AT(35), 2, 4},
	    {NONE, LAST(1), 0, 4},
	};

	(void)state;
	check(&dense, true, rows, COUNT(rows));
}

static void
what_is_counted_from_the_begin_ends_there(void **state)
{
	static const struct row rows[] = {
	    /* The block where it begins may count for one record alone. */
	    {AT(9), AFTER(1), 0, 2},
	    {AT(0), AFTER(10), 0, 2},
	    {AT(0), AFTER(11), 0, 3},
	    {AT(0), AFTER(0), 0, 1},
	    {AT(20), AFTER(1000), 2, 4},
	};

	(void)state;
	check(&dense, true, rows, COUNT(rows));
}

/* The first record of that time or a later one, in the order of the log. */
static void
times_are_found_in_the_order_of_the_log(void **state)
{
	static const struct row rows[] = {
	    {TIME(0), NONE, 0, 4},
	    {TIME(100), NONE, 0, 4},
	    {TIME(101), NONE, 1, 4},
	    {TIME(201), NONE, 3, 4},
	    {TIME(401), NONE, 4, 4},
	    {TIME(150), TIME(200), 1, 2},
	    {NONE, TIME(150), 0, 2},
	    {TIME(101), TIME(201), 1, 4},
	    {NONE, TIME(9999), 0, 4},
	};

	(void)state;
	check(&dense, true, rows, COUNT(rows));
}

static void
what_the_log_start_hides_is_not_read(void **state)
{
	static const struct row rows[] = {
	    {NONE, NONE, 1, 4}, {TIME(0), NONE, 1, 4}, {AT(15), AT(16), 1, 2},
	    {LAST(1000), NONE, 1, 4}, {AT(5), AT(16), 0, 4}, /* is not held */
	};
	struct stream_archive_partition hidden = dense;

	(void)state;
	hidden.log_start_offset = 15;
	check(&hidden, true, rows, COUNT(rows));
}

static void
where_offsets_are_missing_more_is_read(void **state)
{
	static const struct row rows[] = {
	    {NONE, NONE, 0, 3},
	    {AT(10), AT(20), 1, 2}, /* nothing there, but the end is held */
	    {AT(3), AT(4), 0, 2},
	    {AT(0), AT(35), 0, 3},
	    {AT(55), NONE, 3, 3},
	    /* Of whole segments it is known how many records they have. */
	    {LAST(1), NONE, 1, 3},
	    {LAST(8), NONE, 1, 3},
	    {LAST(9), NONE, 0, 3},
	    {AT(3), AFTER(1), 0, 3},
	    {TIME(150), TIME(250), 1, 3},
	};

	(void)state;
	check(&sparse, false, rows, COUNT(rows));
}

static void
all_is_read_where_transactions_are(void **state)
{
	static const struct stream_range range = {AT(5), AT(6)};
	struct stream_archive_choice choice =
	    stream_archive_choose(&dense, &range, false, true);

	(void)state;
	assert_int_equal(choice.first, 0);
	assert_int_equal(choice.end, 4);
	assert_int_equal(choice.count, 4);
}

/* Without settings nobody knows whether there are transactions, or gaps. */
static void
settings_say_what_can_be_left_out(void **state)
{
	static const struct stream_range range = {AT(5), AT(6)};
	static const char broken[] = "{}";
	struct stream_archive_partition partition = dense;
	struct stream_archive_choice choice;
	struct stream_error err;

	(void)state;
	assert_int_equal(stream_archive_choose_by_settings(
			     &partition, &range, true, &choice, &err),
	    STREAM_OK);
	assert_int_equal(choice.first, 0);
	assert_int_equal(choice.end, 4);
	assert_int_equal(stream_archive_choose_by_settings(
			     &partition, &range, false, &choice, &err),
	    STREAM_OK);
	assert_int_equal(choice.first, 0);
	assert_int_equal(choice.end, 2);
	partition.settings = broken;
	partition.settings_size = sizeof(broken) - 1;
	assert_int_equal(stream_archive_choose_by_settings(
			     &partition, &range, true, &choice, &err),
	    STREAM_ECORRUPT);
}

static void
an_empty_log_has_no_blocks(void **state)
{
	static const struct stream_range range = {AT(0), AT(1)};
	struct stream_archive_partition partition = {.topic = "t"};
	struct stream_archive_choice choice =
	    stream_archive_choose(&partition, &range, true, true);

	(void)state;
	assert_int_equal(choice.first, 0);
	assert_int_equal(choice.end, 0);
	assert_int_equal(choice.count, 0);
}

static void
segments_have_the_blocks_that_are_chosen(void **state)
{
	static const struct stream_archive_choice choice = {2, 4, 9};

	(void)state;
	assert_false(stream_archive_choice_has(&choice, 0, 2));
	assert_true(stream_archive_choice_has(&choice, 0, 3));
	assert_true(stream_archive_choice_has(&choice, 3, 4));
	assert_false(stream_archive_choice_has(&choice, 4, 9));
	/* Empty ones at the edges belong to it. */
	assert_false(stream_archive_choice_has(&choice, 1, 1));
	assert_true(stream_archive_choice_has(&choice, 2, 2));
	assert_true(stream_archive_choice_has(&choice, 4, 4));
	assert_false(stream_archive_choice_has(&choice, 5, 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(offsets_are_found_in_their_blocks),
	    cmocka_unit_test(an_offset_that_is_not_held_needs_all_to_say_so),
	    cmocka_unit_test(what_is_counted_from_the_end_reaches_the_end),
	    cmocka_unit_test(what_is_counted_from_the_begin_ends_there),
	    cmocka_unit_test(times_are_found_in_the_order_of_the_log),
	    cmocka_unit_test(what_the_log_start_hides_is_not_read),
	    cmocka_unit_test(where_offsets_are_missing_more_is_read),
	    cmocka_unit_test(all_is_read_where_transactions_are),
	    cmocka_unit_test(settings_say_what_can_be_left_out),
	    cmocka_unit_test(an_empty_log_has_no_blocks),
	    cmocka_unit_test(segments_have_the_blocks_that_are_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
