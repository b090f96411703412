/* Kafka's own messages: every form, every version, and what does not fit. */
#include <stream/message.h>

#include "fixture.h"
#include "vectors.h"

/* Rows of format/vectors/message.txt. */
enum { ROWS = 55, ITEMS_SIZE = 1024 };

struct row {
	enum stream_message_kind kind;
	enum stream_message_part part;
	struct stream_bytes key;
	struct stream_bytes value;
};

/* In exactly as much memory, so that a read past the end is seen. */
static struct stream_bytes
bytes_of(const char *word)
{
	struct stream_bytes bytes = {NULL, 0};

	if (strcmp(word, "null") != 0)
		bytes.data = vectors_bytes(
		    strcmp(word, "empty") == 0 ? "-" : word, &bytes.size);
	return bytes;
}

static struct row
row_of(const struct vectors *vectors)
{
	const char *part = vectors->words[2];

	return (struct row){
	    .kind = part[0] == 'g'   ? STREAM_MESSAGE_GROUPS
		    : part[0] == 't' ? STREAM_MESSAGE_TRANSACTIONS
				     : STREAM_MESSAGE_CONTROL,
	    .part = strstr(part, "-key") != NULL ? STREAM_MESSAGE_KEY
						 : STREAM_MESSAGE_VALUE,
	    .key = bytes_of(vectors->words[4]),
	    .value = bytes_of(vectors->words[5]),
	};
}

static void
drop(struct row *row)
{
	free((void *)(uintptr_t)row->key.data);
	free((void *)(uintptr_t)row->value.data);
}

/* All items as text: "name=1;name=text;name=[;1;2;.;name={;a=1;.". */
static void
put_item(const struct stream_item *item, char *text)
{
	char *end = text + strlen(text);

	if (item->kind == STREAM_ITEM_CLOSE) {
		strcpy(end, ".;");
		return;
	}
	end += sprintf(end, "%s%s", item->name != NULL ? item->name : "",
	    item->name != NULL ? "=" : "");
	switch (item->kind) {
	case STREAM_ITEM_NUMBER:
		end += sprintf(end, "%lld", (long long)item->number);
		if (item->word != NULL)
			end += sprintf(end, "(%s)", item->word);
		break;
	case STREAM_ITEM_TEXT:
		end += sprintf(end, "%.*s", (int)item->bytes.size,
		    (const char *)item->bytes.data);
		break;
	case STREAM_ITEM_BYTES:
	case STREAM_ITEM_UUID:
		end += sprintf(end, "%zu-bytes", item->bytes.size);
		break;
	case STREAM_ITEM_NULL:
		end += sprintf(end, "null");
		break;
	case STREAM_ITEM_LIST:
		end += sprintf(end, "[");
		break;
	default:
		end += sprintf(end, "{");
	}
	strcpy(end, ";");
}

static int
status_of(const struct vectors *vectors)
{
	return vectors_is(vectors, "good")      ? STREAM_OK
	       : vectors_is(vectors, "null")    ? STREAM_END
	       : vectors_is(vectors, "corrupt") ? STREAM_ECORRUPT
						: STREAM_ENEWER;
}

static void
every_form_is_read_and_what_does_not_fit_is_refused(void **state)
{
	struct vectors *vectors = vectors_open("message.txt");

	(void)state;
	while (vectors_take(vectors, 7)) {
		struct row row = row_of(vectors);
		struct stream_message message;
		struct stream_item item;
		struct stream_error err = {0};
		char text[ITEMS_SIZE] = "";
		int status = stream_message_open(
		    &message, row.kind, row.part, row.key, row.value, &err);

		while (
		    status == STREAM_OK && stream_message_next(&message, &item))
			put_item(&item, text);
		strcpy(text[0] != '\0' ? text + strlen(text) - 1 : text,
		    text[0] != '\0' ? "" : "-");
		if (status != status_of(vectors) ||
		    strcmp(text, vectors->words[6]) != 0 ||
		    strcmp(message.type == NULL ? "-" : message.type,
			vectors->words[3]) != 0)
			fail_msg("%s: status %d (%s), type %s, items %s",
			    vectors->words[0], status, err.text,
			    message.type == NULL ? "-" : message.type, text);
		drop(&row);
	}
	vectors_close(vectors, ROWS);
}

/* Every prefix of a sound message is refused, and nothing past it is read. */
static void
a_message_that_is_cut_anywhere_is_refused(void **state)
{
	struct vectors *vectors = vectors_open("message.txt");

	(void)state;
	while (vectors_take(vectors, 7)) {
		struct row row = row_of(vectors);
		bool is_whole = vectors_is(vectors, "good") &&
				row.part == STREAM_MESSAGE_VALUE;

		for (size_t n = 0; is_whole && n < row.value.size; n++) {
			uint8_t *cut =
			    memcpy(malloc(n > 0 ? n : 1), row.value.data, n);
			struct stream_message message;
			int status =
			    stream_message_open(&message, row.kind, row.part,
				row.key, (struct stream_bytes){cut, n}, NULL);

			if (status != STREAM_ECORRUPT)
				fail_msg("%s, %zu bytes: status %d",
				    vectors->words[0], n, status);
			free(cut);
		}
		drop(&row);
	}
	vectors_close(vectors, ROWS);
}

/* How deep a walk ends: lists and structs that were opened are closed. */
static int
depth_after(const struct row *row)
{
	struct stream_message message;
	struct stream_item item;
	int depth = 0;

	if (stream_message_open(&message, row->kind, row->part, row->key,
		row->value, NULL) != STREAM_OK)
		return 0;
	while (stream_message_next(&message, &item))
		if (item.kind == STREAM_ITEM_CLOSE)
			depth--;
		else if (item.kind == STREAM_ITEM_LIST ||
			 item.kind == STREAM_ITEM_STRUCT)
			depth++;
	return depth;
}

/* Any bytes at all: no crash, no endless walk. */
static void
noise_never_breaks_a_walk(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct vectors *vectors = vectors_open("message.txt");

		while (vectors_take(vectors, 7)) {
			struct row row = row_of(vectors);
			uint8_t *value = (uint8_t *)(uintptr_t)row.value.data;

			for (int i = 0; row.value.size > 0 && i < 3; i++)
				value[fx_random(&seed) % row.value.size] =
				    (uint8_t)fx_random(&seed);
			assert_int_equal(depth_after(&row), 0);
			drop(&row);
		}
		vectors_close(vectors, ROWS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		every_form_is_read_and_what_does_not_fit_is_refused),
	    cmocka_unit_test(a_message_that_is_cut_anywhere_is_refused),
	    cmocka_unit_test(noise_never_breaks_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
