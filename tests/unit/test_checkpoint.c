/* Kafka's checkpoint files, read, changed, and malformed in every way. */
#include "file/checkpoint.h"
#include "temp_dir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct stream_bytes
bytes(const char *text)
{
	return (struct stream_bytes){(const uint8_t *)text, strlen(text)};
}

static int
find(const char *text, const char *topic, int32_t partition, int64_t *offset)
{
	struct stream_error err = {.text = ""};

	return stream_checkpoint_find_in(
	    bytes(text), topic, partition, offset, &err);
}

static void
an_entry_is_found_by_topic_and_partition(void **state)
{
	static const char text[] =
	    "0\n4\norders 0 42\norders 10 7\n"
	    "orders-x 1 9\nclicks 0 9223372036854775807\n";
	int64_t offset = -1;

	(void)state;
	assert_int_equal(find(text, "orders", 0, &offset), STREAM_OK);
	assert_int_equal(offset, 42);
	assert_int_equal(find(text, "orders", 10, &offset), STREAM_OK);
	assert_int_equal(offset, 7);
	assert_int_equal(find(text, "clicks", 0, &offset), STREAM_OK);
	assert_int_equal(offset, INT64_MAX);
	offset = -1;
	assert_int_equal(find(text, "orders", 1, &offset), STREAM_ENOENT);
	assert_int_equal(find(text, "order", 0, &offset), STREAM_ENOENT);
	assert_int_equal(offset, -1);
}

static void
add_offset(
    void *context, struct stream_bytes topic, int32_t partition, int64_t offset)
{
	int64_t *sum = context;

	assert_memory_equal(topic.data, "orders", topic.size);
	*sum += offset * 100 + partition;
}

static void
a_walk_comes_by_each_entry_before_damage(void **state)
{
	static const char good[] = "0\n2\norders 1 42\norders 10 7\n";
	static const char bad[] = "0\n2\norders 1 42\norders x 7\n";
	struct stream_bytes text = {(const uint8_t *)good, strlen(good)};
	int64_t sum = 0;

	(void)state;
	assert_int_equal(
	    stream_checkpoint_walk(text, add_offset, &sum, NULL), STREAM_OK);
	assert_int_equal(sum, 4911);
	text = (struct stream_bytes){(const uint8_t *)bad, strlen(bad)};
	sum = 0;
	assert_int_equal(stream_checkpoint_walk(text, add_offset, &sum, NULL),
	    STREAM_ECORRUPT);
	assert_int_equal(sum, 4201);
	assert_int_equal(
	    stream_checkpoint_walk(text, NULL, NULL, NULL), STREAM_ECORRUPT);
}

static void
what_kafka_reads_is_read(void **state)
{
	int64_t offset = -1;

	(void)state;
	assert_int_equal(find("", "t", 0, &offset), STREAM_ENOENT);
	assert_int_equal(find("0\n0\n", "t", 0, &offset), STREAM_ENOENT);
	assert_int_equal(find("0\n1\nt 0 5", "t", 0, &offset), STREAM_OK);
	assert_int_equal(offset, 5);
	assert_int_equal(
	    find("0\r\n1\r\n t \t0  6\r\n", "t", 0, &offset), STREAM_OK);
	assert_int_equal(offset, 6);
	assert_int_equal(
	    find("0\n2\nt 0 5\nt 0 8\n", "t", 0, &offset), STREAM_OK);
	assert_int_equal(offset, 8);
}

static void
malformed_files_are_corrupt(void **state)
{
	static const char *const texts[] = {"\n", "0", "0\n", "1\n0\n",
	    "x\n0\n", "0\nx\n", "0\n-1\n", "0\n99999999999\n", "0\n1\n",
	    "0\n1\n\n", "0\n0\nt 0 1\n", "0\n2\nt 0 1\n", "0\n1\nt 0 1\n\n",
	    "0\n1\nt 0\n", "0\n1\nt 0 1 2\n", "0\n1\nt x 1\n", "0\n1\nt 0 x\n",
	    "0\n1\nt -1 1\n", "0\n1\nt 0 -1\n", "0\n1\nt 2147483648 1\n",
	    "0\n1\nt 0 9223372036854775808\n", "0 0\n0\n", "0\n1\nt 0 1x\n"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		int64_t offset = -7;

		if (find(texts[i], "t", 0, &offset) != STREAM_ECORRUPT)
			fail_msg("row %zu is not corrupt", i);
		assert_int_equal(offset, -7);
	}
}

