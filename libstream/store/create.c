#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "store/create.h"
#include "store/layout.h"
#include "store/metadata.h"
#include "store/recover.h"
#include "store/topic.h"

/* What a partition starts with: the first segment and its indexes, empty. */
static const enum stream_name_kind first_files[] = {
    STREAM_NAME_LOG,
    STREAM_NAME_INDEX,
    STREAM_NAME_TIMEINDEX,
};

enum { FIRST_FILE_COUNT = sizeof(first_files) / sizeof(first_files[0]) };

/* --- what is asked for --------------------------------------------------- */

static int
check_request(const char *name, int32_t partitions,
    const struct stream_topic_config *config, struct stream_error *err)
{
	char last[STREAM_PARTITION_NAME_SIZE];
	int status = stream_topic_check_name(name, err);

	if (status != STREAM_OK)
		return status;
	if (strncmp(name, "__", 2) == 0)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: names that begin with \"__\" are Kafka's own", name);
	if (partitions < 1 || partitions > STREAM_TOPIC_PARTITIONS_MAX)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: a topic has 1 to %d partitions", name,
		    STREAM_TOPIC_PARTITIONS_MAX);
	status = stream_partition_name_put(name, partitions - 1, last, err);
	return status == STREAM_OK ? stream_topic_config_check(config, err)
				   : status;
}

int
stream_create_check_absent(const struct stream_change *change, const char *name,
    struct stream_error *err)
{
	char document[STREAM_DOCUMENT_NAME_SIZE];
	struct stream_catalog catalog;
	bool has;
	int status;

	stream_layout_document(name, document);
	status = stream_dir_has(change->topics, document, &has, err);
	if (status != STREAM_OK)
		return status;
	if (has)
		return stream_fail(err, STREAM_EEXIST, STREAM_POS_NONE,
		    "%s: this topic exists already", name);
	status = stream_catalog_load(change->store, name, &catalog, err);
	if (status == STREAM_OK && catalog.count > 0)
		status = stream_fail(err, STREAM_EEXIST, STREAM_POS_NONE,
		    "%s: this topic exists already, not made by strm", name);
	stream_catalog_release(&catalog);
	return status;
}

/* --- partitions, apart from the store ------------------------------------ */

static int
make_file(int dirfd, const char *name, struct stream_error *err)
{
	int fd;
	int status =
	    stream_io_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, &fd, err);

	if (status == STREAM_OK)
		close(fd);
	return status;
}

int
stream_create_segment(int dirfd, int64_t base_offset, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int status = STREAM_OK;

	for (int i = 0; i < FIRST_FILE_COUNT && status == STREAM_OK; i++) {
		stream_name_put_plain(base_offset, first_files[i], name);
		status = make_file(dirfd, name, err);
	}
	return status;
}

static int
make_files(int dirfd, const char *id, struct stream_error *err)
{
	int status = stream_metadata_create(dirfd, id, err);

	return status == STREAM_OK ? stream_create_segment(dirfd, 0, err)
				   : status;
}

