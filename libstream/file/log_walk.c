/*
 * log_walk.c - all that stands in a log file, damage included
 *
 * SPEC sections 4 and 10.  Good batches are taken one after another.  Where
 * none stands, the first rule that fits:
 *
 *   a batch by its header, and its length leads to another or to the end:
 *	it is passed over as one bad batch
 *   a good batch stands further on, and not in a value (resync.h): what lies
 *	before it is a hole
 *   else: the end of the file, torn or damaged (tail.h)
 */
#include <stream/inspect.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "codec/compress.h"
#include "codec/crc32c.h"
#include "codec/records.h"
#include "file/io.h"
#include "file/resync.h"
#include "file/scan.h"
#include "file/tail.h"

/* Records that are decoded at once. */
enum { RECORDS = 256 };

/* A writer may be in the middle of the last batch: look again before it is
 * called bad. */
enum { LOOKS = 3, LOOK_NS = 10000000 };

struct stream_log_walk {
	int fd;
	struct stream_log_walk_options options;
	uint64_t size; /* of the file when it was opened */
	uint64_t at;   /* where the next piece begins */
	int64_t due;   /* the least offset that may come */
	struct stream_scan scan;

	/* The batch that was given out last, and its records. */
	struct stream_batch batch;
	const uint8_t *bytes;
	bool is_started;
	struct stream_records records;
	struct stream_decompressor *decompressor;
	struct stream_buf plain;
	uint64_t plain_size;
	struct stream_record decoded[RECORDS];
};

int
stream_log_walk_open(const char *path,
    const struct stream_log_walk_options *options,
    struct stream_log_walk **walk, struct stream_error *err)
{
	struct stream_log_walk *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	new->options = *options;
	if (new->options.max_batch_bytes == 0)
		new->options.max_batch_bytes = STREAM_BATCH_CAP_DEFAULT;
	new->at = options->position;
	new->due = options->base_offset;
	stream_buf_init(&new->plain);
	status = stream_io_open(AT_FDCWD, path, O_RDONLY, &new->fd, err);
	if (status != STREAM_OK)
		new->fd = -1;
	stream_scan_init(&new->scan, new->fd, new->at, STREAM_SCAN_WHOLE,
	    new->options.max_batch_bytes, STREAM_SCAN_BLOCK);
	if (status == STREAM_OK)
		status = stream_io_size(new->fd, &new->size, err);
	if (status == STREAM_OK)
		*walk = new;
	else
		stream_log_walk_close(new);
	return status;
}

void
stream_log_walk_close(struct stream_log_walk *walk)
{
	if (walk == NULL)
		return;
	stream_scan_release(&walk->scan);
	stream_decompressor_free(walk->decompressor);
	stream_buf_release(&walk->plain);
	if (walk->fd >= 0)
		close(walk->fd);
	free(walk);
}

uint64_t
stream_log_walk_size(const struct stream_log_walk *walk)
{
	return walk->size;
}

/* ---- pieces ------------------------------------------------------------- */

static void
fill(struct stream_piece *piece, const struct stream_batch *batch,
    const uint8_t *bytes, size_t n)
{
	piece->info = batch->info;
	piece->has_header = true;
	piece->base_timestamp_ms = batch->base_timestamp_ms;
	piece->last_offset_delta = batch->last_offset_delta;
	piece->crc = batch->crc;
	piece->magic = bytes[STREAM_BATCH_MAGIC_AT];
	piece->computed_crc = stream_crc32c(
	    bytes + STREAM_BATCH_CRC_FROM, n - STREAM_BATCH_CRC_FROM);
}

/* The first offset that cannot lie in this segment. */
static int64_t
end_of_segment(const struct stream_log_walk *walk)
{
	return stream_segment_bound(
	    walk->options.base_offset, walk->options.next_base);
}

static void
give_batch(struct stream_log_walk *walk, struct stream_piece *piece)
{
	const struct stream_batch *batch = &walk->batch;

	piece->kind = STREAM_PIECE_BATCH;
	piece->size = batch->info.size;
	piece->info = batch->info;
	piece->has_header = true;
	piece->base_timestamp_ms = batch->base_timestamp_ms;
	piece->last_offset_delta = batch->last_offset_delta;
	piece->crc = piece->computed_crc = batch->crc; /* it was checked */
	piece->magic = walk->bytes[STREAM_BATCH_MAGIC_AT];
	if (batch->info.base_offset < walk->due) {
		piece->breaks_chain = true;
		stream_fail(&piece->why, STREAM_ECORRUPT, batch->info.position,
		    "base offset %lld, where %lld or more is due",
		    (long long)batch->info.base_offset, (long long)walk->due);
	} else if (batch->info.last_offset >= end_of_segment(walk)) {
		piece->breaks_chain = true;
		stream_fail(&piece->why, STREAM_ECORRUPT, batch->info.position,
		    "last offset %lld, where the segment ends before %lld",
		    (long long)batch->info.last_offset,
		    (long long)end_of_segment(walk));
	} else {
		walk->due = batch->info.last_offset + 1;
	}
	walk->at = batch->info.position + batch->info.size;
}

