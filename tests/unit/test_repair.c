/* What repair finds wrong and what not, what it leaves, and what it saves. */
#include "codec/batch.h"
#include "file/checkpoint.h"
#include "file/index_txn.h"
#include "fixture.h"
#include "log/repair.h"

#define SNAPSHOT_4 "00000000000000000004.snapshot"
#define TXNINDEX_0 "00000000000000000000.txnindex"

enum { FOREIGN = 1, SPARSE = 2 };

static struct stream_repair_source
source_of(const struct temp_dir *dir, int flags)
{
	struct stream_repair_source source = {
	    .dirfd = dir->fd,
	    .config = fx_config(),
	    .is_ours = (flags & FOREIGN) == 0,
	    .cap = 1 << 20,
	};

	source.config.dense = flags == 0;
	source.config.index_interval_bytes = 100;
	return source;
}

/* The steps as text, "rebuild FILE; stays FILE@BYTE 3..5;", in list. */
static void
list_steps(const struct stream_repair *repair, char list[static 2000])
{
	size_t n = 0;

	list[0] = '\0';
	for (size_t i = 0; i < stream_repair_count(repair); i++) {
		const struct stream_repair_step *step =
		    stream_repair_step(repair, i);

		n += (size_t)snprintf(list + n, 2000 - n, "%s %s",
		    stream_repair_action_name(step->action), step->file);
		if (step->position != STREAM_POS_NONE)
			n += (size_t)snprintf(list + n, 2000 - n, "@%llu",
			    (unsigned long long)step->position);
		if (step->records != 0)
			n += (size_t)snprintf(list + n, 2000 - n, " %lld..%lld",
			    (long long)step->first_offset,
			    (long long)step->last_offset);
		n += (size_t)snprintf(list + n, 2000 - n, "; ");
	}
}

static void
expect_steps(const struct stream_repair *repair, const char *want)
{
	char list[2000];

	list_steps(repair, list);
	if (strcmp(list, want) != 0)
		fail_msg("steps: %s", list);
}

static void
expect_plan(const struct temp_dir *dir, int flags, const char *want)
{
	struct stream_repair_source source = source_of(dir, flags);
	struct stream_repair *repair;
	struct stream_error err = {.text = ""};

	assert_int_equal(stream_repair_new(&repair, NULL), STREAM_OK);
	expect(stream_log_repair_plan(&source, repair, &err), STREAM_OK, err);
	expect_steps(repair, want);
	stream_repair_free(repair);
}

static void
run(const struct temp_dir *dir, int flags, const char *want)
{
	struct stream_repair_source source = source_of(dir, flags);
	struct stream_repair *repair;
	struct stream_error err = {.text = ""};

	assert_int_equal(stream_repair_new(&repair, NULL), STREAM_OK);
	expect(stream_log_repair_run(&source, repair, &err), STREAM_OK, err);
	expect_steps(repair, want);
	stream_repair_free(repair);
}

/* Repair it; the next run has nothing to do. */
static void
expect_repaired(const struct temp_dir *dir, int flags, const char *want)
{
	expect_plan(dir, flags, want);
	run(dir, flags, want);
	expect_plan(dir, flags, "");
}

/* n batches of one record with values of 40 bytes as a log, and its indexes,
 * as a repair writes them, in dir. */
static void
put_log(const struct temp_dir *dir, int64_t base, int n, int flags)
{
	struct stream_repair_source source = source_of(dir, flags);
	struct stream_repair *repair;
	char name[STREAM_NAME_SIZE];
	struct stream_buf log;

	stream_buf_init(&log);
	fx_add_many(&log, base, n, 1, 40, 'a');
	fx_put(dir, fx_log_name(base, name), log.data, log.size);
	stream_buf_release(&log);
	assert_int_equal(stream_repair_new(&repair, NULL), STREAM_OK);
	assert_int_equal(
	    stream_log_repair_run(&source, repair, NULL), STREAM_OK);
	stream_repair_free(repair);
	expect_plan(dir, flags, "");
}

