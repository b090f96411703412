/*
 * What the verifier finds: faults are planted one by one in a sound partition.
 *
 * A finding is written as "KIND FILE": the file's base offset without zeros in
 * front.  A note has "note " in front of it.
 */
#include "log/verify.h"

#include <pthread.h>
#include <stdatomic.h>

#include "codec/compress.h"
#include "file/index_txn.h"
#include "file/snapshot.h"
#include "fixture.h"

/* ---- looking ---- */

struct seen {
	char text[4096]; /* findings, with ", " between */
	size_t count;
	struct stream_verify_finding last; /* without what it points to */
	char message[256];                 /* of the last one */
	uint64_t bytes;                    /* that progress told of */
	int stop_after;                    /* calls of go_on; 0: never */
	void (*meanwhile)(const struct temp_dir *dir); /* by go_on, once */
	const struct temp_dir *dir;
	struct stream_verify_summary sum;
	int status;
	struct stream_error err;
};

static const char *
short_name(const char *file)
{
	if (file == NULL)
		return "-";
	while (file[0] == '0' && file[1] >= '0' && file[1] <= '9')
		file++;
	return file;
}

static void
see(void *context, const struct stream_verify_finding *finding)
{
	struct seen *seen = context;
	size_t n = strlen(seen->text);

	snprintf(seen->text + n, sizeof(seen->text) - n, "%s%s%s %s",
	    n > 0 ? ", " : "",
	    finding->severity == STREAM_SEVERITY_NOTE ? "note " : "",
	    stream_verify_kind_name(finding->kind), short_name(finding->file));
	seen->count++;
	seen->last = *finding;
	snprintf(seen->message, sizeof(seen->message), "%s", finding->message);
	assert_string_equal(
	    finding->meaning, stream_verify_kind_meaning(finding->kind));
}

static bool
go_on(void *context, uint64_t bytes)
{
	struct seen *seen = context;

	if (seen->meanwhile != NULL)
		seen->meanwhile(seen->dir);
	seen->meanwhile = NULL;
	seen->bytes += bytes;
	return seen->stop_after == 0 || --seen->stop_after > 0;
}

/* How a directory is looked at; zeros: as a dense topic of ours. */
struct look {
	bool foreign;
	int64_t log_start;
	const char *topic; /* of the store above, which is asked again */
	const char *only;
	size_t cap;
	int stop_after;
	/* Called once, when the first bytes are read. */
	void (*meanwhile)(const struct temp_dir *dir);
};

static struct seen
verify(const struct temp_dir *dir, struct look look)
{
	struct seen seen = {.err = {.text = ""},
	    .stop_after = look.stop_after,
	    .meanwhile = look.meanwhile,
	    .dir = dir};
	struct stream_verify_source source = {
	    .dirfd = dir->fd,
	    .only = look.only,
	    .log_start_offset = look.log_start,
	    .facts = {.topic = look.topic},
	    .is_ours = !look.foreign,
	    .dense = !look.foreign,
	};
	struct stream_verify_options options = {
	    .found = see,
	    .go_on = go_on,
	    .context = &seen,
	    .max_batch_bytes = look.cap,
	    .lock_timeout_ms = 500,
	};

	seen.status =
	    stream_verify_source_check(&source, &options, &seen.sum, &seen.err);
	return seen;
}

static void
expect_found(const char *what, const struct temp_dir *dir, struct look look,
    const char *want)
{
	struct seen seen = verify(dir, look);

	expect(seen.status, STREAM_OK, seen.err);
	if (strcmp(seen.text, want) != 0)
		fail_msg("%s: found \"%s\", not \"%s\" (%s)", what, seen.text,
		    want, seen.message);
	assert_int_equal(seen.sum.damage + seen.sum.notes, seen.count);
}

/* ---- a sound partition ---- */

/* Three segments of ours, of 8 batches of 3 records each: offsets 0 to 71. */
static void
put_sound(const struct temp_dir *dir)
{
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;

	config.index_interval_bytes = 200;
	config.segment_bytes = 8 * 127 + 10;
	partition = fx_open(dir, &config);
	fx_append(partition, 24, 3, 12, 'a');
	fx_sync(partition);
	stream_partition_close(partition);
}

static void
name_of(int64_t base, enum stream_name_kind kind, char *name)
{
	stream_name_put_plain(base, kind, name);
}

/* The byte at which batch number n of a segment starts. */
static uint64_t
batch_at(const struct temp_dir *dir, int64_t base, int n)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf log;
	uint64_t at = 0;

	name_of(base, STREAM_NAME_LOG, name);
	assert_true(fx_get(dir, name, &log) > 0);
	for (int i = 0; i < n; i++)
		at += stream_load32(log.data + at + 8) + 12;
	assert_true(at <= log.size);
	stream_buf_release(&log);
	return at;
}

static void
flip(const struct temp_dir *dir, int64_t base, enum stream_name_kind kind,
    uint64_t at, uint8_t bits)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf file;

	name_of(base, kind, name);
	assert_true(fx_get(dir, name, &file) > (ssize_t)at);
	file.data[at] ^= bits;
	fx_put_at(dir, name, at, file.data + at, 1);
	stream_buf_release(&file);
}

/* Change a field of a batch and make its CRC right again. */
static void
forge(const struct temp_dir *dir, int64_t base, int batch, size_t at,
    uint8_t bits)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf log;
	uint64_t start = batch_at(dir, base, batch);
	size_t size;

	name_of(base, STREAM_NAME_LOG, name);
	fx_get(dir, name, &log);
	log.data[start + at] ^= bits;
	size = stream_load32(log.data + start + 8) + 12;
	fx_fix_crc(log.data + start, size);
	fx_put(dir, name, log.data, log.size);
	stream_buf_release(&log);
}

static void
append_bytes(const struct temp_dir *dir, int64_t base,
    enum stream_name_kind kind, size_t size, int byte)
{
	char name[STREAM_NAME_SIZE];
	uint8_t bytes[4096];

	name_of(base, kind, name);
	memset(bytes, byte, sizeof(bytes));
	fx_put_at(dir, name, (uint64_t)fx_size(dir, name), bytes, size);
}

static void
remove_part(
    const struct temp_dir *dir, int64_t base, enum stream_name_kind kind)
{
	char name[STREAM_NAME_SIZE];

	name_of(base, kind, name);
	fx_remove(dir, name);
}

