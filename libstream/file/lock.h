/*
 * lock.h - open-file-description locks on ranges of bytes
 *
 * Layer file/.  The kernel drops a lock when its last descriptor closes, so
 * a process that dies leaves none.  Two descriptors from two opens are two
 * owners even in one process; a fork shares them (libstream(3), CAVEATS).
 * F_OFD_SETLK in fcntl(2).
 */
#ifndef STREAM_FILE_LOCK_H
#define STREAM_FILE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/error.h>

enum stream_lock_kind {
	STREAM_LOCK_SHARED,   /* F_RDLCK; the descriptor must be readable */
	STREAM_LOCK_EXCLUSIVE /* F_WRLCK; it must be writable */
};

/*
 * Lock length bytes from start (length 0: to infinity).  Waits at most
 * timeout_ms (0: not at all) by trying again after 20 us, 40 us and so on, up
 * to 10 ms; then STREAM_EBUSY.  STREAM_EINTR when a signal with a handler
 * interrupts one of these sleeps.  STREAM_EIO.
 */
int stream_lock_take(int fd, enum stream_lock_kind kind, uint64_t start,
    uint64_t length, int timeout_ms, struct stream_error *err);

/* Give the range back.  Cannot fail on a range that is held. */
void stream_lock_drop(int fd, uint64_t start, uint64_t length);

/* Is the open file the one of that name?  If it was removed, or replaced, its
 * lock keeps nobody out. */
bool stream_lock_is_at(int fd, int dirfd, const char *name);

/* Would an exclusive lock on the range have to wait?  Takes nothing. */
bool stream_lock_is_held(int fd, uint64_t start, uint64_t length);

#endif
