#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_line.h"
#include "replicate.h"
#include "topic.h"

/* ---- what a run did ----------------------------------------------------- */

struct line {
	char word[16];
	char topic[STREAM_TOPIC_NAME_SIZE];
	int partition;
	int64_t from;
	int64_t end;
	int64_t value;
	int status;
	const char *text;
};

static bool
take(const char *text, struct line *line)
{
	int used = 0;

	if (sscanf(text,
		"%15s %249s %d %" SCNd64 " %" SCNd64 " %" SCNd64 " %d %n",
		line->word, line->topic, &line->partition, &line->from,
		&line->end, &line->value, &line->status, &used) < 7)
		return false;
	line->text = text + used;
	return true;
}

static bool
is(const struct line *line, const char *word)
{
	return strcmp(line->word, word) == 0;
}

static void
count(const struct line *line, struct replicate_sum *sum)
{
	enum cli_exit code = cli_status(line->status);

	if (is(line, "done"))
		sum->partitions++;
	else if (is(line, "kept"))
		sum->kept += line->partition < 0;
	else if (is(line, "deleted") || is(line, "recreated"))
		sum->removed++;
	else if (is(line, "diverged"))
		sum->diverged++;
	else if (is(line, "truncated"))
		sum->truncated++;
	else if (is(line, "resend"))
		sum->resend++;
	else
		sum->failed++;
	if (is(line, "failed") && code == CLI_DAMAGED)
		sum->damaged++;
	if (is(line, "failed") || is(line, "resend"))
		sum->code =
		    cli_first(sum->code, code == CLI_DONE ? CLI_SYSTEM : code);
}

static void
print_json(struct cli_out *out, const struct line *line)
{
	struct json_line json = {.out = out};

	line_begin(&json, "partition");
	line_text(&json, "topic", line->topic);
	line_int(&json, "partition", line->partition);
	line_text(&json, "result", line->word);
	line_int(&json, "from_offset", line->from);
	line_int(&json, "log_end_offset", line->end);
	line_known(&json, "offset", line->value);
	if (is(line, "failed") || is(line, "resend"))
		line_text(&json, "why", line->text);
	else
		line_null(&json, "why");
	line_end(&json);
}

static void
complain(const struct line *line)
{
	char name[sizeof(line->topic) + 12];

	if (line->partition < 0)
		snprintf(name, sizeof(name), "%s", line->topic);
	else
		snprintf(
		    name, sizeof(name), "%s-%d", line->topic, line->partition);
	if (is(line, "diverged"))
		cli_complain(CLI_NO, name,
		    "diverged: from offset %lld to %lld the replica holds what "
		    "the source does not (--truncate sets it aside)",
		    (long long)line->value, (long long)line->from);
	else
		cli_complain(CLI_SYSTEM, name, "%s", line->text);
}

static void
print_gone_json(struct cli_out *out, const struct replicate_opts *opts,
    const char *topic, int partition, const char *result)
{
	struct json_line json = {.out = out};

	line_begin(&json, "topic");
	line_text(&json, "topic", topic);
	line_known(&json, "partition", partition);
	line_text(&json, "result", result);
	line_bool(&json, "dry_run", opts->dry_run || opts->status);
	line_end(&json);
}

void
replicate_show_topic(struct cli_out *out, const struct replicate_opts *opts,
    const char *topic, const char *result)
{
	const char *is = opts->dry_run ? "would be" : "was";

	if (opts->json)
		print_gone_json(out, opts, topic, -1, result);
	else if (strcmp(result, "gone") == 0)
		cli_out_format(out,
		    "%s: is gone from the source, still at the replica "
		    "(--delete removes it)\n",
		    topic);
	else if (strcmp(result, "deleted") == 0)
		cli_out_format(out,
		    "%s: is gone from the source, %s removed (--delete)\n",
		    topic, is);
	else if (strcmp(result, "recreated") == 0)
		cli_out_format(out,
		    "%s: is another topic at the source, the old one %s "
		    "removed (--delete)\n",
		    topic, is);
	else if (opts->remove)
		cli_out_format(out,
		    "%s: is gone from the source, %s kept (--delete removes "
		    "topics that are chosen as a whole)\n",
		    topic, is);
	else
		cli_out_format(out,
		    "%s: is gone from the source, %s kept (--delete removes "
		    "it)\n",
		    topic, is);
}

