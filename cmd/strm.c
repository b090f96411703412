/*
 * strm.c - find the command and run it; nothing else is done here
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/help.h"
#include "commands.h"
#include "opening.h"
#include "program.h"

static const struct cli_command help_command;

/* What programs of their own do, beside strm. */
static const struct cli_command archive_program = {
    .name = "archive",
    .args = "ADDRESS... -o FILE",
    .summary = "Write closed segments to an archive.",
    .is_program = true,
};

static const struct cli_command restore_program = {
    .name = "restore",
    .args = "FILE [TOPIC[:PARTITIONS][@RANGE]...]",
    .summary = "Make topics from an archive.",
    .is_program = true,
};

static const struct cli_command *const commands[] = {
    &produce_command,
    &consume_command,
    &tail_command,
    &table_command,
    &get_command,
    &topic_command,
    &inspect_command,
    &verify_command,
    &repair_command,
    &roll_command,
    &retain_command,
    &trim_command,
    &compact_command,
    &maintain_command,
    &replicate_rsync_command,
    &diff_command,
    &archive_program,
    &restore_program,
    &promote_command,
    &fence_command,
    &help_command,
    NULL,
};

static const struct cli_command strm = {
    .args = "COMMAND [ARGUMENT...]",
    .summary = "Kafka's log as a Unix tool.",
    .commands = commands,
    .text = "\"strm help COMMAND\" tells about one command.  Any other "
	    "COMMAND runs the\nprogram strm-COMMAND from the PATH.\n",
};

/*
 * Become the program strm-WORD; argv[0] is the word.  Returns only when there
 * is none: then the word is a mistake.
 */
static enum cli_exit
run_program(struct cli_context *context, char *argv[])
{
	const char *word = argv[0];
	char name[256];
	int n = snprintf(name, sizeof(name), "strm-%s", word);

	if (strchr(word, '/') != NULL || word[0] == '\0' ||
	    n >= (int)sizeof(name))
		return cli_unknown(&strm, word);
	if (setenv("STRM_DIR", context->store, 1) != 0)
		return cli_complain(CLI_SYSTEM, NULL, "out of memory");
	argv[0] = name;
	program_become(name, argv);
	if (errno == ENOENT || errno == ENOTDIR || errno == EACCES)
		return cli_unknown(&strm, word);
	return cli_complain(CLI_SYSTEM, name, "%s", strerrordesc_np(errno));
}

/* What reads records takes archives too, with the program that can. */
static bool
reads_archives(const struct cli_command *command)
{
	static const struct cli_command *const readers[] = {&consume_command,
	    &tail_command, &table_command, &get_command, &inspect_command,
	    &verify_command, &diff_command};

	for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++)
		if (command == readers[i])
			return true;
	return false;
}

static bool
names_archive(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (argv[i][0] != '-' && opening_names_archive(argv[i]))
			return true;
	return false;
}

/* argv[0] is the command. */
static enum cli_exit
read_in_place(const struct cli_context *context, int argc, char *argv[])
{
	char **words = calloc((size_t)argc + 2, sizeof(*words));

	if (words == NULL || setenv("STRM_DIR", context->store, 1) != 0)
		return cli_complain(CLI_SYSTEM, NULL, "out of memory");
	words[0] = (char *)IN_PLACE_NAME;
	memcpy(words + 1, argv, (size_t)argc * sizeof(*words));
	program_become("strm-archive", words);
	return cli_complain(CLI_SYSTEM, NULL,
	    "strm-archive, which reads archives, cannot be run: %s",
	    strerrordesc_np(errno));
}

/* words are the program's and its own commands. */
static enum cli_exit
help_of_program(struct cli_context *context, int count, char *words[])
{
	char **argv = calloc((size_t)count + 2, sizeof(*argv));

	if (argv == NULL)
		return cli_complain(CLI_SYSTEM, NULL, "out of memory");
	memcpy(argv, words, (size_t)count * sizeof(*argv));
	argv[count] = (char[]){"--help"};
	return run_program(context, argv);
}

static enum cli_exit
run_help(struct cli_context *context, int argc, char *argv[])
{
	const struct cli_command *command = &strm;
	int at = cli_parse(context, &help_command, NULL, argc, argv);

	for (; at < argc; at++) {
		const struct cli_command *sub =
		    command->commands != NULL ? cli_find(command, argv[at])
					      : NULL;

		if (command == &strm && (sub == NULL || sub->is_program))
			return help_of_program(context, argc - at, argv + at);
		if (sub == NULL && command->commands != NULL)
			return cli_unknown(command, argv[at]);
		if (sub == NULL)
			return cli_usage(&help_command,
			    "unexpected argument \"%s\"", argv[at]);
		command = sub;
	}
	cli_help(command);
	return CLI_DONE;
}

static const struct cli_command help_command = {
    .name = "help",
    .args = "[COMMAND...]",
    .summary = "Print how a command is used.",
    .most = CLI_MANY,
    .run = run_help,
};

static enum cli_exit
dispatch(struct cli_context *context, int argc, char *argv[])
{
	const struct cli_command *command;
	int first = cli_parse(context, &strm, NULL, argc, argv);

	if (first == argc)
		return cli_usage(&strm, "no command given");
	command = cli_find(&strm, argv[first]);
	if (command == NULL || command->is_program)
		return run_program(context, argv + first);
	if (reads_archives(command) &&
	    names_archive(argc - first, argv + first))
		return read_in_place(context, argc - first, argv + first);
	return cli_run(context, command, argc - first, argv + first);
}

int
main(int argc, char *argv[])
{
	struct cli_context context;

	cli_start(&context);
	return (int)cli_finish(dispatch(&context, argc, argv));
}
