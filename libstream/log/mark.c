/*
 * mark.c - tell the writers that have a partition open that they must stop
 */
#include <unistd.h>

#include "file/dir.h"
#include "log/partition_private.h"

static int
mark_deleted(struct stream_partition *partition, struct stream_error *err)
{
	int status = stream_partition_lock_byte(partition, STREAM_LOCK_APPEND,
	    partition->config.lock_timeout_ms, err);

	if (status != STREAM_OK)
		return status;
	status = stream_state_read(
	    partition->statefd, &partition->identity, &partition->state, err);
	partition->state.marks |= STREAM_MARK_DELETED;
	if (status == STREAM_OK)
		status = stream_partition_publish(partition, err);
	stream_partition_unlock(partition);
	return status;
}

int
stream_partition_mark_deleted(
    int dirfd, int lock_timeout_ms, struct stream_error *err)
{
	struct stream_partition partition = {
	    .dirfd = dirfd,
	    .statefd = -1,
	    .config.lock_timeout_ms = lock_timeout_ms,
	};
	int status = stream_partition_open_state(&partition, err);

	if (status == STREAM_OK)
		status = stream_partition_lock_byte(
		    &partition, STREAM_LOCK_STRUCTURE, lock_timeout_ms, err);
	if (status == STREAM_OK)
		status = stream_partition_lock_byte(
		    &partition, STREAM_LOCK_SYNC, lock_timeout_ms, err);
	if (status == STREAM_OK)
		status = mark_deleted(&partition, err);
	/* Closing the descriptor gives all its locks back. */
	if (partition.statefd >= 0)
		close(partition.statefd);
	return status;
}

/*
 * Under the append lock, where the store is asked again: of two who change its
 * role the last to come here leaves what is true.
 */
static int
set_closed(struct stream_partition *partition, struct stream_error *err)
{
	const struct stream_log_config *config = &partition->config;
	struct stream_state *state = &partition->state;
	uint16_t before;
	bool closed = true;
	int status = stream_state_read(
	    partition->statefd, &partition->identity, state, err);

	if (status != STREAM_OK)
		return status;
	/* Who has this partition open has written a state that is current, or
	 * recovers next, and asks. */
	if (!stream_state_is_current(state, &partition->identity))
		return STREAM_OK;
	before = state->marks;
	if (config->ask(config->ask_context, &closed, NULL) != STREAM_OK)
		closed = true;
	state->marks &= (uint16_t)~STREAM_MARK_CLOSED;
	if (closed)
		state->marks |= STREAM_MARK_CLOSED;
	return state->marks == before
		   ? STREAM_OK
		   : stream_partition_publish(partition, err);
}

int
stream_partition_mark_closed(
    int dirfd, const struct stream_log_config *config, struct stream_error *err)
{
	struct stream_partition partition = {
	    .dirfd = dirfd,
	    .statefd = -1,
	    .config = *config,
	};
	bool has;
	int status = stream_dir_has(dirfd, STREAM_STATE_NAME, &has, err);

	/* Whoever makes the file asks once he holds its lock. */
	if (status != STREAM_OK || !has)
		return status;
	status = stream_partition_open_state(&partition, err);
	if (status == STREAM_OK)
		status = stream_partition_lock_byte(&partition,
		    STREAM_LOCK_APPEND, config->lock_timeout_ms, err);
	if (status == STREAM_OK)
		status = set_closed(&partition, err);
	if (partition.statefd >= 0)
		close(partition.statefd);
	return status;
}
