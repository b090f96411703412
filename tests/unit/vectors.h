/*
 * vectors.h - the rows of format/vectors/NAME.txt
 *
 * A row is words with blanks between them; a line that begins with '#' says
 * something to people.  Tests check how many rows there were, so that a file
 * that lost some fails.
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stream/error.h>

enum { VECTOR_WORDS = 8, VECTOR_LINE = 16384 };

struct vectors {
	FILE *file;
	char line[VECTOR_LINE];
	char *words[VECTOR_WORDS]; /* id, verdict, ...; borrow from line */
	int rows;
};

static inline struct vectors *
vectors_open(const char *name)
{
	const char *root = getenv("STRM_SOURCE_DIR");
	struct vectors *vectors = calloc(1, sizeof(*vectors));
	char path[4096];

	snprintf(path, sizeof(path), "%s/format/vectors/%s",
	    root != NULL ? root : ".", name);
	vectors->file = fopen(path, "r");
	if (vectors->file == NULL)
		fail_msg("%s is not to be had", path);
	return vectors;
}

/* The next row, of exactly count words; false at the end. */
static inline bool
vectors_take(struct vectors *vectors, int count)
{
	int n = 0;

	do {
		if (fgets(vectors->line, VECTOR_LINE, vectors->file) == NULL)
			return false;
	} while (vectors->line[0] == '#');
	for (char *word = strtok(vectors->line, " \n"); word != NULL;
	     word = strtok(NULL, " \n"), n++)
		if (n < VECTOR_WORDS)
			vectors->words[n] = word;
	if (n != count)
		fail_msg("%s: %d words", vectors->line, n);
	vectors->rows++;
	return true;
}

static inline void
vectors_close(struct vectors *vectors, int rows)
{
	assert_int_equal(vectors->rows, rows);
	fclose(vectors->file);
	free(vectors);
}

static inline bool
vectors_is(const struct vectors *vectors, const char *verdict)
{
	return strcmp(vectors->words[1], verdict) == 0;
}

/* The status that a function gives for such a row. */
static inline int
vectors_status(const struct vectors *vectors)
{
	static const struct {
		const char *word;
		int status;
	} words[] = {{"good", STREAM_OK}, {"taken", STREAM_OK},
	    {"torn", STREAM_ETORN}, {"corrupt", STREAM_ECORRUPT},
	    {"newer", STREAM_ENEWER}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (vectors_is(vectors, words[i].word))
			return words[i].status;
	fail_msg("%s: %s?", vectors->words[0], vectors->words[1]);
	return 0;
}

/* The bytes of a word of hex digits, in exactly as much memory, so that a read
 * past them is seen by the sanitizer; "-" is none.  The caller frees. */
static inline uint8_t *
vectors_bytes(const char *word, size_t *size)
{
	size_t n = strcmp(word, "-") == 0 ? 0 : strlen(word) / 2;
	uint8_t *bytes = malloc(n > 0 ? n : 1);

	for (size_t i = 0; i < n; i++) {
		char digits[3] = {word[2 * i], word[2 * i + 1], '\0'};

		bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	*size = n;
	return bytes;
}

#endif
