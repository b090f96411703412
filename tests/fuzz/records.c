/* records.c - the records section, and the codec alone */
#include <stdlib.h>
#include <string.h>

#include "codec/compress.h"
#include "codec/records.h"
#include "compare.h"

/* Before the section: count, last offset delta, attributes, kind of base. */
enum { FRONT = 4 };

static void
run_records(const uint8_t *data, size_t size)
{
	static const int64_t bases[] = {0, -1, INT64_MAX, INT64_MIN};
	struct stream_batch ours = {0};
	struct refdec_batch theirs = {0};
	struct refdec_cursor cursor;
	struct stream_records walk;
	struct stream_record record;
	struct stream_buf out, their_out;
	size_t count = 1;
	int status, verdict;

	if (size < FRONT)
		return;
	stream_buf_init(&out);
	stream_buf_init(&their_out);
	ours.info.record_count = theirs.count = data[0];
	ours.last_offset_delta = theirs.last_delta = data[1];
	ours.info.attributes = data[2];
	theirs.attributes = data[2];
	ours.base_timestamp_ms = theirs.base_time = bases[data[3] % 4];
	ours.info.max_timestamp_ms = theirs.max_time = 7;
	ours.info.base_offset = theirs.base = 1000;
	status = stream_records_start(&walk, &ours,
	    (struct stream_bytes){data + FRONT, size - FRONT}, NULL);
	while (status == STREAM_OK && count > 0) {
		status = stream_records_take(&walk, &record, 1, &count, NULL);
		if (status == STREAM_OK && count > 0)
			fuzz_put_record(&out, &record);
	}
	cursor = (struct refdec_cursor){data + FRONT, data + size, 0};
	verdict = refdec_records(&theirs, cursor, fuzz_put_refdec, &their_out);
	FUZZ_CHECK(fuzz_agree(status, verdict));
	if (status == STREAM_OK)
		FUZZ_CHECK(fuzz_same(&out, &their_out));
	stream_buf_release(&out);
	stream_buf_release(&their_out);
}

static size_t
mutate_records(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	if (size <= FRONT || seed % 2 == 0)
		return LLVMFuzzerMutate(data, size, most);
	return FRONT + fuzz_mutate_varint(
			   data + FRONT, size - FRONT, most - FRONT, &seed);
}

const struct fuzz_target fuzz_target_records = {
    "records", run_records, mutate_records};

/* What came out goes in again and comes out the same. */
static void
check_round(struct stream_decompressor *decompressor, enum stream_codec codec,
    const struct stream_buf *plain)
{
	static struct stream_compressor *compressors[STREAM_CODEC_ZSTD + 1];
	struct stream_buf packed, again;

	stream_buf_init(&packed);
	stream_buf_init(&again);
	if (compressors[codec] == NULL)
		stream_compressor_new(
		    codec, STREAM_LEVEL_DEFAULT, &compressors[codec], NULL);
	FUZZ_CHECK(stream_compress(compressors[codec],
		       (struct stream_bytes){plain->data, plain->size}, &packed,
		       NULL) == STREAM_OK);
	FUZZ_CHECK(stream_decompress(decompressor, codec,
		       (struct stream_bytes){packed.data, packed.size},
		       plain->size, &again, NULL) == STREAM_OK);
	FUZZ_CHECK(fuzz_same(plain, &again));
	stream_buf_release(&packed);
	stream_buf_release(&again);
}

/* The first byte: the codec, and the limit from 256 bytes to 8 MiB. */
static enum stream_codec
codec_of(uint8_t byte)
{
	return (enum stream_codec)(1 + byte % 4);
}

static void
run_codec(const uint8_t *data, size_t size)
{
	static struct stream_decompressor *decompressor;
	static struct refdec_buf theirs;
	struct stream_buf ours;
	enum stream_codec codec;
	int status, verdict;

	if (size == 0)
		return;
	if (decompressor == NULL)
		stream_decompressor_new(&decompressor, NULL);
	stream_buf_init(&ours);
	codec = codec_of(data[0]);
	theirs.limit = (size_t)256 << (data[0] >> 4);
	theirs.n = 0;
	status = stream_decompress(decompressor, codec,
	    (struct stream_bytes){data + 1, size - 1}, theirs.limit, &ours,
	    NULL);
	/* Memory follows what came out, or else what went in. */
	FUZZ_CHECK(ours.capacity <= 4 * theirs.limit + 300 * size + (8 << 20));
	verdict = refdec_decompress((int)codec, data + 1, size - 1, &theirs);
	FUZZ_CHECK(fuzz_agree_on_stream(status, verdict));
	if (status == STREAM_OK) {
		FUZZ_CHECK(ours.size == theirs.n);
		FUZZ_CHECK(theirs.n == 0 ||
			   memcmp(ours.data, theirs.p, theirs.n) == 0);
		if (data[0] & 8)
			check_round(decompressor, codec, &ours);
	}
	stream_buf_release(&ours);
}

static size_t
mutate_codec(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	size_t n = 0;

	if (size > 1 && seed % 2 != 0)
		n = fuzz_mutate_stream(
		    codec_of(data[0]), data + 1, size - 1, most - 1, &seed);
	return n > 0 ? n + 1 : LLVMFuzzerMutate(data, size, most);
}

const struct fuzz_target fuzz_target_codec = {"codec", run_codec, mutate_codec};
