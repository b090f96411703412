/*
 * cli/command.h - find a command, run it, and end the process
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/options.h"

/*
 * Make file descriptors 0, 1 and 2 safe (a closed one would be reused for a
 * log, and a message then written into it) and set *context from the
 * environment.
 */
void cli_start(struct cli_context *context);

/* The one of parent's sub-commands whose last word is word, or NULL. */
const struct cli_command *cli_find(
    const struct cli_command *parent, const char *word);

/* Run command, or the sub-command of it that argv[1...] names.  Installs the
 * signal handlers first. */
enum cli_exit cli_run(struct cli_context *context,
    const struct cli_command *command, int argc, char *argv[]);

/* The whole of main() for a program of one command, such as strm-archive. */
int cli_main(const struct cli_command *command, int argc, char *argv[]);

/* Say that parent has no sub-command word, with the nearest.  CLI_USAGE. */
enum cli_exit cli_unknown(const struct cli_command *parent, const char *word);

#endif
