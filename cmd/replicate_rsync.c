/*
 * replicate_rsync.c - make one store a replica of another, with rsync
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/signals.h"
#include "commands.h"
#include "json_line.h"
#include "replicate.h"
#include "topic.h"

enum {
	/* What came and is not what was sent, or what was set aside, is dealt
	 * with by another run. */
	RUNS = 5
};

static const struct cli_option options[] = {
    {0, "include", "ADDRESS", CLI_LIST,
	offsetof(struct replicate_opts, include),
	"only this topic or these partitions of it"},
    {0, "exclude", "ADDRESS", CLI_LIST,
	offsetof(struct replicate_opts, exclude), "all but those"},
    {0, "bwlimit", "RATE", CLI_TEXT, offsetof(struct replicate_opts, bwlimit),
	"bytes a second at most, as rsync takes it (KiB, or with a suffix)"},
    {0, "verify", NULL, CLI_FLAG, offsetof(struct replicate_opts, verify),
	"read everything on both sides again and compare"},
    {0, "truncate", NULL, CLI_FLAG, offsetof(struct replicate_opts, truncate),
	"set aside what the replica holds and the source does not"},
    {0, "delete", NULL, CLI_FLAG, offsetof(struct replicate_opts, remove),
	"remove topics that are gone from the source"},
    {0, "follow", NULL, CLI_FLAG, offsetof(struct replicate_opts, follow),
	"go on with what is written later, until a signal"},
    {0, "status", NULL, CLI_FLAG, offsetof(struct replicate_opts, status),
	"only say who leads and how far the replica is behind"},
    {0, "ssh-config", "FILE", CLI_TEXT,
	offsetof(struct replicate_opts, ssh_config),
	"the configuration file for ssh"},
    {'N', "dry-run", NULL, CLI_FLAG, offsetof(struct replicate_opts, dry_run),
	"only say what would be moved"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct replicate_opts, json),
	"print JSON lines"},
    {0, "lock-timeout", "DURATION", CLI_DURATION,
	offsetof(struct replicate_opts, lock_timeout_ms),
	"wait so long for a lock"},
    {0, "if-unlocked", NULL, CLI_FLAG,
	offsetof(struct replicate_opts, if_unlocked),
	"do nothing while another run works on DEST"},
    {0, "allow-network-fs", NULL, CLI_FLAG,
	offsetof(struct replicate_opts, network),
	"also write to NFS, SMB and the like"},
    {0, "serve", NULL, CLI_FLAG, offsetof(struct replicate_opts, serve),
	NULL}, /* hidden: what ssh runs on the other machine */
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static enum cli_exit run_replicate(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command replicate_rsync_command = {
    .name = "replicate-rsync",
    .args = "SOURCE DEST",
    .summary = "Make a store a replica of another one, with rsync.",
    .least = 0,
    .most = 2,
    .options = options,
    .text = "SOURCE and DEST are directories; one of them may be on another "
	    "machine, as\nHOST:DIR, and is reached with ssh.\n",
    .run = run_replicate,
};

static void
forget(struct run *run)
{
	free(run->have);
	free(run->text);
	free(run->report);
	free(run->before);
	stream_manifest_free(run->manifest);
	stream_replica_arrival_free(run->arrival);
	run->arrival = NULL;
	run->have = run->text = run->report = run->before = NULL;
	run->manifest = NULL;
}

/* ---- one run ------------------------------------------------------------ */

static enum cli_exit
do_step(struct run *run, const struct side *side, enum side_step step,
    const char *input, char **output)
{
	struct side_request request = {
	    .step = step,
	    .of = run->of,
	    .id = run->id[0] == '\0' ? NULL : run->id,
	    .have = step == SIDE_APPLY ? run->have : NULL,
	    .input = input,
	    .arrival = run->arrival,
	};

	return side_do(side, &request, run->opts, output);
}

static enum cli_exit
parse(const char *text, struct stream_manifest **manifest)
{
	struct stream_error err;

	return stream_manifest_parse(text, manifest, &err) == STREAM_OK
		   ? CLI_DONE
		   : cli_report(NULL, &err);
}

static void
release(struct run *run)
{
	char *nothing = NULL;

	if (run->manifest != NULL)
		do_step(run, &run->source, SIDE_RELEASE,
		    stream_manifest_id(run->manifest), &nothing);
	free(nothing);
}

/* The replica names the run at its first step, and the source is told that it
 * is alive. */
static enum cli_exit
begin_run(struct run *run)
{
	struct stream_manifest *mine;
	enum cli_exit code;

	if (run->id[0] != '\0')
		return CLI_DONE;
	code = parse(run->have, &mine);
	if (code != CLI_DONE)
		return code;
	snprintf(run->id, sizeof(run->id), "%s", stream_manifest_id(mine));
	stream_manifest_free(mine);
	code = side_lock(&run->source, run->id, run->opts, &run->source_lock);
	/* A copy of a replica, made in the middle of a run, goes on with it. */
	if (code == CLI_BUSY && run->opts->if_unlocked)
		cli_complain(
		    code, run->source.word, "a run of the same id is at work");
	return code;
}

/* That what was chosen is there at first, is enough: --delete may remove it. */
static enum cli_exit
compare(struct run *run)
{
	struct stream_manifest *mine = NULL;
	enum cli_exit code = parse(run->have, &mine);

	if (code == CLI_DONE && !run->has_begun)
		code = replicate_check_chosen(run->opts, mine, run->manifest);
	run->has_begun = code == CLI_DONE;
	if (code == CLI_DONE && run->tell_lag != NULL)
		run->tell_lag(run, mine);
	stream_manifest_free(mine);
	return code;
}

/*
 * Files that came need not be held any more: what cannot be put in place is
 * chosen anew by the next round.  Before the apply, since the memory of those
 * copies then serves for what it writes.  New memory costs several times a copy
 * where a virtual machine has given it back to its host.
 */
static enum cli_exit
run_once(struct run *run)
{
	char *before = run->report;
	enum cli_exit code;

	run->report = NULL;
	forget(run);
	run->before = before;
	run->sum = (struct replicate_sum){.bytes = run->sum.bytes};
	code = do_step(run, &run->dest, SIDE_HAVE, "", &run->have);
	if (code == CLI_DONE)
		code = begin_run(run);
	if (code == CLI_DONE)
		code = do_step(
		    run, &run->source, SIDE_PREPARE, run->have, &run->text);
	if (code == CLI_DONE)
		code = parse(run->text, &run->manifest);
	if (code == CLI_DONE)
		code = compare(run);
	if (code == CLI_DONE)
		code = replicate_hear_rsync(run);
	if (code == CLI_DONE)
		code = replicate_move(run);
	if (code == CLI_DONE) {
		release(run);
		code = do_step(
		    run, &run->dest, SIDE_APPLY, run->text, &run->report);
	}
	if (code == CLI_DONE)
		replicate_show(&run->out, run->context, run->opts, run->report,
		    run->before, &run->sum);
	return code;
}

enum cli_exit
replicate_run(struct run *run)
{
	enum cli_exit code = CLI_DONE;

	for (int i = 0; i < RUNS && cli_signals_pending() == 0; i++) {
		code = run_once(run);
		if (code != CLI_DONE ||
		    run->sum.truncated + run->sum.resend == 0)
			break;
	}
	if (code != CLI_DONE)
		return code;
	if (run->sum.resend > 0)
		cli_complain(CLI_PARTLY, NULL,
		    "%llu partitions changed while they were read, again and "
		    "again",
		    (unsigned long long)run->sum.resend);
	if (run->sum.truncated > 0)
		cli_complain(CLI_PARTLY, NULL,
		    "%llu partitions were cut, and what the source holds is "
		    "not there yet: run it again",
		    (unsigned long long)run->sum.truncated);
	if (run->sum.failed + run->sum.resend + run->sum.truncated > 0)
		return CLI_PARTLY;
	return run->sum.diverged > 0 ? CLI_NO : CLI_DONE;
}

/* Then it is not "partly done". */
static bool
is_all_damaged(const struct replicate_sum *sum)
{
	return sum->damaged > 0 && sum->damaged == sum->failed &&
	       sum->partitions + sum->diverged + sum->resend == 0;
}

void
replicate_print_sum(struct json_line *json, const struct replicate_sum *sum)
{
	line_uint(json, "partitions", sum->partitions);
	line_uint(json, "failed", sum->failed + sum->resend);
	line_uint(json, "diverged", sum->diverged);
	line_uint(json, "bytes", sum->bytes);
	line_uint(json, "topics_kept", sum->kept);
	line_uint(json, "topics_removed", sum->removed);
}

void
replicate_summarize(struct run *run)
{
	struct json_line json = {.out = &run->out};

	if (run->opts->json) {
		line_begin(&json, "summary");
		replicate_print_sum(&json, &run->sum);
		line_end(&json);
	} else if (!run->context->quiet) {
		cli_out_format(&run->out,
		    "%llu %s the replica, %llu bytes moved\n",
		    (unsigned long long)run->sum.partitions,
		    run->sum.partitions == 1 ? "partition is as at"
					     : "partitions are as at",
		    (unsigned long long)run->sum.bytes);
	}
}

/* ---- looking ------------------------------------------------------------ */

static enum cli_exit
look(struct run *run)
{
	bool status = run->opts->status;
	struct stream_manifest *mine = NULL;
	enum cli_exit code =
	    do_step(run, &run->dest, SIDE_LOOK, "", &run->have);

	if (code == CLI_DONE)
		code = parse(run->have, &mine);
	/* What would be made by a run has no time of its own. */
	if (code == CLI_DONE && status && stream_manifest_time(mine) == 0)
		code = cli_complain(
		    CLI_NOT_FOUND, run->dest.word, "there is no such store");
	if (code == CLI_DONE)
		code = do_step(run, &run->source,
		    status ? SIDE_STATUS : SIDE_PLAN, run->have, &run->text);
	if (code == CLI_DONE)
		code = parse(run->text, &run->manifest);
	if (code == CLI_DONE)
		code = replicate_check_chosen(run->opts, mine, run->manifest);
	if (code == CLI_DONE && status)
		code = replicate_show_status(
		    &run->out, run->opts, mine, run->manifest);
	else if (code == CLI_DONE)
		code = replicate_show_plan(
		    &run->out, run->opts, mine, run->manifest);
	stream_manifest_free(mine);
	return code;
}

/* ---- the command -------------------------------------------------------- */

/* Before a destination is made.  A source on another machine need not be asked
 * when there is one: the run's first step there says the same. */
static enum cli_exit
check_source(struct run *run)
{
	char *nothing = NULL;
	enum cli_exit code = CLI_DONE;

	if (run->source.host == NULL || access(run->dest.path, F_OK) != 0)
		code = do_step(run, &run->source, SIDE_CHECK, "", &nothing);
	free(nothing);
	return code;
}

/* A path of this machine is told on another one with the name of this. */
static int
name_source(struct run *run, struct stream_error *err)
{
	char host[HOST_NAME_MAX + 1] = "";
	char *path = NULL;

	if (run->source.host == NULL && run->dest.host != NULL &&
	    gethostname(host, sizeof(host) - 1) == 0)
		path = realpath(run->source.path, NULL);
	if (path == NULL)
		run->of = strdup(run->source.word);
	else if (asprintf(&run->of, "%s:%s", host, path) < 0)
		run->of = NULL;
	free(path);
	return run->of != NULL ? STREAM_OK
			       : cli_fail(err, STREAM_ENOMEM, "out of memory");
}

static enum cli_exit
take_sides(struct run *run, char *argv[])
{
	struct stream_error err;

	if (side_parse(argv[0], &run->source, &err) != STREAM_OK ||
	    side_parse(argv[1], &run->dest, &err) != STREAM_OK)
		return err.status == STREAM_EUSAGE
			   ? cli_usage(&replicate_rsync_command, "%s", err.text)
			   : cli_report(NULL, &err);
	if (run->source.host != NULL && run->dest.host != NULL)
		return cli_usage(&replicate_rsync_command,
		    "SOURCE or DEST must be a directory of this machine");
	if (run->opts->follow && (run->opts->status || run->opts->dry_run))
		return cli_usage(&replicate_rsync_command,
		    "--follow does not go with --status or --dry-run");
	if (side_check_apart(&run->source, &run->dest) != CLI_DONE)
		return CLI_USAGE;
	if (name_source(run, &err) != STREAM_OK)
		return cli_report(NULL, &err);
	return check_source(run);
}

static enum cli_exit
replicate_alone(struct run *run)
{
	enum cli_exit code =
	    side_lock(&run->dest, NULL, run->opts, &run->dest_lock);

	if (code == CLI_BUSY && run->opts->if_unlocked) {
		cli_note(run->context, run->dest.word,
		    "another run replicates to it: nothing is done");
		return CLI_DONE;
	}
	if (code != CLI_DONE)
		return code;
	if (run->opts->follow) {
		code = replicate_follow(run);
	} else {
		code = replicate_run(run);
		if (run->report != NULL)
			replicate_summarize(run);
		if (code == CLI_PARTLY && is_all_damaged(&run->sum))
			code = CLI_DAMAGED;
	}
	side_unlock(&run->source_lock);
	side_unlock(&run->dest_lock);
	return code;
}

static enum cli_exit
replicate(struct run *run, char *argv[])
{
	struct stream_error err;
	enum cli_exit code = take_sides(run, argv);

	if (code != CLI_DONE)
		return code;
	if (cli_out_open(&run->out, STDOUT_FILENO, false, &err) != STREAM_OK)
		return cli_report(NULL, &err);
	if (run->opts->status || run->opts->dry_run) {
		code = look(run);
	} else {
		code = replicate_ask_rsync(run);
		if (code == CLI_DONE)
			code = replicate_alone(run);
		rsync_answer(&run->question, &run->bare, NULL);
	}
	return topic_close_out(&run->out, code);
}

static enum cli_exit
run_replicate(struct cli_context *context, int argc, char *argv[])
{
	struct replicate_opts opts = {
	    .lock_timeout_ms = STREAM_LOCK_TIMEOUT_MS, .context = context};
	struct run run = {.context = context, .opts = &opts};
	int first =
	    cli_parse(context, &replicate_rsync_command, &opts, argc, argv);
	enum cli_exit code;

	if (opts.serve)
		code = side_serve();
	else if (argc - first != 2)
		code =
		    cli_usage(&replicate_rsync_command, "give SOURCE and DEST");
	else
		code = replicate(&run, argv + first);
	forget(&run);
	free(run.of);
	side_release(&run.source);
	side_release(&run.dest);
	cli_release(&replicate_rsync_command, &opts);
	cli_signals_raise();
	return code;
}
