/*
 * This thread goes from header to header and fills the map; stretches of the
 * log are read and their keys hashed by threads meanwhile, and come back in
 * order.
 *
 * A lookup in the map waits for memory, longer than all else that is done for
 * a record.  So the slots are asked for some keys before they are looked into.
 */
#include "log/compact_map.h"

#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "file/name.h"
#include "file/scan.h"
#include "log/compact_keys.h"
#include "log/ring.h"
#include "log/view.h"

enum {
	AHEAD = 32, /* keys: what the processor can ask for at once, and more */
	TELL_BYTES = 1 << 20, /* between two calls of go_on */
	WORKERS_MOST = 7,
	STRETCHES_MOST = WORKERS_MOST + 2 /* one is filled, one goes in */
};

struct mapping {
	const struct stream_compact_span *span;
	struct stream_keymap *map;
	struct stream_scan scan; /* headers only */
	struct stream_ring *ring;
	struct stream_compact_keys stretches[STRETCHES_MOST];
	uint64_t untold; /* bytes */
	bool full;
	int64_t end; /* once it is full */
};

/* ---- keys that were found ----------------------------------------------- */

static void
put(struct mapping *m, const struct stream_compact_keys *keys)
{
	for (size_t i = 0; i < keys->count && !m->full; i++) {
		const struct stream_compact_key *found = &keys->found[i];

		if (i + AHEAD < keys->count)
			stream_keymap_prefetch(m->map, found[AHEAD].key);
		if (stream_keymap_put(m->map, found->key, found->offset))
			continue;
		m->full = true;
		m->end = found->offset;
	}
}

static int
tell(struct mapping *m, uint64_t least, struct stream_error *err)
{
	uint64_t bytes = m->untold;

	if (m->span->go_on == NULL || bytes < least)
		return STREAM_OK;
	m->untold = 0;
	if (m->span->go_on(m->span->go_on_context, bytes))
		return STREAM_OK;
	return stream_fail(err, STREAM_EINTR, STREAM_POS_NONE, "stopped");
}

/* Put the oldest stretch into the map. */
static int
take_back(struct mapping *m, struct stream_error *err)
{
	struct stream_compact_keys *keys =
	    &m->stretches[stream_ring_wait(m->ring)];
	int status = keys->status;

	if (status != STREAM_OK && err != NULL)
		*err = keys->err;
	if (status == STREAM_OK) {
		put(m, keys);
		m->untold += keys->to - keys->from;
		status = tell(m, TELL_BYTES, err);
	}
	stream_ring_pop(m->ring);
	return status;
}

/* The rest, unless it is of no use any more: the log is closed after it. */
static int
take_back_all(struct mapping *m, int status, struct stream_error *err)
{
	while (stream_ring_count(m->ring) > 0) {
		if (status == STREAM_OK && !m->full) {
			status = take_back(m, err);
			continue;
		}
		stream_ring_wait(m->ring);
		stream_ring_pop(m->ring);
	}
	return status;
}

/* ---- stretches ---------------------------------------------------------- */

/* As many batches as are worth the while, from where the scan is.  After a
 * failure those before it. */
static int
gather(struct mapping *m, struct stream_compact_keys *keys, int fd,
    struct stream_error *err)
{
	struct stream_batch batch;
	const uint8_t *bytes;
	int status = STREAM_OK;

	stream_compact_keys_start(keys, fd, m->scan.next);
	while (status == STREAM_OK && !stream_compact_keys_is_full(keys)) {
		status = stream_scan_next(&m->scan, &batch, &bytes, err);
		if (status != STREAM_OK)
			break;
		keys->to = m->scan.next;
		keys->records += (uint64_t)batch.info.record_count;
	}
	return status;
}

/* A stretch that cannot be read is nearer the start than what gather met. */
static int
map_log(struct mapping *m, int fd, struct stream_error *err)
{
	struct stream_error why = {.text = ""};
	int gathered = STREAM_OK;
	int status = STREAM_OK;

	stream_scan_move(&m->scan, fd, 0);
	while (gathered == STREAM_OK && status == STREAM_OK && !m->full) {
		struct stream_compact_keys *keys =
		    &m->stretches[stream_ring_next(m->ring)];

		gathered = gather(m, keys, fd, &why);
		if (keys->to > keys->from)
			stream_ring_put(m->ring);
		if (stream_ring_is_full(m->ring))
			status = take_back(m, err);
	}
	status = take_back_all(m, status, err);
	if (status != STREAM_OK || m->full || gathered == STREAM_END)
		return status == STREAM_OK ? tell(m, 0, err) : status;
	if (err != NULL)
		*err = why;
	return gathered;
}

static int
map_segment(struct mapping *m, int64_t base_offset, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int fd;
	int status;

	stream_name_put_plain(base_offset, STREAM_NAME_LOG, name);
	status = stream_view_open_base(m->span->dirfd, base_offset, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = map_log(m, fd, err);
	close(fd);
	if (status != STREAM_OK && status != STREAM_EINTR)
		stream_fail_in(err, status, "%s", name);
	return status;
}

/* ---- threads ------------------------------------------------------------ */

static int
new_reader(void *owner, void **context, struct stream_error *err)
{
	struct mapping *m = owner;
	struct stream_compact_keys_reader *reader;
	int status = stream_compact_keys_reader_new(m->span->cap, &reader, err);

	if (status == STREAM_OK)
		*context = reader;
	return status;
}

static void
free_reader(void *context)
{
	stream_compact_keys_reader_free(context);
}

static void
find(void *owner, void *context, unsigned slot)
{
	struct mapping *m = owner;

	stream_compact_keys_find(&m->stretches[slot], m->span, m->map, context);
}

static int
start_ring(struct mapping *m, struct stream_error *err)
{
	static const struct stream_ring_work work = {
	    .context_new = new_reader,
	    .context_free = free_reader,
	    .run = find,
	};
	unsigned workers =
	    m->span->workers < WORKERS_MOST ? m->span->workers : WORKERS_MOST;

	return stream_ring_new(
	    workers > 0 ? workers + 2 : 1, workers, 2, &work, m, &m->ring, err);
}

int
stream_compact_map_fill(const struct stream_compact_span *span,
    struct stream_keymap *map, int64_t *mapped_end, struct stream_error *err)
{
	struct mapping m = {.span = span, .map = map, .end = span->to};
	int status = start_ring(&m, err);

	stream_scan_init(&m.scan, -1, 0, STREAM_SCAN_HEADERS, span->cap,
	    STREAM_SCAN_SMALL_BLOCK);
	for (size_t i = 0; i < span->count && status == STREAM_OK && !m.full;
	     i++)
		status = map_segment(&m, span->bases[i], err);
	stream_scan_release(&m.scan);
	stream_ring_free(m.ring);
	for (size_t i = 0; i < STRETCHES_MOST; i++)
		stream_compact_keys_release(&m.stretches[i]);
	if (status == STREAM_OK)
		*mapped_end = m.end;
	return status;
}
