/*
 * archive_pass.h - walk over all of an archive, once, and check it
 *
 * Layer port/, linked into strm-archive only.  SPEC sections 14.3 to 14.5.
 * Lists what there is: files with their digests, logs with their blocks, as a
 * manifest would.  Batches are checked on the way.
 */
#ifndef STREAM_PORT_ARCHIVE_PASS_H
#define STREAM_PORT_ARCHIVE_PASS_H

#include "port/archive_list.h"
#include "port/archive_stream.h"

/* Told what goes by; all may be NULL. */
struct stream_pass_tee {
	/* A file of a store begins: do you want its bytes? */
	int (*begin)(void *context, const struct stream_archive_entry *entry,
	    bool *wanted, struct stream_error *err);
	int (*bytes)(void *context, const void *bytes, size_t n,
	    struct stream_error *err);
	int (*end)(void *context, struct stream_error *err);
	void *context;
};

struct stream_pass {
	struct stream_archive_list list; /* not sealed */
	bool is_ours; /* it begins as ours do, and ends with a manifest */
	struct stream_buf manifest;
	/* Of one that stream_pass_settle has compared: the first file that does
	 * not stand where the manifest says, or SIZE_MAX.  Who walks does not
	 * mind. */
	size_t misplaced;
};

/*
 * Read fd (borrowed) from where it is to its end.  *pass is filled; release it
 * in any case.  A log whose batches end early is listed with the reason.
 *
 * STREAM_ECORRUPT  as stream_archive_stream_next; an archive of ours that is
 *                  cut short; partitions in two directories
 * STREAM_EINTR, STREAM_EIO, STREAM_ENOMEM, and what tee fails with
 */
int stream_pass_run(int fd, const struct stream_archive_options *options,
    const struct stream_pass_tee *tee, struct stream_pass *pass,
    struct stream_error *err);
void stream_pass_release(struct stream_pass *pass);

#endif
