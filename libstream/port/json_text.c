#include <stream/json.h>

#include <stdbool.h>
#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "base/word.h"

enum {
	/* What strings up to here may need is not counted but taken as six
	 * for each byte: cheaper than a look at them, and small. */
	SMALL = 1024,
	/* {"b64":""} around the text, where a string has its quotes, and the
	 * seven bytes that put_word may store past the end. */
	AROUND = 17,
	/* [,], around a header. */
	AROUND_HEADER = 4
};

/* The letter after the backslash; u goes on with 00 and two digits. */
static uint8_t *
put_escape(uint8_t byte, uint8_t *to)
{
	static const char letters[] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu";

	to[0] = '\\';
	to[1] = byte < 0x20 ? (uint8_t)letters[byte] : byte;
	if (to[1] != 'u')
		return to + 2;
	to[2] = '0';
	to[3] = '0';
	return stream_hex_put(&byte, 1, to + 4);
}

/*
 * Eight bytes of ASCII, of which mask names those to escape.  Each escape
 * stores the rest of the word again, further on: a store costs little, and
 * nothing has to wait for how far the last one came.
 */
static uint8_t *
put_word(uint64_t word, uint64_t mask, uint8_t *to)
{
	stream_word_store(word, to);
	for (; mask != 0; mask &= mask - 1) {
		size_t at = stream_word_first(mask);
		uint64_t rest = word >> 8 * at;
		uint8_t *end = put_escape((uint8_t)rest, to + at);

		stream_word_store(rest >> 8, end);
		to = end - at - 1;
	}
	return to + 8;
}

/* One character; NULL when it is not UTF-8. */
static uint8_t *
put_character(const uint8_t **from, const uint8_t *end, uint8_t *to)
{
	uint8_t byte = **from;
	size_t n;

	if (byte < 0x20 || byte == '"' || byte == '\\') {
		*from += 1;
		return put_escape(byte, to);
	}
	n = stream_utf8_char(*from, end);
	for (size_t i = 0; i < n; i++)
		*to++ = *(*from)++;
	return n > 0 ? to : NULL;
}

/* Eight bytes from *from on, if they are ASCII.  Otherwise false, and only
 * what stands before the first that needs a look. */
static bool
put_eight(const uint8_t **from, uint8_t **to)
{
	uint64_t word = stream_word_load(*from);
	uint64_t high = stream_word_high(word);
	uint64_t mask = stream_word_json(word ^ high);
	size_t n;

	if (high == 0) {
		*from += 8;
		*to = put_word(word, mask, *to);
		return true;
	}
	n = stream_word_first(mask | high);
	stream_word_store(word, *to);
	*from += n;
	*to += n;
	return false;
}

uint8_t *
stream_json_put_string(struct stream_bytes bytes, uint8_t *to)
{
	const uint8_t *p = bytes.data;
	const uint8_t *end = p + bytes.size;

	*to++ = '"';
	while (p < end && to != NULL) {
		if (end - p >= 8 && *p < 0x80 && put_eight(&p, &to))
			continue;
		to = put_character(&p, end, to);
	}
	if (to != NULL)
		*to++ = '"';
	return to;
}

static uint8_t *
put_text(const char *text, size_t size, uint8_t *to)
{
	memcpy(to, text, size);
	return to + size;
}

uint8_t *
stream_json_put_base64(struct stream_bytes bytes, uint8_t *to)
{
	*to++ = '"';
	to = stream_base64_put(bytes.data, bytes.size, to);
	*to++ = '"';
	return to;
}

uint8_t *
stream_json_put(struct stream_bytes bytes, uint8_t *to)
{
	uint8_t *end;

	if (bytes.data == NULL)
		return put_text("null", 4, to);
	end = stream_json_put_string(bytes, to);
	if (end != NULL)
		return end;
	to = put_text("{\"b64\":", 7, to);
	to = stream_json_put_base64(bytes, to);
	return put_text("}", 1, to);
}

/* How many bytes the string takes if it is UTF-8, and not less if not. */
static size_t
count_escaped(struct stream_bytes bytes)
{
	size_t n = bytes.size;

	for (size_t i = 0; i < bytes.size; i++) {
		uint8_t byte = bytes.data[i];

		n += byte == '"' || byte == '\\';
		n += byte < 0x20 ? 5 : 0;
	}
	return n;
}

size_t
stream_json_bound(struct stream_bytes bytes)
{
	size_t escaped, encoded;

	if (bytes.size <= SMALL)
		return 6 * bytes.size + AROUND;
	escaped = count_escaped(bytes);
	encoded = stream_base64_size(bytes.size);
	return (escaped > encoded ? escaped : encoded) + AROUND;
}

uint8_t *
stream_json_put_headers(const struct stream_record *record, uint8_t *to)
{
	struct stream_bytes left = record->headers;
	struct stream_header header;

	*to++ = '[';
	for (uint32_t i = 0; i < record->header_count; i++) {
		if (!stream_header_take(&left, &header))
			break;
		if (i > 0)
			*to++ = ',';
		*to++ = '[';
		to = stream_json_put(header.name, to);
		*to++ = ',';
		to = stream_json_put(header.value, to);
		*to++ = ']';
	}
	*to++ = ']';
	return to;
}

size_t
stream_json_bound_headers(const struct stream_record *record)
{
	size_t around = 2 * AROUND + AROUND_HEADER;
	size_t bound = 2 + around * record->header_count;
	struct stream_bytes left = record->headers;
	struct stream_header header;

	if (left.size <= SMALL)
		return bound + 6 * left.size;
	for (uint32_t i = 0; i < record->header_count; i++) {
		if (!stream_header_take(&left, &header))
			break;
		bound += stream_json_bound(header.name);
		bound += stream_json_bound(header.value);
	}
	return bound;
}
