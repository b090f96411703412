#include "port/archive_unpack.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "codec/batch_build.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "port/archive_choose.h"
#include "store/layout.h"
#include "store/place.h"

/* As much as the largest small file of a partition may have (SPEC 11). */
enum { SMALL_LIMIT = 64 << 20 };

struct unpack {
	struct stream_archive *archive;
	const struct stream_address *address;
	const struct stream_unpack_options *options;
	int dirfd;
	/* The partition at hand. */
	bool with_files;
	const struct stream_archive_partition *partition;
	int to;         /* its directory */
	int64_t begins; /* base offset of its first log */
	int log;        /* -1: none is open */
	uint64_t position;
	struct stream_buf block;
};

static int
write_small(int dirfd, const char *name, const void *bytes, size_t size,
    struct stream_error *err)
{
	int fd;
	int status =
	    stream_io_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_io_write_at(fd, bytes, size, 0, NULL, err);
	close(fd);
	return status;
}

/* ---- logs --------------------------------------------------------------- */

static int
begin_log(struct unpack *unpack, int64_t base, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	if (unpack->log >= 0)
		close(unpack->log);
	unpack->log = -1;
	unpack->position = 0;
	if (unpack->begins < 0)
		unpack->begins = base;
	stream_name_put_plain(base, STREAM_NAME_LOG, name);
	return stream_io_open(
	    unpack->to, name, O_WRONLY | O_CREAT | O_EXCL, &unpack->log, err);
}

static void
note_damage(const struct unpack *unpack,
    const struct stream_archive_block *block, const struct stream_error *why)
{
	char text[sizeof(why->text) + 80];

	snprintf(text, sizeof(text),
	    "%s; offsets %" PRId64 " to %" PRId64 " cannot be unpacked",
	    why->text, block->base_offset, block->last_offset);
	if (unpack->options->note != NULL)
		unpack->options->note(unpack->options->context, text);
}

/* One batch with the block's offsets and time, so that all is found as before;
 * nobody takes it for a good one. */
static int
put_damage(struct unpack *unpack, const struct stream_archive_block *block,
    const struct stream_error *why, struct stream_error *err)
{
	int64_t last = block->last_offset - block->base_offset;
	struct stream_batch_build build = {
	    .base_timestamp_ms = block->largest_ms,
	    .max_timestamp_ms = block->largest_ms,
	    .count = (int32_t)last + 1,
	};
	size_t size = (size_t)block->bytes;
	uint8_t *bytes;
	int status;

	if (size < STREAM_BATCH_HEADER || size > STREAM_BATCH_CAP_DEFAULT ||
	    last >= INT32_MAX)
		return stream_fail(
		    err, STREAM_ECORRUPT, STREAM_POS_NONE, "%s", why->text);
	unpack->block.size = 0;
	status = stream_buf_reserve(&unpack->block, size, err);
	if (status != STREAM_OK)
		return status;
	bytes = unpack->block.data;
	memset(bytes, 0, size);
	stream_batch_build_header(&build, STREAM_CODEC_NONE, bytes, size);
	stream_batch_place(bytes, block->base_offset, 0);
	stream_batch_seal(bytes, size);
	bytes[STREAM_BATCH_CRC_AT] ^= 1;
	unpack->block.size = size;
	note_damage(unpack, block, why);
	return STREAM_OK;
}

static int
add_block(struct unpack *unpack, const struct stream_archive_segment *segment,
    const struct stream_archive_block *block, struct stream_error *err)
{
	struct stream_error why;
	int status;

	unpack->block.size = 0;
	status = stream_archive_read_block(
	    unpack->archive, segment, block, &unpack->block, &why);
	if (status == STREAM_ECORRUPT)
		status = put_damage(unpack, block, &why, err);
	else if (status != STREAM_OK && err != NULL)
		*err = why;
	if (status == STREAM_OK)
		status = stream_io_write_at(unpack->log, unpack->block.data,
		    unpack->block.size, unpack->position, NULL, err);
	unpack->position += unpack->block.size;
	return status;
}

/*
 * A segment that begins in the middle is named by the offset after the block
 * before it: what is missing there is missing in the log too.
 */
static int64_t
name_segment(const struct stream_archive_segment *segment, size_t first)
{
	if (first > 0)
		return segment->blocks[first - 1].last_offset + 1;
	return segment->base_offset;
}

/* An end that is torn says nothing to a reader of records. */
static bool
is_damaged(
    const struct unpack *unpack, const struct stream_archive_segment *segment)
{
	const struct stream_archive_partition *partition = unpack->partition;
	bool is_newest =
	    segment + 1 == partition->segments + partition->segment_count;

	return segment->status != STREAM_OK &&
	       (segment->status != STREAM_ETORN || !is_newest);
}

/* What follows the last whole batch, as it is. */
static int
add_rest(struct unpack *unpack, const struct stream_archive_segment *segment,
    struct stream_error *err)
{
	enum { CHUNK = 1 << 20 };
	int status = STREAM_OK;

