/*
 * inspect_index.c - entries of .index, .timeindex and .txnindex
 *
 * Each entry is held against the batch that it leads to.  Indexes are hints:
 * what is wrong with them is told, and is no damage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

static const char *const suffixes[] = {
    [STREAM_FILE_LOG] = "log",
    [STREAM_FILE_INDEX] = "index",
    [STREAM_FILE_TIMEINDEX] = "timeindex",
    [STREAM_FILE_TXNINDEX] = "txnindex",
};

enum { NAME_SIZE = 48 };

/* One index file, and the log beside it. */
struct index {
	struct inspect *in;
	enum stream_file_kind kind;
	char file[NAME_SIZE];
	char segment[24];
	int64_t base_offset;
	struct stream_index_walk *walk;
	struct stream_index_summary summary;
	struct stream_log_walk *log; /* NULL: there is none */
	struct stream_piece piece;   /* where that walk is */
	bool log_ended;
	int64_t last_timestamp_ms; /* of the entry before */
};

static void
name_file(int64_t base_offset, enum stream_file_kind kind,
    char name[static NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%020lld.%s", (long long)base_offset,
	    suffixes[kind]);
}

static const struct stream_file *
find(const struct inspect *in, const char *name)
{
	for (size_t i = 0; i < in->files.count; i++)
		if (strcmp(in->files.items[i].name, name) == 0)
			return &in->files.items[i];
	return NULL;
}

/* ---- the log ------------------------------------------------------------ */

static void
open_log(struct index *index)
{
	struct stream_log_walk_options options = {
	    .max_batch_bytes = (size_t)index->in->opts->max_batch_bytes,
	    .base_offset = index->base_offset,
	    .is_closed = true, /* a torn end is not waited for */
	};
	char name[NAME_SIZE];
	char *path;

	name_file(index->base_offset, STREAM_FILE_LOG, name);
	path = inspect_path(index->in, index->in->path, name);
	if (path == NULL || stream_log_walk_open(
				path, &options, &index->log, NULL) != STREAM_OK)
		index->log = NULL;
	index->log_ended =
	    index->log == NULL ||
	    stream_log_walk_next(index->log, &index->piece, NULL) != STREAM_OK;
	free(path);
}

/* Go on to the first batch that ends at or after what is looked for; indexes
 * rise, so that nobody needs to go back.  false when there is none. */
static bool
go_to_offset(struct index *index, int64_t offset)
{
	while (!index->log_ended && (index->piece.kind != STREAM_PIECE_BATCH ||
					index->piece.info.last_offset < offset))
		index->log_ended = stream_log_walk_next(index->log,
				       &index->piece, NULL) != STREAM_OK;
	return !index->log_ended;
}

static bool
go_to_position(struct index *index, uint64_t position)
{
	while (!index->log_ended && index->piece.info.position < position)
		index->log_ended = stream_log_walk_next(index->log,
				       &index->piece, NULL) != STREAM_OK;
	return !index->log_ended;
}

/* ---- entries ------------------------------------------------------------ */

static void
check_offset_entry(struct index *index, const struct stream_index_entry *entry)
{
	struct inspect *in = index->in;
	const struct stream_batch_info *info = &index->piece.info;

	if (index->log == NULL || (index->log_ended && entry->position == 0))
		return;
	if (entry->position < 0 ||
	    !go_to_position(index, (uint64_t)entry->position) ||
	    info->position != (uint64_t)entry->position)
		inspect_problem(in, index->file, "index-position", false,
		    "entry %llu: no batch begins at %d",
		    (unsigned long long)entry->number, entry->position);
	else if (index->piece.kind == STREAM_PIECE_BATCH &&
		 info->last_offset != entry->offset)
		inspect_problem(in, index->file, "index-offset", false,
		    "entry %llu offset %lld but the batch at %d ends at %lld",
		    (unsigned long long)entry->number, (long long)entry->offset,
		    entry->position, (long long)info->last_offset);
}