/* What a loss of power left of appends: as the next writer does it. */
static void
what_was_lost_with_power_is_set_aside_and_cut(void **state)
{
	static const uint8_t zeros[110]; /* a batch */
	const struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);
	struct stream_buf before, kept;
	char want[100];
	uint64_t at;

	fx_append(partition, 2, 1, 40, 'a');
	fx_sync(partition);
	at = fx_state(dir).durable_end;
	fx_append(partition, 3, 1, 40, 'b');
	stream_partition_close(partition);
	fx_put_at(dir, LOG_0, at, zeros, sizeof(zeros));
	fx_get(dir, LOG_0, &before);
	fx_reboot(dir, false);
	snprintf(want, sizeof(want), "cut " LOG_0 "@%llu 2..-1; ",
	    (unsigned long long)at);
	expect_repaired(dir, 0, want);
	assert_int_equal(fx_get(dir, ".strm-cut-2", &kept), before.size - at);
	assert_memory_equal(kept.data, before.data + at, kept.size);
	fx_expect_dense(dir, 2);
	stream_buf_release(&kept);
	stream_buf_release(&before);
}

/* ---- indexes ------------------------------------------------------------ */

static void
wrong_indexes_are_rebuilt(void **state)
{
	struct temp_dir *dir = *state;
	struct temp_dir *saved = fx_dir();
	static const struct {
		const char *file;
		size_t at;
		int byte;
	} rows[] = {
	    {INDEX_0, 3, 9},      /* another offset */
	    {INDEX_0, 7, 1},      /* no batch starts there */
	    {INDEX_0, 8, 255},    /* past the log */
	    {TIMEINDEX_0, 7, 77}, /* another time */
	    {TIMEINDEX_0, 11, 2}, /* another offset */
	    {TIMEINDEX_0, 0, 1},
	};

	put_log(dir, 0, 30, 0);
	fx_copy_from(dir->path, saved);
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t byte = (uint8_t)rows[i].byte;
		char want[80];

		fx_put_at(dir, rows[i].file, rows[i].at, &byte, 1);
		snprintf(want, sizeof(want), "rebuild %s; ", rows[i].file);
		expect_repaired(dir, 0, want);
		fx_expect_same(dir, saved, rows[i].file);
	}
	fx_drop(saved);
}

static void
odd_indexes_are_left_alone(void **state)
{
	struct temp_dir *dir = *state;
	uint8_t zeros[64] = {0};
	/* The last offset of an append of three batches, at its first. */
	static const uint8_t append[] = {0, 0, 0, 4, 0, 0, 0, 220};
	struct stream_buf index;

	put_log(dir, 0, 30, FOREIGN);
	/* A broker's slots that are not in use; we make none. */
	fx_put_at(dir, INDEX_0, (uint64_t)fx_size(dir, INDEX_0), zeros, 64);
	fx_put_at(
	    dir, TIMEINDEX_0, (uint64_t)fx_size(dir, TIMEINDEX_0), zeros, 48);
	expect_plan(dir, FOREIGN, "");
	expect_repaired(
	    dir, 0, "rebuild " INDEX_0 "; rebuild " TIMEINDEX_0 "; ");
	/* Few entries, as compaction leaves. */
	fx_get(dir, INDEX_0, &index);
	fx_put(dir, INDEX_0, index.data + 16, 8);
	fx_put(dir, TIMEINDEX_0, "", 0);
	expect_plan(dir, 0, "");
	stream_buf_release(&index);
	fx_put(dir, INDEX_0, append, sizeof(append));
	expect_plan(dir, 0, "");
}

