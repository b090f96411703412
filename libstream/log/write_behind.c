#include "log/write_behind.h"

#include <stdlib.h>

#include "base/fail.h"
#include "log/ring.h"

/* Groups on their way: with more than one the two threads seldom wait for each
 * other, which matters when groups are small. */
enum { JOBS = 4 };

struct job {
	struct stream_lane *lane;
	uint8_t *memory; /* owned */
	size_t capacity;
	size_t size;
	size_t put; /* bytes of whole batches that are in the log */
	int status;
	struct stream_error err;
};

struct stream_write_behind {
	struct stream_ring *ring; /* with one thread, so in order */
	bool failed;              /* the thread's: write no more */
	struct job jobs[JOBS];    /* by slot */
};

static void
run(void *owner, void *context, unsigned slot)
{
	struct stream_write_behind *behind = owner;
	struct job *job = &behind->jobs[slot];

	(void)context;
	job->put = 0;
	job->status = STREAM_OK;
	/* What comes after records that are missing must not be written. */
	if (behind->failed)
		return;
	job->status = stream_lane_append(
	    job->lane, job->memory, job->size, &job->put, &job->err);
	behind->failed = job->status != STREAM_OK;
}

int
stream_write_behind_new(
    struct stream_write_behind **behind, struct stream_error *err)
{
	static const struct stream_ring_work work = {
	    .one_at_a_time = true, .run = run};
	struct stream_write_behind *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	status = stream_ring_new(JOBS, 1, 1, &work, new, &new->ring, err);
	if (status != STREAM_OK) {
		free(new);
		return status;
	}
	*behind = new;
	return STREAM_OK;
}

void
stream_write_behind_free(struct stream_write_behind *behind)
{
	if (behind == NULL)
		return;
	stream_ring_free(behind->ring);
	for (size_t i = 0; i < JOBS; i++)
		free(behind->jobs[i].memory);
	free(behind);
}

static int
take_first(struct stream_write_behind *behind, struct stream_error *err)
{
	struct job *job = &behind->jobs[stream_ring_wait(behind->ring)];

	stream_lane_tell(job->lane, job->memory, job->put);
	stream_ring_pop(behind->ring);
	if (job->status != STREAM_OK && err != NULL)
		*err = job->err;
	return job->status;
}

int
stream_write_behind_finish(
    struct stream_write_behind *behind, struct stream_error *err)
{
	int first = STREAM_OK;

	while (stream_ring_count(behind->ring) > 0) {
		int status =
		    take_first(behind, first == STREAM_OK ? err : NULL);

		if (first == STREAM_OK)
			first = status;
	}
	return first;
}

static void
hand_over(struct job *job, struct stream_lane *lane)
{
	uint8_t *memory = job->memory;
	size_t capacity = job->capacity;

	job->lane = lane;
	job->memory = lane->memory;
	job->capacity = lane->capacity;
	job->size = lane->finished;
	lane->memory = memory;
	lane->capacity = capacity;
	lane->finished = 0;
}

int
stream_write_behind_submit(struct stream_write_behind *behind,
    struct stream_lane *lane, struct stream_error *err)
{
	int status = STREAM_OK;

	if (stream_ring_is_full(behind->ring))
		status = take_first(behind, err);
	if (status != STREAM_OK)
		return status;
	hand_over(&behind->jobs[stream_ring_next(behind->ring)], lane);
	stream_ring_put(behind->ring);
	return STREAM_OK;
}
