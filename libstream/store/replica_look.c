#include "store/replica_look.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/io.h"
#include "log/epochs_rebuild.h"
#include "log/view.h"
#include "store/layout.h"
#include "store/metadata.h"
#include "store/place.h"
#include "store/replica_gone.h"
#include "store/replica_hold.h"
#include "store/replica_leader.h"
#include "store/replica_missing.h"
#include "store/topic.h"

/* ---- which -------------------------------------------------------------- */

static bool
names(
    const struct stream_address *address, const char *topic, int32_t partition)
{
	return strcmp(address->name, topic) == 0 &&
	       stream_address_has_partition(address, partition);
}

bool
stream_replica_is_chosen(const struct stream_replica_options *options,
    const char *topic, int32_t partition)
{
	bool chosen = options->include_count == 0;

	for (size_t i = 0; i < options->include_count && !chosen; i++)
		chosen = names(&options->include[i], topic, partition);
	for (size_t i = 0; i < options->exclude_count && chosen; i++)
		chosen = !names(&options->exclude[i], topic, partition);
	return chosen;
}

/* ---- what was known ----------------------------------------------------- */

int
stream_replica_look_begin(
    struct stream_replica_look *look, struct stream_error *err)
{
	look->fresh = (struct stream_measures){.items = NULL};
	look->known = look->fresh;
	/* To verify is to believe nothing. */
	return look->options->verify
		   ? STREAM_OK
		   : stream_measures_load(look->store, &look->known, err);
}

void
stream_replica_look_end(struct stream_replica_look *look, bool save)
{
	if (save)
		stream_measures_save(look->store, &look->fresh, NULL);
	stream_measures_release(&look->known);
	stream_measures_release(&look->fresh);
}

/* ---- a partition -------------------------------------------------------- */

void
stream_replica_log_config(const struct stream_replica_look *look,
    const struct stream_topic_settings *settings,
    struct stream_log_config *config)
{
	struct stream_topic_config topic;

	stream_topic_config_init(&topic);
	if (settings != NULL)
		topic = settings->config;
	*config = (struct stream_log_config){
	    .segment_bytes = topic.segment_bytes,
	    .segment_ms = topic.segment_ms,
	    .segment_index_bytes = topic.segment_index_bytes,
	    .index_interval_bytes = topic.index_interval_bytes,
	    .max_message_bytes = topic.max_message_bytes,
	    .append_time =
		topic.message_timestamp_type == STREAM_LOG_APPEND_TIME,
	    .dense = settings != NULL && !settings->has_gaps,
	    .lock_timeout_ms = look->options->lock_timeout_ms,
	    .ask = stream_store_ask,
	    .ask_context = look->store,
	};
}

/* The files around the log.  Those that are hints and are wrong count as
 * none. */
static int
load_rest(struct stream_replica_look *look, int dirfd,
    struct stream_manifest_part *part, struct stream_error *err)
{
	int status = stream_store_log_start(look->store, part->topic,
	    part->partition, &part->log_start_offset, err);

	if (status != STREAM_OK)
		return status;
	/* Before the log, or it could lie above what was cleaned. */
	status = stream_checkpoint_find(look->store->dirfd, STREAM_CLEANER_FILE,
	    part->topic, part->partition, &part->clean_point, err);
	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT) {
		part->clean_point = -1;
		status = STREAM_OK;
	}
	if (status != STREAM_OK)
		return status;
	status = stream_metadata_load(dirfd, part->id, err);
	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT) {
		part->id[0] = '\0';
		status = STREAM_OK;
	}
	return status;
}

/* The file is a hint (I5): without it a leader is none of old. */
static int
walk_epochs(
    int dirfd, struct stream_manifest_part *part, struct stream_error *err)
{
	struct stream_epochs_noter noter;
	int status;

	stream_epochs_noter_init(&noter);
	status = stream_epochs_walk(dirfd, &noter, err);
	if (status != STREAM_OK) {
		stream_epochs_noter_release(&noter);
		return status;
	}
	part->epochs = (struct stream_epoch *)(void *)noter.entries.data;
	part->epoch_count = noter.entries.size / sizeof(*part->epochs);
	return STREAM_OK;
}

