/*
 * diff_offset.c - two partitions, record by record
 */
#include "diff.h"

/* The record of the lower offset is only there; two of one offset pair up. */
static int
compare_next(struct diff *diff, struct diff_cursor *cursors,
    const struct stream_record *a, const struct stream_record *b,
    struct stream_error *err)
{
	int status = STREAM_OK;
	unsigned fields;

	if (b == NULL || (a != NULL && a->offset < b->offset)) {
		status = diff_tell_only(diff, DIFF_A, a, err);
		diff_cursor_next(&cursors[DIFF_A]);
		return status;
	}
	if (a == NULL || b->offset < a->offset) {
		status = diff_tell_only(diff, DIFF_B, b, err);
		diff_cursor_next(&cursors[DIFF_B]);
		return status;
	}
	fields = diff_compare(a, b, diff->fields);
	if (fields == 0)
		diff->counts.equal++;
	else
		status = diff_tell_changed(diff, a, b->offset, fields, err);
	diff_cursor_next(&cursors[DIFF_A]);
	diff_cursor_next(&cursors[DIFF_B]);
	return status;
}

int
diff_by_offset(struct diff *diff, const struct stream_place *a,
    const struct stream_place *b, struct stream_error *err)
{
	struct diff_cursor cursors[2] = {{0}};
	int status = diff_cursor_open(&cursors[DIFF_A], diff, DIFF_A, a, err);

	if (status == STREAM_OK)
		status =
		    diff_cursor_open(&cursors[DIFF_B], diff, DIFF_B, b, err);
	while (status == STREAM_OK && !diff_is_done(diff)) {
		const struct stream_record *one, *other;

		status = diff_cursor_peek(&cursors[DIFF_A], &one, err);
		if (status == STREAM_OK)
			status =
			    diff_cursor_peek(&cursors[DIFF_B], &other, err);
		if (status == STREAM_OK && one == NULL && other == NULL)
			break;
		if (status == STREAM_OK)
			status = compare_next(diff, cursors, one, other, err);
	}
	diff_cursor_close(&cursors[DIFF_A]);
	diff_cursor_close(&cursors[DIFF_B]);
	return status;
}
