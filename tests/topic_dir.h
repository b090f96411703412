/*
 * topic_dir.h - a store in a temporary directory, for tests of topics
 */
#ifndef TOPIC_DIR_H
#define TOPIC_DIR_H

#include <stream/topic.h>

#include "temp_dir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ID "AAAAAAAAQACAAAAAAAAAAA"
#define OTHER_ID "BBBBBBBBQACAAAAAAAAAAA"
#define MARK "0123456789abcdef0123456789abcdef"

static inline struct stream_store *
open_store(const struct temp_dir *dir, unsigned flags)
{
	struct stream_store *store;
	struct stream_error err;

	if (stream_store_open(dir->path, flags, 100, &store, &err) != STREAM_OK)
		fail_msg("%s", err.text);
	return store;
}

static inline int
create(const struct temp_dir *dir, const char *name, int32_t partitions)
{
	struct stream_store *store = open_store(dir, STREAM_STORE_WRITE);
	struct stream_error err;
	int status = stream_topic_create(store, name, partitions, NULL, &err);

	stream_store_close(store);
	return status;
}

/* How many partitions a reader or a writer finds, -1: no such topic. */
static inline int
count_partitions(const struct temp_dir *dir, const char *name, unsigned flags)
{
	struct stream_store *store = open_store(dir, flags);
	struct stream_topic *topic;
	struct stream_error err;
	int status = stream_topic_open(store, name, &topic, &err);
	int count = -1;

	if (status == STREAM_OK) {
		count = (int)stream_topic_partition_count(topic);
		stream_topic_free(topic);
	} else if (status != STREAM_ENOENT) {
		fail_msg("%s", err.text);
	}
	stream_store_close(store);
	return count;
}

/* The names of the topics, each with a blank. */
static inline void
expect_list(const struct temp_dir *dir, const char *want)
{
	struct stream_store *store = open_store(dir, 0);
	struct stream_topic_list *list;
	char got[512] = "";

	assert_int_equal(stream_topic_list_new(store, &list, NULL), STREAM_OK);
	for (size_t i = 0; i < stream_topic_list_count(list); i++) {
		strcat(got, stream_topic_list_name(list, i));
		strcat(got, " ");
	}
	assert_string_equal(got, want);
	stream_topic_list_free(list);
	stream_store_close(store);
}

static inline bool
is_empty(const struct temp_dir *dir, const char *name)
{
	int fd = openat(dir->fd, name, O_RDONLY | O_DIRECTORY);
	struct stat st;
	bool empty;

	/* unlinkat refuses a directory that holds something. */
	assert_int_equal(fstat(fd, &st), 0);
	empty = unlinkat(dir->fd, name, AT_REMOVEDIR) == 0;
	if (empty)
		mkdirat(dir->fd, name, 0777);
	close(fd);
	return empty;
}

#define IN_DIR(test) \
	cmocka_unit_test_setup_teardown( \
	    test, temp_dir_set_up, temp_dir_tear_down)

#endif
