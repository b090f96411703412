/* Segments that become one: as Kafka's cleaner makes it, where it left its
 * sources; what stays and goes; and what happens when something is wrong. */
#include "faults.h"
#include "fixture.h"
#include "log_text.h"
#include "codec/records.h"
#include "codec/records_check.h"
#include "file/dir.h"
#include "log/clean.h"
#include "log/clean_source.h"
#include "log/indexer.h"
#include "log/keymap.h"

enum {
	DAY_MS = 86400000,
	CAP = 8 << 20,
	ONE = 70 /* bytes of a batch of one record "a=1" */
};

/* ---- what a compaction is ---- */

struct round {
	struct temp_dir *dir;
	const int64_t *bases; /* of all segments, the active one last */
	size_t count;
	struct stream_keymap *map;
	struct stream_clean_txn *txn;
	struct stream_clean_rules rules;
	struct stream_clean_stats stats;
};

/* Put the keys of all segments but the active one in the map. */
static void
fill_map(struct round *round)
{
	struct stream_error err = {.text = ""};

	for (size_t i = 0; i + 1 < round->count; i++) {
		struct stream_clean_source source;
		struct stream_unpacker unpacker;
		struct stream_batch batch;
		const uint8_t *bytes;

		expect(stream_clean_source_open(&source, round->dir->fd,
			   round->bases[i], -1, STREAM_SCAN_WHOLE, CAP, &err),
		    STREAM_OK, err);
		stream_unpacker_init(&unpacker, CAP);
		while (stream_clean_source_next(
			   &source, &batch, &bytes, &err) == STREAM_OK) {
			struct stream_records walk;
			struct stream_record record;
			struct stream_bytes section;
			size_t n;

			if (batch.info.record_count == 0 ||
			    stream_batch_is_control(&batch.info) ||
			    stream_clean_txn_is_aborted(
				round->txn, &batch.info))
				continue;
			expect(stream_unpacker_open(
				   &unpacker, &batch, bytes, &section, &err),
			    STREAM_OK, err);
			expect(
			    stream_records_start(&walk, &batch, section, &err),
			    STREAM_OK, err);
			while (stream_records_take(
				   &walk, &record, 1, &n, &err) == STREAM_OK &&
			       n > 0)
				if (record.key.data != NULL)
					assert_true(
					    stream_keymap_put(round->map,
						stream_keymap_hash(
						    round->map, record.key),
						record.offset));
		}
		stream_clean_source_close(&source);
		stream_unpacker_release(&unpacker);
	}
}

static void
start(struct round *round, struct temp_dir *dir, const int64_t *bases,
    size_t count, int64_t now_ms)
{
	struct stream_error err = {.text = ""};

	*round = (struct round){.dir = dir, .bases = bases, .count = count};
	expect(stream_keymap_new(1 << 20, &round->map, &err), STREAM_OK, err);
	expect(stream_clean_txn_new(&round->txn, &err), STREAM_OK, err);
	expect(stream_clean_txn_learn(
		   round->txn, dir->fd, bases, count, CAP, &err),
	    STREAM_OK, err);
	fill_map(round);
	expect(stream_clean_txn_begin(round->txn, &err), STREAM_OK, err);
	round->rules = (struct stream_clean_rules){
	    .map = round->map,
	    .mapped_end = bases[count - 1],
	    .round_end = bases[count - 1],
	    .now_ms = now_ms,
	    .delete_retention_ms = DAY_MS,
	    .index_interval_bytes = 4096,
	    .cap = CAP,
	    .txn = round->txn,
	};
}

static void
end(struct round *round)
{
	stream_keymap_free(round->map);
	stream_clean_txn_free(round->txn);
}

static int
try_group(struct round *round, size_t first, size_t count,
    enum stream_clean_outcome *outcome, struct stream_error *err)
{
	round->rules.next_base = round->bases[first + count];
	return stream_clean_group(round->dir->fd, round->bases + first, count,
	    &round->rules, outcome, &round->stats, err);
}

static enum stream_clean_outcome
clean_group(struct round *round, size_t first, size_t count)
{
	struct stream_error err = {.text = ""};
	enum stream_clean_outcome outcome = STREAM_CLEAN_TOO_LARGE;

	expect(try_group(round, first, count, &outcome, &err), STREAM_OK, err);
	return outcome;
}

/* ---- Kafka's own ---- */

static void
expect_same_file(
    const struct temp_dir *dir, int64_t base, enum stream_name_kind kind)
{
	struct stream_name name = {base, kind, STREAM_NAME_CLEANED};
	struct stream_buf ours, theirs;
	char text[STREAM_NAME_SIZE];

	stream_name_put(&name, text);
	if (fx_get(dir, text, &ours) < 0)
		fail_msg("%s is not there", text);
	name.state = STREAM_NAME_DELETED;
	stream_name_put(&name, text);
	if (fx_get(dir, text, &theirs) < 0)
		fail_msg("%s is not there", text);
	if (ours.size != theirs.size ||
	    (ours.size > 0 && memcmp(ours.data, theirs.data, ours.size) != 0))
		fail_msg(
		    "%s: %zu bytes, not %zu", text, ours.size, theirs.size);
	stream_buf_release(&ours);
	stream_buf_release(&theirs);
}

/* Names that do not count, so that the sources do. */
static void
set_swaps_aside(const struct temp_dir *dir)
{
	struct stream_name name;
	struct stream_buf names;
	char text[STREAM_NAME_SIZE];

	stream_buf_init(&names);
	stream_dir_list(dir->fd, &names, NULL);
	for (const char *n = stream_dir_next(&names, NULL); n != NULL;
	     n = stream_dir_next(&names, n)) {
		if (!stream_name_parse(n, &name) ||
		    name.state != STREAM_NAME_SWAP)
			continue;
		name.state = STREAM_NAME_DELETED;
		stream_name_put(&name, text);
		assert_int_equal(renameat(dir->fd, n, dir->fd, text), 0);
	}
	stream_buf_release(&names);
}

