#include "cli/table.h"

#include <assert.h>
#include <string.h>

static const struct cli_option store_options[] = {
    {'C', "store", "STORE", CLI_TEXT, offsetof(struct cli_context, store),
	"the store; else $STRM_DIR, else the current directory"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_option talk_options[] = {
    {'q', "quiet", NULL, CLI_FLAG, offsetof(struct cli_context, quiet),
	"no notes and no progress on standard error"},
    {'v', "verbose", NULL, CLI_FLAG, offsetof(struct cli_context, verbose),
	"say what is done"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_option asked_options[] = {
    {'h', "help", NULL, CLI_FLAG, offsetof(struct cli_asked, help),
	"print this help"},
    {0, "version", NULL, CLI_FLAG, offsetof(struct cli_asked, version),
	"print the version"},
    {0, "cli-dump", NULL, CLI_FLAG, offsetof(struct cli_asked, dump),
	NULL}, /* no help: hidden */
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static size_t
add(struct cli_row *rows, size_t count, const struct cli_option *options,
    void *base, size_t offset)
{
	for (; options != NULL && options->name != NULL; options++) {
		assert(count < CLI_ROWS);
		rows[count].option = options;
		rows[count].member =
		    base == NULL ? NULL
				 : (char *)base + offset + options->offset;
		count++;
	}
	return count;
}

size_t
cli_table_rows(const struct cli_command *command, void *opts,
    struct cli_context *context, struct cli_asked *asked,
    struct cli_row rows[CLI_ROWS])
{
	const struct cli_group *group = command->groups;
	size_t n = add(rows, 0, command->options, opts, 0);

	for (; group != NULL && group->options != NULL; group++)
		n = add(rows, n, group->options, opts, group->offset);
	n = add(rows, n, store_options, context, 0);
	if (command->commands == NULL)
		n = add(rows, n, talk_options, context, 0);
	return add(rows, n, asked_options, asked, 0);
}

const char *
cli_table_word(const struct cli_command *command)
{
	const char *space = strrchr(command->name, ' ');

	return space != NULL ? space + 1 : command->name;
}
