/* Records: the vectors, and what only a test with code can say. */
#include "codec/batch_build.h"
#include "codec/records.h"
#include "codec/records_check.h"
#include "vectors.h"

enum { ROWS = 54 };

/* The batch that the vectors are about. */
static struct stream_batch
batch_of(int32_t count)
{
	return (struct stream_batch){
	    .info = {.base_offset = 1000,
		.last_offset = 1009,
		.record_count = count,
		.producer_id = -1},
	    .base_timestamp_ms = INT64_C(1767225600000),
	    .last_offset_delta = 9,
	};
}

static void
put_bytes(char **to, struct stream_bytes bytes)
{
	if (bytes.data == NULL || bytes.size == 0)
		*to +=
		    sprintf(*to, "%s", bytes.data == NULL ? "null" : "empty");
	for (size_t i = 0; i < bytes.size; i++)
		*to += sprintf(*to, "%02x", bytes.data[i]);
}

static void
put_headers(char **to, const struct stream_record *record)
{
	struct stream_bytes left = record->headers;
	struct stream_header header;
	uint32_t count = 0;

	for (; stream_header_take(&left, &header); count++) {
		*to += sprintf(*to, "%s", count > 0 ? "+" : "");
		put_bytes(to, header.name);
		*to += sprintf(*to, "=");
		put_bytes(to, header.value);
	}
	assert_int_equal(count, record->header_count);
	assert_int_equal(left.size, 0);
	if (count == 0)
		*to += sprintf(*to, "none");
}

/* A record as the vectors write it. */
static void
put_record(char **to, const struct stream_record *record)
{
	*to += sprintf(*to, "%lld,%lld,", (long long)record->offset,
	    (long long)record->timestamp_ms);
	put_bytes(to, record->key);
	*to += sprintf(*to, ",");
	put_bytes(to, record->value);
	*to += sprintf(*to, ",");
	put_headers(to, record);
}

/* Take most records a call, write them to text; the status. */
static int
decode(const struct stream_batch *batch, struct stream_bytes bytes, size_t most,
    char *text)
{
	struct stream_records walk;
	struct stream_record records[4];
	struct stream_error err;
	size_t count;
	int status = stream_records_start(&walk, batch, bytes, &err);

	strcpy(text, "-");
	while (status == STREAM_OK) {
		status =
		    stream_records_take(&walk, records, most, &count, &err);
		if (status != STREAM_OK || count == 0)
			break;
		for (size_t i = 0; i < count; i++) {
			if (strcmp(text, "-") != 0)
				text += sprintf(text, ";");
			put_record(&text, &records[i]);
			assert_ptr_equal(records[i].batch, &batch->info);
		}
	}
	if (status != STREAM_OK)
		assert_true(err.pos <= bytes.size);
	return status;
}

static void
expect_same_again(const struct vectors *row, struct stream_bytes bytes)
{
	struct stream_batch batch =
	    batch_of((int32_t)strtol(row->words[2], NULL, 10));
	struct stream_batch_build build = {0};
	struct stream_records walk;
	struct stream_record record;
	uint8_t memory[1024];
	size_t count;

	stream_batch_build_start(&build, memory);
	stream_records_start(&walk, &batch, bytes, NULL);
	while (
	    stream_records_take(&walk, &record, 1, &count, NULL) == STREAM_OK &&
	    count == 1)
		assert_true(stream_batch_build_add(&build, &record));
	if (stream_batch_build_size(&build) - STREAM_BATCH_HEADER !=
		bytes.size ||
	    memcmp(memory + STREAM_BATCH_HEADER, bytes.data, bytes.size) != 0)
		fail_msg("%s: encoding", row->words[0]);
}

/* Whether it makes records or not, a walk says the same. */
static void
expect_same_verdict(const char *what, const struct stream_batch *batch,
    struct stream_bytes bytes)
{
	struct stream_records walk;
	struct stream_record record;
	struct stream_error walked = {.text = ""}, checked = {.text = ""};
	size_t count = 1;
	int status = stream_records_start(&walk, batch, bytes, &walked);

	while (status == STREAM_OK && count > 0)
		status =
		    stream_records_take(&walk, &record, 1, &count, &walked);
	if (stream_records_check(batch, bytes, &checked) != status ||
	    strcmp(walked.text, checked.text) != 0 || walked.pos != checked.pos)
		fail_msg("%s: %s, not %s", what, checked.text, walked.text);
}

