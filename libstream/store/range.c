#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <stream/address.h>
#include <stream/parse.h>

#include "base/fail.h"

/* The longest point is a group's name; more is nothing that we know. */
enum { POINT_SIZE = 256 };

static bool
is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int
take_count(const char *text, enum stream_point_kind kind,
    struct stream_point *point, struct stream_error *err)
{
	int64_t value;
	int status = stream_parse_int(text, 0, INT64_MAX, &value, err);

	if (status == STREAM_OK)
		*point = (struct stream_point){kind, value};
	return status;
}

static int
bad_point(const char *text, struct stream_error *err)
{
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "\"%s\" is not start, end, an offset, -N, +N, a time such as "
	    "2026-03-01T10:30:00Z or a time ago such as -90s",
	    text);
}

/* "-5" is five records, "-5s" five seconds ago. */
static int
take_back(const char *text, int64_t now_ms, struct stream_point *point,
    struct stream_error *err)
{
	int64_t ago, time;

	if (is_number(text + 1))
		return take_count(text + 1, STREAM_POINT_LAST, point, err);
	if (stream_parse_duration(text + 1, &ago, NULL) != STREAM_OK)
		return bad_point(text, err);
	if (__builtin_sub_overflow(now_ms, ago, &time))
		time = INT64_MIN;
	*point = (struct stream_point){STREAM_POINT_TIME, time};
	return STREAM_OK;
}

static int
take_time(
    const char *text, struct stream_point *point, struct stream_error *err)
{
	int64_t time;

	if (stream_parse_time(text, &time, NULL) != STREAM_OK)
		return bad_point(text, err);
	*point = (struct stream_point){STREAM_POINT_TIME, time};
	return STREAM_OK;
}

static int
parse_point(const char *text, int64_t now_ms, struct stream_point *point,
    struct stream_error *err)
{
	if (strcmp(text, "start") == 0)
		*point = (struct stream_point){STREAM_POINT_START, 0};
	else if (strcmp(text, "end") == 0)
		*point = (struct stream_point){STREAM_POINT_END, 0};
	else if (strncmp(text, "g:", 2) == 0)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%s\": consumer groups are not available yet", text);
	else if (is_number(text))
		return take_count(text, STREAM_POINT_OFFSET, point, err);
	else if (*text == '-')
		return take_back(text, now_ms, point, err);
	else if (*text == '+' && is_number(text + 1))
		return take_count(text + 1, STREAM_POINT_AFTER, point, err);
	else
		return take_time(text, point, err);
	return STREAM_OK;
}

static int
parse_piece(const char *text, size_t size, int64_t now_ms,
    struct stream_point *point, struct stream_error *err)
{
	char piece[POINT_SIZE];

	if (size >= sizeof(piece))
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%.40s...\" is too long for a point", text);
	memcpy(piece, text, size);
	piece[size] = '\0';
	return parse_point(piece, now_ms, point, err);
}

static int
parse_start(const char *text, size_t size, int64_t now_ms,
    struct stream_point *point, struct stream_error *err)
{
	int status;

	if (size == 0) {
		*point = (struct stream_point){STREAM_POINT_START, 0};
		return STREAM_OK;
	}
	status = parse_piece(text, size, now_ms, point, err);
	if (status == STREAM_OK && point->kind == STREAM_POINT_AFTER)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%.*s\" counts from where a range starts, so it can "
		    "only end one",
		    (int)size, text);
	return status;
}

/* No point holds two dots, so the first two part the range. */
int
stream_range_parse(const char *text, int64_t now_ms, struct stream_range *range,
    struct stream_error *err)
{
	const char *dots = strstr(text, "..");
	size_t size = dots != NULL ? (size_t)(dots - text) : strlen(text);
	const char *end = dots != NULL ? dots + 2 : text + size;
	struct stream_range parsed = {.to = {STREAM_POINT_NONE, 0}};
	int status;

	if (size == 0 && *end == '\0')
		return stream_fail(
		    err, STREAM_EUSAGE, STREAM_POS_NONE, "the range is empty");
	status = parse_start(text, size, now_ms, &parsed.from, err);
	if (status == STREAM_OK && *end != '\0')
		status = parse_piece(end, strlen(end), now_ms, &parsed.to, err);
	if (status == STREAM_OK)
		*range = parsed;
	return status;
}
