/*
 * retain.c - take old segments from a partition
 *
 * The log start offset is durable before the first segment goes, so that a
 * crash while they go cannot bring a record back or show a hole.  A full disk
 * is the one case in which it may not be: then each segment's going is made
 * durable before the next one goes, and the files say where the log starts.
 */
#include <errno.h>
#include <stdio.h>

#include "base/fail.h"
#include "codec/batch.h"
#include "file/io.h"
#include "log/retain.h"
#include "log/retire.h"
#include "store/upkeep.h"

static bool
has_limits(const struct stream_retain_options *options)
{
	return options->older_ms >= 0 || options->keep_bytes >= 0 ||
	       options->keep_records >= 0;
}

/*
 * A topic that is compacted only keeps its records: only what is below the log
 * start goes.  One that has no settings has Kafka's defaults, for who names it;
 * its true settings are the broker's, and were perhaps to keep all.
 */
static int
set_limits(const struct stream_upkeep *upkeep,
    const struct stream_retain_options *options,
    struct stream_retain_rules *rules, struct stream_error *err)
{
	bool is_known = upkeep->place->is_ours || !options->lenient;

	rules->keep_bytes = rules->keep_records = rules->older_ms = -1;
	if (!upkeep->deletes && has_limits(options) && !options->lenient)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "cleanup.policy has no \"delete\", so records go only by "
		    "compaction, or below the log start (strm trim --force)");
	if (!upkeep->deletes)
		return STREAM_OK;
	rules->keep_records = options->keep_records;
	rules->keep_bytes = options->keep_bytes;
	rules->older_ms = options->older_ms;
	if (rules->keep_bytes < 0 && is_known)
		rules->keep_bytes = upkeep->topic.retention_bytes;
	if (rules->older_ms < 0 && is_known)
		rules->older_ms = upkeep->topic.retention_ms;
	return STREAM_OK;
}

static int
make_source(const struct stream_upkeep *upkeep,
    const struct stream_retain_options *options,
    struct stream_retain_source *source, struct stream_error *err)
{
	*source = (struct stream_retain_source){
	    .dirfd = upkeep->dirfd,
	    .dense = upkeep->log.dense,
	    .cap = options->max_batch_bytes != 0 ? options->max_batch_bytes
						 : STREAM_BATCH_CAP_DEFAULT,
	    .log_end_offset = -1,
	    .rules = {.log_start_offset = upkeep->log.log_start_offset,
		.now_ms = options->now_ms,
		.segment_ms = upkeep->topic.segment_ms,
		.spare_from = options->spare_from,
		.force_clock = options->force_clock},
	    .go_on = options->go_on,
	    .note = options->note,
	    .context = options->context,
	};
	if (upkeep->partition != NULL)
		source->log_end_offset =
		    stream_partition_next_offset(upkeep->partition);
	return set_limits(upkeep, options, &source->rules, err);
}

static int
plan(const struct stream_upkeep *upkeep,
    const struct stream_retain_options *options, struct stream_retain **retain,
    struct stream_error *err)
{
	struct stream_retain_source source;
	int status = make_source(upkeep, options, &source, err);

	if (status == STREAM_OK)
		status = stream_log_retain_plan(&source, retain, err);
	if (status == STREAM_OK)
		(*retain)->sum.limits_left_out =
		    !upkeep->deletes && has_limits(options);
	return status;
}

int
stream_retain_plan(const struct stream_place *place,
    const struct stream_retain_options *options, struct stream_retain **retain,
    struct stream_error *err)
{
	struct stream_upkeep upkeep;
	int status = stream_upkeep_open(
	    place, 0, options->lock_timeout_ms, &upkeep, err);

	if (status == STREAM_OK) {
		status = plan(&upkeep, options, retain, err);
		if (status != STREAM_OK)
			stream_upkeep_fail(place, status, err);
	}
	stream_upkeep_close(&upkeep);
	return status;
}

/* ---- doing it ----------------------------------------------------------- */

static bool
is_full(int status, const struct stream_error *err)
{
	return status == STREAM_EIO &&
	       (err->sys == ENOSPC || err->sys == EDQUOT);
}

