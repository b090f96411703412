/*
 * archive_verify.c - is all of an archive as it should be?
 */
#include "archive_commands.h"
#include "cli/signals.h"
#include "json_line.h"
#include "port/archive_check.h"
#include "topic.h"

struct verify_opts {
	bool json;
	int64_t max_bytes;
	int64_t max_batch_bytes;
};

static const struct cli_option options[] = {
    {'J', "json", NULL, CLI_FLAG, offsetof(struct verify_opts, json),
	"print a JSON line"},
    {0, "max-bytes", "SIZE", CLI_SIZE, offsetof(struct verify_opts, max_bytes),
	"refuse what unpacks to more (1TiB)"},
    {0, "max-batch-bytes", "SIZE", CLI_SIZE,
	offsetof(struct verify_opts, max_batch_bytes),
	"take larger batches for damage (default 64MiB)"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static enum cli_exit run_verify(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command archive_verify_command = {
    .name = "archive verify",
    .args = "FILE",
    .summary = "Check all of an archive: batches, digests, index.",
    .least = 1,
    .most = 1,
    .options = options,
    .text = "FILE may be \"-\", standard input.\n",
    .run = run_verify,
};

static void
print_json(struct cli_out *out, const struct stream_archive_checked *checked)
{
	struct json_line json = {.out = out};

	line_begin(&json, "archive");
	line_bool(&json, "foreign", checked->is_foreign);
	line_uint(&json, "partitions", checked->partitions);
	line_uint(&json, "segments", checked->segments);
	line_int(&json, "records", checked->records);
	line_uint(&json, "bytes", checked->bytes);
	line_bool(&json, "seekable", checked->was_sought);
	line_end(&json);
}

static enum cli_exit
tell(const struct verify_opts *opts, const struct cli_context *context,
    const char *name, const struct stream_archive_checked *checked)
{
	struct cli_out out;
	struct stream_error err;

	if (context->quiet && !opts->json)
		return CLI_DONE;
	if (cli_out_open(&out, 1, false, &err) != STREAM_OK)
		return cli_report(NULL, &err);
	if (opts->json)
		print_json(&out, checked);
	else
		cli_out_format(&out,
		    "%s: %zu partition%s, %zu segment%s, %lld record%s, %llu "
		    "bytes of logs, %s\n",
		    name, checked->partitions,
		    checked->partitions == 1 ? "" : "s", checked->segments,
		    checked->segments == 1 ? "" : "s",
		    (long long)checked->records,
		    checked->records == 1 ? "" : "s",
		    (unsigned long long)checked->bytes,
		    checked->is_foreign ? "good (no manifest, so no digests)"
					: "good");
	return topic_close_out(&out, CLI_DONE);
}

static enum cli_exit
run_verify(struct cli_context *context, int argc, char *argv[])
{
	struct verify_opts opts = {.json = false};
	int first =
	    cli_parse(context, &archive_verify_command, &opts, argc, argv);
	struct stream_archive_checked checked;
	struct archive_input input;
	struct stream_error err;
	enum cli_exit code;
	int status = archive_input_open(
	    &input, context, argv[first], (uint64_t)opts.max_bytes, &err);

	input.options.max_batch_bytes = (size_t)opts.max_batch_bytes;
	if (status == STREAM_OK)
		status = stream_archive_check(
		    input.fd, input.name, &input.options, &checked, &err);
	cli_progress_clear(&input.progress);
	code = status == STREAM_OK ? tell(&opts, context, input.name, &checked)
				   : cli_report(NULL, &err);
	archive_input_close(&input);
	cli_signals_raise();
	return code;
}
