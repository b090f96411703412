/*
 * inspect_log.c - segments and batches
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

/* Bits of the attributes.  SPEC section 2.2. */
enum {
	CODEC = 0x07,
	APPEND_TIME = 1 << 3,
	TRANSACTIONAL = 1 << 4,
	CONTROL = 1 << 5,
	HORIZON = 1 << 6
};

/* What a walk over one log has seen. */
struct segment {
	struct inspect *in;
	const struct stream_file *file;
	char name[24]; /* without ".log" */
	struct stream_log_walk *walk;
	uint64_t size;
	uint64_t batches;
	uint64_t records;
	int64_t first_offset; /* -1: none */
	int64_t last_offset;
	int64_t first_timestamp_ms; /* the least and the greatest; -1: none */
	int64_t last_timestamp_ms;
};

static const char *
codec_of(const struct stream_batch_info *info)
{
	const char *name =
	    stream_codec_name((enum stream_codec)(info->attributes & CODEC));

	return name == NULL ? "unknown" : name;
}

/* ---- batches ------------------------------------------------------------ */

static void
put_batch_fields(struct json_line *json, const struct stream_piece *piece)
{
	const struct stream_batch_info *info = &piece->info;
	uint16_t attributes = info->attributes;

	line_int(json, "base_offset", info->base_offset);
	line_int(json, "last_offset", info->last_offset);
	line_int(json, "last_offset_delta", piece->last_offset_delta);
	line_int(json, "partition_leader_epoch", info->leader_epoch);
	line_int(json, "magic", piece->magic);
	line_uint(json, "crc", piece->crc);
	line_bool(json, "valid", piece->kind == STREAM_PIECE_BATCH);
	line_int(json, "attributes", attributes);
	line_text(json, "codec", codec_of(info));
	line_text(json, "timestamp_type",
	    attributes & APPEND_TIME ? "LogAppendTime" : "CreateTime");
	line_bool(json, "transactional", (attributes & TRANSACTIONAL) != 0);
	line_bool(json, "control", (attributes & CONTROL) != 0);
	if (attributes & HORIZON)
		line_int(json, "delete_horizon_ms", piece->base_timestamp_ms);
	else
		line_null(json, "delete_horizon_ms");
	line_int(json, "base_timestamp", piece->base_timestamp_ms);
	line_int(json, "max_timestamp", info->max_timestamp_ms);
	line_int(json, "producer_id", info->producer_id);
	line_int(json, "producer_epoch", info->producer_epoch);
	line_int(json, "base_sequence", info->base_sequence);
	line_int(json, "last_sequence",
	    inspect_sequence(info, piece->last_offset_delta));
	line_int(json, "count", info->record_count);
}

static void
put_batch_json(struct segment *segment, const struct stream_piece *piece)
{
	struct json_line *json = &segment->in->json;

	inspect_begin(segment->in, "batch");
	line_text(json, "segment", segment->name);
	line_uint(json, "position", piece->info.position);
	line_uint(json, "size", piece->size);
	if (piece->has_header)
		put_batch_fields(json, piece);
	else
		line_bool(json, "valid", false);
	inspect_end(segment->in);
}

/* Columns of a width, since a log can have more batches than memory. */
#define BATCH_HEADS "%11s %9s %12s %12s %8s %-6s %-24s %5s %8s %s\n"
#define BATCH_ROW "%11llu %9llu %12lld %12lld %8d %-6s %-24s %5d %8lld %s\n"

static void
put_batch_heads(struct segment *segment)
{
	cli_out_format(&segment->in->out, BATCH_HEADS, "POSITION", "SIZE",
	    "FIRST", "LAST", "RECORDS", "CODEC", "TIME", "EPOCH", "PRODUCER",
	    "WHAT");
}

static const char *
what_of(const struct stream_piece *piece)
{
	if (piece->kind != STREAM_PIECE_BATCH)
		return "BAD";
	if (piece->info.attributes & CONTROL)
		return "control";
	if (piece->info.attributes & TRANSACTIONAL)
		return "transaction";
	if (piece->info.attributes & HORIZON)
		return "horizon";
	return "data";
}

static void
put_batch_text(struct segment *segment, const struct stream_piece *piece)
{
	const struct stream_batch_info *info = &piece->info;
	char time[STREAM_TIME_SIZE];

	cli_out_format(&segment->in->out, BATCH_ROW,
	    (unsigned long long)info->position, (unsigned long long)piece->size,
	    (long long)info->base_offset, (long long)info->last_offset,
	    info->record_count, codec_of(info),
	    inspect_time(info->max_timestamp_ms, time), info->leader_epoch,
	    (long long)info->producer_id, what_of(piece));
}

static void
put_batch(struct segment *segment, const struct stream_piece *piece)
{
	struct inspect *in = segment->in;

	if (!in->shows.batches)
		return;
	if (in->opts->json)
		put_batch_json(segment, piece);
	else
		put_batch_text(segment, piece);
	if (!in->shows.records && in->left > 0)
		in->left--;
}

/* ---- records ------------------------------------------------------------ */

