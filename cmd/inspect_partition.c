/*
 * inspect_partition.c - one partition: what is shown of it, and in which order
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/signals.h"
#include "inspect.h"

bool
inspect_has_selection(const struct inspect_opts *opts)
{
	return opts->all || opts->batches || opts->records || opts->index ||
	       opts->producers || opts->open_txns || opts->groups ||
	       opts->stats;
}

/* Text without a choice is an overview, JSON is everything; a range alone asks
 * for what lies in it. */
void
inspect_choose(struct inspect *in, bool has_range)
{
	const struct inspect_opts *opts = in->opts;
	bool none = !inspect_has_selection(opts);
	bool all = opts->all || (none && opts->json && !has_range);

	in->shows = (struct inspect_shows){
	    .segments = all || (none && !has_range),
	    .batches = all || opts->batches || (none && has_range),
	    .records = all || opts->records || (none && has_range),
	    .index = all || opts->index,
	    .files = all || (none && !has_range),
	    .producers = opts->producers,
	    .open_txns = opts->open_txns,
	    .groups = in->has_kind &&
		      (in->kind == STREAM_MESSAGE_GROUPS ? opts->groups
							 : opts->open_txns),
	    .stats = opts->stats,
	};
}

static void
start_parts(struct inspect *in)
{
	if (in->shows.stats)
		in->stats = inspect_stats_new(in);
	if (in->shows.groups)
		in->groups = inspect_groups_new(in);
	if (in->shows.producers || in->shows.open_txns)
		in->producers = inspect_producers_new(in);
}

static void
show_parts(struct inspect *in)
{
	if (in->stats != NULL)
		inspect_stats_show(in);
	if (in->groups != NULL)
		inspect_groups_show(in);
	if (in->producers != NULL)
		inspect_producers_show(in);
}

static void
free_parts(struct inspect *in)
{
	inspect_stats_free(in->stats);
	inspect_groups_free(in->groups);
	inspect_producers_free(in->producers);
	in->stats = NULL;
	in->groups = NULL;
	in->producers = NULL;
}

/* The log that comes after files->items[i], or NULL. */
static const struct stream_file *
next_log(const struct stream_files *files, size_t i)
{
	for (i++; i < files->count; i++)
		if (files->items[i].kind == STREAM_FILE_LOG &&
		    files->items[i].state == STREAM_FILE_PLAIN)
			return &files->items[i];
	return NULL;
}

/* only: the one log to walk, or NULL. */
static void
walk_logs(struct inspect *in, const char *only)
{
	const struct stream_files *files = &in->files;

	for (size_t i = 0; i < files->count && !inspect_is_over(in); i++) {
		const struct stream_file *file = &files->items[i];
		const struct stream_file *next = next_log(files, i);

		if (only != NULL ? strcmp(file->name, only) != 0
				 : file->kind != STREAM_FILE_LOG ||
				       file->state != STREAM_FILE_PLAIN)
			continue;
		/* Of no interest to a range that ends before or begins after
		 * it. */
		if (only == NULL &&
		    (file->base_offset >= in->to ||
			(next != NULL && next->base_offset <= in->from)))
			continue;
		inspect_segment(in, file, next);
		if (in->records_left == 0)
			break;
	}
}

static void
show_summary(struct inspect *in)
{
	if (!in->opts->json)
		return;
	line_begin(&in->json, "summary");
	line_uint(&in->json, "segments", in->count_segments);
	line_uint(&in->json, "batches", in->count_batches);
	line_uint(&in->json, "records", in->count_records);
	line_uint(&in->json, "bytes", in->count_bytes);
	line_uint(&in->json, "problems", in->count_problems);
	line_uint(&in->json, "notes", in->count_notes);
	inspect_end(in);
}

