#include "log/structure.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/name.h"
#include "log/leftovers.h"
#include "log/partition_private.h"
#include "log/segment_names.h"
#include "log/view.h"

/* A compaction that was finished or undone, told once for each segment. */
static void
note_steps(
    const struct stream_partition *partition, const struct stream_repair *steps)
{
	const struct stream_log_config *config = &partition->config;

	for (size_t i = 0;
	     i < stream_repair_count(steps) && config->note != NULL; i++) {
		const struct stream_repair_step *step =
		    stream_repair_step(steps, i);
		struct stream_name name;
		char text[300];

		if (!stream_name_parse(step->file, &name) ||
		    name.kind != STREAM_NAME_LOG ||
		    name.state == STREAM_NAME_DELETED)
			continue;
		snprintf(text, sizeof(text), "%s: %s%s", step->file, step->text,
		    step->action == STREAM_REPAIR_ASIDE ? ", removed" : "");
		config->note(config->note_context, text);
	}
}

/* What would replace good logs is for someone to look at. */
static int
refuse(const struct stream_repair *steps, struct stream_error *err)
{
	const struct stream_repair_step *step =
	    stream_repair_step(steps, stream_repair_count(steps) - 1);

	return stream_fail(err, STREAM_ECORRUPT, step->position,
	    "%s: damaged, and would replace logs that are there: %s (run strm "
	    "repair)",
	    step->file, step->text);
}

static int
settle_leftovers(struct stream_partition *partition, struct stream_error *err)
{
	struct stream_repair *steps;
	bool stays;
	int status = stream_repair_new(&steps, err);

	if (status != STREAM_OK)
		return status;
	status = stream_leftovers_settle(
	    partition->dirfd, STREAM_LEFTOVERS_REMOVE, steps, &stays, err);
	if (status == STREAM_OK && stays)
		status = refuse(steps, err);
	else
		note_steps(partition, steps);
	stream_repair_free(steps);
	return status;
}

static int
has_swap(int dirfd, int64_t base, bool *has, struct stream_error *err)
{
	int status = STREAM_OK;

	*has = false;
	for (size_t i = 0;
	     i < STREAM_SEGMENT_KINDS && status == STREAM_OK && !*has; i++) {
		struct stream_name name = {
		    base, stream_segment_kinds[i], STREAM_NAME_SWAP};
		char text[STREAM_NAME_SIZE];

		stream_name_put(&name, text);
		status = stream_dir_has(dirfd, text, has, err);
	}
	return status;
}

/*
 * Files of a replica's newest segment may still have to take their plain names:
 * its log, which a writer needs to find it by (install.h), or its indexes, of
 * which a writer would make others and have them open when they are replaced.
 * Elsewhere the log is made sound first, as ever.
 */
static int
settle_newest(struct stream_partition *partition, struct stream_error *err)
{
	struct stream_view view;
	bool swap = false;
	int status = stream_view_load(partition->dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	if (view.count > 0)
		status = has_swap(partition->dirfd,
		    view.segments[view.count - 1].base_offset, &swap, err);
	stream_view_release(&view);
	return status == STREAM_OK && swap ? settle_leftovers(partition, err)
					   : status;
}

int
stream_partition_open_structure(int dirfd,
    const struct stream_log_config *config, struct stream_partition **partition,
    struct stream_error *err)
{
	struct stream_partition *new;
	int status = stream_partition_new(dirfd, config, &new, err);

	if (status != STREAM_OK)
		return status;
	status = stream_partition_lock_structure(new, err);
	if (status != STREAM_OK && new->refused && config->structure_at_once) {
		stream_partition_close(new);
		*partition = NULL;
		return STREAM_OK;
	}
	if (status == STREAM_OK)
		status = settle_newest(new, err);
	if (status == STREAM_OK)
		status = stream_partition_lock(new, err);
	if (status == STREAM_OK) {
		stream_partition_unlock(new);
		status = settle_leftovers(new, err);
	}
	if (status == STREAM_OK)
		*partition = new;
	else
		stream_partition_close(new);
	return status;
}

int
stream_partition_check_structure(
    const struct stream_partition *partition, struct stream_error *err)
{
	struct stat ours, named;

	if (fstat(partition->statefd, &ours) == 0 &&
	    fstatat(partition->dirfd, STREAM_STATE_NAME, &named,
		AT_SYMLINK_NOFOLLOW) == 0 &&
	    ours.st_dev == named.st_dev && ours.st_ino == named.st_ino)
		return STREAM_OK;
	return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
	    "%s was replaced while its lock was held", STREAM_STATE_NAME);
}

int64_t
stream_partition_active_base(const struct stream_partition *partition)
{
	return partition->state.active_base;
}
