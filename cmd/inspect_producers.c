/*
 * inspect_producers.c - what a broker knows of producers: --producers and
 * --open-txns
 *
 * The newest sound snapshot, and then the batches from its offset on, as a
 * broker does when it starts.
 */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect.h"

enum { TRANSACTIONAL = 1 << 4, CONTROL = 1 << 5 };

struct inspect_producers {
	void *tree;         /* struct stream_snapshot_entry, by producer */
	int64_t snapshot;   /* the offset it describes; -1: none */
	struct inspect *in; /* while they are shown */
	uint64_t count;     /* shown */
};

static int
compare(const void *a, const void *b)
{
	const struct stream_snapshot_entry *x = a, *y = b;

	return (x->producer_id > y->producer_id) -
	       (x->producer_id < y->producer_id);
}

static void
out_of_memory(struct inspect *in)
{
	in->code = cli_first(
	    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
}

/* The producer's entry, made when it is new; NULL after a report. */
static struct stream_snapshot_entry *
entry_of(struct inspect *in, int64_t producer_id)
{
	struct stream_snapshot_entry key = {.producer_id = producer_id};
	struct stream_snapshot_entry **found =
	    tfind(&key, &in->producers->tree, compare);
	struct stream_snapshot_entry *new;

	if (found != NULL)
		return *found;
	new = malloc(sizeof(*new));
	if (new == NULL ||
	    tsearch(new, &in->producers->tree, compare) == NULL) {
		free(new);
		out_of_memory(in);
		return NULL;
	}
	*new = (struct stream_snapshot_entry){
	    .producer_id = producer_id,
	    .last_offset = -1,
	    .last_sequence = -1,
	    .coordinator_epoch = -1,
	    .timestamp_ms = STREAM_NO_TIMESTAMP,
	    .producer_epoch = -1,
	    .transaction_first_offset = -1,
	};
	return new;
}

/* ---- the snapshot ------------------------------------------------------- */

static bool
load(struct inspect *in, const struct stream_file *file)
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
	if (status == STREAM_EIO || status == STREAM_ENOMEM) {
		inspect_fail(in, &err);
		return true;
	}
	/* A bad one counts as none, and an older one will do. */
	if (status != STREAM_OK)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct stream_snapshot_entry *entry =
		    entry_of(in, entries[i].producer_id);

		if (entry == NULL)
			break;
		*entry = entries[i];
	}
	free(entries);
	in->producers->snapshot = file->base_offset;
	return true;
}

struct inspect_producers *
inspect_producers_new(struct inspect *in)
{
	struct inspect_producers *producers = calloc(1, sizeof(*producers));

	if (producers == NULL) {
		out_of_memory(in);
		return NULL;
	}
	producers->snapshot = -1;
	in->producers = producers;
	for (size_t i = in->files.count; i-- > 0;)
		if (in->files.items[i].kind == STREAM_FILE_SNAPSHOT &&
		    in->files.items[i].state == STREAM_FILE_PLAIN &&
		    load(in, &in->files.items[i]))
			break;
	return producers;
}

void
inspect_producers_free(struct inspect_producers *producers)
{
	if (producers == NULL)
		return;
	tdestroy(producers->tree, free);
	free(producers);
}

/* ---- the log ------------------------------------------------------------ */

static void
take_marker(struct stream_snapshot_entry *entry,
    const struct stream_piece *piece, const struct stream_record *record)
{
	struct stream_message message;
	struct stream_item item;

	entry->transaction_first_offset = -1;
	entry->producer_epoch = piece->info.producer_epoch;
	entry->timestamp_ms = record->timestamp_ms;
	if (stream_message_open(&message, STREAM_MESSAGE_CONTROL,
		STREAM_MESSAGE_VALUE, record->key, record->value,
		NULL) == STREAM_OK &&
	    stream_message_next(&message, &item))
		entry->coordinator_epoch = (int32_t)item.number;
}

static void
take_data(
    struct stream_snapshot_entry *entry, const struct stream_batch_info *info)
{
	int64_t delta = info->last_offset - info->base_offset;

	entry->producer_epoch = info->producer_epoch;
	entry->last_offset = info->last_offset;
	entry->offset_delta = (int32_t)delta;
	entry->last_sequence =
	    (int32_t)((info->base_sequence + delta) & INT32_MAX);
	entry->timestamp_ms = info->max_timestamp_ms;
	if ((info->attributes & TRANSACTIONAL) &&
	    entry->transaction_first_offset < 0)
		entry->transaction_first_offset = info->base_offset;
}

void
inspect_producers_batch(struct inspect *in, const struct stream_piece *piece,
    const struct stream_record *first)
{
	const struct stream_batch_info *info = &piece->info;
	struct stream_snapshot_entry *entry;
	bool is_control = (info->attributes & CONTROL) != 0;

	if (info->producer_id < 0 ||
	    info->base_offset < in->producers->snapshot ||
	    (is_control && first == NULL))
		return;
	entry = entry_of(in, info->producer_id);
	if (entry == NULL)
		return;
	if (is_control)
		take_marker(entry, piece, first);
	else
		take_data(entry, info);
}

/* ---- showing ------------------------------------------------------------ */

static void
put_producer_json(struct inspect *in, const struct stream_snapshot_entry *entry)
{
	struct json_line *json = &in->json;

	inspect_begin(in, "producer");
	line_int(json, "producer_id", entry->producer_id);
	line_int(json, "producer_epoch", entry->producer_epoch);
	line_int(json, "last_sequence", entry->last_sequence);
	line_int(json, "last_offset", entry->last_offset);
	line_int(json, "offset_delta", entry->offset_delta);
	line_int(json, "timestamp", entry->timestamp_ms);
	line_int(json, "coordinator_epoch", entry->coordinator_epoch);
	line_int(
	    json, "current_txn_first_offset", entry->transaction_first_offset);
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
show_producer(const void *node, VISIT which, void *context)
{
	const struct stream_snapshot_entry *entry =
	    *(struct stream_snapshot_entry *const *)node;
	struct inspect *in = context;

	if (which != postorder && which != leaf)
		return;
	if (in->opts->json)
		put_producer_json(in, entry);
	else
		inspect_producer_row(in, entry);
}

static void
show_open(const void *node, VISIT which, void *context)
{
	const struct stream_snapshot_entry *entry =
	    *(struct stream_snapshot_entry *const *)node;
	struct inspect *in = context;

	if ((which != postorder && which != leaf) ||
	    entry->transaction_first_offset < 0)
		return;
	in->producers->count++;
	if (in->opts->json)
		put_open_json(in, entry);
	else
		put_open_text(in, entry);
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
	struct inspect_producers *producers = in->producers;

	if (in->shows.producers && !in->shows.files)
		show_snapshots(in);
	if (in->shows.producers && !in->opts->json)
		inspect_producer_head(in);
	if (in->shows.producers)
		twalk_r(producers->tree, show_producer, in);
	if (!in->shows.open_txns)
		return;
	twalk_r(producers->tree, show_open, in);
	if (producers->count == 0 && !in->opts->json)
		cli_out_text(&in->out, "no open transaction\n");
}
