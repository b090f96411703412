#include "file/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"

/* O_NONBLOCK so that a FIFO in the place of a file does not hang open(2). */
enum { ALWAYS = O_CLOEXEC | O_NONBLOCK };

static int
check_regular(
    int fd, bool for_writing, const char *name, struct stream_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return stream_fail_sys(err, "%s: cannot stat", name);
	if (!S_ISREG(st.st_mode))
		return stream_fail(err, STREAM_EIO, STREAM_POS_NONE,
		    "%s: not a regular file", name);
	if (for_writing && st.st_nlink > 1) {
		errno = EMLINK;
		return stream_fail_sys(err, "%s: has another hard link", name);
	}
	return STREAM_OK;
}

static int
try_open(int dirfd, const char *name, int flags)
{
	int fd;

	do
		fd = openat(dirfd, name, flags, 0666);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/*
 * Reading leaves no trace: to note the time of access the kernel writes the
 * inode, and of a file that grows while it is read it does so again and again.
 * Only the owner may ask for that, which nobody is for certain of a file that
 * must not be there yet.
 */
static int
open_quietly(int dirfd, const char *name, int flags)
{
	int quietly = (flags & O_EXCL) != 0 ? 0 : O_NOATIME;
	int fd = try_open(dirfd, name, flags | quietly);

	if (fd < 0 && errno == EPERM && quietly != 0)
		fd = try_open(dirfd, name, flags);
	return fd;
}

int
stream_io_open(
    int dirfd, const char *name, int flags, int *fd, struct stream_error *err)
{
	bool for_writing = (flags & O_ACCMODE) != O_RDONLY;
	int opened = open_quietly(dirfd, name, flags | ALWAYS | O_NOFOLLOW);
	int status;

	if (opened < 0)
		return stream_fail_sys(err, "%s: cannot open", name);
	status = check_regular(opened, for_writing, name, err);
	if (status != STREAM_OK) {
		close(opened);
		return status;
	}
	*fd = opened;
	return STREAM_OK;
}

int
stream_io_open_dir(
    int dirfd, const char *name, int *fd, struct stream_error *err)
{
	int opened;

	do
		opened =
		    openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (opened < 0 && errno == EINTR);
	if (opened < 0)
		return stream_fail_sys(err, "%s: cannot open directory", name);
	*fd = opened;
	return STREAM_OK;
}

int
stream_io_read_some_at(int fd, void *to, size_t least, size_t most,
    uint64_t pos, size_t *got, struct stream_error *err)
{
	size_t done = 0;

	while (done < least && done < most) {
		ssize_t r = pread(
		    fd, (uint8_t *)to + done, most - done, (off_t)(pos + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return stream_fail_sys(err, "read at byte %llu failed",
			    (unsigned long long)(pos + done));
		if (r == 0)
			break;
		done += (size_t)r;
	}
	*got = done;
	return STREAM_OK;
}

int
stream_io_read_at(int fd, void *to, size_t n, uint64_t pos, size_t *got,
    struct stream_error *err)
{
	return stream_io_read_some_at(fd, to, n, n, pos, got, err);
}

int
stream_io_write_at(int fd, const void *bytes, size_t n, uint64_t pos,
    size_t *done, struct stream_error *err)
{
	size_t put = 0;
	int status = STREAM_OK;

	while (put < n && status == STREAM_OK) {
		ssize_t w = pwrite(fd, (const uint8_t *)bytes + put, n - put,
		    (off_t)(pos + put));

		if (w > 0)
			put += (size_t)w;
		else if (w == 0)
			errno = ENOSPC;
		if (w == 0 || (w < 0 && errno != EINTR))
			status =
			    stream_fail_sys(err, "write at byte %llu failed",
				(unsigned long long)(pos + put));
	}
	if (done != NULL)
		*done = put;
	return status;
}

int
stream_io_sync(int fd, struct stream_error *err)
{
	int r;

	do
		r = fdatasync(fd);
	while (r != 0 && errno == EINTR);
	return r == 0 ? STREAM_OK : stream_fail_sys(err, "sync failed");
}

int
stream_io_truncate(int fd, uint64_t size, struct stream_error *err)
{
	int r;

	do
		r = ftruncate(fd, (off_t)size);
	while (r != 0 && errno == EINTR);
	if (r == 0)
		return STREAM_OK;
	return stream_fail_sys(
	    err, "cannot cut to %llu bytes", (unsigned long long)size);
}

int
stream_io_size(int fd, uint64_t *size, struct stream_error *err)
{
	/* Cheaper than fstat(2), and nothing here uses the file offset. */
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return stream_fail_sys(err, "cannot find the file's size");
	*size = (uint64_t)end;
	return STREAM_OK;
}

/*
 * Not by fstat(2): whoever is told a file's times has the kernel give it a new
 * and finer one at the next write, and put the inode into the file system's
 * journal.  That is dearer than all else that a small write does.
 */
int
stream_io_has_name(int fd, bool *has_name, struct stream_error *err)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_NLINK, &st) != 0)
		return stream_fail_sys(err, "cannot stat");
	*has_name = st.stx_nlink > 0;
	return STREAM_OK;
}

