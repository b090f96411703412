/* Entries of .txnindex: 34 bytes each, and what is not one. */
#include "file/index_txn.h"
#include "fixture.h"

enum { ENTRY = STREAM_TXNINDEX_ENTRY };

static const struct stream_aborted first = {1000, 3, 9, 10};
static const struct stream_aborted second = {1001, 5, 12, 11};

static void
an_entry_is_written_byte_by_byte(void **state)
{
	static const uint8_t want[ENTRY] = {0, 0, 0, 0, 0, 0, 0, 0, 3, 0xe8, 0,
	    0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0,
	    10};
	uint8_t entry[ENTRY];

	(void)state;
	stream_aborted_put(entry, &first);
	assert_memory_equal(entry, want, ENTRY);
}

static void
what_was_written_is_read(void **state)
{
	struct stream_aborted got;
	uint8_t entry[ENTRY];

	(void)state;
	stream_aborted_put(entry, &second);
	assert_int_equal(
	    stream_aborted_take(entry, ENTRY, &got, NULL), STREAM_OK);
	assert_int_equal(got.producer_id, 1001);
	assert_int_equal(got.first_offset, 5);
	assert_int_equal(got.last_offset, 12);
	assert_int_equal(got.last_stable_offset, 11);
	assert_int_equal(stream_aborted_take(entry, 0, &got, NULL), STREAM_END);
	for (size_t n = 1; n < ENTRY; n++)
		assert_int_equal(
		    stream_aborted_take(entry, n, &got, NULL), STREAM_ETORN);
}

static void
an_entry_that_cannot_be_is_refused(void **state)
{
	static const struct {
		int64_t value;
		size_t at;
		int want;
	} rows[] = {
	    {-1, 2, STREAM_ECORRUPT},  /* producer */
	    {-1, 10, STREAM_ECORRUPT}, /* first offset */
	    {10, 10, STREAM_ECORRUPT}, /* past the last */
	    {2, 18, STREAM_ECORRUPT},  /* last offset below the first */
	    {-1, 26, STREAM_ECORRUPT}, /* last stable offset */
	    {11, 26, STREAM_ECORRUPT}, /* past the marker */
	    {0, 26, STREAM_OK},
	    {9, 10, STREAM_OK},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_aborted got;
		uint8_t entry[ENTRY];
		int status;

		stream_aborted_put(entry, &first);
		stream_store64(entry + rows[i].at, (uint64_t)rows[i].value);
		status = stream_aborted_take(entry, ENTRY, &got, NULL);
		if (status != rows[i].want)
			fail_msg("row %zu: %d", i, status);
	}
}

static void
another_version_is_newer(void **state)
{
	struct stream_aborted got;
	uint8_t entry[ENTRY];

	(void)state;
	stream_aborted_put(entry, &first);
	entry[1] = 1;
	assert_int_equal(
	    stream_aborted_take(entry, ENTRY, &got, NULL), STREAM_ENEWER);
}

static int
check(const uint8_t *bytes, size_t size, int64_t base, int64_t end, size_t *n,
    struct stream_error *err)
{
	uint8_t *exact = malloc(size + 1);
	int status;

	memcpy(exact, bytes, size);
	status = stream_txnindex_check(
	    (struct stream_bytes){exact, size}, base, end, n, err);
	free(exact);
	return status;
}

static void
a_file_is_checked_as_a_whole(void **state)
{
	uint8_t file[2 * ENTRY];
	struct stream_error err;
	size_t n = 9;

	(void)state;
	stream_aborted_put(file, &first);
	stream_aborted_put(file + ENTRY, &second);
	assert_int_equal(check(file, 0, 0, 20, &n, &err), STREAM_OK);
	assert_int_equal(n, 0);
	assert_int_equal(check(file, 2 * ENTRY, 0, 13, &n, &err), STREAM_OK);
	assert_int_equal(n, 2);
	/* A marker outside of the segment, on either side. */
	assert_int_equal(
	    check(file, 2 * ENTRY, 10, 13, &n, &err), STREAM_ECORRUPT);
	assert_int_equal(err.pos, 18);
	assert_int_equal(
	    check(file, 2 * ENTRY, 0, 12, &n, &err), STREAM_ECORRUPT);
	assert_int_equal(err.pos, ENTRY + 18);
	assert_int_equal(
	    check(file, 2 * ENTRY - 1, 0, 13, &n, &err), STREAM_ETORN);
	/* Markers that do not rise. */
	stream_aborted_put(file + ENTRY, &first);
	assert_int_equal(
	    check(file, 2 * ENTRY, 0, 13, &n, &err), STREAM_ECORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_entry_is_written_byte_by_byte),
	    cmocka_unit_test(what_was_written_is_read),
	    cmocka_unit_test(an_entry_that_cannot_be_is_refused),
	    cmocka_unit_test(another_version_is_newer),
	    cmocka_unit_test(a_file_is_checked_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
