/* CRC-32C: the vectors, and a plain loop over every length and alignment. */
#include "codec/crc32c.h"
#include "vectors.h"

enum { ROWS = 17 };

static void
crcs_are_those_of_the_vectors(void **state)
{
	struct vectors *rows = vectors_open("crc32c.txt");

	(void)state;
	while (vectors_take(rows, 4)) {
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);
		uint32_t want = (uint32_t)strtoul(rows->words[3], NULL, 16);

		if (stream_crc32c(bytes, size) != want)
			fail_msg("%s: %08x", rows->words[0],
			    stream_crc32c(bytes, size));
		free(bytes);
	}
	vectors_close(rows, ROWS);
}

/* As the polynomial says, a bit at a time. */
static uint32_t
plain_crc(const uint8_t *bytes, size_t size)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void
every_length_and_alignment_agrees_with_a_plain_loop(void **state)
{
	uint8_t bytes[700];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + (i >> 5));
	for (size_t from = 0; from < 16; from++)
		for (size_t size = 0; from + size <= sizeof(bytes);
		     size += 1 + size / 40)
			assert_int_equal(stream_crc32c(bytes + from, size),
			    plain_crc(bytes + from, size));
}

static void
one_flipped_bit_changes_it(void **state)
{
	uint8_t bytes[64] = {1, 2, 3};
	uint32_t crc = stream_crc32c(bytes, sizeof(bytes));

	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(stream_crc32c(bytes, sizeof(bytes)), crc);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(crcs_are_those_of_the_vectors),
	    cmocka_unit_test(
		every_length_and_alignment_agrees_with_a_plain_loop),
	    cmocka_unit_test(one_flipped_bit_changes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
