/*
 * inspect_handover_derived.c - what a broker derives from the log
 *
 * After a clean shutdown it takes indexes, leader epochs and the state of
 * producers as it finds them; else it makes them from the batches, but of
 * segments before the recovery point only the state of producers.
 */
#include <stdlib.h>
#include <string.h>

#include "inspect_handover.h"

#define REMEDY \
	"have neither .kafka_cleanshutdown nor the partition's line in " \
	"recovery-point-offset-checkpoint, or make it with strm repair -y"

/* Are the indexes of all segments there and right? */
static bool
has_good_indexes(struct inspect *in)
{
	uint64_t before = in->count_problems;

	in->is_silent = true;
	for (size_t i = 0; i < in->files.count; i++)
		if (handover_is_plain(&in->files.items[i], STREAM_FILE_LOG))
			inspect_indexes(in, in->files.items[i].base_offset);
	in->is_silent = false;
	return in->count_problems == before;
}

static void
check_indexes(struct handover *over)
{
	if (!over->is_clean)
		handover_say(over, OK, "indexes",
		    "no .kafka_cleanshutdown: the broker rebuilds indexes, "
		    "epochs and snapshots");
	else if (has_good_indexes(over->in))
		handover_say(over, ADVICE, "indexes",
		    "right, and with .kafka_cleanshutdown the broker takes "
		    "them as they are; remove it to have the log checked");
	else
		handover_say(over, MISSING, "indexes",
		    "missing or wrong, and with .kafka_cleanshutdown the "
		    "broker does not rebuild them: remove that file");
}

/* ---- leader epochs ------------------------------------------------------ */

/* Does the broker go over the whole log, and make the file from it?  It
 * begins with the last segment that begins no later than its recovery
 * point. */
static bool
is_all_recovered(const struct handover *over)
{
	const struct stream_files *files = &over->in->files;
	size_t before = 0;

	if (over->is_clean)
		return false;
	for (size_t i = 0; i < files->count; i++)
		before +=
		    handover_is_plain(&files->items[i], STREAM_FILE_LOG) &&
		    files->items[i].base_offset <= over->recovery_point;
	return before <= 1;
}

static void
tell_epochs(struct handover *over, int status, int32_t last)
{
	static const char item[] = "epoch file";
	bool is_made = is_all_recovered(over);

	if (status != STREAM_OK && status != STREAM_ENOENT)
		handover_say(over, MISSING, item,
		    "malformed: remove leader-epoch-checkpoint%s",
		    is_made ? ", and the broker makes it from the batches"
			    : "; then " REMEDY);
	else if (is_made && status == STREAM_ENOENT)
		handover_say(over, OK, item,
		    "none: the broker makes it from the batches");
	else if (is_made || last >= over->log.epoch)
		handover_say(over, OK, item,
		    status == STREAM_OK ? "rises from line to line"
					: "none, and no batch to need it");
	else
		handover_say(over, MISSING, item,
		    "%s, and the broker does not make it from all batches: "
		    "followers cannot ask it where an epoch ends; " REMEDY,
		    status == STREAM_OK ? "lacks the last epoch" : "none");
}

static void
check_epochs(struct handover *over)
{
	char *path =
	    inspect_path(over->in, over->in->path, "leader-epoch-checkpoint");
	struct stream_epoch *epochs;
	struct stream_error err;
	int32_t last = -1;
	size_t count;
	int status;

	if (path == NULL)
		return;
	status = stream_epochs_read(path, &epochs, &count, &err);
	free(path);
	if (status == STREAM_OK) {
		if (count > 0)
			last = epochs[count - 1].epoch;
		free(epochs);
	}
	tell_epochs(over, status, last);
}

/* ---- the state of producers --------------------------------------------- */

static bool
has_snapshot(const struct inspect *in)
{
	for (size_t i = 0; i < in->files.count; i++)
		if (handover_is_plain(
			&in->files.items[i], STREAM_FILE_SNAPSHOT))
			return true;
	return false;
}

/* A bad or old snapshot makes the broker read the log; none does not. */
static void
check_producers(struct handover *over)
{
	static const char item[] = "producer state";

	if (!over->log.has_producer)
		handover_say(over, OK, item,
		    "no batch of an idempotent or transactional producer");
	else if (has_snapshot(over->in))
		handover_say(over, OK, item, "in snapshots and the batches");
	else if (!over->is_clean)
		handover_say(over, OK, item,
		    "no .snapshot: the broker makes it from the batches");
	else
		handover_say(over, MISSING, item,
		    "no .snapshot, and with .kafka_cleanshutdown the broker "
		    "takes the state as empty, so that duplicates and fenced "
		    "producers get in: " REMEDY);
}

/* ---- the recovery point ------------------------------------------------- */

static void
find_recovery_point(struct handover *over)
{
	struct inspect *in = over->in;
	char *path = inspect_path(
	    in, in->store_path, "recovery-point-offset-checkpoint");
	struct stream_checkpoint checkpoint;

	if (path != NULL &&
	    stream_checkpoint_read(path, &checkpoint, NULL) == STREAM_OK) {
		for (size_t i = 0; i < checkpoint.count; i++)
			if (checkpoint.items[i].partition == in->partition &&
			    strcmp(checkpoint.items[i].topic, in->topic) == 0)
				over->recovery_point =
				    checkpoint.items[i].offset;
		stream_checkpoint_release(&checkpoint);
	}
	free(path);
}

/* A broker that stops cleanly leaves the log's end as the recovery point. */
static void
tell_clean_point(struct handover *over)
{
	static const char item[] = "recovery point";

	if (over->recovery_point < 0)
		handover_say(over, ADVICE, item,
		    "none, so .kafka_cleanshutdown is from before this log; "
		    "remove it to have the log checked");
	else if (over->recovery_point == over->log.end)
		handover_say(over, OK, item, "the end of the log");
	else
		handover_say(over, MISSING, item,
		    "%lld, but the log ends at %lld: it changed after the "
		    "clean shutdown; remove .kafka_cleanshutdown and the "
		    "partition's line in recovery-point-offset-checkpoint",
		    (long long)over->recovery_point, (long long)over->log.end);
}

static void
check_recovery_point(struct handover *over)
{
	if (over->is_clean)
		tell_clean_point(over);
	else if (over->recovery_point > 0)
		handover_say(over, ADVICE, "recovery point",
		    "the broker checks only what comes after it; drop the "
		    "partition from the file to have all of it checked");
	else
		handover_say(over, OK, "recovery point",
		    "none: all of the log is checked");
}

void
handover_derived(struct handover *over)
{
	find_recovery_point(over);
	check_indexes(over);
	check_epochs(over);
	check_producers(over);
	check_recovery_point(over);
}
