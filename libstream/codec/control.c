#include "codec/control.h"

#include "base/bytes.h"
#include "base/fail.h"
#include "codec/records.h"

/* Version and type, two bytes each; the value of an end of a transaction is
 * a version and the coordinator's epoch. */
static void
load_marker(
    const struct stream_record *record, struct stream_control_marker *marker)
{
	uint16_t type = stream_load16(record->key.data + 2);

	if (type <= STREAM_CONTROL_COMMIT)
		marker->type = (enum stream_control_type)type;
	if (record->value.size >= 6)
		marker->coordinator_epoch =
		    (int32_t)stream_load32(record->value.data + 2);
	marker->timestamp_ms = record->timestamp_ms;
}

int
stream_control_marker_take(const uint8_t *bytes, size_t size,
    struct stream_control_marker *marker, struct stream_error *err)
{
	struct stream_bytes section = {
	    bytes + STREAM_BATCH_HEADER, size - STREAM_BATCH_HEADER};
	struct stream_batch batch;
	struct stream_records walk;
	struct stream_record record;
	size_t count = 0;
	int status = stream_batch_parse(bytes, size, &batch, err);

	if (status != STREAM_OK)
		return status;
	*marker = (struct stream_control_marker){
	    STREAM_CONTROL_OTHER, -1, STREAM_NO_TIMESTAMP};
	if (batch.info.record_count == 0)
		return STREAM_OK; /* emptied by compaction */
	if (stream_batch_codec(&batch.info) != STREAM_CODEC_NONE)
		return stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
		    "a compressed control batch is not supported");
	status = stream_records_start(&walk, &batch, section, err);
	if (status == STREAM_OK)
		status = stream_records_take(&walk, &record, 1, &count, err);
	if (status != STREAM_OK)
		return status;
	if (record.key.size < 4)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "a control record's key has %zu bytes, not 4",
		    record.key.size);
	load_marker(&record, marker);
	return STREAM_OK;
}

int
stream_control_type(const uint8_t *bytes, size_t size,
    enum stream_control_type *type, struct stream_error *err)
{
	struct stream_control_marker marker;
	int status = stream_control_marker_take(bytes, size, &marker, err);

	if (status == STREAM_OK)
		*type = marker.type;
	return status;
}
