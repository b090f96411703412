/*
 * archive.c - closed segments to an archive, and, if asked to, out of the log
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive_commands.h"
#include "archive_what.h"
#include "cli/signals.h"
#include "columns.h"
#include "json_line.h"
#include "opening.h"
#include "port/archive_check.h"
#include "port/archive_file.h"
#include "port/archive_retire.h"
#include "topic.h"

struct archive_opts {
	const char *output;
	const char *codec;
	uint64_t threads;
	bool all;
	bool retire;
	bool verify;
	bool dry_run;
	bool json;
	int64_t max_batch_bytes;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {'o', "output", "FILE", CLI_TEXT, offsetof(struct archive_opts, output),
	"the archive to write; \"-\" is standard output"},
    {'z', "compression", "CODEC[:LEVEL]", CLI_TEXT,
	offsetof(struct archive_opts, codec),
	"zstd, gzip or none (default zstd:3)"},
    {'j', "jobs", "N", CLI_COUNT, offsetof(struct archive_opts, threads),
	"compress on N threads (default: all processors, 8 at most)"},
    {0, "all", NULL, CLI_FLAG, offsetof(struct archive_opts, all),
	"all topics of the store"},
    {0, "retire", NULL, CLI_FLAG, offsetof(struct archive_opts, retire),
	"then delete from the log what was archived; means --verify"},
    {0, "verify", NULL, CLI_FLAG, offsetof(struct archive_opts, verify),
	"read the archive again before it gets its name"},
    {'N', "dry-run", NULL, CLI_FLAG, offsetof(struct archive_opts, dry_run),
	"only say what would be archived"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct archive_opts, json),
	"print JSON lines"},
    {0, "max-batch-bytes", "SIZE", CLI_SIZE,
	offsetof(struct archive_opts, max_batch_bytes),
	"take larger batches for damage (default 64MiB)"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {topic_write_options, offsetof(struct archive_opts, write)},
    {NULL, 0},
};

static const struct cli_command *const besides[] = {
    &archive_ls_command,
    &archive_verify_command,
    NULL,
};

static enum cli_exit run_archive(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command archive_command = {
    .name = "archive",
    .args = "ADDRESS... -o FILE",
    .summary = "Write closed segments to an archive.",
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .besides = besides,
    .text = "ADDRESS@RANGE means the closed segments that hold any of the "
	    "range.  The active\nsegment is never archived: strm roll closes "
	    "it.  To restore one:\nstrm restore.\n",
    .run = run_archive,
};

struct run {
	const struct cli_context *context;
	struct archive_opts *opts;
	struct archive_what what;
	struct stream_archive_write_options how;
	struct stream_retain_options retire;
	struct cli_progress progress;
	uint64_t done;
	uint64_t archive_bytes;
	struct stream_retained *retired; /* owned; of each part */
	enum cli_exit code;
};

static bool
go_on(void *context, uint64_t bytes)
{
	struct run *run = context;

	run->done += bytes;
	cli_progress_update(&run->progress, run->done);
	return cli_signals_pending() == 0;
}

static void
note(void *context, const char *text)
{
	struct run *run = context;

	cli_progress_clear(&run->progress);
	cli_note(run->context, NULL, "%s", text);
}

/* ---- the command line --------------------------------------------------- */

static int
parse_codec(struct run *run, struct stream_error *err)
{
	const char *text = run->opts->codec;
	const char *colon = strchr(text, ':');
	size_t n = colon != NULL ? (size_t)(colon - text) : strlen(text);
	char name[16];
	int64_t level = 3;

	if (n >= sizeof(name))
		n = 0;
	memcpy(name, text, n);
	name[n] = '\0';
	if (!stream_codec_find(name, &run->how.codec) ||
	    run->how.codec == STREAM_CODEC_SNAPPY ||
	    run->how.codec == STREAM_CODEC_LZ4)
		return cli_fail(err, STREAM_EUSAGE,
		    "-z %s: give zstd, gzip or none, with a level as in zstd:9",
		    text);
	if (run->how.codec == STREAM_CODEC_GZIP)
		level = 6;
	if (colon != NULL && (run->how.codec == STREAM_CODEC_NONE ||
				 stream_parse_int(colon + 1, -100, 22, &level,
				     err) != STREAM_OK))
		return cli_fail(
		    err, STREAM_EUSAGE, "-z %s: no such level", text);
	run->how.level = (int)level;
	return STREAM_OK;
}

static const char *
wrong_line(const struct archive_opts *opts, int words)
{
	bool standard = opts->output != NULL && strcmp(opts->output, "-") == 0;

	if (opts->all && words > 0)
		return "give addresses or --all";
	if (!opts->all && words == 0)
		return "give an address, or --all";
	if (opts->dry_run)
		return NULL;
	if (opts->output == NULL)
		return "give the archive: -o FILE, or -o - for standard output";
	if (standard && (opts->retire || opts->verify))
		return "what went to a pipe cannot be read again: --retire and "
		       "--verify need -o FILE";
	if (standard && opts->json)
		return "standard output is the archive: -J needs -o FILE";
	if (standard && isatty(STDOUT_FILENO))
		return "standard output is a terminal: an archive is not text";
	return NULL;
}

