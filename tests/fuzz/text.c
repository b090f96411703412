/* text.c - what people write: JSON lines, formats, addresses, numbers */
#include <stdlib.h>
#include <string.h>

#include <stream/address.h>
#include <stream/format.h>
#include <stream/jsonl.h>
#include <stream/parse.h>

#include "compare.h"

#define NOW INT64_C(1767225600000)

/* A line that was taken is printed, and that is taken as the same. */
static void
check_line(const struct stream_record *record)
{
	static struct stream_origin origin;
	static struct stream_jsonl_reader *reader;
	struct stream_jsonl_line line;
	struct stream_buf before, after;
	size_t bound, size;
	uint8_t *text;

	if (reader == NULL) {
		stream_origin_init(&origin, "orders", 3, NULL);
		stream_jsonl_reader_new(&reader, NULL);
	}
	stream_buf_init(&before);
	stream_buf_init(&after);
	fuzz_put_record(&before, record);
	bound = stream_jsonl_bound(&origin, record);
	text = malloc(bound);
	size = (size_t)(stream_jsonl_put(&origin, record, text) - text);
	FUZZ_CHECK(size <= bound && text[size - 1] == '\n');
	FUZZ_CHECK(stream_jsonl_take(reader, (struct stream_bytes){text, size},
		       &line, NULL) == STREAM_OK);
	FUZZ_CHECK(line.partition == 3);
	fuzz_put_record(&after, &line.record);
	FUZZ_CHECK(fuzz_same(&before, &after));
	stream_buf_release(&before);
	stream_buf_release(&after);
	free(text);
}

static void
run_jsonl(const uint8_t *data, size_t size)
{
	static struct stream_jsonl_reader *reader;
	struct stream_jsonl_line line;
	struct stream_error err = {0};
	int status;

	if (reader == NULL)
		stream_jsonl_reader_new(&reader, NULL);
	status = stream_jsonl_take(
	    reader, (struct stream_bytes){data, size}, &line, &err);
	FUZZ_CHECK(status == STREAM_OK || status == STREAM_EUSAGE);
	if (status == STREAM_OK)
		check_line(&line.record);
	else
		FUZZ_CHECK(err.text[0] != 0 && err.pos <= size);
}

const struct fuzz_target fuzz_target_jsonl = {"jsonl", run_jsonl, NULL};

/* Run a format over records of every kind, into exactly the room it asks. */
static void
put_records(const struct stream_format *format)
{
	static const uint8_t bytes[] = "k\xc3\xa9y\t\"\\\n\0\xff,z0123456789";
	static const uint8_t headers[] = {2, 'a', 2, 'b', 0, 1, 2, 0xff, 0};
	struct stream_batch_info batch = {
	    .producer_id = -1, .producer_epoch = -1, .leader_epoch = -1};
	struct stream_record records[] = {
	    {.timestamp_ms = -1, .batch = &batch},
	    {.offset = INT64_MAX - 1,
		.timestamp_ms = INT64_MAX,
		.key = {bytes, sizeof(bytes)},
		.value = {bytes, 5},
		.headers = {headers, sizeof(headers)},
		.header_count = 3,
		.batch = &batch},
	    {.timestamp_ms = INT64_MIN, .key = {bytes, 0}, .batch = &batch},
	    {.timestamp_ms = NOW, .value = {bytes, 1}, .batch = &batch},
	};
	static struct stream_origin origin;

	stream_origin_init(&origin, "orders", 3, NULL);
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		size_t bound =
		    stream_format_bound(format, &origin, &records[i]);
		uint8_t *memory = malloc(bound > 0 ? bound : 1), *to = memory;
		int status = stream_format_put(
		    format, &origin, &records[i], i + 1, &to, NULL);

		FUZZ_CHECK(status == STREAM_OK || status == STREAM_EUSAGE);
		FUZZ_CHECK((size_t)(to - memory) <= bound);
		free(memory);
	}
}

