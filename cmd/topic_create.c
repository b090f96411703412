#include <stdlib.h>

#include "topic.h"

struct create_opts {
	int64_t partitions;
	struct cli_list set;
	bool if_missing;
	struct topic_write_opts write;
};

/* What --partitions is when it was not given; nobody asks for that many. */
static const int64_t NOT_GIVEN = INT64_MIN;

static const struct cli_option options[] = {
    {0, "partitions", "N", CLI_INT, offsetof(struct create_opts, partitions),
	"how many partitions (default 1)"},
    {0, "set", "KEY=VALUE", CLI_LIST, offsetof(struct create_opts, set),
	"a setting, by Kafka's name"},
    {0, "if-missing", NULL, CLI_FLAG, offsetof(struct create_opts, if_missing),
	"exit 0 when the topic exists already"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {topic_write_options, offsetof(struct create_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_create(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command topic_create_command = {
    .name = "topic create",
    .args = "NAME",
    .summary = "Make a topic, and the store when it is missing.",
    .least = 1,
    .most = 1,
    .options = options,
    .groups = groups,
    .run = run_create,
};

static enum cli_exit
take_settings(const struct cli_list *list, struct stream_topic_config *config)
{
	struct stream_error err;

	stream_topic_config_init(config);
	for (size_t i = 0; i < list->count; i++) {
		const char *value;
		char *key;
		enum cli_exit code =
		    topic_split_setting(list->items[i], &key, &value);
		int status;

		if (code != CLI_DONE)
			return code;
		status = stream_topic_config_set(config, key, value, &err);
		free(key);
		if (status != STREAM_OK)
			return topic_report(&err);
	}
	return CLI_DONE;
}

/* A warning only: Kafka makes such topics too. */
static void
warn_of_collision(const struct cli_context *context, struct stream_store *store,
    const char *name)
{
	struct stream_topic_list *list;
	const char *other;

	if (stream_topic_list_new(store, &list, NULL) != STREAM_OK)
		return;
	other = stream_topic_find_collision(list, name);
	if (other != NULL)
		cli_note(context, name,
		    "note: differs from topic %s in '.' and '_' only, which "
		    "Kafka's metrics do not tell apart",
		    other);
	stream_topic_list_free(list);
}

/* --if-missing asks for a topic, not for this one; still, someone who gave a
 * number should hear that it is another. */
static void
compare_partitions(const struct cli_context *context,
    const struct create_opts *opts, struct stream_store *store,
    const char *name)
{
	struct stream_topic *topic;
	size_t count;

	if (opts->partitions == NOT_GIVEN ||
	    stream_topic_open(store, name, &topic, NULL) != STREAM_OK)
		return;
	count = stream_topic_partition_count(topic);
	if (count != (size_t)opts->partitions)
		cli_note(context, name,
		    "note: exists already, with %zu partition%s", count,
		    count == 1 ? "" : "s");
	stream_topic_free(topic);
}

static enum cli_exit
create(const struct cli_context *context, const struct create_opts *opts,
    struct stream_store *store, const char *name,
    const struct stream_topic_config *config)
{
	int64_t partitions =
	    opts->partitions == NOT_GIVEN ? 1 : opts->partitions;
	struct stream_error err;
	int status =
	    stream_topic_create(store, name, (int32_t)partitions, config, &err);

	if (status == STREAM_EEXIST && opts->if_missing) {
		compare_partitions(context, opts, store, name);
		return CLI_DONE;
	}
	if (status != STREAM_OK)
		return topic_report(&err);
	topic_say(context, name, "made, with %lld partition%s",
	    (long long)partitions, partitions == 1 ? "" : "s");
	warn_of_collision(context, store, name);
	return CLI_DONE;
}

/* What can be told from the line alone is checked before a store is made. */
static enum cli_exit
check_line(const struct create_opts *opts, const char *name,
    struct stream_topic_config *config)
{
	struct stream_error err;

	if (opts->partitions != NOT_GIVEN &&
	    (opts->partitions < 1 || opts->partitions > INT32_MAX))
		return cli_complain(CLI_USAGE, "--partitions",
		    "not a number of partitions: %lld",
		    (long long)opts->partitions);
	if (stream_topic_check_name(name, &err) != STREAM_OK)
		return topic_report(&err);
	return take_settings(&opts->set, config);
}

static enum cli_exit
run_create(struct cli_context *context, int argc, char *argv[])
{
	struct create_opts opts = {
	    .partitions = NOT_GIVEN,
	    .write = TOPIC_WRITE_DEFAULTS,
	};
	int first =
	    cli_parse(context, &topic_create_command, &opts, argc, argv);
	const char *name = argv[first];
	struct stream_topic_config config;
	struct stream_store *store = NULL;
	enum cli_exit code = check_line(&opts, name, &config);

	if (code == CLI_DONE)
		code = topic_open_store(
		    context, &opts.write, STREAM_STORE_CREATE, &store);
	if (code == CLI_DONE)
		code = create(context, &opts, store, name, &config);
	cli_release(&topic_create_command, &opts);
	return topic_end(store, code);
}
