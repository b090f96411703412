/*
 * stream/store.h - a directory of topics
 *
 * Any directory is a store.  Reading takes no lock and changes nothing.  A
 * writer holds the file .lock shared, for as long as the store is open, so
 * that a Kafka broker and writers of ours never work on one store at once.
 *
 * One thread per struct stream_store.  A fork shares its locks with the
 * parent; open the store again in the child.
 */
#ifndef STREAM_STORE_H
#define STREAM_STORE_H

#include <stream/error.h>

struct stream_store;

enum stream_store_flags {
	STREAM_STORE_WRITE = 1 << 0,   /* topics or records will be changed */
	STREAM_STORE_CREATE = 1 << 1,  /* make the directory when missing */
	STREAM_STORE_NETWORK = 1 << 2, /* write to NFS, SMB and 9p as well */
	STREAM_STORE_REPLICA = 1 << 3, /* write to a replica (role.h) */
	STREAM_STORE_FENCED = 1 << 4   /* write to a fenced store */
};

/* How long a lock is waited for when nothing else was asked. */
enum { STREAM_LOCK_TIMEOUT_MS = 10000 };

/*
 * Open the directory path (borrowed).  Gives *store; close it with
 * stream_store_close.  flags are of enum stream_store_flags; every wait for
 * a lock through this store lasts at most lock_timeout_ms.
 *
 * With STREAM_STORE_CREATE the last component of path is made, with mode 0777
 * less the umask.  A writer also finishes or undoes what a process that died
 * left unfinished (stream_store_recover), as far as it can without waiting.
 *
 * STREAM_ENOENT  no such directory
 * STREAM_EUSAGE  one to be made would be a partition directory of another
 * STREAM_EBUSY   a Kafka broker holds the store's .lock
 * STREAM_EFENCED for a writer: it is a replica, or fenced (role.h)
 * STREAM_ECORRUPT, STREAM_ENEWER  what says so cannot be read
 * STREAM_EIO     not permitted; or, for a writer, a directory that everyone
 *                can write to without the sticky bit, or a file system on
 *                the network
 */
int stream_store_open(const char *path, unsigned flags, int lock_timeout_ms,
    struct stream_store **store, struct stream_error *err);

/* Drops the locks too.  NULL is allowed. */
void stream_store_close(struct stream_store *store);

/*
 * Close it after a failure: if there was no store when it was opened with
 * STREAM_STORE_CREATE, there is none afterwards, unless something is in it or
 * another writes to it.  NULL is allowed.
 */
void stream_store_discard(struct stream_store *store);

/* The path as it was given.  Lent until the store is closed. */
const char *stream_store_path(const struct stream_store *store);

/*
 * Finish each deletion, and finish or undo each creation, that a process
 * that died left behind.  Waits for the store's structure lock.  Goes on
 * after a failure and returns the first one.
 *
 * STREAM_EUSAGE  the store was not opened for writing
 * STREAM_EBUSY   the lock, or a partition of a topic to delete, is in use
 * STREAM_EIO, STREAM_ECORRUPT, STREAM_ENOMEM
 */
int stream_store_recover(struct stream_store *store, struct stream_error *err);

/*
 * Remove the temporary files that processes that died left in the store path
 * (borrowed), beside its partitions.  Where there is none, nothing is locked
 * or made; and when another holds the structure lock, a file may be his, and
 * stays.  For a regular run: that it fails does no harm, and is not told.
 */
void stream_store_tidy(const char *path, unsigned flags);

#endif
