/*
 * cli/options.h - one table per tool gives parsing, help and completion
 *
 * A tool fills its options struct with defaults, calls cli_parse(), reads
 * the struct, and calls cli_release() when it is done:
 *
 *	struct roll_opts { bool dry; uint64_t count; };
 *
 *	static const struct cli_option options[] = {
 *		{ 'N', "dry-run", NULL, CLI_FLAG,
 *		    offsetof(struct roll_opts, dry), "only say what" },
 *		{ 'n', "count", "N", CLI_COUNT,
 *		    offsetof(struct roll_opts, count), "stop after N" },
 *		{ 0, NULL, NULL, CLI_FLAG, 0, NULL },
 *	};
 *
 * Every command also takes -C, -q, -v (into struct cli_context), -h, --help
 * and --version; a command with sub-commands takes no -q and -v itself.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/record.h>

#include "cli/context.h"
#include "cli/message.h"

/* What an option's argument is, and the type of the member it fills. */
enum cli_kind {
	CLI_FLAG,     /* bool: no argument; true when given */
	CLI_TEXT,     /* const char *: borrowed from argv */
	CLI_COUNT,    /* uint64_t: 0 to INT64_MAX */
	CLI_INT,      /* int64_t */
	CLI_SIZE,     /* int64_t: bytes, "64KiB" */
	CLI_DURATION, /* int64_t: milliseconds, "1m30s" */
	CLI_LIST,     /* struct cli_list: every time it is given adds one */
	CLI_CHOICE,   /* int: which word of arg ("one|two"), from 0 */
	CLI_DELIMITER /* struct stream_bytes: escapes replaced, not empty */
};

struct cli_option {
	char letter;      /* 0: none */
	const char *name; /* the long form; NULL ends a table */
	const char *arg;  /* its argument's name; NULL for a flag only */
	enum cli_kind kind;
	size_t offset;    /* of the member in the options struct */
	const char *help; /* a few words, lower case, no full stop */
};

/* Texts borrowed from argv, in the order given.  Zero it before parsing. */
struct cli_list {
	const char **items; /* owned; cli_release() frees */
	size_t count;
};

/*
 * Options that several tools share: the struct that they fill is a member of
 * each tool's own, at offset.  options of NULL ends a table of groups.
 */
struct cli_group {
	const struct cli_option *options;
	size_t offset;
};

/* cli_command.most when any number of arguments will do. */
enum { CLI_MANY = INT_MAX };

/* Write it with designated initialisers; what is left out is none. */
struct cli_command {
	const char *name;    /* all words after "strm": "topic create" */
	const char *args;    /* for the synopsis: "TOPIC [FILE...]" */
	const char *summary; /* one line, with capital and full stop */
	int least;           /* arguments that must be there */
	int most;            /* and that may be there; or CLI_MANY */
	const struct cli_option *options; /* NULL: none of its own */
	const struct cli_group *groups;   /* NULL: none */
	const char *text; /* more help, whole lines; NULL: none */
	const struct cli_command *const *commands; /* ends with NULL */
	/* Sub-commands of one that does something without them too.  Only
	 * told of: its program finds them. */
	const struct cli_command *const *besides; /* ends with NULL */
	/* The program strm-NAME has it, with its help and options. */
	bool is_program;

	/* Does the work.  argv[0] is the command's last word.  NULL when
	 * there are sub-commands. */
	enum cli_exit (*run)(
	    struct cli_context *context, int argc, char *argv[]);
};

/* What cli_options_take() found. */
enum cli_found {
	CLI_FOUND_OPTIONS, /* all is well */
	CLI_FOUND_HELP,    /* -h or --help */
	CLI_FOUND_VERSION, /* --version */
	CLI_FOUND_DUMP,    /* --cli-dump */
	CLI_FOUND_WRONG    /* the line is wrong; *err says how */
};

/*
 * Fill *opts and *context from argv.  Reorders argv (never what follows
 * "--", nor, for a command with sub-commands, what follows the first
 * argument); *first is the first that is not an option.  Prints nothing.
 * Whatever it returns, cli_release() must follow.
 */
enum cli_found cli_options_take(struct cli_context *context,
    const struct cli_command *command, void *opts, int argc, char *argv[],
    int *first, struct stream_error *err);

/*
 * The same for a tool: carries out --help, --version and --cli-dump and
 * exits 0; a wrong line gives a message, the synopsis and exit 2.  Returns
 * the index of the first argument.
 */
int cli_parse(struct cli_context *context, const struct cli_command *command,
    void *opts, int argc, char *argv[]);

/* Free what parsing allocated in *opts: lists and delimiters.  *opts may be
 * released twice. */
void cli_release(const struct cli_command *command, void *opts);

/* Say what is wrong with the command line, print the synopsis, and return
 * CLI_USAGE. */
__attribute__((format(printf, 2, 3))) enum cli_exit cli_usage(
    const struct cli_command *command, const char *format, ...);

#endif
