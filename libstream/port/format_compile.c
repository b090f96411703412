#include "port/format_item.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/fail.h"

/* What a letter prints, and so which modifiers it takes. */
enum { BYTES = 1, HEADERS = 2, NUMBER = 4, TIME = 8 };

static const struct letter {
	char letter;
	uint8_t field;
	uint8_t kind;
} letters[] = {
    {'k', STREAM_FIELD_KEY, BYTES},
    {'s', STREAM_FIELD_VALUE, BYTES},
    {'v', STREAM_FIELD_VALUE, BYTES},
    {'t', STREAM_FIELD_TOPIC, BYTES},
    {'h', STREAM_FIELD_HEADERS, HEADERS},
    {'d', STREAM_FIELD_TIME, TIME},
    {'K', STREAM_FIELD_KEY_SIZE, NUMBER},
    {'S', STREAM_FIELD_VALUE_SIZE, NUMBER},
    {'p', STREAM_FIELD_PARTITION, NUMBER},
    {'o', STREAM_FIELD_OFFSET, NUMBER},
    {'T', STREAM_FIELD_TIMESTAMP, NUMBER},
    {'e', STREAM_FIELD_LEADER_EPOCH, NUMBER},
    {'x', STREAM_FIELD_PRODUCER_ID, NUMBER},
    {'y', STREAM_FIELD_PRODUCER_EPOCH, NUMBER},
    {'i', STREAM_FIELD_NUMBER, NUMBER},
};

