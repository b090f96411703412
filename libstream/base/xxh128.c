#include "base/xxh128.h"

#include <stdio.h>

#define XXH_INLINE_ALL /* no library to link for one function */
#include <xxhash.h>

#include "base/fail.h"

/* The state of XXH3 must be aligned, which XXH3_createState sees to. */
int
stream_xxh128_new(struct stream_xxh128 **digest, struct stream_error *err)
{
	XXH3_state_t *state = XXH3_createState();

	if (state == NULL)
		return stream_fail_memory(err);
	XXH3_128bits_reset(state);
	*digest = (struct stream_xxh128 *)state;
	return STREAM_OK;
}

void
stream_xxh128_free(struct stream_xxh128 *digest)
{
	XXH3_freeState((XXH3_state_t *)digest);
}

void
stream_xxh128_reset(struct stream_xxh128 *digest)
{
	XXH3_128bits_reset((XXH3_state_t *)digest);
}

void
stream_xxh128_add(struct stream_xxh128 *digest, const void *bytes, size_t n)
{
	XXH3_128bits_update((XXH3_state_t *)digest, bytes, n);
}

static void
put(XXH128_hash_t hash, char *text)
{
	XXH128_canonical_t bytes;

	XXH128_canonicalFromHash(&bytes, hash);
	for (size_t i = 0; i < sizeof(bytes.digest); i++)
		snprintf(text + 2 * i, 3, "%02x", bytes.digest[i]);
}

void
stream_xxh128_put(const struct stream_xxh128 *digest, char *text)
{
	put(XXH3_128bits_digest((const XXH3_state_t *)digest), text);
}

void
stream_xxh128_of(const void *bytes, size_t n, char *text)
{
	put(XXH3_128bits(bytes, n), text);
}
