/*
 * gaps.c - a topic's settings say that offsets may be missing
 */
#include "store/change.h"
#include "store/topic.h"

/* Read again under the lock: another may have changed them. */
int
stream_topic_declare_gaps(
    struct stream_store *store, const char *topic, struct stream_error *err)
{
	struct stream_topic_settings settings;
	struct stream_change change;
	int status =
	    stream_change_begin(store, store->lock_timeout_ms, &change, err);

	if (status != STREAM_OK)
		return status;
	status =
	    stream_topic_settings_load(change.topics, topic, &settings, err);
	if (status == STREAM_OK && !settings.has_gaps) {
		settings.has_gaps = true;
		status =
		    stream_topic_settings_save(change.topics, &settings, err);
	}
	stream_change_end(&change);
	return status;
}