static void
cut_part(const struct temp_dir *dir, int64_t base, enum stream_name_kind kind,
    off_t less)
{
	char name[STREAM_NAME_SIZE];

	name_of(base, kind, name);
	fx_cut(dir, name, fx_size(dir, name) - less);
}

/* Take batch number n out of a log. */
static void
take_out(const struct temp_dir *dir, int64_t base, int n)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf log;
	uint64_t from = batch_at(dir, base, n), to = batch_at(dir, base, n + 1);

	name_of(base, STREAM_NAME_LOG, name);
	fx_get(dir, name, &log);
	memmove(log.data + from, log.data + to, log.size - to);
	fx_put(dir, name, log.data, log.size - (to - from));
	stream_buf_release(&log);
}

/* ---- faults ---- */

#define LOG STREAM_NAME_LOG
#define INDEX STREAM_NAME_INDEX
#define TIMES STREAM_NAME_TIMEINDEX

enum fault {
	NOTHING,
	FLIP,    /* bits at byte `at` of batch n, or of the index */
	FORGE,   /* the same, the CRC made right again */
	CUT,     /* so many bytes from the end */
	ZEROS,   /* so many bytes behind the end */
	ONES,    /* the same, 0xff */
	REMOVE,  /* the file */
	TAKE_OUT /* batch n */
};

static void
plant(const struct temp_dir *dir, enum fault fault, int64_t base,
    enum stream_name_kind kind, int n, size_t at, uint8_t bits)
{
	uint64_t start = kind == LOG && (fault == FLIP || fault == FORGE)
			     ? batch_at(dir, base, n)
			     : 0;

	switch (fault) {
	case NOTHING:
		break;
	case FLIP:
		flip(dir, base, kind, start + at, bits);
		break;
	case FORGE:
		forge(dir, base, n, at, bits);
		break;
	case CUT:
		cut_part(dir, base, kind, (off_t)at);
		break;
	case ZEROS:
	case ONES:
		append_bytes(dir, base, kind, at, fault == ONES ? 0xff : 0);
		break;
	case REMOVE:
		remove_part(dir, base, kind);
		break;
	case TAKE_OUT:
		take_out(dir, base, n);
	}
}

/* A copy has no durable end, so what is torn is torn. */
static void
each_fault_is_found_and_only_that(void **state)
{
	static const struct {
		const char *what;
		enum fault fault;
		int64_t base;
		enum stream_name_kind kind;
		int batch;
		size_t at;
		uint8_t bits;
		const char *want;
	} rows[] = {
	    {"nothing", NOTHING, 0, LOG, 0, 0, 0, ""},
	    {"a record's byte", FLIP, 0, LOG, 3, 70, 1, "crc 0.log"},
	    {"the CRC itself", FLIP, 24, LOG, 0, 17, 0x80, "crc 24.log"},
	    {"a length that grows", FLIP, 0, LOG, 2, 10, 1, "crc 0.log"},
	    {"a length past the file", FLIP, 0, LOG, 2, 9, 1, "batch 0.log"},
	    {"a length that shrinks", FLIP, 0, LOG, 2, 11, 8, "crc 0.log"},
	    {"a negative length", FLIP, 0, LOG, 2, 8, 0x80, "batch 0.log"},
	    {"magic", FLIP, 0, LOG, 5, 16, 1, "unsupported 0.log"},
	    {"magic of an old format", FLIP, 0, LOG, 5, 16, 2,
		"unsupported 0.log"},
	    {"an offset that grows", FLIP, 0, LOG, 3, 7, 64,
		"offset-gap 0.log"},
	    {"an offset that shrinks", FLIP, 0, LOG, 3, 7, 8,
		"offset-order 0.log"},
	    {"a first offset", FLIP, 24, LOG, 0, 7, 1, "offset-gap 24.log"},
	    {"the last offset of a segment", FLIP, 24, LOG, 7, 7, 1,
		"offset-order 24.log"},
	    {"the last offset of all", FLIP, 48, LOG, 7, 7, 2,
		"offset-gap 48.log"},
	    {"a negative offset", FLIP, 0, LOG, 3, 0, 0x80, "batch 0.log"},
	    {"a leader epoch", FLIP, 24, LOG, 3, 15, 1, "leader-epoch 24.log"},
	    {"a negative leader epoch", FLIP, 24, LOG, 3, 12, 0x80,
		"leader-epoch 24.log"},
	    {"a codec that there is not", FORGE, 0, LOG, 3, 22, 6,
		"unsupported 0.log"},
	    {"a codec that it is not", FORGE, 0, LOG, 3, 22, 4,
		"records 0.log"},
	    {"a record's length", FORGE, 0, LOG, 3, 61, 2, "records 0.log"},
	    {"an offset delta", FORGE, 0, LOG, 3, 64, 8, "records 0.log"},
	    {"a count", FORGE, 0, LOG, 3, 60, 1,
		"offset-gap 0.log, records 0.log"},
	    {"a last offset delta", FORGE, 0, LOG, 3, 26, 4,
		"offset-gap 0.log, index-entry 0.timeindex, "
		"offset-order 0.log"},
	    {"a max timestamp", FORGE, 0, LOG, 3, 42, 64,
		"index-entry 0.timeindex, index-entry 0.timeindex, "
		"index-entry 0.timeindex"},
	    {"a batch missing", TAKE_OUT, 24, LOG, 6, 0, 0,
		"offset-gap 24.log"},
	    {"the last batch missing", TAKE_OUT, 24, LOG, 7, 0, 0,
		"index-entry 24.timeindex, offset-gap 48.log"},
	    {"a torn tail", CUT, 48, LOG, 0, 5, 0, "torn-tail 48.log"},
	    {"a tail of a few bytes", ONES, 48, LOG, 0, 10, 0,
		"torn-tail 48.log"},
	    {"zeros behind the end", ZEROS, 48, LOG, 0, 700, 0,
		"zero-tail 48.log"},
	    {"few zeros behind the end", ZEROS, 48, LOG, 0, 7, 0,
		"zero-tail 48.log"},
	    {"noise behind the end", ONES, 48, LOG, 0, 300, 0,
		"bad-last-batch 48.log"},
	    {"a bad last batch", FLIP, 48, LOG, 7, 80, 1,
		"bad-last-batch 48.log"},
	    {"a closed segment cut short", CUT, 24, LOG, 0, 5, 0,
		"batch 24.log"},
	    {"zeros behind a closed segment", ZEROS, 0, LOG, 0, 9, 0,
		"batch 0.log"},
	    {"a segment", REMOVE, 24, LOG, 0, 0, 0,
		"offset-gap 48.log, missing-segment 24.log"},
	    {"an index", REMOVE, 0, INDEX, 0, 0, 0, "missing-index 0.index"},
	    {"the newest index", REMOVE, 48, INDEX, 0, 0, 0,
		"missing-index 48.index"},
	    {"a time index", REMOVE, 24, TIMES, 0, 0, 0,
		"missing-index 24.timeindex"},
	    {"an index cut", CUT, 0, INDEX, 0, 3, 0,
		"index-size 0.index, index-short 0.index"},
	    {"an index emptied", CUT, 0, INDEX, 0, 24, 0,
		"index-short 0.index"},
	    {"a time index cut", CUT, 24, TIMES, 0, 5, 0,
		"index-size 24.timeindex, index-short 24.timeindex"},
	    {"a time index without its end", CUT, 24, TIMES, 0, 12, 0,
		"index-short 24.timeindex"},
	    {"an index that lags", CUT, 48, INDEX, 0, 8, 0, ""},
	    {"a time index that lags", CUT, 48, TIMES, 0, 24, 0, ""},
	    {"zero slots", ZEROS, 48, INDEX, 0, 64, 0, "zero-slots 48.index"},
	    {"an index's offset", FLIP, 0, INDEX, 0, 3, 1,
		"index-entry 0.index"},
	    {"an index's high offset", FLIP, 0, INDEX, 0, 8, 4,
		"index-order 0.index"},
	    {"an index's position", FLIP, 0, INDEX, 0, 7, 1,
		"index-entry 0.index"},
	    {"a position past the end", FLIP, 0, INDEX, 0, 4, 1,
		"index-entry 0.index"},
	    {"a position that is too low", FLIP, 0, INDEX, 0, 14, 1,
		"index-order 0.index"},
	    {"an entry behind the end", ONES, 0, INDEX, 0, 8, 0,
		"index-entry 0.index"},
	    {"a time", FLIP, 24, TIMES, 0, 7, 1, "index-entry 24.timeindex"},
	    {"a high time", FLIP, 24, TIMES, 0, 1, 1,
		"index-order 24.timeindex"},
	    {"a time's offset", FLIP, 24, TIMES, 0, 11, 1,
		"index-entry 24.timeindex"},
	    {"a time of the future", ONES, 24, TIMES, 0, 12, 0,
		"index-order 24.timeindex"},
	};
	struct temp_dir *sound = fx_dir();

	(void)state;
	put_sound(sound);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct temp_dir *dir = fx_dir();

		fx_copy_from(sound->path, dir);
		fx_no_writer(dir);
		plant(dir, rows[i].fault, rows[i].base, rows[i].kind,
		    rows[i].batch, rows[i].at, rows[i].bits);
		expect_found(rows[i].what, dir, (struct look){0}, rows[i].want);
		fx_drop(dir);
	}
	fx_drop(sound);
}

