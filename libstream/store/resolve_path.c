#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "store/metadata.h"
#include "store/place.h"

/*
 * The directory's own name says which partition it is; "." and links hide
 * it, so the real path is asked for.  A directory that was renamed, as copies
 * are, counts as partition 0 of a topic of that name.
 */
struct identity {
	char *store_path; /* owned; the parent's real path */
	char topic[NAME_MAX + 1];
	int32_t partition;
	bool is_known; /* the name is TOPIC-P */
};

static int
identify(const char *path, struct identity *identity, struct stream_error *err)
{
	char *real = realpath(path, NULL);
	char *slash;

	if (real == NULL)
		return stream_fail_sys(err, "%s: cannot find", path);
	slash = strrchr(real, '/');
	*identity = (struct identity){.store_path = real};
	identity->is_known = stream_partition_name_parse(
	    slash + 1, identity->topic, &identity->partition);
	if (!identity->is_known)
		strncpy(identity->topic, slash + 1, NAME_MAX);
	slash[slash == real ? 1 : 0] = '\0';
	return STREAM_OK;
}

/* Not permitted, missing, damaged: nothing that is wrong around a partition
 * keeps a path from leading to its records.  A system that fails does, since
 * what is not known then could hide or show the wrong ones. */
static bool
is_no_answer(int status, const struct stream_error *err)
{
	return status == STREAM_ENOENT || status == STREAM_ECORRUPT ||
	       status == STREAM_ENEWER ||
	       (status == STREAM_EIO && err->sys == EACCES);
}

/* What the store around the partition knows of it; without an answer it
 * counts as foreign. */
static int
ask_open_store(const struct stream_store *store,
    const struct identity *identity, struct stream_place *place,
    struct stream_error *err)
{
	struct stream_topic_settings settings;
	int status =
	    stream_topic_load_settings(store, identity->topic, &settings, err);

	if (status == STREAM_OK && identity->partition < settings.partitions) {
		place->is_ours = true;
		place->has_gaps = settings.has_gaps;
		place->has_transactions = settings.has_transactions;
	} else if (status != STREAM_OK && !is_no_answer(status, err)) {
		return status;
	}
	status = stream_store_log_start(store, identity->topic,
	    identity->partition, &place->log_start_offset, err);
	return is_no_answer(status, err) ? STREAM_OK : status;
}

static int
ask_store(const struct identity *identity, struct stream_place *place,
    struct stream_error *err)
{
	struct stream_store *store;
	struct stream_error why;
	int status;

	place->has_gaps = true;
	if (!identity->is_known)
		return STREAM_OK;
	status = stream_store_open(identity->store_path, 0, 0, &store, &why);
	if (status == STREAM_OK) {
		status = ask_open_store(store, identity, place, &why);
		stream_store_close(store);
	} else if (is_no_answer(status, &why)) {
		status = STREAM_OK;
	}
	if (status != STREAM_OK && err != NULL)
		*err = why;
	return status;
}

/* A single file is looked at as it is, so the log start hides nothing. */
static int
add_partition(struct stream_places *places, const char *path,
    const char *segment, struct stream_error *err)
{
	struct identity identity;
	struct stream_place place = {
	    .path = (char *)path,
	    .segment = (char *)segment,
	};
	int status = identify(path, &identity, err);

	if (status != STREAM_OK)
		return status;
	place.topic = identity.topic;
	place.partition = identity.partition;
	place.store_path = identity.store_path;
	status = ask_store(&identity, &place, err);
	if (segment != NULL)
		place.log_start_offset = 0;
	if (status == STREAM_OK)
		status = stream_places_add_copy(places, &place, err);
	free(identity.store_path);
	return status;
}

static int
add_file(
    struct stream_places *places, const char *path, struct stream_error *err)
{
	const char *base = strrchr(path, '/') + 1;
	size_t size = (size_t)(base - path);
	struct stream_name name;
	char *dir;
	int status;

