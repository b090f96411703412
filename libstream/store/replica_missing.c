#include "store/replica_missing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "store/topic.h"

/* A deletion is committed by its intent, and takes the settings away before
 * that goes: so the intent is looked for first. */
int
stream_replica_was_deleted(const struct stream_store *store,
    const struct stream_topic_settings *settings, bool *deleted,
    struct stream_error *err)
{
	struct stream_topic_settings now;
	int status =
	    stream_topic_check_visible(store, settings->topic, true, err);

	if (status == STREAM_OK)
		status = stream_topic_load_settings(
		    store, settings->topic, &now, err);
	if (status != STREAM_OK && status != STREAM_ENOENT)
		return status;
	*deleted = status == STREAM_ENOENT || strcmp(now.id, settings->id) != 0;
	return STREAM_OK;
}

/* The path comes last, since it may be longer than an error's text. */
int
stream_replica_check_place(const struct stream_store *store, const char *topic,
    int32_t partition, struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	struct stat st;
	int status = stream_partition_name_put(topic, partition, name, err);

	if (status != STREAM_OK)
		return status;
	if (fstatat(store->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno != ENOENT)
			return stream_fail_sys(err, "cannot stat");
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "its directory is missing: leave it out with --exclude, "
		    "or put it back into %s",
		    store->path);
	}
	if (S_ISDIR(st.st_mode))
		return STREAM_OK;
	return stream_fail(err, STREAM_EEXIST, STREAM_POS_NONE,
	    "is %s: leave it out with --exclude, or put the directory itself "
	    "into %s",
	    S_ISLNK(st.st_mode) ? "a symbolic link, which is not followed"
				: "no directory",
	    store->path);
}
