/*
 * fixture.h - batches, segments and partitions for tests of the log
 *
 * Records are made from their offset and a letter, so that a test can tell
 * which writer's bytes a reader shows.  All functions fail the test rather
 * than return an error, except those that say so.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <dirent.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "codec/batch_build.h"
#include "codec/crc32c.h"
#include "file/io.h"
#include "file/name.h"
#include "file/state.h"
#include "log/partition.h"
#include "log/reader.h"

#include "temp_dir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T0 INT64_C(1767225600000)
#define LOG_0 "00000000000000000000.log"
#define INDEX_0 "00000000000000000000.index"
#define TIMEINDEX_0 "00000000000000000000.timeindex"
#define expect(status, want, err) \
	do { \
		int got_ = (status); \
		if (got_ != (want)) \
			fail_msg("line %d: status %d, not %d: %s", __LINE__, \
			    got_, (int)(want), (err).text); \
	} while (0)

/* ---- numbers that look like chance and come again ---- */

static inline uint32_t
fx_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* ---- batches ---- */

/* What a batch is made of; zeros are a plain batch of one record. */
struct fx_batch {
	int64_t base;
	int32_t count;       /* 0: one */
	int32_t stride;      /* between offsets of records; 0: dense */
	int64_t time_ms;     /* of the first record */
	int64_t step_ms;     /* to the next one's */
	int64_t producer_id; /* with attributes only */
	int32_t epoch;
	uint16_t attributes; /* beside the codec */
	size_t value_size;
	char letter; /* 0: 'a' */
};

static inline void
fx_fix_crc(uint8_t *batch, size_t size)
{
	stream_store32(batch + 17, stream_crc32c(batch + 21, size - 21));
}

static inline void
fx_record(const struct fx_batch *make, int32_t i, uint8_t *value, char *key,
    struct stream_record *record)
{
	int64_t offset = make->base + i * (make->stride ? make->stride : 1);
	int letter = make->letter != 0 ? make->letter : 'a';

	for (size_t at = 0; at < make->value_size; at++)
		value[at] = (uint8_t)(offset + (int64_t)at);
	if (make->value_size > 0)
		value[0] = (uint8_t)letter;
	*record = (struct stream_record){
	    .timestamp_ms = make->time_ms + i * make->step_ms,
	    .key = {(uint8_t *)key,
		(size_t)sprintf(key, "k%lld", (long long)offset)},
	    .value = {value, make->value_size},
	};
}

/* Records of a batch with holes get their delta put in afterwards, which works
 * while each delta and count is one byte long (below 64). */
static inline void
fx_spread(uint8_t *batch, int32_t count, int32_t stride)
{
	uint8_t *at = batch + STREAM_BATCH_HEADER;

	assert_true(count * stride < 64);
	for (int32_t i = 0; i < count; i++) {
		const uint8_t *p = at;
		int32_t size = 0;
		int64_t delta = 0;

		assert_true(stream_varint_take(&p, at + 5, &size));
		at += (p - at) + size;
		p++;
		assert_true(stream_varlong_take(&p, at, &delta));
		batch[p - batch] = (uint8_t)(2 * i * stride);
	}
	stream_store32(batch + 23, (uint32_t)((count - 1) * stride));
}

/* Add the batch to the end of log. */
static inline void
fx_add(struct stream_buf *log, struct fx_batch make)
{
	struct stream_batch_build build = {0};
	int32_t count = make.count != 0 ? make.count : 1;
	uint8_t *value = malloc(make.value_size + 1);
	uint8_t *batch;
	size_t size;

	assert_int_equal(
	    stream_buf_reserve(log,
		STREAM_BATCH_HEADER + (size_t)count * (make.value_size + 80),
		NULL),
	    STREAM_OK);
	batch = log->data + log->size;
	stream_batch_build_start(&build, batch);
	for (int32_t i = 0; i < count; i++) {
		struct stream_record record;
		char key[24];

		fx_record(&make, i, value, key, &record);
		assert_true(stream_batch_build_add(&build, &record));
	}
	free(value);
	size = stream_batch_build_size(&build);
	stream_batch_build_header(&build, STREAM_CODEC_NONE, batch, size);
	stream_batch_place(batch, make.base, make.epoch);
	if (make.stride > 1)
		fx_spread(batch, count, make.stride);
	stream_store16(batch + 21, make.attributes);
	if (make.producer_id != 0) {
		stream_store64(batch + 43, (uint64_t)make.producer_id);
		stream_store16(batch + 51, 0);
		stream_store32(batch + 53, 0);
	}
	fx_fix_crc(batch, size);
	log->size += size;
}

