/* Stores and topics: what is opened, made, listed, changed and deleted. */
#include "file/lock.h"
#include "store/store.h"
#include "topic_dir.h"

/* --- opening a store ----------------------------------------------------- */

static void
a_missing_store_is_not_found(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	char path[512];

	snprintf(path, sizeof(path), "%s/none", dir->path);
	assert_int_equal(
	    stream_store_open(path, 0, 0, &store, NULL), STREAM_ENOENT);
	assert_int_equal(
	    stream_store_open(path, STREAM_STORE_WRITE, 0, &store, NULL),
	    STREAM_ENOENT);
	assert_false(temp_dir_has(dir, "none"));
}

static void
a_writer_makes_the_last_component_only(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	char path[512];

	snprintf(path, sizeof(path), "%s/a/b", dir->path);
	assert_int_equal(
	    stream_store_open(path, STREAM_STORE_WRITE | STREAM_STORE_CREATE, 0,
		&store, NULL),
	    STREAM_ENOENT);
	snprintf(path, sizeof(path), "%s/a/", dir->path);
	assert_int_equal(
	    stream_store_open(path, STREAM_STORE_WRITE | STREAM_STORE_CREATE, 0,
		&store, NULL),
	    STREAM_OK);
	stream_store_close(store);
	assert_true(temp_dir_has(dir, "a/.lock"));
	assert_false(temp_dir_has(dir, "a/.strm"));
}

static void
reading_changes_nothing(void **state)
{
	const struct temp_dir *dir = *state;

	temp_dir_make(dir, "store");
	expect_list(dir, "");
	assert_int_equal(count_partitions(dir, "t", 0), -1);
	assert_false(temp_dir_has(dir, ".lock"));
	assert_false(temp_dir_has(dir, ".strm"));
}

static void
a_broker_keeps_writers_out_but_not_readers(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	struct stream_error err;
	char path[512];
	int broker = openat(dir->fd, ".lock", O_RDWR | O_CREAT, 0666);

	assert_int_equal(
	    stream_lock_take(broker, STREAM_LOCK_EXCLUSIVE, 0, 0, 0, NULL),
	    STREAM_OK);
	assert_int_equal(
	    stream_store_open(dir->path, STREAM_STORE_WRITE, 0, &store, &err),
	    STREAM_EBUSY);
	snprintf(
	    path, sizeof(path), "a Kafka broker holds %s/.lock", dir->path);
	assert_string_equal(err.text, path);
	store = open_store(dir, 0);
	stream_store_close(store);
	stream_lock_drop(broker, 0, 0);

	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(
	    stream_lock_take(broker, STREAM_LOCK_EXCLUSIVE, 0, 0, 0, NULL),
	    STREAM_EBUSY);
	stream_store_close(store);
	assert_int_equal(
	    stream_lock_take(broker, STREAM_LOCK_EXCLUSIVE, 0, 0, 0, NULL),
	    STREAM_OK);
	close(broker);
}

static void
a_directory_that_everyone_can_write_to_needs_the_sticky_bit(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;

	assert_int_equal(fchmod(dir->fd, 0777), 0);
	assert_int_equal(
	    stream_store_open(dir->path, STREAM_STORE_WRITE, 0, &store, NULL),
	    STREAM_EIO);
	store = open_store(dir, 0);
	stream_store_close(store);
	assert_int_equal(fchmod(dir->fd, 01777), 0);
	store = open_store(dir, STREAM_STORE_WRITE);
	stream_store_close(store);
}

/* --- create, list, alter, delete ----------------------------------------- */

static void
a_new_topic_is_as_kafka_would_make_it(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	struct stream_topic *topic;
	char metadata[64];

	assert_int_equal(create(dir, "orders", 2), STREAM_OK);
	store = open_store(dir, 0);
	assert_int_equal(
	    stream_topic_open(store, "orders", &topic, NULL), STREAM_OK);
	assert_true(stream_topic_is_ours(topic));
	assert_false(stream_topic_has_gaps(topic));
	assert_int_equal(stream_topic_partition_count(topic), 2);
	assert_int_equal(strlen(stream_topic_id(topic)), 22);
	assert_true(stream_topic_has_partition(topic, 1));
	assert_false(stream_topic_has_partition(topic, 2));
	snprintf(metadata, sizeof(metadata), "version: 0\ntopic_id: %s",
	    stream_topic_id(topic));
	temp_dir_expect(dir, "orders-1/partition.metadata", metadata);
	temp_dir_expect(dir, "orders-1/00000000000000000000.log", "");
	temp_dir_expect(dir, "orders-1/00000000000000000000.index", "");
	temp_dir_expect(dir, "orders-1/00000000000000000000.timeindex", "");
	assert_false(temp_dir_has(dir, "orders-2"));
	assert_true(is_empty(dir, ".strm/intents"));
	assert_true(is_empty(dir, ".strm/build"));
	stream_topic_free(topic);
	stream_store_close(store);
	expect_list(dir, "orders ");
}

