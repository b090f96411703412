#include "store/layout.h"

#include <string.h>
#include <unistd.h>

#include <stream/topic.h>

#include "base/fail.h"
#include "file/dir.h"

static const char extension[] = ".json";

void
stream_layout_document(const char *topic, char *name)
{
	strcpy(stpcpy(name, topic), extension);
}

bool
stream_layout_is_document(const char *name, char *topic)
{
	size_t size = strlen(name);
	size_t tail = sizeof(extension) - 1;
	char head[STREAM_TOPIC_NAME_SIZE];

	if (size <= tail || size - tail >= sizeof(head) ||
	    strcmp(name + size - tail, extension) != 0)
		return false;
	memcpy(head, name, size - tail);
	head[size - tail] = '\0';
	if (stream_topic_check_name(head, NULL) != STREAM_OK)
		return false;
	strcpy(topic, head);
	return true;
}

int
stream_layout_open(const struct stream_store *store, const char *part, int *fd,
    struct stream_error *err)
{
	int own;
	int status = stream_dir_open(store->dirfd, STREAM_OWN_DIR, &own, err);

	if (status != STREAM_OK)
		return status;
	status = stream_dir_open(own, part, fd, err);
	close(own);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s", STREAM_OWN_DIR);
}

int
stream_layout_make(const struct stream_store *store, const char *part, int *fd,
    struct stream_error *err)
{
	int own;
	int status =
	    stream_dir_open_or_make(store->dirfd, STREAM_OWN_DIR, &own, err);

	if (status != STREAM_OK)
		return status;
	status = stream_dir_open_or_make(own, part, fd, err);
	close(own);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s", STREAM_OWN_DIR);
}
