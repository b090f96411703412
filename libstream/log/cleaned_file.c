#include "log/cleaned_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/hash.h"
#include "file/io.h"
#include "file/scan.h"

/* Gathered before it is written: enough to make the calls cheap, little enough
 * to be in the cache still. */
enum { PIECE = 1024 * 1024 };

void
stream_cleaned_file_init(struct stream_cleaned_file *file, int dirfd,
    int64_t base_offset, int64_t interval_bytes)
{
	*file = (struct stream_cleaned_file){
	    .dirfd = dirfd,
	    .base_offset = base_offset,
	    .log = -1,
	};
	stream_indexer_init(&file->indexer, base_offset, interval_bytes);
	stream_buf_init(&file->aborts);
}

static void
name_of(const struct stream_cleaned_file *file, enum stream_name_kind kind,
    char *text)
{
	struct stream_name name = {
	    .base_offset = file->base_offset,
	    .kind = kind,
	    .state = STREAM_NAME_CLEANED,
	};

	stream_name_put(&name, text);
}

void
stream_cleaned_file_release(struct stream_cleaned_file *file)
{
	char name[STREAM_NAME_SIZE];

	if (file->log >= 0)
		close(file->log);
	/* The log goes last: an index alone is nothing to anybody. */
	for (int kind = STREAM_NAME_TXNINDEX; kind >= 0; kind--) {
		if (!file->has[kind])
			continue;
		name_of(file, (enum stream_name_kind)kind, name);
		unlinkat(file->dirfd, name, 0);
	}
	free(file->memory);
	stream_indexer_release(&file->indexer);
	stream_buf_release(&file->aborts);
}

static int
make(struct stream_cleaned_file *file, enum stream_name_kind kind, int *fd,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int status;

	name_of(file, kind, name);
	status = stream_io_open(
	    file->dirfd, name, O_RDWR | O_CREAT | O_EXCL, fd, err);
	if (status == STREAM_EIO && err != NULL && err->sys == EEXIST)
		return stream_fail(err, STREAM_EEXIST, STREAM_POS_NONE,
		    "%s: is there already", name);
	if (status == STREAM_OK)
		file->has[kind] = true;
	return status;
}

static int
fail_in(const struct stream_cleaned_file *file, enum stream_name_kind kind,
    int status, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	name_of(file, kind, name);
	return stream_fail_in(err, status, "%s", name);
}

/* ---- the log ------------------------------------------------------------ */

static int
write_log(struct stream_cleaned_file *file, const uint8_t *bytes, size_t n,
    struct stream_error *err)
{
	int status =
	    stream_io_write_at(file->log, bytes, n, file->written, NULL, err);

	if (status != STREAM_OK)
		return fail_in(file, STREAM_NAME_LOG, status, err);
	file->written += n;
	return STREAM_OK;
}

static int
flush(struct stream_cleaned_file *file, struct stream_error *err)
{
	size_t n = file->gathered;

	file->gathered = 0;
	return n > 0 ? write_log(file, file->memory, n, err) : STREAM_OK;
}

static int
gather(struct stream_cleaned_file *file, const uint8_t *bytes, size_t n,
    struct stream_error *err)
{
	if (n > PIECE - file->gathered) {
		int status = flush(file, err);

		if (status != STREAM_OK)
			return status;
	}
	if (n > PIECE)
		return write_log(file, bytes, n, err);
	memcpy(file->memory + file->gathered, bytes, n);
	file->gathered += n;
	return STREAM_OK;
}

int
stream_cleaned_file_begin(
    struct stream_cleaned_file *file, struct stream_error *err)
{
	file->memory = malloc(PIECE);
	if (file->memory == NULL)
		return stream_fail_memory(err);
	return make(file, STREAM_NAME_LOG, &file->log, err);
}

int
stream_cleaned_file_copy(
    struct stream_cleaned_file *file, int source, struct stream_error *err)
{
	uint64_t from = 0;
	size_t got;
	int status;

	do {
		uint64_t left = file->sum.bytes - file->written;
		size_t n = left < PIECE ? (size_t)left : PIECE;

		status =
		    stream_io_read_at(source, file->memory, n, from, &got, err);
		if (status == STREAM_OK)
			status = write_log(file, file->memory, got, err);
		from += got;
	} while (status == STREAM_OK && got == PIECE);
	return status;
}

bool
stream_cleaned_file_fits(const struct stream_cleaned_file *file,
    const struct stream_batch_info *info)
{
	return file->sum.bytes + info->size <= INT32_MAX &&
	       info->last_offset - file->base_offset <= INT32_MAX;
}

/* Another batch at the end of the log. */
static void
account(struct stream_cleaned_sum *sum, const struct stream_batch *batch)
{
	uint64_t about[] = {(uint64_t)batch->info.base_offset,
	    (uint64_t)batch->info.last_offset, batch->info.size, batch->crc};

	sum->digest = stream_hash(about, sizeof(about), sum->digest);
	sum->bytes += batch->info.size;
	sum->batches++;
}

