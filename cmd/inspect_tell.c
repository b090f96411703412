/*
 * inspect_tell.c - notes, problems and lines that all parts write
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/signals.h"
#include "inspect.h"

void
inspect_fail(struct inspect *in, const struct stream_error *err)
{
	in->code = cli_first(in->code, cli_report(in->label, err));
}

void
inspect_damaged(struct inspect *in)
{
	in->code = cli_first(in->code, CLI_DAMAGED);
}

static void
tell(struct inspect *in, const char *type, const char *file, const char *kind,
    const char *message)
{
	if (!in->shows.segments && !in->shows.batches && !in->shows.records &&
	    !in->shows.index && !in->shows.files)
		return;
	if (in->shows.batches || in->shows.records || in->shows.index ||
	    in->one_file) {
		cli_out_format(
		    &in->out, "%s %s: %s: %s\n", type, file, kind, message);
		return;
	}
	if (in->kept_count++ >= INSPECT_KEPT)
		return;
	columns_add(&in->kept, "%s", type);
	columns_add(&in->kept, "%s", file);
	columns_add(&in->kept, "%s", kind);
	columns_add(&in->kept, "%s", message);
}

void
inspect_note(struct inspect *in, const char *file, const char *kind,
    const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	in->count_notes++;
	if (in->is_silent)
		return;
	if (!in->opts->json) {
		tell(in, "note", file, kind, message);
		return;
	}
	line_begin(&in->json, "note");
	line_text(&in->json, "partition", in->label);
	line_text(&in->json, "file", file);
	line_text(&in->json, "kind", kind);
	line_text(&in->json, "message", message);
	line_end(&in->json);
}

void
inspect_problem(struct inspect *in, const char *file, const char *kind,
    bool damage, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (in->is_silent) {
		/* An append of several batches makes such entries, and they
		 * lead to the right place. */
		in->count_problems += strcmp(kind, "index-offset") != 0;
		return;
	}
	in->count_problems++;
	if (damage)
		inspect_damaged(in);
	if (!in->opts->json) {
		tell(in, damage ? "damage" : "problem", file, kind, message);
		return;
	}
	line_begin(&in->json, "problem");
	line_text(&in->json, "partition", in->label);
	line_text(&in->json, "file", file);
	line_text(&in->json, "kind", kind);
	line_text(&in->json, "message", message);
	line_bool(&in->json, "damage", damage);
	line_end(&in->json);
}

void
inspect_begin(struct inspect *in, const char *type)
{
	line_begin(&in->json, type);
}

void
inspect_end(struct inspect *in)
{
	line_text(&in->json, "topic_partition", in->label);
	line_end(&in->json);
}

bool
inspect_is_over(const struct inspect *in)
{
	return in->left == 0 || cli_signals_pending() != 0 ||
	       cli_out_failed(&in->out) || in->code == CLI_SYSTEM;
}

char *
inspect_path(struct inspect *in, const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) >= 0)
		return path;
	in->code = cli_first(
	    in->code, cli_complain(CLI_SYSTEM, NULL, "out of memory"));
	return NULL;
}

const char *
inspect_time(int64_t timestamp_ms, char *text)
{
	if (timestamp_ms == STREAM_NO_TIMESTAMP)
		strcpy(text, "-");
	else
		stream_format_time(timestamp_ms, text);
	return text;
}
