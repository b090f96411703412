#include "base/hash.h"

#define XXH_INLINE_ALL /* no library to link for one function */
#include <xxhash.h>

uint64_t
stream_hash(const void *bytes, size_t n, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes, n, seed);
}

struct stream_hash_wide
stream_hash_wide(const void *bytes, size_t n, uint64_t seed)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, n, seed);

	return (struct stream_hash_wide){hash.high64, hash.low64};
}