static void
an_interval_is_found_in_what_is_left(void **state)
{
	struct temp_dir *dir = *state;
	struct temp_dir *saved = fx_dir();
	struct stream_repair_source source = source_of(dir, 0);
	struct stream_repair *repair;

	put_log(dir, 0, 60, 0);
	/* As if with another setting. */
	source.index_guess = 512;
	fx_remove(dir, INDEX_0);
	fx_remove(dir, TIMEINDEX_0);
	assert_int_equal(stream_repair_new(&repair, NULL), STREAM_OK);
	assert_int_equal(
	    stream_log_repair_run(&source, repair, NULL), STREAM_OK);
	stream_repair_free(repair);
	fx_copy_from(dir->path, saved);
	fx_remove(dir, INDEX_0);
	expect_repaired(dir, 0, "rebuild " INDEX_0 "; ");
	fx_expect_same(dir, saved, INDEX_0);
	fx_remove(dir, TIMEINDEX_0);
	expect_repaired(dir, 0, "rebuild " TIMEINDEX_0 "; ");
	fx_expect_same(dir, saved, TIMEINDEX_0);
	fx_drop(saved);
}

/* ---- logs --------------------------------------------------------------- */

/* Where the i-th batch of put_log's starts. */
static uint64_t
start_of(const struct temp_dir *dir, int i, int n)
{
	return (uint64_t)fx_size(dir, LOG_0) / (uint64_t)n * (uint64_t)i;
}

static void
each_hole_is_told_and_stays(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_buf before, after;
	char want[200];
	uint8_t bad = 0x55;
	uint64_t third, sixth;

	put_log(dir, 0, 10, 0);
	third = start_of(dir, 3, 10);
	sixth = start_of(dir, 6, 10);
	fx_put_at(dir, LOG_0, third + 70, &bad, 1);
	fx_put_at(dir, LOG_0, sixth + 10, &bad, 1); /* its length */
	snprintf(want, sizeof(want),
	    "stays " LOG_0 "@%llu 3..3; stays " LOG_0 "@%llu 6..6; ",
	    (unsigned long long)third, (unsigned long long)sixth);
	expect_plan(dir, 0, want);
	fx_get(dir, LOG_0, &before);
	run(dir, 0, want);
	fx_get(dir, LOG_0, &after);
	assert_int_equal(before.size, after.size);
	assert_memory_equal(before.data, after.data, before.size);
	stream_buf_release(&before);
	stream_buf_release(&after);
}

static void
a_gap_between_segments_is_a_hole_only_where_logs_are_dense(void **state)
{
	struct temp_dir *dir = *state;

	put_log(dir, 0, 10, 0);
	put_log(dir, 12, 10, SPARSE);
	expect_plan(dir, SPARSE, "");
	expect_plan(dir, 0, "stays " LOG_0 "@1100 10..11; ");
}

/* A batch above the limit is whole: it is no end to cut. */
static void
a_batch_above_the_limit_stays(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_buf log;

	stream_buf_init(&log);
	fx_add_many(&log, 0, 2, 1, 40, 'a');
	fx_add(&log, (struct fx_batch){.base = 2, .value_size = 2 << 20});
	fx_put(dir, LOG_0, log.data, log.size);
	fx_put(dir, INDEX_0, "", 0);
	fx_put(dir, TIMEINDEX_0, "", 0);
	fx_put(dir, STREAM_EPOCHS_FILE, "0\n1\n0 0\n", 8);
	expect_plan(dir, 0, "stays " LOG_0 "@220 2..2; ");
	stream_buf_release(&log);
}

static void
a_cut_makes_the_state_true_for_the_next_writer(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_partition *partition = fx_open(dir, NULL);
	off_t size;

	fx_append(partition, 5, 1, 40, 'a');
	fx_sync(partition);
	stream_partition_close(partition);
	size = fx_size(dir, LOG_0);
	fx_put_at(dir, LOG_0, (uint64_t)size, "torn", 4);
	expect_repaired(dir, 0, "cut " LOG_0 "@550 5..-1; ");
	assert_int_equal(fx_size(dir, LOG_0), size);
	assert_int_equal(fx_size(dir, ".strm-cut-5"), 4);
	partition = fx_open(dir, NULL);
	fx_append(partition, 1, 1, 40, 'b');
	stream_partition_close(partition);
	fx_expect_dense(dir, 6);
}

