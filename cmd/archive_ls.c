/*
 * archive_ls.c - list what an archive holds
 */
#include <inttypes.h>

#include "archive_commands.h"
#include "cli/signals.h"
#include "columns.h"
#include "json_line.h"
#include "port/archive_notes.h"
#include "topic.h"

struct ls_opts {
	bool segments;
	bool json;
	int64_t max_bytes;
	int64_t max_batch_bytes;
};

static const struct cli_option options[] = {
    {'l', "long", NULL, CLI_FLAG, offsetof(struct ls_opts, segments),
	"list each segment"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct ls_opts, json),
	"print JSON lines"},
    {0, "max-bytes", "SIZE", CLI_SIZE, offsetof(struct ls_opts, max_bytes),
	"refuse what unpacks to more (1TiB)"},
    {0, "max-batch-bytes", "SIZE", CLI_SIZE,
	offsetof(struct ls_opts, max_batch_bytes),
	"take larger batches for damage (default 64MiB)"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static enum cli_exit run_ls(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command archive_ls_command = {
    .name = "archive ls",
    .args = "FILE",
    .summary = "List what an archive holds.",
    .least = 1,
    .most = 1,
    .options = options,
    .text = "FILE may be \"-\", standard input.  An archive that strm made is "
	    "listed by its\nindex; another one is read to its end.\n",
    .run = run_ls,
};

struct listing {
	const struct ls_opts *opts;
	const struct stream_archive *archive;
	struct cli_out out;
	struct columns columns;
};

static int64_t
first_offset(const struct stream_archive_partition *partition)
{
	return partition->segment_count > 0 ? partition->segments[0].base_offset
					    : partition->next_offset;
}

/* ---- JSON --------------------------------------------------------------- */

static void
print_archive(struct listing *ls)
{
	struct json_line json = {.out = &ls->out};

	line_begin(&json, "archive");
	line_bool(&json, "foreign", stream_archive_is_foreign(ls->archive));
	line_known(&json, "created_ms", stream_archive_created_ms(ls->archive));
	line_uint(
	    &json, "partitions", stream_archive_partition_count(ls->archive));
	line_end(&json);
}

static void
begin_line(struct listing *ls, const char *type,
    const struct stream_archive_partition *partition, struct json_line *json)
{
	*json = (struct json_line){.out = &ls->out};
	line_begin(json, type);
	line_text(json, "topic", partition->topic);
	line_int(json, "partition", partition->partition);
}

static void
print_segment(struct listing *ls,
    const struct stream_archive_partition *partition,
    const struct stream_archive_segment *segment)
{
	const char *digest =
	    stream_archive_file(ls->archive, segment->log)->digest;
	struct json_line json;

	begin_line(ls, "segment", partition, &json);
	line_int(&json, "base_offset", segment->base_offset);
	line_int(&json, "next_offset", segment->next_offset);
	line_int(&json, "records", segment->records);
	line_uint(&json, "bytes", segment->bytes);
	line_known(&json, "largest_timestamp", segment->largest_ms);
	line_uint(&json, "blocks", segment->block_count);
	line_text(&json, "xxh128", digest);
	line_end(&json);
}

static void
print_partition(
    struct listing *ls, const struct stream_archive_partition *partition)
{
	int64_t records = 0, largest = -1;
	uint64_t bytes = 0;
	struct json_line json;

	for (size_t i = 0; i < partition->segment_count; i++) {
		const struct stream_archive_segment *segment =
		    &partition->segments[i];

		records += segment->records;
		bytes += segment->bytes;
		if (segment->largest_ms > largest)
			largest = segment->largest_ms;
		print_segment(ls, partition, segment);
	}
	begin_line(ls, "partition", partition, &json);
	line_int(&json, "first_offset", first_offset(partition));
	line_int(&json, "next_offset", partition->next_offset);
	line_int(&json, "log_start_offset", partition->log_start_offset);
	line_uint(&json, "segments", partition->segment_count);
	line_int(&json, "records", records);
	line_uint(&json, "bytes", bytes);
	line_known(&json, "largest_timestamp", largest);
	line_bool(&json, "settings", partition->settings != NULL);
	line_end(&json);
}

/* ---- for people --------------------------------------------------------- */

static void
add_heads(struct listing *ls)
{
	static const char *const heads[] = {
	    "PARTITION", "FIRST", "NEXT", "RECORDS", "BYTES", "LARGEST TIME"};

	columns_init(&ls->columns, "lrrrrl");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		columns_add(&ls->columns, "%s", heads[i]);
}

static void
add_row(struct listing *ls, const struct stream_archive_partition *partition,
    const struct stream_archive_segment *sum)
{
	char when[STREAM_TIME_SIZE];

	topic_put_time(sum->largest_ms, when);
	columns_add(&ls->columns, "%s-%" PRId32, partition->topic,
	    partition->partition);
	columns_add(&ls->columns, "%" PRId64, sum->base_offset);
	columns_add(&ls->columns, "%" PRId64, sum->next_offset);
	columns_add(&ls->columns, "%" PRId64, sum->records);
	columns_add(&ls->columns, "%" PRIu64, sum->bytes);
	columns_add(&ls->columns, "%s", when);
}

static void
add_rows(struct listing *ls, const struct stream_archive_partition *partition)
{
	struct stream_archive_segment sum = {
	    .base_offset = first_offset(partition),
	    .next_offset = partition->next_offset,
	    .largest_ms = -1,
	};

	for (size_t i = 0; i < partition->segment_count; i++) {
		const struct stream_archive_segment *segment =
		    &partition->segments[i];

		sum.records += segment->records;
		sum.bytes += segment->bytes;
		if (segment->largest_ms > sum.largest_ms)
			sum.largest_ms = segment->largest_ms;
		if (ls->opts->segments)
			add_row(ls, partition, segment);
	}
	if (!ls->opts->segments)
		add_row(ls, partition, &sum);
}

static enum cli_exit
print_table(struct listing *ls)
{
	enum cli_exit code = CLI_DONE;

	add_heads(ls);
	for (size_t i = 0; i < stream_archive_partition_count(ls->archive); i++)
		add_rows(ls, stream_archive_partition(ls->archive, i));
	if (!columns_print(&ls->columns, &ls->out))
		code = cli_complain(CLI_SYSTEM, NULL, "out of memory");
	columns_release(&ls->columns);
	return code;
}

static enum cli_exit
print_lines(struct listing *ls)
{
	print_archive(ls);
	for (size_t i = 0; i < stream_archive_partition_count(ls->archive); i++)
		print_partition(ls, stream_archive_partition(ls->archive, i));
	return CLI_DONE;
}

static enum cli_exit
list(const struct ls_opts *opts, const struct stream_archive *archive)
{
	struct listing ls = {.opts = opts, .archive = archive};
	struct stream_error err;
	enum cli_exit code;

	if (cli_out_open(&ls.out, 1, false, &err) != STREAM_OK)
		return cli_report(NULL, &err);
	code = opts->json ? print_lines(&ls) : print_table(&ls);
	return topic_close_out(&ls.out, code);
}

static void
tell_torn(const struct stream_archive *archive,
    const struct stream_archive_options *how)
{
	struct stream_notes notes = {how->note, how->context, 0};

	for (size_t i = 0; i < stream_archive_partition_count(archive); i++)
		stream_notes_torn(&notes, stream_archive_partition(archive, i),
		    stream_archive_file(archive, 0), "a restore leaves it out");
	stream_notes_end(&notes, "logs end so");
}

static enum cli_exit
run_ls(struct cli_context *context, int argc, char *argv[])
{
	struct ls_opts opts = {.json = false};
	int first = cli_parse(context, &archive_ls_command, &opts, argc, argv);
	struct stream_archive *archive = NULL;
	struct archive_input input;
	struct stream_error err;
	enum cli_exit code;
	int status = archive_input_open(
	    &input, context, argv[first], (uint64_t)opts.max_bytes, &err);

	input.options.max_batch_bytes = (size_t)opts.max_batch_bytes;
	if (status == STREAM_OK)
		status = stream_archive_open(
		    input.fd, input.name, &input.options, &archive, &err);
	if (status == STREAM_OK)
		status = stream_archive_check_logs(archive, &err);
	if (status == STREAM_OK)
		tell_torn(archive, &input.options);
	cli_progress_clear(&input.progress);
	code =
	    status == STREAM_OK ? list(&opts, archive) : cli_report(NULL, &err);
	stream_archive_close(archive);
	archive_input_close(&input);
	cli_signals_raise();
	return code;
}
