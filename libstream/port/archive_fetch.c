/*
 * archive_fetch.c - the segments of a range, as a walk would have built them
 *
 * A restore checks the same of what it takes as it would on a walk over all of
 * the archive: digests, batches, and that the batches are those of the index.
 */
#include "port/archive_fetch.h"

#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "base/xxh128.h"
#include "port/archive_batches.h"
#include "port/archive_choose.h"

struct fetching {
	struct stream_fetch *fetch;
	struct stream_archive *archive;
	const struct stream_archive_partition *partition;
	bool all; /* of the partition */
	/* These segments of it. */
	const struct stream_archive_segment *first, *end;
	struct stream_xxh128 *digest;
	struct stream_batches batches;
	struct stream_archive_list found; /* one log */
	struct stream_buf bytes;
};

/* ---- what is wanted ----------------------------------------------------- */

/* The segment of a base offset; NULL: none counts. */
static const struct stream_archive_segment *
find_segment(const struct fetching *f, int64_t base)
{
	size_t low = 0, high = f->partition->segment_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct stream_archive_segment *segment =
		    &f->partition->segments[middle];

		if (segment->base_offset == base)
			return segment;
		if (segment->base_offset < base)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Snapshots of a part say what came before it, which is partly gone. */
static bool
is_wanted(const struct fetching *f, const struct stream_path *path)
{
	const struct stream_archive_segment *segment;

	if (strcmp(path->topic, f->partition->topic) != 0 ||
	    path->partition != f->partition->partition)
		return false;
	if (path->kind != STREAM_PATH_SEGMENT)
		return path->kind == STREAM_PATH_EPOCHS ||
		       path->kind == STREAM_PATH_METADATA;
	if (path->name.state != STREAM_NAME_PLAIN)
		return false;
	if (path->name.kind == STREAM_NAME_SNAPSHOT)
		return f->all;
	segment = find_segment(f, path->name.base_offset);
	return segment != NULL && segment >= f->first && segment < f->end;
}

/* ---- one file ----------------------------------------------------------- */

static int
begin(struct fetching *f, size_t i, const struct stream_path *path,
    struct stream_error *err)
{
	const struct stream_archive_file *file =
	    stream_archive_file(f->archive, i);
	struct stream_archive_entry entry = {
	    .path = file->path, .parsed = *path, .size = file->bytes};
	struct stream_error why;
	int status;

	if (file->bytes > stream_path_most_bytes(path))
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%.150s: claims %llu bytes, more than such a file has",
		    file->path, (unsigned long long)file->bytes);
	if (file->bytes > f->fetch->left)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "unpacks to more than --max-bytes");
	f->fetch->left -= file->bytes;
	status = stream_archive_read_time(f->archive, i, &entry.time_s, err);
	if (status != STREAM_OK)
		return status;
	status = stream_build_file(f->fetch->build, &entry, &why);
	if (status == STREAM_EIO && why.sys == EEXIST)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%.150s: is there twice", file->path);
	if (status != STREAM_OK && err != NULL)
		*err = why;
	stream_xxh128_reset(f->digest);
	return status;
}

static int
take(struct fetching *f, struct stream_error *err)
{
	stream_xxh128_add(f->digest, f->bytes.data, f->bytes.size);
	return stream_build_write(
	    f->fetch->build, f->bytes.data, f->bytes.size, err);
}

static int
end(struct fetching *f, const struct stream_archive_file *file,
    struct stream_error *err)
{
	char digest[STREAM_XXH128_SIZE];
	int status = stream_build_close(f->fetch->build, err);

	stream_xxh128_put(f->digest, digest);
	return status == STREAM_OK ? stream_list_check_digest(file, digest, err)
				   : status;
}

