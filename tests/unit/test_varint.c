/* Zig-zag varints: the vectors, and every length there and back. */
#include "codec/varint.h"
#include "vectors.h"

enum { ROWS = 56 };

struct taken {
	bool ok;
	int64_t value;
	size_t used;
};

static struct taken
take(bool is_long, const uint8_t *bytes, size_t size)
{
	const uint8_t *at = bytes;
	struct taken taken = {.value = 77};
	int32_t value = 77;

	if (is_long) {
		taken.ok = stream_varlong_take(&at, bytes + size, &taken.value);
	} else {
		taken.ok = stream_varint_take(&at, bytes + size, &value);
		taken.value = value;
	}
	taken.used = (size_t)(at - bytes);
	return taken;
}

static void
varints_decode_and_encode_as_the_vectors_say(void **state)
{
	struct vectors *rows = vectors_open("varint.txt");

	(void)state;
	while (vectors_take(rows, 4)) {
		bool is_long = strncmp(rows->words[0], "int64", 5) == 0;
		bool is_good = vectors_is(rows, "good");
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);
		struct taken got = take(is_long, bytes, size);
		int64_t want = strtoll(rows->words[3], NULL, 10);
		uint8_t again[STREAM_VARLONG_MAX];

		if (got.ok != (is_good || vectors_is(rows, "taken")))
			fail_msg("%s: verdict", rows->words[0]);
		if (got.ok && (got.value != want || got.used != size))
			fail_msg("%s: %lld of %zu bytes", rows->words[0],
			    (long long)got.value, got.used);
		if (!got.ok && (got.used != 0 || got.value != 77))
			fail_msg("%s: outputs changed", rows->words[0]);
		if (is_good &&
		    ((size_t)(stream_varint_put(again, want) - again) != size ||
			memcmp(again, bytes, size) != 0 ||
			stream_varint_size(want) != size))
			fail_msg("%s: encoding", rows->words[0]);
		free(bytes);
	}
	vectors_close(rows, ROWS);
}

static void
expect_round_trip(int64_t value)
{
	uint8_t bytes[STREAM_VARLONG_MAX];
	size_t size = (size_t)(stream_varint_put(bytes, value) - bytes);
	struct taken got = take(true, bytes, size);

	if (!got.ok || got.value != value || got.used != size)
		fail_msg("%lld", (long long)value);
	if (stream_varint_size(value) != size)
		fail_msg("%lld: size", (long long)value);
	/* Bytes that follow are not touched, missing ones are noticed. */
	assert_false(take(true, bytes, size - 1).ok);
	if (value >= INT32_MIN && value <= INT32_MAX) {
		got = take(false, bytes, size);
		assert_true(got.ok && got.value == value && got.used == size);
		assert_true(size <= STREAM_VARINT_MAX);
	}
}

static void
values_around_every_power_of_two_come_back(void **state)
{
	(void)state;
	for (int bit = 0; bit < 63; bit++)
		for (int64_t around = -2; around <= 2; around++) {
			int64_t value = (INT64_C(1) << bit) + around;

			expect_round_trip(value);
			expect_round_trip(-value);
		}
	expect_round_trip(INT64_MAX);
	expect_round_trip(INT64_MIN);
	expect_round_trip(INT32_MIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(varints_decode_and_encode_as_the_vectors_say),
	    cmocka_unit_test(values_around_every_power_of_two_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
