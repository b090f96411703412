/*
 * columns.h - rows of text in columns that line up
 *
 * For listings that people read; programs read -J.  Widths are known only
 * when all rows are, so rows are kept until they are printed.
 */
#ifndef COLUMNS_H
#define COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/output.h"

struct columns {
	const char *align; /* borrowed; a letter a column: 'l' or 'r' */
	char **cells;      /* owned, as each of them; row after row */
	size_t count;
	size_t capacity;
	bool failed; /* memory ran out */
};

/* No rows yet; align (borrowed) has a letter for each column. */
void columns_init(struct columns *columns, const char *align);
void columns_release(struct columns *columns);

/* Add the next cell of the row; after the last column a new row begins. */
__attribute__((format(printf, 2, 3))) void columns_add(
    struct columns *columns, const char *format, ...);

/* Print all rows, each cell two blanks from the next, no blanks at the end.
 * false: memory ran out on the way, and nothing was printed. */
bool columns_print(const struct columns *columns, struct cli_out *out);

#endif
