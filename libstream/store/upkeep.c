#include "store/upkeep.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/structure.h"
#include "log/view.h"
#include "store/topic.h"

/* The settings that a log obeys. */
static void
set_log_config(struct stream_upkeep *upkeep)
{
	const struct stream_topic_config *topic = &upkeep->topic;
	struct stream_log_config *log = &upkeep->log;

	log->segment_bytes = topic->segment_bytes;
	log->segment_ms = topic->segment_ms;
	log->segment_index_bytes = topic->segment_index_bytes;
	log->index_interval_bytes = topic->index_interval_bytes;
	log->max_message_bytes = topic->max_message_bytes;
	log->append_time =
	    topic->message_timestamp_type == STREAM_LOG_APPEND_TIME;
	log->lock_timeout_ms = upkeep->store->lock_timeout_ms;
	log->ask = stream_store_ask;
	log->ask_context = upkeep->store;
}

/* Kafka's own topics (__consumer_offsets, __transaction_state) are compacted
 * and never deleted from; in a broker's store nothing says so. */
static bool
deletes(const struct stream_upkeep *upkeep)
{
	const struct stream_place *place = upkeep->place;

	if (!place->is_ours && strncmp(place->topic, "__", 2) == 0)
		return false;
	return (upkeep->topic.cleanup_policy & STREAM_CLEANUP_DELETE) != 0;
}

static int
load_settings(struct stream_upkeep *upkeep, struct stream_error *err)
{
	const struct stream_place *place = upkeep->place;
	struct stream_topic_settings settings;
	int status = STREAM_OK;

	stream_topic_config_init(&upkeep->topic);
	if (place->is_ours)
		status = stream_topic_load_settings(
		    upkeep->store, place->topic, &settings, err);
	if (status != STREAM_OK)
		return status;
	if (place->is_ours) {
		upkeep->topic = settings.config;
		upkeep->log.dense = !settings.has_gaps;
	}
	set_log_config(upkeep);
	upkeep->deletes = deletes(upkeep);
	return STREAM_OK;
}

static int
load_log_start(struct stream_upkeep *upkeep, struct stream_error *err)
{
	if (!upkeep->is_named)
		return STREAM_OK;
	return stream_store_log_start(upkeep->store, upkeep->place->topic,
	    upkeep->place->partition, &upkeep->log.log_start_offset, err);
}

static int
load(struct stream_upkeep *upkeep, struct stream_error *err)
{
	const struct stream_place *place = upkeep->place;
	int status = load_settings(upkeep, err);

	if (status == STREAM_OK)
		status = stream_io_open_dir(
		    AT_FDCWD, place->path, &upkeep->dirfd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_store_check_partition(upkeep->store, place->topic,
	    place->partition, upkeep->dirfd, place->is_ours ? err : NULL);
	upkeep->is_named = status == STREAM_OK;
	if (!upkeep->is_named)
		return place->is_ours ? stream_upkeep_fail(place, status, err)
				      : STREAM_OK;
	return load_log_start(upkeep, err);
}

int
stream_upkeep_open(const struct stream_place *place, unsigned flags,
    int lock_timeout_ms, struct stream_upkeep *upkeep, struct stream_error *err)
{
	int status;

	*upkeep = (struct stream_upkeep){.place = place, .dirfd = -1};
	if (place->segment != NULL)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s/%s: give the partition's directory, not one file",
		    place->path, place->segment);
	status = stream_store_open(
	    place->store_path, flags, lock_timeout_ms, &upkeep->store, err);
	return status == STREAM_OK ? load(upkeep, err) : status;
}

bool
stream_upkeep_is_empty(const struct stream_place *place,
    void (*note)(void *context, const char *text), void *context)
{
	struct stream_view view;
	int dirfd;
	bool is_empty = false;

	if (place->segment != NULL || stream_io_open_dir(AT_FDCWD, place->path,
					  &dirfd, NULL) != STREAM_OK)
		return false;
	if (stream_view_load(dirfd, &view, NULL) == STREAM_OK) {
		is_empty = view.count == 0;
		stream_view_release(&view);
	}
	close(dirfd);
	if (is_empty && note != NULL)
		note(context, "holds no segment, so there is nothing to do");
	return is_empty;
}

typedef int opening(int dirfd, const struct stream_log_config *config,
    struct stream_partition **partition, struct stream_error *err);

/* The topic may have been deleted since its directory was opened. */
static int
open_partition(
    struct stream_upkeep *upkeep, opening *open, struct stream_error *err)
{
	int status = open(upkeep->dirfd, &upkeep->log, &upkeep->partition, err);

	if (status != STREAM_OK || upkeep->partition == NULL ||
	    !upkeep->place->is_ours)
		return status;
	return stream_store_check_partition(upkeep->store, upkeep->place->topic,
	    upkeep->place->partition, upkeep->dirfd, err);
}

/* What is decided by is asked for again: while the lock was waited for, another
 * may have compacted, trimmed or altered the topic. */
int
stream_upkeep_lock(struct stream_upkeep *upkeep, struct stream_error *err)
{
	int status =
	    open_partition(upkeep, stream_partition_open_structure, err);

	if (status == STREAM_OK)
		status = load_settings(upkeep, err);
	return status == STREAM_OK ? load_log_start(upkeep, err) : status;
}

int
stream_upkeep_write(struct stream_upkeep *upkeep, struct stream_error *err)
{
	return open_partition(upkeep, stream_partition_open, err);
}

void
stream_upkeep_close(struct stream_upkeep *upkeep)
{
	stream_partition_close(upkeep->partition);
	if (upkeep->dirfd >= 0)
		close(upkeep->dirfd);
	stream_store_close(upkeep->store);
}

int
stream_upkeep_fail(
    const struct stream_place *place, int status, struct stream_error *err)
{
	const char *slash = strrchr(place->path, '/');
	bool has_name = slash != NULL && slash[1] != '\0';

	return stream_fail_in(
	    err, status, "%s", has_name ? slash + 1 : place->path);
}