/* ---- where, and which records ---- */

static void
expect_where(
    const struct seen *seen, uint64_t position, int64_t first, int64_t last)
{
	if (seen->last.position != position ||
	    seen->last.first_offset != first || seen->last.last_offset != last)
		fail_msg("%s: byte %llu, %lld to %lld", seen->message,
		    (unsigned long long)seen->last.position,
		    (long long)seen->last.first_offset,
		    (long long)seen->last.last_offset);
}

static void
a_hole_names_its_byte_and_its_records(void **state)
{
	const struct temp_dir *dir = *state;
	struct seen seen;

	put_sound(dir);
	flip(dir, 0, LOG, batch_at(dir, 0, 2) + 90, 1);
	flip(dir, 0, LOG, batch_at(dir, 0, 3) + 90, 1);
	seen = verify(dir, (struct look){0});
	/* Two bad batches in a row are one hole. */
	assert_int_equal(seen.count, 1);
	expect_where(&seen, batch_at(dir, 0, 2), 6, 11);
	assert_int_equal(seen.sum.batches, 22);
	assert_int_equal(seen.sum.records, 66);
	assert_int_equal(seen.sum.log_end_offset, 72);
	flip(dir, 0, LOG, batch_at(dir, 0, 7) + 90, 1);
	seen = verify(dir, (struct look){0});
	assert_int_equal(seen.count, 2);
	expect_where(&seen, batch_at(dir, 0, 7), 21, 23);
}

static void
sums_tell_what_was_read(void **state)
{
	const struct temp_dir *dir = *state;
	struct seen seen;
	char name[STREAM_NAME_SIZE];
	uint64_t bytes = 0;

	put_sound(dir);
	for (int64_t base = 0; base < 72; base += 24)
		bytes += (uint64_t)fx_size(dir, fx_log_name(base, name));
	seen = verify(dir, (struct look){0});
	assert_int_equal(seen.sum.segments, 3);
	assert_int_equal(seen.sum.batches, 24);
	assert_int_equal(seen.sum.records, 72);
	assert_int_equal(seen.sum.bytes, bytes);
	assert_int_equal(seen.bytes, bytes);
	assert_int_equal(seen.sum.log_start_offset, 0);
	assert_int_equal(seen.sum.log_end_offset, 72);
	seen = verify(dir, (struct look){.stop_after = 2});
	assert_int_equal(seen.status, STREAM_EINTR);
}

static void
what_the_log_start_hides_is_a_note(void **state)
{
	const struct temp_dir *dir = *state;

	put_sound(dir);
	flip(dir, 0, LOG, batch_at(dir, 0, 2) + 90, 1);
	expect_found(
	    "hidden", dir, (struct look){.log_start = 9}, "note crc 0.log");
	expect_found("half", dir, (struct look){.log_start = 8}, "crc 0.log");
}

