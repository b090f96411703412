/* Records as JSON lines: what is written, what is taken, and that the one is
 * the other.  jansson is the second opinion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <stream/jsonl.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MOST_HEADERS = 8 };

/* A record and the memory of its headers. */
struct sample {
	struct stream_record record;
	struct stream_header headers[MOST_HEADERS];
	uint8_t *encoded; /* owned */
};

static struct stream_bytes
text(const char *string)
{
	if (string == NULL)
		return (struct stream_bytes){0};
	return (struct stream_bytes){(const uint8_t *)string, strlen(string)};
}

/* Encode sample->headers, record.header_count of them. */
static void
encode_headers(struct sample *sample)
{
	struct stream_record *record = &sample->record;
	size_t size = 0;
	uint8_t *to;

	for (uint32_t i = 0; i < record->header_count; i++)
		size += stream_header_size(&sample->headers[i]);
	sample->encoded = malloc(size + 1);
	assert_non_null(sample->encoded);
	to = sample->encoded;
	for (uint32_t i = 0; i < record->header_count; i++)
		to = stream_header_put(to, &sample->headers[i]);
	record->headers = (struct stream_bytes){sample->encoded, size};
}

static void
init_origin(struct stream_origin *origin)
{
	assert_int_equal(
	    stream_origin_init(origin, "orders", 3, NULL), STREAM_OK);
}

/* The line in memory of exactly the bound (given; free it), so that a
 * sanitizer sees one byte too many. */
static uint8_t *
write_line(const struct stream_origin *origin,
    const struct stream_record *record, size_t *size)
{
	size_t bound = stream_jsonl_bound(origin, record);
	uint8_t *line = malloc(bound);

	assert_non_null(line);
	*size = (size_t)(stream_jsonl_put(origin, record, line) - line);
	assert_true(*size <= bound);
	assert_int_equal(line[*size - 1], '\n');
	return line;
}

static void
check_line(const struct stream_record *record, const char *wanted)
{
	struct stream_origin origin;
	uint8_t *line;
	size_t size;

	init_origin(&origin);
	line = write_line(&origin, record, &size);
	if (size - 1 != strlen(wanted) || memcmp(line, wanted, size - 1) != 0)
		fail_msg("%.*sand not\n%s", (int)size, line, wanted);
	free(line);
}

/* What stands for bytes as a value, and as a header's value. */
static const struct writing {
	const char *bytes;
	size_t size;
	const char *value;
	const char *half;
} writings[] = {
    {NULL, 0, "\"value\":null", "null"},
    {"", 0, "\"value\":\"\"", "\"\""},
    {"web", 3, "\"value\":\"web\"", "\"web\""},
    {"\"", 1, "\"value\":\"\\\"\"", "\"\\\"\""},
    {"\\", 1, "\"value\":\"\\\\\"", "\"\\\\\""},
    {"a/b", 3, "\"value\":\"a/b\"", "\"a/b\""},
    {"\0", 1, "\"value\":\"\\u0000\"", "\"\\u0000\""},
    {"\b\t\n\f\r\x0b\x1f\x7f", 8,
	"\"value\":\"\\b\\t\\n\\f\\r\\u000b\\u001f\x7f\"",
	"\"\\b\\t\\n\\f\\r\\u000b\\u001f\x7f\""},
    {"{\"a\":\"b\",\"c\":[\"d\"]}", 19,
	"\"value\":\"{\\\"a\\\":\\\"b\\\",\\\"c\\\":[\\\"d\\\"]}\"",
	"\"{\\\"a\\\":\\\"b\\\",\\\"c\\\":[\\\"d\\\"]}\""},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e", 14,
	"\"value\":\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e\"",
	"\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e\""},
    {"\"12345\xc3\xa9", 8, "\"value\":\"\\\"12345\xc3\xa9\"",
	"\"\\\"12345\xc3\xa9\""},
    {"\xff", 1, "\"value_b64\":\"/w==\"", "{\"b64\":\"/w==\"}"},
    {"\xc0\x80", 2, "\"value_b64\":\"wIA=\"", "{\"b64\":\"wIA=\"}"},
    {"\xed\xa0\x80", 3, "\"value_b64\":\"7aCA\"", "{\"b64\":\"7aCA\"}"},
    {"caf\xe9", 4, "\"value_b64\":\"Y2Fm6Q==\"", "{\"b64\":\"Y2Fm6Q==\"}"},
    {"\"\"\"\"\"\"\"\"\"\"\"\"\xe2\x82", 14,
	"\"value_b64\":\"IiIiIiIiIiIiIiIi4oI=\"",
	"{\"b64\":\"IiIiIiIiIiIiIiIi4oI=\"}"},
};

