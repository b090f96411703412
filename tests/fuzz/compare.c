#include "compare.h"

#include <string.h>

enum refdec_verdict
fuzz_verdict(int status)
{
	switch (status) {
	case STREAM_OK:
		return REFDEC_GOOD;
	case STREAM_ETORN:
		return REFDEC_TORN;
	case STREAM_ENEWER:
		return REFDEC_NEWER;
	case STREAM_ETOOBIG: /* SPEC 11: above the reader's limit */
	case STREAM_ECORRUPT:
		return REFDEC_CORRUPT;
	default:
		fuzz_fail(__FILE__, status, "a status that is a verdict");
	}
}

bool
fuzz_agree(int status, int verdict)
{
	return fuzz_verdict(status) == (enum refdec_verdict)verdict;
}

bool
fuzz_agree_on_stream(int status, int verdict)
{
	bool refused = status != STREAM_OK && verdict != REFDEC_GOOD;

	return fuzz_agree(status, verdict) ||
	       (refused && fuzz_verdict(status) != REFDEC_TORN &&
		   verdict != REFDEC_TORN);
}

static void
put(struct stream_buf *out, const void *bytes, size_t n)
{
	FUZZ_CHECK(stream_buf_add(out, bytes, n, NULL) == STREAM_OK);
}

static void
put_number(struct stream_buf *out, int64_t number)
{
	put(out, &number, sizeof(number));
}

static void
put_bytes(struct stream_buf *out, struct stream_bytes bytes)
{
	put_number(out, bytes.data == NULL ? -1 : (int64_t)bytes.size);
	if (bytes.size > 0)
		put(out, bytes.data, bytes.size);
}

void
fuzz_put_record(struct stream_buf *out, const struct stream_record *record)
{
	struct stream_bytes headers = record->headers;
	struct stream_header header;
	uint32_t count = 0;

	put_number(out, record->offset);
	put_number(out, record->timestamp_ms);
	put_bytes(out, record->key);
	put_bytes(out, record->value);
	put_number(out, record->header_count);
	for (; stream_header_take(&headers, &header); count++) {
		FUZZ_CHECK(header.name.data != NULL);
		put_bytes(out, header.name);
		put_bytes(out, header.value);
	}
	FUZZ_CHECK(count == record->header_count);
}

static struct stream_bytes
bytes_of(struct refdec_bytes bytes)
{
	return bytes.n < 0 ? (struct stream_bytes){NULL, 0}
			   : (struct stream_bytes){bytes.p, (size_t)bytes.n};
}

void
fuzz_put_refdec(void *buf, const struct refdec_record *record)
{
	struct stream_buf *out = buf;
	struct refdec_cursor at = record->at;
	struct refdec_bytes name, value;

	put_number(out, record->offset);
	put_number(out, record->time);
	put_bytes(out, bytes_of(record->key));
	put_bytes(out, bytes_of(record->value));
	put_number(out, record->headers);
	for (int64_t i = 0; i < record->headers; i++) {
		name = refdec_bytes(&at, 0);
		value = refdec_bytes(&at, -1);
		put_bytes(out, bytes_of(name));
		put_bytes(out, bytes_of(value));
	}
}

bool
fuzz_same(const struct stream_buf *a, const struct stream_buf *b)
{
	return a->size == b->size &&
	       (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}