/* A broker died in the middle of a swap: sources and results are there. */
static void
the_result_is_that_of_kafka(void **state)
{
	static const int64_t bases[] = {0, 82, 162, 240};
	struct temp_dir *dir = *state;
	struct round round;

	if (!fx_golden("crash-swap", dir))
		skip();
	assert_int_equal(
	    renameat(dir->fd, LOG_0 ".deleted", dir->fd, LOG_0), 0);
	set_swaps_aside(dir);
	start(&round, dir, bases, COUNT(bases), T0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
		    clean_group(&round, i, 1), STREAM_CLEAN_WRITTEN);
		expect_same_file(dir, bases[i], STREAM_NAME_LOG);
		expect_same_file(dir, bases[i], STREAM_NAME_INDEX);
		expect_same_file(dir, bases[i], STREAM_NAME_TIMEINDEX);
	}
	assert_int_equal(round.stats.in.records, 240);
	assert_int_equal(round.stats.out.records, 25);
	end(&round);
}

/* ---- passes ---- */

static void
put_in_place(struct round *round, size_t first, size_t count)
{
	static const enum stream_name_kind kinds[] = {STREAM_NAME_LOG,
	    STREAM_NAME_INDEX, STREAM_NAME_TIMEINDEX, STREAM_NAME_TXNINDEX};
	int dirfd = round->dir->fd;

	for (size_t i = 0; i < count * COUNT(kinds); i++) {
		struct stream_name name = {
		    .base_offset = round->bases[first + i / 4],
		    .kind = kinds[i % 4]};
		char to[STREAM_NAME_SIZE], from[STREAM_NAME_SIZE];

		stream_name_put(&name, to);
		name.state = STREAM_NAME_CLEANED;
		stream_name_put(&name, from);
		unlinkat(dirfd, to, 0);
		renameat(dirfd, from, dirfd, to);
	}
}

/* Clean each closed segment on its own; how many were written. */
static int
pass(struct temp_dir *dir, const int64_t *bases, size_t count, int64_t now_ms,
    struct stream_clean_stats *stats)
{
	struct round round;
	int written = 0;

	start(&round, dir, bases, count, now_ms);
	for (size_t i = 0; i + 1 < count; i++) {
		if (clean_group(&round, i, 1) != STREAM_CLEAN_WRITTEN)
			continue;
		put_in_place(&round, i, 1);
		written++;
	}
	*stats = round.stats;
	end(&round);
	return written;
}

/* Kafka set horizons at two times: nothing goes before the first, and each
 * takes its tombstones and nothing else. */
static void
tombstones_go_when_their_horizon_has_come(void **state)
{
	static const int64_t bases[] = {0, 46, 90, 120, 161};
	static const int64_t horizons[] = {1700090000000, 1700093600000};
	struct temp_dir *dir = *state;
	struct stream_clean_stats stats, before;

	if (!fx_golden("delete-horizon", dir))
		skip();
	assert_int_equal(
	    pass(dir, bases, COUNT(bases), horizons[0] - 1, &before), 0);
	assert_int_equal(before.out.tombstones, before.in.tombstones);
	assert_int_equal(before.out.bytes, before.in.bytes);
	assert_int_not_equal(before.in.tombstones, 0);

	assert_int_equal(
	    pass(dir, bases, COUNT(bases), horizons[0], &stats), 3);
	assert_int_not_equal(stats.expired, 0);
	assert_int_equal(stats.in.records - stats.out.records, stats.expired);
	assert_int_equal(stats.superseded + stats.no_key, 0);
	assert_int_equal(
	    stats.out.tombstones + stats.expired, before.in.tombstones);
	assert_int_not_equal(stats.out.tombstones, 0);

	assert_int_equal(
	    pass(dir, bases, COUNT(bases), horizons[1], &stats), 1);
	assert_int_equal(stats.out.tombstones, 0);
	assert_int_equal(
	    stats.out.records, before.in.records - before.in.tombstones);
	assert_int_equal(
	    pass(dir, bases, COUNT(bases), horizons[1], &stats), 0);
}

static ssize_t
count_aborts(const struct temp_dir *dir, int64_t base)
{
	char name[STREAM_NAME_SIZE];
	off_t size;

	stream_name_put_plain(base, STREAM_NAME_TXNINDEX, name);
	size = fx_size(dir, name);
	return size < 0 ? -1 : (ssize_t)(size / STREAM_TXNINDEX_ENTRY);
}

/* First the records of aborted transactions go; their markers stay, with the
 * entries that Kafka wrote.  Then these markers get a horizon, and then go. */
