/*
 * role_file.h - the files that make a store a replica, or fence it
 *
 * Layer store/.  SPEC sections 8.6 and 8.7.  Changed under the structure lock,
 * read without one.
 */
#ifndef STREAM_STORE_ROLE_FILE_H
#define STREAM_STORE_ROLE_FILE_H

#include <stream/record.h>
#include <stream/role.h>

#define STREAM_REPLICA_FILE "replica.json"
#define STREAM_FENCED_FILE "fenced.json"

/* Read such a file's text (borrowed): what it says of the store's role.
 * STREAM_ECORRUPT, STREAM_ENEWER, STREAM_ENOMEM. */
int stream_replica_parse(struct stream_bytes text, struct stream_role *role,
    struct stream_error *err);
int stream_fenced_parse(struct stream_bytes text, struct stream_role *role,
    struct stream_error *err);

/* Read both from the directory .strm; what is not there is false. */
int stream_role_files_load(
    int own, struct stream_role *role, struct stream_error *err);

/* Write one durably: of, since and is_promoting; reason and since.  STREAM_EIO,
 * STREAM_ENOMEM. */
int stream_replica_save(
    int own, const struct stream_role *role, struct stream_error *err);
int stream_fenced_save(
    int own, const struct stream_role *role, struct stream_error *err);

#endif
