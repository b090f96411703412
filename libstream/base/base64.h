/*
 * base64.h - bytes as base64 (RFC 4648 section 4) and as hexadecimal
 *
 * One text for each run of bytes and back: padding is required, and the bits
 * that the last letters do not need must be zero.
 */
#ifndef STREAM_BASE_BASE64_H
#define STREAM_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Letters that size bytes take, padding included. */
static inline size_t
stream_base64_size(size_t size)
{
	return (size / 3 + (size % 3 != 0)) * 4;
}

/* Write size borrowed bytes as base64 at to, which must have
 * stream_base64_size(size) bytes.  Returns the byte after the last. */
uint8_t *stream_base64_put(const uint8_t *data, size_t size, uint8_t *to);

/*
 * Read size letters (borrowed); to must have size / 4 * 3 bytes and may be
 * the same memory as text.  *done is how many bytes they are.  false when it
 * is not base64; *done is then the letter that is wrong, counted from 0, and
 * may be size.
 */
bool stream_base64_take(
    const uint8_t *text, size_t size, uint8_t *to, size_t *done);

/* Write size borrowed bytes as 2 * size lower-case digits at to.  Returns the
 * byte after the last. */
uint8_t *stream_hex_put(const uint8_t *data, size_t size, uint8_t *to);

/* The value of a hexadecimal digit of either case; -1 when it is none. */
int stream_hex_digit(uint8_t letter);

/* As stream_base64_take; to must have size / 2 bytes. */
bool stream_hex_take(
    const uint8_t *text, size_t size, uint8_t *to, size_t *done);

#endif