	if (!is_damaged(unpack, segment) && !unpack->with_files)
		return STREAM_OK;
	while (unpack->position < segment->bytes && status == STREAM_OK) {
		uint64_t left = segment->bytes - unpack->position;

		unpack->block.size = 0;
		status = stream_archive_read_log(unpack->archive, segment,
		    unpack->position, left < CHUNK ? (size_t)left : CHUNK,
		    &unpack->block, err);
		if (status == STREAM_OK)
			status = stream_io_write_at(unpack->log,
			    unpack->block.data, unpack->block.size,
			    unpack->position, NULL, err);
		unpack->position += unpack->block.size;
	}
	return status;
}

static int
add_segment(struct unpack *unpack, const struct stream_archive_segment *segment,
    size_t first, size_t end, struct stream_error *err)
{
	int status = begin_log(unpack, name_segment(segment, first), err);

	for (size_t i = first; i < end && status == STREAM_OK; i++)
		status = add_block(unpack, segment, &segment->blocks[i], err);
	if (status == STREAM_OK && unpack->position == segment->good_bytes)
		status = add_rest(unpack, segment, err);
	return status;
}

static int
add_segments(struct unpack *unpack, const struct stream_archive_choice *choice,
    struct stream_error *err)
{
	const struct stream_archive_partition *partition = unpack->partition;
	int status = STREAM_OK;
	size_t before = 0;

	for (size_t i = 0; i < partition->segment_count && status == STREAM_OK;
	     i++) {
		const struct stream_archive_segment *segment =
		    &partition->segments[i];
		size_t after = before + segment->block_count;
		size_t first = 0, end = segment->block_count;

		if (stream_archive_choice_has(choice, before, after) &&
		    !unpack->with_files) {
			if (choice->first > before)
				first = choice->first - before;
			if (choice->end < after)
				end = choice->end - before;
		}
		if (stream_archive_choice_has(choice, before, after))
			status = add_segment(unpack, segment, first, end, err);
		before = after;
	}
	return status;
}

/* The offset after the last block, or the last whole segment. */
static int64_t
find_end(
    const struct unpack *unpack, const struct stream_archive_choice *choice)
{
	const struct stream_archive_segment *segment;
	const struct stream_archive_block *block = stream_archive_block_at(
	    unpack->partition, choice->end - 1, &segment);

	return unpack->with_files ? segment->next_offset
				  : block->last_offset + 1;
}

/*
 * Where a log of ours ends, an empty segment says: what an archive has is
 * closed, and the offsets at its end need not have records.  So does one where
 * blocks were left out: what is damaged before it is nobody's unfinished
 * append.
 */
static int
add_end(struct unpack *unpack, const struct stream_archive_choice *choice,
    struct stream_error *err)
{
	static const enum stream_name_kind kinds[] = {
	    STREAM_NAME_INDEX, STREAM_NAME_TIMEINDEX};
	int64_t base = unpack->partition->next_offset;
	char name[STREAM_NAME_SIZE];
	int status;

	if (choice->end < choice->count)
		base = find_end(unpack, choice);
	else if (stream_archive_is_foreign(unpack->archive))
		return STREAM_OK;
	if (unpack->begins >= base)
		return STREAM_OK;
	status = begin_log(unpack, base, err);
	for (size_t i = 0; i < 2 && status == STREAM_OK; i++) {
		stream_name_put_plain(base, kinds[i], name);
		status = write_small(unpack->to, name, "", 0, err);
	}
	return status;
}

/* ---- what stands beside them -------------------------------------------- */

static int
copy_file(struct unpack *unpack, const char *path, const char *name,
    struct stream_error *err)
{
	int status;

	unpack->block.size = 0;
	status = stream_archive_read_file(
	    unpack->archive, path, SMALL_LIMIT, &unpack->block, err);
	return status == STREAM_OK
		   ? write_small(unpack->to, name, unpack->block.data,
			 unpack->block.size, err)
		   : status;
}

/* Of a segment, the files of one that was chosen. */
static bool
is_wanted(const struct unpack *unpack, const char *name)
{
	struct stream_name parsed;
	char log[STREAM_NAME_SIZE];
	bool has = false;

	if (!stream_name_parse(name, &parsed))
		return true;
	if (parsed.kind == STREAM_NAME_LOG || parsed.state != STREAM_NAME_PLAIN)
		return false;
	if (parsed.kind == STREAM_NAME_SNAPSHOT)
		return parsed.base_offset >= unpack->begins;
	stream_name_put_plain(parsed.base_offset, STREAM_NAME_LOG, log);
	return stream_dir_has(unpack->to, log, &has, NULL) == STREAM_OK && has;
}

