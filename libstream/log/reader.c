/*
 * reader.c - open, close, and give out records
 */
#include "log/reader.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/reader_private.h"

/* How long an append may take before the bytes of one that does not end are
 * called torn, unless the caller says otherwise. */
enum { LOCK_TIMEOUT_MS = 10000 };

/* The state file is optional, and a reader may lack the permission. */
void
stream_reader_open_state(struct stream_reader *reader)
{
	reader->statefd = -1;
	if (stream_io_open(reader->dirfd, STREAM_STATE_NAME, O_RDONLY,
		&reader->statefd, NULL) != STREAM_OK)
		return;
	if (stream_state_identify(reader->statefd, &reader->identity, NULL) ==
	    STREAM_OK)
		return;
	close(reader->statefd);
	reader->statefd = -1;
}

static int
copy_names(struct stream_reader *reader,
    const struct stream_reader_source *source, struct stream_error *err)
{
	reader->name = strdup(source->name);
	if (reader->name == NULL)
		return stream_fail_memory(err);
	if (source->facts.topic != NULL) {
		reader->topic = strdup(source->facts.topic);
		if (reader->topic == NULL)
			return stream_fail_memory(err);
	}
	reader->facts.topic = reader->topic;
	if (source->only == NULL)
		return STREAM_OK;
	reader->only = strdup(source->only);
	return reader->only != NULL ? STREAM_OK : stream_fail_memory(err);
}

static void
init(struct stream_reader *reader, const struct stream_reader_source *source,
    const struct stream_reader_options *options)
{
	*reader = (struct stream_reader){
	    .dirfd = source->dirfd,
	    .log_start_offset = source->log_start_offset,
	    .is_ours = source->is_ours,
	    .has_transactions = source->has_transactions,
	    .dense = source->dense,
	    .facts = source->facts,
	    .supply = source->supply,
	    .statefd = -1,
	    .fd = -1,
	    .expected = -1,
	    .end = STREAM_NO_LIMIT,
	    .limit_base = STREAM_NO_LIMIT,
	    .limit_fd = -1,
	    .left = -1,
	    .settled_base = -1,
	    .watch_file = -1,
	    .watch_dir = -1,
	    .watch_state = -1,
	    .watch_store = -1,
	    .woken = true,
	    .names_changed = true,
	    .start_changed = true,
	};
	if (options != NULL)
		reader->options = *options;
	if (reader->options.max_batch_bytes == 0)
		reader->options.max_batch_bytes = STREAM_BATCH_CAP_DEFAULT;
	if (reader->options.lock_timeout_ms == 0)
		reader->options.lock_timeout_ms = LOCK_TIMEOUT_MS;
	stream_buf_init(&reader->plain);
	stream_scan_init(&reader->scan, -1, 0, STREAM_SCAN_WHOLE,
	    reader->options.max_batch_bytes, STREAM_SCAN_BLOCK);
}

/* Topics of ours hold no transactions, unless they were restored from a
 * broker's: only these and others need the look. */
static int
isolate(struct stream_reader *reader, struct stream_error *err)
{
	struct stream_isolation_log log = {
	    .dirfd = reader->dirfd,
	    .name = reader->name,
	    .supply = reader->supply,
	    .cap = reader->options.max_batch_bytes,
	    .skips = stream_reader_skips(reader),
	};

	if (!reader->has_transactions || reader->only != NULL ||
	    (reader->options.flags & STREAM_READER_UNCOMMITTED) != 0)
		return STREAM_OK;
	return stream_isolation_new(
	    &log, reader->next, &reader->isolation, err);
}

static int
start(struct stream_reader *reader, struct stream_error *err)
{
	struct stream_state state;
	int status;

	stream_reader_open_state(reader);
	status = stream_reader_read_state(reader, &state, err);
	reader->takebacks = state.takebacks;
	if (status == STREAM_OK)
		status = stream_reader_load_view(reader, err);
	/* Asked again, since a deletion takes the segments away after its mark
	 * was set. */
	if (status == STREAM_OK && reader->view.count == 0)
		status = stream_reader_read_state(reader, &state, err);
	if (status == STREAM_OK && (state.marks & STREAM_MARK_DELETED) != 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: the topic was deleted", reader->name);
	if (status == STREAM_OK && reader->view.count == 0 &&
	    state.next_offset > 0)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%s: no segment is left, though offset %lld was reached",
		    reader->name, (long long)state.next_offset);
	if (status == STREAM_OK)
		status = stream_reader_seek(reader, err);
	if (status == STREAM_OK)
		status = isolate(reader, err);
	return status;
}

