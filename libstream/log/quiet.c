#include "log/quiet.h"

#include <time.h>

#include "base/clock.h"
#include "file/lock.h"

enum {
	/* An append takes microseconds; whoever looks every millisecond sees
	 * its end soon and costs nothing. */
	APPEND_PAUSE_MS = 1,
	/* Without a lock file nobody says whether an append is under way. */
	FOREIGN_PAUSE_MS = 10,
	FOREIGN_TRIES = 3
};

static void
pause_ms(int ms)
{
	struct timespec pause = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&pause, NULL);
}

void
stream_quiet_pause(void)
{
	pause_ms(FOREIGN_PAUSE_MS);
}

bool
stream_quiet_is_bad(int status)
{
	return status == STREAM_ETORN || status == STREAM_ECORRUPT ||
	       status == STREAM_ENEWER;
}

/* What tells that a writer was at work: its lock, and the state's number. */
struct activity {
	bool locked;
	uint64_t sequence;
};

static struct activity
look_at_writers(const struct stream_quiet *quiet)
{
	struct activity activity = {.locked = stream_lock_is_held(
					quiet->statefd, STREAM_LOCK_APPEND, 1)};
	struct stream_state state = {0};

	stream_state_read(quiet->statefd, quiet->identity, &state, NULL);
	activity.sequence = state.sequence;
	return activity;
}

static int
look_beside_writers(const struct stream_quiet *quiet, struct stream_error *err)
{
	int64_t since_ms = stream_clock_steady_ms();

	for (;;) {
		struct activity before = look_at_writers(quiet);
		int status = quiet->again(quiet->owner, err);
		struct activity after = look_at_writers(quiet);

		if (!stream_quiet_is_bad(status))
			return status;
		if (!before.locked && !after.locked &&
		    before.sequence == after.sequence)
			return status;
		if (stream_clock_steady_ms() - since_ms >= quiet->timeout_ms)
			return status;
		pause_ms(APPEND_PAUSE_MS);
	}
}

int
stream_quiet_look(const struct stream_quiet *quiet, struct stream_error *err)
{
	int status = STREAM_ETORN;

	if (quiet->statefd >= 0)
		return look_beside_writers(quiet, err);
	for (int i = 0; i < FOREIGN_TRIES && stream_quiet_is_bad(status); i++) {
		pause_ms(FOREIGN_PAUSE_MS);
		status = quiet->again(quiet->owner, err);
	}
	return status;
}
