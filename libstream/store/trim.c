/*
 * trim.c - raise the log start offset, and roll
 *
 * A log start past the end of the log would hide records that come later, and
 * the end that a crash leaves may be an earlier one.  So everything up to the
 * new log start is durable before it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <stream/reader.h>

#include "base/fail.h"
#include "codec/batch.h"
#include "file/io.h"
#include "file/name.h"
#include "log/retain.h"
#include "log/retire.h"
#include "log/segment_names.h"
#include "log/summary.h"
#include "log/view.h"
#include "store/upkeep.h"

/* ---- where the point is ------------------------------------------------- */

/* Any record counts, also one that is not shown: that a transaction is not
 * decided does not move a time or the end. */
static int
find_point(const struct stream_place *place, const struct stream_point *point,
    const struct stream_retain_options *options, int64_t *offset,
    struct stream_error *err)
{
	struct stream_reader_options how = {
	    .range.from = *point,
	    .flags = STREAM_READER_UNCOMMITTED,
	    .max_batch_bytes = options->max_batch_bytes,
	    .lock_timeout_ms = options->lock_timeout_ms,
	};
	struct stream_reader *reader;
	int status;

	/* An offset below the log start is fine here. */
	if (point->kind == STREAM_POINT_OFFSET) {
		*offset = point->value;
		return STREAM_OK;
	}
	if (point->kind == STREAM_POINT_NONE ||
	    point->kind == STREAM_POINT_AFTER)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "this point says no place to start at");
	status = stream_reader_open(place, &how, &reader, err);
	if (status != STREAM_OK)
		return status;
	*offset = stream_reader_position(reader);
	stream_reader_close(reader);
	return STREAM_OK;
}

static int
check_point(int64_t offset, const struct stream_trimmed *trimmed,
    struct stream_error *err)
{
	if (offset <= trimmed->log_end_offset)
		return STREAM_OK;
	return stream_fail(err, STREAM_EOFFSET, STREAM_POS_NONE,
	    "no offset %lld: the log ends at %lld", (long long)offset,
	    (long long)trimmed->log_end_offset);
}

static int
check_policy(const struct stream_upkeep *upkeep,
    const struct stream_retain_options *options, struct stream_error *err)
{
	if (upkeep->deletes || options->force)
		return STREAM_OK;
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "cleanup.policy has no \"delete\": only compaction takes its "
	    "records (--force trims all the same)");
}

/* ---- what it would free ------------------------------------------------- */

static int
count_freed(const struct stream_upkeep *upkeep, struct stream_trimmed *trimmed,
    struct stream_error *err)
{
	struct stream_retain_source source = {
	    .dirfd = upkeep->dirfd,
	    .dense = true, /* no record need be counted */
	    .cap = STREAM_BATCH_CAP_DEFAULT,
	    .log_end_offset = trimmed->log_end_offset,
	    .rules = {.log_start_offset = trimmed->log_start_offset,
		.keep_bytes = -1,
		.keep_records = -1,
		.spare_from = -1,
		.older_ms = -1},
	};
	struct stream_retain *retain;
	int status = stream_log_retain_plan(&source, &retain, err);

	if (status != STREAM_OK)
		return status;
	trimmed->segments = retain->sum.segments;
	trimmed->bytes = retain->sum.bytes;
	stream_retain_free(retain);
	return STREAM_OK;
}

static int
look(const struct stream_upkeep *upkeep, struct stream_trimmed *trimmed,
    struct stream_error *err)
{
	struct stream_log_summary summary;
	int status = stream_log_summarize(
	    upkeep->dirfd, upkeep->log.log_start_offset, &summary, err);

	if (status == STREAM_OK)
		*trimmed = (struct stream_trimmed){
		    .from_offset = summary.log_start_offset,
		    .log_start_offset = summary.log_start_offset,
		    .log_end_offset = summary.log_end_offset,
		};
	return status;
}

/* ---- trimming ----------------------------------------------------------- */

/* The segment that offset stands in, or ends: a broker may have closed it. */
static int
sync_up_to(const struct stream_upkeep *upkeep, int64_t offset,
    struct stream_error *err)
{
	struct stream_view view;
	size_t i;
	int status = stream_view_load(upkeep->dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	for (i = view.count;
	     i > 0 && view.segments[i - 1].base_offset >= offset; i--)
		;
	if (i > 0)
		status = stream_segment_sync_log(
		    upkeep->dirfd, view.segments[i - 1].base_offset, err);
	stream_view_release(&view);
	return status == STREAM_OK ? stream_io_sync_dir(upkeep->dirfd, err)
				   : status;
}

static int
raise(struct stream_upkeep *upkeep, int64_t offset, struct stream_error *err)
{
	const struct stream_place *place = upkeep->place;
	int status = stream_partition_sync(upkeep->partition, err);

	if (status == STREAM_OK)
		status = sync_up_to(upkeep, offset, err);
	if (status == STREAM_OK)
		status = stream_store_set_log_start(
		    upkeep->store, place->topic, place->partition, offset, err);
	if (status == STREAM_OK)
		status =
		    stream_partition_cut_epochs(upkeep->partition, offset, err);
	return status;
}

/* A directory of another name has no place in the store's files. */
static int
check_name(const struct stream_upkeep *upkeep, struct stream_error *err)
{
	if (upkeep->is_named)
		return STREAM_OK;
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "is not named TOPIC-PARTITION, so no log start offset can be kept "
	    "for it");
}

static int
trim(struct stream_upkeep *upkeep, int64_t offset,
    const struct stream_retain_options *options, bool plan_only,
    struct stream_trimmed *trimmed, struct stream_error *err)
{
	int status = check_name(upkeep, err);

