#include <stdio.h>
#include <string.h>

#include <stream/topic.h>

#include "base/fail.h"
#include "store/store.h"

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* Which character breaks the rule, or the size. */
static size_t
good_prefix(const char *name)
{
	size_t n = 0;

	while (is_name_char(name[n]))
		n++;
	return n;
}

int
stream_topic_check_name(const char *name, struct stream_error *err)
{
	size_t good = good_prefix(name);

	if (name[0] == '\0')
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "a topic name cannot be empty");
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "a topic cannot be called \"%s\"", name);
	if (name[good] != '\0')
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "topic name \"%s\": only letters, digits, '.', '_' and "
		    "'-' are allowed",
		    name);
	if (good > STREAM_TOPIC_NAME_MAX)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "the topic name has %zu characters, more than %d", good,
		    STREAM_TOPIC_NAME_MAX);
	return STREAM_OK;
}

/* As we and Kafka write it: no sign, no leading zero. */
static bool
parse_partition(const char *text, int32_t *partition)
{
	int32_t sum = 0;

	if (*text == '\0' || (*text == '0' && text[1] != '\0'))
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, *text - '0', &sum))
			return false;
	}
	*partition = sum;
	return true;
}

/* The number stands after the last '-', since a topic's name may hold more
 * of them. */
bool
stream_partition_name_parse(const char *name, char *topic, int32_t *partition)
{
	const char *dash = strrchr(name, '-');
	char head[STREAM_TOPIC_NAME_SIZE];
	size_t size;

	if (dash == NULL)
		return false;
	size = (size_t)(dash - name);
	if (size >= sizeof(head))
		return false;
	memcpy(head, name, size);
	head[size] = '\0';
	if (stream_topic_check_name(head, NULL) != STREAM_OK ||
	    !parse_partition(dash + 1, partition))
		return false;
	memcpy(topic, head, size + 1);
	return true;
}

int
stream_partition_name_put(
    const char *topic, int32_t partition, char *name, struct stream_error *err)
{
	int size = snprintf(
	    name, STREAM_PARTITION_NAME_SIZE, "%s-%d", topic, partition);

	if (size < STREAM_PARTITION_NAME_SIZE)
		return STREAM_OK;
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "the name of the topic is too long for partition %d", partition);
}
