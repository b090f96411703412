#include "columns.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More columns than any listing has. */
enum { MOST = 16 };

void
columns_init(struct columns *columns, const char *align)
{
	assert(strlen(align) <= MOST);
	*columns = (struct columns){.align = align};
}

void
columns_release(struct columns *columns)
{
	for (size_t i = 0; i < columns->count; i++)
		free(columns->cells[i]);
	free(columns->cells);
	columns_init(columns, columns->align);
}

static bool
make_room(struct columns *columns)
{
	size_t capacity = columns->capacity * 2 + 64;
	char **cells;

	if (columns->count < columns->capacity)
		return true;
	cells = reallocarray(columns->cells, capacity, sizeof(*cells));
	if (cells == NULL)
		return false;
	columns->cells = cells;
	columns->capacity = capacity;
	return true;
}

void
columns_add(struct columns *columns, const char *format, ...)
{
	va_list args;
	char *cell;
	int size;

	va_start(args, format);
	size = vasprintf(&cell, format, args);
	va_end(args);
	if (size < 0) {
		columns->failed = true;
	} else if (!make_room(columns)) {
		columns->failed = true;
		free(cell);
	} else {
		columns->cells[columns->count++] = cell;
	}
}

static void
measure(const struct columns *columns, size_t width, size_t widths[MOST])
{
	memset(widths, 0, MOST * sizeof(*widths));
	for (size_t i = 0; i < columns->count; i++) {
		size_t size = strlen(columns->cells[i]);

		if (size > widths[i % width])
			widths[i % width] = size;
	}
}

bool
columns_print(const struct columns *columns, struct cli_out *out)
{
	size_t width = strlen(columns->align);
	size_t widths[MOST];

	if (columns->failed)
		return false;
	measure(columns, width, widths);
	for (size_t i = 0; i < columns->count; i++) {
		size_t column = i % width;
		const char *cell = columns->cells[i];
		int field = (int)widths[column];

		if (columns->align[column] == 'r')
			cli_out_format(out, "%*s", field, cell);
		else if (column + 1 < width)
			cli_out_format(out, "%-*s", field, cell);
		else
			cli_out_text(out, cell);
		cli_out_text(out, column + 1 < width ? "  " : "\n");
	}
	return true;
}
