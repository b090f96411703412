#include <stdlib.h>

#include "topic.h"

struct alter_opts {
	struct cli_list set;
	struct cli_list unset;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {0, "set", "KEY=VALUE", CLI_LIST, offsetof(struct alter_opts, set),
	"a setting, by Kafka's name"},
    {0, "unset", "KEY", CLI_LIST, offsetof(struct alter_opts, unset),
	"a setting to put back to its default"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {topic_write_options, offsetof(struct alter_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_alter(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command topic_alter_command = {
    .name = "topic alter",
    .args = "TOPIC",
    .summary = "Change the settings of a topic.",
    .least = 1,
    .most = 1,
    .options = options,
    .groups = groups,
    .text = "All changes are made, or none.  Producers that run notice them "
	    "when they are\nstarted again.\n",
    .run = run_alter,
};

struct changes {
	struct stream_setting_change *items; /* owned */
	char **keys; /* owned; NULL where the name is the command line's */
	size_t count;
};

static void
release(struct changes *changes)
{
	for (size_t i = 0; changes->keys != NULL && i < changes->count; i++)
		free(changes->keys[i]);
	free(changes->keys);
	free(changes->items);
}

static enum cli_exit
take_changes(const struct alter_opts *opts, struct changes *changes)
{
	size_t most = opts->set.count + opts->unset.count;

	*changes = (struct changes){
	    .items = calloc(most, sizeof(*changes->items)),
	    .keys = calloc(most, sizeof(*changes->keys)),
	};
	if (changes->items == NULL || changes->keys == NULL)
		return cli_complain(CLI_SYSTEM, NULL, "out of memory");
	for (size_t i = 0; i < opts->set.count; i++) {
		size_t at = changes->count;
		enum cli_exit code = topic_split_setting(opts->set.items[i],
		    &changes->keys[at], &changes->items[at].value);

		if (code != CLI_DONE)
			return code;
		changes->items[at].name = changes->keys[at];
		changes->count++;
	}
	for (size_t i = 0; i < opts->unset.count; i++)
		changes->items[changes->count++].name = opts->unset.items[i];
	return CLI_DONE;
}

static enum cli_exit
alter(const struct cli_context *context, const struct alter_opts *opts,
    const char *name, const struct changes *changes)
{
	struct stream_store *store;
	struct stream_error err;
	enum cli_exit code = topic_open_store(context, &opts->write, 0, &store);

	if (code != CLI_DONE)
		return code;
	if (stream_topic_alter(
		store, name, changes->items, changes->count, &err) != STREAM_OK)
		code = topic_report(&err);
	else
		topic_say(context, name, "changed");
	return topic_end(store, code);
}

static enum cli_exit
run_alter(struct cli_context *context, int argc, char *argv[])
{
	struct alter_opts opts = {.write = TOPIC_WRITE_DEFAULTS};
	int first = cli_parse(context, &topic_alter_command, &opts, argc, argv);
	struct changes changes = {.count = 0};
	enum cli_exit code;

	if (opts.set.count + opts.unset.count == 0)
		code = cli_usage(&topic_alter_command,
		    "nothing to change: give --set or --unset");
	else
		code = take_changes(&opts, &changes);
	if (code == CLI_DONE)
		code = alter(context, &opts, argv[first], &changes);
	release(&changes);
	cli_release(&topic_alter_command, &opts);
	return code;
}
