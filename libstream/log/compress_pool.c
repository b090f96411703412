#include "log/compress_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/fail.h"

enum {
	WORKERS_MAX = 16,
	/* Batches per thread on their way: one in work, one waiting, so that
	 * no thread waits for the producer. */
	JOBS_PER_WORKER = 2
};

enum job_state { JOB_FREE, JOB_WAITING, JOB_RUNNING, JOB_DONE };

struct job {
	enum job_state state; /* under the pool's mutex */
	struct stream_lane *lane;
	uint8_t *memory; /* owned: header room and records */
	size_t capacity;
	struct stream_batch_build build;
	struct stream_buf packed; /* the finished batch */
	int status;
	struct stream_error err;
};

struct stream_compress_pool {
	enum stream_codec codec;
	int level;
	unsigned workers; /* wanted */
	unsigned started;
	pthread_t threads[WORKERS_MAX];
	struct stream_compressor *own; /* for batches without threads */
	struct job *jobs;	       /* a ring */
	unsigned size;
	unsigned first;	  /* the oldest that is not appended */
	unsigned count;	  /* not appended */
	unsigned waiting; /* index in the ring of the next to compress */
	bool stop;
	pthread_mutex_t mutex;
	pthread_cond_t work;
	pthread_cond_t done;
};

int
stream_compress_pool_new(enum stream_codec codec, int level, unsigned workers,
    struct stream_compress_pool **pool, struct stream_error *err)
{
	struct stream_compress_pool *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	new->codec = codec;
	new->level = level;
	new->workers = workers < WORKERS_MAX ? workers : WORKERS_MAX;
	new->size = workers > 0 ? new->workers * JOBS_PER_WORKER : 1;
	pthread_mutex_init(&new->mutex, NULL);
	pthread_cond_init(&new->work, NULL);
	pthread_cond_init(&new->done, NULL);
	new->jobs = calloc(new->size, sizeof(*new->jobs));
	status = new->jobs != NULL
	    ? stream_compressor_new(codec, level, &new->own, err)
	    : stream_fail_memory(err);
	if (status != STREAM_OK) {
		stream_compress_pool_free(new);
		return status;
	}
	*pool = new;
	return STREAM_OK;
}

void
stream_compress_pool_free(struct stream_compress_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->mutex);
	pool->stop = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->mutex);
	for (unsigned i = 0; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
	for (unsigned i = 0; pool->jobs != NULL && i < pool->size; i++) {
		free(pool->jobs[i].memory);
		stream_buf_release(&pool->jobs[i].packed);
	}
	stream_compressor_free(pool->own);
	pthread_cond_destroy(&pool->done);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->mutex);
	free(pool->jobs);
	free(pool);
}

bool
stream_compress_pool_is_busy(const struct stream_compress_pool *pool)
{
	return pool->count > 0;
}

/* Records to a finished batch. */
static int
pack(enum stream_codec codec, struct stream_compressor *compressor,
    struct job *job, struct stream_error *err)
{
	struct stream_bytes records = { job->memory + STREAM_BATCH_HEADER,
		stream_batch_build_size(&job->build) - STREAM_BATCH_HEADER };
	int status;

	job->packed.size = 0;
	status = stream_buf_reserve(
	    &job->packed, STREAM_BATCH_HEADER + records.size, err);
	if (status != STREAM_OK)
		return status;
	job->packed.size = STREAM_BATCH_HEADER;
	status = stream_compress(compressor, records, &job->packed, err);
	if (status == STREAM_OK)
		stream_batch_build_header(&job->build, codec,
		    job->packed.data, job->packed.size);
	return status;
}

/* The next batch that nobody compresses yet, or NULL.  Mutex held. */
static struct job *
take_waiting(struct stream_compress_pool *pool)
{
	struct job *job = &pool->jobs[pool->waiting];

	if (job->state != JOB_WAITING)
		return NULL;
	job->state = JOB_RUNNING;
	pool->waiting = (pool->waiting + 1) % pool->size;
	return job;
}