static void
records_decode_and_encode_as_the_vectors_say(void **state)
{
	struct vectors *rows = vectors_open("record.txt");

	(void)state;
	while (vectors_take(rows, 5)) {
		struct stream_batch batch =
		    batch_of((int32_t)strtol(rows->words[2], NULL, 10));
		bool is_corrupt = vectors_is(rows, "corrupt");
		char text[4096];
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[3], &size);
		struct stream_bytes section = {bytes, size};

		expect_same_verdict(rows->words[0], &batch, section);
		for (size_t most = 1; most <= 4; most++) {
			int status = decode(&batch, section, most, text);

			if (status !=
			    (is_corrupt ? STREAM_ECORRUPT : STREAM_OK))
				fail_msg("%s: %d", rows->words[0], status);
			if (!is_corrupt && strcmp(text, rows->words[4]) != 0)
				fail_msg("%s: %s", rows->words[0], text);
		}
		if (vectors_is(rows, "good"))
			expect_same_again(rows, section);
		free(bytes);
	}
	vectors_close(rows, ROWS);
}

/* The first record of bytes with behind bytes after them, to text; the
 * status. */
static int
decode_first(const uint8_t *bytes, size_t size, size_t behind, char *text)
{
	struct stream_batch batch = batch_of(2);
	uint8_t *whole = malloc(size + behind);
	struct stream_records walk;
	struct stream_record record;
	size_t count;
	int status;

	memcpy(whole, bytes, size);
	memset(whole + size, 0xff, behind);
	strcpy(text, "-");
	status = stream_records_start(
	    &walk, &batch, (struct stream_bytes){whole, size + behind}, NULL);
	if (status == STREAM_OK)
		status = stream_records_take(&walk, &record, 1, &count, NULL);
	if (status == STREAM_OK)
		put_record(&text, &record);
	free(whole);
	return status;
}

/* With some bytes behind a record it is read without asking before each byte:
 * that must make no difference. */
static void
a_record_is_the_same_with_others_behind_it(void **state)
{
	enum { FEW = 14, MANY = 64 };
	static const uint8_t sound[][16] = {
	    {0x14, 0, 0, 0, 4, 'k', '1', 4, 'v', '1', 0},
	    {0x14, 0, 0x80, 1, 2, 1, 6, 'v', '1', '2', 0},
	    {0x14, 0, 0x80, 0x80, 1, 0x80, 0, 0, 2, 'v', 0},
	    {0x14, 0, 0, 0, 1, 2, 'v', 2, 2, 'h', 1},
	    {0x14, 0, 0x82, 0x80, 0x80, 1, 0, 1, 2, 'v', 0},
	};
	char few[4096], many[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++)
		for (size_t at = 1; at < 11; at++)
			for (int flip = 0; flip < 256; flip++) {
				uint8_t bytes[11];
				int status;

				memcpy(bytes, sound[i], sizeof(bytes));
				bytes[at] ^= (uint8_t)flip;
				status = decode_first(bytes, 11, FEW, few);
				if (flip == 0 && status != STREAM_OK)
					fail_msg("row %zu", i);
				if (decode_first(bytes, 11, MANY, many) !=
					status ||
				    strcmp(few, many) != 0)
					fail_msg("row %zu byte %zu flip %d: "
						 "%s, %s",
					    i, at, flip, few, many);
			}
}

/* Every prefix of a sound section, and every byte of it changed: never a read
 * outside, and never more records than the batch has. */
static void
no_cut_or_changed_byte_leads_outside(void **state)
{
	static const uint8_t sound[] = {0x26, 0, 0, 0, 2, 'v', 2, 'w', 6, 2,
	    'a', 2, '1', 2, 'a', 2, '2', 2, 'b', 1, 0x0e, 0, 0, 2, 1, 2, 'v',
	    0};
	struct stream_batch batch = batch_of(2);
	char text[4096];

	(void)state;
	assert_int_equal(
	    decode(
		&batch, (struct stream_bytes){sound, sizeof(sound)}, 4, text),
	    STREAM_OK);
	for (size_t size = 0; size < sizeof(sound); size++) {
		uint8_t *cut = malloc(size + 1);

		memcpy(cut, sound, size);
		assert_int_equal(
		    decode(&batch, (struct stream_bytes){cut, size}, 4, text),
		    STREAM_ECORRUPT);
		expect_same_verdict(
		    "cut", &batch, (struct stream_bytes){cut, size});
		free(cut);
	}
	for (size_t at = 0; at < sizeof(sound); at++)
		for (int flip = 1; flip < 256; flip++) {
			uint8_t *bytes = malloc(sizeof(sound));

			memcpy(bytes, sound, sizeof(sound));
			bytes[at] ^= (uint8_t)flip;
			decode(&batch,
			    (struct stream_bytes){bytes, sizeof(sound)}, 3,
			    text);
			expect_same_verdict("flip", &batch,
			    (struct stream_bytes){bytes, sizeof(sound)});
			free(bytes);
		}
}

