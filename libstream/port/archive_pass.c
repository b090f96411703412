#include "port/archive_pass.h"

#include <stdlib.h>
#include <string.h>

#include "base/xxh128.h"
#include "base/fail.h"
#include "file/checkpoint.h"
#include "port/archive_batches.h"
#include "port/archive_left_out.h"
#include "port/archive_manifest.h"
#include "port/archive_starts.h"

enum { CHUNK = 256 * 1024 };

struct passing {
	struct stream_archive_stream *stream;
	const struct stream_pass_tee *tee;
	const struct stream_archive_options *options;
	struct stream_pass *pass;
	struct stream_xxh128 *digest;
	struct stream_batches batches;
	struct stream_buf small; /* a file that is read whole */
	struct stream_starts starts;
	struct stream_left_out left_out;
	uint8_t *chunk;
	char *prefix; /* of all partitions; NULL: none yet */
	bool has_mark;
	bool has_manifest;
	size_t count; /* members that are files */
};

/* ---- one file ----------------------------------------------------------- */

/* Where its bytes go. */
struct route {
	bool tee;
	bool batches;
	struct stream_buf *whole; /* or NULL */
};

static int
send(struct passing *p, const struct route *route, size_t n,
    struct stream_error *err)
{
	const struct stream_pass_tee *tee = p->tee;
	int status = STREAM_OK;

	stream_xxh128_add(p->digest, p->chunk, n);
	if (route->batches)
		status = stream_batches_feed(&p->batches, p->chunk, n, err);
	if (status == STREAM_OK && route->tee)
		status = tee->bytes(tee->context, p->chunk, n, err);
	if (status == STREAM_OK && route->whole != NULL)
		status = stream_buf_add(route->whole, p->chunk, n, err);
	return status;
}

static int
pump(struct passing *p, const struct stream_archive_entry *entry,
    const struct route *route, struct stream_error *err)
{
	uint64_t bytes = 0;
	size_t got = 1;
	int status = STREAM_OK;

	stream_xxh128_reset(p->digest);
	while (got > 0 && status == STREAM_OK) {
		status = stream_archive_stream_read(
		    p->stream, p->chunk, CHUNK, &got, err);
		if (status != STREAM_OK)
			return status;
		bytes += got;
		status = send(p, route, got, err);
	}
	if (status == STREAM_OK && bytes != entry->size)
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%.100s: has not the size that it claims", entry->path);
	return status;
}

/* The directory that a file's store is; the caller frees it.  NULL: no memory.
 */
static char *
copy_prefix(const struct stream_archive_entry *entry)
{
	const char *path = entry->path;
	size_t n = entry->parsed.prefix;

	while (n >= 2 && strncmp(path, "./", 2) == 0) {
		path += 2;
		n -= 2;
	}
	return strndup(path, n);
}

/* Files of two directories with one name would be mixed. */
static int
check_prefix(struct passing *p, const struct stream_archive_entry *entry,
    struct stream_error *err)
{
	char *prefix = copy_prefix(entry);
	bool same;

	if (prefix == NULL)
		return stream_fail_memory(err);
	if (p->prefix == NULL) {
		p->prefix = prefix;
		return STREAM_OK;
	}
	same = strcmp(p->prefix, prefix) == 0;
	free(prefix);
	if (same)
		return STREAM_OK;
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
	    "\"%.100s\" is not in the directory of the other partitions; make "
	    "an archive of each store",
	    entry->path);
}

/* TOPIC-P/NAME, without what stands before it. */
static int
list_file(struct passing *p, const struct stream_archive_entry *entry,
    struct stream_error *err)
{
	struct stream_archive_file file = {
	    .path = entry->path + entry->parsed.prefix,
	    .position = entry->position,
	    .bytes = entry->size,
	};

	stream_xxh128_put(p->digest, file.digest);
	return stream_list_add_file(&p->pass->list, &file, err);
}

static int
note_cleaned(
    struct passing *p, const struct stream_path *path, struct stream_error *err)
{
	struct stream_list_partition *named;
	int64_t base = path->name.base_offset;
	int status = stream_list_name(
	    &p->pass->list, path->topic, path->partition, &named, err);

