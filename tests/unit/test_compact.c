/* Compaction of a partition: what stays and goes, in one round or in many, and
 * what the store is told. */
#include <errno.h>

#include "fixture.h"
#include "log_text.h"
#include "base/fail.h"
#include "file/dir.h"
#include "log/compact.h"
#include "log/keymap.h"
#include "log/structure.h"
#include "log/view.h"

enum { DAY_MS = 86400000 };

/* ---- a partition, and the store around it ---- */

struct segment {
	int64_t base;
	const char *text; /* NULL: no such segment */
};

struct store {
	struct temp_dir *dir;
	int64_t clean_point;
	int sets;         /* of it */
	int gaps;         /* how often they were declared */
	int gaps_fail;    /* status of that */
	uint64_t to_read; /* bytes, as was said before */
	uint64_t read;
	uint64_t stop_at; /* bytes after which to stop */
	char *fates;      /* text that is added to */
	/* What another does once the log was looked at; how often, yet. */
	void (*beside)(struct store *store);
	int times;
};

static int
clean_point(void *context, int64_t *offset, struct stream_error *err)
{
	(void)err;
	*offset = ((struct store *)context)->clean_point;
	return STREAM_OK;
}

static int
set_clean_point(void *context, int64_t offset, struct stream_error *err)
{
	struct store *store = context;

	(void)err;
	store->clean_point = offset;
	store->sets++;
	return STREAM_OK;
}

static bool
is_touched(const struct store *store)
{
	struct stream_buf names;
	bool touched = false;

	stream_buf_init(&names);
	stream_dir_list(store->dir->fd, &names, NULL);
	for (const char *n = stream_dir_next(&names, NULL); n != NULL;
	     n = stream_dir_next(&names, n))
		touched |=
		    strstr(n, ".swap") != NULL || strstr(n, ".deleted") != NULL;
	stream_buf_release(&names);
	return touched;
}

static int
declare_gaps(void *context, struct stream_error *err)
{
	struct store *store = context;

	assert_false(is_touched(store));
	store->gaps++;
	if (store->gaps_fail != STREAM_OK)
		return stream_fail(err, store->gaps_fail, 0, "no gaps here");
	return STREAM_OK;
}

static void
will_read(void *context, uint64_t bytes)
{
	struct store *store = context;

	store->to_read += bytes;
	if (store->times == 0)
		return;
	store->times--;
	store->beside(store);
}

static bool
go_on(void *context, uint64_t bytes)
{
	struct store *store = context;

	store->read += bytes;
	return store->stop_at == 0 || store->read < store->stop_at;
}

static struct store
begin(void **state, const struct segment *segments)
{
	struct store store = {.dir = *state, .clean_point = -1};
	struct stream_buf names;

	stream_buf_init(&names);
	stream_dir_list(store.dir->fd, &names, NULL);
	for (const char *n = stream_dir_next(&names, NULL); n != NULL;
	     n = stream_dir_next(&names, n))
		unlinkat(store.dir->fd, n, 0);
	stream_buf_release(&names);
	for (; segments != NULL && segments->text != NULL; segments++)
		lt_put_log(store.dir, segments->base, segments->text);
	return store;
}

/* With what a row says of it; zeros are Kafka's defaults. */
struct how {
	bool force;
	double min_ratio;
	int64_t min_lag_ms;
	int64_t now_ms;
	int64_t segment_bytes;
	int64_t log_start;
	size_t memory;
	int lock_timeout_ms;
};

static struct stream_compact_source
make_source(struct store *store, const struct how *how,
    struct stream_compact_options *options)
{
	struct stream_log_config config = fx_config();

	*options = (struct stream_compact_options){
	    .now_ms = how->now_ms != 0 ? how->now_ms : T0 + 1000,
	    .memory = how->memory,
	    .force = how->force,
	    .lock_timeout_ms = how->lock_timeout_ms,
	    .will_read = will_read,
	    .go_on = go_on,
	    .context = store,
	};
	config.log_start_offset = how->log_start;
	if (how->segment_bytes != 0)
		config.segment_bytes = how->segment_bytes;
	return (struct stream_compact_source){
	    .dirfd = store->dir->fd,
	    .config = config,
	    .min_ratio = how->min_ratio != 0 ? how->min_ratio : 0.5,
	    .min_lag_ms = how->min_lag_ms,
	    .max_lag_ms = INT64_MAX,
	    .delete_retention_ms = DAY_MS,
	    .options = options,
	    .store = store,
	    .clean_point = clean_point,
	    .set_clean_point = set_clean_point,
	    .declare_gaps = declare_gaps,
	};
}

