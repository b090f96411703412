/*
 * store_new.c - a store's directory is made, and unmade if nothing came of it
 *
 * Whoever is refused at a store that was not there before leaves none.  Writers
 * hold .lock shared, so who holds it exclusively is alone: one that opened it
 * and has not got it yet is told that it is busy, or finds that it is gone.
 * Names are removed one by one, and only what is empty by then: killed in
 * between, an emptier store is left.
 */
#include "store/store_new.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stream/topic.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/lock.h"
#include "store/layout.h"

/* ---- where -------------------------------------------------------------- */

/* Where path is, or would be made: absolute, without links.  NULL: nowhere. */
static char *
resolve(const char *path)
{
	char *real = realpath(path, NULL);
	char *copy, *other, *above;

	if (real != NULL || errno != ENOENT)
		return real;
	copy = strdup(path);
	other = strdup(path);
	above = copy == NULL ? NULL : realpath(dirname(copy), NULL);
	if (above == NULL || other == NULL ||
	    asprintf(&real, "%s/%s", above, basename(other)) < 0)
		real = NULL;
	free(above);
	free(other);
	free(copy);
	return real;
}

/* A directory of that name would be a partition of the store above. */
static int
check_above(char *real, const char *path, struct stream_error *err)
{
	char topic[STREAM_TOPIC_NAME_SIZE];
	char *name = strrchr(real, '/');
	int32_t partition;
	bool has;
	int dirfd;

	if (!stream_partition_name_parse(name + 1, topic, &partition))
		return STREAM_OK;
	*name = '\0';
	if (stream_io_open_dir(AT_FDCWD, *real == '\0' ? "/" : real, &dirfd,
		NULL) != STREAM_OK)
		return STREAM_OK;
	has = !stream_store_is_new(dirfd);
	close(dirfd);
	if (!has)
		return STREAM_OK;
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "%s: has the name of a partition of the store %s: a store holds no "
	    "other",
	    path, *real == '\0' ? "/" : real);
}

int
stream_store_check_place(const char *path, struct stream_error *err)
{
	char *real = resolve(path);
	int status = real == NULL ? STREAM_OK : check_above(real, path, err);

	free(real);
	return status;
}

/* ---- making ------------------------------------------------------------- */

/* A path's last component, made durable in the directory that holds it. */
static int
sync_parent(const char *path, struct stream_error *err)
{
	char *copy = strdup(path);
	char *slash;
	int fd;
	int status;

	if (copy == NULL)
		return stream_fail_memory(err);
	slash = strrchr(copy, '/');
	if (slash != NULL)
		slash[slash == copy ? 1 : 0] = '\0';
	status =
	    stream_io_open_dir(AT_FDCWD, slash != NULL ? copy : ".", &fd, err);
	free(copy);
	if (status != STREAM_OK)
		return status;
	status = stream_io_sync_dir(fd, err);
	close(fd);
	return status;
}

int
stream_store_make_directory(
    const char *path, bool *made, struct stream_error *err)
{
	char *copy = strdup(path);
	size_t size = strlen(path);
	int status = STREAM_OK;

	if (copy == NULL)
		return stream_fail_memory(err);
	while (size > 1 && copy[size - 1] == '/')
		copy[--size] = '\0';
	*made = mkdir(copy, 0777) == 0;
	if (*made)
		status = sync_parent(copy, err);
	else if (errno != EEXIST)
		status = stream_fail_sys(err, "cannot make directory");
	free(copy);
	return status;
}

bool
stream_store_is_new(int dirfd)
{
	bool has;

	return stream_dir_has(dirfd, STREAM_OWN_DIR, &has, NULL) == STREAM_OK &&
	       !has;
}

bool
stream_store_is_at(const struct stream_store *store)
{
	struct stat ours, named;

	return fstat(store->dirfd, &ours) == 0 &&
	       stat(store->path, &named) == 0 && ours.st_dev == named.st_dev &&
	       ours.st_ino == named.st_ino;
}

/* ---- unmaking ----------------------------------------------------------- */

/* Nothing of it is of use when the store is: of what could not be removed
 * nothing need be said. */
static void
remove_empty(int dirfd, const char *name)
{
	struct stream_buf names;
	int fd;

	if (stream_dir_open(dirfd, name, &fd, NULL) != STREAM_OK)
		return;
	stream_buf_init(&names);
	if (stream_dir_list(fd, &names, NULL) == STREAM_OK)
		for (const char *n = stream_dir_next(&names, NULL); n != NULL;
		     n = stream_dir_next(&names, n))
			unlinkat(fd, n, AT_REMOVEDIR);
	stream_buf_release(&names);
	close(fd);
	unlinkat(dirfd, name, AT_REMOVEDIR);
}

