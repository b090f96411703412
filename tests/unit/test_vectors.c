/* The vectors of the small files of a partition, and of control batches: read
 * as they say, and what is good is written so. */
#include "codec/control.h"
#include "file/checkpoint.h"
#include "file/index_txn.h"
#include "file/snapshot.h"
#include "fixture.h"
#include "store/metadata.h"
#include "stream/topic.h"
#include "vectors.h"

enum { TEXT = 1024, LEAST = -9 };

static void
expect_status(const struct vectors *row, int status)
{
	if (status != vectors_status(row))
		fail_msg("%s: status %d", row->words[0], status);
}

static void
expect_text(const struct vectors *row, const char *text, const char *want)
{
	if (strcmp(text[0] != '\0' ? text : "-", want) != 0)
		fail_msg("%s: %s", row->words[0], text);
}

static void
expect_bytes(const struct vectors *row, const uint8_t *bytes, size_t size,
    const uint8_t *want, size_t want_size)
{
	if (size != want_size ||
	    (size > 0 && memcmp(bytes, want, want_size) != 0))
		fail_msg("%s: is not written so", row->words[0]);
}

/* ---- checkpoints ---- */

/* Each entry of the value is found; a file of the entries is written. */
static void
check_starts(const struct temp_dir *dir, const struct vectors *row,
    struct stream_bytes bytes)
{
	struct stream_buf written;
	int64_t offset = LEAST;
	char value[TEXT];

	if (vectors_status(row) != STREAM_OK) {
		expect_status(row,
		    stream_checkpoint_find_in(bytes, "x", 0, &offset, NULL));
		return;
	}
	temp_dir_put(dir, "f", "0\n0\n");
	snprintf(value, sizeof(value), "%s",
	    strcmp(row->words[3], "-") == 0 ? "" : row->words[3]);
	for (char *entry = strtok(value, ";"); entry != NULL;
	     entry = strtok(NULL, ";")) {
		char topic[64];
		long long want;
		int partition;

		if (sscanf(entry, "%63[^/]/%d/%lld", topic, &partition,
			&want) != 3)
			fail_msg("%s: %s", row->words[0], entry);
		expect_status(row, stream_checkpoint_find_in(
				       bytes, topic, partition, &offset, NULL));
		assert_int_equal(offset, want);
		expect_status(row, stream_checkpoint_set(dir->fd, "f", topic,
				       partition, want, NULL));
	}
	assert_int_equal(
	    stream_checkpoint_find_in(bytes, "x", 0, &offset, NULL),
	    STREAM_ENOENT);
	fx_get(dir, "f", &written);
	if (vectors_is(row, "good"))
		expect_bytes(
		    row, written.data, written.size, bytes.data, bytes.size);
	stream_buf_release(&written);
}

static void
check_epochs(const struct temp_dir *dir, const struct vectors *row,
    struct stream_bytes bytes)
{
	struct stream_epoch *entries = NULL;
	struct stream_buf written;
	char value[TEXT] = "";
	size_t count = 0, n = 0;

	expect_status(row, stream_epochs_parse(bytes, &entries, &count, NULL));
	for (size_t i = 0; i < count; i++)
		n += (size_t)snprintf(value + n, sizeof(value) - n, "%s%d/%lld",
		    i > 0 ? ";" : "", entries[i].epoch,
		    (long long)entries[i].start_offset);
	expect_text(row, value, row->words[3]);
	if (vectors_is(row, "good")) {
		assert_int_equal(
		    stream_epochs_save(dir->fd, entries, count, NULL),
		    STREAM_OK);
		fx_get(dir, STREAM_EPOCHS_FILE, &written);
		expect_bytes(
		    row, written.data, written.size, bytes.data, bytes.size);
		stream_buf_release(&written);
	}
	free(entries);
}

static void
checkpoints_are_as_the_vectors_say(void **state)
{
	struct vectors *rows = vectors_open("checkpoint.txt");

	while (vectors_take(rows, 4)) {
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);
		struct stream_bytes text = {bytes, size};

		if (strncmp(rows->words[0], "start-", 6) == 0)
			check_starts(*state, rows, text);
		else
			check_epochs(*state, rows, text);
		free(bytes);
	}
	vectors_close(rows, 47);
}

/* ---- snapshots and transactions ---- */

