#include "port/archive_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "log/keymap.h"

enum { INPUT = 256 * 1024, ENTRIES_MOST = 1000000 };

struct stream_archive_stream {
	int fd;
	struct stream_archive_options options;
	struct archive *archive;
	uint8_t *input;              /* INPUT bytes */
	uint64_t in;                 /* bytes that were read */
	uint64_t out;                /* and given out or passed over */
	struct stream_keymap *paths; /* that were met */
	size_t entries;
	struct stream_archive_entry entry;
	int status; /* of a failed read */
	struct stream_error err;
};

/* ---- input -------------------------------------------------------------- */

static bool
goes_on(struct stream_archive_stream *stream, uint64_t bytes)
{
	const struct stream_archive_options *options = &stream->options;

	return options->go_on == NULL ||
	       options->go_on(options->context, bytes);
}

/* Bytes of the file, 0 at its end, -1 when stream->status says why not. */
static ssize_t
fill(struct stream_archive_stream *stream)
{
	for (;;) {
		ssize_t n = read(stream->fd, stream->input, INPUT);
		int saved = errno;

		if (n >= 0)
			stream->in += (uint64_t)n;
		if (!goes_on(stream, n > 0 ? (uint64_t)n : 0)) {
			stream->status = stream_fail(&stream->err, STREAM_EINTR,
			    STREAM_POS_NONE, "interrupted");
			return -1;
		}
		if (n >= 0)
			return n;
		errno = saved;
		if (errno == EINTR)
			continue;
		stream->status = stream_fail_sys(&stream->err, "cannot read");
		return -1;
	}
}

static la_ssize_t
give(struct archive *archive, void *context, const void **bytes)
{
	struct stream_archive_stream *stream = context;
	ssize_t n = fill(stream);

	(void)archive;
	*bytes = stream->input;
	return n;
}

/* What libarchive says, or what the input said. */
static int
failed(struct stream_archive_stream *stream, struct stream_error *err)
{
	const char *text = archive_error_string(stream->archive);

	if (stream->status != STREAM_OK) {
		if (err != NULL)
			*err = stream->err;
		return stream->status;
	}
	if (archive_errno(stream->archive) == ENOMEM)
		return stream_fail_memory(err);
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE, "%s",
	    text != NULL ? text : "not a tar archive");
}

/* ---- life --------------------------------------------------------------- */

static int
set_up(struct stream_archive_stream *stream, struct stream_error *err)
{
	struct archive *archive = stream->archive;

	if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(archive) != ARCHIVE_OK)
		return stream_fail_memory(err);
	if (archive_read_open(archive, stream, NULL, give, NULL) != ARCHIVE_OK)
		return failed(stream, err);
	return STREAM_OK;
}

int
stream_archive_stream_open(int fd, const struct stream_archive_options *options,
    struct stream_archive_stream **stream, struct stream_error *err)
{
	struct stream_archive_stream *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	new->fd = fd;
	if (options != NULL)
		new->options = *options;
	if (new->options.max_bytes == 0)
		new->options.max_bytes = STREAM_ARCHIVE_BYTES_MOST;
	new->input = malloc(INPUT);
	new->archive = archive_read_new();
	status = new->input == NULL || new->archive == NULL
		     ? stream_fail_memory(err)
		     : stream_keymap_new(
			   stream_keymap_size(ENTRIES_MOST), &new->paths, err);
	if (status == STREAM_OK)
		status = set_up(new, err);
	if (status == STREAM_OK)
		*stream = new;
	else
		stream_archive_stream_close(new);
	return status;
}

void
stream_archive_stream_close(struct stream_archive_stream *stream)
{
	if (stream == NULL)
		return;
	if (stream->archive != NULL)
		archive_read_free(stream->archive);
	stream_keymap_free(stream->paths);
	free(stream->input);
	free(stream);
}

