/* Batches made anew from some of their records: byte by byte as the vectors
 * say, and with every codec the same records. */
#include "codec/batch_filter.h"
#include "codec/compress.h"
#include "codec/records.h"
#include "codec/records_check.h"
#include "fixture.h"
#include "vectors.h"

enum { CAP = 1 << 20, DELTAS = 1024 };

/* What a test wants of a batch, by offset delta. */
struct wish {
	bool keep[DELTAS];
	int64_t base;
	int64_t asked_up_to; /* the last delta asked about; -1 */
	size_t most_at_once;
};

static void
choose(void *context, const struct stream_record *records, size_t count,
    bool *keep)
{
	struct wish *wish = context;

	assert_true(count > 0 && count <= STREAM_BATCH_FILTER_MOST);
	if (count > wish->most_at_once)
		wish->most_at_once = count;
	for (size_t i = 0; i < count; i++) {
		int64_t delta = records[i].offset - wish->base;

		assert_true(delta > wish->asked_up_to && delta < DELTAS);
		wish->asked_up_to = delta;
		keep[i] = wish->keep[delta];
	}
}

static struct stream_batch
header(const uint8_t *bytes, size_t size)
{
	struct stream_error err = {.text = ""};
	struct stream_batch batch;

	expect(stream_batch_check(bytes, size, &batch, &err), STREAM_OK, err);
	return batch;
}

static struct stream_batch_filter *
new_filter(void)
{
	struct stream_batch_filter *filter = NULL;

	assert_int_equal(
	    stream_batch_filter_new(CAP, &filter, NULL), STREAM_OK);
	return filter;
}

static int
run(struct stream_batch_filter *filter, const uint8_t *bytes, size_t size,
    struct wish *wish, struct stream_batch_filter_rules rules,
    struct stream_batch_filter_result *result, struct stream_error *err)
{
	struct stream_batch batch = header(bytes, size);

	batch.info.position = 4711;
	wish->base = batch.info.base_offset;
	wish->asked_up_to = -1;
	rules.choose = choose;
	rules.context = wish;
	return stream_batch_filter_run(
	    filter, &batch, bytes, &rules, result, err);
}

/* ---- vectors ---- */

/* "keep=0,2,horizon=5,marker,place" */
static void
read_rules(
    char *text, struct wish *wish, struct stream_batch_filter_rules *rules)
{
	*wish = (struct wish){.asked_up_to = -1};
	*rules = (struct stream_batch_filter_rules){.horizon_ms = T0};
	for (char *word = strtok(text, ","); word != NULL;
	     word = strtok(NULL, ",")) {
		if (strncmp(word, "keep=", 5) == 0)
			word += 5;
		if (strncmp(word, "horizon=", 8) == 0)
			rules->horizon_ms = strtoll(word + 8, NULL, 10);
		else if (strcmp(word, "marker") == 0)
			rules->marks = true;
		else if (strcmp(word, "place") == 0)
			rules->keep_empty = true;
		else if (strcmp(word, "none") != 0)
			wish->keep[atoi(word)] = true;
	}
}

static void
check_row(const struct vectors *row, const struct stream_bytes source,
    const struct stream_batch_filter_result *result)
{
	const char *want = row->words[4];
	struct stream_batch header_again;
	size_t size;
	uint8_t *bytes;

	if (strcmp(want, "gone") == 0) {
		if (result->what != STREAM_BATCH_GONE)
			fail_msg("%s: is not gone", row->words[0]);
		return;
	}
	if (strcmp(want, "same") == 0) {
		if (result->what != STREAM_BATCH_SAME)
			fail_msg("%s: is not the same", row->words[0]);
		assert_ptr_equal(result->bytes.data, source.data);
		assert_int_equal(result->bytes.size, source.size);
		return;
	}
	bytes = vectors_bytes(want, &size);
	if (result->bytes.size != size ||
	    memcmp(result->bytes.data, bytes, size) != 0)
		fail_msg("%s: is not made so", row->words[0]);
	header_again = header(bytes, size);
	header_again.info.position = 4711;
	assert_memory_equal(
	    &result->batch, &header_again, sizeof(header_again));
	assert_int_equal(result->kept, header_again.info.record_count);
	assert_int_equal(result->what,
	    result->kept > 0 ? STREAM_BATCH_REMADE : STREAM_BATCH_EMPTIED);
	free(bytes);
}

