/*
 * view.h - which segments a partition directory holds at this moment
 *
 * Layer log/.  SPEC section 4.4.  Kafka's loading rule applied without
 * writing: what a broker would find after a start is what a reader sees, also
 * in the middle of a compaction's swap or after one that died.  Takes no lock;
 * the directory is listed until two listings agree, which also holds for a
 * broker's directory that changes meanwhile.
 */
#ifndef STREAM_LOG_VIEW_H
#define STREAM_LOG_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <stream/error.h>

/* How often one who finds that what was listed has gone lists again: a
 * compaction takes longer for its next step. */
enum { STREAM_VIEW_TRIES = 100 };

struct stream_view_segment {
	int64_t base_offset;
	bool swap; /* its files still end in ".swap" */
	/* Of a swap, and after stream_view_note of all: the file that was
	 * listed.  A later compaction's may have the same name before it
	 * counts. */
	ino_t inode;
	struct timespec changed;
};

struct stream_view {
	struct stream_view_segment *segments; /* owned; by base offset */
	size_t count;
};

/*
 * List the partition directory dirfd.  Gives the segments; free them with
 * stream_view_release.  STREAM_EIO, STREAM_ENOMEM; STREAM_EBUSY when the
 * directory does not come to rest.
 */
int stream_view_load(
    int dirfd, struct stream_view *view, struct stream_error *err);

/*
 * The view of one log file alone, whose name is only (borrowed): any state of a
 * name will do.  STREAM_EUSAGE when it is not named as a log is; STREAM_ENOMEM.
 */
int stream_view_load_one(
    const char *only, struct stream_view *view, struct stream_error *err);

void stream_view_release(struct stream_view *view);

/* Do both hold the same segments in the same state? */
bool stream_view_is_same(
    const struct stream_view *a, const struct stream_view *b);

/* Note which files these are, and not only their names.  STREAM_ENOENT when one
 * went meanwhile; STREAM_EIO. */
int stream_view_note(
    struct stream_view *view, int dirfd, struct stream_error *err);

/* Does the directory still hold what was noted, the newest segment grown or
 * followed by others?  false also when it does not come to rest. */
bool stream_view_is_still(const struct stream_view *view, int dirfd);

/* Index of the segment in which offset is, or would be: the last whose base
 * is not above it; the first when all are above it.  count is not 0. */
size_t stream_view_find(const struct stream_view *view, int64_t offset);

/* Open the log of a segment of the view for reading.  STREAM_ENOENT when it
 * went meanwhile: load the view again. */
int stream_view_open(const struct stream_view *view, size_t index, int dirfd,
    int *fd, struct stream_error *err);

/* The same of the segment of this base offset, as the directory is now, for who
 * has no view at hand. */
int stream_view_open_base(
    int dirfd, int64_t base_offset, int *fd, struct stream_error *err);

/* Is the open file fd, whose name is that of a segment of the view, the one
 * that was listed?  One without ".swap" may have been replaced: it is as good.
 */
bool stream_view_is_listed(
    const struct stream_view *view, size_t index, int fd);

/* Has another file the name of the segment of this base offset than the one
 * that is open as fd?  Then that was swapped or taken away meanwhile, and what
 * followed it may now stand in the same file as its own records. */
bool stream_view_is_replaced(
    const struct stream_view *view, int64_t base_offset, int dirfd, int fd);

/* Raise *end to the offset after the last whole batch of a log, by the headers
 * alone.  STREAM_EIO, STREAM_ENOMEM. */
int stream_view_raise_end(int fd, int64_t *end, struct stream_error *err);

#endif
