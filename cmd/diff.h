/*
 * diff.h - what the files of strm diff share
 *
 * diff.c reads the command line and pairs partitions; diff_offset.c and
 * diff_key.c compare two; diff_report.c says what differs.
 */
#ifndef DIFF_H
#define DIFF_H

#include <stream/address.h>
#include <stream/format.h>
#include <stream/reader.h>

#include "cli/output.h"

/* Parts of a record in which two can differ. */
enum diff_field {
	DIFF_KEY = 1 << 0,
	DIFF_VALUE = 1 << 1,
	DIFF_HEADERS = 1 << 2,
	DIFF_TIMESTAMP = 1 << 3,
	DIFF_OFFSET = 1 << 4
};

enum diff_side { DIFF_A, DIFF_B };

/* One of the two things that are compared: what an address means. */
struct diff_source {
	struct stream_address address;
	struct stream_places places;
};

struct diff_counts {
	uint64_t equal;
	uint64_t changed;
	uint64_t only[2];
	uint64_t partitions_only[2];
	uint64_t keyless; /* records that by key has no word on */
};

struct diff {
	const struct cli_context *context;
	bool json;
	unsigned fields; /* those that count, of enum diff_field */
	unsigned reader_flags;
	size_t max_batch_bytes;
	size_t memory; /* bytes for --by key */
	int64_t left;  /* differences still to tell, -1: any number */
	struct stream_store *store;
	struct diff_source sources[2];
	struct cli_out out;
	struct stream_format *format;    /* of the key */
	struct stream_origin origins[2]; /* of the pair that is compared */
	struct diff_counts counts;
};

/* ---- diff_report.c ---- */

/* Open and close what is printed to. */
int diff_report_open(struct diff *diff, struct stream_error *err);
void diff_report_release(struct diff *diff);

/* All differences that were asked for were told. */
static inline bool
diff_is_done(const struct diff *diff)
{
	return diff->left == 0;
}

/* A partition is missing on the other side. */
int diff_tell_partition(
    struct diff *diff, enum diff_side side, struct stream_error *err);

/* record (borrowed) stands on that side only. */
int diff_tell_only(struct diff *diff, enum diff_side side,
    const struct stream_record *record, struct stream_error *err);

/* What differs between a record of A (borrowed) and the one at offset_b. */
int diff_tell_changed(struct diff *diff, const struct stream_record *a,
    int64_t offset_b, unsigned fields, struct stream_error *err);

/* Counts at the end: an object with -J, else a line on standard error. */
void diff_tell_counts(struct diff *diff);

/* ---- diff_record.c ---- */

/* A record after another of one side; peek is NULL at the end. */
struct diff_cursor {
	struct stream_reader *reader;
	const struct stream_record *records;
	size_t count;
	size_t at;
};

/* Begin to read one partition.  Zero *cursor before; diff_cursor_close. */
int diff_cursor_open(struct diff_cursor *cursor, const struct diff *diff,
    enum diff_side side, const struct stream_place *place,
    struct stream_error *err);
void diff_cursor_close(struct diff_cursor *cursor);

/* *record is lent until the next call; NULL at the end. */
int diff_cursor_peek(struct diff_cursor *cursor,
    const struct stream_record **record, struct stream_error *err);

static inline void
diff_cursor_next(struct diff_cursor *cursor)
{
	cursor->at++;
}

/* The fields in which a and b differ, of those in mask. */
unsigned diff_compare(const struct stream_record *a,
    const struct stream_record *b, unsigned mask);

/* ---- the two ways ---- */

int diff_by_offset(struct diff *diff, const struct stream_place *a,
    const struct stream_place *b, struct stream_error *err);

int diff_by_key(struct diff *diff, const struct stream_place *a,
    const struct stream_place *b, struct stream_error *err);

#endif
