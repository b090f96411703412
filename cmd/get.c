/*
 * get.c - the newest value of keys
 *
 * A key lies in the partition that Kafka's partitioner, and strm's, chooses for
 * it, so only that is read, unless the address names partitions or all are
 * asked for.
 */
#include <stdlib.h>
#include <string.h>

#include <stream/producer.h>

#include "cli/signals.h"
#include "commands.h"
#include "holes.h"
#include "opening.h"
#include "reading.h"

struct get_opts {
	struct printing_opts printing;
	struct reader_opts reader;
	struct cli_list keys;
	bool all;
};

static const struct cli_option options[] = {
    {'k', "key", "KEY", CLI_LIST, offsetof(struct get_opts, keys),
	"the key; may be given several times"},
    {0, "all-partitions", NULL, CLI_FLAG, offsetof(struct get_opts, all),
	"look in all, whoever chose the key's partition"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {printing_options, offsetof(struct get_opts, printing)},
    {reader_options, offsetof(struct get_opts, reader)},
    {NULL, 0},
};

static enum cli_exit run_get(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command get_command = {
    .name = "get",
    .args = "ADDRESS",
    .summary = "Print the newest record of a key.",
    .least = 1,
    .most = 1,
    .options = options,
    .groups = groups,
    .text = "ADDRESS is TOPIC[:PARTITIONS][@RANGE], or a path with a \"/\"; "
	    "see strm(7).\nExit 1 when there is no such key, or it was "
	    "deleted.\n",
    .run = run_get,
};

/* One key, and its newest record so far; of that only the key is borrowed. */
struct wanted {
	struct stream_bytes key;
	bool is_met;        /* in the partitions that are not printed yet */
	bool is_found;      /* a record was printed, or will be */
	int64_t deleted_at; /* offset of a tombstone, -1 */
	int32_t partition;  /* that it was looked for in, -1: in several */
	struct stream_origin origin;
	struct stream_record record;
	struct stream_batch_info batch;
	uint8_t *bytes; /* owned: value, then headers */
	size_t size;    /* that they have room for */
};

struct get {
	struct cli_context *context;
	const struct get_opts *opts;
	struct stream_store *store; /* NULL: only paths so far */
	struct stream_address address;
	struct stream_places places;
	struct printing *printing;
	struct cli_out out;
	struct holes holes;
	struct wanted *wanted;
	size_t count;
	bool by_hash; /* each key is in one partition, which its hash says */
};

static void
note(void *context, const char *text)
{
	cli_note(context, NULL, "%s", text);
}

/* ---- the newest record -------------------------------------------------- */

/* Keep a copy: what a reader lends is gone with the next read. */
static int
keep(struct wanted *wanted, const struct stream_record *record,
    struct stream_error *err)
{
	size_t size = record->value.size + record->headers.size;

	if (size > wanted->size) {
		uint8_t *bigger = realloc(wanted->bytes, size);

		if (bigger == NULL)
			return cli_fail(err, STREAM_ENOMEM, "out of memory");
		wanted->bytes = bigger;
		wanted->size = size;
	}
	wanted->record = *record;
	wanted->record.key = wanted->key;
	wanted->batch = *record->batch;
	wanted->record.batch = &wanted->batch;
	wanted->is_met = true;
	if (record->value.size > 0)
		memcpy(wanted->bytes, record->value.data, record->value.size);
	if (record->headers.size > 0)
		memcpy(wanted->bytes + record->value.size, record->headers.data,
		    record->headers.size);
	if (record->value.size > 0)
		wanted->record.value.data = wanted->bytes;
	wanted->record.headers.data = wanted->bytes + record->value.size;
	return STREAM_OK;
}

static bool
is_key(const struct wanted *wanted, const struct stream_record *record)
{
	return record->key.size == wanted->key.size &&
	       record->key.data != NULL &&
	       (wanted->key.size == 0 ||
		   memcmp(record->key.data, wanted->key.data,
		       wanted->key.size) == 0);
}

/* Is the key to be looked for in this partition? */
static bool
belongs(const struct get *get, const struct wanted *wanted,
    const struct stream_place *place)
{
	return !get->by_hash || wanted->partition == place->partition;
}

/* The last of the records that has the key is the newest of them. */
static int
look_for(struct wanted *wanted, const struct stream_record *records,
    size_t count, struct stream_error *err)
{
	for (size_t i = count; i > 0; i--)
		if (is_key(wanted, &records[i - 1]))
			return keep(wanted, &records[i - 1], err);
	return STREAM_OK;
}

static int
look_in(struct get *get, const struct stream_place *place,
    struct stream_reader *reader, struct stream_error *err)
{
	const struct stream_record *records;
	size_t count;
	int status;

	while ((status = stream_reader_read(reader, &records, &count, err)) ==
	       STREAM_OK) {
		for (size_t i = 0; i < get->count && status == STREAM_OK; i++)
			if (belongs(get, &get->wanted[i], place))
				status = look_for(
				    &get->wanted[i], records, count, err);
		if (status != STREAM_OK)
			return status;
		if (cli_signals_pending() != 0)
			return STREAM_EINTR;
	}
	return status == STREAM_END ? STREAM_OK : status;
}

static bool
is_wanted(const struct get *get, const struct stream_place *place)
{
	for (size_t i = 0; i < get->count; i++)
		if (belongs(get, &get->wanted[i], place))
			return true;
	return false;
}

/* ---- output ------------------------------------------------------------- */

/* What was met since, in the order of the keys. */
static int
print_met(struct get *get, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < get->count && status == STREAM_OK; i++) {
		struct wanted *wanted = &get->wanted[i];

		if (!wanted->is_met)
			continue;
		wanted->is_met = false;
		if (wanted->record.value.data == NULL) {
			wanted->deleted_at = wanted->record.offset;
			continue;
		}
		wanted->is_found = true;
		status = printing_put(get->printing, &get->out, &wanted->origin,
		    &wanted->record, 1, err);
	}
	return status;
}

/* *end is the offset of the record after the range. */
static int
look_in_range(struct get *get, const struct stream_place *place,
    const struct stream_reader_options *how, int64_t *end,
    struct stream_error *err)
{
	struct stream_reader *reader;
	int status = stream_reader_open(place, how, &reader, err);

	if (status != STREAM_OK)
		return status;
	status = look_in(get, place, reader, err);
	*end = stream_reader_position(reader);
	stream_reader_close(reader);
	return status;
}

static int
look_in_newer(struct get *get, const struct stream_place *place,
    struct stream_reader_options how, int64_t end, struct stream_error *err)
{
	int64_t last = -1;
	int status = STREAM_OK;

	how.flags |= STREAM_READER_CLAMP;
	for (int i = 0; status == STREAM_OK && last != end && i < READING_TIMES;
	     i++) {
		last = end;
		how.range = reading_since(end);
		status = look_in_range(get, place, &how, &end, err);
	}
	return status;
}

static int
look_in_place(
    struct get *get, const struct stream_place *place, struct stream_error *err)
{
	struct stream_reader_options how =
	    reader_options_for(&get->opts->reader);
	struct stream_origin origin;
	int64_t end;
	int status =
	    stream_origin_init(&origin, place->topic, place->partition, err);

	if (status != STREAM_OK)
		return status;
	how.range = get->address.range;
	how.note = note;
	how.note_context = get->context;
	how.hole = holes_tell;
	how.hole_context = &get->holes;
	for (size_t i = 0; i < get->count; i++)
		if (belongs(get, &get->wanted[i], place))
			get->wanted[i].origin = origin;
	status = look_in_range(get, place, &how, &end, err);
	if (status == STREAM_OK && !reading_has_end(&how.range))
		status = look_in_newer(get, place, how, end, err);
	if (status == STREAM_OK && !get->by_hash)
		status = print_met(get, err);
	return status;
}

/* Say which keys there are not.  CLI_NO if any. */
static enum cli_exit
tell_missing(const struct get *get)
{
	enum cli_exit code = CLI_DONE;

	for (size_t i = 0; i < get->count; i++) {
		const struct wanted *wanted = &get->wanted[i];
		const char *key = get->opts->keys.items[i];

		if (wanted->is_found)
			continue;
		code = CLI_NO;
		if (wanted->deleted_at >= 0)
			cli_complain(code, get->address.name,
			    "key \"%s\": was deleted at offset %lld", key,
			    (long long)wanted->deleted_at);
		else if (get->by_hash && get->places.count > 1)
			cli_complain(code, get->address.name,
			    "key \"%s\": no such key in its partition, %d "
			    "(--all-partitions looks in the others)",
			    key, wanted->partition);
		else
			cli_complain(code, get->address.name,
			    "key \"%s\": no such key", key);
	}
	return code;
}

/* ---- the tool ----------------------------------------------------------- */

/* All partitions of one topic: then the hash says which. */
static bool
has_all_partitions(const struct get *get)
{
	const struct stream_places *places = &get->places;

	if (get->address.is_path || get->address.spans != NULL)
		return false;
	for (size_t i = 0; i < places->count; i++)
		if (places->items[i].partition != (int32_t)i)
			return false;
	return true;
}

static int
take_keys(struct get *get, struct stream_error *err)
{
	const struct cli_list *keys = &get->opts->keys;

	if (keys->count == 0)
		return cli_fail(err, STREAM_EUSAGE, "-k: which key?");
	get->wanted = calloc(keys->count, sizeof(*get->wanted));
	if (get->wanted == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	get->count = keys->count;
	for (size_t i = 0; i < keys->count; i++)
		get->wanted[i] = (struct wanted){
		    .key = {(const uint8_t *)keys->items[i],
			strlen(keys->items[i])},
		    .deleted_at = -1,
		    .partition = -1,
		};
	return STREAM_OK;
}

static int
look_in_all(struct get *get, char *word, struct stream_error *err)
{
	int status = opening_resolve(
	    get->context, &get->store, word, &get->address, &get->places, err);

	if (status != STREAM_OK)
		return status;
	get->by_hash = !get->opts->all && has_all_partitions(get);
	for (size_t i = 0; get->by_hash && i < get->count; i++)
		get->wanted[i].partition = stream_key_partition(
		    get->wanted[i].key, (int32_t)get->places.count);
	for (size_t i = 0; status == STREAM_OK && i < get->places.count; i++)
		if (is_wanted(get, &get->places.items[i]))
			status = look_in_place(get, &get->places.items[i], err);
	return status == STREAM_OK ? print_met(get, err) : status;
}

static void
release(struct get *get)
{
	for (size_t i = 0; i < get->count; i++)
		free(get->wanted[i].bytes);
	free(get->wanted);
	printing_free(get->printing);
	stream_places_release(&get->places);
	stream_address_release(&get->address);
	stream_store_close(get->store);
}

static enum cli_exit
run_get(struct cli_context *context, int argc, char *argv[])
{
	struct get_opts opts = {.all = false};
	struct get get = {.context = context, .opts = &opts};
	struct stream_error err = {0};
	enum cli_exit code;
	int first = cli_parse(context, &get_command, &opts, argc, argv);
	int status = take_keys(&get, &err);

	opening_raise_limit();
	if (status == STREAM_OK)
		status = printing_open(
		    &opts.printing, &get.out, &get.printing, &err);
	if (status == STREAM_OK)
		status = look_in_all(&get, argv[first], &err);
	code = printing_conclude(&get.out, status, &err);
	code = cli_first(code, holes_conclude(&get.holes));
	if (status == STREAM_OK)
		code = cli_first(code, tell_missing(&get));
	release(&get);
	cli_signals_raise();
	cli_release(&get_command, &opts);
	return code;
}