static void
markers_go_in_three_passes(void **state)
{
	static const int64_t bases[] = {0, 33, 67, 101};
	struct temp_dir *dir = *state;
	struct temp_dir *kafka = fx_dir();
	struct stream_clean_stats a, b, c;

	if (!fx_golden("transactions", dir) ||
	    !fx_golden("transactions", kafka))
		skip();
	assert_int_equal(pass(dir, bases, COUNT(bases), T0, &a), 3);
	assert_int_not_equal(a.aborted, 0);
	assert_int_equal(
	    a.in.records - a.out.records, a.aborted + a.superseded + a.no_key);
	assert_int_equal(a.in.markers, a.out.markers);
	assert_int_equal(a.horizons, 0);
	for (size_t i = 0; i < 3; i++) {
		char name[STREAM_NAME_SIZE];

		stream_name_put_plain(bases[i], STREAM_NAME_TXNINDEX, name);
		fx_expect_same(dir, kafka, name);
	}
	assert_true(pass(dir, bases, COUNT(bases), T0, &b) > 0);
	assert_int_equal(b.aborted, 0);
	assert_int_equal(b.in.markers, b.out.markers);
	assert_true(b.horizons > 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(count_aborts(dir, bases[i]), -1);
	assert_int_equal(
	    pass(dir, bases, COUNT(bases), T0 + DAY_MS - 1, &c), 0);
	assert_true(pass(dir, bases, COUNT(bases), T0 + DAY_MS, &c) > 0);
	assert_int_equal(c.in.markers - c.out.markers, b.horizons);
	assert_int_equal(c.in.records, c.out.records);
	assert_int_equal(pass(dir, bases, COUNT(bases), T0 + DAY_MS, &c), 0);
	fx_drop(kafka);
}

/* A segment of which Kafka left nothing is there still; together they are what
 * each was. */
static void
what_kafka_compacted_stays(void **state)
{
	static const int64_t bases[] = {0, 82, 162, 242, 322, 402};
	struct temp_dir *dir = *state;
	struct stream_clean_stats stats;
	struct round round;
	char want[8192];

	if (!fx_golden("compacted", dir))
		skip();
	start(&round, dir, bases, COUNT(bases), T0);
	assert_int_equal(clean_group(&round, 0, 3), STREAM_CLEAN_SAME);
	lt_expect_log(dir, 0, STREAM_NAME_CLEANED, "none", __func__);
	round.rules.always = true;
	assert_int_equal(clean_group(&round, 0, 3), STREAM_CLEAN_WRITTEN);
	lt_expect_log(dir, 0, STREAM_NAME_CLEANED, "", __func__);
	snprintf(
	    want, sizeof(want), "%s", lt_read_log(dir, 322, STREAM_NAME_PLAIN));
	round.rules.always = false;
	/* No producer is known any more: their places go. */
	assert_int_equal(clean_group(&round, 3, 2), STREAM_CLEAN_WRITTEN);
	lt_expect_log(dir, 242, STREAM_NAME_CLEANED, want, __func__);
	stats = round.stats;
	assert_int_equal(stats.gone, 4);
	assert_int_equal(stats.in.records, stats.out.records);
	end(&round);
}

/* ---- what stays, and what goes ---- */

static const struct {
	const char *what;
	const char *log;    /* of the segment at 0; the next begins at 100 */
	const char *result; /* NULL: the same */
	int64_t mapped_end; /* 0: all */
	int64_t round_end;  /* 0: nowhere */
	int64_t last_of;    /* producer 7's last batch ends here; 0: unknown */
} cases[] = {
    {"nothing goes", "0 a=1 b=2 c=3", NULL, 0, 0, 0},
    {"older ones go", "0 a=1 b=2|2 a=3", "0 _ b=2|2 a=3", 0, 0, 0},
    {"also in one batch", "0 a=1 b=2 a=3 a=4", "0 _ b=2 _ a=4", 0, 0, 0},
    {"an empty value is one", "0 a=1|1 a=", "1 a=", 0, 0, 0},
    {"an empty key is one", "0 x=1|1 =2", "0 x=1", 0, 0, 0},
    {"a batch of which nothing is left goes", "0 a=1 b=1|2 a=2 b=2",
	"2 a=2 b=2", 0, 0, 0},
    {"a record without a key goes", "0 =1 a=1", "0 _ a=1", 0, 0, 0},
    {"holes stay holes", "3 a=1 _ b=1 _|9 b=2", "3 a=1 _ _ _|9 b=2", 0, 0, 0},
    {"at and above the mapped end all stays", "0 a=1|1 a=2|2 a=3 =4|4 b=1",
	"2 a=3 =4|4 b=1", 2, 0, 0},
    {"and one batch can be on both sides", "0 a=1 =2 =3 a=4", "0 _ _ =3 a=4", 2,
	0, 0},
    {"the end of the round leaves its place", "0 a=1|1 b=1 b=2|3 a=2 b=3",
	"1 (1)|3 a=2 b=3", 0, 3, 0},
    {"once is enough", "1 (1)|3 a=2", NULL, 0, 3, 0},
    {"else a place goes", "1 (1)|3 a=2", "3 a=2", 0, 0, 0},
    {"the last batch of a producer leaves its place",
	"0 p7 a=1|1 p7 b=1|2 a=2 b=3", "1 p7 ()|2 a=2 b=3", 0, 0, 1},
    {"with what is left of it", "0 p7 a=1|1 p7 b=1 c=1|3 b=3",
	"0 p7 a=1|1 p7 _ c=1|3 b=3", 0, 0, 2},
    {"a tombstone sets the horizon", "0 a=1 b~|2 c=1 d=2",
	"0 H a=1 b~|2 c=1 d=2", 0, 0, 0},
    {"but not one that goes", "0 b~ c=1|2 b=2", "0 _ c=1|2 b=2", 0, 0, 0},
    {"above the mapped end too", "0 a=1|1 b~", "0 a=1|1 H b~", 1, 0, 0},
    {"of an aborted transaction all goes, but the marker",
	"0 p7 T a=1 b=1|2 p7 A|3 p7 T c=1|4 p7 C", "2 p7 A|3 p7 T c=1|4 p7 C",
	0, 0, 0},
    {"above the mapped end too", "0 a=1|1 p7 T b=1|2 p7 A", "0 a=1|2 p7 A", 1,
	0, 0},
    {"and what it had does not supersede", "0 a=1|1 p7 T a=2|2 p7 A",
	"0 a=1|2 p7 A", 0, 0, 0},
    {"the place of its last batch keeps the marker",
	"0 p7 T a=1|1 p7 T b=1|2 p7 A", "1 p7 T ()|2 p7 A", 0, 0, 1},
    {"and that is enough", "1 p7 T ()|2 p7 A", NULL, 0, 0, 1},
    {"a marker without a batch gets a horizon", "0 a=1|2 p7 A|3 p8 C",
	"0 a=1|2 p7 H A|3 p8 H C", 0, 0, 0},
    {"transactions of two producers", "0 p7 T a=1|1 p8 T b=1|2 p7 A|3 p8 C",
	"1 p8 T b=1|2 p7 A|3 p8 C", 0, 0, 0},
};

static bool
is_last(void *context, const struct stream_batch_info *info)
{
	const int64_t *last = context;

	return info->producer_id == 7 && info->last_offset == *last;
}

static void
each_record_meets_its_fate(void **state)
{
	static const int64_t bases[] = {0, 100};
	struct temp_dir *dir = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *want = cases[i].result;
		struct stream_clean_stats planned;
		enum stream_clean_outcome outcome;
		struct round round;
		int64_t last = cases[i].last_of;

		lt_put_log(dir, 0, cases[i].log);
		lt_put_log(dir, 100, "100 z=1");
		start(&round, dir, bases, COUNT(bases), T0);
		if (cases[i].mapped_end != 0)
			round.rules.mapped_end = cases[i].mapped_end;
		round.rules.round_end = cases[i].round_end;
		round.rules.is_last = last != 0 ? is_last : NULL;
		round.rules.is_last_context = &last;
		round.rules.dry_run = true;
		outcome = clean_group(&round, 0, 1);
		planned = round.stats;
		lt_expect_log(
		    dir, 0, STREAM_NAME_CLEANED, "none", cases[i].what);
		round.rules.dry_run = false;
		round.stats = (struct stream_clean_stats){0};
		expect(stream_clean_txn_begin(round.txn, NULL), STREAM_OK,
		    (struct stream_error){.text = ""});
		assert_int_equal(clean_group(&round, 0, 1), outcome);
		assert_memory_equal(&planned, &round.stats, sizeof(planned));
		if (want == NULL)
			assert_int_equal(outcome, STREAM_CLEAN_SAME);
		lt_expect_log(dir, 0, STREAM_NAME_CLEANED,
		    want != NULL ? want : "none", cases[i].what);
		put_in_place(&round, 0, 1);
		end(&round);
	}
}
/* Of a segment that horizons would make too large, the rest goes as ever. */
static void
without_horizons_tombstones_stay(void **state)
{
	static const int64_t bases[] = {0, 10};
	static const char log[] = "0 a=1 b~|2 a=2|3 c=1|4 p7 A|5 c~";
	struct temp_dir *dir = *state;

	for (int none = 0; none < 2; none++) {
		struct round round;

		lt_put_log(dir, 0, log);
		lt_put_log(dir, 10, "");
		start(&round, dir, bases, COUNT(bases), T0);
		round.rules.no_horizons = none == 1;
		assert_int_equal(
		    clean_group(&round, 0, 1), STREAM_CLEAN_WRITTEN);
		lt_expect_log(dir, 0, STREAM_NAME_CLEANED,
		    none == 1 ? "0 _ b~|2 a=2|4 p7 A|5 c~"
			      : "0 H _ b~|2 a=2|4 p7 H A|5 H c~",
		    __func__);
		assert_int_equal(round.stats.horizons, none == 1 ? 0 : 3);
		put_in_place(&round, 0, 1);
		end(&round);
	}
}

