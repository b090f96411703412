/* files.c - the small files: checkpoints, snapshots, state, settings */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "codec/crc32c.h"
#include "file/checkpoint.h"
#include "file/index_txn.h"
#include "file/snapshot.h"
#include "file/state.h"
#include "fuzz.h"
#include "store/metadata.h"
#include "store/topic_config.h"

static bool
is_verdict(int status)
{
	return status == STREAM_OK || status == STREAM_ECORRUPT ||
	       status == STREAM_ENEWER || status == STREAM_ENOENT;
}

/* Leader epochs that were read can be written and read again. */
static void
check_epochs(const struct stream_epoch *entries, size_t count)
{
	struct stream_epoch *again = NULL;
	size_t n;

	for (size_t i = 1; i < count; i++) {
		FUZZ_CHECK(entries[i].epoch > entries[i - 1].epoch);
		FUZZ_CHECK(
		    entries[i].start_offset > entries[i - 1].start_offset);
	}
	FUZZ_CHECK(stream_epochs_save(fuzz_directory(), entries, count, NULL) ==
		   STREAM_OK);
	FUZZ_CHECK(stream_epochs_load(fuzz_directory(), &again, &n, NULL) ==
		   STREAM_OK);
	FUZZ_CHECK(n == count);
	for (size_t i = 0; i < count; i++) {
		FUZZ_CHECK(again[i].epoch == entries[i].epoch);
		FUZZ_CHECK(again[i].start_offset == entries[i].start_offset);
	}
	free(again);
}

static void
run_checkpoint(const uint8_t *data, size_t size)
{
	struct stream_bytes text = {data, size};
	struct stream_epoch *entries = NULL;
	char id[STREAM_TOPIC_ID_SIZE];
	int64_t offset;
	size_t count;
	int status;

	status = stream_checkpoint_find_in(text, "orders", 7, &offset, NULL);
	FUZZ_CHECK(is_verdict(status));
	FUZZ_CHECK(status != STREAM_OK || offset >= 0);
	status = stream_epochs_parse(text, &entries, &count, NULL);
	FUZZ_CHECK(is_verdict(status));
	if (status == STREAM_OK)
		check_epochs(entries, count);
	if (status == STREAM_OK)
		free(entries);
	fuzz_put_file(STREAM_METADATA_FILE, data, size);
	status = stream_metadata_load(fuzz_directory(), id, NULL);
	FUZZ_CHECK(is_verdict(status));
	FUZZ_CHECK(status != STREAM_OK || strlen(id) == 22);
}

const struct fuzz_target fuzz_target_checkpoint = {
    "checkpoint", run_checkpoint, NULL};

/* SPEC 6.4. */
enum { SNAPSHOT_HEAD = 10, SNAPSHOT_ENTRY = 46, SNAPSHOT_CRC_FROM = 6 };

static void
run_snapshot(const uint8_t *data, size_t size)
{
	struct stream_snapshot_entry *entries = NULL;
	size_t count;
	int status = stream_snapshot_parse(
	    (struct stream_bytes){data, size}, &entries, &count, NULL);

	FUZZ_CHECK(is_verdict(status));
	if (status != STREAM_OK)
		return;
	FUZZ_CHECK(size == SNAPSHOT_HEAD + count * SNAPSHOT_ENTRY);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *at = data + SNAPSHOT_HEAD + i * SNAPSHOT_ENTRY;

		FUZZ_CHECK(
		    entries[i].producer_id == (int64_t)stream_load64(at));
		FUZZ_CHECK(entries[i].transaction_first_offset ==
			   (int64_t)stream_load64(at + 38));
	}
	free(entries);
}

