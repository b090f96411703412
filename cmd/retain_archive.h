/*
 * retain_archive.h - archive what retention is about to take
 */
#ifndef RETAIN_ARCHIVE_H
#define RETAIN_ARCHIVE_H

#include <stream/retain.h>

/*
 * Run strm-archive for the segments of place that the plan takes, and wait for
 * it: they are in a file of their own in directory then, complete, verified and
 * durable.  STREAM_EIO when that failed, STREAM_EINTR.
 */
int retain_archive(const char *directory, const struct stream_place *place,
    const struct stream_retain *retain, struct stream_error *err);

#endif
