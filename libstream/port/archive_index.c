/*
 * archive_index.c - open an archive and read parts of it
 *
 * Ours: the seek table at the end names the last piece, the last piece holds
 * the manifest, and the manifest names blocks, each of which is a piece.  What
 * the manifest says of positions must fit the table.
 *
 * A foreign one is read from its begin as far as is asked for.
 */
#include "port/archive_index.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/xxh128.h"
#include "codec/compress.h"
#include "file/io.h"
#include "port/archive_batches.h"
#include "port/archive_check.h"
#include "port/archive_manifest.h"
#include "port/archive_table.h"
#include "port/archive_tar.h"

struct stream_archive {
	int fd;
	char *name;
	struct stream_archive_options options;
	struct stream_archive_list list; /* sealed */
	bool foreign;
	/* Ours. */
	enum stream_codec codec; /* NONE: the file is the stream */
	struct stream_table table;
	uint64_t end; /* of the stream, before the manifest */
	struct stream_decompressor *decompressor;
	struct stream_buf packed;
	struct stream_buf piece; /* that was read last */
	size_t piece_is;         /* which; table.count: none */
	/* Foreign: how far it was read. */
	struct stream_archive_stream *stream; /* NULL: not begun */
	size_t at_file;   /* number of the file that is read */
	uint64_t at_byte; /* of it */
	bool in_file;
};

/* ---- pieces ------------------------------------------------------------- */

static int
cut_short(struct stream_error *err)
{
	return stream_fail(
	    err, STREAM_ECORRUPT, STREAM_POS_NONE, "is cut short");
}

static int
read_packed(struct stream_archive *archive,
    const struct stream_table_entry *entry, struct stream_error *err)
{
	size_t got;
	int status;

	archive->packed.size = 0;
	status = stream_buf_reserve(&archive->packed, entry->packed, err);
	if (status == STREAM_OK)
		status = stream_io_read_at(archive->fd, archive->packed.data,
		    entry->packed, entry->packed_at, &got, err);
	if (status != STREAM_OK)
		return status;
	if (got != entry->packed)
		return cut_short(err);
	archive->packed.size = got;
	if (archive->options.go_on != NULL &&
	    !archive->options.go_on(archive->options.context, got))
		return stream_fail(
		    err, STREAM_EINTR, STREAM_POS_NONE, "interrupted");
	return STREAM_OK;
}

static int
load_piece(struct stream_archive *archive, size_t i, struct stream_error *err)
{
	const struct stream_table_entry *entry = &archive->table.entries[i];
	struct stream_bytes packed;
	int status;

	if (archive->piece_is == i)
		return STREAM_OK;
	archive->piece_is = archive->table.count;
	if (entry->size > STREAM_ARCHIVE_RATIO_FROM &&
	    entry->size / STREAM_ARCHIVE_RATIO_MOST > entry->packed)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "unpacks to more than %d times its size; such an archive "
		    "is refused",
		    STREAM_ARCHIVE_RATIO_MOST);
	status = read_packed(archive, entry, err);
	if (status != STREAM_OK)
		return status;
	packed =
	    (struct stream_bytes){archive->packed.data, archive->packed.size};
	archive->piece.size = 0;
	status = stream_decompress(archive->decompressor, archive->codec,
	    packed, entry->size, &archive->piece, err);
	if (status == STREAM_ETOOBIG || status == STREAM_ENEWER)
		status = STREAM_ECORRUPT;
	if (status == STREAM_OK && archive->piece.size != entry->size)
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "has not the size that the seek table says");
	if (status != STREAM_OK) {
		if (err != NULL)
			err->status = (enum stream_status)status;
		return stream_fail_in(err, status, "piece at byte %llu",
		    (unsigned long long)entry->packed_at);
	}
	archive->piece_is = i;
	return STREAM_OK;
}

static int
read_plain(struct stream_archive *archive, uint64_t at, size_t n,
    struct stream_buf *out, struct stream_error *err)
{
	size_t got;
	int status = stream_buf_reserve(out, n, err);

