#include "store/metadata_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file/io.h"
#include "store/store.h"
#include "store/topic.h"

/* The id that the topic's settings say.  false: there are none. */
static bool
settings_id(const struct stream_place *place, char *id)
{
	struct stream_topic_settings settings;
	struct stream_store *store;
	int status = stream_store_open(place->store_path, 0, 0, &store, NULL);

	if (status != STREAM_OK)
		return false;
	status =
	    stream_topic_load_settings(store, place->topic, &settings, NULL);
	stream_store_close(store);
	if (status == STREAM_OK)
		memcpy(id, settings.id, sizeof(settings.id));
	return status == STREAM_OK;
}

/* The id that another partition of the topic says, for a foreign topic. */
static bool
sibling_id(const struct stream_place *place, char *id)
{
	char *path;
	int status, fd;

	if (asprintf(&path, "%s/%s-%d", place->store_path, place->topic,
		place->partition == 0 ? 1 : 0) < 0)
		return false;
	status = stream_io_open_dir(AT_FDCWD, path, &fd, NULL);
	free(path);
	if (status != STREAM_OK)
		return false;
	status = stream_metadata_load(fd, id, NULL);
	close(fd);
	return status == STREAM_OK;
}

/* Brokers before 2.8 made no such file. */
int
stream_metadata_check(const struct stream_place *place, int dirfd,
    const char **fault, struct stream_error *err)
{
	char id[STREAM_TOPIC_ID_SIZE], other[STREAM_TOPIC_ID_SIZE];
	struct stream_error why;
	int status = stream_metadata_load(dirfd, id, &why);

	*fault = NULL;
	if (status == STREAM_EIO || status == STREAM_ENOMEM) {
		if (err != NULL)
			*err = why;
		return status;
	}
	if (status == STREAM_ENOENT && place->is_ours)
		*fault = "the file is missing";
	else if (status == STREAM_ECORRUPT)
		*fault = "not of the form that Kafka writes";
	if (status != STREAM_OK)
		return STREAM_OK;
	if (place->is_ours && settings_id(place, other) &&
	    strcmp(id, other) != 0)
		*fault = "the topic id is not that of the topic's settings";
	else if (!place->is_ours && sibling_id(place, other) &&
		 strcmp(id, other) != 0)
		*fault = "the topic id is not that of the topic's other "
			 "partitions";
	return STREAM_OK;
}
