#include "base/hash.h"

#define XXH_INLINE_ALL /* no library to link for one function */
#include <xxhash.h>

#include "base/bytes.h"

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

/* The digest so far and that of the piece, in one. */
void
stream_chain_add(struct stream_chain *digest, const void *bytes, size_t n)
{
	XXH128_hash_t hash = XXH3_128bits(bytes, n);
	uint8_t both[32];

	stream_store64(both, digest->high);
	stream_store64(both + 8, digest->low);
	stream_store64(both + 16, hash.high64);
	stream_store64(both + 24, hash.low64);
	hash = XXH3_128bits(both, sizeof(both));
	*digest = (struct stream_chain){hash.high64, hash.low64};
}