static void
values_and_headers_are_written_as_they_are_best_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(writings); i++) {
		const struct writing *row = &writings[i];
		struct stream_bytes bytes = {
		    (const uint8_t *)row->bytes, row->size};
		struct sample sample = {
		    .record = {.offset = 42,
			.timestamp_ms = 1767225600000,
			.key = text("u1"),
			.value = bytes,
			.header_count = 2},
		    .headers = {{text("src"), bytes},
			{bytes.data != NULL ? bytes : text("n"), text("x")}},
		};
		char wanted[512];

		encode_headers(&sample);
		snprintf(wanted, sizeof(wanted),
		    "{\"topic\":\"orders\",\"partition\":3,\"offset\":42,"
		    "\"ts\":1767225600000,\"key\":\"u1\",%s,"
		    "\"headers\":[[\"src\",%s],[%s,\"x\"]]}",
		    row->value, row->half,
		    bytes.data != NULL ? row->half : "\"n\"");
		check_line(&sample.record, wanted);
		free(sample.encoded);
	}
}

static void
all_members_are_always_there(void **state)
{
	struct stream_record record = {
	    .offset = INT64_MAX, .timestamp_ms = STREAM_NO_TIMESTAMP};

	(void)state;
	check_line(&record,
	    "{\"topic\":\"orders\",\"partition\":3,"
	    "\"offset\":9223372036854775807,\"ts\":-1,\"key\":null,"
	    "\"value\":null,\"headers\":[]}");
	record.offset = 0;
	record.timestamp_ms = INT64_MIN;
	record.key = (struct stream_bytes){(const uint8_t *)"\xfe", 1};
	check_line(&record,
	    "{\"topic\":\"orders\",\"partition\":3,\"offset\":0,"
	    "\"ts\":-9223372036854775808,\"key_b64\":\"/g==\","
	    "\"value\":null,\"headers\":[]}");
}

static void
any_name_of_a_directory_is_an_origin(void **state)
{
	char name[STREAM_ORIGIN_TOPIC_SIZE + 2];
	struct stream_record record = {0};
	struct stream_origin origin;
	struct stream_error err;
	json_error_t bad;
	uint8_t *line;
	size_t size;
	json_t *json;

	(void)state;
	memset(name, '\x01', sizeof(name));
	name[STREAM_ORIGIN_TOPIC_SIZE + 1] = '\0';
	assert_int_equal(
	    stream_origin_init(&origin, name, 0, &err), STREAM_EUSAGE);
	name[STREAM_ORIGIN_TOPIC_SIZE] = '\0';
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    stream_origin_init(&origin, name, INT32_MIN, NULL),
		    STREAM_OK);
		assert_string_equal(origin.topic, name);
		line = write_line(&origin, &record, &size);
		json = json_loadb((char *)line, size, 0, &bad);
		assert_non_null(json);
		assert_true(
		    (json_object_get(json, "topic_b64") != NULL) == (i == 1));
		json_decref(json);
		free(line);
		name[254] = '\xff';
	}
}

/* A 1 MiB value does not ask for 6 MiB, unless it needs them. */
static void
bound_of_a_large_value_is_close(void **state)
{
	enum { SIZE = 1 << 20 };
	static const struct {
		uint8_t byte;
		size_t each; /* bytes that one takes, in eighths */
	} rows[] = {{'a', 11}, {'"', 16}, {0, 48}, {0xff, 11}};
	uint8_t *bytes = malloc(SIZE);
	struct stream_record record = {.value = {bytes, SIZE}};
	struct stream_origin origin;

	(void)state;
	init_origin(&origin);
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t size;

		memset(bytes, rows[i].byte, SIZE);
		free(write_line(&origin, &record, &size));
		assert_true(stream_jsonl_bound(&origin, &record) <=
			    SIZE / 8 * rows[i].each + 512);
	}
	free(bytes);
}

