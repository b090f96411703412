/*
 * random.h - bytes that nobody can guess, for names and ids
 *
 * Layer file/.
 */
#ifndef STREAM_FILE_RANDOM_H
#define STREAM_FILE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

/* Fill to with size random bytes, 256 at most.  STREAM_EIO. */
int stream_random(uint8_t *to, size_t size, struct stream_error *err);

#endif