/* A replica hides what it has before it goes on behind a hole. */
static void
what_the_log_start_hides_by_now_is_a_note(void **state)
{
	const struct temp_dir *top = *state;
	struct temp_dir dir;
	char name[STREAM_NAME_SIZE];

	assert_int_equal(mkdirat(top->fd, "t-0", 0777), 0);
	dir.fd = openat(top->fd, "t-0", O_RDONLY | O_DIRECTORY);
	put_sound(&dir);
	for (size_t i = 0; i < 3; i++) {
		static const enum stream_name_kind kinds[] = {
		    STREAM_NAME_LOG, STREAM_NAME_INDEX, STREAM_NAME_TIMEINDEX};

		name_of(24, kinds[i], name);
		fx_remove(&dir, name);
	}
	temp_dir_put(top, "log-start-offset-checkpoint", "0\n1\nt 0 47\n");
	expect_found(
	    "below", &dir, (struct look){.topic = "t"}, "offset-gap 48.log");
	temp_dir_put(top, "log-start-offset-checkpoint", "0\n1\nt 0 48\n");
	expect_found("by now", &dir, (struct look){.topic = "t"},
	    "note offset-gap 48.log");
	expect_found(
	    "of no store", &dir, (struct look){0}, "offset-gap 48.log");
	close(dir.fd);
}

static void
a_batch_above_the_limit_is_damage(void **state)
{
	const struct temp_dir *dir = *state;
	struct seen seen;

	put_sound(dir);
	seen = verify(dir, (struct look){.cap = 100});
	assert_int_equal(seen.status, STREAM_OK);
	assert_int_equal(seen.sum.batches, 0);
	assert_true(seen.sum.damage >= 3);
}

/* ---- compressed records ---- */

static void
compressed_records_are_counted_and_followed(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_compressor *compressor;
	struct stream_buf log, packed;
	struct stream_bytes section;

	stream_buf_init(&log);
	stream_buf_init(&packed);
	fx_add_many(&log, 0, 1, 20, 50, 'a');
	section = (struct stream_bytes){log.data + 61, log.size - 61};
	assert_int_equal(stream_compressor_new(STREAM_CODEC_ZSTD,
			     STREAM_LEVEL_DEFAULT, &compressor, NULL),
	    STREAM_OK);
	assert_int_equal(
	    stream_compress(compressor, section, &packed, NULL), STREAM_OK);
	stream_compressor_free(compressor);
	log.size = 61;
	stream_buf_add(&log, packed.data, packed.size, NULL);
	stream_store32(log.data + 8, (uint32_t)log.size - 12);
	log.data[22] = STREAM_CODEC_ZSTD;
	fx_fix_crc(log.data, log.size);
	fx_put(dir, LOG_0, log.data, log.size);
	fx_put(dir, INDEX_0, "", 0);
	fx_put(dir, TIMEINDEX_0, "", 0);
	temp_dir_put(dir, "leader-epoch-checkpoint", "0\n1\n0 0\n");
	expect_found("zstd", dir, (struct look){0}, "");
	expect_found("larger than is taken", dir, (struct look){.cap = 900},
	    "records 0.log");
	forge(dir, 0, 0, 60, 4);
	expect_found("a count", dir, (struct look){0},
	    "offset-gap 0.log, records 0.log");
	forge(dir, 0, 0, 60, 4);
	forge(dir, 0, 0, 80, 1);
	expect_found("the stream", dir, (struct look){0}, "records 0.log");
	stream_buf_release(&log);
	stream_buf_release(&packed);
}

/* ---- foreign directories ---- */

static void
put_index(const struct temp_dir *dir, int64_t base, const uint32_t *entries,
    size_t count)
{
	char name[STREAM_NAME_SIZE];
	uint8_t bytes[256];

	for (size_t i = 0; i < count; i++)
		stream_store32(bytes + 4 * i, entries[i]);
	name_of(base, STREAM_NAME_INDEX, name);
	fx_put(dir, name, bytes, 4 * count);
}

static void
put_times(
    const struct temp_dir *dir, int64_t base, int64_t time_ms, uint32_t offset)
{
	char name[STREAM_NAME_SIZE];
	uint8_t bytes[12];

	stream_store64(bytes, (uint64_t)time_ms);
	stream_store32(bytes + 8, offset);
	name_of(base, STREAM_NAME_TIMEINDEX, name);
	fx_put(dir, name, bytes, sizeof(bytes));
}

/* What a broker might leave: 10 batches of 2 records, offsets 5 apart. */
static void
put_foreign(const struct temp_dir *dir)
{
	struct stream_buf log;

	stream_buf_init(&log);
	for (int i = 0; i < 10; i++)
		fx_add(&log, (struct fx_batch){.base = 100 + 5 * i,
				 .count = 2,
				 .time_ms = T0 + i,
				 .value_size = 9});
	fx_put(dir, "00000000000000000090.log", log.data, log.size);
	stream_buf_release(&log);
	put_index(dir, 90, NULL, 0);
	put_times(dir, 90, T0 + 9, 56);
	temp_dir_put(dir, "leader-epoch-checkpoint", "0\n1\n0 0\n");
}

static void
gaps_are_legal_where_a_broker_wrote(void **state)
{
	const struct temp_dir *dir = *state;
	struct look foreign = {.foreign = true};

	put_foreign(dir);
	expect_found("gaps", dir, foreign, "");
	take_out(dir, 90, 4);
	expect_found("one more", dir, foreign, "");
	flip(dir, 90, LOG, batch_at(dir, 90, 3) + 7, 0x40);
	expect_found(
	    "an offset that shrinks", dir, foreign, "offset-order 90.log");
	flip(dir, 90, LOG, batch_at(dir, 90, 3) + 7, 0x40);
	flip(dir, 90, LOG, batch_at(dir, 90, 3) + 6, 1);
	expect_found("an offset that grows shows in the next one", dir, foreign,
	    "index-entry 90.timeindex, offset-order 90.log");
	flip(dir, 90, LOG, batch_at(dir, 90, 3) + 6, 1);
	flip(dir, 90, LOG, batch_at(dir, 90, 0) + 7, 0x70);
	expect_found(
	    "below the file's name", dir, foreign, "offset-order 90.log");
}

