/* Kafka's own messages: every form, every version, and what does not fit. */
#include <stream/message.h>

#include "base/base64.h"
#include "fixture.h"

/* Hexadecimal, blanks ignored, to memory of just that size. */
static struct stream_bytes
bytes_of(const char *hex)
{
	struct stream_bytes bytes = {NULL, 0};
	uint8_t *data;

	if (hex == NULL)
		return bytes;
	data = malloc(strlen(hex) / 2 + 1);
	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		data[bytes.size++] =
		    (uint8_t)(stream_hex_digit((uint8_t)hex[0]) << 4 |
			      stream_hex_digit((uint8_t)hex[1]));
		hex++;
	}
	/* An exact block, so that a read past it is seen. */
	bytes.data =
	    memcpy(malloc(bytes.size > 0 ? bytes.size : 1), data, bytes.size);
	free(data);
	return bytes;
}

static void
drop(struct stream_bytes bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

/* All items as text: "name=1 name=text name=[ 1 2 ] name={ ... }". */
static void
put_item(const struct stream_item *item, char *text)
{
	char *end = text + strlen(text);

	if (item->kind == STREAM_ITEM_CLOSE) {
		strcpy(end, ". ");
		return;
	}
	end += sprintf(end, "%s%s", item->name != NULL ? item->name : "",
	    item->name != NULL ? "=" : "");
	switch (item->kind) {
	case STREAM_ITEM_NUMBER:
		end += sprintf(end, "%lld", (long long)item->number);
		if (item->word != NULL)
			end += sprintf(end, "(%s)", item->word);
		break;
	case STREAM_ITEM_TEXT:
		end += sprintf(end, "%.*s", (int)item->bytes.size,
		    (const char *)item->bytes.data);
		break;
	case STREAM_ITEM_BYTES:
	case STREAM_ITEM_UUID:
		end += sprintf(end, "%zu bytes", item->bytes.size);
		break;
	case STREAM_ITEM_NULL:
		end += sprintf(end, "null");
		break;
	case STREAM_ITEM_LIST:
		end += sprintf(end, "[");
		break;
	default:
		end += sprintf(end, "{");
	}
	strcpy(end, " ");
}

struct row {
	const char *name;
	enum stream_message_kind kind;
	enum stream_message_part part;
	const char *key;
	const char *value; /* NULL: null */
	int status;
	const char *type; /* NULL: not known */
	const char *items;
};

#define GROUPS STREAM_MESSAGE_GROUPS
#define TXNS STREAM_MESSAGE_TRANSACTIONS
#define CONTROL STREAM_MESSAGE_CONTROL
#define KEY STREAM_MESSAGE_KEY
#define VALUE STREAM_MESSAGE_VALUE

/* Group g, topic t, partition 7; group g; transactional id x. */
#define COMMIT_KEY "0001 0001 67 0001 74 00000007"
#define GROUP_KEY "0002 0001 67"
#define TXN_KEY "0000 0001 78"

/* A member "m" of client "c" on host "h" in versions 0 to 3. */
#define MEMBER_END "0001 63 0001 68"
#define SUBSCRIPTION_0 "0000000d 0000 00000001 0001 74 ffffffff"
#define ASSIGNMENT_0 \
	"00000019 0000 00000001 0001 74 00000002 00000000 00000005 ffffffff"

static const struct row rows[] = {
    {"a commit's key", GROUPS, KEY, COMMIT_KEY, NULL, STREAM_OK,
	"offset_commit", "group=g topic=t partition=7 "},
    {"a commit's key of version 0", GROUPS, KEY,
	"0000 0001 67 0001 74 00000007", NULL, STREAM_OK, "offset_commit",
	"group=g topic=t partition=7 "},
    {"a group's key", GROUPS, KEY, GROUP_KEY, NULL, STREAM_OK, "group_metadata",
	"group=g "},
    {"a key of another type", GROUPS, KEY, "0003 0001 67", NULL, STREAM_ENEWER,
	NULL, ""},
    {"a negative type", GROUPS, KEY, "ffff 0001 67", NULL, STREAM_ENEWER, NULL,
	""},
    {"a null key", GROUPS, KEY, NULL, NULL, STREAM_END, NULL, ""},
    {"a key without a type", GROUPS, KEY, "00", NULL, STREAM_ECORRUPT, NULL,
	""},
    {"a key that is cut short", GROUPS, KEY, "0001 0001 67 0001", NULL,
	STREAM_ECORRUPT, "offset_commit", ""},
    {"a key with a byte too many", GROUPS, KEY, GROUP_KEY "00", NULL,
	STREAM_ECORRUPT, "group_metadata", ""},
    {"a key with a lying length", GROUPS, KEY, "0002 7fff 67", NULL,
	STREAM_ECORRUPT, "group_metadata", ""},
    {"a null group", GROUPS, KEY, "0002 ffff", NULL, STREAM_OK,
	"group_metadata", "group=null "},
    {"a length below null", GROUPS, KEY, "0002 fffe", NULL, STREAM_ECORRUPT,
	"group_metadata", ""},

    {"a commit, version 0", GROUPS, VALUE, COMMIT_KEY,
	"0000 000000000000002a 0001 6d 0000000000000009", STREAM_OK,
	"offset_commit", "offset=42 metadata=m commit_timestamp=9 "},
    {"a commit, version 1", GROUPS, VALUE, COMMIT_KEY,
	"0001 000000000000002a 0000 0000000000000009 000000000000000a",
	STREAM_OK, "offset_commit",
	"offset=42 metadata= commit_timestamp=9 expire_timestamp=10 "},
    {"a commit, version 2", GROUPS, VALUE, COMMIT_KEY,
	"0002 000000000000002a 0000 0000000000000009", STREAM_OK,
	"offset_commit", "offset=42 metadata= commit_timestamp=9 "},
    {"a commit, version 3", GROUPS, VALUE, COMMIT_KEY,
	"0003 000000000000002a 00000005 0001 6d 0000000000000009", STREAM_OK,
	"offset_commit",
	"offset=42 leader_epoch=5 metadata=m commit_timestamp=9 "},
    {"a commit, version 4, is flexible", GROUPS, VALUE, COMMIT_KEY,
	"0004 000000000000002a ffffffff 02 6d 0000000000000009 00", STREAM_OK,
	"offset_commit",
	"offset=42 leader_epoch=-1 metadata=m commit_timestamp=9 "},
    {"an unknown tagged field is passed over", GROUPS, VALUE, COMMIT_KEY,
	"0004 000000000000002a ffffffff 02 6d 0000000000000009 01 07 02 aabb",
	STREAM_OK, "offset_commit",
	"offset=42 leader_epoch=-1 metadata=m commit_timestamp=9 "},
    {"a tagged field that is cut short", GROUPS, VALUE, COMMIT_KEY,
	"0004 000000000000002a ffffffff 02 6d 0000000000000009 01 07 03 aabb",
	STREAM_ECORRUPT, "offset_commit", ""},
    {"more tags than there are bytes", GROUPS, VALUE, COMMIT_KEY,
	"0004 000000000000002a ffffffff 02 6d 0000000000000009 ffffffff0f",
	STREAM_ECORRUPT, "offset_commit", ""},
    {"a varint that does not end", GROUPS, VALUE, COMMIT_KEY,
	"0004 000000000000002a ffffffff ffffffffffff", STREAM_ECORRUPT,
	"offset_commit", ""},
    {"a commit of version 5", GROUPS, VALUE, COMMIT_KEY, "0005 00",
	STREAM_ENEWER, "offset_commit", ""},
    {"a removed commit", GROUPS, VALUE, COMMIT_KEY, NULL, STREAM_END,
	"offset_commit", ""},
    {"an empty commit", GROUPS, VALUE, COMMIT_KEY, "", STREAM_ECORRUPT,
	"offset_commit", ""},
    {"a value of an unknown key", GROUPS, VALUE, "0009", "0000", STREAM_ENEWER,
	NULL, ""},

    {"a group without members, version 0", GROUPS, VALUE, GROUP_KEY,
	"0000 0008 636f6e73756d6572 00000003 ffff ffff 00000000", STREAM_OK,
	"group_metadata",
	"protocol_type=consumer generation=3 protocol=null leader=null "
	"members=[ . "},
    {"a group of consumers, version 0", GROUPS, VALUE, GROUP_KEY,
	"0000 0008 636f6e73756d6572 00000003 0001 72 0001 6d 00000001"
	"0001 6d" MEMBER_END "00002710" SUBSCRIPTION_0 ASSIGNMENT_0,
	STREAM_OK, "group_metadata",
	"protocol_type=consumer generation=3 protocol=r leader=m "
	"members=[ { member_id=m client_id=c client_host=h "
	"session_timeout=10000 subscription={ topics=[ t . user_data=null . "
	"assignment={ assigned_partitions=[ { topic=t partitions=[ 0 5 . . . "
	"user_data=null . . . "},
    {"a group, version 1, has the rebalance timeout", GROUPS, VALUE, GROUP_KEY,
	"0001 0008 636f6e73756d6572 00000003 0001 72 0001 6d 00000001"
	"0001 6d" MEMBER_END "0000ea60 00002710 00000000 00000000",
	STREAM_OK, "group_metadata",
	"protocol_type=consumer generation=3 protocol=r leader=m "
	"members=[ { member_id=m client_id=c client_host=h "
	"rebalance_timeout=60000 session_timeout=10000 subscription=0 bytes "
	"assignment=0 bytes . . "},
    {"a group, version 2, has the time of its state", GROUPS, VALUE, GROUP_KEY,
	"0002 0000 00000003 ffff ffff 0000000000000009 00000000", STREAM_OK,
	"group_metadata",
	"protocol_type= generation=3 protocol=null leader=null "
	"current_state_timestamp=9 members=[ . "},
    {"a group, version 3, has static members", GROUPS, VALUE, GROUP_KEY,
	"0003 0007 636f6e6e656374 00000003 ffff ffff ffffffffffffffff"
	"00000001 0001 6d 0001 69" MEMBER_END "0000ea60 00002710" SUBSCRIPTION_0
	"00000000",
	STREAM_OK, "group_metadata",
	"protocol_type=connect generation=3 protocol=null leader=null "
	"current_state_timestamp=-1 members=[ { member_id=m "
	"group_instance_id=i client_id=c client_host=h "
	"rebalance_timeout=60000 session_timeout=10000 "
	"subscription=13 bytes assignment=0 bytes . . "},
    {"a group, version 4, is flexible", GROUPS, VALUE, GROUP_KEY,
	"0004 09 636f6e73756d6572 00000003 00 00 0000000000000009 02"
	"02 6d 00 02 63 02 68 0000ea60 00002710"
	"0e 0000 00000001 0001 74 ffffffff 01 00 00",
	STREAM_OK, "group_metadata",
	"protocol_type=consumer generation=3 protocol=null leader=null "
	"current_state_timestamp=9 members=[ { member_id=m "
	"group_instance_id=null client_id=c client_host=h "
	"rebalance_timeout=60000 session_timeout=10000 "
	"subscription={ topics=[ t . user_data=null . assignment=0 bytes . . "},
    {"what newer consumers add is passed over", GROUPS, VALUE, GROUP_KEY,
	"0000 0008 636f6e73756d6572 00000003 ffff ffff 00000001"
	"0001 6d" MEMBER_END "00002710"
	"00000016 0009 00000000 ffffffff 00000000 00000005 ffff aabb"
	"00000000",
	STREAM_OK, "group_metadata",
	"protocol_type=consumer generation=3 protocol=null leader=null "
	"members=[ { member_id=m client_id=c client_host=h "
	"session_timeout=10000 subscription={ topics=[ . user_data=null "
	"owned_partitions=[ . generation_id=5 rack_id=null . "
	"assignment=0 bytes . . "},
    {"a subscription that does not fit stays bytes", GROUPS, VALUE, GROUP_KEY,
	"0000 0008 636f6e73756d6572 00000003 ffff ffff 00000001"
	"0001 6d" MEMBER_END "00002710 00000004 0000 7fff 00000000",
	STREAM_OK, "group_metadata",
	"protocol_type=consumer generation=3 protocol=null leader=null "
	"members=[ { member_id=m client_id=c client_host=h "
	"session_timeout=10000 subscription=4 bytes assignment=0 bytes . . "},
    {"more members than there are bytes", GROUPS, VALUE, GROUP_KEY,
	"0000 0000 00000003 ffff ffff 7fffffff", STREAM_ECORRUPT,
	"group_metadata", ""},
    {"a list below null", GROUPS, VALUE, GROUP_KEY,
	"0000 0000 00000003 ffff ffff fffffffe", STREAM_ECORRUPT,
	"group_metadata", ""},

    {"a transaction's key", TXNS, KEY, TXN_KEY, NULL, STREAM_OK, "transaction",
	"transactional_id=x "},
    {"a transaction's key of version 1", TXNS, KEY, "0001 0001 78", NULL,
	STREAM_ENEWER, NULL, ""},
    {"a transaction, version 0", TXNS, VALUE, TXN_KEY,
	"0000 00000000000003e8 0002 0000ea60 01 00000001 0001 74 00000002"
	"00000000 00000003 0000000000000009 0000000000000008",
	STREAM_OK, "transaction",
	"producer_id=1000 producer_epoch=2 transaction_timeout_ms=60000 "
	"transaction_status=1(ongoing) transaction_partitions=[ { topic=t "
	"partition_ids=[ 0 3 . . . transaction_last_update_timestamp_ms=9 "
	"transaction_start_timestamp_ms=8 "},
    {"a transaction without partitions", TXNS, VALUE, TXN_KEY,
	"0000 00000000000003e8 0002 0000ea60 00 ffffffff 0000000000000009"
	"ffffffffffffffff",
	STREAM_OK, "transaction",
	"producer_id=1000 producer_epoch=2 transaction_timeout_ms=60000 "
	"transaction_status=0(empty) transaction_partitions=null "
	"transaction_last_update_timestamp_ms=9 "
	"transaction_start_timestamp_ms=-1 "},
    {"a transaction, version 1, with its tagged fields", TXNS, VALUE, TXN_KEY,
	"0001 00000000000003e8 0002 0000ea60 04 02 02 74 02 00000003 00"
	"0000000000000009 0000000000000008"
	"03 00 08 00000000000003e7 01 08 ffffffffffffffff 02 02 0002",
	STREAM_OK, "transaction",
	"producer_id=1000 producer_epoch=2 transaction_timeout_ms=60000 "
	"transaction_status=4(complete_commit) transaction_partitions=[ { "
	"topic=t partition_ids=[ 3 . . . "
	"transaction_last_update_timestamp_ms=9 "
	"transaction_start_timestamp_ms=8 previous_producer_id=999 "
	"next_producer_id=-1 client_transaction_version=2 "},
    {"a tagged field of another size", TXNS, VALUE, TXN_KEY,
	"0001 00000000000003e8 0002 0000ea60 04 00 0000000000000009"
	"0000000000000008 01 00 09 00000000000003e7 00",
	STREAM_ECORRUPT, "transaction", ""},
    {"a state that has no name", TXNS, VALUE, TXN_KEY,
	"0000 00000000000003e8 0002 0000ea60 63 ffffffff 0000000000000009"
	"ffffffffffffffff",
	STREAM_OK, "transaction",
	"producer_id=1000 producer_epoch=2 transaction_timeout_ms=60000 "
	"transaction_status=99 transaction_partitions=null "
	"transaction_last_update_timestamp_ms=9 "
	"transaction_start_timestamp_ms=-1 "},

    {"ABORT", CONTROL, KEY, "0000 0000", NULL, STREAM_OK, "control",
	"control_type=0(ABORT) "},
    {"COMMIT", CONTROL, KEY, "0000 0001", NULL, STREAM_OK, "control",
	"control_type=1(COMMIT) "},
    {"a control type without a name", CONTROL, KEY, "0000 0009", NULL,
	STREAM_OK, "control", "control_type=9 "},
    {"a control key that is cut short", CONTROL, KEY, "0000 00", NULL,
	STREAM_ECORRUPT, NULL, ""},
    {"a marker", CONTROL, VALUE, "0000 0001", "0000 00000003", STREAM_OK,
	"COMMIT", "coordinator_epoch=3 "},
    {"a marker of version 1", CONTROL, VALUE, "0000 0001", "0001 00000003",
	STREAM_ENEWER, "COMMIT", ""},
    {"a leader change, version 0", CONTROL, VALUE, "0000 0002",
	"0000 00000001 03 00000001 00 00000002 00 02 00000001 00 00", STREAM_OK,
	"LEADER_CHANGE",
	"leader_id=1 voters=[ { voter_id=1 . { voter_id=2 . . "
	"granting_voters=[ { voter_id=1 . . "},
    {"a leader change, version 1, has directories", CONTROL, VALUE, "0000 0002",
	"0001 00000001 02 00000001 000102030405060708090a0b0c0d0e0f 00 01 00",
	STREAM_OK, "LEADER_CHANGE",
	"leader_id=1 voters=[ { voter_id=1 voter_directory_id=16 bytes . . "
	"granting_voters=[ . "},
    {"a snapshot's header", CONTROL, VALUE, "0000 0003",
	"0000 0000000000000009 00", STREAM_OK, "SNAPSHOT_HEADER",
	"last_contained_log_timestamp=9 "},
    {"a snapshot's footer", CONTROL, VALUE, "0000 0004", "0000 00", STREAM_OK,
	"SNAPSHOT_FOOTER", ""},
    {"the version of KRaft", CONTROL, VALUE, "0000 0005", "0000 0001 00",
	STREAM_OK, "KRAFT_VERSION", "kraft_version=1 "},
    {"the voters of KRaft", CONTROL, VALUE, "0000 0006",
	"0000 02 00000001 000102030405060708090a0b0c0d0e0f"
	"02 02 6e 02 68 ffff 00 0000 0001 00 00 00",
	STREAM_OK, "KRAFT_VOTERS",
	"voters=[ { voter_id=1 voter_uuid=16 bytes endpoints=[ { name=n "
	"host=h port=65535 . . kraft_version_feature={ "
	"min_supported_version=0 max_supported_version=1 . . . "},
    {"a control value of an unknown type", CONTROL, VALUE, "0000 0009", "0000",
	STREAM_ENEWER, NULL, ""},
};

static void
every_form_is_read_and_what_does_not_fit_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct stream_bytes key = bytes_of(row->key);
		struct stream_bytes value = bytes_of(row->value);
		struct stream_message message;
		struct stream_item item;
		struct stream_error err = {0};
		char text[1024] = "";
		int status = stream_message_open(
		    &message, row->kind, row->part, key, value, &err);

		while (
		    status == STREAM_OK && stream_message_next(&message, &item))
			put_item(&item, text);
		if (status != row->status || strcmp(text, row->items) != 0 ||
		    (message.type == NULL) != (row->type == NULL) ||
		    (row->type != NULL && strcmp(message.type, row->type) != 0))
			fail_msg("%s: status %d (%s), type %s, items %s",
			    row->name, status, err.text,
			    message.type == NULL ? "-" : message.type, text);
		drop(key);
		drop(value);
	}
}