static int
sync_file(int dirfd, const char *name, struct stream_error *err)
{
	int fd;
	int status = stream_io_open(dirfd, name, O_RDONLY, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_io_sync(fd, err);
	close(fd);
	return status;
}

static int
sync_files(int dirfd, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int status = sync_file(dirfd, STREAM_METADATA_FILE, err);

	for (int i = 0; i < FIRST_FILE_COUNT && status == STREAM_OK; i++) {
		stream_name_put_plain(0, first_files[i], name);
		status = sync_file(dirfd, name, err);
	}
	return status == STREAM_OK ? stream_io_sync_dir(dirfd, err) : status;
}

static int
build(const struct stream_change *change, const char *id, const char *name,
    struct stream_error *err)
{
	int fd;
	int status = stream_dir_remove_all(change->build, name, err);

	if (status == STREAM_OK)
		status = stream_dir_open_or_make(change->build, name, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = make_files(fd, id, err);
	close(fd);
	return status;
}

static int
sync_built(const struct stream_change *change, const char *name,
    struct stream_error *err)
{
	int fd;
	int status = stream_dir_open(change->build, name, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = sync_files(fd, err);
	close(fd);
	return status;
}

/* An empty directory would be replaced by a plain rename.  Where the file
 * system cannot refuse that (EINVAL), somebody has looked. */
int
stream_create_move_in(const struct stream_change *change, int from,
    const char *name, struct stream_error *err)
{
	int root = change->store->dirfd;
	int r = renameat2(from, name, root, name, RENAME_NOREPLACE);

	if (r != 0 && errno == EINVAL)
		r = renameat(from, name, root, name);
	return r == 0 ? STREAM_OK
		      : stream_fail_sys(
			    err, "%s: cannot move into the store", name);
}

enum step { BUILD, SYNC, MOVE };

/*
 * One step for all partitions before the next step for any: the first sync
 * then writes out what all of them need, and the others cost little.
 */
static int
each_partition(const struct stream_change *change,
    const struct stream_topic_settings *settings, enum step step,
    struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	int status = STREAM_OK;

	for (int32_t p = 0; p < settings->partitions && status == STREAM_OK;
	     p++) {
		status =
		    stream_partition_name_put(settings->topic, p, name, err);
		if (status != STREAM_OK)
			break;
		if (step == BUILD)
			status = build(change, settings->id, name, err);
		else if (step == SYNC)
			status = sync_built(change, name, err);
		else
			status = stream_create_move_in(
			    change, change->build, name, err);
	}
	return status;
}

/* --- the order of steps -------------------------------------------------- */

int
stream_create_save_intent(const struct stream_change *change,
    const struct stream_topic_settings *settings, struct stream_error *err)
{
	struct stream_intent intent = {.kind = STREAM_INTENT_CREATE};
	int status;

	intent.count = (size_t)settings->partitions;
	intent.partitions = calloc(intent.count, sizeof(*intent.partitions));
	if (intent.partitions == NULL)
		return stream_fail_memory(err);
	for (int32_t p = 0; p < settings->partitions; p++)
		intent.partitions[p] = p;
	strcpy(intent.topic, settings->topic);
	strcpy(intent.token, settings->id);
	status = stream_intent_save(change->intents, &intent, err);
	stream_intent_release(&intent);
	return status;
}

/*
 * Each step is durable before the next.  Up to the settings file the topic is
 * not there and recovery undoes it; from then on it is, and recovery has only
 * the intent to remove.
 */
static int
make(const struct stream_change *change,
    const struct stream_topic_settings *settings, struct stream_error *err)
{
	int status = stream_create_save_intent(change, settings, err);

	if (status == STREAM_OK)
		status = each_partition(change, settings, BUILD, err);
	if (status == STREAM_OK)
		status = each_partition(change, settings, SYNC, err);
	if (status == STREAM_OK)
		status = each_partition(change, settings, MOVE, err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(change->store->dirfd, err);
	if (status == STREAM_OK)
		status =
		    stream_topic_settings_save(change->topics, settings, err);
	return status;
}

/*
 * The settings file may be there although writing it failed, in the sync
 * after the rename.  As long as it cannot be removed for certain the intent
 * stays, and the next writer decides by what it finds.
 */
void
stream_create_undo(const struct stream_change *change, const char *name)
{
	if (stream_change_drop_settings(change, name, NULL) == STREAM_OK)
		stream_recover_in(change, name, NULL);
}

static int
create_in(const struct stream_change *change,
    const struct stream_topic_settings *settings, struct stream_error *err)
{
	int status = stream_recover_in(change, settings->topic, err);

	if (status == STREAM_OK)
		status =
		    stream_create_check_absent(change, settings->topic, err);
	if (status != STREAM_OK)
		return status;
	stream_change_sweep(change);
	status = make(change, settings, err);
	if (status != STREAM_OK) {
		stream_create_undo(change, settings->topic);
		return stream_fail_in(err, status, "%s", settings->topic);
	}
	/* The topic is there.  An intent that cannot be removed is in nobody's
	 * way, and the next writer tries again. */
	stream_change_drop_intent(change, settings->topic, NULL);
	return STREAM_OK;
}

static int
create(struct stream_store *store, const struct stream_topic_settings *settings,
    struct stream_error *err)
{
	struct stream_change change;
	int status = stream_recover_topic(store, settings->topic, err);

	if (status == STREAM_OK)
		status = stream_change_begin(
		    store, store->lock_timeout_ms, &change, err);
	if (status != STREAM_OK)
		return status;
	status = create_in(&change, settings, err);
	stream_change_end(&change);
	return status;
}

int
stream_topic_create(struct stream_store *store, const char *name,
    int32_t partitions, const struct stream_topic_config *config,
    struct stream_error *err)
{
	struct stream_topic_settings settings = {.partitions = partitions};
	int status;

	if (config != NULL)
		settings.config = *config;
	else
		stream_topic_config_init(&settings.config);
	status = check_request(name, partitions, &settings.config, err);
	if (status == STREAM_OK)
		status = stream_metadata_new_id(settings.id, err);
	if (status != STREAM_OK)
		return status;
	strcpy(settings.topic, name);
	return create(store, &settings, err);
}
