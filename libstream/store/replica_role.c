#include "store/replica_role.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stream/role.h>

#include "base/fail.h"
#include "file/dir.h"
#include "store/layout.h"
#include "store/topic.h"

/* ---- what a store is ---------------------------------------------------- */

static int
has_topics(struct stream_store *store, bool *has, struct stream_error *err)
{
	struct stream_topic_list *list;
	int status = stream_topic_list_new(store, &list, err);

	if (status != STREAM_OK)
		return status;
	*has = stream_topic_list_count(list) > 0;
	stream_topic_list_free(list);
	return STREAM_OK;
}

int
stream_replica_find_role(struct stream_store *store,
    enum stream_manifest_role *found, struct stream_error *err)
{
	struct stream_role *role = malloc(sizeof(*role));
	bool has = true;
	int status = role == NULL ? stream_fail_memory(err)
				  : stream_role_load(store, role, err);

	if (status == STREAM_OK && !role->is_replica && !role->is_fenced)
		status = has_topics(store, &has, err);
	if (status == STREAM_OK)
		*found = role->is_promoting ? STREAM_IS_PROMOTING
			 : role->is_replica ? STREAM_IS_REPLICA
			 : role->is_fenced  ? STREAM_IS_FENCED
			 : has              ? STREAM_IS_LEADER
					    : STREAM_IS_NEW;
	free(role);
	return status;
}

/* ---- is it a store ------------------------------------------------------ */

static bool
is_of_store(const char *name)
{
	char topic[STREAM_TOPIC_NAME_SIZE];
	int32_t partition;

	return strcmp(name, STREAM_OWN_DIR) == 0 ||
	       stream_partition_name_parse(name, topic, &partition);
}

int
stream_replica_check_source(const char *path, struct stream_error *err)
{
	struct stream_store *store;
	struct stream_buf names;
	bool found = false;
	int status =
	    stream_store_open(path, 0, STREAM_LOCK_TIMEOUT_MS, &store, err);

	if (status != STREAM_OK)
		return status;
	stream_buf_init(&names);
	status = stream_dir_list(store->dirfd, &names, err);
	for (const char *n = stream_dir_next(&names, NULL);
	     n != NULL && status == STREAM_OK && !found;
	     n = stream_dir_next(&names, n))
		found = is_of_store(n);
	stream_buf_release(&names);
	stream_store_close(store);
	if (status != STREAM_OK || found)
		return status;
	return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
	    "%s: is no store: it holds neither %s nor a partition (TOPIC-N)",
	    path, STREAM_OWN_DIR);
}

/* ---- are the two one ---------------------------------------------------- */

void
stream_replica_note_time(int run, int64_t time_ms)
{
	struct timespec time = {
	    .tv_sec = time_ms / 1000,
	    .tv_nsec = (long)(time_ms % 1000) * 1000000,
	};
	struct timespec times[2] = {time, time};

	/* It is missed only where a store is given as its own replica. */
	futimens(run, times);
}

/* Some file systems keep whole seconds only. */
static bool
is_noted(const struct stat *st, int64_t time_ms)
{
	int64_t ms = (int64_t)st->st_mtim.tv_nsec / 1000000;

	return (int64_t)st->st_mtim.tv_sec == time_ms / 1000 &&
	       (ms == time_ms % 1000 || st->st_mtim.tv_nsec == 0);
}

int
stream_replica_check_apart(const struct stream_store *source,
    const struct stream_manifest *have, struct stream_error *err)
{
	struct stat st;
	int incoming;
	bool one;

	if (stream_layout_open(source, STREAM_INCOMING_DIR, &incoming, NULL) !=
	    STREAM_OK)
		return STREAM_OK;
	one = fstatat(incoming, have->id, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	      is_noted(&st, have->time_ms);
	if (one)
		unlinkat(incoming, have->id, AT_REMOVEDIR);
	close(incoming);
	return !one ? STREAM_OK
		    : stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
			  "%s: source and destination are the same store",
			  source->path);
}