static void
note_careful(
    const struct stream_retain_options *options, const struct stream_error *why)
{
	char text[sizeof(why->text) + 64];

	if (options->note == NULL)
		return;
	snprintf(text, sizeof(text), "%s; segments go one by one without it",
	    why->text);
	options->note(options->context, text);
}

/* A file that is not in the form of a checkpoint counts as none, and is not
 * changed: what holds for a full disk holds for it. */
static int
raise_log_start(const struct stream_upkeep *upkeep,
    const struct stream_retain_options *options, int64_t offset, bool *careful,
    struct stream_error *err)
{
	const struct stream_place *place = upkeep->place;
	struct stream_error why;
	int status;

	*careful = !upkeep->is_named;
	if (*careful || offset <= upkeep->log.log_start_offset)
		return STREAM_OK;
	/* The segment that begins there, which a broker may have made. */
	status = stream_io_sync_dir(upkeep->dirfd, &why);
	if (status == STREAM_OK)
		status = stream_store_set_log_start(upkeep->store, place->topic,
		    place->partition, offset, &why);
	*careful = is_full(status, &why) || status == STREAM_ECORRUPT;
	if (*careful)
		note_careful(options, &why);
	else if (status != STREAM_OK && err != NULL)
		*err = why;
	return *careful ? STREAM_OK : status;
}

int
stream_upkeep_retire(struct stream_upkeep *upkeep,
    const struct stream_retain_options *options, struct stream_retained *sum,
    struct stream_error *err)
{
	int status = raise_log_start(
	    upkeep, options, sum->log_start_offset, &sum->careful, err);

	if (status != STREAM_OK)
		return status;
	return stream_partition_retire(upkeep->partition, sum->log_start_offset,
	    sum->careful, &sum->segments, &sum->bytes, err);
}

static int
retire(struct stream_upkeep *upkeep,
    const struct stream_retain_options *options, struct stream_retain *retain,
    struct stream_error *err)
{
	int status = STREAM_OK;

	if (retain->sum.segments == 0)
		return STREAM_OK;
	if (options->before != NULL)
		status = options->before(
		    options->context, upkeep->place, retain, err);
	return status == STREAM_OK
		   ? stream_upkeep_retire(upkeep, options, &retain->sum, err)
		   : status;
}

static int
run(struct stream_upkeep *upkeep, const struct stream_retain_options *options,
    struct stream_retain **retain, struct stream_error *err)
{
	struct stream_retain *new;
	int status = plan(upkeep, options, &new, err);

	if (status != STREAM_OK)
		return status;
	status = retire(upkeep, options, new, err);
	if (status == STREAM_OK)
		*retain = new;
	else
		stream_retain_free(new);
	return status;
}

/* Another is at work on the partition, and the caller does not want to wait. */
static int
tell_locked(const struct stream_upkeep *upkeep, struct stream_retain **retain,
    struct stream_error *err)
{
	struct stream_retain *none = stream_retain_new();

	if (none == NULL)
		return stream_fail_memory(err);
	none->sum.locked = true;
	none->sum.log_start_offset = upkeep->log.log_start_offset;
	*retain = none;
	return STREAM_OK;
}

int
stream_retain_run(const struct stream_place *place,
    const struct stream_retain_options *options, struct stream_retain **retain,
    struct stream_error *err)
{
	unsigned flags = STREAM_STORE_WRITE;
	struct stream_upkeep upkeep;
	int status;

	if (stream_upkeep_is_empty(place,
		options->lenient ? NULL : options->note, options->context))
		return stream_retain_plan(place, options, retain, err);
	if (options->network)
		flags |= STREAM_STORE_NETWORK;
	status = stream_upkeep_open(
	    place, flags, options->lock_timeout_ms, &upkeep, err);
	if (status == STREAM_OK) {
		upkeep.log.structure_at_once = options->if_unlocked;
		upkeep.log.note = options->note;
		upkeep.log.note_context = options->context;
		status = stream_upkeep_lock(&upkeep, err);
		if (status == STREAM_OK && upkeep.partition == NULL)
			status = tell_locked(&upkeep, retain, err);
		else if (status == STREAM_OK)
			status = run(&upkeep, options, retain, err);
		if (status != STREAM_OK)
			stream_upkeep_fail(place, status, err);
	}
	stream_upkeep_close(&upkeep);
	return status;
}
