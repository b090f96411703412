/*
 * stream/json.h - bytes as JSON text
 *
 * Layer port/.  Pure functions over memory.  Whatever the bytes, what comes
 * out is valid JSON.
 */
#ifndef STREAM_JSON_H
#define STREAM_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <stream/record.h>

/*
 * Write bytes (borrowed, not null) as a JSON string with its quotes at to.
 * Returns the byte after it; NULL when they are not UTF-8, and then part of
 * to may have been written to.
 */
uint8_t *stream_json_put_string(struct stream_bytes bytes, uint8_t *to);

/* Write bytes (borrowed, not null) as a JSON string of their base64. */
uint8_t *stream_json_put_base64(struct stream_bytes bytes, uint8_t *to);

/* Write bytes as a string, null, or {"b64":"..."} where they are not UTF-8. */
uint8_t *stream_json_put(struct stream_bytes bytes, uint8_t *to);

/* Bytes that stream_json_put needs at most, and as much for the string or the
 * base64 alone. */
size_t stream_json_bound(struct stream_bytes bytes);

/* Write the headers of record as an array of [name, value]. */
uint8_t *stream_json_put_headers(
    const struct stream_record *record, uint8_t *to);

/* Bytes that stream_json_put_headers needs at most. */
size_t stream_json_bound_headers(const struct stream_record *record);

#endif
