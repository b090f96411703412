#include "port/archive_settle.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "codec/batch.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/scan.h"
#include "log/repair.h"
#include "log/view.h"
#include "port/archive_cut.h"
#include "port/archive_write.h"
#include "store/create.h"
#include "store/metadata.h"

static size_t
cap_of(const struct stream_settle *settle)
{
	return settle->max_batch_bytes != 0 ? settle->max_batch_bytes
					    : STREAM_BATCH_CAP_DEFAULT;
}

/* ---- the range ---------------------------------------------------------- */

/* A reader turns points into offsets; it wants a path. */
static int
find_range(const struct stream_settle *settle, int dirfd, int64_t *from,
    int64_t *to, struct stream_error *err)
{
	char path[64];
	struct stream_place place = {
	    .topic = (char *)settle->topic,
	    .partition = settle->partition,
	    .store_path = path,
	    .path = path,
	    .has_gaps = true,
	    .log_start_offset = settle->log_start_offset,
	};
	struct stream_archive_part part = {.place = &place};
	int status;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dirfd);
	status = stream_archive_part_range(&part, settle->range, err);
	*from = part.from;
	*to = part.to;
	return status;
}

/* ---- checking, and what is derived -------------------------------------- */

/* Retention that power cut off leaves holes there, which hurt no reader. */
static bool
is_hidden(
    const struct stream_settle *settle, const struct stream_repair_step *step)
{
	return step->last_offset >= 0 &&
	       step->last_offset < settle->log_start_offset;
}

/* What stays wrong after a repair is damage of a log.  *hidden: all of it is
 * below the log start. */
static int
check_steps(const struct stream_settle *settle,
    const struct stream_repair *repair, bool *hidden, struct stream_error *err)
{
	*hidden = false;
	for (size_t i = 0; i < stream_repair_count(repair); i++) {
		const struct stream_repair_step *step =
		    stream_repair_step(repair, i);

		if (step->action != STREAM_REPAIR_STAYS)
			continue;
		if (!is_hidden(settle, step))
			return stream_fail(err, STREAM_ECORRUPT, step->position,
			    "%s: %s", step->file, step->text);
		*hidden = true;
	}
	return STREAM_OK;
}

static int
repair_once(const struct stream_settle *settle, int dirfd, bool *hidden,
    struct stream_error *err)
{
	struct stream_repair_source source = {
	    .dirfd = dirfd,
	    .config = {.index_interval_bytes =
			   settle->settings->config.index_interval_bytes,
		.dense = !settle->settings->has_gaps,
		.log_start_offset = settle->log_start_offset,
		.lock_timeout_ms = 1000},
	    .is_ours = true,
	    .cap = cap_of(settle),
	};
	struct stream_repair *steps;
	int status = stream_repair_new(&steps, err);

	if (status != STREAM_OK)
		return status;
	status = stream_log_repair_run(&source, steps, err);
	if (status == STREAM_OK)
		status = check_steps(settle, steps, hidden, err);
	stream_repair_free(steps);
	return status;
}

/* Go on with what retention was about to do: segments below the log start go.
 */
