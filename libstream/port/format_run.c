#include <stream/format.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <stream/json.h>
#include <stream/parse.h>

#include "base/base64.h"
#include "base/decimal.h"
#include "base/fail.h"
#include "codec/varint.h"
#include "port/field_text.h"
#include "port/format_item.h"
#include "port/pieces.h"

/* What is printed, and where it came from. */
struct running {
	const struct stream_format *format;
	const struct stream_origin *origin;
	const struct stream_record *record;
	uint64_t number;
};

static struct stream_bytes
bytes_of(const struct stream_item *item, const struct stream_origin *origin,
    const struct stream_record *record)
{
	switch (item->field) {
	case STREAM_FIELD_KEY:
		return record->key;
	case STREAM_FIELD_VALUE:
		return record->value;
	default:
		return (struct stream_bytes){
		    (const uint8_t *)origin->topic, origin->topic_size};
	}
}

static int64_t
size_of(struct stream_bytes bytes)
{
	return bytes.data == NULL ? -1 : (int64_t)bytes.size;
}

static int64_t
number_of_batch(uint8_t field, const struct stream_batch_info *batch)
{
	if (batch == NULL)
		return -1;
	switch (field) {
	case STREAM_FIELD_LEADER_EPOCH:
		return batch->leader_epoch;
	case STREAM_FIELD_PRODUCER_ID:
		return batch->producer_id;
	default:
		return batch->producer_epoch;
	}
}

static int64_t
number_of(const struct stream_item *item, const struct running *run)
{
	switch (item->field) {
	case STREAM_FIELD_KEY_SIZE:
		return size_of(run->record->key);
	case STREAM_FIELD_VALUE_SIZE:
		return size_of(run->record->value);
	case STREAM_FIELD_PARTITION:
		return run->origin->partition;
	case STREAM_FIELD_OFFSET:
		return run->record->offset;
	case STREAM_FIELD_TIMESTAMP:
		return run->record->timestamp_ms;
	case STREAM_FIELD_NUMBER:
		return (int64_t)run->number;
	default:
		return number_of_batch(item->field, run->record->batch);
	}
}

static size_t
bound_bytes(uint8_t form, struct stream_bytes bytes)
{
	if (form == STREAM_FORM_PLAIN)
		return bytes.size;
	if (form == STREAM_FORM_JSON)
		return stream_json_bound(bytes);
	/* Hexadecimal, or every byte escaped; base64 is less. */
	return 2 * bytes.size + STREAM_FIELD_AROUND;
}

size_t
stream_format_bound(const struct stream_format *format,
    const struct stream_origin *origin, const struct stream_record *record)
{
	size_t bound = format->fixed;

	for (size_t i = 0; i < format->count; i++) {
		const struct stream_item *item = &format->items[i];

		if (item->field == STREAM_FIELD_KEY ||
		    item->field == STREAM_FIELD_VALUE ||
		    item->field == STREAM_FIELD_TOPIC)
			bound += bound_bytes(
			    item->form, bytes_of(item, origin, record));
		else if (item->field == STREAM_FIELD_JSONL)
			bound += stream_jsonl_bound(origin, record);
		else if (item->field != STREAM_FIELD_HEADERS)
			continue;
		else if (item->form == STREAM_FORM_JSON)
			bound += stream_json_bound_headers(record);
		else
			bound += record->headers.size +
				 2 * (size_t)record->header_count;
	}
	return bound;
}

static uint8_t *
put_text(const struct stream_format *format, const struct stream_item *item,
    uint8_t *to)
{
	const uint8_t *text = format->text + item->at;

	/* One move for nearly all; format->text and the bound have room. */
	if (item->size <= STREAM_ITEM_PAD)
		memcpy(to, text, STREAM_ITEM_PAD);
	else
		memcpy(to, text, item->size);
	return to + item->size;
}

static uint8_t *
put_bytes(uint8_t form, struct stream_bytes bytes, uint8_t *to)
{
	switch (form) {
	case STREAM_FORM_HEX:
		return stream_field_put_hex(bytes, to);
	case STREAM_FORM_BASE64:
		return stream_base64_put(bytes.data, bytes.size, to);
	case STREAM_FORM_JSON:
		return stream_json_put(bytes, to);
	case STREAM_FORM_TSV:
		return stream_field_put_tsv(bytes, to);
	case STREAM_FORM_CSV:
		return stream_field_put_csv(bytes, to);
	case STREAM_FORM_DUMP:
		return stream_field_put_dump(bytes, to);
	default:
		return stream_field_put(bytes, to);
	}
}

/* name=value,name=value; a null value has no "=". */
static uint8_t *
put_headers(const struct stream_record *record, uint8_t *to)
{
	struct stream_bytes left = record->headers;
	struct stream_header header;

	for (uint32_t i = 0; i < record->header_count; i++) {
		if (!stream_header_take(&left, &header))
			break;
		if (i > 0)
			*to++ = ',';
		to = stream_field_put(header.name, to);
		if (header.value.data != NULL)
			*to++ = '=';
		to = stream_field_put(header.value, to);
	}
	return to;
}

/* A second is the floor of its milliseconds, before 1970 too. */
static uint8_t *
put_strftime(const struct stream_format *format, const struct stream_item *item,
    int64_t timestamp_ms, uint8_t *to)
{
	time_t seconds = timestamp_ms / 1000 - (timestamp_ms % 1000 < 0);
	struct tm parts;

	if (gmtime_r(&seconds, &parts) == NULL)
		return to;
	return to + strftime_l((char *)to, item->size,
			(const char *)format->text + item->at, &parts,
			format->locale);
}