/* --- taking ---------------------------------------------------------- */

static struct stream_jsonl_reader *
new_reader(void)
{
	struct stream_jsonl_reader *reader;

	assert_int_equal(stream_jsonl_reader_new(&reader, NULL), STREAM_OK);
	return reader;
}

static void
assert_bytes(struct stream_bytes got, struct stream_bytes wanted)
{
	assert_int_equal(got.size, wanted.size);
	assert_int_equal(got.data == NULL, wanted.data == NULL);
	if (got.size > 0)
		assert_memory_equal(got.data, wanted.data, got.size);
}

/* Take from memory of exactly the line's size. */
static int
take(struct stream_jsonl_reader *reader, const void *line, size_t size,
    struct stream_jsonl_line *out, struct stream_error *err)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);
	int status;

	assert_non_null(copy);
	memcpy(copy, line, size);
	status = stream_jsonl_take(
	    reader, (struct stream_bytes){copy, size}, out, err);
	free(copy);
	return status;
}

static const struct taking {
	const char *line;
	const char *key; /* as C strings; NULL is null */
	const char *value;
	int32_t partition;
	int64_t timestamp_ms; /* -2: none given */
	uint32_t headers;
} takings[] = {
    {"{}", NULL, NULL, -1, -2, 0},
    {" {\t} \r\n", NULL, NULL, -1, -2, 0},
    {"{\"value\":\"a\"}", NULL, "a", -1, -2, 0},
    {"{\"value\":\"\",\"key\":\"\"}", "", "", -1, -2, 0},
    {"{\"key\":null,\"value\":null,\"ts\":null,\"partition\":null,"
     "\"headers\":null,\"topic\":null,\"offset\":null}",
	NULL, NULL, -1, -2, 0},
    {"{\"ts\":-1}", NULL, NULL, -1, -1, 0},
    {"{\"ts\":-0}", NULL, NULL, -1, 0, 0},
    {"{\"ts\":9223372036854775807}", NULL, NULL, -1, INT64_MAX, 0},
    {"{\"ts\":-9223372036854775808}", NULL, NULL, -1, INT64_MIN, 0},
    {"{\"partition\":0}", NULL, NULL, 0, -2, 0},
    {"{\"partition\":2147483647}", NULL, NULL, INT32_MAX, -2, 0},
    {"{\"topic\":\"x\",\"offset\":-7,\"value\":\"v\"}", NULL, "v", -1, -2, 0},
    {"{\"topic_b64\":\"/w==\",\"value\":\"v\"}", NULL, "v", -1, -2, 0},
    {"{\"key_b64\":\"YQ==\",\"value_b64\":\"\"}", "a", "", -1, -2, 0},
    {"{\"key_b64\":null}", NULL, NULL, -1, -2, 0},
    {"{\"value_b64\":\"\\u0059Q\\u003d=\"}", NULL, "a", -1, -2, 0},
    {"{\"value_b64\":\"++\\/\\/\"}", NULL, "\xfb\xef\xff", -1, -2, 0},
    {"{\"value\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", NULL, "\"\\/\b\f\n\r\t", -1,
	-2, 0},
    {"{\"value\":\"\\u00e9\\u20AC\\uD834\\udd1e\\uffff\"}", NULL,
	"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\xef\xbf\xbf", -1, -2, 0},
    {"{\"v\\u0061lue\":\"a\"}", NULL, "a", -1, -2, 0},
    {"{\"value\":\"{\\\"seq\\\":1,\\\"action\\\":\\\"click\\\"}\"}", NULL,
	"{\"seq\":1,\"action\":\"click\"}", -1, -2, 0},
    {"{ \"headers\" : [ ] }", NULL, NULL, -1, -2, 0},
    {"{\"headers\":[[\"a\",\"b\"],[\"a\",null],[\"\",\"\"]]}", NULL, NULL, -1,
	-2, 3},
    {"{\"headers\":[ [ { \"b64\" : \"/w==\" } , {\"b64\":\"\"} ] ]}", NULL,
	NULL, -1, -2, 1},
};

