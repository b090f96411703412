/*
 * verify.c - from a place to what is wrong with it
 *
 * The log layer checks the files; the topic's id, and what else lies in the
 * store, is known here.
 */
#include <stream/verify.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/verify.h"
#include "log/view.h"
#include "store/metadata_check.h"
#include "store/place_facts.h"
#include "store/store.h"
#include "store/topic.h"
#include "store/verify_ends.h"

static void
tell(const struct stream_verify_options *options,
    struct stream_verify_summary *sum, const char *text)
{
	static const struct stream_verify_options none;
	struct stream_verify_finding finding = {
	    .severity = STREAM_SEVERITY_DAMAGE,
	    .kind = STREAM_FINDING_METADATA,
	    .file = STREAM_METADATA_FILE,
	    .position = STREAM_POS_NONE,
	    .first_offset = -1,
	    .last_offset = -1,
	    .message = text,
	    .meaning = stream_verify_kind_meaning(STREAM_FINDING_METADATA),
	};

	stream_verify_give(options != NULL ? options : &none, sum, &finding);
}

static int
check_metadata(const struct stream_place *place, int dirfd,
    const struct stream_verify_options *options,
    struct stream_verify_summary *sum, struct stream_error *err)
{
	const char *fault;
	int status = stream_metadata_check(place, dirfd, &fault, err);

	if (status == STREAM_OK && fault != NULL)
		tell(options, sum, fault);
	return status;
}

/* The partition as a whole, not one file of it. */
static int
check_partition(const struct stream_place *place,
    const struct stream_verify_source *source,
    const struct stream_verify_options *options,
    struct stream_verify_summary *sum, struct stream_error *err)
{
	struct stream_verify_ends ends;
	int status = stream_verify_ends_load(place, source->dirfd, &ends, err);

	if (status == STREAM_OK)
		status = stream_verify_source_check(source, options, sum, err);
	if (status == STREAM_OK)
		status = stream_verify_ends_check(
		    place, source->dirfd, &ends, options, sum, err);
	if (status == STREAM_OK)
		status =
		    check_metadata(place, source->dirfd, options, sum, err);
	return status;
}

int
stream_verify(const struct stream_place *place,
    const struct stream_verify_options *options,
    struct stream_verify_summary *summary, struct stream_error *err)
{
	struct stream_verify_summary sum = {0};
	struct stream_verify_source source = {
	    .only = place->segment,
	    .log_start_offset = place->log_start_offset,
	    .is_ours = place->is_ours,
	    .dense = place->is_ours && !place->has_gaps,
	    .facts = stream_place_facts(place),
	};
	int status =
	    stream_io_open_dir(AT_FDCWD, place->path, &source.dirfd, err);

	if (status != STREAM_OK)
		return status;
	status = place->segment == NULL
		     ? check_partition(place, &source, options, &sum, err)
		     : stream_verify_source_check(&source, options, &sum, err);
	close(source.dirfd);
	if (status != STREAM_OK)
		stream_fail_in(err, status, "%s", place->path);
	if (status == STREAM_OK)
		*summary = sum;
	return status;
}

static uint64_t
size_of(int dirfd, const struct stream_view *view, size_t i)
{
	uint64_t size = 0;
	int fd;

	if (stream_view_open(view, i, dirfd, &fd, NULL) != STREAM_OK)
		return 0;
	stream_io_size(fd, &size, NULL);
	close(fd);
	return size;
}

uint64_t
stream_verify_size(const struct stream_place *place)
{
	struct stream_view view = {0};
	uint64_t bytes = 0;
	int dirfd, fd;

	if (stream_io_open_dir(AT_FDCWD, place->path, &dirfd, NULL) !=
	    STREAM_OK)
		return 0;
	if (place->segment != NULL) {
		if (stream_io_open(dirfd, place->segment, O_RDONLY, &fd,
			NULL) == STREAM_OK) {
			stream_io_size(fd, &bytes, NULL);
			close(fd);
		}
	} else if (stream_view_load(dirfd, &view, NULL) == STREAM_OK) {
		for (size_t i = 0; i < view.count; i++)
			bytes += size_of(dirfd, &view, i);
		stream_view_release(&view);
	}
	close(dirfd);
	return bytes;
}
