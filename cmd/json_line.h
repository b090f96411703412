/*
 * json_line.h - one JSON line after another, on an output
 *
 * Members follow one another; commas are put where they belong.  Names are
 * borrowed and need no escaping.
 */
#ifndef JSON_LINE_H
#define JSON_LINE_H

#include <stdbool.h>

#include <stream/message.h>

#include "cli/output.h"

struct json_line {
	struct cli_out *out;
	bool comma; /* before the next member or item */
};

/* {"type":"NAME" and, at the end, } and a newline. */
void line_begin(struct json_line *json, const char *type);
void line_end(struct json_line *json);

void line_int(struct json_line *json, const char *name, int64_t value);
/* Null for one that is none: below 0. */
void line_known(struct json_line *json, const char *name, int64_t value);

void line_uint(struct json_line *json, const char *name, uint64_t value);
void line_bool(struct json_line *json, const char *name, bool value);
void line_real(struct json_line *json, const char *name, double value);
void line_null(struct json_line *json, const char *name);
void line_text(struct json_line *json, const char *name, const char *text);

/* A string or null; bytes that are not UTF-8 stand in base64 in NAME_b64. */
void line_bytes(
    struct json_line *json, const char *name, struct stream_bytes bytes);

void line_headers(struct json_line *json, const struct stream_record *record);

/* A list or an object as the value of name; NULL: as an item of a list. */
void line_open(struct json_line *json, const char *name, char bracket);
void line_close(struct json_line *json, char bracket);

/* All items of an open message as members. */
void line_message(struct json_line *json, struct stream_message *message);

#endif
