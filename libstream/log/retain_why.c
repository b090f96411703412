#include <stdarg.h>
#include <stdio.h>

#include <stream/parse.h>

#include "log/retain.h"

void
stream_retain_put_span(int64_t ms, char *text)
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"},
	    {1, "ms"}};
	size_t last = sizeof(units) / sizeof(*units) - 1;
	size_t i = 0;
	int64_t rest;

	while (i < last && ms < units[i].ms)
		i++;
	rest = i < last ? ms % units[i].ms / units[i + 1].ms : 0;
	if (rest > 0)
		snprintf(text, STREAM_SPAN_SIZE, "%lld%s%lld%s",
		    (long long)(ms / units[i].ms), units[i].name,
		    (long long)rest, units[i + 1].name);
	else
		snprintf(text, STREAM_SPAN_SIZE, "%lld%s",
		    (long long)(ms / units[i].ms), units[i].name);
}

/* Parts of a text, with "; " between them. */
struct parts {
	char *text;
	size_t size;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void
add(struct parts *parts, const char *format, ...)
{
	va_list args;
	int n;

	if (parts->used > 0 && parts->size - parts->used > 2)
		parts->used += (size_t)snprintf(
		    parts->text + parts->used, parts->size - parts->used, "; ");
	va_start(args, format);
	n = vsnprintf(
	    parts->text + parts->used, parts->size - parts->used, format, args);
	va_end(args);
	if (n > 0)
		parts->used += (size_t)n;
	if (parts->used >= parts->size)
		parts->used = parts->size - 1;
}

/* "newest record 9d4h old", or where else its time is from. */
static void
add_age(const struct stream_retain_reason *reason, struct parts *parts)
{
	const struct stream_retain_segment *segment = reason->segment;
	int64_t now_ms = reason->rules->now_ms;
	char age[STREAM_SPAN_SIZE], limit[STREAM_SPAN_SIZE];
	const char *what = "newest record";

	if (segment->evidence == STREAM_RETAIN_FILE)
		what = "no timestamps, its file";
	if (segment->evidence == STREAM_RETAIN_DAMAGED)
		what = "damaged, its latest sign";
	stream_retain_put_span(reason->rules->older_ms, limit);
	if (segment->largest_ms > now_ms) {
		stream_retain_put_span(
		    stream_retain_age(segment->largest_ms, now_ms), age);
		add(parts, "%s is %s in the future, limit %s", what, age,
		    limit);
		return;
	}
	stream_retain_put_span(
	    stream_retain_age(now_ms, segment->largest_ms), age);
	add(parts, "%s is %s old, limit %s", what, age, limit);
}

static void
add_size(const struct stream_retain_reason *reason, struct parts *parts)
{
	add(parts, "%llu bytes without it, limit %lld",
	    (unsigned long long)reason->bytes_left,
	    (long long)reason->rules->keep_bytes);
}

static void
add_records(const struct stream_retain_reason *reason, struct parts *parts)
{
	add(parts, "%s %lld records without it",
	    reason->segment->rule == STREAM_RETAIN_STAYS ? "fewer than"
							 : "at least",
	    (long long)reason->rules->keep_records);
}

/* Of the first that stays: what each rule that is on has against its going. */
static void
explain_stay(const struct stream_retain_reason *reason, struct parts *parts)
{
	const struct stream_retain_rules *rules = reason->rules;

	if (reason->segment->is_active) {
		add(parts, "the active segment never goes");
		return;
	}
	if (rules->keep_bytes >= 0)
		add_size(reason, parts);
	if (rules->keep_records >= 0)
		add_records(reason, parts);
	if (rules->older_ms >= 0)
		add_age(reason, parts);
	if (rules->spare_from >= 0 &&
	    reason->segment->base_offset >= rules->spare_from)
		add(parts, "active until now");
	if (reason->clock_refused)
		add(parts, "the clock looks wrong");
	if (parts->used == 0)
		add(parts, "not below the log start offset %lld",
		    (long long)rules->log_start_offset);
}

void
stream_retain_explain(
    const struct stream_retain_reason *reason, char *text, size_t size)
{
	struct parts parts = {text, size, 0};

	text[0] = '\0';
	switch (reason->segment->rule) {
	case STREAM_RETAIN_STAYS:
		explain_stay(reason, &parts);
		break;
	case STREAM_RETAIN_LOG_START:
		add(&parts, "below the log start offset %lld",
		    (long long)reason->rules->log_start_offset);
		break;
	case STREAM_RETAIN_SIZE:
		add_size(reason, &parts);
		break;
	case STREAM_RETAIN_RECORDS:
		add_records(reason, &parts);
		break;
	case STREAM_RETAIN_TIME:
		add_age(reason, &parts);
		break;
	}
}

const char *
stream_retain_rule_name(enum stream_retain_rule rule)
{
	static const char *const names[] = {
	    [STREAM_RETAIN_STAYS] = "stays",
	    [STREAM_RETAIN_LOG_START] = "log-start",
	    [STREAM_RETAIN_SIZE] = "size",
	    [STREAM_RETAIN_RECORDS] = "records",
	    [STREAM_RETAIN_TIME] = "time",
	};

	return names[rule];
}
