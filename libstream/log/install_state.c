#include "log/install.h"

#include <fcntl.h>
#include <unistd.h>

#include "file/io.h"
#include "file/state.h"

int
stream_install_state(int dirfd, int64_t base_offset,
    const struct stream_measure *measure, int32_t leader_epoch,
    struct stream_error *err)
{
	struct stream_state state = {
	    .leader_epoch = leader_epoch > measure->leader_epoch
				? leader_epoch
				: measure->leader_epoch,
	    .active_base = base_offset,
	    .end = measure->bytes,
	    .last_position = measure->last_position,
	    .next_offset = measure->next_offset,
	    .durable_end = measure->bytes,
	    .max_timestamp_ms = measure->max_timestamp_ms,
	    .max_timestamp_offset = measure->max_timestamp_offset,
	};
	struct stream_state_identity identity;
	int fd;
	int status = stream_io_open(
	    dirfd, STREAM_STATE_NAME, O_RDWR | O_CREAT | O_EXCL, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_state_identify(fd, &identity, err);
	if (status == STREAM_OK)
		status = stream_state_write(fd, &identity, &state, err);
	close(fd);
	return status;
}
