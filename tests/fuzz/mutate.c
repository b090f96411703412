/*
 * mutate.c - change a log so that it mostly stays one
 *
 * Plain mutations hardly get past a CRC, and never past a codec.  These take
 * a log apart by the lengths that its batches claim, change one of them where
 * it matters, and repair its length, its CRC and the chain of offsets with
 * some probability each.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "codec/batch.h"
#include "codec/compress.h"
#include "codec/varint.h"
#include "fuzz.h"
#include "refdec/refdec.h"

enum { HEADER = STREAM_BATCH_HEADER, PLAIN_MOST = 64 * 1024, RECORDS = 20 };

/* Bytes that are being changed. */
struct edit {
	uint8_t *data;
	size_t size;
	size_t most;
	uint32_t seed;
};

static const struct field {
	uint8_t at, size;
} fields[] = {{0, 8}, {8, 4}, {12, 4}, {16, 1}, {17, 4}, {21, 2}, {23, 4},
    {27, 8}, {35, 8}, {43, 8}, {51, 2}, {53, 4}, {57, 4}};

static const int64_t numbers[] = {0, 1, 2, -1, -2, 7, 61, 63, 64, -64, -65,
    INT16_MAX, INT32_MAX, INT32_MIN, (int64_t)INT32_MAX + 1, INT64_MAX,
    INT64_MAX - 1, INT64_MIN, 1767225600000};

static uint32_t
pick(struct edit *edit, size_t below)
{
	return below == 0 ? 0 : fuzz_random(&edit->seed) % (uint32_t)below;
}

static int64_t
number(struct edit *edit)
{
	uint32_t i = pick(edit, 2 * sizeof(numbers) / sizeof(numbers[0]));

	if (i < sizeof(numbers) / sizeof(numbers[0]))
		return numbers[i];
	return (int64_t)pick(edit, 300) - 20;
}

/* Put n bytes in place of old ones; false when they do not fit. */
static bool
splice(struct edit *edit, size_t at, size_t old, const uint8_t *bytes, size_t n)
{
	size_t rest = edit->size - at - old;

	if (at + n + rest > edit->most)
		return false;
	memmove(edit->data + at + n, edit->data + at + old, rest);
	if (n > 0)
		memcpy(edit->data + at, bytes, n);
	edit->size = at + n + rest;
	return true;
}

/* The bytes of the batch that starts at, by its length; the last one takes
 * what is left. */
static size_t
batch_size(const struct edit *edit, size_t at)
{
	size_t left = edit->size - at;
	uint64_t size;

	if (left < HEADER)
		return left;
	size = (uint64_t)stream_load32(edit->data + at + 8) + 12;
	return size < HEADER || size > left ? left : (size_t)size;
}

static size_t
choose_batch(struct edit *edit)
{
	size_t at = 0, count = 0, chosen;

	for (; at < edit->size; at += batch_size(edit, at))
		count++;
	chosen = pick(edit, count);
	for (at = 0; chosen > 0; chosen--)
		at += batch_size(edit, at);
	return at;
}

size_t
fuzz_mutate_varint(uint8_t *data, size_t size, size_t most, uint32_t *seed)
{
	struct edit edit = {data, size, most, *seed};
	uint8_t bytes[STREAM_VARLONG_MAX];
	size_t at = pick(&edit, size + 1);
	size_t old = pick(&edit, 4), n;

	n = (size_t)(stream_varint_put(bytes, number(&edit)) - bytes);
	if (old > size - at)
		old = size - at;
	splice(&edit, at, old, bytes, n);
	*seed = edit.seed;
	return edit.size;
}

/* Compress n bytes in place of what data holds; 0 when they do not fit. */
static size_t
compress_to(enum stream_codec codec, const uint8_t *plain, size_t n,
    uint8_t *data, size_t most)
{
	static struct stream_compressor *compressors[STREAM_CODEC_ZSTD + 1];
	struct stream_buf out;
	size_t size = 0;

	stream_buf_init(&out);
	if (compressors[codec] == NULL)
		stream_compressor_new(
		    codec, STREAM_LEVEL_DEFAULT, &compressors[codec], NULL);
	if (stream_compress(compressors[codec], (struct stream_bytes){plain, n},
		&out, NULL) == STREAM_OK &&
	    out.size <= most) {
		memcpy(data, out.data, out.size);
		size = out.size;
	}
	stream_buf_release(&out);
	return size;
}