	if (status != STREAM_OK)
		return status;
	if (named->cleaned_base < 0 || base < named->cleaned_base)
		named->cleaned_base = base;
	return STREAM_OK;
}

static int
begin_log(struct passing *p, const struct stream_archive_entry *entry,
    struct stream_error *err)
{
	const struct stream_path *path = &entry->parsed;
	struct stream_list_log log = {
	    .partition = path->partition,
	    .state = path->name.state,
	    .segment = {.base_offset = path->name.base_offset,
		.bytes = entry->size,
		.log = p->pass->list.file_count},
	};
	int status;

	strcpy(log.topic, path->topic);
	status = stream_list_add_log(&p->pass->list, &log, err);
	if (status == STREAM_OK)
		stream_batches_begin(&p->batches);
	return status;
}

/* A file of a partition. */
static int
take_partition_file(struct passing *p, const struct stream_archive_entry *entry,
    struct stream_error *err)
{
	const struct stream_path *path = &entry->parsed;
	struct route route = {.tee = false};
	int status = check_prefix(p, entry, err);

	if (status == STREAM_OK && path->kind == STREAM_PATH_SEGMENT) {
		if (path->name.state == STREAM_NAME_CLEANED)
			status = note_cleaned(p, path, err);
		else if (path->name.kind == STREAM_NAME_LOG &&
			 path->name.state != STREAM_NAME_DELETED)
			route.batches = true;
	}
	if (status == STREAM_OK && route.batches)
		status = begin_log(p, entry, err);
	if (status == STREAM_OK && p->tee != NULL)
		status = p->tee->begin(p->tee->context, entry, &route.tee, err);
	if (status == STREAM_OK)
		status = pump(p, entry, &route, err);
	if (status == STREAM_OK && route.batches)
		status = stream_batches_end(&p->batches, err);
	if (status == STREAM_OK && route.tee)
		status = p->tee->end(p->tee->context, err);
	return status == STREAM_OK ? list_file(p, entry, err) : status;
}

static int
take_settings(struct passing *p, const struct stream_archive_entry *entry,
    struct stream_error *err)
{
	struct route route = {.whole = &p->small};
	struct stream_bytes text;
	int status = check_prefix(p, entry, err);

	p->small.size = 0;
	if (status == STREAM_OK)
		status = pump(p, entry, &route, err);
	if (status != STREAM_OK)
		return status;
	text = (struct stream_bytes){p->small.data, p->small.size};
	status = stream_list_add_settings(
	    &p->pass->list, entry->parsed.topic, text, err);
	return status == STREAM_OK ? list_file(p, entry, err) : status;
}

/* Of a directory that cannot be the store's, nothing is kept. */
static int
take_starts(struct passing *p, const struct stream_archive_entry *entry,
    struct stream_error *err)
{
	char *prefix = copy_prefix(entry);
	struct route route = {.whole = NULL};
	int status = STREAM_OK;

	if (prefix == NULL)
		return stream_fail_memory(err);
	if (p->prefix == NULL || strcmp(p->prefix, prefix) == 0) {
		status = stream_starts_add(
		    &p->starts, prefix, entry->size, &route.whole, err);
		if (status == STREAM_OK)
			status = pump(p, entry, &route, err);
	}
	free(prefix);
	return status;
}

/*
 * What it can have to say is known by now: a line for each file and block, and
 * partitions without any.
 */
static int
take_manifest(struct passing *p, const struct stream_archive_entry *entry,
    struct stream_error *err)
{
	const struct stream_archive_list *list = &p->pass->list;
	struct route route = {.whole = &p->pass->manifest};

	if (entry->size >
	    STREAM_MANIFEST_EMPTY +
		STREAM_MANIFEST_LINE *
		    (uint64_t)(list->file_count + list->log_count +
			       list->block_count))
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%s claims %llu bytes, more than it can have to say",
		    STREAM_MANIFEST_FILE, (unsigned long long)entry->size);
	p->has_manifest = true;
	return pump(p, entry, &route, err);
}

static int
take(struct passing *p, const struct stream_archive_entry *entry,
    struct stream_error *err)
{
	bool first = !entry->is_directory && p->count++ == 0;

