/*
 * verify_files.c - what lies in the directory beside the segments
 *
 * What is under way comes and goes: only what is there both before the
 * segments are read and after that is told.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "file/io.h"
#include "file/lock.h"
#include "file/snapshot.h"
#include "log/quiet.h"
#include "log/verify_private.h"

static struct stream_verify_where
file(const char *name)
{
	return (struct stream_verify_where){name, STREAM_POS_NONE, -1, -1};
}

/* ---- snapshots ---------------------------------------------------------- */

static void
check_entries(struct stream_verify *verify, const char *name, int64_t offset,
    const struct stream_snapshot_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].producer_id < 0 ||
		    entries[i].last_offset >= offset ||
		    entries[i].transaction_first_offset >= offset) {
			stream_verify_damage(verify, STREAM_FINDING_SNAPSHOT,
			    file(name),
			    "producer %lld has records at or past offset %lld, "
			    "of which this is the state",
			    (long long)entries[i].producer_id,
			    (long long)offset);
			return;
		}
}

static int
check_snapshot(struct stream_verify *verify, const char *name, int64_t offset,
    struct stream_error *err)
{
	struct stream_snapshot_entry *entries;
	struct stream_error why;
	size_t count;
	int status = stream_snapshot_load(
	    verify->source->dirfd, offset, &entries, &count, &why);

	if (status == STREAM_ENOENT)
		return STREAM_OK; /* removed meanwhile */
	if (status == STREAM_EIO || status == STREAM_ENOMEM) {
		if (err != NULL)
			*err = why;
		return stream_fail_in(err, status, "%s", name);
	}
	if (status != STREAM_OK) {
		stream_verify_damage(verify, STREAM_FINDING_SNAPSHOT,
		    (struct stream_verify_where){name, why.pos, -1, -1}, "%s",
		    why.text);
		return STREAM_OK;
	}
	check_entries(verify, name, offset, entries, count);
	free(entries);
	/* It was listed before the log was read, which only grows. */
	if (offset > verify->sum->log_end_offset)
		stream_verify_damage(verify, STREAM_FINDING_LOG_END,
		    (struct stream_verify_where){
			name, STREAM_POS_NONE, verify->sum->log_end_offset, -1},
		    "the log ends at offset %lld, before this snapshot's",
		    (long long)verify->sum->log_end_offset);
	return STREAM_OK;
}

/* ---- names -------------------------------------------------------------- */

/* The segment of the view with that base, or NULL. */
static const struct stream_view_segment *
find_segment(const struct stream_verify *verify, int64_t base_offset)
{
	const struct stream_view *view = &verify->view;
	size_t i;

	if (view->count == 0)
		return NULL;
	i = stream_view_find(view, base_offset);
	return view->segments[i].base_offset == base_offset ? &view->segments[i]
							    : NULL;
}

static void
tell_state(struct stream_verify *verify, const char *name,
    const struct stream_name *parsed, bool counts)
{
	if (parsed->state == STREAM_NAME_CLEANED)
		stream_verify_note(verify, STREAM_FINDING_LEFTOVER, file(name),
		    "a compaction was writing it");
	else if (parsed->state == STREAM_NAME_DELETED)
		stream_verify_note(verify, STREAM_FINDING_LEFTOVER, file(name),
		    "about to be removed");
	else if (counts)
		stream_verify_note(verify, STREAM_FINDING_SWAP, file(name),
		    "a compaction's result that is not yet in its place");
	else
		stream_verify_note(verify, STREAM_FINDING_LEFTOVER, file(name),
		    "a compaction's result that does not count yet");
}

static int
check_segment_file(struct stream_verify *verify, const char *name,
    const struct stream_name *parsed, struct stream_error *err)
{
	const struct stream_view_segment *segment =
	    find_segment(verify, parsed->base_offset);
	bool swap = parsed->state == STREAM_NAME_SWAP;

	if (parsed->state != STREAM_NAME_PLAIN)
		tell_state(verify, name, parsed,
		    swap && segment != NULL && segment->swap);
	else if (parsed->kind == STREAM_NAME_SNAPSHOT)
		return check_snapshot(verify, name, parsed->base_offset, err);
	else if (segment != NULL && !segment->swap)
		return STREAM_OK;
	else if (parsed->kind == STREAM_NAME_LOG || segment != NULL)
		stream_verify_note(verify, STREAM_FINDING_LEFTOVER, file(name),
		    "a compaction's result has taken its place");
	else
		return stream_verify_orphan(verify, name, parsed, err);
	return STREAM_OK;
}

static bool
ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

/* Ours, and Kafka's. */
static bool
is_temporary(const char *name)
{
	return strncmp(name, ".tmp-", 5) == 0 || ends_with(name, ".tmp");
}