/* A transaction marker: commit or abort. */
static inline void
fx_add_marker(struct stream_buf *log, int64_t base, int64_t producer_id,
    bool commit, int64_t time_ms)
{
	static const uint8_t record[] = {
	    0x20, 0, 0, 0, 8, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0};
	struct fx_batch make = {.base = base,
	    .time_ms = time_ms,
	    .producer_id = producer_id,
	    .attributes = STREAM_BATCH_TRANSACTIONAL | STREAM_BATCH_CONTROL};
	size_t from = log->size;
	size_t size = STREAM_BATCH_HEADER + sizeof(record);

	fx_add(log, make);
	log->size = from;
	assert_int_equal(stream_buf_reserve(log, size, NULL), STREAM_OK);
	memcpy(log->data + from + STREAM_BATCH_HEADER, record, sizeof(record));
	log->data[from + STREAM_BATCH_HEADER + 8] = commit;
	stream_store32(log->data + from + 8, (uint32_t)(size - 12));
	stream_store32(log->data + from + 53, UINT32_MAX);
	fx_fix_crc(log->data + from, size);
	log->size += size;
}

/* n batches of count records each, a record a millisecond, from base on. */
static inline void
fx_add_many(struct stream_buf *log, int64_t base, int n, int32_t count,
    size_t value_size, char letter)
{
	for (int i = 0; i < n; i++, base += count)
		fx_add(log, (struct fx_batch){.base = base,
				.count = count,
				.time_ms = T0 + base,
				.step_ms = 1,
				.value_size = value_size,
				.letter = letter});
}

/* A batch of one record with this value. */
static inline void
fx_add_value(
    struct stream_buf *log, int64_t base, const struct stream_buf *value)
{
	struct stream_record record = {
	    .key = {(const uint8_t *)"k3", 2},
	    .value = {value->data, value->size},
	};
	struct stream_batch_build build = {0};
	uint8_t *batch;
	size_t size;

	assert_int_equal(
	    stream_buf_reserve(log, value->size + 200, NULL), STREAM_OK);
	batch = log->data + log->size;
	stream_batch_build_start(&build, batch);
	assert_true(stream_batch_build_add(&build, &record));
	size = stream_batch_build_size(&build);
	stream_batch_build_header(&build, STREAM_CODEC_NONE, batch, size);
	stream_batch_place(batch, base, 0);
	fx_fix_crc(batch, size);
	log->size += size;
}

/* ---- files ---- */

static inline const char *
fx_log_name(int64_t base, char name[static STREAM_NAME_SIZE])
{
	stream_name_put_plain(base, STREAM_NAME_LOG, name);
	return name;
}

static inline void
fx_put(const struct temp_dir *dir, const char *name, const void *bytes,
    size_t size)
{
	int fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		fail_msg("cannot make %s", name);
	close(fd);
}

static inline void
fx_put_at(const struct temp_dir *dir, const char *name, uint64_t at,
    const void *bytes, size_t size)
{
	int fd = openat(dir->fd, name, O_WRONLY);

	if (fd < 0 || pwrite(fd, bytes, size, (off_t)at) != (ssize_t)size)
		fail_msg("cannot change %s", name);
	close(fd);
}

/* The whole file, -1 as size when it is not there.  Release buf. */
static inline ssize_t
fx_get(const struct temp_dir *dir, const char *name, struct stream_buf *buf)
{
	stream_buf_init(buf);
	if (stream_io_load(dir->fd, name, 1 << 30, buf, NULL) != STREAM_OK)
		return -1;
	return (ssize_t)buf->size;
}

