/* The entries of an index file, in order, and what follows those in use. */
#include "file/index_entries.h"

#include "fixture.h"

static const char name[] = "i";

/* count entries of that size, the number of each in its last bytes, then so
 * many zeros. */
static void
put(const struct temp_dir *dir, size_t entry, uint32_t count, size_t zeros)
{
	uint8_t *bytes = calloc(count * entry + zeros + 1, 1);

	for (uint32_t i = 0; i < count; i++)
		stream_store32(bytes + (i + 1) * entry - 4, i + 1);
	fx_put(dir, name, bytes, count * entry + zeros);
	free(bytes);
}

static void
open_entries(
    struct stream_entries *entries, const struct temp_dir *dir, size_t entry)
{
	struct stream_error err = {.text = ""};

	expect(stream_entries_open(entries, dir->fd, name, entry, &err),
	    STREAM_OK, err);
}

/* Take the rest, from number next on; how many there were. */
static uint64_t
drain(struct stream_entries *entries)
{
	const uint8_t *bytes;
	uint64_t count = 0;

	while (stream_entries_peek(entries, &bytes, NULL) == STREAM_OK) {
		assert_int_equal(stream_load32(bytes + entries->entry - 4),
		    entries->next + 1);
		entries->next++;
		count++;
	}
	return count;
}

static void
entries_come_in_order_across_blocks(void **state)
{
	static const struct {
		size_t entry, zeros;
		uint32_t count;
	} rows[] = {{8, 0, 0}, {8, 0, 1}, {8, 0, 8191}, {8, 0, 8192},
	    {8, 0, 20000}, {12, 0, 5461}, {12, 0, 5462}, {12, 0, 17000},
	    {34, 0, 4000}, {8, 80, 3}, {12, 120000, 3}, {8, 1 << 20, 0},
	    {12, 12 * 6000, 6000}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_entries entries;

		put(*state, rows[i].entry, rows[i].count, rows[i].zeros);
		stream_entries_init(&entries);
		open_entries(&entries, *state, rows[i].entry);
		assert_int_equal(entries.count, rows[i].count);
		assert_int_equal(stream_entries_zero_slots(&entries),
		    rows[i].zeros / rows[i].entry);
		assert_int_equal(drain(&entries), rows[i].count);
		stream_entries_close(&entries);
	}
}

static void
a_part_of_an_entry_is_no_entry(void **state)
{
	struct stream_entries entries;

	put(*state, 8, 3, 5);
	stream_entries_init(&entries);
	open_entries(&entries, *state, 8);
	assert_int_equal(stream_entries_rest(&entries), 5);
	assert_int_equal(drain(&entries), 3);
	stream_entries_close(&entries);
}

static void
zeros_between_entries_are_entries(void **state)
{
	static const uint8_t bytes[32] = {[7] = 1, [31] = 4};
	struct stream_entries entries;

	fx_put(*state, name, bytes, sizeof(bytes));
	stream_entries_init(&entries);
	open_entries(&entries, *state, 8);
	assert_int_equal(entries.count, 4);
	stream_entries_close(&entries);
}

static void
a_look_back_and_a_refresh_keep_the_place(void **state)
{
	struct stream_entries entries;
	const uint8_t *bytes;

	put(*state, 8, 9000, 0);
	stream_entries_init(&entries);
	open_entries(&entries, *state, 8);
	entries.next = 8999;
	assert_int_equal(drain(&entries), 1);
	entries.next = 2;
	assert_int_equal(
	    stream_entries_peek(&entries, &bytes, NULL), STREAM_OK);
	assert_int_equal(stream_load32(bytes + 4), 3);
	put(*state, 8, 9005, 0);
	assert_int_equal(stream_entries_refresh(&entries, NULL), STREAM_OK);
	assert_int_equal(drain(&entries), 9003);
	stream_entries_close(&entries);
}

static void
a_missing_file_is_enoent_and_a_file_cut_meanwhile_ends(void **state)
{
	struct stream_entries entries;

	stream_entries_init(&entries);
	assert_int_equal(stream_entries_open(&entries,
			     ((struct temp_dir *)*state)->fd, "none", 8, NULL),
	    STREAM_ENOENT);
	put(*state, 8, 20000, 0);
	open_entries(&entries, *state, 8);
	fx_cut(*state, name, 0);
	entries.next = 19000;
	assert_int_equal(drain(&entries), 0);
	stream_entries_close(&entries);
}

int
main(void)
{
#define TEST(test) \
	cmocka_unit_test_setup_teardown( \
	    test, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(entries_come_in_order_across_blocks),
	    TEST(a_part_of_an_entry_is_no_entry),
	    TEST(zeros_between_entries_are_entries),
	    TEST(a_look_back_and_a_refresh_keep_the_place),
	    TEST(a_missing_file_is_enoent_and_a_file_cut_meanwhile_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