static void
a_nul_in_the_text_is_no_end(void **state)
{
	static const char text[] = "0\n1\nt 0 1\n\0";
	int64_t offset;

	(void)state;
	assert_int_equal(
	    stream_checkpoint_find_in(
		(struct stream_bytes){(const uint8_t *)text, sizeof(text)}, "t",
		0, &offset, NULL),
	    STREAM_ECORRUPT);
}

static void
a_file_that_is_missing_is_told(void **state)
{
	const struct temp_dir *dir = *state;
	int64_t offset;

	assert_int_equal(
	    stream_checkpoint_find(dir->fd, "none", "t", 0, &offset, NULL),
	    STREAM_ENOENT);
}

static void
setting_keeps_the_other_entries(void **state)
{
	const struct temp_dir *dir = *state;

	assert_int_equal(
	    stream_checkpoint_set(dir->fd, "f", "b", 1, 5, NULL), STREAM_OK);
	temp_dir_expect(dir, "f", "0\n1\nb 1 5\n");
	temp_dir_put(dir, "f", "0\n3\na 0 1\nb 1 5\nc 0 3");
	assert_int_equal(
	    stream_checkpoint_set(dir->fd, "f", "b", 1, 6, NULL), STREAM_OK);
	temp_dir_expect(dir, "f", "0\n3\na 0 1\nc 0 3\nb 1 6\n");
	assert_int_equal(
	    stream_checkpoint_set(dir->fd, "f", "b", 0, 0, NULL), STREAM_OK);
	temp_dir_expect(dir, "f", "0\n4\na 0 1\nc 0 3\nb 1 6\nb 0 0\n");
}

static void
dropping_a_topic_drops_its_partitions_only(void **state)
{
	const struct temp_dir *dir = *state;

	temp_dir_put(dir, "f", "0\n4\na 0 1\nab 0 2\na 1 3\nb 0 4\n");
	assert_int_equal(
	    stream_checkpoint_drop_topic(dir->fd, "f", "a", NULL), STREAM_OK);
	temp_dir_expect(dir, "f", "0\n2\nab 0 2\nb 0 4\n");
	assert_int_equal(
	    stream_checkpoint_drop_topic(dir->fd, "none", "a", NULL),
	    STREAM_OK);
	assert_false(temp_dir_has(dir, "none"));
}

static void
a_malformed_file_is_not_changed(void **state)
{
	const struct temp_dir *dir = *state;

	temp_dir_put(dir, "f", "0\n2\na 0 1\n");
	assert_int_equal(stream_checkpoint_set(dir->fd, "f", "b", 1, 6, NULL),
	    STREAM_ECORRUPT);
	assert_int_equal(stream_checkpoint_drop_topic(dir->fd, "f", "a", NULL),
	    STREAM_ECORRUPT);
	temp_dir_expect(dir, "f", "0\n2\na 0 1\n");
}

static void
epochs_are_read_in_order(void **state)
{
	struct stream_epoch *entries;
	size_t count;

	(void)state;
	assert_int_equal(stream_epochs_parse(bytes("0\n3\n0 0\n1 10\n5 11\n"),
			     &entries, &count, NULL),
	    STREAM_OK);
	assert_int_equal(count, 3);
	assert_int_equal(entries[2].epoch, 5);
	assert_int_equal(entries[2].start_offset, 11);
	free(entries);
	assert_int_equal(
	    stream_epochs_parse(bytes("0\n0\n"), &entries, &count, NULL),
	    STREAM_OK);
	assert_int_equal(count, 0);
	assert_null(entries);
}

