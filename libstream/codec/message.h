/*
 * message.h - the form of Kafka's own messages, as tables
 *
 * Layer codec/.  SPEC section 13.  One table a message says which fields it
 * has in which version; one walk reads all of them.
 */
#ifndef STREAM_CODEC_MESSAGE_H
#define STREAM_CODEC_MESSAGE_H

#include <stream/message.h>

enum stream_field_kind {
	STREAM_FIELD_END, /* closes a table */
	STREAM_FIELD_INT8,
	STREAM_FIELD_INT16,
	STREAM_FIELD_UINT16,
	STREAM_FIELD_INT32,
	STREAM_FIELD_INT64,
	STREAM_FIELD_UUID,
	STREAM_FIELD_TEXT,
	STREAM_FIELD_BYTES,
	STREAM_FIELD_LIST,    /* of fields[0], or of structs of fields */
	STREAM_FIELD_STRUCT,  /* of fields */
	STREAM_FIELD_CONSUMER /* bytes that hold a versioned message of fields
				 when the group's members are consumers */
};

struct stream_message_field {
	const char *name;
	enum stream_field_kind kind;
	int16_t from; /* first version that has it */
	int16_t to;   /* and last */
	int16_t tag;  /* -1: a plain field */
	const struct stream_message_field *fields;
	const char *const *words; /* of numbers from 0 on, ends with NULL */
};

/* One message: a table for its versions. */
struct stream_message_form {
	const char *type;
	const struct stream_message_field *fields;
	int16_t most;     /* newest version */
	int16_t flexible; /* first flexible version; most + 1: none */
};

/* The forms by kind and by what the key says; NULL when not known. */
const struct stream_message_form *stream_message_key_form(
    enum stream_message_kind kind, int32_t number);
const struct stream_message_form *stream_message_value_form(
    enum stream_message_kind kind, int32_t number);

/* The newest version of the consumers' protocol that is known; newer ones
 * only add fields at the end. */
enum { STREAM_CONSUMER_VERSION = 3 };

#endif
