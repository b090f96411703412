/*
 * hash.h - hashes for tables in memory
 *
 * Never written to a file: another version may give other ones.
 */
#ifndef STREAM_BASE_HASH_H
#define STREAM_BASE_HASH_H

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

#endif
