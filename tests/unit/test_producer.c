/* Producing: which partition, which batch, and what is told when. */
#include <stream/producer.h>
#include <stream/store.h>
#include <stream/topic.h>

#include "codec/murmur2.h"
#include "faults.h"
#include "fixture.h"

/* A store with the topic "t", open for writing. */
struct shop {
	struct temp_dir *dir;
	struct stream_store *store;
	struct stream_topic *topic;
};

/* settings: NAME, VALUE, ..., NULL. */
static struct shop
open_shop(int32_t partitions, const char *const *settings)
{
	struct shop shop = {.dir = fx_dir()};
	struct stream_topic_config config;
	struct stream_error err = {.text = ""};

	stream_topic_config_init(&config);
	for (; settings != NULL && settings[0] != NULL; settings += 2)
		expect(stream_topic_config_set(
			   &config, settings[0], settings[1], &err),
		    STREAM_OK, err);
	expect(stream_store_open(
		   shop.dir->path, STREAM_STORE_WRITE, 1000, &shop.store, &err),
	    STREAM_OK, err);
	expect(stream_topic_create(shop.store, "t", partitions, &config, &err),
	    STREAM_OK, err);
	expect(stream_topic_open(shop.store, "t", &shop.topic, &err), STREAM_OK,
	    err);
	return shop;
}

static void
close_shop(struct shop *shop)
{
	stream_topic_free(shop->topic);
	stream_store_close(shop->store);
	fx_drop(shop->dir);
}

static struct stream_producer *
open_producer(
    const struct shop *shop, const struct stream_producer_options *options)
{
	struct stream_producer *producer = NULL;
	struct stream_error err = {.text = ""};

	expect(stream_producer_open(
		   shop->store, shop->topic, options, &producer, &err),
	    STREAM_OK, err);
	return producer;
}

static struct fx_seen
read_partition(const struct shop *shop, int32_t partition)
{
	struct temp_dir at = {.fd = -1};
	char name[16];
	struct fx_seen seen;

	snprintf(name, sizeof(name), "t-%d", partition);
	at.fd = openat(shop->dir->fd, name, O_RDONLY | O_DIRECTORY);
	seen = fx_read_all(&at);
	expect(seen.status, STREAM_END, seen.err);
	close(at.fd);
	return seen;
}

static struct stream_record
record_of(const char *key, const void *value, size_t size)
{
	return (struct stream_record){
	    .timestamp_ms = T0,
	    .key = {(const uint8_t *)key, key != NULL ? strlen(key) : 0},
	    .value = {value, size},
	};
}

static void
send(struct stream_producer *producer, int32_t partition,
    struct stream_record record)
{
	struct stream_error err = {.text = ""};

	expect(stream_producer_send(producer, partition, &record, &err),
	    STREAM_OK, err);
}

static void
flush(struct stream_producer *producer)
{
	struct stream_error err = {.text = ""};

	expect(stream_producer_flush(producer, &err), STREAM_OK, err);
}

/* ---- which partition ---- */

static void
a_key_goes_where_kafkas_client_sends_it(void **state)
{
	enum { PARTITIONS = 5, RECORDS = 500 };
	struct shop shop = open_shop(PARTITIONS, NULL);
	struct stream_producer *producer = open_producer(&shop, NULL);
	size_t want[PARTITIONS] = {0};

	(void)state;
	for (int i = 0; i < RECORDS; i++) {
		char key[32];
		int32_t partition;
		struct stream_record record;

		sprintf(key, "user-%d", i);
		partition = stream_murmur2_partition(
		    (const uint8_t *)key, strlen(key), PARTITIONS);
		record = record_of(key, "v", 1);
		assert_int_equal(
		    stream_producer_choose(producer, &record), partition);
		want[partition]++;
		send(producer, STREAM_PARTITION_BY_KEY, record);
	}
	send(producer, 3, record_of("user-0", "v", 1));
	want[3]++;
	flush(producer);
	for (int32_t i = 0; i < PARTITIONS; i++)
		assert_int_equal(read_partition(&shop, i).count, want[i]);
	stream_producer_close(producer);
	close_shop(&shop);
}

