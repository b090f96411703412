#include <stream/jsonl.h>

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/fail.h"
#include "port/json_scan.h"

struct stream_jsonl_reader {
	struct stream_buf strings; /* all strings of the line, decoded */
	struct stream_buf headers; /* encoded */
};

/* One line on its way in. */
struct taking {
	struct stream_json_scan scan;
	struct stream_buf *headers;
	struct stream_jsonl_line line;
	unsigned seen; /* a bit for each member */
};

int
stream_jsonl_reader_new(
    struct stream_jsonl_reader **reader, struct stream_error *err)
{
	struct stream_jsonl_reader *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return stream_fail_memory(err);
	stream_buf_init(&new->strings);
	stream_buf_init(&new->headers);
	*reader = new;
	return STREAM_OK;
}

void
stream_jsonl_reader_free(struct stream_jsonl_reader *reader)
{
	if (reader == NULL)
		return;
	stream_buf_release(&reader->strings);
	stream_buf_release(&reader->headers);
	free(reader);
}

static int
take_text(struct stream_json_scan *scan, struct stream_bytes *bytes)
{
	uint8_t *data;
	size_t size;
	int status = stream_json_take_string(scan, &data, &size);

	if (status == STREAM_OK)
		*bytes = (struct stream_bytes){data, size};
	return status;
}

/* Base64 is shorter once decoded, so it is decoded where it stands. */
static int
take_base64(struct stream_json_scan *scan, struct stream_bytes *bytes)
{
	const uint8_t *first;
	uint8_t *data;
	size_t size, done;
	int status;

	stream_json_skip_space(scan);
	first = scan->at;
	status = stream_json_take_string(scan, &data, &size);
	if (status != STREAM_OK)
		return status;
	if (!stream_base64_take(data, size, data, &done))
		return stream_json_fail(scan, first,
		    "not base64 with its padding, at letter %zu", done + 1);
	*bytes = (struct stream_bytes){data, done};
	return STREAM_OK;
}

static int
take_text_or_null(struct stream_json_scan *scan, struct stream_bytes *bytes)
{
	if (!stream_json_try_null(scan))
		return take_text(scan, bytes);
	*bytes = (struct stream_bytes){0};
	return STREAM_OK;
}

static int
take_base64_or_null(struct stream_json_scan *scan, struct stream_bytes *bytes)
{
	if (!stream_json_try_null(scan))
		return take_base64(scan, bytes);
	*bytes = (struct stream_bytes){0};
	return STREAM_OK;
}

/* {"b64":"..."}; the brace is behind us. */
static int
take_base64_object(struct stream_json_scan *scan, struct stream_bytes *bytes)
{
	const uint8_t *first = scan->at;
	struct stream_bytes name;
	int status = take_text(scan, &name);

	if (status != STREAM_OK)
		return status;
	if (name.size != 3 || memcmp(name.data, "b64", 3) != 0)
		return stream_json_fail(scan, first, "\"b64\" should be here");
	status = stream_json_expect(scan, ':');
	if (status == STREAM_OK)
		status = take_base64(scan, bytes);
	return status == STREAM_OK ? stream_json_expect(scan, '}') : status;
}

/* A header's name or value: "text" or {"b64":"..."}. */
static int
take_half(struct stream_json_scan *scan, struct stream_bytes *bytes)
{
	return stream_json_try(scan, '{') ? take_base64_object(scan, bytes)
					  : take_text(scan, bytes);
}

static int
take_header(struct stream_json_scan *scan, struct stream_header *header)
{
	int status = stream_json_expect(scan, '[');

	if (status == STREAM_OK)
		status = take_half(scan, &header->name);
	if (status == STREAM_OK)
		status = stream_json_expect(scan, ',');
	if (status != STREAM_OK)
		return status;
	if (stream_json_try_null(scan))
		header->value = (struct stream_bytes){0};
	else
		status = take_half(scan, &header->value);
	return status == STREAM_OK ? stream_json_expect(scan, ']') : status;
}

static int
add_header(struct taking *t, const struct stream_header *header)
{
	size_t size = stream_header_size(header);
	int status = stream_buf_reserve(t->headers, size, t->scan.err);

	if (status != STREAM_OK)
		return status;
	stream_header_put(t->headers->data + t->headers->size, header);
	t->headers->size += size;
	t->line.record.header_count++;
	return STREAM_OK;
}

static int
take_headers(struct taking *t)
{
	struct stream_header header;
	int status;

	if (stream_json_try_null(&t->scan))
		return STREAM_OK;
	status = stream_json_expect(&t->scan, '[');
	if (status != STREAM_OK || stream_json_try(&t->scan, ']'))
		return status;
	do {
		status = take_header(&t->scan, &header);
		if (status == STREAM_OK)
			status = add_header(t, &header);
		if (status != STREAM_OK)
			return status;
	} while (stream_json_try(&t->scan, ','));
	return stream_json_expect(&t->scan, ']');
}

static int
take_partition(struct taking *t)
{
	int64_t number;
	int status;

	if (stream_json_try_null(&t->scan))
		return STREAM_OK;
	status = stream_json_take_number(&t->scan, 0, INT32_MAX, &number);
	if (status == STREAM_OK)
		t->line.partition = (int32_t)number;
	return status;
}

