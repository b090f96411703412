/*
 * inspect.c - show all that is in a partition directory, a store or a file
 */
#include "inspect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/signals.h"
#include "commands.h"
#include "opening.h"

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
    OPTION(
	"clamp", clamp, "an offset outside the log means the nearest inside"),
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

/* ---- addresses ---------------------------------------------------------- */

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
show_places(struct inspect *in, struct stream_address *address,
    struct stream_error *err)
{
	struct stream_places places = {.items = NULL};
	int status =
	    opening_find(in->context, &in->store, address, &places, err);

	if (status != STREAM_OK) {
		stream_places_release(&places);
		return status;
	}
	in->is_many = places.count > 1;
	for (size_t i = 0; i < places.count && !inspect_is_over(in); i++)
		inspect_partition(in, &places.items[i], &address->range);
	if (is_store(address, &places) && !in->opts->hand_over &&
	    !inspect_has_selection(in->opts) &&
	    inspect_is_whole(&address->range) && !inspect_is_over(in))
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
	    !S_ISREG(st.st_mode) || opening_is_archive(address->name))
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
	char *label = dir == NULL ? NULL : inspect_label(&place);

	inspect_reset(in);
	inspect_choose(in, false);
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
	int status =
	    stream_address_parse(word, opening_now_ms(), &address, &err);

	if (status != STREAM_OK) {
		in->code = cli_first(in->code, cli_report(NULL, &err));
		return;
	}
	if (is_other_file(&address, &file) && inspect_is_whole(&address.range))
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
	if (opts->hand_over && inspect_has_selection(opts))
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
