#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "store/layout.h"
#include "store/recover.h"

/* The intents that there are; no directory means none. */
static int
list_intents(const struct stream_store *store, struct stream_buf *names,
    struct stream_error *err)
{
	int fd;
	int status = stream_layout_open(store, STREAM_INTENTS_DIR, &fd, err);

	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	status = stream_dir_list(fd, names, err);
	close(fd);
	return status;
}

static void
recover_listed(struct stream_store *store, const struct stream_buf *names)
{
	struct stream_change change;
	char topic[STREAM_TOPIC_NAME_SIZE];

	if (stream_change_begin(store, 0, &change, NULL) != STREAM_OK)
		return;
	for (const char *name = stream_dir_next(names, NULL); name != NULL;
	     name = stream_dir_next(names, name))
		if (stream_layout_is_document(name, topic))
			stream_recover_in(&change, topic, NULL);
	stream_change_sweep(&change);
	stream_change_end(&change);
}

void
stream_recover_idle(struct stream_store *store)
{
	struct stream_buf names;

	stream_buf_init(&names);
	if (list_intents(store, &names, NULL) == STREAM_OK && names.size > 0)
		recover_listed(store, &names);
	stream_buf_release(&names);
}

/* The first failure is the one that is told; the others are tried all the
 * same. */
static int
recover_each(struct stream_store *store, const struct stream_buf *names,
    struct stream_error *err)
{
	char topic[STREAM_TOPIC_NAME_SIZE];
	int first = STREAM_OK;

	for (const char *name = stream_dir_next(names, NULL); name != NULL;
	     name = stream_dir_next(names, name)) {
		int status;

		if (!stream_layout_is_document(name, topic))
			continue;
		status = stream_recover_topic(
		    store, topic, first == STREAM_OK ? err : NULL);
		if (first == STREAM_OK)
			first = status;
	}
	return first;
}

int
stream_store_recover(struct stream_store *store, struct stream_error *err)
{
	struct stream_change change;
	struct stream_buf names;
	int status;

	stream_buf_init(&names);
	status = list_intents(store, &names, err);
	if (status == STREAM_OK)
		status = recover_each(store, &names, err);
	stream_buf_release(&names);
	if (status != STREAM_OK)
		return status;
	status =
	    stream_change_begin(store, store->lock_timeout_ms, &change, err);
	if (status != STREAM_OK)
		return status;
	stream_change_sweep(&change);
	stream_change_end(&change);
	return STREAM_OK;
}