static inline off_t
fx_size(const struct temp_dir *dir, const char *name)
{
	struct stat st;

	return fstatat(dir->fd, name, &st, 0) == 0 ? st.st_size : -1;
}

static inline void
fx_cut(const struct temp_dir *dir, const char *name, off_t size)
{
	int fd = openat(dir->fd, name, O_WRONLY);

	if (fd < 0 || ftruncate(fd, size) != 0)
		fail_msg("cannot cut %s", name);
	close(fd);
}

static inline void
fx_remove(const struct temp_dir *dir, const char *name)
{
	if (unlinkat(dir->fd, name, 0) != 0)
		fail_msg("cannot remove %s", name);
}

/* size bytes of noise, or of one byte if it is not negative. */
static inline void
fx_fill(const struct temp_dir *dir, const char *name, size_t size, int byte,
    uint32_t seed)
{
	uint8_t *bytes = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		bytes[i] =
		    byte >= 0 ? (uint8_t)byte : (uint8_t)fx_random(&seed);
	fx_put(dir, name, bytes, size);
	free(bytes);
}

static inline void
fx_expect_same(
    const struct temp_dir *a, const struct temp_dir *b, const char *name)
{
	struct stream_buf x, y;

	if (fx_get(a, name, &x) != fx_get(b, name, &y) ||
	    (x.size > 0 && memcmp(x.data, y.data, x.size) != 0))
		fail_msg("%s differs: %zu and %zu bytes", name, x.size, y.size);
	stream_buf_release(&x);
	stream_buf_release(&y);
}

/* A second directory beside that of the test; end it with fx_drop. */
static inline struct temp_dir *
fx_dir(void)
{
	void *dir = NULL;

	assert_int_equal(temp_dir_set_up(&dir), 0);
	return dir;
}

static inline void
fx_drop(struct temp_dir *dir)
{
	void *state = dir;

	temp_dir_tear_down(&state);
}

/* Copy the files of one directory to another; returns how many. */
static inline int
fx_copy_from(const char *from, const struct temp_dir *to)
{
	DIR *dir = opendir(from);
	int count = 0;

	if (dir == NULL)
		fail_msg("%s is not to be had", from);
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		struct stream_buf buf;

		if (e->d_name[0] == '.' && strncmp(e->d_name, ".strm", 5) != 0)
			continue;
		stream_buf_init(&buf);
		assert_int_equal(
		    stream_io_load(dirfd(dir), e->d_name, 1 << 30, &buf, NULL),
		    STREAM_OK);
		fx_put(to, e->d_name, buf.data, buf.size);
		stream_buf_release(&buf);
		count++;
	}
	closedir(dir);
	return count;
}

/* The partition of a golden directory; false when there are none here. */
static inline bool
fx_golden(const char *name, const struct temp_dir *to)
{
	const char *root = getenv("STRM_GOLDEN");
	char path[4096];

	if (root == NULL || access(root, R_OK) != 0)
		return false;
	snprintf(path, sizeof(path), "%s/%s/topic-0", root, name);
	return fx_copy_from(path, to) > 0;
}

/* ---- writers ---- */

/* What a writer or reader said in its notes. */
struct fx_notes {
	int count;
	char last[256];
};

static inline void
fx_note(void *context, const char *text)
{
	struct fx_notes *notes = context;

	notes->count++;
	snprintf(notes->last, sizeof(notes->last), "%s", text);
}

static inline struct stream_log_config
fx_config(void)
{
	return (struct stream_log_config){
	    .segment_bytes = 1 << 30,
	    .segment_ms = INT64_C(7) * 86400000,
	    .segment_index_bytes = 10 << 20,
	    .index_interval_bytes = 4096,
	    .max_message_bytes = 1 << 20,
	    .dense = true,
	    .lock_timeout_ms = 2000,
	};
}

static inline struct stream_partition *
fx_open(const struct temp_dir *dir, const struct stream_log_config *config)
{
	struct stream_log_config usual = fx_config();
	struct stream_partition *partition = NULL;
	struct stream_error err = {.text = ""};

	expect(stream_partition_open(
		   dir->fd, config != NULL ? config : &usual, &partition, &err),
	    STREAM_OK, err);
	return partition;
}

