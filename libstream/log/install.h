/*
 * install.h - a log takes over, byte for byte, what another log holds
 *
 * Layer log/.  SPEC section 15.3.  Invariants I4 and I8: at every instant, and
 * after a crash at any instant, the log is the front part of what the other one
 * was.  The handle is of stream_partition_open_structure, and nobody else
 * appends.  Files that are brought lie in a directory of the same file system,
 * under the plain names of a segment; a log that was made ready ends in
 * ".cleaned", so that whoever still brings files cannot put another in its
 * place.
 */
#ifndef STREAM_LOG_INSTALL_H
#define STREAM_LOG_INSTALL_H

#include <stdbool.h>

#include "file/checkpoint.h"
#include "file/name.h"
#include "log/arriving.h"
#include "log/measure.h"
#include "log/structure.h"

struct stream_install {
	struct stream_partition *partition;
	int dirfd;                         /* of the partition; borrowed */
	const struct stream_epoch *epochs; /* of the other log; borrowed */
	size_t epoch_count;
	bool (*go_on)(void *context, uint64_t bytes); /* may be NULL */
	void *context;
};

/*
 * Make a log that was brought to dirfd ready: check all its batches, cut what
 * is past measure->bytes, write its indexes and sync all of it.  measure says
 * what must be found.  If the log passes byte mark_at, *mark is its measure's
 * digest there and *marked is set.  closed: not the newest segment.
 *
 * STREAM_ECORRUPT  it holds something else
 * STREAM_ENEWER, STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR
 */
struct stream_install_check {
	int64_t base_offset;
	const struct stream_measure *measure;
	bool closed;
	int64_t interval_bytes; /* of the indexes */
	uint64_t mark_at;
	struct stream_chain mark;
	bool marked;
	/* What was seen of it while it came; is restarted.  May be NULL. */
	struct stream_arriving *arriving;
	bool (*go_on)(void *context, uint64_t bytes); /* may be NULL */
	void *context;
};
int stream_install_ready(
    int dirfd, struct stream_install_check *check, struct stream_error *err);

/* The name of a ready log, to name, which has STREAM_NAME_SIZE bytes. */
void stream_install_name(int64_t base_offset, char *name);

/* Put the files of a ready segment under the same names in another directory,
 * where nobody looks yet.  None of it is durable.  STREAM_EIO. */
int stream_install_move(
    int from, int to, int64_t base_offset, struct stream_error *err);

/*
 * Have the first writer of a partition that nobody sees yet know what its
 * newest segment, which is durable, holds: it need not read all of it.
 * leader_epoch is that of its checkpoint.  STREAM_EIO.
 */
int stream_install_state(int dirfd, int64_t base_offset,
    const struct stream_measure *measure, int32_t leader_epoch,
    struct stream_error *err);

/* The leader epochs of the other log that begin at or below offset, behind
 * those that were there before its first.  exact: only its own.  Durable.
 * STREAM_EIO, STREAM_ENOMEM. */
int stream_install_epochs(const struct stream_install *install, int64_t offset,
    bool exact, struct stream_error *err);

/*
 * Before what a run adds at the end of the log, and after all of it: in between
 * verify takes an append that did not finish, and a log that starts past its
 * end, for what the next run settles.  After a failure the mark stays. durably:
 * the log start is about to pass the end.  STREAM_EIO.
 */
int stream_install_begin(const struct stream_install *install, bool durably,
    struct stream_error *err);
int stream_install_end(
    const struct stream_install *install, struct stream_error *err);

/* No run will finish what one was killed in: a log that it had start past its
 * end goes on where it starts.  Errors as stream_install_roll. */
int stream_install_give_up(struct stream_partition *partition,
    int64_t log_start_offset, struct stream_error *err);

/*
 * Append the batches of the open file fd, whose first byte is byte shift of the
 * other log, up to its byte end; durable.  What the active segment has already
 * is passed over.  STREAM_ECORRUPT: what comes is no batch that follows;
 * STREAM_EIO, STREAM_ENOMEM, STREAM_EINTR.
 */
int stream_install_tail(const struct stream_install *install, int fd,
    uint64_t shift, uint64_t end, struct stream_error *err);

/* Begin a new, empty segment.  STREAM_EIO, STREAM_ENOMEM. */
int stream_install_roll(const struct stream_install *install,
    int64_t base_offset, struct stream_error *err);

/* A ready segment in the directory from becomes the newest one.  STREAM_EIO,
 * STREAM_ENOMEM. */
int stream_install_new(const struct stream_install *install, int from,
    int64_t base_offset, const struct stream_measure *measure,
    struct stream_error *err);

/*
 * Put segments in place of all those from the first one's base offset to below
 * until, in one step; INT64_MAX: to the end of the log, with the other log's
 * leader epochs, and the last of them is brought.  Those that are not ready in
 * from are there already, and stay.
 *
 * STREAM_EBUSY  another is at work on the files, though it should not be (the
 *               state file was replaced, or what was made is gone); nothing
 *               that is its was touched
 * STREAM_EIO, STREAM_ENOMEM.  After a failure the log is the old one or the new
 * one, whole, and the next stream_partition_open_structure settles which.
 */
struct stream_install_segment {
	int64_t base_offset;
	const struct stream_measure *measure;
	bool is_brought;
};
int stream_install_swap(const struct stream_install *install, int from,
    const struct stream_install_segment *segments, size_t count, int64_t until,
    struct stream_error *err);

#endif