static void
a_topic_that_exists_is_not_made_again(void **state)
{
	const struct temp_dir *dir = *state;
	char *before, *after;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	before = temp_dir_get(dir, ".strm/topics/t.json");
	assert_int_equal(create(dir, "t", 3), STREAM_EEXIST);
	after = temp_dir_get(dir, ".strm/topics/t.json");
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_int_equal(count_partitions(dir, "t", 0), 1);
	temp_dir_make(dir, "foreign-4");
	assert_int_equal(create(dir, "foreign", 1), STREAM_EEXIST);
	assert_false(temp_dir_has(dir, "foreign-0"));
}

static void
names_and_numbers_that_kafka_refuses_are_refused(void **state)
{
	const struct temp_dir *dir = *state;
	char name[STREAM_TOPIC_NAME_MAX + 2];

	assert_int_equal(create(dir, "", 1), STREAM_EUSAGE);
	assert_int_equal(create(dir, ".", 1), STREAM_EUSAGE);
	assert_int_equal(create(dir, "..", 1), STREAM_EUSAGE);
	assert_int_equal(create(dir, "a/b", 1), STREAM_EUSAGE);
	assert_int_equal(create(dir, "__x", 1), STREAM_EUSAGE);
	assert_int_equal(create(dir, "t", 0), STREAM_EUSAGE);
	assert_int_equal(create(dir, "t", -1), STREAM_EUSAGE);
	memset(name, 'n', sizeof(name));
	name[STREAM_TOPIC_NAME_MAX + 1] = '\0';
	assert_int_equal(create(dir, name, 1), STREAM_EUSAGE);
	name[STREAM_TOPIC_NAME_MAX] = '\0';
	assert_int_equal(create(dir, name, 100001), STREAM_EUSAGE);
	assert_false(temp_dir_has(dir, ".strm"));
}

static void
the_longest_name_can_be_made_and_deleted(void **state)
{
	const struct temp_dir *dir = *state;
	char name[STREAM_TOPIC_NAME_SIZE];
	struct stream_store *store;

	memset(name, 'n', sizeof(name));
	name[STREAM_TOPIC_NAME_MAX] = '\0';
	assert_int_equal(create(dir, name, 11), STREAM_OK);
	assert_int_equal(count_partitions(dir, name, 0), 11);
	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(stream_topic_delete(store, name, NULL), STREAM_OK);
	stream_store_close(store);
	expect_list(dir, "");
}

static void
names_that_begin_oddly_are_ordinary(void **state)
{
	const struct temp_dir *dir = *state;

	assert_int_equal(create(dir, "-x", 1), STREAM_OK);
	assert_int_equal(create(dir, ".x", 1), STREAM_OK);
	assert_int_equal(create(dir, "a-0", 1), STREAM_OK);
	expect_list(dir, "-x .x a-0 ");
}

static void
topics_are_listed_by_name_foreign_ones_too(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	struct stream_topic_list *list;
	struct stream_topic *topic;

	temp_dir_make(dir, "b-10");
	temp_dir_make(dir, "b-9");
	temp_dir_make(dir, "x-0." MARK "-delete");
	temp_dir_make(dir, "x-0." MARK "-future");
	temp_dir_make(dir, "x-0." MARK "-stray");
	temp_dir_put(dir, "x-0", "a file");
	temp_dir_put(
	    dir, "b-9/partition.metadata", "version: 0\ntopic_id: " ID);
	assert_int_equal(create(dir, "c", 1), STREAM_OK);
	assert_int_equal(create(dir, "a", 1), STREAM_OK);
	expect_list(dir, "a b c ");
	store = open_store(dir, 0);
	assert_int_equal(stream_topic_list_new(store, &list, NULL), STREAM_OK);
	assert_int_equal(
	    stream_topic_list_open(list, 1, &topic, NULL), STREAM_OK);
	assert_false(stream_topic_is_ours(topic));
	assert_true(stream_topic_has_gaps(topic));
	assert_string_equal(stream_topic_id(topic), ID);
	assert_int_equal(stream_topic_partition_count(topic), 2);
	assert_int_equal(stream_topic_partition(topic, 0), 9);
	assert_int_equal(stream_topic_partition(topic, 1), 10);
	assert_true(stream_topic_has_partition(topic, 10));
	assert_false(stream_topic_has_partition(topic, 0));
	stream_topic_free(topic);
	stream_topic_list_free(list);
	stream_store_close(store);
}

