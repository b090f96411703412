/*
 * inspect_handover.c - --hand-over: can a stopped broker take the directory
 *
 * SPEC section 8 and "To a broker" in strm(7).  Each item says ok, or what to
 * do.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect_handover.h"

void
handover_say(struct handover *over, enum verdict verdict, const char *item,
    const char *format, ...)
{
	static const char *const words[] = {"ok", "advice", "missing"};
	struct inspect *in = over->in;
	struct json_line *json = &in->json;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (verdict > over->worst)
		over->worst = verdict;
	if (!in->opts->json) {
		cli_out_format(
		    &in->out, "%-8s %-20s %s\n", words[verdict], item, text);
		return;
	}
	inspect_begin(in, "hand_over");
	line_text(json, "item", item);
	line_text(json, "verdict", words[verdict]);
	line_text(json, "text", text);
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

bool
handover_is_plain(const struct stream_file *file, enum stream_file_kind kind)
{
	return file->kind == kind && file->state == STREAM_FILE_PLAIN;
}

/* ---- around the partition ----------------------------------------------- */

static void
check_broker(struct handover *over)
{
	struct inspect *in = over->in;
	bool broker = false;
	struct stream_error err;

	if (stream_store_probe(in->store_path, &broker, &err) != STREAM_OK)
		handover_say(over, MISSING, "broker stopped", "%s", err.text);
	else if (broker)
		handover_say(over, MISSING, "broker stopped",
		    "a broker has this store open: stop it first");
	else
		handover_say(over, OK, "broker stopped", ".lock is not held");
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
check_label(struct handover *over)
{
	struct inspect *in = over->in;
	if (has_good_label(in))
		handover_say(over, OK, "directory name", "%s", in->label);
	else
		handover_say(over, MISSING, "directory name",
		    "rename the directory to TOPIC-PARTITION");
}

static void
check_store(struct handover *over)
{
	struct inspect *in = over->in;
	struct stream_files files;
	struct stream_error err;

	if (stream_files_list(in->store_path, &files, &err) != STREAM_OK) {
		handover_say(over, MISSING, "store", "%s", err.text);
		return;
	}
	if (find(&files, ".strm") != NULL)
		handover_say(over, MISSING, "no .strm/ in the store",
		    "a broker does not start beside it: remove .strm/, or move "
		    "the partition to the broker's directory");
	else
		handover_say(over, OK, "no .strm/ in the store", "none");
	over->is_clean = find(&files, ".kafka_cleanshutdown") != NULL;
	stream_files_release(&files);
}

static int64_t
first_base(const struct inspect *in)
{
	for (size_t i = 0; i < in->files.count; i++)
		if (handover_is_plain(&in->files.items[i], STREAM_FILE_LOG))
			return in->files.items[i].base_offset;
	return 0;
}

static void
check_log_start(struct handover *over)
{
	const struct inspect *in = over->in;

	if (in->log_start_offset <= first_base(in)) {
		handover_say(
		    over, OK, "log start", "the first segment's base offset");
		return;
	}
	handover_say(over, ADVICE, "log start",
	    "%lld: give the broker's log-start-offset-checkpoint this line: "
	    "%.255s %d %lld",
	    (long long)in->log_start_offset, in->topic, in->partition,
	    (long long)in->log_start_offset);
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
check_metadata(struct handover *over)
{
	struct inspect *in = over->in;
	char *path = inspect_path(in, in->path, "partition.metadata");
	struct stream_properties properties;
	const char *id;

	if (path == NULL)
		return;
	if (stream_properties_read(path, &properties, NULL) != STREAM_OK) {
		handover_say(over, MISSING, "partition.metadata",
		    "make it: \"version: 0\", a newline, \"topic_id: ID\" with "
		    "the id that the cluster has for the topic");
		free(path);
		return;
	}
	free(path);
	id = stream_properties_find(&properties, "topic_id");
	if (is_topic_id(id))
		handover_say(over, OK, "partition.metadata",
		    "topic id %s: the cluster's topic must have the same, or "
		    "the directory counts as stray",
		    id);
	else
		handover_say(over, MISSING, "partition.metadata",
		    "no topic id of 22 letters in it");
	stream_properties_release(&properties);
}

static void
check_batches(struct handover *over)
{
	const struct handover_log *found = &over->log;

	if (found->logs == 0)
		handover_say(over, MISSING, "log files",
		    "there is no .log file named by 20 digits");
	else if (found->is_damaged)
		handover_say(over, MISSING, "log files", "%s", found->where);
	else if (found->is_torn)
		handover_say(over, ADVICE, "log files",
		    "the last append did not finish: the broker cuts it off");
	else
		handover_say(over, OK, "log files",
		    "all batches are of format v2, sound and in order");
	if (found->has_no_epoch || found->has_old_epoch)
		handover_say(over, MISSING, "leader epochs",
		    found->has_no_epoch
			? "a batch has no leader epoch (-1): replicas cannot "
			  "follow"
			: "an epoch is below that of a batch before it");
	else
		handover_say(
		    over, OK, "leader epochs", "in the batches, never falling");
}

/* What is ours or left over: a broker ignores or deletes it. */
static void
check_leftovers(struct handover *over)
{
	struct inspect *in = over->in;
	bool has_ours = false, has_left = false;

	for (size_t i = 0; i < in->files.count; i++) {
		const struct stream_file *file = &in->files.items[i];

		has_ours |= file->kind == STREAM_FILE_STATE ||
			    file->kind == STREAM_FILE_CUT;
		has_left |= file->state != STREAM_FILE_PLAIN;
	}
	if (has_ours)
		handover_say(over, ADVICE, "files of strm",
		    "a broker ignores .strm-state and .strm-cut-*; remove them "
		    "while nothing writes");
	else
		handover_say(over, OK, "files of strm", "none");
	if (has_left)
		handover_say(over, ADVICE, "leftovers",
		    ".cleaned, .swap or .deleted files: the broker finishes or "
		    "undoes what they belong to");
	else
		handover_say(over, OK, "leftovers", "none");
}

enum cli_exit
inspect_hand_over(struct inspect *in)
{
	struct handover over = {
	    .in = in, .recovery_point = -1, .log.epoch = -1};

	if (!in->opts->json)
		cli_out_format(
		    &in->out, "partition %s in %s\n", in->label, in->path);
	handover_walk(in, &over.log);
	check_broker(&over);
	check_label(&over);
	check_store(&over);
	check_metadata(&over);
	check_batches(&over);
	handover_derived(&over);
	check_log_start(&over);
	check_leftovers(&over);
	if (in->opts->json) {
		inspect_begin(in, "hand_over_summary");
		line_bool(&in->json, "ready", over.worst != MISSING);
		inspect_end(in);
	} else {
		cli_out_text(&in->out,
		    over.worst != MISSING ? "ready\n" : "not ready\n");
	}
	return over.worst != MISSING ? CLI_DONE : CLI_NO;
}
