/* Which partition a key belongs to: as Kafka's Java client says. */
#include "codec/murmur2.h"
#include "vectors.h"

enum { ROWS = 21 };

static void
hashes_and_partitions_are_those_of_the_vectors(void **state)
{
	static const int32_t counts[] = {1, 3, 8, 100};
	struct vectors *rows = vectors_open("murmur2.txt");

	(void)state;
	while (vectors_take(rows, 8)) {
		size_t size;
		uint8_t *key = vectors_bytes(rows->words[2], &size);
		uint32_t want = (uint32_t)strtoul(rows->words[3], NULL, 16);

		if (stream_murmur2(key, size) != want)
			fail_msg("%s: %08x", rows->words[0],
			    stream_murmur2(key, size));
		for (int i = 0; i < 4; i++)
			assert_int_equal(
			    stream_murmur2_partition(key, size, counts[i]),
			    strtol(rows->words[4 + i], NULL, 10));
		free(key);
	}
	vectors_close(rows, ROWS);
}

static void
every_partition_gets_its_share_and_none_is_outside(void **state)
{
	enum { KEYS = 20000, PARTITIONS = 7 };
	int got[PARTITIONS] = {0};

	(void)state;
	for (int i = 0; i < KEYS; i++) {
		char key[16];
		int size = snprintf(key, sizeof(key), "user-%d", i);
		int32_t partition = stream_murmur2_partition(
		    (const uint8_t *)key, (size_t)size, PARTITIONS);

		assert_in_range(partition, 0, PARTITIONS - 1);
		got[partition]++;
	}
	for (int i = 0; i < PARTITIONS; i++)
		assert_in_range(got[i], KEYS / PARTITIONS * 9 / 10,
		    KEYS / PARTITIONS * 11 / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hashes_and_partitions_are_those_of_the_vectors),
	    cmocka_unit_test(
		every_partition_gets_its_share_and_none_is_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
