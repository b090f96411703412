#include "port/archive_pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fail.h"
#include "codec/compress.h"
#include "log/ring.h"
#include "port/archive_table.h"

/* Pieces per thread on their way: one in work and one waiting. */
enum { SLOTS_PER_THREAD = 2 };

struct slot {
	struct stream_buf plain;
	struct stream_buf packed;
	int status;
	struct stream_error err;
};

struct stream_pieces {
	struct stream_pieces_options options;
	struct stream_ring *ring; /* NULL: nothing is compressed */
	struct slot *slots;
	unsigned slot_count;
	struct stream_table table;
	uint64_t written;
};

/* ---- threads ------------------------------------------------------------ */

static int
context_new(void *owner, void **context, struct stream_error *err)
{
	const struct stream_pieces *pieces = owner;
	struct stream_compressor *compressor;
	int status = stream_compressor_new(
	    pieces->options.codec, pieces->options.level, &compressor, err);

	if (status == STREAM_OK)
		*context = compressor;
	return status;
}

static void
context_free(void *context)
{
	stream_compressor_free(context);
}

static void
run(void *owner, void *context, unsigned i)
{
	struct stream_pieces *pieces = owner;
	struct slot *slot = &pieces->slots[i];
	struct stream_bytes plain = {slot->plain.data, slot->plain.size};

	slot->packed.size = 0;
	slot->status =
	    stream_compress(context, plain, &slot->packed, &slot->err);
}

/* ---- life --------------------------------------------------------------- */

static int
make_ring(struct stream_pieces *pieces, struct stream_error *err)
{
	static const struct stream_ring_work work = {.context_new = context_new,
	    .context_free = context_free,
	    .run = run};
	unsigned threads = pieces->options.threads;

	pieces->slot_count = threads > 1 ? threads * SLOTS_PER_THREAD : 1;
	pieces->slots = calloc(pieces->slot_count, sizeof(*pieces->slots));
	if (pieces->slots == NULL)
		return stream_fail_memory(err);
	return stream_ring_new(pieces->slot_count, threads > 1 ? threads : 0, 2,
	    &work, pieces, &pieces->ring, err);
}

int
stream_pieces_new(const struct stream_pieces_options *options,
    struct stream_pieces **pieces, struct stream_error *err)
{
	struct stream_pieces *new = calloc(1, sizeof(*new));
	int status = STREAM_OK;

	if (new == NULL)
		return stream_fail_memory(err);
	new->options = *options;
	if (options->codec != STREAM_CODEC_NONE)
		status = make_ring(new, err);
	if (status == STREAM_OK)
		*pieces = new;
	else
		stream_pieces_free(new);
	return status;
}

void
stream_pieces_free(struct stream_pieces *pieces)
{
	if (pieces == NULL)
		return;
	stream_ring_free(pieces->ring);
	for (unsigned i = 0; i < pieces->slot_count; i++) {
		stream_buf_release(&pieces->slots[i].plain);
		stream_buf_release(&pieces->slots[i].packed);
	}
	free(pieces->slots);
	stream_table_release(&pieces->table);
	free(pieces);
}

uint64_t
stream_pieces_written(const struct stream_pieces *pieces)
{
	return pieces->written;
}

/* ---- writing ------------------------------------------------------------ */

static bool
goes_on(const struct stream_pieces *pieces)
{
	const struct stream_pieces_options *options = &pieces->options;

	return options->go_on == NULL || options->go_on(options->context, 0);
}

/* A pipe has no positions. */
static int
put(struct stream_pieces *pieces, const struct stream_buf *bytes,
    struct stream_error *err)
{
	size_t done = 0;

	while (done < bytes->size) {
		ssize_t n = write(
		    pieces->options.fd, bytes->data + done, bytes->size - done);

		if (n < 0 && errno == EINTR && goes_on(pieces))
			continue;
		if (n < 0 && errno == EINTR)
			return stream_fail(
			    err, STREAM_EINTR, STREAM_POS_NONE, "interrupted");
		if (n < 0)
			return stream_fail_sys(err, "cannot write the archive");
		done += (size_t)n;
		pieces->written += (uint64_t)n;
	}
	return STREAM_OK;
}

/* Write out the oldest piece. */
static int
take(struct stream_pieces *pieces, struct stream_error *err)
{
	struct slot *slot = &pieces->slots[stream_ring_wait(pieces->ring)];
	int status = slot->status;

	if (status != STREAM_OK && err != NULL)
		*err = slot->err;
	if (status == STREAM_OK)
		status = stream_table_add(&pieces->table,
		    (uint32_t)slot->packed.size, (uint32_t)slot->plain.size,
		    err);
	if (status == STREAM_OK)
		status = put(pieces, &slot->packed, err);
	stream_ring_pop(pieces->ring);
	return status;
}

int
stream_pieces_add(struct stream_pieces *pieces, struct stream_buf *piece,
    struct stream_error *err)
{
	struct stream_buf empty;
	struct slot *slot;
	int status = STREAM_OK;

	if (piece->size == 0)
		return STREAM_OK;
	if (pieces->ring == NULL) {
		status = put(pieces, piece, err);
		piece->size = 0;
		return status;
	}
	if (stream_ring_is_full(pieces->ring))
		status = take(pieces, err);
	if (status != STREAM_OK)
		return status;
	slot = &pieces->slots[stream_ring_next(pieces->ring)];
	empty = slot->plain;
	slot->plain = *piece;
	*piece = empty;
	piece->size = 0;
	stream_ring_put(pieces->ring);
	return STREAM_OK;
}

int
stream_pieces_end(struct stream_pieces *pieces, struct stream_error *err)
{
	struct stream_buf table;
	int status = STREAM_OK;

	if (pieces->ring == NULL)
		return STREAM_OK;
	while (stream_ring_count(pieces->ring) > 0 && status == STREAM_OK)
		status = take(pieces, err);
	if (status != STREAM_OK)
		return status;
	stream_buf_init(&table);
	status = stream_table_put(
	    &pieces->table, pieces->options.codec, &table, err);
	if (status == STREAM_OK)
		status = put(pieces, &table, err);
	stream_buf_release(&table);
	return status;
}