int
stream_reader_open_source(const struct stream_reader_source *source,
    const struct stream_reader_options *options, struct stream_reader **reader,
    struct stream_error *err)
{
	struct stream_reader *new = malloc(sizeof(*new));
	int status;

	if (new == NULL) {
		close(source->dirfd);
		return stream_fail_memory(err);
	}
	init(new, source, options);
	status = copy_names(new, source, err);
	if (status == STREAM_OK)
		status = start(new, err);
	if (status != STREAM_OK) {
		stream_reader_close(new);
		return status;
	}
	*reader = new;
	return STREAM_OK;
}

void
stream_reader_close(struct stream_reader *reader)
{
	if (reader == NULL)
		return;
	stream_watch_remove(reader);
	stream_read_ahead_free(reader->ahead);
	stream_isolation_free(reader->isolation);
	stream_decompressor_free(reader->decompressor);
	stream_buf_release(&reader->plain);
	stream_scan_release(&reader->scan);
	stream_view_release(&reader->view);
	if (reader->fd >= 0)
		close(reader->fd);
	if (reader->limit_fd >= 0)
		close(reader->limit_fd);
	if (reader->statefd >= 0)
		close(reader->statefd);
	close(reader->dirfd);
	free(reader->topic);
	free(reader->name);
	free(reader->only);
	free(reader);
}

int
stream_reader_fail_at(const struct stream_reader *reader, int status,
    uint64_t position, struct stream_error *err)
{
	return stream_fail_in(err, status, "%s/%s: byte %llu", reader->name,
	    reader->log_name, (unsigned long long)position);
}

int64_t
stream_reader_position(const struct stream_reader *reader)
{
	return reader->next;
}

bool
stream_reader_is_done(const struct stream_reader *reader)
{
	return reader->is_done;
}

bool
stream_reader_has_buffered(const struct stream_reader *reader)
{
	return reader->walk.left > 0 ||
	       stream_scan_has_buffered(&reader->scan) ||
	       (reader->ahead != NULL &&
		   !stream_read_ahead_is_empty(reader->ahead));
}

bool
stream_reader_is_woken(const struct stream_reader *reader)
{
	return reader->watch == NULL || !stream_watch_is_set(reader) ||
	       reader->woken;
}

/* The records of a batch as they are, or decompressed into plain. */
static int
unpack(struct stream_reader *reader, const uint8_t *bytes,
    struct stream_bytes *records, struct stream_error *err)
{
	const struct stream_batch_info *info = &reader->batch.info;
	enum stream_codec codec = stream_batch_codec(info);
	int status = STREAM_OK;

	records->data = bytes + STREAM_BATCH_HEADER;
	records->size = info->size - STREAM_BATCH_HEADER;
	if (codec == STREAM_CODEC_NONE || info->record_count == 0)
		return STREAM_OK;
	if (reader->decompressor == NULL)
		status = stream_decompressor_new(&reader->decompressor, err);
	reader->plain.size = 0;
	if (status == STREAM_OK)
		status =
		    stream_decompress(reader->decompressor, codec, *records,
			reader->options.max_batch_bytes, &reader->plain, err);
	*records =
	    (struct stream_bytes){reader->plain.data, reader->plain.size};
	return status;
}

/* There is nothing to give before offset; but what lies past the end of the
 * range was not passed. */
static void
pass_to(struct stream_reader *reader, int64_t offset)
{
	if (offset > reader->end)
		offset = reader->end;
	if (offset > reader->next)
		reader->next = offset;
}