static int
run(struct store *store, const struct how *how, bool writes,
    struct stream_compacted *sum, struct stream_error *err)
{
	struct stream_compact_options options;
	struct stream_compact_source source = make_source(store, how, &options);
	struct stream_partition *partition = NULL;
	struct stream_compact *compact;
	int status;

	if (writes)
		expect(stream_partition_open_structure(
			   source.dirfd, &source.config, &partition, err),
		    STREAM_OK, *err);
	source.partition = partition;
	expect(stream_compact_new(STREAM_COMPACT_CLEAN, &compact, err),
	    STREAM_OK, *err);
	status = writes ? stream_log_compact_run(&source, compact, err)
			: stream_log_compact_plan(&source, compact, err);
	if (status == STREAM_OK)
		*sum = *stream_compact_sum(compact);
	stream_compact_free(compact);
	stream_partition_close(partition);
	return status;
}

static void
compact(
    struct store *store, const struct how *how, struct stream_compacted *sum)
{
	struct stream_error err = {.text = ""};

	expect(run(store, how, true, sum, &err), STREAM_OK, err);
}

static void
expect_plan(
    struct store *store, const struct how *how, struct stream_compacted *sum)
{
	struct stream_error err = {.text = ""};

	expect(run(store, how, false, sum, &err), STREAM_OK, err);
}

/* "0: 1 a=2|3 b=1; 10: ..." */
static const char *
all_logs(const struct store *store)
{
	static char text[65536];
	struct stream_error err = {.text = ""};
	struct stream_view view;
	char *to = text;

	text[0] = '\0';
	expect(stream_view_load(store->dir->fd, &view, &err), STREAM_OK, err);
	for (size_t i = 0; i < view.count; i++)
		to += sprintf(to, "%s%lld: %s", i > 0 ? "; " : "",
		    (long long)view.segments[i].base_offset,
		    lt_read_log(store->dir, view.segments[i].base_offset,
			STREAM_NAME_PLAIN));
	stream_view_release(&view);
	return text;
}

/* Nothing but segments, sound indexes and no leftovers. */
static void
expect_tidy(const struct store *store, const char *name)
{
	struct stream_buf names;

	stream_buf_init(&names);
	stream_dir_list(store->dir->fd, &names, NULL);
	for (const char *n = stream_dir_next(&names, NULL); n != NULL;
	     n = stream_dir_next(&names, n)) {
		struct stream_name parsed;

		if (stream_name_parse(n, &parsed) &&
		    parsed.state != STREAM_NAME_PLAIN)
			fail_msg("%s: %s is left", name, n);
	}
	stream_buf_release(&names);
}

/* ---- what stays and goes ---- */