static void
batches_are_made_as_the_vectors_say(void **state)
{
	struct vectors *rows = vectors_open("cleaned.txt");
	struct stream_batch_filter *filter = new_filter();

	(void)state;
	while (vectors_take(rows, 5)) {
		struct stream_batch_filter_rules rules;
		struct stream_batch_filter_result result;
		struct stream_error err = {.text = ""};
		struct wish wish;
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);

		read_rules(rows->words[3], &wish, &rules);
		expect(run(filter, bytes, size, &wish, rules, &result, &err),
		    STREAM_OK, err);
		check_row(rows, (struct stream_bytes){bytes, size}, &result);
		free(bytes);
	}
	vectors_close(rows, 31);
	stream_batch_filter_free(filter);
}

/* ---- codecs ---- */

/* count records, some in the past, some without a value, with a codec. */
static void
make(struct stream_buf *out, int32_t count, enum stream_codec codec)
{
	struct stream_buf plain;
	struct stream_compressor *compressor;
	struct stream_batch_build build = {0};
	uint8_t *batch;
	size_t size;

	stream_buf_init(&plain);
	assert_int_equal(
	    stream_buf_reserve(&plain, (size_t)count * 400, NULL), STREAM_OK);
	batch = plain.data;
	stream_batch_build_start(&build, batch);
	for (int32_t i = 0; i < count; i++) {
		char key[24], value[200];
		struct stream_record record = {
		    .timestamp_ms = T0 + i % 11 * 1000 - i,
		    .key = {(uint8_t *)key, (size_t)sprintf(key, "k%d", i)},
		    .value = {(uint8_t *)value,
			(size_t)sprintf(value, "%*d", i % 190 + 1, i)}};

		assert_true(stream_batch_build_add(&build, &record));
	}
	size = stream_batch_build_size(&build);
	stream_batch_build_header(&build, STREAM_CODEC_NONE, batch, size);
	out->size = 0;
	if (codec == STREAM_CODEC_NONE) {
		stream_buf_add(out, batch, size, NULL);
	} else {
		stream_buf_add(out, batch, STREAM_BATCH_HEADER, NULL);
		assert_int_equal(stream_compressor_new(codec,
				     STREAM_LEVEL_DEFAULT, &compressor, NULL),
		    STREAM_OK);
		assert_int_equal(
		    stream_compress(compressor,
			(struct stream_bytes){batch + STREAM_BATCH_HEADER,
			    size - STREAM_BATCH_HEADER},
			out, NULL),
		    STREAM_OK);
		stream_compressor_free(compressor);
		stream_store16(out->data + 21, (uint16_t)codec);
		stream_store32(out->data + 8, (uint32_t)(out->size - 12));
	}
	stream_batch_place(out->data, 1000, 7);
	fx_fix_crc(out->data, out->size);
	stream_buf_release(&plain);
}

static int32_t
take_all(struct stream_unpacker *unpacker, const uint8_t *bytes, size_t size,
    struct stream_batch *batch, struct stream_record *records)
{
	struct stream_records walk;
	struct stream_bytes section;
	size_t n;

	*batch = header(bytes, size);
	assert_int_equal(
	    stream_unpacker_open(unpacker, batch, bytes, &section, NULL),
	    STREAM_OK);
	assert_int_equal(
	    stream_records_start(&walk, batch, section, NULL), STREAM_OK);
	assert_int_equal(
	    stream_records_take(&walk, records, DELTAS, &n, NULL), STREAM_OK);
	return (int32_t)n;
}

static void
expect_same_bytes(struct stream_bytes a, struct stream_bytes b)
{
	assert_int_equal(a.data == NULL, b.data == NULL);
	assert_int_equal(a.size, b.size);
	if (a.size > 0)
		assert_memory_equal(a.data, b.data, a.size);
}

