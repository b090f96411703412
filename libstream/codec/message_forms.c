/*
 * message_forms.c - which fields each message has
 */
#include "codec/message.h"

enum { ANY = INT16_MAX };

#define FIELD(name, kind, from, to) \
	{ \
		(name), (kind), (from), (to), -1, NULL, NULL \
	}
#define PARTS(name, kind, from, fields) \
	{ \
		(name), (kind), (from), ANY, -1, (fields), NULL \
	}
#define TAGGED(name, kind, from, tag) \
	{ \
		(name), (kind), (from), ANY, (tag), NULL, NULL \
	}
#define END \
	{ \
		NULL, STREAM_FIELD_END, 0, 0, -1, NULL, NULL \
	}

/* The item of a list that is no struct has no name. */
static const struct stream_message_field int32_items[] = {
    FIELD(NULL, STREAM_FIELD_INT32, 0, ANY), END};
static const struct stream_message_field text_items[] = {
    FIELD(NULL, STREAM_FIELD_TEXT, 0, ANY), END};

/* ---- __consumer_offsets ------------------------------------------------- */

static const struct stream_message_field offset_commit_key[] = {
    FIELD("group", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("topic", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("partition", STREAM_FIELD_INT32, 0, ANY),
    END,
};

static const struct stream_message_field offset_commit_value[] = {
    FIELD("offset", STREAM_FIELD_INT64, 0, ANY),
    FIELD("leader_epoch", STREAM_FIELD_INT32, 3, ANY),
    FIELD("metadata", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("commit_timestamp", STREAM_FIELD_INT64, 0, ANY),
    FIELD("expire_timestamp", STREAM_FIELD_INT64, 1, 1),
    END,
};

static const struct stream_message_field group_key[] = {
    FIELD("group", STREAM_FIELD_TEXT, 0, ANY),
    END,
};

static const struct stream_message_field topic_partitions[] = {
    FIELD("topic", STREAM_FIELD_TEXT, 0, ANY),
    PARTS("partitions", STREAM_FIELD_LIST, 0, int32_items),
    END,
};

static const struct stream_message_field subscription[] = {
    PARTS("topics", STREAM_FIELD_LIST, 0, text_items),
    FIELD("user_data", STREAM_FIELD_BYTES, 0, ANY),
    PARTS("owned_partitions", STREAM_FIELD_LIST, 1, topic_partitions),
    FIELD("generation_id", STREAM_FIELD_INT32, 2, ANY),
    FIELD("rack_id", STREAM_FIELD_TEXT, 3, ANY),
    END,
};

static const struct stream_message_field assignment[] = {
    PARTS("assigned_partitions", STREAM_FIELD_LIST, 0, topic_partitions),
    FIELD("user_data", STREAM_FIELD_BYTES, 0, ANY),
    END,
};

static const struct stream_message_field member[] = {
    FIELD("member_id", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("group_instance_id", STREAM_FIELD_TEXT, 3, ANY),
    FIELD("client_id", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("client_host", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("rebalance_timeout", STREAM_FIELD_INT32, 1, ANY),
    FIELD("session_timeout", STREAM_FIELD_INT32, 0, ANY),
    PARTS("subscription", STREAM_FIELD_CONSUMER, 0, subscription),
    PARTS("assignment", STREAM_FIELD_CONSUMER, 0, assignment),
    END,
};

static const struct stream_message_field group_value[] = {
    FIELD("protocol_type", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("generation", STREAM_FIELD_INT32, 0, ANY),
    FIELD("protocol", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("leader", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("current_state_timestamp", STREAM_FIELD_INT64, 2, ANY),
    PARTS("members", STREAM_FIELD_LIST, 0, member),
    END,
};

/* ---- __transaction_state ------------------------------------------------ */

static const char *const states[] = {"empty", "ongoing", "prepare_commit",
    "prepare_abort", "complete_commit", "complete_abort", "dead",
    "prepare_epoch_fence", NULL};

static const struct stream_message_field transaction_key[] = {
    FIELD("transactional_id", STREAM_FIELD_TEXT, 0, ANY),
    END,
};

static const struct stream_message_field transaction_partitions[] = {
    FIELD("topic", STREAM_FIELD_TEXT, 0, ANY),
    PARTS("partition_ids", STREAM_FIELD_LIST, 0, int32_items),
    END,
};

static const struct stream_message_field transaction_value[] = {
    FIELD("producer_id", STREAM_FIELD_INT64, 0, ANY),
    TAGGED("previous_producer_id", STREAM_FIELD_INT64, 1, 0),
    TAGGED("next_producer_id", STREAM_FIELD_INT64, 1, 1),
    FIELD("producer_epoch", STREAM_FIELD_INT16, 0, ANY),
    FIELD("transaction_timeout_ms", STREAM_FIELD_INT32, 0, ANY),
    {"transaction_status", STREAM_FIELD_INT8, 0, ANY, -1, NULL, states},
    PARTS(
	"transaction_partitions", STREAM_FIELD_LIST, 0, transaction_partitions),
    FIELD("transaction_last_update_timestamp_ms", STREAM_FIELD_INT64, 0, ANY),
    FIELD("transaction_start_timestamp_ms", STREAM_FIELD_INT64, 0, ANY),
    TAGGED("client_transaction_version", STREAM_FIELD_INT16, 1, 2),
    END,
};

/* ---- control records ---------------------------------------------------- */

static const char *const control_types[] = {"ABORT", "COMMIT", "LEADER_CHANGE",
    "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS",
    NULL};

static const struct stream_message_field control_key[] = {
    {"control_type", STREAM_FIELD_INT16, 0, ANY, -1, NULL, control_types},
    END,
};

static const struct stream_message_field marker[] = {
    FIELD("coordinator_epoch", STREAM_FIELD_INT32, 0, ANY),
    END,
};

static const struct stream_message_field voter_id[] = {
    FIELD("voter_id", STREAM_FIELD_INT32, 0, ANY),
    FIELD("voter_directory_id", STREAM_FIELD_UUID, 1, ANY),
    END,
};

static const struct stream_message_field leader_change[] = {
    FIELD("leader_id", STREAM_FIELD_INT32, 0, ANY),
    PARTS("voters", STREAM_FIELD_LIST, 0, voter_id),
    PARTS("granting_voters", STREAM_FIELD_LIST, 0, voter_id),
    END,
};

static const struct stream_message_field snapshot_header[] = {
    FIELD("last_contained_log_timestamp", STREAM_FIELD_INT64, 0, ANY),
    END,
};

static const struct stream_message_field snapshot_footer[] = {END};

static const struct stream_message_field kraft_version[] = {
    FIELD("kraft_version", STREAM_FIELD_INT16, 0, ANY),
    END,
};

static const struct stream_message_field endpoint[] = {
    FIELD("name", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("host", STREAM_FIELD_TEXT, 0, ANY),
    FIELD("port", STREAM_FIELD_UINT16, 0, ANY),
    END,
};

static const struct stream_message_field version_range[] = {
    FIELD("min_supported_version", STREAM_FIELD_INT16, 0, ANY),
    FIELD("max_supported_version", STREAM_FIELD_INT16, 0, ANY),
    END,
};

static const struct stream_message_field voter[] = {
    FIELD("voter_id", STREAM_FIELD_INT32, 0, ANY),
    FIELD("voter_uuid", STREAM_FIELD_UUID, 0, ANY),
    PARTS("endpoints", STREAM_FIELD_LIST, 0, endpoint),
    PARTS("kraft_version_feature", STREAM_FIELD_STRUCT, 0, version_range),
    END,
};

static const struct stream_message_field kraft_voters[] = {
    PARTS("voters", STREAM_FIELD_LIST, 0, voter),
    END,
};

/* ---- which is which ----------------------------------------------------- */

/* The number is that of the key: its version, which is its type. */
static const struct stream_message_form group_keys[] = {
    {"offset_commit", offset_commit_key, 1, 2},
    {"offset_commit", offset_commit_key, 1, 2},
    {"group_metadata", group_key, 2, 3},
};

static const struct stream_message_form group_values[] = {
    {"offset_commit", offset_commit_value, 4, 4},
    {"offset_commit", offset_commit_value, 4, 4},
    {"group_metadata", group_value, 4, 4},
};

static const struct stream_message_form transaction_keys[] = {
    {"transaction", transaction_key, 0, 1},
};

static const struct stream_message_form transaction_values[] = {
    {"transaction", transaction_value, 1, 1},
};

static const struct stream_message_form control_keys[] = {
    {"control", control_key, ANY, ANY},
};

/* By the type that the control record's key names. */
static const struct stream_message_form control_values[] = {
    {"ABORT", marker, 0, 1},
    {"COMMIT", marker, 0, 1},
    {"LEADER_CHANGE", leader_change, 1, 0},
    {"SNAPSHOT_HEADER", snapshot_header, 0, 0},
    {"SNAPSHOT_FOOTER", snapshot_footer, 0, 0},
    {"KRAFT_VERSION", kraft_version, 0, 0},
    {"KRAFT_VOTERS", kraft_voters, 0, 0},
};

#define PICK(forms, number) \
	((number) >= 0 && (size_t)(number) < sizeof(forms) / sizeof(*(forms)) \
		? &(forms)[number] \
		: NULL)

const struct stream_message_form *
stream_message_key_form(enum stream_message_kind kind, int32_t number)
{
	switch (kind) {
	case STREAM_MESSAGE_GROUPS:
		return PICK(group_keys, number);
	case STREAM_MESSAGE_TRANSACTIONS:
		return PICK(transaction_keys, number);
	case STREAM_MESSAGE_CONTROL:
		return &control_keys[0];
	}
	return NULL;
}

const struct stream_message_form *
stream_message_value_form(enum stream_message_kind kind, int32_t number)
{
	switch (kind) {
	case STREAM_MESSAGE_GROUPS:
		return PICK(group_values, number);
	case STREAM_MESSAGE_TRANSACTIONS:
		return PICK(transaction_values, number);
	case STREAM_MESSAGE_CONTROL:
		return PICK(control_values, number);
	}
	return NULL;
}
