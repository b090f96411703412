/*
 * inspect_producers.c - what a broker knows of producers: --producers and
 * --open-txns
 *
 * The newest sound snapshot, and then the batches from its offset on, as a
 * broker does when it starts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "inspect.h"

struct inspect_producers {
	struct stream_producer_view *view;
	int64_t snapshot; /* the offset that the newest one describes, or -1 */
};

/* ---- the snapshot ------------------------------------------------------- */

/* true when there is nothing more to look for. */
static bool
load(struct inspect *in, const struct stream_file *file,
    struct inspect_producers *producers)
{
	struct stream_snapshot_entry *entries;
	struct stream_error err;
	char *path = inspect_path(in, in->path, file->name);
	size_t count;
	int status;

	if (path == NULL)
		return true;
	status = stream_snapshot_read(path, &entries, &count, &err);
	free(path);
	if (status == STREAM_OK) {
		status = stream_producer_view_new(
		    entries, count, &producers->view, &err);
		free(entries);
	}
	if (status == STREAM_EIO || status == STREAM_ENOMEM)
		inspect_fail(in, &err);
	else if (status != STREAM_OK)
		return false; /* a bad one counts as none */
	producers->snapshot = file->base_offset;
	return true;
}

struct inspect_producers *
inspect_producers_new(struct inspect *in)
{
	struct inspect_producers *producers = calloc(1, sizeof(*producers));
	struct stream_error err = {.status = STREAM_ENOMEM};

	if (producers == NULL) {
		in->code = cli_first(
		    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
		return NULL;
	}
	producers->snapshot = -1;
	for (size_t i = in->files.count; i-- > 0;)
		if (in->files.items[i].kind == STREAM_FILE_SNAPSHOT &&
		    in->files.items[i].state == STREAM_FILE_PLAIN &&
		    load(in, &in->files.items[i], producers))
			break;
	if (producers->view == NULL &&
	    stream_producer_view_new(NULL, 0, &producers->view, &err) !=
		STREAM_OK) {
		inspect_fail(in, &err);
		inspect_producers_free(producers);
		return NULL;
	}
	return producers;
}

void
inspect_producers_free(struct inspect_producers *producers)
{
	if (producers == NULL)
		return;
	stream_producer_view_free(producers->view);
	free(producers);
}

/* ---- the log ------------------------------------------------------------ */

void
inspect_producers_batch(struct inspect *in, const struct stream_piece *piece,
    struct stream_bytes bytes)
{
	struct stream_error err;
	int status;

	if (piece->info.base_offset < in->producers->snapshot)
		return;
	status = stream_producer_view_add(
	    in->producers->view, &piece->info, bytes, &err);
	/* A marker that cannot be read is told where records are shown. */
	if (status == STREAM_EIO || status == STREAM_ENOMEM)
		inspect_fail(in, &err);
}

/* ---- showing ------------------------------------------------------------ */

void
inspect_producer_fields(
    struct json_line *json, const struct stream_snapshot_entry *entry)
{
	line_int(json, "producer_id", entry->producer_id);
	line_int(json, "producer_epoch", entry->producer_epoch);
	line_int(json, "last_sequence", entry->last_sequence);
	line_int(json, "last_offset", entry->last_offset);
	line_int(json, "offset_delta", entry->offset_delta);
	line_int(json, "timestamp", entry->timestamp_ms);
	line_int(json, "coordinator_epoch", entry->coordinator_epoch);
	line_int(
	    json, "current_txn_first_offset", entry->transaction_first_offset);
}

static void
put_producer_json(struct inspect *in, const struct stream_snapshot_entry *entry)
{
	struct json_line *json = &in->json;

	inspect_begin(in, "producer");
	inspect_producer_fields(json, entry);
	inspect_end(in);
}

void
inspect_producer_head(struct inspect *in)
{
	cli_out_format(&in->out, "%12s %6s %12s %12s %6s %-24s %s\n",
	    "PRODUCER", "EPOCH", "SEQUENCE", "OFFSET", "COORD", "TIME",
	    "OPEN FROM");
}

void
inspect_producer_row(
    struct inspect *in, const struct stream_snapshot_entry *entry)
{
	char time[STREAM_TIME_SIZE], open[32] = "-";

	if (entry->transaction_first_offset >= 0)
		snprintf(open, sizeof(open), "%lld",
		    (long long)entry->transaction_first_offset);
	cli_out_format(&in->out, "%12lld %6d %12d %12lld %6d %-24s %s\n",
	    (long long)entry->producer_id, entry->producer_epoch,
	    entry->last_sequence, (long long)entry->last_offset,
	    entry->coordinator_epoch, inspect_time(entry->timestamp_ms, time),
	    open);
}

static void
put_open_json(struct inspect *in, const struct stream_snapshot_entry *entry)
{
	struct json_line *json = &in->json;

	inspect_begin(in, "open_transaction");
	line_int(json, "producer_id", entry->producer_id);
	line_int(json, "producer_epoch", entry->producer_epoch);
	line_int(json, "first_offset", entry->transaction_first_offset);
	line_int(json, "last_offset", entry->last_offset);
	line_int(json, "timestamp", entry->timestamp_ms);
	inspect_end(in);
}

static void
put_open_text(struct inspect *in, const struct stream_snapshot_entry *entry)
{
	char time[STREAM_TIME_SIZE];

	cli_out_format(&in->out,
	    "open transaction of producer %lld, epoch %d, from offset %lld, "
	    "last written %s\n",
	    (long long)entry->producer_id, entry->producer_epoch,
	    (long long)entry->transaction_first_offset,
	    inspect_time(entry->timestamp_ms, time));
}

static void
show_producers(struct inspect *in, const struct stream_snapshot_entry *entries,
    size_t count)
{
	if (!in->opts->json)
		inspect_producer_head(in);
	for (size_t i = 0; i < count; i++)
		if (in->opts->json)
			put_producer_json(in, &entries[i]);
		else
			inspect_producer_row(in, &entries[i]);
}

static void
show_open(struct inspect *in, const struct stream_snapshot_entry *entries,
    size_t count)
{
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		if (entries[i].transaction_first_offset < 0)
			continue;
		open++;
		if (in->opts->json)
			put_open_json(in, &entries[i]);
		else
			put_open_text(in, &entries[i]);
	}
	if (open == 0 && !in->opts->json)
		cli_out_text(
		    &in->out, "no open transaction in this partition\n");
}

static void
show_snapshots(struct inspect *in)
{
	for (size_t i = 0; i < in->files.count; i++)
		if (in->files.items[i].kind == STREAM_FILE_SNAPSHOT &&
		    in->files.items[i].state == STREAM_FILE_PLAIN)
			inspect_one_file(in, &in->files.items[i]);
}

void
inspect_producers_show(struct inspect *in)
{
	struct stream_snapshot_entry *entries;
	struct stream_error err;
	size_t count;

	if (stream_producer_view_entries(
		in->producers->view, &entries, &count, &err) != STREAM_OK) {
		inspect_fail(in, &err);
		return;
	}
	if (in->shows.producers && !in->shows.files)
		show_snapshots(in);
	if (in->shows.producers)
		show_producers(in, entries, count);
	if (in->shows.open_txns)
		show_open(in, entries, count);
	free(entries);
}
