#include "reading.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stream.h>

#include "cli/output.h"
#include "cli/signals.h"
#include "holes.h"
#include "opening.h"

enum { ISOLATION_COMMITTED, ISOLATION_UNCOMMITTED };

const struct cli_option reader_options[] = {
    {0, "durable", NULL, CLI_FLAG, offsetof(struct reader_opts, durable),
	"only records that are synced"},
    {'i', "isolation", "committed|uncommitted", CLI_CHOICE,
	offsetof(struct reader_opts, isolation),
	"with uncommitted, also aborted and open transactions"},
    {0, "clamp", NULL, CLI_FLAG, offsetof(struct reader_opts, clamp),
	"an offset outside the log means the nearest inside"},
    {0, "skip-corrupt", NULL, CLI_FLAG,
	offsetof(struct reader_opts, skip_corrupt),
	"go on behind damage, and tell of each hole"},
    {0, "max-batch-bytes", "SIZE", CLI_SIZE,
	offsetof(struct reader_opts, max_batch_bytes),
	"refuse larger batches (default 64MiB)"},
    {0, "lock-timeout", "DURATION", CLI_DURATION,
	offsetof(struct reader_opts, lock_timeout_ms),
	"wait this long for an append that does not end (default 10s)"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

const struct cli_option reading_options[] = {
    {'F', "follow", NULL, CLI_FLAG, offsetof(struct reading_opts, follow),
	"wait for more at the end"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

struct stream_reader_options
reader_options_for(const struct reader_opts *opts)
{
	struct stream_reader_options options = {
	    .max_batch_bytes = (size_t)opts->max_batch_bytes,
	    .lock_timeout_ms = (int)opts->lock_timeout_ms,
	    .workers = opening_workers(),
	};

	if (opts->durable)
		options.flags |= STREAM_READER_DURABLE;
	if (opts->clamp)
		options.flags |= STREAM_READER_CLAMP;
	if (opts->skip_corrupt)
		options.flags |= STREAM_READER_SKIP_CORRUPT;
	if (opts->isolation == ISOLATION_UNCOMMITTED)
		options.flags |= STREAM_READER_UNCOMMITTED;
	return options;
}

/* One partition that is being read. */
struct source {
	const struct stream_place *place;
	struct stream_range range;
	struct stream_reader *reader; /* NULL: not open now */
	struct stream_origin origin;
};

/* What an address led to. */
struct found {
	struct stream_places places;
	struct found *next;
};

struct run {
	struct cli_context *context;
	const struct reading *reading;
	struct stream_store *store; /* NULL: only paths so far */
	struct found *found;
	struct source *sources;
	size_t count;
	struct stream_watch *watch;
	struct cli_out out;
	struct printing *printing;
	int64_t left; /* records still to print, -1: any number */
	uint64_t printed;
	struct holes holes;
};

static void
note(void *context, const char *text)
{
	const struct run *run = context;

	cli_note(run->context, NULL, "%s", text);
}

/* ---- opening ------------------------------------------------------------ */

static struct stream_reader_options
options_for(struct run *run, struct stream_range range)
{
	const struct reading_opts *opts = run->reading->opts;
	struct stream_reader_options options =
	    reader_options_for(&opts->reader);

	options.range = range;
	options.note = note;
	options.note_context = run;
	options.hole = holes_tell;
	options.hole_context = &run->holes;
	if (opts->follow)
		options.flags |= STREAM_READER_FOLLOW;
	return options;
}

static int
open_source(struct run *run, struct source *source, struct stream_error *err)
{
	struct stream_reader_options options = options_for(run, source->range);
	struct stream_error why;
	int status =
	    stream_reader_open(source->place, &options, &source->reader, &why);

	if (status == STREAM_OK)
		return status;
	if (err != NULL)
		*err = why;
	return why.sys == EMFILE ? opening_say_limit(run->count, err) : status;
}

static void
close_source(struct source *source)
{
	stream_reader_close(source->reader);
	source->reader = NULL;
}

/* What does not grow need not be open before its turn: what an archive has is
 * fetched only then, and there can be more partitions than descriptors. */
static bool
waits_for_turn(const struct source *source)
{
	return source->place->supply.fetch != NULL;
}

/* Is there an offset in it, which a partition may not hold?  That is told
 * before anything is printed. */
static bool
may_be_refused(const struct stream_range *range)
{
	return range->from.kind == STREAM_POINT_OFFSET ||
	       range->to.kind == STREAM_POINT_OFFSET;
}

static int
add_source(struct run *run, const struct stream_place *place,
    struct stream_range range, struct stream_error *err)
{
	struct source *source;
	void *bigger =
	    realloc(run->sources, (run->count + 1) * sizeof(*run->sources));
	int status;

	if (bigger == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	run->sources = bigger;
	source = &run->sources[run->count];
	*source = (struct source){.place = place, .range = range};
	status = stream_origin_init(
	    &source->origin, place->topic, place->partition, err);
	if (status == STREAM_OK &&
	    (!waits_for_turn(source) || may_be_refused(&range)))
		status = open_source(run, source, err);
	if (status != STREAM_OK)
		return status;
	if (waits_for_turn(source))
		close_source(source);
	run->count++;
	if (run->watch == NULL)
		return STREAM_OK;
	return stream_watch_add(run->watch, source->reader, err);
}

/* The address with what -p and -o add to it. */
static int
put_address(const struct run *run, const char *word, char *text, size_t size,
    struct stream_error *err)
{
	const struct reading *reading = run->reading;
	const char *slash = strrchr(word, '/');
	const char *last = slash != NULL ? slash + 1 : word;
	int n;

	if (reading->partitions != NULL && strpbrk(last, ":@") != NULL)
		return cli_fail(err, STREAM_EUSAGE,
		    "\"%s\": -p goes with a topic alone (with -o for @)", word);
	if (reading->offset != NULL && strchr(last, '@') != NULL)
		return cli_fail(err, STREAM_EUSAGE,
		    "\"%s\": -o and @ both say where to begin", word);
	n = snprintf(text, size, "%s%s%s%s%s", word,
	    reading->partitions != NULL ? ":" : "",
	    reading->partitions != NULL ? reading->partitions : "",
	    reading->offset != NULL ? "@" : "",
	    reading->offset != NULL ? reading->offset : "");
	if (n >= (int)size)
		return cli_fail(
		    err, STREAM_EUSAGE, "\"%.60s...\": too long", word);
	return STREAM_OK;
}

/* Where tail begins.  What is opened may be no more than the range. */
static int
begin_at(const struct run *run, struct stream_address *address,
    struct stream_error *err)
{
	if (address->range.from.kind == STREAM_POINT_NONE &&
	    run->reading->last >= 0)
		address->range.from = (struct stream_point){
		    STREAM_POINT_LAST, run->reading->last};
	if (run->reading->opts->follow && address->is_path &&
	    opening_names_archive(address->name))
		return cli_fail(err, STREAM_EUSAGE,
		    "%s: an archive does not grow, so -F has no use for it",
		    address->name);
	return STREAM_OK;
}

static int
add_address(struct run *run, const char *word, struct stream_error *err)
{
	struct stream_address address = {0};
	struct found *found = calloc(1, sizeof(*found));
	char text[4096];
	int status = put_address(run, word, text, sizeof(text), err);

	if (found == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	found->next = run->found;
	run->found = found;
	if (status == STREAM_OK)
		status =
		    stream_address_parse(text, opening_now_ms(), &address, err);
	if (status == STREAM_OK)
		status = begin_at(run, &address, err);
	if (status == STREAM_OK)
		status = opening_find(
		    run->context, &run->store, &address, &found->places, err);
	for (size_t i = 0; status == STREAM_OK && i < found->places.count; i++)
		status = add_source(
		    run, &found->places.items[i], address.range, err);
	stream_address_release(&address);
	return status;
}

/* ---- printing ----------------------------------------------------------- */

/* What the reader gives now; STREAM_END when it has no more. */
static int
drain(struct run *run, struct source *source, struct stream_error *err)
{
	const struct stream_record *records;
	size_t count;
	int status;

	while ((status = stream_reader_read(
		    source->reader, &records, &count, err)) == STREAM_OK) {
		if (run->left >= 0 && count > (uint64_t)run->left)
			count = (size_t)run->left;
		status = printing_put(run->printing, &run->out, &source->origin,
		    records, count, err);
		if (status != STREAM_OK)
			return status;
		run->printed += count;
		if (run->left >= 0)
			run->left -= (int64_t)count;
		if (run->left == 0)
			return STREAM_END;
		/* A line that has just come is shown before looking for
		 * more. */
		if (cli_out_failed(&run->out) ||
		    (run->watch != NULL &&
			!stream_reader_has_buffered(source->reader)))
			status = cli_out_flush(&run->out, err);
		if (status != STREAM_OK)
			return status;
		if (cli_signals_pending() != 0)
			return cli_fail(err, STREAM_EINTR, "stopped");
	}
	return status;
}

static int
print_one(struct run *run, struct source *source, struct stream_error *err)
{
	int status = STREAM_OK;

	if (source->reader == NULL)
		status = open_source(run, source, err);
	if (status == STREAM_OK)
		status = drain(run, source, err);
	close_source(source);
	return status;
}

/* One partition after another. */
static int
print_all(struct run *run, struct stream_error *err)
{
	int status = STREAM_END;

	for (size_t i = 0; i < run->count && status == STREAM_END; i++)
		if (run->left != 0)
			status = print_one(run, &run->sources[i], err);
	return status;
}

static int
wait_for_more(struct run *run, struct stream_error *err)
{
	/* Also look at the far end of the output: a reader that left ends
	 * this as it ends tail -F, not only at the next record. */
	return stream_watch_wait(
	    run->watch, -1, cli_signals_fd(), STDOUT_FILENO, err);
}

/* In order of arrival: whoever was woken is read; then wait. */
static int
follow_all(struct run *run, struct stream_error *err)
{
	for (;;) {
		size_t done = 0;
		int status = STREAM_END;

		for (size_t i = 0; i < run->count && run->left != 0; i++) {
			struct source *source = &run->sources[i];

			if (stream_reader_is_woken(source->reader))
				status = drain(run, source, err);
			if (status != STREAM_END)
				return status;
			if (stream_reader_is_done(source->reader))
				done++;
		}
		if (run->left == 0 || done == run->count)
			return STREAM_END;
		status = cli_out_flush(&run->out, err);
		if (status == STREAM_OK)
			status = wait_for_more(run, err);
		if (status != STREAM_OK && status != STREAM_END)
			return status;
	}
}

bool
reading_has_end(const struct stream_range *range)
{
	return range->to.kind != STREAM_POINT_NONE &&
	       range->to.kind != STREAM_POINT_END;
}

struct stream_range
reading_since(int64_t end)
{
	return (struct stream_range){.from = {STREAM_POINT_OFFSET, end}};
}

/* ---- the tool ----------------------------------------------------------- */

static int
open_all(struct run *run, char *const *addresses, int count,
    struct stream_error *err)
{
	int status = printing_open(
	    &run->reading->opts->printing, &run->out, &run->printing, err);

	opening_raise_limit();
	if (status == STREAM_OK && run->reading->opts->follow)
		status = stream_watch_new(&run->watch, err);
	for (int i = 0; i < count && status == STREAM_OK; i++)
		status = add_address(run, addresses[i], err);
	return status;
}

static void
release(struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		close_source(&run->sources[i]);
	free(run->sources);
	while (run->found != NULL) {
		struct found *found = run->found;

		run->found = found->next;
		stream_places_release(&found->places);
		free(found);
	}
	stream_watch_free(run->watch);
	stream_store_close(run->store);
	printing_free(run->printing);
}

static enum cli_exit
conclude(struct run *run, int status, struct stream_error *err)
{
	enum cli_exit code = printing_conclude(&run->out, status, err);

	/* What ended it weighs more than what was passed. */
	code = cli_first(code, holes_conclude(&run->holes));
	if (run->context->verbose)
		cli_note(run->context, NULL, "%llu records printed",
		    (unsigned long long)run->printed);
	return code;
}

enum cli_exit
reading_run(struct cli_context *context, const struct reading *reading,
    char *const *addresses, int count)
{
	struct run run = {
	    .context = context,
	    .reading = reading,
	    .left = reading->limit,
	};
	struct stream_error err = {0};
	enum cli_exit code;
	int status = open_all(&run, addresses, count, &err);

	if (status == STREAM_OK)
		status = reading->opts->follow ? follow_all(&run, &err)
					       : print_all(&run, &err);
	code = conclude(&run, status, &err);
	release(&run);
	cli_signals_raise();
	return code;
}
