#include "store/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <stream/topic.h>

#include "base/fail.h"
#include "file/dir.h"

static int
grow(struct stream_catalog *catalog, struct stream_error *err)
{
	size_t capacity = catalog->capacity == 0 ? 16 : catalog->capacity * 2;
	struct stream_catalog_item *items =
	    reallocarray(catalog->items, capacity, sizeof(*items));

	if (items == NULL)
		return stream_fail_memory(err);
	catalog->items = items;
	catalog->capacity = capacity;
	return STREAM_OK;
}

static int
add(struct stream_catalog *catalog, const char *topic, int32_t partition,
    struct stream_error *err)
{
	char *copy;

	if (catalog->count == catalog->capacity &&
	    grow(catalog, err) != STREAM_OK)
		return STREAM_ENOMEM;
	copy = strdup(topic);
	if (copy == NULL)
		return stream_fail_memory(err);
	catalog->items[catalog->count++] =
	    (struct stream_catalog_item){copy, partition};
	return STREAM_OK;
}

/* A link to a directory is not a partition: see file/dir.h.  A name that has
 * just gone is none either; but one that cannot be looked at is an error, or
 * a deletion would pass it over. */
static int
check_directory(int dirfd, const char *name, bool *is, struct stream_error *err)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*is = S_ISDIR(st.st_mode);
	else if (errno == ENOENT)
		*is = false;
	else
		return stream_fail_sys(err, "%s: cannot stat", name);
	return STREAM_OK;
}

static int
compare(const void *a, const void *b)
{
	const struct stream_catalog_item *left = a, *right = b;
	int order = strcmp(left->topic, right->topic);

	if (order != 0)
		return order;
	return (left->partition > right->partition) -
	       (left->partition < right->partition);
}

static int
add_matching(const struct stream_store *store, const struct stream_buf *names,
    const char *topic, struct stream_catalog *catalog, struct stream_error *err)
{
	char found[STREAM_TOPIC_NAME_SIZE];
	int32_t partition;
	int status = STREAM_OK;

	for (const char *name = stream_dir_next(names, NULL);
	     name != NULL && status == STREAM_OK;
	     name = stream_dir_next(names, name)) {
		bool is = false;

		if (!stream_partition_name_parse(name, found, &partition) ||
		    (topic != NULL && strcmp(topic, found) != 0))
			continue;
		status = check_directory(store->dirfd, name, &is, err);
		if (status == STREAM_OK && is)
			status = add(catalog, found, partition, err);
	}
	return status;
}

int
stream_catalog_load(const struct stream_store *store, const char *topic,
    struct stream_catalog *catalog, struct stream_error *err)
{
	struct stream_buf names;
	int status;

	*catalog = (struct stream_catalog){0};
	stream_buf_init(&names);
	status = stream_dir_list(store->dirfd, &names, err);
	if (status == STREAM_OK)
		status = add_matching(store, &names, topic, catalog, err);
	stream_buf_release(&names);
	if (status == STREAM_OK && catalog->count > 1)
		qsort(catalog->items, catalog->count, sizeof(*catalog->items),
		    compare);
	return status;
}

void
stream_catalog_release(struct stream_catalog *catalog)
{
	for (size_t i = 0; i < catalog->count; i++)
		free(catalog->items[i].topic);
	free(catalog->items);
	*catalog = (struct stream_catalog){0};
}

const struct stream_catalog_item *
stream_catalog_find(
    const struct stream_catalog *catalog, const char *topic, size_t *count)
{
	size_t low = 0, high = catalog->count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(catalog->items[middle].topic, topic) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < catalog->count &&
			strcmp(catalog->items[end].topic, topic) == 0;
	     end++)
		;
	*count = end - low;
	return catalog->count == 0 ? NULL : catalog->items + low;
}
