#include "log/read_ahead.h"

#include <stdlib.h>

#include "base/fail.h"
#include "codec/compress.h"
#include "log/ring.h"

enum {
	SLOTS_PER_WORKER = 2,
	SLOTS_MOST = 8,
	/*
	 * What a slot may hold decompressed.  A few bytes can claim to be
	 * gigabytes, and there are several slots; larger batches than any
	 * producer makes by default are decompressed one at a time.
	 */
	SLOT_BYTES = 2 << 20
};

struct slot {
	struct stream_batch batch;
	struct stream_buf packed;
	struct stream_buf plain;
	int status;
	struct stream_error err;
};

struct stream_read_ahead {
	struct stream_ring *ring;
	unsigned size;
	size_t cap;   /* what a slot may hold decompressed */
	bool is_lent; /* the oldest slot was taken and is not given back */
	struct slot slots[SLOTS_MOST];
};

static int
context_new(void *owner, void **context, struct stream_error *err)
{
	struct stream_decompressor *decompressor;
	int status = stream_decompressor_new(&decompressor, err);

	(void)owner;
	if (status == STREAM_OK)
		*context = decompressor;
	return status;
}

static void
context_free(void *context)
{
	stream_decompressor_free(context);
}

static void
run(void *owner, void *context, unsigned index)
{
	struct stream_read_ahead *ahead = owner;
	struct slot *slot = &ahead->slots[index];
	struct stream_bytes records = {slot->packed.data + STREAM_BATCH_HEADER,
	    slot->packed.size - STREAM_BATCH_HEADER};

	slot->plain.size = 0;
	slot->status =
	    stream_decompress(context, stream_batch_codec(&slot->batch.info),
		records, ahead->cap, &slot->plain, &slot->err);
}

int
stream_read_ahead_new(unsigned workers, size_t max_batch_bytes,
    struct stream_read_ahead **ahead, struct stream_error *err)
{
	static const struct stream_ring_work work = {.context_new = context_new,
	    .context_free = context_free,
	    .run = run};
	struct stream_read_ahead *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	new->cap = max_batch_bytes < SLOT_BYTES ? max_batch_bytes : SLOT_BYTES;
	new->size = workers *SLOTS_PER_WORKER;
	if (new->size > SLOTS_MOST)
		new->size = SLOTS_MOST;
	status =
	    stream_ring_new(new->size, workers, 2, &work, new, &new->ring, err);
	if (status != STREAM_OK) {
		free(new);
		return status;
	}
	*ahead = new;
	return STREAM_OK;
}

void
stream_read_ahead_free(struct stream_read_ahead *ahead)
{
	if (ahead == NULL)
		return;
	stream_ring_free(ahead->ring);
	for (unsigned i = 0; i < ahead->size; i++) {
		stream_buf_release(&ahead->slots[i].packed);
		stream_buf_release(&ahead->slots[i].plain);
	}
	free(ahead);
}

/* The slot that was lent last stays in the ring until the next call. */
static void
give_back(struct stream_read_ahead *ahead)
{
	if (ahead->is_lent)
		stream_ring_pop(ahead->ring);
	ahead->is_lent = false;
}

bool
stream_read_ahead_is_full(const struct stream_read_ahead *ahead)
{
	return stream_ring_is_full(ahead->ring);
}

bool
stream_read_ahead_is_empty(const struct stream_read_ahead *ahead)
{
	return stream_ring_count(ahead->ring) == (ahead->is_lent ? 1 : 0);
}

int
stream_read_ahead_put(struct stream_read_ahead *ahead,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_error *err)
{
	struct slot *slot = &ahead->slots[stream_ring_next(ahead->ring)];
	int status;

	slot->batch = *batch;
	slot->packed.size = 0;
	status = stream_buf_add(&slot->packed, bytes, batch->info.size, err);
	if (status == STREAM_OK)
		stream_ring_put(ahead->ring);
	return status;
}

int
stream_read_ahead_take(struct stream_read_ahead *ahead,
    struct stream_batch *batch, struct stream_bytes *records,
    struct stream_bytes *packed, struct stream_error *err)
{
	struct slot *slot;

	give_back(ahead);
	slot = &ahead->slots[stream_ring_wait(ahead->ring)];
	ahead->is_lent = true;
	*batch = slot->batch;
	*packed = (struct stream_bytes){slot->packed.data, slot->packed.size};
	*records = (struct stream_bytes){slot->plain.data, slot->plain.size};
	if (slot->status == STREAM_ETOOBIG) {
		stream_buf_release(&slot->plain);
		*records = (struct stream_bytes){0};
		return STREAM_OK;
	}
	if (slot->status != STREAM_OK && err != NULL)
		*err = slot->err;
	return slot->status;
}