static void
segments_must_not_overlap(void **state)
{
	const struct temp_dir *dir = *state;

	put_foreign(dir);
	fx_put(dir, "00000000000000000140.log", "", 0);
	fx_put(dir, "00000000000000000140.index", "", 0);
	fx_put(dir, "00000000000000000140.timeindex", "", 0);
	expect_found("overlap", dir, (struct look){.foreign = true},
	    "offset-order 140.log");
}

/* A broker before 4.1: the position of the first batch of an append with the
 * last offset of its last. */
static void
entries_of_several_batches_are_valid(void **state)
{
	static const struct {
		const char *what;
		uint32_t batch[2], offset[2];
		const char *want;
	} rows[] = {
	    {"of one", {1, 4}, {16, 31}, ""},
	    {"of several", {1, 4}, {26, 46}, ""},
	    {"of no batch's end", {1, 4}, {25, 31}, "index-entry 90.index"},
	    {"of a batch past the next entry", {1, 4}, {31, 46},
		"index-entry 90.index"},
	    {"of a batch before", {1, 4}, {11, 31}, "index-entry 90.index"},
	    {"past the end", {1, 4}, {16, 99}, "index-entry 90.index"},
	};
	const struct temp_dir *dir = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t at[2];
		uint32_t entries[4];

		put_foreign(dir);
		for (int j = 0; j < 2; j++) {
			at[j] =
			    (uint32_t)batch_at(dir, 90, (int)rows[i].batch[j]);
			entries[2 * j] = rows[i].offset[j];
			entries[2 * j + 1] = at[j];
		}
		put_index(dir, 90, entries, 4);
		expect_found(rows[i].what, dir, (struct look){.foreign = true},
		    rows[i].want);
	}
}

static void
brokers_make_long_indexes_and_name_records_in_time_indexes(void **state)
{
	const struct temp_dir *dir = *state;
	struct look foreign = {.foreign = true};

	put_foreign(dir);
	append_bytes(dir, 90, STREAM_NAME_INDEX, 80, 0);
	append_bytes(dir, 90, STREAM_NAME_TIMEINDEX, 120, 0);
	expect_found("zero slots", dir, foreign,
	    "note zero-slots 90.index, note zero-slots 90.timeindex");
	put_index(dir, 90, NULL, 0);
	put_times(dir, 90, T0 + 9, 55);
	expect_found("the record's offset", dir, foreign, "");
	put_times(dir, 90, T0 + 9, 54);
	expect_found("of no batch", dir, foreign, "index-entry 90.timeindex");
	put_times(dir, 90, T0 + 8, 56);
	expect_found("another time", dir, foreign, "index-entry 90.timeindex");
}

static void
what_compaction_leaves_is_sound(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf log;

	stream_buf_init(&log);
	/* Emptied, then one that is not; segment 0 is empty as a whole. */
	fx_add(&log, (struct fx_batch){.base = 10, .time_ms = T0});
	log.size = 61;
	stream_store32(log.data + 8, 49);
	stream_store32(log.data + 57, 0);
	fx_fix_crc(log.data, 61);
	fx_add(
	    &log, (struct fx_batch){
		      .base = 20, .count = 3, .stride = 4, .time_ms = T0 + 5});
	fx_put(dir, "00000000000000000005.log", log.data, log.size);
	stream_buf_release(&log);
	fx_put(dir, LOG_0, "", 0);
	fx_put(dir, INDEX_0, "", 0);
	fx_put(dir, TIMEINDEX_0, "", 0);
	put_index(dir, 5, NULL, 0);
	put_times(dir, 5, T0 + 5, 23);
	temp_dir_put(dir, "leader-epoch-checkpoint", "0\n1\n0 0\n");
	expect_found("compacted", dir, (struct look){.foreign = true}, "");
}

/* ---- transactions ---- */

/* Producer 7 aborts 0 to 2, producer 8 is open from 3 on, producer 9 aborts
 * 4 to 5.  The segment is closed, so nothing is waited for. */
static void
put_transactions(const struct temp_dir *dir)
{
	const uint16_t open = STREAM_BATCH_TRANSACTIONAL;
	struct stream_buf log;
	uint8_t entries[2 * STREAM_TXNINDEX_ENTRY];

	stream_buf_init(&log);
	fx_add(&log, (struct fx_batch){.base = 0,
			 .count = 2,
			 .producer_id = 7,
			 .attributes = open,
			 .time_ms = T0});
	fx_add_marker(&log, 2, 7, false, T0);
	fx_add(&log, (struct fx_batch){.base = 3,
			 .producer_id = 8,
			 .attributes = open,
			 .time_ms = T0});
	fx_add(&log, (struct fx_batch){.base = 4,
			 .producer_id = 9,
			 .attributes = open,
			 .time_ms = T0});
	fx_add_marker(&log, 5, 9, false, T0);
	fx_add_marker(&log, 6, 8, true, T0);
	fx_put(dir, LOG_0, log.data, log.size);
	stream_buf_release(&log);
	fx_put(dir, INDEX_0, "", 0);
	put_times(dir, 0, T0, 1);
	stream_aborted_put(entries, &(struct stream_aborted){7, 0, 2, 3});
	stream_aborted_put(entries + STREAM_TXNINDEX_ENTRY,
	    &(struct stream_aborted){9, 4, 5, 3});
	fx_put(dir, "00000000000000000000.txnindex", entries, sizeof(entries));
	fx_put(dir, "00000000000000000007.log", "", 0);
	fx_put(dir, "00000000000000000007.index", "", 0);
	fx_put(dir, "00000000000000000007.timeindex", "", 0);
	temp_dir_put(dir, "leader-epoch-checkpoint", "0\n1\n0 0\n");
}

static void
every_flip_in_a_txnindex_is_found(void **state)
{
	const struct temp_dir *dir = *state;
	struct look foreign = {.foreign = true};

	put_transactions(dir);
	expect_found("sound", dir, foreign, "");
	for (size_t bit = 0; bit < 2 * STREAM_TXNINDEX_ENTRY * 8; bit++) {
		struct seen seen;

		flip(dir, 0, STREAM_NAME_TXNINDEX, bit / 8,
		    (uint8_t)(1 << bit % 8));
		seen = verify(dir, foreign);
		if (seen.status != STREAM_OK || seen.sum.damage == 0)
			fail_msg("bit %zu: %s", bit, seen.text);
		flip(dir, 0, STREAM_NAME_TXNINDEX, bit / 8,
		    (uint8_t)(1 << bit % 8));
	}
}

