/*
 * promote.c - a replica becomes the leader
 *
 * All leader epochs are durable before the store stops being a replica: nothing
 * that the new leader writes can be taken for the old one's.  With the first of
 * them the source is an old leader, so before it every partition must have
 * shown that it can have one; whoever dies after it leaves a replica that says
 * that its promotion is to be finished.
 */
#include <fcntl.h>
#include <unistd.h>

#include <stream/topic.h>

#include "base/fail.h"
#include "log/install.h"
#include "log/partition.h"
#include "log/structure.h"
#include "store/replica_lock.h"
#include "store/role_change.h"
#include "store/role_file.h"
#include "store/topic.h"

struct promotion {
	struct stream_store *store;
	/* What is done to each partition. */
	int (*act)(const struct promotion *promotion,
	    const struct stream_topic *topic, int32_t partition,
	    struct stream_epoch *begun, struct stream_error *err);
	/* NULL: nobody. */
	void (*promoted)(void *context, const char *topic, int32_t partition,
	    const struct stream_role_epoch *epoch);
	void *context;
};

/* What a writer of the topic would have; enough to recover it. */
static int
set_config(const struct promotion *promotion, const struct stream_topic *topic,
    int32_t partition, struct stream_log_config *config,
    struct stream_error *err)
{
	const struct stream_topic_config *settings = stream_topic_config(topic);

	*config = (struct stream_log_config){
	    .segment_bytes = settings->segment_bytes,
	    .segment_ms = settings->segment_ms,
	    .segment_index_bytes = settings->segment_index_bytes,
	    .index_interval_bytes = settings->index_interval_bytes,
	    .max_message_bytes = settings->max_message_bytes,
	    .dense = !stream_topic_has_gaps(topic),
	    .lock_timeout_ms = promotion->store->lock_timeout_ms,
	    .ask = stream_store_ask,
	    .ask_context = promotion->store,
	};
	return stream_store_log_start(promotion->store,
	    stream_topic_name(topic), partition, &config->log_start_offset,
	    err);
}

/* The file of the epochs is replaced. */
static int
check_directory(int dirfd, struct stream_error *err)
{
	return faccessat(dirfd, ".", W_OK | X_OK, AT_EACCESS) == 0
		   ? STREAM_OK
		   : stream_fail_sys(err, "cannot write to its directory");
}

/* begin: else all is done but to write it. */
static int
open_and_begin(const struct promotion *promotion,
    const struct stream_topic *topic, int32_t partition, bool begin,
    struct stream_epoch *begun, struct stream_error *err)
{
	struct stream_log_config config;
	struct stream_partition *log;
	int dirfd;
	int status = set_config(promotion, topic, partition, &config, err);

	if (status == STREAM_OK)
		status = stream_store_open_partition(promotion->store,
		    stream_topic_name(topic), partition, &dirfd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_partition_open_structure(dirfd, &config, &log, err);
	if (status == STREAM_OK) {
		if (begin)
			status = stream_install_give_up(
			    log, config.log_start_offset, err);
		if (status == STREAM_OK && begin)
			status = stream_partition_begin_epoch(log, begun, err);
		else if (status == STREAM_OK)
			status = stream_partition_next_epoch(log, begun, err);
		stream_partition_close(log);
	}
	if (status == STREAM_OK && !begin)
		status = check_directory(dirfd, err);
	close(dirfd);
	return status;
}

static int
begin_epoch(const struct promotion *promotion, const struct stream_topic *topic,
    int32_t partition, struct stream_epoch *begun, struct stream_error *err)
{
	return open_and_begin(promotion, topic, partition, true, begun, err);
}

static int
check_epoch(const struct promotion *promotion, const struct stream_topic *topic,
    int32_t partition, struct stream_epoch *begun, struct stream_error *err)
{
	return open_and_begin(promotion, topic, partition, false, begun, err);
}

/* A log in which nothing was ever written would get epoch 0 from its first
 * writer, so that one counts as used. */
static int
plan_epoch(const struct promotion *promotion, const struct stream_topic *topic,
    int32_t partition, struct stream_epoch *begun, struct stream_error *err)
{
	struct stream_role_epoch newest;
	int status = stream_role_newest_epoch(promotion->store,
	    stream_topic_name(topic), partition, &newest, err);

	if (status == STREAM_OK)
		*begun = (struct stream_epoch){
		    (newest.epoch < 0 ? 0 : newest.epoch) + 1,
		    newest.end_offset};
	return status;
}

static int
promote_partition(const struct promotion *promotion,
    const struct stream_topic *topic, int32_t partition,
    struct stream_error *err)
{
	struct stream_role_epoch told;
	struct stream_epoch begun;
	int status = promotion->act(promotion, topic, partition, &begun, err);