	if (status == STREAM_OK)
		status = stream_io_read_at(
		    archive->fd, out->data + out->size, n, at, &got, err);
	if (status != STREAM_OK)
		return status;
	if (got != n)
		return cut_short(err);
	out->size += n;
	return STREAM_OK;
}

/* Bytes of the tar stream. */
static int
read_stream(struct stream_archive *archive, uint64_t at, size_t n,
    struct stream_buf *out, struct stream_error *err)
{
	int status = STREAM_OK;

	if (archive->codec == STREAM_CODEC_NONE)
		return read_plain(archive, at, n, out, err);
	while (n > 0 && status == STREAM_OK) {
		size_t i = stream_table_find(&archive->table, at);
		const struct stream_table_entry *entry;
		size_t skip, take;

		if (i == archive->table.count)
			return cut_short(err);
		status = load_piece(archive, i, err);
		if (status != STREAM_OK)
			return status;
		entry = &archive->table.entries[i];
		skip = (size_t)(at - entry->at);
		take = entry->size - skip < n ? entry->size - skip : n;
		status =
		    stream_buf_add(out, archive->piece.data + skip, take, err);
		at += take;
		n -= take;
	}
	return status;
}

/* ---- the index of ours -------------------------------------------------- */

static int
no_index(struct stream_error *err)
{
	return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE, "has no index");
}

/* Where a tar header has numbers, each of so many octal digits. */
enum { SIZE_AT = 124, TIME_AT = 136, DIGITS = 11 };

static bool
take_octal(const uint8_t *at, uint64_t *number)
{
	*number = 0;
	for (int i = 0; i < DIGITS; i++) {
		if (at[i] < '0' || at[i] > '7')
			return false;
		*number = *number * 8 + (at[i] - '0');
	}
	return true;
}

/* The size in a tar header of the manifest; false: it is another's. */
static bool
is_header(const uint8_t *header, uint64_t *size)
{
	static const char name[] = STREAM_MANIFEST_FILE;

	return memcmp(header, name, sizeof(name)) == 0 &&
	       take_octal(header + SIZE_AT, size);
}

/* Digests and offsets do not become this small. */
enum { MANIFEST_RATIO = 200 };

/* The last piece is the manifest with its header, and the end of the tar. */
static int
find_packed(struct stream_archive *archive, struct stream_bytes *text,
    struct stream_error *err)
{
	size_t last = archive->table.count - 1;
	const struct stream_table_entry *entry = &archive->table.entries[last];
	uint64_t size;
	int status;

	if (entry->size > STREAM_MANIFEST_EMPTY &&
	    entry->size / MANIFEST_RATIO > entry->packed)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%s unpacks to more than %d times its size; such an "
		    "archive is refused",
		    STREAM_MANIFEST_FILE, MANIFEST_RATIO);
	status = load_piece(archive, last, err);
	if (status != STREAM_OK)
		return status == STREAM_ECORRUPT
			   ? stream_archive_manifest_damaged(err, status)
			   : status;
	if (archive->piece.size < STREAM_TAR_BLOCK + STREAM_TAR_END ||
	    !is_header(archive->piece.data, &size) ||
	    size > archive->piece.size - STREAM_TAR_BLOCK - STREAM_TAR_END)
		return no_index(err);
	*text = (struct stream_bytes){
	    archive->piece.data + STREAM_TAR_BLOCK, (size_t)size};
	archive->end = archive->table.entries[last].at;
	return STREAM_OK;
}

/* Its last line stands before the zeros at the end. */
static int
find_plain(struct stream_archive *archive, uint64_t file_size,
    struct stream_bytes *text, struct stream_error *err)
{
	enum {
		LOOK = STREAM_TAR_END + STREAM_TAR_BLOCK + STREAM_MANIFEST_LAST
	};
	char line[STREAM_MANIFEST_LAST + 1] = {0};
	uint64_t size, at, said;
	size_t end = LOOK;
	int status;