static size_t
mutate_plain(uint8_t *plain, size_t n, uint32_t *seed)
{
	if (fuzz_random(seed) % 2 == 0)
		return fuzz_mutate_varint(plain, n, PLAIN_MOST, seed);
	return LLVMFuzzerMutate(plain, n, PLAIN_MOST);
}

size_t
fuzz_mutate_stream(enum stream_codec codec, uint8_t *data, size_t size,
    size_t most, uint32_t *seed)
{
	static struct refdec_buf buf = {.limit = PLAIN_MOST};
	uint8_t *plain;
	size_t n;

	buf.n = 0;
	if (refdec_decompress((int)codec, data, size, &buf) != REFDEC_GOOD)
		return 0;
	plain = malloc(PLAIN_MOST);
	memcpy(plain, buf.p, buf.n);
	n = mutate_plain(plain, buf.n, seed);
	n = compress_to(codec, plain, n, data, most);
	free(plain);
	return n;
}

/* How many records stand in these bytes, by their lengths. */
static int32_t
count_records(const uint8_t *at, const uint8_t *end)
{
	int32_t count = 0, size;

	while (stream_varint_take(&at, end, &size) && size >= 0 &&
	       size <= end - at) {
		at += size;
		count++;
	}
	return count;
}

/* Make up records, with numbers that are mostly in their ranges. */
static size_t
make_records(struct edit *edit, uint8_t *plain, int32_t *count)
{
	uint8_t *at = plain;
	int32_t delta = 0;

	*count = 1 + (int32_t)pick(edit, RECORDS);
	for (int32_t i = 0; i < *count; i++) {
		uint8_t record[512], *to = record;
		uint32_t key = pick(edit, 20), value = pick(edit, 200);

		*to++ = (uint8_t)(pick(edit, 9) == 0 ? pick(edit, 256) : 0);
		to = stream_varint_put(to, pick(edit, 9) ? i : number(edit));
		to = stream_varint_put(to, delta);
		delta += pick(edit, 5) ? 1 : (int32_t)pick(edit, 9);
		to = stream_varint_put(to, (int64_t)key - 1);
		memset(to, 'k', key);
		to += key > 0 ? key - 1 : 0;
		to = stream_varint_put(to, (int64_t)value - 1);
		memset(to, (int)pick(edit, 256), value);
		to += value > 0 ? value - 1 : 0;
		uint32_t headers = pick(edit, 4) ? 0 : pick(edit, 4);
		to = stream_varint_put(to, headers);
		for (; headers > 0; headers--) {
			to = stream_varint_put(to, 1);
			*to++ = (uint8_t)pick(edit, 256);
			to = stream_varint_put(to, (int64_t)pick(edit, 2) - 1);
		}
		at = stream_varint_put(at, to - record);
		memcpy(at, record, (size_t)(to - record));
		at += to - record;
	}
	return (size_t)(at - plain);
}

/* The plain records of the batch at; 0 when they cannot be had. */
static size_t
plain_records(const struct edit *edit, size_t at, uint8_t *plain)
{
	static struct refdec_buf buf = {.limit = PLAIN_MOST};
	size_t n = batch_size(edit, at) - HEADER;
	const uint8_t *from = edit->data + at + HEADER;
	unsigned codec = edit->data[at + 22] & STREAM_BATCH_CODEC;

	buf.n = 0;
	if (codec > STREAM_CODEC_ZSTD)
		return 0;
	if (codec != STREAM_CODEC_NONE) {
		if (refdec_decompress((int)codec, from, n, &buf) != REFDEC_GOOD)
			return 0;
		from = buf.p;
		n = buf.n;
	}
	if (n > PLAIN_MOST)
		return 0;
	memcpy(plain, from, n);
	return n;
}

/* Put plain records into the batch at, with its codec or another. */
static void
put_records(struct edit *edit, size_t at, const uint8_t *plain, size_t n,
    unsigned codec)
{
	size_t old = batch_size(edit, at) - HEADER;
	uint8_t *packed = malloc(2 * PLAIN_MOST);
	size_t size = n;

	if (codec == STREAM_CODEC_NONE)
		memcpy(packed, plain, n);
	else
		size = compress_to(
		    (enum stream_codec)codec, plain, n, packed, 2 * PLAIN_MOST);
	if (splice(edit, at + HEADER, old, packed, size)) {
		uint8_t *low = &edit->data[at + 22];
		*low = (uint8_t)((*low & ~STREAM_BATCH_CODEC) | codec);
		stream_store32(
		    edit->data + at + 8, (uint32_t)(HEADER - 12 + size));
	}
	free(packed);
}

