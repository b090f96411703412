/*
 * stream/format.h - the -f language: how records are printed
 *
 * Layer port/.  A format is compiled once, then run for each record.
 *
 *   %k        key                       %t  topic
 *   %s, %v    value                     %p  partition
 *   %K, %S    their lengths, -1: null   %o  offset
 *   %T        timestamp, ms             %e  leader epoch
 *   %d{iso}   time (%d is the same)     %x  producer id
 *   %d{strftime TEXT}  time, UTC        %y  producer epoch
 *   %h        headers: name=value,...   %i  number of the record, from 1
 *   %%        a per cent sign
 *
 * A null key or value prints nothing; a null header is its name without "=".
 * %d prints -1 for a record without a timestamp, as %T does; %e, %x and %y
 * print -1 where there is no such number.
 *
 * In braces after k, s, v and t: {hex}, {base64}, {json} (a JSON string,
 * null, or {"b64":"..."} for bytes that are not UTF-8); after h: {json}.
 * After a number: {big8} {big16} {big32} {big64} {little8} ... {little64}
 * (two's complement) and {varint} (zig-zag, as in Kafka's records).
 *
 * Escapes: \n \t \r \0 \\ \xHH.
 *
 * These words alone name a format: raw (the value and nothing else), json
 * (stream/jsonl.h), tsv (key TAB value, with \t \n \r \\ escaped and \N for
 * null), csv (key,value by RFC 4180 with LF; null is nothing, empty is ""),
 * hex ("42: key=7531 value=7b7d", "-" for null).
 */
#ifndef STREAM_FORMAT_H
#define STREAM_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>
#include <stream/jsonl.h>
#include <stream/record.h>

/* A compiled format; read-only, so that threads may share it. */
struct stream_format;

/*
 * Compile text (borrowed) and give the result; the caller frees it with
 * stream_format_free.
 *
 * STREAM_EUSAGE   an unknown letter, modifier or escape; err->pos is its byte
 *                 in text, counted from 0, and the message quotes it
 * STREAM_ENOMEM
 */
int stream_format_new(
    const char *text, struct stream_format **format, struct stream_error *err);

/* format may be NULL. */
void stream_format_free(struct stream_format *format);

/* Bytes that stream_format_put needs at most; close for large records. */
size_t stream_format_bound(const struct stream_format *format,
    const struct stream_origin *origin, const struct stream_record *record);

/*
 * Write record (borrowed), which is the number-th of this output, at *to,
 * which must have stream_format_bound bytes; all of them may be written to.
 * On success *to is the byte after the last one.
 *
 * STREAM_EUSAGE   a number does not fit in the width that the format gives
 */
int stream_format_put(const struct stream_format *format,
    const struct stream_origin *origin, const struct stream_record *record,
    uint64_t number, uint8_t **to, struct stream_error *err);

/*
 * The same to a sink, in pieces of some KiB and what the format itself takes:
 * for a record so large that its text should not be held.  On failure part of
 * it may have been written.  Also STREAM_ENOMEM.
 */
int stream_format_put_large(const struct stream_format *format,
    const struct stream_origin *origin, const struct stream_record *record,
    uint64_t number, const struct stream_sink *sink, struct stream_error *err);

#endif