static int
sync_whole(int fd)
{
	int r;

	do
		r = fsync(fd);
	while (r != 0 && errno == EINTR);
	return r;
}

int
stream_io_sync_whole(int fd, struct stream_error *err)
{
	return sync_whole(fd) == 0 ? STREAM_OK
				   : stream_fail_sys(err, "sync failed");
}

void
stream_io_begin_sync(int fd, uint64_t from, uint64_t to)
{
#ifdef SYNC_FILE_RANGE_WRITE
	sync_file_range(
	    fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
#else
	(void)fd;
	(void)from;
	(void)to;
#endif
}

bool
stream_io_identify(int fd, struct stream_io_identity *id)
{
#ifdef STATX_BTIME
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) != 0 ||
	    (st.stx_mask & STATX_BTIME) == 0)
		return false;
	*id = (struct stream_io_identity){
	    .device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor,
	    .inode = st.stx_ino,
	    .born_s = st.stx_btime.tv_sec,
	    .born_ns = st.stx_btime.tv_nsec,
	};
	return true;
#else
	(void)fd;
	(void)id;
	return false;
#endif
}

bool
stream_io_is_same(
    const struct stream_io_identity *a, const struct stream_io_identity *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->inode != 0 && a->born_s == b->born_s &&
	       a->born_ns == b->born_ns;
}

int
stream_io_sync_dir(int dirfd, struct stream_error *err)
{
	return sync_whole(dirfd) == 0
		   ? STREAM_OK
		   : stream_fail_sys(err, "cannot sync the directory");
}

static int
load_open(int fd, const char *name, size_t limit, struct stream_buf *out,
    struct stream_error *err)
{
	uint64_t size;
	size_t got = 0;
	int status = stream_io_size(fd, &size, err);

	if (status == STREAM_OK && size > limit)
		status = stream_fail(err, STREAM_ECORRUPT, limit,
		    "larger than %zu bytes", limit);
	if (status == STREAM_OK)
		status = stream_buf_reserve(out, (size_t)size, err);
	if (status == STREAM_OK && size > 0)
		status = stream_io_read_at(
		    fd, out->data + out->size, (size_t)size, 0, &got, err);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", name);
	out->size += got;
	return STREAM_OK;
}