static int
drop_hidden(
    const struct stream_settle *settle, int dirfd, struct stream_error *err)
{
	struct stream_view view;
	int64_t from = 0;
	bool cut_end;
	int status = stream_view_load(dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	for (size_t i = 0; i < view.count; i++)
		if (view.segments[i].base_offset <= settle->log_start_offset)
			from = view.segments[i].base_offset;
	stream_view_release(&view);
	return stream_cut_to_range(
	    dirfd, from, INT64_MAX, cap_of(settle), &cut_end, err);
}

static int
repair(const struct stream_settle *settle, int dirfd, struct stream_error *err)
{
	bool hidden;
	int status = repair_once(settle, dirfd, &hidden, err);

	if (status != STREAM_OK || !hidden)
		return status;
	status = drop_hidden(settle, dirfd, err);
	return status == STREAM_OK ? repair_once(settle, dirfd, &hidden, err)
				   : status;
}

/* What a repair sets aside, and its state: nobody was here before. */
static int
remove_own(int dirfd, struct stream_error *err)
{
	struct stream_buf names;
	int status;

	stream_buf_init(&names);
	status = stream_dir_list(dirfd, &names, err);
	for (const char *name = stream_dir_next(&names, NULL);
	     name != NULL && status == STREAM_OK;
	     name = stream_dir_next(&names, name))
		if (name[0] == '.')
			status = stream_dir_remove_all(dirfd, name, err);
	stream_buf_release(&names);
	return status;
}

static int
cut(struct stream_settle *settle, int dirfd, struct stream_error *err)
{
	int64_t from, to;
	bool cut_end;
	int status;

	if (settle->range->from.kind == STREAM_POINT_NONE &&
	    settle->range->to.kind == STREAM_POINT_NONE)
		return STREAM_OK;
	status = find_range(settle, dirfd, &from, &to, err);
	/* It holds nothing, so neither does it need the batch where it lies. */
	if (status == STREAM_OK && from >= to) {
		from = INT64_MAX;
		to = 0;
	}
	if (status == STREAM_OK)
		status = stream_cut_to_range(
		    dirfd, from, to, cap_of(settle), &cut_end, err);
	if (status == STREAM_OK && cut_end)
		settle->next_offset = -1;
	/* Indexes of what was cut are gone. */
	return status == STREAM_OK ? repair(settle, dirfd, err) : status;
}

/* ---- the end ------------------------------------------------------------ */

static int
count_log(struct stream_settle *settle, const struct stream_view *view,
    size_t i, int dirfd, struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int fd;
	int status = stream_view_open(view, i, dirfd, &fd, err);

	if (status != STREAM_OK)
		return status;
	stream_scan_init(&scan, fd, 0, STREAM_SCAN_HEADERS, cap_of(settle),
	    STREAM_SCAN_SMALL_BLOCK);
	do {
		status = stream_scan_next(&scan, &batch, &bytes, err);
		if (status != STREAM_OK)
			break;
		settle->records += batch.info.record_count;
		if (stream_batch_is_transactional(&batch.info) ||
		    stream_batch_is_control(&batch.info))
			settle->has_transactions = true;
		settle->bytes += batch.info.size;
		settle->end_offset = batch.info.last_offset + 1;
	} while (status == STREAM_OK);
	stream_scan_release(&scan);
	close(fd);
	return status == STREAM_END ? STREAM_OK : status;
}

static int
count(struct stream_settle *settle, const struct stream_view *view, int dirfd,
    struct stream_error *err)
{
	int status = STREAM_OK;

	settle->segments = view->count;
	settle->first_offset =
	    view->count > 0 ? view->segments[0].base_offset : 0;
	settle->end_offset = settle->first_offset;
	for (size_t i = 0; i < view->count && status == STREAM_OK; i++) {
		if (view->segments[i].base_offset > settle->end_offset)
			settle->end_offset = view->segments[i].base_offset;
		status = count_log(settle, view, i, dirfd, err);
	}
	return status;
}

/* An archive knows where the log went on; closed segments stay closed then. */
static int
end(struct stream_settle *settle, int dirfd, struct stream_error *err)
{
	struct stream_view view;
	int64_t next;
	bool has;
	int status = stream_view_load(dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	status = count(settle, &view, dirfd, err);
	next = settle->next_offset;
	if (next < 0 && view.count == 0)
		next = 0;
	has =
	    view.count > 0 && view.segments[view.count - 1].base_offset >= next;
	stream_view_release(&view);
	if (status != STREAM_OK || next < 0 || has)
		return status;
	if (next < settle->end_offset)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "goes on after the offset %lld at which it ends, as the "
		    "archive says",
		    (long long)next);
	if (next > settle->end_offset && settle->segments > 0 &&
	    !settle->settings->has_gaps && next > settle->log_start_offset)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "ends at offset %lld and goes on at %lld, as the archive "
		    "says, but its settings say that no offset is missing",
		    (long long)settle->end_offset, (long long)next);
	if (settle->segments == 0)
		settle->first_offset = next;
	settle->end_offset = next;
	return stream_create_segment(dirfd, next, err);
}

static int
write_id(
    const struct stream_settle *settle, int dirfd, struct stream_error *err)
{
	int status = stream_dir_remove_file(dirfd, STREAM_METADATA_FILE, err);

	return status == STREAM_OK
		   ? stream_metadata_create(dirfd, settle->settings->id, err)
		   : status;
}

static int
sync_file(int dirfd, const char *name, struct stream_error *err)
{
	int fd;
	int status = stream_io_open(dirfd, name, O_RDONLY, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_io_sync_whole(fd, err);
	close(fd);
	return status;
}

static int
sync_all(int dirfd, struct stream_error *err)
{
	struct stream_buf names;
	int status;

	stream_buf_init(&names);
	status = stream_dir_list(dirfd, &names, err);
	for (const char *name = stream_dir_next(&names, NULL);
	     name != NULL && status == STREAM_OK;
	     name = stream_dir_next(&names, name))
		status = sync_file(dirfd, name, err);
	stream_buf_release(&names);
	return status == STREAM_OK ? stream_io_sync_dir(dirfd, err) : status;
}

static int
settle_in(struct stream_settle *settle, int dirfd, struct stream_error *err)
{
	int status = repair(settle, dirfd, err);

	if (status == STREAM_OK)
		status = cut(settle, dirfd, err);
	if (status == STREAM_OK)
		status = remove_own(dirfd, err);
	if (status == STREAM_OK)
		status = end(settle, dirfd, err);
	if (status == STREAM_OK)
		status = write_id(settle, dirfd, err);
	return status == STREAM_OK ? sync_all(dirfd, err) : status;
}

int
stream_settle_partition(struct stream_settle *settle, struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	int fd;
	int status = stream_partition_name_put(
	    settle->topic, settle->partition, name, err);

	if (status == STREAM_OK)
		status = stream_dir_open_or_make(
		    settle->build->dirfd, name, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = settle_in(settle, fd, err);
	close(fd);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s", name);
}
