/*
 * inspect_groups.c - what coordinators keep, newest wins: --groups of
 * __consumer_offsets, --open-txns of __transaction_state
 *
 * Offsets that were committed in a transaction count from its COMMIT marker
 * on, and not at all after an ABORT.
 */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"
#include "inspect.h"

enum { TRANSACTIONAL = 1 << 4, CONTROL = 1 << 5 };

/* The newest record of one key. */
struct newest {
	struct newest *next; /* of the pending ones */
	int64_t producer_id;
	int64_t offset;            /* of the record */
	bool is_group;             /* else a committed offset */
	struct stream_bytes group; /* or transactional id; it lies in bytes */
	struct stream_bytes topic;
	int32_t partition;
	struct stream_bytes key;
	struct stream_bytes value; /* null: removed */
	uint8_t bytes[];
};

struct inspect_groups {
	void *tree;
	struct newest *pending; /* of transactions that have not ended */
	uint64_t skipped;       /* records of unknown types */
	struct columns columns;
};

static int
compare_bytes(struct stream_bytes a, struct stream_bytes b)
{
	size_t least = a.size < b.size ? a.size : b.size;
	int order = least == 0 ? 0 : memcmp(a.data, b.data, least);

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int
compare(const void *a, const void *b)
{
	const struct newest *x = a, *y = b;
	int order = compare_bytes(x->group, y->group);

	if (order == 0)
		order =
		    (x->is_group < y->is_group) - (x->is_group > y->is_group);
	if (order == 0)
		order = compare_bytes(x->topic, y->topic);
	if (order == 0)
		order = (x->partition > y->partition) -
			(x->partition < y->partition);
	return order;
}

static void
out_of_memory(struct inspect *in)
{
	in->code = cli_first(
	    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
}

struct inspect_groups *
inspect_groups_new(struct inspect *in)
{
	struct inspect_groups *groups = calloc(1, sizeof(*groups));

	if (groups == NULL)
		out_of_memory(in);
	return groups;
}

void
inspect_groups_free(struct inspect_groups *groups)
{
	if (groups == NULL)
		return;
	for (struct newest *entry = groups->pending; entry != NULL;) {
		struct newest *next = entry->next;

		free(entry);
		entry = next;
	}
	tdestroy(groups->tree, free);
	free(groups);
}

/* ---- records ------------------------------------------------------------ */

/* Group, topic and partition of a sound key. */
static void
take_key(struct newest *entry, struct stream_message *message)
{
	struct stream_item item;

	entry->is_group = strcmp(message->type, "group_metadata") == 0;
	while (stream_message_next(message, &item))
		if (strcmp(item.name, "group") == 0 ||
		    strcmp(item.name, "transactional_id") == 0)
			entry->group = item.bytes;
		else if (strcmp(item.name, "topic") == 0)
			entry->topic = item.bytes;
		else if (strcmp(item.name, "partition") == 0)
			entry->partition = (int32_t)item.number;
}

static struct stream_bytes
copy(uint8_t *to, struct stream_bytes bytes)
{
	if (bytes.data == NULL)
		return bytes;
	memcpy(to, bytes.data, bytes.size);
	return (struct stream_bytes){to, bytes.size};
}

/* A copy of the record; NULL when there is no memory or its key says nothing
 * that is known. */
static struct newest *
make_entry(struct inspect *in, const struct stream_record *record)
{
	struct stream_message message;
	struct newest *entry =
	    malloc(sizeof(*entry) + record->key.size + record->value.size);

	if (entry == NULL) {
		out_of_memory(in);
		return NULL;
	}
	*entry = (struct newest){
	    .producer_id = record->batch->producer_id,
	    .offset = record->offset,
	    .key = copy(entry->bytes, record->key),
	    .value = copy(entry->bytes + record->key.size, record->value),
	};
	if (stream_message_open(&message, in->kind, STREAM_MESSAGE_KEY,
		entry->key, entry->value, NULL) != STREAM_OK) {
		in->groups->skipped++;
		free(entry);
		return NULL;
	}
	take_key(entry, &message);
	return entry;
}

/* The newer of two records stays; a removal stays too, to outlive what a
 * transaction commits later but wrote earlier. */
static void
keep(struct inspect *in, struct newest *entry)
{
	struct newest **found = tsearch(entry, &in->groups->tree, compare);

	if (found == NULL) {
		out_of_memory(in);
		free(entry);
	} else if (*found != entry && (*found)->offset > entry->offset) {
		free(entry);
	} else if (*found != entry) {
		/* The key is the same, so the place in the tree is. */
		free(*found);
		*found = entry;
	}
}

static void
end_transaction(struct inspect *in, int64_t producer_id, bool is_commit)
{
	for (struct newest **at = &in->groups->pending; *at != NULL;) {
		struct newest *entry = *at;

		if (entry->producer_id != producer_id) {
			at = &entry->next;
			continue;
		}
		*at = entry->next;
		if (is_commit)
			keep(in, entry);
		else
			free(entry);
	}
}

static void
take_marker(struct inspect *in, const struct stream_record *record)
{
	struct stream_message message;
	struct stream_item item;

	if (stream_message_open(&message, STREAM_MESSAGE_CONTROL,
		STREAM_MESSAGE_KEY, record->key, record->value,
		NULL) == STREAM_OK &&
	    stream_message_next(&message, &item) && item.number <= 1)
		end_transaction(
		    in, record->batch->producer_id, item.number == 1);
}

void
inspect_groups_record(struct inspect *in, const struct stream_record *record)
{
	struct newest *entry;

	if (record->batch->attributes & CONTROL) {
		take_marker(in, record);
		return;
	}
	entry = make_entry(in, record);
	if (entry == NULL)
		return;
	if (record->batch->attributes & TRANSACTIONAL) {
		entry->next = in->groups->pending;
		in->groups->pending = entry;
	} else {
		keep(in, entry);
	}
}

/* ---- showing ------------------------------------------------------------ */

static int
open_part(const struct inspect *in, const struct newest *entry,
    enum stream_message_part part, struct stream_message *message)
{
	return stream_message_open(
	    message, in->kind, part, entry->key, entry->value, NULL);
}

static void
put_json(struct inspect *in, const struct newest *entry)
{
	struct stream_message message;

	inspect_begin(in, in->kind == STREAM_MESSAGE_TRANSACTIONS
			      ? "transaction"
			  : entry->is_group ? "group"
					    : "group_offset");
	if (open_part(in, entry, STREAM_MESSAGE_KEY, &message) == STREAM_OK)
		line_message(&in->json, &message);
	if (open_part(in, entry, STREAM_MESSAGE_VALUE, &message) == STREAM_OK)
		line_message(&in->json, &message);
	else
		line_bytes(&in->json, "unknown_value", entry->value);
	line_int(&in->json, "record_offset", entry->offset);
	inspect_end(in);
}

static void
add_text(struct columns *columns, struct stream_bytes bytes)
{
	uint8_t text[4 * 256 * CLI_ESCAPE_GROWTH];
	size_t size = bytes.size < 4 * 256 ? bytes.size : 4 * 256;

	size = size == 0 ? 0 : cli_escape(text, bytes.data, size, false);
	columns_add(columns, "%.*s", (int)size, (const char *)text);
}

static void
add_offset(const struct inspect *in, const struct newest *entry)
{
	struct columns *columns = &in->groups->columns;
	struct stream_bytes metadata = {NULL, 0};
	char offset[32] = "-", epoch[32] = "-", time[STREAM_TIME_SIZE] = "-";
	struct stream_message message;
	struct stream_item item;

	if (open_part(in, entry, STREAM_MESSAGE_VALUE, &message) != STREAM_OK)
		strcpy(offset, "?");
	else
		while (stream_message_next(&message, &item)) {
			if (strcmp(item.name, "offset") == 0)
				snprintf(offset, sizeof(offset), "%lld",
				    (long long)item.number);
			else if (strcmp(item.name, "leader_epoch") == 0)
				snprintf(epoch, sizeof(epoch), "%lld",
				    (long long)item.number);
			else if (strcmp(item.name, "commit_timestamp") == 0)
				inspect_time(item.number, time);
			else if (strcmp(item.name, "metadata") == 0)
				metadata = item.bytes;
		}
	add_text(columns, entry->group);
	add_text(columns, entry->topic);
	columns_add(columns, "%d", entry->partition);
	columns_add(columns, "%s", offset);
	columns_add(columns, "%s", epoch);
	columns_add(columns, "%s", time);
	if (metadata.size > 0)
		add_text(columns, metadata);
	else
		columns_add(columns, "-");
}

static void
put_text(struct cli_out *out, const char *before, struct stream_bytes bytes)
{
	struct json_line json = {.out = out};

	cli_out_text(out, before);
	line_bytes(&json, NULL, bytes);
}

/* A line for the group and one for each member, with the topics that it asked
 * for and the partitions that it was given. */
static void
put_group_text(struct inspect *in, const struct newest *entry)
{
	struct cli_out *out = &in->out;
	struct stream_message message;
	struct stream_item item;

	put_text(out, "group ", entry->group);
	if (open_part(in, entry, STREAM_MESSAGE_VALUE, &message) != STREAM_OK) {
		cli_out_text(out, ": of a version that is not known\n");
		return;
	}
	while (stream_message_next(&message, &item)) {
		const char *name = item.name == NULL ? "" : item.name;

		if (strcmp(name, "member_id") == 0)
			put_text(out, "\n  member ", item.bytes);
		else if (item.kind == STREAM_ITEM_LIST)
			cli_out_format(out, " %s", name);
		else if (item.kind == STREAM_ITEM_NUMBER && message.depth <= 1)
			cli_out_format(
			    out, " %s %lld", name, (long long)item.number);
		else if (item.kind == STREAM_ITEM_NUMBER && *name == '\0')
			cli_out_format(out, " %lld", (long long)item.number);
		else if (item.kind == STREAM_ITEM_TEXT) {
			cli_out_format(out, " %s", *name != '\0' ? name : "");
			put_text(out, *name != '\0' ? " " : "", item.bytes);
		}
	}
	cli_out_byte(out, '\n');
}

/* Has it neither ended nor not begun? */
static bool
is_open(const struct inspect *in, const struct newest *entry)
{
	struct stream_message message;
	struct stream_item item;

	if (open_part(in, entry, STREAM_MESSAGE_VALUE, &message) != STREAM_OK)
		return true; /* as far as is known */
	while (stream_message_next(&message, &item))
		if (item.name != NULL &&
		    strcmp(item.name, "transaction_status") == 0)
			return item.word == NULL ||
			       strcmp(item.word, "ongoing") == 0 ||
			       strncmp(item.word, "prepare", 7) == 0;
	return true;
}

static void
put_transaction(struct inspect *in, const struct newest *entry)
{
	struct stream_message message;
	struct json_line json = {.out = &in->out};

	put_text(&in->out, "open transaction of id ", entry->group);
	if (open_part(in, entry, STREAM_MESSAGE_VALUE, &message) == STREAM_OK) {
		cli_out_text(&in->out, " {");
		line_message(&json, &message);
		cli_out_byte(&in->out, '}');
	}
	cli_out_byte(&in->out, '\n');
}

static void
show_transaction(const void *node, VISIT which, void *context)
{
	const struct newest *entry = *(struct newest *const *)node;
	struct inspect *in = context;

	if ((which != postorder && which != leaf) ||
	    entry->value.data == NULL || !is_open(in, entry))
		return;
	if (in->opts->json)
		put_json(in, entry);
	else
		put_transaction(in, entry);
}

static void
show_entry(const void *node, VISIT which, void *context)
{
	const struct newest *entry = *(struct newest *const *)node;
	struct inspect *in = context;

	if ((which != postorder && which != leaf) || entry->value.data == NULL)
		return;
	if (in->opts->json)
		put_json(in, entry);
	else if (entry->is_group)
		put_group_text(in, entry);
	else
		add_offset(in, entry);
}

static void
print_offsets(struct inspect *in)
{
	static const char *const heads[] = {"GROUP", "TOPIC", "PARTITION",
	    "COMMITTED", "EPOCH", "TIME", "METADATA"};
	struct columns *columns = &in->groups->columns;

	columns_init(columns, "llrrrll");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		columns_add(columns, "%s", heads[i]);
	twalk_r(in->groups->tree, show_entry, in);
	if (!columns_print(columns, &in->out))
		out_of_memory(in);
	columns_release(columns);
}

void
inspect_groups_show(struct inspect *in)
{
	if (in->kind == STREAM_MESSAGE_TRANSACTIONS)
		twalk_r(in->groups->tree, show_transaction, in);
	else if (in->opts->json)
		twalk_r(in->groups->tree, show_entry, in);
	else
		print_offsets(in);
	if (in->groups->skipped > 0 && !in->opts->json)
		cli_out_format(&in->out,
		    "%llu records of other types (--records shows them)\n",
		    (unsigned long long)in->groups->skipped);
}