	if (file_size < LOOK)
		return no_index(err);
	archive->piece.size = 0;
	status =
	    read_plain(archive, file_size - LOOK, LOOK, &archive->piece, err);
	if (status != STREAM_OK)
		return status;
	while (end > 0 && archive->piece.data[end - 1] == 0)
		end--;
	if (end < STREAM_MANIFEST_LAST)
		return no_index(err);
	memcpy(line, archive->piece.data + end - STREAM_MANIFEST_LAST,
	    STREAM_MANIFEST_LAST);
	size = stream_archive_manifest_size(line);
	at = file_size - LOOK + end;
	if (size == 0 || size + STREAM_TAR_BLOCK > at)
		return no_index(err);
	archive->end = at - size - STREAM_TAR_BLOCK;
	archive->piece.size = 0;
	status = read_plain(archive, archive->end,
	    (size_t)size + STREAM_TAR_BLOCK, &archive->piece, err);
	if (status != STREAM_OK)
		return status;
	if (!is_header(archive->piece.data, &said) || said != size)
		return no_index(err);
	*text = (struct stream_bytes){
	    archive->piece.data + STREAM_TAR_BLOCK, (size_t)size};
	return STREAM_OK;
}

/* What begins otherwise, and ends so all the same, is not ours. */
static int
check_mark(struct stream_archive *archive, struct stream_error *err)
{
	static const char name[] = STREAM_MANIFEST_MARK;
	struct stream_buf header;
	int status;

	stream_buf_init(&header);
	status = read_stream(archive, 0, sizeof(name), &header, err);
	if (status == STREAM_OK && memcmp(header.data, name, sizeof(name)) != 0)
		status = no_index(err);
	stream_buf_release(&header);
	return status;
}

/* A block is one piece. */
static bool
is_piece(const struct stream_archive *archive, uint64_t at, uint64_t size)
{
	const struct stream_table *table = &archive->table;
	size_t i;

	if (archive->codec == STREAM_CODEC_NONE)
		return true;
	i = stream_table_find(table, at);
	return i < table->count && table->entries[i].at == at &&
	       table->entries[i].size == size;
}

static int
check_positions(const struct stream_archive *archive, struct stream_error *err)
{
	const struct stream_archive_list *list = &archive->list;

	for (size_t i = 0; i < list->file_count; i++)
		if (list->files[i].position > archive->end ||
		    list->files[i].bytes >
			archive->end - list->files[i].position)
			return stream_archive_manifest_misfit(
			    &list->files[i], err);
	for (size_t i = 0; i < list->segment_count; i++) {
		const struct stream_archive_segment *segment =
		    &list->segments[i];
		const struct stream_archive_file *file =
		    &list->files[segment->log];

		for (size_t j = 0; j < segment->block_count; j++)
			if (!is_piece(archive,
				file->position + segment->blocks[j].position,
				segment->blocks[j].bytes))
				return stream_archive_manifest_misfit(
				    file, err);
	}
	return STREAM_OK;
}

/* What is read whole has its digest, as on a walk over the archive. */
static int
check_digest(const struct stream_archive_file *file, const uint8_t *bytes,
    struct stream_error *err)
{
	char digest[STREAM_XXH128_SIZE];

	stream_xxh128_of(bytes, (size_t)file->bytes, digest);
	return stream_list_check_digest(file, digest, err);
}

/* Topics' settings, which are small files. */
static int
load_settings(struct stream_archive *archive, struct stream_error *err)
{
	struct stream_archive_list *list = &archive->list;
	struct stream_buf text;
	int status = STREAM_OK;

	stream_buf_init(&text);
	for (size_t i = 0; i < list->file_count && status == STREAM_OK; i++) {
		const struct stream_archive_file *file = &list->files[i];
		struct stream_path path;

		if (!stream_path_parse(file->path, &path) ||
		    path.kind != STREAM_PATH_SETTINGS)
			continue;
		if (file->bytes > 16 << 20 ||
		    file->position + file->bytes > archive->end)
			status = stream_archive_manifest_misfit(file, err);
		text.size = 0;
		if (status == STREAM_OK)
			status = read_stream(archive, file->position,
			    (size_t)file->bytes, &text, err);
		if (status == STREAM_OK)
			status = check_digest(file, text.data, err);
		if (status == STREAM_OK)
			status = stream_list_add_settings(list, path.topic,
			    (struct stream_bytes){text.data, text.size}, err);
	}
	stream_buf_release(&text);
	return status;
}

