#include "store/adopt.h"

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/io.h"
#include "store/create.h"
#include "store/recover.h"
#include "store/store.h"

struct adopting {
	const struct stream_change *change;
	int from;
	const struct stream_adopted *topics;
	size_t count;
};

typedef int step(const struct adopting *a, const struct stream_adopted *topic,
    struct stream_error *err);

static int
check(const struct adopting *a, const struct stream_adopted *topic,
    struct stream_error *err)
{
	const char *name = topic->settings.topic;
	int status = stream_recover_in(a->change, name, err);

	return status == STREAM_OK
		   ? stream_create_check_absent(a->change, name, err)
		   : status;
}

static int
intend(const struct adopting *a, const struct stream_adopted *topic,
    struct stream_error *err)
{
	return stream_create_save_intent(a->change, &topic->settings, err);
}

static int
move(const struct adopting *a, const struct stream_adopted *topic,
    struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	int status = STREAM_OK;

	for (int32_t p = 0;
	     p < topic->settings.partitions && status == STREAM_OK; p++) {
		status = stream_partition_name_put(
		    topic->settings.topic, p, name, err);
		if (status == STREAM_OK)
			status = stream_create_move_in(
			    a->change, a->from, name, err);
	}
	return status;
}

/* Before the commit: what is below is never seen. */
static int
set_starts(const struct adopting *a, const struct stream_adopted *topic,
    struct stream_error *err)
{
	int status = STREAM_OK;

	for (int32_t p = 0;
	     p < topic->settings.partitions && status == STREAM_OK; p++)
		if (topic->log_starts[p] > 0)
			status = stream_checkpoint_set(a->change->store->dirfd,
			    STREAM_LOG_START_FILE, topic->settings.topic, p,
			    topic->log_starts[p], err);
	return status;
}

static int
commit(const struct adopting *a, const struct stream_adopted *topic,
    struct stream_error *err)
{
	return stream_topic_settings_save(
	    a->change->topics, &topic->settings, err);
}

/* An intent that cannot be removed is in nobody's way. */
static int
clear(const struct adopting *a, const struct stream_adopted *topic,
    struct stream_error *err)
{
	(void)err;
	stream_change_drop_intent(a->change, topic->settings.topic, NULL);
	return STREAM_OK;
}

static int
each(const struct adopting *a, step *do_it, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < a->count && status == STREAM_OK; i++) {
		status = do_it(a, &a->topics[i], err);
		/* That one is there already is said with its name. */
		if (status != STREAM_OK && status != STREAM_EEXIST)
			stream_fail_in(
			    err, status, "%s", a->topics[i].settings.topic);
	}
	return status;
}

static int
make(const struct adopting *a, struct stream_error *err)
{
	int status = each(a, intend, err);

	if (status == STREAM_OK)
		status = each(a, move, err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(a->change->store->dirfd, err);
	if (status == STREAM_OK)
		status = each(a, set_starts, err);
	return status == STREAM_OK ? each(a, commit, err) : status;
}

int
stream_topics_adopt(struct stream_store *store, int from,
    const struct stream_adopted *topics, size_t count, struct stream_error *err)
{
	struct stream_change change;
	struct adopting a = {&change, from, topics, count};
	int status =
	    stream_change_begin(store, store->lock_timeout_ms, &change, err);

	if (status != STREAM_OK)
		return status;
	status = each(&a, check, err);
	if (status == STREAM_OK) {
		stream_change_sweep(&change);
		status = make(&a, err);
		for (size_t i = 0; i < count && status != STREAM_OK; i++)
			stream_create_undo(&change, topics[i].settings.topic);
	}
	if (status == STREAM_OK)
		status = each(&a, clear, err);
	stream_change_end(&change);
	return status;
}
