/*
 * test_hash - the digest that files hold is the same on every machine
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/hash_avx2.h"

enum { MOST = 70000 };

static uint8_t *
some_bytes(void)
{
	uint8_t *bytes = malloc(MOST);
	uint32_t next = 1;

	assert_non_null(bytes);
	for (size_t i = 0; i < MOST; i++) {
		next = next * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(next >> 24);
	}
	return bytes;
}

/* D(p) = H(0 || H(p)), SPEC section 15.1, with the H of any machine. */
static void
check_digest(const uint8_t *bytes, size_t n)
{
	struct stream_hash_wide piece = stream_hash_wide(bytes, n, 0);
	struct stream_chain digest = {0, 0};
	uint8_t both[32] = {0};

	stream_store64(both + 16, piece.high);
	stream_store64(both + 24, piece.low);
	piece = stream_hash_wide(both, sizeof(both), 0);
	stream_chain_add(&digest, bytes, n);
	assert_true(digest.high == piece.high && digest.low == piece.low);
}

static void
every_length_has_the_digest_of_the_plain_way(void **state)
{
	uint8_t *bytes = some_bytes();

	(void)state;
	for (size_t n = 0; n < 2100; n++)
		check_digest(bytes, n);
	for (size_t n = 2100; n < MOST - 3; n += 997)
		check_digest(bytes + n % 4, n);
	free(bytes);
}

static void
a_digest_never_changes(void **state)
{
	uint8_t *bytes = some_bytes();
	struct stream_chain digest = {0, 0};

	(void)state;
	stream_chain_add(&digest, bytes, MOST);
	stream_chain_add(&digest, bytes, 100);
	assert_true(digest.high == UINT64_C(0xd86c5c175e12a6c5));
	assert_true(digest.low == UINT64_C(0xb403f57b964c29a3));
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_length_has_the_digest_of_the_plain_way),
	    cmocka_unit_test(a_digest_never_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
