/*
 * xxh128.h - XXH128 of bytes that come at once or piece by piece
 *
 * Written to files, unlike what hash.h gives: canonical, seed 0, as `xxh128sum`
 * prints it.
 */
#ifndef STREAM_BASE_XXH128_H
#define STREAM_BASE_XXH128_H

#include <stddef.h>

#include <stream/error.h>

/* 32 hexadecimal digits and a NUL. */
enum { STREAM_XXH128_SIZE = 33 };

struct stream_xxh128;

/* Of nothing yet.  Gives *digest; free it with stream_xxh128_free.
 * STREAM_ENOMEM. */
int stream_xxh128_new(struct stream_xxh128 **digest, struct stream_error *err);

/* NULL is allowed. */
void stream_xxh128_free(struct stream_xxh128 *digest);

/* Forget all bytes. */
void stream_xxh128_reset(struct stream_xxh128 *digest);

/* Add n borrowed bytes. */
void stream_xxh128_add(
    struct stream_xxh128 *digest, const void *bytes, size_t n);

/* The digest so far, to text of STREAM_XXH128_SIZE bytes. */
void stream_xxh128_put(const struct stream_xxh128 *digest, char *text);

/* The same of n borrowed bytes in one go. */
void stream_xxh128_of(const void *bytes, size_t n, char *text);

#endif