static void
aborts_and_entries_belong_together(void **state)
{
	const struct temp_dir *dir = *state;
	struct look foreign = {.foreign = true};

	put_transactions(dir);
	cut_part(dir, 0, STREAM_NAME_TXNINDEX, STREAM_TXNINDEX_ENTRY);
	expect_found("one missing", dir, foreign, "txnindex 0.txnindex");
	remove_part(dir, 0, STREAM_NAME_TXNINDEX);
	expect_found("all missing", dir, foreign, "txnindex 0.txnindex");
	put_transactions(dir);
	append_bytes(dir, 0, STREAM_NAME_TXNINDEX, 5, 1);
	expect_found("a part", dir, foreign, "index-size 0.txnindex");
	put_transactions(dir);
	append_bytes(dir, 0, STREAM_NAME_TXNINDEX, 34, 0);
	expect_found("zeros", dir, foreign, "zero-slots 0.txnindex");
}

static void
put_snapshot(const struct temp_dir *dir, int64_t offset,
    struct stream_snapshot_entry entry)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf file;

	stream_buf_init(&file);
	assert_int_equal(
	    stream_snapshot_put(&entry, 1, &file, NULL), STREAM_OK);
	name_of(offset, STREAM_NAME_SNAPSHOT, name);
	fx_put(dir, name, file.data, file.size);
	stream_buf_release(&file);
}

static void
snapshots_must_be_whole_and_agree_with_the_log(void **state)
{
	static const char name[] = "00000000000000000007.snapshot";
	struct stream_snapshot_entry entry = {.producer_id = 9,
	    .last_offset = 4,
	    .timestamp_ms = T0,
	    .transaction_first_offset = -1};
	const struct temp_dir *dir = *state;
	struct look foreign = {.foreign = true};

	put_transactions(dir);
	put_snapshot(dir, 7, entry);
	expect_found("as the log says", dir, foreign, "");
	for (size_t bit = 0; bit < 56 * 8; bit++) {
		flip(dir, 7, STREAM_NAME_SNAPSHOT, bit / 8,
		    (uint8_t)(1 << bit % 8));
		expect_found("a flip", dir, foreign, "snapshot 7.snapshot");
		flip(dir, 7, STREAM_NAME_SNAPSHOT, bit / 8,
		    (uint8_t)(1 << bit % 8));
	}
	fx_cut(dir, name, 30);
	expect_found("cut", dir, foreign, "snapshot 7.snapshot");
	fx_cut(dir, name, 0);
	expect_found("empty", dir, foreign, "snapshot 7.snapshot");
	entry.last_offset = 7;
	put_snapshot(dir, 7, entry);
	expect_found("of the future", dir, foreign,
	    "note snapshot 7.snapshot, snapshot 7.snapshot");
	entry.last_offset = 3;
	put_snapshot(dir, 7, entry);
	expect_found(
	    "another last offset", dir, foreign, "note snapshot 7.snapshot");
}

/* ---- leader epochs ---- */

static void
every_flip_in_the_epochs_of_a_dense_topic_is_found(void **state)
{
	const struct temp_dir *dir = *state;
	static const char text[] = "0\n1\n0 0\n";

	put_sound(dir);
	temp_dir_expect(dir, "leader-epoch-checkpoint", text);
	for (size_t bit = 0; bit < 8 * (sizeof(text) - 1); bit++) {
		char copy[sizeof(text)];
		struct seen seen;

		memcpy(copy, text, sizeof(text));
		copy[bit / 8] ^= (char)(1 << bit % 8);
		fx_put(dir, "leader-epoch-checkpoint", copy, sizeof(copy) - 1);
		seen = verify(dir, (struct look){0});
		if (seen.status != STREAM_OK || seen.sum.damage == 0)
			fail_msg("bit %zu: %s", bit, seen.text);
	}
}

static void
epochs_must_be_those_of_the_batches(void **state)
{
	static const struct {
		const char *text, *want;
		bool foreign;
	} rows[] = {
	    {"0\n2\n0 0\n3 24\n", "leader-epoch 24.log", false},
	    {"0\n2\n0 0\n3 72\n", "", false},
	    {"0\n2\n0 0\n3 73\n", "epochs leader-epoch-checkpoint", false},
	    {"0\n1\n0 9\n", "epochs leader-epoch-checkpoint", false},
	    {"0\n1\n0 9\n", "note epochs leader-epoch-checkpoint", true},
	    {"", "note epochs leader-epoch-checkpoint", true},
	    {"0\n1\n", "epochs leader-epoch-checkpoint", true},
	    {"0\n1\n0 0", "epochs leader-epoch-checkpoint", true},
	};
	const struct temp_dir *dir = *state;

	put_sound(dir);
	for (size_t i = 0; i < COUNT(rows); i++) {
		temp_dir_put(dir, "leader-epoch-checkpoint", rows[i].text);
		expect_found(rows[i].text, dir,
		    (struct look){.foreign = rows[i].foreign}, rows[i].want);
	}
	fx_remove(dir, "leader-epoch-checkpoint");
	expect_found("none, ours", dir, (struct look){0},
	    "epochs leader-epoch-checkpoint");
	expect_found("none, foreign", dir, (struct look){.foreign = true},
	    "note epochs leader-epoch-checkpoint");
}

/* They are cut at the front after the log is, and brought to where it ends by
 * the next writer after one that died while the end was moved. */
static void
epochs_may_be_those_of_a_log_that_is_being_cut(void **state)
{
	static const enum stream_name_kind kinds[] = {
	    STREAM_NAME_LOG, STREAM_NAME_INDEX, STREAM_NAME_TIMEINDEX};
	const struct temp_dir *dir = *state;

	temp_dir_put(dir, "leader-epoch-checkpoint", "0\n1\n3 0\n");
	put_sound(dir);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		char name[STREAM_NAME_SIZE];

		name_of(0, kinds[i], name);
		fx_remove(dir, name);
	}
	temp_dir_put(dir, "leader-epoch-checkpoint", "0\n2\n1 0\n3 10\n");
	expect_found("front", dir, (struct look){.log_start = 24}, "");
	temp_dir_put(dir, "leader-epoch-checkpoint", "0\n2\n3 24\n4 80\n");
	expect_found("end", dir, (struct look){.log_start = 24},
	    "epochs leader-epoch-checkpoint");
	fx_mark(dir, STREAM_MARK_ROLLING);
	expect_found("end, marked", dir, (struct look){.log_start = 24},
	    "note epochs leader-epoch-checkpoint");
}

