#include "codec/murmur2.h"

/* Seed and multiplier as in Kafka's Utils.murmur2. */
static const uint32_t SEED = 0x9747b28c;
static const uint32_t MULTIPLIER = 0x5bd1e995;

static uint32_t
little_endian(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

uint32_t
stream_murmur2(const uint8_t *key, size_t size)
{
	uint32_t hash = SEED ^ (uint32_t)size;
	const uint8_t *tail = key + size / 4 * 4;

	for (const uint8_t *p = key; p < tail; p += 4) {
		uint32_t k = little_endian(p) * MULTIPLIER;

		k ^= k >> 24;
		hash = hash * MULTIPLIER ^ k * MULTIPLIER;
	}
	if (size % 4 > 2)
		hash ^= (uint32_t)tail[2] << 16;
	if (size % 4 > 1)
		hash ^= (uint32_t)tail[1] << 8;
	if (size % 4 > 0)
		hash = (hash ^ tail[0]) * MULTIPLIER;
	hash ^= hash >> 13;
	hash *= MULTIPLIER;
	return hash ^ hash >> 15;
}

int32_t
stream_murmur2_partition(const uint8_t *key, size_t size, int32_t count)
{
	return (
	    int32_t)((stream_murmur2(key, size) & INT32_MAX) % (uint32_t)count);
}
