/*
 * replica_lock.c - one run at a time to a replica, and which runs are alive
 *
 * The kernel drops a lock when who held it dies.  So the lock at the replica is
 * free for the next run, and at the source what was held for a run whose lock
 * is free is of no use to anyone.
 */
#include "store/replica_lock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stream/replica.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/lock.h"
#include "store/layout.h"
#include "store/manifest.h"
#include "store/store_new.h"

/* How often the lock file may be found removed. */
enum { TRIES = 100 };

struct stream_replica_lock {
	struct stream_store *store; /* that was made for it; NULL: it was not */
	int dirfd;
	int fd;
	bool is_run; /* its file goes with it */
	char name[32];
};

/* Who waited may find that the file was removed by who had it. */
static int
take(int dirfd, const char *name, int timeout_ms, int *fd,
    struct stream_error *err)
{
	for (int i = 0; i < TRIES; i++) {
		int status =
		    stream_io_open(dirfd, name, O_RDWR | O_CREAT, fd, err);

		if (status != STREAM_OK)
			return status;
		status = stream_lock_take(
		    *fd, STREAM_LOCK_EXCLUSIVE, 0, 0, timeout_ms, err);
		if (status == STREAM_OK && stream_lock_is_at(*fd, dirfd, name))
			return STREAM_OK;
		close(*fd);
		if (status != STREAM_OK)
			return status;
	}
	return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
	    "%s: is removed again and again", name);
}

static void
name_run(const char *id, char name[static 32])
{
	snprintf(name, 32, "%s.lock", id);
}

static int
take_in(const struct stream_store *store, const char *dir,
    const struct stream_replica_options *options,
    struct stream_replica_lock *lock, struct stream_error *err)
{
	int status = dir == NULL
			 ? stream_dir_open_or_make(
			       store->dirfd, STREAM_OWN_DIR, &lock->dirfd, err)
			 : stream_layout_make(store, dir, &lock->dirfd, err);

	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", store->path);
	status = take(
	    lock->dirfd, lock->name, options->lock_timeout_ms, &lock->fd, err);
	if (status != STREAM_OK)
		close(lock->dirfd);
	if (status == STREAM_EBUSY)
		return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
		    "%s: another run replicates %s it (%s%s%s/%s)", store->path,
		    dir == NULL ? "to" : "from", STREAM_OWN_DIR,
		    dir == NULL ? "" : "/", dir == NULL ? "" : dir, lock->name);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s", store->path);
}

static int
open_and_take(const char *path, unsigned flags, const char *dir,
    const struct stream_replica_options *options,
    struct stream_replica_lock *lock, struct stream_error *err)
{
	struct stream_store *store;
	int status;

	flags |= STREAM_STORE_WRITE | STREAM_STORE_REPLICA |
		 STREAM_STORE_FENCED |
		 (options->network ? STREAM_STORE_NETWORK : 0);
	status = stream_store_open(
	    path, flags, options->lock_timeout_ms, &store, err);
	if (status != STREAM_OK)
		return status;
	status = take_in(store, dir, options, lock, err);
	if (status == STREAM_OK && store->is_new)
		lock->store = store;
	else
		stream_store_discard(store);
	return status;
}

int
stream_replica_lock(const char *path, const char *id,
    const struct stream_replica_options *options,
    struct stream_replica_lock **lock, struct stream_error *err)
{
	struct stream_replica_lock *new;
	int status;

	if (id != NULL && !stream_replica_id_is(id))
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%s\" is no id of a run", id);
	new = calloc(1, sizeof(*new));
	if (new == NULL)
		return stream_fail_memory(err);
	new->is_run = id != NULL;
	if (id != NULL)
		name_run(id, new->name);
	else
		strcpy(new->name, "replica.run");
	status = open_and_take(path, id == NULL ? STREAM_STORE_CREATE : 0,
	    id == NULL ? NULL : STREAM_REPLICATE_DIR, options, new, err);
	if (status == STREAM_OK)
		*lock = new;
	else
		free(new);
	return status;
}

