/* Kafka's producer state: snapshots and aborted transactions, from batches. */
#include "codec/varint.h"
#include "file/dir.h"
#include "file/scan.h"
#include "fixture.h"
#include "log/producers.h"

enum { TXN = STREAM_BATCH_TRANSACTIONAL };

/* What a log says, fed batch by batch from the buffer. */
static struct stream_producers *
feed(const struct stream_buf *log, struct stream_buf *aborted)
{
	struct stream_producers *producers = NULL;

	assert_int_equal(stream_producers_new(&producers, NULL), STREAM_OK);
	for (size_t at = 0; at < log->size;) {
		struct stream_producers_abort abort;
		struct stream_batch batch;
		uint64_t size;
		uint8_t entry[STREAM_TXNINDEX_ENTRY];

		assert_int_equal(stream_batch_measure(log->data + at,
				     log->size - at, 1 << 20, &size, NULL),
		    STREAM_OK);
		assert_int_equal(stream_batch_check(log->data + at,
				     (size_t)size, &batch, NULL),
		    STREAM_OK);
		assert_int_equal(stream_producers_add(producers, &batch.info,
				     log->data + at, &abort, NULL),
		    STREAM_OK);
		if (abort.happened) {
			stream_aborted_put(entry, &abort.entry);
			stream_buf_add(aborted, entry, sizeof(entry), NULL);
		}
		at += size;
	}
	return producers;
}

static size_t
snapshot(const struct stream_producers *producers,
    struct stream_snapshot_entry **entries)
{
	struct stream_buf out;
	size_t count;

	stream_buf_init(&out);
	assert_int_equal(
	    stream_producers_snapshot(producers, &out, NULL), STREAM_OK);
	assert_int_equal(
	    stream_snapshot_parse((struct stream_bytes){out.data, out.size},
		entries, &count, NULL),
	    STREAM_OK);
	stream_buf_release(&out);
	return count;
}

static void
add(struct stream_buf *log, int64_t base, int64_t id, uint16_t attributes)
{
	fx_add(log, (struct fx_batch){.base = base,
			.count = 2,
			.time_ms = T0 + base,
			.producer_id = id,
			.attributes = attributes});
}

/* Fields outside of what the fixture sets, of the batch at a byte. */
static void
set(struct stream_buf *log, size_t at, int16_t epoch, int32_t sequence)
{
	stream_store16(log->data + at + 51, (uint16_t)epoch);
	stream_store32(log->data + at + 53, (uint32_t)sequence);
	fx_fix_crc(log->data + at, log->size - at);
}

static void
the_last_batch_of_a_producer_is_kept(void **state)
{
	struct stream_snapshot_entry *e;
	struct stream_producers *producers;
	struct stream_buf log, aborted;
	size_t at;

	(void)state;
	stream_buf_init(&log);
	stream_buf_init(&aborted);
	add(&log, 0, 7, 0);
	fx_add_many(&log, 2, 1, 1, 0, 'a'); /* of no producer */
	at = log.size;
	add(&log, 3, 7, 0);
	set(&log, at, 0, INT32_MAX);
	producers = feed(&log, &aborted);
	assert_int_equal(snapshot(producers, &e), 1);
	assert_int_equal(e->producer_id, 7);
	assert_int_equal(e->last_offset, 4);
	assert_int_equal(e->offset_delta, 1);
	assert_int_equal(e->last_sequence, 0); /* goes round */
	assert_int_equal(e->timestamp_ms, T0 + 3);
	assert_int_equal(e->coordinator_epoch, -1);
	assert_int_equal(e->transaction_first_offset, -1);
	assert_int_equal(aborted.size, 0);
	free(e);
	stream_producers_free(producers);
	stream_buf_release(&log);
}