static void
put_record(struct segment *segment, const struct stream_record *record)
{
	struct inspect *in = segment->in;

	if (in->left == 0)
		return;
	if (in->groups != NULL)
		inspect_groups_record(in, record);
	if (!in->shows.records)
		return;
	inspect_record(in, record);
	if (in->left > 0)
		in->left--;
}

static bool
needs_records(const struct inspect *in)
{
	return in->shows.records || in->stats != NULL || in->groups != NULL ||
	       in->records_left > 0;
}

/* Of the records of a batch, which rise, those that lie in the range. */
static void
trim(struct inspect *in, const struct stream_record **records, size_t *count)
{
	while (*count > 0 && (*records)->offset < in->from) {
		++*records;
		--*count;
	}
	while (*count > 0 && (*records)[*count - 1].offset >= in->to)
		--*count;
	if (in->records_left >= 0 && *count > (uint64_t)in->records_left)
		*count = (size_t)in->records_left;
	if (in->records_left > 0)
		in->records_left -= (int64_t)*count;
}

static void
put_records(struct segment *segment, const struct stream_piece *piece)
{
	struct inspect *in = segment->in;
	const struct stream_record *records;
	struct stream_error err;
	size_t count;
	int status = STREAM_END;

	while (needs_records(in) && !inspect_is_over(in) &&
	       (status = stream_log_walk_records(
		    segment->walk, &records, &count, &err)) == STREAM_OK) {
		trim(in, &records, &count);
		if (in->stats != NULL)
			inspect_stats_records(in->stats, piece, records, count);
		for (size_t i = 0; i < count; i++)
			put_record(segment, &records[i]);
	}
	if (in->stats != NULL)
		inspect_stats_batch(in->stats, piece,
		    stream_log_walk_plain_size(segment->walk));
	if (status == STREAM_EIO || status == STREAM_ENOMEM)
		inspect_fail(in, &err);
	else if (status != STREAM_OK && status != STREAM_END)
		inspect_problem(in, segment->file->name, "invalid-records",
		    true, "position %llu: %s",
		    (unsigned long long)piece->info.position, err.text);
}

/* ---- pieces ------------------------------------------------------------- */

static void
count_batch(struct segment *segment, const struct stream_piece *piece)
{
	const struct stream_batch_info *info = &piece->info;
	int64_t time = info->max_timestamp_ms;

	segment->batches++;
	segment->records += (uint64_t)info->record_count;
	if (segment->first_offset < 0)
		segment->first_offset = info->base_offset;
	segment->last_offset = info->last_offset;
	if (time == STREAM_NO_TIMESTAMP)
		return;
	if (segment->first_timestamp_ms == STREAM_NO_TIMESTAMP ||
	    time < segment->first_timestamp_ms)
		segment->first_timestamp_ms = time;
	if (time > segment->last_timestamp_ms)
		segment->last_timestamp_ms = time;
}

/* A log of ours is dense until something takes offsets away, from where it
 * starts: what is older is on its way out. */
static void
check_gap(struct segment *segment, const struct stream_piece *piece)
{
	struct inspect *in = segment->in;
	int64_t due = in->next_offset;
	bool follows = due >= 0;

	if (due < in->log_start_offset)
		due = in->log_start_offset;
	if (!in->has_gaps && follows && piece->info.base_offset > due)
		inspect_problem(in, segment->file->name, "offset-gap", true,
		    "position %llu: offsets %lld to %lld are missing",
		    (unsigned long long)piece->info.position, (long long)due,
		    (long long)piece->info.base_offset - 1);
	in->next_offset = piece->info.last_offset + 1;
}

static void
show_good(struct segment *segment, const struct stream_piece *piece)
{
	struct inspect *in = segment->in;

	check_gap(segment, piece);
	if (piece->info.last_offset < in->from ||
	    piece->info.base_offset >= in->to)
		return;
	count_batch(segment, piece);
	put_batch(segment, piece);
	if (piece->breaks_chain)
		inspect_problem(in, segment->file->name, "batch-chain", true,
		    "position %llu: %s",
		    (unsigned long long)piece->info.position, piece->why.text);
	if (in->producers != NULL)
		inspect_producers_batch(
		    in, piece, stream_log_walk_bytes(segment->walk));
	put_records(segment, piece);
}

static void
show_bad(struct segment *segment, const struct stream_piece *piece)
{
	struct inspect *in = segment->in;
	unsigned long long at = piece->info.position;

	/* Kafka's tool counts it among the batches, and so does the line. */
	segment->batches++;
	put_batch(segment, piece);
	if (piece->kind == STREAM_PIECE_BAD && piece->has_header &&
	    piece->crc != piece->computed_crc)
		inspect_problem(in, segment->file->name, "invalid-batch", true,
		    "position %llu: Record is corrupt (stored crc = %u, "
		    "computed crc = %u)",
		    at, piece->crc, piece->computed_crc);
	else
		inspect_problem(in, segment->file->name,
		    piece->kind == STREAM_PIECE_NEWER ? "unsupported-batch"
						      : "invalid-batch",
		    true, "position %llu: %s", at, piece->why.text);
}

