#include "base/hash.h"

#define XXH_INLINE_ALL /* no library to link for one function */
#include <xxhash.h>

#include "base/bytes.h"
#include "base/hash_avx2.h"

/* Pieces below this are done before it pays. */
enum { LONG_PIECE = 512 };

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
	struct stream_hash_wide hash = n >= LONG_PIECE && stream_hash_has_avx2()
					   ? stream_hash_avx2(bytes, n)
					   : stream_hash_wide(bytes, n, 0);
	uint8_t both[32];

	stream_store64(both, digest->high);
	stream_store64(both + 8, digest->low);
	stream_store64(both + 16, hash.high);
	stream_store64(both + 24, hash.low);
	hash = stream_hash_wide(both, sizeof(both), 0);
	*digest = (struct stream_chain){hash.high, hash.low};
}