static int
copy_files(struct unpack *unpack, struct stream_error *err)
{
	char directory[300];
	size_t size;
	int status = STREAM_OK;

	snprintf(directory, sizeof(directory), "%s-%" PRId32 "/",
	    unpack->partition->topic, unpack->partition->partition);
	size = strlen(directory);
	for (size_t i = 0; i < stream_archive_file_count(unpack->archive) &&
			   status == STREAM_OK;
	     i++) {
		const char *path =
		    stream_archive_file(unpack->archive, i)->path;

		if (strncmp(path, directory, size) == 0 &&
		    is_wanted(unpack, path + size))
			status = copy_file(unpack, path, path + size, err);
	}
	return status;
}

/* ---- the store ---------------------------------------------------------- */

static int
put_settings(const struct unpack *unpack, struct stream_error *err)
{
	const struct stream_archive_partition *partition = unpack->partition;
	char name[STREAM_DOCUMENT_NAME_SIZE];
	bool has = true;
	int topics;
	int status =
	    stream_layout_open(&(struct stream_store){.dirfd = unpack->dirfd},
		STREAM_TOPICS_DIR, &topics, err);

	if (status != STREAM_OK)
		return status;
	stream_layout_document(partition->topic, name);
	status = stream_dir_has(topics, name, &has, err);
	if (status == STREAM_OK && !has)
		status = write_small(topics, name, partition->settings,
		    partition->settings_size, err);
	close(topics);
	return status;
}

static int
put_log_start(const struct unpack *unpack, struct stream_error *err)
{
	const struct stream_archive_partition *partition = unpack->partition;

	if (partition->log_start_offset <= unpack->begins)
		return STREAM_OK;
	return stream_checkpoint_set(unpack->dirfd, STREAM_LOG_START_FILE,
	    partition->topic, partition->partition, partition->log_start_offset,
	    err);
}

/* Which offsets and times stand behind damage, nobody knows; the files beside
 * the log may tell. */
static int
choose(struct unpack *unpack, struct stream_archive_choice *choice,
    struct stream_error *err)
{
	const struct stream_archive_partition *partition = unpack->partition;
	int status = stream_archive_choose_by_settings(
	    partition, &unpack->address->range, true, choice, err);

	for (size_t i = 0; i < partition->segment_count && status == STREAM_OK;
	     i++)
		if (is_damaged(unpack, &partition->segments[i])) {
			choice->first = 0;
			choice->end = choice->count;
			unpack->with_files = true;
		}
	return status;
}

static int
fill_partition(struct unpack *unpack, struct stream_error *err)
{
	struct stream_archive_choice choice;
	int status;

	unpack->with_files = unpack->options->with_files;
	status = choose(unpack, &choice, err);

	unpack->begins = -1;
	if (status == STREAM_OK)
		status = add_segments(unpack, &choice, err);
	if (status == STREAM_OK && unpack->with_files)
		status = copy_files(unpack, err);
	if (status == STREAM_OK)
		status = add_end(unpack, &choice, err);
	if (unpack->log >= 0)
		close(unpack->log);
	unpack->log = -1;
	return status == STREAM_OK ? put_log_start(unpack, err) : status;
}

static int
add_partition(struct unpack *unpack, struct stream_error *err)
{
	const struct stream_archive_partition *partition = unpack->partition;
	char name[STREAM_PARTITION_NAME_SIZE];
	int status = stream_partition_name_put(
	    partition->topic, partition->partition, name, err);

	if (status == STREAM_OK && partition->settings != NULL)
		status = put_settings(unpack, err);
	if (status == STREAM_OK)
		status = stream_dir_open_or_make(
		    unpack->dirfd, name, &unpack->to, err);
	if (status != STREAM_OK)
		return status;
	status = fill_partition(unpack, err);
	close(unpack->to);
	return status;
}

static int
make_layout(int dirfd, struct stream_error *err)
{
	int own, topics;
	int status = stream_dir_open_or_make(dirfd, STREAM_OWN_DIR, &own, err);

	if (status != STREAM_OK)
		return status;
	status = stream_dir_open_or_make(own, STREAM_TOPICS_DIR, &topics, err);
	close(own);
	if (status == STREAM_OK)
		close(topics);
	return status;
}

int
stream_archive_unpack(struct stream_archive *archive,
    const struct stream_address *address,
    const struct stream_unpack_options *options, int dirfd,
    struct stream_error *err)
{
	struct unpack unpack = {
	    .archive = archive,
	    .address = address,
	    .options = options,
	    .dirfd = dirfd,
	    .log = -1,
	};
	size_t found = 0;
	int status = make_layout(dirfd, err);

	stream_buf_init(&unpack.block);
	for (size_t i = 0;
	     i < stream_archive_partition_count(archive) && status == STREAM_OK;
	     i++) {
		unpack.partition = stream_archive_partition(archive, i);
		if (!stream_address_has_partition(
			address, unpack.partition->partition))
			continue;
		status = add_partition(&unpack, err);
		found++;
	}
	stream_buf_release(&unpack.block);
	if (status == STREAM_OK && found == 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "no such partition is in the archive");
	return status;
}

void
stream_archive_unpacked_remove(int above, const char *name)
{
	stream_dir_remove_all(above, name, NULL);
}
