/*
 * compact.c - from a place to its compaction
 *
 * The store knows three things of it: the topic's settings, the clean point,
 * and whether offsets may be missing.  The last is said, durably, before the
 * first segment is replaced, so that no reader takes what is missing for lost.
 */
#include <stream/compact.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "log/compact.h"
#include "store/topic.h"
#include "store/upkeep.h"

/* ---- what the store knows ----------------------------------------------- */

/* A file that is malformed counts as none, and cannot be added to. */
static int
get_clean_point(void *context, int64_t *offset, struct stream_error *err)
{
	const struct stream_upkeep *upkeep = context;
	const struct stream_place *place = upkeep->place;
	int status;

	*offset = -1;
	if (!upkeep->is_named)
		return STREAM_OK;
	status = stream_checkpoint_find(upkeep->store->dirfd,
	    STREAM_CLEANER_FILE, place->topic, place->partition, offset, err);
	if (status == STREAM_ECORRUPT)
		return stream_fail_in(err, status,
		    "%s (without it logs are cleaned from their start)",
		    upkeep->store->path);
	return status == STREAM_ENOENT ? STREAM_OK : status;
}

static int
set_clean_point(void *context, int64_t offset, struct stream_error *err)
{
	const struct stream_upkeep *upkeep = context;

	if (!upkeep->is_named)
		return STREAM_OK;
	return stream_store_set_clean_point(upkeep->store, upkeep->place->topic,
	    upkeep->place->partition, offset, err);
}

/* Of other topics gaps are expected. */
static int
declare_gaps(void *context, struct stream_error *err)
{
	const struct stream_upkeep *upkeep = context;

	if (!upkeep->place->is_ours || !upkeep->log.dense)
		return STREAM_OK;
	return stream_topic_declare_gaps(
	    upkeep->store, upkeep->place->topic, err);
}

/* ---- opening ------------------------------------------------------------ */

static int
check_policy(const struct stream_upkeep *upkeep,
    const struct stream_compact_options *options, struct stream_error *err)
{
	const struct stream_place *place = upkeep->place;

	if (!place->is_ours && !options->force)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "a topic that strm did not make: its settings are not "
		    "known (--force compacts it by Kafka's defaults)");
	if (place->is_ours &&
	    (upkeep->topic.cleanup_policy & STREAM_CLEANUP_COMPACT) == 0)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "cleanup.policy has no \"compact\" (strm topic alter %s "
		    "cleanup.policy=compact)",
		    place->topic);
	return STREAM_OK;
}

static struct stream_compact_source
make_source(
    struct stream_upkeep *upkeep, const struct stream_compact_options *options)
{
	return (struct stream_compact_source){
	    .dirfd = upkeep->dirfd,
	    .config = upkeep->log,
	    .min_ratio = upkeep->topic.min_cleanable_dirty_ratio,
	    .min_lag_ms = upkeep->topic.min_compaction_lag_ms,
	    .max_lag_ms = upkeep->topic.max_compaction_lag_ms,
	    .delete_retention_ms = upkeep->topic.delete_retention_ms,
	    .options = options,
	    .store = upkeep,
	    .clean_point = get_clean_point,
	    .set_clean_point = set_clean_point,
	    .declare_gaps = declare_gaps,
	};
}

static int
open_place(const struct stream_place *place,
    const struct stream_compact_options *options, unsigned flags,
    struct stream_upkeep *upkeep, struct stream_error *err)
{
	int status = stream_upkeep_open(
	    place, flags, options->lock_timeout_ms, upkeep, err);

	if (status != STREAM_OK)
		return status;
	status = check_policy(upkeep, options, err);
	return status == STREAM_OK ? status
				   : stream_upkeep_fail(place, status, err);
}

/* ---- the three calls ---------------------------------------------------- */

static int
compact_in(const struct stream_compact_source *source, bool writes,
    struct stream_compact **compact, struct stream_error *err)
{
	struct stream_compact *new;
	int status = stream_compact_new(false, &new, err);

	if (status != STREAM_OK)
		return status;
	status = writes ? stream_log_compact_run(source, new, err)
			: stream_log_compact_plan(source, new, err);
	if (status == STREAM_OK)
		*compact = new;
	else
		stream_compact_free(new);
	return status;
}

int
stream_compact_plan(const struct stream_place *place,
    const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err)
{
	struct stream_upkeep upkeep;
	int status = open_place(place, options, 0, &upkeep, err);

	if (status == STREAM_OK) {
		struct stream_compact_source source =
		    make_source(&upkeep, options);

		status = compact_in(&source, false, compact, err);
		if (status != STREAM_OK)
			stream_upkeep_fail(place, status, err);
	}
	stream_upkeep_close(&upkeep);
	return status;
}

static int
run(struct stream_upkeep *upkeep, const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err)
{
	struct stream_compact_source source;
	int status;

	upkeep->log.structure_at_once = options->if_unlocked;
	upkeep->log.note = options->note;
	upkeep->log.note_context = options->context;
	status = stream_upkeep_lock(upkeep, err);
	if (status == STREAM_EBUSY && options->if_unlocked)
		return stream_compact_new(true, compact, err);
	if (status != STREAM_OK)
		return status;
	source = make_source(upkeep, options);
	return compact_in(&source, true, compact, err);
}

int
stream_compact_run(const struct stream_place *place,
    const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err)
{
	unsigned flags = STREAM_STORE_WRITE;
	struct stream_upkeep upkeep;
	int status;

	if (options->network)
		flags |= STREAM_STORE_NETWORK;
	status = open_place(place, options, flags, &upkeep, err);
	if (status == STREAM_OK) {
		status = run(&upkeep, options, compact, err);
		if (status != STREAM_OK)
			stream_upkeep_fail(place, status, err);
	}
	stream_upkeep_close(&upkeep);
	return status;
}

int
stream_compact_why(const struct stream_place *place,
    const struct stream_compact_options *options, struct stream_bytes key,
    void (*found)(void *context, const struct stream_compact_fate *fate),
    struct stream_compacted *compacted, struct stream_error *err)
{
	struct stream_upkeep upkeep;
	int status = open_place(place, options, 0, &upkeep, err);

	if (status == STREAM_OK) {
		struct stream_compact_source source =
		    make_source(&upkeep, options);

		status =
		    stream_log_compact_why(&source, key, found, compacted, err);
		if (status != STREAM_OK)
			stream_upkeep_fail(place, status, err);
	}
	stream_upkeep_close(&upkeep);
	return status;
}
