/*
 * replicate_side.c - a step at one side
 *
 * On another machine `strm replicate-rsync --serve` does it.  That command is
 * always the same: a login shell reads it there, so nothing that someone chose
 * may stand in it.  The request goes to its standard input.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/signals.h"
#include "opening.h"
#include "replicate.h"

/* ---- where it is -------------------------------------------------------- */

static bool
is_word(const char *text, size_t size, const char *more)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	if (size == 0 || strchr(letters, text[0]) == NULL)
		return false;
	for (size_t i = 1; i < size; i++)
		if (strchr(letters, text[i]) == NULL &&
		    strchr(more, text[i]) == NULL)
			return false;
	return true;
}

/* "host" or "user@host", of letters that mean nothing to anyone. */
static bool
is_host(const char *text, size_t size)
{
	const char *at = memchr(text, '@', size);

	if (at == NULL)
		return is_word(text, size, ".-");
	return is_word(text, (size_t)(at - text), ".-") &&
	       is_word(at + 1, size - (size_t)(at - text) - 1, ".-");
}

int
side_parse(const char *word, struct side *side, struct stream_error *err)
{
	const char *colon = strchr(word, ':');
	const char *slash = strchr(word, '/');

	*side = (struct side){.word = word};
	if (word[0] == '\0')
		return cli_fail(
		    err, STREAM_EUSAGE, "an empty word names no directory");
	if (colon == NULL || (slash != NULL && slash < colon)) {
		side->path = strdup(word);
		return side->path != NULL
			   ? STREAM_OK
			   : cli_fail(err, STREAM_ENOMEM, "out of memory");
	}
	if (!is_host(word, (size_t)(colon - word)))
		return cli_fail(err, STREAM_EUSAGE,
		    "\"%s\": no name of a host stands before the colon (write "
		    "./%s for a directory here)",
		    word, word);
	if (colon[1] != '/')
		return cli_fail(err, STREAM_EUSAGE,
		    "\"%s\": a path on another machine begins with /", word);
	side->host = strndup(word, (size_t)(colon - word));
	side->path = strdup(colon + 1);
	return side->host != NULL && side->path != NULL
		   ? STREAM_OK
		   : cli_fail(err, STREAM_ENOMEM, "out of memory");
}

void
side_release(struct side *side)
{
	free(side->host);
	free(side->path);
}

/* ---- here --------------------------------------------------------------- */

/* What a step reads here is drawn, where someone sees it. */
struct reading {
	const struct replicate_opts *opts;
	struct cli_progress progress;
	uint64_t bytes;
};

static bool
go_on(void *context, uint64_t bytes)
{
	struct reading *reading = context;

	reading->bytes += bytes;
	cli_progress_update(&reading->progress, reading->bytes);
	/* A round of --follow is finished. */
	return reading->opts->follow || cli_signals_pending() == 0;
}

