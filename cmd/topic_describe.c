#include "cli/signals.h"
#include "columns.h"
#include "topic.h"

struct describe_opts {
	bool json;
};

static const struct cli_option options[] = {
    {'J', "json", NULL, CLI_FLAG, offsetof(struct describe_opts, json),
	"print JSON lines"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static enum cli_exit run_describe(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command topic_describe_command = {
    .name = "topic describe",
    .args = "TOPIC...",
    .summary = "Tell all about topics: partitions, offsets, settings.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .run = run_describe,
};

static const char *const heads[] = {
    "PARTITION", "SEGMENTS", "BYTES", "START", "END", "FIRST", "LAST"};

static void
add_part(struct columns *columns, const struct topic_part *part)
{
	const struct stream_partition_summary *summary = &part->summary;
	char first[STREAM_TIME_SIZE], last[STREAM_TIME_SIZE];

	if (!part->is_known)
		return;
	topic_put_time(summary->first_timestamp_ms, first);
	topic_put_time(summary->last_timestamp_ms, last);
	columns_add(columns, "%d", part->partition);
	columns_add(columns, "%u", summary->segments);
	columns_add(columns, "%llu", (unsigned long long)summary->bytes);
	columns_add(columns, "%lld", (long long)summary->log_start_offset);
	columns_add(columns, "%lld", (long long)summary->log_end_offset);
	columns_add(columns, "%s", first);
	columns_add(columns, "%s", last);
}

static bool
print_parts(struct cli_out *out, const struct topic_facts *facts)
{
	struct columns columns;
	bool ok;

	columns_init(&columns, "rrrrrll");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		columns_add(&columns, "%s", heads[i]);
	for (size_t i = 0; i < facts->count; i++)
		add_part(&columns, &facts->parts[i]);
	ok = columns_print(&columns, out);
	columns_release(&columns);
	return ok;
}

static bool
print_settings(struct cli_out *out, const struct stream_topic_config *config)
{
	char value[STREAM_SETTING_SIZE];
	struct columns columns;
	bool ok;

	columns_init(&columns, "lll");
	columns_add(&columns, "SETTING");
	columns_add(&columns, "VALUE");
	columns_add(&columns, "FROM");
	for (size_t i = 0; i < stream_topic_config_count(); i++) {
		stream_topic_config_value(config, i, value);
		columns_add(&columns, "%s", stream_topic_config_name(i));
		columns_add(&columns, "%s", value);
		columns_add(&columns, "%s",
		    stream_topic_config_is_set(config, i) ? "topic"
							  : "default");
	}
	ok = columns_print(&columns, out);
	columns_release(&columns);
	return ok;
}

static enum cli_exit
print_text(struct cli_out *out, const struct topic_facts *facts)
{
	const struct stream_topic *topic = facts->topic;
	const char *id = stream_topic_id(topic);
	bool ok;

	if (cli_out_position(out) > 0)
		cli_out_byte(out, '\n');
	cli_out_format(out, "topic %s, id %s, %zu partition%s%s\n\n",
	    stream_topic_name(topic), *id != '\0' ? id : "-", facts->count,
	    facts->count == 1 ? "" : "s",
	    stream_topic_is_ours(topic) ? "" : ", not made by strm");
	ok = print_parts(out, facts);
	cli_out_byte(out, '\n');
	ok = print_settings(out, stream_topic_config(topic)) && ok;
	return ok ? CLI_DONE : cli_complain(CLI_SYSTEM, NULL, "out of memory");
}

static enum cli_exit
describe(struct cli_out *out, const struct describe_opts *opts,
    struct stream_store *store, const char *name)
{
	struct stream_topic *topic;
	struct stream_error err;
	struct topic_facts facts;
	enum cli_exit code;

	if (stream_topic_open(store, name, &topic, &err) != STREAM_OK)
		return topic_report(&err);
	code = topic_facts_load(&facts, store, topic);
	if (opts->json)
		topic_print_json(out, &facts);
	else
		code = cli_first(code, print_text(out, &facts));
	topic_facts_release(&facts);
	stream_topic_free(topic);
	return code;
}

static enum cli_exit
describe_all(const struct describe_opts *opts, struct stream_store *store,
    int count, char *const *names)
{
	enum cli_exit code = CLI_DONE;
	struct stream_error err;
	struct cli_out out;

	if (cli_out_open(&out, 1, false, &err) != STREAM_OK)
		return topic_report(&err);
	for (int i = 0; i < count && cli_signals_pending() == 0; i++)
		code = cli_first(code, describe(&out, opts, store, names[i]));
	return topic_close_out(&out, code);
}

static enum cli_exit
run_describe(struct cli_context *context, int argc, char *argv[])
{
	struct describe_opts opts = {.json = false};
	int first =
	    cli_parse(context, &topic_describe_command, &opts, argc, argv);
	struct stream_store *store;
	struct stream_error err;
	enum cli_exit code;

	if (stream_store_open(context->store, 0, STREAM_LOCK_TIMEOUT_MS, &store,
		&err) != STREAM_OK)
		return topic_report(&err);
	code = describe_all(&opts, store, argc - first, argv + first);
	return topic_end(store, code);
}