/* Records without a key stay together until a batch is full, or flushed. */
static void
records_without_a_key_change_partitions_by_the_batch(void **state)
{
	struct stream_producer_options options = {.batch_bytes = 1000};
	struct shop shop = open_shop(3, NULL);
	struct stream_producer *producer = open_producer(&shop, &options);
	static const uint8_t value[100];
	struct stream_record record = record_of(NULL, value, sizeof(value));
	int changes = 0, run = 0;
	int32_t last = stream_producer_choose(producer, &record);

	(void)state;
	for (int i = 0; i < 90; i++) {
		int32_t now = stream_producer_choose(producer, &record);

		if (now != last) {
			assert_int_equal(now, (last + 1) % 3);
			assert_in_range(run, 5, 9);
			changes++;
			run = 0;
		}
		last = now;
		run++;
		send(producer, STREAM_PARTITION_BY_KEY, record);
	}
	assert_in_range(changes, 9, 14);
	last = stream_producer_choose(producer, &record);
	flush(producer);
	assert_int_not_equal(stream_producer_choose(producer, &record), last);
	for (int32_t i = 0; i < 3; i++)
		assert_in_range(read_partition(&shop, i).count, 20, 40);
	stream_producer_close(producer);
	close_shop(&shop);
}

static void
what_cannot_be_sent_is_refused_and_nothing_else(void **state)
{
	static const char *const settings[] = {
	    "cleanup.policy", "compact", "max.message.bytes", "300", NULL};
	static const uint8_t value[1000];
	struct shop shop = open_shop(2, settings);
	struct stream_producer *producer = open_producer(&shop, NULL);
	struct stream_error err;
	struct stream_record record = record_of("k", value, 10);

	(void)state;
	send(producer, 0, record);
	expect(stream_producer_send(producer, 2, &record, &err), STREAM_ENOENT,
	    err);
	expect(stream_producer_send(producer, -2, &record, &err), STREAM_ENOENT,
	    err);
	record = record_of(NULL, value, 10);
	expect(stream_producer_send(producer, 0, &record, &err), STREAM_EUSAGE,
	    err);
	record = record_of("k", value, 1000);
	expect(stream_producer_send(producer, 0, &record, &err), STREAM_ETOOBIG,
	    err);
	send(producer, 0, record_of("k", value, 10));
	flush(producer);
	assert_int_equal(read_partition(&shop, 0).count, 2);
	stream_producer_close(producer);
	close_shop(&shop);
}

/* The limit is of the batch that the record makes alone. */
static void
a_record_may_fill_a_batch_to_the_last_byte(void **state)
{
	static const struct {
		const char *name, *value;
		size_t most;
	} rows[] = {{"max.message.bytes", "100", 100},
	    {"max.message.bytes", "70", 70}, {"segment.bytes", "200", 200},
	    {"max.message.bytes", "60", 60}, {"max.message.bytes", "0", 0},
	    {"segment.bytes", "14", 14}};
	static const uint8_t value[300];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *const settings[] = {
		    rows[i].name, rows[i].value, NULL};
		struct shop shop = open_shop(1, settings);
		struct stream_producer *producer = open_producer(&shop, NULL);
		size_t sent = 0;

		for (size_t n = 0; n < sizeof(value); n++) {
			struct stream_record record = record_of(NULL, value, n);
			size_t size = STREAM_BATCH_HEADER + 7 + n + (n > 63) +
				      (n + 6 + (n > 63) > 63);
			struct stream_error err = {.text = ""};

			expect(stream_producer_send(producer, 0, &record, &err),
			    size <= rows[i].most ? STREAM_OK : STREAM_ETOOBIG,
			    err);
			sent += size <= rows[i].most;
		}
		flush(producer);
		assert_int_equal(read_partition(&shop, 0).count, sent);
		stream_producer_close(producer);
		close_shop(&shop);
	}
}

