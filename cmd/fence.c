/*
 * fence.c - nobody writes to a store any more
 */
#include <stdlib.h>
#include <string.h>

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
int
fence_step(const char *path, const char *reason,
    const struct stream_replica_options *how, char **output,
    struct stream_error *err)
{
	unsigned flags =
	    STREAM_STORE_WRITE | STREAM_STORE_REPLICA | STREAM_STORE_FENCED;
	struct stream_store *store;
	struct stream_error why;
	bool was = false;
	int status;

	if (how->network)
		flags |= STREAM_STORE_NETWORK;
	/* A slip in the path must not look like a store that is fenced. */
	status = stream_replica_check_source(path, err);
	if (status == STREAM_OK)
		status = stream_store_open(
		    path, flags, how->lock_timeout_ms, &store, err);
	if (status != STREAM_OK)
		return status;
	status = reason == NULL ? stream_role_lift(store, &was, &why)
				: stream_role_fence(store, reason, &was, &why);
	stream_store_close(store);
	if (status != STREAM_OK)
		return cli_fail(err, why.status, "%s: %s", path, why.text);
	*output = strdup(was ? FENCE_WAS "1" : FENCE_WAS "0");
	return *output != NULL ? STREAM_OK
			       : cli_fail(err, STREAM_ENOMEM, "out of memory");
}

static enum cli_exit
fence(const struct cli_context *context, const struct fence_opts *opts,
    const struct side *side)
{
	struct replicate_opts how = {
	    .ssh_config = opts->ssh_config,
	    .lock_timeout_ms = opts->write.lock_timeout_ms,
	    .network = opts->write.network,
	};
	struct side_request request = {
	    .step = opts->lift ? SIDE_LIFT : SIDE_FENCE,
	    .input = opts->lift ? "" : opts->reason,
	};
	char *was = NULL;
	enum cli_exit code = side_do(side, &request, &how, &was);

	if (code == CLI_DONE)
		code = tell(context, opts, side->word,
		    strstr(was, FENCE_WAS "1") != NULL);
	free(was);
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
	code = fence(context, &opts, &side);
	side_release(&side);
	cli_signals_raise();
	return code;
}
