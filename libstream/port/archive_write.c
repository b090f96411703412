/*
 * archive_write.c - one pass over the segments, straight to the archive
 *
 * Sizes are known before a file is read, since closed segments never change;
 * digests, offsets and times are gathered as the bytes go by, and stand in the
 * manifest, which comes last.
 */
#include "port/archive_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xxh128.h"
#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/io.h"
#include "file/name.h"
#include "file/scan.h"
#include "port/archive_batches.h"
#include "port/archive_manifest.h"
#include "port/archive_pieces.h"
#include "port/archive_tar.h"
#include "store/layout.h"
#include "store/metadata.h"
#include "store/store.h"

enum { PATH_SIZE = 600, SETTINGS_MOST = 16 << 20 };

struct writing {
	const struct stream_archive_write_options *options;
	struct stream_pieces *pieces;
	struct stream_xxh128 *digest;
	struct stream_buf manifest;
	struct stream_buf between; /* what is in no block */
	struct stream_buf block;   /* that grows */
	uint64_t at;               /* of the tar stream */
	struct stream_archive_part *part;
	const struct stream_source *source;
};

static bool
goes_on(const struct writing *w, uint64_t bytes)
{
	return w->options->go_on == NULL ||
	       w->options->go_on(w->options->context, bytes);
}

static int
stopped(struct stream_error *err)
{
	return stream_fail(err, STREAM_EINTR, STREAM_POS_NONE, "interrupted");
}

/* ---- members ------------------------------------------------------------ */

static int
begin_member(struct writing *w, const char *path, uint64_t size, int64_t time_s,
    struct stream_archive_file *file, struct stream_error *err)
{
	size_t before = w->between.size;
	int status = stream_tar_header(&w->between, path, size, time_s, err);

	w->at += w->between.size - before;
	*file = (struct stream_archive_file){
	    .path = path, .position = w->at, .bytes = size};
	stream_xxh128_reset(w->digest);
	return status;
}

static int
add_content(
    struct writing *w, const void *bytes, size_t n, struct stream_error *err)
{
	int status = STREAM_OK;

	stream_xxh128_add(w->digest, bytes, n);
	w->at += n;
	if (w->between.size + n > STREAM_BLOCK_BYTES)
		status = stream_pieces_add(w->pieces, &w->between, err);
	return status == STREAM_OK ? stream_buf_add(&w->between, bytes, n, err)
				   : status;
}

static int
end_member(struct writing *w, struct stream_archive_file *file,
    struct stream_error *err)
{
	uint64_t padding = stream_tar_padding(file->bytes);

	w->at += padding;
	stream_xxh128_put(w->digest, file->digest);
	return stream_tar_zeros(&w->between, (size_t)padding, err);
}

/* A whole small file; listed unless it is the mark. */
static int
add_small(struct writing *w, const char *path, const void *bytes, size_t n,
    bool listed, struct stream_error *err)
{
	struct stream_archive_file file;
	int status =
	    begin_member(w, path, n, w->options->now_ms / 1000, &file, err);

	if (status == STREAM_OK)
		status = add_content(w, bytes, n, err);
	if (status == STREAM_OK)
		status = end_member(w, &file, err);
	if (status == STREAM_OK && listed)
		status = stream_archive_manifest_file(&w->manifest, &file, err);
	return status;
}

/* ---- files of a segment ------------------------------------------------- */

/* "orders-0/NAME" */
static void
put_path(const struct writing *w, const char *name, char *path)
{
	snprintf(path, PATH_SIZE, "%s-%d/%s", w->part->place->topic,
	    (int)w->part->place->partition, name);
}

static int
shrunk(const char *path, struct stream_error *err)
{
	return stream_fail(err, STREAM_EIO, STREAM_POS_NONE,
	    "%s: became shorter while it was read", path);
}

static int
add_derived(struct writing *w, int64_t base, enum stream_name_kind kind,
    const struct stream_source_file *from, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE], path[PATH_SIZE];
	struct stream_archive_file file;
	uint8_t chunk[8192];
	int status;

	if (from->fd < 0)
		return STREAM_OK;
	stream_name_put_plain(base, kind, name);
	put_path(w, name, path);
	status = begin_member(w, path, from->bytes, from->time_s, &file, err);
	for (uint64_t at = 0; at < from->bytes && status == STREAM_OK;) {
		uint64_t left = from->bytes - at;
		size_t n = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);
		size_t got;

		status = stream_io_read_at(from->fd, chunk, n, at, &got, err);
		if (status == STREAM_OK && got != n)
			return shrunk(path, err);
		if (status == STREAM_OK)
			status = add_content(w, chunk, n, err);
		at += n;
	}
	if (status == STREAM_OK)
		status = end_member(w, &file, err);
	return status == STREAM_OK
		   ? stream_archive_manifest_file(&w->manifest, &file, err)
		   : status;
}

