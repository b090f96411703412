/*
 * quiet.h - look at bad bytes until nobody is writing them
 *
 * Layer log/.  SPEC section 10.  Bytes at the end of a log that are no batch
 * may be half of an append that is under way.  Whoever reads must not judge
 * them before that is over.
 */
#ifndef STREAM_LOG_QUIET_H
#define STREAM_LOG_QUIET_H

#include <stdbool.h>

#include "file/state.h"

struct stream_quiet {
	int statefd; /* borrowed; -1: there is no state file */
	const struct stream_state_identity *identity; /* of it; borrowed */
	int timeout_ms; /* longest wait for an append that does not end */
	/* Read the bytes once more, from the file. */
	int (*again)(void *owner, struct stream_error *err);
	void *owner;
};

/* Is this what bytes that are no batch give? */
bool stream_quiet_is_bad(int status);

/*
 * Look again until the bytes are good, or no writer was at work before, during
 * and after a look that still found them bad; without a state file, which says
 * so, three times, 10 ms apart.  The status of the last look.
 */
int stream_quiet_look(
    const struct stream_quiet *quiet, struct stream_error *err);

/* Wait as long as one who has no state file does between two looks. */
void stream_quiet_pause(void);

#endif