static void
what_stays_is_what_kafka_keeps(void **state)
{
	static const struct {
		const char *name;
		struct segment segments[6];
		struct how how;
		int64_t clean; /* point before */
		const char *want;
		int64_t clean_after;
		int gaps;
	} rows[] = {
	    {"the newest of each key, in one segment",
		{{0, "0 a=1 b=1"}, {2, "2 a=2"}, {3, "3 b=3"}}, {0}, -1,
		"0: 0 _ b=1|2 a=2; 3: 3 b=3", 3, 1},
	    {"segments too large for one",
		{{0, "0 a=1 b=1"}, {2, "2 a=2"}, {3, ""}},
		{.segment_bytes = 100}, -1, "0: 0 _ b=1; 2: 2 a=2; 3: ", 3, 1},
	    {"the last batch below the bound leaves its place",
		{{0, "0 a=1|1 b=1"}, {2, "2 =x"}, {3, ""}}, {0}, -1,
		"0: 0 a=1|1 b=1|2 (); 3: ", 3, 1},
	    {"a segment of which nothing is left",
		{{0, "0 a=1"}, {1, "1 a=2"}, {2, ""}}, {.segment_bytes = 50},
		-1, "0: ; 1: 1 a=2; 2: ", 2, 1},
	    {"clean records go when a dirty one has their key",
		{{0, "0 a=1|1 b=1"}, {2, "2 b=2 c=2"}, {4, ""}},
		{.min_ratio = 0.1}, 2, "0: 0 a=1|2 b=2 c=2; 4: ", 4, 1},
	    {"a clean duplicate is not looked for",
		{{0, "0 a=1|1 a=2"}, {2, "2 b=2"}, {3, ""}}, {.min_ratio = 0.1},
		2, "0: 0 a=1|1 a=2|2 b=2; 3: ", 3, 1},
	    {"the clean point within a segment",
		{{0, "0 a=1 b=1|2 a=2 a=3"}, {4, "4 c=1"}, {5, ""}},
		{.min_ratio = 0.1}, 3, "0: 0 _ b=1|2 _ a=3|4 c=1; 5: ", 5, 1},
	    {"a tombstone supersedes, stays, and gets a horizon",
		{{0, "0 a=1|1 b=1"}, {2, "2 a~"}, {3, ""}}, {0}, -1,
		"0: 1 b=1|2 H a~; 3: ", 3, 1},
	    {"aborted records neither stay nor supersede",
		{{0, "0 a=1"}, {1, "1 p7 T a=2|2 p7 A"}, {3, "3 b=1"}, {4, ""}},
		{.now_ms = T0 + 2 * DAY_MS}, -1,
		"0: 0 a=1|2 p7 A|3 b=1; 4: ", 4, 1},
	    {"committed ones do",
		{{0, "0 a=1"}, {1, "1 p7 T a=2|2 p7 C"}, {3, "3 b=1"}, {4, ""}},
		{.now_ms = T0 + 2 * DAY_MS}, -1,
		"0: 1 p7 T a=2|2 p7 C|3 b=1; 4: ", 4, 1},
	    {"nothing at or above an open transaction",
		{{0, "0 a=1|1 a=2"}, {2, "2 p7 T a=3"}, {3, "3 a=4"}, {4, ""}},
		{0}, -1, "0: 1 a=2; 2: 2 p7 T a=3; 3: 3 a=4; 4: ", 2, 1},
	    {"a transaction that is open in the active segment",
		{{0, "0 a=1|1 a=2"}, {2, "2 p7 T a=3"}}, {0}, -1,
		"0: 1 a=2; 2: 2 p7 T a=3", 2, 1},
	    {"a producer's last batch leaves its place",
		{{0, "0 p7 a=1|1 p7 a=2"}, {2, "2 p8 a=3|3 a=4"}, {4, ""}}, {0},
		-1, "0: 1 p7 ()|2 p8 ()|3 a=4; 4: ", 4, 1},
	    {"of one that has been silent for a day it goes",
		{{0, "0 p7 a=1|1 p7 a=2"}, {2, "2 p8 a=3|3 a=4"}, {4, ""}},
		{.now_ms = T0 + DAY_MS + 4}, -1, "0: 3 a=4; 4: ", 4, 1},
	    {"its last batch may be in the active segment",
		{{0, "0 p7 a=1|1 p7 a=2|2 a=3"}, {3, "3 p7 c=1"}}, {0}, -1,
		"0: 2 a=3; 3: 3 p7 c=1", 3, 1},
	    {"records below the log start do not count",
		{{0, "0 a=1|1 b=1 c=1"}, {3, "3 d=1"}, {4, ""}},
		{.log_start = 2}, -1, "0: 0 a=1|1 b=1 c=1|3 d=1; 4: ", 4, 1},
	    {"too young", {{0, "0 a=1"}, {1, "1 a=2"}, {2, ""}},
		{.min_lag_ms = 1001}, -1, "0: 0 a=1; 1: 1 a=2; 2: ", -1, 0},
	    {"the second is too young",
		{{0, "0 a=1 a=2"}, {2, "2 a=3"}, {3, ""}}, {.min_lag_ms = 998},
		-1, "0: 0 _ a=2; 2: 2 a=3; 3: ", 2, 1},
	    {"too little is dirty", {{0, "0 a=1"}, {1, "1 a=2"}, {2, ""}}, {0},
		1, "0: 0 a=1; 1: 1 a=2; 2: ", 1, 0},
	    {"the same, forced", {{0, "0 a=1"}, {1, "1 a=2"}, {2, ""}},
		{.force = true}, 1, "0: 1 a=2; 2: ", 2, 1},
	    {"only an active segment", {{0, "0 a=1|1 a=2"}}, {.force = true},
		-1, "0: 0 a=1|1 a=2", -1, 0},
	    {"nothing goes from one segment: it stays, and counts as clean",
		{{0, "0 a=1|1 b=1"}, {2, ""}}, {0}, -1,
		"0: 0 a=1|1 b=1; 2: ", 2, 0},
	    {"clean ones of which nothing goes are not joined",
		{{0, "0 a=1"}, {1, "1 b=1"}, {2, "2 c=1"}, {3, ""}},
		{.min_ratio = 0.1, .segment_bytes = 150}, 2,
		"0: 0 a=1; 1: 1 b=1; 2: 2 c=1; 3: ", 3, 0},
	    {"until something goes",
		{{0, "0 a=1"}, {1, "1 b=1"}, {2, "2 a=2"}, {3, ""}},
		{.min_ratio = 0.1, .segment_bytes = 150}, 2,
		"0: 1 b=1; 2: 2 a=2; 3: ", 3, 1},
	    {"with dirty ones they are",
		{{0, "0 a=1"}, {1, "1 b=1"}, {2, "2 c=1"}, {3, ""}},
		{.min_ratio = 0.1}, 2, "0: 0 a=1|1 b=1|2 c=1; 3: ", 3, 1},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store store = begin(state, rows[i].segments);
		struct stream_compacted sum;
		const char *got;

		store.clean_point = rows[i].clean;
		compact(&store, &rows[i].how, &sum);
		got = all_logs(&store);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i].name, got,
			    rows[i].want);
		if (store.clean_point != rows[i].clean_after ||
		    store.gaps != rows[i].gaps)
			fail_msg("%s: clean up to %lld, gaps %d", rows[i].name,
			    (long long)store.clean_point, store.gaps);
		expect_tidy(&store, rows[i].name);
	}
}

