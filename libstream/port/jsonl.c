#include <stream/jsonl.h>

#include <string.h>

#include <stream/json.h>

#include "base/decimal.h"
#include "base/fail.h"
#include "port/pieces.h"

enum {
	/* All names, the punctuation and the newline after the prefix. */
	NAMES_SIZE = sizeof(",\"ts\":,\"key_b64\":\"\",\"value_b64\":\"\","
			    "\"headers\":}\n")
};

static uint8_t *
put_text(const char *text, size_t size, uint8_t *to)
{
	memcpy(to, text, size);
	return to + size;
}
/* With a literal the size is a constant, and the copy a few moves. */
#define PUT(literal, to) put_text(literal, sizeof(literal) - 1, to)

/*
 * Write name and its colon (both in name), and bytes as a string or null;
 * where they are not UTF-8, name_b64 and base64 over what was written so far.
 */
static inline uint8_t *
put_member(const char *name, const char *name_b64, struct stream_bytes bytes,
    uint8_t *to)
{
	uint8_t *start = to;
	uint8_t *end;

	to = put_text(name, strlen(name), to);
	if (bytes.data == NULL)
		return PUT("null", to);
	end = stream_json_put_string(bytes, to);
	if (end != NULL)
		return end;
	to = put_text(name_b64, strlen(name_b64), start);
	return stream_json_put_base64(bytes, to);
}

int
stream_origin_init(struct stream_origin *origin, const char *topic,
    int32_t partition, struct stream_error *err)
{
	size_t size = strlen(topic);
	struct stream_bytes name = {(const uint8_t *)topic, size};
	uint8_t *to = origin->json;

	if (size > STREAM_ORIGIN_TOPIC_SIZE)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "the topic's name has more than %d bytes",
		    STREAM_ORIGIN_TOPIC_SIZE);
	origin->partition = partition;
	origin->topic_size = (uint32_t)size;
	memcpy(origin->topic, topic, size + 1);
	to = put_member("{\"topic\":", "{\"topic_b64\":", name, to);
	to = PUT(",\"partition\":", to);
	to = stream_decimal_put(partition, to);
	to = PUT(",\"offset\":", to);
	origin->json_size = (uint32_t)(to - origin->json);
	return STREAM_OK;
}

size_t
stream_jsonl_bound(
    const struct stream_origin *origin, const struct stream_record *record)
{
	return origin->json_size + 2 * STREAM_DECIMAL_SIZE + NAMES_SIZE +
	       stream_json_bound(record->key) +
	       stream_json_bound(record->value) +
	       stream_json_bound_headers(record);
}

uint8_t *
stream_jsonl_put(const struct stream_origin *origin,
    const struct stream_record *record, uint8_t *to)
{
	memcpy(to, origin->json, origin->json_size);
	to += origin->json_size;
	to = stream_decimal_put(record->offset, to);
	to = PUT(",\"ts\":", to);
	to = stream_decimal_put(record->timestamp_ms, to);
	to = put_member(",\"key\":", ",\"key_b64\":", record->key, to);
	to = put_member(",\"value\":", ",\"value_b64\":", record->value, to);
	to = PUT(",\"headers\":", to);
	to = stream_json_put_headers(record, to);
	return PUT("}\n", to);
}

static void
put_number(int64_t number, const struct stream_sink *sink)
{
	uint8_t text[STREAM_DECIMAL_SIZE];

	sink->put(sink->context, text,
	    (size_t)(stream_decimal_put(number, text) - text));
}

void
stream_jsonl_put_large(const struct stream_origin *origin,
    const struct stream_record *record, const struct stream_sink *sink)
{
	sink->put(sink->context, origin->json, origin->json_size);
	put_number(record->offset, sink);
	stream_pieces_put(sink, ",\"ts\":");
	put_number(record->timestamp_ms, sink);
	stream_pieces_put_member(
	    ",\"key\":", ",\"key_b64\":", record->key, sink);
	stream_pieces_put_member(
	    ",\"value\":", ",\"value_b64\":", record->value, sink);
	stream_pieces_put(sink, ",\"headers\":");
	stream_pieces_put_headers(record, sink);
	stream_pieces_put(sink, "}\n");
}
