#include "store/replica_leader.h"

#include <unistd.h>

#include "file/checkpoint.h"
#include "log/epochs_rebuild.h"
#include "store/metadata.h"
#include "store/place.h"

/* The file is a hint (I5): without it the newest batches tell. */
static int
find_epoch(int dirfd, int32_t *epoch, struct stream_error *err)
{
	struct stream_epoch last;
	int status = stream_epochs_last(dirfd, &last, err);

	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT)
		return stream_epochs_newest(dirfd, epoch, err);
	if (status == STREAM_OK)
		*epoch = last.epoch;
	return status;
}

static int
look(int dirfd, struct stream_manifest_other *other, struct stream_error *err)
{
	int status = stream_metadata_load(dirfd, other->id, err);

	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT) {
		other->id[0] = '\0';
		status = STREAM_OK;
	}
	return status == STREAM_OK ? find_epoch(dirfd, &other->epoch, err)
				   : status;
}

int
stream_replica_add_leader(const struct stream_store *store,
    struct stream_manifest *manifest, const char *topic, int32_t partition,
    struct stream_error *err)
{
	struct stream_manifest_other other = {
	    .partition = partition, .epoch = -1};
	struct stream_error why = {.sys = 0};
	int dirfd;
	int status =
	    stream_store_open_partition(store, topic, partition, &dirfd, &why);

	if (status == STREAM_OK) {
		snprintf(other.topic, sizeof(other.topic), "%s", topic);
		status = look(dirfd, &other, &why);
		close(dirfd);
	}
	if (status == STREAM_OK && other.epoch >= 0)
		return stream_manifest_add_other(manifest, &other, err);
	if (status != STREAM_ENOMEM && status != STREAM_EINTR)
		return STREAM_OK;
	if (err != NULL)
		*err = why;
	return status;
}