static void
a_marker_of_another_epoch_forgets_the_batches(void **state)
{
	struct stream_snapshot_entry *e;
	struct stream_producers *producers;
	struct stream_buf log, aborted;
	size_t at;

	(void)state;
	stream_buf_init(&log);
	stream_buf_init(&aborted);
	add(&log, 0, 7, TXN);
	fx_add_marker(&log, 2, 7, true, T0 + 9);
	producers = feed(&log, &aborted);
	assert_int_equal(snapshot(producers, &e), 1);
	assert_int_equal(e->last_offset, 1);
	assert_int_equal(e->timestamp_ms, T0 + 9);
	assert_int_equal(e->coordinator_epoch, 0);
	assert_int_equal(e->transaction_first_offset, -1);
	free(e);
	stream_producers_free(producers);
	at = log.size;
	fx_add_marker(&log, 3, 7, true, T0 + 10);
	set(&log, at, 1, -1);
	producers = feed(&log, &aborted);
	assert_int_equal(snapshot(producers, &e), 1);
	assert_int_equal(e->producer_epoch, 1);
	assert_int_equal(e->last_offset, -1);
	assert_int_equal(e->last_sequence, -1);
	assert_int_equal(e->offset_delta, 0);
	free(e);
	stream_producers_free(producers);
	stream_buf_release(&log);
}

