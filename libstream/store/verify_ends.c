/*
 * verify_ends.c - where a log begins and ends, by the store's files
 *
 * The CRC does not cover a batch's base offset, and in a broker's log gaps are
 * legal: of the last batch only these files and the snapshots know better.
 */
#include "store/verify_ends.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/io.h"
#include "file/state.h"
#include "log/quiet.h"
#include "log/verify.h"

static const char RECOVERY_FILE[] = "recovery-point-offset-checkpoint";
static const char CLEAN_FILE[] = ".kafka_cleanshutdown";

/* ---- reading ------------------------------------------------------------ */

static int
load_point(int dirfd, const char *name, const struct stream_place *place,
    struct stream_verify_point *point, struct stream_error *err)
{
	struct stream_error why;
	int64_t offset = -1;
	int status = stream_checkpoint_find(
	    dirfd, name, place->topic, place->partition, &offset, &why);

	*point = (struct stream_verify_point){.offset = -1};
	if (status == STREAM_OK) {
		point->offset = offset;
	} else if (status == STREAM_ECORRUPT) {
		point->is_malformed = true;
		point->why = why;
	} else if (status != STREAM_ENOENT && why.sys != EACCES) {
		if (err != NULL)
			*err = why;
		return status;
	}
	return STREAM_OK;
}

/* The log start is raised after the mark is set, and what follows it is there
 * before that goes: so after the one, and before the log, the other is read. */
static int
load_mark(int dirfd, struct stream_verify_ends *ends, struct stream_error *err)
{
	struct stream_state state;
	struct stream_error why;
	int status = stream_state_load(dirfd, &state, &why);

	ends->replicates = (state.marks & STREAM_MARK_REPLICATING) != 0;
	if (status == STREAM_OK || why.sys == EACCES)
		return STREAM_OK;
	if (err != NULL)
		*err = why;
	return status;
}

int
stream_verify_ends_load(const struct stream_place *place, int partition,
    struct stream_verify_ends *ends, struct stream_error *err)
{
	struct stat st;
	int dirfd;
	int status =
	    stream_io_open_dir(AT_FDCWD, place->store_path, &dirfd, NULL);

