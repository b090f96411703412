/*
 * role_change.c - make a store a replica, fence it, or lift the fence
 *
 * The file first, durably, under the store's lock; then the partitions are
 * marked, so that writers which have them open ask.  Who dies in between leaves
 * a store that refuses whoever opens it, and whoever asks for another reason;
 * doing it again marks what is left.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/utf8.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/lock.h"
#include "log/partition.h"
#include "store/catalog.h"
#include "store/layout.h"
#include "store/role_change.h"
#include "store/role_file.h"

static int
mark(struct stream_store *store, const struct stream_catalog_item *item,
    struct stream_error *err)
{
	struct stream_log_config config = {
	    .lock_timeout_ms = store->lock_timeout_ms,
	    .ask = stream_store_ask,
	    .ask_context = store,
	};
	int dirfd;
	int status = stream_store_open_partition(
	    store, item->topic, item->partition, &dirfd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_partition_mark_closed(dirfd, &config, err);
	close(dirfd);
	return status;
}

/* Goes on after a failure: one partition that cannot be marked must not leave
 * the others open.  One that is deleted meanwhile needs no mark. */
int
stream_role_mark_all(struct stream_store *store, struct stream_error *err)
{
	struct stream_catalog catalog;
	int first = stream_catalog_load(store, NULL, &catalog, err);

	for (size_t i = 0; first == STREAM_OK && i < catalog.count; i++) {
		const struct stream_catalog_item *item = &catalog.items[i];
		struct stream_error why;
		int status = mark(store, item, &why);

		if (status == STREAM_OK || status == STREAM_ENOENT)
			continue;
		stream_fail_in(
		    &why, status, "%s-%d", item->topic, item->partition);
		if (first == STREAM_OK && err != NULL)
			*err = why;
		first = first == STREAM_OK ? status : first;
	}
	stream_catalog_release(&catalog);
	return first;
}

int
stream_role_begin(struct stream_store *store, struct stream_role_change *change,
    struct stream_error *err)
{
	int status = stream_store_lock(
	    store, store->lock_timeout_ms, &change->lock, err);

	if (status != STREAM_OK)
		return status;
	change->role = (struct stream_role){.is_replica = false};
	status =
	    stream_dir_open(store->dirfd, STREAM_OWN_DIR, &change->own, err);
	if (status == STREAM_OK) {
		/* Whoever made it may have died before it was durable. */
		status = stream_io_sync_dir(store->dirfd, err);
		if (status == STREAM_OK)
			status = stream_role_files_load(
			    change->own, &change->role, err);
		if (status == STREAM_OK)
			return STREAM_OK;
		close(change->own);
	}
	stream_store_unlock(change->lock);
	return status;
}

void
stream_role_end(struct stream_role_change *change)
{
	close(change->own);
	stream_store_unlock(change->lock);
}

int
stream_role_drop(int own, const char *file, struct stream_error *err)
{
	int status = stream_dir_remove_file(own, file, err);

	return status == STREAM_OK ? stream_io_sync_dir(own, err) : status;
}

static int
check_text(const char *text, const char *what, struct stream_error *err)
{
	if (text[0] == '\0')
		return stream_fail(
		    err, STREAM_EUSAGE, STREAM_POS_NONE, "%s is empty", what);
	if (strlen(text) >= STREAM_ROLE_TEXT_SIZE)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s has more than %d bytes", what,
		    STREAM_ROLE_TEXT_SIZE - 1);
	return STREAM_OK;
}

/* JSON holds no other bytes, and the name of a source is for people only. */
static void
copy_readable(const char *text, char *to)
{
	size_t size = strlen(text);
	size_t at = 0;

	memcpy(to, text, size + 1);
	while (at < size) {
		at += stream_utf8_span((uint8_t *)to + at, size - at);
		if (at < size)
			to[at++] = '?';
	}
}

static int
set_replica(
    int own, struct stream_role *role, const char *of, struct stream_error *err)
{
	char name[STREAM_ROLE_TEXT_SIZE];

	copy_readable(of, name);
	if (role->is_replica && strcmp(role->of, name) == 0)
		return STREAM_OK;
	if (!role->is_replica)
		role->replica_since_ms = stream_clock_now_ms();
	strcpy(role->of, name);
	return stream_replica_save(own, role, err);
}

int
stream_role_set_replica(
    struct stream_store *store, const char *of, struct stream_error *err)
{
	struct stream_role_change change;
	int status = check_text(of, "the name of the source", err);

	if (status == STREAM_OK)
		status = stream_role_begin(store, &change, err);
	if (status != STREAM_OK)
		return status;
	status = set_replica(change.own, &change.role, of, err);
	stream_role_end(&change);
	return status == STREAM_OK ? stream_role_mark_all(store, err) : status;
}

int
stream_role_fence(struct stream_store *store, const char *reason, bool *was,
    struct stream_error *err)
{
	struct stream_role_change change;
	bool had;
	int status = check_text(reason, "the reason", err);

	if (status == STREAM_OK && stream_utf8_span((const uint8_t *)reason,
				       strlen(reason)) != strlen(reason))
		status = stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "the reason is not UTF-8");
	if (status == STREAM_OK)
		status = stream_role_begin(store, &change, err);
	if (status != STREAM_OK)
		return status;
	had = change.role.is_fenced;
	if (!had)
		change.role.fenced_since_ms = stream_clock_now_ms();
	strcpy(change.role.reason, reason);
	status = stream_fenced_save(change.own, &change.role, err);
	stream_role_end(&change);
	if (status == STREAM_OK)
		status = stream_role_mark_all(store, err);
	if (status == STREAM_OK)
		*was = had;
	return status;
}

int
stream_role_lift(
    struct stream_store *store, bool *was, struct stream_error *err)
{
	struct stream_role_change change;
	bool had;
	int status = stream_role_begin(store, &change, err);

	if (status != STREAM_OK)
		return status;
	had = change.role.is_fenced;
	status = stream_role_drop(change.own, STREAM_FENCED_FILE, err);
	stream_role_end(&change);
	if (status == STREAM_OK)
		status = stream_role_mark_all(store, err);
	if (status == STREAM_OK)
		*was = had;
	return status;
}

static int
open_hold(const struct stream_store *store, int *fd, struct stream_error *err)
{
	int own;
	int status =
	    stream_dir_open_or_make(store->dirfd, STREAM_OWN_DIR, &own, err);

	if (status != STREAM_OK)
		return status;
	status =
	    stream_io_open(own, STREAM_ROLE_LOCK, O_RDWR | O_CREAT, fd, err);
	close(own);
	return status;
}

int
stream_role_hold(
    struct stream_store *store, int *hold, struct stream_error *err)
{
	int fd;
	int status = open_hold(store, &fd, err);

	if (status != STREAM_OK)
		return stream_fail_in(
		    err, status, "%s/%s", STREAM_OWN_DIR, STREAM_ROLE_LOCK);
	status = stream_lock_take(
	    fd, STREAM_LOCK_EXCLUSIVE, 0, 0, store->lock_timeout_ms, err);
	if (status == STREAM_OK) {
		*hold = fd;
		return STREAM_OK;
	}
	close(fd);
	if (status == STREAM_EBUSY)
		return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
		    "%s: replication or promotion is at work (%s/%s)",
		    store->path, STREAM_OWN_DIR, STREAM_ROLE_LOCK);
	return stream_fail_in(
	    err, status, "%s/%s", STREAM_OWN_DIR, STREAM_ROLE_LOCK);
}

void
stream_role_release(int hold)
{
	close(hold);
}
