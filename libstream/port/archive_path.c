#include "port/archive_path.h"

#include <string.h>

#include "file/checkpoint.h"
#include "port/archive_manifest.h"
#include "store/layout.h"
#include "store/metadata.h"
#include "store/store.h"

/* Each component must have a name, and none leads up.  A slash at the end is a
 * directory's. */
static bool
is_honest(const char *path)
{
	if (*path == '/' || *path == '\0' || strlen(path) >= STREAM_PATH_SIZE)
		return false;
	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 2 && memcmp(path, "..", 2) == 0))
			return false;
		path += n + (path[n] == '/');
	}
	return true;
}

/* The start of the component before the one at `at`; path when there is none.
 */
static const char *
before(const char *path, const char *at)
{
	if (at == path)
		return path;
	for (at--; at > path && at[-1] != '/'; at--)
		;
	return at;
}

/* What .strm/ holds are no partitions of the store: they are about to be, or
 * were. */
static bool
is_own(const char *path, const char *end)
{
	while (path < end) {
		size_t n = strcspn(path, "/");

		if (n == strlen(STREAM_OWN_DIR) &&
		    memcmp(path, STREAM_OWN_DIR, n) == 0)
			return true;
		path += n + 1;
	}
	return false;
}

static bool
is_partition(const char *at, size_t n, struct stream_path *parsed)
{
	char name[STREAM_PARTITION_NAME_SIZE];

	if (n >= sizeof(name))
		return false;
	memcpy(name, at, n);
	name[n] = '\0';
	return stream_partition_name_parse(
	    name, parsed->topic, &parsed->partition);
}

static enum stream_path_kind
in_partition(struct stream_path *parsed)
{
	if (stream_name_parse(parsed->last, &parsed->name))
		return STREAM_PATH_SEGMENT;
	if (strcmp(parsed->last, STREAM_EPOCHS_FILE) == 0)
		return STREAM_PATH_EPOCHS;
	if (strcmp(parsed->last, STREAM_METADATA_FILE) == 0)
		return STREAM_PATH_METADATA;
	return STREAM_PATH_OTHER;
}

static enum stream_path_kind
in_store(struct stream_path *parsed)
{
	if (strcmp(parsed->last, STREAM_LOG_START_FILE) == 0)
		return STREAM_PATH_STARTS;
	if (strcmp(parsed->last, STREAM_MANIFEST_FILE) == 0)
		return STREAM_PATH_MANIFEST;
	if (strcmp(parsed->last, STREAM_MANIFEST_MARK) == 0)
		return STREAM_PATH_MARK;
	return STREAM_PATH_OTHER;
}

bool
stream_path_parse(const char *path, struct stream_path *parsed)
{
	static const char topics[] = STREAM_OWN_DIR "/" STREAM_TOPICS_DIR "/";
	const char *slash = strrchr(path, '/');
	const char *directory;

	*parsed = (struct stream_path){.kind = STREAM_PATH_HOSTILE};
	if (!is_honest(path))
		return false;
	parsed->last = slash != NULL ? slash + 1 : path;
	parsed->kind = STREAM_PATH_OTHER;
	directory = before(path, parsed->last);
	if (!is_own(path, directory) && directory != parsed->last &&
	    is_partition(
		directory, (size_t)(parsed->last - 1 - directory), parsed)) {
		parsed->prefix = (size_t)(directory - path);
		parsed->kind = in_partition(parsed);
		return true;
	}
	directory = before(path, directory);
	if (strncmp(directory, topics, sizeof(topics) - 1) == 0 &&
	    directory + sizeof(topics) - 1 == parsed->last &&
	    stream_layout_is_document(parsed->last, parsed->topic)) {
		parsed->prefix = (size_t)(directory - path);
		parsed->kind = STREAM_PATH_SETTINGS;
		return true;
	}
	parsed->prefix = (size_t)(parsed->last - path);
	parsed->kind = in_store(parsed);
	return true;
}

/* SPEC section 11. */
uint64_t
stream_path_most_bytes(const struct stream_path *path)
{
	switch (path->kind) {
	case STREAM_PATH_SEGMENT:
		return path->name.kind == STREAM_NAME_SNAPSHOT ? 64 << 20
							       : INT32_MAX;
	case STREAM_PATH_EPOCHS:
		return 32 << 20;
	case STREAM_PATH_METADATA:
		return 4096;
	case STREAM_PATH_SETTINGS:
		return 16 << 20;
	case STREAM_PATH_STARTS:
		return 64 << 20;
	case STREAM_PATH_MANIFEST:
		return 1 << 30;
	default:
		return UINT64_MAX;
	}
}