/* A plan says what a run then does, and changes nothing. */
static void
a_plan_is_what_a_run_does(void **state)
{
	static const struct segment segments[] = {{0, "0 a=1 b=1 =x"},
	    {3, "3 p7 T c=1|4 p7 A|5 b=2"}, {6, "6 a~|7 d=1"}, {8, "8 a=4"},
	    {0, NULL}};
	static const struct how hows[] = {
	    {0}, {.force = true}, {.segment_bytes = 100}};

	for (size_t i = 0; i < COUNT(hows); i++) {
		struct store store = begin(state, segments);
		struct stream_compacted planned, done;
		char *before = strdup(all_logs(&store));

		expect_plan(&store, &hows[i], &planned);
		assert_string_equal(all_logs(&store), before);
		assert_int_equal(store.sets + store.gaps, 0);
		expect_tidy(&store, "plan");
		compact(&store, &hows[i], &done);
		assert_memory_equal(&planned, &done, sizeof(done));
		assert_int_equal(done.counts.records_in, 6 + 1);
		assert_int_equal(done.counts.superseded, 2);
		assert_int_equal(done.counts.keyless, 1);
		assert_int_equal(done.counts.aborted, 1);
		assert_int_equal(done.counts.records_out, 3);
		assert_int_equal(done.counts.tombstones_out, 1);
		assert_int_equal(store.read, store.to_read);
		free(before);
	}
}

static void
a_second_run_changes_no_byte(void **state)
{
	static const struct segment segments[] = {{0, "0 a=1 b=1 =x"},
	    {3, "3 p7 a=2|4 a=3|5 b=2"}, {6, "6 a~|7 d=1"}, {8, "8 a=4"},
	    {0, NULL}};
	static const struct how hows[] = {
	    {0}, {.segment_bytes = 200}, {.segment_bytes = 100}};

	for (size_t i = 0; i < COUNT(hows); i++) {
		struct store store = begin(state, segments);
		struct how again = hows[i];
		struct stream_compacted sum;
		char *after;

		compact(&store, &hows[i], &sum);
		assert_true(sum.counts.records_out < sum.counts.records_in);
		after = strdup(all_logs(&store));
		store.sets = store.gaps = 0;
		compact(&store, &hows[i], &sum);
		assert_int_equal(sum.verdict, STREAM_COMPACT_CLEAN);
		again.force = true;
		compact(&store, &again, &sum);
		assert_int_equal(sum.verdict, STREAM_COMPACT_FORCED);
		assert_int_equal(sum.segments_same, sum.segments_in);
		assert_string_equal(all_logs(&store), after);
		assert_int_equal(store.sets + store.gaps, 0);
		free(after);
	}
}