/* The new batch holds those that were to stay, and nothing of them changed. */
static void
expect_kept(const struct stream_buf *from, const struct wish *wish,
    const struct stream_batch_filter_result *result)
{
	static struct stream_record old[DELTAS], new[DELTAS];
	struct stream_unpacker a, b;
	struct stream_batch was, is;
	int32_t before, after, k = 0;
	int64_t most = INT64_MIN;

	stream_unpacker_init(&a, CAP);
	stream_unpacker_init(&b, CAP);
	before = take_all(&a, from->data, from->size, &was, old);
	after = take_all(&b, result->bytes.data, result->bytes.size, &is, new);
	for (int32_t i = 0; i < before; i++) {
		if (!wish->keep[old[i].offset - was.info.base_offset])
			continue;
		assert_true(k < after);
		assert_int_equal(new[k].offset, old[i].offset);
		assert_int_equal(new[k].timestamp_ms, old[i].timestamp_ms);
		expect_same_bytes(new[k].key, old[i].key);
		expect_same_bytes(new[k].value, old[i].value);
		if (old[i].timestamp_ms > most)
			most = old[i].timestamp_ms;
		k++;
	}
	assert_int_equal(k, after);
	assert_int_equal(is.info.max_timestamp_ms, most);
	assert_int_equal(is.info.last_offset, was.info.last_offset);
	assert_int_equal(is.info.leader_epoch, was.info.leader_epoch);
	assert_int_equal(
	    stream_batch_codec(&is.info), stream_batch_codec(&was.info));
	stream_unpacker_release(&a);
	stream_unpacker_release(&b);
}

static void
every_codec_keeps_the_same_records(void **state)
{
	static const int32_t counts[] = {1, 127, 128, 129, 300};
	struct stream_batch_filter *filter = new_filter();
	uint32_t seed = 5;

	(void)state;
	for (int codec = 0; codec <= STREAM_CODEC_ZSTD; codec++) {
		for (size_t i = 0; i < COUNT(counts); i++) {
			struct stream_batch_filter_rules rules = {0};
			struct stream_batch_filter_result result;
			struct stream_error err = {.text = ""};
			struct wish wish = {0};
			struct stream_buf batch;
			int32_t kept = 0;

			stream_buf_init(&batch);
			make(&batch, counts[i], (enum stream_codec)codec);
			for (int32_t k = 0; k < counts[i]; k++)
				kept += wish.keep[k] =
				    k == counts[i] - 1 || fx_random(&seed) % 3;
			expect(run(filter, batch.data, batch.size, &wish, rules,
				   &result, &err),
			    STREAM_OK, err);
			assert_int_equal(result.what,
			    kept == counts[i] ? STREAM_BATCH_SAME
					      : STREAM_BATCH_REMADE);
			assert_int_equal(result.kept, kept);
			assert_int_equal(wish.asked_up_to, counts[i] - 1);
			expect_kept(&batch, &wish, &result);
			stream_buf_release(&batch);
		}
	}
	stream_batch_filter_free(filter);
}

/* ---- what can go wrong ---- */

static void
a_batch_that_grows_beyond_the_limit_is_refused(void **state)
{
	struct stream_batch_filter *filter = NULL;
	struct stream_batch_filter_rules rules = {0};
	struct stream_batch_filter_result result;
	struct stream_error err = {.text = ""};
	struct wish wish = {0};
	struct stream_buf batch;

	(void)state;
	assert_int_equal(
	    stream_batch_filter_new(2000, &filter, NULL), STREAM_OK);
	stream_buf_init(&batch);
	make(&batch, 100, STREAM_CODEC_ZSTD);
	expect(run(filter, batch.data, batch.size, &wish, rules, &result, &err),
	    STREAM_ETOOBIG, err);
	stream_buf_release(&batch);
	stream_batch_filter_free(filter);
}

static void
records_that_cannot_be_read_are_damage(void **state)
{
	struct stream_batch_filter *filter = new_filter();
	struct stream_batch_filter_rules rules = {0};
	struct stream_batch_filter_result result = {.kept = 4711};
	struct stream_error err = {.text = ""};
	struct wish wish = {0};
	struct stream_buf batch;

	(void)state;
	stream_buf_init(&batch);
	make(&batch, 3, STREAM_CODEC_NONE);
	batch.data[batch.size - 1] = 2; /* a header that is not there */
	fx_fix_crc(batch.data, batch.size);
	expect(run(filter, batch.data, batch.size, &wish, rules, &result, &err),
	    STREAM_ECORRUPT, err);
	assert_int_equal(result.kept, 4711);
	assert_string_equal(err.text, "record 2 has a bad header count");
	stream_buf_release(&batch);
	stream_batch_filter_free(filter);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(batches_are_made_as_the_vectors_say),
	    cmocka_unit_test(every_codec_keeps_the_same_records),
	    cmocka_unit_test(a_batch_that_grows_beyond_the_limit_is_refused),
	    cmocka_unit_test(records_that_cannot_be_read_are_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