static void
timestamps_of_any_distance_come_back(void **state)
{
	static const int64_t times[] = {0, INT64_MAX, -1, INT64_MIN, T0,
	    INT64_MIN + 1, INT64_MAX - 1, -1, T0, T0 + 1};

	(void)state;
	for (unsigned workers = 0; workers < 2; workers++) {
		struct stream_producer_options options = {.workers = workers};
		struct shop shop = open_shop(1, NULL);
		struct stream_producer *producer =
		    open_producer(&shop, &options);
		struct fx_seen want = {.count = 0}, seen;

		for (size_t i = 0; i < COUNT(times); i++) {
			struct stream_record record = record_of("k", "v", 1);

			record.timestamp_ms = times[i];
			send(producer, 0, record);
			record.offset = (int64_t)i;
			fx_see(&want, &record);
		}
		flush(producer);
		seen = read_partition(&shop, 0);
		assert_int_equal(seen.count, COUNT(times));
		assert_int_equal(seen.sum, want.sum);
		stream_producer_close(producer);
		close_shop(&shop);
	}
}

/* ---- order ---- */

struct told {
	int64_t next[4];
	int batches;
	int64_t records;
};

static void
take_word(void *context, const struct stream_appended *appended)
{
	struct told *told = context;

	assert_int_equal(
	    appended->base_offset, told->next[appended->partition]);
	told->next[appended->partition] += appended->count;
	told->batches++;
	told->records += appended->count;
}

/* Every codec, with and without threads: each partition has its records in the
 * order in which they were sent, and was told of in that order. */
static void
codecs_and_threads_keep_the_order(void **state)
{
	enum { RECORDS = 6000 };
	static const unsigned counts[] = {0, 1, 2, 5};
	uint32_t sums[4] = {0};

	(void)state;
	for (size_t i = 0; i < 5 * COUNT(counts); i++) {
		struct told told = {.batches = 0};
		struct stream_producer_options options = {.has_codec = true,
		    .codec = (enum stream_codec)(i / COUNT(counts)),
		    .level = STREAM_LEVEL_DEFAULT,
		    .batch_bytes = 3000,
		    .workers = counts[i % COUNT(counts)],
		    .appended = take_word,
		    .context = &told};
		struct shop shop = open_shop(3, NULL);
		struct stream_producer *producer =
		    open_producer(&shop, &options);
		uint32_t seed = 5;

		for (int n = 0; n < RECORDS; n++) {
			char key[16], value[600];
			size_t size = fx_random(&seed) % sizeof(value);

			sprintf(key, "k%d", n % 97);
			for (size_t at = 0; at < size; at++)
				value[at] =
				    (char)('a' + at % (size_t)(1 + n % 20));
			send(producer, STREAM_PARTITION_BY_KEY,
			    record_of(key, value, size));
			if (n % 1999 == 0)
				flush(producer);
		}
		flush(producer);
		assert_int_equal(told.records, RECORDS);
		for (int32_t p = 0; p < 3; p++) {
			struct fx_seen seen = read_partition(&shop, p);

			assert_int_equal(seen.count, told.next[p]);
			if (sums[p] == 0)
				sums[p] = seen.sum;
			if (seen.sum != sums[p])
				fail_msg("codec %zu, %u threads",
				    i / COUNT(counts),
				    counts[i % COUNT(counts)]);
		}
		stream_producer_close(producer);
		close_shop(&shop);
	}
}