/* After the log: an epoch that begins past the end of what was seen is of
 * no use yet. */
static int
load_epochs(
    int dirfd, struct stream_manifest_part *part, struct stream_error *err)
{
	int64_t end = stream_manifest_end(part);
	int status =
	    stream_epochs_load(dirfd, &part->epochs, &part->epoch_count, err);

	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT ||
	    (status == STREAM_OK && part->epoch_count == 0)) {
		if (status == STREAM_OK)
			free(part->epochs);
		part->epochs = NULL;
		status = walk_epochs(dirfd, part, err);
	}
	while (status == STREAM_OK && part->epoch_count > 0 &&
	       part->epochs[part->epoch_count - 1].start_offset > end)
		part->epoch_count--;
	return status;
}

/* The log of a replica: nobody else writes to it. */
static int
look_at_segment(struct stream_replica_look *look, const char *name, int fd,
    bool last, struct stream_manifest_segment *segment,
    struct stream_error *err)
{
	struct stream_measuring how = {
	    .fd = fd,
	    .mark_at = UINT64_MAX,
	    .go_on = look->options->go_on,
	    .go_on_context = look->options->context,
	};
	bool whole = false;
	int status = stream_io_size(fd, &how.limit, err);

	if (status != STREAM_OK)
		return status;
	if (!stream_measures_find(&look->known, name, segment->base_offset, fd,
		UINT64_MAX, &segment->measure, &whole))
		stream_measure_init(&segment->measure, segment->base_offset);
	if (!whole)
		status = stream_measure_log(&how, &segment->measure, err);
	/* What ends a log that is written to is for its writer to judge. */
	if (last && status == STREAM_ECORRUPT)
		status = STREAM_OK;
	if (status == STREAM_OK && !last && segment->measure.bytes < how.limit)
		status = stream_fail(err, STREAM_ECORRUPT,
		    segment->measure.bytes, "no batch begins there");
	if (status == STREAM_ECORRUPT)
		stream_fail_in(err, status,
		    "damaged at byte %llu (strm verify tells what is there)",
		    (unsigned long long)segment->measure.bytes);
	if (status == STREAM_OK)
		status = stream_measures_add(&look->fresh, name,
		    segment->base_offset, fd, last, &segment->measure, err);
	return status;
}

