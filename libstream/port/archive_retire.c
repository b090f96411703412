#include "port/archive_retire.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "log/view.h"
#include "store/upkeep.h"

static int
open_upkeep(const struct stream_archive_part *part,
    const struct stream_retain_options *options, struct stream_upkeep *upkeep,
    struct stream_error *err)
{
	unsigned flags = STREAM_STORE_WRITE;
	int status;

	if (options->network)
		flags |= STREAM_STORE_NETWORK;
	status = stream_upkeep_open(
	    part->place, flags, options->lock_timeout_ms, upkeep, err);
	if (status != STREAM_OK)
		return status;
	upkeep->log.note = options->note;
	upkeep->log.note_context = options->context;
	if (!upkeep->deletes)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "cleanup.policy has no \"delete\": only compaction takes "
		    "its records, so archive it without --retire");
	return STREAM_OK;
}

int
stream_archive_may_retire(const struct stream_archive_part *part,
    const struct stream_retain_options *options, struct stream_error *err)
{
	struct stream_upkeep upkeep;
	int status = open_upkeep(part, options, &upkeep, err);

	stream_upkeep_close(&upkeep);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_upkeep_fail(part->place, status, err);
}

/* ---- are they still the same? ------------------------------------------- */

static const struct stream_source_identity *
find(const struct stream_archive_part *part, int64_t base)
{
	for (size_t i = 0; i < part->segments; i++)
		if (part->identities[i].base_offset == base)
			return &part->identities[i];
	return NULL;
}

static bool
is_same(const struct stream_source_identity *identity, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_ino == identity->inode &&
	       st.st_dev == identity->device &&
	       (uint64_t)st.st_size == identity->bytes;
}

static int
check_segment(const struct stream_archive_part *part,
    const struct stream_view *view, size_t i, int dirfd,
    struct stream_error *err)
{
	int64_t base = view->segments[i].base_offset;
	const struct stream_source_identity *identity = find(part, base);
	bool same;
	int fd;
	int status;

	if (identity == NULL && base < part->first_offset)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "segment %lld is older than what was archived, and "
		    "segments leave the log oldest first",
		    (long long)base);
	status = stream_view_open(view, i, dirfd, &fd, err);
	if (status != STREAM_OK)
		return status;
	same = identity != NULL && is_same(identity, fd);
	close(fd);
	return same ? STREAM_OK
		    : stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
			  "segment %lld changed while it was archived "
			  "(compaction?); all stay in the log",
			  (long long)base);
}

/* All that would go is in the archive, to the byte. */
static int
check(
    const struct stream_archive_part *part, int dirfd, struct stream_error *err)
{
	struct stream_view view;
	int status = stream_view_load(dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	for (size_t i = 0; i + 1 < view.count && status == STREAM_OK; i++) {
		if (view.segments[i + 1].base_offset > part->next_offset)
			break;
		status = check_segment(part, &view, i, dirfd, err);
	}
	stream_view_release(&view);
	return status;
}

int
stream_archive_retire(const struct stream_archive_part *part,
    const struct stream_retain_options *options, struct stream_retained *sum,
    struct stream_error *err)
{
	struct stream_retained made = {.log_start_offset = part->next_offset};
	struct stream_upkeep upkeep;
	int status = open_upkeep(part, options, &upkeep, err);

	if (status == STREAM_OK)
		status = stream_upkeep_lock(&upkeep, err);
	if (status == STREAM_OK)
		status = check(part, upkeep.dirfd, err);
	if (status == STREAM_OK)
		status = stream_upkeep_retire(&upkeep, options, &made, err);
	stream_upkeep_close(&upkeep);
	if (status != STREAM_OK)
		return stream_upkeep_fail(part->place, status, err);
	*sum = made;
	return STREAM_OK;
}