/* What no codec can make smaller still fits where it fitted before. */
static void
bytes_that_do_not_compress_are_written_too(void **state)
{
	static const char *const settings[] = {
	    "segment.bytes", "5000", "max.message.bytes", "5000", NULL};
	/* With its header, length and the rest a batch of 5000 bytes. */
	uint8_t value[5000 - 61 - 2 - 7];
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)fx_random(&seed);
	for (int codec = STREAM_CODEC_GZIP; codec <= STREAM_CODEC_ZSTD;
	     codec++) {
		struct stream_producer_options options = {.has_codec = true,
		    .codec = (enum stream_codec)codec,
		    .level = STREAM_LEVEL_DEFAULT};
		struct shop shop = open_shop(1, settings);
		struct stream_producer *producer =
		    open_producer(&shop, &options);

		for (int n = 0; n < 5; n++)
			send(
			    producer, 0, record_of(NULL, value, sizeof(value)));
		flush(producer);
		assert_int_equal(read_partition(&shop, 0).count, 5);
		stream_producer_close(producer);
		close_shop(&shop);
	}
}

/* ---- what is told ---- */

static void
flushed_and_synced_are_known(void **state)
{
	struct shop shop = open_shop(2, NULL);
	struct stream_producer *producer = open_producer(&shop, NULL);
	struct stream_error err;

	(void)state;
	assert_false(stream_producer_has_unflushed(producer));
	assert_false(stream_producer_has_unsynced(producer));
	send(producer, 0, record_of("k", "v", 1));
	send(producer, 1, record_of("k", "v", 1));
	assert_true(stream_producer_has_unflushed(producer));
	assert_int_equal(read_partition(&shop, 0).count, 0);
	flush(producer);
	assert_false(stream_producer_has_unflushed(producer));
	assert_true(stream_producer_has_unsynced(producer));
	expect(stream_producer_sync(producer, &err), STREAM_OK, err);
	assert_false(stream_producer_has_unsynced(producer));
	stream_producer_close(producer);
	close_shop(&shop);
}

/* Whatever write fails: what was told is there, and what is there was told. */
static void
what_is_told_is_in_the_log(void **state)
{
	(void)state;
	for (int i = 0; i < 24; i++) {
		struct told told = {.batches = 0};
		struct stream_producer_options options = {.batch_bytes = 400,
		    .has_codec = i % 3 == 2,
		    .codec = STREAM_CODEC_ZSTD,
		    .level = STREAM_LEVEL_DEFAULT,
		    .workers = i % 3 == 0 ? 0 : 2,
		    .appended = take_word,
		    .context = &told};
		struct shop shop = open_shop(1, NULL);
		struct stream_producer *producer =
		    open_producer(&shop, &options);
		struct stream_record record = record_of("key", "value", 5);
		struct stream_error err;
		int status = STREAM_OK;

		fault_plan(FAULT_PWRITE, (struct fault){.suffix = ".log",
					     .after = i / 6,
					     .times = 1,
					     .error = ENOSPC,
					     .most = (size_t)i * 37});
		for (int n = 1; n < 4000 && status == STREAM_OK; n++) {
			status =
			    stream_producer_send(producer, 0, &record, &err);
			if (status == STREAM_OK && n % 700 == 0)
				status = stream_producer_flush(producer, &err);
		}
		fault_clear();
		expect(status, STREAM_EIO, err);
		/* Only closing makes sense now. */
		assert_int_not_equal(
		    stream_producer_send(producer, 0, &record, &err),
		    STREAM_OK);
		stream_producer_close(producer);
		assert_int_equal(read_partition(&shop, 0).count, told.records);
		close_shop(&shop);
	}
}