/* Does a batch at or after the offset that is due seem to begin here?  Any
 * end of the file will do. */
static bool
seems_to_go_on(const struct stream_log_walk *walk, uint64_t at)
{
	uint8_t header[STREAM_BATCH_HEADER];
	uint64_t size;
	size_t got;

	if (at >= walk->size)
		return at == walk->size;
	if (stream_io_read_at(
		walk->fd, header, sizeof(header), at, &got, NULL) != STREAM_OK)
		return false;
	if (got <= STREAM_BATCH_MAGIC_AT)
		return true;
	return header[STREAM_BATCH_MAGIC_AT] == 2 &&
	       (int64_t)stream_load64(header) >= walk->due &&
	       stream_batch_measure(header, got, walk->options.max_batch_bytes,
		   &size, NULL) == STREAM_OK;
}

/* Read the whole of a bad batch, for its header and its CRC. */
static int
load_bad(struct stream_log_walk *walk, uint64_t size,
    struct stream_piece *piece, struct stream_error *err)
{
	struct stream_batch batch = {.crc = 0};
	size_t got;
	int status;

	walk->plain.size = 0;
	status = stream_buf_reserve(&walk->plain, (size_t)size, err);
	if (status == STREAM_OK)
		status = stream_io_read_at(walk->fd, walk->plain.data,
		    (size_t)size, walk->at, &got, err);
	if (status != STREAM_OK || got < size)
		return status;
	/* What is wrong with it was told; the fields are shown as they are. */
	stream_batch_parse(walk->plain.data, (size_t)size, &batch, NULL);
	if (batch.info.size == size)
		fill(piece, &batch, walk->plain.data, (size_t)size);
	return STREAM_OK;
}

/* A batch by its length.  *is is false when the length cannot be right. */
static int
pass_bad(struct stream_log_walk *walk, struct stream_piece *piece, bool *is,
    struct stream_error *err)
{
	uint8_t head[STREAM_BATCH_MAGIC_AT + 1];
	uint64_t size;
	size_t got;
	int status = stream_io_read_at(
	    walk->fd, head, sizeof(head), walk->at, &got, err);

	*is = false;
	if (status != STREAM_OK || got < sizeof(head))
		return status;
	if (stream_batch_measure(head, got, walk->options.max_batch_bytes,
		&size, NULL) != STREAM_OK ||
	    walk->at + size > walk->size ||
	    !seems_to_go_on(walk, walk->at + size))
		return STREAM_OK;
	*is = true;
	piece->kind = piece->why.status == STREAM_ENEWER ? STREAM_PIECE_NEWER
							 : STREAM_PIECE_BAD;
	piece->size = size;
	status = load_bad(walk, size, piece, err);
	piece->info.position = walk->at;
	piece->info.size = (uint32_t)size;
	return status;
}

static int
find_good(
    struct stream_log_walk *walk, uint64_t *position, struct stream_error *err)
{
	struct stream_resync where = {
	    .fd = walk->fd,
	    .from = walk->at,
	    .end = walk->size,
	    .expected = walk->due,
	    .bound = end_of_segment(walk),
	    .cap = walk->options.max_batch_bytes,
	};
	int64_t base_offset;

	return stream_resync(&where, position, &base_offset, err);
}

/* Nothing good follows.  In a closed segment nothing is torn. */
static int
judge_end(struct stream_log_walk *walk, struct stream_piece *piece,
    struct stream_error *err)
{
	enum stream_tail tail = STREAM_TAIL_DAMAGE;
	int status = STREAM_OK;

	piece->kind = STREAM_PIECE_HOLE;
	piece->size = walk->size - walk->at;
	if (!walk->options.is_closed)
		status = stream_tail_judge(walk->fd, walk->at, walk->due,
		    walk->options.max_batch_bytes, &tail, err);
	if (tail == STREAM_TAIL_TORN)
		piece->kind = STREAM_PIECE_TORN;
	else if (tail == STREAM_TAIL_NEWER)
		piece->kind = STREAM_PIECE_NEWER;
	return status;
}

