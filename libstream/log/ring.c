#include "log/ring.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/fail.h"

enum { WORKERS_MAX = 16 };

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_RUNNING, SLOT_DONE };

struct stream_ring {
	const struct stream_ring_work *work;
	void *owner;
	void *context; /* the owner's own */
	enum slot_state *states;
	unsigned size;
	unsigned first; /* the oldest in use */
	unsigned count; /* in use */
	unsigned begin; /* the next to work on */
	unsigned workers;
	unsigned started;
	unsigned start_at;
	pthread_t threads[WORKERS_MAX];
	bool stop;
	pthread_mutex_t mutex; /* for states, begin and stop */
	pthread_cond_t filled;
	pthread_cond_t done;
};

static int
make_context(struct stream_ring *ring, void **context, struct stream_error *err)
{
	*context = NULL;
	return ring->work->context_new == NULL
		   ? STREAM_OK
		   : ring->work->context_new(ring->owner, context, err);
}

static void
free_context(struct stream_ring *ring, void *context)
{
	if (ring->work->context_free != NULL)
		ring->work->context_free(context);
}

int
stream_ring_new(unsigned slots, unsigned workers, unsigned start_at,
    const struct stream_ring_work *work, void *owner, struct stream_ring **ring,
    struct stream_error *err)
{
	struct stream_ring *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	new->work = work;
	new->owner = owner;
	new->size = slots;
	new->workers = workers < WORKERS_MAX ? workers : WORKERS_MAX;
	assert(!work->one_at_a_time || workers <= 1);
	new->start_at = start_at;
	pthread_mutex_init(&new->mutex, NULL);
	pthread_cond_init(&new->filled, NULL);
	pthread_cond_init(&new->done, NULL);
	new->states = calloc(slots, sizeof(*new->states));
	status = new->states != NULL ? make_context(new, &new->context, err)
				     : stream_fail_memory(err);
	if (status != STREAM_OK) {
		stream_ring_free(new);
		return status;
	}
	*ring = new;
	return STREAM_OK;
}

void
stream_ring_free(struct stream_ring *ring)
{
	if (ring == NULL)
		return;
	pthread_mutex_lock(&ring->mutex);
	ring->stop = true;
	pthread_cond_broadcast(&ring->filled);
	pthread_mutex_unlock(&ring->mutex);
	for (unsigned i = 0; i < ring->started; i++)
		pthread_join(ring->threads[i], NULL);
	free_context(ring, ring->context);
	pthread_cond_destroy(&ring->done);
	pthread_cond_destroy(&ring->filled);
	pthread_mutex_destroy(&ring->mutex);
	free(ring->states);
	free(ring);
}

unsigned
stream_ring_count(const struct stream_ring *ring)
{
	return ring->count;
}

bool
stream_ring_is_full(const struct stream_ring *ring)
{
	return ring->count == ring->size;
}

unsigned
stream_ring_next(const struct stream_ring *ring)
{
	return (ring->first + ring->count) % ring->size;
}

/* Work on the next filled slot, if there is one.  The mutex is held before
 * and after, and not during the work. */
static bool
run_one(struct stream_ring *ring, void *context)
{
	unsigned slot = ring->begin;

	if (ring->states[slot] != SLOT_WAITING)
		return false;
	ring->states[slot] = SLOT_RUNNING;
	ring->begin = (slot + 1) % ring->size;
	pthread_mutex_unlock(&ring->mutex);
	ring->work->run(ring->owner, context, slot);
	pthread_mutex_lock(&ring->mutex);
	ring->states[slot] = SLOT_DONE;
	pthread_cond_signal(&ring->done);
	return true;
}

static void *
work(void *argument)
{
	struct stream_ring *ring = argument;
	void *context;

	/* Without memory for it there is one thread less; the owner does the
	 * work when it waits. */
	if (make_context(ring, &context, NULL) != STREAM_OK)
		return NULL;
	pthread_mutex_lock(&ring->mutex);
	while (!ring->stop)
		if (!run_one(ring, context))
			pthread_cond_wait(&ring->filled, &ring->mutex);
	pthread_mutex_unlock(&ring->mutex);
	free_context(ring, context);
	return NULL;
}

/* May the owner work on slots itself? */
static bool
may_help(const struct stream_ring *ring)
{
	return !ring->work->one_at_a_time || ring->started == 0;
}

/* A thread that does not start is one less, and no failure. */
static void
start_threads(struct stream_ring *ring)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	while (ring->started < ring->workers &&
	       pthread_create(
		   &ring->threads[ring->started], NULL, work, ring) == 0)
		ring->started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ring->workers = ring->started;
}

void
stream_ring_put(struct stream_ring *ring)
{
	unsigned slot = stream_ring_next(ring);

	ring->count++;
	if (ring->count >= ring->start_at && ring->started < ring->workers)
		start_threads(ring);
	pthread_mutex_lock(&ring->mutex);
	ring->states[slot] = SLOT_WAITING;
	pthread_cond_signal(&ring->filled);
	pthread_mutex_unlock(&ring->mutex);
}

unsigned
stream_ring_wait(struct stream_ring *ring)
{
	unsigned first = ring->first;

	pthread_mutex_lock(&ring->mutex);
	while (ring->states[first] != SLOT_DONE)
		if (!may_help(ring) || !run_one(ring, ring->context))
			pthread_cond_wait(&ring->done, &ring->mutex);
	pthread_mutex_unlock(&ring->mutex);
	return first;
}

void
stream_ring_pop(struct stream_ring *ring)
{
	pthread_mutex_lock(&ring->mutex);
	ring->states[ring->first] = SLOT_FREE;
	pthread_mutex_unlock(&ring->mutex);
	ring->first = (ring->first + 1) % ring->size;
	ring->count--;
}
