/*
 * stream/message.h - what Kafka keeps in records of its own
 *
 * The records of __consumer_offsets and __transaction_state, and control
 * records.  SPEC section 13.  Pure: a message is borrowed bytes, and walking
 * it gives one item after another:
 *
 *	if (stream_message_open(&message, STREAM_MESSAGE_GROUPS,
 *		STREAM_MESSAGE_VALUE, key, value, NULL) == STREAM_OK)
 *		while (stream_message_next(&message, &item))
 *			...
 *
 * A message that opens is sound to its last byte, so walking cannot fail.
 * A newer broker writes types and versions that are not known here: that is
 * STREAM_ENEWER and no damage.
 */
#ifndef STREAM_MESSAGE_H
#define STREAM_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/record.h>

/* Where a record was found. */
enum stream_message_kind {
	STREAM_MESSAGE_GROUPS,       /* topic __consumer_offsets */
	STREAM_MESSAGE_TRANSACTIONS, /* topic __transaction_state */
	STREAM_MESSAGE_CONTROL       /* a control batch of any topic */
};

enum stream_message_part { STREAM_MESSAGE_KEY, STREAM_MESSAGE_VALUE };

enum stream_item_kind {
	STREAM_ITEM_NUMBER, /* number; word if it stands for something */
	STREAM_ITEM_TEXT,   /* bytes, UTF-8 by convention only */
	STREAM_ITEM_BYTES,  /* bytes of no known form */
	STREAM_ITEM_UUID,   /* 16 bytes */
	STREAM_ITEM_NULL,
	STREAM_ITEM_LIST,   /* number items follow, then CLOSE */
	STREAM_ITEM_STRUCT, /* items with names follow, then CLOSE */
	STREAM_ITEM_CLOSE   /* the end of the innermost list or struct */
};

struct stream_item {
	enum stream_item_kind kind;
	const char *name; /* Kafka's, in snake_case; NULL: an item of a list */
	const char *word; /* "ongoing", "ABORT": what number means, or NULL */
	int64_t number;
	struct stream_bytes bytes; /* borrowed from the message */
};

/* Lists and structs that lie within one another. */
enum { STREAM_MESSAGE_DEPTH = 8 };

/* Members are for stream_message_next; all but type and version. */
struct stream_message {
	const char *type; /* "offset_commit"; NULL: not known */
	int32_t version;  /* of this part; a control record's type for a key */

	struct stream_message_level {
		const struct stream_message_field *field; /* next, or of list */
		const struct stream_message_field *fields;
		const uint8_t *end;
		uint32_t left; /* items of a list, or tagged fields */
		int16_t version;
		bool is_list;
		bool is_flexible;
		bool in_tags;
		bool is_nested; /* go on behind end when it closes */
	} levels[STREAM_MESSAGE_DEPTH];
	int depth;
	const uint8_t *at;
	bool failed;
	bool has_consumers; /* the members speak the consumers' protocol */
};

/*
 * Open one part of a record; key and value are borrowed as long as message is
 * in use.  type and version are set also on failure, as far as they are known.
 *
 * STREAM_END       the part is null: for a value, a tombstone
 * STREAM_ENEWER    a type or a version that is not known
 * STREAM_ECORRUPT  the bytes do not fit the form; err->pos is the byte
 */
int stream_message_open(struct stream_message *message,
    enum stream_message_kind kind, enum stream_message_part part,
    struct stream_bytes key, struct stream_bytes value,
    struct stream_error *err);

/* The next item, the message's own fields first; false at the end. */
bool stream_message_next(
    struct stream_message *message, struct stream_item *item);

#endif
