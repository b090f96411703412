/*
 * log_text.h - logs of tests as text, to be written and to be read
 */
#ifndef LOG_TEXT_H
#define LOG_TEXT_H

#include <stdarg.h>

#include "fixture.h"
#include "codec/control.h"
#include "codec/records.h"

/*
 * A log is batches with '|' between them, a batch is its base offset, its marks
 * and its records: "0 a=1 b~ =2 _" are key a, a tombstone of b, a record
 * without a key, and an offset that is not there any more.  Marks are p7, of
 * producer 7; T, transactional; A and C, a marker that aborts or commits; H,
 * with a delete horizon.  A batch of no records is "0 ()", or "0 (2)" with
 * two more offsets.
 */
/* Add one batch; text is changed. */
static inline void
lt_add_batch(struct stream_buf *log, char *text)
{
	struct fx_batch make = {.base = strtoll(strtok(text, " "), NULL, 10)};
	struct stream_batch_build build = {0};
	uint8_t *batch;
	int32_t delta = 0;
	size_t size;

	assert_int_equal(stream_buf_reserve(log, 4096, NULL), STREAM_OK);
	batch = log->data + log->size;
	stream_batch_build_start(&build, batch);
	for (char *word; (word = strtok(NULL, " ")) != NULL;) {
		char *sign = strpbrk(word, "=~");
		struct stream_record record = {0};

		if (word[0] == 'p' && sign == NULL) {
			make.producer_id = atoi(word + 1);
			continue;
		}
		if (strcmp(word, "T") == 0) {
			make.attributes = STREAM_BATCH_TRANSACTIONAL;
			continue;
		}
		if (strcmp(word, "A") == 0 || strcmp(word, "C") == 0) {
			fx_add_marker(log, make.base, make.producer_id,
			    word[0] == 'C', T0);
			return;
		}
		delta++;
		if (word[0] == '(')
			delta = atoi(word + 1) + 1;
		if (sign == NULL)
			continue;
		if (sign > word)
			record.key = (struct stream_bytes){
			    (uint8_t *)word, (size_t)(sign - word)};
		if (*sign == '=')
			record.value = (struct stream_bytes){
			    (uint8_t *)sign + 1, strlen(sign + 1)};
		build.at = stream_record_put(
		    build.at, &record, make.base + delta, delta - 1);
		build.count++;
	}
	build.base_timestamp_ms = T0;
	build.max_timestamp_ms = T0 + make.base + delta;
	size = stream_batch_build_size(&build);
	stream_batch_build_header(&build, STREAM_CODEC_NONE, batch, size);
	stream_batch_place(batch, make.base, 0);
	stream_store32(batch + 23, (uint32_t)(delta - 1));
	stream_store16(batch + 21, make.attributes);
	if (make.producer_id != 0) {
		stream_store64(batch + 43, (uint64_t)make.producer_id);
		stream_store16(batch + 51, 0);
		stream_store32(batch + 53, 0);
	}
	fx_fix_crc(batch, size);
	log->size += size;
}

static inline void
lt_put_log(const struct temp_dir *dir, int64_t base, const char *text)
{
	char name[STREAM_NAME_SIZE], batch[256];
	struct stream_buf log;

	stream_buf_init(&log);
	while (*text != '\0') {
		size_t n = strcspn(text, "|");

		snprintf(batch, sizeof(batch), "%.*s", (int)n, text);
		lt_add_batch(&log, batch);
		text += n + (text[n] == '|');
	}
	fx_put(dir, fx_log_name(base, name), log.data, log.size);
	stream_buf_release(&log);
}

static inline void
lt_say(char **to, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	*to += vsprintf(*to, format, args);
	va_end(args);
}

static inline void
lt_say_records(
    char **to, const struct stream_batch *batch, struct stream_bytes section)
{
	struct stream_records walk;
	struct stream_record record;
	int64_t next = batch->info.base_offset;
	size_t n = 1;

	assert_int_equal(
	    stream_records_start(&walk, batch, section, NULL), STREAM_OK);
	while (stream_records_take(&walk, &record, 1, &n, NULL) == STREAM_OK &&
	       n > 0) {
		for (; next < record.offset; next++)
			lt_say(to, " _");
		next++;
		lt_say(to, " %.*s", (int)record.key.size,
		    (const char *)record.key.data);
		if (record.value.data == NULL)
			lt_say(to, "~");
		else
			lt_say(to, "=%.*s", (int)record.value.size,
			    (const char *)record.value.data);
	}
	for (; next <= batch->info.last_offset; next++)
		lt_say(to, " _");
}

static inline bool
lt_is_commit(const uint8_t *bytes, size_t size)
{
	enum stream_control_type type;

	assert_int_equal(
	    stream_control_type(bytes, size, &type, NULL), STREAM_OK);
	return type == STREAM_CONTROL_COMMIT;
}

static inline void
lt_say_batch(char **to, const struct stream_batch *batch, const uint8_t *bytes)
{
	const struct stream_batch_info *info = &batch->info;
	struct stream_bytes section = {
	    bytes + STREAM_BATCH_HEADER, info->size - STREAM_BATCH_HEADER};
	bool control = stream_batch_is_control(info);

	lt_say(to, "%lld", (long long)info->base_offset);
	if (info->producer_id >= 0)
		lt_say(to, " p%lld", (long long)info->producer_id);
	if (!control && stream_batch_is_transactional(info))
		lt_say(to, " T");
	if (info->attributes & STREAM_BATCH_HORIZON)
		lt_say(to, " H");
	if (info->record_count == 0)
		lt_say(to, batch->last_offset_delta > 0 ? " (%d)" : " ()",
		    batch->last_offset_delta);
	else if (control)
		lt_say(to, lt_is_commit(bytes, info->size) ? " C" : " A");
	else
		lt_say_records(to, batch, section);
}

/* A log as text; "none" when there is no such file. */
static inline const char *
lt_read_log(
    const struct temp_dir *dir, int64_t base, enum stream_name_state state)
{
	static char text[16384];
	struct stream_name parts = {base, STREAM_NAME_LOG, state};
	char name[STREAM_NAME_SIZE], *to = text;
	struct stream_buf log;

	stream_name_put(&parts, name);
	if (fx_get(dir, name, &log) < 0)
		return "none";
	text[0] = '\0';
	for (size_t at = 0; at < log.size;) {
		struct stream_batch batch;
		uint64_t size;

		assert_int_equal(stream_batch_measure(log.data + at,
				     log.size - at, 1 << 20, &size, NULL),
		    STREAM_OK);
		assert_int_equal(
		    stream_batch_check(log.data + at, size, &batch, NULL),
		    STREAM_OK);
		if (at > 0)
			lt_say(&to, "|");
		lt_say_batch(&to, &batch, log.data + at);
		at += size;
	}
	stream_buf_release(&log);
	return text;
}

static inline void
lt_expect_log(const struct temp_dir *dir, int64_t base,
    enum stream_name_state state, const char *want, const char *what)
{
	const char *got = lt_read_log(dir, base, state);

	if (strcmp(got, want) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", what, got, want);
}

#endif
