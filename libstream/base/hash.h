/*
 * hash.h - hashes for tables in memory
 *
 * Never written to a file, but for the digest at the end: another version may
 * give other ones.
 */
#ifndef STREAM_BASE_HASH_H
#define STREAM_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A hash of n borrowed bytes.  With a seed that nobody can know, keys that
 * were chosen to meet in one place do not. */
uint64_t stream_hash(const void *bytes, size_t n, uint64_t seed);

/* The same of 128 bits, wide enough to stand for the bytes: among 2^40 of
 * them, two meet by chance once in 2^49 tries. */
struct stream_hash_wide {
	uint64_t high;
	uint64_t low;
};

struct stream_hash_wide stream_hash_wide(
    const void *bytes, size_t n, uint64_t seed);

/*
 * A digest that files hold: it must be the same for ever.  It is that of a row
 * of pieces, and can go on where it stopped, from the value alone.  Zero for no
 * piece.  SPEC section 15.1.
 */
struct stream_chain {
	uint64_t high;
	uint64_t low;
};

/* Add the next piece, of n borrowed bytes. */
void stream_chain_add(struct stream_chain *digest, const void *bytes, size_t n);

static inline bool
stream_chain_is_same(const struct stream_chain *a, const struct stream_chain *b)
{
	return a->high == b->high && a->low == b->low;
}

#endif
