/*
 * role.c - what a store is, and who is refused because of it
 */
#include <stream/role.h>

#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "file/dir.h"
#include "log/epochs_rebuild.h"
#include "log/summary.h"
#include "store/layout.h"
#include "store/role_file.h"

/* Bytes of a name or a reason that a message has room for. */
enum { TOLD = 90 };

int
stream_role_load(const struct stream_store *store, struct stream_role *role,
    struct stream_error *err)
{
	struct stream_role found = {.is_replica = false};
	int own;
	int status = stream_dir_open(store->dirfd, STREAM_OWN_DIR, &own, err);

	if (status == STREAM_OK) {
		status = stream_role_files_load(own, &found, err);
		close(own);
	} else if (status == STREAM_ENOENT) {
		status = STREAM_OK;
	}
	if (status == STREAM_OK)
		*role = found;
	return status;
}

/* How much of text a message holds, whole characters. */
static int
told(const char *text)
{
	size_t size = strlen(text);

	if (size <= TOLD)
		return (int)size;
	return (int)stream_utf8_span((const uint8_t *)text, TOLD);
}

static int
refuse(const struct stream_role *role, bool fenced, struct stream_error *err)
{
	if (fenced)
		return stream_fail(err, STREAM_EFENCED, STREAM_POS_NONE,
		    "is fenced: %.*s; write to the store that leads now (strm "
		    "fence --lift takes the fence away)",
		    told(role->reason), role->reason);
	return stream_fail(err, STREAM_EFENCED, STREAM_POS_NONE,
	    role->is_promoting
		? "is a replica of %.*s whose promotion is not finished; strm "
		  "promote finishes it"
		: "is a replica of %.*s; strm promote makes it the leader",
	    told(role->of), role->of);
}

int
stream_store_ask(void *context, bool *closed, struct stream_error *err)
{
	const struct stream_store *store = context;
	bool to_fenced = (store->flags & STREAM_STORE_FENCED) != 0;
	bool to_replica = (store->flags & STREAM_STORE_REPLICA) != 0;
	struct stream_role role;
	int status = stream_role_load(store, &role, err);

	if (status != STREAM_OK)
		return status;
	if (role.is_fenced && !to_fenced)
		return refuse(&role, true, err);
	if (role.is_replica && !to_replica)
		return refuse(&role, false, err);
	*closed = role.is_fenced || role.is_replica;
	return STREAM_OK;
}

int
stream_store_check_role(struct stream_store *store, struct stream_error *err)
{
	bool closed;
	int status = stream_store_ask(store, &closed, err);

	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s", store->path);
}

static int
find_epoch(int dirfd, struct stream_epoch *last, struct stream_error *err)
{
	struct stream_epochs_noter noter;
	int status = stream_epochs_last(dirfd, last, err);

	if (status != STREAM_ENOENT && status != STREAM_ECORRUPT)
		return status;
	*last = (struct stream_epoch){-1, -1};
	stream_epochs_noter_init(&noter);
	status = stream_epochs_walk(dirfd, &noter, err);
	if (status == STREAM_OK && noter.entries.size > 0)
		memcpy(last,
		    noter.entries.data + noter.entries.size - sizeof(*last),
		    sizeof(*last));
	stream_epochs_noter_release(&noter);
	return status;
}

static int
look(int dirfd, int64_t log_start, struct stream_role_epoch *epoch,
    struct stream_error *err)
{
	struct stream_log_summary summary;
	struct stream_epoch last;
	int status = stream_log_summarize(dirfd, log_start, &summary, err);

	if (status == STREAM_OK)
		status = find_epoch(dirfd, &last, err);
	if (status != STREAM_OK)
		return status;
	*epoch = (struct stream_role_epoch){
	    .epoch = last.epoch,
	    .start_offset = last.start_offset,
	    .end_offset = summary.log_end_offset,
	};
	return STREAM_OK;
}

int
stream_role_newest_epoch(const struct stream_store *store, const char *topic,
    int32_t partition, struct stream_role_epoch *epoch,
    struct stream_error *err)
{
	int64_t log_start;
	int dirfd;
	int status =
	    stream_store_log_start(store, topic, partition, &log_start, err);

	if (status == STREAM_OK)
		status = stream_store_open_partition(
		    store, topic, partition, &dirfd, err);
	if (status != STREAM_OK)
		return status;
	status = look(dirfd, log_start, epoch, err);
	close(dirfd);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s-%d", topic, partition);
}
