#include "port/archive_unpack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "port/archive_notes.h"
#include "port/archive_unpacked.h"
#include "store/layout.h"
#include "store/place.h"

/* What the planning needs beside it. */
struct planning {
	struct stream_unpacked *unpacked;
	const struct stream_address *address;
	const struct stream_unpack_options *options;
	struct stream_unpacked_directory *directory; /* at hand */
	int to;                                      /* it, open */
	struct stream_archive_choice choice;
	struct stream_buf chunk; /* of a file that is copied */
	struct stream_notes torn;
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

/* ---- their names are there at once -------------------------------------- */

/* An end that is torn says nothing to a reader of records. */
static bool
is_damaged(const struct stream_archive_partition *partition,
    const struct stream_archive_segment *segment)
{
	bool is_newest =
	    segment + 1 == partition->segments + partition->segment_count;

	return segment->status != STREAM_OK &&
	       (segment->status != STREAM_ETORN || !is_newest);
}

/* Which offsets and times stand behind damage, nobody knows; the files beside
 * the log may tell. */
static int
choose(struct planning *p, struct stream_error *err)
{
	const struct stream_archive_partition *partition =
	    p->directory->partition;
	int status = stream_archive_choose_by_settings(
	    partition, &p->address->range, true, &p->choice, err);

	p->directory->with_files = p->options->with_files;
	for (size_t i = 0; i < partition->segment_count && status == STREAM_OK;
	     i++)
		if (is_damaged(partition, &partition->segments[i])) {
			p->choice.first = 0;
			p->choice.end = p->choice.count;
			p->directory->with_files = true;
		}
	return status;
}

static int
make_logs(const struct planning *p, struct stream_error *err)
{
	const struct stream_parts *parts = &p->directory->parts;
	char name[STREAM_NAME_SIZE];
	int status = STREAM_OK;

	for (size_t i = 0; i < parts->count && status == STREAM_OK; i++) {
		stream_name_put_plain(
		    parts->items[i].base_offset, STREAM_NAME_LOG, name);
		status = write_small(p->to, name, "", 0, err);
	}
	return status;
}

/* The offset after the last block, or the last whole segment. */
static int64_t
find_end(const struct planning *p)
{
	const struct stream_archive_partition *partition =
	    p->directory->partition;
	const struct stream_archive_segment *segment;
	const struct stream_archive_block *block;

	if (p->choice.end == p->choice.count)
		return partition->next_offset;
	block = stream_archive_block_at(partition, p->choice.end - 1, &segment);
	return p->directory->with_files ? segment->next_offset
					: block->last_offset + 1;
}

/*
 * Where the log ends, an empty segment says: what an archive has is closed, and
 * the offsets at its end need not have records.  So does one where blocks were
 * left out: what is damaged before it is nobody's unfinished append.  Who looks
 * at a reader's end need not have the last part then.
 */
static int
add_end(const struct planning *p, struct stream_error *err)
{
	static const enum stream_name_kind kinds[] = {
	    STREAM_NAME_LOG, STREAM_NAME_INDEX, STREAM_NAME_TIMEINDEX};
	const struct stream_parts *parts = &p->directory->parts;
	int64_t base = find_end(p);
	char name[STREAM_NAME_SIZE];
	int status = STREAM_OK;

	/* What another program's looks like to one who looks at files. */
	if (p->choice.end == p->choice.count && p->directory->with_files &&
	    stream_archive_is_foreign(p->unpacked->archive))
		return STREAM_OK;
	if (parts->count > 0 &&
	    parts->items[parts->count - 1].base_offset >= base)
		return STREAM_OK;
	for (size_t i = 0; i < 3 && status == STREAM_OK; i++) {
		stream_name_put_plain(base, kinds[i], name);
		status = write_small(p->to, name, "", 0, err);
	}
	return status;
}

/* ---- the store ---------------------------------------------------------- */

static int
put_settings(const struct planning *p, struct stream_error *err)
{
	const struct stream_archive_partition *partition =
	    p->directory->partition;
	char name[STREAM_DOCUMENT_NAME_SIZE];
	bool has = true;
	int topics;
	int status = stream_layout_open(
	    &(struct stream_store){.dirfd = p->unpacked->dirfd},
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

/* Names alone say it where they can: this file is synced each time. */
static int
put_log_start(const struct planning *p, struct stream_error *err)
{
	const struct stream_archive_partition *partition =
	    p->directory->partition;
	const struct stream_parts *parts = &p->directory->parts;
	int64_t begins =
	    parts->count > 0 ? parts->items[0].base_offset : find_end(p);

	if (partition->log_start_offset <= begins)
		return STREAM_OK;
	return stream_checkpoint_set(p->unpacked->dirfd, STREAM_LOG_START_FILE,
	    partition->topic, partition->partition, partition->log_start_offset,
	    err);
}

/* Nothing of it is to come: its files are copied as they are. */
static void
leave_to_copying(struct planning *p)
{
	struct stream_parts *parts = &p->directory->parts;

	for (size_t i = 0; i < parts->count; i++)
		parts->items[i].filled = true;
	p->directory->range = stream_copy_range(parts, &p->choice);
}

static bool
is_copied(const struct planning *p, const struct stream_unpacked_directory *at)
{
	return at->with_files &&
	       stream_archive_is_foreign(p->unpacked->archive);
}

/* As a reader of the log itself does: what follows is not in it here. */
static void
tell_torn(struct planning *p)
{
	if (!p->directory->with_files &&
	    p->address->range.to.kind == STREAM_POINT_NONE)
		stream_notes_torn(&p->torn, p->directory->partition,
		    stream_archive_file(p->unpacked->archive, 0), "not shown");
}

static int
make_partition(struct planning *p, struct stream_error *err)
{
	struct stream_unpacked_directory *directory = p->directory;
	int status = choose(p, err);

	if (status == STREAM_OK)
		status =
		    stream_parts_plan(&directory->parts, directory->partition,
			&p->choice, directory->with_files, err);
	if (status == STREAM_OK && is_copied(p, directory))
		leave_to_copying(p);
	else if (status == STREAM_OK)
		status = make_logs(p, err);
	if (status == STREAM_OK)
		status = add_end(p, err);
	if (status == STREAM_OK)
		tell_torn(p);
	return status == STREAM_OK ? put_log_start(p, err) : status;
}

static int
add_partition(struct planning *p,
    const struct stream_archive_partition *partition, struct stream_error *err)
{
	struct stream_unpacked *unpacked = p->unpacked;
	int status;

	p->directory = &unpacked->directories[unpacked->count++];
	p->directory->partition = partition;
	status = stream_partition_name_put(
	    partition->topic, partition->partition, p->directory->name, err);
	if (status == STREAM_OK && partition->settings != NULL)
		status = put_settings(p, err);
	if (status == STREAM_OK)
		status = stream_dir_open_or_make(
		    unpacked->dirfd, p->directory->name, &p->to, err);
	if (status != STREAM_OK)
		return status;
	status = make_partition(p, err);
	close(p->to);
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

static int
make_store(struct planning *p, struct stream_error *err)
{
	struct stream_unpacked *unpacked = p->unpacked;
	size_t count = stream_archive_partition_count(unpacked->archive);
	int status = make_layout(unpacked->dirfd, err);

	unpacked->directories =
	    calloc(count + 1, sizeof(*unpacked->directories));
	if (status == STREAM_OK && unpacked->directories == NULL)
		status = stream_fail_memory(err);
	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		const struct stream_archive_partition *partition =
		    stream_archive_partition(unpacked->archive, i);

		if (stream_address_has_partition(
			p->address, partition->partition))
			status = add_partition(p, partition, err);
	}
	if (status == STREAM_OK && unpacked->count == 0)
		status = stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "no such partition is in the archive");
	if (status == STREAM_OK && stream_archive_is_foreign(unpacked->archive))
		status = stream_unpacked_take_turns(unpacked, err);
	return status;
}

/* ---- files -------------------------------------------------------------- */

static int
fill_all(struct planning *p, struct stream_unpacked_directory *directory,
    struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < directory->parts.count && status == STREAM_OK;
	     i++)
		status = stream_unpacked_fill(
		    p->unpacked, directory, &directory->parts.items[i], err);
	return status;
}

/* Of an archive of ours, logs come by their blocks, and what stands beside
 * them is that of a segment which was chosen. */
static bool
is_wanted(const struct planning *p, const char *name)
{
	const struct stream_parts *parts = &p->directory->parts;
	struct stream_name parsed;

	if (!stream_name_parse(name, &parsed))
		return true;
	if (is_copied(p, p->directory))
		return stream_copy_range_has(&p->directory->range, &parsed);
	if (parsed.kind == STREAM_NAME_LOG || parsed.state != STREAM_NAME_PLAIN)
		return false;
	if (parsed.kind == STREAM_NAME_SNAPSHOT)
		return parts->count == 0 ||
		       parsed.base_offset >= parts->items[0].base_offset;
	return stream_parts_find(parts, parsed.base_offset) != NULL;
}

static bool
is_in(const struct stream_unpacked_directory *directory, const char *path)
{
	size_t size = strlen(directory->name);

	return strncmp(path, directory->name, size) == 0 && path[size] == '/';
}

/* Have the directory of a file at hand; false: it is none that has files.  They
 * mostly stand together. */
static bool
find_directory(struct planning *p, const char *path)
{
	struct stream_unpacked *unpacked = p->unpacked;

	if (p->directory != NULL && is_in(p->directory, path))
		return p->directory->with_files;
	for (size_t i = 0; i < unpacked->count; i++)
		if (is_in(&unpacked->directories[i], path)) {
			p->directory = &unpacked->directories[i];
			return p->directory->with_files;
		}
	return false;
}

static int
copy_file(
    struct planning *p, size_t i, const char *name, struct stream_error *err)
{
	int status = stream_dir_open(
	    p->unpacked->dirfd, p->directory->name, &p->to, err);