/* A log that is written, batch by batch. */
struct log_writing {
	struct stream_block_cut cut;
	struct stream_archive_segment segment;
	struct stream_buf lines; /* of the manifest, that follow the file's */
	uint64_t bytes;
	int64_t next_offset; /* the least that may follow */
};

static int
end_block(struct writing *w, struct log_writing *log,
    const struct stream_archive_block *block, struct stream_error *err)
{
	uint64_t bytes = block->bytes;
	int status = stream_pieces_add(w->pieces, &w->block, err);

	if (status == STREAM_OK)
		status = stream_archive_manifest_block(&log->lines, block, err);
	if (status == STREAM_OK && !goes_on(w, bytes))
		return stopped(err);
	return status;
}

static int
check_chain(const struct log_writing *log, const struct stream_batch_info *info,
    struct stream_error *err)
{
	if (info->base_offset >= log->next_offset &&
	    info->last_offset < log->segment.next_offset)
		return STREAM_OK;
	return stream_fail(err, STREAM_ECORRUPT, info->position,
	    "at byte %llu: offset %lld does not follow",
	    (unsigned long long)info->position, (long long)info->base_offset);
}

static int
add_batch(struct writing *w, struct log_writing *log,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;
	struct stream_archive_block done;
	int status = check_chain(log, info, err);

	if (status != STREAM_OK)
		return status;
	if (stream_block_add(&log->cut, info, &done) && done.bytes > 0)
		status = end_block(w, log, &done, err);
	if (status == STREAM_OK)
		status = stream_buf_add(&w->block, bytes, info->size, err);
	stream_xxh128_add(w->digest, bytes, info->size);
	log->bytes += info->size;
	log->next_offset = info->last_offset + 1;
	log->segment.records += info->record_count;
	if (info->max_timestamp_ms > log->segment.largest_ms)
		log->segment.largest_ms = info->max_timestamp_ms;
	return status;
}

static int
add_batches(struct writing *w, struct log_writing *log,
    const struct stream_source_file *from, struct stream_error *err)
{
	size_t cap = w->options->max_batch_bytes;
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status = STREAM_OK;

	stream_scan_init(&scan, from->fd, 0, STREAM_SCAN_WHOLE,
	    cap != 0 ? cap : STREAM_BATCH_CAP_DEFAULT, STREAM_SCAN_BLOCK);
	while (status == STREAM_OK) {
		status = stream_scan_next(&scan, &batch, &bytes, err);
		if (status == STREAM_OK)
			status = add_batch(w, log, &batch, bytes, err);
	}
	stream_scan_release(&scan);
	if (status == STREAM_END && log->cut.block.bytes > 0)
		return end_block(w, log, &log->cut.block, err);
	if (status == STREAM_ETORN)
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "ends within a batch, though it is closed");
	if (status == STREAM_ECORRUPT)
		return stream_fail_in(err, status,
		    "damaged at byte %llu (strm repair says what can be done)",
		    (unsigned long long)log->bytes);
	return status == STREAM_END ? STREAM_OK : status;
}

static int
add_log(struct writing *w, const struct stream_source_segment *segment,
    struct stream_error *err)
{
	const struct stream_source_file *from =
	    &segment->files[STREAM_NAME_LOG];
	struct log_writing log = {
	    .segment = {.base_offset = segment->base_offset,
		.next_offset = segment->next_offset,
		.largest_ms = -1},
	    .next_offset = segment->base_offset,
	};
	char name[STREAM_NAME_SIZE], path[PATH_SIZE];
	struct stream_archive_file file;
	int status;

