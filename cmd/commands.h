/*
 * commands.h - the commands that are built into strm
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "cli/command.h"

extern const struct cli_command produce_command;
extern const struct cli_command consume_command;
extern const struct cli_command tail_command;
extern const struct cli_command table_command;
extern const struct cli_command get_command;
extern const struct cli_command topic_command;
extern const struct cli_command inspect_command;
extern const struct cli_command verify_command;
extern const struct cli_command repair_command;
extern const struct cli_command roll_command;
extern const struct cli_command retain_command;
extern const struct cli_command trim_command;
extern const struct cli_command compact_command;
extern const struct cli_command maintain_command;
extern const struct cli_command replicate_rsync_command;
extern const struct cli_command diff_command;
extern const struct cli_command promote_command;
extern const struct cli_command fence_command;

#endif