/* The same clock: tombstones go a day after they were cleaned first. */
static void
tombstones_go_in_the_second_pass(void **state)
{
	static const struct segment segments[] = {
	    {0, "0 a=1|1 a~|2 b=1"}, {3, ""}, {0, NULL}};
	struct how how = {.force = true, .now_ms = T0 + 5000};
	struct store store = begin(state, segments);
	struct stream_compacted sum;

	compact(&store, &how, &sum);
	assert_string_equal(all_logs(&store), "0: 1 H a~|2 b=1; 3: ");
	how.now_ms += DAY_MS - 1;
	compact(&store, &how, &sum);
	assert_string_equal(all_logs(&store), "0: 1 H a~|2 b=1; 3: ");
	how.now_ms += 1;
	compact(&store, &how, &sum);
	assert_string_equal(all_logs(&store), "0: 2 b=1; 3: ");
	assert_int_equal(sum.counts.expired, 1);
}

/* ---- rounds ---- */

/* Records of so many keys, some tombstones, in four segments. */
static void
put_noise(struct store *store, int keys, uint32_t seed)
{
	int64_t offset = 0;

	for (int segment = 0; segment < 4; segment++) {
		char text[16384], *to = text;
		int64_t base = offset;

		text[0] = '\0';
		for (int batch = 0; batch < 12; batch++) {
			to += sprintf(to, "%s%lld", batch > 0 ? "|" : "",
			    (long long)offset);
			for (int i = 0; i < 5; i++, offset++)
				to += sprintf(to, " k%u%s",
				    fx_random(&seed) % (unsigned)keys,
				    fx_random(&seed) % 9 == 0 ? "~" : "=v");
		}
		lt_put_log(store->dir, base, text);
	}
	lt_put_log(store->dir, offset, "");
}

/* The batches in order, whatever segment they are in.  A tombstone that an
 * early round kept and a later one took leaves a horizon, as it does in Kafka:
 * that is not looked at. */
static void
put_batches(const struct store *store, char *to)
{
	char *text = strdup(all_logs(store)), *rest = text;

	*to = '\0';
	for (char *segment; (segment = strsep(&rest, ";")) != NULL;) {
		segment = strchr(segment, ':') + 2;
		for (char *h; (h = strstr(segment, " H")) != NULL;)
			memmove(h, h + 2, strlen(h + 2) + 1);
		if (*segment != '\0')
			to += sprintf(to, "%s|", segment);
	}
	free(text);
}

static void
many_rounds_leave_what_one_does(void **state)
{
	static const int keys[] = {1, 3, 20, 100, 1000};
	static const size_t slots[] = {2, 3, 12, 60};
	static char want[65536], got[65536];

	for (size_t i = 0; i < COUNT(keys); i++) {
		struct how how = {.segment_bytes = 2000};
		struct store store = begin(state, NULL);
		struct stream_compacted one, many;

		put_noise(&store, keys[i], (uint32_t)i + 1);
		compact(&store, &how, &one);
		assert_int_equal(one.rounds, 1);
		put_batches(&store, want);
		for (size_t j = 0; j < COUNT(slots); j++) {
			store = begin(state, NULL);
			put_noise(&store, keys[i], (uint32_t)i + 1);
			how.memory = slots[j] * STREAM_KEYMAP_SLOT;
			compact(&store, &how, &many);
			put_batches(&store, got);
			if (strcmp(got, want) != 0)
				fail_msg("%d keys, %zu slots: \"%s\", not "
					 "\"%s\"",
				    keys[i], slots[j], got, want);
			assert_int_equal(store.clean_point, 240);
			assert_int_equal(store.gaps, 1);
			assert_int_equal(store.sets, many.rounds);
			assert_true(many.rounds > 1 || keys[i] < 60);
			assert_int_equal(
			    many.counts.records_in, one.counts.records_in);
			assert_int_equal(
			    many.counts.records_out, one.counts.records_out);
		}
	}
}

