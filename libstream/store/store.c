#include "store/store.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/lock.h"
#include "store/layout.h"
#include "store/recover.h"
#include "store/store_new.h"

/*
 * The names that f_type has on file systems where another machine can change
 * a file under our locks, or where locks and renames are not what they are on
 * a disk.
 */
static const char *
network_name(const struct statfs *fs)
{
	switch ((unsigned long)fs->f_type & 0xffffffff) {
	case NFS_SUPER_MAGIC:
		return "NFS";
	case SMB_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
		return "SMB";
	case V9FS_MAGIC:
		return "9p";
	default:
		return NULL;
	}
}

bool
stream_store_is_network(const struct stream_store *store)
{
	struct statfs fs;

	return fstatfs(store->dirfd, &fs) == 0 && network_name(&fs) != NULL;
}

static int
check_file_system(const struct stream_store *store, struct stream_error *err)
{
	struct statfs fs;
	const char *name;

	if ((store->flags & STREAM_STORE_NETWORK) != 0)
		return STREAM_OK;
	if (fstatfs(store->dirfd, &fs) != 0)
		return stream_fail_sys(err, "cannot tell the file system");
	name = network_name(&fs);
	if (name == NULL)
		return STREAM_OK;
	return stream_fail(err, STREAM_EIO, STREAM_POS_NONE,
	    "lies on %s, where locks and renames are too weak to write safely",
	    name);
}

/* Without the sticky bit anyone could put a file of theirs in the place of
 * one of ours. */
static int
check_mode(const struct stream_store *store, struct stream_error *err)
{
	struct stat st;

	if (fstat(store->dirfd, &st) != 0)
		return stream_fail_sys(err, "cannot stat");
	if ((st.st_mode & S_IWOTH) == 0 || (st.st_mode & S_ISVTX) != 0)
		return STREAM_OK;
	return stream_fail(err, STREAM_EIO, STREAM_POS_NONE,
	    "everyone may write to this directory; chmod o-w or +t it first");
}

static bool
may_make(const struct stream_store *store)
{
	return (store->flags & STREAM_STORE_CREATE) != 0;
}

/* How often a store that is to be made may be found removed, and how long it
 * may take whoever removes it. */
enum { TRIES = 10, REMOVING_MS = 1000 };

/* A broker holds its lock for as long as it runs: only for who takes away a
 * store that came to nothing is there a wait. */
static int
take_broker_lock(struct stream_store *store, struct stream_error *err)
{
	int fd;
	int status = stream_io_open(
	    store->dirfd, STREAM_BROKER_LOCK, O_RDONLY | O_CREAT, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_lock_take(fd, STREAM_LOCK_SHARED, 0, 0,
	    may_make(store) ? REMOVING_MS : 0, err);
	if (status == STREAM_OK &&
	    stream_lock_is_at(fd, store->dirfd, STREAM_BROKER_LOCK)) {
		store->broker_lock_fd = fd;
		return STREAM_OK;
	}
	close(fd);
	if (status == STREAM_OK)
		return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
		    "%s: another process, refused there, is removing it; "
		    "try again",
		    store->path);
	if (status == STREAM_EBUSY)
		return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
		    "a Kafka broker holds %s/%s", store->path,
		    STREAM_BROKER_LOCK);
	return status;
}

static int
begin_writing(struct stream_store *store, struct stream_error *err)
{
	int status = check_mode(store, err);

	if (status == STREAM_OK)
		status = check_file_system(store, err);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", store->path);
	status = take_broker_lock(store, err);
	if (status == STREAM_OK)
		status = stream_store_check_role(store, err);
	if (status == STREAM_OK)
		stream_recover_idle(store);
	return status;
}

static int
make_and_open(
    struct stream_store *store, const char *path, struct stream_error *err)
{
	int status = stream_store_make_directory(path, &store->made, err);

	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", path);
	return stream_io_open_dir(AT_FDCWD, path, &store->dirfd, err);
}

static int
open_directory(
    struct stream_store *store, const char *path, struct stream_error *err)
{
	int status = stream_io_open_dir(AT_FDCWD, path, &store->dirfd, err);
	bool is_there = status == STREAM_OK;

	if (!may_make(store) && status == STREAM_ENOENT)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: no such directory", path);
	if (!may_make(store) || (!is_there && status != STREAM_ENOENT))
		return status;
	if (!is_there || stream_store_is_new(store->dirfd))
		status = stream_store_check_place(path, err);
	if (!is_there && status == STREAM_OK)
		status = make_and_open(store, path, err);
	if (status == STREAM_OK)
		store->is_new = stream_store_is_new(store->dirfd);
	return status;
}

static int
open_once(
    struct stream_store *store, const char *path, struct stream_error *err)
{
	int status = open_directory(store, path, err);

	if (status == STREAM_OK && (store->flags & STREAM_STORE_WRITE) != 0)
		status = begin_writing(store, err);
	return status;
}

static void
close_files(struct stream_store *store)
{
	if (store->broker_lock_fd >= 0)
		close(store->broker_lock_fd);
	if (store->dirfd >= 0)
		close(store->dirfd);
	store->broker_lock_fd = store->dirfd = -1;
}

/* One that another made, and took away meanwhile, is made again. */
static int
open_in(struct stream_store *store, const char *path, struct stream_error *err)
{
	int status = open_once(store, path, err);

	for (int i = 1; i < TRIES && status != STREAM_OK && may_make(store) &&
			(store->dirfd >= 0 || status == STREAM_ENOENT) &&
			!stream_store_is_at(store);
	     i++) {
		close_files(store);
		store->is_new = store->made = false;
		status = open_once(store, path, err);
	}
	return status;
}

