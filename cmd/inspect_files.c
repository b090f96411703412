/*
 * inspect_files.c - the small files of a partition
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

/* What cannot be read is told and is no damage to data: all these files can
 * be made anew. */
void
inspect_bad_file(
    struct inspect *in, const char *file, const struct stream_error *err)
{
	if (err->status == STREAM_EIO || err->status == STREAM_ENOMEM)
		inspect_fail(in, err);
	else if (err->status != STREAM_ENOENT)
		inspect_problem(in, file, "malformed", false, "%s", err->text);
}

/* ---- producer snapshots ------------------------------------------------- */

static void
put_snapshot_entry(struct inspect *in, const char *file,
    const struct stream_snapshot_entry *entry)
{
	struct json_line *json = &in->json;

	inspect_begin(in, "producer_snapshot_entry");
	line_text(json, "file", file);
	inspect_producer_fields(json, entry);
	inspect_end(in);
}

static void
put_snapshot(struct inspect *in, const struct stream_file *file, size_t count)
{
	struct json_line *json = &in->json;

	if (!in->opts->json) {
		cli_out_format(&in->out, "%s: %zu producer%s\n", file->name,
		    count, count == 1 ? "" : "s");
		return;
	}
	inspect_begin(in, "producer_snapshot");
	line_text(json, "file", file->name);
	line_int(json, "offset", file->base_offset);
	line_uint(json, "size", file->size);
	inspect_end(in);
}

/* An overview only counts them. */
static bool
shows_entries(const struct inspect *in)
{
	return in->opts->json || in->one_file || in->opts->all ||
	       in->shows.producers;
}

static void
show_snapshot(
    struct inspect *in, const struct stream_file *file, const char *path)
{
	struct stream_snapshot_entry *entries;
	struct stream_error err;
	size_t count;

	if (stream_snapshot_read(path, &entries, &count, &err) != STREAM_OK) {
		inspect_bad_file(in, file->name, &err);
		return;
	}
	if (!in->opts->json)
		put_snapshot(in, file, count);
	if (!in->opts->json && count > 0 && shows_entries(in))
		inspect_producer_head(in);
	for (size_t i = 0; i < count && shows_entries(in); i++)
		if (in->opts->json)
			put_snapshot_entry(in, file->name, &entries[i]);
		else
			inspect_producer_row(in, &entries[i]);
	if (in->opts->json)
		put_snapshot(in, file, count);
	free(entries);
}

/* ---- text files --------------------------------------------------------- */

static void
show_epochs(
    struct inspect *in, const struct stream_file *file, const char *path)
{
	struct stream_epoch *epochs;
	struct stream_error err;
	size_t count;

	if (stream_epochs_read(path, &epochs, &count, &err) != STREAM_OK) {
		inspect_bad_file(in, file->name, &err);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!in->opts->json) {
			cli_out_format(&in->out,
			    "leader epoch %d from offset %lld\n",
			    epochs[i].epoch, (long long)epochs[i].start_offset);
			continue;
		}
		inspect_begin(in, "leader_epoch");
		line_int(&in->json, "epoch", epochs[i].epoch);
		line_int(&in->json, "start_offset", epochs[i].start_offset);
		inspect_end(in);
	}
	free(epochs);
}

static bool
is_number(const char *text)
{
	return *text != '\0' && strlen(text) < 10 &&
	       strspn(text, "0123456789") == strlen(text);
}

