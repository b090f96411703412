#include "base/fail.h"
#include "store/recover.h"
#include "store/topic.h"

static int
apply(struct stream_topic_config *config,
    const struct stream_setting_change *changes, size_t count,
    struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		const struct stream_setting_change *change = &changes[i];

		if (change->value != NULL)
			status = stream_topic_config_set(
			    config, change->name, change->value, err);
		else
			status = stream_topic_config_unset(
			    config, change->name, err);
	}
	return status == STREAM_OK ? stream_topic_config_check(config, err)
				   : status;
}

/* Read again under the lock, so that two changes at once keep both. */
static int
alter_in(const struct stream_change *begun, const char *name,
    const struct stream_setting_change *changes, size_t count,
    struct stream_error *err)
{
	struct stream_topic_settings settings;
	struct stream_topic *topic;
	int status = stream_topic_find(begun->store, name, NULL, &topic, err);

	if (status == STREAM_ENOENT)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: it was deleted meanwhile", name);
	if (status != STREAM_OK)
		return status;
	settings = topic->settings;
	stream_topic_free(topic);
	status = apply(&settings.config, changes, count, err);
	if (status != STREAM_OK)
		return status;
	return stream_topic_settings_save(begun->topics, &settings, err);
}

static int
check_ours(
    struct stream_store *store, const char *name, struct stream_error *err)
{
	struct stream_topic *topic;
	int status = stream_topic_open(store, name, &topic, err);

	if (status != STREAM_OK)
		return status;
	if (!stream_topic_is_ours(topic))
		status = stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: not made by strm, so it has no settings to change",
		    name);
	stream_topic_free(topic);
	return status;
}

int
stream_topic_alter(struct stream_store *store, const char *name,
    const struct stream_setting_change *changes, size_t count,
    struct stream_error *err)
{
	struct stream_change change;
	int status = check_ours(store, name, err);

	if (status == STREAM_OK)
		status = stream_change_begin(
		    store, store->lock_timeout_ms, &change, err);
	if (status != STREAM_OK)
		return status;
	status = alter_in(&change, name, changes, count, err);
	stream_change_end(&change);
	return status;
}
