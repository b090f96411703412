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
	struct stream_error why = {.text = ""};
	int status;

	*offset = -1;
	if (!upkeep->is_named)
		return STREAM_OK;
	status = stream_checkpoint_find(upkeep->store->dirfd,
	    STREAM_CLEANER_FILE, place->topic, place->partition, offset, &why);
	if (status == STREAM_OK || status == STREAM_ENOENT)
		return STREAM_OK;
	if (status == STREAM_ECORRUPT)
		return stream_fail(err, status, why.pos,
		    "%s/%s (remove it: logs are then cleaned from their start)",
		    upkeep->store->path, why.text);
	if (err != NULL)
		*err = why;
	return status;
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

static enum stream_compact_verdict
judge_policy(const struct stream_upkeep *upkeep,
    const struct stream_compact_options *options)
{
	if (!upkeep->place->is_ours)
		return options->force && !options->lenient
			   ? STREAM_COMPACT_FORCED
			   : STREAM_COMPACT_FOREIGN;
	return (upkeep->topic.cleanup_policy & STREAM_CLEANUP_COMPACT) != 0
		   ? STREAM_COMPACT_RATIO
		   : STREAM_COMPACT_POLICY;
}

static int
refuse(const struct stream_upkeep *upkeep, enum stream_compact_verdict verdict,
    struct stream_error *err)
{
	if (verdict == STREAM_COMPACT_FOREIGN)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "a topic that strm did not make: its settings are not "
		    "known (--force compacts it by Kafka's defaults)");
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "cleanup.policy has no \"compact\" (strm topic alter %s --set "
	    "cleanup.policy=compact)",
	    upkeep->place->topic);
}

/* *verdict: may it be cleaned at all? */
static int
check_policy(const struct stream_upkeep *upkeep,
    const struct stream_compact_options *options,
    enum stream_compact_verdict *verdict, struct stream_error *err)
{
	*verdict = judge_policy(upkeep, options);
	if (stream_compact_verdict_cleans(*verdict) || options->lenient)
		return STREAM_OK;
	return refuse(upkeep, *verdict, err);
}

