/*
 * program.h - the programs that belong to strm
 *
 * strm-archive lies beside strm; programs of others are on the PATH.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>

/* What strm-archive is called when it runs a command of strm on archives. */
#define IN_PLACE_NAME "strm-in-place"

/* Where the program name is: beside this one, or else name itself, for the
 * PATH.  To path of size bytes, which is enough for PATH_MAX. */
void program_find(const char *name, char *path, size_t size);

/* Become it.  Returns only when that fails; errno says why. */
void program_become(const char *name, char *argv[]);

#endif
