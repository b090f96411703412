/*
 * diff_report.c - a line, or an object, for each difference
 */
#include <unistd.h>

#include "cli/message.h"
#include "diff.h"

static const char *const field_names[] = {
    "key", "value", "headers", "timestamp", "offset"};

enum { FIELDS = sizeof(field_names) / sizeof(field_names[0]) };

int
diff_report_open(struct diff *diff, struct stream_error *err)
{
	const char *text =
	    diff->json ? "\"topic\":%t{json},\"partition\":%p,\"key\":%k{json}"
		       : " %k{json}";
	int status = stream_format_new(text, &diff->format, err);

	if (status == STREAM_OK)
		status = cli_out_open(&diff->out, STDOUT_FILENO, false, err);
	return status;
}

void
diff_report_release(struct diff *diff)
{
	stream_format_free(diff->format);
}

/* One more was found; with -q that is all there is to know. */
static bool
is_told(struct diff *diff)
{
	if (diff->left > 0)
		diff->left--;
	if (!diff->context->quiet)
		return true;
	diff->left = 0;
	return false;
}

static int
put_formatted(struct diff *diff, enum diff_side side,
    const struct stream_record *record, struct stream_error *err)
{
	const struct stream_origin *origin = &diff->origins[side];
	uint8_t *start = cli_out_reserve(
	    &diff->out, stream_format_bound(diff->format, origin, record));
	uint8_t *to = start;
	int status;

	if (start == NULL)
		return STREAM_OK;
	status = stream_format_put(diff->format, origin, record, 0, &to, err);
	if (status == STREAM_OK)
		cli_out_commit(&diff->out, (size_t)(to - start));
	return status;
}

static void
put_fields(struct diff *diff, unsigned fields)
{
	const char *quote = diff->json ? "\"" : "";
	const char *before = "";

	for (size_t i = 0; i < FIELDS; i++)
		if ((fields & 1U << i) != 0) {
			cli_out_format(&diff->out, "%s%s%s%s", before, quote,
			    field_names[i], quote);
			before = ",";
		}
}

/* The offset on a side, or -1 for null. */
static void
put_offset(struct diff *diff, const char *name, int64_t offset)
{
	cli_out_format(&diff->out, ",\"%s\":", name);
	if (offset < 0)
		cli_out_text(&diff->out, "null");
	else
		cli_out_int(&diff->out, offset);
}

static int
put_json(struct diff *diff, enum diff_side side, const char *what,
    const struct stream_record *record, int64_t offset_a, int64_t offset_b,
    unsigned fields, struct stream_error *err)
{
	int status;

	cli_out_format(&diff->out, "{\"difference\":\"%s\",", what);
	status = put_formatted(diff, side, record, err);
	put_offset(diff, "offset_a", offset_a);
	put_offset(diff, "offset_b", offset_b);
	cli_out_text(&diff->out, ",\"fields\":[");
	put_fields(diff, fields);
	cli_out_text(&diff->out, "]}\n");
	return status;
}

/* "- topic:0 5": the sign, and where. */
static void
put_place(struct diff *diff, char sign, enum diff_side side)
{
	const struct stream_origin *origin = &diff->origins[side];

	cli_out_byte(&diff->out, (uint8_t)sign);
	cli_out_format(&diff->out, " %.*s:%d", (int)origin->topic_size,
	    origin->topic, origin->partition);
}

int
diff_tell_partition(
    struct diff *diff, enum diff_side side, struct stream_error *err)
{
	static const struct stream_record none = {0};

	diff->counts.partitions_only[side]++;
	if (!is_told(diff))
		return STREAM_OK;
	if (diff->json)
		return put_json(diff, side,
		    side == DIFF_A ? "partition_only_a" : "partition_only_b",
		    &none, -1, -1, 0, err);
	put_place(diff, side == DIFF_A ? '-' : '+', side);
	cli_out_text(&diff->out, " the whole partition\n");
	return STREAM_OK;
}

int
diff_tell_only(struct diff *diff, enum diff_side side,
    const struct stream_record *record, struct stream_error *err)
{
	int status;

	diff->counts.only[side]++;
	if (!is_told(diff))
		return STREAM_OK;
	if (diff->json)
		return put_json(diff, side,
		    side == DIFF_A ? "only_a" : "only_b", record,
		    side == DIFF_A ? record->offset : -1,
		    side == DIFF_B ? record->offset : -1, 0, err);
	put_place(diff, side == DIFF_A ? '-' : '+', side);
	cli_out_byte(&diff->out, ' ');
	cli_out_int(&diff->out, record->offset);
	status = put_formatted(diff, side, record, err);
	cli_out_byte(&diff->out, '\n');
	return status;
}

int
diff_tell_changed(struct diff *diff, const struct stream_record *a,
    int64_t offset_b, unsigned fields, struct stream_error *err)
{
	int status;

	diff->counts.changed++;
	if (!is_told(diff))
		return STREAM_OK;
	if (diff->json)
		return put_json(diff, DIFF_A, "changed", a, a->offset, offset_b,
		    fields, err);
	put_place(diff, '~', DIFF_A);
	cli_out_byte(&diff->out, ' ');
	cli_out_int(&diff->out, a->offset);
	if (offset_b != a->offset) {
		cli_out_byte(&diff->out, '/');
		cli_out_int(&diff->out, offset_b);
	}
	status = put_formatted(diff, DIFF_A, a, err);
	cli_out_byte(&diff->out, ' ');
	put_fields(diff, fields);
	cli_out_byte(&diff->out, '\n');
	return status;
}

void
diff_tell_counts(struct diff *diff)
{
	const struct diff_counts *counts = &diff->counts;
	unsigned long long numbers[] = {counts->equal, counts->changed,
	    counts->only[DIFF_A], counts->only[DIFF_B],
	    counts->partitions_only[DIFF_A], counts->partitions_only[DIFF_B],
	    counts->keyless};

	if (diff->context->quiet)
		return;
	if (diff->json) {
		cli_out_format(&diff->out,
		    "{\"equal\":%llu,\"changed\":%llu,\"only_a\":%llu,"
		    "\"only_b\":%llu,\"partitions_only_a\":%llu,"
		    "\"partitions_only_b\":%llu,\"keyless\":%llu}\n",
		    numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
		    numbers[5], numbers[6]);
		return;
	}
	if (numbers[4] + numbers[5] > 0)
		cli_note(diff->context, NULL,
		    "partitions: %llu only in A, %llu only in B", numbers[4],
		    numbers[5]);
	if (numbers[6] > 0)
		cli_note(diff->context, NULL,
		    "%llu records without a key are left out", numbers[6]);
	cli_note(diff->context, NULL,
	    "%llu equal, %llu changed, %llu only in A, %llu only in B",
	    numbers[0], numbers[1], numbers[2], numbers[3]);
}