static void
show_piece(struct segment *segment, const struct stream_piece *piece)
{
	struct inspect *in = segment->in;
	unsigned long long at = piece->info.position;

	if (piece->kind != STREAM_PIECE_BATCH)
		in->next_offset = -1; /* what is missing was told */
	switch (piece->kind) {
	case STREAM_PIECE_BATCH:
		show_good(segment, piece);
		break;
	case STREAM_PIECE_BAD:
	case STREAM_PIECE_NEWER:
		show_bad(segment, piece);
		break;
	case STREAM_PIECE_TORN:
		inspect_problem(in, segment->file->name, "trailing-bytes",
		    false,
		    "%llu bytes after position %llu are not a complete batch",
		    (unsigned long long)piece->size, at);
		break;
	case STREAM_PIECE_HOLE:
		inspect_problem(in, segment->file->name, "invalid-bytes", true,
		    "position %llu: %llu bytes are no batch: %s", at,
		    (unsigned long long)piece->size, piece->why.text);
		break;
	}
}

/* ---- segments ----------------------------------------------------------- */

static void
put_segment_json(struct segment *segment)
{
	struct json_line *json = &segment->in->json;

	line_begin(json, "segment");
	line_text(json, "partition", segment->in->label);
	line_text(json, "file", segment->file->name);
	line_int(json, "base_offset", segment->file->base_offset);
	line_uint(json, "size", segment->size);
	line_end(json);
}

static void
put_segment_row(struct segment *segment)
{
	static const char *const heads[] = {"SEGMENT", "BYTES", "BATCHES",
	    "RECORDS", "FIRST", "LAST", "FROM", "TO", "INDEX", "TIMEINDEX",
	    "TXNINDEX"};
	static const enum stream_file_kind kinds[] = {
	    STREAM_FILE_INDEX, STREAM_FILE_TIMEINDEX, STREAM_FILE_TXNINDEX};
	struct columns *rows = &segment->in->segments;
	char text[STREAM_TIME_SIZE];

	if (rows->count == 0)
		for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
			columns_add(rows, "%s", heads[i]);
	columns_add(rows, "%s", segment->name);
	columns_add(rows, "%llu", (unsigned long long)segment->size);
	columns_add(rows, "%llu", (unsigned long long)segment->batches);
	columns_add(rows, "%llu", (unsigned long long)segment->records);
	if (segment->first_offset < 0) {
		columns_add(rows, "-");
		columns_add(rows, "-");
	} else {
		columns_add(rows, "%lld", (long long)segment->first_offset);
		columns_add(rows, "%lld", (long long)segment->last_offset);
	}
	columns_add(
	    rows, "%s", inspect_time(segment->first_timestamp_ms, text));
	columns_add(rows, "%s", inspect_time(segment->last_timestamp_ms, text));
	for (int i = 0; i < 3; i++) {
		inspect_count_index(
		    segment->in, segment->file->base_offset, kinds[i], text);
		columns_add(rows, "%s", text);
	}
}

static void
walk_segment(struct segment *segment)
{
	struct inspect *in = segment->in;
	struct stream_piece piece;
	struct stream_error err;
	int status = STREAM_END;

	segment->size = stream_log_walk_size(segment->walk);
	in->count_segments++;
	in->count_bytes += segment->size;
	if (in->opts->json && in->shows.segments)
		put_segment_json(segment);
	if (!in->opts->json && in->shows.batches)
		put_batch_heads(segment);
	while (!inspect_is_over(in) && in->records_left != 0 &&
	       (status = stream_log_walk_next(segment->walk, &piece, &err)) ==
		   STREAM_OK)
		show_piece(segment, &piece);
	if (status != STREAM_OK && status != STREAM_END)
		inspect_fail(in, &err);
	in->count_batches += segment->batches;
	in->count_records += segment->records;
}

void
inspect_segment(struct inspect *in, const struct stream_file *file,
    const struct stream_file *next)
{
	struct segment segment = {
	    .in = in,
	    .file = file,
	    .first_offset = -1,
	    .first_timestamp_ms = STREAM_NO_TIMESTAMP,
	    .last_timestamp_ms = STREAM_NO_TIMESTAMP,
	};
	struct stream_log_walk_options options = {
	    .max_batch_bytes = (size_t)in->opts->max_batch_bytes,
	    .base_offset = file->base_offset,
	    .next_base = next != NULL ? next->base_offset : 0,
	    .is_closed = next != NULL,
	};
	char *path = inspect_path(in, in->path, file->name);
	struct stream_error err;

	if (path == NULL)
		return;
	snprintf(segment.name, sizeof(segment.name), "%.20s", file->name);
	if (stream_log_walk_open(path, &options, &segment.walk, &err) !=
	    STREAM_OK) {
		inspect_fail(in, &err);
	} else {
		walk_segment(&segment);
		stream_log_walk_close(segment.walk);
		if (!in->opts->json && in->shows.segments)
			put_segment_row(&segment);
		if (in->shows.index && !inspect_is_over(in))
			inspect_indexes(in, file->base_offset);
	}
	free(path);
}
