#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/io.h"
#include "file/lines.h"

/* A leader change a second for a week is 17 MB; a hostile file costs no more
 * than this. */
enum { FILE_LIMIT = 32 << 20 };

static int
take_epoch(struct stream_lines *lines, struct stream_epoch *entry,
    struct stream_error *err)
{
	struct stream_field line, fields[2];
	int64_t epoch;
	int status = stream_lines_take(lines, &line, err);

	if (status == STREAM_OK)
		status = stream_lines_split(lines, line, fields, 2, err);
	if (status == STREAM_OK)
		status = stream_lines_number(
		    lines, fields[0], INT32_MAX, &epoch, err);
	if (status != STREAM_OK)
		return status;
	entry->epoch = (int32_t)epoch;
	return stream_lines_number(
	    lines, fields[1], INT64_MAX, &entry->start_offset, err);
}

static bool
comes_after(const struct stream_epoch *entry, const struct stream_epoch *last)
{
	return entry->epoch > last->epoch &&
	       entry->start_offset > last->start_offset;
}

/* Memory grows with the lines that are there, not with the count that the
 * file claims. */
static int
parse_into(
    struct stream_bytes text, struct stream_buf *list, struct stream_error *err)
{
	struct stream_lines lines;
	struct stream_epoch entry, last = {-1, -1};
	int status = stream_lines_init(&lines, text, err);

	while (status == STREAM_OK) {
		status = take_epoch(&lines, &entry, err);
		if (status != STREAM_OK)
			break;
		if (!comes_after(&entry, &last))
			return stream_fail(err, STREAM_ECORRUPT,
			    STREAM_POS_NONE, "line %llu: not after the last",
			    (unsigned long long)lines.number);
		last = entry;
		status = stream_buf_add(list, &entry, sizeof(entry), err);
	}
	return status == STREAM_END ? STREAM_OK : status;
}

int
stream_epochs_parse(struct stream_bytes text, struct stream_epoch **entries,
    size_t *count, struct stream_error *err)
{
	struct stream_buf list;
	int status;

	stream_buf_init(&list);
	status = parse_into(text, &list, err);
	if (status != STREAM_OK) {
		stream_buf_release(&list);
		return status;
	}
	*entries = (struct stream_epoch *)(void *)list.data;
	*count = list.size / sizeof(struct stream_epoch);
	return STREAM_OK;
}

int
stream_epochs_load(int dirfd, struct stream_epoch **entries, size_t *count,
    struct stream_error *err)
{
	struct stream_buf text;
	int status;

	stream_buf_init(&text);
	status =
	    stream_io_load(dirfd, STREAM_EPOCHS_FILE, FILE_LIMIT, &text, err);
	if (status == STREAM_OK) {
		status = stream_epochs_parse(
		    (struct stream_bytes){text.data, text.size}, entries, count,
		    err);
		if (status != STREAM_OK)
			stream_fail_in(err, status, "%s", STREAM_EPOCHS_FILE);
	}
	stream_buf_release(&text);
	return status;
}

int
stream_epochs_last(
    int dirfd, struct stream_epoch *last, struct stream_error *err)
{
	struct stream_epoch *entries;
	size_t count;
	int status = stream_epochs_load(dirfd, &entries, &count, err);

	if (status != STREAM_OK)
		return status;
	if (count == 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: no entry", STREAM_EPOCHS_FILE);
	*last = entries[count - 1];
	free(entries);
	return STREAM_OK;
}

static int
put_entries(struct stream_buf *file, const struct stream_epoch *entries,
    size_t count, struct stream_error *err)
{
	char line[48];
	int size = snprintf(line, sizeof(line), "0\n%zu\n", count);
	int status = stream_buf_add(file, line, (size_t)size, err);

	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		size = snprintf(line, sizeof(line), "%d %lld\n",
		    entries[i].epoch, (long long)entries[i].start_offset);
		status = stream_buf_add(file, line, (size_t)size, err);
	}
	return status;
}

int
stream_epochs_save(int dirfd, const struct stream_epoch *entries, size_t count,
    struct stream_error *err)
{
	struct stream_buf file;
	int status;

	stream_buf_init(&file);
	status = put_entries(&file, entries, count, err);
	if (status == STREAM_OK)
		status = stream_io_replace(dirfd, STREAM_EPOCHS_FILE,
		    (struct stream_bytes){file.data, file.size}, err);
	stream_buf_release(&file);
	return status;
}

static int
append_to(int dirfd, struct stream_epoch *entries, size_t count,
    struct stream_epoch entry, struct stream_error *err)
{
	struct stream_epoch *longer;
	int status;

	if (count > 0 && !comes_after(&entry, &entries[count - 1]))
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "leader epoch %d from offset %lld does not follow %d "
		    "from %lld",
		    entry.epoch, (long long)entry.start_offset,
		    entries[count - 1].epoch,
		    (long long)entries[count - 1].start_offset);
	longer = calloc(count + 1, sizeof(*longer));
	if (longer == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < count; i++)
		longer[i] = entries[i];
	longer[count] = entry;
	status = stream_epochs_save(dirfd, longer, count + 1, err);
	free(longer);
	return status;
}

int
stream_epochs_append(
    int dirfd, struct stream_epoch entry, struct stream_error *err)
{
	struct stream_epoch *entries = NULL;
	size_t count = 0;
	int status = stream_epochs_load(dirfd, &entries, &count, err);

	if (status == STREAM_ENOENT)
		status = STREAM_OK;
	if (status == STREAM_OK)
		status = append_to(dirfd, entries, count, entry, err);
	free(entries);
	return status;
}
