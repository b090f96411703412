/*
 * bytes.h - big-endian loads and stores, as every integer on Kafka's disk is
 *
 * By shifts, so that neither alignment nor the host's order matters; gcc and
 * clang turn each into one move and one byte swap.
 */
#ifndef STREAM_BASE_BYTES_H
#define STREAM_BASE_BYTES_H

#include <stdint.h>

static inline uint16_t
stream_load16(const uint8_t *p)
{
	return (uint16_t)((uint16_t)p[0] << 8 | p[1]);
}

static inline uint32_t
stream_load32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline uint64_t
stream_load64(const uint8_t *p)
{
	return (uint64_t)stream_load32(p) << 32 | stream_load32(p + 4);
}

static inline void
stream_store16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
stream_store32(uint8_t *p, uint32_t v)
{
	stream_store16(p, (uint16_t)(v >> 16));
	stream_store16(p + 2, (uint16_t)v);
}

static inline void
stream_store64(uint8_t *p, uint64_t v)
{
	stream_store32(p, (uint32_t)(v >> 32));
	stream_store32(p + 4, (uint32_t)v);
}

#endif
