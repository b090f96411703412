/*
 * install_mark.c - that a run is in the middle of a step, or was when it died
 *
 * Between two steps of a run the log may look like a damaged one: an append did
 * not finish, or the log starts past its end.  The mark says that this is what
 * a run leaves and the next one settles, and nothing else says so.
 */
#include "file/io.h"
#include "log/install.h"
#include "log/partition_private.h"

static int
publish(struct stream_partition *partition, uint16_t marks,
    struct stream_error *err)
{
	int status = stream_partition_lock(partition, err);

	if (status != STREAM_OK)
		return status;
	partition->state.marks =
	    (uint16_t)((partition->state.marks & ~STREAM_MARK_REPLICATING) |
		       marks);
	status = stream_partition_publish(partition, err);
	if (status != STREAM_OK)
		partition->known.sequence = 0;
	stream_partition_unlock(partition);
	return status;
}

int
stream_install_begin(const struct stream_install *install, bool durably,
    struct stream_error *err)
{
	struct stream_partition *partition = install->partition;
	int status = publish(partition, STREAM_MARK_REPLICATING, err);

	return status == STREAM_OK && durably
		   ? stream_io_sync(partition->statefd, err)
		   : status;
}

int
stream_install_end(
    const struct stream_install *install, struct stream_error *err)
{
	struct stream_partition *partition = install->partition;

	return (partition->state.marks & STREAM_MARK_REPLICATING) != 0
		   ? publish(partition, 0, err)
		   : STREAM_OK;
}

/* Where the log starts is where its end was to be: no offset up to there may be
 * given out. */
int
stream_install_give_up(struct stream_partition *partition,
    int64_t log_start_offset, struct stream_error *err)
{
	const struct stream_install install = {.partition = partition};
	const struct stream_state *state = &partition->state;
	int status = STREAM_OK;

	if ((state->marks & STREAM_MARK_REPLICATING) != 0 &&
	    state->next_offset < log_start_offset)
		status = stream_install_roll(&install, log_start_offset, err);
	return status == STREAM_OK ? stream_install_end(&install, err) : status;
}