/* The batch cannot be given out, or not to its end. */
static int
fail_in_batch(
    struct stream_reader *reader, int status, struct stream_error *err)
{
	const struct stream_batch_info *info = &reader->batch.info;

	reader->walk.left = 0;
	stream_fail_in(
	    err, status, "batch at offset %lld", (long long)info->base_offset);
	stream_reader_fail_at(reader, status, info->position, err);
	if (!stream_reader_may_skip(reader, status))
		return status;
	stream_reader_skip_batch(reader, info, err);
	pass_to(reader, info->last_offset + 1);
	return STREAM_OK;
}

static int
start_walk(struct stream_reader *reader, struct stream_bytes records,
    struct stream_error *err)
{
	return stream_records_start(
	    &reader->walk, &reader->batch, records, err);
}

int
stream_reader_enter(struct stream_reader *reader, const uint8_t *bytes,
    struct stream_error *err)
{
	struct stream_bytes records;
	int status = unpack(reader, bytes, &records, err);

	if (status == STREAM_OK)
		status = start_walk(reader, records, err);
	return status == STREAM_OK ? status
				   : fail_in_batch(reader, status, err);
}

/* Leave a batch that was found for the next call. */
static void
put_back(struct stream_reader *reader, const struct stream_batch_info *info)
{
	reader->scan.next = info->position;
	reader->expected = info->base_offset;
	reader->has_last = false;
}

/* Nobody can say whether the batch is to be shown, so it waits: the next call
 * fails again. */
static int
fail_judged(struct stream_reader *reader, const struct stream_batch_info *info,
    int status, struct stream_error *err)
{
	put_back(reader, info);
	return stream_fail_in(err, status, "%s", reader->name);
}

/*
 * Find the next batch that has records to show, and pass those that have not.
 * STREAM_END at the end of the log or the range, or before a transaction that
 * is open.
 */
static int
find_batch(struct stream_reader *reader, struct stream_batch *batch,
    const uint8_t **bytes, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;

	for (;;) {
		enum stream_verdict verdict = STREAM_SHOW;
		int64_t last;
		int status =
		    stream_reader_next_batch(reader, batch, bytes, err);

		if (status != STREAM_OK)
			return status;
		if (info->base_offset >= reader->end) {
			put_back(reader, info);
			reader->is_past_end = true;
			return STREAM_END;
		}
		if (info->last_offset < reader->next ||
		    stream_batch_is_control(info) || info->record_count == 0)
			continue;
		if (reader->isolation != NULL)
			status = stream_isolation_judge(
			    reader->isolation, info, &verdict, &last, err);
		if (status != STREAM_OK)
			return fail_judged(reader, info, status, err);
		if (verdict == STREAM_SHOW)
			return STREAM_OK;
		if (verdict == STREAM_LOST)
			stream_reader_tell_hidden(reader, info, last);
		if (verdict == STREAM_HIDE || verdict == STREAM_LOST)
			continue;
		put_back(reader, info);
		return STREAM_END;
	}
}

/* The offset up to which all was looked at, when there is no more to give. */
static void
pass_to_scan(struct stream_reader *reader)
{
	if (reader->is_past_end)
		reader->is_done = true;
	pass_to(reader, reader->expected);
}

/* Threads pay off when batch after batch is compressed. */
static bool
is_ahead_worth_it(
    struct stream_reader *reader, const struct stream_batch_info *info)
{
	enum { ENOUGH = 4 };

	if (stream_batch_codec(info) == STREAM_CODEC_NONE ||
	    reader->options.workers == 0)
		return false;
	return ++reader->packed_seen >= ENOUGH;
}

/* Put batches into the ring while there is room and they are compressed.  What
 * stops that will be found again when the ring is empty. */
static int
fill_ahead(struct stream_reader *reader, struct stream_error *err)
{
	while (!stream_read_ahead_is_full(reader->ahead)) {
		struct stream_batch batch;
		const uint8_t *bytes;
		int status = find_batch(reader, &batch, &bytes, NULL);

		if (status != STREAM_OK)
			return STREAM_OK;
		if (stream_batch_codec(&batch.info) == STREAM_CODEC_NONE) {
			put_back(reader, &batch.info);
			return STREAM_OK;
		}
		status =
		    stream_read_ahead_put(reader->ahead, &batch, bytes, err);
		if (status != STREAM_OK)
			return status;
	}
	return STREAM_OK;
}

