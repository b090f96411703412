/* The newest offset of each key: what fits, what does not, and what is told. */
#include "log/keymap.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static struct stream_keymap *
map_of(size_t bytes)
{
	struct stream_keymap *map;
	struct stream_error err;

	if (stream_keymap_new(bytes, &map, &err) != STREAM_OK)
		fail_msg("%s", err.text);
	return map;
}

static struct stream_key
key_of(const struct stream_keymap *map, int number)
{
	char text[32];
	int size = snprintf(text, sizeof(text), "key-%d", number);

	return stream_keymap_hash(
	    map, (struct stream_bytes){(const uint8_t *)text, (size_t)size});
}

static void
the_newest_offset_stays_in_whatever_order_they_come(void **state)
{
	static const struct {
		int64_t put[3];
		int64_t want;
	} rows[] = {
	    {{0, 0, 0}, 0},
	    {{0, 1, 2}, 2},
	    {{2, 1, 0}, 2},
	    {{5, INT64_MAX - 1, 7}, INT64_MAX - 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct stream_keymap *map = map_of(1024);

		for (int j = 0; j < 3; j++)
			assert_true(stream_keymap_put(
			    map, key_of(map, 1), rows[i].put[j]));
		assert_int_equal(
		    stream_keymap_find(map, key_of(map, 1)), rows[i].want);
		assert_int_equal(stream_keymap_find(map, key_of(map, 2)), -1);
		assert_int_equal(stream_keymap_count(map), 1);
		stream_keymap_free(map);
	}
}

static void
a_full_map_refuses_new_keys_and_takes_known_ones(void **state)
{
	static const struct {
		size_t bytes;
		size_t room;
	} rows[] = {
	    {0, 1},
	    {1, 1},
	    {(size_t)2 * STREAM_KEYMAP_SLOT, 1},
	    {(size_t)10 * STREAM_KEYMAP_SLOT, 9},
	    {(size_t)10 * STREAM_KEYMAP_SLOT + 23, 9},
	    {(size_t)1000 * STREAM_KEYMAP_SLOT, 900},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct stream_keymap *map = map_of(rows[i].bytes);
		int room = (int)rows[i].room;

		assert_int_equal(stream_keymap_room(map), room);
		for (int n = 0; n < room; n++)
			assert_true(stream_keymap_put(map, key_of(map, n), n));
		assert_false(stream_keymap_put(map, key_of(map, room), 9999));
		assert_int_equal(
		    stream_keymap_find(map, key_of(map, room)), -1);
		assert_true(stream_keymap_put(map, key_of(map, 0), 9999));
		assert_int_equal(stream_keymap_find(map, key_of(map, 0)), 9999);
		assert_int_equal(stream_keymap_count(map), room);
		stream_keymap_free(map);
	}
}

static void
a_map_of_the_size_for_so_many_keys_holds_them(void **state)
{
	static const uint64_t keys[] = {0, 1, 2, 8, 9, 10, 11, 899, 900, 5000};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct stream_keymap *map = map_of(stream_keymap_size(keys[i]));

		assert_true(stream_keymap_room(map) >= keys[i]);
		stream_keymap_free(map);
	}
	/* However many, no more than can be addressed. */
	assert_true(stream_keymap_size(UINT64_MAX) >=
		    (size_t)UINT32_MAX * STREAM_KEYMAP_SLOT);
}

static void
many_keys_are_all_found_and_forgotten_by_clear(void **state)
{
	enum { KEYS = 100000 };
	struct stream_keymap *map = map_of(stream_keymap_size(KEYS));

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int n = 0; n < KEYS; n++) {
			struct stream_key key = key_of(map, n);

			stream_keymap_prefetch(map, key);
			assert_int_equal(stream_keymap_find(map, key), -1);
			assert_true(stream_keymap_put(map, key, n + round));
		}
		for (int n = 0; n < KEYS; n++) {
			struct stream_key key = key_of(map, n);

			stream_keymap_prefetch(map, key);
			assert_int_equal(
			    stream_keymap_find(map, key), n + round);
		}
		assert_int_equal(stream_keymap_count(map), KEYS);
		stream_keymap_clear(map);
		assert_int_equal(stream_keymap_count(map), 0);
	}
	stream_keymap_free(map);
}

