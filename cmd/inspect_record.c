/*
 * inspect_record.c - one record, and what Kafka means by it
 */
#include <stdio.h>

#include "inspect.h"

enum { CONTROL = 1 << 5 };

/* Sequences go on at 0 after 2^31 - 1. */
int64_t
inspect_sequence(const struct stream_batch_info *info, int64_t delta)
{
	if (info->base_sequence < 0)
		return -1;
	return (info->base_sequence + delta) & INT32_MAX;
}

/* What is not understood: why, and the bytes as they are. */
static void
put_raw(struct json_line *json, const char *name, const char *why,
    struct stream_bytes bytes)
{
	char member[32];

	snprintf(member, sizeof(member), "%s_problem", name);
	line_text(json, member, why);
	snprintf(member, sizeof(member), "raw_%s", name);
	line_bytes(json, member, bytes);
}

/* One part of a record of Kafka's own, as far as it is understood. */
static void
put_part(struct json_line *json, enum stream_message_kind kind,
    const struct stream_record *record, enum stream_message_part part,
    const char *name)
{
	struct stream_bytes bytes =
	    part == STREAM_MESSAGE_KEY ? record->key : record->value;
	struct stream_message message;
	struct stream_error why;
	char member[32];
	int status = stream_message_open(
	    &message, kind, part, record->key, record->value, &why);

	snprintf(member, sizeof(member), "%s_version", name);
	if (message.version >= 0)
		line_int(json, member, message.version);
	if (status == STREAM_END && bytes.data == NULL) {
		line_null(json, name);
	} else if (status == STREAM_END) {
		put_raw(json, name, "the key, which says what it is, is null",
		    bytes);
	} else if (status == STREAM_OK) {
		line_open(json, name, '{');
		line_message(json, &message);
		line_close(json, '}');
	} else {
		put_raw(json, name, why.text, bytes);
	}
}

static void
put_decoded(struct json_line *json, enum stream_message_kind kind,
    const struct stream_record *record)
{
	struct stream_message message;

	stream_message_open(&message, kind, STREAM_MESSAGE_KEY, record->key,
	    record->value, NULL);
	line_open(json, "decoded", '{');
	line_text(
	    json, "type", message.type == NULL ? "unknown" : message.type);
	put_part(json, kind, record, STREAM_MESSAGE_KEY, "key");
	put_part(json, kind, record, STREAM_MESSAGE_VALUE, "value");
	line_close(json, '}');
}

/* The number of the only field of a control record's key or marker. */
static bool
control_number(const struct stream_record *record,
    enum stream_message_part part, struct stream_item *item)
{
	struct stream_message message;

	return stream_message_open(&message, STREAM_MESSAGE_CONTROL, part,
		   record->key, record->value, NULL) == STREAM_OK &&
	       stream_message_next(&message, item);
}

static void
put_control(struct json_line *json, const struct stream_record *record)
{
	struct stream_item type, epoch;

	if (!control_number(record, STREAM_MESSAGE_KEY, &type))
		type = (struct stream_item){.number = -1};
	line_text(
	    json, "control_type", type.word == NULL ? "UNKNOWN" : type.word);
	if (type.number >= 0 && type.number < 2 &&
	    control_number(record, STREAM_MESSAGE_VALUE, &epoch)) {
		line_int(json, "coordinator_epoch", epoch.number);
		return;
	}
	line_open(json, "decoded", '{');
	if (type.word == NULL)
		put_part(json, STREAM_MESSAGE_CONTROL, record,
		    STREAM_MESSAGE_KEY, "key");
	put_part(json, STREAM_MESSAGE_CONTROL, record, STREAM_MESSAGE_VALUE,
	    "value");
	line_close(json, '}');
}

static int64_t
size_of(struct stream_bytes bytes)
{
	return bytes.data == NULL ? -1 : (int64_t)bytes.size;
}

static void
put_json(struct inspect *in, const struct stream_record *record)
{
	struct json_line *json = &in->json;
	bool is_control = (record->batch->attributes & CONTROL) != 0;

	inspect_begin(in, "record");
	line_int(json, "offset", record->offset);
	line_int(json, "timestamp", record->timestamp_ms);
	line_int(json, "sequence",
	    inspect_sequence(
		record->batch, record->offset - record->batch->base_offset));
	line_int(json, "key_size", size_of(record->key));
	line_int(json, "value_size", size_of(record->value));
	line_bytes(json, "key", record->key);
	line_bytes(json, "value", record->value);
	line_headers(json, record);
	if (is_control)
		put_control(json, record);
	else if (in->has_kind)
		put_decoded(json, in->kind, record);
	inspect_end(in);
}

/* A record of Kafka's own for people: what it is, and its fields as JSON. */
static bool
put_decoded_text(struct inspect *in, const struct stream_record *record)
{
	bool is_control = (record->batch->attributes & CONTROL) != 0;
	struct json_line json = {.out = &in->out};

	if (!is_control && !in->has_kind)
		return false;
	cli_out_byte(&in->out, '{');
	if (is_control)
		put_control(&json, record);
	else
		put_decoded(&json, in->kind, record);
	cli_out_text(&in->out, "}\n");
	return true;
}

static void
put_text(struct inspect *in, const struct stream_record *record)
{
	struct cli_out *out = &in->out;
	struct json_line json = {.out = out};
	char time[STREAM_TIME_SIZE];

	cli_out_format(out, "%12lld %-24s ", (long long)record->offset,
	    inspect_time(record->timestamp_ms, time));
	if (put_decoded_text(in, record))
		return;
	cli_out_byte(out, '{');
	line_bytes(&json, "key", record->key);
	line_bytes(&json, "value", record->value);
	if (record->header_count > 0)
		line_headers(&json, record);
	cli_out_text(out, "}\n");
}

void
inspect_record(struct inspect *in, const struct stream_record *record)
{
	if (in->opts->json)
		put_json(in, record);
	else
		put_text(in, record);
}
