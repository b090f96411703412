#include "port/archive_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/lock.h"
#include "file/random.h"
#include "store/layout.h"
#include "store/metadata.h"

#define LOCK_FILE ".lock"

/* ---- the directory ------------------------------------------------------ */

static int
open_restores(const struct stream_store *store, struct stream_build *build,
    struct stream_error *err)
{
	int own;
	int status =
	    stream_dir_open_or_make(store->dirfd, STREAM_OWN_DIR, &own, err);

	if (status != STREAM_OK)
		return status;
	status = stream_dir_open_or_make(
	    own, STREAM_RESTORE_DIR, &build->restores, err);
	close(own);
	return status;
}

/* Who makes a directory holds this until the one is locked, who looks for those
 * that nobody has too. */
static int
guard(int restores, int how, struct stream_error *err)
{
	while (flock(restores, how) != 0)
		if (errno != EINTR)
			return stream_fail_sys(err, "cannot lock");
	return STREAM_OK;
}

/* One whose lock is free, or was lost with power, has nobody any more. */
static void
sweep_one(int restores, const char *name)
{
	int fd, lock = -1;
	int status;

	if (stream_dir_open(restores, name, &fd, NULL) != STREAM_OK)
		return;
	status = stream_io_open(fd, LOCK_FILE, O_RDWR, &lock, NULL);
	if (status == STREAM_OK)
		status = stream_lock_take(
		    lock, STREAM_LOCK_EXCLUSIVE, 0, 0, 0, NULL);
	if (status == STREAM_OK || (lock < 0 && status == STREAM_ENOENT))
		stream_dir_remove_all(restores, name, NULL);
	if (lock >= 0)
		close(lock);
	close(fd);
}

static void
sweep(int restores)
{
	struct stream_buf names;

	stream_buf_init(&names);
	if (stream_dir_list(restores, &names, NULL) == STREAM_OK)
		for (const char *name = stream_dir_next(&names, NULL);
		     name != NULL; name = stream_dir_next(&names, name))
			sweep_one(restores, name);
	stream_buf_release(&names);
}

static int
make(struct stream_build *build, struct stream_error *err)
{
	uint64_t number;
	char name[sizeof(build->name)];
	int status = stream_random((uint8_t *)&number, sizeof(number), err);

	if (status != STREAM_OK)
		return status;
	snprintf(name, sizeof(name), "%016llx", (unsigned long long)number);
	if (mkdirat(build->restores, name, 0700) != 0)
		return stream_fail_sys(err, "cannot make a directory");
	strcpy(build->name, name);
	status = stream_dir_open(build->restores, name, &build->dirfd, err);
	if (status == STREAM_OK)
		status = stream_io_open(build->dirfd, LOCK_FILE,
		    O_RDWR | O_CREAT | O_EXCL, &build->lock, err);
	if (status == STREAM_OK)
		status = stream_lock_take(
		    build->lock, STREAM_LOCK_EXCLUSIVE, 0, 0, 0, err);
	return status;
}

int
stream_build_begin(const struct stream_store *store, struct stream_build *build,
    struct stream_error *err)
{
	int status;

	*build = (struct stream_build){
	    .restores = -1, .dirfd = -1, .lock = -1, .file = -1};
	status = open_restores(store, build, err);
	if (status != STREAM_OK)
		return status;
	status = guard(build->restores, LOCK_EX, err);
	if (status != STREAM_OK)
		return status;
	sweep(build->restores);
	status = make(build, err);
	guard(build->restores, LOCK_UN, NULL);
	return status;
}

void
stream_build_end(struct stream_build *build)
{
	if (build->file >= 0)
		close(build->file);
	if (build->name[0] != '\0')
		stream_dir_remove_all(build->restores, build->name, NULL);
	if (build->lock >= 0)
		close(build->lock);
	if (build->dirfd >= 0)
		close(build->dirfd);
	if (build->restores >= 0)
		close(build->restores);
	*build = (struct stream_build){
	    .restores = -1, .dirfd = -1, .lock = -1, .file = -1};
}

/* ---- files -------------------------------------------------------------- */

/* Never the path's own text: the name is made from what was understood. */
static void
put_name(const struct stream_path *path, char *name)
{
	if (path->kind == STREAM_PATH_SEGMENT)
		stream_name_put(&path->name, name);
	else if (path->kind == STREAM_PATH_EPOCHS)
		strcpy(name, STREAM_EPOCHS_FILE);
	else
		strcpy(name, STREAM_METADATA_FILE);
}

int
stream_build_file(struct stream_build *build,
    const struct stream_archive_entry *entry, struct stream_error *err)
{
	const struct stream_path *path = &entry->parsed;
	char directory[STREAM_PARTITION_NAME_SIZE], name[64];
	int fd;
	int status = stream_partition_name_put(
	    path->topic, path->partition, directory, err);

	if (status == STREAM_OK)
		status =
		    stream_dir_open_or_make(build->dirfd, directory, &fd, err);
	if (status != STREAM_OK)
		return status;
	put_name(path, name);
	status = stream_io_open(
	    fd, name, O_RDWR | O_CREAT | O_EXCL, &build->file, err);
	if (status != STREAM_OK)
		build->file = -1;
	close(fd);
	build->position = 0;
	build->time_s = entry->time_s;
	build->is_log = path->kind == STREAM_PATH_SEGMENT;
	return status;
}

int
stream_build_write(struct stream_build *build, const void *bytes, size_t n,
    struct stream_error *err)
{
	int status = stream_io_write_at(
	    build->file, bytes, n, build->position, NULL, err);

	build->position += n;
	return status;
}

/* Kafka takes a segment without timestamps to be as old as its file. */
int
stream_build_close(struct stream_build *build, struct stream_error *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
	    {.tv_sec = build->time_s > 0 ? build->time_s : 0}};
	int status = STREAM_OK;

	if (build->is_log && futimens(build->file, times) != 0)
		status = stream_fail_sys(err, "cannot set a time");
	close(build->file);
	build->file = -1;
	return status;
}
