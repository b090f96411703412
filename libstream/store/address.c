#include <stdlib.h>
#include <string.h>

#include <stream/address.h>
#include <stream/topic.h>

#include "base/fail.h"

/* The parts of an address, as pieces of its text. */
struct parts {
	const char *name; /* a topic or a path */
	size_t name_size;
	const char *partitions; /* NULL: none given */
	size_t partitions_size;
	const char *range; /* NULL: none given */
};

/*
 * No topic name and no partition list holds an '@' or a ':', so the first of
 * each is the one.  In a path only what follows the last '/' is looked at:
 * directories may be called anything.
 */
static void
split(const char *text, struct parts *parts)
{
	const char *slash = strrchr(text, '/');
	const char *tail = slash != NULL ? slash + 1 : text;
	const char *at = strchr(tail, '@');
	const char *end = at != NULL ? at : text + strlen(text);
	const char *colon = memchr(tail, ':', (size_t)(end - tail));

	*parts = (struct parts){.name = text};
	if (at != NULL)
		parts->range = at + 1;
	if (colon != NULL) {
		parts->partitions = colon + 1;
		parts->partitions_size = (size_t)(end - colon - 1);
		end = colon;
	}
	parts->name_size = (size_t)(end - text);
}

/* --- PARTITIONS ---------------------------------------------------------- */

static int
bad_partitions(const char *text, size_t size, struct stream_error *err)
{
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "\"%.*s\" is not a list of partitions such as 0, 0,2 or 0-3",
	    (int)size, text);
}

static bool
take_number(const char **at, const char *end, int32_t *number)
{
	int32_t sum = 0;
	const char *p = *at;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, *p - '0', &sum))
			return false;
	if (p == *at)
		return false;
	*at = p;
	*number = sum;
	return true;
}

static bool
take_span(const char **at, const char *end, struct stream_span *span)
{
	if (!take_number(at, end, &span->first))
		return false;
	span->last = span->first;
	if (*at == end || **at != '-')
		return true;
	++*at;
	return take_number(at, end, &span->last) && span->first <= span->last;
}

static int
compare(const void *a, const void *b)
{
	const struct stream_span *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

/* Rising and apart, so that a partition that is named twice is read once. */
static size_t
merge(struct stream_span *spans, size_t count)
{
	size_t kept = 0;

	qsort(spans, count, sizeof(*spans), compare);
	for (size_t i = 1; i < count; i++) {
		if (spans[i].first > spans[kept].last)
			spans[++kept] = spans[i];
		else if (spans[i].last > spans[kept].last)
			spans[kept].last = spans[i].last;
	}
	return kept + 1;
}

static size_t
count_commas(const char *text, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += text[i] == ',';
	return count;
}

static int
parse_partitions(const char *text, size_t size, struct stream_address *address,
    struct stream_error *err)
{
	const char *at = text, *end = text + size;
	size_t most = count_commas(text, size) + 1, count = 0;

	address->spans = calloc(most, sizeof(*address->spans));
	if (address->spans == NULL)
		return stream_fail_memory(err);
	for (;;) {
		if (!take_span(&at, end, &address->spans[count++]))
			return bad_partitions(text, size, err);
		if (at == end)
			break;
		if (*at++ != ',')
			return bad_partitions(text, size, err);
	}
	address->span_count = merge(address->spans, count);
	return STREAM_OK;
}

/* --- the whole ----------------------------------------------------------- */

static int
parse_name(const struct parts *parts, struct stream_address *address,
    struct stream_error *err)
{
	address->name = strndup(parts->name, parts->name_size);
	if (address->name == NULL)
		return stream_fail_memory(err);
	address->is_path = strchr(address->name, '/') != NULL;
	return address->is_path ? STREAM_OK
				: stream_topic_check_name(address->name, err);
}

static int
parse(const char *text, int64_t now_ms, struct stream_address *address,
    struct stream_error *err)
{
	struct parts parts;
	int status;

	split(text, &parts);
	status = parse_name(&parts, address, err);
	if (status == STREAM_OK && parts.partitions != NULL)
		status = parse_partitions(
		    parts.partitions, parts.partitions_size, address, err);
	if (status == STREAM_OK && parts.range != NULL)
		status = stream_range_parse(
		    parts.range, now_ms, &address->range, err);
	return status;
}

int
stream_address_parse(const char *text, int64_t now_ms,
    struct stream_address *address, struct stream_error *err)
{
	struct stream_address parsed = {.name = NULL};
	int status = parse(text, now_ms, &parsed, err);

	if (status != STREAM_OK) {
		stream_address_release(&parsed);
		return stream_fail_in(err, status, "%s", text);
	}
	*address = parsed;
	return STREAM_OK;
}

void
stream_address_release(struct stream_address *address)
{
	free(address->name);
	free(address->spans);
	*address = (struct stream_address){.name = NULL};
}
