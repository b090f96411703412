/*
 * json_scan.h - take the parts of a JSON text, one after another
 *
 * Layer port/.  A reader that knows what it wants next needs no tree: it
 * takes a string here and a number there.  Nothing nests deeper than its
 * caller asks for.  RFC 8259, strictly: valid UTF-8, no control characters
 * in strings, no lone surrogates.
 */
#ifndef STREAM_PORT_JSON_SCAN_H
#define STREAM_PORT_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/error.h>
#include <stream/record.h>

struct stream_json_scan {
	const uint8_t *start; /* the text, borrowed */
	const uint8_t *at;
	const uint8_t *end;
	uint8_t *spare; /* where strings are decoded to; as much room as the
			   text has */
	struct stream_error *err;
};

/* STREAM_EUSAGE with "column N: " and the message; at is where it is wrong. */
__attribute__((format(printf, 3, 4))) int stream_json_fail(
    const struct stream_json_scan *scan, const uint8_t *at, const char *format,
    ...);

/* Go past white space, so that scan->at is where the next part begins. */
void stream_json_skip_space(struct stream_json_scan *scan);

/* Skip white space; then whether mark stands there, and go past it if so. */
bool stream_json_try(struct stream_json_scan *scan, char mark);

/* As stream_json_try for the word null. */
bool stream_json_try_null(struct stream_json_scan *scan);

/* The same, but it must.  STREAM_EUSAGE. */
int stream_json_expect(struct stream_json_scan *scan, char mark);

/* Nothing but white space may follow.  STREAM_EUSAGE. */
int stream_json_expect_end(struct stream_json_scan *scan);

/* Take a string; its bytes lie in spare, one string after another, and the
 * caller may change them.  STREAM_EUSAGE. */
int stream_json_take_string(
    struct stream_json_scan *scan, uint8_t **data, size_t *size);

/* Take a whole number from least to most.  STREAM_EUSAGE. */
int stream_json_take_number(struct stream_json_scan *scan, int64_t least,
    int64_t most, int64_t *number);

#endif
