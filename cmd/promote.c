/*
 * promote.c - a replica becomes the leader
 */
#include <stream/role.h>

#include "cli/signals.h"
#include "commands.h"
#include "json_line.h"
#include "topic.h"

struct promote_opts {
	bool dry_run;
	bool json;
	struct topic_write_opts write;
};

static const struct cli_option options[] = {
    {'N', "dry-run", NULL, CLI_FLAG, offsetof(struct promote_opts, dry_run),
	"only say what would be done"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct promote_opts, json),
	"print JSON lines"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static const struct cli_group groups[] = {
    {topic_write_options, offsetof(struct promote_opts, write)},
    {NULL, 0},
};

static enum cli_exit run_promote(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command promote_command = {
    .name = "promote",
    .args = "STORE",
    .summary = "Make a replica the leader.",
    .least = 1,
    .most = 1,
    .options = options,
    .groups = groups,
    .text = "Each partition gets a new leader epoch, by which the old leader "
	    "is refused when\nit comes back.  Fence that one first, where it "
	    "can be reached: strm fence.\n",
    .run = run_promote,
};

struct run {
	const struct promote_opts *opts;
	bool is_silent; /* no report */
	const char *store;
	struct cli_out out;
};

/* In a run, each epoch is durable by now. */
static void
tell(void *context, const char *topic, int32_t partition,
    const struct stream_role_epoch *epoch)
{
	struct run *run = context;
	struct json_line json = {.out = &run->out};

	if (run->is_silent)
		return;
	if (!run->opts->json) {
		cli_out_format(&run->out, "%s-%d: %s %d %s offset %lld\n",
		    topic, partition,
		    run->opts->dry_run ? "would begin leader epoch"
				       : "leader epoch",
		    epoch->epoch, run->opts->dry_run ? "at" : "begins at",
		    (long long)epoch->start_offset);
		return;
	}
	line_begin(&json, "epoch");
	line_text(&json, "topic", topic);
	line_int(&json, "partition", partition);
	line_int(&json, "leader_epoch", epoch->epoch);
	line_int(&json, "start_offset", epoch->start_offset);
	line_int(&json, "log_end_offset", epoch->end_offset);
	line_end(&json);
}

/* The last line says whether it came to an end. */
static void
tell_end(struct run *run)
{
	struct json_line json = {.out = &run->out};

	if (run->is_silent)
		return;
	if (!run->opts->json) {
		cli_out_format(&run->out, "%s: %s\n", run->store,
		    run->opts->dry_run ? "would be the leader"
				       : "is the leader now");
		return;
	}
	line_begin(&json, "promote");
	line_text(&json, "store", run->store);
	line_bool(&json, "promoted", !run->opts->dry_run);
	line_end(&json);
}

static enum cli_exit
promote(struct run *run)
{
	const struct promote_opts *opts = run->opts;
	unsigned flags = STREAM_STORE_WRITE | STREAM_STORE_REPLICA;
	struct stream_store *store;
	struct stream_error err;
	int status;

	if (opts->write.network)
		flags |= STREAM_STORE_NETWORK;
	status = stream_store_open(run->store, opts->dry_run ? 0 : flags,
	    (int)opts->write.lock_timeout_ms, &store, &err);
	if (status != STREAM_OK)
		return topic_report(&err);
	status = stream_role_promote(store, opts->dry_run, tell, run, &err);
	stream_store_close(store);
	if (status != STREAM_OK)
		return topic_report(&err);
	tell_end(run);
	return CLI_DONE;
}

static enum cli_exit
run_promote(struct cli_context *context, int argc, char *argv[])
{
	struct promote_opts opts = {.write = TOPIC_WRITE_DEFAULTS};
	int first = cli_parse(context, &promote_command, &opts, argc, argv);
	struct run run = {.opts = &opts, .store = argv[first]};
	struct stream_error err;
	enum cli_exit code;

	run.is_silent = context->quiet && !opts.json && !opts.dry_run;
	if (cli_out_open(&run.out, 1, false, &err) != STREAM_OK)
		return topic_report(&err);
	code = topic_close_out(&run.out, promote(&run));
	cli_signals_raise();
	return code;
}
