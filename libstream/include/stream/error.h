/*
 * stream/error.h - what a call of libstream returns when it fails
 *
 * Every function that can fail returns one of these as an int and takes a
 * struct stream_error * last, which may be NULL.  Outputs are written only
 * on success, the error only on failure.
 */
#ifndef STREAM_ERROR_H
#define STREAM_ERROR_H

#include <stdint.h>

enum stream_status {
	STREAM_END = 1, /* nothing more to read; not a failure */
	STREAM_OK = 0,
	STREAM_EIO = -1, /* a system call failed; see err->sys */
	STREAM_ENOMEM = -2,
	STREAM_EUSAGE = -3,   /* the caller's argument or input is wrong */
	STREAM_ECORRUPT = -4, /* the bytes contradict the format */
	STREAM_ETORN = -5,    /* the bytes stop early: an unfinished append */
	STREAM_ENEWER = -6,   /* intact, but not supported by this version */
	STREAM_EBUSY = -7,    /* another process holds the lock */
	STREAM_EOFFSET = -8,  /* this log does not hold that offset */
	STREAM_EFENCED = -9,  /* a newer leader took over */
	STREAM_ENOENT = -10,  /* no such topic, partition or path */
	STREAM_EEXIST = -11,  /* it is there already */
	STREAM_ETOOBIG = -12, /* a record is larger than the topic allows */
	STREAM_ELOST = -13,   /* a failed sync took records back */
	STREAM_EINTR = -14    /* the caller asked to stop while it waited */
};

/* err->pos when the failure has no byte position. */
#define STREAM_POS_NONE UINT64_MAX

/* Lives on the caller's stack and owns nothing. */
struct stream_error {
	enum stream_status status;
	int sys;        /* errno for STREAM_EIO, otherwise 0 */
	uint64_t pos;   /* byte of the fault in its file, or STREAM_POS_NONE */
	char text[232]; /* whole message, no newline, ends with NUL */
};

#endif