static int
open_ours(struct stream_archive *archive, struct stream_error *err)
{
	struct stream_bytes text;
	uint64_t size;
	int status = stream_io_size(archive->fd, &size, err);

	if (status != STREAM_OK)
		return status;
	/* What is read is known to the byte: no more from the disk.  A hint. */
	posix_fadvise(archive->fd, 0, 0, POSIX_FADV_RANDOM);
	status = stream_table_load(
	    archive->fd, size, &archive->table, &archive->codec, err);
	if (status == STREAM_OK && archive->table.count == 0)
		return no_index(err);
	archive->piece_is = archive->table.count;
	if (status == STREAM_OK) {
		status = stream_decompressor_new(&archive->decompressor, err);
		if (status == STREAM_OK)
			status = find_packed(archive, &text, err);
	} else if (status == STREAM_ENOENT) {
		archive->codec = STREAM_CODEC_NONE;
		status = find_plain(archive, size, &text, err);
	}
	if (status == STREAM_OK)
		status =
		    stream_archive_manifest_parse(text, &archive->list, err);
	if (status == STREAM_OK)
		status = check_mark(archive, err);
	if (status == STREAM_OK)
		status = load_settings(archive, err);
	if (status == STREAM_OK)
		status = stream_list_seal(&archive->list, err);
	return status == STREAM_OK ? check_positions(archive, err) : status;
}

/* ---- foreign ones ------------------------------------------------------- */

static int
go_to_begin(struct stream_archive *archive, struct stream_error *err)
{
	return lseek(archive->fd, 0, SEEK_SET) == 0
		   ? STREAM_OK
		   : stream_fail_sys(err, "cannot seek");
}

static bool
is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int
open_foreign(struct stream_archive *archive, struct stream_error *err)
{
	struct stream_pass pass;
	int status = STREAM_OK;

	if (is_regular(archive->fd))
		status = go_to_begin(archive, err);
	if (status != STREAM_OK)
		return status;
	archive->foreign = true;
	status =
	    stream_pass_run(archive->fd, &archive->options, NULL, &pass, err);
	if (status == STREAM_OK)
		status = stream_pass_settle(&pass, err);
	if (status == STREAM_OK) {
		archive->list = pass.list;
		stream_list_init(&pass.list);
	}
	stream_pass_release(&pass);
	return status;
}

static int
begin_again(struct stream_archive *archive, struct stream_error *err)
{
	int status = go_to_begin(archive, err);

	stream_archive_stream_close(archive->stream);
	archive->stream = NULL;
	archive->at_file = 0;
	archive->at_byte = 0;
	archive->in_file = false;
	return status == STREAM_OK
		   ? stream_archive_stream_open(
			 archive->fd, &archive->options, &archive->stream, err)
		   : status;
}

/* As a walk lists them. */
static bool
is_listed(enum stream_path_kind kind)
{
	return kind == STREAM_PATH_SEGMENT || kind == STREAM_PATH_EPOCHS ||
	       kind == STREAM_PATH_METADATA || kind == STREAM_PATH_SETTINGS;
}

static int
next_file(struct stream_archive *archive, struct stream_error *err)
{
	const struct stream_archive_entry *entry;
	int status;

	do
		status =
		    stream_archive_stream_next(archive->stream, &entry, err);
	while (status == STREAM_OK && !is_listed(entry->parsed.kind));
	if (status == STREAM_END)
		return cut_short(err);
	if (status != STREAM_OK)
		return status;
	if (archive->in_file)
		archive->at_file++;
	archive->in_file = true;
	archive->at_byte = 0;
	return STREAM_OK;
}