/* The bytes at walk->at are no good batch; why is in piece->why. */
static int
give_damage(struct stream_log_walk *walk, struct stream_piece *piece,
    struct stream_error *err)
{
	uint64_t position;
	bool is_batch;
	int status = pass_bad(walk, piece, &is_batch, err);

	if (status != STREAM_OK)
		return status;
	if (!is_batch) {
		status = find_good(walk, &position, err);
		if (status == STREAM_OK) {
			piece->kind = STREAM_PIECE_HOLE;
			piece->size = position - walk->at;
		} else if (status == STREAM_END) {
			status = judge_end(walk, piece, err);
		}
	}
	if (status != STREAM_OK)
		return status;
	walk->at += piece->size;
	stream_scan_move(&walk->scan, walk->fd, walk->at);
	return STREAM_OK;
}

/* Not an answer about the bytes, but a call that failed. */
static bool
is_failure(int status)
{
	return status == STREAM_EIO || status == STREAM_ENOMEM;
}

/* The next batch; what is wrong at the end of an open segment may be a write
 * that goes on. */
static int
scan(struct stream_log_walk *walk, struct stream_error *err)
{
	int status = STREAM_OK;

	for (int i = 0; i < LOOKS; i++) {
		struct timespec pause = {0, LOOK_NS};

		status = stream_scan_next(
		    &walk->scan, &walk->batch, &walk->bytes, err);
		if (status == STREAM_OK || status == STREAM_END ||
		    is_failure(status) || walk->options.is_closed)
			return status;
		if (i + 1 < LOOKS)
			nanosleep(&pause, NULL);
	}
	return status;
}

int
stream_log_walk_next(struct stream_log_walk *walk, struct stream_piece *piece,
    struct stream_error *err)
{
	int status;

	walk->is_started = false;
	walk->bytes = NULL;
	if (walk->at >= walk->size)
		return STREAM_END;
	*piece = (struct stream_piece){.info = {.position = walk->at}};
	status = scan(walk, &piece->why);
	if (status == STREAM_OK) {
		give_batch(walk, piece);
		return STREAM_OK;
	}
	/* Cut meanwhile, by a writer that recovers. */
	if (status == STREAM_END)
		return status;
	if (is_failure(status)) {
		if (err != NULL)
			*err = piece->why;
		return status;
	}
	return give_damage(walk, piece, err);
}

/* ---- records ------------------------------------------------------------ */

static int
unpack(struct stream_log_walk *walk, struct stream_bytes *section,
    struct stream_error *err)
{
	enum stream_codec codec = stream_batch_codec(&walk->batch.info);
	int status = STREAM_OK;

	if (codec == STREAM_CODEC_NONE || walk->batch.info.record_count == 0)
		return STREAM_OK;
	if (walk->decompressor == NULL)
		status = stream_decompressor_new(&walk->decompressor, err);
	walk->plain.size = 0;
	if (status == STREAM_OK)
		status = stream_decompress(walk->decompressor, codec, *section,
		    walk->options.max_batch_bytes, &walk->plain, err);
	*section = (struct stream_bytes){walk->plain.data, walk->plain.size};
	return status;
}

static int
start_records(struct stream_log_walk *walk, struct stream_error *err)
{
	struct stream_bytes section = {walk->bytes + STREAM_BATCH_HEADER,
	    walk->batch.info.size - STREAM_BATCH_HEADER};
	int status = unpack(walk, &section, err);

	if (status == STREAM_OK) {
		walk->plain_size = section.size;
		walk->is_started = true;
		status = stream_records_start(
		    &walk->records, &walk->batch, section, err);
	}
	return status;
}

int
stream_log_walk_records(struct stream_log_walk *walk,
    const struct stream_record **records, size_t *count,
    struct stream_error *err)
{
	int status = STREAM_OK;

	if (walk->bytes == NULL)
		return STREAM_END;
	if (!walk->is_started)
		status = start_records(walk, err);
	if (status == STREAM_OK)
		status = stream_records_take(
		    &walk->records, walk->decoded, RECORDS, count, err);
	/* A second call after a failure has nothing to give. */
	if (status != STREAM_OK || *count == 0)
		walk->bytes = NULL;
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "batch at offset %lld",
		    (long long)walk->batch.info.base_offset);
	*records = walk->decoded;
	return *count == 0 ? STREAM_END : STREAM_OK;
}

struct stream_bytes
stream_log_walk_bytes(const struct stream_log_walk *walk)
{
	return (struct stream_bytes){
	    walk->bytes, walk->bytes == NULL ? 0 : walk->batch.info.size};
}

uint64_t
stream_log_walk_plain_size(const struct stream_log_walk *walk)
{
	return walk->plain_size;
}
