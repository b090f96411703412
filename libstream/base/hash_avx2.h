/*
 * hash_avx2.h - XXH3 of long pieces with wider registers
 *
 * The compiler takes what every x86-64 has; three times as much is done in the
 * same time with what almost all have.  The same bytes give the same digest.
 */
#ifndef STREAM_BASE_HASH_AVX2_H
#define STREAM_BASE_HASH_AVX2_H

#include <stdbool.h>

#include "base/hash.h"

/* Can this machine do it? */
bool stream_hash_has_avx2(void);

/* XXH3-128 of n borrowed bytes.  Only where it has_avx2. */
struct stream_hash_wide stream_hash_avx2(const void *bytes, size_t n);

#endif