static size_t
mutate_snapshot(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	size = LLVMFuzzerMutate(data, size, most);
	if (size < SNAPSHOT_HEAD)
		return size;
	if (seed % 4 != 0)
		stream_store16(data, 1);
	if (seed % 8 != 1)
		stream_store32(data + 6,
		    (uint32_t)((size - SNAPSHOT_HEAD) / SNAPSHOT_ENTRY));
	if (seed % 16 != 2 && seed % 3 != 0)
		size -= (size - SNAPSHOT_HEAD) % SNAPSHOT_ENTRY;
	stream_store32(data + 2,
	    stream_crc32c(data + SNAPSHOT_CRC_FROM, size - SNAPSHOT_CRC_FROM));
	return size;
}

const struct fuzz_target fuzz_target_snapshot = {
    "snapshot", run_snapshot, mutate_snapshot};

/* SPEC 5.5.  A segment of the offsets 100 to 199. */
static void
run_txnindex(const uint8_t *data, size_t size)
{
	struct stream_aborted aborted;
	uint8_t again[STREAM_TXNINDEX_ENTRY];
	size_t count, at = 0, walked = 0;
	int64_t last = 99;
	int status = stream_txnindex_check(
	    (struct stream_bytes){data, size}, 100, 200, &count, NULL);

	FUZZ_CHECK(is_verdict(status) || status == STREAM_ETORN);
	for (; stream_aborted_take(data + at, size - at, &aborted, NULL) ==
	       STREAM_OK;
	     at += STREAM_TXNINDEX_ENTRY) {
		stream_aborted_put(again, &aborted);
		FUZZ_CHECK(memcmp(again, data + at, sizeof(again)) == 0);
		FUZZ_CHECK(aborted.first_offset <= aborted.last_offset);
		walked += aborted.last_offset > last;
		last = aborted.last_offset;
	}
	if (status == STREAM_OK) {
		FUZZ_CHECK(count * STREAM_TXNINDEX_ENTRY == size);
		FUZZ_CHECK(walked == count && last < 200);
	}
}

static size_t
mutate_txnindex(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	size = LLVMFuzzerMutate(data, size, most);
	for (size_t at = 0; at + STREAM_TXNINDEX_ENTRY <= size;
	     at += STREAM_TXNINDEX_ENTRY) {
		struct stream_aborted aborted = {
		    .producer_id = fuzz_random(&seed) % 9,
		    .first_offset = fuzz_random(&seed) % 200,
		    .last_offset = 99 + fuzz_random(&seed) % 102,
		    .last_stable_offset = fuzz_random(&seed) % 200};

		if (fuzz_random(&seed) % 4 == 0)
			stream_aborted_put(data + at, &aborted);
	}
	if (seed % 3 != 0)
		size -= size % STREAM_TXNINDEX_ENTRY;
	return size;
}

const struct fuzz_target fuzz_target_txnindex = {
    "txnindex", run_txnindex, mutate_txnindex};

/* SPEC 7.1. */
enum { SLOT = 148, SLOT_CRC = 144, SLOT_APART = 256, SLOT_OWNER = 32 };

static int
state_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("state", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(size == 0 || write(fd, data, size) == (ssize_t)size);
	return fd;
}

static bool
slot_is_whole(const uint8_t *data, size_t size, size_t at,
    const struct stream_state_identity *identity)
{
	return size >= at + SLOT && memcmp(data + at, "STRM\0\1", 6) == 0 &&
	       stream_load32(data + at + SLOT_CRC) ==
		   stream_crc32c(data + at, SLOT_CRC) &&
	       stream_load64(data + at + SLOT_OWNER) == identity->device &&
	       stream_load64(data + at + SLOT_OWNER + 8) == identity->inode;
}

