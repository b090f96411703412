#include "port/pieces.h"

#include <string.h>

#include <stream/json.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "port/field_text.h"

enum {
	/* Of three bytes each, as base64 wants them; small enough that the
	 * text of one fits a thread's stack many times. */
	PIECE = 3 * 1024,
	/* Six for each byte, the quotes, and what is stored past the end. */
	TEXT = 6 * PIECE + 32
};

static void
put(const struct stream_sink *sink, const uint8_t *bytes, size_t size)
{
	if (size > 0)
		sink->put(sink->context, bytes, size);
}

void
stream_pieces_put(const struct stream_sink *sink, const char *text)
{
	put(sink, (const uint8_t *)text, strlen(text));
}

/* What is known to be UTF-8, cut between characters. */
static void
put_string(struct stream_bytes left, const struct stream_sink *sink)
{
	uint8_t text[TEXT];

	stream_pieces_put(sink, "\"");
	while (left.size > 0) {
		size_t n = left.size < PIECE ? left.size : PIECE;
		const uint8_t *end;

		n = stream_utf8_span(left.data, n);
		end = stream_json_put_string(
		    (struct stream_bytes){left.data, n}, text);
		put(sink, text + 1, (size_t)(end - text) - 2);
		left.data += n;
		left.size -= n;
	}
	stream_pieces_put(sink, "\"");
}

/* Each piece by itself, which fits for base64 since PIECE is made so. */
static void
put_each(struct stream_bytes left, const struct stream_sink *sink,
    uint8_t *(*write)(struct stream_bytes bytes, uint8_t *to))
{
	uint8_t text[TEXT];

	while (left.size > 0) {
		size_t n = left.size < PIECE ? left.size : PIECE;
		struct stream_bytes piece = {left.data, n};

		put(sink, text, (size_t)(write(piece, text) - text));
		left.data += n;
		left.size -= n;
	}
}

static uint8_t *
write_base64(struct stream_bytes bytes, uint8_t *to)
{
	return stream_base64_put(bytes.data, bytes.size, to);
}

static bool
is_string(struct stream_bytes bytes)
{
	return stream_utf8_span(bytes.data, bytes.size) == bytes.size;
}

static void
put_base64(struct stream_bytes bytes, const struct stream_sink *sink)
{
	stream_pieces_put(sink, "\"");
	put_each(bytes, sink, write_base64);
	stream_pieces_put(sink, "\"");
}

void
stream_pieces_put_json(
    struct stream_bytes bytes, const struct stream_sink *sink)
{
	if (bytes.data == NULL) {
		stream_pieces_put(sink, "null");
	} else if (is_string(bytes)) {
		put_string(bytes, sink);
	} else {
		stream_pieces_put(sink, "{\"b64\":");
		put_base64(bytes, sink);
		stream_pieces_put(sink, "}");
	}
}

void
stream_pieces_put_member(const char *name, const char *name_b64,
    struct stream_bytes bytes, const struct stream_sink *sink)
{
	if (bytes.data != NULL && !is_string(bytes)) {
		stream_pieces_put(sink, name_b64);
		put_base64(bytes, sink);
		return;
	}
	stream_pieces_put(sink, name);
	stream_pieces_put_json(bytes, sink);
}

void
stream_pieces_put_headers(
    const struct stream_record *record, const struct stream_sink *sink)
{
	struct stream_bytes left = record->headers;
	struct stream_header header;
	const char *before = "[";

	for (uint32_t i = 0; i < record->header_count; i++) {
		if (!stream_header_take(&left, &header))
			break;
		stream_pieces_put(sink, before);
		stream_pieces_put(sink, "[");
		stream_pieces_put_json(header.name, sink);
		stream_pieces_put(sink, ",");
		stream_pieces_put_json(header.value, sink);
		stream_pieces_put(sink, "]");
		before = ",";
	}
	stream_pieces_put(sink, *before == '[' ? "[]" : "]");
}

/* In quotes, whose own are doubled. */
static uint8_t *
write_quoted(struct stream_bytes bytes, uint8_t *to)
{
	for (size_t i = 0; i < bytes.size; i++) {
		if (bytes.data[i] == '"')
			*to++ = '"';
		*to++ = bytes.data[i];
	}
	return to;
}

static void
put_csv(struct stream_bytes bytes, const struct stream_sink *sink)
{
	bool quoted = stream_field_needs_quotes(bytes);

	if (quoted)
		stream_pieces_put(sink, "\"");
	put_each(bytes, sink, quoted ? write_quoted : stream_field_put);
	if (quoted)
		stream_pieces_put(sink, "\"");
}

void
stream_pieces_put_form(enum stream_form form, struct stream_bytes bytes,
    const struct stream_sink *sink)
{
	if (form == STREAM_FORM_JSON)
		stream_pieces_put_json(bytes, sink);
	else if (form == STREAM_FORM_CSV)
		put_csv(bytes, sink);
	else if (bytes.data == NULL && form == STREAM_FORM_TSV)
		stream_pieces_put(sink, "\\N");
	else if (bytes.data == NULL && form == STREAM_FORM_DUMP)
		stream_pieces_put(sink, "-");
	else if (form == STREAM_FORM_PLAIN)
		put(sink, bytes.data, bytes.size);
	else if (form == STREAM_FORM_BASE64)
		put_each(bytes, sink, write_base64);
	else
		put_each(bytes, sink,
		    form == STREAM_FORM_TSV ? stream_field_put_tsv
					    : stream_field_put_hex);
}