/* ---- several segments ---- */

static void
expect_no_files(const struct temp_dir *dir)
{
	static const enum stream_name_kind kinds[] = {STREAM_NAME_LOG,
	    STREAM_NAME_INDEX, STREAM_NAME_TIMEINDEX, STREAM_NAME_TXNINDEX};

	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct stream_name name = {0, kinds[i], STREAM_NAME_CLEANED};
		char text[STREAM_NAME_SIZE];

		stream_name_put(&name, text);
		if (temp_dir_has(dir, text))
			fail_msg("%s is there", text);
	}
}

static void
several_segments_become_one(void **state)
{
	static const int64_t bases[] = {0, 10, 20, 30};
	struct temp_dir *dir = *state;
	struct round round;

	lt_put_log(dir, 0, "0 a=1 b=1|2 c=1");
	lt_put_log(dir, 10, "10 d=1|12 e=1");
	lt_put_log(dir, 20, "21 f=1 d=2|23 g=1");
	lt_put_log(dir, 30, "");
	start(&round, dir, bases, COUNT(bases), T0);
	assert_int_equal(clean_group(&round, 0, 3), STREAM_CLEAN_WRITTEN);
	/* What came before the first that goes was copied afterwards. */
	lt_expect_log(dir, 0, STREAM_NAME_CLEANED,
	    "0 a=1 b=1|2 c=1|12 e=1|21 f=1 d=2|23 g=1", __func__);
	assert_int_equal(round.stats.copied, 5);
	assert_int_equal(round.stats.gone, 1);
	end(&round);
}

static void
a_transaction_is_known_in_the_next_segment(void **state)
{
	static const int64_t bases[] = {0, 10, 20, 30};
	struct temp_dir *dir = *state;
	struct round round;

	lt_put_log(dir, 0, "0 p7 T a=1|1 p8 T b=1|2 p9 T c=1");
	lt_put_log(dir, 10, "10 p7 A|11 p8 C");
	lt_put_log(dir, 20, "20 d=1");
	/* Beyond what is compacted stands what becomes of the third. */
	lt_put_log(dir, 30, "30 p9 A");
	start(&round, dir, bases, COUNT(bases), T0);
	assert_int_equal(stream_clean_txn_stable(round.txn), 31);
	assert_int_equal(clean_group(&round, 0, 1), STREAM_CLEAN_WRITTEN);
	lt_expect_log(dir, 0, STREAM_NAME_CLEANED, "1 p8 T b=1", __func__);
	assert_int_equal(clean_group(&round, 1, 1), STREAM_CLEAN_SAME);
	assert_int_equal(clean_group(&round, 2, 1), STREAM_CLEAN_SAME);
	end(&round);
}