static void
lines_are_taken(void **state)
{
	struct stream_jsonl_reader *reader = new_reader();

	(void)state;
	for (size_t i = 0; i < COUNT(takings); i++) {
		const struct taking *row = &takings[i];
		struct stream_jsonl_line line;
		struct stream_error err;

		if (take(reader, row->line, strlen(row->line), &line, &err) !=
		    STREAM_OK)
			fail_msg("%s: %s", row->line, err.text);
		assert_bytes(line.record.key, text(row->key));
		assert_bytes(line.record.value, text(row->value));
		assert_int_equal(line.partition, row->partition);
		assert_int_equal(line.has_timestamp, row->timestamp_ms != -2);
		assert_true(line.record.timestamp_ms ==
			    (row->timestamp_ms == -2 ? STREAM_NO_TIMESTAMP
						     : row->timestamp_ms));
		assert_int_equal(line.record.header_count, row->headers);
	}
	stream_jsonl_reader_free(reader);
}

static void
headers_are_taken_in_order(void **state)
{
	static const char line[] = "{\"headers\":[[\"a\",\"b\"],[\"a\",null],"
				   "[{\"b64\":\"/w==\"},\"\\u0000\"]]}";
	const struct stream_header wanted[] = {{text("a"), text("b")},
	    {text("a"), text(NULL)}, {text("\xff"), {(const uint8_t *)"", 1}}};
	struct stream_jsonl_reader *reader = new_reader();
	struct stream_header header;
	struct stream_jsonl_line out;
	struct stream_bytes left;

	(void)state;
	assert_int_equal(
	    take(reader, line, strlen(line), &out, NULL), STREAM_OK);
	left = out.record.headers;
	for (size_t i = 0; i < COUNT(wanted); i++) {
		assert_true(stream_header_take(&left, &header));
		assert_bytes(header.name, wanted[i].name);
		assert_bytes(header.value, wanted[i].value);
	}
	assert_false(stream_header_take(&left, &header));
	stream_jsonl_reader_free(reader);
}