/* A writer that is at work goes on in the new files. */
static void
a_writer_finds_the_indexes_that_were_rebuilt(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	off_t before;

	config.index_interval_bytes = 100;
	partition = fx_open(dir, &config);
	fx_append(partition, 10, 1, 40, 'a');
	fx_remove(dir, INDEX_0);
	expect_repaired(dir, 0, "rebuild " INDEX_0 "; ");
	before = fx_size(dir, INDEX_0);
	fx_append(partition, 10, 1, 40, 'b');
	assert_int_equal(fx_size(dir, INDEX_0), before + 10 * 8);
	stream_partition_close(partition);
	fx_expect_dense(dir, 20);
	expect_plan(dir, 0, "");
}

static void
a_newest_segment_that_is_gone_stays_gone(void **state)
{
	struct temp_dir *dir = *state;
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;

	config.segment_bytes = 400;
	partition = fx_open(dir, &config);
	fx_append(partition, 7, 1, 40, 'a'); /* three a segment */
	fx_sync(partition);
	stream_partition_close(partition);
	fx_remove(dir, "00000000000000000006.log");
	fx_remove(dir, "00000000000000000006.index");
	fx_remove(dir, "00000000000000000006.timeindex");
	run(dir, 0, "stays 00000000000000000006.log 6..6; ");
}

/* ---- files of the partition --------------------------------------------- */

static void
epochs_are_rebuilt_when_they_contradict_the_log(void **state)
{
	struct temp_dir *dir = *state;
	static const struct {
		const char *text;
		bool wrong;
	} rows[] = {
	    {"0\n2\n0 0\n3 2\n", false},
	    {"0\n3\n0 0\n3 2\n7 4\n", false}, /* begun, nothing written */
	    {"0\n1\n0 0\n", true},
	    {"0\n2\n0 0\n3 4\n", true},
	    {"0\n1\n3 2\n", true},           /* begins too late */
	    {"0\n3\n0 0\n3 2\n7 5\n", true}, /* begun past it */
	    {"0\n2\n0 0\n", true},           /* malformed */
	    {"", true},
	};
	struct stream_buf log;

	stream_buf_init(&log);
	for (int i = 0; i < 4; i++)
		fx_add(&log,
		    (struct fx_batch){
			.base = i, .time_ms = T0 + i, .epoch = i < 2 ? 0 : 3});
	fx_put(dir, LOG_0, log.data, log.size);
	run(dir, 0,
	    "rebuild " INDEX_0 "; rebuild " TIMEINDEX_0
	    "; rebuild " STREAM_EPOCHS_FILE "; ");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_buf file;
		const char *want;

		fx_put(dir, STREAM_EPOCHS_FILE, rows[i].text,
		    strlen(rows[i].text));
		if (!rows[i].wrong) {
			expect_plan(dir, 0, "");
			continue;
		}
		expect_repaired(dir, 0, "rebuild " STREAM_EPOCHS_FILE "; ");
		fx_get(dir, STREAM_EPOCHS_FILE, &file);
		/* A newer epoch begins at the end of the log. */
		want = strchr(rows[i].text, '7') != NULL ? rows[1].text
							 : rows[0].text;
		assert_int_equal(file.size, strlen(want));
		assert_memory_equal(file.data, want, file.size);
		stream_buf_release(&file);
	}
	stream_buf_release(&log);
}

