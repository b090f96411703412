/*
 * archive_commands.h - the commands of strm-archive, and what they share
 */
#ifndef ARCHIVE_COMMANDS_H
#define ARCHIVE_COMMANDS_H

#include "cli/command.h"
#include "cli/progress.h"
#include "port/archive_index.h"

extern const struct cli_command archive_command;
extern const struct cli_command archive_ls_command;
extern const struct cli_command archive_verify_command;
extern const struct cli_command restore_command;

/* Run the command argv[0] of strm, some of whose words name archives: main()'s
 * exit status. */
int archive_in_place(int argc, char *argv[]);

/* A time limit as the library takes it. */
int archive_timeout(int64_t ms);

/* An archive that is read: a file, or standard input. */
struct archive_input {
	const struct cli_context *context;
	const char *name; /* "-" is "standard input" here */
	int fd;           /* -1: not open */
	struct cli_progress progress;
	bool is_quiet; /* shows none any more */
	uint64_t read;
	struct stream_archive_options options;
};

/* Open path (borrowed); "-" is standard input.  max_bytes 0: the default.  What
 * the library takes is in input->options, which shows progress and stops when
 * told to.  Close it whatever this returns. */
int archive_input_open(struct archive_input *input,
    const struct cli_context *context, const char *path, uint64_t max_bytes,
    struct stream_error *err);
/* Take all of it, a pipe, to a file without a name in the current directory,
 * and read that.  STREAM_EIO, STREAM_EINTR, STREAM_ENOMEM. */
int archive_input_spool(struct archive_input *input, struct stream_error *err);
void archive_input_close(struct archive_input *input);

#endif
