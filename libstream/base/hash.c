#include "base/hash.h"

#define XXH_INLINE_ALL /* no library to link for one function */
#include <xxhash.h>

uint64_t
stream_hash(const void *bytes, size_t n, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes, n, seed);
}
