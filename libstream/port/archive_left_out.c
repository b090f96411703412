#include "port/archive_left_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "store/layout.h"

/* ---- names -------------------------------------------------------------- */

static const char *
without_dot(const char *path)
{
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	return path;
}

static bool
is_own(const char *path)
{
	static const char own[] = "/" STREAM_OWN_DIR "/";

	return strncmp(path, own + 1, sizeof(own) - 2) == 0 ||
	       strstr(path, own) != NULL;
}

/* The last component of the n bytes at path. */
static const char *
last_of(const char *path, size_t n, size_t *size)
{
	const char *slash = memrchr(path, '/', n);
	const char *last = slash != NULL ? slash + 1 : path;

	*size = n - (size_t)(last - path);
	return last;
}

/* A partition's, if it were a topic's name and such a number. */
static bool
ends_in_number(const char *path, size_t n)
{
	size_t size, digits = 0;
	const char *last = last_of(path, n, &size);

	while (digits < size && last[size - digits - 1] >= '0' &&
	       last[size - digits - 1] <= '9')
		digits++;
	return digits > 0 && digits < size && last[size - digits - 1] == '-' &&
	       last[0] != '.';
}

static bool
is_about_to_go(const char *path, size_t n)
{
	static const char end[] = "-delete";
	size_t size = sizeof(end) - 1;

	return n >= size && memcmp(path + n - size, end, size) == 0;
}

static bool
is_partition(const char *path, size_t n)
{
	char name[STREAM_PARTITION_NAME_SIZE], topic[STREAM_TOPIC_NAME_SIZE];
	size_t size;
	const char *last = last_of(path, n, &size);
	int32_t partition;

	if (size >= sizeof(name))
		return false;
	memcpy(name, last, size);
	name[size] = '\0';
	return stream_partition_name_parse(name, topic, &partition);
}

static bool
is_log(const char *name)
{
	struct stream_name parsed;

	return stream_name_parse(name, &parsed) &&
	       parsed.kind == STREAM_NAME_LOG;
}

/* ---- what was met ------------------------------------------------------- */

static bool
is_item(const struct stream_left_out_item *item, const char *path, size_t n)
{
	return strlen(item->path) == n && memcmp(item->path, path, n) == 0;
}

static int
add(struct stream_left_out *left, const char *path, size_t n,
    struct stream_left_out_item what, struct stream_error *err)
{
	for (size_t i = 0; i < left->count; i++)
		if (is_item(&left->items[i], path, n)) {
			left->items[i].has_log |= what.has_log;
			return STREAM_OK;
		}
	if (left->count == STREAM_NOTES_MOST) {
		left->more++;
		return STREAM_OK;
	}
	what.path = strndup(path, n);
	if (what.path == NULL)
		return stream_fail_memory(err);
	left->items[left->count++] = what;
	return STREAM_OK;
}

static int
look_at_directory(struct stream_left_out *left, const char *path, size_t n,
    bool has_log, struct stream_error *err)
{
	struct stream_left_out_item what = {
	    .is_directory = true, .has_log = has_log};

	if (is_partition(path, n) || is_about_to_go(path, n) ||
	    (!has_log && !ends_in_number(path, n)))
		return STREAM_OK;
	return add(left, path, n, what, err);
}

int
stream_left_out_look(struct stream_left_out *left,
    const struct stream_archive_entry *entry, struct stream_error *err)
{
	const char *path = without_dot(entry->path);
	size_t n = strlen(path), size;
	const char *name;

	while (n > 0 && path[n - 1] == '/')
		n--;
	if (is_own(path))
		return STREAM_OK;
	if (entry->is_directory)
		return look_at_directory(left, path, n, false, err);
	name = last_of(path, n, &size);
	if (name == path)
		return is_log(name) ? look_at_directory(left, "", 0, true, err)
				    : STREAM_OK;
	if (!is_partition(path, (size_t)(name - path) - 1))
		return look_at_directory(
		    left, path, (size_t)(name - path) - 1, is_log(name), err);
	if (name[0] == '.' || !stream_name_has_ending(name))
		return STREAM_OK;
	return add(left, path, n, (struct stream_left_out_item){0}, err);
}

/* ---- telling ------------------------------------------------------------ */

/* Is what counts somewhere below it?  Then only its name was odd. */
static bool
is_above(const struct stream_left_out_item *item, const char *prefix)
{
	size_t n = strlen(item->path);

	return prefix != NULL && strncmp(prefix, item->path, n) == 0 &&
	       prefix[n] == '/';
}

static const char *
say_why(const struct stream_left_out_item *item)
{
	if (!item->is_directory)
		return "not the name of a log's file: an offset in 20 digits "
		       "and what it holds";
	return item->has_log ? "there are logs in it, but its name is not "
			       "TOPIC-PARTITION"
			     : "not the name of a partition: TOPIC-PARTITION";
}

void
stream_left_out_tell(const struct stream_left_out *left, const char *prefix,
    const struct stream_archive_options *options)
{
	struct stream_notes notes = {options->note, options->context, 0};
	char text[400];

	for (size_t i = 0; i < left->count; i++) {
		const struct stream_left_out_item *item = &left->items[i];

		if (item->is_directory && !item->has_log &&
		    is_above(item, prefix))
			continue;
		snprintf(text, sizeof(text), "%.200s: left out: %s",
		    item->path[0] != '\0' ? item->path : ".", say_why(item));
		stream_notes_tell(&notes, text);
	}
	notes.count = STREAM_NOTES_MOST + left->more;
	stream_notes_end(&notes, "members are left out for their names");
}

void
stream_left_out_release(struct stream_left_out *left)
{
	for (size_t i = 0; i < left->count; i++)
		free(left->items[i].path);
	*left = (struct stream_left_out){.count = 0};
}
