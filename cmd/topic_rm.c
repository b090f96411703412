#include "cli/signals.h"
#include "topic.h"

struct rm_opts {
	bool yes;
	bool json;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {'y', "yes", NULL, CLI_FLAG, offsetof(struct rm_opts, yes),
	"delete them; without it only say what would go"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct rm_opts, json),
	"print JSON lines"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {topic_write_options, offsetof(struct rm_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_rm(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command topic_rm_command = {
    .name = "topic rm",
    .args = "TOPIC...",
    .summary = "Delete topics with their records.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .groups = groups,
    .text = "Without -y the plan is printed and nothing is changed.\n",
    .run = run_rm,
};

static void
print_json(struct cli_out *out, const struct topic_facts *facts, bool deleted)
{
	cli_out_format(out,
	    "{\"topic\":\"%s\",\"partition_count\":%zu,\"segments\":%u,"
	    "\"records\":%llu,\"size\":%llu,\"deleted\":%s}\n",
	    stream_topic_name(facts->topic), facts->count,
	    facts->total.segments, (unsigned long long)facts->records,
	    (unsigned long long)facts->total.bytes, deleted ? "true" : "false");
}

static const char *
plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/* Where offsets may be missing, only the most that there can be is known. */
static void
print_plan(struct cli_out *out, const struct topic_facts *facts)
{
	cli_out_format(out,
	    "%s: would delete %zu partition%s, %u segment%s, %s%llu "
	    "record%s, %llu byte%s\n",
	    stream_topic_name(facts->topic), facts->count, plural(facts->count),
	    facts->total.segments, plural(facts->total.segments),
	    stream_topic_has_gaps(facts->topic) ? "at most " : "",
	    (unsigned long long)facts->records, plural(facts->records),
	    (unsigned long long)facts->total.bytes, plural(facts->total.bytes));
}

static enum cli_exit
plan(struct cli_out *out, const struct rm_opts *opts,
    struct stream_store *store, const char *name)
{
	struct stream_topic *topic;
	struct topic_facts facts;
	struct stream_error err;
	enum cli_exit code;

	if (stream_topic_open(store, name, &topic, &err) != STREAM_OK)
		return topic_report(&err);
	code = topic_facts_load(&facts, store, topic);
	if (opts->json)
		print_json(out, &facts, false);
	else
		print_plan(out, &facts);
	topic_facts_release(&facts);
	stream_topic_free(topic);
	return code;
}

/* Looked at before it goes.  What cannot be read is reported, but is no
 * reason to keep the topic. */
static enum cli_exit
delete_and_tell(
    struct cli_out *out, struct stream_store *store, const char *name)
{
	struct stream_topic *topic;
	struct topic_facts facts;
	struct stream_error err;
	enum cli_exit code = CLI_DONE;

	if (stream_topic_open(store, name, &topic, &err) != STREAM_OK)
		return topic_report(&err);
	topic_facts_load(&facts, store, topic);
	if (stream_topic_delete(store, name, &err) != STREAM_OK)
		code = topic_report(&err);
	else
		print_json(out, &facts, true);
	topic_facts_release(&facts);
	stream_topic_free(topic);
	return code;
}

static enum cli_exit
delete_one(const struct cli_context *context, struct stream_store *store,
    const char *name)
{
	struct stream_error err;

	if (stream_topic_delete(store, name, &err) != STREAM_OK)
		return topic_report(&err);
	topic_say(context, name, "deleted");
	return CLI_DONE;
}

static enum cli_exit
do_one(const struct cli_context *context, const struct rm_opts *opts,
    struct stream_store *store, const char *name, struct cli_out *out)
{
	if (!opts->yes)
		return plan(out, opts, store, name);
	if (opts->json)
		return delete_and_tell(out, store, name);
	return delete_one(context, store, name);
}

/* All of them or none: a name that is wrong is told before anything goes. */
static enum cli_exit
check_all(struct stream_store *store, int count, char *const *names)
{
	enum cli_exit code = CLI_DONE;

	for (int i = 0; i < count; i++) {
		struct stream_topic *topic = NULL;
		struct stream_error err;

		if (stream_topic_open(store, names[i], &topic, &err) !=
		    STREAM_OK)
			code = cli_first(code, topic_report(&err));
		stream_topic_free(topic);
	}
	return code;
}

static enum cli_exit
do_all(const struct cli_context *context, const struct rm_opts *opts,
    struct stream_store *store, int count, char *const *names)
{
	enum cli_exit code = CLI_DONE;
	struct stream_error err;
	struct cli_out out;

	if (opts->yes && count > 1)
		code = check_all(store, count, names);
	if (code != CLI_DONE)
		return code;
	if (cli_out_open(&out, 1, false, &err) != STREAM_OK)
		return topic_report(&err);
	for (int i = 0; i < count && cli_signals_pending() == 0; i++)
		code = cli_first(
		    code, do_one(context, opts, store, names[i], &out));
	return topic_close_out(&out, code);
}

static enum cli_exit
open_store(const struct cli_context *context, const struct rm_opts *opts,
    struct stream_store **store)
{
	struct stream_error err;

	if (opts->yes)
		return topic_open_store(context, &opts->write, 0, store);
	if (stream_store_open(context->store, 0, STREAM_LOCK_TIMEOUT_MS, store,
		&err) != STREAM_OK)
		return topic_report(&err);
	return CLI_DONE;
}

static enum cli_exit
run_rm(struct cli_context *context, int argc, char *argv[])
{
	struct rm_opts opts = {.write = TOPIC_WRITE_DEFAULTS};
	int first = cli_parse(context, &topic_rm_command, &opts, argc, argv);
	struct stream_store *store = NULL;
	enum cli_exit code = open_store(context, &opts, &store);

	if (code == CLI_DONE)
		code =
		    do_all(context, &opts, store, argc - first, argv + first);
	return topic_end(store, code);
}