static int
look_at_log(struct stream_replica_look *look, int dirfd,
    struct stream_manifest_part *part, struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	struct stream_view view;
	int status = stream_view_load(dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	status =
	    stream_partition_name_put(part->topic, part->partition, name, err);
	for (size_t i = 0; i < view.count && status == STREAM_OK; i++) {
		struct stream_manifest_segment segment = {
		    .base_offset = view.segments[i].base_offset};
		int fd;

		status = stream_view_open(&view, i, dirfd, &fd, err);
		if (status != STREAM_OK)
			break;
		status = look_at_segment(
		    look, name, fd, i + 1 == view.count, &segment, err);
		close(fd);
		if (status == STREAM_OK)
			status =
			    stream_manifest_add_segment(part, &segment, err);
		else
			stream_fail_in(err, status, "%020lld.log",
			    (long long)segment.base_offset);
	}
	stream_view_release(&view);
	return status;
}

/* What the replica would refuse is not sent. */
static int
check_name(const struct stream_replica_look *look,
    const struct stream_manifest_part *part, struct stream_error *err)
{
	const struct stream_manifest_part *have =
	    look->have == NULL || look->options->remove
		? NULL
		: stream_manifest_find(
		      look->have, part->topic, part->partition);

	if (have == NULL || !stream_replica_is_another(part, have))
		return STREAM_OK;
	return stream_fail(err, STREAM_EEXIST, STREAM_POS_NONE,
	    "is of another topic of this name than the replica's (--delete "
	    "removes that and takes this one)");
}

int
stream_replica_look_part(struct stream_replica_look *look, int dirfd,
    const struct stream_topic_settings *settings,
    struct stream_manifest_part *part, struct stream_error *err)
{
	int status;

	stream_manifest_clear_part(part);
	status = load_rest(look, dirfd, part, err);
	if (status == STREAM_OK && look->is_source)
		status = check_name(look, part, err);
	if (status == STREAM_OK && look->is_source)
		status = stream_replica_hold(look, dirfd, settings, part, err);
	else if (status == STREAM_OK)
		status = look_at_log(look, dirfd, part, err);
	return status == STREAM_OK ? load_epochs(dirfd, part, err) : status;
}

/* ---- all of them -------------------------------------------------------- */

static bool
is_fatal(int status)
{
	return status == STREAM_ENOMEM || status == STREAM_EINTR;
}

/*
 * Something of a partition is not there: STREAM_END when it need not be, else
 * a failure.  A replica that lacks one is given it.  Of a foreign topic the
 * partitions are those that there are.
 */
static int
judge_absence(const struct stream_replica_look *look,
    const struct stream_topic_settings *settings, int32_t partition,
    bool *deleted, struct stream_error *why)
{
	int status;

	if (!look->is_source || settings == NULL)
		return STREAM_END;
	status =
	    stream_replica_was_deleted(look->store, settings, deleted, why);
	if (status != STREAM_OK || *deleted)
		return *deleted ? STREAM_END : status;
	status = stream_replica_check_place(
	    look->store, settings->topic, partition, why);
	return status == STREAM_OK ? STREAM_ENOENT : status;
}

/* STREAM_ENOENT when the topic was deleted while it was looked at. */
static int
add_part(struct stream_replica_look *look, struct stream_manifest *manifest,
    const struct stream_topic_settings *settings, int32_t partition,
    struct stream_error *err)
{
	struct stream_error why = {.sys = 0};
	struct stream_manifest_part *part;
	bool deleted = false;
	int dirfd;
	int status = stream_manifest_add_part(manifest, partition, &part, err);

	if (status != STREAM_OK)
		return status;
	status = stream_store_open_partition(
	    look->store, part->topic, partition, &dirfd, &why);
	if (status == STREAM_OK) {
		status =
		    stream_replica_look_part(look, dirfd, settings, part, &why);
		close(dirfd);
	}
	if (status == STREAM_ENOENT)
		status =
		    judge_absence(look, settings, partition, &deleted, &why);
	if (is_fatal(status)) {
		if (err != NULL)
			*err = why;
		return status;
	}
	if (status == STREAM_OK)
		return STREAM_OK;
	stream_manifest_clear_part(part);
	if (status == STREAM_END) {
		manifest->part_count--;
		return deleted ? STREAM_ENOENT : STREAM_OK;
	}
	part->failed = status;
	snprintf(part->text, sizeof(part->text), "%s", why.text);
	/* Who leads it may be known all the same. */
	return stream_replica_add_leader(
	    look->store, manifest, part->topic, partition, err);
}

/* The settings file as it is, on one line: JSON has no line end in a string. */
static int
load_json(const struct stream_store *store, struct stream_manifest_topic *topic,
    struct stream_error *err)
{
	char name[STREAM_DOCUMENT_NAME_SIZE];
	struct stream_buf text;
	int fd;
	int status = stream_layout_open(store, STREAM_TOPICS_DIR, &fd, err);

	if (status != STREAM_OK)
		return status;
	stream_layout_document(topic->name, name);
	stream_buf_init(&text);
	status = stream_io_load(fd, name, 16 << 20, &text, err);
	close(fd);
	if (status == STREAM_OK)
		status = stream_topic_settings_parse(
		    (struct stream_bytes){text.data, text.size}, topic->name,
		    &topic->settings, err);
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] == '\n' || text.data[i] == '\r')
			text.data[i] = ' ';
	while (text.size > 0 && text.data[text.size - 1] == ' ')
		text.size--;
	if (status == STREAM_OK)
		status = stream_buf_add(&text, "", 1, err);
	if (status == STREAM_OK) {
		topic->json = (char *)text.data;
		topic->is_ours = true;
	} else {
		stream_buf_release(&text);
	}
	return status;
}