static int
skip_to(struct stream_archive *archive, uint64_t at, struct stream_error *err)
{
	uint8_t bytes[8192];
	int status = STREAM_OK;

	while (archive->at_byte < at && status == STREAM_OK) {
		uint64_t left = at - archive->at_byte;
		size_t got = 0;

		status = stream_archive_stream_read(archive->stream, bytes,
		    left < sizeof(bytes) ? (size_t)left : sizeof(bytes), &got,
		    err);
		if (status == STREAM_OK && got == 0)
			return cut_short(err);
		archive->at_byte += got;
	}
	return status;
}

static int
read_foreign(struct stream_archive *archive, size_t file, uint64_t at, size_t n,
    struct stream_buf *out, struct stream_error *err)
{
	size_t done = 0;
	int status = STREAM_OK;

	if (archive->stream == NULL || file < archive->at_file ||
	    (file == archive->at_file && at < archive->at_byte))
		status = begin_again(archive, err);
	while (status == STREAM_OK &&
	       (!archive->in_file || archive->at_file < file))
		status = next_file(archive, err);
	if (status == STREAM_OK)
		status = skip_to(archive, at, err);
	if (status == STREAM_OK)
		status = stream_buf_reserve(out, n, err);
	while (done < n && status == STREAM_OK) {
		size_t got = 0;

		status = stream_archive_stream_read(archive->stream,
		    out->data + out->size + done, n - done, &got, err);
		if (status == STREAM_OK && got == 0)
			return cut_short(err);
		done += got;
		archive->at_byte += got;
	}
	if (status == STREAM_OK)
		out->size += n;
	return status;
}

/* ---- the archive -------------------------------------------------------- */

bool
stream_archive_is_one(int fd)
{
	static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
	static const uint8_t gzip[] = {0x1f, 0x8b};
	enum { MAGIC_AT = 257 };
	uint8_t head[STREAM_TAR_BLOCK];
	size_t got;

	if (stream_io_read_at(fd, head, sizeof(head), 0, &got, NULL) !=
	    STREAM_OK)
		return false;
	if (got >= sizeof(zstd) && memcmp(head, zstd, sizeof(zstd)) == 0)
		return true;
	if (got >= sizeof(gzip) && memcmp(head, gzip, sizeof(gzip)) == 0)
		return true;
	return got == sizeof(head) && memcmp(head + MAGIC_AT, "ustar", 5) == 0;
}

typedef int opening(struct stream_archive *archive, struct stream_error *err);

static int
open_by(opening *open, int fd, const char *name,
    const struct stream_archive_options *options,
    struct stream_archive **archive, struct stream_error *err)
{
	struct stream_archive *new = calloc(1, sizeof(*new));
	int status = STREAM_OK;

	if (new == NULL)
		return stream_fail_memory(err);
	new->fd = fd;
	if (options != NULL)
		new->options = *options;
	stream_list_init(&new->list);
	stream_buf_init(&new->packed);
	stream_buf_init(&new->piece);
	new->name = strdup(name);
	if (new->name == NULL)
		status = stream_fail_memory(err);
	if (status == STREAM_OK)
		status = open(new, err);
	if (status == STREAM_OK)
		*archive = new;
	else
		stream_archive_close(new);
	return status;
}

int
stream_archive_open_index(int fd, const char *name,
    const struct stream_archive_options *options,
    struct stream_archive **archive, struct stream_error *err)
{
	return open_by(open_ours, fd, name, options, archive, err);
}

int
stream_archive_open(int fd, const char *name,
    const struct stream_archive_options *options,
    struct stream_archive **archive, struct stream_error *err)
{
	int status = STREAM_ENOENT;

	if (is_regular(fd))
		status = open_by(open_ours, fd, name, options, archive, err);
	if (status == STREAM_ENOENT)
		status = open_by(open_foreign, fd, name, options, archive, err);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s", name);
}

void
stream_archive_close(struct stream_archive *archive)
{
	if (archive == NULL)
		return;
	stream_archive_stream_close(archive->stream);
	stream_decompressor_free(archive->decompressor);
	stream_table_release(&archive->table);
	stream_buf_release(&archive->packed);
	stream_buf_release(&archive->piece);
	stream_list_release(&archive->list);
	free(archive->name);
	free(archive);
}

bool
stream_archive_is_foreign(const struct stream_archive *archive)
{
	return archive->foreign;
}

