/* The headers of a record, for those who read and write them. */
#include <stream/record.h>

#include <string.h>

#include "codec/varint.h"

bool
stream_header_take(struct stream_bytes *headers, struct stream_header *header)
{
	const uint8_t *at = headers->data;
	const uint8_t *end;
	int32_t size;

	if (headers->size == 0)
		return false;
	end = at + headers->size;
	if (!stream_varint_take(&at, end, &size) || size < 0 || size > end - at)
		return false;
	header->name = (struct stream_bytes){at, (size_t)size};
	at += size;
	if (!stream_varint_take(&at, end, &size) || size > end - at)
		return false;
	header->value = (struct stream_bytes){
	    size < 0 ? NULL : at, size < 0 ? 0 : (size_t)size};
	at += header->value.size;
	*headers = (struct stream_bytes){at, (size_t)(end - at)};
	return true;
}

static int64_t
length_of(struct stream_bytes bytes)
{
	return bytes.data == NULL ? -1 : (int64_t)bytes.size;
}

size_t
stream_header_size(const struct stream_header *header)
{
	return stream_varint_size((int64_t)header->name.size) +
	       header->name.size +
	       stream_varint_size(length_of(header->value)) +
	       header->value.size;
}

uint8_t *
stream_header_put(uint8_t *to, const struct stream_header *header)
{
	to = stream_varint_put(to, (int64_t)header->name.size);
	if (header->name.size > 0)
		memcpy(to, header->name.data, header->name.size);
	to =
	    stream_varint_put(to + header->name.size, length_of(header->value));
	if (header->value.size > 0)
		memcpy(to, header->value.data, header->value.size);
	return to + header->value.size;
}
