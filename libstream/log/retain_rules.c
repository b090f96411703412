#include "log/retain_rules.h"

struct deciding {
	const struct stream_retain_fact *facts;
	size_t closed; /* all but the active one */
	const struct stream_retain_rules *rules;
	const struct stream_retain_ask *ask;
	struct stream_retain_decision *decision;
};

int64_t
stream_retain_age(int64_t now_ms, int64_t then_ms)
{
	int64_t age;

	if (now_ms <= then_ms)
		return 0;
	return __builtin_sub_overflow(now_ms, then_ms, &age) ? INT64_MAX : age;
}

static void
by_log_start(struct deciding *d)
{
	size_t *going = &d->decision->going;

	while (*going < d->closed &&
	       d->facts[*going].next_offset <= d->rules->log_start_offset)
		++*going;
}

/* The log is never made smaller than the limit. */
static void
by_size(struct deciding *d)
{
	size_t *going = &d->decision->going;
	uint64_t total = 0, limit = (uint64_t)d->rules->keep_bytes;

	if (d->rules->keep_bytes < 0)
		return;
	for (size_t i = *going; i <= d->closed; i++)
		total += d->facts[i].bytes;
	while (*going < d->closed && total >= limit &&
	       total - limit >= d->facts[*going].bytes)
		total -= d->facts[(*going)++].bytes;
}

/* Counted from the newest: all segments before the one in which the number is
 * reached go. */
static int
by_records(struct deciding *d, struct stream_error *err)
{
	int64_t left = d->rules->keep_records;
	size_t keep = d->closed + 1;
	int64_t records;

	if (left < 0)
		return STREAM_OK;
	while (left > 0 && keep > d->decision->going) {
		int status =
		    d->ask->records(d->ask->context, keep - 1, &records, err);

		if (status != STREAM_OK)
			return status;
		left -= records;
		keep--;
	}
	if (left > 0)
		return STREAM_OK;
	if (keep > d->closed)
		keep = d->closed;
	if (keep > d->decision->going)
		d->decision->going = keep;
	return STREAM_OK;
}

static int64_t
ago(int64_t now_ms, int64_t age_ms)
{
	int64_t then;

	return __builtin_sub_overflow(now_ms, age_ms, &then) ? INT64_MIN : then;
}

/*
 * A clock that jumped ahead looks the same as a topic that nobody writes to any
 * more.  What tells them apart is the newest record: an active topic has just
 * got it, and an abandoned one has lost its last segment to a run before this,
 * soon after its time had come.
 */
static int64_t
longest_silence(const struct stream_retain_rules *rules)
{
	int64_t twice, after;

	if (__builtin_add_overflow(
		rules->segment_ms, rules->segment_ms, &twice) ||
	    __builtin_add_overflow(rules->older_ms, rules->segment_ms, &after))
		return INT64_MAX;
	return twice > after ? twice : after;
}

/* All closed segments would go by their age, the youngest with newest_ms. */
static int
check_clock(struct deciding *d, int64_t newest_ms, struct stream_error *err)
{
	const struct stream_retain_rules *rules = d->rules;
	int64_t silence = longest_silence(rules);
	struct stream_segment_time time;

	if (d->facts[d->closed].bytes > 0) {
		int status = d->ask->time(d->ask->context, d->closed,
		    ago(rules->now_ms, silence), &time, err);

		if (status != STREAM_OK)
			return status;
		if (time.ms > newest_ms)
			newest_ms = time.ms;
	}
	if (stream_retain_age(rules->now_ms, newest_ms) <= silence)
		return STREAM_OK;
	d->decision->clock_refused = true;
	d->decision->newest_ms = newest_ms;
	return STREAM_OK;
}

/* All before end are old enough.  What is spared counted for the clock. */
static void
go_by_age(struct deciding *d, size_t end)
{
	int64_t spare_from = d->rules->spare_from;
	size_t *going = &d->decision->going;

	while (*going < end &&
	       (spare_from < 0 || d->facts[*going].base_offset < spare_from))
		++*going;
	d->decision->spared = end - *going;
}

static int
by_time(struct deciding *d, struct stream_error *err)
{
	const struct stream_retain_rules *rules = d->rules;
	int64_t least_ms = ago(rules->now_ms, rules->older_ms);
	int64_t newest_ms = INT64_MIN;
	size_t before = d->decision->going;
	size_t i;
	int status = STREAM_OK;

	if (rules->older_ms < 0 || before == d->closed)
		return STREAM_OK;
	for (i = before; i < d->closed; i++) {
		struct stream_segment_time time;

		status = d->ask->time(d->ask->context, i, least_ms, &time, err);
		if (status != STREAM_OK)
			return status;
		if (time.ms > newest_ms)
			newest_ms = time.ms;
		if (stream_retain_age(rules->now_ms, time.ms) <=
		    rules->older_ms)
			break;
	}
	d->decision->stopped_by_time = i < d->closed;
	if (i == d->closed && !rules->force_clock)
		status = check_clock(d, newest_ms, err);
	if (!d->decision->clock_refused)
		go_by_age(d, i);
	return status;
}

int
stream_retain_decide(const struct stream_retain_fact *facts, size_t count,
    const struct stream_retain_rules *rules,
    const struct stream_retain_ask *ask,
    struct stream_retain_decision *decision, struct stream_error *err)
{
	struct stream_retain_decision made = {.newest_ms = STREAM_NO_TIMESTAMP};
	struct deciding d = {facts, count - 1, rules, ask, &made};
	int status;

	if (count == 0) {
		*decision = made;
		return STREAM_OK;
	}
	by_log_start(&d);
	made.end[STREAM_RETAIN_LOG_START] = made.going;
	by_size(&d);
	made.end[STREAM_RETAIN_SIZE] = made.going;
	status = by_records(&d, err);
	made.end[STREAM_RETAIN_RECORDS] = made.going;
	if (status == STREAM_OK)
		status = by_time(&d, err);
	made.end[STREAM_RETAIN_TIME] = made.going;
	if (status == STREAM_OK)
		*decision = made;
	return status;
}
