/*
 * cli/help.h - a command's table as text, on standard output by stdio
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "cli/options.h"

/* "usage: strm topic create [OPTION]... NAME" and a newline. */
void cli_help_synopsis(const struct cli_command *command, FILE *to);

/* What --help prints. */
void cli_help(const struct cli_command *command);

/* What --version prints. */
void cli_help_version(void);

/*
 * What --cli-dump prints: a line for each option and each sub-command, with
 * the fields command, letter, long name, argument, kind and help between
 * tabs; "-" is none.  The first line is of kind "arguments": the synopsis and
 * the summary.  A sub-command is of kind "command", its last word in the
 * field of the long name, its synopsis in that of the argument.
 */
void cli_help_dump(const struct cli_command *command);

#endif
