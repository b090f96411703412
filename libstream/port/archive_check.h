/*
 * archive_check.h - is all of an archive as it should be?
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.
 */
#ifndef STREAM_PORT_ARCHIVE_CHECK_H
#define STREAM_PORT_ARCHIVE_CHECK_H

#include "port/archive_pass.h"

/*
 * Put the list of a pass, which is not sealed, in order.  What is ours must
 * agree with its manifest, whose list is taken then: it knows more.  Whether
 * logs are damaged, stream_list_check tells.  STREAM_ENOENT when there is no
 * partition.
 */
int stream_pass_settle(struct stream_pass *pass, struct stream_error *err);

/*
 * May topic have count partitions?  STREAM_ECORRUPT: more than any topic of a
 * store.
 */
int stream_archive_check_count(
    const char *topic, int64_t count, struct stream_error *err);

struct stream_archive_checked {
	bool is_foreign;
	size_t partitions;
	size_t segments;
	int64_t records;
	uint64_t bytes;  /* of logs */
	bool was_sought; /* its seek table was tried too */
};

/*
 * Read all of the archive that fd (borrowed) reads; a pipe will do.  Each file
 * of ours must stand where the index says.  Of a regular file the seek table is
 * checked against the index too, where there is one, and all but logs is read
 * by it.  What no restore would make topics of is refused.  Errors as
 * stream_archive_open.
 */
int stream_archive_check(int fd, const char *name,
    const struct stream_archive_options *options,
    struct stream_archive_checked *checked, struct stream_error *err);

#endif