int
stream_store_open(const char *path, unsigned flags, int lock_timeout_ms,
    struct stream_store **store, struct stream_error *err)
{
	struct stream_store *opened = calloc(1, sizeof(*opened));
	int status;

	if (opened == NULL)
		return stream_fail_memory(err);
	*opened = (struct stream_store){
	    .path = strdup(path),
	    .dirfd = -1,
	    .broker_lock_fd = -1,
	    .lock_timeout_ms = lock_timeout_ms,
	    .flags = flags,
	};
	status = opened->path == NULL ? stream_fail_memory(err)
				      : open_in(opened, path, err);
	if (status != STREAM_OK) {
		stream_store_discard(opened);
		return status;
	}
	*store = opened;
	return STREAM_OK;
}

void
stream_store_close(struct stream_store *store)
{
	if (store == NULL)
		return;
	close_files(store);
	free(store->path);
	free(store);
}

const char *
stream_store_path(const struct stream_store *store)
{
	return store->path;
}

int
stream_store_open_partition(const struct stream_store *store, const char *topic,
    int32_t partition, int *dirfd, struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	int status = stream_partition_name_put(topic, partition, name, err);

	if (status != STREAM_OK)
		return status;
	return stream_dir_open(store->dirfd, name, dirfd, err);
}

int
stream_store_check_partition(const struct stream_store *store,
    const char *topic, int32_t partition, int dirfd, struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	struct stat ours, named;
	int status = stream_partition_name_put(topic, partition, name, err);

	if (status != STREAM_OK)
		return status;
	if (fstat(dirfd, &ours) != 0 ||
	    fstatat(store->dirfd, name, &named, AT_SYMLINK_NOFOLLOW) != 0)
		return stream_fail_sys(err, "cannot stat");
	if (ours.st_dev == named.st_dev && ours.st_ino == named.st_ino)
		return STREAM_OK;
	return stream_fail(
	    err, STREAM_ENOENT, STREAM_POS_NONE, "the partition was deleted");
}

static int
get_offset(const struct stream_store *store, const char *file,
    const char *topic, int32_t partition, int64_t none, int64_t *offset,
    struct stream_error *err)
{
	int64_t found = none;
	int status = stream_checkpoint_find(
	    store->dirfd, file, topic, partition, &found, err);

	if (status != STREAM_OK && status != STREAM_ENOENT &&
	    status != STREAM_ECORRUPT)
		return status;
	*offset = status == STREAM_OK ? found : none;
	return STREAM_OK;
}

int
stream_store_log_start(const struct stream_store *store, const char *topic,
    int32_t partition, int64_t *offset, struct stream_error *err)
{
	return get_offset(
	    store, STREAM_LOG_START_FILE, topic, partition, 0, offset, err);
}

int
stream_store_clean_point(const struct stream_store *store, const char *topic,
    int32_t partition, int64_t *offset, struct stream_error *err)
{
	return get_offset(
	    store, STREAM_CLEANER_FILE, topic, partition, -1, offset, err);
}

static int
set_offset(struct stream_store *store, const char *file, const char *topic,
    int32_t partition, int64_t offset, struct stream_error *err)
{
	int lock;
	int status =
	    stream_store_lock(store, store->lock_timeout_ms, &lock, err);

	if (status != STREAM_OK)
		return status;
	status = stream_checkpoint_set(
	    store->dirfd, file, topic, partition, offset, err);
	stream_store_unlock(lock);
	return status;
}

int
stream_store_set_log_start(struct stream_store *store, const char *topic,
    int32_t partition, int64_t offset, struct stream_error *err)
{
	return set_offset(
	    store, STREAM_LOG_START_FILE, topic, partition, offset, err);
}

int
stream_store_set_clean_point(struct stream_store *store, const char *topic,
    int32_t partition, int64_t offset, struct stream_error *err)
{
	return set_offset(
	    store, STREAM_CLEANER_FILE, topic, partition, offset, err);
}

int
stream_store_compaction_time(const struct stream_store *store,
    const char *topic, int32_t partition, int64_t *time_ms,
    struct stream_error *err)
{
	int own = -1;
	int status = stream_dir_open(store->dirfd, STREAM_OWN_DIR, &own, err);

	if (status == STREAM_OK)
		status = stream_checkpoint_find(own, STREAM_COMPACTION_TIMES,
		    topic, partition, time_ms, err);
	if (own >= 0)
		close(own);
	if (status != STREAM_ENOENT && status != STREAM_ECORRUPT)
		return status;
	*time_ms = -1;
	return STREAM_OK;
}

static int
put_compaction_time(int own, const char *topic, int32_t partition,
    int64_t time_ms, struct stream_error *err)
{
	int status = stream_checkpoint_set(
	    own, STREAM_COMPACTION_TIMES, topic, partition, time_ms, err);

	if (status != STREAM_ECORRUPT)
		return status;
	status = stream_dir_remove_file(own, STREAM_COMPACTION_TIMES, err);
	return status == STREAM_OK
		   ? stream_checkpoint_set(own, STREAM_COMPACTION_TIMES, topic,
			 partition, time_ms, err)
		   : status;
}

int
stream_store_set_compaction_time(struct stream_store *store, const char *topic,
    int32_t partition, int64_t time_ms, struct stream_error *err)
{
	int own = -1;
	int lock;
	int status =
	    stream_store_lock(store, store->lock_timeout_ms, &lock, err);

	if (status != STREAM_OK)
		return status;
	status = stream_dir_open(store->dirfd, STREAM_OWN_DIR, &own, err);
	if (status == STREAM_OK)
		status =
		    put_compaction_time(own, topic, partition, time_ms, err);
	if (own >= 0)
		close(own);
	stream_store_unlock(lock);
	return status;
}
