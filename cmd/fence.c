/*
 * fence.c - nobody writes to a store any more
 */
#include <stdio.h>
#include <string.h>

#include <stream/role.h>

#include "cli/signals.h"
#include "commands.h"
#include "json_line.h"
#include "remote.h"
#include "topic.h"

struct fence_opts {
	const char *reason;
	bool lift;
	bool json;
	struct remote_ssh ssh;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {0, "reason", "TEXT", CLI_TEXT, offsetof(struct fence_opts, reason),
	"why, for those who are refused"},
    {0, "lift", NULL, CLI_FLAG, offsetof(struct fence_opts, lift),
	"take the fence away"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct fence_opts, json),
	"print a JSON line"},
    {0, "ssh-config", "FILE", CLI_TEXT, offsetof(struct fence_opts, ssh.config),
	"configuration file of ssh"},
    {0, "strm-path", "PROGRAM", CLI_TEXT,
	offsetof(struct fence_opts, ssh.program),
	"what strm is called on the other host"},
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

static enum cli_exit
fence_there(const struct cli_context *context, const struct fence_opts *opts,
    const struct remote_place *place)
{
	char timeout[48];
	const char *words[12] = {"fence"};
	size_t n = 1;
	struct stream_error err;
	int code;

	snprintf(timeout, sizeof(timeout), "--lock-timeout=%lldms",
	    (long long)opts->write.lock_timeout_ms);
	words[n++] = timeout;
	if (opts->lift) {
		words[n++] = "--lift";
	} else {
		words[n++] = "--reason";
		words[n++] = opts->reason;
	}
	if (opts->json)
		words[n++] = "--json";
	if (context->quiet)
		words[n++] = "--quiet";
	if (opts->write.network)
		words[n++] = "--allow-network-fs";
	words[n++] = "--";
	words[n] = place->path;
	if (remote_run(&opts->ssh, place->host, words, &code, &err) !=
	    STREAM_OK) {
		cli_report(NULL, &err);
		return CLI_REMOTE;
	}
	if (code == 0)
		return CLI_DONE;
	return cli_complain(CLI_REMOTE, place->host,
	    "strm fence failed there with exit status %d", code);
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
	struct remote_place place;
	struct stream_error err;
	enum cli_exit code = check(&opts);

	if (code != CLI_DONE)
		return code;
	if (remote_parse(argv[first], &place, &err) != STREAM_OK)
		return cli_report(NULL, &err);
	code = place.is_remote ? fence_there(context, &opts, &place)
			       : fence_here(context, &opts, place.path);
	cli_signals_raise();
	return code;
}
