/*
 * swap.c - a compaction's result takes the place of its sources
 *
 * The order is Kafka's, and so is what each state in between means (SPEC
 * section 4.6), with one difference: the first source's log keeps its name
 * until the new one is renamed over it.  So at every instant a file of that
 * name is there, and a listing that is not of one instant cannot miss it: it
 * would show the log with a hole.
 *
 * Where the directory is synced, names of the step before must not be lost when
 * those of the next one stay.  The ".cleaned" names before the first ".swap":
 * else an index could be left alone as a ".swap", and be taken for that of the
 * old log.  All ".swap" names before the first old file goes: that is the
 * commit.  The names of old files before the new one has its plain name: from
 * then on nothing hides them.  The new log's plain name before those of its
 * indexes: beside a log that ends in ".swap" an index with a plain name is
 * taken for the old one's.
 */
#include "log/swap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/state.h"
#include "log/segment_names.h"

static int
has_log(int dirfd, int64_t base, enum stream_name_state state, bool *has,
    struct stream_error *err)
{
	struct stream_name name = {base, STREAM_NAME_LOG, state};
	char text[STREAM_NAME_SIZE];

	stream_name_put(&name, text);
	return stream_dir_has(dirfd, text, has, err);
}

static int
fail_not_alone(int64_t base, struct stream_error *err)
{
	return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
	    "%020lld.log: another is at work on its files: "
	    "was " STREAM_STATE_NAME " replaced?",
	    (long long)base);
}

/* Is the log of that state the one that was made? */
static bool
is_made(int dirfd, int64_t base, enum stream_name_state state, int made)
{
	struct stream_name name = {base, STREAM_NAME_LOG, state};
	char text[STREAM_NAME_SIZE];
	struct stat ours, named;

	stream_name_put(&name, text);
	return fstat(made, &ours) == 0 &&
	       fstatat(dirfd, text, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* The log and its two indexes must be there: were one missing, the old one
 * would count instead, or none. */
static int
rename_made(int dirfd, int64_t base, enum stream_name_kind kind,
    enum stream_name_state from, enum stream_name_state to,
    struct stream_error *err)
{
	int status =
	    stream_segment_rename_file(dirfd, base, kind, from, to, err);

	if (status != STREAM_ENOENT)
		return status;
	return kind == STREAM_NAME_TXNINDEX ? STREAM_OK
					    : fail_not_alone(base, err);
}

static int
rename_indexes(int dirfd, int64_t base, enum stream_name_state from,
    enum stream_name_state to, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < STREAM_SEGMENT_KINDS && status == STREAM_OK; i++)
		if (stream_segment_kinds[i] != STREAM_NAME_LOG)
			status = rename_made(dirfd, base,
			    stream_segment_kinds[i], from, to, err);
	return status;
}

static int
remove_all(int dirfd, int64_t base, enum stream_name_state state,
    struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < STREAM_SEGMENT_KINDS && status == STREAM_OK; i++)
		status = stream_segment_remove_file(
		    dirfd, base, stream_segment_kinds[i], state, err);
	return status;
}

/* As long as a ".cleaned" file is there, the ".swap" files do not count: they
 * go first.  Unless they are another's. */
static void
undo(int dirfd, int64_t base, int made)
{
	if (!is_made(dirfd, base, STREAM_NAME_SWAP, made) &&
	    !is_made(dirfd, base, STREAM_NAME_CLEANED, made))
		return;
	if (remove_all(dirfd, base, STREAM_NAME_SWAP, NULL) == STREAM_OK &&
	    stream_io_sync_dir(dirfd, NULL) == STREAM_OK)
		remove_all(dirfd, base, STREAM_NAME_CLEANED, NULL);
}

/*
 * The state that is on the disk may be of before the sources were closed, and
 * say that so much of the last of them is durable: after a loss of power the
 * new one, which is shorter, would look as if it had been cut.
 */
static int
sync_state(int dirfd, struct stream_error *err)
{
	int fd;
	int status =
	    stream_io_open(dirfd, STREAM_STATE_NAME, O_RDONLY, &fd, err);

	if (status != STREAM_OK)
		return status == STREAM_ENOENT ? STREAM_OK : status;
	status = stream_io_sync(fd, err);
	close(fd);
	return status;
}