static void
names_that_differ_in_dots_collide(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	struct stream_topic_list *list;

	assert_int_equal(create(dir, "a.b_c", 1), STREAM_OK);
	store = open_store(dir, 0);
	assert_int_equal(stream_topic_list_new(store, &list, NULL), STREAM_OK);
	assert_string_equal(
	    stream_topic_find_collision(list, "a_b.c"), "a.b_c");
	assert_null(stream_topic_find_collision(list, "a.b_c"));
	assert_null(stream_topic_find_collision(list, "a.b_"));
	assert_null(stream_topic_find_collision(list, "a.b_cd"));
	stream_topic_list_free(list);
	stream_store_close(store);
}

static int64_t
retention_of(const struct temp_dir *dir, const char *name)
{
	struct stream_store *store = open_store(dir, 0);
	struct stream_topic *topic;
	int64_t value;

	assert_int_equal(
	    stream_topic_open(store, name, &topic, NULL), STREAM_OK);
	value = stream_topic_config(topic)->retention_ms;
	stream_topic_free(topic);
	stream_store_close(store);
	return value;
}

static void
settings_change_together_or_not_at_all(void **state)
{
	static const struct stream_setting_change good[] = {
	    {"retention.ms", "1d"}, {"segment.ms", NULL}};
	static const struct stream_setting_change bad[] = {
	    {"retention.ms", "2d"}, {"segment.bytes", "1"}};
	static const struct stream_setting_change apart[] = {
	    {"min.compaction.lag.ms", "2"}, {"max.compaction.lag.ms", "1"}};
	const struct temp_dir *dir = *state;
	struct stream_store *store;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	temp_dir_make(dir, "foreign-0");
	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(
	    stream_topic_alter(store, "t", good, COUNT(good), NULL), STREAM_OK);
	assert_int_equal(retention_of(dir, "t"), 86400000);
	assert_int_equal(stream_topic_alter(store, "t", bad, COUNT(bad), NULL),
	    STREAM_EUSAGE);
	assert_int_equal(
	    stream_topic_alter(store, "t", apart, COUNT(apart), NULL),
	    STREAM_EUSAGE);
	assert_int_equal(retention_of(dir, "t"), 86400000);
	assert_int_equal(
	    stream_topic_alter(store, "none", good, COUNT(good), NULL),
	    STREAM_ENOENT);
	assert_int_equal(
	    stream_topic_alter(store, "foreign", good, COUNT(good), NULL),
	    STREAM_EUSAGE);
	stream_store_close(store);
}

static void
a_store_open_for_reading_is_not_changed(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	store = open_store(dir, 0);
	assert_int_equal(
	    stream_topic_create(store, "u", 1, NULL, NULL), STREAM_EUSAGE);
	assert_int_equal(stream_topic_delete(store, "t", NULL), STREAM_EUSAGE);
	assert_int_equal(stream_store_recover(store, NULL), STREAM_EUSAGE);
	stream_store_close(store);
	expect_list(dir, "t ");
}

static void
a_deleted_topic_leaves_nothing(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;

	assert_int_equal(create(dir, "t", 2), STREAM_OK);
	assert_int_equal(create(dir, "u", 1), STREAM_OK);
	/* What others put there goes too, links without what they lead to. */
	temp_dir_make(dir, "t-7");
	temp_dir_make(dir, "t-0/deep");
	temp_dir_put(dir, "t-0/deep/file", "x");
	assert_int_equal(symlinkat("../u-0", dir->fd, "t-0/link"), 0);
	temp_dir_put(
	    dir, "log-start-offset-checkpoint", "0\n2\nt 0 4\nu 0 5\n");
	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(stream_topic_delete(store, "t", NULL), STREAM_OK);
	assert_int_equal(stream_topic_delete(store, "t", NULL), STREAM_ENOENT);
	stream_store_close(store);
	expect_list(dir, "u ");
	assert_false(temp_dir_has(dir, "t-0"));
	assert_false(temp_dir_has(dir, "t-7"));
	assert_true(temp_dir_has(dir, "u-0/partition.metadata"));
	temp_dir_expect(dir, "log-start-offset-checkpoint", "0\n1\nu 0 5\n");
	assert_true(is_empty(dir, ".strm/intents"));
	assert_int_equal(create(dir, "t", 1), STREAM_OK);
}

