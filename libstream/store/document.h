/*
 * document.h - what the JSON files of a store have in common
 *
 * Layer store/.  SPEC section 8.  Each is one object with a "version" and no
 * name that is not known, and is replaced as a whole.
 */
#ifndef STREAM_STORE_DOCUMENT_H
#define STREAM_STORE_DOCUMENT_H

#include <jansson.h>

#include <stream/record.h>

enum { STREAM_DOCUMENT_VERSION = 1 };

/* STREAM_ECORRUPT, with what as its text. */
int stream_document_malformed(const char *what, struct stream_error *err);

/*
 * Parse text (borrowed): *root is given, to be freed with json_decref.
 * STREAM_ECORRUPT, STREAM_ENEWER (another version), STREAM_ENOMEM.
 */
int stream_document_parse(
    struct stream_bytes text, json_t **root, struct stream_error *err);

/* Every name must be one of names, which NULL ends: a newer version may give a
 * new one a meaning that we must not pass over.  STREAM_ENEWER. */
int stream_document_check_names(
    json_t *root, const char *const *names, struct stream_error *err);

/* Copy a text that with its NUL fits size bytes.  STREAM_ECORRUPT. */
int stream_document_take_text(const json_t *root, const char *name, char *to,
    size_t size, struct stream_error *err);

/*
 * Write root to the file name, durably.  Frees root; NULL stands for memory
 * that ran out while it was made, so callers need not look at each step.
 * flags are of jansson.  STREAM_EIO, STREAM_ENOMEM.
 */
int stream_document_save(int dirfd, const char *name, json_t *root,
    size_t flags, struct stream_error *err);

#endif