/* ---- what goes wrong ---- */

static void
a_stop_leaves_the_log_as_it_was(void **state)
{
	static const struct segment segments[] = {
	    {0, "0 a=1|1 a=2"}, {2, "2 b=1|3 b=2"}, {4, ""}, {0, NULL}};

	struct how how = {0};
	struct store store = begin(state, segments);
	struct stream_compacted sum;
	uint64_t all;

	expect_plan(&store, &how, &sum);
	all = store.to_read;
	assert_true(all > 400);
	/* In the first pass, in the second, and at its very end. */
	for (uint64_t stop = 1; stop <= all; stop += (all - 1) / 7) {
		struct stream_error err = {.text = ""};

		store = begin(state, segments);
		store.stop_at = stop;
		expect(run(&store, &how, true, &sum, &err), STREAM_EINTR, err);
		assert_string_equal(
		    all_logs(&store), "0: 0 a=1|1 a=2; 2: 2 b=1|3 b=2; 4: ");
		assert_int_equal(store.clean_point, -1);
		expect_tidy(&store, "stop");
	}
}

static void
without_the_word_of_gaps_nothing_is_replaced(void **state)
{
	static const struct segment segments[] = {
	    {0, "0 a=1|1 a=2"}, {2, ""}, {0, NULL}};
	struct store store = begin(state, segments);
	struct how how = {0};
	struct stream_compacted sum;
	struct stream_error err = {.text = ""};

	store.gaps_fail = STREAM_EBUSY;
	expect(run(&store, &how, true, &sum, &err), STREAM_EBUSY, err);
	assert_string_equal(all_logs(&store), "0: 0 a=1|1 a=2; 2: ");
	assert_int_equal(store.clean_point, -1);
	expect_tidy(&store, "gaps");
}

/* ---- what newer records are on the disk ---- */

static struct {
	ino_t inodes[64];
	size_t count;
	ino_t fails; /* a sync of this one */
} syncs;

/* No test loses power. */
int
fdatasync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_ino == syncs.fails) {
		errno = EIO;
		return -1;
	}
	if (syncs.count < COUNT(syncs.inodes))
		syncs.inodes[syncs.count++] = st.st_ino;
	return 0;
}

static ino_t
inode_of(const struct store *store, int64_t base)
{
	char name[STREAM_NAME_SIZE];
	struct stat st;

	stream_name_put_plain(base, STREAM_NAME_LOG, name);
	assert_int_equal(fstatat(store->dir->fd, name, &st, 0), 0);
	return st.st_ino;
}

/* A broker closed them, perhaps without a sync. */
static void
what_supersedes_is_durable_before_anything_goes(void **state)
{
	static const struct segment segments[] = {
	    {0, "0 a=1|1 b=1"}, {2, "2 a=2"}, {3, "3 b=2"}, {4, ""}, {0, NULL}};
	struct store store = begin(state, segments);
	struct how how = {.segment_bytes = 100, .min_ratio = 0.1};
	struct stream_compacted sum;
	struct stream_error err = {.text = ""};
	size_t found = 0;
	ino_t inodes[2];

	store.clean_point = 2;
	inodes[0] = inode_of(&store, 2);
	inodes[1] = inode_of(&store, 3);
	syncs.fails = inodes[1];
	expect(run(&store, &how, true, &sum, &err), STREAM_EIO, err);
	assert_string_equal(
	    all_logs(&store), "0: 0 a=1|1 b=1; 2: 2 a=2; 3: 3 b=2; 4: ");
	expect_tidy(&store, "sync");
	syncs.fails = 0;
	syncs.count = 0;
	compact(&store, &how, &sum);
	for (size_t i = 0; i < syncs.count; i++)
		found += syncs.inodes[i] == inodes[0] ||
			 syncs.inodes[i] == inodes[1];
	assert_int_equal(found, 2);
}

