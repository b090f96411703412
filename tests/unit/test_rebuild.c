/* What a writer makes of a directory whose hints are of no use: states,
 * indexes, and a broker's own files. */
#include "recovery.h"

/* Nothing that happens to the state changes what is in the log. */
static void
a_state_of_no_use_is_rebuilt(void **state)
{
	(void)state;
	for (int way = 0; way < 8; way++) {
		struct temp_dir *dir = fx_dir();
		struct stream_buf file;
		struct stream_state known;

		make(dir, 5, 2);
		known = fx_state(dir);
		fx_get(dir, STREAM_STATE_NAME, &file);
		if (way == 0) {
			fx_remove(dir, STREAM_STATE_NAME);
		} else if (way < 3) {
			fx_fill(dir, STREAM_STATE_NAME,
			    way == 1 ? file.size : 100000, -1, 5);
		} else if (way == 3) {
			fx_fill(dir, STREAM_STATE_NAME, file.size, 0, 0);
		} else if (way == 4) {
			fx_cut(dir, STREAM_STATE_NAME, 300);
		} else if (way == 5) { /* as cp -r makes it */
			fx_put(dir, "copy", file.data, file.size);
			renameat(dir->fd, "copy", dir->fd, STREAM_STATE_NAME);
		} else if (way == 6) { /* it lags behind the log */
			known.end = known.durable_end;
			known.last_position = -1;
			fx_put_state(dir, known);
		} else { /* it names a batch that is none */
			known.last_position -= 3;
			fx_put_state(dir, known);
		}
		expect_opens(dir, 15, NULL);
		stream_buf_release(&file);
		fx_drop(dir);
	}
}

static void
a_state_of_another_boot_keeps_its_durable_end(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_state known;
	struct fx_notes notes;
	struct stream_error err;

	make(dir, 5, 2);
	known = fx_state(dir);
	fx_reboot(dir, false);
	expect(try_open(dir, &notes, &err), STREAM_OK, err);
	assert_int_equal(fx_state(dir).durable_end, known.durable_end);
	assert_int_equal(fx_state(dir).end, known.end);
	assert_int_equal(fx_state(dir).next_offset, 15);
	/* And what that covers must be there. */
	fx_reboot(dir, false);
	fx_cut(dir, LOG_0, (off_t)known.durable_end - 1);
	expect_refused(dir, STREAM_ECORRUPT, "durable");
}

/* Noise, nothing, or too much in the indexes: the next writer goes on, and
 * those of the segment it writes to are sound afterwards. */
static void
indexes_of_no_use_are_rebuilt(void **state)
{
	(void)state;
	for (int way = 0; way < 6; way++) {
		struct temp_dir *dir = fx_dir();
		struct stream_partition *partition = fx_open(dir, NULL);

		fx_append(partition, 300, 3, 40, 'a');
		stream_partition_close(partition);
		assert_true(fx_size(dir, INDEX_0) > 80);
		if (way == 0) {
			fx_remove(dir, INDEX_0);
			fx_remove(dir, TIMEINDEX_0);
		} else if (way < 4) {
			fx_fill(dir, INDEX_0, way == 1 ? 80 : 801,
			    way == 3 ? 0 : -1, 1);
			fx_fill(dir, TIMEINDEX_0, way == 1 ? 120 : 1201,
			    way == 3 ? 0 : -1, 2);
		} else if (way == 4) { /* ahead of the log */
			fx_cut(dir, LOG_0, 20000);
		} else { /* of a broker that did not stop */
			fx_put_at(dir, INDEX_0,
			    (uint64_t)fx_size(dir, INDEX_0) + 79999, "", 1);
		}
		partition = fx_open(dir, NULL);
		fx_append(partition, 100, 3, 40, 'a');
		fx_expect_dense(dir, stream_partition_next_offset(partition));
		for (int64_t from = 0; from < 300; from += 37) {
			struct fx_seen seen =
			    fx_read(dir, (struct fx_reading){
					     .options.range.from = {
						 STREAM_POINT_OFFSET, from}});

			assert_int_equal(seen.first, from);
		}
		assert_int_equal(fx_size(dir, INDEX_0) % 8, 0);
		assert_true(fx_size(dir, INDEX_0) < 2000);
		stream_partition_close(partition);
		fx_drop(dir);
	}
}

/* A broker's directory is taken as it is: appended to, and read as one. */
static void
golden_partitions_are_written_on(void **state)
{
	static const struct {
		const char *name;
		int64_t next;
		int want;
	} rows[] = {{"plain", 10000, STREAM_OK}, {"zstd", 3000, STREAM_OK},
	    {"unclean", -1, STREAM_OK}, {"torn-tail", 1498, STREAM_OK},
	    {"empty", 0, STREAM_OK}, {"compacted", 403, STREAM_OK},
	    {"transactions", 131, STREAM_OK},
	    {"corrupt-index", 4000, STREAM_OK},
	    {"missing-index", 4000, STREAM_OK}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_log_config config = fx_config();
		struct stream_partition *partition;
		struct stream_error err = {.text = ""};
		struct fx_seen before, after;
		struct fx_reading how = {.foreign = true,
		    .options.flags = STREAM_READER_UNCOMMITTED};

		if (!fx_golden(rows[i].name, dir)) {
			fx_drop(dir);
			skip();
		}
		config.dense = false;
		before = fx_read(dir, how);
		expect(
		    stream_partition_open(dir->fd, &config, &partition, &err),
		    rows[i].want, err);
		if (rows[i].next >= 0)
			assert_int_equal(
			    stream_partition_next_offset(partition),
			    rows[i].next);
		fx_append(partition, 5, 3, 500, 'a');
		fx_sync(partition);
		after = fx_read(dir, how);
		expect(after.status, STREAM_END, after.err);
		assert_int_equal(after.count, before.count + 15);
		stream_partition_close(partition);
		fx_drop(dir);
	}
}

/* max.message.bytes may be larger than what readers take by default: that is
 * no reason to cut a batch. */
static void
a_batch_above_the_readers_cap_is_not_cut(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;

	config.max_message_bytes = 100 << 20;
	partition = fx_open(dir, &config);
	fx_append(partition, 1, 1, 10, 'a');
	fx_append(partition, 1, 1, (64 << 20) + 10, 'a');
	stream_partition_close(partition);
	fx_remove(dir, STREAM_STATE_NAME);
	partition = fx_open(dir, &config);
	assert_int_equal(stream_partition_next_offset(partition), 2);
	fx_append(partition, 1, 1, 10, 'a');
	stream_partition_close(partition);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_state_of_no_use_is_rebuilt),
	    TEST(a_state_of_another_boot_keeps_its_durable_end),
	    TEST(indexes_of_no_use_are_rebuilt),
	    TEST(golden_partitions_are_written_on),
	    TEST(a_batch_above_the_readers_cap_is_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
