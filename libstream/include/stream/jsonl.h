/*
 * stream/jsonl.h - records as JSON lines, out and in, byte for byte
 *
 * Layer port/.  Pure functions over memory.  A record is one line:
 *
 *   {"topic":"orders","partition":0,"offset":42,"ts":1767225600000,
 *    "key":"u1","value":"...","headers":[["src","web"]]}
 *
 * (on one line).  All seven members are always written; a record without
 * headers has "headers":[].  null is null, empty is "".  Bytes that are not
 * UTF-8 stand in base64: "key_b64", "value_b64", and {"b64":"..."} in place
 * of a header's name or value.  A record without a timestamp has "ts":-1.
 */
#ifndef STREAM_JSONL_H
#define STREAM_JSONL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>
#include <stream/record.h>

enum {
	STREAM_ORIGIN_TOPIC_SIZE = 255, /* the longest name of a directory */
	STREAM_ORIGIN_JSON_SIZE = 6 * STREAM_ORIGIN_TOPIC_SIZE + 64
};

/*
 * Where records come from: a topic and a partition, and the front of their
 * JSON lines, which is the same for each of them.  Owns nothing; read-only
 * after stream_origin_init.
 */
struct stream_origin {
	int32_t partition;
	uint32_t topic_size;
	uint32_t json_size;
	char topic[STREAM_ORIGIN_TOPIC_SIZE + 1]; /* with a NUL */
	uint8_t json[STREAM_ORIGIN_JSON_SIZE]; /* {"topic":... to "offset": */
};

/*
 * Set *origin; topic is borrowed and copied.  Any bytes will do, since a
 * foreign directory can have any name.  STREAM_EUSAGE when it is longer than
 * STREAM_ORIGIN_TOPIC_SIZE.
 */
int stream_origin_init(struct stream_origin *origin, const char *topic,
    int32_t partition, struct stream_error *err);

/*
 * Bytes that stream_jsonl_put needs at most: six for each byte of a small
 * record, close to what it will write for a large one.
 */
size_t stream_jsonl_bound(
    const struct stream_origin *origin, const struct stream_record *record);

/*
 * Write record (borrowed) as a line, with its newline, at to, which must have
 * stream_jsonl_bound bytes; all of them may be written to.  Returns the byte
 * after the line.  Cannot fail.
 */
uint8_t *stream_jsonl_put(const struct stream_origin *origin,
    const struct stream_record *record, uint8_t *to);

/* Takes text as it is made.  context is the caller's; bytes are lent. */
struct stream_sink {
	void (*put)(void *context, const uint8_t *bytes, size_t size);
	void *context;
};

/*
 * The same line in pieces of some KiB, for a record so large that its line,
 * up to six times as large, should not be held.  Slower for small ones.
 */
void stream_jsonl_put_large(const struct stream_origin *origin,
    const struct stream_record *record, const struct stream_sink *sink);

/* What one line says. */
struct stream_jsonl_line {
	struct stream_record record; /* offset 0; timestamp_ms see below */
	int32_t partition;           /* -1: the line names none */
	bool has_timestamp;          /* false: absent or null; then
					record.timestamp_ms is
					STREAM_NO_TIMESTAMP, and the caller
					may put now */
};

/* Reads lines; owns memory that is used again for each.  One thread. */
struct stream_jsonl_reader;

/* Give a new reader; the caller frees it with stream_jsonl_reader_free.
 * STREAM_ENOMEM. */
int stream_jsonl_reader_new(
    struct stream_jsonl_reader **reader, struct stream_error *err);

/* reader may be NULL. */
void stream_jsonl_reader_free(struct stream_jsonl_reader *reader);

/*
 * Read one line, with or without its newline.  text is borrowed;
 * line->record is lent, from the reader's memory.
 *
 * Members may come in any order.  topic and offset are checked for their type
 * and ignored.  An absent key, value or headers is null or none; null for ts
 * or partition is the same as absent.  Anything that would be lost is an
 * error: an unknown or repeated member, key together with key_b64, a number
 * that is not a whole one of 64 bits, base64 without its padding or with
 * stray bits, a lone surrogate.  Memory is a small multiple of the longest
 * line.
 *
 * STREAM_EUSAGE   err->pos is the byte in text, counted from 0; the message
 *                 begins with "column N: ", counted from 1
 * STREAM_ENOMEM
 */
int stream_jsonl_take(struct stream_jsonl_reader *reader,
    struct stream_bytes text, struct stream_jsonl_line *line,
    struct stream_error *err);

#endif