static void
change_records(struct edit *edit, size_t at)
{
	uint8_t *plain = malloc(2 * PLAIN_MOST);
	unsigned codec = edit->data[at + 22] & STREAM_BATCH_CODEC;
	size_t n = plain_records(edit, at, plain);
	int32_t count = 0;

	if (n == 0 || pick(edit, 4) == 0)
		n = make_records(edit, plain, &count);
	else if (pick(edit, 4) != 0)
		n = mutate_plain(plain, n, &edit->seed);
	if (codec > STREAM_CODEC_ZSTD || pick(edit, 3) == 0)
		codec = pick(edit, STREAM_CODEC_ZSTD + 1);
	put_records(edit, at, plain, n, codec);
	if (count == 0 && pick(edit, 2) == 0)
		count = count_records(plain, plain + n);
	if (count > 0 && at + HEADER <= edit->size) {
		int32_t slots = count + (int32_t)pick(edit, 2) * 200;
		stream_store32(edit->data + at + 57, (uint32_t)count);
		stream_store32(edit->data + at + 23, (uint32_t)slots - 1);
	}
	free(plain);
}

static void
change_field(struct edit *edit, size_t at)
{
	const struct field *field =
	    &fields[pick(edit, sizeof(fields) / sizeof(fields[0]))];
	int64_t value = number(edit);

	for (int i = field->size - 1; i >= 0; i--, value >>= 8)
		edit->data[at + field->at + (size_t)i] = (uint8_t)value;
}

/* Twice, not at all, or a header that compaction could have left. */
static void
change_batches(struct edit *edit, size_t at)
{
	size_t size = batch_size(edit, at);
	uint8_t *copy = malloc(size);

	memcpy(copy, edit->data + at, size);
	switch (pick(edit, 4)) {
	case 0:
		if (edit->size > size)
			splice(edit, at, size, NULL, 0);
		break;
	case 1:
		if (splice(edit, at + HEADER, size - HEADER, NULL, 0)) {
			stream_store32(edit->data + at + 8, HEADER - 12);
			stream_store32(edit->data + at + 57, 0);
			edit->data[at + 22] &= (uint8_t)~STREAM_BATCH_CODEC;
		}
		break;
	default:
		splice(edit, at, 0, copy, size);
	}
	free(copy);
}

/* Give batches from at on the offsets that follow the ones before. */
static void
repair_chain(struct edit *edit)
{
	int64_t next = 0;

	for (size_t at = 0; at + HEADER <= edit->size;
	     at += batch_size(edit, at)) {
		int32_t delta = (int32_t)stream_load32(edit->data + at + 23);

		stream_store64(edit->data + at, (uint64_t)next);
		next += delta < 0 ? 1 : (int64_t)delta + 1;
		if (pick(edit, 8) == 0)
			next += pick(edit, 5);
	}
}

static void
repair_sums(struct edit *edit)
{
	for (size_t at = 0; at + HEADER <= edit->size;
	     at += batch_size(edit, at))
		if (batch_size(edit, at) >= HEADER && pick(edit, 16) != 0)
			stream_batch_seal(
			    edit->data + at, batch_size(edit, at));
}

size_t
fuzz_mutate_log(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	struct edit edit = {data, size, most, seed};
	size_t at = choose_batch(&edit);

	if (most < HEADER)
		return LLVMFuzzerMutate(data, size, most);
	if (size - at < HEADER) { /* what is no batch becomes one */
		if (at + HEADER > most)
			return LLVMFuzzerMutate(data, size, most);
		memset(data + size, 0, at + HEADER - size);
		edit.size = at + HEADER;
		data[at + STREAM_BATCH_MAGIC_AT] = 2;
		change_records(&edit, at);
	}
	switch (pick(&edit, 4)) {
	case 0:
		change_field(&edit, at);
		break;
	case 1:
		change_batches(&edit, at);
		break;
	default:
		change_records(&edit, at);
	}
	if (pick(&edit, 8) != 0)
		repair_chain(&edit);
	repair_sums(&edit);
	if (pick(&edit, 8) == 0 && edit.size > 0)
		edit.size -= pick(&edit, edit.size);
	return edit.size;
}