static void
show_kept(struct inspect *in)
{
	bool ok = columns_print(&in->segments, &in->out);

	ok = columns_print(&in->kept, &in->out) && ok;
	if (in->kept_count > INSPECT_KEPT)
		cli_out_format(&in->out, "and %llu more\n",
		    (unsigned long long)(in->kept_count - INSPECT_KEPT));
	if (!ok)
		in->code = cli_first(
		    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
}

static void
show_heading(struct inspect *in)
{
	if (in->opts->json)
		return;
	if (in->is_heading)
		cli_out_byte(&in->out, '\n');
	in->is_heading = true;
	cli_out_format(&in->out, "partition %s in %s\n", in->label, in->path);
}

/* --groups alone says nothing of other topics. */
static bool
has_nothing_to_show(const struct inspect *in)
{
	const struct inspect_shows *shows = &in->shows;

	return !shows->segments && !shows->batches && !shows->records &&
	       !shows->index && !shows->files && !shows->producers &&
	       !shows->open_txns && !shows->groups && !shows->stats;
}

static void
walk_partition(struct inspect *in, const char *only)
{
	if (has_nothing_to_show(in)) {
		if (!in->is_many)
			cli_note(in->context, in->label,
			    "no groups here: they lie in __consumer_offsets");
		return;
	}
	if (only != NULL && !in->opts->index && !in->opts->all)
		in->shows.index = false; /* those are other files */
	start_parts(in);
	show_heading(in);
	walk_logs(in, only);
	show_kept(in);
	if (in->shows.files && only == NULL && !inspect_is_over(in))
		inspect_files(in);
	if (in->shows.files && only == NULL && !inspect_is_over(in))
		inspect_store_of_partition(in);
	show_parts(in);
	if (in->shows.segments && only == NULL)
		show_summary(in);
	free_parts(in);
}

static void
set_kind(struct inspect *in)
{
	in->has_kind = true;
	if (strcmp(in->topic, "__consumer_offsets") == 0)
		in->kind = STREAM_MESSAGE_GROUPS;
	else if (strcmp(in->topic, "__transaction_state") == 0)
		in->kind = STREAM_MESSAGE_TRANSACTIONS;
	else
		in->has_kind = false;
}

void
inspect_reset(struct inspect *in)
{
	columns_init(&in->segments, "lrrrrrllrrr");
	columns_init(&in->kept, "llll");
	in->kept_count = 0;
	in->count_segments = in->count_batches = in->count_records = 0;
	in->count_bytes = in->count_problems = in->count_notes = 0;
	in->next_offset = -1;
	in->has_gaps = true;
	in->records_left = -1;
	in->from = 0;
	in->to = INT64_MAX;
}

/* ---- ranges ------------------------------------------------------------- */

/* A point as an offset: where a reader would begin. */
static int
find_point(struct inspect *in, const struct stream_place *place,
    struct stream_point point, int64_t *offset, struct stream_error *err)
{
	struct stream_reader_options reader_options = {
	    .range.from = point,
	    .flags = STREAM_READER_UNCOMMITTED |
		     (in->opts->clamp ? STREAM_READER_CLAMP : 0),
	    .max_batch_bytes = (size_t)in->opts->max_batch_bytes,
	};
	const struct stream_record *records;
	struct stream_reader *reader;
	size_t count;
	int status = stream_reader_open(place, &reader_options, &reader, err);

	/* An offset needs no reader; damage before it keeps nobody away. */
	if (point.kind == STREAM_POINT_OFFSET && status == STREAM_ECORRUPT) {
		*offset = point.value;
		return STREAM_OK;
	}
	if (status != STREAM_OK)
		return status;
	/* Where it begins shows only in what it reads. */
	status = stream_reader_read(reader, &records, &count, err);
	if (status == STREAM_OK)
		*offset = records[0].offset;
	else if (status == STREAM_END || status == STREAM_ECORRUPT)
		*offset = stream_reader_position(reader);
	stream_reader_close(reader);
	return status == STREAM_END || status == STREAM_ECORRUPT ? STREAM_OK
								 : status;
}

static int
set_range(struct inspect *in, const struct stream_place *place,
    const struct stream_range *range, struct stream_error *err)
{
	int status = STREAM_OK;

	if (range->from.kind != STREAM_POINT_NONE)
		status = find_point(in, place, range->from, &in->from, err);
	if (status != STREAM_OK || range->to.kind == STREAM_POINT_NONE)
		return status;
	if (range->to.kind == STREAM_POINT_AFTER) {
		in->records_left = range->to.value;
		return STREAM_OK;
	}
	if (range->to.kind == STREAM_POINT_OFFSET) {
		in->to = range->to.value;
		return STREAM_OK;
	}
	return find_point(in, place, range->to, &in->to, err);
}

bool
inspect_is_whole(const struct stream_range *range)
{
	return range->from.kind == STREAM_POINT_NONE &&
	       range->to.kind == STREAM_POINT_NONE;
}

/* ---- the partition ------------------------------------------------------ */

/* "TOPIC-P", or the directory's own name where it is none. */
char *
inspect_label(const struct stream_place *place)
{
	char *real = realpath(place->path, NULL);
	char *label = NULL;

	if (real != NULL)
		label = strdup(strrchr(real, '/') + 1);
	free(real);
	if (label == NULL &&
	    asprintf(&label, "%s-%d", place->topic, place->partition) < 0)
		label = NULL;
	return label;
}

static void
show_place(struct inspect *in, const struct stream_place *place,
    const struct stream_range *range)
{
	struct stream_error err;
	int status;

	inspect_reset(in);
	in->topic = place->topic;
	in->partition = place->partition;
	in->path = place->path;
	in->store_path = place->store_path;
	in->log_start_offset = place->log_start_offset;
	in->has_gaps = place->has_gaps;
	set_kind(in);
	inspect_choose(in, !inspect_is_whole(range));
	status = set_range(in, place, range, &err);
	if (status == STREAM_OK)
		status = stream_files_list(place->path, &in->files, &err);
	if (status != STREAM_OK) {
		in->code = cli_first(in->code, cli_report(NULL, &err));
		return;
	}
	if (in->opts->hand_over)
		in->code = cli_first(in->code, inspect_hand_over(in));
	else
		walk_partition(in, place->segment);
	stream_files_release(&in->files);
	columns_release(&in->segments);
	columns_release(&in->kept);
}

void
inspect_partition(struct inspect *in, const struct stream_place *place,
    const struct stream_range *range)
{
	char *label = inspect_label(place);

	if (label == NULL) {
		in->code = cli_first(
		    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
		return;
	}
	in->label = label;
	show_place(in, place, range);
	in->label = NULL;
	free(label);
}
