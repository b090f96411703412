#include "log/set_aside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"

/* Bytes that are copied at once. */
enum { COPY = 1 << 16 };

/* The n-th name for one that is taken: "NAME.1". */
static void
put_name(char name[static NAME_MAX + 1], const char *wanted, int n)
{
	if (n == 0)
		snprintf(name, NAME_MAX + 1, "%s", wanted);
	else
		snprintf(name, NAME_MAX + 1, "%s.%d", wanted, n);
}

static int
copy(int log, int to, uint64_t from, struct stream_error *err)
{
	uint8_t bytes[COPY];
	size_t got;
	uint64_t at = 0;
	int status;

	do {
		status = stream_io_read_at(
		    log, bytes, sizeof(bytes), from + at, &got, err);
		if (status == STREAM_OK)
			status =
			    stream_io_write_at(to, bytes, got, at, NULL, err);
		at += got;
	} while (status == STREAM_OK && got == sizeof(bytes));
	return status == STREAM_OK ? stream_io_sync(to, err) : status;
}

int
stream_set_aside_bytes(
    int dirfd, int log, uint64_t from, int64_t offset, struct stream_error *err)
{
	char wanted[64], name[NAME_MAX + 1];
	int fd = -1;
	int status;

	snprintf(wanted, sizeof(wanted), ".strm-cut-%lld", (long long)offset);
	for (int i = 0; fd < 0; i++) {
		put_name(name, wanted, i);
		fd = openat(dirfd, name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (fd < 0 && errno != EEXIST)
			return stream_fail_sys(err, "%s: cannot create", name);
	}
	status = copy(log, fd, from, err);
	close(fd);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(dirfd, err);
	else /* or a full disk would fill with pieces of it */
		unlinkat(dirfd, name, 0);
	return status;
}

/* Where the file system cannot rename without replacing, look first: nobody
 * else makes such names while the partition is locked. */
static int
rename_new(int dirfd, const char *name, const char *aside)
{
	struct stat st;

	if (renameat2(dirfd, name, dirfd, aside, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -1;
	if (fstatat(dirfd, aside, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(dirfd, name, dirfd, aside);
}

int
stream_set_aside_file(int dirfd, const char *name, struct stream_error *err)
{
	char wanted[64], aside[NAME_MAX + 1];

	snprintf(wanted, sizeof(wanted), ".strm-old-%s", name);
	for (int i = 0;; i++) {
		put_name(aside, wanted, i);
		if (rename_new(dirfd, name, aside) == 0)
			return STREAM_OK;
		if (errno == ENOENT)
			return STREAM_OK;
		if (errno != EEXIST)
			return stream_fail_sys(
			    err, "%s: cannot set aside", name);
	}
}
