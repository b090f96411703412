/*
 * fence.c - nobody writes to a store any more
 */
#include <stdio.h>
#include <stdlib.h>

#include <stream/role.h>

#include "cli/signals.h"
#include "commands.h"
#include "json_line.h"
#include "replicate.h"
#include "topic.h"

struct fence_opts {
	const char *reason;
	bool lift;
	bool json;
	const char *ssh_config;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {0, "reason", "TEXT", CLI_TEXT, offsetof(struct fence_opts, reason),
	"why, for those who are refused"},
    {0, "lift", NULL, CLI_FLAG, offsetof(struct fence_opts, lift),
	"take the fence away"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct fence_opts, json),
	"print a JSON line"},
    {0, "ssh-config", "FILE", CLI_TEXT, offsetof(struct fence_opts, ssh_config),
	"the configuration file for ssh"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {topic_write_options, offsetof(struct fence_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_fence(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command fence_command = {
    .name = "fence",
    .args = "STORE|HOST:DIR",
    .summary = "Stop all writers of a store that leads no more.",
    .least = 1,
    .most = 1,
    .options = options,
    .groups = groups,
    .text = "Writers that run stop at their next append; what they had "
	    "acknowledged stays.\nThe store can still be read, and be "
	    "replicated from.\n",
    .run = run_fence,
};

static enum cli_exit
tell(const struct cli_context *context, const struct fence_opts *opts,
    const char *path, bool was)
{
	struct stream_error err;
	struct json_line json;
	struct cli_out out;

	if (!opts->json) {
		if (opts->lift)
			cli_note(context, path, "%s",
			    was ? "is fenced no more" : "was not fenced");
		else
			cli_note(context, path, "is fenced%s",
			    was ? ", as it was before" : "");
		return CLI_DONE;
	}
	if (cli_out_open(&out, 1, false, &err) != STREAM_OK)
		return topic_report(&err);
	json.out = &out;
	line_begin(&json, "fence");
	line_text(&json, "store", path);
	line_bool(&json, "fenced", !opts->lift);
	line_bool(&json, "was_fenced", was);
	if (!opts->lift)
		line_text(&json, "reason", opts->reason);
	line_end(&json);
	return topic_close_out(&out, CLI_DONE);
}

/* A replica can be fenced, and a store that is fenced for another reason. */
static enum cli_exit
fence_here(const struct cli_context *context, const struct fence_opts *opts,
    const char *path)
{
	unsigned flags =
	    STREAM_STORE_WRITE | STREAM_STORE_REPLICA | STREAM_STORE_FENCED;
	struct stream_store *store;
	struct stream_error err;
	bool was;
	int status;

	if (opts->write.network)
		flags |= STREAM_STORE_NETWORK;
	status = stream_store_open(
	    path, flags, (int)opts->write.lock_timeout_ms, &store, &err);
	if (status != STREAM_OK)
		return topic_report(&err);
	status = opts->lift
		     ? stream_role_lift(store, &was, &err)
		     : stream_role_fence(store, opts->reason, &was, &err);
	stream_store_close(store);
	if (status != STREAM_OK)
		return cli_report(path, &err);
	return tell(context, opts, path, was);
}

/* A word as a shell reads it back: the other side's is the only one that does.
 */
static void
put_word(FILE *line, const char *word)
{
	fputs(" '", line);
	for (; *word != '\0'; word++)
		if (*word == '\'')
			fputs("'\\''", line);
		else
			fputc(*word, line);
	fputc('\'', line);
}

/* The command there; NULL: no memory. */
static char *
make_line(const struct cli_context *context, const struct fence_opts *opts,
    const char *path)
{
	char *text = NULL;
	size_t size;
	FILE *line = open_memstream(&text, &size);

	if (line == NULL)
		return NULL;
	fprintf(line, "strm fence --lock-timeout=%lldms%s%s%s%s",
	    (long long)opts->write.lock_timeout_ms, opts->lift ? " --lift" : "",
	    opts->json ? " -J" : "", context->quiet ? " -q" : "",
	    opts->write.network ? " --allow-network-fs" : "");
	if (!opts->lift) {
		fputs(" --reason", line);
		put_word(line, opts->reason);
	}
	fputs(" --", line);
	put_word(line, path);
	if (fclose(line) == 0)
		return text;
	free(text);
	return NULL;
}

static enum cli_exit
judge(const char *host, int code)
{
	if (code == 0)
		return CLI_DONE;
	if (code == 126 || code == 127)
		return cli_complain(CLI_REMOTE, host, "cannot run strm there");
	if (code > CLI_REMOTE)
		return cli_complain(CLI_REMOTE, host,
		    "cannot be reached: ssh failed (exit %d)", code);
	return cli_complain(
	    CLI_REMOTE, host, "strm fence failed there (exit %d)", code);
}

static enum cli_exit
run_there(const struct fence_opts *opts, const char *host, char *line)
{
	struct replicate_opts ssh = {.ssh_config = opts->ssh_config};
	char *argv[SIDE_SSH_WORDS] = {NULL};
	char *said = NULL;
	struct child_io io = {.output = &said};
	struct stream_error err;
	struct cli_out out;
	size_t n = side_ssh(&ssh, argv);
	int code;

	argv[n++] = (char *)"--";
	argv[n++] = (char *)host;
	argv[n] = line;
	if (child_run(argv, &io, &code, &err) != STREAM_OK) {
		cli_report(NULL, &err);
		return CLI_REMOTE;
	}
	if (cli_out_open(&out, 1, false, &err) != STREAM_OK) {
		free(said);
		return topic_report(&err);
	}
	cli_out_text(&out, said);
	free(said);
	return topic_close_out(&out, judge(host, code));
}

static enum cli_exit
fence_there(const struct cli_context *context, const struct fence_opts *opts,
    const struct side *side)
{
	char *line = make_line(context, opts, side->path);
	enum cli_exit code;

	if (line == NULL)
		return cli_complain(CLI_SYSTEM, NULL, "out of memory");
	code = run_there(opts, side->host, line);
	free(line);
	return code;
}

static enum cli_exit
check(const struct fence_opts *opts)
{
	if (opts->lift && opts->reason != NULL)
		return cli_usage(&fence_command, "--lift takes no --reason");
	if (!opts->lift && opts->reason == NULL)
		return cli_usage(&fence_command,
		    "give the --reason, for those who are refused");
	return CLI_DONE;
}

static enum cli_exit
run_fence(struct cli_context *context, int argc, char *argv[])
{
	struct fence_opts opts = {.write = TOPIC_WRITE_DEFAULTS};
	int first = cli_parse(context, &fence_command, &opts, argc, argv);
	struct side side;
	struct stream_error err;
	enum cli_exit code = check(&opts);

	if (code != CLI_DONE)
		return code;
	if (side_parse(argv[first], &side, &err) != STREAM_OK)
		return cli_report(NULL, &err);
	code = side.host != NULL ? fence_there(context, &opts, &side)
				 : fence_here(context, &opts, side.path);
	side_release(&side);
	cli_signals_raise();
	return code;
}
