#include "cli/help.h"

#include <string.h>

#include "cli/table.h"

enum { INDENT = 26, WIDTH = 79 };

/* The words of the command line that lead to command. */
static void
print_name(const struct cli_command *command, FILE *to)
{
	fprintf(to, "strm%s%s", command->name != NULL ? " " : "",
	    command->name != NULL ? command->name : "");
}

void
cli_help_synopsis(const struct cli_command *command, FILE *to)
{
	fputs("usage: ", to);
	print_name(command, to);
	fprintf(to, " [OPTION]...%s%s\n", command->args[0] != '\0' ? " " : "",
	    command->args);
}

/* text from column on, in lines of WIDTH. */
static void
print_wrapped(const char *text, size_t column)
{
	size_t at = column;

	for (; at < INDENT; at++)
		putchar(' ');
	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (at > INDENT && at + 1 + n > WIDTH) {
			printf("\n%*s", INDENT, "");
			at = INDENT;
		} else if (at > INDENT) {
			putchar(' ');
			at++;
		}
		fwrite(text, 1, n, stdout);
		at += n;
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

/* left in its column, or on a line of its own when it is too long. */
static void
print_pair(const char *left, const char *text)
{
	size_t n = strlen(left);

	fputs(left, stdout);
	if (n + 2 > INDENT) {
		putchar('\n');
		n = 0;
	}
	print_wrapped(text, n);
}

static void
print_option(const struct cli_option *option)
{
	char left[128];
	int n;

	if (option->letter != 0)
		n = snprintf(left, sizeof(left), "  -%c, ", option->letter);
	else
		n = snprintf(left, sizeof(left), "      ");
	snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", option->name,
	    option->arg != NULL ? " " : "",
	    option->arg != NULL ? option->arg : "");
	print_pair(left, option->help);
}

static const struct cli_command *const *
subs_of(const struct cli_command *command)
{
	return command->commands != NULL ? command->commands : command->besides;
}

static void
print_commands(const struct cli_command *command)
{
	const struct cli_command *const *sub = subs_of(command);

	if (sub == NULL)
		return;
	puts("\nCommands:");
	for (; *sub != NULL; sub++) {
		char left[64];

		snprintf(left, sizeof(left), "  %s", cli_table_word(*sub));
		print_pair(left, (*sub)->summary);
	}
}

void
cli_help(const struct cli_command *command)
{
	struct cli_row rows[CLI_ROWS];
	size_t count = cli_table_rows(command, NULL, NULL, NULL, rows);

	cli_help_synopsis(command, stdout);
	printf("%s\n", command->summary);
	print_commands(command);
	puts("\nOptions:");
	for (size_t i = 0; i < count; i++)
		if (rows[i].option->help != NULL)
			print_option(rows[i].option);
	if (command->text != NULL)
		printf("\n%s", command->text);
}

void
cli_help_version(void)
{
	puts("strm " STRM_VERSION);
}

static const char *
kind_name(enum cli_kind kind)
{
	static const char *const names[] = {
	    [CLI_FLAG] = "flag",
	    [CLI_TEXT] = "text",
	    [CLI_COUNT] = "count",
	    [CLI_INT] = "int",
	    [CLI_SIZE] = "size",
	    [CLI_DURATION] = "duration",
	    [CLI_LIST] = "list",
	    [CLI_CHOICE] = "choice",
	    [CLI_DELIMITER] = "delimiter",
	};

	return names[kind];
}

/* One line: after the command's name, these fields. */
static void
dump(const struct cli_command *command, char letter, const char *name,
    const char *arg, const char *kind, const char *help)
{
	print_name(command, stdout);
	printf("\t%c\t%s\t%s\t%s\t%s\n", letter != 0 ? letter : '-', name,
	    arg != NULL && arg[0] != '\0' ? arg : "-", kind, help);
}

void
cli_help_dump(const struct cli_command *command)
{
	const struct cli_command *const *sub = subs_of(command);
	struct cli_row rows[CLI_ROWS];
	size_t count = cli_table_rows(command, NULL, NULL, NULL, rows);

	dump(command, 0, "-", command->args, "arguments", command->summary);
	for (; sub != NULL && *sub != NULL; sub++)
		dump(command, 0, cli_table_word(*sub), (*sub)->args, "command",
		    (*sub)->summary);
	for (size_t i = 0; i < count; i++) {
		const struct cli_option *option = rows[i].option;

		if (option->help != NULL)
			dump(command, option->letter, option->name, option->arg,
			    kind_name(option->kind), option->help);
	}
}
