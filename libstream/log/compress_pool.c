#include "log/compress_pool.h"

#include <stdlib.h>

#include "base/fail.h"
#include "log/ring.h"

/* Batches per thread on their way: one in work and one waiting, so that no
 * thread waits for the producer. */
enum { JOBS_PER_WORKER = 2 };

struct job {
	struct stream_lane *lane;
	uint8_t *memory; /* owned: room for the header, then records */
	size_t capacity;
	struct stream_batch_build build;
	struct stream_buf packed; /* the finished batch */
	int status;
	struct stream_error err;
};

struct stream_compress_pool {
	enum stream_codec codec;
	int level;
	struct stream_ring *ring;
	struct job *jobs; /* by slot */
	unsigned size;
};

static int
context_new(void *owner, void **context, struct stream_error *err)
{
	const struct stream_compress_pool *pool = owner;
	struct stream_compressor *compressor;
	int status =
	    stream_compressor_new(pool->codec, pool->level, &compressor, err);

	if (status == STREAM_OK)
		*context = compressor;
	return status;
}

static void
context_free(void *context)
{
	stream_compressor_free(context);
}

/* Records to a finished batch. */
static int
pack(enum stream_codec codec, struct stream_compressor *compressor,
    struct job *job, struct stream_error *err)
{
	struct stream_bytes records = {job->memory + STREAM_BATCH_HEADER,
	    stream_batch_build_size(&job->build) - STREAM_BATCH_HEADER};
	int status;

	job->packed.size = 0;
	status = stream_buf_reserve(
	    &job->packed, STREAM_BATCH_HEADER + records.size, err);
	if (status != STREAM_OK)
		return status;
	job->packed.size = STREAM_BATCH_HEADER;
	status = stream_compress(compressor, records, &job->packed, err);
	if (status != STREAM_OK)
		return status;
	/* What a codec makes larger than the topic allows stays as it was. */
	if (job->packed.size > job->lane->rules->max_batch) {
		codec = STREAM_CODEC_NONE;
		job->packed.size = STREAM_BATCH_HEADER;
		status = stream_buf_add(
		    &job->packed, records.data, records.size, err);
		if (status != STREAM_OK)
			return status;
	}
	stream_batch_build_header(
	    &job->build, codec, job->packed.data, job->packed.size);
	stream_batch_seal(job->packed.data, job->packed.size);
	return STREAM_OK;
}

static void
run(void *owner, void *context, unsigned slot)
{
	struct stream_compress_pool *pool = owner;
	struct job *job = &pool->jobs[slot];

	job->status = pack(pool->codec, context, job, &job->err);
}

int
stream_compress_pool_new(enum stream_codec codec, int level, unsigned workers,
    struct stream_compress_pool **pool, struct stream_error *err)
{
	static const struct stream_ring_work work = {.context_new = context_new,
	    .context_free = context_free,
	    .run = run};
	struct stream_compress_pool *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	new->codec = codec;
	new->level = level;
	new->size = workers > 0 ? workers *JOBS_PER_WORKER : 1;
	new->jobs = calloc(new->size, sizeof(*new->jobs));
	status = new->jobs != NULL ? stream_ring_new(new->size, workers, 2,
					 &work, new, &new->ring, err)
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
	stream_ring_free(pool->ring);
	for (unsigned i = 0; pool->jobs != NULL && i < pool->size; i++) {
		free(pool->jobs[i].memory);
		stream_buf_release(&pool->jobs[i].packed);
	}
	free(pool->jobs);
	free(pool);
}

static int
append_first(struct stream_compress_pool *pool, struct stream_error *err)
{
	struct job *job = &pool->jobs[stream_ring_wait(pool->ring)];
	int status = job->status;

	if (status == STREAM_OK)
		status = stream_lane_write(
		    job->lane, job->packed.data, job->packed.size, err);
	else if (err != NULL)
		*err = job->err;
	stream_ring_pop(pool->ring);
	return status;
}

/* The lane's open batch to the job, the job's old memory to the lane. */
static void
hand_over(struct job *job, struct stream_lane *lane)
{
	uint8_t *memory = job->memory;
	size_t capacity = job->capacity;

	job->lane = lane;
	job->memory = lane->memory;
	job->capacity = lane->capacity;
	job->build = lane->build;
	lane->memory = memory;
	lane->capacity = capacity;
	lane->build.count = 0;
}

int
stream_compress_pool_submit(struct stream_compress_pool *pool,
    struct stream_lane *lane, struct stream_error *err)
{
	int status = STREAM_OK;

	if (stream_ring_is_full(pool->ring))
		status = append_first(pool, err);
	if (status != STREAM_OK)
		return status;
	hand_over(&pool->jobs[stream_ring_next(pool->ring)], lane);
	stream_ring_put(pool->ring);
	return STREAM_OK;
}

int
stream_compress_pool_finish(
    struct stream_compress_pool *pool, struct stream_error *err)
{
	int status = STREAM_OK;

	while (stream_ring_count(pool->ring) > 0 && status == STREAM_OK)
		status = append_first(pool, err);
	return status;
}
