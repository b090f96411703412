/*
 * inspect_handover.c - --hand-over: can a stopped broker take the directory
 *
 * SPEC section 8 and "To a broker" in strm(7).  Each item says ok, or what to
 * do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

enum verdict { OK, ADVICE, MISSING };

static void
say(struct inspect *in, enum verdict *worst, enum verdict verdict,
    const char *item, const char *what)
{
	static const char *const words[] = {"ok", "advice", "missing"};
	struct json_line *json = &in->json;

	if (verdict > *worst)
		*worst = verdict;
	if (!in->opts->json) {
		cli_out_format(
		    &in->out, "%-8s %-20s %s\n", words[verdict], item, what);
		return;
	}
	inspect_begin(in, "hand_over");
	line_text(json, "item", item);
	line_text(json, "verdict", words[verdict]);
	line_text(json, "text", what);
	inspect_end(in);
}

static const struct stream_file *
find(const struct stream_files *files, const char *name)
{
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->items[i].name, name) == 0)
			return &files->items[i];
	return NULL;
}

static bool
is_plain(const struct stream_file *file, enum stream_file_kind kind)
{
	return file->kind == kind && file->state == STREAM_FILE_PLAIN;
}

/* ---- around the partition ----------------------------------------------- */

static void
check_broker(struct inspect *in, enum verdict *worst)
{
	bool broker = false;
	struct stream_error err;

	if (stream_store_probe(in->store_path, &broker, &err) != STREAM_OK)
		say(in, worst, MISSING, "broker stopped", err.text);
	else if (broker)
		say(in, worst, MISSING, "broker stopped",
		    "a broker has this store open: stop it first");
	else
		say(in, worst, OK, "broker stopped", ".lock is not held");
}

static bool
has_good_label(const struct inspect *in)
{
	const char *dash = strrchr(in->label, '-');
	size_t size = dash == NULL ? 0 : (size_t)(dash - in->label);
	char topic[STREAM_TOPIC_NAME_SIZE];
	int64_t partition;

	if (size == 0 || size >= sizeof(topic))
		return false;
	memcpy(topic, in->label, size);
	topic[size] = '\0';
	return stream_topic_check_name(topic, NULL) == STREAM_OK &&
	       dash[1] >= '0' && dash[1] <= '9' &&
	       (dash[1] != '0' || dash[2] == '\0') &&
	       stream_parse_int(dash + 1, 0, INT32_MAX, &partition, NULL) ==
		   STREAM_OK;
}

static void
check_label(struct inspect *in, enum verdict *worst)
{
	if (has_good_label(in))
		say(in, worst, OK, "directory name", in->label);
	else
		say(in, worst, MISSING, "directory name",
		    "rename the directory to TOPIC-PARTITION");
}

/* Are the indexes of all segments there and right? */
static bool
has_good_indexes(struct inspect *in)
{
	uint64_t before = in->count_problems;

	in->is_silent = true;
	for (size_t i = 0; i < in->files.count; i++)
		if (is_plain(&in->files.items[i], STREAM_FILE_LOG))
			inspect_indexes(in, in->files.items[i].base_offset);
	in->is_silent = false;
	return in->count_problems == before;
}

/* After a clean shutdown a broker takes what is derived as it is. */
static void
check_shutdown(struct inspect *in, enum verdict *worst, bool is_clean)
{
	if (!is_clean)
		say(in, worst, OK, "indexes",
		    "no .kafka_cleanshutdown: the broker rebuilds indexes, "
		    "epochs and snapshots");
	else if (has_good_indexes(in))
		say(in, worst, ADVICE, "indexes",
		    "right, and with .kafka_cleanshutdown the broker takes "
		    "them as they are; remove it to have the log checked");
	else
		say(in, worst, MISSING, "indexes",
		    "missing or wrong, and with .kafka_cleanshutdown the "
		    "broker "
		    "does not rebuild them: remove that file");
}

static void
check_store(struct inspect *in, enum verdict *worst)
{
	struct stream_files files;
	struct stream_error err;

	if (stream_files_list(in->store_path, &files, &err) != STREAM_OK) {
		say(in, worst, MISSING, "store", err.text);
		return;
	}
	if (find(&files, ".strm") != NULL)
		say(in, worst, MISSING, "no .strm/ in the store",
		    "a broker does not start beside it: remove .strm/, or move "
		    "the partition to the broker's directory");
	else
		say(in, worst, OK, "no .strm/ in the store", "none");
	check_shutdown(in, worst, find(&files, ".kafka_cleanshutdown") != NULL);
	stream_files_release(&files);
}