	if (!stream_name_parse(base, &name) || name.kind != STREAM_NAME_LOG)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: not a log file (20 digits and .log)", path);
	while (size > 1 && path[size - 1] == '/')
		size--;
	dir = strndup(path, size);
	if (dir == NULL)
		return stream_fail_memory(err);
	status = add_partition(places, dir, base, err);
	free(dir);
	return status;
}

/* Any of the files that only a partition has. */
static bool
names_partition(const struct stream_buf *names)
{
	struct stream_name parsed;

	for (const char *name = stream_dir_next(names, NULL); name != NULL;
	     name = stream_dir_next(names, name))
		if (stream_name_parse(name, &parsed) ||
		    strcmp(name, STREAM_METADATA_FILE) == 0 ||
		    strcmp(name, STREAM_EPOCHS_FILE) == 0)
			return true;
	return false;
}

static int
is_partition(const char *path, bool *is, struct stream_error *err)
{
	struct stream_buf names;
	int fd;
	int status = stream_io_open_dir(AT_FDCWD, path, &fd, err);

	if (status != STREAM_OK)
		return status;
	stream_buf_init(&names);
	status = stream_dir_list(fd, &names, err);
	if (status == STREAM_OK)
		*is = names_partition(&names);
	stream_buf_release(&names);
	close(fd);
	return status;
}

static bool
is_named_partition(const char *path)
{
	struct identity identity;
	bool is;

	if (identify(path, &identity, NULL) != STREAM_OK)
		return false;
	is = identity.is_known;
	free(identity.store_path);
	return is;
}

static int
add_listed(struct stream_places *places, const struct stream_address *address,
    struct stream_store *store, const struct stream_topic_list *list, size_t i,
    struct stream_error *err)
{
	struct stream_topic *topic;
	int status = stream_topic_list_open(list, i, &topic, err);

	if (status != STREAM_OK)
		return status;
	for (size_t j = 0; j < topic->count && status == STREAM_OK; j++) {
		int32_t partition = stream_topic_partition(topic, j);

		if (stream_address_has_partition(address, partition))
			status = stream_places_add(
			    places, store, topic, partition, err);
	}
	stream_topic_free(topic);
	return status;
}

static int
add_all(struct stream_places *places, const struct stream_address *address,
    struct stream_store *store, struct stream_error *err)
{
	struct stream_topic_list *list;
	int status = stream_topic_list_new(store, &list, err);

	if (status != STREAM_OK)
		return status;
	for (size_t i = 0;
	     i < stream_topic_list_count(list) && status == STREAM_OK; i++)
		status = add_listed(places, address, store, list, i, err);
	stream_topic_list_free(list);
	if (status == STREAM_OK && places->count == 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: neither a partition nor a store with such "
		    "partitions",
		    address->name);
	return status;
}

static int
add_store(struct stream_places *places, const struct stream_address *address,
    struct stream_error *err)
{
	struct stream_store *store;
	int status = stream_store_open(address->name, 0, 0, &store, err);

	if (status != STREAM_OK)
		return status;
	status = add_all(places, address, store, err);
	stream_store_close(store);
	return status;
}

static int
check_no_spans(const struct stream_address *address, struct stream_error *err)
{
	if (address->spans == NULL)
		return STREAM_OK;
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "%s: is one partition, so no others can be chosen", address->name);
}

int
stream_places_add_path(struct stream_places *places,
    const struct stream_address *address, struct stream_error *err)
{
	struct stat st;
	bool partition = true;
	int status = STREAM_OK;

	if (stat(address->name, &st) != 0)
		return stream_fail_sys(err, "%s: cannot find", address->name);
	if (S_ISDIR(st.st_mode))
		status = is_partition(address->name, &partition, err);
	if (status == STREAM_OK && partition)
		status = check_no_spans(address, err);
	if (status != STREAM_OK)
		return status;
	if (!S_ISDIR(st.st_mode))
		return add_file(places, address->name, err);
	if (!partition)
		status = add_store(places, address, err);
	/* Empty as yet, but named as a partition: one who follows may be there
	 * before the first record. */
	if (partition ||
	    (status == STREAM_ENOENT && is_named_partition(address->name)))
		status = add_partition(places, address->name, NULL, err);
	return status;
}
