/*
 * A lookup in the map waits for memory, longer than all else that is done for
 * a record.  So the records are taken a hundred at a time: all are hashed, all
 * slots are asked for, and only then looked into.
 */
#include "log/compact_map.h"

#include <unistd.h>

#include "base/fail.h"
#include "codec/records.h"
#include "codec/records_check.h"
#include "file/name.h"
#include "file/scan.h"
#include "log/view.h"

enum {
	AT_ONCE = 128,
	TELL_BYTES = 1 << 20 /* between two calls of go_on */
};

struct mapping {
	const struct stream_compact_span *span;
	struct stream_keymap *map;
	struct stream_scan scan;
	struct stream_unpacker unpacker;
	uint64_t told; /* bytes of this segment */
	bool full;
	int64_t end; /* once it is full */
	struct stream_record records[AT_ONCE];
	struct stream_key keys[AT_ONCE];
};

/* ---- records ------------------------------------------------------------ */

static void
prefetch(struct mapping *m, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (m->records[i].key.data != NULL) {
			m->keys[i] =
			    stream_keymap_hash(m->map, m->records[i].key);
			stream_keymap_prefetch(m->map, m->keys[i]);
		}
}

static void
put(struct mapping *m, size_t count)
{
	for (size_t i = 0; i < count && !m->full; i++) {
		const struct stream_record *record = &m->records[i];

		if (record->key.data == NULL || record->offset < m->span->from)
			continue;
		if (stream_keymap_put(m->map, m->keys[i], record->offset))
			continue;
		m->full = true;
		m->end = record->offset;
	}
}

static int
map_records(struct mapping *m, const struct stream_batch *batch,
    const uint8_t *bytes, struct stream_error *err)
{
	struct stream_records walk;
	struct stream_bytes section;
	size_t count = 1;
	int status =
	    stream_unpacker_open(&m->unpacker, batch, bytes, &section, err);

	if (status == STREAM_OK)
		status = stream_records_start(&walk, batch, section, err);
	while (status == STREAM_OK && count > 0 && !m->full) {
		status = stream_records_take(
		    &walk, m->records, AT_ONCE, &count, err);
		if (status == STREAM_OK) {
			prefetch(m, count);
			put(m, count);
		}
	}
	return status;
}

static int
map_batch(struct mapping *m, const struct stream_batch *batch,
    const uint8_t *bytes, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;
	int status;

	if (info->record_count == 0 || info->last_offset < m->span->from ||
	    stream_batch_is_control(info) ||
	    stream_clean_txn_is_aborted(m->span->txn, info))
		return STREAM_OK;
	status = map_records(m, batch, bytes, err);
	if (status != STREAM_OK)
		stream_fail_in(err, status, "batch at offset %lld",
		    (long long)info->base_offset);
	return status;
}

/* ---- segments ----------------------------------------------------------- */

static int
tell(struct mapping *m, bool now, struct stream_error *err)
{
	uint64_t bytes = m->scan.next - m->told;

	if (m->span->go_on == NULL || (!now && bytes < TELL_BYTES))
		return STREAM_OK;
	m->told = m->scan.next;
	if (m->span->go_on(m->span->go_on_context, bytes))
		return STREAM_OK;
	return stream_fail(err, STREAM_EINTR, STREAM_POS_NONE, "stopped");
}

static int
map_log(struct mapping *m, int fd, struct stream_error *err)
{
	struct stream_batch batch;
	const uint8_t *bytes;
	int status = STREAM_OK;

	stream_scan_move(&m->scan, fd, 0);
	m->told = 0;
	while (status == STREAM_OK && !m->full) {
		status = stream_scan_next(&m->scan, &batch, &bytes, err);
		if (status == STREAM_OK)
			status = map_batch(m, &batch, bytes, err);
		if (status == STREAM_OK)
			status = tell(m, false, err);
	}
	if (status == STREAM_END || m->full)
		status = tell(m, true, err);
	return status;
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

int
stream_compact_map_fill(const struct stream_compact_span *span,
    struct stream_keymap *map, int64_t *mapped_end, struct stream_error *err)
{
	struct mapping m = {.span = span, .map = map, .end = span->to};
	int status = STREAM_OK;

	stream_scan_init(
	    &m.scan, -1, 0, STREAM_SCAN_WHOLE, span->cap, STREAM_SCAN_BLOCK);
	stream_unpacker_init(&m.unpacker, span->cap);
	for (size_t i = 0; i < span->count && status == STREAM_OK && !m.full;
	     i++)
		status = map_segment(&m, span->bases[i], err);
	stream_scan_release(&m.scan);
	stream_unpacker_release(&m.unpacker);
	if (status == STREAM_OK)
		*mapped_end = m.end;
	return status;
}