static uint8_t *
put_time(const struct stream_format *format, const struct stream_item *item,
    int64_t timestamp_ms, uint8_t *to)
{
	if (timestamp_ms == STREAM_NO_TIMESTAMP)
		return stream_decimal_put(timestamp_ms, to);
	if (item->form == STREAM_FORM_STRFTIME)
		return put_strftime(format, item, timestamp_ms, to);
	stream_format_time(timestamp_ms, (char *)to);
	return to + strlen((const char *)to);
}

/* A number that was cut to fit would shift all that a reader takes after it,
 * so it is an error. */
static int
put_binary(const struct stream_item *item, int64_t value, uint8_t **to,
    struct stream_error *err)
{
	unsigned bits = 8U * item->width;
	int64_t most = INT64_MAX >> (64 - bits);

	if (value > most || value < -most - 1)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "format: %%%c is %" PRId64 ", which %u bits do not hold",
		    item->letter, value, bits);
	for (unsigned i = 0; i < item->width; i++) {
		unsigned shift =
		    item->form == STREAM_FORM_BIG ? bits - 8 * (i + 1) : 8 * i;

		*(*to)++ = (uint8_t)((uint64_t)value >> shift);
	}
	return STREAM_OK;
}

static int
put_number(const struct stream_item *item, int64_t value, uint8_t **to,
    struct stream_error *err)
{
	if (item->form == STREAM_FORM_PLAIN)
		*to = stream_decimal_put(value, *to);
	else if (item->form == STREAM_FORM_VARINT)
		*to = stream_varint_put(*to, value);
	else
		return put_binary(item, value, to, err);
	return STREAM_OK;
}

static int
put_item(const struct stream_item *item, const struct running *run,
    uint8_t **to, struct stream_error *err)
{
	const struct stream_record *record = run->record;

	switch (item->field) {
	case STREAM_FIELD_TEXT:
		*to = put_text(run->format, item, *to);
		return STREAM_OK;
	case STREAM_FIELD_KEY:
	case STREAM_FIELD_VALUE:
	case STREAM_FIELD_TOPIC:
		*to = put_bytes(
		    item->form, bytes_of(item, run->origin, record), *to);
		return STREAM_OK;
	case STREAM_FIELD_HEADERS:
		*to = item->form == STREAM_FORM_JSON
			  ? stream_json_put_headers(record, *to)
			  : put_headers(record, *to);
		return STREAM_OK;
	case STREAM_FIELD_TIME:
		*to = put_time(run->format, item, record->timestamp_ms, *to);
		return STREAM_OK;
	case STREAM_FIELD_JSONL:
		*to = stream_jsonl_put(run->origin, record, *to);
		return STREAM_OK;
	default:
		return put_number(item, number_of(item, run), to, err);
	}
}

int
stream_format_put(const struct stream_format *format,
    const struct stream_origin *origin, const struct stream_record *record,
    uint64_t number, uint8_t **to, struct stream_error *err)
{
	struct running run = {format, origin, record, number};
	uint8_t *at = *to;
	int status = STREAM_OK;

	for (size_t i = 0; i < format->count && status == STREAM_OK; i++)
		status = put_item(&format->items[i], &run, &at, err);
	if (status == STREAM_OK)
		*to = at;
	return status;
}

static void
put_headers_large(
    const struct stream_record *record, const struct stream_sink *sink)
{
	struct stream_bytes left = record->headers;
	struct stream_header header;

	for (uint32_t i = 0; i < record->header_count; i++) {
		if (!stream_header_take(&left, &header))
			break;
		stream_pieces_put(sink, i > 0 ? "," : "");
		stream_pieces_put_form(STREAM_FORM_PLAIN, header.name, sink);
		stream_pieces_put(sink, header.value.data != NULL ? "=" : "");
		stream_pieces_put_form(STREAM_FORM_PLAIN, header.value, sink);
	}
}

/* What is as large as the record; false for all that is not. */
static bool
put_item_large(const struct stream_item *item, const struct running *run,
    const struct stream_sink *sink)
{
	const struct stream_record *record = run->record;

	switch (item->field) {
	case STREAM_FIELD_KEY:
	case STREAM_FIELD_VALUE:
	case STREAM_FIELD_TOPIC:
		stream_pieces_put_form((enum stream_form)item->form,
		    bytes_of(item, run->origin, record), sink);
		return true;
	case STREAM_FIELD_HEADERS:
		if (item->form == STREAM_FORM_JSON)
			stream_pieces_put_headers(record, sink);
		else
			put_headers_large(record, sink);
		return true;
	case STREAM_FIELD_JSONL:
		stream_jsonl_put_large(run->origin, record, sink);
		return true;
	default:
		return false;
	}
}

int
stream_format_put_large(const struct stream_format *format,
    const struct stream_origin *origin, const struct stream_record *record,
    uint64_t number, const struct stream_sink *sink, struct stream_error *err)
{
	struct running run = {format, origin, record, number};
	uint8_t *text = malloc(format->fixed + 1);
	int status = STREAM_OK;

	if (text == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < format->count && status == STREAM_OK; i++) {
		uint8_t *to = text;

		if (put_item_large(&format->items[i], &run, sink))
			continue;
		status = put_item(&format->items[i], &run, &to, err);
		if (status == STREAM_OK && to > text)
			sink->put(sink->context, text, (size_t)(to - text));
	}
	free(text);
	return status;
}