static void
put_entry(uint8_t *p, const struct stream_snapshot_entry *entry)
{
	stream_store64(p, (uint64_t)entry->producer_id);
	stream_store16(p + 8, (uint16_t)entry->producer_epoch);
	stream_store32(p + 10, (uint32_t)entry->last_sequence);
	stream_store64(p + 14, (uint64_t)entry->last_offset);
	stream_store32(p + 22, (uint32_t)entry->offset_delta);
	stream_store64(p + 26, (uint64_t)entry->timestamp_ms);
	stream_store32(p + 34, (uint32_t)entry->coordinator_epoch);
	stream_store64(p + 38, (uint64_t)entry->transaction_first_offset);
}

/* The file of these entries, as SPEC section 6.4 lays it out. */
static size_t
put_snapshot(
    uint8_t *p, const struct stream_snapshot_entry *entries, size_t count)
{
	size_t size = 10 + 46 * count;

	stream_store16(p, 1);
	stream_store32(p + 6, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		put_entry(p + 10 + 46 * i, &entries[i]);
	stream_store32(p + 2, stream_crc32c(p + 6, size - 6));
	return size;
}

static size_t
print_entry(char *text, size_t size, const struct stream_snapshot_entry *entry)
{
	return (size_t)snprintf(text, size, "%lld,%d,%d,%lld,%d,%lld,%d,%lld",
	    (long long)entry->producer_id, entry->producer_epoch,
	    entry->last_sequence, (long long)entry->last_offset,
	    entry->offset_delta, (long long)entry->timestamp_ms,
	    entry->coordinator_epoch,
	    (long long)entry->transaction_first_offset);
}

static void
snapshots_are_as_the_vectors_say(void **state)
{
	struct vectors *rows = vectors_open("snapshot.txt");

	(void)state;
	while (vectors_take(rows, 4)) {
		struct stream_snapshot_entry *entries = NULL;
		uint8_t written[TEXT];
		char value[TEXT] = "";
		size_t size, count = 0, n = 0;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);

		expect_status(rows,
		    stream_snapshot_parse((struct stream_bytes){bytes, size},
			&entries, &count, NULL));
		for (size_t i = 0; i < count; i++) {
			if (i > 0)
				value[n++] = ';';
			n += print_entry(
			    value + n, sizeof(value) - n, &entries[i]);
		}
		expect_text(rows, value, rows->words[3]);
		if (vectors_is(rows, "good"))
			expect_bytes(rows, written,
			    put_snapshot(written, entries, count), bytes, size);
		free(entries);
		free(bytes);
	}
	vectors_close(rows, 20);
}

/* The entries as text, and the bytes that putting them gives. */
static void
check_aborted(const struct vectors *row, const uint8_t *bytes, size_t size)
{
	uint8_t written[TEXT];
	char value[TEXT] = "";
	size_t n = 0;

	for (size_t at = 0; at < size; at += STREAM_TXNINDEX_ENTRY) {
		struct stream_aborted entry;

		assert_int_equal(
		    stream_aborted_take(bytes + at, size - at, &entry, NULL),
		    STREAM_OK);
		stream_aborted_put(written + at, &entry);
		n += (size_t)snprintf(value + n, sizeof(value) - n,
		    "%s%lld,%lld,%lld,%lld", at > 0 ? ";" : "",
		    (long long)entry.producer_id, (long long)entry.first_offset,
		    (long long)entry.last_offset,
		    (long long)entry.last_stable_offset);
	}
	expect_text(row, value, row->words[3]);
	expect_bytes(row, written, size, bytes, size);
}

static void
aborted_transactions_are_as_the_vectors_say(void **state)
{
	struct vectors *rows = vectors_open("txnindex.txt");

	(void)state;
	while (vectors_take(rows, 4)) {
		struct stream_error err = {.pos = STREAM_POS_NONE};
		char at[32];
		size_t size, count = 99;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);

		expect_status(rows,
		    stream_txnindex_check((struct stream_bytes){bytes, size},
			100, 200, &count, &err));
		if (vectors_is(rows, "good")) {
			assert_int_equal(count, size / STREAM_TXNINDEX_ENTRY);
			check_aborted(rows, bytes, size);
		} else {
			sprintf(at, "%llu", (unsigned long long)err.pos);
			expect_text(rows, at, rows->words[3]);
		}
		free(bytes);
	}
	vectors_close(rows, 20);
}

