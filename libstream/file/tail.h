/*
 * tail.h - what bytes after the last good batch mean
 *
 * Layer file/.  SPEC section 10.  The rules decide what a reader says and
 * what a writer may cut, so they stand in one place.
 */
#ifndef STREAM_FILE_TAIL_H
#define STREAM_FILE_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

enum stream_tail {
	STREAM_TAIL_NONE,   /* the file ends after a whole batch */
	STREAM_TAIL_TORN,   /* an append that did not finish; may be cut */
	STREAM_TAIL_BAD,    /* a last batch that is all there and wrong: set
			       aside, then cut */
	STREAM_TAIL_DAMAGE, /* bytes that were good once; nobody cuts them */
	STREAM_TAIL_NEWER   /* whole, in a format that is not supported */
};

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

/*
 * The judgement by which a writer cuts, and repair with it: what lies below
 * durable_end (0: not known) was good once.  A batch can be as large as can be,
 * but a length that is hardly ever true is no torn append: its bytes are set
 * aside and not just cut.  Errors as above.
 */
int stream_tail_judge_cut(int fd, uint64_t position, int64_t expected_offset,
    uint64_t durable_end, enum stream_tail *tail, struct stream_error *err);

#endif
