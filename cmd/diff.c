/*
 * diff.c - compare two addresses: the command line, and which partitions pair
 */
#include "diff.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/signals.h"
#include "commands.h"
#include "opening.h"

enum { BY_OFFSET, BY_KEY };
enum { ISOLATION_COMMITTED, ISOLATION_UNCOMMITTED };
enum { MEMORY_LEAST = 1 << 16 };

static const uint64_t NO_COUNT = UINT64_MAX;

struct diff_opts {
	int by;
	const char *ignore;
	bool json;
	uint64_t count;
	int isolation;
	bool clamp;
	int64_t memory;
	int64_t max_batch_bytes;
};

static const struct cli_option options[] = {
    {0, "by", "offset|key", CLI_CHOICE, offsetof(struct diff_opts, by),
	"pair records by offset, or compare the newest of each key"},
    {0, "ignore", "LIST", CLI_TEXT, offsetof(struct diff_opts, ignore),
	"of timestamp, headers and offset, or none: what does not count"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct diff_opts, json),
	"print JSON lines"},
    {'n', "count", "N", CLI_COUNT, offsetof(struct diff_opts, count),
	"stop after N differences"},
    {'i', "isolation", "committed|uncommitted", CLI_CHOICE,
	offsetof(struct diff_opts, isolation),
	"with uncommitted, also aborted and open transactions"},
    {0, "clamp", NULL, CLI_FLAG, offsetof(struct diff_opts, clamp),
	"an offset outside the log means the nearest inside"},
    {0, "memory", "SIZE", CLI_SIZE, offsetof(struct diff_opts, memory),
	"for --by key (default 128MiB); less takes more rounds"},
    {0, "max-batch-bytes", "SIZE", CLI_SIZE,
	offsetof(struct diff_opts, max_batch_bytes),
	"refuse larger batches (default 64MiB)"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static enum cli_exit run_diff(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command diff_command = {
    .name = "diff",
    .args = "A B",
    .summary = "Compare two topics, partitions, ranges, stores or log files.",
    .least = 2,
    .most = 2,
    .options = options,
    .text = "A and B are addresses: TOPIC[:PARTITIONS][@RANGE], or a path with "
	    "a \"/\"; see\nstrm(7).  Exit 0 when they are equal, 1 when they "
	    "are not.\n",
    .run = run_diff,
};

/* ---- the command line --------------------------------------------------- */

static int
parse_ignore(
    const struct diff_opts *opts, unsigned *fields, struct stream_error *err)
{
	static const struct {
		const char *name;
		unsigned field;
	} names[] = {{"timestamp", DIFF_TIMESTAMP}, {"headers", DIFF_HEADERS},
	    {"offset", DIFF_OFFSET}, {"none", 0}};
	const char *at = opts->ignore;

	*fields =
	    DIFF_KEY | DIFF_VALUE | DIFF_HEADERS | DIFF_TIMESTAMP | DIFF_OFFSET;
	if (opts->by == BY_KEY)
		*fields &= (unsigned)~DIFF_KEY;
	if (at == NULL && opts->by == BY_KEY)
		at = "timestamp,offset";
	while (at != NULL) {
		size_t n = strcspn(at, ",");
		size_t i = 0;

		while (i < 4 && (strlen(names[i].name) != n ||
				    strncmp(names[i].name, at, n) != 0))
			i++;
		if (i == 4)
			return cli_fail(err, STREAM_EUSAGE,
			    "--ignore \"%.*s\": timestamp, headers, offset or "
			    "none",
			    (int)n, at);
		if (names[i].field == DIFF_OFFSET && opts->by != BY_KEY)
			return cli_fail(err, STREAM_EUSAGE,
			    "--ignore offset goes with --by key");
		*fields &= ~names[i].field;
		at = at[n] == ',' ? at + n + 1 : NULL;
	}
	return STREAM_OK;
}

static int
take_options(
    struct diff *diff, const struct diff_opts *opts, struct stream_error *err)
{
	if (opts->memory < MEMORY_LEAST)
		return cli_fail(err, STREAM_EUSAGE,
		    "--memory: 64KiB is the least that makes sense");
	if (opts->count == 0)
		return cli_fail(err, STREAM_EUSAGE,
		    "-n 0 would find no difference whatever there is");
	diff->json = opts->json;
	diff->memory = (size_t)opts->memory;
	diff->max_batch_bytes = (size_t)opts->max_batch_bytes;
	diff->left = opts->count == NO_COUNT ? -1 : (int64_t)opts->count;
	if (opts->isolation == ISOLATION_UNCOMMITTED)
		diff->reader_flags |= STREAM_READER_UNCOMMITTED;
	if (opts->clamp)
		diff->reader_flags |= STREAM_READER_CLAMP;
	return parse_ignore(opts, &diff->fields, err);
}

/* ---- pairs -------------------------------------------------------------- */

/* Several topics on a side: then topics pair by name, else the two topics are
 * the pair. */
static bool
are_many_topics(const struct stream_places *places)
{
	for (size_t i = 1; i < places->count; i++)
		if (strcmp(places->items[i].topic, places->items[0].topic) != 0)
			return true;
	return false;
}

struct pairing {
	bool by_topic;
	bool by_partition;
};

static struct pairing
choose_pairing(const struct diff *diff)
{
	const struct stream_places *a = &diff->sources[DIFF_A].places;
	const struct stream_places *b = &diff->sources[DIFF_B].places;

	return (struct pairing){
	    .by_topic = are_many_topics(a) || are_many_topics(b),
	    .by_partition = a->count != 1 || b->count != 1,
	};
}

static int
compare_places(struct pairing pairing, const struct stream_place *a,
    const struct stream_place *b)
{
	int order = pairing.by_topic ? strcmp(a->topic, b->topic) : 0;

	if (order != 0 || !pairing.by_partition)
		return order;
	return (a->partition > b->partition) - (a->partition < b->partition);
}

static int
by_topic_and_partition(const void *a, const void *b)
{
	static const struct pairing both = {true, true};

	return compare_places(both, a, b);
}

static int
set_origin(struct diff *diff, enum diff_side side,
    const struct stream_place *place, struct stream_error *err)
{
	return stream_origin_init(
	    &diff->origins[side], place->topic, place->partition, err);
}

static int
compare_pair(struct diff *diff, int by, const struct stream_place *a,
    const struct stream_place *b, struct stream_error *err)
{
	int status = set_origin(diff, DIFF_A, a, err);

	if (status == STREAM_OK)
		status = set_origin(diff, DIFF_B, b, err);
	if (status != STREAM_OK)
		return status;
	if (diff->context->verbose)
		cli_note(diff->context, NULL, "comparing %s:%d and %s:%d",
		    a->topic, a->partition, b->topic, b->partition);
	return by == BY_KEY ? diff_by_key(diff, a, b, err)
			    : diff_by_offset(diff, a, b, err);
}

static int
tell_missing(struct diff *diff, enum diff_side side,
    const struct stream_place *place, struct stream_error *err)
{
	int status = set_origin(diff, side, place, err);

	if (status == STREAM_OK)
		status = diff_tell_partition(diff, side, err);
	return status;
}

/* Both sides in order, as two sorted lists are merged. */
static int
compare_all(struct diff *diff, int by, struct stream_error *err)
{
	struct pairing pairing = choose_pairing(diff);
	const struct stream_places *a = &diff->sources[DIFF_A].places;
	const struct stream_places *b = &diff->sources[DIFF_B].places;
	size_t i = 0, k = 0;
	int status = STREAM_OK;

	while (status == STREAM_OK && !diff_is_done(diff) &&
	       (i < a->count || k < b->count)) {
		int order = i == a->count   ? 1
			    : k == b->count ? -1
					    : compare_places(pairing,
						  &a->items[i], &b->items[k]);

		if (order < 0)
			status =
			    tell_missing(diff, DIFF_A, &a->items[i++], err);
		else if (order > 0)
			status =
			    tell_missing(diff, DIFF_B, &b->items[k++], err);
		else
			status = compare_pair(
			    diff, by, &a->items[i++], &b->items[k++], err);
	}
	return status;
}

/* ---- the tool ----------------------------------------------------------- */

static int
open_sides(struct diff *diff, char *const *words, struct stream_error *err)
{
	int status = STREAM_OK;

	opening_raise_limit();
	for (int side = 0; side < 2 && status == STREAM_OK; side++) {
		struct diff_source *source = &diff->sources[side];

		status = opening_resolve(diff->context, &diff->store,
		    words[side], &source->address, &source->places, err);
		if (status == STREAM_OK && source->places.count > 1)
			qsort(source->places.items, source->places.count,
			    sizeof(*source->places.items),
			    by_topic_and_partition);
	}
	if (status == STREAM_OK)
		status = diff_report_open(diff, err);
	return status;
}

static bool
has_differences(const struct diff *diff)
{
	const struct diff_counts *counts = &diff->counts;

	return counts->changed + counts->only[DIFF_A] + counts->only[DIFF_B] +
		   counts->partitions_only[DIFF_A] +
		   counts->partitions_only[DIFF_B] >
	       0;
}

/* A failure weighs more than a difference: what was not read may differ. */
static enum cli_exit
conclude(struct diff *diff, int status, struct stream_error *err)
{
	enum cli_exit code = CLI_DONE;
	struct stream_error lost;
	int flushed = STREAM_OK;

	if (status == STREAM_OK)
		diff_tell_counts(diff);
	if (diff->out.data != NULL)
		flushed = cli_out_close(&diff->out, &lost);
	if (flushed == STREAM_EIO && lost.sys == EPIPE)
		cli_signals_die(SIGPIPE);
	if (status != STREAM_OK)
		code = cli_report(NULL, err);
	if (status == STREAM_ETOOBIG)
		code = CLI_DAMAGED;
	if (status == STREAM_OK && flushed != STREAM_OK)
		code = cli_report("standard output", &lost);
	return cli_first(code, has_differences(diff) ? CLI_NO : CLI_DONE);
}

static enum cli_exit
run_diff(struct cli_context *context, int argc, char *argv[])
{
	struct diff_opts opts = {.count = NO_COUNT, .memory = 128 << 20};
	struct diff diff = {.context = context};
	struct stream_error err = {0};
	enum cli_exit code;
	int first = cli_parse(context, &diff_command, &opts, argc, argv);
	int status = take_options(&diff, &opts, &err);

	if (status == STREAM_OK)
		status = open_sides(&diff, argv + first, &err);
	if (status == STREAM_OK)
		status = compare_all(&diff, opts.by, &err);
	code = conclude(&diff, status, &err);
	for (int side = 0; side < 2; side++) {
		stream_places_release(&diff.sources[side].places);
		stream_address_release(&diff.sources[side].address);
	}
	stream_store_close(diff.store);
	diff_report_release(&diff);
	cli_signals_raise();
	cli_release(&diff_command, &opts);
	return code;
}
