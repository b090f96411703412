/*
 * repair.c - plan a repair, and carry it out
 *
 * First the names of files (leftovers.c), then the log's end, then what is
 * derived from it (findings.c).  Each part is looked at again after the one
 * before it is done, all under the partition's locks.
 */
#include "log/repair.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "file/io.h"
#include "file/lock.h"
#include "file/name.h"
#include "file/state.h"
#include "log/findings.h"
#include "log/leftovers.h"
#include "log/partition.h"
#include "log/set_aside.h"

/* An append that is under way looks like a torn one.  It is over in a
 * millisecond; what stands there still after so many looks is no append. */
enum { LOOKS = 10, PAUSE_MS = 10 };

static int
look_once(const struct stream_repair_source *source,
    struct stream_repair *repair, struct stream_findings *findings,
    struct stream_error *err)
{
	bool stays;
	int status;

	*findings = (struct stream_findings){.segments = NULL};
	stream_repair_clear(repair);
	status = stream_leftovers_settle(
	    source->dirfd, STREAM_LEFTOVERS_LOOK, repair, &stays, err);
	if (status == STREAM_OK && !stays)
		status = stream_findings_collect(source, findings, repair, err);
	return status;
}

/* A plan takes no lock, so segments can be replaced while they are looked at.
 */
static int
look(const struct stream_repair_source *source, struct stream_repair *repair,
    struct stream_findings *findings, struct stream_error *err)
{
	int status = look_once(source, repair, findings, err);

	for (int i = 0; status == STREAM_ENOENT && i < LOOKS; i++) {
		stream_findings_release(findings);
		status = look_once(source, repair, findings, err);
	}
	return status;
}

/* Indexes that writers may have open. */
static bool
is_newest_replaced(const struct stream_findings *findings)
{
	const struct stream_finding *newest;

	if (findings->count == 0)
		return false;
	newest = &findings->segments[findings->count - 1];
	return newest->offsets.wrong || newest->times.wrong;
}

/* What an append that is under way may look like. */
static bool
is_doubtful(const struct stream_findings *findings)
{
	if (findings->cut || findings->newest_damaged)
		return true;
	return is_newest_replaced(findings);
}

static bool
is_same(const struct stream_findings *a, const struct stream_findings *b)
{
	return a->cut == b->cut && a->cut_position == b->cut_position &&
	       a->end_offset == b->end_offset;
}

static void
pause_ms(int ms)
{
	struct timespec pause = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&pause, NULL);
}

/* Whoever appends holds a lock meanwhile, which is looked at and not taken; a
 * broker's directory has none. */
static void
wait_for_append(const struct stream_repair_source *source)
{
	int64_t until =
	    stream_clock_steady_ms() + source->config.lock_timeout_ms;
	int fd;

	pause_ms(PAUSE_MS);
	if (stream_io_open(source->dirfd, STREAM_STATE_NAME, O_RDONLY, &fd,
		NULL) != STREAM_OK)
		return;
	while (stream_lock_is_held(fd, STREAM_LOCK_APPEND, 1) &&
	       stream_clock_steady_ms() < until)
		pause_ms(1);
	close(fd);
}

int
stream_log_repair_plan(const struct stream_repair_source *source,
    struct stream_repair *repair, struct stream_error *err)
{
	struct stream_findings before, now;
	int status = look(source, repair, &before, err);

	for (int i = 0; status == STREAM_OK && i < LOOKS; i++) {
		bool same;

		if (!is_doubtful(&before))
			break;
		wait_for_append(source);
		status = look(source, repair, &now, err);
		same = is_same(&before, &now);
		stream_findings_release(&before);
		before = now;
		if (same)
			break;
	}
	stream_findings_release(&before);
	return status;
}

/* A torn append's bytes are kept too; the writer's own recovery keeps those of
 * the others, and then cuts. */
static int
keep_torn(const struct stream_repair_source *source,
    const struct stream_findings *findings, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int fd;
	int status;

	stream_name_put_plain(
	    findings->segments[findings->count - 1].base_offset,
	    STREAM_NAME_LOG, name);
	status = stream_io_open(source->dirfd, name, O_RDONLY, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_set_aside_bytes(source->dirfd, fd,
	    findings->cut_position, findings->end_offset, err);
	close(fd);
	return status;
}

static int
cut(const struct stream_repair_source *source,
    struct stream_partition *partition, const struct stream_findings *findings,
    struct stream_error *err)
{
	int status = STREAM_OK;

	if (findings->cut_torn && !findings->cut_zeros)
		status = keep_torn(source, findings, err);
	return status == STREAM_OK ? stream_partition_settle(partition,
					 findings->index_interval_bytes, err)
				   : status;
}

/* Snapshots that are about no part of this log. */
static int
set_strays_aside(const struct stream_repair_source *source,
    const struct stream_repair *repair, size_t from, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = from;
	     i < stream_repair_count(repair) && status == STREAM_OK; i++) {
		const struct stream_repair_step *step =
		    stream_repair_step(repair, i);

		if (step->action == STREAM_REPAIR_ASIDE)
			status = stream_set_aside_file(
			    source->dirfd, step->file, err);
	}
	return status;
}

bool
stream_repair_has_work(const struct stream_repair *repair)
{
	for (size_t i = 0; i < stream_repair_count(repair); i++)
		if (stream_repair_step(repair, i)->action !=
		    STREAM_REPAIR_STAYS)
			return true;
	return false;
}

static int
carry_out(const struct stream_repair_source *source,
    struct stream_partition *partition, struct stream_repair *repair,
    struct stream_error *err)
{
	struct stream_findings findings = {.segments = NULL};
	size_t settled;
	bool stays;
	int status;

	stream_repair_clear(repair);
	status = stream_leftovers_settle(
	    source->dirfd, STREAM_LEFTOVERS_KEEP, repair, &stays, err);
	settled = stream_repair_count(repair);
	if (status != STREAM_OK || stays)
		return status;
	status = stream_findings_collect(source, &findings, repair, err);
	if (status == STREAM_OK)
		status = set_strays_aside(source, repair, settled, err);
	if (status == STREAM_OK && findings.cut)
		status = cut(source, partition, &findings, err);
	/* Before it happens: this process may not live to say that it did. */
	if (status == STREAM_OK && is_newest_replaced(&findings))
		status = stream_partition_tell_replaced(partition, err);
	if (status == STREAM_OK && stream_repair_has_work(repair))
		status = stream_findings_rebuild(source, &findings, err);
	stream_findings_release(&findings);
	return status;
}

int
stream_log_repair_run(const struct stream_repair_source *source,
    struct stream_repair *repair, struct stream_error *err)
{
	struct stream_partition *partition;
	int status = stream_partition_open_locked(
	    source->dirfd, &source->config, &partition, err);

	if (status != STREAM_OK)
		return status;
	status = carry_out(source, partition, repair, err);
	stream_partition_close(partition);
	return status;
}