/* Damage in what would be cleaned: said with file and byte, nothing changed. */
static void
damage_stops_it_before_anything_changes(void **state)
{
	static const struct segment segments[] = {
	    {0, "0 a=1|1 a=2"}, {2, "2 b=1|3 b=2"}, {4, ""}, {0, NULL}};
	static const struct {
		int64_t base;
		off_t at; /* byte that is flipped; -1: the last is cut off */
		int64_t clean;
		int status;
	} rows[] = {
	    {0, 65, -1, STREAM_ECORRUPT},
	    {2, 65, -1, STREAM_ECORRUPT},
	    {2, -1, -1, STREAM_ETORN},
	    {0, 65, 2, STREAM_ECORRUPT},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store store = begin(state, segments);
		struct how how = {.min_ratio = 0.1};
		struct stream_compacted sum;
		struct stream_error err = {.text = ""};
		char name[STREAM_NAME_SIZE];

		store.clean_point = rows[i].clean;
		fx_log_name(rows[i].base, name);
		if (rows[i].at >= 0)
			fx_put_at(
			    store.dir, name, (uint64_t)rows[i].at, "?", 1);
		else
			fx_cut(store.dir, name, fx_size(store.dir, name) - 1);
		expect(
		    run(&store, &how, true, &sum, &err), rows[i].status, err);
		assert_non_null(strstr(err.text, name));
		assert_int_equal(store.clean_point, rows[i].clean);
		assert_int_equal(store.gaps, 0);
		expect_tidy(&store, "damage");
	}
}

/* ---- beside others ---- */

/* What a compaction leaves of two segments, in place of them. */
static void
merge(struct store *store)
{
	unlinkat(store->dir->fd, "00000000000000000000.log", 0);
	unlinkat(store->dir->fd, "00000000000000000002.log", 0);
	lt_put_log(store->dir, 0, "0 a=1|2 b=1|3 c=2");
}

/* One that never ends: what was looked at is never there when it is read. */
static void
rename_again(struct store *store)
{
	static const char one[] = "00000000000000000001.log";
	static const char two[] = "00000000000000000002.log";
	int fd = store->dir->fd;

	if (renameat(fd, two, fd, one) != 0)
		assert_int_equal(renameat(fd, one, fd, two), 0);
}

/* What stays as it is, is what it is. */
static void
spoil(struct store *store)
{
	fx_put_at(store->dir, "00000000000000000002.log", 65, "?", 1);
}

