#include "codec/records.h"

#include "base/fail.h"
#include "codec/varint.h"

/* Nine bytes of the first three fields, then three for each that may follow
 * where a record should have ended. */
enum { SLACK = 16 };

int
stream_records_start(struct stream_records *walk,
    const struct stream_batch *batch, struct stream_bytes bytes,
    struct stream_error *err)
{
	if ((size_t)batch->info.record_count > bytes.size / STREAM_RECORD_LEAST)
		return stream_fail(err, STREAM_ECORRUPT, 0,
		    "%d records do not fit %zu bytes", batch->info.record_count,
		    bytes.size);
	*walk = (struct stream_records){
	    .at = bytes.data,
	    .start = bytes.data,
	    .end = bytes.data + bytes.size,
	    .batch = batch,
	    .left = batch->info.record_count,
	    .last_delta = -1,
	};
	return STREAM_OK;
}

/* A length and that many bytes; -1 is null, which least allows or not. */
static inline bool
take_bytes(const uint8_t **at, const uint8_t *end, int32_t least,
    struct stream_bytes *bytes)
{
	int32_t size;

	if (!stream_varint_take(at, end, &size) || size < least ||
	    size > end - *at)
		return false;
	bytes->data = size < 0 ? NULL : *at;
	bytes->size = size < 0 ? 0 : (size_t)size;
	*at += bytes->size;
	return true;
}

static bool
skip_headers(const uint8_t **at, const uint8_t *end, int32_t count)
{
	struct stream_bytes part;

	/* A header takes two bytes at least, so count cannot outrun end. */
	for (int32_t i = 0; i < count; i++)
		if (!take_bytes(at, end, 0, &part) ||
		    !take_bytes(at, end, -1, &part))
			return false;
	return true;
}

static inline void
fill(struct stream_records *walk, struct stream_record *record, int32_t delta,
    int64_t time_delta)
{
	record->offset = walk->batch->info.base_offset + delta;
	record->timestamp_ms = stream_record_time(walk->batch, time_delta);
	record->batch = &walk->batch->info;
	walk->last_delta = delta;
}

/* One record, whose length was taken already; NULL, or what is wrong. */
static inline const char *
take_fields(struct stream_records *walk, const uint8_t *end,
    struct stream_record *record)
{
	const uint8_t *at = walk->at;
	int64_t time_delta;
	int32_t delta, headers;

	if (at == end)
		return "is empty";
	at++; /* attributes of the record: unused, ignored as Kafka does */
	if (!stream_varlong_take(&at, end, &time_delta))
		return "has a bad timestamp delta";
	if (!stream_varint_take(&at, end, &delta) ||
	    delta <= walk->last_delta || delta > walk->batch->last_offset_delta)
		return "has an offset delta out of order or range";
	if (!take_bytes(&at, end, -1, &record->key))
		return "has a bad key length";
	if (!take_bytes(&at, end, -1, &record->value))
		return "has a bad value length";
	if (!stream_varint_take(&at, end, &headers) || headers < 0 ||
	    headers > end - at)
		return "has a bad header count";
	record->headers.data = at;
	if (headers > 0 && !skip_headers(&at, end, headers))
		return "has a bad header";
	if (at != end)
		return "is longer than its fields";
	record->headers.size = (size_t)(at - record->headers.data);
	record->header_count = (uint32_t)headers;
	fill(walk, record, delta, time_delta);
	walk->at = at;
	return NULL;
}

/* A varint of up to three bytes, which are there to be looked at; NULL for a
 * longer one. */
static inline const uint8_t *
take_three(const uint8_t *at, int32_t *value)
{
	uint32_t rest = at[0] & 0x7fu;

	if (at[0] < 0x80) {
		*value = (int32_t)stream_unzigzag(rest);
		return at + 1;
	}
	rest |= (at[1] & 0x7fu) << 7;
	if (at[1] < 0x80) {
		*value = (int32_t)stream_unzigzag(rest);
		return at + 2;
	}
	if (at[2] >= 0x80)
		return NULL;
	*value = (int32_t)stream_unzigzag(rest | (uint32_t)at[2] << 14);
	return at + 3;
}

/* Key or value of a record that ends at end; NULL when it does not fit. */
static inline const uint8_t *
take_part(const uint8_t *at, const uint8_t *end, struct stream_bytes *bytes)
{
	int32_t size;

	at = take_three(at, &size);
	if (at == NULL || size < -1 || size > end - at)
		return NULL;
	bytes->data = size < 0 ? NULL : at;
	bytes->size = size < 0 ? 0 : (size_t)size;
	return at + bytes->size;
}

/*
 * What nearly all records are: short varints, no headers, and others behind
 * them, so that nothing looked at lies outside of the batch.  Half the time of
 * take_fields, which has to ask before each byte.  false, with nothing taken,
 * for any other and for all that is wrong.
 */
static inline bool
take_plain(struct stream_records *walk, const uint8_t *end,
    struct stream_record *record)
{
	const uint8_t *at = walk->at + 1;
	int32_t time_delta, delta;

	if (end - at < 1 || walk->end - end < SLACK)
		return false;
	at = take_three(at, &time_delta);
	if (at == NULL)
		return false;
	at = take_three(at, &delta);
	if (at == NULL || delta <= walk->last_delta ||
	    delta > walk->batch->last_offset_delta)
		return false;
	at = take_part(at, end, &record->key);
	if (at == NULL)
		return false;
	at = take_part(at, end, &record->value);
	if (at == NULL || end - at != 1 || *at != 0)
		return false;
	record->headers = (struct stream_bytes){end, 0};
	record->header_count = 0;
	fill(walk, record, delta, time_delta);
	walk->at = end;
	return true;
}

static int
fail_at(const struct stream_records *walk, const char *what,
    struct stream_error *err)
{
	return stream_fail(err, STREAM_ECORRUPT,
	    (uint64_t)(walk->at - walk->start), "record %d %s",
	    walk->batch->info.record_count - walk->left, what);
}

int
stream_records_take(struct stream_records *walk, struct stream_record *records,
    size_t most, size_t *count, struct stream_error *err)
{
	size_t taken = 0;

	for (; walk->left > 0 && taken < most; taken++, walk->left--) {
		const char *wrong;
		int32_t size;

		if (!stream_varint_take(&walk->at, walk->end, &size) ||
		    size < 0 || size > walk->end - walk->at)
			return fail_at(walk, "has a bad length", err);
		if (take_plain(walk, walk->at + size, &records[taken]))
			continue;
		wrong = take_fields(walk, walk->at + size, &records[taken]);
		if (wrong != NULL)
			return fail_at(walk, wrong, err);
	}
	if (walk->left == 0 && walk->at != walk->end)
		return stream_fail(err, STREAM_ECORRUPT,
		    (uint64_t)(walk->at - walk->start),
		    "%zd bytes follow the last record", walk->end - walk->at);
	*count = taken;
	return STREAM_OK;
}
