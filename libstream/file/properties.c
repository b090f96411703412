#include "file/properties.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

static char *
skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/*
 * Undo Java's escapes in place: what Kafka writes into these files needs none
 * but for '=', ':' and the like, so that a backslash only takes itself away.
 */
static void
unescape(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] != '\0')
			text++;
		*to++ = *text;
	}
	*to = '\0';
}

/* The byte after the name: the first '=', ':' or blank without a backslash. */
static char *
end_of_name(char *p)
{
	while (*p != '\0' && *p != '=' && *p != ':' && !is_blank(*p))
		p += p[0] == '\\' && p[1] != '\0' ? 2 : 1;
	return p;
}

/* A line, which ends with NUL.  false when it has no name. */
static bool
split(char *line, struct stream_property *property)
{
	char *end = end_of_name(line);
	char *value = skip_blanks(end);

	if (end == line)
		return false;
	if (*value == '=' || *value == ':')
		value = skip_blanks(value + 1);
	*end = '\0';
	unescape(line);
	unescape(value);
	*property = (struct stream_property){line, value};
	return true;
}

static void
trim_end(char *line)
{
	size_t size = strlen(line);

	while (size > 0 && line[size - 1] == '\r')
		line[--size] = '\0';
}

static int
split_all(struct stream_properties *properties, struct stream_error *err)
{
	unsigned long number = 1;
	char *next;

	for (char *line = properties->text; line != NULL;
	     line = next, number++) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		trim_end(line);
		line = skip_blanks(line);
		if (*line == '\0' || *line == '#' || *line == '!')
			continue;
		if (!split(line, &properties->items[properties->count]))
			return stream_fail(err, STREAM_ECORRUPT,
			    STREAM_POS_NONE, "line %lu: has no name", number);
		properties->count++;
	}
	return STREAM_OK;
}

int
stream_properties_parse(struct stream_bytes bytes,
    struct stream_properties *properties, struct stream_error *err)
{
	struct stream_properties found = {.count = 0};
	int status;

	if (bytes.size > 0 && memchr(bytes.data, 0, bytes.size) != NULL)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "a NUL byte is no text");
	/* A line takes two bytes at least. */
	found.items = calloc(bytes.size / 2 + 1, sizeof(*found.items));
	found.text = malloc(bytes.size + 1);
	if (found.items == NULL || found.text == NULL) {
		stream_properties_release(&found);
		return stream_fail_memory(err);
	}
	if (bytes.size > 0)
		memcpy(found.text, bytes.data, bytes.size);
	found.text[bytes.size] = '\0';
	status = split_all(&found, err);
	if (status == STREAM_OK)
		*properties = found;
	else
		stream_properties_release(&found);
	return status;
}

void
stream_properties_release(struct stream_properties *properties)
{
	free(properties->items);
	free(properties->text);
	*properties = (struct stream_properties){.items = NULL};
}

const char *
stream_properties_find(
    const struct stream_properties *properties, const char *name)
{
	for (size_t i = properties->count; i-- > 0;)
		if (strcmp(properties->items[i].name, name) == 0)
			return properties->items[i].value;
	return NULL;
}

int64_t
stream_shutdown_parse(struct stream_bytes bytes)
{
	static const char name[] = "\"brokerEpoch\"";
	const uint8_t *end = bytes.data + bytes.size;
	const uint8_t *p = bytes.size == 0 ? NULL
					   : memmem(bytes.data, bytes.size,
						 name, sizeof(name) - 1);
	int64_t epoch = 0;

	if (p == NULL)
		return -1;
	p += sizeof(name) - 1;
	while (p < end && (*p == ' ' || *p == ':'))
		p++;
	if (p == end || *p < '0' || *p > '9')
		return -1;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(epoch, 10, &epoch) ||
		    __builtin_add_overflow(epoch, *p - '0', &epoch))
			return -1;
	return epoch;
}