/* pos counts from 0, the column in the message from 1. */
static const struct refusal {
	const char *line;
	uint64_t pos;
	const char *says;
} refusals[] = {
    {"", 0, "the line ends where { should be"},
    {"  ", 2, "the line ends where { should be"},
    {"[]", 0, "{ should be here"},
    {"\"a\"", 0, "{ should be here"},
    {"\xef\xbb\xbf{}", 0, "{ should be here"},
    {"{", 1, "a string should be here"},
    {"{} {}", 3, "the object ends before this"},
    {"{}x", 2, "the object ends before this"},
    {"{,}", 1, "a string should be here"},
    {"{\"value\":\"a\",}", 13, "a string should be here"},
    {"{\"value\" \"a\"}", 9, ": should be here"},
    {"{\"value\":\"a\" \"key\":\"b\"}", 13, "} should be here"},
    {"{\"value\":\"a\"", 12, "the line ends where } should be"},
    {"{\"value\":a}", 9, "a string should be here"},
    {"{\"value\":1}", 9, "a string should be here"},
    {"{\"value\":true}", 9, "a string should be here"},
    {"{\"value\":nul}", 9, "a string should be here"},
    {"{\"value\":nulls}", 13, "} should be here"},
    {"{\"value\":{\"a\":1}}", 9, "a string should be here"},
    {"{\"value\":\"a}", 12, "the line ends inside a string"},
    {"{\"value\":\"a\\", 12, "the line ends inside a string"},
    {"{\"value\":\"\\", 11, "the line ends inside a string"},
    {"{\"value\":\"a\\\"}", 14, "the line ends inside a string"},
    {"{\"value\":\"\\x41\"}", 10, "JSON has no such escape"},
    {"{\"value\":\"\\'\"}", 10, "JSON has no such escape"},
    {"{\"value\":\"\\u12\"}", 10, "four hexadecimal digits"},
    {"{\"value\":\"\\u12", 10, "four hexadecimal digits"},
    {"{\"value\":\"\\u12g4\"}", 10, "four hexadecimal digits"},
    {"{\"value\":\"\\ud834\"}", 10, "half of a surrogate pair"},
    {"{\"value\":\"\\ud834\\u0041\"}", 10, "half of a surrogate pair"},
    {"{\"value\":\"\\ud834\\ud834\"}", 10, "half of a surrogate pair"},
    {"{\"value\":\"\\udd1e\"}", 10, "half of a surrogate pair"},
    {"{\"value\":\"a\tb\"}", 11, "a control character"},
    {"{\"value\":\"\x1f\"}", 10, "a control character"},
    {"{\"value\":\"ab\xff\"}", 12, "not UTF-8"},
    {"{\"value\":\"\xed\xa0\x80\"}", 10, "not UTF-8"},
    {"{\"value\":\"\xc3\"}", 10, "not UTF-8"},
    {"{\"val\":\"a\"}", 1, "unknown member \"val\""},
    {"{\"value\":\"a\", \"\x7f\xc3\xa9\":1}", 14, "unknown member \"\?\?\?\""},
    {"{\"\":1}", 1, "unknown member \"\""},
    {"{\"Key\":\"a\"}", 1, "unknown member \"Key\""},
    {"{\"key\":\"a\",\"key\":\"a\"}", 11, "key is given twice"},
    {"{\"key\":\"a\",\"key_b64\":\"YQ==\"}", 11, "key_b64 is given twice"},
    {"{\"value_b64\":null,\"value\":null}", 18, "value is given twice"},
    {"{\"key_b64\":\"YQ\"}", 11, "not base64"},
    {"{\"key_b64\": \"YQ\"}", 12, "not base64"},
    {"{\"key_b64\":\"YR==\"}", 11, "at letter 2"},
    {"{\"key_b64\":\"Y Q==\"}", 11, "not base64"},
    {"{\"key_b64\":\"-_--\"}", 11, "at letter 1"},
    {"{\"key_b64\":7}", 11, "a string should be here"},
    {"{\"ts\":\"1\"}", 6, "a whole number should be here"},
    {"{\"ts\":1.0}", 6, "a whole number should be here"},
    {"{\"ts\":1e3}", 6, "a whole number should be here"},
    {"{\"ts\":01}", 6, "a whole number should be here"},
    {"{\"ts\":+1}", 6, "a whole number should be here"},
    {"{\"ts\":-}", 6, "a whole number should be here"},
    {"{\"ts\":- 1}", 6, "a whole number should be here"},
    {"{\"ts\":", 6, "a whole number should be here"},
    {"{\"ts\":9223372036854775808}", 6, "the number is not from"},
    {"{\"ts\":-9223372036854775809}", 6, "the number is not from"},
    {"{\"ts\":99999999999999999999999999}", 6, "the number is not from"},
    {"{\"partition\":-1}", 13, "not from 0 to 2147483647"},
    {"{\"partition\":2147483648}", 13, "not from 0 to 2147483647"},
    {"{\"topic\":7}", 9, "a string should be here"},
    {"{\"offset\":\"7\"}", 10, "a whole number should be here"},
    {"{\"headers\":{}}", 11, "[ should be here"},
    {"{\"headers\":[\"a\",\"b\"]}", 12, "[ should be here"},
    {"{\"headers\":[[]]}", 13, "a string should be here"},
    {"{\"headers\":[[\"a\"]]}", 16, ", should be here"},
    {"{\"headers\":[[\"a\",\"b\",\"c\"]]}", 20, "] should be here"},
    {"{\"headers\":[[null,\"b\"]]}", 13, "a string should be here"},
    {"{\"headers\":[[\"a\",\"b\"],]}", 22, "[ should be here"},
    {"{\"headers\":[[\"a\",{\"b46\":\"\"}]]}", 18, "\"b64\" should be here"},
    {"{\"headers\":[[\"a\",{\"b64\":null}]]}", 24, "a string should be here"},
    {"{\"headers\":[[\"a\",{\"b64\":\"\",\"b64\":\"\"}]]}", 26,
	"} should be here"},
    {"{\"headers\":[[[[[[[[[[", 13, "a string should be here"},
};