/* Of all sizes from one that never grows to one that does so four times: every
 * key that was put is found after each growth, with the table full to its
 * limit. */
static void
a_map_that_grows_loses_nothing(void **state)
{
	static const int slots[] = {
	    1000, 4095, 4096, 4099, 20000, 70001, 300000};

	(void)state;
	for (size_t i = 0; i < sizeof(slots) / sizeof(*slots); i++) {
		struct stream_keymap *map =
		    map_of((size_t)slots[i] * STREAM_KEYMAP_SLOT);
		int room = (int)stream_keymap_room(map);

		assert_int_equal(room, slots[i] * 9 / 10);
		for (int n = 0; n < room; n++) {
			assert_true(
			    stream_keymap_put(map, key_of(map, n), 2 * n + 1));
			if (n % 4096 == 0)
				assert_int_equal(
				    stream_keymap_find(map, key_of(map, n / 2)),
				    n / 2 * 2 + 1);
		}
		assert_false(stream_keymap_put(map, key_of(map, room), 0));
		assert_int_equal(stream_keymap_count(map), room);
		for (int n = 0; n < room; n++)
			assert_int_equal(
			    stream_keymap_find(map, key_of(map, n)), 2 * n + 1);
		stream_keymap_free(map);
	}
}

/* By offset it says what it says by key, within the span and nowhere else. */
static void
an_index_knows_the_newest_offsets(void **state)
{
	static const struct {
		int64_t from, to;
		bool works;
	} rows[] = {
	    {0, 1000, true},
	    {7, 8, true},
	    {100, 229, true},
	    {INT64_MAX - 500, INT64_MAX, true},
	    {5, 5, false},
	    {0, INT64_C(1) << 40, false},
	    {0, INT64_MAX, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct stream_keymap *map =
		    map_of((size_t)5000 * STREAM_KEYMAP_SLOT);
		int64_t from = rows[i].from;
		int64_t end =
		    rows[i].to - from > 1000 ? from + 1000 : rows[i].to;

		for (int64_t offset = from; offset < end; offset++)
			assert_true(stream_keymap_put(
			    map, key_of(map, (int)(offset % 301 * 7)), offset));
		assert_false(stream_keymap_has_index(map, from));
		stream_keymap_index(map, from, rows[i].to);
		assert_int_equal(
		    stream_keymap_has_index(map, from), rows[i].works);
		assert_false(stream_keymap_has_index(map, from - 1));
		assert_false(stream_keymap_has_index(map, rows[i].to));
		for (int64_t offset = from; rows[i].works && offset < end;
		     offset++)
			assert_int_equal(stream_keymap_is_newest(map, offset),
			    stream_keymap_find(
				map, key_of(map, (int)(offset % 301 * 7))) ==
				offset);
		stream_keymap_clear(map);
		assert_false(stream_keymap_has_index(map, from));
		stream_keymap_free(map);
	}
}

static void
an_empty_key_is_a_key_and_maps_have_seeds_of_their_own(void **state)
{
	struct stream_bytes empty = {(const uint8_t *)"", 0};
	struct stream_keymap *one = map_of(1024);
	struct stream_keymap *two = map_of(1024);
	struct stream_key of_one = stream_keymap_hash(one, empty);
	struct stream_key of_two = stream_keymap_hash(two, empty);

	(void)state;
	assert_true(stream_keymap_put(one, of_one, 3));
	assert_int_equal(
	    stream_keymap_find(one, stream_keymap_hash(one, empty)), 3);
	assert_memory_not_equal(&of_one, &of_two, sizeof(of_one));
	stream_keymap_free(one);
	stream_keymap_free(two);
	stream_keymap_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		the_newest_offset_stays_in_whatever_order_they_come),
	    cmocka_unit_test(a_full_map_refuses_new_keys_and_takes_known_ones),
	    cmocka_unit_test(a_map_of_the_size_for_so_many_keys_holds_them),
	    cmocka_unit_test(many_keys_are_all_found_and_forgotten_by_clear),
	    cmocka_unit_test(a_map_that_grows_loses_nothing),
	    cmocka_unit_test(an_index_knows_the_newest_offsets),
	    cmocka_unit_test(
		an_empty_key_is_a_key_and_maps_have_seeds_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