static void
control_batches_are_as_the_vectors_say(void **state)
{
	static const char *const names[] = {"abort", "commit", "other"};
	struct vectors *rows = vectors_open("control.txt");

	(void)state;
	while (vectors_take(rows, 4)) {
		enum stream_control_type type = STREAM_CONTROL_OTHER;
		struct stream_batch batch;
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);
		int status = stream_batch_check(bytes, size, &batch, NULL);

		/* The count can be too much for the bytes already. */
		if (status == STREAM_OK) {
			assert_true(stream_batch_is_control(&batch.info));
			status = stream_control_type(bytes, size, &type, NULL);
		}
		expect_status(rows, status);
		expect_text(rows, status == STREAM_OK ? names[type] : "",
		    rows->words[3]);
		free(bytes);
	}
	vectors_close(rows, 18);
}

/* ---- partition.metadata, .strm-state ---- */

static void
metadata_is_as_the_vectors_say(void **state)
{
	const struct temp_dir *dir = *state;
	struct vectors *rows = vectors_open("metadata.txt");

	while (vectors_take(rows, 4)) {
		char id[STREAM_TOPIC_ID_SIZE] = "";
		struct stream_buf written;
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);

		fx_put(dir, STREAM_METADATA_FILE, bytes, size);
		expect_status(rows, stream_metadata_load(dir->fd, id, NULL));
		expect_text(rows, id, rows->words[3]);
		fx_remove(dir, STREAM_METADATA_FILE);
		if (vectors_is(rows, "good")) {
			assert_int_equal(
			    stream_metadata_create(dir->fd, id, NULL),
			    STREAM_OK);
			fx_get(dir, STREAM_METADATA_FILE, &written);
			expect_bytes(
			    rows, written.data, written.size, bytes, size);
			stream_buf_release(&written);
			fx_remove(dir, STREAM_METADATA_FILE);
		}
		free(bytes);
	}
	vectors_close(rows, 19);
}

static void
print_state(const struct stream_state *state, char *text)
{
	*text = '\0';
	if (state->sequence == 0)
		return;
	snprintf(text, TEXT,
	    "%u,%llu,%lld,%llu,%lld,%lld,%llu,%d,%lld,%lld,%llu,%lld,%llu,%llu",
	    state->marks, (unsigned long long)state->sequence,
	    (long long)state->active_base, (unsigned long long)state->end,
	    (long long)state->last_position, (long long)state->next_offset,
	    (unsigned long long)state->durable_end, state->leader_epoch,
	    (long long)state->max_timestamp_ms,
	    (long long)state->max_timestamp_offset,
	    (unsigned long long)state->takebacks,
	    (long long)state->takeback_base,
	    (unsigned long long)state->takeback_end,
	    (unsigned long long)state->structure);
}

static void
states_are_as_the_vectors_say(void **state)
{
	static const struct stream_state_identity identity = {
	    .boot_id = {0xf5, 0xee, 0x55, 0xa3, 0xad, 0x48, 0x45, 0xb3, 0xac,
		0x33, 0x22, 0xde, 0x2d, 0xfc, 0x6e, 0xd1},
	    .device = 0xfe00,
	    .inode = 10969327};
	const struct temp_dir *dir = *state;
	struct vectors *rows = vectors_open("state.txt");

	while (vectors_take(rows, 4)) {
		struct stream_state got;
		struct stream_buf written;
		char value[TEXT];
		size_t size;
		uint8_t *bytes = vectors_bytes(rows->words[2], &size);
		int fd;

		fx_put(dir, "s", bytes, size);
		fd = openat(dir->fd, "s", O_RDWR);
		assert_int_equal(
		    stream_state_read(fd, &identity, &got, NULL), STREAM_OK);
		print_state(&got, value);
		expect_text(rows, value, rows->words[3]);
		assert_int_equal(got.sequence == 0, vectors_is(rows, "none"));
		if (vectors_is(rows, "good")) {
			fx_cut(dir, "s", 0);
			got.sequence--;
			assert_int_equal(
			    stream_state_write(fd, &identity, &got, NULL),
			    STREAM_OK);
			fx_get(dir, "s", &written);
			expect_bytes(
			    rows, written.data, written.size, bytes, size);
			stream_buf_release(&written);
		}
		close(fd);
		free(bytes);
	}
	vectors_close(rows, 26);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(checkpoints_are_as_the_vectors_say),
	    TEST(snapshots_are_as_the_vectors_say),
	    TEST(aborted_transactions_are_as_the_vectors_say),
	    TEST(control_batches_are_as_the_vectors_say),
	    TEST(metadata_is_as_the_vectors_say),
	    TEST(states_are_as_the_vectors_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