static void
run_state(const uint8_t *data, size_t size)
{
	struct stream_state_identity identity = {.device = 1, .inode = 2};
	struct stream_state state, again;
	int fd = state_file(data, size);
	bool whole = slot_is_whole(data, size, 0, &identity) ||
		     slot_is_whole(data, size, SLOT_APART, &identity);

	FUZZ_CHECK(stream_state_read(fd, &identity, &state, NULL) == STREAM_OK);
	FUZZ_CHECK(whole || state.sequence == 0);
	if (state.sequence != 0 && state.sequence < UINT64_MAX) {
		uint64_t before = state.sequence;

		FUZZ_CHECK(stream_state_write(fd, &identity, &state, NULL) ==
			   STREAM_OK);
		FUZZ_CHECK(state.sequence == before + 1);
		FUZZ_CHECK(stream_state_read(fd, &identity, &again, NULL) ==
			   STREAM_OK);
		FUZZ_CHECK(again.sequence == state.sequence);
		FUZZ_CHECK(again.end == state.end);
		FUZZ_CHECK(again.next_offset == state.next_offset);
		FUZZ_CHECK(again.durable_end == state.durable_end);
		FUZZ_CHECK(again.marks == state.marks);
	}
	close(fd);
}

static size_t
mutate_state(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	static const uint8_t owner[16] = {
	    0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2};

	size = LLVMFuzzerMutate(data, size, most);
	for (size_t at = 0; at + SLOT <= size; at += SLOT_APART) {
		if (fuzz_random(&seed) % 8 != 0) {
			memcpy(data + at, "STRM\0\1", 6);
			memcpy(data + at + SLOT_OWNER, owner, sizeof(owner));
		}
		if (fuzz_random(&seed) % 8 != 0)
			stream_store32(data + at + SLOT_CRC,
			    stream_crc32c(data + at, SLOT_CRC));
	}
	return size;
}

const struct fuzz_target fuzz_target_state = {"state", run_state, mutate_state};

static void
check_settings(const struct stream_topic_settings *settings)
{
	struct stream_topic_settings again;
	char value[STREAM_SETTING_SIZE], value_again[STREAM_SETTING_SIZE];

	FUZZ_CHECK(stream_topic_settings_save(
		       fuzz_directory(), settings, NULL) == STREAM_OK);
	FUZZ_CHECK(stream_topic_settings_load(
		       fuzz_directory(), "orders", &again, NULL) == STREAM_OK);
	FUZZ_CHECK(strcmp(again.id, settings->id) == 0);
	FUZZ_CHECK(again.partitions == settings->partitions);
	FUZZ_CHECK(again.has_gaps == settings->has_gaps);
	FUZZ_CHECK(again.config.is_set == settings->config.is_set);
	for (size_t i = 0; i < stream_topic_config_count(); i++) {
		stream_topic_config_value(&settings->config, i, value);
		stream_topic_config_value(&again.config, i, value_again);
		FUZZ_CHECK(strcmp(value, value_again) == 0);
	}
}

static void
check_intent(const struct stream_intent *intent)
{
	struct stream_intent again;

	for (size_t i = 1; i < intent->count; i++)
		FUZZ_CHECK(intent->partitions[i] > intent->partitions[i - 1]);
	FUZZ_CHECK(
	    stream_intent_save(fuzz_directory(), intent, NULL) == STREAM_OK);
	FUZZ_CHECK(stream_intent_load(
		       fuzz_directory(), "orders", &again, NULL) == STREAM_OK);
	FUZZ_CHECK(again.kind == intent->kind);
	FUZZ_CHECK(strcmp(again.token, intent->token) == 0);
	FUZZ_CHECK(again.count == intent->count);
	FUZZ_CHECK(memcmp(again.partitions, intent->partitions,
		       intent->count * sizeof(int32_t)) == 0);
	stream_intent_release(&again);
}

static void
run_settings(const uint8_t *data, size_t size)
{
	struct stream_bytes text = {data, size};
	struct stream_topic_settings settings;
	struct stream_intent intent;
	int status =
	    stream_topic_settings_parse(text, "orders", &settings, NULL);

	FUZZ_CHECK(is_verdict(status));
	if (status == STREAM_OK)
		check_settings(&settings);
	status = stream_intent_parse(text, "orders", &intent, NULL);
	FUZZ_CHECK(is_verdict(status));
	if (status == STREAM_OK) {
		check_intent(&intent);
		stream_intent_release(&intent);
	}
}

const struct fuzz_target fuzz_target_settings = {
    "settings", run_settings, NULL};
