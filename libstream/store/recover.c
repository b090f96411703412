#include "store/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/state.h"
#include "log/partition.h"
#include "store/layout.h"
#include "store/metadata.h"
#include "store/topic.h"

/*
 * How long a partition's locks are waited for under the structure lock.  A
 * process that holds the partition may be waiting for the structure lock, so
 * this must end; an append is over by then.
 */
enum { MOMENT_MS = 20 };

/* --- offsets ------------------------------------------------------------- */

static int
forget(int dirfd, const char *file, const struct stream_intent *intent,
    struct stream_error *err)
{
	int status =
	    stream_checkpoint_drop_topic(dirfd, file, intent->topic, err);

	return status == STREAM_ECORRUPT ? STREAM_OK : status;
}

/*
 * A topic that is made later under the same name must not begin where this
 * one did, nor count as clean up to where this one was.  A checkpoint file that
 * is malformed counts as none, for readers and here.
 */
static int
forget_offsets(const struct stream_change *change,
    const struct stream_intent *intent, struct stream_error *err)
{
	int store = change->store->dirfd;
	int own;
	int status = forget(store, STREAM_LOG_START_FILE, intent, err);

	if (status == STREAM_OK)
		status = forget(store, STREAM_CLEANER_FILE, intent, err);
	if (status == STREAM_OK)
		status = stream_dir_open(store, STREAM_OWN_DIR, &own, err);
	if (status != STREAM_OK)
		return status;
	status = forget(own, STREAM_COMPACTION_TIMES, intent, err);
	close(own);
	return status;
}

/* --- a creation ---------------------------------------------------------- */

static int
has_id(int dirfd, const char *id, bool *has, struct stream_error *err)
{
	char found[STREAM_TOPIC_ID_SIZE];
	int status = stream_metadata_load(dirfd, found, err);

	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT)
		*has = false;
	else if (status == STREAM_OK)
		*has = strcmp(found, id) == 0;
	else
		return status;
	return STREAM_OK;
}

/*
 * Only what this creation made is taken back: a directory of that name which
 * someone put there since has another id, or none.  One that cannot be looked
 * at is an error: without its intent it would count as a foreign topic.
 */
static int
is_of_creation(const struct stream_change *change, const char *name,
    const struct stream_intent *intent, bool *is, struct stream_error *err)
{
	int fd;
	int status = stream_dir_open(change->store->dirfd, name, &fd, err);

	*is = false;
	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	status = has_id(fd, intent->token, is, err);
	close(fd);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s", name);
}

/*
 * Out of the store by one rename, and taken apart elsewhere: were its files
 * removed in place, a crash in between would leave a directory that no longer
 * says whose it is.
 */
static int
take_back(const struct stream_change *change,
    const struct stream_intent *intent, int32_t partition,
    struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	bool is = false;
	int status =
	    stream_partition_name_put(intent->topic, partition, name, err);

	if (status == STREAM_OK)
		status = is_of_creation(change, name, intent, &is, err);
	if (status != STREAM_OK || !is)
		return status;
	status = stream_dir_remove_all(change->build, name, err);
	if (status != STREAM_OK)
		return status;
	if (renameat(change->store->dirfd, name, change->build, name) != 0)
		return stream_fail_sys(err, "%s: cannot take back", name);
	return STREAM_OK;
}

static int
undo_creation(const struct stream_change *change,
    const struct stream_intent *intent, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < intent->count && status == STREAM_OK; i++)
		status = take_back(change, intent, intent->partitions[i], err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(change->store->dirfd, err);
	/* A restore sets log starts before it commits. */
	if (status == STREAM_OK)
		status = forget_offsets(change, intent, err);
	if (status == STREAM_OK)
		stream_change_sweep(change);
	return status;
}

/* The settings file decides; that it is there does not yet mean that it is
 * durable. */
static int
finish_creation(const struct stream_change *change,
    const struct stream_intent *intent, struct stream_error *err)
{
	char name[STREAM_DOCUMENT_NAME_SIZE];
	bool committed;
	int status;

	stream_layout_document(intent->topic, name);
	status = stream_dir_has(change->topics, name, &committed, err);
	if (status != STREAM_OK)
		return status;
	if (committed)
		return stream_io_sync_dir(change->topics, err);
	return undo_creation(change, intent, err);
}

/* --- a deletion ---------------------------------------------------------- */

/* Kafka's form for a directory that waits to be removed; as in Kafka a long
 * topic name is cut, so that the whole fits into 255 bytes. */
static void
put_deleted_name(
    const struct stream_intent *intent, int32_t partition, char *name)
{
	char tail[sizeof("-2147483647.-delete") + STREAM_MARK_SIZE];
	int size = snprintf(
	    tail, sizeof(tail), "-%d.%s-delete", partition, intent->token);

	snprintf(name, STREAM_PARTITION_NAME_SIZE, "%.*s%s",
	    STREAM_PARTITION_NAME_SIZE - 1 - size, intent->topic, tail);
}