static int
enter_from_ahead(struct stream_reader *reader, struct stream_error *err)
{
	struct stream_bytes records, packed;
	int status = stream_read_ahead_take(
	    reader->ahead, &reader->batch, &records, &packed, err);

	if (status == STREAM_OK && records.data == NULL)
		return stream_reader_enter(reader, packed.data, err);
	if (status == STREAM_OK)
		status = start_walk(reader, records, err);
	return status == STREAM_OK ? status
				   : fail_in_batch(reader, status, err);
}

static int
enter_found(struct stream_reader *reader, struct stream_error *err)
{
	const uint8_t *bytes;
	int status = find_batch(reader, &reader->batch, &bytes, err);

	if (status == STREAM_END)
		pass_to_scan(reader);
	if (status != STREAM_OK)
		return status;
	if (reader->ahead == NULL &&
	    is_ahead_worth_it(reader, &reader->batch.info))
		status = stream_read_ahead_new(reader->options.workers,
		    reader->options.max_batch_bytes, &reader->ahead, err);
	if (status != STREAM_OK)
		return status;
	return stream_reader_enter(reader, bytes, err);
}

/* Find a batch with records that are wanted, and enter it. */
static int
enter_next(struct stream_reader *reader, struct stream_error *err)
{
	int status;

	if (reader->is_done || reader->next >= reader->end ||
	    reader->left == 0) {
		reader->is_done = true;
		return STREAM_END;
	}
	if (reader->ahead != NULL) {
		status = fill_ahead(reader, err);
		if (status != STREAM_OK)
			return status;
		if (!stream_read_ahead_is_empty(reader->ahead))
			return enter_from_ahead(reader, err);
	}
	return enter_found(reader, err);
}

/* Of *count records from *records on, drop those outside of the range. */
static void
clip(struct stream_reader *reader, const struct stream_record **records,
    size_t *count)
{
	while (*count > 0 && (*records)->offset < reader->next) {
		++*records;
		--*count;
	}
	while (*count > 0 && (*records)[*count - 1].offset >= reader->end)
		--*count;
	if (reader->skip > 0) {
		size_t some = (uint64_t)reader->skip < *count
				  ? (size_t)reader->skip
				  : *count;

		*records += some;
		*count -= some;
		reader->skip -= (int64_t)some;
	}
	if (reader->left >= 0 && *count > (uint64_t)reader->left)
		*count = (size_t)reader->left;
}

/* The walk has records: give some out, if they are in the range. */
static int
give(struct stream_reader *reader, const struct stream_record **records,
    size_t *count, struct stream_error *err)
{
	const struct stream_batch_info *info = &reader->batch.info;
	int status = stream_records_take(
	    &reader->walk, reader->records, STREAM_READER_RECORDS, count, err);

	if (status != STREAM_OK) {
		*count = 0;
		return fail_in_batch(reader, status, err);
	}
	*records = reader->records;
	clip(reader, records, count);
	if (*count > 0)
		reader->next = (*records)[*count - 1].offset + 1;
	if (reader->left > 0)
		reader->left -= (int64_t)*count;
	if (reader->walk.left == 0 && reader->left != 0)
		pass_to(reader, info->last_offset + 1);
	return STREAM_OK;
}

int
stream_reader_read(struct stream_reader *reader,
    const struct stream_record **records, size_t *count,
    struct stream_error *err)
{
	struct stream_error unwanted;

	if (err == NULL)
		err = &unwanted;
	*count = 0;
	do {
		int status = STREAM_OK;

		if (reader->walk.left == 0)
			status = enter_next(reader, err);
		else if (reader->left == 0 || reader->next >= reader->end)
			reader->walk.left = 0;
		if (status == STREAM_OK && reader->walk.left > 0)
			status = give(reader, records, count, err);
		if (status != STREAM_OK)
			return status;
	} while (*count == 0);
	return STREAM_OK;
}