static bool
stop(void *context, uint64_t bytes)
{
	assert_int_equal(bytes, 0);
	++*(int *)context;
	return false;
}

/* All of a log is read when it has transactions: not to be waited for. */
static void
learning_can_be_stopped(void **state)
{
	static const int64_t bases[] = {0};
	static char log[400000];
	struct temp_dir *dir = *state;
	struct stream_error err = {.text = ""};
	struct stream_clean_txn *txn;
	size_t n = 0;
	int asked = 0;

	for (int i = 0; i < 16000; i++)
		n += (size_t)snprintf(
		    log + n, sizeof(log) - n, "%d p7 T a=1|", i);
	snprintf(log + n, sizeof(log) - n, "16000 p7 C");
	lt_put_log(dir, 0, log);
	expect(stream_clean_txn_new(&txn, &err), STREAM_OK, err);
	stream_clean_txn_watch(txn, stop, &asked);
	expect(stream_clean_txn_learn(txn, dir->fd, bases, 1, CAP, &err),
	    STREAM_EINTR, err);
	assert_int_equal(asked, 1);
	stream_clean_txn_free(txn);
}

static void
an_open_transaction_bounds_what_is_stable(void **state)
{
	static const int64_t bases[] = {0, 10};
	struct temp_dir *dir = *state;
	struct round round;

	lt_put_log(dir, 0, "0 a=1|1 p7 T a=2|2 p8 T b=1|3 p8 C");
	lt_put_log(dir, 10, "10 z=1");
	start(&round, dir, bases, COUNT(bases), T0);
	assert_int_equal(stream_clean_txn_stable(round.txn), 1);
	end(&round);
}

/* Offsets of two segments that no index of one could tell: nothing is left, and
 * what was known of transactions is as it was. */
static void
what_does_not_fit_is_given_back(void **state)
{
	static const int64_t bases[] = {
	    0, 10, INT64_C(3000000000), INT64_C(3000000010)};
	struct temp_dir *dir = *state;
	struct stream_clean_stats none = {0};
	struct round round;

	lt_put_log(dir, 0, "0 p7 T a=1|1 b=1");
	lt_put_log(dir, 10, "10 p7 C|11 b=2");
	lt_put_log(dir, bases[2], "3000000000 c=1");
	lt_put_log(dir, bases[3], "");
	start(&round, dir, bases, COUNT(bases), T0);
	assert_int_equal(clean_group(&round, 0, 3), STREAM_CLEAN_TOO_LARGE);
	assert_memory_equal(&round.stats, &none, sizeof(none));
	expect_no_files(dir);
	assert_int_equal(clean_group(&round, 0, 1), STREAM_CLEAN_WRITTEN);
	assert_int_equal(clean_group(&round, 1, 2), STREAM_CLEAN_TOO_LARGE);
	assert_int_equal(clean_group(&round, 1, 1), STREAM_CLEAN_SAME);
	assert_int_equal(clean_group(&round, 2, 1), STREAM_CLEAN_SAME);
	end(&round);
}

/* ---- threads ---- */

/* Enough for several pieces, of few keys, so that most of it goes. */
static void
put_large(const struct temp_dir *dir)
{
	struct stream_buf log;
	uint32_t seed = 3;

	stream_buf_init(&log);
	for (int64_t base = 0; log.size < 4 << 20;
	     base += 1 + fx_random(&seed) % 20) {
		struct fx_batch make = {
		    .base = base,
		    .time_ms = T0 + base,
		    .value_size = fx_random(&seed) % 3000,
		};

		fx_add(&log, make);
		if (fx_random(&seed) % 2 == 0) {
			make.base += 1;
			make.count = 3;
			fx_add(&log, make);
			base += 3;
		}
	}
	fx_put(dir, LOG_0, log.data, log.size);
	lt_put_log(dir, 1000000, "");
	stream_buf_release(&log);
}

/* One of three keys is superseded by a record that is not here. */
static void
supersede_some(struct round *round)
{
	for (int64_t offset = 0; offset < 100000; offset += 3) {
		char key[24];
		size_t n = (size_t)sprintf(key, "k%lld", (long long)offset);

		stream_keymap_put(round->map,
		    stream_keymap_hash(
			round->map, (struct stream_bytes){(uint8_t *)key, n}),
		    900000);
	}
}

static void
threads_make_the_same(void **state)
{
	static const int64_t bases[] = {0, 1000000};
	struct temp_dir *dir = *state;
	struct stream_buf one = {0}, many;

	put_large(dir);
	for (unsigned workers = 0; workers < 4; workers++) {
		struct round round;

		start(&round, dir, bases, COUNT(bases), T0);
		supersede_some(&round);
		round.rules.workers = workers;
		assert_int_equal(
		    clean_group(&round, 0, 1), STREAM_CLEAN_WRITTEN);
		assert_true(round.stats.superseded > 500);
		assert_true(round.stats.out.records > 500);
		assert_int_equal(round.stats.in.records,
		    round.stats.out.records + round.stats.superseded);
		assert_true(fx_get(dir, LOG_0 ".cleaned", &many) > 1 << 20);
		if (workers > 0) {
			assert_int_equal(many.size, one.size);
			assert_memory_equal(many.data, one.data, one.size);
			stream_buf_release(&many);
		} else {
			one = many;
		}
		fx_remove(dir, LOG_0 ".cleaned");
		fx_remove(dir, INDEX_0 ".cleaned");
		fx_remove(dir, TIMEINDEX_0 ".cleaned");
		end(&round);
	}
	stream_buf_release(&one);
}

