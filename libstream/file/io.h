/*
 * io.h - whole reads and writes, and small files replaced as one
 *
 * Layer file/.  Loops on EINTR and short counts, so that callers never do.
 * Files are opened close-on-exec, without following a final symbolic link,
 * and must be regular.
 */
#ifndef STREAM_FILE_IO_H
#define STREAM_FILE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/record.h>

#include "base/buf.h"

/*
 * Open name in the directory dirfd (AT_FDCWD for the current one) with flags
 * (O_RDONLY, O_RDWR, O_CREAT, O_EXCL...) and mode 0666 less the umask.  For
 * writing, a file with several links is refused (STREAM_EIO, EMLINK): someone
 * else's name leads to the same bytes.  Anything but a regular file is
 * STREAM_EIO.  STREAM_ENOENT when it is not there.
 */
int stream_io_open(
    int dirfd, const char *name, int flags, int *fd, struct stream_error *err);

/* Open the directory name for the *at calls.  As stream_io_open, but the
 * final component may be a symbolic link, since users name stores by them. */
int stream_io_open_dir(
    int dirfd, const char *name, int *fd, struct stream_error *err);

/* Read up to n bytes from pos; *got is less than n only at the end of the
 * file, which is not an error.  STREAM_EIO. */
int stream_io_read_at(int fd, void *to, size_t n, uint64_t pos, size_t *got,
    struct stream_error *err);

/* Read least bytes or more, up to most; *got is less than least only at the
 * end of the file.  Asks no second time when least have come.  STREAM_EIO. */
int stream_io_read_some_at(int fd, void *to, size_t least, size_t most,
    uint64_t pos, size_t *got, struct stream_error *err);

/*
 * Write all n borrowed bytes at pos.  *done, if not NULL, is set even on
 * failure: how many bytes the file took.  STREAM_EIO; err->sys says ENOSPC,
 * EDQUOT, EFBIG...
 */
int stream_io_write_at(int fd, const void *bytes, size_t n, uint64_t pos,
    size_t *done, struct stream_error *err);

/* fdatasync, fsync and ftruncate, again on EINTR.  What is not needed to read
 * the bytes, such as mode and times, is durable after the second only. */
int stream_io_sync(int fd, struct stream_error *err);
int stream_io_sync_whole(int fd, struct stream_error *err);
int stream_io_truncate(int fd, uint64_t size, struct stream_error *err);

/* Have bytes from a position up to another on their way to the disk, where that
 * can be had, and wait for none of them: the sync that must follow is short
 * then.  What fails is told by that. */
void stream_io_begin_sync(int fd, uint64_t from, uint64_t to);

/* Which file it is, for as long as it is there and later: a number that is
 * given again comes with another time of birth. */
struct stream_io_identity {
	uint64_t device;
	uint64_t inode; /* 0: none */
	int64_t born_s;
	uint32_t born_ns;
};

/* false: the file system does not tell when a file was born. */
bool stream_io_identify(int fd, struct stream_io_identity *id);
bool stream_io_is_same(
    const struct stream_io_identity *a, const struct stream_io_identity *b);

/* The size of the open file. */
int stream_io_size(int fd, uint64_t *size, struct stream_error *err);

/* Has the open file still a name?  Removed, or replaced by a rename over it,
 * it has none.  STREAM_EIO. */
int stream_io_has_name(int fd, bool *has_name, struct stream_error *err);

/* fsync of a directory: names in it are durable afterwards. */
int stream_io_sync_dir(int dirfd, struct stream_error *err);

/*
 * Read all of a small file to the end of out.  STREAM_ECORRUPT when it is
 * larger than limit, STREAM_ENOENT when it is not there.
 */
int stream_io_load(int dirfd, const char *name, size_t limit,
    struct stream_buf *out, struct stream_error *err);

/*
 * Put a small file in place as one step: a temporary name in the same
 * directory, write, fsync, checked close, rename, fsync of the directory.
 * After a crash at any point name holds the old bytes or the new ones.
 */
int stream_io_replace(int dirfd, const char *name, struct stream_bytes bytes,
    struct stream_error *err);

/*
 * If the file name has another hard link, put a copy of it in its place, in one
 * step as above: what is written to it from now on stays out of the other one.
 * Its mode and times are those that it had.
 */
int stream_io_make_own(int dirfd, const char *name, struct stream_error *err);

#endif