static int
take_timestamp(struct taking *t)
{
	int status;

	if (stream_json_try_null(&t->scan))
		return STREAM_OK;
	status = stream_json_take_number(
	    &t->scan, INT64_MIN, INT64_MAX, &t->line.record.timestamp_ms);
	if (status == STREAM_OK)
		t->line.has_timestamp = true;
	return status;
}

static int
take_ignored_text(struct taking *t)
{
	struct stream_bytes ignored;

	return take_text_or_null(&t->scan, &ignored);
}

static int
take_ignored_number(struct taking *t)
{
	int64_t ignored;

	if (stream_json_try_null(&t->scan))
		return STREAM_OK;
	return stream_json_take_number(
	    &t->scan, INT64_MIN, INT64_MAX, &ignored);
}

static int
take_key(struct taking *t)
{
	return take_text_or_null(&t->scan, &t->line.record.key);
}

static int
take_key_b64(struct taking *t)
{
	return take_base64_or_null(&t->scan, &t->line.record.key);
}

static int
take_value(struct taking *t)
{
	return take_text_or_null(&t->scan, &t->line.record.value);
}

static int
take_value_b64(struct taking *t)
{
	return take_base64_or_null(&t->scan, &t->line.record.value);
}

/* In the order in which they are written; two forms of one share a bit. */
static const struct member {
	const char *name;
	size_t size;
	unsigned bit;
	int (*take)(struct taking *t);
} members[] = {
#define MEMBER(name, bit, take) \
	{ \
		name, sizeof(name) - 1, bit, take \
	}
    MEMBER("topic", 1, take_ignored_text),
    MEMBER("partition", 2, take_partition),
    MEMBER("offset", 4, take_ignored_number),
    MEMBER("ts", 8, take_timestamp),
    MEMBER("key", 16, take_key),
    MEMBER("value", 32, take_value),
    MEMBER("headers", 64, take_headers),
    MEMBER("key_b64", 16, take_key_b64),
    MEMBER("value_b64", 32, take_value_b64),
    MEMBER("topic_b64", 1, take_ignored_text),
#undef MEMBER
};

static const struct member *
find_member(struct stream_bytes name)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (members[i].size == name.size &&
		    memcmp(members[i].name, name.data, name.size) == 0)
			return &members[i];
	return NULL;
}

/* The name as it stands in the line from first to last, fit for a message:
 * what could move a terminal's cursor is shown as a question mark. */
static int
fail_unknown(const struct taking *t, const uint8_t *first)
{
	char shown[48];
	size_t n = 0;

	for (const uint8_t *p = first; p < t->scan.at; p++)
		if (n < sizeof(shown) - 1)
			shown[n++] = *p < 0x7f ? (char)*p : '?';
	shown[n] = '\0';
	return stream_json_fail(&t->scan, first,
	    "unknown member %s (topic, partition, offset, ts, key, value, "
	    "headers, key_b64, value_b64 are known)",
	    shown);
}

static int
take_member(struct taking *t)
{
	const struct member *member;
	struct stream_bytes name;
	const uint8_t *first;
	int status;

	stream_json_skip_space(&t->scan);
	first = t->scan.at;
	status = take_text(&t->scan, &name);
	if (status != STREAM_OK)
		return status;
	member = find_member(name);
	if (member == NULL)
		return fail_unknown(t, first);
	if ((t->seen & member->bit) != 0)
		return stream_json_fail(
		    &t->scan, first, "%s is given twice", member->name);
	t->seen |= member->bit;
	status = stream_json_expect(&t->scan, ':');
	return status == STREAM_OK ? member->take(t) : status;
}

static int
take_object(struct taking *t)
{
	int status = stream_json_expect(&t->scan, '{');

	if (status != STREAM_OK || stream_json_try(&t->scan, '}'))
		return status;
	do {
		status = take_member(t);
		if (status != STREAM_OK)
			return status;
	} while (stream_json_try(&t->scan, ','));
	return stream_json_expect(&t->scan, '}');
}

int
stream_jsonl_take(struct stream_jsonl_reader *reader, struct stream_bytes text,
    struct stream_jsonl_line *line, struct stream_error *err)
{
	struct taking t = {.headers = &reader->headers};
	int status;

	/* So that no part of it is longer than a record's lengths can say. */
	if (text.size > INT32_MAX)
		return stream_fail(err, STREAM_EUSAGE, INT32_MAX,
		    "the line is longer than %d bytes", INT32_MAX);
	reader->strings.size = 0;
	reader->headers.size = 0;
	status = stream_buf_reserve(&reader->strings, text.size + 1, err);
	if (status != STREAM_OK)
		return status;
	t.scan = (struct stream_json_scan){text.data, text.data,
	    text.data + text.size, reader->strings.data, err};
	t.line.partition = -1;
	t.line.record.timestamp_ms = STREAM_NO_TIMESTAMP;
	status = take_object(&t);
	if (status == STREAM_OK)
		status = stream_json_expect_end(&t.scan);
	if (status != STREAM_OK)
		return status;
	t.line.record.headers =
	    (struct stream_bytes){reader->headers.data, reader->headers.size};
	*line = t.line;
	return STREAM_OK;
}
