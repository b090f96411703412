/*
 * verify_orphan.c - an index whose log is not there: was it lost?
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "log/indexer.h"
#include "log/verify_private.h"

/* How many entries has the index? */
static int
count_entries(struct stream_verify *verify, const char *name,
    enum stream_name_kind kind, uint64_t *count, struct stream_error *err)
{
	struct stream_entries walk;
	int status;

	*count = 0;
	if (kind != STREAM_NAME_INDEX && kind != STREAM_NAME_TIMEINDEX)
		return STREAM_OK;
	stream_entries_init(&walk);
	status = stream_entries_open(&walk, verify->source->dirfd, name,
	    kind == STREAM_NAME_INDEX ? STREAM_INDEX_ENTRY
				      : STREAM_TIMEINDEX_ENTRY,
	    err);
	if (status == STREAM_OK)
		*count = walk.count;
	stream_entries_close(&walk);
	return status == STREAM_ENOENT ? STREAM_OK : status;
}

/* Is the log of that base there, under any name?  Set aside it is not lost: its
 * indexes follow it. */
static bool
log_is_there(const struct stream_verify *verify, int64_t base_offset)
{
	static const enum stream_name_state states[] = {STREAM_NAME_PLAIN,
	    STREAM_NAME_CLEANED, STREAM_NAME_SWAP, STREAM_NAME_DELETED};
	struct stream_name name = {
	    .base_offset = base_offset, .kind = STREAM_NAME_LOG};
	char text[STREAM_NAME_SIZE], aside[STREAM_NAME_SIZE + 16];
	struct stat st;

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		name.state = states[i];
		stream_name_put(&name, text);
		if (fstatat(verify->source->dirfd, text, &st,
			AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	stream_name_put_plain(base_offset, STREAM_NAME_LOG, text);
	snprintf(aside, sizeof(aside), ".strm-old-%s", text);
	return fstatat(
		   verify->source->dirfd, aside, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * A log goes before its indexes, but renamed: an index alone is left by nobody.
 * Retention takes the first segments, and what stands for a swap's range may
 * have been removed already.  *next is the base of the segment after it.
 */
static bool
is_lost(const struct stream_verify *verify, int64_t base_offset, int64_t *next)
{
	const struct stream_view *view = &verify->view;
	size_t i;

	*next = -1;
	/* The state told of it. */
	if (verify->state.sequence != 0 &&
	    base_offset == verify->state.active_base)
		return false;
	if (view->count > 0) {
		i = stream_view_find(view, base_offset);
		if (base_offset < view->segments[i].base_offset ||
		    view->segments[i].swap)
			return false;
		if (i + 1 < view->count)
			*next = view->segments[i + 1].base_offset;
	}
	return !log_is_there(verify, base_offset);
}

int
stream_verify_orphan(struct stream_verify *verify, const char *name,
    const struct stream_name *parsed, struct stream_error *err)
{
	struct stream_name log = *parsed;
	char log_name[STREAM_NAME_SIZE];
	uint64_t count;
	int64_t next;
	int status = count_entries(verify, name, parsed->kind, &count, err);

	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", name);
	if (count == 0 || !is_lost(verify, parsed->base_offset, &next)) {
		stream_verify_note(verify, STREAM_FINDING_ORPHAN,
		    (struct stream_verify_where){name, STREAM_POS_NONE, -1, -1},
		    "an index without its log");
		return STREAM_OK;
	}
	if (verify->lost_base == parsed->base_offset)
		return STREAM_OK;
	verify->lost_base = parsed->base_offset;
	log.kind = STREAM_NAME_LOG;
	stream_name_put(&log, log_name);
	stream_verify_damage(verify, STREAM_FINDING_MISSING_SEGMENT,
	    (struct stream_verify_where){log_name, STREAM_POS_NONE,
		parsed->base_offset, next > 0 ? next - 1 : -1},
	    "the file is not there, though %s has %llu %s", name,
	    (unsigned long long)count, count == 1 ? "entry" : "entries");
	return STREAM_OK;
}
