#include "codec/batch_build.h"

#include "base/bytes.h"

static uint8_t *
put_bytes(uint8_t *at, struct stream_bytes bytes)
{
	if (bytes.data == NULL)
		return stream_varint_put(at, -1);
	at = stream_varint_put(at, (int64_t)bytes.size);
	memcpy(at, bytes.data, bytes.size);
	return at + bytes.size;
}

uint8_t *
stream_record_put(uint8_t *at, const struct stream_record *record,
    int64_t time_delta, int32_t offset_delta)
{
	size_t size = 1 + stream_varint_size(time_delta) +
		      stream_varint_size(offset_delta) +
		      stream_record_bytes_size(record->key) +
		      stream_record_bytes_size(record->value) +
		      stream_varint_size(record->header_count) +
		      record->headers.size;

	at = stream_varint_put(at, (int64_t)size);
	*at++ = 0;
	at = stream_varint_put(at, time_delta);
	at = stream_varint_put(at, offset_delta);
	at = put_bytes(at, record->key);
	at = put_bytes(at, record->value);
	at = stream_varint_put(at, record->header_count);
	if (record->headers.size > 0)
		memcpy(at, record->headers.data, record->headers.size);
	return at + record->headers.size;
}

void
stream_batch_build_header(const struct stream_batch_build *build,
    enum stream_codec codec, uint8_t *bytes, size_t size)
{
	uint8_t *p = bytes;

	stream_store64(p, 0);
	stream_store32(p + 8, (uint32_t)(size - STREAM_BATCH_PREFIX));
	stream_store32(p + 12, UINT32_MAX);
	p[STREAM_BATCH_MAGIC_AT] = 2;
	stream_store16(p + 21, (uint16_t)codec);
	stream_store32(p + 23, (uint32_t)(build->count - 1));
	stream_store64(p + 27, (uint64_t)build->base_timestamp_ms);
	stream_store64(p + 35, (uint64_t)build->max_timestamp_ms);
	memset(p + 43, 0xff, 14); /* producer id, epoch, sequence: none */
	stream_store32(p + 57, (uint32_t)build->count);
}
