/*
 * salvage.c - a salvaged log becomes a directory as a whole
 *
 * It is built in a sibling of the directory that it will be, synced, and then
 * renamed.  A sibling that a process left when it died is emptied and used
 * again; a lock on it keeps two processes apart.
 */
#include <stream/repair.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "log/repair.h"
#include "store/layout.h"
#include "store/repair_place.h"
#include "store/topic.h"

struct target {
	char *parent; /* owned */
	char name[NAME_MAX + 1];
	char new_name[NAME_MAX + 1];
	int parent_fd;
	int fd;                     /* of the new directory, which is locked */
	struct stream_store *store; /* parent, for writing; NULL: no store */
	/* A partition of a topic of ours; its settings. */
	bool is_ours;
	struct stream_topic_settings settings;
	int32_t partition;
};

/* ---- where it goes ------------------------------------------------------ */

static int
split(struct target *target, const char *dir, struct stream_error *err)
{
	size_t size = strlen(dir);
	const char *name;

	while (size > 1 && dir[size - 1] == '/')
		size--;
	for (name = dir + size; name > dir && name[-1] != '/';)
		name--;
	size -= (size_t)(name - dir);
	if (size == 0 || size > NAME_MAX - sizeof("..strm-new") ||
	    (size <= 2 && strspn(name, ".") >= size))
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: not the name of a new directory", dir);
	snprintf(target->name, sizeof(target->name), "%.*s", (int)size, name);
	snprintf(target->new_name, sizeof(target->new_name), ".%.*s.strm-new",
	    (int)size, name);
	target->parent =
	    name > dir ? strndup(dir, (size_t)(name - dir)) : strdup(".");
	return target->parent != NULL ? STREAM_OK : stream_fail_memory(err);
}

/* Not there, or empty. */
static int
check_free(const struct target *target, struct stream_error *err)
{
	struct stream_buf names;
	int fd;
	int status = stream_dir_open(target->parent_fd, target->name, &fd, err);

	if (status != STREAM_OK)
		return status == STREAM_ENOENT &&
			       faccessat(target->parent_fd, target->name, F_OK,
				   AT_SYMLINK_NOFOLLOW) != 0
			   ? STREAM_OK
			   : status;
	stream_buf_init(&names);
	status = stream_dir_list(fd, &names, err);
	if (status == STREAM_OK && names.size > 0)
		status = stream_fail(err, STREAM_EEXIST, STREAM_POS_NONE,
		    "has something in it; name a new directory");
	stream_buf_release(&names);
	close(fd);
	return status;
}

static int
empty(int fd, struct stream_error *err)
{
	struct stream_buf names;
	int status;

	stream_buf_init(&names);
	status = stream_dir_list(fd, &names, err);
	for (const char *n = stream_dir_next(&names, NULL);
	     n != NULL && status == STREAM_OK; n = stream_dir_next(&names, n))
		status = stream_dir_remove_all(fd, n, err);
	stream_buf_release(&names);
	return status;
}

/* Another process may have put it in place between the open and the lock: then
 * what is locked is its result. */
