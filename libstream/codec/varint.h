/*
 * varint.h - the zig-zag varints of records
 *
 * Layer codec/.  SPEC section 1.2.  Inline, since a record holds five of them
 * and most are one byte long.
 */
#ifndef STREAM_CODEC_VARINT_H
#define STREAM_CODEC_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STREAM_VARINT_MAX = 5, STREAM_VARLONG_MAX = 10 };

static inline uint64_t
stream_zigzag(int64_t value)
{
	return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t
stream_unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Bytes that value takes, 1 to 10 (1 to 5 for what fits 32 bits). */
static inline size_t
stream_varint_size(int64_t value)
{
	unsigned bits =
	    64 - (unsigned)__builtin_clzll(stream_zigzag(value) | 1);

	/* 9/64 is a little under 1/7, and exact for 1 to 64 bits. */
	return (bits * 9 + 64) / 64;
}

/* Write value at to, which has room; returns the byte after it. */
static inline uint8_t *
stream_varint_put(uint8_t *to, int64_t value)
{
	uint64_t rest = stream_zigzag(value);

	while (rest >= 0x80) {
		*to++ = (uint8_t)(rest | 0x80);
		rest >>= 7;
	}
	*to++ = (uint8_t)rest;
	return to;
}

/*
 * Take a varint of at most max bytes off the front of *at, which ends at end.
 * false, with *at as it was, when it is cut short or longer than that.  As in
 * Kafka's reader, forms longer than needed are taken and surplus bits in the
 * last byte are dropped (format/ERRATA.md).
 */
bool stream_varint_take_long(
    const uint8_t **at, const uint8_t *end, size_t max, uint64_t *rest);

/* One or two bytes, which nearly all varints of records are, without a call;
 * false for any other. */
static inline bool
stream_varint_take_short(const uint8_t **at, const uint8_t *end, uint64_t *rest)
{
	const uint8_t *p = *at;

	if (p < end && p[0] < 0x80) {
		*rest = p[0];
		*at = p + 1;
		return true;
	}
	if (end - p < 2 || p[1] >= 0x80)
		return false;
	*rest = (uint64_t)(p[0] & 0x7f) | (uint64_t)p[1] << 7;
	*at = p + 2;
	return true;
}

static inline bool
stream_varlong_take(const uint8_t **at, const uint8_t *end, int64_t *value)
{
	uint64_t rest;

	if (!stream_varint_take_short(at, end, &rest) &&
	    !stream_varint_take_long(at, end, STREAM_VARLONG_MAX, &rest))
		return false;
	*value = stream_unzigzag(rest);
	return true;
}

static inline bool
stream_varint_take(const uint8_t **at, const uint8_t *end, int32_t *value)
{
	uint64_t rest;

	if (!stream_varint_take_short(at, end, &rest) &&
	    !stream_varint_take_long(at, end, STREAM_VARINT_MAX, &rest))
		return false;
	*value = (int32_t)stream_unzigzag(rest & UINT32_MAX);
	return true;
}

#endif
