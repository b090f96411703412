#include "base/hash_avx2.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

/* For all that follows: xxhash.h looks at what may be used. */
#pragma GCC target("avx2")
#define XXH_INLINE_ALL
#include <xxhash.h>

bool
stream_hash_has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

struct stream_hash_wide
stream_hash_avx2(const void *bytes, size_t n)
{
	XXH128_hash_t hash = XXH3_128bits(bytes, n);

	return (struct stream_hash_wide){hash.high64, hash.low64};
}

#else

bool
stream_hash_has_avx2(void)
{
	return false;
}

struct stream_hash_wide
stream_hash_avx2(const void *bytes, size_t n)
{
	return stream_hash_wide(bytes, n, 0);
}

#endif
