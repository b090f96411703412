#include "codec/message.h"

#include <string.h>

#include "base/bytes.h"
#include "base/fail.h"

static struct stream_message_level *
top(struct stream_message *message)
{
	return &message->levels[message->depth - 1];
}

/* ---- numbers and lengths ------------------------------------------------ */

/* n bytes of the innermost part; NULL, and failed for good, when it ends
 * before that. */
static const uint8_t *
take(struct stream_message *message, size_t n)
{
	const uint8_t *p = message->at;

	if (message->failed || n > (size_t)(top(message)->end - p)) {
		message->failed = true;
		return NULL;
	}
	message->at += n;
	return p;
}

static int64_t
take_number(struct stream_message *message, enum stream_field_kind kind)
{
	static const uint8_t sizes[] = {
	    [STREAM_FIELD_INT8] = 1,
	    [STREAM_FIELD_INT16] = 2,
	    [STREAM_FIELD_UINT16] = 2,
	    [STREAM_FIELD_INT32] = 4,
	    [STREAM_FIELD_INT64] = 8,
	};
	const uint8_t *p = take(message, sizes[kind]);

	if (p == NULL)
		return 0;
	switch (kind) {
	case STREAM_FIELD_INT8:
		return (int8_t)p[0];
	case STREAM_FIELD_INT16:
		return (int16_t)stream_load16(p);
	case STREAM_FIELD_UINT16:
		return stream_load16(p);
	case STREAM_FIELD_INT32:
		return (int32_t)stream_load32(p);
	default:
		return (int64_t)stream_load64(p);
	}
}

/* An unsigned varint, without zig-zag, of at most 32 bits. */
static uint32_t
take_unsigned(struct stream_message *message)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		const uint8_t *p = take(message, 1);

		if (p == NULL)
			return 0;
		value |= (uint64_t)(*p & 0x7f) << shift;
		if (*p < 0x80 && value <= UINT32_MAX)
			return (uint32_t)value;
	}
	message->failed = true;
	return 0;
}

/* A length or count, -1 for null: compact ones are stored plus one. */
static int64_t
take_length(struct stream_message *message, enum stream_field_kind plain)
{
	int64_t length = top(message)->is_flexible
			     ? (int64_t)take_unsigned(message) - 1
			     : take_number(message, plain);

	if (length < -1)
		message->failed = true;
	return length;
}

/* ---- levels ------------------------------------------------------------- */

static struct stream_message_level *
push(struct stream_message *message, const struct stream_message_field *fields)
{
	struct stream_message_level *level;

	if (message->depth == STREAM_MESSAGE_DEPTH) {
		message->failed = true;
		return NULL;
	}
	level = &message->levels[message->depth];
	*level = (struct stream_message_level){
	    .field = fields,
	    .fields = fields,
	};
	if (message->depth > 0) {
		level->end = level[-1].end;
		level->version = level[-1].version;
		level->is_flexible = level[-1].is_flexible;
	}
	message->depth++;
	return level;
}

static void
start_list(struct stream_message *message,
    const struct stream_message_field *field, struct stream_item *item)
{
	int64_t count = take_length(message, STREAM_FIELD_INT32);
	struct stream_message_level *level;

	if (count < 0) {
		item->kind = STREAM_ITEM_NULL;
		return;
	}
	/* Each item takes a byte at least. */
	if (count > top(message)->end - message->at) {
		message->failed = true;
		return;
	}
	level = push(message, field->fields);
	if (level == NULL)
		return;
	level->is_list = true;
	level->left = (uint32_t)count;
	item->kind = STREAM_ITEM_LIST;
	item->number = count;
}

/* Text and bytes look the same but for the size of a plain length. */
static void
take_bytes(struct stream_message *message, enum stream_field_kind kind,
    struct stream_item *item)
{
	int64_t length = take_length(message, kind == STREAM_FIELD_TEXT
						  ? STREAM_FIELD_INT16
						  : STREAM_FIELD_INT32);

	if (length < 0) {
		item->kind = STREAM_ITEM_NULL;
		return;
	}
	item->kind =
	    kind == STREAM_FIELD_TEXT ? STREAM_ITEM_TEXT : STREAM_ITEM_BYTES;
	item->bytes.data = take(message, (size_t)length);
	item->bytes.size = item->bytes.data == NULL ? 0 : (size_t)length;
}

static bool
walks_through(struct stream_message *message)
{
	struct stream_item item;

	while (stream_message_next(message, &item))
		;
	return !message->failed;
}

/*
 * What consumers say to one another lies in a field of bytes.  Newer versions
 * only add to the end, so what is left there is no fault.  A form that it
 * does not fit leaves it bytes.
 */
