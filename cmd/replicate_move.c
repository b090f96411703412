/*
 * replicate_move.c - rsync moves the files of a run
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/progress.h"
#include "replicate.h"

enum {
	RSYNC_WORDS = 40,
	RSYNC_VANISHED = 24, /* its exit status when a file was gone */
	RSYNC_PARTIAL = 23,
	RSYNC_NO_FILE = 11 /* an error in reading or writing one */
};

/* ---- its arguments ------------------------------------------------------ */

/* rsync takes the command for -e apart by blanks, and quotes keep them: a quote
 * within is written twice. */
static char *
put_rsh(const struct replicate_opts *opts)
{
	char *words[16];
	char *text = NULL;
	size_t size;
	size_t count = side_ssh(opts, words);
	FILE *to = open_memstream(&text, &size);

	for (size_t i = 0; i < count && to != NULL; i++) {
		fputs(i == 0 ? "'" : " '", to);
		for (const char *c = words[i]; *c != '\0'; c++) {
			if (*c == '\'')
				fputc('\'', to);
			fputc(*c, to);
		}
		fputc('\'', to);
	}
	if (to == NULL || fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* A part of a path up to a '/'.  The rsync that a path is told to looks for
 * names that match it, and takes a backslash for what it is where nothing is to
 * be matched. */
static const char *
put_part(FILE *to, const char *part)
{
	size_t size = strcspn(part, "/");
	bool matches = strcspn(part, "*?[") < size;

	for (size_t i = 0; i < size; i++) {
		if (matches && strchr("*?[\\", part[i]) != NULL)
			fputc('\\', to);
		fputc(part[i], to);
	}
	return part + size;
}

/* A path here is absolute, so that neither a '-' nor a ':' in it means
 * anything.  host NULL: this rsync reads or writes it by itself. */
static char *
put_place(const char *host, const struct side *side, const char *below)
{
	char *path = side->host == NULL ? realpath(side->path, NULL)
					: strdup(side->path);
	char *place = NULL;
	size_t size;
	FILE *to = path == NULL ? NULL : open_memstream(&place, &size);

	if (to != NULL && host == NULL)
		fprintf(to, "%s/%s", path, below);
	if (to != NULL && host != NULL) {
		fprintf(to, "%s:", host);
		for (const char *at = path; *at != '\0';)
			if (*at == '/')
				fputc(*at++, to);
			else
				at = put_part(to, at);
		fprintf(to, "/%s", below);
	}
	free(path);
	if (to == NULL || fclose(to) != 0) {
		free(place);
		return NULL;
	}
	return place;
}

struct rsync {
	char *rsh;
	char *from;
	char *to;
	char *bwlimit;
	char *argv[RSYNC_WORDS];
};

static void
rsync_release(struct rsync *rsync)
{
	free(rsync->rsh);
	free(rsync->from);
	free(rsync->to);
	free(rsync->bwlimit);
}

/*
 * Of two sides here the source is pulled from as from another machine, with
 * "env LC_ALL=C rsync --server" in the place of ssh.  So the rsync that is
 * started is the one that receives, which alone says at once when all has come
 * (see take_sent); where it sends, it says so after the naps.
 */
static int
rsync_prepare(struct run *run, struct rsync *rsync, struct stream_error *err)
{
	static const char *const words[] = {"rsync", "-s", "--times",
	    "--partial", "--from0", "--files-from=-", "--no-links",
	    "--no-devices", "--no-specials", "--chmod=D0777,F0666",
	    "--max-size=2147483648",
	    /* What a compaction took away is seen in the end, and sent anew:
	     * nothing to be told on standard error. */
	    "--ignore-missing-args"};
	bool is_here = run->source.host == NULL && run->dest.host == NULL;
	char below[64];
	size_t n = 0;

	snprintf(below, sizeof(below), ".strm/incoming/%s/",
	    stream_manifest_id(run->manifest));
	rsync->rsh = is_here ? strdup("env") : put_rsh(run->opts);
	rsync->from = put_place(
	    is_here ? "LC_ALL=C" : run->source.host, &run->source, "");
	rsync->to = put_place(run->dest.host, &run->dest, below);
	if (rsync->rsh == NULL || rsync->from == NULL || rsync->to == NULL)
		return cli_fail_sys(err, "cannot name the directories");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		rsync->argv[n++] = (char *)words[i];
	/* What comes is compared with the manifest, so rsync need not. */
	if (is_here && run->bare)
		rsync->argv[n++] = (char *)"--checksum-choice=none";
	if (is_here)
		rsync->argv[n++] = (char *)"--whole-file";
	rsync->argv[n++] = cli_progress_is_seen(run->context)
			       ? (char *)"--info=stats1,progress2"
			       : (char *)"--info=stats1";
	rsync->argv[n++] = (char *)"--no-human-readable";
	if (run->opts->bwlimit != NULL) {
		if (asprintf(&rsync->bwlimit, "--bwlimit=%s",
			run->opts->bwlimit) < 0)
			return cli_fail(err, STREAM_ENOMEM, "out of memory");
		rsync->argv[n++] = rsync->bwlimit;
	}
	rsync->argv[n++] = (char *)"-e";
	rsync->argv[n++] = rsync->rsh;
	rsync->argv[n++] = (char *)"--";
	rsync->argv[n++] = rsync->from;
	rsync->argv[n++] = rsync->to;
	rsync->argv[n] = NULL;
	return STREAM_OK;
}

/* ---- what it says ------------------------------------------------------- */

/* What rsync says of its progress: "\r  1234567  12%  ...", and when all has
 * its name: "\nsent 123 bytes  received ...". */
struct moving {
	struct cli_progress progress;
	uint64_t number;
	bool counts; /* it may go on */
	bool begun;
	bool receives; /* it is rsync's receiver that says so */
	size_t sent;   /* characters of the word that came */
};

/*
 * Is that the word that ends it?  Its receiver says so when all that was asked
 * for was brought, renamed and confirmed; then rsync naps for 20 ms before it
 * sees that its own processes have ended, half of what 10 MB take.  One that
 * does not say it is waited for.
 */
static bool
take_sent(struct moving *moving, char c)
{
	static const char word[] = "\nsent ";

	if (c != word[moving->sent])
		moving->sent = 0;
	if (c == word[moving->sent])
		moving->sent++;
	if (word[moving->sent] != '\0')
		return false;
	moving->sent = 0;
	return moving->receives;
}

static bool
take_progress(void *context, const char *bytes, size_t size)
{
	struct moving *moving = context;

	for (size_t i = 0; i < size; i++) {
		char c = bytes[i];

		if (take_sent(moving, c))
			return true;
		if (c == '\r' || c == '\n') {
			moving->number = 0;
			moving->counts = true;
			moving->begun = false;
		} else if (c >= '0' && c <= '9' && moving->counts) {
			moving->number =
			    moving->number * 10 + (unsigned)(c - '0');
			moving->begun = true;
		} else if (moving->counts && moving->begun) {
			moving->counts = false;
			cli_progress_update(&moving->progress, moving->number);
		} else if (c != ' ') {
			moving->counts = false;
		}
	}
	return false;
}

/* ---- its version -------------------------------------------------------- */

/* What rsync cannot do is no fault of this system. */
static enum cli_exit
complain_version(const struct stream_error *err)
{
	enum cli_exit code = cli_report(NULL, err);

	return err->status == STREAM_EIO ? CLI_REMOTE : code;
}

enum cli_exit
replicate_hear_rsync(struct run *run)
{
	struct stream_error err;

	return rsync_answer(&run->question, &run->bare, &err) == STREAM_OK
		   ? CLI_DONE
		   : complain_version(&err);
}

/* While it answers the sides are looked at; but no destination is made before
 * that. */
enum cli_exit
replicate_ask_rsync(struct run *run)
{
	struct stream_error err;

	if (rsync_ask(run->opts->bwlimit, &run->question, &err) != STREAM_OK)
		return complain_version(&err);
	return run->dest.host == NULL && access(run->dest.path, F_OK) == 0
		   ? CLI_DONE
		   : replicate_hear_rsync(run);
}

/* ---- all of it ---------------------------------------------------------- */

/* Its own message was shown.  It says the same of a connection that broke and
 * of a shell there that found no rsync. */
static enum cli_exit
complain_rsync(const struct run *run, int code)
{
	const char *host =
	    run->source.host != NULL ? run->source.host : run->dest.host;

	if (code == RSYNC_NO_FILE)
		return cli_complain(
		    run->dest.host == NULL ? CLI_SYSTEM : CLI_REMOTE,
		    run->dest.host,
		    "rsync failed (exit %d): is the disk of the replica full?",
		    code);
	if (host == NULL)
		return cli_complain(
		    CLI_REMOTE, NULL, "rsync failed (exit %d)", code);
	return cli_complain(CLI_REMOTE, host,
	    "rsync failed (exit %d): is it in the PATH of a login without a "
	    "terminal, and did the connection hold? the next run goes on with "
	    "what came",
	    code);
}

/* A replica here is checked while its files come. */
static int
run_rsync(
    struct run *run, struct child_io *io, int *code, struct stream_error *err)
{
	struct stream_replica_options how = {
	    .lock_timeout_ms = STREAM_LOCK_TIMEOUT_MS};
	struct rsync rsync = {.rsh = NULL};
	int status = rsync_prepare(run, &rsync, err);

	if (status == STREAM_OK && run->dest.host == NULL)
		stream_replica_arrive(
		    run->dest.path, run->text, &how, &run->arrival, NULL);
	if (status == STREAM_OK)
		status = child_run(rsync.argv, io, code, err);
	stream_replica_arrival_end(run->arrival);
	rsync_release(&rsync);
	return status;
}

enum cli_exit
replicate_move(struct run *run)
{
	struct moving moving = {
	    .counts = true, .receives = run->dest.host == NULL};
	struct child_io io = {
	    .told = take_progress,
	    .context = &moving,
	    .finish = run->opts->follow,
	};
	struct stream_error err;
	char *names = NULL;
	uint64_t bytes = 0;
	int code = 0;
	int status = stream_manifest_files(
	    run->manifest, &names, &io.input_size, &bytes, &err);

	if (status == STREAM_OK && io.input_size == 0) {
		free(names);
		return CLI_DONE;
	}
	io.input = names;
	cli_progress_begin(&moving.progress, run->context, bytes);
	if (status == STREAM_OK)
		status = run_rsync(run, &io, &code, &err);
	cli_progress_clear(&moving.progress);
	free(names);
	run->sum.bytes += bytes;
	if (status == STREAM_ENOENT)
		return cli_complain(CLI_REMOTE, NULL, "%s", err.text);
	if (status != STREAM_OK)
		return cli_report(NULL, &err);
	/* What is missing is seen when it is put in place. */
	if (code == 0 || code == RSYNC_VANISHED || code == RSYNC_PARTIAL)
		return CLI_DONE;
	return complain_rsync(run, code);
}
