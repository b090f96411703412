/*
 * pieces.h - bytes as text, piece by piece
 *
 * Layer port/.  What stream/json.h and field_text.h write to memory, written
 * to a sink in pieces of some KiB: for values so large that their text, up to
 * six times as large, must not be held.
 */
#ifndef STREAM_PORT_PIECES_H
#define STREAM_PORT_PIECES_H

#include <stream/jsonl.h>

#include "port/format_item.h"

void stream_pieces_put(const struct stream_sink *sink, const char *text);

/* A JSON string, null, or {"b64":"..."}. */
void stream_pieces_put_json(
    struct stream_bytes bytes, const struct stream_sink *sink);

/* name and a string or null, or name_b64 and base64; both with their colon. */
void stream_pieces_put_member(const char *name, const char *name_b64,
    struct stream_bytes bytes, const struct stream_sink *sink);

/* An array of [name, value]. */
void stream_pieces_put_headers(
    const struct stream_record *record, const struct stream_sink *sink);

/* In any form that bytes can have. */
void stream_pieces_put_form(enum stream_form form, struct stream_bytes bytes,
    const struct stream_sink *sink);

#endif
