/* refdec.c - batches and records: SPEC sections 1 to 3 */
#include "refdec.h"

uint64_t
refdec_be(const uint8_t *p, int n)
{
	uint64_t v = 0;
	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

uint32_t
refdec_crc32c(const uint8_t *p, size_t n)
{
	static const uint32_t table[16] = {0x0, 0x105ec76f, 0x20bd8ede,
	    0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4,
	    0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
	uint32_t c = 0xffffffff;
	for (; n > 0; n--, p++) {
		c = c >> 4 ^ table[(c ^ *p) & 15];
		c = c >> 4 ^ table[(c ^ *p >> 4) & 15];
	}
	return ~c;
}

int64_t
refdec_varint(struct refdec_cursor *c, int most_bytes)
{
	uint64_t v = 0;
	int i = 0;
	for (; i < most_bytes && c->at < c->end; i++) {
		uint8_t byte = *c->at++;
		v |= (uint64_t)(byte & 127) << 7 * i;
		if (byte & 128)
			continue;
		if (most_bytes == 5)
			v = (uint32_t)v;
		return (int64_t)(v >> 1 ^ -(v & 1));
	}
	c->verdict = i < most_bytes ? REFDEC_TORN : REFDEC_CORRUPT;
	return 0;
}

int
refdec_batch(const uint8_t *p, size_t n, size_t limit, struct refdec_batch *b)
{
	*b = (struct refdec_batch){0};
	if (n < 17)
		return REFDEC_TORN;
	b->base = (int64_t)refdec_be(p, 8);
	b->length = (int32_t)refdec_be(p + 8, 4);
	b->epoch = (int32_t)refdec_be(p + 12, 4);
	b->magic = (int8_t)p[16];
	b->size = b->length < 0 ? 0 : (size_t)b->length + 12;
	if (b->magic >> 1 ? b->length < 49 || b->size > limit : b->length < 14)
		return REFDEC_CORRUPT;
	if (b->size > n)
		return REFDEC_TORN;
	if (b->magic != 2)
		return REFDEC_NEWER;
	b->crc = (uint32_t)refdec_be(p + 17, 4);
	b->attributes = (int16_t)refdec_be(p + 21, 2);
	b->last_delta = (int32_t)refdec_be(p + 23, 4);
	b->base_time = (int64_t)refdec_be(p + 27, 8);
	b->max_time = (int64_t)refdec_be(p + 35, 8);
	b->producer = (int64_t)refdec_be(p + 43, 8);
	b->producer_epoch = (int16_t)refdec_be(p + 51, 2);
	b->sequence = (int32_t)refdec_be(p + 53, 4);
	b->count = (int32_t)refdec_be(p + 57, 4);
	int codec = b->attributes & 7;
	if (refdec_crc32c(p + 21, b->size - 21) != b->crc)
		return REFDEC_CORRUPT;
	if (codec > 4)
		return REFDEC_NEWER;
	if (b->base < 0 || b->last_delta < 0 ||
	    b->base >= INT64_MAX - b->last_delta || b->count < 0 ||
	    b->count - 1 > b->last_delta ||
	    (!codec && (size_t)b->count > (b->size - 61) / 7) ||
	    (!b->count && (b->size != 61 || codec)))
		return REFDEC_CORRUPT;
	return REFDEC_GOOD;
}

struct refdec_cursor
refdec_section(
    const struct refdec_batch *b, const uint8_t *p, struct refdec_buf *buf)
{
	int verdict, codec = b->attributes & 7;
	if (!codec)
		return (struct refdec_cursor){p + 61, p + b->size, 0};
	if (b->attributes & 32) /* 3.3: a control batch with a codec */
		return (struct refdec_cursor){p, p, REFDEC_NEWER};
	buf->n = 0;
	verdict = refdec_decompress(codec, p + 61, b->size - 61, buf);
	return (struct refdec_cursor){buf->p, buf->p + buf->n, verdict};
}

/* A length of at least least, and at most the bytes that are left. */
static int64_t
length(struct refdec_cursor *c, int64_t least)
{
	int64_t n = refdec_varint(c, 5);
	if (c->verdict || n < least || n > c->end - c->at)
		c->verdict = REFDEC_CORRUPT;
	return c->verdict ? 0 : n;
}

struct refdec_bytes
refdec_bytes(struct refdec_cursor *c, int64_t least)
{
	int64_t n = length(c, least);
	c->at += n > 0 ? n : 0;
	return (struct refdec_bytes){n > 0 ? c->at - n : c->at, n};
}

static int
take_record(const struct refdec_batch *b, struct refdec_cursor *c,
    int64_t *last, struct refdec_record *r)
{
	struct refdec_bytes whole = refdec_bytes(c, 1);
	struct refdec_cursor in = {whole.p, whole.p + whole.n, 0};
	if (c->verdict)
		return REFDEC_CORRUPT;
	in.at++; /* attributes */
	if (__builtin_add_overflow(
		b->base_time, refdec_varint(&in, 10), &r->time))
		r->time = b->base_time < 0 ? INT64_MIN : INT64_MAX;
	if (b->attributes & 8)
		r->time = b->max_time;
	int64_t delta = refdec_varint(&in, 5);
	if (delta <= *last || delta > b->last_delta)
		return REFDEC_CORRUPT;
	*last = delta;
	r->offset = b->base + delta;
	r->key = refdec_bytes(&in, -1);
	r->value = refdec_bytes(&in, -1);
	r->headers = length(&in, 0);
	r->at = in;
	for (int64_t i = 0; i < 2 * r->headers && !in.verdict; i++)
		refdec_bytes(&in, i % 2 ? -1 : 0);
	return in.verdict || in.at < in.end ? REFDEC_CORRUPT : REFDEC_GOOD;
}

int
refdec_records(const struct refdec_batch *b, struct refdec_cursor c,
    void (*each)(void *, const struct refdec_record *), void *arg)
{
	struct refdec_record r;
	int64_t last = -1;
	for (int32_t i = 0; i < b->count && !c.verdict; i++) {
		if (take_record(b, &c, &last, &r))
			return REFDEC_CORRUPT;
		if (each)
			each(arg, &r);
	}
	return c.verdict || c.at == c.end ? c.verdict : REFDEC_CORRUPT;
}
