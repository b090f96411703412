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

#endif
