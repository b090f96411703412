/*
 * format_item.h - what a format is compiled to
 *
 * Layer port/.  One item for each thing that is printed, in order.
 */
#ifndef STREAM_PORT_FORMAT_ITEM_H
#define STREAM_PORT_FORMAT_ITEM_H

#include <locale.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/format.h>

enum stream_field {
	STREAM_FIELD_TEXT, /* what stands between the letters */
	STREAM_FIELD_KEY,
	STREAM_FIELD_VALUE,
	STREAM_FIELD_TOPIC,
	STREAM_FIELD_HEADERS,
	STREAM_FIELD_TIME,
	STREAM_FIELD_JSONL, /* the whole JSON line */
	STREAM_FIELD_KEY_SIZE,
	STREAM_FIELD_VALUE_SIZE,
	STREAM_FIELD_PARTITION,
	STREAM_FIELD_OFFSET,
	STREAM_FIELD_TIMESTAMP,
	STREAM_FIELD_LEADER_EPOCH,
	STREAM_FIELD_PRODUCER_ID,
	STREAM_FIELD_PRODUCER_EPOCH,
	STREAM_FIELD_NUMBER
};

enum stream_form {
	STREAM_FORM_PLAIN, /* bytes as they are, a number in decimal, ISO time
			    */
	STREAM_FORM_HEX,
	STREAM_FORM_BASE64,
	STREAM_FORM_JSON,
	STREAM_FORM_TSV,
	STREAM_FORM_CSV,
	STREAM_FORM_DUMP, /* hexadecimal, "-" for null */
	STREAM_FORM_BIG,
	STREAM_FORM_LITTLE,
	STREAM_FORM_VARINT,
	STREAM_FORM_STRFTIME
};

enum {
	/* The longest format: more than anyone writes, and few enough that the
	 * numbers below fit in 32 bits. */
	STREAM_FORMAT_SIZE = 1 << 20,
	/* What may be read after a text, so that short ones are copied with
	 * one store of this size. */
	STREAM_ITEM_PAD = 16,
	/* The longest that one % of strftime gives: %c with a nine-digit
	 * year, and some. */
	STREAM_STRFTIME_ONE = 40
};

struct stream_item {
	uint8_t field; /* enum stream_field */
	uint8_t form;  /* enum stream_form */
	uint8_t width; /* bytes of BIG and LITTLE */
	char letter;   /* as it was written, for messages */
	uint32_t at;   /* TEXT and STRFTIME: where in text; the latter ends
			  with NUL */
	uint32_t size; /* TEXT: bytes; STRFTIME: the most it prints */
};

struct stream_format {
	struct stream_item *items; /* owned */
	size_t count;
	uint8_t *text;   /* owned; STREAM_ITEM_PAD bytes at its end */
	size_t fixed;    /* bound of all that has no bytes of the record */
	locale_t locale; /* C, for strftime; 0 when not needed */
};

/*
 * Add to *format, which has room for an item and a byte of text for each
 * character of text and is otherwise empty, what text (borrowed) says.
 * STREAM_EUSAGE, STREAM_ENOMEM.
 */
int stream_format_compile(
    struct stream_format *format, const char *text, struct stream_error *err);

#endif
