/*
 * install_swap.c - segments that compaction made new at the source
 *
 * What a compaction takes out of an old segment may stand in a newer one, so a
 * replica must not have some segments from before it and some from after: all
 * that changed is put in place in one step.  The steps are those of a
 * compaction (swap.c), for several segments.  A segment in between that did not
 * change takes part by a second link to its file, since what the swap covers
 * counts only as a part of it.
 *
 * With several segments the order of names on the disk says more than with one.
 * As long as the lowest segment has a ".cleaned" file, no ".swap" file counts:
 * so the others are ".swap", durably, before the lowest one becomes it, which
 * is the commit.  As long as a log ends in ".swap", the plain ones between it
 * and the highest that does not count: so from the lowest on each new log has
 * its plain name, durably, before the next one takes it.  Indexes follow when
 * all logs have theirs.
 */
#include "log/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "log/partition_private.h"
#include "log/segment_names.h"
#include "log/view.h"

struct swapping {
	const struct stream_install *install;
	int dirfd;
	int from;
	const struct stream_install_segment *segments;
	size_t count;
	int64_t until; /* INT64_MAX: the end of the log */
	struct stream_view old;
};

typedef int one_file(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err);

static int
each_kind(int dirfd, int64_t base, one_file *change, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < STREAM_SEGMENT_KINDS && status == STREAM_OK; i++)
		status = change(dirfd, base, stream_segment_kinds[i], err);
	return status;
}

/* Whose lock has gone with the state file touches nothing more. */
static int
check_alone(const struct swapping *s, struct stream_error *err)
{
	return stream_partition_check_structure(s->install->partition, err);
}

/* A log that is brought has both indexes; one that is there may lack them. */
static bool
may_lack(
    const struct stream_install_segment *segment, enum stream_name_kind kind)
{
	return kind == STREAM_NAME_TXNINDEX ||
	       (kind != STREAM_NAME_LOG && !segment->is_brought);
}

static int
fail_missing(const char *name, struct stream_error *err)
{
	return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
	    "%s: is gone: another is at work on the files", name);
}

static int
rename_kind(struct swapping *s, size_t i, enum stream_name_kind kind,
    enum stream_name_state from, enum stream_name_state to,
    struct stream_error *err)
{
	const struct stream_install_segment *segment = &s->segments[i];
	struct stream_name name = {segment->base_offset, kind, from};
	char text[STREAM_NAME_SIZE];
	int status = stream_segment_rename_file(
	    s->dirfd, segment->base_offset, kind, from, to, err);

	if (status != STREAM_ENOENT)
		return status;
	stream_name_put(&name, text);
	return may_lack(segment, kind) ? STREAM_OK : fail_missing(text, err);
}

static int
rename_segment(struct swapping *s, size_t i, enum stream_name_state from,
    enum stream_name_state to, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t k = 0; k < STREAM_SEGMENT_KINDS && status == STREAM_OK; k++)
		status =
		    rename_kind(s, i, stream_segment_kinds[k], from, to, err);
	return status;
}

/* ---- before the commit -------------------------------------------------- */

static int
bring_kind(struct swapping *s, size_t i, enum stream_name_kind kind,
    struct stream_error *err)
{
	const struct stream_install_segment *segment = &s->segments[i];
	struct stream_name name = {
	    segment->base_offset, kind, STREAM_NAME_CLEANED};
	char cleaned[STREAM_NAME_SIZE], old[STREAM_NAME_SIZE];
	int r;

	stream_name_put(&name, cleaned);
	if (kind == STREAM_NAME_LOG && segment->is_brought)
		stream_install_name(segment->base_offset, old);
	else
		stream_name_put_plain(segment->base_offset, kind, old);
	r = segment->is_brought ? renameat(s->from, old, s->dirfd, cleaned)
				: linkat(s->dirfd, old, s->dirfd, cleaned, 0);
	if (r == 0 || (errno == ENOENT && may_lack(segment, kind)))
		return STREAM_OK;
	return stream_fail_sys(err, "%s: cannot put in place", cleaned);
}

