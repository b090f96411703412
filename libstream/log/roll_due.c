#include "log/roll_due.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stream/parse.h>

#include "file/scan.h"
#include "log/retain.h"
#include "log/segment_time.h"
#include "log/view.h"

/* The newest segment. */
struct active {
	int fd;
	int64_t base_offset;
	bool swap;
	bool is_used;        /* it holds a batch */
	int64_t first_ms;    /* of its first batch */
	int64_t next_offset; /* the log end */
};

/* The first batch, and the end: by headers, as far as they are whole. */
static int
read_ends(const struct stream_roll_source *source, struct active *active,
    struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	active->next_offset = active->base_offset;
	stream_scan_init(&scan, active->fd, 0, STREAM_SCAN_HEADERS, source->cap,
	    STREAM_SCAN_SMALL_BLOCK);
	status = stream_scan_next(&scan, &batch, &bytes, err);
	if (status == STREAM_OK) {
		active->is_used = true;
		active->first_ms = batch.info.max_timestamp_ms;
	}
	stream_scan_release(&scan);
	if (active->is_used &&
	    source->rules.log_start_offset > active->base_offset)
		status = stream_view_raise_end(
		    active->fd, &active->next_offset, err);
	return status == STREAM_EIO || status == STREAM_ENOMEM ? status
							       : STREAM_OK;
}

/* A first batch without a timestamp, or one before 1970, says nothing of its
 * age; when the file was made does, if the file system knows. */
static void
settle_first(struct active *active)
{
	struct statx made;

	if (active->first_ms >= 0)
		return;
	active->first_ms = STREAM_NO_TIMESTAMP;
	if (statx(active->fd, "", AT_EMPTY_PATH, STATX_BTIME, &made) == 0 &&
	    (made.stx_mask & STATX_BTIME) != 0)
		active->first_ms = made.stx_btime.tv_sec * 1000;
}

static bool
is_older(const struct stream_roll_rules *rules, int64_t then_ms, int64_t limit)
{
	return limit >= 0 && then_ms != STREAM_NO_TIMESTAMP &&
	       stream_retain_age(rules->now_ms, then_ms) > limit;
}

static void
say(struct stream_roll_due *due, enum stream_roll_reason reason,
    const char *what, int64_t then_ms, int64_t limit_ms)
{
	char when[STREAM_TIME_SIZE], span[STREAM_SPAN_SIZE];

	due->reason = reason;
	stream_format_time(then_ms, when);
	stream_retain_put_span(limit_ms, span);
	snprintf(due->why, sizeof(due->why), what, when, span);
}

static bool
by_first(const struct stream_roll_rules *rules, const struct active *active,
    struct stream_roll_due *due)
{
	if (is_older(rules, active->first_ms, rules->age_ms))
		say(due, STREAM_ROLL_AGE,
		    "it began at %s, longer ago than segment.ms (%s)",
		    active->first_ms, rules->age_ms);
	else if (is_older(rules, active->first_ms, rules->lag_ms))
		say(due, STREAM_ROLL_LAG,
		    "it began at %s, longer ago than max.compaction.lag.ms "
		    "(%s)",
		    active->first_ms, rules->lag_ms);
	return due->reason != STREAM_ROLL_STAYS;
}

/* Kafka's rules for a segment that would be the last to go. */
static int
by_retention(const struct stream_roll_source *source,
    const struct active *active, struct stream_roll_due *due,
    struct stream_error *err)
{
	const struct stream_roll_rules *rules = &source->rules;
	struct stream_segment_time_source segment = {
	    .dirfd = source->dirfd,
	    .log = active->fd,
	    .base_offset = active->base_offset,
	    .next_base = -1,
	    .swap = active->swap,
	    .dense = source->dense,
	    .cap = source->cap,
	    .now_ms = rules->now_ms,
	    .go_on = source->go_on,
	    .context = source->context,
	};
	struct stream_segment_time time;
	int status;

	if (rules->retention_bytes == 0) {
		due->reason = STREAM_ROLL_RETENTION;
		snprintf(due->why, sizeof(due->why), "retention.bytes is 0");
	}
	/* Where the first record is young, the last one is. */
	if (due->reason != STREAM_ROLL_STAYS ||
	    !is_older(rules, active->first_ms, rules->retention_ms))
		return STREAM_OK;
	status = stream_segment_time_find(
	    &segment, rules->now_ms - rules->retention_ms, &time, err);
	if (status == STREAM_OK &&
	    is_older(rules, time.ms, rules->retention_ms))
		say(due, STREAM_ROLL_RETENTION,
		    "its newest record is of %s, longer ago than retention.ms "
		    "(%s)",
		    time.ms, rules->retention_ms);
	return status;
}

static int
judge(const struct stream_roll_source *source, struct active *active,
    struct stream_roll_due *due, struct stream_error *err)
{
	const struct stream_roll_rules *rules = &source->rules;
	int status = read_ends(source, active, err);

	if (status != STREAM_OK || !active->is_used)
		return status;
	settle_first(active);
	if (by_first(rules, active, due))
		return STREAM_OK;
	if (active->next_offset > active->base_offset &&
	    active->next_offset <= rules->log_start_offset) {
		due->reason = STREAM_ROLL_LOG_START;
		snprintf(due->why, sizeof(due->why),
		    "all of it is below the log start offset, %lld",
		    (long long)rules->log_start_offset);
		return STREAM_OK;
	}
	return by_retention(source, active, due, err);
}

static int
look(const struct stream_roll_source *source, struct stream_roll_due *due,
    struct stream_error *err)
{
	struct stream_view view = {.count = 0};
	struct active active = {.fd = -1};
	int status = stream_view_load(source->dirfd, &view, err);

	if (status == STREAM_OK && view.count > 0) {
		active.base_offset = view.segments[view.count - 1].base_offset;
		due->active_base = active.base_offset;
		active.swap = view.segments[view.count - 1].swap;
		status = stream_view_open(
		    &view, view.count - 1, source->dirfd, &active.fd, err);
	}
	if (status == STREAM_OK && view.count > 0)
		status = judge(source, &active, due, err);
	due->rolled.base_offset = active.base_offset;
	if (active.fd >= 0)
		close(active.fd);
	stream_view_release(&view);
	return status;
}

int
stream_log_roll_due(const struct stream_roll_source *source,
    struct stream_roll_due *due, struct stream_error *err)
{
	int status = STREAM_ENOENT;

	/* Another may roll it, and compact it, at the same time. */
	for (int i = 0; status == STREAM_ENOENT && i < STREAM_VIEW_TRIES; i++) {
		*due = (struct stream_roll_due){
		    .reason = STREAM_ROLL_STAYS, .active_base = -1};
		status = look(source, due, err);
	}
	return status;
}
