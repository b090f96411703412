#include "json_line.h"

#include <stdio.h>

#include <stream/json.h>

static void
start_member(struct json_line *json, const char *name)
{
	if (json->comma)
		cli_out_byte(json->out, ',');
	json->comma = true;
	if (name == NULL)
		return;
	cli_out_byte(json->out, '"');
	cli_out_text(json->out, name);
	cli_out_bytes(json->out, "\":", 2);
}

void
line_begin(struct json_line *json, const char *type)
{
	cli_out_byte(json->out, '{');
	json->comma = false;
	line_text(json, "type", type);
}

void
line_end(struct json_line *json)
{
	cli_out_bytes(json->out, "}\n", 2);
	json->comma = false;
}

void
line_int(struct json_line *json, const char *name, int64_t value)
{
	start_member(json, name);
	cli_out_int(json->out, value);
}

void
line_known(struct json_line *json, const char *name, int64_t value)
{
	if (value < 0)
		line_null(json, name);
	else
		line_int(json, name, value);
}

void
line_uint(struct json_line *json, const char *name, uint64_t value)
{
	if (value <= INT64_MAX) {
		line_int(json, name, (int64_t)value);
		return;
	}
	start_member(json, name);
	cli_out_format(json->out, "%llu", (unsigned long long)value);
}

void
line_bool(struct json_line *json, const char *name, bool value)
{
	start_member(json, name);
	cli_out_text(json->out, value ? "true" : "false");
}

void
line_real(struct json_line *json, const char *name, double value)
{
	start_member(json, name);
	cli_out_format(json->out, "%.3f", value);
}

void
line_null(struct json_line *json, const char *name)
{
	start_member(json, name);
	cli_out_bytes(json->out, "null", 4);
}

void
line_text(struct json_line *json, const char *name, const char *text)
{
	line_bytes(json, name,
	    (struct stream_bytes){(const uint8_t *)text, strlen(text)});
}

static void
put_base64(struct json_line *json, const char *name, struct stream_bytes bytes)
{
	uint8_t *to, *end;

	start_member(json, NULL);
	if (name != NULL)
		cli_out_format(json->out, "\"%s_b64\":", name);
	to = cli_out_reserve(json->out, stream_json_bound(bytes));
	if (to == NULL)
		return;
	end = name != NULL ? stream_json_put_base64(bytes, to)
			   : stream_json_put(bytes, to);
	cli_out_commit(json->out, (size_t)(end - to));
}

void
line_bytes(struct json_line *json, const char *name, struct stream_bytes bytes)
{
	bool comma = json->comma;
	size_t front = name != NULL ? strlen(name) + 4 : 1;
	uint8_t *start, *to, *end;

	if (bytes.data == NULL) {
		line_null(json, name);
		return;
	}
	/* Whether it is text shows only when it is written: not before that
	 * is sure are any of these bytes part of the output. */
	start = to =
	    cli_out_reserve(json->out, front + stream_json_bound(bytes));
	if (start == NULL)
		return;
	if (comma)
		*to++ = ',';
	if (name != NULL) {
		*to++ = '"';
		to = (uint8_t *)mempcpy(to, name, strlen(name));
		*to++ = '"';
		*to++ = ':';
	}
	end = stream_json_put_string(bytes, to);
	if (end == NULL) {
		put_base64(json, name, bytes);
		return;
	}
	cli_out_commit(json->out, (size_t)(end - start));
	json->comma = true;
}

void
line_headers(struct json_line *json, const struct stream_record *record)
{
	uint8_t *to;

	start_member(json, "headers");
	to = cli_out_reserve(json->out, stream_json_bound_headers(record));
	if (to != NULL)
		cli_out_commit(json->out,
		    (size_t)(stream_json_put_headers(record, to) - to));
}

void
line_open(struct json_line *json, const char *name, char bracket)
{
	start_member(json, name);
	cli_out_byte(json->out, (uint8_t)bracket);
	json->comma = false;
}

void
line_close(struct json_line *json, char bracket)
{
	cli_out_byte(json->out, (uint8_t)bracket);
	json->comma = true;
}

/* A UUID as Kafka prints it: base64 for names, without padding. */
static void
put_uuid(struct json_line *json, const char *name, struct stream_bytes bytes)
{
	uint8_t text[64];
	uint8_t *end = stream_json_put_base64(bytes, text);

	for (uint8_t *p = text; p < end; p++)
		*p = (uint8_t)(*p == '+' ? '-' : *p == '/' ? '_' : *p);
	while (end[-2] == '=')
		end--;
	end[-1] = '"';
	start_member(json, name);
	cli_out_bytes(json->out, text, (size_t)(end - text));
}

static void
put_number(struct json_line *json, const struct stream_item *item)
{
	char name[64];

	line_int(json, item->name, item->number);
	if (item->word == NULL)
		return;
	snprintf(name, sizeof(name), "%s_name", item->name);
	line_text(json, name, item->word);
}

/* Lists and structs lie in one another no deeper than the message says. */
void
line_message(struct json_line *json, struct stream_message *message)
{
	char closing[STREAM_MESSAGE_DEPTH + 1];
	struct stream_item item;
	int depth = 0;

	while (stream_message_next(message, &item)) {
		switch (item.kind) {
		case STREAM_ITEM_NUMBER:
			put_number(json, &item);
			break;
		case STREAM_ITEM_TEXT:
		case STREAM_ITEM_BYTES:
			line_bytes(json, item.name, item.bytes);
			break;
		case STREAM_ITEM_UUID:
			put_uuid(json, item.name, item.bytes);
			break;
		case STREAM_ITEM_NULL:
			line_null(json, item.name);
			break;
		case STREAM_ITEM_LIST:
		case STREAM_ITEM_STRUCT:
			closing[depth++] =
			    item.kind == STREAM_ITEM_LIST ? ']' : '}';
			line_open(json, item.name,
			    item.kind == STREAM_ITEM_LIST ? '[' : '{');
			break;
		case STREAM_ITEM_CLOSE:
			line_close(json, closing[--depth]);
			break;
		}
	}
}