static void
open_nested(struct stream_message *message,
    const struct stream_message_field *field, struct stream_item *item)
{
	struct stream_message trial = {.at = item->bytes.data};
	struct stream_message_level *level;
	int64_t version;

	if (!message->has_consumers || item->kind != STREAM_ITEM_BYTES ||
	    message->failed || item->bytes.size < 2)
		return;
	version = (int16_t)stream_load16(item->bytes.data);
	if (version < 0)
		return;
	if (version > STREAM_CONSUMER_VERSION)
		version = STREAM_CONSUMER_VERSION;
	level = push(&trial, field->fields);
	level->end = item->bytes.data + item->bytes.size;
	level->version = (int16_t)version;
	trial.at += 2;
	if (!walks_through(&trial))
		return;
	level = push(message, field->fields);
	if (level == NULL)
		return;
	level->end = item->bytes.data + item->bytes.size;
	level->version = (int16_t)version;
	level->is_flexible = false;
	level->is_nested = true;
	message->at = item->bytes.data + 2;
	item->kind = STREAM_ITEM_STRUCT;
	item->number = (int16_t)stream_load16(item->bytes.data);
}

/* ---- items -------------------------------------------------------------- */

static const char *
word_of(const struct stream_message_field *field, int64_t number)
{
	if (field->words == NULL)
		return NULL;
	for (int64_t i = 0; field->words[i] != NULL; i++)
		if (i == number)
			return field->words[i];
	return NULL;
}

/* Members of a group speak what this field names. */
static void
note_protocol(struct stream_message *message,
    const struct stream_message_field *field, const struct stream_item *item)
{
	if (field->name != NULL && strcmp(field->name, "protocol_type") == 0 &&
	    item->kind == STREAM_ITEM_TEXT)
		message->has_consumers =
		    item->bytes.size == 8 && item->bytes.data != NULL &&
		    memcmp(item->bytes.data, "consumer", 8) == 0;
}

static void
take_field(struct stream_message *message,
    const struct stream_message_field *field, struct stream_item *item)
{
	*item = (struct stream_item){
	    .kind = STREAM_ITEM_NUMBER, .name = field->name};
	switch (field->kind) {
	case STREAM_FIELD_UUID:
		item->kind = STREAM_ITEM_UUID;
		item->bytes = (struct stream_bytes){take(message, 16), 16};
		break;
	case STREAM_FIELD_TEXT:
		take_bytes(message, field->kind, item);
		note_protocol(message, field, item);
		break;
	case STREAM_FIELD_BYTES:
		take_bytes(message, field->kind, item);
		break;
	case STREAM_FIELD_CONSUMER:
		take_bytes(message, field->kind, item);
		open_nested(message, field, item);
		break;
	case STREAM_FIELD_LIST:
		start_list(message, field, item);
		break;
	case STREAM_FIELD_STRUCT:
		item->kind = STREAM_ITEM_STRUCT;
		push(message, field->fields);
		break;
	default:
		item->number = take_number(message, field->kind);
		item->word = word_of(field, item->number);
	}
}

/* The next item of a list: a value, or a struct of the list's fields. */
static void
take_list_item(struct stream_message *message, struct stream_item *item)
{
	struct stream_message_level *level = top(message);

	level->left--;
	if (level->fields[0].name == NULL) {
		take_field(message, &level->fields[0], item);
		return;
	}
	*item = (struct stream_item){.kind = STREAM_ITEM_STRUCT};
	push(message, level->fields);
}

/* Skip to a plain field of this version; NULL when there is none left. */
static const struct stream_message_field *
next_field(struct stream_message_level *level)
{
	for (; level->field->kind != STREAM_FIELD_END; level->field++)
		if (level->field->tag < 0 &&
		    level->version >= level->field->from &&
		    level->version <= level->field->to)
			return level->field++;
	return NULL;
}

/* Tagged fields: a tag, a size and so many bytes.  Unknown ones are passed
 * over, as they are meant to be.  false when none is left. */
static bool
take_tagged(struct stream_message *message, struct stream_item *item)
{
	struct stream_message_level *level = top(message);

	if (!level->is_flexible)
		return false;
	if (!level->in_tags) {
		level->in_tags = true;
		level->left = take_unsigned(message);
	}
	while (level->left > 0 && !message->failed) {
		uint32_t tag = take_unsigned(message);
		uint32_t size = take_unsigned(message);
		const struct stream_message_field *field = level->fields;
		const uint8_t *start = take(message, size);

		level->left--;
		while (field->kind != STREAM_FIELD_END &&
		       (field->tag < 0 || (uint32_t)field->tag != tag))
			field++;
		if (start == NULL || field->kind == STREAM_FIELD_END)
			continue;
		message->at = start;
		take_field(message, field, item);
		if (message->at != start + size)
			message->failed = true;
		return !message->failed;
	}
	return false;
}