/* What a thread finds is told as if there were none. */
static void
a_thread_that_finds_damage_ends_it(void **state)
{
	static const int64_t bases[] = {0, 1000000};
	struct temp_dir *dir = *state;
	struct stream_buf log;
	struct stream_batch batch;
	uint64_t at = 0, size = 0;
	char want[128];

	put_large(dir);
	fx_get(dir, LOG_0, &log);
	for (at = 0; at < 2 << 20; at += size)
		assert_int_equal(stream_batch_measure(log.data + at,
				     log.size - at, CAP, &size, NULL),
		    STREAM_OK);
	assert_int_equal(stream_batch_measure(
			     log.data + at, log.size - at, CAP, &size, NULL),
	    STREAM_OK);
	assert_int_equal(
	    stream_batch_check(log.data + at, size, &batch, NULL), STREAM_OK);
	log.data[at + size - 1] = 2; /* a header that is not there */
	fx_fix_crc(log.data + at, size);
	snprintf(want, sizeof(want),
	    LOG_0 ": byte %llu: batch at offset %lld: record %d has a bad "
		  "header count",
	    (unsigned long long)at, (long long)batch.info.base_offset,
	    batch.info.record_count - 1);
	for (unsigned workers = 0; workers < 3; workers++) {
		enum stream_clean_outcome outcome;
		struct stream_error err = {.text = ""};
		struct round round;

		put_large(dir);
		start(&round, dir, bases, COUNT(bases), T0);
		supersede_some(&round);
		fx_put(dir, LOG_0, log.data, log.size);
		round.rules.workers = workers;
		expect(try_group(&round, 0, 1, &outcome, &err), STREAM_ECORRUPT,
		    err);
		assert_string_equal(err.text, want);
		expect_no_files(dir);
		end(&round);
	}
	stream_buf_release(&log);
}

/* ---- large ones ---- */

/* A batch that goes late in the log, and others that are larger than what is
 * written at once: the rest is there as it was. */
static void
what_comes_before_and_after_is_copied(void **state)
{
	static const int64_t bases[] = {0, 1000000};
	struct fx_batch huge = {.base = 0, .value_size = (2 << 20) + 5};
	struct temp_dir *dir = *state;
	struct stream_buf log, result;
	struct round round;
	size_t at, end_at;

	stream_buf_init(&log);
	fx_add(&log, huge);
	fx_add_many(&log, 1, 1000, 3, 1000, 'b');
	at = log.size;
	fx_add(&log, (struct fx_batch){.base = 5000});
	end_at = log.size;
	fx_add(&log, (struct fx_batch){.base = 5001});
	huge.base = 5002;
	fx_add(&log, huge);
	fx_add(&log, (struct fx_batch){.base = 5003});
	fx_put(dir, LOG_0, log.data, log.size);
	lt_put_log(dir, 1000000, "");
	start(&round, dir, bases, COUNT(bases), T0);
	assert_true(stream_keymap_put(round.map,
	    stream_keymap_hash(
		round.map, (struct stream_bytes){(uint8_t *)"k5000", 5}),
	    900000));
	assert_int_equal(clean_group(&round, 0, 1), STREAM_CLEAN_WRITTEN);
	assert_int_equal(round.stats.gone, 1);
	assert_int_equal(fx_get(dir, LOG_0 ".cleaned", &result),
	    (ssize_t)(log.size - (end_at - at)));
	assert_memory_equal(result.data, log.data, at);
	assert_memory_equal(
	    result.data + at, log.data + end_at, log.size - end_at);
	stream_buf_release(&result);
	stream_buf_release(&log);
	end(&round);
}

/* ---- files ---- */