/* STREAM_ENOENT when it was deleted meanwhile. */
static int
add_topic(struct stream_replica_look *look, struct stream_manifest *manifest,
    const struct stream_topic *found, struct stream_error *err)
{
	const char *name = stream_topic_name(found);
	struct stream_topic_settings settings;
	struct stream_manifest_topic *topic;
	bool is_ours;
	int status = stream_manifest_add_topic(manifest, name, &topic, err);

	if (status == STREAM_OK && stream_topic_is_ours(found))
		status = load_json(look->store, topic, err);
	if (status != STREAM_OK)
		return status;
	is_ours = topic->is_ours;
	settings = topic->settings;
	for (size_t i = 0;
	     i < stream_topic_partition_count(found) && status == STREAM_OK;
	     i++) {
		int32_t partition = stream_topic_partition(found, i);

		status =
		    stream_replica_is_chosen(look->options, name, partition)
			? add_part(look, manifest, is_ours ? &settings : NULL,
			      partition, err)
			: stream_replica_add_leader(
			      look->store, manifest, name, partition, err);
	}
	/* A compaction may have begun meanwhile: its settings come first. */
	if (status != STREAM_OK || !is_ours || settings.has_gaps)
		return status;
	topic = &manifest->topics[manifest->topic_count - 1];
	free(topic->json);
	topic->json = NULL;
	topic->is_ours = false;
	return load_json(look->store, topic, err);
}

/* Of a topic that is not chosen, too, it counts who leads it. */
static int
add_leaders(struct stream_replica_look *look, struct stream_manifest *manifest,
    const struct stream_topic *topic, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0;
	     i < stream_topic_partition_count(topic) && status == STREAM_OK;
	     i++)
		status = stream_replica_add_leader(look->store, manifest,
		    stream_topic_name(topic), stream_topic_partition(topic, i),
		    err);
	return status;
}

/* A topic none of whose partitions is chosen is left out. */
static bool
is_any_chosen(const struct stream_replica_options *options,
    const struct stream_topic *topic)
{
	for (size_t i = 0; i < stream_topic_partition_count(topic); i++)
		if (stream_replica_is_chosen(options, stream_topic_name(topic),
			stream_topic_partition(topic, i)))
			return true;
	return false;
}

static bool
names_any(
    const struct stream_address *address, const struct stream_topic *topic)
{
	for (size_t i = 0; i < stream_topic_partition_count(topic); i++)
		if (names(address, stream_topic_name(topic),
			stream_topic_partition(topic, i)))
			return true;
	return false;
}

/* That an exclusion is of no effect at either side, its user is told. */
static int
add_idle(const struct stream_replica_look *look,
    struct stream_manifest *manifest, const bool *used,
    struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0;
	     i < look->options->exclude_count && status == STREAM_OK; i++)
		if (!used[i])
			status = stream_manifest_add_idle(manifest, i, err);
	return status;
}

static int
look_at_topics(struct stream_replica_look *look,
    struct stream_manifest *manifest, bool *used, struct stream_error *err)
{
	struct stream_topic_list *list;
	int status = stream_topic_list_new(look->store, &list, err);

	if (status != STREAM_OK)
		return status;
	for (size_t i = 0;
	     i < stream_topic_list_count(list) && status == STREAM_OK; i++) {
		struct stream_topic *topic;

		status = stream_topic_list_open(list, i, &topic, err);
		if (status == STREAM_ENOENT) {
			status = STREAM_OK;
			continue;
		}
		if (status != STREAM_OK)
			break;
		for (size_t k = 0; k < look->options->exclude_count; k++)
			used[k] = used[k] ||
				  names_any(&look->options->exclude[k], topic);
		status = is_any_chosen(look->options, topic)
			     ? add_topic(look, manifest, topic, err)
			     : add_leaders(look, manifest, topic, err);
		stream_topic_free(topic);
		/* Half of it would be taken for all. */
		if (status == STREAM_ENOENT) {
			stream_manifest_drop_topic(manifest);
			status = STREAM_OK;
		}
	}
	stream_topic_list_free(list);
	return status;
}

int
stream_replica_look_all(struct stream_replica_look *look,
    struct stream_manifest *manifest, struct stream_error *err)
{
	bool *used = calloc(look->options->exclude_count + 1, sizeof(*used));
	int status = used == NULL ? stream_fail_memory(err)
				  : look_at_topics(look, manifest, used, err);

	if (status == STREAM_OK)
		status = add_idle(look, manifest, used, err);
	free(used);
	return status;
}