/* ---- the directory ---- */

static void
leftovers_are_notes(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
	    {"00000000000000000024.log.cleaned",
		"note leftover 24.log.cleaned"},
	    {"00000000000000000024.index.deleted",
		"note leftover 24.index.deleted"},
	    {"00000000000000000000.timeindex.swap",
		"note leftover 0.timeindex.swap"},
	    {"00000000000000000011.index", "note orphan 11.index"},
	    {"00000000000000000011.txnindex", "note orphan 11.txnindex"},
	    {".tmp-0123456789abcdef", "note leftover .tmp-0123456789abcdef"},
	    {"leader-epoch-checkpoint.tmp",
		"note leftover leader-epoch-checkpoint.tmp"},
	    {".strm-cut-7", "note leftover .strm-cut-7"},
	    {"7.log", "note name 7.log"},
	    {"notes.txt", ""},
	};
	const struct temp_dir *dir = *state;

	put_sound(dir);
	for (size_t i = 0; i < COUNT(rows); i++) {
		temp_dir_put(dir, rows[i].name, "");
		expect_found(rows[i].name, dir, (struct look){0}, rows[i].want);
		fx_remove(dir, rows[i].name);
	}
}

static void
a_swap_counts_and_what_it_replaces_does_not(void **state)
{
	static const char *const parts[] = {".log", ".index", ".timeindex"};
	const struct temp_dir *dir = *state;
	struct look gaps = {.foreign = true};

	put_sound(dir);
	for (size_t i = 0; i < COUNT(parts); i++) {
		char from[64], to[64];

		snprintf(from, sizeof(from), "%020d%s", 24, parts[i]);
		snprintf(to, sizeof(to), "%020d%s.swap", 24, parts[i]);
		assert_int_equal(linkat(dir->fd, from, dir->fd, to, 0), 0);
	}
	fx_cut(dir, "00000000000000000024.index", 3);
	expect_found("swap", dir, gaps,
	    "index-size 24.index.swap, index-short 24.index.swap, note "
	    "leftover 24.index, "
	    "note swap 24.index.swap, note leftover 24.log, "
	    "note swap 24.log.swap, note leftover 24.timeindex, "
	    "note swap 24.timeindex.swap");
}

static void
what_was_durable_must_be_there(void **state)
{
	const struct temp_dir *dir = *state;
	struct seen seen;

	put_sound(dir);
	cut_part(dir, 48, STREAM_NAME_LOG, 127);
	seen = verify(dir, (struct look){0});
	assert_string_equal(seen.text, "lost-tail 48.log");
	expect_where(&seen, batch_at(dir, 48, 7), 69, 71);
	cut_part(dir, 48, STREAM_NAME_LOG, 5);
	expect_found("and torn", dir, (struct look){0},
	    "lost-tail 48.log, lost-tail 48.log");
	remove_part(dir, 48, STREAM_NAME_LOG);
	seen = verify(dir, (struct look){0});
	assert_non_null(strstr(seen.text, "missing-segment -"));
	remove_part(dir, 24, STREAM_NAME_LOG);
	remove_part(dir, 0, STREAM_NAME_LOG);
	seen = verify(dir, (struct look){0});
	assert_non_null(strstr(seen.text, "missing-segment -"));
}

static void
one_file_is_checked_alone(void **state)
{
	const struct temp_dir *dir = *state;
	struct look only = {
	    .foreign = true, .only = "00000000000000000024.log"};
	struct seen seen;

	put_sound(dir);
	flip(dir, 0, LOG, 70, 1);
	seen = verify(dir, only);
	assert_string_equal(seen.text, "");
	assert_int_equal(seen.sum.records, 24);
	flip(dir, 24, STREAM_NAME_INDEX, 7, 1);
	expect_found("its index", dir, only, "index-entry 24.index");
	remove_part(dir, 24, STREAM_NAME_INDEX);
	expect_found("none", dir, only, "");
	only.only = "00000000000000000099.log";
	assert_int_equal(verify(dir, only).status, STREAM_ENOENT);
	only.only = "24.log";
	assert_int_equal(verify(dir, only).status, STREAM_EUSAGE);
}

static void
an_empty_directory_and_an_empty_segment_are_sound(void **state)
{
	const struct temp_dir *dir = *state;

	expect_found("nothing", dir, (struct look){.foreign = true}, "");
	fx_put(dir, LOG_0, "", 0);
	expect_found("no batch yet", dir, (struct look){0},
	    "note missing-index 0.index, note missing-index 0.timeindex");
}

/* ---- beside writers ---- */

struct writer {
	const struct temp_dir *dir;
	_Atomic bool stop;
};

static void *
write_on(void *context)
{
	struct writer *writer = context;
	struct stream_log_config config = fx_config();
	uint32_t seed = 1;

	config.index_interval_bytes = 100;
	config.segment_bytes = 100000;
	while (!writer->stop) {
		struct stream_partition *partition =
		    fx_open(writer->dir, &config);

		for (int i = 0; i < 20 && !writer->stop; i++)
			fx_append(partition, 1, 1 + (int)fx_random(&seed) % 9,
			    fx_random(&seed) % 300, 'w');
		if (fx_random(&seed) % 4 == 0)
			fx_sync(partition);
		stream_partition_close(partition);
	}
	return NULL;
}

static void
nothing_is_found_beside_a_writer(void **state)
{
	struct writer writer = {.dir = *state};
	pthread_t thread;
	uint64_t records = 0;

	stream_partition_close(fx_open(*state, NULL));
	assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
	for (int i = 0; i < 60 || records < 4000; i++) {
		struct seen seen = verify(*state, (struct look){0});

		expect(seen.status, STREAM_OK, seen.err);
		if (seen.sum.damage > 0)
			fail_msg("%s: %s", seen.text, seen.message);
		assert_true(seen.sum.records >= records);
		records = seen.sum.records;
	}
	writer.stop = true;
	pthread_join(thread, NULL);
}