/* ---- what was done ------------------------------------------------------ */

static void
part_line(struct run *run, struct cli_out *out, size_t i)
{
	const struct stream_archive_part *part = &run->what.parts[i];
	struct json_line json = {.out = out};

	line_begin(&json, "partition");
	line_text(&json, "topic", part->place->topic);
	line_int(&json, "partition", part->place->partition);
	line_int(&json, "first_offset", part->first_offset);
	line_int(&json, "next_offset", part->next_offset);
	line_uint(&json, "segments", part->segments);
	if (!run->opts->dry_run)
		line_int(&json, "records", part->records);
	line_uint(&json, "bytes", part->bytes);
	line_bool(&json, "active_is_used", part->active_is_used);
	if (run->opts->retire && !run->opts->dry_run)
		line_uint(&json, "retired", run->retired[i].segments);
	line_end(&json);
}

static void
sum_line(struct run *run, struct cli_out *out)
{
	struct json_line json = {.out = out};

	line_begin(&json, "summary");
	line_bool(&json, "dry_run", run->opts->dry_run);
	line_uint(&json, "partitions", run->what.count);
	line_uint(&json, "segments", archive_what_segments(&run->what));
	line_uint(&json, "bytes", archive_what_bytes(&run->what));
	if (!run->opts->dry_run) {
		line_text(&json, "file", run->opts->output);
		line_uint(&json, "archive_bytes", run->archive_bytes);
	}
	line_end(&json);
}

static void
print_json(struct run *run, struct cli_out *out)
{
	for (size_t i = 0; i < run->what.count; i++)
		part_line(run, out, i);
	sum_line(run, out);
}

static bool
print_rows(struct run *run, struct cli_out *out)
{
	static const char *const heads[] = {
	    "PARTITION", "FIRST", "NEXT", "SEGMENTS", "BYTES"};
	struct columns columns;
	bool printed;

	columns_init(&columns, "lrrrr");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		columns_add(&columns, "%s", heads[i]);
	for (size_t i = 0; i < run->what.count; i++) {
		const struct stream_archive_part *part = &run->what.parts[i];

		columns_add(&columns, "%s-%" PRId32, part->place->topic,
		    part->place->partition);
		columns_add(&columns, "%" PRId64, part->first_offset);
		columns_add(&columns, "%" PRId64, part->next_offset);
		columns_add(&columns, "%zu", part->segments);
		columns_add(&columns, "%" PRIu64, part->bytes);
	}
	printed = columns_print(&columns, out);
	columns_release(&columns);
	return printed;
}

static void
print_sum(struct run *run, struct cli_out *out)
{
	size_t segments = archive_what_segments(&run->what);

	cli_out_format(out, "%zu partition%s, %zu segment%s, %" PRIu64 " bytes",
	    run->what.count, run->what.count == 1 ? "" : "s", segments,
	    segments == 1 ? "" : "s", archive_what_bytes(&run->what));
	if (run->opts->dry_run)
		cli_out_text(out, " would be archived\n");
	else
		cli_out_format(out, " in %s, %" PRIu64 " bytes%s\n",
		    run->opts->output, run->archive_bytes,
		    run->opts->retire ? "; deleted from the log" : "");
}

static enum cli_exit
tell(struct run *run, enum cli_exit code)
{
	struct cli_out out;
	struct stream_error err;

	if (!run->opts->dry_run && strcmp(run->opts->output, "-") == 0)
		return code;
	if (run->context->quiet && !run->opts->json)
		return code;
	if (cli_out_open(&out, 1, false, &err) != STREAM_OK)
		return cli_report(NULL, &err);
	if (run->opts->json)
		print_json(run, &out);
	else if ((run->opts->dry_run || run->context->verbose) &&
		 !print_rows(run, &out))
		code = cli_complain(CLI_SYSTEM, NULL, "out of memory");
	if (!run->opts->json && code == CLI_DONE)
		print_sum(run, &out);
	return topic_close_out(&out, code);
}

/* ---- the work ----------------------------------------------------------- */

static int
verify(struct run *run, int fd, struct stream_error *err)
{
	struct stream_archive_options how = {.go_on = go_on,
	    .context = run,
	    .max_bytes = UINT64_MAX,
	    .max_batch_bytes = run->how.max_batch_bytes};
	struct stream_archive_checked checked;

	cli_progress_clear(&run->progress);
	cli_progress_begin(&run->progress, run->context, run->archive_bytes);
	run->done = 0;
	if (lseek(fd, 0, SEEK_SET) != 0)
		return cli_fail_sys(err, "cannot seek");
	return stream_archive_check(fd, run->opts->output, &how, &checked, err);
}

