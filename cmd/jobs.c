#include "jobs.h"

#include <signal.h>
#include <time.h>

enum {
	JOBS_MOST = 64, /* a handful of descriptors each */
	TICK_MS = 100   /* between two looks of the main thread */
};

void
jobs_lock(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
}

void
jobs_unlock(struct jobs *jobs)
{
	pthread_mutex_unlock(&jobs->lock);
}

void
jobs_release(struct jobs *jobs)
{
	pthread_mutex_destroy(&jobs->lock);
	pthread_cond_destroy(&jobs->ended);
}

size_t
jobs_threads(const struct jobs *jobs, uint64_t asked)
{
	if (asked > jobs->count)
		asked = jobs->count;
	if (asked > JOBS_MOST)
		asked = JOBS_MOST;
	return asked == 0 ? 1 : (size_t)asked;
}

/* false: there is none, or there is to be none. */
static bool
take(struct jobs *jobs, size_t *i)
{
	bool taken;

	jobs_lock(jobs);
	taken = jobs->next < jobs->count && jobs->go_on(jobs->context);
	if (taken)
		*i = jobs->next++;
	jobs_unlock(jobs);
	return taken;
}

static void *
work(void *context)
{
	struct jobs *jobs = context;
	size_t i;

	while (take(jobs, &i))
		jobs->work(jobs->context, i);
	jobs_lock(jobs);
	jobs->working--;
	pthread_cond_signal(&jobs->ended);
	jobs_unlock(jobs);
	return NULL;
}

/* Signals are for the main thread. */
static bool
start_thread(struct jobs *jobs)
{
	sigset_t all, before;
	pthread_t thread;
	bool started;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&thread, NULL, work, jobs) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (started)
		pthread_detach(thread);
	return started;
}

/* Until all threads have ended.  The lock is held but while this waits. */
static void
watch(struct jobs *jobs)
{
	while (jobs->working > 0) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += (long)TICK_MS * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&jobs->ended, &jobs->lock, &until);
		jobs->tick(jobs->context);
	}
}

void
jobs_run(struct jobs *jobs, size_t threads)
{
	jobs_lock(jobs);
	while (jobs->working < threads && start_thread(jobs))
		jobs->working++;
	if (jobs->working > 0) {
		watch(jobs);
	} else {
		jobs->working = 1;
		jobs_unlock(jobs);
		work(jobs);
		jobs_lock(jobs);
	}
	jobs_unlock(jobs);
}