/*
 * The state that is on the disk may say that more of a segment is durable than
 * the new one holds: after a loss of power that would look as if it had been
 * cut.
 */
static int
make_cleaned(struct swapping *s, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < s->count && status == STREAM_OK; i++)
		for (size_t k = 0;
		     k < STREAM_SEGMENT_KINDS && status == STREAM_OK; k++)
			status = bring_kind(s, i, stream_segment_kinds[k], err);
	if (status == STREAM_OK)
		status = stream_io_sync(s->install->partition->statefd, err);
	return status == STREAM_OK ? stream_io_sync_dir(s->dirfd, err) : status;
}

static int
make_swap(struct swapping *s, struct stream_error *err)
{
	int status = check_alone(s, err);

	for (size_t i = s->count; --i > 0 && status == STREAM_OK;)
		status = rename_segment(
		    s, i, STREAM_NAME_CLEANED, STREAM_NAME_SWAP, err);
	if (status == STREAM_OK && s->count > 1)
		status = stream_io_sync_dir(s->dirfd, err);
	return status == STREAM_OK ? rename_segment(s, 0, STREAM_NAME_CLEANED,
					 STREAM_NAME_SWAP, err)
				   : status;
}

static int
drop_swap(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	return stream_segment_remove_file(
	    dirfd, base, kind, STREAM_NAME_SWAP, err);
}

static int
drop_cleaned(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	return stream_segment_remove_file(
	    dirfd, base, kind, STREAM_NAME_CLEANED, err);
}

/* Swap files do not count as long as a ".cleaned" one is left below them, and
 * go first. */
static void
undo(struct swapping *s)
{
	int status = check_alone(s, NULL);

	for (size_t i = 0; i < s->count && status == STREAM_OK; i++)
		status = each_kind(
		    s->dirfd, s->segments[i].base_offset, drop_swap, NULL);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(s->dirfd, NULL);
	for (size_t i = s->count; i-- > 0 && status == STREAM_OK;)
		status = each_kind(
		    s->dirfd, s->segments[i].base_offset, drop_cleaned, NULL);
}

/* A sync that fails leaves it to whoever comes next to see what is there. */
static int
commit(struct swapping *s, struct stream_error *err)
{
	int status = make_cleaned(s, err);

	if (status == STREAM_OK)
		status = make_swap(s, err);
	if (status != STREAM_OK) {
		undo(s);
		return status;
	}
	return stream_io_sync_dir(s->dirfd, err);
}

/* ---- after it ----------------------------------------------------------- */

static bool
is_new(const struct swapping *s, int64_t base)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->segments[i].base_offset == base)
			return true;
	return false;
}

static bool
is_covered(const struct swapping *s, int64_t base)
{
	return base >= s->segments[0].base_offset && base < s->until;
}

static int
put_away_kind(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	return stream_segment_put_away(dirfd, base, kind, NULL, err);
}

/* Indexes of a log that is replaced go before it is; those of one that stays
 * are links of the same files. */
static int
put_away(struct swapping *s, int64_t base, struct stream_error *err)
{
	int status = STREAM_OK;

	if (!is_new(s, base)) {
		status =
		    put_away_kind(s->dirfd, base, STREAM_NAME_SNAPSHOT, err);
		return status == STREAM_OK
			   ? each_kind(s->dirfd, base, put_away_kind, err)
			   : status;
	}
	for (size_t i = 0; i < STREAM_SEGMENT_KINDS && status == STREAM_OK; i++)
		if (stream_segment_kinds[i] != STREAM_NAME_LOG)
			status = put_away_kind(
			    s->dirfd, base, stream_segment_kinds[i], err);
	return status;
}

static int
put_away_old(struct swapping *s, struct stream_error *err)
{
	int status = check_alone(s, err);

	for (size_t i = 0; i < s->old.count && status == STREAM_OK; i++)
		if (is_covered(s, s->old.segments[i].base_offset))
			status =
			    put_away(s, s->old.segments[i].base_offset, err);
	return status == STREAM_OK ? stream_io_sync_dir(s->dirfd, err) : status;
}