static const struct modifier {
	const char *name;
	uint8_t kinds;
	uint8_t form;
	uint8_t width;
} modifiers[] = {
    {"hex", BYTES, STREAM_FORM_HEX, 0},
    {"base64", BYTES, STREAM_FORM_BASE64, 0},
    {"json", BYTES | HEADERS, STREAM_FORM_JSON, 0},
    {"big8", NUMBER, STREAM_FORM_BIG, 1},
    {"big16", NUMBER, STREAM_FORM_BIG, 2},
    {"big32", NUMBER, STREAM_FORM_BIG, 4},
    {"big64", NUMBER, STREAM_FORM_BIG, 8},
    {"little8", NUMBER, STREAM_FORM_LITTLE, 1},
    {"little16", NUMBER, STREAM_FORM_LITTLE, 2},
    {"little32", NUMBER, STREAM_FORM_LITTLE, 4},
    {"little64", NUMBER, STREAM_FORM_LITTLE, 8},
    {"varint", NUMBER, STREAM_FORM_VARINT, 0},
    {"iso", TIME, STREAM_FORM_PLAIN, 0},
    {"strftime", TIME, STREAM_FORM_STRFTIME, 0},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct compiling {
	const char *text;
	const char *at;
	struct stream_format *format;
	size_t used; /* bytes of format->text */
	struct stream_error *err;
};

__attribute__((format(printf, 3, 4))) static int
fail(const struct compiling *c, const char *at, const char *format, ...)
{
	uint64_t pos = (uint64_t)(at - c->text);
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return stream_fail(c->err, STREAM_EUSAGE, pos,
	    "format: column %" PRIu64 ": %s", pos + 1, text);
}

static struct stream_item *
add_item(struct compiling *c)
{
	return &c->format->items[c->format->count++];
}

/* Text that is printed as it is; what follows other text joins it. */
static void
add_text(struct compiling *c, const char *text, size_t size)
{
	struct stream_format *format = c->format;
	struct stream_item *item = NULL;

	if (format->count > 0)
		item = &format->items[format->count - 1];
	if (item == NULL || item->field != STREAM_FIELD_TEXT) {
		item = add_item(c);
		item->field = STREAM_FIELD_TEXT;
		item->at = (uint32_t)c->used;
	}
	memcpy(format->text + c->used, text, size);
	c->used += size;
	item->size += (uint32_t)size;
}

static int
take_hex_escape(struct compiling *c)
{
	uint8_t byte;
	size_t done;

	if (strlen(c->at) < 4 ||
	    !stream_hex_take((const uint8_t *)c->at + 2, 2, &byte, &done))
		return fail(c, c->at, "\\x needs two hexadecimal digits");
	add_text(c, (const char *)&byte, 1);
	c->at += 4;
	return STREAM_OK;
}

static int
take_escape(struct compiling *c)
{
	static const char escapes[] = "ntr0\\";
	static const char bytes[] = "\n\t\r\0\\";
	const char *found;

	if (c->at[1] == 'x')
		return take_hex_escape(c);
	if (c->at[1] == '\0')
		return fail(c, c->at, "a \\ at the end; \\\\ prints one");
	found = strchr(escapes, c->at[1]);
	if (found == NULL)
		return fail(c, c->at,
		    "unknown escape \\%c (\\n \\t \\r \\0 \\\\ \\xHH are "
		    "known)",
		    isgraph((unsigned char)c->at[1]) ? c->at[1] : '?');
	add_text(c, bytes + (found - escapes), 1);
	c->at += 2;
	return STREAM_OK;
}

/*
 * Count the conversions; only those of strftime that depend on the time alone.
 * Widths and flags could make one longer than STREAM_STRFTIME_ONE; %s reads the
 * time as local, which it is not.
 */
static int
check_strftime(
    const struct compiling *c, const char *text, size_t size, size_t *count)
{
	static const char known[] = "aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%";

	for (size_t i = 0; i < size; i++) {
		if (text[i] != '%')
			continue;
		*count += 1;
		if (++i < size && strchr(known, text[i]) != NULL)
			continue;
		if (i < size && text[i] == 's')
			return fail(c, text + i - 1,
			    "strftime's %%s is local time; use %%T");
		return fail(c, text + i - 1,
		    "strftime has no such conversion, or not here");
	}
	return size > 0 ? STREAM_OK : fail(c, text, "strftime needs a text");
}

static int
add_strftime(struct compiling *c, struct stream_item *item, const char *text,
    size_t size)
{
	struct stream_format *format = c->format;
	size_t count = 0;
	int status = check_strftime(c, text, size, &count);

	if (status != STREAM_OK)
		return status;
	item->at = (uint32_t)c->used;
	item->size = (uint32_t)(size + count * STREAM_STRFTIME_ONE + 1);
	memcpy(format->text + c->used, text, size);
	format->text[c->used + size] = '\0';
	c->used += size + 1;
	if (format->locale == (locale_t)0)
		format->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	return format->locale != (locale_t)0 ? STREAM_OK
					     : stream_fail_memory(c->err);
}

static const struct modifier *
find_modifier(const char *name, size_t size)
{
	for (size_t i = 0; i < COUNT(modifiers); i++)
		if (strlen(modifiers[i].name) == size &&
		    memcmp(modifiers[i].name, name, size) == 0)
			return &modifiers[i];
	return NULL;
}

/* Why {name} is no modifier here. */
static int
fail_modifier(const struct compiling *c, const struct letter *letter,
    const char *name, size_t size)
{
	int shown = size > 32 ? 32 : (int)size;

	if (size > 0 && strspn(name, "0123456789") == size)
		return fail(c, name,
		    "a length, {%.*s}, is for reading only; nothing is padded "
		    "or cut in writing",
		    shown, name);
	if (find_modifier(name, size) != NULL)
		return fail(c, name, "%%%c does not take {%.*s}",
		    letter->letter, shown, name);
	return fail(c, name, "unknown modifier {%.*s}", shown, name);
}

/* c->at is after the brace. */
static int
take_modifier(
    struct compiling *c, const struct letter *letter, struct stream_item *item)
{
	const char *name = c->at;
	size_t whole = strcspn(name, "}");
	size_t size = strcspn(name, " }");
	const struct modifier *modifier = find_modifier(name, size);

	if (name[whole] == '\0')
		return fail(c, name - 1,
		    "{ without } (\\x7b prints a brace after a letter)");
	if (modifier == NULL || (modifier->kinds & letter->kind) == 0)
		return fail_modifier(c, letter, name, size);
	item->form = modifier->form;
	item->width = modifier->width;
	c->at = name + whole + 1;
	if (modifier->form == STREAM_FORM_STRFTIME) {
		size += size < whole;
		return add_strftime(c, item, name + size, whole - size);
	}
	return size == whole ? STREAM_OK
			     : fail(c, name + size, "} should be here");
}

static const struct letter *
find_letter(char name)
{
	for (size_t i = 0; i < COUNT(letters); i++)
		if (letters[i].letter == name)
			return &letters[i];
	return NULL;
}

static int
take_letter(struct compiling *c)
{
	const struct letter *letter = find_letter(c->at[1]);
	struct stream_item *item;

	if (c->at[1] == '\0')
		return fail(c, c->at, "a %% at the end; %%%% prints one");
	if (c->at[1] == '%') {
		add_text(c, "%", 1);
		c->at += 2;
		return STREAM_OK;
	}
	if (letter == NULL)
		return fail(c, c->at, "unknown letter %%%c",
		    isgraph((unsigned char)c->at[1]) ? c->at[1] : '?');
	item = add_item(c);
	item->field = letter->field;
	item->letter = letter->letter;
	c->at += 2;
	if (*c->at != '{')
		return STREAM_OK;
	c->at++;
	return take_modifier(c, letter, item);
}

static int
take_all(struct compiling *c)
{
	int status = STREAM_OK;

	while (status == STREAM_OK && *c->at != '\0') {
		size_t plain = strcspn(c->at, "%\\");

		if (plain > 0) {
			add_text(c, c->at, plain);
			c->at += plain;
		} else {
			status =
			    *c->at == '%' ? take_letter(c) : take_escape(c);
		}
	}
	return status;
}

int
stream_format_compile(
    struct stream_format *format, const char *text, struct stream_error *err)
{
	struct compiling c = {
	    .text = text, .at = text, .format = format, .err = err};

	return take_all(&c);
}