static void
run_format(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct stream_format *format;
	struct stream_error err = {0};
	int status;

	if (text == NULL)
		return;
	status = stream_format_new(text, &format, &err);
	FUZZ_CHECK(status == STREAM_OK || status == STREAM_EUSAGE);
	if (status == STREAM_OK) {
		put_records(format);
		stream_format_free(format);
	} else {
		FUZZ_CHECK(err.text[0] != 0);
	}
	free(text);
}

const struct fuzz_target fuzz_target_format = {"format", run_format, NULL};

static void
check_time(int64_t timestamp_ms)
{
	char text[STREAM_TIME_SIZE];
	int64_t again;

	stream_format_time(timestamp_ms, text);
	FUZZ_CHECK(strlen(text) < STREAM_TIME_SIZE);
	FUZZ_CHECK(stream_parse_time(text, &again, NULL) == STREAM_OK);
	FUZZ_CHECK(again == timestamp_ms);
}

static void
check_range(const struct stream_range *range)
{
	const struct stream_point *points[] = {&range->from, &range->to};

	for (int i = 0; i < 2; i++)
		if (points[i]->kind == STREAM_POINT_LAST ||
		    points[i]->kind == STREAM_POINT_AFTER ||
		    points[i]->kind == STREAM_POINT_OFFSET)
			FUZZ_CHECK(points[i]->value >= 0);
}

static int
parse_address(const char *text)
{
	struct stream_address address;
	int status = stream_address_parse(text, NOW, &address, NULL);

	if (status != STREAM_OK)
		return status;
	FUZZ_CHECK(address.name != NULL);
	for (size_t i = 0; i < address.span_count; i++) {
		FUZZ_CHECK(address.spans[i].first >= 0);
		FUZZ_CHECK(address.spans[i].first <= address.spans[i].last);
		FUZZ_CHECK(i == 0 ||
			   address.spans[i].first > address.spans[i - 1].last);
	}
	check_range(&address.range);
	stream_address_release(&address);
	return status;
}

static int
parse_escapes(const char *text)
{
	uint8_t *bytes = NULL;
	size_t size;
	int status = stream_parse_escapes(text, &bytes, &size, NULL);

	if (status == STREAM_OK) {
		FUZZ_CHECK(size <= strlen(text));
		free(bytes);
	}
	return status;
}

static int
parse_range(const char *text)
{
	struct stream_range range;
	int status = stream_range_parse(text, NOW, &range, NULL);

	if (status == STREAM_OK)
		check_range(&range);
	return status;
}

static int
parse_setting(const char *text)
{
	static const char *const names[] = {
	    "orders", "retention.ms", "segment.bytes"};

	stream_parse_nearest(text, names, 3);
	return STREAM_OK;
}

/* The first byte says what the rest is. */
static int
parse(uint8_t kind, const char *text)
{
	int64_t value = 0;
	int status;

	switch (kind % 8) {
	case 0:
		status = stream_parse_int(text, -5, INT64_MAX, &value, NULL);
		FUZZ_CHECK(status != STREAM_OK || value >= -5);
		return status;
	case 1:
		status = stream_parse_size(text, &value, NULL);
		FUZZ_CHECK(status != STREAM_OK || value >= 0);
		return status;
	case 2:
		status = stream_parse_duration(text, &value, NULL);
		FUZZ_CHECK(status != STREAM_OK || value >= 0);
		return status;
	case 3:
		status = stream_parse_time(text, &value, NULL);
		if (status == STREAM_OK)
			check_time(value);
		return status;
	case 4:
		return parse_escapes(text);
	case 5:
		return parse_range(text);
	case 6:
		return parse_setting(text);
	default:
		return parse_address(text);
	}
}

static void
run_text(const uint8_t *data, size_t size)
{
	char *text = size > 0 ? fuzz_text(data + 1, size - 1) : NULL;
	int status;

	if (text == NULL)
		return;
	status = parse(data[0], text);
	FUZZ_CHECK(status == STREAM_OK || status == STREAM_EUSAGE);
	free(text);
}

const struct fuzz_target fuzz_target_text = {"text", run_text, NULL};
