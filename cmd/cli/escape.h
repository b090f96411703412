/*
 * cli/escape.h - bytes made safe to show on a terminal
 *
 * As \xHH: control characters (C0, DEL, C1, ESC among them), bytes that are
 * not UTF-8, and characters that are not seen or turn the direction of text
 * (zero-width, bidi, line separators, tags).  A backslash stays as it is, so
 * the result is for people, not for parsing.
 */
#ifndef CLI_ESCAPE_H
#define CLI_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One byte becomes at most so many. */
enum { CLI_ESCAPE_GROWTH = 4 };

/*
 * Write size borrowed bytes, escaped, at to, which has size *
 * CLI_ESCAPE_GROWTH bytes; returns how many were written.  lines: newline
 * and tab stay as they are, as data wants; else they become \n and \t.
 */
size_t cli_escape(uint8_t *to, const uint8_t *bytes, size_t size, bool lines);

/* How many bytes at the end begin a character that may go on in what is not
 * there yet: 0 to 3. */
size_t cli_escape_unfinished(const uint8_t *bytes, size_t size);

#endif
