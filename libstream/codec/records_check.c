#include "codec/records_check.h"

#include "base/fail.h"
#include "codec/records.h"
#include "codec/varint.h"

/* Step over a length and so many bytes.  Lengths of -1 (null) and, for names
 * of headers, not even those. */
static inline bool
step_over(const uint8_t **at, const uint8_t *end, int32_t least)
{
	int32_t size;

	if (!stream_varint_take(at, end, &size) || size < least ||
	    size > end - *at)
		return false;
	*at += size < 0 ? 0 : size;
	return true;
}

static bool
step_over_headers(const uint8_t **at, const uint8_t *end, int32_t count)
{
	/* A header takes two bytes at least, so count cannot outrun end. */
	for (int32_t i = 0; i < count; i++)
		if (!step_over(at, end, 0) || !step_over(at, end, -1))
			return false;
	return true;
}

/* One record, which ends at end; *last is the offset delta before it. */
static inline bool
check_record(const uint8_t *at, const uint8_t *end, int32_t most, int32_t *last)
{
	int64_t time_delta;
	int32_t delta, headers;

	if (at == end)
		return false;
	at++; /* attributes: unused */
	if (!stream_varlong_take(&at, end, &time_delta) ||
	    !stream_varint_take(&at, end, &delta) || delta <= *last ||
	    delta > most || !step_over(&at, end, -1) ||
	    !step_over(&at, end, -1) ||
	    !stream_varint_take(&at, end, &headers) || headers < 0)
		return false;
	*last = delta;
	if (headers > 0 &&
	    (headers > end - at || !step_over_headers(&at, end, headers)))
		return false;
	return at == end;
}

static bool
is_sound(const struct stream_batch *batch, struct stream_bytes bytes)
{
	const uint8_t *at = bytes.data;
	const uint8_t *end = at + bytes.size;
	int32_t last = -1;

	for (int32_t left = batch->info.record_count; left > 0; left--) {
		int32_t size;

		if (!stream_varint_take(&at, end, &size) || size < 0 ||
		    size > end - at ||
		    !check_record(
			at, at + size, batch->last_offset_delta, &last))
			return false;
		at += size;
	}
	return at == end;
}

/* Enough to make the calls cheap, little enough for the stack. */
enum { AT_ONCE = 32 };

/* What is wrong is told by the walk that gives out records, so that both
 * judge alike. */
static int
tell(const struct stream_batch *batch, struct stream_bytes bytes,
    struct stream_error *err)
{
	struct stream_record records[AT_ONCE];
	struct stream_records walk;
	size_t count = 1;
	int status = stream_records_start(&walk, batch, bytes, err);

	while (status == STREAM_OK && count > 0)
		status =
		    stream_records_take(&walk, records, AT_ONCE, &count, err);
	return status;
}

int
stream_records_check(const struct stream_batch *batch,
    struct stream_bytes bytes, struct stream_error *err)
{
	if (bytes.size > 0 && is_sound(batch, bytes))
		return STREAM_OK;
	return tell(batch, bytes, err);
}

/* ---- as they stand in the log ------------------------------------------- */

void
stream_unpacker_init(struct stream_unpacker *unpacker, size_t cap)
{
	*unpacker = (struct stream_unpacker){.cap = cap};
	stream_buf_init(&unpacker->plain);
}

void
stream_unpacker_release(struct stream_unpacker *unpacker)
{
	stream_decompressor_free(unpacker->decompressor);
	stream_buf_release(&unpacker->plain);
}

static int
unpack(struct stream_unpacker *unpacker, enum stream_codec codec,
    struct stream_bytes *section, struct stream_error *err)
{
	int status = STREAM_OK;

	if (unpacker->decompressor == NULL)
		status = stream_decompressor_new(&unpacker->decompressor, err);
	unpacker->plain.size = 0;
	if (status == STREAM_OK)
		status = stream_decompress(unpacker->decompressor, codec,
		    *section, unpacker->cap, &unpacker->plain, err);
	*section =
	    (struct stream_bytes){unpacker->plain.data, unpacker->plain.size};
	return status;
}

int
stream_unpacker_open(struct stream_unpacker *unpacker,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_bytes *section, struct stream_error *err)
{
	enum stream_codec codec = stream_batch_codec(&batch->info);

	*section = (struct stream_bytes){bytes + STREAM_BATCH_HEADER,
	    batch->info.size - STREAM_BATCH_HEADER};
	if (codec == STREAM_CODEC_NONE)
		return STREAM_OK;
	return unpack(unpacker, codec, section, err);
}

int
stream_records_check_packed(struct stream_unpacker *unpacker,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_error *err)
{
	struct stream_bytes section;
	int status;

	/* The codec's bits mean nothing then. */
	if (batch->info.record_count == 0)
		return STREAM_OK;
	status = stream_unpacker_open(unpacker, batch, bytes, &section, err);
	return status == STREAM_OK ? stream_records_check(batch, section, err)
				   : status;
}
