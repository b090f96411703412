/*
 * digest.h - XXH128 of bytes that come piece by piece
 *
 * Written to files, unlike what hash.h gives: canonical, seed 0, as `xxh128sum`
 * prints it.
 */
#ifndef STREAM_BASE_DIGEST_H
#define STREAM_BASE_DIGEST_H

#include <stddef.h>

#include <stream/error.h>

/* 32 hexadecimal digits and a NUL. */
enum { STREAM_DIGEST_SIZE = 33 };

struct stream_digest;

/* Of nothing yet.  Gives *digest; free it with stream_digest_free.
 * STREAM_ENOMEM. */
int stream_digest_new(struct stream_digest **digest, struct stream_error *err);

/* NULL is allowed. */
void stream_digest_free(struct stream_digest *digest);

/* Forget all bytes. */
void stream_digest_reset(struct stream_digest *digest);

/* Add n borrowed bytes. */
void stream_digest_add(
    struct stream_digest *digest, const void *bytes, size_t n);

/* The digest so far, to text of STREAM_DIGEST_SIZE bytes. */
void stream_digest_put(const struct stream_digest *digest, char *text);

#endif
