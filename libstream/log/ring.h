/*
 * ring.h - work on threads, results in order
 *
 * Layer log/.  A ring of slots: the owner fills the next free one, threads
 * work on the filled ones, the owner takes them back oldest first.  The owner
 * lends a hand when it would have to wait and there is work that nobody has
 * begun, unless the work must be done by one at a time.
 * Threads are started when they are first of use and block all signals.
 * What a slot holds is the owner's business; it is the worker's from put to
 * wait, and nobody's else.
 */
#ifndef STREAM_LOG_RING_H
#define STREAM_LOG_RING_H

#include <stdbool.h>

#include <stream/error.h>

struct stream_ring;

struct stream_ring_work {
	/* What a thread needs for itself, such as a codec's context; one more
	 * is made for the owner.  Both NULL: nothing. */
	int (*context_new)(
	    void *owner, void **context, struct stream_error *err);
	void (*context_free)(void *context);
	/* Slots must be worked on in order, never two at once: there is one
	 * thread at most, and the owner helps only when it could not start. */
	bool one_at_a_time;
	/* Work on one slot. */
	void (*run)(void *owner, void *context, unsigned slot);
};

/*
 * Make a ring of slots slots with at most workers threads.  Threads start
 * when start_at slots are in use at once.  work and owner are kept.  Gives
 * *ring; free it with stream_ring_free.  STREAM_ENOMEM, and what context_new
 * fails with.
 */
int stream_ring_new(unsigned slots, unsigned workers, unsigned start_at,
    const struct stream_ring_work *work, void *owner, struct stream_ring **ring,
    struct stream_error *err);

/* Waits for slots that are being worked on; others are dropped.  NULL is
 * allowed. */
void stream_ring_free(struct stream_ring *ring);

/* Slots between put and pop. */
unsigned stream_ring_count(const struct stream_ring *ring);
bool stream_ring_is_full(const struct stream_ring *ring);

/* The slot to fill next.  The ring is not full. */
unsigned stream_ring_next(const struct stream_ring *ring);

/* That slot is filled: work on it. */
void stream_ring_put(struct stream_ring *ring);

/* Wait for the oldest slot and return it.  The ring is not empty. */
unsigned stream_ring_wait(struct stream_ring *ring);

/* Give the oldest slot, which was waited for, back to be filled again. */
void stream_ring_pop(struct stream_ring *ring);

#endif