static bool
is_still_new(const struct target *target)
{
	struct stat ours, named;

	return fstat(target->fd, &ours) == 0 &&
	       fstatat(target->parent_fd, target->new_name, &named,
		   AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static int
make_new(struct target *target, struct stream_error *err)
{
	int status = stream_dir_open_or_make(
	    target->parent_fd, target->new_name, &target->fd, err);

	if (status != STREAM_OK)
		return status;
	if (flock(target->fd, LOCK_EX | LOCK_NB) != 0 || !is_still_new(target))
		return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
		    "another process is writing %s", target->new_name);
	return empty(target->fd, err);
}

/* ---- its store ---------------------------------------------------------- */

/* Only where there are signs of one: a plain directory gets no lock file. */
static int
open_store(struct target *target, const struct stream_repair_options *options,
    struct stream_error *err)
{
	unsigned flags = STREAM_STORE_WRITE;
	bool lock, own;
	int status = stream_dir_has(target->parent_fd, ".lock", &lock, err);

	if (status == STREAM_OK)
		status = stream_dir_has(
		    target->parent_fd, STREAM_OWN_DIR, &own, err);
	if (status != STREAM_OK || (!lock && !own))
		return status;
	if (options->network)
		flags |= STREAM_STORE_NETWORK;
	return stream_store_open(target->parent, flags,
	    options->lock_timeout_ms, &target->store, err);
}

static int
ask_settings(struct target *target, struct stream_error *err)
{
	char topic[STREAM_TOPIC_NAME_SIZE];
	int status;

	if (target->store == NULL || !stream_partition_name_parse(target->name,
					 topic, &target->partition))
		return STREAM_OK;
	status = stream_topic_load_settings(
	    target->store, topic, &target->settings, err);
	target->is_ours = status == STREAM_OK &&
			  target->partition < target->settings.partitions;
	return status == STREAM_ENOENT ? STREAM_OK : status;
}

static int
open_target(struct target *target, const char *dir,
    const struct stream_repair_options *options, struct stream_error *err)
{
	int status = split(target, dir, err);

	if (status == STREAM_OK)
		status = stream_io_open_dir(
		    AT_FDCWD, target->parent, &target->parent_fd, err);
	if (status == STREAM_OK)
		status = check_free(target, err);
	if (status == STREAM_OK)
		status = open_store(target, options, err);
	if (status == STREAM_OK)
		status = ask_settings(target, err);
	if (status == STREAM_OK)
		status = make_new(target, err);
	return status;
}

static void
close_target(struct target *target)
{
	if (target->fd >= 0)
		close(target->fd);
	if (target->parent_fd >= 0)
		close(target->parent_fd);
	stream_store_close(target->store);
	free(target->parent);
}

/* rename(2) takes the place of an empty directory, and of no other. */
static int
put_in_place(struct target *target, struct stream_error *err)
{
	if (renameat(target->parent_fd, target->new_name, target->parent_fd,
		target->name) != 0)
		return stream_fail_sys(err, "cannot put it in place");
	return stream_io_sync_dir(target->parent_fd, err);
}

/* ---- salvaging ---------------------------------------------------------- */

/* A batch can hold records on both sides of the log's start. */
static int
keep_log_start(struct target *target, const struct stream_place *place,
    struct stream_error *err)
{
	char topic[STREAM_TOPIC_NAME_SIZE];
	int32_t partition;

	if (place->log_start_offset == 0 ||
	    !stream_partition_name_parse(target->name, topic, &partition))
		return STREAM_OK;
	if (target->store != NULL)
		return stream_store_set_log_start(target->store, topic,
		    partition, place->log_start_offset, err);
	return stream_checkpoint_set(target->parent_fd, STREAM_LOG_START_FILE,
	    topic, partition, place->log_start_offset, err);
}

static int
salvage_to(struct target *target, const struct stream_place *place,
    const struct stream_repair_options *options, struct stream_repair *repair,
    struct stream_salvaged *salvaged, struct stream_error *err)
{
	struct stream_opened_place opened;
	bool gaps = false;
	int status = stream_place_open(place, options, 0, &opened, err);

	/* Where no settings say so, Kafka's habits are the measure. */
	opened.source.is_ours = target->is_ours;
	if (status == STREAM_OK)
		status = stream_log_salvage(
		    &opened.source, target->fd, repair, salvaged, &gaps, err);
	stream_place_close(&opened);
	if (status == STREAM_OK && gaps && target->is_ours)
		status = stream_topic_declare_gaps(
		    target->store, target->settings.topic, err);
	if (status == STREAM_OK)
		status = keep_log_start(target, place, err);
	if (status == STREAM_OK)
		status = put_in_place(target, err);
	return status;
}

int
stream_repair_salvage(const struct stream_place *place,
    const struct stream_repair_options *options, const char *dir,
    struct stream_repair **repair, struct stream_salvaged *salvaged,
    struct stream_error *err)
{
	struct target target = {.parent_fd = -1, .fd = -1};
	struct stream_repair *new;
	int status = stream_repair_new(&new, err);

	if (status != STREAM_OK)
		return status;
	status = open_target(&target, dir, options, err);
	if (status != STREAM_OK)
		stream_fail_in(err, status, "%s", dir);
	else
		status =
		    salvage_to(&target, place, options, new, salvaged, err);
	/* Half of it is of no use to anyone. */
	if (status != STREAM_OK && target.fd >= 0 && status != STREAM_EBUSY)
		stream_dir_remove_all(target.parent_fd, target.new_name, NULL);
	close_target(&target);
	if (status == STREAM_OK)
		*repair = new;
	else
		stream_repair_free(new);
	return status;
}
