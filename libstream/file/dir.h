/*
 * dir.h - directories: what is in them, making and removing them
 *
 * Layer file/.  A symbolic link is never followed here: someone else could
 * have put it in the place of a directory of ours.
 */
#ifndef STREAM_FILE_DIR_H
#define STREAM_FILE_DIR_H

#include <stdbool.h>

#include <stream/error.h>

#include "base/buf.h"

/*
 * Open the directory name in dirfd, refusing a symbolic link.  The caller
 * closes *fd.  STREAM_ENOENT, STREAM_EIO.
 */
int stream_dir_open(
    int dirfd, const char *name, int *fd, struct stream_error *err);

/* The same, but make it when it is missing (mode 0777 less the umask).  The
 * new name is not yet durable: stream_io_sync_dir(dirfd). */
int stream_dir_open_or_make(
    int dirfd, const char *name, int *fd, struct stream_error *err);

/*
 * Add the names in the directory to the end of names, each followed by a NUL,
 * in no order, without "." and "..".  Walk them with stream_dir_next.
 */
int stream_dir_list(
    int dirfd, struct stream_buf *names, struct stream_error *err);

/* The name after name (lent, as names holds it), or the first one when name
 * is NULL; NULL at the end. */
const char *stream_dir_next(const struct stream_buf *names, const char *name);

/* Is there something of that name, a link included?  STREAM_OK or
 * STREAM_EIO. */
int stream_dir_has(
    int dirfd, const char *name, bool *has, struct stream_error *err);

/*
 * Remove name and all that is in it.  Nothing there is no failure.  Half of
 * it may be gone after a failure.  STREAM_EIO, STREAM_ENOMEM.
 */
int stream_dir_remove_all(
    int dirfd, const char *name, struct stream_error *err);

/* Remove the file name.  Nothing there is no failure.  STREAM_EIO. */
int stream_dir_remove_file(
    int dirfd, const char *name, struct stream_error *err);

/* Rename a file, over what may be there.  Where both names are of one file the
 * old one goes too: rename(2) alone leaves both.  STREAM_ENOENT, STREAM_EIO. */
int stream_dir_rename_file(
    int dirfd, const char *from, const char *to, struct stream_error *err);

#endif
