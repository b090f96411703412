#include "log/measure.h"

#include "base/fail.h"
#include "file/scan.h"

/* Bytes between two questions whether to go on. */
enum { STEP = 8 << 20 };

void
stream_measure_init(struct stream_measure *measure, int64_t base_offset)
{
	*measure = (struct stream_measure){
	    .next_offset = base_offset,
	    .max_timestamp_ms = STREAM_NO_TIMESTAMP,
	    .max_timestamp_offset = -1,
	    .last_position = -1,
	    .leader_epoch = -1,
	};
}

bool
stream_measure_is_same(
    const struct stream_measure *a, const struct stream_measure *b)
{
	return a->bytes == b->bytes &&
	       stream_chain_is_same(&a->digest, &b->digest);
}

bool
stream_measure_bears_out(
    const struct stream_measure *found, const struct stream_measure *said)
{
	return stream_measure_is_same(found, said) &&
	       found->next_offset <= said->next_offset &&
	       found->records == said->records &&
	       found->max_timestamp_ms == said->max_timestamp_ms &&
	       found->max_timestamp_offset == said->max_timestamp_offset &&
	       found->last_position == said->last_position &&
	       found->leader_epoch == said->leader_epoch;
}

static void
look_for_mark(
    struct stream_measuring *how, const struct stream_measure *measure)
{
	if (measure->bytes != how->mark_at)
		return;
	how->mark = measure->digest;
	how->marked = true;
}

/* As it came, also if the next batch is bad. */
static int
add(struct stream_measuring *how, struct stream_measure *measure,
    struct stream_batch *batch, const uint8_t *bytes, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;
	int status = STREAM_OK;

	if (info->base_offset < measure->next_offset)
		return stream_fail(err, STREAM_ECORRUPT, measure->bytes,
		    "byte %llu: batch at offset %lld where %lld or more was "
		    "expected",
		    (unsigned long long)measure->bytes,
		    (long long)info->base_offset,
		    (long long)measure->next_offset);
	batch->info.position = measure->bytes;
	if (how->batch != NULL)
		status = how->batch(how->context, batch, bytes, err);
	if (status != STREAM_OK)
		return status;
	stream_chain_add(&measure->digest, bytes, info->size);
	measure->last_position = (int64_t)measure->bytes;
	measure->bytes += info->size;
	measure->next_offset = info->last_offset + 1;
	measure->records += info->record_count;
	if (info->max_timestamp_ms > measure->max_timestamp_ms) {
		measure->max_timestamp_ms = info->max_timestamp_ms;
		measure->max_timestamp_offset = info->last_offset;
	}
	if (info->leader_epoch > measure->leader_epoch)
		measure->leader_epoch = info->leader_epoch;
	look_for_mark(how, measure);
	return STREAM_OK;
}

static int
ask(struct stream_measuring *how, uint64_t *done, uint64_t bytes, bool last,
    struct stream_error *err)
{
	*done += bytes;
	if (how->go_on == NULL || (*done < STEP && !last))
		return STREAM_OK;
	bytes = *done;
	*done = 0;
	return how->go_on(how->go_on_context, bytes)
		   ? STREAM_OK
		   : stream_fail(err, STREAM_EINTR, STREAM_POS_NONE,
			 "stopped on request");
}

int
stream_measure_log(struct stream_measuring *how, struct stream_measure *measure,
    struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	uint64_t done = 0;
	int status = STREAM_OK;

	look_for_mark(how, measure);
	if (measure->bytes >= how->limit)
		return STREAM_OK;
	stream_scan_init(&scan, how->fd, measure->bytes - how->shift,
	    STREAM_SCAN_WHOLE, STREAM_BATCH_CAP_MOST, STREAM_SCAN_BLOCK);
	scan.limit = how->limit - how->shift;
	while (status == STREAM_OK) {
		status = stream_scan_next(&scan, &batch, &bytes, err);
		if (status != STREAM_OK)
			break;
		status = add(how, measure, &batch, bytes, err);
		if (status == STREAM_OK)
			status = ask(how, &done, batch.info.size, false, err);
	}
	stream_scan_release(&scan);
	if (status == STREAM_END || status == STREAM_ETORN)
		status = ask(how, &done, 0, true, err);
	return status;
}

bool
stream_measure_stands(int fd, const struct stream_measure *measure)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	bool stands;

	if (measure->last_position < 0)
		return measure->bytes == 0;
	stream_scan_init(&scan, fd, (uint64_t)measure->last_position,
	    STREAM_SCAN_WHOLE, STREAM_BATCH_CAP_MOST, STREAM_SCAN_SMALL_BLOCK);
	stands = stream_scan_next(&scan, &batch, &bytes, NULL) == STREAM_OK &&
		 scan.next == measure->bytes &&
		 batch.info.last_offset + 1 == measure->next_offset &&
		 batch.info.max_timestamp_ms <= measure->max_timestamp_ms;
	stream_scan_release(&scan);
	return stands;
}