	stream_buf_init(&log.lines);
	stream_name_put_plain(segment->base_offset, STREAM_NAME_LOG, name);
	put_path(w, name, path);
	status = begin_member(w, path, from->bytes, from->time_s, &file, err);
	/* Blocks are pieces of their own. */
	if (status == STREAM_OK)
		status = stream_pieces_add(w->pieces, &w->between, err);
	if (status == STREAM_OK)
		status = add_batches(w, &log, from, err);
	if (status == STREAM_OK && log.bytes != from->bytes)
		status = shrunk(path, err);
	w->at += log.bytes;
	if (status == STREAM_OK)
		status = end_member(w, &file, err);
	if (status == STREAM_OK)
		status = stream_archive_manifest_file(&w->manifest, &file, err);
	if (status == STREAM_OK)
		status = stream_archive_manifest_segment(
		    &w->manifest, &log.segment, err);
	if (status == STREAM_OK && log.lines.size > 0)
		status = stream_buf_add(
		    &w->manifest, log.lines.data, log.lines.size, err);
	w->part->records += log.segment.records;
	stream_buf_release(&log.lines);
	return status == STREAM_OK || status == STREAM_EINTR
		   ? status
		   : stream_fail_in(err, status, "%s", path);
}

static int
add_segment(struct writing *w, const struct stream_source_segment *segment,
    struct stream_error *err)
{
	int status = add_log(w, segment, err);

	for (int kind = STREAM_NAME_INDEX;
	     kind < STREAM_SOURCE_KINDS && status == STREAM_OK; kind++)
		status = add_derived(w, segment->base_offset,
		    (enum stream_name_kind)kind, &segment->files[kind], err);
	return status;
}

/* ---- partitions and topics ---------------------------------------------- */

static int
add_partition_file(
    struct writing *w, const char *name, size_t limit, struct stream_error *err)
{
	char path[PATH_SIZE];
	struct stream_buf text;
	int status;

	stream_buf_init(&text);
	put_path(w, name, path);
	status = stream_io_load(w->source->dirfd, name, limit, &text, err);
	if (status == STREAM_OK)
		status = add_small(w, path, text.data, text.size, true, err);
	else if (status == STREAM_ENOENT)
		status = STREAM_OK;
	stream_buf_release(&text);
	return status;
}

static int
add_source(struct writing *w, struct stream_error *err)
{
	const struct stream_source *source = w->source;
	const struct stream_place *place = source->place;
	struct stream_list_partition line = {
	    .partition = place->partition,
	    .log_start_offset = place->log_start_offset,
	    .next_offset = source->next_offset,
	};
	int status;

	strcpy(line.topic, place->topic);
	status = stream_archive_manifest_partition(&w->manifest, &line, err);
	if (status == STREAM_OK)
		status = add_partition_file(w, STREAM_METADATA_FILE, 4096, err);
	if (status == STREAM_OK)
		status =
		    add_partition_file(w, STREAM_EPOCHS_FILE, 32 << 20, err);
	for (size_t i = 0; i < source->count && status == STREAM_OK; i++)
		status = add_segment(w, &source->segments[i], err);
	return status == STREAM_OK
		   ? add_derived(w, source->next_offset, STREAM_NAME_SNAPSHOT,
			 &source->end_snapshot, err)
		   : status;
}

static int
add_part(struct writing *w, struct stream_archive_part *part,
    struct stream_error *err)
{
	struct stream_source source;
	int status =
	    stream_source_open(part->place, part->from, part->to, &source, err);

	if (status == STREAM_OK)
		status = stream_archive_part_update(part, &source, err);
	if (status == STREAM_OK) {
		w->part = part;
		w->source = &source;
		status = add_source(w, err);
	}
	stream_source_close(&source);
	return status;
}

static int
load_settings(const struct stream_place *place, struct stream_buf *text,
    struct stream_error *err)
{
	char name[STREAM_DOCUMENT_NAME_SIZE];
	struct stream_store *store;
	int fd;
	int status = stream_store_open(place->store_path, 0, 0, &store, err);

	if (status != STREAM_OK)
		return status;
	stream_layout_document(place->topic, name);
	status = stream_layout_open(store, STREAM_TOPICS_DIR, &fd, err);
	if (status == STREAM_OK) {
		status = stream_io_load(fd, name, SETTINGS_MOST, text, err);
		close(fd);
	}
	stream_store_close(store);
	return status;
}

static int
add_topic(struct writing *w, const struct stream_place *place,
    struct stream_error *err)
{
	char path[PATH_SIZE];
	struct stream_buf text;
	int status =
	    stream_archive_manifest_topic(&w->manifest, place->topic, err);

	if (status != STREAM_OK || !place->is_ours)
		return status;
	stream_buf_init(&text);
	snprintf(path, sizeof(path), "%s/%s/%s.json", STREAM_OWN_DIR,
	    STREAM_TOPICS_DIR, place->topic);
	status = load_settings(place, &text, err);
	if (status == STREAM_OK)
		status = add_small(w, path, text.data, text.size, true, err);
	stream_buf_release(&text);
	return status;
}

