#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/lock.h"
#include "store/layout.h"

/* How often the lock file may be found replaced. */
enum { TRIES = 10 };

static int
open_and_lock(int own, int timeout_ms, int *fd, struct stream_error *err)
{
	int status =
	    stream_io_open(own, STREAM_STORE_LOCK, O_RDWR | O_CREAT, fd, err);

	if (status != STREAM_OK)
		return status;
	status =
	    stream_lock_take(*fd, STREAM_LOCK_EXCLUSIVE, 0, 0, timeout_ms, err);
	if (status != STREAM_OK)
		close(*fd);
	return status;
}

/*
 * Someone may have removed .strm to hand the store to a broker, and a third
 * process may have made a new one: then two files are called the lock, and
 * ours is the wrong one.
 */
static int
check_still_the_lock(const struct stream_store *store, int fd, bool *is,
    struct stream_error *err)
{
	struct stat ours, named;

	if (fstat(fd, &ours) != 0)
		return stream_fail_sys(
		    err, "%s: cannot stat", STREAM_STORE_LOCK);
	*is = fstatat(store->dirfd, STREAM_OWN_DIR "/" STREAM_STORE_LOCK,
		  &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	      ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
	return STREAM_OK;
}

static int
lock_once(const struct stream_store *store, int timeout_ms, int *fd,
    struct stream_error *err)
{
	int own;
	int status =
	    stream_dir_open_or_make(store->dirfd, STREAM_OWN_DIR, &own, err);

	if (status != STREAM_OK)
		return status;
	status = open_and_lock(own, timeout_ms, fd, err);
	close(own);
	if (status != STREAM_OK)
		return stream_fail_in(
		    err, status, "%s/%s", STREAM_OWN_DIR, STREAM_STORE_LOCK);
	return STREAM_OK;
}

int
stream_store_lock(struct stream_store *store, int timeout_ms, int *lock_fd,
    struct stream_error *err)
{
	if ((store->flags & STREAM_STORE_WRITE) == 0)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: not opened for writing", store->path);
	for (int tries = 0; tries < TRIES; tries++) {
		bool is = false;
		int fd;
		int status = lock_once(store, timeout_ms, &fd, err);

		if (status != STREAM_OK)
			return status;
		status = check_still_the_lock(store, fd, &is, err);
		if (status == STREAM_OK && is)
			status = stream_store_check_role(store, err);
		if (status == STREAM_OK && is) {
			*lock_fd = fd;
			return STREAM_OK;
		}
		close(fd);
		if (status != STREAM_OK)
			return status;
	}
	return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
	    "%s/%s is replaced again and again", STREAM_OWN_DIR,
	    STREAM_STORE_LOCK);
}

void
stream_store_unlock(int lock_fd)
{
	close(lock_fd);
}
