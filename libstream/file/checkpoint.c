#include "file/checkpoint.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "file/io.h"
#include "file/lines.h"

/*
 * A broker holds some tens of thousands of partitions, each a line of at most
 * 290 bytes; this is far above that and bounds what a hostile file costs.
 */
enum { FILE_LIMIT = 64 << 20 };

/* Read as a whole each line takes some bytes more: enough for a broker, little
 * enough for a tool. */
enum { READ_LIMIT = 8 << 20 };

struct entry {
	struct stream_field topic;
	int32_t partition;
	int64_t offset;
	struct stream_field line; /* the whole of it, to be copied */
};

static int
take_entry(
    struct stream_lines *lines, struct entry *entry, struct stream_error *err)
{
	struct stream_field fields[3];
	int64_t partition;
	int status = stream_lines_take(lines, &entry->line, err);

	if (status != STREAM_OK)
		return status;
	status = stream_lines_split(lines, entry->line, fields, 3, err);
	if (status != STREAM_OK)
		return status;
	entry->topic = fields[0];
	status =
	    stream_lines_number(lines, fields[1], INT32_MAX, &partition, err);
	if (status != STREAM_OK)
		return status;
	entry->partition = (int32_t)partition;
	return stream_lines_number(
	    lines, fields[2], INT64_MAX, &entry->offset, err);
}

static bool
is_of_topic(const struct entry *entry, const char *topic)
{
	size_t size = strlen(topic);

	return entry->topic.size == size &&
	       memcmp(entry->topic.text, topic, size) == 0;
}

/* The topics, each with a NUL, take no more room than the text. */
static int
make_room(struct stream_bytes text, struct stream_checkpoint *checkpoint,
    struct stream_error *err)
{
	/* "t 0 0" and a line end: the smallest entry. */
	size_t most = text.size / 6 + 1;

	checkpoint->count = 0;
	checkpoint->items = calloc(most, sizeof(*checkpoint->items));
	checkpoint->names = malloc(text.size + 1);
	if (checkpoint->items != NULL && checkpoint->names != NULL)
		return STREAM_OK;
	stream_checkpoint_release(checkpoint);
	return stream_fail_memory(err);
}

void
stream_checkpoint_release(struct stream_checkpoint *checkpoint)
{
	free(checkpoint->items);
	free(checkpoint->names);
	*checkpoint = (struct stream_checkpoint){.items = NULL};
}

int
stream_checkpoint_parse(struct stream_bytes text,
    struct stream_checkpoint *checkpoint, struct stream_error *err)
{
	struct stream_lines lines;
	struct entry entry;
	char *name;
	int status = stream_lines_init(&lines, text, err);

	if (status == STREAM_OK)
		status = make_room(text, checkpoint, err);
	if (status != STREAM_OK)
		return status;
	name = checkpoint->names;
	while ((status = take_entry(&lines, &entry, err)) == STREAM_OK) {
		checkpoint->items[checkpoint->count++] =
		    (struct stream_checkpoint_entry){
			name, entry.partition, entry.offset};
		memcpy(name, entry.topic.text, entry.topic.size);
		name[entry.topic.size] = '\0';
		name += entry.topic.size + 1;
	}
	if (status == STREAM_END)
		return STREAM_OK;
	stream_checkpoint_release(checkpoint);
	return status;
}

int
stream_checkpoint_read(const char *path, struct stream_checkpoint *checkpoint,
    struct stream_error *err)
{
	struct stream_buf text;
	int status;

	stream_buf_init(&text);
	status = stream_io_load(AT_FDCWD, path, READ_LIMIT, &text, err);
	if (status == STREAM_OK)
		status = stream_checkpoint_parse(
		    (struct stream_bytes){text.data, text.size}, checkpoint,
		    err);
	stream_buf_release(&text);
	return status;
}

int
stream_checkpoint_walk(struct stream_bytes text,
    void (*take)(void *context, struct stream_bytes topic, int32_t partition,
	int64_t offset),
    void *context, struct stream_error *err)
{
	struct stream_lines lines;
	struct entry entry;
	int status = stream_lines_init(&lines, text, err);

	while (status == STREAM_OK) {
		status = take_entry(&lines, &entry, err);
		if (status == STREAM_OK && take != NULL)
			take(context,
			    (struct stream_bytes){
				(const uint8_t *)entry.topic.text,
				entry.topic.size},
			    entry.partition, entry.offset);
	}
	return status == STREAM_END ? STREAM_OK : status;
}

int
stream_checkpoint_find_in(struct stream_bytes text, const char *topic,
    int32_t partition, int64_t *offset, struct stream_error *err)
{
	struct stream_lines lines;
	struct entry entry;
	bool found = false;
	int64_t last = 0;
	int status = stream_lines_init(&lines, text, err);

	while (status == STREAM_OK) {
		status = take_entry(&lines, &entry, err);
		if (status != STREAM_OK || entry.partition != partition ||
		    !is_of_topic(&entry, topic))
			continue;
		found = true;
		last = entry.offset;
	}
	if (status != STREAM_END)
		return status;
	if (!found)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "no entry for %s-%d", topic, partition);
	*offset = last;
	return STREAM_OK;
}

