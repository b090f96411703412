#include "file/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"

/* A partition directory is flat.  What others put below it is removed with
 * it, but not without end: each level holds a descriptor. */
enum { DEEPEST = 16 };

/* How often a directory that fills again is emptied. */
enum { TRIES = 16 };

int
stream_dir_open(int dirfd, const char *name, int *fd, struct stream_error *err)
{
	int opened;

	do
		opened = openat(dirfd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	while (opened < 0 && errno == EINTR);
	if (opened < 0)
		return stream_fail_sys(err, "%s: cannot open directory", name);
	*fd = opened;
	return STREAM_OK;
}

int
stream_dir_open_or_make(
    int dirfd, const char *name, int *fd, struct stream_error *err)
{
	if (mkdirat(dirfd, name, 0777) != 0 && errno != EEXIST)
		return stream_fail_sys(err, "%s: cannot make directory", name);
	return stream_dir_open(dirfd, name, fd, err);
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int
read_names(DIR *dir, struct stream_buf *names, struct stream_error *err)
{
	for (;;) {
		const struct dirent *entry;
		int status;

		errno = 0;
		entry = readdir(dir);
		if (entry == NULL && errno != 0)
			return stream_fail_sys(err, "cannot list directory");
		if (entry == NULL)
			return STREAM_OK;
		if (is_dots(entry->d_name))
			continue;
		status = stream_buf_add(
		    names, entry->d_name, strlen(entry->d_name) + 1, err);
		if (status != STREAM_OK)
			return status;
	}
}

/* A fresh descriptor, since reading moves the position in the directory and
 * the caller's may be shared. */
int
stream_dir_list(int dirfd, struct stream_buf *names, struct stream_error *err)
{
	int fd = -1;
	int status = stream_dir_open(dirfd, ".", &fd, err);
	DIR *dir;

	if (status != STREAM_OK)
		return status;
	dir = fdopendir(fd);
	if (dir == NULL) {
		status = stream_fail_sys(err, "cannot list directory");
		close(fd);
		return status;
	}
	status = read_names(dir, names, err);
	closedir(dir);
	return status;
}

const char *
stream_dir_next(const struct stream_buf *names, const char *name)
{
	const char *first = (const char *)names->data;
	const char *next = name == NULL ? first : name + strlen(name) + 1;

	return names->size == 0 || next == first + names->size ? NULL : next;
}

int
stream_dir_has(int dirfd, const char *name, bool *has, struct stream_error *err)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*has = true;
	else if (errno == ENOENT)
		*has = false;
	else
		return stream_fail_sys(err, "%s: cannot stat", name);
	return STREAM_OK;
}

int
stream_dir_remove_file(int dirfd, const char *name, struct stream_error *err)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return STREAM_OK;
	return stream_fail_sys(err, "%s: cannot remove", name);
}

static bool
is_one_file(int dirfd, const char *one, const char *other)
{
	struct stat a, b;

	return fstatat(dirfd, one, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(dirfd, other, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

int
stream_dir_rename_file(
    int dirfd, const char *from, const char *to, struct stream_error *err)
{
	if (is_one_file(dirfd, from, to))
		return stream_dir_remove_file(dirfd, from, err);
	if (renameat(dirfd, from, dirfd, to) == 0)
		return STREAM_OK;
	return stream_fail_sys(err, "%s: cannot rename to %s", from, to);
}

static int remove_any(
    int dirfd, const char *name, int depth, struct stream_error *err);

static int
remove_content(int fd, int depth, struct stream_error *err)
{
	struct stream_buf names;
	int status;

	stream_buf_init(&names);
	status = stream_dir_list(fd, &names, err);
	for (const char *name = stream_dir_next(&names, NULL);
	     name != NULL && status == STREAM_OK;
	     name = stream_dir_next(&names, name))
		status = remove_any(fd, name, depth, err);
	stream_buf_release(&names);
	return status;
}

static int
empty_dir(int dirfd, const char *name, int depth, struct stream_error *err)
{
	int fd = -1;
	int status = stream_dir_open(dirfd, name, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = remove_content(fd, depth + 1, err);
	close(fd);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s", name);
}

/* Whoever still has the directory open may put a file into it after it was
 * emptied: then once more. */
static int
remove_dir(int dirfd, const char *name, int depth, struct stream_error *err)
{
	if (depth == DEEPEST)
		return stream_fail(err, STREAM_EIO, STREAM_POS_NONE,
		    "%s: directories nest too deep to remove", name);
	for (int tries = 0; tries < TRIES; tries++) {
		int status = empty_dir(dirfd, name, depth, err);

		if (status == STREAM_ENOENT)
			return STREAM_OK;
		if (status != STREAM_OK)
			return status;
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return STREAM_OK;
		if (errno != ENOTEMPTY && errno != EEXIST)
			break;
	}
	return stream_fail_sys(err, "%s: cannot remove", name);
}

/* Linux says EISDIR where POSIX says EPERM for unlinking a directory. */
static int
remove_any(int dirfd, const char *name, int depth, struct stream_error *err)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return STREAM_OK;
	if (errno == EISDIR)
		return remove_dir(dirfd, name, depth, err);
	return stream_fail_sys(err, "%s: cannot remove", name);
}

int
stream_dir_remove_all(int dirfd, const char *name, struct stream_error *err)
{
	return remove_any(dirfd, name, 0, err);
}
