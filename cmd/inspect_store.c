/*
 * inspect_store.c - checkpoints, and what else a broker keeps in its store
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

static const char *const checkpoints[] = {"recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint", "replication-offset-checkpoint",
    "cleaner-offset-checkpoint"};

static void
put_checkpoint_entry(struct inspect *in, const char *file,
    const struct stream_checkpoint_entry *entry)
{
	char name[300];

	snprintf(name, sizeof(name), "%s-%d", entry->topic, entry->partition);
	if (!in->opts->json) {
		cli_out_format(&in->out, "%s: %s at %lld\n", file, name,
		    (long long)entry->offset);
		return;
	}
	line_begin(&in->json, "checkpoint");
	line_text(&in->json, "file", file);
	line_text(&in->json, "topic_partition", name);
	line_int(&in->json, "offset", entry->offset);
	line_end(&in->json);
}

static bool
is_of_partition(
    const struct inspect *in, const struct stream_checkpoint_entry *entry)
{
	return entry->partition == in->partition &&
	       strcmp(entry->topic, in->topic) == 0;
}

static bool
is_of_places(const struct stream_places *places,
    const struct stream_checkpoint_entry *entry)
{
	for (size_t i = 0; i < places->count; i++)
		if (places->items[i].partition == entry->partition &&
		    strcmp(places->items[i].topic, entry->topic) == 0)
			return true;
	return false;
}

void
inspect_checkpoint(struct inspect *in, const char *file, const char *path,
    bool mine, const struct stream_places *others)
{
	struct stream_checkpoint checkpoint;
	struct stream_error err;

	if (stream_checkpoint_read(path, &checkpoint, &err) != STREAM_OK) {
		inspect_bad_file(in, file, &err);
		return;
	}
	for (size_t i = 0; i < checkpoint.count; i++)
		if ((!mine || is_of_partition(in, &checkpoint.items[i])) &&
		    (others == NULL ||
			!is_of_places(others, &checkpoint.items[i])))
			put_checkpoint_entry(in, file, &checkpoint.items[i]);
	stream_checkpoint_release(&checkpoint);
}

void
inspect_shutdown(struct inspect *in, const char *file, const char *path)
{
	struct stream_error err;
	int64_t epoch;

	if (stream_shutdown_read(path, &epoch, &err) != STREAM_OK) {
		inspect_bad_file(in, file, &err);
		return;
	}
	if (!in->opts->json) {
		cli_out_format(&in->out,
		    "clean shutdown of a broker, epoch %lld\n",
		    (long long)epoch);
		return;
	}
	line_begin(&in->json, "clean_shutdown");
	if (epoch < 0)
		line_null(&in->json, "broker_epoch");
	else
		line_int(&in->json, "broker_epoch", epoch);
	line_end(&in->json);
}

void
inspect_store_of_partition(struct inspect *in)
{
	char *path;

	for (size_t i = 0; i < sizeof(checkpoints) / sizeof(*checkpoints);
	     i++) {
		path = inspect_path(in, in->store_path, checkpoints[i]);
		if (path != NULL)
			inspect_checkpoint(
			    in, checkpoints[i], path, true, NULL);
		free(path);
	}
	path = inspect_path(in, in->store_path, ".kafka_cleanshutdown");
	if (path != NULL)
		inspect_shutdown(in, ".kafka_cleanshutdown", path);
	free(path);
}

/* TOPIC-P.UUID-delete and the like, which a broker makes. */
static bool
is_leftover(const char *name)
{
	static const char *const ends[] = {"-delete", "-future", "-stray"};
	size_t size = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t end = strlen(ends[i]);

		if (size > end && strcmp(name + size - end, ends[i]) == 0)
			return true;
	}
	return false;
}

static void
show_of_store(struct inspect *in, const struct stream_file *file,
    const struct stream_places *places)
{
	char *path = inspect_path(in, in->path, file->name);

	if (path != NULL && file->kind == STREAM_FILE_CHECKPOINT)
		inspect_checkpoint(in, file->name, path, false, places);
	else if (path != NULL && file->kind == STREAM_FILE_PROPERTIES)
		inspect_file_at(in, file, path);
	else if (file->kind == STREAM_FILE_DIRECTORY && is_leftover(file->name))
		inspect_note(in, file->name, "leftover-directory",
		    "a partition that a broker renamed");
	else if (path != NULL && (file->kind == STREAM_FILE_OTHER ||
				     file->kind <= STREAM_FILE_STATE))
		inspect_note(in, file->name, "other-file", "size %llu",
		    (unsigned long long)file->size);
	free(path);
}

void
inspect_store(
    struct inspect *in, const char *path, const struct stream_places *places)
{
	struct stream_files files;
	struct stream_error err;

	if (stream_files_list(path, &files, &err) != STREAM_OK) {
		in->code = cli_first(in->code, cli_report(NULL, &err));
		return;
	}
	in->label = in->path = path;
	in->one_file = true; /* notes are told where they stand */
	if (!in->opts->json)
		cli_out_format(&in->out, "\nstore %s\n", path);
	for (size_t i = 0; i < files.count && !inspect_is_over(in); i++)
		show_of_store(in, &files.items[i], places);
	in->one_file = false;
	in->label = NULL;
	stream_files_release(&files);
}