void
stream_replica_unlock(struct stream_replica_lock *lock)
{
	if (lock == NULL)
		return;
	if (lock->is_run)
		unlinkat(lock->dirfd, lock->name, 0);
	stream_store_unmake(lock->store, lock->name);
	close(lock->fd);
	close(lock->dirfd);
	free(lock);
}

/* A run holds its lock to the end: where nobody does, it began elsewhere. */
static int
check_held(const struct stream_store *store, const char *id, bool *held,
    struct stream_error *err)
{
	char name[32] = "replica.run";
	int dirfd, fd;
	int status;

	*held = false;
	if (id != NULL)
		name_run(id, name);
	status =
	    id == NULL
		? stream_dir_open(store->dirfd, STREAM_OWN_DIR, &dirfd, err)
		: stream_layout_open(store, STREAM_REPLICATE_DIR, &dirfd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_io_open(dirfd, name, O_RDONLY, &fd, err);
	close(dirfd);
	if (status != STREAM_OK)
		return status;
	*held = stream_lock_is_held(fd, 0, 0);
	close(fd);
	return STREAM_OK;
}

int
stream_replica_check_locked(
    const char *path, const char *id, struct stream_error *err)
{
	struct stream_store *store;
	bool held;
	int status =
	    stream_store_open(path, 0, STREAM_LOCK_TIMEOUT_MS, &store, err);

	if (status == STREAM_OK) {
		status = check_held(store, id, &held, err);
		stream_store_close(store);
	}
	if (status != STREAM_ENOENT && (status != STREAM_OK || held))
		return status == STREAM_OK
			   ? STREAM_OK
			   : stream_fail_in(err, status, "%s", path);
	return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
	    "%s: is not the store any more with which this run began (moved, "
	    "unmounted or replaced?)",
	    path);
}

/* ---- what dead runs left ------------------------------------------------ */

/* One that is at work has its lock. */
static int
remove_dead(int replicate, const char *id, struct stream_error *err)
{
	char name[32];
	int fd;
	int status;

	name_run(id, name);
	status = take(replicate, name, 0, &fd, err);
	if (status != STREAM_OK)
		return status == STREAM_EBUSY ? STREAM_OK : status;
	status = stream_dir_remove_all(replicate, id, err);
	if (status == STREAM_OK)
		status = stream_dir_remove_file(replicate, name, err);
	close(fd);
	return status;
}

/* The lock of a run that held nothing yet when it died. */
static bool
is_lock_of(const char *name, char id[static STREAM_REPLICA_ID + 1])
{
	size_t size = strlen(name);

	if (size != STREAM_REPLICA_ID + 5 ||
	    strcmp(name + STREAM_REPLICA_ID, ".lock") != 0)
		return false;
	memcpy(id, name, STREAM_REPLICA_ID);
	id[STREAM_REPLICA_ID] = '\0';
	return stream_replica_id_is(id);
}

int
stream_replica_sweep(
    const struct stream_store *store, const char *but, struct stream_error *err)
{
	char id[STREAM_REPLICA_ID + 1];
	struct stream_buf names;
	int replicate;
	int status =
	    stream_layout_open(store, STREAM_REPLICATE_DIR, &replicate, err);

	if (status != STREAM_OK)
		return status == STREAM_ENOENT ? STREAM_OK : status;
	stream_buf_init(&names);
	status = stream_dir_list(replicate, &names, err);
	for (const char *n = stream_dir_next(&names, NULL);
	     n != NULL && status == STREAM_OK; n = stream_dir_next(&names, n)) {
		if (stream_replica_id_is(n))
			strcpy(id, n);
		else if (!is_lock_of(n, id))
			continue;
		if (but == NULL || strcmp(id, but) != 0)
			status = remove_dead(replicate, id, err);
	}
	stream_buf_release(&names);
	close(replicate);
	return status;
}
