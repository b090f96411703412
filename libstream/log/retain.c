/*
 * retain.c - ask the segments, decide, and put it in words
 */
#include "log/retain.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <stream/parse.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/summary.h"
#include "log/view.h"

/* Names may change between the listing and the opening of a log. */
enum { LOOKS = 20 };

struct planning {
	const struct stream_retain_source *source;
	struct stream_view view;
	struct stream_retain_fact *facts;
	struct stream_segment_time *times; /* NO_TIME: not asked */
	int64_t log_end_offset;
};

/* ---- what can be known of a segment ------------------------------------- */

static int
open_segment(const struct planning *p, size_t i,
    struct stream_segment_time_source *segment, struct stream_error *err)
{
	const struct stream_retain_source *source = p->source;
	bool is_last = i + 1 == p->view.count;

	*segment = (struct stream_segment_time_source){
	    .dirfd = source->dirfd,
	    .base_offset = p->facts[i].base_offset,
	    .next_base = is_last ? -1 : p->facts[i].next_offset,
	    .swap = p->view.segments[i].swap,
	    .dense = source->dense,
	    .cap = source->cap,
	    .now_ms = source->rules.now_ms,
	    .go_on = source->go_on,
	    .context = source->context,
	};
	return stream_view_open(&p->view, i, source->dirfd, &segment->log, err);
}

static int
fail_at(
    const struct planning *p, size_t i, int status, struct stream_error *err)
{
	if (status == STREAM_OK || status == STREAM_EINTR)
		return status;
	return stream_fail_in(
	    err, status, "%020lld.log", (long long)p->facts[i].base_offset);
}

static int
ask_time(void *context, size_t i, int64_t least_ms,
    struct stream_segment_time *time, struct stream_error *err)
{
	struct planning *p = context;
	struct stream_segment_time_source segment;
	int status = open_segment(p, i, &segment, err);

	if (status != STREAM_OK)
		return status;
	status = stream_segment_time_find(&segment, least_ms, time, err);
	if (status == STREAM_OK)
		p->times[i] = *time;
	close(segment.log);
	return fail_at(p, i, status, err);
}

/* Without gaps each offset is a record. */
static int
ask_records(void *context, size_t i, int64_t *records, struct stream_error *err)
{
	struct planning *p = context;
	struct stream_segment_time_source segment;
	int status;

	if (p->source->dense) {
		*records = p->facts[i].next_offset - p->facts[i].base_offset;
		return STREAM_OK;
	}
	if (p->times[i].is_whole) {
		*records = p->times[i].records;
		return STREAM_OK;
	}
	status = open_segment(p, i, &segment, err);
	if (status != STREAM_OK)
		return status;
	status = stream_segment_count(&segment, records, err);
	close(segment.log);
	return fail_at(p, i, status, err);
}

/* Nobody asked for its time; people like to see it all the same. */
static int
guess_time(struct planning *p, size_t i, struct stream_error *err)
{
	struct stream_segment_time_source segment;
	int status = open_segment(p, i, &segment, err);

	if (status != STREAM_OK)
		return status;
	stream_segment_time_guess(&segment, &p->times[i]);
	close(segment.log);
	return STREAM_OK;
}

static int
find_end(struct planning *p, struct stream_error *err)
{
	const struct stream_retain_source *source = p->source;
	struct stream_log_summary summary;
	int status;

	p->log_end_offset = source->log_end_offset;
	if (source->log_end_offset >= 0)
		return STREAM_OK;
	status = stream_log_summarize(
	    source->dirfd, source->rules.log_start_offset, &summary, err);
	if (status == STREAM_OK)
		p->log_end_offset = summary.log_end_offset;
	return status;
}

static int
gather_one(struct planning *p, size_t i, struct stream_error *err)
{
	const struct stream_view_segment *segments = p->view.segments;
	struct stream_retain_fact *fact = &p->facts[i];
	int fd;
	int status = stream_view_open(&p->view, i, p->source->dirfd, &fd, err);

	if (status != STREAM_OK)
		return status;
	fact->base_offset = segments[i].base_offset;
	fact->next_offset = i + 1 < p->view.count ? segments[i + 1].base_offset
						  : p->log_end_offset;
	status = stream_io_size(fd, &fact->bytes, err);
	close(fd);
	return status;
}

static int
gather(struct planning *p, struct stream_error *err)
{
	int status = stream_view_load(p->source->dirfd, &p->view, err);

	if (status == STREAM_OK)
		status = find_end(p, err);
	if (status != STREAM_OK)
		return status;
	p->facts = calloc(p->view.count + 1, sizeof(*p->facts));
	p->times = calloc(p->view.count + 1, sizeof(*p->times));
	if (p->facts == NULL || p->times == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < p->view.count && status == STREAM_OK; i++)
		status = gather_one(p, i, err);
	return status;
}

static void
release(struct planning *p)
{
	free(p->times);
	free(p->facts);
	stream_view_release(&p->view);
}

/* ---- in words ----------------------------------------------------------- */

static enum stream_retain_rule
rule_of(const struct stream_retain_decision *decision, size_t i)
{
	for (int rule = STREAM_RETAIN_LOG_START; rule <= STREAM_RETAIN_TIME;
	     rule++)
		if (i < decision->end[rule])
			return (enum stream_retain_rule)rule;
	return STREAM_RETAIN_STAYS;
}

