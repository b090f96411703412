/*
 * field_text.h - a key or a value as a field of a text table
 *
 * Layer port/.  bytes may be null.  Each writes at most twice the bytes and
 * STREAM_FIELD_AROUND more, and returns the byte after the last one.
 */
#ifndef STREAM_PORT_FIELD_TEXT_H
#define STREAM_PORT_FIELD_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/record.h>

enum { STREAM_FIELD_AROUND = 2 };

/* As they are; null is nothing. */
uint8_t *stream_field_put(struct stream_bytes bytes, uint8_t *to);

/* Linear TSV: \t \n \r \\ for those characters, \N for null. */
uint8_t *stream_field_put_tsv(struct stream_bytes bytes, uint8_t *to);

/* RFC 4180: in quotes where it must be, quotes doubled.  Null is nothing,
 * empty is "", so that the two stay apart. */
uint8_t *stream_field_put_csv(struct stream_bytes bytes, uint8_t *to);

/* Must it stand in quotes there? */
bool stream_field_needs_quotes(struct stream_bytes bytes);

/* Hexadecimal, lower case. */
uint8_t *stream_field_put_hex(struct stream_bytes bytes, uint8_t *to);

/* The same, "-" for null. */
uint8_t *stream_field_put_dump(struct stream_bytes bytes, uint8_t *to);

#endif