static bool
is_one_of(const char *name, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

/* Is all that lies there named in a list? */
static bool
holds_only(int dirfd, const char *const *some, const char *const *others)
{
	struct stream_buf names;
	bool only;

	stream_buf_init(&names);
	only = stream_dir_list(dirfd, &names, NULL) == STREAM_OK;
	for (const char *n = stream_dir_next(&names, NULL); n != NULL && only;
	     n = stream_dir_next(&names, n))
		only = is_one_of(n, some) || is_one_of(n, others);
	stream_buf_release(&names);
	return only;
}

static const char *const dirs[] = {STREAM_INCOMING_DIR, STREAM_RESTORE_DIR,
    STREAM_BUILD_DIR, STREAM_TOPICS_DIR, STREAM_INTENTS_DIR,
    STREAM_REPLICATE_DIR, NULL};
static const char *const none[] = {NULL};

/* Has something come of it?  Looked at before others are kept out for it. */
static bool
is_in_use(int own, const char *const *locks)
{
	bool empty;
	int fd;

	if (!holds_only(own, locks, dirs))
		return true;
	if (stream_dir_open(own, STREAM_TOPICS_DIR, &fd, NULL) != STREAM_OK)
		return false;
	empty = holds_only(fd, none, none);
	close(fd);
	return !empty;
}

/* A replica looks at itself before it is one, and notes that it saw nothing. */
static void
remove_own(int own, const char *const *locks)
{
	unlinkat(own, STREAM_REPLICATE_DIR "/" STREAM_MEASURES_FILE, 0);
	for (size_t i = 0; dirs[i] != NULL; i++)
		remove_empty(own, dirs[i]);
	/* Locks go last, and only with the rest. */
	if (holds_only(own, locks, none))
		for (size_t i = 0; locks[i] != NULL; i++)
			unlinkat(own, locks[i], 0);
}

/* Alone in the store; *fd is its lock, closed when all is done. */
static bool
take_alone(struct stream_store *store, int *fd)
{
	if (store->broker_lock_fd >= 0)
		close(store->broker_lock_fd);
	store->broker_lock_fd = -1;
	if (stream_io_open(store->dirfd, STREAM_BROKER_LOCK, O_RDWR | O_CREAT,
		fd, NULL) != STREAM_OK)
		return false;
	if (stream_lock_take(*fd, STREAM_LOCK_EXCLUSIVE, 0, 0, 0, NULL) ==
	    STREAM_OK)
		return true;
	close(*fd);
	return false;
}

/* A directory that was there keeps .lock: a broker may be about to lock it. */
static void
remove_made(const struct stream_store *store)
{
	if (store->made && stream_store_is_new(store->dirfd) &&
	    stream_store_is_at(store) &&
	    unlinkat(store->dirfd, STREAM_BROKER_LOCK, 0) == 0)
		rmdir(store->path);
}

/* own is -1 where .strm was not made. */
static void
unmake(struct stream_store *store, int own, const char *const *locks)
{
	int fd;

	if ((own >= 0 && is_in_use(own, locks)) || !take_alone(store, &fd))
		return;
	/* Again: until now others might write. */
	if (own >= 0 && !is_in_use(own, locks)) {
		remove_own(own, locks);
		unlinkat(store->dirfd, STREAM_OWN_DIR, AT_REMOVEDIR);
	}
	remove_made(store);
	close(fd);
}

/* One that was there, and was refused before anything was done in it, is as it
 * was. */
static bool
is_touched(const struct stream_store *store)
{
	return store->made || store->broker_lock_fd >= 0;
}

void
stream_store_unmake(struct stream_store *store, const char *run)
{
	const char *const locks[] = {
	    STREAM_STORE_LOCK, STREAM_ROLE_LOCK, run, NULL};
	int own = -1;

	if (store != NULL && store->is_new && is_touched(store)) {
		if (stream_dir_open(store->dirfd, STREAM_OWN_DIR, &own, NULL) !=
		    STREAM_OK)
			own = -1;
		unmake(store, own, locks);
		if (own >= 0)
			close(own);
	}
	stream_store_close(store);
}

void
stream_store_discard(struct stream_store *store)
{
	stream_store_unmake(store, NULL);
}