static void
a_plan_begins_again_when_segments_change(void **state)
{
	static const struct segment segments[] = {
	    {0, "0 a=1"}, {2, "2 b=1|3 c=2"}, {4, ""}, {0, NULL}};
	static const struct {
		const char *name;
		void (*beside)(struct store *store);
		int times;
		int wait_ms;
		int status;
		const char *text;
	} rows[] = {
	    {"a swap", merge, 1, 10000, STREAM_OK, ""},
	    {"no time to look again", merge, 1, 0, STREAM_EBUSY,
		"keep changing"},
	    {"always another name", rename_again, 1000000, 50, STREAM_EBUSY,
		"keep changing"},
	    {"damage that stays", spoil, 1, 10000, STREAM_ECORRUPT,
		"00000000000000000002.log"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store store = begin(state, segments);
		struct how how = {.lock_timeout_ms = rows[i].wait_ms};
		struct stream_compacted sum;
		struct stream_error err = {.text = ""};

		store.beside = rows[i].beside;
		store.times = rows[i].times;
		expect(
		    run(&store, &how, false, &sum, &err), rows[i].status, err);
		if (strstr(err.text, rows[i].text) == NULL)
			fail_msg("%s: %s", rows[i].name, err.text);
		if (rows[i].status == STREAM_OK)
			assert_int_equal(sum.segments_in, 1);
	}
}

/* ---- why ---- */

/* "0 superseded 2; 2 newest" */
static void
note_fate(void *context, const struct stream_compact_fate *fate)
{
	struct store *store = context;

	store->fates += sprintf(store->fates, "%s%lld %s%s",
	    store->fates[-1] == ' ' ? "" : "; ", (long long)fate->offset,
	    stream_compact_reason_name(fate->reason),
	    fate->stays ? "" : " goes");
	if (fate->by_offset >= 0)
		store->fates += sprintf(
		    store->fates, " by %lld", (long long)fate->by_offset);
	if (fate->until_ms >= 0)
		store->fates += sprintf(store->fates, " until %lld",
		    (long long)(fate->until_ms - T0));
	assert_true(fate->why[0] != '\0');
}

static void
why_says_what_becomes_of_each_record(void **state)
{
	static const struct {
		const char *name;
		struct segment segments[5];
		struct how how;
		int64_t clean;
		const char *key, *want;
	} rows[] = {
	    {"all that there is",
		{{0, "0 a=1 b=1|2 a=2"}, {3, "3 a=3 aa=1"}, {5, "5 a=4"}}, {0},
		-1, "a",
		"0 superseded goes by 3; 2 superseded goes by 3; 3 newest; "
		"5 above"},
	    {"a key that is a part of another", {{0, "0 a=1 aa=1"}, {2, ""}},
		{0}, -1, "aa", "1 newest"},
	    {"no such key", {{0, "0 a=1"}, {1, ""}}, {0}, -1, "b", ""},
	    {"an empty key", {{0, "0 a=1"}, {1, ""}}, {0}, -1, "", ""},
	    {"clean ones", {{0, "0 a=1"}, {1, "1 b=1"}, {2, ""}}, {0}, 1, "a",
		"0 newest"},
	    {"aborted", {{0, "0 a=1|1 p7 T a=2|2 p7 A"}, {3, ""}}, {0}, -1, "a",
		"0 newest; 1 aborted goes"},
	    {"above one that is open",
		{{0, "0 a=1"}, {1, "1 p7 T a=2"}, {2, "2 a=3"}, {3, ""}}, {0},
		-1, "a", "0 newest; 1 above; 2 above"},
	    {"tombstones", {{0, "0 a~|1 a~"}, {2, ""}}, {0}, -1, "a",
		"0 superseded goes by 1; 1 tombstone"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store store = begin(state, rows[i].segments);
		struct stream_compact_options options;
		struct stream_compact_source source =
		    make_source(&store, &rows[i].how, &options);
		struct stream_bytes key = {
		    (const uint8_t *)rows[i].key, strlen(rows[i].key)};
		struct stream_compacted sum;
		struct stream_error err = {.text = ""};
		char text[512] = " ";

		store.clean_point = rows[i].clean;
		store.fates = text + 1;
		expect(
		    stream_log_compact_why(&source, key, note_fate, &sum, &err),
		    STREAM_OK, err);
		if (strcmp(text + 1, rows[i].want) != 0)
			fail_msg("%s: \"%s\"", rows[i].name, text + 1);
		assert_int_equal(store.sets + store.gaps, 0);
	}
}

/* What it says of a tombstone is what happens to it. */
static void
why_knows_when_a_tombstone_goes(void **state)
{
	static const struct segment segments[] = {
	    {0, "0 a=1|1 a~|2 b=1"}, {3, ""}, {0, NULL}};
	static const struct {
		int64_t now_ms;
		const char *want;
	} rows[] = {
	    {T0 + 5000, "1 tombstone until 86405000"},
	    {T0 + 5000 + DAY_MS - 1, "1 tombstone until 86405000"},
	    {T0 + 5000 + DAY_MS, "1 expired goes until 86405000"},
	};
	struct how how = {.force = true, .now_ms = T0 + 5000};
	struct store store = begin(state, segments);
	struct stream_bytes key = {(const uint8_t *)"a", 1};
	struct stream_compacted sum;

	compact(&store, &how, &sum);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_compact_options options;
		struct stream_compact_source source;
		struct stream_error err = {.text = ""};
		char text[512] = " ";

		how.now_ms = rows[i].now_ms;
		source = make_source(&store, &how, &options);
		store.fates = text + 1;
		expect(
		    stream_log_compact_why(&source, key, note_fate, &sum, &err),
		    STREAM_OK, err);
		assert_string_equal(text + 1, rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_stays_is_what_kafka_keeps,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		a_plan_is_what_a_run_does, temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(a_second_run_changes_no_byte,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(tombstones_go_in_the_second_pass,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(many_rounds_leave_what_one_does,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(a_stop_leaves_the_log_as_it_was,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		without_the_word_of_gaps_nothing_is_replaced, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		what_supersedes_is_durable_before_anything_goes,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		damage_stops_it_before_anything_changes, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		a_plan_begins_again_when_segments_change, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		why_says_what_becomes_of_each_record, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(why_knows_when_a_tombstone_goes,
		temp_dir_set_up, temp_dir_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