static void
epochs_that_do_not_grow_are_corrupt(void **state)
{
	static const char *const texts[] = {"0\n2\n1 0\n1 5\n",
	    "0\n2\n1 0\n0 5\n", "0\n2\n0 5\n1 5\n", "0\n2\n0 5\n1 4\n",
	    "0\n1\n-1 0\n", "0\n1\n0 -1\n", "0\n1\n0\n", "0\n1\n0 0 0\n",
	    "0\n1\n2147483648 0\n", "0\n2000000000\n0 0\n", "2\n0\n"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct stream_epoch *entries;
		size_t count;

		if (stream_epochs_parse(bytes(texts[i]), &entries, &count,
			NULL) != STREAM_ECORRUPT)
			fail_msg("row %zu is not corrupt", i);
	}
}

static void
appended_epochs_must_come_after_the_last(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_epoch last;

	assert_int_equal(
	    stream_epochs_append(dir->fd, (struct stream_epoch){0, 0}, NULL),
	    STREAM_OK);
	assert_int_equal(
	    stream_epochs_append(dir->fd, (struct stream_epoch){3, 10}, NULL),
	    STREAM_OK);
	temp_dir_expect(dir, STREAM_EPOCHS_FILE, "0\n2\n0 0\n3 10\n");
	assert_int_equal(
	    stream_epochs_append(dir->fd, (struct stream_epoch){3, 11}, NULL),
	    STREAM_EUSAGE);
	assert_int_equal(
	    stream_epochs_append(dir->fd, (struct stream_epoch){4, 10}, NULL),
	    STREAM_EUSAGE);
	assert_int_equal(stream_epochs_last(dir->fd, &last, NULL), STREAM_OK);
	assert_int_equal(last.epoch, 3);
	assert_int_equal(last.start_offset, 10);
}

static void
an_epoch_is_not_appended_to_a_malformed_file(void **state)
{
	const struct temp_dir *dir = *state;
	static const struct stream_epoch list[] = {{0, 0}, {1, 4}};
	struct stream_epoch last;

	temp_dir_put(dir, STREAM_EPOCHS_FILE, "0\n1\n");
	assert_int_equal(
	    stream_epochs_append(dir->fd, (struct stream_epoch){3, 10}, NULL),
	    STREAM_ECORRUPT);
	assert_int_equal(
	    stream_epochs_last(dir->fd, &last, NULL), STREAM_ECORRUPT);
	assert_int_equal(
	    stream_epochs_save(dir->fd, list, COUNT(list), NULL), STREAM_OK);
	temp_dir_expect(dir, STREAM_EPOCHS_FILE, "0\n2\n0 0\n1 4\n");
}

static void
no_epoch_at_all_is_told(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_epoch last;

	assert_int_equal(
	    stream_epochs_last(dir->fd, &last, NULL), STREAM_ENOENT);
	temp_dir_put(dir, STREAM_EPOCHS_FILE, "0\n0\n");
	assert_int_equal(
	    stream_epochs_last(dir->fd, &last, NULL), STREAM_ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_entry_is_found_by_topic_and_partition),
	    cmocka_unit_test(a_walk_comes_by_each_entry_before_damage),
	    cmocka_unit_test(what_kafka_reads_is_read),
	    cmocka_unit_test(malformed_files_are_corrupt),
	    cmocka_unit_test(a_nul_in_the_text_is_no_end),
	    cmocka_unit_test_setup_teardown(a_file_that_is_missing_is_told,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(setting_keeps_the_other_entries,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		dropping_a_topic_drops_its_partitions_only, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(a_malformed_file_is_not_changed,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test(epochs_are_read_in_order),
	    cmocka_unit_test(epochs_that_do_not_grow_are_corrupt),
	    cmocka_unit_test_setup_teardown(
		appended_epochs_must_come_after_the_last, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		an_epoch_is_not_appended_to_a_malformed_file, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		no_epoch_at_all_is_told, temp_dir_set_up, temp_dir_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