static int
copy_small(struct fetching *f, size_t i, struct stream_error *err)
{
	const struct stream_archive_file *file =
	    stream_archive_file(f->archive, i);
	int status;

	f->bytes.size = 0;
	status = stream_archive_read_file(
	    f->archive, file->path, (size_t)file->bytes, &f->bytes, err);
	if (status == STREAM_OK)
		status = take(f, err);
	return status == STREAM_OK ? end(f, file, err) : status;
}

/* ---- logs --------------------------------------------------------------- */

static int
begin_batches(struct fetching *f, const struct stream_path *path,
    const struct stream_archive_segment *segment, struct stream_error *err)
{
	struct stream_list_log log = {
	    .partition = path->partition,
	    .state = path->name.state,
	    .segment = {.base_offset = segment->base_offset,
		.bytes = segment->bytes},
	};
	int status;

	strcpy(log.topic, path->topic);
	stream_list_release(&f->found);
	status = stream_list_add_log(&f->found, &log, err);
	if (status == STREAM_OK)
		stream_batches_begin(&f->batches);
	return status;
}

static int
end_batches(struct fetching *f, const struct stream_archive_segment *segment,
    const struct stream_archive_file *file, struct stream_error *err)
{
	int status = stream_batches_end(&f->batches, err);
	const struct stream_list_log *log = &f->found.logs[0];

	if (status != STREAM_OK)
		return status;
	if (log->status != STREAM_OK)
		return stream_fail(err,
		    log->status == STREAM_ENEWER ? STREAM_ENEWER
						 : STREAM_ECORRUPT,
		    STREAM_POS_NONE, "%.120s: %s", file->path, log->why);
	if (!stream_list_is_same(
		&log->segment, f->found.blocks, segment, segment->blocks))
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%.150s: its batches are not those of the manifest",
		    file->path);
	return STREAM_OK;
}

/* A log that has gone wrong has its digest wrong too, which says less. */
static int
copy_log(struct fetching *f, size_t i, const struct stream_path *path,
    struct stream_error *err)
{
	const struct stream_archive_file *file =
	    stream_archive_file(f->archive, i);
	const struct stream_archive_segment *segment =
	    find_segment(f, path->name.base_offset);
	int status = begin_batches(f, path, segment, err);

	for (size_t j = 0; j < segment->block_count && status == STREAM_OK;
	     j++) {
		f->bytes.size = 0;
		status = stream_archive_read_block(
		    f->archive, segment, &segment->blocks[j], &f->bytes, err);
		if (status == STREAM_OK)
			status = stream_batches_feed(
			    &f->batches, f->bytes.data, f->bytes.size, err);
		if (status == STREAM_OK)
			status = take(f, err);
	}
	if (status == STREAM_OK)
		status = end_batches(f, segment, file, err);
	return status == STREAM_OK ? end(f, file, err) : status;
}

/* ---- all of it ---------------------------------------------------------- */

static int
copy_all(struct fetching *f, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0;
	     i < stream_archive_file_count(f->archive) && status == STREAM_OK;
	     i++) {
		struct stream_path path;

		if (!stream_path_parse(
			stream_archive_file(f->archive, i)->path, &path) ||
		    !is_wanted(f, &path))
			continue;
		status = begin(f, i, &path, err);
		if (status == STREAM_OK)
			status = path.kind == STREAM_PATH_SEGMENT &&
					 path.name.kind == STREAM_NAME_LOG
				     ? copy_log(f, i, &path, err)
				     : copy_small(f, i, err);
	}
	return status;
}

/* Segments of which a block was chosen, and empty ones between them. */
static void
set_segments(struct fetching *f, const struct stream_archive_choice *choice)
{
	const struct stream_archive_partition *partition = f->partition;
	size_t before = 0;

	f->first = f->end = partition->segments;
	for (size_t i = 0; i < partition->segment_count; i++) {
		const struct stream_archive_segment *segment =
		    &partition->segments[i];
		size_t after = before + segment->block_count;

		if (stream_archive_choice_has(choice, before, after)) {
			if (f->first == f->end)
				f->first = segment;
			f->end = segment + 1;
		}
		before = after;
	}
}

