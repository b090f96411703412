#include "log/segment_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"

const enum stream_name_kind stream_segment_kinds[STREAM_SEGMENT_KINDS] = {
    STREAM_NAME_LOG,
    STREAM_NAME_INDEX,
    STREAM_NAME_TIMEINDEX,
    STREAM_NAME_TXNINDEX,
};

static void
put(int64_t base_offset, enum stream_name_kind kind,
    enum stream_name_state state, char *text)
{
	struct stream_name name = {base_offset, kind, state};

	stream_name_put(&name, text);
}

int
stream_segment_rename_file(int dirfd, int64_t base_offset,
    enum stream_name_kind kind, enum stream_name_state from,
    enum stream_name_state to, struct stream_error *err)
{
	char old[STREAM_NAME_SIZE], new[STREAM_NAME_SIZE];

	put(base_offset, kind, from, old);
	put(base_offset, kind, to, new);
	return stream_dir_rename_file(dirfd, old, new, err);
}

int
stream_segment_sync_log(
    int dirfd, int64_t base_offset, struct stream_error *err)
{
	char text[STREAM_NAME_SIZE];
	int fd;
	int status;

	put(base_offset, STREAM_NAME_LOG, STREAM_NAME_PLAIN, text);
	status = stream_io_open(dirfd, text, O_RDONLY, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_io_sync(fd, err);
	close(fd);
	return status == STREAM_OK ? status
				   : stream_fail_in(err, status, "%s", text);
}

int
stream_segment_remove_file(int dirfd, int64_t base_offset,
    enum stream_name_kind kind, enum stream_name_state state,
    struct stream_error *err)
{
	char text[STREAM_NAME_SIZE];

	put(base_offset, kind, state, text);
	return stream_dir_remove_file(dirfd, text, err);
}

int
stream_segment_put_away(int dirfd, int64_t base_offset,
    enum stream_name_kind kind, uint64_t *bytes, struct stream_error *err)
{
	char text[STREAM_NAME_SIZE];
	struct stream_error why = {.sys = 0};
	struct stat st;
	int status;

	put(base_offset, kind, STREAM_NAME_PLAIN, text);
	if (fstatat(dirfd, text, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT
			   ? STREAM_OK
			   : stream_fail_sys(err, "%s: cannot stat", text);
	status = stream_segment_rename_file(dirfd, base_offset, kind,
	    STREAM_NAME_PLAIN, STREAM_NAME_DELETED, &why);
	if (status != STREAM_OK && (why.sys == ENOSPC || why.sys == EDQUOT))
		status = stream_dir_remove_file(dirfd, text, &why);
	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK) {
		if (err != NULL)
			*err = why;
		return status;
	}
	if (bytes != NULL)
		*bytes += (uint64_t)st.st_size;
	return STREAM_OK;
}
