#include "file/name.h"

#include <stddef.h>
#include <string.h>

enum { DIGITS = 20 };

static const char *const kinds[] = {
    [STREAM_NAME_LOG] = ".log",
    [STREAM_NAME_INDEX] = ".index",
    [STREAM_NAME_TIMEINDEX] = ".timeindex",
    [STREAM_NAME_TXNINDEX] = ".txnindex",
    [STREAM_NAME_SNAPSHOT] = ".snapshot",
};

static const char *const states[] = {
    [STREAM_NAME_PLAIN] = "",
    [STREAM_NAME_CLEANED] = ".cleaned",
    [STREAM_NAME_SWAP] = ".swap",
    [STREAM_NAME_DELETED] = ".deleted",
};

enum {
	KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]),
	STATE_COUNT = sizeof(states) / sizeof(states[0])
};

/*
 * Twenty digits hold more than an int64_t, so each step is checked: a name
 * past the largest offset is not a segment's, whoever made it.
 */
static bool
take_digits(const char *name, int64_t *value)
{
	int64_t sum = 0;

	for (int i = 0; i < DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, name[i] - '0', &sum))
			return false;
	}
	*value = sum;
	return true;
}

/* No kind is the beginning of another, so the first that fits is the one. */
static const char *
take_kind(const char *suffix, enum stream_name_kind *kind)
{
	for (unsigned i = 0; i < KIND_COUNT; i++) {
		size_t length = strlen(kinds[i]);

		if (strncmp(suffix, kinds[i], length) == 0) {
			*kind = (enum stream_name_kind)i;
			return suffix + length;
		}
	}
	return NULL;
}

static bool
find_state(const char *suffix, enum stream_name_state *state)
{
	for (unsigned i = 0; i < STATE_COUNT; i++) {
		if (strcmp(suffix, states[i]) == 0) {
			*state = (enum stream_name_state)i;
			return true;
		}
	}
	return false;
}

bool
stream_name_parse(const char *name, struct stream_name *parsed)
{
	struct stream_name found;
	const char *rest;

	if (!take_digits(name, &found.base_offset))
		return false;
	rest = take_kind(name + DIGITS, &found.kind);
	if (rest == NULL || !find_state(rest, &found.state))
		return false;
	*parsed = found;
	return true;
}

/* Not snprintf: a roll and every listing come through here. */
void
stream_name_put(const struct stream_name *name, char *text)
{
	int64_t rest = name->base_offset;

	for (int i = DIGITS - 1; i >= 0; i--) {
		text[i] = (char)('0' + rest % 10);
		rest /= 10;
	}
	strcpy(stpcpy(text + DIGITS, kinds[name->kind]), states[name->state]);
}

void
stream_name_put_plain(
    int64_t base_offset, enum stream_name_kind kind, char *text)
{
	stream_name_put(
	    &(struct stream_name){.base_offset = base_offset, .kind = kind},
	    text);
}

static bool
ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return m > 0 && n >= m && strcmp(name + n - m, end) == 0;
}

bool
stream_name_has_ending(const char *name)
{
	bool has = false;

	for (size_t i = 0; i < KIND_COUNT; i++)
		has = has || ends_with(name, kinds[i]);
	for (size_t i = 0; i < STATE_COUNT; i++)
		has = has || ends_with(name, states[i]);
	return has;
}