/* A time before the log start is found there, so the log must reach it. */
static void
reach_log_start(struct fetching *f)
{
	const struct stream_archive_partition *partition = f->partition;
	const struct stream_archive_segment *end =
	    partition->segments + partition->segment_count;

	while (f->end < end &&
	       (f->first == f->end ||
		   f->end[-1].next_offset <= partition->log_start_offset))
		f->end++;
}

static bool
is_followed(const struct fetching *f)
{
	const struct stream_archive_segment *end =
	    f->partition->segments + f->partition->segment_count;

	for (const struct stream_archive_segment *at = f->end; at < end; at++)
		if (at->block_count > 0)
			return true;
	return false;
}

static void
clamp(const struct stream_archive_partition *partition,
    struct stream_point *point)
{
	int64_t base = partition->segments[0].base_offset;

	if (point->kind != STREAM_POINT_OFFSET)
		return;
	if (point->value < base)
		point->value = base;
	if (point->value > partition->next_offset)
		point->value = partition->next_offset;
}

/*
 * Points are found as a reader finds them.  But what a transaction hides is
 * restored as well, the log start hides nothing, and an offset is only a place,
 * whether it is held or not.
 */
static int
choose(struct fetching *f, const struct stream_range *range, bool *cut_end,
    struct stream_error *err)
{
	struct stream_archive_partition partition = *f->partition;
	struct stream_range clamped = *range;
	struct stream_archive_choice choice;
	bool counts = range->from.kind == STREAM_POINT_LAST ||
		      range->to.kind == STREAM_POINT_LAST;
	int status;

	f->all = range->from.kind == STREAM_POINT_NONE &&
		 range->to.kind == STREAM_POINT_NONE;
	f->first = partition.segments;
	f->end = partition.segments + partition.segment_count;
	*cut_end = false;
	if (f->all || partition.segment_count == 0)
		return STREAM_OK;
	partition.log_start_offset = 0;
	clamp(&partition, &clamped.from);
	clamp(&partition, &clamped.to);
	status = stream_archive_choose_by_settings(
	    &partition, &clamped, counts, &choice, err);
	if (status != STREAM_OK)
		return status;
	set_segments(f, &choice);
	if (range->from.kind == STREAM_POINT_TIME ||
	    range->to.kind == STREAM_POINT_TIME)
		reach_log_start(f);
	*cut_end = is_followed(f);
	return STREAM_OK;
}

static void
release(struct fetching *f)
{
	stream_xxh128_free(f->digest);
	stream_batches_release(&f->batches);
	stream_list_release(&f->found);
	stream_buf_release(&f->bytes);
}

int
stream_fetch_measure(const struct stream_archive_partition *partition,
    const struct stream_range *range, uint64_t *bytes, struct stream_error *err)
{
	struct fetching f = {.partition = partition};
	bool cut;
	int status = choose(&f, range, &cut, err);

	for (; status == STREAM_OK && f.first < f.end; f.first++)
		*bytes += f.first->bytes;
	return status;
}

int
stream_fetch_partition(struct stream_fetch *fetch,
    const struct stream_archive_partition *partition,
    const struct stream_range *range, bool *cut_end, struct stream_error *err)
{
	struct fetching f = {
	    .fetch = fetch,
	    .archive = fetch->archive,
	    .partition = partition,
	};
	bool cut;
	int status;

	stream_list_init(&f.found);
	stream_batches_init(&f.batches, &f.found, fetch->max_batch_bytes);
	stream_buf_init(&f.bytes);
	status = stream_xxh128_new(&f.digest, err);
	if (status == STREAM_OK)
		status = choose(&f, range, &cut, err);
	if (status == STREAM_OK)
		status = copy_all(&f, err);
	release(&f);
	if (status == STREAM_OK)
		*cut_end = cut;
	return status;
}