/* A recovery point past what was checked keeps the broker from checking. */
static void
check_checkpoint(struct inspect *in, enum verdict *worst)
{
	static const char name[] = "recovery-point-offset-checkpoint";
	char *path = inspect_path(in, in->store_path, name);
	struct stream_checkpoint checkpoint;
	int64_t offset = 0;

	if (path == NULL)
		return;
	if (stream_checkpoint_read(path, &checkpoint, NULL) == STREAM_OK) {
		for (size_t i = 0; i < checkpoint.count; i++)
			if (checkpoint.items[i].partition == in->partition &&
			    strcmp(checkpoint.items[i].topic, in->topic) == 0)
				offset = checkpoint.items[i].offset;
		stream_checkpoint_release(&checkpoint);
	}
	free(path);
	if (offset > 0)
		say(in, worst, ADVICE, "recovery point",
		    "the broker checks only what comes after it; drop the "
		    "partition from the file to have all of it checked");
	else
		say(in, worst, OK, "recovery point",
		    "none: all of the log is checked");
}

static int64_t
first_base(const struct inspect *in)
{
	for (size_t i = 0; i < in->files.count; i++)
		if (is_plain(&in->files.items[i], STREAM_FILE_LOG))
			return in->files.items[i].base_offset;
	return 0;
}

static void
check_log_start(
    struct inspect *in, enum verdict *worst, int64_t log_start_offset)
{
	char text[512];

	if (log_start_offset <= first_base(in)) {
		say(in, worst, OK, "log start",
		    "the first segment's base offset");
		return;
	}
	snprintf(text, sizeof(text),
	    "%lld: give the broker's log-start-offset-checkpoint this line: "
	    "%.255s %d %lld",
	    (long long)log_start_offset, in->topic, in->partition,
	    (long long)log_start_offset);
	say(in, worst, ADVICE, "log start", text);
}

/* ---- in the partition --------------------------------------------------- */

static bool
is_topic_id(const char *text)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	return text != NULL && strlen(text) == STREAM_TOPIC_ID_SIZE - 1 &&
	       strspn(text, letters) == strlen(text);
}

static void
check_metadata(struct inspect *in, enum verdict *worst)
{
	char *path = inspect_path(in, in->path, "partition.metadata");
	struct stream_properties properties;
	char text[512];
	const char *id;

	if (path == NULL)
		return;
	if (stream_properties_read(path, &properties, NULL) != STREAM_OK) {
		say(in, worst, MISSING, "partition.metadata",
		    "make it: \"version: 0\", a newline, \"topic_id: ID\" with "
		    "the id that the cluster has for the topic");
		free(path);
		return;
	}
	free(path);
	id = stream_properties_find(&properties, "topic_id");
	snprintf(text, sizeof(text),
	    "topic id %s: the cluster's topic must have the same, or the "
	    "directory counts as stray",
	    is_topic_id(id) ? id : "");
	if (is_topic_id(id))
		say(in, worst, OK, "partition.metadata", text);
	else
		say(in, worst, MISSING, "partition.metadata",
		    "no topic id of 22 letters in it");
	stream_properties_release(&properties);
}

/* What a walk over all batches found. */
struct found {
	uint64_t logs;
	bool is_damaged;
	bool is_torn;
	bool has_no_epoch;  /* a batch of epoch -1 */
	bool has_old_epoch; /* an epoch below that of a batch before it */
	int32_t epoch;
	char where[256];
};

static void
look_at(struct found *found, const char *name, const struct stream_piece *piece)
{
	if (piece->kind == STREAM_PIECE_TORN) {
		found->is_torn = true;
		return;
	}
	if ((piece->kind != STREAM_PIECE_BATCH || piece->breaks_chain) &&
	    !found->is_damaged) {
		found->is_damaged = true;
		snprintf(found->where, sizeof(found->where),
		    "%s, position %llu: %.180s", name,
		    (unsigned long long)piece->info.position, piece->why.text);
	}
	if (piece->kind != STREAM_PIECE_BATCH)
		return;
	if (piece->info.leader_epoch < 0)
		found->has_no_epoch = true;
	if (piece->info.leader_epoch < found->epoch)
		found->has_old_epoch = true;
	found->epoch = piece->info.leader_epoch;
}

static void
walk_log(struct inspect *in, const struct stream_file *file, int64_t due,
    bool is_closed, int64_t *end, struct found *found)
{
	struct stream_log_walk_options options = {
	    .max_batch_bytes = (size_t)in->opts->max_batch_bytes,
	    .base_offset = due,
	    .is_closed = is_closed,
	};
	char *path = inspect_path(in, in->path, file->name);
	struct stream_log_walk *walk;
	struct stream_piece piece;
	struct stream_error err;
	int status;

	if (path == NULL)
		return;
	status = stream_log_walk_open(path, &options, &walk, &err);
	free(path);
	while (status == STREAM_OK && !inspect_is_over(in)) {
		status = stream_log_walk_next(walk, &piece, &err);
		if (status != STREAM_OK)
			break;
		look_at(found, file->name, &piece);
		if (piece.kind == STREAM_PIECE_BATCH &&
		    piece.info.last_offset >= *end)
			*end = piece.info.last_offset + 1;
	}
	if (status != STREAM_OK && status != STREAM_END)
		inspect_fail(in, &err);
	if (status == STREAM_END || status == STREAM_OK)
		stream_log_walk_close(walk);
}

