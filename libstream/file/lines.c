#include "file/lines.h"

#include <string.h>

#include "base/fail.h"

/* Java's readLine also takes a lone or leading CR for a line end; only the
 * CR before a LF is found in practice, and it is white space here. */
static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
take_line(struct stream_lines *lines, struct stream_field *line)
{
	const char *stop;

	if (lines->at == lines->end)
		return false;
	stop = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
	line->text = lines->at;
	lines->at = stop == NULL ? lines->end : stop + 1;
	line->size = (size_t)((stop == NULL ? lines->end : stop) - line->text);
	lines->number++;
	return true;
}

static int
bad_line(const struct stream_lines *lines, const char *what,
    struct stream_error *err)
{
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
	    "line %llu: %s", (unsigned long long)lines->number, what);
}

static int
take_head(struct stream_lines *lines, int64_t *value, struct stream_error *err)
{
	struct stream_field line, field;
	int status;

	if (!take_line(lines, &line))
		return bad_line(lines, "the file ends after it", err);
	status = stream_lines_split(lines, line, &field, 1, err);
	if (status != STREAM_OK)
		return status;
	return stream_lines_number(lines, field, INT32_MAX, value, err);
}

int
stream_lines_init(struct stream_lines *lines, struct stream_bytes text,
    struct stream_error *err)
{
	int64_t version;
	int status;

	*lines = (struct stream_lines){.at = (const char *)text.data};
	lines->end = lines->at;
	if (text.size == 0)
		return STREAM_OK;
	lines->end += text.size;
	status = take_head(lines, &version, err);
	if (status != STREAM_OK)
		return status;
	if (version != 0)
		return bad_line(lines, "the version is not 0", err);
	return take_head(lines, &lines->count_left, err);
}

int
stream_lines_take(struct stream_lines *lines, struct stream_field *line,
    struct stream_error *err)
{
	if (!take_line(lines, line)) {
		if (lines->count_left > 0)
			return bad_line(
			    lines, "fewer entries than it says", err);
		return STREAM_END;
	}
	if (lines->count_left == 0)
		return bad_line(lines, "more entries than it says", err);
	lines->count_left--;
	return STREAM_OK;
}

static bool
take_field(struct stream_field *rest, struct stream_field *field)
{
	while (rest->size > 0 && is_space(*rest->text)) {
		rest->text++;
		rest->size--;
	}
	*field = (struct stream_field){.text = rest->text};
	while (rest->size > 0 && !is_space(*rest->text)) {
		rest->text++;
		rest->size--;
		field->size++;
	}
	return field->size > 0;
}

int
stream_lines_split(const struct stream_lines *lines, struct stream_field line,
    struct stream_field *fields, size_t count, struct stream_error *err)
{
	struct stream_field extra;

	for (size_t i = 0; i < count; i++)
		if (!take_field(&line, &fields[i]))
			return bad_line(lines, "too few fields", err);
	if (take_field(&line, &extra))
		return bad_line(lines, "too many fields", err);
	return STREAM_OK;
}

int
stream_lines_number(const struct stream_lines *lines, struct stream_field field,
    int64_t most, int64_t *value, struct stream_error *err)
{
	int64_t sum = 0;

	for (size_t i = 0; i < field.size; i++) {
		char c = field.text[i];

		if (c < '0' || c > '9')
			return bad_line(lines, "not a number", err);
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, c - '0', &sum) || sum > most)
			return bad_line(lines, "the number is too large", err);
	}
	*value = sum;
	return STREAM_OK;
}