static void
snapshots_of_a_longer_log_are_set_aside(void **state)
{
	struct temp_dir *dir = *state;

	put_log(dir, 0, 4, FOREIGN | SPARSE);
	assert_int_equal(fx_size(dir, SNAPSHOT_4), 10);
	fx_put(dir, "00000000000000000009.snapshot", "x", 1);
	expect_repaired(
	    dir, FOREIGN | SPARSE, "set-aside 00000000000000000009.snapshot; ");
	fx_put(dir, "00000000000000000002.snapshot", "x", 1);
	expect_repaired(
	    dir, FOREIGN | SPARSE, "set-aside 00000000000000000002.snapshot; ");
}

/* Two transactions of one producer; the first is aborted. */
static void
put_transactions(const struct temp_dir *dir)
{
	struct stream_buf log;

	stream_buf_init(&log);
	for (int i = 0; i < 2; i++) {
		fx_add(&log, (struct fx_batch){.base = 2 * i,
				 .time_ms = T0,
				 .producer_id = 7,
				 .attributes = STREAM_BATCH_TRANSACTIONAL});
		fx_add_marker(&log, 2 * i + 1, 7, i == 1, T0);
	}
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	run(dir, FOREIGN | SPARSE,
	    "rebuild " INDEX_0 "; rebuild " TIMEINDEX_0 "; rebuild " TXNINDEX_0
	    "; rebuild " SNAPSHOT_4 "; rebuild " STREAM_EPOCHS_FILE "; ");
	expect_plan(dir, FOREIGN | SPARSE, "");
}

static void
a_transaction_index_must_have_each_abort_and_no_other(void **state)
{
	struct temp_dir *dir = *state;
	static const struct stream_aborted rows[] = {
	    {7, 0, 1, 1},                             /* last stable offset */
	    {7, 1, 1, 2}, {8, 0, 1, 2}, {7, 2, 3, 4}, /* a commit */
	};
	uint8_t want[STREAM_TXNINDEX_ENTRY];
	struct stream_buf file;

	put_transactions(dir);
	stream_aborted_put(want, &(struct stream_aborted){7, 0, 1, 2});
	for (size_t i = 0; i <= COUNT(rows); i++) {
		uint8_t entry[STREAM_TXNINDEX_ENTRY] = {0};

		if (i < COUNT(rows))
			stream_aborted_put(entry, &rows[i]);
		fx_put(dir, TXNINDEX_0, entry,
		    i < COUNT(rows) ? sizeof(entry) : 0);
		expect_repaired(
		    dir, FOREIGN | SPARSE, "rebuild " TXNINDEX_0 "; ");
		assert_int_equal(fx_get(dir, TXNINDEX_0, &file), sizeof(want));
		assert_memory_equal(file.data, want, sizeof(want));
		stream_buf_release(&file);
	}
}

static void
a_topic_of_ours_without_producers_misses_no_snapshot(void **state)
{
	struct temp_dir *dir = *state;

	put_log(dir, 0, 4, 0);
	assert_true(fx_size(dir, SNAPSHOT_4) < 0);
	expect_plan(dir, FOREIGN | SPARSE, "rebuild " SNAPSHOT_4 "; ");
}

/* ---- salvage ------------------------------------------------------------ */

static struct stream_salvaged
salvage(const struct temp_dir *from, const struct temp_dir *to, int flags,
    int64_t log_start, bool gaps, const char *want)
{
	struct stream_repair_source source = source_of(from, flags);
	struct stream_salvaged sum;
	struct stream_repair *repair;
	struct stream_error err = {.text = ""};
	bool has_gaps;

	source.config.log_start_offset = log_start;
	assert_int_equal(stream_repair_new(&repair, NULL), STREAM_OK);
	expect(
	    stream_log_salvage(&source, to->fd, repair, &sum, &has_gaps, &err),
	    STREAM_OK, err);
	expect_steps(repair, want);
	assert_int_equal(has_gaps, gaps);
	stream_repair_free(repair);
	return sum;
}

static void
expect_text(const struct temp_dir *dir, const char *name, const char *want)
{
	struct stream_buf file;

	assert_int_equal(fx_get(dir, name, &file), strlen(want));
	assert_memory_equal(file.data, want, file.size);
	stream_buf_release(&file);
}