static void
a_failed_sync_is_told_by_both_producers(void **state)
{
	struct shop shop = open_shop(1, NULL);
	struct stream_producer *a = open_producer(&shop, NULL);
	struct stream_producer *b = open_producer(&shop, NULL);
	struct stream_error err;

	(void)state;
	send(a, 0, record_of("k", "a", 1));
	expect(stream_producer_sync(a, &err), STREAM_OK, err);
	send(a, 0, record_of("k", "a", 1));
	send(b, 0, record_of("k", "b", 1));
	flush(a);
	flush(b);
	fault_plan(FAULT_FDATASYNC,
	    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
	expect(stream_producer_sync(a, &err), STREAM_EIO, err);
	assert_non_null(strstr(err.text, "t-0"));
	expect(stream_producer_sync(b, &err), STREAM_ELOST, err);
	assert_int_equal(read_partition(&shop, 0).count, 1);
	fault_clear();
	stream_producer_close(a);
	stream_producer_close(b);
	close_shop(&shop);
}

/* With a sync for each write, nothing is told that is not durable. */
static void
nothing_is_told_whose_sync_failed(void **state)
{
	(void)state;
	for (unsigned workers = 0; workers < 2; workers++) {
		struct told told = {.batches = 0};
		struct stream_producer_options options = {
		    .sync_each_write = true,
		    .workers = workers,
		    .appended = take_word,
		    .context = &told};
		struct shop shop = open_shop(1, NULL);
		struct stream_producer *producer =
		    open_producer(&shop, &options);
		struct stream_error err;

		send(producer, 0, record_of("k", "v", 1));
		flush(producer);
		assert_false(stream_producer_has_unsynced(producer));
		assert_int_equal(told.records, 1);
		send(producer, 0, record_of("k", "v", 1));
		fault_plan(FAULT_FDATASYNC,
		    (struct fault){.suffix = ".log", .times = 1, .error = EIO});
		expect(stream_producer_flush(producer, &err), STREAM_EIO, err);
		assert_int_equal(told.records, 1);
		assert_int_equal(read_partition(&shop, 0).count, 1);
		fault_clear();
		stream_producer_close(producer);
		close_shop(&shop);
	}
}

static void
a_topic_that_is_deleted_takes_no_more(void **state)
{
	struct shop shop = open_shop(1, NULL);
	struct stream_producer *producer = open_producer(&shop, NULL);
	struct stream_error err;

	(void)state;
	send(producer, 0, record_of("k", "v", 1));
	flush(producer);
	expect(stream_topic_delete(shop.store, "t", &err), STREAM_OK, err);
	send(producer, 0, record_of("k", "v", 1));
	expect(stream_producer_flush(producer, &err), STREAM_ENOENT, err);
	stream_producer_close(producer);
	assert_false(temp_dir_has(shop.dir, "t-0"));
	close_shop(&shop);
}

static void
a_store_that_is_open_for_reading_takes_no_producer(void **state)
{
	struct shop shop = open_shop(1, NULL);
	struct stream_producer *producer = NULL;
	struct stream_store *store;
	struct stream_error err;

	(void)state;
	expect(stream_store_open(shop.dir->path, 0, 100, &store, &err),
	    STREAM_OK, err);
	expect(stream_producer_open(store, shop.topic, NULL, &producer, &err),
	    STREAM_EUSAGE, err);
	assert_null(producer);
	stream_producer_close(NULL);
	stream_store_close(store);
	close_shop(&shop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_goes_where_kafkas_client_sends_it),
	    cmocka_unit_test(
		records_without_a_key_change_partitions_by_the_batch),
	    cmocka_unit_test(what_cannot_be_sent_is_refused_and_nothing_else),
	    cmocka_unit_test(a_record_may_fill_a_batch_to_the_last_byte),
	    cmocka_unit_test(timestamps_of_any_distance_come_back),
	    cmocka_unit_test(codecs_and_threads_keep_the_order),
	    cmocka_unit_test(bytes_that_do_not_compress_are_written_too),
	    cmocka_unit_test(flushed_and_synced_are_known),
	    cmocka_unit_test(what_is_told_is_in_the_log),
	    cmocka_unit_test(a_failed_sync_is_told_by_both_producers),
	    cmocka_unit_test(nothing_is_told_whose_sync_failed),
	    cmocka_unit_test(a_topic_that_is_deleted_takes_no_more),
	    cmocka_unit_test(
		a_store_that_is_open_for_reading_takes_no_producer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
