/*
 * table.c - the newest value of each key of a log, or of a range of it
 *
 * Each partition is read to learn which record of a key is the newest, and read
 * again to print those.  What does not fit the memory is done in further
 * rounds, each over a part of the hashes.  A compaction that comes between the
 * two readings can take a record away that was the newest of the range and is
 * not any more: such keys are looked for once more.
 */
#include <stdlib.h>

#include "cli/signals.h"
#include "commands.h"
#include "holes.h"
#include "keymap.h"
#include "opening.h"
#include "reading.h"

enum { MEMORY_LEAST = 1 << 16, MEMORY = 128 << 20 };

static const uint64_t NO_COUNT = UINT64_MAX;

struct table_opts {
	struct printing_opts printing;
	struct reader_opts reader;
	uint64_t count;
	int64_t memory;
};

static const struct cli_option options[] = {
    {'n', "count", "N", CLI_COUNT, offsetof(struct table_opts, count),
	"stop after N keys in all"},
    {0, "memory", "SIZE", CLI_SIZE, offsetof(struct table_opts, memory),
	"for the keys (default 128MiB); less takes more rounds"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {printing_options, offsetof(struct table_opts, printing)},
    {reader_options, offsetof(struct table_opts, reader)},
    {NULL, 0},
};

static enum cli_exit run_table(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command table_command = {
    .name = "table",
    .args = "ADDRESS...",
    .summary = "Print the newest record of each key.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .text = "ADDRESS is TOPIC[:PARTITIONS][@RANGE], or a path with a \"/\"; "
	    "see strm(7).\n",
    .run = run_table,
};

/* What the map's two sides are used for: the newest record of a key, and
 * whether it was printed.  A tombstone has the value 0. */
enum { NEWEST, PRINTED };

struct table {
	struct cli_context *context;
	const struct table_opts *opts;
	struct stream_store *store; /* NULL: only paths so far */
	struct printing *printing;
	struct cli_out out;
	struct holes holes;
	struct keymap *map;
	int64_t left; /* records still to print, -1: any number */
	uint64_t printed;

	/* The partition. */
	const struct stream_place *place;
	struct stream_origin origin;
	struct stream_range range;
	bool
	    is_fixed; /* range is in offsets, as the first reading found them */
};

/* ---- reading ------------------------------------------------------------ */

/* Called for each record with a key of this round. */
typedef int (*visit_fn)(struct table *table, const struct stream_record *record,
    struct keymap_key key, struct stream_error *err);

static void
note(void *context, const char *text)
{
	cli_note(context, NULL, "%s", text);
}

/* Notes and holes are told once. */
static int
open_reader(struct table *table, struct stream_reader **reader,
    struct stream_error *err)
{
	struct stream_reader_options how =
	    reader_options_for(&table->opts->reader);

	how.range = table->range;
	if (!table->is_fixed) {
		how.note = note;
		how.note_context = table->context;
		how.hole = holes_tell;
		how.hole_context = &table->holes;
	} else {
		/* What went from the range meanwhile is not in it any more. */
		how.flags |= STREAM_READER_CLAMP;
	}
	return stream_reader_open(table->place, &how, reader, err);
}

enum { TOGETHER = 32 };

static int
visit_some(struct table *table, const struct stream_record *records,
    size_t count, visit_fn visit, struct stream_error *err)
{
	struct keymap_key keys[TOGETHER];
	int status = STREAM_OK;

	for (size_t i = 0; i < count; i++)
		if (records[i].key.data != NULL) {
			keys[i] = keymap_hash(table->map, records[i].key);
			keymap_prefetch(table->map, keys[i]);
		}
	for (size_t i = 0; i < count && status == STREAM_OK; i++)
		if (records[i].key.data != NULL &&
		    keymap_has_round(table->map, keys[i]))
			status = visit(table, &records[i], keys[i], err);
	return status;
}

static int
visit_records(struct table *table, const struct stream_record *records,
    size_t count, visit_fn visit, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < count && status == STREAM_OK; i += TOGETHER)
		status = visit_some(table, records + i,
		    count - i < TOGETHER ? count - i : TOGETHER, visit, err);
	return status;
}

/* Later readings are of these offsets. */
static void
fix_range(struct table *table, int64_t first, int64_t end)
{
	table->range = (struct stream_range){
	    .from = {STREAM_POINT_OFFSET, first},
	    .to = {STREAM_POINT_OFFSET, end},
	};
	table->is_fixed = true;
}

/* *first is the offset of the first record, *end the one after the last; the
 * same when there is none. */
static int
visit_range(struct table *table, visit_fn visit, int64_t *first, int64_t *end,
    struct stream_error *err)
{
	const struct stream_record *records;
	struct stream_reader *reader;
	bool is_first = true;
	size_t count;
	int status = open_reader(table, &reader, err);

	if (status != STREAM_OK)
		return status;
	*first = stream_reader_position(reader);
	*end = *first;
	while (table->left != 0 && (status = stream_reader_read(reader,
					&records, &count, err)) == STREAM_OK) {
		if (is_first)
			*first = records[0].offset;
		is_first = false;
		*end = records[count - 1].offset + 1;
		status = visit_records(table, records, count, visit, err);
		if (status == STREAM_OK && cli_signals_pending() != 0)
			status = cli_fail(err, STREAM_EINTR, "stopped");
		if (status != STREAM_OK)
			break;
	}
	stream_reader_close(reader);
	return status == STREAM_END ? STREAM_OK : status;
}

static int
visit_all(struct table *table, visit_fn visit, struct stream_error *err)
{
	int64_t first, end;
	int status = visit_range(table, visit, &first, &end, err);

	if (status == STREAM_OK && !table->is_fixed)
		fix_range(table, first, end);
	return status;
}

/* And, of a range without an end, what was appended meanwhile. */
static int
visit_newer(struct table *table, visit_fn visit, struct stream_error *err)
{
	int64_t first = table->range.from.value, end = table->range.to.value;
	int64_t from, last = -1;
	int status = STREAM_OK;

	for (int i = 0; status == STREAM_OK && last != end && i < READING_TIMES;
	     i++) {
		last = end;
		table->range = reading_since(end);
		status = visit_range(table, visit, &from, &end, err);
	}
	fix_range(table, first, end);
	return status;
}

/* ---- one round ---------------------------------------------------------- */

static int
fill(struct table *table, const struct stream_record *record,
    struct keymap_key key, struct stream_error *err)
{
	(void)err;
	keymap_put(table->map, key, NEWEST,
	    (struct keymap_state){
		.offset = record->offset, .value = record->value.data != NULL});
	return STREAM_OK;
}

static bool
is_missed(const struct keymap_entry *entry)
{
	return entry->sides[NEWEST].value != 0 &&
	       entry->sides[PRINTED].offset < 0;
}

/* The same for keys that were not found again. */
static int
fill_missed(struct table *table, const struct stream_record *record,
    struct keymap_key key, struct stream_error *err)
{
	const struct keymap_entry *entry = keymap_find(table->map, key);

	return entry != NULL && entry->sides[PRINTED].offset < 0
		   ? fill(table, record, key, err)
		   : STREAM_OK;
}

static int
print(struct table *table, const struct stream_record *record,
    struct keymap_key key, struct stream_error *err)
{
	const struct keymap_entry *entry = keymap_find(table->map, key);
	int status;

	if (entry == NULL || !is_missed(entry) ||
	    entry->sides[NEWEST].offset != record->offset || table->left == 0)
		return STREAM_OK;
	status = printing_put(
	    table->printing, &table->out, &table->origin, record, 1, err);
	/* Nobody reads what is printed any more. */
	if (status == STREAM_OK && cli_out_failed(&table->out))
		status = cli_out_flush(&table->out, err);
	if (status != STREAM_OK)
		return status;
	keymap_put(table->map, key, PRINTED,
	    (struct keymap_state){.offset = record->offset});
	table->printed++;
	if (table->left > 0)
		table->left--;
	return STREAM_OK;
}

/* Does any key wait to be printed?  Then what was known of it is forgotten, and
 * it is a tombstone unless it is found again. */
static bool
forget_missed(struct table *table)
{
	const struct keymap_entry *entry = NULL;
	bool any = false;

	while ((entry = keymap_each(table->map, entry)) != NULL) {
		if (!is_missed(entry))
			continue;
		any = true;
		keymap_put(table->map, entry->key, NEWEST,
		    (struct keymap_state){.offset = 0});
	}
	return any;
}

static int
print_round(struct table *table, bool is_open, struct stream_error *err)
{
	int status = visit_all(table, fill, err);

	if (status == STREAM_OK && is_open)
		status = visit_newer(table, fill, err);
	if (status == STREAM_OK)
		status = visit_all(table, print, err);
	while (
	    status == STREAM_OK && table->left != 0 && forget_missed(table)) {
		/* The newer record that they have now is past the range. */
		if (is_open)
			table->range.to.kind = STREAM_POINT_NONE;
		status = visit_all(table, fill_missed, err);
		if (status == STREAM_OK)
			status = visit_all(table, print, err);
	}
	return status;
}

/* ---- partitions --------------------------------------------------------- */

static int
print_place(struct table *table, const struct stream_place *place,
    struct stream_range range, struct stream_error *err)
{
	bool is_open = !reading_has_end(&range);
	int rounds = 0;
	int status = stream_origin_init(
	    &table->origin, place->topic, place->partition, err);

	table->place = place;
	table->range = range;
	table->is_fixed = false;
	keymap_restart(table->map);
	while (status == STREAM_OK && table->left != 0 &&
	       keymap_next_round(table->map)) {
		status = print_round(table, is_open, err);
		rounds++;
	}
	if (rounds > 1 && table->context->verbose)
		cli_note(table->context, NULL, "%s:%d: %d rounds", place->topic,
		    place->partition, rounds);
	return status;
}

static int
print_address(struct table *table, const char *word, struct stream_error *err)
{
	struct stream_address address = {0};
	struct stream_places places = {0};
	int status = opening_resolve(
	    table->context, &table->store, word, &address, &places, err);

	for (size_t i = 0; status == STREAM_OK && i < places.count; i++)
		status =
		    print_place(table, &places.items[i], address.range, err);
	stream_places_release(&places);
	stream_address_release(&address);
	return status;
}

static int
print_all(struct table *table, char *const *words, int count,
    struct stream_error *err)
{
	int status;

	if (table->opts->memory < MEMORY_LEAST)
		return cli_fail(err, STREAM_EUSAGE,
		    "--memory: 64KiB is the least that makes sense");
	opening_raise_limit();
	status = printing_open(
	    &table->opts->printing, &table->out, &table->printing, err);
	if (status == STREAM_OK)
		status =
		    keymap_new((size_t)table->opts->memory, &table->map, err);
	for (int i = 0; i < count && status == STREAM_OK; i++)
		status = print_address(table, words[i], err);
	return status;
}

static enum cli_exit
run_table(struct cli_context *context, int argc, char *argv[])
{
	struct table_opts opts = {.count = NO_COUNT, .memory = MEMORY};
	struct table table = {.context = context, .opts = &opts};
	struct stream_error err = {0};
	enum cli_exit code;
	int first = cli_parse(context, &table_command, &opts, argc, argv);
	int status;

	table.left = opts.count == NO_COUNT ? -1 : (int64_t)opts.count;
	status = print_all(&table, argv + first, argc - first, &err);
	code = printing_conclude(&table.out, status, &err);
	code = cli_first(code, holes_conclude(&table.holes));
	if (context->verbose)
		cli_note(context, NULL, "%llu keys printed",
		    (unsigned long long)table.printed);
	keymap_free(table.map);
	printing_free(table.printing);
	stream_store_close(table.store);
	cli_signals_raise();
	cli_release(&table_command, &opts);
	return code;
}