static bool
is_set_aside(const char *name)
{
	return strncmp(name, ".strm-cut-", 10) == 0;
}

static int
check_name(
    struct stream_verify *verify, const char *name, struct stream_error *err)
{
	struct stream_name parsed;

	if (stream_name_parse(name, &parsed))
		return check_segment_file(verify, name, &parsed, err);
	if (is_temporary(name))
		stream_verify_note(verify, STREAM_FINDING_LEFTOVER, file(name),
		    "a file that was not put in place");
	else if (is_set_aside(name))
		stream_verify_note(verify, STREAM_FINDING_LEFTOVER, file(name),
		    "bytes that a writer cut off a log and set aside");
	else if (stream_name_has_ending(name))
		stream_verify_note(verify, STREAM_FINDING_NAME, file(name),
		    "not a name that counts: 20 digits and what it holds");
	return STREAM_OK;
}

/* ---- twice -------------------------------------------------------------- */

/* A name that is right needs no second look; the others are few. */
static bool
is_ordinary(const struct stream_verify *verify, const char *name)
{
	struct stream_name parsed;
	const struct stream_view_segment *segment;

	if (!stream_name_parse(name, &parsed))
		return !is_temporary(name) && !is_set_aside(name) &&
		       !stream_name_has_ending(name);
	segment = find_segment(verify, parsed.base_offset);
	return parsed.state == STREAM_NAME_PLAIN &&
	       parsed.kind != STREAM_NAME_SNAPSHOT && segment != NULL &&
	       !segment->swap;
}

static bool
writer_at_work(const struct stream_verify *verify)
{
	return verify->statefd >= 0 &&
	       stream_lock_is_held(verify->statefd, STREAM_LOCK_APPEND, 1);
}

static int
by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* The names that are worth a look, sorted: *list is given. */
static int
pick_names(const struct stream_verify *verify, const struct stream_buf *names,
    const char ***list, size_t *count, struct stream_error *err)
{
	size_t n = 0;

	for (const char *name = stream_dir_next(names, NULL); name != NULL;
	     name = stream_dir_next(names, name))
		n += !is_ordinary(verify, name);
	*list = calloc(n + 1, sizeof(**list));
	if (*list == NULL)
		return stream_fail_memory(err);
	*count = 0;
	for (const char *name = stream_dir_next(names, NULL); name != NULL;
	     name = stream_dir_next(names, name))
		if (!is_ordinary(verify, name))
			(*list)[(*count)++] = name;
	qsort(*list, *count, sizeof(**list), by_name);
	return STREAM_OK;
}

/* A snapshot that is there is as it will be. */
static bool
needs_second_look(const char *const *names, size_t count)
{
	struct stream_name parsed;

	for (size_t i = 0; i < count; i++)
		if (!stream_name_parse(names[i], &parsed) ||
		    parsed.kind != STREAM_NAME_SNAPSHOT ||
		    parsed.state != STREAM_NAME_PLAIN)
			return true;
	return false;
}

static int
check_names(struct stream_verify *verify, const char *const *before,
    size_t count, const struct stream_buf *names, struct stream_error *err)
{
	const char **after = NULL;
	size_t after_count;
	int status = pick_names(verify, names, &after, &after_count, err);

	for (size_t i = 0; status == STREAM_OK && i < count; i++)
		if (bsearch(&before[i], after, after_count, sizeof(*after),
			by_name) != NULL)
			status = check_name(verify, before[i], err);
	free(after);
	return status;
}

/* List again: what is under way has gone by then, or most of it.  A small file
 * takes a sync to be put in place. */
static int
list_later(struct stream_verify *verify, struct stream_buf *names,
    struct stream_error *err)
{
	struct stream_view view;
	int status;

	for (int i = 0; i == 0 || (i < 10 && writer_at_work(verify)); i++)
		stream_quiet_pause();
	status = stream_dir_list(verify->source->dirfd, names, err);
	if (status == STREAM_OK)
		status = stream_view_load(verify->source->dirfd, &view, err);
	if (status != STREAM_OK)
		return status;
	stream_view_release(&verify->view);
	verify->view = view;
	return STREAM_OK;
}

int
stream_verify_files(struct stream_verify *verify,
    const struct stream_buf *names, struct stream_error *err)
{
	const char **before = NULL;
	size_t count;
	struct stream_buf after;
	int status = pick_names(verify, names, &before, &count, err);

	stream_buf_init(&after);
	if (status == STREAM_OK && needs_second_look(before, count))
		status = list_later(verify, &after, err);
	if (status == STREAM_OK)
		status = check_names(verify, before, count,
		    after.size > 0 ? &after : names, err);
	free(before);
	stream_buf_release(&after);
	return status;
}
