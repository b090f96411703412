#include <stream/format.h>

#include <stdlib.h>
#include <string.h>

#include <stream/parse.h>

#include "base/decimal.h"
#include "base/fail.h"
#include "port/format_item.h"

/*
 * The words that name a format: a text in the language, and the form in which
 * its keys and values stand there.  json is one item that has no letter.
 */
static const struct word {
	const char *name;
	const char *text; /* NULL: not to be had yet */
	enum stream_form form;
} words[] = {
    {"raw", "%s", STREAM_FORM_PLAIN},
    {"tsv", "%k\\t%s\\n", STREAM_FORM_TSV},
    {"csv", "%k,%s\\n", STREAM_FORM_CSV},
    {"json", "", STREAM_FORM_JSON},
    {"hex", "%o: key=%k value=%s\\n", STREAM_FORM_DUMP},
    {"frame", NULL, STREAM_FORM_PLAIN},
    {"batch", NULL, STREAM_FORM_PLAIN},
};

/* The most that an item prints, less the bytes of the record. */
static size_t
fixed_size(const struct stream_item *item)
{
	switch (item->field) {
	case STREAM_FIELD_TEXT:
		return item->size;
	case STREAM_FIELD_TIME:
		return item->form == STREAM_FORM_STRFTIME ? item->size
							  : STREAM_TIME_SIZE;
	case STREAM_FIELD_KEY:
	case STREAM_FIELD_VALUE:
	case STREAM_FIELD_TOPIC:
	case STREAM_FIELD_HEADERS:
	case STREAM_FIELD_JSONL:
		return 0;
	default:
		return STREAM_DECIMAL_SIZE;
	}
}

static void
finish(struct stream_format *format, enum stream_form form)
{
	if (form == STREAM_FORM_JSON)
		format->items[format->count++].field = STREAM_FIELD_JSONL;
	format->fixed = STREAM_ITEM_PAD;
	for (size_t i = 0; i < format->count; i++) {
		struct stream_item *item = &format->items[i];

		if (form != STREAM_FORM_PLAIN &&
		    (item->field == STREAM_FIELD_KEY ||
			item->field == STREAM_FIELD_VALUE))
			item->form = (uint8_t)form;
		format->fixed += fixed_size(item);
	}
}

static const struct word *
find_word(const char *text)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].name, text) == 0)
			return &words[i];
	return NULL;
}

/* Room for the worst text: an item for each character. */
static struct stream_format *
new_format(size_t size)
{
	struct stream_format *format = calloc(1, sizeof(*format));

	if (format == NULL)
		return NULL;
	format->items = calloc(size + 1, sizeof(*format->items));
	format->text = calloc(size + 1 + STREAM_ITEM_PAD, 1);
	if (format->items != NULL && format->text != NULL)
		return format;
	stream_format_free(format);
	return NULL;
}

int
stream_format_new(
    const char *text, struct stream_format **format, struct stream_error *err)
{
	const struct word *word = find_word(text);
	struct stream_format *new;
	int status;

	if (word != NULL && word->text == NULL)
		return stream_fail(err, STREAM_EUSAGE, 0,
		    "format %s is not available yet", text);
	if (word != NULL)
		text = word->text;
	if (strlen(text) > STREAM_FORMAT_SIZE)
		return stream_fail(err, STREAM_EUSAGE, STREAM_FORMAT_SIZE,
		    "format: longer than %d bytes", STREAM_FORMAT_SIZE);
	new = new_format(strlen(text));
	if (new == NULL)
		return stream_fail_memory(err);
	status = stream_format_compile(new, text, err);
	if (status != STREAM_OK) {
		stream_format_free(new);
		return status;
	}
	finish(new, word != NULL ? word->form : STREAM_FORM_PLAIN);
	*format = new;
	return STREAM_OK;
}

void
stream_format_free(struct stream_format *format)
{
	if (format == NULL)
		return;
	if (format->locale != (locale_t)0)
		freelocale(format->locale);
	free(format->items);
	free(format->text);
	free(format);
}