	switch (entry->parsed.kind) {
	case STREAM_PATH_SEGMENT:
	case STREAM_PATH_EPOCHS:
	case STREAM_PATH_METADATA:
		return take_partition_file(p, entry, err);
	case STREAM_PATH_SETTINGS:
		return take_settings(p, entry, err);
	case STREAM_PATH_STARTS:
		return take_starts(p, entry, err);
	case STREAM_PATH_MANIFEST:
		return p->has_mark ? take_manifest(p, entry, err) : STREAM_OK;
	case STREAM_PATH_MARK:
		p->has_mark = first;
		return STREAM_OK;
	default:
		return stream_left_out_look(&p->left_out, entry, err);
	}
}

/* ---- all of them -------------------------------------------------------- */

static void
put_start(
    void *context, struct stream_bytes topic, int32_t partition, int64_t offset)
{
	const struct passing *p = context;
	struct stream_list_partition *named =
	    stream_list_find(&p->pass->list, topic, partition);

	if (named != NULL)
		named->log_start_offset = offset;
}

/* A file that is not in its form counts as none, as for Kafka. */
static void
read_starts(struct passing *p)
{
	struct stream_bytes text;

	if (p->prefix == NULL)
		return;
	text = stream_starts_find(&p->starts, p->prefix);
	if (stream_checkpoint_walk(text, NULL, NULL, NULL) == STREAM_OK)
		stream_checkpoint_walk(text, put_start, p, NULL);
}

static int
name_logs(struct passing *p, struct stream_error *err)
{
	struct stream_archive_list *list = &p->pass->list;
	struct stream_list_partition *named;
	int status = STREAM_OK;

	for (size_t i = 0; i < list->log_count && status == STREAM_OK; i++)
		status = stream_list_name(list, list->logs[i].topic,
		    list->logs[i].partition, &named, err);
	return status;
}

static int
walk(struct passing *p, struct stream_error *err)
{
	const struct stream_archive_entry *entry;
	int status;

	for (;;) {
		status = stream_archive_stream_next(p->stream, &entry, err);
		if (status != STREAM_OK)
			break;
		if (p->has_manifest && !entry->is_directory)
			return stream_fail(err, STREAM_ECORRUPT,
			    STREAM_POS_NONE, "something follows %s",
			    STREAM_MANIFEST_FILE);
		status = take(p, entry, err);
		if (status != STREAM_OK)
			break;
	}
	if (status != STREAM_END)
		return status;
	if (p->has_mark && !p->has_manifest)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "is cut short: it has no %s at its end",
		    STREAM_MANIFEST_FILE);
	p->pass->is_ours = p->has_mark;
	status = name_logs(p, err);
	if (status == STREAM_OK)
		read_starts(p);
	if (p->options != NULL)
		stream_left_out_tell(&p->left_out, p->prefix, p->options);
	return status;
}

static void
release(struct passing *p)
{
	stream_archive_stream_close(p->stream);
	stream_xxh128_free(p->digest);
	stream_batches_release(&p->batches);
	stream_buf_release(&p->small);
	stream_starts_release(&p->starts);
	stream_left_out_release(&p->left_out);
	free(p->chunk);
	free(p->prefix);
}

int
stream_pass_run(int fd, const struct stream_archive_options *options,
    const struct stream_pass_tee *tee, struct stream_pass *pass,
    struct stream_error *err)
{
	struct passing p = {.pass = pass, .tee = tee, .options = options};
	int status;

	*pass = (struct stream_pass){.misplaced = SIZE_MAX};
	stream_list_init(&pass->list);
	stream_buf_init(&pass->manifest);
	stream_buf_init(&p.small);
	stream_batches_init(&p.batches, &pass->list,
	    options != NULL ? options->max_batch_bytes : 0);
	p.chunk = malloc(CHUNK);
	status = p.chunk != NULL ? stream_xxh128_new(&p.digest, err)
				 : stream_fail_memory(err);
	if (status == STREAM_OK)
		status =
		    stream_archive_stream_open(fd, options, &p.stream, err);
	if (status == STREAM_OK)
		status = walk(&p, err);
	release(&p);
	return status;
}

void
stream_pass_release(struct stream_pass *pass)
{
	stream_list_release(&pass->list);
	stream_buf_release(&pass->manifest);
}
