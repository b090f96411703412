#include "store/replica_role.h"

#include <stdlib.h>

#include <stream/role.h>

#include "base/fail.h"
#include "store/topic.h"

static int
has_topics(struct stream_store *store, bool *has, struct stream_error *err)
{
	struct stream_topic_list *list;
	int status = stream_topic_list_new(store, &list, err);

	if (status != STREAM_OK)
		return status;
	*has = stream_topic_list_count(list) > 0;
	stream_topic_list_free(list);
	return STREAM_OK;
}

int
stream_replica_find_role(struct stream_store *store,
    enum stream_manifest_role *found, struct stream_error *err)
{
	struct stream_role *role = malloc(sizeof(*role));
	bool has = true;
	int status = role == NULL ? stream_fail_memory(err)
				  : stream_role_load(store, role, err);

	if (status == STREAM_OK && !role->is_replica && !role->is_fenced)
		status = has_topics(store, &has, err);
	if (status == STREAM_OK)
		*found = role->is_promoting ? STREAM_IS_PROMOTING
			 : role->is_replica ? STREAM_IS_REPLICA
			 : role->is_fenced  ? STREAM_IS_FENCED
			 : has              ? STREAM_IS_LEADER
					    : STREAM_IS_NEW;
	free(role);
	return status;
}
