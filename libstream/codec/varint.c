#include "codec/varint.h"

bool
stream_varint_take_long(
    const uint8_t **at, const uint8_t *end, size_t max, uint64_t *rest)
{
	const uint8_t *p = *at;
	size_t left = (size_t)(end - p) < max ? (size_t)(end - p) : max;
	uint64_t value = 0;

	for (size_t i = 0; i < left; i++) {
		value |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (p[i] < 0x80) {
			*at = p + i + 1;
			*rest = value;
			return true;
		}
	}
	return false;
}
