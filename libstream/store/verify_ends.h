/*
 * verify_ends.h - what the store's files say of where a log begins and ends
 *
 * Layer store/.  SPEC section 6.  A broker's files are read before the log is,
 * and again when they contradict it: the log only grows meanwhile.
 */
#ifndef STREAM_STORE_VERIFY_ENDS_H
#define STREAM_STORE_VERIFY_ENDS_H

#include <stream/verify.h>

/* One checkpoint file, for one partition. */
struct stream_verify_point {
	int64_t offset;    /* -1: no entry, or no file */
	bool is_malformed; /* why says where */
	struct stream_error why;
};

struct stream_verify_ends {
	struct stream_verify_point recovery;
	struct stream_verify_point start;
	bool was_clean;  /* a broker closed all logs, and none is at work */
	bool replicates; /* a run is at work, or died at it */
};

/* Read them, and the mark of the partition dirfd.  What is not there says
 * nothing.  STREAM_EIO, STREAM_ENOMEM. */
int stream_verify_ends_load(const struct stream_place *place, int dirfd,
    struct stream_verify_ends *ends, struct stream_error *err);

/*
 * Hold ends, which were read before the log, against what was found there in
 * the partition dirfd, and give what contradicts it to the callback of options
 * (all borrowed; options may be NULL), counted in *sum.  STREAM_EIO,
 * STREAM_ENOMEM.
 */
int stream_verify_ends_check(const struct stream_place *place, int dirfd,
    const struct stream_verify_ends *ends,
    const struct stream_verify_options *options,
    struct stream_verify_summary *sum, struct stream_error *err);

#endif