/* Java writes "cluster.id"; other JSON names here have no dots either way. */
static void
put_properties(struct inspect *in, const char *file, const char *type,
    const struct stream_properties *properties)
{
	const struct stream_property *items = properties->items;

	if (in->opts->json)
		line_begin(&in->json, type);
	for (size_t i = 0; i < properties->count; i++)
		if (!in->opts->json)
			cli_out_format(&in->out, "%s: %s %s\n", file,
			    items[i].name, items[i].value);
		else if (strcmp(items[i].name, "version") == 0 &&
			 is_number(items[i].value))
			line_int(&in->json, "version",
			    (int64_t)atoll(items[i].value));
		else if (strspn(items[i].name,
			     "abcdefghijklmnopqrstuvwxyz._-"
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
			 strlen(items[i].name))
			line_text(&in->json, items[i].name, items[i].value);
}

static void
show_properties(struct inspect *in, const struct stream_file *file,
    const char *path, const char *type)
{
	struct stream_properties properties;
	struct stream_error err;

	if (stream_properties_read(path, &properties, &err) != STREAM_OK) {
		inspect_bad_file(in, file->name, &err);
		return;
	}
	put_properties(in, file->name, type, &properties);
	if (in->opts->json && file->kind == STREAM_FILE_METADATA)
		inspect_end(in);
	else if (in->opts->json)
		line_end(&in->json);
	stream_properties_release(&properties);
}

/* ---- .strm-state -------------------------------------------------------- */

static void
put_hex(
    struct json_line *json, const char *name, const uint8_t *bytes, size_t size)
{
	char text[64];

	for (size_t i = 0; i < size && i < sizeof(text) / 2 - 1; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	line_text(json, name, text);
}

static void
put_state_json(struct inspect *in, int slot,
    const struct stream_state_view *state, bool is_newest)
{
	struct json_line *json = &in->json;

	inspect_begin(in, "strm_state");
	line_int(json, "slot", slot);
	line_bool(json, "whole", state->is_whole);
	line_bool(json, "newest", is_newest);
	line_bool(json, "own", state->is_own);
	line_bool(json, "current", state->is_current);
	line_uint(json, "sequence", state->sequence);
	put_hex(json, "boot_id", state->boot_id, sizeof(state->boot_id));
	line_uint(json, "device", state->device);
	line_uint(json, "inode", state->inode);
	line_bool(json, "rolling", state->is_rolling);
	line_bool(json, "syncing", state->is_syncing);
	line_bool(json, "deleted", state->is_deleted);
	line_bool(json, "replicating", state->is_replicating);
	line_int(json, "leader_epoch", state->leader_epoch);
	line_int(json, "active_base", state->active_base);
	line_uint(json, "end", state->end);
	line_int(json, "last_position", state->last_position);
	line_int(json, "next_offset", state->next_offset);
	line_uint(json, "durable_end", state->durable_end);
	line_int(json, "max_timestamp", state->max_timestamp_ms);
	line_int(json, "max_timestamp_offset", state->max_timestamp_offset);
	line_uint(json, "takebacks", state->takebacks);
	line_int(json, "takeback_base", state->takeback_base);
	line_uint(json, "takeback_end", state->takeback_end);
	line_uint(json, "structure", state->structure);
	inspect_end(in);
}

static void
put_state_text(struct inspect *in, int slot,
    const struct stream_state_view *state, bool is_newest)
{
	if (!state->is_whole) {
		cli_out_format(
		    &in->out, ".strm-state slot %d: not in use\n", slot);
		return;
	}
	cli_out_format(&in->out,
	    ".strm-state slot %d: sequence %llu%s%s%s, segment %lld, end "
	    "%llu, next offset %lld, durable end %llu%s%s%s%s\n",
	    slot, (unsigned long long)state->sequence,
	    is_newest ? " (newest)" : "",
	    state->is_own ? "" : " (copied: not believed)",
	    state->is_own && !state->is_current ? " (before this boot)" : "",
	    (long long)state->active_base, (unsigned long long)state->end,
	    (long long)state->next_offset,
	    (unsigned long long)state->durable_end,
	    state->is_rolling ? ", rolling" : "",
	    state->is_syncing ? ", syncing" : "",
	    state->is_deleted ? ", deleted" : "",
	    state->is_replicating ? ", replicating" : "");
}

static void
show_state(struct inspect *in, const struct stream_file *file, const char *path)
{
	struct stream_state_view slots[2];
	struct stream_error err;
	int newest;

	if (stream_state_view(path, slots, &err) != STREAM_OK) {
		inspect_bad_file(in, file->name, &err);
		return;
	}
	newest = slots[1].sequence > slots[0].sequence;
	for (int i = 0; i < 2; i++) {
		bool is_newest = slots[i].is_whole && i == newest;

		if (in->opts->json)
			put_state_json(in, i, &slots[i], is_newest);
		else
			put_state_text(in, i, &slots[i], is_newest);
	}
}

/* ---- which file is what ------------------------------------------------- */

void
inspect_file_at(
    struct inspect *in, const struct stream_file *file, const char *path)
{
	switch (file->kind) {
	case STREAM_FILE_SNAPSHOT:
		show_snapshot(in, file, path);
		break;
	case STREAM_FILE_EPOCHS:
		show_epochs(in, file, path);
		break;
	case STREAM_FILE_METADATA:
		show_properties(in, file, path, "partition_metadata");
		break;
	case STREAM_FILE_PROPERTIES:
		show_properties(in, file, path, "meta_properties");
		break;
	case STREAM_FILE_CHECKPOINT:
		inspect_checkpoint(in, file->name, path, false, NULL);
		break;
	case STREAM_FILE_SHUTDOWN:
		inspect_shutdown(in, file->name, path);
		break;
	case STREAM_FILE_STATE:
		show_state(in, file, path);
		break;
	case STREAM_FILE_CUT:
		inspect_note(in, file->name, "set-aside",
		    "size %llu, cut off by a writer; not read as data",
		    (unsigned long long)file->size);
		break;
	default:
		inspect_note(in, file->name, "other-file", "size %llu",
		    (unsigned long long)file->size);
	}
}

void
inspect_one_file(struct inspect *in, const struct stream_file *file)
{
	char *path = inspect_path(in, in->path, file->name);

	if (path != NULL)
		inspect_file_at(in, file, path);
	free(path);
}

static bool
has_log(const struct inspect *in, int64_t base_offset)
{
	for (size_t i = 0; i < in->files.count; i++)
		if (in->files.items[i].kind == STREAM_FILE_LOG &&
		    in->files.items[i].state == STREAM_FILE_PLAIN &&
		    in->files.items[i].base_offset == base_offset)
			return true;
	return false;
}

/* Shown with the segments. */
static bool
is_of_segment(const struct inspect *in, const struct stream_file *file)
{
	return file->state == STREAM_FILE_PLAIN &&
	       file->kind <= STREAM_FILE_TXNINDEX &&
	       has_log(in, file->base_offset);
}

void
inspect_files(struct inspect *in)
{
	struct stream_file other;

	for (size_t i = 0; i < in->files.count && !inspect_is_over(in); i++) {
		const struct stream_file *file = &in->files.items[i];

		if (is_of_segment(in, file))
			continue;
		other = *file;
		/* A leftover, whatever it was. */
		if (file->state != STREAM_FILE_PLAIN)
			other.kind = STREAM_FILE_OTHER;
		inspect_one_file(in, &other);
	}
}