int
stream_io_load(int dirfd, const char *name, size_t limit,
    struct stream_buf *out, struct stream_error *err)
{
	int fd;
	int status = stream_io_open(dirfd, name, O_RDONLY, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = load_open(fd, name, limit, out, err);
	close(fd);
	return status;
}

/* A name that nobody can guess and make first in a directory that others may
 * write to. */
static int
make_temporary_name(char name[static 32], struct stream_error *err)
{
	uint64_t noise;

	if (getrandom(&noise, sizeof(noise), 0) != sizeof(noise))
		return stream_fail_sys(err, "no random bytes");
	snprintf(name, 32, ".tmp-%016llx", (unsigned long long)noise);
	return STREAM_OK;
}

/* Write, sync and close the new file.  close is checked: on a file system
 * with quotas it is where a late ENOSPC shows. */
static int
fill(int fd, struct stream_bytes bytes, struct stream_error *err)
{
	int status =
	    stream_io_write_at(fd, bytes.data, bytes.size, 0, NULL, err);

	if (status == STREAM_OK && sync_whole(fd) != 0)
		status = stream_fail_sys(err, "sync failed");
	if (close(fd) != 0 && status == STREAM_OK)
		status = stream_fail_sys(err, "close failed");
	return status;
}

int
stream_io_replace(int dirfd, const char *name, struct stream_bytes bytes,
    struct stream_error *err)
{
	char temporary[32];
	int fd;
	int status = make_temporary_name(temporary, err);

	if (status == STREAM_OK)
		status = stream_io_open(
		    dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL, &fd, err);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", name);
	status = fill(fd, bytes, err);
	if (status == STREAM_OK && renameat(dirfd, temporary, dirfd, name) != 0)
		status = stream_fail_sys(err, "cannot rename into place");
	if (status != STREAM_OK)
		unlinkat(dirfd, temporary, 0);
	else
		status = stream_io_sync_dir(dirfd, err);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s", name);
}

/* ---- a file of one's own ------------------------------------------------ */

enum { COPY = 1 << 20 };

static int
copy_all(int from, int to, struct stream_error *err)
{
	uint8_t *buffer = malloc(COPY);
	uint64_t at = 0;
	size_t got = COPY;
	int status = buffer == NULL ? stream_fail_memory(err) : STREAM_OK;

	while (status == STREAM_OK && got == COPY) {
		status = stream_io_read_at(from, buffer, COPY, at, &got, err);
		if (status == STREAM_OK)
			status =
			    stream_io_write_at(to, buffer, got, at, NULL, err);
		at += got;
	}
	free(buffer);
	return status;
}

static int
copy_file(int from, int to, const struct stat *st, struct stream_error *err)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	int status = copy_all(from, to, err);

	if (status == STREAM_OK &&
	    (fchmod(to, st->st_mode & 07777) != 0 || futimens(to, times) != 0))
		status = stream_fail_sys(err, "cannot set mode and times");
	return status == STREAM_OK ? stream_io_sync_whole(to, err) : status;
}

static int
replace_with_copy(
    int dirfd, const char *name, int from, struct stream_error *err)
{
	char temporary[32];
	struct stat st;
	int to;
	int status = fstat(from, &st) == 0
			 ? make_temporary_name(temporary, err)
			 : stream_fail_sys(err, "cannot stat");

	if (status != STREAM_OK || st.st_nlink < 2)
		return status;
	status = stream_io_open(
	    dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL, &to, err);
	if (status != STREAM_OK)
		return status;
	status = copy_file(from, to, &st, err);
	if (close(to) != 0 && status == STREAM_OK)
		status = stream_fail_sys(err, "close failed");
	if (status == STREAM_OK && renameat(dirfd, temporary, dirfd, name) != 0)
		status = stream_fail_sys(err, "cannot rename into place");
	if (status != STREAM_OK)
		unlinkat(dirfd, temporary, 0);
	return status == STREAM_OK ? stream_io_sync_dir(dirfd, err) : status;
}

int
stream_io_make_own(int dirfd, const char *name, struct stream_error *err)
{
	int from;
	int status = stream_io_open(dirfd, name, O_RDONLY, &from, err);

	if (status != STREAM_OK)
		return status;
	status = replace_with_copy(dirfd, name, from, err);
	close(from);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s", name);
}