/* Compress one, the mutex held before and after but not during. */
static void
run(struct stream_compress_pool *pool, struct job *job,
    struct stream_compressor *compressor)
{
	pthread_mutex_unlock(&pool->mutex);
	job->status = pack(pool->codec, compressor, job, &job->err);
	pthread_mutex_lock(&pool->mutex);
	job->state = JOB_DONE;
	pthread_cond_signal(&pool->done);
}

static void *
work(void *argument)
{
	struct stream_compress_pool *pool = argument;
	struct stream_compressor *compressor;

	/* Without memory for it there is one thread less; the producer's own
	 * compressor does the work. */
	if (stream_compressor_new(
		pool->codec, pool->level, &compressor, NULL) != STREAM_OK)
		return NULL;
	pthread_mutex_lock(&pool->mutex);
	while (!pool->stop) {
		struct job *job = take_waiting(pool);

		if (job != NULL)
			run(pool, job, compressor);
		else
			pthread_cond_wait(&pool->work, &pool->mutex);
	}
	pthread_mutex_unlock(&pool->mutex);
	stream_compressor_free(compressor);
	return NULL;
}

/* A thread that does not start is one less; no failure. */
static void
start_threads(struct stream_compress_pool *pool)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	while (pool->started < pool->workers &&
	    pthread_create(&pool->threads[pool->started], NULL, work, pool) ==
		0)
		pool->started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pool->workers = pool->started;
}

/* Wait for the oldest batch, lending a hand if nobody has begun it. */
static struct job *
wait_first(struct stream_compress_pool *pool)
{
	struct job *first = &pool->jobs[pool->first];

	pthread_mutex_lock(&pool->mutex);
	while (first->state != JOB_DONE) {
		if (first->state == JOB_WAITING)
			run(pool, take_waiting(pool), pool->own);
		else
			pthread_cond_wait(&pool->done, &pool->mutex);
	}
	pthread_mutex_unlock(&pool->mutex);
	return first;
}

static int
append_first(struct stream_compress_pool *pool, struct stream_error *err)
{
	struct job *job = wait_first(pool);
	int status = job->status;

	if (status == STREAM_OK)
		status = stream_lane_write(
		    job->lane, job->packed.data, job->packed.size, err);
	else if (err != NULL)
		*err = job->err;
	pthread_mutex_lock(&pool->mutex);
	job->state = JOB_FREE;
	pthread_mutex_unlock(&pool->mutex);
	pool->first = (pool->first + 1) % pool->size;
	pool->count--;
	return status;
}

static void
hand_over(struct stream_compress_pool *pool, struct stream_lane *lane)
{
	struct job *job = &pool->jobs[(pool->first + pool->count) % pool->size];
	uint8_t *memory = job->memory;
	size_t capacity = job->capacity;

	job->lane = lane;
	job->memory = lane->memory;
	job->capacity = lane->capacity;
	job->build = lane->build;
	lane->memory = memory;
	lane->capacity = capacity;
	lane->build.count = 0;
	pthread_mutex_lock(&pool->mutex);
	job->state = JOB_WAITING;
	pool->count++;
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->mutex);
}

int
stream_compress_pool_submit(struct stream_compress_pool *pool,
    struct stream_lane *lane, struct stream_error *err)
{
	int status = STREAM_OK;

	if (pool->count == pool->size)
		status = append_first(pool, err);
	if (status != STREAM_OK)
		return status;
	if (pool->count > 0 && pool->started < pool->workers)
		start_threads(pool);
	hand_over(pool, lane);
	return STREAM_OK;
}

int
stream_compress_pool_finish(
    struct stream_compress_pool *pool, struct stream_error *err)
{
	int status = STREAM_OK;

	while (pool->count > 0 && status == STREAM_OK)
		status = append_first(pool, err);
	return status;
}