static int
write_file(struct run *run, struct stream_error *err)
{
	struct stream_archive_output output;
	int status =
	    stream_archive_output_begin(run->opts->output, &output, err);

	if (status == STREAM_OK)
		status = stream_archive_write(run->what.parts, run->what.count,
		    &run->how, output.fd, &run->archive_bytes, err);
	if (status == STREAM_OK)
		status = stream_archive_output_sync(&output, err);
	if (status == STREAM_OK && (run->opts->verify || run->opts->retire))
		status = verify(run, output.fd, err);
	if (status == STREAM_OK)
		status = stream_archive_output_commit(&output, err);
	stream_archive_output_end(&output);
	return status;
}

static int
write_out(struct run *run, struct stream_error *err)
{
	if (strcmp(run->opts->output, "-") == 0)
		return stream_archive_write(run->what.parts, run->what.count,
		    &run->how, STDOUT_FILENO, &run->archive_bytes, err);
	return write_file(run, err);
}

/* One that fails keeps no other from its turn: all are in the archive. */
static enum cli_exit
retire(struct run *run)
{
	size_t failed = 0, tried = 0;
	enum cli_exit code = CLI_DONE;
	struct stream_error err;

	for (size_t i = 0; i < run->what.count && cli_signals_pending() == 0;
	     i++) {
		if (run->what.parts[i].segments == 0)
			continue;
		tried++;
		if (stream_archive_retire(&run->what.parts[i], &run->retire,
			&run->retired[i], &err) == STREAM_OK)
			continue;
		failed++;
		code = cli_first(code, cli_report(NULL, &err));
	}
	return failed > 0 && failed < tried ? CLI_PARTLY : code;
}

static int
check_retire(struct run *run, struct stream_error *err)
{
	int status = STREAM_OK;

	if (!run->opts->retire)
		return STREAM_OK;
	run->retired = calloc(run->what.count + 1, sizeof(*run->retired));
	if (run->retired == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	for (size_t i = 0; i < run->what.count && status == STREAM_OK; i++)
		status = stream_archive_may_retire(
		    &run->what.parts[i], &run->retire, err);
	return status;
}

static void
note_active(struct run *run)
{
	for (size_t i = 0; i < run->what.count; i++) {
		const struct stream_archive_part *part = &run->what.parts[i];

		if (part->segments == 0 && part->active_is_used)
			cli_note(run->context, NULL,
			    "%s-%" PRId32 ": has only an active segment, which "
			    "is not archived: strm roll closes it",
			    part->place->topic, part->place->partition);
	}
}

static int
find(struct run *run, int count, char *words[], struct stream_error *err)
{
	int status = parse_codec(run, err);

	if (status == STREAM_OK)
		status = archive_what_find(
		    &run->what, run->context, count, words, err);
	if (status != STREAM_OK)
		return status;
	note_active(run);
	if (archive_what_segments(&run->what) == 0)
		return cli_fail(
		    err, STREAM_ENOENT, "no closed segment to archive");
	return check_retire(run, err);
}

static enum cli_exit
work(struct run *run, int count, char *words[])
{
	struct stream_error err;
	uint64_t total;
	int status = find(run, count, words, &err);

	if (status != STREAM_OK)
		return cli_report(NULL, &err);
	if (run->opts->dry_run)
		return tell(run, CLI_DONE);
	total = archive_what_bytes(&run->what);
	cli_progress_begin(&run->progress, run->context, total);
	status = write_out(run, &err);
	cli_progress_clear(&run->progress);
	if (status != STREAM_OK)
		return cli_report(NULL, &err);
	return tell(run, run->opts->retire ? retire(run) : CLI_DONE);
}

static enum cli_exit
run_archive(struct cli_context *context, int argc, char *argv[])
{
	struct archive_opts opts = {
	    .codec = "zstd", .write = TOPIC_WRITE_DEFAULTS};
	struct run run = {.context = context, .opts = &opts};
	int first = cli_parse(context, &archive_command, &opts, argc, argv);
	const char *wrong = wrong_line(&opts, argc - first);
	enum cli_exit code;

	if (wrong != NULL)
		return cli_usage(&archive_command, "%s", wrong);
	run.how.threads =
	    opts.threads != 0
		? (unsigned)(opts.threads < 64 ? opts.threads : 64)
		: opening_workers();
	run.how.now_ms = opening_now_ms();
	run.how.max_batch_bytes = (size_t)opts.max_batch_bytes;
	run.how.go_on = go_on;
	run.how.context = &run;
	run.retire = (struct stream_retain_options){
	    .network = opts.write.network,
	    .lock_timeout_ms = archive_timeout(opts.write.lock_timeout_ms),
	    .note = note,
	    .context = &run,
	};
	code = work(&run, argc - first, argv + first);
	archive_what_release(&run.what);
	free(run.retired);
	cli_signals_raise();
	return code;
}