/* Append one batch; the status. */
static inline int
fx_try_append(struct stream_partition *partition, struct fx_batch make,
    struct stream_error *err)
{
	struct stream_buf batch;
	int64_t base = make.base;
	int status;

	stream_buf_init(&batch);
	make.base = base != 0 ? base : stream_partition_next_offset(partition);
	fx_add(&batch, make);
	status = stream_partition_append(
	    partition, batch.data, batch.size, NULL, err);
	stream_buf_release(&batch);
	return status;
}

/* n batches of count records, as fx_add_many makes them. */
static inline void
fx_append(struct stream_partition *partition, int n, int32_t count,
    size_t value_size, char letter)
{
	for (int i = 0; i < n; i++) {
		int64_t base = stream_partition_next_offset(partition);
		struct stream_error err = {.text = ""};

		expect(fx_try_append(partition,
			   (struct fx_batch){.base = base,
			       .count = count,
			       .time_ms = T0 + base,
			       .step_ms = 1,
			       .value_size = value_size,
			       .letter = letter},
			   &err),
		    STREAM_OK, err);
	}
}

static inline void
fx_sync(struct stream_partition *partition)
{
	struct stream_error err = {.text = ""};

	expect(stream_partition_sync(partition, &err), STREAM_OK, err);
}

/* ---- the state ---- */

static inline struct stream_state
fx_state(const struct temp_dir *dir)
{
	int fd = openat(dir->fd, STREAM_STATE_NAME, O_RDONLY);
	struct stream_state_identity identity;
	struct stream_state state = {0};

	if (fd < 0)
		return state;
	assert_int_equal(stream_state_identify(fd, &identity, NULL), STREAM_OK);
	assert_int_equal(
	    stream_state_read(fd, &identity, &state, NULL), STREAM_OK);
	close(fd);
	return state;
}

/* As a writer would that does no more than this. */
static inline void
fx_put_state(const struct temp_dir *dir, struct stream_state state)
{
	int fd = openat(dir->fd, STREAM_STATE_NAME, O_RDWR);
	struct stream_state_identity identity;

	assert_int_equal(stream_state_identify(fd, &identity, NULL), STREAM_OK);
	assert_int_equal(
	    stream_state_write(fd, &identity, &state, NULL), STREAM_OK);
	close(fd);
}

/* The state as another boot wrote it: a byte of the id of each whole slot is
 * changed, or all of it made zero. */
static inline void
fx_reboot(const struct temp_dir *dir, bool unknown)
{
	struct stream_buf file;

	assert_true(fx_get(dir, STREAM_STATE_NAME, &file) >= 404);
	for (size_t slot = 0; slot < 512; slot += 256) {
		uint8_t *p = file.data + slot;

		if (stream_load32(p + 144) != stream_crc32c(p, 144))
			continue;
		p[20] ^= 1;
		if (unknown)
			memset(p + 16, 0, 16);
		stream_store32(p + 144, stream_crc32c(p, 144));
	}
	fx_put_at(dir, STREAM_STATE_NAME, 0, file.data, file.size);
	stream_buf_release(&file);
}

/* A state of no use, whose locks say at once that nobody is writing: without it
 * a reader looks three times, 10 ms apart, at bytes that are no batch. */
static inline void
fx_no_writer(const struct temp_dir *dir)
{
	temp_dir_put(dir, STREAM_STATE_NAME, "");
}

static inline void
fx_mark(const struct temp_dir *dir, uint16_t marks)
{
	struct stream_state state = fx_state(dir);

	state.marks |= marks;
	fx_put_state(dir, state);
}

/* ---- readers ---- */

/* What was read: how many, from where to where, and a sum over all that the
 * records hold. */
struct fx_seen {
	size_t count;
	int64_t first;
	int64_t last;
	uint32_t sum;
	char letters[4]; /* those that values began with, in order */
	int status;
	struct stream_error err;
};