static void
explain(struct planning *p, const struct stream_retain_decision *decision,
    size_t i, struct stream_retain_segment *item)
{
	struct stream_retain_reason reason = {
	    .rules = &p->source->rules,
	    .segment = item,
	    .clock_refused = decision->clock_refused,
	};

	for (size_t j = i + 1; j < p->view.count; j++)
		reason.bytes_left += p->facts[j].bytes;
	stream_retain_explain(&reason, item->why, sizeof(item->why));
}

static int
list_one(struct planning *p, const struct stream_retain_decision *decision,
    size_t i, struct stream_retain_segment *item, struct stream_error *err)
{
	const struct stream_retain_fact *fact = &p->facts[i];
	int status = STREAM_OK;

	*item = (struct stream_retain_segment){
	    .base_offset = fact->base_offset,
	    .next_offset = fact->next_offset,
	    .bytes = fact->bytes,
	    .rule = rule_of(decision, i),
	    .is_active = i + 1 == p->view.count,
	};
	if (p->times[i].evidence == STREAM_RETAIN_NO_TIME)
		status = guess_time(p, i, err);
	if (status == STREAM_OK)
		status = ask_records(p, i, &item->records, err);
	item->largest_ms = p->times[i].ms;
	item->evidence = p->times[i].evidence;
	explain(p, decision, i, item);
	return status;
}

/* Those that go, and the first that stays. */
static int
list(struct planning *p, const struct stream_retain_decision *decision,
    struct stream_retain *retain, struct stream_error *err)
{
	size_t count = p->view.count == 0 ? 0 : decision->going + 1;
	struct stream_retained *sum = &retain->sum;
	int status = STREAM_OK;

	retain->items = calloc(count + 1, sizeof(*retain->items));
	if (retain->items == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		status = list_one(p, decision, i, &retain->items[i], err);
		if (status != STREAM_OK || i == decision->going)
			continue;
		sum->segments++;
		sum->records += retain->items[i].records;
		sum->bytes += retain->items[i].bytes;
	}
	retain->count = count;
	return status;
}

static void
sum_up(const struct planning *p, const struct stream_retain_decision *decision,
    struct stream_retained *sum)
{
	size_t count = p->view.count;

	sum->log_start_offset = p->source->rules.log_start_offset;
	sum->log_end_offset = p->log_end_offset;
	sum->only_active = count <= 1;
	sum->active_is_used = count > 0 && p->facts[count - 1].bytes > 0;
	sum->spared = decision->spared;
	sum->clock_refused = decision->clock_refused;
	sum->newest_ms = decision->newest_ms;
	if (count > 0 &&
	    p->facts[decision->going].base_offset > sum->log_start_offset)
		sum->log_start_offset = p->facts[decision->going].base_offset;
}

/* A time in the future keeps a segment until then. */
static void
note_future(
    const struct planning *p, const struct stream_retain_decision *decision)
{
	const struct stream_retain_source *source = p->source;
	const struct stream_segment_time *time = &p->times[decision->going];
	char when[STREAM_TIME_SIZE], text[160];

	if (source->note == NULL || !decision->stopped_by_time ||
	    time->ms <= source->rules.now_ms)
		return;
	stream_format_time(time->ms, when);
	snprintf(text, sizeof(text),
	    "%020lld.log: is kept for %s %s, which is in the future",
	    (long long)p->facts[decision->going].base_offset,
	    time->evidence == STREAM_RETAIN_BATCHES ? "a record of"
						    : "its file's time",
	    when);
	source->note(source->context, text);
}

/* ---- the plan ----------------------------------------------------------- */

static int
plan(struct planning *p, struct stream_retain *retain, struct stream_error *err)
{
	struct stream_retain_ask ask = {ask_records, ask_time, p};
	struct stream_retain_decision decision;
	int status = gather(p, err);

	if (status == STREAM_OK)
		status = stream_retain_decide(p->facts, p->view.count,
		    &p->source->rules, &ask, &decision, err);
	if (status == STREAM_OK)
		status = list(p, &decision, retain, err);
	if (status != STREAM_OK)
		return status;
	sum_up(p, &decision, &retain->sum);
	note_future(p, &decision);
	return STREAM_OK;
}

int
stream_log_retain_plan(const struct stream_retain_source *source,
    struct stream_retain **retain, struct stream_error *err)
{
	int status = STREAM_ENOENT;

	/* A log that is gone when it is opened went after the listing. */
	for (int look = 0; look < LOOKS && status == STREAM_ENOENT; look++) {
		struct planning p = {.source = source};
		struct stream_retain *new = stream_retain_new();

		if (new == NULL)
			return stream_fail_memory(err);
		status = plan(&p, new, err);
		release(&p);
		if (status == STREAM_OK)
			*retain = new;
		else
			stream_retain_free(new);
	}
	return status;
}

struct stream_retain *
stream_retain_new(void)
{
	return calloc(1, sizeof(struct stream_retain));
}

void
stream_retain_free(struct stream_retain *retain)
{
	if (retain == NULL)
		return;
	free(retain->items);
	free(retain);
}

size_t
stream_retain_count(const struct stream_retain *retain)
{
	return retain->count;
}

const struct stream_retain_segment *
stream_retain_segment(const struct stream_retain *retain, size_t i)
{
	return &retain->items[i];
}

const struct stream_retained *
stream_retain_sum(const struct stream_retain *retain)
{
	return &retain->sum;
}
