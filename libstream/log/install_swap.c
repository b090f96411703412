/*
 * install_swap.c - segments that compaction made new at the source
 *
 * What a compaction takes out of an old segment may stand in a newer one, so a
 * replica must not have some segments from before it and some from after: all
 * that changed is put in place in one step.  The steps are those of a
 * compaction (swap.c), for several segments: all become ".swap", the highest
 * first, and that none is left as ".cleaned" is the commit.  A segment in
 * between that did not change takes part by a second link to its file.
 */
#include "log/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

static int
rename_if_there(int dirfd, int64_t base, enum stream_name_kind kind,
    enum stream_name_state from, enum stream_name_state to,
    struct stream_error *err)
{
	int status =
	    stream_segment_rename_file(dirfd, base, kind, from, to, err);

	return status == STREAM_ENOENT ? STREAM_OK : status;
}

static int
to_swap(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	return rename_if_there(
	    dirfd, base, kind, STREAM_NAME_CLEANED, STREAM_NAME_SWAP, err);
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

static int
drop_deleted(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	return stream_segment_remove_file(
	    dirfd, base, kind, STREAM_NAME_DELETED, err);
}

static int
to_plain(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	return rename_if_there(
	    dirfd, base, kind, STREAM_NAME_SWAP, STREAM_NAME_PLAIN, err);
}

/* ---- before the commit -------------------------------------------------- */

static int
link_cleaned(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	struct stream_name name = {base, kind, STREAM_NAME_CLEANED};
	char cleaned[STREAM_NAME_SIZE], plain[STREAM_NAME_SIZE];

	stream_name_put(&name, cleaned);
	stream_name_put_plain(base, kind, plain);
	if (linkat(dirfd, plain, dirfd, cleaned, 0) == 0 || errno == ENOENT)
		return STREAM_OK;
	return stream_fail_sys(err, "%s: cannot link", plain);
}

static int
move_cleaned(struct swapping *s, int64_t base, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < STREAM_SEGMENT_KINDS && status == STREAM_OK;
	     i++) {
		struct stream_name name = {
		    base, stream_segment_kinds[i], STREAM_NAME_CLEANED};
		char cleaned[STREAM_NAME_SIZE], plain[STREAM_NAME_SIZE];

		stream_name_put(&name, cleaned);
		stream_name_put_plain(base, name.kind, plain);
		if (name.kind == STREAM_NAME_LOG)
			stream_install_name(base, plain);
		if (renameat(s->from, plain, s->dirfd, cleaned) != 0 &&
		    errno != ENOENT)
			status = stream_fail_sys(
			    err, "%s: cannot put in place", cleaned);
	}
	return status;
}

static int
make_cleaned(struct swapping *s, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < s->count && status == STREAM_OK; i++)
		status = s->segments[i].is_brought
			     ? move_cleaned(s, s->segments[i].base_offset, err)
			     : each_kind(s->dirfd, s->segments[i].base_offset,
				   link_cleaned, err);
	return status == STREAM_OK ? stream_io_sync_dir(s->dirfd, err) : status;
}

/* Swap files do not count as long as a ".cleaned" one is left below them. */
static void
undo(struct swapping *s)
{
	for (size_t i = 0; i < s->count; i++)
		each_kind(
		    s->dirfd, s->segments[i].base_offset, drop_swap, NULL);
	stream_io_sync_dir(s->dirfd, NULL);
	for (size_t i = 0; i < s->count; i++)
		each_kind(
		    s->dirfd, s->segments[i].base_offset, drop_cleaned, NULL);
}

static int
commit(struct swapping *s, struct stream_error *err)
{
	int status = make_cleaned(s, err);

	for (size_t i = s->count; i-- > 0 && status == STREAM_OK;)
		status = each_kind(
		    s->dirfd, s->segments[i].base_offset, to_swap, err);
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
	for (size_t i = 1; i < STREAM_SEGMENT_KINDS && status == STREAM_OK; i++)
		status =
		    put_away_kind(s->dirfd, base, stream_segment_kinds[i], err);
	return status;
}

static int
each_old(struct swapping *s, bool remove, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < s->old.count && status == STREAM_OK; i++) {
		int64_t base = s->old.segments[i].base_offset;

		if (!is_covered(s, base))
			continue;
		status = remove ? each_kind(s->dirfd, base, drop_deleted, err)
				: put_away(s, base, err);
		if (status == STREAM_OK && remove)
			status = drop_deleted(
			    s->dirfd, base, STREAM_NAME_SNAPSHOT, err);
	}
	return status;
}

/* From the lowest on: what is left as ".swap" covers only what is above. */
static int
finish(struct swapping *s, struct stream_error *err)
{
	int status = each_old(s, false, err);

	if (status == STREAM_OK)
		status = stream_io_sync_dir(s->dirfd, err);
	for (size_t i = 0; i < s->count && status == STREAM_OK; i++)
		status = each_kind(
		    s->dirfd, s->segments[i].base_offset, to_plain, err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(s->dirfd, err);
	return status == STREAM_OK ? each_old(s, true, err) : status;
}

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
swap(void *context, struct stream_error *err)
{
	struct swapping *s = context;
	int status = STREAM_OK;

	/* The active segment's file may become a shorter one. */
	if (s->until == INT64_MAX) {
		s->install->partition->state.durable_end = 0;
		status = stream_partition_publish(s->install->partition, err);
	}
	if (status == STREAM_OK)
		status = commit(s, err);
	if (status == STREAM_OK)
		status = finish(s, err);
	return status == STREAM_OK ? move_snapshots(s, err) : status;
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

	if (status != STREAM_OK)
		return status;
	if (until == INT64_MAX)
		status = stream_partition_adopt(install->partition,
		    segments[count - 1].base_offset,
		    segments[count - 1].measure, swap, &s, err);
	else
		status = swap(&s, err);
	stream_view_release(&s.old);
	return status;
}

int
stream_install_drop(const struct stream_install *install, int64_t base_offset,
    struct stream_error *err)
{
	int dirfd = install->dirfd;
	int status =
	    put_away_kind(dirfd, base_offset, STREAM_NAME_SNAPSHOT, err);

	if (status == STREAM_OK)
		status = each_kind(dirfd, base_offset, put_away_kind, err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(dirfd, err);
	if (status == STREAM_OK)
		status = each_kind(dirfd, base_offset, drop_deleted, err);
	return status == STREAM_OK
		   ? drop_deleted(dirfd, base_offset, STREAM_NAME_SNAPSHOT, err)
		   : status;
}
