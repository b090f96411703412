/*
 * murmur2.h - which partition a key belongs to
 *
 * Layer codec/.  SPEC section 9.  The same choice as Kafka's Java client, so
 * that a key stays in its partition when a topic moves to or from a broker.
 */
#ifndef STREAM_CODEC_MURMUR2_H
#define STREAM_CODEC_MURMUR2_H

#include <stddef.h>
#include <stdint.h>

uint32_t stream_murmur2(const uint8_t *key, size_t size);

/* The partition, 0 to count - 1, of a key that is not null. */
int32_t stream_murmur2_partition(
    const uint8_t *key, size_t size, int32_t count);

#endif
