/*
 * decimal.h - whole numbers as text, without printf
 */
#ifndef STREAM_BASE_DECIMAL_H
#define STREAM_BASE_DECIMAL_H

#include <stdint.h>

/* The longest: INT64_MIN with its sign, and UINT64_MAX. */
enum { STREAM_DECIMAL_SIZE = 20 };

/* Write value at to, which must have STREAM_DECIMAL_SIZE bytes.  Returns the
 * byte after the last digit; no NUL. */
uint8_t *stream_decimal_put(int64_t value, uint8_t *to);
uint8_t *stream_decimal_put_unsigned(uint64_t value, uint8_t *to);

#endif