void
replicate_show_part(struct cli_out *out, const struct replicate_opts *opts,
    const char *topic, int partition, const char *result)
{
	const char *how = strcmp(result, "gone") == 0 ? "still at the replica"
			  : opts->dry_run             ? "would be kept"
						      : "was kept";

	if (opts->json)
		print_gone_json(out, opts, topic, partition, result);
	else
		cli_out_format(out,
		    "%s-%d: is gone from the source, %s (--delete removes only "
		    "whole topics)\n",
		    topic, partition, how);
}

static void
print_text(struct cli_out *out, const struct line *line, bool verbose)
{
	if (is(line, "truncated"))
		cli_out_format(out,
		    "%s-%d: offsets %lld to %lld set aside, which the source "
		    "does not hold\n",
		    line->topic, line->partition, (long long)line->value,
		    (long long)line->from - 1);
	else if (is(line, "done") && line->end > line->from)
		cli_out_format(out, "%s-%d: up to offset %lld, from %lld\n",
		    line->topic, line->partition, (long long)line->end,
		    (long long)line->from);
	else if (verbose && is(line, "done"))
		cli_out_format(out, "%s-%d: at offset %lld, as before\n",
		    line->topic, line->partition, (long long)line->end);
}

/* That it still is so, is said by --follow only once. */
static bool
was_told(const char *before, const struct line *line)
{
	if (before == NULL || is(line, "done") || is(line, "truncated"))
		return false;
	while (*before != '\0') {
		const char *stop = strchrnul(before, '\n');
		char *text = strndup(before, (size_t)(stop - before));
		struct line old;
		bool same = text != NULL && take(text, &old) &&
			    strcmp(old.word, line->word) == 0 &&
			    strcmp(old.topic, line->topic) == 0 &&
			    old.partition == line->partition &&
			    strcmp(old.text, line->text) == 0;

		free(text);
		if (same)
			return true;
		before = *stop == '\0' ? stop : stop + 1;
	}
	return false;
}

/* -J of --follow has an object for each round, and no others. */
static void
print(struct cli_out *out, const struct cli_context *context,
    const struct replicate_opts *opts, const struct line *line)
{
	if (opts->json ? opts->follow : context->quiet)
		return;
	if (line->partition < 0 && !is(line, "failed"))
		replicate_show_topic(out, opts, line->topic, line->word);
	else if (is(line, "kept"))
		replicate_show_part(
		    out, opts, line->topic, line->partition, line->word);
	else if (opts->json)
		print_json(out, line);
	else
		print_text(out, line, context->verbose);
}

static void
show_line(struct cli_out *out, const struct cli_context *context,
    const struct replicate_opts *opts, const char *text, const char *before,
    struct replicate_sum *sum)
{
	struct line line;

	if (!take(text, &line)) {
		sum->failed++;
		sum->code = cli_first(sum->code,
		    cli_complain(CLI_REMOTE, NULL,
			"the report of the replica is not understood"));
		return;
	}
	count(&line, sum);
	if (is(&line, "resend") || was_told(before, &line))
		return;
	print(out, context, opts, &line);
	if (is(&line, "failed") || is(&line, "diverged"))
		complain(&line);
}

void
replicate_show(struct cli_out *out, const struct cli_context *context,
    const struct replicate_opts *opts, const char *report, const char *before,
    struct replicate_sum *sum)
{
	while (*report != '\0') {
		const char *stop = strchrnul(report, '\n');
		char *line = strndup(report, (size_t)(stop - report));

		if (line != NULL)
			show_line(out, context, opts, line, before, sum);
		free(line);
		report = *stop == '\0' ? stop : stop + 1;
	}
}