/* Up to the commit.  What fails before the last file has its name is undone;
 * a sync that fails leaves it to whoever comes next to see what is there. */
static int
commit(int dirfd, int64_t base, int made, struct stream_error *err)
{
	int status = sync_state(dirfd, err);

	if (status == STREAM_OK)
		status = stream_io_sync_dir(dirfd, err);
	if (status == STREAM_OK &&
	    !is_made(dirfd, base, STREAM_NAME_CLEANED, made))
		status = fail_not_alone(base, err);
	if (status == STREAM_OK)
		status = rename_made(dirfd, base, STREAM_NAME_LOG,
		    STREAM_NAME_CLEANED, STREAM_NAME_SWAP, err);
	if (status == STREAM_OK)
		status = rename_indexes(
		    dirfd, base, STREAM_NAME_CLEANED, STREAM_NAME_SWAP, err);
	if (status != STREAM_OK) {
		undo(dirfd, base, made);
		return status;
	}
	status = stream_io_sync_dir(dirfd, err);
	if (status == STREAM_OK &&
	    !is_made(dirfd, base, STREAM_NAME_SWAP, made))
		status = fail_not_alone(base, err);
	return status;
}

/* A source's files but its log. */
static int
put_away_rest(int dirfd, int64_t base, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < STREAM_SEGMENT_KINDS && status == STREAM_OK; i++)
		if (stream_segment_kinds[i] != STREAM_NAME_LOG)
			status = stream_segment_put_away(
			    dirfd, base, stream_segment_kinds[i], NULL, err);
	return status;
}

/* The state that snapshots tell of is as true as before, but Kafka keeps one
 * for the base offset of a segment only. */
static int
put_away(
    int dirfd, const int64_t *sources, size_t count, struct stream_error *err)
{
	int status = put_away_rest(dirfd, sources[0], err);

	for (size_t i = 1; i < count && status == STREAM_OK; i++) {
		status = stream_segment_put_away(
		    dirfd, sources[i], STREAM_NAME_SNAPSHOT, NULL, err);
		if (status == STREAM_OK)
			status = stream_segment_put_away(
			    dirfd, sources[i], STREAM_NAME_LOG, NULL, err);
		if (status == STREAM_OK)
			status = put_away_rest(dirfd, sources[i], err);
	}
	return status == STREAM_OK ? stream_io_sync_dir(dirfd, err) : status;
}

static int
take_plain_names(int dirfd, int64_t base, struct stream_error *err)
{
	int status = rename_made(dirfd, base, STREAM_NAME_LOG, STREAM_NAME_SWAP,
	    STREAM_NAME_PLAIN, err);

	if (status == STREAM_OK)
		status = stream_io_sync_dir(dirfd, err);
	if (status == STREAM_OK)
		status = rename_indexes(
		    dirfd, base, STREAM_NAME_SWAP, STREAM_NAME_PLAIN, err);
	return status == STREAM_OK ? stream_io_sync_dir(dirfd, err) : status;
}

static int
remove_deleted(
    int dirfd, const int64_t *sources, size_t count, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		status =
		    remove_all(dirfd, sources[i], STREAM_NAME_DELETED, err);
		if (status == STREAM_OK && i > 0)
			status = stream_segment_remove_file(dirfd, sources[i],
			    STREAM_NAME_SNAPSHOT, STREAM_NAME_DELETED, err);
	}
	return status;
}

int
stream_swap_commit(int dirfd, const int64_t *sources, size_t count, int made,
    struct stream_error *err)
{
	int64_t base = sources[0];
	int status = commit(dirfd, base, made, err);

	if (status == STREAM_OK)
		status = put_away(dirfd, sources, count, err);
	if (status == STREAM_OK)
		status = take_plain_names(dirfd, base, err);
	if (status == STREAM_OK)
		status = remove_deleted(dirfd, sources, count, err);
	return status;
}

/* Were there ".swap" files too, this would be their commit: not here. */
void
stream_swap_discard(int dirfd, int64_t base_offset, int made)
{
	bool has;

	if (has_log(dirfd, base_offset, STREAM_NAME_SWAP, &has, NULL) ==
		STREAM_OK &&
	    !has && is_made(dirfd, base_offset, STREAM_NAME_CLEANED, made))
		remove_all(dirfd, base_offset, STREAM_NAME_CLEANED, NULL);
}