/* ---- what is refused ---------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int
refuse(const char *path, struct stream_error *err, const char *format, ...)
{
	char what[96];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
	    "\"%.100s\" %s; such an archive is refused", path, what);
}

static const char *
type_name(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry) != NULL)
		return "is a link";
	switch (archive_entry_filetype(entry)) {
	case AE_IFLNK:
		return "is a link";
	case AE_IFIFO:
		return "is a FIFO";
	case AE_IFSOCK:
		return "is a socket";
	case AE_IFCHR:
	case AE_IFBLK:
		return "is a device";
	case AE_IFREG:
	case AE_IFDIR:
		return NULL;
	default:
		return "is no file";
	}
}

static int
check_total(struct stream_archive_stream *stream, struct stream_error *err)
{
	int64_t unpacked = archive_filter_bytes(stream->archive, 0);
	uint64_t out = stream->out;

	if (unpacked > 0 && (uint64_t)unpacked > out)
		out = (uint64_t)unpacked;
	if (out > stream->options.max_bytes)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "unpacks to more than %llu bytes (--max-bytes)",
		    (unsigned long long)stream->options.max_bytes);
	if (out > STREAM_ARCHIVE_RATIO_FROM &&
	    out / STREAM_ARCHIVE_RATIO_MOST > stream->in)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "unpacks to more than %d times its size; such an archive "
		    "is refused",
		    STREAM_ARCHIVE_RATIO_MOST);
	return STREAM_OK;
}

static int
check_new(struct stream_archive_stream *stream, const char *path,
    struct stream_error *err)
{
	struct stream_bytes bytes;
	struct stream_key key;

	while (strncmp(path, "./", 2) == 0)
		path += 2;
	bytes = (struct stream_bytes){(const uint8_t *)path, strlen(path)};
	key = stream_keymap_hash(stream->paths, bytes);
	if (stream_keymap_find(stream->paths, key) >= 0)
		return refuse(path, err, "is there twice");
	if (++stream->entries > ENTRIES_MOST ||
	    !stream_keymap_put(stream->paths, key, 0))
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "has more than %d members", ENTRIES_MOST);
	return STREAM_OK;
}

static int
look(struct stream_archive_stream *stream, struct archive_entry *from,
    struct stream_error *err)
{
	struct stream_archive_entry *entry = &stream->entry;
	const char *type = type_name(from);
	int64_t size;
	int status;

	entry->path = archive_entry_pathname(from);
	if (entry->path == NULL)
		entry->path = archive_entry_pathname_utf8(from);
	if (entry->path == NULL)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "a member has no path that can be read");
	if (!stream_path_parse(entry->path, &entry->parsed))
		return refuse(
		    entry->path, err, "is absolute, leads up or is no path");
	if (type != NULL)
		return refuse(entry->path, err, "%s", type);
	entry->is_directory = archive_entry_filetype(from) == AE_IFDIR;
	if (entry->is_directory) {
		entry->parsed.kind = STREAM_PATH_OTHER;
		return STREAM_OK;
	}
	status = check_new(stream, entry->path, err);
	if (status != STREAM_OK)
		return status;
	size = archive_entry_size(from);
	if (!archive_entry_size_is_set(from) || size < 0 ||
	    (uint64_t)size > stream_path_most_bytes(&entry->parsed))
		return refuse(entry->path, err,
		    "claims %lld bytes, more than such a file has",
		    (long long)size);
	entry->position = (uint64_t)archive_filter_bytes(stream->archive, 0);
	entry->size = (uint64_t)size;
	entry->time_s = archive_entry_mtime(from);
	return STREAM_OK;
}

/* ---- reading ------------------------------------------------------------ */

int
stream_archive_stream_read(struct stream_archive_stream *stream, void *to,
    size_t n, size_t *got, struct stream_error *err)
{
	la_ssize_t read = archive_read_data(stream->archive, to, n);
	int status;

	if (read < 0)
		return failed(stream, err);
	stream->out += (uint64_t)read;
	status = check_total(stream, err);
	if (status == STREAM_OK)
		*got = (size_t)read;
	return status;
}

/* Not libarchive's own way, which would unpack a bomb to its end first. */
static int
pass_over(struct stream_archive_stream *stream, struct stream_error *err)
{
	uint8_t bytes[8192];
	size_t got = 1;
	int status = STREAM_OK;

	while (got > 0 && status == STREAM_OK)
		status = stream_archive_stream_read(
		    stream, bytes, sizeof(bytes), &got, err);
	return status;
}

/* Who writes into a pipe wants to get rid of all of it. */
static int
drain(struct stream_archive_stream *stream, struct stream_error *err)
{
	ssize_t n = 1;

	while (n > 0)
		n = fill(stream);
	if (n < 0)
		return failed(stream, err);
	return STREAM_END;
}

/* A tar ends with blocks of zeros; libarchive does without. */
static int
end(struct stream_archive_stream *stream, int64_t before,
    struct stream_error *err)
{
	enum { BLOCK = 512 };

	if (archive_filter_bytes(stream->archive, 0) - before < BLOCK)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "is cut short: the end of the tar is missing");
	return drain(stream, err);
}

int
stream_archive_stream_next(struct stream_archive_stream *stream,
    const struct stream_archive_entry **entry, struct stream_error *err)
{
	int status = STREAM_END;

	while (status == STREAM_END) {
		struct archive_entry *from;
		int64_t before;
		int result;

		if (stream->entry.path != NULL)
			status = pass_over(stream, err);
		if (status != STREAM_END && status != STREAM_OK)
			return status;
		before = archive_filter_bytes(stream->archive, 0);
		result = archive_read_next_header(stream->archive, &from);
		if (result == ARCHIVE_EOF)
			return end(stream, before, err);
		if (result != ARCHIVE_OK)
			return failed(stream, err);
		status = check_total(stream, err);
		if (status == STREAM_OK)
			status = look(stream, from, err);
	}
	if (status == STREAM_OK)
		*entry = &stream->entry;
	return status;
}
