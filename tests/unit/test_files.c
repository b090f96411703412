/* Index files entry by entry, and the small files of partitions and stores. */
#include <stream/inspect.h>

#include "file/properties.h"
#include "fixture.h"

static char *
path_of(const struct temp_dir *dir, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir->path, name);
	return path;
}

/* ---- index files -------------------------------------------------------- */

static struct stream_index_summary
walk_index(const struct temp_dir *dir, const char *name,
    enum stream_file_kind kind, struct stream_index_entry *entries,
    size_t *count)
{
	struct stream_index_summary summary;
	struct stream_index_walk *walk;
	struct stream_error err;
	size_t n = 0;

	expect(
	    stream_index_walk_open(path_of(dir, name), kind, 100, &walk, &err),
	    STREAM_OK, err);
	stream_index_walk_summary(walk, &summary);
	while (stream_index_walk_next(walk, &entries[n], &err) == STREAM_OK)
		n++;
	*count = n;
	stream_index_walk_close(walk);
	return summary;
}

static void
offset_entries_end_where_the_zeros_begin(void **state)
{
	static const uint8_t bytes[] = {0, 0, 0, 5, 0, 0, 16, 0, 0, 0, 0, 9, 0,
	    0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	struct stream_index_entry entries[8];
	struct stream_index_summary summary;
	struct temp_dir *dir = *state;
	size_t count;

	fx_put(dir, INDEX_0, bytes, sizeof(bytes));
	summary = walk_index(dir, INDEX_0, STREAM_FILE_INDEX, entries, &count);
	assert_int_equal(count, 2);
	assert_int_equal(summary.slots, 4);
	assert_int_equal(summary.entries, 2);
	assert_int_equal(summary.odd, 0);
	assert_true(summary.is_sane);
	assert_int_equal(entries[1].number, 1);
	assert_int_equal(entries[1].offset, 109);
	assert_int_equal(entries[1].relative_offset, 9);
	assert_int_equal(entries[1].position, 8192);
}

static void
time_entries_have_a_time_and_zeros_are_not_sane(void **state)
{
	static const uint8_t bytes[] = {0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0,
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	struct stream_index_entry entries[8];
	struct stream_index_summary summary;
	struct temp_dir *dir = *state;
	size_t count;

	fx_put(dir, TIMEINDEX_0, bytes, sizeof(bytes));
	summary = walk_index(
	    dir, TIMEINDEX_0, STREAM_FILE_TIMEINDEX, entries, &count);
	assert_int_equal(count, 1);
	assert_false(summary.is_sane);
	assert_int_equal(entries[0].timestamp_ms, INT64_C(1) << 40);
	assert_int_equal(entries[0].offset, 107);
}

static void
aborted_transactions_have_all_their_fields(void **state)
{
	uint8_t bytes[34] = {0};
	struct stream_index_entry entries[8];
	struct stream_index_summary summary;
	struct temp_dir *dir = *state;
	size_t count;

	stream_store64(bytes + 2, 1000);
	stream_store64(bytes + 10, 101);
	stream_store64(bytes + 18, 108);
	stream_store64(bytes + 26, 103);
	fx_put(dir, "t.txnindex", bytes, sizeof(bytes));
	summary = walk_index(
	    dir, "t.txnindex", STREAM_FILE_TXNINDEX, entries, &count);
	assert_int_equal(count, 1);
	assert_true(summary.is_sane);
	assert_int_equal(entries[0].version, 0);
	assert_int_equal(entries[0].producer_id, 1000);
	assert_int_equal(entries[0].first_offset, 101);
	assert_int_equal(entries[0].last_offset, 108);
	assert_int_equal(entries[0].last_stable_offset, 103);
}

static void
an_index_of_an_odd_size_is_not_sane(void **state)
{
	struct stream_index_entry entries[8];
	struct stream_index_summary summary;
	struct temp_dir *dir = *state;
	size_t count;

	fx_fill(dir, INDEX_0, 21, 1, 0);
	summary = walk_index(dir, INDEX_0, STREAM_FILE_INDEX, entries, &count);
	assert_int_equal(count, 2);
	assert_int_equal(summary.odd, 5);
	assert_false(summary.is_sane);
}

/* More than is read at once, and zeros far past the last entry. */
static void
a_large_index_is_walked_to_its_last_entry(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_index_walk *walk;
	struct stream_index_entry entry = {0};
	struct stream_error err;
	enum { MANY = 5000, SLOTS = 20000 };
	uint8_t *bytes = calloc(SLOTS, 8);
	uint64_t n = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		stream_store32(bytes + 8 * i, i + 1);
		stream_store32(bytes + 8 * i + 4, 100 * i);
	}
	fx_put(dir, INDEX_0, bytes, 8 * SLOTS);
	free(bytes);
	expect(stream_index_walk_open(
		   path_of(dir, INDEX_0), STREAM_FILE_INDEX, 0, &walk, &err),
	    STREAM_OK, err);
	while (stream_index_walk_next(walk, &entry, &err) == STREAM_OK) {
		assert_int_equal(entry.number, n);
		assert_int_equal(entry.offset, (int64_t)n + 1);
		assert_int_equal(entry.position, 100 * n);
		n++;
	}
	assert_int_equal(n, MANY);
	stream_index_walk_close(walk);
}

/* ---- names -------------------------------------------------------------- */

static void
files_are_known_by_their_names(void **state)
{
	static const struct {
		const char *name;
		enum stream_file_kind kind;
		enum stream_file_state state;
		int64_t base;
	} rows[] = {
	    {LOG_0, STREAM_FILE_LOG, STREAM_FILE_PLAIN, 0},
	    {"00000000000000000042.timeindex.swap", STREAM_FILE_TIMEINDEX,
		STREAM_FILE_SWAP, 42},
	    {"00000000000000000042.txnindex.deleted", STREAM_FILE_TXNINDEX,
		STREAM_FILE_DELETED, 42},
	    {"00000000000000000042.snapshot", STREAM_FILE_SNAPSHOT,
		STREAM_FILE_PLAIN, 42},
	    {"42.log", STREAM_FILE_OTHER, STREAM_FILE_PLAIN, -1},
	    {"leader-epoch-checkpoint", STREAM_FILE_EPOCHS, STREAM_FILE_PLAIN,
		-1},
	    {"partition.metadata", STREAM_FILE_METADATA, STREAM_FILE_PLAIN, -1},
	    {".strm-state", STREAM_FILE_STATE, STREAM_FILE_PLAIN, -1},
	    {".strm-cut-7", STREAM_FILE_CUT, STREAM_FILE_PLAIN, -1},
	    {"cleaner-offset-checkpoint", STREAM_FILE_CHECKPOINT,
		STREAM_FILE_PLAIN, -1},
	    {"meta.properties", STREAM_FILE_PROPERTIES, STREAM_FILE_PLAIN, -1},
	    {".kafka_cleanshutdown", STREAM_FILE_SHUTDOWN, STREAM_FILE_PLAIN,
		-1},
	    {".lock", STREAM_FILE_LOCK, STREAM_FILE_PLAIN, -1},
	    {"README", STREAM_FILE_OTHER, STREAM_FILE_PLAIN, -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_file file;

		stream_file_name(rows[i].name, &file);
		if (file.kind != rows[i].kind || file.state != rows[i].state ||
		    file.base_offset != rows[i].base)
			fail_msg("%s: kind %d, state %d, base %lld",
			    rows[i].name, file.kind, file.state,
			    (long long)file.base_offset);
	}
}

static void
a_listing_is_by_name_with_sizes(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_files files;
	struct stream_error err;

	fx_put(dir, LOG_0, "abc", 3);
	fx_put(dir, ".strm-state", "", 0);
	assert_int_equal(mkdirat(dir->fd, "sub", 0777), 0);
	expect(stream_files_list(dir->path, &files, &err), STREAM_OK, err);
	assert_int_equal(files.count, 3);
	assert_string_equal(files.items[0].name, ".strm-state");
	assert_string_equal(files.items[1].name, LOG_0);
	assert_int_equal(files.items[1].size, 3);
	assert_int_equal(files.items[2].kind, STREAM_FILE_DIRECTORY);
	stream_files_release(&files);
	assert_int_equal(stream_files_list(path_of(dir, "none"), &files, NULL),
	    STREAM_ENOENT);
}

/* ---- texts -------------------------------------------------------------- */

static struct stream_bytes
bytes_of(const char *text)
{
	return (struct stream_bytes){(const uint8_t *)text, strlen(text)};
}

static void
properties_are_names_and_values(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *all; /* "name|value;" of each */
	} rows[] = {
	    {"", STREAM_OK, ""},
	    {"#\n#Thu Jan 01\ncluster.id=4L6-X\nnode.id=1\nversion=1\n",
		STREAM_OK, "cluster.id|4L6-X;node.id|1;version|1;"},
	    {"version: 0\ntopic_id: AAAA", STREAM_OK,
		"version|0;topic_id|AAAA;"},
	    {"a b\r\n  c = d e \r\n!x\n\n", STREAM_OK, "a|b;c|d e ;"},
	    {"a\\=b=c\\:d", STREAM_OK, "a=b|c:d;"},
	    {"name", STREAM_OK, "name|;"},
	    {"a=1\na=2", STREAM_OK, "a|1;a|2;"},
	    {"=value", STREAM_ECORRUPT, ""},
	    {"a\\", STREAM_OK, "a\\|;"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_properties properties = {.count = 0};
		char all[256] = "";
		int status = stream_properties_parse(
		    bytes_of(rows[i].text), &properties, NULL);

		for (size_t j = 0; j < properties.count; j++)
			sprintf(all + strlen(all), "%s|%s;",
			    properties.items[j].name,
			    properties.items[j].value);
		if (status != rows[i].status || strcmp(all, rows[i].all) != 0)
			fail_msg("row %zu: status %d, %s", i, status, all);
		if (strcmp(all, "a|1;a|2;") == 0)
			assert_string_equal(
			    stream_properties_find(&properties, "a"), "2");
		assert_null(stream_properties_find(&properties, "none"));
		stream_properties_release(&properties);
	}
}

static void
a_nul_is_no_property(void **state)
{
	struct stream_properties properties;

	(void)state;
	assert_int_equal(stream_properties_parse(
			     (struct stream_bytes){(const uint8_t *)"a=\0b", 4},
			     &properties, NULL),
	    STREAM_ECORRUPT);
}

static void
a_clean_shutdown_says_the_brokers_epoch_or_nothing(void **state)
{
	static const struct {
		const char *text;
		int64_t epoch;
	} rows[] = {
	    {"", -1},
	    {"{\"version\":0,\"brokerEpoch\":7}", 7},
	    {"{\"brokerEpoch\" : 12, \"version\":0}", 12},
	    {"{\"version\":0,\"brokerEpoch\":", -1},
	    {"{\"version\":0,\"brokerEpoch\":-1}", -1},
	    {"{\"brokerEpoch\":99999999999999999999}", -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(stream_shutdown_parse(bytes_of(rows[i].text)),
		    rows[i].epoch);
}

static void
a_checkpoint_gives_its_entries_or_none(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_checkpoint checkpoint;
	struct stream_error err;

	fx_put(dir, "c", "0\n2\nt 0 5\nu-v 12 7\n", 19);
	expect(stream_checkpoint_read(path_of(dir, "c"), &checkpoint, &err),
	    STREAM_OK, err);
	assert_int_equal(checkpoint.count, 2);
	assert_string_equal(checkpoint.items[1].topic, "u-v");
	assert_int_equal(checkpoint.items[1].partition, 12);
	assert_int_equal(checkpoint.items[1].offset, 7);
	stream_checkpoint_release(&checkpoint);
	fx_put(dir, "c", "0\n2\nt 0 5\n", 10);
	assert_int_equal(
	    stream_checkpoint_read(path_of(dir, "c"), &checkpoint, NULL),
	    STREAM_ECORRUPT);
}

/* ---- .strm-state and .lock ---------------------------------------------- */

static void
a_state_is_seen_and_a_copy_is_known_for_one(void **state)
{
	struct temp_dir *dir = *state;
	struct temp_dir *other = fx_dir();
	struct stream_state_view slots[2];
	struct stream_error err;
	int newest;

	fx_put(dir, ".strm-state", "", 0);
	fx_put_state(dir, (struct stream_state){.active_base = 5,
			      .end = 100,
			      .next_offset = 9,
			      .marks = STREAM_MARK_SYNCING});
	expect(stream_state_view(path_of(dir, ".strm-state"), slots, &err),
	    STREAM_OK, err);
	newest = slots[1].is_whole && slots[1].sequence > slots[0].sequence;
	assert_true(slots[newest].is_whole);
	assert_true(slots[newest].is_own);
	assert_int_equal(slots[newest].active_base, 5);
	assert_int_equal(slots[newest].end, 100);
	assert_int_equal(slots[newest].next_offset, 9);
	assert_true(slots[newest].is_syncing);
	assert_false(slots[newest].is_rolling);
	fx_copy_from(dir->path, other);
	expect(stream_state_view(path_of(other, ".strm-state"), slots, &err),
	    STREAM_OK, err);
	assert_true(slots[newest].is_whole);
	assert_false(slots[newest].is_own);
	fx_drop(other);
}

static void
a_brokers_lock_is_seen_and_ours_is_not(void **state)
{
	struct temp_dir *dir = *state;
	struct flock ours = {.l_type = F_RDLCK}, brokers = {.l_type = F_WRLCK};
	struct stream_error err;
	bool broker = true;
	int fd;

	expect(stream_store_probe(dir->path, &broker, &err), STREAM_OK, err);
	assert_false(broker);
	fd = openat(dir->fd, ".lock", O_RDWR | O_CREAT, 0666);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &ours), 0);
	expect(stream_store_probe(dir->path, &broker, &err), STREAM_OK, err);
	assert_false(broker);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &brokers), 0);
	expect(stream_store_probe(dir->path, &broker, &err), STREAM_OK, err);
	assert_true(broker);
	close(fd);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(offset_entries_end_where_the_zeros_begin),
	    TEST(time_entries_have_a_time_and_zeros_are_not_sane),
	    TEST(aborted_transactions_have_all_their_fields),
	    TEST(an_index_of_an_odd_size_is_not_sane),
	    TEST(a_large_index_is_walked_to_its_last_entry),
	    TEST(files_are_known_by_their_names),
	    TEST(a_listing_is_by_name_with_sizes),
	    TEST(properties_are_names_and_values),
	    TEST(a_nul_is_no_property),
	    TEST(a_clean_shutdown_says_the_brokers_epoch_or_nothing),
	    TEST(a_checkpoint_gives_its_entries_or_none),
	    TEST(a_state_is_seen_and_a_copy_is_known_for_one),
	    TEST(a_brokers_lock_is_seen_and_ours_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