static void
files_are_as_the_sources_were(void **state)
{
	static const int64_t bases[] = {0, 100};
	static const char *const names[] = {
	    LOG_0 ".cleaned", INDEX_0 ".cleaned", TIMEINDEX_0 ".cleaned"};
	struct timespec times[] = {
	    {.tv_sec = 5}, {.tv_sec = 1000000, .tv_nsec = 123456789}};
	struct temp_dir *dir = *state;
	struct round round;

	lt_put_log(dir, 0, "0 a=1|1 a=2");
	lt_put_log(dir, 100, "");
	assert_int_equal(fchmodat(dir->fd, LOG_0, 0600, 0), 0);
	assert_int_equal(utimensat(dir->fd, LOG_0, times, 0), 0);
	if (geteuid() == 0)
		assert_int_equal(fchownat(dir->fd, LOG_0, 1234, 5678, 0), 0);
	start(&round, dir, bases, COUNT(bases), T0);
	assert_int_equal(clean_group(&round, 0, 1), STREAM_CLEAN_WRITTEN);
	for (size_t i = 0; i < COUNT(names); i++) {
		struct stat st, was;

		assert_int_equal(fstatat(dir->fd, names[i], &st, 0), 0);
		assert_int_equal(fstatat(dir->fd, LOG_0, &was, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(st.st_uid, was.st_uid);
		assert_int_equal(st.st_gid, was.st_gid);
		assert_int_equal(st.st_mtim.tv_sec, times[1].tv_sec);
		assert_int_equal(st.st_mtim.tv_nsec, times[1].tv_nsec);
	}
	end(&round);
}

/* Indexes are those that walking the new log gives. */
static void
indexes_are_those_of_a_recovery(void **state)
{
	static const int64_t bases[] = {0, 100000};
	struct temp_dir *dir = *state;
	struct stream_indexer indexer;
	struct stream_clean_source source;
	struct stream_buf log, index;
	struct stream_batch batch;
	const uint8_t *bytes;
	struct round round;

	stream_buf_init(&log);
	for (int i = 0; i < 300; i++)
		fx_add(&log, (struct fx_batch){.base = i * 3,
				 .count = 3,
				 .time_ms = T0 + i % 7 * 1000 + i,
				 .value_size = 50});
	fx_add(&log, (struct fx_batch){.base = 1000, .letter = 'z'});
	fx_put(dir, LOG_0, log.data, log.size);
	lt_put_log(dir, 100000, "");
	start(&round, dir, bases, COUNT(bases), T0);
	for (int64_t offset = 0; offset < 900; offset += 2) {
		char key[24];
		size_t n = (size_t)sprintf(key, "k%lld", (long long)offset);

		stream_keymap_put(round.map,
		    stream_keymap_hash(
			round.map, (struct stream_bytes){(uint8_t *)key, n}),
		    5000);
	}
	round.rules.index_interval_bytes = 500;
	assert_int_equal(clean_group(&round, 0, 1), STREAM_CLEAN_WRITTEN);
	assert_int_equal(round.stats.superseded, 450);
	put_in_place(&round, 0, 1);
	stream_indexer_init(&indexer, 0, 500);
	assert_int_equal(stream_clean_source_open(&source, dir->fd, 0, -1,
			     STREAM_SCAN_WHOLE, CAP, NULL),
	    STREAM_OK);
	while (stream_clean_source_next(&source, &batch, &bytes, NULL) ==
	       STREAM_OK)
		stream_indexer_add(&indexer, &batch.info, NULL);
	stream_indexer_finish(&indexer, NULL);
	stream_clean_source_close(&source);
	assert_true(indexer.entries > 20);
	assert_int_equal(
	    fx_get(dir, INDEX_0, &index), (ssize_t)indexer.offsets.size);
	assert_memory_equal(index.data, indexer.offsets.data, index.size);
	stream_buf_release(&index);
	assert_int_equal(
	    fx_get(dir, TIMEINDEX_0, &index), (ssize_t)indexer.times.size);
	assert_memory_equal(index.data, indexer.times.data, index.size);
	stream_buf_release(&index);
	stream_buf_release(&log);
	stream_indexer_release(&indexer);
	end(&round);
}

/* ---- what can go wrong ---- */

static void
flip(const struct temp_dir *dir, const char *name, off_t at)
{
	int fd = openat(dir->fd, name, O_RDWR);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static const struct {
	const char *what;
	off_t flip; /* from the end of the second log if negative */
	off_t cut;
	int status;
	const char *text;
} damages[] = {
    {"a value", -3, 0, STREAM_ECORRUPT,
	"00000000000000000010.log: byte 140: bad CRC"},
    {"a cut", 0, 1, STREAM_ETORN,
	"00000000000000000010.log: byte 140: the file ends within a batch, 1 "
	"bytes or more are missing"},
    {"a base offset that is too far", ONE + 3, 0, STREAM_ECORRUPT,
	"00000000000000000010.log: byte 70: last offset 4294967307, but the "
	"segment ends before 20"},
    {"magic", 2 * ONE + 16, 0, STREAM_ENEWER, NULL},
};

/* Whatever a source is damaged by, nothing has changed. */
static void
damage_in_a_source_is_named(void **state)
{
	static const int64_t bases[] = {0, 10, 20};
	struct temp_dir *dir = *state;

	for (size_t i = 0; i < COUNT(damages); i++) {
		enum stream_clean_outcome outcome;
		struct stream_error err = {.text = ""};
		struct round round;
		off_t size;

		lt_put_log(dir, 0, "0 a=1|1 a=2");
		lt_put_log(dir, 10, "10 b=1|11 c=1|12 b=2");
		lt_put_log(dir, 20, "");
		start(&round, dir, bases, COUNT(bases), T0);
		size = fx_size(dir, "00000000000000000010.log");
		assert_int_equal(size, 3 * ONE);
		if (damages[i].cut > 0)
			fx_cut(dir, "00000000000000000010.log",
			    size - damages[i].cut);
		else
			flip(dir, "00000000000000000010.log",
			    damages[i].flip < 0 ? size + damages[i].flip
						: damages[i].flip);
		expect(try_group(&round, 0, 2, &outcome, &err),
		    damages[i].status, err);
		if (damages[i].text != NULL &&
		    strcmp(err.text, damages[i].text) != 0)
			fail_msg("%s: %s", damages[i].what, err.text);
		expect_no_files(dir);
		end(&round);
	}
}

static void
a_record_that_cannot_be_read_is_damage(void **state)
{
	static const int64_t bases[] = {0, 10};
	struct temp_dir *dir = *state;
	enum stream_clean_outcome outcome;
	struct stream_error err = {.text = ""};
	struct stream_buf log;
	struct round round;

	lt_put_log(dir, 0, "");
	lt_put_log(dir, 10, "");
	start(&round, dir, bases, COUNT(bases), T0);
	lt_put_log(dir, 0, "0 a=1|1 a=2");
	fx_get(dir, LOG_0, &log);
	log.data[ONE + STREAM_BATCH_HEADER] += 2; /* the record's length */
	fx_fix_crc(log.data + ONE, ONE);
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	expect(try_group(&round, 0, 1, &outcome, &err), STREAM_ECORRUPT, err);
	assert_string_equal(err.text,
	    LOG_0 ": byte 70: batch at offset 1: record 0 has a bad length");
	assert_int_equal(err.pos, ONE);
	expect_no_files(dir);
	end(&round);
}

static void
remove_cleaned(const struct temp_dir *dir)
{
	fx_remove(dir, LOG_0 ".cleaned");
	fx_remove(dir, INDEX_0 ".cleaned");
	fx_remove(dir, TIMEINDEX_0 ".cleaned");
	fx_remove(dir, "00000000000000000000.txnindex.cleaned");
}

/* Each call that fails, whichever it is, ends it without a trace. */
static void
a_failed_call_leaves_nothing(void **state)
{
	static const int64_t bases[] = {0, 10};
	static const enum fault_call calls[] = {FAULT_PWRITE, FAULT_FSYNC};
	struct temp_dir *dir = *state;
	int failed[COUNT(calls)] = {0};

	lt_put_log(dir, 0, "0 p7 T a=1|1 a=2 b=1|3 a=3|5 p7 A");
	lt_put_log(dir, 10, "");
	for (size_t i = 0; i < COUNT(calls); i++) {
		int status = STREAM_EIO;

		while (status != STREAM_OK) {
			enum stream_clean_outcome outcome;
			struct stream_error err = {.text = ""};
			struct round round;

			start(&round, dir, bases, COUNT(bases), T0);
			fault_plan(calls[i], (struct fault){
						 .after = failed[i],
						 .times = 1,
						 .error = ENOSPC,
					     });
			status = try_group(&round, 0, 1, &outcome, &err);
			fault_clear();
			end(&round);
			if (status == STREAM_OK)
				break;
			expect(status, STREAM_EIO, err);
			assert_int_equal(err.sys, ENOSPC);
			expect_no_files(dir);
			failed[i]++;
		}
		remove_cleaned(dir);
	}
	/* The log and three indexes, of which that of offsets is empty. */
	assert_int_equal(failed[0], 3);
	assert_int_equal(failed[1], 4);
}

/* Bytes that change on their way to the disk are found when they are read. */
static void
spoil(void *context, int fd)
{
	static const uint8_t noise[] = "noise";

	(void)context;
	assert_int_equal(
	    syscall(SYS_pwrite64, fd, noise, sizeof(noise), (off_t)62),
	    sizeof(noise));
}

static void
what_was_written_is_read_again(void **state)
{
	static const int64_t bases[] = {0, 10};
	struct temp_dir *dir = *state;
	enum stream_clean_outcome outcome;
	struct stream_error err = {.text = ""};
	struct round round;

	lt_put_log(dir, 0, "0 a=1|1 a=2 b=1");
	lt_put_log(dir, 10, "");
	start(&round, dir, bases, COUNT(bases), T0);
	fault_plan(FAULT_FSYNC,
	    (struct fault){
		.suffix = ".log.cleaned", .times = 1, .hook = spoil});
	expect(try_group(&round, 0, 1, &outcome, &err), STREAM_ECORRUPT, err);
	fault_clear();
	assert_string_equal(err.text, LOG_0 ".cleaned: bad CRC");
	expect_no_files(dir);
	end(&round);
}

static void
a_file_of_another_is_left_alone(void **state)
{
	static const int64_t bases[] = {0, 10};
	static const char *const names[] = {
	    LOG_0 ".cleaned", INDEX_0 ".cleaned", TIMEINDEX_0 ".cleaned"};
	struct temp_dir *dir = *state;

	for (size_t i = 0; i < COUNT(names); i++) {
		enum stream_clean_outcome outcome;
		struct stream_error err = {.text = ""};
		struct round round;

		lt_put_log(dir, 0, "0 a=1|1 a=2");
		lt_put_log(dir, 10, "");
		temp_dir_put(dir, names[i], "mine");
		start(&round, dir, bases, COUNT(bases), T0);
		expect(try_group(&round, 0, 1, &outcome, &err), STREAM_EEXIST,
		    err);
		assert_int_equal(fx_size(dir, names[i]), 4);
		fx_remove(dir, names[i]);
		expect_no_files(dir);
		end(&round);
	}
}

static bool
stop_after(void *context, uint64_t bytes)
{
	uint64_t *told = context;

	*told += bytes;
	return false;
}

static void
who_says_stop_is_heard(void **state)
{
	static const int64_t bases[] = {0, 10};
	struct temp_dir *dir = *state;
	enum stream_clean_outcome outcome;
	struct stream_error err = {.text = ""};
	struct round round;
	uint64_t told = 0;

	lt_put_log(dir, 0, "0 a=1|1 a=2");
	lt_put_log(dir, 10, "");
	start(&round, dir, bases, COUNT(bases), T0);
	round.rules.go_on = stop_after;
	round.rules.go_on_context = &told;
	expect(try_group(&round, 0, 1, &outcome, &err), STREAM_EINTR, err);
	assert_int_equal(told, fx_size(dir, LOG_0));
	expect_no_files(dir);
	end(&round);
}

#define in_dir(test) \
	cmocka_unit_test_setup_teardown( \
	    test, temp_dir_set_up, temp_dir_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    in_dir(the_result_is_that_of_kafka),
	    in_dir(tombstones_go_when_their_horizon_has_come),
	    in_dir(markers_go_in_three_passes),
	    in_dir(what_kafka_compacted_stays),
	    in_dir(each_record_meets_its_fate),
	    in_dir(without_horizons_tombstones_stay),
	    in_dir(several_segments_become_one),
	    in_dir(a_transaction_is_known_in_the_next_segment),
	    in_dir(learning_can_be_stopped),
	    in_dir(an_open_transaction_bounds_what_is_stable),
	    in_dir(what_does_not_fit_is_given_back),
	    in_dir(threads_make_the_same),
	    in_dir(a_thread_that_finds_damage_ends_it),
	    in_dir(what_comes_before_and_after_is_copied),
	    in_dir(files_are_as_the_sources_were),
	    in_dir(indexes_are_those_of_a_recovery),
	    in_dir(damage_in_a_source_is_named),
	    in_dir(a_record_that_cannot_be_read_is_damage),
	    in_dir(a_failed_call_leaves_nothing),
	    in_dir(what_was_written_is_read_again),
	    in_dir(a_file_of_another_is_left_alone),
	    in_dir(who_says_stop_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
