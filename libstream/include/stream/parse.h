/*
 * stream/parse.h - numbers, sizes, durations and times as people write them
 *
 * Pure functions of a string; nothing depends on the locale.  A number that
 * does not fit is an error, never cut.  All return STREAM_OK or
 * STREAM_EUSAGE with a message that quotes the text.
 */
#ifndef STREAM_PARSE_H
#define STREAM_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

/* A whole decimal number from least to most, an optional '-' before it. */
int stream_parse_int(const char *text, int64_t least, int64_t most,
    int64_t *value, struct stream_error *err);

/*
 * Bytes: digits, then nothing, B, or one of K M G T and their forms KB (1000)
 * and KiB (1024); a lone letter is 1024, as in dd and truncate.
 */
int stream_parse_size(
    const char *text, int64_t *bytes, struct stream_error *err);

/*
 * Milliseconds: digits, then nothing (ms), or ms, s, m, h, d or w, once or
 * several times ("1h30m").
 */
int stream_parse_duration(
    const char *text, int64_t *milliseconds, struct stream_error *err);

/*
 * A time: 2026-03-01, 2026-03-01T10:30, ...:30:05, ...:05.250, each with Z,
 * +01:00, -0130 or nothing (UTC); or "@" and milliseconds since 1970.
 */
int stream_parse_time(
    const char *text, int64_t *timestamp_ms, struct stream_error *err);

/* Bytes that stream_format_time writes at most, with the final NUL. */
enum { STREAM_TIME_SIZE = 40 };

/*
 * Write timestamp_ms as "2026-03-01T10:30:05.250Z" to text, which must have
 * STREAM_TIME_SIZE bytes.  A year outside 0..9999 is written as the number of
 * milliseconds instead, with "@" before it.
 */
void stream_format_time(int64_t timestamp_ms, char *text);

/*
 * Replace backslash escapes (\n \t \r \0 \\ \xHH) in text; *bytes (given; the
 * caller frees it with free()) need not end with NUL.  Any other character
 * after a backslash is an error.
 */
int stream_parse_escapes(
    const char *text, uint8_t **bytes, size_t *size, struct stream_error *err);

/* The nearest of count names to text, for "did you mean"; NULL when none is
 * near (more than a third of its letters differ).  Borrows; returns one of
 * names. */
const char *stream_parse_nearest(
    const char *text, const char *const *names, size_t count);

#endif