	if (status != STREAM_OK)
		return status;
	status = stream_copy_file(
	    p->unpacked->archive, i, p->to, name, &p->chunk, err);
	close(p->to);
	return status;
}

/* In the order of the archive, which is read once then. */
static int
copy_files(struct planning *p, struct stream_error *err)
{
	const struct stream_archive *archive = p->unpacked->archive;
	size_t count = stream_archive_file_count(archive);
	int status = STREAM_OK;

	p->directory = NULL;
	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		const char *path = stream_archive_file(archive, i)->path;
		const char *name;

		if (!find_directory(p, path))
			continue;
		name = path + strlen(p->directory->name) + 1;
		if (is_wanted(p, name))
			status = copy_file(p, i, name, err);
	}
	return status;
}

/* Where files are looked at, and not only records, all must be there. */
static int
complete(struct planning *p, struct stream_error *err)
{
	struct stream_unpacked *unpacked = p->unpacked;
	bool any = false;
	int status = STREAM_OK;

	for (size_t i = 0; i < unpacked->count && status == STREAM_OK; i++) {
		if (!unpacked->directories[i].with_files)
			continue;
		any = true;
		status = fill_all(p, &unpacked->directories[i], err);
	}
	return status == STREAM_OK && any ? copy_files(p, err) : status;
}

int
stream_archive_unpack(struct stream_archive *archive,
    const struct stream_address *address,
    const struct stream_unpack_options *options, int dirfd,
    struct stream_unpacked **unpacked, struct stream_error *err)
{
	struct stream_unpacked *new = calloc(1, sizeof(*new));
	struct planning p = {
	    .unpacked = new, .address = address, .options = options};
	int status;

	if (new == NULL) {
		close(dirfd);
		return stream_fail_memory(err);
	}
	new->archive = archive;
	new->dirfd = dirfd;
	new->fill = (struct stream_fill){.archive = archive,
	    .note = options->note,
	    .context = options->context};
	stream_buf_init(&new->fill.block);
	stream_buf_init(&p.chunk);
	p.torn = (struct stream_notes){options->note, options->context, 0};
	status = make_store(&p, err);
	if (status == STREAM_OK)
		status = complete(&p, err);
	stream_notes_end(&p.torn, "logs end so");
	stream_buf_release(&p.chunk);
	if (status == STREAM_OK)
		*unpacked = new;
	else
		stream_unpacked_free(new);
	return status;
}

void
stream_archive_unpacked_remove(int above, const char *name)
{
	stream_dir_remove_all(above, name, NULL);
}
