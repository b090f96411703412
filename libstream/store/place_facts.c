#include "store/place_facts.h"

#include "store/layout.h"
#include "store/topic.h"

static int
ask_gaps(int storefd, const char *topic, bool *gaps, struct stream_error *err)
{
	const struct stream_store store = {.dirfd = storefd};
	struct stream_topic_settings settings;
	int status = stream_topic_load_settings(&store, topic, &settings, err);

	if (status == STREAM_OK)
		*gaps = settings.has_gaps;
	return status;
}

struct stream_facts
stream_place_facts(const struct stream_place *place)
{
	if (place->segment != NULL)
		return (struct stream_facts){.topic = NULL};
	return (struct stream_facts){
	    .topic = place->topic,
	    .partition = place->partition,
	    .ask_gaps = place->is_ours ? ask_gaps : NULL,
	};
}
