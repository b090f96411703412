#include "produce_ack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/output.h"

/* A first-in-first-out queue of fixed-size items in one block of memory. */
struct queue {
	uint8_t *data;
	size_t first; /* items taken from the front */
	size_t count; /* items put in, those taken included */
	size_t capacity;
};

/* Records of one partition that are in the log and not yet printed. */
struct run {
	int64_t next;
	int64_t end;
};

struct produce_ack {
	struct queue sent;  /* int32_t: the partition of each record */
	struct queue *runs; /* struct run, by partition */
	size_t partitions;
	struct cli_out out;
	bool no_memory;
	bool broken;
};

static int
push(struct queue *queue, const void *item, size_t size)
{
	if (queue->first == queue->count)
		queue->first = queue->count = 0;
	if (queue->count == queue->capacity) {
		size_t capacity =
		    queue->capacity == 0 ? 64 : queue->capacity * 2;
		uint8_t *data = realloc(queue->data, capacity * size);

		if (data == NULL)
			return STREAM_ENOMEM;
		queue->data = data;
		queue->capacity = capacity;
	}
	memcpy(queue->data + queue->count++ * size, item, size);
	return STREAM_OK;
}

int
produce_ack_new(struct produce_ack **ack, struct stream_error *err)
{
	struct produce_ack *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	status = cli_out_open(&new->out, STDOUT_FILENO, false, err);
	if (status != STREAM_OK) {
		free(new);
		return status;
	}
	*ack = new;
	return STREAM_OK;
}

void
produce_ack_free(struct produce_ack *ack)
{
	if (ack == NULL)
		return;
	cli_out_close(&ack->out, NULL);
	for (size_t i = 0; i < ack->partitions; i++)
		free(ack->runs[i].data);
	free(ack->runs);
	free(ack->sent.data);
	free(ack);
}

int
produce_ack_sent(
    struct produce_ack *ack, int32_t partition, struct stream_error *err)
{
	if (push(&ack->sent, &partition, sizeof(partition)) != STREAM_OK)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	return STREAM_OK;
}

static struct queue *
runs_of(struct produce_ack *ack, int32_t partition)
{
	size_t need = (size_t)partition + 1;

	if (need > ack->partitions) {
		void *runs = realloc(ack->runs, need * sizeof(*ack->runs));

		if (runs == NULL)
			return NULL;
		ack->runs = runs;
		memset(ack->runs + ack->partitions, 0,
		    (need - ack->partitions) * sizeof(*ack->runs));
		ack->partitions = need;
	}
	return &ack->runs[partition];
}

void
produce_ack_appended(
    struct produce_ack *ack, const struct stream_appended *appended)
{
	struct run run = {
	    appended->base_offset, appended->base_offset + appended->count};
	struct queue *runs = runs_of(ack, appended->partition);

	/* A callback cannot fail; printing tells. */
	if (runs == NULL || push(runs, &run, sizeof(run)) != STREAM_OK)
		ack->no_memory = true;
}

/* The offset of the next record of this partition; -1: not in the log. */
static int64_t
take_offset(struct produce_ack *ack, int32_t partition)
{
	struct queue *runs = runs_of(ack, partition);
	struct run *run;
	int64_t offset;

	if (runs == NULL || runs->first == runs->count)
		return -1;
	run = (struct run *)(void *)(runs->data + runs->first * sizeof(*run));
	offset = run->next++;
	if (run->next == run->end)
		runs->first++;
	return offset;
}

static void
print(struct produce_ack *ack, int32_t partition, int64_t offset)
{
	cli_out_int(&ack->out, partition);
	cli_out_byte(&ack->out, ' ');
	cli_out_int(&ack->out, offset);
	cli_out_byte(&ack->out, '\n');
}

int
produce_ack_print(struct produce_ack *ack, struct stream_error *err)
{
	int status;

	if (ack->no_memory)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	while (ack->sent.first < ack->sent.count) {
		int32_t partition;
		int64_t offset;

		memcpy(&partition,
		    ack->sent.data + ack->sent.first * sizeof(partition),
		    sizeof(partition));
		offset = take_offset(ack, partition);
		if (offset < 0)
			break;
		print(ack, partition, offset);
		ack->sent.first++;
	}
	status = cli_out_flush(&ack->out, err);
	ack->broken = status == STREAM_EIO && err->sys == EPIPE;
	return status;
}

bool
produce_ack_is_broken(const struct produce_ack *ack)
{
	return ack->broken;
}