static void
walk_all(struct inspect *in, struct found *found)
{
	const struct stream_files *files = &in->files;
	const struct stream_file *last = NULL;
	int64_t end = 0;

	for (size_t i = 0; i < files->count; i++)
		if (is_plain(&files->items[i], STREAM_FILE_LOG))
			last = &files->items[i];
	for (size_t i = 0; i < files->count; i++) {
		const struct stream_file *file = &files->items[i];

		if (!is_plain(file, STREAM_FILE_LOG))
			continue;
		found->logs++;
		/* A batch of one segment may not reach into the next. */
		if (file->base_offset < end && !found->is_damaged) {
			found->is_damaged = true;
			snprintf(found->where, sizeof(found->where),
			    "%s: the segment before it ends at offset %lld",
			    file->name, (long long)end - 1);
		}
		walk_log(
		    in, file, file->base_offset, file != last, &end, found);
	}
}

static void
check_batches(struct inspect *in, enum verdict *worst)
{
	struct found found = {.epoch = -1};

	walk_all(in, &found);
	if (found.logs == 0)
		say(in, worst, MISSING, "log files",
		    "there is no .log file named by 20 digits");
	else if (found.is_damaged)
		say(in, worst, MISSING, "log files", found.where);
	else if (found.is_torn)
		say(in, worst, ADVICE, "log files",
		    "the last append did not finish: the broker cuts it off");
	else
		say(in, worst, OK, "log files",
		    "all batches are of format v2, sound and in order");
	if (found.has_no_epoch || found.has_old_epoch)
		say(in, worst, MISSING, "leader epochs",
		    found.has_no_epoch
			? "a batch has no leader epoch (-1): replicas cannot "
			  "follow"
			: "an epoch is below that of a batch before it");
	else
		say(in, worst, OK, "leader epochs",
		    "in the batches, never falling");
}

/* After an unclean stop a broker rebuilds the file from the batches. */
static void
check_epochs(struct inspect *in, enum verdict *worst)
{
	static const char name[] = "leader-epoch-checkpoint";
	char *path = inspect_path(in, in->path, name);
	struct stream_epoch *epochs;
	struct stream_error err;
	size_t count;
	int status;

	if (path == NULL)
		return;
	status = stream_epochs_read(path, &epochs, &count, &err);
	free(path);
	if (status == STREAM_OK)
		free(epochs);
	if (status == STREAM_OK)
		say(in, worst, OK, "epoch file", "rises from line to line");
	else if (status == STREAM_ENOENT)
		say(in, worst, OK, "epoch file",
		    "none: the broker makes it from the batches");
	else
		say(in, worst, MISSING, "epoch file",
		    "malformed: remove leader-epoch-checkpoint, and the broker "
		    "makes it from the batches");
}

/* What is ours or left over: a broker ignores or deletes it. */
static void
check_leftovers(struct inspect *in, enum verdict *worst)
{
	bool has_ours = false, has_left = false;

	for (size_t i = 0; i < in->files.count; i++) {
		const struct stream_file *file = &in->files.items[i];

		has_ours |= file->kind == STREAM_FILE_STATE ||
			    file->kind == STREAM_FILE_CUT;
		has_left |= file->state != STREAM_FILE_PLAIN;
	}
	if (has_ours)
		say(in, worst, ADVICE, "files of strm",
		    "a broker ignores .strm-state and .strm-cut-*; remove them "
		    "while nothing writes");
	else
		say(in, worst, OK, "files of strm", "none");
	if (has_left)
		say(in, worst, ADVICE, "leftovers",
		    ".cleaned, .swap or .deleted files: the broker finishes or "
		    "undoes what they belong to");
	else
		say(in, worst, OK, "leftovers", "none");
}

enum cli_exit
inspect_hand_over(struct inspect *in)
{
	enum verdict worst = OK;

	if (!in->opts->json)
		cli_out_format(
		    &in->out, "partition %s in %s\n", in->label, in->path);
	check_broker(in, &worst);
	check_label(in, &worst);
	check_store(in, &worst);
	check_metadata(in, &worst);
	check_batches(in, &worst);
	check_epochs(in, &worst);
	check_checkpoint(in, &worst);
	check_log_start(in, &worst, in->log_start_offset);
	check_leftovers(in, &worst);
	if (in->opts->json) {
		inspect_begin(in, "hand_over_summary");
		line_bool(&in->json, "ready", worst != MISSING);
		inspect_end(in);
	} else {
		cli_out_text(
		    &in->out, worst != MISSING ? "ready\n" : "not ready\n");
	}
	return worst != MISSING ? CLI_DONE : CLI_NO;
}
