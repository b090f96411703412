/*
 * tail.h - what bytes after the last good batch mean
 *
 * Layer file/.  SPEC section 10.  The rules decide what a reader says and
 * what a writer may cut, so they stand in one place.
 */
#ifndef STREAM_FILE_TAIL_H
#define STREAM_FILE_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

#include "file/state.h"

enum stream_tail {
	STREAM_TAIL_NONE,   /* the file ends after a whole batch */
	STREAM_TAIL_TORN,   /* an append that did not finish; may be cut */
	STREAM_TAIL_BAD,    /* a last batch that is all there and wrong: set
			       aside, then cut */
	STREAM_TAIL_LOST,   /* what a loss of power left of appends that were
			       not durable: torn, with good batches in it, so
			       it is set aside, then cut */
	STREAM_TAIL_DAMAGE, /* bytes that were good once; nobody cuts them */
	STREAM_TAIL_NEWER   /* whole, in a format that is not supported */
};

/* What the state says of a segment; all zero if it says nothing. */
struct stream_tail_known {
	uint64_t durable_end; /* bytes known to be synced */
	/* The system was booted since, and nobody has written: bytes past the
	 * durable end may never have reached the disk, whatever follows. */
	bool rebooted;
};

struct stream_tail_known stream_tail_known(const struct stream_state *state,
    const struct stream_state_identity *identity, int64_t base_offset);

/* The same by the state file of the partition dirfd.  STREAM_EIO. */
int stream_tail_load_known(int dirfd, int64_t base_offset,
    struct stream_tail_known *known, struct stream_error *err);

/* Where to begin a walk for which an index names position: a whole batch behind
 * bytes that were lost must not be found by it. */
uint64_t stream_tail_begin(
    const struct stream_tail_known *known, uint64_t position);

/*
 * Judge the bytes of the open file from position (the end of the last good
 * batch) to its end.  expected_offset is the next offset: only a batch at or
 * after it proves that the bytes before it are damage.  cap bounds a batch.
 * Time is linear in the bytes, whatever they hold.
 *
 * STREAM_EIO, STREAM_ENOMEM.
 */
int stream_tail_judge(int fd, uint64_t position, int64_t expected_offset,
    size_t cap, enum stream_tail *tail, struct stream_error *err);

/* The same, where that damage may be what was lost with power.  *known is from
 * before: a writer may have cut and gone on meanwhile. */
int stream_tail_judge_known(int fd, uint64_t position, int64_t expected_offset,
    size_t cap, const struct stream_tail_known *known, enum stream_tail *tail,
    struct stream_error *err);

/*
 * The judgement by which a writer cuts, and repair with it: what lies below
 * the durable end was good once.  A batch can be as large as can be,
 * but a length that is hardly ever true is no torn append: its bytes are set
 * aside and not just cut.  Errors as above.
 */
int stream_tail_judge_cut(int fd, uint64_t position, int64_t expected_offset,
    const struct stream_tail_known *known, enum stream_tail *tail,
    struct stream_error *err);

#endif