int
stream_cleaned_file_add(struct stream_cleaned_file *file,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_error *err)
{
	struct stream_batch_info info = batch->info;
	int status = STREAM_OK;

	info.position = file->sum.bytes;
	if (file->log >= 0)
		status = gather(file, bytes, info.size, err);
	if (status == STREAM_OK)
		status = stream_indexer_add(&file->indexer, &info, err);
	if (status == STREAM_OK)
		account(&file->sum, batch);
	return status;
}

int
stream_cleaned_file_add_abort(struct stream_cleaned_file *file,
    const struct stream_aborted *entry, struct stream_error *err)
{
	uint8_t bytes[STREAM_TXNINDEX_ENTRY];

	stream_aborted_put(bytes, entry);
	return stream_buf_add(&file->aborts, bytes, sizeof(bytes), err);
}

/* ---- the end ------------------------------------------------------------ */

/* As the source was; and durable. */
static int
settle(int fd, const struct stat *like, struct stream_error *err)
{
	struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, like->st_mtim};
	struct stat now;

	if (fstat(fd, &now) != 0)
		return stream_fail_sys(err, "cannot stat");
	if ((now.st_uid != like->st_uid || now.st_gid != like->st_gid) &&
	    fchown(fd, like->st_uid, like->st_gid) != 0)
		return stream_fail_sys(
		    err, "cannot give it to the owner of the log it replaces");
	if (fchmod(fd, like->st_mode & 07777) != 0)
		return stream_fail_sys(err, "cannot set its mode");
	if (futimens(fd, times) != 0)
		return stream_fail_sys(err, "cannot set its time");
	return stream_io_sync_whole(fd, err);
}

static int
write_index(struct stream_cleaned_file *file, enum stream_name_kind kind,
    const struct stream_buf *entries, const struct stat *like,
    struct stream_error *err)
{
	int fd;
	int status = make(file, kind, &fd, err);

	if (status != STREAM_OK)
		return status;
	status =
	    stream_io_write_at(fd, entries->data, entries->size, 0, NULL, err);
	if (status == STREAM_OK)
		status = settle(fd, like, err);
	if (close(fd) != 0 && status == STREAM_OK)
		status = stream_fail_sys(err, "close failed");
	return status == STREAM_OK ? status : fail_in(file, kind, status, err);
}

static int
write_indexes(struct stream_cleaned_file *file, const struct stat *like,
    struct stream_error *err)
{
	struct stream_indexer *indexer = &file->indexer;
	int status = stream_indexer_finish(indexer, err);

	if (status == STREAM_OK)
		status = write_index(
		    file, STREAM_NAME_INDEX, &indexer->offsets, like, err);
	if (status == STREAM_OK)
		status = write_index(
		    file, STREAM_NAME_TIMEINDEX, &indexer->times, like, err);
	if (status == STREAM_OK && file->aborts.size > 0)
		status = write_index(
		    file, STREAM_NAME_TXNINDEX, &file->aborts, like, err);
	return status;
}

/* What is in the file is what was to be: whatever went wrong on the way, the
 * sources are still there. */
static int
read_again(const struct stream_cleaned_file *file, struct stream_error *err)
{
	struct stream_cleaned_sum sum = {0};
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	stream_scan_init(&scan, file->log, 0, STREAM_SCAN_WHOLE,
	    STREAM_BATCH_CAP_MOST, STREAM_SCAN_BLOCK);
	while ((status = stream_scan_next(&scan, &batch, &bytes, err)) ==
	       STREAM_OK)
		account(&sum, &batch);
	stream_scan_release(&scan);
	if (status == STREAM_END && sum.bytes == file->sum.bytes &&
	    sum.batches == file->sum.batches && sum.digest == file->sum.digest)
		return STREAM_OK;
	if (status == STREAM_END)
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "what was written is not what is read");
	return fail_in(file, STREAM_NAME_LOG, status, err);
}

int
stream_cleaned_file_finish(
    struct stream_cleaned_file *file, int like, struct stream_error *err)
{
	struct stat st;
	int status = flush(file, err);

	if (status == STREAM_OK && fstat(like, &st) != 0)
		status = stream_fail_sys(err, "cannot stat the last source");
	if (status != STREAM_OK)
		return status;
	status = settle(file->log, &st, err);
	if (status != STREAM_OK)
		return fail_in(file, STREAM_NAME_LOG, status, err);
	status = write_indexes(file, &st, err);
	if (status == STREAM_OK)
		status = read_again(file, err);
	if (status == STREAM_OK)
		memset(file->has, 0, sizeof(file->has)); /* they stay */
	return status;
}