static void
a_directory_that_lost_its_name_is_no_partition(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	int fd;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(
	    stream_store_open_partition(store, "t", 0, &fd, NULL), STREAM_OK);
	assert_int_equal(
	    stream_store_check_partition(store, "t", 0, fd, NULL), STREAM_OK);
	assert_int_equal(stream_topic_delete(store, "t", NULL), STREAM_OK);
	assert_int_equal(stream_store_check_partition(store, "t", 0, fd, NULL),
	    STREAM_ENOENT);
	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	assert_int_equal(stream_store_check_partition(store, "t", 0, fd, NULL),
	    STREAM_ENOENT);
	close(fd);
	stream_store_close(store);
}

static void
a_foreign_topic_can_be_deleted(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;

	temp_dir_make(dir, "f-3");
	temp_dir_put(dir, "f-3/00000000000000000000.log", "");
	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(stream_topic_delete(store, "f", NULL), STREAM_OK);
	stream_store_close(store);
	assert_false(temp_dir_has(dir, "f-3"));
	expect_list(dir, "");
}

static void
a_topic_with_damaged_settings_is_listed_and_can_be_deleted(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	struct stream_topic *topic;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	assert_int_equal(create(dir, "u", 1), STREAM_OK);
	temp_dir_put(dir, ".strm/topics/t.json", "{");
	expect_list(dir, "t u ");
	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(
	    stream_topic_open(store, "t", &topic, NULL), STREAM_ECORRUPT);
	assert_int_equal(stream_topic_delete(store, "t", NULL), STREAM_OK);
	stream_store_close(store);
	expect_list(dir, "u ");
	assert_false(temp_dir_has(dir, "t-0"));
}

/* A file in the way of the second partition: the move fails. */
static void
a_creation_that_fails_leaves_nothing(void **state)
{
	const struct temp_dir *dir = *state;

	temp_dir_put(dir, "t-1", "a file");
	assert_int_equal(create(dir, "t", 3), STREAM_EIO);
	assert_false(temp_dir_has(dir, "t-0"));
	assert_false(temp_dir_has(dir, "t-2"));
	assert_true(is_empty(dir, ".strm/intents"));
	assert_true(is_empty(dir, ".strm/build"));
	assert_true(is_empty(dir, ".strm/topics"));
	temp_dir_expect(dir, "t-1", "a file");
}

static void
one_process_at_a_time_changes_topics(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	int lock;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	lock = openat(dir->fd, ".strm/lock", O_RDWR);
	assert_int_equal(
	    stream_lock_take(lock, STREAM_LOCK_EXCLUSIVE, 0, 0, 0, NULL),
	    STREAM_OK);
	assert_int_equal(create(dir, "u", 1), STREAM_EBUSY);
	/* Nobody else is kept waiting. */
	store = open_store(dir, STREAM_STORE_WRITE);
	stream_store_close(store);
	assert_int_equal(count_partitions(dir, "t", STREAM_STORE_WRITE), 1);
	close(lock);
	assert_int_equal(create(dir, "u", 1), STREAM_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_DIR(a_missing_store_is_not_found),
	    IN_DIR(a_writer_makes_the_last_component_only),
	    IN_DIR(reading_changes_nothing),
	    IN_DIR(a_broker_keeps_writers_out_but_not_readers),
	    IN_DIR(a_directory_that_everyone_can_write_to_needs_the_sticky_bit),
	    IN_DIR(a_new_topic_is_as_kafka_would_make_it),
	    IN_DIR(a_topic_that_exists_is_not_made_again),
	    IN_DIR(names_and_numbers_that_kafka_refuses_are_refused),
	    IN_DIR(the_longest_name_can_be_made_and_deleted),
	    IN_DIR(names_that_begin_oddly_are_ordinary),
	    IN_DIR(topics_are_listed_by_name_foreign_ones_too),
	    IN_DIR(names_that_differ_in_dots_collide),
	    IN_DIR(settings_change_together_or_not_at_all),
	    IN_DIR(a_store_open_for_reading_is_not_changed),
	    IN_DIR(a_deleted_topic_leaves_nothing),
	    IN_DIR(a_directory_that_lost_its_name_is_no_partition),
	    IN_DIR(a_foreign_topic_can_be_deleted),
	    IN_DIR(a_topic_with_damaged_settings_is_listed_and_can_be_deleted),
	    IN_DIR(a_creation_that_fails_leaves_nothing),
	    IN_DIR(one_process_at_a_time_changes_topics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
