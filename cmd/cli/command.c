#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stream/parse.h>

#include "cli/signals.h"
#include "cli/table.h"

/* More sub-commands than any command will have. */
enum { SUB_COMMANDS = 64 };

/*
 * Open fd on /dev/null when it is closed: the wrong way round, so that a
 * read or write of it still fails.
 */
static void
occupy(int fd)
{
	int flags = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

	if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
		return;
	if (open("/dev/null", flags) != fd)
		_exit(CLI_SYSTEM);
}

void
cli_start(struct cli_context *context)
{
	const char *store = getenv("STRM_DIR");

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		occupy(fd);
	*context = (struct cli_context){.store = "."};
	if (store != NULL && store[0] != '\0')
		context->store = store;
}

const struct cli_command *
cli_find(const struct cli_command *parent, const char *word)
{
	for (size_t i = 0; parent->commands[i] != NULL; i++)
		if (strcmp(cli_table_word(parent->commands[i]), word) == 0)
			return parent->commands[i];
	return NULL;
}

enum cli_exit
cli_unknown(const struct cli_command *parent, const char *word)
{
	const char *names[SUB_COMMANDS], *near;
	size_t count = 0;

	while (count < SUB_COMMANDS && parent->commands[count] != NULL) {
		names[count] = cli_table_word(parent->commands[count]);
		count++;
	}
	near = stream_parse_nearest(word, names, count);
	if (near != NULL)
		return cli_usage(parent,
		    "unknown command \"%s\"; did you mean %s?", word, near);
	return cli_usage(parent, "unknown command \"%s\"", word);
}

enum cli_exit
cli_run(struct cli_context *context, const struct cli_command *command,
    int argc, char *argv[])
{
	const struct cli_command *sub;
	int first;

	if (command->commands == NULL) {
		cli_signals_init();
		return command->run(context, argc, argv);
	}
	first = cli_parse(context, command, NULL, argc, argv);
	if (first == argc)
		return cli_usage(command, "no command given");
	sub = cli_find(command, argv[first]);
	if (sub == NULL)
		return cli_unknown(command, argv[first]);
	return cli_run(context, sub, argc - first, argv + first);
}

int
cli_main(const struct cli_command *command, int argc, char *argv[])
{
	struct cli_context context;

	cli_start(&context);
	return (int)cli_finish(cli_run(&context, command, argc, argv));
}