static int64_t
time_of(int64_t base_ms, int64_t delta, uint16_t attributes, int64_t max_ms)
{
	struct stream_batch batch = batch_of(1);
	struct stream_records walk;
	struct stream_record record;
	uint8_t bytes[32] = {0, 0};
	uint8_t *at = stream_varint_put(bytes + 2, delta);
	size_t count;

	memcpy(at, "\0\1\1\0", 4);
	at += 4;
	bytes[0] = (uint8_t)(2 * (at - bytes - 1));
	batch.base_timestamp_ms = base_ms;
	batch.info.max_timestamp_ms = max_ms;
	batch.info.attributes = attributes;
	assert_int_equal(
	    stream_records_start(&walk, &batch,
		(struct stream_bytes){bytes, (size_t)(at - bytes)}, NULL),
	    STREAM_OK);
	assert_int_equal(
	    stream_records_take(&walk, &record, 1, &count, NULL), STREAM_OK);
	return record.timestamp_ms;
}

static void
timestamps_saturate_and_follow_their_type(void **state)
{
	static const struct {
		int64_t base, delta, want;
		uint16_t attributes;
	} rows[] = {
	    {0, 0, 0, 0},
	    {-1, 0, -1, 0},
	    {1000, -1001, -1, 0},
	    {INT64_MAX, 1, INT64_MAX, 0},
	    {INT64_MAX - 5, 5, INT64_MAX, 0},
	    {INT64_MAX, INT64_MAX, INT64_MAX, 0},
	    {INT64_MIN, -1, INT64_MIN, 0},
	    {-2, INT64_MIN, INT64_MIN, 0},
	    {INT64_MIN, INT64_MAX, -1, 0},
	    /* The base is a delete horizon, the deltas count from it. */
	    {9000, -8000, 1000, STREAM_BATCH_HORIZON},
	    /* LogAppendTime: the batch's time, whatever the deltas say. */
	    {5, 7, 4242, STREAM_BATCH_APPEND_TIME},
	    {INT64_MAX, 7, 4242,
		STREAM_BATCH_APPEND_TIME | STREAM_BATCH_HORIZON},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (time_of(rows[i].base, rows[i].delta, rows[i].attributes,
			4242) != rows[i].want)
			fail_msg("row %zu", i);
}

static void
a_count_that_bytes_cannot_hold_is_refused_at_once(void **state)
{
	static const struct {
		size_t bytes;
		int32_t count;
		int want;
	} rows[] = {{0, 0, STREAM_OK}, {6, 1, STREAM_ECORRUPT},
	    {7, 1, STREAM_OK}, {13, 2, STREAM_ECORRUPT}, {14, 2, STREAM_OK},
	    {14, INT32_MAX, STREAM_ECORRUPT}};
	static const uint8_t bytes[16];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stream_batch batch = batch_of(rows[i].count);
		struct stream_records walk;

		if (stream_records_start(&walk, &batch,
			(struct stream_bytes){bytes, rows[i].bytes},
			NULL) != rows[i].want)
			fail_msg("row %zu", i);
	}
}

/* After a failure the records before it were not given out by that call, and
 * err says which one and where. */
static void
a_failure_names_the_record(void **state)
{
	static const uint8_t bytes[] = {
	    0x0c, 0, 0, 0, 1, 1, 0, 0x0c, 0, 0, 2, 3, 1, 0};
	struct stream_batch batch = batch_of(2);
	struct stream_records walk;
	struct stream_record records[2];
	struct stream_error err;
	size_t count = 99;

	(void)state;
	stream_records_start(
	    &walk, &batch, (struct stream_bytes){bytes, sizeof(bytes)}, &err);
	assert_int_equal(stream_records_take(&walk, records, 2, &count, &err),
	    STREAM_ECORRUPT);
	assert_int_equal(count, 99);
	assert_non_null(strstr(err.text, "record 1 "));
	assert_in_range(err.pos, 7, sizeof(bytes));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_decode_and_encode_as_the_vectors_say),
	    cmocka_unit_test(a_record_is_the_same_with_others_behind_it),
	    cmocka_unit_test(no_cut_or_changed_byte_leads_outside),
	    cmocka_unit_test(timestamps_saturate_and_follow_their_type),
	    cmocka_unit_test(a_count_that_bytes_cannot_hold_is_refused_at_once),
	    cmocka_unit_test(a_failure_names_the_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
