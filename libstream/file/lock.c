#include "file/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/fail.h"

/*
 * Waiting tries again rather than using F_OFD_SETLKW, because that has no
 * timeout.  An append holds its lock for microseconds, so the first tries
 * come quickly; a holder that takes much longer is not worth a busy
 * processor.
 */
enum {
	/* Under a microsecond each: together, some appends of others. */
	QUICK_TRIES = 64,
	FIRST_WAIT_NS = 20000,
	/* A sync takes a fraction of a millisecond, and who waits for it should
	 * be there soon after: most often there is nothing left to do. */
	LONGER_WAIT_NS = 160000,
	PATIENCE_MS = 20,
	LONGEST_WAIT_NS = 10000000
};

static int
set(int fd, short type, uint64_t start, uint64_t length)
{
	struct flock lock = {
	    .l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = (off_t)start,
	    .l_len = (off_t)length,
	};

	return fcntl(fd, F_OFD_SETLK, &lock);
}

static int
wait_ns(int64_t ns, struct stream_error *err)
{
	struct timespec pause = {.tv_nsec = (long)ns};

	if (nanosleep(&pause, NULL) == 0)
		return STREAM_OK;
	return stream_fail(err, STREAM_EINTR, STREAM_POS_NONE,
	    "interrupted while waiting for a lock");
}

static int64_t
longer(int64_t ns, int64_t waited_ms)
{
	int64_t most =
	    waited_ms < PATIENCE_MS ? LONGER_WAIT_NS : LONGEST_WAIT_NS;

	return ns * 2 < most ? ns * 2 : most;
}

int
stream_lock_take(int fd, enum stream_lock_kind kind, uint64_t start,
    uint64_t length, int timeout_ms, struct stream_error *err)
{
	short type = kind == STREAM_LOCK_SHARED ? F_RDLCK : F_WRLCK;
	int64_t ns = FIRST_WAIT_NS;
	int64_t start_ms = 0, now_ms;
	int tries = 0;

	while (set(fd, type, start, length) != 0) {
		int status;

		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EACCES)
			return stream_fail_sys(err, "cannot lock");
		if (timeout_ms > 0 && tries++ < QUICK_TRIES) {
			sched_yield();
			continue;
		}
		now_ms = stream_clock_steady_ms();
		if (start_ms == 0)
			start_ms = now_ms;
		if (now_ms - start_ms >= timeout_ms)
			return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
			    "another process holds the lock");
		status = wait_ns(ns, err);
		if (status != STREAM_OK)
			return status;
		ns = longer(ns, now_ms - start_ms);
	}
	return STREAM_OK;
}

void
stream_lock_drop(int fd, uint64_t start, uint64_t length)
{
	set(fd, F_UNLCK, start, length);
}

bool
stream_lock_is_at(int fd, int dirfd, const char *name)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 &&
	       fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

bool
stream_lock_is_held(int fd, uint64_t start, uint64_t length)
{
	struct flock lock = {
	    .l_type = F_WRLCK,
	    .l_whence = SEEK_SET,
	    .l_start = (off_t)start,
	    .l_len = (off_t)length,
	};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
