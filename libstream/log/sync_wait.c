/*
 * sync_wait.c - one sync for all who wait for one
 *
 * Many who wait need not queue for the lock to learn that a sync is over: they
 * read the durable end from the state, without a lock, and are woken by the
 * one who published it.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "log/partition_private.h"

/* The longest sleep when nobody rings: the one who synced has died, or did not
 * see that others wait.  A sync takes a fraction of that. */
enum { LOOK_EVERY_NS = 1000000 };

/*
 * Has another writer's sync covered this handle's bytes?  A slot of the state
 * is whole or not taken, a durable end in it was published after a sync that
 * succeeded, and the take-back counter beside it says that nothing was taken
 * back by then.  What is taken back later lies past that durable end.
 */
static bool
is_covered(
    const struct stream_partition *partition, const struct stream_state *now)
{
	return partition->dirty && now->sequence != 0 &&
	       now->takebacks == partition->dirty_takebacks &&
	       (now->active_base > partition->dirty_base ||
		   (now->active_base == partition->dirty_base &&
		       now->durable_end >= partition->dirty_end));
}

int
stream_partition_lock_or_wait(
    struct stream_partition *partition, bool *covered, struct stream_error *err)
{
	int64_t start_ms = stream_clock_steady_ms();

	*covered = false;
	for (;;) {
		struct stream_state now;
		struct stream_error busy;
		int status = stream_partition_try_lock_sync(partition, &busy);

		if (status != STREAM_EBUSY) {
			if (status != STREAM_OK && err != NULL)
				*err = busy;
			return status;
		}
		status = stream_state_read(
		    partition->statefd, &partition->identity, &now, err);
		*covered = status == STREAM_OK && is_covered(partition, &now);
		if (status != STREAM_OK || *covered)
			return status;
		if (stream_clock_steady_ms() - start_ms >=
		    partition->config.lock_timeout_ms) {
			if (err != NULL)
				*err = busy;
			return STREAM_EBUSY;
		}
		stream_bell_wait(&partition->bell, partition->statefd,
		    stream_state_bell(&now), LOOK_EVERY_NS);
	}
}
