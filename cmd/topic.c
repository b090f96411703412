/*
 * topic.c - topics: make, list, describe, change and delete them
 */
#include "topic.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/signals.h"
#include "commands.h"

static const struct cli_command *const subcommands[] = {
    &topic_create_command,
    &topic_ls_command,
    &topic_describe_command,
    &topic_alter_command,
    &topic_rm_command,
    NULL,
};

const struct cli_command topic_command = {
    .name = "topic",
    .args = "COMMAND [ARGUMENT...]",
    .summary = "Make, list, describe, change and delete topics.",
    .commands = subcommands,
};

const struct cli_option topic_write_options[] = {
    {0, "lock-timeout", "DURATION", CLI_DURATION,
	offsetof(struct topic_write_opts, lock_timeout_ms),
	"wait this long for a lock (default 10s)"},
    {0, "allow-network-fs", NULL, CLI_FLAG,
	offsetof(struct topic_write_opts, network),
	"write to a file system on the network"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

enum cli_exit
topic_report(const struct stream_error *err)
{
	if (err->status == STREAM_EINTR)
		cli_signals_raise();
	return cli_report(NULL, err);
}

enum cli_exit
topic_open_store(const struct cli_context *context,
    const struct topic_write_opts *opts, unsigned flags,
    struct stream_store **store)
{
	int64_t wait_ms = opts->lock_timeout_ms;
	struct stream_error err;

	flags |= STREAM_STORE_WRITE;
	if (opts->network)
		flags |= STREAM_STORE_NETWORK;
	cli_signals_default();
	if (stream_store_open(context->store, flags,
		wait_ms > INT_MAX ? INT_MAX : (int)wait_ms, store,
		&err) != STREAM_OK)
		return topic_report(&err);
	return CLI_DONE;
}

enum cli_exit
topic_split_setting(const char *text, char **key, const char **value)
{
	const char *equals = strchr(text, '=');

	if (equals == NULL)
		return cli_complain(CLI_USAGE, "--set",
		    "\"%s\" is not of the form KEY=VALUE", text);
	*key = strndup(text, (size_t)(equals - text));
	if (*key == NULL)
		return cli_complain(CLI_SYSTEM, NULL, "out of memory");
	*value = equals + 1;
	return CLI_DONE;
}

/* --- facts --------------------------------------------------------------- */

static bool
is_earlier(int64_t a, int64_t b)
{
	return a != STREAM_NO_TIMESTAMP && (b == STREAM_NO_TIMESTAMP || a < b);
}

static void
add_up(struct topic_facts *facts, const struct stream_partition_summary *one,
    bool first)
{
	struct stream_partition_summary *total = &facts->total;

	facts->records +=
	    (uint64_t)(one->log_end_offset - one->log_start_offset);
	if (first) {
		*total = *one;
		return;
	}
	total->segments += one->segments;
	total->bytes += one->bytes;
	if (one->log_start_offset < total->log_start_offset)
		total->log_start_offset = one->log_start_offset;
	if (one->log_end_offset > total->log_end_offset)
		total->log_end_offset = one->log_end_offset;
	if (is_earlier(one->first_timestamp_ms, total->first_timestamp_ms))
		total->first_timestamp_ms = one->first_timestamp_ms;
	if (one->last_timestamp_ms > total->last_timestamp_ms)
		total->last_timestamp_ms = one->last_timestamp_ms;
}

static enum cli_exit
load_part(struct topic_facts *facts, struct stream_store *store, size_t i)
{
	struct topic_part *part = &facts->parts[i];
	struct stream_error err;

	part->partition = stream_topic_partition(facts->topic, i);
	if (stream_partition_describe(store, stream_topic_name(facts->topic),
		part->partition, &part->summary, &err) != STREAM_OK)
		return topic_report(&err);
	part->is_known = true;
	return CLI_DONE;
}

enum cli_exit
topic_facts_load(struct topic_facts *facts, struct stream_store *store,
    const struct stream_topic *topic)
{
	enum cli_exit code = CLI_DONE;
	bool first = true;

	*facts = (struct topic_facts){
	    .topic = topic,
	    .count = stream_topic_partition_count(topic),
	    .total.first_timestamp_ms = STREAM_NO_TIMESTAMP,
	    .total.last_timestamp_ms = STREAM_NO_TIMESTAMP,
	};
	facts->parts = calloc(facts->count + 1, sizeof(*facts->parts));
	if (facts->parts == NULL) {
		facts->count = 0;
		return cli_complain(CLI_SYSTEM, NULL, "out of memory");
	}
	for (size_t i = 0; i < facts->count; i++) {
		if (cli_signals_pending() != 0)
			break;
		code = cli_first(code, load_part(facts, store, i));
		if (!facts->parts[i].is_known)
			continue;
		add_up(facts, &facts->parts[i].summary, first);
		first = false;
	}
	return code;
}

void
topic_facts_release(struct topic_facts *facts)
{
	free(facts->parts);
	*facts = (struct topic_facts){.parts = NULL};
}

/* --- printing ------------------------------------------------------------ */

void
topic_put_time(int64_t timestamp_ms, char *text)
{
	if (timestamp_ms == STREAM_NO_TIMESTAMP)
		strcpy(text, "-");
	else
		stream_format_time(timestamp_ms, text);
}

static void
print_part_json(struct cli_out *out, const struct topic_part *part)
{
	const struct stream_partition_summary *summary = &part->summary;

	cli_out_format(out, "{\"partition\":%d", part->partition);
	if (part->is_known)
		cli_out_format(out,
		    ",\"segments\":%u,\"size\":%llu,"
		    "\"log_start_offset\":%lld,\"log_end_offset\":%lld,"
		    "\"first_timestamp\":%lld,\"last_timestamp\":%lld",
		    summary->segments, (unsigned long long)summary->bytes,
		    (long long)summary->log_start_offset,
		    (long long)summary->log_end_offset,
		    (long long)summary->first_timestamp_ms,
		    (long long)summary->last_timestamp_ms);
	cli_out_byte(out, '}');
}

/* Kafka's values hold nothing that JSON would escape. */
static void
print_config_json(struct cli_out *out, const struct stream_topic_config *config)
{
	char value[STREAM_SETTING_SIZE];

	for (size_t i = 0; i < stream_topic_config_count(); i++) {
		bool is_number;

		stream_topic_config_value(config, i, value);
		is_number = strspn(value, "-.0123456789") == strlen(value);
		cli_out_format(out,
		    "%s\"%s\":{\"value\":%s%s%s,\"source\":\"%s\"}",
		    i == 0 ? "" : ",", stream_topic_config_name(i),
		    is_number ? "" : "\"", value, is_number ? "" : "\"",
		    stream_topic_config_is_set(config, i) ? "topic"
							  : "default");
	}
}

/* Topic names need no escaping either: see stream_topic_check_name. */
void
topic_print_json(struct cli_out *out, const struct topic_facts *facts)
{
	const struct stream_topic *topic = facts->topic;

	cli_out_format(out,
	    "{\"topic\":\"%s\",\"topic_id\":\"%s\",\"foreign\":%s,"
	    "\"partition_count\":%zu,\"partitions\":[",
	    stream_topic_name(topic), stream_topic_id(topic),
	    stream_topic_is_ours(topic) ? "false" : "true",
	    stream_topic_partition_count(topic));
	for (size_t i = 0; i < facts->count; i++) {
		if (i > 0)
			cli_out_byte(out, ',');
		print_part_json(out, &facts->parts[i]);
	}
	cli_out_text(out, "],\"config\":{");
	print_config_json(out, stream_topic_config(topic));
	cli_out_text(out, "}}\n");
}

enum cli_exit
topic_close_out(struct cli_out *out, enum cli_exit code)
{
	struct stream_error err;

	if (cli_out_close(out, &err) != STREAM_OK)
		code = cli_first(code, cli_report("standard output", &err));
	return code;
}

enum cli_exit
topic_end(struct stream_store *store, enum cli_exit code)
{
	if (code == CLI_DONE)
		stream_store_close(store);
	else
		stream_store_discard(store);
	cli_signals_raise();
	return code;
}

void
topic_say(const struct cli_context *context, const char *name,
    const char *format, ...)
{
	char text[256];
	va_list args;

	if (!context->verbose)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cli_note(context, name, "%s", text);
}