static void
check_time_entry(struct index *index, const struct stream_index_entry *entry)
{
	struct inspect *in = index->in;
	const struct stream_batch_info *info = &index->piece.info;
	unsigned long long number = entry->number;

	if (index->log != NULL && go_to_offset(index, entry->offset) &&
	    info->base_offset <= entry->offset &&
	    info->max_timestamp_ms != entry->timestamp_ms)
		inspect_problem(in, index->file, "timeindex-timestamp", false,
		    "entry %llu timestamp %lld but batch max timestamp %lld",
		    number, (long long)entry->timestamp_ms,
		    (long long)info->max_timestamp_ms);
	if (number > 0 && entry->timestamp_ms <= index->last_timestamp_ms)
		inspect_problem(in, index->file, "timeindex-order", false,
		    "entry %llu", number);
	index->last_timestamp_ms = entry->timestamp_ms;
}

static void
put_entry_json(struct index *index, const struct stream_index_entry *entry)
{
	static const char *const types[] = {
	    [STREAM_FILE_INDEX] = "offset_index_entry",
	    [STREAM_FILE_TIMEINDEX] = "time_index_entry",
	    [STREAM_FILE_TXNINDEX] = "txn_index_entry",
	};
	struct json_line *json = &index->in->json;

	inspect_begin(index->in, types[index->kind]);
	line_text(json, "segment", index->segment);
	line_uint(json, "i", entry->number);
	if (index->kind == STREAM_FILE_TXNINDEX) {
		line_int(json, "version", entry->version);
		line_int(json, "producer_id", entry->producer_id);
		line_int(json, "first_offset", entry->first_offset);
		line_int(json, "last_offset", entry->last_offset);
		line_int(json, "last_stable_offset", entry->last_stable_offset);
	} else {
		if (index->kind == STREAM_FILE_TIMEINDEX)
			line_int(json, "timestamp", entry->timestamp_ms);
		line_int(json, "offset", entry->offset);
		line_int(json, "relative_offset", entry->relative_offset);
		if (index->kind == STREAM_FILE_INDEX)
			line_int(json, "position", entry->position);
	}
	inspect_end(index->in);
}

static void
put_entry_text(struct index *index, const struct stream_index_entry *entry)
{
	struct cli_out *out = &index->in->out;
	char time[STREAM_TIME_SIZE];

	cli_out_format(out, "%-30s %8llu ", index->file,
	    (unsigned long long)entry->number);
	if (index->kind == STREAM_FILE_INDEX)
		cli_out_format(out, "offset %12lld  position %10d\n",
		    (long long)entry->offset, entry->position);
	else if (index->kind == STREAM_FILE_TIMEINDEX)
		cli_out_format(out, "offset %12lld  time %s\n",
		    (long long)entry->offset,
		    inspect_time(entry->timestamp_ms, time));
	else
		cli_out_format(out,
		    "producer %8lld  aborted %lld to %lld  stable %lld\n",
		    (long long)entry->producer_id,
		    (long long)entry->first_offset,
		    (long long)entry->last_offset,
		    (long long)entry->last_stable_offset);
}

static void
show_entry(struct index *index, const struct stream_index_entry *entry)
{
	if (index->in->is_silent)
		; /* only checked */
	else if (index->in->opts->json)
		put_entry_json(index, entry);
	else
		put_entry_text(index, entry);
	if (index->kind == STREAM_FILE_INDEX)
		check_offset_entry(index, entry);
	else if (index->kind == STREAM_FILE_TIMEINDEX)
		check_time_entry(index, entry);
	else if (entry->version != 0)
		inspect_problem(index->in, index->file, "txnindex-version",
		    false, "entry %llu: version %d is not known",
		    (unsigned long long)entry->number, entry->version);
}

/* ---- files -------------------------------------------------------------- */

static void
put_summary(struct index *index)
{
	struct json_line *json = &index->in->json;
	const struct stream_index_summary *summary = &index->summary;

	if (!index->in->opts->json || index->in->is_silent ||
	    index->kind == STREAM_FILE_TXNINDEX)
		return;
	inspect_begin(index->in,
	    index->kind == STREAM_FILE_INDEX ? "offset_index" : "time_index");
	line_text(json, "segment", index->segment);
	line_uint(json, "size", summary->size);
	line_uint(json, "slots", summary->slots);
	line_uint(json, "entries", summary->entries);
	line_bool(json, "sanity", summary->is_sane);
	inspect_end(index->in);
}