/* Every prefix of a sound message is refused, and nothing past it is read. */
static void
a_message_that_is_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_bytes key = bytes_of(rows[i].key);
		struct stream_bytes value = bytes_of(rows[i].value);
		struct stream_message message;

		for (size_t n = 0; rows[i].status == STREAM_OK &&
				   rows[i].part == VALUE && n < value.size;
		     n++) {
			uint8_t *cut =
			    memcpy(malloc(n > 0 ? n : 1), value.data, n);
			int status = stream_message_open(&message, rows[i].kind,
			    VALUE, key, (struct stream_bytes){cut, n}, NULL);

			if (status != STREAM_ECORRUPT)
				fail_msg("%s, %zu bytes: status %d",
				    rows[i].name, n, status);
			free(cut);
		}
		drop(key);
		drop(value);
	}
}

/* Any bytes at all: no crash, no endless walk, and lists that close. */
static void
noise_never_breaks_a_walk(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		const struct row *row = &rows[fx_random(&seed) % COUNT(rows)];
		struct stream_bytes key = bytes_of(row->key);
		struct stream_bytes value = bytes_of(row->value);
		struct stream_message message;
		struct stream_item item;
		int depth = 0;

		for (int flips = 0; value.size > 0 && flips < 3; flips++)
			((uint8_t *)(uintptr_t)
				value.data)[fx_random(&seed) % value.size] =
			    (uint8_t)fx_random(&seed);
		if (stream_message_open(&message, row->kind, row->part, key,
			value, NULL) == STREAM_OK)
			while (stream_message_next(&message, &item))
				depth += item.kind == STREAM_ITEM_CLOSE ? -1
					 : item.kind == STREAM_ITEM_LIST ||
						 item.kind == STREAM_ITEM_STRUCT
					     ? 1
					     : 0;
		assert_int_equal(depth, 0);
		drop(key);
		drop(value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		every_form_is_read_and_what_does_not_fit_is_refused),
	    cmocka_unit_test(a_message_that_is_cut_anywhere_is_refused),
	    cmocka_unit_test(noise_never_breaks_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
