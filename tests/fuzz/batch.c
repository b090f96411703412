/*
 * batch.c - one batch: header, CRC, codec, records, against refdec
 *
 * What is good is also made again from its records, and read once more.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/batch_build.h"
#include "codec/compress.h"
#include "codec/control.h"
#include "codec/records.h"
#include "compare.h"

static int
check_header(const uint8_t *data, size_t size, struct stream_batch *batch)
{
	uint64_t whole;
	int status;

	if (size <= STREAM_BATCH_MAGIC_AT)
		return STREAM_ETORN; /* by scan.c, whatever they say */
	status = stream_batch_measure(data, size, FUZZ_LIMIT, &whole, NULL);
	if (status == STREAM_OK && whole > size)
		return STREAM_ETORN;
	/* What measure calls newer is only that if it is all there. */
	if (status == STREAM_ENEWER && refdec_be(data + 8, 4) + 12 > size)
		return STREAM_ETORN;
	if (status == STREAM_OK)
		status = stream_batch_check(data, (size_t)whole, batch, NULL);
	return status;
}

static void
check_fields(const struct stream_batch *ours, const struct refdec_batch *theirs)
{
	const struct stream_batch_info *info = &ours->info;

	FUZZ_CHECK(info->base_offset == theirs->base);
	FUZZ_CHECK(info->last_offset == theirs->base + theirs->last_delta);
	FUZZ_CHECK(info->max_timestamp_ms == theirs->max_time);
	FUZZ_CHECK(info->producer_id == theirs->producer);
	FUZZ_CHECK(info->producer_epoch == theirs->producer_epoch);
	FUZZ_CHECK(info->base_sequence == theirs->sequence);
	FUZZ_CHECK(info->record_count == theirs->count);
	FUZZ_CHECK(info->leader_epoch == theirs->epoch);
	FUZZ_CHECK(info->attributes == (uint16_t)theirs->attributes);
	FUZZ_CHECK(info->size == theirs->size);
	FUZZ_CHECK(ours->base_timestamp_ms == theirs->base_time);
	FUZZ_CHECK(ours->last_offset_delta == theirs->last_delta);
	FUZZ_CHECK(ours->crc == theirs->crc);
}

/* Walk the section a few records at a time.  *again gets what a writer makes
 * of those that it could append as one batch. */
static int
walk(const struct stream_batch *batch, struct stream_bytes section,
    struct stream_buf *out, struct stream_batch_build *again)
{
	struct stream_records records;
	struct stream_record some[3];
	size_t count;
	int status = stream_records_start(&records, batch, section, NULL);

	while (status == STREAM_OK) {
		status = stream_records_take(&records, some, 3, &count, NULL);
		if (status != STREAM_OK || count == 0)
			break;
		for (size_t i = 0; i < count; i++) {
			FUZZ_CHECK(some[i].offset <= batch->info.last_offset);
			fuzz_put_record(out, &some[i]);
			if (again->start != NULL &&
			    !stream_batch_build_add(again, &some[i]))
				again->start = NULL;
		}
	}
	return status;
}

/* What was made of the records holds the same records. */
static void
check_again(const uint8_t *section, size_t section_size,
    const struct stream_batch *batch)
{
	/* A record grows by few bytes: numbers come at their shortest, but
	 * deltas may be larger than they were. */
	size_t most = STREAM_BATCH_HEADER + 16 * section_size + 64;
	uint8_t *memory = malloc(most);
	struct stream_batch_build build;
	struct stream_batch_build none = {0};
	struct stream_buf first, second;
	struct stream_batch made;
	size_t size;

	stream_buf_init(&first);
	stream_buf_init(&second);
	stream_batch_build_start(&build, memory);
	FUZZ_CHECK(walk(batch, (struct stream_bytes){section, section_size},
		       &first, &build) == STREAM_OK);
	if (build.start != NULL && build.count > 0) {
		size = stream_batch_build_size(&build);
		FUZZ_CHECK(size <= most);
		stream_batch_build_header(
		    &build, STREAM_CODEC_NONE, memory, size);
		stream_batch_seal(memory, size);
		FUZZ_CHECK(
		    stream_batch_check(memory, size, &made, NULL) == STREAM_OK);
		made.info.base_offset = batch->info.base_offset;
		made.info.last_offset = batch->info.last_offset;
		FUZZ_CHECK(
		    walk(&made,
			(struct stream_bytes){memory + STREAM_BATCH_HEADER,
			    size - STREAM_BATCH_HEADER},
			&second, &none) == STREAM_OK);
		FUZZ_CHECK(made.info.record_count == batch->info.record_count);
		/* Offsets are dense now; if they were, all is the same. */
		if (batch->last_offset_delta == batch->info.record_count - 1)
			FUZZ_CHECK(fuzz_same(&first, &second));
	}
	stream_buf_release(&first);
	stream_buf_release(&second);
	free(memory);
}

static void
check_records(const uint8_t *data, const struct stream_batch *ours,
    const struct refdec_batch *theirs)
{
	static struct stream_decompressor *decompressor;
	static struct refdec_buf buf = {.limit = FUZZ_LIMIT};
	struct stream_bytes section = {
	    data + STREAM_BATCH_HEADER, ours->info.size - STREAM_BATCH_HEADER};
	struct stream_batch_build none = {0};
	struct stream_buf plain, out, their_out;
	int status = STREAM_OK, verdict;

	stream_buf_init(&plain);
	stream_buf_init(&out);
	stream_buf_init(&their_out);
	if (decompressor == NULL)
		stream_decompressor_new(&decompressor, NULL);
	if (stream_batch_codec(&ours->info) != STREAM_CODEC_NONE) {
		status = stream_decompress(decompressor,
		    stream_batch_codec(&ours->info), section, FUZZ_LIMIT,
		    &plain, NULL);
		section = (struct stream_bytes){plain.data, plain.size};
	}
	if (status == STREAM_OK)
		status = walk(ours, section, &out, &none);
	verdict = refdec_records(theirs, refdec_section(theirs, data, &buf),
	    fuzz_put_refdec, &their_out);
	FUZZ_CHECK(fuzz_agree_on_stream(status, verdict));
	if (status == STREAM_OK) {
		FUZZ_CHECK(fuzz_same(&out, &their_out));
		check_again(section.data, section.size, ours);
	}
	stream_buf_release(&plain);
	stream_buf_release(&out);
	stream_buf_release(&their_out);
}

/*
 * The type of a control batch: newer for refdec's reason, or corrupt, since the
 * records are not good or the first key is too short.  True: go on.
 */
static bool
check_control(const uint8_t *data, const struct stream_batch *batch)
{
	enum stream_control_type type;
	int status = stream_control_type(data, batch->info.size, &type, NULL);
	bool packed = stream_batch_codec(&batch->info) != STREAM_CODEC_NONE;

	FUZZ_CHECK((status == STREAM_ENEWER) == packed);
	FUZZ_CHECK(packed || status == STREAM_OK || status == STREAM_ECORRUPT);
	return !packed;
}

static void
run(const uint8_t *data, size_t size)
{
	struct refdec_batch theirs;
	struct stream_batch ours;
	int verdict = refdec_batch(data, size, FUZZ_LIMIT, &theirs);
	int status = check_header(data, size, &ours);

	FUZZ_CHECK(fuzz_agree(status, verdict));
	if (status != STREAM_OK)
		return;
	check_fields(&ours, &theirs);
	if (!stream_batch_is_control(&ours.info) || check_control(data, &ours))
		check_records(data, &ours, &theirs);
}

const struct fuzz_target fuzz_target_batch = {"batch", run, fuzz_mutate_log};