static void
what_would_be_lost_is_refused_by_column(void **state)
{
	struct stream_jsonl_reader *reader = new_reader();

	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		const struct refusal *row = &refusals[i];
		struct stream_jsonl_line line = {.partition = 77};
		struct stream_error err = {0};
		char column[32];

		if (take(reader, row->line, strlen(row->line), &line, &err) !=
		    STREAM_EUSAGE)
			fail_msg("%s was taken", row->line);
		snprintf(
		    column, sizeof(column), "column %d: ", (int)row->pos + 1);
		if (err.pos != row->pos ||
		    strstr(err.text, row->says) == NULL ||
		    strncmp(err.text, column, strlen(column)) != 0)
			fail_msg("%s: %s", row->line, err.text);
		assert_int_equal(err.status, STREAM_EUSAGE);
		assert_int_equal(line.partition, 77);
		assert_int_equal(
		    take(reader, row->line, strlen(row->line), &line, NULL),
		    STREAM_EUSAGE);
	}
	stream_jsonl_reader_free(reader);
}

/* --- there and back -------------------------------------------------- */

/* xorshift: the same records on every machine. */
static uint64_t
next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Bytes of one of several kinds, null and empty among them, written to the
 * free part of memory. */
static struct stream_bytes
random_bytes(uint64_t *seed, uint8_t **memory)
{
	static const char *const pieces[] = {"\"", "\\", "a", "bcd", ":", "{",
	    "\n", "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9d\x84\x9e",
	    "0123456789abcdef", "\xed\x9f\xbf", "/", "\x7f", " "};
	uint64_t kind = next_random(seed) % 8;
	size_t count = next_random(seed) % 40;
	uint8_t *to = *memory;

	if (kind == 0)
		return (struct stream_bytes){0};
	for (size_t i = 0; i < count; i++) {
		const char *piece = pieces[next_random(seed) % COUNT(pieces)];

		if (kind == 1) {
			*(*memory)++ = (uint8_t)next_random(seed);
			continue;
		}
		memcpy(*memory, piece, strlen(piece));
		*memory += strlen(piece);
		/* Now and then a character is cut short. */
		if (kind == 2 && next_random(seed) % 16 == 0)
			*memory -= 1;
	}
	return (struct stream_bytes){to, (size_t)(*memory - to)};
}

static void
make_sample(uint64_t *seed, uint8_t *memory, struct sample *sample)
{
	*sample = (struct sample){
	    .record = {
		.offset = (int64_t)next_random(seed) & INT64_MAX,
		.timestamp_ms = (int64_t)next_random(seed),
		.key = random_bytes(seed, &memory),
		.value = random_bytes(seed, &memory),
	    }};
	if (next_random(seed) % 4 != 0)
		sample->record.header_count =
		    (uint32_t)(next_random(seed) % MOST_HEADERS);
	for (uint32_t i = 0; i < sample->record.header_count; i++) {
		sample->headers[i].name = random_bytes(seed, &memory);
		if (sample->headers[i].name.data == NULL)
			sample->headers[i].name = text("");
		sample->headers[i].value = random_bytes(seed, &memory);
	}
	encode_headers(sample);
}

static void
check_same(const struct stream_record *got, const struct stream_record *wanted)
{
	assert_true(got->timestamp_ms == wanted->timestamp_ms);
	assert_bytes(got->key, wanted->key);
	assert_bytes(got->value, wanted->value);
	assert_int_equal(got->header_count, wanted->header_count);
	assert_int_equal(got->headers.size, wanted->headers.size);
	if (got->headers.size > 0)
		assert_memory_equal(
		    got->headers.data, wanted->headers.data, got->headers.size);
}