/* The last stable offset is where the first other open transaction began. */
static void
an_abort_gives_an_entry_with_what_is_stable(void **state)
{
	static const struct stream_aborted want[] = {
	    {8, 2, 4, 0}, {7, 0, 7, 5}, {9, 5, 8, 9}};
	struct stream_producers *producers;
	struct stream_snapshot_entry *e;
	struct stream_buf log, aborted;

	(void)state;
	stream_buf_init(&log);
	stream_buf_init(&aborted);
	add(&log, 0, 7, TXN);
	add(&log, 2, 8, TXN);
	fx_add_marker(&log, 4, 8, false, T0);
	add(&log, 5, 9, TXN);
	fx_add_marker(&log, 7, 7, false, T0);
	fx_add_marker(&log, 8, 9, false, T0);
	fx_add_marker(&log, 9, 9, false, T0); /* ends nothing */
	add(&log, 10, 8, TXN);
	fx_add_marker(&log, 12, 8, true, T0); /* a commit gives none */
	add(&log, 13, 8, TXN);
	producers = feed(&log, &aborted);
	assert_int_equal(aborted.size, COUNT(want) * STREAM_TXNINDEX_ENTRY);
	for (size_t i = 0; i < COUNT(want); i++) {
		uint8_t entry[STREAM_TXNINDEX_ENTRY];

		stream_aborted_put(entry, &want[i]);
		assert_memory_equal(
		    aborted.data + i * sizeof(entry), entry, sizeof(entry));
	}
	assert_int_equal(snapshot(producers, &e), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(e[i].transaction_first_offset,
		    e[i].producer_id == 8 ? 13 : -1);
	free(e);
	stream_producers_free(producers);
	stream_buf_release(&aborted);
	stream_buf_release(&log);
}

/* The order of Java's HashMap: 16 buckets, then 32, by the folded hash. */
static void
snapshots_have_javas_order(void **state)
{
	static const struct {
		int64_t ids[14];
		int64_t order[14];
	} rows[] = {
	    {{7000, 7001, 7002, 9000, 9100}, {7000, 9000, 7001, 7002, 9100}},
	    {{1000, 1001, 1002, 2000}, {2000, 1000, 1001, 1002}},
	    /* The thirteenth makes 32 buckets of 16. */
	    {{16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
		{16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
	    {{16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16}},
	    /* The upper half counts, and the upper bits of the lower. */
	    {{2, INT64_C(1) << 32, 1 << 16 | 3},
		{INT64_C(1) << 32, 2, 1 << 16 | 3}},
	    /* A ninth in one bucket of a small table doubles it. */
	    {{16, 32, 48, 64, 80, 96, 112, 128, 144},
		{32, 64, 96, 128, 16, 48, 80, 112, 144}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_producers *producers;
		struct stream_snapshot_entry *e;
		struct stream_buf log;
		size_t n = 0;

		stream_buf_init(&log);
		for (; n < COUNT(rows[i].ids) && rows[i].ids[n] != 0; n++)
			add(&log, (int64_t)n * 2, rows[i].ids[n], 0);
		producers = feed(&log, NULL);
		assert_int_equal(snapshot(producers, &e), n);
		for (size_t j = 0; j < n; j++)
			if (e[j].producer_id != rows[i].order[j])
				fail_msg("row %zu: place %zu: %lld", i, j,
				    (long long)e[j].producer_id);
		free(e);
		stream_producers_free(producers);
		stream_buf_release(&log);
	}
}

static void
a_snapshot_loads_to_the_same_snapshot(void **state)
{
	struct stream_snapshot_entry *e, *again;
	struct stream_producers *producers, *loaded;
	struct stream_buf log;
	size_t count;

	(void)state;
	stream_buf_init(&log);
	for (int64_t id = 1; id <= 100; id++)
		add(&log, 2 * id, id * 37, id % 3 == 0 ? TXN : 0);
	producers = feed(&log, NULL);
	count = snapshot(producers, &e);
	assert_int_equal(count, 100);
	assert_int_equal(stream_producers_new(&loaded, NULL), STREAM_OK);
	assert_int_equal(
	    stream_producers_load(loaded, e, count, NULL), STREAM_OK);
	assert_int_equal(snapshot(loaded, &again), 100);
	assert_memory_equal(e, again, count * sizeof(*e));
	free(e);
	free(again);
	stream_producers_free(producers);
	stream_producers_free(loaded);
	stream_buf_release(&log);
}

/* ---- Kafka's own -------------------------------------------------------- */

static void
expect_file(const struct temp_dir *dir, int64_t offset,
    enum stream_name_kind kind, const struct stream_buf *want)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf file;
	ssize_t size;

	stream_name_put_plain(offset, kind, name);
	size = fx_get(dir, name, &file);
	if (size >= 0 || want->size > 0)
		if (size != (ssize_t)want->size ||
		    memcmp(file.data, want->data, want->size) != 0)
			fail_msg("%s differs", name);
	stream_buf_release(&file);
}

static int64_t
replay(const struct temp_dir *dir, int64_t base,
    struct stream_producers *producers, struct stream_buf *aborted)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	char name[STREAM_NAME_SIZE];
	int64_t next = base;
	int fd = openat(dir->fd, fx_log_name(base, name), O_RDONLY);

	stream_scan_init(
	    &scan, fd, 0, STREAM_SCAN_WHOLE, 1 << 20, STREAM_SCAN_BLOCK);
	while (stream_scan_next(&scan, &batch, &bytes, NULL) == STREAM_OK) {
		struct stream_producers_abort abort;
		uint8_t entry[STREAM_TXNINDEX_ENTRY];

		assert_int_equal(stream_producers_add(producers, &batch.info,
				     bytes, &abort, NULL),
		    STREAM_OK);
		next = batch.info.last_offset + 1;
		if (!abort.happened)
			continue;
		stream_aborted_put(entry, &abort.entry);
		stream_buf_add(aborted, entry, sizeof(entry), NULL);
	}
	stream_scan_release(&scan);
	close(fd);
	return next;
}

static void
kafkas_snapshots_and_indexes_come_out(void **state)
{
	static const char *const names[] = {
	    "plain", "idempotent", "transactions"};
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct temp_dir *dir = fx_dir();
		struct stream_producers *producers;
		int64_t base = 0, next = 0;

		assert_int_equal(
		    stream_producers_new(&producers, NULL), STREAM_OK);
		if (!fx_golden(names[i], dir))
			skip();
		for (;; base = next, found++) {
			struct stream_buf aborted, file;
			char name[STREAM_NAME_SIZE];

			if (fx_size(dir, fx_log_name(base, name)) < 0)
				break;
			stream_buf_init(&aborted);
			stream_buf_init(&file);
			next = replay(dir, base, producers, &aborted);
			expect_file(dir, base, STREAM_NAME_TXNINDEX, &aborted);
			stream_producers_snapshot(producers, &file, NULL);
			expect_file(dir, next, STREAM_NAME_SNAPSHOT, &file);
			stream_buf_release(&aborted);
			stream_buf_release(&file);
		}
		stream_producers_free(producers);
		fx_drop(dir);
	}
	assert_int_equal(found, 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_last_batch_of_a_producer_is_kept),
	    cmocka_unit_test(a_marker_of_another_epoch_forgets_the_batches),
	    cmocka_unit_test(an_abort_gives_an_entry_with_what_is_stable),
	    cmocka_unit_test(snapshots_have_javas_order),
	    cmocka_unit_test(a_snapshot_loads_to_the_same_snapshot),
	    cmocka_unit_test(kafkas_snapshots_and_indexes_come_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
