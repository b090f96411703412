/*
 * maintain.c - close active segments in time, and measure
 */
#include <stream/maintain.h>

#include "base/fail.h"
#include "codec/batch.h"
#include "log/retain.h"
#include "log/roll_due.h"
#include "log/summary.h"
#include "store/upkeep.h"

/* A broker's topic has settings that are not known here. */
static struct stream_roll_rules
rules_of(const struct stream_upkeep *upkeep,
    const struct stream_retain_options *options)
{
	const struct stream_topic_config *topic = &upkeep->topic;
	struct stream_roll_rules rules = {
	    .now_ms = options->now_ms,
	    .age_ms = -1,
	    .lag_ms = -1,
	    .retention_ms = -1,
	    .retention_bytes = -1,
	    .log_start_offset = upkeep->log.log_start_offset,
	};

	if (!upkeep->place->is_ours && options->lenient)
		return rules;
	rules.age_ms = topic->segment_ms;
	if ((topic->cleanup_policy & STREAM_CLEANUP_COMPACT) != 0 &&
	    topic->max_compaction_lag_ms > 0 &&
	    topic->max_compaction_lag_ms != INT64_MAX)
		rules.lag_ms = topic->max_compaction_lag_ms;
	if (upkeep->deletes) {
		rules.retention_ms = topic->retention_ms;
		rules.retention_bytes = topic->retention_bytes;
	}
	return rules;
}

static int
look(struct stream_upkeep *upkeep, const struct stream_retain_options *options,
    struct stream_roll_due *due, struct stream_error *err)
{
	struct stream_roll_source source = {
	    .dirfd = upkeep->dirfd,
	    .dense = upkeep->log.dense,
	    .cap = options->max_batch_bytes != 0 ? options->max_batch_bytes
						 : STREAM_BATCH_CAP_DEFAULT,
	    .rules = rules_of(upkeep, options),
	    .go_on = options->go_on,
	    .context = options->context,
	};
	int status = stream_log_roll_due(&source, due, err);

	return status == STREAM_OK
		   ? status
		   : stream_upkeep_fail(upkeep->place, status, err);
}

int
stream_roll_if_due(const struct stream_place *place,
    const struct stream_retain_options *options, bool plan_only,
    struct stream_roll_due *due, struct stream_error *err)
{
	struct stream_roll_due found = {
	    .reason = STREAM_ROLL_STAYS, .active_base = -1};
	struct stream_upkeep upkeep;
	int status = stream_upkeep_open(
	    place, 0, options->lock_timeout_ms, &upkeep, err);

	if (status == STREAM_OK)
		status = look(&upkeep, options, &found, err);
	stream_upkeep_close(&upkeep);
	/* Another may roll it first: the next one's time has not come. */
	if (status == STREAM_OK && found.reason != STREAM_ROLL_STAYS)
		status = stream_roll_expected(place, options,
		    found.rolled.base_offset, plan_only, &found.rolled, err);
	if (status == STREAM_OK && !found.rolled.rolled)
		found.reason = STREAM_ROLL_STAYS;
	if (status == STREAM_OK)
		*due = found;
	return status;
}

const char *
stream_roll_reason_name(enum stream_roll_reason reason)
{
	static const char *const names[] = {
	    [STREAM_ROLL_STAYS] = "stays",
	    [STREAM_ROLL_AGE] = "age",
	    [STREAM_ROLL_LAG] = "lag",
	    [STREAM_ROLL_RETENTION] = "retention",
	    [STREAM_ROLL_LOG_START] = "log-start",
	};

	return names[reason];
}

/* ---- measuring ----------------------------------------------------------- */

static int
measure(const struct stream_upkeep *upkeep, struct stream_measures *measures,
    struct stream_error *err)
{
	const struct stream_place *place = upkeep->place;
	struct stream_log_summary sum;
	int64_t compacted_ms = -1;
	int status = stream_log_summarize(
	    upkeep->dirfd, upkeep->log.log_start_offset, &sum, err);

	if (status == STREAM_OK && upkeep->is_named)
		status = stream_store_compaction_time(upkeep->store,
		    place->topic, place->partition, &compacted_ms, err);
	if (status != STREAM_OK)
		return stream_upkeep_fail(place, status, err);
	*measures = (struct stream_measures){
	    .segments = sum.segments,
	    .bytes = sum.bytes,
	    .log_start_offset = sum.log_start_offset,
	    .log_end_offset = sum.log_end_offset,
	    .last_timestamp_ms = sum.last_timestamp_ms,
	    .last_compaction_ms = compacted_ms,
	};
	return STREAM_OK;
}

int
stream_measure(const struct stream_place *place,
    const struct stream_retain_options *options,
    struct stream_measures *measures, struct stream_error *err)
{
	struct stream_measures made;
	struct stream_retain *retain;
	struct stream_upkeep upkeep;
	int status = stream_upkeep_open(
	    place, 0, options->lock_timeout_ms, &upkeep, err);

	if (status == STREAM_OK)
		status = measure(&upkeep, &made, err);
	stream_upkeep_close(&upkeep);
	if (status == STREAM_OK)
		status = stream_retain_plan(place, options, &retain, err);
	if (status != STREAM_OK)
		return status;
	made.reclaimable_bytes = stream_retain_sum(retain)->bytes;
	stream_retain_free(retain);
	*measures = made;
	return STREAM_OK;
}
