/*
 * fail.h - fill a struct stream_error
 *
 * Leaf functions say what is wrong; each layer above adds where, in front:
 * "orders-0/00000000000000000000.log: batch at offset 41: bad CRC".
 */
#ifndef STREAM_BASE_FAIL_H
#define STREAM_BASE_FAIL_H

#include <stream/error.h>

/*
 * Set *err (borrowed, may be NULL) to status, position and message, and
 * return status, so that a check is one line.
 */
__attribute__((format(printf, 4, 5))) int stream_fail(struct stream_error *err,
    enum stream_status status, uint64_t pos, const char *format, ...);

/*
 * The same for a system call that just failed: STREAM_EIO, err->sys = errno,
 * and ": " and the error's text at the end.  ENOENT and ENOTDIR become
 * STREAM_ENOENT, ENOMEM becomes STREAM_ENOMEM.
 */
__attribute__((format(printf, 2, 3))) int stream_fail_sys(
    struct stream_error *err, const char *format, ...);

/*
 * Put "what: " in front of the message in *err.  Returns err's status, so
 * that "return stream_fail_in(err, status, ...)" passes a failure on; with
 * err NULL it returns status.  A message that does not fit is cut at its end.
 */
__attribute__((format(printf, 3, 4))) int stream_fail_in(
    struct stream_error *err, int status, const char *format, ...);

/* STREAM_ENOMEM with a fixed message. */
int stream_fail_memory(struct stream_error *err);

#endif
