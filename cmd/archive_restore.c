/*
 * archive_restore.c - topics from an archive
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "archive_commands.h"
#include "cli/signals.h"
#include "columns.h"
#include "json_line.h"
#include "opening.h"
#include "port/archive_restore.h"
#include "topic.h"

struct restore_opts {
	const char *as;
	bool json;
	int64_t max_bytes;
	int64_t max_batch_bytes;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {0, "as", "NAME", CLI_TEXT, offsetof(struct restore_opts, as),
	"restore the topic under this name"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct restore_opts, json),
	"print JSON lines"},
    {0, "max-bytes", "SIZE", CLI_SIZE, offsetof(struct restore_opts, max_bytes),
	"refuse what unpacks to more (1TiB)"},
    {0, "max-batch-bytes", "SIZE", CLI_SIZE,
	offsetof(struct restore_opts, max_batch_bytes),
	"take larger batches for damage (default 64MiB)"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {topic_write_options, offsetof(struct restore_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_restore(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command restore_command = {
    .name = "restore",
    .args = "FILE [TOPIC[:PARTITIONS][@RANGE]...]",
    .summary = "Make topics from an archive.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .text = "FILE may be \"-\", standard input.  Without a TOPIC all are "
	    "restored.  All of it\nappears, checked, or nothing; a topic that "
	    "is there is never changed.\n",
    .run = run_restore,
};

struct run {
	const struct cli_context *context;
	const struct restore_opts *opts;
	struct archive_input input;
	struct stream_address *wanted; /* owned */
	size_t count;
	struct stream_restored *restored; /* owned */
	size_t restored_count;
};

static void
note(void *context, const char *text)
{
	struct run *run = context;

	cli_progress_clear(&run->input.progress);
	cli_note(run->context, NULL, "%s", text);
}

static void
reads(void *context, uint64_t bytes)
{
	struct run *run = context;

	run->input.progress.total = bytes;
}

static bool
overlap(const struct stream_address *a, const struct stream_address *b)
{
	if (strcmp(a->name, b->name) != 0)
		return false;
	if (a->span_count == 0 || b->span_count == 0)
		return true;
	for (size_t i = 0; i < a->span_count; i++)
		for (size_t j = 0; j < b->span_count; j++)
			if (a->spans[i].first <= b->spans[j].last &&
			    b->spans[j].first <= a->spans[i].last)
				return true;
	return false;
}

/* A partition is restored once, so a second range of it would say nothing. */
static int
check_twice(const struct run *run, char *words[], struct stream_error *err)
{
	for (size_t i = 0; i < run->count; i++)
		for (size_t j = 0; j < i; j++)
			if (overlap(&run->wanted[i], &run->wanted[j]))
				return cli_fail(err, STREAM_EUSAGE,
				    "\"%.80s\" and \"%.80s\": name a "
				    "partition once, with one range",
				    words[j], words[i]);
	return STREAM_OK;
}

static int
parse_wanted(
    struct run *run, int count, char *words[], struct stream_error *err)
{
	int status = STREAM_OK;

	run->wanted = calloc((size_t)count + 1, sizeof(*run->wanted));
	if (run->wanted == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	for (int i = 0; i < count && status == STREAM_OK; i++) {
		status = stream_address_parse(
		    words[i], opening_now_ms(), &run->wanted[run->count], err);
		if (status != STREAM_OK)
			break;
		run->count++;
		if (run->wanted[i].is_path)
			status = cli_fail(err, STREAM_EUSAGE,
			    "\"%s\": name a topic of the archive, not a path",
			    words[i]);
	}
	return status == STREAM_OK ? check_twice(run, words, err) : status;
}

/* ---- what was done ------------------------------------------------------ */

static void
print_json(const struct run *run, struct cli_out *out)
{
	for (size_t i = 0; i < run->restored_count; i++) {
		const struct stream_restored *part = &run->restored[i];
		struct json_line json = {.out = out};

		line_begin(&json, "partition");
		line_text(&json, "topic", part->topic);
		line_int(&json, "partition", part->partition);
		line_bool(&json, "in_archive", part->was_in_it);
		line_uint(&json, "segments", part->segments);
		line_int(&json, "records", part->records);
		line_uint(&json, "bytes", part->bytes);
		line_int(&json, "first_offset", part->first_offset);
		line_int(&json, "log_end_offset", part->end_offset);
		line_end(&json);
	}
}

static void
print_lines(const struct run *run, struct cli_out *out)
{
	for (size_t i = 0; i < run->restored_count; i++) {
		const struct stream_restored *part = &run->restored[i];

		if (!part->was_in_it && !run->context->verbose)
			continue;
		cli_out_format(out,
		    "%s-%" PRId32 ": %" PRId64 " records, offsets %" PRId64
		    " to below %" PRId64 "\n",
		    part->topic, part->partition, part->records,
		    part->first_offset, part->end_offset);
	}
}

static enum cli_exit
tell(const struct run *run)
{
	struct cli_out out;
	struct stream_error err;

	if (run->context->quiet && !run->opts->json)
		return CLI_DONE;
	if (cli_out_open(&out, 1, false, &err) != STREAM_OK)
		return cli_report(NULL, &err);
	if (run->opts->json)
		print_json(run, &out);
	else
		print_lines(run, &out);
	return topic_close_out(&out, CLI_DONE);
}

/* ---- the work ----------------------------------------------------------- */

static int
open_store(const struct run *run, struct stream_store **store,
    struct stream_error *err)
{
	const struct topic_write_opts *write = &run->opts->write;
	unsigned flags = STREAM_STORE_WRITE | STREAM_STORE_CREATE;

	if (write->network)
		flags |= STREAM_STORE_NETWORK;
	return stream_store_open(run->context->store, flags,
	    archive_timeout(write->lock_timeout_ms), store, err);
}

static enum cli_exit
restore(struct run *run, struct stream_error *err)
{
	struct stream_restore_options how = {
	    .archive = run->input.options,
	    .wanted = run->wanted,
	    .wanted_count = run->count,
	    .as = run->opts->as,
	    .reads = reads,
	    .note = note,
	    .context = run,
	};
	struct stream_store *store;
	int status = open_store(run, &store, err);

	if (status != STREAM_OK)
		return cli_report(NULL, err);
	how.archive.max_batch_bytes = (size_t)run->opts->max_batch_bytes;
	status = stream_archive_restore(store, run->input.fd, run->input.name,
	    &how, &run->restored, &run->restored_count, err);
	if (status == STREAM_OK)
		stream_store_close(store);
	else
		stream_store_discard(store);
	cli_progress_clear(&run->input.progress);
	return status == STREAM_OK ? tell(run) : cli_report(NULL, err);
}

static enum cli_exit
run_restore(struct cli_context *context, int argc, char *argv[])
{
	struct restore_opts opts = {.write = TOPIC_WRITE_DEFAULTS};
	struct run run = {.context = context, .opts = &opts};
	int first = cli_parse(context, &restore_command, &opts, argc, argv);
	struct stream_error err;
	enum cli_exit code;
	int status =
	    parse_wanted(&run, argc - first - 1, argv + first + 1, &err);

	run.input.fd = -1;
	if (status == STREAM_OK)
		status = archive_input_open(&run.input, context, argv[first],
		    (uint64_t)opts.max_bytes, &err);
	code =
	    status == STREAM_OK ? restore(&run, &err) : cli_report(NULL, &err);
	archive_input_close(&run.input);
	for (size_t i = 0; i < run.count; i++)
		stream_address_release(&run.wanted[i]);
	free(run.wanted);
	free(run.restored);
	cli_signals_raise();
	return code;
}
