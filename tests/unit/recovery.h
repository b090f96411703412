/*
 * recovery.h - a partition that is opened again after something happened to it
 */
#ifndef RECOVERY_H
#define RECOVERY_H

#include "fixture.h"

/* A partition of n batches of three records, synced after so many of them. */
static inline void
make(const struct temp_dir *dir, int n, int synced)
{
	struct stream_partition *partition = fx_open(dir, NULL);

	fx_append(partition, synced, 3, 40, 'a');
	fx_sync(partition);
	fx_append(partition, n - synced, 3, 40, 'a');
	stream_partition_close(partition);
}

static inline void
add_to_log(const struct temp_dir *dir, const void *bytes, size_t size)
{
	fx_put_at(dir, LOG_0, (uint64_t)fx_size(dir, LOG_0), bytes, size);
}

/* Open with notes, close; the status. */
static inline int
try_open(const struct temp_dir *dir, struct fx_notes *notes,
    struct stream_error *err)
{
	struct stream_log_config config = fx_config();
	struct stream_partition *partition;
	int status;

	*notes = (struct fx_notes){.last = ""};
	config.note = fx_note;
	config.note_context = notes;
	err->text[0] = '\0';
	status = stream_partition_open(dir->fd, &config, &partition, err);
	if (status == STREAM_OK)
		stream_partition_close(partition);
	return status;
}

static inline void
expect_opens(const struct temp_dir *dir, int64_t next, const char *note)
{
	struct fx_notes notes;
	struct stream_error err;
	struct stream_partition *partition;

	expect(try_open(dir, &notes, &err), STREAM_OK, err);
	if ((note == NULL) != (notes.count == 0) ||
	    (note != NULL && strstr(notes.last, note) == NULL))
		fail_msg("%d notes: %s", notes.count, notes.last);
	fx_expect_dense(dir, next);
	partition = fx_open(dir, NULL);
	assert_int_equal(stream_partition_next_offset(partition), next);
	fx_append(partition, 2, 3, 40, 'b');
	fx_sync(partition);
	fx_expect_dense(dir, next + 6);
	stream_partition_close(partition);
}

/* Nothing may be written until someone has looked. */
static inline void
expect_refused(const struct temp_dir *dir, int want, const char *what)
{
	struct stream_buf before, after;
	struct fx_notes notes;
	struct stream_error err;

	fx_get(dir, LOG_0, &before);
	for (int i = 0; i < 2; i++)
		expect(try_open(dir, &notes, &err), want, err);
	if (strstr(err.text, what) == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(fx_get(dir, LOG_0, &after), before.size);
	if (after.size > 0)
		assert_memory_equal(after.data, before.data, after.size);
	stream_buf_release(&before);
	stream_buf_release(&after);
}

#endif