/* Batches of 110 bytes with these epochs, one a letter, and a checkpoint; NULL:
 * there is none. */
static void
put_epochs(const struct temp_dir *dir, const char *epochs, const char *text)
{
	struct stream_buf log;

	stream_buf_init(&log);
	fx_add_many(&log, 0, (int)strlen(epochs), 1, 40, 'a');
	for (size_t i = 0; epochs[i] != '\0'; i++)
		log.data[i * 110 + 15] = (uint8_t)(epochs[i] - '0');
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	if (text != NULL)
		fx_put(dir, STREAM_EPOCHS_FILE, text, strlen(text));
	else
		fx_remove(dir, STREAM_EPOCHS_FILE);
}

/* No checksum covers a leader epoch. */
static void
one_batch_proves_no_checkpoint_wrong(void **state)
{
	struct temp_dir *dir = *state, *to;
	static const char right[] = "0\n2\n0 0\n3 4\n";
	static const struct {
		const char *epochs;
		const char *there;
		const char *steps, *left;
		const char *want;
	} rows[] = {
	    {"00003333", right, "", "", right},
	    {"00903333", right, "stays " LOG_0 "@220 2..2; ", "same", right},
	    {"00003033", right, "stays " LOG_0 "@550 5..5; ", "same", right},
	    {"00003339", right, "stays " LOG_0 "@770 7..7; ", "same", right},
	    /* Two wrong ones would make it no better. */
	    {"00903933", right,
		"stays " LOG_0 "@220 2..2; stays " LOG_0 "@550 5..5; ", "same",
		right},
	    {"09903333", right, "stays " LOG_0 "@110 1..2; ", "same", right},
	    {"00003333", "0\n2\n0 0\n3 6\n", "rebuild " STREAM_EPOCHS_FILE "; ",
		"", right},
	    {"00903333", "0\n2\n0 0\n3 6\n",
		"stays " LOG_0 "@220 2..2; rebuild " STREAM_EPOCHS_FILE "; ",
		"stays " LOG_0 "@220 2..2; ", right},
	    {"00903333", NULL,
		"stays " LOG_0 "@220 2..2; rebuild " STREAM_EPOCHS_FILE "; ",
		"stays " LOG_0 "@220 2..2; ", right},
	    {"00903333", "0\n",
		"stays " LOG_0 "@220 2..2; rebuild " STREAM_EPOCHS_FILE "; ",
		"stays " LOG_0 "@220 2..2; ", right},
	};

	put_log(dir, 0, 8, 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool same = strcmp(rows[i].left, "same") == 0;

		put_epochs(dir, rows[i].epochs, rows[i].there);
		to = fx_dir();
		assert_int_equal(salvage(dir, to, 0, 0, false, "").records, 8);
		expect_text(to, STREAM_EPOCHS_FILE, rows[i].want);
		fx_drop(to);
		expect_plan(dir, 0, rows[i].steps);
		run(dir, 0, rows[i].steps);
		expect_text(dir, STREAM_EPOCHS_FILE, rows[i].want);
		expect_plan(dir, 0, same ? rows[i].steps : rows[i].left);
	}
}

/* Its CRC is good, and a reader would stop at its record. */
static void
a_batch_whose_records_cannot_be_read_is_a_hole(void **state)
{
	struct temp_dir *dir = *state, *to = fx_dir();
	struct stream_salvaged sum;
	struct stream_buf log;
	size_t at;

	stream_buf_init(&log);
	fx_add_many(&log, 0, 2, 1, 40, 'a');
	at = log.size;
	fx_add_many(&log, 2, 1, 1, 40, 'a');
	log.data[at + STREAM_BATCH_HEADER + 4] = 77; /* its key's length */
	fx_fix_crc(log.data + at, log.size - at);
	fx_add_many(&log, 3, 2, 1, 40, 'a');
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	sum = salvage(dir, to, 0, 0, true, "hole " LOG_0 "@220 2..2; ");
	assert_int_equal(sum.records, 4);
	assert_int_equal(
	    fx_read(to, (struct fx_reading){.gaps = true}).count, 4);
	expect_plan(to, SPARSE, "");
	fx_drop(to);
}