static int
take_plain_names(struct swapping *s, struct stream_error *err)
{
	int status = check_alone(s, err);

	for (size_t i = 0; i < s->count && status == STREAM_OK; i++) {
		status = rename_kind(s, i, STREAM_NAME_LOG, STREAM_NAME_SWAP,
		    STREAM_NAME_PLAIN, err);
		if (status == STREAM_OK)
			status = stream_io_sync_dir(s->dirfd, err);
	}
	for (size_t i = 0; i < s->count; i++)
		for (size_t k = 0;
		     k < STREAM_SEGMENT_KINDS && status == STREAM_OK; k++)
			if (stream_segment_kinds[k] != STREAM_NAME_LOG)
				status = rename_kind(s, i,
				    stream_segment_kinds[k], STREAM_NAME_SWAP,
				    STREAM_NAME_PLAIN, err);
	return status;
}

/* The log reaches them only now. */
static int
move_snapshots(struct swapping *s, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	for (size_t i = 0; i < s->count; i++) {
		stream_name_put_plain(
		    s->segments[i].base_offset, STREAM_NAME_SNAPSHOT, name);
		if (renameat(s->from, name, s->dirfd, name) != 0 &&
		    errno != ENOENT)
			return stream_fail_sys(
			    err, "%s: cannot put in place", name);
	}
	return STREAM_OK;
}

static int
drop_deleted(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	return stream_segment_remove_file(
	    dirfd, base, kind, STREAM_NAME_DELETED, err);
}

static int
remove_old(struct swapping *s, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < s->old.count && status == STREAM_OK; i++) {
		int64_t base = s->old.segments[i].base_offset;

		if (!is_covered(s, base))
			continue;
		status = each_kind(s->dirfd, base, drop_deleted, err);
		if (status == STREAM_OK)
			status = drop_deleted(
			    s->dirfd, base, STREAM_NAME_SNAPSHOT, err);
	}
	return status;
}

static int
finish(struct swapping *s, struct stream_error *err)
{
	int status = put_away_old(s, err);

	if (status == STREAM_OK)
		status = take_plain_names(s, err);
	if (status == STREAM_OK)
		status = move_snapshots(s, err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(s->dirfd, err);
	return status == STREAM_OK ? remove_old(s, err) : status;
}

static int
swap(void *context, struct stream_error *err)
{
	struct swapping *s = context;
	int status = check_alone(s, err);

	/* The active segment's file may become a shorter one.  Once the mark
	 * of a roll, which stands by now, is durable, epochs may begin past
	 * the end. */
	if (status == STREAM_OK && s->until == INT64_MAX) {
		s->install->partition->state.durable_end = 0;
		status = stream_partition_publish(s->install->partition, err);
		if (status == STREAM_OK)
			status =
			    stream_io_sync(s->install->partition->statefd, err);
		if (status == STREAM_OK)
			status = stream_install_epochs(
			    s->install, INT64_MAX, false, err);
	}
	if (status == STREAM_OK)
		status = commit(s, err);
	return status == STREAM_OK ? finish(s, err) : status;
}

int
stream_install_swap(const struct stream_install *install, int from,
    const struct stream_install_segment *segments, size_t count, int64_t until,
    struct stream_error *err)
{
	struct swapping s = {
	    .install = install,
	    .dirfd = install->dirfd,
	    .from = from,
	    .segments = segments,
	    .count = count,
	    .until = until,
	};
	int status = stream_view_load(s.dirfd, &s.old, err);

	if (status == STREAM_OK && until == INT64_MAX)
		status = stream_partition_adopt(install->partition,
		    segments[count - 1].base_offset,
		    segments[count - 1].measure, swap, &s, err);
	else if (status == STREAM_OK)
		status = swap(&s, err);
	stream_view_release(&s.old);
	return status;
}
