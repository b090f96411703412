/*
 * inspect.c - show all that is in a partition directory, a store or a file
 */
#include "inspect.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/signals.h"
#include "commands.h"

/* "No limit" for -n, which a user cannot write. */
static const uint64_t NO_COUNT = UINT64_MAX;

#define OPTION(name, member, text) \
	{ \
		0, name, NULL, CLI_FLAG, \
		    offsetof(struct inspect_opts, member), text \
	}

static const struct cli_option options[] = {
    {'J', "json", NULL, CLI_FLAG, offsetof(struct inspect_opts, json),
	"print JSON lines; alone: all there is"},
    OPTION("all", all, "all that there is in the files"),
    OPTION("batches", batches, "the batches"),
    OPTION("records", records, "the records, control records too"),
    OPTION("index", index, "the entries of the index files"),
    OPTION("producers", producers, "snapshots and state of producers"),
    OPTION("open-txns", open_txns, "transactions that are open"),
    OPTION("groups", groups, "what groups committed, and their members"),
    OPTION("stats", stats, "sizes, keys, gaps and times in numbers"),
    OPTION("hand-over", hand_over, "is it ready for a Kafka broker"),
    {'n', "count", "N", CLI_COUNT, offsetof(struct inspect_opts, count),
	"stop after N records, or N batches"},
    {0, "max-batch-bytes", "SIZE", CLI_SIZE,
	offsetof(struct inspect_opts, max_batch_bytes),
	"take no larger batches (default 64MiB)"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static enum cli_exit run_inspect(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command inspect_command = {
    .name = "inspect",
    .args = "ADDRESS|PATH...",
    .summary = "Show what is in a partition directory, a store or a file.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .text = "ADDRESS is TOPIC[:PARTITIONS][@RANGE], or a path with a \"/\" to "
	    "a partition\ndirectory, a store, or one of their files; see "
	    "strm(7).\n",
    .run = run_inspect,
};

/* ---- messages ----------------------------------------------------------- */

void
inspect_fail(struct inspect *in, const struct stream_error *err)
{
	in->code = cli_first(in->code, cli_report(in->label, err));
}

void
inspect_damaged(struct inspect *in)
{
	in->code = cli_first(in->code, CLI_DAMAGED);
}

static void
tell(struct inspect *in, const char *type, const char *file, const char *kind,
    const char *message)
{
	if (!in->shows.segments && !in->shows.batches && !in->shows.records &&
	    !in->shows.index && !in->shows.files)
		return;
	if (in->shows.batches || in->shows.records || in->shows.index ||
	    in->one_file) {
		cli_out_format(
		    &in->out, "%s %s: %s: %s\n", type, file, kind, message);
		return;
	}
	if (in->kept_count++ >= INSPECT_KEPT)
		return;
	columns_add(&in->kept, "%s", type);
	columns_add(&in->kept, "%s", file);
	columns_add(&in->kept, "%s", kind);
	columns_add(&in->kept, "%s", message);
}

void
inspect_note(struct inspect *in, const char *file, const char *kind,
    const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	in->count_notes++;
	if (in->is_silent)
		return;
	if (!in->opts->json) {
		tell(in, "note", file, kind, message);
		return;
	}
	line_begin(&in->json, "note");
	line_text(&in->json, "partition", in->label);
	line_text(&in->json, "file", file);
	line_text(&in->json, "kind", kind);
	line_text(&in->json, "message", message);
	line_end(&in->json);
}

void
inspect_problem(struct inspect *in, const char *file, const char *kind,
    bool damage, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (in->is_silent) {
		/* An append of several batches makes such entries, and they
		 * lead to the right place. */
		in->count_problems += strcmp(kind, "index-offset") != 0;
		return;
	}
	in->count_problems++;
	if (damage)
		inspect_damaged(in);
	if (!in->opts->json) {
		tell(in, damage ? "damage" : "problem", file, kind, message);
		return;
	}
	line_begin(&in->json, "problem");
	line_text(&in->json, "partition", in->label);
	line_text(&in->json, "file", file);
	line_text(&in->json, "kind", kind);
	line_text(&in->json, "message", message);
	line_bool(&in->json, "damage", damage);
	line_end(&in->json);
}

void
inspect_begin(struct inspect *in, const char *type)
{
	line_begin(&in->json, type);
}

void
inspect_end(struct inspect *in)
{
	line_text(&in->json, "topic_partition", in->label);
	line_end(&in->json);
}

bool
inspect_is_over(const struct inspect *in)
{
	return in->left == 0 || cli_signals_pending() != 0 ||
	       cli_out_failed(&in->out) || in->code == CLI_SYSTEM;
}

char *
inspect_path(struct inspect *in, const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) >= 0)
		return path;
	in->code = cli_first(
	    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
	return NULL;
}

const char *
inspect_time(int64_t timestamp_ms, char *text)
{
	if (timestamp_ms == STREAM_NO_TIMESTAMP)
		strcpy(text, "-");
	else
		stream_format_time(timestamp_ms, text);
	return text;
}

/* ---- one partition ------------------------------------------------------ */

static bool
has_selection(const struct inspect_opts *opts)
{
	return opts->all || opts->batches || opts->records || opts->index ||
	       opts->producers || opts->open_txns || opts->groups ||
	       opts->stats;
}

/* Text without a choice is an overview, JSON is everything; a range alone asks
 * for what lies in it. */
static void
choose(struct inspect *in, bool has_range)
{
	const struct inspect_opts *opts = in->opts;
	bool none = !has_selection(opts);
	bool all = opts->all || (none && opts->json && !has_range);

	in->shows = (struct inspect_shows){
	    .segments = all || (none && !has_range),
	    .batches = all || opts->batches || (none && has_range),
	    .records = all || opts->records || (none && has_range),
	    .index = all || opts->index,
	    .files = all || (none && !has_range),
	    .producers = opts->producers,
	    .open_txns = opts->open_txns,
	    .groups = opts->groups,
	    .stats = opts->stats,
	};
}

static void
start_parts(struct inspect *in)
{
	if (in->shows.stats)
		in->stats = inspect_stats_new(in);
	if (in->shows.groups)
		in->groups = inspect_groups_new(in);
	if (in->shows.producers || in->shows.open_txns)
		in->producers = inspect_producers_new(in);
}

static void
show_parts(struct inspect *in)
{
	if (in->stats != NULL)
		inspect_stats_show(in);
	if (in->groups != NULL)
		inspect_groups_show(in);
	if (in->producers != NULL)
		inspect_producers_show(in);
}

static void
free_parts(struct inspect *in)
{
	inspect_stats_free(in->stats);
	inspect_groups_free(in->groups);
	inspect_producers_free(in->producers);
	in->stats = NULL;
	in->groups = NULL;
	in->producers = NULL;
}

/* The log that comes after files->items[i], or NULL. */
static const struct stream_file *
next_log(const struct stream_files *files, size_t i)
{
	for (i++; i < files->count; i++)
		if (files->items[i].kind == STREAM_FILE_LOG &&
		    files->items[i].state == STREAM_FILE_PLAIN)
			return &files->items[i];
	return NULL;
}

/* only: the one log to walk, or NULL. */
static void
walk_logs(struct inspect *in, const char *only)
{
	const struct stream_files *files = &in->files;

	for (size_t i = 0; i < files->count && !inspect_is_over(in); i++) {
		const struct stream_file *file = &files->items[i];
		const struct stream_file *next = next_log(files, i);

		if (only != NULL ? strcmp(file->name, only) != 0
				 : file->kind != STREAM_FILE_LOG ||
				       file->state != STREAM_FILE_PLAIN)
			continue;
		/* Of no interest to a range that ends before or begins after
		 * it. */
		if (only == NULL &&
		    (file->base_offset >= in->to ||
			(next != NULL && next->base_offset <= in->from)))
			continue;
		inspect_segment(in, file, next != NULL);
		if (in->records_left == 0)
			break;
	}
}

static void
show_summary(struct inspect *in)
{
	if (!in->opts->json)
		return;
	line_begin(&in->json, "summary");
	line_uint(&in->json, "segments", in->count_segments);
	line_uint(&in->json, "batches", in->count_batches);
	line_uint(&in->json, "records", in->count_records);
	line_uint(&in->json, "bytes", in->count_bytes);
	line_uint(&in->json, "problems", in->count_problems);
	line_uint(&in->json, "notes", in->count_notes);
	inspect_end(in);
}

static void
show_kept(struct inspect *in)
{
	bool ok = columns_print(&in->segments, &in->out);

	ok = columns_print(&in->kept, &in->out) && ok;
	if (in->kept_count > INSPECT_KEPT)
		cli_out_format(&in->out, "and %llu more\n",
		    (unsigned long long)(in->kept_count - INSPECT_KEPT));
	if (!ok)
		in->code = cli_first(
		    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
}

static void
show_heading(struct inspect *in)
{
	if (in->opts->json)
		return;
	if (in->is_heading)
		cli_out_byte(&in->out, '\n');
	in->is_heading = true;
	cli_out_format(&in->out, "partition %s in %s\n", in->label, in->path);
}

static void
walk_partition(struct inspect *in, const char *only)
{
	if (only != NULL && !in->opts->index && !in->opts->all)
		in->shows.index = false; /* those are other files */
	start_parts(in);
	show_heading(in);
	walk_logs(in, only);
	show_kept(in);
	if (in->shows.files && only == NULL && !inspect_is_over(in))
		inspect_files(in);
	if (in->shows.files && only == NULL && !inspect_is_over(in))
		inspect_store_of_partition(in);
	show_parts(in);
	if (in->shows.segments && only == NULL)
		show_summary(in);
	free_parts(in);
}

static void
set_kind(struct inspect *in)
{
	in->has_kind = true;
	if (strcmp(in->topic, "__consumer_offsets") == 0)
		in->kind = STREAM_MESSAGE_GROUPS;
	else if (strcmp(in->topic, "__transaction_state") == 0)
		in->kind = STREAM_MESSAGE_TRANSACTIONS;
	else
		in->has_kind = false;
}

static void
reset(struct inspect *in)
{
	columns_init(&in->segments, "lrrrrrllrrr");
	columns_init(&in->kept, "llll");
	in->kept_count = 0;
	in->count_segments = in->count_batches = in->count_records = 0;
	in->count_bytes = in->count_problems = in->count_notes = 0;
	in->end_offset = 0;
	in->records_left = -1;
	in->from = 0;
	in->to = INT64_MAX;
}

/* ---- ranges ------------------------------------------------------------- */

/* A point as an offset: where a reader would begin. */
static int
find_point(struct inspect *in, const struct stream_place *place,
    struct stream_point point, int64_t *offset, struct stream_error *err)
{
	struct stream_reader_options reader_options = {
	    .range.from = point,
	    .flags = STREAM_READER_UNCOMMITTED,
	    .max_batch_bytes = (size_t)in->opts->max_batch_bytes,
	};
	const struct stream_record *records;
	struct stream_reader *reader;
	size_t count;
	int status = stream_reader_open(place, &reader_options, &reader, err);

	/* An offset needs no reader; damage before it keeps nobody away. */
	if (point.kind == STREAM_POINT_OFFSET && status == STREAM_ECORRUPT) {
		*offset = point.value;
		return STREAM_OK;
	}
	if (status != STREAM_OK)
		return status;
	/* Where it begins shows only in what it reads. */
	status = stream_reader_read(reader, &records, &count, err);
	if (status == STREAM_OK)
		*offset = records[0].offset;
	else if (status == STREAM_END || status == STREAM_ECORRUPT)
		*offset = stream_reader_position(reader);
	stream_reader_close(reader);
	return status == STREAM_END || status == STREAM_ECORRUPT ? STREAM_OK
								 : status;
}

static int
set_range(struct inspect *in, const struct stream_place *place,
    const struct stream_range *range, struct stream_error *err)
{
	int status = STREAM_OK;

	if (range->from.kind != STREAM_POINT_NONE)
		status = find_point(in, place, range->from, &in->from, err);
	if (status != STREAM_OK || range->to.kind == STREAM_POINT_NONE)
		return status;
	if (range->to.kind == STREAM_POINT_AFTER) {
		in->records_left = range->to.value;
		return STREAM_OK;
	}
	if (range->to.kind == STREAM_POINT_OFFSET) {
		in->to = range->to.value;
		return STREAM_OK;
	}
	return find_point(in, place, range->to, &in->to, err);
}

static bool
is_whole(const struct stream_range *range)
{
	return range->from.kind == STREAM_POINT_NONE &&
	       range->to.kind == STREAM_POINT_NONE;
}

/* ---- addresses ---------------------------------------------------------- */

/* "TOPIC-P", or the directory's own name where it is none. */
static char *
label_of(const struct stream_place *place)
{
	char *real = realpath(place->path, NULL);
	char *label = NULL;

	if (real != NULL)
		label = strdup(strrchr(real, '/') + 1);
	free(real);
	if (label == NULL &&
	    asprintf(&label, "%s-%d", place->topic, place->partition) < 0)
		label = NULL;
	return label;
}

static void
show_place(struct inspect *in, const struct stream_place *place,
    const struct stream_range *range)
{
	struct stream_error err;
	int status;

	reset(in);
	in->topic = place->topic;
	in->partition = place->partition;
	in->path = place->path;
	in->store_path = place->store_path;
	in->log_start_offset = place->log_start_offset;
	set_kind(in);
	choose(in, !is_whole(range));
	status = set_range(in, place, range, &err);
	if (status == STREAM_OK)
		status = stream_files_list(place->path, &in->files, &err);
	if (status != STREAM_OK) {
		in->code = cli_first(in->code, cli_report(NULL, &err));
		return;
	}
	if (in->opts->hand_over)
		in->code = cli_first(in->code, inspect_hand_over(in));
	else
		walk_partition(in, place->segment);
	stream_files_release(&in->files);
	columns_release(&in->segments);
	columns_release(&in->kept);
}

static void
show_labelled(struct inspect *in, const struct stream_place *place,
    const struct stream_range *range)
{
	char *label = label_of(place);

	if (label == NULL) {
		in->code = cli_first(
		    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
		return;
	}
	in->label = label;
	show_place(in, place, range);
	in->label = NULL;
	free(label);
}

static int
open_store(struct inspect *in, struct stream_error *err)
{
	if (in->store != NULL)
		return STREAM_OK;
	return stream_store_open(
	    in->context->store, 0, STREAM_LOCK_TIMEOUT_MS, &in->store, err);
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A path to a store: its partitions, and then what is its own. */
static bool
is_store(
    const struct stream_address *address, const struct stream_places *places)
{
	return address->is_path && address->spans == NULL &&
	       (places->count != 1 ||
		   strcmp(places->items[0].path, address->name) != 0) &&
	       (places->count == 0 || places->items[0].segment == NULL);
}

static int
show_places(struct inspect *in, const struct stream_address *address,
    struct stream_error *err)
{
	struct stream_places places = {.items = NULL};
	int status = STREAM_OK;

	if (!address->is_path)
		status = open_store(in, err);
	if (status == STREAM_OK)
		status =
		    stream_address_resolve(address, in->store, &places, err);
	if (status != STREAM_OK)
		return status;
	for (size_t i = 0; i < places.count && !inspect_is_over(in); i++)
		show_labelled(in, &places.items[i], &address->range);
	if (is_store(address, &places) && !in->opts->hand_over &&
	    !has_selection(in->opts) && is_whole(&address->range) &&
	    !inspect_is_over(in))
		inspect_store(in, address->name, &places);
	stream_places_release(&places);
	return STREAM_OK;
}

/* A file that is no plain .log, which addresses do not know. */
static bool
is_other_file(const struct stream_address *address, struct stream_file *file)
{
	struct stat st;

	if (!address->is_path || stat(address->name, &st) != 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	stream_file_name(strrchr(address->name, '/') + 1, file);
	file->size = (uint64_t)st.st_size;
	return file->kind != STREAM_FILE_LOG;
}

static void
show_file(struct inspect *in, const struct stream_address *address,
    const struct stream_file *file)
{
	size_t size = (size_t)(file->name - address->name);
	char *dir = strndup(address->name, size > 1 ? size - 1 : size);
	struct stream_place place = {.path = dir, .topic = dir};
	char *label = dir == NULL ? NULL : label_of(&place);

	reset(in);
	choose(in, false);
	in->one_file = true;
	in->label = label;
	in->path = in->store_path = dir;
	if (label == NULL)
		in->code = cli_first(
		    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
	else if (file->kind <= STREAM_FILE_TXNINDEX)
		inspect_one_index(in, file);
	else
		inspect_one_file(in, file);
	in->label = NULL;
	in->one_file = false;
	columns_release(&in->segments);
	columns_release(&in->kept);
	free(label);
	free(dir);
}

static void
show_address(struct inspect *in, const char *word)
{
	struct stream_address address;
	struct stream_file file;
	struct stream_error err;
	int status = stream_address_parse(word, now_ms(), &address, &err);

	if (status != STREAM_OK) {
		in->code = cli_first(in->code, cli_report(NULL, &err));
		return;
	}
	if (is_other_file(&address, &file) && is_whole(&address.range))
		show_file(in, &address, &file);
	else
		status = show_places(in, &address, &err);
	if (status != STREAM_OK)
		in->code = cli_first(in->code, cli_report(NULL, &err));
	stream_address_release(&address);
}

/* ---- the tool ----------------------------------------------------------- */

static enum cli_exit
check(const struct inspect_opts *opts)
{
	if (opts->hand_over && has_selection(opts))
		return cli_usage(&inspect_command,
		    "--hand-over shows nothing else of a directory");
	return CLI_DONE;
}

static enum cli_exit
conclude(struct inspect *in)
{
	struct stream_error lost;
	int status = cli_out_close(&in->out, &lost);

	if (status == STREAM_EIO && lost.sys == EPIPE)
		cli_signals_die(SIGPIPE);
	if (status != STREAM_OK && status != STREAM_EINTR)
		in->code = cli_report("standard output", &lost);
	cli_signals_raise();
	return in->code;
}

static enum cli_exit
run_inspect(struct cli_context *context, int argc, char *argv[])
{
	struct inspect_opts opts = {.count = NO_COUNT};
	struct inspect in = {.context = context, .opts = &opts};
	int first = cli_parse(context, &inspect_command, &opts, argc, argv);
	enum cli_exit code = check(&opts);
	struct stream_error err;

	if (code != CLI_DONE)
		return code;
	if (cli_out_open(&in.out, 1, false, &err) != STREAM_OK)
		return cli_report(NULL, &err);
	in.json.out = &in.out;
	in.left = opts.count == NO_COUNT ? -1 : (int64_t)opts.count;
	for (int i = first; i < argc && !inspect_is_over(&in); i++)
		show_address(&in, argv[i]);
	stream_store_close(in.store);
	return conclude(&in);
}
