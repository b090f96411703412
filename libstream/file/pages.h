/*
 * pages.h - a large table's memory, from the kernel
 *
 * Layer file/.
 */
#ifndef STREAM_FILE_PAGES_H
#define STREAM_FILE_PAGES_H

#include <stddef.h>

#include <stream/error.h>

/*
 * Zeroed memory for a table that is read and written here and there, in huge
 * pages where the kernel has them.  A page that nobody touches costs nothing.
 * Gives it, for stream_pages_free with the same size.  STREAM_ENOMEM.
 */
int stream_pages_new(size_t size, void **pages, struct stream_error *err);

void stream_pages_free(void *pages, size_t size);

#endif
