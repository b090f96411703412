/*
 * replica_topic.c - topics and partitions that the replica does not have yet
 *
 * As a creation does it (create.c): all is built apart, and appears at once.
 * A partition that is not replicated is there and empty, or the topic would not
 * be whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "store/layout.h"
#include "store/metadata.h"
#include "store/replica_apply.h"
#include "store/topic.h"

/* ---- building ----------------------------------------------------------- */

static int
sync_metadata(int dirfd, struct stream_error *err)
{
	int fd;
	int status =
	    stream_io_open(dirfd, STREAM_METADATA_FILE, O_RDONLY, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_io_sync(fd, err);
	close(fd);
	return status;
}

static int
put_metadata(int dirfd, const char *id, struct stream_error *err)
{
	int status;

	if (id[0] == '\0')
		return STREAM_OK;
	status = stream_metadata_create(dirfd, id, err);
	return status == STREAM_OK ? sync_metadata(dirfd, err) : status;
}

/* Without epochs the first writer has more to find out. */
static int
put_state(int dirfd, const struct stream_manifest_part *source,
    struct stream_error *err)
{
	const struct stream_manifest_segment *last;

	if (source->segment_count == 0 || source->epoch_count == 0)
		return STREAM_OK;
	last = &source->segments[source->segment_count - 1];
	return stream_install_state(dirfd, last->base_offset, &last->measure,
	    stream_manifest_epoch(source), err);
}

static int
fill(int dirfd, const struct stream_apply_part *part, struct stream_error *err)
{
	const struct stream_manifest_part *source = part->source;
	int status = put_metadata(dirfd, source->id, err);

	for (size_t i = 0; i < source->segment_count && status == STREAM_OK;
	     i++)
		status = stream_install_move(part->incoming, dirfd,
		    source->segments[i].base_offset, err);
	if (status == STREAM_OK && source->epoch_count > 0)
		status = stream_epochs_save(
		    dirfd, source->epochs, source->epoch_count, err);
	if (status == STREAM_OK)
		status = put_state(dirfd, source, err);
	return status == STREAM_OK ? stream_io_sync_dir(dirfd, err) : status;
}

/* Where its log starts is known before it shows. */
static int
put_offsets(const struct stream_change *change,
    const struct stream_apply_part *part, struct stream_error *err)
{
	const struct stream_manifest_part *source = part->source;
	int dirfd = change->store->dirfd;
	int status = STREAM_OK;

	if (source->segment_count > 0 &&
	    source->log_start_offset > source->segments[0].base_offset)
		status = stream_checkpoint_set(dirfd, STREAM_LOG_START_FILE,
		    source->topic, source->partition, source->log_start_offset,
		    err);
	if (status == STREAM_OK && source->clean_point >= 0)
		status = stream_checkpoint_set(dirfd, STREAM_CLEANER_FILE,
		    source->topic, source->partition, source->clean_point, err);
	return status;
}

int
stream_apply_build(const struct stream_change *change,
    struct stream_apply_part *part, struct stream_error *err)
{
	int fd;
	int status = stream_dir_remove_all(change->build, part->name, err);

	if (status == STREAM_OK)
		status = stream_dir_open_or_make(
		    change->build, part->name, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = fill(fd, part, err);
	close(fd);
	return status == STREAM_OK ? put_offsets(change, part, err) : status;
}

/* ---- showing ------------------------------------------------------------ */

static int
build_empty(const struct stream_change *change, const char *name,
    const char *id, struct stream_error *err)
{
	static const enum stream_name_kind kinds[] = {
	    STREAM_NAME_LOG, STREAM_NAME_INDEX, STREAM_NAME_TIMEINDEX};
	char file[STREAM_NAME_SIZE];
	int dirfd, fd;
	int status = stream_dir_open_or_make(change->build, name, &dirfd, err);

	if (status != STREAM_OK)
		return status;
	status = put_metadata(dirfd, id, err);
	for (size_t i = 0; i < 3 && status == STREAM_OK; i++) {
		stream_name_put_plain(0, kinds[i], file);
		status =
		    stream_io_open(dirfd, file, O_WRONLY | O_CREAT, &fd, err);
		if (status == STREAM_OK)
			close(fd);
	}
	if (status == STREAM_OK)
		status = stream_io_sync_dir(dirfd, err);
	close(dirfd);
	return status;
}

static int
move_in(const struct stream_change *change, const char *name,
    struct stream_error *err)
{
	int root = change->store->dirfd;
	int r = renameat2(change->build, name, root, name, RENAME_NOREPLACE);

	if (r != 0 && errno == EINVAL)
		r = renameat(change->build, name, root, name);
	return r == 0 ? STREAM_OK
		      : stream_fail_sys(
			    err, "%s: cannot move into the store", name);
}

int
stream_apply_show_part(const struct stream_change *change, const char *name,
    struct stream_error *err)
{
	int status = move_in(change, name, err);

	return status == STREAM_OK
		   ? stream_io_sync_dir(change->store->dirfd, err)
		   : status;
}

/* The numbers that the topic has; of a foreign one those that are replicated.
 */
static int
list_numbers(const struct stream_applying *all,
    const struct stream_manifest_topic *topic, struct stream_intent *intent,
    struct stream_error *err)
{
	const struct stream_manifest *m = all->source;

	intent->count = topic->is_ours ? (size_t)topic->settings.partitions : 0;
	for (size_t i = 0; i < m->part_count && !topic->is_ours; i++)
		if (&m->topics[m->parts[i].topic_index] == topic)
			intent->count++;
	intent->partitions =
	    calloc(intent->count + 1, sizeof(*intent->partitions));
	if (intent->partitions == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0, k = 0; i < intent->count; i++) {
		intent->partitions[i] = (int32_t)i;
		if (topic->is_ours)
			continue;
		while (&m->topics[m->parts[k].topic_index] != topic)
			k++;
		intent->partitions[i] = m->parts[k++].partition;
	}
	return STREAM_OK;
}

static int
move_all(const struct stream_change *change,
    const struct stream_manifest_topic *topic,
    const struct stream_intent *intent, struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	bool has;
	int status = STREAM_OK;

	for (size_t i = 0; i < intent->count && status == STREAM_OK; i++) {
		status = stream_partition_name_put(
		    topic->name, intent->partitions[i], name, err);
		if (status == STREAM_OK)
			status = stream_dir_has(change->build, name, &has, err);
		if (status == STREAM_OK && !has && topic->is_ours)
			status =
			    build_empty(change, name, topic->settings.id, err);
		if (status == STREAM_OK && (has || topic->is_ours))
			status = move_in(change, name, err);
	}
	return status == STREAM_OK
		   ? stream_io_sync_dir(change->store->dirfd, err)
		   : status;
}

int
stream_apply_show_topic(const struct stream_change *change,
    struct stream_applying *all, const struct stream_manifest_topic *topic,
    struct stream_error *err)
{
	struct stream_intent intent = {.kind = STREAM_INTENT_CREATE};
	int status = list_numbers(all, topic, &intent, err);

	snprintf(intent.topic, sizeof(intent.topic), "%s", topic->name);
	if (topic->is_ours)
		snprintf(intent.token, sizeof(intent.token), "%s",
		    topic->settings.id);
	if (status == STREAM_OK && topic->is_ours)
		status = stream_intent_save(change->intents, &intent, err);
	if (status == STREAM_OK)
		status = move_all(change, topic, &intent, err);
	if (status == STREAM_OK && topic->is_ours)
		status = stream_topic_settings_save(
		    change->topics, &topic->settings, err);
	if (status == STREAM_OK && topic->is_ours)
		stream_change_drop_intent(change, topic->name, NULL);
	stream_intent_release(&intent);
	return status;
}

/* ---- settings ----------------------------------------------------------- */

static bool
is_same(const struct stream_topic_settings *a,
    const struct stream_topic_settings *b)
{
	char x[STREAM_SETTING_SIZE], y[STREAM_SETTING_SIZE];

	if (strcmp(a->id, b->id) != 0 || a->partitions != b->partitions ||
	    a->has_gaps != b->has_gaps)
		return false;
	for (size_t i = 0; i < stream_topic_config_count(); i++) {
		stream_topic_config_value(&a->config, i, x);
		stream_topic_config_value(&b->config, i, y);
		if (strcmp(x, y) != 0 ||
		    stream_topic_config_is_set(&a->config, i) !=
			stream_topic_config_is_set(&b->config, i))
			return false;
	}
	return true;
}

/* An old leader that was compacted has gaps until its log is the new one's;
 * that they may be there is not forgotten, or they would look like a loss. */
static bool
take_gaps(struct stream_topic_settings *settings,
    const struct stream_topic_settings *there)
{
	if (there->has_gaps && strcmp(there->id, settings->id) == 0)
		settings->has_gaps = true;
	return is_same(there, settings);
}

int
stream_apply_settings(struct stream_applying *all,
    struct stream_manifest_topic *topic, struct stream_error *err)
{
	struct stream_topic_settings there;
	struct stream_change change;
	int status;

	/* Most often there is nothing to do, and no lock to take. */
	if (!topic->is_ours || (stream_topic_load_settings(all->store,
				    topic->name, &there, NULL) == STREAM_OK &&
				   take_gaps(&topic->settings, &there)))
		return STREAM_OK;
	status = stream_change_begin(
	    all->store, all->store->lock_timeout_ms, &change, err);
	if (status != STREAM_OK)
		return status;
	status = stream_topic_settings_load(
	    change.topics, topic->name, &there, NULL);
	if (status != STREAM_OK || !take_gaps(&topic->settings, &there))
		status = stream_topic_settings_save(
		    change.topics, &topic->settings, err);
	stream_change_end(&change);
	return status;
}
