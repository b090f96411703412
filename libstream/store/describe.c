#include <unistd.h>

#include <stream/topic.h>

#include "base/fail.h"
#include "log/summary.h"
#include "store/store.h"

int
stream_partition_describe(struct stream_store *store, const char *topic,
    int32_t partition, struct stream_partition_summary *summary,
    struct stream_error *err)
{
	struct stream_log_summary found;
	int64_t log_start;
	int fd;
	int status =
	    stream_store_log_start(store, topic, partition, &log_start, err);

	if (status != STREAM_OK)
		return status;
	status = stream_store_open_partition(store, topic, partition, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_log_summarize(fd, log_start, &found, err);
	close(fd);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s-%d", topic, partition);
	*summary = (struct stream_partition_summary){
	    .segments = found.segments,
	    .bytes = found.bytes,
	    .log_start_offset = found.log_start_offset,
	    .log_end_offset = found.log_end_offset,
	    .first_timestamp_ms = found.first_timestamp_ms,
	    .last_timestamp_ms = found.last_timestamp_ms,
	};
	return STREAM_OK;
}