/* ---- the archive -------------------------------------------------------- */

/* The first member says that a manifest is to come, so that an archive that was
 * cut short is known as one. */
static int
begin(struct writing *w, struct stream_error *err)
{
	struct stream_buf mark;
	int status;

	stream_buf_init(&mark);
	status = stream_archive_manifest_begin(
	    &w->manifest, w->options->now_ms, err);
	if (status == STREAM_OK)
		status = stream_archive_manifest_begin(
		    &mark, w->options->now_ms, err);
	if (status == STREAM_OK)
		status = add_small(
		    w, STREAM_MANIFEST_MARK, mark.data, mark.size, false, err);
	stream_buf_release(&mark);
	return status;
}

static int
end(struct writing *w, struct stream_error *err)
{
	int status = stream_pieces_add(w->pieces, &w->between, err);

	if (status == STREAM_OK)
		status = stream_archive_manifest_end(&w->manifest, err);
	/* One piece, so that whoever has the last one has the index. */
	if (status == STREAM_OK)
		status = stream_tar_header(&w->between, STREAM_MANIFEST_FILE,
		    w->manifest.size, w->options->now_ms / 1000, err);
	if (status == STREAM_OK)
		status = stream_buf_add(
		    &w->between, w->manifest.data, w->manifest.size, err);
	if (status == STREAM_OK)
		status = stream_tar_zeros(&w->between,
		    (size_t)stream_tar_padding(w->manifest.size) +
			STREAM_TAR_END,
		    err);
	if (status == STREAM_OK && w->between.size > STREAM_MANIFEST_MOST)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "is too large for one archive: its index has %zu bytes",
		    w->between.size);
	if (status == STREAM_OK)
		status = stream_pieces_add(w->pieces, &w->between, err);
	return status == STREAM_OK ? stream_pieces_end(w->pieces, err) : status;
}

static int
compare(const void *a, const void *b)
{
	const struct stream_archive_part *one = a, *other = b;
	int order = strcmp(one->place->topic, other->place->topic);
	int32_t p = one->place->partition, q = other->place->partition;

	return order != 0 ? order : (p > q) - (p < q);
}

static int
sort(struct stream_archive_part *parts, size_t count, struct stream_error *err)
{
	qsort(parts, count, sizeof(*parts), compare);
	for (size_t i = 1; i < count; i++)
		if (compare(&parts[i - 1], &parts[i]) == 0)
			return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
			    "%s-%d: is asked for twice", parts[i].place->topic,
			    (int)parts[i].place->partition);
	return STREAM_OK;
}

static int
write_all(struct writing *w, struct stream_archive_part *parts, size_t count,
    struct stream_error *err)
{
	int status = begin(w, err);

	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		const struct stream_place *place = parts[i].place;

		if (i == 0 ||
		    strcmp(place->topic, parts[i - 1].place->topic) != 0)
			status = add_topic(w, place, err);
		if (status == STREAM_OK)
			status = add_part(w, &parts[i], err);
	}
	return status == STREAM_OK ? end(w, err) : status;
}

int
stream_archive_write(struct stream_archive_part *parts, size_t count,
    const struct stream_archive_write_options *options, int fd, uint64_t *bytes,
    struct stream_error *err)
{
	struct stream_pieces_options how = {
	    .codec = options->codec,
	    .level = options->level,
	    .threads = options->threads,
	    .fd = fd,
	    .go_on = options->go_on,
	    .context = options->context,
	};
	struct writing w = {.options = options};
	int status = sort(parts, count, err);

	if (status != STREAM_OK)
		return status;
	stream_buf_init(&w.manifest);
	stream_buf_init(&w.between);
	stream_buf_init(&w.block);
	status = stream_xxh128_new(&w.digest, err);
	if (status == STREAM_OK)
		status = stream_pieces_new(&how, &w.pieces, err);
	if (status == STREAM_OK)
		status = write_all(&w, parts, count, err);
	if (status == STREAM_OK)
		*bytes = stream_pieces_written(w.pieces);
	stream_pieces_free(w.pieces);
	stream_xxh128_free(w.digest);
	stream_buf_release(&w.manifest);
	stream_buf_release(&w.between);
	stream_buf_release(&w.block);
	return status;
}