/* jansson takes the line, and finds the same value in it. */
static void
check_by_jansson(
    const uint8_t *line, size_t size, const struct stream_record *wanted)
{
	json_error_t bad;
	json_t *json = json_loadb((const char *)line, size,
	    JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &bad);
	json_t *value;

	if (json == NULL)
		fail_msg("%.*s: %s", (int)size, line, bad.text);
	assert_int_equal(json_object_size(json), 7);
	value = json_object_get(json, "value");
	if (json_is_string(value)) {
		assert_int_equal(json_string_length(value), wanted->value.size);
		assert_memory_equal(json_string_value(value),
		    wanted->value.data, wanted->value.size);
	} else if (value != NULL) {
		assert_true(json_is_null(value));
		assert_null(wanted->value.data);
	}
	json_decref(json);
}

static void
any_record_comes_back_byte_for_byte(void **state)
{
	struct stream_jsonl_reader *reader = new_reader();
	uint8_t *memory = malloc(18 * 40 * 16);
	uint64_t seed = 20260301;
	struct stream_origin origin;

	(void)state;
	init_origin(&origin);
	for (int i = 0; i < 20000; i++) {
		struct stream_jsonl_line out;
		struct sample sample;
		uint8_t *line;
		size_t size;

		make_sample(&seed, memory, &sample);
		line = write_line(&origin, &sample.record, &size);
		assert_int_equal(
		    take(reader, line, size, &out, NULL), STREAM_OK);
		assert_int_equal(out.partition, 3);
		assert_true(out.has_timestamp);
		check_same(&out.record, &sample.record);
		check_by_jansson(line, size, &sample.record);
		free(line);
		free(sample.encoded);
	}
	free(memory);
	stream_jsonl_reader_free(reader);
}

/* A line with a few bytes changed, swapped or cut. */
static void
spoil(uint64_t *seed, uint8_t *line, size_t *size)
{
	static const char marks[] = "\"\\{}[],:0-9.eunl \x01\x80\xc3\xff/=";

	for (uint64_t n = 1 + next_random(seed) % 3; n > 0; n--) {
		size_t at = next_random(seed) % *size;
		size_t other = next_random(seed) % *size;

		switch (next_random(seed) % 4) {
		case 0:
			line[at] = (uint8_t)
			    marks[next_random(seed) % (sizeof(marks) - 1)];
			break;
		case 1:
			line[at] = line[other];
			break;
		case 2:
			memmove(line + at, line + at + 1, *size - at - 1);
			*size -= *size > 1;
			break;
		default:
			*size = *size > 20 && other % 8 == 0 ? at + 1 : *size;
		}
	}
}

/* What we take is JSON; the other way round we ask for more. */
static void
nothing_is_taken_that_is_not_json(void **state)
{
	struct stream_jsonl_reader *reader = new_reader();
	uint8_t *memory = malloc(18 * 40 * 16);
	uint64_t seed = 42;
	struct stream_origin origin;
	int taken = 0;

	(void)state;
	init_origin(&origin);
	for (int i = 0; i < 40000; i++) {
		struct stream_jsonl_line out;
		struct sample sample;
		json_error_t bad;
		uint8_t *line;
		json_t *json;
		size_t size;

		make_sample(&seed, memory, &sample);
		line = write_line(&origin, &sample.record, &size);
		spoil(&seed, line, &size);
		if (take(reader, line, size, &out, NULL) == STREAM_OK) {
			taken++;
			json = json_loadb((char *)line, size,
			    JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &bad);
			if (json == NULL)
				fail_msg("%.*s: %s", (int)size, line, bad.text);
			json_decref(json);
		}
		free(line);
		free(sample.encoded);
	}
	assert_true(taken > 1000);
	free(memory);
	stream_jsonl_reader_free(reader);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		values_and_headers_are_written_as_they_are_best_read),
	    cmocka_unit_test(all_members_are_always_there),
	    cmocka_unit_test(any_name_of_a_directory_is_an_origin),
	    cmocka_unit_test(bound_of_a_large_value_is_close),
	    cmocka_unit_test(lines_are_taken),
	    cmocka_unit_test(headers_are_taken_in_order),
	    cmocka_unit_test(what_would_be_lost_is_refused_by_column),
	    cmocka_unit_test(any_record_comes_back_byte_for_byte),
	    cmocka_unit_test(nothing_is_taken_that_is_not_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