static struct stream_compact_source
make_source(
    struct stream_upkeep *upkeep, const struct stream_compact_options *options)
{
	return (struct stream_compact_source){
	    .dirfd = upkeep->dirfd,
	    .partition = upkeep->partition,
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

typedef int work(struct stream_upkeep *upkeep,
    const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err);

static int
work_on(struct stream_upkeep *upkeep,
    const struct stream_compact_options *options, work *do_it,
    struct stream_compact **compact, struct stream_error *err)
{
	enum stream_compact_verdict verdict;
	int status = check_policy(upkeep, options, &verdict, err);

	if (status == STREAM_OK)
		status = stream_compact_verdict_cleans(verdict)
			     ? do_it(upkeep, options, compact, err)
			     : stream_compact_new(verdict, compact, err);
	return status == STREAM_OK
		   ? status
		   : stream_upkeep_fail(upkeep->place, status, err);
}

/* There is no closed segment, nor any other. */
static int
do_nothing(struct stream_upkeep *upkeep,
    const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err)
{
	(void)upkeep;
	(void)options;
	return stream_compact_new(STREAM_COMPACT_ACTIVE, compact, err);
}

static int
open_and_work(const struct stream_place *place,
    const struct stream_compact_options *options, unsigned flags, work *do_it,
    struct stream_compact **compact, struct stream_error *err)
{
	struct stream_upkeep upkeep;
	int status;

	if (stream_upkeep_is_empty(place,
		options->lenient ? NULL : options->note, options->context)) {
		do_it = do_nothing;
		flags = 0;
	}
	status = stream_upkeep_open(
	    place, flags, options->lock_timeout_ms, &upkeep, err);
	if (status == STREAM_OK)
		status = work_on(&upkeep, options, do_it, compact, err);
	stream_upkeep_close(&upkeep);
	return status;
}

/* ---- the three calls ---------------------------------------------------- */

static int
compact_in(struct stream_upkeep *upkeep,
    const struct stream_compact_options *options, bool writes,
    struct stream_compact **compact, struct stream_error *err)
{
	struct stream_compact_source source = make_source(upkeep, options);
	struct stream_compact *new;
	int status = stream_compact_new(STREAM_COMPACT_CLEAN, &new, err);

	if (status != STREAM_OK)
		return status;
	status = writes ? stream_log_compact_run(&source, new, err)
			: stream_log_compact_plan(&source, new, err);
	if (status == STREAM_OK)
		*compact = new;
	else
		stream_compact_free(new);
	return status;
}

static int
plan(struct stream_upkeep *upkeep, const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err)
{
	return compact_in(upkeep, options, false, compact, err);
}

int
stream_compact_plan(const struct stream_place *place,
    const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err)
{
	return open_and_work(place, options, 0, plan, compact, err);
}

/* For those who watch the store; that it was done does not hang on it. */
static void
note_time(const struct stream_upkeep *upkeep,
    const struct stream_compact_options *options,
    const struct stream_compact *compact)
{
	const struct stream_place *place = upkeep->place;
	struct stream_error err;

	if (!upkeep->is_named || !stream_compact_verdict_cleans(
				     stream_compact_sum(compact)->verdict))
		return;
	if (stream_store_set_compaction_time(upkeep->store, place->topic,
		place->partition, options->now_ms, &err) != STREAM_OK &&
	    options->note != NULL)
		options->note(options->context, err.text);
}

/* The policy that holds is that under the lock. */
static int
run(struct stream_upkeep *upkeep, const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err)
{
	enum stream_compact_verdict verdict;
	int status;

	upkeep->log.structure_at_once = options->if_unlocked;
	upkeep->log.note = options->note;
	upkeep->log.note_context = options->context;
	status = stream_upkeep_lock(upkeep, err);
	if (status == STREAM_OK && upkeep->partition == NULL)
		return stream_compact_new(STREAM_COMPACT_LOCKED, compact, err);
	if (status == STREAM_OK)
		status = check_policy(upkeep, options, &verdict, err);
	if (status == STREAM_OK && !stream_compact_verdict_cleans(verdict))
		return stream_compact_new(verdict, compact, err);
	if (status == STREAM_OK)
		status = compact_in(upkeep, options, true, compact, err);
	if (status == STREAM_OK)
		note_time(upkeep, options, *compact);
	return status;
}

int
stream_compact_run(const struct stream_place *place,
    const struct stream_compact_options *options,
    struct stream_compact **compact, struct stream_error *err)
{
	unsigned flags = STREAM_STORE_WRITE;

	if (options->network)
		flags |= STREAM_STORE_NETWORK;
	return open_and_work(place, options, flags, run, compact, err);
}

static int
why(struct stream_upkeep *upkeep, const struct stream_compact_options *options,
    struct stream_bytes key,
    void (*found)(void *context, const struct stream_compact_fate *fate),
    struct stream_compacted *compacted, struct stream_error *err)
{
	struct stream_compact_source source = make_source(upkeep, options);
	enum stream_compact_verdict verdict;
	int status = check_policy(upkeep, options, &verdict, err);

	if (status == STREAM_OK && stream_compact_verdict_cleans(verdict))
		status =
		    stream_log_compact_why(&source, key, found, compacted, err);
	else if (status == STREAM_OK)
		*compacted = (struct stream_compacted){.verdict = verdict};
	return status == STREAM_OK
		   ? status
		   : stream_upkeep_fail(upkeep->place, status, err);
}

int
stream_compact_why(const struct stream_place *place,
    const struct stream_compact_options *options, struct stream_bytes key,
    void (*found)(void *context, const struct stream_compact_fate *fate),
    struct stream_compacted *compacted, struct stream_error *err)
{
	struct stream_upkeep upkeep;
	int status = stream_upkeep_open(
	    place, 0, options->lock_timeout_ms, &upkeep, err);

	if (status == STREAM_OK)
		status = why(&upkeep, options, key, found, compacted, err);
	stream_upkeep_close(&upkeep);
	return status;
}