	if (status == STREAM_OK && !plan_only)
		status = stream_upkeep_lock(upkeep, err);
	if (status == STREAM_OK)
		status = check_policy(upkeep, options, err);
	if (status == STREAM_OK)
		status = look(upkeep, trimmed, err);
	if (status != STREAM_OK)
		return status;
	if (upkeep->partition != NULL)
		trimmed->log_end_offset =
		    stream_partition_next_offset(upkeep->partition);
	status = check_point(offset, trimmed, err);
	if (status != STREAM_OK || offset <= trimmed->from_offset)
		return status;
	trimmed->log_start_offset = offset;
	if (!plan_only)
		status = raise(upkeep, offset, err);
	return status == STREAM_OK ? count_freed(upkeep, trimmed, err) : status;
}

static int
open_place(const struct stream_place *place,
    const struct stream_retain_options *options, bool plan_only,
    struct stream_upkeep *upkeep, struct stream_error *err)
{
	unsigned flags = plan_only ? 0 : STREAM_STORE_WRITE;
	int status;

	if (options->network)
		flags |= STREAM_STORE_NETWORK;
	status = stream_upkeep_open(
	    place, flags, options->lock_timeout_ms, upkeep, err);
	upkeep->log.note = options->note;
	upkeep->log.note_context = options->context;
	return status;
}

static bool
is_empty(const struct stream_place *place,
    const struct stream_retain_options *options)
{
	return stream_upkeep_is_empty(
	    place, options->lenient ? NULL : options->note, options->context);
}

int
stream_trim(const struct stream_place *place, const struct stream_point *point,
    const struct stream_retain_options *options, bool plan_only,
    struct stream_trimmed *trimmed, struct stream_error *err)
{
	struct stream_trimmed made = {.segments = 0};
	struct stream_upkeep upkeep;
	int64_t offset = 0;
	int status;

	plan_only = plan_only || is_empty(place, options);
	status = open_place(place, options, plan_only, &upkeep, err);

	if (status == STREAM_OK)
		status = find_point(place, point, options, &offset, err);
	if (status == STREAM_OK) {
		status = trim(&upkeep, offset, options, plan_only, &made, err);
		if (status != STREAM_OK)
			stream_upkeep_fail(place, status, err);
	}
	if (status == STREAM_OK)
		*trimmed = made;
	stream_upkeep_close(&upkeep);
	return status;
}

/* ---- rolling ------------------------------------------------------------ */

/* A segment that was closed and is gone already has no size any more. */
static int
size_of(int dirfd, int64_t base, uint64_t *bytes, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	struct stat st;

	*bytes = 0;
	stream_name_put_plain(base, STREAM_NAME_LOG, name);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*bytes = (uint64_t)st.st_size;
	else if (errno != ENOENT)
		return stream_fail_sys(err, "%s: cannot stat", name);
	return STREAM_OK;
}

/* As far as one can tell who takes no lock: zeros at the end are not told
 * from batches. */
static int
plan_roll(const struct stream_upkeep *upkeep, struct stream_rolled *rolled,
    struct stream_error *err)
{
	struct stream_log_summary summary;
	struct stream_view view;
	int status = stream_log_summarize(
	    upkeep->dirfd, upkeep->log.log_start_offset, &summary, err);

	if (status == STREAM_OK)
		status = stream_view_load(upkeep->dirfd, &view, err);
	if (status != STREAM_OK)
		return status;
	*rolled = (struct stream_rolled){.next_offset = summary.log_end_offset};
	if (view.count > 0) {
		rolled->base_offset = view.segments[view.count - 1].base_offset;
		rolled->rolled = summary.log_end_offset > rolled->base_offset;
		status = size_of(
		    upkeep->dirfd, rolled->base_offset, &rolled->bytes, err);
	}
	stream_view_release(&view);
	return status;
}

static int
roll(struct stream_upkeep *upkeep, int64_t expected,
    struct stream_rolled *rolled, struct stream_error *err)
{
	int status = stream_upkeep_write(upkeep, err);
	int64_t base;

	if (status != STREAM_OK)
		return status;
	base = stream_partition_active_base(upkeep->partition);
	status = stream_partition_roll_used(
	    upkeep->partition, expected, &rolled->rolled, err);
	if (status != STREAM_OK)
		return status;
	rolled->base_offset = base;
	rolled->next_offset = stream_partition_next_offset(upkeep->partition);
	return size_of(upkeep->dirfd, base, &rolled->bytes, err);
}

int
stream_roll_expected(const struct stream_place *place,
    const struct stream_retain_options *options, int64_t expected,
    bool plan_only, struct stream_rolled *rolled, struct stream_error *err)
{
	struct stream_rolled made = {.rolled = false};
	struct stream_upkeep upkeep;
	int status;

	plan_only = plan_only || is_empty(place, options);
	status = open_place(place, options, plan_only, &upkeep, err);

	if (status == STREAM_OK) {
		status = plan_only ? plan_roll(&upkeep, &made, err)
				   : roll(&upkeep, expected, &made, err);
		if (status != STREAM_OK)
			stream_upkeep_fail(place, status, err);
	}
	if (status == STREAM_OK)
		*rolled = made;
	stream_upkeep_close(&upkeep);
	return status;
}

int
stream_roll(const struct stream_place *place,
    const struct stream_retain_options *options, bool plan_only,
    struct stream_rolled *rolled, struct stream_error *err)
{
	return stream_roll_expected(place, options, -1, plan_only, rolled, err);
}