static int
parse_list(const struct cli_list *words, struct stream_address **list,
    size_t *count, struct stream_error *err)
{
	*list = calloc(words->count + 1, sizeof(**list));
	*count = 0;
	if (*list == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	for (size_t i = 0; i < words->count; i++) {
		struct stream_address *address = &(*list)[i];
		int status = stream_address_parse(
		    words->items[i], opening_now_ms(), address, err);

		if (status != STREAM_OK)
			return status;
		(*count)++;
		if (address->is_path ||
		    address->range.from.kind != STREAM_POINT_NONE ||
		    address->range.to.kind != STREAM_POINT_NONE)
			return cli_fail(err, STREAM_EUSAGE,
			    "\"%s\": give TOPIC or TOPIC:PARTITIONS",
			    words->items[i]);
	}
	return STREAM_OK;
}

static void
release_list(const struct stream_address *list, size_t count)
{
	struct stream_address *owned = (struct stream_address *)list;

	for (size_t i = 0; i < count; i++)
		stream_address_release(&owned[i]);
	free(owned);
}

int
side_choose(const struct replicate_opts *opts,
    struct stream_replica_options *options, struct stream_error *err)
{
	struct stream_address *include = NULL, *exclude = NULL;
	int status =
	    parse_list(&opts->include, &include, &options->include_count, err);

	if (status == STREAM_OK)
		status = parse_list(
		    &opts->exclude, &exclude, &options->exclude_count, err);
	options->include = include;
	options->exclude = exclude;
	return status;
}

void
side_unchoose(struct stream_replica_options *options)
{
	release_list(options->include, options->include_count);
	release_list(options->exclude, options->exclude_count);
}

bool
side_is_whole(const struct replicate_opts *opts, const char *topic)
{
	struct stream_replica_options options = {.of = NULL};
	bool whole = side_choose(opts, &options, NULL) == STREAM_OK &&
		     stream_replica_is_whole(&options, topic);

	side_unchoose(&options);
	return whole;
}

static int
do_step(const char *path, const struct side_request *request,
    struct stream_replica_options *options, char **output,
    struct stream_error *err)
{
	const char *input = request->input;
	int status = STREAM_OK;

	*output = NULL;
	switch (request->step) {
	case SIDE_HAVE:
		return stream_replica_have(path, true, options, output, err);
	case SIDE_LOOK:
		return stream_replica_have(path, false, options, output, err);
	case SIDE_PREPARE:
		return stream_replica_prepare(
		    path, input, options, output, err);
	case SIDE_STATUS:
	case SIDE_PLAN:
		options->status = request->step == SIDE_STATUS;
		options->dry_run = true;
		return stream_replica_prepare(
		    path, input, options, output, err);
	case SIDE_APPLY:
		return stream_replica_apply(path, input, options, output, err);
	case SIDE_CHECK:
		status = stream_replica_check_source(path, err);
		break;
	case SIDE_FENCE:
		return fence_step(path, input, options, output, err);
	case SIDE_LIFT:
		return fence_step(path, NULL, options, output, err);
	case SIDE_RELEASE:
		status = stream_replica_release(path, input, err);
		break;
	case SIDE_WATCH:
	case SIDE_LOCK:
	default:
		status = cli_fail(err, STREAM_EUSAGE, "is no step that ends");
	}
	if (status == STREAM_OK)
		*output = strdup("");
	return status == STREAM_OK && *output == NULL
		   ? cli_fail(err, STREAM_ENOMEM, "out of memory")
		   : status;
}

int
side_do_here(const char *path, const struct side_request *request,
    const struct replicate_opts *opts, char **output, struct stream_error *err)
{
	int64_t wait_ms = opts->lock_timeout_ms;
	struct reading reading = {.opts = opts};
	struct stream_replica_options options = {
	    .of = request->of,
	    .arrival = request->arrival,
	    .id = request->id,
	    .have = request->have,
	    .verify = opts->verify,
	    .truncate = opts->truncate,
	    .remove = opts->remove,
	    .network = opts->network,
	    .lock_timeout_ms = wait_ms > INT_MAX ? INT_MAX : (int)wait_ms,
	    .now_ms = opening_now_ms(),
	    .go_on = go_on,
	    .context = &reading,
	};
	int status = side_choose(opts, &options, err);

	if (opts->context != NULL)
		cli_progress_begin(&reading.progress, opts->context, 0);
	if (status == STREAM_OK)
		status = do_step(path, request, &options, output, err);
	cli_progress_clear(&reading.progress);
	side_unchoose(&options);
	return status;
}

/* ---- there -------------------------------------------------------------- */

size_t
side_ssh(const struct replicate_opts *opts, char *argv[])
{
	static const char *const words[] = {"ssh", "-o", "BatchMode=yes", "-o",
	    "ConnectTimeout=10", "-o", "ClearAllForwardings=yes", "-o",
	    "ServerAliveInterval=15"};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		argv[n++] = (char *)words[i];
	if (opts->ssh_config != NULL) {
		argv[n++] = (char *)"-F";
		argv[n++] = (char *)opts->ssh_config;
	}
	return n;
}

/* A line of the request; what could end it early is written as %XX. */
static void
put(FILE *to, const char *name, const char *value)
{
	fprintf(to, "%s ", name);
	for (; *value != '\0'; value++)
		if ((unsigned char)*value < ' ' || *value == '%')
			fprintf(to, "%%%02x", (unsigned char)*value);
		else
			fputc(*value, to);
	fputc('\n', to);
}

/* A list that is wrong here is so there. */
static int
check_lists(const struct replicate_opts *opts, struct stream_error *err)
{
	struct stream_replica_options options = {.of = NULL};
	int status = side_choose(opts, &options, err);

	side_unchoose(&options);
	return status;
}

static int
put_request(const struct side *side, const struct side_request *request,
    const struct replicate_opts *opts, char **text, size_t *size,
    struct stream_error *err)
{
	FILE *to = open_memstream(text, size);

	if (to == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	fprintf(to, "strm-request 1\nstep %d\ntimeout %lld\n",
	    (int)request->step, (long long)opts->lock_timeout_ms);
	put(to, "store", side->path);
	if (request->of != NULL)
		put(to, "of", request->of);
	if (request->id != NULL)
		put(to, "id", request->id);
	if (request->have != NULL)
		fprintf(to, "have %zu\n", strlen(request->have));
	if (opts->if_unlocked)
		fputs("if-unlocked\n", to);
	if (opts->verify)
		fputs("verify\n", to);
	if (opts->truncate)
		fputs("truncate\n", to);
	if (opts->remove)
		fputs("delete\n", to);
	if (opts->network)
		fputs("network\n", to);
	for (size_t i = 0; i < opts->include.count; i++)
		put(to, "include", opts->include.items[i]);
	for (size_t i = 0; i < opts->exclude.count; i++)
		put(to, "exclude", opts->exclude.items[i]);
	fprintf(to, "\n%s%s", request->have == NULL ? "" : request->have,
	    request->input);
	return fclose(to) == 0 ? STREAM_OK
			       : cli_fail(err, STREAM_ENOMEM, "out of memory");
}

int
side_start(const struct side *side, const struct side_request *request,
    const struct replicate_opts *opts, struct child_io *io, struct child *child,
    struct stream_error *err)
{
	char *argv[SIDE_SSH_WORDS] = {NULL};
	char *text = NULL;
	size_t n = side_ssh(opts, argv);
	int status = check_lists(opts, err);

	if (status == STREAM_OK)
		status = put_request(
		    side, request, opts, &text, &io->input_size, err);

	argv[n++] = (char *)"--";
	argv[n++] = side->host;
	argv[n++] = (char *)"strm replicate-rsync --serve";
	io->input = text;
	if (status == STREAM_OK)
		status = child_start(argv, io, child, err);
	free(text);
	if (status == STREAM_ENOENT)
		cli_fail(err, STREAM_ENOENT,
		    "ssh: cannot run: it is not in the PATH (the package is "
		    "named openssh-client)");
	return status;
}

static enum cli_exit
do_there(const struct side *side, const struct side_request *request,
    const struct replicate_opts *opts, char **output)
{
	struct child_io io = {.output = output, .finish = opts->follow};
	struct stream_error err;
	enum cli_exit judged;
	struct child child;
	int code = 0;
	int status = side_start(side, request, opts, &io, &child, &err);

	if (status == STREAM_OK)
		status = child_finish(&child, &io, &code, &err);
	if (status == STREAM_ENOENT)
		return cli_complain(CLI_REMOTE, NULL, "%s", err.text);
	if (status != STREAM_OK)
		return cli_report(NULL, &err);
	judged = answer_judge(side, request->step, code, *output);
	if (judged != CLI_DONE) {
		free(*output);
		*output = NULL;
	}
	return judged;
}

enum cli_exit
side_do(const struct side *side, const struct side_request *request,
    const struct replicate_opts *opts, char **output)
{
	struct stream_error err;
	int status;

	if (side->host != NULL)
		return do_there(side, request, opts, output);
	status = side_do_here(side->path, request, opts, output, &err);
	if (status == STREAM_EINTR)
		return CLI_SYSTEM;
	return status == STREAM_OK ? CLI_DONE : cli_report(NULL, &err);
}
