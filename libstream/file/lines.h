/*
 * lines.h - the text under Kafka's checkpoint files
 *
 * Layer file/.  SPEC section 6.  A version line "0", a count, and that many
 * lines of fields with white space between them.  Nothing is copied: words
 * borrow from the text.
 */
#ifndef STREAM_FILE_LINES_H
#define STREAM_FILE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/record.h>

/* A piece of the text, not ended by NUL. */
struct stream_field {
	const char *text;
	size_t size;
};

struct stream_lines {
	const char *at;
	const char *end;
	uint64_t number;    /* of the line taken last, from 1, for messages */
	int64_t count_left; /* entries that the head promised, less the taken */
};

/*
 * Begin: take the version and the count.  A text without a byte has no
 * entries, as for Kafka.  STREAM_ECORRUPT.
 */
int stream_lines_init(struct stream_lines *lines, struct stream_bytes text,
    struct stream_error *err);

/*
 * Take the next entry's line, without its line end.  STREAM_END after the
 * promised number of them; more or fewer is STREAM_ECORRUPT.
 */
int stream_lines_take(struct stream_lines *lines, struct stream_field *line,
    struct stream_error *err);

/*
 * Split a line into exactly count fields.  STREAM_ECORRUPT names the line.
 */
int stream_lines_split(const struct stream_lines *lines,
    struct stream_field line, struct stream_field *fields, size_t count,
    struct stream_error *err);

/* A whole number from 0 to most.  STREAM_ECORRUPT names the line. */
int stream_lines_number(const struct stream_lines *lines,
    struct stream_field field, int64_t most, int64_t *value,
    struct stream_error *err);

#endif