int
stream_archive_check_logs(
    const struct stream_archive *archive, struct stream_error *err)
{
	int status = stream_list_check(&archive->list, archive->foreign, err);

	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s", archive->name);
}

int64_t
stream_archive_created_ms(const struct stream_archive *archive)
{
	return archive->list.created_ms;
}

size_t
stream_archive_partition_count(const struct stream_archive *archive)
{
	return archive->list.partition_count;
}

const struct stream_archive_partition *
stream_archive_partition(const struct stream_archive *archive, size_t i)
{
	return &archive->list.partitions[i];
}

size_t
stream_archive_file_count(const struct stream_archive *archive)
{
	return archive->list.file_count;
}

const struct stream_archive_file *
stream_archive_file(const struct stream_archive *archive, size_t i)
{
	return &archive->list.files[i];
}

int
stream_archive_read_at(struct stream_archive *archive, size_t i, uint64_t at,
    size_t n, struct stream_buf *out, struct stream_error *err)
{
	const struct stream_archive_file *file = &archive->list.files[i];
	int status;

	if (archive->foreign)
		status = read_foreign(archive, i, at, n, out, err);
	else
		status = read_stream(archive, file->position + at, n, out, err);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s: %.100s",
					 archive->name, file->path);
}

int
stream_archive_read_time(struct stream_archive *archive, size_t i,
    int64_t *time_s, struct stream_error *err)
{
	const struct stream_archive_file *file = &archive->list.files[i];
	struct stream_buf field;
	uint64_t time = 0;
	int status;

	if (file->position < STREAM_TAR_BLOCK)
		return stream_archive_manifest_misfit(file, err);
	stream_buf_init(&field);
	status = read_stream(archive,
	    file->position - STREAM_TAR_BLOCK + TIME_AT, DIGITS, &field, err);
	if (status == STREAM_OK && !take_octal(field.data, &time))
		status = stream_archive_manifest_misfit(file, err);
	stream_buf_release(&field);
	if (status == STREAM_OK)
		*time_s = (int64_t)time;
	return status;
}

int
stream_archive_read_block(struct stream_archive *archive,
    const struct stream_archive_segment *segment,
    const struct stream_archive_block *block, struct stream_buf *out,
    struct stream_error *err)
{
	size_t cap = archive->options.max_batch_bytes != 0
			 ? archive->options.max_batch_bytes
			 : STREAM_BATCH_CAP_DEFAULT;

	/* It would be a single batch. */
	if (block->bytes > STREAM_BLOCK_BYTES && block->bytes > cap)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%s: %.100s: a batch of %llu bytes, more than "
		    "--max-batch-bytes",
		    archive->name, archive->list.files[segment->log].path,
		    (unsigned long long)block->bytes);
	return stream_archive_read_at(archive, segment->log, block->position,
	    (size_t)block->bytes, out, err);
}

static int
read_whole(struct stream_archive *archive, size_t i, struct stream_buf *out,
    struct stream_error *err)
{
	const struct stream_archive_file *file = &archive->list.files[i];
	size_t begin = out->size;
	int status = stream_archive_read_at(
	    archive, i, 0, (size_t)file->bytes, out, err);

	if (status != STREAM_OK || archive->foreign)
		return status; /* a walk has compared it */
	status =
	    check_digest(file, file->bytes > 0 ? out->data + begin : NULL, err);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s", archive->name);
}

int
stream_archive_read_file(struct stream_archive *archive, const char *path,
    size_t limit, struct stream_buf *out, struct stream_error *err)
{
	for (size_t i = 0; i < archive->list.file_count; i++) {
		const struct stream_archive_file *file =
		    &archive->list.files[i];

		if (strcmp(file->path, path) != 0)
			continue;
		if (file->bytes > limit)
			return stream_fail(err, STREAM_ETOOBIG, STREAM_POS_NONE,
			    "%s: %.100s has %llu bytes", archive->name, path,
			    (unsigned long long)file->bytes);
		return read_whole(archive, i, out, err);
	}
	return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
	    "%s: no %.100s in it", archive->name, path);
}
