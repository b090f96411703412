/* refdec.h - a second decoder of SPEC.md, without code of libstream */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum refdec_verdict { REFDEC_GOOD, REFDEC_TORN, REFDEC_CORRUPT, REFDEC_NEWER };

/* What is left to read, and the verdict once it cannot be read (1.2). */
struct refdec_cursor {
	const uint8_t *at, *end;
	int verdict;
};

/* A batch header (2.1); size is that of the whole batch. */
struct refdec_batch {
	int64_t base, base_time, max_time, producer;
	int32_t length, epoch, last_delta, sequence, count;
	uint32_t crc;
	int16_t attributes, producer_epoch;
	int8_t magic;
	size_t size;
};

struct refdec_bytes {
	const uint8_t *p;
	int64_t n; /* -1: null */
};

/* A record (3.1).  The headers are at the cursor, a name and a value each. */
struct refdec_record {
	int64_t offset, time, headers;
	struct refdec_bytes key, value;
	struct refdec_cursor at;
};

/* Decompressed bytes: the caller frees p.  More than limit is corrupt. */
struct refdec_buf {
	uint8_t *p;
	size_t n, cap, limit;
};

uint64_t refdec_be(const uint8_t *p, int n);
uint32_t refdec_crc32c(const uint8_t *p, size_t n);
int64_t refdec_varint(struct refdec_cursor *c, int most_bytes);

/* Bytes with their length, at least least (-1: may be null), before them. */
struct refdec_bytes refdec_bytes(struct refdec_cursor *c, int64_t least);

/* Judge the batch at p, of which the file still has n bytes. */
int refdec_batch(
    const uint8_t *p, size_t n, size_t limit, struct refdec_batch *b);

/* The records section of a good batch at p, decompressed if need be. */
struct refdec_cursor refdec_section(
    const struct refdec_batch *b, const uint8_t *p, struct refdec_buf *buf);

/* Decompress with codec 1 to 4 (2.3) behind what buf holds. */
int refdec_decompress(
    int codec, const uint8_t *p, size_t n, struct refdec_buf *buf);

/* Take all records, and give each to the function, unless that is NULL. */
int refdec_records(const struct refdec_batch *b, struct refdec_cursor c,
    void (*each)(void *, const struct refdec_record *), void *arg);