	if (status != STREAM_OK)
		return stream_fail_in(
		    err, status, "%s-%d", stream_topic_name(topic), partition);
	told = (struct stream_role_epoch){
	    begun.epoch, begun.start_offset, begun.start_offset};
	if (promotion->promoted != NULL)
		promotion->promoted(promotion->context,
		    stream_topic_name(topic), partition, &told);
	return STREAM_OK;
}

static int
promote_topics(const struct promotion *promotion, struct stream_error *err)
{
	struct stream_topic_list *list;
	int status = stream_topic_list_new(promotion->store, &list, err);

	if (status != STREAM_OK)
		return status;
	for (size_t i = 0;
	     i < stream_topic_list_count(list) && status == STREAM_OK; i++) {
		struct stream_topic *topic;

		status = stream_topic_list_open(list, i, &topic, err);
		if (status != STREAM_OK)
			break;
		for (size_t p = 0; p < stream_topic_partition_count(topic) &&
				   status == STREAM_OK;
		     p++)
			status = promote_partition(promotion, topic,
			    stream_topic_partition(topic, p), err);
		stream_topic_free(topic);
	}
	stream_topic_list_free(list);
	return status;
}

/* From here on its source is an old leader, so nothing is copied to it. */
static int
note_begin(struct stream_store *store, struct stream_error *err)
{
	struct stream_role_change change;
	int status = stream_role_begin(store, &change, err);

	if (status != STREAM_OK)
		return status;
	if (!change.role.is_promoting) {
		change.role.is_promoting = true;
		status = stream_replica_save(change.own, &change.role, err);
	}
	stream_role_end(&change);
	return status;
}

/* The commit. */
static int
stop_being_replica(struct stream_store *store, struct stream_error *err)
{
	struct stream_role_change change;
	int status = stream_role_begin(store, &change, err);

	if (status != STREAM_OK)
		return status;
	status = stream_role_drop(change.own, STREAM_REPLICA_FILE, err);
	stream_role_end(&change);
	return status;
}

static int
check(const struct stream_store *store, struct stream_error *err)
{
	struct stream_role role;
	int status = stream_role_load(store, &role, err);

	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", store->path);
	if (!role.is_replica)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: is no replica: it leads already", store->path);
	if (role.is_fenced)
		return stream_fail(err, STREAM_EFENCED, STREAM_POS_NONE,
		    "%s: is fenced: %.80s; lift that first, with strm fence "
		    "--lift",
		    store->path, role.reason);
	return STREAM_OK;
}

static int
promote_held(const struct promotion *promotion, struct stream_error *err)
{
	struct promotion rehearsal = {
	    .store = promotion->store, .act = check_epoch};
	int status = check(promotion->store, err);

	if (status == STREAM_OK)
		status = promote_topics(&rehearsal, err);
	if (status == STREAM_OK)
		status = note_begin(promotion->store, err);
	if (status == STREAM_OK)
		status = promote_topics(promotion, err);
	if (status == STREAM_OK)
		status = stop_being_replica(promotion->store, err);
	/* A mark that stays is taken away by the next writer. */
	if (status == STREAM_OK)
		stream_role_mark_all(promotion->store, NULL);
	return status;
}

static int
plan(const struct promotion *promotion, struct stream_error *err)
{
	int status = check(promotion->store, err);

	return status == STREAM_OK ? promote_topics(promotion, err) : status;
}

int
stream_role_promote(struct stream_store *store, bool plan_only,
    void (*promoted)(void *context, const char *topic, int32_t partition,
	const struct stream_role_epoch *epoch),
    void *context, struct stream_error *err)
{
	struct promotion promotion = {
	    store, plan_only ? plan_epoch : begin_epoch, promoted, context};
	int hold;
	int status;

	if (plan_only)
		return plan(&promotion, err);
	status = stream_role_hold(store, &hold, err);
	if (status != STREAM_OK)
		return status;
	/* What runs that died hold has two links, which writers refuse. */
	status = stream_replica_sweep(store, NULL, err);
	if (status == STREAM_OK)
		status = promote_held(&promotion, err);
	stream_role_release(hold);
	return status;
}
