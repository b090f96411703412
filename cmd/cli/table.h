/*
 * cli/table.h - all options of one command in one list
 *
 * For this layer only: cli/options.c parses the list, cli/help.c prints it.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/options.h"

/* More options than any command will have. */
enum { CLI_ROWS = 64 };

struct cli_row {
	const struct cli_option *option;
	void *member; /* what it fills; NULL when only printed */
};

/* Options that cli_parse() carries out itself. */
struct cli_asked {
	bool help;
	bool version;
	bool dump;
};

/*
 * List command's own options, those of its groups and those of every command.
 * Members are found in *opts, *context and *asked (borrowed); each may be
 * NULL when the rows are only printed.  Returns the number of rows.
 */
size_t cli_table_rows(const struct cli_command *command, void *opts,
    struct cli_context *context, struct cli_asked *asked,
    struct cli_row rows[CLI_ROWS]);

/* The last word of command's name, which it is called by: "create". */
const char *cli_table_word(const struct cli_command *command);

#endif
