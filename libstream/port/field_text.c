#include "port/field_text.h"

#include <string.h>

#include "base/base64.h"

uint8_t *
stream_field_put(struct stream_bytes bytes, uint8_t *to)
{
	if (bytes.size > 0)
		memcpy(to, bytes.data, bytes.size);
	return to + bytes.size;
}

/* The letter after the backslash; 0 for a byte that stays as it is. */
static const uint8_t tsv_letters[256] = {
    ['\t'] = 't',
    ['\n'] = 'n',
    ['\r'] = 'r',
    ['\\'] = '\\',
};

uint8_t *
stream_field_put_tsv(struct stream_bytes bytes, uint8_t *to)
{
	if (bytes.data == NULL) {
		memcpy(to, "\\N", 2);
		return to + 2;
	}
	for (size_t i = 0; i < bytes.size; i++) {
		uint8_t letter = tsv_letters[bytes.data[i]];

		if (letter != 0)
			*to++ = '\\';
		*to++ = letter != 0 ? letter : bytes.data[i];
	}
	return to;
}

bool
stream_field_needs_quotes(struct stream_bytes bytes)
{
	for (size_t i = 0; i < bytes.size; i++) {
		uint8_t byte = bytes.data[i];

		if (byte == ',' || byte == '"' || byte == '\n' || byte == '\r')
			return true;
	}
	return bytes.data != NULL && bytes.size == 0;
}

uint8_t *
stream_field_put_csv(struct stream_bytes bytes, uint8_t *to)
{
	if (!stream_field_needs_quotes(bytes))
		return stream_field_put(bytes, to);
	*to++ = '"';
	for (size_t i = 0; i < bytes.size; i++) {
		if (bytes.data[i] == '"')
			*to++ = '"';
		*to++ = bytes.data[i];
	}
	*to++ = '"';
	return to;
}

uint8_t *
stream_field_put_hex(struct stream_bytes bytes, uint8_t *to)
{
	return stream_hex_put(bytes.data, bytes.size, to);
}

uint8_t *
stream_field_put_dump(struct stream_bytes bytes, uint8_t *to)
{
	if (bytes.data != NULL)
		return stream_field_put_hex(bytes, to);
	*to++ = '-';
	return to;
}