/* A cleaner that puts another log in the place of the first one, again and
 * again, in the order in which Kafka renames. */
struct cleaner {
	const struct temp_dir *dir;
	_Atomic bool stop;
	_Atomic int rounds;
};

static const char *const kinds[] = {"log", "index", "timeindex"};

static void
rename_all(const struct temp_dir *dir, const char *from, const char *to)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		char old[64], new[64];

		snprintf(old, sizeof(old), "%020d.%s%s", 0, kinds[i], from);
		snprintf(new, sizeof(new), "%020d.%s%s", 0, kinds[i], to);
		assert_int_equal(renameat(dir->fd, old, dir->fd, new), 0);
	}
}

/* 20 batches of records stride apart, with an entry for each but the first. */
static void
put_cleaned(const struct temp_dir *dir, int32_t stride, const char *state)
{
	struct stream_buf files[3];

	for (size_t i = 0; i < 3; i++)
		stream_buf_init(&files[i]);
	for (int i = 0; i < 20; i++) {
		uint8_t entry[20];
		uint32_t last = (uint32_t)(10 * i + stride);

		stream_store32(entry, last);
		stream_store32(entry + 4, (uint32_t)files[0].size);
		stream_store64(entry + 8, (uint64_t)(T0 + i));
		stream_store32(entry + 16, last);
		if (i > 0)
			stream_buf_add(&files[1], entry, 8, NULL);
		stream_buf_add(&files[2], entry + 8, 12, NULL);
		fx_add(&files[0], (struct fx_batch){.base = 10 * i,
				      .count = 2,
				      .stride = stride,
				      .time_ms = T0 + i,
				      .value_size = 5 * (size_t)stride});
	}
	for (size_t i = 0; i < 3; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%020d.%s%s", 0, kinds[i], state);
		fx_put(dir, name, files[i].data, files[i].size);
		stream_buf_release(&files[i]);
	}
}

static void *
clean_on(void *context)
{
	struct cleaner *cleaner = context;

	for (int32_t stride = 2; !cleaner->stop; stride ^= 3) {
		put_cleaned(cleaner->dir, stride, ".cleaned");
		rename_all(cleaner->dir, ".cleaned", ".swap");
		rename_all(cleaner->dir, "", ".deleted");
		rename_all(cleaner->dir, ".swap", "");
		for (size_t i = 0; i < COUNT(kinds); i++) {
			char name[64];

			snprintf(name, sizeof(name), "%020d.%s.deleted", 0,
			    kinds[i]);
			fx_remove(cleaner->dir, name);
		}
		cleaner->rounds++;
	}
	return NULL;
}

static void
nothing_is_found_beside_a_cleaner(void **state)
{
	struct cleaner cleaner = {.dir = *state};
	const struct temp_dir *dir = *state;
	pthread_t thread;

	put_cleaned(dir, 1, "");
	fx_put(dir, "00000000000000000500.log", "", 0);
	fx_put(dir, "00000000000000000500.index", "", 0);
	fx_put(dir, "00000000000000000500.timeindex", "", 0);
	temp_dir_put(dir, "leader-epoch-checkpoint", "0\n1\n0 0\n");
	assert_int_equal(pthread_create(&thread, NULL, clean_on, &cleaner), 0);
	for (int i = 0; i < 100 || cleaner.rounds < 1000; i++) {
		struct seen seen = verify(dir, (struct look){.foreign = true});

		/* It never rests, as no cleaner does. */
		if (seen.status == STREAM_EBUSY)
			continue;
		expect(seen.status, STREAM_OK, seen.err);
		if (seen.sum.damage > 0)
			fail_msg("%s: %s", seen.text, seen.message);
		assert_int_equal(seen.sum.records, 40);
	}
	cleaner.stop = true;
	pthread_join(thread, NULL);
}

/* A swap has got so far that the old log has no indexes any more, but still its
 * name. */
static void
swap_the_second(const struct temp_dir *dir)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		char plain[40], swap[64];

		snprintf(plain, sizeof(plain), "%020d.%s", 24, kinds[i]);
		snprintf(swap, sizeof(swap), "%s.swap", plain);
		fx_put(dir, swap, "", 0);
		if (strcmp(kinds[i], "log") != 0)
			fx_remove(dir, plain);
	}
}

static void
a_log_that_a_swap_replaces_is_not_missed_an_index(void **state)
{
	const struct temp_dir *dir = *state;

	put_sound(dir);
	expect_found("before its second segment is opened", dir,
	    (struct look){.foreign = true, .meanwhile = swap_the_second},
	    "note leftover 24.log");
}

int
main(void)
{
#define TEST(test) \
	cmocka_unit_test_setup_teardown( \
	    test, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(each_fault_is_found_and_only_that),
	    TEST(a_hole_names_its_byte_and_its_records),
	    TEST(sums_tell_what_was_read),
	    TEST(what_the_log_start_hides_is_a_note),
	    TEST(what_the_log_start_hides_by_now_is_a_note),
	    TEST(a_batch_above_the_limit_is_damage),
	    TEST(compressed_records_are_counted_and_followed),
	    TEST(gaps_are_legal_where_a_broker_wrote),
	    TEST(segments_must_not_overlap),
	    TEST(entries_of_several_batches_are_valid),
	    TEST(brokers_make_long_indexes_and_name_records_in_time_indexes),
	    TEST(what_compaction_leaves_is_sound),
	    TEST(every_flip_in_a_txnindex_is_found),
	    TEST(aborts_and_entries_belong_together),
	    TEST(snapshots_must_be_whole_and_agree_with_the_log),
	    TEST(every_flip_in_the_epochs_of_a_dense_topic_is_found),
	    TEST(epochs_must_be_those_of_the_batches),
	    TEST(epochs_may_be_those_of_a_log_that_is_being_cut),
	    TEST(leftovers_are_notes),
	    TEST(a_swap_counts_and_what_it_replaces_does_not),
	    TEST(what_was_durable_must_be_there),
	    TEST(one_file_is_checked_alone),
	    TEST(an_empty_directory_and_an_empty_segment_are_sound),
	    TEST(nothing_is_found_beside_a_writer),
	    TEST(nothing_is_found_beside_a_cleaner),
	    TEST(a_log_that_a_swap_replaces_is_not_missed_an_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