/* No checksum covers the base offset: one that is too high must not hide the
 * batches after it, nor be given out under it. */
static void
a_batch_ahead_of_its_place_hides_no_other(void **state)
{
	struct temp_dir *dir = *state, *to = fx_dir();
	struct stream_buf log;

	stream_buf_init(&log);
	fx_add_many(&log, 0, 10, 1, 40, 'a');
	log.data[2 * 110 + 7] += 5;
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	expect_plan(dir, SPARSE,
	    "stays " LOG_0 "@220 2..2; rebuild leader-epoch-checkpoint; ");
	assert_int_equal(
	    salvage(dir, to, SPARSE, 0, true, "hole " LOG_0 "@220 2..2; ")
		.records,
	    9);
	fx_drop(to);
}

static void
what_lies_below_the_start_stays_behind(void **state)
{
	struct temp_dir *dir = *state, *to = fx_dir();

	put_log(dir, 0, 10, 0);
	assert_int_equal(salvage(dir, to, 0, 4, true, "").records, 6);
	assert_int_equal(
	    fx_read(to, (struct fx_reading){.gaps = true}).first, 4);
	fx_drop(to);
}

static void
an_empty_partition_is_salvaged_as_one(void **state)
{
	struct temp_dir *dir = *state, *to = fx_dir();

	assert_int_equal(salvage(dir, to, 0, 0, false, "").records, 0);
	assert_int_equal(fx_size(to, LOG_0), 0);
	expect_plan(to, 0, "");
	fx_drop(to);
}

static void
offsets_that_are_lost_are_not_given_out_again(void **state)
{
	struct temp_dir *dir = *state, *to = fx_dir();
	struct stream_log_config config = fx_config();
	struct stream_partition *partition = fx_open(dir, NULL);

	fx_append(partition, 5, 1, 40, 'a');
	fx_sync(partition);
	stream_partition_close(partition);
	fx_cut(dir, LOG_0, 220);
	salvage(dir, to, 0, 0, true, "hole " LOG_0 "@220 2..4; ");
	config.dense = false;
	partition = fx_open(to, &config);
	assert_int_equal(stream_partition_next_offset(partition), 5);
	stream_partition_close(partition);
	fx_drop(to);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_was_lost_with_power_is_set_aside_and_cut),
	    TEST(wrong_indexes_are_rebuilt),
	    TEST(odd_indexes_are_left_alone),
	    TEST(an_interval_is_found_in_what_is_left),
	    TEST(each_hole_is_told_and_stays),
	    TEST(a_gap_between_segments_is_a_hole_only_where_logs_are_dense),
	    TEST(a_batch_above_the_limit_stays),
	    TEST(a_cut_makes_the_state_true_for_the_next_writer),
	    TEST(a_writer_finds_the_indexes_that_were_rebuilt),
	    TEST(a_newest_segment_that_is_gone_stays_gone),
	    TEST(epochs_are_rebuilt_when_they_contradict_the_log),
	    TEST(one_batch_proves_no_checkpoint_wrong),
	    TEST(snapshots_of_a_longer_log_are_set_aside),
	    TEST(a_transaction_index_must_have_each_abort_and_no_other),
	    TEST(a_topic_of_ours_without_producers_misses_no_snapshot),
	    TEST(a_batch_whose_records_cannot_be_read_is_a_hole),
	    TEST(a_batch_ahead_of_its_place_hides_no_other),
	    TEST(what_lies_below_the_start_stays_behind),
	    TEST(an_empty_partition_is_salvaged_as_one),
	    TEST(offsets_that_are_lost_are_not_given_out_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