int
stream_checkpoint_find(int dirfd, const char *name, const char *topic,
    int32_t partition, int64_t *offset, struct stream_error *err)
{
	struct stream_buf text;
	int status;

	stream_buf_init(&text);
	status = stream_io_load(dirfd, name, FILE_LIMIT, &text, err);
	if (status == STREAM_OK) {
		status = stream_checkpoint_find_in(
		    (struct stream_bytes){text.data, text.size}, topic,
		    partition, offset, err);
		if (status != STREAM_OK)
			stream_fail_in(err, status, "%s", name);
	}
	stream_buf_release(&text);
	return status;
}

/* What a change leaves out; a partition of -1 means all of the topic's. */
struct drop {
	const char *topic;
	int32_t partition;
};

static bool
is_dropped(const struct entry *entry, const struct drop *drop)
{
	if (drop->partition >= 0 && entry->partition != drop->partition)
		return false;
	return is_of_topic(entry, drop->topic);
}

/* The entries of text but the dropped ones, as lines, at the end of body. */
static int
copy_others(struct stream_bytes text, const struct drop *drop,
    struct stream_buf *body, int64_t *kept, int64_t *dropped,
    struct stream_error *err)
{
	struct stream_lines lines;
	struct entry entry;
	int status = stream_lines_init(&lines, text, err);

	*kept = *dropped = 0;
	while (status == STREAM_OK) {
		status = take_entry(&lines, &entry, err);
		if (status != STREAM_OK)
			break;
		if (is_dropped(&entry, drop)) {
			++*dropped;
			continue;
		}
		++*kept;
		status =
		    stream_buf_add(body, entry.line.text, entry.line.size, err);
		if (status == STREAM_OK)
			status = stream_buf_add(body, "\n", 1, err);
	}
	return status == STREAM_END ? STREAM_OK : status;
}

static int
write_entries(int dirfd, const char *name, int64_t count,
    const struct stream_buf *body, struct stream_error *err)
{
	struct stream_buf file;
	char head[32];
	int size = snprintf(head, sizeof(head), "0\n%lld\n", (long long)count);
	int status;

	stream_buf_init(&file);
	status = stream_buf_add(&file, head, (size_t)size, err);
	if (status == STREAM_OK && body->size > 0)
		status = stream_buf_add(&file, body->data, body->size, err);
	if (status == STREAM_OK)
		status = stream_io_replace(dirfd, name,
		    (struct stream_bytes){file.data, file.size}, err);
	stream_buf_release(&file);
	return status;
}

static int
load_or_empty(int dirfd, const char *name, struct stream_buf *text,
    struct stream_error *err)
{
	int status = stream_io_load(dirfd, name, FILE_LIMIT, text, err);

	return status == STREAM_ENOENT ? STREAM_OK : status;
}

/* line (may be NULL) takes the place of what is dropped; when nothing is
 * dropped and there is no line the file need not be written. */
static int
change(int dirfd, const char *name, const struct drop *drop, const char *line,
    struct stream_error *err)
{
	struct stream_buf text, body;
	int64_t kept, dropped;
	int status;

	stream_buf_init(&text);
	stream_buf_init(&body);
	status = load_or_empty(dirfd, name, &text, err);
	if (status == STREAM_OK) {
		status =
		    copy_others((struct stream_bytes){text.data, text.size},
			drop, &body, &kept, &dropped, err);
		if (status != STREAM_OK)
			stream_fail_in(err, status, "%s", name);
	}
	if (status == STREAM_OK && line != NULL)
		status = stream_buf_add(&body, line, strlen(line), err);
	if (status == STREAM_OK && (line != NULL || dropped > 0))
		status = write_entries(
		    dirfd, name, kept + (line != NULL), &body, err);
	stream_buf_release(&body);
	stream_buf_release(&text);
	return status;
}

int
stream_checkpoint_set(int dirfd, const char *name, const char *topic,
    int32_t partition, int64_t offset, struct stream_error *err)
{
	char line[256 + 40];
	int size = snprintf(line, sizeof(line), "%s %d %lld\n", topic,
	    partition, (long long)offset);

	if (size < 0 || (size_t)size >= sizeof(line) || partition < 0)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s-%d: not a partition", topic, partition);
	return change(dirfd, name, &(struct drop){topic, partition}, line, err);
}

int
stream_checkpoint_drop_topic(
    int dirfd, const char *name, const char *topic, struct stream_error *err)
{
	return change(dirfd, name, &(struct drop){topic, -1}, NULL, err);
}