	*ends = (struct stream_verify_ends){
	    .recovery = {.offset = -1}, .start = {.offset = -1}};
	/* A partition can be looked at in a directory that cannot. */
	if (status != STREAM_OK)
		return STREAM_OK;
	ends->was_clean =
	    fstatat(dirfd, CLEAN_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0;
	status = load_point(dirfd, RECOVERY_FILE, place, &ends->recovery, err);
	if (status == STREAM_OK)
		status = load_point(
		    dirfd, STREAM_LOG_START_FILE, place, &ends->start, err);
	close(dirfd);
	return status == STREAM_OK ? load_mark(partition, ends, err) : status;
}

/* ---- checking ----------------------------------------------------------- */

struct check {
	const struct stream_place *place;
	enum stream_severity severity; /* of what is told */
	const struct stream_verify_options *options;
	struct stream_verify_summary *sum;
};

/* first is the first offset that is concerned, -1: none. */
__attribute__((format(printf, 5, 6))) static void
tell(const struct check *check, enum stream_verify_kind kind, const char *file,
    int64_t first, const char *format, ...)
{
	static const struct stream_verify_options none;
	const struct stream_verify_options *options =
	    check->options != NULL ? check->options : &none;
	char text[232], name[80];
	struct stream_verify_finding finding = {
	    .severity = check->severity,
	    .kind = kind,
	    .file = name,
	    .position = STREAM_POS_NONE,
	    .first_offset = first,
	    .last_offset = -1,
	    .message = text,
	    .meaning = stream_verify_kind_meaning(kind),
	};
	va_list args;

	snprintf(name, sizeof(name), "../%s", file);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	stream_verify_give(options, check->sum, &finding);
}

static bool
is_same(
    const struct stream_verify_point *a, const struct stream_verify_point *b)
{
	return a->offset == b->offset && a->is_malformed == b->is_malformed;
}

static void
check_malformed(const struct check *check,
    const struct stream_verify_point *point, const char *file)
{
	if (point->is_malformed)
		tell(check, STREAM_FINDING_CHECKPOINT, file, -1, "%s",
		    point->why.text);
}

/* Did a repair cut the log where it ends?  What that took is set aside and
 * named for the offset; a broker then takes the end for the recovery point. */
static bool
was_cut(const struct stream_place *place, int64_t end)
{
	struct stat st;
	char *path;
	bool is_there;

	if (asprintf(&path, "%s/.strm-cut-%lld", place->path, (long long)end) <
	    0)
		return false;
	is_there = lstat(path, &st) == 0;
	free(path);
	return is_there;
}

/* What was flushed is there, and at a clean close all was flushed.  Our own
 * writers do not keep the file. */
static void
check_recovery(const struct check *check, const struct stream_verify_ends *ends)
{
	int64_t end = check->sum->log_end_offset;
	int64_t offset = ends->recovery.offset;
	struct check cut = *check;

	check_malformed(check, &ends->recovery, RECOVERY_FILE);
	if (offset > end && was_cut(check->place, end))
		cut.severity = STREAM_SEVERITY_NOTE;
	if (offset > end)
		tell(&cut, STREAM_FINDING_LOG_END, RECOVERY_FILE, end,
		    "the log ends at offset %lld, but was flushed up to %lld",
		    (long long)end, (long long)offset);
	else if (offset >= 0 && offset < end && ends->was_clean &&
		 !check->place->is_ours)
		tell(check, STREAM_FINDING_LOG_END, RECOVERY_FILE, offset,
		    "the log ends at offset %lld, but was closed at %lld",
		    (long long)end, (long long)offset);
}

/* Where no segment is left there is nothing to lose. */
static void
check_start(const struct check *check, const struct stream_verify_ends *ends)
{
	int64_t end = check->sum->log_end_offset;
	int64_t offset = ends->start.offset;
	struct check between = *check;

	check_malformed(check, &ends->start, STREAM_LOG_START_FILE);
	between.severity = STREAM_SEVERITY_NOTE;
	if (check->sum->segments > 0 && offset > end && ends->replicates)
		tell(&between, STREAM_FINDING_CHECKPOINT, STREAM_LOG_START_FILE,
		    -1,
		    "the log starts at offset %lld, past its end at %lld, "
		    "until "
		    "replication has brought what follows",
		    (long long)offset, (long long)end);
	else if (check->sum->segments > 0 && offset > end)
		tell(check, STREAM_FINDING_CHECKPOINT, STREAM_LOG_START_FILE,
		    -1,
		    "the log starts at offset %lld, past its end at %lld: a "
		    "broker deletes all of it, readers see nothing",
		    (long long)offset, (long long)end);
}

/* Is there anything to tell? */
static bool
is_sound(const struct stream_verify_ends *ends, int64_t end)
{
	const struct stream_verify_point *recovery = &ends->recovery;

	return !recovery->is_malformed && !ends->start.is_malformed &&
	       recovery->offset <= end && ends->start.offset <= end &&
	       (recovery->offset < 0 || recovery->offset == end ||
		   !ends->was_clean);
}

int
stream_verify_ends_check(const struct stream_place *place, int dirfd,
    const struct stream_verify_ends *ends,
    const struct stream_verify_options *options,
    struct stream_verify_summary *sum, struct stream_error *err)
{
	struct check check = {place, STREAM_SEVERITY_DAMAGE, options, sum};
	struct stream_verify_ends later;
	int status;

	if (is_sound(ends, sum->log_end_offset))
		return STREAM_OK;
	stream_quiet_pause();
	status = stream_verify_ends_load(place, dirfd, &later, err);
	if (status != STREAM_OK)
		return status;
	/* A broker that has started meanwhile takes its mark away first. */
	later.was_clean = later.was_clean && ends->was_clean;
	later.replicates = ends->replicates;
	if (is_same(&later.recovery, &ends->recovery))
		check_recovery(&check, &later);
	if (is_same(&later.start, &ends->start))
		check_start(&check, &later);
	return STREAM_OK;
}