static void
note_tail(struct index *index)
{
	const struct stream_index_summary *summary = &index->summary;

	if (summary->entries == summary->slots)
		return;
	if (index->kind == STREAM_FILE_TIMEINDEX && !summary->is_sane)
		inspect_note(index->in, index->file, "timeindex-sanity",
		    "the last timestamp is 0, less than the first (zero slots "
		    "at the end, as in a live segment)");
	inspect_note(index->in, index->file, "preallocated-tail",
	    "%llu zero slots",
	    (unsigned long long)(summary->slots - summary->entries));
}

static void
show_index(struct index *index)
{
	struct stream_index_entry entry;
	struct stream_error err;
	int status = STREAM_END;

	stream_index_walk_summary(index->walk, &index->summary);
	if (index->summary.odd > 0) {
		inspect_problem(index->in, index->file,
		    index->kind == STREAM_FILE_INDEX       ? "index-sanity"
		    : index->kind == STREAM_FILE_TIMEINDEX ? "timeindex-sanity"
							   : "txnindex-sanity",
		    false, "%llu bytes are not a whole number of entries",
		    (unsigned long long)index->summary.size);
		return;
	}
	if (index->kind != STREAM_FILE_TXNINDEX)
		open_log(index);
	while (!inspect_is_over(index->in) &&
	       (status = stream_index_walk_next(index->walk, &entry, &err)) ==
		   STREAM_OK)
		show_entry(index, &entry);
	if (status == STREAM_EIO)
		inspect_fail(index->in, &err);
	stream_log_walk_close(index->log);
	put_summary(index);
	note_tail(index);
}

static void
open_index(struct index *index)
{
	char *path = inspect_path(index->in, index->in->path, index->file);
	struct stream_error err;

	if (path == NULL)
		return;
	snprintf(index->segment, sizeof(index->segment), "%020lld",
	    (long long)index->base_offset);
	if (stream_index_walk_open(path, index->kind, index->base_offset,
		&index->walk, &err) != STREAM_OK) {
		inspect_fail(index->in, &err);
	} else {
		show_index(index);
		stream_index_walk_close(index->walk);
	}
	free(path);
}

void
inspect_indexes(struct inspect *in, int64_t base_offset)
{
	for (enum stream_file_kind kind = STREAM_FILE_INDEX;
	     kind <= STREAM_FILE_TXNINDEX; kind++) {
		struct index index = {
		    .in = in, .kind = kind, .base_offset = base_offset};

		name_file(base_offset, kind, index.file);
		if (find(in, index.file) != NULL)
			open_index(&index);
		else if (kind == STREAM_FILE_INDEX)
			inspect_problem(in, index.file, "missing-index", false,
			    "no offset index");
		else if (kind == STREAM_FILE_TIMEINDEX)
			inspect_problem(in, index.file, "missing-index", false,
			    "no time index");
	}
}

void
inspect_one_index(struct inspect *in, const struct stream_file *file)
{
	struct index index = {
	    .in = in, .kind = file->kind, .base_offset = file->base_offset};

	snprintf(index.file, sizeof(index.file), "%s", file->name);
	open_index(&index);
}

void
inspect_count_index(struct inspect *in, int64_t base_offset,
    enum stream_file_kind kind, char text[static 32])
{
	struct stream_index_summary summary;
	struct stream_index_walk *walk;
	char name[NAME_SIZE];
	char *path = NULL;

	strcpy(text, "-");
	name_file(base_offset, kind, name);
	if (find(in, name) != NULL)
		path = inspect_path(in, in->path, name);
	if (path == NULL || stream_index_walk_open(path, kind, base_offset,
				&walk, NULL) != STREAM_OK) {
		free(path);
		return;
	}
	stream_index_walk_summary(walk, &summary);
	snprintf(text, 32, "%llu%s", (unsigned long long)summary.entries,
	    summary.odd > 0 ? "?" : "");
	stream_index_walk_close(walk);
	free(path);
}
