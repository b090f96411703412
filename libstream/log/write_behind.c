#include "log/write_behind.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/fail.h"

struct stream_write_behind {
	pthread_t thread;
	bool is_started;
	pthread_mutex_t mutex;
	pthread_cond_t work;
	pthread_cond_t done;
	/* Under the mutex. */
	bool stop;
	bool is_waiting; /* a group that the thread has not finished */
	/* The group: the thread's while is_waiting, else the caller's. */
	struct stream_lane *lane; /* NULL: there is none */
	uint8_t *memory;	  /* owned */
	size_t capacity;
	size_t size;
	size_t put; /* bytes of whole batches that are in the log */
	int status;
	struct stream_error err;
};

int
stream_write_behind_new(
    struct stream_write_behind **behind, struct stream_error *err)
{
	struct stream_write_behind *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return stream_fail_memory(err);
	pthread_mutex_init(&new->mutex, NULL);
	pthread_cond_init(&new->work, NULL);
	pthread_cond_init(&new->done, NULL);
	*behind = new;
	return STREAM_OK;
}

void
stream_write_behind_free(struct stream_write_behind *behind)
{
	if (behind == NULL)
		return;
	pthread_mutex_lock(&behind->mutex);
	behind->stop = true;
	pthread_cond_signal(&behind->work);
	pthread_mutex_unlock(&behind->mutex);
	if (behind->is_started)
		pthread_join(behind->thread, NULL);
	pthread_cond_destroy(&behind->done);
	pthread_cond_destroy(&behind->work);
	pthread_mutex_destroy(&behind->mutex);
	free(behind->memory);
	free(behind);
}

static void *
work(void *argument)
{
	struct stream_write_behind *behind = argument;

	pthread_mutex_lock(&behind->mutex);
	for (;;) {
		while (!behind->is_waiting && !behind->stop)
			pthread_cond_wait(&behind->work, &behind->mutex);
		if (!behind->is_waiting)
			break;
		pthread_mutex_unlock(&behind->mutex);
		behind->status = stream_lane_append(behind->lane,
		    behind->memory, behind->size, &behind->put, &behind->err);
		pthread_mutex_lock(&behind->mutex);
		behind->is_waiting = false;
		pthread_cond_signal(&behind->done);
	}
	pthread_mutex_unlock(&behind->mutex);
	return NULL;
}

static void
start(struct stream_write_behind *behind)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	behind->is_started =
	    pthread_create(&behind->thread, NULL, work, behind) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int
stream_write_behind_finish(
    struct stream_write_behind *behind, struct stream_error *err)
{
	struct stream_lane *lane = behind->lane;

	if (lane == NULL)
		return STREAM_OK;
	pthread_mutex_lock(&behind->mutex);
	while (behind->is_waiting)
		pthread_cond_wait(&behind->done, &behind->mutex);
	pthread_mutex_unlock(&behind->mutex);
	behind->lane = NULL;
	stream_lane_tell(lane, behind->memory, behind->put);
	if (behind->status != STREAM_OK && err != NULL)
		*err = behind->err;
	return behind->status;
}

static void
take_group(struct stream_write_behind *behind, struct stream_lane *lane)
{
	uint8_t *memory = behind->memory;
	size_t capacity = behind->capacity;

	behind->lane = lane;
	behind->memory = lane->memory;
	behind->capacity = lane->capacity;
	behind->size = lane->finished;
	lane->memory = memory;
	lane->capacity = capacity;
	lane->finished = 0;
}

int
stream_write_behind_submit(struct stream_write_behind *behind,
    struct stream_lane *lane, struct stream_error *err)
{
	int status = stream_write_behind_finish(behind, err);

	if (status != STREAM_OK)
		return status;
	if (!behind->is_started)
		start(behind);
	if (!behind->is_started) /* no thread to be had: write here */
		return stream_lane_write(
		    lane, lane->memory, lane->finished, err);
	take_group(behind, lane);
	pthread_mutex_lock(&behind->mutex);
	behind->is_waiting = true;
	pthread_cond_signal(&behind->work);
	pthread_mutex_unlock(&behind->mutex);
	return STREAM_OK;
}