static inline void
fx_sum_bytes(uint32_t *sum, struct stream_bytes bytes)
{
	uint32_t parts[3] = {*sum, bytes.data == NULL ? 1 : 0,
	    bytes.size > 0 ? stream_crc32c(bytes.data, bytes.size) : 0};

	*sum = stream_crc32c(parts, sizeof(parts));
}

static inline void
fx_see(struct fx_seen *seen, const struct stream_record *record)
{
	int64_t numbers[3] = {seen->sum, record->offset, record->timestamp_ms};
	size_t n = strlen(seen->letters);

	if (seen->count == 0)
		seen->first = record->offset;
	else if (record->offset <= seen->last)
		fail_msg("offset %lld after %lld", (long long)record->offset,
		    (long long)seen->last);
	seen->last = record->offset;
	seen->count++;
	seen->sum = stream_crc32c(numbers, sizeof(numbers));
	fx_sum_bytes(&seen->sum, record->key);
	fx_sum_bytes(&seen->sum, record->value);
	if (record->headers.size > 0)
		fx_sum_bytes(&seen->sum, record->headers);
	if (record->value.size > 0) {
		char letter = (char)record->value.data[0];

		if (n < 3 && (n == 0 || seen->letters[n - 1] != letter))
			seen->letters[n] = letter;
	}
}

/* All that the reader gives until it ends or fails, added to seen. */
static inline void
fx_drain(struct stream_reader *reader, struct fx_seen *seen)
{
	const struct stream_record *records;
	size_t count;

	seen->err.text[0] = '\0';
	while ((seen->status = stream_reader_read(
		    reader, &records, &count, &seen->err)) == STREAM_OK) {
		assert_true(count > 0);
		for (size_t i = 0; i < count; i++)
			fx_see(seen, &records[i]);
	}
}

/* Beside the options, a reader is of a topic of ours unless this says not. */
struct fx_reading {
	struct stream_reader_options options;
	bool foreign; /* not ours, and gaps are legal */
	bool gaps;    /* ours, compacted */
	int64_t log_start;
	const char *only;
	const char *topic; /* whose partition 0 it is, in a store; or NULL */
};

static inline int
fx_try_reader(const struct temp_dir *dir, const struct fx_reading *how,
    struct stream_reader **reader, struct stream_error *err)
{
	struct stream_reader_source source = {
	    .dirfd = fcntl(dir->fd, F_DUPFD_CLOEXEC, 0),
	    .name = "t-0",
	    .only = how->only,
	    .log_start_offset = how->log_start,
	    .is_ours = !how->foreign,
	    .has_transactions = how->foreign,
	    .dense = !how->foreign && !how->gaps,
	    .facts.topic = how->topic,
	};

	return stream_reader_open_source(&source, &how->options, reader, err);
}

static inline struct stream_reader *
fx_reader(const struct temp_dir *dir, struct fx_reading how)
{
	struct stream_reader *reader = NULL;
	struct stream_error err = {.text = ""};

	expect(fx_try_reader(dir, &how, &reader, &err), STREAM_OK, err);
	return reader;
}

/* Open, read to the end, close.  A failure to open is in seen too. */
static inline struct fx_seen
fx_read(const struct temp_dir *dir, struct fx_reading how)
{
	struct fx_seen seen = {.first = -1, .last = -1};
	struct stream_reader *reader;

	seen.status = fx_try_reader(dir, &how, &reader, &seen.err);
	if (seen.status != STREAM_OK)
		return seen;
	fx_drain(reader, &seen);
	stream_reader_close(reader);
	return seen;
}

static inline struct fx_seen
fx_read_all(const struct temp_dir *dir)
{
	return fx_read(dir, (struct fx_reading){.foreign = false});
}

/* The log must hold offsets 0 to next - 1 and end soundly. */
static inline void
fx_expect_dense(const struct temp_dir *dir, int64_t next)
{
	struct fx_seen seen = fx_read_all(dir);

	expect(seen.status, STREAM_END, seen.err);
	assert_int_equal(seen.count, next);
	assert_int_equal(seen.last, next - 1);
}

#endif