static void
close_level(struct stream_message *message, struct stream_item *item)
{
	struct stream_message_level *level = top(message);

	*item = (struct stream_item){.kind = STREAM_ITEM_CLOSE};
	if (level->is_nested)
		message->at = level->end;
	message->depth--;
}

bool
stream_message_next(struct stream_message *message, struct stream_item *item)
{
	struct stream_message_level *level;
	const struct stream_message_field *field;

	if (message->failed || message->depth == 0)
		return false;
	level = top(message);
	if (level->is_list) {
		if (level->left > 0)
			take_list_item(message, item);
		else
			close_level(message, item);
		return !message->failed;
	}
	field = next_field(level);
	if (field != NULL)
		take_field(message, field, item);
	else if (!take_tagged(message, item) && !message->failed)
		close_level(message, item);
	/* The message itself is a struct that nobody opened. */
	return !message->failed && message->depth > 0;
}

/* ---- opening ------------------------------------------------------------ */

static void
start(struct stream_message *message, const struct stream_message_form *form,
    int32_t version, struct stream_bytes bytes)
{
	struct stream_message_level *level;

	message->type = form->type;
	message->version = version;
	message->depth = 0;
	message->failed = false;
	message->at = bytes.data + 2;
	level = push(message, form->fields);
	level->end = bytes.data + bytes.size;
	level->version = (int16_t)version;
	level->is_flexible = version >= form->flexible;
}

/* Walk a copy to its end: what follows is sure then. */
static int
check(const struct stream_message *message, struct stream_error *err)
{
	struct stream_message trial = *message;
	const uint8_t *start_at = message->at - 2;

	if (!walks_through(&trial))
		return stream_fail(err, STREAM_ECORRUPT,
		    (uint64_t)(trial.at - start_at),
		    "%s, version %d: the bytes do not fit its form",
		    message->type, message->version);
	if (trial.at != message->levels[0].end)
		return stream_fail(err, STREAM_ECORRUPT,
		    (uint64_t)(trial.at - start_at),
		    "%s, version %d: %zd bytes follow it", message->type,
		    message->version, message->levels[0].end - trial.at);
	return STREAM_OK;
}

/* The two bytes at the front: a version, or a key's type. */
static int
take_head(struct stream_bytes bytes, const char *what, int32_t *number,
    struct stream_error *err)
{
	if (bytes.size < 2)
		return stream_fail(err, STREAM_ECORRUPT, bytes.size,
		    "a %s of %zu bytes has no version", what, bytes.size);
	*number = (int16_t)stream_load16(bytes.data);
	return STREAM_OK;
}

/* What a key says that its record is.  A control record's key has a version
 * of its own before the type. */
static int
key_number(enum stream_message_kind kind, struct stream_bytes key,
    int32_t *number, struct stream_error *err)
{
	if (kind != STREAM_MESSAGE_CONTROL)
		return take_head(key, "key", number, err);
	if (key.size < 4)
		return stream_fail(err, STREAM_ECORRUPT, key.size,
		    "a control record's key has %zu bytes, not 4", key.size);
	*number = (int16_t)stream_load16(key.data + 2);
	return STREAM_OK;
}

static int
open_value(struct stream_message *message, enum stream_message_kind kind,
    int32_t number, struct stream_bytes value, struct stream_error *err)
{
	const struct stream_message_form *form =
	    stream_message_value_form(kind, number);
	int32_t version = 0;
	int status;

	if (form == NULL)
		return stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
		    "a record of type %d is not known", number);
	message->type = form->type;
	if (value.data == NULL)
		return STREAM_END;
	status = take_head(value, "value", &version, err);
	if (status != STREAM_OK)
		return status;
	message->version = version;
	if (version < 0 || version > form->most)
		return stream_fail(err, STREAM_ENEWER, 0,
		    "%s, version %d: is not known", form->type, version);
	start(message, form, version, value);
	return check(message, err);
}

int
stream_message_open(struct stream_message *message,
    enum stream_message_kind kind, enum stream_message_part part,
    struct stream_bytes key, struct stream_bytes value,
    struct stream_error *err)
{
	const struct stream_message_form *form;
	int32_t number = 0;
	int status;

	*message = (struct stream_message){.version = -1};
	if (key.data == NULL)
		return STREAM_END;
	status = key_number(kind, key, &number, err);
	if (status != STREAM_OK)
		return status;
	if (part == STREAM_MESSAGE_VALUE)
		return open_value(message, kind, number, value, err);
	message->version = number;
	form = stream_message_key_form(kind, number);
	if (form == NULL)
		return stream_fail(err, STREAM_ENEWER, 0,
		    "a key of type %d is not known", number);
	start(message, form, number, key);
	return check(message, err);
}