static int
mark_partition(const struct stream_store *store,
    const struct stream_intent *intent, int32_t partition, int timeout_ms,
    struct stream_error *err)
{
	int fd;
	int status = stream_store_open_partition(
	    store, intent->topic, partition, &fd, err);

	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	status = stream_partition_mark_deleted(fd, timeout_ms, err);
	close(fd);
	if (status == STREAM_OK || status == STREAM_ENOENT)
		return STREAM_OK;
	return stream_fail_in(err, status, "%s-%d", intent->topic, partition);
}

/* Writers that have the partitions open see the mark when they next take a
 * lock, and stop. */
static int
mark_all(const struct stream_store *store, const struct stream_intent *intent,
    int timeout_ms, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < intent->count && status == STREAM_OK; i++)
		status = mark_partition(
		    store, intent, intent->partitions[i], timeout_ms, err);
	return status;
}

static int
set_aside(const struct stream_change *change,
    const struct stream_intent *intent, int32_t partition,
    struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	char deleted[STREAM_PARTITION_NAME_SIZE];
	int dirfd = change->store->dirfd;
	int status =
	    stream_partition_name_put(intent->topic, partition, name, err);

	if (status != STREAM_OK)
		return status;
	put_deleted_name(intent, partition, deleted);
	if (renameat(dirfd, name, dirfd, deleted) == 0 || errno == ENOENT)
		return STREAM_OK;
	return stream_fail_sys(err, "%s: cannot set aside", name);
}

static int
set_all_aside(const struct stream_change *change,
    const struct stream_intent *intent, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < intent->count && status == STREAM_OK; i++)
		status = set_aside(change, intent, intent->partitions[i], err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(change->store->dirfd, err);
	return status;
}

static int
remove_content(int dirfd, struct stream_error *err)
{
	struct stream_buf names;
	int status;

	stream_buf_init(&names);
	status = stream_dir_list(dirfd, &names, err);
	for (const char *name = stream_dir_next(&names, NULL);
	     name != NULL && status == STREAM_OK;
	     name = stream_dir_next(&names, name))
		if (strcmp(name, STREAM_STATE_NAME) != 0)
			status = stream_dir_remove_all(dirfd, name, err);
	stream_buf_release(&names);
	return status;
}

/*
 * The state goes last, since it holds the mark.  A writer that opened the
 * directory before it was set aside then finds the mark or, in a state that it
 * makes anew, a partition without a log; never a log without the mark.
 */
static int
remove_partition(const struct stream_change *change, const char *name,
    struct stream_error *err)
{
	int root = change->store->dirfd;
	int fd;
	int status = stream_dir_open(root, name, &fd, err);

	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	status = remove_content(fd, err);
	close(fd);
	return status == STREAM_OK ? stream_dir_remove_all(root, name, err)
				   : status;
}

static int
remove_all(const struct stream_change *change,
    const struct stream_intent *intent, struct stream_error *err)
{
	char deleted[STREAM_PARTITION_NAME_SIZE];
	int status = STREAM_OK;

	for (size_t i = 0; i < intent->count && status == STREAM_OK; i++) {
		put_deleted_name(intent, intent->partitions[i], deleted);
		status = remove_partition(change, deleted, err);
	}
	if (status == STREAM_OK)
		status = stream_io_sync_dir(change->store->dirfd, err);
	return status;
}

static int
finish_deletion(const struct stream_change *change,
    const struct stream_intent *intent, struct stream_error *err)
{
	int status = mark_all(change->store, intent, MOMENT_MS, err);

	if (status == STREAM_OK)
		status = set_all_aside(change, intent, err);
	if (status == STREAM_OK)
		status = remove_all(change, intent, err);
	if (status == STREAM_OK)
		status = forget_offsets(change, intent, err);
	if (status == STREAM_OK)
		status =
		    stream_change_drop_settings(change, intent->topic, err);
	return status;
}

/* --- either -------------------------------------------------------------- */

int
stream_recover_in(const struct stream_change *change, const char *name,
    struct stream_error *err)
{
	struct stream_intent intent;
	int status = stream_intent_load(change->intents, name, &intent, err);

	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	if (intent.kind == STREAM_INTENT_CREATE)
		status = finish_creation(change, &intent, err);
	else
		status = finish_deletion(change, &intent, err);
	if (status == STREAM_OK)
		status = stream_change_drop_intent(change, name, err);
	stream_intent_release(&intent);
	return status;
}

static int
recover_under_lock(
    struct stream_store *store, const char *name, struct stream_error *err)
{
	struct stream_change change;
	int status =
	    stream_change_begin(store, store->lock_timeout_ms, &change, err);

	if (status != STREAM_OK)
		return status;
	status = stream_recover_in(&change, name, err);
	stream_change_end(&change);
	return status;
}

/* The long wait for a partition comes first, without the structure lock. */
int
stream_recover_topic(
    struct stream_store *store, const char *name, struct stream_error *err)
{
	struct stream_intent intent = {.partitions = NULL};
	int status = stream_topic_load_intent(store, name, &intent, err);

	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status == STREAM_OK && intent.kind == STREAM_INTENT_DELETE)
		status = mark_all(store, &intent, store->lock_timeout_ms, err);
	if (status == STREAM_OK)
		status = recover_under_lock(store, name, err);
	stream_intent_release(&intent);
	return status;
}
