/*
 * jobs.h - work on many things at once
 *
 * Threads take one thing after another.  The main thread waits, and shows how
 * far it is ten times a second.  What they share is used under one lock.
 */
#ifndef JOBS_H
#define JOBS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jobs {
	size_t count; /* things */
	void *context;
	/* Work on thing i; without the lock. */
	void (*work)(void *context, size_t i);
	/* With the lock: is there to be another one? */
	bool (*go_on)(void *context);
	/* With the lock, on the main thread. */
	void (*tick)(void *context);

	pthread_mutex_t lock;
	pthread_cond_t ended; /* a thread has */
	size_t next;          /* the thing that is taken next */
	size_t working;       /* threads */
};

/* For the initialiser of a struct that has one. */
#define JOBS_DEFAULTS \
	{ \
		.lock = PTHREAD_MUTEX_INITIALIZER, \
		.ended = PTHREAD_COND_INITIALIZER \
	}

/* How many threads there will be, if so many are asked for. */
size_t jobs_threads(const struct jobs *jobs, uint64_t asked);

/* Work on all things, with so many threads (not 0).  Where no thread can be
 * started, this one works. */
void jobs_run(struct jobs *jobs, size_t threads);

void jobs_lock(struct jobs *jobs);
void jobs_unlock(struct jobs *jobs);
void jobs_release(struct jobs *jobs);

#endif
