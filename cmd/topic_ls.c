#include <stdio.h>
#include <string.h>

#include "cli/signals.h"
#include "columns.h"
#include "topic.h"

struct ls_opts {
	bool all;
	bool json;
};

static const struct cli_option options[] = {
    {'l', "long", NULL, CLI_FLAG, offsetof(struct ls_opts, all),
	"partitions, sizes, offsets, timestamps and settings"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct ls_opts, json),
	"print JSON lines"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static enum cli_exit run_ls(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command topic_ls_command = {
    .name = "topic ls",
    .args = "",
    .summary = "List the topics of a store.",
    .options = options,
    .text = "With -l the start is the lowest of all partitions, the end the "
	    "highest, and\nsettings are those that differ from the "
	    "default.\n",
    .run = run_ls,
};

struct listing {
	const struct ls_opts *opts;
	struct stream_store *store;
	struct cli_out out;
	struct columns columns;
};

static const char *const heads[] = {"TOPIC", "PARTITIONS", "SEGMENTS", "BYTES",
    "START", "END", "FIRST", "LAST", "SETTINGS"};

/* "a=1,b=2" of the settings that are the topic's own; "-" when none is. */
static void
put_settings(const struct stream_topic_config *config, char text[static 1024])
{
	char value[STREAM_SETTING_SIZE];
	size_t used = 0;

	strcpy(text, "-");
	for (size_t i = 0; i < stream_topic_config_count(); i++) {
		if (!stream_topic_config_is_set(config, i))
			continue;
		stream_topic_config_value(config, i, value);
		used += (size_t)snprintf(text + used, 1024 - used, "%s%s=%s",
		    used > 0 ? " " : "", stream_topic_config_name(i), value);
	}
}

static void
add_row(struct columns *columns, const struct topic_facts *facts)
{
	const struct stream_partition_summary *total = &facts->total;
	char first[STREAM_TIME_SIZE], last[STREAM_TIME_SIZE], settings[1024];

	topic_put_time(total->first_timestamp_ms, first);
	topic_put_time(total->last_timestamp_ms, last);
	put_settings(stream_topic_config(facts->topic), settings);
	columns_add(columns, "%s", stream_topic_name(facts->topic));
	columns_add(columns, "%zu", facts->count);
	columns_add(columns, "%u", total->segments);
	columns_add(columns, "%llu", (unsigned long long)total->bytes);
	columns_add(columns, "%lld", (long long)total->log_start_offset);
	columns_add(columns, "%lld", (long long)total->log_end_offset);
	columns_add(columns, "%s", first);
	columns_add(columns, "%s", last);
	columns_add(columns, "%s", settings);
}

static enum cli_exit
list_all_of(struct listing *listing, const struct stream_topic *topic)
{
	struct topic_facts facts;
	enum cli_exit code = topic_facts_load(&facts, listing->store, topic);

	if (listing->opts->json)
		topic_print_json(&listing->out, &facts);
	else
		add_row(&listing->columns, &facts);
	topic_facts_release(&facts);
	return code;
}

static void
print_short_json(struct cli_out *out, const struct stream_topic *topic)
{
	cli_out_format(out,
	    "{\"topic\":\"%s\",\"topic_id\":\"%s\",\"foreign\":%s,"
	    "\"partition_count\":%zu}\n",
	    stream_topic_name(topic), stream_topic_id(topic),
	    stream_topic_is_ours(topic) ? "false" : "true",
	    stream_topic_partition_count(topic));
}

static enum cli_exit
list_one(
    struct listing *listing, const struct stream_topic_list *list, size_t i)
{
	enum cli_exit code = CLI_DONE;
	struct stream_topic *topic;
	struct stream_error err;

	if (!listing->opts->all && !listing->opts->json) {
		cli_out_text(&listing->out, stream_topic_list_name(list, i));
		cli_out_byte(&listing->out, '\n');
		return CLI_DONE;
	}
	if (stream_topic_list_open(list, i, &topic, &err) != STREAM_OK)
		return topic_report(&err);
	if (listing->opts->all)
		code = list_all_of(listing, topic);
	else
		print_short_json(&listing->out, topic);
	stream_topic_free(topic);
	return code;
}

static enum cli_exit
print_columns(struct listing *listing)
{
	if (columns_print(&listing->columns, &listing->out))
		return CLI_DONE;
	return cli_complain(CLI_SYSTEM, NULL, "out of memory");
}

static enum cli_exit
list(struct listing *listing)
{
	struct stream_topic_list *topics;
	struct stream_error err;
	enum cli_exit code = CLI_DONE;
	size_t count;

	if (stream_topic_list_new(listing->store, &topics, &err) != STREAM_OK)
		return topic_report(&err);
	count = stream_topic_list_count(topics);
	columns_init(&listing->columns, "lrrrrrlll");
	if (count > 0 && listing->opts->all && !listing->opts->json)
		for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
			columns_add(&listing->columns, "%s", heads[i]);
	for (size_t i = 0; i < count && cli_signals_pending() == 0; i++)
		code = cli_first(code, list_one(listing, topics, i));
	code = cli_first(code, print_columns(listing));
	columns_release(&listing->columns);
	stream_topic_list_free(topics);
	return code;
}

static enum cli_exit
run_ls(struct cli_context *context, int argc, char *argv[])
{
	struct ls_opts opts = {.all = false};
	struct listing listing = {.opts = &opts};
	struct stream_error err;
	enum cli_exit code;

	cli_parse(context, &topic_ls_command, &opts, argc, argv);
	if (stream_store_open(context->store, 0, STREAM_LOCK_TIMEOUT_MS,
		&listing.store, &err) != STREAM_OK)
		return topic_report(&err);
	if (cli_out_open(&listing.out, 1, false, &err) != STREAM_OK) {
		code = topic_report(&err);
	} else {
		code = list(&listing);
		code = topic_close_out(&listing.out, code);
	}
	return topic_end(listing.store, code);
}
